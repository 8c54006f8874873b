"""Least squares from too few weights to too many: the shortest solution, and what it costs.

With d weights and n examples, n < d, infinitely many weights fit every example. The shortest of them is the
one that gradient descent from zero finds, and what ridge tends to as its penalty goes to zero.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils._torch.tensors import check_float


def least_squares(x: Tensor, y: Tensor, l2: float = 0.0) -> Tensor:
    """The weights that minimise mean (y - x p)**2 + l2 * sum p**2; of several the shortest.

        x = U diag(s) V^T,    p = V diag(s / (s**2 + n * l2)) U^T y      (0 where s is 0)

    With l2 = 0: least squares for independent columns, the interpolating weights of minimum norm for
    independent rows.

    Args:
        x: inputs (..., n, d), floating point.
        y: targets (..., n, k), one column per output.
        l2: >= 0.
    Returns: (..., d, k).
    Raises: ValueError if shapes do not fit or l2 is negative.
    Agrees with: `torch.linalg.pinv(x) @ y` at l2 = 0, `linear_models.ridge` above.
    """
    for name, values in (("x", x), ("y", y)):
        check_float(name, values, cure=f"{name}.double() makes one of a tensor of whole numbers")
    fits = x.ndim == y.ndim >= 2 and x.shape[:-1] == y.shape[:-1]
    require(fits, "x of shape (..., n, d) and y (..., n, k)", x=tuple(x.shape), y=tuple(y.shape))
    require(l2 >= 0, "l2 >= 0", l2=l2)
    n, d = x.shape[-2:]
    u, s, vt = torch.linalg.svd(x, full_matrices=False)
    rounding = max(n, d) * torch.finfo(x.dtype).eps * s[..., :1]
    shrink = torch.where(s > rounding, s / (s**2 + n * l2), torch.zeros_like(s))
    p: Tensor = vt.mT @ (shrink[..., None] * (u.mT @ y))
    return p


def minimum_norm_risk(n: int, p: int, *, inside: float, outside: float) -> float:
    """Mean squared error of `least_squares` with p weights on a new example, averaged over training sets.

    The inputs are standard normal and independent, the target is linear in them plus noise, and p of the
    inputs are used. What is left out acts as noise.

        p <= n - 2:    outside * (1 + p / (n - p - 1))
        p >= n + 2:    inside * (1 - n / p) + outside * (1 + n / (p - n - 1))
        between:       infinite

    Args:
        n: training examples, >= 1.
        p: inputs that are used, >= 0.
        inside: sum of the squared true weights of the inputs used, >= 0.
        outside: variance of the noise plus that sum over the inputs left out, >= 0.
    Raises: ValueError if a number is out of range.
    Source: Breiman & Freedman (1983); Belkin, Hsu & Xu (2020), theorem 1.
    """
    require(n >= 1 and p >= 0, "n >= 1 and p >= 0", n=n, p=p)
    require(inside >= 0 and outside >= 0, "inside >= 0 and outside >= 0", inside=inside, outside=outside)
    if p <= n - 2:
        return outside * (1 + p / (n - p - 1))
    if p >= n + 2:
        return inside * (1 - n / p) + outside * (1 + n / (p - n - 1))
    return math.inf
