"""Exercises of lesson 09: why lower the rate?

A schedule is a function from the step or epoch t = 0, 1, 2, ... to a multiplier of the peak rate.
"""

from __future__ import annotations

import math

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

# --- 1 · milestones in epochs, steps in the loop ----------------------------------------------------


def rate_at_step(step: int, n: int, batch_size: int, milestones: list[int], gamma: float) -> float:
    epoch = step // math.ceil(n / batch_size)
    return gamma ** sum(milestone <= epoch for milestone in milestones)


def _counts_steps(step: int, n: int, batch_size: int, milestones: list[int], gamma: float) -> float:
    return gamma ** sum(milestone <= step for milestone in milestones)


def _forgets_the_short_batch(
    step: int, n: int, batch_size: int, milestones: list[int], gamma: float
) -> float:
    epoch = step // max(n // batch_size, 1)
    return gamma ** sum(milestone <= epoch for milestone in milestones)


def _one_batch_more(step: int, n: int, batch_size: int, milestones: list[int], gamma: float) -> float:
    epoch = step // (n // batch_size + 1)
    return gamma ** sum(milestone <= epoch for milestone in milestones)


def _one_epoch_late(step: int, n: int, batch_size: int, milestones: list[int], gamma: float) -> float:
    epoch = step // math.ceil(n / batch_size)
    return gamma ** sum(milestone < epoch for milestone in milestones)


def _only_once(step: int, n: int, batch_size: int, milestones: list[int], gamma: float) -> float:
    return max(rate_at_step(step, n, batch_size, milestones, gamma), min(gamma, 1.0))


def _one_step_early(step: int, n: int, batch_size: int, milestones: list[int], gamma: float) -> float:
    return rate_at_step(step + 1, n, batch_size, milestones, gamma)


# --- 2 · name the fault ----------------------------------------------------------------------------


