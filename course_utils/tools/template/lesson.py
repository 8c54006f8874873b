"""A new lesson, small and true, that passes every rule at once: something to change, not to fill in."""

from __future__ import annotations

import contextlib
import keyword
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_utils._files import write_whole
from course_utils.tools import in_place, lessons
from course_utils.tools.lessons import LessonError

HERE = Path(__file__).parent
QUESTION = "How far is the mean of n draws from the truth?"
_ROW = re.compile(r"^\| (\d\d) \| (?:\[([^]]+)\]\([^)]+\)|([^|]+?)) \| (.+) \|$")


def new_lesson(name: str, project: Path) -> list[Path]:
    """Write the notebook, the exercises, the figures and their test, and the README's line.

    The notebook is executed before it is put in place. Nothing is overwritten, and where anything fails
    nothing is left behind.

    Args:
        name: "NN_topic": two digits, then lower-case words joined by underscores.
        project: the course's folder.
    Returns: the files written, the README among them.
    Raises: LessonError for a name of another form, a number or file that is taken, a README that plans
        another lesson under this number or has no table, or a lesson that does not run here.
    """
    number, topic = _checked(name, project)
    readme = project / "README.md"
    table = with_row(readme.read_text(encoding="utf-8"), number, topic)
    texts = {
        project / "course_utils" / "exercises" / f"lesson_{name}.py": "exercises.txt",
        project / "course_utils" / "figures" / f"{topic}.py": "figures.txt",
        project / "tests" / "figures" / f"test_{topic}.py": "test_figures.txt",
    }
    place = project / "notebooks" / f"{name}.ipynb"
    taken = [path for path in (*texts, place) if path.exists()]
    if taken:
        raise LessonError(f"need files that are not there yet, found {', '.join(map(str, taken))}")
    with _or_nothing([*texts, place]):
        for path, source in texts.items():
            write_whole(path, filled(source, number, topic))
        with tempfile.TemporaryDirectory(prefix="course-") as scratch:
            draft = Path(scratch) / place.name
            text = filled("lesson.txt", number, topic).replace("@next@", after(name, place.parent))
            lessons.write(draft, notebook(text))
            if failed := in_place.execute(scratch, workers=1):
                raise LessonError(f"the new lesson does not run here:\n{failed[name]}")
            write_whole(place, draft.read_bytes())
        write_whole(readme, table)
    return [place, *texts, readme]


def filled(source: str, number: str, topic: str) -> str:
    """One file of the template with the lesson's number and topic in its places."""
    text = (HERE / source).read_text(encoding="utf-8")
    return text.replace("@NN@", number).replace("@topic@", topic).replace("@Title@", title(topic))


def after(name: str, notebooks: Path) -> str:
    """The lesson that follows the one of this name; after the last one the first."""
    names = sorted({name, *(path.stem for path in notebooks.glob("[0-9][0-9]_*.ipynb"))})
    return names[(names.index(name) + 1) % len(names)]


def title(topic: str) -> str:
    """What the lesson is called until its author finds better words."""
    return topic.replace("_", " ").capitalize()


def notebook(text: str) -> nbformat.NotebookNode:
    """A notebook from cells that begin with a line `%% markdown id` or `%% code id [tag]`."""
    made: nbformat.NotebookNode = new_notebook()  # type: ignore[no-untyped-call]
    made.metadata.kernelspec = dict(in_place.KERNEL)
    for part in re.split(r"^%% ", text, flags=re.MULTILINE)[1:]:
        head, source = part.split("\n", 1)
        kind, id, *tags = head.split()
        new = new_code_cell if kind == "code" else new_markdown_cell
        cell = new(source.strip(), id=id)  # type: ignore[no-untyped-call]
        if tags:
            cell.metadata["tags"] = [tag.strip("[]") for tag in tags]
        made.cells.append(cell)
    return made


def with_row(readme: str, number: str, topic: str) -> str:
    """The README with the lesson's line in its table: a planned one linked, or a new one in its place."""
    words = title(topic)
    line = f"| {number} | [{words}](notebooks/{number}_{topic}.ipynb) | {{}} |"
    lines = readme.splitlines()
    rows = {row[1]: (i, row) for i, text in enumerate(lines) if (row := _ROW.match(text))}
    if number in rows:
        at, row = rows[number]
        planned = row[2] or row[3]
        if planned != words:
            raise LessonError(f"README.md has {number} as {planned!r}, not {words!r}: change it there first")
        lines[at] = line.format(row[4])
    elif before := [i for other, (i, _) in rows.items() if other < number]:
        lines.insert(max(before) + 1, line.format(QUESTION))
    else:
        raise LessonError("need a table of lessons in README.md, with a line before this one")
    return "\n".join(lines) + "\n"


def _checked(name: str, project: Path) -> tuple[str, str]:
    """Number and topic of a name that is free."""
    if not re.fullmatch(r"\d\d_[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > 40:
        raise LessonError(
            f'need a name like "20_topic", of lower-case words and at most 40 letters, got {name!r}'
        )
    number, topic = name[:2], name[3:]
    if keyword.iskeyword(topic):
        raise LessonError(f"need a topic that Python can import, got {topic!r}")
    taken = [*(project / "notebooks").glob(f"{number}_*.ipynb")]
    taken += (project / "course_utils" / "exercises").glob(f"lesson_{number}_*.py")
    if taken:
        raise LessonError(f"need a number that is free, got {number}: there is {taken[0].name}")
    return number, topic


@contextlib.contextmanager
def _or_nothing(paths: Iterable[Path]) -> Iterator[None]:
    """Remove these files, which did not exist before, where the block fails."""
    try:
        yield
    except BaseException:
        for path in paths:
            path.unlink(missing_ok=True)
        raise
