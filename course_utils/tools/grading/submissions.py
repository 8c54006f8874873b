"""Which files were handed in, by whom, of which lesson, and which attempt counts: all that paths say.

    ada/05_topic.ipynb                            ada: the first folder below the one that is graded
    s1234567_05_topic (1).ipynb                   s1234567: of a file in no folder the name, without that of
                                                  the lesson and what a download adds, `(1)`, `-1`, `-Copy1`,
                                                  ` - Copy`
    ada.ipynb                                     ada: all of a name that has no lesson in it
    lovelaceada_LATE_12345_678901_05_topic.ipynb  lovelaceada_12345, as Canvas names downloads
    Ada Lovelace_123_assignsubmission_file_/…     Ada Lovelace_123, as Moodle does
    submitted/ada/ps5/05_topic.ipynb              ada, as nbgrader collects
    group/ada_05_topic.ipynb                      group/ada, where another file of the folder has another name
    group/ada/05_topic.ipynb                      before the lesson's, or another folder in it the same
                                                  lesson: then the folder is not one student's; is it the
                                                  only one, its name is left out

A zip is a folder of its name. No rule cuts a name anywhere else, so that two students never become one.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from course_utils.exercises.engine import catalogue

_PACKED = (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst")
# What systems and editors add; nobody hands it in.
_ADDED_FOLDERS = {"__MACOSX", ".ipynb_checkpoints", ".git", "__pycache__"}
_ADDED_FILES = {".DS_Store", "Thumbs.db", "desktop.ini"}
# What browsers make of a notebook that they take for text.
_NOTEBOOK = re.compile(r"\.ipynb(?:\.txt|\.json)?$", re.IGNORECASE)
# What a second download or a copy adds to a name, "(1)", "- Copy (2)"; behind the lesson's name "-1", too.
_MARK = r"\s*\(\d+\)|[-_ ]+(?:copy|kopie)\s*\d*"
_COPY = re.compile(rf"(?:{_MARK})+$", re.IGNORECASE)
_SECOND = re.compile(rf"(?:{_MARK}|[- ]\d{{1,2}})*", re.IGNORECASE)
_NUMBER = re.compile(r"(?:\((\d{1,4})\)|-(\d{1,2}))$")
_CANVAS = re.compile(r"(?P<who>[^\W_]+)_(?:LATE_)?(?P<id>\d{2,})_\d{4,}_(?P<rest>.+)", re.DOTALL)
_MOODLE = re.compile(r"(?P<who>.+)_(?P<id>\d+)_assignsubmission_[a-z]+_?(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True)
class File:
    """A file that was handed in.

    Args:
        path: where it lies.
        name: its path below the graded folder; inside a zip, the zip is a folder.
        time: when it was last changed, in seconds.
    """

    path: Path
    name: PurePath
    time: float = 0.0


@dataclass
class Found:
    """The files of a folder or zip: notebooks, modules, packed files, and a line for each other one."""

    notebooks: list[File] = field(default_factory=list)
    modules: list[File] = field(default_factory=list)
    packed: list[File] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def sort(self, file: File) -> None:
        """Put a file where it belongs, by its name."""
        if _NOTEBOOK.search(file.name.name):
            self.notebooks.append(file)
        elif file.name.suffix.lower() in _PACKED:
            self.packed.append(file)
        elif file.name.suffix.lower() == ".py":
            self.modules.append(file)
        else:
            self.left_out.append(f"left out, no notebook: {file.name.as_posix()}")


def find(folder: Path) -> Found:
    """Every file below `folder`. Links to folders are not followed; what cannot be read is named."""
    found = Found()

    def refused(problem: OSError) -> None:
        found.left_out.append(f"left out, cannot be read: {problem.filename}")

    for where, folders, files in os.walk(folder, onerror=refused):
        folders[:] = sorted(name for name in folders if not added(PurePath(name), folder=True))
        linked = [name for name in folders if (Path(where) / name).is_symlink()]
        for name in [*linked, *sorted(files)]:
            path = Path(where) / name
            if added(PurePath(name)):
                continue
            if path.is_symlink() and not _NOTEBOOK.search(name):
                found.left_out.append(f"left out, a link: {path.relative_to(folder).as_posix()}")
            else:
                found.sort(File(path, path.relative_to(folder), _time(path)))
    return found


def added(name: PurePath, *, folder: bool = False) -> bool:
    """Whether a system or an editor has made this; of a path, any of its folders."""
    folders = name.parts if folder else name.parts[:-1]
    beside = not folder and (name.name in _ADDED_FILES or name.name.startswith("._"))
    return beside or any(part in _ADDED_FOLDERS for part in folders)


def students(names: Iterable[PurePath], said: Mapping[PurePath, str] | None = None) -> dict[PurePath, str]:
    """Path below the graded folder -> who handed it in, by the rules above, in characters that can be read.

    Args:
        said: who handed in what, as the instructor says (`names.read`); it counts before every rule.
    """
    said = said or {}
    found = {name: said[name] if name in said else _told(name) for name in names}
    plain = [name for name, who in found.items() if not who]
    depth = 0
    while len({name.parts[: depth + 1] for name in plain}) == 1 and _shared(plain, depth):
        depth += 1
    groups: dict[str, list[PurePath]] = {}
    for name in plain:
        if len(name.parts) > depth + 1:
            groups.setdefault(name.parts[depth], []).append(name)
    shared = {group for group, members in groups.items() if _shared(members, depth)}
    for name in plain:
        below = PurePath(*name.parts[depth:])
        group = below.parts[0] in shared and len(below.parts) > 1
        found[name] = f"{_folder(below.parts[0])}/{_member(below, 1)}" if group else _member(below, 0)
    return {name: _legible(unicodedata.normalize("NFC", who)) for name, who in found.items()}


def student(name: PurePath) -> str:
    """Who handed in one file, where nothing but its own path is known."""
    return students([name])[name]


def base(name: PurePath) -> str:
    """A file's name as its student gave it: without what an LMS puts before it."""
    match = _CANVAS.fullmatch(name.name) or _MOODLE.fullmatch(name.name)
    return (match["rest"] if match else "") or name.name


