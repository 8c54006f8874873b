"""Schedules: torch's value at every step, ends, bounds, composition, errors, and mutants to catch."""

from __future__ import annotations

import copy
import io
import math
import pickle
from collections.abc import Callable
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler as torch_lr

from course_utils import schedules
from course_utils.schedules import (
    abs_sine,
    constant,
    cosine_decay,
    cosine_restarts,
    exponential_decay,
    inverse_sqrt_decay,
    linear_warmup,
    multistep_decay,
    one_cycle,
    polynomial_decay,
    set_lr,
    step_decay,
    triangular,
    warmup_stable_decay,
)
from tests.mutants import mistakes

LR = 0.3
quick = settings(max_examples=40, deadline=None, derandomize=True)


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, dtype=torch.float64, requires_grad=True)], lr=LR, momentum=0.9)


def rates(make: Any, steps: int) -> list[float]:
    """The rate that the optimizer uses at steps 0 .. `steps` under the scheduler that `make` builds."""
    sgd = optimizer()
    scheduler = make(sgd)
    seen = [sgd.param_groups[0]["lr"]]
    for _ in range(steps):
        sgd.step()
        scheduler.step()
        seen.append(sgd.param_groups[0]["lr"])
    return seen


def assert_same(ours: list[float], theirs: list[float]) -> None:
    assert len(ours) == len(theirs)
    for t, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        # 1e-15 beside a peak of 0.3: torch rounds where the rate itself is zero
        assert math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-15), f"step {t}: {a!r} is not {b!r}"


def sequential(o: Any, *parts: tuple[Any, int]) -> Any:
    """torch's schedulers one after the other; each part is (scheduler, its length)."""
    milestones = np.cumsum([length for _, length in parts[:-1]]).tolist()
    return torch_lr.SequentialLR(o, [scheduler for scheduler, _ in parts], milestones)


