"""Sliders over a figure: what is drawn again, what is kept, what the page is given."""

from __future__ import annotations

import base64
import functools
import gc
import importlib.util
import io
import re
import sys
import weakref
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from course_utils import _sliders, plotting
from tests.mutants import mistakes

ALT = "A line that rises from zero, steeper for a larger rate, over ten steps."
SLIDERS = {"rate": [0.1, 0.2, 0.4], "steps": [5, 10]}
START = {"rate": 0.2, "steps": 10}


def line(rate: float, steps: float, *, lines: int = 1, high: float = 1.0) -> Figure:
    figure, axes = plotting.subplots(size=(4, 3))
    axes.plot([0, steps], [0, rate * steps], label="_line")
    axes.set(xlim=(0, 10), ylim=(0, high))
    title = "\n".join([f"It rises to {rate * steps:g}"] * lines)
    plotting.finish(axes, title="", x="step", y="height", names=False)
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    return figure


def pixels(webp: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(webp)).convert("RGB"), dtype=int)


def arranged(figure: Figure) -> Any:
    """The picture as `plotting` draws a single figure, before it is reduced to 256 colours."""
    return pixels(plotting.png(figure))


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """What a notebook would have been given: (data, metadata)."""
    given: list[tuple[Any, Any]] = []
    monkeypatch.setattr(
        "IPython.display.display", lambda data, raw=False, metadata=None: given.append((data, metadata))
    )
    monkeypatch.delenv("COURSE_HEADLESS", raising=False)
    return given


def explored(displayed: list[tuple[Any, Any]], draw: Any = line) -> Any:
    """The box that `explore` shows: (controls by name, picture)."""
    import ipywidgets as widgets

    canvas = _sliders.Canvas(plotting._STYLE)
    still: Any = ({"image/png": "", "text/plain": "Figure"}, {})
    _sliders.show(draw, SLIDERS, start=START, alt=ALT, canvas=canvas, titles=plotting.titles, still=still)
    view = "application/vnd.jupyter.widget-view+json"
    (model,) = [data[view]["model_id"] for data, _ in displayed if view in data][-1:]
    *controls, picture = widgets.widgets.widget._instances[model].children
    return dict(zip(SLIDERS, controls, strict=True)), picture


def alt_of(picture: Any) -> str:
    (alt,) = re.findall(r'<img [^>]*alt="([^"]*)"', picture.value)
    return str(alt)


# ---- the canvas


def drawn_alike(module: Any, draw: Callable[[float], Figure], rates: Sequence[float]) -> None:
    canvas = module.Canvas(plotting._STYLE)
    for rate in rates:
        webp, _ = canvas.webp(functools.partial(draw, rate))
        # plotting.png keeps 256 colours, so that edges of letters may differ a little
        assert abs(pixels(webp) - arranged(draw(rate))).mean() < 0.1, rate


def check_states_are_drawn_like_single_figures(module: Any) -> None:
    drawn_alike(module, lambda rate: line(rate, 10), (0.1, 0.05, 0.02))


def test_states_are_drawn_like_single_figures() -> None:
    check_states_are_drawn_like_single_figures(_sliders)


def check_a_figure_is_arranged_once(module: Any) -> None:
    calls, execute = [], ConstrainedLayoutEngine.execute

    def counted(self: Any, figure: Figure) -> Any:
        calls.append(figure)
        return execute(self, figure)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ConstrainedLayoutEngine, "execute", counted)
        canvas = module.Canvas(plotting._STYLE)
        for rate in (0.1, 0.05, 0.02, 0.1):
            canvas.webp(lambda rate=rate: line(rate, 10))
    assert len(calls) == 1


def check_logarithmic_axes_keep_their_small_ticks(module: Any) -> None:
    def steps(rate: float) -> Figure:
        figure, (left, right) = plotting.subplots(1, 2, size=(6, 3), sharey=True)
        for axes in (left, right):
            axes.plot([1, 1000], [rate, 1.0], label="_line")
            plotting.log_ticks(axes)
            axes.set(xlim=(0.9, 2000), ylim=(1e-4, 2))
            plotting.finish(axes, title="It rises", x="step", y="height", names=False)
        return figure

    canvas = module.Canvas(plotting._STYLE)
    for rate in (1e-2, 1e-3):
        webp, _ = canvas.webp(lambda rate=rate: steps(rate))
        assert abs(pixels(webp) - arranged(steps(rate))).max() < 40, rate


