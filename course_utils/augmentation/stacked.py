"""Mixup and CutMix in a run over many seeds: what is mixed stays within its seed."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.augmentation.mixing import CutMix, Mixup


def mix_within_seeds(
    mix: Mixup | CutMix, x: Tensor, y: Tensor, *, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Mix each example with one of its own seed's batch, all seeds in one call.

        order    the ranks of one permutation of all S * b examples, within each seed: a permutation of b
        partner  = order + b * seed

    A partner from another seed may be an example that validates this one. With S = 1 this is `mix` itself.

    Args:
        mix: what to draw and do; `num_classes` is needed where y holds class indices.
    Shape: x (S, b, ...), for CutMix (S, b, C, H, W); y (S, b), or probability rows (S, b, K). Returns x and
        rows (S, b, K).
    """
    examples, rows = x.flatten(0, 1), mix.rows(y.flatten(0, 1))
    mix.check(examples)
    partner, how = mix.draw(examples, generator=generator)
    order = partner.view(x.shape[:2]).argsort(1).argsort(1)
    first = torch.arange(len(x), device=x.device)[:, None] * x.shape[1]
    mixed, labels = mix.transform(examples, rows, (order + first).flatten(), how)
    return mixed.view_as(x), labels.unflatten(0, x.shape[:2])
