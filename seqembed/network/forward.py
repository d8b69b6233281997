"""The forward pass in NumPy: encoder, decoder, or the whole network.

All layers take a step together. So a batch needs memory for one timestep only, which stays in the cache. A step of a
layer is one product, of ``[kernel, recurrent kernel, bias]`` with ``[input, state, 1]``. Arrays have a column for each
sequence: a gate is then contiguous in memory, and the product is faster.

The results for a sequence do not depend on the other sequences of its batch. Given its context, this holds to the bit
where the kernels of BLAS treat all columns alike. OpenBLAS's kernels for AVX-512 do. Those for AVX2 round the last
columns of a matrix in another way. Contexts are equal up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from seqembed.network import shortcut
from seqembed.network.architecture import LSTMLayer, Network

_HALF = np.float32(0.5)
# Sums of up to this many products have the same bits for all shapes of the matrices. BLAS cuts longer sums at places
# that depend on the shapes.
_LONGEST_SUM = 320


def encode(
    network: Network,
    weights: dict[str, np.ndarray],
    sequences: np.ndarray,
    lengths: np.ndarray | None = None,
    context: np.ndarray | None = None,
) -> np.ndarray:
    """Embed a batch of sequences.

    Parameters
    ----------
    network : Network
        Its architecture.
    weights : dict of str to float32 array
        As named by ``network.weight_shapes``.
    sequences : float32 array of shape (n_samples, n_timesteps, n_features)
        A batch, scaled as in training, and padded to whole patches.
    lengths : int array of shape (n_samples,), default=None
        Timesteps of each sequence before its padding; by default all.
    context : float32 array of shape (n_samples, context_size), default=None
        What the last layer reads at every step, if the network has a context.

    Returns
    -------
    embedding : float32 array of shape (n_samples, n_components)
        The last encoder layer's state after the last timestep of each sequence, joined by the shortcut.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.network.weights import initial_weights
    >>> network = Network(n_features=2, n_components=4)
    >>> weights = initial_weights(network, np.random.default_rng(0))
    >>> encode(network, weights, np.zeros((5, 3, 2), np.float32)).shape
    (5, 4)
    """
    steps = network.patches(sequences)
    n_samples, n_steps, _ = steps.shape
    layers = network.encoder
    cells = [
        _LSTMCell(
            layer,
            weights,
            n_samples,
            network.activation,
            input_factor=1 if layer is layers[0] else 0.5,
            repeated_input=context if layer is layers[-1] else None,
        )
        for layer in layers
    ]
    embedding = np.empty((n_samples, network.n_components), np.float32)
    last_steps = np.full(n_samples, n_steps) if lengths is None else network.count_steps(lengths)
    distinct_last_steps = set(last_steps.tolist())
    for t in range(max(distinct_last_steps)):
        states = steps[:, t].T
        for cell in cells:
            states = cell.step(states)
        if t + 1 in distinct_last_steps:
            np.multiply(states.T[:n_samples], _HALF, out=embedding, where=(last_steps == t + 1)[:, np.newaxis])
    if not network.shortcut_size:
        return embedding
    deviations = np.asfortranarray(shortcut.flat_deviations(weights, sequences))
    components = _product(deviations, shortcut.projection(weights))
    return shortcut.joined(embedding, shortcut.clipped(components), network.activation)


def decode(network: Network, weights: dict[str, np.ndarray], embedding: np.ndarray, n_timesteps: int) -> np.ndarray:
    """Reconstruct sequences from a batch of embeddings.

    Parameters
    ----------
    network : Network
        Its architecture.
    weights : dict of str to float32 array
        As named by ``network.weight_shapes``.
    embedding : float32 array of shape (n_samples, n_components)
        The result of `encode`.
    n_timesteps : int
        Length of the reconstruction.

    Returns
    -------
    sequences : float32 array of shape (n_samples, n_timesteps, n_features)
        Scaled as in training.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.network.weights import initial_weights
    >>> network = Network(n_features=2, n_components=4)
    >>> weights = initial_weights(network, np.random.default_rng(0))
    >>> decode(network, weights, np.zeros((5, 4), np.float32), n_timesteps=3).shape
    (5, 3, 2)
    """
    first, *others = network.decoder
    n_steps = network.count_steps(n_timesteps)
    time_features = network.time_features(n_steps)
    cells = [
        _LSTMCell(
            first, weights, len(embedding), network.activation, repeated_input=embedding, time_features=time_features
        )
    ]
    cells += [_LSTMCell(layer, weights, len(embedding), network.activation, input_factor=0.5) for layer in others]
    sequences = _outputs(network, weights, cells, [None] * n_steps, len(embedding))[:, :n_timesteps]
    if network.shortcut_size:
        loadings = weights["shortcut/loadings"]
        added = _product(np.asfortranarray(embedding[:, : network.shortcut_size]), shortcut.flat_loadings(weights))
        n_added = min(n_timesteps, loadings.shape[1])
        sequences[:, :n_added] += added.reshape(-1, *loadings.shape[1:])[:, :n_added]
    return sequences


def reconstruct(
    network: Network,
    weights: dict[str, np.ndarray],
    sequences: np.ndarray,
    lengths: np.ndarray | None = None,
    context: np.ndarray | None = None,
) -> np.ndarray:
    """Send a batch of sequences through the whole network.

    Parameters
    ----------
    network : Network
        Its architecture.
    weights : dict of str to float32 array
        As named by ``network.weight_shapes``.
    sequences : float32 array of shape (n_samples, n_timesteps, n_features)
        A batch, scaled as in training, and padded to whole patches.
    lengths : int array of shape (n_samples,), default=None
        Timesteps of each sequence before its padding; by default all.
    context : float32 array of shape (n_samples, context_size), default=None
        See `encode`.

    Returns
    -------
    reconstruction : float32 array of shape (n_samples, n_timesteps, n_features)
        Scaled as in training.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.network.weights import initial_weights
    >>> network = Network(n_features=2, n_components=4, bottleneck=False)
    >>> weights = initial_weights(network, np.random.default_rng(0))
    >>> reconstruct(network, weights, np.zeros((5, 3, 2), np.float32)).shape
    (5, 3, 2)
    """
    if network.bottleneck:
        return decode(network, weights, encode(network, weights, sequences, lengths, context), sequences.shape[1])
    steps = network.patches(sequences)
    n_samples, n_steps, _ = steps.shape
    time_features = {network.decoder[0].name: network.time_features(n_steps)}
    cells = [
        _LSTMCell(
            layer,
            weights,
            n_samples,
            network.activation,
            input_factor=1 if layer == network.encoder[0] else 0.5,
            time_features=time_features.get(layer.name),
        )
        for layer in network.layers
    ]
    return _outputs(network, weights, cells, steps.transpose(1, 2, 0), n_samples)


def squared_errors(
    network: Network,
    weights: dict[str, np.ndarray],
    sequences: np.ndarray,
    lengths: np.ndarray | None = None,
    context: np.ndarray | None = None,
) -> np.ndarray:
    """Compute the squared errors of the reconstruction of a batch.

    Parameters
    ----------
    network : Network
        Its architecture.
    weights : dict of str to float32 array
        As named by ``network.weight_shapes``.
    sequences : float32 array of shape (n_samples, n_timesteps, n_features)
        A batch, scaled as in training, and padded to whole patches.
    lengths : int array of shape (n_samples,), default=None
        Timesteps of each sequence before its padding; by default all.
    context : float32 array of shape (n_samples, context_size), default=None
        See `encode`.

    Returns
    -------
    squared : float32 array of shape (n_samples, n_timesteps, n_features)
        Padding and missing values have errors too: leave them out of sums.

    Examples
    --------
    >>> import numpy as np
    >>> network = Network(n_features=2, n_components=4)
    >>> weights = {name: np.zeros(shape, np.float32) for name, shape in network.weight_shapes.items()}
    >>> squared_errors(network, weights, np.full((1, 2, 2), 3, np.float32))
    array([[[9., 9.],
            [9., 9.]]], dtype=float32)
    """
    squared: np.ndarray = np.square(reconstruct(network, weights, sequences, lengths, context) - sequences)
    return squared


def _outputs(
    network: Network,
    weights: dict[str, np.ndarray],
    cells: list[_LSTMCell],
    inputs: Iterable[np.ndarray | None],
    n_samples: int,
) -> np.ndarray:
    """Run cells over the inputs of each step, and the output layer over the states of the last cell."""
    output_kernel = weights["output/kernel"] * _HALF
    first, *others = cells
    outputs = []
    for step_inputs in inputs:
        states = first.step(step_inputs)
        for cell in others:
            states = cell.step(states)
        outputs.append(_product(states.T, output_kernel) + weights["output/bias"])
    patches = np.stack(outputs, axis=1)[:n_samples]
    return patches.reshape(n_samples, -1, network.n_features)


def _product(first: np.ndarray, second: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Multiply two matrices. A row or a column of the product does not depend on the number of the others.

    BLAS rounds in another way if one of the two matrices is a vector. Vectors are therefore doubled, and `out` is only
    for matrices. Long sums are cut at fixed places, see `_LONGEST_SUM`. If `first` is in C's order and the sums are not
    short, OpenBLAS rounds small products in another way than large ones: pass it in Fortran's order.
    """
    if len(first) == 1:
        return _product(np.asfortranarray(np.repeat(first, 2, axis=0)), second)[:1]
    if second.shape[1] == 1:
        return _product(first, np.repeat(second, 2, axis=1))[:, :1]
    product = np.matmul(first[:, :_LONGEST_SUM], second[:_LONGEST_SUM], out=out)
    for start in range(_LONGEST_SUM, len(second), _LONGEST_SUM):
        part = slice(start, start + _LONGEST_SUM)
        product += first[:, part] @ second[part]
    return product


