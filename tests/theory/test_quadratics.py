"""Theory's formulas against the matrices and recursions that they solve."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from course_utils.theory import quadratics
from course_utils.theory.quadratics import (
    best_gd,
    best_heavy_ball,
    best_nesterov,
    heavy_ball_rate,
    noise_level,
    steps_to,
)
from tests.mutants import mistakes

F64 = torch.float64


def check_rate(module: Any, lr: float = 0.3, beta: float = 0.5, curvature: float = 2.0) -> None:
    """(p_t, p_{t-1}) -> (p_{t+1}, p_t) is a matrix; its spectral radius is the factor per step."""
    matrix = torch.tensor([[1 + beta - lr * curvature, -beta], [1.0, 0.0]], dtype=F64)
    radius = torch.linalg.eigvals(matrix).abs().max()
    found = module.heavy_ball_rate(lr, beta, curvature)
    # where the roots meet, an eigenvalue solver itself is good to the root of eps only
    torch.testing.assert_close(found, radius, rtol=0, atol=1e-7)
    roots = torch.tensor([1 + beta - lr * curvature, -beta], dtype=F64)
    if abs(float(roots[0]) ** 2 - 4 * beta) > 0.01:
        torch.testing.assert_close(found, radius, rtol=1e-12, atol=1e-12)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.floats(0.01, 3), st.floats(0, 0.99), st.floats(0.1, 2))
def test_the_rate_is_the_spectral_radius(lr: float, beta: float, curvature: float) -> None:
    check_rate(quadratics, lr, beta, curvature)


def check_measured_pace(module: Any) -> None:
    """Measured, the pace is that of the slowest direction; the start's fast parts are not in it."""
    curvatures = torch.tensor([[0.05, 0.3, 1.0], [0.5, 0.7, 1.0]], dtype=F64)
    rates = torch.tensor([0.2, 1.0, 1.9, 2.1], dtype=F64)
    want = (1 - rates[:, None] * curvatures[:, None]).abs().amax(2)
    torch.testing.assert_close(module.measured_pace(curvatures, rates), want, rtol=0, atol=1e-6)
    lands = module.measured_pace(torch.ones(1, 2), torch.ones(1))
    assert lands.tolist() == [[0.0]]


def test_the_measured_pace_is_that_of_the_slowest_direction() -> None:
    check_measured_pace(quadratics)


def test_rates_broadcast_and_without_momentum_are_gradient_descents() -> None:
    lr = torch.linspace(0.01, 1.2, 7, dtype=F64)
    rates = heavy_ball_rate(lr[None, :], torch.tensor([[0.0], [0.9]]), 1.5)
    assert rates.shape == (2, 7)
    torch.testing.assert_close(rates[0], (1 - 1.5 * lr).abs(), rtol=1e-14, atol=1e-14)


def worst(lr: Tensor, beta: Tensor | float, mu: float, L: float) -> Tensor:
    return torch.maximum(heavy_ball_rate(lr, beta, mu), heavy_ball_rate(lr, beta, L))


def check_best(module: Any, mu: float = 1.0, L: float = 30.0) -> None:
    """No pair on a grid is better, the nearest ones are about as good, and the factor is as stated."""
    lr, factor = module.best_gd(mu, L)
    rates = torch.linspace(1e-4, 2.2 / L, 2001, dtype=F64)
    grid = worst(rates, 0.0, mu, L)
    assert factor == pytest.approx(float(worst(torch.tensor(lr, dtype=F64), 0.0, mu, L)), abs=1e-12)
    assert factor <= float(grid.min()) + 1e-12
    assert float(grid.min()) - factor < 0.002
    lr, beta, factor = module.best_heavy_ball(mu, L)
    assert factor == pytest.approx(float(worst(torch.tensor(lr, dtype=F64), beta, mu, L)), abs=1e-7)
    rates, betas = torch.linspace(1e-3, 4 / L, 401, dtype=F64), torch.linspace(0, 0.995, 400, dtype=F64)
    grid = worst(rates[None, :], betas[:, None], mu, L)
    assert factor <= float(grid.min()) + 1e-12
    assert float(grid.min()) - factor < 0.02


@pytest.mark.parametrize(("mu", "L"), [(1.0, 30.0), (0.5, 2.0), (3.0, 3.0)])
def test_the_best_settings_are_best_on_a_grid(mu: float, L: float) -> None:
    check_best(quadratics, mu, L)


def nesterov_rate(lr: float, beta: float, curvature: float) -> float:
    """(p_t, p_{t-1}) -> (p_{t+1}, p_t) with the gradient at p + beta * (p - last): its spectral radius."""
    shrink = 1 - lr * curvature
    matrix = torch.tensor([[(1 + beta) * shrink, -beta * shrink], [1.0, 0.0]], dtype=F64)
    return float(torch.linalg.eigvals(matrix).abs().max())


