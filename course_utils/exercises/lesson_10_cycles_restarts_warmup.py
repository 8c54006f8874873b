"""Exercises of lesson 10: why go up before going down?"""

from __future__ import annotations

import math

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

# --- 1 · warm-up, stable, decay --------------------------------------------------------------------


def stable_then_down(t: int, total: int, warmup: int, decay: int) -> float:
    up = (t + 1) / warmup if warmup > 0 else 1.0
    return max(0.0, min(up, 1.0, (total - t) / decay))


def _no_plateau(t: int, total: int, warmup: int, decay: int) -> float:
    """Down from the end of the warm-up on."""
    return stable_then_down(t, total, warmup, max(total - warmup, 1))


def _decay_from_warmup(t: int, total: int, warmup: int, decay: int) -> float:
    """The decay begins when the warm-up ends."""
    return stable_then_down(t, warmup + decay, warmup, decay)


def _negative(t: int, total: int, warmup: int, decay: int) -> float:
    up = (t + 1) / warmup if warmup > 0 else 1.0
    return min(up, 1.0, (total - t) / decay)


def _zero_at_last(t: int, total: int, warmup: int, decay: int) -> float:
    return stable_then_down(t, total, warmup, decay) and stable_then_down(
        t, total - (t >= total - decay), warmup, decay
    )


def _starts_at_zero(t: int, total: int, warmup: int, decay: int) -> float:
    up = t / warmup if warmup > 0 else 1.0
    return max(0.0, min(up, 1.0, (total - t) / decay))


def _warmup_on_top(t: int, total: int, warmup: int, decay: int) -> float:
    return stable_then_down(t, total + warmup, warmup, decay)


def _climb_wins(t: int, total: int, warmup: int, decay: int) -> float:
    """Branches of an if, the climb first: where both lines are below 1 the climb counts."""
    if t < warmup:
        return (t + 1) / warmup
    return max(0.0, min(1.0, (total - t) / decay))


def _decay_wins(t: int, total: int, warmup: int, decay: int) -> float:
    """Branches of an if, the decay first: from total - decay on the climb is forgotten."""
    if t >= total - decay:
        return max(0.0, (total - t) / decay)
    return stable_then_down(t, total, warmup, decay)


_SCHEDULES = tuple(
    (t, total, warmup, decay)
    for total, warmup, decay in ((50, 10, 20), (12, 0, 12), (20, 16, 10), (30, 1, 1), (9, 20, 3))
    for t in (0, 1, 4, 9, 10, 11, 13, 15, 19, 20, 29, 30, 31, 40, 49, 50, 75)
)

# --- 2 · this run is broken ------------------------------------------------------------------------

FAULTS = ("none", "zero start", "per epoch", "rises again", "on top")


