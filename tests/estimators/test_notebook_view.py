import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqembed import LSTMAutoencoder, LSTMReconstructor
from seqembed.estimators.notebook_view import fitted_facts

X = np.random.default_rng(0).normal(size=(20, 5, 3))


def autoencoder(**parameters):
    return LSTMAutoencoder(2, hidden_units=(), **{"epochs": 3, "random_state": 0} | parameters)


def html_of(estimator):
    bundle = estimator._repr_mimebundle_()
    assert bundle["text/plain"] == repr(estimator)
    return bundle["text/html"]


def without_ids(html):
    """A view without the numbers that scikit-learn counts up."""
    return "".join(character for character in html if not character.isdigit())


def test_a_fitted_network_shows_shapes_size_and_training_above_scikit_learns_parameters():
    fitted = autoencoder(validation_fraction=0.2).fit(X)
    html = html_of(fitted)
    table, _, below = html.partition("</table>")
    for text in ("5 timesteps x 3 features", "2 numbers", f"{fitted.network_.n_parameters:,}", "<th>epochs</th><td>3"):
        assert text in table
    for name in ("loss", "val_loss"):
        assert f"<th>{name}</th><td>{fitted.history_[name][-1]:.4g} in the last epoch" in table
    assert "sk-top-container" in below
    assert "validation_fraction" in below
    assert without_ids(fitted._repr_html_()) == without_ids(html)


def test_an_unfitted_network_and_a_clone_look_as_scikit_learn_shows_them():
    for unfitted in (autoencoder(), clone(autoencoder().fit(X))):
        assert "in the last epoch" not in html_of(unfitted)
        assert without_ids(html_of(unfitted)) == without_ids(sklearn.utils.estimator_html_repr(unfitted))


def test_a_pipeline_shows_its_steps():
    pipeline = make_pipeline(autoencoder(), StandardScaler()).fit(X)
    html = html_of(pipeline)
    assert "LSTMAutoencoder" in html
    assert "StandardScaler" in html


def test_text_is_shown_where_scikit_learn_is_set_to_show_text():
    fitted = autoencoder().fit(X)
    with sklearn.config_context(display="text"):
        assert fitted._repr_mimebundle_() == {"text/plain": repr(fitted)}
        assert not hasattr(fitted, "_repr_html_")
    assert repr(fitted) == "LSTMAutoencoder(epochs=3, hidden_units=(), n_components=2, random_state=0)"


def test_partial_fit_has_no_best_epoch_to_show():
    facts = dict(fitted_facts(autoencoder().partial_fit(X).partial_fit(X)))
    assert facts["epochs"] == "2, the last of them by partial_fit"


def test_epochs_say_which_one_was_kept_and_whether_training_was_interrupted():
    fitted = autoencoder().fit(X)
    fitted.best_epoch_ = 1
    assert dict(fitted_facts(fitted))["epochs"] == "3; the weights are those after epoch 1"
    fitted.interrupted_ = True
    assert dict(fitted_facts(fitted))["epochs"] == "3, interrupted; the weights are those after epoch 1"


def test_lengths_units_and_a_missing_embedding_are_named():
    ragged = [x[:n] for x, n in zip(X, np.arange(20) % 4 + 2, strict=True)]
    facts = dict(fitted_facts(LSTMReconstructor(2, hidden_units=(), epochs=1, scale=None).fit(ragged)))
    assert facts["sequences"] == "up to 5 timesteps x 3 features"
    assert facts["embedding"].startswith("none")
    assert facts["loss"].endswith("(mean squared error, in squared units of X)")


@pytest.mark.parametrize(("losses", "shown"), [([0.5, 0.25, np.inf], "inf in the last epoch, 0.25"), ([np.nan], "nan")])
def test_losses_that_are_not_finite_are_shown_and_are_not_the_best(losses, shown):
    fitted = autoencoder().fit(X)
    fitted.history_ = {"loss": losses}
    assert dict(fitted_facts(fitted))["loss"].startswith(shown)