def check_nesterov(module: Any, mu: float = 0.02, L: float = 3.0) -> None:
    """The pace that is proved, 1 - 1 / sqrt(κ)."""
    curvatures = torch.linspace(mu, L, 60).tolist()

    def worst_of(lr: float, beta: float) -> float:
        return max(nesterov_rate(lr, beta, c) for c in curvatures)

    lr, beta = module.best_nesterov(mu, L)
    assert lr == pytest.approx(1 / L)
    assert worst_of(lr, beta) == pytest.approx(1 - (mu / L) ** 0.5, abs=1e-4)


@pytest.mark.parametrize(("mu", "L"), [(0.02, 3.0), (1.0, 25.0)])
def test_nesterovs_constants_have_the_pace_that_is_proved(mu: float, L: float) -> None:
    check_nesterov(quadratics, mu, L)


def check_noise(module: Any, lr: float = 0.3, beta: float = 0.6, curvature: float = 1.7) -> None:
    """The covariance C of (p, v) at rest: C = A C A^T + B, solved as one linear system."""
    sigma = 0.8
    # v' = beta v + curvature p + noise;  p' = p - lr v'
    a = torch.tensor([[1 - lr * curvature, -lr * beta], [curvature, beta]], dtype=F64)
    kick = torch.tensor([-lr, 1.0], dtype=F64) * sigma
    system = torch.eye(4, dtype=F64) - torch.kron(a, a)
    covariance = torch.linalg.solve(system, torch.outer(kick, kick).flatten())
    assert module.noise_level(lr, beta, curvature, sigma) == pytest.approx(float(covariance[0]), rel=1e-10)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.floats(0.01, 0.97), st.floats(0, 0.95), st.floats(0.2, 3))
def test_noise_at_rest_is_the_fixed_point(share: float, beta: float, curvature: float) -> None:
    check_noise(quadratics, 2 * (1 + beta) * share / curvature, beta, curvature)


def check_steps(module: Any, most: int = 60, nesterov: bool = False) -> None:
    generator = torch.Generator().manual_seed(0)
    curvatures = 0.05 + torch.rand(6, 3, generator=generator, dtype=F64)
    start = torch.randn(6, 3, generator=generator, dtype=F64)
    before = start.clone()
    found = module.steps_to(1e-2, 0.8, 0.5, curvatures, start, most=most, nesterov=nesterov)
    expected = []
    for c, s in zip(curvatures.tolist(), start.tolist(), strict=True):
        p, v, steps = list(s), [0.0] * 3, 0
        size = sum(x * x for x in s) ** 0.5
        while sum(x * x for x in p) ** 0.5 > 1e-2 * size and steps < most:
            g = [c[i] * p[i] for i in range(3)]
            v = [0.5 * v[i] + g[i] for i in range(3)]
            p = [p[i] - 0.8 * (g[i] + 0.5 * v[i] if nesterov else v[i]) for i in range(3)]
            steps += 1
        expected.append(steps)
    assert found.tolist() == expected
    assert max(expected) > min(expected)
    assert torch.equal(start, before)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("most", [60, 20])
def test_steps_to_a_tolerance_against_a_plain_loop(most: int, nesterov: bool) -> None:
    check_steps(quadratics, most, nesterov)


def check_restarts(module: Any, most: int = 400) -> None:
    generator = torch.Generator().manual_seed(0)
    curvatures = torch.rand(6, 3, generator=generator, dtype=F64) ** 4 + 1e-3
    start = torch.randn(6, 3, generator=generator, dtype=F64)
    before, expected = start.clone(), []
    for c, s in zip(curvatures.tolist(), start.tolist(), strict=True):
        p, v, age, steps = list(s), [0.0] * 3, 0, 0
        while math.hypot(*p) > 1e-3 * math.hypot(*s) and steps < most:
            g = [c[i] * p[i] for i in range(3)]
            age = 0 if sum(x * y for x, y in zip(g, v, strict=True)) < 0 else age + 1
            v = [age / (age + 3) * v[i] + g[i] for i in range(3)]
            p = [p[i] - 0.9 * v[i] for i in range(3)]
            steps += 1
        expected.append(steps)
    assert module.steps_with_restarts(1e-3, 0.9, curvatures, start, most=most).tolist() == expected
    assert min(expected) < max(expected) <= most
    assert torch.equal(start, before)


@pytest.mark.parametrize("most", [400, 40])
def test_steps_with_restarts_against_a_plain_loop(most: int) -> None:
    check_restarts(quadratics, most)


def test_restarts_find_the_root_of_kappa_without_mu() -> None:
    few, many = (
        float(quadratics.steps_with_restarts(1e-8, 1.0, torch.logspace(-k, 0, 30), torch.ones(30), most=9000))
        for k in (2, 4)
    )
    assert 0.4 < math.log10(many / few) / 2 < 0.6


