"""The data behind the figures of lesson 22."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from course_utils.figures import initialisation_and_width as figures
from tests.mutants import mutant

COUNTS = [1, 4, 16]


def check_variance(module: Any) -> None:
    """n times the variance of a mean is 1: eight standard errors of a variance from 20,000 values."""
    variance = module.variance_of_means(COUNTS, 20_000, rng=np.random.default_rng(0))
    assert variance.dtype == np.float64
    assert abs(variance * np.array(COUNTS) - 1).max() < 0.08


def test_the_variance_falls_as_one_over_n() -> None:
    check_variance(figures)


@pytest.mark.parametrize(("old", "new"), [(".mean(1)", ".sum(1)"), ("m.var(ddof=1)", "m.std(ddof=1)")])
def test_a_mistake_is_noticed(old: str, new: str) -> None:
    with pytest.raises(AssertionError):
        check_variance(mutant("course_utils.figures.initialisation_and_width", old, new))


def test_the_figure_shows_the_data_and_the_theory() -> None:
    variance = [1.0, 0.26, 0.06]
    figure = figures.falling(COUNTS, variance, at=4)
    FigureCanvasAgg(figure).draw()
    [axes] = figure.axes
    lines = {str(line.get_label()): line for line in axes.get_lines()}
    assert lines["measured"].get_ydata() == pytest.approx(variance)
    assert lines["1/n"].get_ydata() == pytest.approx(1 / np.array(COUNTS))
    assert " variance 0.26" in [text.get_text() for text in axes.texts]


def test_bad_input_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="counts of 1 or more"):
        figures.variance_of_means([0], 10, rng=rng)
    with pytest.raises(ValueError, match="repeats >= 2"):
        figures.variance_of_means([1], 1, rng=rng)
    with pytest.raises(ValueError, match="a mark among the counts"):
        figures.falling(COUNTS, [1.0, 0.25, 0.06], at=3)
