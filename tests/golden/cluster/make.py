#!/usr/bin/env python3
"""Makes tests/golden/cluster/cluster.json: what scikit-learn and SciPy say of small data made here. Run from the repository root:

    python3 -m venv /tmp/v && /tmp/v/bin/pip install numpy scipy scikit-learn && /tmp/v/bin/python tests/golden/cluster/make.py

Made with scikit-learn 1.9.1, SciPy 1.17.1, NumPy 2.4.6.
"""
import json
import numpy as np
from scipy.spatial.distance import pdist, squareform
from scipy.stats import pearsonr, spearmanr
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.manifold._t_sne import _joint_probabilities
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

rng = np.random.default_rng(20240607)
out = {}


def rounded(x, digits):
    """The data are what is written: round first, compute afterwards."""
    return np.round(np.asarray(x, dtype=np.float64), digits)


# k-means: best of many starts, which stands for the optimum
overlapping = rounded(np.concatenate([rng.normal(c, 1.3, size=(30, 3)) for c in ([0, 0, 0], [3, 0, 1], [0, 4, 0], [2, 2, 5], [6, 5, 1])]), 4)
hot = np.zeros((70, 1500))
index = []
for i in range(70):
    own = rng.choice(150, size=18, replace=False) + 150 * (i % 5)
    common = rng.choice(1500, size=12, replace=False)
    chosen = sorted(set(own.tolist()) | set(common.tolist()))
    index.append(chosen)
    hot[i, chosen] = 1
kmeans = {"x": overlapping.tolist(), "hot_columns": 1500, "hot": index, "cases": []}
for name, x in (("x", overlapping), ("hot", hot)):
    for k in (1, 2, 3, 5, 8):
        fit = KMeans(k, n_init=200, tol=0, max_iter=1000, random_state=0, algorithm="lloyd").fit(x)
        kmeans["cases"].append({"data": name, "k": k, "inertia": fit.inertia_})
out["kmeans"] = kmeans

# agreement of labelings
cases = [([0], [0]), ([0, 0, 0], [0, 0, 0]), ([0, 0, 0, 0], [0, 1, 2, 3]), ([0, 1, 2, 3], [0, 0, 0, 0]), ([0, 1, 2, 3], [3, 1, 0, 2]),
         ([0, 0, 1, 1], [0, 1, 0, 1]), ([0, 0, 1, 1], [5, 5, 9, 9])]
for n, ka, kb in ((20, 3, 3), (50, 4, 7), (200, 10, 10), (200, 1, 5), (331, 30, 12)):
    a = rng.integers(0, ka, n)
    b = np.where(rng.random(n) < 0.5, a % kb, rng.integers(0, kb, n))
    cases.append((a.tolist(), (b * 1000003).tolist()))  # labels with gaps
out["agreement"] = []
for a, b in cases:
    table = contingency_matrix(a, b)
    out["agreement"].append({"a": a, "b": b, "purity": float(table.max(axis=1).sum() / table.sum()), "ari": float(adjusted_rand_score(b, a)),
                             "nmi": float(normalized_mutual_info_score(b, a, average_method="geometric"))})

# correlation, with ties
out["correlation"] = []
for n, ties in ((2, False), (3, True), (10, False), (57, True), (200, True)):
    a = rounded(rng.normal(size=n) * 3, 0 if ties else 6)
    b = rounded(a + rng.normal(size=n) * 2 + 1e3, 0 if ties else 6)
    out["correlation"].append({"a": a.tolist(), "b": b.tolist(), "spearman": float(spearmanr(a, b).statistic), "pearson": float(pearsonr(a, b).statistic)})

# PCA, tall and wide
out["pca"] = []
for n, d in ((40, 6), (7, 30), (12, 12)):
    x = rounded(rng.normal(size=(n, d)) * np.linspace(3, 0.3, d) + 50, 4)
    fit = PCA(4, svd_solver="full").fit(x)
    sign = np.sign(fit.components_[np.arange(4), np.abs(fit.components_).argmax(axis=1)])
    out["pca"].append({"x": x.tolist(), "score": ((x - fit.mean_) @ fit.components_.T * sign).tolist(), "explained": fit.explained_variance_ratio_.tolist()})

# t-SNE: joint probabilities, and the divergences that its exact method reaches from the same kind of start. Descent is chaotic: runs that
# differ in the last bit end a few per cent apart, so only the mean of many says something.
points = rounded(np.concatenate([rng.normal(c, 1.0, size=(25, 5)) for c in rng.normal(0, 4, size=(4, 5))]), 4)
distance = squareform(pdist(points))
p = squareform(_joint_probabilities((distance ** 2).astype(np.float32), 15.0, 0))
start = PCA(2).fit_transform(points)
start = start / start[:, 0].std() * 1e-4
kl = [TSNE(metric="precomputed", method="exact", init=start + rng.normal(size=start.shape) * 1e-6, perplexity=15.0, max_iter=1000)
      .fit(distance.copy()).kl_divergence_ for _ in range(40)]  # fit squares the matrix in place
out["tsne"] = {"x": points.tolist(), "perplexity": 15.0, "p": [[float(f"{v:.8g}") for v in row] for row in p[::11]], "every": 11,
               "kl": [round(float(v), 6) for v in kl]}

with open("tests/golden/cluster/cluster.json", "w") as f:
    json.dump(out, f, separators=(",", ":"))
    f.write("\n")
