"""Links that the site sets by itself: where it sets them, and where it must not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docutils.core import publish_doctree

from course_utils.tools.site import text_links

DOCS = Path(__file__).resolve().parents[3] / "docs"
NAMES = {"02": "02_gradient_descent", "05": "05_momentum"}


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("see lesson 05.", ["05"]),
        ("Lessons 02 and 05 say", ["02", "05"]),
        ("lessons 02, 05 and 99", ["02", "05"]),  # there is no 99
        ("05 runs of 02 nets", []),
        ("lesson 5, lesson 055", []),
    ],
)
def test_lessons_are_linked_by_their_numbers(text: str, linked: list[str]) -> None:
    found = text_links.numbered(text, NAMES)
    assert [text[one.start : one.end] for one in found] == linked
    assert [one.address for one in found] == [NAMES[one] for one in linked]


@pytest.mark.parametrize(
    ("term", "there", "not_there"),
    [
        ("Warm-up", "a warm-up|Warmups|warm up", "swarm-up|warm"),
        ("EWMA", "the EWMA", "ewma(x)"),
        ("ZeRO", "stage 2 of ZeRO", "zero|Zeros"),
        ("Fan-in, fan-out", "Fan-in, fan-out", "fan"),
        ("Batch", "each batch|batches", "minibatch|batch norm|batch-size"),
        ("Checkpoint (of activations)", "a checkpoint", "checkpointed"),
        ("Condition number", "condition numbers", "condition"),
    ],
)
def test_terms_are_found_in_their_forms(term: str, there: str, not_there: str) -> None:
    pattern = text_links.term_pattern(term)
    assert all(pattern.search(text) for text in there.split("|"))
    assert not any(pattern.search(text) for text in not_there.split("|"))


def test_a_term_is_linked_once_and_the_longer_one_wins() -> None:
    wanted = {"Batch": "g#batch", "Critical batch size": "g#critical"}
    text = "The critical batch size of a batch."
    pieces = text_links.split(text, text_links.first_used(text, wanted))
    assert wanted == {}
    assert [(one.astext(), one["refuri"]) for one in pieces if hasattr(one, "attributes")] == [
        ("critical batch size", "g#critical"),
    ]
    assert "".join(one.astext() for one in pieces) == text


def test_citations_are_whole_names() -> None:
    known = {"Polyak (1964)": "p", "Reddi, Kale & Kumar (2018)": "r", "O'Donoghue & Candes (2015)": "o"}
    text = "Polyak (1964); O’Donoghue & Candes (2015); Other & Polyak (1964); Reddi, Kale & Kumar (2018)."
    assert sorted(one.address for one in text_links.cited(text, known)) == ["o", "p", "r"]


PAGE = """
Falling
=======

Batch
-----

A `batch <https://c.d>`__ of ``batch`` and *stress*, then batch and batch. See lesson 05, lesson 42.

Goldberg (1991), *What every computer scientist should know about floating-point arithmetic*: rounding.
Not (a title), *Deep double descent*. Kingma & Ba (2015).

Further reading
---------------

Student (1908), and so on.
"""


def resolved(name: str, docs: Path = DOCS) -> list[tuple[str, str]]:
    """(text, address) of the links on the page of this name."""
    domain = SimpleNamespace(
        objects={("term", "Batch"): ("glossary", "term-Batch"), ("doc", "x"): ("y", "z")}
    )
    pages = {"glossary", "lessons/02_gradient_descent", "lessons/05_momentum", "lessons/42_falling"}
    app: Any = SimpleNamespace(
        confdir=docs,
        builder=SimpleNamespace(get_relative_uri=lambda _, page: f"{page}.html"),
        env=SimpleNamespace(found_docs=pages, get_domain=lambda _: domain),
    )
    doctree = publish_doctree(PAGE, settings_overrides={"doctitle_xform": False})
    text_links.link(app, doctree, name)
    found = [node for node in doctree.findall() if node.tagname == "reference"]
    return [(node.astext(), node["refuri"]) for node in found]


def test_a_lesson_is_linked(tmp_path: Path) -> None:
    shutil.copy(DOCS / "papers.toml", tmp_path)
    assert resolved("lessons/42_falling", tmp_path) == [
        ("batch", "https://c.d"),  # the page's own; nothing in links, code and headings counts
        ("batch", "glossary.html#term-Batch"),
        ("05", "lessons/05_momentum.html"),  # not its own number
        ("What every computer scientist should know about floating-point arithmetic",
         "https://doi.org/10.1145/103162.103163"),
        ("Kingma & Ba (2015)", "https://arxiv.org/abs/1412.6980"),
    ]  # fmt: skip


def test_a_term_with_other_meanings_is_left_to_its_lessons() -> None:
    assert ("batch", "glossary.html#term-Batch") not in resolved("lessons/42_falling")


def test_another_page_links_citations_and_lessons() -> None:
    assert resolved("api/optimizers")[1:] == [
        ("05", "lessons/05_momentum.html"),
        ("42", "lessons/42_falling.html"),
        ("Kingma & Ba (2015)", "https://arxiv.org/abs/1412.6980"),
        ("Student (1908)", "https://doi.org/10.1093/biomet/6.1.1"),
    ]


def test_the_addresses_of_papers_have_their_form() -> None:
    titles, cited = text_links.papers(DOCS / "papers.toml")
    form = r"https://(arxiv\.org/abs/\d{4}\.\d{4,5}|doi\.org/10\.\d{4,}/\S+|(?!arxiv|doi|dx\.)[\w.]+/\S+)"
    assert [one for one in (*titles.values(), *cited.values()) if one and not re.fullmatch(form, one)] == []
    assert all(re.search(r" \(\d{4}\)$", names) for names in cited)
    assert len(cited) > 60
    assert text_links.papers(DOCS / "no_such.toml") == ({}, {})
