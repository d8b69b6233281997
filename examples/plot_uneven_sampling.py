"""
What if the time between two values is not always the same?
===========================================================

A sensor sends when it can, a nurse measures when it seems necessary. A network reads row after row, and takes no
notice of the time between them. There are two ways to tell it: a channel with the time since the last value, or values
on an even grid. Which is better?
"""

# %%
# A rhythm, read at uneven times
# ------------------------------
# The data are made here, so that we know what matters. Each sequence has 40 values of an oscillation. One has about two
# values a second, another one value in two seconds. Two things are to be told from it: whether the rhythm is fast or
# slow, and whether the values come evenly or in bursts.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqembed import LSTMAutoencoder

N_SEQUENCES, N_TRAINING, N_VALUES = 800, 400, 40
PERIODS, SPREADS = np.array([15.0, 10.0]), np.array([0.3, 0.9])

random = np.random.default_rng(0)
fast, bursts = random.integers(0, 2, (2, N_SEQUENCES))
steps = random.lognormal(size=(N_SEQUENCES, N_VALUES)) ** SPREADS[bursts, np.newaxis]
steps *= np.exp(random.uniform(np.log(0.5), np.log(2), (N_SEQUENCES, 1))) / steps.mean(axis=1, keepdims=True)
times = steps.cumsum(axis=1)
periods = (PERIODS[fast] * random.lognormal(0, 0.1, N_SEQUENCES))[:, np.newaxis]
values = np.sin(2 * np.pi * (times / periods + random.random((N_SEQUENCES, 1))))
values += 0.2 * random.normal(size=values.shape)

# %%
# Three ways to hand it over
# --------------------------
# Steps in time differ by factors, so the channel holds their logarithm: twice as long is as far from the mean as half
# as long. The grid has one value a second, by linear interpolation, and sequences of unequal lengths.
inputs = {
    "times ignored": values[:, :, np.newaxis],
    "time since the last value": np.stack([values, np.log(steps)], axis=2),
    "on a grid": [np.interp(np.arange(t[0], t[-1]), t, x)[:, np.newaxis] for t, x in zip(times, values, strict=True)],
}
accuracies = {}
for name, X in inputs.items():
    autoencoder = LSTMAutoencoder(32, hidden_units=(32,), epochs=50, random_state=0).fit(X[:N_TRAINING])
    Z = autoencoder.transform(X)
    accuracies[name] = []
    for label in (fast, bursts):
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        classifier.fit(Z[:N_TRAINING], label[:N_TRAINING])
        accuracies[name].append(classifier.score(Z[N_TRAINING:], label[N_TRAINING:]))
print(f"{'test accuracy':30s}{'fast or slow':>16s}{'even or bursts':>16s}")
for name, pair in accuracies.items():
    print(f"{name:30s}" + "".join(f"{accuracy:16.3f}" for accuracy in pair))

# %%
# The grid shows a rhythm as it is, and the network need not combine two channels to see it. But it forgets when values
# were measured, and what happens between two points of the grid. The channel keeps both. So use a grid for a smooth
# signal, and the channel where the moment of a measurement says something, or where a grid would have to be far finer
# than the values. For values that are only absent from an even grid, `sequences_from_frame` with ``freq`` makes them
# NaN.
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
places = np.arange(len(accuracies))
for shift, title in ((0, "fast or slow"), (1, "even or bursts")):
    left.barh(places + 0.36 * shift, [pair[shift] for pair in accuracies.values()], height=0.34, label=title)
left.set_yticks(places + 0.18, list(accuracies))
left.invert_yaxis()
left.axvline(0.5, color="black", linestyle=":", label="guessing")
left.set(xlabel="test accuracy", xlim=(0.4, 1.03))
left.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=3)
for place, label in enumerate((0, 1)):
    row = int(np.flatnonzero((fast == 1) & (bursts == label))[0])
    right.plot(times[row], values[row] - 3 * place, "o-", markersize=4, linewidth=0.7)
right.set(xlabel="seconds", yticks=(0, -3), title="Two sequences of a fast rhythm")
right.set_yticklabels(["even", "bursts"])
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "uneven_sampling.png", dpi=120)
print(f"figure written to {figures}/uneven_sampling.png")
