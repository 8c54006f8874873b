"""The built site in Chromium: quiet, self-contained, fit for a phone, the dark and a screen reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from course_utils.tools import lessons
from course_utils.tools.lesson import Lesson
from tests.web.conftest import PROJECT, SITE, Open, audit, pages

LESSON = "lessons/05_momentum.html"
IN_THE_DARK = {  # one page of each kind
    "index.html", LESSON, "claims.html", "gallery.html", "mistakes.html", "map.html", "conventions.html",
    "search.html",    "api/optimizers.html", "faq.html", "genindex.html",
}  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `site_page` runs for every page of the built site."""
    if "site_page" in metafunc.fixturenames:
        metafunc.parametrize("site_page", pages())


@dataclass
class Visit:
    """What was seen of a page."""

    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    formulas: int = 0
    rendered: int = 0
    wrong_formulas: int = 0
    images: list[dict[str, Any]] = field(default_factory=list)
    too_wide: dict[int, int] = field(default_factory=dict)  # width of the screen -> of the page
    violations: dict[str, list[str]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def visited(browser: Any, address: str, axe: str) -> Iterator[Callable[[str], Visit]]:
    """Looks at a page once, in light and dark, on a screen and on a phone, and remembers."""
    seen: dict[str, Visit] = {}
    contexts = {
        scheme: browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
        for scheme in ("light", "dark")
    }

    def look(name: str) -> Visit:
        if name not in seen:
            seen[name] = _look(contexts, address, name, axe)
        return seen[name]

    yield look
    for context in contexts.values():
        context.close()


def _look(contexts: dict[str, Any], address: str, name: str, axe: str) -> Visit:
    visit = Visit()
    for scheme, context in contexts.items():
        if scheme == "dark" and name not in IN_THE_DARK:
            continue
        page = context.new_page()
        page.on(
            "console", lambda m: visit.complaints.append(m.text) if m.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.on("request", lambda r: visit.outside.append(r.url) if not _inside(r.url, address) else None)
        page.on("response", lambda r: visit.broken.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        page.goto(address + name)
        if scheme == "light":
            visit.formulas = page.locator(".math").count()
            visit.rendered = page.locator(".math:has(mjx-container svg)").count()
            visit.wrong_formulas = page.locator("[data-mml-node=merror], mjx-merror").count()
            visit.images = page.evaluate(
                """async () => { const all = [...document.images];
                for (const one of all) { one.loading = "eager"; await one.decode().catch(() => null); }
                return all.map((i) => (
                    {src: i.getAttribute("src").slice(0, 90), alt: i.alt, width: i.naturalWidth})) }"""
            )
        visit.violations[scheme] = audit(page, axe)
        if scheme == "light":
            for width in (1280, 768, 390):
                page.set_viewport_size({"width": width, "height": 844})
                reached = page.evaluate("() => document.documentElement.scrollWidth")
                if reached > width:
                    visit.too_wide[width] = reached
        page.close()
    return visit


def _inside(url: str, address: str) -> bool:
    return url.startswith((address, "data:", "blob:", "about:"))


def test_page_is_quiet_and_asks_nobody(site_page: str, visited: Callable[[str], Visit]) -> None:
    visit = visited(site_page)
    assert visit.outside == []
    assert visit.broken == []
    assert visit.complaints == []


def test_mathematics_is_rendered(site_page: str, visited: Callable[[str], Visit]) -> None:
    visit = visited(site_page)
    assert visit.rendered == visit.formulas
    assert visit.wrong_formulas == 0


def test_pictures_load_and_say_what_they_show(site_page: str, visited: Callable[[str], Visit]) -> None:
    for image in visited(site_page).images:
        assert image["width"] > 0, image
        assert len(image["alt"]) >= 40, image


def test_nothing_scrolls_sideways(site_page: str, visited: Callable[[str], Visit]) -> None:
    assert visited(site_page).too_wide == {}


def test_accessibility(site_page: str, visited: Callable[[str], Visit]) -> None:
    violations = visited(site_page).violations
    assert "light" in violations
    assert [one for found in violations.values() for one in found] == []


def test_lessons_have_formulas_at_all(visited: Callable[[str], Visit]) -> None:
    assert visited(LESSON).formulas >= 3  # else "all are rendered" says nothing


@pytest.fixture(scope="module")
def anchors() -> dict[str, set[str]]:
    """Page -> the ids on it."""
    return {
        name: {
            str(tag["id"])
            for tag in BeautifulSoup((SITE / name).read_text("utf-8"), "html.parser").select("[id]")
        }
        for name in pages()
    }


def test_links_resolve(site_page: str, anchors: dict[str, set[str]]) -> None:
    lost = []
    for tag in BeautifulSoup((SITE / site_page).read_text("utf-8"), "html.parser").select("a[href]"):
        link = urlsplit(str(tag["href"]))
        if link.scheme or link.netloc:
            continue
        target = (SITE / site_page).parent / unquote(link.path) if link.path else SITE / site_page
        inside = str(target.resolve().relative_to(SITE)) if target.resolve().is_relative_to(SITE) else ""
        # a state of the playground, "#a=sgd&b=adam", is no place on its page
        state = inside == "playground.html" and "=" in link.fragment
        known = None if state else anchors.get(inside)
        if not target.is_file() or (
            link.fragment and known is not None and unquote(link.fragment) not in known
        ):
            lost.append(tag["href"])
    assert lost == []


@pytest.mark.parametrize("path", lessons.find(PROJECT / "notebooks"), ids=lambda path: path.stem)
def test_alt_texts_are_the_notebooks(path: Path) -> None:
    page = BeautifulSoup((SITE / "lessons" / f"{path.stem}.html").read_text("utf-8"), "html.parser")
    shown = [str(image["alt"]) for image in page.select("figure.course-figure img")]
    assert shown == [picture.alt for picture in Lesson(path).pictures]
    assert shown or not _has_outputs(path)


@pytest.mark.parametrize("path", lessons.find(PROJECT / "notebooks"), ids=lambda path: path.stem)
def test_every_claim_leads_to_its_cell_and_back(path: Path, anchors: dict[str, set[str]]) -> None:
    there, ledger = anchors[f"lessons/{path.stem}.html"], anchors["claims.html"]
    claims = Lesson(path).claims
    assert claims or not _has_outputs(path)
    for claim in claims:
        anchor = f"claim-{claim.id.replace('.', '-')}"
        assert anchor in there
        assert anchor in ledger
        assert f"cell-{claim.cell}" in there


def _has_outputs(path: Path) -> bool:
    """Whether a lesson has been executed; one that is being written has not."""
    return any(cell.get("outputs") for cell in Lesson(path).notebook.cells)


def test_solution_is_folded_and_opens(opened: Open) -> None:
    page = opened(LESSON)
    fold = page.locator(".course-folds").first
    solution = fold.locator("details", has=page.locator("summary", has_text=re.compile("^Solution$")))
    assert not solution.locator("pre").is_visible()
    solution.locator("summary").click()
    assert solution.locator("pre").is_visible()
    assert "v = beta * v + g" in solution.locator("pre").inner_text()


def test_quiz_opens_one_choice_at_a_time(opened: Open) -> None:
    choices = opened(LESSON).locator(".course-quiz").first.locator("details")
    choices.nth(0).locator("summary").click()
    choices.nth(1).locator("summary").click()
    assert choices.nth(0).get_attribute("open") is None
    assert choices.nth(1).get_attribute("open") is not None


def test_ledger_finds_and_leads_to_the_cell(opened: Open) -> None:
    page = opened("claims.html")
    rows = page.locator(".course-ledger tbody tr")
    page.locator("#course-filter").fill("05.momentum-power")
    assert rows.filter(visible=True).count() == 1
    page.get_by_role("link", name="05.momentum-power").click()
    target = page.locator(":target")
    assert target.get_attribute("id") == "claim-05-momentum-power"
    assert target.is_visible()


def test_search_finds_a_lesson(opened: Open) -> None:
    page = opened("search.html?q=dampening")
    page.wait_for_selector("#search-results li a")
    found = " ".join(page.locator("#search-results li a").all_inner_texts())
    assert "05 · Momentum" in found


def test_dark_mode_switches_and_stays(opened: Open) -> None:
    page = opened("index.html")
    colour = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.locator("button.theme-switch-button:visible").click()
    page.locator("button.theme-change-button[data-mode=dark]").click()
    page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")
    dark = page.evaluate(colour)
    assert dark != light
    page.reload()
    assert page.evaluate(colour) == dark


def _film_page() -> str:
    return next(name for name in pages() if 'class="course-film"' in (SITE / name).read_text("utf-8"))


def test_film_pauses(opened: Open) -> None:
    figure = opened(_film_page()).locator("figure:has(button.course-film)").first
    button = figure.locator("button")
    assert button.inner_text() == "Pause"
    button.click()
    assert button.inner_text() == "Play"
    assert figure.locator("img").get_attribute("src").endswith("-last.png")
    button.click()
    assert figure.locator("img").get_attribute("src").endswith(".gif")


def test_film_rests_where_less_motion_is_asked_for(opened: Open) -> None:
    page = opened(_film_page(), reduced_motion="reduce")
    figure = page.locator("figure:has(button.course-film)").first
    figure.scroll_into_view_if_needed()
    assert figure.locator("button").inner_text() == "Play"
    shown = figure.locator("img").evaluate("async (i) => { await i.decode(); return i.currentSrc }")
    assert shown.endswith("-last.png")


def test_site_works_from_a_folder(browser: Any) -> None:
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.goto((SITE / LESSON).as_uri())
    assert page.locator("mjx-container svg").count() > 3
    assert complaints == []
    page.goto((SITE / "search.html").as_uri() + "?q=dampening")  # finds; its excerpts need a server
    page.wait_for_selector("#search-results li a")
    page.close()