def test_logarithmic_axes_keep_their_small_ticks() -> None:
    check_logarithmic_axes_keep_their_small_ticks(_sliders)


def test_a_figure_is_arranged_once() -> None:
    check_a_figure_is_arranged_once(_sliders)


def check_small_ticks_with_numbers_keep_them(module: Any) -> None:
    """Within one decade Matplotlib writes numbers at the small ticks of a logarithmic axis."""

    def steep(rate: float) -> Figure:
        figure = line(rate, 10)
        figure.axes[0].set(yscale="log", ylim=(2, 8))
        return figure

    drawn_alike(module, steep, (0.5, 0.4))


def test_small_ticks_with_numbers_keep_them() -> None:
    check_small_ticks_with_numbers_keep_them(_sliders)


def check_ticks_made_alike_are_drawn_alike(module: Any) -> None:
    """On either side, with lines across or without, in the lesson's own words or in numbers."""

    def gridded(rate: float) -> Figure:
        figure = line(rate, 10)
        axes = figure.axes[0]
        axes.grid(True, axis="x")
        axes.tick_params(axis="y", right=True, labelright=True, left=False, labelleft=False, rotation=30)
        axes.set_xticks([0, 5, 10], ["none", "half", "all"])
        return figure

    drawn_alike(module, gridded, (0.1, 0.05))


def test_ticks_made_alike_are_drawn_alike() -> None:
    check_ticks_made_alike_are_drawn_alike(_sliders)


def check_a_state_s_rubbish_is_collected_before_the_next(module: Any) -> None:
    """A figure that lives on into the next state grows old, and a collection of everything stops the drag."""
    canvas = module.Canvas(plotting._STYLE)
    drawn: list[weakref.ref[Figure]] = []
    alive: list[int] = []
    collecting: list[bool] = []

    def watched(rate: float) -> Figure:
        alive.append(sum(figure() is not None for figure in drawn))
        collecting.append(gc.isenabled())
        figure = line(rate, 10)
        drawn.append(weakref.ref(figure))
        return figure

    for rate in (0.1, 0.05, 0.02):
        canvas.webp(lambda rate=rate: watched(rate))
    with pytest.raises(ZeroDivisionError):
        canvas.webp(lambda: watched(1 / 0))
    assert (alive, collecting, gc.isenabled()) == ([0, 0, 0], [False] * 3, True)


def test_a_state_s_rubbish_is_collected_before_the_next() -> None:
    check_a_state_s_rubbish_is_collected_before_the_next(_sliders)


def check_nothing_of_the_last_state_is_left(module: Any) -> None:
    def bare(rate: float) -> Figure:
        figure = line(rate, 10)
        figure.patch.set_alpha(0)
        figure.axes[0].patch.set_alpha(0)
        return figure

    canvas, fresh = module.Canvas(plotting._STYLE), module.Canvas(plotting._STYLE)
    canvas.webp(lambda: bare(0.1))
    assert canvas.webp(lambda: bare(0.02))[0] == fresh.webp(lambda: bare(0.02))[0]


def test_nothing_of_the_last_state_is_left() -> None:
    check_nothing_of_the_last_state_is_left(_sliders)


def check_another_shape_is_arranged_anew(module: Any) -> None:
    """A title of two lines has the room of two, and one of one line has the room of one again."""
    canvas = module.Canvas(plotting._STYLE)
    for lines in (1, 2, 1):
        webp, figure = canvas.webp(lambda lines=lines: line(0.1, 10, lines=lines))
        assert plotting.clashes(figure) == []
        assert abs(pixels(webp) - arranged(line(0.1, 10, lines=lines))).mean() < 0.1


def test_another_shape_is_arranged_anew() -> None:
    check_another_shape_is_arranged_anew(_sliders)


