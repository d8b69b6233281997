"""
What if a column holds names, and others never change?
======================================================

A machine sends a load, and the mode that it works in: a name. Its kind and the hours since its service are known too,
and don't change during a recording. A network reads numbers that change. Where does the rest go?
"""

# %%
# Machines that wear
# ------------------
# The data are made here, so that we know what matters. A recording of 40 seconds passes through three modes in any
# order. Wear shows in the load while the machine cuts, and only then. How much load is too much depends on the kind of
# the machine and on the hours since its service.
#
# A data frame may hold whole sequences in a column: one array of shape (n_timesteps, n_features) in each row. They may
# differ in length.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from seqembed import LSTMAutoencoder

MODES = ["heating", "cutting", "cooling"]
LIMITS = {"old": -1.0, "repaired": 0.0, "new": 1.0}


def made_recording(random):
    """Make 40 seconds of load and mode, and the load of each mode."""
    levels = random.normal(size=len(MODES))
    lengths = np.diff([0, *np.sort(random.choice(np.arange(5, 40, 5), 2, replace=False)), 40])
    mode = np.repeat(random.permutation(len(MODES)), lengths)
    return levels[mode] + 0.3 * random.normal(size=40), mode, levels


random = np.random.default_rng(0)
loads, modes, levels = map(np.array, zip(*(made_recording(random) for _ in range(900)), strict=True))
frame = pd.DataFrame({"kind": random.choice(list(LIMITS), 900), "hours": random.uniform(0, 1000, 900)})
worn = levels[:, MODES.index("cutting")] > frame["kind"].map(LIMITS) + (500 - frame["hours"]) / 1000

# %%
# Names become channels
# ---------------------
# A code of 0, 1, 2 says that cooling is twice as far from heating as cutting is. One channel for each mode, 1 while the
# machine is in it and 0 otherwise (one-hot), has no such order. For sequences, `numpy.eye` makes it in one line.
# If modes are text, `numpy.unique(modes, return_inverse=True)` makes the codes. Take the list of modes from the
# training data, and keep it: other data may lack one.
one_hot = np.eye(len(MODES))[modes]
frame["load"] = list(loads[:, :, np.newaxis])
frame["load and code"] = list(np.stack([loads, modes], axis=2))
frame["load and one-hot"] = list(np.concatenate([loads[:, :, np.newaxis], one_hot], axis=2))

# %%
# What never changes joins the vector
# -----------------------------------
# A `ColumnTransformer` embeds one column and encodes the others, and the classifier gets all of it. The name of the
# column of sequences stands without brackets: in brackets, scikit-learn would hand over a table of one column. Its
# limits: the classifier has to find out by itself how the static columns go together with the vector, and a linear one
# only adds. `get_params` and `GridSearchCV` reach the autoencoder as ``columntransformer__lstmautoencoder__...``.
train, test, y_train, y_test = train_test_split(frame, worn, train_size=400, random_state=0)


def classifier(sequences, *static):
    """Embed a column of sequences, put static columns beside it, and classify."""
    autoencoder = LSTMAutoencoder(32, hidden_units=(32,), epochs=40, random_state=0)
    columns = make_column_transformer((autoencoder, sequences), *static)
    return make_pipeline(columns, StandardScaler(), LogisticRegression(max_iter=2000)).fit(train, y_train)


STATIC = ((OneHotEncoder(sparse_output=False), ["kind"]), ("passthrough", ["hours"]))
fitted = {
    "load alone": classifier("load"),
    "load, mode as a code": classifier("load and code"),
    "load, mode as one-hot channels": classifier("load and one-hot"),
    "load, one-hot, static columns": classifier("load and one-hot", *STATIC),
}
alone = make_pipeline(make_column_transformer(*STATIC), StandardScaler(), LogisticRegression()).fit(train, y_train)
accuracies = {"static columns alone": alone} | fitted
accuracies = {name: pipeline.score(test, y_test) for name, pipeline in accuracies.items()}
for name, accuracy in accuracies.items():
    print(f"test accuracy, {name:32s}{accuracy:.3f}")
columns = fitted["load, one-hot, static columns"]["columntransformer"].get_feature_names_out()
print(f"{len(columns)} columns, the last of them {', '.join(columns[-4:])}")

# %%
# What each piece adds
# --------------------
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4), layout="constrained", width_ratios=(1, 1.1))
names = list(accuracies)
left.barh(names, accuracies.values(), color="tab:blue")
left.axvline(max(y_test.mean(), 1 - y_test.mean()), color="black", linestyle=":", label="always the same answer")
left.invert_yaxis()
left.set(xlabel="test accuracy", xlim=(0.4, 1))
left.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.15))
for second, mode in enumerate(modes[0]):
    right.axvspan(second - 0.5, second + 0.5, color=f"C{mode}", alpha=0.25, linewidth=0)
for mode, name in enumerate(MODES):
    right.fill_between([], [], [], color=f"C{mode}", alpha=0.25, label=name)
right.plot(loads[0], color="black", label="load")
right.axhline(
    levels[0, MODES.index("cutting")], color="C1", linestyle="--", label="what counts: the load while cutting"
)
right.set(xlabel="seconds", ylabel="load", xlim=(0, 39), ylim=(-3, 3), title="One recording")
right.legend(fontsize="small", ncols=2, loc="lower right")
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "static_and_categorical.png", dpi=120)
print(f"figure written to {figures}/static_and_categorical.png")
