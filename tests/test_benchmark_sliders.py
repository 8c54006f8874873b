"""The benchmark of the lessons' sliders with a clock of its own: what it times, what it calls slow."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from matplotlib.figure import Figure

from course_utils import plotting
from course_utils.tools.site.explored import Explored

PATH = Path(__file__).parents[1] / "benchmarks" / "sliders.py"
SLIDERS = {"rate": [1, 2, 3, 4], "beta": [0.0, 0.5]}
START = {"rate": 2, "beta": 0.5}


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_sliders", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def figure(rate: float, beta: float) -> Figure:
    made, axes = plotting.subplots(size=(4, 3))
    axes.plot([0, rate], [0, beta])
    axes.set(xlim=(0, 4), ylim=(0, 1))
    return made


def test_states_are_a_drag_and_jumps_and_none_twice(benchmark: ModuleType) -> None:
    found = benchmark.states(SLIDERS, START, 6)
    assert found[:3] == [{"rate": rate, "beta": 0.5} for rate in (1, 2, 3)]
    assert len(found) == len({tuple(state.values()) for state in found}) > 3
    assert all(state[name] in SLIDERS[name] for state in found for name in SLIDERS)


def test_what_is_timed(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reading of the clock is a second after the one before: four readings make a state."""
    found = Explored(figure, SLIDERS, START, "")
    monkeypatch.setattr(benchmark, "explored", lambda *_: found)
    ticks = itertools.count()
    row = benchmark.measured(Path("05_x.ipynb"), "try", 6, clock=lambda: float(next(ticks)))
    assert (row["state"], row["largest"], row["drawing"]) == (3000.0, 3000.0, 1000.0)
    assert row["clashes"] == []


@pytest.mark.parametrize(("named", "status"), [(False, 1), (True, 0)])
def test_what_is_slow_and_not_named_fails(
    named: bool,
    status: int,
    benchmark: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    row: dict[str, Any] = {"state": 150.0, "largest": 160.0, "drawing": 90.0, "clashes": ["a lies on b"]}
    monkeypatch.setattr(benchmark, "with_sliders", lambda chosen: [(Path("05_x.ipynb"), "try")])
    monkeypatch.setattr(benchmark, "measured", lambda *_: row)
    monkeypatch.setattr(benchmark, "NAMED", {"05/try": "trains"} if named else {})
    for name in ("COURSE_HEADLESS", "COURSE_COLLECT_CLAIMS"):
        monkeypatch.setenv(name, "1")
    assert benchmark.main([]) == status
    said = capsys.readouterr().out
    assert ("trains" if named else "over the limit") in said
    assert "arranged once: a lies on b" in said


def test_the_exceptions_are_sliders_of_lessons(benchmark: ModuleType) -> None:
    known = {f"{path.stem[:2]}/{cell}" for path, cell in benchmark.with_sliders([])}
    assert len(known) > 15
    assert set(benchmark.NAMED) <= known
