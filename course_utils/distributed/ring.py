"""The ring: each worker sends to the one on its right only, and in the end all hold the sum of all.

Every buffer is cut into n chunks, as `torch.tensor_split` cuts. In each round each worker sends one chunk:

    reduce-scatter    n - 1 rounds    what comes is added; worker r ends with chunk r + 1 of the sum
    all-gather        n - 1 rounds    what comes is kept; in the end each has every chunk
    all-reduce        both            each has the sum, and has sent 2 (n - 1) / n of a buffer

The functions here work on the buffers of all workers, in one process: one can look at each. `all_reduce_here`
is the same between real processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from course_utils._checks import require

Round = tuple[int, int, bool]


def scatter_rounds(rank: int, size: int) -> Iterator[Round]:
    """(chunk to send, chunk that comes, whether it is added) in each round of the reduce-scatter."""
    for step in range(size - 1):
        yield (rank - step) % size, (rank - step - 1) % size, True


def gather_rounds(rank: int, size: int) -> Iterator[Round]:
    """The same for the all-gather after it."""
    for step in range(size - 1):
        yield (rank - step + 1) % size, (rank - step) % size, False


def reduce_scatter(buffers: Sequence[Tensor]) -> list[int]:
    """Add round the ring, in place: then chunk r + 1 of worker r is that chunk of the sum.

    The other chunks hold sums of some workers.

    Args:
        buffers: one for each worker, contiguous, of one shape and dtype.
    Returns: the bytes that each worker has sent.
    Raises: ValueError for no buffer, or ones that differ in shape or dtype or are not contiguous.
    Source: Patarasuk & Yuan (2009). Agrees with: `torch.distributed.reduce_scatter`, for that chunk.
    """
    return _around(buffers, scatter_rounds)


def all_gather(buffers: Sequence[Tensor]) -> list[int]:
    """Pass chunk r + 1 of each worker r on to all, in place; what else they held there is gone.

    Args, Returns, Raises: as for `reduce_scatter`.
    """
    return _around(buffers, gather_rounds)


def all_reduce(buffers: Sequence[Tensor]) -> list[int]:
    """Give each worker the sum of all buffers, in place.

    Args, Returns, Raises: as for `reduce_scatter`. With n workers and n chunks of one size each sends
        2 (n - 1) / n of a buffer.
    Agrees with: `torch.distributed.all_reduce`.

    Example:
        >>> buffers = [torch.tensor([1.0, 2.0]), torch.tensor([10.0, 20.0])]
        >>> all_reduce(buffers), buffers[0], buffers[1]
        ([8, 8], tensor([11., 22.]), tensor([11., 22.]))
    """
    first = reduce_scatter(buffers)
    return [a + b for a, b in zip(first, all_gather(buffers), strict=True)]


def all_reduce_here(buffer: Tensor) -> int:
    """The same between real processes: each calls it with a buffer of its own, which then holds the sum.

    Returns: the bytes that this worker has sent.
    Raises: ValueError for a buffer that is not contiguous.
    """
    require(buffer.is_contiguous(), "a contiguous buffer", cure="pass buffer.contiguous()")
    rank, size = dist.get_rank(), dist.get_world_size()
    chunks = buffer.detach().view(-1).tensor_split(size)
    sent = 0
    for give, take, add in (*scatter_rounds(rank, size), *gather_rounds(rank, size)):
        arrived = torch.empty_like(chunks[take])
        going = dist.isend(chunks[give], (rank + 1) % size)
        dist.recv(arrived, (rank - 1) % size)
        if going is not None:
            going.wait()
        chunks[take].add_(arrived) if add else chunks[take].copy_(arrived)
        sent += chunks[give].nbytes
    return sent


def _around(buffers: Sequence[Tensor], rounds: Callable[[int, int], Iterator[Round]]) -> list[int]:
    size = len(buffers)
    require(size >= 1, "one buffer or more", buffers=size)
    alike = all(b.shape == buffers[0].shape and b.dtype == buffers[0].dtype for b in buffers)
    require(alike, "buffers of one shape and dtype", shapes=[tuple(b.shape) for b in buffers])
    require(all(b.is_contiguous() for b in buffers), "contiguous buffers", cure="pass buffer.contiguous()")
    chunks = [buffer.detach().view(-1).tensor_split(size) for buffer in buffers]
    sent = [0] * size
    plans = zip(*(rounds(rank, size) for rank in range(size)), strict=True)
    for plan in plans:
        # all at once: no chunk that goes is one that a round changes
        going = [chunks[rank][give] for rank, (give, _, _) in enumerate(plan)]
        for rank, (_, take, add) in enumerate(plan):
            arrived = going[rank - 1]
            chunks[rank][take].add_(arrived) if add else chunks[rank][take].copy_(arrived)
            sent[rank] += going[rank].nbytes
    return sent
