"""The data behind the figures of lesson 24, and that each figure draws what it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from course_utils import recorded
from course_utils.figures import many_devices
from course_utils.plotting import clashes, png
from course_utils.theory import many_devices as theory
from tests.figures.reading import drawn, heights, line, lines, texts

CASES = ("plain net", "batch norm", "dropout")
EVERY, RATES = [1, 4, 16, 128], [0.1, 0.2, 0.4, 0.8]


def draw(*shape: int) -> torch.Tensor:
    return 0.1 + torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_ring_counts_whose_gradients_are_in_a_chunk() -> None:
    start, half, end = drawn(many_devices.all_reduced(4)).axes
    assert set(texts(start)) == {"1"}
    assert set(texts(end)) == {"4"}
    rows = [texts(half)[k : k + 4] for k in range(0, 16, 4)]
    assert [row.index("4") for row in rows] == [1, 2, 3, 0]  # worker r has chunk r + 1
    assert all(sorted(row) == ["1", "2", "3", "4"] for row in rows)
    assert [axes.get_xlabel()[-8:] for axes in (start, half, end)] == ["0 rounds", "3 rounds", "6 rounds"]


def test_gaps() -> None:
    naive = dict(zip(CASES, draw(3, 5), strict=True))
    cured = {"batch norm": torch.zeros(5)}
    [axes] = drawn(many_devices.gaps(naive, cured)).axes
    assert [t.get_text() for t in axes.get_yticklabels()] == list(CASES)
    found = [np.asarray(one.get_xdata(), float) for one in axes.get_lines() if len(one.get_xdata()) == 5]
    assert [list(x) for x in found[:3]] == [list(naive[case]) for case in CASES]
    assert list(found[3]) == [1e-17] * 5  # zero has a place on a logarithmic axis


def test_held() -> None:
    left, right = drawn(many_devices.held([16.0, 12.0, 10.0, 8.0], parameters=1e9)).axes
    tops = np.array([bar.get_y() + bar.get_height() for bar in left.patches]).reshape(3, 4).max(0)
    assert list(tops) == [16, 12, 10, 8]
    assert texts(left)[-4:] == ["16", "12", "10", "8"]
    for stage in range(4):
        expected = [
            theory.bytes_per_parameter(2**k, stage, weight=2, gradient=2, state=12) for k in range(11)
        ]
        assert list(heights(right)[f"stage {stage}"]) == pytest.approx(expected)


def test_local() -> None:
    tuning = dict(zip(EVERY, draw(4, 3, 4), strict=True))
    ends = {
        kind: dict(zip(EVERY, k * draw(4, 5), strict=True)) for k, kind in enumerate(("mixed", "sorted"), 1)
    }
    left, right = drawn(many_devices.local(RATES, tuning, ends, 0.3)).axes
    for every in EVERY:
        assert list(line(left, str(every))[:, 1]) == pytest.approx(tuning[every].log().mean(0).exp().tolist())
    for kind in ends:
        means = [float(ends[kind][every].log().mean().exp()) for every in EVERY]
        assert line(right, kind).tolist() == [pytest.approx(pair) for pair in zip(EVERY, means, strict=True)]
    assert "one worker alone" in texts(right)


def test_scaling() -> None:
    steps = torch.tensor([[100.0, 120.0], [40.0, 50.0], [30.0, 20.0]])
    left, right = drawn(many_devices.scaling([1, 4, 16], steps, 8)).axes
    assert list(left.get_lines()[1].get_ydata()) == [110, 45, 25]
    assert list(right.get_lines()[1].get_ydata()) == pytest.approx([1, 4 * 45 / 110, 16 * 25 / 110])


def test_step_time() -> None:
    """At one device nothing is sent; then overlapping helps, until the rounds of 24 rings are too many."""
    [axes] = drawn(many_devices.step_time(10, 4)).axes
    whole, hidden = heights(axes)["one after the other"], heights(axes)["overlapped"]
    assert whole[0] == hidden[0] == 6 * 1e9 * 4e6 / 4e14
    assert all(hidden[1:9] < whole[1:9])
    waiting = 2 * 4095 * many_devices.LATENCY
    assert hidden[-1] - whole[-1] == pytest.approx(23 * waiting, rel=0.02)
    sending = line(axes, "sending")
    assert sending[0].tolist() == [2, pytest.approx(2e9 / 10e9 + 2 * many_devices.LATENCY)]
    assert len(lines(axes, "sending")) == 1


@pytest.mark.parametrize("speed", [1, 10, 50, 400])
@pytest.mark.parametrize("tokens", [0.25, 1, 4, 16])
def test_no_texts_overlap_whatever_the_sliders_say(speed: float, tokens: float) -> None:
    figure = many_devices.step_time(speed, tokens)
    png(figure)
    assert clashes(figure) == []


def test_costs() -> None:
    left, right = drawn(many_devices.costs(["plain", "flat"], [496, 8], [3.0, 2.7])).axes
    assert [bar.get_width() for bar in left.patches] == [496, 8]
    assert [bar.get_width() for bar in right.patches] == [3.0, 2.7]
    assert texts(left) == ["496", "8"]
    assert texts(right) == ["3", "2.7"]
    assert [t.get_text() for t in left.get_yticklabels()] == ["plain", "flat"]


def test_a_record_is_shown_with_its_provenance(tmp_path: Path) -> None:
    times = {"moving": 0.001, "default": 0.002, "plain": 0.004}
    rows: list[dict[str, Any]] = [
        {"workload": f"work {k}", "optimizer": name, "median_s": dict(times)}
        for k in range(3)
        for name in ("SGD", "Adam")
    ]  # fmt: skip
    rows[-1]["median_s"]["flat"] = 0.003
    recorded.save("optimizers", rows, settings={}, folder=tmp_path)
    record = recorded.newest("optimizers", tmp_path)
    assert record is not None
    figure = drawn(many_devices.recorded_steps(record))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["work 0", "work 1", "work 2"]
    first, last = figure.axes[0], figure.axes[-1]
    assert [bar.get_width() for bar in first.patches] == pytest.approx([2, 4, 1])
    assert [t.get_text() for t in first.get_yticklabels()] == ["default", "plain", many_devices.MOVING]
    assert [bar.get_width() for bar in last.patches] == pytest.approx([2, 4, 3, 1])
    assert texts(first) == ["2", "4", "1"]
    assert record.provenance in figure.get_supxlabel()