# id: (ours from the module, torch's from an optimizer at the peak rate, last step compared)
CASES: dict[str, tuple[Any, Any, int]] = {
    "constant": (
        lambda s: s.constant(0.25),
        lambda o: torch_lr.ConstantLR(o, factor=0.25, total_iters=1000),
        20,
    ),
    "step": (lambda s: s.step_decay(7, 0.3), lambda o: torch_lr.StepLR(o, 7, 0.3), 50),
    "step-default": (lambda s: s.step_decay(3), lambda o: torch_lr.StepLR(o, 3), 12),
    "multistep": (
        lambda s: s.multistep_decay([1, 5, 20], 0.5),
        lambda o: torch_lr.MultiStepLR(o, [1, 5, 20], 0.5),
        30,
    ),
    "exponential": (lambda s: s.exponential_decay(0.9), lambda o: torch_lr.ExponentialLR(o, 0.9), 60),
    "linear": (lambda s: s.polynomial_decay(40), lambda o: torch_lr.PolynomialLR(o, 40), 60),
    "polynomial": (
        lambda s: s.polynomial_decay(40, power=2.5),
        lambda o: torch_lr.PolynomialLR(o, 40, 2.5),
        60,
    ),
    "cosine": (lambda s: s.cosine_decay(100), lambda o: torch_lr.CosineAnnealingLR(o, 100), 100),
    "cosine-floor": (
        lambda s: s.cosine_decay(37, floor=0.1),
        lambda o: torch_lr.CosineAnnealingLR(o, 37, eta_min=0.1 * LR),
        37,
    ),
    "restarts": (
        lambda s: s.cosine_restarts(10),
        lambda o: torch_lr.CosineAnnealingWarmRestarts(o, 10),
        65,
    ),
    "restarts-grow": (
        lambda s: s.cosine_restarts(5, mult=2, floor=0.05),
        lambda o: torch_lr.CosineAnnealingWarmRestarts(o, 5, 2, eta_min=0.05 * LR),
        160,
    ),
    "restarts-triple": (
        lambda s: s.cosine_restarts(1, mult=3),
        lambda o: torch_lr.CosineAnnealingWarmRestarts(o, 1, 3),
        125,
    ),
    "triangular": (lambda s: s.triangular(6), lambda o: torch_lr.CyclicLR(o, 0.0, LR, 6), 50),
    "triangular-floor": (
        lambda s: s.triangular(7, floor=0.2, step_size_down=3),
        lambda o: torch_lr.CyclicLR(o, 0.2 * LR, LR, 7, 3),
        50,
    ),
    "triangular2": (
        lambda s: s.triangular(4, floor=0.1, mode="triangular2"),
        lambda o: torch_lr.CyclicLR(o, 0.1 * LR, LR, 4, mode="triangular2"),
        50,
    ),
    "exp_range": (
        lambda s: s.triangular(5, floor=0.1, mode="exp_range", gamma=0.98),
        lambda o: torch_lr.CyclicLR(o, 0.1 * LR, LR, 5, mode="exp_range", gamma=0.98),
        50,
    ),
    "one_cycle": (lambda s: s.one_cycle(100), lambda o: torch_lr.OneCycleLR(o, LR, 100), 99),
    "one_cycle-between": (
        lambda s: s.one_cycle(37, pct_start=0.41, div_factor=10.0, final_div_factor=50.0),
        lambda o: torch_lr.OneCycleLR(o, LR, 37, pct_start=0.41, div_factor=10.0, final_div_factor=50.0),
        36,
    ),
    "one_cycle-linear": (
        lambda s: s.one_cycle(60, pct_start=0.25, anneal_strategy="linear"),
        lambda o: torch_lr.OneCycleLR(o, LR, 60, pct_start=0.25, anneal_strategy="linear"),
        59,
    ),
    "warmup-cosine": (
        lambda s: s.linear_warmup(8, s.cosine_decay(30, floor=0.01)),
        lambda o: sequential(
            o,
            (torch_lr.LinearLR(o, 1 / 8, 1.0, 7), 8),
            (torch_lr.CosineAnnealingLR(o, 30, eta_min=0.01 * LR), 30),
        ),
        38,
    ),
    "warmup-step": (
        lambda s: s.linear_warmup(5, s.step_decay(4, 0.5)),
        lambda o: sequential(o, (torch_lr.LinearLR(o, 0.2, 1.0, 4), 5), (torch_lr.StepLR(o, 4, 0.5), 30)),
        35,
    ),
    "wsd-linear": (
        lambda s: s.warmup_stable_decay(50, warmup=6, decay=20, floor=0.1),
        lambda o: sequential(
            o,
            (torch_lr.LinearLR(o, 1 / 6, 1.0, 5), 6),
            (torch_lr.ConstantLR(o, 1.0, 1000), 24),
            (torch_lr.LinearLR(o, 1.0, 0.1, 20), 20),
        ),
        60,
    ),
    "wsd-cosine": (
        lambda s: s.warmup_stable_decay(40, warmup=4, decay=10, shape="cosine"),
        lambda o: sequential(
            o,
            (torch_lr.LinearLR(o, 1 / 4, 1.0, 3), 4),
            (torch_lr.ConstantLR(o, 1.0, 1000), 26),
            (torch_lr.CosineAnnealingLR(o, 10), 10),
        ),
        40,
    ),
}


def check_torch(module: ModuleType, case: str) -> None:
    ours, theirs, steps = CASES[case]
    assert_same(rates(lambda o: torch_lr.LambdaLR(o, ours(module)), steps), rates(theirs, steps))


def like_torch(case: str) -> Callable[[ModuleType], None]:
    return lambda module: check_torch(module, case)


@pytest.mark.filterwarnings("ignore:The epoch parameter")  # SequentialLR's own call
@pytest.mark.parametrize("case", CASES)
def test_every_step_matches_torch(case: str) -> None:
    check_torch(schedules, case)


def check_abs_sine(module: ModuleType) -> None:
    s = module.abs_sine(7, floor=0.2)
    for t in range(40):
        assert s(t) == pytest.approx(0.2 + 0.8 * abs(math.sin(math.pi * t / 14)), rel=1e-12)
    assert s(7) == 1.0
    assert s(14) == s(0) == 0.2  # exactly, where sin(pi) in floats is not 0


