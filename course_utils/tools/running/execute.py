"""One lesson, executed here and now: papermill, time limits, and what its record must say."""

from __future__ import annotations

import logging
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from course_utils.claim_records import parse, record_name
from course_utils.tools import lessons
from course_utils.tools.running import kernel
from course_utils.tools.running.results import Job, Outcome, Result, complaints, keep


class _KeepNotebook(NBClientEngine):  # type: ignore[misc]
    """papermill's own engine; keeps the notebook, which papermill drops where a lesson fails."""

    kept: nbformat.NotebookNode | None = None

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
        cls.kept = nb_man.nb
        super().execute_managed_notebook(nb_man, kernel_name, **options)


papermill_engines.register("course", _KeepNotebook)
logging.getLogger("papermill").setLevel(logging.CRITICAL)  # what went wrong is in the result


def execute(job: Job) -> Result:
    """Run a lesson in a fresh kernel and put its executed copy and its record in place, each whole.

    Nothing of an earlier run is touched before this one has ended.
    """
    return keep(attempt(job), job)


def attempt(job: Job) -> Outcome:
    """Run a lesson in a fresh kernel and return all that it gave; nothing is written to the job's folders.

    The kernel's folder is empty and its own, and goes with it.
    """
    begun = time.monotonic()
    result = Result(job.path.stem, profile=job.folders.profile, fingerprint=job.fingerprint)
    with tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True) as scratch:
        folder, written = Path(scratch) / "lesson", Path(scratch) / "records"
        folder.mkdir()
        written.mkdir()
        _KeepNotebook.kept = None
        try:
            source = lessons.read(job.path)
            result.title = lessons.title(source)
            with kernel.variables(kernel.environment(written, scratch)):
                _papermill_twice(source, job, folder, deadline=begun + job.lesson_limit)
        except Exception as problem:  # whatever it is, the other lessons go on
            result.error = _explain(problem, job)
        records = {path.name: path.read_bytes() for path in sorted(written.glob("claims-*.json"))}
    own = record_name(job.path.name)
    _judge(result, records.get(own), foreign=sorted(set(records) - {own}))
    result.finished = time.strftime("%Y-%m-%d %H:%M:%S %z")
    result.seconds = round(time.monotonic() - begun, 2)
    kept = _KeepNotebook.kept
    return Outcome(
        result,
        executed=nbformat.writes(kept) + "\n" if kept is not None else None,
        record=records.get(own),
    )


def _judge(result: Result, content: bytes | None, *, foreign: list[str]) -> None:
    problems = [result.error] if result.error else []
    problems += [f"{name} is another lesson's: a claim's id has the wrong number" for name in foreign]
    record, finished = None, not result.error
    try:
        record = None if content is None else parse(content)
    except ValueError as problem:
        problems.append(f"its record cannot be read: {problem}")
        finished = False
    problems += complaints(record, result.profile, finished=finished)
    result.claims = dict(Counter(claim["verdict"] for claim in record["claims"])) if record else {}
    result.error, result.state = "\n".join(problems), "failed" if problems else "passed"


def _papermill_twice(source: nbformat.NotebookNode, job: Job, folder: Path, *, deadline: float) -> None:
    """Start the kernel again, once, where it ended before its first answer.

    Its ports are chosen some time before it opens them: a lesson that starts at the same moment can
    have taken one.
    """
    log = folder.parent / "kernel.log"
    for last in (False, True):
        try:
            return _papermill(source, job, folder, log=log, deadline=deadline)
        except RuntimeError as problem:
            if "before replying" not in str(problem):
                raise
            if last:
                said = log.read_text(encoding="utf-8", errors="replace").strip() if log.exists() else ""
                raise RuntimeError(f"{problem}\n{said}".strip()) from None


def _papermill(source: nbformat.NotebookNode, job: Job, folder: Path, *, log: Path, deadline: float) -> None:
    defaults = lessons.parameters(source)
    papermill.execute_notebook(
        source,
        None,
        {name: value for name, value in job.parameters.items() if defaults.get(name) != value},
        engine_name="course",
        kernel_name="python3",
        kernel_manager_class=kernel.manager(log),
        language="python",
        progress_bar=False,
        request_save_on_cell_execute=False,
        start_timeout=job.start_limit,
        timeout_func=_limits(job.cell_limit, deadline),
        cwd=folder,
    )


def _limits(cell_limit: float, deadline: float) -> Callable[[object], float]:
    """Seconds that the next cell may take: its own limit, or what is left of the lesson's."""
    return lambda cell: max(0.1, min(cell_limit, deadline - time.monotonic()))


def _explain(problem: Exception, job: Job) -> str:
    if isinstance(problem, PapermillExecutionError):
        text = "\n".join(problem.traceback) or f"{problem.ename}: {problem.evalue}"
        return f"cell [{problem.exec_count}] raised {problem.ename}\n{_plain(text)}"
    if isinstance(problem, CellTimeoutError):
        limits = f"{job.cell_limit:g} s for a cell, {job.lesson_limit:g} s for the lesson"
        return f"a cell ran into a time limit ({limits})\n{_plain(str(problem))}"
    return f"{type(problem).__name__}: {_plain(str(problem))}"


def _plain(text: str) -> str:
    """Text without the terminal's colours."""
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).strip()
