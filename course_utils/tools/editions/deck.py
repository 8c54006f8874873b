"""A lesson as a deck. A slide has a finding as its title, one thing to look at, and at most two sentences.

    title       the lesson and its question
    quiz        the question and its choices, each of which opens on a click
    figure      a figure or a film. Title: the figure's own; of several panels the heading that they answer. A
                figure with sliders moves where a script for it exists
    formula     of "The mathematics": what the display formula says is read below it
    code        the first function under "From scratch"
    table       of "What goes wrong"
    exercises   their names and minutes
    question    the lesson's question again, to be answered before "What we saw" is read

A figure is read by the first two claims that follow it; where none does, by the prose around it. What a
lesson folds stays folded: derivations, the claims of `also_checked`. All prose is in the speaker's notes.

Where this is not good enough a cell carries a mark, `slides` in its metadata: a list with one text for each
formula, table, quiz, figure or film of the cell, in order. The first sentence of a text is the slide's title;
up to two more take the place of the sentences below. "" leaves a slide out, and an empty list all of them. A
mark makes a slide of what gives none by itself, too: a formula or a table elsewhere, the code of a cell.
"""

from __future__ import annotations

import ast
import base64
import html
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, pairwise, repeat
from typing import Any

import nbformat
from nbformat.v4 import new_markdown_cell, new_notebook

from course_utils import claim_lines
from course_utils.tools.cells import python
from course_utils.tools.lesson import Lesson, picture, with_attachments
from course_utils.tools.site import links

READ = 2  # sentences on a slide
LONGEST = 240  # characters of a sentence that is read
TITLE = 110  # characters of a title
WORDS = 3  # of a title, at least: fewer are a label and no finding
TALL = 1.35  # of a figure's width over its height
SPEAK = {"check", "hint", "solution", "progress", "claim", "also_checked"}  # calls that a slide leaves out
ENDS = re.compile(r"(?<=[.?!])(?<! al\.)(?<!e\.g\.)(?<!i\.e\.)(?<!vs\.)\s+(?=\S)")  # between sentences
_COUNTS = (
    "No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve",
    "Thirteen", "Fourteen", "Fifteen",
)  # fmt: skip
_NO_PROSE = ("|", "$$", "- ", "1. ", "> ", "```", "    ", "![", "<details")


@dataclass
class Slide:
    """One slide: what is shown as HTML in a single line, the sentences that read it, and what is said."""

    kind: str
    title: str
    show: str = ""
    reading: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    where: str = ""
    cell: str = ""
    claims: list[str] = field(default_factory=list, repr=False)  # that follow
    before: list[str] = field(default_factory=list, repr=False)  # sentences of the prose
    after: list[str] = field(default_factory=list, repr=False)


@dataclass
class _Thing:
    """Something to look at in a cell, and the title that it gets without a mark."""

    kind: str
    show: str
    title: str = ""
    less: str = ""  # of a title: the names of the panels
    whole: str = ""  # what is shown below another title


def slides(lesson: Lesson, moves: Mapping[str, str] | None = None) -> list[Slide]:
    """The slides of a lesson, in order; `moves`: cells whose figure moves, and its script's name."""
    deck = _Deck(lesson, moves or {})
    for heading, cells in lesson.sections.items():
        if heading:
            deck.section(heading, cells)
    return deck.finished()


def misfits(lesson: Lesson) -> list[str]:
    """Marks that are not one text for each thing that their cell shows."""
    found = []
    for heading, cells in lesson.sections.items():
        for cell in cells:
            if marks := cell.metadata.get("slides"):
                if cell.cell_type == "markdown":
                    count = sum(thing is not None for _, thing in _parts(heading, cell))
                else:
                    count = len(_shown(cell, code=True))
                if len(marks) != count:
                    found.append(f"cell {cell.id} has {len(marks)} marks, and shows {count} things")
    return found


def notebook(lesson: Lesson, moves: Mapping[str, str] | None = None) -> Any:
    """The lesson's slides as a notebook with slide metadata, for nbconvert or for JupyterLab."""
    cells = []
    for number, slide in enumerate(slides(lesson, moves)):
        parts = [("slide", _page(slide))]
        if spoken := "\n\n".join(slide.notes):
            parts.append(("notes", spoken))
        for kind, source in parts:
            made: Any = new_markdown_cell  # nbformat has no types
            about = {"slideshow": {"slide_type": kind}}
            cells.append(made(source, id=f"slide-{number}-{kind}", metadata=about))
    book = new_notebook(cells=cells, metadata=lesson.notebook.metadata)  # type: ignore[no-untyped-call]
    book.metadata["title"] = f"{lesson.number} · {lesson.title}"
    nbformat.validate(book)
    return book


