"""The child process in which answers run: `python -m course_utils.exercises.engine.worker`.

Requests come in on stdin (pickled dicts), events go out on stdout (JSON lines): `ready`, then for each
request `input` before every call of the answer, `called` after the last, and `verdict`. The process ends when
the parent does (end of file), and ends itself when an answer runs past its time and the parent is gone.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import linecache
import os
import pickle
import signal
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

_GRACE = 5.0  # seconds past an answer's limit after which the process ends itself


def main() -> None:
    """Serves requests until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupted notebook ends this process itself
    requests, events, nowhere = _private_pipes()

    def tell(event: str, **more: Any) -> None:
        events.write(json.dumps({"event": event, **more}).encode() + b"\n")
        events.flush()

    import torch

    torch.set_num_threads(1)
    tell("ready")
    while True:
        try:
            request = pickle.load(requests)
        except EOFError:
            return
        try:
            verdict = _serve(request, tell, nowhere)
        except Exception as error:  # a fault of the lesson's module, or an answer that cannot be read here
            verdict = {
                "state": "failed",
                "lines": [f"{type(error).__name__}: {error}"],
                "facts": [],
                "told": 0,
            }
        faulthandler.cancel_dump_traceback_later()
        tell("verdict", **verdict)


def _serve(request: dict[str, Any], tell: Any, nowhere: BinaryIO) -> dict[str, Any]:
    from course_utils.exercises.engine.judge import judge_function
    from course_utils.exercises.engine.stub import code_of

    sys.path[:] = request["path"]
    with contextlib.suppress(OSError):
        os.chdir(request["folder"])
    module = importlib.import_module(request["module"])
    exercise = next(one for one in module.EXERCISES if one.id == request["id"])
    answer = pickle.loads(request["answer"])
    code = code_of(answer)
    if code is not None and request["source"]:
        lines = request["source"]
        linecache.cache[code.co_filename] = (sum(map(len, lines)), None, lines, code.co_filename)

    def before_call(index: int) -> None:
        if index == 0:
            faulthandler.dump_traceback_later(exercise.seconds + _GRACE, exit=True, file=nowhere)
        tell("input", index=index)

    verdict = judge_function(
        exercise, answer, code=code, before_call=before_call, after_calls=lambda: tell("called")
    )
    return asdict(verdict)


def _private_pipes() -> tuple[BinaryIO, BinaryIO, BinaryIO]:
    """Keeps stdin and stdout for the protocol, so that an answer that prints or reads cannot disturb it."""
    requests = os.fdopen(os.dup(0), "rb")
    events = os.fdopen(os.dup(1), "wb")
    nowhere = open(os.devnull, "r+b", buffering=0)  # noqa: SIM115  (lives as long as the process)
    os.dup2(nowhere.fileno(), 0)
    os.dup2(nowhere.fileno(), 1)
    return requests, events, nowhere


if __name__ == "__main__":
    main()
