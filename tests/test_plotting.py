"""What stands behind a figure: its data, its words, its colours. No pixels are compared."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from course_utils import intervals, plotting, profiles
from tests.mutants import mistakes

ALT = "Loss against steps: momentum reaches 1e-8 in 60 steps, gradient descent in 900."
Array = NDArray[np.float64]
# Machado, Oliveira & Fernandes (2009), severity 1, on linear RGB.
VISIONS: dict[str, Array] = {
    "all colours": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
CYCLE = {name: getattr(plotting, name) for name in ("BLUE", "VERMILION", "GREEN", "PURPLE", "ORANGE", "SKY")}
TEXT = {**CYCLE, "INK": plotting.INK, "GREY": plotting.GREY, **plotting.COLOURS}


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """What a notebook would have been given: (data, metadata)."""
    given: list[tuple[Any, Any]] = []
    monkeypatch.setattr(
        "IPython.display.display", lambda data, raw=False, metadata=None: given.append((data, metadata))
    )
    return given


def line_figure(names: tuple[str, ...] = ("one", "two"), **finish: Any) -> tuple[Figure, Any]:
    figure, axes = plotting.subplots()
    for k, name in enumerate(names):
        axes.plot([0, 1, 2], [0, k, 2 * k], label=name)
    plotting.finish(axes, **{"title": "Both rise", "x": "steps", "y": "loss", **finish})
    return figure, axes


def linear(colour: str) -> Array:
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast_with_white(colour: str) -> float:
    """WCAG 2: (L_white + 0.05) / (L + 0.05)."""
    return 1.05 / (float(linear(colour) @ [0.2126, 0.7152, 0.0722]) + 0.05)


def lab(rgb: Array) -> Array:
    """CIE L*a*b* of linear sRGB, white D65."""
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.119192, 0.9503041],
        ]
    )
    t = to_xyz @ rgb.clip(0, 1) / [0.95047, 1.0, 1.08883]
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(a: str, b: str) -> float:
    """The smallest distance in Lab over the three visions; 2 is just noticeable side by side."""
    seen = (lab(m @ linear(a)) - lab(m @ linear(b)) for m in VISIONS.values())
    return min(float(np.linalg.norm(d)) for d in seen)


def test_the_measures_of_colour_know_what_is_known() -> None:
    assert contrast_with_white("#FFFFFF") == pytest.approx(1)
    assert contrast_with_white("#000000") == pytest.approx(21)
    assert contrast_with_white("#767676") == pytest.approx(4.54, abs=0.01)  # the lightest legible grey
    assert lab(linear("#FF0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.05)
    assert difference("#D55E00", "#B97900") < 3  # told apart by hue only


@pytest.mark.parametrize("name", TEXT)
def test_text_in_every_colour_is_legible_on_white(name: str) -> None:
    assert contrast_with_white(TEXT[name]) >= 4.5


def test_colours_are_apart_for_every_reader() -> None:
    every = sorted(set(TEXT.values()))
    assert len(every) >= 8
    close = {(a, b): difference(a, b) for a, b in itertools.combinations(every, 2) if difference(a, b) < 10}
    assert close == {}


def test_lines_take_the_colours_in_turn() -> None:
    _, axes = line_figure(("a", "b", "c", "d", "e", "f"))
    assert [line.get_color() for line in axes.get_lines()] == list(CYCLE.values())


def test_a_name_keeps_its_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plotting, "COLOURS", {"mean": plotting.BLUE, "median": "#123456"})
    assert (plotting.colour("mean"), plotting.colour("median")) == (plotting.BLUE, "#123456")
    with pytest.raises(ValueError, match=r"need a method among mean, median, got method='mode'"):
        plotting.colour("mode")


def test_show_gives_the_alt_text_with_the_picture(displayed: list[tuple[Any, Any]]) -> None:
    plotting.show(line_figure()[0], alt=ALT)
    [(data, metadata)] = displayed
    assert metadata == {"image/png": {"alt": ALT, "titles": ["Both rise"]}}
    assert ALT in data["text/plain"]
    assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).size == (704, 418)


@pytest.mark.parametrize("alt", ["", "A plot of losses", "x" * 39])
def test_alt_text_that_says_nothing_is_refused(alt: str, displayed: list[tuple[Any, Any]]) -> None:
    figure, _ = line_figure()
    for call in (
        lambda: plotting.show(figure, alt=alt),
        lambda: plotting.animate(lambda _: figure, 2, alt=alt),
    ):
        with pytest.raises(ValueError, match="need alt text of at least 40 characters"):
            call()
    assert displayed == []


def test_a_figure_is_the_same_bytes_again() -> None:
    first, again = plotting.png(line_figure()[0]), plotting.png(line_figure()[0])
    assert first == again
    assert first != plotting.png(line_figure(("one", "three"))[0])
    assert len(Image.open(io.BytesIO(first)).getcolors() or []) <= 256
    assert len(first) < 30_000


def test_nothing_is_left_to_pyplot() -> None:
    import matplotlib.pyplot as plt

    before = plt.rcParams["axes.titleweight"]
    plotting.png(line_figure()[0])
    assert plt.get_fignums() == []
    assert plt.rcParams["axes.titleweight"] == before == "normal"


def moving(frame: int) -> Figure:
    figure, axes = plotting.subplots(size=(4, 3))
    axes.plot([0, frame + 1], [0, 1], label="_line")
    axes.set_title(f"It moves by {frame + 1}")
    axes.set(xlim=(0, 25))
    return figure


def test_an_animation_is_a_small_gif(displayed: list[tuple[Any, Any]]) -> None:
    plotting.animate(moving, 6, alt=ALT + ' "<&>"', seconds=3.0)
    [(data, metadata)] = displayed
    assert metadata == {"text/html": {"titles": ["It moves by 6"]}}
    page = data["text/html"]
    assert "script" not in page
    assert "http" not in page
    assert 'alt="' + ALT + ' &quot;&lt;&amp;&gt;&quot;"' in page
    gif = base64.b64decode(page.split("base64,")[1].split('"')[0])
    film: Any = Image.open(io.BytesIO(gif))
    assert (film.format, film.n_frames, film.info["loop"]) == ("GIF", 6, 0)
    assert film.info["duration"] == 500
    film.seek(5)
    assert film.info["duration"] == 2000
    assert len(gif) < 60_000


@pytest.mark.parametrize("frames", [1, 25])
def test_an_animation_has_2_to_24_frames(frames: int) -> None:
    with pytest.raises(ValueError, match=f"need 2 <= frames <= 24, got frames={frames}"):
        plotting.animate(moving, frames, alt=ALT)


def draw(lr: float, beta: float) -> Figure:
    figure, axes = plotting.subplots(size=(3, 2))
    axes.set_title(f"{lr} {beta}")
    return figure


SLIDERS = {"lr": [0.1, 0.2], "beta": [0.0, 0.5, 0.9]}


def test_sliders_fall_back_to_a_figure_without_a_reader(
    displayed: list[tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_HEADLESS", "1")
    plotting.explore(draw, SLIDERS, start={"lr": 0.2, "beta": 0.5}, alt=ALT)
    [(data, metadata)] = displayed
    assert base64.b64decode(data["image/png"]) == plotting.png(draw(0.2, 0.5))
    assert metadata == {"image/png": {"alt": ALT, "titles": ["0.2 0.5"]}}


@pytest.mark.parametrize("start", [{"lr": 0.3, "beta": 0.5}, {"beta": 0.5}])
def test_a_slider_starts_at_one_of_its_values(start: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="need a start for lr among its values"):
        plotting.explore(draw, SLIDERS, start=start, alt=ALT)


def test_sliders_need_an_alt_text(displayed: list[tuple[Any, Any]]) -> None:
    with pytest.raises(ValueError, match="need alt text of at least 40 characters"):
        plotting.explore(draw, SLIDERS, start={"lr": 0.1, "beta": 0.5}, alt="A plot")
    assert displayed == []


def rendered(figure: Figure) -> Any:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas.get_renderer()


@pytest.mark.parametrize(
    ("columns", "size"), [(1, None), (2, None), (1, (4.0, 3.0)), (2, (9.2, 3.9)), (3, (12.0, 3.5))]
)
def test_titles_are_wrapped_inside_their_axes(columns: int, size: tuple[float, float] | None) -> None:
    title = (
        "Momentum at its best WITHSTANDS a condition number that is a hundred times worse, and then some more"
    )
    figure, axes = plotting.subplots(1, columns, size=size)
    axes = np.atleast_1d(axes)
    for k in range(columns):
        plotting.finish(axes[k], title=title, x="steps", y="loss")
    renderer = rendered(figure)
    boxes = [a.title.get_window_extent(renderer) for a in axes] + [
        a._left_title.get_window_extent(renderer) for a in axes
    ]
    boxes = [box for box in boxes if box.width > 1]
    assert len(boxes) == columns
    for box, after in zip(boxes, [*boxes[1:], None], strict=True):
        assert box.x1 <= (figure.bbox.x1 if after is None else after.x0)
    assert " ".join(axes[0].get_title(loc="left").split()) == title


def _two_on_one_spot(figure: Figure, axes: Any) -> None:
    axes.text(1, 1, "one text")
    axes.text(1.02, 1.01, "another")


def _beyond_the_edge(figure: Figure, axes: Any) -> None:
    figure.set_layout_engine("none")
    axes.annotate("far to the right", xy=(1.2, 0.5), xycoords="axes fraction", annotation_clip=False)


def _crowded_ticks(figure: Figure, axes: Any) -> None:
    axes.set_xticks([0, 0.01, 2], ["nothing at all", "a hundredth", "two"])


def _behind_the_title(figure: Figure, axes: Any) -> None:
    axes.text(0.02, 1.04, "a note above", transform=axes.transAxes)


CLASHES: dict[str, tuple[Callable[[Figure, Any], None], str]] = {
    "two texts": (_two_on_one_spot, '"another" lies on "one text"'),
    "outside the canvas": (_beyond_the_edge, '"far to the right" leaves the canvas'),
    "tick labels": (_crowded_ticks, '"a hundredth" lies on "nothing at all"'),
    "title and text": (_behind_the_title, '"Both rise" lies on "a note above"'),
}


@pytest.mark.parametrize("what", CLASHES)
def test_texts_that_overlap_or_leave_the_canvas_are_found(what: str) -> None:
    figure, axes = line_figure(names=("one", "two"))
    plotting.png(figure)
    assert plotting.clashes(figure) == []
    spoil, expected = CLASHES[what]
    spoil(figure, axes)
    plotting.png(figure)
    assert expected in plotting.clashes(figure)


def test_what_is_not_drawn_clashes_with_nothing() -> None:
    figure, (left, right) = plotting.subplots(1, 2)
    left.set_xscale("log")
    left.plot([1e-12, 1e-3], [0, 1])
    left.set_xticks([1e-15, 1e-14, 1e-12, 1e-3])  # two of them lie outside the limits, left of the canvas
    left.set_xlim(1e-12, 1e-3)
    right.axis("off")
    right.set_xticks([0, 0.001], ["one label", "another"])
    right.text(0.5, 0.5, "unseen", visible=False)
    plotting.png(figure)
    assert plotting.clashes(figure) == []


def test_a_stored_figure_says_what_clashes_in_it(
    displayed: list[tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    figure, axes = line_figure()
    _two_on_one_spot(figure, axes)
    plotting.show(figure, alt=ALT)
    plotting.animate(lambda _: figure, 2, alt=ALT)
    for _, metadata in displayed:
        [about] = metadata.values()
        assert about["clashes"] == ['"another" lies on "one text"']
    monkeypatch.setattr(profiles, "current", lambda: profiles.Run("smoke", 0, "cpu"))
    plotting.show(figure, alt=ALT)
    assert "clashes" not in displayed[-1][1]["image/png"]


def test_titles_are_those_of_the_figure_and_of_each_axes() -> None:
    figure, (left, right) = plotting.subplots(1, 2)
    figure.suptitle("Both")
    plotting.finish(left, title="A title that is so long that it is broken into several lines", x="x", y="y")
    right.set_title("Right", loc="right")
    expected = ["Both", "A title that is so long that it is broken into several lines", "Right"]
    assert plotting.titles(figure) == expected


def test_finish_names_axes_and_lines() -> None:
    figure, axes = line_figure(("one", "two", "_hidden"))
    assert (axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()) == (
        "Both rise",
        "steps",
        "loss",
    )
    lines = {line.get_label(): line.get_color() for line in axes.get_lines()}
    assert {t.get_text(): t.get_color() for t in axes.texts} == {k: lines[k] for k in ("one", "two")}
    _, bare = plotting.subplots()
    bare.plot([0, 1], [0, 1], label="one")
    plotting.finish(bare, title="It rises", x="steps", y="loss", names=False)
    assert list(bare.texts) == []
    assert figure.axes == [axes]


def test_names_of_lines_that_end_together_are_spread() -> None:
    _, axes = plotting.subplots()
    for k in range(5):
        axes.plot([0, 1], [0, 1 + 1e-3 * k], label=f"line {k}")
    plotting.label_lines(axes, gap=0.06)
    heights = [text.get_position()[1] for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == [f"line {k}" for k in range(5)]
    assert np.diff(heights) == pytest.approx(0.06)


def check_spread(module: Any, heights: list[float], gap: float = 0.055) -> None:
    """In order, at least `gap` apart, moved by as little as possible (a check by quadratic programming)."""
    from scipy.optimize import minimize

    heights = sorted(heights)
    found = np.array(module._spread(heights, gap))
    assert (np.diff(found) >= gap - 1e-9).all()
    constraints = [
        {"type": "ineq", "fun": lambda x, k=k: x[k + 1] - x[k] - gap} for k in range(len(heights) - 1)
    ]
    best = minimize(
        lambda x: ((x - heights) ** 2).sum(),
        np.array(heights) + gap * np.arange(len(heights)),
        method="SLSQP",
        constraints=constraints,
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert ((found - heights) ** 2).sum() <= best.fun + 1e-6


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_names_move_as_little_as_possible(heights: list[float]) -> None:
    check_spread(plotting, heights)


def test_a_line_that_leaves_the_axes_is_named_where_it_is_last_seen() -> None:
    _, axes = plotting.subplots()
    axes.set(xlim=(0, 10), ylim=(0, 1))
    axes.plot([0, 2, 4, 6], [0.1, 0.5, 50, np.nan], label="diverges")
    axes.plot([0, 10], [5, 5], label="outside")
    plotting.label_lines(axes)
    where = {text.get_text(): text.xy for text in axes.texts}
    assert where["diverges"] == pytest.approx((0.2, 0.5))
    assert where["outside"] == pytest.approx((1.0, 0.5))


def test_a_band_is_the_interval_over_seeds() -> None:
    values = np.random.default_rng(0).normal(size=(12, 3))
    _, axes = plotting.subplots()
    plotting.band(axes, [1, 2, 3], torch.from_numpy(values), label="mean", color=plotting.BLUE, level=0.9)
    mean, low, high = intervals.band(values, level=0.9)
    [line] = axes.get_lines()
    assert line.get_ydata() == pytest.approx(mean)
    assert (line.get_label(), line.get_color()) == ("mean", plotting.BLUE)
    edge = axes.collections[0].get_paths()[0].vertices
    for x, bottom, top in zip([1, 2, 3], low, high, strict=True):
        at = edge[edge[:, 0] == x, 1]
        assert (at.min(), at.max()) == pytest.approx((bottom, top))


def test_a_band_needs_ten_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    _, axes = plotting.subplots()
    with pytest.raises(ValueError, match="need ten seeds or more behind a band, got seeds=9"):
        plotting.band(axes, [1, 2], np.zeros((9, 2)), label="x", color="k")
    monkeypatch.setattr(profiles, "current", lambda: profiles.Run("smoke", 0, "cpu"))
    plotting.band(axes, [1, 2], np.zeros((3, 2)), label="x", color="k")


def test_theory_is_thin_and_dashed_over_what_was_measured() -> None:
    _, axes = plotting.subplots()
    plotting.measured(axes, [1, 2], torch.tensor([3.1, 3.9]), label="measured", color=plotting.BLUE)
    plotting.theory(axes, [1, 2], torch.tensor([3.0, 4.0]))
    dots, line = axes.get_lines()
    assert dots.get_ydata().tolist() == pytest.approx([3.1, 3.9])
    assert (dots.get_linestyle(), dots.get_label()) == ("None", "measured")
    assert dots.get_markersize() > 4 * line.get_linewidth()
    assert dots.get_zorder() < line.get_zorder()
    assert line.get_ydata().tolist() == [3.0, 4.0]
    assert line.get_linewidth() < 1.8
    assert line.get_linestyle() == "--"
    assert line.get_label() == "theory"


def test_contours_path_and_map_show_their_data() -> None:
    _, axes = plotting.subplots()
    plotting.contours(axes, lambda p: (p**2).sum(-1), ((-1, 2), (-3, 4)))
    assert (axes.get_xlim(), axes.get_ylim()) == ((-1, 2), (-3, 4))
    points = torch.tensor([[0.0, 1.0], [1.0, 2.0], [0.5, 0.5]])
    plotting.path(axes, points, label="path", color=plotting.BLUE)
    whole, last = axes.get_lines()
    assert np.column_stack(whole.get_data()).tolist() == points.tolist()
    assert np.column_stack(last.get_data()).tolist() == [[0.5, 0.5]]
    assert last.get_markersize() > whole.get_markersize()
    _, axes = plotting.subplots()
    z = np.array([[0.1, np.nan, 0.3], [0.4, 0.5, 0.6]])
    plotting.heat(axes, [1, 2, 3], [1, 2], z, label="factor", low=0, high=1)
    mesh = axes.collections[0]
    shown = mesh.get_array()
    assert shown.mask.reshape(2, 3).tolist() == np.isnan(z).tolist()
    assert shown.filled(0).reshape(2, 3).tolist() == np.nan_to_num(z).tolist()
    assert mesh.get_clim() == (0, 1)


@pytest.mark.parametrize(
    ("which", "scales"), [("both", ("log", "log")), ("x", ("log", "linear")), ("y", ("linear", "log"))]
)
def test_log_ticks(which: str, scales: tuple[str, str]) -> None:
    _, axes = plotting.subplots()
    plotting.log_ticks(axes, which)
    assert (axes.get_xscale(), axes.get_yscale()) == scales


MUTANTS: dict[str, tuple[str, str, Callable[[Any], None]]] = {
    "spread-from-the-bottom": (
        "return sum(group) / len(group) - gap * (len(group) - 1) / 2", "return group[0]",
        lambda module: check_spread(module, [0.5, 0.51, 0.52]),
    ),
    "spread-only-neighbours": (
        "while len(groups) > 1 and", "if len(groups) > 1 and",
        lambda module: check_spread(module, [0.40, 0.46, 0.47, 0.48, 0.49]),
    ),
    "spread-by-half": (
        "_bottom(group, gap) + gap * k", "_bottom(group, gap) + gap * k / 2",
        lambda module: check_spread(module, [0.5, 0.5]),
    ),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.plotting", MUTANTS)
