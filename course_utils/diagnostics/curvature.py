"""How sharply a loss curves where the weights are: the largest eigenvalue of its Hessian.

A net with P weights has a Hessian H of P × P entries. Nobody writes it down: the product of H with a vector
v is the gradient of g·v, and costs about two gradients. A few products, with each v chosen by Lanczos, give
the largest eigenvalue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course_utils._checks import require


@torch.enable_grad()
def sharpness(
    loss_fn: Callable[[], Tensor],
    params: Sequence[Tensor],
    *,
    iterations: int = 20,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The largest eigenvalue of the Hessian of a loss, for one net or for S nets at once.

        H v_k = b_k v_(k-1) + a_k v_k + b_(k+1) v_(k+1),    v_0 random,  b_0 = 0
        answer: the largest eigenvalue of the tridiagonal matrix of the a (diagonal) and the b (beside it)

    It is the largest in value, not in size: at a saddle with curvatures 1 and -5 it is 1. The answer never
    exceeds the true one, but for rounding, and comes closer with every iteration.

    Args:
        loss_fn: () -> the loss, twice differentiable in `params`: one number, or (S,) numbers, one for each
            of S nets whose parameters are stacked.
        params: tensors that require gradients; with (S,) losses each has S as its first dimension. Their
            `.grad` is left alone.
        iterations: products with H, >= 1; no more are made than a net has parameters.
        generator: draws v_0, by default anew from seed 0; on the CPU, whatever the device.
    Returns: () or (S,); NaN for a net whose loss, gradient or curvature is not finite.
    Raises: ValueError unless iterations >= 1 and losses and parameters fit together.
    Source: Lanczos (1950); Pearlmutter (1994) for the product. Agrees with: the largest of
        `torch.linalg.eigvalsh(torch.func.hessian(...))`.
    """
    require(iterations >= 1 and len(params) > 0, "iterations >= 1 and a parameter", iterations=iterations)
    loss = loss_fn()
    require(loss.dim() <= 1, "one loss, or one per stacked net", shape=tuple(loss.shape))
    count = loss.numel()
    stacked = loss.dim() == 0 or all(p.shape[:1] == loss.shape for p in params)
    require(stacked, f"parameters stacked as ({count}, ...)", shapes=[tuple(p.shape) for p in params])
    g = _flat(loss.sum(), params, count, create_graph=True)
    if not g.requires_grad:  # a gradient that depends on nothing
        return torch.zeros_like(loss).detach()
    generator = generator or torch.Generator().manual_seed(0)
    v = torch.randn(g.shape, generator=generator, dtype=torch.float64).to(g)
    basis = (v / v.norm(dim=1, keepdim=True))[:, None]  # (S, k, P), orthonormal rows
    diagonal, beside = [], []
    for _ in range(min(iterations, g.shape[1])):
        v = basis[:, -1]
        w = _flat((g * v).sum(), params, count)  # H v
        size = w.norm(dim=1)
        diagonal.append((w * v).sum(1))
        for _ in range(2):  # twice, so that rounding leaves the rows orthogonal
            w = w - torch.einsum("skp,sk->sp", basis, torch.einsum("skp,sp->sk", basis, w))
        left = w.norm(dim=1)
        left = torch.where(left > 100 * torch.finfo(w.dtype).eps * size, left, 0)  # 0: nothing new is left
        beside.append(left)
        basis = torch.cat([basis, torch.where(left > 0, 1 / left, 0)[:, None, None] * w[:, None]], 1)
    return _largest(torch.stack(diagonal, 1), torch.stack(beside[:-1] or [left[:0]], 1)).reshape(loss.shape)


def _flat(value: Tensor, params: Sequence[Tensor], count: int, *, create_graph: bool = False) -> Tensor:
    """d value / d params, as (count, P); the graph of `value` is kept."""
    grads = torch.autograd.grad(
        value, params, retain_graph=True, create_graph=create_graph, allow_unused=True, materialize_grads=True
    )
    return torch.cat([g.reshape(count, -1) for g in grads], 1)


def _largest(diagonal: Tensor, beside: Tensor) -> Tensor:
    """Largest eigenvalue of tridiagonal matrices; rows after the first 0 in `beside` do not count."""
    k = diagonal.shape[1]
    if k == 1:
        return diagonal[:, 0]
    over = torch.cat([torch.zeros_like(beside[:, :1], dtype=torch.bool), (beside == 0).cumsum(1) > 0], 1)
    diagonal = torch.where(over, diagonal[:, :1], diagonal)  # a_0 is never above the largest eigenvalue
    matrix = torch.diag_embed(diagonal) + torch.diag_embed(beside, 1) + torch.diag_embed(beside, -1)
    finite = matrix.isfinite().all(2).all(1)
    matrix = torch.where(finite[:, None, None], matrix, torch.eye(k).to(matrix))
    return torch.where(finite, torch.linalg.eigvalsh(matrix)[:, -1], torch.nan)
