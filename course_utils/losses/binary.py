"""Two classes: the negative log-likelihood of a coin, from its probability or from its logit."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .._checks import require
from ._inputs import check_elementwise, check_float, check_range, check_shares, reduce

LEAST_VARIANCE = 9.999999960041972e-13  # 1e-12 as torch has it, rounded to float32


def binary_cross_entropy(probability: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Negative log-likelihood of a coin that shows 1 with the given probability.

        loss     = -(y * log(p) + (1 - y) * log(1 - p))        each log at least -100
        gradient = (p - y) / max(p * (1 - p), 1e-12)

    The two limits keep a wrong and certain prediction (p exactly 0 or 1) finite: cost 100, gradient 1e12.

    Args:
        probability: p, in [0, 1].
        target: y, in [0, 1], floating point; values in between are shares of the class 1.
        reduction: "mean", "sum" or "none".
    Shape: both (*), any shape, the same; a scalar, or (*) with "none".
    Raises: ValueError on values outside [0, 1], on other shapes or dtypes, on an unknown reduction.
    Agrees with: `torch.nn.functional.binary_cross_entropy`, also in its gradient at 0 and 1. There torch's
        gradient with respect to the target is infinite, ours at most 100 in size.
    """
    check_elementwise("probability", probability, target)
    check_range(
        "probability", probability, 0, 1, cure="these look like logits; use binary_cross_entropy_with_logits"
    )
    check_shares(target, cure="labels of -1 and +1 become (target + 1) / 2")
    # apply() has no type hints
    loss: Tensor = _BinaryCrossEntropy.apply(probability, target)  # type: ignore[no-untyped-call]
    return reduce(loss, reduction)


class _BinaryCrossEntropy(torch.autograd.Function):
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


def binary_cross_entropy_with_logits(
    logits: Tensor, target: Tensor, *, pos_weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Binary cross-entropy of sigmoid(x), safe for logits of any size.

        log(sigmoid(x))     = -log(1 + exp(-x))
        log(1 - sigmoid(x)) = -log(1 + exp(x))
        loss     = pos_weight * y * log(1 + exp(-x)) + (1 - y) * log(1 + exp(x))
        gradient = sigmoid(x) - y                                 (without pos_weight)

    `logaddexp(a, b)` is log(exp(a) + exp(b)) with the larger exponent taken out before it can overflow.

    Args:
        logits: x, any real number.
        target: y, in [0, 1], floating point.
        pos_weight: > 0, how much more the class 1 counts, for instance negatives / positives of its column.
        reduction: "mean", "sum" or "none".
    Shape: logits and target (*), the same; pos_weight broadcasts to (*), for instance (C,) for (N, C).
    Raises: ValueError on targets outside [0, 1], on other shapes or dtypes, on an unknown reduction.
    Agrees with: `torch.nn.functional.binary_cross_entropy_with_logits`.
    """
    check_elementwise("logits", logits, target)
    check_shares(target, cure="labels of -1 and +1 become (target + 1) / 2")
    positives = target
    if pos_weight is not None:
        _check_pos_weight(pos_weight, logits)
        positives = pos_weight * target
    zero = torch.zeros_like(logits)
    loss = positives * torch.logaddexp(zero, -logits) + (1 - target) * torch.logaddexp(zero, logits)
    return reduce(loss, reduction)


def _check_pos_weight(pos_weight: Tensor, logits: Tensor) -> None:
    check_float("pos_weight", pos_weight, cure="convert it with .float()")
    sizes = zip(reversed(pos_weight.shape), reversed(logits.shape), strict=False)
    require(
        pos_weight.ndim <= logits.ndim and all(w in (1, n) for w, n in sizes),
        "pos_weight that broadcasts to the shape of logits",
        cure="one weight for each column of logits has shape (C,)",
        pos_weight=tuple(pos_weight.shape),
        logits=tuple(logits.shape),
    )
