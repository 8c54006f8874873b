"""fit(): the training loop, once, with everything the course adds to it.

    for each epoch
        for each group of minibatches
            objective = loss(model(augment(x)), y) + penalty(model)          stepping.TrainingStep:
            gradient, clipped; optimizer.step(); averaged weights follow     one step
        validation; early stopping; checkpoint

`seeds.train_seeds` shares its parts: `minibatches`, `set_lr`, `accuracy`, `TrainingDiverged`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils.early_stopping import EarlyStopping
from course_utils.training import arguments
from course_utils.training.batches import Batch, Examples, batches_of, in_groups, on_pairs, on_tensors
from course_utils.training.checkpoint import Checkpoint
from course_utils.training.evaluation import measure
from course_utils.training.history import History
from course_utils.training.modes import frozen_parts, set_training
from course_utils.training.progress_bar import epochs_left, show_losses
from course_utils.training.stepping import Schedule, TrainingStep, show_weights


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
    schedule: Schedule | Sequence[Schedule] | None = None,
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
        model: trained in training mode, but for the parts of it that somebody has put in eval mode (batch
            norm whose statistics are to stay, say). Where the whole model comes in eval mode, as `fit` leaves
            it, parts without a trained parameter stay there.
        train, validation: a pair of tensors (x, y), a Dataset, or batches (x, y) that can be read again and
            again: a DataLoader, a list. x and y may be tuples, lists or dicts of tensors.
        optimizer: over the model's parameters. One with two sets of weights (Schedule-Free) is switched by
            its train() and eval(); one that wants two gradients (SAM) gets both, on the same batch.
        loss: (prediction, target) -> mean loss of the batch, from these two alone; never sees sixteen-bit
            predictions.
        epochs: passes over `train`, >= 1; with `resume`, counted from the first run's start.
        batch_size, generator: for tensors and a Dataset; the generator (default: seed 0) draws each epoch's
            order.
        metric: (prediction, target) -> one number, measured on `validation`.
        schedule: optimizer step, from 0 -> multiplier of the rate that the optimizer has; or a list, one for
            each parameter group. Between steps, and afterwards, the optimizer has its own rate.
        penalty: model -> term added to the loss of each step (not counted in `train_loss`).
        augment: x -> x, or (x, y) -> (x, y), on training batches only, after they are moved to `device`.
        clip_norm: largest norm of the whole gradient, > 0.
        accumulate: batches per step, >= 1. The gradient is that of one batch of all their examples, also
            where the loss leaves targets out or weighs classes; batch norm sees each batch alone. The loss
            must be a mean or a sum over examples.
        ema: an `ExponentialMovingAverage` of the model, updated each step; validated beside it.
        early_stopping: sees the validation loss (in mode "max" the metric) of the model after each epoch.
            The best weights are put back at the end, also when the epochs run out.
        precision: "fp32", "bf16" or "fp16": of the model in training (autocast; fp16 with loss scaling).
            Weights, losses and validation stay in float32.
        device: where to compute; the model is moved there (with FlatParameters, move it before).
        checkpoint, resume: a file written whole before the first and after each epoch, and whether to go on
            from it (where it is not there yet: from the start). On the CPU a resumed run equals an
            uninterrupted one bit for bit, if it is given the same arguments, newly made: the generators and
            counters that they hold are kept (`Randomness`), what cannot be kept is refused by name.
        progress: a bar in a terminal or a notebook; never under a runner.
    Returns: one row per epoch. `train_loss` is the loss of the epoch's predictions, all as one batch, each as
        it was made: while the weights moved, dropout and augmentation on. The model is left in eval mode.
    Raises:
        TrainingDiverged: the loss is NaN or infinite; the model keeps the weights that gave it.
        ValueError: for arguments that do not fit together.
    Departure: `train_loss` and validation take very many predictions in parts, as `evaluate` says.
    """
    given = dict(locals())
    arguments.check(**given)
    device, generator = torch.device(device), generator or torch.Generator().manual_seed(0)
    frozen, augmented, history = frozen_parts(model), on_pairs(augment), History()
    nets = {"": model.to(device)} | ({} if ema is None else {"ema_": ema.to(device).module})
    step = TrainingStep(model, optimizer, loss, penalty, schedule, clip_norm, ema, precision, device)
    parts = {"model": model, "optimizer": optimizer, "step": step, "scaler": step.scaler, "ema": ema}
    parts |= {"history": history, "early_stopping": early_stopping}
    saved = Checkpoint(checkpoint, parts, draws={**given, "generator": generator})
    saved.begin(resume)

    for epoch in (bar := epochs_left(len(history.rows), int(epochs), progress)):
        if early_stopping is not None and early_stopping.stopped:
            break
        set_training(model, frozen)
        show_weights(optimizer, "train")
        for batches in in_groups(batches_of(train, batch_size, generator, "train"), accumulate):
            step([augmented(*_on(device, batch)) for batch in batches])
        show_weights(optimizer, "eval")
        step.check_weights()
        row = {"epoch": epoch + 1, "step": step.taken, "lr": step.lr, "train_loss": step.epoch_loss()}
        row |= measure(nets, validation, loss, metric)
        history.rows.append(row)
        show_losses(bar, row)
        if early_stopping is not None:
            early_stopping.update(row[f"validation_{_watched(early_stopping)}"], model)
        saved.save()
    if early_stopping is not None and early_stopping.restore_best and early_stopping.best_step is not None:
        early_stopping.restore(model)
    for net in nets.values():
        net.eval()
    return history


def _on(device: torch.device, batch: Batch) -> Batch:
    x, y = (on_tensors(lambda t: t.to(device), part) for part in batch)
    return x, y


def _watched(stopping: EarlyStopping) -> str:
    return "loss" if stopping.mode == "min" else "metric"
