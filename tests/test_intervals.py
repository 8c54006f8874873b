"""Intervals agree with scipy's, and cover as often as they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from course_utils import intervals
from course_utils.intervals import (
    Interval,
    band,
    mean_interval,
    paired_interval,
    ratio_interval,
    unpaired_interval,
)
from tests.mutants import mistakes

SAMPLES = st.tuples(st.integers(2, 40), st.integers(0, 10**6), st.sampled_from([0.5, 0.9, 0.99]))


def sample(n: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return rng.normal(1.0, 2.0, n), rng.normal(0.5, 0.3, n)


def check_paired(module: Any, n: int = 7, seed: int = 0, level: float = 0.99) -> None:
    a, b = sample(n, seed)
    found, test = module.paired_interval(a, b, level), stats.ttest_rel(a, b)
    expected = test.confidence_interval(level)
    assert [found.low, found.high] == pytest.approx([expected.low, expected.high], rel=1e-11, abs=1e-11)
    assert found.mean == pytest.approx((a - b).mean(), rel=1e-12)
    assert found.distance == pytest.approx(abs(test.statistic), rel=1e-9)
    assert (found.n, found.level) == (n, level)


def check_unpaired(module: Any, n: int = 7, seed: int = 0, level: float = 0.99) -> None:
    a, b = sample(n, seed)
    b = np.concatenate([b, [3.0, -1.0, 2.5]])
    found, test = module.unpaired_interval(a, b, level), stats.ttest_ind(a, b, equal_var=False)
    expected = test.confidence_interval(level)
    assert [found.low, found.high] == pytest.approx([expected.low, expected.high], rel=1e-11, abs=1e-11)
    assert found.distance == pytest.approx(abs(test.statistic), rel=1e-9)
    assert found.n == n


def coverage(interval: Callable[..., Interval], *, level: float, n: int, times: int = 2000) -> float:
    """How often the interval of n normal values holds their true mean."""
    rng = np.random.default_rng(1)
    inside = 0
    for values in rng.normal(0.7, 3.0, (times, n)):
        found = interval(values, level=level)
        inside += found.low <= 0.7 <= found.high
    return inside / times


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SAMPLES)
def test_paired_and_unpaired_agree_with_scipy(given: tuple[int, int, float]) -> None:
    check_paired(intervals, *given)
    check_unpaired(intervals, *given)


def check_crossed(module: Any) -> None:
    """Of seeds and examples drawn anew, the interval holds the mean at least as often as it says."""
    rng, times, s, n = np.random.default_rng(3), 1500, 12, 30
    inside = 0
    for _ in range(times):
        table = 0.3 + rng.normal(0, 0.05, (s, 1)) + rng.normal(0, 0.1, n) + rng.normal(0, 0.1, (s, n))
        found = module.crossed_interval(table.mean(1), table.mean(0), level=0.9)
        inside += found.low <= 0.3 <= found.high
    assert 0.9 - 3.3 * (0.09 / times) ** 0.5 <= inside / times <= 0.95
    assert (found.n, found.level) == (s, 0.9)


def test_the_crossed_interval_covers_seeds_and_examples() -> None:
    check_crossed(intervals)


test_mistakes_of_crossed_are_caught = mistakes(
    "course_utils.intervals",
    {
        "seeds-alone": (
            "x.var(ddof=1) / len(x) + y.var(ddof=1) / len(y)) ** 0.5\n    half",
            "x.var(ddof=1) / len(x)) ** 0.5\n    half",
            check_crossed,
        ),
        "spread-not-error": (
            "x.var(ddof=1) / len(x) + y.var(ddof=1) / len(y)) ** 0.5\n    half",
            "x.var(ddof=1) + y.var(ddof=1)) ** 0.5\n    half",
            check_crossed,
        ),
    },
)


@pytest.mark.parametrize("n", [3, 12])
@pytest.mark.parametrize("level", [0.9, 0.99])
def test_the_interval_covers_as_often_as_it_says(n: int, level: float) -> None:
    spread = (level * (1 - level) / 2000) ** 0.5
    assert abs(coverage(mean_interval, level=level, n=n) - level) < 3.3 * spread


def test_the_coverage_test_notices_normal_quantiles() -> None:
    """1.96 standard errors of three values is the mistake that t is there for."""

    def too_narrow(values: NDArray[np.float64], *, level: float) -> Interval:
        found = mean_interval(values, level=level)
        half = float(stats.norm.ppf(0.5 + level / 2)) * found.se
        return replace(found, low=found.mean - half, high=found.mean + half)

    assert coverage(too_narrow, level=0.99, n=3) < 0.95


def test_the_bootstrap_is_scipys() -> None:
    a, b = sample(25, 3)
    found = paired_interval(np.exp(a), b, 0.9, method="bootstrap", seed=5)
    expected = stats.bootstrap(
        (np.exp(a) - b,), np.mean, confidence_level=0.9, method="BCa", rng=np.random.default_rng(5)
    ).confidence_interval
    assert (found.low, found.high) == (expected.low, expected.high)
    again = mean_interval(np.exp(a) - b, level=0.9, method="bootstrap", seed=5)
    assert again == found
    assert again != mean_interval(np.exp(a) - b, level=0.9, method="bootstrap", seed=6)
    assert found.high - found.mean > found.mean - found.low  # the skew of exp(a)


def check_ratio(module: Any) -> None:
    rng = np.random.default_rng(2)
    b = np.exp(rng.normal(0.0, 2.0, 9))
    a = 3 * b * np.exp(rng.normal(0.0, 0.1, 9))
    found = module.ratio_interval(a, b)
    test = stats.ttest_rel(np.log(a), np.log(b)).confidence_interval(0.99)
    assert [found.low, found.high] == pytest.approx(np.exp([test.low, test.high]), rel=1e-11)
    assert found.mean == pytest.approx(stats.gmean(a / b), rel=1e-12)
    assert found.se == pytest.approx(found.mean * np.std(np.log(a / b), ddof=1) / 3, rel=1e-9)
    assert (found.n, found.level) == (9, 0.99)
    turned = module.ratio_interval(b, a)
    assert [turned.low, turned.mean] == pytest.approx([1 / found.high, 1 / found.mean], rel=1e-12)


def test_a_ratio_is_a_difference_of_logarithms() -> None:
    check_ratio(intervals)
    with pytest.raises(ValueError, match="numbers > 0, got lowest=0"):
        ratio_interval([1.0, 2.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="as many a as b"):
        ratio_interval([1.0, 2.0], [1.0, 2.0, 3.0])


test_mistakes_of_ratios_are_caught = mistakes(
    "course_utils.intervals",
    {
        "difference": (
            "paired_interval(np.log(x), np.log(y), level=level)",
            "paired_interval(x, y, level=level)",
        ),
        "unpaired": (
            "paired_interval(np.log(x), np.log(y), level=level)",
            "unpaired_interval(np.log(x), np.log(y))",
        ),
        "turned": (
            "paired_interval(np.log(x), np.log(y), level=level)",
            "paired_interval(np.log(y), np.log(x))",
        ),
        "se-of-the-log": ("mean * logs.se", "logs.se"),
    },
    check=check_ratio,
)


def test_equal_values_have_an_interval_of_no_width() -> None:
    for method in ("t", "bootstrap"):
        found = mean_interval([2.0, 2.0, 2.0], method=method)
        assert (found.low, found.mean, found.high, found.se) == (2.0, 2.0, 2.0, 0.0)
        assert found.distance == np.inf
    nothing = paired_interval([1.0, 2.0], [1.0, 2.0])
    assert (nothing.distance, unpaired_interval([1.0, 1.0], [1.0, 1.0]).distance) == (0.0, 0.0)


def test_a_band_is_an_interval_at_each_point() -> None:
    values = np.random.default_rng(0).normal(size=(12, 4))
    mean, low, high = band(torch.from_numpy(values), level=0.95)
    for k in range(4):
        one = mean_interval(values[:, k], level=0.95)
        assert (mean[k], low[k], high[k]) == pytest.approx((one.mean, one.low, one.high), rel=1e-13)


def test_an_interval_lies_inside_a_margin_only_as_a_whole() -> None:
    interval = Interval(mean=0.1, low=-0.2, high=0.4, se=0.1, n=10, level=0.99)
    assert interval.inside(0.4)
    assert not interval.inside(0.39)
    assert not replace(interval, low=-0.5).inside(0.4)
    assert str(interval) == "0.1 [-0.2, 0.4] (99%, n=10)"
    assert "(99.9%, n=10)" in str(replace(interval, level=0.999))
    assert interval.distance == pytest.approx(1.0)


def test_tensors_of_sixteen_bits_and_with_a_gradient_are_samples() -> None:
    expected = mean_interval([1.0, 2.0, 4.0])
    losses = [torch.tensor(value, requires_grad=True) for value in (1.0, 2.0, 4.0)]
    for values in (
        torch.tensor([1.0, 2.0, 4.0]).bfloat16(),
        torch.stack(losses),
        losses,
        (1, 2.0, np.int8(4)),
    ):
        assert mean_interval(values) == expected
    mean, _, _ = band(torch.stack([torch.stack(losses), torch.zeros(3)]))
    assert mean.tolist() == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("values", [["1", "2"], [1 + 1j, 2], np.array([None, 1.0]), {"a": 1.0, "b": 2.0}])
def test_what_holds_no_numbers_is_refused_in_words(values: object) -> None:
    with pytest.raises(ValueError, match=r"need numbers, got .*give the values themselves"):
        mean_interval(values)


def test_tensors_and_lists_are_the_same_sample() -> None:
    a, b = sample(9, 1)
    assert paired_interval(torch.tensor(a), list(b)) == paired_interval(a, b)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([1.0]), "need a list of two values or more"),
        (lambda: mean_interval([[1.0, 2.0]]), r"two values or more, got shape=\(1, 2\)"),
        (lambda: mean_interval([1.0, np.nan]), "need finite values, got not_finite=1"),
        (lambda: mean_interval([1.0, 2.0], level=1.0), "need 0 < level < 1, got level=1.0"),
        (lambda: mean_interval([1.0, 2.0], method="z"), 'need method="t" or "bootstrap"'),
        (lambda: paired_interval([1.0, 2.0], [1.0, 2.0, 3.0]), "got a=2, b=3; pair each a with"),
        (lambda: unpaired_interval([1.0, 2.0], [1.0, 2.0], 0.0), "need 0 < level < 1"),
        (lambda: intervals.crossed_interval([1.0, 2.0], [1.0, 2.5]), "one mean of both, got seeds=1.5, ex"),
        (lambda: intervals.crossed_interval([1.0, 2.0], [1.0, 2.0], level=2.0), "need 0 < level < 1"),
        (lambda: band([1.0, 2.0]), "need values of shape"),
        (lambda: band([[1.0, 2.0]]), "need values of shape"),
    ],
)
def test_bad_input(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


MUTANTS: dict[str, tuple[str, str, Callable[[Any], None]]] = {
    "one-sided-quantile": ("0.5 + level / 2", "level", check_paired),
    "n-degrees-of-freedom": (
        "half = _t(level, n - 1) * se\n        low",
        "half = _t(level, n) * se\n        low",
        check_paired,
    ),
    "population-deviation": ("x.std(ddof=1)) / n**0.5", "x.std()) / n**0.5", check_paired),
    "forgets-the-pairs": ("mean_interval(x - y,", "mean_interval(x - y[::-1],", check_paired),
    "standard-deviation-for-error": ("x.std(ddof=1)) / n**0.5", "x.std(ddof=1))", check_paired),
    "welch-pools-the-freedom": (
        "freedom = (vx + vy) ** 2 / (vx**2 / (len(x) - 1) + vy**2 / (len(y) - 1))",
        "freedom = (len(x) + len(y) - 2)",
        check_unpaired,
    ),
    "welch-swaps-counts": ("x.var(ddof=1) / len(x), y", "x.var(ddof=1) / len(y), y", check_unpaired),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.intervals", MUTANTS)
