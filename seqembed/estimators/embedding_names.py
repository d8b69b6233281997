"""Names of the numbers of an embedding."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassNamePrefixFeaturesOutMixin


class EmbeddingNamesMixin(ClassNamePrefixFeaturesOutMixin):
    """Names of the columns that `transform` returns, as scikit-learn's transformers have them."""

    def get_feature_names_out(self, input_features: npt.ArrayLike | None = None) -> np.ndarray:
        """Name the numbers of the embedding after the class.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of the input. They don't change the result, and only their number is checked: there
            is one for each column, or a single one. `sklearn.compose.ColumnTransformer` passes a single name for a
            column of a data frame that holds whole sequences.

        Returns
        -------
        names : array of str of shape (n_components,)
            Such as ``"lstmautoencoder0"``.

        Raises
        ------
        ValueError
            For other names than those of the fit, and for another number of names.

        Examples
        --------
        >>> import numpy as np
        >>> from seqembed import SequenceSummary
        >>> summary = SequenceSummary(2).fit(np.random.default_rng(0).normal(size=(10, 20, 3)))
        >>> summary.get_feature_names_out().tolist(), summary.get_feature_names_out(["sequence"]).tolist()
        (['sequencesummary0', 'sequencesummary1'], ['sequencesummary0', 'sequencesummary1'])
        """
        names: Any = input_features
        if names is not None and len(names) == 1 and not hasattr(self, "feature_names_in_"):
            names = None
        out: np.ndarray = super().get_feature_names_out(names)
        return out
