"""Faults on purpose: after each, nothing that anybody made is lost, and the command says what happened.

Each test runs the real command line in a process of its own, on two small lessons with a committed edition,
an earlier run and a learner's workspace. `make faults` runs this file. What a system cannot produce is
skipped, with the reason.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from course_utils.tools import lessons
from course_utils.tools.running.results import Folders, Job, Outcome, Result, keep, last_result
from tests.sample import RECORD, lesson

pytestmark = pytest.mark.skipif(os.name != "posix", reason="mounts, signals and limits of POSIX")
PROJECT = Path(__file__).parents[2]
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0

# What the second lesson does depends on files in the folder that $FAULTS names; its text stays the same.
SECOND = """
import os, pathlib, time
control = pathlib.Path(os.environ["FAULTS"])
if (control / "big").exists():
    print("x" * 400_000)
if (control / "slow").exists():
    (control / "kernel").write_text(str(os.getpid()))
    time.sleep(float((control / "slow").read_text()))
"""
LEFT = 60_000  # bytes free on the full disk: enough for a small file, not for the second lesson's output
FULL = r"No space left|File too large"


class Course:
    """Two lessons, what an earlier run made of them, and a learner who has begun."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.control = folder, folder / "control"
        self.notebooks, self.build = folder / "notebooks", folder / "build"
        self.workspace = folder / "workspace"

    def line(self, command: str, *arguments: str) -> list[str]:
        line = [sys.executable, "-m", "course_utils", command, "--notebooks", str(self.notebooks)]
        line += ["--build", str(self.build), "--no-bar", "--no-pages", "--all"] if command == "run" else []
        line += ["--workspace", str(self.workspace), "--copy-only"] if command == "lab" else []
        return [*line, *arguments]

    def begin(
        self, command: str, *arguments: str, before: Sequence[str] = (), **options: Any
    ) -> subprocess.Popen[str]:
        """The command in a session of its own; every process that it starts carries $FAULTS."""
        environment = {**os.environ, "FAULTS": str(self.control)}
        return subprocess.Popen(
            [*before, *self.line(command, *arguments)], cwd=PROJECT, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, **options,
        )  # fmt: skip

    def end(self, process: subprocess.Popen[str], seconds: float = 120) -> tuple[int, str]:
        """Its exit status and all that it said; nothing of it is left."""
        out, err = process.communicate(timeout=seconds)
        until(lambda: not self.processes(), what="no process is left")
        return process.returncode, out + err

    def do(self, command: str, *arguments: str, **options: Any) -> tuple[int, str]:
        return self.end(self.begin(command, *arguments, **options))

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("FAULTS") == str(self.control):
                    found.append(process)
        return found

    def switch(self, name: str, text: str = "") -> None:
        (self.control / name).write_text(text)

    def until_it_computes(self) -> int:
        """Wait for the second lesson's long cell; the process of its kernel."""
        until((self.control / "kernel").exists, what="the slow cell has begun")
        time.sleep(0.2)
        return int((self.control / "kernel").read_text())

    def files(self, folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }

    def check_whole(self) -> None:
        """Everything that runs made can be read, and nothing half written lies about."""
        for path in self.folder.rglob("*"):
            if path.suffix == ".ipynb":
                nbformat.validate(nbformat.read(path, as_version=4))
            elif path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            assert path.suffix != ".part", path


