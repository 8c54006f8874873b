"""Optimizers that a race needs to train all its seeds at once: Muon seed by seed, two as one, an average.

All three take parameters stacked as (S, ...), as `train_seeds` has them, and never mix two seeds.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils.optimizers import Muon, Optimizer
from course_utils.optimizers.base import Group, State


class StackedMuon(Muon):
    """`Muon` on matrices stacked as (S, rows, columns): each of the S is stepped on its own.

    Its steps are `Muon`'s to the bit; `muon_seeds.MuonPerSeed` takes all at once, in the parameters' dtype.

    Args: as `Muon`.
    Raises: ValueError for parameters that are not stacks of matrices.
    """

    elementwise = True  # in the sense of train_seeds: no entry of a step depends on another seed

    def check_parameter(self, p: Tensor) -> None:
        Optimizer.check_parameter(self, p)
        require(p.ndim == 3, "stacks of matrices (S, rows, columns)", shape=tuple(p.shape))

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        for seed in range(len(p)):
            super().update(p[seed], g[seed], {"momentum_buffer": state["momentum_buffer"][seed]}, group)


class Together:
    """Several optimizers, each over its own parameters, stepped as one."""

    elementwise = True

    def __init__(self, *optimizers: torch.optim.Optimizer) -> None:
        self.optimizers = optimizers
        self.param_groups = [group for each in optimizers for group in each.param_groups]

    def step(self) -> None:
        for each in self.optimizers:
            each.step()


class Averaged:
    """An optimizer whose weights are shown as their exponential moving average when they are evaluated.

        x <- p                                 first step
        x <- decay * x + (1 - decay) * p       later steps: `averaging.ExponentialMovingAverage`

    `eval()` puts x into the model, `train()` puts p back, as Schedule-Free does.

    Args: decay: in [0, 1).
    Raises: ValueError if `decay` is out of range.
    """

    elementwise = True

    def __init__(self, optimizer: torch.optim.Optimizer, *, decay: float) -> None:
        require(0 <= decay < 1, "0 <= decay < 1", decay=decay)
        self.optimizer, self.decay = optimizer, decay
        self.param_groups = optimizer.param_groups
        self.average: dict[Tensor, Tensor] = {}
        self.live: dict[Tensor, Tensor] = {}

    @torch.no_grad()
    def step(self) -> None:
        self.optimizer.step()
        for p in self._params():
            if p in self.average:
                self.average[p].lerp_(p, 1 - self.decay)
            else:
                self.average[p] = p.clone()

    @torch.no_grad()
    def eval(self) -> None:
        """Put the average into the model."""
        for p in self._params():
            if p not in self.live and p in self.average:
                self.live[p] = p.clone()
                p.copy_(self.average[p])

    @torch.no_grad()
    def train(self) -> None:
        """Put the weights that are trained back into the model."""
        for p, weights in self.live.items():
            p.copy_(weights)
        self.live.clear()

    def _params(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]
