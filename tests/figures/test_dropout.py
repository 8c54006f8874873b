"""The data behind the figures of lesson 13."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

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


@pytest.mark.parametrize(("masks", "words"), [(1, "One thinned net"), (16, "16 thinned nets")])
def test_crowd_figure(masks: int, words: str) -> None:
    [axes] = drawn(dropout.crowd_figure(0.4, masks, STEPS)).axes
    one = dropout.crowd(0.4, masks, STEPS)
    assert np.array_equal(line(axes, "their mean")[:, 1], one.curves.mean(0).double().numpy())
    assert np.array_equal(line(axes, "eval pass")[:, 1], one.eval_pass.double().numpy())
    assert len([ln for ln in axes.get_lines() if ln.get_label() == "_net"]) == masks
    assert words in axes.get_title(loc="left")


def test_two_means() -> None:
    whole = torch.tensor([[0.9, 0.1], [0.6, 0.4]])
    [axes] = drawn(dropout.two_means(whole, whole + 0.01, whole / 2)).axes
    assert line(axes, "_geometric") == pytest.approx(np.stack([whole.flatten(), whole.flatten() + 0.01], 1))
    assert line(axes, "_arithmetic") == pytest.approx(np.stack([whole.flatten(), whole.flatten() / 2], 1))


def test_four_losses() -> None:
    rng = np.random.default_rng(0)
    run = torch.from_numpy(rng.uniform(0.1, 1, (20, 3)))
    names = [f"{part}, {mode}" for part in ("training", "validation") for mode in ("with masks", "eval mode")]
    ends = {name: rng.uniform(0.1, 1, (12, 4)) for name in names}
    above, below = drawn(dropout.four_losses(run, (0.0, 0.2, 0.5, 0.8), ends)).axes
    order = ("training, with masks", "training, eval mode", "validation, eval mode")
    for name, losses in zip(order, run.T.numpy(), strict=True):
        assert line(above, name)[:, 0].tolist() == list(range(15, 301, 15))
        assert line(above, name)[:, 1] == pytest.approx(losses)
    for name in names:
        assert line(below, name) == pytest.approx(np.stack([(0, 0.2, 0.5, 0.8), ends[name].mean(0)], 1))


def check_map(module: Any) -> None:
    """A net is drawn under the name of what its interval says."""
    over, soft = [0.1, -0.2, 0.02, 0.05], [0.1, 0.05, 0.08, 0.03]
    [axes] = drawn(module.map_of_nets(over, soft, [(-0.3, -0.1), (0.1, 0.2), (-0.1, 0.1), (-0.2, -0.1)])).axes
    assert line(axes, "_averaging lowers the loss").tolist() == [[0.1, 0.1], [0.03, 0.05]]
    assert line(axes, "_averaging raises it").tolist() == [[0.05, -0.2]]
    assert line(axes, "_not clear").tolist() == [[0.08, 0.02]]
    (x0, y0), (x1, y1) = line(axes, "_half")
    assert (x0, y0) == (0, 0)
    assert y1 == pytest.approx(x1 / 2)


def test_map_of_nets() -> None:
    check_map(dropout)


def test_shifted_draws_each_net_against_its_own_shares() -> None:
    rng = np.random.default_rng(1)
    gains = {name: rng.normal(size=(12, 3)) for name in ("one", "two")}
    shares = {name: np.sort(rng.normal(size=3)) for name in gains}
    [axes] = drawn(dropout.shifted(shares, gains)).axes
    for name, values in gains.items():
        for label in (name, f"_{name}"):
            assert line(axes, label) == pytest.approx(np.stack([shares[name], values.mean(0)], 1))


def test_curves_against_the_rate() -> None:
    rng = np.random.default_rng(2)
    lrs = [[0.1, 0.2, 0.4], [0.2, 0.4, 0.8]]
    curves = {
        title: {name: rng.uniform(0.8, 0.9, (12, 3)) for name in ("p = 0", "p = 0.5")} for title in ("A", "B")
    }
    for draw, size in ((dropout.accuracy_by_rate, 100), (dropout.passes, 1)):
        for axes, rates, (title, named) in zip(
            drawn(draw(lrs, curves)).axes, lrs, curves.items(), strict=True
        ):
            assert axes.get_title(loc="left") == title
            for name, values in named.items():
                assert line(axes, name) == pytest.approx(np.stack([rates, size * values.mean(0)], 1))


def test_a_rate_at_which_nets_diverge_is_left_out() -> None:
    curves = {"A": {"p = 0": np.full((12, 3), [0.8, 0.9, 0.1]), "p = 0.5": np.full((12, 3), 0.8)}}
    [axes, _] = drawn(dropout.accuracy_by_rate([[0.1, 0.2, 0.4]] * 2, curves | {"B": curves["A"]})).axes
    assert line(axes, "p = 0.5")[:, 0].tolist() == [0.1, 0.2]
    low = {name: values / 10 for name, values in curves["A"].items()}
    [axes, _] = drawn(dropout.accuracy_by_rate([[0.1, 0.2, 0.4]] * 2, {"A": low, "B": low})).axes
    assert len(line(axes, "p = 0")) >= 1


MUTANTS = {
    "no-scale": ("* (draws >= p) / (1 - p)", "* (draws >= p)", check_crowd),
    "p-and-1-minus-p": ("(draws >= p)", "(draws < p)", check_crowd),
    "trained-in-eval-mode": ("optimizer = Adam(", "net.eval(); optimizer = Adam(", check_training),
    "unclear-counted-as-gain": (
        "[high < 0 for _, high in gains]", "[low < 0 for low, _ in gains]", check_map,
    ),
    "whole-softening": ("[0, top / 2], label", "[0, top], label", check_map),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.figures.dropout", MUTANTS)
