"""A trained network as a Keras model of standard layers."""

from __future__ import annotations

import os

import keras
import numpy as np

from seqembed.export.keras_summary import context_tensor, frozen
from seqembed.inference.model import TrainedModel
from seqembed.network import shortcut
from seqembed.network.architecture import LSTMLayer, Network
from seqembed.sequences.scaling import LARGEST_READ_VALUE, Scaling

# Layers that scale sequences, and the one that undoes it.
_RESCALING_NAMES = _CENTER, _SCALE, _UNSCALE = "center", "scale", "unscale"


def build_keras_model(model: TrainedModel, part: str = "autoencoder") -> keras.Model:
    """Build a network of standard Keras layers with the weights of a trained model.

    Parameters
    ----------
    model : TrainedModel
        Network, weights, scaling and layout. If scaling changes anything, Rescaling layers, which have no weights, do
        and undo it, and scaled values beyond 1e15 are clipped, as in `transform`. If the fitted sequences differed in
        length, the encoder has a second input, "lengths", of shape (n_samples,).
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
    >>> model = build_keras_model(LSTMAutoencoder(epochs=1).fit(X).model_)
    >>> model.output_shape
    (None, 3, 2)
    """
    network, weights, n_timesteps = model.network, model.weights, model.layout.n_timesteps
    before, after = _rescaling(model.scaling)
    into_patches, out_of_patches = _patching(network, model.scaling, n_timesteps)
    n_steps = network.count_steps(n_timesteps)
    decoder = [
        *([keras.layers.RepeatVector(n_steps, name="repeat")] if network.bottleneck else []),
        *_time_encoding(network, n_steps),
        *_lstms(network, network.decoder),
        keras.layers.TimeDistributed(keras.layers.Dense(network.n_values_per_step), name="output"),
        *out_of_patches,
    ]
    name = f"lstm_{part}" if network.bottleneck else "lstm_reconstructor"
    with_lengths = not model.layout.one_length and part != "decoder"
    code = keras.Input((network.n_components,), name="code")
    sequence = keras.Input((n_timesteps, network.n_features), name="sequence")
    inputs = [code] if part == "decoder" else [sequence]
    # What scales sequences also clips them, which only an operation does: Sequential takes none.
    clips = bool(before) and part != "decoder"
    if network.context_size or network.shortcut_size or with_lengths or clips:
        inputs += [keras.Input((), dtype="int32", name="lengths")] if with_lengths else []
        values = code if part == "decoder" else _encoded(model, inputs, before, into_patches)
        outputs = values if part == "encoder" else _decoded(model, values, decoder, after)
        # Keras warns of a tensor where a model has a list of inputs.
        built = keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs, name=name)
    else:
        encoder = [*before, *into_patches, *_lstms(network, network.encoder)]
        decoder += after
        layers = {"encoder": encoder, "decoder": decoder, "autoencoder": [*encoder, *decoder]}[part]
        built = keras.Sequential([*inputs, *layers], name=name)
    present = {layer.name: layer for layer in built.layers}
    for layer, names in _weight_names(network).items():
        if layer in present:
            present[layer].set_weights([weights[name] for name in names])
    # Keras refuses to export a model to ONNX that was never called; a symbolic call computes nothing.
    symbols = [keras.KerasTensor(each.shape, each.dtype) for each in built.inputs]
    built(symbols if with_lengths else symbols[0])
    return built


