"""The figures of lesson 15."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import plotting
from course_utils.augmentation import ColorJitter, crop, cutmix, erase, hflip, mixup, rotate, shift
from course_utils.data import sample_images
from course_utils.intervals import Interval

SIZE = (128, 192)  # of the photographs in figures
NAMES = ("palace", "flower")
CHANGES = (plotting.colour("plain"), plotting.colour("augmentation"), plotting.BLUE)

# What each figure shows, in words.
GALLERY = (
    "Ten pictures. A palace by a lake, then the same flipped, rotated by 15 degrees, shifted, cropped, "
    "with its colours changed, with a grey box over it, blended with a flower, and with a box of the "
    "flower pasted in; last the flower."
)
OVER_STEPS = (
    "Accuracy while training, two panels. Where digits stay, the net without changes is ahead; the one with "
    "shifts starts far behind and comes nearer. Where digits move, the net with shifts starts a little "
    "behind and then climbs far above the other."
)
STRENGTHS = (
    "Accuracy against the largest angle in training. For upright digits the curve is about flat up to 15 "
    "degrees and then falls. For digits turned by up to 45 degrees it rises up to 45 degrees and then falls."
)
NETS = (
    "Change in accuracy when digits move, with intervals, for four nets that learned digits in the middle. "
    "The dense net and the convolution with a dense layer fall far, the convolution with a maximum not at "
    "all, and with stride 2 it falls far again."
)
LABELS = (
    "Change in accuracy by mixup, CutMix and label smoothing, with intervals. With each method at its best "
    "rate no dot is far from zero: with clean labels smoothing gains and CutMix loses a little. In the last "
    "row, with wrong labels and all at one large rate, all three gain several points."
)
VIEWS = (
    "Change in accuracy by averaging nine views, with intervals. The net trained without changes on "
    "digits that stay loses a large part of its accuracy. The others, which have seen moved digits, gain."
)
MISTAKES = (
    "Four pictures of the palace: rotated about its centre; rotated about the corner, so that much of it "
    "has left the frame; rotated by affine_grid, leaning and stretched; and with bytes that overflow, so "
    "that the bright sky is dark."
)
MIXING = (
    "Left, a palace blended with a flower; right, a box of the flower pasted over the upper left of the "
    "palace. Part of the box lies outside, and the label under it gives the flower less than that on the "
    "left."
)


@functools.cache
def photographs() -> Tensor:
    """The palace and the flower, (2, 3, 128, 192) in [0, 1]."""
    return sample_images(size=SIZE)


def each_change() -> dict[str, Tensor]:
    """The palace (3, H, W) under one fixed change each, by name; first the palace, last its partner."""
    both = photographs()
    palace, height, width = both[:1], *SIZE
    one, swap = torch.eye(2), torch.tensor([1, 0])
    box = torch.tensor([[20, 24, 100, 110]])
    jitter = ColorJitter().transform(palace, *(torch.tensor([v]) for v in (0.9, 1.2, 1.3, 0.08)))
    window = crop(palace, torch.tensor([10]), torch.tensor([64]), (height * 2 // 3, width * 2 // 3))
    changes = {
        "the photograph": palace,
        "flip": hflip(palace, torch.tensor([True])),
        "rotation by 15°": rotate(palace, 15.0),
        "shift": shift(palace, torch.tensor([16]), torch.tensor([-24])),
        "crop": F.interpolate(window, SIZE, mode="bilinear"),
        "colour jitter": jitter,
        "erasing": erase(palace, box, 0.5),
        "mixup": mixup(both, one, swap, 0.6)[0][:1],
        "CutMix": cutmix(both, one, swap, box.expand(2, 4))[0][:1],
        "its partner": both[1:],
    }
    return {name: image[0] for name, image in changes.items()}


def gallery() -> Figure:
    """Ten pictures: the photograph, eight changes of it, and the photograph it is mixed with."""
    figure, axes = plotting.subplots(2, 5, size=(9.6, 3.3))
    for place, (name, image) in zip(axes.flat, each_change().items(), strict=True):
        _picture(place, image, name)
    return figure


class Mixed(NamedTuple):
    """The two photographs mixed: pictures (3, H, W), and the palace's share of the label in each."""

    mixup: Tensor
    cutmix: Tensor
    mixup_share: float
    cutmix_share: float


def mixed(lam: float, place: float) -> Mixed:
    """Mixup at `lam`; CutMix at `lam` with its box centred at the share `place` of height and width."""
    both, one, swap = photographs(), torch.eye(2), torch.tensor([1, 0])
    ends = []
    for side in SIZE:
        length, centre = int(side * (1 - lam) ** 0.5), round(place * side)
        start = centre - length // 2
        ends.append((max(0, start), min(side, start + length)))
    (top, bottom), (left, right) = ends
    boxes = torch.tensor([[top, left, bottom, right]]).expand(2, 4)
    blend, blend_label = mixup(both, one, swap, lam)
    patch, patch_label = cutmix(both, one, swap, boxes)
    return Mixed(blend[0], patch[0], float(blend_label[0, 0]), float(patch_label[0, 0]))


def mixing(lam: float, place: float) -> Figure:
    """Both mixtures at one lam, and under them the label that each picture gets."""
    figure, (upper, lower) = plotting.subplots(2, 2, size=(7.4, 3.4), height_ratios=(5, 1))
    mixtures = mixed(lam, place)
    for top, bar, name, picture, share in zip(
        upper, lower, ("Mixup", "CutMix"), mixtures[:2], mixtures[2:], strict=True
    ):
        _picture(top, picture, f"{name}, λ = {lam:g}")
        for left, width, label, color in (
            (0.0, share, NAMES[0], plotting.BLUE),
            (share, 1 - share, NAMES[1], plotting.VERMILION),
        ):
            bar.barh(0, width, left=left, color=color)
            if width > 0.22:
                text = f"{label} {100 * width:.0f}%"
                bar.text(left + width / 2, 0, text, ha="center", va="center", color="white")
        bar.set(xlim=(0, 1))
        bar.axis("off")
    return figure


