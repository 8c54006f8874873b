"""What a learner's copy of a lesson is made of: its sources, the answers in it, the cells folded away.

Files are read as JSON alone: a copy that is damaged, or no notebook at all, is somebody's all the same.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Collection, Iterable
from typing import Any

from course_utils.tools import cells

_SHOWN = {"claim", "show", "animate", "explore"}  # calls of a cell that is read for what it displays


def digest(content: bytes) -> str:
    """What tells whether somebody changed a lesson: of the sources of its cells, in their order.

    Outputs, counts, metadata and empty cells do not count: JupyterLab rewrites them by itself. Of what is no
    notebook every byte counts.
    """
    if (notebook := _read(content)) is None:
        return _hash(content)
    sources = [[cell["cell_type"], _source(cell)] for cell in notebook["cells"] if _source(cell).strip()]
    return _hash(json.dumps(sources).encode())


def exercise_digests(content: bytes) -> list[str]:
    """A digest for each cell that checks an exercise: a cell with one of them holds no answer yet."""
    return [_of_cell(_source(cell)) for cell in _exercises(_read(content))]


def with_answers(
    edition: bytes, copies: Iterable[bytes], unanswered: Collection[str]
) -> tuple[bytes, list[str]]:
    """A new edition with the answers that were written into older ones, and the ids of their exercises.

    Args:
        copies: a learner's copies, the one worked on last at the end.
        unanswered: digests of cells as they were handed out.
    """
    notebook = _read(edition)
    olds = [old for old in map(_read, copies) if old is not None]
    carried: list[str] = []
    for cell in _exercises(notebook):
        ids = [id for id, _ in cells.checked(_source(cell))]
        if answer := _answer(olds, cell.get("id"), ids, unanswered):
            cell.update(source=answer.splitlines(keepends=True), outputs=[], execution_count=None)
            carried += ids
    return (_text(notebook) if carried else edition), carried


def folded(edition: bytes) -> bytes:
    """A lesson in which cells that only show a figure or claim something have their code folded away."""
    notebook, changed = _read(edition), False
    for cell in notebook["cells"] if notebook else ():
        if cell["cell_type"] == "code" and only_shows(_source(cell)):
            cell.setdefault("metadata", {}).setdefault("jupyter", {})["source_hidden"] = changed = True
    return _text(notebook) if changed else edition


def only_shows(source: str) -> bool:
    """Whether a cell is nothing but calls that show a figure, move one, or claim something."""
    try:
        statements = cells.tree(source).body
    except SyntaxError:
        return False
    return bool(statements) and all(map(_shows, statements))


def _shows(statement: ast.stmt) -> bool:
    match statement:
        case ast.With(items=[ast.withitem(ast.Call(ast.Name("also_checked")))], body=body):
            return all(map(_shows, body))
        case ast.Expr(ast.Call(ast.Name(name) | ast.Attribute(ast.Name(), name))):
            return name in _SHOWN
    return False


def _answer(olds: list[Any], cell_id: Any, ids: list[str], unanswered: Collection[str]) -> str:
    """The newest source of an answer to these exercises, "" where there is none.

    In each copy the cell that was made for the answer counts, then the last one that checks it.
    """
    for old in reversed(olds):
        code = [cell for cell in old["cells"] if cell["cell_type"] == "code"]
        own = [k for k, cell in enumerate(code) if cell_id and cell.get("id") == cell_id]
        checking = [k for k, cell in enumerate(code) if _checks(cell, ids)]
        for k in [*own, *reversed(checking)]:
            source = _source(code[k])
            if source.strip() and _of_cell(source) not in unanswered:
                return _with_its_names(source, [_source(cell) for cell in code[:k]], unanswered)
    return ""


def _checks(cell: Any, ids: list[str]) -> bool:
    return any(id in ids for id, _ in cells.checked(_source(cell)))


def _with_its_names(source: str, before: list[str], unanswered: Collection[str]) -> str:
    """A cell that checks a function of another cell, after that cell's code."""
    for _, answer in cells.checked(source):
        name = answer.split(".")[0]
        if name.isidentifier() and name not in _bound(source):
            makers = [one for one in before if name in _bound(one) and _of_cell(one) not in unanswered]
            source = "\n\n\n".join([*makers[-1:], source])
    return source


def _bound(source: str) -> set[str]:
    """The names that a cell defines or assigns at its top level."""
    try:
        statements = cells.tree(source).body
    except SyntaxError:
        return set()
    names = {one.name for one in statements if isinstance(one, (ast.FunctionDef, ast.ClassDef))}
    assigned = [one for one in statements if isinstance(one, (ast.Assign, ast.AnnAssign))]
    return names | {
        node.id
        for one in assigned
        for node in ast.walk(one)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _exercises(notebook: Any) -> list[Any]:
    """The cells that check an exercise."""
    found = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"] if notebook else []
    return [cell for cell in found if cells.checked(_source(cell))]


def _read(content: bytes) -> Any:
    """The notebook, None for what is none."""
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
        for cell in notebook["cells"]:
            if not isinstance(cell["cell_type"] + _source(cell), str):
                return None
        return notebook
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _source(cell: Any) -> str:
    """A cell's text without the line ends that an editor may add."""
    return "".join(cell["source"]).rstrip()


def _text(notebook: Any) -> bytes:
    return (json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _of_cell(source: str) -> str:
    return _hash(source.rstrip().encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
