"""The figures of lesson 24: so far, what one step of an optimizer costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from course_utils import plotting
from course_utils.recorded import Record

WAYS = ("default", "foreach", "fused", "plain", "flat", "compiled", "moving")
MOVING = "moving the bytes"


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
    right.set(xlim=(0, 1.25 * max(memory)))
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
    figure.supxlabel(f"{optimizer}, {record.provenance}", fontsize=9, color=plotting.GREY)
    return figure
