"""How well is a sequence reconstructed from a few bytes, without a bound on the error?

Embeddings of a default `LSTMAutoencoder`, and of PCA with as many components, go through the same coder: rotated,
rounded with one step, range coded. Both learn from the training part of a set. Bits are those of real bytes of the test
part, without the few bytes of the header; R^2 is that of the decoded test sequences after scaling. The last column is
the number of bits with which PCA reaches the R^2 of the network, found by bisection; "never" means that no number of
bits is enough.
"""

from __future__ import annotations

import numpy as np
from alternation import describe_machine
from sklearn.decomposition import PCA

from seqembed import LSTMAutoencoder
from seqembed.codec.bytes.lengths import pack_lengths, sequence_lengths
from seqembed.codec.model.embedding_coder import learn_rounding
from seqembed.datasets import load_basic_motions, load_italy_power, load_japanese_vowels

BITS = (24, 40, 64)
MOST_BITS = 512


def main() -> None:
    """Print a table for each set."""
    print(describe_machine(("numpy", "scikit-learn", "tensorflow", "constriction")))
    for load in (load_japanese_vowels, load_italy_power, load_basic_motions):
        train, test = ([np.float32(x).reshape(len(x), -1) for x in load(split=part).data] for part in ("train", "test"))
        network = LSTMAutoencoder(context_size=0, shortcut_size=0, random_state=0).fit(train)
        components = PrincipalComponents(network, train)
        print(f"{load.__name__.removeprefix('load_')}: {len(test)} sequences to compress")
        of_components = r2(network, test, components.reconstruct(test))
        print(f"  as floats: network R^2 {network.score(test):.3f}, PCA {of_components:.3f}")
        for bits in BITS:
            measured, score = rate_and_score(network, network, train, test, bits)
            of_pca, score_of_pca = rate_and_score(components, network, train, test, bits)
            print(
                f"  {bits} bits asked for: network {measured:5.1f} bits, R^2 {score:.3f}; PCA {of_pca:5.1f} bits, "
                f"R^2 {score_of_pca:.3f}; PCA {bits_for(components, network, train, test, score)} {score:.3f}"
            )


def rate_and_score(estimator, network, train, test, bits) -> tuple[float, float]:
    """Return the bits a sequence of the encoded test part, and the R^2 of the decoded one."""
    coder = learn_rounding(estimator.transform(train).astype(np.float64), bits)
    lengths = sequence_lengths(test)
    data = coder.encode_integers(coder.rounded(estimator.transform(test)))
    decoded = estimator.inverse_transform(coder.unrounded(coder.decode_integers(data, len(test))), lengths)
    n_bytes = len(pack_lengths(lengths)) + len(data)
    return 8 * n_bytes / len(test), r2(network, test, [x.astype(np.float32) for x in decoded])


def bits_for(components, network, train, test, score) -> str:
    """Return the words for the number of bits with which PCA reaches a score."""
    low, high = 1.0, float(MOST_BITS)
    if rate_and_score(components, network, train, test, high)[1] < score:
        return "never reaches"
    for _ in range(10):
        middle = (low + high) / 2
        measured, reached = rate_and_score(components, network, train, test, middle)
        low, high = (low, middle) if reached >= score else (middle, high)
    return f"needs {measured:.1f} bits for"


def r2(network, sequences, decoded) -> float:
    """R^2 after scaling, as `score` computes it."""
    X, Y = ((np.concatenate(some) - network.center_) / network.scale_ for some in (sequences, decoded))
    return 1 - np.square(X - Y).sum() / np.square(X - (network.feature_means_ - network.center_) / network.scale_).sum()


class PrincipalComponents:
    """PCA of sequences that are filled up with the means of their features, with methods like those of the network."""

    def __init__(self, network: LSTMAutoencoder, train: list[np.ndarray]):
        self._network, self._n_timesteps = network, network.n_timesteps_
        rows = self._rows(train)
        self._pca = PCA(min(network.network_.n_components, *rows.shape)).fit(rows)

    def _rows(self, sequences: list[np.ndarray]) -> np.ndarray:
        rows = np.zeros((len(sequences), self._n_timesteps, self._network.n_features_))
        for row, sequence in zip(rows, sequences, strict=True):
            values = (sequence - self._network.center_) / self._network.scale_
            row[: len(values)] = values[: self._n_timesteps]
        return rows.reshape(len(rows), -1)

    def transform(self, sequences: list[np.ndarray]) -> np.ndarray:
        """Return the components of sequences."""
        return self._pca.transform(self._rows(sequences))

    def inverse_transform(self, embeddings: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
        """Return sequences."""
        rows = self._pca.inverse_transform(embeddings).reshape(len(embeddings), self._n_timesteps, -1)
        rows = rows * self._network.scale_ + self._network.center_
        return [
            np.concatenate([row, np.tile(self._network.feature_means_, (max(0, length - len(row)), 1))])[:length]
            for row, length in zip(rows, lengths, strict=True)
        ]

    def reconstruct(self, sequences: list[np.ndarray]) -> list[np.ndarray]:
        """Return sequences as their components reconstruct them."""
        return self.inverse_transform(self.transform(sequences), [len(sequence) for sequence in sequences])


if __name__ == "__main__":
    main()
