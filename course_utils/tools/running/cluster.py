"""Lessons on a Dask cluster: each goes to a worker as text; what it gave comes back, and is written here.

    here                                  a worker: its own disk, the same package
    RemoteJob(notebook, ...)       ->     a process of its own runs the lesson in a folder of its own
    keep(outcome)                  <-     Outcome(result, executed copy, claims)

A worker that is lost gives its lesson to another one (the scheduler's `allowed-failures` says how often).
Where the one who asked is gone, or no longer wants the lesson, its process ends.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from course_utils._files import write_whole
from course_utils.exercises.engine.child import exit_with_children
from course_utils.tools.lessons import LessonError
from course_utils.tools.running.fingerprints import standing
from course_utils.tools.running.results import Event, Folders, Job, Outcome, Result, failed, keep

CONNECT = 10.0  # seconds for the scheduler to answer
PATIENCE = 60.0  # seconds without any worker before the lessons that are left count as failed
INSTALL = "python -m pip install dask distributed"


@dataclass(frozen=True)
class RemoteJob:
    """A lesson as it travels: no path of this machine, nothing of torch."""

    name: str  # 05_topic.ipynb
    notebook: bytes
    profile: str
    parameters: Mapping[str, Any]
    limits: tuple[float, float, float]
    fingerprint: str
    standing: Mapping[str, Mapping[str, str]]  # of changes.py, here
    topic: str  # under which the worker says that it begins


# ---- here


class Cluster:
    """A connection to the scheduler at `address` (`tcp://host:8786`; `tls://` as Dask's configuration says).

    Raises: LessonError where Dask is not installed, or no scheduler answers.
    """

    def __init__(self, address: str, *, patience: float = PATIENCE) -> None:
        try:
            import distributed
        except ModuleNotFoundError:
            raise LessonError(f"a cluster needs Dask, which is not installed: {INSTALL}") from None
        connect: Any = distributed.Client
        try:
            self.client = connect(address, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError) as problem:  # a TimeoutError is an OSError
            raise LessonError(f"no Dask scheduler answers at {address}: {problem}") from None
        self.address = address
        self.patience = patience

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    def size(self) -> int:
        """How many lessons can run at the same time: the threads of all workers."""
        return int(sum(self.client.nthreads().values()))

    def events(self, jobs: Sequence[Job]) -> Generator[Event, None, None]:
        """Yield ("started", lesson, None), ("finished", lesson, result), ("waiting", "", None).

        Closed before its end, it calls back the lessons that are left.
        """
        topic = f"course-{secrets.token_hex(4)}"
        waiting = {job.path.stem: job for job in jobs}
        begun: set[str] = set()
        news: queue.Queue[tuple[str, Any]] = queue.Queue()
        futures: dict[str, Any] = {}
        empty_since: float | None = None
        self.client.subscribe_topic(topic, lambda event: news.put((event[1], None)))
        try:
            for job in jobs:
                future = self.client.submit(
                    _run_on_worker, _remote(job, topic), key=f"{topic}-{job.path.stem}"
                )
                futures[job.path.stem] = future
                future.add_done_callback(partial(_report, news, job.path.stem))
            while waiting:
                try:
                    lesson, future = news.get(timeout=0.5)
                except queue.Empty:
                    yield "waiting", "", None
                    empty_since = None if self._has_workers() else empty_since or time.monotonic()
                    if empty_since and time.monotonic() - empty_since > self.patience:
                        reason = f"the cluster at {self.address} had no worker for {self.patience:g} s"
                        for lesson, job in waiting.items():
                            yield "finished", lesson, failed(job, reason)
                        return
                    continue
                if lesson not in waiting:
                    continue  # news of its beginning that came after its end
                if future is None or lesson not in begun:
                    begun.add(lesson)
                    yield "started", lesson, None
                if future is not None:
                    result = self._result(waiting.pop(lesson), future)
                    # The cluster runs again what is still held when its worker dies.
                    futures.pop(lesson).release()
                    yield "finished", lesson, result
        finally:
            with contextlib.suppress(OSError):  # the scheduler may be gone by now
                self.client.cancel([futures[lesson] for lesson in waiting if lesson in futures], force=True)

    def _has_workers(self) -> bool:
        try:
            return self.size() > 0
        except OSError:
            return False

    def _result(self, job: Job, future: Any) -> Result:
        if future.status == "cancelled":
            return failed(job, f"the connection to the scheduler at {self.address} was lost")
        if future.status != "finished":
            problem = future.exception()
            return failed(job, f"the cluster could not run it: {type(problem).__name__}: {problem}")
        try:
            return keep(future.result(), job)
        except Exception as problem:  # a full disk; an answer lost with its worker
            return failed(job, f"what it gave could not be kept: {type(problem).__name__}: {problem}")


def _report(news: queue.Queue[tuple[str, Any]], lesson: str, future: Any) -> None:
    news.put((lesson, future))


def _remote(job: Job, topic: str) -> RemoteJob:
    return RemoteJob(
        job.path.name,
        job.path.read_bytes(),
        job.folders.profile,
        dict(job.parameters),
        (job.start_limit, job.cell_limit, job.lesson_limit),
        job.fingerprint,
        standing(job.path),
        topic,
    )


# ---- on a worker


def _run_on_worker(job: RemoteJob) -> Outcome:
    """Run a lesson in a process of its own, which a thread of the worker waits for."""
    from distributed import get_worker

    worker: Any = get_worker()
    key = worker.get_current_task()
    worker.log_event(job.topic, job.name.removesuffix(".ipynb"))

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state != "cancelled"

    return in_process(job, wanted, where=worker.address)


def in_process(job: RemoteJob, wanted: Callable[[], bool], *, where: str) -> Outcome:
    """What a lesson gives in a process of its own; ended as soon as it is not `wanted`.

    The process reads from a pipe that nobody writes to. However this one ends, the pipe does, too, and with
    it the process.
    """
    code = "from course_utils.tools.running import cluster; cluster.serve()"
    with tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        write_whole(folder / "job", pickle.dumps(job))
        with (
            open(folder / "output", "wb") as output,
            subprocess.Popen(
                [sys.executable, "-c", code, scratch], stdin=subprocess.PIPE, stdout=output, stderr=output
            ) as process,
        ):
            while process.poll() is None and wanted():
                try:
                    process.wait(timeout=0.5)
                except subprocess.TimeoutExpired:
                    continue
            if process.stdin:
                process.stdin.close()
        if (folder / "outcome").exists():
            outcome: Outcome = pickle.loads((folder / "outcome").read_bytes())
            return outcome
        last = (folder / "output").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    reason = f"its process on {where} ended with status {process.returncode}, killed or out of memory"
    return _refused(job, "\n".join([reason, *last]))


def serve() -> None:
    """In that process: run the lesson of the folder that is named as argument."""
    threading.Thread(target=_end_with_the_pipe, daemon=True).start()
    from course_utils.tools.running.execute import attempt

    folder = Path(sys.argv[1])
    tempfile.tempdir = str(folder)  # whoever waits for this process removes it
    job: RemoteJob = pickle.loads((folder / "job").read_bytes())
    path = folder / job.name
    write_whole(path, job.notebook)
    if other := differences(job.standing, standing(path)):
        cure = "install the same course there"
        outcome = _refused(job, f"the worker's course is another one: {'; '.join(other)}; {cure}")
    else:
        folders = Folders(folder, job.profile)
        outcome = attempt(Job(path, folders, job.parameters, *job.limits, job.fingerprint))
    write_whole(folder / "outcome", pickle.dumps(outcome))


def differences(
    here: Mapping[str, Mapping[str, str]], there: Mapping[str, Mapping[str, str]], most: int = 5
) -> list[str]:
    """Why a lesson would not give there what it gives here: other versions, other files of the package.

    Builds of one torch (CPU, CUDA) and patch releases of one Python count as the same.
    """
    reasons = []
    for name, ours in here["versions"].items():
        theirs = there["versions"][name]
        if _release(name, ours) != _release(name, theirs):
            reasons.append(f"{name} {theirs or 'missing'}, here {ours}")
    files = {*here["files"], *there["files"]}
    other = sorted(file for file in files if here["files"].get(file) != there["files"].get(file))
    reasons += [f"course_utils/{file} differs" for file in other[:most]]
    return reasons + ([f"and {len(other) - most} more files"] if len(other) > most else [])


def _release(name: str, version: str) -> str:
    return ".".join(version.split(".")[:2]) if name == "python" else version.partition("+")[0]


def _refused(job: RemoteJob, reason: str) -> Outcome:
    lesson = job.name.removesuffix(".ipynb")
    return Outcome(Result(lesson, profile=job.profile, state="failed", error=reason))


def _end_with_the_pipe() -> None:
    os.read(0, 1)
    exit_with_children()
