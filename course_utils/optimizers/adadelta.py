"""Adadelta: the step has the units of the parameter, so that no rate needs choosing."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.optimizers.base import Group, Optimizer, Params, State, at_least_zero, from_zero_to_one


class Adadelta(Optimizer):
    """Adadelta: RMSprop whose rate is the running size of its own steps.

        v  <- rho * v + (1 - rho) * g**2               size of the gradients
        d   = sqrt(s + eps) / sqrt(v + eps) * g        s still holds the steps before this one
        s  <- rho * s + (1 - rho) * d**2               size of the steps
        p  <- p - lr * d

    Args:
        lr: factor on the step, >= 0; 1 in the paper, as d already has the units of p.
        rho: in [0, 1). Memory of about 1 / (1 - rho) steps, for both running means.
        eps: >= 0, added *inside* the square roots, unlike in the other optimizers. Sets the size of the
            first step, since s starts at 0: with eps = 0 nothing ever moves.
        weight_decay: >= 0, strength of the L2 penalty: g <- g + weight_decay * p.
        foreach, capturable, differentiable: torch's, only off; see `Optimizer`.
        maximize: climb instead of descend.
    Shape: parameters of any shape; each entry is stepped on its own.
    Raises: ValueError if a hyperparameter is out of range.
    Source: Zeiler (2012), Algorithm 1.
    Agrees with: `torch.optim.Adadelta`, to the bit where that steps tensor by tensor, as on the CPU.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        off = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable}
        super().__init__(params, defaults, **off)

    def check(self, group: Group) -> None:
        at_least_zero(group, "lr", "eps", "weight_decay")
        from_zero_to_one(group, "rho")

    def init_state(self, p: Tensor, group: Group) -> State:
        return {"square_avg": torch.zeros_like(p), "acc_delta": torch.zeros_like(p)}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        rho, eps, v, s = group["rho"], group["eps"], state["square_avg"], state["acc_delta"]
        if group["weight_decay"] != 0:
            g = g.add(p, alpha=group["weight_decay"])
        v.mul_(rho).addcmul_(g, g, value=1 - rho)
        d = s.add(eps).sqrt_().div_(v.add(eps).sqrt_()).mul_(g)
        s.mul_(rho).addcmul_(d, d, value=1 - rho)
        p.add_(d, alpha=-group["lr"])
