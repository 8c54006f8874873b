"""How long Adam's steps are, in units of lr: the closed forms that its measurements are compared with.

    sum_of_powers(q, t)            1 + q + ... + q**(t - 1)
    longest_step(betas, t)         no gradients make step t longer than this
    uncorrected(t, betas)          how much longer step t is without the bias correction
    noisy_step(ratio, beta1)       the typical step under gradients with noise
    cycle_drift(C, period, beta1, beta2)
                                   the way gone in one round of the problem on which Adam does not converge
    turning_memory(C, period, beta1)
                                   how long v must remember there for Adam to go the right way

All with eps = 0.
"""

from __future__ import annotations

from math import inf

import torch
from torch import Tensor

from course_utils._checks import require

Betas = tuple[float, float]


def sum_of_powers(q: float, t: float) -> float:
    """1 + q + ... + q**(t - 1), the weights of an average that is t steps old.

    Args:
        q: >= 0.
        t: >= 1, or `inf`.
    Raises: ValueError for another q or t.
    """
    require(q >= 0 and t >= 1, "q >= 0 and t >= 1", q=q, t=t)
    return t if q == 1 else (1 - q**t) / (1 - q)


def longest_step(betas: Betas, t: float = inf) -> float:
    """The largest |m_hat| / sqrt(v_hat) that any gradients can make at step t.

        sqrt(S(beta1**2 / beta2) * S(beta2)) / S(beta1),     S(q) = 1 + q + ... + q**(t - 1)

    Gradients that grow by beta2 / beta1 from step to step reach it. It is finite for t = inf only where
    beta1**2 < beta2; there it is (1 - beta1) / sqrt((1 - beta2) * (1 - beta1**2 / beta2)).

    Args:
        betas: (beta1, beta2), beta1 in [0, 1), beta2 in (0, 1).
        t: the number of the step, >= 1.
    Raises: ValueError if an argument is out of range.
    Source: the inequality of Cauchy & Schwarz.
    """
    beta1, beta2 = _checked(betas)
    shares = sum_of_powers(beta1**2 / beta2, t) * sum_of_powers(beta2, t)
    return float(shares**0.5 / sum_of_powers(beta1, t))


def uncorrected(t: float, betas: Betas, *, of_m: bool = False, of_v: bool = False) -> float:
    """How many times longer step t is where a correction is left out, whatever the gradients.

        (1 - beta1**t  if m is not corrected  else  1) / sqrt(1 - beta2**t  if v is not corrected  else  1)

    Args:
        t: the number of the step, >= 1.
        betas: as for `longest_step`.
        of_m, of_v: which corrections are made; by default neither.
    Raises: ValueError if an argument is out of range.
    """
    beta1, beta2 = _checked(betas)
    require(t >= 1, "t >= 1", t=t)
    missing_m, missing_v = (1.0 if of_m else 1 - beta1**t), (1.0 if of_v else 1 - beta2**t)
    return float(missing_m / missing_v**0.5)


def noisy_step(ratio: Tensor | float, beta1: float) -> Tensor:
    """The root mean square of a step under gradients of mean mu and independent noise of deviation sigma.

        sqrt((s**2 + (1 - beta1) / (1 + beta1)) / (s**2 + 1)),     s = mu / sigma

    For long memories: v stands still at mu**2 + sigma**2, and m has its variance at rest.

    Args:
        ratio: s, >= 0, any shape.
        beta1: in [0, 1).
    Raises: ValueError if an argument is out of range.
    """
    s2 = torch.as_tensor(ratio, dtype=torch.float64) ** 2
    require(0 <= beta1 < 1, "0 <= beta1 < 1", beta1=beta1)
    return ((s2 + (1 - beta1) / (1 + beta1)) / (s2 + 1)).sqrt()


def cycle_drift(C: float, period: int, beta1: float, beta2: Tensor | float) -> Tensor:
    """The sum of m / sqrt(v) over one round of the gradients C, -1, -1, ..., -1, once m and v repeat.

    The gradients of a round sum to C - (period - 1). Where that is positive and the drift is negative, Adam
    walks away from the minimum for ever.

        m_k = -1 + (C + 1)    * (1 - beta1) * beta1**k / (1 - beta1**period)       k steps after C
        v_k =  1 + (C**2 - 1) * (1 - beta2) * beta2**k / (1 - beta2**period)

    Args:
        C: the one large gradient, > 0.
        period: steps in a round, n >= 2.
        beta1: in [0, 1).
        beta2: in (0, 1), any shape.
    Returns: the shape of beta2, float64.
    Raises: ValueError if an argument is out of range.
    Source: Reddi, Kale & Kumar (2018), whose round has three steps.
    """
    require(C > 0 and period >= 2, "C > 0 and period >= 2", C=C, period=period)
    require(0 <= beta1 < 1, "0 <= beta1 < 1", beta1=beta1)
    b = torch.as_tensor(beta2, dtype=torch.float64)[..., None]
    require(bool(((b > 0) & (b < 1)).all()), "0 < beta2 < 1", beta2=beta2)
    k = torch.arange(period, dtype=torch.float64)
    m = -1 + (C + 1) * (1 - beta1) * beta1**k / (1 - beta1**period)
    v = 1 + (C**2 - 1) * (1 - b) * b**k / (1 - b**period)  # (..., period)
    return (m / v.sqrt()).sum(-1)


def turning_memory(C: float, period: int, beta1: float = 0.0) -> float:
    """The memory 1 / (1 - beta2) above which Adam goes the right way in every round of `cycle_drift`.

    The largest root of the drift below 100,000 rounds, by bisection. (With momentum a very short memory can
    be right again: then there are two roots.)

    Args: as for `cycle_drift`, with C > period - 1, so that the right way is the way against C.
    Returns: a number of steps, > 1; 1 where every memory is long enough.
    Raises: ValueError if C <= period - 1 or C is so near to it that no such memory is long enough.
    """
    require(period - 1 < C, "C > period - 1", C=C, period=period)
    memories = 1 + torch.logspace(-12, 5, 2000, dtype=torch.float64) * period
    right = cycle_drift(C, period, beta1, 1 - 1 / memories) > 0
    require(bool(right[-1]), "C farther from period - 1", C=C, period=period)
    wrong = (~right).nonzero()
    if len(wrong) == 0:
        return 1.0
    low, high = (float(memories[int(wrong[-1]) + k]) for k in (0, 1))
    for _ in range(60):
        middle = (low + high) / 2
        if cycle_drift(C, period, beta1, 1 - 1 / middle) > 0:
            high = middle
        else:
            low = middle
    return high


def _checked(betas: Betas) -> Betas:
    beta1, beta2 = betas
    require(0 <= beta1 < 1 and 0 < beta2 < 1, "0 <= beta1 < 1 and 0 < beta2 < 1", betas=betas)
    return betas
