"""The answer key: one page a lesson with solutions, known wrong answers and what to say, and minutes."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

from course_utils.exercises.engine.model import Exercise, Quiz
from course_utils.markup import marked
from course_utils.tools.editions import minutes
from course_utils.tools.lesson import Lesson
from course_utils.tools.lesson_exercises import module_of, source_of
from course_utils.tools.page_markup import highlighted

HEADS = ("Section", "Prose, formulas", "Code", "Figures", "Core exercises", "Extra exercises", "Computing")
STYLE = Path(__file__).with_name("answers.css")


def page(lesson: Lesson, claims: Mapping[str, Mapping[str, Any]]) -> str:
    """The answer key of one lesson as a page that needs no other file."""
    module = module_of(lesson.number)
    exercises: Sequence[Exercise] = getattr(module, "EXERCISES", ())
    quizzes: Sequence[Quiz] = getattr(module, "QUIZZES", ())
    title = f"{lesson.number} · {lesson.title}"
    said = (
        f" The lesson itself says about {lesson.minutes} minutes, without the extra."
        if lesson.minutes
        else ""
    )
    parts = [
        f"<h1>{html.escape(title)}: answer key</h1>",
        f"<p><strong>{marked(lesson.question)}</strong></p>" if lesson.question else "",
        "<p>For whoever teaches. Under each exercise: the solution, then the wrong answers that "
        "<code>check</code> knows, each with what it tells the learner, which is what to say.</p>",
        "<h2>Minutes</h2>",
        times(minutes.sections(lesson, claims)),
        f'<p class="soft">Prose at {minutes.WORDS_A_MINUTE} words a minute, a formula and a figure at half a '
        f"minute, code at {minutes.LINES_A_MINUTE} lines a minute; exercises as their authors put them; "
        f"computing as a recorded run at standard took, up to the section's last claim.{said}</p>",
        *[_exercise(count, one) for count, one in enumerate(exercises, 1)],
        *(["<h2>Predict first</h2>"] if quizzes else []),
        *[_quiz(one) for one in quizzes],
    ]
    return document(f"{title}: answer key", "\n".join(filter(None, parts)))


def times(found: list[minutes.Section]) -> str:
    """The table of minutes as HTML, with its sum."""
    return _table(HEADS, [minutes.cells(one) for one in [*found, minutes.total(found)]])


def index(lessons: Sequence[Lesson], claims: Mapping[str, Mapping[str, Any]]) -> str:
    """The first page: every lesson with its minutes, each a link to its key."""
    rows = []
    for lesson in lessons:
        _, *more = minutes.cells(minutes.total(minutes.sections(lesson, claims)))
        link = f'<a href="{lesson.name}.html">{html.escape(f"{lesson.number} · {lesson.title}")}</a>'
        rows.append((link, *more))
    table = _table(("Lesson", *HEADS[1:]), rows)
    return document("Answer key", f"<h1>Answer key</h1>\n{table}")


def document(title: str, body: str) -> str:
    """A whole page around `body`."""
    colours = HtmlFormatter().get_style_defs(".highlight")
    return (
        '<!doctype html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{colours}\n{STYLE.read_text(encoding='utf-8')}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _exercise(count: int, one: Exercise) -> str:
    hints = "".join(f"<li>{marked(hint)}</li>" for hint in one.hints)
    wrong = "".join(
        f"<li>{marked(known.diagnosis)}{highlighted(text) if (text := source_of(known.answer)) else ''}</li>"
        for known in one.wrong
    )
    note = f"<p>{marked(one.note)}</p>" if one.note else ""
    return (
        f'<section id="{one.id.replace(".", "-")}">\n<h2>{count} · {marked(one.title)} '
        f"<small>{one.kind}, {one.minutes:g} min, <code>{one.id}</code></small></h2>\n"
        f"<p>{marked(one.prompt)}</p>\n<h3>Solution</h3>\n{highlighted(source_of(one.solution))}{note}\n"
        f'<h3>Wrong answers, and what to say</h3>\n<ul class="wrong">{wrong}</ul>\n'
        f"<h3>Hints, in the order they are given</h3>\n<ol>{hints}</ol>\n</section>"
    )


def _quiz(one: Quiz) -> str:
    choices = "".join(
        f"<li>{marked(text)} <strong>{'Right.' if right else 'Wrong.'}</strong> {marked(note)}</li>"
        for text, note, right in one.choices
    )
    return (
        f"<h3>{marked(one.question)} <small><code>{one.id}</code></small></h3>\n<ol type='a'>{choices}</ol>"
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    body = "".join(_row(row) for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def _row(cells: Sequence[str]) -> str:
    first, *rest = cells
    return f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