def test_what_diverges_takes_the_most_steps() -> None:
    far = steps_to(0.1, 3.0, 0.0, torch.ones(1, 1), torch.ones(1, 1), most=2000)
    assert far.tolist() == [2000]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: best_gd(2.0, 1.0), "need 0 < mu <= L, got mu=2.0, L=1.0"),
        (lambda: best_heavy_ball(0.0, 1.0), "need 0 < mu <= L"),
        (lambda: best_nesterov(2.0, 1.0), "need 0 < mu <= L"),
        (lambda: noise_level(2.0, 0.0, 1.0, 1.0), "need 0 < lr"),
        (lambda: noise_level(0.1, 1.0, 1.0, 1.0), "beta < 1"),
        (lambda: noise_level(0.0, 0.5, 1.0, 1.0), "need 0 < lr"),
    ],
)
def test_bad_input(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


MUTANTS: dict[str, tuple[str, str, Callable[[Any], None]]] = {
    "over-the-whole-run": ("if step >= steps // 2:", "if step >= 0:", check_measured_pace),
    "not-scaled-back": ("p = p / length.clamp", "p = p * length.clamp", check_measured_pace),
    "swings-like-beta": ("4 * beta, beta.sqrt(), apart", "4 * beta, beta, apart", check_rate),
    "never-swings": ("torch.where(b**2 < 4 * beta, beta.sqrt(), apart)", "apart", check_rate),
    "damped-step": (
        "b = 1 + beta - lr * curvature", "b = 1 + beta - (1 - beta) * lr * curvature",
        lambda module: check_rate(module, lr=2.0, beta=0.1, curvature=1.5),
    ),
    "gd-at-the-edge": ("return 2 / (L + mu)", "return 2 / L", check_best),
    "beta-not-squared": ("(2 / (a + b)) ** 2, factor**2", "(2 / (a + b)) ** 2, factor", check_best),
    "noise-forgets-momentum": (
        "lr * sigma**2 * (1 + beta) / (curvature * (1 - beta)", "lr * sigma**2 / (curvature", check_noise,
    ),
    "noise-edge-of-plain-sgd": ("(2 * (1 + beta) - lr * curvature))", "(2 - lr * curvature))", check_noise),
    "nesterov-of-the-heavy-ball": (
        "return 1 / L, (root - 1) / (root + 1)", "return 1 / L, ((root - 1) / (root + 1)) ** 2",
        check_nesterov,
    ),
    "no-look-ahead": (
        "gradient.add_(v, alpha=beta) if nesterov else v", "v",
        lambda module: check_steps(module, nesterov=True),
    ),
    "looks-ahead-undamped": (
        "gradient.add_(v, alpha=beta)", "gradient.add_(v)", lambda module: check_steps(module, nesterov=True)
    ),
    "counts-from-zero": (
        "steps[(p.norm(dim=-1) <= goal) & (steps == most)] = step",
        "steps[(p.norm(dim=-1) <= goal) & (steps == most)] = step - 1",
        check_steps,
    ),
    "starts-with-velocity": (
        "v = torch.zeros_like(start, dtype=torch.float64)\n\n",
        "v = torch.ones_like(start, dtype=torch.float64)\n\n",
        check_steps,
    ),
    "never-restarts": ("torch.where(uphill, 0.0, age + 1)", "age + 1", check_restarts),
    "restarts-downhill": ("keepdim=True) < 0", "keepdim=True) > 0", check_restarts),
    "grows-twice-as-fast": ("age + 1)", "age + 2)", check_restarts),
    "forgets-the-gradient-too": (
        "v.mul_(age / (age + 3)).add_(gradient)", "v.add_(gradient).mul_(age / (age + 3))", check_restarts,
    ),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.theory.quadratics", MUTANTS)


def check_spectra(module: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = module.spectra(100.0, 4000, generator, d=5)
    assert drawn.shape == (4000, 5)
    assert drawn.dtype == torch.float64
    assert torch.equal(drawn.amin(1), torch.full((4000,), 0.01, dtype=torch.float64))
    assert torch.equal(drawn.amax(1), torch.ones(4000, dtype=torch.float64))
    # even in the logarithm: half of the others lie below the middle, 1/10
    assert abs(float((drawn[:, 2:] < 0.1).double().mean()) - 0.5) < 0.03
    with pytest.raises(ValueError, match="need kappa >= 1"):
        module.spectra(0.5, 1, generator)


def test_spectra_have_their_condition_number() -> None:
    check_spectra(quadratics)


test_a_mistake_in_spectra_is_noticed = mistakes(
    "course_utils.theory.quadratics",
    [
        ("curvatures[:, 0], curvatures[:, 1] = 1 / kappa, 1", "pass"),
        ("kappa ** (torch.rand(", "(1 / kappa) + (1 - 1 / kappa) * (1 + torch.rand("),
    ],
    check=check_spectra,
)
