"""Write the files that later versions have to read, for the version of the file format that this seqembed writes.

After a release they are never written again: ``python tests/estimators/files/make.py`` makes those of a new version.
"""

from pathlib import Path

import numpy as np

from seqembed import LSTMAutoencoder, LSTMReconstructor, ReconstructionDetector, SequenceSummary
from seqembed.datasets import load_basic_motions, load_italy_power, load_japanese_vowels
from seqembed.files.safetensors_file import FORMAT_VERSION

FOLDER = Path(__file__).parent / f"version_{FORMAT_VERSION}"


def with_holes(days):
    """Hide a tenth of the values, and the second half of one day."""
    holes = np.where(np.random.default_rng(0).random(days.shape) < 0.1, np.nan, days)
    holes[0, 12:] = np.nan
    return holes


def cases():
    """Return by name: an estimator, the arguments of its fit, and the method whose results are compared."""
    motions = load_basic_motions(split="train")
    vowels = load_japanese_vowels(split="train").data[:60]
    italy = load_italy_power(split="train")
    days, seasons = italy.data[:30], italy.target[:30]
    small = {"n_components": 6, "hidden_units": (5,), "epochs": 3, "random_state": 0}
    return {
        "summary": (SequenceSummary(5), (motions.data,), "transform"),
        "autoencoder": (LSTMAutoencoder(**small), (motions.data,), "transform"),
        "decoder": (LSTMAutoencoder(**small), (motions.data,), "reconstruct"),
        "unequal_lengths": (LSTMAutoencoder(**small), (vowels,), "transform"),
        "autoencoder_with_competition": (LSTMAutoencoder(**small), (motions.data,), "transform"),
        "two_dimensions": (LSTMAutoencoder(**small, label_weight=0.1), (days[:, :, 0], seasons), "transform"),
        "post": (
            LSTMAutoencoder(
                **small,
                activation="relu",
                patch_size=1,
                time_encoding=False,
                scale=None,
                augment=False,
                readout_weight=0,
                context_size=0,
                shortcut_size=0,
            ),
            (days,),
            "transform",
        ),
        "reconstructor": (LSTMReconstructor(**small), (days,), "reconstruction_error"),
        "detector": (ReconstructionDetector(LSTMAutoencoder(**small), cv=2), (days,), "score_samples"),
        "detector_with_components": (
            ReconstructionDetector(LSTMReconstructor(**small), cv=2, gap=1, random_state=0),
            (days,),
            "score_samples",
        ),
        "detector_with_holes": (
            ReconstructionDetector(LSTMReconstructor(**small), cv=2, random_state=0),
            (with_holes(days),),
            "score_samples",
        ),
        "detector_with_labels": (
            ReconstructionDetector(LSTMReconstructor(**small), cv=2, distances=False),
            (days, np.arange(30) % 5 == 0),
            "score_samples",
        ),
    }


def main():
    """Fit, save, and write what the method returns for the training data."""
    FOLDER.mkdir()
    for name, (estimator, data, method) in cases().items():
        file = FOLDER / f"{name}.seqembed"
        estimator.fit(*data).save(file)
        np.save(FOLDER / f"{name}.npy", np.concatenate([np.ravel(one) for one in getattr(estimator, method)(data[0])]))
        print(f"{name}: {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
