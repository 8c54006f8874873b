"""Every shipped exercise: its stub, its solution and its known wrong answers, through the engine."""

from __future__ import annotations

import inspect
import itertools
import sys
from types import ModuleType
from typing import Any

import pytest

from course_utils.exercises.engine.ask import verdict_on
from course_utils.exercises.engine.catalogue import lessons, load
from course_utils.exercises.engine.commands import solution
from course_utils.exercises.engine.compare import snapshot
from course_utils.exercises.engine.model import Exercise, Quiz
from course_utils.exercises.engine.outcomes import build_inputs, differs, outcomes, same
from course_utils.exercises.engine.verdict import BORROWED, NOT_ATTEMPTED

MODULES = {lesson: load(lesson) for lesson in lessons()}
EXERCISES = [pytest.param(module, e, id=e.id) for module in MODULES.values() for e in module.EXERCISES]
WRONG = [
    pytest.param(e, wrong, id=f"{e.id}-{i}")
    for module in MODULES.values()
    for e in module.EXERCISES
    for i, wrong in enumerate(e.wrong)
]
each_exercise = pytest.mark.parametrize(("module", "exercise"), EXERCISES)


@each_exercise
def test_the_stub_is_not_attempted(module: ModuleType, exercise: Exercise) -> None:
    names = dict(vars(module))
    before = set(names)
    exec(compile(exercise.stub, f"<stub of {exercise.id}>", "exec"), names)
    made = [name for name, value in names.items() if name not in before or value is not vars(module)[name]]
    (name,) = [name for name in made if name != "__builtins__"]
    assert verdict_on(exercise, names[name]) == NOT_ATTEMPTED
    if exercise.asks_for_function:
        assert name == exercise.solution.__name__
        stub, solution = (list(inspect.signature(f).parameters) for f in (names[name], exercise.solution))
        assert stub == solution


@each_exercise
def test_the_solution_is_correct(module: ModuleType, exercise: Exercise) -> None:
    verdict = verdict_on(exercise, exercise.solution)
    assert verdict.state == "correct", verdict.lines


@each_exercise
def test_a_printed_solution_can_be_pasted_into_a_notebook(
    module: ModuleType,
    exercise: Exercise,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # what __main__ has imported is not printed, and another test may have left something there
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    solution(exercise.id)
    printed = capsys.readouterr().out.removesuffix("\n").removesuffix(exercise.note).rstrip()
    if exercise.asks_for_function:
        # no name of the module is there: neither an annotation nor the body may need one
        names: dict[str, object] = {"__name__": "__main__"}
        exec(compile(printed, f"<solution of {exercise.id}>", "exec"), names)
        verdict = verdict_on(exercise, names[exercise.solution.__name__])
        assert verdict.state == "correct", verdict.lines
        assert BORROWED not in verdict.lines
    else:
        assert printed == repr(exercise.solution)


@pytest.mark.parametrize(("exercise", "wrong"), WRONG)
def test_a_known_wrong_answer_gets_its_diagnosis(exercise: Exercise, wrong: Any) -> None:
    verdict = verdict_on(exercise, wrong.answer)
    assert verdict.state in ("wrong", "raised")
    assert verdict.cause == wrong.diagnosis


@each_exercise
def test_wrong_answers_differ_from_the_solution_and_each_other(module: Any, exercise: Exercise) -> None:
    answers = [exercise.solution, *(wrong.answer for wrong in exercise.wrong)]
    if not exercise.asks_for_function:
        for one, other in itertools.permutations(answers, 2):
            assert differs(exercise, snapshot(one), snapshot(other)), (one, other)
        return
    results = [outcomes(exercise, answer) for answer in answers]
    assert all(result.error is None for result in results[0]), "the solution raises"
    if not exercise.mutates:
        for arguments, result in zip(build_inputs(exercise), results[0], strict=True):
            assert not differs(exercise, snapshot(arguments), result.arguments), "the solution changes it"
    for (i, one), (j, other) in itertools.permutations(enumerate(results), 2):
        assert not same(exercise, one, other), f"{answers[i]} and {answers[j]} do the same on every input"


@each_exercise
def test_the_texts_are_there(module: ModuleType, exercise: Exercise) -> None:
    assert len(exercise.wrong) >= exercise.fewest_wrong
    texts = [exercise.title, exercise.prompt, *exercise.hints, *(wrong.diagnosis for wrong in exercise.wrong)]
    assert all(text.strip() and text == text.strip() for text in texts)
    assert len({wrong.diagnosis for wrong in exercise.wrong}) == len(exercise.wrong)
    assert len(set(exercise.hints)) == len(exercise.hints)
    if exercise.asks_for_function:
        assert exercise.solution.__module__ == module.__name__  # solution() shows its source


@pytest.mark.parametrize("lesson", MODULES)
def test_a_lesson_has_core_exercises_and_its_own_ids(lesson: str) -> None:
    module = MODULES[lesson]
    entries: list[Exercise | Quiz] = [*module.EXERCISES, *module.QUIZZES]
    ids = [entry.id for entry in entries]
    assert len(set(ids)) == len(ids)
    assert all(id.startswith(f"{lesson}.") for id in ids)
    assert 4 <= len(module.EXERCISES) <= 6
    assert any(e.kind == "core" for e in module.EXERCISES)
    assert len(module.QUIZZES) >= 1


def test_there_is_a_lesson_to_test() -> None:
    assert "00" in MODULES
