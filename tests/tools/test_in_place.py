"""`make notebooks` writes lessons that change only where the lesson does."""

from __future__ import annotations

import base64
import io
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from course_utils.tools import in_place, lessons
from course_utils.tools.running.results import Result
from tests.sample import lesson


def png(colour: int, *, comment: str = "") -> str:
    """A small picture as base64; the comment changes its bytes and not its pixels."""
    extra, file = PngInfo(), io.BytesIO()
    extra.add_text("Software", comment)
    Image.new("L", (4, 4), colour).save(file, format="PNG", pnginfo=extra)
    return base64.b64encode(file.getvalue()).decode()


def figure(image: str) -> nbformat.NotebookNode:
    return new_output("display_data", data={"image/png": image}, metadata={"image/png": {"alt": "A square."}})


def book(*outputs: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A lesson as papermill leaves it."""
    notebook = new_notebook()
    notebook.metadata.update(papermill={"start_time": "now"}, widgets={}, language_info={"version": "3.11.7"})
    notebook.cells = [
        new_markdown_cell("# Title", metadata={"papermill": {}}),
        new_code_cell(
            "SEED = 0", execution_count=1, metadata={"tags": ["parameters"], "execution": {"iopub": "10:00"}}
        ),
        new_code_cell("SEED = 1", execution_count=2, metadata={"tags": ["injected-parameters"]}),
        new_code_cell("1", execution_count=9, outputs=list(outputs)),
    ]
    for name, cell in zip(("title", "parameters", "Injected", "parameters"), notebook.cells, strict=True):
        cell.id = name
    return notebook


def test_traces_of_the_moment_are_removed() -> None:
    outputs = [new_output("stream", name="stdout", text=text) for text in ("one\n", "two\n")]
    result = new_output("execute_result", data={"text/plain": "1"}, execution_count=9)
    found = in_place.normalized(book(*outputs, result), before=new_notebook())
    assert found.metadata == {"kernelspec": in_place.KERNEL, "language_info": in_place.LANGUAGE}
    assert "version" not in found.metadata.language_info
    assert [cell.source for cell in found.cells] == ["# Title", "SEED = 0", "1"]
    assert [cell.metadata for cell in found.cells] == [{}, {"tags": ["parameters"]}, {}]
    assert [cell.get("execution_count") for cell in found.cells] == [None, 1, 2]
    assert [cell.id for cell in found.cells] == ["title", "parameters", "parameters-2"]
    stream, last = found.cells[-1].outputs
    assert stream.text == "one\ntwo\n"
    assert last.execution_count == 2


def test_text_and_results_keep_their_order() -> None:
    parts = [
        new_output("stream", name="stdout", text="a"),
        figure(png(1)),
        new_output("stream", name="stdout", text="b"),
    ]
    found = in_place.normalized(book(*parts), before=new_notebook()).cells[-1].outputs
    assert [output.output_type for output in found] == ["stream", "display_data", "stream"]
    assert found[1].metadata["image/png"]["alt"] == "A square."


def test_figure_changes_only_with_its_pixels() -> None:
    committed = book(figure(png(7, comment="old encoder")))
    committed.cells.pop(2)
    committed.cells[2].id = "parameters-2"
    same = in_place.normalized(book(figure(png(7, comment="new encoder"))), before=committed)
    assert same.cells[-1].outputs[0].data["image/png"] == png(7, comment="old encoder")
    other = in_place.normalized(book(figure(png(8))), before=committed)
    assert other.cells[-1].outputs[0].data["image/png"] == png(8)
    assert not in_place.same_pixels("bm90IGEgcGljdHVyZQ==", png(1))


@pytest.mark.parametrize(
    ("output", "message"),
    [
        pytest.param(
            new_output("stream", name="stderr", text="careful"), r"cell \[2\].*stderr: careful", id="stderr"
        ),
        pytest.param(new_output("error", ename="KeyError", evalue="x", traceback=[]), "KeyError", id="error"),
    ],
)
def test_what_must_not_be_committed(output: nbformat.NotebookNode, message: str) -> None:
    with pytest.raises(lessons.LessonError, match=message):
        in_place.normalized(book(output), before=new_notebook())


def test_a_lesson_changed_meanwhile_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lesson(tmp_path / "01_one.ipynb", "1 + 1")

    def run(notebooks: Path, build: str, **how: Any) -> list[Result]:
        target = Path(build) / "executed" / "standard" / path.name
        target.parent.mkdir(parents=True)
        target.write_bytes(path.read_bytes())
        path.write_bytes(path.read_bytes() + b"\n")  # a save in the editor
        return [Result("01_one")]

    monkeypatch.setattr(in_place, "run", run)
    saved = path.read_bytes() + b"\n"
    left = in_place.execute(tmp_path)
    assert left == {"01_one": "it was changed while it was executed; execute it again"}
    assert path.read_bytes() == saved


def test_a_folder_that_cannot_be_written_is_said_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson(tmp_path / "01_one.ipynb", "1 + 1")

    def refuse(dir: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(in_place, "run", lambda *args, **kwargs: pytest.fail("ran"))
    with pytest.raises(lessons.LessonError, match="cannot be written: Permission denied"):
        in_place.execute(tmp_path)


def test_regenerating_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    drawing = (
        "import matplotlib.pyplot as plt\n"
        "figure, axes = plt.subplots(figsize=(2, 1))\n"
        "axes.plot([1, 2, SEED])\n"
        "print('one'); print('two')"
    )
    good = lesson(tmp_path / "01_good.ipynb", drawing, "PROFILE")
    bad = lesson(tmp_path / "02_bad.ipynb", "1 / 0")
    before = bad.read_bytes()
    left = in_place.execute(tmp_path)
    assert list(left) == ["02_bad"]
    assert "ZeroDivisionError" in left["02_bad"]
    assert bad.read_bytes() == before, "a lesson that fails stays as it was"
    first = good.read_bytes()
    cells = nbformat.read(good, 4).cells
    assert [cell.execution_count for cell in cells if cell.cell_type == "code"] == [1, 2, 3]
    assert cells[2].outputs[0].text == "one\ntwo\n"
    assert cells[3].outputs[0].data["text/plain"] == "'standard'"
    assert in_place.execute(tmp_path, only=["01"]) == {}
    assert good.read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["01_good.ipynb", "02_bad.ipynb"]
