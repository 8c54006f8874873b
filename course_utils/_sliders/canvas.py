"""One state of a figure after another, at what the lesson's drawing costs and as little more as can be.

The figure is arranged once, ticks are worked out once a drawing, the canvas is kept, the file is packed fast.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import gc
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Tick
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator
from matplotlib.transforms import Bbox

Shape = tuple[Any, ...]


class Canvas:
    """Draws one state of a figure after another as WebP, where each would be arranged as the first.

    Args:
        style: of Matplotlib, while a figure is put on the canvas.
    """

    def __init__(self, style: Mapping[str, Any]) -> None:
        self._style: Any = style
        self._places: dict[Shape, list[Bbox]] = {}
        self._renderer: RendererAgg | None = None

    def webp(self, draw: Callable[[], Figure]) -> tuple[bytes, Figure]:
        """The figure that `draw` makes, and its picture.

        Figures with as many axes and as many lines in their titles and names share one arrangement, until a
        name would leave the canvas.
        """
        with _one_collection():
            return self._webp(draw)

    def _webp(self, draw: Callable[[], Figure]) -> tuple[bytes, Figure]:
        figure = _made(draw)
        known = self._places.get(shape := _shape(figure))
        if known is not None:
            _arrange(figure, known)
        renderer = self._drawn(figure)
        if known is not None and _leaves(figure, renderer):
            figure, known = _made(draw), None
            renderer = self._drawn(figure)
        if known is None:
            self._places[shape] = [axes.get_position(original=True) for axes in figure.axes]
        return _written(renderer), figure

    def _drawn(self, figure: Figure) -> RendererAgg:
        """The kept canvas, or a new one where the figure has another size, with the figure on it."""
        width, height = (int(pixels) for pixels in figure.bbox.size)
        kept = self._renderer
        if kept is None or (kept.width, kept.height, kept.dpi) != (width, height, figure.dpi):
            kept = self._renderer = RendererAgg(width, height, figure.dpi)  # type: ignore[no-untyped-call]
        kept.clear()  # type: ignore[no-untyped-call]
        with mpl.rc_context(self._style):
            figure.draw(kept)
        return kept


@contextlib.contextmanager
def _one_collection() -> Iterator[None]:
    """Collect what the last state left, then nothing until this one is drawn.

    Left alone, each figure outlives the young generations, and every tenth or so waits half a second for a
    collection of all that the process holds.
    """
    enabled = gc.isenabled()
    gc.collect(1)
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _made(draw: Callable[[], Figure]) -> Figure:
    """The figure; its titles have a height, so that no drawing measures them against the axes."""
    with mpl.rc_context({"axes.titley": 1.0}):
        return draw()


def _arrange(figure: Figure, places: Sequence[Bbox]) -> None:
    """Put the axes where they were, and have their ticks worked out once, not four times a drawing."""
    figure.set_layout_engine("none")
    for axes, place in zip(figure.axes, places, strict=True):
        axes.set_position(place)
        for axis in axes.xaxis, axes.yaxis:
            ticks: Any = axis
            ticks._update_ticks = functools.cache(ticks._update_ticks)
            made = axis.majorTicks
            made += [_like(made[0]) for _ in range(len(axis.get_majorticklocs()) - len(made))]
    _join_minor_ticks(figure)


def _like(tick: Tick) -> Tick:
    """Another such tick, for another place: what is not drawn of it is not made, which is most of it."""
    other = copy.copy(tick)
    for name in "tick1line", "tick2line", "gridline", "label1", "label2":
        if (part := getattr(tick, name)).get_visible():
            setattr(other, name, copy.copy(part))
    return other


def _join_minor_ticks(figure: Figure) -> None:
    """Draw the many small ticks of a logarithmic axis, which have no numbers, as one line of marks each.

    Matplotlib makes five artists for every tick, which is much of what a state takes.
    """
    joined: list[tuple[Axes, Any, Line2D]] = []
    for axes in figure.axes:
        for axis in axes.xaxis, axes.yaxis:
            places = np.asarray(axis.get_minorticklocs())
            if len(places) == 0 or any(axis.get_minor_formatter().format_ticks(places.tolist())):
                continue
            tick = axis.get_minor_ticks(1)[0].tick1line
            low, high = sorted(axis.get_view_interval())
            places = places[(low <= places) & (places <= high)]
            at = np.zeros_like(places)
            marks = Line2D(places, at) if axis is axes.xaxis else Line2D(at, places)
            marks.update_from(tick)
            joined.append((axes, axis, marks))
    for axes, axis, marks in joined:  # axes may share an axis
        axes.add_artist(marks)
        marks.set_clip_on(False)
        axis.set_minor_locator(NullLocator())


def _leaves(figure: Figure, renderer: RendererAgg) -> bool:
    """Whether the name of an axis, which stands beside its numbers, or of a line is cut off at the edge."""
    texts = [text for axes in figure.axes for text in (axes.xaxis.label, axes.yaxis.label, *axes.texts)]
    boxes = [text.get_window_extent(renderer) for text in texts if text.get_text()]
    whole = figure.bbox
    return any(
        box.x0 < whole.x0 or box.x1 > whole.x1 or box.y0 < whole.y0 or box.y1 > whole.y1 for box in boxes
    )


def _shape(figure: Figure) -> Shape:
    """What the arrangement of a figure depends on, as far as it is known before ticks are."""
    texts = [figure.get_suptitle()]
    for axes in figure.axes:
        texts += [axes.get_title(place) for place in ("left", "center", "right")]
        texts += [axes.get_xlabel(), axes.get_ylabel()]
    lines = tuple(text.count("\n") + 1 if text else 0 for text in texts)
    return (tuple(figure.bbox.size), len(figure.axes), lines)


def _written(renderer: RendererAgg) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    pixels = np.asarray(renderer.buffer_rgba())  # type: ignore[no-untyped-call]
    Image.fromarray(pixels).convert("RGB").save(buffer, "WEBP", lossless=True, method=0, quality=0)
    return buffer.getvalue()
