"""Sends an answer to where it can do no harm, and finds the words for what came back."""

from __future__ import annotations

import builtins
import functools
import io
import linecache
import os
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import MethodType, ModuleType
from typing import Any

import cloudpickle

from course_utils.exercises.engine import process
from course_utils.exercises.engine.catalogue import lessons
from course_utils.exercises.engine.explain import of_cell
from course_utils.exercises.engine.judge import judge_value
from course_utils.exercises.engine.model import Exercise
from course_utils.exercises.engine.outcomes import default_dtype
from course_utils.exercises.engine.stub import not_attempted
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
    said = {name: value for name, value in reply.items() if name != "event"}
    facts = tuple((str(name), str(text)) for name, text in said["facts"])
    return Verdict(**said | {"lines": tuple(said["lines"]), "facts": facts})


def _failed(why: str) -> Verdict:
    return Verdict("failed", (f"could not be tried: {why}",))


def _request(exercise: Exercise, answer: Any) -> dict[str, Any]:
    return {
        "module": lessons()[exercise.id[:2]],
        "id": exercise.id,
        "answer": _pickled(answer),
        # of the cells: their text is only here
        "sources": {file: linecache.getlines(file) for file, e in linecache.cache.items() if of_cell(e)},
        "dtype": default_dtype(),
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
        return _dumped(answer)
    cloudpickle.register_pickle_by_value(module)
    try:
        return _dumped(answer)
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def _dumped(answer: Any) -> bytes:
    file = io.BytesIO()
    _Pickler(file).dump(answer)
    return file.getvalue()


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Takes along functions under `functools.cache`, and leaves the notebook's own shell behind."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, functools._lru_cache_wrapper):
            return _cached, (obj.__wrapped__, obj.cache_parameters())
        if type(obj).__module__.startswith("IPython."):  # `exit`, `quit`, the shell itself
            return getattr, (builtins, "exit")
        if isinstance(obj, MethodType) and type(obj.__self__).__module__.startswith(
            ("IPython.", "ipykernel.")
        ):
            return getattr, (builtins, "get_ipython")
        return super().reducer_override(obj)


def _cached(function: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    return functools.lru_cache(**parameters)(function)


def _is_own(module: ModuleType) -> bool:
    """Whether a module is the learner's: not Python's, not installed, not the course's."""
    file: str | None = getattr(module, "__file__", None)
    if file is None or module.__name__ == "__main__":
        return False
    installed = [sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")]
    others = [*filter(None, installed), str(Path(__file__).parents[2])]
    return not any(Path(file).resolve().is_relative_to(Path(other).resolve()) for other in others)
