"""The notebook's side of the child process: start it early, ask it, end it when an answer hangs."""

from __future__ import annotations

import atexit
import os
import pickle
import sys
import threading
from pathlib import Path
from typing import Any

from course_utils.exercises.engine.child import Child, Event

_START = 120.0  # seconds for a child to start, or for the lesson's own part of the work
_root = str(Path(__file__).resolve().parents[3])


class Stopped(Exception):
    """The answer was stopped: why, and on which input (from 0)."""

    def __init__(self, why: str, index: int) -> None:
        super().__init__(why)
        self.index = index


class Unavailable(Exception):
    """The child process did not start, or ended before the answer ran."""


class Worker:
    """One child process that tries answers, one after another."""

    def __init__(self) -> None:
        paths = [_root, *filter(None, [os.environ.get("PYTHONPATH")])]
        settings = {"PYTHONPATH": os.pathsep.join(paths), "COURSE_HEADLESS": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "course_utils.exercises.engine.worker"]
        self.child = Child(command, env=os.environ | settings)
        self._started = False

    def ask(self, request: dict[str, Any], seconds: float) -> Event:
        """The verdict on one request.

        Args:
            seconds: of the child's own time, for the answer on one input.
        Raises: Stopped if the answer ran longer than `seconds` or ended the process; Unavailable if the
            process could not be had.
        """
        child, index = self.child, -1  # no input yet
        try:
            if not self._started and child.next(until=child.seconds() + _START) is None:
                raise Unavailable("the child process did not start")
            self._started = True
            child.send(pickle.dumps(request))
            until = child.seconds() + _START
            while (event := child.next(until)) is not None:
                if event["event"] == "verdict":
                    return event
                until = child.seconds() + (_START if event["event"] == "called" else seconds)
                index = event.get("index", index)
        except TimeoutError:
            if index >= 0:
                raise Stopped(f"did not finish within {seconds:g} s", index) from None
            raise Unavailable("the child process did not reply") from None
        except OSError:
            raise Unavailable("the child process has ended") from None
        child.process.wait(timeout=10)
        if index < 0:
            raise Unavailable("the child process has ended")
        raise Stopped("ended its Python process", index)


_lock = threading.Lock()
_worker: Worker | None = None


def start() -> Worker:
    """A living child process, started now if there is none; returns at once."""
    global _worker
    if _worker is None or not _worker.child.alive:
        _worker = Worker()
    return _worker


def ask(request: dict[str, Any], seconds: float) -> Event:
    """As `Worker.ask`, with a fresh process ready for the next answer after one that was stopped."""
    with _lock:
        for attempt in (1, 2):
            worker = start()
            try:
                return worker.ask(request, seconds)
            except Unavailable:
                worker.child.end()
                if attempt == 2:
                    raise
            except BaseException:  # stopped, or the learner interrupted
                worker.child.end()
                start()
                raise
    raise AssertionError("unreachable")


@atexit.register
def end() -> None:
    """End the child process, if there is one."""
    if _worker is not None:
        _worker.child.end()
