"""RMSprop: Adagrad with a memory that fades."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from course_utils.optimizers.base import (
    Group,
    Optimizer,
    Params,
    State,
    at_least_zero,
    flag,
    from_zero_to_one,
)


class RMSprop(Optimizer):
    """RMSprop: divide by the root of a running mean of squared gradients.

        v  <- alpha * v + (1 - alpha) * g**2           size, per coordinate
        d   = g / (sqrt(v) + eps)
        m  <- momentum * m + d                         a running sum; without momentum, m = d
        p  <- p - lr * m

    With `centered`, v is replaced in d by the variance: v - u**2 with u <- alpha * u + (1 - alpha) * g.
    v starts at 0 and is not corrected: the first step is 1 / sqrt(1 - alpha) times too long.

    Args:
        lr: step size, >= 0. With steady gradients each coordinate moves by about `lr`.
        alpha: in [0, 1). Memory of about 1 / (1 - alpha) steps.
        eps: >= 0, added *outside* the square root, in units of the gradient.
        weight_decay: >= 0, strength of the L2 penalty: g <- g + weight_decay * p.
        momentum: >= 0, in practice below 1. Memory of about 1 / (1 - momentum) steps.
        centered: divide by the standard deviation of the gradient instead of its size.
        capturable, foreach, differentiable: torch's, only off; see `Optimizer`.
        maximize: climb instead of descend.
    Shape: parameters of any shape; each entry is stepped on its own.
    Raises: ValueError if a hyperparameter is out of range.
    Source: Hinton's lecture 6e (2012); centered: Graves (2013), section 4.2.
    Agrees with: `torch.optim.RMSprop`, to the bit where that steps tensor by tensor, as on the CPU.
    """

    optional: ClassVar = {"momentum": "momentum_buffer", "centered": "grad_avg"}

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "maximize": maximize,
        }
        off = {"capturable": capturable, "foreach": foreach, "differentiable": differentiable}
        super().__init__(params, defaults, **off)

    def check(self, group: Group) -> None:
        flag(group, "centered")
        at_least_zero(group, "lr", "eps", "weight_decay", "momentum")
        from_zero_to_one(group, "alpha")

    def init_state(self, p: Tensor, group: Group) -> State:
        return {"square_avg": torch.zeros_like(p)}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        lr, alpha, momentum, v = group["lr"], group["alpha"], group["momentum"], state["square_avg"]
        if group["weight_decay"] != 0:
            g = g.add(p, alpha=group["weight_decay"])
        v.mul_(alpha).addcmul_(g, g, value=1 - alpha)
        if group["centered"]:
            # lerp is u + (1 - alpha) * (g - u): where v - u**2 cancels, only torch's rounding gives its steps
            u = state["grad_avg"].lerp_(g, 1 - alpha)
            v = v.addcmul(u, u, value=-1)  # a new tensor: the running mean of squares stays as it is
        denom = v.sqrt().add_(group["eps"])
        if momentum > 0:
            m = state["momentum_buffer"].mul_(momentum).addcdiv_(g, denom)
            p.add_(m, alpha=-lr)
        else:
            p.addcdiv_(g, denom, value=-lr)
