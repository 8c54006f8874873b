"""benchmarks/mixed_precision.py and what it stands on: the tasks, the race, the record and its claims."""

from __future__ import annotations

import contextlib
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import mixed_precision as benchmark
from course_utils import profiles, recorded
from course_utils.claims import ClaimError
from course_utils.diagnostics.step_memory import HeldBytes
from course_utils.gpu_benchmark import measure as measuring
from course_utils.gpu_benchmark import record, timing
from course_utils.gpu_benchmark.measure import PRECISIONS, SCALING, Trainer, measure
from course_utils.gpu_benchmark.tasks import (
    CLASSES,
    LAG,
    WORDS,
    Task,
    convnet,
    echoes,
    gratings,
    tasks,
    transformer,
)
from tests.mutants import mistakes

CPU = torch.device("cpu")
PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return measure("tiny", steps=6, timed=2, warm_up=1, seeds=range(2), device="cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# The command


def test_the_command_writes_one_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--device", "cpu", "--steps", "2", "--seeds", "2", "--timed", "1", "--warm-up", "1"]
    path = benchmark.main([*words, "--nets", "transformer", "--out", str(tmp_path / "new")])
    record = recorded.newest("mixed_precision", path.parent)
    assert record is not None
    assert list(path.parent.iterdir()) == [path]
    assert [(r["net"], r["precision"]) for r in record.rows] == [
        ("transformer", name) for name in ("fp32", "fp16", "fp16 torch", "bf16", "bf16 checkpoints")
    ]
    assert record.machine["torch"] == torch.__version__
    assert record.settings["size"] == "tiny"
    assert (record.settings["steps"], record.settings["seeds"]) == (2, 2)
    assert "transformer  fp16 torch" in capsys.readouterr().out
    json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)  # no NaN


def test_a_cpu_record_is_not_taken_for_a_gpus(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    recorded.save("mixed_precision", rows, settings={}, folder=tmp_path)
    assert record.newest(tmp_path) is None
    assert record.newest(tmp_path / "none") is None
    assert benchmark.arguments(["--device", "cpu"]).out is None  # main() then chooses build/


def test_it_runs_without_jupyter_and_plots() -> None:
    """Only torch, numpy and this package are imported: what a bare GPU machine has."""
    code = "import benchmarks.mixed_precision, sys; print(sorted({n.split('.')[0] for n in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, timeout=60, check=True
    )
    for name in ("IPython", "matplotlib", "scipy", "pandas", "sklearn", "ipywidgets"):
        assert f"'{name}'" not in done.stdout, name


# The race


def test_rows_are_complete(rows: list[dict[str, Any]]) -> None:
    names = [name for name, precision in PRECISIONS.items() if not precision.tf32]
    assert [(r["net"], r["precision"]) for r in rows] == [
        (net, name) for net in benchmark.NETS for name in names
    ]
    for row in rows:
        assert len(row["final_losses"]) == 2
        assert all(math.isfinite(loss) for loss in row["final_losses"])
        assert row["step_ms"] > 0
        assert row["peak_mib"] is None
        assert row["parameters"] > 0
        if row["precision"] in ("fp32", "bf16"):
            assert row["skipped_share"] == 0


def test_both_scalers_take_the_same_steps(rows: list[dict[str, Any]]) -> None:
    for net in benchmark.NETS:
        ours, theirs = (
            next(r for r in rows if (r["net"], r["precision"]) == (net, n)) for n in ("fp16", "fp16 torch")
        )
        assert ours["final_losses"] == theirs["final_losses"]
        assert ours["skipped_share"] == theirs["skipped_share"]


