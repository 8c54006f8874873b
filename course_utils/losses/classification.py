"""One class out of many: softmax, its logarithm, and the losses built on it."""

from __future__ import annotations

import torch
from torch import Tensor

from .._checks import is_whole, require
from .._tensors import autocast_is_on, check_float, check_tensor, widen
from .._tracing import one_node
from ._inputs import check_shares, class_dim, class_indices, class_weight, reduce, result_dtype


@one_node
def softmax(input: Tensor, dim: int = -1, dtype: torch.dtype | None = None) -> Tensor:
    """Positive numbers that sum to one, in the ratios exp(x_i) / exp(x_j).

        softmax(x)_i = exp(x_i - max x) / sum_j exp(x_j - max x)

    Adding a constant to all x changes nothing, so the maximum comes off first: exp(1000) would be inf.

    Args:
        input: x, the logits, any real numbers.
        dim: the dimension of the classes. torch gives no default; here it is the last.
        dtype: what to convert the logits to first; without it the result has their dtype.
    Shape: (*); the same.
    Raises: ValueError on integers without `dtype`.
    Agrees with: `torch.softmax`.
    """
    x, result = _logits(input, dim, dtype)
    e = (x - _largest(x, dim)).exp()
    return (e / e.sum(dim, keepdim=True)).to(result)


@one_node
def log_softmax(input: Tensor, dim: int = -1, dtype: torch.dtype | None = None) -> Tensor:
    """The logarithm of softmax, exact where softmax itself is too small for a float.

        log_softmax(x)_i = (x_i - max x) - log(sum_j exp(x_j - max x))

    Applied twice it is the same as once: the exponentials then already sum to one.

    Args:
        input: x, the logits, any real numbers.
        dim: the dimension of the classes. torch gives no default; here it is the last.
        dtype: what to convert the logits to first; without it the result has their dtype.
    Shape: (*); the same.
    Raises: ValueError on integers without `dtype`.
    Agrees with: `torch.log_softmax`.
    """
    x, result = _logits(input, dim, dtype)
    shifted = x - _largest(x, dim)
    return (shifted - shifted.exp().sum(dim, keepdim=True).log()).to(result)


def _logits(input: Tensor, dim: int, dtype: torch.dtype | None) -> tuple[Tensor, torch.dtype]:
    """The logits in float32 at least, and the dtype of the result: float32, too, under a GPU's autocast."""
    check_tensor("logits", input)
    require(is_whole(dim), "one dimension dim", dim=dim)
    x = input if dtype is None else input.to(dtype)
    check_float("logits", x, cure="convert them with .float()")
    wide = widen(x)
    stays = dtype is not None or x.device.type == "cpu" or not autocast_is_on(x)
    return wide, x.dtype if stays else wide.dtype


def _largest(x: Tensor, dim: int) -> Tensor:
    """The largest along `dim`, a constant for the gradient."""
    return x.detach().amax(dim, keepdim=True) if x.numel() else x.detach().sum(dim, keepdim=True)


