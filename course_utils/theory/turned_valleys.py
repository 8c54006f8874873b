"""Valleys turned against the coordinates: how many of gradient descent's steps AdaGrad and momentum need.

A valley is f(p) = p^T A p / 2 with A = R diag(curvatures) R^T and a rotation R. Gradient descent does not see
R; a step size for each coordinate does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils.theory import quadratics

RATES = tuple(2.0**k for k in range(-2, 7))
SHARE = 1e-6  # of the first height: where a run has arrived
PATIENCE = 8  # most steps, in units of the condition number

Move = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Rule = Callable[[Tensor, dict[str, Any], int], Tensor]


def plane_turns(degrees: Sequence[float]) -> Tensor:
    """Rotations of the plane by these angles, (len(degrees), 1, 2, 2): one for all starts."""
    a = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    return torch.stack([a.cos(), -a.sin(), a.sin(), a.cos()], -1).view(-1, 1, 2, 2)


def random_turns(count: int, dim: int, generator: torch.Generator) -> Tensor:
    """Random orthogonal matrices, (1, count, dim, dim): one valley, each start with a turn of its own."""
    normal = torch.randn(1, count, dim, dim, generator=generator, dtype=torch.float64)
    q, r = torch.linalg.qr(normal)
    # with the signs of r's diagonal fixed, q has no preferred direction
    signed: Tensor = q * r.diagonal(dim1=-2, dim2=-1).sign()[..., None, :]
    return signed


def layer_valleys(one: Tensor, count: int, generator: torch.Generator, *, turned: str) -> Tensor:
    """Hessians of valleys over matrices (d, d) of weights, whose curvatures are one[i] * one[j].

        H = T diag(one[i] * one[j]) T^T,    T = I  |  left (x) right  |  any rotation of all d * d weights

    Args:
        one: (d,), > 0.
        turned: "no", "sides" (rows by one rotation, columns by another), "shuffled" (as "sides", after the
            curvatures were dealt out anew to the d * d weights) or "all"; drawn for each valley.
    Returns: (count, d * d, d * d), for weights flattened row by row.
    Raises: ValueError for another `turned`, or a curvature that is not above zero.
    """
    known = ("no", "sides", "shuffled", "all")
    require(turned in known, "turned 'no', 'sides', 'shuffled' or 'all'", turned=turned)
    require(bool((one > 0).all()), "curvatures > 0", lowest=float(one.min()))
    d = len(one)
    turn = torch.eye(d * d, dtype=torch.float64).expand(count, -1, -1)
    curvatures = torch.outer(one, one).flatten().expand(count, -1)
    if turned in ("sides", "shuffled"):
        left, right = (random_turns(count, d, generator)[0] for _ in range(2))
        turn = torch.einsum("sab,scd->sacbd", left, right).reshape(count, d * d, d * d)
    elif turned == "all":
        turn = random_turns(count, d * d, generator)[0]
    if turned == "shuffled":
        curvatures = curvatures.gather(1, torch.rand(count, d * d, generator=generator).argsort(1))
    valleys: Tensor = turn @ torch.diag_embed(curvatures) @ turn.mT
    return valleys


def steps_down(rule: Rule, valleys: Tensor, starts: Tensor, rates: Sequence[float], *, most: int) -> Tensor:
    """Steps to a millionth of the first height, for each rate and valley, all at once; `most` if not arrived.

        p <- p - rate * rule(H p, state, t)        t = 1, 2, 3, ...

    Args:
        rule: (g, state, t) -> what is subtracted, times the rate; g: (runs, ...), of those R * S runs that
            have not arrived; `state`: a dict of tensors (runs, ...), empty at first.
        valleys: (S, P, P), positive. starts: (S, ...), of P numbers each. rates: (R,).
    Returns: (R, S), float64.
    """
    matrix, p = valleys.repeat(len(rates), 1, 1), starts.repeat(len(rates), *[1] * (starts.ndim - 1))
    lr = torch.tensor(rates).to(p).repeat_interleave(len(starts)).view(-1, *[1] * (p.ndim - 1))
    state: dict[str, Any] = {}
    steps, runs, first = torch.zeros(len(p)).to(p), torch.arange(len(p)), torch.zeros(0)
    for t in range(1, most + 1):
        g = (matrix @ p.flatten(1)[..., None]).view_as(p)
        height = (g * p).flatten(1).sum(1)
        first = height if t == 1 else first
        going = height > first * SHARE
        if not bool(going.all()):
            # who has arrived makes no more steps
            matrix, p, g, lr, first, runs = (one[going] for one in (matrix, p, g, lr, first, runs))
            state = {name: one[going] for name, one in state.items()}
        if not len(runs):
            break
        steps[runs] += 1
        # a run that is lost must not stop the others
        p = (p - lr * rule(g, state, t)).nan_to_num(1e9).clamp(-1e9, 1e9)
    return steps.view(len(rates), -1)


def adagrad_share(curvatures: Tensor, turns: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
    """AdaGrad's steps to a millionth of the first height, divided by gradient descent's at its best rate.

    AdaGrad has the best of `RATES` for each valley: the one with the fewest steps from the first half of the
    starts. Its share is measured on the second half. A run that does not arrive within 8 condition numbers of
    steps counts with that many.

    Args:
        curvatures: (d,), > 0, before the turn. turns: (V, 1 or S, d, d), rotations, as `plane_turns` makes.
        starts: (S, d), S even and >= 2; each turns with its valley.
    Returns: shares (V, S / 2), and the index in `RATES` that each valley chose, (V,).
    Raises: ValueError for an odd number of starts or a curvature that is not above zero.
    """
    require(len(starts) % 2 == 0 and len(starts) >= 2, "an even number of starts", starts=len(starts))
    require(bool((curvatures > 0).all()), "curvatures > 0", lowest=float(curvatures.min()))
    low, high = float(curvatures.min()), float(curvatures.max())
    matrix = (turns @ curvatures.diag() @ turns.mT)[:, None]
    # a valley, a rate, a start, a coordinate
    p = (turns @ starts[..., None])[..., 0][:, None]
    most = int(PATIENCE * high / low)
    best_step = quadratics.best_gd(low, high)[0]
    slow = _steps_down(lambda s, g: (s, best_step * g), matrix, p, most)
    rates = torch.tensor(RATES, dtype=p.dtype)[:, None, None]

    def adagrad(s: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        s = s + g**2
        return s, rates * g / (s.sqrt() + 1e-10)

    fast = _steps_down(adagrad, matrix, p.expand(-1, len(RATES), -1, -1), most)
    tuning, comparing = (fast / slow).chunk(2, dim=-1)
    best = tuning.mean(-1).argmin(-1)
    return comparing[torch.arange(len(best)), best], best


def momentum_share(curvatures: Tensor, starts: Tensor) -> Tensor:
    """The heavy ball's steps to a millionth of the first height, over gradient descent's, each at its best.

    Neither sees a turn, so none is asked for. The constants are those of `quadratics.best_heavy_ball`.

    Args: curvatures: (d,), > 0. starts: (S, d).
    Returns: shares (S,).
    Raises: ValueError for a curvature that is not above zero.
    """
    require(bool((curvatures > 0).all()), "curvatures > 0", lowest=float(curvatures.min()))
    low, high = float(curvatures.min()), float(curvatures.max())
    most = int(PATIENCE * high / low)
    best_step, (lr, beta, _) = quadratics.best_gd(low, high)[0], quadratics.best_heavy_ball(low, high)

    def heavy_ball(v: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        v = beta * v + g
        return v, lr * v

    slow = _steps_down(lambda v, g: (v, best_step * g), curvatures.diag(), starts, most)
    return _steps_down(heavy_ball, curvatures.diag(), starts, most) / slow


def _steps_down(move: Move, matrix: Tensor, p: Tensor, most: int) -> Tensor:
    """Steps (valleys, rates, starts) at whose beginning a run was above `SHARE` of its first height."""
    s, count = torch.zeros_like(p), torch.zeros_like(p[..., 0])
    first: Tensor | None = None
    for _ in range(most):
        g = (matrix * p[..., None, :]).sum(-1)
        height = (p * g).sum(-1)
        first = height if first is None else first
        above = height > SHARE * first
        if not bool(above.any()):
            break
        count = count + above
        s, step = move(s, g)
        p = p - step
    return count
