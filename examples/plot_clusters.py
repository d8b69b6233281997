"""
Nobody labelled my sequences: which kinds are there, and what do they look like?
================================================================================

Clusters of raw sequences are clusters of phases: a wave that starts a little later is as far from itself as from
another wave. Clusters of vectors that do not depend on the phase are kinds. We cluster two sets without their labels,
choose the number of clusters without them too, and use them only at the end, to see how good the clusters are.
"""

# %%
# Two sets
# --------
# Recordings of four activities, and waves of four shapes. Each wave starts somewhere else.
from pathlib import Path

import numpy as np
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, silhouette_score

from seqembed import LSTMAutoencoder, SequenceSummary
from seqembed.datasets import load_basic_motions
from seqembed.inspection import typical_sequences
from seqembed.plotting import plot_map, plot_typical_sequences

motions = load_basic_motions()
random = np.random.default_rng(0)
position = np.arange(60) / 15 + random.uniform(0, 1, (120, 1))
kinds = np.arange(120) % 4
shapes = [np.sin(2 * np.pi * position), np.sign(np.sin(2 * np.pi * position)), 2 * (position % 1) - 1]
shapes.append(2 * np.abs(np.sin(np.pi * position)) - 1)
waves = np.choose(kinds[:, np.newaxis], shapes) + random.normal(0, 0.1, position.shape)
sets = {"motions": (motions.data, motions.target), "waves": (waves[:, :, np.newaxis].astype(np.float32), kinds)}

# %%
# Four kinds of vectors
# ---------------------
# Raw values, 64 principal components of them (or as many as there are), the context alone, which are statistics and
# shares of convolutions without a network, and the embedding, which reads values and context.
autoencoders, vectors = {}, {}
for name, (X, _) in sets.items():
    flat = ((X - X.mean(axis=(0, 1))) / X.std(axis=(0, 1))).reshape(len(X), -1)
    autoencoders[name] = LSTMAutoencoder(32, hidden_units=(64,), epochs=60, random_state=0).fit(X)
    vectors[name] = {
        "raw values": flat,
        "PCA": PCA(min(64, len(X) - 1, flat.shape[1])).fit_transform(flat),
        "context alone": SequenceSummary(32).fit_transform(X),
        "embedding": autoencoders[name].transform(X),
    }


# %%
# Clusters, and their number
# --------------------------
# k-means needs the number of clusters. The silhouette says how much nearer a vector is to its own cluster than to the
# next one; it needs no labels, and we take the number that has the highest. HDBSCAN finds a number by itself, and puts
# what lies between clusters into none, with the label -1. The adjusted Rand index compares clusters with the labels: 1
# is the same partition, and chance gets 0.
def best_kmeans(Z):
    """Cluster by k-means into 2 to 8 clusters, and return the labels of the highest silhouette."""
    candidates = [KMeans(number, n_init=5, random_state=0).fit_predict(Z) for number in range(2, 9)]
    return max(candidates, key=lambda labels: silhouette_score(Z, labels))


clusters = {}
print(f"{'set':9}{'vectors':15}{'k-means':>8}{'Rand':>6}{'HDBSCAN':>9}{'Rand':>6}{'noise':>7}")
for name, (_, target) in sets.items():
    for kind, Z in vectors[name].items():
        labels, dense = best_kmeans(Z), HDBSCAN(min_cluster_size=5, copy=True).fit_predict(Z)
        clusters[name, kind] = labels
        scores = [adjusted_rand_score(target, each) for each in (labels, dense)]
        print(
            f"{name:9}{kind:15}{labels.max() + 1:8}{scores[0]:6.2f}{dense.max() + 1:9}{scores[1]:6.2f}"
            f"{(dense == -1).mean():7.0%}"
        )

# %%
# Raw values and their principal components hardly tell the kinds apart, since phases differ. The context is made to
# ignore the phase, and HDBSCAN finds the kinds in it. The highest silhouette may be that of fewer clusters: of the
# waves, it takes two shapes as one. The embedding reads the context. It also holds the phase, which it needs to decode
# a sequence, so its clusters need not be better than those of the context. But only the embedding can show what they
# are.

# %%
# A map
# -----
# Two principal components of the embeddings of the recordings, in the colours of their clusters.
figures = Path("figures")
figures.mkdir(exist_ok=True)
panel = plot_map(vectors["motions"]["embedding"], clusters["motions", "embedding"])
panel.set_title("Recordings of motions, clustered without labels")
panel.figure.savefig(figures / "clusters_map.png", dpi=120)

# %%
# The face of a cluster
# ---------------------
# For each cluster of waves: the sequence decoded from its mean embedding, and the member that is nearest to the mean.
# The phases of the members differ, and so the decoded centre is flatter than any of them. The member shows the shape.
typical = typical_sequences(autoencoders["waves"], sets["waves"][0], clusters["waves", "embedding"])
for label, size, center, member in zip(typical.labels, typical.sizes, typical.centers, typical.nearest, strict=True):
    print(
        f"cluster {label}: {size} waves, deviation of the centre {center.std():.2f}, of its member {member.std():.2f}"
    )
panels = plot_typical_sequences(typical)
panels[0].figure.savefig(figures / "clusters_typical.png", dpi=120)
print(f"figures written to {figures}/: clusters_map.png, clusters_typical.png")
