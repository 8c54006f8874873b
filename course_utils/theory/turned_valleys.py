"""Valleys turned against the coordinates: how many of gradient descent's steps AdaGrad and momentum need.

A valley is f(p) = p^T A p / 2 with A = R diag(curvatures) R^T and a rotation R. Gradient descent does not see
R; a step size for each coordinate does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils.theory import quadratics

RATES = tuple(2.0**k for k in range(-2, 7))
SHARE = 1e-6  # of the first height: where a run has arrived
PATIENCE = 8  # most steps, in units of the condition number

Move = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


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
