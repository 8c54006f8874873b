"""The map: which lesson needs which, as an SVG that follows the page's colours, and as a list."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from course_utils.tools.site.reading import Lesson

PARTS = {"How we know": (0, 0), "Descent": (1, 10), "Generalisation": (11, 16), "Scale": (17, 19)}
_WIDTH, _HEIGHT, _ACROSS, _DOWN = 164, 46, 184, 84


def part_of(number: str) -> str:
    """The part of the course that a lesson belongs to."""
    found = [part for part, (first, last) in PARTS.items() if first <= int(number) <= last]
    return found[0] if found else "More"


def levels(needs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Number -> the longest chain of lessons before it; a need that is no lesson here does not count."""
    found: dict[str, int] = {}
    for number in sorted(needs):  # a lesson needs earlier ones only
        before = [found[need] for need in needs[number] if need in found]
        found[number] = max(before, default=-1) + 1
    return found


def reduced(needs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Needs without those that another need already has: the arrows to draw."""
    known = {number: [need for need in wanted if need in needs] for number, wanted in needs.items()}
    far: dict[str, set[str]] = {}
    for number in sorted(known):
        far[number] = set(known[number]).union(*(far.get(need, set()) for need in known[number]))
    return {
        number: [
            need
            for need in wanted
            if not any(need in far.get(other, set()) for other in wanted if other != need)
        ]
        for number, wanted in known.items()
    }


def drawing(lessons: Sequence[Lesson]) -> str:
    """The map as SVG: a row for each length of the chain of needs, arrows from need to lesson."""
    needs = {lesson.number: lesson.needs for lesson in lessons}
    rows: dict[int, list[Lesson]] = {}
    for lesson in lessons:
        rows.setdefault(levels(needs)[lesson.number], []).append(lesson)
    broadest = max(len(row) for row in rows.values())
    width, height = broadest * _ACROSS + 8, len(rows) * _DOWN - (_DOWN - _HEIGHT) + 8
    place = {
        lesson.number: (
            (broadest - len(row)) * _ACROSS / 2 + k * _ACROSS + (_ACROSS - _WIDTH) / 2 + 4,
            4 + y * _DOWN,
        )
        for y, row in sorted(rows.items())
        for k, lesson in enumerate(row)
    }
    arrows = [
        _arrow(place[need], place[number]) for number, wanted in reduced(needs).items() for need in wanted
    ]
    boxes = [_box(lesson, place[lesson.number]) for lesson in lessons]
    return (
        f'<div class="course-map" tabindex="0" role="region" aria-label="Map of the lessons">'
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="group" '
        'aria-label="Map of the lessons; the list below says the same">'
        '<defs><marker id="course-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>'
        f'<g class="arrows" aria-hidden="true">{"".join(arrows)}</g>{"".join(boxes)}</svg></div>'
    )


def page(lessons: Sequence[Lesson]) -> str:
    """The map's page as MyST markdown: the drawing, then a table for those who cannot see it."""
    names = {lesson.number: lesson for lesson in lessons}
    lines = ["| lesson | needs | minutes |", "|---|---|---|"]
    for lesson in lessons:
        before = [
            f"[{need}](lessons/{names[need].path.name})" if need in names else need for need in lesson.needs
        ]
        link = f"[{lesson.number} · {lesson.title}](lessons/{lesson.path.name})"
        lines.append(f"| {link} | {', '.join(before) or '–'} | {lesson.minutes or '–'} |")
    return "\n\n".join(
        [
            "# Map",
            "Which lesson needs which, as each lesson says it under its title. An arrow is left out "
            "where a longer way of arrows leads there too. Colours are the parts of the course: how we know, "
            "descent, generalisation, scale.",
            f"``````{{raw}} html\n{drawing(lessons)}\n``````",
            "## The same as a table",
            "\n".join(lines),
        ]
    )


def _box(lesson: Lesson, place: tuple[float, float]) -> str:
    x, y = place
    part = part_of(lesson.number).lower().replace(" ", "-")
    words = lesson.title.split()
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > 16 and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    lines[0] = f"{lesson.number} {lines[0]}"
    first = y + _HEIGHT / 2 - 8 * (len(lines) - 1) + 4.5
    text = "".join(
        f'<tspan x="{x + _WIDTH / 2:g}" y="{first + 16 * k:g}">{html.escape(line)}</tspan>'
        for k, line in enumerate(lines)
    )
    return (
        f'<a href="lessons/{lesson.name}.html" class="{part}"><rect x="{x:g}" y="{y:g}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" rx="8"/><text text-anchor="middle">{text}</text></a>'
    )


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    x0, y0 = start[0] + _WIDTH / 2, start[1] + _HEIGHT
    x1, y1 = end[0] + _WIDTH / 2, end[1] - 2
    half = (y0 + y1) / 2
    path = f"M{x0:g} {y0:g} C{x0:g} {half:g} {x1:g} {half:g} {x1:g} {y1:g}"
    return f'<path d="{path}" marker-end="url(#course-tip)"/>'
