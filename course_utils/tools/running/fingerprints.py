"""What a lesson's result depends on, as one fingerprint: where it is the old one, nothing need run again.

    fingerprint = hash(notebook, parameters, the modules that it imports, requirements.lock, torch, Python)

Modules are followed through their imports, by reading and not by running them, inside functions too. A module
that reads files (`data`, `recorded`) counts with its folder of files.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from course_utils.tools import lessons
from course_utils.tools.cells import imported

PACKAGE = Path(__file__).resolve().parents[2]
FOLDERS = {"data/datasets.py": "data/files", "recorded/record.py": "recorded/files"}  # module -> its files


def fingerprint(path: Path, parameters: Mapping[str, Any], package: Path = PACKAGE) -> str:
    """A hash of all that decides what the lesson at `path` gives with these parameters.

    Args:
        package: the folder of `course_utils`; the lock lies beside it.
    """
    notebook = lessons.read(path)
    cells = [[cell.cell_type, cell.source] for cell in notebook.cells]
    parts: dict[str, Any] = {"cells": cells, "parameters": dict(sorted(parameters.items()))}
    parts["lock"] = _digest(package.parent / "requirements.lock")
    parts |= standing(path, package)
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def standing(path: Path, package: Path = PACKAGE) -> dict[str, dict[str, str]]:
    """What the lesson at `path` stands on here: `versions` of Python and torch, digests of its `files`."""
    used = modules(path, package)
    files = used | {
        file
        for module, folder in FOLDERS.items()
        if package / module in used
        for file in (package / folder).rglob("*")
    }
    return {
        "versions": {"python": platform.python_version(), "torch": _version("torch")},
        "files": {file.relative_to(package).as_posix(): _digest(file) for file in sorted(files)},
    }


def modules(path: Path, package: Path = PACKAGE) -> set[Path]:
    """The files of `package` that a lesson imports, directly or through others, and its exercises."""
    code = [cell.source for cell in lessons.read(path).cells if cell.cell_type == "code"]
    waiting = {file for source in code for file in _imported(source, package)}
    return reached(waiting | set((package / "exercises").glob(f"lesson_{path.name[:2]}_*.py")), package)


def reached(files: Iterable[Path], package: Path = PACKAGE) -> set[Path]:
    """These files of `package`, and those that they import, directly or through others."""
    waiting, found = set(files), set[Path]()
    while waiting:
        file = waiting.pop()
        found.add(file)
        inside = ".".join([package.name, *file.relative_to(package).parts[:-1]])
        waiting |= _imported(file.read_text(encoding="utf-8"), package, inside) - found
    return found


def everything() -> bool:
    """Whether this is CI, which runs all lessons whatever has changed (`CI` is set)."""
    return os.environ.get("CI", "") not in ("", "0", "false")


@functools.cache
def _imported(source: str, package: Path, inside: str = "") -> set[Path]:
    """Files of the package that a source names in its imports; a broken cell names none.

    Args:
        inside: the package that the source is in, `course_utils.losses`, which `from .` starts from.
    """
    return {file for name in imported(source, inside=inside) for file in _files(name, package)}


def _files(name: str, package: Path) -> list[Path]:
    """`course_utils.a.b` -> the files that importing it runs: the package, a, and b."""
    head, *rest = name.split(".")
    if head != package.name:
        return []
    folder, found = package, [package / "__init__.py"]
    for part in rest:
        found += [folder / f"{part}.py", folder / part / "__init__.py"]
        folder /= part
    return [file for file in found if file.is_file()]


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
