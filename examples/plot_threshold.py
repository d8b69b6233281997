"""
How many false alarms will I get?
=================================

People act on alarms, so they want to know how many of them are false. We ask for a share of normal sequences that may
be flagged, and count how many of 2,000 unseen normal ones are.
"""

# %%
# Normal sequences, some to learn from and many to count on
# ---------------------------------------------------------
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from seqembed import LSTMReconstructor, ReconstructionDetector


def waves(n_samples, random):
    """Make noisy waves of random phase."""
    phases = random.uniform(0, 6, (n_samples, 1))
    return (np.sin(np.arange(20) / 3 + phases) + random.normal(0, 0.1, (n_samples, 20)))[:, :, np.newaxis]


random = np.random.default_rng(0)
normal, unseen = waves(500, random), waves(2000, random)

# %%
# The usual way: the errors of the sequences that the network was fitted on
# -------------------------------------------------------------------------
# A network knows the sequences that it was fitted on. Its errors on them are too small, and so is their threshold.
network = LSTMReconstructor(4, hidden_units=(8,), epochs=100, random_state=0)
shares = np.array([0.1, 0.05, 0.02, 0.01, 0.005])
fitted = network.fit(normal)
thresholds = np.quantile(fitted.reconstruction_error(normal), 1 - shares)
usual = [(fitted.reconstruction_error(unseen) > threshold).mean() for threshold in thresholds]

# %%
# The detector: errors of networks that have not seen the sequences
# -----------------------------------------------------------------
detectors = [ReconstructionDetector(network, contamination=share).fit(normal) for share in shares]
held_out = [(detector.predict(unseen) == -1).mean() for detector in detectors]
print("asked for  usual way  detector")
for share, of_usual, of_detector in zip(shares, usual, held_out, strict=True):
    print(f"{share:9.1%}{of_usual:11.1%}{of_detector:10.1%}")

# %%
# How low can the share be?
# -------------------------
# The threshold lies between held-out errors as long as contamination is at least 1 / (number of normal sequences + 1):
# a share of .001 takes 999 of them. Below that, it is an estimate of the tail.
print(f"{len(normal)} normal sequences: the lowest share that is not estimated is {1 / (len(normal) + 1):.2%}")

figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
axes.plot(shares, shares, color="0.6", linestyle="--", label="as asked")
axes.plot(shares, usual, "o-", color="tab:red", label="threshold from fitted sequences")
axes.plot(shares, held_out, "o-", color="tab:blue", label="detector")
axes.set(xscale="log", yscale="log", xlabel="share asked for", ylabel="share of unseen normal sequences flagged")
axes.legend()
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "threshold.png", dpi=120)
print(f"figure written to {figures}/threshold.png")
