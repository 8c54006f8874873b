"""The noisy digits' fair baseline: momentum at the best of a bracketed grid of learning rates.

A technique that is added to a rate which is too large mostly gains what a smaller rate would have gained.
So the rate was tuned once, with seeds that no lesson uses, and is recorded:

    found = tuned()                   20 epochs, a fifth of the labels wrong
    SGD(params, lr=found.lr, momentum=0.9)

SAM on top of it was tuned on the same seeds, its radius as well: a rival that was tuned on fewer has the
worse rate. `benchmarks/baseline.py --record` measures both anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from course_utils import recorded
from course_utils._checks import require
from course_utils.optimizers import SGD
from course_utils.race.techniques import TASKS
from course_utils.seeds import SAMPerSeed
from course_utils.seeds.rates import lr_per_run, sweep_lrs
from course_utils.training import accuracy

LRS = (
    *(0.0005, 0.0007, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.007),
    *(0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.2),
)
WORLDS = tuple((label_noise, epochs) for label_noise in (0.2, 0.0) for epochs in (20, 40))
SAM_LRS = LRS[5:13]
RADII = (0.05, 0.1, 0.2, 0.3, 0.4)
SEEDS = range(900_000, 900_060)  # far from those of any lesson, whose SEED has 10,000 each


@dataclass(frozen=True)
class Tuned:
    """How each learning rate did on validation examples after the last step, as means over seeds.

    Args:
        lr: the rate of the highest accuracy. loss_lr: of the lowest loss; another rate.
        lrs: (R,), all that were tried, rising.
        accuracy, loss: (R,), each with the standard error of its mean in `accuracy_error`, `loss_error`.
        label_noise, epochs: of the world. seeds: how many. rho: SAM's radius, 0 without SAM.
    """

    lr: float
    loss_lr: float
    lrs: list[float]
    accuracy: list[float]
    accuracy_error: list[float]
    loss: list[float]
    loss_error: list[float]
    label_noise: float
    epochs: int
    seeds: int
    rho: float = 0.0


def tuned(label_noise: float = 0.2, epochs: int = 20) -> Tuned:
    """What is recorded of momentum 0.9 on the digits, 500 images, batches of 32, a constant rate.

        tuned().lr

    Args: label_noise: 0.2 or 0.0. epochs: 20 or 40, of 16 steps.
    Raises: ValueError for a world that was not measured.
    """
    record = recorded.newest("baseline")
    rows = record.rows if record else []
    worlds = [(row["label_noise"], row["epochs"]) for row in rows]
    require(
        (label_noise, epochs) in worlds, f"(label_noise, epochs) in {worlds}", asked=(label_noise, epochs)
    )
    return Tuned(**rows[worlds.index((label_noise, epochs))])


def tuned_sam() -> list[Tuned]:
    """What is recorded of SAM around momentum 0.9, a fifth of the labels wrong: one for each radius, rising.

    20 epochs, so 320 steps of two gradients each.
        best = max(tuned_sam(), key=lambda one: max(one.accuracy))
    """
    record = recorded.newest("sam")
    return [Tuned(**row) for row in (record.rows if record else [])]


def measure(
    label_noise: float, epochs: int, seeds: Sequence[int] = SEEDS, lrs: Sequence[float] = LRS
) -> Tuned:
    """The grid of rates, trained on the noisy digits of the race or on clean ones; test examples unused."""
    found = _scored(label_noise, epochs, seeds, lrs, kind=partial(SGD, momentum=0.9))
    for lr in (found.lr, found.loss_lr):
        _inside(list(lrs), lr)
    return found


def measure_sam(
    seeds: Sequence[int] = SEEDS,
    lrs: Sequence[float] = SAM_LRS,
    radii: Sequence[float] = RADII,
    epochs: int = 20,
) -> list[Tuned]:
    """The grid of rates at each radius; the best of all must lie inside both grids."""

    def sam(lrs: Tensor, rho: float) -> Any:
        base: Any = lr_per_run(partial(SGD, momentum=0.9), lrs)
        return lambda params: SAMPerSeed(params, base, rho=rho)

    rows = [
        replace(_scored(0.2, epochs, seeds, lrs, per_run=partial(sam, rho=rho)), rho=rho) for rho in radii
    ]
    best = max(rows, key=lambda one: max(one.accuracy))
    _inside(list(lrs), best.lr)
    _inside(list(radii), best.rho)
    return rows


def _inside(grid: list[float], best: float) -> None:
    place = grid.index(best)
    require(0 < place < len(grid) - 1, "a best rate inside the grid", cure="widen it", best=best)


def _scored(
    label_noise: float, epochs: int, seeds: Sequence[int], lrs: Sequence[float], **optimizer: Any
) -> Tuned:
    task = replace(TASKS["noisy digits"], label_noise=label_noise, epochs=epochs)
    splits = task.data().splits(seeds, **task.split)
    sizes: dict[str, Any] = {"steps": task.steps, "batch_size": task.batch_size, "measure_every": task.steps}
    how: dict[str, Any] = {"loss": task.loss, "metric": accuracy, **optimizer}
    sweep = sweep_lrs(task.make_model, splits.train, splits.validation, lrs=lrs, seeds=seeds, **how, **sizes)
    scored: dict[str, Any] = {}
    for name, values in (("accuracy", sweep.last_metric.double()), ("loss", sweep.last_loss.double())):
        scored[name] = values.mean(0).tolist()
        scored[f"{name}_error"] = (values.std(0) / len(seeds) ** 0.5).tolist()
    best = int(torch.tensor(scored["accuracy"]).argmax())
    # a rate at which a run diverged has no loss
    calmest = int(torch.tensor(scored["loss"]).nan_to_num(torch.inf).argmin())
    world: dict[str, Any] = {"label_noise": label_noise, "epochs": epochs, "seeds": len(seeds)}
    return Tuned(lrs[best], lrs[calmest], list(lrs), **scored, **world)
