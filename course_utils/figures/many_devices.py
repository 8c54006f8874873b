"""The figures of lesson 24."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from course_utils import plotting
from course_utils.distributed import ring
from course_utils.recorded import Record
from course_utils.theory import many_devices

WAYS = ("default", "foreach", "fused", "plain", "flat", "compiled", "moving")
MOVING = "moving\nthe bytes"
STAGES = ("0: all whole", "1: state shared out", "2: and gradients", "3: and weights")
KINDS = {"weights": plotting.BLUE, "gradients": plotting.ORANGE, "m and v": plotting.PURPLE}
LATENCY = 1e-5  # seconds before the first byte of a message arrives
LAYERS = 24

# What each figure shows, in words.
RING = (
    "Three tables of four workers with four chunks each. A number says how many workers' gradients are in a "
    "chunk's sum. At first all are 1. After three rounds each worker has one chunk with 4, each another one. "
    "After six rounds all chunks have 4."
)
GAPS = (
    "Relative distance of the shared gradient from that of one batch, logarithmic, one row for each case and "
    "one dot for each seed. A plain net and all cures lie at rounding error, far to the left. Batch norm, "
    "dropout, ignored targets, a short batch and clipping lie far to the right, and so does dropout in one "
    "process against the same with other masks."
)
HELD = (
    "Left, bytes per parameter that each of two workers holds after the backward pass at four stages of "
    "sharding, as stacked bars of the formula, with a measured dot at the top of each: 16, 12, 10 and 8. "
    "Right, gigabytes on each device against the number of devices, both logarithmic: without sharding the "
    "line is flat, stages 1 and 2 fall and level off, and with all shared out it falls as one over the "
    "number."
)
LOCAL = (
    "Left, training loss at the end against the rate, one line for each number of local steps: near at "
    "the lowest rate, a single mean at the end a little higher, and apart at high ones, where few local "
    "steps end lowest. Right, the loss at the best rate against the number of local steps, with mixed and "
    "with sorted digits: mixed it about doubles, sorted it rises far above one worker's."
)
SCALING = (
    "Left, steps to the loss against the number of workers, logarithmic: they fall and then level off. "
    "Right, examples to the loss, in units of one worker's: they rise, at last in proportion to the workers."
)
COSTS = (
    "Operations and memory traffic of one Adam step on 62 tensors. Plain needs the most operations, foreach "
    "far fewer, flat few and fused the fewest. Plain and flat touch between two and three times the least "
    "number of bytes, fused the least."
)
RECORDED_STEPS = (
    "Milliseconds of one Adam step for every way of stepping, in one panel for each workload, as recorded on "
    "the machine that is named below the panels."
)
STEP_TIME = (
    "Seconds of one step against the number of devices, both logarithmic. Computing falls as one over the "
    "number, sending rises, and the step follows the larger of the two. With a ring for each layer sending "
    "is hidden as long as computing takes longer; with thousands of devices this step is the longest."
)


def all_reduced(workers: int = 4) -> Figure:
    """How many workers' gradients are in each chunk: at the start, halfway, after each half of the ring."""
    buffers = [torch.ones(workers) for _ in range(workers)]
    states = [torch.stack(buffers).clone()]
    for half in (ring.reduce_scatter, ring.all_gather):
        half(buffers)
        states.append(torch.stack(buffers).clone())
    figure, panels = plotting.subplots(1, 3, size=(9.4, 3.2))
    titles = ("Each has its own", "Reduce-scatter", "All-gather")
    rounds = (0, workers - 1, 2 * (workers - 1))
    for axes, state, title, at in zip(panels, states, titles, rounds, strict=True):
        axes.imshow((state == workers).numpy(), cmap="Blues", vmin=0, vmax=2.2)
        for row, values in enumerate(state.tolist()):
            for column, value in enumerate(values):
                axes.text(column, row, f"{value:.0f}", ha="center", va="center")
        axes.set(xticks=range(workers), yticks=range(workers))
        axes.set(xticklabels=range(1, workers + 1), yticklabels=range(1, workers + 1))
        axes.spines[:].set_visible(False)
        y = "worker" if at == 0 else ""
        plotting.finish(axes, title=title, x=f"chunk, after {at} rounds", y=y, names=False)
    return figure


def gaps(naive: Mapping[str, ArrayLike], cured: Mapping[str, ArrayLike]) -> Figure:
    """Relative distances of shared gradients from one batch's; case -> (seeds,)."""
    figure, axes = plotting.subplots(size=(8.4, 3.4))
    rows = np.arange(len(naive))[::-1]
    for found, color, label in ((naive, plotting.VERMILION, "as it comes"), (cured, plotting.BLUE, "cured")):
        for row, name in zip(rows, naive, strict=True):
            if name in found:
                values = np.maximum(np.asarray(found[name], float), 1e-17)
                axes.plot(
                    values, np.full(len(values), row), "o", color=color, alpha=0.55, mew=0, markersize=7
                )
        axes.plot([], [], "o", color=color, label=f"_{label}")
    axes.set(yticks=rows, yticklabels=list(naive), xlim=(1e-18, 30), ylim=(-0.6, len(naive) - 0.4))
    plotting.log_ticks(axes, "x")
    axes.text(3e-12, rows[0], "blue: cured, or nothing to cure", color=plotting.BLUE, va="center", ha="left")
    axes.text(3e-12, rows[1], "orange: shared as it comes", color=plotting.VERMILION, va="center", ha="left")
    title = "What looks at the whole batch is not shared by itself"
    plotting.finish(axes, title=title, x="relative distance from one batch's gradient", y="", names=False)
    return figure


