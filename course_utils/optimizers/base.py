"""What every optimizer shares: groups, state, missing gradients, closures, and the checks. No mathematics."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, ClassVar, TypeAlias, overload

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from course_utils._checks import require

State: TypeAlias = dict[str, Any]
Group: TypeAlias = dict[str, Any]
Params: TypeAlias = ParamsT


class Optimizer(torch.optim.Optimizer):
    """An optimizer that is written as one `update` of one parameter.

    A subclass gives three methods; torch's schedulers, `GradScaler`, `state_dict`, hooks and closures
    then work with it as with any optimizer of torch:

        check(group)                 raise if a hyperparameter is out of range
        init_state(p, group)         what the optimizer remembers of p before its first step
        update(p, g, state, group)   all the mathematics, in place, under `torch.no_grad()`

    `state["step"]` is t, the number of updates this parameter has had, counted before `update` is called.
    A parameter whose gradient is None is skipped: not moved, not decayed, not counted.
    With `maximize` in the group, g is minus the gradient.

    Departures from torch: hyperparameters are plain numbers (no tensors), parameters are real, t is an int
    (`load_state_dict` takes torch's tensor, torch takes our int), and there is no `foreach` or `fused`:
    `FlatParameters` is the fast path.
    """

    elementwise: ClassVar[bool] = (
        True  # False where a step mixes entries, so that p cannot be stacked or flat
    )

    def check(self, group: Group) -> None:
        """Raise ValueError if a hyperparameter of `group` is out of range."""
        raise NotImplementedError

    def check_parameter(self, p: Tensor) -> None:
        """Raise ValueError if this optimizer cannot step `p`."""
        require(p.is_floating_point(), "real floating-point parameters", cure="cast it first", dtype=p.dtype)
        require(
            self.elementwise or not getattr(p, "is_flat", False),
            f"whole parameters, as {type(self).__name__} mixes the entries of one",
            cure="pass model.parameters() instead of FlatParameters(model).parameters()",
            params="a flat buffer",
        )

    def init_state(self, p: Tensor, group: Group) -> State:
        """The state of `p` before its first step, under torch's names."""
        return {}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        """Move `p` once, in place, given its gradient `g`."""
        raise NotImplementedError

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update of each parameter that has a gradient.

        Args:
            closure: clears the gradients, computes the loss, calls backward and returns the loss.
        Returns: what `closure` returned, or None.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                if g.layout != torch.strided:
                    require(False, "dense gradients", cure="use sparse=False in the layer", layout=g.layout)
                state = self.state[p]
                if not state:
                    state["step"] = 0
                    state.update(self.init_state(p, group))
                state["step"] = state.get("step", 0) + 1  # torch's SGD and Muon save no step
                self.update(p, -g if group.get("maximize") else g, state, group)
        return loss

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters with hyperparameters of its own; refused as a whole if one is invalid."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        try:
            self._check_numbers(group)
            for p in group["params"]:
                self.check_parameter(p)
        except ValueError:
            self.param_groups.pop()
            raise

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what `state_dict()` of this optimizer, or of torch's of the same name, returned."""
        for group in state_dict["param_groups"]:
            missing = sorted(self.defaults.keys() - group.keys() - {"differentiable"})  # torch adds that one
            require(not missing, f"{type(self).__name__}'s state_dict", missing=missing)
            self._check_numbers(group)
        super().load_state_dict(state_dict)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for remembered in self.state.values():
            if isinstance(remembered.get("step"), Tensor):
                remembered["step"] = int(remembered["step"])

    def _check_numbers(self, group: Group) -> None:
        for name, value in group.items():
            plain = name == "params" or not any(isinstance(v, Tensor) for v in _each(value))
            require(plain, "plain numbers as hyperparameters", cure=f"write float({name})", **{name: value})
        self.check(group)


def at_least_zero(group: Group, *names: str) -> None:
    """Raise ValueError unless each named hyperparameter is finite and >= 0."""
    for name in names:
        require(0 <= group[name] < inf, f"{name} >= 0 and finite", **{name: group[name]})


def from_zero_to_one(group: Group, *names: str) -> None:
    """Raise ValueError unless each named hyperparameter, or each number of a tuple, is in [0, 1)."""
    for name in names:
        value = group[name]
        within = all(0 <= number < 1 for number in _each(value))
        require(within, f"0 <= {name} < 1", **{name: value})


def _each(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple | list) else [value]
