"""The conventions lab: parity with torch where a mixture has a name there, else with formulas; mutants."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from course_utils.optimizers import conventions
from course_utils.optimizers.conventions import TABLE, Conventions, apart
from course_utils.trajectories import distances, trajectory
from tests.mutants import mistakes

LAM = torch.logspace(-4, 0, 9, dtype=torch.float64)
ONES = torch.ones(9, dtype=torch.float64)


def grad(p: Tensor) -> Tensor:
    return LAM * p


def worst(one: Any, other: Any, steps: int = 60, **options: Any) -> float:
    return float(apart(one, other, grad, ONES, steps, **options).max())


# a mixture, and the optimizer of torch that it is
NAMED: dict[str, tuple[dict[str, Any], Any]] = {
    "rmsprop": ({}, torch.optim.RMSprop),
    "rmsprop-all": (
        {"lr": 3e-3, "alpha": 0.9, "eps": 1e-3, "momentum": 0.8, "weight_decay": 0.1},
        partial(torch.optim.RMSprop, lr=3e-3, alpha=0.9, eps=1e-3, momentum=0.8, weight_decay=0.1),
    ),
    "adam": (
        {"corrected": True, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1},
        partial(torch.optim.Adam, lr=1e-2, betas=(0.0, 0.9), eps=1e-3, weight_decay=0.1),
    ),
    "adamw": (
        {"corrected": True, "decay": "before", "weight_decay": 0.5},
        partial(torch.optim.AdamW, lr=1e-2, betas=(0.0, 0.99), weight_decay=0.5),
    ),
}


def halve(optimizer: torch.optim.Optimizer, step: int) -> None:
    if step == 20:
        optimizer.param_groups[0]["lr"] *= 0.5


def check_named(make: Callable[..., Any], case: str) -> None:
    choice, reference = NAMED[case]
    assert worst(make(**choice).optimizer, reference, schedule=halve) < 1e-14


def by_hand(p: Tensor, steps: int, how: dict[str, Any], rates: list[float]) -> Tensor:
    """The formulas that torch does not have, one line each, from numbers and not from the module."""
    alpha, eps, mu, decay = 0.9, 1e-3, 0.5, 0.1
    path, m = [p], torch.zeros_like(p)
    v = {"ones": torch.ones_like(p), "square": grad(p) ** 2}.get(how.get("first", ""), torch.zeros_like(p))
    for t in range(1, steps + 1):
        g, lr = grad(p), rates[t - 1]
        v = alpha * v + (1 - alpha) * g * g
        c = 1 - alpha**t
        if how.get("eps_place") == "inside":
            d = g / torch.sqrt(v + eps)
        elif how.get("eps_place") == "scaled":
            d = g / ((torch.sqrt(v) + eps) / c**0.5)
        else:
            d = g / (torch.sqrt(v) + eps)
        inside = how.get("rate") == "inside"
        m = mu * m + (lr * d if inside else d)
        p = p - (m if inside else lr * m)
        if how.get("decay") == "after":
            p = p - lr * decay * p
        path.append(p)
    return torch.stack(path)


UNNAMED: dict[str, dict[str, Any]] = {
    "eps inside": {"eps_place": "inside"},
    "eps scaled": {"eps_place": "scaled", "corrected": True},
    "first ones": {"first": "ones"},
    "first square": {"first": "square"},
    "rate inside": {"rate": "inside"},
    "decay after": {"decay": "after", "weight_decay": 0.1},
}


def check_unnamed(make: Callable[..., Any], case: str) -> None:
    how = UNNAMED[case]
    rates = [1e-2] * 20 + [5e-3] * 20
    ours = make(alpha=0.9, eps=1e-3, momentum=0.5, **how).optimizer
    path = trajectory(grad, ONES, ours, 40, schedule=halve)
    assert float(distances(path, by_hand(ONES, 40, how, rates)).max()) < 1e-14


@pytest.mark.parametrize("case", NAMED)
def test_every_step_matches_torch(case: str) -> None:
    check_named(Conventions, case)


@pytest.mark.parametrize("case", UNNAMED)
def test_every_step_matches_the_formula(case: str) -> None:
    check_unnamed(Conventions, case)


MUTANTS = {
    "eps inside for outside": (
        "g / ((v / c).sqrt() + how.eps)",
        "g / (v / c + how.eps).sqrt()",
        partial(check_named, case="rmsprop-all"),
    ),
    "alpha swapped": (
        'how.alpha * state["v"] + (1 - how.alpha) * g**2',
        '(1 - how.alpha) * state["v"] + how.alpha * g**2',
        partial(check_named, case="rmsprop"),
    ),
    "no correction": ("1 - how.alpha**t if how.corrected else 1.0", "1.0", partial(check_named, case="adam")),
    "decay after for before": (
        'elif how.decay == "before":',
        'elif how.decay == "never":',
        partial(check_named, case="adamw"),
    ),
    "a rate of its own": ("p.sub_(lr * m)", "p.sub_(0.01 * m)", partial(check_named, case="rmsprop-all")),
    "scaled the wrong way": (
        "g * c**0.5 / (v.sqrt() + how.eps)",
        "g / c**0.5 / (v.sqrt() + how.eps)",
        partial(check_unnamed, case="eps scaled"),
    ),
    "outside for inside": (
        "g / (v / c + how.eps).sqrt()",
        "g / ((v / c).sqrt() + how.eps)",
        partial(check_unnamed, case="eps inside"),
    ),
    "ones are zeros": (
        '"ones": torch.ones_like(p)',
        '"ones": torch.zeros_like(p)',
        partial(check_unnamed, case="first ones"),
    ),
    "square without square": (
        '"square": g**2}',
        '"square": g.abs()}',
        partial(check_unnamed, case="first square"),
    ),
    "no rate in the velocity": (
        'how.momentum * state["m"] + lr * d',
        'how.momentum * state["m"] + 0.01 * d',
        partial(check_unnamed, case="rate inside"),
    ),
    "no decay after": (
        'if how.decay == "after":',
        'if how.decay == "never":',
        partial(check_unnamed, case="decay after"),
    ),
}


test_a_mistake_is_caught = mistakes(
    "course_utils.optimizers.conventions", MUTANTS, of="Conventions", match="< 1e-14"
)


def test_apart_is_zero_at_the_start_and_symmetric() -> None:
    inside = Conventions(eps_place="inside").optimizer
    one, other = (
        apart(torch.optim.RMSprop, inside, grad, ONES, 10),
        apart(inside, torch.optim.RMSprop, grad, ONES, 10),
    )
    assert one.shape == (11,)
    assert float(one[0]) == 0.0
    assert float(one[1]) > 1e-4
    assert torch.equal(one, other)


def test_apart_gives_both_rules_the_schedule() -> None:
    """SGD's steps are the gradient times the rate, so a halved rate of one alone would show."""
    rule = partial(torch.optim.SGD, lr=0.1)
    assert worst(rule, rule, schedule=halve) == 0.0
    assert worst(rule, rule) == 0.0


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    eps=st.floats(1e-10, 1e-2),
    alpha=st.floats(0.5, 0.999),
    decay=st.floats(0, 0.5),
    momentum=st.floats(0, 0.9),
)
def test_a_constant_rate_may_sit_inside_the_velocity(
    eps: float, alpha: float, decay: float, momentum: float
) -> None:
    numbers = {"eps": eps, "alpha": alpha, "weight_decay": decay, "momentum": momentum, "lr": 1e-3}
    outside, inside = Conventions(**numbers), Conventions(**numbers, rate="inside")
    assert worst(outside.optimizer, inside.optimizer, 20) < 1e-13


