"""Muon: momentum whose matrix is made orthogonal, so that no direction is favoured."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils._checks import is_whole, require
from course_utils.optimizers.base import (
    Group,
    Optimizer,
    Params,
    State,
    at_least_zero,
    flag,
    from_zero_to_one,
    numbers,
)

QUINTIC = (3.4445, -4.7750, 2.0315)


def newton_schulz(
    g: Tensor, *, coefficients: tuple[float, float, float] = QUINTIC, steps: int = 5, eps: float = 1e-7
) -> Tensor:
    """Bring the singular values of a matrix near 1, keeping its singular vectors, by products alone.

        x  <- g / max(norm(g), eps)                    now no singular value is above 1
        x  <- a * x + (b * A + c * A @ A) @ x          with A = x @ x.T, `steps` times

    Each step maps every singular value s to a*s + b*s**3 + c*s**5. The usual coefficients lift small ones
    fastest and do not settle at 1; very small ones stay behind.

    Args:
        g: matrix of shape (rows, columns); the products are taken on the shorter side.
        coefficients: (a, b, c).
        steps: number of iterations, >= 0.
        eps: > 0, guards a gradient of zero.
    Returns: bfloat16 matrix of the shape of `g`, whose dtype the whole iteration has, as in torch.
    Raises: ValueError if `g` is no matrix.
    Source: Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks".
    """
    require(g.ndim == 2, "a matrix", cure="flatten filters with g.flatten(1)", shape=tuple(g.shape))
    a, b, c = coefficients
    x = g.bfloat16()
    tall = x.size(0) > x.size(1)
    if tall:
        x = x.T
    x = x / x.norm().clamp(min=eps)  # not in place: x may still be the momentum itself
    for _ in range(steps):
        A = x @ x.T
        x = torch.addmm(x, torch.addmm(A, A, A, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


class Muon(Optimizer):
    """Muon: step along the orthogonal matrix nearest to the momentum.

        p  <- p - lr * weight_decay * p
        m  <- momentum * m + (1 - momentum) * g
        d   = momentum * m + (1 - momentum) * g  if nesterov  else  m
        p  <- p - lr * scale * newton_schulz(d)

    `scale` is sqrt(max(1, rows / columns)) ("original", the default), or 0.2 * sqrt(max(rows, columns))
    ("match_rms_adamw"), which makes entries move about as far as under AdamW.

    Args:
        lr: step size, >= 0. All singular values of a step are about `lr * scale`.
        weight_decay: >= 0, not part of the gradient.
        momentum: in [0, 1). Memory of about 1 / (1 - momentum) steps.
        nesterov: mix the newest gradient in once more.
        ns_coefficients, ns_steps, eps: see `newton_schulz`; 0 <= ns_steps < 100, eps >= 0.
        adjust_lr_fn: None, "original" or "match_rms_adamw".
    Shape: matrices (rows, columns), and filters of convolutions (out, in, ...), which are stepped as the
        matrix (out, in * ...), as Muon's authors do. Give biases, norms, embeddings and the last layer to
        AdamW.
    Raises: ValueError if a hyperparameter is out of range, a parameter has fewer than two dimensions, or it
        is a flat buffer.
    Source: Jordan et al. (2024); "match_rms_adamw" after Liu et al. (2025), "Muon is scalable for LLM
        training".
    Agrees with: `torch.optim.Muon` on matrices, bit for bit on one build. Departures: torch refuses what has
        more than two dimensions, so that its users flatten filters themselves; with bfloat16 parameters and
        nesterov=False, torch divides its momentum buffer in place by the norm; here it is left alone.
    """

    elementwise = False
    counts = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = QUINTIC,
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        at_least_zero(group, "lr", "weight_decay", "eps")
        from_zero_to_one(group, "momentum")
        flag(group, "nesterov")
        numbers(group, "ns_coefficients", 3)
        ns_steps, fn = group["ns_steps"], group["adjust_lr_fn"]
        require(
            is_whole(ns_steps) and 0 <= ns_steps < 100,
            "a whole number 0 <= ns_steps < 100",
            ns_steps=ns_steps,
        )
        group["ns_steps"] = int(ns_steps)
        known = (None, "original", "match_rms_adamw")
        require(fn in known, f"adjust_lr_fn in {known}", adjust_lr_fn=fn)

    def check_parameter(self, p: Tensor) -> None:
        super().check_parameter(p)
        cure = "give other parameters to AdamW"
        require(p.ndim >= 2, "matrices", cure=cure, shape=tuple(p.shape))

    def init_state(self, p: Tensor, group: Group) -> State:
        return {"momentum_buffer": torch.zeros_like(p)}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        lr, momentum = group["lr"], group["momentum"]
        # lerp is written m + (1 - momentum) * (g - m) in the source; torch rounds so, and bits must agree
        m = state["momentum_buffer"].lerp_(g, 1 - momentum)
        d = g.lerp(m, momentum) if group["nesterov"] else m
        d = d.flatten(1)  # (out, in, height, width) of a convolution as (out, in * height * width)
        rows, columns = d.shape
        o = newton_schulz(d, coefficients=group["ns_coefficients"], steps=group["ns_steps"], eps=group["eps"])
        if group["adjust_lr_fn"] == "match_rms_adamw":
            scale = 0.2 * max(rows, columns) ** 0.5
        else:
            scale = max(1, rows / max(1, columns)) ** 0.5
        p.mul_(1 - lr * group["weight_decay"])
        p.add_(o.reshape(p.shape), alpha=-lr * scale)
