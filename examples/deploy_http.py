"""
A service that other programs ask for vectors
=============================================

Programs in other languages can't import Python, but they can send JSON. ``http_service.py`` beside this file is a
service of about thirty lines: it loads a fitted model, checks what it is sent, and answers with embeddings and
reconstruction errors. Here we train a model, and ask the service what its callers will ask, right or wrong. It needs
``pip install "seqembed[http]"``.
"""

# %%
# Train and save
# --------------
import os
import tempfile
from pathlib import Path

import http_service
import numpy as np
from fastapi.testclient import TestClient

from seqembed import LSTMAutoencoder
from seqembed.datasets import load_basic_motions

training, unseen = load_basic_motions(split="train"), load_basic_motions(split="test")
autoencoder = LSTMAutoencoder(n_components=16, hidden_units=(32,), epochs=20, random_state=0).fit(training.data)
folder = tempfile.TemporaryDirectory()
os.environ["MODEL"] = str(Path(folder.name) / "model.seqembed")
autoencoder.save(os.environ["MODEL"])

# %%
# Good questions
# --------------
# The client of FastAPI calls the service without a network. The service answers with what ``transform`` and
# ``reconstruction_error`` give. The answer also has the name of the model: vectors of two models can't be compared,
# so store the name with the vectors.
client = TestClient(http_service.app)
reply = client.post("/embed", json={"sequences": unseen.data.tolist()})
answer = reply.json()
np.testing.assert_allclose(answer["embeddings"], autoencoder.transform(unseen.data), atol=1e-5)
np.testing.assert_allclose(answer["scores"], autoencoder.reconstruction_error(unseen.data), rtol=1e-4)
print(f"{reply.status_code}: {len(answer['embeddings'])} vectors of model {answer['model']}, as transform gives them")

# %%
# JSON has no NaN. A value that is missing is null.
sequence = unseen.data[0].tolist()
sequence[30][2] = None
with_hole = unseen.data[:1].copy()
with_hole[0, 30, 2] = np.nan
reply = client.post("/embed", json={"sequences": [sequence]})
np.testing.assert_allclose(reply.json()["embeddings"], autoencoder.transform(with_hole), atol=1e-5)
print(f"{reply.status_code}: a missing value is null")

# %%
# Bad questions
# -------------
# pydantic refuses values of a wrong type. The model refuses what only it can judge, such as a wrong number of features.
# The caller gets the message, which says what to do, with the status 422.
row, whole = sequence[0], unseen.data[0].tolist()
BAD = {
    "no sequence": {"sequences": []},
    "text": {"sequences": [[["fast", *row[1:]]]]},
    "a feature too few": {"sequences": [[row[:-1] for row in whole]]},
    "a row that is too short": {"sequences": [[row[:-1], *whole[1:]]]},
    "nothing but missing values": {"sequences": [[[None] * 6] * 100]},
}
for mistake, question in BAD.items():
    reply = client.post("/embed", json=question)
    assert reply.status_code == 422, reply.text
    print(f"{reply.status_code}: {mistake}\n     {reply.json()['detail']}")

# %%
# A body that is no JSON is refused in the same way, and so is NaN, which some programs write.
for content in ("sequences", '{"sequences": [[[NaN]]]}'):
    reply = client.post("/embed", content=content, headers={"Content-Type": "application/json"})
    assert reply.status_code == 422, reply.text
    print(f"{reply.status_code}: {content}\n     {reply.json()['detail']}")
folder.cleanup()

# %%
# Start it
# --------
# uvicorn serves it, in several processes if asked to. Each process loads the model once, and none imports
# TensorFlow. ``/docs`` shows a form to try it in a browser. Let a proxy limit the size of a question, and who may ask.
print("MODEL=model.seqembed uvicorn --app-dir examples --workers 2 http_service:app")