class _Deck:
    """Slides put down one after another, and the prose around each."""

    def __init__(self, lesson: Lesson, moves: Mapping[str, str]) -> None:
        self.lesson, self.moves = lesson, moves
        text = links.taken_out(lesson.notebook.cells[0].source if lesson.notebook.cells else "")
        title = Slide("title", f"{lesson.number} · {lesson.title}", cell="title")
        title.reading = [lesson.question] if lesson.question else []
        title.notes = [re.sub(r"^# .*$", "", text, flags=re.MULTILINE).strip()]
        self.slides = [title]
        self.heading, self.below, self.lead = "", "", ""  # ##, ### and the bold words of a paragraph
        self.current: Slide | None = None  # which the next prose and claims read
        self.spoken: list[str] = []  # since the last slide
        self.text: list[str] = []  # sentences of the last cell of prose

    def section(self, heading: str, cells: list[Any]) -> None:
        """Put down the slides of a section."""
        self.heading, self.below, self.lead, self.current, self.text = heading, "", "", None, []
        if heading == "Exercises" and (asked := _exercises(cells)):
            self._add(Slide("exercises", f"{_count(len(asked))} exercises for the notebook", _list(asked)))
        if heading == "What we saw":
            title = self.lesson.question or "What have we seen?"
            task = "Say it to your neighbour, with a number, before you read on."
            self._add(Slide("question", title, reading=[task]))
        code = heading == "From scratch"  # its first function is a slide
        for cell in cells:
            marks = cell.metadata.get("slides")
            titles = repeat(None) if marks is None else chain(marks, repeat(""))
            if cell.cell_type == "markdown":
                self._prose(cell, titles)
                continue
            for thing in _shown(cell, code=code or bool(marks), live=self.moves.get(cell.id, "")):
                self._show(thing, next(titles), cell.id)
                code = code and thing.kind != "code"
            if self.current:
                self.current.claims += _claims(cell)

    def finished(self) -> list[Slide]:
        """All slides, each with what is read on it."""
        self.slides[-1].notes += self.spoken
        for one in self.slides:
            if not one.reading and one.kind in ("figure", "film", "formula", "code"):
                texts = [one.before] if one.kind == "code" else [one.claims[:READ], one.after, one.before]
                others = [[text for text in some if text.removesuffix(".") != one.title] for some in texts]
                one.reading = next(filter(None, map(readable, others)), [])
        return self.slides

    def _prose(self, cell: Any, titles: Iterator[str | None]) -> None:
        self.text = []
        for block, thing in _parts(self.heading, cell):
            if opens := re.match(r"#{3,} +(.+)", block):
                self.below, self.lead, self.current = opens[1].strip(), "", None
            elif not block.startswith("## "):
                lead = re.match(r"\*\*([^*]+)\*\*", block)
                if lead and self.heading != "Exercises":
                    self.lead, self.current, self.text = lead[1].strip(), None, []
                title = next(titles) if thing else ""
                if thing and title != "":
                    self._show(thing, title, cell.id)
                (self.current.notes if self.current else self.spoken).append(block)
                if not thing and not block.startswith(_NO_PROSE):
                    read = self.current.after if self.current else self.text
                    read += sentences(block)

    def _show(self, thing: _Thing, mark: str | None, cell: str) -> None:
        if mark != "":
            title, *reading = sentences(mark) if mark else [self._title(thing)]
            show = thing.show if title == thing.title else thing.whole or thing.show
            self._add(Slide(thing.kind, title.removesuffix("."), show, reading, cell=cell))

    def _add(self, slide: Slide) -> None:
        slide.where = " · ".join(filter(None, [self.heading, self.below]))
        slide.before, self.text = self.text, []
        slide.notes, self.spoken = self.spoken, []
        self.slides.append(slide)
        self.current = slide

    def _title(self, thing: _Thing) -> str:
        """A title that no slide has yet: what the thing says, else what it answers."""
        opening = [one for one in self.text if one.endswith((".", "!", "?"))][:1]
        tried = {
            "formula": [self.lead],
            "code": [*opening, thing.title],
            "figure": [*(opening if self.heading == "Try it" else []), thing.title, self.below, self.lead],
            "quiz": [thing.title, "What do you expect?"],
        }.get(thing.kind, [thing.title])
        stem = (self.lead or self.below or self.heading).rstrip(" .:?")
        last = [f"{stem} as a {nth}{thing.kind}" for nth in ("", "second ", "third ", "fourth ", "next ")]
        taken = {one.title for one in self.slides}
        for text in filter(None, [*tried, thing.less, *last]):
            title = text.removesuffix(".")
            if is_title(title) and title not in taken:
                return title
        return last[-1]


