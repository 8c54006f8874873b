"""Optimizers that a race needs: several in one, and a step that a lesson wrote as a function.

hidden_by(muon, lrs)        the hidden matrices by `muon`, all else by Adam, a learning rate for each run
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils.optimizers import Adam, Optimizer
from course_utils.optimizers.base import Group, State, at_least_zero
from course_utils.seeds.rates import lr_per_run
from course_utils.seeds.stacked import keeps_seeds_apart, over

# (p, m, g, lr) -> (p, m); p, m, g are (S, rows, columns), lr is (S, 1, 1)
Rule = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


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


class ByHand(Optimizer):
    """A step written as a function, on stacked matrices (S, rows, columns), with a rate for each run.

        p, m <- rule(p, m, g, lr * lrs)        m is zero at first

    Args: rule: (p, m, g, lr) -> (p, m), which must not mix the runs. lrs: (S,), >= 0.
    Raises: ValueError if a learning rate is negative.
    """

    per_seed = True
    counts = False

    def __init__(self, params: Any, rule: Rule, lrs: Tensor) -> None:
        require(bool((lrs >= 0).all()), "lrs >= 0", lowest=float(lrs.min()))
        self.rule, self.lrs = rule, lrs
        super().__init__(params, {"lr": 1.0})

    def check(self, group: Group) -> None:
        at_least_zero(group, "lr")

    def init_state(self, p: Tensor, group: Group) -> State:
        return {"m": torch.zeros_like(p)}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        moved, state["m"] = self.rule(p, state["m"], g, group["lr"] * over(self.lrs.to(p), p))
        p.copy_(moved)


def hidden_and_rest(params: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Stacked parameters as hidden matrices (S, rows, columns), and biases with the last matrix."""
    hidden = [p for p in params if p.ndim == 3][:-1]
    return hidden, [p for p in params if all(p is not matrix for matrix in hidden)]


def hidden_by(rule: Rule | None, lrs: Tensor) -> Callable[[list[Tensor]], Any]:
    """Stacked parameters -> the hidden matrices stepped by `rule`, biases and the last matrix by Adam.

    For `sweep_lrs(..., per_run=partial(hidden_by, rule))`.

    Args: rule: as of `ByHand`; None for Adam there, too. lrs: (S,), a rate for each run, for both parts.
    Raises: ValueError for a net without a hidden matrix, or a negative learning rate.
    """

    if rule is None:
        return lr_per_run(Adam, lrs)

    def make(params: list[Tensor]) -> Together:
        hidden, rest = hidden_and_rest(params)
        require(len(hidden) > 0, "a hidden matrix", cure="two linear layers or more", matrices=len(hidden))
        return Together(ByHand(hidden, rule, lrs), lr_per_run(Adam, lrs)(rest))

    return make
