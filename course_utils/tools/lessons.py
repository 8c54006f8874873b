"""The lessons as files: which there are, and what their parameters cell allows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.profiles import PROFILES

if TYPE_CHECKING:
    import nbformat


class LessonError(ValueError):
    """A lesson, or what was asked of it, is not fit to run; found before anything runs."""


def find(folder: str | Path, only: Iterable[str] = ()) -> list[Path]:
    """The lessons `NN_topic.ipynb` of a folder in teaching order.

    Args:
        folder: where the lessons are.
        only: numbers ("05"), names ("05_momentum") or paths of the lessons wanted; empty for all.
    Raises: LessonError where the folder has no lesson, or none of a wanted name.
    """
    there = sorted(path for path in Path(folder).glob("*.ipynb") if re.match(r"\d\d_", path.name))
    if not there:
        cure = "run this in a checkout of the course, or name the folder of its lessons: --notebooks"
        raise LessonError(f"need lessons named NN_topic.ipynb, found none in {folder}; {cure}")
    chosen = []
    for wanted in only:
        name = Path(wanted).name.removesuffix(".ipynb")
        matches = [path for path in there if name in (path.stem, path.name[:2])]
        if not matches:
            raise LessonError(
                f"no lesson {wanted!r} in {folder}; there are {', '.join(p.stem for p in there)}"
            )
        chosen += matches
    return sorted(set(chosen)) if chosen else there


def read(path: str | Path) -> nbformat.NotebookNode:
    """A lesson from its file. Raises: LessonError where the file is not a notebook of format 4."""
    import nbformat  # here: it takes a second, in which `--help` has long been read

    try:
        notebook: nbformat.NotebookNode = nbformat.read(str(path), as_version=4)  # type: ignore[no-untyped-call]
        return notebook
    except Exception as problem:  # nbformat raises whatever json, jsonschema or the disk raises
        raise LessonError(f"{Path(path).name} is not a readable notebook: {problem}") from problem


def title(notebook: nbformat.NotebookNode) -> str:
    """The first heading of a lesson, without its marks."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := re.search(r"^# +(.+)$", cell.source, re.MULTILINE)):
            return str(found.group(1)).strip()
    return ""


def parameters(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    """Names and defaults of the one cell tagged `parameters`.

    Raises: LessonError unless there is exactly one, made of plain assignments of constants.
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise LessonError(f"need exactly one cell tagged `parameters`, found {len(cells)}")
    try:
        found: dict[str, Any] = {}
        for statement in ast.parse(cells[0].source).body:
            if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
                raise ValueError("an assignment to one name")
            found[ast.unparse(statement.targets[0])] = ast.literal_eval(statement.value)
        return found
    except (ValueError, SyntaxError) as problem:
        raise LessonError("need plain assignments of constants in the `parameters` cell") from problem


def check(path: Path, wanted: Mapping[str, Any]) -> None:
    """Refuse a lesson that would ignore what is asked of it.

    Raises: LessonError for a parameter that the lesson does not have, or a profile that does not exist.
    """
    try:
        there = parameters(read(path))
        for name in wanted:
            if name not in there:
                raise LessonError(f"unknown parameter {name!r}; the lesson has {', '.join(there) or 'none'}")
        if wanted.get("PROFILE", PROFILES[0]) not in PROFILES:
            raise LessonError(f"unknown profile {wanted['PROFILE']!r}; there are {', '.join(PROFILES)}")
    except LessonError as problem:
        raise LessonError(f"{path.name}: {problem}") from None
