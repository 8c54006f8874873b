"""Stochastic gradient descent, plain, with momentum, or with Nesterov's momentum."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from course_utils._checks import require
from course_utils.optimizers.base import Group, Optimizer, Params, State, at_least_zero, flag, number


class SGD(Optimizer):
    """SGD: a step against the gradient, or against a running sum of gradients.

        g  <- g + weight_decay * p                  the gradient of weight_decay / 2 * p**2
        m  <- momentum * m + (1 - dampening) * g    the first m is g itself, undampened
        d   = g + momentum * m  if nesterov  else  m
        p  <- p - lr * d

    Without momentum, d = g. With steady gradients momentum (undampened) makes steps 1 / (1 - momentum) times
    as long.

    Args:
        lr: step size, >= 0, in units of p per unit of gradient.
        momentum: >= 0, in practice below 1. Memory of about 1 / (1 - momentum) steps.
        dampening: in [0, 1], the share of each new gradient that m leaves out.
        weight_decay: >= 0, strength of the L2 penalty.
        nesterov: look ahead by one momentum step; needs momentum > 0 and dampening = 0.
        maximize: climb instead of descend.
        foreach, differentiable, fused: torch's, only off; see `Optimizer`.
    Shape: parameters of any shape; each entry is stepped on its own. Gradients may be sparse.
    Raises: ValueError if a hyperparameter is out of range.
    Source: Polyak (1964); Nesterov's form after Sutskever et al. (2013), section 2, with lr outside m.
    Agrees with: `torch.optim.SGD`, to the bit where that steps tensor by tensor, as on the CPU.
    """

    sparse = True
    counts = False
    optional: ClassVar = {"momentum": "momentum_buffer"}

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults, foreach=foreach, differentiable=differentiable, fused=fused)

    def check(self, group: Group) -> None:
        flag(group, "nesterov")
        at_least_zero(group, "lr", "momentum", "weight_decay")
        number(group, "dampening")
        momentum, dampening = group["momentum"], group["dampening"]
        require(0 <= dampening <= 1, "0 <= dampening <= 1", dampening=dampening)
        require(
            not group["nesterov"] or (momentum > 0 and dampening == 0),
            "momentum > 0 and dampening = 0 with nesterov=True",
            momentum=momentum,
            dampening=dampening,
        )

    def init_optional(self, p: Tensor) -> None:
        """No buffer: the first gradient will be it."""

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        lr, momentum = group["lr"], group["momentum"]
        if group["weight_decay"] != 0:
            g = g.add(p, alpha=group["weight_decay"])
        if momentum != 0:
            m = state["momentum_buffer"]
            if m is None:
                m = state["momentum_buffer"] = g.clone()
            else:
                m.mul_(momentum).add_(g, alpha=1 - group["dampening"])
            g = g.add(m, alpha=momentum) if group["nesterov"] else m
        p.add_(g, alpha=-lr)
