"""
How do I embed sequences of different lengths?
==============================================

Nine men say the same vowel, some faster than others: 7 to 29 timesteps of 12 features. If we pad them to one length and
flatten them, the padding becomes part of the features. An LSTM reads each sequence up to its own end.
"""

# %%
# The data
# --------
# JapaneseVowels comes with the package, as a list of arrays. Nothing has to be padded.
from pathlib import Path

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqembed import LSTMAutoencoder
from seqembed.datasets import load_japanese_vowels
from seqembed.plotting import plot_reconstruction

train, test = load_japanese_vowels(split="train"), load_japanese_vowels(split="test")
lengths = [len(sequence) for sequence in test.data]
print(f"{len(train.data)} sequences to train on, {len(test.data)} to test, {min(lengths)} to {max(lengths)} timesteps")

# %%
# Who is speaking?
# ----------------
# Thirty examples of each speaker are few. By default, `fit` augments them anew in each epoch, here by mixing them in
# pairs, so that the network learns what they have in common. With ``augment=False``, it memorises them.
for augment in (False, True):
    autoencoder = LSTMAutoencoder(augment=augment, random_state=0, verbose=1).fit(train.data)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    classifier.fit(autoencoder.transform(train.data), train.target)
    embedding = autoencoder.transform(test.data)
    print(
        f"augment={augment}: test accuracy on the embedding {classifier.score(embedding, test.target):.3f}, R^2 of the "
        f"reconstruction {autoencoder.score(train.data):.2f} train, {autoencoder.score(test.data):.2f} test"
    )

# %%
# And back
# --------
# An embedding does not contain the length of its sequence, so we pass the lengths too.
reconstructions = autoencoder.inverse_transform(embedding, lengths)
print(f"the first reconstructions have shapes {', '.join(str(sequence.shape) for sequence in reconstructions[:3])}")

# %%
# The figure shows sequences with errors around the median on the left, and those with the largest errors on the right.
panels = plot_reconstruction(autoencoder, test.data)
figures = Path("figures")
figures.mkdir(exist_ok=True)
panels[0].figure.savefig(figures / "unequal_lengths.png", dpi=120)
print(f"figure written to {figures}/unequal_lengths.png")
