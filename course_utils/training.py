"""fit(): the training loop, once, with everything the course adds to it.

    for each epoch
        for each minibatch
            loss = loss(model(augment(x)), y) + penalty(model)
            gradients of loss, clipped; optimizer.step(); averaged weights follow
        validation; early stopping; checkpoint

`seeds.train_seeds` shares its parts: `minibatches`, `set_rate`, `accuracy`.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm.auto import tqdm

from course_utils import profiles
from course_utils._batches import Examples, batches_of, mark_last, minibatches
from course_utils._checkpoint import load, save
from course_utils._checks import require
from course_utils.early_stopping import EarlyStopping
from course_utils.history import History
from course_utils.mixed_precision import GradScaler

__all__ = ["History", "TrainingDiverged", "accuracy", "evaluate", "fit", "minibatches", "set_rate"]

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class TrainingDiverged(RuntimeError):
    """The loss became NaN or infinite."""


def set_rate(optimizer: Optimizer, schedule: Callable[[int], float], step: int) -> None:
    """Give every group the rate `initial_lr * schedule(step)`; the first call notes `initial_lr`."""
    multiplier = schedule(step)
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * multiplier


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
    """Mean loss and mean metric (NaN without one) over all examples, in eval mode; the mode is put back.

    Batches are weighted by their sizes, so that a short last one does not count as a full one.
    """
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    training, total, measured, count = model.training, 0.0, 0.0, 0
    model.eval()
    try:
        for x, y in batches_of(examples, batch_size, None):
            x, y = x.to(device), y.to(device)
            prediction = model(x)
            total += float(loss(prediction, y)) * len(x)
            measured += float(metric(prediction, y)) * len(x) if metric else math.nan
            count += len(x)
    finally:
        model.train(training)
    require(count > 0, "at least one example to evaluate on")
    return total / count, measured / count


def fit(
    model: nn.Module,
    train: Examples | Iterable[Examples],
    validation: Examples | Iterable[Examples] | None = None,
    *,
    optimizer: Optimizer,
    loss: Callable[[Tensor, Tensor], Tensor],
    epochs: int,
    batch_size: int = 32,
    generator: torch.Generator | None = None,
    metric: Callable[[Tensor, Tensor], Tensor] | None = None,
    schedule: Callable[[int], float] | None = None,
    penalty: Callable[[nn.Module], Tensor] | None = None,
    augment: Callable[..., Any] | None = None,
    clip_norm: float | None = None,
    accumulate: int = 1,
    ema: Any = None,
    early_stopping: EarlyStopping | None = None,
    precision: str = "fp32",
    device: str | torch.device = "cpu",
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
) -> History:
    """Train `model` in place and return what happened, epoch by epoch.

    Args:
        train, validation: a pair of tensors (x, y), or a DataLoader.
        optimizer: over the model's parameters, already on `device`.
        loss: (prediction, target) -> mean loss of the batch.
        epochs: passes over `train`; with `resume`, counted from the first run's start.
        batch_size, generator: for tensors; the generator (default: seed 0) draws each epoch's order.
        metric: (prediction, target) -> mean over the batch, measured on `validation`.
        schedule: optimizer step -> multiplier of the base rate.
        penalty: model -> term added to the loss (not counted in `train_loss`).
        augment: x -> x, or (x, y) -> (x, y), on training batches only.
        clip_norm: largest norm of the whole gradient, > 0 (after unscaling).
        accumulate: batches per step, >= 1; their gradients are averaged.
        ema: an `ExponentialMovingAverage` of the model; validated beside it.
        early_stopping: sees the validation loss after each epoch.
        precision: "fp32", "bf16" or "fp16" (autocast; fp16 with loss scaling).
        checkpoint, resume: a file written whole after each epoch, and whether to go on from it. A resumed
            run equals an uninterrupted one bit for bit on the CPU.
        progress: a bar where a person looks on; never under a runner.
    Raises:
        TrainingDiverged: the loss is NaN or infinite.
        ValueError: for arguments that do not fit together.
    """
    require(
        epochs >= 1 and accumulate >= 1,
        "epochs >= 1 and accumulate >= 1",
        epochs=epochs,
        accumulate=accumulate,
    )
    require(precision in PRECISIONS, f"precision to be one of {', '.join(PRECISIONS)}", precision=precision)
    require(clip_norm is None or clip_norm > 0, "clip_norm > 0", clip_norm=clip_norm)
    require(not (early_stopping and validation is None), "validation for early stopping", validation=None)
    require(not resume or checkpoint is not None, "a checkpoint to resume from", checkpoint=checkpoint)
    device, dtype = torch.device(device), PRECISIONS[precision]
    model.to(device)
    generator = generator or torch.Generator().manual_seed(0)
    scaler = GradScaler() if precision == "fp16" else None
    autocast = torch.autocast(device.type, dtype) if dtype else nullcontext()
    labels_too = augment is not None and _takes_labels(augment)
    history, step, stopped = History(), 0, False
    keep = {
        "model": model,
        "optimizer": optimizer,
        "scaler": scaler,
        "ema": ema,
        "early_stopping": early_stopping,
    }
    if resume and checkpoint is not None and Path(checkpoint).exists():
        step, stopped = load(Path(checkpoint), keep, generator, history)

    def gradients(x: Tensor, y: Tensor, share: float) -> Tensor:
        with autocast:
            data_loss = loss(model(x), y)
            objective = data_loss if penalty is None else data_loss + penalty(model)
        objective = objective * share
        (scaler.scale(objective) if scaler else objective).backward()
        return data_loss.detach()

    def update(batches: list[Examples]) -> float:
        """One optimizer step on the mean gradient of `batches`; gives their mean loss."""

        def closure() -> Tensor:
            optimizer.zero_grad()
            losses = [gradients(x, y, 1 / len(batches)) for x, y in batches]
            if clip_norm is not None:
                if scaler:
                    scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
            return torch.stack(losses).mean()

        if schedule is not None:
            set_rate(optimizer, schedule, step)
        if scaler:
            value = float(closure())
            scaler.step(optimizer)
            scaler.update()
        else:
            value = float(optimizer.step(closure))  # type: ignore[arg-type]  # it may return a tensor
        if ema is not None:
            ema.update(model)
        return value

    show = progress and sys.stderr.isatty() and not profiles.headless()
    bar = tqdm(range(len(history.rows), epochs), desc="fit", disable=not show, leave=False)
    for epoch in () if stopped else bar:
        model.train()
        _mode(optimizer, "train")
        total, count, waiting = 0.0, 0, []
        batches = batches_of(train, batch_size, generator)
        for x, y, last in mark_last(batches):
            x, y = x.to(device), y.to(device)
            if augment is not None:
                x, y = augment(x, y) if labels_too else (augment(x), y)
            waiting.append((x, y))
            if len(waiting) == accumulate or last:
                value, examples = update(waiting), sum(len(x) for x, _ in waiting)
                if not math.isfinite(value):
                    rate = optimizer.param_groups[0]["lr"]
                    raise TrainingDiverged(
                        f"the loss is {value} at step {step} (epoch {epoch + 1}, lr={rate:.3g}); "
                        f"lower the rate, warm it up, or clip the gradient with clip_norm="
                    )
                total, count, step, waiting = total + value * examples, count + examples, step + 1, []
        require(count > 0, "at least one training batch")
        _mode(optimizer, "eval")
        row = {
            "epoch": epoch + 1,
            "step": step,
            "lr": optimizer.param_groups[0]["lr"],
            "train_loss": total / count,
        }
        if validation is not None:
            for prefix, net in [("", model)] + ([("ema_", ema.module)] if ema is not None else []):
                values = evaluate(net, validation, loss=loss, metric=metric)
                row |= {f"{prefix}validation_loss": values[0]} | (
                    {f"{prefix}validation_metric": values[1]} if metric else {}
                )
        history.rows.append(row)
        bar.set_postfix({name: f"{value:.3g}" for name, value in row.items() if name.endswith("loss")})
        stopped = early_stopping is not None and early_stopping.update(row["validation_loss"], model)
        if checkpoint is not None:
            save(Path(checkpoint), keep, generator, history, step, stopped)
        if stopped:
            break
    return history


def _takes_labels(augment: Callable[..., Any]) -> bool:
    """Whether `augment` wants (x, y), as mixup does, rather than x alone."""
    forward = augment.forward if isinstance(augment, nn.Module) else augment
    needed = [
        p for p in inspect.signature(forward).parameters.values() if p.default is p.empty and p.kind <= 1
    ]
    return len(needed) == 2


def _mode(optimizer: Optimizer, name: str) -> None:
    """Tell an optimizer that keeps two sets of weights (Schedule-Free) which one to show."""
    switch = getattr(optimizer, name, None)
    if callable(switch):
        switch()
