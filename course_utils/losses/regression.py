"""Losses of a difference: how much does an error of d cost?"""

from __future__ import annotations

from torch import Tensor

from .._checks import require
from .._tensors import check_float, widen
from .._tracing import one_node
from ._inputs import check_elementwise, reduce


@one_node
def mse_loss(
    input: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Squared error: the negative log-likelihood of Gaussian noise, up to a factor and a constant.

        loss = weight * (x - y)**2
        mean = sum(loss) / sum(weight)

    Its best constant prediction is the mean, and its gradient 2 * (x - y) grows with the error.

    Args:
        input: x, the prediction, in units of the target.
        target: y, floating point.
        weight: how much each number counts; 1 for all when left out.
        reduction: "mean", "sum" or "none".
    Shape: all (*), any shape, the same; a scalar, or (*) with "none".
    Raises: ValueError on shapes that would broadcast, on integers, on an unknown reduction.
    Agrees with: `torch.nn.functional.mse_loss`.
    """
    d, w = _difference(input, target, weight)
    loss = d * d  # not d**2, whose gradient is g * (2 * d): inf from half the largest number on
    return reduce(loss if w is None else w * loss, reduction, input, target, weight=w)


@one_node
def l1_loss(
    input: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Absolute error: the negative log-likelihood of Laplace noise, up to a factor and a constant.

        loss = weight * |x - y|           gradient sign(x - y), 0 at 0
        mean = sum(loss) / sum(weight)

    Its best constant prediction is the median; an outlier pulls no harder than any other point.

    Args:
        input: x, the prediction, in units of the target.
        target: y, floating point.
        weight: how much each number counts; 1 for all when left out.
        reduction: "mean", "sum" or "none".
    Shape: all (*), any shape, the same; a scalar, or (*) with "none".
    Raises: ValueError on shapes that would broadcast, on integers, on an unknown reduction.
    Agrees with: `torch.nn.functional.l1_loss`.
    """
    d, w = _difference(input, target, weight)
    loss = d.abs()
    return reduce(loss if w is None else w * loss, reduction, input, target, weight=w)


@one_node
def smooth_l1_loss(input: Tensor, target: Tensor, *, beta: float = 1.0, reduction: str = "mean") -> Tensor:
    """Absolute error with its corner rounded off below `beta`; slope 1 beyond.

        d    = |x - y|
        loss = d**2 / (2 * beta)   where d < beta
               d - beta / 2        elsewhere       (so that the two pieces meet)

    With m = min(d, beta) both pieces are m / beta * (d - m / 2), which is what runs: a choice by
    `torch.where` would give NaN gradients where the square that is not chosen overflows.

    Args:
        input: x, the prediction, in units of the target.
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
        return l1_loss(input, target, reduction=reduction)
    d = _difference(input, target)[0].abs()
    m = d.clamp(max=beta)
    return reduce(m / beta * (d - m / 2), reduction, input, target)


@one_node
def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Half the squared error for small errors, straight lines of slope `delta` beyond.

        d    = |x - y|
        loss = d**2 / 2                   where d < delta
               delta * (d - delta / 2)    elsewhere
        mean = sum(weight * loss) / their number          not divided by the weights

    The gradient is x - y, clipped to [-delta, delta]. With m = min(d, delta) both pieces are m * (d - m / 2),
    which is what runs: a choice by `torch.where` would give NaN gradients where the square that is not chosen
    overflows.

    Args:
        input: x, the prediction, in units of the target.
        target: y, floating point.
        reduction: "mean", "sum" or "none".
        delta: > 0, in units of the target: the error from which on a point counts as an outlier. inf is none.
        weight: how much each number counts; 1 for all when left out.
    Shape: all (*), any shape, the same; a scalar, or (*) with "none".
    Raises: ValueError if delta <= 0, on shapes that would broadcast, on integers, on an unknown reduction.
    Source: Huber (1964), Robust estimation of a location parameter.
    Agrees with: `torch.nn.functional.huber_loss`, which keeps the dtype of the prediction where the target's
        is wider.
    """
    require(delta > 0, "delta > 0", delta=delta)
    d, w = _difference(input, target, weight)
    d = d.abs()
    m = d.clamp(max=delta)
    loss = m * (d - m / 2)
    return reduce(loss if w is None else w * loss, reduction, input, target)


def _difference(input: Tensor, target: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """x - y and the weight, checked, in float32 at least."""
    check_elementwise("prediction", input, target)
    d = widen(input) - widen(target)
    if weight is None:
        return d, None
    check_float("weight", weight, cure="convert it with .float()")
    require(
        weight.shape == input.shape,
        "a weight in the shape of the prediction",
        weight=tuple(weight.shape),
        prediction=tuple(input.shape),
    )
    return d, widen(weight)
