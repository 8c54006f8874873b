"""What a sample of seeds says about a mean: intervals, paired and unpaired.

A number that each seed gives once is a sample. Its mean has an interval

    mean ± t(level, n - 1) * s / sqrt(n),      s**2 = sum (x - mean)**2 / (n - 1)

and two methods that share their seeds are compared through the n differences, whose spread no longer
holds what the seeds have in common (the split, the initial weights, the order of the batches).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from course_utils._checks import is_tensor, require

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean and the range that holds it: `low <= mean <= high` at confidence `level`, from n values."""

    mean: float
    low: float
    high: float
    se: float
    n: int
    level: float

    def inside(self, delta: float) -> bool:
        """Whether the whole interval lies in [-delta, +delta]: "no difference worth `delta`"."""
        return -delta <= self.low and self.high <= delta

    @property
    def distance(self) -> float:
        """|mean| / standard error: how far from zero, in units of its own uncertainty."""
        if self.mean == 0:
            return 0.0
        return abs(self.mean) / self.se if self.se > 0 else float("inf")

    def __str__(self) -> str:
        return f"{self.mean:.4g} [{self.low:.4g}, {self.high:.4g}] ({100 * self.level:g}%, n={self.n})"


def mean_interval(values: ArrayLike, *, level: float = 0.99, method: str = "t", seed: int = 0) -> Interval:
    """The interval of a mean.

    Args:
        values: n >= 2 numbers, one per seed (array, list or tensor).
        level: confidence, between 0 and 1.
        method: "t" (exact for normal values, good from n of about 10 on), or "bootstrap" (bias-corrected
            and accelerated, from 9,999 resamples; for skewed values, n of 20 or more).
        seed: for the bootstrap's resamples.
    Raises: ValueError for fewer than two values, values that are not finite, or an unknown method.
    Source: Student (1908); Efron (1987).
    """
    x = _sample(values)
    require(0 < level < 1, "0 < level < 1", level=level)
    n, mean = len(x), float(x.mean())
    se = float(x.std(ddof=1)) / n**0.5
    if method == "bootstrap":
        low, high = _bootstrap(x, level, seed)
    else:
        require(method == "t", 'method="t" or "bootstrap"', method=method)
        half = _t(level, n - 1) * se
        low, high = mean - half, mean + half
    return Interval(mean, low, high, se, n, level)


def paired_interval(
    a: ArrayLike, b: ArrayLike, level: float = 0.99, *, method: str = "t", seed: int = 0
) -> Interval:
    """The interval of the mean of a - b, where a[i] and b[i] come from the same seed.

        d = a - b,    mean(d) ± t(level, n - 1) * std(d) / sqrt(n)

    Args: as `mean_interval`; `a` and `b` have the same length and order of seeds.
    Raises: ValueError where the lengths differ, and as `mean_interval`.
    Source: Student (1908).
    """
    x, y = _sample(a), _sample(b)
    require(len(x) == len(y), "as many a as b", a=len(x), b=len(y), cure="pair each a with the b of its seed")
    return mean_interval(x - y, level=level, method=method, seed=seed)


def crossed_interval(over_seeds: ArrayLike, over_examples: ArrayLike, *, level: float = 0.99) -> Interval:
    """The interval of a mean over S seeds and N examples, where each seed was scored on the same examples.

        se**2 = var(over_seeds) / S + var(over_examples) / N,    degrees of freedom: min(S, N) - 1

    It answers for other seeds *and* other examples. What belongs to one seed and one example alone is
    counted in both terms, so the interval is a little too wide rather than too narrow.

    Args:
        over_seeds: (S,), the mean over examples, for each seed. over_examples: (N,), the mean over seeds,
            for each example. Both of the same differences, so their means agree (to 0.001, for rounding).
    Returns: an `Interval` whose n is the smaller of the two counts.
    Raises: ValueError where the means differ, and as `mean_interval`.
    Source: the variance of a mean under crossed random effects, as in Owen (2007).

    >>> str(crossed_interval([0.5, 0.7], [0.4, 0.6, 0.8], level=0.5))
    '0.6 [0.4472, 0.7528] (50%, n=2)'
    """
    x, y = _sample(over_seeds), _sample(over_examples)
    require(0 < level < 1, "0 < level < 1", level=level)
    means = float(x.mean()), float(y.mean())
    cure = "give the two margins of one table of scores"
    require(
        abs(means[0] - means[1]) <= 1e-3, "one mean of both", cure=cure, seeds=means[0], examples=means[1]
    )
    n, se = min(len(x), len(y)), float(x.var(ddof=1) / len(x) + y.var(ddof=1) / len(y)) ** 0.5
    half = _t(level, n - 1) * se
    return Interval(means[0], means[0] - half, means[0] + half, se, n, level)


