"""What coding costs and saves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqembed.codec.bounded_coder import BoundedCoder
from seqembed.codec.bytes.container import block, locate_blocks
from seqembed.codec.methods.table import KINDS
from seqembed.codec.model.embedding_coder import EmbeddingCoder


def measure(
    coder: BoundedCoder | EmbeddingCoder,
    arrays: list[np.ndarray],
    data: bytes,
    decoded: Sequence[np.ndarray],
    codec_bytes: int,
) -> dict[str, Any]:
    """Measure the size and the error of coded sequences.

    Parameters
    ----------
    coder : BoundedCoder or EmbeddingCoder
        What the codec has learned.
    arrays : list of arrays of shape (n_timesteps, n_features)
        The sequences.
    data : bytes
        Into which they were encoded.
    decoded : sequence of arrays, or array
        What was decoded from `data`.
    codec_bytes : int
        Bytes of what decoding needs beside `data`.

    Returns
    -------
    report : dict
        See `seqembed.codec.SequenceCodec.report`.

    Examples
    --------
    >>> from seqembed.codec import SequenceCodec
    >>> X = np.random.default_rng(0).normal(size=(30, 20, 1)).cumsum(axis=1)
    >>> codec = SequenceCodec(max_error=0.5).fit(X)
    >>> data = codec.encode(X)
    >>> measure(codec.coder_, list(X), data, codec.decode(data), 1000)["largest_error"] <= 0.5
    True
    """
    n_features = arrays[0].shape[1]
    values, again = (
        np.concatenate([np.reshape(each, (-1, n_features)) for each in some if np.size(each)])
        for some in (arrays, decoded)
    )
    finite = np.isfinite(values)
    errors = np.zeros(values.shape)
    errors[finite] = np.abs(values[finite].astype(np.float64) - again[finite])
    squares, counts = np.square(errors).sum(axis=0), finite.sum(axis=0)
    report = {
        "bytes": float(len(data)),
        "bits_per_value": 8 * len(data) / values.size,
        "ratio": values.nbytes / len(data),
        "rmse": float(np.sqrt(squares.sum() / max(1, counts.sum()))),
        "rmse_by_feature": np.sqrt(squares / np.maximum(1, counts)),
        "largest_error": float(errors.max()),
        "largest_error_by_feature": errors.max(axis=0),
        "codec_bytes": float(codec_bytes),
    }
    if isinstance(coder, BoundedCoder):
        saved = (coder.count_bytes_without_predictors(arrays) - len(data)) / values.size
        report["pays_back_after"] = codec_bytes / saved if saved > 0 else np.inf
        report["pays_back_after_bytes"] = values.itemsize * report["pays_back_after"]
        kinds = [coder.kind(block(data, place)) for place in locate_blocks(data)]
        report |= {f"share_{kind}": kinds.count(kind) / len(kinds) for kind in KINDS}
    return report
