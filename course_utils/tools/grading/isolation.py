"""How far a student's process is shut off from the machine it runs on.

    bwrap     (bubblewrap) sees Python, the course and the system's libraries, all read-only, and an empty
              folder of limited size; no network, no other process, no capability
    unshare   (util-linux) sees the machine's files read-only, without homes, submissions and devices, and the
              same folder; no network, no other process, no capability
    neither   nothing of that: `grade` refuses, unless it is told that these notebooks may be run so

Where the superuser grades, the process is `nobody`'s, if that user can read Python and the course. A way
counts where Python itself starts in it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[3]
SCRATCH = 200_000_000  # bytes of the folder that a process may write to, and of its shared memory
NOBODY = 65534
NEED = (
    "notebooks can do what you can: read and change your files, use the network. Install bubblewrap (Debian: "
    "apt install bubblewrap), or grade on Linux where `unshare` is allowed; --unsafe grades all the same"
)
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SETTINGS = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "alternatives", "fonts", "mime.types")
_PRIVATE = ("/root", "/home", "/run", "/var", "/mnt", "/media", "/srv", "/etc/ssh", "/etc/ssl/private")
# What of the machine an unshared process does not see. After two arguments come the folders to hide, each
# with what is needed in it, once to be put aside and once to be put back: FOLDER NEEDED... - NEEDED... -
_UNSHARED = """
set -e
home=$1 size=$2; shift 2
mount -t tmpfs -o "size=$size,mode=700" none "$home"
mkdir "$home/dev"
mount -t tmpfs -o size=1m,mode=755 none "$home/dev"
for name in null zero full random urandom; do
  : > "$home/dev/$name"
  mount --bind "/dev/$name" "$home/dev/$name"
done
mkdir "$home/dev/shm"
mount -t tmpfs -o "size=$size,mode=1777" none "$home/dev/shm"
mount --rbind "$home/dev" /dev
umount -R -l "$home/dev"
rmdir "$home/dev"
for file in /etc/shadow /etc/shadow- /etc/gshadow /etc/gshadow-; do
  [ ! -e "$file" ] || mount --bind /dev/null "$file"
done
while [ "$1" != -- ]; do
  place=$1 kept=0; shift
  while [ "$1" != - ]; do
    kept=$((kept + 1))
    mkdir -p "/dev/shm/kept/$kept"
    mount --rbind "$1" "/dev/shm/kept/$kept"
    shift
  done
  shift
  [ ! -d "$place" ] || mount -t tmpfs -o size=1m,mode=755 none "$place"
  kept=0
  while [ "$1" != - ]; do
    kept=$((kept + 1))
    mkdir -p "$1"
    mount --rbind "/dev/shm/kept/$kept" "$1"
    umount -R -l "/dev/shm/kept/$kept"
    rmdir "/dev/shm/kept/$kept"
    shift
  done
  shift
