"""The codec: sequences as bytes, with a bound on every error, or at a number of bits."""

from __future__ import annotations

import copy
import io
import os
from collections.abc import Iterator
from numbers import Real
from typing import Any, BinaryIO, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from seqembed.codec.bounded_coder import BoundedCoder, learn_bounded_coder
from seqembed.codec.bounds import feature_bounds, in_order_of
from seqembed.codec.bytes.container import (
    Header,
    Layout,
    block,
    locate_blocks,
    pack,
    read_one,
    unpack_header,
)
from seqembed.codec.bytes.damage import InvalidStreamError
from seqembed.codec.codec_file import describe, fingerprint, restored
from seqembed.codec.inputs import check_overlap, common_dtype, count_timesteps, cut_into_blocks, read_input
from seqembed.codec.model.embedding_coder import EmbeddingCoder, learn_embedding_coder
from seqembed.codec.report import measure
from seqembed.files.atomic import Writable, write
from seqembed.files.safetensors_file import InvalidFileError, Readable
from seqembed.files.safetensors_file import pack as pack_file
from seqembed.files.safetensors_file import unpack as unpack_file
from seqembed.fitted_attributes import replace_attributes
from seqembed.inference.model import TrainedModel
from seqembed.sequences.collection import Sequences
from seqembed.sequences.columns import check_names
from seqembed.sequences.containers import SequencesLike
from seqembed.sequences.hints import recording_hints
from seqembed.sequences.wording import counted
from seqembed.sklearn_private import HasMethods, Interval, fit_context
from seqembed.user_warning import warn_user

# Parameters that a file holds.
_SAVED_PARAMETERS = ("max_error", "max_relative_error", "bits")


