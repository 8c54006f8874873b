"""The data behind the figures of lesson 09."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from course_utils.figures import learning_rate_decay as figures
from course_utils.intervals import ratio_interval
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
    """The lowest end over the peaks, each run on its own, and its peak."""
    for name in ("constant", "linear", "stairs"):
        for even in (False, True):
            valley, shape = module.valley(even=even), module.multipliers(name, module.STEPS)
            ends = [float(noisy_quadratic.loss_path(p * shape, *valley)[-1]) for p in module.PEAKS]
            best = int(np.argmin(ends))
            want = (ends[best], float(module.PEAKS[best]))
            assert module.best_end(name, even=even) == pytest.approx(want, rel=1e-11)
            assert 0 < best < len(ends) - 1  # the grid of peaks holds the best one


def check_valley(module: Any) -> None:
    lam, noise, start = module.valley(3.0)
    assert torch.equal(lam, noise)
    assert (float(lam.max() / lam.min()), float(lam.max())) == pytest.approx((100, 1))
    assert start.tolist() == [3.0] * 20
    assert module.valley(even=True)[1].tolist() == [1.0] * 20


def check_crowd(module: Any) -> None:
    rates = torch.tensor([0.5, 0.5, 0.1, 1.5], dtype=torch.float64)
    seen = module.crowd_losses(rates, 9.0, 200_000, torch.Generator().manual_seed(1))
    one = torch.ones(1, dtype=torch.float64)
    want = noisy_quadratic.loss_path(rates, one, one, 9 * one)[1:]
    assert seen.tolist() == pytest.approx(want.tolist(), rel=0.02)


def check_mistakes(module: Any) -> None:
    """What each mistake does, worked out without a scheduler."""
    rates = module.mistaken_rates()
    assert len(rates) == 6
    meant, used = rates["The scheduler first"]
    assert used[:-1].tolist() == pytest.approx(meant[1:].tolist())
    meant, used = rates["Called in each batch"]
    assert used.tolist() == pytest.approx([0.1 ** (t // 2) for t in range(60)])
    assert meant[[0, 19, 20, 40]].tolist() == pytest.approx([1, 1, 0.1, 0.01])
    meant, used = rates["One slash"]
    assert used[::5].tolist() == pytest.approx(meant[::5].tolist())
    assert (used < meant - 1e-6).sum() == 16
    meant, used = rates["The factor again"]
    assert used[[4, 5, 6, 9, 10]].tolist() == pytest.approx([1, 0.5, 0.25, 1 / 32, 1 / 128])
    meant, used = rates["Past T_max"]
    assert used[:20].tolist() == pytest.approx(meant[:20].tolist(), abs=1e-6)
    assert (meant[20:] == 0).all()
    assert used[39] > 0.99
    meant, used = rates["Resumed without state"]
    assert meant.tolist() == pytest.approx([1.0] * 20 + [0.1] * 20 + [0.01] * 20)
    assert used.tolist() == pytest.approx([1.0] * 20 + [0.1] * 30 + [0.01] * 10)


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


CHECKS = [
    check_dropped, check_drop_ends, check_best_end, check_decays, check_valley, check_crowd, check_mistakes,
]  # fmt: skip


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
    pytest.param("lr * (p + torch.randn", "lr * (p + 1.1 * torch.randn", check_crowd, id="crowd-noise"),
    pytest.param("            if early:", "            if not early:", check_mistakes, id="order"),
    pytest.param("optimizer.load_state_dict(saved)", "pass", check_mistakes, id="resumed-at-the-peak"),
    pytest.param("torch.ones_like(lam) if even", "lam if even", check_valley, id="even-noise"),
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


def test_the_crowd_lies_on_its_theory() -> None:
    rates = {"η = 0.5": torch.full((60,), 0.5, dtype=torch.float64), "1/t": 1 / (torch.arange(60.0) + 1.1)}
    seen = {name: torch.linspace(1, 2, 60) for name in rates}
    [axes] = drawn(figures.crowd(rates, seen, 10.0)).axes
    one = torch.ones(1, dtype=torch.float64)
    path = noisy_quadratic.loss_path(rates["η = 0.5"], one, one, 10 * one)
    assert line(axes, "_theory of η = 0.5")[:, 1] == pytest.approx(path[1:].numpy())
    dots = line(axes, "1/t")
    assert dots[:, 1] == pytest.approx(seen["1/t"].numpy()[dots[:, 0].astype(int) - 1])


def test_gains() -> None:
    rng = np.random.default_rng(0)
    values = {name: rng.uniform(0.5, 1.0, (12, 3)) for name in ("stairs", "cosine")}
    panels = drawn(figures.gains([10, 100, 1000], {"one": values, "other": values})).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["one", "other"]
    for axes in panels:
        for name, rows in values.items():
            assert line(axes, name)[:, 1] == pytest.approx(rows.mean(0))


def test_the_best_schedules() -> None:
    left, right = drawn(figures.best_schedules()).axes
    for axes, even in ((left, False), (right, True)):
        rates, loss = figures.best_schedule(even=even)
        assert np.array_equal(line(axes, "_best")[:, 1], rates.numpy())
        for name in figures.DECAYS:
            assert loss < figures.best_end(name, even=even)[0]
        peak = figures.best_end("linear", even=even)[1]
        assert line(axes, "_linear")[0, 1] == pytest.approx(peak)


def test_figures_of_the_net() -> None:
    losses = {"constant": torch.tensor([0.05, 0.04, torch.inf]), "cosine": torch.tensor([0.06, 0.03, 0.05])}
    [axes] = drawn(figures.net_peaks([0.1, 0.2, 0.4], losses)).axes
    assert line(axes, "cosine")[:, 1] == pytest.approx(losses["cosine"].numpy())
    assert np.isnan(line(axes, "_constant")[2, 1])
    assert "constant" in {text.get_text() for text in axes.texts}  # named beside its line
    rows = np.random.default_rng(1).uniform(0.6, 1.0, (12, 4))
    [axes] = drawn(figures.control([1, 2, 3, 4], {"as before": rows, "rate / 10": rows / 2})).axes
    assert line(axes, "rate / 10")[:, 1] == pytest.approx(rows.mean(0) / 2)
    shares = {name: ratio_interval(rows[:, k], np.ones(12)) for k, name in enumerate(("one", "two", "three"))}
    for draw in (figures.plateaus, figures.pools):
        [axes] = drawn(draw(shares)).axes
        x, y = axes.get_lines()[0].get_data()
        assert x == pytest.approx([one.mean for one in shares.values()])
        names = dict(zip(axes.get_yticks(), axes.get_yticklabels(), strict=True))
        assert [names[at].get_text() for at in y] == list(shares)
        assert y[0] > y[1] > y[2]


def test_the_mistakes() -> None:
    panels = drawn(figures.mistakes()).axes
    for axes, (name, (meant, used)) in zip(panels, figures.mistaken_rates().items(), strict=True):
        assert axes.get_title(loc="left") == name
        assert line(axes, "_used")[:, 1] == pytest.approx(used.numpy())
        assert line(axes, "_meant")[:, 1] == pytest.approx(meant.numpy())


@pytest.mark.parametrize("chosen", [(0.5, 0.5, 0.1, 0.1), (2.0, 1.0, 0.05, 0.02), (0.01, 0.01, 0.01, 0.01)])
def test_a_drawn_schedule(chosen: tuple[float, float, float, float]) -> None:
    left, right = drawn(figures.drawn_schedule(*chosen)).axes
    rates = line(left, left.get_lines()[0].get_label())[:, 1]
    assert rates[[0, 99, 100, 200, 399]].tolist() == [chosen[k] for k in (0, 0, 1, 2, 3)]
    path = noisy_quadratic.loss_path(torch.tensor(rates[:-1]), *figures.valley())
    shown = line(right, right.get_lines()[0].get_label())[:, 1]
    assert shown == pytest.approx(np.minimum(path.numpy(), 1e3))
    levels = [float(axes_line.get_ydata()[0]) for axes_line in right.get_lines()[1:]]
    want = [figures.best_end("constant")[0], figures.best_end("exponential")[0], figures.best_schedule()[1]]
    assert levels == pytest.approx(want)
    assert f"ends at {float(path[-1]):.3g}" in {text.get_text() for text in right.texts}


def test_a_drawn_schedule_that_diverges() -> None:
    _, right = drawn(figures.drawn_schedule(3.0, 3.0, 3.0, 3.0)).axes
    assert "diverges" in {text.get_text() for text in right.texts}


def test_the_film() -> None:
    for step in (0, 50, 400):
        [axes] = drawn(figures.drop_at(step)).axes
        assert np.array_equal(line(axes, "_run")[:, 1], figures.dropped(step).numpy())
        dot = axes.get_lines()[-1].get_data()
        assert np.ravel(dot) == pytest.approx([step, float(figures.dropped(step)[-1])])
        assert axes.get_title(loc="left") == f"Drop at step {step}"
