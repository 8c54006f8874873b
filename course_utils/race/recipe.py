"""What enters a race: a task, recipes for it, the ranges that settings are drawn from, and one training.

task = Task("digits", data.digits, lambda: net(64), train=500, validation=300, epochs=20)
recipe = Recipe("Adam", {"lr": LogUniform(1e-4, 1e-1)},
                lambda s, steps: {"optimizer": lambda p: Adam(p, lr=s["lr"])})
measure(task, recipe, {"lr": 1e-2}, seeds=range(8), part="validation")      # 8 accuracies
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils._checks import require
from course_utils.data import Dataset
from course_utils.seeds import train_seeds
from course_utils.seeds.stacked import Loss, per_seed
from course_utils.training import accuracy

Settings = dict[str, Any]


class Range(Protocol):
    """Where a setting is drawn from."""

    def draw(self, u: float) -> Any:
        """The value at the share u, in [0, 1), of the range."""


@dataclass(frozen=True)
class LogUniform:
    """Every factor is as likely: low * (high / low)**u. For rates and strengths."""

    low: float
    high: float

    def __post_init__(self) -> None:
        require(0 < self.low <= self.high, "0 < low <= high", low=self.low, high=self.high)

    def draw(self, u: float) -> float:
        return float(self.low * (self.high / self.low) ** u)


@dataclass(frozen=True)
class Uniform:
    """Every value is as likely: low + (high - low) * u. For shares and probabilities."""

    low: float
    high: float

    def __post_init__(self) -> None:
        require(self.low <= self.high, "low <= high", low=self.low, high=self.high)

    def draw(self, u: float) -> float:
        return self.low + (self.high - self.low) * u


@dataclass(frozen=True)
class Choice:
    """One of a few values, each as likely."""

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        require(len(self.values) > 0, "a value to choose", values=self.values)

    def draw(self, u: float) -> Any:
        return self.values[int(u * len(self.values))]


@dataclass(frozen=True)
class Task:
    """What is raced on: data, a model, and how long a training is.

    Args:
        name: what it is called in stores and figures.
        data: () -> the data set; called where the training runs.
        make_model: () -> a model for it; a recipe may bring its own.
        train, validation, label_noise, flat: as for `Dataset.split`.
        epochs, batch_size: so that every trial of every recipe takes the same number of steps.
        loss: (prediction, target) -> mean loss of a batch.
        metric: (prediction, target) -> score, larger is better; None takes minus the loss.
    Raises: ValueError for a number below 1.
    """

    name: str
    data: Callable[[], Dataset]
    make_model: Callable[[], nn.Module]
    train: int
    validation: int
    epochs: int
    label_noise: float = 0.0
    batch_size: int = 32
    flat: bool = True
    loss: Loss = F.cross_entropy
    metric: Callable[[Tensor, Tensor], Tensor] | None = accuracy

    def __post_init__(self) -> None:
        for name in ("train", "validation", "epochs", "batch_size"):
            require(getattr(self, name) >= 1, f"{name} >= 1", **{name: getattr(self, name)})

    @property
    def steps(self) -> int:
        """Optimizer steps of one training."""
        return self.epochs * -(-self.train // self.batch_size)

    @property
    def split(self) -> dict[str, Any]:
        """The arguments of `Dataset.split`."""
        return {name: getattr(self, name) for name in ("train", "validation", "label_noise", "flat")}


@dataclass(frozen=True)
class Recipe:
    """One entry of a race: a name, what is tuned, and how a setting becomes a training.

        Recipe("AdamW", {"lr": LogUniform(1e-4, 1e-1), "decay": LogUniform(1e-3, 1)},
               lambda s, steps: {"optimizer": lambda p: AdamW(p, lr=s["lr"], weight_decay=s["decay"])})

    Args:
        name: unique in its race. It seeds the draws; a recipe that you change needs another name.
        space: setting -> the range that it is drawn from.
        options: (settings, steps) -> arguments of `train_seeds`: `optimizer`, and as the recipe needs them
            `make_model loss schedule penalty augment clip_norm averages patience measure_every`, and `steps`
            where its steps cost more than others'. Where there is an average, the first of them is scored.
        family: what kind of technique it is, for tables and figures.
    """

    name: str
    space: Mapping[str, Range]
    options: Callable[[Settings, int], dict[str, Any]]
    family: str = ""

    def settings(self, trial: int, seed: int = 0) -> Settings:
        """What trial number `trial` tries: the same on every machine, whatever ran before."""
        draws = random.Random(f"{seed}/{self.name}/{trial}")
        return {name: where.draw(draws.random()) for name, where in self.space.items()}


def measure(task: Task, recipe: Recipe, settings: Settings, seeds: Sequence[int], part: str) -> Tensor:
    """Train one setting with each seed; the scores (S,), float64.

    Args:
        part: the examples that are scored, "validation" to choose, "test" to report.
    Raises: ValueError where the recipe gives no optimizer.
    """
    return score(task, recipe, settings, seeds, part)[0]


def score(
    task: Task, recipe: Recipe, settings: Settings, seeds: Sequence[int], part: str
) -> tuple[Tensor, Tensor]:
    """As `measure`, with the score of each test example beside it: (S,) and (N,), the mean over seeds.

    The test examples are the same ones for every seed. On validation examples, which each seed draws anew,
    and for a metric other than accuracy or the loss, the second is empty.
    """
    require(part in ("validation", "test"), 'part="validation" or "test"', part=part)
    options = {"make_model": task.make_model, "loss": task.loss, **recipe.options(settings, task.steps)}
    require("optimizer" in options, "an optimizer among a recipe's options", recipe=recipe.name)
    splits = task.data().splits(seeds, **task.split)
    watched = splits.validation if "patience" in options else None
    sizes: dict[str, Any] = {"steps": task.steps, "batch_size": task.batch_size, "seeds": seeds}
    runs = train_seeds(train=splits.train, validation=watched, **{**sizes, **options})
    x = getattr(splits, part)
    averages = list(options.get("averages", ()))
    prediction = runs.predict_kept(averages[0], x)[-1] if averages else runs.predict(x)

    def scored(outputs: Tensor, targets: Tensor) -> Tensor:
        values = task.metric(outputs, targets) if task.metric else -per_seed(task.loss, outputs, targets)
        return values.double()

    if part == "validation" or task.metric not in (accuracy, None):
        return scored(prediction, x.y), torch.empty(0)
    # with the axes swapped, the mean is over seeds
    return scored(prediction, x.y), scored(prediction.transpose(0, 1), x.y.mT)
