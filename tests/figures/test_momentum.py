"""The data behind the figures of lesson 05."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from course_utils import plotting
from course_utils.figures import momentum
from course_utils.figures.momentum import MU, L
from course_utils.theory import quadratics
from tests.mutants import mistakes


def drawn(figure: Figure) -> Figure:
    """Rendered once, so that what fails only then fails here."""
    FigureCanvasAgg(figure).draw()
    return figure


def line(axes: Any, label: str) -> np.ndarray[Any, Any]:
    """The points (T, 2) of the one line with this label."""
    [found] = [line for line in axes.get_lines() if line.get_label() == label]
    return np.column_stack(found.get_data()).astype(float)


def check_path(module: Any, lr: float = 0.03, beta: float = 0.6) -> None:
    """In the eigenbasis each coordinate follows p_{t+1} = (1 + beta - lr c) p_t - beta p_{t-1}."""
    c, s = np.cos(module.ANGLE), np.sin(module.ANGLE)
    path = module.ravine_path(lr, beta, 20).numpy()
    for turn in (np.array([[c, -s], [s, c]]), np.array([[c, s], [-s, c]])):
        p = path @ turn
        first = p[1] - (1 - lr * np.array([MU, L])) * p[0]
        rest = p[2:] - (1 + beta - lr * np.array([MU, L])) * p[1:-1] + beta * p[:-2]
        if max(np.abs(rest).max(), np.abs(first).max()) < 1e-12:
            break
    else:
        raise AssertionError("no rotation by ANGLE separates the coordinates")
    assert path.shape == (21, 2)
    assert path[0].tolist() == module.START.tolist()


def check_map(module: Any) -> None:
    z = module.rate_map()
    assert z.shape == (len(module.BETAS), len(module.RATES))
    for i, j in [(0, 10), (50, 30), (99, 99), (80, 5), (20, 70)]:
        lr, beta = module.RATES[j], module.BETAS[i]
        radii = []
        for curvature in (MU, L):
            step = torch.tensor([[1 + beta - lr * curvature, -beta], [1.0, 0.0]], dtype=torch.float64)
            radii.append(float(torch.linalg.eigvals(step).abs().max()))
        assert float(z[i, j]) == pytest.approx(max(radii), abs=1e-7)


def test_the_path_and_the_map() -> None:
    check_path(momentum)
    check_map(momentum)


@pytest.mark.parametrize("upto", [None, 0, 7])
def test_two_paths_are_those_of_the_best_settings(upto: int | None) -> None:
    [axes] = drawn(momentum.two_paths(48, upto)).axes
    lr, beta, _ = quadratics.best_heavy_ball(MU, L)
    end = 48 if upto is None else upto
    for name, key, rate, b in [
        ("gradient descent", "gd", quadratics.best_gd(MU, L)[0], 0.0),
        ("momentum", "momentum", lr, beta),
    ]:
        expected = momentum.ravine_path(rate, b, 48)[: end + 1].numpy()
        assert np.array_equal(line(axes, f"_{name}"), expected)
        [label] = [t for t in axes.texts if t.get_text().startswith(name)]
        assert label.get_color() == plotting.colour(key)
        left = np.linalg.norm(expected[-1]) / np.linalg.norm(expected[0])
        assert f" {left:.1g} " in label.get_text()
        (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
        assert ((expected >= [x0, y0]) & (expected <= [x1, y1])).all()  # nothing leaves the picture
    assert str(end) in axes.get_title(loc="left")


def test_what_the_title_says_of_two_paths_is_so() -> None:
    gd = momentum.ravine_path(quadratics.best_gd(MU, L)[0], 0.0, 48)
    lr, beta, _ = quadratics.best_heavy_ball(MU, L)
    heavy = momentum.ravine_path(lr, beta, 48)
    left = [float(p[-1].norm() / p[0].norm()) for p in (gd, heavy)]
    assert left[1] < 1e-4 < 0.05 < left[0]


@pytest.mark.parametrize(("lr", "beta"), [(0.02, 0.5), (0.06, 0.0), (0.1, 0.99)])
def test_the_map_and_the_path_of_one_choice(lr: float, beta: float) -> None:
    figure = drawn(momentum.rate_map_and_path(lr, beta))
    left, right = figure.axes[:2]
    z = momentum.rate_map().numpy()
    mesh = left.collections[0]
    shown = mesh.get_array()
    assert shown.mask.reshape(z.shape).tolist() == (z >= 1).tolist()  # white where it does not shrink
    assert shown.compressed().tolist() == z[z < 1].tolist()
    assert mesh.get_clim() == (0.7, 1.0)
    star, here = (np.ravel(p.get_xydata()) for p in left.get_lines()[-2:])
    assert star == pytest.approx(quadratics.best_heavy_ball(MU, L)[:2])
    assert here == pytest.approx([lr, beta])
    assert np.array_equal(line(right, "_path"), momentum.ravine_path(lr, beta).clamp(-50, 50).numpy())
    factor = max(float(quadratics.heavy_ball_rate(lr, beta, c)) for c in (MU, L))
    assert right.get_title(loc="left").endswith("diverges" if factor >= 1 else f"{factor:.3f} per step")


def test_the_edge_of_stability_is_the_maps() -> None:
    """The dashed line beta = lr L / 2 - 1 parts factors below 1 from those above."""
    edge = momentum.RATES * L / 2 - 1
    z = momentum.rate_map().numpy()
    below = momentum.BETAS[:, None] < edge[None, :] - 1e-9
    above = momentum.BETAS[:, None] > edge[None, :] + 1e-9
    assert (z[below] > 1).all()
    assert (z[above] < 1).all()
    assert below.any()


def test_steps_against_the_condition_number() -> None:
    kappas = np.array([10.0, 30.0, 100.0, 300.0])
    rng = np.random.default_rng(0)
    gd = 9 * kappas * rng.uniform(0.9, 1.1, (12, 1))
    heavy = 9 * kappas**0.5 * rng.uniform(0.9, 1.1, (12, 1))
    [axes] = drawn(momentum.steps_against_condition(kappas, gd, heavy)).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    for name, values, power in [("gradient descent", gd, 1.0), ("momentum", heavy, 0.5)]:
        assert line(axes, name)[:, 1] == pytest.approx(values.mean(0))
        theory = line(axes, "_κ" if power == 1 else "_√κ")
        slopes = np.diff(np.log(theory[:, 1])) / np.diff(np.log(theory[:, 0]))
        assert slopes == pytest.approx(power)
        assert theory[0, 1] == pytest.approx(values[:, 0].mean())
    assert {"gradient descent", "momentum", "slope 1", "slope ½"} == {t.get_text() for t in axes.texts}


def test_noise_against_beta() -> None:
    betas = np.array([0.0, 0.5, 0.9])
    base = quadratics.noise_level(0.1, 0.0, 1.0, 1.0)
    equal = np.array([quadratics.noise_level(0.1, b, 1.0, 1.0) for b in betas]) / base
    matched = np.array([quadratics.noise_level(0.1 * (1 - b), b, 1.0, 1.0) for b in betas]) / base
    noise = np.random.default_rng(0).normal(1, 0.01, (12, 3))
    [axes] = drawn(momentum.noise_against_beta(betas, equal * noise, matched * noise, lr=0.1)).axes
    assert line(axes, "equal η")[:, 1] == pytest.approx((equal * noise).mean(0))
    theories = [np.column_stack(l.get_data()) for l in axes.get_lines() if l.get_label() == "_theory"]
    assert len(theories) == 2
    for theory, longer in zip(theories, (False, True), strict=True):
        for k, level in theory[::10]:  # against 1 / (1 - beta)
            rate = 0.1 / k if longer else 0.1
            assert level == pytest.approx(quadratics.noise_level(rate, 1 - 1 / k, 1.0, 1.0) / base)
        assert theory[[0, -1], 0] == pytest.approx([1, 10])
    assert axes.get_yscale() == "log"


MUTANTS: dict[str, tuple[str, str, Any]] = {
    "path-without-momentum": ("SGD(p, lr=lr, momentum=beta)", "SGD(p, lr=lr)", check_path),
    "path-with-nesterov": ("momentum=beta)", "momentum=beta, nesterov=True)", check_path),
    "map-of-the-faster-direction": ("torch.maximum(slow, fast)", "torch.minimum(slow, fast)", check_map),
    "map-of-one-curvature": ("for curvature in (MU, L))", "for curvature in (L, L))", check_map),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.figures.momentum", MUTANTS)
