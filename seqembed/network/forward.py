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
from typing import NamedTuple

import numpy as np

from seqembed.network import shortcut
from seqembed.network.architecture import LSTMLayer, LSTMWeights, Network

_HALF = np.float32(0.5)
# Sums of up to this many products have the same bits for all shapes of the matrices. BLAS cuts longer sums at places
# that depend on the shapes.
_LONGEST_SUM = 320


class ForwardPass:
    """The forward pass of a network. Its weights are brought into the order of a step once, for all batches.

    Parameters
    ----------
    network : Network
        Its architecture.
    weights : dict of str to float32 array
        As named by ``network.weight_shapes``. They must not change after this: most are copied, and some are not.

    Examples
    --------
    >>> from seqembed.network.weights import initial_weights
    >>> network = Network(n_features=2, n_components=4)
    >>> forward_pass = ForwardPass(network, initial_weights(network, np.random.default_rng(0)))
    >>> embedding = forward_pass.encode(np.zeros((5, 3, 2), np.float32))
    >>> embedding.shape, forward_pass.decode(embedding, n_timesteps=3).shape
    ((5, 4), (5, 3, 2))
    """

    def __init__(self, network: Network, weights: dict[str, np.ndarray]):
        self._network, self._weights = network, weights
        self._encoder, self._decoder = network.encoder, network.decoder
        # How many of a layer's inputs do not come from the layer below, or from the sequence.
        n_steady = dict.fromkeys((layer.name for layer in network.layers), 0)
        n_steady[self._encoder[-1].name] = network.context_size
        n_steady[self._decoder[0].name] = network.n_time_features + network.bottleneck * network.n_components
        self._kernels = {
            layer.name: _step_kernels(
                layer.weights(weights), n_steady[layer.name], reads_sequence=layer == self._encoder[0]
            )
            for layer in network.layers
        }
        self._output_kernel, self._output_bias = weights["output/kernel"] * _HALF, weights["output/bias"]
        if network.shortcut_size:
            self._projection = shortcut.projection(weights)

    def encode(
        self, sequences: np.ndarray, lengths: np.ndarray | None = None, context: np.ndarray | None = None
    ) -> np.ndarray:
        """Embed a batch of sequences.

        Parameters
        ----------
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
        """
        network = self._network
        steps = network.patches(sequences)
        n_samples, n_steps, _ = steps.shape
        *layers, last = self._encoder
        cells = [self._cell(layer, n_samples) for layer in layers]
        cells.append(self._cell(last, n_samples, repeated_input=context))
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
        deviations = np.asfortranarray(shortcut.flat_deviations(self._weights, sequences))
        components = _product(deviations, self._projection)
        return shortcut.joined(embedding, shortcut.clipped(components), network.activation)

    def decode(self, embedding: np.ndarray, n_timesteps: int) -> np.ndarray:
        """Reconstruct sequences from a batch of embeddings.

        Parameters
        ----------
        embedding : float32 array of shape (n_samples, n_components)
            The result of `encode`.
        n_timesteps : int
            Length of the reconstruction.

        Returns
        -------
        sequences : float32 array of shape (n_samples, n_timesteps, n_features)
            Scaled as in training.
        """
        network, weights = self._network, self._weights
        first, *others = self._decoder
        n_steps = network.count_steps(n_timesteps)
        time_features = network.time_features(n_steps)
        cells = [self._cell(first, len(embedding), repeated_input=embedding, time_features=time_features)]
        cells += [self._cell(layer, len(embedding)) for layer in others]
        sequences = self._outputs(cells, [None] * n_steps, len(embedding))[:, :n_timesteps]
        if network.shortcut_size:
            loadings = weights["shortcut/loadings"]
            added = _product(np.asfortranarray(embedding[:, : network.shortcut_size]), shortcut.flat_loadings(weights))
            n_added = min(n_timesteps, loadings.shape[1])
            sequences[:, :n_added] += added.reshape(-1, *loadings.shape[1:])[:, :n_added]
        return sequences

    def reconstruct(
        self, sequences: np.ndarray, lengths: np.ndarray | None = None, context: np.ndarray | None = None
    ) -> np.ndarray:
        """Send a batch of sequences through the whole network.

        Parameters
        ----------
        sequences, lengths, context
            See `encode`.

        Returns
        -------
        reconstruction : float32 array of shape (n_samples, n_timesteps, n_features)
            Scaled as in training.
        """
        network = self._network
        if network.bottleneck:
            return self.decode(self.encode(sequences, lengths, context), sequences.shape[1])
        steps = network.patches(sequences)
        n_samples, n_steps, _ = steps.shape
        time_features = {self._decoder[0].name: network.time_features(n_steps)}
        cells = [self._cell(layer, n_samples, time_features=time_features.get(layer.name)) for layer in network.layers]
        return self._outputs(cells, steps.transpose(1, 2, 0), n_samples)

    def squared_errors(
        self, sequences: np.ndarray, lengths: np.ndarray | None = None, context: np.ndarray | None = None
    ) -> np.ndarray:
        """Compute the squared errors of the reconstruction of a batch.

        Parameters
        ----------
        sequences, lengths, context
            See `encode`.

        Returns
        -------
        squared : float32 array of shape (n_samples, n_timesteps, n_features)
            Padding and missing values have errors too: leave them out of sums.
        """
        squared: np.ndarray = np.square(self.reconstruct(sequences, lengths, context) - sequences)
        return squared

    def _cell(self, layer: LSTMLayer, n_samples: int, **steady_inputs: np.ndarray | None) -> _LSTMCell:
        return _LSTMCell(self._kernels[layer.name], n_samples, self._network.activation, **steady_inputs)

    def _outputs(self, cells: list[_LSTMCell], inputs: Iterable[np.ndarray | None], n_samples: int) -> np.ndarray:
        """Run cells over the inputs of each step, and the output layer over the states of the last cell."""
        first, *others = cells
        outputs = []
        for step_inputs in inputs:
            states = first.step(step_inputs)
            for cell in others:
                states = cell.step(states)
            outputs.append(_product(states.T, self._output_kernel) + self._output_bias)
        patches = np.stack(outputs, axis=1)[:n_samples]
        return patches.reshape(n_samples, -1, self._network.n_features)


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


