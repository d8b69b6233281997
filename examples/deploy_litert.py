"""
An encoder on a phone or a board: LiteRT
========================================

LiteRT, formerly TensorFlow Lite, runs converted Keras models without TensorFlow. A converted LSTM layer needs a fixed
shape, so the encoder reads one sequence at a time. It needs ``pip install ai-edge-litert``.
"""

# %%
# Train, and build the encoder for one sequence
# ---------------------------------------------
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from seqembed import LSTMAutoencoder
from seqembed.datasets import load_basic_motions

training, unseen = load_basic_motions(split="train"), load_basic_motions(split="test")
autoencoder = LSTMAutoencoder(n_components=16, hidden_units=(32,), epochs=200, random_state=0).fit(training.data)
_, n_timesteps, n_features = training.data.shape
encoder = autoencoder.to_keras("encoder")
one_sequence = keras.Input(batch_shape=(1, n_timesteps, n_features))
of_one = keras.Model(one_sequence, encoder(one_sequence))
folder = Path(tempfile.mkdtemp())
(folder / "encoder.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(of_one).convert())
np.save(folder / "unseen.npy", unseen.data)
print(f"encoder.tflite {(folder / 'encoder.tflite').stat().st_size / 1000:.1f} kB")

# %%
# Run it in a process without TensorFlow
# --------------------------------------
CODE = """
import sys, time
import numpy as np
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1])
interpreter.allocate_tensors()
given, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
embedding, times = [], []
for sequence in np.load(sys.argv[2]):
    started = time.perf_counter()
    interpreter.set_tensor(given, sequence[np.newaxis])
    interpreter.invoke()
    embedding.append(interpreter.get_tensor(result)[0])
    times.append(time.perf_counter() - started)
np.save(sys.argv[3], embedding)
print(f"a recording takes {1000 * np.median(times):.2f} ms, TensorFlow in memory: {'tensorflow' in sys.modules}")
"""
arguments = [str(folder / name) for name in ("encoder.tflite", "unseen.npy", "embedding.npy")]
print(
    subprocess.run([sys.executable, "-c", CODE, *arguments], stdout=subprocess.PIPE, check=True).stdout.decode(), end=""
)
difference = np.load(folder / "embedding.npy") - autoencoder.transform(unseen.data)
print(f"largest difference from transform {np.abs(difference).max():.1e}")
