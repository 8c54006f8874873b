"""What check, hint, solution and progress show in a notebook; the same as text is beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from course_utils import markup
from course_utils.exercises.engine.model import Exercise
from course_utils.exercises.engine.verdict import Verdict
from course_utils.markup import marked, paragraph

# How a verdict's first line begins -> tone and sign of its card. What follows these words is its reason.
_WORDS = {
    "correct": ("good", "✓"),
    "wrong": ("bad", "✗"),
    "raised": ("bad", "✗"),
    "stopped": ("bad", "✗"),
    "could not be tried": ("open", "!"),
    "not attempted yet": ("plain", "○"),
}


@dataclass(frozen=True)
class Row:
    """An exercise in the table of progress: its state ("solved", "tried", "not attempted") and counts."""

    exercise: Exercise
    state: str
    counts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Standing:
    """A lesson's exercises and where the learner stands in them."""

    number: str
    title: str
    rows: tuple[Row, ...]

    @property
    def solved(self) -> int:
        return sum(row.state == "solved" for row in self.rows)

    @property
    def left(self) -> float:
        """Minutes of what is not solved."""
        return sum(row.exercise.minutes for row in self.rows if row.state != "solved")

    @property
    def summary(self) -> str:
        return f"{self.solved} of {len(self.rows)} solved, about {self.left:g} minutes left"


def verdict(id: str, found: Verdict, notes: Sequence[str] = ()) -> str:
    """The card of `check`: the verdict, why, a table of input, expected and got, and what helps."""
    lines = list(found.lines)
    word = next(word for word in _WORDS if lines[0].startswith(word))
    reason = "" if found.told else lines[0][len(word) :].lstrip(" .:")
    where = f"This was on {dict(found.facts).get('Input')}."  # the table says so
    rest = [line.replace(where, "").strip() for line in lines[max(found.told, 1) :]]
    facts = [markup.row([name, markup.inline_code(said)]) for name, said in found.facts]
    return markup.card(
        *_WORDS[word],
        word,
        paragraph(marked(reason)),
        markup.table(facts, label="What was tried") if facts else "",
        *(paragraph(marked(line)) for line in rest),
        _small(id, notes),
    )


def hint(id: str, shown: int, total: int, text: str, more: Sequence[str] = ()) -> str:
    """The card of a hint, and where it stands among the others."""
    return markup.card("plain", "→", f"Hint {shown} of {total}", paragraph(marked(text)), _small(id, more))


def solution(id: str, text: str, note: str) -> str:
    """The card of a solution: code to copy, and why it is so."""
    return markup.card("plain", "→", "Solution", markup.code(text), paragraph(marked(note)), _small(id))


def progress(standings: Sequence[Standing], ahead: str, notes: Sequence[str] = ()) -> str:
    """A bar for each lesson, which opens on its exercises (one lesson alone is open), and what is next."""
    if len(standings) == 1:
        parts = [paragraph(_bar(standings[0])), _exercises(standings[0])]
    else:
        parts = [markup.details(_bar(one), _exercises(one)) for one in standings]
    said = [paragraph(marked(line)) for line in (ahead, *notes) if line]
    return "<div>\n" + "\n".join([*parts, *said]) + "\n</div>"


def _bar(one: Standing) -> str:
    bar = markup.bar(one.solved, len(one.rows))
    return f"{bar} <strong>{one.number} {marked(one.title)}</strong> {one.summary}"


def _exercises(one: Standing) -> str:
    marks = {"solved": "✓", "tried": "…", "not attempted": "○"}
    rows = [
        markup.row(
            [
                f"{marks[row.state]} {', '.join([row.state, *row.counts])}",
                f"{marked(row.exercise.title)} <code>{row.exercise.id}</code>",
                f"{row.exercise.kind}, {row.exercise.minutes:g} min",
            ],
            head=1,
        )
        for row in one.rows
    ]
    return markup.table(rows, label=f"Exercises of lesson {one.number}")


def _small(id: str, notes: Sequence[str] = ()) -> str:
    return f'<p style="{markup.QUIET};margin:.3em 0">{" · ".join(map(marked, [id, *notes]))}</p>'
