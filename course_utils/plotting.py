"""One style for every figure: findings as titles, lines named at their ends, the same colour for a method.

Functions return the figure and never show it; a lesson shows it with `show(fig, alt=...)`, whose alt text
says what the figure says. Colours take their hues from Okabe & Ito's palette, darkened until text
in them is legible on white and apart in lightness where a colour-blind reader sees no difference in hue.
"""

from __future__ import annotations

import base64
import html
import importlib.util
import io
import textwrap
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import NullFormatter
from numpy.typing import ArrayLike

from course_utils import _sliders, intervals, profiles
from course_utils._checks import require

BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#C24A00", "#06533A", "#B5338F", "#877145", "#2C5C78"
LOOSE = 3.0  # pixels by which the boxes of two texts may overlap: a box is a little larger than its letters
INK, GREY, LIGHT = "#222222", "#6B6B6B", "#D9D9D9"
# How a line of theory or a limit is drawn.
THEORY: dict[str, Any] = {"color": INK, "linewidth": 1.1, "linestyle": (0, (5, 3))}

# Names of this course's own, beside this file: a method keeps its colour through the whole course.
_NAMED = Path(__file__).with_suffix(".toml")
COLOURS: dict[str, str] = {
    name: globals().get(colour, colour)
    for name, colour in (tomllib.loads(_NAMED.read_text("utf-8")) if _NAMED.exists() else {}).items()
}

_STYLE: Any = {  # Any: the stub wants a literal for each key
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "font.size": 10,
    "text.color": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=[BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY]),
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "image.cmap": "cividis",
}


def colour(method: str) -> str:
    """The colour that `method` has in every lesson.

    Raises: ValueError for a method without one.
    """
    require(method in COLOURS, f"a method among {', '.join(COLOURS)}", method=method)
    return COLOURS[method]


def subplots(
    rows: int = 1, columns: int = 1, *, size: tuple[float, float] | None = None, **options: Any
) -> tuple[Figure, Any]:
    """A figure in the course's style and its axes: one, or an array as `plt.subplots` gives.

    Args:
        size: inches; by default 6.4 × 3.8 for one, 4.2 × 3.6 for each of several.
        options: as for `Figure.subplots` (`sharex`, `width_ratios`, ...).
    """
    if size is None:
        size = (6.4, 3.8) if rows * columns == 1 else (4.2 * columns, 3.6 * rows)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size)  # no pyplot: nothing to close, nothing shown twice
        return figure, figure.subplots(rows, columns, **options)


def png(figure: Figure) -> bytes:
    """The figure as a PNG, reduced to 256 colours: a third of the size, and no difference to the eye.

    A smoke run draws it as well, and saves the time of arranging and compressing what nobody looks at.
    """
    from PIL import Image

    buffer = io.BytesIO()
    with mpl.rc_context(_STYLE):
        if _smoke():
            figure.set_layout_engine("none")
            canvas = FigureCanvasAgg(figure)
            canvas.draw()  # type: ignore[no-untyped-call]  # once, where savefig draws twice
            pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
            Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
            return buffer.getvalue()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    small = io.BytesIO()
    Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
        small, "PNG", optimize=True
    )
    return small.getvalue()


def _smoke() -> bool:
    return profiles.current().profile == "smoke"


def titles(figure: Figure) -> list[str]:
    """The titles of a figure and of its axes, each in one line."""
    texts = [figure.get_suptitle()]
    texts += [axes.get_title(loc) for axes in figure.axes for loc in ("left", "center", "right")]
    return [" ".join(text.split()) for text in texts if text.strip()]


def clashes(figure: Figure) -> list[str]:
    """The texts of a drawn figure that lie on one another or leave the canvas; none in a good figure.

    Args:
        figure: one that was drawn, as by `png`: only then do its texts have their places.
    """
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    boxes = [(text, Text.get_window_extent(text, renderer)) for text in _texts(figure)]
    whole = figure.bbox
    clashing = [
        f"{_named(text)} leaves the canvas"
        for text, box in boxes
        if min(box.x0 - whole.x0, box.y0 - whole.y0, whole.x1 - box.x1, whole.y1 - box.y1) < -LOOSE
    ]
    for k, (text, box) in enumerate(boxes):
        for other, its in boxes[:k]:
            wide = min(box.x1, its.x1) - max(box.x0, its.x0)
            high = min(box.y1, its.y1) - max(box.y0, its.y0)
            if wide > LOOSE and high > LOOSE:
                clashing.append(f"{_named(text)} lies on {_named(other)}")
    return clashing


