"""SAM for stacked nets, against SAM on one net at a time and against `train_seeds`."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.data import Stacked
from course_utils.optimizers import SAM, SGD, Muon
from course_utils.seeds import MuonPerSeed, sam, train_seeds
from course_utils.training.batches import minibatches
from tests.mutants import mistakes

SEEDS = (3, 4, 5)
RUN: dict[str, Any] = {"loss": F.cross_entropy, "steps": 12, "seeds": SEEDS, "batch_size": 8}


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 5, bias=False), nn.Tanh(), nn.Linear(5, 3, bias=False)).double()


@pytest.fixture(scope="module")
def train() -> Stacked:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 20, 6, generator=generator, dtype=torch.float64)
    return Stacked(x, torch.randint(3, (3, 20), generator=generator))


def momentum(p: list[Tensor]) -> torch.optim.Optimizer:
    return SGD(p, lr=0.1, momentum=0.9)


def check_against_sam(module: Any, train: Stacked, rho: float = 0.3) -> None:
    """Step by step with `SAM`, seed by seed, in a loop of our own. (Options are tested in test_train.)"""
    runs = train_seeds(
        net, train, optimizer=lambda p: module.SAMPerSeed(p, SGD, rho=rho, lr=0.1, momentum=0.9), **RUN
    )
    for i, seed in enumerate(SEEDS):
        torch.manual_seed(seed)
        model = net()
        rule = SAM(model.parameters(), SGD, rho=rho, lr=0.1, momentum=0.9)
        generator, done = torch.Generator().manual_seed(seed), 0
        while done < 12:
            for order in minibatches(20, 8, generator):
                for step in (rule.first_step, rule.second_step):
                    F.cross_entropy(model(train.x[i][order]), train.y[i][order]).backward()
                    step(zero_grad=True)
                done += 1
                if done == 12:
                    break
        expected = dict(model.named_parameters())
        for name, p in runs.state_dict(i).items():
            torch.testing.assert_close(p, expected[name].detach(), rtol=1e-10, atol=1e-12)


def test_sam_at_once_is_sam_seed_by_seed(train: Stacked) -> None:
    check_against_sam(sam, train)


def test_without_a_radius_it_is_the_base_optimizer(train: Stacked) -> None:
    still = train_seeds(
        net, train, optimizer=lambda p: sam.SAMPerSeed(p, SGD, rho=0.0, lr=0.1, momentum=0.9), **RUN
    )
    runs = train_seeds(net, train, optimizer=momentum, **RUN)
    for name, p in still.nets.named_parameters():
        assert torch.equal(p, runs.nets.parameters[name])


def test_a_seed_without_a_gradient_climbs_nowhere() -> None:
    p = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    seen = []

    def closure() -> float:
        seen.append(p.detach().clone())
        p.grad = torch.tensor([[0.0, 0.0, 0.0], [3.0, 0.0, 4.0]], dtype=torch.float64)
        return 7.0

    assert sam.SAMPerSeed([p], SGD, rho=0.5, lr=0.1).step(closure) == 7.0
    assert torch.equal(seen[0], torch.ones(2, 3, dtype=torch.float64))
    assert torch.allclose(seen[1], torch.tensor([[1.0, 1.0, 1.0], [1.3, 1.0, 1.4]], dtype=torch.float64))
    assert torch.allclose(p, torch.tensor([[1.0, 1.0, 1.0], [0.7, 1.0, 0.6]], dtype=torch.float64))


def test_its_base_may_be_written_for_stacks(train: Stacked) -> None:
    rule: Any = lambda p: sam.SAMPerSeed(p, MuonPerSeed, rho=0.1, lr=0.02)  # noqa: E731
    runs = train_seeds(net, train, optimizer=rule, **RUN)
    for i, seed in enumerate(SEEDS):
        own = Stacked(train.x[i : i + 1], train.y[i : i + 1])
        alone = train_seeds(net, own, optimizer=rule, **RUN | {"seeds": [seed]})
        for name, p in runs.state_dict(i).items():
            torch.testing.assert_close(p, alone.state_dict(0)[name], rtol=1e-9, atol=1e-11)


def test_the_loss_of_each(train: Stacked) -> None:
    nets = train_seeds(net, train, optimizer=momentum, **RUN).nets
    found = sam.loss_of_each(nets, train, F.cross_entropy)
    for i in range(3):
        w1, w2 = (p[i] for p in nets.parameters.values())
        expected = F.cross_entropy(torch.tanh(train.x[i] @ w1.T) @ w2.T, train.y[i])
        torch.testing.assert_close(found[i], expected, rtol=1e-12, atol=1e-12)
    assert found.requires_grad


def test_each_seed_may_have_its_own_radius(train: Stacked) -> None:
    """Seed by seed, the run with three radii is the run with that one alone."""
    radii = (0.0, 0.1, 0.5)

    def run(rho: float | Tensor) -> Any:
        rule: Any = lambda p: sam.SAMPerSeed(p, SGD, rho=rho, lr=0.1, momentum=0.9)  # noqa: E731
        return train_seeds(net, train, optimizer=rule, **RUN)

    found = run(torch.tensor(radii, dtype=torch.float64))
    for i, rho in enumerate(radii):
        expected = run(rho).state_dict(i)
        for name, p in found.state_dict(i).items():
            torch.testing.assert_close(p, expected[name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rho", [-0.1, float("nan"), torch.tensor([0.1, -0.1])])
def test_sam_checks_its_radius(rho: Any) -> None:
    with pytest.raises(ValueError, match="need rho >= 0"):
        sam.SAMPerSeed([torch.ones(2, 3, requires_grad=True)], SGD, rho=rho, lr=0.1)


def test_a_base_that_mixes_seeds_is_refused() -> None:
    with pytest.raises(ValueError, match="keeps seeds apart, got base='Muon'"):
        sam.SAMPerSeed([torch.ones(2, 3, requires_grad=True)], Muon, rho=0.1)


MUTANTS = {
    "one-norm-per-parameter": ("over(self.rho / norm, p)", "over(self.rho / norm_per_seed([p.grad]), p)"),
    "one-norm-for-all-seeds": ("(self.rho / norm", "(self.rho / norm.norm().expand_as(norm)"),
    "not-normalised": ("(self.rho / norm", "(self.rho + 0 * norm"),
    "steps-from-up-there": ("p.copy_(weights)", "pass"),
    "descends-before": ("p.add_(p.grad", "p.sub_(p.grad"),
    "one-gradient": ("            closure()\n", "            pass\n"),
}  # fmt: skip


test_mistakes_are_caught = mistakes(
    "course_utils.seeds.sam", MUTANTS, check=check_against_sam, fixtures=["train"]
)
