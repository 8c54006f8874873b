"""The tables of docs/instructor.md, made from the exercises: the page holds them, a test holds it to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from course_utils._files import write_whole
from course_utils.exercises.engine.catalogue import find_exercise
from course_utils.tools import lessons as course
from course_utils.tools.editions import minutes
from course_utils.tools.editions.plans import PLANS, Plan, Session
from course_utils.tools.lesson import Lesson
from course_utils.tools.lesson_exercises import exercises_by_id

# What a session of a workshop goes through, besides the figures of all sections; the rest is read at home.
TAUGHT = ("Predict first", "The idea", "The mathematics", "From scratch", "Exercises", "What we saw")
_BLOCK = re.compile(r"(<!-- made: (\w+)[^>]*-->\n).*?(<!-- end -->)", re.DOTALL)


def write(page: Path, notebooks: Path) -> Path:
    """Write the tables of the page again; what stands outside their marks is left alone."""
    text = page.read_text(encoding="utf-8")
    write_whole(page, updated(text, tables([Lesson(path) for path in course.find(notebooks)])))
    return page


def updated(text: str, made: Mapping[str, str]) -> str:
    """The page with each block between `<!-- made: NAME ... -->` and `<!-- end -->` made anew.

    Raises: KeyError for a name that is not made.
    """
    return _BLOCK.sub(lambda found: f"{found[1]}\n{made[found[2]].strip()}\n\n{found[3]}", text)


def tables(lessons: list[Lesson]) -> dict[str, str]:
    """Name -> markdown of each block."""
    return {
        "plans": "\n\n".join(plan(one) for one in PLANS),
        "lessons": overview(lessons),
        "sections": by_section(lessons),
        "misconceptions": "\n\n".join(misconceptions(lesson) for lesson in lessons),
    }


def plan(one: Plan) -> str:
    """A plan with the clock, the minutes and the exercises of each session."""
    parts = [f"### {one.title}", one.about]
    for number, day in enumerate(one.days, 1):
        clock = one.start
        rows = []
        for session in day:
            asked = ", ".join(f"`{id}`" for id in session.exercises)
            busy = f"<br>{asked} ({exercise_minutes(session):g} min)" if asked else ""
            when = f"{_whole(_clock(clock))} {_whole(f'{session.minutes} min')}"
            rows.append(f"| {when} | {session.what}{busy} | {session.cut} |")
            clock += session.minutes
        whole = sum(session.minutes for session in day)
        day_name = f"**Day {number}**, " if len(one.days) > 1 else ""
        parts.append(f"{day_name}{whole} minutes, to {_clock(clock)}:")
        parts.append(
            "\n".join([*_heads("when", "what, and the exercises done in it", "when late, cut"), *rows])
        )
    return "\n\n".join(parts)


def exercise_minutes(session: Session) -> float:
    """What the exercises of a session take a learner, as their authors put it."""
    return sum(find_exercise(id).minutes for id in session.exercises)


def taught(lesson: Lesson) -> float:
    """Minutes of a workshop's session without its exercises: the sections of `TAUGHT`, and all figures."""
    found = minutes.sections(lesson, {})
    return sum(one.reading if one.name in TAUGHT else one.figures for one in found)


def overview(lessons: list[Lesson]) -> str:
    """Each lesson with its minutes: alone, in a workshop, and of each exercise."""
    rows = []
    for lesson in lessons:
        whole = minutes.of_lesson(lesson)
        cells = [_whole(f"{count:.0f} min") for count in (whole.whole, taught(lesson))]
        for kind, count in (("core", whole.core), ("extra", whole.extra)):
            there = [one for one in exercises_by_id(lesson.number).values() if one.kind == kind]
            named = ", ".join(f"`{one.id}` ({one.minutes:g})" for one in there)
            cells.append(f"{_whole(f'{count:g} min')}: {named}" if there else "")
        rows.append(
            f"| [{lesson.number} · {lesson.title}](lessons/{lesson.path.name}) | {' | '.join(cells)} |"
        )
    heads = _heads("lesson", "alone", "taught", "core exercises (minutes)", "extra exercises (minutes)")
    return "\n".join([*heads, *rows])


def by_section(lessons: list[Lesson]) -> str:
    """Each lesson's sections of a minute or more, with their minutes: reading and core exercises."""
    rows = []
    for lesson in lessons:
        found = [(one.name, one.reading + one.core) for one in minutes.sections(lesson, {})]
        told = ", ".join(f"{name} {count:.0f}" for name, count in found if count >= 0.5)
        rows.append(f"| {lesson.number} | {told} |")
    return "\n".join([*_heads("lesson", "section and minutes, in order"), *rows])


def misconceptions(lesson: Lesson) -> str:
    """A lesson's exercises with the wrong answer that its author puts first."""
    rows = [
        f"| {_plain(one.title)} | {_plain(one.wrong[0].diagnosis)} | {len(one.wrong) - 1} |"
        for one in exercises_by_id(lesson.number).values()
        if one.wrong
    ]
    heads = _heads("exercise", "a wrong answer people give, and what to say", "more in the key")
    return "\n".join([f"### {lesson.number} · {lesson.title}", "", *heads, *rows])


def _heads(*names: str) -> list[str]:
    return [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _whole(text: str) -> str:
    """Text that a narrow column does not break."""
    return f'<span style="white-space: nowrap">{text}</span>'


def _plain(text: str) -> str:
    """Text for a cell of a markdown table: bars escaped, stars and underscores outside code too."""
    parts = re.split(r"(`[^`]*`)", text.replace("\n", " "))
    parts[::2] = [re.sub(r"([\\*_<$])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts).replace("|", "\\|")
