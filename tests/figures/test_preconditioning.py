"""The data behind the figures of lesson 21: what they draw is what they were given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from course_utils import plotting, problems
from course_utils.figures import preconditioning as figures
from tests.mutants import mistakes


def drawn(figure: Figure) -> Figure:
    FigureCanvasAgg(figure).draw()
    return figure


def check_three_paths(module: object) -> None:
    """Along the axes two rules end at once; turned by 45° Newton alone, and the diagonal is the gradient."""
    left, right = drawn(module.three_paths()).axes  # type: ignore[attr-defined]
    paths = [
        {str(line.get_label()): np.stack(line.get_data(), -1) for line in axes.get_lines()}
        for axes in (left, right)
    ]
    for one in paths:
        assert abs(one["Newton"][1]).max() < 1e-12
        assert abs(one["gradient"][3]).max() > 0.5
    assert abs(paths[0]["diagonal"][1]).max() < 1e-12
    np.testing.assert_allclose(paths[1]["diagonal"], paths[1]["gradient"], atol=1e-12)
    # the same valley, turned
    straight, turned = (np.linalg.norm(one["gradient"], axis=1) for one in paths)
    np.testing.assert_allclose(straight, turned, atol=1e-12)


def test_three_paths() -> None:
    check_three_paths(figures)


test_a_mistake_in_the_paths_is_caught = mistakes(
    "course_utils.figures.preconditioning",
    {
        "uphill": ("path[-1] - P @ H @ path[-1]", "path[-1] + P @ H @ path[-1]"),
        "no turn": ("dtype=torch.float64)) @ turn.T", "dtype=torch.float64))"),
        "roots of the diagonal": ("(1 / diagonal).diag()", "(1 / diagonal.sqrt()).diag()"),
    },
    check=check_three_paths,
)  # fmt: skip


def test_maps_have_x_along_and_y_up() -> None:
    kinds = torch.zeros(3, 3)
    kinds[2, 0] = 1  # x is largest, y lowest
    figure = drawn(figures.endings([-1.0, 0.0, 1.0], {"one": kinds, "two": kinds}))
    mesh = np.asarray(figure.axes[0].collections[0].get_array()).reshape(3, 3)
    assert mesh[0, 2] == 1
    assert mesh.sum() == 1


def test_rows_are_in_order_with_their_means() -> None:
    values = {"first": torch.tensor([1.0, 3.0]), "second": torch.tensor([5.0, 5.0])}
    figure = drawn(figures.race({"panel": values, "other": values}))
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["first", "second"]
    means = [line for line in axes.get_lines() if line.get_marker() == "|"]
    assert [float(np.asarray(line.get_xdata())[0]) for line in means] == [2.0, 5.0]
    assert [float(np.asarray(line.get_ydata())[0]) for line in means] == [1.0, 0.0]


def test_figures_draw_what_they_are_given() -> None:
    steps = {
        kind: {"a": torch.tensor([5.0, 6.0]), "b": torch.tensor([50.0, 60.0])} for kind in ("x", "y", "z")
    }
    assert len(drawn(figures.valleys(steps)).axes) == 3
    gaps = {"same": torch.zeros(3), "apart": torch.ones(3)}
    lines = drawn(figures.coordinates(gaps)).axes[0].get_lines()
    places = [np.asarray(line.get_xdata()) for line in lines]
    assert min(x.min() for x in places if len(x) == 3) == pytest.approx(1e-17)
    losses = torch.logspace(0, -30, 7).repeat(2, 1)
    figure = drawn(figures.fitting(14, losses, torch.tensor([1e-6, 1e-7]), 98, losses, losses))
    first = figure.axes[0].get_lines()[0]
    assert np.asarray(first.get_xdata()).tolist() == [14.0 * k for k in range(1, 8)]
    assert float(np.asarray(first.get_ydata()).min()) == pytest.approx(1e-26)


def test_batches_want_a_row_for_each_size() -> None:
    ratios = torch.tensor([[1.5, 1.6], [0.8, 0.9]])
    axes = drawn(figures.batches((16, 128), ratios)).axes[0]
    means = next(line for line in axes.get_lines() if line.get_marker() == "_")
    assert np.asarray(means.get_ydata()).tolist() == pytest.approx(ratios.log().mean(1).exp().tolist())
    with pytest.raises(ValueError, match="need a row of ratios for each batch size, got sizes=3, rows=2"):
        figures.batches((16, 128, 512), ratios)


def test_the_damped_step_says_whether_the_loss_falls() -> None:
    f, start = problems.himmelblau().f, torch.tensor([1.0, -1.4], dtype=torch.float64)
    up = {
        0.0: torch.tensor([1.3, 0.0], dtype=torch.float64),
        9.0: torch.tensor([-0.5, 0.0], dtype=torch.float64),
    }
    for damping, step in up.items():
        figure = drawn(figures.damped(f, start, up, damping))
        [title] = plotting.titles(figure)
        assert ("falls" in title) == bool(f(start - step) < f(start))
