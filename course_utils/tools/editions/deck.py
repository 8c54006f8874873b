"""A lesson as a deck: which cell becomes a slide, by one rule for all lessons.

    title            the question and what one will be able to do
    ## heading       a new slide; further slides of the section hang below it
    ### heading      a slide below
    figure, film     without the code that draws it; as large as the slide, or below a line or two of prose
    claims           their verdicts, without the code that measures
    quiz             its choices open on a click
    exercise         a slide of its own: what is asked, and the stub
    code             shown where code is the point: "From scratch", "What goes wrong", exercises
    prose            formulas, tables, lists and opening sentences; all of it is in the speaker's notes

What stands before "Predict first" is left out. A cell whose own metadata has `slideshow.slide_type` overrides
the rule: "skip" and "notes" as they say, any other shows the cell whole and begins a slide of that type.
"""

from __future__ import annotations

import ast
import base64
import html
import math
import re
from dataclasses import dataclass, field
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_utils import claim_lines, markup
from course_utils.tools.cells import python
from course_utils.tools.lesson import Lesson, picture, with_attachments
from course_utils.tools.site import links

ROOM = 17.0  # lines that fit on a slide below its heading
WIDTH = 78  # characters a line
WORDS = 45  # of a paragraph that is shown whole
FIGURE = 11.5  # lines that a figure needs at least
CODE_IN = {"From scratch", "What goes wrong", "Exercises"}
SPEAK = {"check", "hint", "solution", "progress", "claim", "also_checked"}  # calls that a slide leaves out
_CLOSING = re.compile(r"(?<=[.?!:])\s+(?=[A-ZΑ-Ω`*$])")


@dataclass
class Deck:
    """Cells with slide metadata, put down one after another."""

    cells: list[Any] = field(default_factory=list)
    heading: str = ""
    left: float = 0.0  # lines
    fresh: bool = False  # nothing but the heading on this slide yet
    notes: list[str] = field(default_factory=list)

    def slide(self, kind: str, heading: str = "") -> None:
        """Begin a slide; the notes so far go to the one before. Right below a heading it is a line there."""
        if kind == "subslide" and self.fresh and self.cells:
            if heading:
                self._add(f"<h3>{markup.marked(heading)}</h3>", "-")
                self.left, self.heading = self.left - 1.5, heading
            return
        self.flush()
        self.left, self.fresh, self.heading = ROOM, True, heading or self.heading
        tag = "h2" if kind == "slide" else "h3"
        self._add(f"<{tag}>{markup.marked(self.heading)}</{tag}>", kind)

    def put(self, source: str, lines: float, *, code: bool = False) -> None:
        """Show something; where it does not fit, on the next slide below."""
        if lines > self.left and not self.fresh:
            self.slide("subslide")
        self._add(source, "-", code=code)
        self.left, self.fresh = self.left - lines, False

    def figure(self, src: str, alt: str) -> None:
        """A picture that fills the slide, or what is left of it below a few lines."""
        if self.left < FIGURE and not self.fresh:
            self.slide("subslide")
        size = "alone" if self.left == ROOM else "below"
        self._add(f'<img class="figure {size}" src="{src}" alt="{html.escape(alt)}">', "-")
        self.left, self.fresh = 0.0, False

    def flush(self) -> None:
        """Put the notes so far below what is shown."""
        if spoken := "\n\n".join(filter(None, self.notes)):
            self._add(spoken, "notes")
        self.notes = []

    def _add(self, source: str, kind: str, *, code: bool = False) -> None:
        make: Any = new_code_cell if code else new_markdown_cell
        cell = make(source, id=f"slide-{len(self.cells)}", metadata={"slideshow": {"slide_type": kind}})
        self.cells.append(cell)


def notebook(lesson: Lesson) -> Any:
    """The lesson's slides as a notebook with slide metadata, for nbconvert or for JupyterLab."""
    deck = Deck()
    title = lesson.notebook.cells[0].source if lesson.notebook.cells else ""
    _title(deck, lesson, links.taken_out(title))
    for heading, cells in lesson.sections.items():
        if not heading:
            continue
        deck.slide("slide", heading)
        for cell in cells:
            _cell(deck, heading, cell)
    deck.flush()
    slides = new_notebook(cells=deck.cells, metadata=lesson.notebook.metadata)  # type: ignore[no-untyped-call]
    slides.metadata["title"] = f"{lesson.number} · {lesson.title}"
    nbformat.validate(slides)
    return slides


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


def verdicts(output: Any) -> list[str]:
    """The claims of an output as HTML list items; of folded ones the line that they are folded into."""
    items = []
    for block in claim_lines.stored(output):
        if block.folded:
            items.append(_item(block.verdict, markup.marked(block.summary)))
        for one in block.open:
            sentence = markup.marked(claim_lines.bare(one["sentence"]))
            shown = f"<strong>{html.escape(one['shown'])}</strong>"
            items.append(_item(one["verdict"], f"{sentence}: {shown} <small>{one['id']}</small>"))
    return items


def _item(verdict: str, said: str) -> str:
    return f'<li class="{verdict.replace(" ", "-")}">{said}</li>'


