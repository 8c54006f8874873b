"""Muon for many nets at once: one orthogonal step per matrix and seed, by batched products."""

from __future__ import annotations

from torch import Tensor

from course_utils._checks import require
from course_utils.optimizers import Muon, Optimizer
from course_utils.optimizers.base import Group, State
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


class MuonPerSeed(Muon):
    """Muon on stacked matrices (S, rows, columns), one for each of S nets; for `train_seeds`.

    The mathematics, arguments and defaults of `Muon`, but for the arithmetic: the iteration has the dtype of
    the parameters, so that on a CPU without bfloat16 units it is fast.

    Shape: (S, rows, columns) only: nets without biases.
    Raises: ValueError if a hyperparameter is out of range or a parameter is no stack of matrices.
    Source: Jordan et al. (2024). Agrees with: `Muon`, seed by seed, up to its bfloat16.
    """

    per_seed = True

    def check_parameter(self, p: Tensor) -> None:
        Optimizer.check_parameter(self, p)
        cure = "make layers with bias=False, or give the rest to another optimizer"
        require(p.ndim == 3, "stacked matrices (S, rows, columns)", cure=cure, shape=tuple(p.shape))

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        lr, momentum, (rows, columns) = group["lr"], group["momentum"], p.shape[1:]
        m = state["momentum_buffer"].lerp_(g, 1 - momentum)
        d = g.lerp(m, momentum) if group["nesterov"] else m
        o = newton_schulz_batched(
            d, coefficients=group["ns_coefficients"], steps=group["ns_steps"], eps=group["eps"]
        )
        if group["adjust_lr_fn"] == "match_rms_adamw":
            scale = 0.2 * max(rows, columns) ** 0.5
        else:
            scale = max(1, rows / columns) ** 0.5
        p.mul_(1 - lr * group["weight_decay"])
        p.add_(o, alpha=-lr * scale)