def is_title(text: str) -> bool:
    """Whether a text can be a slide's title: a question, or words enough to say something; not too long."""
    whole = not text.endswith((":", ",", ";", "."))
    return whole and len(text) <= TITLE and (text.endswith("?") or len(text.split()) >= WORDS)


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph, without its bold."""
    bare = " ".join(re.sub(r"\*\*([^*`]+)\*\*", r"\1", text).split())
    return ENDS.split(bare) if bare else []


def readable(text: list[str]) -> list[str]:
    """The first sentences that can be read on a slide: whole, not too long, none that needs another."""
    whole = [
        one
        for before, one in pairwise(["", *text])
        if re.search(r"[.!]\W?$|\*\*$", one)  # a claim ends with its number in bold
        and not re.match(r"[a-z]{2,}|\(", one)
        and not before.endswith("?")  # which it answers
        and len(one.split()) > WORDS
        and len(one) <= LONGEST
    ]
    return whole[: READ if len("".join(whole[:READ])) <= 1.4 * LONGEST else 1]


def blocks(text: str) -> list[str]:
    """Paragraphs, lists, tables, formulas, fenced code and folds of a markdown cell, in order."""
    pieces: list[str] = []
    closed = True
    for part in re.split(r"\n[ \t]*\n", text):
        if not closed:
            pieces[-1] += f"\n\n{part}"
        elif pieces and part.lstrip().startswith("$$") and pieces[-1].startswith("$$"):
            pieces[-1] += f"\n\n{part.strip()}"  # of one slide
        elif part.strip():
            head = re.match(r"\s*(#{1,6} .+)\n(?=\S)", part)
            pieces += [head[1], part[head.end() :]] if head else [part.strip("\n")]
        last = pieces[-1] if pieces else ""
        even = not any(last.count(mark) % 2 for mark in ("```", "$$"))
        closed = even and last.count("<details") == last.count("</details")
    return pieces


def shown_code(source: str) -> str:
    """A cell's code without the calls that only speak to the learner: check, claim, ..."""
    lines = re.sub(r" *# (fmt: skip|noqa.*)$", "", source, flags=re.MULTILINE).splitlines()
    code = python(source)
    try:
        statements = ast.parse(code).body
    except SyntaxError:
        return source.strip()
    if len(code.splitlines()) != len(lines):  # a magic of several lines, or of the whole cell
        return source.strip()
    for one in reversed(statements):
        call = one.value if isinstance(one, ast.Expr) else None
        call = one.items[0].context_expr if isinstance(one, ast.With) else call
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in SPEAK:
            del lines[one.lineno - 1 : one.end_lineno]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines).strip())


def _parts(heading: str, cell: Any) -> list[tuple[str, _Thing | None]]:
    """The blocks of a cell of prose, each with what a slide shows of it."""
    text = links.taken_out(with_attachments(cell, lambda _, *held: _inline(*held)))
    marked = bool(cell.metadata.get("slides"))
    found: list[tuple[str, _Thing | None]] = []
    for block in blocks(text):
        thing = None
        if block.startswith("$$") and (marked or heading == "The mathematics"):
            formula = " ".join(html.escape(block, quote=False).split())
            thing = _Thing("formula", f"<div>{formula}</div>")
        elif block.startswith("|") and (marked or heading == "What goes wrong"):
            rows = len(block.splitlines()) - 2
            thing = _Thing("table", _html(block), f"{_count(rows)} mistakes, how they show, and their cures")
        elif pasted := re.match(r"!\[(.*?)\]\((\S+)\)", block):
            thing = _figure("figure", pasted[2], pasted[1], pasted[1])
        found.append((block, thing))
    return found


def _shown(cell: Any, *, code: bool, live: str = "") -> list[_Thing]:
    """What slides show of a cell of code: pictures and quizzes; without any its code, if asked for.

    Args: live: the name of the script that makes its figure move.
    """
    found = []
    for output in cell.outputs:
        page = output.get("data", {}).get("text/html", "")
        if drawing := picture(output):
            kind, content, alt = drawing
            name = "text/html" if kind == "gif" else "image/png"
            titles = output.get("metadata", {}).get(name, {}).get("titles", [])
            enough = len(titles) == 1 or all(len(one.split()) >= WORDS for one in titles)
            panels = "; ".join(titles)
            title = panels if len(titles) <= 2 and enough else ""
            kind_shown = "film" if kind == "gif" else "figure"
            found.append(
                _figure(
                    kind_shown,
                    _inline(kind, content),
                    alt,
                    title,
                    tall=_tall(kind, content),
                    less=panels,
                    live=live,
                )
            )
        elif "course-quiz" in page:
            found.append(_quiz(page))
    source = shown_code(cell.source)
    if code and not found and (defined := re.search(r"^(?:def (\w+)|(\w+) = lambda)", source, re.MULTILINE)):
        title = (
            f"All of `{defined[1] or defined[2]}` is {_count(len(source.splitlines())).lower()} lines of code"
        )
        found.append(_Thing("code", _highlighted(source), title))
    return found


