"""
Where else does the recording look like this second?
====================================================

A heartbeat came early: where else did one? Embeddings are short vectors, and an index of 100,000 of them answers in
less than a millisecond. How much does it miss? And how much of it would dynamic time warping find, which takes seconds
for each question?
"""

# %%
# A hundred thousand windows
# --------------------------
# Five minutes of an electrocardiogram have 360 rows a second. A window of one second starts at each of them. Every
# fourth value of a window is enough to see a beat. We let the recording begin at nine o'clock.
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.dates import DateFormatter
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from seqembed import LSTMAutoencoder, sliding_windows
from seqembed.datasets import load_ecg

recording = load_ecg()
SECOND = int(recording.sampling_rate)
windows, starts, _ = sliding_windows(recording.data, timesteps=SECOND)
windows = windows[:, ::4]
times = np.datetime64("2026-01-01T09:00:00.000") + (starts * 1000 // SECOND).astype("m8[ms]")

# %%
# A thousand of them are enough to learn from. Embeddings of 16 numbers make the index small, and neighbours are found
# by their distance alone: they need no label.
rng = np.random.default_rng(0)
sample = np.sort(rng.choice(len(windows), 1000, replace=False))
autoencoder = LSTMAutoencoder(n_components=16, hidden_units=(32,), epochs=12, random_state=0, verbose=1).fit(
    windows[sample]
)
began = time.perf_counter()
Z = autoencoder.transform(windows)
print(f"{len(Z):,} windows embedded in {time.perf_counter() - began:.1f} seconds")

# %%
# How much does an index miss?
# ----------------------------
# The exact search compares with every vector. A graph of neighbours (HNSW) visits a few of them: the more it may visit,
# the more it finds. Two hundred windows are left out of the index to be its queries.
queries = rng.choice(len(Z), 200, replace=False)
stored = np.delete(Z, queries, axis=0)


def searched(name, search, expected=None):
    """Print the time of a search, and the share of the ten nearest that it finds."""
    search(Z[queries[:2]])
    began = time.perf_counter()
    rows = search(Z[queries])
    milliseconds = (time.perf_counter() - began) / len(queries) * 1000
    recall = 1.0 if expected is None else np.mean([np.isin(a, b).mean() for a, b in zip(expected, rows, strict=True)])
    print(f"{name:48s}{recall:10.3f}{milliseconds:14.3f}")
    return rows


print(f"{f'{len(stored):,} vectors of {Z.shape[1]} numbers':48s}{'recall@10':>10s}{'ms per query':>14s}")
brute = NearestNeighbors(n_neighbors=10, algorithm="brute").fit(stored)
expected = searched("NearestNeighbors, exact", lambda z: brute.kneighbors(z, return_distance=False))
tree = NearestNeighbors(n_neighbors=10, algorithm="kd_tree").fit(stored)
searched("NearestNeighbors, k-d tree, exact", lambda z: tree.kneighbors(z, return_distance=False), expected)
try:
    import faiss
except ImportError:
    print('the graph needs faiss: pip install "seqembed[neighbours]"')
else:
    graph = faiss.IndexHNSWFlat(Z.shape[1], 16)
    began = time.perf_counter()
    graph.add(stored)
    seconds = time.perf_counter() - began
    for visited in (16, 64, 256):
        graph.hnsw.efSearch = visited
        searched(f"faiss, HNSW, visits {visited}", lambda z: graph.search(z, 10)[1], expected)
    print(f"the graph was built in {seconds:.1f} seconds")

# %%
# Beside dynamic time warping
# ---------------------------
# Dynamic time warping (DTW) shifts and stretches one window in time until it fits the other best, here by up to a tenth
# of a second. It is the field's yardstick, and slow. For fifty queries we find its ten nearest of 2,000 windows, and
# look which of them are among the 10, and among the 50, nearest by other distances.


def warped_distances(query, windows, band):
    """DTW distances of one sequence to many of the same length, with steps of at most `band` (Sakoe and Chiba)."""
    n_windows, n_timesteps = windows.shape
    columns = np.ascontiguousarray(windows.T)
    # Row i, column j: the least sum of squares that aligns the first i values with the first j. The first are borders.
    above = np.full((n_timesteps + 1, n_windows), np.inf)
    above[0] = 0
    for i, value in enumerate(query):
        row = np.full_like(above, np.inf)
        for j in range(max(0, i - band), min(n_timesteps, i + band + 1)):
            row[j + 1] = (columns[j] - value) ** 2 + np.minimum(np.minimum(above[j], above[j + 1]), row[j])
        above = row
    return np.sqrt(above[-1])


flat = windows[:, :, 0]
chosen = rng.choice(len(flat), 2050, replace=False)
asked, others = chosen[:50], chosen[50:]
began = time.perf_counter()
warped = np.array([warped_distances(flat[row], flat[others], band=9) for row in asked])
milliseconds = (time.perf_counter() - began) / len(asked) * 1000
print(f"DTW takes {milliseconds:.1f} ms per query for 2,000 windows, {milliseconds * len(Z) / 2e3:,.0f} ms for all")
best = warped.argsort(axis=1)[:, :10]
vectors = {f"PCA-{n}": PCA(n).fit(flat[sample]).transform(flat) for n in (8, 16)}
vectors = {"raw values": flat, **vectors, "embedding": Z}
print(f"{'share of the ten nearest of DTW among the':48s}{'10 nearest':>12s}{'50 nearest':>12s}")
for name, V in vectors.items():
    index = NearestNeighbors(n_neighbors=50, algorithm="brute").fit(V[others])
    rows = index.kneighbors(V[asked], return_distance=False)
    shares = [np.mean([np.isin(b, r[:k]).mean() for b, r in zip(best, rows, strict=True)]) for k in (10, 50)]
    print(f"{name:48s}" + "".join(f"{share:12.3f}" for share in shares))

# %%
# The nearest vectors are a part of what DTW finds. Fewer numbers find more of it, since they leave out the details that
# warping leaves out. On this recording, eight principal components are best. So vectors can name candidates, and DTW
# sort them.
#
# An early beat, and the seconds like it
# --------------------------------------
# Neighbouring windows share almost all of their rows, so the nearest neighbours of a window are its own shifts. We go
# through the neighbours from the nearest to the farthest, and leave out each that overlaps with one before.


def apart(candidates, n_rows):
    """Leave out the windows that overlap with an earlier one of the list."""
    kept = []
    for start in candidates:
        if all(abs(start - other) >= n_rows for other in kept):
            kept.append(start)
    return kept


query = int(np.searchsorted(times, np.datetime64("2026-01-01T09:01:17.100")))
nearest = NearestNeighbors(n_neighbors=5000, algorithm="brute").fit(Z).kneighbors(Z[[query]], return_distance=False)
candidates = np.array(apart([query, *nearest[0]], SECOND)[1:])
found = candidates[warped_distances(flat[query], flat[candidates], band=9).argsort()[:5]]
print(f"like {times[query]}, of {len(candidates)} candidates, the first by DTW:")
print(", ".join(str(times[row])[11:] for row in found))

# %%
# A motif: the two seconds that are most alike
# --------------------------------------------
# We search the nearest neighbour of every window that does not overlap with it. A window every 25 milliseconds is
# enough. It overlaps with 39 on either side, so one of its 80 nearest, itself included, does not overlap. Where nothing
# happens, everything is alike. So we search a second time, among windows whose values range over a millivolt or more.
STEP = 9


def motif(rows):
    """Find the two windows that are nearest and do not overlap."""
    search = NearestNeighbors(n_neighbors=2 * SECOND // STEP, algorithm="brute").fit(Z[rows])
    distances, neighbours = search.kneighbors(Z[rows])
    distances[abs(rows[neighbours] - rows[:, np.newaxis]) < SECOND] = np.inf
    first, place = np.unravel_index(distances.argmin(), distances.shape)
    return sorted((rows[first], rows[neighbours[first, place]]))


coarse = starts[::STEP]
lively = coarse[np.ptp(flat[coarse], axis=1) > 1]
motifs = {"of all windows": motif(coarse), "of those over 1 mV": motif(lively)}
for name, pair in motifs.items():
    difference = np.sqrt(np.square(flat[pair[0]] - flat[pair[1]]).mean())
    print(f"most alike {name}: {times[pair[0]]} and {times[pair[1]]}, {difference:.2f} mV apart")
print(f"the median pair is {np.median(np.sqrt(np.square(flat[asked] - flat[others[:50]]).mean(axis=1))):.2f} mV apart")

# %%
# The first motif is a drift without beats: the electrode lost contact twice.
figure = plt.figure(figsize=(11, 8), layout="constrained")
panels = figure.subplot_mosaic([["query", *motifs], ["recording"] * 3], height_ratios=(1.8, 1))
seconds = np.arange(SECOND)[::4] / SECOND
for place, row in enumerate([query, *found]):
    color = "tab:blue" if place else "black"
    panels["query"].plot(seconds, flat[row] - flat[row].mean() - 2.5 * place, color=color)
    panels["query"].text(1.03, -2.5 * place, str(times[row])[14:], color=color, fontsize="small")
panels["query"].set(title="Query, and the most similar", yticks=[], xlim=(0, 1.35), xticks=(0, 0.5, 1))
for name, pair in motifs.items():
    for row, style in zip(pair, ("-", "--"), strict=True):
        panels[name].plot(seconds, flat[row], style, color="tab:red", label=str(times[row])[14:])
    panels[name].set(title=f"Most alike {name}", ylabel="millivolts")
    panels[name].margins(y=0.25)
    panels[name].legend(title="minute:second", fontsize="small", loc="upper center")
for name in ("query", *motifs):
    panels[name].set_xlabel("seconds from the start of the window")
clock = times[0] + (np.arange(len(recording.data)) * 1000 // SECOND).astype("m8[ms]")
panels["recording"].plot(clock, recording.data[:, 0], color="0.7", linewidth=0.3)
for rows, color, label in (
    ([query], "black", "query"),
    (found, "tab:blue", "most similar"),
    ([*motifs["of all windows"], *motifs["of those over 1 mV"]], "tab:red", "most alike"),
):
    panels["recording"].plot(times[rows], np.full(len(rows), 4.2), "v", color=color, label=label)
panels["recording"].set(ylabel="millivolts", xlim=(clock[0], clock[-1]), ylim=(-4, 5), title="Where they are")
panels["recording"].xaxis.set_major_formatter(DateFormatter("%H:%M:%S"))
panels["recording"].legend(loc="lower right", ncols=3)
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "similar_sequences.png", dpi=120)
print(f"figure written to {figures}/similar_sequences.png")
