"""Schedule-free learning: an average of all iterates does the work of a decaying rate; no end to plan for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils.optimizers.base import (
    Group,
    Optimizer,
    Params,
    State,
    at_least_zero,
    number,
    pair_from_zero_to_one,
)


class ScheduleFree(Optimizer):
    """What the two have in common: three points for each parameter, of which the model holds one.

        z   the iterate, which takes the steps
        x   the average of the iterates, weighted by lr_t**2: the answer
        y   in between, (1 - beta) * z + beta * x: where gradients are taken

    The model holds y while training and x after `eval()`: call `optimizer.eval()` before evaluating or saving
    the model for use, `optimizer.train()` before the next step. A new optimizer is in training mode.

    Weights that others put into the model, such as the best ones of early stopping, are where the next
    `train()` or `eval()` begins again: z and x are set there and the average starts anew; v and t go on. A
    step from such weights is refused, as they would be lost. (Through `FlatParameters` that is noticed only
    after `eval()`.)

    Departure: the authors' release keeps z alone and works x out of y and z. Here x is kept as well, one more
    buffer, so that eval() and train() lose no bits.
    """

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        # How the last step or switch left each p: torch's count of writes, and beta
        self._left: dict[Tensor, tuple[int, float]] = {}
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._left = {}

    def init_state(self, p: Tensor, group: Group) -> State:
        return {"z": p.clone(), "x": p.clone(), "weight_sum": 0.0}

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of each parameter that has a gradient, which must have been taken at y."""
        for group in self.param_groups:
            cure = "call optimizer.train() before computing the gradient"
            require(group["train_mode"], "training mode to step", cure=cure, train_mode=False)
            for p in group["params"]:
                cure = "call optimizer.eval() and optimizer.train(), which begin again from these"
                rule = f"the weights that {type(self).__name__} left in the model"
                require(not self._replaced(p), rule, cure=cure, weights="others")
        loss = super().step(closure)
        self._note()
        return loss

    @torch.no_grad()
    def train(self) -> None:
        """Put y, where gradients are taken, into the model."""
        for group in self.param_groups:
            if not group["train_mode"]:
                for p in filter(self.state.get, group["params"]):
                    state = self.state[p]
                    if not p.is_meta and not torch.equal(p, state["x"]):
                        begin_again(p, state)
                    y_from(p, state, self.interpolation(group))
            group["train_mode"] = True
        self._note()

    @torch.no_grad()
    def eval(self) -> None:
        """Put x, the average, into the model."""
        for group in self.param_groups:
            if group["train_mode"]:
                for p in filter(self.state.get, group["params"]):
                    if self._replaced(p):
                        begin_again(p, self.state[p])
                    p.copy_(self.state[p]["x"])
            group["train_mode"] = False

    def interpolation(self, group: Group) -> float:
        """beta: 0 gives plain averaging (y = z), 1 gradients at the average (y = x)."""
        raise NotImplementedError

    def _note(self) -> None:
        self._left.clear()
        if not torch.compiler.is_compiling():  # where writes are not counted, and y is rounded otherwise
            for group in self.param_groups:
                for p in filter(self.state.get, group["params"]):
                    self._left[p] = p._version, self.interpolation(group)

    @torch.no_grad()
    def _replaced(self, p: Tensor) -> bool:
        """Whether p, left as the y of x and z, has been given other values since."""
        if p not in self._left or torch.compiler.is_compiling():
            return False
        version, beta = self._left[p]
        if p._version == version or p.is_meta:
            return False
        y = torch.empty_like(p)
        y_from(y, self.state[p], beta)
        return not torch.equal(p, y)


def warm(t: int, group: Group) -> float:
    """lr_t: the rate of step t, rising in equal steps to lr at t = warmup_steps."""
    return float(group["lr"] * min(1.0, t / max(1, group["warmup_steps"])))


def average_in(z: Tensor, state: State, lr_t: float) -> None:
    """x <- (1 - c) * x + c * z, with c the share of lr_t**2 in the sum of all lr_t**2 so far."""
    state["weight_sum"] += lr_t**2
    if state["weight_sum"] > 0:  # a rate of 0 so far has moved nothing
        state["x"].lerp_(z, lr_t**2 / state["weight_sum"])


def begin_again(p: Tensor, state: State) -> None:
    """x <- p, z <- p, with no share in the average yet."""
    state["x"].copy_(p)
    state["z"].copy_(p)
    state["weight_sum"] = 0.0


