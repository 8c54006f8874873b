"""The data behind the figures of lesson 09."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from course_utils import schedules
from course_utils.exercises import lesson_09_learning_rate_decay as lesson_09
from course_utils.figures import learning_rate_decay as figures
from course_utils.theory import noisy_quadratic
from tests.figures.reading import drawn, line
from tests.mutants import mistakes


def check_dropped(module: Any) -> None:
    """Against the recursion by hand: the first small rate is that of step `step`."""
    lam = np.logspace(-2, 0, 20)
    for step in (0, 7, module.STEPS):
        v, losses = np.full(20, 10.0), []
        for t in range(module.STEPS + 1):
            losses.append((lam * v).sum() / 2)
            lr = 0.5 if t < step else 0.05
            v = (1 - lr * lam) ** 2 * v + lr**2 * lam
        assert module.dropped(step).tolist() == pytest.approx(losses, rel=1e-11)


def check_drop_ends(module: Any) -> None:
    for start in (10.0, 1.0):
        ends = module.drop_ends(start)
        assert ends.shape == (module.STEPS // 5 + 1,)
        for k in (0, 1, 33, module.STEPS // 5):
            assert float(ends[k]) == pytest.approx(float(module.dropped(5 * k, start)[-1]), rel=1e-12)


def check_best_end(module: Any) -> None:
    """The lowest end over the peaks, each run on its own."""
    for name in ("constant", "linear", "stairs"):
        make = (lambda n: schedules.constant()) if name == "constant" else module.DECAYS[name]
        shape = torch.tensor([make(module.STEPS)(t) for t in range(module.STEPS)], dtype=torch.float64)
        ends = [float(noisy_quadratic.loss_path(p * shape, *module.valley())[-1]) for p in module.PEAKS]
        assert module.best_end(name) == pytest.approx(min(ends), rel=1e-11)
        assert 0 < int(np.argmin(ends)) < len(ends) - 1  # the grid of peaks holds the best one


def check_decays(module: Any) -> None:
    """All start at 1 and never rise; where each ends."""
    ends = {"stairs": 0.01, "exponential": 0.01, "linear": 0.0, "polynomial": 0.0, "cosine": 0.0}
    assert set(module.DECAYS) == set(ends) == set(module.COLOURS) - {"constant"}
    for name, make in module.DECAYS.items():
        for total in (3, 8, 100):
            values = [make(total)(t) for t in range(total + 1)]
            assert values[0] == 1.0
            assert all(b <= a for a, b in pairwise(values))
            assert values[-1] == pytest.approx(ends[name], abs=1e-12)
    stairs = module.DECAYS["stairs"](100)
    assert [stairs(t) for t in (49, 50, 74, 75)] == pytest.approx([1.0, 0.1, 0.1, 0.01])


CHECKS = [check_dropped, check_drop_ends, check_best_end, check_decays]


@pytest.mark.parametrize("check", CHECKS)
def test_data(check: Any) -> None:
    check(figures)


MUTANTS = [
    pytest.param(
        "    rates[step:] /= DROP\n", "    rates[step + 1 :] /= DROP\n", check_dropped, id="drop-late"
    ),
    pytest.param(
        "rates[step:, column] /= DROP", "rates[: step + 1, column] /= DROP", check_drop_ends, id="ends"
    ),
    pytest.param("max(3 * total // 4, 2)", "max(2 * total // 3, 2)", check_decays, id="second-stair"),
    pytest.param("0.01 ** (1 / n)", "0.01 ** (1 / (n + 1))", check_decays, id="exponential-end"),
]


test_mutant_is_caught = mistakes("course_utils.figures.learning_rate_decay", MUTANTS)


def test_the_three_runs_of_the_idea() -> None:
    [axes] = drawn(figures.first_idea()).axes
    ends = {}
    for name, step in (("large rate", 400), ("small rate", 0), ("large, then small", 200)):
        assert np.array_equal(line(axes, name)[:, 1], figures.dropped(step).numpy())
        ends[name] = figures.dropped(step)[-1]
    assert ends["large, then small"] < 0.5 * ends["small rate"] < 0.5 * ends["large rate"]


def test_the_shapes() -> None:
    left, right = drawn(figures.shapes(40)).axes
    for name, make in figures.DECAYS.items():
        expected = [make(40)(t) for t in range(41)]
        assert line(left, f"_{name}")[:, 1].tolist() == expected
        shown = line(right, f"_{name}")[:, 1]
        assert shown[~np.isnan(shown)].tolist() == [value for value in expected if value > 0]
    assert {text.get_text() for text in left.texts} == set(figures.DECAYS)


def test_the_envelope_lies_below_and_on_its_formula() -> None:
    [axes] = drawn(figures.envelope(200)).axes
    best, theory = line(axes, "best, 1 / t"), line(axes, "_1 / t")
    assert best[:, 1] == pytest.approx(theory[:, 1], rel=1e-10)
    for rate in (0.5, 0.1, 0.02):
        constant = line(axes, f"η = {rate:g}")
        assert constant[:, 0].tolist() == list(range(1, 201))
        assert (constant[:, 1] > best[:, 1]).all()
        v = (100.0 * (1 - rate) ** 2 + rate**2) / 2  # after one step, λ = s² = 1
        assert constant[0, 1] == pytest.approx(v)


def test_gain_and_sweep() -> None:
    rng = np.random.default_rng(0)
    values = {name: rng.uniform(0.5, 1.0, (12, 3)) for name in ("stairs", "cosine")}
    [axes] = drawn(figures.gain([10, 100, 1000], values)).axes
    for name, rows in values.items():
        assert line(axes, name)[:, 1] == pytest.approx(rows.mean(0))
    assert axes.get_ylim()[0] == 0
    [axes] = drawn(figures.sweep([0.1, 0.2, 0.4], values, title="One of two", y="loss")).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    for name, rows in values.items():
        assert line(axes, name)[:, 1] == pytest.approx(rows.mean(0))


@pytest.mark.parametrize("chosen", [(0.5, 0.5, 0.1, 0.1), (2.0, 1.0, 0.05, 0.02), (0.01, 0.01, 0.01, 0.01)])
def test_a_drawn_schedule(chosen: tuple[float, float, float, float]) -> None:
    left, right = drawn(figures.drawn_schedule(*chosen)).axes
    rates = line(left, left.get_lines()[0].get_label())[:, 1]
    assert rates[[0, 99, 100, 200, 399]].tolist() == [chosen[k] for k in (0, 0, 1, 2, 3)]
    path = noisy_quadratic.loss_path(torch.tensor(rates[:-1]), *figures.valley())
    shown = line(right, right.get_lines()[0].get_label())[:, 1]
    assert shown == pytest.approx(np.minimum(path.numpy(), 1e3))
    assert right.get_title(loc="left").endswith(f"{float(path[-1]):.3g}")
    heights = [text.get_position()[1] for text in right.texts]
    assert heights == pytest.approx([figures.best_end("constant"), figures.best_end("linear")])


def test_the_film() -> None:
    assert len(figures.FILM) <= 16
    for step in (figures.FILM[0], 50, figures.FILM[-1]):
        [axes] = drawn(figures.drop_at(step)).axes
        assert np.array_equal(line(axes, "_run")[:, 1], figures.dropped(step).numpy())
        dot = axes.get_lines()[-1].get_data()
        assert np.ravel(dot) == pytest.approx([step, float(figures.dropped(step)[-1])])
        assert axes.get_title(loc="left") == f"Drop at step {step}"
        assert all(s % 5 == 0 for s in figures.FILM)


def test_the_greedy_drop_never_comes_without_noise() -> None:
    """A known wrong answer of the lesson, which no input of its exercise brings to its last line."""
    assert lesson_09._greedy_drop(0.5, 5, [1.0], [0.0]) == 5
