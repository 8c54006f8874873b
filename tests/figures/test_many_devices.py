"""The data behind the figures of lesson 24."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from course_utils import recorded
from course_utils.figures import many_devices
from tests.figures.reading import drawn, texts


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
