"""One formula, many codes: the conventions in which adaptive rules differ, and how far each leads away.

    ours = Conventions(eps_place="inside").optimizer
    apart(ours, lambda p: torch.optim.RMSprop(p, lr=0.01), grad, start, 100)     the distance, step by step

The defaults of `Conventions` are `torch.optim.RMSprop`; a few changes make it torch's Adam or AdamW with
beta1 = 0, or the forms that TensorFlow and its ports use. `TABLE` holds one pair of rules per convention.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils.optimizers.base import Group, Optimizer, Params, State, at_least_zero, from_zero_to_one
from course_utils.trajectories import MakeOptimizer, distances, trajectory

Schedule = Callable[[torch.optim.Optimizer, int], None]
_CHOICES = {
    "eps_place": ("outside", "inside", "scaled"),
    "first": ("zeros", "ones", "square"),
    "decay": ("gradient", "before", "after"),
    "rate": ("outside", "inside"),
}


def apart(
    one: MakeOptimizer,
    other: MakeOptimizer,
    grad: Callable[[Tensor], Tensor],
    start: Tensor,
    steps: int,
    *,
    schedule: Schedule | None = None,
) -> Tensor:
    """How far apart two update rules are after each step from the same start, `trajectories.distances`.

    Args:
        one, other: list of one parameter -> optimizer, ours, torch's, or `Conventions(...).optimizer`.
        grad: point -> gradient; the same point must give the same gradient.
        start: the first point, any shape; float64 shows conventions that float32 hides.
        steps: >= 1.
        schedule: as for `trajectory`, the same for both.
    Returns: (steps + 1,), first 0; relative to the size of the point, or to 1 where it is smaller.
    """
    paths = (trajectory(grad, start, rule, steps, schedule=schedule) for rule in (one, other))
    return distances(*paths)


@dataclass(frozen=True)
class Conventions:
    """RMSprop, corrected or not, with or without momentum and decay, in any mixture of conventions.

        g  <- g + weight_decay * p                                        decay="gradient"
        p  <- p - lr * weight_decay * p                                   decay="before"
        v  <- alpha * v + (1 - alpha) * g**2                              v_0 by `first`
        c   = 1 - alpha**t  if corrected  else  1
        d   = g / (sqrt(v / c) + eps)                                     eps_place="outside"
              g / sqrt(v / c + eps)                                       "inside"
              g * sqrt(c) / (sqrt(v) + eps)                               "scaled"
        m  <- momentum * m + d,         p <- p - lr * m                   rate="outside"
        m  <- momentum * m + lr * d,    p <- p - m                        rate="inside"
        p  <- p - lr * weight_decay * p                                   decay="after"

    Args:
        lr: step size, >= 0. alpha: in [0, 1). eps: >= 0. momentum: in [0, 1). weight_decay: >= 0.
        eps_place: "outside" or "inside" the root, or outside and "scaled" by the correction.
        first: v before the first gradient: "zeros", "ones" or "square", the first gradient squared.
        corrected: divide v by the sum of its weights.
        decay: "gradient" (a penalty), or decoupled, "before" or "after" the step.
        rate: "outside" or "inside" the velocity; the same until lr changes.
    Raises: ValueError for a choice or number that does not exist.
    Agrees with: `torch.optim.RMSprop` as it stands; `torch.optim.Adam(betas=(0, alpha))` with
        corrected=True; `torch.optim.AdamW(betas=(0, alpha))` with decay="before" as well.
    """

    lr: float = 1e-2
    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    weight_decay: float = 0.0
    eps_place: Literal["outside", "inside", "scaled"] = "outside"
    first: Literal["zeros", "ones", "square"] = "zeros"
    corrected: bool = False
    decay: Literal["gradient", "before", "after"] = "gradient"
    rate: Literal["outside", "inside"] = "outside"

    def __post_init__(self) -> None:
        numbers = vars(self)
        for name, choices in _CHOICES.items():
            require(numbers[name] in choices, f"{name} one of {', '.join(choices)}", **{name: numbers[name]})
        at_least_zero(numbers, "lr", "eps", "weight_decay")
        from_zero_to_one(numbers, "alpha", "momentum")

    def optimizer(self, params: Params) -> Optimizer:
        """An optimizer that follows these conventions; its `lr` may be changed by a schedule."""
        return _Mixture(params, self)


class _Mixture(Optimizer):
    def __init__(self, params: Params, conventions: Conventions) -> None:
        self.conventions = conventions
        super().__init__(params, {"lr": conventions.lr})

    def check(self, group: Group) -> None:
        at_least_zero(group, "lr")

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        how, lr, t = self.conventions, group["lr"], state["step"]
        if how.decay == "gradient":
            g = g + how.weight_decay * p
        elif how.decay == "before":
            p.mul_(1 - lr * how.weight_decay)
        if t == 1:
            v0 = {"zeros": torch.zeros_like(p), "ones": torch.ones_like(p), "square": g**2}[how.first]
            state["v"], state["m"] = v0, torch.zeros_like(p)
        v = state["v"] = how.alpha * state["v"] + (1 - how.alpha) * g**2
        c = 1 - how.alpha**t if how.corrected else 1.0
        if how.eps_place == "outside":
            d = g / ((v / c).sqrt() + how.eps)
        elif how.eps_place == "inside":
            d = g / (v / c + how.eps).sqrt()
        else:
            d = g * c**0.5 / (v.sqrt() + how.eps)
        if how.rate == "outside":
            m = state["m"] = how.momentum * state["m"] + d
            p.sub_(lr * m)
        else:
            m = state["m"] = how.momentum * state["m"] + lr * d
            p.sub_(m)
        if how.decay == "after":
            p.mul_(1 - lr * how.weight_decay)


@dataclass(frozen=True)
class Pair:
    """Two rules that differ in one convention; both halve their rate before step `halve_at`, if given."""

    name: str
    usual: str
    other: str
    used_by: str  # who uses the other form
    reference: MakeOptimizer
    variant: Conventions
    halve_at: int | None = None

    def apart(self, grad: Callable[[Tensor], Tensor], start: Tensor, steps: int) -> Tensor:
        """The distance of the two rules after each step, (steps + 1,)."""
        return apart(self.reference, self.variant.optimizer, grad, start, steps, schedule=self._halve)

    def _halve(self, optimizer: torch.optim.Optimizer, step: int) -> None:
        if step == self.halve_at:
            optimizer.param_groups[0]["lr"] *= 0.5


_PLAIN, _HEAVY, _ADAM = Conventions(), Conventions(momentum=0.9, lr=1e-3), Conventions(corrected=True)
_DECAY = replace(_ADAM, weight_decay=0.1)
_rmsprop = partial(torch.optim.RMSprop, lr=1e-2)
_heavy = partial(torch.optim.RMSprop, lr=1e-3, momentum=0.9)
_adam = partial(torch.optim.Adam, lr=1e-2, betas=(0.0, 0.99))
_adamw = partial(torch.optim.AdamW, lr=1e-2, betas=(0.0, 0.99), weight_decay=0.1)
_inside = ("m ← μm + d", "m ← μm + ηd", "TensorFlow", _heavy, replace(_HEAVY, rate="inside"))

TABLE: tuple[Pair, ...] = (
    Pair("nothing", "√v + ε", "the same", "this lesson", _rmsprop, _PLAIN),
    Pair("place of ε", "√v + ε", "√(v + ε)", "TensorFlow", _rmsprop, replace(_PLAIN, eps_place="inside")),
    Pair(
        "ε, corrected", "√(v/c) + ε", "(√v + ε)/√c", "TensorFlow", _adam, replace(_ADAM, eps_place="scaled")
    ),
    Pair("first buffer", "v₀ = 0", "v₀ = 1", "TensorFlow 1", _rmsprop, replace(_PLAIN, first="ones")),
    Pair("decay order", "before step", "after step", "hand-written", _adamw, replace(_DECAY, decay="after")),
    Pair("rate in velocity", *_inside),
    Pair("the same, η halved", *_inside, halve_at=20),
)
"""One row per convention in use: what torch does, what others do, and both rules ready to run."""
