"""What the losses share: checks of their inputs, and the reduction."""

from __future__ import annotations

import torch
from torch import Tensor

from .._checks import require


def reduce(loss: Tensor, reduction: str) -> Tensor:
    """The mean or the sum over all elements of `loss`, or `loss` as it is."""
    require(reduction in ("mean", "sum", "none"), 'reduction "mean", "sum" or "none"', reduction=reduction)
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss


def check_tensor(name: str, x: object) -> None:
    """Raise unless `x` is a tensor."""
    require(isinstance(x, Tensor), f"{name} as a tensor", cure="torch.as_tensor(...) makes one", type=type(x))


def check_float(name: str, x: Tensor, *, cure: str) -> None:
    """Raise unless `x` is a floating-point tensor."""
    check_tensor(name, x)
    require(x.is_floating_point(), f"{name} of a floating-point dtype", cure=cure, dtype=x.dtype)


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


def check_range(name: str, x: Tensor, low: float, high: float, *, cure: str, slack: float = 0.0) -> None:
    """Raise unless all of `x` lies in [low, high], or outside by no more than `slack`.

    One pass over `x`; on a GPU the program waits for it.
    Under `torch.compile` and inside a `vmap` over `x` no value can be read, and nothing is checked.
    """
    if x.numel() == 0 or torch.compiler.is_compiling():
        return
    try:
        smallest, largest = (end.item() for end in torch.aminmax(x.detach()))
    except RuntimeError as error:
        if "vmap" not in str(error):
            raise
        return
    if smallest != smallest:  # NaN
        cure = "a NaN reached the loss: look for the step where it first appears"
    require(
        low - slack <= smallest and largest <= high + slack,
        f"{low} <= {name} <= {high}",
        cure=cure,
        smallest=smallest,
        largest=largest,
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


def check_weight(weight: Tensor, classes: int) -> None:
    """Raise unless `weight` holds one floating-point number for each class."""
    check_float("weight", weight, cure="convert it with .float()")
    require(
        weight.shape == (classes,), "one weight for each class", weight=tuple(weight.shape), classes=classes
    )
