"""Averaged weights beside a run over many seeds, and copies of them and of the live ones as it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils._checks import require


class AveragedWeights(Protocol):
    """What `ExponentialMovingAverage` and `StochasticWeightAverage` have in common."""

    def update(self, model: nn.Module) -> None: ...

    def parameters(self) -> Any: ...


@dataclass(frozen=True)
class Average:
    """One average beside a run: `make(model)` builds it, and it takes the weights of some steps.

        Average(partial(ExponentialMovingAverage, decay=0.98))
        Average(StochasticWeightAverage, start=200, every=16)

    Args:
        make: module -> average.
        start: the first step (counted from 1) whose weights are taken, >= 1.
        every: steps from one to the next, >= 1.
    Raises: ValueError for numbers out of range.
    """

    make: Callable[[nn.Module], AveragedWeights]
    start: int = 1
    every: int = 1

    def __post_init__(self) -> None:
        for name in ("start", "every"):
            require(getattr(self, name) >= 1, f"{name} >= 1", **{name: getattr(self, name)})

    def takes(self, step: int) -> bool:
        return step >= self.start and (step - self.start) % self.every == 0


class Snapshots:
    """Copies of the weights of a run, live and averaged, one at each measurement.

    All seeds' weights are stacked, and an average is taken entry by entry, so that the average of the stack
    is the stack of the averages.

    Args:
        parameters: stacked tensors (S, ...), which the run changes in place.
        averages: name -> `Average`; "live" is the name of the weights themselves.

    Attributes:
        steps: name -> the steps at which its weights were kept; of an average none before its start.
        weights: name -> at each of these steps a tensor (S, ...) per parameter.
    Raises: ValueError for an average called "live".
    """

    def __init__(self, parameters: list[Tensor], averages: Mapping[str, Average]) -> None:
        require("live" not in averages, 'a name other than "live" for an average')
        # the tensors themselves, no copies
        self.live = nn.ParameterList(parameters)
        self.averages = {name: (average, average.make(self.live)) for name, average in averages.items()}
        self.steps: dict[str, list[int]] = {name: [] for name in ("live", *averages)}
        self.weights: dict[str, list[list[Tensor]]] = {name: [] for name in self.steps}

    def follow(self, step: int) -> None:
        """Let the averages take the weights after this step."""
        for average, weights in self.averages.values():
            if average.takes(step):
                weights.update(self.live)

    def keep(self, step: int) -> None:
        """Copy the weights, live and averaged."""
        self._keep("live", self.live, step)
        for name, (average, weights) in self.averages.items():
            if step >= average.start:
                self._keep(name, weights, step)

    def _keep(self, name: str, weights: Any, step: int) -> None:
        self.steps[name].append(step)
        self.weights[name].append([p.detach().clone() for p in weights.parameters()])


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