def check_a_name_does_not_leave_the_canvas(module: Any) -> None:
    """Wider numbers push the name of their axis outwards."""
    canvas = module.Canvas(plotting._STYLE)
    for high in (1.0, 1e-4, 1.0):
        _, figure = canvas.webp(lambda high=high: line(0.1, 10, high=high))
        assert plotting.clashes(figure) == []


def test_a_name_does_not_leave_the_canvas() -> None:
    check_a_name_does_not_leave_the_canvas(_sliders)


def check_a_line_s_name_does_not_leave_the_canvas(module: Any) -> None:
    """Another state's lines may have longer names, or end further to the right."""

    def named(name: str) -> Any:
        figure, axes = plotting.subplots(size=(4, 3))
        axes.plot([0, 1], [0, 1], label=name)
        plotting.finish(axes, title="One line", x="x", y="y")
        return figure

    canvas = module.Canvas(plotting._STYLE)
    for name in ("a", "a much longer name", "a"):
        _, figure = canvas.webp(lambda name=name: named(name))
        assert plotting.clashes(figure) == []


def test_a_line_s_name_does_not_leave_the_canvas() -> None:
    check_a_line_s_name_does_not_leave_the_canvas(_sliders)


def test_figures_of_another_size_have_a_canvas_of_their_own() -> None:
    canvas = _sliders.Canvas(plotting._STYLE)
    draws = [functools.partial(plotting.subplots, size=size) for size in ((4, 3), (5, 3), (4, 3))]
    found = [Image.open(io.BytesIO(canvas.webp(lambda draw=draw: draw()[0])[0])).size for draw in draws]  # type: ignore[misc]
    assert found == [(440, 330), (550, 330), (440, 330)]


# ---- the sliders


def test_sliders_redraw_while_they_are_dragged(displayed: list[tuple[Any, Any]]) -> None:
    controls, picture = explored(displayed)
    assert all(control.continuous_update for control in controls.values())
    assert {name: control.value for name, control in controls.items()} == START
    assert [value for _, value in controls["rate"].options] == SLIDERS["rate"]
    before = picture.value
    controls["rate"].value = 0.4
    assert picture.value != before
    source = re.search(r"base64,([^\"]+)", picture.value)
    assert source is not None
    webp = base64.b64decode(source[1])
    assert (
        abs(pixels(webp) - pixels(_sliders.Canvas(plotting._STYLE).webp(lambda: line(0.4, 10))[0])).max() == 0
    )
    assert 'width="440" height="330"' in picture.value


def test_every_state_is_described(displayed: list[tuple[Any, Any]]) -> None:
    controls, picture = explored(displayed)
    assert alt_of(picture) == ALT
    controls["rate"].value = 0.4
    assert alt_of(picture) == "At rate = 0.4, steps = 10: It rises to 4."
    controls["rate"].value = 0.2
    assert alt_of(picture) == ALT


def test_a_state_that_was_seen_is_not_drawn_again(displayed: list[tuple[Any, Any]]) -> None:
    drawn = []

    def draw(rate: float, steps: float) -> Figure:
        drawn.append((rate, steps))
        return line(rate, steps)

    controls, _ = explored(displayed, draw)
    for value in (0.4, 0.2, 0.4, 0.1, 0.4):
        controls["rate"].value = value
    assert drawn == [(0.2, 10), (0.4, 10), (0.1, 10)]


def test_a_state_that_cannot_be_drawn_says_why(displayed: list[tuple[Any, Any]]) -> None:
    def draw(rate: float, steps: float) -> Figure:
        if rate > 0.3:
            raise ValueError("need <rate> below 0.3")
        return line(rate, steps)

    controls, picture = explored(displayed, draw)
    controls["rate"].value = 0.4
    assert "ValueError: need &lt;rate&gt; below 0.3" in picture.value
    assert "<img" not in picture.value
    controls["rate"].value = 0.1
    assert "<img" in picture.value


def test_alt_texts_are_escaped() -> None:
    assert 'alt="&quot;a&quot; &lt; b"' in _sliders.image(b"", '"a" < b', (10, 10))


# ---- the still


