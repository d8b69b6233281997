"""A trained network as a Keras model of standard layers."""

from __future__ import annotations

import keras
import numpy as np

from seqembed.inference.model import TrainedModel
from seqembed.network.architecture import LSTMLayer, Network
from seqembed.sequences.scaling import Scaling


def build_keras_model(model: TrainedModel, part: str = "autoencoder") -> keras.Model:
    """Build a network of standard Keras layers with the weights of a trained model.

    Parameters
    ----------
    model : TrainedModel
        Network, weights, scaling and layout. If scaling changes anything, Rescaling layers, which have no weights, do
        and undo it. If the fitted sequences differed in length, the encoder has a second input, "lengths", of shape
        (n_samples,).
    part : {"autoencoder", "encoder", "decoder"}, default="autoencoder"
        What to build; without a bottleneck, only the whole.

    Returns
    -------
    model : keras.Model
        Takes sequences of shape (n_samples, n_timesteps, n_features), or embeddings of shape (n_samples, n_components),
        and returns the one or the other. Sequences are in the user's units.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed import LSTMAutoencoder
    >>> X = np.random.default_rng(0).normal(size=(8, 3, 2))
    >>> build_keras_model(LSTMAutoencoder(time_encoding=False, epochs=1).fit(X).model_).count_params()
    248578
    """
    network, weights, scaling = model.network, model.weights, model.scaling
    n_timesteps, with_lengths = model.layout.n_timesteps, not model.layout.one_length
    before, after = _rescaling(scaling)
    into_patches, out_of_patches = _patching(network, scaling, n_timesteps)
    encoder = [*before, *into_patches, *_lstms(network, network.encoder)]
    n_steps = network.count_steps(n_timesteps)
    decoder = [
        *([keras.layers.RepeatVector(n_steps, name="repeat")] if network.bottleneck else []),
        *_time_encoding(network, n_steps),
        *_lstms(network, network.decoder),
        keras.layers.TimeDistributed(keras.layers.Dense(network.n_values_per_step), name="output"),
        *out_of_patches,
        *after,
    ]
    layers = {"encoder": encoder, "decoder": decoder, "autoencoder": [*encoder, *decoder]}[part]
    sequence = keras.Input((n_timesteps, network.n_features), name="sequence")
    name = f"lstm_{part}" if network.bottleneck else "lstm_reconstructor"
    if part == "decoder":
        built = keras.Sequential([keras.Input((network.n_components,), name="code"), *layers], name=name)
    elif with_lengths:
        built = _model_with_lengths(network, scaling, sequence, layers, name)
    else:
        built = keras.Sequential([sequence, *layers], name=name)
    present = {layer.name: layer for layer in built.layers}
    for layer, names in _weight_names(network).items():
        if layer in present:
            present[layer].set_weights([weights[name] for name in names])
    # Keras refuses to export a model to ONNX that was never called; a symbolic call computes nothing.
    built([keras.KerasTensor(each.shape, each.dtype) for each in built.inputs] if with_lengths else built.inputs[0])
    return built


