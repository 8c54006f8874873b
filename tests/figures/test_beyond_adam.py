"""The data behind the figures of lesson 18."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from course_utils import plotting, recorded
from course_utils.figures import beyond_adam
from course_utils.intervals import paired_interval
from course_utils.seeds.muon import newton_schulz_batched
from tests.figures.reading import drawn, line, texts
from tests.mutants import mistakes


def test_the_three_steps_end_where_the_rulers_say() -> None:
    left, middle, right = drawn(beyond_adam.three_balls()).axes
    g = np.array(beyond_adam.GRADIENT)
    for axes, norm in ((left, 2), (middle, np.inf)):
        [arrow] = [text for text in axes.texts if hasattr(text, "arrow_patch")]
        step = np.array(arrow.xy)
        assert np.linalg.norm(step, norm) == pytest.approx(1)
        assert step @ g == pytest.approx(-np.linalg.norm(g, 2 if norm == 2 else 1))  # as far as the dual norm
        ball = line(axes, "_ball")
        assert np.linalg.norm(ball, norm, axis=1) == pytest.approx(1)
        assert (ball @ g >= step @ g - 1e-9).all()
    heights = [bar.get_height() for bar in right.patches]
    assert heights[4:] == [1, 1, 1, 1]
    assert all(0 < h <= 1 for h in heights[:4])


def check_quintic(module: Any) -> None:
    g = torch.randn(5, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    s = torch.linalg.svdvals(g)
    for steps in (0, 1, 5):
        expected = torch.linalg.svdvals(newton_schulz_batched(g, steps=steps))
        found = module.quintic(s / s.norm(), steps).sort(descending=True)[0]
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    assert float(module.quintic(torch.tensor(0.5), 1, (2.0, 0.0, 4.0))) == 1.125


def test_the_map_of_singular_values() -> None:
    check_quintic(beyond_adam)


@pytest.mark.parametrize(("steps", "columns"), [(0, 64), (5, 64), (3, 96)])
def test_the_spectrum_of_one_choice(steps: int, columns: int) -> None:
    left, right = drawn(beyond_adam.spectrum(steps, columns)).axes
    points = line(left, "_map")
    assert points[:, 1] == pytest.approx(beyond_adam.quintic(torch.from_numpy(points[:, 0]), steps).numpy())
    g = beyond_adam.gaussian(columns)
    assert g.shape == (64, columns)
    before, after = line(right, "before")[:, 1], line(right, "after")[:, 1]
    assert (before**2).sum() == pytest.approx(1)
    expected = torch.linalg.svdvals(newton_schulz_batched(g, steps=steps)).numpy()
    assert after == pytest.approx(expected)
    assert f"{steps} steps" in left.get_title(loc="left")
    assert f"64 × {columns}" in right.get_title(loc="left")


def test_the_spectrum_shows_what_its_alt_text_says() -> None:
    """A square matrix keeps a tail after five steps, a wide one has none after five."""
    after = torch.linalg.svdvals(newton_schulz_batched(beyond_adam.gaussian(64)))
    assert after[-1] < 0.5
    assert after[:-4].min() > 0.68
    assert torch.linalg.svdvals(newton_schulz_batched(beyond_adam.gaussian(96))).min() > 0.68


def test_the_race_is_paired() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(1, 1, 20)
    losses = {
        "adamw": base,
        "muon": base - 0.1 + rng.normal(0, 0.01, 20),
        "lion": base + rng.normal(0.2, 0.01, 20),
    }
    [axes] = drawn(beyond_adam.race(losses, against="adamw")).axes
    for row, name in enumerate(("muon", "lion")):
        found = paired_interval(losses[name], base)
        assert line(axes, f"_{name}").tolist() == [[found.mean, row]]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["Muon", "Lion"]
    assert "AdamW" in axes.get_xlabel()


def test_sam_against_its_radius() -> None:
    rng = np.random.default_rng(0)
    sharp, clean, noisy = (rng.normal(size=(12, 3)) for _ in range(3))
    left, right = drawn(beyond_adam.sam((0.0, 0.1, 0.2), sharp, clean, noisy)).axes
    assert line(left, "_sharpness")[:, 1] == pytest.approx(sharp.mean(0))
    assert line(right, "true labels")[:, 1] == pytest.approx(100 * clean.mean(0))
    assert line(right, "a fifth wrong")[:, 1] == pytest.approx(100 * noisy.mean(0))
    assert [t.get_text() for t in left.get_xticklabels()] == ["0", "0.1", "0.2"]


def test_planned_or_not() -> None:
    lengths, path = [10, 20, 40], torch.linspace(1, 0.1, 41)
    [axes] = drawn(
        beyond_adam.planned_or_not(lengths, [3, 2, 1], [6, 5, 4], path / 2, path, directions=8)
    ).axes
    assert line(axes, "cosine, planned").tolist() == [[10, 3], [20, 2], [40, 1]]
    assert line(axes, "best constant rate").tolist() == [[10, 6], [20, 5], [40, 4]]
    free = line(axes, "schedule-free, β = 0.9")
    assert free[[0, -1], 0].tolist() == [10, 40]
    assert free[:, 1] == pytest.approx(path[10:].numpy())
    assert line(axes, "schedule-free, β = 0")[:, 1] == pytest.approx(path[10:].numpy() / 2)
    assert line(axes, "limit, d / 2T")[0].tolist() == [10, 0.4]


def test_lengths_and_clipping() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((12, 3)), rng.random((12, 3))
    [axes] = drawn(beyond_adam.lengths_on_digits([10, 20, 40], a, b)).axes
    assert line(axes, "schedule-free, one run")[:, 1] == pytest.approx(100 * a.mean(0))
    assert line(axes, "cosine, one run per length")[:, 1] == pytest.approx(100 * b.mean(0))
    assert [t.get_text() for t in axes.get_xticklabels()] == ["10", "20", "40"]
    [axes] = drawn(beyond_adam.clipping((0.1, 0.2, 0.4), a, b)).axes
    assert line(axes, "not clipped")[:, 1] == pytest.approx(100 * a.mean(0))
    assert line(axes, "clipped")[:, 1] == pytest.approx(100 * b.mean(0))


def test_costs() -> None:
    left, right = drawn(beyond_adam.costs(["plain", "flat"], [496, 8], [3.0, 2.7])).axes
    assert [bar.get_width() for bar in left.patches] == [496, 8]
    assert [bar.get_width() for bar in right.patches] == [3.0, 2.7]
    assert texts(left) == ["496", "8"]
    assert texts(right) == ["3", "2.7"]
    assert [t.get_text() for t in left.get_yticklabels()] == ["plain", "flat"]


def test_a_record_is_shown_with_its_provenance(tmp_path: Path) -> None:
    times = {"moving": 0.001, "default": 0.002, "plain": 0.004}
    rows: list[dict[str, Any]] = [
        {"workload": f"work {k}", "optimizer": name, "median_s": dict(times)}
        for k in range(3)
        for name in ("SGD", "Adam")
    ]  # fmt: skip
    rows[-1]["median_s"]["flat"] = 0.003
    recorded.save("optimizers", rows, settings={}, folder=tmp_path)
    record = recorded.newest("optimizers", tmp_path)
    assert record is not None
    figure = drawn(beyond_adam.recorded_steps(record))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["work 0", "work 1", "work 2"]
    first, last = figure.axes[0], figure.axes[-1]
    assert [bar.get_width() for bar in first.patches] == pytest.approx([2, 4, 1])
    assert [t.get_text() for t in first.get_yticklabels()] == ["default", "plain", beyond_adam.MOVING]
    assert [bar.get_width() for bar in last.patches] == pytest.approx([2, 4, 3, 1])
    assert texts(first) == ["2", "4", "1"]
    assert record.provenance in figure.get_supxlabel()


def check_film(module: Any) -> None:
    z, x = module.three_points()
    assert z.shape == x.shape == (module.FILM_STEPS + 1, 2)
    mean = z[1:].cumsum(0) / torch.arange(1, len(z), dtype=torch.float64)[:, None]
    torch.testing.assert_close(x[1:], mean, rtol=1e-10, atol=1e-12)
    assert x[-20:].norm(dim=1).max() < 0.5  # the mean has arrived and stays
    assert z[-40:].norm(dim=1).max() > 0.6  # the iterate has not settled


def test_the_film_shows_a_mean() -> None:
    check_film(beyond_adam)
    z, x = beyond_adam.three_points()
    [axes] = drawn(beyond_adam.iterate_and_average(30)).axes
    assert line(axes, "_x") == pytest.approx(x[:31].numpy())
    assert line(axes, "_z") == pytest.approx(z[:31].numpy())
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    assert ((z.numpy() >= [x0, y0]) & (z.numpy() <= [x1, y1])).all()  # nothing leaves the picture
    assert "30" in axes.get_title(loc="left")


def test_methods_keep_their_colours() -> None:
    assert set(beyond_adam.WRITTEN) <= set(plotting.COLOURS)


MUTANTS: dict[str, tuple[str, str, Any]] = {
    "cubic-term-lost": ("a * s + b * s**3 + c * s**5", "a * s + c * s**5", check_quintic),
    "steps-one-short": ("range(steps):\n        s", "range(steps - 1):\n        s", check_quintic),
    "y-for-x": ('state[p]["x"].clone())', 'state[p]["z"].clone())', check_film),
    "without-noise": ("surface = noisy(BOWL, 2.5,", "surface = noisy(BOWL, 0.0,", check_film),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.figures.beyond_adam", MUTANTS)
