"""Branches of one run are the runs that one would have made by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import data
from course_utils.optimizers import SGD
from course_utils.seeds import branches, train_seeds
from course_utils.training import minibatches
from tests.mutants import mistakes

SEEDS, COUNT, STEPS = (3, 8), 3, 6
TRAIN = data.digits().splits(SEEDS, train=48, validation=20, dtype=torch.float64).train
OPTIONS: dict[str, Any] = {
    "optimizer": lambda p: SGD(p, lr=0.3, momentum=0.5), "loss": F.cross_entropy, "batch_size": 16,
}  # fmt: skip


def make() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 5), nn.ReLU(), nn.Linear(5, 10)).double()


def seeded(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return make()


def steps_of(net: nn.Module, which: int, order: int, steps: int) -> None:
    """SGD by hand on the examples of SEEDS[which], in the order of generator `order`."""
    optimizer, generator = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.5), torch.Generator()
    generator.manual_seed(order)
    taken = 0
    while taken < steps:
        for rows in minibatches(48, 16, generator):
            optimizer.zero_grad()
            F.cross_entropy(net(TRAIN.x[which][rows]), TRAIN.y[which][rows]).backward()
            optimizer.step()
            taken += 1
            if taken == steps:
                return


def check_branches(module: Any) -> None:
    for shared in (None, 0, 4):
        runs = module.train_branches(
            make, TRAIN, seeds=SEEDS, count=COUNT, shared=shared, steps=STEPS, **OPTIONS
        )
        assert len(runs.seeds) == len(set(runs.seeds)) == len(SEEDS) * COUNT
        for index, order in enumerate(runs.seeds):
            which = index // COUNT
            net = seeded(order if shared is None else SEEDS[which])
            steps_of(net, which, SEEDS[which], shared or 0)
            steps_of(net, which, order, STEPS - (shared or 0))
            for name, p in net.state_dict().items():
                assert torch.allclose(runs.state_dict(index)[name], p, rtol=1e-9, atol=1e-11), (shared, index)


def check_mean(module: Any) -> None:
    runs = branches.train_branches(make, TRAIN, seeds=SEEDS, count=COUNT, shared=0, steps=2, **OPTIONS)
    nets = module.mean_weights(runs, COUNT)
    for s in range(len(SEEDS)):
        by_hand = make()
        states = [runs.state_dict(s * COUNT + k) for k in range(COUNT)]
        by_hand.load_state_dict({name: sum(state[name] for state in states) / COUNT for name in states[0]})
        expected = by_hand(TRAIN.x[s])
        assert torch.allclose(nets.forward(TRAIN.x, training=False)[s], expected, rtol=1e-9, atol=1e-11)


def check_matched(module: Any) -> None:
    """Renumbered copies of a net are put back: their mean is the net. The nets stay as they are."""
    runs = branches.train_branches(make, TRAIN, seeds=SEEDS, count=COUNT, shared=None, steps=1, **OPTIONS)
    into, bias, out, last = (p for _, p in runs.nets.named_parameters())
    order = torch.tensor([3, 0, 4, 1, 2])
    with torch.no_grad():
        for run in range(len(SEEDS) * COUNT):
            first = run - run % COUNT
            for p in (into, bias, out, last):
                p[run] = p[first]
            if run != first:
                into[run], bias[run], out[run] = into[run, order], bias[run, order], out[run][:, order]
                order = order[torch.tensor([1, 3, 0, 2, 4])]
    firsts = runs.nets.forward(TRAIN.x.repeat_interleave(COUNT, 0), training=False)[::COUNT]
    before = [p.detach().clone() for _, p in runs.nets.named_parameters()]
    nets = module.matched_weights(runs, COUNT)
    assert torch.allclose(nets.forward(TRAIN.x, training=False), firsts, rtol=1e-9, atol=1e-11)
    # in the order of the first net's own units, too
    for (_, p), q in zip(nets.named_parameters(), before, strict=True):
        assert torch.allclose(p, q[::COUNT], rtol=1e-9, atol=1e-11)
    assert not torch.allclose(branches.mean_weights(runs, COUNT).forward(TRAIN.x, training=False), firsts)
    assert all(torch.equal(p, q) for (_, p), q in zip(runs.nets.named_parameters(), before, strict=True))


def check_soups(module: Any) -> None:
    splits = data.digits().splits(SEEDS, train=48, validation=600, dtype=torch.float64)
    given: dict[str, Any] = {"seeds": SEEDS, "count": COUNT, "shared": 0, "steps": STEPS, **OPTIONS}
    found = module.soups(make, splits, **given)
    runs = branches.train_branches(make, splits.train, **given)
    for s, (x, y) in enumerate(zip(*splits.validation, strict=True)):
        states, nets = [runs.state_dict(s * COUNT + k) for k in range(COUNT)], [make() for _ in range(COUNT)]
        for net, state in zip(nets, states, strict=True):
            net.load_state_dict(state)
        outputs = torch.stack([net(x) for net in nets])
        hits = (outputs.argmax(-1) == y).double().mean()
        assert found["one net"][s] == pytest.approx(float(hits))
        together = (outputs.softmax(-1).mean(0).argmax(-1) == y).double().mean()
        assert found["mean predictions"][s] == pytest.approx(float(together))
        nets[0].load_state_dict({name: sum(state[name] for state in states) / COUNT for name in states[0]})
        matched = branches.matched_weights(runs, COUNT).forward(splits.validation.x, training=False)[s]
        assert found["units matched"][s] == pytest.approx(float((matched.argmax(-1) == y).double().mean()))
        assert found["mean weights"][s] == pytest.approx(float((nets[0](x).argmax(-1) == y).double().mean()))


def test_soups() -> None:
    check_soups(branches)


def test_branches() -> None:
    check_branches(branches)


def test_mean_weights() -> None:
    check_mean(branches)


def test_matched_weights() -> None:
    check_matched(branches)
    options = {**OPTIONS, "seeds": SEEDS, "count": 2, "shared": 0, "steps": 1}
    runs = branches.train_branches(lambda: nn.Linear(64, 10).double(), TRAIN, **options)
    with pytest.raises(ValueError, match="need one hidden layer with biases, got parameters=2"):
        branches.matched_weights(runs, 2)


def test_global_draws_go_on_where_they_were() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    branches.train_branches(make, TRAIN, seeds=SEEDS, count=2, shared=0, steps=1, **OPTIONS)
    assert torch.equal(torch.get_rng_state(), before)


def test_bad_numbers() -> None:
    with pytest.raises(ValueError, match="need count >= 1, got count=0"):
        branches.train_branches(make, TRAIN, seeds=SEEDS, count=0, shared=0, steps=2, **OPTIONS)
    with pytest.raises(ValueError, match="shared < steps, or None, got shared=2"):
        branches.train_branches(make, TRAIN, seeds=SEEDS, count=1, shared=2, steps=2, **OPTIONS)
    runs = train_seeds(make, TRAIN, seeds=SEEDS, steps=1, **OPTIONS)
    with pytest.raises(ValueError, match="count runs for each seed, got count=3, runs=2"):
        branches.mean_weights(runs, 3)


MUTANTS = {
    "one-order-for-all": ("1_000_000 + seed * count + k for", "1_000_000 + seed * count for", check_branches),
    "trunk-forgotten": ("if trunk is not None:", "if False:", check_branches),
    "too-long": ("steps=steps - shared", "steps=steps", check_branches),
    "seeds-mixed-up": ("(part.repeat_interleave(count, 0)", "(torch.cat([part] * count)", check_branches),
    "first-net-only": ('"one net": (each.argmax(-1)', '"one net": (each[:, :1].argmax(-1)', check_soups),
    "mean-of-logits": ("each.softmax(-1).mean(1), y", "each.mean(1), y", check_soups),
    "mean-over-seeds": ("unflatten(0, (-1, count)).mean(1)", "unflatten(0, (count, -1)).mean(0)", check_mean),
    "worst-fit": ("maximize=True", "maximize=False", check_matched),
    "outgoing-left": ("out[run] = into[run, order], bias[run, order], out[run][:, order]",
                      "out[run] = into[run, order], bias[run, order], out[run]", check_matched),
    "fit-to-the-first-seed": ("units[run - run % count]", "units[0]", check_matched),
    "nets-changed": ("p.detach().clone() for _, p", "p.detach() for _, p", check_matched),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.seeds.branches", MUTANTS)
