import math

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from seqembed import LSTMAutoencoder, LSTMReconstructor, SequenceSummary
from seqembed.plotting.history import plot_history

matplotlib.use("Agg")

X = np.random.default_rng(0).normal(size=(20, 4, 2))


def autoencoder(**parameters):
    return LSTMAutoencoder(2, hidden_units=(), **{"epochs": 3, "random_state": 0} | parameters)


def lines_by_label(axes):
    return {line.get_label().split(":")[0]: line for line in axes.lines}


def test_each_loss_and_the_learning_rate_have_a_line_over_the_epochs():
    fitted = autoencoder(validation_fraction=0.2).fit(X)
    losses = plot_history(fitted)
    lines = lines_by_label(losses) | lines_by_label(losses.figure.axes[-1])
    lines["learning_rate"] = lines.pop("learning rate")
    assert set(fitted.history_) == {"loss", "readout_loss", "val_loss", "learning_rate"}
    for name, values in fitted.history_.items():
        np.testing.assert_array_equal(lines[name].get_ydata(), values)
        np.testing.assert_array_equal(lines[name].get_xdata(), [1, 2, 3])
    shown = [text.get_text().split(":")[0] for text in losses.get_legend().get_texts()]
    assert shown == ["loss", "readout_loss", "val_loss", "weights kept", "learning rate"]


@pytest.mark.parametrize("best_epoch", [0, 2])
def test_a_line_marks_the_epoch_whose_weights_were_kept(best_epoch):
    fitted = autoencoder().fit(X)
    fitted.best_epoch_ = best_epoch
    losses = plot_history(fitted)
    (mark,) = [line for line in losses.lines if line.get_label() == f"weights kept: epoch {best_epoch}"]
    assert list(mark.get_xdata()) == [best_epoch, best_epoch]
    assert losses.get_xlim()[0] <= 0


def test_the_axis_of_losses_says_in_which_units_they_are():
    assert plot_history(autoencoder().fit(X)).get_ylabel() == "mean squared error, after scaling"
    plain = autoencoder(scale=None).fit(X)
    assert plot_history(plain).get_ylabel() == "mean squared error, in squared units of X"


def test_partial_fit_has_no_best_epoch_and_its_calls_are_counted():
    stream = autoencoder()
    for rows in (slice(10), slice(10, 20)):
        stream.partial_fit(X[rows])
    losses = plot_history(stream)
    assert losses.get_xlabel() == "call of partial_fit, or epoch before it"
    assert not any("weights kept" in str(line.get_label()) for line in losses.lines)
    assert list(lines_by_label(losses)["loss"].get_xdata()) == [1, 2]


def test_a_stream_after_a_fit_with_held_back_sequences_has_fewer_losses_of_those():
    fitted = autoencoder(validation_fraction=0.2).fit(X).partial_fit(X)
    lines = lines_by_label(plot_history(fitted))
    assert len(lines["loss"].get_xdata()) == 4
    assert len(lines["val_loss"].get_xdata()) == 3


@pytest.mark.parametrize(
    ("losses", "scale"), [([0.5, 0.1], "log"), ([0.5, math.inf, math.nan], "log"), ([0.5, 0.0], "linear")]
)
def test_the_axis_is_logarithmic_unless_a_loss_is_zero(losses, scale):
    fitted = autoencoder().fit(X)
    fitted.history_ = {"loss": losses, "learning_rate": [0.01] * len(losses)}
    axes = plot_history(fitted)
    assert axes.get_yscale() == scale
    axes.figure.canvas.draw()


def test_a_single_epoch_is_visible_and_epochs_are_whole_numbers():
    axes = plot_history(LSTMReconstructor(2, hidden_units=(), epochs=1).fit(X))
    assert lines_by_label(axes)["loss"].get_marker() == "."
    assert all(float(tick).is_integer() for tick in axes.get_xticks())


def test_given_axes_are_used():
    _, axes = plt.subplots()
    assert plot_history(autoencoder().fit(X), axes) is axes


def test_what_is_not_trained_in_epochs_is_refused_with_words_and_so_is_an_unfitted_one():
    for other in (SequenceSummary(2).fit(X), make_pipeline(autoencoder())):
        with pytest.raises(TypeError, match=rf"Got estimator= of type {type(other).__name__}.*expected an LSTMAuto"):
            plot_history(other)
    with pytest.raises(NotFittedError):
        plot_history(autoencoder())
