"""An optimizer that a race needs: several in one, so that a recipe may give each parameter its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from course_utils._checks import require
from course_utils.seeds.stacked import keeps_seeds_apart


class Together:
    """Several optimizers, each over its own parameters, stepped as one.

    Raises: ValueError for an optimizer that mixes the seeds of stacked parameters.
    """

    per_seed = True

    def __init__(self, *optimizers: torch.optim.Optimizer) -> None:
        for each in optimizers:
            name = type(each).__name__
            require(keeps_seeds_apart(each), "optimizers that keep seeds apart", optimizer=name)
        self.optimizers = optimizers
        self.param_groups = [group for each in optimizers for group in each.param_groups]

    def step(self, closure: Callable[[], Any]) -> Any:
        """One gradient, and a step of each; what `closure` returned."""
        loss = closure()
        for each in self.optimizers:
            each.step()
        return loss
