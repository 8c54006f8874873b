"""Random erasing: a rectangle of each image is painted over."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils._tensors import check_tensor
from course_utils.augmentation._transform import Transform, check_images, fill_value, from_working
from course_utils.augmentation.geometry import whole

TRIES = 10  # candidate boxes per image, as torchvision


def box_mask(boxes: Tensor, height: int, width: int) -> Tensor:
    """True inside: boxes (N, 4) of top, left, bottom, right (ends excluded) -> (N, 1, height, width)."""
    top, left, bottom, right = boxes.reshape(-1, 4, 1, 1, 1).unbind(1)  # (N, 1, 1, 1) each
    row = torch.arange(height, device=boxes.device).reshape(1, 1, -1, 1)
    column = torch.arange(width, device=boxes.device).reshape(1, 1, 1, -1)
    return (top <= row) & (row < bottom) & (left <= column) & (column < right)


def check_boxes(boxes: Tensor, x: Tensor) -> None:
    check_tensor("boxes", boxes)
    require(
        not boxes.is_floating_point() and boxes.shape in ((len(x), 4), (1, 4)),
        "boxes of whole numbers, shape (N, 4)",
        cure="top, left, bottom, right in pixels",
        shape=tuple(boxes.shape),
        dtype=boxes.dtype,
        samples=len(x),
    )


def erase(x: Tensor, boxes: Tensor, value: float | Sequence[float] | Tensor = 0.0) -> Tensor:
    """Paint `value` over one box per image.

    Args:
        boxes: integers (N, 4): top, left, bottom, right, ends excluded. An empty box erases nothing.
        value: one number, or one per channel, in the units of the image; or a tensor of x's dtype that
            broadcasts with x.
    Raises: ValueError for other images, boxes and values.
    Agrees with: `kornia.augmentation.RandomErasing`, given the same boxes.
    """
    check_images(x)
    check_boxes(boxes, x)
    if not (isinstance(value, Tensor) and value.ndim > 1 and value.dtype == x.dtype):
        value = fill_value(value, x)
    return torch.where(box_mask(boxes, *x.shape[-2:]), value, x)


class RandomErasing(Transform):
    """Paint over one random rectangle in each image, with probability `p`.

        area  = H * W * uniform(scale)            ratio = exp(uniform(log ratio))
        h, w  = round(sqrt(area * ratio)), round(sqrt(area / ratio))
    Boxes as high or as wide as the image are drawn again, up to ten times; then the image is left as it is.

    Args:
        p: in [0, 1].
        scale: (low, high) share of the image's area, 0 <= low <= high <= 1.
        ratio: (low, high) of height / width, 0 < low <= high.
        value: a number, one number per channel (both in the units of the image), or "random" for uniform
            noise over the full range in every pixel.
    Source: Zhong et al. (2020), Algorithm 1. Agrees with: torchvision's `RandomErasing` in the distribution
        of the boxes (its "random" is normal noise, meant for standardised images; the paper's is uniform).
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: tuple[float, float] = (0.02, 0.33),
        *,
        ratio: tuple[float, float] = (0.3, 3.3),
        value: float | Sequence[float] | Literal["random"] = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(generator)
        require(0 <= p <= 1, "0 <= p <= 1", p=p)
        require(0 <= scale[0] <= scale[1] <= 1, "0 <= low <= high <= 1 for scale", scale=scale)
        require(0 < ratio[0] <= ratio[1] < math.inf, "0 < low <= high for ratio", ratio=ratio)
        require(not isinstance(value, str) or value == "random", 'numbers or "random"', value=value)
        self.p, self.scale, self.ratio = p, scale, ratio
        self.value = value

    def draw(self, x: Tensor, *, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Boxes (N, 4), empty where nothing is erased, and the values to paint."""
        height, width = x.shape[-2:]
        u = self.uniform(x, 3 + 2 * TRIES, generator=generator).double()
        area = height * width * between(self.scale, u[:, 3 : 3 + TRIES])
        ratio = between((math.log(self.ratio[0]), math.log(self.ratio[1])), u[:, 3 + TRIES :]).exp()
        h, w = (area * ratio).sqrt().round().long(), (area / ratio).sqrt().round().long()  # (N, TRIES)
        fits = (h < height) & (w < width)
        first = fits.long().argmax(dim=1, keepdim=True)
        erased = (u[:, 0] < self.p) & fits.any(dim=1)
        h = torch.where(erased, h.gather(1, first)[:, 0], 0)
        w = torch.where(erased, w.gather(1, first)[:, 0], 0)
        top, left = whole(u[:, 1], height - h + 1), whole(u[:, 2], width - w + 1)
        return torch.stack([top, left, top + h, left + w], dim=1), self.paint(x, generator)

    def paint(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        if self.value == "random":
            return from_working(self.uniform(x, *x.shape[1:], generator=generator), x.dtype)
        return fill_value(self.value, x)

    def transform(self, x: Tensor, boxes: Tensor, value: Tensor) -> Tensor:
        return erase(x, boxes, value)


def between(ends: tuple[float, float], u: Tensor) -> Tensor:
    return ends[0] + (ends[1] - ends[0]) * u
