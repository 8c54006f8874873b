"""How long a lesson takes, section by section: words to read, exercises to do, seconds to wait."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from course_utils.tools.lesson import Lesson
from course_utils.tools.site import folds

WORDS_A_MINUTE = 200
OPENING = "Opening"


@dataclass(frozen=True)
class Section:
    """One section. Minutes to read, minutes of its core and extra exercises, seconds of computing.

    `compute` is None where no run of the lesson at `standard` is recorded, or no claim stands in the section.
    """

    name: str
    reading: float
    core: float = 0.0
    extra: float = 0.0
    compute: float | None = None


def sections(lesson: Lesson, claims: Mapping[str, Mapping[str, Any]]) -> list[Section]:
    """The sections of a lesson, in order.

    Words are counted in the prose alone (a formula's symbols count as words, code does not). A claim's
    record says when it was made, in seconds from the lesson's start: a section's computing is the time
    from the last claim before it to its own last claim.

    Args:
        claims: claim id -> its record, with "seconds".
    """
    exercises = folds.exercises_by_id(lesson.number)
    made = {claim.id: claim.cell for claim in lesson.claims}
    found, before = [], 0.0
    for name, cells in lesson.sections.items():
        ids = {cell.id for cell in cells}
        ends = [
            float(claims[id]["seconds"])
            for id, cell in made.items()
            if cell in ids and claims.get(id, {}).get("seconds") is not None
        ]
        compute = max(ends) - before if ends else None
        before = max([before, *ends])
        asked = [
            exercises[id]
            for cell in cells
            if cell.cell_type == "code"
            for id in folds.asked_in(cell.source)
            if id in exercises
        ]
        words = sum(_words(cell.source) for cell in cells if cell.cell_type == "markdown")
        core = sum(one.minutes for one in asked if one.kind == "core")
        extra = sum(one.minutes for one in asked if one.kind == "extra")
        found.append(Section(name or OPENING, words / WORDS_A_MINUTE, core, extra, compute))
    return found


def total(found: list[Section]) -> Section:
    """The sums of a lesson's sections."""
    waits = [one.compute for one in found if one.compute is not None]
    return Section(
        "All",
        sum(one.reading for one in found),
        sum(one.core for one in found),
        sum(one.extra for one in found),
        sum(waits) if waits else None,
    )


def cells(one: Section) -> tuple[str, str, str, str, str]:
    """A row for a table: name, reading, core, extra, computing; a dash where there is nothing."""

    def minutes(value: float) -> str:
        return f"{value:.0f} min" if value >= 0.5 else ("under 1 min" if value else "–")

    wait = "–" if one.compute is None else f"{one.compute:.0f} s" if one.compute >= 0.5 else "under 1 s"
    return one.name, minutes(one.reading), minutes(one.core), minutes(one.extra), wait


def _words(text: str) -> int:
    return len(re.findall(r"\w+(?:[.,'’-]\w+)*", text))
