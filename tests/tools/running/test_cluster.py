"""Lessons on a real Dask cluster: a scheduler and two worker processes on loopback."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from click.testing import CliRunner
from distributed import LocalCluster

from course_utils.tools.cli import commands
from course_utils.tools.lessons import LessonError
from course_utils.tools.running import cluster as clusters
from course_utils.tools.running.cluster import Cluster, RemoteJob, differences, in_process
from course_utils.tools.running.fingerprints import standing
from course_utils.tools.running.results import Folders, Job, Result
from course_utils.tools.running.run import run
from tests.sample import RECORD, lesson

WORKER = "import os, psutil, signal, time\nworker = psutil.Process(os.getppid()).ppid()"
LIMITS = (60.0, 60.0, 60.0)
posix = pytest.mark.skipif(os.name != "posix", reason="kills by signal")


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as made:
        yield made


def workers_of(cluster: LocalCluster) -> set[int]:
    return {nanny.pid for nanny in cluster.workers.values()}


def wait_for(holds: Callable[[], bool], seconds: float = 600.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def printed(path: Path) -> list[str]:
    cells = nbformat.read(path, 4).cells
    return [
        out.text.strip() for cell in cells for out in cell.get("outputs", []) if out.get("name") == "stdout"
    ]


def test_lessons_run_on_the_workers_and_what_they_give_comes_back(
    tmp_path: Path, cluster: LocalCluster
) -> None:
    lesson(tmp_path / "01_fine.ipynb", RECORD, WORKER, "record('01')\ntime.sleep(2)\nprint(worker)")
    lesson(tmp_path / "02_wrong.ipynb", RECORD, WORKER, "record('02', 'fails')\nprint(worker)", "1 / 0")
    folders = Folders(tmp_path / "build", "smoke")
    before = folders.records / "claims-01.json"
    before.parent.mkdir(parents=True)
    before.write_text("{}")
    settled = {"parameters": {"PROFILE": "smoke"}, "scheduler": cluster.scheduler_address}
    fine, wrong = run(tmp_path, folders.build, **settled)
    assert (fine.state, wrong.state) == ("passed", "failed")
    assert "ZeroDivisionError" in wrong.error
    assert "false claim 02.one" in wrong.error
    used = {int(printed(folders.executed / f"{name}.ipynb")[0]) for name in ("01_fine", "02_wrong")}
    assert used == workers_of(cluster), "both workers were at work"
    assert json.loads(before.read_text())["profile"] == "smoke"
    assert (before.parent / "before" / before.name).read_text() == "{}", "the run before is kept"
    for result in (fine, wrong):
        saved = json.loads((folders.records / f"run-{result.lesson}.json").read_text())
        assert Result(**saved) == result
    assert fine.seconds > 2
    assert run(tmp_path, folders.build, only=["01"], changed=True, **settled) == [fine], "nothing has changed"


@posix
def test_lesson_of_a_lost_worker_runs_again_elsewhere(tmp_path: Path, cluster: LocalCluster) -> None:
    mark = tmp_path / "first"
    lose = f"if not os.path.exists({str(mark)!r}):\n    open({str(mark)!r}, 'w').write(str(os.getpid()))\n"
    lose += "    os.kill(worker, signal.SIGKILL)\n    time.sleep(300)"
    lesson(tmp_path / "01_once.ipynb", WORKER, lose, "print(worker)")
    before = workers_of(cluster)
    (result,) = run(tmp_path, tmp_path / "build", scheduler=cluster.scheduler_address)
    assert result.state == "passed", result.error
    assert int(
        printed(tmp_path / "build" / "executed" / "standard" / "01_once.ipynb")[0]
    ) in before | workers_of(cluster)
    assert wait_for(lambda: not psutil.pid_exists(int(mark.read_text()))), (
        "the first kernel ended with its worker"
    )


@posix
def test_lesson_that_is_here_is_not_run_again_when_its_worker_dies(tmp_path: Path) -> None:
    count = f"open({str(tmp_path / 'runs')!r}, 'a').write('x')"
    mark = tmp_path / "first"
    lose = f"if not os.path.exists({str(mark)!r}):\n    open({str(mark)!r}, 'w').close()\n"
    lose += (
        f"    while not os.path.exists({str(tmp_path / 'build' / 'records')!r}):\n        time.sleep(0.1)\n"
    )
    lose += "    time.sleep(1)\n    os.kill(worker, signal.SIGKILL)\n    time.sleep(300)"
    lesson(tmp_path / "01_first.ipynb", count)
    lesson(tmp_path / "02_loses.ipynb", WORKER, lose)
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=":0") as one:
        results = run(tmp_path, tmp_path / "build", scheduler=one.scheduler_address)
    assert [result.state for result in results] == ["passed", "passed"]
    assert mark.exists()
    assert (tmp_path / "runs").read_text() == "x"


@posix
def test_lesson_that_loses_its_workers_fails_with_the_reason(
    tmp_path: Path, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    lesson(tmp_path / "01_killer.ipynb", WORKER, "os.kill(worker, signal.SIGKILL)\ntime.sleep(300)")
    (result,) = run(tmp_path, tmp_path / "build", scheduler=cluster.scheduler_address)
    assert result.state == "failed"
    assert "KilledWorker" in result.error


@posix
def test_interrupt_calls_the_lessons_back(tmp_path: Path, cluster: LocalCluster) -> None:
    mark = tmp_path / "kernel"
    lesson(
        tmp_path / "01_long.ipynb",
        f"import os, time\nopen({str(mark)!r}, 'w').write(str(os.getpid()))\ntime.sleep(300)",
    )
    line = [sys.executable, "-m", "course_utils", "run", "--notebooks", str(tmp_path), "--no-bar"]
    line += ["--build", str(tmp_path / "build"), "--scheduler", cluster.scheduler_address]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as command:
        assert wait_for(lambda: mark.exists() and bool(mark.read_text()))
        command.send_signal(signal.SIGINT)
        said, _ = command.communicate(timeout=600)
    assert command.returncode == 130, said
    assert "interrupted" in said
    assert wait_for(lambda: not psutil.pid_exists(int(mark.read_text()))), "its kernel was ended"
    assert not (tmp_path / "build" / "records").exists()


def job(path: Path, build: Path) -> Job:
    return Job(path, Folders(build, "standard"), {"PROFILE": "standard"}, *LIMITS)


def test_cluster_without_workers_fails_the_lessons_in_time(tmp_path: Path) -> None:
    path = lesson(tmp_path / "01_one.ipynb", "1")
    with (
        LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address=":0") as empty,
        Cluster(empty.scheduler_address, patience=0.6) as asked,
    ):
        assert asked.size() == 0
        events = list(asked.events([job(path, tmp_path / "build")]))
    *waiting, (event, name, result) = events
    assert {kind for kind, _, _ in waiting} == {"waiting"}
    assert (event, name) == ("finished", "01_one")
    assert result is not None
    assert "had no worker for 0.6 s" in result.error
    assert (tmp_path / "build" / "records" / "standard" / "run-01_one.json").exists()


def test_lessons_fail_when_the_scheduler_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "CONNECT", 1.0)
    path = lesson(tmp_path / "01_one.ipynb", "1")
    with LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address=":0") as lost:
        asked = Cluster(lost.scheduler_address)
        events = asked.events([job(path, tmp_path / "build")])
        assert next(events) == ("waiting", "", None)
    *_, (event, _, result) = events
    assert event == "finished"
    assert result is not None
    assert "the connection to the scheduler at tcp://127.0.0.1:" in result.error
    asked.client.close()


def test_nothing_runs_where_no_scheduler_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "CONNECT", 0.3)
    lesson(tmp_path / "01_one.ipynb", "1")
    arguments = ["run", "--notebooks", str(tmp_path), "--build", str(tmp_path / "build")]
    done = CliRunner().invoke(commands, [*arguments, "--scheduler", "tcp://127.0.0.1:9"])
    assert done.exit_code == 2
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in done.output
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(LessonError, match="not installed: python -m pip install dask"):
        Cluster("tcp://127.0.0.1:9")


# ---- on a worker


def remote(path: Path, **other: Any) -> RemoteJob:
    settled = {"profile": "standard", "parameters": {"PROFILE": "standard"}, "limits": LIMITS}
    settled |= {"fingerprint": "f", "standing": standing(path), "topic": "t"}
    return RemoteJob(path.name, path.read_bytes(), **{**settled, **other})


def test_a_worker_with_another_course_says_so(tmp_path: Path) -> None:
    path = lesson(tmp_path / "98_one.ipynb", "from course_utils.losses import mse_loss")
    here = standing(path)
    assert "losses/regression.py" in here["files"]
    other = {**here, "files": {**here["files"], "losses/regression.py": "abc"}}
    outcome = in_process(remote(path, standing=other), lambda: True, where="tcp://there")
    assert outcome.result.state == "failed"
    assert outcome.result.error == (
        "the worker's course is another one: course_utils/losses/regression.py differs; "
        "install the same course there"
    )
    assert outcome.executed is None


@posix
def test_process_that_ends_without_an_answer_is_a_failed_lesson(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lesson(tmp_path / "98_one.ipynb", "1")
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    outcome = in_process(remote(path), lambda: True, where="tcp://there")
    assert outcome.result.state == "failed"
    assert "its process on tcp://there ended with status 1" in outcome.result.error


def test_a_job_for_a_worker_holds_no_path(tmp_path: Path) -> None:
    path = lesson(tmp_path / "01_one.ipynb", "1")
    assert os.fsencode(tmp_path) not in pickle.dumps(clusters._remote(job(path, tmp_path / "build"), "t"))


SAME = {"versions": {"python": "3.11.7", "torch": "2.13.0+cpu"}, "files": {"a.py": "1", "b.py": "2"}}


@pytest.mark.parametrize(
    ("python", "torch", "files", "found"),
    [
        pytest.param("3.11.7", "2.13.0+cpu", {"a.py": "1", "b.py": "2"}, [], id="same"),
        pytest.param("3.11.9", "2.13.0+cu128", {"a.py": "1", "b.py": "2"}, [], id="build and patch"),
        pytest.param("3.12.7", "2.13.0", SAME["files"], ["python 3.12.7, here 3.11.7"], id="python"),
        pytest.param("3.11.7", "2.13.1", SAME["files"], ["torch 2.13.1, here 2.13.0+cpu"], id="torch"),
        pytest.param("3.11.7", "", SAME["files"], ["torch missing, here 2.13.0+cpu"], id="no torch"),
        pytest.param(
            "3.11.7", "2.13.0", {"a.py": "1", "b.py": "3"}, ["course_utils/b.py differs"], id="changed"
        ),
        pytest.param("3.11.7", "2.13.0", {"a.py": "1"}, ["course_utils/b.py differs"], id="missing"),
        pytest.param(
            "3.11.7", "2.13.0", {**SAME["files"], "c.py": "1"}, ["course_utils/c.py differs"], id="one more"
        ),
    ],
)
def test_differences(python: str, torch: str, files: dict[str, str], found: list[str]) -> None:
    assert differences(SAME, {"versions": {"python": python, "torch": torch}, "files": files}) == found


def test_only_the_first_differences_are_named() -> None:
    other = {"versions": SAME["versions"], "files": {f"{letter}.py": "0" for letter in "abcd"}}
    assert differences(SAME, other, most=1) == ["course_utils/a.py differs", "and 3 more files"]
