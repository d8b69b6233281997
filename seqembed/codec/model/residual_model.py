"""Residual models: a predictor, with the distribution of its residuals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqembed.codec.model.predictors import Predictor
from seqembed.codec.model.residual_network import ResidualNetwork
from seqembed.codec.model.tables import Tables


class ResidualModel(NamedTuple):
    """A predictor, and the probabilities of its residuals.

    Parameters
    ----------
    predictor : Predictor
        Predicts values, and the size of its error.
    distribution : Tables or ResidualNetwork
        Probabilities of the residuals. The network needs fewer bits than the tables, and takes longer.
    """

    predictor: Predictor
    distribution: Tables | ResidualNetwork

    def numbers(self) -> list[np.ndarray]:
        """Return all numbers that decoding depends on."""
        return [*self.predictor.numbers(), *self.distribution]
