"""Turn sequences into vectors, and back, with LSTM autoencoders that behave like any scikit-learn transformer."""

from seqembed._autoencoder import LSTMAutoencoder

__all__ = ["LSTMAutoencoder"]
__version__ = "0.1.0"
