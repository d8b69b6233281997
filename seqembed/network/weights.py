"""The weights of a network, by name or in one flat array."""

from __future__ import annotations

import math

import numpy as np

from seqembed.network.architecture import Network

# The output starts from what the shortcut reconstructs.
_OUTPUT_BESIDE_SHORTCUT = np.float32(0.1)


def initial_weights(network: Network, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the weights that training starts from, as stock Keras layers draw theirs.

    Kernels are Glorot uniform, and recurrent kernels orthogonal. Biases are zero; those of the forget gates are one, so
    that a new network remembers (Jozefowicz et al., 2015).

    Parameters
    ----------
    network : Network
        Its architecture.
    random : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    weights : dict of str to float32 array
        One array for each entry of ``network.weight_shapes``.

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
    if network.shortcut_size:
        weights["output/kernel"] *= _OUTPUT_BESIDE_SHORTCUT
    for layer in network.layers:
        layer.weights(weights).bias[layer.units : 2 * layer.units] = 1
    return weights


def _orthogonal_rows(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    q, r = np.linalg.qr(random.standard_normal(shape[::-1]))
    # QR alone does not draw uniformly from the orthogonal matrices. With the signs of R's diagonal it does (Mezzadri,
    # 2007).
    return np.ascontiguousarray((q * np.sign(np.diag(r))).T, dtype=np.float32)


def flat_parameters(shapes: dict[str, tuple[int, ...]], weights: dict[str, np.ndarray]) -> np.ndarray:
    """Join weights into one flat array, in the order of `shapes`.

    Parameters
    ----------
    shapes : dict of str to tuple of int
        Name and shape of every weight, such as ``network.weight_shapes``.
    weights : dict of str to float32 array
        The weights, in any order.

    Returns
    -------
    parameters : float32 array of shape (n_parameters,)
        A copy.

    Examples
    --------
    >>> import numpy as np
    >>> network = Network(n_features=2, n_components=3)
    >>> weights = initial_weights(network, np.random.default_rng(0))
    >>> flat_parameters(network.weight_shapes, weights).shape == (network.n_parameters,)
    True
    """
    return np.concatenate([weights[name].ravel() for name in shapes])


def named_weights(shapes: dict[str, tuple[int, ...]], parameters: np.ndarray) -> dict[str, np.ndarray]:
    """Cut flat parameters into weights: the inverse of `flat_parameters`.

    Parameters
    ----------
    shapes : dict of str to tuple of int
        Name and shape of every weight, in the order of the parameters.
    parameters : array of shape (n_parameters,)
        All weights, flat.

    Returns
    -------
    weights : dict of str to array
        Views of the parameters.

    Examples
    --------
    >>> import numpy as np
    >>> network = Network(n_features=2, n_components=3)
    >>> named_weights(network.weight_shapes, np.zeros(network.n_parameters))["output/bias"]
    array([0., 0.])
    """
    return {name: parameters[part].reshape(shapes[name]) for name, part in parameter_slices(shapes).items()}


def parameter_slices(shapes: dict[str, tuple[int, ...]]) -> dict[str, slice]:
    """Locate each weight among the flat parameters.

    Parameters
    ----------
    shapes : dict of str to tuple of int
        Name and shape of every weight, in the order of the parameters.

    Returns
    -------
    slices : dict of str to slice
        The position of each weight.

    Examples
    --------
    >>> shapes = Network(n_features=2, n_components=3, hidden_units=()).weight_shapes
    >>> parameter_slices(shapes)["encoder_1/recurrent_kernel"]
    slice(24, 60, None)
    """
    slices, start = {}, 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        slices[name] = slice(start, stop)
        start = stop
    return slices
