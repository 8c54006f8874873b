"""What a random search leaves to luck: many rates trained once, and every search that could be made of them.

pool = rate_pool(task, rates, seeds)                  # SGD with each rate, all in one vectorised run
weights = chosen_by(pool.validation.mean(1), k=8)     # how often a search of 8 trials would choose each
weights @ pool.test                                   # what such searches report, seed by seed
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils.data import Stacked
from course_utils.race.recipe import Task
from course_utils.seeds import train_seeds
from course_utils.seeds.rates import RatePerRun
from course_utils.training import accuracy


class Pool(NamedTuple):
    """Accuracies (R, S) of R rates and S seeds, on validation and on test examples."""

    validation: Tensor
    test: Tensor


def rate_pool(
    task: Task,
    rates: Tensor,
    seeds: Sequence[int],
    *,
    augment: Callable[[Tensor], Tensor] | None = None,
) -> Pool:
    """Plain SGD on `task` with each rate and each seed; every rate meets a seed's split, weights and batches.

    Args:
        rates: (R,), >= 0.
        augment: x -> x, on training batches.
    """
    splits = task.data().splits(seeds, **task.split)

    def for_each_rate(examples: Stacked) -> Stacked:
        return Stacked(*(part.repeat(len(rates), *[1] * (part.ndim - 1)) for part in examples))

    runs = train_seeds(
        task.make_model,
        for_each_rate(splits.train),
        optimizer=lambda params: RatePerRun(params, rates.repeat_interleave(len(seeds))),
        loss=task.loss,
        steps=task.steps,
        seeds=[seed for _ in rates for seed in seeds],
        batch_size=task.batch_size,
        augment=augment,
    )
    scored = []
    for examples in (splits.validation, splits.test):
        repeated = for_each_rate(examples)
        scores = accuracy(runs.predict(repeated), repeated.y).double()
        scored.append(scores.view(len(rates), len(seeds)))
    return Pool(*scored)


def chosen_by(scores: Tensor, k: int) -> Tensor:
    """How probably a search of k different trials of the pool chooses each: its score is their largest.

        C(number of lower scores, k - 1) / C(n, k)

    Args:
        scores: (n,), what a search goes by; of equals the later one counts as larger.
        k: 1 to n.
    Returns: (n,), float64, of sum 1.
    Raises: ValueError if k is out of range.
    """
    n = len(scores)
    require(1 <= k <= n, f"1 <= k <= {n}", k=k)
    lower = scores.argsort(stable=True).argsort()  # 0 for the lowest
    ways = torch.tensor([math.comb(i, k - 1) / math.comb(n, k) for i in range(n)], dtype=torch.float64)
    return ways[lower]


def spread(weights: Tensor, scores: Tensor) -> Tensor:
    """The standard deviation, over searches, of what they report.

    Args: weights, scores: (n,), how often each trial is chosen, and its score.
    """
    mean = weights @ scores
    return (weights @ (scores - mean) ** 2).sqrt()
