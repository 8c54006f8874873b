"""Adagrad: a rate of its own for each coordinate, which only ever falls."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.optimizers.base import Group, Optimizer, Params, State, at_least_zero


class Adagrad(Optimizer):
    """Adagrad: divide by the root of the sum of all squared gradients so far.

        s  <- s + g**2                                   never forgets
        p  <- p - lr_t * g / (sqrt(s) + eps),            lr_t = lr / (1 + (t - 1) * lr_decay)

    Args:
        lr: step size, >= 0. The first step moves each coordinate by about `lr`.
        lr_decay: >= 0, shrinks the rate further as 1 / t.
        weight_decay: >= 0, strength of the L2 penalty: g <- g + weight_decay * p.
        initial_accumulator_value: >= 0, where s starts; larger tames the first steps.
        eps: >= 0, added *outside* the square root, in units of the gradient.
        maximize: climb instead of descend.
        foreach, differentiable, fused: torch's, only off; see `Optimizer`.
    Shape: parameters of any shape; each entry is stepped on its own. Gradients may be sparse.
    Raises: ValueError if a hyperparameter is out of range.
    Source: Duchi, Hazan & Singer (2011), Figure 1 with diagonal matrices.
    Agrees with: `torch.optim.Adagrad`, to the bit where that steps tensor by tensor, as on the CPU.
    """

    sparse = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
            "maximize": maximize,
        }
        super().__init__(params, defaults, foreach=foreach, differentiable=differentiable, fused=fused)

    def check(self, group: Group) -> None:
        at_least_zero(group, "lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def init_state(self, p: Tensor, group: Group) -> State:
        return {"sum": torch.full_like(p, group["initial_accumulator_value"])}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        t, s = state["step"], state["sum"]
        if group["weight_decay"] != 0:
            g = g.add(p, alpha=group["weight_decay"])
        s.addcmul_(g, g)
        lr_t = group["lr"] / (1 + (t - 1) * group["lr_decay"])
        p.addcdiv_(g, s.sqrt().add_(group["eps"]), value=-lr_t)