def until(holds: Callable[[], Any], *, what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    course = Course(tmp_path_factory.mktemp("prepared"))
    course.control.mkdir()
    lesson(course.notebooks / "01_first.ipynb", RECORD, "record('01')", "print('the first lesson')")
    lesson(course.notebooks / "02_second.ipynb", RECORD, SECOND, "record('02')")
    for command in ("notebooks", "run", "lab"):
        status, said = course.do(command)
        assert status == 0, said
    (course.workspace / "01_first.ipynb").write_text('{"mine": 1}')
    (course.workspace / ".course").mkdir()
    (course.workspace / ".course" / "progress.json").write_text('{"version": 1, "exercises": {}}')
    return course.folder


@pytest.fixture
def course(prepared: Path, tmp_path: Path) -> Iterator[Course]:
    """A copy; the committed lessons and the learner's files are byte for byte as before when a test ends."""
    shutil.copytree(prepared, tmp_path / "course")
    made = Course(tmp_path / "course")
    before = made.files(made.notebooks), made.files(made.workspace)
    yield made
    for process in made.processes():
        process.kill()
    assert (made.files(made.notebooks), made.files(made.workspace)) == before
    (made.workspace / "01_first.ipynb").unlink()  # no notebook, on purpose
    made.check_whole()


def said_plainly(said: str) -> None:
    assert "Traceback" not in said, said


# ---- a full disk


@contextlib.contextmanager
def full_disk(folder: Path, *, left: int) -> Iterator[None]:
    """Put `folder` on a disk of its own with `left` bytes free."""
    if not ROOT:
        pytest.skip("only root can mount a small disk")
    aside = folder.with_name(folder.name + ".aside")
    shutil.copytree(folder, aside)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True
    )
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.decode().strip()}")
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        with open(folder / "filler", "wb") as filler:
            disk = os.statvfs(folder)
            filler.write(b"x" * (disk.f_bavail * disk.f_bsize - left))
        yield
        (folder / "filler").unlink()
        shutil.rmtree(aside)
        shutil.copytree(folder, aside)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        shutil.rmtree(folder)
        aside.rename(folder)


def no_large_files() -> None:
    """For users who are not root: a limit on the size of a file, with an error like that of a full disk."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (LEFT, LEFT))


@contextlib.contextmanager
def out_of_space(kind: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Options for a command that runs out of space in `folder` for all but small files."""
    if kind == "limit":
        yield {"preexec_fn": no_large_files}
    else:
        with full_disk(folder, left=LEFT):
            yield {}


each_kind = pytest.mark.parametrize("kind", ["disk", "limit"])


@each_kind
def test_run_out_of_space(course: Course, kind: str) -> None:
    course.switch("big")
    executed = course.build / "executed" / "standard" / "02_second.ipynb"
    before = executed.read_bytes()
    with out_of_space(kind, course.build) as options:
        status, said = course.do("run", **options)
    said_plainly(said)
    assert status == 1
    assert "1 of 2 lessons passed" in said
    assert "failed: 02_second\nwhat it gave could not be kept" in said
    assert any(word in said for word in FULL.split("|")), said
    assert executed.read_bytes() == before
    result = last_result(course.build / "records" / "standard", "02_second")
    assert result is not None
    assert result.state == "failed"


def test_run_without_a_byte_left(course: Course) -> None:
    before = course.files(course.build)
    with full_disk(course.build, left=0):
        status, said = course.do("run")
    said_plainly(said)
    assert status == 1
    assert "No space left" in said
    assert "report could not be written" in said
    assert course.files(course.build) == before


@each_kind
def test_notebooks_out_of_space(course: Course, kind: str) -> None:
    course.switch("big")
    with out_of_space(kind, course.notebooks) as options:
        status, said = course.do("notebooks", **options)
    said_plainly(said)
    assert status == 1
    assert "left as it was: 02_second" in said
    assert "01_first" not in said.split("left as it was")[1]


