"""What a function does on an exercise's inputs, recorded so that two functions can be compared."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

from course_utils._checks import loaded_torch
from course_utils.exercises.engine.compare import Difference, Opaque, difference, snapshot
from course_utils.exercises.engine.explain import explain
from course_utils.exercises.engine.model import Exercise, Inputs


@dataclass(frozen=True)
class Raised:
    """What a call raised: the exception's full name, and the lines that explain it."""

    name: str  # builtins.ValueError
    lines: tuple[str, ...] = ()

    @property
    def short(self) -> str:
        return self.name.rpartition(".")[2]


@dataclass(frozen=True)
class Outcome:
    """One call: what it returned or raised, and its arguments afterwards, all of it as plain values."""

    value: Any
    arguments: Any
    error: Raised | None = None


def outcomes(
    exercise: Exercise,
    function: Any,
    before_call: Callable[[int], None] = lambda _: None,
    *,
    code: CodeType | None = None,
) -> list[Outcome]:
    """What `function` does on each input: fresh arguments, the same seeds and settings before every call.

    torch's default dtype is the one that is set when this is called, whatever a call makes of it.

    Args:
        before_call: given the number of the input, from 0, before the function runs on it.
        code: the function's code object, to find its lines in a traceback.
    """
    results, dtype = [], default_dtype()
    for i, arguments in enumerate(build_inputs(exercise)):
        before_call(i)
        _reset(dtype)
        value, error = None, None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = snapshot(function(*arguments))
        except BaseException as raised:  # SystemExit and KeyboardInterrupt of the answer's own making too
            kind = type(raised)
            error = Raised(f"{kind.__module__}.{kind.__qualname__}", tuple(explain(raised, code)))
        finally:
            _reset(dtype)
        results.append(Outcome(value, _afterwards(arguments, grads=exercise.mutates), error))
    return results


def build_inputs(exercise: Exercise) -> Inputs:
    """The exercise's argument tuples, made anew; the random generators are left where they were."""
    with generators_kept():
        _seed()
        return exercise.inputs() if callable(exercise.inputs) else copy.deepcopy(exercise.inputs)


def same(exercise: Exercise, one: list[Outcome], other: list[Outcome], *, strict: bool = True) -> bool:
    """Whether two functions did the same on every input."""
    return all(agrees(exercise, a, b, strict=strict) for a, b in zip(one, other, strict=True))


def agrees(exercise: Exercise, expected: Outcome, got: Outcome, *, strict: bool = True) -> bool:
    """Whether one call did the same; not `strict` leaves out what became of the arguments."""
    names = [None if one.error is None else one.error.name for one in (expected, got)]
    if names[0] != names[1] or differs(exercise, expected.value, got.value):
        return False
    return not strict or not differs(exercise, expected.arguments, got.arguments)


def differs(exercise: Exercise, expected: Any, got: Any) -> Difference | None:
    """The first difference of two results beyond the exercise's tolerances."""
    return difference(expected, got, rtol=exercise.rtol, atol=exercise.atol)


def import_torch() -> None:
    """Load torch where it is installed, with one thread, before the time of answers counts."""
    if importlib.util.find_spec("torch"):
        import torch
        import torch._dynamo  # which torch itself loads at the first step of a training loop: 2 seconds

        torch.set_num_threads(1)


def default_dtype() -> str:
    """The name of torch's default dtype, "" where torch is not loaded."""
    torch = loaded_torch()
    return str(torch.get_default_dtype()).removeprefix("torch.") if torch else ""


def set_default_dtype(name: str) -> None:
    """Set torch's default dtype by its name; "" leaves it."""
    if name and (torch := loaded_torch()):
        torch.set_default_dtype(getattr(torch, name))


def _afterwards(arguments: tuple[Any, ...], *, grads: bool) -> Any:
    try:
        return snapshot(arguments, grads=grads)
    except RecursionError:  # an answer has put a list into itself
        return tuple(Opaque("endless list") for _ in arguments)


@contextlib.contextmanager
def generators_kept() -> Iterator[None]:
    """Python's, NumPy's and torch's global generators come back to where they were."""
    torch, numpy = loaded_torch(), sys.modules.get("numpy")
    before = random.getstate(), numpy and numpy.random.get_state(), torch and torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        if numpy:
            numpy.random.set_state(before[1])
        if torch:
            torch.set_rng_state(before[2])


def _seed() -> None:
    random.seed(0)
    if torch := loaded_torch():
        torch.manual_seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)


def _reset(dtype: str) -> None:
    """The settings and generators that an answer may have changed, as every call finds them."""
    set_default_dtype(dtype)
    if torch := loaded_torch():
        torch.set_grad_enabled(True)
    _seed()
