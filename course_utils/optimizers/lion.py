"""Lion: only the sign of the momentum, found by a search over programs."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.optimizers.base import (
    Group,
    Optimizer,
    Params,
    State,
    at_least_zero,
    pair_from_zero_to_one,
)


class Lion(Optimizer):
    """Lion: every coordinate moves by exactly `lr`, by the sign of a mean that leans on the newest gradient.

        p  <- p - lr * weight_decay * p
        c   = beta1 * m + (1 - beta1) * g              the mean that gives the direction
        p  <- p - lr * sign(c)
        m  <- beta2 * m + (1 - beta2) * g              the mean that is kept, with the longer memory

    Args:
        lr: step size, >= 0, about a third to a tenth of Adam's, since no step is ever shorter.
        betas: (beta1, beta2), each in [0, 1). Memory of about 1 / (1 - beta) steps.
        weight_decay: >= 0, not part of the gradient. About three to ten times AdamW's, as `lr` scales it.
    Shape: parameters of any shape; each entry is stepped on its own.
    Raises: ValueError if a hyperparameter is out of range.
    Source: Chen et al. (2023), Algorithm 2. torch has no Lion; the tests hold this one to the paper's lines.
    """

    counts = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    def check(self, group: Group) -> None:
        at_least_zero(group, "lr", "weight_decay")
        pair_from_zero_to_one(group, "betas")

    def init_state(self, p: Tensor, group: Group) -> State:
        return {"exp_avg": torch.zeros_like(p)}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        lr, (beta1, beta2), m = group["lr"], group["betas"], state["exp_avg"]
        if group["weight_decay"] != 0:
            p.mul_(1 - lr * group["weight_decay"])
        c = m.mul(beta1).add_(g, alpha=1 - beta1)
        p.add_(c.sign_(), alpha=-lr)
        m.mul_(beta2).add_(g, alpha=1 - beta2)
