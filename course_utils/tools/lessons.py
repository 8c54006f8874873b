"""The lessons as files: which there are, and what their parameters cell allows."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils._checks import is_whole, require
from course_utils._files import write_whole
from course_utils.profiles import PROFILES

if TYPE_CHECKING:
    import nbformat


_WORDS = ("true", "false", "none")


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


def read(path: str | Path, *, name: str = "") -> nbformat.NotebookNode:
    """A lesson from its file; every cell has its source, tags and outputs in the form of the format.

    nbformat reads what it cannot validate, and says so in a log alone. Outputs that are merely left out are
    put in empty; the state of widgets gets the form of the format where Colab wrote its own. A byte-order
    mark, which editors on Windows write, is no part of it.

    Args:
        name: what messages call the file, where it is another name than the path's.
    Raises: LessonError where the file is not a notebook of format 4, or a cell is not one.
    """
    import nbformat  # here: it takes a second, in which `--help` has long been read

    try:
        data = Path(path).read_bytes()
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        notebook: nbformat.NotebookNode = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
        _check_form(notebook)
        return notebook
    except Exception as problem:  # nbformat raises whatever json, jsonschema or the disk raises
        raise LessonError(f"{name or Path(path).name} is not a readable notebook: {problem}") from problem


def _check_form(notebook: Any) -> None:
    """Refuse what would break whoever reads a cell."""
    require(isinstance(notebook.get("cells"), list), "a list of cells")
    require(isinstance(notebook.get("metadata"), dict), "a table as metadata")
    _mend_widgets(notebook.metadata)
    for place, cell in enumerate(notebook.cells, 1):
        where = f"in cell {place}"
        require(isinstance(cell, dict), f"a table of names {where}")
        kind = cell.get("cell_type")
        require(
            kind in ("code", "markdown", "raw"), f"cell_type code, markdown or raw {where}", cell_type=kind
        )
        require(isinstance(cell.get("source"), str), f"a source, which is a text, {where}")
        metadata = cell.get("metadata")
        require(isinstance(metadata, dict), f"a table as metadata {where}")
        tags = metadata.get("tags", [])
        fine = isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)
        require(fine, f"a list of words as tags {where}", tags=tags)
        marks = metadata.get("slides", [])
        texts = isinstance(marks, list) and all(isinstance(mark, str) for mark in marks)
        require(texts, f"a list of texts as slides {where}")
        if kind == "code":
            cell.setdefault("execution_count", None)
            outputs = cell.setdefault("outputs", [])
            require(isinstance(outputs, list) and all(map(_is_output, outputs)), f"a list of outputs {where}")


def _is_output(output: Any) -> bool:
    if not isinstance(output, dict) or not isinstance(output.get("metadata", {}), dict):
        return False
    match output.get("output_type"):
        case "stream":
            return isinstance(output.get("text"), str) and isinstance(output.get("name"), str)
        case "display_data" | "execute_result":
            return isinstance(output.get("data"), dict)
        case kind:
            return kind == "error"


def _mend_widgets(metadata: Any) -> None:
    """Colab leaves out the level "state" of the widgets' state, without which nbconvert makes no page."""
    kind = "application/vnd.jupyter.widget-state+json"
    widgets = metadata.get("widgets")
    state = widgets.get(kind) if isinstance(widgets, dict) else None
    if not isinstance(state, dict):
        metadata.pop("widgets", None)
    elif not isinstance(state.get("state"), dict):
        models = {name: one for name, one in state.items() if isinstance(one, dict)}
        widgets[kind] = {"state": models, "version_major": 2, "version_minor": 0}


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


def given(path: Path, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked of a lesson, each value of the kind of the lesson's default.

    A text, as the command line gives it, is read as that kind: "false" for a `FLAG = False` is False, "3" for
    a `NAME = "x"` stays a text. A default of None takes whatever Python reads in it, else the text.
    Raises: LessonError for a parameter that the lesson does not have, a value of another kind, or a profile
        that does not exist.
    """
    try:
        known = parameters(read(path))
        for name in wanted:
            if name not in known:
                raise LessonError(f"unknown parameter {name!r}; the lesson has {', '.join(known) or 'none'}")
        values = {name: _of_kind(name, value, known[name]) for name, value in wanted.items()}
        if values.get("PROFILE", PROFILES[0]) not in PROFILES:
            raise LessonError(f"unknown profile {values['PROFILE']!r}; there are {', '.join(PROFILES)}")
        return values
    except LessonError as problem:
        raise LessonError(f"{path.name}: {problem}") from None


def _of_kind(name: str, value: Any, default: Any) -> Any:
    """`value` as what `default` is. Raises: LessonError where it is something else, or no finite number."""
    if isinstance(value, str) and not isinstance(default, str):
        value = _read_text(value)
    if type(default) in (int, float) and is_whole(value):
        value = type(default)(value)
    if isinstance(default, (list, tuple)) and isinstance(value, (list, tuple)):
        value = type(default)(value)
    fits = default is None or type(value) is type(default)
    if not fits or (isinstance(value, float) and not math.isfinite(value)):
        kind = "finite number" if isinstance(default, float) else type(default).__name__
        raise LessonError(f"need {name} of kind {kind}, as its default {default!r}, got {value!r}")
    return value


def _read_text(text: str) -> Any:
    """A text as Python reads it, true, false and none in any letters, else the text itself."""
    try:
        return ast.literal_eval(text.strip().title() if text.strip().lower() in _WORDS else text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
