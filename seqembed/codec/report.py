"""What coding costs and saves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqembed.codec.bounded_coder import BoundedCoder
from seqembed.codec.bytes.container import block, locate_blocks
from seqembed.codec.methods.table import KINDS
from seqembed.codec.model.embedding_coder import EmbeddingCoder


def measure(
    coder: BoundedCoder | EmbeddingCoder, arrays: list[np.ndarray], data: bytes, decoded: Sequence[np.ndarray]
) -> dict[str, float]:
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

    Returns
    -------
    report : dict of str to float
        See `seqembed.codec.SequenceCodec.report`.

    Examples
    --------
    >>> from seqembed.codec import SequenceCodec
    >>> X = np.random.default_rng(0).normal(size=(30, 20, 1)).cumsum(axis=1)
    >>> codec = SequenceCodec(max_error=0.5).fit(X)
    >>> data = codec.encode(X)
    >>> measure(codec.coder_, list(X), data, codec.decode(data))["largest_error"] <= 0.5
    True
    """
    values, again = (np.concatenate([np.ravel(each) for each in some]) for some in (arrays, decoded))
    finite = np.isfinite(values)
    errors = np.abs(values[finite].astype(np.float64) - again[finite])
    n_bytes = sum(numbers.size * min(4, numbers.itemsize) for numbers in coder.numbers())
    report = {
        "bytes": float(len(data)),
        "bits_per_value": 8 * len(data) / values.size,
        "ratio": values.nbytes / len(data),
        "rmse": float(np.sqrt(np.square(errors).mean())) if len(errors) else 0.0,
        "largest_error": float(errors.max(initial=0.0)),
        "codec_bytes": float(n_bytes),
    }
    if isinstance(coder, BoundedCoder):
        saved = (coder.count_bytes_without_predictors(arrays) - len(data)) / values.size
        report["pays_back_after"] = n_bytes / saved if saved > 0 else np.inf
        kinds = [coder.kind(block(data, place)) for place in locate_blocks(data)]
        report |= {f"share_{kind}": kinds.count(kind) / len(kinds) for kind in KINDS}
    return report
