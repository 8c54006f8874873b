"""Many settings side by side against one net after another, written out with torch's modules."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.distributed import local_steps
from tests.mutants import mistakes

WIDTHS, SEEDS, WORKERS, STEPS, BATCH = (5, 4, 3), 2, 3, 7, 2
EVERY, RATES = [1, 2, 3, 7, 100], [0.1, 0.5, 0.3, 0.3, 0.2]


def problem() -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    w = [p.double() for p in local_steps.first_weights(SEEDS, WIDTHS, g)]
    x = torch.randn(SEEDS, 12, 5, generator=g, dtype=torch.float64)
    y = torch.randint(3, (SEEDS, 12), generator=g)
    shards = torch.arange(12).view(1, WORKERS, 4).expand(SEEDS, -1, -1)
    return w, x, y, local_steps.draw(shards, STEPS, BATCH, g)


def as_module(w: list[Tensor], seed: int) -> nn.Sequential:
    net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)).double()
    with torch.no_grad():
        for layer, weight, bias in zip((net[0], net[2]), w[::2], w[1::2], strict=True):
            layer.weight.copy_(weight[seed, 0, 0].T)
            layer.bias.copy_(bias[seed, 0, 0, 0])
    return net


def average(nets: list[nn.Sequential]) -> None:
    with torch.no_grad():
        for same in zip(*(net.parameters() for net in nets), strict=True):
            mean = torch.stack([p.clone() for p in same]).mean(0)
            for p in same:
                p.copy_(mean)


def check_train(module: Any) -> None:
    w, x, y, drawn = problem()
    ends = module.train_local(w, x, y, drawn, every=EVERY, rates=RATES)
    for seed in range(SEEDS):
        for k, (every, rate) in enumerate(zip(EVERY, RATES, strict=True)):
            nets = [copy.deepcopy(as_module(w, seed)) for _ in range(WORKERS)]
            for t in range(STEPS):
                for net, index in zip(nets, drawn[t, seed], strict=True):
                    net.zero_grad()
                    F.cross_entropy(net(x[seed, index]), y[seed, index]).backward()
                    torch.optim.SGD(net.parameters(), lr=rate).step()
                if (t + 1) % every == 0:
                    average(nets)
            average(nets)
            for p, layer in zip(ends[::2], (nets[0][0], nets[0][2]), strict=True):
                torch.testing.assert_close(p[seed, k, 0], layer.weight.T, rtol=1e-10, atol=1e-12)


def check_steps(module: Any) -> None:
    """The first step looked at before which the loss is below the target."""
    w, x, y, drawn = problem()
    drawn = drawn.repeat(20, 1, 1, 1)
    found = module.steps_to(0.8, w, x, y, drawn, rates=[0.05, 0.6], look=3, warm_up=[1, 5])
    for seed in range(SEEDS):
        net, at = as_module(w, seed), torch.inf
        for t in range(len(drawn)):
            loss = F.cross_entropy(net(x[seed]), y[seed])
            if t % 3 == 0 and loss < 0.8:
                at = float(t)
                break
            index = drawn[t, seed].flatten()
            net.zero_grad()
            F.cross_entropy(net(x[seed, index]), y[seed, index]).backward()
            torch.optim.SGD(net.parameters(), lr=0.6 * min(1, (t + 1) / 5)).step()
        assert 0 < at < len(drawn)
        assert float(found[seed, 1]) == at
    alone = module.steps_to(0.8, w, x, y, drawn, rates=[0.6], look=3, warm_up=[5])  # ends once all are there
    assert torch.equal(alone[:, 0], found[:, 1])


def check_draw(module: Any) -> None:
    """Each worker draws from its shard alone, all of it, and another batch at each step."""
    shards = torch.randperm(12, generator=torch.Generator().manual_seed(1)).view(1, 3, 4)
    drawn = module.draw(shards, 200, 2, torch.Generator().manual_seed(2))
    assert drawn.shape == (200, 1, 3, 2)
    for worker in range(3):
        assert set(drawn[:, 0, worker].flatten().tolist()) == set(shards[0, worker].tolist())
    assert not torch.equal(drawn[0], drawn[1]) or not torch.equal(drawn[1], drawn[2])


def check_first(module: Any) -> None:
    w = module.first_weights(50, (16, 8, 2), torch.Generator().manual_seed(0))
    assert [tuple(p.shape) for p in w] == [
        (50, 1, 1, 16, 8),
        (50, 1, 1, 1, 8),
        (50, 1, 1, 8, 2),
        (50, 1, 1, 1, 2),
    ]
    assert w[1].abs().max() == 0
    assert w[3].abs().max() == 0
    assert 0.24 < w[0].max() <= 0.25
    assert -0.25 <= w[0].min() < -0.24
    assert w[2].abs().max() <= 8**-0.5


CHECKS = (check_train, check_steps, check_draw, check_first)


@pytest.mark.parametrize("check", CHECKS)
def test_local_steps(check: Any) -> None:
    check(local_steps)


def test_weights_of_a_net_give_its_losses() -> None:
    w, x, y, _ = problem()
    net = as_module(w, 1)
    ours = local_steps.losses(local_steps.weights_of(net), x[1], y[1])
    torch.testing.assert_close(ours[0, 0, 0], F.cross_entropy(net(x[1]), y[1]))


def test_losses_are_torchs() -> None:
    w, x, y, _ = problem()
    ours = local_steps.losses(w, x[:, None, None], y[:, None, None])[:, 0, 0]
    for seed in range(SEEDS):
        torch.testing.assert_close(ours[seed], F.cross_entropy(as_module(w, seed)(x[seed]), y[seed]))


BAD = {
    "k of 0": ({"every": [0], "rates": [0.1]}, "whole numbers >= 1"),
    "another number of rates": (
        {"every": [1, 2], "rates": [0.1]},
        "a rate for each setting, got every=2, rates=1",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        local_steps.train_local(*problem(), **arguments)
    with pytest.raises(ValueError, match="look >= 1"):
        local_steps.steps_to(1.0, *problem(), rates=[0.1], look=0)
    with pytest.raises(ValueError, match="warm_up >= 1"):
        local_steps.steps_to(1.0, *problem(), rates=[0.1], warm_up=[0])


MUTANTS = {
    "sum of the weights": ("p.mean(2, keepdim=True), p)", "p.sum(2, keepdim=True), p)", check_train),
    "a step early": ("enumerate(drawn, 1)", "enumerate(drawn)", check_train),
    "mean over the seeds": ("p.mean(2, keepdim=True), p)", "p.mean(0, keepdim=True), p)", check_train),
    "no mean at the end": ("[p.detach().mean(2, keepdim=True)", "[p.detach()[:, :, :1]", check_train),
    "uphill": ("p.sub_(lr * g)\n                if", "p.add_(lr * g)\n                if", check_train),
    "looks after the step": ("float(t), found", "float(t) + 1, found", check_steps),
    "no warm-up": ("((t + 1) / rising).clamp(max=1) * lr", "lr", check_steps),
    "warmed up a step late": ("(t + 1) / rising", "t / rising", check_steps),
    "the last step below": ("found.isinf() & (now < target)", "(now < target)", check_steps),
    "from the whole set": ("shards.expand(steps, -1, -1, -1).gather(-1, places)", "places", check_draw),
    "weights as wide as the output": ("u / fan_in**0.5", "u / fan_out**0.5", check_first),
}  # fmt: skip

test_mistakes_are_caught = mistakes("course_utils.distributed.local_steps", MUTANTS)
