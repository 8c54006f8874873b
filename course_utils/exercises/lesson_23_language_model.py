"""Exercises of lesson 23: how far is the mean of n draws from the truth?"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

# --- 1 · the variance of a mean


def variance_of_mean(sigma2: float, n: int) -> float:
    return sigma2 / n


def _never_falls(sigma2: float, n: int) -> float:
    return sigma2


def _falls_as_the_error(sigma2: float, n: int) -> float:
    return sigma2 / math.sqrt(n)


def _squared_once_too_often(sigma2: float, n: int) -> float:
    return sigma2 / n**2


def _degrees_of_freedom(sigma2: float, n: int) -> float:
    return sigma2 / (n - 1)


def _the_error_itself(sigma2: float, n: int) -> float:
    return math.sqrt(sigma2 / n)


# --- 2 · the running mean


def running_mean_of(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x.cumsum() / np.arange(1, len(x) + 1)


def _running_sum(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x.cumsum()


def _counted_from_zero(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x.cumsum() / np.maximum(np.arange(len(x)), 1)


def _divided_by_all(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x.cumsum() / len(x)


def _the_last_only(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.full(len(x), x.mean())


def _numbers() -> Inputs:
    rng = np.random.default_rng(0)
    return tuple((rng.standard_normal(n),) for n in (3, 6, 10))


# --- 3 · how many draws


def draws_needed(sigma: float, error: float) -> int:
    return math.ceil((sigma / error) ** 2)


def _rounded_down(sigma: float, error: float) -> int:
    return math.floor((sigma / error) ** 2)


def _not_squared(sigma: float, error: float) -> int:
    return math.ceil(sigma / error)


def _half_squared(sigma: float, error: float) -> int:
    return math.ceil(sigma**2 / error)


def _upside_down(sigma: float, error: float) -> int:
    return math.ceil((error / sigma) ** 2)


# --- 4 · draws that share something


def variance_of_correlated_mean(sigma2: float, n: int, rho: float) -> float:
    return sigma2 * (1 + (n - 1) * rho) / n


def _independent(sigma2: float, n: int, rho: float) -> float:
    return sigma2 / n


def _own_part_only(sigma2: float, n: int, rho: float) -> float:
    return sigma2 * (1 - rho) / n


def _shared_part_only(sigma2: float, n: int, rho: float) -> float:
    return sigma2 * rho


def _pairs_counted_once(sigma2: float, n: int, rho: float) -> float:
    return sigma2 * (1 + (n - 1) / 2 * rho) / n


EXERCISES = (
    Exercise(
        "23.variance_of_mean",
        title="The variance of a mean",
        prompt="Return the variance of the mean of n independent draws with variance sigma2.",
        kind="core",
        minutes=2,
        inputs=((1.0, 4), (2.5, 10), (0.3, 3)),
        solution=variance_of_mean,
        wrong=(
            Wrong(_never_falls, "This is the variance of one draw: averaging would be no use."),
            Wrong(
                _falls_as_the_error,
                "The error falls with the root of n; its square, the variance, falls with n.",
            ),
            Wrong(
                _squared_once_too_often,
                "The factor 1/n leaves the variance squared, but there are n variances to add.",
            ),
            Wrong(
                _degrees_of_freedom,
                "The divisor n - 1 belongs to estimating sigma2 from a sample; here it is known.",
            ),
            Wrong(_the_error_itself, "This is the standard error, the root of what is asked for."),
        ),
        hints=(
            "Variances of independent draws add: what is the variance of their sum?",
            "The sum has n times the variance of one draw; dividing the sum by n divides that by n squared.",
        ),
        stub='''def variance_of_mean(sigma2, n):
    """The variance of the mean of n independent draws with variance sigma2."""
    ...
''',
        note="n variances add, and the factor 1/n comes out squared.",
    ),
    Exercise(
        "23.running_mean_of",
        title="The running mean",
        prompt="Return the means of x[:1], x[:2], ..., x as one array of the length of x.",
        kind="core",
        minutes=5,
        inputs=_numbers,
        solution=running_mean_of,
        wrong=(
            Wrong(
                _running_sum,
                "These are the sums so far; each is still to be divided by how many numbers it has.",
            ),
            Wrong(
                _counted_from_zero,
                "Counted from zero: the second sum holds two numbers, and yours is divided by one.",
            ),
            Wrong(
                _divided_by_all,
                "Each sum is divided by the whole length; the first of n numbers is its own mean.",
            ),
            Wrong(
                _the_last_only,
                "This is the mean of all numbers at every place; each place knows only what came before.",
            ),
        ),
        hints=(
            "Keep m, and move it by (x_k - m) / k for k = 1, 2, ...",
            "Without a loop: x.cumsum() divided by 1, 2, ..., len(x).",
        ),
        stub='''def running_mean_of(x):
    """The means of x[:1], x[:2], ..., x as one array."""
    ...
''',
        note="The loop of the lesson and the cumulative sum agree to rounding error.",
    ),
    Exercise(
        "23.draws_needed",
        title="How many draws",
        prompt="Return the smallest n with sigma / sqrt(n) <= error.",
        kind="core",
        minutes=5,
        inputs=((1.0, 0.3), (2.0, 0.7), (0.5, 0.11)),
        solution=draws_needed,
        wrong=(
            Wrong(_rounded_down, "Rounded down: one draw too few, unless the number is whole."),
            Wrong(_not_squared, "The square is missing: half the error costs four times the draws."),
            Wrong(_half_squared, "Only sigma is squared; the error stands under the same square."),
            Wrong(_upside_down, "Upside down: a smaller error must ask for more draws."),
        ),
        hints=(
            "Solve sigma / sqrt(n) = error for n.",
            "n >= (sigma / error)**2, and math.ceil gives the smallest whole n.",
        ),
        stub='''def draws_needed(sigma, error):
    """The smallest n with sigma / sqrt(n) <= error, as an int."""
    ...
''',
        note="From sigma / sqrt(n) <= error.",
    ),
    Exercise(
        "23.variance_of_correlated_mean",
        title="Draws that share something",
        prompt="Return the variance of the mean of n draws with variance sigma2, every two of them correlated by rho.",
        kind="extra",
        minutes=10,
        inputs=((1.0, 4, 0.5), (2.0, 10, 0.1), (0.7, 3, 0.9)),
        solution=variance_of_correlated_mean,
        wrong=(
            Wrong(_independent, "This leaves rho out. What all draws share does not cancel."),
            Wrong(
                _own_part_only, "This is the part that each draw has for itself; the shared part is missing."
            ),
            Wrong(_shared_part_only, "This is what is left after endless draws; with n draws there is more."),
            Wrong(_pairs_counted_once, "Each pair stands twice in the sum, as (i, j) and as (j, i)."),
        ),
        hints=(
            "The variance of a sum is the sum of all n * n covariances: n are sigma2. How many are left?",
            "n * sigma2 + n * (n - 1) * rho * sigma2, divided by n squared.",
        ),
        stub='''def variance_of_correlated_mean(sigma2, n, rho):
    """The variance of the mean of n draws with variance sigma2, every two correlated by rho."""
    ...
''',
        note="For large n it is rho * sigma2: more draws of the same kind stop helping.",
    ),
)

QUIZZES = (
    Quiz(
        "23.four_times",
        "You average four times as many draws. What becomes of the error of the mean?",
        (
            ("It halves", "The variance falls to a quarter, and the error is its root.", True),
            ("It falls to a quarter", "That is the variance. The error is its root.", False),
            ("It stays", "Then nobody would average. Errors up and down cancel in part.", False),
        ),
    ),
)