def held(measured: Sequence[float], parameters: float = 7e9) -> Figure:
    """Bytes per parameter on two workers by stage, formula and measured; gigabytes on many, by formula."""
    figure, (left, right) = plotting.subplots(1, 2, size=(10.2, 3.6))
    floor = np.zeros(4)
    for kind, color in KINDS.items():
        given = {"weight": 4.0, "gradient": 4.0, "state": 8.0}
        name = {"weights": "weight", "gradients": "gradient"}.get(kind, "state")
        only = {key: value if key == name else 0.0 for key, value in given.items()}
        part = np.array([many_devices.bytes_per_parameter(2, stage, **only) for stage in range(4)])
        left.bar(range(4), part, 0.7, bottom=floor, color=color, alpha=0.55)
        left.text(0, floor[0] + part[0] / 2, kind, ha="center", va="center", fontsize=9)
        floor += part
    left.plot(range(4), measured, "o", color=plotting.INK, markersize=6)
    left.set(xticks=range(4), ylim=(0, 19))
    for stage, value in enumerate(measured):
        left.text(stage, value + 0.6, f"{value:.3g}", ha="center", va="bottom")
    plotting.finish(
        left, title="Two workers, measured (dots)", x="stage", y="bytes per parameter", names=False
    )
    devices = 2 ** np.arange(11)
    shades = (plotting.GREY, plotting.SKY, plotting.BLUE, plotting.INK)
    for stage, color in enumerate(shades):
        each = [
            many_devices.bytes_per_parameter(int(n), stage, weight=2, gradient=2, state=12) for n in devices
        ]
        right.plot(devices, parameters / 1e9 * np.array(each), color=color, label=f"stage {stage}")
    right.set(xlim=(1, 1024))
    plotting.log_ticks(right, "x")
    plotting.log_ticks(right, "y")
    title = "7 billion parameters, by arithmetic"
    plotting.finish(right, title=title, x="devices", y="gigabytes on each")
    return figure


