"""Training with any rounding, against autocast and against runs of one setting each."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.mixed_precision import Arithmetic, emulation, rounded_outputs, train_rounded
from course_utils.optimizers import SGD, Adam
from tests.mutants import mistakes

SEEDS = (0, 1, 2)


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 3))


def examples(count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(count)
    x = torch.randn(len(SEEDS), count, 6, generator=generator)
    return x, torch.randint(3, (len(SEEDS), count), generator=generator)


def half(t: Tensor) -> Tensor:
    return t.half().float()


def brain(t: Tensor) -> Tensor:
    return t.bfloat16().float()


def sgd(parameters: list[Tensor]) -> torch.optim.Optimizer:
    return SGD(parameters, lr=0.1)


def trained(
    m: Any, settings: dict[str, Arithmetic], steps: int = 6, optimizer: Any = sgd
) -> dict[str, Tensor]:
    found: dict[str, Tensor] = m.train_rounded(
        net, examples(40), examples(30), settings, optimizer=optimizer, steps=steps, seeds=SEEDS
    )
    return found


def by_hand(seed: int, steps: int, store: Any = lambda t: t) -> float:
    """One run without rounding in its layers, seed number `seed`, in the plainest way."""
    torch.manual_seed(SEEDS[seed])
    one, (x, y), (new, target) = net(), examples(40), examples(30)
    rule, generator = SGD(one.parameters(), lr=0.1), torch.Generator().manual_seed(SEEDS[seed])
    for pick in torch.randint(40, (steps, 32), generator=generator):
        rule.zero_grad()
        F.cross_entropy(one(x[seed][pick]), y[seed][pick]).backward()
        rule.step()
        with torch.no_grad():
            for p in one.parameters():
                p.copy_(store(p))
    return F.cross_entropy(one(new[seed]), target[seed]).item()


def check_autocast(m: Any) -> None:
    """The gradients of every parameter, bit for bit, in both formats."""
    for dtype, cast in ((torch.float16, half), (torch.bfloat16, brain)):
        for seed in range(4):
            torch.manual_seed(seed)
            one, x, y = net(), torch.randn(16, 6), torch.randint(3, (16,))
            with torch.autocast("cpu", dtype=dtype):
                real = F.cross_entropy(one(x), y)
            emulated = F.cross_entropy(m.rounded_outputs(one, x, Arithmetic(cast, cast)), y)
            for a, b in zip(
                *(torch.autograd.grad(l, list(one.parameters())) for l in (real, emulated)), strict=True
            ):
                assert torch.equal(a, b)


def check_plain_runs(m: Any) -> None:
    """Each seed and setting is the run that it would be alone."""
    found = trained(m, {"plain": Arithmetic(), "stored": Arithmetic(store=brain), "again": Arithmetic()})
    for seed in range(len(SEEDS)):
        assert found["plain"][seed].item() == pytest.approx(by_hand(seed, 6), abs=1e-6)
        assert found["stored"][seed].item() == pytest.approx(by_hand(seed, 6, brain), abs=1e-6)
    assert torch.equal(found["plain"], found["again"])


def check_roundings_take_part(m: Any) -> None:
    found = trained(
        m,
        {
            "plain": Arithmetic(),
            "no gradient": Arithmetic(backward=torch.zeros_like),
            "no value": Arithmetic(forward=torch.zeros_like),
        },
    )
    assert found["no gradient"].tolist() == pytest.approx([by_hand(k, 0) for k in range(3)], abs=1e-6)
    assert found["no value"].tolist() == pytest.approx([1.0986123] * 3, abs=1e-6)  # log 3


def check_factor_and_scale(m: Any) -> None:
    """A factor makes the steps of SGD longer, a scale does not; Adam's stay as they are."""
    settings = {
        "plain": Arithmetic(), "factor": Arithmetic(factor=4.0), "scale": Arithmetic(scale=4.0),
        "saved": Arithmetic(half, half, factor=2.0**-24, scale=2.0**20),
        "lost": Arithmetic(half, half, factor=2.0**-24),
    }  # fmt: skip
    found = trained(m, settings)
    assert torch.equal(found["plain"], found["scale"])
    assert (found["plain"] - found["factor"]).abs().min() > 1e-4
    found = trained(m, settings, optimizer=lambda p: Adam(p, lr=0.01, eps=1e-30))
    assert (found["plain"] - found["factor"]).abs().max() < 1e-4
    assert (found["plain"] - found["saved"]).abs().max() < 0.01
    assert found["lost"].tolist() == pytest.approx([by_hand(k, 0) for k in range(3)], abs=1e-3)


CHECKS = [check_autocast, check_plain_runs, check_roundings_take_part, check_factor_and_scale]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__[6:])
def test_emulation(check: Any) -> None:
    check(emulation)


MUTANTS = [
    (check_autocast, "r(bias)", "bias"),
    (check_autocast, "x = r(torch.baddbmm", "x = (torch.baddbmm"),
    (check_autocast, "r(weight).mT", "weight.mT"),
    (check_autocast, "return ctx.backward_rounding(g), None, None", "return g, None, None"),
    (check_plain_runs, "part.copy_(one.store(part))", "part.copy_(part)"),
    (check_plain_runs, "torch.manual_seed(seed)", "torch.manual_seed(seed + 1)"),
    (check_plain_runs, "torch.Generator().manual_seed(seed)", "torch.Generator().manual_seed(0)"),
    (check_plain_runs, "y.repeat(len(how), 1).flatten()", "y.repeat_interleave(len(how), 0).flatten()"),
    (check_roundings_take_part, "return forward(t)", "return t.clone()"),
    (check_roundings_take_part, "return ctx.backward_rounding(g), None, None", "return g, None, None"),
    (check_factor_and_scale, "p.grad /= scale", "p.grad /= factor"),
    (check_factor_and_scale, "(factor * scale).flatten()", "scale.flatten()"),
    (check_factor_and_scale, ".repeat_interleave(len(seeds))", ".repeat(len(seeds))"),
]


test_mistakes_are_caught = mistakes("course_utils.mixed_precision.emulation", MUTANTS)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="linear layers with a ReLU between each two"):
        rounded_outputs(
            nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)), torch.ones(1, 2), Arithmetic()
        )
    with pytest.raises(ValueError, match="steps >= 1 and a setting, got steps=0"):
        train_rounded(net, examples(4), examples(4), {"a": Arithmetic()}, optimizer=sgd, steps=0, seeds=SEEDS)
    with pytest.raises(ValueError, match="a setting"):
        train_rounded(net, examples(4), examples(4), {}, optimizer=sgd, steps=1, seeds=SEEDS)


def test_the_global_generator_stays_where_it_was() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    trained(emulation, {"plain": Arithmetic()}, steps=1)
    assert torch.equal(before, torch.get_rng_state())
