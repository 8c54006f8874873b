"""One class out of many: softmax, its logarithm, and the losses built on it."""

from __future__ import annotations

import torch
from torch import Tensor

from .._checks import require
from ._inputs import check_float, check_shares, check_tensor, check_weight, class_dim, class_indices, reduce


def softmax(logits: Tensor, dim: int = -1) -> Tensor:
    """Positive numbers that sum to one, in the ratios exp(x_i) / exp(x_j).

        softmax(x)_i = exp(x_i - max x) / sum_j exp(x_j - max x)

    Adding a constant to all x changes nothing, so the maximum comes off first: exp(1000) would be inf.

    Args:
        logits: x, any real numbers.
        dim: the dimension of the classes. torch gives no default; here it is the last.
    Shape: (*), with at least one class; the same.
    Raises: ValueError on integers.
    Agrees with: `torch.softmax`.
    """
    check_float("logits", logits, cure="convert them with .float()")
    e = (logits - logits.detach().amax(dim, keepdim=True)).exp()
    return e / e.sum(dim, keepdim=True)


def log_softmax(logits: Tensor, dim: int = -1) -> Tensor:
    """The logarithm of softmax, exact where softmax itself is too small for a float.

        log_softmax(x)_i = (x_i - max x) - log(sum_j exp(x_j - max x))

    Applied twice it is the same as once: the exponentials then already sum to one.

    Args:
        logits: x, any real numbers.
        dim: the dimension of the classes. torch gives no default; here it is the last.
    Shape: (*), with at least one class; the same.
    Raises: ValueError on integers.
    Agrees with: `torch.log_softmax`.
    """
    check_float("logits", logits, cure="convert them with .float()")
    shifted = logits - logits.detach().amax(dim, keepdim=True)
    return shifted - shifted.exp().sum(dim, keepdim=True).log()


