"""Exercises of lesson 03: what is in the noise?"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

# --- 1 · accumulation --------------------------------------------------------------------------------


def whole_gradient(means: list[torch.Tensor], sizes: list[int]) -> torch.Tensor:
    total = torch.zeros_like(means[0])
    for mean, size in zip(means, sizes, strict=True):
        total += mean * size
    return total / sum(sizes)


def _summed(means: list[torch.Tensor], sizes: list[int]) -> torch.Tensor:
    return torch.stack(means).sum(0)


def _mean_of_means(means: list[torch.Tensor], sizes: list[int]) -> torch.Tensor:
    return torch.stack(means).mean(0)


def _as_if_all_full(means: list[torch.Tensor], sizes: list[int]) -> torch.Tensor:
    return whole_gradient(means, sizes) * sum(sizes) / (len(sizes) * sizes[0])


def _sum_over_examples(means: list[torch.Tensor], sizes: list[int]) -> torch.Tensor:
    return whole_gradient(means, sizes) * sum(sizes)


def _weighted_and_counted(means: list[torch.Tensor], sizes: list[int]) -> torch.Tensor:
    return whole_gradient(means, sizes) * sum(sizes) / len(sizes)


def _last_part_lost(means: list[torch.Tensor], sizes: list[int]) -> torch.Tensor:
    return whole_gradient(means[:-1] or means, sizes[:-1] or sizes)


def _parts() -> Inputs:
    generator = torch.Generator().manual_seed(3)

    def parts(*shape: int, sizes: list[int]) -> tuple[list[torch.Tensor], list[int]]:
        return [torch.randn(*shape, generator=generator, dtype=torch.float64) for _ in sizes], sizes

    return (
        parts(3, sizes=[8, 8, 8]),
        parts(4, sizes=[32, 32, 1]),
        parts(2, 3, sizes=[5, 20]),
        parts(2, sizes=[7]),
        parts(1, sizes=[1, 2, 3, 64]),
    )


# --- 2 · the batch for a machine ---------------------------------------------------------------------


def best_batch(seconds: dict[int, float], critical: float, largest: int) -> int:
    fits = sorted(b for b in seconds if b <= largest)
    return min(fits, key=lambda b: seconds[b] * (1 + critical / b))


def _least(seconds: dict[int, float], largest: int, cost: Callable[[int], float]) -> int:
    return min(sorted(b for b in seconds if b <= largest), key=cost)


def _most_throughput(seconds: dict[int, float], critical: float, largest: int) -> int:
    fits = sorted(b for b in seconds if b <= largest)
    return max(fits, key=lambda b: b / seconds[b])


def _critical_batch(seconds: dict[int, float], critical: float, largest: int) -> int:
    return _least(seconds, largest, lambda b: abs(b - critical))


def _largest_that_fits(seconds: dict[int, float], critical: float, largest: int) -> int:
    return max(b for b in seconds if b <= largest)


def _memory_ignored(seconds: dict[int, float], critical: float, largest: int) -> int:
    return best_batch(seconds, critical, max(seconds))


def _largest_left_out(seconds: dict[int, float], critical: float, largest: int) -> int:
    return best_batch(seconds, critical, largest - 1)


def _quickest_step(seconds: dict[int, float], critical: float, largest: int) -> int:
    return _least(seconds, largest, lambda b: seconds[b])


def _time_times_batch(seconds: dict[int, float], critical: float, largest: int) -> int:
    return _least(seconds, largest, lambda b: seconds[b] * b)


def _ratio_inverted(seconds: dict[int, float], critical: float, largest: int) -> int:
    return _least(seconds, largest, lambda b: seconds[b] * (1 + b / critical))


def _larger_of_equals(seconds: dict[int, float], critical: float, largest: int) -> int:
    fits = sorted((b for b in seconds if b <= largest), reverse=True)
    return min(fits, key=lambda b: seconds[b] * (1 + critical / b))


def _in_the_order_given(seconds: dict[int, float], critical: float, largest: int) -> int:
    return min((b for b in seconds if b <= largest), key=lambda b: seconds[b] * (1 + critical / b))


def _machines() -> Inputs:
    stairs = {4: 0.001, 8: 0.001, 16: 0.001, 32: 0.002, 64: 0.004}
    line = {1: 0.9, 4: 1.0, 16: 1.5, 64: 3.1, 256: 9.0, 1024: 34.0}
    return (
        (stairs, 25.0, 64),
        (line, 10.0, 1024),
        (line, 400.0, 1024),
        (line, 400.0, 100),
        ({64: 0.125, 8: 0.02, 2: 0.019, 512: 0.9}, 1000.0, 512),
        ({12: 0.5, 4: 0.25, 48: 2.0}, 12.0, 48),  # 4 and 12 take equally long
        ({1: 0.25, 3: 0.5, 6: 1.0}, 3.0, 6),
        ({2: 0.01, 8: 0.011, 32: 0.012}, 3000.0, 8),
        ({8: 1.0, 16: 1.05, 128: 4.5}, 4.0, 128),
        ({32: 0.4}, 7.0, 32),
        # the best by a small margin: half or twice `critical` would choose another
        ({16: 0.1, 32: 0.145}, 32.0, 32),
        ({16: 0.1, 32: 0.155}, 32.0, 32),
        # steps and examples weighed the wrong way round
        ({8: 0.1, 16: 0.09, 64: 0.4}, 16.0, 64),
        ({8: 0.2, 16: 0.3, 64: 2.0}, 1.0, 64),
        ({8: 0.1, 16: 0.09, 64: 0.095}, 200.0, 64),
    )


# --- 3 · a loader that is broken ---------------------------------------------------------------------


def loader_fault(epochs: list[list[list[int]]], n: int) -> str:
    orders = [[i for batch in epoch for i in batch] for epoch in epochs]
    if any(len(set(order)) < len(order) for order in orders):
        return "with replacement"
    if len(set().union(*orders)) < n:
        return "examples lost"
    if all(order == sorted(order) for order in orders):
        return "not shuffled"
    if all(order == orders[0] for order in orders):
        return "one shuffle"
    return "none"


def _first_epoch_only(epochs: list[list[list[int]]], n: int) -> str:
    return loader_fault(epochs[:1] + [epochs[0][::-1]], n) if len(epochs[0]) > 1 else loader_fault(epochs, n)


def _drop_last_is_lost(epochs: list[list[list[int]]], n: int) -> str:
    found = loader_fault(epochs, n)
    short = any(sum(map(len, epoch)) < n for epoch in epochs)
    return "examples lost" if short and found != "with replacement" else found


def _sets_compared(epochs: list[list[list[int]]], n: int) -> str:
    found = loader_fault(epochs, n)
    same = all({i for b in e for i in b} == {i for b in epochs[0] for i in b} for e in epochs)
    return "one shuffle" if found == "none" and same else found


def _order_comes_first(epochs: list[list[list[int]]], n: int) -> str:
    orders = [[i for batch in epoch for i in batch] for epoch in epochs]
    if all(order == sorted(order) for order in orders):
        return "not shuffled"
    return "one shuffle" if all(order == orders[0] for order in orders) else loader_fault(epochs, n)


def _within_a_batch(epochs: list[list[list[int]]], n: int) -> str:
    if any(len(set(batch)) < len(batch) for epoch in epochs for batch in epoch):
        return "with replacement"
    once = [[list(dict.fromkeys(i for batch in epoch for i in batch))] for epoch in epochs]
    return loader_fault(once, n)


def _sorted_is_one_shuffle(epochs: list[list[list[int]]], n: int) -> str:
    found = loader_fault(epochs, n)
    return "one shuffle" if found == "not shuffled" else found


def _across_epochs(epochs: list[list[list[int]]], n: int) -> str:
    seen = [i for epoch in epochs for batch in epoch for i in batch]
    return "with replacement" if len(set(seen)) < len(seen) else loader_fault(epochs, n)


def _any_pair(epochs: list[list[list[int]]], n: int) -> str:
    found = loader_fault(epochs, n)
    orders = [tuple(i for batch in epoch for i in batch) for epoch in epochs]
    return "one shuffle" if found == "none" and len(set(orders)) < len(orders) else found


def _one_rising_epoch(epochs: list[list[list[int]]], n: int) -> str:
    found = loader_fault(epochs, n)
    rising = any(loader_fault([epoch], 0) == "not shuffled" for epoch in epochs)
    return "not shuffled" if rising and found in ("one shuffle", "none") else found


def _batches_compared(epochs: list[list[list[int]]], n: int) -> str:
    found = loader_fault(epochs, n)
    return "none" if found == "one shuffle" and any(epoch != epochs[0] for epoch in epochs) else found


def _loaders() -> Inputs:
    return (
        ([[[3, 0], [4, 1], [2]], [[1, 2], [0, 4], [3]], [[2, 4], [3, 1], [0]]], 5),
        ([[[0, 1], [2, 3], [4]], [[0, 1], [2, 3], [4]]], 5),
        ([[[2, 0], [1, 4], [3]], [[2, 0], [1, 4], [3]], [[2, 0], [1, 4], [3]]], 5),
        ([[[2, 0], [2, 1]], [[3, 1], [0, 3]]], 4),
        ([[[0, 2], [1, 3]], [[3, 1], [2, 2]]], 4),  # twice in one batch, in the second epoch only
        ([[[5, 1], [0, 3]], [[1, 0], [5, 3]]], 6),  # the same two are lost in both
        ([[[5, 1], [0, 3]], [[2, 4], [5, 0]]], 6),  # drop_last: others are lost in each
        ([[[0, 1], [2, 3]], [[0, 1], [2, 3]]], 5),  # sorted, and one lost
        ([[[1, 3], [0, 2]], [[1, 3], [0, 2]], [[0, 3], [1, 2]]], 4),  # two of three alike
        ([[[0, 1, 2]], [[2, 0, 1]]], 3),  # sorted by chance in the first
        ([[[4, 2, 0]], [[4, 2, 0]]], 5),  # one shuffle, and two lost
        ([[[1], [0], [1]], [[2], [2], [0]]], 3),
        ([[[2, 2], [0, 1]], [[1, 0], [2, 4]]], 5),  # one comes twice, another in no epoch
        ([[[2, 0], [1]], [[2], [0, 1]]], 3),  # one order, cut in two ways
        ([[[3, 2], [1, 0]], [[3, 2], [1, 0]]], 4),  # falling is not rising
        ([[[1, 0], [2]], [[0, 2], [1]], [[1, 0], [2]]], 3),  # the first comes again as the last
        ([[[0], [2]], [[1], [3]]], 4),  # drop_last, rising, and not the same
    )


# --- 4 · the batch for a floor -----------------------------------------------------------------------


def batch_for_floor(lr: float, curvature: float, sigma2: float, target: float) -> int:
    floor_of_one = lr * sigma2 / (2 * (2 - lr * curvature))
    return max(1, math.ceil(floor_of_one / target))


def _small_steps(lr: float, curvature: float, sigma2: float, target: float) -> int:
    return max(1, math.ceil(lr * sigma2 / 4 / target))


def _rounded_down(lr: float, curvature: float, sigma2: float, target: float) -> int:
    return max(1, math.floor(lr * sigma2 / (2 * (2 - lr * curvature)) / target))


def _rounded(lr: float, curvature: float, sigma2: float, target: float) -> int:
    return max(1, round(lr * sigma2 / (2 * (2 - lr * curvature)) / target))


def _variance_of_p(lr: float, curvature: float, sigma2: float, target: float) -> int:
    return max(1, math.ceil(lr * sigma2 / (curvature * (2 - lr * curvature)) / target))


def _half_missing(lr: float, curvature: float, sigma2: float, target: float) -> int:
    return max(1, math.ceil(lr * sigma2 / (2 - lr * curvature) / target))


def _one_step_only(lr: float, curvature: float, sigma2: float, target: float) -> int:
    return max(1, math.ceil(0.5 * curvature * lr**2 * sigma2 / target))


def _root_of_batch(lr: float, curvature: float, sigma2: float, target: float) -> int:
    return max(1, math.ceil((lr * sigma2 / (2 * (2 - lr * curvature)) / target) ** 2))


def _one_too_many(lr: float, curvature: float, sigma2: float, target: float) -> int:
    return math.floor(lr * sigma2 / (2 * (2 - lr * curvature)) / target) + 1


# --- 5 · towards research: the noise scale without single gradients ----------------------------------


def noise_scale(small: float, b_small: int, big: float, b_big: int) -> float:
    sigma2 = (small - big) / (1 / b_small - 1 / b_big)
    square = (b_big * big - b_small * small) / (b_big - b_small)
    return sigma2 / square


def _big_is_exact(small: float, b_small: int, big: float, b_big: int) -> float:
    return (small - big) / (1 / b_small - 1 / b_big) / big


def _difference_only(small: float, b_small: int, big: float, b_big: int) -> float:
    return b_small * (small - big) / big


def _upside_down(small: float, b_small: int, big: float, b_big: int) -> float:
    return 1 / noise_scale(small, b_small, big, b_big)


def _ratio(small: float, b_small: int, big: float, b_big: int) -> float:
    return small / big


def _square_weights(small: float, b_small: int, big: float, b_big: int) -> float:
    square = (b_big * big + b_small * small) / (b_big + b_small)
    return (small - big) / (1 / b_small - 1 / b_big) / square


def _of_roots(small: float, b_small: int, big: float, b_big: int) -> float:
    return noise_scale(small**0.5, b_small, big**0.5, b_big)


def _small_is_exact(small: float, b_small: int, big: float, b_big: int) -> float:
    return (small - big) / (1 / b_small - 1 / b_big) / small


EXERCISES = (
    Exercise(
        "03.accumulate",
        title="Repair this accumulation",
        prompt="A large batch came in parts. means holds the mean gradient of each part, as tensors of one shape, and "
        "sizes the number of examples in each. Return the gradient of the mean loss over all examples, as a "
        "tensor of that shape.",
        kind="core",
        minutes=6,
        inputs=_parts,
        solution=whole_gradient,
        wrong=(
            Wrong(
                _summed,
                "These are the means added up, as in the code that is to be repaired: with k parts the gradient is "
                "about k times too long.",
            ),
            Wrong(
                _mean_of_means,
                "This is the mean of the means: an example in a small part counts more than one in a large part.",
            ),
            Wrong(
                _as_if_all_full,
                "The sum is right, but it is divided as if every part were as large as the first.",
            ),
            Wrong(_sum_over_examples, "This is the gradient of the sum over examples; the mean is asked."),
            Wrong(
                _weighted_and_counted,
                "The sum over examples must be divided by the number of examples, not by that of parts.",
            ),
            Wrong(_last_part_lost, "The last part is left out."),
        ),
        hints=(
            "What would you get from the gradients of all single examples? Their sum over their number.",
            "A part's sum is its mean times its size.",
            "sum(mean * size for mean, size in zip(means, sizes)) / sum(sizes)",
        ),
        stub='''def whole_gradient(means, sizes):
    """The gradient, a tensor; means: the parts' mean gradients (tensors), sizes: their examples (ints)."""
    ...
