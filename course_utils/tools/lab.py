"""A learner's own copies of the lessons: handed out once, renewed only where they were not changed."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from course_utils._files import write_whole
from course_utils.tools import copies, lessons

MANIFEST = ".handed-out.json"  # lesson -> digests of every edition, and exercise cell, that was handed out
NEW, FRESH, MOVED = "new-edition", "fresh", "from-notebooks"  # NN_topic.<one of them>.ipynb
MOVED_MARK, ANSWERED = "moved ", "answered "  # before a digest in the manifest
JUPYTERLAB = Path(__file__).with_name("jupyterlab")  # what JupyterLab finds there: settings, an extension


def hand_out(notebooks: str | Path, workspace: str | Path) -> list[str]:
    """Bring `workspace` up to date with `notebooks`; return a line for each thing done.

    A copy whose sources are as they were handed out is replaced by a newer edition. One that its reader
    changed stays, and the new edition is placed beside it, with its answers, as
    `NN_topic.new-edition.ipynb`. A copy that its reader deleted comes back. What was done in `notebooks`
    itself is copied, too.

    Raises: LessonError where there is no lesson; then nothing is written.
    """
    workspace, sources = Path(workspace), lessons.find(notebooks)
    workspace.mkdir(parents=True, exist_ok=True)
    handed_out = _load(workspace / MANIFEST)
    lines, copied = [], 0
    committed = _committed(Path(notebooks))
    for source in sources:
        edition = committed.get(source.name) or source.read_bytes()
        digest = copies.digest(edition)
        copy = workspace / source.name
        known = handed_out.setdefault(source.name, [])
        before = list(known)
        if not copy.exists():
            write_whole(copy, copies.folded(edition))
            copied += 1
        elif (current := copies.digest(copy.read_bytes())) == digest:
            pass
        elif current in known:
            write_whole(copy, copies.folded(edition))
            lines.append(f"{source.name}: replaced by the new edition; you had not changed it")
        elif digest not in known:
            lines.append(_put_beside(edition, copy, known))
        known += [one for one in (digest, *copies.exercise_digests(edition)) if one not in known]
        if source.name in committed:
            lines.append(_take_from_notebooks(source, copy, digest, known))
        if known != before:
            _save(workspace / MANIFEST, handed_out)
    _take_progress(Path(notebooks), workspace)
    if copied:
        lines.insert(0, f"{copied} lesson{'s' * (copied > 1)} copied to {workspace}")
    return lines or [f"your copies in {workspace} are up to date"]


def put_fresh(notebooks: str | Path, workspace: str | Path, only: Iterable[str]) -> list[Path]:
    """Put lessons as they are published beside the learner's copies, and return the new files.

    Args:
        workspace: one that `hand_out` has brought up to date.
        only: numbers or names of the lessons.
    Raises: LessonError for a lesson that does not exist; then nothing is written.
    """
    workspace, sources = Path(workspace), lessons.find(notebooks, only)
    committed = _committed(Path(notebooks))
    handed_out = _load(workspace / MANIFEST)
    made = []
    for source in sources:
        edition = committed.get(source.name) or source.read_bytes()
        known = handed_out.get(source.name, [])
        path = _free(workspace / source.name, FRESH, [copies.digest(edition), *known])
        write_whole(path, copies.folded(edition))
        made.append(path)
    return made


def to_open(notebooks: str | Path, workspace: str | Path) -> Path:
    """The copy that its reader worked on last; the first lesson, where none was touched."""
    copies_of = {source: Path(workspace) / source.name for source in lessons.find(notebooks)}
    touched = [
        copy
        for source, copy in copies_of.items()
        if copy.exists() and copy.read_bytes() not in (edition := source.read_bytes(), copies.folded(edition))
    ]
    return max(touched, key=lambda copy: copy.stat().st_mtime, default=next(iter(copies_of.values())))


def open_lab(
    workspace: str | Path, *, first: Path | None = None, browser: bool = True, allow_root: bool = False
) -> int:
    """JupyterLab in `workspace`, with this Python as its kernel, until it is closed; its exit status.

    Args:
        first: the notebook in it that is opened.
        browser: whether to open a browser, or only print the address.
        allow_root: whether root may run it, which JupyterLab refuses unless told.
    """
    from course_utils.tools.running.kernel import ONE_THREAD, environment

    with tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True) as scratch:
        jupyter = os.pathsep.join([environment(scratch, scratch)["JUPYTER_PATH"], str(JUPYTERLAB)])
        settings = os.pathsep.join(filter(None, [str(JUPYTERLAB), os.environ.get("JUPYTER_CONFIG_PATH")]))
        root = Path(workspace).resolve()
        command = [sys.executable, "-m", "jupyterlab", "--ServerApp.root_dir", str(root)]
        if first is not None:
            address = quote(first.resolve().relative_to(root).as_posix())
            command += ["--LabApp.default_url", f"/lab/tree/{address}"]
        command += [] if browser else ["--no-browser"]
        command += ["--allow-root"] if allow_root else []
        paths = {"JUPYTER_PATH": jupyter, "JUPYTER_CONFIG_PATH": settings}
        variables = {**ONE_THREAD, **os.environ, **paths}  # as lessons are measured, unless told otherwise
        with subprocess.Popen(command, env=variables) as server:
            while True:
                try:
                    return server.wait()
                except KeyboardInterrupt:
                    continue  # JupyterLab has heard it too, asks whether to stop, and stops by itself


def is_root() -> bool:
    """Whether this is the superuser, as it is in most containers."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _put_beside(edition: bytes, copy: Path, known: list[str]) -> str:
    """Write a new edition beside a changed copy, its answers in it; the line that says so."""
    worked_on = [
        copy,
        *sorted(copy.parent.glob(f"{copy.stem}.{NEW}*.ipynb"), key=lambda path: path.stat().st_mtime),
    ]
    answered, ids = copies.with_answers(edition, [path.read_bytes() for path in worked_on], known)
    beside = _free(
        copy, NEW, [copies.digest(edition), *known, *(one.removeprefix(ANSWERED) for one in known)]
    )
    write_whole(beside, copies.folded(answered))
    if ids:  # a mark of its own: a copy with answers is never one that its reader had not changed
        known.append(ANSWERED + copies.digest(answered))
    line = f"{copy.name}: yours stays as it is; the new edition is beside it, {beside.name}"
    return f"{line}, with your answers to {', '.join(ids)}" if ids else line


