"""The wheel alone, away from any checkout, is a working package with its command and its files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

import course_utils

PROJECT = Path(__file__).parents[1]
NAME = f"course_utils-{course_utils.__version__}"
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
GENERATED = ("PKG-INFO", "setup.cfg", "course_utils.egg-info/")
LESSON = re.compile(r"notebooks/[0-9].*\.ipynb")
USES = """
import course_utils, os
from course_utils import data, recorded
from course_utils.exercises import solution

assert os.path.realpath(course_utils.__file__).startswith(os.path.realpath({environment!r})), course_utils
for name in ("digits", "diabetes", "breast_cancer"):
    assert len(getattr(data, name)().x) > 300, name
for kind in ("race", "claims", "optimizers"):
    assert recorded.newest(kind), kind
solution("05.momentum_step")
"""

pytestmark = pytest.mark.skipif(not (PROJECT / ".git").exists(), reason="git says what belongs to the course")


def tracked() -> set[str]:
    """What git has or would add, by path. An empty folder's placeholder is no part of the course."""
    line = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split("\0")
    return {name for name in names if (PROJECT / name).is_file() and not name.endswith(".gitkeep")}


def away(line: list[str], folder: Path, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder that is no checkout, with nothing set that leads to one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COURSE_"))}
    return subprocess.run(line, cwd=folder, env=kept, capture_output=True, text=True, timeout=seconds)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, and the wheel made from it, by setuptools alone: no network, and nothing written here."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, source / name)
    done = away([sys.executable, "-c", BUILD, "build_sdist", str(target)], source)
    assert done.returncode == 0, done.stderr
    with tarfile.open(target / f"{NAME}.tar.gz") as archive:
        archive.extractall(target, filter="data")
    done = away([sys.executable, "-c", BUILD, "build_wheel", str(target)], target / NAME)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def commands(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment with the wheel; what it needs is that of this environment.

    A path in a .pth file is searched, its own .pth files are not: no editable installation comes along.
    """
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    folder = environment / ("Scripts" if os.name == "nt" else "bin")
    [wheel] = dist.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "python"), "--disable-pip-version-check"]
    done = away([*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)], dist)
    assert done.returncode == 0, done.stderr
    line = [str(folder / "python"), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(away(line, dist).stdout.strip())
    paths = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (site / "others.pth").write_text("\n".join(paths) + "\n", encoding="utf-8")
    return folder


def test_the_sdist_is_what_git_has(dist: Path) -> None:
    with tarfile.open(dist / f"{NAME}.tar.gz") as archive:
        names = {member.name.removeprefix(f"{NAME}/") for member in archive if member.isfile()}
    assert {name for name in names if not name.startswith(GENERATED)} == tracked()


def test_the_wheel_is_what_git_has_of_the_package(dist: Path) -> None:
    names = zipfile.ZipFile(dist / f"{NAME}-py3-none-any.whl").namelist()
    lessons = f"{NAME}.data/data/share/course-utils/"
    assert {name.removeprefix(lessons) for name in names if not name.startswith(f"{NAME}.dist-info/")} == {
        name for name in tracked() if name.startswith("course_utils/") or LESSON.fullmatch(name)
    }
    assert {f"{NAME}.dist-info/entry_points.txt", f"{NAME}.dist-info/licenses/LICENSE"} <= set(names)


@pytest.mark.slow
def test_its_data_records_and_exercises_are_there(commands: Path, tmp_path: Path) -> None:
    code = USES.format(environment=str(commands.parent))
    done = away([str(commands / "python"), "-c", code], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "def momentum_step" in done.stdout


@pytest.mark.slow
def test_its_command_works_and_the_doctor_finds_nothing_to_cure(commands: Path, tmp_path: Path) -> None:
    done = away([str(commands / "course-utils"), "--help"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: course-utils [OPTIONS] COMMAND")
    done = away([str(commands / "course-utils"), "doctor", "--no-kernel"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "as in the wheel's metadata" in done.stdout
    assert f"files can be made in {tmp_path}" in done.stdout


@pytest.mark.slow
def test_its_lessons_can_be_copied_and_run(commands: Path, tmp_path: Path) -> None:
    done = away([str(commands / "course-utils"), "lab", "--copy-only"], tmp_path)
    assert done.returncode == 0, done.stderr
    copied = {f"notebooks/{path.name}" for path in (tmp_path / "workspace").glob("*.ipynb")}
    assert copied == {name for name in tracked() if LESSON.fullmatch(name)}
    done = away([str(commands / "course-utils"), "run", "04", "--profile", "smoke"], tmp_path, seconds=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "build" / "report" / "index.html").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"workspace", "build"}


def test_what_needs_a_checkout_says_so_and_writes_nothing(commands: Path, tmp_path: Path) -> None:
    done = away([str(commands / "course-utils"), "site"], tmp_path)
    assert done.returncode == 1, done.stdout
    assert f"need a checkout of the course, got {tmp_path}; run this in a checkout" in done.stderr
    assert list(tmp_path.iterdir()) == []