''',
        note="In a loop: (loss * len(part) / batch_size).backward() for each part, then one step.",
    ),
    Exercise(
        "03.best_batch",
        title="Choose the batch for this machine",
        prompt="seconds says how long one step takes at each batch size (a dict, int to float). The steps to the loss are "
        "proportional to 1 + critical / b. Return the batch size of this dict, at most `largest`, that reaches the "
        "loss first; of equally quick ones the smallest.",
        kind="core",
        minutes=8,
        inputs=_machines,
        solution=best_batch,
        wrong=(
            Wrong(
                _most_throughput,
                "This has the most examples per second. But beyond the critical batch further examples save "
                "hardly a step: multiply the time of a step by the number of steps.",
            ),
            Wrong(
                _critical_batch,
                "This is the batch nearest the critical one. The machine has a say as well: use `seconds`.",
            ),
            Wrong(
                _largest_that_fits,
                "This is the largest that fits: fewest steps, but each of them may take long.",
            ),
            Wrong(_memory_ignored, "Batches above `largest` do not fit into the memory."),
            Wrong(_largest_left_out, "A batch of exactly `largest` still fits."),
            Wrong(
                _quickest_step,
                "This has the quickest single step (and the fewest examples to the loss). It may need many steps.",
            ),
            Wrong(
                _time_times_batch,
                "This multiplies the time of a step by the batch. Multiply it by the number of steps, which falls with b.",
            ),
            Wrong(
                _ratio_inverted,
                "b and critical have changed places: a larger batch needs fewer steps, not more.",
            ),
            Wrong(_larger_of_equals, "Two are equally quick here; the smaller one is asked."),
            Wrong(
                _in_the_order_given, "Two are equally quick here, and you took the one that is listed first."
            ),
        ),
        hints=(
            "Time = steps times seconds per step. Only its order matters, so any factor may be left out.",
            "For each b <= largest: seconds[b] * (1 + critical / b). Go through b in rising order.",
            "min(sorted(b for b in seconds if b <= largest), key=lambda b: seconds[b] * (1 + critical / b))",
        ),
        stub='''def best_batch(seconds, critical, largest):
    """A batch size (int); seconds: dict of batch size -> seconds per step; critical: float; largest: int."""
    ...
