"""The process that runs one student's notebook: `python -m course_utils.tools.grading.child`.

One request comes in on stdin (JSON), events go out (`child.Line`): `cell` before each cell, `input` before
each call of an answer, `answer` with what came out, `broken` where there is no answer, `end`. What the
student's code does to this process spoils only what it says of itself: nothing of it is believed but values,
which the grader compares.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from typing import Any

from course_utils.exercises.engine.catalogue import find_exercise
from course_utils.exercises.engine.child import Line
from course_utils.exercises.engine.compare import snapshot
from course_utils.exercises.engine.explain import explain
from course_utils.exercises.engine.outcomes import default_dtype, import_torch, outcomes
from course_utils.exercises.engine.stub import borrows, code_of, not_attempted, parameters_of
from course_utils.tools.grading.values import encode, encode_outcome


def main() -> None:
    """Run the cells up to the last answer, and each answer on its exercise's inputs."""
    with contextlib.suppress(AttributeError, OSError):
        os.setsid()  # what it sends to its own group stays here
    line = Line()
    request = json.load(line.requests)
    import_torch()
    shell = _shell()
    _limit(request["memory"], request["processes"], request["seconds"])
    for index, source in enumerate(request["cells"]):
        if index in request["skip"]:
            continue
        line.tell("cell", index=index)
        problem = _run(shell, source)
        for id, expression in request["answers"].get(str(index), []):
            _try(shell, line, id, expression, problem)
    line.tell("end")


def _shell() -> Any:
    """IPython's shell, as in a kernel; check, hint and their like say nothing here."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    import course_utils.exercises as exercises

    for name in exercises.__all__:
        setattr(exercises, name, lambda *args, **kwargs: None)
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    return shell


def _limit(memory: int, processes: int, seconds: float) -> None:
    """The system's own ceilings, where it has them: memory beyond Python and torch, files, processes."""
    try:
        import resource
    except ImportError:  # Windows: the grader watches the memory
        return
    import psutil

    space = psutil.Process().memory_info().vms + memory
    wanted = {
        "RLIMIT_AS": space,
        "RLIMIT_FSIZE": 50_000_000,
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": 512,
        "RLIMIT_NPROC": processes,
        "RLIMIT_CPU": int(seconds) + 5,
    }
    for name, most in wanted.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):  # not every system takes every one
            resource.setrlimit(getattr(resource, name), (most, most))


def _run(shell: Any, source: str) -> str:
    """Run a cell; returns what it raised, in a line, "" for nothing."""
    result = shell.run_cell(source, store_history=False, silent=True)
    error = result.error_before_exec or result.error_in_exec
    return re.sub(r"<ipython-input[^>]*>, ", "", "; ".join(explain(error, None))) if error else ""


def _try(shell: Any, line: Line, id: str, expression: str, problem: str) -> None:
    exercise = find_exercise(id)
    try:
        answer = eval(expression, shell.user_ns)
    except BaseException as error:
        line.tell("broken", id=id, why=problem or "; ".join(explain(error, None)))
        return
    if not_attempted(exercise, answer):
        line.tell("answer", id=id, untouched=True)
    elif not exercise.asks_for_function:
        line.tell("answer", id=id, value=encode(snapshot(answer)))
    elif not callable(answer):
        line.tell("answer", id=id, no_function=type(answer).__name__)
    else:
        done = outcomes(
            exercise, answer, lambda index: line.tell("input", id=id, index=index), code=code_of(answer)
        )
        line.tell(
            "answer",
            id=id,
            outcomes=[encode_outcome(one) for one in done],
            parameters=parameters_of(answer),
            borrows=borrows(answer),
            dtype=default_dtype(),
        )


if __name__ == "__main__":
    main()
