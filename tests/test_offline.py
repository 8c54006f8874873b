"""After installation the course asks nothing of the network, and an attempt to would be seen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sample import RECORD, lesson

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"

# Python imports a module of this name at the start of every process: runner, workers, kernels, exercises.
# The hook sees each connection and name look-up that Python code asks for, whoever catches the error.
BLOCK = """
import os, sys

def block(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode()
    if host not in (None, "", "localhost", "::1", "0.0.0.0") and not host.startswith("127."):
        with open(os.environ["ATTEMPTS"], "a") as file:
            file.write(f"{event} {host}\\n")
        raise PermissionError(f"the network is cut off: {host}")

sys.addaudithook(block)
"""
ASKS = """
import urllib.request
try:
    urllib.request.urlopen("http://192.0.2.1/data", timeout=2)
except OSError as problem:
    print("caught", problem)
"""


def run_offline(
    notebooks: Path, folder: Path, *arguments: str
) -> tuple[subprocess.CompletedProcess[str], str]:
    """`make course` for a folder of lessons with all but loopback blocked; and what was attempted."""
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(BLOCK, encoding="utf-8")
    attempts = folder / "attempts"
    attempts.touch()
    search = os.pathsep.join(filter(None, [str(folder / "site"), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": search, "ATTEMPTS": str(attempts)}
    line = [sys.executable, "-m", "course_utils", "run", "--notebooks", str(notebooks)]
    line += ["--build", str(folder / "build"), *arguments]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=240)
    return done, attempts.read_text()


@pytest.mark.slow
def test_a_lesson_runs_with_the_network_cut_off(tmp_path: Path) -> None:
    first = min(NOTEBOOKS.glob("*.ipynb"), default=None)
    assert first is not None, "no lesson"
    done, attempts = run_offline(NOTEBOOKS, tmp_path, first.stem, "--profile", "smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    assert attempts == ""


def test_an_attempt_is_seen_even_where_it_is_caught(tmp_path: Path) -> None:
    lesson(tmp_path / "notebooks" / "01_asks.ipynb", RECORD, ASKS, "record('01')")
    done, attempts = run_offline(tmp_path / "notebooks", tmp_path, "--no-pages")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "192.0.2.1" in attempts
