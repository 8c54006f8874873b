"""Tries an answer on an exercise's inputs and adds what it printed to the verdict (in the child process)."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from course_utils.exercises.engine import stub, verdict
from course_utils.exercises.engine.model import Exercise
from course_utils.exercises.engine.outcomes import outcomes
from course_utils.exercises.engine.surroundings import Surroundings
from course_utils.exercises.engine.verdict import Verdict


def judge_value(exercise: Exercise, answer: Any) -> Verdict:
    """The verdict on the answer to a value exercise."""
    return _with_help(exercise, verdict.of_value(exercise, answer))


def judge_function(
    exercise: Exercise,
    answer: Any,
    *,
    code: CodeType | None = None,
    before_call: Callable[[int], None] = lambda _: None,
    after_calls: Callable[[], None] = lambda: None,
    surroundings: Surroundings | None = None,
) -> Verdict:
    """The verdict on the answer to a function exercise.

    Args:
        code: the answer's code object, to find its lines in a traceback.
        before_call: given the number of the input, from 0, before the answer runs on it.
        after_calls: called when the answer has run on all of them.
        surroundings: as they were before the answer was read; what it has replaced there is told.
    """
    expected = outcomes(exercise, exercise.solution)
    printed = _Printed()
    with printed.kept():
        got = outcomes(exercise, answer, before_call, code=code)
    after_calls()
    replaced = surroundings.replaced() if surroundings is not None else []
    # where something is replaced the known mistakes would not be themselves
    mistakes = () if replaced else exercise.wrong
    known = ((wrong.diagnosis, outcomes(exercise, wrong.answer)) for wrong in mistakes)
    result = verdict.of_function(exercise, expected, got, known, stub.parameters_of(answer))
    return _with_help(
        exercise,
        result.add(
            f"It replaces `{replaced[0]}` for everything that comes after." if replaced else "",
            verdict.BORROWED if stub.borrows(answer) else "",
            f"It printed: {printed.summary()}" if printed.summary() else "",
        ),
    )


def _with_help(exercise: Exercise, result: Verdict) -> Verdict:
    helps = [f'hint("{exercise.id}") helps'] if result.unknown else []
    again = [verdict.again(exercise)] if result.failing is not None else []
    return result.add(f"{'; '.join(helps + again)}." if helps or again else "")


class _Printed(io.StringIO):
    """What an answer prints, up to a few thousand characters."""

    def write(self, words: str) -> int:
        return super().write(words[: max(0, 4000 - self.tell())])

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        with contextlib.redirect_stdout(self), contextlib.redirect_stderr(io.StringIO()):
            yield

    def summary(self) -> str:
        lines = [line for line in self.getvalue().splitlines() if line.strip()]
        if not lines:
            return ""
        more = f" (lines in all: {len(lines)})" if len(lines) > 1 else ""
        return lines[0].strip()[:80] + more
