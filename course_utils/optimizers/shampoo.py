"""Shampoo: a matrix for each dimension of a parameter, so that valleys may lie across the coordinates."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from course_utils._checks import is_whole, require
from course_utils.optimizers.base import (
    Group,
    Optimizer,
    Params,
    State,
    at_least_zero,
    from_zero_to_one,
    number,
)


def inverse_root(matrix: Tensor, root: int, *, floor: float = 0.0) -> Tensor:
    """A ** (-1 / root) of symmetric matrices A, through their eigenvalues.

        A = Q diag(values) Q^T    ->    Q diag(max(values, floor) ** (-1 / root)) Q^T

    Args:
        matrix: (..., n, n), symmetric, no eigenvalue below zero but by rounding. Of 16-bit matrices the
            eigenvalues are found in float32.
        root: >= 1; 2 for the inverse square root.
        floor: what eigenvalues are lifted to; > 0 where the matrix may be singular.
    Returns: (..., n, n), in the dtype of `matrix`.
    Raises: ValueError unless the matrices are square and root is a whole number >= 1.
    Agrees with: `torch.linalg.inv` at root = 1; its `root`-th power is the inverse.
    """
    square = matrix.ndim >= 2 and matrix.shape[-1] == matrix.shape[-2]
    require(square, "square matrices", shape=tuple(matrix.shape))
    require(is_whole(root) and root >= 1, "a whole number root >= 1", root=root)
    values, vectors = torch.linalg.eigh(wide(matrix))
    power: Tensor = ((vectors * values.clamp(min=floor)[..., None, :] ** (-1 / root)) @ vectors.mT).to(
        matrix.dtype
    )
    return power


def wide(t: Tensor) -> Tensor:
    """In float32 at least: factorisations have no 16-bit version."""
    return t.float() if t.dtype in (torch.float16, torch.bfloat16) else t


def unfolded(t: Tensor, dim: int) -> Tensor:
    """(n_dim, all the rest): one row for each index of dimension `dim`."""
    n = t.shape[dim]
    return t.movedim(dim, 0).reshape(n, t.numel() // max(1, n))


def times(matrix: Tensor, t: Tensor, dim: int) -> Tensor:
    """`matrix` (n, n) times every fibre of `t` along `dim`: matrix @ t for dim 0, t @ matrix.T for dim 1."""
    product: Tensor = torch.tensordot(matrix, t, dims=([1], [dim])).movedim(0, dim)
    return product


class Shampoo(Optimizer):
    """Shampoo: AdaGrad with a matrix for the rows and one for the columns, in place of a number per entry.

        L  <- L + g @ g.T                             (rows, rows), from eps * I
        R  <- R + g.T @ g                             (columns, columns), from eps * I
        d   = L**(-1/4) @ g @ R**(-1/4)
        p  <- p - lr * d

    A parameter of k dimensions has k such matrices, each of the gradient unfolded along its dimension, and
    the exponent -1 / (2 k). A vector has one matrix and -1/2: AdaGrad with its full matrix.

    Args:
        lr: step size, >= 0. The steps shrink as L and R grow, as AdaGrad's do.
        momentum: in [0, 1): m <- momentum * m + d, and m in the place of d.
        weight_decay: >= 0, strength of the L2 penalty: g <- g + weight_decay * p.
        eps: > 0, in units of the gradient squared: what L and R begin with.
        update_freq: take the roots anew at steps 1, 1 + update_freq, ...; L and R grow at each step.
    Shape: parameters of any shape; a number is a vector of one. An n-wide dimension costs n**2 numbers of
        memory, twice, and about n**3 operations a root: give embeddings to another optimizer.
    Raises: ValueError if a hyperparameter is out of range, or a parameter is a flat buffer.
    Source: Gupta, Koren & Singer (2018), Algorithms 1 (matrices) and 2 (more dimensions), which momentum=0,
        weight_decay=0 and update_freq=1 are. torch has no Shampoo; the tests hold this one to the paper's
        lines. Of one gradient, eps -> 0, the step is U V^T of g = U S V^T: Muon's without its iteration.
    """

    elementwise = False
    optional: ClassVar = {"momentum": "momentum_buffer"}

    def __init__(
        self,
        params: Params,
        lr: float = 0.1,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        eps: float = 1e-4,
        update_freq: int = 1,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "eps": eps,
            "update_freq": update_freq,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        at_least_zero(group, "lr", "weight_decay", "eps")
        from_zero_to_one(group, "momentum")
        cure = "a root of a singular matrix has no inverse"
        require(group["eps"] > 0, "eps > 0", cure=cure, eps=group["eps"])
        every(group, "update_freq")

    def init_state(self, p: Tensor, group: Group) -> State:
        state: State = {}
        for i, n in enumerate(p.shape or (1,)):
            eye = torch.eye(n, dtype=p.dtype, device=p.device)
            state[f"precond_{i}"], state[f"inv_precond_{i}"] = group["eps"] * eye, eye
        return state

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        lr, momentum = group["lr"], group["momentum"]
        if group["weight_decay"] != 0:
            g = g.add(p, alpha=group["weight_decay"])
        g = g.reshape(p.shape or (1,))
        renew = (state["step"] - 1) % group["update_freq"] == 0
        d = g
        for i in range(g.ndim):
            a, root = state[f"precond_{i}"], state[f"inv_precond_{i}"]  # L and R
            rows = unfolded(g, i)
            a.addmm_(rows, rows.mT)
            if renew:
                root.copy_(inverse_root(a, 2 * g.ndim, floor=group["eps"]))
            d = times(root, d, i)
        d = d.reshape(p.shape)
        if momentum != 0:
            d = state["momentum_buffer"].mul_(momentum).add_(d)
        p.add_(d, alpha=-lr)


def every(group: Group, name: str) -> None:
    """Raise ValueError unless the named hyperparameter is a whole number of steps, >= 1."""
    number(group, name)
    whole = is_whole(group[name]) and group[name] >= 1
    require(whole, f"a whole number {name} >= 1", **{name: group[name]})
