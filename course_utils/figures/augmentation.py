"""The figures of lesson 15."""

from __future__ import annotations

import functools
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
from course_utils.intervals import Interval, mean_interval

SIZE = (128, 192)  # of the photographs in figures
NAMES = ("palace", "flower")


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
        "mixup, 60 : 40": mixup(both, one, swap, 0.6)[0][:1],
        "CutMix, 72 : 28": cutmix(both, one, swap, box.expand(2, 4))[0][:1],
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


def effects(
    table: Mapping[str, Mapping[str, Interval]], *, title: str, colours: Sequence[str] | None = None
) -> Figure:
    """What each method changes: `table[method][world]` is the interval of an accuracy's difference."""
    worlds = list(next(iter(table.values())))
    shades = colours or (plotting.BLUE, plotting.VERMILION)
    figure, axes = plotting.subplots(size=(7.4, 1.3 + 0.62 * len(table)))
    for row, method in enumerate(table):
        for k, world in enumerate(worlds):
            interval = table[method][world]
            height = row + 0.16 * (2 * k - len(worlds) + 1)
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


def smoothing_gap(epsilons: Sequence[float], gaps: ArrayLike, *, classes: int) -> Figure:
    """The true class's logit above the others' mean, against ε. Args: gaps: (S, E) of trained nets."""
    figure, axes = plotting.subplots(size=(6.8, 3.6))
    for eps, column in zip(epsilons, np.asarray(gaps, float).T, strict=True):
        interval = mean_interval(column)
        axes.plot([eps, eps], [interval.low, interval.high], color=plotting.BLUE, linewidth=2.4)
        axes.plot([eps], [interval.mean], marker="o", markersize=6, color=plotting.BLUE)
    axes.annotate(
        "trained nets",
        (epsilons[0], np.asarray(gaps, float)[:, 0].mean()),
        xytext=(10, 2),
        textcoords="offset points",
        color=plotting.BLUE,
    )
    fine = np.linspace(min(epsilons), max(epsilons), 100)
    plotting.theory(axes, fine, np.log(1 + classes * (1 - fine) / fine), label="_theory")
    axes.annotate(
        "log(1 + K(1 − ε)/ε)",
        (fine[30], np.log(1 + classes * (1 - fine[30]) / fine[30])),
        xytext=(12, 12),
        textcoords="offset points",
    )
    title = "Smoothing sets how far the right class is pushed"
    plotting.finish(
        axes, title=title, x="label smoothing ε", y="logit of the right class\nabove the others", names=False
    )
    return figure


def mistakes(wrong: Mapping[str, Tensor]) -> Figure:
    """Pictures (3, H, W) side by side under their names."""
    figure, axes = plotting.subplots(1, len(wrong), size=(2.4 * len(wrong), 1.9))
    for place, (name, image) in zip(axes, wrong.items(), strict=True):
        _picture(place, image, name)
    return figure


def _picture(axes: Any, image: Tensor, name: str) -> None:
    axes.imshow(image.permute(1, 2, 0).clamp(0, 1).numpy())
    axes.set_title(name, loc="left", fontsize=10, fontweight="normal", pad=4)
    axes.axis("off")
