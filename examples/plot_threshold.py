"""
How many false alarms will I get?
=================================

People act on alarms, so they want to know how many of them are false. We ask for a share of normal sequences that may
be flagged, and count how many of 1,000 unseen normal ones are. With few sequences to learn from, the usual threshold
flags more than it should, and low shares are more than doubled. That of the detector flags fewer at low shares. One
count depends on chance, so we take the mean of eight.
"""

# %%
# Normal sequences, few to learn from and many to count on
# --------------------------------------------------------
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from seqembed import LSTMReconstructor, ReconstructionDetector

N_SEQUENCES, N_REPEATS = 60, 8
shares = np.array([0.2, 0.1, 0.05, 0.02])


def waves(n_samples, random):
    """Make noisy waves of random phase."""
    phases = random.uniform(0, 6, (n_samples, 1))
    return (np.sin(np.arange(20) / 3 + phases) + random.normal(0, 0.1, (n_samples, 20)))[:, :, np.newaxis]


# %%
# The usual threshold, and the detector's
# ---------------------------------------
# The errors of a network on the sequences that it was fitted on are too small, and so is a threshold that is computed
# from them. The detector takes the errors of networks that have not seen the sequences. `offset_` is its threshold for
# `contamination`; for other shares, it is a quantile of the held-out scores, without another fit.
usual, held_out = [], []
for repeat in range(N_REPEATS):
    random = np.random.default_rng(repeat)
    normal, unseen = waves(N_SEQUENCES, random), waves(1000, random)
    network = LSTMReconstructor(4, hidden_units=(8,), epochs=60, random_state=repeat).fit(normal)
    thresholds = np.quantile(network.reconstruction_error(normal), 1 - shares)
    usual.append((network.reconstruction_error(unseen) > thresholds[:, np.newaxis]).mean(axis=1))
    detector = ReconstructionDetector(network).fit(normal)
    thresholds = np.quantile(detector.heldout_scores_, shares, method="weibull")
    held_out.append((detector.score_samples(unseen) < thresholds[:, np.newaxis]).mean(axis=1))
usual, held_out = np.mean(usual, axis=0), np.mean(held_out, axis=0)
print("asked for  usual way  detector")
for share, of_usual, of_detector in zip(shares, usual, held_out, strict=True):
    print(f"{share:9.1%}{of_usual:11.1%}{of_detector:10.1%}")

# %%
# Why does the detector flag fewer at low shares?
# -----------------------------------------------
# A held-out score is that of a single network. An unseen sequence is scored by a middle one of five networks, and its
# error is seldom as large as the largest ones of single networks. More sequences help: try N_SEQUENCES = 300.
for share, of_detector in zip(shares, held_out, strict=True):
    print(f"asked for {share:.0%}: the detector flags {of_detector / share:.2f} times as many")

# %%
# How low can the share be?
# -------------------------
# The threshold lies between held-out errors as long as the share is at least 1 / (number of sequences + 1): a share of
# .001 takes 999 of them. Below that, the detector's threshold is an estimate of the tail.
print(f"{N_SEQUENCES} normal sequences: the lowest share that is not estimated is {1 / (N_SEQUENCES + 1):.1%}")

figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
axes.plot(shares, shares, color="0.6", linestyle="--", label="as asked")
axes.plot(shares, usual, "o-", color="tab:red", label="threshold from fitted sequences")
axes.plot(shares, held_out, "o-", color="tab:blue", label="detector")
axes.set(xscale="log", yscale="log", xlabel="share asked for", ylabel="share of unseen normal sequences flagged")
axes.set_xticks(shares, [f"{share:.0%}" for share in shares])
axes.minorticks_off()
axes.set_yticks(shares, [f"{share:.0%}" for share in shares])
axes.legend()
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "threshold.png", dpi=120)
print(f"figure written to {figures}/threshold.png")
