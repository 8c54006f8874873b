"""Everything that is written when a class is graded, beside the table of verdicts.

students.csv            a row a student, a column an exercise
nbgrader.csv            as nbgrader exports points
canvas.csv, moodle.csv  the roster that an LMS exported, filled
feedback/<student>.html a page for each student; feedback/index.csv says whose is which
overview.html           the class
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from course_utils._files import write_whole
from course_utils.tools.grading import exports, pages, scores
from course_utils.tools.grading.grade import Grades
from course_utils.tools.grading.rows import as_csv, plain


def write(
    grades: Grades,
    folder: Path,
    *,
    weights: dict[str, float] | None = None,
    roster: Path | None = None,
    assignment: str = "",
    solutions: bool = False,
) -> Iterator[str]:
    """Write all of it into `folder`; a line for each file, and for each student who is not in the roster.

    Args:
        weights: exercise id -> points; 1 by default.
        roster: a gradebook of Canvas or a grading worksheet of Moodle.
        assignment: its column to fill.
        solutions: whether the pages of students show the solutions.
    Raises: LessonError where the roster cannot be read.
    """
    result = scores.score(grades.rows, weights)
    files = [exports.nbgrader(result)]
    if roster is not None:
        files.append(exports.filled(result, roster, assignment))
    write_whole(folder / "students.csv", scores.table(result))
    yield str(folder / "students.csv")
    for export in files:
        write_whole(folder / export.name, export.text)
        yield from map(plain, export.lines)
        yield str(folder / export.name)
    index = [("student", "page")]
    for student in result.students:
        index.append((student.name, pages.file_name(student.name)))
        write_whole(folder / "feedback" / index[-1][1], pages.feedback(student, result, solutions=solutions))
    write_whole(folder / "feedback" / "index.csv", as_csv(index))
    yield f"{folder / 'feedback'}: a page for each of {len(result.students)} students"
    write_whole(folder / "overview.html", pages.overview(result, grades.left_out))
    yield str(folder / "overview.html")
