"""
How small can a heartbeat become, and how far off may it be?
============================================================

A recording of the heart takes four bytes a value. Most of them carry no information: the sensor has a limited
resolution, and a value can be predicted from the values before it. We compress the second half of five minutes with
several bounds on the error, and look at what each bound does to a beat. It needs
``pip install "seqembed[codec,plot]"``.
"""

# %%
# A bound on every value
# ----------------------
# A bound is a share of the range of the training part. The encoder decodes every value, and stores it exactly if its
# error would exceed the bound. With 0, all bits are restored.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from seqembed.codec import SequenceCodec
from seqembed.datasets import load_ecg

recording = load_ecg().data.reshape(-1, 1).astype(np.float32)
train, test = recording[: len(recording) // 2], recording[len(recording) // 2 :]
BOUNDS = (0, 0.003, 0.01, 0.1)
reports, decoded = {}, {}
for bound in BOUNDS:
    codec = SequenceCodec(max_relative_error=bound).fit([train])
    data = codec.encode([test])
    decoded[bound], reports[bound] = codec.decode(data)[0], codec.report([test])
    report = reports[bound]
    print(
        f"bound {100 * bound:4.1f} %: {len(data):6d} bytes for {test.nbytes}, {report['bits_per_value']:5.3f} bits a "
        f"value, largest error {report['largest_error']:.4f} mV, bound {codec.bound_[0]:.4f} mV"
    )

# %%
# What it looks like
# ------------------
# At 1 % of the range, the curve is a staircase that follows the recording closely. At 10 %, only the beats are left.
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
rows = slice(1000, 1500)
axes[0].plot(test[rows], color="0.7", linewidth=4, label="recorded")
for bound, style in ((0.01, "-"), (0.1, "--")):
    label = f"bound {bound:.0%}, {reports[bound]['bits_per_value']:.2f} bits a value"
    axes[0].plot(decoded[bound][rows], style, linewidth=1.2, label=label)
axes[0].set(title="A second and a half of the recording", xlabel="row", ylabel="millivolt")
axes[0].legend(fontsize=8)
lossy = [bound for bound in BOUNDS if bound]
axes[1].loglog([reports[bound]["bits_per_value"] for bound in lossy], [reports[bound]["rmse"] for bound in lossy], "o-")
for bound in lossy:
    place = reports[bound]["bits_per_value"], reports[bound]["rmse"]
    axes[1].annotate(f"{bound:.1%}", place, xytext=(6, 4), textcoords="offset points")
axes[1].set(title="Error by bits, for each bound", xlabel="bits a value", ylabel="root mean squared error (millivolt)")
ticks = (0.1, 0.3, 1, 3)
axes[1].set(xlim=(0.09, 6), xticks=ticks, xticklabels=map(str, ticks))
axes[1].minorticks_off()
Path("figures").mkdir(exist_ok=True)
figure.savefig("figures/compression.png", dpi=120)
