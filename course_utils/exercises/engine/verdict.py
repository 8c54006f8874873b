"""The verdict on an answer, from what it did: the one place where right and wrong are decided.

`check` and `grade` both come here, each with outcomes that it has had made in a process of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from course_utils._checks import is_tensor
from course_utils.exercises.engine.compare import Difference, Opaque, difference, snapshot, text
from course_utils.exercises.engine.model import Exercise
from course_utils.exercises.engine.outcomes import Outcome, agrees, build_inputs, differs, same

State = Literal["not attempted", "correct", "wrong", "raised", "failed"]
Known = tuple[str, list[Outcome]]  # a mistake's diagnosis, and what it does on the inputs


@dataclass(frozen=True)
class Verdict:
    """What is said of an answer: a state ("failed": it could not be tried), and up to six lines.

    Args:
        lines: the verdict, why, and what helps.
        facts: (name, text) each, for a table beside the lines: the input, what was expected, what came out.
        in_table: how many of the first lines say no more than the table does.
        unknown: whether no line names the mistake: what it did is described, and a hint may help.
        cause: the diagnosis of a known mistake, "" where there is none.
        failing: the input that shows it, from 0; None where there is none.
    """

    state: State
    lines: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    in_table: int = 0
    unknown: bool = False
    cause: str = ""
    failing: int | None = None

    def add(self, *lines: str) -> Verdict:
        """The same with more lines at the end; empty ones are left out."""
        return replace(self, lines=(*self.lines, *filter(None, lines)))


BORROWED = "It takes something from `course_utils.exercises`, where the solutions are: is it your own answer?"
NOT_ATTEMPTED = Verdict("not attempted", ("not attempted yet.",))


def of_function(
    exercise: Exercise,
    expected: Sequence[Outcome],
    got: Sequence[Outcome],
    known: Iterable[Known],
    parameters: Sequence[str] | None = None,
) -> Verdict:
    """The verdict on the answer to a function exercise.

    Args:
        expected, got: what the solution and the answer did, input by input.
        known: the known mistakes, in their order; not looked at where the answer is correct.
        parameters: the names of the answer's own arguments, where they are known.
    """
    expected, got = list(expected), list(got)
    if any(one.value is ... for one in got):
        return Verdict("not attempted", ("not attempted yet: it still returns the stub's `...`.",))
    agree = [agrees(exercise, e, g) for e, g in zip(expected, got, strict=True)]
    if all(agree):
        return _correct(exercise)
    changed = _changed(exercise, expected, got)
    first = agree.index(False)
    call = call_text(exercise, first, parameters)
    none_given = any(one.value is None and one.error is None for one in expected)
    facts = _facts(exercise, call, expected[first], got[first], none_given=none_given)
    mistakes = list(known)
    cause = next((words for words, outcomes in mistakes if same(exercise, outcomes, got)), "")
    if not cause and changed and same(exercise, expected, got, strict=False):
        words = f"wrong: the result is right, but {changed} Work on a copy (`{_copy(expected)}`)."
        return Verdict("wrong", (words,), facts, failing=first)
    if not cause and changed:
        cause = next((w for w, outcomes in mistakes if same(exercise, outcomes, got, strict=False)), "")
    some = f"Right on {sum(agree)} of {len(agree)} inputs." if any(agree) else ""
    state: State
    if error := got[first].error:
        state, in_table = "raised", 0
        lines = (*error.lines, f"This was on {call}. {some}".rstrip())
    else:
        state, in_table = "wrong", 2
        difference = _first_difference(exercise, expected[first], got[first], none_given=none_given)
        lines = (f"wrong on {call}:", f"  {difference.words if difference else ''}")
        lines += (some,) if some and not cause else ()
    why = f"Likely cause: {cause}" if cause else ""
    order = _other_order(exercise, parameters)
    also = f"Also, {changed}" if changed else ""
    result = Verdict(state, lines, facts, in_table, not cause, cause, first)
    return result.add(why, order, also)


def of_value(exercise: Exercise, answer: Any) -> Verdict:
    """The verdict on the answer to a value exercise; it never shows the value that was expected."""
    answer = snapshot(answer)
    if isinstance(answer, Opaque) and answer.called:
        return Verdict("wrong", ("wrong: a value is asked for, this is a function. Pass what it returns.",))
    mismatch = _value_difference(exercise, exercise.solution, answer)
    if mismatch is None:
        return _correct(exercise)
    facts = (("Got", text(answer)),)
    for wrong in exercise.wrong:
        if _value_difference(exercise, wrong.answer, answer) is None:
            return Verdict("wrong", (f"wrong: {wrong.diagnosis}",), facts, cause=wrong.diagnosis)
    words = mismatch.words if mismatch.kind == "form" else f"got {text(answer)}, which is not it"
    return Verdict("wrong", (f"wrong: {words}{'' if words.endswith('?') else '.'}",), facts, unknown=True)


def of_no_function(kind: str) -> Verdict:
    """The verdict on a value of type `kind` where a function is asked for."""
    cure = "Pass its name without quotes." if kind == "str" else "Pass its name alone."
    words = f"wrong: a function is asked for, got a value of type {kind}. {cure}"
    return Verdict("wrong", (words,))


def of_stopped(exercise: Exercise, why: str, index: int) -> Verdict:
    """The verdict on an answer that was stopped on input `index`, from 0: it `why`."""
    advice = "Look for an exit, for memory that runs out, or a crash inside a library."
    if why.startswith("did not finish"):
        advice = "Look for a loop that never ends, or for work that grows fast with the size of the input."
    lines = (f"stopped: it {why} on {call_text(exercise, index)}.", advice)
    return Verdict("raised", (*lines, f"{again(exercise)}."), failing=index)


def again(exercise: Exercise) -> str:
    """How a learner gets at the input that failed."""
    return f'failing("{exercise.id}") returns these arguments'


def call_text(exercise: Exercise, index: int, parameters: Sequence[str] | None = None) -> str:
    """The call on one input, as the learner would write it.

    With the arguments' names, unless the answer (with these `parameters`) has given them other ones or
    another order: it is called by position.
    """
    arguments, names = build_inputs(exercise)[index], _names(exercise)
    by_name = parameters is None or list(parameters[: len(names)]) == names
    shown = ", ".join(
        f"{n}={text(a)}" if by_name else text(a) for n, a in zip(names, arguments, strict=False)
    )
    short = shown if len(shown) <= 300 else shown[:297] + "..."
    return f"{exercise.solution.__name__}({short})"


def _correct(exercise: Exercise) -> Verdict:
    return Verdict("correct", ("correct.",)).add(exercise.note)


def _value_difference(exercise: Exercise, expected: Any, got: Any) -> Difference | None:
    if isinstance(expected, str) and isinstance(got, str):
        expected, got = expected.strip().lower(), got.strip().lower()
    return differs(exercise, snapshot(expected), got)


def _first_difference(
    exercise: Exercise, expected: Outcome, got: Outcome, *, none_given: bool
) -> Difference | None:
    """Where one call departs first; no `return` is missed where None is the answer to some input."""
    if expected.error is not None:
        return Difference("form", expected.error.short, text(got.value))
    if mismatch := differs(exercise, expected.value, got.value):
        return replace(mismatch, note="") if none_given and got.value is None else mismatch
    for name, its, answers in zip(_names(exercise), expected.arguments, got.arguments, strict=False):
        if left := differs(exercise, its, answers):
            return replace(left, where=f"argument `{name}` afterwards, {left.where}")
    return None


def _other_order(exercise: Exercise, parameters: Sequence[str] | None) -> str:
    """Words for an answer that has the stub's arguments in another order, else ""."""
    names = _names(exercise)
    if parameters is None or list(parameters) == names or sorted(parameters) != sorted(names):
        return ""
    return f"It is called with ({', '.join(names)}), in this order; yours takes ({', '.join(parameters)})."