''',
        note="Time your own steps, estimate the critical batch to a factor of two, and this is all that is left.",
    ),
    Exercise(
        "03.loader_fault",
        title="This loader is broken: find why",
        prompt="epochs is a list of epochs, each a list of batches, each a list of indices below n. Return the first of "
        'these that holds: "with replacement" (in some epoch an index comes twice), "examples lost" (an index '
        'comes in no epoch), "not shuffled" (in every epoch the indices rise from start to end), "one shuffle" '
        '(all epochs have the same order), "none".',
        kind="core",
        minutes=10,
        inputs=_loaders,
        solution=loader_fault,
        wrong=(
            Wrong(
                _first_epoch_only,
                "These are the names that the first epoch alone suggests. Look at all of them.",
            ),
            Wrong(
                _drop_last_is_lost,
                "With drop_last each epoch leaves out a few, and the next epoch others. Lost is what comes in none.",
            ),
            Wrong(
                _sets_compared,
                "Every good epoch holds the same indices. One shuffle means the same *order*.",
            ),
            Wrong(
                _order_comes_first,
                "Two faults can come together: the list says which one is named.",
            ),
            Wrong(
                _within_a_batch,
                "An index may also come twice in two batches of one epoch.",
            ),
            Wrong(
                _sorted_is_one_shuffle,
                "Rising indices are the same order each time, too, but they were not shuffled at all.",
            ),
            Wrong(_across_epochs, "Each index should come again in the next epoch: count within one epoch."),
            Wrong(
                _any_pair, "Two epochs of equal order can be chance where a third differs: all must be alike."
            ),
            Wrong(
                _one_rising_epoch,
                "One epoch can rise by chance. Not shuffled is a loader whose indices rise in all of them.",
            ),
            Wrong(
                _batches_compared,
                "Batches are compared here. One order can be cut in two ways: compare the indices from start to end.",
            ),
        ),
        hints=(
            "First lay the batches of each epoch end to end: one list of indices for each epoch.",
            "len(set(order)) < len(order); a union of all orders; order == sorted(order); order == orders[0].",
            "Ask the four in the order of the list, with any() for the first and all() for the third and fourth.",
        ),
        stub='''def loader_fault(epochs, n):
    """The fault as a string; epochs: lists (epochs) of lists (batches) of lists of ints; n: an int."""
    ...
