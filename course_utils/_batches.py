"""Where batches come from: a pair of tensors, shuffled anew each epoch, or a loader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from course_utils._checks import require

Examples = tuple[Tensor, Tensor]


def minibatches(n: int, batch_size: int, *generators: torch.Generator) -> Iterator[Tensor]:
    """One epoch of indices: every example once, in an order drawn anew; the last batch may be short.

    Args:
        n: number of examples, >= 1.
        batch_size: examples in a batch, >= 1.
        generators: one, or one per seed; each draws its own order.
    Yields: int64 indices, (b,) for one generator and (S, b) for S of them.
    """
    require(n >= 1 and batch_size >= 1, "n >= 1 and batch_size >= 1", n=n, batch_size=batch_size)
    require(len(generators) > 0, "a generator", cure="torch.Generator().manual_seed(seed)")
    orders = [torch.randperm(n, generator=generator) for generator in generators]
    order = orders[0] if len(orders) == 1 else torch.stack(orders)
    for start in range(0, n, batch_size):
        yield order[..., start : start + batch_size]


def batches_of(
    examples: Examples | Iterable[Examples], batch_size: int, generator: torch.Generator | None
) -> Iterator[Examples]:
    """Batches of a loader, or of a pair of tensors: shuffled by `generator`, in order without one."""
    if not (isinstance(examples, tuple) and len(examples) == 2 and isinstance(examples[0], Tensor)):
        yield from examples
        return
    x, y = examples
    require(len(x) == len(y), "as many inputs as targets", x=len(x), y=len(y))
    if generator is None:
        yield from zip(torch.split(x, batch_size), torch.split(y, batch_size), strict=True)
    else:
        for index in minibatches(len(x), batch_size, generator):
            yield x[index], y[index]


def mark_last(batches: Iterator[Examples]) -> Iterator[tuple[Tensor, Tensor, bool]]:
    """(x, y, whether it is the last one)."""
    waiting = next(batches, None)
    while waiting is not None:
        following = next(batches, None)
        yield (*waiting, following is None)
        waiting = following
