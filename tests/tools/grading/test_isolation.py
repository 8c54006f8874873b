"""What a student's process can reach, in each way that works on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from course_utils.tools import cli
from course_utils.tools.grading import isolation
from course_utils.tools.grading.isolation import Way
from tests.mutants import mistakes

# What can be done, as names; the process is Python's own.
PROBE = """
import ctypes, json, os, socket, sys
hidden, beside, package = sys.argv[1:]
did = []
def can(name, *doing):
    try:
        if any(do() in (False, -1) for do in doing):
            return
    except OSError:
        return
    did.append(name)
can('read what is hidden', lambda: os.listdir(hidden) != [])
can('read the homes', lambda: bool([n for n in os.listdir('/home') if n]))
can('read passwords', lambda: open('/etc/shadow').read() != '')
can('read beside', lambda: open(beside + '/m.py').read() == 'x')
can('write beside', lambda: open(beside + '/m.py', 'a').close() is None)
can('write the package', lambda: open(package, 'a').close() is None)
for place in ('/', '/dev', '/usr', '/etc', '/var/tmp', '/proc/sys/kernel', os.path.dirname(sys.executable)):
    can('write ' + place, lambda: open(place + '/x', 'w').close() is None)
can('write here', lambda: open('x', 'w').close() is None)
can('fill here', lambda: os.statvfs('.').f_blocks * os.statvfs('.').f_frsize < 300_000_000)
shm = os.statvfs('/dev/shm')
can('fill shared memory', lambda: shm.f_blocks * shm.f_frsize < 300_000_000)
can('see a network', lambda: [n for _, n in socket.if_nameindex() if n != 'lo'] != [])
can('see processes', lambda: sum(n.isdigit() for n in os.listdir('/proc')) > 8)
can('read a disk', lambda: any(n[:2] in ('sd', 'vd') or n == 'mem' for n in os.listdir('/dev')))
can('use capabilities', lambda: int(open('/proc/self/status').read().split('CapEff:')[1].split()[0], 16) != 0)
libc = ctypes.CDLL(None, use_errno=True)
can('mount', lambda: libc.mount(b'none', b'.', b'tmpfs', 0, None))
print(json.dumps(did))
"""
FINE = ["read beside", "write here", "fill here", "fill shared memory"]
WAYS = [Way("bwrap", False), Way("bwrap", True), Way("unshare", False), Way("unshare", True)]


def reached(one: Any, folder: Path) -> list[str]:
    """What the probe can do in a way; [] where nothing starts in it."""
    hidden, beside, home = folder / "in", folder / "beside", folder / "home"
    for place in (hidden, beside, home):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
    (hidden / "canary").touch()
    (beside / "m.py").write_text("x")
    if one.nobody:
        os.chown(home, isolation.NOBODY, isolation.NOBODY)
    done = subprocess.run(
        [
            *one.command(home, beside, [hidden]), sys.executable, "-c", PROBE, str(hidden), str(beside),
            str(isolation.__file__),
        ],
        env=isolation.bare_environment(str(home)), cwd=home, capture_output=True, timeout=300,
    )  # fmt: skip
    assert not (hidden / "x").exists()
    return list(json.loads(done.stdout)) if done.stdout else []


@pytest.mark.parametrize("one", WAYS, ids=str)
def test_what_a_process_can_do(one: Way, tmp_path: Path) -> None:
    if not sys.platform.startswith("linux") or not shutil.which(one.tool) or not isolation._works(one):
        pytest.skip(f"{one} does not work here")
    assert reached(one, tmp_path) == FINE


KILLED = """
import os, subprocess, sys, time
from pathlib import Path
from course_utils.tools.grading import isolation
one, folder = isolation.Way(sys.argv[1], False), Path(sys.argv[2])
code = "open('up', 'w').close()\\nprint(1, flush=True)\\nimport time\\ntime.sleep(86413)"
child = subprocess.Popen(
    [*one.command(folder), sys.executable, "-c", code],
    env=isolation.bare_environment(sys.argv[2]), cwd=folder,
    stdout=subprocess.PIPE, start_new_session=True,
)
child.stdout.read(1)
print(child.pid, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("tool", ["bwrap", "unshare"])
def test_a_grader_that_is_killed_leaves_no_process(tool: str, tmp_path: Path) -> None:
    if (
        not sys.platform.startswith("linux")
        or not shutil.which(tool)
        or not isolation._works(Way(tool, False))
    ):
        pytest.skip(f"{tool} does not work here")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tool, str(tmp_path)], capture_output=True, timeout=300
    )
    pid = int(done.stdout)
    for _ in range(200):
        if not any(
            str(tmp_path) in " ".join(one.info["cmdline"] or []) for one in psutil.process_iter(["cmdline"])
        ):
            break
        time.sleep(0.1)
    else:
        pytest.fail(f"process {pid} is there")