class _StepKernels(NamedTuple):
    """The weights of one LSTM layer, in the order of a step.

    A sigmoid is computed as ``(1 + tanh(x / 2)) / 2``. The kernels contain the inner factors 1/2. The outer factors are
    left out. The hidden state is therefore doubled, and the kernels that read it contain another factor 1/2.

    Fields: joined, ``[kernel, recurrent kernel, bias]`` of shape (n_inputs + units + 1, 4 * units) for the inputs of
    each step; steady, of shape (n_steady_inputs, 4 * units) for inputs that are not those of a layer below.
    """

    joined: np.ndarray
    steady: np.ndarray


def _step_kernels(weights: LSTMWeights, n_steady: int, *, reads_sequence: bool) -> _StepKernels:
    """Reorder the weights of a layer. One that does not read the sequence reads the doubled states of another one."""
    kernel, recurrent_kernel, bias = weights
    n_inputs = len(kernel) - n_steady
    joined = np.empty((n_inputs + len(recurrent_kernel) + 1, len(bias)), np.float32)
    steady = np.empty((n_steady, len(bias)), np.float32)
    _reorder_gates(kernel[:n_inputs], 1 if reads_sequence else 0.5, out=joined[:n_inputs])
    _reorder_gates(recurrent_kernel, 0.5, out=joined[n_inputs:-1])
    _reorder_gates(bias, 1, out=joined[-1])
    _reorder_gates(kernel[n_inputs:], 1, out=steady)
    return _StepKernels(joined, steady)


class _LSTMCell:
    """The state of one LSTM layer for a batch, with the buffers that every step reuses.

    Parameters
    ----------
    kernels : _StepKernels
        The weights of the layer.
    n_samples : int
        Size of the batch.
    activation : {"tanh", "relu"}
        Activation of the candidate and of the cell state.
    repeated_input : float32 array of shape (n_samples, width), default=None
        Input that is the same at every step, after the inputs of each step. It is projected once.
    time_features : float32 array of shape (n_timesteps, n_time_features), default=None
        Inputs that are the same for all samples, beside their own.
    """

    def __init__(
        self,
        kernels: _StepKernels,
        n_samples: int,
        activation: str,
        *,
        repeated_input: np.ndarray | None = None,
        time_features: np.ndarray | None = None,
    ):
        joined, steady = kernels
        units: int = joined.shape[1] // 4
        n_inputs = len(joined) - units - 1
        self._biases: Iterator[np.ndarray] | None = None
        self._projected_input: np.ndarray | None = None
        if time_features is not None:
            steady, time_kernel = np.split(steady, [len(steady) - time_features.shape[1]])
            self._biases = iter(joined[-1] + _product(time_features, time_kernel))
            # Each step has a bias of its own. Cells of other batches read the same kernels.
            joined = joined.copy()
        if repeated_input is not None:
            self._projected_input = _product(steady.T, repeated_input.T)
        self._kernels = joined.T
        # The columns of a single sequence are doubled, see `_product`.
        n_columns = max(2, n_samples)
        self._operand = np.zeros((len(joined), n_columns), np.float32)
        self._operand[-1] = 1
        self._inputs, self._hidden = self._operand[:n_inputs], self._operand[n_inputs:-1]
        self._c = np.zeros((units, n_columns), np.float32)
        self._buffer = np.empty_like(self._c)
        self._gates = np.empty((4 * units, n_columns), np.float32)
        self._sigmoids = self._gates[: 3 * units]
        self._i, self._f, self._o, self._g = self._gates.reshape(4, units, n_columns)
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
