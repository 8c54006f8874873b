"""Ridge in closed form and the elastic net by accelerated ISTA."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sklearn.linear_model import ElasticNet, Ridge
from torch import Tensor

from course_utils import linear_models
from course_utils.linear_models import elastic_net, ridge, ridge_zeros, scikit_learn_path, strongest_l1
from tests.mutants import mistakes

STRENGTHS = torch.tensor([0.0, 0.02, 0.3, 1.5], dtype=torch.float64)


def tables(count: int = 3, n: int = 30, d: int = 6) -> tuple[Tensor, Tensor]:
    """Centred inputs (count, n, d), two columns alike, and targets (count, n)."""
    generator = torch.Generator().manual_seed(12)
    x = torch.randn(count, n, d, generator=generator, dtype=torch.float64)
    x[..., 1] = x[..., 0] + 0.2 * x[..., 1]
    y = 2 * x[..., 0] - x[..., 2] + torch.randn(count, n, generator=generator, dtype=torch.float64)
    return x - x.mean(-2, keepdim=True), y - y.mean(-1, keepdim=True)


def check_ridge(module: Any) -> None:
    x, y = tables()
    found = module.ridge(x, y, STRENGTHS)
    assert found.shape == (3, 4, 6)
    for s in range(3):
        for k, l2 in enumerate(STRENGTHS.tolist()):
            model = Ridge(alpha=x.shape[1] * l2, fit_intercept=False).fit(x[s].numpy(), y[s].numpy())
            torch.testing.assert_close(found[s, k], torch.from_numpy(model.coef_), rtol=1e-10, atol=1e-12)


def check_elastic_net(module: Any) -> None:
    x, y = tables()
    l2 = STRENGTHS.flip(0)
    found = module.elastic_net(x, y, STRENGTHS + 0.01, l2, steps=500)
    assert found.shape == (3, 4, 6)
    for s in range(3):
        for k, (one, two) in enumerate(zip((STRENGTHS + 0.01).tolist(), l2.tolist(), strict=True)):
            model = ElasticNet(
                one / 2 + two,
                l1_ratio=one / 2 / (one / 2 + two),
                fit_intercept=False,
                tol=1e-13,
                max_iter=100_000,
            )
            wanted = torch.from_numpy(model.fit(x[s].numpy(), y[s].numpy()).coef_)
            torch.testing.assert_close(found[s, k], wanted, rtol=1e-8, atol=1e-9)
            assert (found[s, k] == 0).tolist() == (wanted == 0).tolist()


def check_wide(module: Any) -> None:
    """More columns than rows: the smaller system, and the product with x itself, find the same weights."""
    x, y = tables(n=12, d=40)
    two, one = STRENGTHS + 0.05, STRENGTHS[1:] + 0.05
    wanted = torch.linalg.solve(
        (x.mT @ x / 12)[:, None] + two[:, None, None] * torch.eye(40, dtype=x.dtype),
        (x.mT @ y[..., None] / 12).mT[..., None],
    )[..., 0]
    torch.testing.assert_close(module.ridge(x, y, two), wanted, rtol=1e-9, atol=1e-11)
    p = module.elastic_net(x, y, one, steps=6000)
    g = 2 * (p @ x.mT - y[:, None]) @ x / 12
    slack = torch.where(p == 0, (g.abs() - one[:, None]).clamp(min=0), (g + one[:, None] * p.sign()).abs())
    assert float(slack.max()) < 1e-8


def check_ridge_zeros(module: Any) -> None:
    """A weight that changes sign once, at a strength known in closed form."""
    h = torch.tensor([4.0, 0.25], dtype=torch.float64)  # eigenvalues, along (1, 1) and (1, -1)
    turn = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64) / 2**0.5
    x = (2**0.5 * h.sqrt()[:, None]) * turn  # x^T x / 2 has these
    y = x @ (turn @ torch.tensor([1.0, 3.0], dtype=torch.float64))
    # the first weight is h1/(h1 + l) + 3 h2/(h2 + l) > 0, the second h1/(h1 + l) - 3 h2/(h2 + l)
    # (both / sqrt 2), which is zero where h1 (h2 + l) = 3 h2 (h1 + l)
    strength = 2 * 4 * 0.25 / (4 - 3 * 0.25)
    l2 = torch.logspace(2, -3, 40, dtype=torch.float64)
    zeros = module.ridge_zeros(x, y, l2)
    assert [column for column, _ in zeros] == [1]
    assert zeros[0][1] == pytest.approx(strength, rel=1e-12)
    assert module.ridge_zeros(x @ turn, y, l2) == []


def check_strongest(module: Any) -> None:
    x, y = tables()
    top = module.strongest_l1(x, y)
    for s in range(3):
        found = elastic_net(x[s], y[s], top[s] * torch.tensor([1.000001, 0.99], dtype=torch.float64))
        assert bool((found[0] == 0).all())
        assert bool((found[1] != 0).any())


CHECKS = [check_ridge, check_elastic_net, check_wide, check_ridge_zeros, check_strongest]


@pytest.mark.parametrize("check", CHECKS)
def test_against_scikit_learn(check: Any) -> None:
    check(linear_models)


MUTANTS = [
    (check_ridge, "square[..., None, :, :] + l2[", "square[..., None, :, :] + 2 * l2["),
    (check_ridge, "else (x.mT @ x / n,", "else (x.mT @ x,"),
    (check_wide, "(x @ x.mT / n, y / n) if wide", "(x @ x.mT, y / n) if wide"),
    (check_wide, "(x @ x.mT / n, y / n) if wide", "(x @ x.mT / n, y) if wide"),
    (check_wide, "curved = ahead @ x.mT @ x / n if", "curved = ahead @ x.mT @ x if"),
    (check_wide, "squares = x @ x.mT / n if", "squares = x @ x.mT / n**2 if"),
    (check_elastic_net, "lr * l1[:, None])", "l1[:, None])"),
    (check_elastic_net, "g = 2 * (curved", "g = (curved"),
    (check_elastic_net, "pull + l2[:, None] * ahead)", "pull + l2[:, None] * ahead / 2)"),
    (check_ridge_zeros, "(middle, low) if same", "(middle, low) if not same"),
    (check_ridge_zeros, "sign[:-1] < 0", "sign[:-1] > 0"),
    (check_strongest, "return 2 * (x.mT", "return (x.mT"),
    (check_strongest, ".abs().amax(-1)", ".abs().mean(-1)"),
]


test_mistakes_are_caught = mistakes("course_utils.linear_models.penalized", MUTANTS)


def test_scikit_learns_path_has_the_strengths_mapped() -> None:
    x, y = (part[0] for part in tables())
    one, two = torch.tensor([0.3, 0.0, 0.3]).double(), torch.tensor([0.0, 0.2, 0.2]).double()
    torch.testing.assert_close(
        scikit_learn_path(x, y, one, two), elastic_net(x, y, one, two), rtol=1e-7, atol=1e-9
    )


def test_without_an_l1_strength_it_is_ridge() -> None:
    x, y = tables()
    found = elastic_net(x, y, 0 * STRENGTHS, STRENGTHS)
    torch.testing.assert_close(found, ridge(x, y, STRENGTHS), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, y: ridge(x, y[:, :-1], STRENGTHS), r"need x of shape"),
        (lambda x, y: ridge(x, y, -STRENGTHS), r"need strengths >= 0"),
        (lambda x, y: elastic_net(x, y, STRENGTHS[0]), r"need strengths of shape"),
        (lambda x, y: elastic_net(x, y, STRENGTHS, steps=0), r"need steps >= 1, got steps=0"),
        (lambda x, y: ridge_zeros(x[0], y[0], STRENGTHS), r"need strengths > 0 that fall"),
        (lambda x, y: strongest_l1(x, y[0]), r"need x of shape"),
        (lambda x, y: ridge(x, y, 0.1), r"need strengths as a tensor, got type=<class 'float'>"),
        (lambda x, y: elastic_net(x, y, 0.1), r"need strengths as a tensor"),
        (lambda x, y: ridge(x.numpy(), y, STRENGTHS), r"need x as a tensor"),
        (lambda x, y: ridge(x, y.long(), STRENGTHS), r"need y of a floating-point dtype"),
    ],
)
def test_bad_inputs(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(*tables())
