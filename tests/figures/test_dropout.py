"""The data behind the figures of lesson 13."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from course_utils.diagnostics.calibration import Reliability
from course_utils.figures import dropout
from tests.figures.reading import drawn, line
from tests.mutants import mistakes

STEPS = 60  # enough for a net that is not its first one


def check_crowd(module: Any, p: float = 0.4) -> None:
    """Each curve is the whole net with some units' outgoing weights at 0 and the rest at w / (1 - p)."""
    one = module.crowd(p, 30, STEPS)
    net = module.crowd_net(p, STEPS)
    assert not net.training
    assert one.curves.shape == (30, 121)
    with torch.no_grad():
        hidden = net[:4](one.x[:, None])
        assert torch.equal(one.eval_pass, net(one.x[:, None])[:, 0])
        weight, bias = net[5].weight[0], net[5].bias
        draws = torch.rand(256, 1, 64, generator=torch.Generator().manual_seed(1))[:30]
        expected = torch.stack([hidden @ (weight * (u[0] >= p) / (1 - p)) + bias for u in draws])
    assert torch.allclose(one.curves, expected, rtol=1e-4, atol=1e-5)


def check_training(module: Any) -> None:
    """Training uses dropout: nets of two p differ, and a mean over many masks is the eval pass."""
    x, y = module.crowd_points()
    assert x.shape == y.shape == (24, 1)
    assert not ((x > -0.7) & (x < 0.7)).any()
    nets = [module.crowd_net(p, STEPS) for p in (0.0, 0.4)]
    with torch.no_grad():
        assert not torch.equal(nets[0](x), nets[1](x))
        assert float(((nets[0](x) - y) ** 2).mean()) < 0.2 * float((y**2).mean())


def test_the_crowd() -> None:
    check_crowd(dropout)
    check_training(dropout)


def test_training_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    dropout.crowd_net.__wrapped__(0.1, 2)
    assert torch.equal(torch.get_rng_state(), before)


def test_more_masks_add_to_the_same_crowd() -> None:
    few, many = (dropout.crowd(0.4, masks, STEPS) for masks in (4, 256))
    assert torch.equal(few.curves, many.curves[:4])
    assert not torch.equal(many.curves[0], many.curves[1])
    error = many.curves.std(0) / 256**0.5
    assert ((many.curves.mean(0) - many.eval_pass).abs() <= 5 * error).all()
    assert dropout.FILM[-1] == 256
    assert len(dropout.FILM) <= 24


@pytest.mark.parametrize(("masks", "words"), [(1, "One thinned net"), (16, "16 thinned nets")])
def test_crowd_figure(masks: int, words: str) -> None:
    [axes] = drawn(dropout.crowd_figure(0.4, masks, STEPS)).axes
    one = dropout.crowd(0.4, masks, STEPS)
    assert np.array_equal(line(axes, "their mean")[:, 1], one.curves.mean(0).double().numpy())
    assert np.array_equal(line(axes, "eval pass")[:, 1], one.eval_pass.double().numpy())
    assert len([ln for ln in axes.get_lines() if ln.get_label() == "_net"]) == masks
    assert words in axes.get_title(loc="left")


def test_accuracy_against_p() -> None:
    rng = np.random.default_rng(0)
    noisy, clean = rng.uniform(0.7, 0.9, (12, 3)), rng.uniform(0.9, 1.0, (12, 3))
    [axes] = drawn(dropout.accuracy_against_p((0.0, 0.5, 0.9), noisy, clean)).axes
    for label, values in (("20% wrong labels", noisy), ("clean labels", clean)):
        assert line(axes, label)[:, 0].tolist() == [0.0, 0.5, 0.9]
        assert line(axes, label)[:, 1] == pytest.approx(100 * values.mean(0))


def test_masks_averaged() -> None:
    rng = np.random.default_rng(1)
    over, under = rng.normal(-1, 0.1, (12, 4)), rng.normal(1, 0.1, (12, 4))
    left, right = drawn(dropout.masks_averaged((1, 2, 4, 8), over, under)).axes
    for axes, values, word in ((left, over, "Overconfident"), (right, under, "Underconfident")):
        assert line(axes, "_masks")[:, 1] == pytest.approx(values.mean(0))
        assert (line(axes, "_eval")[:, 1] == 0).all()
        assert axes.get_title(loc="left").startswith(word)
        assert axes.get_xscale() == "log"


def test_reliability_figure_leaves_out_bins_with_few_answers() -> None:
    values = torch.tensor([0.1, 0.5, 0.9])
    bins = Reliability(values, values**2, torch.tensor([29.0, 30.0, 500.0]))
    case = {"eval pass": bins, "averaged masks": bins}
    for axes in drawn(dropout.reliability_figure(case, case)).axes:
        for name in case:
            assert line(axes, f"_{name}") == pytest.approx(np.array([[0.5, 0.25], [0.9, 0.81]]))
        assert {t.get_text() for t in axes.texts} == set(case)


MUTANTS = {
    "no-scale": ("* (draws >= p) / (1 - p)", "* (draws >= p)", check_crowd),
    "p-and-1-minus-p": ("(draws >= p)", "(draws < p)", check_crowd),
    "trained-in-eval-mode": ("optimizer = Adam(", "net.eval(); optimizer = Adam(", check_training),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.figures.dropout", MUTANTS)
