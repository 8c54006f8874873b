"""Lessons executed again in place, in a form that changes only where the lesson does.

The committed outputs are what nbval compares, and what a reviewer reads as a difference. So: no times, no
machine, no process numbers, stable ids, counts 1..N, one stream for what was printed in one go.
"""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat

from course_utils._files import write_whole
from course_utils.tools import lessons
from course_utils.tools.running.run import run

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "pygments_lexer": "ipython3",
}
CELL_METADATA = (
    "tags",
    "jupyter",
    "slides",
    "slideshow",
    "editable",
    "deletable",
    "mystnb",
    "collapsed",
)  # kept


def execute(notebooks: str | Path, *, only: Iterable[str] = (), workers: int = 2) -> dict[str, str]:
    """Execute lessons at `standard` and put the normalised results in their place, each whole.

    A lesson that fails, that writes to stderr, or that somebody changed while it was executed stays as it is.

    Args:
        notebooks: the folder of the lessons.
        only: numbers or names of the lessons; empty for all.
        workers: lessons that run at the same time.
    Returns: lesson -> why it was left as it was; empty where all went well.
    Raises: LessonError, before anything runs, where the folder cannot be written.
    """
    left = {}
    paths = lessons.find(notebooks, list(only))
    _check_writable(Path(notebooks))
    before = {path: path.read_bytes() for path in paths}
    with tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True) as build:
        results = run(notebooks, build, only=[path.stem for path in paths], workers=workers)
        for path, result in zip(paths, results, strict=True):
            if result.state == "failed":
                left[path.stem] = result.error
                continue
            try:
                executed = lessons.read(Path(build) / "executed" / "standard" / path.name)
                new = text(normalized(executed, before=lessons.read(path))).encode()
                now = path.read_bytes()
                if now not in (before[path], new):
                    raise lessons.LessonError("it was changed while it was executed; execute it again")
                write_whole(path, new)
            except (lessons.LessonError, OSError) as problem:
                left[path.stem] = str(problem)
    return left


def _check_writable(folder: Path) -> None:
    """Minutes of execution are not to end in an error that was there from the beginning."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as problem:
        raise lessons.LessonError(f"{folder} cannot be written: {problem.strerror}") from None


def normalized(executed: nbformat.NotebookNode, *, before: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The executed copy of a lesson as it is to be committed.

    Args:
        executed: the notebook as a runner left it; it is changed.
        before: the committed one: its ids stay, and a figure whose pixels are the same keeps its bytes.
    Raises: LessonError for an error or a line on stderr among the outputs.
    """
    executed.cells = [
        cell for cell in executed.cells if "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    executed.metadata = nbformat.from_dict({"kernelspec": dict(KERNEL), "language_info": dict(LANGUAGE)})  # type: ignore[no-untyped-call]
    executed.nbformat, executed.nbformat_minor = 4, 5
    taken: set[str] = set()
    count = 0
    for position, cell in enumerate(executed.cells):
        cell.id = _identity(cell.get("id", ""), position, taken)
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k in CELL_METADATA})  # type: ignore[no-untyped-call]
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = _outputs(cell.outputs, count)
    _keep_figures(executed, before)
    return executed


def text(notebook: nbformat.NotebookNode) -> str:
    """A notebook as the bytes of its file: sorted keys, an indent of one, a line at the end."""
    nbformat.validate(notebook)
    return lessons.text(notebook)


def _identity(id: str, position: int, taken: set[str]) -> str:
    """A cell's id as it is; where it is missing, odd or taken, one made from its position."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in id.lower())[:64]
    while not plain or plain in taken:
        plain = f"cell-{position}" if not plain else f"{plain[:60]}-{len(taken)}"
    taken.add(plain)
    return plain


def _outputs(outputs: list[Any], count: int) -> list[Any]:
    """Outputs with neighbouring streams joined and everything of the moment removed."""
    normal: list[Any] = []
    for output in outputs:
        if output.output_type == "error":
            raise lessons.LessonError(f"cell [{count}] has an error among its outputs: {output.ename}")
        if output.output_type == "stream":
            if output.name == "stderr":
                raise lessons.LessonError(f"cell [{count}] wrote to stderr: {output.text.strip()[:500]}")
            if normal and normal[-1].output_type == "stream":
                normal[-1].text += output.text
                continue
        elif output.output_type == "execute_result":
            output.execution_count = count
        output.pop("transient", None)
        normal.append(output)
    return normal


def _keep_figures(executed: nbformat.NotebookNode, before: nbformat.NotebookNode) -> None:
    """Give a figure its committed bytes back where its pixels are the same (an encoder may differ)."""
    known = {}
    for cell in before.cells:
        for position, output in enumerate(cell.get("outputs", [])):
            known[cell.get("id"), position] = output.get("data", {}).get("image/png")
    for cell in executed.cells:
        for position, output in enumerate(cell.get("outputs", [])):
            new, old = output.get("data", {}).get("image/png"), known.get((cell.id, position))
            if new and old and new != old and same_pixels(new, old):
                output["data"]["image/png"] = old


def same_pixels(one: str, other: str) -> bool:
    """Whether two PNG images, as base64, show the same."""
    from PIL import Image

    try:
        images = [Image.open(io.BytesIO(base64.b64decode(image))).convert("RGBA") for image in (one, other)]
    except (OSError, ValueError):
        return False
    return images[0].size == images[1].size and images[0].tobytes() == images[1].tobytes()