def check_inverse_sqrt(module: ModuleType) -> None:
    """Equation 3 of Vaswani et al. for any width, divided by its own peak; their step counts from 1."""
    warmup, width = 40, 512

    def noam(step: int) -> float:
        return float(width**-0.5 * min(step**-0.5, step * warmup**-1.5))

    for t in range(200):
        assert module.inverse_sqrt_decay(warmup)(t) == pytest.approx(noam(t + 1) / noam(warmup), rel=1e-12)


def check_sqrt_fall(module: ModuleType) -> None:
    s = module.warmup_stable_decay(100, warmup=0, decay=25, floor=0.04, shape="sqrt")
    assert [s(t) for t in (0, 75)] == [1.0, 1.0]
    for t in range(75, 101):
        assert s(t) == pytest.approx(0.04 + 0.96 * (1 - math.sqrt((t - 75) / 25)), rel=1e-12)
    assert s(1000) == 0.04


def check_ends(module: ModuleType) -> None:
    """Values that follow from the definitions, exactly, at and around each boundary."""
    assert [module.linear_warmup(4, module.constant())(t) for t in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert [module.cosine_decay(10, floor=0.25)(t) for t in (0, 10, 11, 1000)] == [1.0, 0.25, 0.25, 0.25]
    assert [module.polynomial_decay(10)(t) for t in (0, 5, 10, 11, 1000)] == [1.0, 0.5, 0.0, 0.0, 0.0]
    assert [module.step_decay(3, 0.5)(t) for t in (2, 3, 5, 6)] == [1.0, 0.5, 0.5, 0.25]
    restarts = module.cosine_restarts(4, mult=2)
    assert [t for t in range(70) if restarts(t) == 1.0] == [0, 4, 12, 28, 60]
    end = 1 / (25.0 * 1e4)
    assert [module.one_cycle(100)(t) for t in (29, 99, 100, 5000)] == pytest.approx([1.0, end, end, end])
    stable = module.warmup_stable_decay(20, warmup=5, decay=10)
    assert [t for t in range(30) if stable(t) == 1.0] == list(range(4, 11))
    assert [t for t in range(30) if stable(t) == 0.0] == list(range(20, 30))


CHECKS = [check_abs_sine, check_inverse_sqrt, check_sqrt_fall, check_ends]


@pytest.mark.parametrize("check", CHECKS)
def test_closed_forms(check: Any) -> None:
    check(schedules)


# The text replaced occurs once in the module; the check named must notice.
MUTANTS = [
    pytest.param(
        "return gamma ** (t // step_size)",
        "return gamma ** ((t + 1) // step_size)",
        like_torch("step"),
        id="step-early",
    ),
    pytest.param(
        "return gamma ** (t // step_size)",
        "return gamma ** (t / step_size)",
        like_torch("step"),
        id="step-not-whole",
    ),
    pytest.param(
        "bisect_right(steps, t)", "bisect_right(steps, t - 1)", like_torch("multistep"), id="milestone-late"
    ),
    pytest.param(
        "return gamma**t\n", "return gamma ** (t + 1)\n", like_torch("exponential"), id="exponential-early"
    ),
    pytest.param(
        "(1 - min(t, total) / total)",
        "(1 - min(t, total) / (total + 1))",
        like_torch("linear"),
        id="total-plus-1",
    ),
    pytest.param(
        "_half_cosine(min(t, total) / total)",
        "_half_cosine(min(t, total) / (total - 1))",
        like_torch("cosine"),
        id="cosine-total-minus-1",
    ),
    pytest.param(
        "_half_cosine(min(t, total) / total)", "_half_cosine(t / total)", check_ends, id="rises-again"
    ),
    pytest.param("        length *= mult\n", "", like_torch("restarts-grow"), id="period-does-not-grow"),
    pytest.param("while t >= length", "while t > length", like_torch("restarts-grow"), id="restart-late"),
    pytest.param(
        "        t -= length\n", "        t -= period\n", like_torch("restarts-grow"), id="t-cur-kept"
    ),
    pytest.param("0.5**cycle", "0.5 ** (cycle + 1)", like_torch("triangular2"), id="first-cycle-halved"),
    pytest.param(
        "height *= gamma**t\n", "height *= gamma**cycle\n", like_torch("exp_range"), id="decay-by-cycle"
    ),
    pytest.param(
        "up + down - phase) / down",
        "up + down - phase) / up",
        like_torch("triangular-floor"),
        id="down-as-up",
    ),
    pytest.param(
        "pct_start * total - 1, total - 1",
        "pct_start * total, total - 1",
        like_torch("one_cycle"),
        id="peak-late",
    ),
    pytest.param(
        "total - 1, total - 1", "total - 1, total", like_torch("one_cycle"), id="one-cycle-end-late"
    ),
    pytest.param(
        "start / final_div_factor", "1 / final_div_factor", like_torch("one_cycle"), id="end-from-the-peak"
    ),
    pytest.param(
        "return (t + 1) / steps if", "return t / steps if", like_torch("warmup-cosine"), id="zero-warmup"
    ),
    pytest.param("else then(t - steps)", "else then(t)", like_torch("warmup-cosine"), id="then-not-shifted"),
    pytest.param("if t < steps else", "if t <= steps else", like_torch("warmup-step"), id="warmup-too-long"),
    pytest.param(
        "total - decay - warmup", "total - decay", like_torch("wsd-linear"), id="decay-late-by-warmup"
    ),
    pytest.param(
        "floor + (1 - floor) * height", "max(floor, height)", like_torch("cosine-floor"), id="floor-clipped"
    ),
    pytest.param("(t % period) / period", "t / period", check_abs_sine, id="sine-goes-negative"),
    pytest.param(
        "math.sqrt(warmup / (t + 1))", "math.sqrt(1 / (t + 1))", check_inverse_sqrt, id="sqrt-unscaled"
    ),
    pytest.param("return 1 - math.sqrt(u)", "return math.sqrt(1 - u)", check_sqrt_fall, id="sqrt-inside-out"),
]


test_mistakes_are_caught = pytest.mark.filterwarnings("ignore:The epoch parameter")(
    mistakes("course_utils.schedules", MUTANTS)
)


counts = st.integers(1, 60)
floors = st.floats(0, 1)
gammas = st.floats(0.05, 1)
FALLING = st.one_of(  # never rise
    st.builds(constant, floors),
    st.builds(step_decay, counts, gammas),
    st.builds(multistep_decay, st.sets(counts, max_size=5).map(sorted), gammas),
    st.builds(exponential_decay, gammas),
    st.builds(polynomial_decay, counts, power=st.floats(0.2, 4)),
    st.builds(inverse_sqrt_decay),
    st.builds(cosine_decay, counts, floor=floors),
)
MODES = st.sampled_from(["triangular", "triangular2", "exp_range"])
RISING_TOO = st.one_of(
    st.builds(inverse_sqrt_decay, counts),
    st.builds(cosine_restarts, counts, mult=st.integers(1, 3), floor=floors),
    st.builds(triangular, counts, floor=floors, mode=MODES, gamma=gammas, step_size_down=st.none() | counts),
    st.builds(abs_sine, counts, floor=floors),
    st.builds(one_cycle, st.integers(20, 90), pct_start=st.floats(0.1, 0.9), div_factor=st.floats(1, 99)),
    st.builds(
        warmup_stable_decay,
        st.integers(60, 120),
        warmup=st.integers(0, 30),
        decay=st.integers(1, 30),
        floor=floors,
        shape=st.sampled_from(["linear", "cosine", "sqrt"]),
    ),
)
ANY = st.one_of(FALLING, RISING_TOO)


@quick
@given(st.one_of(ANY, st.builds(linear_warmup, st.integers(0, 30), ANY)), st.integers(0, 400))
def test_between_0_and_1(schedule: schedules.Schedule, t: int) -> None:
    value = schedule(t)
    assert isinstance(value, float)
    assert 0.0 <= value <= 1.0


@quick
@given(FALLING)
def test_decays_start_at_the_peak_and_never_rise(schedule: schedules.Schedule) -> None:
    values = [schedule(t) for t in range(120)]
    assert values[0] in (1.0, values[-1])  # a constant is its own peak
    assert all(a >= b for a, b in pairwise(values))


@quick
@given(counts, floors)
def test_no_jumps(n: int, floor: float) -> None:
    """The smooth ones move by no more per step than the steepest slope of their formula."""
    height = 1 - floor
    steepest = {
        polynomial_decay(n): 1 / n,
        cosine_decay(n, floor=floor): height * math.pi / (2 * n),
        triangular(n, floor=floor): height / n,
        abs_sine(n, floor=floor): height * math.pi / (2 * n),
        inverse_sqrt_decay(n): 1 / n,
        linear_warmup(n, cosine_decay(n)): math.pi / (2 * n),
        warmup_stable_decay(3 * n, warmup=n, decay=n, floor=floor): 1 / n,
    }
    for schedule, slope in steepest.items():
        assert all(abs(schedule(t + 1) - schedule(t)) <= slope + 1e-12 for t in range(5 * n))


@quick
@given(counts, st.integers(0, 500), floors)
def test_cycles_repeat(n: int, t: int, floor: float) -> None:
    assert triangular(n, floor=floor)(t) == triangular(n, floor=floor)(t + 2 * n)
    assert abs_sine(n, floor=floor)(t) == abs_sine(n, floor=floor)(t + 2 * n)
    assert cosine_restarts(n, floor=floor)(t) == cosine_restarts(n, floor=floor)(t + n)


@quick
@given(st.integers(0, 30), ANY, st.integers(0, 200))
def test_warmup_then_anything(n: int, then: schedules.Schedule, t: int) -> None:
    warm = linear_warmup(n, then)
    assert warm(n + t) == then(t)
    if t < n:
        assert warm(t) == (t + 1) / n


@quick
@given(st.integers(0, 20), st.integers(1, 20), st.integers(40, 80), st.integers(40, 80))
def test_branches_share_the_stable_run(warmup: int, decay: int, one: int, other: int) -> None:
    a = warmup_stable_decay(one, warmup=warmup, decay=decay)
    b = warmup_stable_decay(other, warmup=warmup, decay=decay)
    shared = min(one, other) - decay
    assert [a(t) for t in range(shared + 1)] == [b(t) for t in range(shared + 1)]
    assert a(one - decay + 1) < 1


def test_parameter_groups_start_at_the_first_value() -> None:
    """LambdaLR multiplies each group's own rate, from before the first step."""
    p, q = (torch.zeros(1, requires_grad=True) for _ in range(2))
    adam = torch.optim.Adam([{"params": [p], "lr": 0.1}, {"params": [q], "lr": 0.4}])
    torch_lr.LambdaLR(adam, linear_warmup(4, cosine_decay(10)))
    assert [group["lr"] for group in adam.param_groups] == [0.1 / 4, 0.4 / 4]


BAD_ARGUMENTS = [
    (lambda: constant(1.5), "need 0 <= value <= 1, got value=1.5"),
    (lambda: step_decay(0), "need an integer step_size >= 1, got step_size=0"),
    (lambda: step_decay(2.0), "need an integer step_size >= 1, got step_size=2.0"),
    (lambda: step_decay(True), "need an integer step_size >= 1, got step_size=True"),
    (lambda: step_decay(3, 1.5), "need 0 < gamma <= 1, got gamma=1.5"),
    (lambda: step_decay(3, float("nan")), "need 0 < gamma <= 1, got gamma=nan"),
    (lambda: multistep_decay([5, 3]), r"need increasing milestones, got milestones=\[5, 3\]"),
    (lambda: multistep_decay([3, 3]), "need increasing milestones"),
    (lambda: multistep_decay([0, 3]), "need an integer milestone >= 1, got milestone=0"),
    (lambda: exponential_decay(0), "need 0 < gamma <= 1, got gamma=0"),
    (lambda: polynomial_decay(10, power=0), "need power > 0, got power=0"),
    (lambda: polynomial_decay(-1), "need an integer total >= 1, got total=-1"),
    (lambda: inverse_sqrt_decay(0), "need an integer warmup >= 1, got warmup=0"),
    (lambda: cosine_decay(0), "need an integer total >= 1, got total=0"),
    (lambda: cosine_decay(10, floor=-0.1), "need 0 <= floor <= 1, got floor=-0.1"),
    (lambda: cosine_decay(10, floor=2), "need 0 <= floor <= 1, got floor=2"),
    (lambda: cosine_restarts(5, mult=0), "need an integer mult >= 1, got mult=0"),
    (lambda: cosine_restarts(5, mult=1.5), "need an integer mult >= 1, got mult=1.5"),
    (lambda: triangular(5, mode="triangle"), "need mode to be one of triangular, .*got mode='triangle'"),
    (lambda: triangular(5, step_size_down=0), "need an integer step_size_down >= 1"),
    (lambda: triangular(5, gamma=0), "need 0 < gamma <= 1, got gamma=0"),
    (lambda: abs_sine(0), "need an integer step_size >= 1, got step_size=0"),
    (lambda: one_cycle(100, pct_start=1.0), "need 0 < pct_start < 1, got pct_start=1.0"),
    (lambda: one_cycle(3, pct_start=0.3), "need pct_start \\* total > 1, got pct_start=0.3, total=3"),
    (lambda: one_cycle(10, div_factor=0.5), "need div_factor >= 1, got div_factor=0.5"),
    (lambda: one_cycle(10, final_div_factor=0), "need final_div_factor >= 1, got final_div_factor=0"),
    (lambda: one_cycle(10, anneal_strategy="cosine"), 'need anneal_strategy "cos" or "linear"'),
    (lambda: linear_warmup(-1, constant()), "need an integer steps >= 0, got steps=-1"),
    (lambda: linear_warmup(5, constant), "need then: step -> float, .*call the factory"),
    (lambda: linear_warmup(5, 1.0), "need then: step -> float, got then=1.0"),
    (
        lambda: warmup_stable_decay(10, warmup=20, decay=1),
        "need 0 <= warmup < total, got warmup=20, total=10$",
    ),
    (
        lambda: warmup_stable_decay(10, warmup=5, decay=6),
        "need warmup \\+ decay <= total, got warmup=5, decay=6, total=10$",
    ),
    (lambda: warmup_stable_decay(10, warmup=5, decay=0), "need an integer decay >= 1, got decay=0"),
    (lambda: warmup_stable_decay(10, warmup=1, decay=2, shape="exp"), "need shape to be one of linear, "),
]


@pytest.mark.parametrize(("call", "message"), BAD_ARGUMENTS)
def test_impossible_arguments(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


EVERY = [
    constant(),
    step_decay(3),
    multistep_decay([3]),
    exponential_decay(0.9),
    polynomial_decay(5),
    inverse_sqrt_decay(5),
    cosine_decay(5),
    cosine_restarts(5),
    triangular(5),
    abs_sine(5),
    one_cycle(10),
    linear_warmup(5, constant()),
    warmup_stable_decay(10, warmup=2, decay=2),
]


@pytest.mark.parametrize("step", [-1, 1.0, 0.5, float("nan"), "3", None])
def test_impossible_steps(step: Any) -> None:
    for schedule in EVERY:
        with pytest.raises(ValueError, match="need an integer step >= 0, got step="):
            schedule(step)


def test_steps_may_be_numpy_integers() -> None:
    for schedule in EVERY:
        assert [schedule(t) for t in np.arange(20)] == [schedule(t) for t in range(20)]


# Copies, kinds of numbers, groups

ALL: dict[str, schedules.Schedule] = {name: make(schedules) for name, (make, _, _) in CASES.items()} | {
    "arches": abs_sine(5, floor=0.1),
    "inverse root": inverse_sqrt_decay(7),
    "root": warmup_stable_decay(40, warmup=4, decay=10, shape="sqrt"),
    "warm-up of a warm-up": linear_warmup(3, linear_warmup(4, one_cycle(30))),
}


@pytest.mark.filterwarnings("ignore:Seems like `optimizer.step")  # torch, of any scheduler that was pickled
@pytest.mark.parametrize("name", ALL)
def test_a_copy_or_a_pickle_gives_the_same_rates(name: str) -> None:
    schedule = ALL[name]
    want = [schedule(t) for t in range(70)]
    for twin in (copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))):
        assert [twin(t) for t in range(70)] == want
    scheduler = torch_lr.LambdaLR(optimizer(), schedule)
    twin = pickle.loads(pickle.dumps(scheduler))  # with its optimizer
    for each in (scheduler, twin):
        each.optimizer.step()
        each.step()
        assert each.get_last_lr() == [LR * want[1]]


