"""The closed forms of the exponential average, against the average that they are about."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import Tensor

from course_utils.averaging import ewma
from course_utils.exercises.lesson_04_exponential_averages import correlated_variance
from course_utils.theory import averages
from tests.mutants import mistakes

NAME = "course_utils.theory.averages"
BETAS = (0.0, 0.5, 0.9, 0.98)
EYE = torch.eye(
    1200, dtype=torch.float64
)  # its average has, in row t, the weights of the reading after t values
T = torch.arange(1, 1201, dtype=torch.float64)


def weights(beta: float, start: str) -> Tensor:
    if start == "first value":
        return ewma(EYE, beta, start="first")
    return ewma(EYE, beta, bias_correction=start == "corrected")


def check_error(module: ModuleType) -> None:
    """Variance: the sum of squared weights. Bias: what the weights lack of 1, times the level."""
    for beta in BETAS:
        for start in ("uncorrected", "corrected", "first value"):
            w = weights(beta, start)
            for level in (0.0, 0.3, -2.0):
                want = w.square().sum(1) + ((w.sum(1) - 1) * level) ** 2
                got = module.squared_error(beta, T, start=start, level=level)
                torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-14)


def check_wave(module: ModuleType) -> None:
    """A cosine through `ewma`, and the mean square of what it is off by."""
    days = torch.arange(4000, dtype=torch.float64)
    for beta in BETAS:
        for period in (7, 400):
            omega = 2 * math.pi / period
            wave = torch.cos(omega * days)
            came, H = ewma(wave, beta), module.wave_response(beta, omega)
            want = H.abs() * torch.cos(omega * days + H.angle())
            torch.testing.assert_close(came[-800:], want[-800:], rtol=0, atol=1e-10)
            lost = (came - wave)[-2800:].square().mean()  # whole periods
            got = module.tracking_error(beta, noise=3.0, amplitude=5.0, omega=omega)
            assert got.item() == pytest.approx(9 * (1 - beta) / (1 + beta) + 25 * lost.item(), rel=1e-9)


def check_left(module: ModuleType) -> None:
    """w' C w for the newest weights and the covariance that the docstring states."""
    apart = (T[:, None] - T[None]).abs()
    for beta in BETAS:
        w = weights(beta, "corrected")[-1]
        for phi in (0.0, 0.8, -0.5):
            C = torch.tensor(phi, dtype=torch.float64) ** apart
            assert module.variance_left(beta, phi=phi).item() == pytest.approx((w @ C @ w).item(), rel=1e-8)
            assert correlated_variance(beta, phi) == pytest.approx((w @ C @ w).item(), rel=1e-8)


def check_shuffled(module: ModuleType) -> None:
    for beta in BETAS:
        for batches in (2, 10):
            block = (batches * torch.eye(batches, dtype=torch.float64) - 1) / (batches - 1)
            C = torch.block_diag(*[block] * (1200 // batches))
            w = weights(beta, "corrected")[-batches:]  # the places in an epoch
            want = ((w @ C) * w).sum(1).mean().item()
            assert module.variance_left_shuffled(beta, batches).item() == pytest.approx(want, rel=1e-8)


def test_squared_error() -> None:
    check_error(averages)


def test_wave_response() -> None:
    check_wave(averages)


def test_variance_left() -> None:
    check_left(averages)


def test_variance_left_shuffled() -> None:
    check_shuffled(averages)


def test_shapes() -> None:
    betas = torch.tensor(BETAS, dtype=torch.float64)
    for values in (
        averages.wave_response(betas, 0.1),
        averages.tracking_error(betas, noise=1.0, amplitude=2.0, omega=0.1),
        averages.variance_left(betas, phi=0.5),
        averages.variance_left_shuffled(betas, 10),
    ):
        assert values.shape == betas.shape
    levels = torch.tensor([0.1, 1.0])
    for start in ("uncorrected", "corrected", "first value"):
        assert averages.squared_error(0.9, 10, start=start, level=levels).shape == (2,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: averages.squared_error(1.0, 3), "0 <= beta < 1"),
        (lambda: averages.squared_error(0.9, 0), "t >= 1"),
        (lambda: averages.squared_error(0.9, 1, start="zero"), "a start among"),
        (lambda: averages.wave_response(-0.1, 1.0), "0 <= beta < 1"),
        (lambda: averages.variance_left(0.9, phi=1.0), "-1 < phi < 1"),
        (lambda: averages.variance_left_shuffled(0.9, 1), "batches >= 2"),
    ],
)
def test_bad_input(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


MUTANTS = [
    pytest.param(check_error, "at_rest * (1 + missing)", "at_rest * (1 - missing)", id="the limit"),
    pytest.param(check_error, "beta ** (2 * (t - 1))", "beta ** (2 * t)", id="first value one step older"),
    pytest.param(check_error, "(1 - missing) ** 2 * corrected", "corrected", id="uncorrected noise"),
    pytest.param(check_error, "(missing * level) ** 2", "missing * level**2", id="bias not squared"),
    pytest.param(check_wave, "-1j * omega", "1j * omega", id="early, not late"),
    pytest.param(
        check_wave, "amplitude**2 / 2 * lost", "amplitude**2 * lost", id="amplitude for mean square"
    ),
    pytest.param(
        check_wave, "noise**2 * variance_left", "noise * variance_left", id="deviation for variance"
    ),
    pytest.param(
        check_left,
        "* (1 + beta * phi) / (1 - beta * phi)\n\n\n",
        "* (1 + phi) / (1 - phi)\n\n\n",
        id="long memory",
    ),
    pytest.param(check_shuffled, "(batches * squares", "((batches - 1) * squares", id="divisor"),
    pytest.param(check_shuffled, "beta ** (2 * place) /", "beta ** (2 * batches) /", id="only whole epochs"),
]


test_a_mistake_is_caught = mistakes(NAME, MUTANTS)
