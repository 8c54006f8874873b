"""Shares of zeros and cutting, seed by seed, against torch's own pruning."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from course_utils.seeds import zeros
from course_utils.seeds.stacked import StackedNets
from tests.mutants import mistakes


def nets() -> list[nn.Module]:
    made: list[nn.Module] = []
    for seed in range(3):
        torch.manual_seed(seed)
        made.append(nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)))
    return made


def check_cut(module: Any) -> None:
    """Each seed's net is cut as torch's global pruning cuts it, and biases stay."""
    stacked, share = StackedNets(nets()), torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64)
    module.cut_smallest_(stacked, share)
    for s, net in enumerate(nets()):
        layers = [layer for layer in net.modules() if isinstance(layer, nn.Linear)]
        chosen = [(layer, "weight") for layer in layers]
        prune.global_unstructured(chosen, pruning_method=prune.L1Unstructured, amount=float(share[s]))
        for name, layer in zip(("0", "2"), layers, strict=True):
            torch.testing.assert_close(stacked.parameters[f"{name}.weight"][s], layer.weight)
            torch.testing.assert_close(stacked.parameters[f"{name}.bias"][s], layer.bias)
    # the weights of a net: 5 * 4 + 4 * 3
    assert module.share_of_zeros(stacked).tolist() == [0.0, 8 / 32, 1.0]


def check_deeper(module: Any) -> None:
    """Cut twice is cut to the larger share: what was zero counts."""
    once, twice = StackedNets(nets()), StackedNets(nets())
    module.cut_smallest_(once, torch.full((3,), 0.5))
    for share in (0.25, 0.5):
        module.cut_smallest_(twice, torch.full((3,), share))
    for name, p in once.named_parameters():
        assert torch.equal(p, twice.parameters[name])


CHECKS = [check_cut, check_deeper]


@pytest.mark.parametrize("check", CHECKS)
def test_zeros(check: Any) -> None:
    check(zeros)


test_mistakes_are_caught = mistakes(
    "course_utils.seeds.zeros",
    [
        (check_cut, 'name.endswith("weight")', "True"),
        (check_cut, "(count - 1).clamp(min=0)", "count.clamp(max=31)"),
        (check_cut, "limit = torch.where(count[:, None] > 0, limit, -1.0)", "limit = limit"),
        (check_cut, "_flat(nets).abs().sort(1)", "_flat(nets).sort(1)"),
        (check_cut, "w.abs() <= limit", "w.abs() < limit"),
    ],
)


def test_a_share_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="need 0 <= share <= 1"):
        zeros.cut_smallest_(StackedNets(nets()), torch.tensor([0.5, 1.5, 0.0]))
