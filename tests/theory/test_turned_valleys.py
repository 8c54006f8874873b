"""AdaGrad's share of gradient descent's steps, against both methods run one start at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from course_utils.optimizers import SGD, Adagrad
from course_utils.theory import quadratics, turned_valleys
from course_utils.trajectories import follow, trajectory
from tests.mutants import mistakes

CURVATURES = torch.tensor([0.1, 1.0], dtype=torch.float64)


def starts(count: int, dim: int = 2) -> Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def steps(matrix: Tensor, start: Tensor, optimizer: Callable[..., Any], lr: float) -> int:
    path = trajectory(lambda p: matrix @ p, start, lambda p: optimizer(p, lr=lr), 79)
    height = torch.einsum("ti,ij,tj->t", path, matrix, path)
    return int((height > 1e-6 * height[0]).sum())


def check_share(module: ModuleType) -> None:
    turns, points = module.plane_turns([0.0, 30.0]), starts(4)
    shares, best = module.adagrad_share(CURVATURES, turns, points)
    lr = quadratics.best_gd(0.1, 1.0)[0]
    for v in range(2):
        turn = turns[v, 0]
        matrix, moved = turn @ CURVATURES.diag() @ turn.T, points @ turn.T
        slow = [steps(matrix, p, SGD, lr) for p in moved]
        fast = [[steps(matrix, p, Adagrad, rate) for p in moved] for rate in module.RATES]
        ratios = torch.tensor(fast, dtype=torch.float64) / torch.tensor(slow)
        # chosen on the first two starts, measured on the other two
        assert int(best[v]) == int(ratios[:, :2].mean(1).argmin())
        assert torch.allclose(shares[v], ratios[int(best[v]), 2:], rtol=0, atol=1e-12)


def test_the_share_is_that_of_both_methods_run_alone() -> None:
    check_share(turned_valleys)


def check_momentum(module: ModuleType) -> None:
    lr, beta, _ = quadratics.best_heavy_ball(0.1, 1.0)
    best_step, matrix = quadratics.best_gd(0.1, 1.0)[0], CURVATURES.diag()
    slow = [steps(matrix, p, SGD, best_step) for p in starts(4)]
    fast = [steps(matrix, p, functools.partial(torch.optim.SGD, momentum=beta), lr) for p in starts(4)]
    expected = torch.tensor(fast, dtype=torch.float64) / torch.tensor(slow)
    assert torch.equal(module.momentum_share(CURVATURES, starts(4)), expected)


def test_momentum_needs_the_steps_of_both_methods_run_alone() -> None:
    check_momentum(turned_valleys)


MOMENTUM_MISTAKES = {
    "no-memory": ("v = beta * v + g", "v = g"),
    "gradient-averaged": ("v = beta * v + g", "v = beta * v + (1 - beta) * g"),
    "gradient-descent-too-slow": ("(v, best_step * g)", "(v, 0.5 * best_step * g)"),
}
test_momentum_mistakes_are_caught = mistakes(
    "course_utils.theory.turned_valleys", MOMENTUM_MISTAKES, check=check_momentum
)


MISTAKES = {
    "no-memory": ("s = s + g**2", "s = g**2"),
    "tuned-on-the-compared": ("tuning.mean(-1).argmin(-1)", "comparing.mean(-1).argmin(-1)"),
    "start-turned-back": ("turns @ starts", "turns.mT @ starts"),
    "another-tolerance": ("SHARE * first", "0.1 * first"),
    "gradient-descent-too-slow": ("(s, best_step * g)", "(s, 0.5 * best_step * g)"),
    "upside-down": ("(fast / slow)", "(slow / fast)"),
}
test_mistakes_are_caught = mistakes("course_utils.theory.turned_valleys", MISTAKES, check=check_share)


def test_gradient_descent_does_not_see_a_turn_but_adagrad_does() -> None:
    shares, _ = turned_valleys.adagrad_share(CURVATURES / 10, turned_valleys.plane_turns([1, 45]), starts(8))
    assert float(shares[1].mean()) > 2 * float(shares[0].mean())


def test_turns_are_rotations() -> None:
    plane = turned_valleys.plane_turns([90.0])[0, 0]
    assert torch.allclose(plane, torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64), atol=1e-15)
    many = turned_valleys.random_turns(5, 4, torch.Generator().manual_seed(1))
    assert many.shape == (1, 5, 4, 4)
    assert torch.allclose(many @ many.mT, torch.eye(4, dtype=torch.float64), atol=1e-12)


BAD = [
    pytest.param(CURVATURES, starts(3), "an even number of starts", id="odd"),
    pytest.param(CURVATURES - 0.1, starts(4), "curvatures > 0", id="flat"),
]


@pytest.mark.parametrize(("curvatures", "points", "message"), BAD)
def test_what_is_out_of_range_is_refused(curvatures: Tensor, points: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        turned_valleys.adagrad_share(curvatures, turned_valleys.plane_turns([0.0]), points)


ONE = torch.tensor([0.5, 1.0, 3.0], dtype=torch.float64)


def check_layer_valleys(module: ModuleType) -> None:
    for turned in ("no", "sides", "shuffled", "all"):
        generator, again = (torch.Generator().manual_seed(2) for _ in range(2))
        valleys = module.layer_valleys(ONE, 4, generator, turned=turned)
        values = torch.outer(ONE, ONE).flatten().sort().values
        torch.testing.assert_close(
            torch.linalg.eigvalsh(valleys), values.expand(4, 9), rtol=1e-12, atol=1e-12
        )
        if turned == "no":
            torch.testing.assert_close(valleys[1], torch.outer(ONE, ONE).flatten().diag())
        if turned == "sides":
            left, right = (module.random_turns(4, 3, again)[0] for _ in range(2))
            product = [
                torch.kron(a @ ONE.diag() @ a.T, b @ ONE.diag() @ b.T)
                for a, b in zip(left, right, strict=True)
            ]
            torch.testing.assert_close(valleys, torch.stack(product))
        if turned == "shuffled":
            left, right = (module.random_turns(4, 3, again)[0] for _ in range(2))
            back = torch.stack([torch.kron(a, b) for a, b in zip(left, right, strict=True)])
            straight = back.mT @ valleys @ back
            diagonal = straight.diagonal(dim1=1, dim2=2)
            torch.testing.assert_close(straight, torch.diag_embed(diagonal), rtol=0, atol=1e-12)
            assert float((diagonal[0] - diagonal[1]).abs().max()) > 0.1
        # a Kronecker product, rearranged, has rank one
        flat = valleys.view(4, 3, 3, 3, 3).transpose(2, 3).reshape(4, 9, 9)
        assert bool((torch.linalg.matrix_rank(flat, rtol=1e-9) == 1).all()) == (turned in ("no", "sides"))
        if turned != "no":
            assert float((valleys[0] - valleys[1]).abs().max()) > 0.1


def test_layer_valleys_have_the_curvatures_and_the_product_that_they_should() -> None:
    check_layer_valleys(turned_valleys)
    with pytest.raises(ValueError, match="need turned 'no', 'sides', 'shuffled' or 'all', got turned='rows'"):
        turned_valleys.layer_valleys(ONE, 1, torch.Generator(), turned="rows")
    with pytest.raises(ValueError, match="need curvatures > 0"):
        turned_valleys.layer_valleys(-ONE, 1, torch.Generator(), turned="no")


test_a_mistake_in_layer_valleys_is_caught = mistakes(
    "course_utils.theory.turned_valleys",
    {
        "the turn on one side": (" @ turn.mT\n    return valleys", "\n    return valleys"),
        "dealt out to all alike": (
            "torch.rand(count, d * d, generator=generator).argsort(1)",
            "torch.rand(1, d * d, generator=generator).argsort(1).expand(count, -1)",
        ),
        "dealt out by no chance": ('if turned == "shuffled"', 'if turned == "none"'),
        "sides mixed": ('"sab,scd->sacbd"', '"sab,scd->sabcd"'),
        "one turn for all": (
            "turn = random_turns(count, d * d, generator)[0]",
            "turn = random_turns(1, d * d, generator)[0].expand(count, -1, -1)",
        ),
        "sums of curvatures": ("torch.outer(one, one).flatten()", "(one[:, None] + one).flatten()"),
    },
    check=check_layer_valleys,
)


def check_steps_down(module: ModuleType) -> None:
    valleys = turned_valleys.layer_valleys(ONE, 3, torch.Generator().manual_seed(1), turned="sides")
    starts = torch.randn(3, 3, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    def adagrad(g: Tensor, state: dict[str, Any], t: int) -> Tensor:
        state["v"] = state.get("v", 0) + g**2
        return g / (torch.as_tensor(state["v"]).sqrt() + 1e-10)

    found = module.steps_down(adagrad, valleys, starts, (0.1, 1.0), most=79)
    expected = [
        [steps(H, p.flatten(), Adagrad, lr) for H, p in zip(valleys, starts, strict=True)]
        for lr in (0.1, 1.0)
    ]
    assert found.tolist() == [[min(n, 79) for n in row] for row in expected]
    plain = module.steps_down(lambda g, state, t: g, valleys, starts, (0.1, 1e3), most=60)
    assert plain[1].tolist() == [60.0] * 3
    assert plain[0].tolist() == [
        min(60, steps(H, p.flatten(), SGD, 0.1)) for H, p in zip(valleys, starts, strict=True)
    ]

    def heavy(g: Tensor, state: dict[str, Any], t: int) -> Tensor:
        state["m"] = 0.95 * state.get("m", 0) + g
        return torch.as_tensor(state["m"])

    # it swings back above the height at which it has arrived; a slow run beside it goes on
    once = module.steps_down(heavy, valleys[:1], starts[:1], (0.1, 1e-4), most=400)[0].tolist()
    path = follow(heavy, lambda p: (valleys[0] @ p.flatten()).view(3, 3), starts[0], 0.1, 400).flatten(1)
    above = torch.einsum("ti,ij,tj->t", path, valleys[0], path)
    above = above > 1e-6 * above[0]
    assert once == [int(above.long().cumprod(0).sum())]
    assert int(above.sum()) > once[0]


def test_steps_down_are_those_of_one_run_at_a_time() -> None:
    check_steps_down(turned_valleys)


test_a_mistake_in_steps_down_is_caught = mistakes(
    "course_utils.theory.turned_valleys",
    {
        "a start too many": (
            "going = height > first * SHARE",
            "going = height > first * SHARE / 9",
        ),
        "rates and valleys swapped": (".repeat_interleave(len(starts))", ".repeat(len(starts))"),
        "a step that forgets": ("rule(g, state, t)).nan_to_num", "rule(g, {}, t)).nan_to_num"),
        "counts for all": ("steps[runs] += 1", "steps += 1"),
        "the rate of another run": ("(matrix, p, g, lr, first", "(matrix, p, g, lr.flip(0), first"),
        "the state of another run": ("{name: one[going]", "{name: one.flip(0)[going]"),
    },
    check=check_steps_down,
)
