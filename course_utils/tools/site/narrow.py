"""A figure for a phone: panels that stand side by side, one below the other.

A figure of two panels is 800 to 1200 pixels wide, and at a phone's 360 nobody reads its labels. It is cut
before each axis, where columns of pixels are blank from top to bottom, and so are its rows. A panel that has
its labels from the first in its row, or from the last in its column, gets a copy of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Ink = npt.NDArray[np.bool_]

WIDE = 700  # pixels; what is narrower stays as it is
WIDTH, HEIGHT = 190, 120  # pixels of a panel, at least
GAP = 3  # blank columns between two panels, at least
LABEL = 20  # columns that a label along the axis fills, at most
LINES = 6  # blank columns between two lines of one label, at most
AXIS = 0.55  # share of the height that an axis reaches, and nothing else on a blank ground
TICK = 9  # pixels that a tick reaches out of its axis, at most
SPACE = 14  # pixels between two panels, one below the other
NARROWED = 0.8  # of the figure's width; what stays wider than that is not worth a second picture


def stacked(image: Any) -> Any | None:
    """The panels of an image (of Pillow) one below the other; None where it has one panel, or is narrow."""
    picture = image.convert("RGB")
    ink: Ink = np.asarray(picture.convert("L")) < 250  # (height, width)
    height, width = ink.shape
    below = height
    columns = _cuts(ink, WIDTH)
    if not columns:  # a line of text or a legend below all panels is no panel
        below = _last_line(ink)
        columns = _cuts(ink[:below], WIDTH)
    if width < WIDE or not columns:
        return None
    panels = list(zip([0, *columns], [*columns, width], strict=True))
    first = _axis(ink[:below, : columns[0]])
    if first is None:
        return None
    rows = [below - cut for cut in reversed(_cuts(_turned(ink[:below]), HEIGHT))]
    bands = list(zip([0, *rows], [*rows, below], strict=True))
    foot = _axis(_turned(ink[bands[-1][0] : below]))
    parts = []
    for top, bottom in bands:
        for left, right in panels:
            panel = ink[top:bottom, left:right]
            spine = 0 if _has_labels(panel) else _axis(panel) or 0
            base = 0 if foot is None or _has_labels(_turned(panel)) else _axis(_turned(panel)) or 0
            across = [(0, first), (left + spine, right)] if spine else [(left, right)]
            down = [(top, bottom - base), (below - (foot or 0), below)] if base else [(top, bottom)]
            parts.append(_patched(picture, across, down))
    if below < height:
        filled = np.flatnonzero(ink[below:].any(0))
        parts.append(picture.crop((int(filled[0]), below, int(filled[-1]) + 1, height)))
    return None if max(part.width for part in parts) > NARROWED * width else _below(parts)


def _cuts(ink: Ink, least: int) -> list[int]:
    """Columns at which to cut, so that an axis with its labels begins each part but the first."""
    upright = _upright(ink)
    before: dict[int, list[tuple[int, int]]] = {}  # axis -> the blank runs since the axis before it
    for begin, end in _runs(~ink.any(0)):
        later = upright[upright >= end]
        if begin > 0 and end - begin >= GAP and len(later):
            before.setdefault(int(later[0]), []).append((begin, end))
    cuts: list[int] = []
    right = ink.shape[1]
    # from the right, so that a bar of colours stays with what it explains
    for axis, runs in sorted(before.items(), reverse=True):
        k = max(range(len(runs)), key=lambda i: runs[i][1] - runs[i][0])
        low, high = _extent(ink, axis)
        while k > 0 and _is_label(ink[:, runs[k - 1][1] : runs[k][0]], (low + high) / 2):
            k -= 1
            if runs[k][1] - runs[k][0] > LINES:
                break
        end = runs[k][1]
        if right - end >= least and axis - end < least <= end:
            cuts.insert(0, end - 1)
            right = end
    return cuts


def _turned(ink: Ink) -> Ink:
    """The foot of a figure at its left: the axis that lay stands upright, with its labels before it."""
    return ink[::-1].T


def _runs(filled: Any) -> list[tuple[int, int]]:
    """Where each unbroken run of a line begins and ends."""
    edges = np.flatnonzero(np.diff(np.r_[False, filled, False].astype(int)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _upright(ink: Ink) -> npt.NDArray[np.intp]:
    """The columns of axes that stand upright."""
    return np.flatnonzero(ink.sum(0) >= AXIS * len(ink))


def _axis(ink: Ink) -> int | None:
    """The first of these columns; None where there is none."""
    upright = _upright(ink)
    return int(upright[0]) if len(upright) else None


def _extent(ink: Ink, axis: int) -> tuple[int, int]:
    """The rows between which an axis stands, without the number that may stand under it."""
    low, high = np.quantile(np.flatnonzero(ink[:, axis]), (0.05, 0.9))
    return int(low), int(high)


def _is_label(ink: Ink, middle: float) -> bool:
    """Whether this is one line of text that reads upwards around the middle, as the label of an axis does."""
    rows = np.flatnonzero(ink.any(1))
    unbroken = bool((np.diff(rows) <= LABEL / 2).all())
    return ink.shape[1] <= LABEL and unbroken and abs((rows[0] + rows[-1]) / 2 - middle) <= LABEL / 2


def _has_labels(ink: Ink) -> bool:
    """Whether something stands left of the axis; where there is no axis, nothing is missing."""
    axis = _axis(ink)
    if axis is None:
        return True
    low, high = _extent(ink, axis)
    return bool(ink[low:high, : max(axis - TICK, 0)].any())


def _last_line(ink: Ink) -> int:
    """The row above a line of text at the foot; the height where there is none."""
    filled = _runs(ink.any(1))
    top = filled[-1][0] - 2 if len(filled) > 1 else 0
    return top if top > NARROWED * len(ink) else len(ink)


def _patched(picture: Any, across: list[tuple[int, int]], down: list[tuple[int, int]]) -> Any:
    """The picture's columns and rows between these, put together."""
    from PIL import Image

    size = (sum(right - left for left, right in across), sum(bottom - top for top, bottom in down))
    out, y = Image.new("RGB", size, "white"), 0
    for top, bottom in down:
        x = 0
        for left, right in across:
            out.paste(picture.crop((left, top, right, bottom)), (x, y))
            x += right - left
        y += bottom - top
    return out


def _below(parts: list[Any]) -> Any:
    from PIL import Image

    height = sum(part.height + SPACE for part in parts) - SPACE
    out, y = Image.new("RGB", (max(part.width for part in parts), height), "white"), 0
    for part in parts:
        out.paste(part, (0, y))
        y += part.height + SPACE
    return out
