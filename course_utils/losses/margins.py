"""Losses of a margin: right is not enough, it has to be right by a distance."""

from __future__ import annotations

from torch import Tensor

from .._checks import require
from .._tensors import check_float, check_range, widen
from .._tracing import one_node
from ._inputs import check_elementwise, class_indices, class_weight, reduce


@one_node
def hinge_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """How far a score falls short of the right side of zero by a margin of one.

        loss     = max(0, 1 - y * s)
        gradient = -y where y * s < 1, else 0             (0 at the corner)

    Args:
        input: s, the score, any real number; its sign is the prediction.
        target: y, -1 or +1, floating point.
        reduction: "mean", "sum" or "none".
    Shape: both (*), any shape, the same; a scalar, or (*) with "none".
    Raises: ValueError on targets other than -1 and +1, on other shapes or dtypes, on an unknown reduction.
    Source: Cortes & Vapnik (1995), Support-vector networks.
    Agrees with: `sklearn.metrics.hinge_loss` on two classes and, away from the corner, with
        `torch.nn.functional.margin_ranking_loss(score, 0, target, margin=1)`.
    """
    check_elementwise("score", input, target)
    check_range("|target|", target.abs(), 1, 1, cure="labels of 0 and 1 become 2 * target - 1")
    return reduce((1 - widen(target) * widen(input)).relu(), reduction, input, target)


@one_node
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
) -> Tensor:
    """How far the right class falls short of leading every other class by a margin.

        loss = weight[y] / C * sum over c != y of max(0, margin - s_y + s_c)**p
        mean = sum(loss) / N                              (not divided by the weights)

    Args:
        input: s, the scores, any real numbers.
        target: y, class indices in [0, C), int64.
        p: 1 or 2.
        margin: the lead asked for, in units of the score.
        weight: how much each class counts; 1 for all when left out.
        reduction: "mean", "sum" or "none".
    Shape: input (C) or (N, C); target () or (N); weight (C).
    Raises: ValueError on other p, dtypes, shapes or indices, on an unknown reduction.
    Source: the sum over classes of Weston & Watkins (1999); the division by C is torch's.
    Agrees with: `torch.nn.functional.multi_margin_loss`.
    """
    check_float("score", input, cure="convert it with .float()")
    require(p in (1, 2), "p = 1 or p = 2", p=p)
    require(input.ndim in (1, 2), "score of shape (C) or (N, C)", score=tuple(input.shape))
    s, index = widen(input), class_indices(input, target).unsqueeze(-1)
    lead = s.gather(-1, index) - s
    shortfall = (margin - lead).relu() ** p
    loss = shortfall.scatter(-1, index, 0).sum(-1) / s.shape[-1]  # class y does not compete with itself
    w = class_weight(weight, s.shape[-1])
    return reduce(loss if w is None else w[target] * loss, reduction, input)
