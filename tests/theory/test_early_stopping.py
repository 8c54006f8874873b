"""Stopping and ridge as closed forms are real gradient descent and real ridge."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from course_utils.linear_models import ridge
from course_utils.theory import early_stopping
from tests.mutants import mistakes

DOUBLE = torch.float64


def descend(x: Tensor, y: Tensor, lr: float, steps: int) -> Tensor:
    p = torch.zeros(x.shape[1], dtype=DOUBLE, requires_grad=True)
    optimizer = torch.optim.SGD([p], lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        ((x @ p - y) ** 2).mean().backward()
        optimizer.step()
    return p.detach()


def problem(n: int, d: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(*shape, generator=generator, dtype=DOUBLE) for shape in ((n, d), (n,)))  # type: ignore[return-value]


def check_shares(module: Any) -> None:
    h = torch.tensor([1.0, 0.3, 0.01], dtype=DOUBLE)
    x, y = torch.diag((3 * h).sqrt()), (3 * h).sqrt()  # x'x / 3 = diag(h), least squares at (1, 1, 1)
    for steps in (1, 7, 30):
        share = module.stopped_share(h, steps, lr=0.25)
        assert torch.allclose(share, descend(x, y, 0.25, steps), rtol=1e-12, atol=1e-14)
    for l2 in (0.01, 0.5):
        shrunk = ridge(x, y, torch.tensor([l2], dtype=DOUBLE))[0]
        assert torch.allclose(module.ridge_share(h, l2), shrunk, rtol=1e-12, atol=1e-14)


def check_weights(module: Any) -> None:
    """More examples than features, and fewer: there a direction without curvature stays at zero."""
    for n, d in ((12, 4), (4, 6)):
        x, y = problem(n, d)
        lr = float(1 / (2 * torch.linalg.eigvalsh(x.T @ x / n)[-1]))
        found = module.stopped_weights(x, y, torch.tensor([1.0, 5.0, 40.0], dtype=DOUBLE))
        expected = torch.stack([descend(x, y, lr, steps) for steps in (1, 5, 40)])
        assert torch.allclose(found, expected, rtol=1e-9, atol=1e-12)
        batched = module.stopped_weights(x.expand(2, n, d), y.expand(2, n), torch.tensor([5.0], dtype=DOUBLE))
        assert torch.allclose(batched[1, 0], expected[1], rtol=1e-9, atol=1e-12)


def check_fit(module: Any) -> None:
    grid = torch.linspace(-1, 1, 11, dtype=DOUBLE)
    x, y = module.noisy_sine()
    curve, train, new = module.stopped_fit(20, grid)
    features = module.waves(x)
    lr = float(1 / (2 * torch.linalg.eigvalsh(features.T @ features / len(x))[-1]))
    p = descend(features, y, lr, 20)
    assert torch.allclose(curve, module.waves(grid) @ p, rtol=1e-9, atol=1e-12)
    assert train == pytest.approx(float(((features @ p - y) ** 2).mean()))
    assert new == pytest.approx(float(((curve - torch.sin(3 * grid)) ** 2).mean()))


def check_beside(module: Any) -> None:
    """Errors are the true ones, chosen by the validation examples."""
    found = module.stop_beside_ridge(6, torch.Generator().manual_seed(1), noise=2.0)
    generator = torch.Generator().manual_seed(1)
    draw = partial(torch.randn, generator=generator, dtype=DOUBLE)
    variances = torch.logspace(0, -2, 40, dtype=DOUBLE)
    truth = draw(6, 40)
    x = draw(6, 60, 40) * variances.sqrt()
    y = (x @ truth[..., None])[..., 0] + 2 * draw(6, 60)
    new_x = draw(6, 60, 40) * variances.sqrt()
    new_y = (new_x @ truth[..., None])[..., 0] + 2 * draw(6, 60)
    t = torch.logspace(0, 4, 81, dtype=DOUBLE).round().unique()
    for w in range(6):
        lr = float(1 / (2 * torch.linalg.eigvalsh(x[w].T @ x[w] / 60)[-1]))
        ways = {
            "stopped": early_stopping.stopped_weights(x[w], y[w], t),
            "ridge": ridge(x[w], y[w], 1 / (2 * lr * t)),
        }
        true = {name: (((p - truth[w]) ** 2) * variances).sum(-1) for name, p in ways.items()}
        for name, p in ways.items():
            chosen = ((new_x[w] @ p.T - new_y[w][:, None]) ** 2).mean(0).argmin()
            assert getattr(found, name)[w] == pytest.approx(float(true[name][chosen]))
        ratio = t[true["ridge"].argmin()] / t[true["stopped"].argmin()]
        assert found.earlier[w] == pytest.approx(float(ratio))
        end = torch.linalg.lstsq(x[w], y[w][:, None]).solution[:, 0]
        assert found.end[w] == pytest.approx(float(((end - truth[w]) ** 2 * variances).sum()))


@pytest.mark.parametrize("check", [check_shares, check_weights, check_fit, check_beside])
def test_early_stopping(check: Any) -> None:
    check(early_stopping)


def test_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="0 <= 2 lr h <= 1"):
        early_stopping.stopped_share(torch.tensor([3.0]), 5, lr=0.25)
    with pytest.raises(ValueError, match="a world and noise > 0, got worlds=0"):
        early_stopping.stop_beside_ridge(0, torch.Generator())


MUTANTS = {
    "half-forgotten": ("factor = 1 - 2 * lr * h", "factor = 1 - lr * h", check_shares),
    "share-left": ("1 - factor.clamp(min=0) ** steps", "factor.clamp(min=0) ** steps", check_shares),
    "ridge-n": ("share: Tensor = h / (h + l2)", "share: Tensor = h / (h + 3 * l2)", check_shares),
    "pull-unscaled": ("(x.mT @ y[..., None] / n)", "(x.mT @ y[..., None])", check_weights),
    "error-on-noisy-points": ("(curve - torch.sin(3 * grid))", "(curve - torch.sin(2 * grid))", check_fit),
    "chosen-by-the-truth": ("tried.argmin(1)", "error(p).argmin(1)", check_beside),
    "product-for-ratio": ("/ t[error(stopped)", "* t[error(stopped)", check_beside),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.theory.early_stopping", MUTANTS)
