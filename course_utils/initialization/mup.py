"""The maximal update parametrisation (μP): first weights and learning rates as a net is made wider.

A base net says at which width everything is as usual. A tensor of a wider net has the ratios

    m_in = fan_in / fan_in of the base,    m_out = fan_out / fan_out of the base    (a bias has m_in = 1)

and, against the standard parametrisation (variance 1 / fan_in, one rate for all tensors),

    first weights    times sqrt(min(1, m_out / m_in))
    rate of SGD      times m_out / m_in
    rate of Adam     times 1 / m_in

With m for the width over that of the base, this is

                     first layer and biases    between    last layer
    first weights             1                   1        1 / sqrt(m)
    rate of SGD               m                   1        1 / m
    rate of Adam              1                 1 / m      1 / m

Source: Yang et al. (2022), "Tensor Programs V", table 3. Their table 8 is the same net written otherwise: the
last layer's weights keep their size, and its output is multiplied by 1 / m. Both take the same steps: with
SGD exactly, with Adam up to its eps. Yang & Hu (2021) is the theory, for SGD.

    model, base = make(512), make(64)
    scales = mup_scales(model, base, optimizer="adam")
    scale_init_(model, scales)
    optimizer = Adam(lr_groups(model, scales, lr=0.003))
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Size, nn

from course_utils._checks import require

__all__ = ["Scales", "lr_groups", "mup_scales", "scale_init_"]


class Scales(NamedTuple):
    """Of one tensor: what its first weights are multiplied by, and its learning rate."""

    std: float
    lr: float


def mup_scales(model: nn.Module, base: nn.Module, *, optimizer: str) -> dict[str, Scales]:
    """name -> the two factors of each parameter of `model`; both are 1 where it is as wide as `base`.

    Args:
        model: the net to train: linear layers, convolutions, normalisation layers.
        base: the same net at the width at which the learning rate was tuned. Only its shapes are read.
        optimizer: "sgd" (also with momentum) or "adam" (also AdamW, and others that divide by the gradient's
            size, entry by entry).
    Raises: ValueError for another optimizer, for nets that differ in more than widths, and for an embedding,
        whose weights lie the other way round.
    Source: Yang et al. (2022), table 3.

    >>> wide, narrow = (nn.Linear(n, 10) for n in (400, 100))
    >>> mup_scales(wide, narrow, optimizer="adam")["weight"]
    Scales(std=0.5, lr=0.25)
    """
    require(optimizer in ("sgd", "adam"), 'optimizer "sgd" or "adam"', optimizer=optimizer)
    embeddings = [name for name, part in model.named_modules() if isinstance(part, nn.Embedding)]
    require(not embeddings, "no embedding", cure="write it as a linear layer", embeddings=embeddings)
    shapes = {name: p.shape for name, p in base.named_parameters()}
    names = [name for name, _ in model.named_parameters()]
    require(names == list(shapes), "the parameters of the base", cure="build both alike", parameters=names)
    return {name: _scales(name, p.shape, shapes[name], optimizer) for name, p in model.named_parameters()}


@torch.no_grad()
def scale_init_(model: nn.Module, scales: Mapping[str, Scales]) -> None:
    """Multiply first weights, drawn in the standard way, by their factors, in place. Once, at the start.

    Biases keep their size (a bias has fan_in = 1), so draw them at one size for every width, or as zeros:
    `nn.Linear` draws them as 1 / sqrt(fan_in) of its weights, and so smaller in a wide net.
    """
    for name, p in model.named_parameters():
        p.mul_(scales[name].std)


def lr_groups(model: nn.Module, scales: Mapping[str, Scales], lr: float) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer, one for each tensor: {"params": [p], "lr": lr times its factor}.

    AdamW shrinks weights by lr * weight_decay in each step, which falls with lr: divide a group's
    weight_decay by its factor to keep it, as the library `mup` does.

    Raises: ValueError unless lr >= 0.
    """
    require(lr >= 0, "lr >= 0", lr=lr)
    return [{"params": [p], "lr": lr * scales[name].lr} for name, p in model.named_parameters()]


def _scales(name: str, shape: Size, base: Size, optimizer: str) -> Scales:
    alike = len(shape) == len(base) and shape[2:] == base[2:]
    cure = "only widths may differ"
    require(alike, "tensors of the same kind", cure=cure, name=name, shape=tuple(shape), base=tuple(base))
    m_out = shape[0] / base[0] if shape else 1.0
    m_in = shape[1] / base[1] if len(shape) > 1 else 1.0
    std = math.sqrt(min(1.0, m_out / m_in))
    return Scales(std, m_out / m_in if optimizer == "sgd" else 1 / m_in)