def _texts(figure: Figure) -> list[Text]:
    """The texts of a figure that are drawn: of an axis only those of ticks within its limits."""
    hidden: set[int] = set()  # ids
    ticks: list[Text] = []
    for axes in figure.axes:
        for axis in axes.xaxis, axes.yaxis:
            hidden |= {id(text) for text in axis.findobj(Text)}
            if not (axes.get_visible() and axes.axison and axis.get_visible()):
                continue
            place = axis.get_transform().transform
            low, high = sorted(place(axis.get_view_interval()))
            room = 1e-9 * (high - low)
            all_ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            inside = [tick for tick in all_ticks if low - room <= place([tick.get_loc()])[0] <= high + room]
            ticks += [label for tick in inside if tick.get_visible() for label in (tick.label1, tick.label2)]
            ticks += [axis.label, axis.get_offset_text()]
    others = [text for text in figure.findobj(Text) if id(text) not in hidden]
    return [text for text in (*ticks, *others) if text.get_visible() and text.get_text().strip()]


def _named(text: Text) -> str:
    words = " ".join(text.get_text().split())
    return f'"{words[:40]}…"' if len(words) > 40 else f'"{words}"'


def _about(figures: Sequence[Figure]) -> dict[str, list[str]]:
    """What a stored picture says of its texts, for the rules of `make structure`.

    A smoke run arranges nothing, so there texts may clash.
    """
    about = {"titles": titles(figures[-1])}
    wrong = [] if _smoke() else [clash for figure in figures for clash in clashes(figure)]
    return {**about, "clashes": list(dict.fromkeys(wrong))} if wrong else about


def show(figure: Figure, *, alt: str) -> None:
    """Display the figure in a notebook, with its alt text and its titles in the metadata.

    Args:
        alt: what the figure shows, in a sentence or two of at least 40 characters: "Variance against draws:
            the mean of 64 draws has a sixtieth of one draw's", not "A plot of variances".
    Raises: ValueError if `alt` is too short to say anything.
    """
    _require_alt(alt)
    _display(_still(figure, alt))


