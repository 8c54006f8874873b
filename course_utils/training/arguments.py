"""What `fit` refuses, each with its cure, before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from course_utils._checks import is_whole, require
from course_utils.early_stopping import EarlyStopping
from course_utils.optimizers import SAM
from course_utils.training.batches import check_examples
from course_utils.training.evaluation import check_function
from course_utils.training.stepping import PRECISIONS


def check(**given: Any) -> None:
    """Raise ValueError unless the arguments of `fit`, by name, fit together."""
    for name in ("epochs", "batch_size", "accumulate"):
        value = given[name]
        require(is_whole(value) and value >= 1, f"a whole number {name} >= 1", **{name: value})
    _check_clipping(given["clip_norm"])
    for name in ("train", "validation"):
        if name == "train" or given[name] is not None:
            check_examples(name, given[name])
    _check_optimizer(given["model"], given["optimizer"], given["precision"])
    check_functions(given)
    _check_schedule(given["schedule"], len(given["optimizer"].param_groups))
    _check_generator(given["generator"])
    _check_average(given["ema"])
    _check_stopping(given["early_stopping"], given["validation"], given["metric"], given["resume"])
    _check_checkpoint(given["checkpoint"], given["resume"])


def check_functions(given: Mapping[str, Any]) -> None:
    """Raise ValueError unless loss, and metric, penalty and augment where they are given, can be called."""
    for name in ("loss", "metric", "penalty", "augment"):
        check_function(name, given[name], needed=name == "loss")


def _check_clipping(clip_norm: Any) -> None:
    cure = "leave clip_norm out to clip nothing"
    number = isinstance(clip_norm, Real) and not isinstance(clip_norm, bool)
    require(clip_norm is None or (number and clip_norm > 0), "clip_norm > 0", cure=cure, clip_norm=clip_norm)


def _check_generator(generator: Any) -> None:
    drawn = generator is None or isinstance(generator, torch.Generator)
    cure = "pass torch.Generator().manual_seed(seed)"
    require(drawn, "a torch.Generator as generator", cure=cure, generator=generator)


def _check_schedule(schedule: Any, groups: int) -> None:
    schedules = schedule if isinstance(schedule, (list, tuple)) else [schedule] * groups
    same = len(schedules) == groups
    require(same, "one schedule, or one per parameter group", schedules=len(schedules), groups=groups)
    for one in schedules:
        cure = "pass a function of the step, as those of course_utils.schedules; fit has no place for torch's"
        check_function("schedule", one, cure=cure)


def _check_optimizer(model: Any, optimizer: Any, precision: Any) -> None:
    made = isinstance(model, nn.Module)
    require(made, "a model made from its class, an nn.Module", cure="write Model()", model=model)
    cure = "write Adam(model.parameters(), lr=...), say"
    require(
        isinstance(optimizer, Optimizer), "an optimizer made from its class", cure=cure, optimizer=optimizer
    )
    held = [p for group in optimizer.param_groups for p in group["params"]]
    own = set(model.parameters())
    require(
        any(p in own or getattr(p, "is_flat", False) for p in held),
        "an optimizer over this model's parameters",
        cure="build it from model.parameters() of the model that is trained",
        optimizer=type(optimizer).__name__,
    )
    names = ", ".join(PRECISIONS)
    known = isinstance(precision, str) and precision in PRECISIONS
    require(known, f"precision to be one of {names}", precision=precision)
    require(
        precision != "fp16" or not isinstance(optimizer, (SAM, torch.optim.LBFGS)),
        "an optimizer that takes one gradient per step for fp16, whose scaler takes no closure",
        cure='use precision="bf16"',
        optimizer=type(optimizer).__name__,
    )


def _check_average(ema: Any) -> None:
    usable = ema is None or (isinstance(getattr(ema, "module", None), nn.Module) and hasattr(ema, "update"))
    cure = "pass ExponentialMovingAverage(model, decay)"
    require(usable, "an average with update(model) and its net as module", cure=cure, ema=ema)


def _check_stopping(stopping: Any, validation: object, metric: object, resume: bool) -> None:
    if stopping is None:
        return
    made = isinstance(stopping, EarlyStopping)
    require(made, "an EarlyStopping", cure="write EarlyStopping(patience=...)", early_stopping=stopping)
    cure = "pass validation=, or train without early_stopping="
    require(validation is not None, "validation for early stopping", cure=cure, validation=None)
    cure = 'pass metric=, or stop on the loss with mode="min"'
    require(stopping.mode == "min" or metric is not None, 'a metric to stop on in mode "max"', cure=cure)
    cure = "call its reset(), or make a new one"
    require(resume or not stopping.stopped, "an EarlyStopping that has not stopped", cure=cure, stopped=True)


def _check_checkpoint(checkpoint: Any, resume: bool) -> None:
    cure = "pass checkpoint= with the path to write to and to resume from"
    require(not resume or checkpoint is not None, "a checkpoint to resume from", cure=cure, checkpoint=None)
    named = checkpoint is None or (isinstance(checkpoint, (str, Path)) and not Path(checkpoint).is_dir())
    require(named, "the path of a file as checkpoint", checkpoint=checkpoint)