def ratio_interval(a: ArrayLike, b: ArrayLike, level: float = 0.99) -> Interval:
    """The interval of the typical ratio a / b, where a[i] and b[i] come from the same seed.

        d = ln a - ln b,    exp(mean(d) ± t(level, n - 1) * std(d) / sqrt(n))

    The mean is geometric: swapping a and b turns a ratio of 3 into a third. `se` is to first order.

    Args: as `mean_interval`, all numbers > 0; `a` and `b` have the same length and order of seeds.
    Raises: ValueError where a number is not above zero or the lengths differ, and as `mean_interval`.
    """
    x, y = _sample(a), _sample(b)
    positive = bool((x > 0).all() and (y > 0).all())
    require(positive, "numbers > 0", lowest=float(min(x.min(), y.min())), cure="a ratio needs a common zero")
    logs = paired_interval(np.log(x), np.log(y), level=level)
    mean, low, high = (float(np.exp(end)) for end in (logs.mean, logs.low, logs.high))
    return Interval(mean, low, high, mean * logs.se, logs.n, level)


def unpaired_interval(a: ArrayLike, b: ArrayLike, level: float = 0.99) -> Interval:
    """The interval of mean(a) - mean(b) where nothing pairs them (Welch's, unequal variances).

        se**2 = var(a)/n_a + var(b)/n_b,    degrees of freedom by Welch & Satterthwaite

    Returns: an `Interval` whose n is the smaller of the two counts.
    Raises: ValueError as `mean_interval`.
    Source: Welch (1947).
    """
    x, y = _sample(a), _sample(b)
    require(0 < level < 1, "0 < level < 1", level=level)
    vx, vy = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    se = float(vx + vy) ** 0.5
    freedom = (vx + vy) ** 2 / (vx**2 / (len(x) - 1) + vy**2 / (len(y) - 1)) if se > 0 else 1.0
    mean, half = float(x.mean() - y.mean()), _t(level, float(freedom)) * se
    return Interval(mean, mean - half, mean + half, se, min(len(x), len(y)), level)


def band(values: ArrayLike, *, level: float = 0.99) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean and t-interval of many quantities at once, for a shaded band.

    Args:
        values: (S, T): S seeds, T points.
    Returns: mean, low, high, each (T,).
    """
    x = _numbers(values)
    require(x.ndim == 2 and x.shape[0] >= 2, "values of shape (seeds >= 2, points)", shape=x.shape)
    mean = x.mean(0)
    half = _t(level, x.shape[0] - 1) * x.std(0, ddof=1) / x.shape[0] ** 0.5
    return mean, mean - half, mean + half


def _t(level: float, freedom: float) -> float:
    return float(special.stdtrit(freedom, 0.5 + level / 2))


def _bootstrap(x: FloatArray, level: float, seed: int) -> tuple[float, float]:
    if np.ptp(x) == 0:  # resamples of a constant are that constant; scipy's BCa divides by their spread
        return float(x[0]), float(x[0])
    from scipy import stats  # slow to import, and only the bootstrap needs it

    rng = np.random.default_rng(seed)
    found: Any = stats.bootstrap((x,), np.mean, confidence_level=level, method="BCa", rng=rng)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _numbers(values: Any) -> FloatArray:
    """An array of float64 from whatever holds numbers; of tensors, also those that autograd follows."""
    if is_tensor(values):
        values = values.detach().double().cpu().numpy()
    elif isinstance(values, (list, tuple)):
        values = [_numbers(value) for value in values]
    x = np.asarray(values)
    cure = "give the values themselves, as a list, an array or a tensor"
    require(x.dtype.kind in "biuf", "numbers", cure=cure, values=type(values).__name__, dtype=str(x.dtype))
    return x.astype(np.float64)


def _sample(values: ArrayLike | Sequence[float]) -> FloatArray:
    x = _numbers(values)
    require(x.ndim == 1 and len(x) >= 2, "a list of two values or more", shape=x.shape)
    require(bool(np.isfinite(x).all()), "finite values", not_finite=int((~np.isfinite(x)).sum()))
    return x
