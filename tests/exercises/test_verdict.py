"""One verdict: what `check` says of an answer and what `grade` says of it, for every kind of answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from course_utils.exercises.engine import catalogue
from course_utils.exercises.engine.ask import verdict_on
from course_utils.exercises.engine.child import Event
from course_utils.exercises.engine.judge import judge_function
from course_utils.exercises.engine.model import Exercise
from course_utils.exercises.engine.verdict import Verdict
from course_utils.tools.grading import child, judging
from tests import lesson_98_made_up as made_up
from tests.exercises.test_engine import SAYS, STEPS, VALUES, cell
from tests.mutants import mistakes

EXERCISES = {one.id: one for one in made_up.EXERCISES}


@pytest.fixture(autouse=True)
def made_up_lesson(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(catalogue, "PACKAGES", [*catalogue.PACKAGES, "tests"])
    judging._expected.cache_clear()
    judging._known.cache_clear()
    yield
    judging._expected.cache_clear()
    judging._known.cache_clear()


class Line:
    """Stands in for the line of a student's process; what is told goes through JSON as there."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, event: str, **more: Any) -> None:
        self.events.append(json.loads(json.dumps({"event": event, **more})))


def graded(exercise: Exercise, answer: Any) -> Verdict:
    """The verdict as `grade` finds it: from what a student's process says of the answer."""
    line = Line()
    child._Asked(line, {"wanted": [exercise.id], "stopped": []}).check(exercise.id, answer)
    return judging.verdict_of(exercise, line.events[-1])


def plain(verdict: Verdict) -> tuple[str, tuple[str, ...]]:
    """State and reasons, without what only a learner is told: what was printed, and that a hint helps."""
    own = [line for line in verdict.lines if not line.startswith(("It printed: ", 'hint("', 'failing("'))]
    return verdict.state, tuple(own)


ARRAY = "import numpy as np\n    "
MORE = [
    # numbers and arrays of NumPy
    ("98.scale", ARRAY + "return np.float32(3 * x)"),
    ("98.scale", ARRAY + "return np.float64(3 * x)"),
    ("98.scale", ARRAY + "return np.float16(3.1 * x)"),
    ("98.scale", ARRAY + "return np.int64(3 * x)"),
    ("98.scale", ARRAY + "return np.bool_(x)"),
    ("98.scale", ARRAY + "return np.array(3 * x)"),
    ("98.scale", ARRAY + "return np.longdouble(3 * x)"),
    ("98.scale", "return 3j * x"),
    ("98.mean", ARRAY + "return np.float64(x.mean())"),
    ("98.mean", ARRAY + "return x.numpy().mean(keepdims=True)"),
    ("98.pair", ARRAY + "return x + 1, {'mean': np.float32(2)}"),
    ("98.pair", ARRAY + "return x + 1, {np.str_('mean'): 2.0}"),
    # changed arguments, with and without a known mistake
    ("98.mean", "x += 1\n    return x.mean() - 1"),
    ("98.mean", "y = x.sum()\n    x += 1\n    return y"),
    ("98.mean", "y = x.median()\n    x.zero_()\n    return y"),
    ("98.mean", "x.zero_()\n    return x.mean()"),
    ("98.mean", "x.resize_(0)\n    return 0"),
    ("98.step_in_place", "p -= lr * g; return p"),
    # exceptions, of Python's, of torch's, of the answer's own
    ("98.mean", "class Odd(Exception): pass\n    raise Odd('why')"),
    ("98.mean", "class Mute(Exception):\n        def __str__(self): raise ValueError\n    raise Mute"),
    ("98.mean", "torch.linalg.inv(torch.zeros(2, 2))"),
    ("98.mean", "raise KeyboardInterrupt"),
    ("98.mean", "return x.sum() if len(x) == 3 else 1 // 0"),
    # what has no value to compare
    ("98.mean", "return lambda: x.mean()"),
    ("98.mean", "return (one for one in x)"),
    ("98.mean", "return torch.Tensor"),
    ("98.mean", "return torch.nn.Linear(1, 1)"),
    ("98.mean", "return x.mean().to_sparse()"),
    ("98.mean", "return x.mean().requires_grad_() * 1"),
    ("98.scale", "return x if x else ..."),
    ("98.scale", "return '3.0'"),
    ("98.scale", "return float('inf')"),
]  # fmt: skip
FUNCTIONS = [
    *[(id, body) for id, body, _ in SAYS],
    *[("98.step_in_place", body) for body, _ in STEPS],
    *MORE,
]


def check_functions(judged: Any) -> None:
    for id, body in FUNCTIONS:
        arguments = "p, g, lr" if id == "98.step_in_place" else "x"
        answer = cell(f"def answer({arguments}):\n    {body}\n")
        checked = judge_function(EXERCISES[id], answer, code=answer.__code__)
        assert plain(judged(EXERCISES[id], answer)) == plain(checked), (id, body)


def test_check_and_grade_agree_on_functions() -> None:
    check_functions(graded)