def lesson(name: PurePath) -> str:
    """The lesson's two digits in a file's name; "" where there is none."""
    match = _lesson_in(_stem(name)) or re.match(r"(?P<name>\d\d)_[a-z]", _stem(name))
    return match["name"][:2] if match else ""


def attempt(file: File) -> tuple[int, float, str]:
    """What the attempts of a student are ordered by: the number at the end of the name, then the time."""
    match = _NUMBER.search(_stem(file.name))
    return int(next(filter(None, match.groups()))) if match else 0, file.time, file.name.as_posix()


def remarks(who: Mapping[PurePath, str]) -> Iterator[str]:
    """A line for each folder of several students."""
    for group in sorted({one.rpartition("/")[0] for one in who.values() if "/" in one}):
        members = sorted({one for one in who.values() if one.startswith(f"{group}/")})
        yield f"{group}: files of several names, each counts as a student: {', '.join(members)}"


def _told(name: PurePath) -> str:
    """The student that Canvas, Moodle or nbgrader have written into a path, "" where none has."""
    for part in name.parts:
        if match := _CANVAS.fullmatch(part) or _MOODLE.fullmatch(part):
            return f"{match['who']}_{match['id']}"
    return name.parts[1] if name.parts[0].lower() == "submitted" and len(name.parts) > 3 else ""


def _shared(names: list[PurePath], depth: int) -> bool:
    """Whether the folder at `depth` of these paths is of several students; modules say nothing of that."""
    books = [name for name in names if name.suffix.lower() != ".py"]
    inner = [PurePath(*name.parts[depth + 1 :]) for name in books if len(name.parts) > depth + 1]
    if len({_owner(name) for name in inner} - {""}) > 1:
        return True
    places: dict[str, set[str]] = {}
    for name in inner:
        if len(name.parts) > 1:
            places.setdefault(lesson(name) or _stem(name).lower(), set()).add(name.parts[0])
    return any(len(folders) > 1 for folders in places.values())


def _member(name: PurePath, depth: int) -> str:
    """The student at this depth: a folder's name, else what stands around the lesson's name, or all of it."""
    if len(name.parts) > depth + 1:
        return _folder(name.parts[depth])
    return _owner(name) or _stem(name)


def _folder(name: str) -> str:
    """A folder's name, a packed file's without its ending and what a second download adds."""
    plain = re.sub(r"\.zip$", "", name, flags=re.IGNORECASE)
    if plain == name:
        return name
    zipped = PurePath(f"{plain}.ipynb")
    return (_owner(zipped) if _lesson_in(plain) else _COPY.sub("", plain)) or plain


def _stem(name: PurePath) -> str:
    plain = _NOTEBOOK.sub("", base(name))
    return plain if plain != base(name) else PurePath(base(name)).stem


def _owner(name: PurePath) -> str:
    """The student's part of a file's name; "" where there is no lesson's name in it, or nothing else."""
    stem = _stem(name)
    match = _lesson_in(stem)
    if match is None:
        return ""
    after = stem[match.end() :]
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


def _time(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # a link that leads nowhere
        return 0.0
