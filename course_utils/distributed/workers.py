"""Real processes that share a step: started once, given one function after another, ended in every case.

    workers = Workers(2)
    first, second = workers.run(function, x, y)        function(x, y) in each of them, at the same time
    workers.end()

Inside the function `torch.distributed` is ready: `get_rank()`, `all_reduce(...)`, `send(...)`, over gloo. The
processes meet through a file and speak over this machine's loopback, so that no network is needed.
"""

from __future__ import annotations

import os
import pickle
import queue
import sys
import tempfile
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import cloudpickle

from course_utils._checks import is_whole, require
from course_utils._files import write_whole
from course_utils.exercises.engine.child import Child, Line, exit_with_children

_ROOT = str(Path(__file__).resolve().parents[2])
_GRACE = 3.0  # seconds for the others to say what they met, once one has failed
_MOMENT = 0.05  # seconds for one, before the next is looked at
_LOOPBACK = {"linux": "lo", "darwin": "lo0"}  # else gloo asks for this machine's name, which may lead nowhere
_WORKER = "from course_utils.distributed.workers import serve; serve()"


class WorkerError(RuntimeError):
    """A function did not come to its end in every worker.

    Attributes:
        died: the ranks whose process has gone.
        raised: rank -> the last line of what it raised.
    """

    def __init__(self, message: str, died: tuple[int, ...], raised: dict[int, str]) -> None:
        super().__init__(message)
        self.died, self.raised = died, raised


class Workers:
    """Processes on this machine that run one function together.

    They start at once and get ready while you go on. They end with `end()`, at the end of a `with` block,
    when this object or this process ends, however that is, and when a function fails or is interrupted:
    what the others were doing then is unknown. The next `run` starts new ones, as that of a fork does: it
    leaves alone those of the process that it comes from.

    Args:
        count: how many, >= 1. Each takes a second or two to start, and computes on one thread.
        seconds: how long a function may take, in a worker's own time, > 0; one waits as long for others.
    Raises: ValueError for a count or seconds out of range.
    """

    def __init__(self, count: int = 2, *, seconds: float = 60.0) -> None:
        require(is_whole(count) and count >= 1, "a whole number of workers >= 1", count=count)
        require(seconds > 0, "seconds > 0", seconds=seconds)
        self.count, self.seconds = int(count), seconds
        self._children: list[Child] = []
        self._folders: list[tempfile.TemporaryDirectory[str]] = []
        self._ready = False
        self._finalizer = weakref.finalize(self, _end, self._children, self._folders)
        _STARTED.add(self)
        self._start()

    def run(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """What `function(*arguments)` returns in each worker, in the order of their ranks.

        The function may be one of a notebook: it goes with what it uses (by cloudpickle). Arguments and
        results are copies. What it prints is lost.

        Raises: WorkerError where a worker raised, died or took too long. All of them are ended then.
        """
        request = cloudpickle.dumps((function, arguments))
        try:
            self._start()
            if not self._ready:
                self._listen("start")
                self._ready = True
            for child in self._children:
                child.send(len(request).to_bytes(8, "big"))
                child.send(request)
            self._listen("finish")
            folder = Path(self._folders[0].name)
            return [pickle.loads((folder / f"reply-{rank}").read_bytes()) for rank in range(self.count)]
        except OSError as error:
            self.end()
            raise WorkerError(f"a worker has ended before it was asked ({error})", (), {}) from None
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """End the processes and what they have started; harmless where there are none."""
        _end(self._children, self._folders)
        self._ready = False

    @property
    def pids(self) -> list[int]:
        """The processes' numbers, by rank; empty after `end()`."""
        return [child.process.pid for child in self._children]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _leave(self) -> None:
        """In a fork: these processes are another's. They are kept, as to forget a folder is to remove it."""
        _LEFT.extend([*self._children, *self._folders])
        self._children.clear()
        self._folders.clear()
        self._ready = False

    def _start(self) -> None:
        if self._children:
            return
        self._folders.append(tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True))
        paths = [_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
        settings = {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        if sys.platform in _LOOPBACK:
            settings["GLOO_SOCKET_IFNAME"] = _LOOPBACK[sys.platform]
        for rank in range(self.count):
            about = [self._folders[0].name, str(rank), str(self.count), str(self.seconds)]
            # apart: an interrupt of the notebook is for the notebook
            command = [sys.executable, "-c", _WORKER, *about]
            self._children.append(Child(command, env=os.environ | settings, apart=True))

    def _listen(self, what: str) -> None:
        """Wait until each worker has said that it is done; look at all of them, as one may fail alone."""
        waiting = dict(enumerate(self._children))
        until = {rank: child.seconds() + self.seconds for rank, child in waiting.items()}
        died: list[int] = []
        raised: dict[int, str] = {}
        late: list[int] = []
        deadline = float("inf")
        while waiting and time.monotonic() < deadline:
            for rank, child in list(waiting.items()):
                try:
                    event = child.next(until=child.seconds() + _MOMENT)
                except TimeoutError:
                    if child.seconds() > until[rank]:
                        late.append(rank)
                        del waiting[rank]
                else:
                    del waiting[rank]
                    if event is None:
                        died.append(rank)
                    elif event["event"] == "raised":
                        raised[rank] = event["text"]
            if died or raised or late:
                deadline = min(deadline, time.monotonic() + _GRACE)
        if died or raised or late:
            said = [f"worker {rank} has died" for rank in died]
            said += [f"worker {rank} took longer than {self.seconds:g} s" for rank in late]
            said += [f"worker {rank} raised {text}" for rank, text in raised.items()]
            raise WorkerError(f"the workers did not {what}: {'; '.join(said)}", tuple(died), raised)


_STARTED: weakref.WeakSet[Workers] = weakref.WeakSet()
_LEFT: list[Any] = []


def _leave_all() -> None:
    for workers in list(_STARTED):
        workers._leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all)


def _end(children: list[Child], folders: list[tempfile.TemporaryDirectory[str]]) -> None:
    for child in children:
        child.end()
    children.clear()
    for folder in folders:
        folder.cleanup()
    folders.clear()


# --- in a worker -----------------------------------------------------------------------------------


def serve() -> None:
    """Run what is asked, one function after another, until nobody is left to ask."""
    line = Line()
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(line.requests, requests), daemon=True).start()
    folder, rank, count, seconds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    import torch.distributed as dist
    from torch._C._distributed_c10d import FileStore

    store = FileStore(str(folder / "meeting"), count)
    limit = timedelta(seconds=seconds)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=count, timeout=limit)
    line.tell("started")
    while True:
        try:
            function, arguments = pickle.loads(requests.get())
            write_whole(folder / f"reply-{rank}", cloudpickle.dumps(function(*arguments)))
            line.tell("done")
        except BaseException as error:  # sys.exit() in it, too, is an answer
            line.tell("raised", text=traceback.format_exception_only(error)[-1].strip())


def _read(stream: BinaryIO, requests: queue.SimpleQueue[bytes]) -> None:
    """Requests as they come. At their end whoever asked has gone, and this process goes, whatever it does."""
    while head := stream.read(8):
        requests.put(stream.read(int.from_bytes(head, "big")))
    exit_with_children()
