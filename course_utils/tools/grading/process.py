"""Runs one student's notebook in a process that is watched, and brings back what it says.

The process has an empty folder, a clean environment, limits of time and memory, and is ended with all it has
started. Where Linux lets this user do so (`unshare`), it also sees no other process, no network, and an empty
folder in the place of the submissions.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from course_utils.tools.grading.isolation import environment, shut_off, tasks, to_hide

MOST_SAID = 64_000_000  # bytes that one process may say
MOST_PROCESSES = 64
START = 60.0  # seconds until the first cell
MARK = "COURSE_GRADE_MARK"


@dataclass(frozen=True)
class Limits:
    """Seconds for the whole notebook and for a cell, bytes of memory beyond Python's and torch's own."""

    notebook: float = 300.0
    cell: float = 60.0
    memory: int = 2_000_000_000


USUAL = Limits()


def attempt(
    cells: Sequence[str],
    answers: Mapping[int, Sequence[tuple[str, str]]],
    seconds: Mapping[str, float],
    *,
    limits: Limits = USUAL,
    hide: Path | None = None,
) -> dict[str, dict[str, Any]]:
    """Exercise id -> its `answer` or `broken` event.

    A process that hangs or dies is started again without the cell, or the exercise, in which it did.

    Args:
        cells: the notebook's code up to the last answer.
        answers: position of a cell -> (exercise id, expression of the answer) to try after it.
        seconds: exercise id -> how long its answer may take.
        hide: the folder of submissions.
    """
    found: dict[str, dict[str, Any]] = {}
    skip: set[int] = set()
    deadline = time.monotonic() + limits.notebook
    while True:
        left = {
            index: [one for one in some if one[0] not in found]
            for index, some in answers.items()
            if index not in skip
        }
        if not any(left.values()):
            return found
        last = max(index for index, some in left.items() if some)
        request = {
            "cells": list(cells[: last + 1]), "answers": left, "skip": sorted(skip), "memory": limits.memory,
            "seconds": limits.notebook, "processes": tasks() + 2 * MOST_PROCESSES,
        }  # fmt: skip
        wanted = {id for some in left.values() for id, _ in some}
        cell, exercise, why = _once(request, found, wanted, seconds, limits, deadline, hide)
        if exercise:
            found[exercise] = {
                "event": "broken",
                "id": exercise,
                "why": f"stopped: it {why}",
                "stopped": True,
            }
        elif cell is not None and time.monotonic() < deadline:
            skip.add(cell)
            for id, _ in left.get(cell, []):
                found[id] = {"event": "broken", "id": id, "why": f"stopped: its cell {why}", "stopped": True}
        else:
            for id in wanted - set(found):
                found[id] = {
                    "event": "broken",
                    "id": id,
                    "why": f"stopped: the notebook {why}",
                    "stopped": True,
                }


def _once(
    request: dict[str, Any],
    found: dict[str, dict[str, Any]],
    wanted: set[str],
    seconds: Mapping[str, float],
    limits: Limits,
    deadline: float,
    hide: Path | None,
) -> tuple[int | None, str, str]:
    """One process, to its end. Adds to `found`; returns the cell and exercise it was in, and what it did."""
    cell: int | None = None
    exercise, why = "", ""
    until = min(deadline, time.monotonic() + START)
    with _process(request, hide) as (process, events):
        while True:
            try:
                event = events.get(timeout=0.1)
            except queue.Empty:
                why = _excess(process, limits)
                if not why and time.monotonic() > until:
                    why = "did not finish in its time"
                if why:
                    return cell, exercise, why
                continue
            kind, id = event.get("event"), event.get("id")
            now = time.monotonic()
            if kind == "gone":
                return cell, exercise, "ended its Python process"
            if kind == "end":
                return None, "", "gave no answer"
            if kind == "cell" and event.get("index") in range(len(request["cells"])):
                cell, exercise, until = event["index"], "", min(deadline, now + limits.cell)
            elif kind == "input" and id in wanted and id not in found:
                if id != exercise:
                    exercise, until = id, min(deadline, now + seconds[id])
            elif kind in ("answer", "broken") and id in wanted:
                found.setdefault(id, event)
                exercise, until = "", min(deadline, now + limits.cell)


@contextlib.contextmanager
def _process(
    request: dict[str, Any], hide: Path | None
) -> Iterator[tuple[subprocess.Popen[bytes], queue.Queue[dict[str, Any]]]]:
    """The process with its request sent, and the queue of its events; all it started ends with it."""
    mark = secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True) as scratch:
        child = [sys.executable, "-m", "course_utils.tools.grading.child"]
        process = subprocess.Popen(
            [*shut_off(to_hide(hide, Path(scratch))), *child],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=scratch,
            env=environment(scratch) | {MARK: mark},
            start_new_session=True,
        )
        events: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=_listen, args=(process, events), daemon=True).start()
        try:
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                process.stdin.write(json.dumps(request).encode())
                process.stdin.close()
            yield process, events
        finally:
            _end(process, mark)


def _listen(process: subprocess.Popen[bytes], events: queue.Queue[dict[str, Any]]) -> None:
    """Lines of the process as events; what is no event, or too much, ends the listening."""
    said = 0
    assert process.stdout is not None
    with process.stdout as lines:
        while line := lines.readline(MOST_SAID):
            said += len(line)
            if said >= MOST_SAID:
                break
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if (
                isinstance(event, dict)
                and event.get("event") != "gone"
                and isinstance(event.get("id", ""), str)
            ):
                events.put(event)
    events.put({"event": "gone"})


def _excess(process: subprocess.Popen[bytes], limits: Limits) -> str:
    """What the process has too much of, "" if nothing."""
    try:
        own = psutil.Process(process.pid)
        family = [own, *own.children(recursive=True)]
    except psutil.NoSuchProcess:
        return ""
    memory = 0
    for one in family:
        with contextlib.suppress(psutil.Error):
            memory += one.memory_info().rss
    if memory > limits.memory + 1_000_000_000:  # Python and torch themselves take less than that
        return "used more memory than it may"
    return "started too many processes" if len(family) > MOST_PROCESSES else ""


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    """End the process, its group, its descendants, and whatever else carries its mark."""
    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(process.pid).children(recursive=True)
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        process.kill()
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if one.environ().get(MARK) == mark:
                family.append(one)
    for one in family:
        with contextlib.suppress(psutil.Error):
            one.kill()
    process.wait(timeout=10)
    psutil.wait_procs(family, timeout=5)