def test_notebooks_where_temporary_files_find_no_room(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(Where not a byte is left in $TMPDIR, Python itself takes another folder, and all goes well.)"""
    course.switch("big")
    scratch = course.folder / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    with full_disk(scratch, left=LEFT):
        status, said = course.do("notebooks")
    shutil.rmtree(scratch)
    said_plainly(said)
    assert status == 1
    assert "left as it was: 02_second" in said
    assert "No space left" in said


def test_lab_out_of_space(course: Course) -> None:
    new = course.folder / "new"
    shutil.copytree(course.notebooks, new)
    edition = nbformat.read(new / "02_second.ipynb", as_version=4)
    edition.cells[0].source += "x" * 300_000
    nbformat.write(edition, new / "02_second.ipynb")
    with full_disk(course.workspace, left=LEFT):
        before = course.files(course.workspace)
        course.notebooks, old = new, course.notebooks
        status, said = course.do("lab")
        course.notebooks = old
        assert course.files(course.workspace) == before
    said_plainly(said)
    assert status == 1
    assert "No space left" in said
    assert "yours are as they were" in said


def test_an_answer_on_a_full_disk_leaves_the_progress_made_before(course: Course) -> None:
    progress = course.workspace / ".course"
    code = (
        "from course_utils.exercises.engine.progress_file import update\n"
        "print(update('00.x', lambda record: None))"
    )
    with full_disk(progress, left=0):
        environment = {**os.environ, "COURSE_PROGRESS_DIR": str(progress)}
        environment.pop("COURSE_HEADLESS", None)
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=PROJECT, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "No space left" in done.stdout
        for path in progress.iterdir():
            assert path.name in ("progress.json", "filler") or path.stat().st_size == 0, path
            if path.name not in ("progress.json", "filler"):
                path.unlink()


# ---- a kernel or a runner is killed, or interrupted


@pytest.mark.parametrize("command", ["run", "notebooks"])
def test_kernel_killed_in_the_middle(course: Course, command: str) -> None:
    course.switch("slow", "120")
    process = course.begin(command)
    os.kill(course.until_it_computes(), signal.SIGKILL)
    status, said = course.end(process)
    said_plainly(said)
    assert status == 1
    assert "Kernel died" in said
    assert ("failed: 02_second" if command == "run" else "left as it was: 02_second") in said
    assert "passed  01_first" in said


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda sent: sent.name)
@pytest.mark.parametrize("command", ["run", "notebooks"])
def test_interrupted(course: Course, command: str, sent: signal.Signals) -> None:
    """Ctrl-C and a closed terminal reach the whole group of processes, `kill` the runner alone."""
    course.switch("slow", "120")
    before = course.files(course.build)
    process = course.begin(command)
    course.until_it_computes()
    (os.kill if sent == signal.SIGTERM else os.killpg)(process.pid, sent)
    status, said = course.end(process, seconds=30)
    if sent != signal.SIGHUP:  # it ends Python's resource tracker too, which complains; but nobody is there
        said_plainly(said)
    assert status == 130
    assert "interrupted" in said
    after = course.files(course.build)
    assert {name for name in after if after[name] != before.get(name) and "02" in name} == set()


@pytest.mark.parametrize("command", ["run", "notebooks"])
def test_runner_killed_outright(course: Course, command: str) -> None:
    """Nothing can be said then; but nothing is lost, and what it started ends by itself."""
    course.switch("slow", "120")
    process = course.begin(command)
    course.until_it_computes()
    process.kill()
    status, _ = course.end(process)
    assert status == -signal.SIGKILL


# ---- folders that cannot be written


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Root writes whatever the permissions say, so for root the folder is mounted over itself, read-only."""
    if not ROOT:
        folder.chmod(0o555)
        try:
            yield
        finally:
            folder.chmod(0o755)
        return
    place = str(folder)
    bound = subprocess.run(["mount", "--bind", place, place], capture_output=True, text=True)
    if bound.returncode:
        pytest.skip(f"root writes everywhere, and nothing can be mounted here: {bound.stderr.strip()}")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
        with pytest.raises(OSError, match="Read-only"):
            (folder / "probe").touch()
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("command", ["run", "lab"])
def test_read_only_lessons_are_run_and_handed_out(course: Course, command: str) -> None:
    with read_only(course.notebooks):
        status, said = course.do(command)
    assert status == 0, said


def test_read_only_lessons_are_not_executed_in_vain(course: Course) -> None:
    course.switch("slow", "60")
    with read_only(course.notebooks):
        begun = time.monotonic()
        status, said = course.do("notebooks")
    said_plainly(said)
    assert status == 2
    assert "nothing was run" in said
    assert str(course.notebooks) in said
    assert not (course.control / "kernel").exists()
    assert time.monotonic() - begun < 60


def test_read_only_build(course: Course) -> None:
    before = course.files(course.build)
    with read_only(course.build):
        status, said = course.do("run")
    said_plainly(said)
    assert status == 1
    assert "Read-only" in said or "Permission denied" in said
    assert course.files(course.build) == before


def test_read_only_workspace(course: Course) -> None:
    (course.workspace / "02_second.ipynb").rename(course.folder / "aside.ipynb")
    with read_only(course.workspace):
        status, said = course.do("lab")
    (course.folder / "aside.ipynb").rename(course.workspace / "02_second.ipynb")
    said_plainly(said)
    assert status == 1
    assert "Read-only" in said or "Permission denied" in said


# ---- no network


def test_without_a_network(course: Course) -> None:
    """In a network of its own with nothing but loopback: what is not Python is cut off as well."""
    options = ["--net"] if ROOT else ["--net", "--map-root-user"]
    before = ["unshare", *options, "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    alone = (
        subprocess.run([*before, "ip", "-o", "link"], capture_output=True, text=True)
        if shutil.which("ip")
        else None
    )
    if not shutil.which("unshare") or alone is None or alone.returncode:
        pytest.skip("no network namespace can be made here; test_offline.py blocks Python's sockets instead")
    assert len(alone.stdout.splitlines()) == 1, alone.stdout
    for command in ("run", "notebooks", "lab"):
        status, said = course.do(command, before=before)
        assert status == 0, said


# ---- two at the same time


@pytest.mark.parametrize("command", ["run", "notebooks", "lab"])
def test_twice_at_the_same_time(course: Course, command: str) -> None:
    """Both finish, and everything is whole; a lesson's result and its claims come from one and the same."""
    if command == "lab":
        (course.workspace / "02_second.ipynb").unlink()  # to be handed out again, by both
    seeds = [("--seed", "1"), ("--seed", "2")] if command == "run" else [(), ()]
    both = [course.begin(command, *seed) for seed in seeds]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
    until(lambda: not course.processes(), what="no process is left")
    if command == "run":
        records = course.build / "records" / "standard"
        for path in lessons.find(course.notebooks):
            check_of_one_run(records, path.stem)


def check_of_one_run(records: Path, name: str) -> None:
    from course_utils.tools.running.fingerprints import fingerprint

    [path] = records.parents[2].glob(f"notebooks/{name}.ipynb")
    seed = json.loads((records / f"claims-{name[:2]}.json").read_text())["seed"]
    result = last_result(records, name)
    assert result is not None
    assert result.fingerprint == fingerprint(path, {"PROFILE": "standard", "SEED": seed})


def test_what_a_lesson_gave_is_kept_together(tmp_path: Path) -> None:
    """Two runs that end a lesson in the same moment, many times: result and claims are never of two runs."""
    job = Job(tmp_path / "01_x.ipynb", Folders(tmp_path, "standard"), {}, 1, 1, 1)

    def finish(mark: str) -> None:
        result = Result("01_x", fingerprint=mark)
        keep(Outcome(result, executed=mark, record=json.dumps({"mark": mark}).encode()), job)

    for _ in range(40):
        threads = [threading.Thread(target=finish, args=(mark,)) for mark in ("one", "two", "three")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        mark = json.loads((job.folders.records / "claims-01.json").read_text())["mark"]
        result = last_result(job.folders.records, "01_x")
        assert result is not None
        assert (result.fingerprint, (job.folders.executed / "01_x.ipynb").read_text()) == (mark, mark)


def test_a_lesson_edited_while_it_is_executed_keeps_the_edit(course: Course) -> None:
    course.switch("slow", "4")
    path = course.notebooks / "02_second.ipynb"
    before = path.read_bytes()
    process = course.begin("notebooks")
    course.until_it_computes()
    edited = before.replace(b"The title of", b"Another title of")
    assert edited != before
    path.write_bytes(edited)
    status, said = course.end(process)
    after = path.read_bytes()
    path.write_bytes(before)
    said_plainly(said)
    assert after == edited
    assert status == 1
    assert "left as it was: 02_second" in said
    assert "changed while it was executed" in said