def _still(figure: Figure, alt: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Data and metadata of a figure as a notebook stores it."""
    data = {"image/png": base64.b64encode(png(figure)).decode(), "text/plain": f"Figure: {alt}"}
    return data, {"image/png": {"alt": alt, **_about([figure])}}


def _display(stored: tuple[dict[str, Any], dict[str, Any]]) -> None:
    from IPython.display import display

    data, metadata = stored
    display(data, raw=True, metadata=metadata)


def animate(draw: Callable[[int], Figure], frames: int, *, alt: str, seconds: float = 4.0) -> None:
    """Display `draw(0)`, `draw(1)`, ... as a GIF that loops: no script, no outside address, a few hundred KB.

    Args:
        draw: frame number -> figure, all of one size.
        frames: 2 to 24; a smoke run draws the first, the middle one and the last.
        alt: as for `show`.
        seconds: one loop, before a rest on the last frame.
    """
    from IPython.display import display
    from PIL import Image

    _require_alt(alt)
    require(2 <= frames <= 24, "2 <= frames <= 24", frames=frames)
    drawn = sorted({0, frames // 2, frames - 1}) if _smoke() else range(frames)
    figures = [draw(frame) for frame in drawn]
    images = [Image.open(io.BytesIO(png(figure))).convert("RGB") for figure in figures]
    palette = images[-1].quantize(64)
    images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    durations = [int(1000 * seconds / frames)] * (len(images) - 1) + [2000]
    buffer = io.BytesIO()
    images[0].save(
        buffer, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0, optimize=True
    )
    source = f"data:image/gif;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    picture = f'<img src="{source}" alt="{html.escape(alt)}" style="max-width: 100%; height: auto">'
    data = {"text/html": picture, "text/plain": f"Animation: {alt}"}
    display(data, raw=True, metadata={"text/html": _about(figures)})


def explore(
    draw: Callable[..., Figure],
    sliders: Mapping[str, Sequence[float]],
    *,
    start: Mapping[str, float],
    alt: str,
) -> None:
    """Sliders over a function that draws, again while they are dragged, and a still of the figure at `start`.

    The still is what a notebook shows that was reopened, printed or put on a page, where no kernel draws.
    It is all there is where a runner executes the lesson, or where ipywidgets is missing.

    Args:
        draw: takes the sliders' values by name, returns a figure. A tenth of a second is the aim for a state;
            `benchmarks/sliders.py` says what it takes.
        sliders: name -> the values that its slider stops at.
        start: name -> where it begins, one of these values.
        alt: alt text of the figure at `start`, as for `show`. Any other state is described by its titles.
    Raises: ValueError where `start` is not among a slider's values, or `alt` is too short.
    """
    for name, values in sliders.items():
        require(start.get(name) in values, f"a start for {name} among its values", start=start.get(name))
    _require_alt(alt)
    still = _still(draw(**start), alt)
    if profiles.headless() or importlib.util.find_spec("ipywidgets") is None:
        _display(still)
    else:
        canvas = _sliders.Canvas(_STYLE)
        _sliders.show(draw, sliders, start=start, alt=alt, canvas=canvas, titles=titles, still=still)


def finish(axes: Axes, *, title: str, x: str, y: str, names: bool = True) -> None:
    """The finding as title, units on both axes, and each labelled line named; the last call on its axes.

    Args:
        title: what the figure shows, as a sentence; wrapped to the width of the axes.
        x, y: names of the axes, with units.
        names: whether to write the lines' labels at their ends.
    """
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    grid = axes.get_gridspec()
    columns = 1 if grid is None else grid.ncols
    characters = int(figure.get_size_inches()[0] / columns * 9)
    axes.set_title("\n".join(textwrap.wrap(title, characters)), loc="left", fontsize=11, fontweight="bold")
    axes.set(xlabel=x, ylabel=y)
    if names:
        label_lines(axes)


def label_lines(axes: Axes, *, gap: float = 0.055, away: float = 0.015) -> None:
    """Name each labelled line at its right end, in its colour, and spread names that would overlap.

    Args:
        axes: with lines whose `label` does not start with an underscore.
        gap: least distance between names, as a share of the axes' height.
        away: of a name from the end of its line, as a share of the width; more beside a wide mark.
    """
    with mpl.rc_context(_STYLE):
        axes.get_xlim(), axes.get_ylim()  # pending limits are settled before they are measured
        lines = [line for line in axes.get_lines() if not str(line.get_label()).startswith("_")]
        ends = []
        for line in lines:
            points = axes.transData.transform(np.column_stack(line.get_data()).astype(float))
            points = axes.transAxes.inverted().transform(points)
            inside = (
                np.isfinite(points).all(1)
                & (points[:, 0] <= 1.001)
                & (points[:, 1] > -0.01)
                & (points[:, 1] < 1.01)
            )
            ends.append(points[inside][-1] if inside.any() else np.array([1.0, 0.5]))
        order = sorted(range(len(lines)), key=lambda k: ends[k][1])
        heights = _spread([float(ends[k][1]) for k in order], gap)
        for k, height in zip(order, heights, strict=True):
            axes.annotate(
                str(lines[k].get_label()),
                xy=(ends[k][0], ends[k][1]),
                xytext=(max(float(ends[k][0]), 0.0) + away, height),
                xycoords="axes fraction",
                textcoords="axes fraction",
                color=lines[k].get_color(),
                va="center",
                annotation_clip=False,
            )


def band(axes: Axes, x: ArrayLike, values: ArrayLike, *, label: str, color: str, level: float = 0.99) -> None:
    """Mean over seeds as a line, its interval as a band around it.

    Args:
        values: (S, T), at least ten seeds.
    """
    count = np.asarray(values).shape[0]
    require(
        count >= 10 or profiles.current().profile == "smoke", "ten seeds or more behind a band", seeds=count
    )
    mean, low, high = intervals.band(values, level=level)
    axes.fill_between(np.asarray(x), low, high, color=color, alpha=0.22, linewidth=0)
    axes.plot(np.asarray(x), mean, color=color, label=label)


def measured(axes: Axes, x: ArrayLike, y: ArrayLike, *, label: str, color: str) -> None:
    """What was measured as dots, wide enough to be seen on both sides of the theory's line over them."""
    axes.plot(
        np.asarray(x),
        np.asarray(y),
        "o",
        color=color,
        markersize=6.5,
        alpha=0.6,
        mew=0,
        label=label,
        zorder=2,
    )


def theory(axes: Axes, x: ArrayLike, y: ArrayLike, *, label: str = "theory") -> None:
    """The theory's line: thin, dashed, over `measured` dots or a `band`, so that one sees both."""
    axes.plot(np.asarray(x), np.asarray(y), **THEORY, label=label, zorder=5)


def contours(
    axes: Axes, f: Callable[..., Any], bounds: Sequence[Sequence[float]], *, levels: int = 14
) -> None:
    """Contours of a surface on R², evenly spaced in the logarithm above its lowest value on the grid.

    Args:
        f: tensor (..., 2) -> values (...).
        bounds: ((x low, x high), (y low, y high)).
    """
    import torch

    (x0, x1), (y0, y1) = bounds
    xs, ys = np.linspace(x0, x1, 161), np.linspace(y0, y1, 161)
    grid = torch.from_numpy(np.stack(np.meshgrid(xs, ys), -1))
    z = np.asarray(f(grid))
    height = np.log10(z - z.min() + 1e-3 * (np.median(z) - z.min()) + 1e-300)
    axes.contour(xs, ys, height, levels=levels, colors=LIGHT, linewidths=0.9, linestyles="solid", zorder=0)
    axes.set(xlim=(x0, x1), ylim=(y0, y1))


def path(axes: Axes, points: ArrayLike, *, label: str, color: str, marker: str = "o") -> None:
    """A trajectory in the plane: (T, 2) points, joined, the last one marked large."""
    p = np.asarray(points, dtype=float)
    axes.plot(
        p[:, 0], p[:, 1], color=color, linewidth=1.2, marker=marker, markersize=2.6, label=label, zorder=3
    )
    axes.plot(p[-1:, 0], p[-1:, 1], color=color, marker=marker, markersize=7, label="_last", zorder=4)


def heat(
    axes: Axes,
    x: ArrayLike,
    y: ArrayLike,
    z: ArrayLike,
    *,
    label: str,
    low: float,
    high: float,
) -> None:
    """A map of z (len(y), len(x)) with its colour bar; NaN is left white."""
    mesh = axes.pcolormesh(
        np.asarray(x), np.asarray(y), np.asarray(z), cmap=colormaps["cividis"], vmin=low, vmax=high,
        shading="nearest",
    )  # fmt: skip
    with mpl.rc_context(_STYLE):
        figure = axes.get_figure()
        assert figure is not None
        bar = figure.colorbar(mesh, ax=axes, pad=0.02)
        bar.set_label(label)
        bar.outline.set_visible(False)


def log_ticks(axes: Axes, which: str = "both") -> None:
    """Logarithmic axes without the clutter of minor labels."""
    if which in ("x", "both"):
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    if which in ("y", "both"):
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())


def _spread(heights: list[float], gap: float) -> list[float]:
    """Sorted heights moved as little as needed to stand `gap` apart."""
    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and _top(groups[-2], gap) + gap > _bottom(groups[-1], gap):
            last = groups.pop()
            groups[-1] += last
    return [_bottom(group, gap) + gap * k for group in groups for k in range(len(group))]


def _bottom(group: list[float], gap: float) -> float:
    return sum(group) / len(group) - gap * (len(group) - 1) / 2


def _top(group: list[float], gap: float) -> float:
    return sum(group) / len(group) + gap * (len(group) - 1) / 2


def _require_alt(alt: str) -> None:
    require(len(alt) >= 40, "alt text of at least 40 characters that says what the figure shows", alt=alt)
