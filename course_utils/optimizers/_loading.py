"""What a loaded state must be: of this optimizer, whole, and of the parameters' shapes."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils.optimizers._hyperparameters import IMPLEMENTATIONS

if TYPE_CHECKING:
    from course_utils.optimizers.base import Group, Optimizer, State

# By these a state_dict of another optimizer, ours or torch's, is known.
HYPERPARAMETERS = {
    *("adaptive", "adjust_lr_fn", "alpha", "amsgrad", "beta2_decay", "betas", "centered", "d", "dampening"),
    *("eps", "etas", "initial_accumulator_value", "lambd", "lr_decay", "max_precond_dim", "momentum"),
    *("momentum_decay", "precondition_1d", "precondition_frequency", "update_freq"),
    *("nesterov", "ns_coefficients", "ns_steps", "rho", "step_sizes", "t0", "train_mode", "warmup_steps"),
}


def check_loaded(optimizer: Optimizer, groups: list[Group], states: Mapping[Any, State]) -> None:
    """Bring what `load_state_dict` is about to take into this version's form, or raise ValueError.

    Args:
        groups: param_groups as they will be, a copy that may be changed.
        states: the state of each parameter, and entries of no parameter, which are left alone.
    """
    defaults = optimizer.defaults
    for group, mine in zip(groups, optimizer.param_groups, strict=True):
        for name in ("maximize", "adaptive"):  # what older versions did not have, they did not do
            if name in defaults:
                group.setdefault(name, False)
        if "decoupled_weight_decay" in defaults:
            group.setdefault("decoupled_weight_decay", defaults["decoupled_weight_decay"])
        missing = defaults.keys() - group.keys() - set(IMPLEMENTATIONS)
        foreign = HYPERPARAMETERS & group.keys() - defaults.keys() - mine.keys()
        _refuse(optimizer, missing=sorted(missing), foreign=sorted(foreign))
        for name in defaults:
            value = group.get(name)
            if isinstance(value, Tensor) and value.numel() == 1:  # torch's, with a rate in a tensor
                group[name] = value.item()
        optimizer.check_group(group)
        for p in group["params"]:
            if states.get(p):
                _check_state(optimizer, p, states[p], group)


def as_ours(state: State) -> None:
    """Bring what torch saved into our form: t is an int, and no buffer is sparse."""
    if isinstance(state.get("step"), Tensor):
        state["step"] = int(state["step"])
    for name, value in state.items():
        if isinstance(value, Tensor) and value.layout == torch.sparse_coo:
            state[name] = value.to_dense()


@torch.no_grad()
def _check_state(optimizer: Optimizer, p: Tensor, state: State, group: Group) -> None:
    expected, owner = optimizer.init_state(p, group), "the parameter's "
    expected |= {name: optimizer.init_optional(p) for name in optimizer.chosen(group)}
    t = state.get("step")
    counted = isinstance(t, Real) or (isinstance(t, Tensor) and t.numel() == 1)
    missing = expected.keys() - state.keys()
    if not counted and (optimizer.counts or t is not None):
        missing |= {"step"}
    _refuse(optimizer, missing=sorted(missing))
    for name, begun in expected.items():
        got = state[name]
        if isinstance(begun, Tensor) or isinstance(got, Tensor):
            shape = tuple(got.shape) if isinstance(got, Tensor) else type(got).__name__
            wanted = tuple(begun.shape if isinstance(begun, Tensor) else p.shape)
            rule = f"{name} of {owner if wanted == tuple(p.shape) else ''}shape {wanted}"
            require(shape == wanted, rule, cure="load the state of the same model", **{name: shape})


def _refuse(optimizer: Optimizer, **problems: list[str]) -> None:
    wrong = {what: names for what, names in problems.items() if names}
    cure = "load it into the optimizer that saved it"
    require(not wrong, f"{type(optimizer).__name__}'s state_dict", cure=cure, **wrong)
