"""Running lessons and reporting on them: what is refused, what goes on, what an interrupt leaves."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import psutil
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell

from course_utils import claim_records, profiles
from course_utils.tools import lessons
from course_utils.tools.cli import commands
from course_utils.tools.report import measured, report
from course_utils.tools.running import execute, kernel
from course_utils.tools.running.progress import Progress
from course_utils.tools.running.results import Folders, Job, Result, complaints, last_result
from course_utils.tools.running.run import LIMITS, run
from tests import sample
from tests.sample import PARAMETERS, RECORD, lesson


def test_profiles_are_the_course_s() -> None:
    assert tuple(LIMITS) == profiles.PROFILES


# ---- what is refused before anything runs


@pytest.mark.parametrize(
    ("parameters", "wanted", "message"),
    [
        pytest.param(None, {}, "exactly one cell tagged `parameters`, found 0", id="no parameters cell"),
        pytest.param(
            PARAMETERS, {"SEDE": 1}, "unknown parameter 'SEDE'.*PROFILE, SEED, DEVICE", id="misspelt"
        ),
        pytest.param(
            PARAMETERS, {"PROFILE": "fast"}, "unknown profile 'fast'.*smoke, standard, full", id="profile"
        ),
        pytest.param('PROFILE = "x".upper()', {}, "plain assignments of constants", id="computed"),
    ],
)
def test_refused(tmp_path: Path, parameters: str | None, wanted: dict[str, Any], message: str) -> None:
    lesson(tmp_path / "01_odd.ipynb", "open('ran', 'w')", parameters=parameters)
    lesson(tmp_path / "02_fine.ipynb", "1")
    with pytest.raises(lessons.LessonError, match=message):
        run(tmp_path, tmp_path / "build", parameters=wanted)
    assert not (tmp_path / "build").exists()


KINDS = 'PROFILE = "standard"\nSEED = 0\nFLAG = False\nLR = 0.1\nNAME = "a"\nRATES = (1, 2)\nANY = None'


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("FLAG", "false", False), ("FLAG", "TRUE", True), ("FLAG", True, True),
        ("LR", "1e-3", 1e-3), ("LR", "1", 1.0), ("LR", 1, 1.0), ("SEED", " 3", 3), ("SEED", np.int64(3), 3),
        ("NAME", "3", "3"), ("NAME", "false", "false"), ("NAME", "a=b", "a=b"),
        ("RATES", "[1, 2]", (1, 2)), ("ANY", "none", None), ("ANY", "0.5", 0.5), ("ANY", "a b", "a b"),
        ("PROFILE", "smoke", "smoke"),
    ],
)  # fmt: skip
def test_a_value_has_the_kind_of_its_default(name: str, value: Any, read: Any, tmp_path: Path) -> None:
    found = lessons.given(lesson(tmp_path / "01_x.ipynb", parameters=KINDS), {name: value})[name]
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLAG", "0"), ("FLAG", "no"), ("FLAG", 0), ("LR", "abc"), ("LR", "nan"), ("LR", "1e999"),
        ("LR", math.nan), ("LR", "true"), ("SEED", "1.5"), ("SEED", True), ("SEED", "false"), ("NAME", 3),
        ("RATES", "1"), ("RATES", "1, 2, ("),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused(name: str, value: Any, tmp_path: Path) -> None:
    path = lesson(tmp_path / "01_x.ipynb", parameters=KINDS)
    with pytest.raises(lessons.LessonError, match=rf"^01_x\.ipynb: need {name} of kind .*, as its default"):
        lessons.given(path, {name: value})


def test_two_parameters_cells_are_refused(tmp_path: Path) -> None:
    path = lesson(tmp_path / "01_twice.ipynb")
    notebook = nbformat.read(path, 4)
    notebook.cells.append(new_code_cell("SEED = 1", metadata={"tags": ["parameters"]}))
    nbformat.write(notebook, path)
    with pytest.raises(lessons.LessonError, match=r"01_twice\.ipynb: .*found 2"):
        run(tmp_path, tmp_path / "build")


def test_every_refusal_is_named_and_the_status_is_2(tmp_path: Path) -> None:
    for name in ("01_one", "02_two"):
        lesson(tmp_path / f"{name}.ipynb", parameters=None)
    arguments = ["run", "--notebooks", str(tmp_path), "--build", str(tmp_path / "build")]
    done = CliRunner().invoke(commands, arguments)
    assert done.exit_code == 2
    assert "01_one.ipynb" in done.output
    assert "02_two.ipynb" in done.output


def test_lessons_are_found_by_number_and_name(tmp_path: Path) -> None:
    for name in ("01_one", "02_two", "03_three"):
        lesson(tmp_path / f"{name}.ipynb")
    (tmp_path / "scratch.ipynb").write_text("{}")
    assert [path.stem for path in lessons.find(tmp_path)] == ["01_one", "02_two", "03_three"]
    assert [path.stem for path in lessons.find(tmp_path, ["03", "notebooks/01_one.ipynb"])] == [
        "01_one",
        "03_three",
    ]
    with pytest.raises(lessons.LessonError, match="no lesson '04'"):
        lessons.find(tmp_path, ["04"])
    with pytest.raises(lessons.LessonError, match="found none"):
        lessons.find(tmp_path / "nowhere")


# ---- what a record says against its lesson


def record(profile: str = "smoke", verdict: str = "holds", **sizes: tuple[int, int, int]) -> dict[str, Any]:
    claim = {"id": "01.one", "sentence": "S.", "measured": 1.0, "bounds": {}, "verdict": verdict}
    table = {name: dict(zip(profiles.PROFILES, size, strict=True)) for name, size in sizes.items()}
    return {"profile": profile, "claims": [claim], "sizes": table}


@pytest.mark.parametrize(
    ("found", "profile", "message"),
    [
        pytest.param(record(seeds=(8, 64, 256)), "smoke", None, id="smaller"),
        pytest.param(record(seeds=(8, 8, 8), steps=(5, 9, 9)), "smoke", None, id="one smaller is enough"),
        pytest.param(record(seeds=(8, 8, 256)), "smoke", "nothing is smaller", id="equal"),
        pytest.param(
            record(seeds=(8, 64, 64), steps=(9, 5, 9)), "smoke", "larger at smoke.*steps", id="one larger"
        ),
        pytest.param(record(), "smoke", "nothing is smaller", id="no sizes"),
        pytest.param(None, "smoke", "nothing is smaller", id="no record"),
        pytest.param(None, "standard", None, id="no record at standard"),
        pytest.param(record("standard", seeds=(8, 64, 256)), "smoke", "not 'smoke'", id="parameter ignored"),
        pytest.param(record("standard"), "standard", None, id="sizes matter at smoke"),
        pytest.param(record("standard", "fails"), "standard", "false claim 01.one", id="false claim"),
        pytest.param(record("smoke", "not judged", seeds=(1, 2, 3)), "smoke", None, id="not judged"),
    ],
)
def test_complaints(found: dict[str, Any] | None, profile: str, message: str | None) -> None:
    said = complaints(found, profile)
    if message is None:
        assert said == []
    else:
        assert len(said) == 1
        assert re.search(message, said[0])


# ---- a run with lessons of every kind


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Result]]:
    """A build folder, and what became of six lessons, five of which go wrong in their own ways."""
    folder = tmp_path_factory.mktemp("course {odd} folder")
    notebooks, build = folder / "notebooks", folder / "build"
    look = (
        "import json, os, sys; print(json.dumps({'python': sys.executable, 'files': os.listdir(), "
        "'environment': dict(os.environ), 'profile': PROFILE, 'seed': SEED}))"
    )
    lesson(notebooks / "01_good.ipynb", RECORD, "record('01')", look)
    lesson(notebooks / "02_false.ipynb", RECORD, "record('02', verdict='fails')", "print('to the end')")
    lesson(
        notebooks / "03_raises.ipynb", "print('before')", "raise KeyError('<script>alert(1)</script>')", "1"
    )
    lesson(notebooks / "04_dies.ipynb", "import os; os._exit(3)")
    lesson(notebooks / "05_hangs.ipynb", "print('before')", "while True: pass")
    lesson(notebooks / "06_other.ipynb", RECORD, "record('01', id='01.two')")
    wanted = {"PROFILE": "smoke", "SEED": 3}
    hangs, *others = sorted(lessons.find(notebooks), key=lambda path: path.name[:2] != "05")
    ample = (600.0, 600.0, 600.0)  # no machine is too slow for what does not hang
    results = run(notebooks, build, parameters=wanted, limits=ample, bar=False, only=[o.stem for o in others])
    results += run(notebooks, build, parameters=wanted, limits=(600, 2.0, 600), bar=False, only=[hangs.stem])
    results.sort(key=lambda result: result.lesson)
    assert [result.lesson for result in results] == [path.stem for path in lessons.find(notebooks)]
    return build, {result.lesson: result for result in results}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("02_false", "false claim 02.one: One is <b>one</b>.", id="false claim"),
        pytest.param("03_raises", "cell [4] raised KeyError", id="raises"),
        pytest.param("04_dies", "Kernel died", id="kernel dies"),
        pytest.param("05_hangs", "time limit (2 s for a cell, 600 s for the lesson)", id="hangs"),
        pytest.param("06_other", "claims-01.json is another lesson's", id="another lesson's claim"),
    ],
)
def test_one_lesson_fails_and_the_others_go_on(
    course: tuple[Path, dict[str, Result]], name: str, message: str
) -> None:
    _, results = course
    assert results[name].state == "failed"
    assert message in results[name].error
    assert results["01_good"].state == "passed", results["01_good"].error


def test_kernel_is_this_python_with_one_thread_in_an_empty_folder(
    course: tuple[Path, dict[str, Result]],
) -> None:
    build, _ = course
    notebook = nbformat.read(build / "executed" / "smoke" / "01_good.ipynb", 4)
    seen = json.loads(notebook.cells[-1].outputs[0].text)
    assert Path(seen["python"]) == Path(sys.executable)
    assert seen["files"] == []
    assert (seen["profile"], seen["seed"]) == ("smoke", 3)
    wanted = {
        "COURSE_HEADLESS": "1",
        "COURSE_COLLECT_CLAIMS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    assert wanted.items() <= seen["environment"].items()
    assert os.environ.get("COURSE_HEADLESS") is None, "the runner's own environment is left alone"


def test_executed_copies_are_kept_up_to_the_failure(course: tuple[Path, dict[str, Result]]) -> None:
    build, _ = course
    folder = build / "executed" / "smoke"
    assert sorted(path.stem for path in folder.iterdir()) == [
        "01_good", "02_false", "03_raises", "04_dies", "05_hangs", "06_other",
    ]  # fmt: skip
    for name in ("03_raises", "05_hangs"):
        text = (folder / f"{name}.ipynb").read_text(encoding="utf-8")
        assert "before\\n" in text, name
    assert "to the end" in (folder / "02_false.ipynb").read_text(encoding="utf-8")


def test_records_are_the_lessons_own(course: tuple[Path, dict[str, Result]]) -> None:
    build, results = course
    folder = Folders(build, "smoke").records
    found = claim_records.parse((folder / "claims-01.json").read_bytes())
    assert [claim["id"] for claim in found["claims"]] == ["01.one"], "another lesson cannot write here"
    assert last_result(folder, "02_false") == results["02_false"]
    assert results["01_good"].claims == {"holds": 1}
    assert results["02_false"].claims == {"fails": 1}


def test_report_shows_everything_and_escapes_it(course: tuple[Path, dict[str, Result]]) -> None:
    build, _ = course
    page = report(build, profile="smoke", pages=False).read_text(encoding="utf-8")
    assert "5 of 6 lessons failed" in page
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "One is &lt;b&gt;one&lt;/b&gt;." in page
    assert "exactly 1" in page
    assert page.index("What failed") < page.index("<h2>Lessons</h2>")
    assert "http" not in page.split("</style>")[1], "nothing is asked of the network"
    assert "../executed/smoke/01_good.ipynb" in page
    assert "torch 2.13.0" in page


BROKEN = {
    "cut off": b'{"lesson": "02", "claims": [{"id": "02.x", "sent',
    "empty": b"",
    "not UTF-8": '{"lesson": "02", "claims": []}'.encode("utf-16"),
    "a list": b"[]",
    "no claims": b'{"lesson": "02"}',
    "claims are no list": b'{"claims": {"02.x": 1}}',
    "a claim without bounds": json.dumps(
        {"claims": [sample.claim("02.x", "S.") | {"bounds": None}]}
    ).encode(),
    "a claim without a name": b'{"claims": [{"sentence": "S."}]}',
    "an unknown verdict": json.dumps({"claims": [sample.claim("02.x", "S.", verdict="perhaps")]}).encode(),
    "half an interval": json.dumps(
        {"claims": [sample.claim("02.x", "S.") | {"measured": {"mean": 1.0, "low": 0.9}}]}
    ).encode(),
    "about without tol": json.dumps(
        {"claims": [sample.claim("02.x", "S.") | {"bounds": {"about": 1.0}}]}
    ).encode(),
    "nested without an end": b"[" * 100_000,
}


def made_run(build: Path) -> Path:
    """The records of a run of 01_good and 02_other, without running anything."""
    records = Folders(build, "standard").records
    (records / "before").mkdir(parents=True)
    for number in ("01", "02"):
        claims = [sample.claim(f"{number}.one", f"What lesson {number} says.")]
        (records / f"claims-{number}.json").write_text(json.dumps({"lesson": number, "claims": claims}))
    Result("01_good", title="01", claims={"holds": 1}).save(records)
    Result("02_other", title="02", claims={"holds": 1}).save(records)
    return records


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("name", ["claims-02.json", "before/claims-02.json", "run-02_other.json"])
def test_report_names_what_cannot_be_read_and_shows_the_rest(
    tmp_path: Path, name: str, broken: bytes
) -> None:
    records = made_run(tmp_path)
    (records / name).write_bytes(broken)
    done = CliRunner().invoke(commands, ["report", "--build", str(tmp_path)])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert f"<li>{name} is left out: " in page
    assert "What lesson 01 says." in page
    assert ("What lesson 02 says." in page) == (name != "claims-02.json")


@pytest.mark.parametrize(
    "changed",
    [
        {"claims": []},
        {"seconds": "long"},
        {"state": "perhaps"},
        {"title": None},
        {"claims": {"holds": "many"}},
    ],
)
def test_a_result_of_another_kind_is_none(tmp_path: Path, changed: dict[str, Any]) -> None:
    records = made_run(tmp_path)
    sound = json.loads((records / "run-01_good.json").read_text())
    assert last_result(records, "01_good") == Result(**sound)
    (records / "run-01_good.json").write_text(json.dumps(sound | changed))
    assert last_result(records, "01_good") is None


def test_report_shows_what_is_not_finite(tmp_path: Path) -> None:
    records = made_run(tmp_path)
    wild = {"mean": "nan", "low": "-inf", "high": "inf", "level": 0.99, "n": 8}
    claims = [sample.claim("01.wild", "It ran away.", wild, verdict="fails")]
    (records / "claims-01.json").write_text(json.dumps({"claims": claims}))
    assert "nan, 99% interval -inf to inf, n = 8" in report(tmp_path).read_text(encoding="utf-8")


def test_a_damaged_copy_costs_its_page_alone(tmp_path: Path) -> None:
    made_run(tmp_path)
    folder = Folders(tmp_path, "standard").executed
    sample.lesson(folder / "01_good.ipynb")
    (folder / "02_other.ipynb").write_text('{"cells": [')
    page = report(tmp_path).read_text(encoding="utf-8")
    assert 'href="standard/01_good.html"' in page
    assert "the page of 02_other is left out" in page
    assert 'href="standard/02_other.html"' not in page


def test_report_links_a_page_for_each_lesson(course: tuple[Path, dict[str, Result]], tmp_path: Path) -> None:
    build, _ = course
    page = report(build, profile="smoke").read_text(encoding="utf-8")
    assert 'href="smoke/01_good.html"' in page
    assert "The title of 01_good" in (build / "report" / "smoke" / "01_good.html").read_text(encoding="utf-8")
    with pytest.raises(FileNotFoundError, match="run --profile full"):
        report(build, profile="full")
    done = CliRunner().invoke(commands, ["report", "--build", str(tmp_path)])
    assert done.exit_code == 1
    assert "no record of a run at standard" in done.output


def test_measured_values_read_well() -> None:
    interval = {"mean": 0.0481, "low": 0.0452, "high": 0.051, "n": 64, "level": 0.99}
    assert measured(interval) == "0.0481, 99% interval 0.0452 to 0.051, n = 64"
    assert measured(1e-12) == "1e-12"
    assert measured("nan") == "nan"


# ---- what an interrupt and a lost worker leave


@pytest.mark.skipif(os.name != "posix", reason="sends the signal that Ctrl-C sends on POSIX")
def test_interrupt_leaves_finished_lessons_and_no_process(tmp_path: Path) -> None:
    notebooks, build = tmp_path / "notebooks", tmp_path / "build"
    lesson(notebooks / "01_quick.ipynb", RECORD, "record('01')")
    lesson(notebooks / "02_long.ipynb", "import os, pathlib, time", LONG.format(tmp_path / "pid"))
    old = build / "records" / "standard" / "claims-02.json"
    old.parent.mkdir(parents=True)
    old.write_text('{"claims": []}')
    line = [sys.executable, "-m", "course_utils", "run", "--notebooks", str(notebooks), "--build", str(build)]
    process = subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    # the result is the last that a lesson leaves
    _until(lambda: last_result(old.parent, "01_quick") is not None and (tmp_path / "pid").exists())
    family = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=600)
    assert process.returncode == 130, said
    assert "finished lessons and their records are in place" in said
    assert "Traceback" not in said
    _until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in family))
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))
    nbformat.read(build / "executed" / "standard" / "01_quick.ipynb", 4)
    assert last_result(build / "records" / "standard", "01_quick") is not None
    assert old.exists(), "the record of an earlier run stays until the lesson has ended"
    assert last_result(build / "records" / "standard", "02_long") is None
    assert not (build / "executed" / "standard" / "02_long.ipynb").exists()
    assert not list(build.rglob("*.part"))


LONG = "pathlib.Path({!r}).write_text(str(os.getpid())); time.sleep(3600)".replace("{!r}", "'{}'")


def _until(holds: Any, seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(os.name != "posix", reason="kills its own runner by signal")
def test_lost_worker_is_replaced(tmp_path: Path) -> None:
    lesson(tmp_path / "01_kills.ipynb", "import os, signal; os.kill(os.getppid(), signal.SIGKILL)")
    lesson(tmp_path / "02_fine.ipynb", "print('fine')")
    first, second = run(tmp_path, tmp_path / "build", workers=1, bar=False)
    assert first.state == "failed"
    assert "was killed, or ran out of memory" in first.error
    assert second.state == "passed"


def test_lesson_as_a_whole_has_a_limit() -> None:
    left = execute._limits(6000.0, deadline=time.monotonic() + 500)(None)
    assert 0 < left <= 500
    assert execute._limits(60.0, deadline=time.monotonic() + 500)(None) == 60
    assert 0 < execute._limits(60.0, deadline=time.monotonic() - 1)(None) < 1, "zero would mean no limit"


def test_run_ends_where_nothing_can_be_written(tmp_path: Path) -> None:
    lesson(tmp_path / "01_fine.ipynb", "1")
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "executed").write_text("a file where a folder should be")
    (result,) = run(tmp_path, tmp_path / "build", bar=False)
    assert result.state == "failed"
    assert "could not be kept" in result.error


@pytest.mark.parametrize(
    ("message", "count"), [("Kernel died before replying to kernel_info", 2), ("Kernel died", 1)]
)
def test_kernel_that_lost_its_port_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str, count: int
) -> None:
    starts: list[str] = []

    def papermill(*arguments: Any, log: Path, **options: Any) -> None:
        starts.append("start")
        log.write_text("Address already in use\n")
        raise RuntimeError(message)

    monkeypatch.setattr(execute, "_papermill", papermill)
    job = Job(lesson(tmp_path / "01_x.ipynb"), Folders(tmp_path, "standard"), {}, 1, 1, 1)
    said = "\nAddress already in use" if count == 2 else ""
    assert execute.execute(job).error == f"RuntimeError: {message}{said}"
    assert len(starts) == count


def test_kernel_that_does_not_start_says_why_in_the_result_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = {"argv": [sys.executable, "-c", "raise SystemExit('no such port')"], "language": "python"}
    monkeypatch.setattr(kernel, "get_kernel_dict", lambda **how: {**broken, "display_name": "Python 3"})
    job = Job(lesson(tmp_path / "01_x.ipynb"), Folders(tmp_path, "standard"), {}, 20, 20, 60)
    error = execute.execute(job).error
    assert "before replying" in error
    assert "no such port" in error
    assert "no such port" not in capfd.readouterr().err


# ---- progress


def test_time_left_comes_from_the_last_run() -> None:
    progress = Progress({"01_a": 10.0, "02_b": 30.0, "03_c": None}, workers=2, bar=False)
    assert progress.seconds_left() == pytest.approx((10 + 30 + 20) / 2), (
        "an unknown lesson counts as the mean"
    )
    progress.started("02_b")
    assert progress.seconds_left() == pytest.approx(30, abs=0.1), "no less than the longest that runs"
    assert Progress({"01_a": None}, workers=2, bar=False).seconds_left() is None


def test_one_line_for_each_lesson_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress({"01_a": None, "02_b": 3.0}, workers=2, bar=None) as progress:
        progress.started("01_a")
        progress.tick()
        progress.finished(Result("01_a", seconds=2.5, claims={"holds": 3}))
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [f"[ 1/2] passed  {'01_a':<32}    2.5 s  claims: 3 holds"]
    assert captured.err == ""


def test_bar_names_the_lesson_and_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress({"01_a": 100.0, "02_b": 20.0}, workers=1, bar=True) as progress:
        progress.started("01_a")
        progress.tick()
    drawn = capsys.readouterr().err
    assert "01_a" in drawn
    assert "about 2 min 00 s left" in drawn
