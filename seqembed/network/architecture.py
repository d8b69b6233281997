"""The LSTM networks as plain data: layers with the shapes of their named weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, overload

import numpy as np

TIME_FREQUENCIES = (1, 2, 4, 8)


class LSTMWeights(NamedTuple):
    """The weights of one LSTM layer, or their gradients.

    The four gates i, f, c, o stand side by side on the last axis, as in Keras. In TensorFlow, the arrays are tensors.

    Parameters
    ----------
    kernel : array of shape (n_inputs, 4 * units)
        For the inputs.
    recurrent_kernel : array of shape (units, 4 * units)
        For the hidden state.
    bias : array of shape (4 * units,)
        Added to the sum of both products.
    """

    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class LSTMLayer:
    """One LSTM layer: its name, the width of its inputs, and the states that it emits.

    Parameters
    ----------
    name : str
        Name of the layer. Its weights are called ``name/kernel``, ``name/recurrent_kernel`` and ``name/bias``.
    n_inputs : int
        Width of the input at each timestep.
    units : int
        Width of the state.
    return_sequences : bool
        True if the layer emits its state at every timestep, False if it emits only the last one.

    Examples
    --------
    >>> layer = LSTMLayer("encoder_1", n_inputs=2, units=3, return_sequences=True)
    >>> layer.weight_shapes
    {'encoder_1/kernel': (2, 12), 'encoder_1/recurrent_kernel': (3, 12), 'encoder_1/bias': (12,)}
    """

    name: str
    n_inputs: int
    units: int
    return_sequences: bool

    @property
    def weight_names(self) -> tuple[str, ...]:
        """Names of the layer's weights, in the order of `LSTMWeights`."""
        return tuple(f"{self.name}/{part}" for part in LSTMWeights._fields)

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the layer's weights by name."""
        width = 4 * self.units
        shapes = ((self.n_inputs, width), (self.units, width), (width,))
        return dict(zip(self.weight_names, shapes, strict=True))

    def weights(self, named: dict[str, np.ndarray]) -> LSTMWeights:
        """Pick the layer's weights out of those of a network.

        Parameters
        ----------
        named : dict of str to array
            All weights of the network, by name.

        Returns
        -------
        weights : LSTMWeights
            The arrays themselves, not copies.
        """
        return LSTMWeights(*(named[name] for name in self.weight_names))


