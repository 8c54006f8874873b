"""Many strengths of weight decay and many seeds in one vectorised run.

sweep = sweep_l2(make_model, train, validation, l2s=(0.0, 0.01, 0.1), seeds=range(24), optimizer=...,
                 loss=F.cross_entropy, steps=300, metric=accuracy)
sweep.validation_metric[..., -1]      # (24, 3), where each run ended
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from course_utils._checks import require
from course_utils.data import Stacked
from course_utils.seeds.rates import by_seed, for_each
from course_utils.seeds.stacked import Named
from course_utils.seeds.train import SeedRuns, train_seeds


@dataclass(frozen=True)
class L2Sweep:
    """What S seeds did at each of R strengths, measured at `steps` (K,).

    Attributes:
        l2s: (R,), float64.
        validation_loss, validation_metric: (S, R, K, ...), as those of `train_seeds`.
        runs: the R * S runs, strength by strength.
    """

    l2s: Tensor
    steps: list[int]
    validation_loss: Tensor
    validation_metric: Tensor
    runs: SeedRuns = field(repr=False)

    def predict(self, x: Stacked) -> Tensor:
        """Outputs (S, R, N, ...) for each seed's own inputs."""
        return by_seed(self.runs.predict(for_each(len(self.l2s), x)), len(self.l2s))


def sweep_l2(
    make_model: Callable[[], nn.Module],
    train: Stacked,
    validation: Stacked,
    *,
    l2s: Sequence[float] | Tensor,
    seeds: Sequence[int],
    **options: Any,
) -> L2Sweep:
    """Train at each of R strengths of an L2 penalty, for each of S seeds, all in one run.

        loss of a run  =  loss + l2 / 2 * sum over all parameters of p**2

    For SGD, with momentum or without, this is `weight_decay=l2`. At each strength a seed has the same split,
    initial weights and batches.

    Args:
        train, validation: examples of their own for every seed.
        l2s: (R,), >= 0.
        options: `optimizer`, `loss`, `steps` and what else `train_seeds` takes, but no `penalty`.
    Raises: ValueError for a negative strength, and as `train_seeds`.
    """
    strengths = torch.as_tensor(l2s, dtype=torch.float64)
    require(strengths.ndim == 1 and bool((strengths >= 0).all()), "l2s >= 0 in a row", l2s=strengths.tolist())
    half = strengths.repeat_interleave(len(seeds)) / 2

    def penalty(named: Named) -> Tensor:
        terms = [half.to(p) @ p.flatten(1).square().sum(1) for _, p in named]
        return torch.stack(terms).sum()

    count = len(strengths)
    runs = train_seeds(
        make_model,
        for_each(count, train),
        for_each(count, validation),
        seeds=[seed for _ in range(count) for seed in seeds],
        penalty=penalty,
        **options,
    )
    losses, metrics = by_seed(runs.validation_loss, count), by_seed(runs.validation_metric, count)
    return L2Sweep(strengths, runs.steps, losses, metrics, runs)
