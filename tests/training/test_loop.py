"""fit(): against a loop written out, alone and with everything, and with one mistake at a time."""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils import losses, schedules
from course_utils.averaging import ExponentialMovingAverage
from course_utils.early_stopping import EarlyStopping
from course_utils.optimizers import SAM, SGD, AdamW, ScheduleFreeSGD
from course_utils.regularizers import l2_penalty
from course_utils.training import accuracy, evaluate, fit
from course_utils.training.history import History
from tests.mutants import mistakes
from tests.training.runs import N, close, examples, net, same


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
                    p[k].sub_(rate * v[k])
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

        def spy(prediction: Tensor, target: Tensor, model: nn.Module = model, kept: Any = kept) -> Tensor:
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
                q.add_(0.1 * h / norm)
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


CHECKS = [check_validation_is_not_augmented, check_best_weights_come_back, check_sam, check_schedule_free]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_fit(check: Callable[..., None]) -> None:
    check(fit)


# One mistake at a time


def parity(name: str) -> Callable[[Callable[..., History]], None]:
    return lambda fit: compare(fit, **PARITY[name])


MUTANTS = [
    pytest.param("        set_training(model, frozen)\n", "", parity("dropout"), id="train-mode-forgotten"),
    pytest.param("validation, loss, metric)\n", "None if validation is None else (augment(validation[0]), "
                 "validation[1]), loss, metric)\n", check_validation_is_not_augmented,
                 id="validation-augmented"),
    pytest.param("early_stopping.restore(model)", "pass", check_best_weights_come_back,
                 id="best-weights-only-on-stopping"),
    pytest.param('show_weights(optimizer, "eval")', "pass", check_schedule_free,
                 id="schedule-free-not-averaged"),
    pytest.param("generator, \"train\"), accumulate)", "generator, \"train\"), 1)", parity("accumulate"),
                 id="a-step-per-batch"),
    pytest.param("loss, penalty, schedule, clip_norm, ema,", "loss, penalty, schedule, clip_norm, None,",
                 parity("ema"), id="no-ema"),
    pytest.param("loss, penalty, schedule, clip_norm, ema,", "loss, penalty, None, clip_norm, ema,",
                 parity("schedule"), id="no-schedule"),
]  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.training.loop", MUTANTS, of="fit")


# What it works with


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


def test_fit_is_one_screen() -> None:
    (function,) = ast.parse(inspect.getsource(fit)).body
    body = function.body[1:]  # type: ignore[attr-defined]  # without the docstring
    assert body[-1].end_lineno - body[0].lineno < 50
