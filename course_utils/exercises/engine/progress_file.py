"""A learner's progress: one JSON file, written whole, shared by several notebooks, never thrown away.

`$COURSE_PROGRESS_DIR/progress.json` (by default `.course/` in the current folder) holds for each exercise
its state, attempts, hints shown and the source last submitted, and for each quiz the choice that was made.
Under COURSE_HEADLESS=1 it is neither read nor written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from course_utils._files import write_whole
from course_utils.profiles import headless

Record = dict[str, Any]  # state, attempts, hints, source; or choice
T = TypeVar("T")
_VERSION = 1
_WAIT = 5.0  # seconds for another notebook to finish its write


def folder() -> Path:
    """Where progress is kept."""
    return Path(os.environ.get("COURSE_PROGRESS_DIR") or ".course")


def read() -> tuple[dict[str, Record], list[str]]:
    """All records by id, and lines to tell the learner (a damaged file, a folder that cannot be read).

    The file is written whole, so that no lock is needed to read it, unless it has to be set aside.
    """
    if headless() or not (folder() / "progress.json").exists():
        return {}, []
    try:
        records = _records(folder() / "progress.json")
    except OSError as error:
        return {}, [f"(progress cannot be read: {error.strerror or error} in {folder()})"]
    return (records, []) if records is not None else _locked(_load, {})


def update(id: str, change: Callable[[Record], None]) -> tuple[Record, list[str]]:
    """Read the file anew, change one record and write it, while no other notebook can.

    Returns: the changed record and lines to tell the learner. Where the file cannot be written the lesson
    goes on: the record is then as if this were the first attempt, and a line says so.
    """
    blank: Record = {}
    change(blank)
    if headless():
        return blank, []

    def apply() -> tuple[Record, list[str]]:
        records, notes = _load()
        record = records.setdefault(id, {})
        change(record)
        content = {"version": _VERSION, "exercises": records}
        write_whole(folder() / "progress.json", json.dumps(content, indent=1, sort_keys=True) + "\n")
        return record, notes

    return _locked(apply, blank)


def _locked(action: Callable[[], tuple[T, list[str]]], otherwise: T) -> tuple[T, list[str]]:
    """Runs `action` under the lock, which the operating system releases if its holder dies."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with FileLock(folder() / "progress.lock", timeout=_WAIT):
            return action()
    except Timeout:
        return otherwise, ["(progress not saved: another notebook holds progress.lock; run this again)"]
    except OSError as error:
        return otherwise, [f"(progress not saved: {error.strerror or error} in {folder()})"]


def _load() -> tuple[dict[str, Record], list[str]]:
    """The file's records; one that cannot be understood is renamed, and a line says so."""
    path = folder() / "progress.json"
    if not path.exists():
        return {}, []
    records = _records(path)
    if records is not None:
        return records, []
    n = 1
    while (aside := path.with_name(f"progress.damaged-{n}.json")).exists():
        n += 1
    os.replace(path, aside)
    return {}, [f"(progress.json could not be read; it is kept as {aside.name} and a new one begins)"]


def _records(path: Path) -> dict[str, Record] | None:
    """The records of a file, None where it cannot be understood: damaged, or of a later version."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        records = content["exercises"]
        if content.get("version", _VERSION) == _VERSION and all(_sound(one) for one in records.values()):
            return dict(records)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return None


def _sound(record: Any) -> bool:
    """A record whose known entries, where present, have their types; no count is below zero."""
    kinds = {"state": str, "attempts": int, "hints": int, "source": str, "choice": str}
    if not isinstance(record, dict) or not all(isinstance(record.get(k, t()), t) for k, t in kinds.items()):
        return False
    return bool(min(record.get("attempts", 0), record.get("hints", 0)) >= 0)