def test_the_still_is_an_output_of_its_own_after_the_sliders(displayed: list[tuple[Any, Any]]) -> None:
    plotting.explore(line, SLIDERS, start=START, alt=ALT)
    (sliders, _), (still, metadata) = displayed
    assert "application/vnd.jupyter.widget-view+json" in sliders
    assert "image/png" not in sliders
    assert sliders["text/plain"] == "Sliders: rate, steps. Run the cell to move them."
    assert set(still) == {"image/png", "text/plain"}
    assert base64.b64decode(still["image/png"]) == plotting.png(line(**START))
    assert metadata["image/png"] == {"alt": ALT, "titles": ["It rises to 2"]}


@pytest.mark.parametrize("front", ["google.colab", "__vsc_ipynb_file__"])
def test_where_the_page_falls_back_by_itself_there_is_one_output(
    front: str, displayed: list[tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    if front == "google.colab":
        monkeypatch.setitem(sys.modules, front, SimpleNamespace())
    else:
        shell = SimpleNamespace(user_ns={front: "05.ipynb"}, kernel=None)
        monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    plotting.explore(line, SLIDERS, start=START, alt=ALT)
    ((data, metadata),) = displayed
    assert {"application/vnd.jupyter.widget-view+json", "image/png"} <= set(data)
    assert metadata["image/png"]["alt"] == ALT


def test_without_ipywidgets_there_is_the_still(
    displayed: list[tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *more: None if name == "ipywidgets" else find(name, *more)
    )
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    plotting.explore(line, SLIDERS, start=START, alt=ALT)
    ((data, metadata),) = displayed
    assert set(data) == {"image/png", "text/plain"}
    assert metadata["image/png"]["alt"] == ALT


def test_the_style_that_hides_the_still_names_the_class_of_the_box(displayed: list[tuple[Any, Any]]) -> None:
    _, picture = explored(displayed)
    assert f":has(.{_sliders.CLASS}) + .jp-OutputArea-child {{ display: none }}" in picture.value


MUTANTS = {
    "one-arrangement-for-all": (
        'lines = tuple(text.count("\\n") + 1 if text else 0 for text in texts)', "lines = ()",
        check_another_shape_is_arranged_anew,
    ),
    "names-of-lines-may-leave": (
        "axes.yaxis.label, *axes.texts)]", "axes.yaxis.label)]",
        check_a_line_s_name_does_not_leave_the_canvas,
    ),
    "names-may-leave": (
        "if known is not None and _leaves(figure, renderer):", "if False:",
        check_a_name_does_not_leave_the_canvas,
    ),
    "no-small-ticks": (
        "        axes.add_artist(marks)\n        marks.set_clip_on(False)\n", "",
        check_logarithmic_axes_keep_their_small_ticks,
    ),
    "small-ticks-cut-off": (
        "marks.set_clip_on(False)", "marks.set_clip_on(True)", check_logarithmic_axes_keep_their_small_ticks,
    ),
    "small-ticks-lose-numbers": (
        "if len(places) == 0 or any(axis.get_minor_formatter().format_ticks(places.tolist())):",
        "if len(places) == 0:", check_small_ticks_with_numbers_keep_them,
    ),
    "one-part-for-all-ticks": (
        '"tick1line", "tick2line", "gridline", "label1", "label2"', '"tick1line", "tick2line", "gridline"',
        check_states_are_drawn_like_single_figures,
    ),
    "parts-of-the-other-side": (
        '"tick1line", "tick2line", "gridline", "label1", "label2"', '"tick1line", "gridline", "label1"',
        check_ticks_made_alike_are_drawn_alike,
    ),
    "rubbish-left": ("    gc.collect(1)\n", "", check_a_state_s_rubbish_is_collected_before_the_next),
    "collection-stays-off": (
        "        if enabled:\n            gc.enable()\n", "        pass\n",
        check_a_state_s_rubbish_is_collected_before_the_next,
    ),
    "canvas-not-cleared": (
        "        kept.clear()  # type: ignore[no-untyped-call]\n", "",
        check_nothing_of_the_last_state_is_left,
    ),
    "axes-not-put-back": (
        "axes.set_position(place)", "axes.set_position(axes.get_position())",
        check_a_figure_is_arranged_once,
    ),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils._sliders.canvas", MUTANTS)