def nll_loss(
    log_probability: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood: minus the log-probability given to the right class.

        loss = -weight[y] * log_p[y]                              0 where y = ignore_index
        mean = sum(loss) / sum(weight[y] over what is not ignored)

    Args:
        log_probability: log_p, what `log_softmax(logits, dim=1)` returns.
        target: y, class indices in [0, C), int64.
        weight: how much each class counts; 1 for all when left out.
        ignore_index: positions with this target do not count. If all are ignored the mean is NaN.
        reduction: "mean" (weighted, see above), "sum" or "none".
    Shape: log_probability (C), (N, C) or (N, C, d1, ...); target the same without C; weight (C).
    Raises: ValueError on other dtypes, shapes or indices, on an unknown reduction.
    Agrees with: `torch.nn.functional.nll_loss`, which also takes uint8 targets.
    """
    check_float("log_probability", log_probability, cure="convert it with .float()")
    nll, counts = _likelihood_terms(log_probability, target, weight, ignore_index)
    return _reduce_weighted(counts * nll, counts, reduction)


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Cross-entropy between the target and softmax(logits).

        q_c  = (1 - label_smoothing) * target_c + label_smoothing / C      target_c = [c == y] for an index y
        loss = -sum_c weight_c * q_c * log_softmax(x)_c                    0 where y = ignore_index
        mean = sum(loss) / sum(weight[y] over what is not ignored)         class indices
               sum(loss) / number of positions                             probabilities

    Unweighted, its gradient with respect to the logits is softmax(x) - q.

    Args:
        logits: x, any real numbers; not probabilities, on which softmax would act a second time.
        target: class indices in [0, C), int64; or probabilities in [0, 1], floating point.
        weight: how much each class counts; 1 for all when left out.
        ignore_index: positions with this class index do not count. If all are ignored the mean is NaN.
        label_smoothing: in [0, 1], the share of every target that is spread evenly over the C classes.
        reduction: "mean" (see above), "sum" or "none".
    Shape: logits (C), (N, C) or (N, C, d1, ...); probabilities the same; indices likewise without C.
    Raises: ValueError on other dtypes, shapes or ranges, on an unknown reduction.
    Source: label smoothing: Szegedy et al. (2016), section 7.
    Agrees with: `torch.nn.functional.cross_entropy`, which also takes uint8 targets.
    """
    check_float("logits", logits, cure="convert them with .float()")
    require(0 <= label_smoothing <= 1, "0 <= label_smoothing <= 1", label_smoothing=label_smoothing)
    check_tensor("target", target)
    dim, classes = class_dim(logits)
    log_p = log_softmax(logits, dim)
    if target.is_floating_point():
        _check_probabilities(logits, target, ignore_index)
        q = (1 - label_smoothing) * target + label_smoothing / classes
        return reduce(-_sum_over_classes(q * log_p, weight, dim), reduction)
    nll, counts = _likelihood_terms(log_p, target, weight, ignore_index)
    loss = counts * nll
    if label_smoothing > 0:
        spread = -_sum_over_classes(log_p, weight, dim).masked_fill(target == ignore_index, 0)
        loss = (1 - label_smoothing) * loss + label_smoothing / classes * spread
    return _reduce_weighted(loss, counts, reduction)


def focal_loss(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Cross-entropy, turned down where the prediction is already good.

        p_y  = softmax(x)_y
        loss = -weight[y] * (1 - p_y)**gamma * log(p_y)           0 where y = ignore_index
        mean = sum(loss) / sum(weight[y] over what is not ignored)

    Args:
        logits: x, any real numbers.
        target: y, class indices in [0, C), int64.
        gamma: >= 0. At 0 this is `cross_entropy`; at 2 a prediction with p_y = 0.9 counts a hundredth.
        weight: the paper's alpha, one number for each class; 1 for all when left out.
        ignore_index: positions with this target do not count. If all are ignored the mean is NaN.
        reduction: "mean" (as in `cross_entropy`), "sum" or "none".
    Shape: logits (C), (N, C) or (N, C, d1, ...); target the same without C; weight (C).
    Raises: ValueError if gamma < 0, on other dtypes, shapes or indices, on an unknown reduction.
    Source: Lin et al. (2017), equation 5, with softmax over C classes in place of a sigmoid.
    Agrees with: `kornia.losses.focal_loss` summed over its class dimension. Its "mean" is over N * C numbers,
        so C times smaller; its alpha is our weight = (1 - alpha, alpha, ..., alpha).
    """
    check_float("logits", logits, cure="convert them with .float()")
    require(gamma >= 0, "gamma >= 0", gamma=gamma)
    log_p = log_softmax(logits, class_dim(logits)[0])
    nll, counts = _likelihood_terms(log_p, target, weight, ignore_index)
    doubt = -torch.expm1(-nll)  # 1 - p_y, without cancellation
    # At exactly 0 the power would, for gamma < 1, have an infinite slope.
    doubt = doubt.clamp(min=torch.finfo(doubt.dtype).tiny)
    return _reduce_weighted(counts * doubt**gamma * nll, counts, reduction)


def _likelihood_terms(
    log_p: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int
) -> tuple[Tensor, Tensor]:
    """-log_p[y] and weight[y] of every position, both 0 where y = ignore_index."""
    dim, classes = class_dim(log_p)
    index = class_indices(log_p, target, ignore_index)
    ignored = target == ignore_index
    nll = -log_p.gather(dim, index.unsqueeze(dim)).squeeze(dim).masked_fill(ignored, 0)
    if weight is None:
        return nll, (~ignored).to(nll.dtype)
    check_weight(weight, classes)
    return nll, weight[index].masked_fill(ignored, 0)


def _sum_over_classes(x: Tensor, weight: Tensor | None, dim: int) -> Tensor:
    """The sum of weight_c * x_c over the classes."""
    if weight is None:
        return x.sum(dim)
    check_weight(weight, x.shape[dim])
    return (x * weight.reshape(-1, *[1] * (x.ndim - 1 - dim))).sum(dim)


def _reduce_weighted(loss: Tensor, counts: Tensor, reduction: str) -> Tensor:
    """As `reduce`, but the mean divides by the sum of the weights, not by the number of positions."""
    return loss.sum() / counts.sum() if reduction == "mean" else reduce(loss, reduction)


def _check_probabilities(logits: Tensor, target: Tensor, ignore_index: int) -> None:
    require(
        target.shape == logits.shape,
        "probabilities in the shape of logits",
        cure="if these are class indices, they must be int64: target.long()",
        logits=tuple(logits.shape),
        target=tuple(target.shape),
    )
    require(
        ignore_index < 0,
        "class indices as targets to ignore one of them",
        cure="leave ignore_index out",
        ignore_index=ignore_index,
    )
    check_shares(target, cure="these look like logits; use softmax(target, dim=1)")
