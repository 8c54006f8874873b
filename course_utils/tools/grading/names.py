"""Who handed in what, as the instructor says: a CSV file of `path,student`.

    path,student
    lovelaceada_12345,Ada Lovelace
    group 3/05_topic.ipynb,Bob

The first column is a file's path below the graded folder, or a part of it. The whole path counts before a
part, a longer part before a shorter one, an earlier line before a later one.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePath

from course_utils.tools.lessons import LessonError


def read(path: Path, names: Iterable[PurePath]) -> tuple[dict[PurePath, str], list[str]]:
    """Path -> student of those files that the CSV names, and a line for each entry that is of no file.

    Raises: LessonError where the file cannot be read, or a line has no student.
    """
    entries: list[tuple[str, str]] = []
    for number, row in enumerate(rows_of(path), 1):
        if not any(cell.strip() for cell in row) or (number == 1 and _plain(row[0]) == "path"):
            continue
        if len(row) < 2 or not row[0].strip() or not row[1].strip():
            raise LessonError(
                f"need a path and a student in line {number} of {path.name}, got {','.join(row)!r}"
            )
        entries.append((_plain(row[0]), row[1].strip()))
    entries.sort(key=lambda entry: -len(entry[0]))
    said, used = {}, set()
    for name in names:
        whole = _plain(name.as_posix())
        fitting = [entry for entry in entries if entry[0] in whole]
        fitting.sort(key=lambda entry: entry[0] != whole)
        if fitting:
            said[name] = fitting[0][1]
            used |= {entry[0] for entry in fitting}
    return said, [f"{path.name}: no file has {part!r} in its path" for part, _ in entries if part not in used]


def rows_of(path: Path) -> list[list[str]]:
    """The rows of a CSV file, with commas or semicolons, with or without a byte-order mark.

    Raises: LessonError where it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = text.partition("\n")[0]
        separator = ";" if first.count(";") > first.count(",") else ","
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except (OSError, UnicodeError, csv.Error) as problem:
        raise LessonError(f"{path} cannot be read as CSV in UTF-8: {problem}") from None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())
