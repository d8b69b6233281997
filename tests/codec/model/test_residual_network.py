import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from seqembed.codec.bytes.range_coder import ResidualDecoder, ResidualEncoder
from seqembed.codec.model.contexts import N_INPUTS
from seqembed.codec.model.residual_network import _trained_network, learn_residual_network


def random_residuals(n_values=3000, *, n_inputs=N_INPUTS, largest=9, seed=0):
    """Residuals whose size the first input tells, and their sign the second."""
    random = np.random.default_rng(seed)
    inputs = random.integers(-20, 20, (n_values, n_inputs)).astype(np.float32)
    sizes = np.where(inputs[:, 0] > 0, 3.0, 0.2)
    residuals = np.rint(np.abs(random.laplace(0, sizes)) * np.where(inputs[:, 1] > 0, 1, -1)).astype(np.int64)
    return inputs, random.integers(0, 3, n_values), np.clip(residuals, -largest, largest)


@pytest.fixture(scope="session")
def network():
    return learn_residual_network(*random_residuals())


def naive_frequencies(network, inputs, feature):
    """The same with the integers of Python, one value after the other."""
    powers = [int(2 ** (20 - step / 64) + 0.5) for step in range(64)]
    rows = []
    for row in (inputs - network.means) * network.factors:
        scaled = [int(np.rint(min(max(value, -128), 128))) for value in row]
        hidden = []
        for unit in range(network.kernel.shape[1]):
            total = sum(value * int(weight) for value, weight in zip(scaled, network.kernel[:, unit], strict=True))
            hidden.append(min(max((total + int(network.biases[feature, unit])) // 512, 0), 1023))
        logits = [
            sum(value * int(weight) for value, weight in zip(hidden, column, strict=True)) + int(bias)
            for column, bias in zip(network.output_kernel.T, network.output_bias, strict=True)
        ]
        steps = [min((max(logits) - logit) // 64, 64 * 20 - 1) for logit in logits]
        rows.append([(powers[step % 64] >> (step // 64)) + 8 for step in steps])
    return np.array(rows)


@pytest.mark.parametrize("factor", [1, 1000], ids=["exact in float32", "in float64"])
def test_probabilities_are_those_of_whole_numbers(network, factor):
    network = network._replace(output_kernel=network.output_kernel * factor)
    inputs, _, _ = random_residuals(40, seed=1)
    for feature in range(3):
        expected = naive_frequencies(network, inputs, feature)
        np.testing.assert_array_equal(np.concatenate(list(network.frequencies()(inputs, feature))), expected)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_rows_in_order_train_the_same_network_as_rows_taken_one_by_one(n_classes):
    random = np.random.default_rng(0)
    inputs, symbols = random.normal(size=(700, 9)).astype(np.float32), random.integers(0, n_classes, 700)
    naive = MLPClassifier(
        (32,), alpha=0.1, batch_size=256, learning_rate_init=5e-3, random_state=np.random.RandomState(3)
    )
    for _ in range(20):
        naive.partial_fit(inputs, symbols, classes=range(n_classes))
    network = _trained_network(inputs, symbols, 3)
    for weights, expected in zip(network.coefs_ + network.intercepts_, naive.coefs_ + naive.intercepts_, strict=True):
        np.testing.assert_array_equal(weights, expected)


@pytest.mark.slow
def test_bits_are_close_to_the_entropy():
    network = learn_residual_network(*random_residuals(20_000))
    inputs, features, residuals = random_residuals(20_000, seed=2)
    counted = network.count_bits(inputs, features, residuals, np.full(len(residuals), 64))
    entropy = 0
    for large in (False, True):
        for positive in (False, True):
            counts = np.unique(
                residuals[((inputs[:, 0] > 0) == large) & ((inputs[:, 1] > 0) == positive)], return_counts=True
            )[1]
            entropy -= (counts * np.log2(counts / counts.sum())).sum()
    assert entropy < counted < 1.1 * entropy


@pytest.mark.slow
@pytest.mark.parametrize("largest", [1, 60])
def test_residuals_come_back_those_beyond_the_symbols_too(largest):
    inputs, features, residuals = random_residuals(largest=largest)
    network = learn_residual_network(inputs, features, np.clip(residuals, -40, 40))
    residuals[::7] *= 1000
    scales = np.random.default_rng(0).integers(1, 10**6, len(residuals))
    frequencies = np.concatenate(list(network.frequencies()(inputs, 0)))
    encoder = ResidualEncoder()
    encoder.write_with_frequencies(network.frequencies()(inputs, 0), residuals, scales)
    decoder = ResidualDecoder(encoder.finish(), len(residuals))
    np.testing.assert_array_equal(decoder.read_with_frequencies([frequencies], scales), residuals)


def test_two_symbols_and_one_feature_are_enough():
    inputs, _, residuals = random_residuals(500)
    network = learn_residual_network(inputs, np.zeros(500, int), (residuals > 0).astype(np.int64))
    frequencies = np.concatenate(list(network.frequencies()(inputs, 0)))
    assert frequencies.shape == (500, 5)
    likely = np.argmax(frequencies, axis=1) - 2
    assert (likely == (residuals > 0)).mean() > 0.85


def test_the_same_residuals_give_the_same_network(network):
    again = learn_residual_network(*random_residuals())
    for first, second in zip(network, again, strict=True):
        np.testing.assert_array_equal(first, second)
