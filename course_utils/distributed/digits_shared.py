"""Digits on several workers: the loss after local steps, and the steps to a loss, for settings and seeds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils import data
from course_utils._checks import require
from course_utils.distributed import local_steps

WIDTHS = (64, 32, 10)
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

    Each of four shards holds a quarter of the digits, and each worker draws batches of 8 from its own.

    Args:
        kind: "mixed" or "sorted" by label, then cut.
        every, rates: of each setting, as for `train_local`.
        workers: 1 to 4; the shards of the others are left out.
    Raises: ValueError for another kind or number of workers.
    """
    require(kind in ("mixed", "sorted"), '"mixed" or "sorted"', kind=kind)
    require(1 <= workers <= 4, "one to four workers", workers=workers)
    digits = data.digits().splits(list(seeds), train=IMAGES, validation=1).train
    x, y = digits.x.float(), digits.y
    mixed = torch.rand(y.shape, generator=generator).argsort(1)
    order = y.argsort(dim=1, stable=True) if kind == "sorted" else mixed
    shards = order.view(len(y), 4, -1)[:, :workers]
    drawn = local_steps.draw(shards, steps, BATCH, generator)
    w = local_steps.first_weights(len(y), WIDTHS, generator)
    w = local_steps.train_local(w, x, y, drawn, every=every, rates=rates)
    return local_steps.losses(w, x[:, None, None], y[:, None, None])[..., 0].double()


def steps_with(
    workers: int,
    seeds: Sequence[int],
    rates: Sequence[float],
    *,
    generator: torch.Generator,
    target: float = 0.2,
) -> Tensor:
    """Steps to a training loss with 8 digits on each worker and a mean after each step: (seeds, settings)."""
    digits = data.digits().splits(list(seeds), train=IMAGES, validation=1).train
    all_of_them = torch.arange(IMAGES).expand(len(digits.y), 1, -1)
    drawn = local_steps.draw(all_of_them, 400, BATCH * workers, generator)
    w = local_steps.first_weights(len(digits.y), WIDTHS, generator)
    return local_steps.steps_to(target, w, digits.x.float(), digits.y, drawn, rates=rates)


def best(values: Tensor) -> int:
    """Which setting is lowest in its worst seed; values (seeds, settings), NaN for a run that is lost."""
    return int(values.nan_to_num(torch.inf).amax(0).argmin())
