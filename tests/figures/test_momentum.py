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


def test_two_paths_are_those_of_the_best_settings() -> None:
    [axes] = drawn(momentum.two_paths(48)).axes
    lr, beta, _ = quadratics.best_heavy_ball(MU, L)
    for name, key, rate, b in [
        ("gradient descent", "gd", quadratics.best_gd(MU, L)[0], 0.0),
        ("momentum", "momentum", lr, beta),
    ]:
        expected = momentum.ravine_path(rate, b, 48).numpy()
        assert np.array_equal(line(axes, f"_{name}"), expected)
        [label] = [t for t in axes.texts if t.get_text().startswith(name)]
        assert label.get_color() == plotting.colour(key)
        left = np.linalg.norm(expected[-1]) / np.linalg.norm(expected[0])
        assert f" {100 * left:.1g}% " in label.get_text()
        (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
        assert ((expected >= [x0, y0]) & (expected <= [x1, y1])).all()  # nothing leaves the picture
    assert "48" in axes.get_title(loc="left")


def test_what_the_title_says_of_two_paths_is_so() -> None:
    gd = momentum.ravine_path(quadratics.best_gd(MU, L)[0], 0.0, 48)
    lr, beta, _ = quadratics.best_heavy_ball(MU, L)
    heavy = momentum.ravine_path(lr, beta, 48)
    left = [float(p[-1].norm() / p[0].norm()) for p in (gd, heavy)]
    assert left[1] < 1e-4 < 0.05 < left[0]


def check_regimes(module: Any) -> None:
    """What each path is called is what it does, and it does so at the pace of theory."""
    for name, share in module.REGIMES.items():
        path = module.regime_path(share, 0.36, 40).numpy()
        signs = np.sign(path)
        changes = int((signs[1:] != signs[:-1]).sum())
        low, high = {"creeps": (0, 0), "swings": (5, 15), "flips": (40, 40)}[name]
        assert low <= changes <= high, (name, changes)
        factor = float(quadratics.heavy_ball_rate(1.0, 0.36, share))
        if name != "swings":
            assert abs(path[40] / path[39]) == pytest.approx(factor, rel=1e-6)
        # the two-term recursion of the lesson, from rest
        assert path[:2] == pytest.approx([1, 1 - share])
        assert path[2:] == pytest.approx((1.36 - share) * path[1:-1] - 0.36 * path[:-2])


def test_each_regime_does_what_its_name_says() -> None:
    check_regimes(momentum)


def test_the_marks_of_the_regimes_lie_on_the_curve_and_in_their_zones() -> None:
    above, *below = drawn(momentum.three_regimes(0.36)).axes
    curve = line(above, "_factor")
    assert curve[:, 1] == pytest.approx(
        quadratics.heavy_ball_rate(1.0, 0.36, torch.from_numpy(curve[:, 0])).numpy()
    )
    zones_of_above: Any = above.patches
    zones = sorted(
        (float(zone.get_x()), float(zone.get_x() + zone.get_width()), zone.get_facecolor()[:3])
        for zone in zones_of_above
    )
    assert [zone[0] for zone in zones] == pytest.approx([0, 0.16, 2.56])
    assert [zone[1] for zone in zones] == pytest.approx([0.16, 2.56, 2.72])
    for axes, (name, share), (low, high, _) in zip(below, momentum.REGIMES.items(), zones, strict=True):
        [[x, y]] = line(above, f"_{name}").tolist()
        assert low < share < high
        assert (x, y) == pytest.approx((share, float(quadratics.heavy_ball_rate(1.0, 0.36, share))))
        assert line(axes, f"_{name}")[:, 1] == pytest.approx(momentum.regime_path(share, 0.36).numpy())
        assert name in axes.texts[0].get_text()


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
    [verdict] = [text.get_text() for text in right.texts]
    assert verdict == ("diverges" if factor >= 1 else f"{factor:.3f} per step")


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
    kappas = np.array([100.0, 300.0, 1000.0, 3000.0])
    rng = np.random.default_rng(0)
    powers = {"gradient descent": 1.0, "Nesterov": 0.5, "momentum": 0.5}
    steps = {
        name: 9 * k * kappas**power * rng.uniform(0.9, 1.1, (12, 1))
        for k, (name, power) in enumerate(powers.items(), start=1)
    }
    [axes] = drawn(momentum.steps_against_condition(kappas, steps)).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    theories = [np.column_stack(l.get_data()) for l in axes.get_lines() if "κ" in str(l.get_label())]
    for (name, power), theory in zip(powers.items(), theories, strict=True):
        assert line(axes, name)[:, 1] == pytest.approx(steps[name].mean(0))
        slopes = np.diff(np.log(theory[:, 1])) / np.diff(np.log(theory[:, 0]))
        assert slopes == pytest.approx(power)
        assert theory[0, 1] == pytest.approx(steps[name][:, 0].mean())


def test_noise_against_the_step() -> None:
    shares = np.array([0.03, 0.3, 1.9])
    equal = np.array([momentum.noise_ratio(share, 0.9) for share in shares])
    matched = np.array([momentum.noise_ratio(share, 0.9, 0.1) for share in shares])
    noise = np.random.default_rng(0).normal(1, 0.01, (12, 3))
    [axes] = drawn(momentum.noise_against_step(shares, equal * noise, matched * noise, beta=0.9)).axes
    assert line(axes, "_equal η")[:, 1] == pytest.approx((equal * noise).mean(0))
    assert line(axes, "_equal η / (1 − β)")[:, 1] == pytest.approx((matched * noise).mean(0))
    theories = [np.column_stack(l.get_data()) for l in axes.get_lines() if l.get_label() == "_theory"]
    for theory, scale in zip(theories, (1.0, 0.1), strict=True):
        for share, level in theory[::20]:
            assert level == pytest.approx(momentum.noise_ratio(share, 0.9, scale))


def check_noise_ratio(module: Any) -> None:
    plain = quadratics.noise_level(0.5, 0.0, 1.0, 1.0)
    at_equal_step = quadratics.noise_level(0.5, 0.8, 1.0, 1.0)
    at_equal_effective_step = quadratics.noise_level(0.1, 0.8, 1.0, 1.0)
    assert module.noise_ratio(0.5, 0.8) == pytest.approx(at_equal_step / plain)
    assert module.noise_ratio(0.5, 0.8, 0.2) == pytest.approx(at_equal_effective_step / plain)


def test_the_ratio_of_noise() -> None:
    check_noise_ratio(momentum)
    assert momentum.noise_ratio(1e-6, 0.9) == pytest.approx(10, rel=1e-5)
    assert momentum.noise_ratio(1e-6, 0.9, 0.1) == pytest.approx(1, rel=1e-5)


def test_loss_against_the_step() -> None:
    rates = [0.25, 0.5, 1.0]
    losses = {
        panel: {
            "gradient descent": torch.tensor([[0.1, 0.01, 2.0], [0.4, 0.04, 2.0]]),
            "momentum": torch.tensor([[0.1, 0.01, 0.001], [0.9, 0.09, 0.009]]),
        }
        for panel in ("one", "two")
    }
    panels = drawn(momentum.loss_against_step(rates, losses)).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["one", "two"]
    for axes in panels:
        assert line(axes, "_gradient descent") == pytest.approx(
            np.array([[0.25, 0.2], [0.5, 0.02], [1.0, 2.0]])
        )
        assert line(axes, "_momentum")[:, 1] == pytest.approx([0.3, 0.03, 0.003])


def test_lengths_are_relative_to_the_last_step_before_the_change() -> None:
    lengths = {name: torch.tensor([4.0, 4.0, 0.4]) * k for k, name in enumerate(("PyTorch", "classic"), 1)}
    [axes] = drawn(momentum.step_lengths(lengths, at=2)).axes
    for name in lengths:
        assert line(axes, f"_{name}") == pytest.approx(np.array([[-1, 1], [0, 1], [1, 0.1]]))


def test_steps_against_a_guess() -> None:
    steps = {
        "gradient descent": np.full((3, 1), 7000.0),
        "momentum": np.array([[900.0, 300.0, 1200.0]] * 3),
        "restarts": np.full((3, 1), 650.0),
    }
    [axes] = drawn(momentum.steps_against_guess([0.1, 1, 10], steps, kappa=1000)).axes
    assert line(axes, "momentum")[:, 1].tolist() == [900, 300, 1200]
    heights = [line.get_ydata()[0] for line in axes.get_lines() if len(set(line.get_ydata())) == 1]
    assert heights == [7000, 650]
    assert {text.get_text() for text in axes.texts} >= {
        "gradient descent, with the right μ",
        "restarts, without μ",
    }
    assert axes.get_title(loc="left").startswith("κ = 1,000")


def test_the_cycle_draws_each_path() -> None:
    paths = {name: torch.linspace(3, k, 5) for k, name in enumerate(momentum.METHODS)}
    [axes] = drawn(momentum.cycle(paths)).axes
    for name, path in paths.items():
        assert line(axes, name)[:, 1] == pytest.approx(path.numpy())


MUTANTS: dict[str, tuple[str, str, Any]] = {
    "path-without-momentum": ("lr=lr, momentum=beta)", "lr=lr)", check_path),
    "path-with-nesterov": ("lr=lr, momentum=beta)", "lr=lr, momentum=beta, nesterov=True)", check_path),
    "map-of-the-faster-direction": ("torch.maximum(slow, fast)", "torch.minimum(slow, fast)", check_map),
    "map-of-one-curvature": ("for curvature in (MU, L))", "for curvature in (L, L))", check_map),
    "regime-without-momentum": ("SGD(p, lr=share, momentum=beta)", "SGD(p, lr=share)", check_regimes),
    "regime-of-nesterov": (
        "lr=share, momentum=beta)", "lr=share, momentum=beta, nesterov=True)", check_regimes,
    ),
    "ratio-at-equal-step-only": ("scale * share, beta", "share, beta", check_noise_ratio),
    "ratio-over-itself": ("noise_level(share, 0.0, 1.0", "noise_level(share, beta, 1.0", check_noise_ratio),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.figures.momentum", MUTANTS)