def effects(table: Mapping[str, Mapping[str, Interval]], *, title: str) -> Figure:
    """What each method changes: `table[method][world]` is the interval of an accuracy's difference."""
    worlds = list(next(iter(table.values())))
    shades = (plotting.BLUE, plotting.VERMILION, plotting.GREEN)
    figure, axes = plotting.subplots(size=(7.4, 1.3 + 0.62 * len(table)))
    for row, method in enumerate(table):
        for k, world in enumerate(worlds):
            interval = table[method][world]
            height = row + 0.12 * (2 * k - len(worlds) + 1)  # rows stay apart
            axes.plot([100 * interval.low, 100 * interval.high], [height] * 2, color=shades[k], linewidth=2.4)
            axes.plot([100 * interval.mean], [height], marker="o", markersize=5, color=shades[k])
    axes.axvline(0, color=plotting.INK, linewidth=0.8)
    axes.set_yticks(range(len(table)), list(table))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(table) - 0.5, -0.5)
    for k, world in enumerate(worlds):
        axes.annotate(
            world, (1.02, 0.9 - 0.14 * k), xycoords="axes fraction", color=shades[k], annotation_clip=False
        )
    plotting.finish(axes, title=title, x="change in accuracy (points), 99% interval", y="", names=False)
    return figure


def over_steps(steps: Sequence[int], worlds: Mapping[str, Mapping[str, ArrayLike]]) -> Figure:
    """Accuracy while training, one panel for each world.

    Args:
        steps: (K,) at which it was measured. worlds: title -> change -> (S, K) accuracies in [0, 1].
    """
    figure, panels = plotting.subplots(1, len(worlds), size=(9.6, 4.0), sharey=True)
    for axes, (title, curves) in zip(panels, worlds.items(), strict=True):
        for (name, values), colour in zip(curves.items(), CHANGES, strict=False):
            plotting.band(axes, steps, 100 * np.asarray(values, float), label=name, color=colour)
        plotting.log_ticks(axes, "x")
        ticks = [step for step in (10, 30, 60, 120, 300, 600, 1200) if steps[0] <= step <= steps[-1]]
        axes.set_xticks(ticks, [f"{step:,}" for step in ticks])
        plotting.finish(axes, title=title, x="step", y="", names=False)
    panels[0].set_ylabel("validation accuracy (%)")
    # only now are the limits known that both share
    for axes in panels:
        plotting.label_lines(axes, gap=0.09)
    return figure


def strengths(degrees: Sequence[float], worlds: Mapping[str, tuple[ArrayLike, float]]) -> Figure:
    """Accuracy against the largest angle of the rotations in training.

    Args:
        degrees: (A,). worlds: name -> accuracies (S, A) in [0, 1], and the largest angle of its own images.
    """
    figure, axes = plotting.subplots(size=(7.0, 4.2))
    for (name, (values, own)), colour in zip(
        worlds.items(), (plotting.BLUE, plotting.VERMILION), strict=True
    ):
        scores = 100 * np.asarray(values, float)
        places = np.arange(len(degrees))
        plotting.band(axes, places, scores, label=name, color=colour)
        axes.plot(places, scores.mean(0), "o", color=colour, markersize=5, label=f"_{name}")
        at = list(degrees).index(own)
        axes.plot(
            [at], [scores.mean(0)[at]], "o", markersize=13, mfc="none", mec=colour, mew=1.6, label="_own"
        )
    axes.set_xticks(range(len(degrees)), [f"±{angle:g}°" if angle else "none" for angle in degrees])
    title = "Rotations help where digits turn as far (ringed)"
    plotting.finish(
        axes, title=title, x="rotation in training, up to", y="validation accuracy (%)", names=False
    )
    plotting.label_lines(axes, gap=0.09)
    return figure


@functools.cache
def broken() -> dict[str, Tensor]:
    """The palace (3, H, W) turned by 20° as it should be, and three ways to spoil a picture, by name."""
    palace = photographs()[:1]
    height, width = SIZE
    a = math.radians(20)
    matrix = torch.tensor([[math.cos(a), -math.sin(a), 0.0], [math.sin(a), math.cos(a), 0.0]])[None]
    grid = F.affine_grid(matrix, list(palace.shape), align_corners=False)
    # the centre of a picture twice as large, of which ours is the lower right quarter, is our corner
    larger = F.pad(palace, [width, 0, height, 0])
    overflow = ((palace * 255).byte() + 80).float() / 255
    changes = {
        "right": rotate(palace, 20.0),
        "about the corner": rotate(larger, 20.0)[..., height:, width:],
        "a matrix in affine_grid": F.grid_sample(palace, grid, align_corners=False),
        "bytes that overflow": overflow,
    }
    return {name: image[0] for name, image in changes.items()}


def mistakes() -> Figure:
    """The pictures of `broken` side by side under their names."""
    pictures = broken()
    figure, axes = plotting.subplots(1, len(pictures), size=(2.4 * len(pictures), 1.9))
    for place, (name, image) in zip(axes, pictures.items(), strict=True):
        _picture(place, image, name)
    return figure


def _picture(axes: Any, image: Tensor, name: str) -> None:
    axes.imshow(image.permute(1, 2, 0).clamp(0, 1).numpy())
    axes.set_title(name, loc="left", fontsize=10, fontweight="normal", pad=4)
    axes.axis("off")
