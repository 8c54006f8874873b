"""The claims ledger: every claim with its sentence, value, bounds, seeds and a link to its cell.

Values come from the record of the last run at `standard` where there is one, else from the newest record
that ships with the course. A value is shown only where the record's sentence and bounds are the lesson's.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils import recorded
from course_utils.claim_lines import anchor, asked_for
from course_utils.claim_records import by_id, read
from course_utils.markup import marked
from course_utils.tools.lesson import Claim, Lesson
from course_utils.tools.page_markup import raw

HEADS = ("Verdict", "Claim", "Measured", "Bounds", "Seeds")


@dataclass(frozen=True)
class Records:
    """Claim id -> what was measured, and one line that says where."""

    claims: Mapping[str, Mapping[str, Any]]
    provenance: str


def records(build: Path, kept: Path = recorded.FOLDER) -> Records:
    """The values to show: the shipped record, and over it the last run at `standard` in `build`."""
    claims: dict[str, Mapping[str, Any]] = {}
    sources = []
    if shipped := recorded.newest("claims", kept):
        claims |= by_id(shipped.rows)
        sources.append(shipped.provenance)
    run = [claim for claim in read(build / "records" / "standard") if claim.get("profile") == "standard"]
    claims |= by_id(run)
    if run:
        versions = {f"{name} {number}" for claim in run for name, number in claim.get("versions", {}).items()}
        sources.append(f"the last run of this copy of the course ({', '.join(sorted(versions))})")
    return Records(claims, "; ".join(sources))


def page(lessons: Sequence[Lesson], values: Records) -> str:
    """The ledger as MyST markdown."""
    count = sum(len(lesson.claims) for lesson in lessons)
    measured = sum(_value(claim, values) is not None for lesson in lessons for claim in lesson.claims)
    parts = [
        "# Claims ledger",
        f"Every sentence of the course that states a number, an order or an equality is checked by the "
        f"lesson that states it: {count} claims in {len(lessons)} lessons. The id leads to the cell that "
        "measures it. Intervals are 99% intervals over seeds. If one fails for you, see "
        "[why did a claim fail on my machine](claim_failed.md).",
        _provenance(count, measured, values),
        raw(
            '<p class="course-filter" hidden><label>Find a claim <input type="search" id="course-filter" '
            'placeholder="momentum, torch, 05"></label> '
            '<span role="status" id="course-filter-count"></span></p>'
        ),
    ]
    for lesson in lessons:
        if lesson.claims:
            parts.append(f"(lesson-{lesson.number})=\n## {lesson.number} · {lesson.title}")
            parts.append(raw(table(lesson, values)))
    return "\n\n".join(parts) + "\n"


def table(lesson: Lesson, values: Records) -> str:
    """One lesson's claims as HTML; on a narrow screen each row stands as a card."""
    heads = "".join(f'<th scope="col">{head}</th>' for head in HEADS)
    rows = "\n".join(_row(lesson, claim, _value(claim, values)) for claim in lesson.claims)
    label = html.escape(f"Claims of lesson {lesson.number}", quote=True)
    return (
        f'<table class="course-ledger" aria-label="{label}">\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table>"
    )


def number(value: Any) -> str:
    """A measured value as a reader writes it: a number, an interval, NaN or infinity by name."""
    if isinstance(value, Mapping):
        low, high = number(value["low"]), number(value["high"])
        return f"{number(value['mean'])} <small>[{low}, {high}]</small>"
    if isinstance(value, str):
        return html.escape(value)
    return f"{value:.4g}".replace("-", "−")


def _row(lesson: Lesson, claim: Claim, record: Mapping[str, Any] | None) -> str:
    mark = claim.verdict.replace(" ", "-")
    source = f" · {html.escape(record['reference'])}" if record and record.get("reference") else ""
    link = f'<a href="lessons/{lesson.name}.html#{anchor(claim.id)}">{claim.id}</a>'
    measured = number(record["measured"]) if record else '<span class="course-soft">not yet recorded</span>'
    seeds = record.get("seeds") if record else None
    return (
        f'<tr id="{anchor(claim.id)}">'
        f'<td><span class="course-mark {mark}">{claim.verdict}</span></td>'
        f"<td>{marked(claim.sentence)} <small>{link}{source}</small></td>"
        f'<td data-label="measured">{measured}</td>'
        f'<td data-label="bounds">{html.escape(claim.bounds)}</td>'
        + ('<td class="none">–</td></tr>' if seeds is None else f'<td data-label="seeds">{seeds}</td></tr>')
    )


def _value(claim: Claim, values: Records) -> Mapping[str, Any] | None:
    record = values.claims.get(claim.id)
    if record is None or record.get("sentence") != claim.sentence:
        return None
    return record if asked_for(record) == claim.bounds else None


def _provenance(count: int, measured: int, values: Records) -> str:
    if not measured:
        return "No measured values are recorded yet: `make course` measures them, then build the site again."
    some = "All values" if measured == count else f"{measured} value{'' if measured == 1 else 's'}"
    return f"{some} at the standard profile: {values.provenance}."
