"""Surfaces: gradients against autograd, minima, grids without loops, noise, and mutants to catch."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from course_utils import problems
from course_utils.problems import (
    SURFACES,
    Problem,
    noisy,
    plateau,
    quadratic,
    rastrigin,
    ravine,
    rosenbrock,
    saddle,
    styblinski_tang,
)
from tests.mutants import mistakes

# Every surface as it comes, and with its arguments changed.
CASES: dict[str, Callable[[ModuleType], Problem]] = {
    **{name: partial(lambda name, m: m.SURFACES[name](), name) for name in SURFACES},
    "quadratic-1d": lambda m: m.quadratic([2.0]),
    "quadratic-turned": lambda m: m.quadratic((0.5, 20.0), angle=0.7),
    "quadratic-4d": lambda m: m.quadratic((1, 2, 3, 4), angle=-0.3),
    "ravine-turned": lambda m: m.ravine(1000.0, angle=math.pi / 6),
    "rosenbrock-wide": lambda m: m.rosenbrock(2.0, 5.0),
    "plateau-narrow": lambda m: m.plateau(0.3),
    "rastrigin-5d": lambda m: m.rastrigin(5),
    "styblinski_tang-1d": lambda m: m.styblinski_tang(1),
    "styblinski_tang-3d": lambda m: m.styblinski_tang(3),
}


def inside(problem: Problem, *shape: int, seed: int = 0) -> Tensor:
    """Points uniform over the region that the problem says is worth drawing."""
    low, high = torch.tensor(problem.bounds, dtype=torch.float64).T
    g = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(*shape, problem.dim, generator=g, dtype=torch.float64)


def check_gradient(module: ModuleType, case: str) -> None:
    problem = CASES[case](module)
    p = inside(problem, 300).requires_grad_()
    (want,) = torch.autograd.grad(problem(p).sum(), p)
    torch.testing.assert_close(problem.grad(p.detach()), want, rtol=1e-11, atol=1e-11)


def check_minima(module: ModuleType, case: str) -> None:
    """No gradient, all curvatures upward, equal values, and nothing lower in the region."""
    problem = CASES[case](module)
    values = problem(problem.minima)
    assert problem.grad(problem.minima).abs().amax() < 1e-12
    torch.testing.assert_close(values, values[:1].expand_as(values), rtol=1e-14, atol=1e-13)
    for minimum in problem.minima:
        hessian = torch.autograd.functional.hessian(problem.f, minimum)
        assert torch.linalg.eigvalsh(hessian).min() > 1e-3
    assert problem(inside(problem, 20_000)).min() > values.max()


WITH_MINIMA = [name for name in CASES if "saddle" not in name]


@pytest.mark.parametrize("case", CASES)
def test_gradient_is_autograds(case: str) -> None:
    check_gradient(problems, case)


@pytest.mark.parametrize("case", WITH_MINIMA)
def test_minima(case: str) -> None:
    problem = CASES[case](problems)
    if case in ("himmelblau", "styblinski_tang", "styblinski_tang-1d", "styblinski_tang-3d"):
        assert problem.grad(problem.minima).abs().amax() < 1e-12  # irrational: zero to rounding
    else:
        assert not problem.grad(problem.minima).any()
    check_minima(problems, case)


def test_number_of_minima() -> None:
    """Descent from a grid of starts ends at the four listed, each found, and at nothing else."""
    himmelblau = SURFACES["himmelblau"]()
    p = inside(himmelblau, 200)
    for _ in range(3000):
        p = p - 0.005 * himmelblau.grad(p)
    distance = (p[:, None] - himmelblau.minima).norm(dim=-1)
    assert distance.amin(1).max() < 1e-9
    assert set(distance.argmin(1).tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize("name", ["beale", "saddle", "monkey_saddle"])
def test_saddles_are_stationary_and_neither_up_nor_down(name: str) -> None:
    problem = SURFACES[name]()
    assert len(problem.saddles) == 1
    assert not problem.grad(problem.saddles).any()
    around = torch.linspace(0, 2 * math.pi, 721, dtype=torch.float64)
    ring = problem.saddles[0] + 1e-2 * torch.stack([around.cos(), around.sin()], -1)
    change = problem(ring) - problem(problem.saddles[0])
    assert change.min() < -1e-7
    assert change.max() > 1e-7


@pytest.mark.parametrize("name", ["saddle", "monkey_saddle"])
def test_no_minimum_no_floor(name: str) -> None:
    problem = SURFACES[name]()
    assert problem.minima.shape == (0, 2)
    directions = inside(problem, 50)
    assert problem(1000 * directions).min() < problem(directions).min() - 1000


@pytest.mark.parametrize("case", CASES)
def test_a_grid_needs_no_loop(case: str) -> None:
    problem = CASES[case](problems)
    p = inside(problem, 5, 7)
    values, gradients = problem(p), problem.grad(p)
    assert values.shape == (5, 7)
    assert gradients.shape == p.shape
    for i in range(5):
        for j in range(7):  # one at a time sums in another order, hence not bit for bit
            torch.testing.assert_close(problem(p[i, j]), values[i, j], rtol=1e-13, atol=1e-13)
            torch.testing.assert_close(problem.grad(p[i, j]), gradients[i, j], rtol=1e-13, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_the_parts_fit_together(case: str) -> None:
    problem = CASES[case](problems)
    assert problem.dim == len(problem.bounds)
    assert problem.minima.shape[1:] == problem.saddles.shape[1:] == problem.start.shape == (problem.dim,)
    assert {t.dtype for t in (problem.minima, problem.saddles, problem.start)} == {torch.float64}
    for point in (problem.start, *problem.minima, *problem.saddles):
        assert all(low <= x <= high for x, (low, high) in zip(point.tolist(), problem.bounds, strict=True))
    assert problem.grad(problem.start).norm() > 1e-4  # a start that descent leaves
    assert problem.name
    assert problem.source


@pytest.mark.parametrize("case", CASES)
def test_dtype_follows_the_point(case: str) -> None:
    problem = CASES[case](problems)
    p = problem.start.float()
    assert problem(p).dtype == problem.grad(p).dtype == torch.float32


def check_curvature(module: ModuleType) -> None:
    """The Hessian has the eigenvalues asked for, and eigenvectors turned by the angle asked for."""
    problem = module.quadratic((1.0, 9.0, 4.0), angle=0.4)
    hessian = torch.autograd.functional.hessian(problem.f, problem.start)
    c, s = math.cos(0.4), math.sin(0.4)
    vectors = torch.tensor([[c, s, 0], [-s, c, 0], [0, 0, 1]], dtype=torch.float64)
    values = torch.tensor([1.0, 9.0, 4.0], dtype=torch.float64)
    torch.testing.assert_close(vectors @ hessian, values[:, None] * vectors, rtol=1e-12, atol=1e-12)
    long = torch.linalg.eigvalsh(
        torch.autograd.functional.hessian(module.ravine(50.0).f, torch.ones(2).double())
    )
    assert long.tolist() == [1.0, 50.0]


def test_quadratic_has_the_curvatures_asked_for() -> None:
    check_curvature(problems)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=6), st.floats(-3.2, 3.2), st.floats(0.01, 0.99))
def test_descent_on_a_quadratic_contracts_as_theory_says(
    eigenvalues: list[float], angle: float, part: float
) -> None:
    """One step of size 2 part / L multiplies the error by at most max |1 - step * eigenvalue|."""
    problem = quadratic(eigenvalues, angle=angle)
    step = 2 * part / max(eigenvalues)
    after = problem.start - step * problem.grad(problem.start)
    bound = max(abs(1 - step * e) for e in eigenvalues)
    assert after.norm() <= bound * problem.start.norm() * (1 + 1e-12) + 1e-12


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.floats(-3.2, 3.2))
def test_turning_a_ravine_turns_the_whole_picture(angle: float) -> None:
    straight, turned = ravine(30.0), ravine(30.0, angle=angle)
    c, s = math.cos(angle), math.sin(angle)
    rotation = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    p = inside(straight, 20)
    torch.testing.assert_close(turned.start, rotation @ straight.start, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(turned(p @ rotation.T), straight(p), rtol=1e-10, atol=1e-10)


def test_a_saddle_holds_only_what_starts_on_its_ridge() -> None:
    def descend(y: float) -> Tensor:
        p = torch.tensor([1.0, y], dtype=torch.float64)
        for _ in range(200):
            p = p - 0.1 * saddle().grad(p)
        return p

    assert descend(0.0).norm() < 1e-8
    assert descend(1e-9)[1] > 0.1


def test_values_known_from_the_literature() -> None:
    assert rosenbrock()(torch.tensor([-1.2, 1.0], dtype=torch.float64)).item() == pytest.approx(
        24.2, rel=1e-12
    )
    corner = torch.tensor([1.0, 1.0], dtype=torch.float64)
    assert SURFACES["beale"]()(corner).item() == pytest.approx(14.203125, rel=1e-12)
    assert SURFACES["himmelblau"]()(0 * corner).item() == 170.0
    assert rastrigin()(corner).item() == pytest.approx(2.0, rel=1e-12)
    deepest = styblinski_tang()(styblinski_tang().minima)[0].item()
    assert deepest == pytest.approx(2 * -39.16616570377142, rel=1e-14)
    width = plateau(2.0)(torch.tensor([2.0, 0.0], dtype=torch.float64)).item()
    assert width == pytest.approx(1 - math.exp(-0.5), rel=1e-12)


def check_noise(module: ModuleType) -> None:
    """Mean, deviation and independence of the noise, at 5 standard errors of 40,000 draws."""
    n, sigma = 40_000, 0.5
    problem = module.noisy(module.quadratic(), sigma, generator=torch.Generator().manual_seed(0))
    p = problem.start.expand(n, 2)
    noise = problem.grad(p) - module.quadratic().grad(p)
    assert noise.mean(0).abs().max() < 5 * sigma / n**0.5
    assert (noise.std(0) - sigma).abs().max() < 5 * sigma / (2 * n) ** 0.5
    assert torch.corrcoef(noise.T)[0, 1].abs() < 5 / n**0.5
    assert not torch.equal(problem.grad(p), problem.grad(p))  # fresh at every call


def test_noise() -> None:
    check_noise(problems)


def test_noise_comes_from_the_generator_alone() -> None:
    before = torch.get_rng_state()
    one, same, other = (
        noisy(rosenbrock(), 1.0, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    p = rosenbrock().start
    g = one.grad(p)
    assert torch.equal(g, same.grad(p))
    assert not torch.equal(g, other.grad(p))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one(p), rosenbrock()(p))
    assert one.name == "noisy rosenbrock"
    calm = noisy(rosenbrock(), 0.0, generator=torch.Generator())
    assert torch.equal(calm.grad(p), rosenbrock().grad(p))


BAD = [
    (lambda: quadratic(()), "need at least one eigenvalue"),
    (lambda: quadratic((1.0, -2.0)), r"need eigenvalues > 0, got eigenvalues=\(1.0, -2.0\)"),
    (lambda: quadratic((1.0,), angle=0.3), r"need two eigenvalues for an angle, got eigenvalues=\(1.0,\)"),
    (lambda: ravine(0.5), "need condition >= 1, got condition=0.5"),
    (lambda: rosenbrock(b=0), "need b > 0, got b=0"),
    (lambda: plateau(0.0), "need width > 0, got width=0.0"),
    (lambda: rastrigin(0), "need an integer dim >= 1, got dim=0"),
    (lambda: styblinski_tang(1.5), "need an integer dim >= 1, got dim=1.5"),
    (lambda: noisy(saddle(), -1.0, generator=torch.Generator()), "need sigma >= 0, got sigma=-1.0"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_impossible_arguments(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("case", CASES)
def test_impossible_points(case: str) -> None:
    problem = CASES[case](problems)
    for ask in (problem, problem.grad):
        with pytest.raises(
            ValueError, match=rf"need points of shape \(..., {problem.dim}\), got shape=\(9,\)"
        ):
            ask(torch.zeros(9))
        with pytest.raises(ValueError, match=r"need points of a floating type, got dtype=torch.int64; call"):
            ask(torch.zeros(problem.dim, dtype=torch.int64))


def gradient_of(case: str) -> Callable[[ModuleType], None]:
    return lambda module: check_gradient(module, case)


def minima_of(case: str) -> Callable[[ModuleType], None]:
    return lambda module: check_minima(module, case)


# The text replaced occurs once in the module; the check named must notice.
MUTANTS = [
    pytest.param("(c, -s), (s, c)", "(c, s), (-s, c)", check_curvature, id="turned-the-other-way"),
    pytest.param(
        "(p * grad(p)).sum(-1) / 2", "(p * grad(p)).sum(-1)", gradient_of("quadratic"), id="half-lost"
    ),
    pytest.param(
        "- 4 * b * x * (y", "- 2 * b * x * (y", gradient_of("rosenbrock"), id="chain-rule-rosenbrock"
    ),
    pytest.param(
        "_points((a, a**2))", "_points((a, a))", minima_of("rosenbrock-wide"), id="minimum-misplaced"
    ),
    pytest.param("x * i * y ** (i - 1)", "x * y ** (i - 1)", gradient_of("beale"), id="chain-rule-beale"),
    pytest.param("4 * x * u + 2 * v", "4 * x * u + v", gradient_of("himmelblau"), id="cross-term"),
    pytest.param(
        "torch.stack([x, -y], -1)", "torch.stack([x, y], -1)", gradient_of("saddle"), id="no-saddle"
    ),
    pytest.param("-6 * x * y", "6 * x * y", gradient_of("monkey_saddle"), id="monkey-sign"),
    pytest.param("p / width**2 *", "p / width *", gradient_of("plateau-narrow"), id="width-not-squared"),
    pytest.param("20 * math.pi", "10 * math.pi", gradient_of("rastrigin"), id="inner-derivative"),
    pytest.param("16 * p + 2.5", "16 * p + 5", gradient_of("styblinski_tang"), id="half-of-the-last-term"),
    pytest.param("1.848126526964404", "1.848126", minima_of("himmelblau"), id="minimum-rounded"),
    pytest.param("-2.903534027771177", "2.746802770990113", minima_of("styblinski_tang"), id="local-minimum"),
    pytest.param("torch.randn(g.shape", "torch.rand(g.shape", check_noise, id="uniform-noise"),
    pytest.param("g + sigma * torch", "g + sigma**2 * torch", check_noise, id="variance-for-deviation"),
    pytest.param("torch.randn(g.shape,", "torch.randn(g.shape[-1:],", check_noise, id="one-draw-for-all"),
]


test_mutant_is_caught = mistakes("course_utils.problems", MUTANTS)
