"""`python -m course_utils.gpu_benchmark`: all parts on the processor, recorded, whatever one of them does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from course_utils import recorded
from course_utils.gpu_benchmark import __main__ as command
from tests.gpu_benchmark.test_measure import made_up

PROJECT = Path(__file__).parents[2]
KINDS = ["mixed_precision", "gpu_optimizer_steps", "gpu_language_model"]


@pytest.mark.slow
def test_tiny_measures_and_records_all_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--tiny", "--out", str(tmp_path / "new")]) == 0
    for kind in KINDS:
        found = recorded.newest(kind, tmp_path / "new")
        assert found is not None, kind
        assert found.rows
        assert (found.settings["size"], found.settings["device"]) == ("tiny", "cpu")
    said = capsys.readouterr().out
    assert "lesson 17's claims on a GPU are not judged" in said
    for part in command.PARTS:
        assert f"{part}, size tiny" in said


def test_it_needs_no_jupyter_and_no_plots() -> None:
    code = "import course_utils.gpu_benchmark.__main__, sys; print({n.split('.')[0] for n in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, timeout=120, check=True
    )
    for name in ("IPython", "matplotlib", "scipy", "pandas", "sklearn", "ipywidgets", "jupyter_core"):
        assert f"'{name}'" not in done.stdout, name


def broken(*_: Any) -> Any:
    raise RuntimeError("out of memory")


def fine(*_: Any) -> Any:
    return [{"a": 1}], {"b": 2}


def measured(*_: Any) -> Any:
    return made_up().rows, {}


def test_a_part_that_breaks_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = {"precisions": ("one", broken), "steps": ("two", fine), "language": ("three", broken)}
    monkeypatch.setattr(command, "PARTS", parts)
    assert command.main(["--tiny", "--out", str(tmp_path)]) == 1
    found = recorded.newest("two", tmp_path)
    assert found is not None
    assert (found.rows, found.settings["b"]) == ([{"a": 1}], 2)
    said = capsys.readouterr()
    assert "broke: precisions, language" in said.out
    assert "out of memory" in said.err
    assert len(list(tmp_path.iterdir())) == 1


def test_no_part_begins_after_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "PARTS", {"steps": ("two", broken)})
    assert command.main(["--tiny", "--only", "steps", "--minutes", "-1", "--out", str(tmp_path)]) == 0
    assert "steps: left out" in capsys.readouterr().out


def test_a_gpu_s_record_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "PARTS", {"precisions": ("mixed_precision", measured)})
    monkeypatch.setattr(recorded, "newest", lambda kind, folder: made_up())
    monkeypatch.setenv("COURSE_RECORD_DIR", str(tmp_path / "own"))
    command.main(["--tiny", "--only", "precisions", "--out", str(tmp_path)])
    assert "17.gpu-transformer-scaler" in capsys.readouterr().out
    assert os.environ["COURSE_RECORD_DIR"] == str(tmp_path / "own")
    assert not (tmp_path / "own").exists()
    monkeypatch.delenv("COURSE_RECORD_DIR")
    monkeypatch.setattr(recorded, "newest", lambda kind, folder: made_up(bf16={"step_ms": 9.5}))
    command.main(["--tiny", "--only", "precisions", "--out", str(tmp_path)])
    assert "a claim does not hold here" in capsys.readouterr().out
    assert "COURSE_RECORD_DIR" not in os.environ
    monkeypatch.setitem(sys.modules, "course_utils.claims", None)
    command.main(["--tiny", "--only", "precisions", "--out", str(tmp_path)])
    assert "lesson 17's claims are not judged here" in capsys.readouterr().out


def test_a_gpu_s_standard_run_goes_where_lessons_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    chosen = command.arguments([])
    assert (chosen.device, chosen.size, chosen.out) == ("cuda", "standard", recorded.FOLDER)
    assert command.arguments(["--size", "small"]).out == Path("build/gpu")
    assert vars(command.arguments(["--tiny"])).items() >= {"device": "cpu", "size": "tiny"}.items()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert command.arguments([]).size == "tiny"