def read_keras_weights(model: keras.Model, network: Network, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Read the weights of a model that `build_keras_model` has built, whatever has trained them since.

    Parameters
    ----------
    model : keras.Model
        The whole network, its encoder or its decoder.
    network : Network
        Its architecture.
    weights : dict of str to float32 array
        Those of the layers that the model does not have.

    Returns
    -------
    weights : dict of str to float32 array
        As named by ``network.weight_shapes``: copies where they come from the model.

    Raises
    ------
    ValueError
        If the model has none of the layers, if a weight has another shape, or is not finite.
    """
    present = {layer.name: layer for layer in model.layers}
    expected = _weight_names(network)
    if not set(expected) & set(present):
        raise ValueError(
            f"Got a Keras model with the layers {', '.join(present)[:200]}, expected those of to_keras: "
            f"{', '.join(expected)}."
        )
    read = dict(weights)
    for layer in expected:
        if layer not in present:
            continue
        arrays, names = present[layer].get_weights(), expected[layer]
        given, wanted = [array.shape for array in arrays], [network.weight_shapes[name] for name in names]
        if given != wanted:
            raise ValueError(
                f"Got weights of shapes {given} for the layer {layer!r}, expected {wanted}. Pass a model that this "
                f"estimator's to_keras has built."
            )
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError(f"Got weights of the layer {layer!r} that are not finite. Train with a lower rate.")
        read |= {name: np.array(array, np.float32) for name, array in zip(names, arrays, strict=True)}
    return read


def _weight_names(network: Network) -> dict[str, list[str]]:
    """Name the weights of each layer of the Keras model, in the order in which Keras lists them."""
    names = {_name(network, layer): list(layer.weight_names) for layer in network.layers}
    return names | {"output": ["output/kernel", "output/bias"]}


def _name(network: Network, layer: LSTMLayer) -> str:
    """Name a layer of the Keras model: the one that emits the embedding is called so."""
    return "embedding" if network.bottleneck and layer == network.encoder[-1] else layer.name


def _model_with_lengths(
    network: Network, scaling: Scaling, sequence: keras.KerasTensor, layers: list[keras.Layer], name: str
) -> keras.Model:
    """Build a model whose encoder stops at the end of each sequence; what follows is read as the means."""
    lengths = keras.Input((), dtype="int32", name="lengths")
    ends = keras.ops.expand_dims(lengths, 1)
    positions = keras.ops.cumsum(keras.ops.ones_like(sequence[:, :, 0], dtype="int32"), axis=1)
    inside = keras.ops.expand_dims(positions <= ends, 2)
    means = np.asarray(scaling.means, np.float32).tolist()
    filled = keras.ops.where(inside, sequence, keras.ops.zeros_like(sequence) + keras.ops.convert_to_tensor(means))
    encoder = {_name(network, layer) for layer in network.encoder}
    values, mask = filled, None
    for layer in layers:
        if layer.name in encoder:
            if mask is None:
                steps = keras.ops.cumsum(keras.ops.ones_like(values[:, :, 0], dtype="int32"), axis=1)
                mask = (steps - 1) * network.patch_size < ends
            values = layer(values, mask=mask)
        else:
            values = layer(values)
    return keras.Model([sequence, lengths], values, name=name)


def _rescaling(scaling: Scaling) -> tuple[list[keras.Layer], list[keras.Layer]]:
    """Make the layers that scale sequences, and the one that undoes it."""
    center, scale = scaling.center, scaling.scale
    if not center.any() and (scale == 1).all():
        return [], []
    rescaling = keras.layers.Rescaling
    # Two layers, since a single product and sum would round values that lie far from zero.
    before = [rescaling(1.0, (-center).tolist(), name="center"), rescaling((1 / scale).tolist(), name="scale")]
    return before, [rescaling(scale.tolist(), center.tolist(), name="unscale")]


def _patching(
    network: Network, scaling: Scaling, n_timesteps: int
) -> tuple[list[keras.layers.Layer], list[keras.layers.Layer]]:
    """Make the layers that cut sequences into patches, the last one filled up with means, and those that undo it."""
    if network.patch_size == 1:
        return [], []
    whole = network.whole_patches(n_timesteps)
    into = [keras.layers.Reshape((network.count_steps(n_timesteps), network.n_values_per_step), name="patches")]
    out_of = [keras.layers.Reshape((whole, network.n_features), name="timesteps")]
    if whole > n_timesteps:
        means = np.zeros((whole, network.n_features))
        means[n_timesteps:] = scaling.scaled_means
        filling = keras.layers.ZeroPadding1D((0, whole - n_timesteps), name="padding")
        into = [filling, keras.layers.Rescaling(1.0, means.tolist(), name="padding_means"), *into]
        out_of.append(keras.layers.Cropping1D((0, whole - n_timesteps), name="cropping"))
    return into, out_of


def _time_encoding(network: Network, n_steps: int) -> list[keras.Layer]:
    """Make the layers that append the time features to their input: first zeros, to which the features are added."""
    if not network.n_time_features:
        return []
    offset = np.zeros((n_steps, network.decoder[0].n_inputs))
    offset[:, network.n_components :] = network.time_features(n_steps)
    return [
        keras.layers.Permute((2, 1), name="time_last"),
        keras.layers.ZeroPadding1D((0, network.n_time_features), name="time_padding"),
        keras.layers.Permute((2, 1), name="time_first"),
        keras.layers.Rescaling(1.0, offset.tolist(), name="time_encoding"),
    ]


def _lstms(network: Network, layers: tuple[LSTMLayer, ...]) -> list[keras.layers.LSTM]:
    return [
        keras.layers.LSTM(
            layer.units,
            activation=network.activation,
            return_sequences=layer.return_sequences,
            name=_name(network, layer),
        )
        for layer in layers
    ]
