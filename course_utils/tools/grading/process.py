"""Runs one student's notebook in a process that is watched, and brings back what it says.

The process has an empty folder, a clean environment, limits of time and memory, and is ended with all it has
started. Where Linux lets this user do so (`unshare`), it also sees no other process, no network, and an empty
folder in the place of the submissions.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from course_utils.exercises.engine.child import MARK, Child, Event
from course_utils.tools.grading.isolation import environment, shut_off, tasks, to_hide

MOST_PROCESSES = 64
MOST_INPUTS = 1000  # of an exercise
START = 60.0  # seconds until the first cell
Answers = Mapping[int, Sequence[tuple[str, str]]]  # position of a cell -> (exercise id, expression) to try


@dataclass(frozen=True)
class Limits:
    """Seconds for the whole notebook and for a cell, bytes of memory beyond Python's and torch's own.

    Seconds are the process's own (`child.OwnTime`): on a busy machine everything takes longer.
    """

    notebook: float = 300.0
    cell: float = 60.0
    memory: int = 2_000_000_000


USUAL = Limits()


class _Excess(Exception):
    """The process has too much of something; the message says what it did."""


@dataclass
class _Attempt:
    """A notebook on its way: what is known of its answers, and in which cell and exercise it is."""

    cells: Sequence[str]
    seconds: Mapping[str, float]  # exercise id -> how long its answer may take
    limits: Limits
    hide: Path | None
    events: dict[str, Event] = field(default_factory=dict)  # exercise id -> its last word
    skip: set[int] = field(default_factory=set)
    used: float = 0.0  # seconds, by processes that have ended
    cell: int | None = None
    exercise: str = ""
    index: int = 0  # of the exercise's input
    allowed: float = START  # the limit that counts now

    def run(self, left: Answers) -> str:
        """Run one process to its end: what it did. `cell` and `exercise` say where it was."""
        self.cell, self.exercise = None, ""
        wanted = {id for some in left.values() for id, _ in some}
        last = max(index for index, some in left.items() if some)
        request = {
            "cells": list(self.cells[: last + 1]), "answers": left, "skip": sorted(self.skip),
            "memory": self.limits.memory, "seconds": self.limits.notebook,
            "processes": tasks() + 2 * MOST_PROCESSES,
        }  # fmt: skip
        with _process(self.hide) as child:
            try:
                with contextlib.suppress(OSError):
                    child.send(json.dumps(request).encode(), last=True)
                return self._listen(child, wanted, cells=last + 1)
            except TimeoutError:
                return f"did not finish within {self.allowed:g} s"
            except _Excess as excess:
                return str(excess)
            finally:
                self.used += child.seconds()

    def _listen(self, child: Child, wanted: set[str], *, cells: int) -> str:
        until = self._until(0.0, START)
        while event := child.next(until, look=lambda: _look(child, self.limits)):
            kind, id = event["event"], event.get("id")
            now = child.seconds()
            if kind == "end":
                self.cell, self.exercise = None, ""
                return "gave no answer"
            if kind == "cell" and event.get("index") in range(cells):
                self.cell, self.exercise, until = event["index"], "", self._until(now, self.limits.cell)
            elif not isinstance(id, str) or id not in wanted or id in self.events:
                continue
            elif kind == "input" and event.get("index") in range(MOST_INPUTS):
                self.index = event["index"]
                if id != self.exercise:
                    self.exercise, until = id, self._until(now, self.seconds[id])
            elif kind in ("answer", "broken"):
                self.events[id] = event
                self.exercise, until = "", self._until(now, self.limits.cell)
        return "ended its Python process"

    def _until(self, now: float, seconds: float) -> float:
        """The time of this process until which `seconds` from now last, or what is left to the notebook."""
        left = self.limits.notebook - self.used
        self.allowed = seconds if now + seconds <= left else self.limits.notebook
        return min(left, now + seconds)

    def stopped(self, id: str, why: str, **more: int) -> None:
        self.events.setdefault(id, {"event": "broken", "id": id, "why": why, **more})


def attempt(
    cells: Sequence[str],
    answers: Answers,
    seconds: Mapping[str, float],
    *,
    limits: Limits = USUAL,
    hide: Path | None = None,
) -> dict[str, Event]:
    """Exercise id -> its `answer` or `broken` event.

    A process that hangs or dies is started again without the cell, or the exercise, in which it did.

    Args:
        cells: the notebook's code up to the last answer.
        answers: position of a cell -> (exercise id, expression of the answer) to try after it.
        seconds: exercise id -> how long its answer may take.
        hide: the folder of submissions.
    """
    state = _Attempt(cells, seconds, limits, hide)
    while True:
        left = {
            index: [one for one in some if one[0] not in state.events]
            for index, some in answers.items()
            if index not in state.skip
        }
        if not any(left.values()):
            return state.events
        why = state.run(left)
        if state.exercise:
            state.stopped(state.exercise, why, index=state.index)
        elif state.cell is not None and state.used < limits.notebook:
            state.skip.add(state.cell)
            for id, _ in left.get(state.cell, []):
                state.stopped(id, f"stopped: its cell {why}")
        else:
            for id, _ in (one for some in left.values() for one in some):
                state.stopped(id, f"stopped: the notebook {why}")


@contextlib.contextmanager
def _process(hide: Path | None) -> Iterator[Child]:
    """The process in an empty folder; all it started ends with it."""
    with tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True) as scratch:
        command = [
            *shut_off(to_hide(hide, Path(scratch))),
            sys.executable,
            "-m",
            "course_utils.tools.grading.child",
        ]
        env = environment(scratch) | {MARK: secrets.token_hex(8)}
        child = Child(command, env=env, cwd=Path(scratch), apart=True)
        try:
            yield child
        finally:
            child.end()


def _look(child: Child, limits: Limits) -> None:
    """Raise _Excess where the process has too much of something."""
    try:
        own = psutil.Process(child.process.pid)
        family = [own, *own.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    memory = 0
    for one in family:
        with contextlib.suppress(psutil.Error):
            memory += one.memory_info().rss
    if memory > limits.memory + 1_000_000_000:  # Python and torch themselves take less than that
        raise _Excess("used more memory than it may")
    if len(family) > MOST_PROCESSES:
        raise _Excess("started too many processes")
