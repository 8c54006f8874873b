"""Sharpness: against the whole Hessian, for one net and for stacked ones, and mutants to catch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from course_utils.diagnostics.curvature import sharpness
from tests.mutants import mistakes

Sharpness = Callable[..., Tensor]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def nets(count: int) -> tuple[Callable[[], Tensor], list[Tensor], Callable[[int, Tensor], Tensor]]:
    """Stacked tanh nets 3 → 4 → 2: their losses, their parameters, and one net's loss as a function."""
    x, y = draw(count, 9, 3, seed=1), draw(count, 9, 2, seed=2)
    shapes = [(3, 4), (1, 4), (4, 2), (1, 2)]
    params = [draw(count, *shape, seed=10 + i).requires_grad_() for i, shape in enumerate(shapes)]

    def losses(x: Tensor, y: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
        return ((torch.tanh(x @ w1 + b1) @ w2 + b2 - y) ** 2).mean((-2, -1))

    def one(i: int, theta: Tensor) -> Tensor:
        parts = [p.reshape(s) for p, s in zip(theta.split([12, 4, 8, 2]), shapes, strict=True)]
        return losses(x[i], y[i], *parts)

    return lambda: losses(x, y, *params), params, one


def truth(one: Callable[[int, Tensor], Tensor], params: list[Tensor], i: int) -> Tensor:
    theta = torch.cat([p[i].detach().flatten() for p in params])
    return torch.linalg.eigvalsh(torch.func.hessian(lambda t: one(i, t))(theta))[-1]


def check_whole_hessian(implementation: Sharpness) -> None:
    losses, params, one = nets(3)
    got = implementation(losses, params, iterations=26)
    want = torch.stack([truth(one, params, i) for i in range(3)])
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


def check_negative(implementation: Sharpness) -> None:
    """All curvatures equal: after one product nothing new is left."""
    p = draw(5).requires_grad_()
    got = implementation(lambda: -(p**2).sum(), [p], iterations=5)
    torch.testing.assert_close(got, torch.tensor(-2.0, dtype=torch.float64), rtol=1e-13, atol=0)


def check_signs(implementation: Sharpness) -> None:
    p = draw(4).requires_grad_()
    curvatures = torch.tensor([-5.0, -1.0, 0.5, 1.0], dtype=torch.float64)
    got = implementation(lambda: (curvatures * p**2).sum() / 2, [p])
    torch.testing.assert_close(got, torch.tensor(1.0, dtype=torch.float64), rtol=1e-13, atol=0)


def check_spectrum(implementation: Sharpness) -> None:
    """120 curvatures, two of them apart from the rest: ten products find the largest, and 120 no other."""
    curvatures = torch.cat([torch.linspace(0, 1, 118, dtype=torch.float64), torch.tensor([3.0, 4.0])])
    p = draw(120).requires_grad_()

    def loss() -> Tensor:
        return (curvatures * p**2).sum() / 2

    assert 4 - 1e-4 <= float(implementation(loss, [p], iterations=10)) <= 4 + 1e-12
    torch.testing.assert_close(float(implementation(loss, [p], iterations=120)), 4.0, rtol=1e-12, atol=0)


CHECKS = [check_whole_hessian, check_negative, check_signs, check_spectrum]


@pytest.mark.parametrize("check", CHECKS)
def test_agrees_with_the_whole_hessian(check: Callable[[Sharpness], None]) -> None:
    check(sharpness)


MUTANTS = [
    ("[:, -1], torch.nan)", "[:, 0], torch.nan)", check_signs),  # the smallest
    ("(g * v).sum()", "(g * v / 2).sum()", check_whole_hessian),
    ("diagonal[:, :1], diagonal)", "0, diagonal)", check_negative),  # an eigenvalue of its own making
    ("(w * v).sum(1)", "w.norm(dim=1)", check_negative),  # size, not value
]


test_mistakes_are_caught = mistakes("course_utils.diagnostics.curvature", MUTANTS, of="sharpness")


def test_stacked_nets_do_not_mix() -> None:
    losses, params, _ = nets(3)
    before = sharpness(losses, params, iterations=26)
    with torch.no_grad():
        params[0][1] *= 3
    after = sharpness(losses, params, iterations=26)
    assert torch.equal(before[[0, 2]], after[[0, 2]])
    assert abs(before[1] - after[1]) > 1e-3


def test_fewer_products_never_exceed_the_truth() -> None:
    losses, params, one = nets(2)
    want = torch.stack([truth(one, params, i) for i in range(2)])
    found = torch.stack([sharpness(losses, params, iterations=k) for k in range(1, 12)])
    assert (found <= want + 1e-12).all()
    assert (found[1:] >= found[:-1] - 1e-12).all()


def test_a_module_keeps_its_gradients_and_needs_no_grad_mode() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1)).double()
    x = draw(5, 3)
    with torch.no_grad():
        found = sharpness(lambda: (model(x) ** 2).mean(), list(model.parameters()))
    assert found.shape == ()
    assert found > 0
    assert not found.requires_grad
    assert all(p.grad is None for p in model.parameters())


def test_a_net_that_has_diverged_is_nan_and_the_others_are_not() -> None:
    losses, params, _ = nets(3)
    good = sharpness(losses, params)
    with torch.no_grad():
        params[2][1] = torch.inf
    found = sharpness(losses, params)
    assert found.isnan().tolist() == [False, True, False]
    assert torch.equal(found[[0, 2]], good[[0, 2]])


def test_a_linear_loss_and_an_unused_parameter() -> None:
    p, unused = draw(3).requires_grad_(), draw(2).requires_grad_()
    assert sharpness(lambda: p.sum(), [p, unused]) == 0
    assert sharpness(lambda: p.sum(), [p]) == 0
    assert sharpness(lambda: p * 2, [p]).tolist() == [0, 0, 0]  # three losses
    torch.testing.assert_close(float(sharpness(lambda: (p**2).sum(), [p, unused])), 2.0, rtol=1e-12, atol=0)


def test_one_start_one_answer() -> None:
    losses, params, _ = nets(2)
    assert torch.equal(sharpness(losses, params, iterations=3), sharpness(losses, params, iterations=3))
    other = sharpness(losses, params, iterations=3, generator=torch.Generator().manual_seed(1))
    assert not torch.equal(other, sharpness(losses, params, iterations=3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iterations": 0}, "need iterations >= 1"),
        ({"params": []}, "a parameter"),
        ({"loss_fn": lambda: torch.ones(2, 2)}, "one loss, or one per stacked net"),
        ({"params": [torch.ones(4, requires_grad=True)]}, r"stacked as \(3, ...\)"),
    ],
)
def test_bad_input_says_what_is_wrong(change: dict[str, object], message: str) -> None:
    losses, params, _ = nets(3)
    arguments: dict[str, Any] = {"loss_fn": losses, "params": params, **change}
    with pytest.raises(ValueError, match=message):
        sharpness(**arguments)
