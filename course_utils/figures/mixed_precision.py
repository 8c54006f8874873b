"""The figures of lesson 17."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from course_utils import plotting
from course_utils.diagnostics.step_memory import HeldBytes
from course_utils.mixed_precision import FloatFormat, float_format, shares_lost
from course_utils.recorded import Record

FORMATS: dict[str, torch.dtype | str] = {
    "float32": torch.float32,
    "tf32": "tf32",
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float8 e5m2": torch.float8_e5m2,
    "float8 e4m3": torch.float8_e4m3fn,
}
COLOURS = {
    "float32": plotting.GREY,
    "tf32": plotting.SKY,
    "bfloat16": plotting.BLUE,
    "float16": plotting.VERMILION,
    "float8 e5m2": plotting.GREEN,
    "float8 e4m3": plotting.PURPLE,
}
KINDS = {"outputs": plotting.PURPLE, "hidden": plotting.GREEN, "weights": plotting.INK}
RULER = 1.25  # the close-up goes from 1 to here
BINS = np.arange(-60.0, 24.1, 1.0)  # of log2
# Gradients of a net under a factor on the loss.
CONTROLS = {
    "float16": plotting.VERMILION,
    "only its zeros": plotting.PURPLE,
    "only its lost digits": plotting.GREEN,
    "bfloat16": plotting.BLUE,
}
# How weights are stored.
STORED = {
    "float16": plotting.VERMILION,
    "bfloat16": plotting.BLUE,
    "bfloat16, random": plotting.GREEN,
}
WHERE = ((0.56, 37), (0.6, 20.5), (0.7, 14.5))  # their names stand
HELD = (plotting.GREY, plotting.BLUE, plotting.GREEN)  # a step in float32, under autocast, with checkpoints


# What each figure shows, in words.
NUMBER_LINES = (
    "Left, the range of six formats in powers of two: float32, tf32 and bfloat16 all reach from below "
    "2^-126 to 2^128, float16 only from 2^-24 to 2^16. Right, the numbers just above 1: float16 and "
    "tf32 have the most marks, then bfloat16; the eight-bit formats have hardly any."
)
DIGITS_AND_GRADIENTS = (
    "Above, the worst rounding error as a share of the number. For bfloat16 it is level. For float16 it "
    "is level and lower down to 2^-14, then doubles with each power of two until it is all of the number."
    " Below, on the same axis, the sizes of gradients: those at the outputs reach far into the zone of "
    "zeros, most of those at the hidden units are subnormal, most of the weights' normal."
)
SMALL_LOSSES = (
    "Loss above float32's against a factor on the loss from 1 to 2^-20. float16 and its zeros alone climb"
    " together from about 2^-16 on; its lost digits alone and bfloat16 stay near zero."
)
SCALE_HISTORY = (
    "The loss scale against steps: it starts at 2^40 and is halved at each step until it is below the "
    "ceiling. Then it moves up and down along it, doubled after 20 good steps and halved after each overflow."
)
SMALL_STEPS = (
    "Left, loss above float32's after the same distance, against a learning rate that falls from 0.064 to"
    " 0.001. bfloat16 climbs first, float16 later, bfloat16 with random rounding stays at zero. Right, "
    "against the rate over the spacing ε the marks of both formats lie on one another."
)
MEMORY = (
    "Left, the memory held during a step: in float32 it climbs to a peak at the middle and comes down; "
    "under autocast the peak is about half as high; with checkpoints it is a row of small hills. Right, "
    "the peak against the layers in a segment: dots on the line L/k + k + 2, lowest at 6 of 36 layers."
)
GPU_BARS = (
    "Two panels of bars, step time and peak memory, for two nets in each precision, as shares of strict fp32."
)
SCALED_GRADIENTS = (
    "The histogram with a loss scale of 2^16: the outputs' and hidden units' gradients now lie among the "
    "normal numbers or the larger subnormal ones, hardly any vanish, and none has reached the zone of "
    "infinity."
)
SCALE_WINDOWS = (
    "Loss above float32's against the loss scale from 2^-20 to 2^24. Each format has a floor near zero "
    "with a wall on either side: the floor of float16 is the widest, that of e5m2 narrower, that of e4m3 "
    "the narrowest. A diamond far left, e4m3 with a scale for each tensor, lies on the floor."
)


def power(k: float) -> str:
    """2 to a whole power, as it is written."""
    return "2" + f"{k:.0f}".translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")) if k else "1"


def span(fmt: FloatFormat) -> tuple[float, float, float]:
    """log2 of the smallest subnormal, the smallest normal and the largest number."""
    return math.log2(fmt.smallest_subnormal), float(fmt.min_exponent), math.log2(fmt.max)


def ruler(fmt: FloatFormat) -> NDArray[np.float64]:
    """The numbers of a format from 1 to 1.25."""
    count = int((RULER - 1) / fmt.eps) + 1
    return np.asarray(1 + np.arange(count) * fmt.eps, dtype=np.float64)


def number_lines() -> Figure:
    """Left, from the smallest to the largest number of each format; right, its numbers just above 1."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.4), width_ratios=(1.5, 1), sharey=True)
    for height, (name, dtype) in enumerate(reversed(FORMATS.items())):
        fmt, color = float_format(dtype), COLOURS[name]
        low, normal, high = span(fmt)
        left.add_patch(
            Rectangle((low, height - 0.2), normal - low, 0.4, color=color, alpha=0.35, linewidth=0)
        )
        left.add_patch(Rectangle((normal, height - 0.2), high - normal, 0.4, color=color, linewidth=0))
        if fmt.mantissa > 10:
            right.add_patch(Rectangle((1, height - 0.2), RULER - 1, 0.4, color=color, linewidth=0))
        else:
            right.vlines(ruler(fmt), height - 0.2, height + 0.2, color=color, linewidth=0.7)
    left.set_yticks(range(len(FORMATS)), list(reversed(FORMATS)))
    left.set(xlim=(-152, 132), ylim=(-0.6, len(FORMATS) - 0.4))
    ticks = (-126, -24, 0, 16, 128)
    left.set_xticks(ticks, map(power, ticks))
    plotting.finish(
        left, title="Range: bfloat16 has float32's", x="size of a number (pale: subnormal)", y="", names=False
    )
    plotting.finish(
        right, title="Digits: float16 has more", x="every number from 1 to 1.25", y="", names=False
    )
    return figure


