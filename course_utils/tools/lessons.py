"""The lessons as files: which there are, and what their parameters cell allows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils._files import write_whole
from course_utils.profiles import PROFILES

if TYPE_CHECKING:
    import nbformat


class LessonError(ValueError):
    """A lesson, or what was asked of it, is not fit to run; found before anything runs."""


def find(folder: str | Path, only: Iterable[str] = ()) -> list[Path]:
    """The lessons `NN_topic.ipynb` of a folder in teaching order.

    Args:
        folder: where the lessons are.
        only: numbers ("05"), names ("05_topic") or paths of the lessons wanted; empty for all.
    Raises: LessonError where the folder has no lesson, or none of a wanted name.
    """
    paths = sorted(path for path in Path(folder).glob("*.ipynb") if re.match(r"\d\d_", path.name))
    if not paths:
        cure = "run this in a checkout of the course, or name the folder of its lessons: --notebooks"
        raise LessonError(f"need lessons named NN_topic.ipynb, found none in {folder}; {cure}")
    chosen = []
    for wanted in only:
        name = Path(wanted).name.removesuffix(".ipynb")
        matches = [path for path in paths if name in (path.stem, path.name[:2])]
        if not matches:
            raise LessonError(
                f"no lesson {wanted!r} in {folder}; there are {', '.join(p.stem for p in paths)}"
            )
        chosen += matches
    return sorted(set(chosen)) if chosen else paths


def parts(readme: str) -> dict[str, str]:
    """Number -> the part that a lesson belongs to: the bold row above its own, "" above the first.

    Args:
        readme: the text of README.md, whose table lists the lessons.
    """
    by_number, part = {}, ""
    for line in readme.splitlines():
        if bold := re.match(r"\|\s*\|\s*\*\*(.+?)\*\*\s*\|", line):
            part = bold[1]
        elif row := re.match(r"\|\s*(\d\d)\s*\|", line):
            by_number[row[1]] = part
    return by_number


def read(path: str | Path) -> nbformat.NotebookNode:
    """A lesson from its file. Raises: LessonError where the file is not a notebook of format 4."""
    import nbformat  # here: it takes a second, in which `--help` has long been read

    try:
        notebook: nbformat.NotebookNode = nbformat.read(str(path), as_version=4)  # type: ignore[no-untyped-call]
        return notebook
    except Exception as problem:  # nbformat raises whatever json, jsonschema or the disk raises
        raise LessonError(f"{Path(path).name} is not a readable notebook: {problem}") from problem


def text(notebook: Any) -> str:
    """A notebook as the text of its file: sorted keys, an indent of one, a line at the end."""
    import nbformat

    return str(nbformat.writes(notebook)).rstrip("\n") + "\n"  # type: ignore[no-untyped-call]


def write(path: Path, notebook: Any) -> None:
    """Write a notebook to its file, whole; its folder is created."""
    write_whole(path, text(notebook))


def title(notebook: nbformat.NotebookNode) -> str:
    """The first heading of a lesson, without its marks."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (heading := re.search(r"^# +(.+)$", cell.source, re.MULTILINE)):
            return str(heading.group(1)).strip()
    return ""


def parameters(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    """Names and defaults of the one cell tagged `parameters`.

    Raises: LessonError unless there is exactly one, made of plain assignments of constants.
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise LessonError(f"need exactly one cell tagged `parameters`, found {len(cells)}")
    try:
        values: dict[str, Any] = {}
        for statement in ast.parse(cells[0].source).body:
            if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
                raise ValueError("an assignment to one name")
            values[ast.unparse(statement.targets[0])] = ast.literal_eval(statement.value)
        return values
    except (ValueError, SyntaxError) as problem:
        raise LessonError("need plain assignments of constants in the `parameters` cell") from problem


def check(path: Path, wanted: Mapping[str, Any]) -> None:
    """Refuse a lesson that would ignore what is asked of it.

    Raises: LessonError for a parameter that the lesson does not have, or a profile that does not exist.
    """
    try:
        known = parameters(read(path))
        for name in wanted:
            if name not in known:
                raise LessonError(f"unknown parameter {name!r}; the lesson has {', '.join(known) or 'none'}")
        if wanted.get("PROFILE", PROFILES[0]) not in PROFILES:
            raise LessonError(f"unknown profile {wanted['PROFILE']!r}; there are {', '.join(PROFILES)}")
    except LessonError as problem:
        raise LessonError(f"{path.name}: {problem}") from None
