"""
Something is odd about this recording: when, and in which sensor?
=================================================================

A detector that only raises an alarm leaves you with all the work. This one also shows which timesteps and which
features made a sequence stand out.
"""

# %%
# Normal recordings, and one with a fault
# ---------------------------------------
# Standing and walking recordings of BasicMotions are normal here. In one unseen recording we let a sensor stick: for
# a second and a half the gyroscope's y axis repeats a single value, three times its largest.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import binom

from seqembed import LSTMReconstructor, ReconstructionDetector
from seqembed.datasets import load_basic_motions

motions = load_basic_motions()
calm = np.isin(motions.target, [2, 3])
normal, unseen = motions.data[:40][calm[:40]], motions.data[40:][calm[40:]]
# The detector fits each network on all blocks of recordings but one. The recordings are sorted by activity. They are
# shuffled so that each network sees both activities.
normal = np.random.default_rng(0).permutation(normal)
walker = (motions.target[40:][calm[40:]] == 3).argmax()
faulty = unseen[[walker]]
faulty[0, 50:65, 4] = faulty[0, :, 4].max() * 3

# %%
# Fit on normal recordings, then ask
# ----------------------------------
network = LSTMReconstructor(16, hidden_units=(32,), epochs=150, random_state=0)
# Twenty recordings are few. With a share of .05, the threshold would be the largest of their errors. With ten blocks in
# place of five, each network sees eighteen of them.
detector = ReconstructionDetector(network, contamination=0.1, cv=10).fit(normal)
flagged = (detector.predict(unseen) == -1).sum()
# The detector promises a share of .1 on average. Of twenty recordings, the number that are flagged varies by chance.
chance = binom.sf(flagged - 1, len(unseen), 0.1)
print(f"unseen normal recordings flagged: {flagged} of {len(unseen)}, 2 are expected; as many by chance: {chance:.0%}")
print(f"faulty recording: decision {detector.decision_function(faulty)[0]:.2f}, negative means rare")
shares = detector.explain(faulty)
print(f"feature that stands out: {motions.feature_names[shares.feature[0].argmax()]}")
worst = np.sort(shares.timestep[0].argsort()[-15:])
print(f"the 15 timesteps that stand out most lie between {worst[0]} and {worst[-1]}; the fault lies between 50 and 64")

# %%
# The explanation as a picture
# ----------------------------
figure, panels = plt.subplots(2, 1, figsize=(9, 6), sharex=True, layout="constrained", height_ratios=[1, 1.2])
panels[0].plot(faulty[0, :, 4], color="tab:red", label="with the fault")
panels[0].plot(unseen[walker, :, 4], color="0.5", label="as recorded")
panels[0].set_ylabel(motions.feature_names[4])
panels[0].legend()
panels[0].set_title("A sensor sticks: the recording, and the parts of its score by timestep and feature")
image = panels[1].imshow(shares.value[0].T, aspect="auto", cmap="Reds", interpolation="nearest")
panels[1].set_yticks(range(6), motions.feature_names)
panels[1].set_xlabel("timestep")
figure.colorbar(image, ax=panels[1], label="part of the score")
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "novelty_by_feature.png", dpi=120)
print(f"figure written to {figures}/novelty_by_feature.png")
