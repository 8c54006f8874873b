"""How many steps does each step size take? Many rates and many seeds in one vectorised run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from course_utils._checks import require
from course_utils.data import Stacked
from course_utils.optimizers.base import Group, Optimizer, State, at_least_zero
from course_utils.seeds.stacked import Loss
from course_utils.seeds.train import train_seeds


class RatePerRun(Optimizer):
    """Plain SGD on stacked parameters (S, ...), with a step size of its own for each of the S runs.

        p[s] <- p[s] - rates[s] * g[s]

    Args: rates: (S,), >= 0.
    Raises: ValueError if a rate is negative.
    """

    def __init__(self, params: list[Tensor], rates: Tensor) -> None:
        require(bool((rates >= 0).all()), "rates >= 0", lowest=float(rates.min()))
        self.rates = rates
        super().__init__(params, {"lr": 1.0})  # what a schedule multiplies

    def check(self, group: Group) -> None:
        at_least_zero(group, "lr")

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        rates = self.rates.to(p).view(-1, *[1] * (p.ndim - 1))
        p.sub_(rates * g, alpha=group["lr"])


def steps_to_loss(
    make_model: Callable[[], nn.Module],
    train: Stacked,
    *,
    loss: Loss,
    target: float,
    rates: Sequence[float],
    seeds: Sequence[int],
    batch_size: int | None,
    most: int,
    measure_every: int,
) -> Tensor:
    """Steps of plain SGD until the loss over all training examples is at most `target`.

    Args:
        train: examples of their own for every seed.
        rates: R step sizes; with each of them every seed has the same split, weights and batches.
        most: steps of each run; a run that has not arrived by then counts as `most`.
        measure_every: steps between measurements: the result is a multiple of it (or `most`).
    Returns: (S, R), float64.
    """
    count = len(rates)
    repeated = Stacked(*(part.repeat_interleave(count, 0) for part in train))
    each = torch.as_tensor(rates).repeat(len(seeds))
    runs = train_seeds(
        make_model,
        repeated,
        repeated,
        optimizer=lambda params: RatePerRun(params, each),
        loss=loss,
        steps=most,
        seeds=[seed for seed in seeds for _ in rates],
        batch_size=batch_size,
        measure_every=measure_every,
    )
    arrived = runs.validation_loss <= target  # NaN is not
    steps = torch.tensor(runs.steps, dtype=torch.float64)
    first = torch.where(arrived.any(1), steps[arrived.long().argmax(1)], float(most))
    return first.view(len(seeds), count)
