"""The notebook's side of the child process: start it early, ask it, end it when an answer hangs."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

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
    """One child process and the thread that reads its events."""

    def __init__(self) -> None:
        paths = [_root, *filter(None, [os.environ.get("PYTHONPATH")])]
        settings = {"PYTHONPATH": os.pathsep.join(paths), "COURSE_HEADLESS": "1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "course_utils.exercises.engine.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | settings,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._started = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                if line.endswith(b"\n"):  # a killed process may leave half a line
                    self._events.put(json.loads(line))
        self._events.put(None)

    def _next(self, deadline: float) -> dict[str, Any] | None:
        """The next event; None at the end of the process. TimeoutError past the deadline."""
        while True:  # in slices, so that an interrupt is heard on Windows too
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            try:
                return self._events.get(timeout=min(left, 0.2))
            except queue.Empty:
                continue

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The verdict on one request.

        Raises: Stopped if the answer ran longer than `seconds` or ended the process; Unavailable if the
            process could not be had.
        """
        index = -1  # no input yet
        try:
            if not self._started and self._next(time.monotonic() + _START) is None:
                raise Unavailable("the child process did not start")
            self._started = True
            assert self.process.stdin is not None
            pickle.dump(request, self.process.stdin)
            self.process.stdin.flush()
            deadline = time.monotonic() + _START
            while (event := self._next(deadline)) is not None:
                if event["event"] == "verdict":
                    return event
                if event["event"] == "called":
                    deadline = time.monotonic() + _START
                elif index < 0:
                    deadline = time.monotonic() + seconds
                index = event.get("index", index)
        except TimeoutError:
            if index >= 0:
                raise Stopped(f"did not finish within {seconds:g} s", index) from None
            raise Unavailable("the child process did not reply") from None
        except OSError:
            raise Unavailable("the child process has ended") from None
        self.process.wait(timeout=10)
        if index < 0:
            raise Unavailable("the child process has ended")
        raise Stopped(f"ended its Python process (exit status {self.process.returncode})", index)

    def end(self) -> None:
        """Ends the process; harmless where it has ended."""
        self.process.kill()
        self.process.wait(timeout=10)
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None


_lock = threading.Lock()
_worker: Worker | None = None


def start() -> Worker:
    """A living child process, started now if there is none; returns at once."""
    global _worker
    if _worker is None or not _worker.alive:
        _worker = Worker()
    return _worker


def ask(request: dict[str, Any], seconds: float) -> dict[str, Any]:
    """As `Worker.ask`, with a fresh process ready for the next answer after one that was stopped."""
    with _lock:
        for attempt in (1, 2):
            worker = start()
            try:
                return worker.ask(request, seconds)
            except Unavailable:
                worker.end()
                if attempt == 2:
                    raise
            except BaseException:  # stopped, or the learner interrupted
                worker.end()
                start()
                raise
    raise AssertionError("unreachable")


@atexit.register
def end() -> None:
    """Ends the child process, if there is one."""
    if _worker is not None:
        _worker.end()