def gradient_histogram(gradients: Mapping[str, Tensor], log2_scale: float) -> Figure:
    """Where the scaled gradients lie on float16's number line.

    Args: gradients: for each of "outputs", "hidden" and "weights", any shape. log2_scale: of the loss scale.
    """
    figure, axes = plotting.subplots(size=(7.4, 3.8))
    fmt, scale = float_format(torch.float16), 2.0**log2_scale
    low, normal, high = span(fmt)
    axes.axvspan(BINS[0], low - 1, color=plotting.LIGHT, linewidth=0)
    axes.axvspan(low - 1, normal, color=plotting.LIGHT, alpha=0.4, linewidth=0)
    axes.axvspan(high, BINS[-1], color=plotting.LIGHT, linewidth=0)
    for row, (kind, g) in enumerate(gradients.items()):
        sizes = (g[g != 0].abs().double() * scale).log2().numpy()
        counts, _ = np.histogram(sizes, BINS)
        axes.stairs(100 * counts / len(sizes), BINS, color=KINDS[kind], linewidth=1.8)
        vanish, _, overflow = shares_lost(g, torch.float16, scale=scale)
        line = f"{kind}: {100 * vanish:.1f}% vanish, {100 * overflow:.1f}% overflow"
        axes.text(0.015, 0.86 - 0.075 * row, line, transform=axes.transAxes, color=KINDS[kind], va="top")
    for x, name in [(-43, "zero"), ((low - 1 + normal) / 2, "subnormal"), (1, "normal"), (20, "inf")]:
        axes.text(x, 36.6, name, ha="center", color=plotting.GREY)
    axes.set(xlim=(BINS[0], BINS[-1]), ylim=(0, 39))
    ticks = (-50, -25, -14, 0, 16)
    axes.set_xticks(ticks, map(power, ticks))
    title = f"Loss scale {power(log2_scale)}: gradients on float16's number line"
    plotting.finish(
        axes, title=title, x="size of a gradient times the scale", y="% of the gradients", names=False
    )
    return figure


