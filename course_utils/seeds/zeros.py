"""Weights that are zero in the nets of many seeds: how many there are, and how to make more by cutting."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils.seeds.stacked import StackedNets


def share_of_zeros(nets: StackedNets) -> Tensor:
    """The share of each seed's weights that is exactly zero, (S,); biases are not counted."""
    return _flat(nets).eq(0).double().mean(1)


@torch.no_grad()
def cut_smallest_(nets: StackedNets, share: Tensor) -> None:
    """Set the smallest weights of each seed's net to zero, in place: so large a share of all its weights.

        limit = the size of the round(share * count)-th smallest weight of the seed
        w    <- 0  where |w| <= limit

    Biases stay as they are. What was zero before counts.

    Args:
        share: (S,), from 0 to 1.
    Raises: ValueError for a share out of range.
    Agrees with: `torch.nn.utils.prune.global_unstructured(..., L1Unstructured)`, seed by seed.
    """
    require(bool(((share >= 0) & (share <= 1)).all()), "0 <= share <= 1", share=share)
    sizes = _flat(nets).abs().sort(1).values
    count = (share * sizes.shape[1]).round().long()
    limit = sizes.gather(1, (count - 1).clamp(min=0)[:, None])
    limit = torch.where(count[:, None] > 0, limit, -1.0)  # nothing is as small as that
    for w in _weights(nets):
        w.masked_fill_(w.abs() <= limit.view(-1, *[1] * (w.ndim - 1)), 0.0)


def _weights(nets: StackedNets) -> list[Tensor]:
    """The stacked parameters whose names end in "weight"."""
    return [p for name, p in nets.named_parameters() if name.endswith("weight")]


def _flat(nets: StackedNets) -> Tensor:
    return torch.cat([w.detach().flatten(1) for w in _weights(nets)], 1)
