"""The figures of lesson 23, and the small computations behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from course_utils import plotting
from course_utils._checks import require

Rows = Sequence[Mapping[str, Any]]
COLOURS = {
    **{name: plotting.colour(name.lower()) for name in ("momentum", "Adam", "AdamW", "Muon")},
    "Adam, one v a tensor": plotting.PURPLE,
    "Adam, one v in all": plotting.GREY,
}

# What each figure shows, in words.
ZIPF = (
    "Share of each word of the text against its rank, both logarithmic: the dots fall along a dashed line, "
    "one over the rank times a constant."
)
TIMES = (
    "Steps until a row of the table has a small part of its first loss, against the share of its word, both "
    "logarithmic, two panels. Left, words as in the text: momentum's dots rise steeply towards rare words "
    "along a dashed line, Adam's lie level. Right, the same rows made equally frequent: both lie level."
)
RATES = (
    "Training loss at the end against the rate, recorded, one valley for each method: momentum's at the "
    "highest rates, and Muon's with the lowest losses."
)
RACE = (
    "Left, training loss against the step, recorded: the curves fall together at first and then part. Right, "
    "held-out loss, one row of dots for each method: Muon lowest, momentum highest, the kinds of Adam "
    "between them."
)
BANDS = (
    "Momentum's held-out loss less Adam's, for four bands from common to rare, for characters and for words, "
    "one dot for each seed; grey, less that of Adam with fewer steps. On words both rise towards the rare."
)
CRUTCHES = (
    "Held-out loss with warm-up and cutting on or off, recorded, for momentum and Adam, at their best rates "
    "and at four times these; crosses mark runs that were lost."
)
SPIKE = (
    "Training loss against the step, recorded, with one loss far too large: with β₂ = 0.95 the "
    "loss jumps and comes back part of the way, with β₂ = 0.999 it stays farther behind. Kept out of m, the "
    "spike makes no jump, and the loss falls slowly; with a cut gradient it falls as without a spike."
)
AFTER_SPIKE = (
    "Length of Adam's step in units of the rate against the steps after a spike, logarithmic: at first "
    "longer than one, then far below one, and rising slowly."
)
BITS = (
    "Bits per held-out character, one bar each: single characters highest, then pairs. The transformer comes "
    "down with more steps, and stays above gzip, counts of four characters, xz and bz2."
)


# --- the table of words ----------------------------------------------------------------------------


def zipf(shares: ArrayLike) -> Figure:
    """Shares of words (V,), sorted, against their ranks, with the line 0.1 / rank."""
    figure, axes = plotting.subplots(size=(6.6, 3.7))
    y: NDArray[np.float64] = np.asarray(shares, float)
    rank = np.arange(1, len(y) + 1)
    plotting.log_ticks(axes)
    plotting.measured(axes, rank, y, label="_words", color=plotting.BLUE)
    plotting.theory(axes, rank, 0.1 / rank, label="_line")
    axes.text(30, 0.0055, "a tenth over the rank", va="bottom")
    title = "A few words are everywhere, and most are rare"
    plotting.finish(axes, title=title, x="rank of the word", y="share of the text", names=False)
    return figure


def slope(x: ArrayLike, y: ArrayLike) -> float:
    """The exponent a of the best fit y = c * x**a, by least squares of the logarithms.

    Raises: ValueError where a number is not above zero and finite, or x has one value alone.
    """
    a, b = (np.asarray(values, float) for values in (x, y))
    fits = bool(np.isfinite(a).all() and np.isfinite(b).all() and (a > 0).all() and (b > 0).all())
    require(fits and np.ptp(a) > 0, "numbers > 0, and two values of x", n=len(a))
    return float(np.polyfit(np.log(a), np.log(b), 1)[0])


def times(shares: ArrayLike, panels: Mapping[str, Mapping[str, ArrayLike]]) -> Figure:
    """Steps of each row against the share (V,) of its word in the text; title -> method -> steps (V,).

    In the first panel momentum's dots have the line of one over the share.
    """
    figure, every = plotting.subplots(1, len(panels), size=(9.6, 4.1), sharey=True)
    x: NDArray[np.float64] = np.asarray(shares, float)
    for column, (title, found) in enumerate(panels.items()):
        axes = np.atleast_1d(every)[column]
        plotting.log_ticks(axes)
        for k, (name, steps) in enumerate(found.items()):
            y = np.asarray(steps, float)
            plotting.measured(axes, x, y, label="_rows", color=COLOURS[name])
            axes.text(0.97, 0.95 - 0.09 * k, name, transform=axes.transAxes, ha="right", color=COLOURS[name])
            if column == 0 and name == "momentum":
                rare = x <= np.quantile(x, 0.75)
                middle = np.exp(np.log(x[rare] * y[rare]).mean())
                line = np.array([x.min(), middle / y.min()])
                plotting.theory(axes, line, middle / line, label="_line")
        y_label = "" if column else "steps to a tenth"
        plotting.finish(axes, title=title, x="share of the word in the text", y=y_label, names=False)
    return figure


# --- the recorded runs -----------------------------------------------------------------------------


def chosen(rows: Rows, **wanted: Any) -> list[Mapping[str, Any]]:
    """The rows that have these values, in their order.

    Raises: ValueError where there is none.
    """
    found = [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]
    require(bool(found), "a recorded run like this", **wanted)
    return found


def values(rows: Rows, name: str = "held_out", **wanted: Any) -> NDArray[np.float64]:
    """One number of each chosen run, by seed; NaN for one that was lost."""
    found = sorted(chosen(rows, **wanted), key=lambda row: row["seed"])
    return np.array([np.nan if row[name] is None else row[name] for row in found], float)


def _curve(rows: Rows, every: int, **wanted: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Steps, and the training loss there: means over the chosen runs."""
    mean: NDArray[np.float64] = np.mean([row["curve"] for row in chosen(rows, **wanted)], 0)
    steps: NDArray[np.float64] = every * (np.arange(len(mean), dtype=np.float64) + 0.5)
    return steps, mean


