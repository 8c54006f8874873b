"""The map: which lesson needs which, as an SVG that follows the page's colours, and as a list."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean

from course_utils.tools.lesson import Lesson
from course_utils.tools.page_markup import raw

PARTS = {"How we know": (0, 0), "Descent": (1, 10), "Generalisation": (11, 16), "Scale": (17, 19)}
_WIDTH, _HEIGHT, _DOWN = 164, 46, 84
Way = tuple[str, str, list[float]]  # of an arrow: need, lesson, the middles of its lanes between them
_GAP, _LANE = 20, 12  # between two neighbours of a row; what an arrow takes that passes through it


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


def layout(needs: Mapping[str, Sequence[str]]) -> tuple[dict[str, float], list[Way]]:
    """Where the map's boxes and arrows stand across: each row is centred at 0.

    A row holds the lessons of one level and a lane for each arrow that passes it, so that no arrow crosses a
    box. Rows are ordered by the mean place of their neighbours, down and up in turn (Sugiyama et al., 1981).

    Returns: number -> the middle of its box; and the ways of the arrows.
    """
    level = levels(needs)
    wanted = [(need, number) for number, some in reduced(needs).items() for need in some]
    chains = []
    rows: list[list[str]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for number in sorted(level):
        rows[level[number]].append(number)
    for need, number in wanted:
        lanes = [f"{need} to {number} at {y}" for y in range(level[need] + 1, level[number])]
        chains.append([need, *lanes, number])
        for y, lane in enumerate(lanes, level[need] + 1):
            rows[y].append(lane)
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for chain in chains:
        for one, other in pairwise(chain):
            above.setdefault(other, []).append(one)
            below.setdefault(one, []).append(other)
    place: dict[str, float] = {}
    for row in rows:
        place |= _spread(row, level)
    for _ in range(8):
        for neighbours, order in ((above, rows), (below, rows[::-1])):
            for row in order:
                row.sort(key=lambda item: fmean(place[one] for one in neighbours.get(item, [item])))
                place |= _spread(row, level)
    ways = [(chain[0], chain[-1], [place[lane] for lane in chain[1:-1]]) for chain in chains]
    return {number: place[number] for number in level}, ways


def _spread(row: Sequence[str], lessons: Mapping[str, int]) -> dict[str, float]:
    """The middles of a row's boxes and lanes, side by side and centred at 0."""
    widths = [_WIDTH if item in lessons else _LANE for item in row]
    left = -(sum(widths) + _GAP * (len(row) - 1)) / 2
    found = {}
    for item, width in zip(row, widths, strict=True):
        found[item] = left + width / 2
        left += width + _GAP
    return found


def drawing(lessons: Sequence[Lesson]) -> str:
    """The map as SVG: a row for each length of the chain of needs, arrows from need to lesson."""
    needs = {lesson.number: lesson.needs for lesson in lessons}
    level = levels(needs)
    middle, ways = layout(needs)
    across = [x for _, _, lanes in ways for x in lanes] + [*middle.values()]
    half = max(map(abs, across)) + _WIDTH / 2 + 4
    width, height = 2 * half, (max(level.values()) + 1) * _DOWN - (_DOWN - _HEIGHT) + 8
    place = {number: (half + x, 4 + level[number] * _DOWN) for number, x in middle.items()}
    arrows = [_arrow(place[need], [half + x for x in lanes], place[number]) for need, number, lanes in ways]
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
            raw(drawing(lessons)),
            "## The same as a table",
            "\n".join(lines),
        ]
    )


def _box(lesson: Lesson, place: tuple[float, float]) -> str:
    x, y = place[0] - _WIDTH / 2, place[1]
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


def _arrow(start: tuple[float, float], lanes: Sequence[float], end: tuple[float, float]) -> str:
    """From below one box to above another, straight down in each lane on its way."""
    x, y = start[0], start[1] + _HEIGHT
    path = f"M{x:g} {y:g}"
    stops = [(lane, start[1] + k * _DOWN, _HEIGHT) for k, lane in enumerate(lanes, 1)]
    for to, top, along in [*stops, (end[0], end[1] - 2, 0.0)]:
        bend = (y + top) / 2
        path += f" C{x:g} {bend:g} {to:g} {bend:g} {to:g} {top:g}" + (f" v{along:g}" if along else "")
        x, y = to, top + along
    return f'<path d="{path}" marker-end="url(#course-tip)"/>'
