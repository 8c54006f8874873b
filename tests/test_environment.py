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
LOCKS = ("requirements.lock", "requirements-learner.lock", "requirements-cuda.lock")


def locked(name: str) -> dict[Requirement, list[str]]:
    """What a lock pins -> the hashes of its files: a package is a line, its hashes are indented below it."""
    packages: dict[Requirement, list[str]] = {}
    for line in (PROJECT / name).read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            packages[next(reversed(packages))].append(line.strip(" \\"))
        else:
            packages[Requirement(line.rstrip(" \\"))] = []
    return packages


LOCK = list(locked("requirements.lock"))
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


@pytest.mark.parametrize("name", LOCKS)
def test_every_file_of_a_lock_is_known_by_its_hash(name: str) -> None:
    for package, hashes in locked(name).items():
        assert re.fullmatch(r"==[^,*]+", str(package.specifier)), package
        assert hashes, package
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes), package
        assert len(set(hashes)) == len(hashes), package


def test_torch_is_locked_for_every_platform_and_its_cuda_packages_on_linux_alone() -> None:
    [torch] = [one for one in LOCK if one.name == "torch"]
    assert torch.marker is None
    # wheels for Pythons 3.11 to 3.13 on Linux (two processors), macOS and Windows
    assert len(locked("requirements.lock")[torch]) >= 3 * 4
    cuda = re.compile(r"nvidia-|cuda-|triton")
    for name in LOCKS:
        for one in locked(name):
            assert bool(cuda.match(one.name)) == (name == "requirements-cuda.lock"), one
    for one in locked("requirements-cuda.lock"):
        assert "sys_platform == 'linux'" in str(one.marker).replace('"', "'"), one


def test_the_learner_s_lock_is_a_part_of_the_whole_without_hub_dask_and_linters() -> None:
    learner, whole = locked("requirements-learner.lock"), locked("requirements.lock")
    # what the whole needs everywhere, the lessons may need for one Python only: the markers are their own
    pins = {f"{package.name}{package.specifier}": hashes for package, hashes in whole.items()}
    for package, hashes in learner.items():
        assert pins[f"{package.name}{package.specifier}"] == hashes, package
    names = {canonicalize_name(one.name) for one in learner}
    assert {canonicalize_name(Requirement(text).name) for text in PYPROJECT["dependencies"]} <= names
    extra = PYPROJECT["optional-dependencies"]
    for text in [text for group in extra.values() for text in group]:
        # papermill and scikit-learn need these themselves
        if canonicalize_name(Requirement(text).name) not in ("pyyaml", "joblib"):
            assert canonicalize_name(Requirement(text).name) not in names, text
    assert len(learner) < 0.75 * len(whole)


def test_installing_from_the_lock_can_build_the_package() -> None:
    """`pip install --no-build-isolation -e .` needs the build's requirements in the lock."""
    build = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"][
        "requires"
    ]
    for name in ("requirements.lock", "requirements-learner.lock"):
        pinned = {one.name: str(one.specifier).removeprefix("==") for one in locked(name)}
        for one in map(Requirement, build):
            assert one.specifier.contains(pinned[one.name])


LISTENS = """#!/bin/sh
case "$1 $2" in
    -c*sys.argv*) exit {there} ;;
    -c*) exit {asks} ;;
esac
echo "$@" >> {log}
case "$3" in
    download) while [ "$1" != --dest ]; do shift; done; touch "$2/torch-1.whl" ;;
    hash) echo {hash} ;;
esac
"""


def installed(tmp_path: Path, index: str, there: int, asks: int, sha: str) -> tuple[int, list[str]]:
    """How `.ci/install` ends with a stand-in for Python, and what it asked pip for, in words."""
    python, log = tmp_path / "a python", tmp_path / "log"
    python.write_text(LISTENS.format(there=there, asks=asks, log=f"'{log}'", hash=sha))
    python.chmod(0o755)
    line = ["sh", str(PROJECT / ".ci" / "install"), str(python), "requirements-learner.lock"]
    done = subprocess.run(line, env={"PATH": os.environ["PATH"], "TORCH_INDEX": index}, timeout=30)
    [torch] = [f"{one.name}{one.specifier}" for one in LOCK if one.name == "torch"]
    words = {
        rf"install --quiet {torch} --index-url an-index": "torch of an index",
        rf"download --quiet --no-deps --dest \S+ {torch}": "download",
        r"hash \S+/torch-1.whl": "hash",
        r"install --quiet --no-deps \S+/torch-1.whl": "torch",
        r"install --quiet --no-deps --require-hashes -r requirements-learner.lock": "hashed learner",
        r"install --quiet --no-deps --require-hashes -r requirements-cuda.lock": "hashed cuda",
        r"install --quiet --no-deps --no-build-isolation -e \.": "course",
    }
    found = []
    for asked in log.read_text().splitlines():
        [word] = [word for text, word in words.items() if re.fullmatch(f"-m pip {text}", asked)]
        found.append(word)
    return done.returncode, found


