"""fit(): the training loop, once, with everything the course adds to it.

    for each epoch
        for each minibatch
            loss = loss(model(augment(x)), y) + penalty(model)
            gradients of loss, clipped; optimizer.step(); averaged weights follow
        validation; early stopping; checkpoint

`seeds.train_seeds` shares its parts: `minibatches`, `set_rate`, `accuracy`, `TrainingDiverged`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils._checks import require
from course_utils.early_stopping import EarlyStopping
from course_utils.mixed_precision import GradScaler
from course_utils.regularizers import clip_grad_norm_
from course_utils.training import arguments
from course_utils.training import checkpoint as checkpoints
from course_utils.training.batches import Examples, batches_of, in_groups, minibatches, on_pairs
from course_utils.training.evaluation import accuracy, evaluate, measure
from course_utils.training.history import History
from course_utils.training.progress_bar import epochs_left
from course_utils.training.randomness import Randomness
from course_utils.training.stepping import TrainingDiverged, require_finite, set_rate, show_weights

__all__ = ["History", "TrainingDiverged", "accuracy", "evaluate", "fit", "minibatches", "set_rate"]


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
        train, validation: a pair of tensors (x, y), or batches of them that can be read again and again: a
            DataLoader, a list.
        optimizer: over the model's parameters. One with two sets of weights (Schedule-Free) is switched by
            its train() and eval(); one that wants two gradients (SAM) gets both, on the same batch.
        loss: (prediction, target) -> mean loss of the batch; never sees sixteen-bit predictions.
        epochs: passes over `train`, >= 1; with `resume`, counted from the first run's start.
        batch_size, generator: for tensors; the generator (default: seed 0) draws each epoch's order.
        metric: (prediction, target) -> mean over the batch, measured on `validation`.
        schedule: optimizer step, from 0 -> multiplier of the base rate.
        penalty: model -> term added to the loss of each step (not counted in `train_loss`).
        augment: x -> x, or (x, y) -> (x, y), on training batches only, after they are moved to `device`.
        clip_norm: largest norm of the whole gradient, > 0.
        accumulate: batches per step, >= 1; the gradient is that of one batch of all their examples.
        ema: an `ExponentialMovingAverage` of the model, updated each step; validated beside it.
        early_stopping: sees the validation loss (in mode "max" the metric) of the model after each epoch.
            The best weights are put back at the end, also when the epochs run out.
        precision: "fp32", "bf16" or "fp16": of the model in training (autocast; fp16 with loss scaling).
            Weights, losses and validation stay in float32.
        device: where to compute; the model is moved there (with FlatParameters, move it before).
        checkpoint, resume: a file written whole before the first and after each epoch, and whether to go on
            from it (where it is not there yet: from the start). On the CPU a resumed run equals an
            uninterrupted one bit for bit, if it is given the same arguments, newly made.
        progress: a bar where a person looks on; never under a runner.
    Returns: one row per epoch. `train_loss` is the mean over the epoch's batches, as trained: while the
        weights moved, dropout and augmentation on. The model is left in eval mode.
    Raises:
        TrainingDiverged: the loss is NaN or infinite; the model keeps the weights that gave it.
        ValueError: for arguments that do not fit together.
    """
    arguments.check_numbers(epochs, batch_size, accumulate, clip_norm)
    arguments.check_examples(train=train, validation=validation)
    arguments.check_optimizer(model, optimizer, precision)
    arguments.check_stopping(early_stopping, validation, metric, resume)
    arguments.check_checkpoint(checkpoint, resume)
    device, sixteen = torch.device(device), arguments.PRECISIONS[precision]
    nets = {"": model.to(device)} | ({} if ema is None else {"ema_": ema.to(device).module})
    params = [p for group in optimizer.param_groups for p in group["params"]]
    scaler = GradScaler(device) if precision == "fp16" else None
    autocast = torch.autocast(device.type, sixteen) if sixteen else nullcontext()
    generator = generator or torch.Generator().manual_seed(0)
    augmented, history = on_pairs(augment), History()
    drawn = Randomness(generator, train, validation, model, augment, loss, penalty)
    parts = {"model": model, "optimizer": optimizer, "scaler": scaler, "ema": ema, "history": history}
    parts |= {"early_stopping": early_stopping, "randomness": drawn}
    if checkpoint is not None:
        (checkpoints.load if resume and Path(checkpoint).exists() else checkpoints.save)(checkpoint, parts)
    step = int(history.rows[-1]["step"]) if history.rows else 0

    def update(batches: list[Examples], count: int) -> float:
        """One step of the optimizer; the mean loss of the `count` examples of `batches` before it."""
        seen = []

        def closure() -> float:
            optimizer.zero_grad()
            data_loss = objective = 0.0
            for x, y in batches:
                share = len(x) / count
                with autocast:
                    prediction = model(x)
                if sixteen:  # sums, logarithms and exponentials lose what is left of the digits
                    prediction = prediction.float()
                value = loss(prediction, y)
                term = (value if penalty is None else value + penalty(model)) * share
                (term if scaler is None else scaler.scale(term)).backward()
                data_loss += float(value.detach()) * share
                objective += float(term.detach())
            require_finite("the loss", objective, optimizer, step)
            if scaler is not None:
                scaler.unscale_(optimizer)
            if clip_norm is not None:
                norm = float(clip_grad_norm_(params, clip_norm))
                if scaler is None:  # a scaler skips the step itself
                    require_finite("the norm of the gradient", norm, optimizer, step)
            seen.append(data_loss)
            return objective

        if scaler is None:
            optimizer.step(closure)
        else:
            closure()
            scaler.step(optimizer)  # nothing, where a gradient has overflowed
            scaler.update()
            if scaler.get_scale() < 2.0**-24:
                require_finite("a gradient, whatever its scale,", math.nan, optimizer, step)
        return seen[0]  # of several, as with SAM, the one where the weights were

    for epoch in (bar := epochs_left(len(history.rows), epochs, progress)):
        if early_stopping is not None and early_stopping.stopped:
            break
        model.train()
        show_weights(optimizer, "train")
        total, examples = 0.0, 0
        for group in in_groups(batches_of(train, batch_size, generator), accumulate):
            batches = [augmented(x.to(device), y.to(device)) for x, y in group]
            count = sum(len(x) for x, _ in batches)
            if schedule is not None:
                set_rate(optimizer, schedule, step)
            total += update(batches, count) * count
            if ema is not None:
                ema.update(model)
            step, examples = step + 1, examples + count
        require(examples > 0, "a training batch", cure="pass a list or loader, not a spent generator")
        show_weights(optimizer, "eval")
        require_finite("a sum of weights", sum(float(p.detach().sum()) for p in params), optimizer, step)
        row = {"epoch": epoch + 1, "step": step, "lr": optimizer.param_groups[0]["lr"]}
        row |= {"train_loss": total / examples} | measure(nets, validation, loss, metric)
        history.rows.append(row)
        bar.set_postfix({name: f"{value:.3g}" for name, value in row.items() if name.endswith("loss")})
        if early_stopping is not None:
            watched = "validation_loss" if early_stopping.mode == "min" else "validation_metric"
            early_stopping.update(row[watched], model)
        if checkpoint is not None:
            checkpoints.save(checkpoint, parts)
    if early_stopping is not None and early_stopping.restore_best and early_stopping.best_step is not None:
        early_stopping.restore(model)
    for net in nets.values():
        net.eval()
    return history