class SequenceCodec(BaseEstimator):
    """Compress sequences, so that no value is decoded with a larger error than a bound.

    `fit` learns from typical sequences the quantisation step of each feature (a sensor that reads 0.1, 0.2 has step
    0.1), a predictor of each value from the timesteps before it, and the distribution of its errors. Residual
    probabilities come from tables indexed by the recent residual size, or from a small network that sees more context.
    Training the network takes most of the time of `fit`. It is kept if it saves at least 3 % of the bits.

    `encode` predicts each value, rounds the residual as far as the bound allows, and codes it by its probability. A
    block is compressed by xz or pcodec instead if they need fewer bytes. The encoder also decodes every value: values
    that miss the bound, and values that are not finite, are stored as they are.

    With `bits` there is no bound. The codec then codes the embedding of each sequence, rotated to its principal axes,
    with one quantisation step for all axes. `decode` returns the reconstruction by the network.

    Parameters
    ----------
    estimator : LSTMAutoencoder or None, default=None
        A fitted one. `bits` needs it. With a bound, its embeddings are tried as a further help to predictions. They pay
        where few numbers describe a window of many values. Fit it with ``context_size=0, readout_weight=0`` for a
        bound, and with ``context_size=0, shortcut_size=0`` for `bits`: what an embedding holds beside the
        reconstruction costs bits.
    max_error : float or array-like of shape (n_features,), default=None
        Largest error of a decoded value, in the units of the data; a Series with the names of columns is put in their
        order. 0 is lossless, to the bit. If values are multiples of 0.1, pass 0.301 rather than 0.3: floats are
        rounded, and those three steps apart may differ by a little more. One of `max_error`, `max_relative_error` and
        `bits` is given.
    max_relative_error : float or array-like of shape (n_features,), default=None
        Largest error of a decoded value, as a share of the range of its feature in the training sequences: .01 is 1 %.
    bits : float, default=None
        Mean number of bits of a sequence, without a bound on its error.

    Attributes
    ----------
    bound_ : float64 array of shape (n_features,)
        Largest error of each feature, in its units. Not with `bits`.
    coder_ : seqembed.codec.bounded_coder.BoundedCoder or seqembed.codec.model.embedding_coder.EmbeddingCoder
        The learned numbers.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of str
        Names of the columns of data frames. Frames with other columns, or in another order, are refused.

    Notes
    -----
    A data frame is a single recording: its rows are timesteps, and its columns are features, each with a bound of its
    own. (`LSTMAutoencoder` reads the rows of a frame as sequences. Columns of different units would then share one
    bound. For such sequences, pass ``frame.to_numpy()``.) An array is decoded: ``pandas.DataFrame(codec.decode(data),
    columns=codec.feature_names_in_)`` is a frame again.

    The codec is needed to decode: keep it beside the bytes, see `save`. `report` has its size. Windows that overlap
    should be coded as the recording that they come from.

    References
    ----------
    G. N. N. Martin, "Range encoding: an algorithm for removing redundancy from a digitised message" (1979).
    R. Bamler, "Understanding entropy coding with asymmetric numeral systems (ANS)" (2022), for the library
    constriction.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.codec import SequenceCodec
    >>> from seqembed.datasets import load_italy_power
    >>> X = load_italy_power().data
    >>> codec = SequenceCodec(max_relative_error=0.05).fit(X[:100])
    >>> data = codec.encode(X[100:])
    >>> decoded = codec.decode(data)
    >>> bool(np.abs(decoded - X[100:]).max() <= codec.bound_[0]), len(data) < X[100:].nbytes / 20
    (True, True)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [HasMethods(["transform", "inverse_transform"]), None],
        # `feature_bounds` checks the bounds: its message has the line that mends them.
        "max_error": "no_validation",
        "max_relative_error": "no_validation",
        "bits": [Interval(Real, 0, None, closed="neither"), None],
    }

    coder_: BoundedCoder | EmbeddingCoder
    n_features_in_: int
    _fingerprint: bytes

    def __init__(
        self,
        estimator: Any = None,
        *,
        max_error: npt.ArrayLike | None = None,
        max_relative_error: npt.ArrayLike | None = None,
        bits: float | None = None,
    ) -> None:
        self.estimator = estimator
        self.max_error = max_error
        self.max_relative_error = max_relative_error
        self.bits = bits

    # The estimator is fitted already.
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: SequencesLike, y: object = None) -> Self:
        """Learn from typical sequences.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences of any real dtype. Values that are not finite are left out. A data frame is one recording.
        y : object, default=None
            Ignored.

        Returns
        -------
        self : object
            The fitted codec.

        Raises
        ------
        ValueError
            For a bound that is no number, negative or not finite, for none or several of `max_error`,
            `max_relative_error` and `bits`, for `bits` without `estimator`, for an estimator of other features, for
            windows that overlap, for truth values, and for no value at all.

        Warns
        -----
        UserWarning
            When an array of two dimensions seems to be a single recording: its rows are read as sequences.
        """
        self._check_parameters()
        trained = self._copied_model()
        sequences, _ = read_input(X)
        arrays, n_features = list(sequences.values), sequences.n_features
        if n_features == 0 or not sequences.lengths.sum():
            raise ValueError("Got no value, expected sequences to learn from.")
        if trained is not None and trained.layout.n_features != n_features:
            raise ValueError(
                f"Got sequences of {counted(n_features, 'feature')}, but the estimator was fitted on "
                f"{trained.layout.n_features}. Pass sequences as the estimator reads them: a data frame is one "
                f"recording here, and frame.to_numpy() holds a sequence in each row."
            )
        if trained is not None:
            check_names(self.estimator, sequences.names)
        check_overlap(arrays)
        _warn_of_recording(sequences)
        coder: BoundedCoder | EmbeddingCoder
        if self.bits is not None and trained is not None:
            coder = learn_embedding_coder(trained, arrays, float(self.bits))
        else:
            given = (in_order_of(sequences.names, each) for each in (self.max_error, self.max_relative_error))
            bound = feature_bounds(arrays, *given)
            coder = learn_bounded_coder(arrays, bound, trained)
        parameters = {name: _listed(getattr(self, name)) for name in _SAVED_PARAMETERS}
        fitted = _fitted_attributes(coder, n_features, sequences.names, parameters)
        replace_attributes(self, fitted, removed=("bound_", "feature_names_in_"))
        return self

    def encode(self, X: SequencesLike) -> bytes:
        """Compress sequences.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences of the fitted features; any number of any lengths, NaN and infinity included. With `bits`, each
            has a value, and none is infinite. A data frame is one recording.

        Returns
        -------
        data : bytes
            What `decode` reads. With a bound, every machine decodes the same values from them.

        Raises
        ------
        ValueError
            For other features, for columns with other names or in another order, for windows that overlap, and, with
            `bits`, for infinity and for a sequence without any value.
        """
        check_is_fitted(self)
        sequences, layout = read_input(X)
        arrays = list(sequences.values)
        if arrays:
            check_names(self, sequences.names)
        if sequences.n_features not in (0, self.n_features_in_):
            raise ValueError(
                f"Got sequences of {counted(sequences.n_features, 'feature')}, but SequenceCodec was fitted on "
                f"{self.n_features_in_}. {self._remedy_of_features(sequences)}"
            )
        check_overlap(arrays)
        _warn_of_recording(sequences)
        dtype = common_dtype(sequences)
        blocks = [
            self.coder_.encode([sequence.astype(dtype, copy=False) for sequence in part])
            for part in cut_into_blocks(arrays)
        ]
        n_timesteps = count_timesteps(sequences, layout)
        header = Header(layout, dtype, self._fingerprint, self.n_features_in_, n_timesteps, len(blocks))
        return pack(header, blocks)

    def decode(self, data: bytes) -> Any:
        """Decompress sequences.

        Parameters
        ----------
        data : bytes
            What `encode` returned.

        Returns
        -------
        X : array or list of arrays
            In the layout and dtype that was encoded. A list of several dtypes comes back in one that holds all values.

        Raises
        ------
        seqembed.codec.InvalidStreamError
            A `ValueError`, for damaged bytes, and for those of another codec. A damaged block is named; `decode_block`
            reads the others.
        """
        check_is_fitted(self)
        header = self._checked_header(data)
        sequences = []
        for number, place in enumerate(locate_blocks(data)):
            sequences += self.coder_.decode(block(data, place, number), header.dtype)
        if header.layout is Layout.LIST:
            return sequences
        if header.layout is Layout.UNIVARIATE_LIST:
            return [sequence[:, 0] for sequence in sequences]
        if any(len(sequence) != header.n_timesteps for sequence in sequences):
            raise InvalidStreamError(f"Got sequences of other lengths than {header.n_timesteps}, that of the array.")
        stacked = np.empty((len(sequences), header.n_timesteps, self.n_features_in_), header.dtype)
        for row, sequence in zip(stacked, sequences, strict=True):
            row[:] = sequence
        if header.layout is Layout.ARRAY:
            return stacked
        if header.layout is Layout.UNIVARIATE_ARRAY:
            return stacked[:, :, 0]
        if len(stacked) != 1:
            raise InvalidStreamError(f"Got {len(stacked)} recordings, expected one.")
        return stacked[0]

    def decode_block(self, data: bytes, number: int) -> list[np.ndarray]:
        """Decompress one block, without reading the others.

        Parameters
        ----------
        data : bytes
            What `encode` returned.
        number : int
            Of the block, from 0.

        Returns
        -------
        sequences : list of arrays of shape (n_timesteps, n_features)
            Those of the block.

        Raises
        ------
        seqembed.codec.InvalidStreamError
            See `decode`.
        """
        check_is_fitted(self)
        header = self._checked_header(data)
        if not isinstance(number, int | np.integer):
            raise TypeError(f"Got number={number!r}, expected that of a block, an integer such as 0.")
        if not 0 <= number < header.n_blocks:
            last = header.n_blocks - 1
            numbers = f"one from 0 to {last}" if header.n_blocks else "none, since no sequence was encoded"
            raise ValueError(f"Got block {number}, expected {numbers}.")
        # Of bytes that were cut off, the blocks before the end can be read.
        place = locate_blocks(data, end=number + 1)[number]
        return self.coder_.decode(block(data, place, number), header.dtype)

    def decode_batches(self, file: BinaryIO) -> Iterator[Any]:
        """Decompress what several calls of `encode` have written into a file, one after the other.

        Parameters
        ----------
        file : binary file object
            Such as ``open(path, "rb")``. One batch is in memory at a time.

        Yields
        ------
        X : array or list of arrays
            Each batch as it was encoded.

        Raises
        ------
        seqembed.codec.InvalidStreamError
            See `decode`; when the damaged batch is reached. If it is damaged within a block, another call goes on with
            the batch after it.
        TypeError
            For a path, or bytes, in place of a file object.

        Examples
        --------
        >>> import io
        >>> import numpy as np
        >>> X = np.random.default_rng(0).normal(size=(30, 20, 2)).cumsum(axis=1)
        >>> codec, file = SequenceCodec(max_relative_error=0.01).fit(X), io.BytesIO()
        >>> for batch in (X[:10], X[10:]):
        ...     _ = file.write(codec.encode(batch))
        >>> _ = file.seek(0)
        >>> [decoded.shape for decoded in codec.decode_batches(file)]
        [(10, 20, 2), (20, 20, 2)]
        """
        check_is_fitted(self)
        if not hasattr(file, "read"):
            raise TypeError(
                f"Got file= of type {type(file).__name__}, expected a binary file object. Pass open(path, 'rb'), or "
                f"io.BytesIO(data) for bytes."
            )
        while data := read_one(file):
            yield self.decode(data)

    def report(self, X: SequencesLike) -> dict[str, Any]:
        """Encode and decode sequences, and measure size and error.

        Parameters
        ----------
        X : array-like or list of arrays
            See `encode`.

        Returns
        -------
        report : dict of str to float, or to array of shape (n_features,)
            - "bytes", "bits_per_value", "ratio" to the bytes of `X`.
            - "rmse_by_feature" and "largest_error_by_feature": arrays, over finite values, each feature in its units.
              "rmse" and "largest_error" are over the values of all features: with features of several units, they say
              little.
            - "codec_bytes", the size of the file that `save` writes. With `bits` that of the network, which the file
              does not hold, is added.
            - With a bound "pays_back_after", the number of values after which the codec has saved as many bytes as its
              file has, beside xz of the rounded values, and xz and pcodec of the values as they are, whichever is
              smallest; infinity if never. "pays_back_after_bytes" is the number of bytes that so many values have in
              `X`.
            - With a bound the shares of blocks that are coded as they are, as bins by xz, as predicted, and as
              predicted with the help of embeddings: "share_raw", "share_bins", "share_predicted",
              "share_reconstructed".

        Examples
        --------
        >>> import numpy as np
        >>> X = np.random.default_rng(0).normal(size=(30, 20, 2)).cumsum(axis=1)
        >>> codec = SequenceCodec(max_error=[0.5, 0.1]).fit(X)
        >>> bool((codec.report(X)["largest_error_by_feature"] <= codec.bound_).all())
        True
        """
        arrays = list(read_input(X)[0].values)
        if not sum(array.size for array in arrays):
            raise ValueError("Got no value, expected sequences to report on.")
        data = self.encode(X)
        decoded = self.decode(data)
        file = io.BytesIO()
        self.save(file)
        n_bytes = len(file.getvalue())
        if isinstance(self.coder_, EmbeddingCoder):
            n_bytes += self.coder_.count_network_bytes()
        return measure(self.coder_, arrays, data, decoded, n_bytes)

    def save(self, file: Writable) -> None:
        """Write what was learned into one file, from which `load` makes an equal codec.

        The file is a safetensors file, as those of the estimators: reading it runs no code. Later versions of seqembed
        read it, and decode what this codec encodes.

        Parameters
        ----------
        file : str, path-like or binary file object
            Where to write. A file of that name is replaced, and never half written, where its folder allows it.

        Examples
        --------
        >>> import io
        >>> import numpy as np
        >>> X = np.random.default_rng(0).normal(size=(30, 20, 2)).cumsum(axis=1)
        >>> codec, file = SequenceCodec(max_relative_error=0.01).fit(X), io.BytesIO()
        >>> codec.save(file)
        >>> bool((SequenceCodec.load(file.getvalue()).decode(codec.encode(X)) == codec.decode(codec.encode(X))).all())
        True
        """
        check_is_fitted(self)
        description, arrays = describe(self.coder_)
        names = getattr(self, "feature_names_in_", None)
        description |= {
            "class": type(self).__name__,
            # Not those that were set after the fit.
            "parameters": self._fitted_parameters,
            "n_features": self.n_features_in_,
            "feature_names": None if names is None else names.tolist(),
            "fingerprint": self._fingerprint.hex(),
        }
        write(pack_file(description, arrays), file)

    @classmethod
    def load(cls, file: Readable, estimator: Any = None) -> Self:
        """Read a codec that `save` has written.

        Parameters
        ----------
        file : str, path-like, bytes or binary file object
            What `save` wrote.
        estimator : LSTMAutoencoder or None, default=None
            The one that the codec was fitted with. Its file holds none. With `bits`, nothing works without it; with a
            bound, encoding does without embeddings.

        Returns
        -------
        codec : SequenceCodec
            Fitted.

        Raises
        ------
        seqembed.InvalidFileError
            A `ValueError`, for anything else, and with `bits` for another estimator.
        """
        description, arrays = unpack_file(file)
        needed = {"class", "parameters", "n_features", "feature_names", "fingerprint"}
        if "attributes" in description:
            raise InvalidFileError(
                f"Got the file of {str(description.get('class'))[:40]!r}, expected that of a codec. Pass it to "
                f"seqembed.load(file)."
            )
        if "checkpoint" in description:
            raise InvalidFileError(
                "Got the checkpoint of a fit that has not ended, expected the file of a codec. Pass it to that "
                "fit again, which goes on from it: estimator.fit(X, checkpoint=file)."
            )
        is_codec = description.get("class") == cls.__name__ and needed <= set(description)
        if not is_codec or not isinstance(description["parameters"], dict):
            raise InvalidFileError("Got a file that holds no codec: SequenceCodec.save did not write it.")
        names, n_features = description["feature_names"], description["n_features"]
        if names is not None and (not isinstance(names, list) or len(names) != n_features):
            raise InvalidFileError("Got a file without a name for each feature.")
        parameters = {name: description["parameters"].get(name) for name in _SAVED_PARAMETERS}
        codec = cls(estimator, **parameters)
        coder = restored(description, arrays, codec._copied_model())
        replace_attributes(codec, _fitted_attributes(coder, n_features, names, parameters))
        if codec._fingerprint.hex() != description["fingerprint"]:
            raise InvalidFileError("Got another estimator than the codec was fitted with, or a file that was changed.")
        return codec

    def _check_parameters(self) -> None:
        """Refuse parameters that do not go together."""
        given = {"max_error": self.max_error, "max_relative_error": self.max_relative_error, "bits": self.bits}
        if sum(each is not None for each in given.values()) != 1:
            raise ValueError(
                f"Got {', '.join(f'{name}={each}' for name, each in given.items())}, expected one of them: "
                f"SequenceCodec(max_error=0.5) keeps a bound in the units of the data, "
                f"SequenceCodec(max_relative_error=0.01) a share of each feature's range, and "
                f"SequenceCodec(autoencoder, bits=64) a number of bits."
            )
        if self.bits is not None and self.estimator is None:
            raise ValueError("Got bits= without estimator=, expected both: SequenceCodec(autoencoder, bits=64).")

    def _copied_model(self) -> TrainedModel | None:
        """Return a copy of the estimator's model, if there is an estimator."""
        if self.estimator is None:
            return None
        if isinstance(self.estimator, str | os.PathLike):
            raise TypeError(
                f"Got estimator={str(self.estimator)!r}, expected a fitted LSTMAutoencoder. Pass "
                f"seqembed.load({str(self.estimator)!r})."
            )
        # `clone`, as in a grid search, takes the fit away from the estimator too.
        check_is_fitted(
            self.estimator,
            msg="Got an estimator= that is not fitted, expected a fitted LSTMAutoencoder: fit it. To keep its fit "
            "when the codec is cloned, pass sklearn.frozen.FrozenEstimator(autoencoder).",
        )
        model = getattr(self.estimator, "model_", None)
        if not isinstance(model, TrainedModel) or not model.network.bottleneck:
            raise ValueError(f"Got estimator={self.estimator}, expected a fitted LSTMAutoencoder.")
        # The user may write into the weights of the estimator, which must not change what old bytes mean.
        return copy.deepcopy(model)

    def _remedy_of_features(self, sequences: Sequences) -> str:
        if sequences.ndim == 2 and set(sequences.lengths.tolist()) == {self.n_features_in_}:
            return "Each row of X is read as a sequence of one feature. Pass [X] if X is one recording."
        return "Pass sequences of the same features."

    def _checked_header(self, data: bytes) -> Header:
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(
                f"Got data of type {type(data).__name__}, expected the bytes that encode returned. Pass "
                f"open(path, 'rb').read() for a file."
            )
        header = unpack_header(data)
        if header.fingerprint != self._fingerprint or header.n_features != self.n_features_in_:
            raise InvalidStreamError("Got bytes of another codec, or of this one before it was fitted again.")
        return header


def _warn_of_recording(sequences: Sequences) -> None:
    for hint in recording_hints(sequences, "pass [X]: a list of one recording"):
        warn_user(hint)


def _fitted_attributes(
    coder: BoundedCoder | EmbeddingCoder,
    n_features: int,
    names: list[str] | tuple[str, ...] | None,
    parameters: dict[str, Any],
) -> dict[str, Any]:
    """Return the attributes of a fitted codec by name."""
    attributes: dict[str, Any] = {
        "coder_": coder,
        "n_features_in_": n_features,
        "_fingerprint": fingerprint(coder),
        "_fitted_parameters": parameters,
    }
    if isinstance(coder, BoundedCoder):
        attributes["bound_"] = coder.lattice.bound
    if names is not None:
        attributes["feature_names_in_"] = np.array(names, object)
    return attributes


def _listed(number: npt.ArrayLike | None) -> Any:
    """Return a bound, or a number of bits, as JSON holds it."""
    return None if number is None else np.asarray(number, np.float64).tolist()
