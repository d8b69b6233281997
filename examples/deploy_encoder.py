"""
From a fit to a file that a small machine runs
==============================================

A long fit imports TensorFlow. A fitted encoder needs none, and is a file of about a hundred kilobytes. We train one,
write it in two formats, and run each in a fresh process: seqembed in NumPy, and ONNX Runtime without seqembed. It
needs ``pip install "seqembed[onnx]"``.
"""

# %%
# Train and save
# --------------
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from seqembed import LSTMAutoencoder
from seqembed.datasets import load_basic_motions

training, unseen = load_basic_motions(split="train"), load_basic_motions(split="test")
autoencoder = LSTMAutoencoder(n_components=16, hidden_units=(32,), epochs=200, random_state=0).fit(training.data)
folder = Path(tempfile.mkdtemp())
autoencoder.save(folder / "model.seqembed")
autoencoder.export_onnx(folder / "encoder.onnx", "encoder")
np.save(folder / "unseen.npy", unseen.data)
for path in sorted(folder.iterdir())[:2]:
    print(f"{path.name:16s}{path.stat().st_size / 1000:8.1f} kB")

# %%
# Load and embed, each in a process of its own
# --------------------------------------------
# The milliseconds are medians of 30 calls: all 40 recordings at once, then one recording.
MEASURE = """
import sys, time
import numpy as np
X = np.load(sys.argv[2])
def milliseconds(X):
    times = []
    for _ in range(30):
        started = time.perf_counter()
        Z = embed(X)
        times.append(time.perf_counter() - started)
    return 1000 * np.median(times), Z
one, _ = milliseconds(X[:1])
all_of_them, Z = milliseconds(X)
np.save(sys.argv[3], Z)
print(f"loading {loading:6.3f} s, {len(X)} recordings {all_of_them:6.2f} ms, one {one:5.2f} ms, "
      f"TensorFlow in memory: {'tensorflow' in sys.modules}")
"""
RUNTIMES = {
    "seqembed": """
import sys, time
import seqembed
started = time.perf_counter()
embed = seqembed.load(sys.argv[1]).transform
loading = time.perf_counter() - started
""",
    "ONNX Runtime": """
import sys, time
import onnxruntime
started = time.perf_counter()
session = onnxruntime.InferenceSession(sys.argv[1])
embed = lambda X: session.run(["Z"], {"X": X})[0]
loading = time.perf_counter() - started
""",
}
embeddings = {}
for (name, code), file in zip(RUNTIMES.items(), ("model.seqembed", "encoder.onnx"), strict=True):
    arguments = [str(folder / file), str(folder / "unseen.npy"), str(folder / "embedding.npy")]
    process = subprocess.run([sys.executable, "-c", code + MEASURE, *arguments], stdout=subprocess.PIPE, check=True)
    embeddings[name] = np.load(folder / "embedding.npy")
    print(f"{name:14s}{process.stdout.decode()}", end="")

# %%
# The same vectors
# ----------------
expected = autoencoder.transform(unseen.data)
for name, embedding in embeddings.items():
    print(f"{name:14s}largest difference from transform {np.abs(embedding - expected).max():.1e}")
classifier = LogisticRegression(max_iter=1000).fit(autoencoder.transform(training.data), training.target)
print(f"accuracy on these vectors {classifier.score(embeddings['ONNX Runtime'], unseen.target):.3f}")
