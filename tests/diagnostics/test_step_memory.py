"""Bytes of a training step, against counts by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from course_utils.diagnostics import step_memory
from tests.mutants import mistakes

WIDTH, BATCH = 8, 50
UNIT = 4 * WIDTH * BATCH  # bytes of the outputs of a layer


def net(layers: int = 4) -> nn.Sequential:
    return nn.Sequential(*[nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU()) for _ in range(layers)])


def check_tensors(m: Any) -> None:
    """What is made counts until it is gone; a view and an operation in place add nothing."""
    old = torch.zeros(1000)
    with m.HeldBytes() as held:
        x = torch.zeros(100)
        assert held.now == 400
        y = x.view(10, 10)[2:]
        x += 1
        old += 1
        assert held.now == 400
        z = y + 1  # 80 numbers
        assert held.now == 720
        del z
        assert held.now == 400
        del x
        assert held.now == 400, "y is a view of it"
        del y
        assert held.now == 0
        torch.zeros(0)
        both = old.view(10, 100).max(0)  # values, and where they are
        assert held.now == 100 * (4 + 8)
        del both
    assert held.peak == 1200
    assert held.history[:4] == [400, 720, 400, 0]


def check_saved(m: Any) -> None:
    """Of each layer the ReLU's output is kept, once: the next layer shares it. And the loss's own."""
    one, x, y = net(), torch.zeros(BATCH, WIDTH), torch.zeros(BATCH, dtype=torch.int64)
    with m.HeldBytes() as held:
        loss = F.cross_entropy(one(x), y)
        saved = held.now
        loss.backward()
        del loss
    assert saved == pytest.approx(5 * UNIT, abs=100)  # four layers, and the log-softmax of as many columns
    gradients = sum(p.nbytes for p in one.parameters())
    assert held.now == gradients
    assert held.peak >= saved + UNIT


def check_checkpoints(m: Any) -> None:
    """PyTorch's own checkpoints: what is computed again counts, too."""
    peaks = {}
    for segment in (1, 4, 16):
        one, x = net(16), torch.zeros(BATCH, WIDTH, requires_grad=True)
        with m.HeldBytes() as held:
            h = x
            for k in range(0, 16, segment):
                h = checkpoint(one[k : k + segment], h, use_reentrant=False)
            loss = h.sum()
            del h
            loss.backward()
        peaks[segment] = held.peak / UNIT
    assert peaks[4] < 0.65 * min(peaks[1], peaks[16])


CHECKS = [check_tensors, check_saved, check_checkpoints]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__[6:])
def test_counts(check: Any) -> None:
    check(step_memory)


MUTANTS = [
    (check_tensors, "self._change(-size)", "pass"),
    (check_tensors, "and _address(t) not in given", ""),
    (check_tensors, "return max(self.history, default=0)", "return self.now"),
    (check_tensors, "for t in tree_leaves(made):", "for t in [made]:"),
    (check_saved, "size = storage.nbytes()", "size = t.numel()"),
    (check_checkpoints, "self.now += size", "self.now += max(size, 0)"),
]


test_mistakes_are_caught = mistakes("course_utils.diagnostics.step_memory", MUTANTS)


def test_nothing_held() -> None:
    with step_memory.HeldBytes() as held:
        pass
    assert (held.now, held.peak, held.history) == (0, 0, [])