def read_keras_weights(model: keras.Model, trained: TrainedModel) -> dict[str, np.ndarray]:
    """Read the weights of a model that `build_keras_model` has built, whatever has trained them since.

    Parameters
    ----------
    model : keras.Model
        The whole network, its encoder or its decoder.
    trained : TrainedModel
        Its network and scaling, and the weights of the layers that the model does not have.

    Returns
    -------
    weights : dict of str to float32 array
        As named by ``network.weight_shapes``: copies where they come from the model.

    Raises
    ------
    ValueError
        If the layers are not those of the network, of its encoder or of its decoder, if a weight has another shape or
        is not finite, if a layer has another activation or goes backwards, if sequences are scaled in another way, and
        if the shortcut or the context is that of another fit.
    TypeError
        For a path, or another object that is no model.
    """
    if not hasattr(model, "layers"):
        is_path = isinstance(model, (str, os.PathLike))
        raise TypeError(
            f"Got {'a path' if is_path else f'model= of type {type(model).__name__}'}, expected a Keras model: pass "
            f"keras.models.load_model({'path' if is_path else '...'})."
        )
    network = trained.network
    present = {layer.name: layer for layer in model.layers}
    expected = _weight_names(network)
    whole, found = set(expected), set(expected) & set(present)
    encoder = {_name(network, layer) for layer in network.encoder} if network.bottleneck else whole
    # Weights of a layer that was given another name would stay as they were, without a word.
    if not found or found not in (whole, encoder, whole - encoder):
        raise ValueError(
            f"Got a Keras model with the layers {', '.join(present)[:200]}, expected those of to_keras, all of the "
            f"network, of its encoder or of its decoder: {', '.join(expected)}.{_plain_settings(network)}"
        )
    read = dict(trained.weights)
    for layer in expected:
        if layer not in present:
            continue
        arrays, names = present[layer].get_weights(), expected[layer]
        given, wanted = [array.shape for array in arrays], [network.weight_shapes[name] for name in names]
        if given != wanted:
            raise ValueError(
                f"Got weights of shapes {given} for the layer {layer!r}, expected {wanted}. Pass a model that this "
                f"estimator's to_keras has built.{_plain_settings(network)}"
            )
        _check_settings(present[layer], layer, network)
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError(f"Got weights of the layer {layer!r} that are not finite. Train with a lower rate.")
        read |= {name: np.array(array, np.float32) for name, array in zip(names, arrays, strict=True)}
    before, after = _rescaling(trained.scaling)
    own = {layer.name: layer for layer in (*before, *after)}
    for name in _RESCALING_NAMES:
        theirs = present.get(name)
        if isinstance(theirs, keras.layers.Rescaling) and not (name in own and _scales_alike(theirs, own[name])):
            raise ValueError(
                f"Got a Keras model that scales sequences in another way: its layer {name!r} is not that of this "
                f"estimator, since it comes from another fit. Call set_keras_weights of the estimator whose to_keras "
                f"has built the model."
            )
    for name, kernel in _frozen_kernels(trained).items():
        if name in present and not _is_close(present[name].get_weights()[0], kernel):
            raise ValueError(
                f"Got a Keras model of another fit: its layer {name!r}, which training does not change, is not that of "
                f"this estimator. Call set_keras_weights of the estimator whose to_keras has built the model."
            )
    return read


def _check_settings(layer: keras.Layer, name: str, network: Network) -> None:
    """Refuse a layer that computes something else from the same weights."""
    expected: dict[str, str | bool] = {"activation": "linear"}
    if name != "output":
        expected = {"activation": network.activation, "recurrent_activation": "sigmoid", "go_backwards": False}
    # The output layer is inside of a layer that repeats it.
    given = getattr(layer, "layer", layer).get_config()
    for setting, value in expected.items():
        if given.get(setting, value) != value:
            line = "Train the model with this setting."
            if name != "output" and setting == "activation":
                line = f"Fit the estimator with activation={given[setting]!r}."
            raise ValueError(
                f"Got a Keras model whose layer {name!r} has {setting}={given[setting]!r}, expected {value!r}, as this "
                f"estimator computes it. {line}"
            )


def _scales_alike(given: keras.layers.Rescaling, expected: keras.layers.Rescaling) -> bool:
    given_and_expected = ((given.scale, expected.scale), (given.offset, expected.offset))
    return all(np.allclose(*pair, rtol=1e-5) for pair in given_and_expected)


def _is_close(given: np.ndarray, expected: np.ndarray) -> bool:
    return given.shape == expected.shape and np.allclose(given, expected, rtol=1e-5)


def _frozen_kernels(model: TrainedModel) -> dict[str, np.ndarray]:
    """Return kernels that training does not change, by the names of their layers."""
    kernels = {}
    if model.context is not None:
        kernels["context"] = model.context.summary.axes * model.context.factor
    if model.network.shortcut_size:
        kernels |= {"shortcut_in": _shortcut_in(model), "shortcut_out": _shortcut_out(model)}
    return kernels


def _shortcut_in(model: TrainedModel) -> np.ndarray:
    projection = shortcut.projection(model.weights).T.reshape(model.weights["shortcut/loadings"].shape)
    # In the timesteps of the sequences, which may be others than those of the loadings.
    projection = shortcut.loadings_of({"shortcut/loadings": projection}, model.layout.n_timesteps)
    return projection.reshape(len(projection), -1).T


def _shortcut_out(model: TrainedModel) -> np.ndarray:
    return shortcut.flat_loadings({"shortcut/loadings": shortcut.loadings_of(model.weights, model.layout.n_timesteps)})


def _plain_settings(network: Network) -> str:
    """Name the settings without which a model of LSTM layers alone has other layers, if the network has such."""
    settings = {
        "patch_size=1": network.patch_size > 1,
        "time_encoding=False": network.n_time_features > 0,
        "context_size=0": network.context_size > 0,
        "shortcut_size=0": network.shortcut_size > 0,
    }
    if not any(settings.values()):
        return ""
    # Scaling leaves names and shapes as they are, so its absence is not noticed.
    named = ", ".join([*(name for name, needed in settings.items() if needed), "scale=None"])
    return f" To take a model of LSTM layers alone, fit the estimator with {named}: see 'Coming from Keras'."


