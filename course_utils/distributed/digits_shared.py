"""Digits on several workers: the loss after local steps, and the steps to a loss, for settings and seeds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils import data
from course_utils._checks import require
from course_utils.distributed import local_steps

WIDTHS = (64, 32, 10)
MOST_STEPS = 250
IMAGES, BATCH = 1024, 8  # of each seed; of each worker


def loss_after(
    seeds: Sequence[int],
    kind: str,
    every: Sequence[int],
    rates: Sequence[float],
    *,
    generator: torch.Generator,
    workers: int = 4,
    steps: int = 128,
) -> Tensor:
    """The training loss of the averaged net after SGD with local steps: (seeds, settings), float64.

    Each of four shards holds a quarter of the digits or all, and each worker draws batches of 8 from its own.

    Args:
        kind: "mixed" or "sorted" by label, then cut; "whole": all digits are in every shard.
        every, rates: of each setting, as for `train_local`.
        workers: 1 to 4; the shards of the others are left out.
    Raises: ValueError for another kind or number of workers.
    """
    require(kind in ("mixed", "sorted", "whole"), '"mixed", "sorted" or "whole"', kind=kind)
    require(1 <= workers <= 4, "one to four workers", workers=workers)
    digits = data.digits().splits(list(seeds), train=IMAGES, validation=1).train
    x, y = digits.x.float(), digits.y
    mixed = torch.rand(y.shape, generator=generator).argsort(1)
    order = y.argsort(dim=1, stable=True) if kind == "sorted" else mixed
    cut = order[:, None].expand(-1, 4, -1) if kind == "whole" else order.view(len(y), 4, -1)
    shards = cut[:, :workers]
    drawn = local_steps.draw(shards, steps, BATCH, generator)
    w = local_steps.first_weights(len(y), WIDTHS, generator)
    w = local_steps.train_local(w, x, y, drawn, every=every, rates=rates)
    return local_steps.losses(w, x[:, None, None], y[:, None, None])[..., 0].double()


def at_best_rate(
    tuning: Sequence[int],
    seeds: Sequence[int],
    kind: str,
    steps: int,
    rates: Sequence[float],
    *,
    generator: torch.Generator,
    workers: int = 1,
) -> tuple[Tensor, float]:
    """The loss with a mean after each step, (seeds,), at the rate that is best on `tuning`; and that rate.

    Args: as for `loss_after`.
    """
    every, both = [1] * len(rates), [*tuning, *seeds]  # side by side: a step of many costs little more
    found = loss_after(both, kind, every, rates, generator=generator, workers=workers, steps=steps)
    chosen = best(found[: len(tuning)])
    return found[len(tuning) :, chosen], rates[chosen]


def steps_with(
    workers: int,
    seeds: Sequence[int],
    rates: Sequence[float],
    *,
    generator: torch.Generator,
    target: float = 0.2,
    warm_up: Sequence[int] = (1,),
) -> Tensor:
    """Steps to a training loss with 8 digits on each worker and a mean after each step: (seeds, settings).

    Args:
        warm_up: over how many steps the rate rises from 0 in proportion to the steps; of each setting, or one
            for all.
    Returns: infinite for a run that is not there after MOST_STEPS.
    """
    digits = data.digits().splits(list(seeds), train=IMAGES, validation=1).train
    all_of_them = torch.arange(IMAGES).expand(len(digits.y), 1, -1)
    drawn = local_steps.draw(all_of_them, MOST_STEPS, BATCH * workers, generator)
    w = local_steps.first_weights(len(digits.y), WIDTHS, generator)
    return local_steps.steps_to(target, w, digits.x.float(), digits.y, drawn, rates=rates, warm_up=warm_up)


def best(values: Tensor) -> int:
    """Which setting is lowest in its worst seed; values (seeds, settings), NaN for a run that is lost."""
    return int(values.nan_to_num(torch.inf).amax(0).argmin())
