"""The README's badges say what is true now."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_output

from course_utils.tools import badges
from course_utils.tools.badges import Badge, draw
from tests.sample import claim, claims, lesson

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / badges.FOLDER
NOW = badges.badges()


@pytest.mark.parametrize("badge", NOW, ids=lambda badge: badge.file)
def test_each_is_in_step_with_the_course(badge: Badge) -> None:
    drawn = (FOLDER / badge.file).read_text(encoding="utf-8")
    assert drawn == draw(badge), f"now {badge.alt}: python -m course_utils.tools.badges"


def test_the_readme_shows_each_with_its_words() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"!\[([^\]]+)\]\(docs/_static/badges/([^)]+)\)", readme))
    assert shown == {badge.alt: badge.file for badge in NOW}
    assert {path.name for path in FOLDER.iterdir()} == {badge.file for badge in NOW}


def test_facts_are_counted(tmp_path: Path) -> None:
    path = lesson(tmp_path / "notebooks" / "01_one.ipynb")
    lesson(tmp_path / "notebooks" / "02_two.ipynb")
    notebook = nbformat.read(path, 4)
    said = [claims(claim("01.a", "One is one.")), claims(claim("01.b", "Two."), topic="more")]
    notebook.cells.append(new_code_cell("", outputs=[*said, new_output("stream", text="no claim\n")]))
    nbformat.write(notebook, path)
    (tmp_path / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.12"\nlicense = "MIT"\n')
    (tmp_path / "requirements.lock").write_text("torchaudio==1\ntorch==2.99.1\n")
    assert [badge.alt for badge in badges.badges(tmp_path)] == [
        "lessons: 2",
        "checked claims: 2",
        "python: 3.12 or later",
        "tested with torch: 2.99.1",
        "licence: MIT, words CC BY 4.0",
    ]


def test_one_command_draws_and_words_them(tmp_path: Path) -> None:
    lesson(tmp_path / "notebooks" / "01_one.ipynb")
    for name in ("pyproject.toml", "requirements.lock"):
        (tmp_path / name).write_text((PROJECT / name).read_text(encoding="utf-8"), encoding="utf-8")
    line = "# C\n\n![lessons: 7](docs/_static/badges/lessons.svg) ![a rate map](docs/_static/rate_map.png)\n"
    (tmp_path / "README.md").write_text(line)
    badges.main(tmp_path)
    assert (tmp_path / "README.md").read_text() == line.replace("7", "1")
    assert (tmp_path / badges.FOLDER / "lessons.svg").read_text() == draw(Badge("", "lessons", "1"))


def test_drawing_is_plain_and_can_be_read_aloud() -> None:
    picture = draw(Badge("odd.svg", "a < b", "1 & 2"))
    root = ElementTree.fromstring(picture)
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img"
    assert root.get("aria-label") == "a < b: 1 & 2"
    assert [text.text for text in root.iter(f"{space}text")] == ["a < b", "1 & 2"]
    ends = [float(text.get("x", 0)) + float(text.get("textLength", 0)) for text in root.iter(f"{space}text")]
    assert ends[-1] + badges.PAD == float(root.get("width", 0))
    assert "script" not in picture
    assert re.findall(r"https?://[^\"]+", picture) == ["http://www.w3.org/2000/svg"]


@pytest.mark.parametrize("colour", [badges.SLATE, badges.BLUE])
def test_white_is_legible_on(colour: str) -> None:
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) > 7