def _weight_names(network: Network) -> dict[str, list[str]]:
    """Name the weights of each layer of the Keras model, in the order in which Keras lists them."""
    names = {_name(network, layer): list(layer.weight_names) for layer in network.layers}
    return names | {"output": ["output/kernel", "output/bias"]}


def _name(network: Network, layer: LSTMLayer) -> str:
    """Name a layer of the Keras model: the one that emits the embedding is called so."""
    emits = network.bottleneck and not network.shortcut_size and layer == network.encoder[-1]
    return "embedding" if emits else layer.name


def _encoded(
    model: TrainedModel, inputs: list[keras.KerasTensor], before: list[keras.Layer], into_patches: list[keras.Layer]
) -> keras.KerasTensor:
    """Run the encoder. It stops at the end of each sequence; what follows is read as the means."""
    network = model.network
    values, ends, mask = inputs[0], None, None
    if len(inputs) > 1:
        ends = keras.ops.expand_dims(inputs[1], 1)
        positions = keras.ops.cumsum(keras.ops.ones_like(values[:, :, 0], dtype="int32"), axis=1)
        inside = keras.ops.expand_dims(positions <= ends, 2)
        means = np.asarray(model.scaling.means, np.float32).tolist()
        values = keras.ops.where(inside, values, keras.ops.zeros_like(values) + keras.ops.convert_to_tensor(means))
    for layer in before:
        values = layer(values)
    # As `ScaledSequences.read_bounded` does. Values that mark missing ones, such as -3.4e38, would become NaN.
    scaled = values = keras.ops.clip(values, -LARGEST_READ_VALUE, LARGEST_READ_VALUE)
    for layer in into_patches:
        values = layer(values)
    if ends is not None:
        steps = keras.ops.cumsum(keras.ops.ones_like(values[:, :, 0], dtype="int32"), axis=1)
        mask = (steps - 1) * network.patch_size < ends
    *others, last = _lstms(network, network.encoder)
    for layer in others:
        values = layer(values, mask=mask)
    if model.context is not None:
        context = keras.layers.RepeatVector(values.shape[1], name="repeat_context")(
            context_tensor(model.context, scaled, ends)
        )
        values = keras.layers.Concatenate(name="with_context")([values, context])
    values = last(values, mask=mask)
    return _joined(model, values, scaled) if network.shortcut_size else values


def _decoded(
    model: TrainedModel, code: keras.KerasTensor, decoder: list[keras.Layer], after: list[keras.Layer]
) -> keras.KerasTensor:
    """Run the decoder, and add up what the components of a shortcut stand for."""
    values = code
    for layer in decoder:
        values = layer(values)
    if model.network.shortcut_size:
        kernel = _shortcut_out(model)
        dense = keras.layers.Dense(kernel.shape[1], use_bias=False, name="shortcut_out")
        added = frozen(dense, code[:, : len(kernel)], kernel)
        shape = model.layout.n_timesteps, model.network.n_features
        values = values + keras.layers.Reshape(shape, name="shortcut_timesteps")(added)
    for layer in after:
        values = layer(values)
    return values


def _joined(model: TrainedModel, states: keras.KerasTensor, scaled: keras.KerasTensor) -> keras.KerasTensor:
    """Join the last states with the components of the shortcut, see `seqembed.network.shortcut.joined`."""
    weights, n_joined = model.weights, model.network.shortcut_size
    means = weights["shortcut/means"]
    deviations = keras.layers.Rescaling(1.0, (-means).tolist(), name="shortcut_means")(scaled)
    dense = keras.layers.Dense(n_joined, use_bias=False, name="shortcut_in")
    flat = keras.layers.Flatten(name="shortcut_values")(deviations)
    components = frozen(dense, flat, _shortcut_in(model))
    components = keras.ops.clip(components, -shortcut.LARGEST_COMPONENT, shortcut.LARGEST_COMPONENT)
    first = states[:, :n_joined]
    if model.network.activation == "tanh":
        squashed = keras.ops.tanh(components)
        first = (first + squashed) / (1 + first * squashed)
    else:
        first = first + components
    return keras.layers.Concatenate(name="embedding")([first, states[:, n_joined:]])


def _rescaling(scaling: Scaling) -> tuple[list[keras.Layer], list[keras.Layer]]:
    """Make the layers that scale sequences, and the one that undoes it."""
    if scaling.is_identity:
        return [], []
    center, scale = scaling.center, scaling.scale
    rescaling = keras.layers.Rescaling
    # Two layers, since a single product and sum would round values that lie far from zero.
    before = [rescaling(1.0, (-center).tolist(), name=_CENTER), rescaling((1 / scale).tolist(), name=_SCALE)]
    return before, [rescaling(scale.tolist(), center.tolist(), name=_UNSCALE)]


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
