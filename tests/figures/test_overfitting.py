"""The data behind the figures of lesson 11."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from course_utils.figures import overfitting
from course_utils.intervals import mean_interval
from course_utils.linear_models.minimum_norm import minimum_norm_risk
from tests.figures.reading import drawn, line, lines
from tests.mutants import mistakes

RNG = np.random.default_rng(0)


def check_waves(module: Any) -> None:
    """With many waves the curve goes through its points, with few it does not; errors are from the truth."""
    x, y, grid = module.wave_points()
    assert y.shape == (module.DRAWS, module.POINTS)
    at = [int((grid - one).abs().argmin()) for one in x[::15]]  # both ends lie on the grid
    for width in (100, 400):
        curves = module.waves(width, 0.0).curves
        assert torch.allclose(curves[:, at], y[:, ::15], atol=1e-6)
    few = module.waves(4, 0.0)
    assert not torch.allclose(few.curves[:, at], y[:, ::15], atol=1e-2)
    assert torch.equal(few.errors, (few.curves - torch.sin(4 * grid)).square().mean(-1))


def check_more_waves_add(module: Any) -> None:
    """A fit of width w is least squares on the first w of one fixed set of waves."""
    _, y, _ = module.wave_points()
    generator = torch.Generator().manual_seed(1)
    omega = 8.0 * torch.randn(module.DRAWS, 1, max(module.WIDTHS), generator=generator, dtype=torch.float64)
    phase = 2 * torch.pi * torch.rand(omega.shape, generator=generator, dtype=torch.float64)
    x, _, grid = module.wave_points()
    for width in (1, 6):
        seen = torch.cos(omega[..., :width] * x[:, None] + phase[..., :width])
        new = torch.cos(omega[..., :width] * grid[:, None] + phase[..., :width])
        expected = (new @ torch.linalg.pinv(seen) @ y[..., None])[..., 0]
        assert torch.allclose(module.waves(width, 0.0).curves, expected, rtol=1e-7, atol=1e-7)


def check_descent(module: Any) -> None:
    """Down, up to a peak at POINTS, down again; a penalty leaves no peak."""
    median = {w: float(module.waves(w, 0.0).errors.median()) for w in (1, 8, 16, 400)}
    assert median[1] > 2 * median[8]
    assert median[16] > 2 * median[1]
    assert median[16] > 10 * median[400]
    assert float(module.waves(16, 0.01).errors.median()) < 0.2 * median[16]


@pytest.mark.parametrize("check", [check_waves, check_more_waves_add, check_descent])
def test_waves(check: Any) -> None:
    check(overfitting)


def test_the_film_stops_where_the_curve_is_drawn() -> None:
    assert set(overfitting.FILM) <= set(overfitting.WIDTHS)
    assert list(overfitting.FILM) == sorted(overfitting.FILM)
    assert 2 <= len(overfitting.FILM) <= 24
    assert overfitting.POINTS in overfitting.FILM


@pytest.mark.parametrize(("width", "words"), [(4, "Fewer"), (16, "As many"), (64, "More")])
def test_wave_figure(width: int, words: str) -> None:
    left, right = drawn(overfitting.wave_figure(width, 0.01)).axes
    fit = overfitting.waves(width, 0.01)
    assert np.array_equal(line(left, "_fit")[:, 1], fit.curves[0].numpy())
    assert line(left, "_points").shape == (16, 2)
    assert left.get_title(loc="left").startswith(words)
    assert line(right, "_here")[0] == pytest.approx([width, float(fit.errors.median())])
    for strength, label in ((0.0, "_0"), (0.01, "_0.01")):
        assert line(right, label)[3, 1] == float(overfitting.waves(6, strength).errors.median())


def test_two_answers() -> None:
    true, told = RNG.uniform(size=(2, 12, 3))
    [axes] = drawn(overfitting.two_answers((20, 40, 60), true, told)).axes
    assert line(axes, "what it shows")[:, 1] == pytest.approx(100 * true.mean(0))
    assert line(axes, "what it was told")[:, 1] == pytest.approx(100 * told.mean(0))


def test_optimism_figure() -> None:
    train, fresh = RNG.uniform(size=(2, 12, 3))
    [axes] = drawn(overfitting.optimism_figure((4, 10, 20), train, fresh, n=20)).axes
    assert line(axes, "training labels")[:, 1] == pytest.approx(train.mean(0))
    assert line(axes, "fresh labels")[:, 1] == pytest.approx(fresh.mean(0))
    assert line(axes, "_above")[:, 1] == pytest.approx([1.2, 1.5, 2.0])
    assert line(axes, "_below")[:, 1] == pytest.approx([0.8, 0.5, 0.0])


def check_risk_figure(module: Any) -> None:
    ps, signal = (4, 8, 14, 20), np.linspace(1, 0.1, 20)
    risks = RNG.uniform(1, 5, (12, 4))
    names = ("clean", "noisy", "clean, λ", "noisy, λ")
    errors = {name: RNG.uniform(size=(12, 3)) for name in names}
    figure = module.risk_figure(
        ps, risks, signal, n=10, noise=0.25, widths=(10, 100, 400), errors=errors, examples=100
    )
    left, right = drawn(figure).axes
    means = np.concatenate(lines(left, "_mean"))
    assert means == pytest.approx(np.column_stack([ps, risks.mean(0)]))
    below, above = lines(left, "_theory")
    assert below[:, 0].tolist() == [4, 5, 6, 7, 8]
    assert above[:, 0].tolist() == list(range(12, 21))
    for p, value in (below[-1], above[0]):
        used = int(p)
        rest = float(signal[used:].sum()) + 0.25
        assert value == pytest.approx(
            minimum_norm_risk(10, used, inside=float(signal[:used].sum()), outside=rest)
        )
    for name in names:
        assert line(right, name)[:, 1] == pytest.approx(100 * errors[name].mean(0))


def test_risk_figure() -> None:
    check_risk_figure(overfitting)


def test_risk_figure_leaves_out_what_has_no_mean() -> None:
    risks = RNG.uniform(1, 5, (12, 3))
    risks[:, 1] = np.nan
    errors = {name: RNG.uniform(size=(12, 2)) for name in ("clean", "noisy", "clean, λ", "noisy, λ")}
    figure = overfitting.risk_figure(
        (4, 10, 16), risks, np.ones(16), n=10, noise=1.0, widths=(10, 100), errors=errors, examples=100
    )
    assert np.concatenate(lines(drawn(figure).axes[0], "_mean"))[:, 0].tolist() == [4, 16]


def test_harm_figure() -> None:
    plain, dropout = RNG.uniform(size=(2, 12, 3))
    left, right = drawn(overfitting.harm_figure((0.0, 0.1, 0.4), plain, dropout)).axes
    assert line(left, "plain") == pytest.approx(np.column_stack([[0, 10, 40], 100 * plain.mean(0)]))
    assert line(left, "dropout")[:, 1] == pytest.approx(100 * dropout.mean(0))
    assert line(right, "_gain")[:, 1] == pytest.approx(100 * (dropout - plain).mean(0))


def test_techniques_figure() -> None:
    gains = {name: tuple(mean_interval(RNG.normal(size=12)) for _ in range(2)) for name in ("one", "two")}
    [axes] = drawn(overfitting.techniques_figure(gains)).axes
    means = np.concatenate(lines(axes, "_mean"))
    expected = [100 * found.mean for pair in gains.values() for found in pair]
    assert means[:, 0] == pytest.approx(expected)
    ends = [segment[:, 0] for segment in lines(axes, "_interval")]
    assert ends[0] == pytest.approx([100 * gains["one"][0].low, 100 * gains["one"][0].high])
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["one", "two"]


def test_learning_curves() -> None:
    world = {name: RNG.uniform(0.6, 1, (12, 3)) for name in ("training", "validation", "with dropout")}
    first = {name: world[name] for name in ("training", "validation")}
    left, right = drawn(overfitting.learning_curves((60, 150, 500), first, world)).axes
    for axes, shown in ((left, first), (right, world)):
        for name, values in shown.items():
            assert line(axes, name)[:, 1] == pytest.approx(100 * values.mean(0))
    assert lines(left, "with dropout") == []


def test_winners_figure() -> None:
    over = {100: RNG.normal(size=(12, 3)), 400: RNG.normal(size=(12, 3))}
    theory = {100: RNG.uniform(size=3), 400: RNG.uniform(size=3)}
    [axes] = drawn(overfitting.winners_figure((1, 2, 4), over, theory)).axes
    for images in (100, 400):
        assert line(axes, f"{images} images")[:, 1] == pytest.approx(100 * over[images].mean(0))
        assert line(axes, f"_theory {images}")[:, 1] == pytest.approx(100 * theory[images])


MUTANTS = {
    "no-phase": (" * at[:, None] + phase[..., :width]", " * at[:, None]", check_more_waves_add),
    "waves-drawn-anew": ("max(WIDTHS), generator", "width, generator", check_more_waves_add),
    "judged-on-one-draw": ("- truth(grid)).square()", "- truth(grid)).abs()", check_waves),
    "penalty-ignored": ("y[..., None], l2)", "y[..., None], 0.0)", check_descent),
    "left-out-is-no-noise": ("float(total[p:].sum()) + noise", "noise", check_risk_figure),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.figures.overfitting", MUTANTS)
