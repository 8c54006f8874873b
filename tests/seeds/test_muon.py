"""Muon for stacked nets, against torch's Muon on one matrix at a time and against singular values."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.data import Stacked
from course_utils.seeds import muon, train_seeds
from tests.mutants import mistakes

SEEDS = (3, 4, 5)


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 5, bias=False), nn.Tanh(), nn.Linear(5, 3, bias=False)).double()


@pytest.fixture(scope="module")
def train() -> Stacked:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 20, 6, generator=generator, dtype=torch.float64)
    return Stacked(x, torch.randint(3, (3, 20), generator=generator))


SETTINGS: list[dict[str, Any]] = [
    {"weight_decay": 0.5},
    {"nesterov": False, "momentum": 0.8, "ns_steps": 3},
    {"adjust_lr_fn": "match_rms_adamw", "weight_decay": 0.0},
]


def check_one_step(module: Any) -> None:
    """Each matrix of a stack goes where torch's Muon takes it alone, up to torch's bfloat16."""
    generator = torch.Generator().manual_seed(1)
    for shape, settings in itertools.product(((3, 4, 9), (3, 9, 4)), SETTINGS):
        p0, *gs = (torch.randn(shape, generator=generator) for _ in range(4))
        stacked = p0.clone().requires_grad_()
        ours = module.MuonPerSeed([stacked], lr=0.1, **settings)
        single = [q.clone().requires_grad_() for q in p0]
        theirs = [torch.optim.Muon([q], lr=0.1, **settings) for q in single]
        for g in gs:
            stacked.grad = g
            ours.step()
            for q, h, rule in zip(single, g, theirs, strict=True):
                q.grad = h
                rule.step()
        moved, expected = stacked.detach() - p0, torch.stack([q.detach() for q in single]) - p0
        assert (moved - expected).norm() < 0.02 * expected.norm()


def test_muon_per_seed_is_muon_but_for_bfloat16() -> None:
    check_one_step(muon)


def check_iteration(module: Any) -> None:
    """The products act on the singular values alone, each by the quintic; a stack is its matrices."""
    g = torch.randn(2, 4, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    a, b, c = 3.4445, -4.7750, 2.0315
    for x in (g, g.mT):
        u, s, vh = torch.linalg.svd(x, full_matrices=False)
        s = s / s.norm(dim=-1, keepdim=True)
        for _ in range(5):
            s = a * s + b * s**3 + c * s**5
        expected = u @ torch.diag_embed(s) @ vh
        torch.testing.assert_close(module.newton_schulz_batched(x), expected, rtol=1e-9, atol=1e-10)


def test_the_iteration_acts_on_singular_values() -> None:
    check_iteration(muon)
    assert not muon.newton_schulz_batched(torch.zeros(2, 3, 3)).any()


def test_each_seed_goes_its_own_way(train: Stacked) -> None:
    kwargs: dict[str, Any] = {"optimizer": lambda p: muon.MuonPerSeed(p, lr=0.02), "steps": 10}
    together = train_seeds(net, train, loss=F.cross_entropy, seeds=SEEDS, **kwargs)
    for i, seed in enumerate(SEEDS):
        own = Stacked(train.x[i : i + 1], train.y[i : i + 1])
        alone = train_seeds(net, own, loss=F.cross_entropy, seeds=[seed], **kwargs).state_dict(0)
        for name, p in together.state_dict(i).items():
            torch.testing.assert_close(p, alone[name], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("shape", [(3, 4), (3,), (3, 4, 2, 2)])
def test_muon_per_seed_takes_stacked_matrices_only(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"need stacked matrices .* bias=False"):
        muon.MuonPerSeed([torch.ones(shape, requires_grad=True)], lr=0.1)


MUTANTS = {
    "without-nesterov": ("g.lerp(m, momentum) if", "m if", check_one_step),
    "always-nesterov": (' if group["nesterov"] else m', "", check_one_step),
    "scale-upside-down": ("rows / columns)", "columns / rows)", check_one_step),
    "scale-of-the-shorter-side": ("0.2 * max(", "0.2 * min(", check_one_step),
    "steps-by-default": ('steps=group["ns_steps"]', "steps=5", check_one_step),
    "decays-without-rate": ("1 - lr * group", "1 - group", check_one_step),
    "squared-entrywise": ("c * A @ A", "c * A * A", check_iteration),
    "one-norm-for-all-matrices": (".sum((-2, -1), keepdim=True)", ".sum()", check_iteration),
}


test_mistakes_are_caught = mistakes("course_utils.seeds.muon", MUTANTS)
