"""The doctor names what is wrong and the command that cures it, on a machine where little works."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from course_utils import __main__
from course_utils.tools import doctor
from course_utils.tools.doctor import FAIL, OK, WARN, Finding

DOCTOR = Path(doctor.__file__)


@pytest.mark.parametrize(
    ("check", "state", "text"),
    [
        pytest.param(lambda: doctor.python((3, 10, 14)), FAIL, "3.10.14", id="old Python"),
        pytest.param(lambda: doctor.python((3, 11, 0)), OK, "3.11.0", id="first Python"),
        pytest.param(lambda: doctor.python((3, 12, 1), 32), FAIL, "32 bits", id="32 bits"),
        pytest.param(lambda: doctor.memory(1e9), FAIL, "1.0 GB", id="no memory"),
        pytest.param(lambda: doctor.memory(2e9), WARN, "2.0 GB", id="little memory"),
        pytest.param(lambda: doctor.memory(8e9), OK, "8.0 GB", id="memory"),
        pytest.param(lambda: doctor.disk(Path(), 1e8), FAIL, "0.1 GB", id="no disk"),
        pytest.param(lambda: doctor.disk(Path(), 1e9), WARN, "1.0 GB", id="little disk"),
        pytest.param(lambda: doctor.disk(Path(), 1e10), OK, "10.0 GB", id="disk"),
    ],
)
def test_limits(check: Callable[[], Finding], state: str, text: str) -> None:
    found = check()
    assert found.state == state
    assert text in found.text
    assert bool(found.cure) >= (state == FAIL), "a FAIL has its cure"


def lock(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "requirements.lock"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "state", "said"),
    [
        pytest.param(
            "pytest>=1\npackaging>=1 ; python_version < '3'\n", OK, "1 as in", id="markers respected"
        ),
        pytest.param(
            "no-such-package-here==1\npytest>=1\n", FAIL, "missing: no-such-package-here", id="missing"
        ),
        pytest.param(
            "no-such-package-here==1 ; sys_platform == 'plan9'\n", OK, "0 as in", id="another platform's"
        ),
        pytest.param("pytest==0.1\n", WARN, "(wanted ==0.1)", id="another version"),
        pytest.param("# a comment\n\nPyTest>=1\n", OK, "1 as in", id="comments and spelling"),
        pytest.param(
            "pytest>=1 ; python_version > '3' \\\n    --hash=sha256:ab \\\n    --hash=sha256:cd\n",
            OK,
            "1 as in",
            id="hashes",
        ),
    ],
)
def test_packages_against_the_lock(tmp_path: Path, text: str, state: str, said: str) -> None:
    found = doctor.packages(lock(tmp_path, text))
    assert found.state == state
    assert said in found.text


def test_local_build_of_torch_is_the_locked_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.13.0+cpu")
    assert doctor.packages(lock(tmp_path, "torch==2.13.0\n")).state == OK
    assert doctor.packages(lock(tmp_path, "torch==2.14.0\n")).state == WARN


def test_lessons_lie_in_the_checkout_or_where_the_wheel_put_them(tmp_path: Path) -> None:
    here, installed = tmp_path / "here", tmp_path / "installed"
    assert doctor.folder_of_lessons(here, installed) == here / "notebooks"
    installed.mkdir()
    assert doctor.folder_of_lessons(here, installed) == installed
    (here / "notebooks").mkdir(parents=True)
    assert doctor.folder_of_lessons(here, installed) == here / "notebooks"


def test_no_lock(tmp_path: Path) -> None:
    assert doctor.packages(tmp_path / "requirements.lock").state == FAIL


@pytest.mark.parametrize(
    ("asked", "state", "said"),
    [
        pytest.param(
            ["pytest>=1", "no-such-package-here>=1; extra == 'dev'"], OK, "1 as in the wheel's", id="extras"
        ),
        pytest.param(["pytest<1"], WARN, "(wanted <1)", id="out of range"),
        pytest.param(["no-such-package-here>=1"], FAIL, "missing: no-such-package-here", id="missing"),
    ],
)
def test_an_installed_wheel_is_held_to_its_own_metadata(
    asked: list[str], state: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "HERE", tmp_path)
    monkeypatch.setattr(importlib.metadata, "requires", {"course-utils": asked}.get)
    found = doctor.packages(tmp_path / "requirements.lock")
    assert found.state == state
    assert said in found.text


def test_write_access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_RECORD_DIR", raising=False)
    assert doctor.write_access(tmp_path).state == OK
    found = doctor.write_access(tmp_path / "not there")
    assert found.state == FAIL
    assert "not there" in found.cure
    assert "run --build <folder>" in found.cure, "where the course is somebody else's"
    assert list(tmp_path.iterdir()) == []


def test_where_the_course_is_served_a_reader_writes_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_RECORD_DIR", str(tmp_path / ".course" / "records"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    found = doctor.write_access(tmp_path / "somebody else's")
    assert found.state == OK
    assert str(tmp_path) in found.text


def test_port_in_use_is_not_a_failure() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = doctor.port(taken.getsockname()[1])
    assert found.state == OK
    assert "in use" in found.text


def test_check_that_breaks_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Finding:
        raise RuntimeError("half an installation")

    monkeypatch.setattr(doctor, "memory", broken)
    monkeypatch.setattr(doctor, "course", lambda: Finding(OK, "course", "skipped"))
    monkeypatch.setattr(doctor, "gpu", lambda: Finding(OK, "gpu", "skipped"))
    found = {finding.what: finding for finding in doctor.examine(tmp_path, kernel=False)}
    assert list(found) == ["python", "packages", "course", "memory", "disk", "write", "port", "gpu"]
    assert found["memory"].state == FAIL
    assert "half an installation" in found["memory"].text
    assert found["disk"].state == OK, "the others go on"


def test_this_machine_can(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main([]) == 0, capsys.readouterr().out
    lines = capsys.readouterr().out.splitlines()
    assert "the course can run here" in lines
    assert any(line.startswith("OK    kernel") for line in lines)


@pytest.mark.parametrize(
    ("answer", "state", "text"),
    [
        ((1, "", "Traceback\nImportError: no zmq"), FAIL, "does not start: ImportError: no zmq"),
        ((1, "", ""), FAIL, "does not start: no reason given"),
        ((0, "/another/python\n", ""), WARN, "starts another Python: /another/python"),
        (None, FAIL, "did not answer within"),
    ],
)
def test_a_kernel_that_is_not_this_python(
    answer: tuple[int, str, str] | None, state: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(line: list[str], timeout: float, **how: object) -> subprocess.CompletedProcess[str]:
        if answer is None:
            raise subprocess.TimeoutExpired(line, timeout)
        return subprocess.CompletedProcess(line, *answer)

    monkeypatch.setattr(subprocess, "run", run)
    found = doctor.start_kernel()
    assert (found.state, bool(found.cure)) == (state, True)
    assert text in found.text


def test_a_closed_loopback_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(socket.socket):
        def bind(self, address: object) -> None:
            raise OSError(13, "Permission denied")

    monkeypatch.setattr(socket, "socket", Closed)
    found = doctor.port()
    assert found.state == FAIL
    assert "none can be opened on 127.0.0.1: Permission denied" in found.text


@pytest.mark.parametrize(
    ("answer", "tool", "state", "text"),
    [
        ((0, "Made-up 9000\n", ""), None, OK, "Made-up 9000"),
        ((1, "", "Traceback"), None, WARN, "could not say"),
        ((0, "", ""), "/bin/nvidia-smi", WARN, "torch sees none, though"),
        ((0, "", ""), None, OK, "none, and none is needed"),
    ],
)
def test_gpu(
    answer: tuple[int, str, str], tool: str | None, state: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = subprocess.CompletedProcess([], *answer)
    monkeypatch.setattr(subprocess, "run", lambda *args, **how: done)
    monkeypatch.setattr(shutil, "which", lambda name: tool)
    found = doctor.gpu()
    assert found.state == state
    assert text in found.text


@pytest.fixture
def broken_environment(tmp_path: Path) -> Path:
    """A Python with none of the course's packages, as it is before or after a set-up that went wrong."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    folder = tmp_path / "venv"
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def ask(python: Path, *arguments: str, cwd: Path = DOCTOR.parents[2]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(python), *arguments], capture_output=True, text=True, cwd=cwd, timeout=600)


