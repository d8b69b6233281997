"""The steps that a sequence takes through a network, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqembed.network.architecture import Network


@dataclass(frozen=True)
class LayerStep:
    """The part of one layer in a network, with the shapes of its input and its output.

    Parameters
    ----------
    name : str
        Name of the layer, also in the Keras model.
    kind : str
        The layer as Keras writes it.
    role : {"patch", "context", "encoder", "shortcut", "bridge", "time", "decoder", "hidden", "output"}
        Its part in the network. Without a bottleneck, all LSTM layers are hidden.
    input_shape, output_shape : tuple of int
        Of one sequence: (n_steps, width), or (width,) for a single vector.
    return_sequences : bool or None
        Whether an LSTM layer emits its state at every timestep; None for other layers.
    n_parameters : int
        Number of trainable values.
    """

    name: str
    kind: str
    role: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    return_sequences: bool | None
    n_parameters: int


def layer_steps(network: Network, n_timesteps: int) -> tuple[LayerStep, ...]:
    """Follow a sequence through a network.

    Parameters
    ----------
    network : Network
        Its architecture.
    n_timesteps : int
        Length of the sequence.

    Returns
    -------
    steps : tuple of LayerStep
        One for each layer, from the input to the output.

    Examples
    --------
    >>> [step.output_shape for step in layer_steps(Network(n_features=2), n_timesteps=3)]
    [(3, 128), (64,), (3, 64), (3, 64), (3, 128), (3, 2)]
    """
    n_steps, n_values = network.count_steps(n_timesteps), network.n_values_per_step
    sequence, patches = (n_timesteps, network.n_features), (n_steps, n_values)
    is_whole = network.whole_patches(n_timesteps) == n_timesteps
    steps = []
    if network.patch_size > 1:
        kind = f"Reshape({patches})" if is_whole else f"padding, Reshape({patches})"
        steps.append(LayerStep("patches", kind, "patch", sequence, patches, None, 0))
    roles = ["encoder"] * len(network.encoder) + ["decoder"] * len(network.decoder)
    for layer, role in zip(network.layers, roles, strict=True):
        if layer.name == network.decoder[0].name:
            steps += _steps_between(network, n_steps)
        if layer.name == network.encoder[-1].name and network.context_size:
            below = (n_steps, layer.n_inputs - network.context_size)
            kind = f"summary({network.context_size}), RepeatVector({n_steps})"
            steps.append(LayerStep("context", kind, "context", below, (n_steps, layer.n_inputs), None, 0))
        steps.append(
            LayerStep(
                layer.name,
                f"LSTM({layer.units})",
                role if network.bottleneck else "hidden",
                (n_steps, layer.n_inputs),
                (n_steps, layer.units) if layer.return_sequences else (layer.units,),
                layer.return_sequences,
                sum(int(np.prod(shape)) for shape in layer.weight_shapes.values()),
            )
        )
    units = network.decoder[-1].units
    output = f"TimeDistributed(Dense({n_values}))"
    steps.append(LayerStep("output", output, "output", (n_steps, units), patches, None, (units + 1) * n_values))
    if network.shortcut_size:
        kind = f"loadings of PCA({network.shortcut_size})"
        steps.append(LayerStep("shortcut_out", kind, "shortcut", patches, patches, None, 0))
    if network.patch_size > 1:
        kind = f"Reshape({sequence})" if is_whole else f"Reshape, cropping to {sequence}"
        steps.append(LayerStep("timesteps", kind, "patch", patches, sequence, None, 0))
    return tuple(steps)


def _steps_between(network: Network, n_steps: int) -> list[LayerStep]:
    """List the steps between the encoder and the decoder: shortcut, repetition and time encoding."""
    vector, n_time_features = (network.n_components,), network.n_time_features
    repeated = (n_steps, *vector)
    steps = []
    if network.shortcut_size:
        steps.append(LayerStep("shortcut_in", f"PCA({network.shortcut_size})", "shortcut", vector, vector, None, 0))
    if network.bottleneck:
        steps.append(LayerStep("repeat", f"RepeatVector({n_steps})", "bridge", vector, repeated, None, 0))
    if n_time_features:
        timed = (n_steps, network.n_components + n_time_features)
        steps.append(LayerStep("time", f"time encoding({n_time_features})", "time", repeated, timed, None, 0))
    return steps
