"""The states of sliders drawn for the site: each once, with its words, and anew where they may differ."""

from __future__ import annotations

import io
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image

from course_utils import plotting
from course_utils.tools.lesson import Lesson
from course_utils.tools.site import build, explored, lesson_page

ALT = "A line that rises from nought to the height that was chosen."
SIZES = "measured = [1.0, 2.0]\nlessons_own = 3"
FREE = f"""plotting.explore(
    lambda rate, beta: line(rate + beta), {{"rate": [1, 2, 3], "beta": [0.0, 0.5]}},
    start={{"rate": 2, "beta": 0.5}}, alt={ALT!r},
)"""
BOUND = f'plotting.explore(lambda k: line(measured[k]), {{"k": [0, 1]}}, start={{"k": 1}}, alt={ALT!r})'
IMPORTS = "from course_utils import plotting\nfrom tests.tools.site.test_explored import line"


def line(height: float) -> Any:
    figure, axes = plotting.subplots(size=(4, 3))
    axes.plot([0, 1], [0, height])
    axes.set(xlim=(0, 1), ylim=(0, 4))
    plotting.finish(axes, title=f"It rises to {height:g}", x="x", y="y")
    return figure


@pytest.fixture
def path(tmp_path: Path) -> Path:
    cells = [
        new_markdown_cell("# 42 · Rising", id="title"),
        new_code_cell(IMPORTS, id="imports"),
        new_code_cell('PROFILE = "standard"\nprint("on its way")', id="parameters"),
        new_code_cell(SIZES, id="sizes"),
        new_code_cell(FREE, id="free"),
        new_code_cell(BOUND, id="bound"),
    ]
    written = tmp_path / "42_rising.ipynb"
    nbformat.write(new_notebook(cells=cells), written)
    return written


def module(folder: Path) -> Any:
    """The figure that the script of a folder adds."""
    text = (folder / explored.SCRIPT).read_text(encoding="utf-8")
    name, rest = text.split("live.add(", 1)[1].split(", live.pictured(", 1)
    assert name == json.dumps(folder.name)
    return json.loads(rest.rsplit("));", 1)[0])


def test_cells_are_found_and_only_what_they_need_is_run(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explored.cells_with_sliders(path) == ["free", "bound"]
    free = explored.explored(path, "free")
    assert list(free.states())[:3] == [
        {"rate": 1, "beta": 0.0},
        {"rate": 1, "beta": 0.5},
        {"rate": 2, "beta": 0.0},
    ]
    bound = explored.explored(path, "bound")
    assert bound.start == {"k": 1}
    assert bound.draw(k=1).axes[0].get_lines()[0].get_ydata()[-1] == 2
    assert capsys.readouterr().out == ""


def test_the_profile_is_the_one_asked_for(path: Path) -> None:
    notebook = nbformat.read(path, 4)
    notebook.cells[3].source = 'measured = [1.0, 2.0 if PROFILE == "smoke" else 3.0]'
    nbformat.write(notebook, path)
    for profile, height in (("smoke", 2), ("standard", 3)):
        figure = explored.explored(path, "bound", profile).draw(k=1)
        assert figure.axes[0].get_lines()[0].get_ydata()[-1] == height


def test_all_is_as_before_after_it(path: Path) -> None:
    before = plotting.explore
    explored.explored(path, "free")
    assert plotting.explore is before


def test_a_cell_that_is_not_reached_is_an_error(path: Path) -> None:
    notebook = nbformat.read(path, 4)
    notebook.cells[3].source = "del nothing"
    nbformat.write(notebook, path)
    with pytest.raises(ValueError, match="42_rising, cell bound, does not come to its sliders"):
        explored.explored(path, "bound")


def test_every_state_is_drawn_once_with_its_words(path: Path, tmp_path: Path) -> None:
    assert explored.standing(path, "free", tmp_path) is None
    assert explored.render(path, "free", tmp_path) == 6
    folder = explored.standing(path, "free", tmp_path)
    assert folder is not None
    found = module(folder)
    assert found["sliders"]["rate"] == {"name": "rate", "values": [1, 2, 3], "start": 2}
    alts = found["pictures"]["alts"]
    assert alts[3] == ALT
    assert alts[4] == "At rate = 3, beta = 0: It rises to 3."
    assert len(alts) == len(list(folder.glob("*.webp"))) == 6
    pictures = []
    for k, state in enumerate(explored.explored(path, "free").states()):
        with Image.open(folder / f"{k}.webp") as seen:
            assert list(seen.size) == found["pictures"]["size"]
            got = np.asarray(seen.convert("L"), dtype=float)
        with Image.open(io.BytesIO(plotting.png(line(sum(state.values()))))) as image:
            want = np.asarray(image.convert("L"), dtype=float)
        assert abs(got - want).mean() < 3  # of 255: another state's line and title differ by more
        pictures.append(got)
    assert all(abs(one - other).mean() > 0.2 for one, other in pairwise(pictures))


@pytest.mark.parametrize("before", [None, "0"])
def test_the_environment_is_left_as_it_was(
    before: str | None, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("COURSE_HEADLESS", "COURSE_COLLECT_CLAIMS"):
        monkeypatch.delenv(name, raising=False)
        if before is not None:
            monkeypatch.setenv(name, before)
    kept = dict(os.environ)
    assert explored.render(path, "bound", tmp_path) == 2
    assert dict(os.environ) == kept


def test_nothing_is_drawn_twice_and_a_change_is_drawn(path: Path, tmp_path: Path) -> None:
    assert explored.render(path, "bound", tmp_path) == 2
    mark = (tmp_path / "explored" / "42_bound" / explored.MARK).stat().st_mtime_ns
    assert explored.render(path, "bound", tmp_path) == 0
    assert (tmp_path / "explored" / "42_bound" / explored.MARK).stat().st_mtime_ns == mark
    path.write_text(path.read_text(encoding="utf-8").replace("[1.0, 2.0]", "[1.0, 3.0]"), encoding="utf-8")
    assert explored.standing(path, "bound", tmp_path) is None
    assert explored.render(path, "bound", tmp_path) == 2


def test_what_a_script_computes_is_not_drawn(path: Path, tmp_path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("lambda k: line(measured[k])", "figures.line")
    path.write_text(text, encoding="utf-8")
    assert build.draw_states([path], tmp_path, computed=["42_line"], workers=1) == 6
    assert sorted(folder.name for folder in (tmp_path / "explored").iterdir()) == ["42_free"]


def test_a_page_shows_the_states_that_stand(path: Path, tmp_path: Path) -> None:
    explored.render(path, "bound", tmp_path)
    folder = explored.standing(path, "bound", tmp_path)
    assert folder is not None
    lesson_page.write(Lesson(path), {"42": "42_rising"}, tmp_path / "site", (), [folder])
    page = (tmp_path / "site" / "lessons" / "42_rising.ipynb").read_text(encoding="utf-8")
    assert "../_static/explored/42_bound/states.js" in page
    assert "42_free" not in page
    copied = tmp_path / "site" / "_static" / "explored" / "42_bound"
    assert sorted(file.name for file in copied.iterdir()) == ["0.webp", "1.webp", "states.js"]
