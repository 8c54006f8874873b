"""Weights of a run over many seeds, as it goes: the live ones, averages of them, and what they predict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils._checks import require
from course_utils.data import Stacked
from course_utils.seeds.train import SeedRuns


class AveragedWeights(Protocol):
    """What `ExponentialMovingAverage` and `StochasticWeightAverage` have in common."""

    def update(self, model: nn.Module) -> None: ...

    def parameters(self) -> Any: ...


@dataclass(frozen=True)
class Average:
    """One average beside a run: `make(model)` builds it, and it takes the weights of some steps.

    Args:
        make: module -> average, as `StochasticWeightAverage`.
        start: the first step (counted from 1) whose weights are taken, >= 1.
        every: steps from one to the next, >= 1.
    """

    make: Callable[[nn.Module], AveragedWeights]
    start: int = 1
    every: int = 1

    def takes(self, step: int) -> bool:
        return step >= self.start and (step - self.start) % self.every == 0


class WeightWatch:
    """An optimizer for `train_seeds` that also keeps weights: every `every` steps, live and averaged.

    All seeds' weights are stacked, and an average is taken entry by entry, so that the average of the stack
    is the stack of the averages.

        swa = Average(StochasticWeightAverage, start=200)
        watch = WeightWatch(lambda p: SGD(p, lr=0.1), every=10, averages={"swa": swa})
        runs = train_seeds(make, train, optimizer=watch, ...)
        watch.predict(runs, "swa", images)  # (K, S, N, C)

    Args:
        optimizer: stacked parameters -> optimizer, as for `train_seeds`.
        every: steps from one copy of the weights to the next, >= 1. Steps after the last copy are lost.
        averages: name -> `Average`; "live" is the name of the weights themselves.

    Attributes:
        steps: name -> the steps at which its weights were kept; of an average none before its start.
    Raises: ValueError for numbers out of range, or an average called "live".
    """

    def __init__(
        self,
        optimizer: Callable[[list[Tensor]], Optimizer],
        *,
        every: int,
        averages: Mapping[str, Average] | None = None,
    ) -> None:
        self.optimizer, self.every, self.averages = optimizer, every, dict(averages or {})
        require(every >= 1, "every >= 1", every=every)
        require("live" not in self.averages, 'a name other than "live" for an average')
        for name, average in self.averages.items():
            require(average.start >= 1 and average.every >= 1, f"start >= 1 and every >= 1 for {name}")

    def __call__(self, parameters: list[Tensor]) -> Optimizer:
        """Build the optimizer and begin to watch it; what an earlier run left is forgotten."""
        rule = self.optimizer(parameters)
        live = nn.ParameterList(parameters)  # the tensors themselves, no copies
        kept: dict[str, AveragedWeights] = {name: one.make(live) for name, one in self.averages.items()}
        names = ("live", *self.averages)
        self.steps: dict[str, list[int]] = {name: [] for name in names}
        self.weights: dict[str, list[list[Tensor]]] = {name: [] for name in names}
        done = 0

        def after_step(*_: Any) -> None:
            nonlocal done
            done += 1
            for name, average in self.averages.items():
                if average.takes(done):
                    kept[name].update(live)
            if done % self.every == 0:
                self._keep("live", parameters, done)
                for name, average in self.averages.items():
                    if done >= average.start:
                        self._keep(name, list(kept[name].parameters()), done)

        rule.register_step_post_hook(after_step)
        return rule

    def _keep(self, name: str, weights: list[Tensor], step: int) -> None:
        self.steps[name].append(step)
        self.weights[name].append([p.detach().clone() for p in weights])

    def predict(self, runs: SeedRuns, name: str, x: Tensor | Stacked) -> Tensor:
        """Outputs in eval mode, (K, S, N, ...), with the weights kept under `name` at its K steps.

        `runs` has its own weights back afterwards. Buffers are those of the end of the run.
        """
        own = [p.detach().clone() for p in runs.nets.parameters.values()]
        outputs = []
        for weights in self.weights[name]:
            load(runs, weights)
            outputs.append(runs.predict(x))
        load(runs, own)
        return torch.stack(outputs)


@torch.no_grad()
def load(runs: SeedRuns, weights: list[Tensor]) -> None:
    """Give the nets of `runs` these weights, one stacked tensor (S, ...) per parameter."""
    for p, new in zip(runs.nets.parameters.values(), weights, strict=True):
        p.copy_(new)


def per_example(outputs: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Which examples are right (1.0 or 0.0) and their cross-entropies, seeds first.

    Args:
        outputs: logits (K, S, N, C).
        y: classes (S, N).
    Returns: (S, K, N) each.
    """
    right = (outputs.argmax(-1) == y).to(outputs.dtype)
    losses = torch.stack([F.cross_entropy(one.mT, y, reduction="none") for one in outputs])
    return right.transpose(0, 1), losses.transpose(0, 1)


def patient_stop(values: Tensor, patience: int) -> tuple[Tensor, Tensor]:
    """Where early stopping would have ended each of S recorded runs, and what it would have kept.

    Args:
        values: validation losses (S, K); a run that never stops ends at its last.
        patience: measurements in a row without a new lowest value that stop a run, >= 1.
    Returns: the measurements of the stop and of the best before it, (S,) each, counted from 0.
    """
    require(patience >= 1 and values.ndim == 2, "patience >= 1 and values (S, K)", patience=patience)
    position = torch.arange(values.shape[1]).expand_as(values)
    lowest = values.cummin(1).values
    new = torch.cat([torch.ones_like(values[:, :1], dtype=torch.bool), values[:, 1:] < lowest[:, :-1]], 1)
    best = torch.where(new, position, 0).cummax(1).values  # the last new lowest value so far
    waited = position - best >= patience
    stop = torch.where(waited.any(1), waited.int().argmax(1), values.shape[1] - 1)
    return stop, best.gather(1, stop[:, None])[:, 0]