def digits_and_gradients(errors: Mapping[str, Tensor], gradients: Mapping[str, Tensor]) -> Figure:
    """Above, the worst rounding error against the size of a number; below, the sizes of gradients.

    Args:
        errors: "float16", "bfloat16" -> (45,) worst error as a share of the number, between 2^k and 2^(k+1)
            for k = -30, ..., 14.
        gradients: "outputs", "hidden", "weights" -> gradients of any shape.
    """
    figure, (above, below) = plotting.subplots(2, 1, size=(6.6, 5.6), sharex=True)
    fmt = float_format(torch.float16)
    low, normal, _ = span(fmt)
    k = np.arange(-30, 15)
    for name, of in errors.items():
        plotting.measured(above, k + 0.5, of, label="_" + name, color=COLOURS[name])
        plotting.theory(above, k + 0.5, worst_error(float_format(FORMATS[name]), k), label="_theory")
    above.set(yscale="log", ylim=(1e-4, 4))
    above.set_yticks([1e-3, 1e-2, 1e-1, 1], ["0.1%", "1%", "10%", "100%"])
    above.text(2, 6.5e-3, "bfloat16", color=COLOURS["bfloat16"])
    above.text(2, 8e-4, "float16", color=COLOURS["float16"])
    for axes in (above, below):
        axes.axvspan(-60, low - 1, color=plotting.LIGHT, linewidth=0)
        axes.axvspan(low - 1, normal, color=plotting.LIGHT, alpha=0.4, linewidth=0)
    for row, (kind, g) in enumerate(gradients.items()):
        sizes = g[g != 0].abs().double().log2().numpy()
        counts, _ = np.histogram(sizes, BINS)
        below.stairs(100 * counts / len(sizes), BINS, color=KINDS[kind], linewidth=1.8)
        below.text(0.80, 0.9 - 0.1 * row, kind, transform=below.transAxes, color=KINDS[kind], va="top")
    for x, name in [(-43, "zero"), ((low - 1 + normal) / 2, "subnormal"), (0, "normal")]:
        above.text(x, 1.7, name, ha="center", color=plotting.GREY)
    below.set(xlim=(-60, 15), ylim=(0, None))
    ticks = (-50, -25, -14, 0)
    below.set_xticks(ticks, map(power, ticks))
    plotting.finish(
        above, title="Below 2⁻¹⁴ float16 loses its digits, one by one", x="", y="worst error", names=False
    )
    plotting.finish(
        below, title="That is where many gradients are", x="size of a number, zones of float16",
        y="% of the gradients", names=False,
    )  # fmt: skip
    return figure


def worst_error(fmt: FloatFormat, k: NDArray[Any]) -> NDArray[np.float64]:
    """Half a spacing as a share of 2^k; all of it where the number becomes zero."""
    half_spacing = 2.0 ** (np.maximum(k, fmt.min_exponent) - fmt.mantissa - 1.0)
    return np.asarray(np.minimum(half_spacing / 2.0**k, 1.0), dtype=np.float64)


def small_losses(above: Mapping[tuple[str, int], ArrayLike], *, edge: int) -> Figure:
    """Loss above float32's against the size of the training loss.

    Args: above: (a name of `CONTROLS`, k) -> (S,) under the factor 2^-k; other names are left out.
        edge: the k from which on nothing can move.
    """
    figure, axes = plotting.subplots(size=(6.8, 4.0))
    for name, color in CONTROLS.items():
        powers = [k for kind, k in above if kind == name]
        values = np.stack([np.asarray(above[name, k]) for k in powers], 1)
        plotting.band(axes, powers, values, label=name, color=color)
        axes.plot(powers, values.mean(0), "o", color=color, markersize=4, label="_measured")
    axes.axvline(edge, **plotting.THEORY)
    axes.text(edge - 0.4, 2.35, "from here on every gradient is zero", ha="right", color=plotting.INK)
    ticks = sorted({k for kind, k in above if kind in CONTROLS})
    axes.set_xticks(ticks, [power(-k) for k in ticks])
    axes.set_ylim(-0.15, 2.6)
    title = "The zeros do nearly all of the harm"
    plotting.finish(axes, title=title, x="factor on the loss", y="validation loss above float32's")
    return figure


