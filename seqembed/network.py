"""The LSTM autoencoder as plain data: its layers, the names and shapes of its weights, and how they start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LSTMLayer:
    """One LSTM layer: where it stands, what it reads, and what it emits.

    Parameters
    ----------
    name : str
        Name of the layer; its weights are called ``name/kernel``, ``name/recurrent_kernel`` and ``name/bias``.
    n_inputs : int
        Width of what the layer reads at each timestep.
    units : int
        Width of its state, and so of what it emits.
    return_sequences : bool
        Whether it emits its state at every timestep or at the last one alone.

    Examples
    --------
    >>> LSTMLayer("encoder_1", n_inputs=2, units=3, return_sequences=True).weight_shapes
    {'encoder_1/kernel': (2, 12), 'encoder_1/recurrent_kernel': (3, 12), 'encoder_1/bias': (12,)}
    """

    name: str
    n_inputs: int
    units: int
    return_sequences: bool

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the kernel, the recurrent kernel and the bias, the four gates i, f, c, o side by side."""
        gates = 4 * self.units
        return {
            f"{self.name}/kernel": (self.n_inputs, gates),
            f"{self.name}/recurrent_kernel": (self.units, gates),
            f"{self.name}/bias": (gates,),
        }


@dataclass(frozen=True)
class Network:
    """The sizes that determine an LSTM autoencoder.

    Parameters
    ----------
    n_features : int
        Values per timestep.
    n_components : int, default=64
        Size of the bottleneck, hence of the embedding.
    hidden_units : tuple of int, default=(128,)
        Units of the encoder layers before the bottleneck; the decoder mirrors them.
    activation : {"tanh", "relu"}, default="tanh"
        Activation of the cell candidate and of the cell state; the gates are sigmoids.

    References
    ----------
    C. Ranjan, "Step-by-step understanding LSTM Autoencoder layers" (2019).

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

    @property
    def encoder(self) -> tuple[LSTMLayer, ...]:
        """The layers from the sequence to the embedding, which the last one emits at its last timestep."""
        return _stack("encoder", self.n_features, (*self.hidden_units, self.n_components), last_step_only=True)

    @property
    def decoder(self) -> tuple[LSTMLayer, ...]:
        """The layers from the repeated embedding back to one state a timestep."""
        return _stack(
            "decoder", self.n_components, (self.n_components, *reversed(self.hidden_units)), last_step_only=False
        )

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every weight, in the order in which Keras lists them."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in (*self.encoder, *self.decoder):
            shapes.update(layer.weight_shapes)
        shapes["output/kernel"] = (self.decoder[-1].units, self.n_features)
        shapes["output/bias"] = (self.n_features,)
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


def initial_weights(network: Network, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the weights that training starts from, as stock Keras layers draw theirs.

    Kernels are Glorot uniform, recurrent kernels orthogonal, and biases zero but for the forget gate's, which are
    one so that a new network remembers (Jozefowicz et al., 2015).

    Parameters
    ----------
    network : Network
        The sizes.
    random : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    weights : dict of str to float32 array
        One array for each entry of ``network.weight_shapes``, in its order.

    Examples
    --------
    >>> import numpy as np
    >>> weights = initial_weights(Network(n_features=2, n_components=3), np.random.default_rng(0))
    >>> weights["encoder_2/bias"]
    array([0., 0., 0., 1., 1., 1., 0., 0., 0., 0., 0., 0.], dtype=float32)
    """
    weights = {}
    for name, shape in network.weight_shapes.items():
        if name.endswith("/recurrent_kernel"):
            weights[name] = _orthogonal_rows(shape, random)
        elif name.endswith("/kernel"):
            limit = np.sqrt(6 / sum(shape))
            weights[name] = random.uniform(-limit, limit, shape).astype(np.float32)
        else:
            weights[name] = np.zeros(shape, np.float32)
    for layer in (*network.encoder, *network.decoder):
        weights[f"{layer.name}/bias"][layer.units : 2 * layer.units] = 1
    return weights


def _orthogonal_rows(shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    q, r = np.linalg.qr(random.standard_normal(shape[::-1]))
    # QR alone is not uniform over the orthogonal matrices: the signs of R's diagonal make it so (Mezzadri, 2007).
    return np.ascontiguousarray((q * np.sign(np.diag(r))).T, dtype=np.float32)
