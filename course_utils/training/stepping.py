"""What a training loop does to an optimizer beside stepping it, and when it gives up."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch.optim import Optimizer


class TrainingDiverged(RuntimeError):
    """A loss, a gradient or a weight became NaN or infinite."""


def set_rate(optimizer: Optimizer, schedule: Callable[[int], float], step: int) -> None:
    """Give every group the rate `initial_lr * schedule(step)`; the first call notes `initial_lr`."""
    multiplier = schedule(step)
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * multiplier


def show_weights(optimizer: Optimizer, mode: str) -> None:
    """Tell an optimizer that keeps two sets of weights (Schedule-Free) which one the model is to hold.

    Args:
        mode: "train", those where gradients are taken, or "eval", the averaged ones.
    """
    switch = getattr(optimizer, mode, None)
    if callable(switch):
        switch()


def require_finite(what: str, value: float, optimizer: Optimizer, step: int) -> None:
    """Raise `TrainingDiverged` with the step, the rate and the cures unless `value` is finite."""
    if not math.isfinite(value):
        raise TrainingDiverged(
            f"{what} is {value} at step {step}, with lr={optimizer.param_groups[0]['lr']:.3g}; lower the "
            "rate, warm it up with schedule=, or clip the gradient with clip_norm="
        )
