"""What the tests of training share: small data, small nets, bit equality."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

# With batches of 16: three whole ones and one of two.
N = 50


def examples(n: int = N, *, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 6, generator=draw, dtype=dtype)
    return x, (x[:, 0] + 0.3 * torch.randn(n, generator=draw, dtype=dtype) > 0).long()


def net(seed: int = 0, *, dropout: float = 0.0, norm: bool = False) -> nn.Module:
    torch.manual_seed(seed)
    layers = [nn.Linear(6, 8), nn.BatchNorm1d(8) if norm else nn.Identity(), nn.Tanh(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(8, 2)).double()


def same(one: Any, other: Any) -> bool:
    """Bit equality, through containers; NaN equals NaN."""
    if isinstance(one, Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and bool(
            ((one == other) | (one != one) & (other != other)).all()
        )  # fmt: skip
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other or (one != one and other != other))


def close(model: nn.Module, other: nn.Module) -> None:
    for (name, p), q in zip(model.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-13, msg=partial("{}: {}".format, name))


def images(n: int = 40, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 1, 4, 4, generator=draw)
    return x, (x.mean((1, 2, 3)) + 0.1 * torch.randn(n, generator=draw) > 0).long()
