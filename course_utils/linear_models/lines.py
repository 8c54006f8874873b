"""Constants and straight lines that minimise a loss, for many data sets at once.

    least_squares_line(x, y)          mean squared error
    least_absolute_line(x, y)         absolute error, exactly
    huber_line(x, y, delta=1.0)       Huber's loss
    cauchy_line(x, y, scale=1.0)      log(1 + (r / scale)**2), downhill from the Huber line or a start
    huber_mean(y, delta=1.0)          the best constant under Huber's loss

Every line is returned as (..., 2): intercept a, slope b, of y = a + b * x.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils._torch.tensors import check_float

_MOST_ROUNDS = 1000
_TIE = 1e-12  # relative: what rounding makes of two equal sums


def least_squares_line(x: Tensor, y: Tensor) -> Tensor:
    """The line with the least mean squared error.

        b = sum((x - mean x) * (y - mean y)) / sum((x - mean x)**2),    a = mean y - b * mean x

    Args:
        x, y: floating point; no two equal x are needed, but not all may be equal.
    Shape: x and y (..., n), n >= 2; the line (..., 2).
    Raises: ValueError for other shapes, or where all x are equal.
    """
    _check(x, y)
    return _weighted_line(x, y, torch.ones_like(x))


def least_absolute_line(x: Tensor, y: Tensor) -> Tensor:
    """The line with the least sum of absolute errors; it goes through two of the points.

    Through point i the best slope is the median of the slopes (y_j - y_i) / (x_j - x_i), weighted with
    |x_j - x_i|. All n points are tried. Of lines that are equally good (to rounding) the one through the
    first such point is returned.

    Args and Shape: as `least_squares_line`. Memory grows with n**2.
    Source: Boscovich (1757), Laplace (1793): the weighted median.
    """
    _check(x, y)
    dx, dy = x[..., None, :] - x[..., :, None], y[..., None, :] - y[..., :, None]  # (..., i, j)
    slopes = torch.where(dx == 0, 0, dy / torch.where(dx == 0, 1, dx))
    order = slopes.argsort(-1)
    weight = dx.abs().gather(-1, order).cumsum(-1)
    half = weight[..., -1:] / 2 * (1 - _TIE)
    middle = (weight >= half).long().argmax(-1, keepdim=True)  # the first to reach half
    slope = slopes.gather(-1, order).gather(-1, middle)  # (..., i, 1)
    cost = (dy - slope * dx).abs().sum(-1)
    best = (cost <= cost.amin(-1, keepdim=True) * (1 + _TIE)).long().argmax(-1, keepdim=True)
    b = slope[..., 0].gather(-1, best)
    return torch.cat([y.gather(-1, best) - b * x.gather(-1, best), b], -1)


def huber_line(x: Tensor, y: Tensor, *, delta: float = 1.0) -> Tensor:
    """The line with the least Huber loss, by least squares with weights min(1, delta / |r|), repeated.

    Args:
        delta: > 0, in units of y: the error from which on a point pulls no harder.
    Otherwise as `least_squares_line`. Source: Huber (1964); Holland & Welsch (1977) for the weights.
    """
    require(delta > 0, "delta > 0", delta=delta)
    start = least_squares_line(x, y)
    return _reweighted_line(x, y, lambda r: delta / r.abs().clamp(min=delta), start)


def cauchy_line(x: Tensor, y: Tensor, *, scale: float = 1.0, start: Tensor | None = None) -> Tensor:
    """A line of least log(1 + (r / scale)**2), the negative log-likelihood of Cauchy noise.

    The loss is not convex: this is the minimum that lies downhill from `start`.

    Args:
        scale: > 0, in units of y: the error that pulls hardest.
        start: a line (..., 2); by default Huber's, with delta = scale.
    Otherwise as `least_squares_line`.
    """
    require(scale > 0, "scale > 0", scale=scale)
    start = huber_line(x, y, delta=scale) if start is None else start
    return _reweighted_line(x, y, lambda r: 1 / (1 + (r / scale) ** 2), start)


def huber_mean(y: Tensor, *, delta: float = 1.0) -> Tensor:
    """The constant c with the least Huber loss: where the pulls clip(c - y, -delta, delta) add up to zero.

    Args:
        y: floating point, (..., n) with n >= 1.
        delta: > 0, in units of y. Large: the mean. Small: the median, or a value as good.
    Returns: (...).
    """
    require(delta > 0, "delta > 0", delta=delta)
    low, high = y.amin(-1), y.amax(-1)
    for _ in range(80):  # the sum rises with c: halve the interval that holds its zero
        c = (low + high) / 2
        above = (c[..., None] - y).clamp(-delta, delta).sum(-1) > 0
        low, high = torch.where(above, low, c), torch.where(above, c, high)
    return (low + high) / 2


def _check(x: Tensor, y: Tensor) -> None:
    for name, values in (("x", x), ("y", y)):
        check_float(name, values, cure=f"{name}.double() makes one of a tensor of whole numbers")
    require(x.shape == y.shape, "x and y of one shape", x=tuple(x.shape), y=tuple(y.shape))
    require(x.ndim >= 1 and x.shape[-1] >= 2, "two points or more", shape=tuple(x.shape))
    require(bool((x.amax(-1) > x.amin(-1)).all()), "x that differ", cure="a vertical line has no slope")


def _weighted_line(x: Tensor, y: Tensor, w: Tensor) -> Tensor:
    total = w.sum(-1, keepdim=True)
    mx, my = (w * x).sum(-1, keepdim=True) / total, (w * y).sum(-1, keepdim=True) / total
    b = (w * (x - mx) * (y - my)).sum(-1, keepdim=True) / (w * (x - mx) ** 2).sum(-1, keepdim=True)
    return torch.cat([my - b * mx, b], -1)


def _reweighted_line(x: Tensor, y: Tensor, weight: Callable[[Tensor], Tensor], line: Tensor) -> Tensor:
    """Least squares with weights from the last line's errors, until no line moves by more than rounding."""
    for _ in range(_MOST_ROUNDS):
        last = line
        line = _weighted_line(x, y, weight(y - last[..., :1] - last[..., 1:] * x))
        if bool(((line - last).abs() <= 1e-14 * (1 + last.abs())).all()):
            break
    return line