def test_precisions_start_alike_and_end_apart(rows: list[dict[str, Any]]) -> None:
    task = tasks("tiny")[1]
    nets = [Trainer(task, precision, 3, CPU).model.state_dict() for precision in PRECISIONS.values()]
    for net in nets[1:]:
        assert all(torch.equal(net[name], p) for name, p in nets[0].items())
    for name in benchmark.NETS:
        losses = {r["precision"]: r["final_losses"] for r in rows if r["net"] == name}
        assert losses["bf16"] != losses["fp32"] != losses["fp16"]
        assert torch.tensor(losses["bf16"]) == pytest.approx(torch.tensor(losses["fp32"]), abs=0.02)


def check_skips_are_counted(m: Any) -> None:
    """A scale that overflows at once is halved until it fits; torch's scaler says how often that was."""
    task, precision = tasks("tiny")[1], m.PRECISIONS["fp16"]
    old = dict(m.SCALING)
    m.SCALING.update(init_scale=2.0**40, growth_interval=50)
    try:
        _, skipped = m._train(task, precision, 0, 25, CPU)
        reference = m.Trainer(task, m.PRECISIONS["fp16 torch"], 0, CPU)
        draws = generator(1000)
        for _ in range(25):
            reference.step(*task.batch(draws))
        halvings = math.log2(2.0**40 / reference.scaler.get_scale())
    finally:
        m.SCALING.update(old)
    assert 10 < skipped < 25
    assert skipped == halvings


def check_eval_mode_is_left(m: Any) -> None:
    trainer = m.Trainer(tasks("tiny")[0], m.PRECISIONS["fp32"], 0, CPU)
    x, y = tasks("tiny")[0].batch(generator())
    before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    assert trainer.loss(x, y) == trainer.loss(x, y)  # nothing is learned, no running mean moves
    assert all(torch.equal(before[k], v) for k, v in trainer.model.state_dict().items())
    assert trainer.model.training


def check_autocast_is_on(m: Any) -> None:
    seen: dict[str, torch.dtype] = {}
    for name, precision in m.PRECISIONS.items():
        trainer = m.Trainer(tasks("tiny")[1], precision, 0, CPU)
        trainer.model[0].head.register_forward_hook(
            lambda mod, args, out, name=name: seen.update({name: out.dtype})
        )
        trainer.step(*tasks("tiny")[1].batch(generator()))
        assert {p.dtype for p in trainer.model.parameters()} == {torch.float32}
    half = {"fp16": torch.float16, "fp16 torch": torch.float16}
    half |= {"bf16": torch.bfloat16, "bf16 checkpoints": torch.bfloat16}
    assert seen == {name: half.get(name, torch.float32) for name in m.PRECISIONS}


def check_checkpoints(m: Any) -> None:
    """They keep less for the backward pass, leave the gradients as they were, and reach every part."""
    precisions = [m.Precision(), m.Precision(checkpoints=True)]
    for task in tasks("tiny"):
        x, y = task.batch(generator())
        kept, gradients = [], []
        for precision in precisions:
            trainer = m.Trainer(task, precision, 0, CPU)
            assert any(isinstance(part, task.parts) for part in trainer.model.modules())
            with HeldBytes() as held:
                loss = trainer.forward(x, y)
                kept.append(held.now)
            loss.backward()
            gradients.append([p.grad for p in trainer.model.parameters()])
        assert kept[1] < 0.7 * kept[0], task.name
        for a, b in zip(*gradients, strict=True):
            assert torch.allclose(a, b, atol=1e-6), task.name


RACE_CHECKS = [check_skips_are_counted, check_eval_mode_is_left, check_autocast_is_on, check_checkpoints]


@pytest.mark.parametrize("check", RACE_CHECKS, ids=lambda c: c.__name__[6:])
def test_race(check: Any) -> None:
    check(measuring)


MUTANTS = [
    (check_skips_are_counted, "scaler.get_scale() < before", "scaler.get_scale() > before"),
    (check_skips_are_counted, "skipped += ", "skipped = "),
    (check_eval_mode_is_left, "self.model.eval()", "pass"),
    (check_eval_mode_is_left, "self.model.train()", "pass"),
    (check_autocast_is_on, "enabled=dtype is not None", "enabled=False"),
    (check_checkpoints, "if precision.checkpoints:", "if not precision.checkpoints:"),
    (check_checkpoints, "isinstance(part, task.parts)", "isinstance(part, str)"),
]