done
shift
[ ! -d /dev/shm/kept ] || rmdir /dev/shm/kept
while read -r _ _ _ _ at how _; do
  at=$(printf %b "$at")
  case "$at" in
    "$home" | /dev/* | /proc | /proc/*) ;;
    *) mount -o "remount,bind,ro,${how#r[ow],}" "$at" || [ "$at" != / ] ;;
  esac
done < /proc/self/mountinfo
cd "$home"
if command -v setpriv > /dev/null; then
  set -- setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
fi
exec unshare -Ur -- "$@"
"""


@dataclass(frozen=True)
class Way:
    """A way to shut a process off: the tool, and whether `nobody` runs it."""

    tool: str
    nobody: bool

    def command(self, home: Path, beside: Path | None = None, hide: Sequence[Path] = ()) -> list[str]:
        """The words before a command.

        Args:
            home: the only folder that can be written to, empty at first.
            beside: a folder that can be read, too.
            hide: folders that are not to be seen, where all of the machine else is.
        """
        words = _bwrap(home, beside, hide) if self.tool == "bwrap" else _unshare(home, hide)
        user = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
        return [*user, *words] if self.nobody else words


@functools.cache
def way() -> Way | None:
    """The best way that works here; None where there is none."""
    if not sys.platform.startswith("linux"):
        return None
    root = os.getuid() == 0 and shutil.which("setpriv") is not None
    for tool in ("bwrap", "unshare"):
        for nobody in (True, False) if root else (False,):
            if shutil.which(tool) and _works(Way(tool, nobody)):
                return Way(tool, nobody)
    return None


def shut_off(home: Path, beside: Path | None, hide: Sequence[Path]) -> list[str]:
    """Words before a command that shut it off, as far as that works here."""
    found = way()
    return found.command(home, beside, hide) if found else []


@contextlib.contextmanager
def scratch() -> Iterator[tuple[Path, Path]]:
    """A folder to work in and one for what lies beside it, which other users reach, too."""
    with tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True) as folder:
        home, beside = Path(folder, "home"), Path(folder, "modules")
        Path(folder).chmod(0o711)
        home.mkdir(mode=0o700)
        beside.mkdir()
        beside.chmod(0o755)
        found = way()
        if found and found.nobody:
            os.chown(home, NOBODY, NOBODY)
        yield home, beside


def bare_environment(home: str) -> dict[str, str]:
    """Nothing of the grader's own environment but what a Python needs to start."""
    needed = {
        name: os.environ[name]
        for name in ("PATH", "LANG", "SYSTEMROOT", "LD_LIBRARY_PATH")
        if name in os.environ
    }
    places = dict.fromkeys(
        ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "IPYTHONDIR", "MPLCONFIGDIR"), home
    )
    switches = {
        "COURSE_HEADLESS": "1",
        "COURSE_COLLECT_CLAIMS": "1",
        "COURSE_RECORD_DIR": home,
        "MPLBACKEND": "agg",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ROOT),
        "USER": "student",
    }
    return needed | places | switches


def isolation() -> str:
    """One line that says how far students' processes are shut off here."""
    found = way()
    if found is None:
        return "each notebook in a process with limits, not shut off from disk, processes or network"
    sees = {
        "bwrap": "which sees Python and the course, and no other file, process or network",
        "unshare": "which can change no file and sees no other process, no network nor the other submissions",
    }
    return f"each notebook in a process of its own with limits, {sees[found.tool]} ({found.tool})"


def tasks() -> int:
    """Processes and threads of the user who runs notebooks, against whom a system counts a limit."""
    found = way()
    count = 0
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error, AttributeError, OSError):
            if one.uids().real == (NOBODY if found and found.nobody else os.getuid()):
                count += one.num_threads()
    return count


def _bwrap(home: Path, beside: Path | None, hide: Sequence[Path]) -> list[str]:
    words = ["bwrap", "--unshare-all", "--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)]
    words += ["--cap-drop", "ALL", "--die-with-parent", "--new-session", "--proc", "/proc", "--dev", "/dev"]
    words += ["--size", str(SCRATCH), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
    for place in map(Path, _SYSTEM):
        if place.is_symlink():
            words += ["--symlink", os.readlink(place), str(place)]
        elif place.is_dir():
            words += ["--ro-bind", str(place), str(place)]
    for name in _SETTINGS:
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    read = [*_needed(), *([beside] if beside else [])]
    for place in read:
        words += ["--ro-bind", str(place), str(place)]
    for place in hide:
        if any(place.is_relative_to(one) and place != one for one in read):
            words += ["--tmpfs", str(place)]
    words += ["--size", str(SCRATCH), "--tmpfs", str(home), "--remount-ro", "/"]
    return [*words, "--chdir", str(home), "--"]


def _unshare(home: Path, hide: Sequence[Path]) -> list[str]:
    needed = [*_needed(), home]
    places = {*map(Path, _PRIVATE), *hide}
    hidden: list[str] = []
    # the outer one of two first; a Python of pyenv or conda lies in a home, which is hidden around it
    for place in sorted(places, key=lambda place: len(place.parts)):
        if place.is_dir() and not place.is_symlink() and not any(place.is_relative_to(one) for one in needed):
            within = [str(one) for one in needed if one.is_relative_to(place)]
            hidden += [str(place), *within, "-", *within, "-"]
    shell = ["sh", "-c", _UNSHARED, "sh", str(home), str(SCRATCH), *hidden, "--"]
    # Without setpriv a grader that is killed leaves the process behind, until its own limit of time.
    ends = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    return [*ends, "unshare", "-Urnpmf", "--mount-proc", "--kill-child", *shell]


@functools.cache
def _needed() -> tuple[Path, ...]:
    """Folders without which Python or the course do not start, those inside another one left out."""
    executable = Path(sys.executable)
    places: list[str | Path] = [
        sys.prefix,
        sys.base_prefix,
        executable.resolve().parents[1],
        ROOT / "course_utils",
    ]
    places += [Path(place) for place in sys.path if "site-packages" in place or "dist-packages" in place]
    found = {Path(os.path.abspath(place)) for place in places} | {Path(place).resolve() for place in places}
    there = sorted(place for place in found if place.is_dir() and place != Path("/"))
    return tuple(
        place
        for place in there
        if not any(place != one and place.is_relative_to(one) for one in (*there, Path("/usr")))
        and place != Path("/usr")
    )


def _works(one: Way) -> bool:
    """Whether Python starts in it, with the course, and can write to nothing but its folder."""
    code = (
        "import os, sys, json, course_utils._files as f, course_utils.exercises.engine.child\n"
        "open('here', 'w').close()\n"
        "try:\n    open(f.__file__, 'a').close()\n"
        "except OSError:\n    print('ready')"
    )
    with tempfile.TemporaryDirectory(prefix="course-") as folder:
        home = Path(folder, "home")
        home.mkdir()
        Path(folder).chmod(0o711)
        if one.nobody:
            os.chown(home, NOBODY, NOBODY)
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(
                [*one.command(home), sys.executable, "-c", code],
                env=bare_environment(str(home)),
                cwd=home,
                capture_output=True,
                timeout=120,
            )
            return done.stdout.strip() == b"ready"
    return False
