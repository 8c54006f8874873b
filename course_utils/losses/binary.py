"""Two classes: the negative log-likelihood of a coin, from its probability or from its logit."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .._checks import require
from .._tensors import autocast_is_on, check_range, widen
from .._tracing import one_node
from ._inputs import broadcast_weight, check_elementwise, check_shares, reduce

LEAST_VARIANCE = 9.999999960041972e-13  # 1e-12 as torch has it, rounded to float32


@one_node
def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """Negative log-likelihood of a coin that shows 1 with the given probability.

        loss     = -weight * (y * log(p) + (1 - y) * log(1 - p))        each log at least -100
        gradient = weight * (p - y) / max(p * (1 - p), 1e-12)
        mean     = sum(loss) / their number                             not divided by the weights

    The two limits keep a wrong and certain prediction (p exactly 0 or 1) finite: cost 100, gradient 1e12.

    Args:
        input: p, the probability, in [0, 1].
        target: y, in [0, 1], floating point; values in between are shares of the class 1.
        weight: how much each number counts; 1 for all when left out.
        reduction: "mean", "sum" or "none".
    Shape: input and target (*), any shape, the same; weight broadcasts to it; a scalar, or (*) with "none".
    Raises: ValueError on values outside [0, 1], on other shapes or dtypes, on an unknown reduction; and on a
        GPU inside `torch.autocast`, as torch's, because a sigmoid in sixteen bits rounds 0.9999 to 1.
    Agrees with: `torch.nn.functional.binary_cross_entropy`, also in its gradient at 0 and 1 (torch's is NaN
        in float16, where it should be 0). There torch's gradient with respect to the target is infinite, ours
        at most 100 in size. Under `torch.compile` there is no forward derivative (jvp): it cannot read one
        that is written by hand.
    """
    check_elementwise("probability", input, target)
    require(
        input.device.type == "cpu" or not autocast_is_on(input),
        "logits inside torch.autocast",
        cure="leave the sigmoid out and use binary_cross_entropy_with_logits",
        device=input.device.type,
    )
    check_range(
        "probability", input, 0, 1, cure="these look like logits; use binary_cross_entropy_with_logits"
    )
    check_shares(target, cure="labels of -1 and +1 become (target + 1) / 2")
    w = broadcast_weight("weight", weight, input)
    rule = _Likelihood if torch.compiler.is_compiling() else _LikelihoodBothWays
    loss: Tensor = rule.apply(widen(input), widen(target))  # type: ignore[no-untyped-call]
    return reduce(loss if w is None else w * loss, reduction, input, target)


class _Likelihood(torch.autograd.Function):
    """The loss with its gradient by hand: through the limit at -100 autograd would get 0 * inf = NaN."""

    generate_vmap_rule = True

    @staticmethod
    def forward(p: Tensor, y: Tensor) -> Tensor:
        log_p, log_1_minus_p = _logs(p)
        return -(y * log_p + (1 - y) * log_1_minus_p)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> tuple[Tensor, Tensor]:
        slope_p, slope_y = _slopes(*ctx.saved_tensors)
        return g[0] * slope_p, g[0] * slope_y


class _LikelihoodBothWays(_Likelihood):
    """The same with its forward derivative."""

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> Tensor:
        slope_p, slope_y = _slopes(*ctx.saved_tensors)
        return tangents[0] * slope_p + tangents[1] * slope_y


def _logs(p: Tensor) -> tuple[Tensor, Tensor]:
    """log(p) and log(1 - p), neither below -100."""
    return p.log().clamp(min=-100), (-p).log1p().clamp(min=-100)


def _slopes(p: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """d loss / d p and d loss / d y."""
    log_p, log_1_minus_p = _logs(p)
    return (p - y) / (p * (1 - p)).clamp(min=LEAST_VARIANCE), log_1_minus_p - log_p


@one_node
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy of sigmoid(x), safe for logits of any size.

        log(sigmoid(x))     = -log(1 + exp(-x))
        log(1 - sigmoid(x)) = -log(1 + exp(x))
        loss     = weight * (pos_weight * y * log(1 + exp(-x)) + (1 - y) * log(1 + exp(x)))
        gradient = sigmoid(x) - y                                 (without weights)
        mean     = sum(loss) / their number                       not divided by the weights

    `logaddexp(a, b)` is log(exp(a) + exp(b)) with the larger exponent taken out before it can overflow.

    Args:
        input: x, the logit, any real number.
        target: y, in [0, 1], floating point.
        weight: how much each number counts; 1 for all when left out.
        reduction: "mean", "sum" or "none".
        pos_weight: > 0, how much more the class 1 counts, for instance negatives / positives of its column.
    Shape: input and target (*), the same; the weights broadcast to it, for instance (C,) for (N, C).
    Raises: ValueError on targets outside [0, 1], on other shapes or dtypes, on an unknown reduction.
    Agrees with: `torch.nn.functional.binary_cross_entropy_with_logits`, but for an infinite logit on the
        wrong side, which costs inf (torch: NaN), and for dtypes that differ, where torch takes the target's.
    """
    check_elementwise("logits", input, target)
    check_shares(target, cure="labels of -1 and +1 become (target + 1) / 2")
    w, positive = broadcast_weight("weight", weight, input), broadcast_weight("pos_weight", pos_weight, input)
    x, y = widen(input), widen(target)
    zero = torch.zeros_like(x)
    positives = y if positive is None else positive * y
    loss = positives * torch.logaddexp(zero, -x) + (1 - y) * torch.logaddexp(zero, x)
    return reduce(loss if w is None else w * loss, reduction, input, target)
