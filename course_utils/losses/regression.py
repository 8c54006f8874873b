"""Losses of a difference: how much does an error of d cost?"""

from __future__ import annotations

import torch
from torch import Tensor

from .._checks import require
from ._inputs import check_elementwise, reduce


def mse_loss(prediction: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Squared error: the negative log-likelihood of Gaussian noise, up to a factor and a constant.

        loss = (x - y)**2

    Its best constant prediction is the mean, and its gradient 2 * (x - y) grows with the error.

    Args:
        prediction: x, in units of the target.
        target: y, floating point.
        reduction: "mean", "sum" or "none".
    Shape: both (*), any shape, the same; a scalar, or (*) with "none".
    Raises: ValueError on shapes that would broadcast, on integers, on an unknown reduction.
    Agrees with: `torch.nn.functional.mse_loss`.
    """
    check_elementwise("prediction", prediction, target)
    return reduce((prediction - target) ** 2, reduction)


def l1_loss(prediction: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Absolute error: the negative log-likelihood of Laplace noise, up to a factor and a constant.

        loss = |x - y|                    gradient sign(x - y), 0 at 0

    Its best constant prediction is the median; an outlier pulls no harder than any other point.

    Args:
        prediction: x, in units of the target.
        target: y, floating point.
        reduction: "mean", "sum" or "none".
    Shape: both (*), any shape, the same; a scalar, or (*) with "none".
    Raises: ValueError on shapes that would broadcast, on integers, on an unknown reduction.
    Agrees with: `torch.nn.functional.l1_loss`.
    """
    check_elementwise("prediction", prediction, target)
    return reduce((prediction - target).abs(), reduction)


def smooth_l1_loss(
    prediction: Tensor, target: Tensor, *, beta: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """Absolute error with its corner rounded off below `beta`; slope 1 beyond.

        d    = |x - y|
        loss = d**2 / (2 * beta)   where d < beta
               d - beta / 2        elsewhere       (so that the two pieces meet)

    Args:
        prediction: x, in units of the target.
        target: y, floating point.
        beta: >= 0, in units of the target. At 0 this is `l1_loss`. `huber_loss(delta=beta)` is beta times it.
        reduction: "mean", "sum" or "none".
    Shape: both (*), any shape, the same; a scalar, or (*) with "none".
    Raises: ValueError if beta < 0, on shapes that would broadcast, on integers, on an unknown reduction.
    Source: Girshick (2015), Fast R-CNN, equation 3 (there beta = 1).
    Agrees with: `torch.nn.functional.smooth_l1_loss`.
    """
    require(beta >= 0, "beta >= 0", beta=beta)
    if beta == 0:
        return l1_loss(prediction, target, reduction=reduction)
    check_elementwise("prediction", prediction, target)
    d = (prediction - target).abs()
    return reduce(torch.where(d < beta, 0.5 * d**2 / beta, d - beta / 2), reduction)


def huber_loss(prediction: Tensor, target: Tensor, *, delta: float = 1.0, reduction: str = "mean") -> Tensor:
    """Half the squared error for small errors, straight lines of slope `delta` beyond.

        d    = |x - y|
        loss = d**2 / 2                   where d < delta
               delta * (d - delta / 2)    elsewhere

    The gradient is x - y, clipped to [-delta, delta].

    Args:
        prediction: x, in units of the target.
        target: y, floating point.
        delta: > 0, in units of the target: the error from which on a point counts as an outlier.
        reduction: "mean", "sum" or "none".
    Shape: both (*), any shape, the same; a scalar, or (*) with "none".
    Raises: ValueError if delta <= 0, on shapes that would broadcast, on integers, on an unknown reduction.
    Source: Huber (1964), Robust estimation of a location parameter.
    Agrees with: `torch.nn.functional.huber_loss`.
    """
    require(delta > 0, "delta > 0", delta=delta)
    check_elementwise("prediction", prediction, target)
    d = (prediction - target).abs()
    return reduce(torch.where(d < delta, 0.5 * d**2, delta * (d - delta / 2)), reduction)
