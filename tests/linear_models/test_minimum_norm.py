"""Least squares from too few weights to too many: against pinv, scikit-learn, gradient descent, sampling."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from sklearn.linear_model import Ridge

from course_utils.linear_models import minimum_norm
from course_utils.linear_models.minimum_norm import least_squares, minimum_norm_risk
from tests.mutants import mistakes

DOUBLE = torch.float64


def problem(n: int, d: int, seed: int = 0, batch: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shape = (batch,) if batch else ()
    return (
        torch.randn(*shape, n, d, generator=generator, dtype=DOUBLE),
        torch.randn(*shape, n, 2, generator=generator, dtype=DOUBLE),
    )


def check_shortest(module: Any) -> None:
    for n, d in ((12, 5), (5, 12), (6, 6)):
        x, y = problem(n, d)
        p = module.least_squares(x, y)
        assert p.shape == (3, d, 2)
        torch.testing.assert_close(p, torch.linalg.pinv(x) @ y, rtol=1e-10, atol=1e-10)


def check_ridge(module: Any) -> None:
    for n, d, l2 in ((12, 5, 0.3), (5, 12, 0.01)):
        x, y = problem(n, d, batch=0)
        expected = Ridge(alpha=n * l2, fit_intercept=False).fit(x.numpy(), y.numpy()).coef_.T
        ours = module.least_squares(x, y, l2)
        torch.testing.assert_close(ours, torch.from_numpy(expected.copy()), rtol=1e-9, atol=1e-11)


def check_dependent(module: Any) -> None:
    """Dead and doubled columns: still finite, still the shortest, in every problem of a batch."""
    x, y = problem(8, 6)
    x[..., 2], x[..., 4] = 0, x[..., 1]
    x[1:, :, 5] = x[1:, :, 0]
    p = module.least_squares(x, y)
    torch.testing.assert_close(p, torch.linalg.pinv(x) @ y, rtol=1e-9, atol=1e-10)
    assert float(p[:, 2].abs().max()) < 1e-12
    torch.testing.assert_close(p[:, 1], p[:, 4], rtol=1e-9, atol=1e-11)


def check_risk(module: Any) -> None:
    """The mean over many training sets, at p far enough from n for the mean to be steady."""
    generator = torch.Generator().manual_seed(1)
    n, noise, sets = 12, 0.5, 4000
    weights = torch.linspace(1, 0.2, 40, dtype=DOUBLE)
    x = torch.randn(sets, n, 40, generator=generator, dtype=DOUBLE)
    y = x @ weights[:, None] + noise**0.5 * torch.randn(sets, n, 1, generator=generator, dtype=DOUBLE)
    for p in (2, 5, 24, 40):
        fitted = torch.linalg.pinv(x[..., :p]) @ y
        inside, outside = float((weights[:p] ** 2).sum()), float((weights[p:] ** 2).sum()) + noise
        risks = (fitted[..., 0] - weights[:p]).square().sum(-1) + outside
        theory = module.minimum_norm_risk(n, p, inside=inside, outside=outside)
        assert abs(float(risks.mean()) - theory) <= 4 * float(risks.std()) / sets**0.5
        assert 4 * float(risks.std()) / sets**0.5 < 0.12 * theory


def check_threshold(module: Any) -> None:
    found = [module.minimum_norm_risk(10, p, inside=1.0, outside=1.0) for p in range(7, 14)]
    assert [math.isinf(value) for value in found] == [False, False, True, True, True, False, False]
    assert found[1] == 1 + 8 / 1
    assert found[5] == pytest.approx(1 - 10 / 12 + 1 + 10 / 1, rel=1e-15)


@pytest.mark.parametrize("check", [check_shortest, check_ridge, check_dependent, check_risk, check_threshold])
def test_interpolation(check: Any) -> None:
    check(minimum_norm)


def test_gradient_descent_from_zero_ends_there() -> None:
    x, y = problem(6, 15, batch=0)
    p = torch.zeros(15, 2, dtype=DOUBLE)
    for _ in range(4000):
        p = p - 0.1 * x.T @ (x @ p - y) / 6
    torch.testing.assert_close(p, least_squares(x, y), rtol=1e-10, atol=1e-12)


def test_a_falling_penalty_tends_to_the_shortest() -> None:
    x, y = problem(5, 9, batch=0)
    gaps = [float((least_squares(x, y, l2) - least_squares(x, y)).norm()) for l2 in (1e-2, 1e-4, 1e-6)]
    assert gaps[0] > 50 * gaps[1] > 50 * 50 * gaps[2] > 0


BAD = [
    (lambda: least_squares(torch.ones(3, 2).long(), torch.ones(3, 1)), "need x of a floating-point dtype"),
    (lambda: least_squares(torch.ones(3, 2), torch.ones(3)), r"need x of shape \(\.\.\., n, d\) and y"),
    (lambda: least_squares(torch.ones(3, 2), torch.ones(4, 1)), r"x=\(3, 2\), y=\(4, 1\)"),
    (lambda: least_squares(torch.ones(3, 2), torch.ones(3, 1), -1.0), "need l2 >= 0, got l2=-1.0"),
    (lambda: minimum_norm_risk(0, 2, inside=1.0, outside=1.0), "need n >= 1 and p >= 0"),
    (lambda: minimum_norm_risk(3, 2, inside=1.0, outside=-1.0), "outside=-1.0"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


BEYOND = "return inside * (1 - n / p) + outside * (1 + "
MUTANTS = {
    "no-n-in-the-penalty": ("s / (s**2 + n * l2), torch", "s / (s**2 + l2), torch", check_ridge),
    "s-squared": ("s / (s**2 + n * l2), torch", "s**2 / (s**2 + n * l2), torch", check_shortest),
    "no-cut-off": ("s > rounding", "s >= 0", check_dependent),
    "n-minus-p": ("return outside * (1 + p / (n - p - 1))", "return outside * (1 + p / (n - p))", check_risk),
    "no-lost-signal": ("return inside * (1 - n / p) + ", "return ", check_risk),
    "p-for-n": (f"{BEYOND}n / (p - n - 1))", f"{BEYOND}p / (p - n - 1))", check_risk),
    "finite-at-n-plus-1": ("if p >= n + 2", "if p > n + 2", check_threshold),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.linear_models.minimum_norm", MUTANTS)
