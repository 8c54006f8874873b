"""Exercises of lesson 09: why lower the rate?

A schedule is a function from the step or epoch t = 0, 1, 2, ... to a multiplier of the peak rate.
"""

from __future__ import annotations

import math

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

# --- 1 · stairs ------------------------------------------------------------------------------------


def equal_steps(t: int, step_size: int, gamma: float) -> float:
    return gamma ** (t // step_size)


def _compounded(t: int, step_size: int, gamma: float) -> float:
    rate = 1.0
    for i in range(t + 1):
        rate *= gamma ** (i // step_size)
    return rate


# --- 2 · a cosine that stays down ------------------------------------------------------------------


def cosine_to_floor(t: int, total: int, floor: float) -> float:
    u = min(t, total) / total
    return floor + (1 - floor) * (1 + math.cos(math.pi * u)) / 2


def _rises_again(t: int, total: int, floor: float) -> float:
    return floor + (1 - floor) * (1 + math.cos(math.pi * t / total)) / 2


def _clipped(t: int, total: int, floor: float) -> float:
    return max(floor, (1 + math.cos(math.pi * min(t, total) / total)) / 2)


def _total_minus_one(t: int, total: int, floor: float) -> float:
    u = min(t / (total - 1), 1.0)
    return floor + (1 - floor) * (1 + math.cos(math.pi * u)) / 2


def _floor_added(t: int, total: int, floor: float) -> float:
    return floor + (1 + math.cos(math.pi * min(t, total) / total)) / 2


def _quarter(t: int, total: int, floor: float) -> float:
    return floor + (1 - floor) * math.cos(math.pi * min(t, total) / total / 2)


# --- 3 · milestones in epochs, steps in the loop ----------------------------------------------------


def rate_at_step(step: int, n: int, batch_size: int, milestones: list[int], gamma: float) -> float:
    epoch = step // math.ceil(n / batch_size)
    return gamma ** sum(milestone <= epoch for milestone in milestones)


def _counts_steps(step: int, n: int, batch_size: int, milestones: list[int], gamma: float) -> float:
    return gamma ** sum(milestone <= step for milestone in milestones)


def _forgets_the_short_batch(
    step: int, n: int, batch_size: int, milestones: list[int], gamma: float
) -> float:
    epoch = step // (n // batch_size)
    return gamma ** sum(milestone <= epoch for milestone in milestones)


def _one_epoch_late(step: int, n: int, batch_size: int, milestones: list[int], gamma: float) -> float:
    epoch = step // math.ceil(n / batch_size)
    return gamma ** sum(milestone < epoch for milestone in milestones)


def _only_once(step: int, n: int, batch_size: int, milestones: list[int], gamma: float) -> float:
    epoch = step // math.ceil(n / batch_size)
    return gamma if epoch >= milestones[0] else 1.0


def _one_step_early(step: int, n: int, batch_size: int, milestones: list[int], gamma: float) -> float:
    return rate_at_step(step + 1, n, batch_size, milestones, gamma)


# --- 4 · the loss that follows ---------------------------------------------------------------------


def loss_after(rates: list[float], curvature: float, noise: float, start: float) -> float:
    v = start
    for lr in rates:
        v = (1 - lr * curvature) ** 2 * v + lr**2 * noise
    return curvature * v / 2


def _mean_square(rates: list[float], curvature: float, noise: float, start: float) -> float:
    return 2 * loss_after(rates, curvature, noise, start) / curvature


def _factor_not_squared(rates: list[float], curvature: float, noise: float, start: float) -> float:
    v = start
    for lr in rates:
        v = (1 - lr * curvature) * v + lr**2 * noise
    return curvature * v / 2


def _rate_not_squared(rates: list[float], curvature: float, noise: float, start: float) -> float:
    v = start
    for lr in rates:
        v = (1 - lr * curvature) ** 2 * v + lr * noise
    return curvature * v / 2


def _noise_shrunk(rates: list[float], curvature: float, noise: float, start: float) -> float:
    v = start
    for lr in rates:
        v = (1 - lr * curvature) ** 2 * (v + lr**2 * noise)
    return curvature * v / 2


def _noiseless(rates: list[float], curvature: float, noise: float, start: float) -> float:
    return loss_after(rates, curvature, 0.0, start)


# --- 5 · the best next rate ------------------------------------------------------------------------


def best_next_rate(v: float, curvature: float, noise: float) -> float:
    return curvature * v / (curvature**2 * v + noise)


# --- 6 · towards research: when to drop ------------------------------------------------------------


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


def _end(rates: list[float], curvatures: list[float], noise: list[float]) -> float:
    pairs = zip(curvatures, noise, strict=True)
    return sum(loss_after(rates, lam, s2, 1.0) for lam, s2 in pairs)


def _greedy_drop(rate: float, total: int, curvatures: list[float], noise: list[float]) -> int:
    """The first step at which the small rate gives the lower loss after that step."""
    for t in range(total):
        so_far = [rate] * t
        if _end([*so_far, rate / 10], curvatures, noise) < _end([*so_far, rate], curvatures, noise):
            return t
    return total


def _last_step_large(rate: float, total: int, curvatures: list[float], noise: list[float]) -> int:
    """One more than the best: counts steps from 1."""
    return best_drop(rate, total, curvatures, noise) + 1


def _steepest_only(rate: float, total: int, curvatures: list[float], noise: list[float]) -> int:
    k = curvatures.index(max(curvatures))
    return best_drop(rate, total, [curvatures[k]], [noise[k]])


def _no_weights(rate: float, total: int, curvatures: list[float], noise: list[float]) -> int:
    """Minimises the sum of V instead of the loss."""

    def end(drop: int) -> float:
        rates = [rate] * drop + [rate / 10] * (total - drop)
        pairs = zip(curvatures, noise, strict=True)
        return sum(_mean_square(rates, lam, s2, 1.0) for lam, s2 in pairs)

    return min(range(total + 1), key=end)


def _halfway(rate: float, total: int, curvatures: list[float], noise: list[float]) -> int:
    return total // 2


def _drops() -> Inputs:
    return (
        (0.5, 60, [1.0, 0.03], [1.0, 0.03]),
        (0.4, 80, [1.0, 0.2, 0.02], [0.5, 0.1, 0.01]),
        (0.9, 50, [1.0, 0.05], [0.1, 0.005]),
    )


EXERCISES = (
    Exercise(
        "09.equal_steps",
        title="Equal steps",
        prompt="Return the multiplier at epoch t of a rate that is multiplied by gamma every step_size epochs.",
        kind="core",
        minutes=4,
        inputs=((0, 10, 0.1), (9, 10, 0.1), (10, 10, 0.1), (29, 10, 0.5), (7, 3, 0.5)),
        solution=equal_steps,
        wrong=(
            Wrong(
                lambda t, step_size, gamma: gamma ** (t / step_size),
                "A single slash divides into fractions: the stairs have become a smooth exponential. Look at t = 9.",
            ),
            Wrong(
                lambda t, step_size, gamma: gamma ** ((t + 1) // step_size),
                "One epoch early: epochs count from 0, so the first lower rate is at t = step_size.",
            ),
            Wrong(
                lambda t, step_size, gamma: gamma ** (max(t - 1, 0) // step_size),
                "One epoch late: the first lower rate is at t = step_size itself.",
            ),
            Wrong(
                _compounded,
                "You multiply the *current* rate by the *whole* factor in each epoch. The factors pile up; "
                "the whole factor belongs on the first rate.",
            ),
            Wrong(
                lambda t, step_size, gamma: gamma * (t // step_size),
                "You multiply by gamma once and then by the number of drops. Each drop multiplies by gamma.",
            ),
            Wrong(
                lambda t, step_size, gamma: gamma if t >= step_size else 1.0,
                "One drop only. After 2 * step_size epochs the rate falls again.",
            ),
        ),
        hints=(
            "How many drops have there been at epoch t? None at t = step_size - 1, one at t = step_size.",
            "The number of drops is a whole number: t // step_size.",
            "gamma ** (t // step_size)",
        ),
        stub='''def equal_steps(t, step_size, gamma):
    """The multiplier at epoch t: 1 at first, times gamma every step_size epochs."""
    ...
''',
        note="`torch.optim.lr_scheduler.StepLR(optimizer, step_size, gamma)`.",
    ),
    Exercise(
        "09.cosine_to_floor",
        title="A cosine that stays down",
        prompt="Half a cosine from 1 at step 0 to `floor` at step `total`; after that it stays at `floor`.",
        kind="core",
        minutes=6,
        inputs=((0, 10, 0.0), (5, 10, 0.1), (3, 10, 0.1), (10, 10, 0.1), (11, 10, 0.2), (20, 10, 0.2)),
        solution=cosine_to_floor,
        wrong=(
            Wrong(
                _rises_again,
                "After `total` your rate rises again, as PyTorch's does. What is t not allowed to exceed?",
            ),
            Wrong(
                _clipped,
                "You cut the cosine off at the floor. It should be squeezed into the space between the floor and 1.",
            ),
            Wrong(
                _total_minus_one,
                "You reach the floor one step early: step `total` is the first at the floor.",
            ),
            Wrong(
                _floor_added,
                "At step 0 you return 1 + floor. The cosine's height above the floor is 1 - floor.",
            ),
            Wrong(
                _quarter,
                "This is a quarter of a period, from 1 to 0. The cosine goes from 1 to -1 over `total`.",
            ),
        ),
        hints=(
            "First let u run from 0 to 1, and stay at 1. Then shape it.",
            "(1 + cos(pi * u)) / 2 runs from 1 to 0. Stretch it over the height 1 - floor.",
            "u = min(t, total) / total; return floor + (1 - floor) * (1 + math.cos(math.pi * u)) / 2",
        ),
        stub='''def cosine_to_floor(t, total, floor):
    """The multiplier at step t of a cosine from 1 down to floor at `total`."""
    ...
''',
        note="`schedules.cosine_decay`. PyTorch's `CosineAnnealingLR` is the same up to `T_max`.",
    ),
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
            (7, 105, 32, [2, 3], 0.1),
            (6, 100, 32, [2, 3], 0.1),
        ),
        solution=rate_at_step,
        wrong=(
            Wrong(
                _counts_steps,
                "You compare milestones in epochs with steps, so the rate falls within the first epoch. How many "
                "steps does an epoch have?",
            ),
            Wrong(
                _forgets_the_short_batch,
                "You forget the short last batch, which takes a step as well: an epoch of 100 in batches of 32 has "
                "4 steps.",
            ),
            Wrong(
                _one_epoch_late,
                "One epoch late: the rate is low from the first step of the milestone's epoch on.",
            ),
            Wrong(
                _only_once, "You stop after the first milestone. Each milestone reached multiplies by gamma."
            ),
            Wrong(
                _one_step_early,
                "One step early: you count steps from 1. Step 20 is the first of epoch 2 when an epoch has 10 steps.",
            ),
        ),
        hints=(
            "Which epoch, counted from 0, does the step belong to?",
            "An epoch has ceil(n / batch_size) steps; the milestones reached are those <= the epoch.",
            "epoch = step // math.ceil(n / batch_size); gamma ** sum(m <= epoch for m in milestones)",
        ),
        stub='''def rate_at_step(step, n, batch_size, milestones, gamma):
    """The multiplier at optimizer step `step`; milestones are epochs, both count from 0."""
    ...
''',
        note="`MultiStepLR(optimizer, milestones)` with `scheduler.step()` once an epoch does this.",
    ),
    Exercise(
        "09.loss_after",
        title="The loss that follows from a schedule",
        prompt="One direction of a noisy quadratic. Return the mean loss after the steps with these rates; "
        "`noise` is the variance s² of the gradient's noise, `start` the mean square of θ at the start.",
        kind="core",
        minutes=8,
        inputs=(
            ([], 2.0, 1.0, 3.0),
            ([0.5], 2.0, 1.0, 3.0),
            ([0.1, 0.1, 0.1], 1.0, 0.5, 4.0),
            ([0.4, 0.2, 0.1, 0.05], 0.5, 1.0, 1.0),
        ),
        solution=loss_after,
        wrong=(
            Wrong(_mean_square, "This is V, the mean square of θ. The loss is λV/2."),
            Wrong(_factor_not_squared, "V is a mean *square*: the factor 1 - ηλ of θ enters it squared."),
            Wrong(_rate_not_squared, "The noise is multiplied by η, so its variance by η²."),
            Wrong(
                _noise_shrunk,
                "You shrink the new noise together with the old error. The noise of a step arrives after the shrinking.",
            ),
            Wrong(_noiseless, "The noise is missing: your loss falls to zero at any rate."),
        ),
        hints=(
            "θ becomes (1 - ηλ)θ - ηξ. Take the mean of its square; the noise ξ is independent of θ.",
            "V becomes (1 - ηλ)² V + η² s², once for each rate.",
            "v = start; for lr in rates: v = (1 - lr * curvature)**2 * v + lr**2 * noise; return curvature * v / 2",
        ),
        stub='''def loss_after(rates, curvature, noise, start):
    """The mean loss after the last step, as a float."""
    ...
''',
        note="All the figures of this lesson that need no seeds stand on these two lines.",
    ),
    Exercise(
        "09.best_next_rate",
        title="The best next rate",
        prompt="The mean square of θ is v. Return the rate that makes it smallest after one more step.",
        kind="extra",
        minutes=10,
        inputs=((100.0, 1.0, 1.0), (1.0, 2.0, 0.5), (0.01, 1.0, 1.0), (2.0, 0.1, 0.0)),
        solution=best_next_rate,
        wrong=(
            Wrong(
                lambda v, curvature, noise: 1 / curvature,
                "This is the best rate without noise: it jumps to the minimum and brings all the noise along.",
            ),
            Wrong(
                lambda v, curvature, noise: curvature * v / (curvature**2 * v + noise) / 2,
                "Half of it. Differentiate again: both terms have a factor of 2.",
            ),
            Wrong(
                lambda v, curvature, noise: v / (curvature**2 * v + noise),
                "The signal in the numerator is λv, what the gradient says about θ; you have v.",
            ),
            Wrong(
                lambda v, curvature, noise: curvature * v / (v + noise),
                "The gradient's own mean square is λ²v + s²; you have v + s².",
            ),
            Wrong(
                lambda v, curvature, noise: 2 * curvature * v / (curvature**2 * v + noise),
                "At twice the best rate V is just what it was before: you took the edge, not the middle.",
            ),
        ),
        hints=(
            "V after the step is a parabola in η. Where is its derivative zero?",
            "-2λ(1 - ηλ)v + 2ηs² = 0.",
            "curvature * v / (curvature**2 * v + noise)",
        ),
        stub='''def best_next_rate(v, curvature, noise):
    """The rate with the least mean square after one step, as a float."""
    ...
''',
        note="Put v = s²/(λ²(t + t₀)) in and it is 1/(λ(t + 1 + t₀)): the 1/t of Robbins and Monro.",
    ),
    Exercise(
        "09.best_drop",
        title="When to drop",
        prompt="A run of `total` steps at `rate`, divided by ten from step `drop` on. Several directions, each with "
        "V = 1 at the start. Return the drop, from 0 to total, with the lowest mean loss at the end.",
        kind="extra",
        minutes=25,
        inputs=_drops,
        solution=best_drop,
        wrong=(
            Wrong(
                _greedy_drop,
                "You drop as soon as it lowers the next loss. That is short-sighted: the flat directions still "
                "had a way to go at the large rate. Compare the ends.",
            ),
            Wrong(
                _last_step_large,
                "One step late: `drop` is the first step at the small rate, counted from 0.",
            ),
            Wrong(
                _steepest_only,
                "You look at the steepest direction alone. It settles first; the flat ones decide.",
            ),
            Wrong(_no_weights, "You add up V. In the loss each direction counts with λ/2."),
            Wrong(_halfway, "Half of the run is a habit, not a minimum. Try all the drops there are."),
        ),
        hints=(
            "There are only total + 1 answers. Compute the end of each.",
            "Rates for a drop: [rate] * drop + [rate / 10] * (total - drop). Add up λV/2 over the directions.",
            "min(range(total + 1), key=lambda drop: end(drop)), with exercise 4 for each direction inside end.",
        ),
        stub='''def best_drop(rate, total, curvatures, noise):
    """The first step, 0 .. total, at rate / 10; curvatures and noise are lists, one entry per direction."""
    ...
''',
        note="The best drop comes much later than the first at which dropping lowers the next loss. Wu et al. (2018) "
        "call the haste short-horizon bias.",
    ),
)

QUIZZES = (
    Quiz(
        "09.flat_then_drop",
        "A net trains at a constant rate. Its loss fell, and has been flat for a long time. Now you divide the rate "
        "by ten. What does the loss do in the next steps?",
        (
            (
                "Nothing: flat is flat",
                "Flat does not mean that the weights rest. They hop around the minimum, and the height of the hops "
                "is set by the rate.",
                False,
            ),
            (
                "It falls at once, then goes flat again, lower",
                "The loss at rest is proportional to the rate, for small rates. A lower rate has a lower floor, and "
                "the steep directions get there within a few steps.",
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
        "Two runs of 400 steps. One divides its rate by ten at step 50, the other at step 200. Who is ahead at step "
        "100, and who at the end?",
        (
            (
                "The early one, both times",
                "It is ahead at step 100. But at a tenth of the rate the flat directions have hardly moved since.",
                False,
            ),
            (
                "The early one at step 100, the late one at the end",
                "The drop shows its gain at once and its cost later: 150 more steps at a tenth of the speed.",
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
