"""LSTM autoencoders that turn sequences into vectors, with the interface of scikit-learn transformers.

They also turn the vectors back into sequences.
"""

from seqembed.estimators.alarms import alarm_rate
from seqembed.estimators.autoencoder import LSTMAutoencoder
from seqembed.estimators.detector import ReconstructionDetector
from seqembed.estimators.event_stream import EventStream
from seqembed.estimators.events import detect_events
from seqembed.estimators.onnx_converter import register_onnx_converter
from seqembed.estimators.reconstructor import LSTMReconstructor
from seqembed.estimators.saving import load
from seqembed.estimators.summary import SequenceSummary
from seqembed.files.safetensors_file import InvalidFileError
from seqembed.sequences.frames import frame_from_sequences, sequences_from_frame
from seqembed.sequences.merging import merge_windows
from seqembed.sequences.padding import sequences_from_padded
from seqembed.sequences.windows import sliding_windows, temporalize
from seqembed.version import __version__

__all__ = [
    "EventStream",
    "InvalidFileError",
    "LSTMAutoencoder",
    "LSTMReconstructor",
    "ReconstructionDetector",
    "SequenceSummary",
    "__version__",
    "alarm_rate",
    "detect_events",
    "frame_from_sequences",
    "load",
    "merge_windows",
    "register_onnx_converter",
    "sequences_from_frame",
    "sequences_from_padded",
    "sliding_windows",
    "temporalize",
]
