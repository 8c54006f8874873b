"""Grids of learning rate and weight decay: both kinds of decay, many strengths and seeds, in one run.

grid = sweep_decay(make_model, train, validation, lrs=(0.005, 0.02), l2=(0.002, 0.008), decoupled=(0.25, 1.0),
                   seeds=range(8), loss=F.cross_entropy, steps=600)
grid.l2.loss                      # (8, 2, 2): seeds, learning rates, strengths
grid.decoupled.loss               # the same for AdamW
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from course_utils._checks import require
from course_utils.data import Stacked
from course_utils.optimizers.base import (
    Group,
    Optimizer,
    State,
    at_least_zero,
    pair_from_zero_to_one,
)
from course_utils.seeds.rates import for_each
from course_utils.seeds.stacked import over
from course_utils.seeds.train import train_seeds


class AdamPerRun(Optimizer):
    """Adam on stacked parameters (S, ...), with a learning rate and decays of its own for each of the S runs.

        p[s] <- p[s] - lr * lrs[s] * decoupled[s] * p[s]     AdamW's decay
        g[s] <- g[s] + l2[s] * p[s]                          the gradient of l2 / 2 * sum p**2
        then Adam's step with g, at the rate lr * lrs[s]     lr: 1, and what a schedule makes of it

    Args:
        lrs, l2, decoupled: (S,), >= 0. betas, eps: as `Adam`.
    Raises: ValueError if a number is out of range, or there are not as many of each.
    Agrees with: `Adam(weight_decay=l2)` where decoupled is 0, `AdamW(weight_decay=decoupled)` where l2 is.
    """

    def __init__(
        self,
        params: Any,
        lrs: Tensor,
        *,
        l2: Tensor,
        decoupled: Tensor,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        alike = lrs.shape == l2.shape == decoupled.shape
        require(alike, "as many lrs as l2 and decoupled", lrs=len(lrs), l2=len(l2), decoupled=len(decoupled))
        lowest = float(torch.stack([lrs, l2, decoupled]).min())
        require(lowest >= 0, "lrs, l2 and decoupled >= 0", lowest=lowest)
        self.lrs, self.l2, self.decoupled = lrs, l2, decoupled
        super().__init__(params, {"lr": 1.0, "betas": betas, "eps": eps})

    def check(self, group: Group) -> None:
        at_least_zero(group, "lr", "eps")
        pair_from_zero_to_one(group, "betas")

    def init_state(self, p: Tensor, group: Group) -> State:
        return {"exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        t, m, v, (beta1, beta2) = state["step"], state["exp_avg"], state["exp_avg_sq"], group["betas"]
        lr = over(self.lrs.to(p), p) * group["lr"]
        g = g + over(self.l2.to(p), p) * p
        p.mul_(1 - lr * over(self.decoupled.to(p), p))
        m.lerp_(g, 1 - beta1)
        v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
        size = v.sqrt().div_((1 - beta2**t) ** 0.5).add_(group["eps"])
        p.sub_(m / size * (lr / (1 - beta1**t)))


@dataclass(frozen=True)
class Half:
    """The runs of one kind of decay: `strengths` (L,), and what each ended with, (S, R, L)."""

    strengths: Tensor
    loss: Tensor
    metric: Tensor


@dataclass(frozen=True)
class DecayGrid:
    """What S seeds did at R learning rates with L2 in the gradient and with decoupled decay.

    Attributes: lrs: (R,), float64. l2, decoupled: a `Half` each; a run that diverged has an infinite loss.
    """

    lrs: Tensor
    l2: Half
    decoupled: Half


def sweep_decay(
    make_model: Callable[[], nn.Module],
    train: Stacked,
    validation: Stacked,
    *,
    lrs: Sequence[float],
    l2: Sequence[float] = (),
    decoupled: Sequence[float] = (),
    seeds: Sequence[int],
    **options: Any,
) -> DecayGrid:
    """Train with Adam at each learning rate and strength of either decay, for each of S seeds, in one run.

    At each of them a seed has the same split, initial weights and batches.

    Args:
        train, validation: examples of their own for every seed.
        lrs: >= 0; under a schedule, what it multiplies.
        l2: strengths of the penalty l2 / 2 * sum p**2, >= 0, whose gradient Adam divides.
        decoupled: strengths of AdamW's decay, >= 0.
        options: `loss`, `steps` and what else `train_seeds` takes.
    Raises: ValueError without a strength, and as `train_seeds` and `AdamPerRun`.
    """
    rates, S = torch.as_tensor(lrs, dtype=torch.float64), len(seeds)
    halves = [torch.as_tensor(strengths, dtype=torch.float64) for strengths in (l2, decoupled)]
    columns = torch.cat(halves)
    require(len(columns) > 0, "a strength in l2 or decoupled", l2=list(l2), decoupled=list(decoupled))
    of_l2 = torch.arange(len(columns)) < len(halves[0])
    each = len(rates) * S
    lr = rates.repeat_interleave(S).repeat(len(columns))
    strength, penalised = columns.repeat_interleave(each), of_l2.repeat_interleave(each)
    count = len(columns) * len(rates)
    runs = train_seeds(
        make_model,
        for_each(count, train),
        for_each(count, validation),
        optimizer=lambda params: AdamPerRun(
            params, lr, l2=strength * penalised, decoupled=strength * ~penalised
        ),
        seeds=list(seeds) * count,
        **options,
    )
    loss, metric = (
        values[:, -1].double().view(len(columns), len(rates), S).permute(2, 1, 0)
        for values in (runs.validation_loss.nan_to_num(torch.inf), runs.validation_metric)
    )
    ends = [
        Half(strengths, loss[..., chosen], metric[..., chosen])
        for strengths, chosen in zip(halves, (of_l2, ~of_l2), strict=True)
    ]
    return DecayGrid(rates, *ends)
