"""The helper for planted mistakes: it passes where the check notices, and fails where it does not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mutants import mistakes, mutant

NAME = "course_utils.early_stopping"
SAME = ("since_best <- since_best + 1", "since_best <- 1 + since_best")
WORSE = ("value < self.best_value", "value > self.best_value")


def check_count(patience: Any) -> None:
    rule = patience(2)
    assert [rule.count(value) for value in (3.0, 1.0, 2.0, 1.0)] == [True, True, False, False]


def check_refused(patience: Any) -> None:
    with pytest.raises(ValueError, match="patience"):
        patience(0)


def test_a_mistake_that_nothing_notices_fails(request: pytest.FixtureRequest) -> None:
    one: Any = mistakes(NAME, [], check=check_count, of="Patience")
    one(WORSE, request)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        one(SAME, request)


def test_a_row_may_name_its_module_and_its_check(request: pytest.FixtureRequest) -> None:
    one: Any = mistakes("course_utils", [], of="Patience")
    one(("early_stopping", *WORSE, check_count), request)
    one((check_refused, "early_stopping", "is_whole(patience) and patience >= 1", "True"), request)


def test_what_must_be_said_is_asked_for(request: pytest.FixtureRequest) -> None:
    one: Any = mistakes(NAME, [], check=check_count, of="Patience", match="another message")
    with pytest.raises(AssertionError, match="Regex pattern did not match"):
        one(WORSE, request)


@pytest.mark.parametrize(("old", "new"), [("no such text", ""), ("self", "me"), SAME[:1] * 2])
def test_a_change_that_is_none_or_several_is_refused(old: str, new: str) -> None:
    with pytest.raises(ValueError, match="need a change of a text that occurs once"):
        mutant(NAME, old, new)
