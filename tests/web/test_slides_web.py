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


# The slide of the first figure that moves; its place, what its slider says, and what it has drawn.
GO = """(() => {
  const node = document.querySelector(".course-live"), at = Reveal.getIndices(node.closest("section"));
  Reveal.slide(at.h, at.v);
  return at.h;
})()"""
STATE = """[document.querySelector(".course-live input").getAttribute("aria-valuetext"),
  document.querySelector(".live-panel .inside").innerHTML, Reveal.getIndices().h]"""


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
    assert (13 if lesson == "00_start_here" else 15) < total <= 25
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


def test_a_figure_with_sliders_moves_in_its_slide(browser: Any, folder: Path) -> None:
    """By its keys, which turn no page; as large as there is room for; on paper the still stands for it."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto((folder / "05_momentum.html").as_uri())
    page.wait_for_selector(".course-live.is-live", state="attached")
    place = page.evaluate(GO)
    page.wait_for_selector(".live-panel .inside > *", state="attached")
    said, drawn, here = page.evaluate(STATE)
    assert here == place
    page.focus(".course-live input")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"document.querySelector('.course-live input').ariaValueText !== {said!r}")
    page.wait_for_timeout(100)
    moved = page.evaluate(STATE)
    assert moved[0] != said
    assert moved[1] != drawn
    assert moved[2] == place
    zoom = page.evaluate(
        "Number(document.querySelector('.course-live').style.getPropertyValue('--live-zoom'))"
    )
    assert 1.1 <= zoom <= 1.6
    width, height = page.evaluate(
        "(n => [n.width, n.height])(document.querySelector('.live-panels').getBoundingClientRect())"
    )
    assert width > 1000
    assert 250 < height < 520
    assert not page.is_visible(".course-live > img")
    page.emulate_media(media="print")
    assert page.is_visible(".course-live > img")
    assert not page.is_visible(".live-figure")
    page.close()
