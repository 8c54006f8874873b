"""He's net has He's weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from course_utils import models
from tests.mutants import mistakes


def check_weights(module: Any) -> None:
    torch.manual_seed(0)
    net = module.he_net(400, 300, 200, gain=1.5)
    assert [type(layer).__name__ for layer in net] == ["Linear", "ReLU", "Linear"]
    for linear, fan_in in ((net[0], 400), (net[2], 300)):
        expected = 1.5 * (2 / fan_in) ** 0.5  # the spread of 60,000 draws is known to 0.3%
        assert float(linear.weight.detach().std()) == pytest.approx(expected, rel=0.015)
        assert float(linear.bias.detach().abs().max()) == 0


def test_weights_are_hes() -> None:
    check_weights(models)


@pytest.mark.parametrize("bad", [{"gain": 0.0}, {"gain": -1.0}])
def test_bad_gain(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="need gain > 0"):
        models.he_net(3, 2, **bad)


def test_one_width_is_no_net() -> None:
    with pytest.raises(ValueError, match="two widths"):
        models.he_net(3)


MUTANTS = {
    "gain-forgotten": ("linear.weight.mul_(gain)", "linear.weight.mul_(1.0)"),
    "biases-kept": ("        nn.init.zeros_(linear.bias)\n", ""),
}


test_mistakes_are_caught = mistakes("course_utils.models", MUTANTS, check=check_weights)
