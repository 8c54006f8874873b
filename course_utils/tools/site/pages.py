"""Pages collected from the lessons: the list of lessons, gallery, mistakes, reading list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from course_utils import markup
from course_utils.tools.lesson import Lesson, Picture
from course_utils.tools.lesson_exercises import exercises_by_id
from course_utils.tools.page_markup import raw
from course_utils.tools.site import folds, lesson_page, links
from course_utils.tools.site.lesson_map import NO_PARTS

_NEXT = re.compile(r"\n\s*\n[^\n]*\]\(\d\d_\w+\.ipynb\)[^\n]*\Z")  # a lesson's last line: what comes next


def lessons_page(lessons: Sequence[Lesson], parts: Mapping[str, str] = NO_PARTS) -> str:
    """All lessons by part with their questions, and the tree that the sidebar shows.

    Args:
        parts: number -> part of the course, as `lessons.parts` reads them.
    """
    lengths = sorted(lesson.minutes for lesson in lessons if lesson.minutes)
    sitting = f"Each is one sitting, of {lengths[0]} to {lengths[-1]} minutes. " if lengths else ""
    text = [
        "# Lessons",
        f"{sitting}The pages show the committed outputs; the notebooks are for working: `make lab` opens "
        "your own copies.",
    ]
    groups: dict[str, list[Lesson]] = {part: [] for part in [*parts.values(), "More"]}
    for lesson in lessons:
        groups[parts.get(lesson.number, "More")].append(lesson)
    for part, members in groups.items():
        if not members:
            continue
        if part and len(members) < len(lessons):
            text.append(f"## {part}")
        rows = [
            f"| [{lesson.number} · {lesson.title}](lessons/{lesson.path.name}) | {lesson.question} |"
            for lesson in members
        ]
        text.append("\n".join(["| lesson | question |", "|---|---|", *rows]))
        tree = "\n".join(f"lessons/{lesson.name}" for lesson in members)
        text.append(f"```{{toctree}}\n:hidden:\n\n{tree}\n```")
    return "\n\n".join(text) + "\n"


def gallery(lessons: Sequence[Lesson]) -> str:
    """Every figure and film of the lessons, each with a link to the cell that draws it."""
    parts = [
        "# Gallery",
        "Every figure of the course, drawn by the cell that it leads to. Films rest when your system asks "
        "for less motion.",
    ]
    for lesson in lessons:
        if lesson.pictures:
            parts.append(f"## {lesson.number} · {lesson.title}")
            tiles = "\n".join(_tile(picture) for picture in lesson.pictures)
            parts.append(raw(f'<div class="course-gallery">\n{tiles}\n</div>'))
    return "\n\n".join(parts) + "\n"


def mistakes(lessons: Sequence[Lesson]) -> str:
    """The bugs that the lessons show and cure, and the wrong answers that the exercises know."""
    parts = [
        "# Gallery of mistakes",
        "Code that runs and is wrong. First the bugs that the lessons show failing and then cure, with "
        "a link to the cell; folded below each lesson, the wrong answers that its exercises recognise, with "
        "the code that earns each diagnosis.",
    ]
    for lesson in lessons:
        shown = _shown_mistakes(lesson)
        exercises = exercises_by_id(lesson.number)
        if not shown and not exercises:
            continue
        parts.append(f"## {lesson.number} · {lesson.title}")
        parts += shown
        if exercises:
            lists = "".join(
                f"<h3>{markup.marked(one.title)}</h3>{folds.wrong_answers(one)}" for one in exercises.values()
            )
            count = sum(len(one.wrong) for one in exercises.values())
            summary = f"{count} wrong answers to the exercises of lesson {lesson.number}"
            fold = f"<details><summary>{summary}</summary>{lists}</details>"
            parts.append(raw(f'<div class="course-folds">{fold}</div>'))
    return "\n\n".join(parts) + "\n"


def reading_list(lessons: Iterable[Lesson]) -> str:
    """The lessons' "Further reading", lesson by lesson."""
    parts = ["# Reading list", "What each lesson names at its end, with why it is worth reading."]
    for lesson in lessons:
        text = _NEXT.sub("", lesson.section("Further reading"))
        if text:
            text = links.from_another_page(text, lesson.name)
            parts.append(f"## {lesson.number} · [{lesson.title}](lessons/{lesson.path.name})\n\n{text}")
    return "\n\n".join(parts) + "\n"


def bugs(lesson: Lesson) -> list[tuple[str, str]]:
    """(text, anchor) for each paragraph of "What goes wrong" that opens with a bold name.

    The anchor is the code cell that follows, the section's heading where none does.
    """
    cells = lesson.sections.get("What goes wrong", [])
    entries = []
    for place, cell in enumerate(cells):
        if cell.cell_type == "markdown":
            after = next(
                (f"cell-{one.id}" for one in cells[place:] if one.cell_type == "code"), "what-goes-wrong"
            )
            paragraphs = re.split(r"\n\s*\n", cell.source)
            entries += [(text.strip(), after) for text in paragraphs if re.match(r"\*\*[^*]+\*\*", text)]
    return entries


def _shown_mistakes(lesson: Lesson) -> list[str]:
    return [
        f"{links.from_another_page(text, lesson.name)} "
        f'<a href="lessons/{lesson.name}.html#{anchor}">In the lesson</a>'
        for text, anchor in bugs(lesson)
    ]


def _tile(picture: Picture) -> str:
    src = f"{lesson_page.FIGURES}/{picture.lesson}/{lesson_page.file_of(picture.name)}"
    link = f"lessons/{picture.lesson}.html#cell-{picture.cell}"
    caption = f'<a href="{link}">{markup.marked(picture.section)}</a>: {markup.marked(picture.alt)}'
    return lesson_page.figure(src, picture.alt, picture.content, caption=caption)
