"""How good a model is: loss and metric over examples it does not learn from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils._checks import is_whole, require
from course_utils._torch.tensors import check_range
from course_utils.training.batches import (
    Examples,
    batches_of,
    check_examples,
    form,
    joined,
    on_tensors,
    tensors_in,
)
from course_utils.training.modes import evaluating

Score = Callable[[Any, Any], Any]


def accuracy(prediction: Tensor, target: Tensor) -> Tensor:
    """Share of right classes.

        right_i  = (argmax over C of prediction_i = target_i)
        accuracy = sum(right) / (number of targets >= 0)

    A target below 0 marks an example without a class (-100 for `cross_entropy`) and does not count.

    Args:
        prediction: scores, one per class; logits, logarithms or probabilities alike.
        target: whole numbers of classes, 0 .. C - 1.
    Shape: (N, C) and (N,) give (); (S, N, C) and (S, N), for S seeds at once, give (S,).
    Raises: ValueError for other shapes, a single score per example, or targets that are no whole numbers or
        name a class that has no score.
    """
    shapes = {"prediction": tuple(prediction.shape), "target": tuple(target.shape)}
    rows = prediction.ndim in (2, 3) and prediction.shape[:-1] == target.shape
    cure = "put the classes last and flatten all other dimensions"
    require(rows, "scores (N, C) and classes (N,), or (S, N, C) and (S, N)", cure=cure, **shapes)
    cure = "with one logit per example, take ((logit > 0) == target).float().mean()"
    require(prediction.shape[-1] >= 2, "scores of at least two classes", cure=cure, **shapes)
    floating = target.is_floating_point() or target.is_complex()
    cure = "take target.argmax(-1) of probabilities, target.long() of whole numbers"
    require(not floating, "whole numbers as targets", cure=cure, dtype=target.dtype)
    cure = "count classes from 0; a target below 0 is left out"
    check_range("target", target, -math.inf, prediction.shape[-1] - 1, cure=cure)
    right = (prediction.argmax(-1) == target).sum(-1)
    return right.to(torch.get_default_dtype()) / (target >= 0).sum(-1)


@torch.no_grad()
def evaluate(
    model: nn.Module,
    examples: Examples | Iterable[Examples],
    *,
    loss: Callable[[Tensor, Tensor], Tensor],
    metric: Callable[[Tensor, Tensor], Tensor] | None = None,
    batch_size: int = 1024,
) -> tuple[float, float]:
    """Loss and metric (NaN without one) of all examples, in eval mode.

        loss, share_right = evaluate(model, split.test, loss=cross_entropy, metric=accuracy)

    The model sees batches; loss and metric see all predictions at once. So the batch size changes nothing,
    also where a loss leaves targets out or weighs classes, and where a metric is no mean. Afterwards every
    module is in the mode it was in.

    Args:
        examples: a pair of tensors (x, y), a Dataset, or batches (x, y); moved to the model's device.
        loss, metric: (prediction, target) -> one number.
        batch_size: for tensors and a Dataset, >= 1.
    Raises: ValueError if there is no example, or these are not inputs and targets.
    Departure: predictions of more than 2**25 numbers in all, or that cannot be joined (of other shapes beyond
        the first dimension, or no tensors), are taken in parts, whose values are averaged by their targets.
    """
    whole = is_whole(batch_size) and batch_size >= 1
    require(whole, "a whole number batch_size >= 1", batch_size=batch_size)
    check_examples("examples", examples)
    for name, function in (("loss", loss), ("metric", metric)):
        check_function(name, function, needed=name == "loss")
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    pool = Pool(loss, metric)
    with evaluating(model):
        for x, y in batches_of(examples, batch_size, None):
            x, y = (on_tensors(lambda t: t.to(device), part) for part in (x, y))
            pool.add(model(x), y)
        value, measured = pool.values("an example to evaluate on")
    return value, measured


class Pool:
    """Predictions and targets of many batches, so that functions see them as one batch.

    A mean of the batches' means is another number where batches are not alike: in size, in the targets that
    a loss leaves out, in the weights of their classes.

    Args:
        functions: (prediction, target) -> one number; None counts as NaN.
    """

    # Numbers of predictions held at once: 128 MiB in float32. A longer set is taken in parts.
    LIMIT = 2**25

    def __init__(self, *functions: Score | None) -> None:
        self.functions = functions
        self.held: list[tuple[Any, Any]] = []
        self.numbers = 0
        self.forms: list[object] = []
        # Of each part: its weight and the value of each function.
        self.parts: list[tuple[int, list[float]]] = []

    def add(self, prediction: Any, target: Any) -> None:
        forms = [form(prediction), form(target)]
        if self.held and (forms != self.forms or self.numbers > self.LIMIT):
            self._close_part()
        # A loader may fill the same tensor again and again.
        self.held.append((prediction, on_tensors(Tensor.clone, target)))
        self.numbers += sum(t.numel() for t in tensors_in(prediction))
        self.forms = forms

    def values(self, needed: str) -> list[float]:
        """The value of each function; the pool is empty then.

        Raises: ValueError, with `needed` as what was missing, if nothing was added.
        """
        require(bool(self.held or self.parts), needed, cure="pass a list or loader, not a spent generator")
        self._close_part()
        parts, self.parts = self.parts, []
        if len(parts) == 1:
            return parts[0][1]
        total = sum(weight for weight, _ in parts)
        columns = zip(*([weight * value for value in values] for weight, values in parts), strict=True)
        return [sum(column) / total for column in columns]

    @torch.no_grad()
    def _close_part(self) -> None:
        prediction, target = (joined(list(trees)) for trees in zip(*self.held, strict=True))
        values = [
            math.nan if function is None else _number(function, prediction, target)
            for function in self.functions
        ]
        self.parts.append((sum(t.numel() for t in tensors_in(target)[:1]), values))
        self.held, self.numbers = [], 0


def _number(function: Score, prediction: Any, target: Any) -> float:
    value = function(prediction, target)
    one = value.numel() == 1 if isinstance(value, Tensor) else isinstance(value, (int, float, np.number))
    cure = 'take the mean over the examples, as reduction="mean" does'
    got = tuple(value.shape) if isinstance(value, Tensor) else value
    require(one, "one number of a loss and of a metric", cure=cure, value=got)
    return float(value)


def check_function(name: str, function: object, *, needed: bool = False, cure: str = "") -> None:
    """Raise unless `function` can be called; a class is not a function made from it."""
    if function is None and not needed:
        return
    made = not isinstance(function, type)
    got = getattr(function, "__name__", None) or repr(function)
    require(made, f"{name} made from its class", cure=f"write {name}={got}(...)", **{name: function})
    require(callable(function), f"a function as {name}", cure=cure, **{name: function})


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
