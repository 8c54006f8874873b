"""The data behind the figures of lesson 22, and that each figure draws what it is given."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from course_utils.figures import initialisation_and_width as figures
from course_utils.plotting import clashes, png
from tests.mutants import mistakes

WIDTHS = [8, 16, 32, 64, 128, 256]


def draw(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def check_depth(relu_depth: Callable[..., tuple[torch.Tensor, torch.Tensor]]) -> None:
    """He's weights stay near 1 on both ways; others multiply by the factor's square in each layer."""
    forward, back = relu_depth(1.0, width=300, layers=8)
    assert len(forward) == len(back) == 8
    assert float(back[-1]) == 1
    assert 0.5 < float(back[0]) < 2
    assert 0.5 < float(forward[-1] / 2) < 2
    for factor in (0.5, 2.0):
        other, other_back = relu_depth(factor, width=300, layers=8)
        torch.testing.assert_close(other / forward, factor ** (2 * torch.arange(1, 9.0, dtype=torch.float64)))
        expected = factor ** (2 * torch.arange(8.0, dtype=torch.float64)).flip(0)
        torch.testing.assert_close(other_back / back, expected)


def test_relu_depth() -> None:
    check_depth(figures.relu_depth)


test_mistakes_are_caught = mistakes(
    "course_utils.figures.initialisation_and_width",
    [
        ("(2 / width) ** 0.5", "(1 / width) ** 0.5", check_depth),
        ("h @ w * factor", "h @ w", check_depth),
        ("backward / backward[-1]", "backward / backward[0]", check_depth),
        ("h = torch.relu(sums[-1])", "h = sums[-1]", check_depth),
    ],
    of="relu_depth",
)


def curves() -> dict[tuple[str, str], dict[int, torch.Tensor]]:
    keys = [(name, form) for name in ("SGD", "Adam") for form in ("standard", "μP")]
    return {key: {n: 0.05 + 0.3 * draw(3, 7) for n in WIDTHS} for key in keys}


RATES = [2.0**k for k in range(-8, -1)]
ROWS = {"hidden": 2 ** (0.5 * torch.arange(6.0)), "outputs": 2 ** torch.arange(6.0)}
MOVES = {(name, form, what): ROWS[what] for name, form in curves() for what in ROWS}

DRAWN: dict[str, Callable[[], Figure]] = {
    "depth": lambda: figures.depth({"half of He's weights": 0.5, "He's": 1.0, "twice He's": 2.0}),
    "signals": lambda: figures.signals(
        {name: (1 + draw(30, 4), 200 ** draw(30, 4)) for name in ("linear", "ReLU", "tanh")},
        {name: (1 + draw(30), 1 + draw(30)) for name in ("linear", "ReLU", "tanh")},
    ),
    "spread": lambda: figures.spread(
        torch.tensor([0.1, 0.3, 0.6]),
        {"linear": torch.tensor([0.5, 0.8, 1.1]), "ReLU": torch.tensor([0.7, 1.2, 1.7])},
        {"linear": 2, "ReLU": 5},
    ),
    "deep": lambda: figures.deep(
        {"plain": [0.5, 1.0, 2.0], "layer norm": [0.1, 1.0, 10.0], "residual": [0.1, 1.0, 10.0]},
        {
            "plain": torch.tensor([[0.8, 0.9], [0.1, 0.2], [1e9, torch.inf]]),
            "layer norm": 0.4 + 0.02 * draw(3, 2),
            "residual": torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.5, 1e9]]),
        },
    ),
    "alike": lambda: figures.alike(
        {
            "small batches": torch.zeros(9),
            "Adam": torch.zeros(9),
            "dropout": draw(9),
            "own ways on": 2 * draw(9),
        },
        {"dead": ([1, 2, 4], draw(3)), "saturated": ([1, 2, 4], 1 - draw(3))},
    ),
    "curves": lambda: figures.curves({"SGD": RATES, "Adam": RATES}, curves()),
    "slide": lambda: figures.slide("Adam", RATES, curves()["Adam", "standard"], 0.5, 32),
    "updates": lambda: figures.updates([40, 80, 160, 320, 640, 1280], MOVES, dict.fromkeys(MOVES, 0.5)),
    "best_rates": lambda: figures.best_rates(
        [32, 128, 256], {"squared error": -3 - draw(3, 4), "cross-entropy": 1 - draw(3, 4)}
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_texts_of_a_figure_are_apart(name: str) -> None:
    figure = DRAWN[name]()
    png(figure)
    assert clashes(figure) == []


def test_a_curve_is_slid_by_the_power_of_its_width() -> None:
    losses = curves()["Adam", "standard"]
    still, slid = (figures.slide("Adam", RATES, losses, power, 32).axes[0].get_lines() for power in (0, 1))
    for k, n in enumerate(WIDTHS):
        before, after = (lines[2 * k].get_xdata() for lines in (still, slid))
        assert np.allclose(np.asarray(after) / np.asarray(before), n / 32)
        mean = losses[n].log().mean(0).exp()
        assert np.allclose(slid[2 * k].get_ydata(), mean)
        low = slid[2 * k + 1]
        assert float(low.get_ydata()[0]) == pytest.approx(float(mean.min()))


def test_a_loss_above_a_guess_is_cut() -> None:
    losses = {8: torch.tensor([[0.4, 0.3, 0.9]])}
    line = figures.slide("SGD", [0.1, 0.2, 0.4], losses, 0.0, 32).axes[0].get_lines()[0]
    assert np.isnan(line.get_ydata()).tolist() == [False, False, True]


def test_the_spread_is_drawn_beside_its_root() -> None:
    axes = DRAWN["spread"]().axes[0]
    theory = [line for line in axes.get_lines() if line.get_linestyle() == "--"]
    assert np.allclose(theory[1].get_ydata(), (5 * np.array([0.1, 0.3, 0.6])) ** 0.5, atol=1e-6)


def test_the_wider_the_darker() -> None:
    assert len({figures.shade(k, 6) for k in range(6)}) == 6
