"""Search: the section that must come first, by the page's own script; then the page, from a folder too."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.tools.site.searching import engine
from tests.web.conftest import SITE, Open, pages

FIRST = {  # question -> how the address of the section begins that must come first
    "warmup": "lessons/10_cycles_restarts_warmup.html#which-nets-bear-a-higher-rate-after-a-warm-up",
    "why warm-up": "lessons/10_cycles_restarts_warmup.html#which-nets-bear-a-higher-rate-after-a-warm-up",
    "epsilon": "conventions.html#where-stands-and-how-large-it-is",
    "where does ε stand": "conventions.html#where-stands-and-how-large-it-is",
    "adam eps": "conventions.html#where-stands-and-how-large-it-is",
    "lr too high": "lessons/02_gradient_descent.html#which-rate",
    "learning rate too large": "lessons/02_gradient_descent.html#which-rate",
    "learning rate sweep": "lessons/02_gradient_descent.html#which-rate-for-a-net",
    "condition number": "glossary.html#term-Condition-number",
    "critical batch size": "glossary.html#term-Critical-batch-size",
    "linear scaling rule": "lessons/03_stochastic_gradients.html#how-far-may-grow-with-the-batch",
    "ema": "glossary.html#term-EWMA",
    "bias correction": "glossary.html#term-Bias-correction",
    "momentum noise": "lessons/05_momentum.html#what-does-it-do-to-noise",
    "pytorch convention momentum": "conventions.html#momentum",
    "sparse features adagrad": "lessons/06_adaptive_rates.html#",
    "decoupled weight decay": "glossary.html#term-Decoupled-weight-decay",
    "weight decay vs l2": "conventions.html#weight-decay-and-penalties",
    "double descent": "glossary.html#term-Double-descent",
    "lasso zeros": "lessons/12_norm_penalties.html#who-lands-on-zero",
    "dropout at test time": "lessons/13_dropout.html",
    "batchnorm eval": "lessons/14_batch_norm.html",
    "label smoothing": "lessons/15_augmentation.html",
    "early stopping patience": "lessons/16_early_stopping_and_averaging.html",
    "loss scaling fp16": "glossary.html#term-Loss-scaling",
    "gradient clipping": "glossary.html#term-Gradient-clipping",
    "muon": "lessons/18_beyond_adam.html",
    "edge of stability": "glossary.html#term-Edge-of-stability",
    "how many seeds": "lessons/00_start_here.html#how-many-seeds",
    "why did a claim fail": "claim_failed.html",
}


@pytest.fixture(scope="module")
def ask() -> Callable[[str], list[Any]]:
    """The first five sections that the page's own script finds, without a browser."""
    pages()
    js = engine()
    js.eval((SITE / "_static" / "search_sections.js").read_text(encoding="utf-8"))
    js.eval("const index = courseSearch.build(courseSections);")
    js.eval(
        "function ask(q) { return JSON.stringify(courseSearch.find(index, courseSections, q).slice(0, 5)"
        ".map((hit) => hit.section)) }"
    )
    return lambda question: json.loads(js.get("ask")(question))


@pytest.mark.parametrize("question", FIRST)
def test_the_right_section_comes_first(question: str, ask: Callable[[str], list[Any]]) -> None:
    assert next(address for address, *_ in ask(question)).startswith(FIRST[question])


@pytest.mark.parametrize(
    "ways",
    [("warmup", "warm-up", "warm up"), ("eps", "ε", "epsilon"), ("lr", "learning rate", "step size", "η"),
     ("batchnorm", "batch norm", "BN"), ("regularize", "regularise"), ("EWMA", "ema"),
     ("minibatch", "batch")],
)  # fmt: skip
def test_every_way_of_writing_finds_the_same(ways: tuple[str, ...], ask: Callable[[str], list[Any]]) -> None:
    found = [[address for address, *_ in ask(way)] for way in ways]
    assert found[0]
    assert found.count(found[0]) == len(ways)


def test_every_section_is_there(ask: Callable[[str], list[Any]]) -> None:
    text = (SITE / "_static" / "search_sections.js").read_text(encoding="utf-8")
    sections = json.loads(text.split("courseSections = ")[1].rstrip().removesuffix(";"))
    lost = []
    texts = {name: (SITE / name).read_text(encoding="utf-8") for name in pages()}
    for address, *_ in sections:
        name, _, anchor = address.partition("#")
        if anchor and f'id="{anchor}"' not in texts[name]:
            lost.append(address)
    assert lost == []
    assert len(sections) > 300
    words = " ".join(section[4] for section in sections)
    assert "System Settings" not in words  # the frame of the page
    assert "from course_utils.claims import" not in words  # code


@pytest.mark.parametrize("folder", [False, True], ids=["served", "folder"])
def test_the_page_shows_where_and_why(folder: bool, opened: Open, browser: Any) -> None:
    if folder:
        page = browser.new_page()
        page.goto(f"{(SITE / 'search.html').as_uri()}?q=lr+too+high")
    else:
        page = opened("search.html?q=lr+too+high")
    first = page.locator("#search-results li").first
    assert "02 · Gradient descent › Which rate" in first.locator("a").inner_text()
    assert first.locator("mark").count() >= 2
    assert "rate" in first.locator("mark").all_inner_texts()
    assert "sections" in page.locator("#search-count").inner_text()
    page.locator(".bd-article-container input[type=search]").fill("zzzz")
    assert page.locator("#search-results li").count() == 0
    assert "Nothing found" in page.locator("#search-count").inner_text()
    page.locator(".bd-article-container input[type=search]").fill("condition number")
    page.locator("#search-results li a").first.click()
    assert page.locator(":target").inner_text().startswith("Condition number")


def test_the_button_of_every_page_asks_the_search(opened: Open) -> None:
    page = opened("lessons/05_momentum.html")
    page.locator("button.search-button-field:visible").first.click()
    field = page.locator("dialog input[type=search]")
    field.fill("double descent")
    field.press("Enter")
    page.wait_for_selector("#search-results li")
    assert "Double descent" in page.locator("#search-results li a").first.inner_text()
