"""The theory of minibatch gradients against all batches, against autograd, against simulation."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.theory import gradient_noise, quadratics
from tests.mutants import mistakes

DOUBLE = torch.float64


def _rows(n: int = 9, d: int = 3) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(3), dtype=DOUBLE)


def check_batch_variance(module: Any) -> None:
    """Equal to the mean over every batch there is, of every size."""
    rows = _rows()
    g = rows.mean(0)
    sigma2 = (rows - g).square().sum(1).mean()
    for b in range(1, len(rows) + 1):
        means = torch.stack([rows[list(batch)].mean(0) for batch in combinations(range(len(rows)), b)])
        exact = (means - g).square().sum(1).mean()
        torch.testing.assert_close(module.batch_variance(sigma2, len(rows), b), exact, rtol=1e-12, atol=1e-15)


def check_shuffled_level(module: Any) -> None:
    """Equal to the covariance of an epoch, propagated step by step until it rests."""
    lr, curvature, noise, m = 0.3, 1.5, 0.7, 5
    r = 1 - lr * curvature
    correlation = torch.full((m, m), -1 / (m - 1), dtype=DOUBLE).fill_diagonal_(1)
    start = torch.zeros((), dtype=DOUBLE)
    for _ in range(200):
        path = [start]
        for k in range(1, m + 1):
            weights = lr * r ** torch.arange(k - 1, -1, -1, dtype=DOUBLE)
            path.append(r ** (2 * k) * start + noise * weights @ correlation[:k, :k] @ weights)
        start = path[-1]
    ours = module.shuffled_noise_level(lr, curvature, noise, m)
    torch.testing.assert_close(ours, torch.stack(path), rtol=1e-12, atol=1e-15)


def check_noise_scale(module: Any) -> None:
    rows = _rows() + 2
    g = rows.mean(0)
    expected = torch.cov(rows.T, correction=0).trace() / (g @ g)
    torch.testing.assert_close(module.noise_scale(rows), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(
        module.noise_scale(torch.stack([rows, 5 * rows]))[1], expected, rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("check", [check_batch_variance, check_shuffled_level, check_noise_scale])
def test_theory_is_exact(check: Callable[[Any], None]) -> None:
    check(gradient_noise)


MUTANTS = {
    "divisor-n": ("(n - b) / (n - 1)", "(n - b) / n", check_batch_variance),
    "with-replacement": ("sigma2 / b * (n - b)", "sigma2 / b * (n - 1)", check_batch_variance),
    "correlation-1-over-m": ("/ (steps - 1))", "/ steps)", check_shuffled_level),
    "correlation-positive": ("(squares - (", "(squares + (", check_shuffled_level),
    "rest-of-the-mean": ("(1 - r ** (2 * steps))", "(1 - r**steps)", check_shuffled_level),
    "mean-over-coordinates": (".sum(-1).mean(-1)", ".mean(-1).mean(-1)", check_noise_scale),
}


test_mistakes_are_caught = mistakes("course_utils.theory.gradient_noise", MUTANTS)


def test_per_example_gradients_are_those_of_autograd_one_by_one() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)).double()
    x, y = torch.randn(6, 4, dtype=DOUBLE), torch.randint(2, (6,))
    found = gradient_noise.per_example_gradients(net, F.cross_entropy, x, y)
    for i in range(6):
        gradients = torch.autograd.grad(
            F.cross_entropy(net(x[i : i + 1]), y[i : i + 1]), list(net.parameters())
        )
        alone = torch.cat([g.flatten() for g in gradients])
        torch.testing.assert_close(found[i], alone, rtol=1e-12, atol=1e-15)
    whole = torch.autograd.grad(F.cross_entropy(net(x), y), list(net.parameters()))
    torch.testing.assert_close(found.mean(0), torch.cat([g.flatten() for g in whole]), rtol=1e-12, atol=1e-15)


def test_noise_of_a_long_epoch_tends_to_that_of_drawing_with_replacement() -> None:
    """In an epoch much longer than the memory of the iteration, batches are as good as independent."""
    level = quadratics.noise_level(0.5, 0.0, 1.0, 1.0)
    middle = gradient_noise.shuffled_noise_level(0.5, 1.0, 1.0, 100_000)[50_000]
    assert abs(float(middle) / level - 1) < 1e-4


ONES = torch.ones(3, 1)
BAD = [
    (gradient_noise.batch_variance, (1.0, 1, 1), "need n >= 2"),
    (gradient_noise.batch_variance, (1.0, 10, 11), "1 <= batch_size <= n"),
    (gradient_noise.batch_variance, (1.0, 10, 0), "1 <= batch_size <= n"),
    (gradient_noise.shuffled_noise_level, (2.0, 1.0, 1.0, 4), "0 < lr \\* curvature < 2"),
    (gradient_noise.shuffled_noise_level, (0.1, 1.0, 1.0, 1), "steps >= 2"),
    (gradient_noise.per_example_gradients, (nn.Linear(1, 1), F.mse_loss, ONES, ONES[1:]), "as many inputs"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "arguments", "message"), BAD)
def test_bad_input_is_refused(function: Any, arguments: Any, message: Any) -> None:
    with pytest.raises(ValueError, match=message):
        function(*arguments)
