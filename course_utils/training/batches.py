"""Where batches come from: a pair of tensors, shuffled anew each epoch, or a loader."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn

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
    orders = [torch.randperm(n, generator=generator, device=generator.device) for generator in generators]
    order = orders[0] if len(orders) == 1 else torch.stack(orders)
    for start in range(0, n, batch_size):
        yield order[..., start : start + batch_size]


def is_pair(examples: object) -> bool:
    """Whether these are all inputs and all targets, rather than something to take batches from."""
    return (
        isinstance(examples, (tuple, list))
        and len(examples) == 2
        and all(isinstance(part, Tensor) for part in examples)
    )


def batches_of(
    examples: Examples | Iterable[Examples], batch_size: int, generator: torch.Generator | None
) -> Iterator[Examples]:
    """Batches of a loader, or of a pair of tensors: shuffled by `generator`, in order without one."""
    if not is_pair(examples):
        yield from cast(Iterable[Examples], examples)
        return
    x, y = cast(Examples, examples)
    require(len(x) == len(y), "as many inputs as targets", x=len(x), y=len(y))
    if generator is None:
        yield from zip(torch.split(x, batch_size), torch.split(y, batch_size), strict=True)
    else:
        for index in minibatches(len(x), batch_size, generator):
            index = index.to(x.device)
            yield x[index], y[index.to(y.device)]


def in_groups(batches: Iterable[Examples], size: int) -> Iterator[list[Examples]]:
    """Lists of `size` batches, in order; the last list may be short."""
    group: list[Examples] = []
    for batch in batches:
        group.append(batch)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def on_pairs(augment: Callable[..., Any] | None) -> Callable[[Tensor, Tensor], Examples]:
    """`augment` as a function (x, y) -> (x, y), whether or not it looks at y.

    It does if it, or a module in it, says `takes_labels`, or if it has two arguments without a default.
    """
    if augment is None:
        return lambda x, y: (x, y)
    modules: list[Any] = list(augment.modules()) if isinstance(augment, nn.Module) else [augment]
    told = any(getattr(module, "takes_labels", False) for module in modules)
    if told or _needed_arguments(modules[0]) == 2:
        return augment
    return lambda x, y: (augment(x), y)


def _needed_arguments(function: Any) -> int:
    try:
        signature = inspect.signature(function.forward if isinstance(function, nn.Module) else function)
    except ValueError:  # written in C, without a signature
        return 1
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in positional and p.default is p.empty for p in signature.parameters.values())
