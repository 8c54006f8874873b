"""What theory says of weight decay: how fast it shrinks a weight, and where the weight comes to rest.

A penalty of weight_decay / 2 * p**2 adds weight_decay * p to the gradient. Decoupled decay multiplies p by
1 - lr * weight_decay at each step and leaves the gradient alone. Under plain SGD the two are the same. Under
Adam the penalty is divided by the size of the gradients, and the decoupled decay is not.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils._checks import require


def penalty_decay(weight_decay: float, noise: Tensor | float, p: Tensor | float) -> Tensor:
    """Share of p that Adam with a penalty takes away per step and unit of lr, where gradients are noise.

        weight_decay / sqrt(noise**2 + (weight_decay * p)**2)

    Decoupled decay takes `weight_decay` instead, whatever the noise.

    Args:
        noise: standard deviation of the loss's gradient, whose mean is 0. p: the weight, not 0.
    Source: v at rest is the mean of (noise + weight_decay * p)**2; for lr -> 0, beta2 -> 1, eps = 0.
    """
    noise, p = (torch.as_tensor(a, dtype=torch.float64) for a in (noise, p))
    return weight_decay / (noise**2 + (weight_decay * p) ** 2).sqrt()


def penalty_rest(target: Tensor | float, weight_decay: float, *, curvature: Tensor | float = 1.0) -> Tensor:
    """Where the penalty of any optimizer leaves a weight: curvature * target / (curvature + weight_decay).

    Args: as `decoupled_rest`.
    """
    h = torch.as_tensor(curvature, dtype=torch.float64)
    return h * torch.as_tensor(target, dtype=torch.float64) / (h + weight_decay)


def decoupled_rest(
    target: Tensor | float,
    weight_decay: float,
    *,
    noise: Tensor | float = 0.0,
    curvature: Tensor | float = 1.0,
) -> Tensor:
    """Where AdamW leaves a weight whose loss is curvature / 2 * (p - target)**2, seen through noise.

        g / sqrt(g**2 + noise**2) + weight_decay * p = 0,    g = curvature * (p - target)

    Without noise that is the nearest point to `target` in the interval from -1 / weight_decay to
    +1 / weight_decay; under strong noise it is the rest of a penalty of strength weight_decay * noise.

    Args:
        weight_decay: >= 0. noise: standard deviation of the gradient, >= 0. curvature: > 0.
    Returns: broadcast, float64.
    Source: the mean step of AdamW set to zero, for lr -> 0, beta2 -> 1, eps = 0; noiseless: Xie & Li (2024).
    """
    target, noise, h = (torch.as_tensor(a, dtype=torch.float64) for a in (target, noise, curvature))
    require(weight_decay >= 0 and bool((noise >= 0).all()), "weight_decay and noise >= 0", decay=weight_decay)
    require(bool((h > 0).all()), "curvature > 0", lowest=float(h.min()))
    goal, noise, h = torch.broadcast_tensors(target.abs(), noise, h)
    low, high = torch.zeros_like(goal), goal.clone()
    for _ in range(200):  # halve the interval: the pull to the target falls with p, the decay rises
        middle = (low + high) / 2
        g = h * (goal - middle)
        further = g > weight_decay * middle * (g**2 + noise**2).sqrt()
        low, high = torch.where(further, middle, low), torch.where(further, high, middle)
    rest: Tensor = target.sign() * (low + high) / 2
    return rest
