"""Figures for a phone: what is cut, what belongs together, and what stays as it is."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from course_utils import plotting
from course_utils.tools.site import lesson_page, narrow


def png(rows: int, columns: int, *, wide: float = 9, share: bool = False, change: Any = None) -> bytes:
    """Panels with a line, a title and labels, as the course draws and stores them."""
    drawn, axes = plotting.subplots(
        rows, columns, size=(wide, 3 * rows), sharex=share, sharey=share, squeeze=False
    )
    for place, ax in np.ndenumerate(axes):
        first, last = place[1] == 0, place[0] == rows - 1
        ax.plot([0, 1, 2], [sum(place), 2, 1], label="a run")
        labels = ("step" if last or not share else "", "loss" if first or not share else "")
        plotting.finish(ax, title=f"Panel {place}", x=labels[0], y=labels[1])
    if change:
        change(drawn, axes)
    return plotting.png(drawn)


def figure(rows: int, columns: int, **options: Any) -> Any:
    return Image.open(io.BytesIO(png(rows, columns, **options)))


def ink(image: Any) -> Any:
    return np.asarray(image.convert("L")) < 250


def test_two_panels_stand_one_below_the_other_and_nothing_is_lost() -> None:
    whole = figure(1, 2)
    panels = narrow.stacked(whole)
    assert panels is not None
    assert panels.width < 0.6 * whole.width
    assert panels.height == 2 * whole.height + narrow.SPACE
    assert ink(panels).sum() == ink(whole).sum()  # each pixel once


def test_a_label_stays_with_its_axis() -> None:
    panels = narrow.stacked(figure(1, 2))
    assert panels is not None
    left = [part[:, : part.shape[1] // 6].any(0).sum() for part in np.array_split(ink(panels), 2)]
    assert left[0] > 20  # a label and numbers
    assert left[1] == pytest.approx(left[0], abs=3)


@pytest.mark.parametrize(("rows", "columns"), [(1, 3), (2, 2)])
def test_shared_labels_are_copied_to_each_panel(rows: int, columns: int) -> None:
    panels = narrow.stacked(figure(rows, columns, share=True, wide=11))
    assert panels is not None
    parts = np.array_split(ink(panels), rows * columns)
    axis = narrow._axis(parts[0])
    assert axis is not None
    left = [part[:, : axis - narrow.TICK].any(0).sum() for part in parts]
    assert min(left) > 15
    assert max(left) - min(left) <= 6
    assert all(part[-40:].sum() > 50 for part in parts)  # the numbers and "step"


def test_rows_come_in_turn() -> None:
    def coloured(drawn: Any, axes: Any) -> None:
        for ax, colour in zip(axes.flat, ("#ff0000", "#00ff00", "#0000ff", "#ff00ff"), strict=True):
            ax.set_facecolor(colour)

    panels = narrow.stacked(figure(2, 2, change=coloured))
    assert panels is not None
    pixels = np.asarray(panels)
    tops = [
        int(np.flatnonzero((pixels == colour).all(-1).any(1))[0])
        for colour in ([255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 0, 255])
    ]
    assert tops == sorted(tops)


def test_a_bar_of_colours_stays_with_its_panel() -> None:
    def barred(drawn: Any, axes: Any) -> None:
        shown = axes[0, 0].imshow(np.arange(16.0).reshape(4, 4), aspect="auto")
        drawn.colorbar(shown, ax=axes[0, 0], label="height")

    whole = figure(1, 2, change=barred)
    panels = narrow.stacked(whole)
    assert panels is not None
    assert panels.height == 2 * whole.height + narrow.SPACE  # two parts, not three


def test_a_legend_for_all_comes_last() -> None:
    def legend(drawn: Any, axes: Any) -> None:
        drawn.legend(axes[0, 0].lines, ["a run that has a long name"], loc="outside lower center")

    whole = figure(1, 2, change=legend)
    panels = narrow.stacked(whole)
    assert panels is not None
    assert ink(panels).sum() == ink(whole).sum()


@pytest.mark.parametrize(
    "image",
    [
        lambda: figure(1, 1),
        lambda: figure(1, 2, wide=5),
        lambda: Image.new("RGB", (900, 300), "white"),
        lambda: Image.new("RGB", (900, 300), "black"),
    ],
)
def test_what_has_one_panel_or_fits_stays_as_it_is(image: Callable[[], Any]) -> None:
    assert narrow.stacked(image()) is None


def test_a_panel_that_begins_without_an_axis_is_not_torn() -> None:
    def bare(drawn: Any, axes: Any) -> None:
        axes[0, 0].axis("off")

    assert narrow.stacked(figure(1, 2, change=bare)) is None


def test_the_page_offers_the_panels_to_a_phone() -> None:
    two = png(1, 2)
    text = lesson_page.figure("../a/b.webp", "two panels", two)
    assert f'<source media="{lesson_page.PHONE}" srcset="../a/b-panels.webp" width=' in text
    assert 'class="course-figure course-panels"' in text
    assert Image.open(io.BytesIO(lesson_page.stacked(two))).format == "WEBP"
    assert "source" not in lesson_page.figure("../a/b.webp", "one panel", png(1, 1))
