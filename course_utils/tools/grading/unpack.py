"""Zips that were handed in, unpacked into a folder of the grader's own.

A file is written under a number, never under the name that the zip gives it, and only notebooks and modules
are. What would leave the folder, what is too large and what cannot be read is refused by its name.
"""

from __future__ import annotations

import contextlib
import itertools
import stat
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath

from course_utils._files import write_whole
from course_utils.tools.grading.submissions import File, Found, added, students

LARGEST = 30_000_000  # bytes of one file
ALL = 300_000_000  # of a zip, with the zips in it
MOST = 5000  # files of a zip
DEEPEST = 2  # zips in one another
_HINT = "unpack it into a folder named after the student and grade again"


class PackedError(ValueError):
    """A packed file that cannot be opened, or that is refused; the message says why."""


def unpack(found: Found, scratch: Path) -> list[tuple[File, str]]:
    """Add to `found` what its zips hold; returns the packed files that give no notebook, each with why.

    A zip that lies alone in the graded folder and holds files of several students is the class's own: its
    name is no student's.
    """
    numbers = itertools.count()
    alone = len(found.packed) == 1 and not found.notebooks
    refused = []
    for file in found.packed:
        inside = Found()
        try:
            _open(file, scratch, numbers, inside, depth=1, left=[ALL])
        except PackedError as problem:
            refused.append((file, str(problem)))
            continue
        if not inside.notebooks:
            refused.append((file, "no notebook in it"))
        if alone and len(file.name.parts) == 1 and _of_a_class(inside):
            inside = _without(file.name, inside)
        found.notebooks += inside.notebooks
        found.modules += inside.modules
        found.left_out += inside.left_out
    return refused


def _open(
    file: File, scratch: Path, numbers: Iterator[int], found: Found, *, depth: int, left: list[int]
) -> None:
    """Unpack one zip; `left` holds the bytes that may still come out of it.

    Raises: PackedError where it is none, or gives too much.
    """
    if file.name.suffix.lower() != ".zip":
        raise PackedError(f"a packed file; {_HINT}")
    if file.path.is_symlink() or not file.path.is_file():
        raise PackedError("no file of its own")
    if depth > DEEPEST:
        raise PackedError(f"a zip in a zip in a zip; {_HINT}")
    try:
        with zipfile.ZipFile(file.path) as packed:
            members = packed.infolist()
            if len(members) > MOST:
                raise PackedError(f"a zip of more than {MOST} files")
            taken: set[PurePath] = set()
            for member in members:
                inner = PurePosixPath(_name(member))
                if member.is_dir() or added(inner):
                    continue
                shown = f"{file.name.as_posix()}/{inner.as_posix()}"
                if why := _refusal(member, inner, taken):
                    found.left_out.append(f"left out, {why}: {shown}")
                    continue
                taken.add(inner)
                wanted = Found()
                wanted.sort(File(file.path, file.name / inner, _time(member)))
                if wanted.left_out:
                    found.left_out += wanted.left_out
                    continue
                target = scratch / f"{next(numbers):06d}"
                try:
                    _extract(packed, member, target, left)
                except _Unreadable as problem:
                    found.left_out.append(f"left out, {problem}: {shown}")
                    continue
                out = File(target, file.name / inner, _time(member))
                if wanted.packed:
                    try:
                        _open(out, scratch, numbers, found, depth=depth + 1, left=left)
                    except PackedError as problem:
                        found.left_out.append(f"left out, {problem}: {shown}")
                else:
                    found.sort(out)
    except PackedError:
        raise
    except Exception as problem:  # a torn zip makes zipfile raise whatever it likes
        raise PackedError(f"a zip that cannot be read ({problem}); {_HINT}") from None


class _Unreadable(Exception):
    """One file of a zip is not to be had; the message says why."""


def _refusal(member: zipfile.ZipInfo, name: PurePosixPath, taken: set[PurePath]) -> str:
    """Why a file of a zip is not unpacked, "" where it is."""
    given = _name(member)
    if not name.parts or name.is_absolute() or ".." in name.parts or "\\" in given or ":" in name.parts[0]:
        return "its path leads out of the zip"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "a link"
    if name in taken:
        return "a second file of this name"
    return "it has a password" if member.flag_bits & 1 else ""


def _extract(packed: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, left: list[int]) -> None:
    """Write one file, counting what comes out and not what the zip says of it.

    Raises: _Unreadable for this file, PackedError for the whole zip.
    """
    parts, size = [], 0
    try:
        with packed.open(member) as file:
            while part := file.read(1_000_000):
                size, left[0] = size + len(part), left[0] - len(part)
                if left[0] < 0:
                    raise PackedError(f"a zip of more than {ALL // 1_000_000} MB")
                if size > LARGEST:
                    raise _Unreadable(f"more than {LARGEST // 1_000_000} MB")
                parts.append(part)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as problem:
        raise _Unreadable(f"cannot be unpacked ({problem})") from None
    write_whole(target, b"".join(parts))


def _name(member: zipfile.ZipInfo) -> str:
    """A file's name; UTF-8 that does not call itself so, as macOS packs it, is read as what it is."""
    name = member.orig_filename
    if not member.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):
            return name.encode("cp437").decode("utf-8")
    return name


def _time(member: zipfile.ZipInfo) -> float:
    try:
        return time.mktime((*member.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        return 0.0


def _of_a_class(inside: Found) -> bool:
    """Whether what a zip holds is of several students."""
    names = [PurePath(*file.name.parts[1:]) for file in inside.notebooks]
    return len(set(students(names).values())) > 1


def _without(name: PurePath, inside: Found) -> Found:
    """The same files, as if they had lain in the graded folder."""

    def moved(files: list[File]) -> list[File]:
        return [File(file.path, PurePath(*file.name.parts[1:]), file.time) for file in files]

    return Found(moved(inside.notebooks), moved(inside.modules), [], inside.left_out)
