"""SOAP: Adam, in coordinates that turn with the gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.optimizers.base import (
    Group,
    Optimizer,
    Params,
    State,
    at_least_zero,
    flag,
    pair_from_zero_to_one,
)
from course_utils.optimizers.shampoo import every, times, unfolded, wide


class SOAP(Optimizer):
    """SOAP: Adam in the eigenbasis of Shampoo's matrices.

        h   = QL.T @ g @ QR                           the gradient in the turned coordinates
        m  <- beta1 * m + (1 - beta1) * g
        v  <- beta2 * v + (1 - beta2) * h**2          size, per turned coordinate
        p  <- p - lr * weight_decay * p
        p  <- p - lr * QL @ ((QL.T @ m_hat @ QR) / (sqrt(v_hat) + eps)) @ QR.T
        L  <- beta2 * L + (1 - beta2) * g @ g.T,      R  <- beta2 * R + (1 - beta2) * g.T @ g
        every few steps: QL <- qr(L @ QL),  QR <- qr(R @ QR)       one step of the power iteration

    The first gradient only makes L, R and their eigenvectors, the largest first, and moves nothing: in its
    own basis a gradient is diagonal, and the zeros beside it would be divided by zeros. Bias correction
    counts from the second. A dimension wider than `max_precond_dim` is not turned, nor is a vector, unless
    `precondition_1d`. A parameter of which nothing is turned is stepped by AdamW, from its first gradient on.

    Args:
        lr: step size, >= 0, of the order of Adam's.
        betas: (beta1, beta2), each in [0, 1). Memory of about 1 / (1 - beta) steps.
        eps: >= 0, added outside the square root, in units of the gradient.
        weight_decay: >= 0, not part of the gradient.
        precondition_frequency: turn the coordinates after every so many steps.
        max_precond_dim: >= 0, the widest dimension that is turned.
        precondition_1d: turn vectors, too.
    Shape: parameters of any shape; k dimensions have k matrices. An n-wide dimension that is turned costs
        2 n**2 numbers of memory.
    Raises: ValueError if a hyperparameter is out of range, or a parameter is a flat buffer.
    Source: Vyas et al. (2024), Algorithms 3 and 4, with the bias correction, the skipped first step, names
        and defaults of the authors' code. Departures from that code: eps is added to sqrt(v_hat), as in Adam,
        not to sqrt(v); decay comes before the step, as in AdamW; columns of QL and QR are not sorted again.
        The tests hold this one to the paper's lines, and to AdamW on vectors.
    """

    elementwise = False

    def __init__(
        self,
        params: Params,
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        *,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        precondition_frequency: int = 10,
        max_precond_dim: int = 10_000,
        precondition_1d: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "precondition_frequency": precondition_frequency,
            "max_precond_dim": max_precond_dim,
            "precondition_1d": precondition_1d,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        at_least_zero(group, "lr", "eps", "weight_decay", "max_precond_dim")
        pair_from_zero_to_one(group, "betas")
        every(group, "precondition_frequency")
        flag(group, "precondition_1d")

    def init_state(self, p: Tensor, group: Group) -> State:
        state: State = {"exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
        for i in turned(p, group):
            eye = torch.eye(p.shape[i], dtype=p.dtype, device=p.device)
            state[f"GG_{i}"], state[f"Q_{i}"] = torch.zeros_like(eye), eye
        return state

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        lr, eps, (beta1, beta2) = group["lr"], group["eps"], group["betas"]
        t, m, v, dims = state["step"], state["exp_avg"], state["exp_avg_sq"], turned(p, group)
        if dims:
            t -= 1
        if t > 0:
            h = g
            for i in dims:
                h = times(state[f"Q_{i}"].mT, h, i)
            m.lerp_(g, 1 - beta1)
            v.mul_(beta2).addcmul_(h, h, value=1 - beta2)
            d = m
            for i in dims:
                d = times(state[f"Q_{i}"].mT, d, i)
            d = d / v.sqrt().div_((1 - beta2**t) ** 0.5).add_(eps)
            for i in dims:
                d = times(state[f"Q_{i}"], d, i)
            p.mul_(1 - lr * group["weight_decay"])
            p.add_(d, alpha=-lr / (1 - beta1**t))
        for i in dims:
            a, q, rows = state[f"GG_{i}"], state[f"Q_{i}"], unfolded(g, i)  # L or R, QL or QR
            a.lerp_(rows @ rows.mT, 1 - beta2)
            if t == 0:
                q.copy_(torch.linalg.eigh(wide(a))[1].flip(1))
            elif t % group["precondition_frequency"] == 0:
                q.copy_(torch.linalg.qr(wide(a) @ wide(q))[0])


def turned(p: Tensor, group: Group) -> list[int]:
    """The dimensions of `p` that get coordinates of their own."""
    if p.ndim == 0 or (p.ndim == 1 and not group["precondition_1d"]):
        return []
    return [i for i, n in enumerate(p.shape) if n <= group["max_precond_dim"]]
