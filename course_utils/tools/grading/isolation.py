"""How far a student's process is shut off from the machine it runs on."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[3]
_HIDE = 'mount -t tmpfs none "$1" && shift && exec unshare -Ur -- "$@"'


def bare_environment(scratch: str) -> dict[str, str]:
    """Nothing of the grader's own environment but what a Python needs to start."""
    needed = {
        name: os.environ[name]
        for name in ("PATH", "LANG", "SYSTEMROOT", "LD_LIBRARY_PATH")
        if name in os.environ
    }
    places = dict.fromkeys(
        ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "IPYTHONDIR", "MPLCONFIGDIR"), scratch
    )
    switches = {
        "COURSE_HEADLESS": "1",
        "COURSE_COLLECT_CLAIMS": "1",
        "COURSE_RECORD_DIR": scratch,
        "MPLBACKEND": "agg",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ROOT),
    }
    return needed | places | switches


@functools.lru_cache(maxsize=8)
def shut_off(hide: Path | None) -> tuple[str, ...]:
    """Words before a command that shut it off from other processes, the network and `hide`, if that works."""
    tool = shutil.which("unshare")
    if not sys.platform.startswith("linux") or tool is None:
        return ()
    closed = (tool, "-Urnpmf", "--mount-proc", "--kill-child")
    tries = [(*closed, "sh", "-c", _HIDE, "sh", str(hide))] if hide is not None else []
    for words in [*tries, (*closed, tool, "-Ur", "--")]:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            if subprocess.run([*words, "true"], capture_output=True, timeout=10).returncode == 0:
                return words
    return ()


def to_hide(hide: Path | None, scratch: Path) -> Path | None:
    """The folder to hide, unless the process itself works in it or is read from it."""
    if hide is None:
        return None
    needed = [scratch, ROOT, Path(sys.prefix), Path(sys.base_prefix)]
    inside = any(place.resolve().is_relative_to(hide.resolve()) for place in needed)
    return None if inside else hide.resolve()


def isolation(hide: Path) -> str:
    """One line that says how far students' processes are shut off here."""
    words = shut_off(to_hide(hide, Path(tempfile.gettempdir())))
    if not words:
        return "each notebook in a process with limits, not shut off from disk, processes or network"
    folder = " nor the other submissions" if "sh" in words else ""
    return (
        f"each notebook in a process of its own with limits, which sees no other process, no network{folder}"
    )


def tasks() -> int:
    """Processes and threads of this user, which a system counts together against a limit of processes."""
    count = 0
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error, AttributeError, OSError):
            if one.uids().real == os.getuid():
                count += one.num_threads()
    return count
