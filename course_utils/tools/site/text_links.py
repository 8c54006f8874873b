"""Links that the site sets by itself: lessons by their numbers, a glossary term where a lesson first uses it,
papers by their titles and by those who cite them.

docs/papers.toml says where papers are, docs/words.toml which terms mostly mean something else. Nothing inside
a link, a heading, code or a formula is touched.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from docutils import nodes

_LESSONS = re.compile(
    r"\blessons?\s+\d\d\b(?:(?:,\s*|\s+and\s+|,\s*and\s+|\s+or\s+|\s+to\s+|–)\d\d\b)*", re.IGNORECASE
)
_YEAR = re.compile(r"\(\d{4}\w?\), $")
_LEFT_ALONE = (
    nodes.reference, nodes.title, nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw,
    nodes.term, nodes.caption, nodes.comment,
)  # fmt: skip
_FRAME = {"cell_code", "desc_signature", "toctree", "compact_paragraph", "index"}


class Link(NamedTuple):
    """A piece of a text that becomes a link."""

    start: int
    end: int
    address: str
    kind: str = ""  # its class, where it has one


@cache
def papers(path: Path) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """(title in small letters -> address, names with the year -> address); "" where there is no address."""
    if not path.exists():
        return {}, {}
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    return {title.casefold(): address for title, address in data["titles"].items()}, data["cited"]


def cited(text: str, known: Mapping[str, str]) -> list[Link]:
    """The works that a text cites as "Kingma & Ba (2015)"."""
    plain = text.replace("’", "'")
    found = []
    for names, address in known.items():
        for one in re.finditer(rf"(?<![\w&,] ){re.escape(names)}", plain):
            found.append(Link(one.start(), one.end(), address))
    return found


def numbered(text: str, names: Mapping[str, str]) -> list[Link]:
    """The lessons of "lesson 05", "lessons 02, 05 and 07"; the address is the lesson's name."""
    return [
        Link(found.start() + one.start(), found.start() + one.end(), names[one[0]])
        for found in _LESSONS.finditer(text)
        for one in re.finditer(r"\d\d", found[0])
        if one[0] in names
    ]


def term_pattern(term: str) -> re.Pattern[str]:
    """What a term of the glossary looks like in a sentence: "Warm-up" as warm-up, warmup, warm-ups.

    One with capitals inside is written as it is: "ZeRO" is no zero.
    """
    plain = re.sub(r"\s*\(.*\)", "", term)
    parts = [re.escape(part) for part in re.split(r"[- ]", plain)]
    flags = re.IGNORECASE if plain[1:].islower() else re.NOFLAG
    return re.compile(rf"(?<![\w-]){'[- ]?'.join(parts)}(?:e?s)?(?![\w-])(?! norm)", flags)


def first_used(text: str, wanted: dict[str, str]) -> list[Link]:
    """The first use of each term; what is found leaves `wanted` (term -> address)."""
    found = []
    for term in sorted(wanted, key=len, reverse=True):
        if one := term_pattern(term).search(text):
            found.append(Link(one.start(), one.end(), wanted.pop(term), "course-term"))
    return found


def split(text: str, links: list[Link]) -> list[Any]:
    """A text as nodes, its links set. Of two that overlap the one that begins first stands, or is longer."""
    pieces: list[Any] = []
    done = 0
    for link in sorted(links, key=lambda one: (one.start, -one.end)):
        if link.start >= done:
            pieces += [nodes.Text(text[done : link.start])] if link.start > done else []
            pieces.append(_reference(nodes.Text(text[link.start : link.end]), link.address, link.kind))
            done = link.end
    return pieces + ([nodes.Text(text[done:])] if done < len(text) else [])


def _reference(content: Any, address: str, kind: str = "") -> Any:
    internal = "://" not in address
    return nodes.reference("", "", content, refuri=address, internal=internal, classes=[kind] if kind else [])


def texts(doctree: Any) -> Iterator[Any]:
    """The texts in which links may be set, in order."""
    for node in doctree.children:
        if isinstance(node, nodes.Text):
            yield node
        elif not isinstance(node, _LEFT_ALONE) and not _FRAME & {node.tagname, node.get("nb_element")}:
            yield from texts(node)


def link(app: Any, doctree: Any, name: str) -> None:
    """Set the links of a page. For Sphinx's event `doctree-resolved`."""
    titles, works = papers(Path(app.confdir) / "papers.toml")
    own = name.removeprefix("lessons/")[:2] if name.startswith("lessons/") else ""
    lessons = {
        page.removeprefix("lessons/")[:2]: app.builder.get_relative_uri(name, page)
        for page in app.env.found_docs
        if page.startswith("lessons/") and page != name
    }
    terms = _terms(app, name, own) if own else {}
    for title in list(doctree.findall(nodes.emphasis)):
        address = titles.get(title.astext().replace("’", "'").casefold(), "")
        if own and address and _is_title(title):
            title.replace_self(_reference(title.deepcopy(), address))
    for text in list(texts(doctree)):
        links = numbered(text.astext(), lessons)
        links += first_used(text.astext(), terms) if own else []
        links += [] if own and _in_reading(text) else cited(text.astext(), works)
        if links:
            text.parent.replace(text, split(text.astext(), links))


def _is_title(emphasis: Any) -> bool:
    """Whether what is stressed follows names and a year: "Goldberg (1991), *What ...*"."""
    before = emphasis.parent[: emphasis.parent.index(emphasis)]
    inside = isinstance(emphasis.parent, nodes.reference)
    return not inside and bool(_YEAR.search("".join(one.astext() for one in before)))


def _in_reading(text: Any) -> bool:
    """Whether a text stands in a lesson's list of papers, where the titles are the links."""
    node = text.parent
    while node is not None and not isinstance(node, nodes.section):
        node = node.parent
    return node is not None and "further-reading" in node["ids"]


def _terms(app: Any, name: str, own: str) -> dict[str, str]:
    """Term -> address, of the terms that a lesson's words may mean."""
    path = Path(app.confdir) / "words.toml"
    only_in = tomllib.loads(path.read_text(encoding="utf-8"))["only_in"] if path.exists() else {}
    found = {}
    for (kind, term), (page, anchor) in app.env.get_domain("std").objects.items():
        if kind == "term" and own in only_in.get(re.sub(r"\s*\(.*\)", "", term).lower(), (own,)):
            found[term] = f"{app.builder.get_relative_uri(name, page)}#{anchor}"
    return found