def local(
    rates: Sequence[float],
    tuning: Mapping[int, ArrayLike],
    ends: Mapping[str, Mapping[int, ArrayLike]],
    alone: float,
) -> Figure:
    """Loss against the rate for each number of local steps; and at the best rate against that number.

    Args:
        tuning: local steps -> (seeds, rates), on mixed digits.
        ends: "mixed" and "sorted", each local steps -> (seeds,) at the best rate.
        alone: the loss that one worker comes to.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(10.2, 3.7))
    shades = (plotting.INK, plotting.BLUE, plotting.PURPLE, plotting.ORANGE, plotting.VERMILION)
    plotting.log_ticks(left, "x")
    plotting.log_ticks(left, "y")
    for (every, values), color in zip(tuning.items(), shades, strict=False):
        mean = np.exp(np.log(np.asarray(values, float)).mean(0))
        left.plot(rates, mean, "o-", markersize=4, color=color, label=f"{every}")
    left.set(xlim=(min(rates), max(rates)))
    plotting.finish(left, title="Mixed: apart at high rates", x="rate η", y="loss at the end")
    left.text(
        max(rates) * 1.05, left.get_ylim()[1], "local steps", va="bottom", fontsize=9, color=plotting.GREY
    )
    plotting.log_ticks(right, "x")
    plotting.log_ticks(right, "y")
    for (kind, found), color in zip(ends.items(), (plotting.BLUE, plotting.VERMILION), strict=True):
        steps = np.array(list(found), float)
        values = np.stack([np.asarray(value, float) for value in found.values()])  # (steps, seeds)
        right.plot(np.repeat(steps, values.shape[1]), values.ravel(), "o", color=color, alpha=0.4, mew=0)
        right.plot(steps, np.exp(np.log(values).mean(1)), color=color, label=kind)
    right.axhline(alone, **plotting.THEORY)
    right.text(24, alone / 1.08, "one worker alone", fontsize=9, va="top")
    x = "local steps between two averages"
    plotting.finish(right, title="Sorted: the longer alone, the worse", x=x, y="loss at the best rate")
    return figure


def scaling(workers: Sequence[int], steps: ArrayLike, batch: int) -> Figure:
    """Steps and examples to a loss against the number of workers; steps: (workers, seeds)."""
    n, found = np.array(workers, float), np.asarray(steps, float)
    examples = found * n[:, None] * batch
    figure, (left, right) = plotting.subplots(1, 2, size=(9.6, 3.5))
    for axes, values in ((left, found), (right, examples / examples[0].mean())):
        plotting.log_ticks(axes, "x")
        plotting.log_ticks(axes, "y")
        at = np.repeat(n, values.shape[1])
        axes.plot(at, values.ravel(), "o", color=plotting.BLUE, alpha=0.4, mew=0)
        axes.plot(n, values.mean(1), color=plotting.BLUE)
    left.plot(n, found[0].mean() / n, **plotting.THEORY)
    left.text(n[1], found[0].mean() / n[1] / 1.3, "in proportion", ha="right", va="top")
    right.axhline(1, **plotting.THEORY)
    left.set(ylim=(found[0].mean() / n[-1] / 1.5, 2 * found.max()))
    plotting.finish(
        left, title="More workers: fewer steps, up to a point", x="workers", y="steps", names=False
    )
    y = "examples, one worker = 1"
    plotting.finish(right, title="More workers: more examples in all", x="workers", y=y, names=False)
    return figure


def step_time(gigabytes_a_second: float = 50, million_tokens: float = 1, parameters: float = 1e9) -> Figure:
    """Seconds of one shared step against the number of devices, by arithmetic.

    A device does 4e14 operations a second, a token costs 6 operations for each parameter, and gradients take
    two bytes each. One ring for all of them waits for 2 (n - 1) messages; overlapped, each of 24 layers has a
    ring of its own, which waits for as many.
    """
    figure, axes = plotting.subplots(size=(7.4, 4.0))
    n = 2 ** np.arange(13)
    compute = 6 * parameters * million_tokens * 1e6 / 4e14 / n
    send = np.array([many_devices.ring_share(int(k)) * 2 * parameters for k in n]) / gigabytes_a_second / 1e9
    waiting = 2 * (n - 1) * LATENCY
    rings = send + LAYERS * waiting
    send += waiting
    whole = [many_devices.step_seconds(c, s, overlap=False) for c, s in zip(compute, send, strict=True)]
    hidden = [many_devices.step_seconds(c, s, layers=LAYERS) for c, s in zip(compute, rings, strict=True)]
    axes.plot(n, compute, **plotting.THEORY)
    axes.plot(n[1:], send[1:], color=plotting.ORANGE, linewidth=1.2, label="sending")
    axes.plot(n, whole, color=plotting.GREY, label="one after the other")
    axes.plot(n, hidden, color=plotting.BLUE, label="overlapped")
    axes.set(xlim=(1, n[-1]), ylim=(1e-4, 2e2))
    plotting.log_ticks(axes, "x")
    plotting.log_ticks(axes, "y")
    axes.text(n[9], compute[9] / 1.6, "computing", ha="right", va="top")
    title = "Computing is shared out, sending is not"
    plotting.finish(axes, title=title, x="devices (one batch for all)", y="seconds per step")
    return figure


def costs(ways: Sequence[str], operations: Sequence[int], memory: Sequence[float]) -> Figure:
    """What one step of Adam asks for: operations, and memory touched as a multiple of the least."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.0), sharey=True)
    rows = np.arange(len(ways))[::-1]
    colors = [plotting.colour("adam") if way in ("plain", "flat") else plotting.GREY for way in ways]
    left.barh(rows, operations, 0.6, color=colors)
    left.set(xscale="log", yticks=rows, yticklabels=ways, xlim=(0.8, 3 * max(operations)))
    for row, count in zip(rows, operations, strict=True):
        left.text(count * 1.12, row, str(count), va="center")
    right.barh(rows, memory, 0.6, color=colors)
    right.axvline(1, **plotting.THEORY)
    right.set(xlim=(0, 1.25 * max(memory)), xticks=(1, 2, 3))
    for row, share in zip(rows, memory, strict=True):
        right.text(share + 0.05, row, f"{share:.2g}", va="center")
    plotting.finish(left, title="Flat: as many calls as one tensor", x="operations", y="", names=False)
    plotting.finish(right, title="Fused: no byte twice", x="bytes touched, least = 1", y="", names=False)
    return figure


def recorded_steps(record: Record, optimizer: str = "Adam") -> Figure:
    """Milliseconds of one step for every way that the record has, one panel a workload."""
    rows = [row for row in record.rows if row["optimizer"] == optimizer]
    figure, panels = plotting.subplots(1, len(rows), size=(3.2 * len(rows), 3.2), squeeze=False)
    for axes, row in zip(panels[0], rows, strict=True):
        ways = [way for way in WAYS if way in row["median_s"]]
        values = [1e3 * row["median_s"][way] for way in ways]
        colors = [
            plotting.colour("adam") if way in ("plain", "flat", "compiled") else plotting.GREY for way in ways
        ]
        at = np.arange(len(ways))[::-1]
        axes.barh(at, values, 0.6, color=colors)
        for height, value in zip(at, values, strict=True):
            axes.text(value + 0.02 * max(values), height, f"{value:.3g}", va="center", fontsize=9)
        axes.set(yticks=at, yticklabels=[MOVING if way == "moving" else way for way in ways])
        axes.set(xlim=(0, 1.2 * max(values)))
        plotting.finish(axes, title=row["workload"], x="ms per step", y="", names=False)
    whose = f"{optimizer} (orange: ours, grey: PyTorch's), {record.provenance}"
    figure.supxlabel(whose, fontsize=8, color=plotting.GREY)
    return figure
