"""Runs one student's notebook in a process that is watched, and brings back what it says.

The process has an empty folder, a clean environment, limits of time and memory, and is ended with all it has
started; how far it is shut off, `isolation` says.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from course_utils._files import write_whole
from course_utils.exercises.engine.child import MARK, Child, Event
from course_utils.tools.grading.isolation import bare_environment, scratch, shut_off, tasks

MOST_PROCESSES = 64
MOST_INPUTS = 1000  # of an exercise
MOST_CALLS = 10_000  # of check, for an exercise in a cell
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


Call = tuple[str, int, int]  # exercise id, position of the cell, how many calls for it the cell made before


@dataclass
class _Attempt:
    """A notebook on its way: what is known of its answers, and in which cell and call of check it is."""

    cells: Sequence[str]
    answers: Answers
    seconds: Mapping[str, float]  # exercise id -> how long its answer may take
    limits: Limits
    hide: Sequence[Path]
    modules: Mapping[str, bytes]
    events: dict[str, Event] = field(default_factory=dict)  # exercise id -> its last word
    places: dict[str, tuple[int, int]] = field(default_factory=dict)  # exercise id -> cell and number of that
    skip: set[int] = field(default_factory=set)
    stopped: set[Call] = field(default_factory=set)
    used: float = 0.0  # seconds, by processes that have ended
    cell: int | None = None
    call: Call | None = None
    index: int = 0  # of the exercise's input
    allowed: float = START  # the limit that counts now

    def run(self) -> str:
        """Run one process to its end: what it did, "" where it ran all. `cell` and `call` say where."""
        self.cell, self.call = None, None
        request = {
            "cells": list(self.cells), "answers": self.answers, "skip": sorted(self.skip),
            "wanted": list(self.seconds), "stopped": sorted(self.stopped), "memory": self.limits.memory,
            "seconds": self.limits.notebook, "processes": tasks() + 2 * MOST_PROCESSES,
        }  # fmt: skip
        with _process(self.hide, self.modules) as (child, modules):
            try:
                with contextlib.suppress(OSError):
                    child.send(json.dumps(request | {"modules": modules}).encode(), last=True)
                return self._listen(child)
            except TimeoutError:
                return f"did not finish within {self.allowed:g} s"
            except _Excess as excess:
                return str(excess)
            finally:
                self.used += child.seconds()

    def _listen(self, child: Child) -> str:
        until = self._until(0.0, START)
        while event := child.next(until, look=lambda: _look(child, self.limits)):
            kind, call = event["event"], self._call(event)
            now = child.seconds()
            if kind == "end":
                return ""
            if kind == "cell" and event.get("index") in range(len(self.cells)):
                self.cell, self.call, until = event["index"], None, self._until(now, self.limits.cell)
            elif call is None:
                continue
            elif kind == "input" and event.get("index") in range(MOST_INPUTS):
                self.index = event["index"]
                if call != self.call:
                    self.call, until = call, self._until(now, self.seconds[call[0]])
            elif kind in ("answer", "broken"):
                self.note(call, event)
                self.call, until = None, self._until(now, self.limits.cell)
        return "ended its Python process"

    def _call(self, event: Event) -> Call | None:
        """The call of check that an event says it is of, None where there can be no such call."""
        id, cell, number = event.get("id"), event.get("cell"), event.get("number")
        if not isinstance(id, str) or not isinstance(cell, int) or not isinstance(number, int):
            return None
        possible = id in self.seconds and cell in range(len(self.cells)) and number in range(MOST_CALLS)
        return (id, cell, number) if possible else None

    def _until(self, now: float, seconds: float) -> float:
        """The time of this process until which `seconds` from now last, or what is left to the notebook."""
        left = self.limits.notebook - self.used
        self.allowed = seconds if now + seconds <= left else self.limits.notebook
        return min(left, now + seconds)

    def note(self, call: Call, event: Event) -> None:
        """Keep what is said of an answer, where no later call of check has had its word."""
        id, *place = call
        if tuple(place) >= self.places.get(id, (-1, -1)):
            self.events[id], self.places[id] = event, (place[0], place[1])

    def stop(self, why: str) -> bool:
        """Note that the process was stopped where it is; returns whether another one can go on."""
        if self.call is not None:
            self.stopped.add(self.call)
            self.note(self.call, {"event": "broken", "why": why, "index": self.index})
        elif self.cell is not None:
            self.skip.add(self.cell)
            self._unheard([self.cell], f"stopped: its cell {why}")
        if self.cell is not None and self.used < self.limits.notebook:
            return True
        begin = 0 if self.cell is None else self.cell
        self._unheard(range(begin, len(self.cells)), f"stopped: the notebook {why}")
        return False

    def _unheard(self, cells: Iterable[int], why: str) -> None:
        """Note what broke the checks in the text of these cells that were not heard."""
        for cell in cells:
            for id, _ in self.answers.get(cell, ()):
                if self.places.get(id, (-1, -1))[0] < cell:
                    self.note((id, cell, 0), {"event": "broken", "why": why})


def attempt(
    cells: Sequence[str],
    answers: Answers,
    seconds: Mapping[str, float],
    *,
    limits: Limits = USUAL,
    hide: Sequence[Path] = (),
    modules: Mapping[str, bytes] | None = None,
) -> dict[str, Event]:
    """Exercise id -> the `answer` or `broken` event of the last call of check for it.

    A process that hangs or dies is started again without the cell, or the call of check, in which it did.

    Args:
        cells: the notebook's code.
        answers: position of a cell -> (exercise id, expression of the answer) that its text checks: they are
            tried after it where the cell did not come to its check.
        seconds: id of every exercise that counts -> how long its answer may take.
        hide: folders that the process is not to see: submissions, grades.
        modules: name -> content of the modules that were handed in with it.
    """
    state = _Attempt(cells, answers, seconds, limits, hide, modules or {})
    while why := state.run():
        if not state.stop(why):
            break
    return state.events


@contextlib.contextmanager
def _process(hide: Sequence[Path], modules: Mapping[str, bytes]) -> Iterator[tuple[Child, str]]:
    """The process in an empty folder, and the folder of its modules; all it started ends with it."""
    with scratch() as (home, beside):
        for name, content in modules.items():
            write_whole(beside / name, content)
            (beside / name).chmod(0o444)
        words = shut_off(home, beside if modules else None, hide)
        command = [*words, sys.executable, "-m", "course_utils.tools.grading.child"]
        env = bare_environment(str(home)) | {MARK: secrets.token_hex(8)}
        child = Child(command, env=env, cwd=home, apart=True)
        try:
            yield child, str(beside) if modules else ""
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
