"""Verdicts kept beside the table, so that grading goes on where it was interrupted.

What a notebook gave is kept under a fingerprint of all that decides it: its bytes and those of its modules,
the exercises, the limits, the course's code, Python and torch. What could not be run is not kept: it is tried
again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from course_utils._files import write_whole
from course_utils.exercises.engine.model import Exercise
from course_utils.tools.grading.process import Limits
from course_utils.tools.grading.rows import Row
from course_utils.tools.running.fingerprints import PACKAGE


def folder(out: Path) -> Path:
    """Where the verdicts of a table are kept."""
    return out.with_name(f"{out.name}.cache")


def fingerprint(
    notebook: bytes, modules: Mapping[str, bytes], exercises: Iterable[Exercise], limits: Limits
) -> str:
    """A hash of all that decides what a notebook gives."""
    parts = [
        hashlib.sha256(notebook).hexdigest(),
        *(f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in sorted(modules.items())),
        *(one.id for one in exercises),
        repr(limits),
        course(),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def digest(package: Path = PACKAGE) -> str:
    """A hash of the course's code as it is now, and of what runs it."""
    found = hashlib.sha256(platform.python_version().encode())
    for name in ("torch", "numpy", "ipython"):
        try:
            found.update(version(name).encode())
        except PackageNotFoundError:
            continue
    for path in sorted(package.rglob("*.py")):
        found.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


course = functools.cache(digest)


def load(place: Path, student: str, file: str) -> list[Row] | None:
    """The rows that were kept, as those of this student and file; None where there are none."""
    try:
        kept = json.loads(place.read_text(encoding="utf-8"))
        return [
            Row(
                student, id, state, diagnosis, file, tuple(lines), tuple((name, text) for name, text in facts)
            )
            for id, state, diagnosis, lines, facts in kept
        ] or None
    except (OSError, ValueError, TypeError):  # none, or torn
        return None


def save(place: Path, rows: Sequence[Row]) -> None:
    """Keep rows, unless something could not be run."""
    if not any(row.state == "failed" for row in rows):
        kept = [[row.exercise, row.state, row.diagnosis, row.lines, row.facts] for row in rows]
        write_whole(place, json.dumps(kept))
