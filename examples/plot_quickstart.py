"""
How do I turn recordings into features for a classifier?
========================================================

A smart watch recorded what its wearer was doing. Each recording is a sequence of 100 timesteps and 6 features, and a
classifier needs vectors. Flattening would give 600 numbers that change with every shift in time; an LSTM autoencoder
gives 64 that describe the movement.
"""

# %%
# The data
# --------
# BasicMotions comes with the package: 40 recordings to train on and 40 to test.
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from seqembed import LSTMAutoencoder
from seqembed.datasets import load_basic_motions
from seqembed.plotting import plot_history, plot_reconstruction

train, test = load_basic_motions(split="train"), load_basic_motions(split="test")
print(f"{len(train.data)} recordings to train on, {len(test.data)} to test, each {train.data.shape[1:]}")

# %%
# A pipeline
# ----------
# The autoencoder is a transformer like any other. It learns without labels; only the classifier sees them.
pipeline = make_pipeline(LSTMAutoencoder(random_state=0, verbose=1), StandardScaler(), LogisticRegression())
pipeline.fit(train.data, train.target)
autoencoder = pipeline["lstmautoencoder"]

# 40 recordings differ from their mean in at most 39 components. A 40th would be rounding error, scaled up.
flatten = FunctionTransformer(lambda X: X.reshape(len(X), -1))
pca = make_pipeline(flatten, PCA(min(64, len(train.data) - 1)), StandardScaler(), LogisticRegression())
pca.fit(train.data, train.target)

print(f"test accuracy on the embedding: {pipeline.score(test.data, test.target):.3f}")
print(f"test accuracy on PCA-39:        {pca.score(test.data, test.target):.3f}")
print(f"R^2 of the reconstruction: {autoencoder.score(train.data):.2f} train, {autoencoder.score(test.data):.2f} test")

# %%
# How the training went
# ---------------------
# The loss is that of varied recordings: forty are few to learn from, so they are shifted and warped anew in each epoch.
figures = Path("figures")
figures.mkdir(exist_ok=True)
plot_history(autoencoder).figure.savefig(figures / "quickstart_history.png", dpi=120)

# %%
# What survives the bottleneck
# ----------------------------
# The figure shows test recordings and their reconstructions from 64 numbers: two with errors around the median, and the
# two worst. The network reads and writes ten timesteps at once. The rhythm and the level of each movement survive, and
# single peaks are smoothed. To compress the training recordings themselves, fit with ``augment=False``.
panels = plot_reconstruction(autoencoder, test.data, feature_names=train.feature_names)
panels[0].figure.savefig(figures / "quickstart_reconstruction.png", dpi=120)

# %%
# A map of the embeddings
# -----------------------
# The first two principal components of the 64: recordings of one activity lie together, training and test alike.
embedding = StandardScaler().fit(autoencoder.transform(train.data))
plane = PCA(2).fit(embedding.transform(autoencoder.transform(train.data)))
figure, panel = plt.subplots(figsize=(7, 5.5), layout="constrained")
for part, marker, filled in ((train, "o", True), (test, "^", False)):
    points = plane.transform(embedding.transform(autoencoder.transform(part.data)))
    for label, name in enumerate(part.target_names):
        chosen = part.target == label
        panel.scatter(
            *points[chosen].T,
            marker=marker,
            facecolor=f"C{label}" if filled else "none",
            edgecolor=f"C{label}",
            label=f"{name} ({'train' if filled else 'test'})",
        )
panel.set(xlabel="first principal component", ylabel="second principal component", title="Embeddings of BasicMotions")
panel.legend(fontsize="small", ncols=2)
figure.savefig(figures / "quickstart_map.png", dpi=120)
print(f"figures written to {figures}/: quickstart_history.png, quickstart_reconstruction.png, quickstart_map.png")