def name_fault(rates: list[float], peak: float, size: int, gamma: float, stop: int) -> str:
    steps = range(len(rates))
    expected = {
        "none": [gamma ** (t // size) for t in steps],
        "scheduler first": [gamma ** ((t + 1) // size) for t in steps],
        "one slash": [gamma ** (t / size) for t in steps],
        "factor again": [math.prod(gamma ** (i // size) for i in range(t + 1)) for t in steps],
        "state lost": [
            gamma ** (t // size if t < stop else stop // size + (t - stop) // size) for t in steps
        ],
    }

    def gap(fault: str) -> float:
        meant = expected[fault]
        return sum(abs(math.log(rate / (peak * m))) for rate, m in zip(rates, meant, strict=True))

    return min(expected, key=gap)


_FAULTS = ("none", "scheduler first", "one slash", "factor again", "state lost")


def _used(fault: str, count: int, size: int, gamma: float, stop: int) -> list[float]:
    """The multipliers that `count` steps use."""
    made, rate = [], 1.0
    for t in range(count):
        rate *= gamma ** (t // size)
        resumed = stop // size + (t - stop) // size
        made.append(
            {
                "none": gamma ** (t // size),
                "scheduler first": gamma ** ((t + 1) // size),
                "one slash": gamma ** (t / size),
                "factor again": rate,
                "state lost": gamma ** (t // size if t < stop else resumed),
            }[fault]
        )
    return made


def _peak_forgotten(rates: list[float], peak: float, size: int, gamma: float, stop: int) -> str:
    return name_fault(rates, 1.0, size, gamma, stop)


def _by_last_rate(rates: list[float], peak: float, size: int, gamma: float, stop: int) -> str:
    last = [abs(math.log(rates[-1] / peak / _used(f, len(rates), size, gamma, stop)[-1])) for f in _FAULTS]
    return _FAULTS[min(range(5), key=lambda k: round(last[k], 6))]


def _any_fall_between(rates: list[float], peak: float, size: int, gamma: float, stop: int) -> str:
    """Only asks whether the rate falls within a stair."""
    between = any(rates[t] < rates[t - 1] * (1 - 1e-9) for t in range(1, len(rates)) if t % size)
    return "one slash" if between else "none"


def _never_resumed(rates: list[float], peak: float, size: int, gamma: float, stop: int) -> str:
    return name_fault(rates, peak, size, gamma, len(rates))


def _early_is_fine(rates: list[float], peak: float, size: int, gamma: float, stop: int) -> str:
    found = name_fault(rates, peak, size, gamma, stop)
    return "none" if found == "scheduler first" else found


def _always_a_tenth(rates: list[float], peak: float, size: int, gamma: float, stop: int) -> str:
    return name_fault(rates, peak, size, 0.1, stop)


def _traces() -> Inputs:
    def trace(fault: str, count: int, peak: float, size: int, gamma: float, stop: int) -> tuple[object, ...]:
        made = _used(fault, count, size, gamma, stop)
        return [peak * m for m in made], peak, size, gamma, stop

    return (
        trace("none", 12, 1.0, 4, 0.1, 6),
        trace("scheduler first", 12, 0.1, 4, 0.1, 6),
        trace("one slash", 10, 3.0, 5, 0.5, 7),
        trace("factor again", 9, 0.02, 3, 0.5, 4),
        trace("state lost", 20, 0.4, 6, 0.2, 10),
        trace("state lost", 14, 2.0, 5, 0.5, 3),
        trace("none", 14, 2.0, 5, 0.5, 3),
        trace("none", 8, 0.001, 3, 0.9, 7),  # all rates are near the peak
        trace("one slash", 8, 0.001, 3, 0.9, 7),
        trace("factor again", 8, 0.001, 3, 0.9, 7),
        trace("scheduler first", 8, 0.001, 3, 0.9, 7),
        trace("scheduler first", 5, 10.0, 4, 0.3, 2),
        trace("state lost", 9, 0.05, 4, 0.1, 7),
        trace("one slash", 4, 0.5, 10, 0.1, 3),  # shorter than one stair
        trace("none", 4, 0.5, 10, 0.1, 3),
        # one step off the right curve
        trace("factor again", 6, 1.0, 4, 0.5, 9),
        trace("state lost", 7, 1.0, 6, 0.5, 1),
    )


# --- 3 · choose the peak ---------------------------------------------------------------------------


def choose_peak(
    peaks: list[float], shape: list[float], curvatures: list[float], noise: list[float], start: list[float]
) -> float | None:
    def end(peak: float) -> float:
        loss = 0.0
        for lam, s2, v in zip(curvatures, noise, start, strict=True):
            for multiplier in shape:
                lr = peak * multiplier
                v = (1 - lr * lam) ** 2 * v + lr**2 * s2
            loss += lam * v / 2
        return loss

    losses = [end(peak) for peak in peaks]
    best = losses.index(min(losses))
    return peaks[best] if 0 < best < len(peaks) - 1 else None


def _end(rates: list[float], curvatures: list[float], noise: list[float], start: list[float]) -> float:
    loss = 0.0
    for lam, s2, v in zip(curvatures, noise, start, strict=True):
        for lr in rates:
            v = (1 - lr * lam) ** 2 * v + lr**2 * s2
        loss += lam * v / 2
    return loss


def _chosen(peaks: list[float], losses: list[float], *, edges: str = "") -> float | None:
    best = losses.index(min(losses))
    first, last = 0 if "left" in edges else 1, len(peaks) - (1 if "right" in edges else 2)
    return peaks[best] if first <= best <= last else None


Lists = list[float]


def _edge_passed(peaks: Lists, shape: Lists, curvatures: Lists, noise: Lists, start: Lists) -> float | None:
    losses = [_end([p * m for m in shape], curvatures, noise, start) for p in peaks]
    return _chosen(peaks, losses, edges="left right")


def _left_edge_passed(
    peaks: Lists, shape: Lists, curvatures: Lists, noise: Lists, start: Lists
) -> float | None:
    losses = [_end([p * m for m in shape], curvatures, noise, start) for p in peaks]
    return _chosen(peaks, losses, edges="left")


def _right_edge_passed(
    peaks: Lists, shape: Lists, curvatures: Lists, noise: Lists, start: Lists
) -> float | None:
    losses = [_end([p * m for m in shape], curvatures, noise, start) for p in peaks]
    return _chosen(peaks, losses, edges="right")


def _deviation(peaks: Lists, shape: Lists, curvatures: Lists, noise: Lists, start: Lists) -> float | None:
    return choose_peak(peaks, shape, curvatures, [s2**2 for s2 in noise], start)


def _for_a_constant(
    peaks: Lists, shape: Lists, curvatures: Lists, noise: Lists, start: Lists
) -> float | None:
    return choose_peak(peaks, [1.0] * len(shape), curvatures, noise, start)


def _sum_of_squares(
    peaks: Lists, shape: Lists, curvatures: Lists, noise: Lists, start: Lists
) -> float | None:
    """Minimises the sum of V instead of the loss."""
    losses = []
    for peak in peaks:
        rates = [peak * m for m in shape]
        ends = zip(curvatures, noise, start, strict=True)
        losses.append(sum(_end(rates, [lam], [s2], [v]) * 2 / lam for lam, s2, v in ends))
    return _chosen(peaks, losses)


def _lowest_on_the_way(
    peaks: Lists, shape: Lists, curvatures: Lists, noise: Lists, start: Lists
) -> float | None:
    """Takes each peak's lowest loss, after whichever step."""
    ends = range(1, len(shape) + 1)
    losses = [min(_end([p * m for m in shape[:t]], curvatures, noise, start) for t in ends) for p in peaks]
    return _chosen(peaks, losses)


def _start_forgotten(
    peaks: Lists, shape: Lists, curvatures: Lists, noise: Lists, start: Lists
) -> float | None:
    return choose_peak(peaks, shape, curvatures, noise, [1.0] * len(start))


def _steepest_alone(
    peaks: Lists, shape: Lists, curvatures: Lists, noise: Lists, start: Lists
) -> float | None:
    k = curvatures.index(max(curvatures))
    return choose_peak(peaks, shape, [curvatures[k]], [noise[k]], [start[k]])


def _peak_problems() -> Inputs:
    def line(total: int) -> list[float]:
        return [1 - t / total for t in range(total)]

    def fall(total: int, last: float) -> list[float]:
        return [last ** (t / total) for t in range(total)]

    doubling = [0.02 * 2**k for k in range(9)]
    return (
        (doubling, line(40), [1.0, 0.05], [1.0, 0.05], [10.0, 10.0]),
        (doubling, [1.0] * 40, [1.0, 0.05], [1.0, 0.05], [10.0, 10.0]),
        ([0.001, 0.003, 0.01, 0.03], line(30), [1.0, 0.1], [0.5, 0.5], [4.0, 4.0]),  # still falling
        ([0.4, 0.8, 1.6, 3.2], line(60), [2.0, 0.5], [3.0, 1.0], [0.2, 0.1]),  # rising from the first
        ([0.4, 1.0, 2.5, 6.5, 16.0], fall(50, 0.01), [1.0, 0.2, 0.02], [4.0, 0.3, 0.02], [1.0, 5.0, 60.0]),
        (
            [0.3, 0.9, 2.7, 8.1],
            fall(25, 0.1),
            [0.5, 0.1],
            [0.1, 0.1],
            [0.3, 30.0],
        ),  # best but one from the end
        ([0.02, 0.04, 0.08, 0.16, 0.32], line(10), [10.0, 3.0], [25.0, 9.0], [2.0, 0.5]),
        ([0.1, 0.3, 0.9, 1.2], [1.0, 0.5, 0.1], [1.0], [0.4], [2.0]),
        ([0.05, 0.2, 0.8, 1.5], [1.0, 0.5, 0.25, 0.1], [1.0], [9.0], [2.0]),  # best but one from the start
        # the loss rises again: its lowest on the way is at another peak
        ([0.05 * 2**k for k in range(6)], [1.0] * 5 + [3.0] * 2, [1.0, 0.2], [1.0, 0.2], [4.0, 4.0]),
        # fine grids: a small mistake chooses another peak
        ([0.1 * 1.1**k for k in range(30)], line(25), [1.0, 0.1], [2.0, 0.1], [5.0, 5.0]),
        ([0.3 * 1.07**k for k in range(40)], fall(12, 0.05), [0.8, 0.3], [0.5, 0.5], [1.0, 4.0]),
    )


# --- 4 · repair the plateau rule -------------------------------------------------------------------


def plateau(losses: list[float], patience: int, factor: float) -> list[float]:
    multiplier, best, bad, found = 1.0, math.inf, 0, []
    for loss in losses:
        if loss < best:
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            multiplier, bad = multiplier * factor, 0
        found.append(multiplier)
    return found


def _plateaued(losses: list[float], patience: int, factor: float, fault: str) -> list[float]:
    """The rule with the mistake `fault`."""
    multiplier, best, bad, found = 1.0, math.inf, 0, []
    for loss in losses:
        if fault == "before":
            found.append(multiplier)
        better = loss <= best if fault == "ties" else loss < best
        if better:
            best, bad = loss, 0
        else:
            bad += 1
        if fault == "last loss":
            best = loss
        if (bad >= patience) if fault == "one early" else (bad > patience):
            multiplier *= factor
            bad = bad if fault == "no reset" else 0
            if fault == "best forgotten":
                best = math.inf
        if fault != "before":
            found.append(multiplier)
    return found


def _last_loss(losses: list[float], patience: int, factor: float) -> list[float]:
    return _plateaued(losses, patience, factor, "last loss")


def _no_reset(losses: list[float], patience: int, factor: float) -> list[float]:
    return _plateaued(losses, patience, factor, "no reset")


def _one_early(losses: list[float], patience: int, factor: float) -> list[float]:
    return _plateaued(losses, patience, factor, "one early")


def _ties(losses: list[float], patience: int, factor: float) -> list[float]:
    return _plateaued(losses, patience, factor, "ties")


def _best_forgotten(losses: list[float], patience: int, factor: float) -> list[float]:
    return _plateaued(losses, patience, factor, "best forgotten")


def _before(losses: list[float], patience: int, factor: float) -> list[float]:
    return _plateaued(losses, patience, factor, "before")


def _as_given(losses: list[float], patience: int, factor: float) -> list[float]:
    """The code of the notebook, with both of its faults."""
    multiplier, last, bad, found = 1.0, math.inf, 0, []
    for loss in losses:
        bad = 0 if loss < last else bad + 1
        last = loss
        if bad > patience:
            multiplier *= factor
        found.append(multiplier)
    return found


# --- 5 · when to drop ------------------------------------------------------------------------------


def best_drop(rate: float, total: int, curvatures: list[float], noise: list[float]) -> int:
    def end(drop: int) -> float:
        loss = 0.0
        for lam, s2 in zip(curvatures, noise, strict=True):
            v = 1.0
            for t in range(total):
                lr = rate if t < drop else rate / 10
                v = (1 - lr * lam) ** 2 * v + lr**2 * s2
            loss += lam * v / 2
        return loss

    return min(range(total + 1), key=end)


def _greedy_drop(rate: float, total: int, curvatures: list[float], noise: list[float]) -> int:
    """The first step at which the small rate gives the lower loss after that step."""
    ones = [1.0] * len(noise)
    for t in range(total):
        ends = [_end([*[rate] * t, lr], curvatures, noise, ones) for lr in (rate / 10, rate)]
        if ends[0] < ends[1]:
            return t
    return total


def _last_step_large(rate: float, total: int, curvatures: list[float], noise: list[float]) -> int:
    """One less than the best: names the last step at the large rate."""
    return best_drop(rate, total, curvatures, noise) - 1


def _steepest_only(rate: float, total: int, curvatures: list[float], noise: list[float]) -> int:
    k = curvatures.index(max(curvatures))
    return best_drop(rate, total, [curvatures[k]], [noise[k]])


def _no_weights(rate: float, total: int, curvatures: list[float], noise: list[float]) -> int:
    """Minimises the sum of V instead of the loss."""

    def end(drop: int) -> float:
        rates = [rate] * drop + [rate / 10] * (total - drop)
        pairs = zip(curvatures, noise, strict=True)
        return sum(_end(rates, [lam], [s2], [1.0]) * 2 / lam for lam, s2 in pairs)

    return min(range(total + 1), key=end)


def _noise_squared(rate: float, total: int, curvatures: list[float], noise: list[float]) -> int:
    return best_drop(rate, total, curvatures, [s2**2 for s2 in noise])


def _halfway(rate: float, total: int, curvatures: list[float], noise: list[float]) -> int:
    return total // 2


def _drops() -> Inputs:
    return (
        (0.5, 60, [1.0, 0.03], [1.0, 0.03]),
        (0.4, 80, [1.0, 0.2, 0.02], [0.5, 0.1, 0.01]),
        (0.9, 50, [1.0, 0.05], [0.1, 0.005]),
        (0.2, 25, [3.0, 0.4], [9.0, 2.0]),
        (0.3, 12, [0.5], [0.0]),  # no noise: never
        (1.0, 9, [1.0], [50.0]),  # noise alone: at once
    )


# --- 6 · towards research: a larger batch instead --------------------------------------------------


def batch_instead(
    rate: float,
    before: int,
    after: int,
    factor: int,
    curvatures: list[float],
    noise: list[float],
    start: list[float],
) -> float:
    lower_rate = larger_batch = 0.0
    for lam, s2, v in zip(curvatures, noise, start, strict=True):
        for _ in range(before):
            v = (1 - rate * lam) ** 2 * v + rate**2 * s2
        a = b = v
        for _ in range(after * factor):
            a = (1 - rate / factor * lam) ** 2 * a + (rate / factor) ** 2 * s2
        for _ in range(after):
            b = (1 - rate * lam) ** 2 * b + rate**2 * s2 / factor
        lower_rate += lam * a / 2
        larger_batch += lam * b / 2
    return larger_batch / lower_rate


def _instead(
    rate: float,
    before: int,
    after: int,
    factor: int,
    curvatures: Lists,
    noise: Lists,
    start: Lists,
    fault: str,
) -> float:
    """The two losses under the mistake `fault`, as a ratio."""
    steps = after if fault == "equal steps" else after * factor
    ends = [0.0, 0.0]
    for lam, s2, v in zip(curvatures, noise, start, strict=True):
        head = [rate] * (0 if fault == "no start" else before)
        weight = 2 / lam if fault == "no weights" else 1.0
        middle = 2 * _end(head, [lam], [s2], [v]) / lam
        small = s2 / factor**2 if fault == "deviation" else s2 / factor
        ends[0] += weight * _end([rate / factor] * steps, [lam], [s2], [middle])
        ends[1] += weight * _end(
            [rate] * after, [lam], [s2 if fault == "batch as before" else small], [middle]
        )
    return ends[0] / ends[1] if fault == "upside down" else ends[1] / ends[0]


def _equal_steps(rate: float, before: int, after: int, factor: int, c: Lists, n: Lists, s: Lists) -> float:
    return _instead(rate, before, after, factor, c, n, s, "equal steps")


def _no_start(rate: float, before: int, after: int, factor: int, c: Lists, n: Lists, s: Lists) -> float:
    return _instead(rate, before, after, factor, c, n, s, "no start")


def _deviation_divided(
    rate: float, before: int, after: int, factor: int, c: Lists, n: Lists, s: Lists
) -> float:
    return _instead(rate, before, after, factor, c, n, s, "deviation")


def _batch_as_before(
    rate: float, before: int, after: int, factor: int, c: Lists, n: Lists, s: Lists
) -> float:
    return _instead(rate, before, after, factor, c, n, s, "batch as before")


def _no_curvature(rate: float, before: int, after: int, factor: int, c: Lists, n: Lists, s: Lists) -> float:
    return _instead(rate, before, after, factor, c, n, s, "no weights")


def _upside_down(rate: float, before: int, after: int, factor: int, c: Lists, n: Lists, s: Lists) -> float:
    return _instead(rate, before, after, factor, c, n, s, "upside down")


EXERCISES = (
    Exercise(
        "09.rate_at_step",
        title="Milestones in epochs, steps in the loop",
        prompt="A paper gives its milestones in epochs; your loop counts optimizer steps from 0. Return the "
        "multiplier at `step`, with n examples in batches of batch_size and the short last batch kept.",
        kind="core",
        minutes=8,
        inputs=(
            (0, 100, 10, [2, 4], 0.1),
            (19, 100, 10, [2, 4], 0.1),
            (20, 100, 10, [2, 4], 0.1),
            (45, 100, 10, [2, 4], 0.1),
            (8, 100, 32, [2, 3], 0.1),
            (7, 105, 32, [2, 3], 0.5),
            (6, 100, 32, [2, 3], 0.1),
            (5, 3, 8, [2, 5, 9], 0.3),  # a batch holds more than all
            (77, 50, 7, [], 0.1),
            (300, 50, 7, [1, 2, 3, 30, 40], 0.2),
        ),
        solution=rate_at_step,
        wrong=(
            Wrong(
                _counts_steps,
                "Milestones in epochs are compared with steps, so the rate falls too soon. How many steps does an "
                "epoch have?",
            ),
            Wrong(
                _forgets_the_short_batch,
                "These rates fall too soon where the last batch is short. It takes a step as well: an epoch of 100 "
                "in batches of 32 has 4 steps.",
            ),
            Wrong(
                _one_batch_more,
                "These rates fall too late where no batch is short: an epoch of 100 in batches of 10 has 10 steps.",
            ),
            Wrong(
                _one_epoch_late,
                "One epoch late: the rate is low from the first step of the milestone's epoch on.",
            ),
            Wrong(_only_once, "The first milestone alone counts here. Each one reached multiplies by gamma."),
            Wrong(
                _one_step_early,
                "One step early, as if steps counted from 1. Step 20 is the first of epoch 2 when an epoch has 10 steps.",
            ),
        ),
        hints=(
            "Which epoch, counted from 0, does the step belong to?",
            "An epoch has ceil(n / batch_size) steps; the milestones reached are those <= the epoch.",
            "epoch = step // math.ceil(n / batch_size); gamma ** sum(m <= epoch for m in milestones)",
        ),
        stub='''def rate_at_step(step, n, batch_size, milestones, gamma):
    """The multiplier at optimizer step `step`, a float; milestones: a list of epochs, rising. All count from 0."""
    ...
''',
        note="`MultiStepLR(optimizer, milestones)` with `scheduler.step()` once an epoch does this.",
    ),
    Exercise(
        "09.name_fault",
        title="This run is broken: find why",
        prompt="Stairs were meant: peak * gamma ** (t // size) at step t = 0, 1, 2, ... Given the rates that the "
        'steps used, return the fault: "none", "scheduler first", "one slash", "factor again" or "state lost" '
        "(the run was stopped before step `stop` and went on with the rate that it had, and a scheduler that "
        "counts from 0). Floats are not exact: return the fault whose rates are nearest.",
        kind="core",
        minutes=12,
        inputs=_traces,
        solution=name_fault,
        wrong=(
            Wrong(
                _peak_forgotten,
                "These names go with a peak of 1. The rates are the peak times a multiplier.",
            ),
            Wrong(
                _by_last_rate, "These are the names that the last rate alone suggests. Compare whole runs."
            ),
            Wrong(
                _any_fall_between,
                "These names ask only whether the rate falls within a stair. Each fault has a curve of its own: "
                "compute all five.",
            ),
            Wrong(
                _never_resumed,
                "No run of yours has lost its state. After `stop` the stairs would be counted from 0 again, from "
                "the rate that was reached.",
            ),
            Wrong(
                _early_is_fine,
                "A run whose rates all come one step early passes for a good one here.",
            ),
            Wrong(_always_a_tenth, "These names go with gamma = 0.1. Each run has a gamma of its own."),
        ),
        hints=(
            "Write down what each of the five would use at step t, then compare with what was used.",
            "First: t + 1 for t. One slash: t / size. Again: the product of gamma ** (i // size) over i <= t. "
            "Lost: from `stop` on, stop // size + (t - stop) // size drops.",
            "Sum abs(log(rate / (peak * multiplier))) over the steps for each fault; return the name of the smallest.",
        ),
        stub='''def name_fault(rates, peak, size, gamma, stop):
    """The fault as a string; rates: floats > 0, those of steps 0, 1, ...; size, stop: ints."""
    ...
''',
        note="Log the rate that each step used: every one of these is visible in that curve.",
    ),
    Exercise(
        "09.choose_peak",
        title="Choose the peak",
        prompt="Return the peak of the list whose run has the lowest mean loss after its last step, with the rates "
        "peak * multiplier. If it is the first or the last of the list, return None: nobody knows what lies beyond.",
        kind="core",
        minutes=10,
        inputs=_peak_problems,
        solution=choose_peak,
        wrong=(
            Wrong(_edge_passed, "A best peak at an edge of the list passes here."),
            Wrong(_left_edge_passed, "A best peak at the lower end of the list passes here."),
            Wrong(_right_edge_passed, "A best peak at the upper end of the list passes here."),
            Wrong(
                _deviation,
                "These are the peaks for squares of what is given. `noise` is s² already, a variance.",
            ),
            Wrong(
                _for_a_constant,
                "These peaks suit a constant rate. Each step has the peak times its multiplier.",
            ),
            Wrong(
                _sum_of_squares,
                "These peaks have the lowest sum of V. In the loss each direction counts with λ/2.",
            ),
            Wrong(
                _lowest_on_the_way,
                "These peaks have the lowest loss after any of the steps. Compare the losses after the last.",
            ),
            Wrong(_start_forgotten, "These peaks go with V = 1 at the start. Each direction has its own."),
            Wrong(
                _steepest_alone, "These peaks suit the steepest direction alone. The loss is a sum over all."
            ),
        ),
        hints=(
            "For one peak: carry V of each direction through all steps, then add up λV/2.",
            "v = (1 - lr * lam)**2 * v + lr**2 * s2 with lr = peak * multiplier.",
            "losses = [end(peak) for peak in peaks]; best = losses.index(min(losses)); an edge is 0 or len(peaks) - 1.",
        ),
        stub='''def choose_peak(peaks, shape, curvatures, noise, start):
    """A peak (a float) or None; peaks: rising; shape: multipliers of the steps; noise: variances s²; start: V."""
    ...
''',
        note="A schedule without its own peak has not been tried: under a decay the best one is larger.",
    ),
    Exercise(
        "09.plateau",
        title="Repair the plateau rule",
        prompt="Return the multiplier in force after each loss, as a list. It is multiplied by `factor` when more than "
        "`patience` losses in a row were not below the lowest before them; then counting starts again from 0.",
        kind="core",
        minutes=8,
        inputs=(
            ([5.0, 4.0, 3.0, 3.0, 3.0, 3.0, 3.0], 2, 0.1),
            ([5.0, 6.0, 5.5, 5.2, 5.1, 5.05, 5.01], 1, 0.5),  # each lower than the last, none than the best
            ([3.0, 4.0, 2.0, 4.0, 1.0, 4.0, 4.0, 0.5], 1, 0.5),
            ([1.0] * 12, 3, 0.2),
            ([1.0, 2.0, 2.0, 2.0], 0, 0.1),
            ([2.0, 1.0, 1.5, 1.4, 1.3, 1.2, 0.9, 0.95], 2, 0.3),
            ([0.4, float("nan"), 0.3, float("nan"), float("nan"), 0.35], 1, 0.5),
            ([-1.0, -2.0, -1.5, -3.0, -2.5, -2.6, -2.7], 1, 0.1),
            ([7.0], 0, 0.5),
            ([float("nan"), float("nan"), 1.0, 0.5], 1, 0.5),
            ([], 3, 0.5),
        ),
        solution=plateau,
        wrong=(
            Wrong(_as_given, "These are the multipliers of the code as it stands, with both of its faults."),
            Wrong(
                _last_loss,
                "Each loss is compared with the one before it. Losses that creep down below an old low are "
                "no progress.",
            ),
            Wrong(
                _no_reset,
                "After a fall counting does not start again, so that the rate falls at every further loss.",
            ),
            Wrong(_one_early, "One loss early: the rate falls when *more* than `patience` were no better."),
            Wrong(_ties, "A loss equal to the lowest counts as better here."),
            Wrong(
                _best_forgotten,
                "After a fall the lowest loss is forgotten. It stays, and only the count starts again.",
            ),
            Wrong(
                _before,
                "These are the multipliers before each loss was looked at, one place late.",
            ),
        ),
        hints=(
            "Keep two things: the lowest loss so far, and how many losses since then were no better.",
            "Compare with the lowest, not with the last; after a fall set the count to 0.",
            "if loss < best: best, bad = loss, 0; else: bad += 1; if bad > patience: multiplier *= factor; bad = 0",
        ),
        stub='''def plateau(losses, patience, factor):
    """The multiplier after each loss, a list of floats; losses: floats, a NaN is never better."""
    ...
''',
        note="`ReduceLROnPlateau(optimizer, factor=factor, patience=patience, threshold=0)` does this.",
    ),
    Exercise(
        "09.best_drop",
        title="When to drop",
        prompt="A run of `total` steps at `rate`, divided by ten from step `drop` on, in several directions with V = 1 "
        "at the start. Return the drop, from 0 to total, with the lowest mean loss at the end.",
        kind="extra",
        minutes=20,
        inputs=_drops,
        solution=best_drop,
        wrong=(
            Wrong(
                _greedy_drop,
                "This is the first step at which a drop lowers the next loss. That is short-sighted: the flat "
                "directions still had a way to go at the large rate. Compare the ends.",
            ),
            Wrong(
                _last_step_large,
                "One step early: `drop` is the first step at the small rate, counted from 0.",
            ),
            Wrong(
                _steepest_only,
                "This is the drop for the steepest direction alone. The loss is a sum over all.",
            ),
            Wrong(_no_weights, "This is the drop with the lowest sum of V. Each direction counts with λ/2."),
            Wrong(_noise_squared, "This is the drop for squares of what is given. `noise` is s² already."),
            Wrong(_halfway, "Half of the run is a habit, not a minimum. Try all the drops there are."),
        ),
        hints=(
            "There are only total + 1 answers. Compute the end of each.",
            "Rates for a drop: [rate] * drop + [rate / 10] * (total - drop). Add up λV/2 over the directions.",
            "min(range(total + 1), key=end), where end(drop) carries V through all steps of each direction.",
        ),
        stub='''def best_drop(rate, total, curvatures, noise):
    """The first step at rate / 10, an int in 0 .. total; curvatures, noise (variances s²): a number a direction."""
    ...
''',
        note="The best drop comes much later than the first at which dropping lowers the next loss. Wu et al. (2018) "
        "call the haste short-horizon bias.",
    ),
    Exercise(
        "09.batch_instead",
        title="A larger batch instead?",
        prompt="Two runs share `before` steps at `rate`. Then one takes after * factor steps at rate / factor; the other "
        "takes `after` steps at `rate` with a batch `factor` times as large, which divides the variance of the noise by "
        "`factor`. Return the second one's mean loss at the end over the first one's.",
        kind="extra",
        minutes=20,
        inputs=(
            (0.5, 20, 5, 10, [1.0, 0.05], [1.0, 0.05], [10.0, 10.0]),
            (0.1, 50, 20, 4, [1.0, 0.2], [0.5, 2.0], [1.0, 3.0]),
            (1.5, 3, 2, 3, [1.0, 0.3, 0.01], [0.2, 0.1, 0.4], [0.1, 5.0, 40.0]),
            (0.02, 0, 30, 2, [8.0], [3.0], [0.7]),
            (0.3, 10, 4, 1, [2.0, 0.1], [1.0, 1.0], [1.0, 1.0]),
        ),
        solution=batch_instead,
        wrong=(
            Wrong(
                _equal_steps,
                "Here both take `after` steps. The run at the lower rate takes `factor` times as many, so that both "
                "see as many examples.",
            ),
            Wrong(_no_start, "The `before` steps that both share are missing."),
            Wrong(
                _deviation_divided,
                "Here the variance is divided by factor². The mean of `factor` times as many examples has a variance "
                "that is `factor` times as small.",
            ),
            Wrong(
                _batch_as_before,
                "The second run's noise is what it was. Its batch is `factor` times as large.",
            ),
            Wrong(_no_curvature, "This is a ratio of sums of V. In the loss each direction counts with λ/2."),
            Wrong(_upside_down, "Upside down: the larger batch's loss goes above the line."),
        ),
        hints=(
            "Carry V of each direction through the steps that both share, then through each tail.",
            "Lower rate: after * factor steps with rate / factor and s². Larger batch: `after` steps with rate and s² / factor.",
            "Add up λV/2 over the directions for each run, and divide the second sum by the first.",
        ),
        stub='''def batch_instead(rate, before, after, factor, curvatures, noise, start):
    """A float; before, after, factor: ints; curvatures, noise (variances s²), start (V): a number a direction."""
    ...
''',
        note="For small rates the two are alike: expand (1 - ηλ/k)^k. The batch saves steps, and it pays where steps "
        "can be shared among devices.",
    ),
)

QUIZZES = (
    Quiz(
        "09.flat_then_drop",
        "A net trains at a constant rate, on new examples in each step. Its loss fell, and has been flat for a long "
        "time. Now you divide the rate by ten. What does the loss do in the next steps?",
        (
            (
                "Nothing: flat is flat",
                "Flat does not mean that the weights rest. They hop around, and the height of the hops is set by the "
                "rate.",
                False,
            ),
            (
                "It falls at once, then goes flat again, lower",
                "The loss at rest depends on the rate: the lower the rate, the lower the floor. The steep directions "
                "get there within a few steps. The lesson shows it on a bowl and on a net.",
                True,
            ),
            (
                "It falls ten times as slowly as before",
                "That would be so if the rate set the speed only. It sets the floor as well, and at the floor that "
                "is what counts.",
                False,
            ),
        ),
    ),
    Quiz(
        "09.early_or_late",
        "Two runs of 400 steps down the same bowl, in which the large rate needs some 100 steps until its loss is "
        "nearly flat. One divides its rate by ten at step 50, the other at step 200. Who is ahead at step 100, and "
        "who at the end?",
        (
            (
                "The early one, both times",
                "It is ahead at step 100. But at a tenth of the rate the flat directions have hardly moved since.",
                False,
            ),
            (
                "The early one at step 100, the late one at the end",
                "The drop shows its gain at once and its cost later: until step 200 the early run goes at the small "
                "rate. (From a nearer or a farther start it can be otherwise; the lesson shows both.)",
                True,
            ),
            (
                "The late one, both times",
                "At step 100 the late run still hops at the large rate, high above its floor at the small one.",
                False,
            ),
        ),
    ),
)
