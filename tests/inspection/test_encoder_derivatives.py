import numpy as np
import pytest
from networks import BESIDE, NETWORKS

from seqembed.inspection.encoder_derivatives import embedding_derivatives
from seqembed.network import shortcut
from seqembed.network.architecture import Network
from seqembed.network.forward import ForwardPass
from seqembed.network.weights import initial_weights

STEP = 1e-6
SATURATED = Network(n_features=2, n_components=3, hidden_units=(), shortcut_size=2, patch_size=2)
CASES = [case for case in NETWORKS + BESIDE if case[0].bottleneck] + [(SATURATED, 6)]


def draw_weights(network, n_timesteps):
    """Draw weights. Those of the shortcut end before the sequence does."""
    random = np.random.default_rng(0)
    weights = {name: random.normal(0, 0.7, shape).astype(np.float32) for name, shape in network.weight_shapes.items()}
    if network.shortcut_size:
        n_read = max(1, n_timesteps - 1)
        # More axes than values are not orthogonal, which no derivative depends on.
        axes = random.normal(size=(network.shortcut_size, n_read, network.n_features)).astype(np.float32)
        size = 0.02 if network == SATURATED else 2.0
        weights |= shortcut.shortcut_weights(axes, np.full(network.shortcut_size, size), np.ones(network.n_features))
    return weights


def draw_batch(network, n_timesteps, n_samples=4):
    random = np.random.default_rng(1)
    sequences = random.normal(size=(n_samples, n_timesteps, network.n_features)).astype(np.float32)
    lengths = np.array([n_timesteps, *random.integers(1, n_timesteps + 1, n_samples - 1)])
    context = random.normal(size=(n_samples, network.context_size)) if network.context_size else None
    return sequences, lengths, None if context is None else context.astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def naive_embedding(network, weights, sequence, length, context):
    """Embed one sequence in float64, a plain loop over steps and layers."""
    activate = np.tanh if network.activation == "tanh" else lambda values: np.maximum(values, 0)
    steps = list(sequence.reshape(-1, network.n_values_per_step)[: network.count_steps(length)])
    for layer in network.encoder:
        kernel, recurrent_kernel, bias = (each.astype(np.float64) for each in layer.weights(weights))
        if layer == network.encoder[-1] and network.context_size:
            steps = [np.concatenate([step, context]) for step in steps]
        h = c = np.zeros(layer.units)
        states = []
        for step in steps:
            i, f, g, o = np.split(step @ kernel + h @ recurrent_kernel + bias, 4)
            c = sigmoid(f) * c + sigmoid(i) * activate(g)
            h = sigmoid(o) * activate(c)
            states.append(h)
        steps = states
    embedding = steps[-1].copy()
    for number in range(network.shortcut_size):
        loadings = weights["shortcut/loadings"][number].astype(np.float64)
        read = sequence[: len(loadings)] - weights["shortcut/means"]
        component = (read * loadings[: len(read)]).sum() / (loadings**2).sum()
        component = min(max(component, -4), 4)
        state = embedding[number]
        is_tanh = network.activation == "tanh"
        embedding[number] = np.tanh(np.arctanh(state) + component) if is_tanh else state + component
    return embedding


def central_difference(function, values):
    """Derivatives of a vector by each of the values: of shape (n_components, *values.shape)."""
    differences = []
    for place in np.ndindex(values.shape):
        up, down = values.copy(), values.copy()
        up[place] += STEP
        down[place] -= STEP
        differences.append((function(up) - function(down)) / (2 * STEP))
    return np.stack(differences, axis=1).reshape(-1, *values.shape)


@pytest.mark.parametrize(("network", "n_timesteps"), CASES)
def test_derivatives_are_those_of_central_differences(network, n_timesteps):
    weights = draw_weights(network, n_timesteps)
    sequences, lengths, context = draw_batch(network, n_timesteps)
    expected = ForwardPass(network, weights).encode(sequences, lengths, context)
    derivatives = embedding_derivatives(network, weights, sequences, lengths, context)
    for row, (sequence, length) in enumerate(zip(sequences.astype(np.float64), lengths, strict=True)):
        own = np.empty(0) if context is None else context[row].astype(np.float64)
        naive = naive_embedding(network, weights, sequence, length, own)
        np.testing.assert_allclose(naive, expected[row], atol=1e-5)
        by_values = central_difference(lambda x: naive_embedding(network, weights, x, length, own), sequence)  # noqa: B023
        np.testing.assert_allclose(derivatives.by_values[row], by_values, atol=2e-5, rtol=1e-4)
        by_context = np.empty((network.n_components, 0))
        if network.context_size:
            by_context = central_difference(lambda c: naive_embedding(network, weights, sequence, length, c), own)  # noqa: B023
        np.testing.assert_allclose(derivatives.by_context[row], by_context, atol=2e-5, rtol=1e-4)


def test_a_clipped_component_of_the_shortcut_has_no_derivative():
    weights = draw_weights(SATURATED, 6)
    sequences, lengths, _ = draw_batch(SATURATED, 6)
    components = shortcut.flat_deviations(weights, sequences) @ shortcut.projection(weights)
    is_clipped = np.abs(components) > shortcut.LARGEST_COMPONENT
    assert is_clipped.any()
    assert not is_clipped.all()
    # The sequence of one patch ends there, so that only the shortcut reads the rest.
    lengths[:] = 2
    rest = embedding_derivatives(SATURATED, weights, sequences, lengths).by_values[:, :2, 2:]
    np.testing.assert_array_equal(rest.any(axis=(2, 3)), ~is_clipped)


def test_a_batch_gives_what_its_sequences_give_alone():
    network = Network(n_features=2, n_components=3, hidden_units=(5,), context_size=2)
    weights = initial_weights(network, np.random.default_rng(0))
    sequences, lengths, context = draw_batch(network, 6)
    together = embedding_derivatives(network, weights, sequences, lengths, context)
    for row in range(len(sequences)):
        one = slice(row, row + 1)
        alone = embedding_derivatives(network, weights, sequences[one], lengths[one], context[one])
        np.testing.assert_allclose(together.by_values[one], alone.by_values, atol=1e-6)
        np.testing.assert_allclose(together.by_context[one], alone.by_context, atol=1e-6)
