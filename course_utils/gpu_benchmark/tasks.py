"""Two nets and two tasks that they can learn, drawn from a generator: no file, no network.

A convolutional net tells the direction of a grating under noise; a transformer repeats what it read some
places ago. Both tasks make examples without end, on any device.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_utils._checks import require
from course_utils.models import Transformer, TransformerBlock

Batch = tuple[Tensor, Tensor]
CLASSES, WORDS, LAG = 10, 32, 3


@dataclass(frozen=True)
class Task:
    """A net, and where its batches come from.

    Args:
        make: a new net, which maps x to logits (n, classes).
        batch: generator -> (x, y) on the generator's device, y (n,) whole numbers, -100 where nothing counts.
        lr: Adam's.
        parts: kinds of modules of the net whose inside is computed again in the backward pass where
            checkpoints are asked for.
    """

    name: str
    make: Callable[[], nn.Module]
    batch: Callable[[torch.Generator], Batch]
    lr: float = 1e-3
    parts: tuple[type[nn.Module], ...] = ()


def gratings(count: int, size: int, generator: torch.Generator, *, noise: float = 1.5) -> Batch:
    """Images (N, 3, size, size) of waves in one of ten directions, under noise, and the direction (N,).

    Phase, wavelength and the strength of each colour are drawn anew for every image.
    """
    device = generator.device

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    y = torch.randint(CLASSES, (count,), generator=generator, device=device)
    angle = (math.pi / CLASSES * y)[:, None, None]
    axis = torch.linspace(-1, 1, size, device=device)
    along = axis[None, None, :] * angle.cos() + axis[None, :, None] * angle.sin()  # (N, size, size)
    cycles, phase = 1.5 + 1.5 * draw(count, 1, 1), 2 * math.pi * draw(count, 1, 1)
    wave = torch.sin(2 * math.pi * cycles * along + phase)
    x = wave[:, None] * (0.5 + draw(count, 3, 1, 1))
    x = x + noise * torch.randn(x.shape, generator=generator, device=device)
    return x.contiguous(memory_format=torch.channels_last), y  # as the net's weights are


def echoes(count: int, length: int, generator: torch.Generator, *, noise: float = 0.1) -> Batch:
    """Words (N, length), and as target at each place the word three places earlier, (N * length,).

    A share `noise` of the targets is replaced by another word, so that the loss has a floor above zero; the
    first places, which have nothing to repeat, are marked -100 and not counted.
    """
    device = generator.device
    x = torch.randint(WORDS, (count, length), generator=generator, device=device)
    y = x.roll(LAG, 1)
    other = torch.randint(WORDS, y.shape, generator=generator, device=device)
    wrong = torch.rand(y.shape, generator=generator, device=device) < noise
    y = torch.where(wrong, other, y)
    y[:, :LAG] = -100
    return x, y.flatten()


class Stage(nn.Sequential):
    """What a convolutional net does at one resolution."""


def convnet(width: int) -> nn.Module:
    """Six 3 x 3 convolutions in three stages of width, 2 width, 2 width; mean over places; ten classes."""
    layers: list[nn.Module] = []
    inputs = 3
    for stage, outputs in enumerate((width, 2 * width, 2 * width)):
        if stage > 0:
            layers.append(nn.MaxPool2d(2))
        unit: list[nn.Module] = []
        for _ in range(2):
            unit += [
                nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
            inputs = outputs
        layers.append(Stage(*unit))
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, CLASSES)]
    net: nn.Module = nn.Sequential(*layers)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]  # not in its types


def transformer(dim: int, depth: int, length: int) -> nn.Module:
    """Lesson 23's net, as the tasks want it: words (N, length) -> logits (N * length, words)."""
    net = Transformer(WORDS, length, d=dim, heads=max(1, dim // 64), blocks=depth)
    return nn.Sequential(net, nn.Flatten(0, 1))


# name -> (width, size, batch) of the convolutional net; (dim, depth, length, batch) of the transformer
SIZES: dict[str, tuple[tuple[int, int, int], tuple[int, int, int, int]]] = {
    "tiny": ((4, 8, 16), (16, 1, 8, 8)),
    "small": ((64, 32, 128), (256, 2, 128, 64)),
    "standard": ((128, 32, 256), (512, 4, 128, 128)),
}


def tasks(size: str) -> list[Task]:
    """The convolutional net and the transformer at a size: "tiny" for tests, "small", "standard"."""
    require(size in SIZES, f"a size among {', '.join(SIZES)}", size=size)
    (width, pixels, images), (dim, depth, length, texts) = SIZES[size]
    return [
        Task("convnet", lambda: convnet(width), lambda g: gratings(images, pixels, g), parts=(Stage,)),
        Task(
            "transformer",
            lambda: transformer(dim, depth, length),
            lambda g: echoes(texts, length, g),
            lr=5e-4,
            parts=(TransformerBlock,),
        ),
    ]
