"""Files of other formats, known by their first bytes, and what reads them."""

from __future__ import annotations

_JOBLIB = "joblib.load(file) reads it. It runs code of the file: load only your own."
# First bytes, the format, and what to do.
_FORMATS = (
    *((b"\x80" + bytes([protocol]), "pickle or joblib", _JOBLIB) for protocol in range(2, 6)),
    *((b"x" + level, "joblib, compressed", _JOBLIB) for level in (b"\x01", b"\x5e", b"\x9c", b"\xda")),
    *(
        (
            start,
            f"compressed by {module}",
            f"If it holds a file that save wrote, pass {module}.open(file) in its place. If joblib wrote it, {_JOBLIB}",
        )
        for start, module in ((b"\x1f\x8b", "gzip"), (b"BZh", "bz2"), (b"\xfd7zXZ", "lzma"))
    ),
    (b"\x04\x22\x4d\x18", "joblib, compressed", _JOBLIB),
    (b"PK\x03\x04", "zip", "skops.io.load, keras.models.load_model or numpy.load reads it, whichever wrote it."),
    (b"\x89HDF\r\n", "HDF5", "keras.models.load_model or h5py.File reads it."),
    (b"\x93NUMPY", "NumPy", "numpy.load(file) reads it."),
    (
        b"\x08\x08\x12\x08seqe",
        "ONNX",
        "onnxruntime.InferenceSession(file) runs it. To load an estimator, save it with save.",
    ),
    (
        b"SEQC",
        "encoded sequences",
        "The codec that encoded them decodes them: SequenceCodec.load(its_file).decode(data).",
    ),
)


def other_format(start: bytes) -> tuple[str, str] | None:
    """Return the format of a file that seqembed did not save, and what to do with it.

    Parameters
    ----------
    start : bytes
        The first eight bytes.

    Returns
    -------
    found : tuple of str and str, or None
        None for an unknown format.

    Examples
    --------
    >>> import pickle
    >>> other_format(pickle.dumps([1])[:8])[0]
    'pickle or joblib'
    """
    for beginning, name, remedy in _FORMATS:
        if start.startswith(beginning):
            return name, remedy
    return None