def y_from(p: Tensor, state: State, beta: float) -> None:
    """p <- y = (1 - beta) * z + beta * x."""
    p.copy_(state["x"]).lerp_(state["z"], 1 - beta)


class ScheduleFreeSGD(ScheduleFree):
    """Schedule-free SGD: large steps at z, gradients at y, the average x as the answer.

        g      gradient at y, plus weight_decay * y
        z  <- z - lr_t * g                            lr_t = lr * min(1, t / warmup_steps)
        x  <- (1 - c) * x + c * z                     c = lr_t**2 / (lr_1**2 + ... + lr_t**2)
        y  <- (1 - momentum) * z + momentum * x

    Args:
        lr: step size, >= 0; ten to fifty times that of SGD with a schedule, say its authors.
        momentum: in [0, 1], how far y leans towards the average.
        weight_decay: >= 0, strength of the L2 penalty, taken at y.
        warmup_steps: >= 0, steps over which the rate rises to `lr`.
    Shape: parameters of any shape; each entry is stepped on its own.
    Raises: ValueError if a hyperparameter is out of range, or a step is taken after `eval()`.
    Source: Defazio et al. (2024), "The road less scheduled", with Algorithm 1's weights.
        torch has none; the tests hold it to these lines. See `ScheduleFree` for train() and eval().
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        warmup_steps: int = 0,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "warmup_steps": warmup_steps,
            "train_mode": True,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        at_least_zero(group, "lr", "weight_decay", "warmup_steps")
        number(group, "momentum")
        require(0 <= group["momentum"] <= 1, "0 <= momentum <= 1", momentum=group["momentum"])

    def interpolation(self, group: Group) -> float:
        return float(group["momentum"])

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        lr_t, z = warm(state["step"], group), state["z"]
        if group["weight_decay"] != 0:
            g = g.add(p, alpha=group["weight_decay"])  # p is y
        z.add_(g, alpha=-lr_t)
        average_in(z, state, lr_t)
        y_from(p, state, group["momentum"])


class ScheduleFreeAdamW(ScheduleFree):
    """Schedule-free AdamW: Adam's scaling for z's steps, averaging instead of Adam's momentum.

        v  <- beta2 * v + (1 - beta2) * g**2          g is the gradient at y
        z  <- z - lr_t * (g / (sqrt(v) + eps) + weight_decay * y)
        x  <- (1 - c) * x + c * z                     c = lr_t**2 / (lr_1**2 + ... + lr_t**2)
        y  <- (1 - beta1) * z + beta1 * x

    where lr_t = lr * sqrt(1 - beta2**t) * min(1, t / warmup_steps): the root undoes the bias of v_0 = 0.

    Args:
        lr: step size, >= 0, one to ten times AdamW's with a schedule.
        betas: (beta1, beta2), each in [0, 1): how far y leans towards the average, and v's memory.
        eps: >= 0, added *outside* the square root, in units of the gradient.
        weight_decay: >= 0, not part of the gradient, taken at y.
        warmup_steps: >= 0, steps over which the rate rises to `lr`.
    Shape: parameters of any shape; each entry is stepped on its own.
    Raises: ValueError if a hyperparameter is out of range, or a step is taken after `eval()`.
    Source: Defazio et al. (2024), "The road less scheduled", Algorithm 1. torch has none; the tests hold it
        to these lines. The authors' later releases correct v instead of lr_t, which changes the weights c of
        the first 1 / (1 - beta2) steps. See `ScheduleFree` for train() and eval().
    """

    def __init__(
        self,
        params: Params,
        lr: float = 2.5e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        warmup_steps: int = 0,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "warmup_steps": warmup_steps,
            "train_mode": True,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        at_least_zero(group, "lr", "eps", "weight_decay", "warmup_steps")
        pair_from_zero_to_one(group, "betas")

    def interpolation(self, group: Group) -> float:
        return float(group["betas"][0])

    def init_state(self, p: Tensor, group: Group) -> State:
        return {**super().init_state(p, group), "exp_avg_sq": torch.zeros_like(p)}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        (beta1, beta2), t, z, v = group["betas"], state["step"], state["z"], state["exp_avg_sq"]
        lr_t = warm(t, group) * (1 - beta2**t) ** 0.5
        v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
        z.addcdiv_(g, v.sqrt().add_(group["eps"]), value=-lr_t)
        z.add_(p, alpha=-lr_t * group["weight_decay"])  # p is y
        average_in(z, state, lr_t)
        y_from(p, state, beta1)
