"""The same solutions by scikit-learn, whose objectives have other factors: what this course compares with."""

from __future__ import annotations

import torch
from torch import Tensor


def scikit_learn_path(x: Tensor, y: Tensor, l1: Tensor, l2: Tensor) -> Tensor:
    """The weights that minimise mean (x p - y)**2 + l1 * sum |p| + l2 * sum p**2, by scikit-learn.

        l1 = 0:  Ridge(n * l2)            sum of squares + alpha * sum p**2
        l2 = 0:  Lasso(l1 / 2)            half the mean + alpha * sum |p|
        else:    ElasticNet(l1 / 2 + l2, l1_ratio = (l1 / 2) / alpha)

    Args:
        x, y: inputs (n, d) and targets (n,), centred.
        l1, l2: strengths (K,), >= 0, not both zero.
    Returns: (K, d).
    """
    from sklearn.linear_model import ElasticNet, Lasso, Ridge  # slow to import, and one lesson needs it

    exact = {"fit_intercept": False, "tol": 1e-12, "max_iter": 100_000}
    rows = []
    for one, two in zip(l1.tolist(), l2.tolist(), strict=True):
        if one == 0:
            model = Ridge(len(x) * two, fit_intercept=False)
        elif two == 0:
            model = Lasso(one / 2, **exact)
        else:
            model = ElasticNet(one / 2 + two, l1_ratio=one / (one + 2 * two), **exact)
        rows.append(torch.from_numpy(model.fit(x.numpy(), y.numpy()).coef_))
    return torch.stack(rows)
