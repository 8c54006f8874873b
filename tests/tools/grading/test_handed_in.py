"""What is handed in, however an LMS packs and names it: every file is a row or a named line, once."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePath
from types import ModuleType
from typing import Any

import pytest

from course_utils.exercises.engine.child import Event
from course_utils.tools import lessons
from course_utils.tools.grading import grade, isolation, kept, names, submissions, unpack
from course_utils.tools.grading.process import Limits
from course_utils.tools.grading.rows import Row
from course_utils.tools.grading.submissions import File, Found
from tests.mutants import mistakes


def book(code: str = "x = 1") -> bytes:
    cell: dict[str, Any] = {
        "cell_type": "code",
        "source": code,
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    return json.dumps({"cells": [cell], "nbformat": 4, "nbformat_minor": 4, "metadata": {}}).encode()


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            info = zipfile.ZipInfo("x", (2024, 5, 17, 12, 0, 0))
            info.filename, info.compress_type = name, zipfile.ZIP_DEFLATED
            packed.writestr(info, content)
    return out.getvalue()


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, bytes]]:
    """Each notebook gives no answer; returns the modules that each was given."""
    given: list[dict[str, bytes]] = []

    def run(*args: Any, modules: dict[str, bytes], **kwargs: Any) -> dict[str, Event]:
        given.append(modules)
        return {}

    monkeypatch.setattr(grade, "run", run)
    return given


def graded(folder: Path, **how: Any) -> tuple[list[tuple[str, str, str]], list[str]]:
    """(student, file, diagnosis of a file that gives no rows) of each notebook that counts, and the lines."""
    grades = grade.grade(folder, folder.parent / "grades.csv", **how)
    rows = {(row.student, row.file, "" if row.exercise else row.diagnosis): None for row in grades.rows}
    return list(rows), grades.left_out


# --- names as an LMS gives them ----------------------------------------------------------------------


@pytest.mark.usefixtures("nothing_runs")
def test_downloads_as_they_come(tmp_path: Path) -> None:
    inner = zipped({"week 5/05_momentum.ipynb": book(), "__MACOSX/week 5/._05_momentum.ipynb": b"\0"})
    folder = put(
        tmp_path / "in",
        {
            "lovelaceada_12345_678901_05_momentum-1.ipynb": book(),
            "bobbuilder_LATE_12346_678902_05_momentum.ipynb": book(),
            "cydcharisse_12347_678903_homework.zip": inner,
            "Dan Dare_123456_assignsubmission_file_/05_momentum.ipynb": book(),
            "submitted/eve/ps5/05_momentum.ipynb": book(),
            "fay.zip": zipped({"05_momentum.IPYNB": book(), "Thumbs.db": b"", "notes.pdf": b""}),
            "gus_05_momentum.ipynb.txt": book(),
            "hal.rar": b"Rar!",
            "ida.zip": b"PK\x03\x04torn",
            "joe.zip": zipped({"notes.txt": b""}),
            "readme.txt": b"",
        },
    )
    rows, lines = graded(folder)
    hint = "unpack it into a folder named after the student and grade again"
    assert rows == [
        ("Dan Dare_123456", "Dan Dare_123456_assignsubmission_file_/05_momentum.ipynb", ""),
        ("bobbuilder_12346", "bobbuilder_LATE_12346_678902_05_momentum.ipynb", ""),
        ("cydcharisse_12347", "cydcharisse_12347_678903_homework.zip/week 5/05_momentum.ipynb", ""),
        ("fay", "fay.zip/05_momentum.IPYNB", ""),
        ("gus", "gus_05_momentum.ipynb.txt", ""),
        ("hal", "hal.rar", f"a packed file; {hint}"),
        ("ida", "ida.zip", f"a zip that cannot be read (File is not a zip file); {hint}"),
        ("joe", "joe.zip", "no notebook in it"),
        ("lovelaceada_12345", "lovelaceada_12345_678901_05_momentum-1.ipynb", ""),
        ("eve", "submitted/eve/ps5/05_momentum.ipynb", ""),
    ]
    assert lines == [
        "left out, no notebook: readme.txt",
        "left out, no notebook: fay.zip/notes.pdf",
        "left out, no notebook: joe.zip/notes.txt",
    ]


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize("wrap", ["", "all submissions/"])
@pytest.mark.parametrize("itself", [True, False])
def test_a_zip_of_the_class_is_no_student(wrap: str, itself: bool, tmp_path: Path) -> None:
    content = zipped({f"{wrap}{who}/05_momentum.ipynb": book() for who in ("ada", "bob")})
    folder = put(tmp_path / "in", {"download.zip": content})
    rows, _ = graded(folder / "download.zip" if itself else folder)
    assert [who for who, _, _ in rows] == ["ada", "bob"]


@pytest.mark.usefixtures("nothing_runs")
def test_a_lone_zip_of_one_notebook_is_a_student(tmp_path: Path) -> None:
    folder = put(tmp_path / "in", {"ada.zip": zipped({"05_momentum.ipynb": book()})})
    assert graded(folder)[0] == [("ada", "ada.zip/05_momentum.ipynb", "")]


def students(module: ModuleType, *paths: str) -> list[str]:
    return list(module.students([PurePath(path) for path in paths]).values())


def check_students(module: ModuleType) -> None:
    assert students(module, "hw/ada/05_momentum.ipynb", "hw/bob/05_momentum.ipynb") == ["ada", "bob"]
    assert students(module, "hw/ada/a.ipynb", "hw/bob/a.ipynb", "eve/a.ipynb") == ["hw/ada", "hw/bob", "eve"]
    assert students(module, "ada/05_momentum.ipynb", "ada/old/05_momentum.ipynb") == ["ada", "ada"]
    assert students(module, "ada/w1/05_momentum.ipynb", "ada/w2/06_adaptive_rates.ipynb") == ["ada", "ada"]
    weeks = ("ada/w1/05_momentum.ipynb", "ada/w1/u.py", "ada/w2/06_adaptive_rates.ipynb", "ada/w2/u.py")
    assert students(module, *weeks) == ["ada"] * 4
    assert students(module, "Zoe\u0308/05_momentum.ipynb", "Zo\u00eb/06_adaptive_rates.ipynb") == ["Zoë"] * 2
    assert students(module, "a_12_345_05_momentum.ipynb") == ["a_12_345"]  # too short for ids of Canvas
    assert students(module, "a_12_3456_05_momentum.ipynb") == ["a_12"]
    assert students(module, "submitted/05_momentum.ipynb", "submitted/06_adam.ipynb") == ["submitted"] * 2


def test_who_handed_in() -> None:
    check_students(submissions)


test_a_mistake_about_students_is_noticed = mistakes(
    submissions.__name__,
    [
        ('unicodedata.normalize("NFC", who)', "who"),
        ("and _shared(plain, depth):", "and False:"),
        ("return any(len(folders) > 1 for folders in places.values())", "return False"),
        ("if len(name.parts) > 1:\n            places", "if name.parts:\n            places"),
        (r"(?P<id>\d{2,})_\d{4,}_", r"(?P<id>\d{2,})_\d{3,}_"),
        ('books = [name for name in names if name.suffix.lower() != ".py"]', "books = names"),
        ("len(name.parts) > 3", "len(name.parts) > 1"),
    ],
    check=check_students,
)


# --- which attempt counts ----------------------------------------------------------------------------


def check_attempts(module: ModuleType) -> None:
    def latest(*files: tuple[str, float]) -> str:
        return str(max((File(Path(), PurePath(n), t) for n, t in files), key=module.attempt).name)

    assert latest(("a_05_momentum.ipynb", 9), ("a_05_momentum-1.ipynb", 1)) == "a_05_momentum-1.ipynb"
    assert latest(("a_05_momentum-2.ipynb", 1), ("a_05_momentum-10.ipynb", 1)) == "a_05_momentum-10.ipynb"
    assert latest(("a_05_momentum (1).ipynb", 1), ("a_05_momentum.ipynb", 9)) == "a_05_momentum (1).ipynb"
    assert latest(("a/05_momentum-Copy1.ipynb", 1), ("a/05_momentum.ipynb", 2)) == "a/05_momentum.ipynb"
    assert latest(("a/05_momentum-Copy1.ipynb", 3), ("a/05_momentum.ipynb", 2)) == "a/05_momentum-Copy1.ipynb"
    assert latest(("a/x/05_momentum.ipynb", 3), ("a/05_momentum.ipynb", 2)) == "a/x/05_momentum.ipynb"


def test_the_latest_attempt() -> None:
    check_attempts(submissions)


test_a_mistake_about_attempts_is_noticed = mistakes(
    submissions.__name__,
    [
        ("return int(next(filter(None, match.groups()))) if match else 0,", "return 0,"),
        ("file.time, file.name.as_posix()", "0.0, file.name.as_posix()"),
        (r"-(\d{1,2}))$", r"-(\d))$"),
    ],
    check=check_attempts,
)


@pytest.mark.usefixtures("nothing_runs")
def test_the_latest_attempt_counts_and_the_others_are_named(tmp_path: Path) -> None:
    folder = put(
        tmp_path / "in",
        {
            "ada/05_momentum.ipynb": book(),
            "ada/05_momentum (1).ipynb": book(),
            "ada/05_momentum (2).ipynb": b"{torn",
            "ada/06_adaptive_rates.ipynb": book(),
            "bob/05_momentum.ipynb": book("check('06.rmsprop_step', f)"),
            "bob/old/05_momentum.ipynb": book(),
        },
    )
    os.utime(folder / "bob/05_momentum.ipynb", (2e9, 2e9))
    grades = grade.grade(folder, tmp_path / "grades.csv")
    files = {(row.file, row.exercise[:2]) for row in grades.rows}
    assert files == {
        ("ada/05_momentum (1).ipynb", "05"), ("ada/05_momentum (2).ipynb", ""),
        ("ada/06_adaptive_rates.ipynb", "06"), ("bob/05_momentum.ipynb", "05"), ("bob/05_momentum.ipynb",
        "06"),
    }  # fmt: skip
    assert grades.left_out == [
        "ada: a later attempt at lesson 05 counts (ada/05_momentum (1).ipynb), not ada/05_momentum.ipynb",
        "bob: a later attempt at lesson 05 counts (bob/05_momentum.ipynb), not bob/old/05_momentum.ipynb",
    ]
    assert not grades.complete  # one could not be read


# --- who, as the instructor says ---------------------------------------------------------------------


def check_names(module: ModuleType, folder: Path) -> None:
    table = folder / "names.csv"
    table.write_text(
        '\ufeffpath,student\ngroup,Group\ngroup/a,Zoe\u0308\nb.ipynb,Bob\n\ngroup/b.ipynb,"B, C"\nx,y\n'
    )
    paths = [PurePath(name) for name in ("group/a.ipynb", "group/b.ipynb", "group/c.ipynb", "d.ipynb")]
    said, lines = module.read(table, paths)
    assert list(said.values()) == ["Zoe\u0308", "B, C", "Group"]
    assert lines == ["names.csv: no file has 'x' in its path"]
    table.write_text("b.ipynb;Bob\n")
    assert module.read(table, paths) == ({paths[1]: "Bob"}, [])
    for torn in ("ada\n", "ada,\n", ",ada\n"):
        table.write_text(torn)
        with pytest.raises(lessons.LessonError, match="need a path and a student in line 1"):
            module.read(table, paths)
    table.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(lessons.LessonError, match="cannot be read as CSV"):
        module.read(table, paths)


def test_names_that_the_instructor_gives(tmp_path: Path) -> None:
    check_names(names, tmp_path)


test_a_mistake_about_given_names_is_noticed = mistakes(
    names.__name__,
    [
        ("entries.sort(key=lambda entry: -len(entry[0]))", ""),
        ("if part not in used", "if part in used"),
        ('encoding="utf-8-sig"', 'encoding="utf-8"'),
        ('";" if first', '"," if first'),
        ("not row[0].strip() or not row[1].strip()", "False"),
    ],
    check=check_names,
    fixtures=["tmp_path"],
    also=(lessons.LessonError,),
)


@pytest.mark.usefixtures("nothing_runs")
def test_given_names_count_before_every_rule(tmp_path: Path) -> None:
    folder = put(
        tmp_path / "in", {"lovelaceada_12345_678901_05_momentum.ipynb": book(), "b/05_momentum.ipynb": book()}
    )
    (tmp_path / "names.csv").write_text("_12345_,Zoe\u0308\nnobody,x\n")
    rows, lines = graded(folder, said=tmp_path / "names.csv")
    assert [who for who, _, _ in rows] == ["b", "Zoë"]
    assert lines == ["names.csv: no file has 'nobody' in its path"]


# --- zips that are no good ---------------------------------------------------------------------------


def opened(
    module: ModuleType, folder: Path, content: bytes, name: str = "ada.zip"
) -> tuple[Found, list[str]]:
    """What a zip gives, and why it is refused."""
    put(folder, {name: content})
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    other = File(folder / "b.ipynb", PurePath("b.ipynb"))
    found = Found(notebooks=[other], packed=[File(folder / name, PurePath(name))])
    refused = [why for _, why in module.unpack(found, scratch)]
    assert all(len(path.name) == 6 for path in scratch.iterdir())
    found.notebooks.remove(other)
    return found, refused


def check_paths_that_lead_out(module: ModuleType, folder: Path) -> None:
    bad = ["../05_momentum.ipynb", "a/../../x.ipynb", "/etc/x.ipynb", "C:/x.ipynb", "..\\x.ipynb"]
    found, refused = opened(
        module, folder, zipped({**dict.fromkeys(bad, book()), "05_momentum.ipynb": book()})
    )
    assert refused == []
    assert [file.name.as_posix() for file in found.notebooks] == ["ada.zip/05_momentum.ipynb"]
    assert found.left_out == [f"left out, its path leads out of the zip: ada.zip/{name}" for name in bad]


def check_bombs(module: ModuleType, folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LARGEST", 2_000_000)
        patch.setattr(module, "ALL", 5_000_000)
        patch.setattr(module, "MOST", 10)
        big = zipped({"a.ipynb": b"\0" * 2_000_001, "b.ipynb": book()})
        assert len(big) < 5000
        found, refused = opened(module, folder, big)
        assert ([file.name.name for file in found.notebooks], refused) == (["b.ipynb"], [])
        assert found.left_out == ["left out, more than 2 MB: ada.zip/a.ipynb"]
        many = zipped({f"{i}.ipynb": b"\0" * 1_900_000 for i in range(4)})
        found, refused = opened(module, folder, many)
        assert (found.notebooks, refused) == ([], ["a zip of more than 5 MB"])
        _, refused = opened(module, folder, zipped({f"{i}.ipynb": b"" for i in range(11)}))
        assert refused == ["a zip of more than 10 files"]
        # What the inner ones hold counts for the outer one, too.
        nested = zipped({f"{i}.zip": zipped({"x.ipynb": b"\0" * 1_900_000}) for i in range(4)})
        assert opened(module, folder, nested)[1] == ["a zip of more than 5 MB"]


def check_zips_in_zips(module: ModuleType, folder: Path) -> None:
    three = zipped({"three.ipynb": book()})
    two = zipped({"two.ipynb": book(), "three.zip": three})
    found, refused = opened(module, folder, zipped({"one.ipynb": book(), "two.zip": two, "x.rar": b""}))
    assert [file.name.as_posix() for file in found.notebooks] == [
        "ada.zip/one.ipynb", "ada.zip/two.zip/two.ipynb",
    ]  # fmt: skip
    hint = "unpack it into a folder named after the student and grade again"
    assert found.left_out == [
        f"left out, a zip in a zip in a zip; {hint}: ada.zip/two.zip/three.zip",
        f"left out, a packed file; {hint}: ada.zip/x.rar",
    ]
    assert refused == []


def check_odd_members(module: ModuleType, folder: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        link = zipfile.ZipInfo("link.ipynb")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        packed.writestr(link, "/etc/passwd")
        packed.writestr("a.ipynb", b"first")
        with pytest.warns(UserWarning, match="Duplicate name"):
            packed.writestr("a.ipynb", b"second")
        packed.writestr("Zoe\u0308.ipynb", b"z")
        packed.writestr("secret.ipynb", b"s")
    content = bytearray(out.getvalue())
    at = content.rindex(b"PK\x01\x02")
    content[at + 8] |= 1  # the last file claims a password
    found, _ = opened(module, folder, bytes(content))
    assert [file.path.read_bytes() for file in found.notebooks] == [b"first", b"z"]
    assert found.left_out == [
        "left out, a link: ada.zip/link.ipynb", "left out, a second file of this name: ada.zip/a.ipynb",
        "left out, it has a password: ada.zip/secret.ipynb",
    ]  # fmt: skip


def check_torn_members(module: ModuleType, folder: Path) -> None:
    content = bytearray(zipped({"a.ipynb": book("x" * 999), "b.ipynb": book()}))
    content[60:70] = b"\xff" * 10  # inside the first file
    found, refused = opened(module, folder, bytes(content))
    assert ([file.name.name for file in found.notebooks], refused) == (["b.ipynb"], [])
    assert found.left_out[0].startswith("left out, cannot be unpacked (")
    for cut in range(10, len(content), 40):  # whatever is cut off, it is a message
        found, refused = opened(module, folder, bytes(content[:cut]))
        assert refused
        assert not found.notebooks


CHECKS: list[Callable[[ModuleType, Path], None]] = [
    check_paths_that_lead_out, check_bombs, check_zips_in_zips, check_odd_members, check_torn_members,
]  # fmt: skip


@pytest.mark.parametrize("check", CHECKS)
def test_zips_that_are_no_good(check: Callable[[ModuleType, Path], None], tmp_path: Path) -> None:
    check(unpack, tmp_path)


test_a_mistake_about_zips_is_noticed = mistakes(
    unpack.__name__,
    [
        ('or ".." in name.parts', "", check_paths_that_lead_out),
        ("or name.is_absolute()", "", check_paths_that_lead_out),
        ('or "\\\\" in given', "", check_paths_that_lead_out),
        ('or ":" in name.parts[0]', "", check_paths_that_lead_out),
        ("if size > LARGEST:", "if False:", check_bombs),
        ("if left[0] < 0:", "if False:", check_bombs),
        ("if len(members) > MOST:", "if False:", check_bombs),
        ("depth=depth + 1, left=left", "depth=depth + 1, left=[ALL]", check_bombs),
        ("if depth > DEEPEST:", "if False:", check_zips_in_zips),
        ("if stat.S_ISLNK(member.external_attr >> 16):", "if False:", check_odd_members),
        ("if name in taken:", "if False:", check_odd_members),
        ('"it has a password" if member.flag_bits & 1 else ""', '""', check_odd_members),
    ],
    fixtures=["tmp_path"],
)


def test_the_time_in_a_zip_is_its_files_time(tmp_path: Path) -> None:
    found, _ = opened(unpack, tmp_path, zipped({"a.ipynb": book()}))
    assert time.localtime(found.notebooks[0].time)[:5] == (2024, 5, 17, 12, 0)


# --- modules beside a notebook -----------------------------------------------------------------------


def test_a_module_goes_with_the_notebook_beside_it(nothing_runs: list[Any], tmp_path: Path) -> None:
    folder = put(
        tmp_path / "in",
        {
            "ada/05_momentum.ipynb": book(), "ada/helper.py": b"h", "ada/sub/other.py": b"o",
            "bob_12345_678901_05_momentum.ipynb": book(), "bob_12345_678902_helper.py": b"b",
            "cyd.zip": zipped({"05_momentum.ipynb": book(), "tools.py": b"t", "big.py": b"\0" * 1_000_001}),
            "loose.py": b"l",
        },
    )  # fmt: skip
    _, lines = graded(folder)
    assert nothing_runs == [{"helper.py": b"h"}, {"helper.py": b"b"}, {"tools.py": b"t"}]
    assert lines == [
        f"left out, no notebook: {name}" for name in ("loose.py", "ada/sub/other.py", "cyd.zip/big.py")
    ]


# --- going on ----------------------------------------------------------------------------------------


def test_a_second_grading_runs_only_what_is_new(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran: list[str] = []

    def run(notebook: Any, *args: Any, **kwargs: Any) -> dict[str, Event]:
        ran.append(notebook.cells[0].split("'")[3])
        if ran[-1] == "unlucky":
            raise OSError("no space")
        if len(ran) == 3:
            raise KeyboardInterrupt
        return {}

    monkeypatch.setattr(grade, "run", run)
    files = {
        f"{who}/05_momentum.ipynb": book(f"check('05.x', {who!r})") for who in ("ada", "bob", "cyd", "dan")
    }
    folder, out, lines = put(tmp_path / "in", files), tmp_path / "grades.csv", list[str]()
    with pytest.raises(KeyboardInterrupt):
        grade.grade(folder, out)
    first = grade.grade(folder, out, say=lines.append)
    assert ran == ["ada", "bob", "cyd", "cyd", "dan"]
    assert [line.endswith("(as before)") for line in lines] == [True, True, False, False]
    assert grade.grade(folder, out).rows == first.rows
    assert len(ran) == 5
    # Another content, other limits, another module beside it: run again. Another's name: not.
    put(folder, {"ada/05_momentum.ipynb": book("check('05.x', 'new')"), "bob/helper.py": b"x = 1"})
    (folder / "cyd").rename(folder / "zoe")
    rows = grade.grade(folder, out).rows
    assert ran[5:] == ["new", "bob"]
    assert sorted({row.student for row in rows}) == ["ada", "bob", "dan", "zoe"]
    assert {row.file for row in rows if row.student == "zoe"} == {"zoe/05_momentum.ipynb"}
    grade.grade(folder, out, limits=Limits(notebook=7))
    assert len(ran) == 11
    grade.grade(folder, out, anew=True)
    assert len(ran) == 15
    # What is torn, and what could not be run, is tried again.
    for path in (tmp_path / "grades.csv.cache").iterdir():
        path.write_text("[[3")
    put(folder, {"dan/05_momentum.ipynb": book("check('05.x', 'unlucky')")})
    for _ in range(2):
        assert [row.state for row in grade.grade(folder, out).rows if row.student == "dan"] == ["failed"]
    assert len(ran) == 20


def test_what_is_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    rows = [Row("ada", "05.x", "wrong", "é", "f", ("one", "two"), (("Input", "x"), ("Got", "y")))]
    kept.save(tmp_path / "x.json", rows)
    assert kept.load(tmp_path / "x.json", "ada", "f") == rows


def test_another_course_is_another_fingerprint(tmp_path: Path) -> None:
    put(tmp_path, {"a.py": b"x = 1"})
    found = {kept.digest(tmp_path)}
    for name in ("sub/b.py", "a.py"):
        put(tmp_path, {name: b"x = 2"})
        found.add(kept.digest(tmp_path))
    assert len(found) == 3


def test_a_notebook_that_changes_the_course_ends_the_grading(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where notebooks are not shut off, one may: no verdict after it could be believed."""
    folder = put(tmp_path / "in", {f"{who}/05_momentum.ipynb": book() for who in ("ada", "bob", "cyd")})
    states = iter(["as it was", "changed"])
    monkeypatch.setattr(isolation, "way", lambda: None)
    monkeypatch.setattr(kept, "course", lambda: "as it was")
    monkeypatch.setattr(kept, "digest", lambda: next(states))
    monkeypatch.setattr(grade, "run", lambda *args, **kwargs: {})
    with pytest.raises(
        lessons.LessonError, match=r"bob/05_momentum.ipynb has changed the course's own files"
    ):
        grade.grade(folder, tmp_path / "grades.csv")
    assert (tmp_path / "grades.csv").read_text().count("05.momentum_step") == 1
