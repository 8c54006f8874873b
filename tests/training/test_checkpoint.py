"""Resuming: everything that has a state, all at once, bit for bit, after an interruption anywhere."""

from __future__ import annotations

import os
import random
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils import losses, schedules
from course_utils.augmentation import Compose, Mixup, RandomHorizontalFlip, RandomShift
from course_utils.averaging import ExponentialMovingAverage
from course_utils.early_stopping import EarlyStopping
from course_utils.optimizers import SAM, SGD, Adam, AdamW, FlatParameters, ScheduleFreeAdamW
from course_utils.regularizers import l2_penalty
from course_utils.training import accuracy, fit, loop
from course_utils.training.history import History
from tests.mutants import mistakes
from tests.training.runs import examples, images, net, same


class Interrupted(Exception):
    pass


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


def test_a_checkpoint_of_another_optimizer_is_refused(tmp_path: Path) -> None:
    """By its name: torch's optimizers would take each other's state, rates included."""
    path = tmp_path / "run.pt"
    small: dict[str, Any] = {"loss": losses.cross_entropy, "epochs": 1, "checkpoint": path}
    model = net()
    fit(model, examples(), optimizer=torch.optim.AdamW(model.parameters(), lr=0.1), **small)
    model = net()
    other = torch.optim.Adam(model.parameters(), lr=1e-4)
    with pytest.raises(ValueError, match=r"to resume with optimizer of class AdamW, .* got optimizer='Adam'"):
        fit(model, examples(), optimizer=other, resume=True, **small)
    assert other.param_groups[0]["lr"] == 1e-4
    assert same(list(model.parameters()), list(net().parameters()))
    fit(model, examples(), optimizer=AdamW(model.parameters(), lr=0.1), resume=True, **small)


def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    path, model = tmp_path / "run.pt", net()
    for content in (b"", b"<html>log in</html>", bytes(range(256)) * 9):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"need a checkpoint that fit\(\) wrote, got file='.*run.pt'"):
            fit(model, examples(), optimizer=SGD(model.parameters(), lr=0.1), loss=losses.cross_entropy,
                epochs=1, checkpoint=path, resume=True)  # fmt: skip
        assert path.read_bytes() == content


# One mistake at a time


def resumes(changed: Any) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(loop, "Checkpoint", changed.Checkpoint)
        check_resume(getattr(changed, "fit", fit), Path(folder))


MUTANTS = [
    pytest.param("loop", '"step": step, "scaler"', '"step": None, "scaler"', id="schedule-starts-anew"),
    pytest.param("loop", '"ema": ema}', '"ema": None}', id="ema-not-kept"),
    pytest.param("loop", '"optimizer": optimizer, "step"', '"optimizer": None, "step"',
                 id="optimizer-not-kept"),
    pytest.param("loop", '"early_stopping": early_stopping}', '"early_stopping": None}',
                 id="stopper-not-kept"),
    pytest.param("loop", 'draws={**given, "generator": generator}', 'draws={"generator": generator}',
                 id="generators-of-augmentation-not-kept"),
    pytest.param("checkpoint", '"randomness": Randomness(draws, known)', '"randomness": None',
                 id="randomness-not-kept"),
]  # fmt: skip


# RuntimeError: a stopper's, that has no weights to put back.
test_mistakes_are_caught = mistakes("course_utils.training", MUTANTS, check=resumes, also=(RuntimeError,))
