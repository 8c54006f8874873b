"""The site's source folder put together, and Sphinx called on it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from course_utils._files import write_whole
from course_utils.tools import lessons as course
from course_utils.tools.doctor import PROJECT
from course_utils.tools.lesson import Lesson
from course_utils.tools.site import api, claims_page, explored, lesson_map, lesson_page, pages

NOT_COPIED = ("conf.py", "_build", "_templates", "__pycache__", ".ipynb_checkpoints")


def assemble(target: Path, *, docs: Path, notebooks: Path, build: Path) -> list[Lesson]:
    """Write the folder that Sphinx reads: the pages of `docs`, the lessons, and what is made from them.

    Args:
        target: the folder, emptied first.
        docs: hand-written pages; one of them wins over a generated page of the same name.
        notebooks: the lessons.
        build: where runs keep their records.
    Raises: LessonError where there is no lesson.
    """
    lessons = [Lesson(path) for path in course.find(notebooks)]
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    names = {lesson.number: lesson.name for lesson in lessons}
    live = lesson_page.computed(docs)
    for lesson in lessons:
        lesson_page.write(lesson, names, target, live, explored.all_standing(lesson.path, build))
    for name, text in generated(lessons, build=build).items():
        write_whole(target / name, text)
    shutil.copytree(docs, target, ignore=shutil.ignore_patterns(*NOT_COPIED), dirs_exist_ok=True)
    _name_every_page(target)
    return lessons


def make(notebooks: Path, build: Path, *, strict: bool = True) -> int:
    """Everything: source folder, then Sphinx. Returns its exit status; with `strict` a warning fails."""
    source, output, docs = build / "site-source", build / "site", PROJECT / "docs"
    assemble(source, docs=docs, notebooks=notebooks, build=build)
    return render(source, output, docs=docs, strict=strict)


def generated(lessons: list[Lesson], *, build: Path) -> dict[str, str]:
    """File name -> text of every page that is made from the lessons and the package."""
    contributing = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    parts = course.parts((PROJECT / "README.md").read_text(encoding="utf-8"))
    return {
        "lessons.md": pages.lessons_page(lessons, parts),
        "claims.md": claims_page.page(lessons, claims_page.measured_values(build)),
        "gallery.md": pages.gallery(lessons),
        "mistakes.md": pages.mistakes(lessons),
        "reading.md": pages.reading_list(lessons),
        "map.md": lesson_map.page(lessons, parts),
        "contributing.md": contributing.replace("](docs/", "]("),
        "instructor.md": "# Instructor guide\n\nNot written yet.\n",
        "mutants.md": "# Mutants of the lessons\n\nNot recorded yet: `make mutants` writes this page.\n",
        **{f"api/{name}": text for name, text in api.pages(lessons).items()},
    }


def _name_every_page(target: Path) -> None:
    """Pages that the index does not name go to the end of the sidebar, so that none is lost."""
    index = target / "index.md"
    if not index.exists():
        return
    text = index.read_text(encoding="utf-8")
    named = set(re.findall(r"^[\w/]+$", text, re.MULTILINE)) | {"index"}
    names = [str(path.relative_to(target).with_suffix("")) for path in sorted(target.rglob("*.md"))]
    more = [name for name in names if name not in named and not name.startswith(("_", "api/"))]
    if more:
        tree = "\n".join(more)
        write_whole(index, f"{text}\n```{{toctree}}\n:hidden:\n:caption: More\n\n{tree}\n```\n")


def render(source: Path, output: Path, *, docs: Path, strict: bool = True) -> int:
    """Run Sphinx: source folder -> HTML. With `strict` a warning is an error. Returns its exit status."""
    from sphinx.cmd.build import main

    shutil.rmtree(output, ignore_errors=True)  # no page of an earlier build stays
    options = ["-b", "html", "-c", str(docs), "-q", "-E", "-d", str(output.parent / "site-doctrees")]
    options += ["-W", "--keep-going"] if strict else []
    return int(main([*options, str(source), str(output)]))


def anchors(app: Any, doctree: Any) -> None:
    """Give each cell of a lesson its id as an anchor: `#cell-agree`. For Sphinx's event `doctree-read`."""
    from docutils import nodes

    for node in doctree.findall(nodes.container):
        if node.get("nb_element") == "cell_code":
            id = node.get("cell_metadata", {}).get("course_cell")
            if id:
                node["ids"].append(f"cell-{id}")


def draw_states(paths: Sequence[Path], build: Path, *, computed: Collection[str], workers: int = 2) -> int:
    """Draw the states of every cell with sliders but those that a script computes; how many were drawn.

    Args:
        computed: the names of these scripts, as of `lesson_page.live_name`.
    """
    jobs = []
    for lesson in map(Lesson, paths):
        names = {cell.id: lesson_page.live_name(lesson, cell) for cell in lesson.notebook.cells}
        with_sliders = explored.cells_with_sliders(lesson.path)
        jobs += [(lesson.path, id, build) for id in with_sliders if names[id] not in computed]
    one_thread = explored.environment(OMP_NUM_THREADS="1")  # two that wait for each other compute for nothing
    with one_thread, ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return sum(pool.map(explored.render, *zip(*jobs, strict=True))) if jobs else 0
