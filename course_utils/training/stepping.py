"""What a training loop does to an optimizer beside stepping it, and when it gives up."""

from __future__ import annotations

import math

from torch.optim import Optimizer

from course_utils.schedules import set_rate as set_rate


class TrainingDiverged(RuntimeError):
    """A loss, a gradient or a weight became NaN or infinite."""


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
