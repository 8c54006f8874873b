"""Sends an answer to where it can do no harm, and finds the words for what came back."""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle

from course_utils.exercises.engine import process
from course_utils.exercises.engine.catalogue import lessons
from course_utils.exercises.engine.judge import judge_value
from course_utils.exercises.engine.model import Exercise
from course_utils.exercises.engine.stub import code_of, not_attempted
from course_utils.exercises.engine.verdict import NOT_ATTEMPTED, Verdict, of_no_function, of_stopped


def verdict_on(exercise: Exercise, answer: object) -> Verdict:
    """The verdict on an answer, tried in the child process; "failed" where it could not be tried."""
    if not_attempted(exercise, answer):
        return NOT_ATTEMPTED
    if not exercise.asks_for_function:
        return judge_value(exercise, answer)
    if not callable(answer):
        return of_no_function(type(answer).__name__)
    try:
        request = _request(exercise, answer)
    except Exception as error:
        why = f"it cannot be sent to the process that runs answers ({error})."
        return _failed(why).add(
            "Take what it uses from outside as an argument, or make it inside the function."
        )
    try:
        reply = process.ask(request, exercise.seconds)
    except process.Stopped as stopped:
        return of_stopped(exercise, str(stopped), stopped.index)
    except process.Unavailable as error:
        return _failed(f"{error}. Run this cell again.")
    if reply["state"] == "failed":
        return _failed(f"{reply['lines'][0]}.")
    facts = tuple((str(name), str(text)) for name, text in reply["facts"])
    return Verdict(reply["state"], tuple(reply["lines"]), facts, reply["told"], reply["unknown"])


def _failed(why: str) -> Verdict:
    return Verdict("failed", (f"could not be tried: {why}",))


def _request(exercise: Exercise, answer: Any) -> dict[str, Any]:
    code = code_of(answer)
    typed_in = code is not None and not os.path.exists(code.co_filename)  # a cell: its text is only here
    return {
        "module": lessons()[exercise.id[:2]],
        "id": exercise.id,
        "answer": _pickled(answer),
        "source": linecache.getlines(code.co_filename) if code is not None and typed_in else [],
        "path": list(sys.path),
        "folder": os.getcwd(),
    }


def _pickled(answer: Any) -> bytes:
    """The answer with its code: a learner's own module may have been reloaded since the child read it."""
    module = sys.modules.get(getattr(answer, "__module__", None) or "")
    if (
        module is None
        or not _is_own(module)
        or module.__name__ in cloudpickle.list_registry_pickle_by_value()
    ):
        return bytes(cloudpickle.dumps(answer))
    cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(answer))
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def _is_own(module: ModuleType) -> bool:
    """Whether a module is the learner's: not Python's, not installed, not the course's."""
    file: str | None = getattr(module, "__file__", None)
    if file is None or module.__name__ == "__main__":
        return False
    installed = [sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")]
    others = [*filter(None, installed), str(Path(__file__).parents[2])]
    return not any(Path(file).resolve().is_relative_to(Path(other).resolve()) for other in others)
