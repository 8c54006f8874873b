"""The verdicts as rows, and as CSV that a spreadsheet can open."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

COLUMNS = ("student", "exercise", "state", "diagnosis", "file")
# A sign that begins a formula where a cell begins, or where a spreadsheet that takes `;` or tabs for the
# separator begins one.
_FORMULA = re.compile(r"""(^|[;\t])([\s"']*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20].)""")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?%?")


@dataclass(frozen=True)
class Row:
    """One line of the file. States: correct, wrong, raised, not attempted; unreadable, failed.

    Args:
        diagnosis: why, in a line.
        lines: what `check` would say.
        facts: what it would show beside it: the input, what was expected, what came out.
    """

    student: str
    exercise: str
    state: str
    diagnosis: str
    file: str
    lines: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


def table(rows: Iterable[Row]) -> str:
    """The rows as CSV."""
    return as_csv([COLUMNS, *([getattr(row, name) for name in COLUMNS] for row in rows)])


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV, safe to open in a spreadsheet: no text is a formula, leaves its cell or breaks a line."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([safe(one) if isinstance(one, str) else one for one in row] for row in rows)
    return out.getvalue()


def safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe stands before what begins one."""
    if _NUMBER.fullmatch(text):
        return text
    return _FORMULA.sub(r"\1\2'", " ".join(text.splitlines()))


def plain(text: str, most: int = 500) -> str:
    """A student's text in one line, without what a terminal would obey, cut to 500 characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:most]


def tally(rows: Iterable[Row]) -> Iterator[str]:
    """Exercise by exercise: how many are correct, and the commonest diagnosis of the others."""
    rows = list(rows)
    for id in sorted({row.exercise for row in rows if row.exercise}):
        attempts = [row for row in rows if row.exercise == id]
        words = [row.diagnosis for row in attempts if row.state in ("wrong", "raised")]
        common = max(sorted(set(words)), key=words.count, default="")
        right = sum(row.state == "correct" for row in attempts)
        yield f"{id}: {right} of {len(attempts)} correct" + (
            f"; most often: {common[:120]}" if common else ""
        )
