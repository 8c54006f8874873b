"""Bytes of a training step, against counts by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.diagnostics import step_memory
from tests.mutants import mistakes


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 3))


def batch(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(count, 6), torch.zeros(count, dtype=torch.int64)


def check_by_hand(m: Any) -> None:
    """Each ReLU's output is kept once (the ReLU and the next layer share it), the log-softmax, one scalar."""
    entries = 6 * 20 + 20 + 20 * 20 + 20 + 20 * 3 + 3
    for count in (1, 7, 64):
        x, y = batch(count)
        plain = m.step_bytes(net(), x, y, loss=F.cross_entropy)
        assert plain == {
            "weights": 4 * entries,
            "gradients": 4 * entries,
            "optimizer": 8 * entries,
            "saved": 4 * (count * (20 + 20 + 3) + 1),
        }


def check_autocast(m: Any) -> None:
    """Two activations and the input in two bytes, the copies of the weights, the log-softmax in four."""
    for count in (1, 7, 64):
        x, y = batch(count)
        found = m.step_bytes(net(), x, y, loss=F.cross_entropy, dtype=torch.bfloat16, moments=1)
        copies = 2 * (20 * 20 + 20 * 3)  # not of the first layer's, whose input needs no gradient
        assert found["saved"] == 2 * count * (6 + 20 + 20) + copies + 4 * (count * 3 + 1)
        assert found["optimizer"] == found["weights"] == 4 * sum(p.numel() for p in net().parameters())


def check_frozen(m: Any) -> None:
    model = net()
    model[0].requires_grad_(False)
    found = m.step_bytes(model, *batch(2), loss=F.cross_entropy)
    assert found["weights"] - found["gradients"] == 4 * (6 * 20 + 20)


def test_counts() -> None:
    check_by_hand(step_memory)
    check_autocast(step_memory)
    check_frozen(step_memory)


MUTANTS = [
    (check_by_hand, "if _address(t) not in known:", "if True:"),
    (check_by_hand, "saved[_address(t)] = t", "saved[len(saved)] = t"),
    (check_by_hand, "moments * trained", "trained"),
    (check_autocast, "enabled=dtype is not None", "enabled=False"),
    (check_frozen, "if p.requires_grad", "if True"),
]


test_mistakes_are_caught = mistakes("course_utils.diagnostics.step_memory", MUTANTS)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="need moments >= 0, got moments=-1"):
        step_memory.step_bytes(net(), *batch(1), loss=F.cross_entropy, moments=-1)