class _LSTMCell:
    """The state of one LSTM layer for a batch, with the buffers that every step reuses.

    A sigmoid is computed as ``(1 + tanh(x / 2)) / 2``. The kernels contain the inner factors 1/2. The outer factors are
    left out. The hidden state is therefore doubled, and the kernels that read it contain another factor 1/2.

    Parameters
    ----------
    layer : LSTMLayer
        The layer as plain data.
    weights : dict of str to float32 array
        As named by ``layer.weight_shapes``.
    n_samples : int
        Size of the batch.
    activation : {"tanh", "relu"}
        Activation of the candidate and of the cell state.
    input_factor : float, default=1
        Factor of the inputs: 0.5 if they are the doubled hidden states of another cell.
    repeated_input : float32 array of shape (n_samples, width), default=None
        Input that is the same at every step, after the inputs of each step. It is projected once.
    time_features : float32 array of shape (n_timesteps, n_time_features), default=None
        Inputs that are the same for all samples, beside their own.
    """

    def __init__(
        self,
        layer: LSTMLayer,
        weights: dict[str, np.ndarray],
        n_samples: int,
        activation: str,
        *,
        input_factor: float = 1,
        repeated_input: np.ndarray | None = None,
        time_features: np.ndarray | None = None,
    ):
        kernel, recurrent_kernel, bias = layer.weights(weights)
        n_steady = sum(each.shape[1] for each in (repeated_input, time_features) if each is not None)
        n_inputs = len(kernel) - n_steady
        kernels = np.empty((n_inputs + layer.units + 1, 4 * layer.units), np.float32)
        _reorder_gates(kernel[:n_inputs], input_factor, out=kernels[:n_inputs])
        _reorder_gates(recurrent_kernel, 0.5, out=kernels[n_inputs:-1])
        _reorder_gates(bias, 1, out=kernels[-1])
        self._kernels = kernels.T
        self._biases: Iterator[np.ndarray] | None = None
        self._projected_input: np.ndarray | None = None
        if n_steady:
            steady = np.empty((n_steady, 4 * layer.units), np.float32)
            _reorder_gates(kernel[n_inputs:], 1, out=steady)
            if time_features is not None:
                steady, time_kernel = np.split(steady, [n_steady - time_features.shape[1]])
                self._biases = iter(kernels[-1] + _product(time_features, time_kernel))
            if repeated_input is not None:
                self._projected_input = _product(steady.T, repeated_input.T)
        # The columns of a single sequence are doubled, see `_product`.
        n_columns = max(2, n_samples)
        self._operand = np.zeros((self._kernels.shape[1], n_columns), np.float32)
        self._operand[-1] = 1
        self._inputs, self._hidden = self._operand[:n_inputs], self._operand[n_inputs:-1]
        self._c = np.zeros((layer.units, n_columns), np.float32)
        self._buffer = np.empty_like(self._c)
        self._gates = np.empty((4 * layer.units, n_columns), np.float32)
        self._sigmoids = self._gates[: 3 * layer.units]
        self._i, self._f, self._o, self._g = self._gates.reshape(4, layer.units, n_columns)
        self._relu = activation == "relu"

    def step(self, inputs: np.ndarray | None) -> np.ndarray:
        """Compute the hidden state after a timestep.

        Parameters
        ----------
        inputs : float32 array of shape (n_inputs, n_samples) or None
            None if the cell has a repeated input only.

        Returns
        -------
        hidden : float32 array of shape (units, max(2, n_samples))
            The doubled hidden state. The next step overwrites it.
        """
        c, buffer = self._c, self._buffer
        if inputs is not None:
            self._inputs[...] = inputs
        if self._biases is not None:
            self._kernels[:, -1] = next(self._biases)
        _product(self._kernels, self._operand, out=self._gates)
        if self._projected_input is not None:
            self._gates += self._projected_input
        if self._relu:
            np.tanh(self._sigmoids, out=self._sigmoids)
            np.maximum(self._g, 0, out=self._g)
        else:
            np.tanh(self._gates, out=self._gates)
        self._sigmoids += 1
        c *= self._f
        c += np.multiply(self._i, self._g, out=buffer)
        c *= _HALF
        activated = np.maximum(c, 0, out=buffer) if self._relu else np.tanh(c, out=buffer)
        return np.multiply(self._o, activated, out=self._hidden)


def _reorder_gates(weight: np.ndarray, factor: float, out: np.ndarray) -> None:
    """Bring the gates from Keras's order i, f, c, o into the order i, f, o, c, and halve those of the sigmoids."""
    units = weight.shape[-1] // 4
    i_and_f, third, fourth = (..., slice(2 * units)), (..., slice(2 * units, 3 * units)), (..., slice(3 * units, None))
    np.multiply(weight[i_and_f], np.float32(factor / 2), out=out[i_and_f])
    np.multiply(weight[fourth], np.float32(factor / 2), out=out[third])
    np.multiply(weight[third], np.float32(factor), out=out[fourth])
