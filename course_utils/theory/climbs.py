"""Gradient descent on a line under a schedule: how high its peak may be.

quartic    f = p**4 / 4,          curvature 3 p**2: falls on the way to the minimum
bowl       f = sqrt(1 + p**2),    curvature (1 + p**2) ** -1.5: rises on the way
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils.schedules import Schedule

FAR = 1e6  # a point that goes further stays there


class Line(NamedTuple):
    """A loss of one variable with its minimum at 0.

    Attributes: height: above the minimum. grad: its derivative.
    """

    height: Callable[[Tensor], Tensor]
    grad: Callable[[Tensor], Tensor]


def _fourth(p: Tensor) -> Tensor:
    return p**4 / 4


def _cube(p: Tensor) -> Tensor:
    return p**3


def _above_one(p: Tensor) -> Tensor:
    # sqrt(1 + p**2) - 1, without cancellation
    return p**2 / (1 + (1 + p**2).sqrt())


def _slope(p: Tensor) -> Tensor:
    return p / (1 + p**2).sqrt()


QUARTIC = Line(_fourth, _cube)
BOWL = Line(_above_one, _slope)


def largest_peak(
    line: Line, schedule: Schedule, peaks: Tensor, *, start: float, steps: int = 2000, share: float = 1e-3
) -> float:
    """The largest of rising peak rates up to which every one settles; 0 if the first does not.

        p <- p - peak * schedule(t) * grad(p),    t = 0 .. steps - 1
        settled: height(p) < share * height(start)

    Args:
        line: `QUARTIC` or `BOWL`.
        schedule: step -> share of the peak.
        peaks: (R,), rising, > 0.
        start: p before the first step, not 0.
        steps: >= 1.
        share: of the first height, in (0, 1).
    Raises: ValueError if an argument is out of range.
    """
    rising = peaks.ndim == 1 and len(peaks) > 0 and bool((peaks.diff() > 0).all() and peaks[0] > 0)
    require(rising, "rising peaks > 0", peaks=peaks.tolist()[:5])
    require(start != 0 and steps >= 1 and 0 < share < 1, "start != 0, steps >= 1, 0 < share < 1",
            start=start, steps=steps, share=share)  # fmt: skip
    p = torch.full_like(peaks, start)
    low = share * line.height(p)
    for t in range(steps):
        p = (p - peaks * schedule(t) * line.grad(p)).clamp(-FAR, FAR)
    settled = int((line.height(p) < low).long().cumprod(0).sum())
    return float(peaks[settled - 1]) if settled else 0.0