def _take_from_notebooks(source: Path, copy: Path, digest: str, known: list[str]) -> str:
    """Copy what somebody did in the course's own copy of a lesson; the line that leads away from there."""
    mine, where = source.read_bytes(), f"{source.parent.name}/{source.name}"
    cure = f"`git restore {where}` lets updates in again"
    mark = MOVED_MARK + copies.digest(mine)  # not among the digests: a copy that holds work is a changed one
    if copies.digest(mine) == digest or mark in known:
        return f"{where}, the course's own, was opened there; nothing in it is lost, and {cure}"
    path = copy if copies.digest(copy.read_bytes()) == digest else _free(copy, MOVED, [])
    write_whole(path, mine)
    known.append(mark)
    return f"{where}, the course's own, was changed there; your work is now in {path.name}, and {cure}"


def _committed(folder: Path) -> dict[str, bytes]:
    """Name -> the committed bytes of each lesson that differs from them; nothing where there is no git."""
    git = ["git", "-C", str(folder)]
    try:
        changed = subprocess.run(
            [*git, "diff", "--name-only", "--relative", "-z", "HEAD", "--", "*.ipynb"],
            capture_output=True, check=True, timeout=30,
        ).stdout.decode()  # fmt: skip
        return {
            name: subprocess.run(
                [*git, "cat-file", "blob", f"HEAD:./{name}"], capture_output=True, check=True, timeout=30
            ).stdout
            for name in filter(None, changed.split("\0"))
            if "/" not in name and (folder / name).exists()
        }
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return {}


def _take_progress(notebooks: Path, workspace: Path) -> None:
    """Add what the exercises remember of work in `notebooks` to what they remember in `workspace`."""
    from course_utils.exercises.engine import progress_file
    from course_utils.tools.running.kernel import variables

    if not (notebooks / ".course" / "progress.json").exists():
        return
    with variables({"COURSE_PROGRESS_DIR": str(notebooks / ".course")}):
        records, _ = progress_file.read()
    with variables({"COURSE_PROGRESS_DIR": str(workspace / ".course")}):
        known, _ = progress_file.read()
        for id in records.keys() - known.keys():
            progress_file.update(id, functools.partial(_fill, records[id]))


def _fill(old: dict[str, Any], record: dict[str, Any]) -> None:
    record.update(old)


def _free(copy: Path, kind: str, known: Iterable[str]) -> Path:
    """A name beside a copy that nothing has, or whose file is as it was handed out."""
    path, number = copy.with_name(f"{copy.stem}.{kind}.ipynb"), 2
    while path.exists() and copies.digest(path.read_bytes()) not in known:
        path, number = copy.with_name(f"{copy.stem}.{kind}-{number}.ipynb"), number + 1
    return path


def _load(manifest: Path) -> dict[str, list[str]]:
    """What was handed out before. A damaged manifest is set aside: then every copy counts as changed."""
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
        return {str(name): [str(digest) for digest in digests] for name, digests in content.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, TypeError):
        os.replace(manifest, manifest.with_suffix(".damaged.json"))
        return {}


def _save(manifest: Path, handed_out: dict[str, list[str]]) -> None:
    write_whole(manifest, json.dumps(handed_out, indent=1) + "\n")
