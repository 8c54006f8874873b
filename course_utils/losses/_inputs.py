"""What the losses share: checks of their inputs, their precision, and the reduction."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from .._checks import require
from .._tensors import autocast_is_on, check_float, check_range, check_tensor, widen


def reduce(loss: Tensor, reduction: str, *inputs: Tensor, weight: Tensor | None = None) -> Tensor:
    """The mean or the sum over all elements of `loss`, or `loss` as it is, in the dtype of `inputs`.

        mean = sum(loss) / sum(weight)          with a weight, which `loss` already holds; else / their number

    Until here a loss is computed in float32 at least, so that this is the one place where a sixteen-bit one
    rounds.
    """
    require(reduction in ("mean", "sum", "none"), 'reduction "mean", "sum" or "none"', reduction=reduction)
    if reduction == "mean":
        loss = loss.mean() if weight is None else loss.sum() / weight.sum()
    elif reduction == "sum":
        loss = loss.sum()
    return loss.to(result_dtype(*inputs))


def result_dtype(*inputs: Tensor) -> torch.dtype:
    """The widest dtype of `inputs`; inside `torch.autocast` float32 at least, as of torch's losses."""
    dtype = functools.reduce(torch.promote_types, [x.dtype for x in inputs])
    return torch.promote_types(dtype, torch.float32) if autocast_is_on(inputs[0]) else dtype


def check_elementwise(name: str, x: Tensor, target: Tensor) -> None:
    """Raise unless both are floating-point tensors of one shape, so that nothing broadcasts silently."""
    check_float(name, x, cure="convert it with .float()")
    check_float("target", target, cure=f"convert it with target.to({name}.dtype)")
    require(
        x.shape == target.shape,
        f"{name} and target of one shape",
        cure="they would broadcast against each other: squeeze, unsqueeze or expand one of them",
        **{name: tuple(x.shape), "target": tuple(target.shape)},
    )


def check_shares(target: Tensor, *, cure: str) -> None:
    """Raise unless all of `target` lies in [0, 1], up to rounding: mixed labels can add up to 1 + eps."""
    check_range("target", target, 0, 1, cure=cure, slack=4 * torch.finfo(target.dtype).eps)


def class_dim(scores: Tensor) -> tuple[int, int]:
    """Which dimension holds the classes, and how many there are."""
    dim = 0 if scores.ndim == 1 else 1
    require(
        scores.ndim >= 1 and scores.shape[dim] >= 1,
        "predictions of shape (C), (N, C) or (N, C, d1, ...) with at least one class",
        shape=tuple(scores.shape),
    )
    return dim, scores.shape[dim]


def class_indices(scores: Tensor, target: Tensor, ignore_index: int | None = None) -> Tensor:
    """`target`, checked to hold a class for each position of `scores`, and 0 where it is `ignore_index`."""
    dim, classes = class_dim(scores)
    check_tensor("target", target)
    require(
        target.dtype == torch.int64,
        "class indices of dtype torch.int64",
        cure="target.long()",
        dtype=target.dtype,
    )
    require(
        target.shape == scores.shape[:dim] + scores.shape[dim + 1 :],
        "class indices in the shape of the prediction without its class dimension",
        cure="squeeze away a last dimension of 1; turn one-hot rows into indices with argmax(dim=1)",
        prediction=tuple(scores.shape),
        target=tuple(target.shape),
    )
    index = target if ignore_index is None else target.masked_fill(target == ignore_index, 0)
    check_range("class index", index, 0, classes - 1, cure="labels that count from 1 become target - 1")
    return index


def class_weight(weight: Tensor | None, classes: int) -> Tensor | None:
    """`weight`, checked to hold one floating-point number for each class, in float32 at least."""
    if weight is None:
        return None
    check_float("weight", weight, cure="convert it with .float()")
    require(
        weight.shape == (classes,), "one weight for each class", weight=tuple(weight.shape), classes=classes
    )
    return widen(weight)


def broadcast_weight(name: str, weight: Tensor | None, to: Tensor) -> Tensor | None:
    """`weight`, checked to be floating-point and to broadcast to the shape of `to`, in float32 at least."""
    if weight is None:
        return None
    check_float(name, weight, cure="convert it with .float()")
    sizes = zip(reversed(weight.shape), reversed(to.shape), strict=False)
    require(
        weight.ndim <= to.ndim and all(w in (1, n) for w, n in sizes),
        f"{name} that broadcasts to the shape of the prediction",
        cure="one weight for each column of (N, C) has shape (C,)",
        **{name: tuple(weight.shape), "prediction": tuple(to.shape)},
    )
    return widen(weight)