test_mistakes_in_the_race_are_caught = mistakes("course_utils.gpu_benchmark.measure", MUTANTS)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="need a size among tiny, small, standard, got size='huge'"):
        measure("huge", device="cpu")
    with pytest.raises(ValueError, match="seeds >= 1, got steps=0"):
        measure("tiny", steps=0, device="cpu")


def test_events_time_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The branch for a GPU, with events that read a clock of our own: one wait, after the last step."""
    clock, waits = [0.0], []

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            self.at = clock[0]

        def elapsed_time(self, other: Event) -> float:
            return 1000 * (other.at - self.at)

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: waits.append(clock[0]))

    def step() -> None:
        clock[0] += len(waits) + 1 + clock[0]

    assert timing.step_seconds(step, 3, torch.device("cuda")) == [1, 2, 4]
    assert waits == [7]


def test_float32_products_are_put_back() -> None:
    def now() -> list[str]:
        backends: Any = torch.backends
        return [backends.cuda.matmul.fp32_precision, backends.cudnn.conv.fp32_precision]

    before = now()
    for tf32, word in ((True, "tf32"), (False, "ieee")):
        with contextlib.suppress(KeyError), timing.float32_products(tf32=tf32):
            assert now() == [word, word]
            raise KeyError
        assert now() == before


# The tasks


def test_echoes_repeat_three_places_back() -> None:
    x, y = echoes(200, 20, generator())
    y = y.view(200, 20)
    assert (y[:, :LAG] == -100).all()
    same = (y[:, LAG:] == x[:, :-LAG]).double().mean().item()
    assert same == pytest.approx(0.9 + 0.1 / WORDS, abs=0.02)
    assert x.min() == 0
    assert x.max() == WORDS - 1


def test_gratings_turn_with_their_class() -> None:
    x, y = gratings(400, 16, generator(), noise=0.0)
    assert x.shape == (400, 3, 16, 16)
    assert set(y.tolist()) == set(range(CLASSES))
    upright, flat = x[y == 0], x[y == CLASSES // 2]  # waves along the columns, along the rows
    assert (upright[:, :, 0] - upright[:, :, 1]).abs().max() < 1e-5
    assert (flat[..., 0] - flat[..., 1]).abs().max() < 1e-5
    assert (upright[..., 0] - upright[..., 1]).abs().max() > 0.1


def test_tasks_are_drawn_from_the_generator() -> None:
    for task in tasks("tiny"):
        (x, y), (again, _), (other, _) = (task.batch(generator(seed)) for seed in (1, 1, 2))
        assert torch.equal(x, again)
        assert not torch.equal(x, other)
        assert len(task.make()(x)) == len(y)


def test_checkpoints_keep_less_and_change_no_gradient() -> None:
    check_checkpoints(measuring)
    how = {"steps": 1, "timed": 1, "warm_up": 1, "seeds": [0], "nets": ["transformer"]}
    row = {r["precision"]: r["kept_mib"] for r in measure("tiny", device="cpu", **how)}
    assert row["bf16 checkpoints"] < row["bf16"] < row["fp32"]


@pytest.mark.parametrize(
    ("task", "steps", "most"),
    [
        (Task("convnet", lambda: convnet(8), lambda g: gratings(32, 12, g)), 100, 1.9),
        (Task("transformer", lambda: transformer(32, 1, 16), lambda g: echoes(32, 16, g), lr=1e-2), 120, 1.2),
    ],
    ids=["convnet", "transformer"],
)
def test_both_nets_learn_their_task(task: Task, steps: int, most: float) -> None:
    loss, _ = measuring._train(task, PRECISIONS["fp32"], 0, steps, CPU)
    assert loss < most  # guessing costs 2.3 and 3.5


# The record


def made_up(**changes: Any) -> recorded.Record:
    """A GPU's record as we might get it, for the claims alone."""
    rows = []
    for net in benchmark.NETS:
        for name, ms, mib in (
            ("fp32", 10.0, 1000.0),
            ("tf32", 5.0, 1000.0),
            ("fp16", 4.0, 600.0),
            ("fp16 torch", 3.5, 600.0),
            ("bf16", 3.0, 600.0),
        ):
            losses = [0.5 + 0.01 * seed + 1e-3 * ms * (-1) ** seed for seed in range(8)]
            row = {"net": net, "precision": name, "step_ms": ms, "peak_mib": mib, "skipped_share": 0.02}
            rows.append(row | {"final_losses": losses} | changes.get(name.replace(" ", "_"), {}))
    machine = {"gpu": "a GPU", "driver": "1.0", "torch": "2.13.0"}
    return recorded.Record("mixed_precision", rows, machine, "2026-01-01T00:00:00+00:00", {})