def test_broken_environment(broken_environment: Path) -> None:
    done = ask(broken_environment, "-m", "course_utils", "doctor")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr == ""
    failed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert failed == ["packages", "course", "kernel", "memory"]
    assert done.stdout.count("cure:") == len(failed)
    assert f"{len(failed)} to cure before the course runs" in done.stdout


def test_alone_as_a_file(broken_environment: Path, tmp_path: Path) -> None:
    """Not even course_utils has to be importable: the file needs nothing but a Python."""
    copy = Path(shutil.copy(DOCTOR, tmp_path / "doctor.py"))
    done = subprocess.run(
        [broken_environment, copy, "--no-kernel"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    assert "FAIL  packages" in done.stdout


def test_other_commands_send_to_the_doctor(broken_environment: Path) -> None:
    done = ask(broken_environment, "-m", "course_utils", "run")
    assert done.returncode == 1
    assert "No module named 'click'" in done.stderr
    assert "python -m course_utils doctor" in done.stderr
    assert "Traceback" not in done.stderr


def test_package_that_is_there_and_does_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libtorch.so: no such file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = doctor.course()
    assert found.state == FAIL
    assert "libtorch.so" in found.text
    assert found.cure == doctor.INSTALL
    assert doctor.gpu().state == WARN


@pytest.mark.parametrize(("arguments", "status"), [(["--help"], 0), (["--nonsense"], 2)])
def test_usage(arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(arguments) == status
    assert "usage" in capsys.readouterr().out


def test_doctor_comes_before_click(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["course_utils", "doctor", "--help"])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 0
