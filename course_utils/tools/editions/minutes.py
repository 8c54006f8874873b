"""How long a lesson takes, section by section: to read, to do its exercises, to wait for it.

prose 180 words a minute, a formula or a figure 30 seconds, code 20 lines a minute,
an exercise the minutes that someone needs who solves it cold, and the run at `standard`
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils import recorded
from course_utils._files import write_whole
from course_utils.tools import normalize
from course_utils.tools.lesson import Lesson, picture
from course_utils.tools.lesson_exercises import asked_in, exercises_by_id

WORDS_A_MINUTE = 180
LINES_A_MINUTE = 20
LOOK = 0.5  # minutes for a formula, and for a figure
LONGEST = 90  # minutes of a lesson: beyond, it is two
CLOSE = 5  # minutes by which what a title says may differ
OPENING = "Opening"
_SAID = re.compile(r"\b(\d+)(?= minutes)")


@dataclass(frozen=True)
class Section:
    """Minutes of one section: prose and formulas, code, figures, exercises; and seconds of computing.

    `compute` is None where no run of the lesson at `standard` is recorded, or no claim stands in the section.
    """

    name: str
    prose: float
    code: float = 0.0
    figures: float = 0.0
    core: float = 0.0
    extra: float = 0.0
    compute: float | None = None

    @property
    def reading(self) -> float:
        """Minutes without exercises and computing."""
        return self.prose + self.code + self.figures

    @property
    def whole(self) -> float:
        """Minutes of a learner who does everything but the extra exercises."""
        return self.reading + self.core + (self.compute or 0.0) / 60


def sections(lesson: Lesson, claims: Mapping[str, Mapping[str, Any]]) -> list[Section]:
    """The sections of a lesson, in order.

    The cell of an exercise counts with the exercise, not as code. A claim's record says when it was made, in
    seconds from the lesson's start: a section's computing is the time from the last claim before it to its
    own last claim.

    Args:
        claims: claim id -> its record, with "seconds".
    """
    exercises = exercises_by_id(lesson.number)
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
        texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
        code = [cell for cell in cells if cell.cell_type == "code"]
        asked = [exercises[id] for cell in code for id in asked_in(cell.source) if id in exercises]
        lines = sum(_lines(cell.source) for cell in code if not asked_in(cell.source))
        pictures = sum(picture(output) is not None for cell in code for output in cell.get("outputs", []))
        found.append(
            Section(
                name or OPENING,
                prose=sum(_words(text) / WORDS_A_MINUTE + LOOK * _formulas(text) for text in texts),
                code=lines / LINES_A_MINUTE,
                figures=LOOK * pictures,
                core=sum(one.minutes for one in asked if one.kind == "core"),
                extra=sum(one.minutes for one in asked if one.kind == "extra"),
                compute=compute,
            )
        )
    return found


def total(found: list[Section]) -> Section:
    """The sums of a lesson's sections."""
    waits = [one.compute for one in found if one.compute is not None]
    return Section(
        "All",
        prose=sum(one.prose for one in found),
        code=sum(one.code for one in found),
        figures=sum(one.figures for one in found),
        core=sum(one.core for one in found),
        extra=sum(one.extra for one in found),
        compute=sum(waits) if waits else None,
    )


def of_lesson(lesson: Lesson) -> Section:
    """The sums of a lesson; its computing as in the newest record that ships with the course."""
    record = recorded.newest("claims")
    return total(sections(lesson, {row["id"]: row for row in record.rows} if record else {}))


def wrong(lesson: Lesson) -> list[str]:
    """What is wrong with the minutes of a lesson: more than a sitting, or other than its title says."""
    minutes = of_lesson(lesson).whole
    found = [f"{minutes:.0f} minutes, more than {LONGEST}"] if minutes > LONGEST else []
    if lesson.minutes is None:
        return [*found, f"the title says no minutes: it takes {minutes:.0f}"]
    if abs(lesson.minutes - minutes) > CLOSE:
        found.append(f"the title says {lesson.minutes} minutes: it takes {minutes:.0f}")
    return found


def quote(path: Path) -> int:
    """Write the minutes of a lesson into its title's cell, to five; returns them.

    Raises: ValueError where the cell does not say "... minutes".
    """
    lesson = Lesson(path)
    minutes = 5 * round(of_lesson(lesson).whole / 5)
    title = next(cell for cell in lesson.notebook.cells if cell.cell_type == "markdown")
    title.source, count = _SAID.subn(str(minutes), title.source, count=1)
    if not count:
        raise ValueError(f'need "About ... minutes" in the first cell of {path.name}')
    write_whole(path, normalize.text(lesson.notebook))
    return minutes


def table(lessons: list[Lesson]) -> str:
    """The lessons with their minutes, one a line, beside what their titles say."""
    rows: list[tuple[str, ...]] = []
    rows.append(("lesson", "prose", "code", "figures", "core", "extra", "run", "in all", "title"))
    for lesson in lessons:
        one = of_lesson(lesson)
        parts = (one.prose, one.code, one.figures, one.core, one.extra, (one.compute or 0.0) / 60, one.whole)
        said = "-" if lesson.minutes is None else str(lesson.minutes)
        rows.append((lesson.number, *(f"{part:.0f}" for part in parts), said))
    return "\n".join("".join(f"{cell:>9}" for cell in row) for row in rows)


def cells(one: Section) -> tuple[str, ...]:
    """A row for a table: name, prose, code, figures, core, extra, computing; a dash for nothing."""

    def minutes(value: float) -> str:
        return f"{value:.0f} min" if value >= 0.5 else ("under 1 min" if value else "–")

    wait = "–" if one.compute is None else f"{one.compute:.0f} s" if one.compute >= 0.5 else "under 1 s"
    parts = (one.prose, one.code, one.figures, one.core, one.extra)
    return one.name, *map(minutes, parts), wait


def _words(text: str) -> int:
    """Words of prose: a formula in a line counts as one, one that is displayed and an address as none."""
    text = re.sub(r"\$\$.*?\$\$", " ", text, flags=re.DOTALL)
    text = re.sub(r"\]\([^()\s]*\)", "]", re.sub(r"\$[^$\n]+\$", " x ", text))
    return len(re.findall(r"\w+(?:[.,'’-]\w+)*", text))


def _formulas(text: str) -> int:
    return len(re.findall(r"\$\$.*?\$\$", text, re.DOTALL))


def _lines(source: str) -> int:
    return sum(1 for line in source.splitlines() if line.strip())
