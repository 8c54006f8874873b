"""What a function does on an exercise's inputs, recorded so that two functions can be compared."""

from __future__ import annotations

import copy
import random
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from course_utils.exercises.engine.compare import Difference, difference, snapshot
from course_utils.exercises.engine.model import Exercise, Inputs


@dataclass(frozen=True)
class Outcome:
    """One call: what it returned or raised, and its arguments afterwards."""

    value: Any
    arguments: Any
    error: BaseException | None = None


def outcomes(
    exercise: Exercise, function: Any, before_call: Callable[[int], None] = lambda _: None
) -> list[Outcome]:
    """What `function` does on each input: fresh arguments, the same seeds and settings before every call."""
    results = []
    for i, arguments in enumerate(build_inputs(exercise)):
        before_call(i)
        _reset_torch()
        value, error = None, None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = snapshot(function(*arguments))
        except BaseException as raised:  # SystemExit and KeyboardInterrupt of the answer's own making too
            error = raised
        finally:
            _reset_torch()
        results.append(Outcome(value, snapshot(arguments, grads=exercise.mutates), error))
    return results


def build_inputs(exercise: Exercise) -> Inputs:
    """The exercise's argument tuples, made anew."""
    random.seed(0)
    torch.manual_seed(0)
    return exercise.inputs() if callable(exercise.inputs) else copy.deepcopy(exercise.inputs)


def same(exercise: Exercise, one: list[Outcome], other: list[Outcome], *, strict: bool = True) -> bool:
    """Whether two functions did the same on every input."""
    return all(agrees(exercise, a, b, strict=strict) for a, b in zip(one, other, strict=True))


def agrees(exercise: Exercise, expected: Outcome, got: Outcome, *, strict: bool = True) -> bool:
    """Whether one call did the same; not `strict` leaves out what became of the arguments."""
    if type(expected.error) is not type(got.error) or differs(exercise, expected.value, got.value):
        return False
    return not strict or not differs(exercise, expected.arguments, got.arguments)


def differs(exercise: Exercise, expected: Any, got: Any) -> Difference | None:
    """The first difference of two results beyond the exercise's tolerances."""
    return difference(expected, got, rtol=exercise.rtol, atol=exercise.atol)


def _reset_torch() -> None:
    """The settings and generators that an answer may have changed, as every call finds them."""
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    random.seed(0)
    torch.manual_seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
