"""The optimizers' benchmark at a tiny size: what it times, what it writes, what it records."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from course_utils import recorded

PATH = Path(__file__).parents[1] / "benchmarks" / "optimizers.py"
MANY, ONE = "62 small tensors", "one tensor of ten million"


@pytest.fixture(scope="module")
def benchmark() -> Any:
    spec = importlib.util.spec_from_file_location("benchmark_optimizers", PATH)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.WORKLOADS = {MANY: [(3, 2), (3,)], ONE: [(100,)], "a ResNet-18": [(4, 3), (4,)]}
    return module


def test_a_record_holds_every_way_of_stepping(benchmark: Any, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    threads = torch.get_num_threads()
    try:
        benchmark.main(["--rounds", "2", "--record", "--folder", str(tmp_path), "--out", str(out)])
    finally:
        torch.set_num_threads(threads)
    found = recorded.newest("optimizers", tmp_path)
    assert found is not None
    assert found.settings["rounds"] == 2
    assert found.settings["device"] == "cpu"
    assert found.machine == {key: recorded.machine()[key] for key in found.machine}
    assert json.loads(out.read_text())["rows"] == found.rows
    pairs = [(row["workload"], row["optimizer"]) for row in found.rows]
    assert pairs == [(w, o) for w in benchmark.WORKLOADS for o in benchmark.OPTIMIZERS]
    for row in found.rows:
        ways = {"default", "foreach", "plain", "flat"}
        ways |= {"fused"} if row["optimizer"] != "RMSprop" else set()
        ways |= {"moving"} if row["workload"] == ONE else set()
        assert row["median_s"].keys() == ways  # on the CPU nothing is compiled unless asked
        assert all(seconds > 0 for seconds in row["median_s"].values())
        shapes = benchmark.WORKLOADS[row["workload"]]
        assert row["tensors"] == len(shapes)
        assert row["entries"] == sum(torch.Size(shape).numel() for shape in shapes)
        for key, (ratio, _) in row["ratios"].items():
            a, b = key.split(" / ")
            assert ratio == row["median_s"][a] / row["median_s"][b]


def test_without_record_nothing_is_recorded(
    benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "WORKLOADS", {ONE: [(10,)]})
    benchmark.main(
        ["--rounds", "1", "--folder", str(tmp_path / "records"), "--out", str(tmp_path / "o.json")]
    )
    assert not (tmp_path / "records").exists()


def test_a_target_belongs_to_the_cpu_and_its_workload(benchmark: Any) -> None:
    median = {"default": 1.0, "fused": 0.5, "flat": 0.2, "plain": 1.0, "compiled": 0.4}
    small = benchmark.ratios(MANY, median)
    assert small["flat / default"] == (0.2, 0.25)
    assert small["flat / fused"] == (0.4, 0.5)
    assert small["compiled / fused"][1] is None
    assert benchmark.ratios(ONE, median)["compiled / fused"] == (0.8, 1.2)
    assert all(target is None for _, target in benchmark.ratios(MANY, median, "cuda").values())


def test_the_gpu_compiles_by_default_and_the_cpu_does_not(
    benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmark.options([]).compile is False
    assert benchmark.options(["--device", "cuda"]).compile is True
    assert benchmark.options(["--device", "cuda", "--no-compile"]).compile is False
    monkeypatch.setattr(benchmark.shutil, "which", lambda name: None)
    assert benchmark.options(["--compile"]).compile is False
    assert "needs a C++ compiler" in capsys.readouterr().out
