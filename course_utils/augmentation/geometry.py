"""Moves of pixels: flip, rotation, shift and crop, each sample by its own amount."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils._checks import is_whole, require
from course_utils._tensors import check_tensor
from course_utils.augmentation._transform import (
    Transform,
    check_images,
    fill_value,
    from_working,
    pair,
    per_sample,
    to_working,
    whole_per_sample,
)


def hflip(x: Tensor, flip: Tensor) -> Tensor:
    """Mirror left and right the samples where `flip`, a boolean of shape (N,), is true."""
    check_images(x)
    check_tensor("flip", flip)
    require(
        flip.dtype == torch.bool and flip.shape == (len(x),),
        "one boolean per sample",
        shape=tuple(flip.shape),
        dtype=flip.dtype,
        samples=len(x),
    )
    return torch.where(flip.reshape(-1, 1, 1, 1), x.flip(-1), x)


def rotate(x: Tensor, degrees: float | Tensor, *, fill: float | Sequence[float] = 0.0) -> Tensor:
    """Turn each image about its centre, counter-clockwise as displayed, with bilinear interpolation.

        output(p) = input(R p)     p = (x, y) in pixels from the centre ((W-1)/2, (H-1)/2), y downwards
        R = [[cos a, -sin a], [sin a, cos a]]

    The turn is rigid in pixels: a square stays a square when H != W. The image keeps its size and what
    comes from outside is `fill`, in the units of the image.

    Args:
        degrees: one angle, or one per sample, shape (N,).
        fill: one number, or one per channel; for uint8 whole numbers in 0 ... 255.
    Raises: ValueError for other images and fills.
    Agrees with: `kornia.geometry.transform.rotate`, `torchvision...rotate(interpolation=BILINEAR)`.
    """
    check_images(x)
    source, outside = to_working(x), to_working(fill_value(fill, x))
    n, _, height, width = x.shape
    angle = per_sample(degrees, source)[:, 0] * (math.pi / 180)  # (N, 1, 1)
    cos, sin = angle.cos(), angle.sin()
    px = torch.arange(width, dtype=source.dtype, device=x.device) - (width - 1) / 2  # (W)
    py = (torch.arange(height, dtype=source.dtype, device=x.device) - (height - 1) / 2).unsqueeze(1)  # (H, 1)
    # grid_sample measures x in half widths and y in half heights from the centre
    grid = source.new_empty(n, height, width, 2)
    grid[..., 0] = 2 / width * cos * px - 2 / width * sin * py
    grid[..., 1] = 2 / height * sin * px + 2 / height * cos * py
    filled = not (isinstance(fill, Real) and fill == 0)
    if filled:  # grid_sample only knows zeros outside
        source = source - outside
    turned = F.grid_sample(source, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return from_working(turned + outside if filled else turned, x.dtype)


def crop(x: Tensor, top: int | Tensor, left: int | Tensor, size: tuple[int, int]) -> Tensor:
    """Cut one window of `size` (height, width) from each image.

    Args:
        top, left: whole numbers, one or one per sample: the first row and column of the window, which is
            inside the image.
    """
    check_images(x)
    top, left = whole_per_sample("top", top, x), whole_per_sample("left", left, x)
    rows = top + torch.arange(size[0], device=x.device)  # (N, h)
    columns = left + torch.arange(size[1], device=x.device)  # (N, w)
    return take(x, rows, columns)


def shift(
    x: Tensor, down: int | Tensor, right: int | Tensor, *, fill: float | Sequence[float] = 0.0
) -> Tensor:
    """Move each image by whole pixels; what comes in is `fill`.

    Args:
        down, right: whole numbers, one or one per sample.
        fill: one number, or one per channel; for uint8 whole numbers in 0 ... 255.
    Raises: ValueError for other images, steps and fills.
    Agrees with: `kornia.geometry.transform.translate`.
    """
    check_images(x)
    down, right = whole_per_sample("down", down, x), whole_per_sample("right", right, x)
    height, width = x.shape[-2:]
    rows = torch.arange(height, device=x.device) - down  # (N, H), where each row comes from
    columns = torch.arange(width, device=x.device) - right  # (N, W)
    inside = ((rows >= 0) & (rows < height))[:, None, :, None] & ((columns >= 0) & (columns < width))[
        :, None, None
    ]
    moved = take(x, rows.clamp(0, height - 1), columns.clamp(0, width - 1))
    return torch.where(inside, moved, fill_value(fill, x))


def take(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """x[n, :, rows[n, i], columns[n, j]] as (N, C, h, w), for rows (N, h) and columns (N, w)."""
    n, channels, _, width = x.shape
    tall = x.gather(2, rows[:, None, :, None].expand(n, channels, -1, width))
    return tall.gather(3, columns[:, None, None, :].expand(n, channels, rows.shape[1], -1))


class RandomHorizontalFlip(Transform):
    """Mirror each image with probability `p`.

    Args:
        p: in [0, 1].
    Agrees with: `kornia.augmentation.RandomHorizontalFlip`, given the same draws.
    """

    def __init__(self, p: float = 0.5, *, generator: torch.Generator | None = None) -> None:
        super().__init__(generator)
        require(0 <= p <= 1, "0 <= p <= 1", p=p)
        self.p = p

    def draw(self, x: Tensor, *, generator: torch.Generator | None = None) -> tuple[Tensor]:
        return (self.uniform(x, generator=generator) < self.p,)

    def transform(self, x: Tensor, flip: Tensor) -> Tensor:
        return hflip(x, flip)


class RandomRotation(Transform):
    """Turn each image about its centre by an angle uniform in the range `degrees`; see `rotate`.

    Args:
        degrees: d >= 0 for [-d, d], or (low, high), counter-clockwise, within [-360, 360].
        fill: value of what comes from outside, one number or one per channel, in the units of the image.
    Agrees with: `kornia.augmentation.RandomRotation`, given the same angles.
    """

    def __init__(
        self,
        degrees: float | tuple[float, float],
        *,
        fill: float | Sequence[float] = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(generator)
        self.degrees = pair("degrees", degrees, centre=0.0, low=-360.0, high=360.0)
        self.fill = fill

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        if self.degrees == (0.0, 0.0):  # exact: interpolation at angle 0 rounds in the last digit
            check_images(x)
            return x
        return super().forward(x, generator=generator)

    def draw(self, x: Tensor, *, generator: torch.Generator | None = None) -> tuple[Tensor]:
        low, high = self.degrees
        return (low + (high - low) * self.uniform(x, generator=generator),)

    def transform(self, x: Tensor, degrees: Tensor) -> Tensor:
        return rotate(x, degrees, fill=self.fill)


class RandomShift(Transform):
    """Move each image by whole pixels, both ways uniform in -pixels ... pixels.

    Args:
        pixels: an integer >= 0, smaller than the image.
        fill: value of the pixels that come in, one number or one per channel.
    """

    def __init__(
        self,
        pixels: int,
        *,
        fill: float | Sequence[float] = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(generator)
        require(is_whole(pixels) and pixels >= 0, "a whole number pixels >= 0", pixels=pixels)
        self.pixels = int(pixels)
        self.fill = fill

    def draw(self, x: Tensor, *, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        require(
            self.pixels < min(x.shape[-2:]),
            "pixels < height and width",
            pixels=self.pixels,
            shape=tuple(x.shape),
        )
        steps = whole(self.uniform(x, 2, generator=generator), 2 * self.pixels + 1) - self.pixels
        return steps[:, 0], steps[:, 1]

    def transform(self, x: Tensor, down: Tensor, right: Tensor) -> Tensor:
        return shift(x, down, right, fill=self.fill)


class RandomCrop(Transform):
    """Cut a window at a place drawn uniformly, after padding every side.

    Args:
        size: the window, one whole number or (height, width), >= 1.
        padding: pixels added on each side first, >= 0. `RandomCrop(32, padding=4)` is usual for CIFAR.
        fill: value of the padding, one number or one per channel.
    Agrees with: `torchvision.transforms.RandomCrop`, in distribution, with one draw per image.
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        padding: int = 0,
        *,
        fill: float | Sequence[float] = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(generator)
        sizes = tuple(size) if isinstance(size, Sequence) else (size, size)
        require(
            len(sizes) == 2 and all(is_whole(side) and side >= 1 for side in sizes),
            "whole numbers size >= 1",
            size=size,
        )
        require(is_whole(padding) and padding >= 0, "a whole number padding >= 0", padding=padding)
        self.size = (int(sizes[0]), int(sizes[1]))
        self.padding = int(padding)
        self.fill = fill

    def draw(self, x: Tensor, *, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        spare = [
            side + 2 * self.padding - wanted for side, wanted in zip(x.shape[-2:], self.size, strict=True)
        ]
        require(
            min(spare) >= 0,
            "size <= image + 2 * padding",
            cure="take a smaller size or more padding",
            size=self.size,
            image=tuple(x.shape[-2:]),
            padding=self.padding,
        )
        places = self.uniform(x, 2, generator=generator)
        return whole(places[:, 0], spare[0] + 1), whole(places[:, 1], spare[1] + 1)

    def transform(self, x: Tensor, top: Tensor, left: Tensor) -> Tensor:
        p = self.padding
        if p > 0:
            n, channels, height, width = x.shape
            framed = fill_value(self.fill, x).expand(n, channels, height + 2 * p, width + 2 * p).clone()
            framed[..., p : p + height, p : p + width] = x
            x = framed
        return crop(x, top, left, self.size)


def whole(u: Tensor, count: int | Tensor) -> Tensor:
    """Uniform numbers in [0, 1) as whole numbers 0 ... count - 1, each as likely as the others."""
    return (u.double() * count).floor().long()
