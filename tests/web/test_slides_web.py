"""A lesson's slides in Chromium, opened from the disk: nothing fetched, mathematics set, every slide fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from course_utils.tools import lessons
from course_utils.tools.editions import build
from tests.notebooks.rules import NOTEBOOKS

NAMES = [path.stem for path in lessons.find(NOTEBOOKS)]
# What the current slide takes, and its place.
SIZE = "(() => { const s = Reveal.getCurrentSlide(); return [s.scrollWidth, s.scrollHeight] })()"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The slides of all lessons."""
    target = tmp_path_factory.mktemp("build")
    build.make(NOTEBOOKS, target)
    return target / "editions" / "slides"


@pytest.mark.parametrize("lesson", NAMES)
def test_slides_are_quiet_and_fit(browser: Any, folder: Path, lesson: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    outside: list[str] = []
    said: list[str] = []
    page.on(
        "request", lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else outside.append(r.url)
    )
    page.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((folder / f"{lesson}.html").as_uri())
    page.wait_for_function("window.MathJax && MathJax.startup && MathJax.startup.promise")
    page.evaluate("MathJax.startup.promise.then(() => 0)")
    total = page.evaluate("Reveal.getTotalSlides()")
    assert total > 15
    too_large = []
    for position in range(total):
        width, height = page.evaluate(SIZE)
        if width > 1282 or height > 722:
            too_large.append((position, width, height))
        page.evaluate("Reveal.next()")
    assert page.evaluate("Reveal.isLastSlide()")
    assert (outside, said, too_large) == ([], [], [])
    assert page.evaluate("document.querySelectorAll('mjx-merror, [data-mjx-error]').length") == 0
    assert page.evaluate("document.querySelectorAll('mjx-container').length") > 0
    assert page.evaluate("document.querySelectorAll('.slides img:not([alt])').length") == 0
    page.close()
