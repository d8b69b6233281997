"""
A fitted model in MLflow, with the shapes that it takes
=======================================================

MLflow keeps models, and hands them to whoever serves them: batch jobs, servers, Spark. We store a pipeline and an
encoder, load both as a server would, and compare the results. MLflow calls one method of a model, ``predict``, which a
pipeline with a classifier has and an encoder has not. It needs ``pip install "seqembed[mlflow]"``.
"""

# %%
# A store that leaves nothing behind
# ----------------------------------
# The store is a database file and a folder, here temporary ones. A team has a server, and passes its address to
# ``set_tracking_uri``.
import tempfile
from pathlib import Path

import mlflow
import numpy as np
import skops.io
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from seqembed import LSTMAutoencoder
from seqembed.datasets import load_basic_motions

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
mlflow.create_experiment("motions", artifact_location=(folder / "artifacts").as_uri())
mlflow.set_experiment("motions")

# %%
# A pipeline
# ----------
# The signature says what the model takes and returns: here recordings of 100 timesteps and 6 features, as many as one
# likes (-1). MLflow refuses others before the model sees them, other dtypes too.
#
# MLflow stores models of scikit-learn by skops, which makes objects of no class that it was not told to trust. Those of
# seqembed must be named. We print the names that this pipeline needs. They are the same for every fit.
training, unseen = load_basic_motions(split="train"), load_basic_motions(split="test")
pipeline = make_pipeline(
    LSTMAutoencoder(n_components=16, hidden_units=(32,), epochs=20, random_state=0),
    LogisticRegression(max_iter=1000),
).fit(training.data, training.target)
trusted = skops.io.get_untrusted_types(data=skops.io.dumps(pipeline))
print("trusted:", *trusted, sep="\n  ")
with mlflow.start_run():
    logged = mlflow.sklearn.log_model(
        pipeline,
        name="classifier",
        signature=infer_signature(training.data, pipeline.predict(training.data)),
        input_example=training.data[:2],
        skops_trusted_types=trusted,
        pip_requirements=["seqembed"],
    )
print(logged.signature.inputs, "->", logged.signature.outputs)

# %%
# Loaded by ``mlflow.pyfunc``, it predicts, which is all that a server of MLflow can ask for. Loaded by
# ``mlflow.sklearn``, it is the pipeline, and its first step embeds.
served, loaded = mlflow.pyfunc.load_model(logged.model_uri), mlflow.sklearn.load_model(logged.model_uri)
predicted, embeddings = served.predict(unseen.data), loaded[:-1].transform(unseen.data)
np.testing.assert_array_equal(predicted, pipeline.predict(unseen.data))
np.testing.assert_array_equal(embeddings, pipeline[:-1].transform(unseen.data))
print(f"accuracy of the served model {np.mean(predicted == unseen.target):.3f}, embeddings {embeddings.shape}")
try:
    served.predict(unseen.data[:, :, :5])
except mlflow.MlflowException as error:
    print("5 features are refused:", str(error).rpartition("Error: ")[2])

# %%
# An encoder
# ----------
# An encoder has no ``predict``. ``log_model(autoencoder, pyfunc_predict_fn="transform")`` stores it, but the stored
# model can't be loaded by ``mlflow.pyfunc``, which knows a few methods and not this one. So we store the code of a
# model whose ``predict`` is ``transform``, the file ``mlflow_embedder.py`` beside this one, with the file of the
# estimator. Neither is a pickle.
autoencoder = pipeline[0]
autoencoder.save(folder / "encoder.seqembed")
with mlflow.start_run():
    logged = mlflow.pyfunc.log_model(
        name="encoder",
        python_model=str(Path(__file__).with_name("mlflow_embedder.py")),
        artifacts={"estimator": str(folder / "encoder.seqembed")},
        signature=infer_signature(training.data, autoencoder.transform(training.data)),
        input_example=training.data[:2],
        pip_requirements=["seqembed"],
    )
served = mlflow.pyfunc.load_model(logged.model_uri)
embeddings = served.predict(unseen.data)
np.testing.assert_array_equal(embeddings, autoencoder.transform(unseen.data))
print(logged.signature.inputs, "->", logged.signature.outputs)
print(f"embeddings {embeddings.shape} of the served encoder, as transform gives them")
temporary.cleanup()
