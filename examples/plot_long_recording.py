"""
Which minute of a long recording is unlike the others?
======================================================

Five minutes of an electrocardiogram have 108,000 rows. We cut the recording into windows, embed and reconstruct them,
and merge their errors into one curve. It shows how well each moment fits the rest.
"""

# %%
# Windows without a copy
# ----------------------
# A window is half a second long, and one starts every eighth of a second. The windows are a view, so the recording is
# in memory only once.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from seqembed import LSTMAutoencoder, merge_windows, sliding_windows
from seqembed.datasets import load_ecg

recording = load_ecg()
rate = int(recording.sampling_rate)
# Every fourth row: 90 a second show a heartbeat well enough.
ecg = recording.data[::4]
windows, starts, _ = sliding_windows(ecg, timesteps=45, stride=11)
print(f"{len(ecg)} rows, {len(windows)} windows of {windows.shape[1]} timesteps")

# %%
# Embed, reconstruct, merge
# -------------------------
autoencoder = LSTMAutoencoder(n_components=16, hidden_units=(64,), random_state=0, verbose=1).fit(windows)
print(f"embeddings: {autoencoder.transform(windows).shape}, R^2: {autoencoder.score(windows):.2f}")
reconstruction = merge_windows(autoencoder.reconstruct(windows), starts, n_rows=len(ecg))
error = merge_windows(autoencoder.reconstruction_error(windows, per="timestep"), starts, n_rows=len(ecg))

# %%
# Ten seconds around the worst moment
# -----------------------------------
worst = int(np.nanargmax(error))
print(f"the error is highest {worst * 4 / rate:.1f} seconds after the start")
shown = slice(max(0, worst - 450), worst + 450)
seconds = np.arange(len(ecg))[shown] * 4 / rate
figure, (upper, lower) = plt.subplots(2, 1, figsize=(11, 5), sharex=True, layout="constrained")
upper.plot(seconds, ecg[shown, 0], color="0.6", linewidth=2, label="recorded")
upper.plot(seconds, reconstruction[shown, 0], color="tab:blue", linewidth=1, label="reconstructed")
upper.set_ylabel("millivolts")
upper.legend(loc="upper right")
lower.plot(seconds, error[shown], color="tab:red")
lower.set(xlabel="seconds", ylabel="squared error, scaled")
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "long_recording.png", dpi=120)
print(f"figure written to {figures}/long_recording.png")
