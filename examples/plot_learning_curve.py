"""
Is my autoencoder trained well? How to read a learning curve
============================================================

A bad fit returns as a good one does. Its losses show whether it was too short, long enough, or failed. We make each of
these happen, and draw the curve.
"""

# %%
# The data
# --------
# The daily demand for electricity, 24 values each: 200 days to fit on, and 200 others to compare with.
import warnings
from pathlib import Path

import matplotlib.pyplot as plt

from seqembed import LSTMAutoencoder
from seqembed.datasets import load_italy_power
from seqembed.plotting import plot_history

X = load_italy_power().data
X_fit, X_held_out = X[:200], X[200:400]
settings = {"n_components": 8, "hidden_units": (16,), "random_state": 0}
figures = Path("figures")
figures.mkdir(exist_ok=True)


def describe(name, autoencoder):
    """Print the losses of a fit, and R^2 on both parts."""
    loss = autoencoder.history_["loss"]
    print(
        f"{name}: loss {loss[0]:.3f} in the first epoch, {loss[-1]:.3f} in the last, weights of epoch "
        f"{autoencoder.best_epoch_} of {autoencoder.n_iter_}; R^2 {autoencoder.score(X_fit):.3f} on the fitted days, "
        f"{autoencoder.score(X_held_out):.3f} on others"
    )


# %%
# Too short, and long enough
# --------------------------
# The learning rate rises and then falls to 1 % of its peak, over the epochs that the fit is given. So a curve always
# becomes flat at its end, also that of a fit that is far too short: a flat end proves nothing. So fit longer: if the
# loss ends as high, the shorter fit was enough.
figure, panels = plt.subplots(1, 2, figsize=(13, 5), layout="constrained", sharey=True)
for panel, name, epochs in zip(panels, ("too short", "twelve times as long"), (5, 60), strict=True):
    autoencoder = LSTMAutoencoder(**settings, epochs=epochs, validation_fraction=0.2).fit(X_fit)
    describe(f"{epochs} epochs", autoencoder)
    plot_history(autoencoder, ax=panel).set_title(f"{epochs} epochs: {name}")
figure.savefig(figures / "learning_curve_length.png", dpi=120)

# %%
# The dashed line marks the epoch whose weights were kept. With `validation_fraction` it is that of the lowest
# "val_loss", the loss of days that were held back. A "val_loss" that rises while "loss" falls means that the network
# memorises.

# %%
# With and without augment
# ------------------------
# By default, the fitted sequences are varied anew in each epoch, and "loss" is that of the varied ones. They are harder
# or easier than the data, so this loss can't be compared with that of ``augment=False``, and "val_loss" can lie below
# it. Compare R^2 on sequences that were not fitted. `augment` is there to make the gap between fitted days and others
# smaller. Whether the others gain depends on the data, the size of the network and the epochs: a network as small as
# this one has little room to memorise. The titles of the figure show it.
figure, panels = plt.subplots(1, 2, figsize=(13, 5), layout="constrained", sharey=True)
for panel, augment in zip(panels, (True, False), strict=True):
    autoencoder = LSTMAutoencoder(**settings, epochs=150, augment=augment, shortcut_size=0).fit(X_fit[:20])
    fitted, others = autoencoder.score(X_fit[:20]), autoencoder.score(X_held_out)
    print(f"augment={augment}: R^2 {fitted:.3f} on the twenty fitted days, {others:.3f} on others")
    plot_history(autoencoder, ax=panel).set_title(f"augment={augment}: R^2 {fitted:.2f} fitted, {others:.2f} others")
figure.savefig(figures / "learning_curve_augment.png", dpi=120)

# %%
# Exploded
# --------
# ``activation="relu"`` is that of the original post. The state of such a cell has no bound, and over many timesteps it
# can grow without end. Here the learning rate is far too high as well, and the network is that of LSTM layers alone,
# without context and shortcut. When the loss explodes, `fit` returns to the best weights so far and lowers the learning
# rate. At the end it warns. After four such reductions it raises a FloatingPointError. A gap in a curve is a loss that
# was not finite.
layers_alone = {"context_size": 0, "shortcut_size": 0}
exploding = LSTMAutoencoder(
    **settings, **layers_alone, activation="relu", learning_rate=0.3, epochs=30, validation_fraction=0.2
)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    exploding.fit(X_fit)
for each in caught:
    print(f"{each.category.__name__}: {each.message}")
describe("relu", exploding)
panel = plot_history(exploding)
panel.set_title('activation="relu", learning_rate=0.3')
panel.figure.savefig(figures / "learning_curve_exploded.png", dpi=120)

# %%
# The warning names the remedies: the default activation, or a lower learning rate.
names = [f"learning_curve_{name}.png" for name in ("length", "augment", "exploded")]
print(f"figures written to {figures}/: {', '.join(names)}")
