"""Other methods for rare events, with measures of their scores by row.

Each method gives windows a score, low for rare ones. aeon (VUS-PR) and stumpy (matrix profile) are used if they are
installed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
from bench_embeddings import catch22
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.preprocessing import StandardScaler

from seqembed import merge_windows, sliding_windows
from seqembed.estimators.events import Events

N_COMPONENTS = 32


class PCAReconstruction(BaseEstimator):
    """Windows from their principal components, for `ReconstructionDetector`."""

    def __init__(self, n_components: int = N_COMPONENTS):
        self.n_components = n_components

    def fit(self, X, y=None):
        """Learn the components of windows of shape (n_samples, n_timesteps, n_features)."""
        self.scaler_ = StandardScaler().fit(X.reshape(-1, X.shape[2]))
        self.pca_ = PCA(self.n_components).fit(self._flat(X))
        return self

    def reconstruct(self, X):
        """Reconstruct windows."""
        flat = self.pca_.inverse_transform(self.pca_.transform(self._flat(X)))
        return self.scaler_.inverse_transform(flat.reshape(-1, X.shape[2])).reshape(X.shape)

    def _flat(self, X):
        return self.scaler_.transform(X.reshape(-1, X.shape[2])).reshape(len(X), -1)


def fit_peers(training: np.ndarray, seed: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Fit each method on windows; return functions that score windows."""
    scaler = StandardScaler().fit(training.reshape(-1, training.shape[2]))

    def flat(windows: np.ndarray) -> np.ndarray:
        return scaler.transform(windows.reshape(-1, windows.shape[2])).reshape(len(windows), -1)

    n_windows, n_values = flat(training).shape
    # With all components, nothing would be left of a window.
    pca = PCA(min(N_COMPONENTS, n_windows - 1, n_values - 1)).fit(flat(training))
    neighbours = NearestNeighbors(n_neighbors=1).fit(flat(training))
    density = LocalOutlierFactor(novelty=True).fit(flat(training))
    forest = IsolationForest(random_state=seed).fit([catch22(window) for window in training])
    return {
        f"PCA-{N_COMPONENTS} error": lambda windows: (
            -np.square(flat(windows) - pca.inverse_transform(pca.transform(flat(windows)))).mean(axis=1)
        ),
        "nearest neighbour": lambda windows: -neighbours.kneighbors(flat(windows))[0][:, 0],
        "LOF": lambda windows: density.score_samples(flat(windows)),
        "IsolationForest catch22": lambda windows: forest.score_samples([catch22(window) for window in windows]),
    }


def score_rows(score: Callable[[np.ndarray], np.ndarray], recording: np.ndarray, timesteps: int) -> np.ndarray:
    """Score the windows of a recording and bring the scores onto its rows."""
    windows, starts, _ = sliding_windows(recording, timesteps)
    return merge_windows(score(windows), starts, len(recording), "center", timesteps=timesteps)


def rows_in_events(events: Events, n_rows: int) -> np.ndarray:
    """Return whether each row lies in a detected event."""
    inside = np.zeros(n_rows, bool)
    for start, end in zip(events.table["start"], events.table["end"], strict=True):
        inside[start : end + 1] = True
    return inside


def has_matrix_profile() -> bool:
    """Tell whether stumpy is installed."""
    return importlib.util.find_spec("stumpy") is not None


def matrix_profile(training_rows: np.ndarray, recording: np.ndarray, timesteps: int) -> np.ndarray:
    """Score rows by the z-normalised distance of each window to the nearest of the training part, over all features."""
    import stumpy

    squares = np.zeros(len(recording) - timesteps + 1)
    for feature, of_training in zip(recording.T.astype(float), training_rows.T.astype(float), strict=True):
        profile = stumpy.stump(feature, timesteps, of_training, ignore_trivial=False)
        squares += np.square(profile[:, 0].astype(float))
    return merge_windows(-np.sqrt(squares), np.arange(len(squares)), len(recording), "center", timesteps=timesteps)


def measures(is_rare: np.ndarray, row_scores: np.ndarray, timesteps: int) -> dict[str, float]:
    """Compute average precision, the area under the ROC curve, and VUS-PR with buffers of up to a window."""
    covered = np.isfinite(row_scores)
    is_rare, rarity = is_rare[covered], -row_scores[covered]
    found = {"average precision": average_precision_score(is_rare, rarity), "AUC": roc_auc_score(is_rare, rarity)}
    if importlib.util.find_spec("aeon"):
        from aeon.benchmarking.metrics.anomaly_detection import range_pr_vus_score

        found["VUS-PR"] = range_pr_vus_score(is_rare.astype(int), rarity, max_buffer_size=timesteps)
    return found
