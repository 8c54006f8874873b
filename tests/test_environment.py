"""What installs the course agrees with itself: ranges, lock, conda, Makefile, README."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from course_utils.tools import lessons

PROJECT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")
README = (PROJECT / "README.md").read_text(encoding="utf-8")
LOCK = [
    Requirement(line)
    for line in (PROJECT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
PLATFORMS = {
    "linux": {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux"},
    "macos": {"sys_platform": "darwin", "os_name": "posix", "platform_system": "Darwin"},
    "windows": {"sys_platform": "win32", "os_name": "nt", "platform_system": "Windows"},
}
PYTHONS = {"3.11": "3.11.7", "3.12": "3.12.3", "3.13": "3.13.1"}

needs_make = pytest.mark.skipif(os.name != "posix" or not shutil.which("make"), reason="needs make")


def wanted() -> list[Requirement]:
    extras = PYPROJECT["optional-dependencies"].values()
    return [
        Requirement(text)
        for text in [*PYPROJECT["dependencies"], *(text for extra in extras for text in extra)]
    ]


# ---- the lock


def test_lock_pins_everything_exactly() -> None:
    loose = [str(one) for one in LOCK if not re.fullmatch(r"==[^,*]+", str(one.specifier))]
    assert loose == []
    assert len(LOCK) > 100


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_lock_has_each_dependency_in_range_on_every_platform(platform: str, python: str) -> None:
    where = {**PLATFORMS[platform], "python_version": python, "python_full_version": PYTHONS[python]}
    where |= {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    here = [one for one in LOCK if one.marker is None or one.marker.evaluate(where)]
    pinned = {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in here}
    assert len(pinned) == len(here), "a package is pinned twice"
    outside = {
        one.name: pinned.get(canonicalize_name(one.name))
        for one in wanted()
        if canonicalize_name(one.name) not in pinned
        or not one.specifier.contains(pinned[canonicalize_name(one.name)], prereleases=True)
    }
    assert outside == {}


def test_lock_pins_torch_and_leaves_its_own_pins_to_it() -> None:
    (torch,) = [one for one in LOCK if one.name == "torch"]
    assert torch.marker is None
    assert [one.name for one in LOCK if re.match(r"(nvidia-|cuda-|triton)", one.name)] == []


def test_installing_from_the_lock_can_build_the_package() -> None:
    """`pip install --no-build-isolation -e .` needs the build's requirements in the lock."""
    build = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"][
        "requires"
    ]
    pinned = {one.name: str(one.specifier).removeprefix("==") for one in LOCK}
    for one in map(Requirement, build):
        assert one.specifier.contains(pinned[one.name])


# ---- conda


def test_conda_takes_python_in_range_and_the_rest_from_the_lock() -> None:
    found = yaml.safe_load((PROJECT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    (python,) = [Requirement(one) for one in found if isinstance(one, str) and one.startswith("python")]
    assert python.specifier == SpecifierSet(PYPROJECT["requires-python"])
    assert "pip" in found
    (pip,) = [one["pip"] for one in found if isinstance(one, dict)]
    assert pip[0] == "-r requirements.lock"


# ---- the Makefile


def targets() -> set[str]:
    """What .PHONY lists, with the Makefile's own lists of targets written out."""
    lists = dict(re.findall(r"^([A-Z]+) +:= (.+)$", MAKEFILE, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    return set(re.sub(r"\$\(([A-Z]+)\)", lambda found: lists[found[1]], phony.group(1)).split())


@needs_make
def test_help_is_the_default_and_lists_every_target() -> None:
    done = subprocess.run(["make"], cwd=PROJECT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    listed = re.findall(r"^  ([a-z-]+) +\S", done.stdout, re.MULTILINE)
    assert set(listed) == targets()
    assert len(listed) == len(set(listed))


def test_every_rule_is_a_phony_target() -> None:
    rules = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert rules == targets()


FAKE = """#!/bin/sh
case "$2" in *"{word}"*) exit 1 ;; esac
exec {python} "$@"
"""


@needs_make
@pytest.mark.parametrize(
    ("word", "message"),
    [
        pytest.param(None, "No .*python.* here. Install Python 3.11", id="no Python"),
        pytest.param("version_info", "older than 3.11.*make PYTHON=python3.12", id="old Python"),
        pytest.param("ensurepip", "lacks its venv module.*sudo apt install python3-venv", id="no venv"),
        pytest.param("disk_usage", "Less than 3 GB", id="no disk"),
    ],
)
def test_set_up_says_what_is_missing(tmp_path: Path, word: str | None, message: str) -> None:
    fake = tmp_path / "python"
    if word is not None:
        fake.write_text(FAKE.format(word=word, python=sys.executable))
        fake.chmod(0o755)
    arguments = [f"PYTHON={fake}", f"VENV={tmp_path / 'venv'}"]
    done = subprocess.run(
        ["make", "--no-print-directory", "doctor", *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode != 0
    assert re.search(message, done.stdout), done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 1, "one line"
    assert not (tmp_path / "venv").exists()


@pytest.mark.skipif(os.name != "posix", reason="files that can be run")
def test_what_ci_and_hooks_start_can_be_run() -> None:
    for name in ("run", "python"):
        subprocess.run(["sh", "-n", PROJECT / ".ci" / name], check=True, timeout=30)
    assert os.access(PROJECT / ".ci" / "run", os.X_OK)


# ---- the README


def test_readme_lists_every_lesson_by_its_title_and_which_are_there() -> None:
    rows = re.findall(r"^\| (\d\d) \| (?:\[([^]]+)\]\(([^)]+)\)|([^|]+?)) \| (.+?) \|$", README, re.MULTILINE)
    assert rows
    assert [row[0] for row in rows] == sorted({row[0] for row in rows}), "in teaching order, each once"
    listed = {link: f"{number} · {title}" for number, title, link, planned, _ in rows if not planned}
    there = {
        f"notebooks/{path.name}": lessons.title(lessons.read(path))
        for path in (PROJECT / "notebooks").glob("*.ipynb")
    }
    assert listed == there


def test_readme_names_what_exists() -> None:
    prose = README + (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"(?:`|^    )make ([a-z-]+)", prose, re.MULTILINE)
    assert len(named) > 10
    assert set(named) <= targets()
    for link in re.findall(r"\]\(((?!http)[^)]+)\)", README):
        assert link.startswith("notebooks/") or (PROJECT / link).exists(), link
    (torch,) = [one for one in LOCK if one.name == "torch"]
    assert f"torch{torch.specifier}" in README


def test_versions_agree() -> None:
    import course_utils

    cff = yaml.safe_load((PROJECT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cff["version"] == course_utils.__version__
    assert cff["license"] == PYPROJECT["license"]
    assert Version(course_utils.__version__)
    changes = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## ([0-9.]+)", changes, re.MULTILINE)[0] == course_utils.__version__
