"""Calibration: of the answers given with confidence 0.8, are 80% right?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils._checks import require
from course_utils._torch.tensors import check_float, check_range, check_tensor, widen


@dataclass(frozen=True)
class Reliability:
    """Per bin of confidence: mean confidence and accuracy (NaN where the bin is empty), and the count."""

    confidence: Tensor  # (..., bins)
    accuracy: Tensor  # (..., bins)
    count: Tensor  # (..., bins)


def reliability(probabilities: Tensor, target: Tensor, *, bins: int = 10) -> Reliability:
    """Sort predictions by confidence into bins of equal width, and compare confidence with accuracy in each.

        confidence = max_c probabilities,    bin k holds k/bins < confidence <= (k + 1)/bins

    Args:
        probabilities: in [0, 1], the last dimension adding up to 1; of sixteen bits, they are counted in
            float32.
        target: classes, whole numbers from 0 to C - 1; leave out examples that have none.
        bins: >= 1.
    Shape: probabilities (..., N, C), target (..., N); each result (..., bins).
    Raises: ValueError where shapes do not match, for logits, targets that are no classes, and bins < 1.
    Source: Niculescu-Mizil & Caruana (2005); Guo, Pleiss, Sun & Weinberger (2017).
    """
    confidence, right = _top(probabilities, target)
    require(bins >= 1, "bins >= 1", bins=bins)
    place = ((confidence * bins).ceil().long() - 1).clamp(0, bins - 1)
    member = F.one_hot(place, bins).to(confidence.dtype)  # (..., N, bins)
    count = member.sum(-2)
    mean = [(values[..., None] * member).sum(-2) / count for values in (confidence, right)]
    return Reliability(mean[0], mean[1], count)


def expected_calibration_error(probabilities: Tensor, target: Tensor, *, bins: int = 10) -> Tensor:
    """Mean over examples of |accuracy - confidence| of their bin: 0 is calibrated, up to chance.

        ece = sum_k count_k / N * |accuracy_k - confidence_k|

    It never says in which direction; `overconfidence` does. With few examples it is above zero by chance.

    Args and Shape: as `reliability`; the result (...).
    Source: Naeini, Cooper & Hauskrecht (2015).
    """
    bin_means = reliability(probabilities, target, bins=bins)
    gap = (bin_means.accuracy - bin_means.confidence).abs().nan_to_num(0.0)
    return (bin_means.count * gap).sum(-1) / target.shape[-1]


def overconfidence(probabilities: Tensor, target: Tensor) -> Tensor:
    """Mean confidence minus accuracy: above zero overconfident, below zero underconfident.

    Args and Shape: probabilities (..., N, C), target (..., N); the result (...).
    """
    confidence, right = _top(probabilities, target)
    return confidence.mean(-1) - right.mean(-1)


def negative_log_likelihood(probabilities: Tensor, target: Tensor) -> Tensor:
    """Mean over examples of -log of the probability of the true class: cross-entropy, from probabilities.

    It is for averaged probabilities, which have no logits. A probability below 1e-30 counts as 1e-30.

    Args and Shape: probabilities (..., N, C), target (..., N); the result (...).
    Agrees with: `torch.nn.functional.cross_entropy` of their logarithms.
    """
    _top(probabilities, target)
    return -widen(probabilities).gather(-1, target[..., None])[..., 0].clamp(min=1e-30).log().mean(-1)


def with_temperature(probabilities: Tensor, temperature: Tensor | float) -> Tensor:
    """The predictions at another temperature: above 1 softer, below 1 surer, answers unchanged.

        q_c**(1 / T) / sum_k q_k**(1 / T),     the softmax of the logits divided by T

    Args:
        probabilities: (..., N, C), in [0, 1].
        temperature: T > 0, one number or (...).
    Raises: ValueError unless T > 0.
    Source: Guo, Pleiss, Sun & Weinberger (2017).
    """
    t = torch.as_tensor(temperature, dtype=probabilities.dtype)
    require(bool((t > 0).all()), "temperature > 0", temperature=temperature)
    # (..., 1, 1) beside (..., N, C)
    return (probabilities.clamp(min=1e-30).log() / t[..., None, None]).softmax(-1)


def best_temperature(probabilities: Tensor, target: Tensor) -> Tensor:
    """The temperature (...) at which these predictions have the lowest loss, of 65 between 0.16 and 6.3.

    Args and Shape: probabilities (..., N, C), target (..., N); the result (...).
    Source: Guo, Pleiss, Sun & Weinberger (2017), who minimise the same loss.
    """
    tried = torch.logspace(-0.8, 0.8, 65, dtype=probabilities.dtype)
    losses = [negative_log_likelihood(with_temperature(probabilities, t), target) for t in tried]
    return tried[torch.stack(losses).argmin(0)]


def _top(probabilities: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    check_float("probabilities", probabilities, cure="softmax(logits, dim=-1) makes them")
    check_tensor("target", target)
    require(
        probabilities.shape[:-1] == target.shape and target.ndim >= 1,
        "probabilities (..., N, C) for targets (..., N)",
        probabilities=tuple(probabilities.shape),
        target=tuple(target.shape),
    )
    probabilities = widen(probabilities)
    cure = "these look like logits; use softmax(logits, dim=-1)"
    check_range("probabilities", probabilities, 0, 1, slack=1e-2, cure=cure)
    check_range("sum of probabilities", probabilities.sum(-1), 1, 1, slack=1e-2, cure=cure)
    whole = not (target.is_floating_point() or target.is_complex() or target.dtype == torch.bool)
    require(whole, "whole numbers as targets", cure="give class indices", dtype=target.dtype)
    cure = "leave out the examples without a class"
    check_range("target", target, 0, probabilities.shape[-1] - 1, cure=cure)
    confidence, answer = probabilities.max(-1)
    return confidence, (answer == target).to(confidence.dtype)
