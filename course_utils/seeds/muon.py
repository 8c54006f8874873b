"""Muon for many nets at once: one orthogonal step per matrix and seed, by batched products."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils.optimizers.base import Group, Optimizer, State, at_least_zero, from_zero_to_one
from course_utils.optimizers.muon import QUINTIC


def newton_schulz_batched(
    g: Tensor, *, coefficients: tuple[float, float, float] = QUINTIC, steps: int = 5, eps: float = 1e-7
) -> Tensor:
    """`newton_schulz` for matrices (..., rows, columns), in the dtype of `g` and not in bfloat16."""
    a, b, c = coefficients
    tall = g.shape[-2] > g.shape[-1]
    x = g.mT if tall else g
    x = x / x.square().sum((-2, -1), keepdim=True).sqrt().clamp(min=eps)
    for _ in range(steps):
        A = x @ x.mT
        x = a * x + (b * A + c * A @ A) @ x
    return x.mT if tall else x


class MuonPerSeed(Optimizer):
    """Muon on stacked matrices (S, rows, columns), one for each of S nets; for `train_seeds`.

    The mathematics of `Muon` with nesterov=True and the "original" scale, but for the arithmetic: the
    iteration has the dtype of the parameters, so that on a CPU without bfloat16 units it is fast. Where the
    steps must be those of `Muon` to the bit, `race_optimizers.StackedMuon` takes them one net at a time.

    Args:
        lr: step size, >= 0. momentum: in [0, 1). weight_decay: >= 0, not part of the gradient.
    Shape: (S, rows, columns) only: nets without biases.
    Raises: ValueError if a hyperparameter is out of range or a parameter is no stack of matrices.
    Source: Jordan et al. (2024).
    """

    def __init__(
        self, params: list[Tensor], lr: float, *, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    def check(self, group: Group) -> None:
        at_least_zero(group, "lr", "weight_decay")
        from_zero_to_one(group, "momentum")

    def check_parameter(self, p: Tensor) -> None:
        super().check_parameter(p)
        cure = "make layers with bias=False"
        require(p.ndim == 3, "stacked matrices (S, rows, columns)", cure=cure, shape=tuple(p.shape))

    def init_state(self, p: Tensor, group: Group) -> State:
        return {"momentum_buffer": torch.zeros_like(p)}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        lr, momentum, (rows, columns) = group["lr"], group["momentum"], p.shape[1:]
        m = state["momentum_buffer"].lerp_(g, 1 - momentum)
        o = newton_schulz_batched(g.lerp(m, momentum))
        p.mul_(1 - lr * group["weight_decay"])
        p.add_(o, alpha=-lr * max(1, rows / columns) ** 0.5)
