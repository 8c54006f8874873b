"""The process that runs one student's notebook: `python -m course_utils.tools.grading.child`.

One request comes in on stdin (JSON), events go out (`child.Line`): `cell` before each cell, `input` before
each call of an answer, `answer` with what came out, `broken` where there is no answer, `end`. An answer is
tried when the notebook's own check is called, in whatever way that is written; where a cell breaks before,
it is tried after the cell. What the student's code does to this process spoils only what it says of itself:
nothing of it is believed but values, which the grader compares.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from typing import Any

from course_utils.exercises.engine.catalogue import find_exercise
from course_utils.exercises.engine.child import Line
from course_utils.exercises.engine.compare import snapshot
from course_utils.exercises.engine.explain import explain
from course_utils.exercises.engine.model import Exercise
from course_utils.exercises.engine.outcomes import default_dtype, generators_kept, import_torch, outcomes
from course_utils.exercises.engine.stub import borrows, code_of, not_attempted, parameters_of
from course_utils.tools.grading.values import encode, encode_outcome


def main() -> None:
    """Run the cells; try each answer that they check."""
    with contextlib.suppress(AttributeError, OSError):
        os.setsid()  # what it sends to its own group stays here
    line = Line()
    request = json.load(line.requests)
    import_torch()
    asked = _Asked(line, request)
    shell = _shell(asked)
    _limit(request["memory"], request["processes"], request["seconds"])
    if request.get("modules"):
        sys.path.append(request["modules"])  # last: no module of a student is taken for one of Python's
    for index, source in enumerate(request["cells"]):
        if index in request["skip"]:
            continue
        line.tell("cell", index=index)
        asked.cell, asked.count = index, {}
        problem = _run(shell, source)
        for id, expression in request["answers"].get(str(index), []):
            if id not in asked.count:
                asked.evaluate(shell, id, expression, problem)
    line.tell("end")


class _Asked:
    """What stands in the place of check: it tries the answers and tells what they do.

    A call has a number: the cell, and how many calls for its exercise the cell has made before. Those on
    which an earlier process hung or died are left out.
    """

    def __init__(self, line: Line, request: dict[str, Any]) -> None:
        self.cell = 0
        self.count: dict[str, int] = {}  # exercise id -> calls in this cell
        self._line = line
        self._wanted = {id: find_exercise(id) for id in request["wanted"]}
        self._stopped = {(id, cell, number) for id, cell, number in request["stopped"]}
        self._busy = False

    def check(self, id: object = None, answer: object = ..., *more: object, **other: object) -> None:
        """As `exercises.check` is called; says nothing, and raises nothing."""
        if self._busy or more or other or not isinstance(id, str) or id not in self._wanted:
            return
        if (call := self._next(id)) is not None:
            self._try(id, answer, call)

    def evaluate(self, shell: Any, id: str, expression: str, problem: str) -> None:
        """Try an answer whose check the cell did not come to; `problem` is what broke the cell."""
        if (call := self._next(id)) is None:
            return
        try:
            answer = eval(expression, shell.user_ns)
        except BaseException as error:
            why = problem or "; ".join(explain(error, None))
            self._line.tell("broken", id=id, why=why, cell=self.cell, number=call)
            return
        self._try(id, answer, call)

    def _next(self, id: str) -> int | None:
        number = self.count.get(id, 0)
        self.count[id] = number + 1
        return None if (id, self.cell, number) in self._stopped else number

    def _try(self, id: str, answer: object, call: int) -> None:
        self._busy, at = True, {"id": id, "cell": self.cell, "number": call}
        try:
            with generators_kept():
                self._line.tell("answer", **self._outcome(self._wanted[id], answer, at), **at)
        except Exception as error:  # a value that cannot be sent, of ten thousand digits or nested as deep
            self._line.tell("broken", why="; ".join(explain(error, None)), **at)
        finally:
            self._busy = False

    def _outcome(self, exercise: Exercise, answer: Any, at: dict[str, Any]) -> dict[str, Any]:
        if not_attempted(exercise, answer):
            return {"untouched": True}
        if not exercise.asks_for_function:
            return {"value": encode(snapshot(answer))}
        if not callable(answer):
            return {"no_function": type(answer).__name__}
        done = outcomes(
            exercise, answer, lambda index: self._line.tell("input", index=index, **at), code=code_of(answer)
        )
        return {
            "outcomes": [encode_outcome(one) for one in done],
            "parameters": parameters_of(answer),
            "borrows": borrows(answer),
            "dtype": default_dtype(),
        }


def _shell(asked: _Asked) -> Any:
    """IPython's shell, as in a kernel; check tries, hint and their like say nothing here."""
    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib_inline.config import InlineBackend
    from traitlets.config import Config

    import course_utils.exercises as exercises
    from course_utils.exercises.engine import commands

    class Shell(InteractiveShell):
        """No windows: `%matplotlib inline`, `%matplotlib qt`, `%pylab` and `%gui` draw nothing."""

        def enable_gui(self, gui: object = None) -> None:
            pass

        def enable_matplotlib(self, gui: object = None) -> tuple[object, str]:
            return gui, "agg"

    for name in exercises.__all__:
        silent = asked.check if name == "check" else lambda *args, **kwargs: None
        for module in (exercises, commands):
            setattr(module, name, silent)
    shell: Any = Shell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.configurables.append(InlineBackend.instance(parent=shell))  # for %config InlineBackend
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


if __name__ == "__main__":
    main()
