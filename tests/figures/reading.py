"""What a figure shows, read from it: lines by their labels, texts, all of it as NumPy's arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Points = np.ndarray[Any, np.dtype[np.float64]]


def drawn(figure: Figure) -> Any:
    """Rendered once, so that what fails only then fails here. Untyped: tests know which patches it holds."""
    FigureCanvasAgg(figure).draw()
    return figure


def lines(axes: Any, label: str) -> list[Points]:
    """The points (T, 2) of every line with this label."""
    return [
        np.column_stack([np.asarray(values, float) for values in line.get_data()])
        for line in axes.get_lines()
        if line.get_label() == label
    ]


def line(axes: Any, label: str) -> Points:
    """The points (T, 2) of the one line with this label."""
    [found] = lines(axes, label)
    return found


def curves(axes: Any) -> dict[str, Points]:
    """Label -> the points (T, 2) of the last line that has it."""
    return {str(label): lines(axes, label)[-1] for label in (line.get_label() for line in axes.get_lines())}


def heights(axes: Any) -> dict[str, Points]:
    """Label -> the y values (T,) of the last line that has it."""
    return {label: points[:, 1] for label, points in curves(axes).items()}


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]