@pytest.fixture
def needs_bwrap() -> None:
    if not shutil.which("bwrap") or not isolation._works(Way("bwrap", False)):
        pytest.skip("bwrap does not work here")


@pytest.fixture
def needs_unshare() -> None:
    if not shutil.which("unshare") or not isolation._works(Way("unshare", False)):
        pytest.skip("unshare does not work here")


def test_a_home_is_hidden_around_the_python_that_lies_in_it(
    needs_unshare: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, work = tmp_path / "home of ada", tmp_path / "work"
    (ada / "python" / "lib").mkdir(parents=True)
    (ada / "python" / "lib" / "m.py").touch()
    (ada / ".ssh").mkdir()
    (ada / "class").mkdir()
    (ada / "diary").touch()
    work.mkdir()
    needed = (*isolation._needed(), ada / "python")
    monkeypatch.setattr(isolation, "_PRIVATE", (str(ada),))
    monkeypatch.setattr(isolation, "_needed", lambda: needed)
    code = (
        "import os, sys\nada = sys.argv[1]\nprint(os.listdir(ada), os.listdir(ada + '/python/lib'))\n"
        "for name in ('/x', '/python/x', '/python/lib/m.py'):\n"
        "    try:\n        open(ada + name, 'w')\n        print('written')\n    except OSError:\n        pass"
    )
    done = subprocess.run(
        [*Way("unshare", False).command(work, None, [ada / "class"]), sys.executable, "-c", code, str(ada)],
        env=isolation.bare_environment(str(work)), cwd=work, capture_output=True, timeout=300,
    )  # fmt: skip
    assert done.stdout.decode().splitlines() == ["['python'] ['m.py']"], done.stderr
    assert sorted(path.name for path in ada.iterdir()) == [".ssh", "class", "diary", "python"]


def check_bwrap(module: ModuleType, folder: Path, _: None) -> None:
    assert reached(module.Way("bwrap", False), folder) == FINE


def check_unshare(module: ModuleType, folder: Path, _: None) -> None:
    assert reached(module.Way("unshare", False), folder) == FINE


test_a_hole_in_bwrap_is_noticed = mistakes(
    isolation.__name__,
    [
        ('"--unshare-all", "--unshare-user"', '"--unshare-user", "--unshare-pid"'),
        ('"--unshare-all", "--unshare-user"', '"--unshare-user", "--unshare-net"'),
        ('"/dev/shm", "--remount-ro", "/dev"]', '"/dev/shm"]'),
        ('str(home), "--remount-ro", "/"]', "str(home)]"),
        ('in read:\n        words += ["--ro-bind"', 'in read:\n        words += ["--bind"'),
        ('"--size", str(SCRATCH), "--tmpfs", str(home)', '"--tmpfs", str(home)'),
        ('for place in map(Path, _SYSTEM):', 'words += ["--ro-bind", "/", "/"]\n    for place in ():'),
        ("*([beside] if beside else [])", ""),
    ],
    check=check_bwrap,
    fixtures=["tmp_path", "needs_bwrap"],
)  # fmt: skip


test_a_hole_in_unshare_is_noticed = mistakes(
    isolation.__name__,
    [
        ('"-Urnpmf"', '"-Urpmf"'),
        ("remount,bind,ro,", "remount,bind,rw,"),
        ('mount --rbind "$home/dev" /dev\n', ""),
        ('mount -t tmpfs -o "size=$size,mode=700" none "$home"\n', ""),
        ("{*map(Path, _PRIVATE), *hide}", "{*map(Path, _PRIVATE)}"),
        ('_PRIVATE = ("/root", "/home", ', "_PRIVATE = ("),
        ("mount --bind /dev/null", "true"),
        ("--bounding-set=-all", "--bounding-set=+all"),
    ],
    check=check_unshare,
    fixtures=["tmp_path", "needs_unshare"],
)


def test_a_way_in_which_python_does_not_start_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`true` would start; Python says which folder it does not see."""
    monkeypatch.setattr(isolation, "_needed", lambda: (tmp_path,))
    assert not isolation._works(Way("bwrap", False))


def test_without_a_way_grading_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(isolation, "way", lambda: None)
    assert "not shut off" in isolation.isolation()
    done = CliRunner().invoke(cli.commands, ["grade", str(tmp_path)])
    assert done.exit_code == 2
    assert f"Take care: {isolation.NEED}." in done.output
    assert "need notebooks" not in done.output
    done = CliRunner().invoke(cli.commands, ["grade", str(tmp_path), "--unsafe"])
    assert f"Take care: {isolation.NEED}." in done.output
    assert "need notebooks" in done.output  # it went on


def test_no_tool_is_no_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert isolation.way.__wrapped__() is None
