"""The regular LSTM network as a scikit-learn estimator."""

from __future__ import annotations

from seqembed.estimators.base import LSTMNetworkEstimator
from seqembed.estimators.saving import savable


@savable
class LSTMReconstructor(LSTMNetworkEstimator):
    """Reconstruct sequences with a regular LSTM network, in which no layer squeezes the sequence into a vector.

    It has the layers of `LSTMAutoencoder`, but every layer returns all timesteps, and nothing is repeated. So there is
    no embedding, and each output depends only on the timesteps up to its own. Its reconstruction error finds rare
    events, as that of the autoencoder does.

    Parameters
    ----------
    n_components : int, default=64
        Units of the two layers in the middle.
    hidden_units : sequence of int, default=(128,)
        Units of the layers before the middle; the layers after it mirror them.
    patch_size : int or "auto", default="auto"
        As in `LSTMAutoencoder`. Each output depends on the timesteps up to the end of its own patch.
    activation, time_encoding, scale, augment, epochs, batch_size, learning_rate, validation_fraction, patience
        As in `LSTMAutoencoder`.
    n_jobs, warm_start, random_state, verbose
        As in `LSTMAutoencoder`.

    Attributes
    ----------
    history_, n_iter_, best_epoch_, interrupted_, weights_, network_, feature_means_, center_, scale_
        As in `LSTMAutoencoder`.
    n_timesteps_, n_features_, one_length_, input_ndim_
        As in `LSTMAutoencoder`.
    n_features_in_ : int
        Columns of a two-dimensional `X`, as scikit-learn counts them, and `n_features_` otherwise.
    feature_names_in_ : array of str
        Names of the columns of a data frame.

    References
    ----------
    C. Ranjan, "Step-by-step understanding LSTM Autoencoder layers" (2019).

    Examples
    --------
    >>> from seqembed import LSTMReconstructor
    >>> from seqembed.datasets import load_italy_power
    >>> X = load_italy_power().data
    >>> LSTMReconstructor(8, hidden_units=(16,), epochs=2).fit(X).reconstruction_error(X).shape
    (1096,)
    """

    _bottleneck = False
