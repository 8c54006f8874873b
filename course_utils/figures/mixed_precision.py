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
from course_utils.mixed_precision import FloatFormat, float_format, round_to
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
KINDS = {"outputs": plotting.VERMILION, "hidden": plotting.BLUE, "weights": plotting.GREEN}
RULER = 1.25  # the close-up goes from 1 to here
BINS = np.arange(-60.0, 24.1, 1.0)  # of log2
MEMORY = {
    "weights": plotting.GREY,
    "gradients": plotting.SKY,
    "optimizer": plotting.ORANGE,
    "saved": plotting.BLUE,
}


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


def shares(gradients: Tensor, scale: float) -> tuple[float, float]:
    """Shares of the gradients that are not zero which vanish, and which overflow, in float16 at a scale."""
    g = gradients[gradients != 0].double()
    rounded = round_to(g * scale, torch.float16)
    return float((rounded == 0).double().mean()), float(rounded.isinf().double().mean())


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
        vanish, overflow = shares(g, scale)
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


def small_losses(lines: Mapping[str, tuple[Sequence[int], ArrayLike]], *, edge: float) -> Figure:
    """Validation loss against the size of the training loss.

    Args: lines: name -> (powers (K,), losses (S, K)), power k for the factor 2^-k. edge: the k from which on
        nothing can move.
    """
    figure, axes = plotting.subplots(size=(6.8, 3.8))
    colours = {"float16": plotting.VERMILION, "float16, scaled": plotting.PURPLE, "bfloat16": plotting.BLUE}
    ticks: set[int] = set()
    for name, (powers, values) in lines.items():
        plotting.band(axes, powers, values, label=name, color=colours[name])
        axes.plot(
            powers, np.asarray(values).mean(0), "o", color=colours[name], markersize=4, label="_measured"
        )
        ticks |= set(powers)
    axes.axvline(edge, color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
    axes.text(edge - 3.2, 1.7, "from here on every\ngradient is zero", ha="right", color=plotting.INK)
    axes.set_xticks(sorted(ticks), [power(-k) for k in sorted(ticks)])
    axes.set_ylim(bottom=0)
    title = "A small loss trains in float16 only when it is scaled"
    plotting.finish(axes, title=title, x="factor on the loss", y="validation loss (without the factor)")
    return figure


def small_steps(rates: Sequence[float], losses: Mapping[str, ArrayLike]) -> Figure:
    """Validation loss above float32's, seed by seed, after the same distance in smaller and smaller steps.

    Args: rates: (K,). losses: how the weights are stored -> (S, K); "float32" is what is subtracted.
    """
    figure, axes = plotting.subplots(size=(6.8, 3.8))
    colours = {
        "float16": plotting.VERMILION,
        "bfloat16": plotting.BLUE,
        "bfloat16, random": plotting.GREEN,
    }
    plotting.log_ticks(axes, "x")
    axes.minorticks_off()
    base = np.asarray(losses["float32"])
    for name, color in colours.items():
        plotting.band(axes, 1 / np.asarray(rates), np.asarray(losses[name]) - base, label=name, color=color)
    axes.axhline(0, color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
    axes.set_xticks([1 / rate for rate in rates], [f"{rate:g}" for rate in rates])
    title = "Weights in bfloat16 lose the small steps"
    plotting.finish(axes, title=title, x="step size η (steps ∝ 1/η)", y="validation loss above float32's")
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


def memory_bars(rows: Sequence[tuple[str, Mapping[str, int]]]) -> Figure:
    """What a step keeps, in MB, one bar per setting. Args: rows: (name, what `step_bytes` gives)."""
    figure, axes = plotting.subplots(size=(7.4, 0.55 * len(rows) + 1.7))
    for height, (_, parts) in enumerate(reversed(rows)):
        start = 0.0
        for part, color in MEMORY.items():
            width = parts[part] / 1e6
            axes.barh(height, width, left=start, height=0.62, color=color, edgecolor="white", linewidth=0.8)
            start += width
        axes.text(start + 0.1, height, f"{parts['saved'] / 1e6:.1f}", va="center", color=plotting.BLUE)
    axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
    most = max(sum(parts.values()) for _, parts in rows) / 1e6
    for row, (part, color) in enumerate(MEMORY.items()):
        name = "saved for the backward pass" if part == "saved" else part
        axes.text(0.62, 0.95 - 0.09 * row, name, transform=axes.transAxes, color=color, va="top")
    axes.set(xlim=(0, 1.08 * most), ylim=(-0.5, len(rows) - 0.5))
    title = "Only what is saved for the backward pass changes"
    plotting.finish(axes, title=title, x="MB", y="", names=False)
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
        axes.axvline(1, color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
        axes.set_xlim(right=1.3)
        plotting.finish(axes, title=title, x="strict fp32 = 1", y="", names=False)
    figure.suptitle(record.provenance, x=0.01, ha="left", fontsize=9, color=plotting.GREY)
    return figure
