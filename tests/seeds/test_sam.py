"""SAM for stacked nets, against SAM on one net at a time and against `train_seeds`."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.data import Stacked
from course_utils.optimizers import SAM, SGD
from course_utils.seeds import sam, train_seeds
from course_utils.training.batches import minibatches
from tests.mutants import mutant

SEEDS = (3, 4, 5)


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
    nets = module.train_sam_seeds(
        net, train, rho=rho, optimizer=momentum, loss=F.cross_entropy, steps=12, seeds=SEEDS, batch_size=8
    )
    for i, seed in enumerate(SEEDS):
        torch.manual_seed(seed)
        model = net()
        rule = SAM(model.parameters(), SGD, rho=rho, lr=0.1, momentum=0.9)
        generator, done = torch.Generator().manual_seed(seed), 0
        while done < 12:
            for order in minibatches(20, 8, generator):
                bx, by = train.x[i][order.flatten()], train.y[i][order.flatten()]

                def closure(bx=bx, by=by, model=model, rule=rule) -> float:
                    rule.zero_grad()
                    value = F.cross_entropy(model(bx), by)
                    value.backward()
                    return value.item()

                rule.step(closure)
                done += 1
                if done == 12:
                    break
        for name, p in model.named_parameters():
            torch.testing.assert_close(nets.parameters[name][i].detach(), p.detach(), rtol=1e-10, atol=1e-12)


def test_sam_at_once_is_sam_seed_by_seed(train: Stacked) -> None:
    check_against_sam(sam, train)


def test_without_a_radius_it_is_train_seeds(train: Stacked) -> None:
    kwargs: dict[str, Any] = {"optimizer": momentum, "loss": F.cross_entropy, "steps": 7, "seeds": SEEDS}
    nets = sam.train_sam_seeds(net, train, rho=0.0, **kwargs)
    runs = train_seeds(net, train, **kwargs)
    for name, p in nets.named_parameters():
        assert torch.equal(p, runs.nets.parameters[name])


def test_the_loss_of_each(train: Stacked) -> None:
    nets = sam.train_sam_seeds(
        net, train, rho=0.1, optimizer=momentum, loss=F.cross_entropy, steps=1, seeds=SEEDS
    )
    found = sam.loss_of_each(nets, train, F.cross_entropy)
    for i in range(3):
        w1, w2 = (p[i] for p in nets.parameters.values())
        expected = F.cross_entropy(torch.tanh(train.x[i] @ w1.T) @ w2.T, train.y[i])
        torch.testing.assert_close(found[i], expected, rtol=1e-12, atol=1e-12)
    assert found.requires_grad


@pytest.mark.parametrize(("rho", "steps"), [(-0.1, 1), (0.1, 0), (float("nan"), 1)])
def test_sam_checks_its_numbers(train: Stacked, rho: float, steps: int) -> None:
    with pytest.raises(ValueError, match="need rho >= 0 and steps >= 1"):
        sam.train_sam_seeds(
            net, train, rho=rho, optimizer=momentum, loss=F.cross_entropy, steps=steps, seeds=SEEDS
        )


MUTANTS: dict[str, tuple[str, str]] = {
    "one-norm-per-parameter": ("(rho / norm)", "(rho / g.flatten(1).norm(dim=1))"),
    "not-normalised": ("(rho / norm)", "(rho + 0 * norm)"),
    "steps-from-up-there": ("p.copy_(old)", "pass"),
    "descends-before": ("p.add_(g *", "p.sub_(g *"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_mistakes_are_caught(old: str, new: str, train: Stacked) -> None:
    with pytest.raises(AssertionError):
        check_against_sam(mutant("course_utils.seeds.sam", old, new), train)
