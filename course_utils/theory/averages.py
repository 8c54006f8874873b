"""What an exponential average does to noise, to its start and to a wave: closed forms.

    squared_error(beta, t, start=..., level=...)   around a level that stands still, step by step
    wave_response(beta, omega)                     what comes out of a wave
    tracking_error(beta, noise=..., ...)           noise and lag together, behind a wave
    variance_left(beta, phi=...)                   noise whose neighbours are correlated
    variance_left_shuffled(beta, batches)          noise of shuffled epochs

The average is `averaging.ewma`, m_t = beta * m_{t-1} + (1 - beta) * x_t.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from course_utils._checks import is_whole, require

Start = Literal["uncorrected", "corrected", "first value"]


def squared_error(
    beta: float, t: Tensor | float, *, start: Start = "corrected", level: Tensor | float = 0.0
) -> Tensor:
    """Mean of (reading - level)² after t independent values of mean `level` and variance 1.

        corrected     V(t) = (1 - beta) / (1 + beta) * (1 + beta**t) / (1 - beta**t)
        uncorrected   (1 - beta**t)**2 * V(t) + (beta**t * level)**2
        first value   q + (1 - q) * (1 - beta) / (1 + beta),     q = beta**(2 * (t - 1))

    Args:
        beta: in [0, 1).
        t: number of values seen, >= 1.
        start: from zero and uncorrected or corrected, or from the first value.
        level: in units of the noise's standard deviation; only the uncorrected reading is biased by it.
    Shape: t and level broadcast; the result is float64.
    Raises: ValueError if an argument is out of range.
    Source: the sum of the squared weights, and what the weights lack of 1.
    """
    t = torch.as_tensor(t, dtype=torch.float64)
    level = torch.as_tensor(level, dtype=torch.float64)
    _require_beta(beta)
    require(bool((t >= 1).all()), "t >= 1", t=t)
    known = ("uncorrected", "corrected", "first value")
    require(start in known, f"a start among {', '.join(known)}", start=start)
    at_rest, missing = (1 - beta) / (1 + beta), beta**t
    if start == "first value":
        q = beta ** (2 * (t - 1))
        return q + (1 - q) * at_rest + 0 * level
    corrected = at_rest * (1 + missing) / (1 - missing)
    if start == "corrected":
        return corrected + 0 * level
    return (1 - missing) ** 2 * corrected + (missing * level) ** 2


def wave_response(beta: Tensor | float, omega: float) -> Tensor:
    """H = (1 - beta) / (1 - beta * exp(-i omega)): a wave comes out |H| times as large, -arg(H) / omega late.

    Args:
        beta: in [0, 1).
        omega: radians per step.
    Returns: complex128, shaped as `beta`.
    Raises: ValueError if beta is out of range.
    Source: the sum of the weights times exp(-i omega k).
    """
    beta = torch.as_tensor(beta, dtype=torch.float64)
    _require_beta(beta)
    return (1 - beta) / (1 - beta * torch.exp(torch.tensor(-1j * omega, dtype=torch.complex128)))


def tracking_error(beta: Tensor | float, *, noise: float, amplitude: float, omega: float) -> Tensor:
    """Mean of (reading - truth)², the truth a wave with independent noise on it, once t is large.

        noise**2 * (1 - beta) / (1 + beta)  +  amplitude**2 / 2 * |1 - H|**2

    Args:
        beta: in [0, 1).
        noise: standard deviation. amplitude: of the wave, in the same unit. omega: radians per step.
    Raises: ValueError if beta is out of range.
    Source: the two parts are independent, and a wave's mean square is half of its amplitude's.
    """
    lost = (1 - wave_response(beta, omega)).abs() ** 2
    return noise**2 * variance_left(beta) + amplitude**2 / 2 * lost


def variance_left(beta: Tensor | float, *, phi: float = 0.0) -> Tensor:
    """Variance of the reading, once t is large, over that of one value; values k apart correlate by phi**k.

        (1 - beta) / (1 + beta) * (1 + beta * phi) / (1 - beta * phi)

    Args:
        beta: in [0, 1). phi: in (-1, 1); 0 is independent noise.
    Raises: ValueError if an argument is out of range.
    Source: the variance and the covariance with the newest value, both at rest.
    """
    beta = torch.as_tensor(beta, dtype=torch.float64)
    _require_beta(beta)
    require(-1 < phi < 1, "-1 < phi < 1", phi=phi)
    return (1 - beta) / (1 + beta) * (1 + beta * phi) / (1 - beta * phi)


def variance_left_shuffled(beta: Tensor | float, batches: int) -> Tensor:
    """The same for the noise of minibatch gradients where each epoch is a shuffle, parameters held still.

    The noises of an epoch add up to zero, so that each two of them have the correlation -1 / (batches - 1);
    those of different epochs have none. Averaged over the places in an epoch.

    Args:
        beta: in [0, 1). batches: of an epoch, >= 2.
    Raises: ValueError if an argument is out of range.
    Source: for each epoch, B / (B - 1) times the sum of the squared weights less the square of their sum
        over B - 1.
    """
    beta = torch.as_tensor(beta, dtype=torch.float64)
    _require_beta(beta)
    require(is_whole(batches) and batches >= 2, "a whole number batches >= 2", batches=batches)
    place = torch.arange(1, batches + 1, dtype=torch.float64)  # values of the current epoch seen so far
    beta = beta[..., None]

    def of_epoch(values: Tensor | int) -> Tensor:
        """What the newest `values` of an average leave, if they are of one epoch."""
        squares = (1 - beta) / (1 + beta) * (1 - beta ** (2 * values))
        return (batches * squares - (1 - beta**values) ** 2) / (batches - 1)

    older = beta ** (2 * place) / (1 - beta ** (2 * batches)) * of_epoch(batches)  # all whole epochs
    return (of_epoch(place) + older).mean(-1)


def _require_beta(beta: Tensor | float) -> None:
    b = torch.as_tensor(beta)
    require(bool(((b >= 0) & (b < 1)).all()), "0 <= beta < 1", beta=beta)
