"""
A model that is trained again while it serves
=============================================

What sensors measure changes with the seasons, and a model of one season reconstructs another one badly. We train it
further on newer data, and save it to the file that the service of ``http_service.py`` reads. The service notices, and
answers with the new model. It needs ``pip install "seqembed[http]"``.
"""

# %%
# A model of half a year
# ----------------------
# A sequence is a day of 24 hours: the electric power that Italy demanded. The two classes are the two halves of the
# year; the first one is the past here, and the second one is newer. Models are trained on half of the days of each,
# and judged by the others. ``warm_start=True`` lets a later ``fit`` go on from the weights of the one before, with its
# scaling, so that errors before and after have the same unit.
import os
import tempfile
from pathlib import Path

import http_service
import numpy as np
from fastapi.testclient import TestClient
from sklearn.neighbors import NearestNeighbors

from seqembed import LSTMAutoencoder, load
from seqembed.datasets import load_italy_power

days, half = load_italy_power(return_X_y=True)
past, newer = (days[half == number] for number in np.unique(half))
folder = tempfile.TemporaryDirectory()
file = Path(folder.name) / "model.seqembed"
first = LSTMAutoencoder(n_components=8, hidden_units=(), epochs=20, warm_start=True, random_state=0)
first.fit(past[::2]).save(file)

# %%
# It serves, and its errors rise
# ------------------------------
# The service answers with a reconstruction error for each sequence. Its mean is worth watching: where it rises, the
# data have drifted away from those that the model was trained on.
os.environ["MODEL"] = str(file)
client = TestClient(http_service.app)


def ask(sequences):
    """Return the name of the model that answers, the embeddings and the scores."""
    answer = client.post("/embed", json={"sequences": sequences.tolist()}).json()
    return answer["model"], np.array(answer["embeddings"]), np.array(answer["scores"])


held_out = {"past": past[1::2], "newer": newer[1::2]}


def show(title):
    """Print the mean error of the days of each half, which no model was trained on; return the answers."""
    answers = {name: ask(sequences) for name, sequences in held_out.items()}
    errors = ", ".join(f"{name} days {scores.mean():.3f}" for name, (_, _, scores) in answers.items())
    print(f"{title:36s} model {answers['past'][0]}, mean error of {errors}")
    return answers


before = show("trained on the past")

# %%
# Train it further, behind the service
# ------------------------------------
# Another process does this, such as one that cron starts every night: it loads the file, trains, compares, and saves to
# the same path. ``save`` writes beside the file and renames, so that a service which reads meanwhile gets the old model
# or the new one, and never half a file. If the new model is no better, nothing is saved.


def retrain(training, judged):
    """Train the model of the file further; return whether the new one is better, and so was saved."""
    model = load(file)
    error = model.reconstruction_error(judged).mean()
    model.fit(training)
    is_better = model.reconstruction_error(judged).mean() < error
    if is_better:
        model.save(file)
    return is_better


assert retrain(newer[::2], held_out["newer"])
after = show("trained further on newer days")

# %%
# A network forgets what it no longer sees: the error of past days has risen. If they will come again, as seasons do,
# train on both.
first.save(file)
assert retrain(np.concatenate([past[::2], newer[::2]]), held_out["newer"])
both = show("trained further on both")
for answers in (after, both):
    assert answers["newer"][2].mean() < before["newer"][2].mean()

# %%
# Its vectors are others
# ----------------------
# Vectors of before and after can't be compared, though training went on from the same weights. We store the vectors of
# the first model, and search in them for the same days with the vectors of another. If they were comparable, each
# day would find itself. So store the name of the model with the vectors, and embed stored sequences again after a
# retraining.
neighbors = NearestNeighbors(n_neighbors=1).fit(before["newer"][1])
for title, answers in {"the same model": before, "after newer days": after, "after both": both}.items():
    name, embeddings, _ = answers["newer"]
    found = neighbors.kneighbors(embeddings, return_distance=False)[:, 0]
    share = np.mean(found == np.arange(len(found)))
    print(f"vectors of {title:16s} (model {name}): {share:4.0%} of the days find themselves")
folder.cleanup()
