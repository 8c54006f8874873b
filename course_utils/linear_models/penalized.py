"""Linear regression with a penalty, solved to the end for many strengths and many data sets at once.

All losses here are the mean of squared residuals, without 1/2, plus penalties of `regularizers`, without 1/2.
There is no bias: centre the columns of x and y first, which is the same as a bias without penalty.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils._torch.tensors import check_float
from course_utils.regularizers import soft_threshold


def ridge(x: Tensor, y: Tensor, l2: Tensor) -> Tensor:
    """The weights that minimise mean (x p - y)**2 + l2 * sum p**2, in closed form.

        p = (x^T x / n + l2 I)^-1 x^T y / n

    Args:
        x: inputs (..., n, d).
        y: targets (..., n).
        l2: strengths (K,), >= 0; at 0 the columns of x must be independent.
    Returns: (..., K, d).
    Raises: ValueError if shapes do not fit or a strength is negative.
    Source: Hoerl & Kennard (1970). Agrees with: scikit-learn's `Ridge(alpha=n * l2)`.
    """
    _check(x, y, l2)
    n, d = x.shape[-2:]
    # x^T (x x^T / n + l2 I)^-1 is the same matrix as (x^T x / n + l2 I)^-1 x^T: solve the smaller system
    wide = d > n and bool((l2 > 0).all())
    square, right = (x @ x.mT / n, y / n) if wide else (x.mT @ x / n, (x.mT @ y[..., None])[..., 0] / n)
    eye = torch.eye(square.shape[-1], dtype=x.dtype, device=x.device)
    system = square[..., None, :, :] + l2[:, None, None] * eye
    right = right[..., None, :].expand(system.shape[:-1])
    solved: Tensor = torch.linalg.solve(system, right[..., None])[..., 0]
    return solved @ x if wide else solved


def ridge_zeros(x: Tensor, y: Tensor, l2: Tensor) -> list[tuple[int, float]]:
    """Where ridge's weights pass through zero as the strength falls: (column, strength), weakest last.

    Between two neighbouring strengths at which a weight has different signs its zero is found by bisection.
    Two zeros between neighbours are not seen.

    Args:
        x: inputs (n, d). y: targets (n,).
        l2: strengths (K,), > 0 and falling.
    Raises: ValueError if shapes do not fit or strengths do not fall.
    """
    require(bool((l2 > 0).all()) and bool((l2.diff() < 0).all()), "strengths > 0 that fall")
    sign = ridge(x, y, l2).sign()
    found = []
    for k, j in (sign[1:] * sign[:-1] < 0).nonzero().tolist():
        high, low = l2[k], l2[k + 1]
        for _ in range(60):
            middle = (high * low).sqrt()
            same = bool(ridge(x, y, middle[None])[0, j].sign() == sign[k, j])
            high, low = (middle, low) if same else (high, middle)
        found.append((int(j), float(middle)))
    return found


def elastic_net(x: Tensor, y: Tensor, l1: Tensor, l2: Tensor | None = None, *, steps: int = 2000) -> Tensor:
    """The weights that minimise mean (x p - y)**2 + l1 * sum |p| + l2 * sum p**2, by accelerated ISTA.

        q    = the point ahead, from where the step is taken
        p'   = soft(q - lr * g(q), lr * l1),   lr = 1 / (largest curvature)
        q'   = p' + (t - 1) / t' * (p' - p),   t' = (1 + sqrt(1 + 4 t**2)) / 2,   t = 1 at first

    and t starts anew where the step turns back. All problems take `steps` steps; zeros are exact.

    Args:
        x: inputs (..., n, d).
        y: targets (..., n).
        l1: strengths (K,), >= 0.
        l2: strengths (K,), >= 0; None for the lasso.
        steps: >= 1.
    Returns: (..., K, d).
    Raises: ValueError if shapes do not fit or a number is out of range.
    Source: Beck & Teboulle (2009), FISTA with constant step; O'Donoghue & Candes (2015), gradient restart.
    Agrees with: scikit-learn's `ElasticNet(alpha=l1 / 2 + l2, l1_ratio=(l1 / 2) / (l1 / 2 + l2))`.
    """
    _check(x, y, *((l1,) if l2 is None else (l1, l2)))
    l2 = torch.zeros_like(l1) if l2 is None else l2
    require(steps >= 1, "steps >= 1", steps=steps)
    n, d = x.shape[-2:]
    gram = x.mT @ x / n if d <= n else None  # with more columns than rows x itself is the smaller matrix
    pull = (x.mT @ y[..., None] / n).mT
    squares = x @ x.mT / n if gram is None else gram
    curvature = torch.linalg.eigvalsh(squares)[..., -1, None, None] + l2[:, None]
    lr = 1 / (2 * curvature)
    p = torch.zeros_like(pull * l1[:, None])
    ahead, t = p, torch.ones_like(p[..., :1])
    for _ in range(steps):
        curved = ahead @ x.mT @ x / n if gram is None else ahead @ gram
        g = 2 * (curved - pull + l2[:, None] * ahead)
        new = soft_threshold(ahead - lr * g, lr * l1[:, None])
        turns = ((ahead - new) * (new - p)).sum(-1, keepdim=True) > 0
        t = torch.where(turns, torch.ones_like(t), t)
        longer = (1 + (1 + 4 * t**2).sqrt()) / 2
        ahead = new + (t - 1) / longer * (new - p)
        p, t = new, longer
    return p


def strongest_l1(x: Tensor, y: Tensor) -> Tensor:
    """The smallest L1 strength at which all weights are zero.

        l1_max = max_j |2 x_j^T y / n|

    Args:
        x, y: inputs (..., n, d) and targets (..., n), centred.
    Returns: (...).
    """
    _check(x, y)
    return 2 * (x.mT @ y[..., None])[..., 0].abs().amax(-1) / x.shape[-2]


def _check(x: Tensor, y: Tensor, *strengths: Tensor) -> None:
    for name, values in (("x", x), ("y", y), *(("strengths", one) for one in strengths)):
        check_float(name, values, cure="torch.tensor([...]) of decimals makes one")
    require(
        x.shape[:-1] == y.shape, "x of shape (..., n, d) and y (..., n)", x=tuple(x.shape), y=tuple(y.shape)
    )
    for strength in strengths:
        require(strength.ndim == 1, "strengths of shape (K,)", shape=tuple(strength.shape))
        require(bool((strength >= 0).all()), "strengths >= 0", least=float(strength.min()))
