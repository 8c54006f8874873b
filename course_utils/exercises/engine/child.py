"""Child processes that speak in events, on both sides, and how a family of processes is ended.

    child  = Child([sys.executable, "-m", "..."], env=...)        the parent: starts it,
    child.send(request)                                           asks,
    while event := child.next(until=child.seconds() + 10): ...    listens,
    child.end()                                                   ends it with all it has started

    line = Line()                                                 the child: reads line.requests,
    line.tell("input", index=0)                                   speaks in JSON, a line for each event

Limits are in the child's own time (`OwnTime`): on a busy machine no sound answer is stopped for being slow.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import psutil

Event = dict[str, Any]
MARK = "COURSE_CHILD_MARK"  # a variable that what a child starts inherits, and is found by
MOST_SAID = 64_000_000  # bytes that one child may say
_SLICE = 0.1  # seconds between two looks at a child
_RUNNING = (psutil.STATUS_RUNNING, psutil.STATUS_WAKING, psutil.STATUS_DISK_SLEEP)


class OwnTime:
    """Seconds that a process and its children computed, or waited for something else than a processor.

    Time in which they could have run and got no processor does not count. Where the system does not say who
    waits for what (it does on Linux), all time counts.

    Args:
        process: the process; it is to be read several times a second.
    """

    def __init__(self, process: psutil.Process) -> None:
        self.seconds = 0.0
        self._process = process
        self._at, self._computed = time.monotonic(), 0.0

    def read(self) -> float:
        """The seconds so far."""
        computed, waits = _state(self._process) if sys.platform == "linux" else (0.0, True)
        now = time.monotonic()
        self.add(now - self._at, computed - self._computed, waits=waits)
        self._at, self._computed = now, computed
        return self.seconds

    def add(self, elapsed: float, computed: float, *, waits: bool) -> None:
        """Count a slice of time: all of it where nobody wanted a processor, else what was computed in it."""
        self.seconds += elapsed if waits else min(max(computed, 0.0), elapsed)


class Child:
    """A child process and the thread that reads its events.

    Args:
        command: its command line; its stderr goes nowhere.
        apart: a session of its own, so that what it sends to its group reaches no one else.
    """

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None, apart: bool = False
    ) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            cwd=cwd,
            start_new_session=apart,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._mark, self._apart = env.get(MARK, ""), apart
        # A handle knows its process from a later one of the same number.
        self._handle = psutil.Process(self.process.pid)
        self._time, self._looked = OwnTime(self._handle), time.monotonic()
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, content: bytes, *, last: bool = False) -> None:
        """Write to the child's stdin; `last` closes it. Raises: OSError where the child has ended."""
        assert self.process.stdin is not None
        self.process.stdin.write(content)
        self.process.stdin.flush()
        if last:
            self.process.stdin.close()

    def seconds(self) -> float:
        """The child's own time so far."""
        return self._time.read()

    def next(self, until: float, look: Callable[[], None] = lambda: None) -> Event | None:
        """The next event; None at the end of the process.

        Args:
            until: of the child's own time.
            look: called several times a second; what it raises comes out here.
        Raises: TimeoutError past `until`.
        """
        while True:  # in slices, so that an interrupt is heard on Windows too
            if time.monotonic() - self._looked >= _SLICE:
                self._looked = time.monotonic()
                look()
                if self.seconds() > until:
                    raise TimeoutError
            with contextlib.suppress(queue.Empty):
                event = self._events.get(timeout=_SLICE)
                if event is None:
                    self._events.put(None)  # for whoever asks again
                return event

    def end(self) -> None:
        """End the process with all it has started; harmless where it has ended."""
        if self._apart and hasattr(os, "killpg") and self.process.returncode is None:
            with contextlib.suppress(OSError):
                os.killpg(self.process.pid, signal.SIGKILL)
        end_family(self._handle, mark=self._mark)
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait(timeout=10)
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def _listen(self) -> None:
        """Lines as events; what is none is passed over, too much of it ends the listening."""
        received = 0
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            while (line := lines.readline(MOST_SAID)) and received < MOST_SAID:
                received += len(line)
                with contextlib.suppress(ValueError, RecursionError):
                    event = json.loads(line)
                    if isinstance(event, dict) and isinstance(event.get("event"), str):
                        self._events.put(event)
        self._events.put(None)


class Line:
    """The child's side: stdin and stdout are kept for events, whatever else in it reads or prints."""

    def __init__(self) -> None:
        self.requests: BinaryIO = os.fdopen(os.dup(0), "rb")
        self.nowhere: BinaryIO = open(os.devnull, "r+b", buffering=0)  # noqa: SIM115  (as long as the process)
        self._events = os.fdopen(os.dup(1), "wb")
        for stream in (0, 1, 2):
            os.dup2(self.nowhere.fileno(), stream)

    def tell(self, event: str, **more: Any) -> None:
        """Send one event."""
        self._events.write(json.dumps({"event": event, **more}).encode() + b"\n")
        self._events.flush()


def end_family(process: psutil.Process, *, mark: str = "") -> None:
    """End a process, its descendants, and whatever else carries `mark` in its environment; wait for them.

    A process that has gone is no error, and another one that has its number by now is left alone.
    """
    family = _family(process)
    for one in psutil.process_iter() if mark else ():
        with contextlib.suppress(psutil.Error, OSError):
            if one.environ().get(MARK) == mark:
                family.append(one)
    _kill(family)
    psutil.wait_procs(family, timeout=5)


def exit_with_children() -> NoReturn:
    """End this process now, and whatever it has started before it."""
    _kill(psutil.Process().children(recursive=True))
    os._exit(1)


def _kill(family: Iterable[psutil.Process]) -> None:
    for process in family:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [*process.children(recursive=True), process]
    except psutil.Error:
        return []


def _state(process: psutil.Process) -> tuple[float, bool]:
    """Processor time of a family in seconds, and whether all of it waits for something else."""
    computed, waits = 0.0, True
    for member in _family(process):
        with contextlib.suppress(psutil.Error):
            times = member.cpu_times()
            computed += times.user + times.system + times.children_user + times.children_system
            waits = waits and member.status() not in _RUNNING
    return computed, waits