@pytest.mark.parametrize("name", ALL)
def test_the_state_of_a_scheduler_can_be_read_safely_and_keeps_the_schedule_it_is_loaded_into(
    name: str,
) -> None:
    file = io.BytesIO()
    scheduler = torch_lr.LambdaLR(optimizer(), ALL[name])
    scheduler.optimizer.step()
    scheduler.step()
    torch.save(scheduler.state_dict(), file)
    file.seek(0)
    other = torch_lr.LambdaLR(optimizer(), constant(0.5))
    other.load_state_dict(torch.load(file, weights_only=True))
    other.optimizer.step()
    other.step()
    assert other.last_epoch == 2
    assert other.get_last_lr() == [LR * 0.5]


def test_whole_numbers_of_numpy_are_taken_and_rates_are_python_s() -> None:
    n = np.int64(12)
    made = [
        *(step_decay(n, np.float64(0.5)), multistep_decay(np.array([3, 5])), polynomial_decay(n)),
        *(inverse_sqrt_decay(n), cosine_decay(n, floor=np.float32(0.5)), cosine_restarts(n, mult=np.int8(2))),
        *(triangular(n, step_size_down=n), abs_sine(n), one_cycle(n), linear_warmup(n, constant())),
        warmup_stable_decay(n, warmup=np.int32(2), decay=np.int32(3)),
    ]
    for schedule in made:
        assert type(schedule(np.int64(4))) is float
    assert cosine_decay(n)(5) == cosine_decay(12)(5)
    for wrong in (True, np.bool_(True), 3.0, np.float64(3), "3", np.array([3])):
        with pytest.raises(ValueError, match="need an integer total >= 1"):
            cosine_decay(wrong)


