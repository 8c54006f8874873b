"""What every transform shares: draw the parameters, then apply them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from course_utils._checks import require
from course_utils._generators import of_this_process
from course_utils._tensors import check_range, check_tensor


class Random(nn.Module):
    """A module that draws parameters, one row per sample, from its generator."""

    takes_labels: bool = False
    draw: Callable[..., tuple[Any, ...]]
    transform: Callable[..., Any]

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.generator = generator

    def uniform(self, x: Tensor, *shape: int, generator: torch.Generator | None) -> Tensor:
        """Numbers in [0, 1), shape (N, *shape), on the device of `x`; `generator` before the module's own."""
        source, device = self.source(x, generator)
        return torch.rand(len(x), *shape, generator=source, device=device).to(x.device)

    def source(
        self, x: Tensor, generator: torch.Generator | None
    ) -> tuple[torch.Generator | None, torch.device]:
        """What to draw from, and on which device."""
        source = generator if generator is not None else of_this_process(self.generator)
        return source, x.device if source is None else source.device

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
            generator gives the same parameters on every device. In a worker of a `DataLoader`, which has a
            copy of it, the module's own is seeded anew: other draws in each worker and epoch. (torch can
            hand it to forked workers alone.) A generator in the call is taken as it is.
    Shape: x is (N, C, H, W), floating or uint8. Arithmetic is done in float32 (float64 for float64); uint8 k
        stands for k/255, and results go back by rounding to the nearest level. A subclass of Tensor comes
        back as a plain one.
    """

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        check_images(x)
        if not self.training:
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
            elif isinstance(transform, (Transform, Compose, RandomChoice)):
                x = transform(x, generator=generator)
            else:
                x = transform(x)
        return x if y is None else (x, y)


class RandomChoice(Random):
    """One of several transforms for each sample, at random.

        choice(x)     -> x         of transforms of images
        choice(x, y)  -> (x, y)    of Mixup and CutMix, or of transforms of images, which leave y alone

    Every transform changes the whole batch, and each sample takes the result of one of them, with its label.
    So the cost is that of all of them, and a partner in mixup may be any sample.

    Args:
        transforms: either all take labels (`Mixup`, `CutMix`) or none; their results have one shape.
        p: how often each is taken, in any unit; equally often when left out.
        generator: source of the choices, here or in the call, where the transforms draw from it, too.
    Raises: ValueError for other transforms, weights and shapes.
    Agrees with: `torchvision.transforms.v2.RandomChoice`, which chooses once for the batch.
    """

    def __init__(
        self,
        transforms: Sequence[nn.Module],
        p: Sequence[float] | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(generator)
        self.transforms = Compose(transforms).transforms
        takes = {getattr(transform, "takes_labels", False) for transform in transforms}
        require(
            len(takes) == 1, "one transform or more, of which all take labels or none", transforms=transforms
        )
        self.takes_labels = takes.pop()
        shares = [1.0] * len(transforms) if p is None else [float(share) for share in p]
        require(
            len(shares) == len(transforms) and min(shares) >= 0 and 0 < sum(shares) < math.inf,
            "one p >= 0 for each transform, not all 0",
            p=p,
        )
        self.p = [share / sum(shares) for share in shares]

    def forward(
        self, x: Tensor, y: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Any:  # Tensor, or (Tensor, Tensor) when y is given
        results = [Compose([transform])(x, y, generator=generator) for transform in self.transforms]
        if not self.training:
            return results[0]
        ends = torch.tensor(self.p, dtype=torch.float64).cumsum(0)[:-1]
        choice = torch.bucketize(self.uniform(x, generator=generator).double(), ends.to(x.device), right=True)
        if y is None:
            return take_chosen(results, choice)
        images, labels = zip(*results, strict=True)
        return take_chosen(images, choice), take_chosen(labels, choice)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def take_chosen(results: Sequence[Tensor], choice: Tensor) -> Tensor:
    """For each sample the result whose number `choice` (N,) holds."""
    shapes = {tuple(result.shape) for result in results}
    require(len(shapes) == 1, "results of one shape to choose from", shapes=shapes)
    return torch.stack(list(results))[choice, torch.arange(len(choice), device=choice.device)]


def check_images(x: Tensor) -> None:
    check_tensor("images", x)
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


def fill_value(fill: float | Sequence[float] | Tensor, x: Tensor) -> Tensor:
    """What to paint with, as (1, 1 or C, 1, 1) in the type of `x`, which must be able to hold it."""
    require(isinstance(fill, (Real, Sequence, Tensor)) and not isinstance(fill, str), "numbers", fill=fill)
    value = torch.as_tensor(fill, dtype=torch.float64).reshape(-1)
    require(len(value) in (1, x.shape[1]), "one number, or one per channel", fill=fill, channels=x.shape[1])
    painted = value.to(x.dtype)
    if x.dtype == torch.uint8:
        check_range("fill of uint8 images", value, 0, 255, cure="the levels are whole numbers")
        require(
            bool((painted == value).all()),
            "whole numbers to fill uint8 images",
            cure="white is 255",
            fill=fill,
        )
    else:
        largest = torch.finfo(x.dtype).max
        check_range(f"fill of {x.dtype} images", value, -largest, largest, cure="give a number that it holds")
    return painted.reshape(1, -1, 1, 1).to(x.device)


def whole_per_sample(name: str, value: int | Tensor, x: Tensor) -> Tensor:
    """One whole number per sample, or one for all, as (N, 1)."""
    column = torch.as_tensor(value, device=x.device)
    require(
        not column.is_floating_point() and column.dtype != torch.bool,
        f"whole numbers {name}",
        cure="round them",
        dtype=column.dtype,
    )
    return per_sample(column, column.new_empty(len(x)))[:, :, 0, 0].long()


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
    if not isinstance(value, Sequence):
        require(value >= 0, f"{name} >= 0", cure="or give a pair (low, high)", **got)
        first, last = max(low, centre - float(value)), centre + float(value)
    else:
        require(len(value) == 2, f"one number or a pair for {name}", **got)
        first, last = float(value[0]), float(value[1])
    require(
        low <= first <= last <= high and last < math.inf,
        f"{low:g} <= low <= high <= {high:g} and finite for {name}",
        **got,
    )
    return first, last
