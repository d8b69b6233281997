"""LSTM autoencoders that turn sequences into vectors, with the interface of scikit-learn transformers.

They also turn the vectors back into sequences.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from seqembed.estimators.alarms import AlarmRate, alarm_rate
from seqembed.estimators.autoencoder import LSTMAutoencoder
from seqembed.estimators.detector import ReconstructionDetector
from seqembed.estimators.event_stream import EventStream
from seqembed.estimators.events import Events, detect_events
from seqembed.estimators.onnx_converter import register_onnx_converter
from seqembed.estimators.reconstructor import LSTMReconstructor
from seqembed.estimators.saving import load
from seqembed.estimators.summary import SequenceSummary
from seqembed.files.safetensors_file import InvalidFileError
from seqembed.sequences.frames import FrameSequences, frame_from_sequences, sequences_from_frame
from seqembed.sequences.merging import merge_windows
from seqembed.sequences.padding import sequences_from_padded
from seqembed.sequences.windows import Windows, sliding_windows, temporalize
from seqembed.version import __version__

__all__ = [
    "AlarmRate",
    "EventStream",
    "Events",
    "FrameSequences",
    "InvalidFileError",
    "LSTMAutoencoder",
    "LSTMReconstructor",
    "ReconstructionDetector",
    "SequenceSummary",
    "Windows",
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

if TYPE_CHECKING:
    from seqembed import codec as codec
    from seqembed import datasets as datasets
    from seqembed import inspection as inspection
    from seqembed import plotting as plotting

# Imported when they are first read, as scikit-learn's are: `import seqembed` stays as fast as it was.
_SUBMODULES = ("codec", "datasets", "inspection", "plotting")

# Not for type checkers, which would take a misspelt name for a module.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> ModuleType:
        if name not in _SUBMODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        # Not by a statement, which would ask for the attribute of a module that others are importing, without an end.
        return importlib.import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES})