''',
        note="Two epochs of indices are enough for this test. Print them once before a long run.",
    ),
    Exercise(
        "03.batch_for_floor",
        title="Choose the batch for a floor",
        prompt="Constant lr on half curvature times p squared, independent batches, sigma2 the variance of one example's "
        "gradient, 0 < lr * curvature < 2. Return the smallest batch size whose mean loss at rest is at most target.",
        kind="core",
        minutes=8,
        inputs=(
            (0.1, 1.0, 1.0, 0.003),
            (0.5, 2.0, 3.0, 0.01),
            (1.5, 1.0, 0.2, 0.007),
            (0.01, 50.0, 4.0, 0.004),
            (0.05, 0.3, 1.0, 2.0),
            (1.9, 1.0, 5.0, 0.1),
            (0.5, 3.0, 1.0, 0.125),  # the target is met exactly
        ),
        solution=batch_for_floor,
        wrong=(
            Wrong(
                _small_steps,
                "This uses the linear rule, which holds for lr * curvature far below 1. Keep the factor 2 − lr λ.",
            ),
            Wrong(_rounded_down, "Rounded down: this batch is a little too small to reach the target."),
            Wrong(_rounded, "Rounded to the nearest: sometimes that is too small. Round up."),
            Wrong(
                _one_too_many,
                "One too many where a batch meets the target exactly: at most the target is asked.",
            ),
            Wrong(_variance_of_p, "This is for the variance of p. The loss is half the curvature times it."),
            Wrong(_half_missing, "Twice too much: the loss has a ½."),
            Wrong(
                _one_step_only,
                "This is the loss that the noise of one step adds. At rest that of earlier steps is there, too.",
            ),
            Wrong(_root_of_batch, "The variance of a mean falls as 1/b, not as 1/√b."),
        ),
        hints=(
            "The floor for a batch of one is lr sigma2 / (2 (2 − lr curvature)); a batch of b divides it by b.",
            "b must be at least floor_of_one / target, a whole number, and at least 1.",
            "max(1, math.ceil(floor_of_one / target)), with import math",
        ),
        stub='''def batch_for_floor(lr, curvature, sigma2, target):
    """The smallest batch size, as an int >= 1; all arguments are floats > 0."""
    ...
