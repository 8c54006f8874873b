"""What every transform shares: draw the parameters, then apply them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from course_utils._checks import require


class Random(nn.Module):
    """A module that draws parameters, one row per sample, from its generator."""

    takes_labels: ClassVar[bool] = False
    draw: Callable[..., tuple[Any, ...]]
    transform: Callable[..., Any]

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.generator = generator

    def uniform(self, x: Tensor, *shape: int, generator: torch.Generator | None) -> Tensor:
        """Numbers in [0, 1), shape (N, *shape), on the device of `x`; `generator` before the module's own."""
        source = generator if generator is not None else self.generator
        device = x.device if source is None else source.device
        return torch.rand(len(x), *shape, generator=source, device=device).to(x.device)

    def extra_repr(self) -> str:
        names = [name for name in inspect.signature(type(self)).parameters if name != "generator"]
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)


class Transform(Random):
    """A random change of a batch of images, one independent draw per sample.

        parameters = transform.draw(x)                     random: one row per sample
        x_new      = transform.transform(x, *parameters)   deterministic

    Calling the module does both. In eval mode it returns `x` as it is, so that validation images are
    never changed by accident. The input is never written to.

    Args:
        generator: source of randomness, here or in the call, which comes first; torch's global one if
            neither is given. Draws are made on the generator's device and then moved, so that a CPU
            generator gives the same parameters on every device.
    Shape: x is (N, C, H, W), floating or uint8. Arithmetic is done in float32 (float64 for float64); uint8 k
        stands for k/255, and results go back by rounding to the nearest level.
    """

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        check_images(x)
        if not self.training or len(x) == 0:
            return x
        changed: Tensor = self.transform(x, *self.draw(x, generator=generator))
        return changed


class Compose(nn.Module):
    """Transforms one after the other, on images or on (images, labels).

        compose(x)     -> x        needs image transforms only
        compose(x, y)  -> (x, y)   Mixup and CutMix see both, the others leave y alone

    Args:
        transforms: modules, applied in this order; a module that is not of this package is called on x.
    """

    def __init__(self, transforms: Sequence[nn.Module]) -> None:
        super().__init__()
        for transform in transforms:
            require(
                isinstance(transform, nn.Module),
                "modules",
                cure="wrap a function in an nn.Module",
                transform=transform,
            )
        self.transforms = nn.ModuleList(transforms)

    def forward(
        self, x: Tensor, y: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Any:  # Tensor, or (Tensor, Tensor) when y is given
        for transform in self.transforms:
            if getattr(transform, "takes_labels", False):
                require(
                    y is not None,
                    f"labels for {type(transform).__name__}",
                    cure="call compose(x, y)",
                    y=y,
                )
                x, y = transform(x, y, generator=generator)
            elif isinstance(transform, (Transform, Compose)):
                x = transform(x, generator=generator)
            else:
                x = transform(x)
        return x if y is None else (x, y)


def check_images(x: Tensor) -> None:
    require(
        x.ndim == 4, "images of shape (N, C, H, W)", cure="one image: x.unsqueeze(0)", shape=tuple(x.shape)
    )
    check_examples(x)


def check_examples(x: Tensor) -> None:
    require(x.ndim >= 2, "examples of shape (N, ...)", cure="one: x.unsqueeze(0)", shape=tuple(x.shape))
    require(
        x.dtype == torch.uint8 or x.is_floating_point(),
        "floating or uint8 images",
        cure="convert with x.float()",
        dtype=x.dtype,
    )


def to_working(x: Tensor) -> Tensor:
    """`x` in the precision that arithmetic is done in; uint8 becomes [0, 1]."""
    if x.dtype == torch.uint8:
        return x.float() / 255
    return x if x.dtype == torch.float64 else x.float()


def from_working(y: Tensor, dtype: torch.dtype) -> Tensor:
    """The inverse of `to_working`, rounding to the nearest level."""
    if dtype == torch.uint8:
        return (y * 255).round_().clamp_(0, 255).to(torch.uint8)
    return y.to(dtype)


def per_sample(value: float | Tensor, x: Tensor) -> Tensor:
    """One number per sample, or one for all, as (N, 1, 1, 1) in the type of `x`."""
    column = torch.as_tensor(value, dtype=x.dtype, device=x.device)
    require(
        column.ndim == 0 or column.shape == (len(x),),
        "one number, or one per sample",
        shape=tuple(column.shape),
        samples=len(x),
    )
    return column.reshape(-1, 1, 1, 1).expand(len(x), 1, 1, 1)


def pair(
    name: str, value: float | tuple[float, float], *, centre: float, low: float, high: float
) -> tuple[float, float]:
    """The range to draw from: centre - value (at least `low`) to centre + value, or the pair given."""
    got: dict[str, Any] = {name: value}
    if isinstance(value, (int, float)):
        require(value >= 0, f"{name} >= 0", cure="or give a pair (low, high)", **got)
        first, last = max(low, centre - value), float(centre + value)
    else:
        require(len(value) == 2, f"one number or a pair for {name}", **got)
        first, last = float(value[0]), float(value[1])
    require(
        low <= first <= last <= high and last < math.inf,
        f"{low:g} <= low <= high <= {high:g} and finite for {name}",
        **got,
    )
    return first, last
