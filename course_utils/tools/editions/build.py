"""Put the editions together: a folder and a zip for each, in build/editions/."""

from __future__ import annotations

import html
import io
import shutil
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from course_utils._files import write_whole
from course_utils.tools import lessons as course
from course_utils.tools.editions import answers, handouts, pdf, slides
from course_utils.tools.lesson import Lesson
from course_utils.tools.site import claims_page, explored, lesson_page

NAMES = ("answers", "handouts", "slides")


def make(
    notebooks: Path,
    build: Path,
    *,
    only: Iterable[str] = (),
    printed: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Write every edition anew; returns the zips.

    Args:
        notebooks: the lessons.
        build: editions go to `build/editions/`; minutes of computing come from `build/records/`.
        only: numbers or names of lessons; empty for all.
        printed: PDFs of the answers and the hand-outs too, by Chromium.
        say: called with each zip as it is there.
    Raises: LessonError where there is no such lesson; PdfError where PDFs are asked for and cannot be made.
    """
    lessons = [Lesson(path) for path in course.find(notebooks, only)]
    browser = pdf.browser() if printed else None
    target = build / "editions"
    shutil.rmtree(target, ignore_errors=True)
    write = {"answers": _answers, "handouts": _handouts, "slides": _slides}
    zips = []
    for name in NAMES:
        folder = target / name
        folder.mkdir(parents=True)
        write[name](lessons, folder, build)
        if browser:
            _print(browser, name, lessons, folder)
        zips.append(_zip(folder))
        say(str(zips[-1]))
    return zips


def _answers(lessons: list[Lesson], folder: Path, build: Path) -> None:
    claims = claims_page.measured_values(build).claims
    write_whole(folder / "index.html", answers.index(lessons, claims))
    for lesson in lessons:
        write_whole(folder / f"{lesson.name}.html", answers.page(lesson, claims))


def _handouts(lessons: list[Lesson], folder: Path, build: Path) -> None:
    write_whole(folder / "README.txt", handouts.README)
    for lesson in lessons:
        course.write(folder / lesson.path.name, handouts.cleared(lesson))


def _slides(lessons: list[Lesson], folder: Path, build: Path) -> None:
    """The decks. Of figures that no script computes the states that stand are there, see site/explored.py."""
    slides.put_files(folder)
    write_whole(folder / "README.txt", slides.README)
    convert = slides.exporter()
    items = []
    for lesson in lessons:
        drawn = explored.all_standing(lesson.path, build)
        lesson_page.put_states(drawn, folder)
        text, book = slides.page(lesson, convert, drawn)
        write_whole(folder / f"{lesson.name}.html", text)
        course.write(folder / "notebooks" / lesson.path.name, book)
        name = html.escape(f"{lesson.number} · {lesson.title}")
        items.append(f'<li><a href="{lesson.name}.html">{name}</a></li>')
    body = f'<h1>Slides</h1>\n<ul style="list-style: none; padding: 0">{"".join(items)}</ul>'
    write_whole(folder / "index.html", answers.document("Slides", body))


def _print(browser: str, name: str, lessons: list[Lesson], folder: Path) -> None:
    """Each lesson as a PDF beside its page or notebook; a hand-out is printed with the stored outputs."""
    for lesson in lessons:
        target = folder / f"{lesson.name}.pdf"
        if name == "handouts":
            with pdf.lesson_page(lesson.path) as page:
                pdf.write(browser, page, target)
        elif name == "answers":
            pdf.write(browser, folder / f"{lesson.name}.html", target)


def _zip(folder: Path) -> Path:
    """The folder as one zip beside it: the same files give the same bytes, whenever it is made."""
    path = folder.parent / f"course-{folder.name}.zip"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in sorted(one for one in folder.rglob("*") if one.is_file()):
            info = zipfile.ZipInfo(f"course-{folder.name}/{file.relative_to(folder).as_posix()}")
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(info, file.read_bytes(), compresslevel=6)
    write_whole(path, buffer.getvalue())
    return path