''',
        note="Or lower lr: for small lr the floor goes with lr / b, and a lower rate costs more steps instead of examples.",
    ),
    Exercise(
        "03.noise_scale",
        title="The noise scale without single gradients",
        prompt="Single gradients are costly to get, but the squared norm of a batch's gradient is there at every step. "
        "Its mean is |g|² + σ²/b (batches drawn with replacement). From its means `small` at b_small and `big` at b_big, "
        "return σ² / |g|².",
        kind="extra",
        minutes=20,
        inputs=((3.0, 1, 1.5, 4), (0.8, 32, 0.5, 512), (10.0, 8, 4.0, 64), (1.2, 2, 1.0, 3)),
        solution=noise_scale,
        wrong=(
            Wrong(
                _big_is_exact,
                "You take the big batch's norm for |g|². It still holds σ² / b_big of noise, so your scale is too small.",
            ),
            Wrong(
                _small_is_exact,
                "You take the small batch's norm for |g|². It holds σ² / b_small of noise, so your scale is too small.",
            ),
            Wrong(
                _difference_only,
                "This takes the big batch for the full gradient, in σ² as in |g|². Solve both equations instead.",
            ),
            Wrong(_upside_down, "Upside down: noise over signal is asked."),
            Wrong(_ratio, "The ratio of the norms mixes signal and noise in both: separate them first."),
            Wrong(
                _square_weights,
                "|g|² is not an average of the two norms; both are too large. Eliminate σ²: the weights are b_big and "
                "−b_small.",
            ),
            Wrong(_of_roots, "You took roots: noise and signal add in the *squared* norms."),
        ),
        hints=(
            "Two equations, small = G + S / b_small and big = G + S / b_big, and two unknowns.",
            "Subtract them for S. Multiply each by its b and subtract for G.",
            "S = (small - big) / (1 / b_small - 1 / b_big); G = (b_big * big - b_small * small) / (b_big - b_small).",
        ),
        stub='''def noise_scale(small, b_small, big, b_big):
    """σ² / |g|², as a float, from mean squared norms of batch gradients at two batch sizes."""
    ...
