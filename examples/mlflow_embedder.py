"""The model that ``deploy_mlflow.py`` stores: its ``predict`` is the ``transform`` of a ``.seqembed`` file."""

import mlflow
import numpy as np

import seqembed


class Embedder(mlflow.pyfunc.PythonModel):
    """Sequences to embeddings."""

    def load_context(self, context):
        """Load the file that was stored with the model."""
        self.estimator = seqembed.load(context.artifacts["estimator"])

    def predict(self, context, model_input: np.ndarray, params=None) -> np.ndarray:
        """Embed sequences of shape (n_samples, n_timesteps, n_features)."""
        return self.estimator.transform(model_input)


mlflow.models.set_model(Embedder())
