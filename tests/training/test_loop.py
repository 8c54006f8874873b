"""The training loop: against a loop written out, resumed bit for bit, and with one mistake at a time."""

from __future__ import annotations

import functools
import io
import math
import os
import random
import re
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils import losses, schedules, training
from course_utils.augmentation import Compose, Mixup, RandomHorizontalFlip, RandomShift
from course_utils.averaging import ExponentialMovingAverage
from course_utils.early_stopping import EarlyStopping
from course_utils.optimizers import SAM, SGD, Adam, AdamW, FlatParameters, ScheduleFreeAdamW, ScheduleFreeSGD
from course_utils.regularizers import l2_penalty
from course_utils.training import TrainingDiverged, accuracy, evaluate, fit, progress_bar
from course_utils.training.batches import on_pairs
from course_utils.training.history import History
from course_utils.training.randomness import Randomness
from tests.mutants import mutant

N = 50  # with batches of 16: three whole ones and one of two


def examples(n: int = N, *, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 6, generator=draw, dtype=dtype)
    return x, (x[:, 0] + 0.3 * torch.randn(n, generator=draw, dtype=dtype) > 0).long()


def net(seed: int = 0, *, dropout: float = 0.0, norm: bool = False) -> nn.Module:
    torch.manual_seed(seed)
    layers = [nn.Linear(6, 8), nn.BatchNorm1d(8) if norm else nn.Identity(), nn.Tanh(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(8, 2)).double()


def same(one: Any, other: Any) -> bool:
    """Bit equality, through containers; NaN equals NaN."""
    if isinstance(one, Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and bool(
            ((one == other) | (one != one) & (other != other)).all()
        )  # fmt: skip
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other or (one != one and other != other))


def close(model: nn.Module, other: nn.Module) -> None:
    for (name, p), q in zip(model.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(
            p, q, rtol=1e-12, atol=1e-13, msg=lambda text, name=name: f"{name}: {text}"
        )


def written_out(
    model: nn.Module,
    *,
    epochs: int,
    lr: float = 0.1,
    schedule: Callable[[int], float] = lambda step: 1.0,
    clip: float | None = None,
    accumulate: int = 1,
    strength: float = 0.0,
    augment: Callable[[Tensor], Tensor] = lambda x: x,
    decay: float | None = None,
) -> tuple[list[dict[str, float]], list[Tensor]]:
    """What fit() must do with momentum SGD, as plainly as it can be written; the rows and the EMA weights."""
    (x, y), (vx, vy) = examples(), examples(seed=1)
    draw, step, rows = torch.Generator().manual_seed(0), 0, []
    p = list(model.parameters())
    v = [torch.zeros_like(q) for q in p]
    average: list[Tensor] = []
    for epoch in range(epochs):
        model.train()
        order = torch.randperm(N, generator=draw)
        seen = []
        for start in range(0, N, 16 * accumulate):
            index = order[start : start + 16 * accumulate]
            bx = torch.cat([augment(x[index[i : i + 16]]) for i in range(0, len(index), 16)])
            data_loss = F.cross_entropy(model(bx), y[index])
            objective = data_loss + strength * sum(q.square().sum() for q in p)
            g = torch.autograd.grad(objective, p)
            norm = float(torch.sqrt(sum(h.square().sum() for h in g)))
            factor = 1.0 if clip is None else min(1.0, clip / (norm + 1e-6))
            rate = lr * schedule(step)
            with torch.no_grad():
                for k, h in enumerate(g):
                    v[k] = 0.9 * v[k] + factor * h
                    p[k] -= rate * v[k]
                average = [
                    q.clone() if not average else decay * average[k] + (1 - decay) * q
                    for k, q in enumerate(p)
                ] if decay is not None else []  # fmt: skip
            seen += [float(data_loss.detach())] * len(index)
            step += 1
        model.eval()
        with torch.no_grad():
            prediction = model(vx)
        rows.append({
            "epoch": epoch + 1, "step": step, "lr": rate, "train_loss": sum(seen) / N,
            "validation_loss": float(F.cross_entropy(prediction, vy)),
            "validation_metric": float((prediction.argmax(1) == vy).double().mean()),
        })  # fmt: skip
    return rows, average


def compare(fit: Callable[..., History], *, epochs: int = 3, dropout: float = 0.0, **how: Any) -> None:
    """fit() with `how` and the loop written out: weights, rows and average equal to rounding error."""
    ours, theirs = net(dropout=dropout), net(dropout=dropout)
    average = ExponentialMovingAverage(ours, how["decay"]) if "decay" in how else None
    options: dict[str, Any] = {}
    if "schedule" in how:
        options["schedule"] = how["schedule"]
    if "clip" in how:
        options["clip_norm"] = how["clip"]
    if "strength" in how:
        options["penalty"] = lambda model: how["strength"] * l2_penalty(model)
    if "augment" in how:
        options["augment"] = how["augment"]
    options |= {"accumulate": how.get("accumulate", 1), "ema": average}
    ours.eval()  # whatever mode it comes in, it is trained in train mode
    optimizer = SGD(ours.parameters(), lr=0.1, momentum=0.9)
    torch.manual_seed(7)
    history = fit(ours, examples(), examples(seed=1), optimizer=optimizer, loss=losses.cross_entropy,
                  metric=accuracy, epochs=epochs, batch_size=16, **options)  # fmt: skip
    torch.manual_seed(7)
    rows, averaged = written_out(theirs, epochs=epochs, **how)
    close(ours, theirs)
    for got, expected in zip(history.rows, rows, strict=True):
        for name, value in expected.items():
            tolerance = 1e-7 if name == "validation_metric" else 1e-11  # accuracy is in float32
            assert math.isclose(got[name], value, rel_tol=tolerance), (name, got[name], value)
    if average is not None:
        for p, q in zip(average.module.parameters(), averaged, strict=True):
            torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-13)


def scaled(x: Tensor) -> Tensor:
    return x * 1.5 + 0.1


PARITY: dict[str, dict[str, Any]] = {
    "plain": {},
    "schedule": {"schedule": schedules.cosine_decay(12)},
    "clip": {"clip": 0.3},
    "penalty": {"strength": 0.05},
    "accumulate": {"accumulate": 2},
    "augment": {"augment": scaled},
    "ema": {"decay": 0.8},
    "dropout": {"dropout": 0.4},
    "everything": {
        "schedule": schedules.linear_warmup(3, schedules.cosine_decay(9)), "clip": 0.4, "strength": 0.02,
        "accumulate": 3, "augment": scaled, "decay": 0.9,
    },
}  # fmt: skip


@pytest.mark.parametrize("how", PARITY.values(), ids=PARITY)
def test_equals_the_loop_written_out(how: dict[str, Any]) -> None:
    compare(fit, **how)


def check_evaluate(evaluate: Callable[..., tuple[float, float]]) -> None:
    """Every example counts the same, the mode is eval, and each module's own mode is put back."""
    x, y = examples()
    model = net(dropout=0.5)
    model[3].eval()
    with torch.no_grad():
        expected = float(F.cross_entropy(net()(x), y)), float((net()(x).argmax(1) == y).double().mean())
    for given in ((x, y), DataLoader(TensorDataset(x, y), batch_size=16)):
        got = evaluate(model, given, loss=losses.cross_entropy, metric=accuracy, batch_size=16)
        assert math.isclose(got[0], expected[0], rel_tol=1e-12)
        assert math.isclose(got[1], expected[1], rel_tol=1e-7)
    assert [module.training for module in model] == [True, True, True, False, True]
    model[3].train()
    assert evaluate(model, (x, y), loss=losses.cross_entropy)[0] == pytest.approx(expected[0], rel=1e-12)
    assert model[3].training
    assert math.isnan(evaluate(model, (x, y), loss=losses.cross_entropy)[1])


def test_evaluate() -> None:
    check_evaluate(evaluate)


def check_validation_is_not_augmented(fit: Callable[..., History]) -> None:
    seen: list[int] = []

    def look(x: Tensor) -> Tensor:
        seen.append(len(x))
        return x + 3

    ours = net()
    history = fit(ours, examples(), examples(20, seed=1), optimizer=SGD(ours.parameters(), lr=0.0),
                  loss=losses.cross_entropy, epochs=1, batch_size=16, augment=look)  # fmt: skip
    assert seen == [16, 16, 16, 2]
    x, y = examples(20, seed=1)
    assert math.isclose(
        history.rows[0]["validation_loss"], F.cross_entropy(net()(x), y).item(), rel_tol=1e-12
    )


def check_best_weights_come_back(fit: Callable[..., History]) -> None:
    """Also when the epochs run out before the patience does."""
    for patience in (2, 50):
        model, stopper = net(), EarlyStopping(patience)
        kept: dict[int, dict[str, Tensor]] = {}

        def spy(prediction: Tensor, target: Tensor, model: nn.Module = model, kept: dict = kept) -> Tensor:
            kept[len(kept)] = {name: p.detach().clone() for name, p in model.named_parameters()}
            return accuracy(prediction, target)

        history = fit(model, examples(), examples(seed=1), optimizer=SGD(model.parameters(), lr=3.0),
                      loss=losses.cross_entropy, epochs=8, metric=spy, early_stopping=stopper)  # fmt: skip
        values = [row["validation_loss"] for row in history.rows]
        best = values.index(min(values))
        assert 0 <= best < len(values) - 1, "this run must get worse at its end"
        assert stopper.stopped == (patience == 2)
        assert len(values) == (best + 3 if patience == 2 else 8)
        assert same(dict(model.named_parameters()), kept[best])


def check_half_precision_clips_true_gradients(fit: Callable[..., History]) -> None:
    """With scaled losses the clipped gradient is still the true one cut to the norm asked for."""
    torch.manual_seed(0)
    model = nn.Linear(6, 2)
    before = [p.detach().clone() for p in model.parameters()]
    x, y = examples(16, dtype=torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    fit(model, (x, y), optimizer=optimizer, loss=losses.cross_entropy, epochs=1, batch_size=16,
        clip_norm=0.01, precision="fp16")  # fmt: skip
    moved = torch.sqrt(sum((p - q).square().sum() for p, q in zip(model.parameters(), before, strict=True)))
    assert moved.item() == pytest.approx(0.01, abs=1e-4)


def check_sam(fit: Callable[..., History]) -> None:
    """Two gradients on the same batch, the loss of the first in the history."""
    x, y = examples(16)
    ours, theirs = net(), net()
    optimizer = SAM(ours.parameters(), SGD, rho=0.1, lr=0.2)
    history = fit(ours, (x, y), optimizer=optimizer, loss=losses.cross_entropy, epochs=2, batch_size=16)
    p, values = list(theirs.parameters()), []
    for _ in range(2):
        value = F.cross_entropy(theirs(x), y)
        values.append(value.item())
        g = torch.autograd.grad(value, p)
        norm = torch.sqrt(sum(h.square().sum() for h in g))
        with torch.no_grad():
            before = [q.clone() for q in p]
            for q, h in zip(p, g, strict=True):
                q += 0.1 * h / norm
        g = torch.autograd.grad(F.cross_entropy(theirs(x), y), p)
        with torch.no_grad():
            for q, b, h in zip(p, before, g, strict=True):
                q.copy_(b - 0.2 * h)
    close(ours, theirs)
    assert [row["train_loss"] for row in history.rows] == pytest.approx(values, rel=1e-12)


def check_schedule_free(fit: Callable[..., History]) -> None:
    """Gradients at y, validation and the final weights at x, the average."""
    x, y = examples(16)
    vx, vy = examples(seed=1)
    ours, theirs = net(), net()
    optimizer = ScheduleFreeSGD(ours.parameters(), lr=0.5)
    history = fit(ours, (x, y), (vx, vy), optimizer=optimizer, loss=losses.cross_entropy, epochs=4)
    p = list(theirs.parameters())
    z, average, values = [q.detach().clone() for q in p], [q.detach().clone() for q in p], []
    for t in range(1, 5):
        with torch.no_grad():
            for q, a, b in zip(p, z, average, strict=True):
                q.copy_(0.1 * a + 0.9 * b)
        g = torch.autograd.grad(F.cross_entropy(theirs(x), y), p)
        with torch.no_grad():
            for q, a, b, h in zip(p, z, average, g, strict=True):
                a -= 0.5 * h
                b += (a - b) / t
                q.copy_(b)
            values.append(float(F.cross_entropy(theirs(vx), vy)))
    close(ours, theirs)
    assert [row["validation_loss"] for row in history.rows] == pytest.approx(values, rel=1e-11)


def check_the_weights_before_the_bad_step_stay(fit: Callable[..., History]) -> None:
    model, calls = net(), []

    def breaks(prediction: Tensor, target: Tensor) -> Tensor:
        calls.append([p.detach().clone() for p in model.parameters()])
        value = F.cross_entropy(prediction, target)
        return value * math.nan if len(calls) == 6 else value

    optimizer = Adam(model.parameters(), lr=0.1)
    with pytest.raises(TrainingDiverged, match=r"the loss is nan at step 5, with lr=0\.1; lower the rate"):
        fit(model, examples(), optimizer=optimizer, loss=breaks, epochs=3, batch_size=16)
    assert same(calls[-1], list(model.parameters()))
    assert len(calls) == 6


CHECKS = [
    check_validation_is_not_augmented,
    check_best_weights_come_back,
    check_half_precision_clips_true_gradients,
    check_sam,
    check_schedule_free,
    check_the_weights_before_the_bad_step_stay,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_fit(check: Callable[..., None]) -> None:
    check(fit)


# Resuming: everything that has a state, all at once


class Interrupted(Exception):
    pass


def images(n: int = 40, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 1, 4, 4, generator=draw)
    return x, (x.mean((1, 2, 3)) + 0.1 * torch.randn(n, generator=draw) > 0).long()


def whole_run(
    fit: Callable[..., History],
    *,
    epochs: int,
    checkpoint: Path | None = None,
    resume: bool = False,
    stop_at: int | None = None,
    how: Callable[[], None] | None = None,
    loader: bool = True,
    optimizer: str = "adamw",
    precision: str = "fp32",
    patience: int = 50,
) -> dict[str, Any]:
    """A run with dropout, batch norm, random augmentation, schedule, EMA, early stopping, a shuffling loader.

    `how()` is called at the `stop_at`-th loss (in training or validation). Everything is made anew, as in a
    new process; the result is all that must be equal.
    """
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    flips, noise = torch.Generator().manual_seed(11), torch.Generator().manual_seed(12)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3),
                          nn.Linear(12, 2))  # fmt: skip
    rule: Any = {
        "adamw": lambda: AdamW(model.parameters(), lr=0.05),
        "torch": lambda: torch.optim.AdamW(model.parameters(), lr=0.05),
        "sam": lambda: SAM(model.parameters(), SGD, rho=0.05, lr=0.05, momentum=0.9),
        "schedule-free": lambda: ScheduleFreeAdamW(model.parameters(), lr=0.05),
        "flat": lambda: Adam(FlatParameters(model).parameters(), lr=0.05),
    }[optimizer]()
    average = ExponentialMovingAverage(model, 0.7)
    stopper = EarlyStopping(patience)
    mixed = Compose([RandomHorizontalFlip(generator=flips), RandomShift(1), Mixup(0.3, 2, generator=flips)])

    def augment(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        x = x + 0.1 * torch.randn(x.shape, generator=noise) + random.random() + np.random.rand()  # noqa: NPY002
        return mixed(x, y)

    calls = 0

    def loss(prediction: Tensor, target: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == stop_at and how is not None:
            how()
        return losses.cross_entropy(prediction, target)

    train: Any = images()
    if loader:
        order = (
            torch.Generator().manual_seed(5) if optimizer == "torch" else None
        )  # its own, or the global one
        train = DataLoader(TensorDataset(*train), batch_size=12, shuffle=True, generator=order)
    history = fit(model, train, images(20, seed=1), optimizer=rule, loss=loss, epochs=epochs, batch_size=12,
                  schedule=schedules.cosine_decay(40), penalty=lambda net: 1e-3 * l2_penalty(net),
                  augment=augment, clip_norm=1.0, accumulate=2, ema=average, early_stopping=stopper,
                  metric=accuracy, precision=precision, checkpoint=checkpoint, resume=resume)  # fmt: skip
    rates = [{k: v for k, v in g.items() if k != "params"} for g in rule.param_groups]
    return {
        "model": model.state_dict(), "optimizer": rule.state_dict()["state"], "rates": rates,
        "ema": average.state_dict(), "rows": history.rows, "stopper": stopper.state_dict(),
        "torch": torch.get_rng_state(), "random": random.random(), "numpy": np.random.rand(),  # noqa: NPY002
        "flips": flips.get_state(), "noise": noise.get_state(),
    }  # fmt: skip


def interrupt() -> None:
    raise Interrupted


# Losses in an epoch: 4 in training, twice as many with SAM, and 1 + 1 in validation (model and EMA).
WAYS = {
    "tensors": {"loader": False},
    "loader": {},
    "torch": {"optimizer": "torch"},
    "sam": {"optimizer": "sam"},
    "schedule-free": {"optimizer": "schedule-free"},
    "flat": {"optimizer": "flat"},
    "fp16": {"precision": "fp16"},
    "bf16": {"precision": "bf16"},
}


def check_resume(fit: Callable[..., History], folder: Path, **way: Any) -> None:
    """Epochs run out and are raised, or an exception in the first, the middle, the last part of an epoch."""
    expected = whole_run(fit, epochs=5, **way)
    path = folder / "run.pt"
    for stop_at in (None, 2, 15, 18):
        path.unlink(missing_ok=True)
        if stop_at is None:
            whole_run(fit, epochs=2, checkpoint=path, **way)
        else:
            with pytest.raises(Interrupted):
                whole_run(fit, epochs=5, checkpoint=path, stop_at=stop_at, how=interrupt, **way)
        got = whole_run(fit, epochs=5, checkpoint=path, resume=True, **way)
        for name, value in expected.items():
            assert same(value, got[name]), f"{name} differs after an interruption at {stop_at}"
        again = whole_run(fit, epochs=5, checkpoint=path, resume=True, **way)  # nothing left to do
        assert same(again["model"], expected["model"])
        assert same(again["rows"], expected["rows"])


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(way: dict[str, Any], tmp_path: Path) -> None:
    check_resume(fit, tmp_path, **way)


def test_resume_after_early_stopping_and_before_it(tmp_path: Path) -> None:
    expected = whole_run(fit, epochs=30, patience=3)
    assert 4 < len(expected["rows"]) < 30, "this run must stop early"
    path = tmp_path / "run.pt"
    for stop_at in (20, 6 * len(expected["rows"]) - 1):
        path.unlink(missing_ok=True)
        with pytest.raises(Interrupted):
            whole_run(fit, epochs=30, patience=3, checkpoint=path, stop_at=stop_at, how=interrupt)
        got = whole_run(fit, epochs=30, patience=3, checkpoint=path, resume=True)
        assert all(same(value, got[name]) for name, value in expected.items())
    finished = whole_run(fit, epochs=30, patience=3, checkpoint=path, resume=True)
    assert same(finished["model"], expected["model"])
    assert len(finished["rows"]) == len(expected["rows"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("stop_at", [6, 9, 16])
def test_a_killed_process_is_resumed_bit_for_bit(stop_at: int, tmp_path: Path) -> None:
    expected, path = whole_run(fit, epochs=4), tmp_path / "run.pt"
    child = os.fork()
    if child == 0:
        try:
            whole_run(fit, epochs=4, checkpoint=path, stop_at=stop_at,
                      how=lambda: os.kill(os.getpid(), signal.SIGKILL))  # fmt: skip
        finally:  # not killed: never go on with the tests in here
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    got = whole_run(fit, epochs=4, checkpoint=path, resume=True)
    assert all(same(value, got[name]) for name, value in expected.items())


def test_resuming_where_there_is_no_file_starts(tmp_path: Path) -> None:
    got = whole_run(fit, epochs=2, checkpoint=tmp_path / "new" / "run.pt", resume=True)
    assert same(got["model"], whole_run(fit, epochs=2)["model"])
    assert (tmp_path / "new" / "run.pt").exists()


def test_a_checkpoint_can_be_read_without_running_code_and_holds_the_history(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    expected = whole_run(fit, epochs=2, checkpoint=path)
    state = torch.load(path, weights_only=True)
    assert same(state["history"]["rows"], expected["rows"])
    assert sorted(path.parent.iterdir()) == [path], "no temporary file is left"


def test_a_checkpoint_of_another_kind_of_run_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    path, model = tmp_path / "run.pt", net()
    small = {"loss": losses.cross_entropy, "epochs": 1, "checkpoint": path}
    fit(model, examples(), optimizer=SGD(model.parameters(), lr=0.1), **small)
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(
        ValueError, match=r"need to resume without ema, as the run that wrote .*run\.pt; give the"
    ):
        fit(model, examples(), optimizer=SGD(model.parameters(), lr=0.1), resume=True,
            ema=ExponentialMovingAverage(model, 0.9), **small)  # fmt: skip
    assert same(before, list(model.parameters()))
    torch.save({"weights": 1}, path)
    with pytest.raises(ValueError, match=r"need a checkpoint that fit\(\) wrote"):
        fit(model, examples(), optimizer=SGD(model.parameters(), lr=0.1), resume=True, **small)


def test_generators_are_found_wherever_a_run_may_hold_them() -> None:
    g = [torch.Generator().manual_seed(k) for k in range(8)]
    closed_over = g[1]
    partial = functools.partial(torch.rand, 3, generator=g[3])
    module = nn.Sequential(RandomHorizontalFlip(generator=g[4]))

    def default(x: Tensor, generator: torch.Generator = g[5]) -> Tensor:
        return x + torch.rand(x.shape, generator=generator)

    class Holder(nn.Module):
        def __init__(self, generator: torch.Generator) -> None:
            super().__init__()
            self.draws = [generator]

        def call(self, x: Tensor) -> Tensor:
            return x

    loader = DataLoader(TensorDataset(torch.zeros(3)), shuffle=True, generator=g[7])
    found = Randomness(
        g[0], lambda: closed_over, {"a": (g[2],)}, partial, module, default, Holder(g[6]).call, loader, made
    )
    assert set(map(id, found.generators)) == {*map(id, g), id(GLOBAL)}
    assert len(found.generators) == 9


GLOBAL = torch.Generator().manual_seed(1)


def made(x: Tensor) -> Tensor:
    return x + torch.rand(x.shape, generator=GLOBAL)


def test_another_number_of_generators_is_refused() -> None:
    state = Randomness(torch.Generator()).state_dict()
    with pytest.raises(
        ValueError, match="need the 1 generators of the run that is resumed, got generators=0"
    ):
        Randomness().load_state_dict(state)


# One mistake at a time


def in_training(old: str, new: str) -> Callable[..., History]:
    changed = mutant("course_utils.training.loop", old, new)
    changed.TrainingDiverged = TrainingDiverged  # type: ignore[attr-defined]
    return changed.fit  # type: ignore[no-any-return]


def resumes(fit: Callable[..., History]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check_resume(fit, Path(folder))


def parity(name: str) -> Callable[[Callable[..., History]], None]:
    return lambda fit: compare(fit, **PARITY[name])


MUTANTS = [
    pytest.param("            optimizer.zero_grad()\n", "", parity("plain"), id="no-zero-grad"),
    pytest.param("share = len(x) / count", "share = 1.0", parity("accumulate"), id="gradients-not-divided"),
    pytest.param("share = len(x) / count", "share = 1 / len(batches)", parity("accumulate"),
                 id="short-batch-weighted-as-full"),
    pytest.param("share = len(x) / count", "share = 1 / accumulate", parity("accumulate"),
                 id="short-group-divided-as-full"),
    pytest.param("set_rate(optimizer, schedule, step)", "set_rate(optimizer, schedule, step + 1)",
                 parity("schedule"), id="schedule-off-by-one"),
    pytest.param("set_rate(optimizer, schedule, step)", "set_rate(optimizer, schedule, epoch)",
                 parity("schedule"), id="schedule-by-epoch"),
    pytest.param("value + penalty(model)) * share", "value + penalty(model) / share) * share",
                 parity("everything"), id="penalty-once-per-batch"),
    pytest.param("value if penalty is None else value + penalty(model)", "value", parity("penalty"),
                 id="no-penalty"),
    pytest.param("data_loss += float(value.detach()) * share", "data_loss += float(term.detach())",
                 parity("penalty"), id="penalty-in-the-history"),
    pytest.param("total += update(batches, count) * count", "total += update(batches, count) * batch_size",
                 parity("plain"), id="last-batch-weighted-as-full"),
    pytest.param("clip_grad_norm_(params, clip_norm)", "clip_grad_norm_(params[:1], clip_norm)",
                 parity("clip"), id="clips-one-parameter"),
    pytest.param("                scaler.unscale_(optimizer)\n", "                pass\n",
                 check_half_precision_clips_true_gradients, id="clip-before-unscale"),
    pytest.param("        model.train()\n", "", parity("dropout"), id="train-mode-forgotten"),
    pytest.param("ema.update(model)", "pass", parity("ema"), id="no-ema"),
    pytest.param("validation, loss, metric)\n", "None if validation is None else (augment(validation[0]), "
                 "validation[1]), loss, metric)\n", check_validation_is_not_augmented,
                 id="validation-augmented"),
    pytest.param("early_stopping.restore(model)", "pass", check_best_weights_come_back,
                 id="best-weights-only-on-stopping"),
    pytest.param('show_weights(optimizer, "eval")', "pass", check_schedule_free,
                 id="schedule-free-not-averaged"),
    pytest.param("return seen[0]", "return seen[-1]", check_sam, id="sam-reports-the-climbed-loss"),
    pytest.param('            require_finite("the loss", objective, optimizer, step)\n', "",
                 check_the_weights_before_the_bad_step_stay, id="steps-on-nan"),
    pytest.param('parts |= {"early_stopping": early_stopping, "randomness": drawn}',
                 'parts |= {"early_stopping": early_stopping, "randomness": None}', resumes,
                 id="randomness-not-kept"),
    pytest.param("Randomness(generator, train, validation, model, augment, loss, penalty)",
                 "Randomness(generator)", resumes, id="generators-of-augmentation-not-kept"),
    pytest.param('step = int(history.rows[-1]["step"]) if history.rows else 0', "step = 0", resumes,
                 id="schedule-starts-anew"),
    pytest.param('"ema": ema, "history"', '"ema": None, "history"', resumes, id="ema-not-kept"),
    pytest.param('"optimizer": optimizer, "scaler"', '"optimizer": None, "scaler"', resumes,
                 id="optimizer-not-kept"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "check"), MUTANTS)
def test_mistakes_are_caught(old: str, new: str, check: Callable[..., None]) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):  # the second: a check's own raises() failed
        check(in_training(old, new))


EVALUATION_MUTANTS = [
    pytest.param("total += float(loss(prediction, y)) * len(x)", "total += float(loss(prediction, y)) * 16",
                 id="short-batch-weighted-as-full"),
    pytest.param("    model.eval()\n", "", id="eval-mode-forgotten"),
    pytest.param("module.training = mode", "module.train()", id="all-put-in-train-mode"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), EVALUATION_MUTANTS)
def test_mistakes_in_evaluation_are_caught(old: str, new: str) -> None:
    with pytest.raises(AssertionError):
        check_evaluate(mutant("course_utils.training.evaluation", old, new).evaluate)


# What it works with


@pytest.mark.parametrize("make", [torch.optim.SGD, SGD], ids=["torch", "ours"])
@pytest.mark.parametrize("cleared", ["none", "zero"])
def test_flat_parameters_train_as_the_plain_ones(make: Any, cleared: str) -> None:
    plain, flat = net(), net()
    if cleared == "zero":
        for p in flat.parameters():
            p.grad = torch.full_like(p, 9.0)  # left by somebody: it must not count
    common = {"loss": losses.cross_entropy, "epochs": 3, "batch_size": 16, "clip_norm": 0.3, "accumulate": 2}
    fit(plain, examples(), optimizer=make(plain.parameters(), lr=0.1, momentum=0.9), **common)
    fit(flat, examples(), optimizer=make(FlatParameters(flat).parameters(), lr=0.1, momentum=0.9), **common)
    close(flat, plain)


def test_gradients_outside_the_optimizer_do_not_count_in_the_norm() -> None:
    """Half the model is not trained, but has gradients; they are neither cleared nor part of the clipping."""
    trained, x = net(), examples()[0]
    head = list(trained[4].parameters())
    fit(trained, examples(), optimizer=SGD(head, lr=0.1), loss=losses.cross_entropy, epochs=2, batch_size=N,
        clip_norm=0.05)  # fmt: skip
    by_hand = net()
    for _ in range(2):
        g = torch.autograd.grad(F.cross_entropy(by_hand(x), examples()[1]), list(by_hand[4].parameters()))
        norm = torch.sqrt(sum(h.square().sum() for h in g))
        with torch.no_grad():
            for p, h in zip(by_hand[4].parameters(), g, strict=True):
                p -= 0.1 * h * (0.05 / (norm + 1e-6)).clamp(max=1)
    close(trained, by_hand)


def test_an_optimizer_that_calls_the_closure_often_works_with_a_penalty() -> None:
    model, calls = net(), []

    def penalty(model: nn.Module) -> Tensor:
        calls.append(1)
        return 1e-2 * l2_penalty(model)

    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=20, line_search_fn="strong_wolfe")
    history = fit(model, examples(), optimizer=optimizer, loss=losses.cross_entropy, epochs=3, batch_size=N,
                  penalty=penalty)  # fmt: skip
    assert len(calls) > 10
    assert history.rows[-1]["train_loss"] < 0.8 * history.rows[0]["train_loss"]


@pytest.mark.parametrize(("precision", "inside"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_losses_get_float32_where_the_model_computes_in_sixteen_bits(
    precision: str, inside: torch.dtype
) -> None:
    seen: dict[str, set[torch.dtype]] = {"train": set(), "validation": set(), "loss": set()}

    class Spy(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            y = super().forward(x)
            seen["train" if self.training else "validation"].add(y.dtype)
            return y

    def loss(prediction: Tensor, target: Tensor) -> Tensor:
        assert not torch.is_autocast_enabled("cpu")
        seen["loss"].add(prediction.dtype)
        return losses.cross_entropy(prediction, target)

    torch.manual_seed(0)
    model, data = Spy(6, 2), examples(dtype=torch.float32)
    history = fit(model, data, data, optimizer=SGD(model.parameters(), lr=0.5), loss=loss, epochs=5,
                  precision=precision)  # fmt: skip
    assert seen == {"train": {inside}, "validation": {torch.float32}, "loss": {torch.float32}}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert history.rows[-1]["validation_loss"] < 0.8 * history.rows[0]["train_loss"]


@pytest.mark.filterwarnings("ignore:validation value is NaN")
def test_a_gradient_that_is_nan_is_reported_before_the_checkpoint_is_written(tmp_path: Path) -> None:
    """sqrt at 0 has a finite value and an infinite gradient, times 0 it is NaN."""

    def loss(prediction: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(prediction, target) + (prediction * 0).abs().sqrt().sum()

    model, path = net(), tmp_path / "run.pt"
    common: dict[str, Any] = {"loss": loss, "epochs": 1, "batch_size": N, "checkpoint": path}
    with pytest.raises(TrainingDiverged, match="a sum of weights is nan at step 1"):
        fit(model, examples(), optimizer=SGD(model.parameters(), lr=0.1), **common)
    kept = torch.load(path, weights_only=True)["model"]
    assert all(bool(p.isfinite().all()) for p in kept.values())

    model = net()
    with pytest.raises(TrainingDiverged, match="the norm of the gradient is nan at step 0"):
        fit(model, examples(), optimizer=SGD(model.parameters(), lr=0.1), clip_norm=1.0, **common)

    torch.manual_seed(0)
    single = nn.Linear(6, 2)
    before = [p.detach().clone() for p in single.parameters()]
    common |= {"epochs": 100, "checkpoint": None}
    with pytest.raises(TrainingDiverged, match="a gradient, whatever its scale, is nan at step 40"):
        fit(single, examples(dtype=torch.float32), optimizer=SGD(single.parameters(), lr=0.1),
            precision="fp16", **common)  # fmt: skip
    assert same(before, list(single.parameters()))


def test_sam_goes_back_when_the_second_gradient_cannot_be_had() -> None:
    model, calls = net(), []

    def breaks(prediction: Tensor, target: Tensor) -> Tensor:
        calls.append(1)
        return F.cross_entropy(prediction, target) * (math.inf if len(calls) == 2 else 1)

    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(TrainingDiverged, match="the loss is inf at step 0"):
        fit(model, examples(), optimizer=SAM(model.parameters(), SGD, lr=0.1), loss=breaks, epochs=1)
    assert same(before, list(model.parameters()))


def test_mode_max_stops_on_the_metric() -> None:
    values = iter([0.1, 0.5, 0.4, 0.3, 0.2, 0.9])
    model, stopper = net(), EarlyStopping(2, mode="max")
    history = fit(model, examples(), examples(seed=1), optimizer=SGD(model.parameters(), lr=0.1),
                  loss=losses.cross_entropy, epochs=9, early_stopping=stopper,
                  metric=lambda prediction, target: torch.tensor(next(values)))  # fmt: skip
    assert len(history.rows) == 4
    assert stopper.best_value == pytest.approx(0.5)


def test_the_average_is_validated_beside_the_model_and_all_end_in_eval_mode() -> None:
    model = net(dropout=0.3)
    average = ExponentialMovingAverage(model, 0.9)
    history = fit(model, examples(), examples(seed=1), optimizer=SGD(model.parameters(), lr=1.0),
                  loss=losses.cross_entropy, metric=accuracy, epochs=2, ema=average)  # fmt: skip
    for name, one in (("", model), ("ema_", average.module)):
        assert not one.training
        expected = evaluate(one, examples(seed=1), loss=losses.cross_entropy, metric=accuracy)
        got = history.rows[-1][f"{name}validation_loss"], history.rows[-1][f"{name}validation_metric"]
        assert got == expected
    assert history.rows[-1]["ema_validation_loss"] != history.rows[-1]["validation_loss"]


def test_loaders_lists_and_tensors_give_the_same_run() -> None:
    x, y = examples()
    whole = DataLoader(TensorDataset(x, y), batch_size=16)
    runs = []
    for train in (whole, list(zip(x.split(16), y.split(16), strict=True)), [list(b) for b in whole]):
        model = net()
        fit(model, train, optimizer=SGD(model.parameters(), lr=0.1), loss=losses.cross_entropy, epochs=2)
        runs.append(list(model.parameters()))
    assert same(runs[0], runs[1])
    assert same(runs[0], runs[2])


def test_the_order_comes_from_the_generator_and_the_global_one_is_left_alone() -> None:
    def run(generator: torch.Generator | None) -> list[Tensor]:
        model = net()
        before = torch.get_rng_state()
        fit(model, examples(), optimizer=SGD(model.parameters(), lr=0.1), loss=losses.cross_entropy,
            epochs=1, generator=generator)  # fmt: skip
        assert torch.equal(before, torch.get_rng_state())
        return list(model.parameters())

    assert same(run(None), run(torch.Generator().manual_seed(0)))
    assert not same(run(None), run(torch.Generator().manual_seed(1)))


TAKES = [
    (lambda x: x + 1, False),
    (lambda x, y: (x, y), True),
    (lambda x, strength=2: x, False),
    (RandomHorizontalFlip(), False),
    (Mixup(1.0, 2), True),
    (Compose([RandomHorizontalFlip(), Mixup(1.0, 2)]), True),
    (Compose([RandomHorizontalFlip()]), False),
    (functools.partial(torch.mul, torch.tensor(2.0)), False),
    (torch.neg, False),
    (nn.Identity(), False),
]


@pytest.mark.parametrize(("augment", "labels"), TAKES, ids=range(len(TAKES)))
def test_augmentations_of_inputs_and_of_pairs_are_told_apart(augment: Any, labels: bool) -> None:
    x, y = images(6)
    new_x, new_y = on_pairs(augment)(x, y)
    assert new_x.shape == x.shape
    assert (on_pairs(augment) is augment) == labels
    assert labels or new_y is y


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_everything_moves_to_the_device(precision: str, tmp_path: Path) -> None:
    for resume in (False, True):
        model = net(dropout=0.2, norm=True).float()
        average, stopper = ExponentialMovingAverage(model, 0.9), EarlyStopping(5)
        train, validation = (examples(seed=seed, dtype=torch.float32) for seed in (0, 1))
        history = fit(model, train, validation, ema=average, loss=losses.cross_entropy, metric=accuracy,
                      optimizer=AdamW(model.parameters(), lr=0.01), epochs=4 if resume else 2, device="cuda",
                      precision=precision, early_stopping=stopper, checkpoint=tmp_path / "run.pt",
                      resume=resume)  # fmt: skip
        assert {p.device.type for p in [*model.parameters(), *average.parameters()]} == {"cuda"}
    assert len(history.rows) == 4


# What it refuses


def refused(**change: Any) -> Callable[[], object]:
    model = net()
    how = {"train": examples(), "optimizer": SGD(model.parameters(), lr=0.1), "loss": losses.cross_entropy,
           "epochs": 1} | change  # fmt: skip
    return lambda: fit(model, how.pop("train"), how.pop("validation", None), **how)


def stopped() -> EarlyStopping:
    stopper = EarlyStopping(1)
    stopper.stopped = True
    return stopper


BAD = [
    (refused(epochs=0), "need a whole number epochs >= 1, got epochs=0"),
    (refused(epochs=2.5), "need a whole number epochs >= 1"),
    (refused(accumulate=0), "need a whole number accumulate >= 1"),
    (refused(batch_size=0), "need a whole number batch_size >= 1"),
    (refused(clip_norm=0.0), "need clip_norm > 0, got clip_norm=0.0; leave clip_norm out"),
    (refused(clip_norm=math.nan), "need clip_norm > 0"),
    (refused(precision="fp8"), "need precision to be one of fp32, bf16, fp16, got precision='fp8'"),
    (refused(resume=True), "need a checkpoint to resume from, got checkpoint=None; pass checkpoint="),
    (refused(early_stopping=EarlyStopping()), "need validation for early stopping"),
    (refused(early_stopping=EarlyStopping(mode="max"), validation=examples()), "need a metric to stop on"),
    (refused(early_stopping=stopped(), validation=examples()), "need an EarlyStopping that has not stopped"),
    (refused(train=(examples()[0], examples()[1][:3])), "as many inputs as targets in train, got x=50, y=3"),
    (refused(validation=(torch.zeros(0, 6), torch.zeros(0))), "targets in validation, got x=0, y=0"),
    (refused(train=[]), "need a training batch; pass a list or loader, not a spent generator"),
    (refused(train=iter([examples()]), epochs=2), "need a training batch; pass a list or loader"),
    (refused(validation=[]), "need an example to evaluate on"),
    (refused(optimizer=SGD(net().parameters(), lr=0.1)), "need an optimizer over this model's parameters"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD, ids=range(len(BAD)))
def test_bad_input_says_what_is_needed(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_fp16_refuses_optimizers_that_need_a_closure() -> None:
    for make in (lambda p: SAM(p, SGD, lr=0.1), torch.optim.LBFGS):
        model = net()
        with pytest.raises(ValueError, match="need an optimizer that takes one gradient per step for fp16"):
            fit(model, examples(), optimizer=make(model.parameters()), loss=losses.cross_entropy, epochs=1,
                precision="fp16")  # fmt: skip


# The history and the bar


def test_history_to_frame_and_to_plot() -> None:
    model = net()
    history = fit(model, examples(), examples(seed=1), optimizer=SGD(model.parameters(), lr=0.1),
                  loss=losses.cross_entropy, metric=accuracy, epochs=3)  # fmt: skip
    frame = history.to_frame()
    assert frame.index.name == "epoch"
    assert frame.index.tolist() == [1, 2, 3]
    assert frame.columns.tolist() == ["step", "lr", "train_loss", "validation_loss", "validation_metric"]
    assert frame["step"].tolist() == [2, 4, 6]
    lines = {line.get_label(): line for line in history.plot().axes[0].get_lines()}
    assert set(lines) == {"train loss", "validation loss"}
    assert lines["train loss"].get_ydata().tolist() == frame["train_loss"].tolist()
    assert lines["validation loss"].get_xdata().tolist() == [1, 2, 3]
    assert History(history.rows[:1]).plot().axes[0].get_lines()[0].get_marker() == "o"
    assert History().to_frame().empty
    with pytest.raises(ValueError, match="need an epoch to plot"):
        History().plot()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("progress", "terminal", "headless", "shown"), [
    (True, True, False, True), (True, False, False, False), (True, True, True, False),
    (False, True, False, False),
])  # fmt: skip
def test_the_bar_is_off_when_nobody_looks_on(
    progress: bool, terminal: bool, headless: bool, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COURSE_HEADLESS", "1" if headless else "")
    model = net()
    fit(model, examples(), optimizer=SGD(model.parameters(), lr=0.1), loss=losses.cross_entropy, epochs=2,
        progress=progress)  # fmt: skip
    assert ("fit" in stream.getvalue()) == shown


def test_the_bar_is_on_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_HEADLESS", raising=False)
    kernel = type("Shell", (), {"kernel": object()})()
    monkeypatch.setitem(sys.modules, "IPython", type("IPython", (), {"get_ipython": lambda: kernel}))
    assert progress_bar._looked_at()
    monkeypatch.setitem(sys.modules, "IPython", type("IPython", (), {"get_ipython": lambda: None}))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not progress_bar._looked_at()


def test_set_rate_multiplies_the_rate_given_at_first() -> None:
    model = net()
    groups = [{"params": model[0].parameters(), "lr": 0.5}, {"params": model[4].parameters()}]
    optimizer = SGD(groups, lr=0.1)
    for step in range(3):
        training.set_rate(optimizer, lambda step: 1 / (step + 1), step)
        assert [group["lr"] for group in optimizer.param_groups] == [0.5 / (step + 1), 0.1 / (step + 1)]


def test_fit_is_short_enough_to_be_read() -> None:
    assert len(Path(training.__file__).read_text(encoding="utf-8").splitlines()) <= 200
