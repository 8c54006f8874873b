"""Lessons as one reads them on the site: weight, folds, headings, links to terms and papers, on a phone."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from course_utils.tools import lessons
from tests.web.conftest import PROJECT, SITE, Open, pages

LESSONS = [f"lessons/{path.stem}.html" for path in lessons.find(PROJECT / "notebooks")]
HEAVIEST = 1_500_000  # bytes of a lesson's page with all it loads, uncompressed
LESSON = "lessons/05_momentum.html"


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_is_light(name: str, opened: Open) -> None:
    page = opened("index.html")
    loaded: dict[str, int] = {}
    page.on("response", lambda one: loaded.update({one.url: len(one.body())}) if one.ok else None)
    page.goto(page.url.removesuffix("index.html") + name, wait_until="load")
    page.evaluate(
        "async () => { for (const one of document.images)"
        " { one.loading = 'eager'; await one.decode().catch(() => null); } }"
    )
    assert len(loaded) > 10
    assert sum(loaded.values()) < HEAVIEST, sorted(loaded.items(), key=lambda one: -one[1])[:5]
    assert not any("mathjax" in url or "woff" in url for url in loaded)


def test_icons_are_there(opened: Open) -> None:
    page = opened(LESSON)
    page.wait_for_selector("svg.fa-bars")
    assert page.locator("i.fa-solid").count() == 0  # each has become a picture


@pytest.mark.parametrize("name", LESSONS)
def test_code_of_claims_and_figures_is_folded(name: str) -> None:
    page = BeautifulSoup((SITE / name).read_text("utf-8"), "html.parser")
    open_code = [
        block.get_text() for block in page.select("div.cell_input") if not block.find_parent("details")
    ]
    assert [code for code in open_code if re.search(r"^\s*claim\(|plotting\.show\(", code, re.M)] == []
    assert not any(code.startswith("quiz(") for code in open_code)


def test_a_fold_opens(opened: Open) -> None:
    page = opened(LESSON)
    fold = page.locator("details.hide", has=page.get_by_text("Code of this figure")).first
    assert not fold.locator("pre").is_visible()
    fold.locator("summary").click()
    assert fold.locator("pre").is_visible()


@pytest.mark.parametrize("name", LESSONS)
def test_exercises_have_headings_terms_and_papers_links(name: str) -> None:
    page = BeautifulSoup((SITE / name).read_text("utf-8"), "html.parser")
    exercises = page.select("#exercises h3")
    assert len(exercises) >= 3
    terms = [str(link["href"]) for link in page.select("a.course-term")]
    assert terms
    assert len(terms) == len(set(terms))  # the first use alone
    assert all("glossary.html#term-" in term for term in terms)
    items = page.select("#further-reading li")
    assert items
    bare = [item.get_text() for item in items if item.find("em") and not item.select("a[href^=http]")]
    assert [text for text in bare if "Cauchy (1847)" not in text] == []


def test_prerequisites_are_links(opened: Open) -> None:
    page = opened(LESSON)
    page.get_by_role("link", name="02", exact=True).first.click()
    assert page.locator("article h1").inner_text().startswith("02 · Gradient descent")


def test_docstrings_lead_to_their_papers(opened: Open) -> None:
    link = opened("api/optimizers.html").get_by_role("link", name="Kingma & Ba (2015)").first
    assert link.get_attribute("href") == "https://arxiv.org/abs/1412.6980"


@pytest.mark.parametrize("name", LESSONS)
def test_code_does_not_scroll_on_a_laptop(name: str, opened: Open) -> None:
    page = opened(name, width=1280)
    page.evaluate("() => document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    wide = page.evaluate(
        "() => [...document.querySelectorAll('article pre')]"
        ".filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.innerText)"
    )
    assert wide == []


def test_a_figure_keeps_its_labels_on_a_phone(opened: Open) -> None:
    page = opened(LESSON, width=390)
    figure = page.locator("figure.course-figure:visible:not(.course-panels)").first
    figure.scroll_into_view_if_needed()
    assert figure.locator("img").evaluate("(one) => one.clientWidth") >= 570
    assert figure.evaluate("(one) => one.clientWidth") <= 390
    assert figure.get_attribute("tabindex") == "0"  # one scrolls it with the keyboard, too


def test_panels_stand_one_below_the_other_on_a_phone(opened: Open) -> None:
    page = opened("lessons/16_early_stopping_and_averaging.html", width=390)
    figure = page.locator("figure.course-panels:visible").first
    figure.scroll_into_view_if_needed()
    image = figure.locator("img")
    page.wait_for_function("(one) => one.complete && one.naturalWidth > 0", arg=image.element_handle())
    assert image.evaluate("(one) => one.currentSrc").endswith("-panels.webp")
    high, wide, shown = image.evaluate("(one) => [one.clientHeight, one.clientWidth, one.naturalWidth]")
    assert high > wide > 0.6 * shown  # its labels are of a size that one reads
    assert figure.evaluate("(one) => one.scrollWidth <= one.clientWidth")


@pytest.mark.parametrize(("width", "told"), [(390, True), (1280, False)])
def test_a_phone_says_where_left_and_right_are(width: int, told: bool, opened: Open) -> None:
    page = opened("lessons/16_early_stopping_and_averaging.html", width=width)
    figure = page.locator("figure.course-panels:visible").first
    words = figure.evaluate("(one) => getComputedStyle(one, '::before').content")
    assert ("left to right" in words) == told


@pytest.mark.parametrize("width", [390, 1280])
def test_a_deeper_heading_is_smaller(width: int, opened: Open) -> None:
    page = opened(LESSON, width=width)
    sizes = page.evaluate(
        "() => ['h1', 'h2', 'h3', 'h4', 'p'].map((name) =>"
        " parseFloat(getComputedStyle(document.querySelector(`article ${name}`)).fontSize))"
    )
    assert all(above >= 1.08 * below for above, below in itertools.pairwise(sizes)), sizes


@pytest.mark.parametrize(
    ("name", "picture"),
    [(LESSON, ".cell_output .course-figure img"), ("gallery.html", ".course-gallery img")],
)
def test_pictures_in_the_dark_are_dimmed_and_have_no_frame(name: str, picture: str, opened: Open) -> None:
    """The theme draws a frame around those of cells. What moves holds its picture in .live-panels."""
    first = opened(name, scheme="dark").locator(picture).first
    looks = [
        first.evaluate(
            "(one, kind) => { if (kind) one.closest('.course-figure').className = kind;"
            " const { padding, filter, backgroundColor } = getComputedStyle(one);"
            " return [padding, filter, backgroundColor]; }",
            arg=kind,
        )
        for kind in ("", "live-panels")
    ]
    assert looks == [["0px", "brightness(0.92)", "rgb(255, 255, 255)"]] * 2


def test_every_page_is_in_the_test() -> None:
    assert set(LESSONS) <= set(pages())
    assert all(Path(name).suffix == ".html" for name in LESSONS)