def name_fault(rates: list[float], peak: float, n: int, total: int, epoch: int) -> str:
    def right(t: int) -> float:
        if t < n:
            return (t + 1) / n
        return (1 + math.cos(math.pi * (t - n) / (total - n))) / 2 if t < total else 0.0

    def share(fault: str, t: int) -> float:
        if fault == "zero start":
            return t / n if t < n else right(t)
        if fault == "per epoch":
            return right(t // epoch)
        if fault == "rises again" and t >= n:
            return (1 + math.cos(math.pi * (t - n) / (total - n))) / 2
        if fault == "on top" and t >= n:
            return (1 + math.cos(math.pi * min((t - n) / total, 1))) / 2
        return right(t)

    def distance(fault: str) -> float:
        return sum((rate - peak * share(fault, t)) ** 2 for t, rate in enumerate(rates))

    return min(("none", "zero start", "per epoch", "rises again", "on top"), key=distance)


def _by_first_rate(rates: list[float], peak: float, n: int, total: int, epoch: int) -> str:
    """Zero at first: zero start; the second as the first: per epoch; the rest by the end."""
    if rates[0] == 0:
        return "zero start"
    if len(rates) > 1 and rates[0] == rates[1]:
        return "per epoch"
    return "none" if abs(rates[-1]) < 0.01 * peak else "rises again"


def _in_shares(rates: list[float], peak: float, n: int, total: int, epoch: int) -> str:
    return name_fault(rates, 1.0, n, total, epoch)


def _by_when_peak(rates: list[float], peak: float, n: int, total: int, epoch: int) -> str:
    """By the batch that first has the highest rate, and by the end."""
    first = rates.index(max(rates))
    if first > n:
        return "per epoch"
    if first == n:
        return "zero start"
    return "none" if rates[-1] < 0.01 * peak else "rises again"


def _by_last(rates: list[float], peak: float, n: int, total: int, epoch: int) -> str:
    made = {fault: _trace(fault, peak, n, total, epoch, len(rates)) for fault in FAULTS}
    return min(FAULTS, key=lambda fault: abs(made[fault][-1] - rates[-1]))


def _trace(fault: str, peak: float, n: int, total: int, epoch: int, length: int) -> list[float]:
    """The rates that a fault makes, written apart from the solution: as a loop over batches."""
    found = []
    for batch in range(length):
        t = batch // epoch if fault == "per epoch" else batch
        if t < n:
            up = t if fault == "zero start" else t + 1
            found.append(peak * up / n)
            continue
        period = total if fault == "on top" else total - n
        done = (t - n) / period
        if fault != "rises again":
            done = min(done, 1.0)
        found.append(peak * (0.5 + 0.5 * math.cos(math.pi * done)))
    return found


def _traces() -> Inputs:
    settings = (
        (0.1, 10, 60, 20, 80),
        (2.0, 5, 40, 7, 60),
        (0.003, 20, 50, 4, 90),
        (1.0, 1, 30, 10, 45),
        (0.5, 12, 64, 16, 12),
    )
    cases = []
    for peak, n, total, epoch, length in settings:
        # while it climbs only two faults leave a trace; of the others no one can tell which it is
        shown = ("zero start", "per epoch") if n == length else FAULTS
        cases += [(_trace(fault, peak, n, total, epoch, length), peak, n, total, epoch) for fault in shown]
    # one epoch of a flat climb: a step that grows by parts of an epoch is not what was logged
    cases.append((_trace("per epoch", 1.0, 1, 100, 10, 10), 1.0, 1, 100, 10))
    return tuple(cases)


# --- 3 · choose the warm-up ------------------------------------------------------------------------


def shortest_warmup(peak: float, start: float, steps: int) -> int:
    def safe(n: int) -> bool:
        p = start
        for t in range(steps):
            rate = peak * min(1.0, (t + 1) / n) if n > 0 else peak
            new = p - rate * p**3
            if abs(new) >= abs(p):
                return False
            p = new
        return True

    n = 0
    while not safe(n):
        n += 1
    return n


def _proved(peak: float, start: float, steps: int) -> int:
    return math.ceil(peak * start**2)


def _measured_rule(peak: float, start: float, steps: int) -> int:
    return 0 if peak * start**2 < 2 else math.ceil(peak * start**2 / 1.72)


def _first_step_only(peak: float, start: float, steps: int) -> int:
    return shortest_warmup(peak, start, 1)


def _edge_of_curvature(peak: float, start: float, steps: int) -> int:
    """Asks that the rate stays below 2 / (3 p²)."""
    n = 0
    while True:
        p, good = start, True
        for t in range(steps):
            rate = peak * min(1.0, (t + 1) / n) if n > 0 else peak
            good = good and rate * 3 * p**2 < 2
            p = p - rate * p**3 if abs(p) < 1e6 else p
        if good:
            return n
        n += 1


def _from_zero(peak: float, start: float, steps: int) -> int:
    """A warm-up of t / n: its first step does not move, which is not closer."""
    for n in range(100_000):
        p, good = start, True
        for t in range(steps):
            rate = peak * min(1.0, t / n) if n > 0 else peak
            new = p - rate * p**3
            good = good and (abs(new) < abs(p) or rate == 0)
            p = new if abs(new) < 1e6 else p
        if good:
            return n
    return -1


def _ends_closer(peak: float, start: float, steps: int) -> int:
    """Compares the end of the run with its start, not each step."""
    n = 0
    while True:
        p = start
        for t in range(steps):
            rate = peak * min(1.0, (t + 1) / n) if n > 0 else peak
            p = p - rate * p**3 if abs(p) < 1e3 else p
        if abs(p) < abs(start):
            return n
        n += 1


# --- 4 · the catapult ------------------------------------------------------------------------------


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
        "10.stable_then_down",
        title="Warm-up, stable, decay",
        prompt="Return the share of the peak at step t as a float: (t + 1) / warmup on the way up, at most 1, and "
        "(total - t) / decay on the way down, 0 at step `total` and after. Where both lines are below 1 the lower one "
        "counts. warmup may be 0 (no climb), decay is at least 1.",
        kind="core",
        minutes=8,
        inputs=_SCHEDULES,
        solution=stable_then_down,
        wrong=(
            Wrong(_no_plateau, "Your rate falls from the end of the warm-up on: the stable part is missing."),
            Wrong(
                _decay_from_warmup,
                "Your decay begins when the warm-up ends. It is the last `decay` steps before `total`.",
            ),
            Wrong(_negative, "After `total` your rate is negative, and the run climbs the loss. Stop at 0."),
            Wrong(
                _zero_at_last, "Yours is at 0 one step early: step total - 1 should still move the weights."
            ),
            Wrong(_starts_at_zero, "At step 0 your rate is zero; the warm-up begins at 1 / warmup."),
            Wrong(_warmup_on_top, "`total` includes the warm-up. Yours ends that many steps too late."),
            Wrong(
                _climb_wins,
                "Where climb and decay overlap yours follows the climb alone. The lower of the two lines counts.",
            ),
            Wrong(
                _decay_wins,
                "Where climb and decay overlap yours follows the decay alone. The lower of the two lines counts.",
            ),
        ),
        hints=(
            "Three lines: the warm-up, the 1, and the decay. The rate is the lowest of them, and never below 0.",
            "With warmup = 0 there is no first line, and nothing to divide by.",
            "up = (t + 1) / warmup if warmup > 0 else 1.0; return max(0.0, min(up, 1.0, (total - t) / decay))",
        ),
        stub='''def stable_then_down(t, total, warmup, decay):
    """The share of the peak at step t = 0, 1, 2, ..., as a float; all arguments are ints."""
    ...
''',
        note="Up to total - decay it does not depend on total: that is what makes branches possible.",
    ),
    Exercise(
        "10.name_fault",
        title="This run is broken: find why",
        prompt="Meant is: peak `peak`, a linear warm-up over n batches, half a cosine to zero at batch `total`, zero from "
        'there on. Return the fault whose rates are nearest to those logged: "none", "zero start" (the warm-up is t / n, '
        'the cosine is right), "per epoch" (right, but its step is batch // epoch), "rises again" (the cosine goes on '
        'after `total`) or "on top" (the cosine takes `total` batches after the warm-up, then zero).',
        kind="core",
        minutes=12,
        inputs=_traces,
        solution=name_fault,
        wrong=(
            Wrong(
                _by_first_rate,
                "These are the names that the first two rates and the last one suggest. Compare whole traces.",
            ),
            Wrong(_in_shares, "These names take the peak for 1. The rates are peak * share."),
            Wrong(
                _by_when_peak,
                "These names go by when the rate is highest, and by the last one. Compare whole traces.",
            ),
            Wrong(_by_last, "These are the names that the last rate alone suggests. Compare whole traces."),
        ),
        hints=(
            "Write the schedule that was meant as a function of t, then each fault as a small change of it.",
            "per epoch: right(t // epoch). rises again: no stop at total. on top: (t - n) / total, at most 1.",
            "Sum (rate - peak * share(t))² over the batches for each fault, and return the fault with the smallest.",
        ),
        stub='''def name_fault(rates, peak, n, total, epoch):
    """The fault as a string; rates: the rates of batches 0, 1, 2, ..., a list of floats."""
    ...
''',
        note="Log the rate beside the loss: a line of code, and each of these faults is seen at a glance.",
    ),
    Exercise(
        "10.shortest_warmup",
        title="Choose the warm-up",
        prompt="A run on p**4 / 4 begins at `start` with a linear warm-up over n steps to `peak`: the rate of step t is "
        "peak * min(1, (t + 1) / n), and n = 0 is the peak at once. Return the smallest n >= 0 for which each of the first "
        "`steps` steps brings p closer to 0.",
        kind="core",
        minutes=12,
        inputs=(
            (1.5, 1.0, 50),
            (2.5, 1.0, 50),
            (20.0, 1.0, 100),
            (20.0, -1.0, 100),
            (3.0, 4.0, 200),
            (100.0, 0.9, 300),
            (100.0, 0.12, 40),
            (7.0, 2.0, 3),
            (40.0, -1.3, 1),
            # a climb that goes on beyond the peak would fail
            (3.46, 1.0, 40),
            # with the peak at once the first step comes out as far away as it began
            (8.0, -0.5, 1),
            # with one step of warm-up less the run goes out, and still ends closer than it began
            (5.3, 1.0, 2),
        ),
        solution=shortest_warmup,
        wrong=(
            Wrong(_proved, "This is the n of the proof. It is safe, and longer than it need be."),
            Wrong(
                _measured_rule,
                "This is peak * start**2 / 1.72, the rule of long climbs. For this peak and these steps try each n.",
            ),
            Wrong(
                _first_step_only,
                "The first step is safe with this n, a later one is not: the rate goes on rising.",
            ),
            Wrong(
                _edge_of_curvature,
                "This keeps the rate below 2 / (3 p²). The edge on this loss is 2 / p²: three times as high.",
            ),
            Wrong(
                _ends_closer,
                "With this n the run ends closer than it began, but one of its steps goes out. Compare each step.",
            ),
            Wrong(_from_zero, "This is for a warm-up of t / n. Here the first rate is peak / n."),
        ),
        hints=(
            "For one n, run the steps and compare abs(p) before and after each.",
            "Then try n = 0, 1, 2, ... until one is safe. The step is p - rate * p**3.",
            "A step brings p closer exactly if 0 < rate * p**2 < 2.",
        ),
        stub='''def shortest_warmup(peak, start, steps):
    """The smallest safe number of steps of warm-up, an int; peak: a float > 0, start: a float, not 0."""
    ...
''',
        note="Long climbs need about peak * start**2 / 1.72 steps, a little over half of what the proof asks for.",
    ),
    Exercise(
        "10.catapult",
        title="The catapult",
        prompt="The output is f = u·v/√n, the loss f²/2, and λ = (|u|² + |v|²)/n. Return f and λ after one step of "
        "gradient descent on u and v together with step size lr, a tuple of floats.",
        kind="extra",
        minutes=25,
        inputs=(
            (1.0, 2.0, 0.5, 16),
            (-3.0, 1.5, 1.8, 64),
            (3.0, 2.5, 1.2, 8),
            (0.5, 4.0, 1.1, 4),
            (0.0, 1.0, 3.0, 1),
            (20.0, 60.0, 0.05, 2),
        ),
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
    """(new f, new lam) after one step of gradient descent; f, lam, lr: floats, n: an int."""
    ...
''',
        note="λ falls as long as lr < 4 / λ. Between 2 / λ and 4 / λ the loss rises first, λ falls, and when it is "
        "below 2 / lr the loss comes down: Lewkowycz et al. (2020).",
    ),
)

QUIZZES = (
    Quiz(
        "10.who_bears_more",
        "Three nets, trained with SGD that goes to its peak rate and stays there. A has PyTorch's initial weights. B has "
        "large ones, and the curvature at its start is far higher. C has A's weights and inputs ten times as "
        "large, and starts tens of times as sharp as A, too. You add 40 steps of linear warm-up. Whose largest rate rises clearly?",
        (
            (
                "all three: small steps at the start are safer",
                "They are safer at the start. But the peak comes in the end, and what fails there fails with a warm-up, too.",
                False,
            ),
            (
                "B and C: they start sharp",
                "Both start sharp. But after 40 small steps C is as sharp as at its start.",
                False,
            ),
            (
                "B alone: its start is sharp, and it gets flatter on the way",
                "B walks down to flatter ground. C's inputs stay as large as they are, and its curvature comes back.",
                True,
            ),
            (
                "none: the limit is set by the peak",
                "On a quadratic, yes. The curvature of a net changes while it trains.",
                False,
            ),
        ),
    ),
    Quiz(
        "10.low_or_climbing",
        "Now leave out the climb. Net B runs for 40 steps at a tenth of its peak rate, and then goes to the peak at once. "
        "Compared with a climb of 40 steps, its largest rate is",
        (
            (
                "about the same: what counts is to begin low",
                "So one would think. But low may be too low: 40 steps at a tenth bring it only part of the way to flatter ground.",
                False,
            ),
            (
                "higher: its first steps are more careful",
                "They are. But when the peak comes, the net still stands on sharp ground.",
                False,
            ),
            (
                "clearly lower",
                "The rising rate brings the net to flatter ground in 40 steps. So does a start that is less low: the lesson tries one.",
                True,
            ),
        ),
    ),
)
