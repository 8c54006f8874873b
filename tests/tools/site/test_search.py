"""What the search reads of a page, and how its script reads words; tests/web asks the built site."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import quickjs
from docutils import nodes
from docutils.core import publish_doctree

from course_utils.tools.site import search
from tests.tools.site.searching import STATIC, engine

PAGE = """
Falling
=======

Why *does* it fall? It is :math:`x^2` heavy.

.. code-block:: python

   secret = 1

The idea
--------

A picture
with words.

.. raw:: html

   <p>hidden</p>

.. _further-reading:

Further reading
---------------

Someone (1999).
"""


def read(name: str = "lessons/42_falling") -> list[search.Section]:
    settings = {"doctitle_xform": False}
    doctree = publish_doctree(PAGE, settings_overrides=settings)
    return search.sections(doctree, name)


def test_sections_hold_the_text_of_the_page_alone() -> None:
    first, idea, reading = read()
    assert first.address == "lessons/42_falling.html"
    assert first.text == "Why does it fall? It is heavy."
    assert (idea.address, idea.title, idea.page) == (
        "lessons/42_falling.html#the-idea",
        "The idea",
        "Falling",
    )
    assert idea.text == "A picture with words."
    assert (first.weight, idea.weight, reading.weight) == (0.7, 1.0, 0.3)


def test_cells_are_no_text_and_terms_are_sections() -> None:
    term = nodes.term("", "Batch", ids=["term-Batch"])
    entry = nodes.definition_list_item("", term, nodes.definition("", nodes.paragraph("", "Some examples.")))
    cell = nodes.container("", nodes.paragraph("", "An output."), nb_element="cell_code")
    title = nodes.title("", "Glossary")
    page = nodes.container("", nodes.section("", title, cell, nodes.definition_list("", entry), ids=["g"]))
    assert search.sections(page, "glossary") == [
        search.Section("glossary.html", "Glossary", "Glossary", 1.0, ""),
        search.Section("glossary.html#term-Batch", "Batch", "Glossary", 1.0, "Some examples."),
    ]


def test_lists_of_what_other_pages_say_are_left_out() -> None:
    assert read("claims") == []
    assert read("gallery") == []
    assert read("api/optimizers")[0].weight < read("glossary")[0].weight


def test_the_script_can_be_read_again() -> None:
    text = search.script(read(), STATIC.parent / "words.toml")
    js = engine()
    js.eval(text)
    assert json.loads(js.eval("JSON.stringify(courseSections)")) == [list(section) for section in read()]


def test_a_course_without_words_of_its_own_can_be_searched(tmp_path: Path) -> None:
    js = quickjs.Context()
    js.eval(search.script(read(), tmp_path / "words.toml"))
    for name in ("vendor/minisearch/minisearch.js", "course.search.js"):
        js.eval((STATIC / name).read_text(encoding="utf-8"))
    js.eval("const found = courseSearch.find(courseSearch.build(courseSections), courseSections, 'pictures')")
    assert js.eval("found[0].section[1]") == "The idea"


@pytest.fixture(scope="module")
def call() -> Callable[..., Any]:
    js = engine()
    js.eval(
        "function call(name, values) { return JSON.stringify(courseSearch[name](...JSON.parse(values))) }"
    )
    return lambda name, *values: json.loads(js.get("call")(name, json.dumps(values)))


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Why warm-up?", ["warmup"]),
        ("the warm up", ["warmup"]),
        ("ε", ["epsilon"]),
        ("Adam's eps", ["adam", "epsilon"]),
        ("lr too high", ["rate", "wrong", "large"]),
        ("step sizes", ["rate"]),
        ("step size", ["rate"]),
        ("BatchNorm", ["batch", "norm"]),
        ("constructor", ["constructor"]),  # a name that every object of JavaScript has
        ("naïve", ["naive"]),
    ],
)
def test_a_question_is_read_in_the_words_of_the_pages(
    question: str, words: list[str], call: Callable[..., Any]
) -> None:
    assert call("asked", question) == words


def test_letters_stand_for_words_in_questions_alone(call: Callable[..., Any]) -> None:
    assert call("words", "η is 0.1") == ["eta", "0", "1"]
    assert call("asked", "η") == ["rate"]


@pytest.mark.parametrize(
    "family",
    [("average", "averages", "averaging", "averaged"), ("clip", "clipping", "clipped"), ("decay", "decays"),
     ("penalty", "penaltys"), ("step", "steps"), ("regularise", "regularisation")],
)  # fmt: skip
def test_a_word_is_found_in_its_forms(family: tuple[str, ...], call: Callable[..., Any]) -> None:
    assert len({call("stem", word) for word in family}) == 1


def test_other_words_stay_apart(call: Callable[..., Any]) -> None:
    words = ["loss", "lose", "bias", "rate", "ratio", "mean", "means", "norm", "normal", "adam", "adagrad"]
    assert len({call("stem", word) for word in words}) == len(words) - 1  # "means" is "mean"


def test_the_snippet_shows_the_words_that_were_found(call: Callable[..., Any]) -> None:
    text = (
        "Much before. " * 30
        + "Then the learning rates were too large, and it diverged. "
        + "Much after. " * 30
    )
    shown = call("snippet", text, ["rat", "diverg"])
    marked = [piece for piece, found in shown if found]
    assert "diverged" in marked
    assert "rates" in marked or "learning" in marked
    assert shown[0][0] == "… "
    assert shown[-1][0] == " …"
    assert len("".join(piece for piece, _ in shown)) < 260
    assert "".join(piece for piece, _ in call("snippet", "A short one.", ["nothing"])) == "A short one."
