"""Changes of light and colour, each sample by its own amount."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils._torch.tensors import check_range
from course_utils.augmentation._transform import (
    Transform,
    check_images,
    from_working,
    pair,
    per_sample,
    to_working,
)

SLACK = 1e-2  # how far outside [0, 1] rounding (bf16, interpolation) may have carried a pixel
BLOCK = 2**17  # entries that stay in a processor's cache through all steps of a jitter


def adjust_brightness(x: Tensor, factor: float | Tensor) -> Tensor:
    """x * factor, clamped to [0, 1]: 0 is black, 1 changes nothing.

    Args:
        x: images (N, 1 or 3, H, W), floating in [0, 1] or uint8, as for all `adjust_` functions.
        factor: >= 0, one number, or one per sample.
    Raises: ValueError for other images and factors.
    Agrees with: `kornia.enhance.adjust_brightness_accumulative`, torchvision's `adjust_brightness`.
    """
    return from_working(_brightness(colors(x), _factor(factor)), x.dtype)


def _brightness(x: Tensor, factor: float | Tensor) -> Tensor:
    return (x * per_sample(factor, x)).clamp_(0, 1)


def adjust_contrast(x: Tensor, factor: float | Tensor) -> Tensor:
    """mean + factor * (x - mean), clamped to [0, 1], with the mean of the gray image: one number per sample.

    Args, Raises: as `adjust_brightness`.
    Agrees with: `kornia.enhance.adjust_contrast_with_mean_subtraction`; torchvision, whose red weighs
        0.2989.
    """
    return from_working(_contrast(colors(x), _factor(factor)), x.dtype)


def _contrast(x: Tensor, factor: float | Tensor) -> Tensor:
    mean = gray(x.mean((-2, -1), keepdim=True)) if x.shape[1] == 3 else x.mean((-3, -2, -1), keepdim=True)
    weight = per_sample(factor, x)
    return torch.addcmul((1 - weight) * mean, x, weight).clamp_(0, 1)


def adjust_saturation(x: Tensor, factor: float | Tensor) -> Tensor:
    """gray + factor * (x - gray), clamped to [0, 1]: 0 is a gray image, 1 changes nothing.

    Args, Raises: as `adjust_brightness`.
    Agrees with: `kornia.enhance.adjust_saturation_with_gray_subtraction`; torchvision, whose red weighs
        0.2989.
    """
    return from_working(_saturation(colors(x), _factor(factor)), x.dtype)


def _saturation(x: Tensor, factor: float | Tensor) -> Tensor:
    if x.shape[1] == 1:
        return x
    return torch.lerp(gray(x), x, per_sample(factor, x)).clamp_(0, 1)


def adjust_hue(x: Tensor, turns: float | Tensor) -> Tensor:
    """Turn the hue of HSV (the hexcone) by a share of the full circle; value and saturation stay.

        low, high  = smallest and largest of (r, g, b)
        h          = six times the hue: (g-b)/(high-low) where r is largest, 2 + (b-r)/(high-low) where g is,
                     4 + (r-g)/(high-low) where b is
        h         <- (h + 6 * turns) mod 6
        r, g, b    = low + (high - low) * clamp(|h-3| - 1, 2 - |h-2|, 2 - |h-4|)

    Going through high - low instead of the saturation leaves no division by the value, and so no eps.

    Args:
        turns: one number, or one per sample; -1/2 and 1/2 both give the opposite hue.
    Raises: ValueError for other images than `adjust_brightness` takes.
    Source: Smith (1978), Color gamut transform pairs.
    Agrees with: torchvision's `adjust_hue(x, turns)`, and `kornia.enhance.adjust_hue(x, 2 * pi * turns)` up
        to kornia's eps of 1e-8.
    """
    return from_working(_hue(colors(x), turns), x.dtype)


def _hue(x: Tensor, turns: float | Tensor) -> Tensor:
    if x.shape[1] == 1:
        return x
    r, g, b = x.unbind(1)
    high = torch.maximum(torch.maximum(r, g), b)
    low = torch.minimum(torch.minimum(r, g), b)
    spread = high - low
    divisor = spread.clamp(min=1e-30)  # a gray pixel has no hue: any will do
    # sign(high - r) is 0 where r is largest, else 1; lerp chooses by it, many times faster than torch.where
    if_b, if_g = torch.add(r - g, divisor, alpha=4), torch.add(b - r, divisor, alpha=2)
    chosen = torch.lerp(g - b, torch.lerp(if_g, if_b, (high - g).sign_()), (high - r).sign_())
    h = chosen / divisor + 6 * per_sample(turns, x)[:, 0]
    h = torch.sub(h, (h / 6).floor_(), alpha=6)  # h mod 6
    shares = torch.stack([(h - 3).abs_() - 1, 2 - (h - 2).abs_(), 2 - (h - 4).abs_()], dim=1).clamp_(0, 1)
    return torch.addcmul(low.unsqueeze(1), spread.unsqueeze(1), shares).clamp_(0, 1)  # rounding may pass 1


def colors(x: Tensor) -> Tensor:
    """`x` in the working precision, checked to be gray or RGB images of numbers in [0, 1]."""
    check_images(x)
    require(x.shape[1] in (1, 3), "1 (gray) or 3 (RGB) channels", shape=tuple(x.shape))
    y = to_working(x)
    if x.dtype == torch.uint8:
        return y
    check_range(
        "a pixel",
        y,
        0,
        1,
        slack=SLACK,
        cure="change colors first, standardise afterwards; levels 0 ... 255 are uint8: x.to(torch.uint8)",
    )
    return y.clamp(0, 1)


def _factor(factor: float | Tensor) -> float | Tensor:
    check_range("factor", torch.as_tensor(factor), 0, math.inf, cure="0 is black, or gray; 1 changes nothing")
    return factor


def gray(x: Tensor) -> Tensor:
    """The luma of BT.601, 0.299 r + 0.587 g + 0.114 b: (N, 3, H, W) -> (N, 1, H, W)."""
    r, g, b = x.unbind(1)
    return torch.add(torch.add(0.299 * r, g, alpha=0.587), b, alpha=0.114).unsqueeze(1)


STEPS = (_brightness, _contrast, _saturation, _hue)


class ColorJitter(Transform):
    """Brightness, contrast, saturation and hue, in this order, each by its own draw per sample.

    Every step clamps to [0, 1], so the order matters: torchvision and kornia draw it anew for each call,
    here it is fixed.

    Args:
        brightness, contrast, saturation: v >= 0 for a factor in [max(0, 1 - v), 1 + v], or (low, high) with
            low >= 0. A factor of 1 changes nothing.
        hue: v in [0, 0.5] for a turn in [-v, v], or (low, high) within [-0.5, 0.5]; 0.5 is half the circle.
    Shape: gray (N, 1, H, W), which saturation and hue leave alone, or RGB (N, 3, H, W).
    Raises: ValueError for pixels outside [0, 1]: jitter first, standardise afterwards.
    Agrees with: `kornia.augmentation.ColorJitter(order=(0, 1, 2, 3))`, and torchvision's functions applied in
        this order, given the same factors.
    """

    def __init__(
        self,
        brightness: float | tuple[float, float] = 0.0,
        contrast: float | tuple[float, float] = 0.0,
        saturation: float | tuple[float, float] = 0.0,
        hue: float | tuple[float, float] = 0.0,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(generator)
        infinity = float("inf")
        self.brightness = pair("brightness", brightness, centre=1.0, low=0.0, high=infinity)
        self.contrast = pair("contrast", contrast, centre=1.0, low=0.0, high=infinity)
        self.saturation = pair("saturation", saturation, centre=1.0, low=0.0, high=infinity)
        self.hue = pair("hue", hue, centre=0.0, low=-0.5, high=0.5)

    def draw(self, x: Tensor, *, generator: torch.Generator | None = None) -> tuple[Tensor | None, ...]:
        """Three factors and a turn per sample; None for a step that is off."""
        u = self.uniform(x, 4, generator=generator)
        ranges = (self.brightness, self.contrast, self.saturation, self.hue)
        neutral = ((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (0.0, 0.0))
        return tuple(
            None if (low, high) == off else low + (high - low) * u[:, i]
            for i, ((low, high), off) in enumerate(zip(ranges, neutral, strict=True))
        )

    def transform(
        self,
        x: Tensor,
        brightness: Tensor | None,
        contrast: Tensor | None,
        saturation: Tensor | None,
        hue: Tensor | None,
    ) -> Tensor:
        y = colors(x)
        # block by block, so that what a step writes on its way is still in the cache when it reads it again
        images = max(1, BLOCK // max(1, y[:1].numel())) if y.device.type == "cpu" else max(1, len(y))
        blocks = list(y.split(images))
        for step, amount in zip(STEPS, (brightness, contrast, saturation, hue), strict=True):
            if amount is not None:
                blocks = [step(block, part) for block, part in zip(blocks, amount.split(images), strict=True)]
        return from_working(torch.cat(blocks), x.dtype)
