"""The child process in which answers run: `python -m course_utils.exercises.engine.worker`.

Requests come in on stdin (pickled dicts), events go out (`child.Line`): `ready`, then for each request
`input` before every call of the answer, `called` after the last, and `verdict`. The process ends when the
parent does (end of file), and ends itself when an answer runs far past its time and the parent is gone, and
after an answer that has replaced what others use, as by `torch.sqrt = ...`.
"""

from __future__ import annotations

import builtins
import contextlib
import faulthandler
import importlib
import linecache
import os
import pickle
import signal
import sys
from dataclasses import asdict
from typing import Any

from course_utils.exercises.engine.child import Line
from course_utils.exercises.engine.judge import judge_function
from course_utils.exercises.engine.outcomes import import_torch, set_default_dtype
from course_utils.exercises.engine.stub import code_of
from course_utils.exercises.engine.surroundings import Surroundings
from course_utils.exercises.engine.verdict import Verdict

_GRACE = 20  # times an answer's limit, after which the process ends itself: its parent, if any, knows better


def main() -> None:
    """Serve requests until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupted notebook ends this process itself
    line = Line()
    import_torch()
    for name in ("display", "get_ipython"):  # a notebook has them without an import
        setattr(builtins, name, lambda *shown, **how: None)
    line.tell("ready")
    while True:
        try:
            request = pickle.load(line.requests)
        except EOFError:
            return
        surroundings = Surroundings()
        try:
            verdict = _serve(request, line, surroundings)
        except Exception as error:  # a fault of the lesson's module, or an answer that cannot be read here
            verdict = Verdict("failed", (f"{type(error).__name__}: {error}",))
        faulthandler.cancel_dump_traceback_later()
        line.tell("verdict", **asdict(verdict))
        if surroundings.replaced():
            return


def _serve(request: dict[str, Any], line: Line, surroundings: Surroundings) -> Verdict:
    sys.path[:] = request["path"]
    with contextlib.suppress(OSError):
        os.chdir(request["folder"])
    module = importlib.import_module(request["module"])
    exercise = next(one for one in module.EXERCISES if one.id == request["id"])
    answer = pickle.loads(request["answer"])
    for file, source in request["sources"].items():
        linecache.cache[file] = (sum(map(len, source)), None, source, file)
    set_default_dtype(request["dtype"] or "float32")

    def before_call(index: int) -> None:
        faulthandler.dump_traceback_later(_GRACE * exercise.seconds, exit=True, file=line.nowhere)
        line.tell("input", index=index)

    return judge_function(
        exercise,
        answer,
        code=code_of(answer),
        before_call=before_call,
        after_calls=lambda: line.tell("called"),
        surroundings=surroundings,
    )


if __name__ == "__main__":
    main()