BAD = [
    pytest.param(
        {"eps_place": "under"}, "eps_place one of outside, inside, scaled, got eps_place='under'", id="place"
    ),
    pytest.param({"first": "zero"}, "first one of zeros, ones, square, got first='zero'", id="first"),
    pytest.param({"decay": "never"}, "decay one of gradient, before, after, got decay='never'", id="decay"),
    pytest.param({"rate": "both"}, "rate one of outside, inside, got rate='both'", id="rate"),
    pytest.param({"lr": -1.0}, "lr >= 0 and finite, got lr=-1.0", id="lr"),
    pytest.param({"eps": float("nan")}, "eps >= 0 and finite, got eps=nan", id="eps"),
    pytest.param({"alpha": 1.0}, "0 <= alpha < 1, got alpha=1.0", id="alpha"),
    pytest.param({"momentum": -0.1}, "0 <= momentum < 1, got momentum=-0.1", id="momentum"),
]


@pytest.mark.parametrize(("choice", "message"), BAD)
def test_bad_choices_say_the_rule(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Conventions(**choice)


def test_the_rule_changes_nothing_but_its_parameter() -> None:
    p = torch.nn.Parameter(ONES.clone())
    p.grad = grad(ONES)
    before = p.grad.clone()
    Conventions(weight_decay=0.1, momentum=0.9).optimizer([p]).step()
    assert torch.equal(p.grad, before)
    assert not torch.equal(p.detach(), ONES)


# name -> bounds of the largest distance over 100 steps
EXPECTED = {
    "nothing": (0.0, 1e-14),
    "place of ε": (0.1, 1.0),
    "ε, corrected": (1e-6, 1e-3),
    "first buffer": (0.1, 1.0),
    "decay order": (1e-5, 1e-2),
    "rate in velocity": (0.0, 1e-14),
    "the same, η halved": (0.01, 1.0),
}


def test_the_table_has_the_rows_that_are_expected() -> None:
    assert [pair.name for pair in TABLE] == list(EXPECTED)


@pytest.mark.parametrize("pair", TABLE, ids=lambda pair: pair.name)
def test_each_row_of_the_table_is_as_far_apart_as_it_says(pair: conventions.Pair) -> None:
    low, high = EXPECTED[pair.name]
    distance = pair.apart(grad, ONES, 100)
    assert low <= float(distance.max()) <= high
    if pair.halve_at is not None:
        assert float(distance[: pair.halve_at + 1].max()) < 1e-14
        assert float(distance[pair.halve_at + 1]) > 0.01


def test_the_page_names_the_versions_that_it_is_run_with() -> None:
    project = Path(__file__).parents[2]
    page = (project / "docs" / "conventions.md").read_text(encoding="utf-8").replace("-", "").lower()
    pins = (project / "tests" / "nightly" / "frameworks.txt").read_text(encoding="utf-8")
    found = re.findall(r"^([a-z-]+)(?:\[cpu\])?==(.+)$", pins, re.MULTILINE)
    assert len(found) == 5
    for name, version in found:
        assert f"{name.replace('-', '')} {version}" in page
