"""The data behind the figures of lesson 23, and that each figure draws what it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from course_utils.figures import language_model as figures
from course_utils.plotting import clashes, png, titles
from tests.figures.reading import texts
from tests.mutants import mistakes

METHODS = list(figures.COLOURS)


def run(part: str, method: str, seed: int, **given: Any) -> dict[str, Any]:
    k = METHODS.index(method)
    found = {"held_out": 2.5 + 0.1 * k + 0.01 * seed, "late": 2.4 + 0.1 * k, "lr": 0.02 * 2**k}
    bands = [2.0 + 0.1 * k, 3.0, 4.0 - k, 5.0 + seed]
    curve = list(np.linspace(4, 2.5 + 0.1 * k, 10))
    return {"part": part, "method": method, "seed": seed, "bands": bands, "curve": curve, **found, **given}


def recorded() -> list[dict[str, Any]]:
    rows = [run("rates", m, 1000, lr=0.01 * 2**k, late=3 - 0.1 * k) for m in METHODS for k in range(3)]
    kinds = {"race": "characters", "words": "words"}
    rows += [run(part, m, seed, kind=kinds[part]) for part in kinds for m in METHODS for seed in (1, 0)]
    rows += [
        run("early", "Adam", seed, kind=kind, bands=[len(kind)] * 4)
        for kind in kinds.values()
        for seed in (1, 0)
    ]
    ways = [(warm, clip) for warm in (0, 15) for clip in (None, 1.0)]
    rows += [
        run("warmup", m, s, lr=f * r, warmup=w, clip=c, held_out=None if f == 4 and not w else 2.6)
        for m, r in (("momentum", 1.0), ("Adam", 0.02)) for f in (1, 4) for w, c in ways for s in (0, 1)
    ]  # fmt: skip
    betas = [(0.95, None), (0.999, None), (0.999, 1.0)]
    rows += [run("spike", "Adam", 0, beta2=b, clip=c, spike=s) for b, c in betas for s in (False, True)]
    rows += [run("spared", "Adam", 0, beta2=0.999, clip=None, spike=True, spared="m")]
    return rows


def dots(figure: Figure, axes: int, color: str) -> list[list[float]]:
    found = [line for line in figure.axes[axes].get_lines() if line.get_color() == color]
    return [[float(x) for x in line.get_xdata()] for line in found if line.get_marker() == "o"]


def check_slope(module: Any) -> None:
    x = np.array([1.0, 2.0, 4.0, 9.0])
    assert module.slope(x, 3 * x**-1.5) == pytest.approx(-1.5)
    assert module.slope(x, [1.0, 2.0, 1.0, 2.0]) == pytest.approx(
        np.cov(np.log(x), np.log([1, 2, 1, 2]))[0, 1] / np.var(np.log(x), ddof=1)
    )


def check_steps_after(module: Any) -> None:
    """The closed form is what a loop over both averages does, from averages that are full."""
    for beta2, size in ((0.999, 1000.0), (0.9, 3.0), (0.95, 0.1)):
        m = v = 1.0
        for k, found in enumerate(module.steps_after(beta2, size, 60)):
            g = size if k == 0 else 1.0
            m, v = 0.9 * m + 0.1 * g, beta2 * v + (1 - beta2) * g**2
            assert found == pytest.approx(m / v**0.5, rel=1e-12)


def check_gaps(module: Any) -> None:
    """Momentum less Adam, each with its own seed."""
    assert module.gaps(recorded(), "race") == pytest.approx(np.tile([-0.1, 0, 1, 0], (2, 1)))
    early = module.gaps(recorded(), "words", early=True)
    assert early == pytest.approx(np.array([[2, 3, 4, 5], [2, 3, 4, 6]]) - 5)


def check_values(module: Any) -> None:
    assert module.values(recorded(), part="race", method="Adam") == pytest.approx([2.6, 2.61])
    lost = module.values(recorded(), part="warmup", method="Adam", lr=0.08, warmup=0, clip=None)
    assert np.isnan(lost).all()


CHECKS = [check_slope, check_steps_after, check_gaps, check_values]


@pytest.mark.parametrize("check", CHECKS)
def test_data(check: Any) -> None:
    check(figures)


MUTANTS = {
    "not-logarithmic": ("np.polyfit(np.log(a), np.log(b), 1)", "np.polyfit(a, b, 1)", check_slope),
    "turned": ("np.polyfit(np.log(a), np.log(b), 1)", "np.polyfit(np.log(b), np.log(a), 1)", check_slope),
    "not-squared": ("* (size**2 - 1)", "* (size - 1)", check_steps_after),
    "betas-swapped": ("(size - 1) * beta1**k", "(size - 1) * beta2**k", check_steps_after),
    "no-root": ("m / np.sqrt(v)", "m / v", check_steps_after),
    "other-sign": ("np.array(both[0], float) - np.array(both[1], float)",
                   "np.array(both[1], float) - np.array(both[0], float)", check_gaps),
    "not-the-early-one": ('"early" if early else part', "part", check_gaps),
    "seeds-as-they-come": ("sorted(chosen(rows, **wanted), key=lambda row: row[\"seed\"])",
                           "chosen(rows, **wanted)", check_values),
}  # fmt: skip

test_mistakes_are_caught = mistakes("course_utils.figures.language_model", MUTANTS)


def drawn() -> dict[str, Figure]:
    rows, shares = recorded(), np.geomspace(0.3, 1e-3, 12)
    steps = {"momentum": 3 / shares, "Adam": np.full(12, 7.0)}
    return {
        "zipf": figures.zipf(0.1 / np.arange(1, 40)),
        "times": figures.times(shares, {"As in the text": steps, "All equal": steps}),
        "rates": figures.rates(rows),
        "race": figures.race(rows, 20),
        "bands": figures.bands(rows, {"characters": "race", "words": "words"}, ["common", "", "", "rare"]),
        "crutches": figures.crutches(rows, {"momentum": 1.0, "Adam": 0.02}, 15),
        "spike": figures.spike(rows, 20),
        "after": figures.after_spike(0.999, 1000),
        "bits": figures.bits({"gzip": 2.5, "a transformer": 2.4, "counts": 2.2}),
    }


@pytest.mark.parametrize("name", list(drawn()))
def test_texts_do_not_clash(name: str) -> None:
    figure = drawn()[name]
    png(figure)
    assert clashes(figure) == []
    assert titles(figure)


def test_figures_draw_what_they_are_given() -> None:
    all_of_them = drawn()
    race = all_of_them["race"]
    assert dots(race, 1, figures.COLOURS["Adam"]) == [pytest.approx([2.6, 2.61])]
    times = all_of_them["times"].axes[0]
    [line] = [one for one in times.get_lines() if one.get_label() == "_line"]
    x, y = (np.asarray(values, float) for values in line.get_data())
    assert x * y == pytest.approx([3.0, 3.0])  # momentum's dots lie on it
    assert "2.40" in texts(all_of_them["bits"].axes[0])
    crutches = all_of_them["crutches"]
    crosses = [
        line for line in crutches.axes[1].get_lines() if line.get_marker() == "x" and len(line.get_xdata())
    ]
    assert crosses == []
    lost = [
        line for line in crutches.axes[3].get_lines() if line.get_marker() == "x" and len(line.get_xdata())
    ]
    assert sorted(float(line.get_ydata()[0]) for line in lost) == [-1, 0]


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="need a recorded run like this, got part='no such'"):
        figures.chosen(recorded(), part="no such")
    with pytest.raises(ValueError, match="numbers > 0, and two values of x"):
        figures.slope([1, 2], [0, 1])
    with pytest.raises(ValueError, match="numbers > 0, and two values of x"):
        figures.slope([2, 2], [1, 3])
    with pytest.raises(ValueError, match=r"betas in \[0, 1\)"):
        figures.steps_after(1.0, 3, 10)
