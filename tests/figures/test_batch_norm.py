"""The data behind the figures of lesson 14."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from course_utils.figures import batch_norm
from course_utils.layers import BatchNorm1d
from tests.figures.reading import drawn, line
from tests.mutants import mistakes


def examples(n: int = 60) -> tuple[Tensor, Tensor]:
    """Inputs and targets whose moments are exactly SIGMA, C and 1."""
    draws = torch.randn(n, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    draws = draws - draws.mean(0)
    white = draws @ torch.linalg.inv(torch.linalg.cholesky(draws.T @ draws / n)).T
    moments = torch.eye(3, dtype=torch.float64)
    moments[:2, :2] = batch_norm.SIGMA
    moments[2, :2] = moments[:2, 2] = batch_norm.C
    xt = white @ torch.linalg.cholesky(moments).T
    return xt[:, :2], xt[:, 2]


WEIGHTS = torch.randn(7, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def check_losses(module: Any) -> None:
    """The closed forms are a regression on data, without and with a batch norm, and their gradients."""
    x, t = examples()
    norm = BatchNorm1d(1, eps=0.0, affine=False)
    for loss, grad, output in (
        (module.plain_loss, module.plain_grad, lambda z: z),
        (module.normalised_loss, module.normalised_grad, lambda z: norm(z[:, None])[:, 0]),
    ):
        for w in WEIGHTS:
            w = w.clone().requires_grad_()
            expected = ((output(x @ w) - t) ** 2).mean()
            [slope] = torch.autograd.grad(expected, w)
            assert torch.allclose(loss(w.detach()), expected.detach(), rtol=1e-12, atol=1e-12)
            assert torch.allclose(grad(w.detach()), slope, rtol=1e-10, atol=1e-12)
        together = loss(WEIGHTS), grad(WEIGHTS)
        assert torch.allclose(together[0], torch.stack([loss(w) for w in WEIGHTS]), rtol=1e-13, atol=0)
        assert torch.allclose(together[1], torch.stack([grad(w) for w in WEIGHTS]), rtol=1e-13, atol=1e-15)


def test_losses_are_those_of_data() -> None:
    check_losses(batch_norm)


def test_the_best_weights() -> None:
    best = batch_norm.BEST
    assert batch_norm.plain_grad(best).abs().max() < 1e-14
    assert float(batch_norm.plain_loss(best)) == pytest.approx(1 - batch_norm.RHO**2, abs=1e-14)
    for length in (0.1, 1.0, 30.0):
        assert batch_norm.normalised_grad(length * best).abs().max() < 1e-12
        assert float(batch_norm.normalised_loss(length * best)) == pytest.approx(2 - 2 * batch_norm.RHO)


def check_descent(module: Any) -> None:
    path = module.descend(0.3, module.START, 5, normalised=True)
    assert path.shape == (6, 2)
    assert torch.equal(path[0], module.START)
    for a, b in itertools.pairwise(path):
        g = module.normalised_grad(a)
        assert torch.allclose(b, a - 0.3 * g, rtol=1e-14, atol=0)
        assert (b @ b).item() == pytest.approx((a @ a + 0.09 * g @ g).item(), rel=1e-12)
    plain = module.descend(0.3, module.START, 1, normalised=False)
    assert torch.allclose(plain[1], module.START - 0.3 * module.plain_grad(module.START))
    many = module.descend(torch.tensor([[0.3], [1.0]]), module.START.expand(2, 2), 5, normalised=True)
    assert torch.allclose(many[:, 0], path, rtol=1e-6)


def check_edge(module: Any) -> None:
    far = {
        share: module.descend(share * module.EDGE, module.START, 400, normalised=False)[-1]
        for share in (0.98, 1.02)
    }
    assert (far[0.98] - module.BEST).norm() < 1e-3
    assert far[1.02].norm() > 100


def test_descent() -> None:
    check_descent(batch_norm)
    check_edge(batch_norm)


def check_expected_gap(module: Any) -> None:
    z = torch.randn(400_000, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for n in (2, 4):
        part = z[:, :n]
        x_hat = (part - part.mean(1, keepdim=True)) / part.std(1, correction=0, keepdim=True)
        measured = float(((x_hat - part) ** 2).mean().sqrt())
        assert module.expected_gap(n) == pytest.approx(measured, rel=5e-3)
    assert module.expected_gap(2) == pytest.approx((2 - 2 / torch.pi**0.5) ** 0.5, rel=1e-12)
    assert module.expected_gap(10_000) == pytest.approx((1.5 / 10_000) ** 0.5, rel=1e-3)


def test_expected_gap() -> None:
    check_expected_gap(batch_norm)


def test_bowl_and_rays() -> None:
    left, right = drawn(batch_norm.bowl_and_rays()).axes
    start = batch_norm.START.numpy()
    assert np.array_equal(line(left, "_path")[0], start)
    assert np.array_equal(line(right, "_path")[0], start)
    assert np.abs(line(left, "_path")[-1]).max() > 50
    assert np.abs(line(right, "_path")[-1]).max() < 3
    assert line(left, "_minimum")[0] == pytest.approx(batch_norm.BEST.numpy())
    xs, ys = (np.linspace(*ends, 161) for ends in batch_norm.VIEW)
    assert not (np.isclose(xs, 0).any() and np.isclose(ys, 0).any())


@pytest.mark.parametrize(
    ("rate", "fate", "words"),
    [(0.1, "converges", "η = 0.1"), (100.0, "diverges", "η = 100")],
)
def test_path_and_loss(rate: float, fate: str, words: str) -> None:
    left, right = drawn(batch_norm.path_and_loss(rate, 2.0)).axes
    path = line(left, "_path")
    assert np.hypot(*path[0]) == pytest.approx(2.0)
    excess = batch_norm.normalised_loss(torch.from_numpy(path)) - (2 - 2 * batch_norm.RHO)
    assert line(right, "batch norm")[:, 1] == pytest.approx(excess.numpy(), abs=1e-12)
    assert len(path) == batch_norm.STEPS + 1
    assert right.texts[0].get_text() == f"plain (grey): {fate}"
    assert left.get_title(loc="left").startswith(words)


def test_rate_rows() -> None:
    values = np.random.default_rng(0).uniform(0, 1, (4, 12, 3))
    rows = [(f"part {k}", v) for k, v in enumerate(values)]
    [axes] = drawn(batch_norm.rate_rows(rows, (0.0, 0.25, 4.0))).axes
    shown = [t.get_text() for t in axes.texts]
    assert shown == [f"{v:.0f}" for v in 100 * values.mean(1).ravel()]
    assert [t.get_text() for t in axes.get_yticklabels()] == [name for name, _ in rows]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0", "1/4", "4"]


def check_edge_of_pairs(module: Any) -> None:
    """Slope -1 and the product where the product decides, slope 0 where each rate has a limit of its own."""
    rates = [4.0**k for k in range(-2, 4)]
    first, second = (torch.tensor(rates)[at] for at in ((slice(None), None), (None, slice(None))))
    # seed 0 trains where the product is at most 4, seed 1 where it is at most 16
    accuracy = torch.stack([(first * second <= most).double() * 0.9 for most in (4, 16)])
    slopes, product = module.edge_of_pairs(rates, accuracy, at_least=0.7)
    assert slopes.tolist() == pytest.approx([-1, -1])
    assert product == pytest.approx((4 * 16) ** 0.5 * 2)  # half a step of 4 beyond
    box = ((first <= 16) & (second <= 4)).double()[None]
    slopes, product = module.edge_of_pairs(rates, box, at_least=0.7)
    assert slopes.tolist() == pytest.approx([0.0], abs=1e-12)
    # a gap below the edge does not matter
    box[0, 2, 1] = 0
    assert module.edge_of_pairs(rates, box, at_least=0.7)[1] == product
    slopes, product = module.edge_of_pairs(rates, torch.zeros(3, 6, 6), at_least=0.7)
    assert slopes.tolist() == [0, 0, 0]
    assert product == 1


def test_edge_of_pairs() -> None:
    check_edge_of_pairs(batch_norm)


def test_product_map() -> None:
    rates, values = [0.25, 1.0, 4.0], np.random.default_rng(1).uniform(0, 1, (4, 3, 3))
    [axes] = drawn(batch_norm.product_map(rates, values, 4.0)).axes
    assert [t.get_text() for t in axes.texts] == [f"{v:.0f}" for v in 100 * values.mean(0).ravel()]
    # (last layer, last norm): 16 and 1/4, 4 and 1, 1 and 4
    assert line(axes, "_product") == pytest.approx(np.array([[3.0, 0.0], [2.0, 1.0], [1.0, 2.0]]))
    assert axes.get_ylim() == (-0.5, 2.5)


def test_places() -> None:
    draws = np.random.default_rng(2).integers(-3, 2, (5, 7)).astype(float)
    cases = ((4, "none"), (4, "1st"), (4, "all"), (8, "8th"), (8, "all"))
    four, eight = drawn(batch_norm.places(dict(zip(cases, draws, strict=True)))).axes
    assert line(four, "_mean")[:, 1] == pytest.approx(draws[:3].mean(1))
    assert line(eight, "_mean")[:, 1] == pytest.approx(draws[3:].mean(1))
    assert line(four, "_1")[:, 1].tolist() == draws[1].tolist()
    assert [t.get_text() for t in eight.get_xticklabels()] == ["8th", "all"]


def test_transformers() -> None:
    values = np.random.default_rng(3).uniform(1, 2, (2, 3, 5, 2))
    values[1, 2, :, 1] = 1e4
    names = ("first", "last", "none")
    panels = {n: dict(zip(names, v, strict=True)) for n, v in zip((1, 4), values, strict=True)}
    both = drawn(batch_norm.transformers([0.003, 0.03], panels)).axes
    for axes, title, of_panel in zip(both, ("One block", "Four blocks"), values, strict=True):
        assert axes.get_title(loc="left") == title
        assert axes.get_ylim()[1] < 3
        for name, v in zip(names, of_panel, strict=True):
            assert line(axes, name)[:, 1] == pytest.approx(v.mean(0))


def test_effective_rates() -> None:
    rng, rates = np.random.default_rng(2), (0.25, 1.0, 4.0)
    measured, bound, start = rng.uniform(0.1, 1, (12, 3)), rng.uniform(1, 2, (12, 3)), rng.uniform(1, 2, 12)
    [axes] = drawn(batch_norm.effective_rates(rates, measured, bound, start)).axes
    assert line(axes, "after training")[:, 1] == pytest.approx(measured.mean(0))
    assert line(axes, "bound from the first step")[:, 1] == pytest.approx(bound.mean(0))
    assert line(axes, "weights of fixed length")[:, 1] == pytest.approx(np.array(rates) / start.mean())


def test_gap_and_batches() -> None:
    rng = np.random.default_rng(4)
    gaps, curves = rng.uniform(0.2, 0.9, (12, 2)), rng.uniform(0.2, 1, (3, 5, 2))
    by_name = dict(zip(("one", "two", "three"), curves, strict=True))
    left, right = drawn(batch_norm.gap_and_batches((2, 8), gaps, (0.9, 0.4), (2, 32), by_name)).axes
    assert line(left, "measured")[:, 1] == pytest.approx(gaps.mean(0))
    assert line(left, "theory")[:, 1].tolist() == [0.9, 0.4]
    for name, values in by_name.items():
        assert line(right, name)[:, 1] == pytest.approx(100 * values.mean(0))
        assert line(right, name)[:, 0].tolist() == [2, 32]


MUTANTS = {
    "no-root": ("sum(-1).sqrt()\n\n\ndef plain_grad", "sum(-1)\n\n\ndef plain_grad", check_losses),
    "gradient-without-the-spread": ("- C / s)", "- C)", check_losses),
    "plain-gradient-halved": ("return 2 * (w @ SIGMA - C)", "return w @ SIGMA - C", check_losses),
    "the-other-loss": ("if normalised else", "if not normalised else", check_descent),
    "uphill": ("path[-1] - rate", "path[-1] + rate", check_descent),
    "edge-of-the-other-end": ("eigvalsh(SIGMA)[-1]", "eigvalsh(SIGMA)[0]", check_edge),
    "smallest-that-trains": (".amax(2)", ".amin(2)", check_edge_of_pairs),
    "edges-beyond-the-grid": ("((edges < log[-1]) & ", "((edges <= log[-1]) & ", check_edge_of_pairs),
    "whole-step-beyond": ("(log[1] - log[0]) / 2", "(log[1] - log[0])", check_edge_of_pairs),
    "not-centred": ("(first - first.mean())", "(first)", check_edge_of_pairs),
    "unbiased-spread": ("math.sqrt(2 / n)", "math.sqrt(2 / (n - 1))", check_expected_gap),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.figures.batch_norm", MUTANTS)
