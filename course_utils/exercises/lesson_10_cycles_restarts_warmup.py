"""Exercises of lesson 10: why go up before going down?"""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

# --- 1 · a linear warm-up --------------------------------------------------------------------------


def warmup(t: int, n: int) -> float:
    return min(1.0, (t + 1) / n)


def _from_zero(t: int, n: int) -> float:
    return min(1.0, t / n)


def _unbounded(t: int, n: int) -> float:
    return (t + 1) / n


def _one_late(t: int, n: int) -> float:
    return min(1.0, (t + 1) / (n + 1))


def _zero_for_ever(t: int, n: int) -> float:
    return float(t // n > 0)


def _falling(t: int, n: int) -> float:
    return max(0.0, 1 - t / n)


# --- 2 · a triangle --------------------------------------------------------------------------------


def triangle(t: int, rise: int, floor: float) -> float:
    phase = t % (2 * rise)
    height = 1 - abs(phase / rise - 1)
    return floor + (1 - floor) * height


def _sawtooth(t: int, rise: int, floor: float) -> float:
    return floor + (1 - floor) * (t % rise) / rise


def _floor_added(t: int, rise: int, floor: float) -> float:
    return floor + triangle(t, rise, 0.0)


def _floor_cuts(t: int, rise: int, floor: float) -> float:
    return max(floor, triangle(t, rise, 0.0))


def _upside_down(t: int, rise: int, floor: float) -> float:
    return floor + (1 - floor) * abs(t % (2 * rise) / rise - 1)


def _twice_too_fast(t: int, rise: int, floor: float) -> float:
    return floor + (1 - floor) * (1 - abs(2 * (t % rise) / rise - 1))


def _once_only(t: int, rise: int, floor: float) -> float:
    return floor + (1 - floor) * max(0.0, 1 - abs(t / rise - 1))


# --- 3 · the clock of the restarts -----------------------------------------------------------------

Clock = tuple[int, int, int]


def clock(t: int, period: int, mult: int) -> Clock:
    restarts = 0
    while t >= period:
        t -= period
        period *= mult
        restarts += 1
    return restarts, t, period


def _one_late_clock(t: int, period: int, mult: int) -> Clock:
    restarts = 0
    while t > period:
        t -= period
        period *= mult
        restarts += 1
    return restarts, t, period


def _not_reset(t: int, period: int, mult: int) -> Clock:
    restarts, _, length = clock(t, period, mult)
    return restarts, t, length


def _equal_periods(t: int, period: int, mult: int) -> Clock:
    return t // period, t % period, period


def _grows_first(t: int, period: int, mult: int) -> Clock:
    restarts = 0
    while t >= period:
        period *= mult
        t -= min(t, period)
        restarts += 1
    return restarts, t, period


def _first_period_subtracted(t: int, period: int, mult: int) -> Clock:
    first, restarts = period, 0
    while t >= period:
        t -= first
        period *= mult
        restarts += 1
    return restarts, t, period


# --- 4 · warm-up, stable, decay --------------------------------------------------------------------


def stable_then_down(t: int, total: int, warmup: int, decay: int) -> float:
    return max(0.0, min((t + 1) / warmup, 1.0, (total - t) / decay))


def _no_plateau(t: int, total: int, warmup: int, decay: int) -> float:
    """Down from the end of the warm-up on."""
    return max(0.0, min((t + 1) / warmup, (total - t) / (total - warmup)))


def _decay_from_warmup(t: int, total: int, warmup: int, decay: int) -> float:
    """The decay begins when the warm-up ends."""
    return max(0.0, min((t + 1) / warmup, 1.0, (warmup + decay - t) / decay))


def _negative(t: int, total: int, warmup: int, decay: int) -> float:
    return min((t + 1) / warmup, 1.0, (total - t) / decay)


def _zero_at_last(t: int, total: int, warmup: int, decay: int) -> float:
    return max(0.0, min((t + 1) / warmup, 1.0, (total - 1 - t) / decay))


def _starts_at_zero(t: int, total: int, warmup: int, decay: int) -> float:
    return max(0.0, min(t / warmup, 1.0, (total - t) / decay))


def _warmup_on_top(t: int, total: int, warmup: int, decay: int) -> float:
    return stable_then_down(t, total + warmup, warmup, decay)


# --- 5 · reading a range test ----------------------------------------------------------------------


def read_range_test(rates: Tensor, losses: Tensor, beta: float) -> float:
    m, smooth = torch.zeros((), dtype=losses.dtype), []
    for t, loss in enumerate(losses, start=1):
        m = beta * m + (1 - beta) * loss
        smooth.append(m / (1 - beta**t))
    return rates[torch.stack(smooth).argmin()].item()


def _tenth(rates: Tensor, losses: Tensor, beta: float) -> float:
    return read_range_test(rates, losses, beta) / 10


def _one_step_late(rates: Tensor, losses: Tensor, beta: float) -> float:
    """Corrected by 1 - beta**t with t from 0, the first step left out, and the index not moved back."""
    m, smooth = torch.zeros((), dtype=losses.dtype), []
    for t, loss in enumerate(losses):
        m = beta * m + (1 - beta) * loss
        if t > 0:
            smooth.append(m / (1 - beta**t))
    return rates[torch.stack(smooth).argmin()].item()


def _not_smoothed(rates: Tensor, losses: Tensor, beta: float) -> float:
    return rates[losses.argmin()].item()


def _not_corrected(rates: Tensor, losses: Tensor, beta: float) -> float:
    m, smooth = torch.zeros((), dtype=losses.dtype), []
    for loss in losses:
        m = beta * m + (1 - beta) * loss
        smooth.append(m)
    return rates[torch.stack(smooth).argmin()].item()


def _beta_swapped(rates: Tensor, losses: Tensor, beta: float) -> float:
    return read_range_test(rates, losses, 1 - beta)


def _last_rate(rates: Tensor, losses: Tensor, beta: float) -> float:
    return rates[-1].item()


def _steepest(rates: Tensor, losses: Tensor, beta: float) -> float:
    return rates[losses.diff().argmin()].item()


def _tests() -> Inputs:
    generator = torch.Generator().manual_seed(10)
    x = torch.linspace(0, 1, 60, dtype=torch.float64)

    def curve(turn: float, noise: float) -> Tensor:
        clean = 2.3 - 1.5 * x + 40 * (x - turn).clamp(min=0) ** 2
        return clean + noise * torch.randn(60, generator=generator, dtype=torch.float64)

    rates = torch.logspace(-4, 1, 60, dtype=torch.float64)
    cases = ((0.5, 0.3, 0.9), (0.6, 0.1, 0.8), (0.5, 0.3, 0.6), (0.6, 0.3, 0.7), (0.5, 0.4, 0.8))
    return tuple((rates, curve(turn, noise), beta) for turn, noise, beta in cases)


# --- 6 · the catapult ------------------------------------------------------------------------------


def catapult(f: float, lam: float, lr: float, n: int) -> tuple[float, float]:
    return (
        f * (1 - lr * lam + lr**2 * f**2 / n),
        lam + lr * f**2 / n * (lr * lam - 4),
    )


def _curvature_fixed(f: float, lam: float, lr: float, n: int) -> tuple[float, float]:
    return f * (1 - lr * lam), lam


def _first_order(f: float, lam: float, lr: float, n: int) -> tuple[float, float]:
    return f * (1 - lr * lam), lam - 4 * lr * f**2 / n


def _one_layer_moves(f: float, lam: float, lr: float, n: int) -> tuple[float, float]:
    """As if |v|² were λn/2 and v stood still: f moves by half, λ by the change of |u|² alone."""
    return f * (1 - lr * lam / 2), lam + lr * f**2 / n * (lr * lam / 2 - 2)


def _new_f_in_lam(f: float, lam: float, lr: float, n: int) -> tuple[float, float]:
    new, _ = catapult(f, lam, lr, n)
    return new, lam + lr * new**2 / n * (lr * lam - 4)


def _no_width(f: float, lam: float, lr: float, n: int) -> tuple[float, float]:
    return catapult(f, lam, lr, 1)


def _one_after_the_other(f: float, lam: float, lr: float, n: int) -> tuple[float, float]:
    """u first, then v with the gradient at the new u, from |u|² = |v|² = λn/2."""
    after_u = f * (1 - lr * lam / 2)
    uu = lam / 2 - 2 * lr * f**2 / n + lr**2 * f**2 * lam / 2 / n
    vv = lam / 2 - 2 * lr * after_u**2 / n + lr**2 * after_u**2 * uu / n
    return after_u * (1 - lr * uu), uu + vv


EXERCISES = (
    Exercise(
        "10.warmup",
        title="A linear warm-up",
        prompt="Return the share of the peak rate at step t: 1/n at the first step, 1 at the n-th and after.",
        kind="core",
        minutes=4,
        inputs=tuple((t, n) for n in (1, 5, 40) for t in (0, 1, 3, 4, 5, 39, 40, 100)),
        solution=warmup,
        wrong=(
            Wrong(_from_zero, "At step 0 your rate is zero: the first batch is computed and thrown away."),
            Wrong(_unbounded, "Your rate goes on rising after the warm-up. It has to stay at 1."),
            Wrong(_one_late, "The n-th step, t = n - 1, should be at 1. Yours gets there one step later."),
            Wrong(
                _zero_for_ever,
                "Your rate is zero for the whole warm-up: // rounds down. Division is one stroke.",
            ),
            Wrong(_falling, "This goes down from the peak. A warm-up goes up to it."),
        ),
        hints=(
            "Steps count from 0, so step t is the (t + 1)-th.",
            "Without its end it is (t + 1) / n. What stops it at 1?",
            "return min(1.0, (t + 1) / n)",
        ),
        stub='''def warmup(t, n):
    """The share of the peak at step t = 0, 1, 2, ... of a warm-up over n steps."""
    ...
''',
        note="A first step at zero costs little if n counts batches, and a whole epoch if it is stepped per epoch.",
    ),
    Exercise(
        "10.triangle",
        title="A triangle with a floor",
        prompt="From floor up to 1 in `rise` steps, down again in as many, for ever.",
        kind="core",
        minutes=6,
        inputs=tuple(
            (t, rise, floor) for rise, floor in ((4, 0.0), (5, 0.2)) for t in (0, 1, 3, 4, 6, 8, 11, 23)
        ),
        solution=triangle,
        wrong=(
            Wrong(_sawtooth, "Yours jumps back to the floor at the peak: the way down is missing."),
            Wrong(_floor_added, "With the floor added on top, your peak is 1 + floor."),
            Wrong(
                _floor_cuts,
                "You cut the triangle off below the floor: it stays there for several steps. Squeeze it instead.",
            ),
            Wrong(_upside_down, "Upside down: yours starts at the peak."),
            Wrong(_twice_too_fast, "Yours is up and down in `rise` steps. It should take `rise` each way."),
            Wrong(_once_only, "Yours has one triangle and then stays at the floor. Take t modulo the cycle."),
        ),
        hints=(
            "A cycle has 2 * rise steps: start with t % (2 * rise).",
            "|phase / rise - 1| goes from 1 to 0 and back. One minus that is the triangle from 0 to 1.",
            "return floor + (1 - floor) * (1 - abs(t % (2 * rise) / rise - 1))",
        ),
        stub='''def triangle(t, rise, floor):
    """The share of the peak at step t."""
    ...
''',
        note="torch's CyclicLR with base_lr = floor * lr, max_lr = lr and step_size_up = rise.",
    ),
    Exercise(
        "10.clock",
        title="Where in which period",
        prompt="Periods of `period`, `period * mult`, `period * mult**2`, ... steps. Return the number of restarts "
        "so far, the steps since the last one, and the length of the period that step t is in.",
        kind="core",
        minutes=8,
        inputs=tuple(
            (t, p, m) for p, m in ((10, 2), (7, 1), (3, 3)) for t in (0, 2, 3, 7, 9, 10, 11, 29, 30, 31, 75)
        ),
        solution=clock,
        wrong=(
            Wrong(
                _one_late_clock,
                "Off by one: step number `period` is the first of the next period. Yours restarts one step late, "
                "so the rate reaches its floor.",
            ),
            Wrong(
                _not_reset,
                "You count the restarts, and the clock runs on: the steps are since the start of the run. "
                "The cosine then never begins again.",
            ),
            Wrong(_equal_periods, "All your periods have the first one's length: mult is not used."),
            Wrong(
                _grows_first,
                "You lengthen the period before you take it off. The one that has just ended had the old length.",
            ),
            Wrong(
                _first_period_subtracted,
                "You take the first period's length off each time. Each period takes off its own.",
            ),
        ),
        hints=(
            "Walk through the periods: while t is past this one, leave it behind.",
            "Leaving it behind is three things, in this order: take its length off t, lengthen it, count a restart.",
            "while t >= period: t -= period; period *= mult; restarts += 1",
        ),
        stub='''def clock(t, period, mult):
    """(restarts so far, steps since the last restart, length of this period), all whole numbers."""
    ...
''',
        note="The rate is then (1 + cos(pi * steps / length)) / 2. Loshchilov & Hutter call the middle one T_cur.",
    ),
    Exercise(
        "10.stable_then_down",
        title="Warm-up, stable, decay",
        prompt="Up in a line over `warmup` steps, then 1, then down in a line over the last `decay` steps to 0 at "
        "step `total`, and 0 after.",
        kind="core",
        minutes=8,
        inputs=tuple((t, 50, 10, 20) for t in (0, 4, 9, 10, 20, 29, 30, 31, 40, 49, 50, 60, 75)),
        solution=stable_then_down,
        wrong=(
            Wrong(_no_plateau, "Your rate falls from the end of the warm-up on: the stable part is missing."),
            Wrong(
                _decay_from_warmup,
                "Your decay begins when the warm-up ends. It is the last `decay` steps before `total`.",
            ),
            Wrong(_negative, "After `total` your rate is negative, and the run climbs. Stop at 0."),
            Wrong(
                _zero_at_last, "Yours is at 0 one step early: step total - 1 should still move the weights."
            ),
            Wrong(_starts_at_zero, "At step 0 your rate is zero; the warm-up should begin at 1 / warmup."),
            Wrong(_warmup_on_top, "`total` includes the warm-up. Yours ends that many steps too late."),
        ),
        hints=(
            "Three lines: the warm-up, the 1, and the decay. The rate is the lowest of them.",
            "The line of the decay is (total - t) / decay: 1 at total - decay, 0 at total.",
            "return max(0.0, min((t + 1) / warmup, 1.0, (total - t) / decay))",
        ),
        stub='''def stable_then_down(t, total, warmup, decay):
    """The share of the peak at step t."""
    ...
''',
        note="Up to total - decay it does not depend on total: that is what makes branches possible.",
    ),
    Exercise(
        "10.read_range_test",
        title="Reading a range test",
        prompt="Smooth the losses with a bias-corrected exponential average, and return the rate m where it "
        "is lowest, as a float.",
        kind="core",
        minutes=10,
        inputs=_tests,
        solution=read_range_test,
        wrong=(
            Wrong(_tenth, "This is m / 10, a rule in wide use. Asked for is m itself."),
            Wrong(
                _one_step_late,
                "Your correction counts t from 0, where it divides by zero, so you left the first step out. Then "
                "every index is off by one. The first average has t = 1.",
            ),
            Wrong(
                _not_smoothed, "You took the lowest single loss. One lucky batch decides then: smooth first."
            ),
            Wrong(
                _not_corrected,
                "Without bias correction the average starts near zero, so its lowest point is the first step.",
            ),
            Wrong(_beta_swapped, "β and 1 - β are swapped: your average has almost no memory."),
            Wrong(_last_rate, "This is the last rate tried. Look where the smoothed loss is lowest."),
            Wrong(
                _steepest,
                "You took the largest fall from one loss to the next. That is another rule, and without smoothing "
                "it reads noise.",
            ),
        ),
        hints=(
            "The average is lesson 04's: m = beta * m + (1 - beta) * loss, and the reading is m / (1 - beta**t).",
            "t counts from 1. Collect the readings, and take .argmin() of them.",
            "Then rates[index].item().",
        ),
        stub='''def read_range_test(rates, losses, beta):
    """The rate at which the bias-corrected average of the losses is lowest."""
    ...
''',
        note="The average lags behind, so its lowest point comes a little after the loss has turned.",
    ),
    Exercise(
        "10.catapult",
        title="The catapult",
        prompt="The output is f = u·v/√n, the loss f²/2, and λ = (|u|² + |v|²)/n. Return f and λ after one step of "
        "gradient descent on u and v together.",
        kind="extra",
        minutes=25,
        inputs=((1.0, 2.0, 0.5, 16), (-3.0, 1.5, 1.8, 64), (4.0, 2.5, 1.2, 8), (0.5, 4.0, 1.1, 4)),
        solution=catapult,
        wrong=(
            Wrong(
                _curvature_fixed,
                "This is a quadratic: λ never changes. Here u and v move, and λ is made of their lengths.",
            ),
            Wrong(
                _first_order,
                "You kept the terms in lr and dropped those in lr². They are what ends the catapult.",
            ),
            Wrong(
                _one_layer_moves,
                "Only one layer moves in yours. Both u and v take their step.",
            ),
            Wrong(_new_f_in_lam, "λ should change with the old f; you put the new one in."),
            Wrong(_no_width, "The width is missing: each f² comes with 1 / n."),
            Wrong(
                _one_after_the_other,
                "You moved v with the gradient at the new u. Both gradients are taken at the same point.",
            ),
        ),
        hints=(
            "The gradient with respect to u is f v / √n, that with respect to v is f u / √n.",
            "Multiply out (u - lr f v / √n)·(v - lr f u / √n) / √n, and use u·v = √n f.",
            "|u|² becomes |u|² - 2 lr f² + lr² f² |v|² / n. Add the same for v and divide by n.",
        ),
        stub='''def catapult(f, lam, lr, n):
    """(new f, new lam) after one step of gradient descent with step size lr."""
    ...
''',
        note="λ falls as long as lr < 4 / λ. Between 2 / λ and 4 / λ the loss rises first, λ falls, and when it is "
        "below 2 / lr the loss comes down: Lewkowycz et al. (2020).",
    ),
)

QUIZZES = (
    Quiz(
        "10.who_needs_it",
        "Two nets of the same shape, trained with SGD. One starts from large weights, the other from PyTorch's default. "
        "Each fails beyond some peak rate. You add 40 steps of linear warm-up. Whose limit rises?",
        (
            (
                "Both: small steps at the start are safer",
                "They are safer at the start. But the peak comes in the end, and it is too high then if the "
                "curvature is no lower by that time.",
                False,
            ),
            (
                "That of the net with large weights",
                "It starts where the loss is sharply curved and walks to flatter ground. The other starts flat and "
                "becomes sharper: its trouble comes later, warm-up or not.",
                True,
            ),
            (
                "That of the net with PyTorch's default",
                "Its curvature is low at the start, so its first steps are no danger.",
                False,
            ),
            (
                "Neither: the limit is set by the peak",
                "On a quadratic, yes. The curvature of a net changes while it trains.",
                False,
            ),
        ),
    ),
    Quiz(
        "10.after_restart",
        "A run with cosine decay has come to rest at the end of its period, and the rate jumps back to the peak. What "
        "does the validation loss do?",
        (
            (
                "It goes on falling: a larger rate learns faster",
                "At the end of the period the weights lie low in a narrow place, and the long steps throw them out.",
                False,
            ),
            (
                "It jumps up, and by the end of the next period is lower than before",
                "The long steps undo the last part of the descent. Most of what was learned stays.",
                True,
            ),
            (
                "It jumps up, and training has to start anew",
                "It jumps, but not to where it began: the weights are still near good ones.",
                False,
            ),
        ),
    ),
)
