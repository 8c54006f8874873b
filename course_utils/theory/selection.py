"""Choosing the best of many by a noisy score: by how much the winner's score flatters.

Scores of K nets scatter because the nets differ (variance `merit`) and because the images that judge them
are a sample (variance `luck`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils._checks import is_whole, require

__all__ = ["Winners", "expected_maximum", "overstatement", "winners"]

_REACH, _POINTS = 10.0, 4001  # beyond ten deviations nothing is left of the density


def expected_maximum(count: int) -> float:
    """The mean of the largest of `count` independent standard normal numbers.

        E max = ∫ z d(Φ(z)**count),    0 for one number, 0.564 for two, 2.36 for 64

    Args: count: >= 1.
    Raises: ValueError for another count.

        expected_maximum(2)     # 1 / sqrt(pi)
    """
    require(is_whole(count) and count >= 1, "a whole number count >= 1", count=count)
    z = torch.linspace(0, _REACH, _POINTS, dtype=torch.float64)
    # E max = ∫ over z > 0 of 1 - Φ(z)**count - Φ(-z)**count, as the mean of any law is
    rest = 1 - torch.special.ndtr(z) ** count - torch.special.ndtr(-z) ** count
    return float(torch.trapezoid(rest, z))


def overstatement(count: int, *, luck: Tensor | float, merit: Tensor | float) -> Tensor:
    """By how much the best score of `count` nets exceeds the winner's worth, on average.

        lead of the winner's score    c * sqrt(merit + luck)        c = expected_maximum(count)
        share of it that is luck      luck / (merit + luck)
        overstatement                 c * luck / sqrt(merit + luck)

    Both scatter normally and independently of each other.

    Args:
        count: nets tried, >= 1.
        luck: variance of a score around its net's worth, > 0.
        merit: variance of the nets' worth, >= 0.
    Raises: ValueError if a number is out of range.

        overstatement(64, luck=0.03**2, merit=0.0)     # 2.36 deviations of 0.03
    """
    luck, merit = (torch.as_tensor(one, dtype=torch.float64) for one in (luck, merit))
    fits = bool((luck > 0).all() and (merit >= 0).all())
    require(fits, "luck > 0 and merit >= 0", luck=float(luck.min()), merit=float(merit.min()))
    return expected_maximum(count) * luck / (merit + luck).sqrt()


@dataclass(frozen=True)
class Winners:
    """The best of the first k nets by their validation scores, and what other images say of it.

    Attributes:
        overstated: (S, len(counts)), the winner's lead on the images of the choice less that on the others.
        merit: (S, len(counts)), its lead on the others: what the choice is worth.
        theory: (len(counts),), `overstatement` with the variances that were measured.
    """

    overstated: Tensor
    merit: Tensor
    theory: Tensor


def winners(right: Tensor, counts: Sequence[int], *, images: int, choosing: int) -> Winners:
    """Choose the best net on `images` validation images, as often as `choosing` images allow.

    A lead is a net's accuracy less the mean of all nets on the same images.

    Args:
        right: (S, nets, N), whether net k of seed s answers image i rightly, as 0 and 1.
        counts: numbers of nets to choose among, each at most `nets`.
        images: of one validation set. choosing: of all of them, a multiple; the other images judge.
    Raises: ValueError where sizes do not fit.
    """
    fits = right.ndim == 3 and 0 < images <= choosing < right.shape[2] and choosing % images == 0
    cure = "choosing is a multiple of images, and leaves some to judge by"
    require(fits, "sets of images", cure=cure, shape=tuple(right.shape), images=images, choosing=choosing)
    require(all(1 <= k <= right.shape[1] for k in counts), "counts of nets that there are", counts=counts)
    judged = right[:, :, choosing:].mean(-1)
    worth = judged - judged.mean(1, keepdim=True)
    # (S, nets, sets, images)
    seen = right[:, :, :choosing].unflatten(-1, (-1, images))
    score = seen.mean(-1)
    lead = score - score.mean(1, keepdim=True)
    # (S, counts, sets)
    best = torch.stack([lead[:, :k].argmax(1) for k in counts], 1)
    merit = worth[..., None].expand_as(lead).gather(1, best)
    # every net is judged on the same images: what all nets find hard moves no lead
    luck = seen.var(1).mean() / images
    spread = lead.var(1).mean()
    theory = [overstatement(k, luck=luck, merit=(spread - luck).clamp(min=0)) for k in counts]
    return Winners((lead.gather(1, best) - merit).mean(-1), merit.mean(-1), torch.stack(theory))