def small_steps(rates: Sequence[float], losses: Mapping[str, ArrayLike]) -> Figure:
    """Loss above float32's, seed by seed, after the same distance: against the rate, and the rate over ε.

    Args: rates: (K,). losses: how the weights are stored -> (S, K); "float32" is what is subtracted.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.4, 4.0), sharey=True)
    base = np.asarray(losses["float32"])
    for name, color in STORED.items():
        plotting.band(left, 1 / np.asarray(rates), np.asarray(losses[name]) - base, label=name, color=color)
    for name, shift in (("bfloat16", 0.0), ("float16", -0.03)):
        spacings = np.asarray(rates) / float_format(FORMATS[name]).eps
        gap = (np.asarray(losses[name]) - base).mean(0)
        kept = (spacings > 0.1) & (spacings < 10)
        marker = "o" if name == "bfloat16" else "x"
        right.plot(
            1 / spacings[kept], gap[kept], marker, color=STORED[name], markersize=9 if marker == "o" else 7,
            alpha=0.6 if marker == "o" else 1, label="_" + name,
        )  # fmt: skip
        right.text(0.06, 0.85 + 3 * shift, f"{marker.replace('o', '●').replace('x', '×')} {name}",
                   transform=right.transAxes, color=STORED[name])  # fmt: skip
    for axes in (left, right):
        plotting.log_ticks(axes, "x")
        axes.minorticks_off()
        axes.axhline(0, **plotting.THEORY)
    shown = list(rates)[::-2]
    left.set_xticks([1 / rate for rate in shown], [f"{rate:g}" for rate in shown])
    left.set_xlim(right=1 / min(rates))  # the line of zero ends where the names begin
    right.set_xlim(0.1, 10)
    right.set_xticks([0.125, 0.5, 2, 8], ["8", "2", "0.5", "0.125"])
    plotting.finish(
        left, title="Sixteen bits lose the small steps", x="learning rate η (steps ∝ 1/η)",
        y="validation loss above float32's",
    )  # fmt: skip
    plotting.finish(right, title="In units of the spacing it is one curve", x="η / ε", y="", names=False)
    return figure


def scale_history(scales: ArrayLike, ceilings: ArrayLike) -> Figure:
    """The scale of a dynamic scaler, step by step, and the largest that would not have overflowed.

    Args: scales, ceilings: (T,); a ceiling that is not finite is left out.
    """
    figure, axes = plotting.subplots(size=(7.0, 3.6))
    s, c = np.log2(np.asarray(scales, float)), np.log2(np.asarray(ceilings, float))
    steps = np.arange(len(s))
    axes.step(steps, s, where="post", color=plotting.PURPLE, label="scale")
    fine = np.isfinite(c)
    axes.plot(steps[fine], c[fine], color=plotting.INK, linewidth=0.9, linestyle=(0, (4, 2)), label="ceiling")
    over = s > c
    over |= ~fine
    axes.plot(steps[over], s[over], linestyle="none", marker="x", color=plotting.VERMILION, label="_skipped")
    low, high = float(s.min()), float(s.max())
    ticks = np.arange(8 * math.floor(low / 8), high + 1, 8)
    axes.set_yticks(ticks, map(power, ticks))
    axes.set_xlim(0, len(s) - 1)
    axes.text(0.5, 0.85, "× skipped step", transform=axes.transAxes, color=plotting.VERMILION)
    title = "The scale falls until it fits, then keeps trying"
    plotting.finish(axes, title=title, x="step", y="loss scale")
    return figure


def memory_over_a_step(
    runs: Mapping[str, HeldBytes], segments: Sequence[int], peaks: Sequence[float], *, layers: int,
    unit: int,
) -> Figure:  # fmt: skip
    """Left, what a step holds from operation to operation; right, its peak against the segment's length.

    Args:
        runs: name -> what was counted, three of them. unit: bytes of the numbers of one layer.
        segments, peaks: (K,) layers in a segment, and peaks in units.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.4, 4.0))
    for (name, run), color, where in zip(runs.items(), HELD, WHERE, strict=True):
        held = np.concatenate([[0], np.asarray(run.history) / unit])
        at = int(held.argmax())
        left.plot(np.linspace(0, 1, len(held)), held, color=color, linewidth=1.3, label="_" + name)
        left.text(*where, f"{name}: {held[at]:.0f}", color=color)
    left.set(xlim=(0, 1), ylim=(0, 44), xticks=[])
    k = np.asarray(segments)
    plotting.measured(right, k, peaks, label="_peak", color=HELD[2])
    fine = np.linspace(1, layers, 200)
    plotting.theory(right, fine, layers / fine + fine + 2, label="_theory")
    right.text(layers / 3, layers / 3 + 0.5, "L/k + k + 2", color=plotting.INK)
    right.set(xlim=(0, layers + 1), ylim=(0, 44), xticks=[1, 6, 12, 18, 24, 30, 36])
    plotting.finish(
        left,
        title="A step holds most at its middle",
        x="the changes of memory in a step, in order",
        y="held, in layers' outputs",
        names=False,
    )
    plotting.finish(right, title="Shortest and longest segments save nothing", x="layers in a segment, k",
                    y="peak, in layers' outputs", names=False)  # fmt: skip
    return figure


