"""What somebody does who has never seen the course: from nothing to a lesson, as README.md says it.

A clone in a folder whose name has spaces and letters beyond ASCII, no HOME, the C locale: what a careful
machine has, and a careless one, too. What it took is written to build/newcomer.json. It installs what README
says, twice, so it needs a package index, several GB and minutes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
LIMIT = 3600.0  # seconds for the slowest command, on a slow line
# Where packages come from is the machine's business; all else of the environment is not there.
KEPT = ("PATH", "TORCH_INDEX", "SSL_CERT_FILE", "SSL_CERT_DIR", "SYSTEMROOT")
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name in KEPT or name.startswith(("PIP_", "UV_"))
} | {"LANG": "C", "LC_ALL": "C"}

pytestmark = pytest.mark.skipif(os.name != "posix" or not shutil.which("make"), reason="needs make")


def call(folder: Path, *line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    begun = time.monotonic()
    done = subprocess.run(
        line, cwd=folder, env=ENVIRONMENT | variables, capture_output=True, encoding="utf-8", timeout=LIMIT
    )
    print(f"{time.monotonic() - begun:6.0f} s  {' '.join(line)}")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done


def gigabytes(folder: Path) -> float:
    """What a folder takes on the disk; a file that two environments share counts once."""
    sizes = {}
    for path in folder.rglob("*"):
        facts = path.lstat()
        sizes[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
    return sum(sizes.values()) / 1e9


def fetched(address: str, patience: float = 120.0) -> bytes:
    """A page, from a server that may say where it is before it listens."""
    begun = time.monotonic()
    while True:
        try:
            with urllib.request.urlopen(address, timeout=60) as page:
                return bytes(page.read())
        except urllib.error.URLError:
            if time.monotonic() - begun > patience:
                raise
            time.sleep(0.5)


@pytest.fixture(scope="module")
def figures() -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {}
    yield found
    print(json.dumps(found, indent=2))
    (PROJECT / "build").mkdir(exist_ok=True)
    (PROJECT / "build" / "newcomer.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, figures: dict[str, Any]) -> Path:
    """The course as committed, set up by the first command of the README, on two lessons."""
    folder = tmp_path_factory.mktemp("new") / "Kurs für Ada, 学习"
    subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(folder)], check=True, timeout=300)
    begun = time.monotonic()
    call(folder, "make", "doctor", f"PYTHON={sys.executable}")
    figures["setting up, minutes"] = round((time.monotonic() - begun) / 60, 1)
    figures["setting up, GB"] = round(gigabytes(folder / ".venv"), 2)
    return folder


def test_make_course_runs_lessons_and_writes_the_report(clone: Path, figures: dict[str, Any]) -> None:
    begun = time.monotonic()
    call(clone, "make", "course", f"PYTHON={sys.executable}", "PROFILE=smoke", "LESSONS=00 05", "JOBS=1")
    figures["two lessons at smoke, seconds"] = round(time.monotonic() - begun)
    assert (clone / "build" / "report" / "index.html").is_file()


def test_only_what_lessons_need_is_installed(clone: Path) -> None:
    listed = call(clone, ".venv/bin/python", "-m", "pip", "list", "--format=freeze").stdout.lower()
    for name in ("jupyterhub", "dask", "distributed", "ruff", "mypy", "pytest", "sphinx", "playwright"):
        assert not re.search(rf"^{name}==", listed, re.MULTILINE), name


def test_make_lab_serves_the_lessons_without_a_browser(clone: Path) -> None:
    """`make lab`, with a browser that does nothing; the page that it would have shown is there."""
    root = {"ALLOW_ROOT": "1"} if os.geteuid() == 0 else {}
    log = clone / "lab.log"
    with open(log, "w", encoding="utf-8") as output:
        line = ["make", "lab", f"PYTHON={sys.executable}", *(f"{key}={value}" for key, value in root.items())]
        server = subprocess.Popen(
            line,
            cwd=clone,
            env=ENVIRONMENT | {"BROWSER": "true"},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        found = None
        for _ in range(600):
            text = log.read_text(encoding="utf-8", errors="replace")
            if found := re.search(r"http://(?:127\.0\.0\.1|localhost):\d+/\S*\?token=\w+", text):
                break
            assert server.poll() is None, text
            time.sleep(0.5)
        assert found, text
        assert b"jupyter" in fetched(found[0]).lower()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    assert len(list((clone / "workspace").glob("[0-9]*.ipynb"))) == len(
        list((clone / "notebooks").glob("[0-9]*.ipynb"))
    )


def test_the_wheel_alone_is_a_course(
    clone: Path, tmp_path_factory: pytest.TempPathFactory, figures: dict[str, Any]
) -> None:
    """Built in the clone, installed into an empty environment away from it: doctor, lab, a lesson."""
    python = str(clone / ".venv" / "bin" / "python")
    dist, away = clone / "dist", tmp_path_factory.mktemp("away") / "ein Ort"
    away.mkdir()
    call(clone, python, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(dist), ".")
    [wheel] = dist.glob("*.whl")
    lock = (clone / "requirements-learner.lock").read_text(encoding="utf-8")
    pins = re.findall(r"^\S+==\S+(?: ; [^\\\n]+)?", lock, re.M)  # some hold for one Python only
    (away / "versions.txt").write_text("\n".join(pins), encoding="utf-8")
    begun = time.monotonic()
    call(away, sys.executable, "-m", "venv", "env")
    pip = ["env/bin/python", "-m", "pip", "install", "--quiet"]
    if index := ENVIRONMENT.get("TORCH_INDEX"):
        [torch] = [pin for pin in pins if pin.startswith("torch==")]
        call(away, *pip, torch, "--index-url", index)
    call(away, *pip, "--constraint", "versions.txt", str(wheel))
    figures["the wheel, minutes"] = round((time.monotonic() - begun) / 60, 1)
    assert "the course can run here" in call(away, "env/bin/course-utils", "doctor").stdout
    call(away, "env/bin/course-utils", "lab", "--copy-only")
    assert (away / "workspace" / "00_start_here.ipynb").is_file()
    call(away, "env/bin/course-utils", "run", "00", "--profile", "smoke")
    assert (away / "build" / "report" / "index.html").is_file()