def test_without_a_record_the_lesson_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    record.say(None)
    assert capsys.readouterr().out.startswith("GPU: not yet recorded.")
    assert record.live("cpu") is None


def test_where_there_is_a_gpu_the_lesson_measures_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def measured(size: str, **how: Any) -> list[dict[str, Any]]:
        asked.append((size, how))
        return made_up().rows

    monkeypatch.setattr(measuring, "measure", measured)
    monkeypatch.setattr(recorded, "machine", lambda device: {"gpu": f"the one at {device}"})
    found = record.live("cuda:1")
    assert found is not None
    assert asked == [("small", {"steps": 60, "seeds": range(2), "device": "cuda:1"})]
    assert (found.kind, found.rows, found.machine) == (
        "mixed_precision",
        made_up().rows,
        {"gpu": "the one at cuda:1"},
    )


def test_a_record_is_claimed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_RECORD_DIR", str(tmp_path))
    profiles.start("standard", 0, "cpu")
    record.say(made_up())
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "GPU: recorded on a GPU, 2026-01-01, torch 2.13.0, driver 1.0"
    assert len(said) == 1 + 2 * 5
    assert all(re.fullmatch(r"✓ .+ \(asked .+\)  17\.gpu-[a-z0-9-]+", line) for line in said[1:])
    assert record.ratios(made_up(), "convnet", "bf16") == {"step_ms": 0.3, "peak_mib": 0.6}


@pytest.mark.parametrize(
    ("changes", "id"),
    [
        ({"bf16": {"step_ms": 9.5}}, "17.gpu-convnet-time"),
        ({"bf16": {"peak_mib": 990.0}}, "17.gpu-convnet-memory"),
        ({"bf16": {"final_losses": [0.9] * 8}}, "17.gpu-convnet-bf16-loss"),
        ({"fp16": {"final_losses": [0.9] * 8}}, "17.gpu-convnet-fp16-loss"),
        ({"fp16": {"skipped_share": 0.5}}, "17.gpu-convnet-scaler"),
    ],
)
def test_a_record_that_says_otherwise_fails(
    changes: dict[str, Any], id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_RECORD_DIR", str(tmp_path))
    profiles.start("standard", 0, "cpu")
    with pytest.raises(ClaimError, match=id):
        record.say(made_up(**changes))


def test_a_missing_row_is_named() -> None:
    with pytest.raises(
        ValueError, match="one row for the net and precision, got net='convnet', precision='fp8'"
    ):
        record.ratios(made_up(), "convnet", "fp8")


def test_scaling_is_the_same_for_both() -> None:
    for name in ("fp16", "fp16 torch"):
        scaler = Trainer(tasks("tiny")[0], PRECISIONS[name], 0, CPU).scaler
        assert (scaler.get_scale(), scaler.get_growth_interval()) == (SCALING["init_scale"], 50)
