"""At which step sizes does a net train? Many rates and many seeds in one vectorised run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils._checks import require
from course_utils.data import Splits, Stacked
from course_utils.optimizers.base import Group, State
from course_utils.seeds.rates import RatePerRun
from course_utils.seeds.stacked import Loss
from course_utils.seeds.train import train_seeds
from course_utils.training import accuracy


class Sweep(NamedTuple):
    """Validation accuracy and loss (S, R) after the last step, and the parameters then, each (S, R, ...)."""

    accuracy: Tensor
    loss: Tensor
    parameters: dict[str, Tensor]


class _OneRateForTheRest(RatePerRun):
    """`RatePerRun` for the parameters that `swept` marks, and one fixed rate for the others."""

    def __init__(self, params: list[Tensor], rates: Tensor, swept: list[bool], otherwise: float) -> None:
        super().__init__(params, rates)
        self.otherwise = otherwise
        self.fixed = {id(p) for p, marked in zip(params, swept, strict=True) if not marked}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        if id(p) in self.fixed:
            p.sub_(g, alpha=group["lr"] * self.otherwise)
        else:
            super().update(p, g, state, group)


def sweep_rates(
    make_model: Callable[[], nn.Module],
    split: Splits,
    *,
    rates: Sequence[float],
    seeds: Sequence[int],
    steps: int,
    batch_size: int | None = 32,
    loss: Loss = F.cross_entropy,
    only: Sequence[str] | None = None,
    otherwise: float = 0.1,
) -> Sweep:
    """Train a classifier with plain SGD at each of R rates, for each of S seeds.

    Args:
        split: examples of their own for every seed.
        rates: with each of them a seed has the same split, weights and batches. A run that diverges goes on,
            with the accuracy of a net that does not know.
        only: names of the parameters that get the rates; all of them by default.
        otherwise: rate of the parameters that `only` leaves out.
    Raises: ValueError where `only` names no parameter of the model.
    """
    names = [name for name, p in make_model().named_parameters()]
    unknown = sorted(set(only or ()) - set(names))
    require(not unknown, f"names among {', '.join(names)}", only=unknown)
    count = len(rates)
    each = torch.as_tensor(rates, dtype=torch.float64).repeat(len(seeds))
    swept = [only is None or name in only for name in names]
    train, validation = (
        Stacked(*(part.repeat_interleave(count, 0) for part in examples))
        for examples in (split.train, split.validation)
    )
    runs = train_seeds(
        make_model,
        train,
        validation,
        optimizer=lambda params: _OneRateForTheRest(params, each, swept, otherwise),
        loss=loss,
        metric=accuracy,
        steps=steps,
        seeds=[seed for seed in seeds for _ in rates],
        batch_size=batch_size,
    )
    grid = (len(seeds), count)
    return Sweep(
        runs.validation_metric[:, -1].double().view(grid),
        runs.validation_loss[:, -1].double().view(grid),
        {name: p.detach().unflatten(0, grid) for name, p in runs.nets.parameters.items()},
    )


def largest_rate(sweep: Sweep, rates: Sequence[float], *, at_least: float) -> Tensor:
    """The largest rate at which each seed reaches an accuracy of `at_least`, (S,); 0 where none does."""
    reached = sweep.accuracy >= at_least  # NaN does not
    return (torch.as_tensor(rates, dtype=torch.float64) * reached).amax(1)
