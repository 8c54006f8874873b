"""What every optimizer shares: groups, state, missing gradients, closures, and the checks. No mathematics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any, ClassVar, TypeAlias, overload

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from course_utils._checks import require
from course_utils.optimizers._hyperparameters import (
    IMPLEMENTATIONS,
    as_python,
    at_least_zero,
    flag,
    from_zero_to_one,
    number,
    numbers,
    only_off,
    pair_from_zero_to_one,
)
from course_utils.optimizers._loading import as_ours, check_loaded

# What a file with an optimizer needs
__all__ = [
    "Group",
    "Optimizer",
    "Params",
    "State",
    "at_least_zero",
    "flag",
    "from_zero_to_one",
    "number",
    "numbers",
    "pair_from_zero_to_one",
]

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

    Departures from torch:
        Hyperparameters are plain numbers, not tensors, so that `update` reads as the formula does. Those of
        NumPy become Python's, so that a saved state can be read with `weights_only=True`.
        There is one implementation: `foreach`, `fused`, `capturable` and `differentiable` are taken by name,
        but only switched off. `FlatParameters` is the fast path.
        Parameters are real: no network of the course is complex, and g**2 would need |g|**2.
        A sparse gradient is made dense where torch takes it, too (SGD, Adagrad): the steps are torch's,
        without its saving of memory. The others refuse it, as torch's do: their means of past gradients move
        rows that have none.
        t is an int: `load_state_dict` takes torch's tensor, torch takes our int.
        `load_state_dict` refuses, before anything is changed, what torch would take and step on with: the
        state of another optimizer, or one in which a buffer is missing or has the shape of another parameter.
        An option switched on after the first step begins there as it would at the first; in torch it is a
        KeyError.
    """

    # False where a step mixes entries, so that p cannot be stacked or flat
    elementwise: ClassVar[bool] = True
    # True where a sparse gradient is taken, as torch's optimizer of this name takes it
    sparse: ClassVar[bool] = False
    # False where `update` does not read t: a state without it is then complete
    counts: ClassVar[bool] = True
    # Options that need a buffer of their own, and its name in the state
    optional: ClassVar[Mapping[str, str]] = {}

    def __init__(self, params: Params, defaults: dict[str, Any], **implementations: bool | None) -> None:
        only_off(implementations)
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        """Raise ValueError if a hyperparameter of `group` is out of range."""
        raise NotImplementedError

    def check_parameter(self, p: Tensor) -> None:
        """Raise ValueError if this optimizer cannot step `p`."""
        cure = "keep a real parameter of shape (..., 2), and take torch.view_as_complex of it in the model"
        require(not p.is_complex(), "real floating-point parameters", cure=cure, dtype=p.dtype)
        require(p.is_floating_point(), "real floating-point parameters", cure="cast it first", dtype=p.dtype)
        require(
            self.elementwise or not getattr(p, "is_flat", False),
            f"whole parameters, as {type(self).__name__} mixes the entries of one",
            cure="pass model.parameters() instead of FlatParameters(model).parameters()",
            params="a flat buffer",
        )

    def init_state(self, p: Tensor, group: Group) -> State:
        """The state of `p` before its first step, under torch's names, without the buffers of `optional`."""
        return {}

    def init_optional(self, p: Tensor) -> Tensor | None:
        """What a buffer of `optional` begins with."""
        return torch.zeros_like(p)

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
            chosen = self.chosen(group)
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                if g.layout != torch.strided:
                    g = self.dense(g, group)
                state = self.state[p]
                if not state:
                    state["step"] = 0
                    state.update(self.init_state(p, group))
                for name in chosen:
                    if name not in state:
                        state[name] = self.init_optional(p)
                state["step"] = state.get("step", 0) + 1  # torch's SGD and Muon save no step
                self.update(p, -g if group.get("maximize") else g, state, group)
        return loss

    def dense(self, g: Tensor, group: Group) -> Tensor:
        """A sparse gradient with its zeros, where this optimizer takes one."""
        taken = self.sparse and g.layout == torch.sparse_coo
        require(taken, "dense gradients", cure="use sparse=False in the layer", layout=g.layout)
        decay = group.get("weight_decay", 0)
        cure = "use sparse=False in the layer, so that every weight decays"
        require(decay == 0, "weight_decay=0 with sparse gradients", cure=cure, weight_decay=decay)
        return g.to_dense()

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters with hyperparameters of its own; refused as a whole if one is invalid."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        try:
            only_off({name: group[name] for name in IMPLEMENTATIONS if name in group.keys() - self.defaults})
            self.check_group(group)
            for p in group["params"]:
                self.check_parameter(p)
        except ValueError:
            self.param_groups.pop()
            raise

    def state_dict(self) -> dict[str, Any]:
        """All that a run needs to go on: the state by the parameters' numbers, and the groups."""
        self._begin_optional()
        for group in self.param_groups:  # a schedule may have left a number of NumPy's
            group.update({name: as_python(value) for name, value in group.items() if isinstance(value, Real)})
        return super().state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what `state_dict()` of this optimizer, or of torch's of the same name, returned.

        Raises: ValueError where it is another's, or incomplete; nothing is changed then.
        """
        super().load_state_dict(state_dict)  # calls the hooks, then __setstate__

    def __getstate__(self) -> dict[str, Any]:
        own = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        own.pop("step", None)  # which torch's schedulers put there
        return super().__getstate__() | own

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Without defaults it is load_state_dict that asks: after its hooks, before anything is changed.
        if "defaults" not in state:
            check_loaded(self, state["param_groups"], state["state"])
        super().__setstate__(state)
        for remembered in self.state.values():
            if isinstance(remembered, dict):  # an entry of no parameter may be anything
                as_ours(remembered)

    def check_group(self, group: Group) -> None:
        """Raise ValueError if a hyperparameter of `group` is no number, or out of range."""
        if "maximize" in group:
            flag(group, "maximize")
        self.check(group)

    def chosen(self, group: Group) -> list[str]:
        """The buffers of `optional` whose option is on."""
        return [buffer for option, buffer in self.optional.items() if group[option]]

    def _begin_optional(self) -> None:
        """Give an option that was switched on since the last step its buffer, so that none is missing."""
        for group in self.param_groups:
            for p in filter(self.state.get, group["params"]):
                for name in self.chosen(group):
                    self.state[p].setdefault(name, self.init_optional(p))