''',
        note="In data-parallel training both norms are free: each worker's gradient, and the average of all. Average S "
        "and G over steps before you divide (McCandlish et al., 2018, appendix A).",
    ),
)

QUIZZES = (
    Quiz(
        "03.batch_of_400",
        "A step on 400 examples costs as much as 100 steps on 4. How much smaller is the error of its gradient (its "
        "typical distance from the full gradient, N being much larger than 400)?",
        (
            (
                "100 times",
                "That is the variance. A distance is its root.",
                False,
            ),
            (
                "10 times",
                "The variance falls as 1/b, the distance as its root. Work grows faster than precision.",
                True,
            ),
            (
                "It depends on the number of parameters",
                "More parameters mean more noise in all, but at both batch sizes alike: the ratio stays.",
                False,
            ),
        ),
    ),
    Quiz(
        "03.workers",
        "A machine works on 128 examples at once: a step on up to 128 takes one pass, a step on 256 two. From a batch "
        "of about 25 on, a larger batch saves few steps. Which batch reaches a given loss first?",
        (
            (
                "25: beyond it examples are wasted",
                "They are, but here they are free: a pass on 25 takes as long as one on 128.",
                False,
            ),
            (
                "128: all of the machine, once",
                "Up to 128 each further example is free and saves a little. From 128 to 256 a step takes twice as long, "
                "and would have to halve the number of steps.",
                True,
            ),
            (
                "as large as the memory allows",
                "Twice the passes for each step, and hardly fewer steps.",
                False,
            ),
        ),
    ),
    Quiz(
        "03.shuffled_or_drawn",
        "Near the minimum, with a small constant step size. A draws every batch afresh from all examples; B shuffles once "
        "per epoch and cuts, so that each example comes once. Which is closer to the minimum at the ends of epochs?",
        (
            (
                "Neither: both gradients are unbiased, with nearly the same variance",
                "Single gradients are alike. But B's gradients of one epoch know of each other: what one has overshot, the "
                "others make good.",
                False,
            ),
            ("A, because its gradients are independent", "Independent errors add up; B's cancel.", False),
            (
                "B, because over an epoch its errors sum to zero",
                "The N single errors sum to zero by definition of the mean, and B meets each of them exactly once.",
                True,
            ),
        ),
    ),
)
