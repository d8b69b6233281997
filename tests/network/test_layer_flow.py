from itertools import pairwise

import pytest

from seqembed import LSTMAutoencoder
from seqembed.network.architecture import Network
from seqembed.network.layer_flow import LayerFlow


def test_the_flow_of_the_post_has_its_shapes_and_parameters():
    steps = LayerFlow(Network(n_features=2), n_timesteps=3).steps
    assert [(step.kind, step.output_shape, step.n_parameters) for step in steps] == [
        ("LSTM(128)", (3, 128), 67_072),
        ("LSTM(64)", (64,), 49_408),
        ("RepeatVector(3)", (3, 64), 0),
        ("LSTM(64)", (3, 64), 33_024),
        ("LSTM(128)", (3, 128), 98_816),
        ("TimeDistributed(Dense(2))", (3, 2), 258),
    ]


def test_without_bottleneck_every_layer_returns_all_steps_and_nothing_is_repeated():
    flow = LayerFlow(Network(n_features=2, bottleneck=False), n_timesteps=3)
    assert [step.output_shape for step in flow.steps] == [(3, 128), (3, 64), (3, 64), (3, 128), (3, 2)]
    assert flow.n_parameters == 248_578


def test_each_layer_of_a_flow_reads_what_the_one_before_emits():
    steps = LayerFlow(Network(n_features=3, n_components=4, hidden_units=(7, 5)), n_timesteps=6).steps
    for before, after in pairwise(steps):
        assert after.input_shape == before.output_shape


def test_parameters_of_a_flow_add_up():
    flow = LayerFlow(Network(n_features=3, hidden_units=()), n_timesteps=6)
    assert sum(step.n_parameters for step in flow.steps) == flow.n_parameters


def test_notebooks_show_a_table_with_a_row_for_each_layer():
    html = LayerFlow(Network(n_features=2), n_timesteps=3)._repr_html_()
    assert html.count("<tr>") == 1 + 6 + 1
    assert "<td>RepeatVector(3)</td>" in html


def test_the_flow_of_an_unfitted_estimator_asks_for_the_shape(fitted):
    with pytest.raises(ValueError, match="not fitted, so the shape of its sequences is unknown"):
        LSTMAutoencoder().layer_flow()
    assert fitted.layer_flow().n_timesteps == 7


def test_patches_are_read_and_written_as_steps_of_their_own():
    flow = LayerFlow(Network(n_features=2, patch_size=4), n_timesteps=10)
    shapes = [(step.name, step.input_shape, step.output_shape) for step in flow.steps]
    assert shapes[0] == ("patches", (10, 2), (3, 8))
    assert shapes[1] == ("encoder_1", (3, 8), (3, 128))
    assert shapes[-2:] == [("output", (3, 128), (3, 8)), ("timesteps", (3, 8), (10, 2))]
    assert sum(step.n_parameters for step in flow.steps) == flow.n_parameters