@one_node
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood: minus the log-probability given to the right class.

        loss = -weight[y] * log_p[y]                              0 where y = ignore_index
        mean = sum(loss) / sum(weight[y] over what is not ignored)

    Args:
        input: log_p, what `log_softmax(logits, dim=1)` returns.
        target: y, class indices in [0, C), int64.
        weight: how much each class counts; 1 for all when left out.
        ignore_index: positions with this target do not count. If all are ignored the mean is NaN.
        reduction: "mean" (weighted, see above), "sum" or "none".
    Shape: input (C), (N, C) or (N, C, d1, ...); target the same without C; weight (C).
    Raises: ValueError on other dtypes, shapes or indices, on an unknown reduction.
    Agrees with: `torch.nn.functional.nll_loss`, which also takes uint8 targets.
    """
    check_float("log_probability", input, cure="convert it with .float()")
    nll, counts = _likelihood_terms(widen(input), target, weight, ignore_index)
    return reduce(counts * nll, reduction, input, weight=counts)


@one_node
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy between the target and softmax(logits).

        q_c  = (1 - label_smoothing) * target_c + label_smoothing / C      target_c = [c == y] for an index y
        loss = -sum_c weight_c * q_c * log_softmax(x)_c                    0 where y = ignore_index
        mean = sum(loss) / sum(weight[y] over what is not ignored)         class indices
               sum(loss) / number of positions                             probabilities

    Unweighted, its gradient with respect to the logits is softmax(x) - q.

    Args:
        input: x, the logits, any real numbers; not probabilities, on which softmax would act a second time.
        target: class indices in [0, C), int64; or probabilities in [0, 1], floating point.
        weight: how much each class counts; 1 for all when left out.
        ignore_index: positions with this class index do not count. If all are ignored the mean is NaN.
        reduction: "mean" (see above), "sum" or "none".
        label_smoothing: in [0, 1], the share of every target that is spread evenly over the C classes.
    Shape: input (C), (N, C) or (N, C, d1, ...); probabilities the same; indices likewise without C.
    Raises: ValueError on other dtypes, shapes or ranges, on an unknown reduction.
    Source: label smoothing: Szegedy et al. (2016), section 7.
    Agrees with: `torch.nn.functional.cross_entropy`, which also takes uint8 targets.
    """
    check_float("logits", input, cure="convert them with .float()")
    require(0 <= label_smoothing <= 1, "0 <= label_smoothing <= 1", label_smoothing=label_smoothing)
    check_tensor("target", target)
    dim, classes = class_dim(input)
    log_p = log_softmax(widen(input), dim)
    if target.is_floating_point():
        _check_probabilities(input, target, ignore_index)
        q = (1 - label_smoothing) * widen(target) + label_smoothing / classes
        return reduce(-_sum_over_classes(q * log_p, weight, dim), reduction, input, target)
    nll, counts = _likelihood_terms(log_p, target, weight, ignore_index)
    loss = reduce(counts * nll, reduction, log_p, weight=counts)
    if label_smoothing > 0:
        spread = -_sum_over_classes(log_p, weight, dim).masked_fill(target == ignore_index, 0) / classes
        mean_spread = reduce(spread, reduction, log_p, weight=counts)
        loss = (1 - label_smoothing) * loss + label_smoothing * mean_spread
    return loss.to(result_dtype(input))


@one_node
def focal_loss(
    input: Tensor,
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
        input: x, the logits, any real numbers.
        target: y, class indices in [0, C), int64.
        gamma: >= 0. At 0 this is `cross_entropy`; at 2 a prediction with p_y = 0.9 counts a hundredth.
        weight: the paper's alpha, one number for each class; 1 for all when left out.
        ignore_index: positions with this target do not count. If all are ignored the mean is NaN.
        reduction: "mean" (as in `cross_entropy`), "sum" or "none".
    Shape: input (C), (N, C) or (N, C, d1, ...); target the same without C; weight (C).
    Raises: ValueError if gamma < 0, on other dtypes, shapes or indices, on an unknown reduction.
    Source: Lin et al. (2017), equation 5, with softmax over C classes in place of a sigmoid.
    Agrees with: `kornia.losses.focal_loss` summed over its class dimension. Its "mean" is over N * C numbers,
        so C times smaller; its alpha is our weight = (1 - alpha, alpha, ..., alpha).
    """
    check_float("logits", input, cure="convert them with .float()")
    require(gamma >= 0, "gamma >= 0", gamma=gamma)
    log_p = log_softmax(widen(input), class_dim(input)[0])
    nll, counts = _likelihood_terms(log_p, target, weight, ignore_index)
    doubt = -torch.expm1(-nll)  # 1 - p_y, without cancellation
    # At exactly 0 the power would, for gamma < 1, have an infinite slope.
    doubt = doubt.clamp(min=torch.finfo(doubt.dtype).tiny)
    return reduce(counts * doubt**gamma * nll, reduction, input, weight=counts)


def _likelihood_terms(
    log_p: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int
) -> tuple[Tensor, Tensor]:
    """-log_p[y] and weight[y] of every position, both 0 where y = ignore_index."""
    dim, classes = class_dim(log_p)
    index = class_indices(log_p, target, ignore_index)
    ignored = target == ignore_index
    nll = -log_p.gather(dim, index.unsqueeze(dim)).squeeze(dim).masked_fill(ignored, 0)
    w = class_weight(weight, classes)
    return nll, (~ignored).to(nll.dtype) if w is None else w[index].masked_fill(ignored, 0)


def _sum_over_classes(x: Tensor, weight: Tensor | None, dim: int) -> Tensor:
    """The sum of weight_c * x_c over the classes."""
    w = class_weight(weight, x.shape[dim])
    return x.sum(dim) if w is None else (x * w.reshape(-1, *[1] * (x.ndim - 1 - dim))).sum(dim)


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
