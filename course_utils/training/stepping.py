"""One step of training: the gradient of a group of batches, and what the optimizer makes of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils._checks import require
from course_utils.mixed_precision import GradScaler
from course_utils.regularizers import clip_grad_norm_
from course_utils.schedules import set_lr as set_lr
from course_utils.training.batches import Batch, joined, on_tensors, shape_beyond_rows, tensors_in
from course_utils.training.evaluation import Pool

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
# A scale below this one lifts no gradient any more: if they still overflow, they are infinite themselves.
SMALLEST_SCALE = 2.0**-24

Schedule = Callable[[int], float]


class TrainingDiverged(RuntimeError):
    """A loss, a gradient or a weight became NaN or infinite."""


@dataclass
class TrainingStep:
    """One step of the optimizer, `step(batches)`, with all that belongs to it.

        prediction = model(x)                       in sixteen bits, if asked for
        objective  = loss(prediction, y) + penalty(model)       of all the batches as one
        gradient   of the objective, clipped to `clip_norm`
        optimizer.step()                            at lr * schedule(taken)
        ema.update(model)

    The optimizer is stepped through a closure, so it may ask for the gradient more than once (SAM, L-BFGS);
    only under loss scaling (fp16) it may not.

    Args: as of `fit`.
    Attributes:
        taken: steps so far.
        lr: the rate of the first parameter group in the last step.
        scaler: the loss scaling of fp16, else None.
    Raises: TrainingDiverged where the loss or the norm of the gradient is NaN or infinite; the weights are
        then those that gave it.
    """

    model: nn.Module
    optimizer: Optimizer
    loss: Callable[[Any, Any], Tensor]
    penalty: Callable[[nn.Module], Tensor] | None = None
    schedule: Schedule | Sequence[Schedule] | None = None
    clip_norm: float | None = None
    ema: Any = None
    precision: str = "fp32"
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        self.taken = 0
        self.lr = float(self.optimizer.param_groups[0]["lr"])
        self.scaler = GradScaler(self.device) if self.precision == "fp16" else None
        self._parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self._seen = Pool(self.loss)

    def __call__(self, batches: list[Batch]) -> None:
        evaluations: list[Any] = []
        closure = partial(self._closure, batches, evaluations)
        with scheduled_lr(self.optimizer, self.schedule, self.taken):
            self.lr = float(self.optimizer.param_groups[0]["lr"])
            if self.scaler is None:
                self.optimizer.step(closure)
            else:
                closure()
                self._step_scaled(self.scaler)
        # Of several evaluations, as with SAM, the one where the weights were.
        self._seen.add(*evaluations[0])
        if self.ema is not None:
            self.ema.update(self.model)
        self.taken += 1

    def epoch_loss(self) -> float:
        """The loss of all predictions since the last call, each as it was made, as one batch."""
        (value,) = self._seen.values("a training batch")
        return value

    def check_weights(self) -> None:
        """Raise TrainingDiverged unless the weights are finite."""
        self._require_finite("a sum of weights", sum(float(p.detach().sum()) for p in self._parameters))

    def state_dict(self) -> dict[str, Any]:
        return {"taken": self.taken, "lr": self.lr}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.taken, self.lr = state["taken"], state["lr"]

    def _closure(self, batches: list[Batch], evaluations: list[Any]) -> float:
        """The objective, with its gradient in `.grad`; predictions and targets are noted in `evaluations`."""
        self.optimizer.zero_grad()
        objective, prediction, target = self._differentiate(batches)
        self._require_finite("the loss", objective, prediction)
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        if self.clip_norm is not None:
            norm = float(clip_grad_norm_(self._parameters, self.clip_norm))
            # A scaler skips the step by itself where a gradient has overflowed.
            if self.scaler is None:
                self._require_finite("the norm of the gradient", norm)
        evaluations.append((prediction, target))
        return objective

    def _differentiate(self, batches: list[Batch]) -> tuple[float, Any, Any]:
        """Add the gradient of the objective to `.grad`, a batch at a time; objective, predictions, targets.

        The loss is that of all batches as one, differentiated by the predictions of one batch at a time. So
        targets that are left out and weights of classes count as in one batch, in the memory of the
        activations of one. The loss needs a prediction for every target: the later batches' are not made
        yet, so rows of the first stand in for them, which leaves the gradient by the others what it is.
        """
        target = _joined([y for _, y in batches], "targets")
        counts = [len(tensors_in(y)[0]) for _, y in batches]
        predictions: list[Any] = []
        penalties = 0.0
        for k, (x, _) in enumerate(batches):
            with self._autocast():
                prediction = self.model(x)
            if PRECISIONS[self.precision] is not None:
                # Sums, logarithms and exponentials would lose what is left of the digits.
                prediction = on_tensors(Tensor.float, prediction)
            if k == 0:
                later = [partial(_stand_in, counts[0], count) for count in counts[1:]]
                predictions = [prediction, *(on_tensors(rows, prediction) for rows in later)]
            predictions[k] = prediction
            value = self.loss(_joined(predictions, "predictions"), target)
            term = value
            if self.penalty is not None:
                share = self.penalty(self.model) * (counts[k] / sum(counts))
                penalties += float(share.detach())
                term = value + share
            _check_loss(term)
            (term if self.scaler is None else self.scaler.scale(term)).backward()
            predictions[k] = on_tensors(Tensor.detach, prediction)
        return float(value.detach()) + penalties, _joined(predictions, "predictions"), target

    def _autocast(self) -> AbstractContextManager[Any]:
        dtype = PRECISIONS[self.precision]
        return nullcontext() if dtype is None else torch.autocast(self.device.type, dtype)

    def _step_scaled(self, scaler: GradScaler) -> None:
        # Nothing moves where a gradient has overflowed.
        scaler.step(self.optimizer)
        scaler.update()
        if scaler.get_scale() < SMALLEST_SCALE:
            self._require_finite("a gradient, whatever its scale,", math.nan)

    def _require_finite(self, what: str, value: float, prediction: Any = None) -> None:
        if math.isfinite(value):
            return
        cure = "lower the rate, warm it up with schedule=, or clip the gradient with clip_norm="
        if (
            prediction is not None
            and math.isnan(value)
            and all(bool(t.isfinite().all()) for t in tensors_in(prediction))
        ):
            what = f"{what} of finite predictions"
            ignored = "where no target of the batch counts (all ignored, or of weight 0), leave it out"
            cure = f"{ignored} or join it to others with accumulate=; else {cure}"
        raise TrainingDiverged(f"{what} is {value} at step {self.taken}, with lr={self.lr:.3g}; {cure}")


def _joined(trees: list[Any], what: str) -> Any:
    if len(trees) > 1:
        shapes = [shape_beyond_rows(tree) for tree in trees]
        cure = "pad the batches to one shape, or leave accumulate= out"
        alike = all(shape == shapes[0] for shape in shapes)
        require(alike, f"{what} of one shape in the batches of a step", cure=cure, shapes=shapes)
    return joined(trees)


def _stand_in(own: int, wanted: int, prediction: Tensor) -> Tensor:
    """Predictions for a batch of `wanted` targets: rows of those that a batch of `own` targets has."""
    rows = len(prediction) * wanted // own if prediction.ndim else 0
    cure = "give predictions a first dimension that grows with the batch, or leave accumulate= out"
    require(rows > 0, "predictions of examples to accumulate", cure=cure, shape=tuple(prediction.shape))
    return prediction.detach()[torch.arange(rows, device=prediction.device) % len(prediction)]


def _check_loss(value: Any) -> None:
    if isinstance(value, Tensor) and value.numel() == 1 and value.requires_grad:
        return
    shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
    cure = 'take the mean over the examples, as reduction="mean" does'
    require(
        not isinstance(value, Tensor) or value.numel() == 1,
        "a loss that is one number",
        cure=cure,
        shape=shape,
    )
    cure = "compute it from the predictions with torch's functions, without .item(), .detach() or NumPy"
    require(False, "a loss with a gradient", cure=cure, loss=value)


@contextmanager
def scheduled_lr(
    optimizer: Optimizer, schedule: Schedule | Sequence[Schedule] | None, step: int
) -> Iterator[None]:
    """Every group's rate times `schedule(step)` inside, and what it was before afterwards.

    Args:
        schedule: one for all groups, or one for each.
    """
    if schedule is None:
        yield
        return
    groups = optimizer.param_groups
    rates = [group["lr"] for group in groups]
    if isinstance(schedule, Sequence):
        multipliers = [one(step) for one in schedule]
    else:
        multipliers = [schedule(step)] * len(groups)
    try:
        for group, rate, multiplier in zip(groups, rates, multipliers, strict=True):
            group["lr"] = rate * multiplier
        yield
    finally:
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate


def show_weights(optimizer: Optimizer, mode: str) -> None:
    """Tell an optimizer that keeps two sets of weights (Schedule-Free) which one the model is to hold.

    Args:
        mode: "train", those where gradients are taken, or "eval", the averaged ones.
    """
    switch = getattr(optimizer, mode, None)
    if callable(switch):
        switch()