def two_groups() -> torch.optim.Optimizer:
    p = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    return torch.optim.SGD([{"params": p[:1], "lr": 0.5}, {"params": p[1:], "lr": 0.25}])


def test_a_schedule_for_each_group_as_lambda_lr_takes_it() -> None:
    each = [cosine_decay(10), linear_warmup(4, constant())]
    ours, theirs = two_groups(), two_groups()
    scheduler = torch_lr.LambdaLR(theirs, each)
    for step in range(12):
        set_lr(ours, each if step % 2 else tuple(each), step)
        rates = [group["lr"] for group in ours.param_groups]
        assert rates == scheduler.get_last_lr()
        assert rates == [0.5 * each[0](step), 0.25 * each[1](step)]
        theirs.step()
        scheduler.step()
    with pytest.raises(
        ValueError, match="need as many schedules as groups, got schedules=3, groups=2; pass one"
    ):
        set_lr(ours, [*each, constant()], 0)


def test_a_rate_set_between_two_runs_is_the_base_of_the_second() -> None:
    """`initial_lr` of the first run is stale then; without such a change the second run begins from it."""
    sgd = two_groups()
    for step in range(11):
        set_lr(sgd, cosine_decay(10), step)
    assert [group["lr"] for group in sgd.param_groups] == [0.0, 0.0]
    saved = copy.deepcopy(sgd.state_dict())
    set_lr(sgd, constant(0.5), 0)
    assert [group["lr"] for group in sgd.param_groups] == [0.25, 0.125]
    sgd.load_state_dict(saved)
    sgd.param_groups[0]["lr"] = 2.0
    for step in range(3):
        set_lr(sgd, constant(0.5), step)
        assert [group["lr"] for group in sgd.param_groups] == [1.0, 0.125]
