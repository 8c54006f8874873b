"""What a random search leaves to luck: a pool of learning rates, and every search that could be made of it.

pool = lr_pool(task, lrs, seeds)                      # SGD with each of them, all in one vectorised run
weights = chosen_by(pool.validation.mean(1), k=8)     # how often a search of 8 trials would choose each
weights @ pool.test                                   # what such searches report, seed by seed
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils.race.recipe import Task
from course_utils.seeds.rates import sweep_lrs
from course_utils.training import accuracy


class Pool(NamedTuple):
    """Accuracies (R, S) of R learning rates and S seeds, on validation and on test examples."""

    validation: Tensor
    test: Tensor


def lr_pool(
    task: Task, lrs: Tensor, seeds: Sequence[int], *, augment: Callable[[Tensor], Tensor] | None = None
) -> Pool:
    """Plain SGD on `task` with each learning rate and each seed.

    Args:
        lrs: (R,), >= 0; at each of them a seed has the same split, weights and batches.
        augment: x -> x, on training batches.
    """
    splits = task.data().splits(seeds, **task.split)
    options: dict[str, Any] = {
        "steps": task.steps,
        "batch_size": task.batch_size,
        "loss": task.loss,
        "augment": augment,
    }
    sweep = sweep_lrs(task.make_model, splits.train, lrs=lrs, seeds=seeds, **options)
    return Pool(*(_scores(sweep.predict(part), part.y) for part in (splits.validation, splits.test)))


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


def _scores(prediction: Tensor, y: Tensor) -> Tensor:
    """Accuracies (R, S) of predictions (S, R, N, C)."""
    runs = y[:, None].expand(prediction.shape[:-1])
    right = accuracy(prediction.flatten(0, 1), runs.flatten(0, 1))
    return right.view(prediction.shape[:2]).double().mT
