"""Run the lessons: a few at a time, each in a worker process, with a bar, to the end whatever fails."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import psutil

from course_utils._checks import require
from course_utils.claim_records import record_name
from course_utils.exercises.engine.child import end_family, exit_with_children
from course_utils.tools import lessons
from course_utils.tools.running.fingerprints import fingerprint
from course_utils.tools.running.progress import Progress
from course_utils.tools.running.results import Event, Folders, Job, Result, failed, last_result

# Seconds for the start of a kernel, for a cell, for a lesson.
LIMITS = {"smoke": (60.0, 120.0, 300.0), "standard": (60.0, 300.0, 900.0), "full": (60.0, 7200.0, 14400.0)}


def run(
    notebooks: str | Path,
    build: str | Path,
    *,
    parameters: Mapping[str, Any] | None = None,
    only: Iterable[str] = (),
    workers: int = 2,
    limits: tuple[float, float, float] | None = None,
    bar: bool | None = None,
    changed: bool = False,
    scheduler: str | None = None,
) -> list[Result]:
    """Execute lessons and return what became of each, in teaching order.

    Executed copies go to `build/executed/<profile>/`, records to `build/records/<profile>/`; each is
    written whole when its lesson ends, so that an interrupt (Ctrl-C) leaves finished lessons as they are.

    Args:
        notebooks: the folder of the lessons.
        build: where everything goes.
        parameters: values for names of the parameters cells, or texts that are read as each lesson's default
            is (`lessons.given`); PROFILE is "standard" unless given.
        only: numbers or names of the lessons to run; empty for all.
        workers: lessons that run at the same time, one thread each.
        limits: seconds for (a kernel's start, a cell, a lesson); by default `LIMITS` of the profile.
        bar: a progress bar (True), a line for each finished lesson (False), or what fits the output (None).
        changed: run only lessons that did not pass before, or of which anything has changed since
            (`fingerprints.fingerprint`); of the others, return the earlier result.
        scheduler: address of a Dask scheduler, whose cluster then runs the lessons, as many at the same time
            as it can (`workers` does not count); what they give is written here.
    Raises:
        LessonError: before anything runs, for a lesson without one `parameters` cell, or a parameter or
            profile that does not exist, or a value of another kind; or where no scheduler answers.
        KeyboardInterrupt: after workers and kernels have been ended.
    """
    require(workers >= 1, "workers >= 1", workers=workers)
    jobs = _jobs(notebooks, Path(build).resolve(), parameters or {}, list(only), limits)
    before = {job.path.stem: last_result(job.folders.records, job.path.stem) for job in jobs}
    done = {
        job.path.stem: earlier
        for job in jobs
        if changed and (earlier := before[job.path.stem]) and _still_holds(job, earlier)
    }
    left = [job for job in jobs if job.path.stem not in done]
    seconds = {job.path.stem: earlier.seconds if (earlier := before[job.path.stem]) else None for job in left}
    left.sort(key=lambda job: -(seconds[job.path.stem] or float("inf")))  # the longest first
    with contextlib.ExitStack() as stack:
        source = _events(left, min(workers, len(left)))
        if scheduler:
            from course_utils.tools.running.cluster import Cluster

            cluster = stack.enter_context(Cluster(scheduler))
            source, workers = cluster.events(left), max(1, cluster.size())
        progress = stack.enter_context(Progress(seconds, workers=workers, bar=bar))
        progress.unchanged(done)
        done |= _follow(stack.enter_context(contextlib.closing(source)), progress)
    return [done[job.path.stem] for job in jobs]


def _jobs(
    notebooks: str | Path,
    build: Path,
    parameters: Mapping[str, Any],
    only: Sequence[str],
    limits: tuple[float, float, float] | None,
) -> list[Job]:
    """The lessons asked for, each of which takes the parameters; others leave no record behind."""
    wanted = {"PROFILE": "standard", **parameters}
    values = _all_given(lessons.find(notebooks, only), wanted)
    folders = Folders(build, wanted["PROFILE"])
    if not only:
        _forget_others(folders.records, keep={path.stem for path in values})
    seconds = limits or LIMITS[folders.profile]
    return [
        Job(path.resolve(), folders, own, *seconds, fingerprint(path, own)) for path, own in values.items()
    ]


def _follow(events: Iterable[Event], progress: Progress) -> dict[str, Result]:
    """Show the progress of lessons until all have ended; what became of each."""
    results = {}
    for event, lesson, result in events:
        if event == "started":
            progress.started(lesson)
        elif result is not None:
            results[lesson] = result
            progress.finished(result)
        progress.tick()
    return results


def _still_holds(job: Job, earlier: Result) -> bool:
    """Whether an earlier result is what a run would give again, and all that the run left is there."""
    left = job.folders.executed / job.path.name, job.folders.records / record_name(job.path.name)
    return (
        earlier.state == "passed"
        and earlier.fingerprint == job.fingerprint
        and all(p.is_file() for p in left)
    )


def _forget_others(records: Path, *, keep: set[str]) -> None:
    """Remove records of lessons that are no longer in the course, so that no report shows them."""
    for path in records.glob("run-*.json"):
        lesson = path.stem.removeprefix("run-")
        if lesson not in keep:
            path.unlink()
            if lesson[:2] not in {name[:2] for name in keep}:
                (records / record_name(lesson)).unlink(missing_ok=True)


def _all_given(paths: Sequence[Path], wanted: Mapping[str, Any]) -> dict[Path, dict[str, Any]]:
    """Lesson -> its own values of what is wanted. Raises: LessonError, which names all that refuse."""
    values, problems = {}, []
    for path in paths:
        try:
            values[path] = lessons.given(path, wanted)
        except lessons.LessonError as problem:
            problems.append(str(problem))
    if problems:
        raise lessons.LessonError("\n".join(problems))
    return values


def _events(jobs: Sequence[Job], workers: int) -> Generator[Event, None, None]:
    """Run the jobs; yield ("started", lesson, None), ("finished", lesson, result), ("waiting", "", None)."""
    waiting: queue.Queue[Job] = queue.Queue()
    for job in jobs:
        waiting.put(job)
    happened: queue.Queue[Event] = queue.Queue()
    threads = [_Worker(waiting, happened.put) for _ in range(workers)]
    left = len(jobs)
    try:
        for worker in threads:
            worker.start()
        while left:
            try:
                event = happened.get(timeout=0.5)
            except queue.Empty:
                event = ("waiting", "", None)
            left -= event[0] == "finished"
            yield event
    finally:
        for worker in threads:
            worker.end(now=left > 0)
        for worker in threads:
            worker.join()


class _Worker(threading.Thread):
    """A process that runs one lesson after another, and a thread that feeds it.

    A process of its own for each thread: where one dies, it is known with which lesson, and another
    takes its place.
    """

    def __init__(self, waiting: queue.Queue[Job], report: Callable[[Event], None]) -> None:
        super().__init__(daemon=True)
        self.waiting, self.report = waiting, report
        self.process: psutil.Process | None = None
        self.stop = threading.Event()

    def run(self) -> None:
        pool = None
        try:
            while not self.stop.is_set():
                try:
                    job = self.waiting.get_nowait()
                except queue.Empty:
                    return
                self.report(("started", job.path.stem, None))
                try:
                    if pool is None:
                        pool = ProcessPoolExecutor(
                            1, mp_context=multiprocessing.get_context("spawn"), initializer=_begin
                        )
                        self.process = psutil.Process(pool.submit(os.getpid).result())
                        if self.stop.is_set():
                            return
                    result = pool.submit(_execute, job).result()
                except BrokenProcessPool:
                    pool = None
                    if self.stop.is_set():  # ended on purpose: the records stay as they were
                        return
                    result = failed(
                        job, "the process of this lesson was killed, or ran out of memory; try --workers 1"
                    )
                except Exception as problem:  # a full disk, a folder that cannot be written
                    result = failed(
                        job, f"what it gave could not be kept: {type(problem).__name__}: {problem}"
                    )
                if not self.stop.is_set():
                    self.report(("finished", job.path.stem, result))
        finally:
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)

    def end(self, *, now: bool) -> None:
        """Let the process go; with `now`, end it, its kernel and whatever these have started."""
        self.stop.set()
        if now and self.process is not None:
            end_family(self.process)


def _begin() -> None:
    """In a worker: what reaches the whole group (Ctrl-C, a closed terminal) is for the parent to decide.

    A kernel resets this for itself. Where the parent was killed outright the worker ends, too.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, frame: None)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    exit_with_children()


def _execute(job: Job) -> Result:
    from course_utils.tools.running.execute import execute

    return execute(job)
