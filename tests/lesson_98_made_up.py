"""Exercises made up for the engine's tests: small, quick, one for each thing an answer can do."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Quiz, Wrong

HINTS = ("the first hint", "the second hint", "the third hint")


def mean(x: Tensor) -> Tensor:
    return x.sum() / len(x)


def step_(p: Tensor, g: Tensor, lr: float) -> None:
    p.sub_(lr * g)


def step_up_(p: Tensor, g: Tensor, lr: float) -> None:
    p.add_(lr * g)


def scale(x: float) -> float:
    return 3 * x


def noisy(n: int) -> Tensor:
    return torch.randn(n)


def pair(x: Tensor) -> tuple[Tensor, dict[str, float]]:
    return x + 1, {"mean": x.mean().item()}


EXERCISES = (
    Exercise(
        "98.mean",
        title="Mean",
        prompt="Return the mean.",
        kind="core",
        minutes=3,
        inputs=(
            (torch.tensor([1.0, 2.0, 6.0], dtype=torch.float64),),
            (torch.tensor([4.0], dtype=torch.float64),),
        ),
        solution=mean,
        wrong=(Wrong(torch.sum, "This is the sum."), Wrong(torch.median, "This is the median.")),
        hints=HINTS,
        stub='def mean(x):\n    """The mean."""\n    n = len(x)\n    return ...\n',
        note="Sum over n.",
        seconds=1.0,
    ),
    Exercise(
        "98.step_in_place",
        title="Step",
        prompt="Step in place.",
        kind="extra",
        minutes=4,
        inputs=((torch.tensor([1.0]), torch.tensor([2.0]), 0.5),),
        solution=step_,
        wrong=(Wrong(step_up_, "Uphill."),),
        hints=HINTS[:2],
        stub="def step_(p, g, lr):\n    ...\n",
        mutates=True,
    ),
    Exercise(
        "98.scale",
        title="Scale",
        prompt="Three times x.",
        kind="core",
        minutes=2,
        inputs=((0.0,), (1.0,), (2.0,)),
        solution=scale,
        wrong=(),
        hints=HINTS,
        stub="def scale(x):\n    pass\n",
    ),
    Exercise(
        "98.noisy",
        title="Noise",
        prompt="n normal numbers.",
        kind="core",
        minutes=1,
        inputs=((3,), (20,)),
        solution=noisy,
        wrong=(),
        hints=HINTS,
        stub="def noisy(n):\n    ...\n",
    ),
    Exercise(
        "98.pair",
        title="Pair",
        prompt="A pair.",
        kind="core",
        minutes=1,
        inputs=((torch.tensor([1.0, 3.0]),),),
        solution=pair,
        wrong=(),
        hints=HINTS,
        stub="def pair(x):\n    ...\n",
    ),
    Exercise(
        "98.answer",
        title="A value",
        prompt="Six times seven.",
        kind="core",
        minutes=1,
        solution=42.0,
        wrong=(Wrong(13.0, "This is the sum."), Wrong("forty-two", "In digits, please.")),
        hints=HINTS,
        stub="answer = ...\n",
    ),
)

QUIZZES = (
    Quiz(
        "98.which",
        "Is `1 < 2`?",
        (("yes", "As everybody <knows>.", True), ("no", "That is the other way round.", False)),
    ),
)