def _facts(
    exercise: Exercise, call: str, expected: Outcome, got: Outcome, *, none_given: bool
) -> tuple[tuple[str, str], ...]:
    """Input, expected, got, for a table."""
    facts = [("Input", call)]
    if got.error is not None:
        wanted = expected.error.short if expected.error else text(expected.value)
        return (*facts, ("Expected", wanted), ("Got", got.error.short))
    mismatch = _first_difference(exercise, expected, got, none_given=none_given)
    if mismatch is None:
        return tuple(facts)
    if where := mismatch.where.strip(" :,"):
        facts.append(("Where", where))
    facts.append(("Expected", mismatch.expected))
    return (*facts, ("Got", f"{mismatch.got}{mismatch.note}")) if mismatch.got else tuple(facts)


def _changed(exercise: Exercise, expected: Sequence[Outcome], got: Sequence[Outcome]) -> str:
    """Which argument an answer changed without being asked to, "" if none; the solution changes none."""
    if exercise.mutates:
        return ""
    for solution, answer in zip(expected, got, strict=True):
        for name, old, new in zip(_names(exercise), solution.arguments, answer.arguments, strict=False):
            if difference(old, new, rtol=0.0, atol=0.0):
                return f"your function changes its argument `{name}`."
    return ""


def _copy(expected: Sequence[Outcome]) -> str:
    """How the solution's arguments are copied."""
    tensors = any(is_tensor(argument) for one in expected for argument in one.arguments)
    return ".clone()" if tensors else ".copy()"


def _names(exercise: Exercise) -> list[str]:
    return list(inspect.signature(exercise.solution).parameters)
