"""The benchmark of lesson 03 with a clock of its own: what it times and what it records."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from types import ModuleType

import pytest
import torch

from course_utils import recorded

PATH = Path(__file__).parents[1] / "benchmarks" / "throughput.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_throughput", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    vars(module).update(NETS={"small net": (3, 2), "wide net": (3, 4, 2)}, BATCHES=(1, 5))
    return module


def test_the_median_is_of_the_rounds_after_three(benchmark: ModuleType) -> None:
    readings = iter([0.0, 9.0] * 6 + [0.0, 1.0, 0.0, 7.0] + [0.0, 2.0, 0.0, 8.0] + [0.0, 6.0, 0.0, 30.0])
    called = []
    steps = [lambda: called.append("a"), lambda: called.append("b")]
    assert benchmark.medians(steps, 3, lambda: next(readings)) == [2.0, 8.0]
    assert called == ["a", "b"] * 6


def test_a_step_trains_on_the_whole_batch(benchmark: ModuleType) -> None:
    torch.manual_seed(0)
    model = benchmark.he_net(3, 4, 2)
    assert [tuple(p.shape) for p in model.parameters()] == [(4, 3), (4,), (2, 4), (2,)]
    assert model(torch.randn(99, 3)).min() < 0  # no ReLU after the last layer


def test_a_record_holds_each_net_at_each_batch(benchmark: ModuleType, tmp_path: Path) -> None:
    threads, ticks = torch.get_num_threads(), itertools.count()
    try:
        benchmark.main(["--rounds", "1"], lambda: float(next(ticks)))
        assert recorded.newest("throughput", tmp_path) is None
        benchmark.main(["--rounds", "1", "--record", "--folder", str(tmp_path)], lambda: float(next(ticks)))
    finally:
        torch.set_num_threads(threads)
    found = recorded.newest("throughput", tmp_path)
    assert found is not None
    assert [(row["net"], row["batch"], row["median_s"]) for row in found.rows] == [
        (net, b, 1.0) for net in benchmark.NETS for b in benchmark.BATCHES
    ]
    assert found.settings["rounds"] == 1