@dataclass(frozen=True)
class Network:
    """The architecture of an LSTM autoencoder, or of the same network without a bottleneck.

    Parameters
    ----------
    n_features : int
        Values per timestep.
    n_components : int, default=64
        Size of the bottleneck, which is the size of the embedding.
    hidden_units : tuple of int, default=(128,)
        Units of the encoder layers before the bottleneck. The decoder mirrors them.
    activation : {"tanh", "relu"}, default="tanh"
        Activation of the cell candidate and of the cell state. The gates are sigmoids.
    bottleneck : bool, default=True
        Whether the encoder ends in a single vector, which is repeated for the decoder. If not, every layer returns all
        steps: the "regular LSTM network" of the post.
    encoded_timesteps : int or None, default=None
        Timesteps over which the time encoding runs from its start to its end: those of the longest training sequence.
        None means no time encoding.
    patch_size : int, default=1
        Timesteps that the network reads, and writes, in one step: a patch of ``patch_size * n_features`` values.
    context_size : int, default=0
        Numbers of the whole sequence that the last encoder layer reads at every step, beside the states of the layer
        below.
    shortcut_size : int, default=0
        Principal components of the sequence that join the embedding, and that the output adds up again. See
        `seqembed.network.shortcut`.

    References
    ----------
    C. Ranjan, "Step-by-step understanding LSTM Autoencoder layers" (2019).
    Y. Nie et al., "A time series is worth 64 words: long-term forecasting with transformers" (2023), for patches.

    Examples
    --------
    >>> network = Network(n_features=2)
    >>> [layer.units for layer in network.encoder], [layer.units for layer in network.decoder]
    ([128, 64], [64, 128])
    >>> network.n_parameters
    248578
    """

    n_features: int
    n_components: int = 64
    hidden_units: tuple[int, ...] = (128,)
    activation: str = "tanh"
    bottleneck: bool = True
    encoded_timesteps: int | None = None
    patch_size: int = 1
    context_size: int = 0
    shortcut_size: int = 0

    @property
    def n_values_per_step(self) -> int:
        """Number of values that the network reads, and writes, in one step."""
        return self.patch_size * self.n_features

    @overload
    def count_steps(self, n_timesteps: int) -> int: ...

    @overload
    def count_steps(self, n_timesteps: np.ndarray) -> np.ndarray: ...

    def count_steps(self, n_timesteps: int | np.ndarray) -> int | np.ndarray:
        """Count the steps in which the network reads a sequence.

        Parameters
        ----------
        n_timesteps : int or int array
            Length of the sequence, or lengths of several ones.

        Returns
        -------
        n_steps : int or int array
            Number of steps. The last step may be partly padding.

        Examples
        --------
        >>> Network(n_features=2, patch_size=4).count_steps(9)
        3
        """
        return -(-n_timesteps // self.patch_size)

    @overload
    def whole_patches(self, n_timesteps: int) -> int: ...

    @overload
    def whole_patches(self, n_timesteps: np.ndarray) -> np.ndarray: ...

    def whole_patches(self, n_timesteps: int | np.ndarray) -> int | np.ndarray:
        """Round a number of timesteps up to whole patches.

        Parameters
        ----------
        n_timesteps : int or int array
            Length of a sequence, or lengths of several ones.

        Returns
        -------
        n_timesteps : int or int array
            Multiples of `patch_size`.

        Examples
        --------
        >>> Network(n_features=2, patch_size=4).whole_patches(9)
        12
        """
        return self.patch_size * self.count_steps(n_timesteps)

    def patches(self, sequences: np.ndarray) -> np.ndarray:
        """View sequences of whole patches as the steps that the network reads.

        Parameters
        ----------
        sequences : array of shape (n_samples, n_timesteps, n_features)
            Its number of timesteps is a multiple of `patch_size`.

        Returns
        -------
        steps : array of shape (n_samples, n_steps, n_values_per_step)
            A view, if the memory layout allows it.

        Examples
        --------
        >>> import numpy as np
        >>> Network(n_features=1, patch_size=2).patches(np.arange(4).reshape(1, 4, 1))
        array([[[0, 1],
                [2, 3]]])
        """
        return sequences.reshape(len(sequences), -1, self.n_values_per_step)

    @property
    def encoder(self) -> tuple[LSTMLayer, ...]:
        """The LSTM layers from the sequence to the embedding, or to the middle of a network without bottleneck."""
        widths = (*self.hidden_units, self.n_components)
        *others, last = _stack("encoder", self.n_values_per_step, widths, last_step_only=self.bottleneck)
        return (*others, replace(last, n_inputs=last.n_inputs + self.context_size))

    @property
    def decoder(self) -> tuple[LSTMLayer, ...]:
        """The LSTM layers from the embedding, or from the middle, to the states that the output layer reads."""
        n_inputs = self.n_components + self.n_time_features
        return _stack("decoder", n_inputs, (self.n_components, *reversed(self.hidden_units)), last_step_only=False)

    @property
    def layers(self) -> tuple[LSTMLayer, ...]:
        """All LSTM layers, in the order in which a sequence passes them."""
        return (*self.encoder, *self.decoder)

    @property
    def n_time_features(self) -> int:
        """Number of values that give the first decoder layer the position of a step."""
        return 0 if self.encoded_timesteps is None else 1 + 2 * len(TIME_FREQUENCIES)

    def time_features(self, n_steps: int) -> np.ndarray:
        """Compute the position of each step, as values that a layer can use.

        The first value runs from -1 at the first step to 1 at the last step of the longest training sequence. Its sine
        and its cosine follow, at four frequencies that double, as in Vaswani et al., "Attention is all you need"
        (2017). The position is absolute: a step has the same features in sequences of any length.

        Parameters
        ----------
        n_steps : int
            Number of steps of the sequence.

        Returns
        -------
        features : float32 array of shape (n_steps, n_time_features)
            Without columns if there is no time encoding.

        Examples
        --------
        >>> Network(n_features=2, encoded_timesteps=3).time_features(3)[:, [0, 1, 5]].round(2) + 0
        array([[-1.,  0., -1.],
               [ 0.,  0.,  1.],
               [ 1.,  0., -1.]], dtype=float32)
        """
        if self.encoded_timesteps is None:
            return np.empty((n_steps, 0), np.float32)
        n_encoded_steps = self.count_steps(self.encoded_timesteps)
        position = 2 * np.arange(n_steps) / max(1, n_encoded_steps - 1) - 1
        angles = np.pi * np.multiply.outer(position, TIME_FREQUENCIES)
        return np.column_stack([position, np.sin(angles), np.cos(angles)]).astype(np.float32)

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every weight, in the order in which Keras lists them."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in self.layers:
            shapes.update(layer.weight_shapes)
        shapes["output/kernel"] = (self.decoder[-1].units, self.n_values_per_step)
        shapes["output/bias"] = (self.n_values_per_step,)
        return shapes

    @property
    def n_parameters(self) -> int:
        """Number of trainable values."""
        return sum(int(np.prod(shape)) for shape in self.weight_shapes.values())


def _stack(role: str, n_inputs: int, units: tuple[int, ...], *, last_step_only: bool) -> tuple[LSTMLayer, ...]:
    widths = (n_inputs, *units)
    return tuple(
        LSTMLayer(
            f"{role}_{position}",
            n_inputs=widths[position - 1],
            units=widths[position],
            return_sequences=not (last_step_only and position == len(units)),
        )
        for position in range(1, len(widths))
    )
