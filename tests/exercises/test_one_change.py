"""Is a solution with one small change in it refused by `check`? A sample of the changes; each night all.

What is not told from the solution stands in `equivalent_changes.toml` with the reason, or it is a gap in the
exercise's inputs.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from course_utils.exercises.engine.catalogue import lessons, load
from course_utils.exercises.engine.model import Exercise, Wrong
from tests import lesson_98_made_up as made_up
from tests.exercises.one_change import changes, misdiagnosed, survivors

EXERCISES = {one.id: one for lesson in lessons() for one in load(lesson).EXERCISES if one.asks_for_function}
ARGUED: dict[str, dict[str, str]] = tomllib.loads(
    Path(__file__).with_name("equivalent_changes.toml").read_text(encoding="utf-8")
)
ALL = bool(os.environ.get("EVERY_CHANGE"))


@pytest.mark.parametrize("id", EXERCISES)
def test_a_changed_solution_is_refused(id: str) -> None:
    found = set(survivors(EXERCISES[id], every=1 if ALL else 6))
    argued = set(ARGUED.get(id, {}))
    assert found <= argued, "add an input that tells them from the solution, or argue that nothing can"
    if ALL:
        assert argued <= found, "these are refused by now: take them out of the table"


@pytest.mark.skipif(not ALL, reason="each night: make answers")
@pytest.mark.parametrize("id", EXERCISES)
def test_a_diagnosis_is_true_nearby(id: str) -> None:
    argued = ARGUED.get(f"{id} misnamed", {})
    assert set(misdiagnosed(EXERCISES[id])) == set(argued)


def test_every_argument_is_about_an_exercise_and_says_why() -> None:
    assert {id.removesuffix(" misnamed") for id in ARGUED} <= set(EXERCISES)
    assert all(len(why) > 10 for table in ARGUED.values() for why in table.values())


def made(**changed: object) -> Exercise:
    fields = {"id": "98.scale", "wrong": made_up.EXERCISES[0].wrong}
    return replace(made_up.EXERCISES[2], **fields | changed)


def test_changes_are_found_and_told_apart() -> None:
    assert {words for words, _ in changes(made_up.scale)} == {
        "return 3 * x -> return 3 / x", "return 3 * x -> return 3", "return 3 * x -> return x",
        "return 3 * x -> return 4 * x", "return 3 * x -> return 2 * x",
    }  # fmt: skip
    assert list(survivors(made(inputs=((1.0,), (2.0,))))) == []
    # one input at 1 and nothing else cannot tell 3 * x from 3 / x and from 3
    assert list(survivors(made(inputs=((1.0,),)))) == [
        "return 3 * x -> return 3 / x", "return 3 * x -> return 3"
    ]  # fmt: skip


def test_a_change_without_an_end_is_refused() -> None:
    def endless(x: float) -> float:
        while x < 10:
            x += 1
        return x

    assert list(survivors(made(inputs=((0.0,), (9.5,), (10.0,)), solution=endless))) == []


def test_a_false_diagnosis_is_found() -> None:
    def doubled(x: float) -> float:
        return 2 * x

    def square(x: float) -> float:
        return x * x

    known = Wrong(doubled, "doubled"), Wrong(square, "squared")
    # at 2 the change 2 * x is a square as well as a double
    one, two = made(inputs=((2.0,),), wrong=known[1:]), made(inputs=((2.0,),), wrong=known[:1])
    assert list(misdiagnosed(one)) == ["return 3 * x -> return 2 * x   gets: squared"]
    assert list(misdiagnosed(two)) == []
