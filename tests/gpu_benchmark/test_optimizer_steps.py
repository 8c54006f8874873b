"""The optimizers' step beside moving its bytes: what is timed, alone and in turn; a compiler that refuses."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from course_utils.gpu_benchmark import optimizer_steps
from course_utils.gpu_benchmark.optimizer_steps import OPTIMIZERS, WORKLOADS, alone, measure, resnet18
from tests.mutants import mistakes


def check_the_same_steps(benchmark: Any) -> None:
    """What is timed is the optimizer that is named: each way leaves the parameters where torch's does."""
    shapes = [(5, 3), (5,)]
    for name in benchmark.OPTIMIZERS:
        ends: dict[str, list[torch.Tensor]] = {}
        original = benchmark.parameters
        for way, make in benchmark.contenders(name, shapes, "cpu").items():
            made: list[list[torch.nn.Parameter]] = []

            def watched(shapes: Any, device: Any, made: Any = made, original: Any = original) -> Any:
                made.append(original(shapes, device))
                return made[-1]

            benchmark.parameters = watched
            try:
                make()()
            finally:
                benchmark.parameters = original
            ends[way] = [p.detach() for p in made[0]]
        for way, reached in ends.items():
            for p, q, start in zip(reached, ends["default"], original(shapes, "cpu"), strict=True):
                assert torch.allclose(p, q, rtol=1e-6, atol=1e-8), (name, way)
                assert not torch.equal(p, start), (name, way)


def test_all_ways_take_the_same_steps() -> None:
    check_the_same_steps(optimizer_steps)


def check_the_warm_up_is_left_out(benchmark: Any) -> None:
    times = iter([100.0, 100.0, 100.0, 1.0, 5.0, 2.0])
    original, benchmark.on_cpu = benchmark.on_cpu, lambda step: next(times)
    try:
        assert benchmark.medians({"only": lambda: None}, 3, "cpu") == {"only": 2.0}
    finally:
        benchmark.on_cpu = original


def test_a_median_leaves_the_warm_up_out() -> None:
    check_the_warm_up_is_left_out(optimizer_steps)


def check_bytes(benchmark: Any) -> None:
    """Moving reads half and writes half of what the least step reads and writes."""
    before = torch.zeros(1)
    step = benchmark.moving("AdamW", [(6,), (2, 2)], "cpu")
    assert 2 * step().numel() == 7 * 10
    assert (step() == 1).all()
    assert before == 0


def test_moving_moves_the_bytes_of_a_step() -> None:
    check_bytes(optimizer_steps)


test_mistakes_are_caught = mistakes(
    "course_utils.gpu_benchmark.optimizer_steps",
    [
        (check_the_warm_up_is_left_out, "if turn >= WARM_UP", "if turn >= 0"),
        (check_bytes, "TENSORS_MOVED[name] // 2", "TENSORS_MOVED[name]"),
        (check_the_same_steps, "foreach=True, **kwargs", "foreach=True, lr=1e-3"),
    ],
)


def test_each_is_given_up_before_the_next_is_made() -> None:
    """Of a thousand million numbers a GPU holds one way of stepping, not six."""
    alive = 0

    class Held:
        def __init__(self) -> None:
            nonlocal alive
            alive += 1
            assert alive == 1

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

        def __call__(self) -> None:
            pass

    assert alone({"a": Held, "b": Held}, 2, "cpu").keys() == {"a", "b"}
    assert alive == 0


def test_rows_compare_each_way_with_moving() -> None:
    said: list[str] = []
    rows = measure("tiny", device="cpu", names=["RMSprop", "AdamW"], compile=False, say=said.append)
    assert [(row["workload"], row["optimizer"]) for row in rows] == [
        (workload, name) for workload in WORKLOADS["tiny"] for name in ("RMSprop", "AdamW")
    ]
    assert len(said) == len(rows)
    for row in rows:
        fused = {"fused"} if row["optimizer"] == "AdamW" else set()
        assert row["over_moving"].keys() == {"default", "foreach", "plain", "flat"} | fused
        assert row["median_s"].keys() == {*row["over_moving"], "moving"}
        for way, ratio in row["over_moving"].items():
            assert ratio == row["median_s"][way] / row["median_s"]["moving"]
    assert [(row["tensors"], row["entries"]) for row in rows[::2]] == [
        (62, sum(math.prod(shape) for shape in resnet18(1, 4))),
        (1, 1000),
    ]


def test_a_compiled_way_is_timed_and_one_that_is_refused_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise RuntimeError("no such target")

    monkeypatch.setattr(optimizer_steps, "WORKLOADS", {"tiny": {"one": ([(10,)], 1)}})
    monkeypatch.setattr(optimizer_steps, "compiled", lambda *_: refuse)
    [row] = measure("tiny", device="cpu", names=["SGD"])
    assert "compiled" not in row["median_s"]
    assert "SGD: compiled skipped, RuntimeError: ['no such target']" in capsys.readouterr().out
    monkeypatch.setattr(optimizer_steps, "compiled", lambda *_: lambda: None)
    [row] = measure("tiny", device="cpu", names=["SGD"])
    assert row["over_moving"]["compiled"] > 0


def test_a_step_is_handed_to_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.compile itself needs a C++ compiler; that it gives what it was given is enough for one step."""
    monkeypatch.setattr(torch, "compile", lambda function: function)
    for name, shapes in (("AdamW", [(3, 2), (4,)]), ("SGD", [(5,)])):
        optimizer_steps.compiled(name, shapes, "cpu")()


def test_the_sizes_reach_a_thousand_million() -> None:
    entries = [sum(math.prod(shape) for shape in shapes) for shapes, _ in WORKLOADS["standard"].values()]
    assert entries[1:] == [10**7, 10**9]
    assert set(OPTIMIZERS) >= {"SGD", "AdamW"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_events_of_the_device_time_a_step() -> None:
    x = torch.ones(10_000_000, device="cuda")
    steps = {"one": lambda: x.add_(1), "ten": lambda: [x.add_(1) for _ in range(10)]}
    median = optimizer_steps.medians(steps, 20, "cuda")
    assert 5 < median["ten"] / median["one"] < 20