def scale_windows(powers: Sequence[int], losses: Mapping[str, ArrayLike], own: float) -> Figure:
    """Loss above float32's against the loss scale, for gradients in three formats.

    Args: powers: (K,) of 2. losses: names of `FORMATS` -> (S, K), three of them. own: the mean loss of e4m3
        with a scale for each tensor, where the loss has a factor of 2 to the first of the powers.
    """
    figure, axes = plotting.subplots(size=(6.8, 4.0))
    # where two lines lie on one another, the lower one shows on both sides of the upper
    for width, (name, values) in zip((4.0, 2.4, 1.2), losses.items(), strict=True):
        mean = np.asarray(values).mean(0)
        axes.plot(powers, mean, "o-", color=COLOURS[name], markersize=4, linewidth=width, label="_" + name)
    axes.plot(powers[:1], [own], "D", color=plotting.INK, markersize=6, label="_own")
    axes.text(powers[0], own - 0.22, "e4m3, a scale for each tensor", color=plotting.INK)
    axes.set(ylim=(-0.35, 2.6), xlim=(min(powers) - 1, max(powers) + 0.5))
    for row, name in enumerate(losses):
        axes.text(0.40, 0.92 - 0.08 * row, name, transform=axes.transAxes, color=COLOURS[name])
    ticks = list(powers)[::2]
    axes.set_xticks(ticks, map(power, ticks))
    title = "In eight bits fewer loss scales will do"
    plotting.finish(axes, title=title, x="loss scale", y="validation loss above float32's", names=False)
    return figure


def gpu_bars(record: Record) -> Figure:
    """Step time and peak memory in each precision, as shares of strict float32, for each net of a record."""
    figure, panels = plotting.subplots(1, 2, size=(9.2, 3.6), sharey=True)
    nets = list(dict.fromkeys(row["net"] for row in record.rows))
    names = list(dict.fromkeys(row["precision"] for row in record.rows))
    colours: dict[str, Any] = dict(zip(nets, (plotting.BLUE, plotting.ORANGE), strict=False))
    for axes, key, title in zip(
        panels, ("step_ms", "peak_mib"), ("Time of a step", "Peak memory"), strict=True
    ):
        for shift, net in enumerate(nets):
            rows = {row["precision"]: row for row in record.rows if row["net"] == net}
            values = [rows[name][key] / rows["fp32"][key] for name in names]
            places = np.arange(len(names))[::-1] + 0.18 - 0.36 * shift
            axes.barh(places, values, height=0.34, color=colours[net])
            axes.text(values[0] + 0.02, places[0], net, va="center", color=colours[net])
        axes.set_yticks(range(len(names)), list(reversed(names)))
        axes.axvline(1, **plotting.THEORY)
        axes.set_xlim(right=1.3)
        plotting.finish(axes, title=title, x="strict fp32 = 1", y="", names=False)
    figure.suptitle(record.provenance, x=0.01, ha="left", fontsize=9, color=plotting.GREY)
    return figure
