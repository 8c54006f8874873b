"""A learner's own copies of the lessons: handed out once, renewed only where they were not changed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from course_utils._files import write_whole
from course_utils.tools import lessons

MANIFEST = ".handed-out.json"  # lesson -> digests of every edition that was handed out
NEW = ".new-edition.ipynb"


def hand_out(notebooks: str | Path, workspace: str | Path) -> list[str]:
    """Bring `workspace` up to date with `notebooks`; return a line for each thing done.

    A copy that is as it was handed out is replaced by a newer edition. One that its reader changed stays,
    and the new edition is placed beside it as `NN_topic.new-edition.ipynb`. A copy that its reader
    deleted comes back.

    Raises: LessonError where there is no lesson; then nothing is written.
    """
    workspace, sources = Path(workspace), lessons.find(notebooks)
    workspace.mkdir(parents=True, exist_ok=True)
    handed_out = _load(workspace / MANIFEST)
    lines, copied = [], 0
    for source in sources:
        edition = source.read_bytes()
        digest = _digest(edition)
        copy = workspace / source.name
        known = handed_out.setdefault(source.name, [])
        if not copy.exists():
            write_whole(copy, edition)
            copied += 1
        elif (current := _digest(copy.read_bytes())) == digest:
            pass
        elif current in known:
            write_whole(copy, edition)
            lines.append(f"{source.name}: replaced by the new edition; you had not changed it")
        elif digest not in known:
            beside = workspace / (source.stem + NEW)
            line = f"{source.name}: yours stays as it is; the new edition is beside it, {beside.name}"
            if beside.exists() and _digest(beside.read_bytes()) not in (*known, digest):
                beside = _free(workspace, source.stem)  # the reader worked in the last new edition, too
                line = f"{source.name}: yours stays as it is; the new edition is {beside.name}"
            write_whole(beside, edition)
            lines.append(line)
        if digest not in known:
            known.append(digest)
            _save(workspace / MANIFEST, handed_out)
    if copied:
        lines.insert(0, f"{copied} lesson{'s' * (copied > 1)} copied to {workspace}")
    return lines or [f"your copies in {workspace} are up to date"]


def open_lab(workspace: str | Path, *, browser: bool = True) -> int:
    """JupyterLab in `workspace`, with this Python as its kernel, until it is closed; its exit status."""
    from course_utils.tools.running.kernel import environment

    with tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True) as scratch:
        jupyter = environment(scratch, scratch)["JUPYTER_PATH"]
        command = [sys.executable, "-m", "jupyterlab", "--ServerApp.root_dir", str(Path(workspace).resolve())]
        command += [] if browser else ["--no-browser"]
        with subprocess.Popen(command, env={**os.environ, "JUPYTER_PATH": jupyter}) as server:
            while True:
                try:
                    return server.wait()
                except KeyboardInterrupt:
                    continue  # JupyterLab has heard it too, asks whether to stop, and stops by itself


def _free(workspace: Path, stem: str) -> Path:
    """A name for a new edition that nothing has."""
    number = 2
    while (path := workspace / f"{stem}.new-edition-{number}.ipynb").exists():
        number += 1
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


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
