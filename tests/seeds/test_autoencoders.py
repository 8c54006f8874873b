"""Stacked autoencoders, each against a net of torch's own that is trained alone."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from course_utils.seeds import autoencoders
from tests.mutants import mistakes

WIDTHS, N = (5, 3, 5), 12


def images(seeds: int) -> Tensor:
    return torch.randn(seeds, N, WIDTHS[0], generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def plain(g: Tensor, state: dict[str, Any], t: int) -> Tensor:
    return g


def with_memory(g: Tensor, state: dict[str, Any], t: int) -> Tensor:
    state["m"] = state.get("m", 0) + t * g
    return torch.as_tensor(state["m"])


def alone(rate: float, x: Tensor, first: list[Tensor], batches: list[Tensor], *, memory: bool) -> float:
    """One net, layer by layer in torch's modules, by hand."""
    net = nn.Sequential(nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 5)).double()
    with torch.no_grad():
        for layer, w in zip((net[0], net[2]), first, strict=True):
            layer.weight.copy_(w[:-1].T)
            layer.bias.copy_(w[-1])
    remembered = [torch.zeros_like(p) for p in net.parameters()]
    for t, rows in enumerate(batches, 1):
        net.zero_grad()
        nn.functional.mse_loss(net(x[rows]), x[rows]).backward()
        for i, p in enumerate(net.parameters()):
            assert p.grad is not None
            remembered[i] = remembered[i] + t * p.grad if memory else p.grad
            p.data -= rate * (1 + math.cos(math.pi * (t - 1) / len(batches))) / 2 * remembered[i]
    with torch.no_grad():
        return float(nn.functional.mse_loss(net(x), x))


def check(module: Any) -> None:
    x, seeds, rates, steps = images(2), (7, 8), (0.1, 0.4), 6
    draw = torch.Generator().manual_seed(7)
    first = []
    for rows, columns in ((6, 3), (4, 5)):
        w = torch.randn(2, rows, columns, generator=draw) / (rows - 1) ** 0.5
        w[:, -1] = 0
        first.append(w.double())
    batches = [torch.rand(2, N, generator=draw).argsort(1)[:, :4] for _ in range(steps)]
    for rule in (plain, with_memory):
        losses = module.train_autoencoders(
            rule, rates, x, seeds=seeds, steps=steps, batch_size=4, widths=WIDTHS
        )
        expected = [
            [
                alone(rate, x[s], [w[s] for w in first], [b[s] for b in batches], memory=rule is with_memory)
                for s in range(2)
            ]
            for rate in rates
        ]
        torch.testing.assert_close(losses, torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-6)


def test_each_run_is_that_of_a_net_alone() -> None:
    check(autoencoders)


test_a_mistake_is_caught = mistakes(
    "course_utils.seeds.autoencoders",
    {
        "the bias multiplied": (
            "torch.tanh(torch.baddbmm(w[:, -1:], x, w[:, :-1]))",
            "torch.tanh(x @ w[:, :-1] * w[:, -1:])",
        ),
        "no fading": ("math.cos(math.pi * (t - 1) / steps)", "math.cos(0)"),
        "a step late": ("math.pi * (t - 1)", "math.pi * t"),
        "one state for all layers": ("[{} for _ in weights]", "[{}] * len(weights)"),
        "rates and seeds swapped": (".repeat_interleave(len(seeds))", ".repeat(len(seeds))"),
        "other batches at each rate": (".argsort(1)[:, :batch_size]", ".argsort(1).flip(1)[:, :batch_size]"),
        "a sum over the batch": ("/ seen[0].numel()", "/ seen[0, 0].numel()"),
        "rates and seeds of images swapped": (
            ".repeat(len(rates), 1, 1)\n        weights =",
            ".repeat_interleave(len(rates), 0)\n        weights =",
        ),
        "loss of a batch": ("(reconstruct(weights, x) - x)", "(reconstruct(weights, seen) - seen)"),
    },
    check=check,
    also=(RuntimeError,),  # layers of different shapes with one memory
)


def test_a_lost_run_is_nine_and_the_others_go_on() -> None:
    options: Any = {"seeds": (1, 2), "steps": 5, "batch_size": N, "widths": WIDTHS}
    losses = autoencoders.train_autoencoders(plain, (0.1, 1e9), images(2), **options)
    assert bool((losses[1] == 9).all())
    assert torch.equal(losses[:1], autoencoders.train_autoencoders(plain, (0.1,), images(2), **options))
    assert autoencoders.shapes(WIDTHS) == [(6, 3), (4, 5)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": (1,)}, r"need images of 1 seeds, 5 wide, got shape=\(2, 12, 5\)"),
        ({"widths": (4, 5)}, r"need images of 2 seeds, 4 wide"),
        ({"steps": 0}, "need steps >= 1"),
        ({"batch_size": 13}, "need 1 <= batch_size <= 12, got batch_size=13"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    options: Any = {"seeds": (1, 2), "steps": 2, "batch_size": 4, "widths": WIDTHS} | change
    with pytest.raises(ValueError, match=message):
        autoencoders.train_autoencoders(plain, (0.1,), images(2), **options)
