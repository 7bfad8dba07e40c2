#!/usr/bin/env python3
"""Makes iris.csv, wine.csv, digits.csv and breast_cancer.csv beside itself, from the data that scikit-learn carries (BSD 3-clause). From the root:

    python3 -m venv /tmp/v && /tmp/v/bin/pip install scikit-learn && /tmp/v/bin/python examples/train/make_tables.py

Debian's python3-sklearn does as well. The committed files were made with scikit-learn 1.9.1; the data are the same in every version.
"""
import os
from sklearn import datasets

here = os.path.dirname(os.path.abspath(__file__))
for name, target, load in [("iris", "species", datasets.load_iris), ("wine", "cultivar", datasets.load_wine), ("digits", "digit", datasets.load_digits),
                           ("breast_cancer", "diagnosis", datasets.load_breast_cancer)]:
    data = load()
    columns = [str(c).replace(" (cm)", "").replace(" ", "_").replace("/", "_per_") for c in data.feature_names]
    with open(os.path.join(here, name + ".csv"), "w") as f:
        f.write(",".join(columns + [target]) + "\n")
        for row, label in zip(data.data, data.target):
            f.write(",".join([repr(float(v)).removesuffix(".0") for v in row] + [str(data.target_names[label])]) + "\n")