KNOWN = next(iter(locked("requirements.lock")[next(one for one in LOCK if one.name == "torch")]))


@pytest.mark.skipif(os.name != "posix", reason="a stand-in for Python that is a shell script")
@pytest.mark.parametrize(
    ("index", "there", "asks", "sha", "status", "expected"),
    [
        pytest.param("", 1, 1, KNOWN, 0, ["download", "hash", "torch", "hashed learner", "course"], id="CPU"),
        pytest.param(
            "",
            1,
            0,
            KNOWN,
            0,
            ["download", "hash", "torch", "hashed learner", "hashed cuda", "course"],
            id="CUDA",
        ),
        pytest.param("", 0, 1, KNOWN, 0, ["hashed learner", "course"], id="torch is there"),
        pytest.param(
            "an-index", 1, 0, KNOWN, 0, ["torch of an index", "hashed learner", "course"], id="index"
        ),
        pytest.param("", 1, 1, "--hash=sha256:" + 64 * "0", 1, ["download", "hash"], id="another file"),
    ],
)
def test_what_is_installed_is_checked_against_its_hash(
    index: str, there: int, asks: int, sha: str, status: int, expected: list[str], tmp_path: Path
) -> None:
    assert installed(tmp_path, index, there, asks, sha) == (status, expected)


@pytest.mark.skipif(os.name != "posix", reason="a stand-in for Python that is a shell script")
def test_a_file_that_is_not_the_locked_one_stops_the_installation(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\ncase "$*" in *hashes*) exit 1 ;; esac\necho "$@" >&2\n')
    python.chmod(0o755)
    line = ["sh", str(PROJECT / ".ci" / "install"), str(python), "requirements-learner.lock"]
    done = subprocess.run(line, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert "-e ." not in done.stderr


# ---- conda


def test_conda_takes_python_in_range_and_the_rest_from_the_lock() -> None:
    found = yaml.safe_load((PROJECT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    (python,) = [Requirement(one) for one in found if isinstance(one, str) and one.startswith("python")]
    assert python.specifier == SpecifierSet(PYPROJECT["requires-python"])
    assert "pip" in found
    (pip,) = [one["pip"] for one in found if isinstance(one, dict)]
    assert pip == ["-r requirements-learner.lock", "-r requirements-cuda.lock"]


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
    for name in ("run", "python", "install", "lock", "address"):
        subprocess.run(["sh", "-n", PROJECT / ".ci" / name], check=True, timeout=30)
    assert os.access(PROJECT / ".ci" / "run", os.X_OK)


# ---- the address


@pytest.mark.skipif(os.name != "posix" or not shutil.which("awk"), reason="a shell script")
def test_the_course_s_address_is_said_once(tmp_path: Path) -> None:
    """Before the first release there is none; `.ci/address` writes it into each file that names it."""
    names = [
        "pyproject.toml",
        "CITATION.cff",
        "README.md",
        "deploy/README.md",
        "deploy/colab.md",
        ".ci/address",
    ]
    names = [name for name in names if (PROJECT / name).exists()]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / name)
    line = ["sh", str(tmp_path / ".ci" / "address")]
    assert subprocess.run([*line, "no-slash"], capture_output=True, timeout=30).returncode == 2
    found = tomllib.loads((tmp_path / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    owner, repository = "Some-One", "a-course"
    if "<owner>" not in found["Repository"]:
        *_, owner, repository = found["Repository"].split("/")
    for _ in range(2):  # a second time changes nothing
        subprocess.run([*line, f"{owner}/{repository}"], check=True, timeout=30)
        texts = {name: (tmp_path / name).read_text(encoding="utf-8") for name in names[:-1]}
        code, site = (
            f"https://github.com/{owner}/{repository}",
            f"https://{owner.lower()}.github.io/{repository}/",
        )
        assert tomllib.loads(texts["pyproject.toml"])["project"]["urls"]["Repository"] == code
        cited = yaml.safe_load(texts["CITATION.cff"])
        assert (cited["repository-code"], cited["url"]) == (code, site)
        assert texts["README.md"].count(site) == 1
        if "deploy/README.md" in texts:
            assert f"gh/{owner}/{repository}/" in texts["deploy/README.md"]
            assert texts["deploy/colab.md"].count(f"{owner}/{repository}") == 2
        assert [name for name, text in texts.items() if "<owner>" in text] == []


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
