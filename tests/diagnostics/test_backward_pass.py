"""The gradients on the way of a backward pass, against formulas."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.diagnostics import backward_pass
from tests.mutants import mistakes


def check_formulas(m: Any) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)).double()
    x, y = torch.randn(7, 5, dtype=torch.float64), torch.randint(3, (7,))
    found = m.gradients_by_place(net, x, y, loss=F.cross_entropy)
    outputs = (net(x).softmax(-1) - F.one_hot(y, 3)) / 7
    torch.testing.assert_close(found["outputs"], outputs.detach())
    torch.testing.assert_close(found["hidden"], (outputs @ net[2].weight).detach())
    F.cross_entropy(net(x), y).backward()
    torch.testing.assert_close(found["weights"], torch.cat([p.grad.flatten() for p in net.parameters()]))


def test_formulas() -> None:
    check_formulas(backward_pass)


MUTANTS = [
    (check_formulas, '"outputs": g[0], "hidden": g[1]', '"outputs": g[1], "hidden": g[0]'),
    (check_formulas, "hidden = net[:-1](x)", "hidden = net[:1](x)"),
    (check_formulas, "for one in g[2:]]", "for one in g[3:]]"),
]


test_mistakes_are_caught = mistakes("course_utils.diagnostics.backward_pass", MUTANTS)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="a net of two layers or more, got layers=1"):
        backward_pass.gradients_by_place(
            nn.Sequential(nn.Linear(2, 2)), torch.ones(1, 2), torch.ones(1, 2), loss=F.mse_loss
        )
