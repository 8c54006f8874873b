"""Which files of a folder were handed in, by whom, and of which lesson: all that paths say.

    ada/05_topic.ipynb              ada: the first folder below the one that is graded
    s1234567_05_topic.ipynb         s1234567: of a file in no folder the name, without the lesson's name and
    s1234567_05_topic (1).ipynb     without what a second download adds, `(1)`, `-1`, `-Copy1`, ` - Copy`
    ada.ipynb                       ada: all of a name that has no lesson in it
    group/ada_05_topic.ipynb        group/ada, where another file of the folder has another name before the
                                    lesson's: then the folder is not one student's

No rule cuts a name anywhere else, so that two students never become one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from course_utils.exercises.engine import catalogue

_PACKED = (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst")
# What systems and editors add; nobody hands it in.
_ADDED_FOLDERS = {"__MACOSX", ".ipynb_checkpoints", ".git", "__pycache__"}
_ADDED_FILES = {".DS_Store", "Thumbs.db", "desktop.ini"}
# What a second download or a copy adds to a name, "(1)", "- Copy (2)"; behind the lesson's name "-1", too.
_MARK = r"\s*\(\d+\)|[-_ ]+(?:copy|kopie)\s*\d*"
_COPY = re.compile(rf"(?:{_MARK})+$", re.IGNORECASE)
_SECOND = re.compile(rf"(?:{_MARK}|[- ]\d{{1,2}})*", re.IGNORECASE)


@dataclass
class Found:
    """The files below a folder: notebooks, packed files, and a line for each other one."""

    notebooks: list[Path] = field(default_factory=list)
    packed: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def find(folder: Path) -> Found:
    """Every file below `folder`. Links are not followed; a folder that cannot be read is named."""
    found = Found()

    def refused(problem: OSError) -> None:
        found.left_out.append(f"left out, cannot be read: {problem.filename}")

    for where, folders, files in os.walk(folder, onerror=refused):
        folders[:] = sorted(set(folders) - _ADDED_FOLDERS)
        linked = [name for name in folders if (Path(where) / name).is_symlink()]
        for name in [*linked, *sorted(files)]:
            path = Path(where) / name
            if name in _ADDED_FILES or name.startswith("._"):
                continue
            if path.suffix.lower() == ".ipynb":
                found.notebooks.append(path)
            elif path.suffix.lower() in _PACKED:
                found.packed.append(path)
            else:
                what = "a link" if path.is_symlink() else "no notebook"
                found.left_out.append(f"left out, {what}: {path.relative_to(folder).as_posix()}")
    return found


def students(names: Iterable[PurePath]) -> dict[PurePath, str]:
    """Path below the graded folder -> who handed it in, by the rule above, in characters that can be read."""
    names = list(names)
    own: dict[str, set[str]] = {}
    for name in names:
        if len(name.parts) > 1:
            own.setdefault(name.parts[0], set()).add(_owner(name))
    shared = {group for group, owners in own.items() if len(owners - {""}) > 1}
    return {
        name: _legible(f"{name.parts[0]}/{_owner(name) or name.stem}")
        if name.parts[0] in shared
        else _legible(student(name))
        for name in names
    }


def student(name: PurePath) -> str:
    """Who handed in one file: its first folder, or what stands around the lesson's name."""
    return name.parts[0] if len(name.parts) > 1 else _owner(name) or name.stem


def lesson(path: PurePath) -> str:
    """The lesson's two digits in a file's name; "" where there is none."""
    match = _lesson_in(path.stem) or re.match(r"(?P<name>\d\d)_[a-z]", path.stem)
    return match["name"][:2] if match else ""


def remarks(who: Mapping[PurePath, str]) -> Iterator[str]:
    """A line for each folder of several students, and for each student with several files of a lesson."""
    for group in sorted({one.rpartition("/")[0] for one in who.values() if "/" in one}):
        members = sorted({one for one in who.values() if one.startswith(f"{group}/")})
        yield f"{group}: files of several names, each counts as a student: {', '.join(members)}"
    attempts: dict[tuple[str, str], list[str]] = {}
    for name, one in who.items():
        if number := lesson(name):
            attempts.setdefault((one, number), []).append(name.as_posix())
    for (one, number), files in sorted(attempts.items()):
        if len(files) > 1:
            listed = ", ".join(sorted(files))
            yield f"{one}: {len(files)} files of lesson {number}, all of them in the table: {listed}"


def _owner(name: PurePath) -> str:
    """The student's part of a file's name; "" where there is no lesson's name in it, or nothing else."""
    match = _lesson_in(name.stem)
    if match is None:
        return ""
    after = name.stem[match.end() :]
    after = "" if _SECOND.fullmatch(after) else _COPY.sub("", after)
    return "_".join(filter(None, (match["before"].rstrip("-_ "), after.lstrip("-_ "))))


def _lesson_in(stem: str) -> re.Match[str] | None:
    """The last name of a lesson of this course in a file's name."""
    topics = (name.rpartition("lesson_")[2].replace("_", "[-_ ]+") for name in catalogue.lessons().values())
    return re.match(
        rf"(?P<before>.*)(?<!\d)(?P<name>{'|'.join(topics)})(?![a-z])", stem, re.IGNORECASE | re.DOTALL
    )


def _legible(text: str) -> str:
    """Text as a terminal and a spreadsheet can show it, other characters as their numbers: none is lost."""
    return "".join(
        c if c.isprintable() and c != "\\" else c.encode("unicode_escape").decode("ascii") for c in text
    )
