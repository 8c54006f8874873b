"""The data behind the figures of lesson 11."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from course_utils.figures import overfitting
from course_utils.intervals import Interval, mean_interval
from course_utils.theory.selection import Winners
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


def interval(values: Any) -> Interval:
    return mean_interval(np.asarray(values))


def test_loss_curves() -> None:
    curves = RNG.uniform(size=(4, 12, 3))
    worlds = {"right": (curves[0], curves[1]), "wrong": (curves[2], curves[3])}
    figure = drawn(overfitting.loss_curves((18, 36, 54), worlds))
    for axes, (title, (train, validation)) in zip(figure.axes, worlds.items(), strict=True):
        assert axes.get_title(loc="left") == title
        assert line(axes, "training")[:, 1] == pytest.approx(train.mean(0))
        assert line(axes, "validation")[:, 1] == pytest.approx(validation.mean(0))


def check_expected_parts(module: Any) -> None:
    """Bias and variance of least squares on sampled training sets; with the noise they sum to the error."""
    generator = torch.Generator().manual_seed(3)
    signal, n, noise, sets = torch.tensor([0.5, 0.3, 0.2, 0.1, 0.4, 0.3, 0.2, 0.6, 0.1]), 4, 0.25, 200_000
    theta = signal.double().sqrt()
    x = torch.randn(sets, n, 9, generator=generator, dtype=torch.float64)
    y = x @ theta[:, None] + noise**0.5 * torch.randn(sets, n, 1, generator=generator, dtype=torch.float64)
    ps = (0, 1, 8, 9)
    biases, variances, errors = module.expected_parts(ps, signal, n=n, noise=noise)
    assert np.add(biases, variances) + noise == pytest.approx(errors)
    for k, p in enumerate(ps[1:], start=1):
        some = x[..., :p]
        gram = some @ some.mT if p > n else some.mT @ some
        fits = some.mT @ torch.linalg.solve(gram, y) if p > n else torch.linalg.solve(gram, some.mT @ y)
        fits = fits[..., 0]
        bias = float((fits.mean(0) - theta[:p]).square().sum() + theta[p:].square().sum())
        assert biases[k] == pytest.approx(bias, rel=0.03)
        if p != 1:  # of one input out of four examples the variance has no variance of its own
            assert variances[k] == pytest.approx(float(fits.var(0).sum()), rel=0.06)
    assert biases[0] == pytest.approx(float(signal.sum()))
    assert variances[0] == pytest.approx(0, abs=1e-9)


def test_expected_parts() -> None:
    check_expected_parts(overfitting)


def check_error_parts(module: Any) -> None:
    ps, signal = (1, 4, 14, 20), np.linspace(1, 0.1, 20)
    measured, with_ridge = RNG.uniform(0.1, 5, (3, 4)), RNG.uniform(0.3, 1, 5)
    [axes] = drawn(module.error_parts(ps, measured, with_ridge, signal, n=10, noise=0.25)).axes
    for name, values in zip(("bias²", "variance", "error"), measured, strict=True):
        assert line(axes, f"_{name}") == pytest.approx(np.column_stack([ps, values]))
        below, above = lines(axes, f"_theory {name}")
        assert (below[0, 0], below[-1, 0], above[0, 0], above[-1, 0]) == (1, 8, 12, 20)
    [(bias, _, error)] = zip(*module.expected_parts([12], signal, n=10, noise=0.25), strict=True)
    assert lines(axes, "_theory bias²")[1][0, 1] == pytest.approx(bias)
    assert lines(axes, "_theory error")[1][0, 1] == pytest.approx(error)
    assert line(axes, "_ridge")[:, 0].tolist() == [1, 4, 10, 14, 20]
    assert line(axes, "_ridge")[2, 1] == pytest.approx(with_ridge[-1])


def test_error_parts() -> None:
    check_error_parts(overfitting)


def test_flattery() -> None:
    traces = {"one": [4.0, 10.0], "two": [6.0, 8.0, 20.0]}
    gaps = {name: RNG.uniform(size=len(some)) for name, some in traces.items()}
    [axes] = drawn(overfitting.flattery(traces, gaps, n=20)).axes
    for name in traces:
        assert line(axes, f"_{name}") == pytest.approx(np.column_stack([traces[name], gaps[name]]))
    assert line(axes, "_theory").tolist() == [[0, 0], [20, 2]]


def test_share_saved() -> None:
    varied = {name: RNG.uniform(0.1, 0.9, (3, 2)) for name in ("noise", "weights", "examples")}
    [axes] = drawn(overfitting.share_saved(varied)).axes
    for name, rows in varied.items():
        assert line(axes, f"_{name}") == pytest.approx(rows)
    v, share = line(axes, "_theory").T
    assert share == pytest.approx(v / (1 + v))


def test_gains_by_size() -> None:
    names = ("clean labels", "wrong labels")
    ratios = {name: [interval(RNG.uniform(0.5, 1, 12)) for _ in range(3)] for name in names}
    points = {name: [interval(RNG.uniform(0, 0.1, 12)) for _ in range(3)] for name in names}
    left, right = drawn(overfitting.gains_by_size((64, 192, 576), ratios, points)).axes
    for name in names:
        assert line(left, name)[:, 1] == pytest.approx([100 * (1 - one.mean) for one in ratios[name]])
        assert line(right, name)[:, 1] == pytest.approx([100 * one.mean for one in points[name]])
    first = lines(left, "_interval")[0]
    low, high = (100 * (1 - end) for end in (ratios[names[0]][0].low, ratios[names[0]][0].high))
    assert first[:, 1] == pytest.approx([low, high])


def test_gains_by_steps() -> None:
    paths = {n: (steps, [interval(RNG.uniform(0, 0.1, 12)) for _ in steps])
             for n, steps in ((64, (40, 80)), (192, (40, 80, 240)), (576, (40, 80, 720)))}  # fmt: skip
    [axes] = drawn(overfitting.gains_by_steps(paths, mark=80)).axes
    for n, (steps, gains) in paths.items():
        assert line(axes, f"_{n}") == pytest.approx(
            np.column_stack([steps, [100 * one.mean for one in gains]])
        )
        assert f"{n} images" in [text.get_text() for text in axes.texts]


def test_methods_figure() -> None:
    ratios = {name: [interval(RNG.uniform(0.5, 1.5, 12)) for _ in range(2)] for name in ("one", "two")}
    points = {name: [interval(RNG.normal(size=12)) for _ in range(2)] for name in ("one", "two")}
    left, right = drawn(overfitting.methods_figure(ratios, points)).axes
    for axes, found, scale in (
        (left, ratios, lambda ratio: 100 * (1 - ratio)), (right, points, lambda share: 100 * share),
    ):  # fmt: skip
        means = np.concatenate(lines(axes, "_mean"))[:, 0]
        assert means == pytest.approx([scale(one.mean) for pair in found.values() for one in pair])
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["one", "two"]


def test_folds_figure() -> None:
    folds, single = RNG.normal(size=(2, 12, 3))
    left, right = drawn(overfitting.folds_figure((2, 5, 10), folds, single)).axes
    for name, errors in (("K folds", folds), ("one split", single)):
        assert line(right, name)[:, 1] == pytest.approx(100 * errors.mean(0))
    lengths = [values for values in left.get_lines() if len(values.get_xdata()) == 3]
    assert lengths[0].get_ydata() == pytest.approx(100 * np.abs(folds).mean(0))
    assert lengths[1].get_ydata() == pytest.approx(100 * np.abs(single).mean(0))


def test_winners_figure() -> None:
    found = {images: Winners(torch.rand(12, 3), torch.rand(12, 3), torch.rand(3)) for images in (100, 400)}
    [axes] = drawn(overfitting.winners_figure((1, 2, 4), found)).axes
    for images, one in found.items():
        assert line(axes, f"{images} images")[:, 1] == pytest.approx(100 * one.overstated.mean(0).numpy())
        assert line(axes, f"_theory {images}")[:, 1] == pytest.approx(100 * one.theory.numpy())


MUTANTS = {
    "no-phase": ("phase = 2 * torch.pi", "phase = 0", check_more_waves_add),
    "the-same-wave-again": ("every[..., :width]", "every[..., [0] * width]", check_more_waves_add),
    "judged-on-one-draw": ("- truth(grid)).square()", "- truth(grid)).abs()", check_waves),
    "penalty-ignored": ("y[..., None], l2)", "y[..., None], 0.0)", check_descent),
    "left-out-is-no-noise": ("outside=outside + noise", "outside=noise", check_expected_parts),
    "no-bias-beyond": ("(max(0.0, 1 - n / p) ** 2 * inside if p else 0.0)", "0.0", check_expected_parts),
    "bias-not-squared": ("max(0.0, 1 - n / p) ** 2", "max(0.0, 1 - n / p)", check_expected_parts),
    "ridge-out-of-order": ("(with_ridge, float)[order]", "(with_ridge, float)", check_error_parts),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.figures.overfitting", MUTANTS)
