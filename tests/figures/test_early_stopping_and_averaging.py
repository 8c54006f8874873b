"""The data behind the figures of lesson 16."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from course_utils.figures import early_stopping_and_averaging as figures
from course_utils.intervals import Interval, mean_interval
from course_utils.theory import early_stopping as theory
from tests.figures.reading import drawn, line, lines
from tests.mutants import mistakes


def sample(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).uniform(0.8, 0.95, shape)


def test_fits_draw_the_curve_of_each_step() -> None:
    grid = torch.linspace(-1, 1, 201, dtype=torch.float64)
    for axes, steps in zip(drawn(figures.fits((1, 5, 30, 200))).axes, (1, 5, 30, 200), strict=True):
        curve, train, new = theory.stopped_fit(steps, grid)
        assert line(axes, "_fit")[:, 1] == pytest.approx(curve.numpy())
        assert line(axes, "_sine")[:, 1] == pytest.approx(np.sin(3 * grid.numpy()))
        assert axes.get_title(loc="left") == f"after {steps} steps"
        assert f"{train:.2g}" in axes.texts[0].get_text()
        assert f"{new:.2g}" in axes.texts[0].get_text()
    [axes] = drawn(figures.fit_after(2)).axes
    assert axes.get_title(loc="left") == "after 100 steps"


def check_stop_and_shrink(module: Any) -> None:
    for steps, match in ((20, 1.0), (3, 2.0)):
        left, right = drawn(module.stop_and_shrink(steps, match)).axes
        h = torch.from_numpy(line(left, "_stopped")[:, 0])
        l2 = 1 / (2 * match * 0.25 * steps)
        assert line(left, "_stopped")[:, 1] == pytest.approx(theory.stopped_share(h, steps, lr=0.25).numpy())
        assert line(left, "_ridge")[:, 1] == pytest.approx(theory.ridge_share(h, l2).numpy())
        curvatures = figures.CURVATURES
        wanted = [theory.stopped_share(curvatures, steps, lr=0.25), theory.ridge_share(curvatures, l2)]
        dots = [tuple(points[0]) for points in lines(right, "_now")]
        assert dots == [pytest.approx((figures.TARGET * share).tolist()) for share in wanted]


def test_stop_and_shrink() -> None:
    check_stop_and_shrink(figures)


def test_ways_go_from_zero_to_the_minimum() -> None:
    for way in figures.ways():
        assert way.shape == (160, 2)
        assert way[0].abs().max() < 0.06
        assert (way[-1] - figures.TARGET).abs().max() < 0.01
        assert (way.diff(dim=0) >= 0).all()


def test_hover() -> None:
    path, mean = figures.noisy_path()
    expected = path[0]
    for p, m in zip(path[1:], mean[1:], strict=True):
        expected = 0.95 * expected + 0.05 * p
        assert torch.allclose(m, expected, rtol=1e-12, atol=1e-14)
    [axes] = drawn(figures.hover()).axes
    assert line(axes, "_weights") == pytest.approx(path.numpy())
    assert line(axes, "_their average") == pytest.approx(mean.numpy())


def check_by_rate(module: Any) -> None:
    curves = {
        name: sample(12, 4) - 0.01 * k for k, name in enumerate(("last weights", "EMA", "EMA, best step"))
    }
    for name in curves:
        curves[name][:, 3] = 0.1  # a rate at which all diverge is left out
    [axes] = drawn(module.by_rate([0.1, 0.2, 0.4, 0.8], curves, title="A title", mark=0.2)).axes
    for name, values in curves.items():
        assert line(axes, name)[:, 0].tolist() == [0.1, 0.2, 0.4]
        assert line(axes, name)[:, 1] == pytest.approx(100 * values[:, :3].mean(0))
    assert line(axes, "_mark")[:, 0].tolist() == [0.2, 0.2]
    assert axes.get_title(loc="left") == "A title"


def test_by_rate() -> None:
    check_by_rate(figures)


def check_gains(module: Any) -> None:
    gain = Interval(0.05, 0.04, 0.06, 0.003, 64, 0.99)
    none = Interval(0.0, -0.002, 0.002, 0.001, 64, 0.99)
    columns = {"large": {"lower rate": gain, "EMA": gain, "SWA": none}, "tuned": {"EMA": none, "SWA": gain}}
    left, right = drawn(module.gains(columns)).axes
    assert line(left, "_EMA")[0] == pytest.approx([5, 1])
    assert line(right, "_EMA")[0] == pytest.approx([0, 1])
    assert line(right, "_SWA")[0] == pytest.approx([5, 2])
    assert [label.get_text() for label in left.get_yticklabels()] == ["lower rate", "EMA", "SWA"]
    bars = [list(ln.get_xdata()) for ln in left.get_lines() if ln.get_linewidth() == 5]
    assert bars[0] == pytest.approx([4, 6])


def test_gains_stand_beside_their_names_in_points() -> None:
    check_gains(figures)


def test_patience_and_size() -> None:
    waited, claimed, judged = sample(12, 3), sample(12, 2) + 0.03, sample(12, 2)
    above, below = drawn(figures.patience_and_size((1, 3, 5), waited, (25, 100), claimed, judged)).axes
    assert line(above, "_judged")[:, 1] == pytest.approx(100 * waited.mean(0))
    assert line(below, "on these images")[:, 1] == pytest.approx(100 * claimed.mean(0))
    assert line(below, "on fresh images")[:, 1] == pytest.approx(100 * judged.mean(0))
    assert below.get_xscale() == "log"


def test_soups() -> None:
    names = ("one net", "mean predictions", "mean weights", "units matched")
    pots = [{name: sample(5) - 0.1 * j - 0.01 * k for k, name in enumerate(names)} for j in range(2)]
    for axes in drawn(figures.soups({"A": pots, "B": pots}, ["apart", "together"])).axes:
        for k, name in enumerate(names):
            assert line(axes, f"_{name}")[:, 1] == pytest.approx([100 * pot[name].mean() for pot in pots])
            assert line(axes, f"_{name}")[:, 0] == pytest.approx([0.16 * (k - 1.5), 1 + 0.16 * (k - 1.5)])
        ends = [seg[:, 1].tolist() for seg in axes.collections[0].get_segments()]
        first = mean_interval(100 * pots[0]["one net"])
        assert ends[0] == pytest.approx([first.low, first.high])
        assert [label.get_text() for label in axes.get_xticklabels()] == ["apart", "together"]


MUTANTS = {
    "match-upside-down": ("1 / (2 * match * RATE", "match / (2 * RATE", check_stop_and_shrink),
    "places-of-each-panel": ("names.index(name), COLOURS", "list(of).index(name), COLOURS", check_gains),
    "diverged-drawn": ("lowest >= min(best - height", "lowest >= min(0", check_by_rate),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.figures.early_stopping_and_averaging", MUTANTS)
