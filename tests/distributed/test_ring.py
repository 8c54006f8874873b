"""The ring against a plain sum, in one process and between two real ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from course_utils.distributed import Workers, ring
from tests.mutants import mistakes


def _buffers(n: int, entries: int, seed: int = 0) -> list[Tensor]:
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(entries, generator=g, dtype=torch.float64) for _ in range(n)]


def check_sum(module: Any) -> None:
    for n in (1, 2, 3, 4, 7):
        for entries in (0, 1, n - 1, n, 3 * n, 3 * n + 2):
            buffers = _buffers(n, entries, seed=n)
            total = torch.stack(buffers).sum(0)
            module.all_reduce(buffers)
            for buffer in buffers:
                torch.testing.assert_close(buffer, total, rtol=1e-12, atol=1e-13)
            assert all(torch.equal(buffer, buffers[0]) for buffer in buffers)  # to the last bit


def check_halves(module: Any) -> None:
    """After the first half worker r has chunk r + 1 of the sum; after the second all have all."""
    n = 4
    buffers = _buffers(n, 10)
    total = torch.stack(buffers).sum(0).tensor_split(n)
    module.reduce_scatter(buffers)
    for rank, buffer in enumerate(buffers):
        own = (rank + 1) % n
        torch.testing.assert_close(buffer.tensor_split(n)[own], total[own], rtol=1e-12, atol=1e-13)
    module.all_gather(buffers)
    for buffer in buffers:
        torch.testing.assert_close(buffer, torch.cat(total), rtol=1e-12, atol=1e-13)


def check_bytes(module: Any) -> None:
    """Each worker sends each chunk at most twice: 2 (n - 1) / n of a buffer, also where chunks differ."""
    for n in (1, 2, 3, 5):
        assert module.all_reduce(_buffers(n, 4 * n)) == [2 * (n - 1) * 4 * 8] * n
    assert sum(module.all_reduce(_buffers(3, 10))) == 2 * 2 * 10 * 8  # of all together


CHECKS = (check_sum, check_halves, check_bytes)


@pytest.mark.parametrize("check", CHECKS)
def test_ring(check: Any) -> None:
    check(ring)


def test_shapes_are_kept() -> None:
    buffers = [torch.ones(2, 3, requires_grad=True) for _ in range(3)]
    ring.all_reduce(buffers)
    assert all(torch.equal(buffer, torch.full((2, 3), 3.0)) for buffer in buffers)


def _both(entries: int) -> tuple[Tensor, Tensor, int, bool]:
    mine = torch.full((entries,), 10.0 ** dist.get_rank(), dtype=torch.float64) * torch.arange(entries)
    ours, torchs = mine.clone(), mine.clone()
    sent = ring.all_reduce_here(ours)
    dist.all_reduce(torchs)
    try:
        ring.all_reduce_here(torch.ones(4, 4).T)
    except ValueError:
        return ours, torchs, sent, True
    return ours, torchs, sent, False


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3])
def test_between_real_processes_it_is_gloos(count: int) -> None:
    with Workers(count) as workers:
        for entries in (0, 1, 6, 7):
            for ours, torchs, sent, refused in workers.run(_both, entries):
                torch.testing.assert_close(ours, torchs, rtol=1e-14, atol=0)
                assert entries != 6 or sent == 2 * (count - 1) * 6 // count * 8
                assert refused


BAD = {
    "none": ([], "one buffer or more"),
    "other shapes": ([torch.ones(2), torch.ones(3)], "one shape and dtype"),
    "other dtypes": ([torch.ones(2), torch.ones(2).double()], "one shape and dtype"),
    "strided": ([torch.ones(2, 3).T, torch.ones(2, 3).T], "contiguous"),
}


@pytest.mark.parametrize(("buffers", "message"), BAD.values(), ids=BAD)
def test_bad_input(buffers: list[Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ring.all_reduce(buffers)


MUTANTS = {
    "kept where added": ("(rank - step - 1) % size, True", "(rank - step - 1) % size, False", check_sum),
    "added where kept": ("(rank - step) % size, False", "(rank - step) % size, True", check_sum),
    "one round short": ("for step in range(size - 1):\n        yield (rank - step) % size",
                        "for step in range(size - 2):\n        yield (rank - step) % size", check_sum),
    "gather a chunk early": ("yield (rank - step + 1) % size", "yield (rank - step) % size", check_sum),
    "from the right": ("going[rank - 1]", "going[(rank + 1) % size]", check_sum),
    "counts entries": ("sent[rank] += going[rank].nbytes", "sent[rank] += going[rank].numel()", check_bytes),
    "one half forgotten": ("[a + b for a, b", "[a for a, b", check_bytes),
}  # fmt: skip

test_mistakes_are_caught = mistakes("course_utils.distributed.ring", MUTANTS, also=(RuntimeError,))