def rates(rows: Rows) -> Figure:
    """The loss at the end of training against the rate, for each method."""
    figure, axes = plotting.subplots(size=(7.0, 4.0))
    plotting.log_ticks(axes, "x")
    for k, (name, color) in enumerate(COLOURS.items()):
        found = sorted(chosen(rows, part="rates", method=name), key=lambda row: row["lr"])
        ends = [np.nan if row["late"] is None else row["late"] for row in found]
        axes.plot([row["lr"] for row in found], ends, "o-", markersize=5, color=color, label=f"_{name}")
        axes.text(0.97, 0.53 - 0.09 * k, name, transform=axes.transAxes, ha="right", color=color)
    title = "Momentum's valley of rates lies apart"
    plotting.finish(axes, title=title, x="rate η", y="training loss at the end, nats", names=False)
    return figure


def race(rows: Rows, every: int) -> Figure:
    """Curves of all methods (means over seeds), and where each seed ended."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.6, 4.1), width_ratios=(1.25, 1))
    for k, (name, color) in enumerate(COLOURS.items()):
        left.plot(*_curve(rows, every, part="race", method=name), color=color, linewidth=1.6)
        left.text(0.95, 0.93 - 0.085 * k, name, transform=left.transAxes, ha="right", color=color)
        ends = values(rows, part="race", method=name)
        plotting.measured(right, ends, np.full(len(ends), -k), label=f"_{name}", color=color)
    left.set_ylim(top=3.5)
    right.set_yticks(-np.arange(len(COLOURS)), list(COLOURS))
    right.set_ylim(0.5 - len(COLOURS), 0.5)
    plotting.finish(left, title="While they train", x="step", y="training loss, nats", names=False)
    plotting.finish(right, title="Where they end", x="held-out loss, nats", y="", names=False)
    return figure


def bands(rows: Rows, kinds: Mapping[str, str], names: Sequence[str]) -> Figure:
    """Momentum's held-out loss less Adam's in each band of frequency; panel -> part of the record.

    Grey, beside them: less that of an Adam that has only come as far as momentum.
    """
    figure, every = plotting.subplots(1, len(kinds), size=(9.6, 3.9), sharey=True)
    for column, (title, part) in enumerate(kinds.items()):
        axes = np.atleast_1d(every)[column]
        for early, color in ((False, plotting.PURPLE), (True, plotting.GREY)):
            found = gaps(rows, part, early=early)
            for k in range(found.shape[1]):
                x = np.full(len(found), k + 0.16 * early)
                plotting.measured(axes, x, found[:, k], label="_gap", color=color)
            name = "Adam with fewer steps" if early else "Adam after as many steps"
            axes.text(0.03, 0.92 - 0.09 * early, name, transform=axes.transAxes, color=color)
        axes.axhline(0, color=plotting.GREY, linewidth=0.8)
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.5, len(names) - 0.5)
        y = "" if column else "momentum − Adam, nats"
        plotting.finish(axes, title=title.capitalize(), x="how frequent", y=y, names=False)
    return figure


def gaps(rows: Rows, part: str, *, early: bool = False) -> NDArray[np.float64]:
    """Momentum's loss less Adam's (seeds, bands), seed by seed; early: less that of Adam with fewer steps."""
    slow = chosen(rows, part=part, method="momentum")
    fast = chosen(rows, part="early" if early else part, method="Adam", kind=slow[0].get("kind"))
    both = [[row["bands"] for row in sorted(one, key=lambda row: row["seed"])] for one in (slow, fast)]
    found: NDArray[np.float64] = np.array(both[0], float) - np.array(both[1], float)
    return found


def crutches(rows: Rows, best: Mapping[str, float], warmup: int) -> Figure:
    """Held-out losses with and without warm-up and cutting, at the best rate and at four times that."""
    figure, every = plotting.subplots(2, 2, size=(9.6, 5.4), sharex="col", sharey=True)
    ways = {(0, None): "neither", (0, 1.0): "cut", (warmup, None): "warm-up", (warmup, 1.0): "both"}
    for column, (name, rate) in enumerate(best.items()):
        for row, factor in enumerate((1, 4)):
            axes = every[row][column]
            for k, (warm, clip) in enumerate(ways):
                found = values(rows, part="warmup", method=name, lr=factor * rate, warmup=warm, clip=clip)
                lost = np.isnan(found) | (found > 4)
                plotting.measured(
                    axes, found[~lost], np.full((~lost).sum(), -k), label="_", color=COLOURS[name]
                )
                axes.plot(np.full(lost.sum(), 3.95), np.full(lost.sum(), -k), "x", color=COLOURS[name])
            axes.set_yticks(-np.arange(4), list(ways.values()))
            axes.set_ylim(-3.5, 0.5)
            axes.set_xlim(2.3, 4.05)
            title = f"{name}, {'best rate' if factor == 1 else 'four times that'}"
            plotting.finish(axes, title=title, x="held-out loss" if row else "", y="", names=False)
    return figure


def spike(rows: Rows, every: int) -> Figure:
    """Training curves of runs with a spike, means over seeds, above the runs without one, dashed."""
    figure, axes = plotting.subplots(size=(7.4, 4.0))
    kinds = {
        "β₂ = 0.999": ({"part": "spike", "beta2": 0.999, "clip": None}, plotting.VERMILION),
        "β₂ = 0.95": ({"part": "spike", "beta2": 0.95, "clip": None}, plotting.BLUE),
        "0.999, not in m": ({"part": "spared", "beta2": 0.999, "spared": "m"}, plotting.PURPLE),
        "0.999, cut": ({"part": "spike", "beta2": 0.999, "clip": 1.0}, plotting.GREEN),
    }
    for name, (runs, color) in kinds.items():
        axes.plot(*_curve(rows, every, spike=True, **runs), color=color, linewidth=1.8, label=name)
    calm = _curve(rows, every, part="spike", beta2=0.999, clip=None, spike=False)
    plotting.theory(axes, *calm, label="_no spike")
    axes.set_ylim(2.3, 4)
    title = "One loss far too large, and what it leaves behind"
    plotting.finish(axes, title=title, x="step", y="training loss, nats")
    return figure


# --- after a spike ---------------------------------------------------------------------------------


def steps_after(beta2: float, size: float, steps: int, beta1: float = 0.9) -> NDArray[np.float64]:
    """Adam's steps, in units of the rate, from the one that has the spike on; ε = 0.

    Gradients were 1 for ever, one is `size`, then they are 1 again, and both averages are full:

        m_k = 1 + (1 - beta1) (size - 1) beta1**k,    v_k = 1 + (1 - beta2) (size**2 - 1) beta2**k

    Returns: m_k / sqrt(v_k) for k = 0 .. steps - 1.
    """
    require(0 <= beta1 < 1 and 0 <= beta2 < 1, "betas in [0, 1)", beta1=beta1, beta2=beta2)
    k = np.arange(steps)
    m = 1 + (1 - beta1) * (size - 1) * beta1**k
    v = 1 + (1 - beta2) * (size**2 - 1) * beta2**k
    found: NDArray[np.float64] = m / np.sqrt(v)
    return found


def after_spike(beta2: float, spike: float) -> Figure:
    """The length of Adam's steps after one gradient that was `spike` times too large."""
    figure, axes = plotting.subplots(size=(7.0, 3.9))
    plotting.log_ticks(axes, "y")
    steps = steps_after(beta2, spike, 1000)
    axes.plot(steps, color=plotting.BLUE)
    axes.axhline(1, **plotting.THEORY)
    axes.set_ylim(0.005, 12)
    title = f"β₂ = {beta2:g}, one gradient of {spike:g} where all are 1"
    plotting.finish(axes, title=title, x="steps after the spike", y="length of a step, in η", names=False)
    return figure


# --- bits ------------------------------------------------------------------------------------------


def bits(found: Mapping[str, float]) -> Figure:
    """Bits per character, one bar for each predictor, sorted."""
    figure, axes = plotting.subplots(size=(7.4, 0.5 + 0.42 * len(found)))
    names = sorted(found, key=lambda name: -found[name])
    for k, name in enumerate(names):
        color = plotting.BLUE if "transformer" in name else plotting.LIGHT
        axes.barh(-k, found[name], color=color, height=0.7)
        axes.text(found[name] + 0.05, -k, f"{found[name]:.2f}", va="center")
    axes.set_yticks(-np.arange(len(names)), names)
    axes.set_xlim(0, 1.12 * max(found.values()))
    title = "Counts of four characters before beat our small net"
    plotting.finish(axes, title=title, x="bits per held-out character", y="", names=False)
    return figure
