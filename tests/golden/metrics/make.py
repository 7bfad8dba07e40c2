#!/usr/bin/env python3
"""Makes tests/golden/metrics/metrics.json: what scikit-learn and SciPy say of predictions made here. Run from the repository root:

    python3 -m venv /tmp/v && /tmp/v/bin/pip install numpy scipy scikit-learn && /tmp/v/bin/python tests/golden/metrics/make.py

Made with scikit-learn 1.9.1, SciPy 1.17.1, NumPy 2.4.6.
"""
import json
import warnings
import numpy as np
from scipy.stats import pearsonr
from sklearn import metrics as m
from sklearn.calibration import calibration_curve

warnings.simplefilter("ignore")
rng = np.random.default_rng(20261126)
out = {"classes": [], "scores": [], "binary": [], "values": []}


def single(x):
    """Scores are float32 in golgi; scikit-learn gets the same numbers in float64."""
    return np.asarray(x, dtype=np.float32).astype(np.float64)


# predicted and true classes: balanced, skewed, one never predicted, one never true, one class alone
for n, c, case in [(60, 3, "plain"), (200, 7, "skewed"), (40, 4, "never predicted"), (40, 4, "never true"), (9, 2, "binary"), (5, 1, "one")]:
    truth = rng.choice(c, size=n, p=(np.arange(c, 0, -1) ** 2 / np.sum(np.arange(c, 0, -1) ** 2)) if case == "skewed" else None)
    predicted = np.where(rng.random(n) < 0.6, truth, rng.integers(0, c, n))
    if case == "never predicted":
        predicted[predicted == 2] = 0
    if case == "never true":
        truth[truth == 1] = 3
    labels = list(range(c))
    p, r, f, s = m.precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=0)
    e = {"n_classes": c, "truth": truth.tolist(), "predicted": predicted.tolist(), "confusion": m.confusion_matrix(truth, predicted, labels=labels).tolist(),
         "accuracy": m.accuracy_score(truth, predicted), "balanced": m.balanced_accuracy_score(truth, predicted),
         "precision": p.tolist(), "recall": r.tolist(), "f1": f.tolist(), "support": s.tolist()}
    for kind in ("macro", "micro", "weighted"):
        e[kind] = list(m.precision_recall_fscore_support(truth, predicted, labels=labels, average=kind, zero_division=0)[:3])
    out["classes"].append(e)

# scores of several classes
for n, c, spread in [(50, 3, 1.0), (120, 6, 3.0), (30, 10, 0.2)]:
    truth = np.concatenate([np.arange(c), rng.integers(0, c, n - c)])
    logits = single(rng.normal(size=(n, c)) * spread + np.eye(c)[truth] * spread)
    p = single(np.exp(logits - logits.max(1, keepdims=True)))
    p = single(p / p.sum(1, keepdims=True))
    # roc_auc_score wants rows that sum to 1 in float64
    e = {"n_classes": c, "truth": truth.tolist(), "logits": logits.tolist(), "p": p.tolist(),
         "top": {str(k): float(m.top_k_accuracy_score(truth, logits, k=k, labels=list(range(c)))) for k in (1, 2, c - 1)},
         "auroc": float(np.mean([m.roc_auc_score(truth == k, p[:, k]) for k in range(c)])),
         "log_loss": float(-np.mean(np.log(p[np.arange(n), truth]))),
         "brier": float(np.mean(np.sum((p - np.eye(c)[truth]) ** 2, axis=1)))}
    exact = p / p.sum(1, keepdims=True)
    assert abs(e["log_loss"] - m.log_loss(truth, exact, labels=list(range(c)))) < 1e-6
    assert abs(e["auroc"] - m.roc_auc_score(truth, exact, multi_class="ovr", average="macro")) < 1e-12
    assert abs(e["brier"] - m.brier_score_loss(truth, exact, labels=list(range(c)), scale_by_half=False)) < 1e-6
    log_sum = np.log(np.sum(np.exp(logits - logits.max(1, keepdims=True)), axis=1)) + logits.max(1)
    e["nll"] = float(np.mean(log_sum - logits[np.arange(n), truth]))
    out["scores"].append(e)

# one score: without ties, with many, all equal; probabilities at and near 0 and 1
for n, case in [(40, "plain"), (300, "ties"), (12, "equal"), (60, "extreme"), (2, "two")]:
    truth = rng.integers(0, 2, n)
    truth[:2] = [0, 1]
    score = np.clip(0.5 + 0.25 * rng.normal(size=n) + 0.15 * (truth - 0.5), 0, 1)
    if case == "ties":
        score = np.round(score * 8) / 8
    if case == "equal":
        score[:] = 0.25
    if case == "extreme":
        score = np.where(rng.random(n) < 0.3, np.round(score), score)
    score = single(score)
    e = {"case": case, "truth": truth.tolist(), "score": score.tolist(), "auroc": m.roc_auc_score(truth, score), "ap": m.average_precision_score(truth, score),
         "log_loss": m.log_loss(truth, score), "brier": m.brier_score_loss(truth, score)}
    for bins in (5, 8, 10):
        right, confidence = calibration_curve(truth, score, n_bins=bins)
        e[f"calibration{bins}"] = {"right": right.tolist(), "confidence": confidence.tolist()}
    out["binary"].append(e)

# values: plain, far from 0 with a small spread, worse than the mean, nearly right
for n, case in [(50, "plain"), (200, "far"), (30, "bad"), (20, "good")]:
    truth = rng.normal(size=n) * 3
    predicted = truth + rng.normal(size=n) * {"plain": 1, "far": 0.5, "bad": 10, "good": 1e-3}[case]
    if case == "far":
        truth, predicted = truth + 50000, predicted + 50000
    truth, predicted = single(truth), single(predicted)
    out["values"].append({"case": case, "truth": truth.tolist(), "predicted": predicted.tolist(), "r2": m.r2_score(truth, predicted),
                          "mae": m.mean_absolute_error(truth, predicted), "rmse": m.root_mean_squared_error(truth, predicted),
                          "pearson": pearsonr(truth, predicted)[0]})

with open("tests/golden/metrics/metrics.json", "w") as f:
    json.dump(out, f, separators=(",", ":"), default=float)
    f.write("\n")
