"""The figure of sharpness along training: one block and one limit for each rate."""

from __future__ import annotations

import pytest
import torch

from course_utils.figures import edge_of_stability as figures
from course_utils.plotting import png


def test_each_rate_has_its_limit() -> None:
    g = torch.Generator().manual_seed(0)
    seeds = torch.rand(12, 5, generator=g).double() + 0.5
    figure = figures.edge(range(5), seeds.expand(3, 12, 5), (0.6, 0.9, 1.2), [0, 1, 3, 8, 20], seeds, 0.5)
    assert len(png(figure)) > 5_000
    left, right = figure.axes
    limits = [line.get_ydata()[0] for line in left.get_lines() if line.get_linestyle() == "--"]
    assert limits == pytest.approx([2 / 0.6, 2 / 0.9, 2 / 1.2])
    assert [line.get_ydata()[0] for line in right.get_lines() if line.get_linestyle() == "--"] == [4.0]
