"""How good a model is: mean loss and metric over examples it does not learn from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from course_utils._checks import require
from course_utils.training.batches import Examples, batches_of


def accuracy(prediction: Tensor, target: Tensor) -> Tensor:
    """Share of right classes: (..., N, C) scores and (..., N) classes give (...)."""
    return (prediction.argmax(-1) == target).to(torch.get_default_dtype()).mean(-1)


@torch.no_grad()
def evaluate(
    model: nn.Module,
    examples: Examples | Iterable[Examples],
    *,
    loss: Callable[[Tensor, Tensor], Tensor],
    metric: Callable[[Tensor, Tensor], Tensor] | None = None,
    batch_size: int = 1024,
) -> tuple[float, float]:
    """Mean loss and mean metric (NaN without one) over all examples, in eval mode.

    Batches are weighted by their sizes, so that a short last one does not count as a full one. Afterwards
    every module is in the mode it was in.

    Args:
        examples: a pair of tensors (x, y), or batches of them; moved to the model's device.
        loss, metric: (prediction, target) -> mean over the batch.
        batch_size: for tensors, >= 1.
    Raises: ValueError if there is no example.
    """
    require(batch_size >= 1, "batch_size >= 1", batch_size=batch_size)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    modes = [(module, module.training) for module in model.modules()]
    total, measured, count = 0.0, 0.0, 0
    model.eval()
    try:
        for x, y in batches_of(examples, batch_size, None):
            x, y = x.to(device), y.to(device)
            prediction = model(x)
            total += float(loss(prediction, y)) * len(x)
            measured += float(metric(prediction, y)) * len(x) if metric is not None else math.nan
            count += len(x)
    finally:
        for module, mode in modes:
            module.training = mode
    require(count > 0, "an example to evaluate on", cure="pass a list or loader, not a spent generator")
    return total / count, measured / count


def measure(
    nets: dict[str, nn.Module],
    validation: Examples | Iterable[Examples] | None,
    loss: Callable[[Tensor, Tensor], Tensor],
    metric: Callable[[Tensor, Tensor], Tensor] | None,
) -> dict[str, float]:
    """`validation_loss`, and with a metric `validation_metric`, of each net, after its prefix; or nothing."""
    row: dict[str, float] = {}
    if validation is None:
        return row
    for prefix, net in nets.items():
        values = evaluate(net, validation, loss=loss, metric=metric)
        row[f"{prefix}validation_loss"] = values[0]
        if metric is not None:
            row[f"{prefix}validation_metric"] = values[1]
    return row
