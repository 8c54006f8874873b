"""What each worker holds at the four stages of sharding (ZeRO), in a net of square layers.

    stage 0    everything                              all-reduce the gradients, step all
    stage 1    its share of m and v                    torch's `ZeroRedundancyOptimizer`
    stage 2    its share of m, v and gradients         reduce-scatter each gradient as soon as it is there
    stage 3    its share of everything                 all-gather a layer's weights when they are needed

All of it runs in each worker, with `torch.distributed` ready.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from course_utils._checks import require
from course_utils.diagnostics.step_memory import HeldBytes
from course_utils.optimizers import Adam

Layer = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def gather(own: Tensor) -> Tensor:
    """The shares of all workers, (share,) each, end to end."""
    whole = torch.empty(dist.get_world_size() * len(own), dtype=own.dtype)
    _through(dist.all_gather_into_tensor, whole, own.detach())
    return whole


def scatter_mean(whole: Tensor) -> Tensor:
    """This worker's share of the mean of `whole` over the workers; its entries are a multiple of n."""
    own = torch.empty(whole.numel() // dist.get_world_size(), dtype=whole.dtype)
    _through(dist.reduce_scatter_tensor, own, whole.flatten())
    return own / dist.get_world_size()


def _through(collective: Callable[..., Any], *tensors: Tensor) -> None:
    """Call it, and wait until gloo's thread, which may hold what passed for a moment longer, has let go.

    The thread may hold views of a tensor, too: what counts is who holds the memory.
    """
    before = [_holders(t) for t in tensors]
    collective(*tensors)
    while any(_holders(t) > count for t, count in zip(tensors, before, strict=True)):
        time.sleep(0.001)


def _holders(t: Tensor) -> int:
    count: int = torch._C._storage_Use_Count(t.untyped_storage()._cdata)
    return count


class Sharded(torch.autograd.Function):
    """x @ w of which each worker keeps a share: `Sharded.apply(own, x, kept)`.

    Args:
        own: this worker's share of w, (d * d / n,), whose gradient comes back as its share of the mean.
        x: (examples, d).
        kept: the whole w (d, d), or None: then it is gathered for each pass, and let go.
    """

    @staticmethod
    def forward(ctx: Any, own: Tensor, x: Tensor, kept: Tensor | None) -> Tensor:
        ctx.save_for_backward(own, x)
        ctx.kept = kept
        return x @ (gather(own).view(x.shape[1], -1) if kept is None else kept)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, None]:
        own, x = ctx.saved_tensors
        w = gather(own).view(x.shape[1], -1) if ctx.kept is None else ctx.kept
        return scatter_mean(x.mT @ g), g @ w.mT, None


def forward_and_back(x: Tensor, y: Tensor, layers: list[Callable[[Tensor], Tensor]]) -> None:
    """Gradients of mean((f(x) - y)**2), with f the layers and a tanh after each."""
    for layer in layers:
        x = torch.tanh(layer(x))
    F.mse_loss(x, y).backward()


def start(
    first: list[Tensor], stage: int, layer: Layer, lr: float
) -> tuple[list[Tensor], list[Any], Any, list[Tensor]]:
    """What Adam steps, the layers, Adam, and the whole weights where this worker keeps them."""
    rank, n = dist.get_rank(), dist.get_world_size()
    whole = [w.clone() for w in first]
    if stage < 2:
        own = [w.requires_grad_() for w in whole]
        optimizer: Any = _sharing(own, lr) if stage else Adam(own, lr=lr)
        return own, [w.__rmatmul__ for w in whole], optimizer, whole
    own = [w.view(-1).chunk(n)[rank].detach() for w in whole]  # in the memory of the whole
    if stage == 3:
        own, whole = [share.clone() for share in own], []
    kept: Sequence[Tensor | None] = whole or [None] * len(own)
    layers = [partial(_apply, layer, share.requires_grad_(), w) for share, w in zip(own, kept, strict=True)]
    return own, layers, Adam(own, lr=lr), whole


def _sharing(own: list[Tensor], lr: float) -> Any:
    from torch.distributed.optim import (
        ZeroRedundancyOptimizer,
    )  # here: its import warns of old parts of torch

    return ZeroRedundancyOptimizer(own, Adam, lr=lr)


def _apply(layer: Layer, share: Tensor, whole: Tensor | None, x: Tensor) -> Tensor:
    return layer(share, x, whole)


def train_stage(
    first: list[Tensor],
    x: Tensor,
    y: Tensor,
    stage: int,
    *,
    steps: int,
    lr: float = 0.01,
    layer: Layer = Sharded.apply,
) -> tuple[list[Tensor], int]:
    """Train this worker's part of every batch with Adam at one stage, and count what it holds.

    Args:
        first: the first weights (d, d) of each layer, with d * d a multiple of the number of workers.
        x, y: all examples, (examples, d); this worker takes every n-th from its rank on.
        stage: 0 to 3.
        layer: what stages 2 and 3 compute with, as `Sharded.apply`.
    Returns: the weights at the end, and the bytes of weights, gradients, m and v that were alive in this
        worker after the last backward pass.
    Raises: ValueError for another stage.
    Source: Rajbhandari, Rasley, Ruwase & He (2020).
    Agrees with: Adam in one process, and at stage 3 `torch.distributed.fsdp.fully_shard`.
    """
    require(stage in (0, 1, 2, 3), "a stage of 0, 1, 2 or 3", stage=stage)
    rank, n = dist.get_rank(), dist.get_world_size()
    x, y = x[rank::n].contiguous(), y[rank::n].contiguous()
    alive = 0
    with HeldBytes() as held:
        own, layers, optimizer, whole = start(first, stage, layer, lr)
        for _ in range(steps):
            forward_and_back(x, y, layers)
            if stage < 2:
                for p in own:
                    assert p.grad is not None
                    _through(dist.all_reduce, p.grad)
                    p.grad.div_(n)
            alive = held.now
            optimizer.step()
            optimizer.zero_grad()
            if stage == 2:
                for w, share in zip(whole, own, strict=True):
                    w.view(-1).copy_(gather(share))
    ends = [w.detach() for w in whole]
    return ends or [gather(a).view_as(w) for a, w in zip(own, first, strict=True)], alive


def train_alone(first: list[Tensor], x: Tensor, y: Tensor, *, steps: int, lr: float = 0.01) -> list[Tensor]:
    """The same training in one process, with all examples: the weights at the end."""
    own = [w.clone().requires_grad_() for w in first]
    optimizer = Adam(own, lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        forward_and_back(x, y, [w.__rmatmul__ for w in own])
        optimizer.step()
    return [w.detach() for w in own]
