"""The theory of minibatch gradients against all batches, against autograd, against simulation."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.theory import gradient_noise, quadratics
from tests.mutants import mutant

DOUBLE = torch.float64


def _rows(n: int = 9, d: int = 3) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(3), dtype=DOUBLE)


def check_batch_variance(batch_variance) -> None:
    """Equal to the mean over every batch there is, of every size."""
    rows = _rows()
    g = rows.mean(0)
    sigma2 = (rows - g).square().sum(1).mean()
    for b in range(1, len(rows) + 1):
        means = torch.stack([rows[list(batch)].mean(0) for batch in combinations(range(len(rows)), b)])
        exact = (means - g).square().sum(1).mean()
        torch.testing.assert_close(batch_variance(sigma2, len(rows), b), exact, rtol=1e-12, atol=1e-15)


def check_shuffled_level(shuffled_noise_level) -> None:
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
    ours = shuffled_noise_level(lr, curvature, noise, m)
    torch.testing.assert_close(ours, torch.stack(path), rtol=1e-12, atol=1e-15)


def check_noise_scale(noise_scale) -> None:
    rows = _rows() + 2
    g = rows.mean(0)
    expected = torch.cov(rows.T, correction=0).trace() / (g @ g)
    torch.testing.assert_close(noise_scale(rows), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(noise_scale(torch.stack([rows, 5 * rows]))[1], expected, rtol=1e-12, atol=0)


CHECKS = {
    "batch_variance": check_batch_variance,
    "shuffled_noise_level": check_shuffled_level,
    "noise_scale": check_noise_scale,
}
MUTANTS = [
    pytest.param("batch_variance", "(n - b) / (n - 1)", "(n - b) / n", id="divisor-n"),
    pytest.param("batch_variance", "sigma2 / b * (n - b)", "sigma2 / b * (n - 1)", id="with-replacement"),
    pytest.param("shuffled_noise_level", "/ (steps - 1))", "/ steps)", id="correlation-1-over-m"),
    pytest.param("shuffled_noise_level", "(squares - (", "(squares + (", id="correlation-positive"),
    pytest.param("shuffled_noise_level", "(1 - r ** (2 * steps))", "(1 - r**steps)", id="rest-of-the-mean"),
    pytest.param("noise_scale", ".sum(-1).mean(-1)", ".mean(-1).mean(-1)", id="mean-over-coordinates"),
]


@pytest.mark.parametrize("name", CHECKS)
def test_theory_is_exact(name: str) -> None:
    CHECKS[name](getattr(gradient_noise, name))


@pytest.mark.parametrize(("name", "old", "new"), MUTANTS)
def test_plausible_mistakes_are_caught(name: str, old: str, new: str) -> None:
    with pytest.raises(AssertionError):
        CHECKS[name](getattr(mutant("course_utils.theory.gradient_noise", old, new), name))


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
def test_bad_input_is_refused(function, arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        function(*arguments)