def _title(deck: Deck, lesson: Lesson, text: str) -> None:
    deck.slide("slide", f"{lesson.number} · {lesson.title}")
    deck.cells[-1].source = f"<h1>{markup.marked(deck.heading)}</h1>"
    if lesson.question:
        deck.put(f'<p class="question">{markup.marked(lesson.question)}</p>', 3)
    for block in blocks(text):
        if block.startswith("- "):
            deck.put(f"After this lesson you can\n\n{block}", _lines(block))
    deck.notes = [re.sub(r"^# .*$", "", text, flags=re.MULTILINE).strip()]


def _cell(deck: Deck, heading: str, cell: Any) -> None:
    kind = cell.metadata.get("slideshow", {}).get("slide_type", "")
    if kind == "skip":
        return
    if kind == "notes":
        deck.notes.append(links.taken_out(cell.source))
    elif kind and kind != "-":
        deck.slide("slide" if kind == "slide" else "subslide")
        deck.put(cell.source, _lines(cell.source), code=cell.cell_type == "code")
    elif cell.cell_type == "markdown":
        text = with_attachments(cell, lambda _, *picture: _inline(*picture))
        _prose(deck, heading, links.taken_out(text))
    elif cell.cell_type == "code":
        _code(deck, heading, cell)


def _prose(deck: Deck, heading: str, text: str) -> None:
    spoken = []
    for count, block in enumerate(blocks(text)):
        if block.startswith("## "):
            continue
        if opens := re.match(r"#{3,} +(.+)", block):
            deck.slide("subslide", opens[1].strip())
            continue
        if heading == "Exercises" and re.match(r"\*\*\d+ · ", block) and not deck.fresh:
            deck.slide("subslide")
        spoken.append(block)
        if block.startswith("- "):
            for some in _halves(block):
                deck.put(some, _lines(some))
        elif block.startswith(("|", "$$", "1. ", "> ", "```", "    ", "![")):
            deck.put(block, _lines(block))
        elif count <= 1 or block.startswith("**"):
            start = opening(block)
            deck.put(start, _lines(start))
    deck.notes += spoken


def _code(deck: Deck, heading: str, cell: Any) -> None:
    code = shown_code(cell.source)
    pictures = [drawing for output in cell.outputs if (drawing := picture(output))]
    quizzes = [
        text
        for output in cell.outputs
        if "course-quiz" in (text := output.get("data", {}).get("text/html", ""))
    ]
    claims = [item for output in cell.outputs for item in verdicts(output)]
    if heading in CODE_IN and code and not pictures and not quizzes:
        rows = sum(1 + len(line) // 105 for line in code.splitlines())
        deck.put(code, 0.8 * rows + 1, code=True)
    for kind, content, alt in pictures:
        deck.figure(_inline(kind, content), alt)
    for quiz in quizzes:
        deck.put(re.sub(r"\s*\n\s*", " ", quiz), 3 + 2 * quiz.count("<details"))
    for start in range(0, len(claims), 6):
        some = claims[start : start + 6]
        deck.put(f'<ul class="claims">{"".join(some)}</ul>', sum(map(_lines, some)))


def _inline(kind: str, content: bytes) -> str:
    """A picture as an address that holds it."""
    form = "svg+xml" if kind == "svg" else kind
    return f"data:image/{form};base64,{base64.b64encode(content).decode()}"


def blocks(text: str) -> list[str]:
    """Paragraphs, lists, tables, formulas and fenced code of a markdown cell, in order."""
    pieces: list[str] = []
    closing = ""
    for part in re.split(r"\n[ \t]*\n", text):
        if closing:
            pieces[-1] += f"\n\n{part}"
        elif part.strip():
            head = re.match(r"\s*(#{1,6} .+)\n(?=\S)", part)
            pieces += [head[1], part[head.end() :]] if head else [part.strip("\n")]
        mark = "```" if pieces and pieces[-1].lstrip().startswith("```") else "$$"
        closing = mark if pieces and pieces[-1].count(mark) % 2 else ""
    return pieces


def opening(paragraph: str) -> str:
    """A paragraph if it is short, else its first sentences up to `WORDS` words, at least one."""
    if len(paragraph.split()) <= WORDS or "\n- " in paragraph:
        return paragraph
    shown = ""
    for sentence in _CLOSING.split(paragraph):
        if shown and len(f"{shown} {sentence}".split()) > WORDS:
            break
        shown = f"{shown} {sentence}".strip()
    return shown


def _halves(block: str) -> list[str]:
    """A list in pieces that fit on a slide."""
    pieces: list[str] = [""]
    for item in re.split(r"\n(?=- )", block):
        if pieces[-1] and _lines(f"{pieces[-1]}\n{item}") > ROOM:
            pieces.append("")
        pieces[-1] = f"{pieces[-1]}\n{item}".strip()
    return pieces


def _lines(text: str) -> float:
    """How many lines of a slide a text takes, about."""
    plain = re.sub(r"<[^>]+>|data:\S+", "", text)
    if plain.startswith("|"):
        return 1.3 * len(plain.splitlines())
    words = re.sub(r"\$\$.*?\$\$", "", plain, flags=re.DOTALL).splitlines()
    formulas = 3 * (plain.count("$$") // 2) + plain.count("\\\\")
    return formulas + 0.6 + sum(math.ceil(len(line) / WIDTH) for line in words)
