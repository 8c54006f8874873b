"""What the search of the site reads: the text of each page, section by section.

Body text only: no code, no output, no formula, nothing of the page's frame, nothing folded. The ranking
itself is docs/_static/course.search.js; it runs in the page, so the search works offline and from a folder.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from docutils import nodes

from course_utils._files import write_whole

DATA = "_static/search_sections.js"
LEFT_OUT = ("claims", "gallery", "map", "mutants", "reading", "torch_")  # lists of what other pages say
WEIGHTS = {  # of a page, by how its name begins: the first that fits
    "lessons/": 1.0, "lessons": 0.3, "glossary": 1.0, "conventions": 1.0, "notation": 0.8, "faq": 0.9,
    "claim_failed": 0.9, "practice": 0.7, "index": 0.5, "api/": 0.2, "mistakes": 0.3, "": 0.3,
}  # fmt: skip
PARTS = {  # of a section that lessons have in common
    "Title": 0.7, "Further reading": 0.3, "Predict first": 0.6, "Exercises": 0.6, "Agreement": 0.6,
    "In practice": 0.8,
}  # fmt: skip
_NO_TEXT = (nodes.raw, nodes.literal_block, nodes.math, nodes.math_block, nodes.comment, nodes.doctest_block)
_NO_TEXT_EITHER = {"cell_code", "toctree"}
_OBJECT = "course_utils."
_EXERCISE = re.compile(r"\d · ")


class Section(NamedTuple):
    """A place that the search leads to."""

    address: str  # of the page, with the anchor
    title: str
    page: str
    weight: float
    text: str


def sections(doctree: Any, name: str) -> list[Section]:
    """The sections of a page: one for each heading, entry of the glossary, and object of the reference.

    Args:
        doctree: the page as Sphinx resolved it.
        name: the page's, below the site, without ending.
    """
    if name.startswith(LEFT_OUT):
        return []
    weight = next(value for start, value in WEIGHTS.items() if name.startswith(start))
    page, found = "", []
    for anchor, title, text in _read(doctree):
        address = f"{name}.html#{anchor}" if page else f"{name}.html"
        part = "Exercises" if _EXERCISE.match(title) else title if page else "Title"
        page = page or title
        share = PARTS.get(part, 1.0) if name.startswith("lessons/") else 1.0
        found.append(Section(address, title, page, round(weight * share, 3), text))
    return found


def _read(doctree: Any) -> Iterator[tuple[str, str, str]]:
    """(anchor, title, text) of what stands under each heading, in order."""
    opened, pieces = ("", ""), list[str]()
    for start, text in _walked(doctree):
        if start is None:
            pieces.append(text)
            continue
        if opened[1]:
            yield *opened, " ".join("".join(pieces).split())
        opened, pieces = start, []
    if opened[1]:
        yield *opened, " ".join("".join(pieces).split())


def _walked(node: Any) -> Iterator[tuple[tuple[str, str] | None, str]]:
    """(anchor and title, "") where a section begins, (None, text) for its text."""
    for child in node.children:
        if isinstance(child, nodes.Text):
            yield None, child.astext()
        elif isinstance(child, _NO_TEXT) or _NO_TEXT_EITHER & {
            child.get("nb_element"),
            *child.get("classes", ()),
        }:
            continue
        elif opened := _opened(child):
            yield opened, ""
        else:
            yield from _walked(child)
            if not isinstance(child, nodes.Inline):
                yield None, " "


def _opened(node: Any) -> tuple[str, str] | None:
    """(anchor, title) of the section that a node opens."""
    if isinstance(node, nodes.title) and isinstance(node.parent, nodes.section):
        return node.parent["ids"][0], node.astext()
    if isinstance(node, nodes.term) and node.get("ids"):
        return node["ids"][0], node.astext()
    if node.tagname == "desc_signature" and node.get("ids"):
        return node["ids"][0], node["ids"][0].removeprefix(_OBJECT)
    return None


def script(found: list[Section], words: Path) -> str:
    """The sections as the script that the search page loads: a folder has no server to fetch them from.

    Args:
        words: the file that says which words are one, docs/words.toml; it may be missing.
    """
    said = tomllib.loads(words.read_text(encoding="utf-8")) if words.exists() else {}
    known = {"same": said.get("same", []), "asked": said.get("asked", {})}
    rows = ",\n".join(map(_json, found))
    return f"globalThis.courseWords = {_json(known)};\nglobalThis.courseSections = [\n{rows}\n];\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def install(app: Any) -> None:
    """Let Sphinx collect the sections as it writes the pages, in place of its own index of words."""
    found: list[Section] = []

    def begin(app: Any) -> None:
        app.builder.search = False

    def collect(app: Any, doctree: Any, name: str) -> None:
        found.extend(sections(doctree, name))

    def write(app: Any, exception: Exception | None) -> None:
        if exception is None:
            write_whole(Path(app.outdir) / DATA, script(sorted(found), Path(app.confdir) / "words.toml"))

    app.connect("builder-inited", begin)
    app.connect("doctree-resolved", collect)
    app.connect("build-finished", write)
