"""AdamW: Adam whose weight decay stays out of the gradient."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils.optimizers.base import (
    Group,
    Optimizer,
    Params,
    State,
    at_least_zero,
    flag,
    pair_from_zero_to_one,
)


class AdamW(Optimizer):
    """AdamW: shrink every weight by the same factor, then step as Adam does.

        p     <- p - lr * weight_decay * p           the decay, not divided by the gradient's size
        m     <- beta1 * m + (1 - beta1) * g
        v     <- beta2 * v + (1 - beta2) * g**2
        p     <- p - lr * m_hat / (sqrt(v_hat) + eps)    with m_hat = m / (1 - beta1**t), v_hat likewise

    With `amsgrad`, v in v_hat is replaced by the largest v so far.

    Args:
        lr: step size, >= 0. With steady gradients each coordinate moves by about `lr`. Scales the decay too.
        betas: (beta1, beta2), each in [0, 1). Memory of about 1 / (1 - beta) steps.
        eps: >= 0, added *outside* the square root, in units of the gradient.
        weight_decay: >= 0. Without gradients a weight would fall by the factor 1 - lr * weight_decay a step.
        amsgrad: keep the largest v.
        maximize: climb instead of descend.
        foreach, capturable, differentiable, fused: torch's, only off; see `Optimizer`.
    Shape: parameters of any shape; each entry is stepped on its own.
    Raises: ValueError if a hyperparameter is out of range.
    Source: Loshchilov & Hutter (2019), Algorithm 2, with the schedule multiplier inside `lr`.
    Agrees with: `torch.optim.AdamW`, to the bit where that steps tensor by tensor, as on the CPU.
    """

    optional: ClassVar = {"amsgrad": "max_exp_avg_sq"}

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": True,
        }
        off = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable, "fused": fused}
        super().__init__(params, defaults, **off)

    def check(self, group: Group) -> None:
        flag(group, "amsgrad", "decoupled_weight_decay")
        at_least_zero(group, "lr", "eps", "weight_decay")
        pair_from_zero_to_one(group, "betas")
        decoupled = group["decoupled_weight_decay"]
        cure = "that is Adam: use it, or load it into Adam"
        require(decoupled, "decoupled_weight_decay=True", cure=cure, decoupled_weight_decay=decoupled)

    def init_state(self, p: Tensor, group: Group) -> State:
        return {"exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        lr, eps, (beta1, beta2) = group["lr"], group["eps"], group["betas"]
        t, m, v = state["step"], state["exp_avg"], state["exp_avg_sq"]
        if group["weight_decay"] != 0:
            p.mul_(1 - lr * group["weight_decay"])
        m.lerp_(g, 1 - beta1)  # m + (1 - beta1) * (g - m): the same, rounded as in torch
        v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
        if group["amsgrad"]:
            v = state["max_exp_avg_sq"].copy_(torch.maximum(state["max_exp_avg_sq"], v))
        denom = v.sqrt().div_((1 - beta2**t) ** 0.5).add_(eps)  # sqrt(v_hat) + eps
        p.addcdiv_(m, denom, value=-lr / (1 - beta1**t))  # - lr * m_hat / denom
