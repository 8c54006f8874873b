"""Slides: nbconvert turns a deck into reveal.js, which is served from the folder itself."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from course_utils.tools.doctor import PROJECT
from course_utils.tools.editions import deck
from course_utils.tools.lesson import Lesson
from course_utils.tools.site import lesson_page

HERE = Path(__file__).resolve().parent
MATHJAX = PROJECT / "docs" / "_static" / "vendor" / "mathjax"  # one copy for site and slides

README = """Slides of the course. Open index.html; nothing is fetched from a network.

Arrow keys turn the pages. The choices of a quiz open on a click. A figure with sliders moves; keys that are
pressed in it are its own, so click beside it before you turn the page. S opens the speaker's view with the
lesson's whole prose as notes, F fills the screen, O shows all slides. To print them, add `?print-pdf` to the
address and print from the browser. notebooks/ holds the same decks as notebooks with slide metadata.

reveal.js (reveal/LICENSE, MIT) and MathJax (mathjax/LICENSE, Apache-2.0) are copies, unchanged.
"""


def exporter() -> Any:
    """nbconvert's slides exporter with the course's page around the slides."""
    from jinja2 import FileSystemLoader
    from nbconvert import SlidesExporter

    return SlidesExporter(  # type: ignore[no-untyped-call]
        extra_loaders=[FileSystemLoader(HERE)], template_file="slides.html.j2"
    )


def page(lesson: Lesson, convert: Any, drawn: Sequence[Path] = ()) -> tuple[str, Any]:
    """The lesson's slides as HTML, and the notebook they come from. Args: drawn: its figures' states."""
    keys = [states.name for states in drawn]
    moves = lesson_page.moving(lesson, lesson_page.computed(PROJECT / "docs"), keys)
    book = deck.notebook(lesson, moves)
    scripts = lesson_page.scripts(moves.values(), keys, ".") if moves else ""
    html, _ = convert.from_notebook_node(book, resources={"live_scripts": scripts})
    return str(html), book


def put_files(folder: Path) -> None:
    """What the pages need beside them: reveal.js, MathJax, the theme, live figures, the licences."""
    shutil.copytree(HERE / "vendor" / "reveal", folder / "reveal", dirs_exist_ok=True)
    shutil.copytree(MATHJAX, folder / "mathjax", dirs_exist_ok=True)
    shutil.copy(HERE / "slides.css", folder / "slides.css")
    (folder / lesson_page.LIVE).mkdir(parents=True, exist_ok=True)
    scripts = [f"{lesson_page.LIVE}/{name}.js" for name in lesson_page.computed(PROJECT / "docs")]
    for name in ("_static/live.js", "_static/live.css", *scripts):
        shutil.copy(PROJECT / "docs" / name, folder / name)
