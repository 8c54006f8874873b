"""The data behind the figures of lesson 16."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from course_utils.figures import early_stopping_and_averaging as figures
from course_utils.intervals import Interval
from course_utils.linear_models import ridge
from tests.figures.reading import drawn, line
from tests.mutants import mistakes


def check_shares(module: Any) -> None:
    """Both shares are those of real gradient descent and of real ridge, on a diagonal problem."""
    h = torch.tensor([1.0, 0.3, 0.01], dtype=torch.float64)
    x, y = torch.diag((3 * h).sqrt()), (3 * h).sqrt()  # x^T x / 3 = diag(h), least squares at (1, 1, 1)
    p = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([p], lr=module.RATE)
    for step in range(1, 31):
        optimizer.zero_grad()
        ((x @ p - y) ** 2).mean().backward()
        optimizer.step()
        assert torch.allclose(module.stopped_share(h, step), p.detach(), rtol=1e-12, atol=1e-14)
    for l2 in (0.01, 0.5):
        shrunk = ridge(x, y, torch.tensor([l2], dtype=torch.float64))[0]
        assert torch.allclose(module.ridge_share(h, l2), shrunk, rtol=1e-12, atol=1e-14)


def test_shares() -> None:
    check_shares(figures)


def check_stop_and_shrink(module: Any) -> None:
    for steps, match in ((20, 1.0), (3, 2.0)):
        left, right = drawn(module.stop_and_shrink(steps, match)).axes
        h = torch.from_numpy(line(left, "_stopped")[:, 0])
        l2 = 1 / (2 * match * module.RATE * steps)
        assert line(left, "_stopped")[:, 1] == pytest.approx(module.stopped_share(h, steps).numpy())
        assert line(left, "_ridge")[:, 1] == pytest.approx(module.ridge_share(h, l2).numpy())
        dots = [tuple(ln.get_xydata()[0]) for ln in right.get_lines() if ln.get_label() == "_now"]
        wanted = [
            figures.stopped_share(figures.CURVATURES, steps),
            figures.ridge_share(figures.CURVATURES, l2),
        ]
        assert dots == [pytest.approx((figures.TARGET * share).tolist()) for share in wanted]


def test_stop_and_shrink() -> None:
    check_stop_and_shrink(figures)


def test_ways_go_from_zero_to_the_minimum() -> None:
    for way in figures.ways():
        assert way.shape == (160, 2)
        assert way[0].abs().max() < 0.06
        assert (way[-1] - figures.TARGET).abs().max() < 0.01
        assert (way.diff(dim=0) >= 0).all()


def check_noisy_fit(module: Any) -> None:
    """The last errors are those of least squares, and the fit has a best step in between."""
    steps, train, new = module.noisy_fit(examples=20, features=5, seed=1)
    generator = torch.Generator().manual_seed(1)
    randn = partial(torch.randn, generator=generator, dtype=torch.float64)
    scale = torch.logspace(0, -2, 5, dtype=torch.float64).sqrt()
    x, new_x, truth = randn(20, 5) * scale, randn(500, 5) * scale, randn(5)
    y, new_y = x @ truth + randn(20), new_x @ truth + randn(500)
    best = torch.linalg.lstsq(x, y[:, None]).solution[:, 0]
    assert float(train[-1]) == pytest.approx(float(((x @ best - y) ** 2).mean()), rel=1e-6)
    assert float(new[-1]) == pytest.approx(float(((new_x @ best - new_y) ** 2).mean()), rel=1e-6)
    assert (train.diff() <= 1e-12).all()
    assert steps[0] == 1


def test_idea() -> None:
    check_noisy_fit(figures)
    _, _, new = figures.noisy_fit()
    assert 0 < int(new.argmin()) < len(new) - 1
    path, mean = figures.noisy_path()
    expected = path[0]
    for p, m in zip(path[1:], mean[1:], strict=True):
        expected = 0.95 * expected + 0.05 * p
        assert torch.allclose(m, expected, rtol=1e-12, atol=1e-14)
    left, right = drawn(figures.idea()).axes
    assert line(left, "new examples")[:, 1] == pytest.approx(new.numpy())
    assert line(right, "_their average") == pytest.approx(mean.numpy())


def sample(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).uniform(0.8, 0.95, shape)


def test_rise_and_fall() -> None:
    noisy, clean = sample(12, 4), sample(12, 4) + 0.02
    [axes] = drawn(figures.rise_and_fall([10, 20, 30, 40], noisy, clean, 25.0)).axes
    assert line(axes, "20% wrong labels")[:, 1] == pytest.approx(100 * noisy.mean(0))
    assert line(axes, "clean labels")[:, 1] == pytest.approx(100 * clean.mean(0))
    assert line(axes, "_chosen")[:, 0].tolist() == [25.0, 25.0]


def test_patience_and_size() -> None:
    waited, claimed, judged = sample(12, 3), sample(12, 2) + 0.03, sample(12, 2)
    left, right = drawn(figures.patience_and_size((1, 3, 5), waited, (25, 100), claimed, judged)).axes
    assert line(left, "_judged")[:, 1] == pytest.approx(100 * waited.mean(0))
    assert line(right, "says the choice")[:, 1] == pytest.approx(100 * claimed.mean(0))
    assert line(right, "on fresh images")[:, 1] == pytest.approx(100 * judged.mean(0))
    assert right.get_xscale() == "log"


def test_variance_against_memory() -> None:
    betas = np.array([0.0, 0.5, 0.9])
    measured = {rate: sample(12, 3) * rate for rate in (0.05, 0.2, 0.8)}
    [axes] = drawn(figures.variance_against_memory(betas, measured, measured_means(measured))).axes
    for rate, values in measured.items():
        assert line(axes, f"η = {rate:g}")[:, 1] == pytest.approx(values.mean(0))
        assert line(axes, f"η = {rate:g}")[:, 0] == pytest.approx([1, 2, 10])
    theory = [ln for ln in axes.get_lines() if ln.get_label() == "_theory"]
    assert len(theory) == 3


def measured_means(measured: dict[float, Any]) -> dict[float, Any]:
    return {rate: values.mean(0) for rate, values in measured.items()}


def test_with_and_without() -> None:
    names = ("live", "ema", "swa")
    noisy = {name: sample(12, 3) for name in (*names, "cosine")}
    few = {name: sample(12, 2) for name in names}
    steps = {f"noisy/{name}": [10, 20, 30] for name in noisy} | {f"few/{name}": [10, 20] for name in few}
    left, right = drawn(figures.with_and_without(steps, noisy, few)).axes
    for label, name in (("live", "live"), ("EMA", "ema"), ("SWA", "swa"), ("cosine", "cosine")):
        assert line(left, label)[:, 1] == pytest.approx(100 * noisy[name].mean(0))
        if name in few:
            assert line(right, label)[:, 1] == pytest.approx(100 * few[name].mean(0))


def test_worth_shows_each_interval_in_points() -> None:
    gain = Interval(0.05, 0.04, 0.06, 0.003, 64, 0.99)
    none = Interval(0.0, -0.002, 0.002, 0.001, 64, 0.99)
    [axes] = drawn(figures.worth({"noisy": {"EMA": gain, "SWA": none}, "clean": {"EMA": none}})).axes
    assert line(axes, "_noisy: EMA")[0, 0] == pytest.approx(5)
    assert line(axes, "_clean: EMA")[0, 0] == 0
    assert [t.get_text() for t in axes.get_yticklabels()] == ["EMA", "SWA", "EMA"]
    bars = [ln.get_xdata() for ln in axes.get_lines() if ln.get_linewidth() == 5]
    assert next(list(b) for b in bars) == pytest.approx([4, 6])


MUTANTS = {
    "half-forgotten": ("1 - (1 - 2 * lr * h) ** steps", "1 - (1 - lr * h) ** steps", check_shares),
    "share-left": ("1 - (1 - 2 * lr * h) ** steps", "(1 - 2 * lr * h) ** steps", check_shares),
    "ridge-n": ("share: Tensor = h / (h + l2)", "share: Tensor = h / (h + 3 * l2)", check_shares),
    "match-upside-down": ("1 / (2 * match * RATE", "match / (2 * RATE", check_stop_and_shrink),
    "pull-unscaled": ("share * pull / h", "share * pull", check_noisy_fit),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.figures.early_stopping_and_averaging", MUTANTS)