def _figure(
    kind: str, src: str, alt: str, title: str, *, tall: bool = False, less: str = "", live: str = ""
) -> _Thing:
    """A picture that fills its slide; beside a tall one there is room for what reads it.

    Of one that moves the still is the fallback, also on paper.
    """
    about = ' class="tall"' if tall and not live else ""
    show = f'<img{about} src="{src}" alt="{html.escape(alt)}">'
    if live:
        show = f'<div class="course-live" data-live="{live}" data-prevent-swipe>{show}</div>'
    return _Thing(kind, show, title, less)


def _tall(kind: str, content: bytes) -> bool:
    """Whether a picture is less than `TALL` times as wide as it is high, from the head of its file."""
    form, at = (">II", 16) if kind == "png" else ("<HH", 6)
    if len(content) < at + struct.calcsize(form):
        return False
    wide, high = struct.unpack_from(form, content, at)
    return bool(wide < TALL * high)


def _quiz(page: str) -> _Thing:
    """A quiz whose last sentence is the slide's title; what comes before it, and the choices, are shown."""
    asked = re.search(r"<p><strong>[^<]*</strong>(.*?)</p>", page, re.DOTALL)
    *given, last = ENDS.split(asked[1].strip()) if asked else [""]
    title = html.unescape(re.sub(r"<[^>]+>", "`", last))
    title = title if title.endswith("?") else f"{title.rstrip(' .:…')} …?"
    whole = " ".join(page.split())
    told = f"<p>{' '.join(given)}</p>" if given else ""
    return _Thing(
        "quiz", whole.replace(" ".join(asked[0].split()), told) if asked else whole, title, whole=whole
    )


def _claims(cell: Any) -> list[str]:
    """What the claims of a cell say that are read without opening a fold, each with its number."""
    return [
        f"{'' if one['verdict'] == 'holds' else one['verdict'] + ': '}"
        f"{_leading(claim_lines.bare(one['sentence']))} **{one['shown']}**"
        for output in cell.outputs
        for block in claim_lines.stored(output)
        for one in block.open
    ]


def _leading(sentence: str) -> str:
    """A claim's sentence for its number to follow, with a colon unless it ends in "by", "times", ..."""
    return sentence if re.search(r" (as|at|by|is|of|over|than|times)$", sentence) else f"{sentence}:"


def _exercises(cells: list[Any]) -> list[str]:
    """Name and minutes of each exercise, as they stand before it."""
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    found = re.findall(r"^\*\*\d+ · (.+?)\*\*(?!\*)((?: \([^()]*\))*)", text, re.MULTILINE)
    return [f"**{name}**{about}" for name, about in found]


def _count(number: int) -> str:
    return _COUNTS[number] if number < len(_COUNTS) else str(number)


def _inline(kind: str, content: bytes) -> str:
    """A picture as an address that holds it."""
    form = "svg+xml" if kind == "svg" else kind
    return f"data:image/{form};base64,{base64.b64encode(content).decode()}"


def _html(text: str) -> str:
    """Markdown as HTML in one line: an empty line would end the slide's block of HTML."""
    from nbconvert.filters import markdown2html

    return " ".join(str(markdown2html(text)).split())


def _words(sentence: str) -> str:
    """A sentence as HTML, without a paragraph around it."""
    return re.sub(r"^<p>|</p>$", "", _html(sentence))


def _list(items: list[str]) -> str:
    return f"<ol>{''.join(f'<li>{_words(one)}</li>' for one in items)}</ol>"


def _highlighted(source: str) -> str:
    """Code as HTML in one line, in colours that the theme sets."""
    from nbconvert.filters import Highlight2HTML

    page = str(Highlight2HTML()(source, language="python"))  # type: ignore[no-untyped-call]
    return page.strip().replace("\n</pre>", "</pre>").replace("\n", "&#10;")


def _page(slide: Slide) -> str:
    """A slide as one block of HTML."""
    if slide.kind == "title":
        parts = [f"<h1>{_words(slide.title)}</h1>"]
    else:
        parts = [f'<p class="where">{_words(slide.where)}</p>', f"<h2>{_words(slide.title)}</h2>"]
    shown = f'<div class="show">{slide.show}</div>' if slide.show else ""
    read = "".join(f"<p>{_words(one)}</p>" for one in slide.reading)
    read = f'<div class="read">{read}</div>' if read else ""
    parts.append(f'<div class="body">{shown}{read}</div>')
    return f'<div class="course-slide {slide.kind}">{"".join(parts)}</div>'