@pytest.mark.parametrize(("id", "body"), MORE)
def test_the_process_of_check_says_the_same(id: str, body: str) -> None:
    """By the way that a learner's answer takes: pickled, tried in the child, told as lines."""
    arguments = "p, g, lr" if id == "98.step_in_place" else "x"
    answer = cell(f"def answer({arguments}):\n    {body}\n")
    assert plain(verdict_on(EXERCISES[id], answer)) == plain(graded(EXERCISES[id], answer))


OTHER_VALUES = [
    np.float32(42.0), np.float64(42.0), np.float32(13.0), np.int64(42), np.array(42.0), np.str_("Forty-two"),
    42 + 0j, torch.float32, int, object(), [42.0], b"42", torch.nn.Linear(1, 1),
]  # fmt: skip


def named(value: object) -> str:
    """The value as written, without where it lies in memory."""
    return re.sub(r" at 0x\w+", "", repr(value))


@pytest.mark.parametrize("value", [*[value for value, _ in VALUES], *OTHER_VALUES], ids=named)
def test_check_and_grade_agree_on_values(value: Any) -> None:
    exercise = EXERCISES["98.answer"]
    assert plain(graded(exercise, value)) == plain(verdict_on(exercise, value))


@pytest.mark.parametrize("value", [0, None, torch.tensor(1.0), "mean", ..., torch.sum, int, len], ids=named)
def test_check_and_grade_agree_where_a_function_is_asked_for(value: Any) -> None:
    exercise = EXERCISES["98.mean"]
    assert plain(graded(exercise, value)) == plain(verdict_on(exercise, value))


def test_a_list_that_holds_itself_stops_nothing() -> None:
    endless = cell("def answer(x):\n    y = []\n    y.append(y)\n    return y\n")
    assert graded(EXERCISES["98.mean"], endless).state == "raised"
    assert verdict_on(EXERCISES["98.mean"], endless).state == "raised"


@pytest.mark.parametrize("answer", [np.float32(42), np.float64(42), 42, 42.0])
def test_a_number_of_numpy_is_a_number(answer: Any) -> None:
    assert verdict_on(EXERCISES["98.answer"], answer).state == "correct"


def test_the_copy_that_is_advised_is_one_that_there_is() -> None:
    answer = cell("def answer(x):\n    y = x.mean()\n    x += 1\n    return y\n")
    assert "`.clone()`" in judge_function(EXERCISES["98.mean"], answer).lines[0]

    def flat(x: Any) -> Any:
        return x.ravel()

    def changes(x: Any) -> Any:
        y = x.ravel().copy()
        x += 1
        return y

    arrays = Exercise(
        "98.flat", title="Flat", prompt="Flat.", kind="core", minutes=1, solution=flat, wrong=(),
        hints=("a", "b"), stub="def flat(x):\n    ...\n", inputs=((np.zeros((2, 3)),),),
    )  # fmt: skip
    assert judge_function(arrays, flat).state == "correct"
    assert "`.copy()`" in judge_function(arrays, changes).lines[0]
    assert judge_function(arrays, lambda x: x.ravel() + 1).state == "wrong"


def test_a_missing_return_is_asked_for_only_where_none_is_no_answer() -> None:
    def first_above(limit: float) -> int | None:
        return next((k for k in range(3) if k > limit), None)

    def said(inputs: Any) -> str:
        exercise = Exercise(
            "98.first_above", title="First", prompt="First.", kind="core", minutes=1, solution=first_above,
            wrong=(), hints=("a", "b"), stub="def first_above(limit):\n    ...\n", inputs=inputs,
        )  # fmt: skip
        verdict = judge_function(exercise, lambda limit: None)
        assert verdict.state == "wrong"
        return f"{verdict.lines} {verdict.facts}"

    assert said(((0.5,), (1.5,))).count("got None: is a `return` missing?") == 1
    assert "`return`" not in said(((0.5,), (9.0,)))
    assert "`return`" not in said(((9.0,), (0.5,)))


@pytest.mark.parametrize("id", ["02.choose_rate", "17.smallest_rate"])
def test_no_return_is_missed_in_an_exercise_that_may_be_answered_with_none(id: str) -> None:
    (exercise,) = [one for one in catalogue.load(id[:2]).EXERCISES if one.id == id]
    answer = cell("def answer(*given):\n    none = dict(given=given).get('other')\n    return none\n")
    verdict = judge_function(exercise, answer, code=answer.__code__)
    assert verdict.state == "wrong"
    assert plain(graded(exercise, answer)) == plain(verdict)
    assert "`return`" not in f"{verdict.lines} {verdict.facts}"


def check_functions_with(changed: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "encode_outcome", changed.encode_outcome)
        patch.setattr(judging, "decode_outcome", changed.decode_outcome)
        check_functions(graded)


test_a_difference_would_be_noticed = mistakes(
    "course_utils.tools.grading.values",
    [
        ('{"float": float(value).hex()}', '{"float": (2 * value).hex()}'),
        ('"called": value.called', '"called": False'),
        ("tuple(map(str, lines))", "()"),
    ],
    check=check_functions_with,
)
