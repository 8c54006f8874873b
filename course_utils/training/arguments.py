"""What `fit` refuses, each with its cure, before anything is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from course_utils._checks import require
from course_utils.early_stopping import EarlyStopping
from course_utils.optimizers import SAM
from course_utils.training.batches import is_pair

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def check_numbers(epochs: int, batch_size: int, accumulate: int, clip_norm: float | None) -> None:
    counts: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "accumulate": accumulate}
    for name, value in counts.items():
        require(isinstance(value, int) and value >= 1, f"a whole number {name} >= 1", **{name: value})
    cure = "leave clip_norm out to clip nothing"
    require(clip_norm is None or clip_norm > 0, "clip_norm > 0", cure=cure, clip_norm=clip_norm)


def check_examples(**sets: Any) -> None:
    for name, examples in sets.items():
        if is_pair(examples):
            x, y = examples
            require(len(x) == len(y) >= 1, f"as many inputs as targets in {name}", x=len(x), y=len(y))


def check_optimizer(model: nn.Module, optimizer: Optimizer, precision: str) -> None:
    held = [p for group in optimizer.param_groups for p in group["params"]]
    own = set(model.parameters())
    require(
        any(p in own or getattr(p, "is_flat", False) for p in held),
        "an optimizer over this model's parameters",
        cure="build it from model.parameters() of the model that is trained",
        optimizer=type(optimizer).__name__,
    )
    names = ", ".join(PRECISIONS)
    require(precision in PRECISIONS, f"precision to be one of {names}", precision=precision)
    require(
        precision != "fp16" or not isinstance(optimizer, (SAM, torch.optim.LBFGS)),
        "an optimizer that takes one gradient per step for fp16, whose scaler takes no closure",
        cure='use precision="bf16"',
        optimizer=type(optimizer).__name__,
    )


def check_stopping(stopping: EarlyStopping | None, validation: object, metric: object, resume: bool) -> None:
    if stopping is None:
        return
    cure = "pass validation=, or train without early_stopping="
    require(validation is not None, "validation for early stopping", cure=cure, validation=None)
    cure = 'pass metric=, or stop on the loss with mode="min"'
    require(stopping.mode == "min" or metric is not None, 'a metric to stop on in mode "max"', cure=cure)
    cure = "call its reset(), or make a new one"
    require(resume or not stopping.stopped, "an EarlyStopping that has not stopped", cure=cure, stopped=True)


def check_checkpoint(checkpoint: str | Path | None, resume: bool) -> None:
    cure = "pass checkpoint= with the path to write to and to resume from"
    require(not resume or checkpoint is not None, "a checkpoint to resume from", cure=cure, checkpoint=None)
