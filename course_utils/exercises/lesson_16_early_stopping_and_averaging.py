"""Exercises of lesson 16: when to stop, and which weights to keep?"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Stop = tuple[int, int]


def _randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- 1 · when to stop ------------------------------------------------------------------------------


def stop_at(values: list[float], patience: int, min_delta: float) -> Stop:
    best, best_step, waited = math.inf, 0, 0
    for step, value in enumerate(values):
        if value < best - min_delta:
            best, best_step, waited = value, step, 0
        else:
            waited += 1
        if waited == patience:
            return step, best_step
    return len(values) - 1, best_step


def _played(
    values: list[float],
    patience: int,
    gains: Callable[[float, float], bool],
    *,
    next_bar: Callable[[float, float, bool], float] = lambda value, bar, gain: value if gain else bar,
    resets: bool = True,
) -> Stop:
    """The solution's loop, with another comparison of (value, bar), another next bar, or a count that stays."""
    bar, best_step, waited = math.inf, 0, 0
    for step, value in enumerate(values):
        if gain := gains(value, bar):
            best_step, waited = step, 0 if resets else waited
        else:
            waited += 1
        bar = next_bar(value, bar, gain)
        if waited == patience:
            return step, best_step
    return len(values) - 1, best_step


def _below(min_delta: float) -> Callable[[float, float], bool]:
    return lambda value, bar: value < bar - min_delta


def _from_the_start(values: list[float], patience: int, min_delta: float) -> Stop:
    return _played(values, patience, _below(min_delta), resets=False)


def _wrong_way(values: list[float], patience: int, min_delta: float) -> Stop:
    return stop_at([-value for value in values], patience, min_delta)


def _against_the_last(values: list[float], patience: int, min_delta: float) -> Stop:
    return _played(values, patience, _below(min_delta), next_bar=lambda value, bar, gain: value)


def _one_more(values: list[float], patience: int, min_delta: float) -> Stop:
    return stop_at(values, patience + 1, min_delta)


def _ties_count(values: list[float], patience: int, min_delta: float) -> Stop:
    return _played(values, patience, lambda value, bar: value <= bar - min_delta)


def _delta_added(values: list[float], patience: int, min_delta: float) -> Stop:
    return _played(values, patience, _below(-min_delta))


def _no_delta(values: list[float], patience: int, min_delta: float) -> Stop:
    return stop_at(values, patience, 0.0)


def _best_of_all(values: list[float], patience: int, min_delta: float) -> Stop:
    stop, _ = stop_at(values, patience, min_delta)
    return stop, values.index(min(values))


def _creeping(values: list[float], patience: int, min_delta: float) -> Stop:
    """A gain that is too small to count lowers the value to beat all the same."""
    return _played(values, patience, _below(min_delta), next_bar=lambda value, bar, gain: min(bar, value))


def _stop_inputs() -> Inputs:
    return (
        ([1.0, 0.8, 0.9, 0.7, 0.75, 0.72, 0.71, 0.3], 3, 0.0),
        ([1.0, 0.9, 0.95, 0.8, 0.85, 0.82, 0.6, 0.65, 0.7, 0.75], 3, 0.0),
        ([1.0, 0.5, 0.48, 0.46, 0.44, 0.2, 0.1], 3, 0.1),
        ([1.0, 0.75, 0.75, 0.75, 0.75, 0.5], 2, 0.0),
        ([1.0, 1.05, 0.9, 0.97, 0.95, 0.93, 0.91, 0.89], 3, 0.125),
        ([0.9, 0.8, 0.7, 0.6], 2, 0.0),
        ([-0.5, -1.5, -1.25, -1.75, -1.0, -1.5], 2, 0.25),  # an improvement of exactly min_delta is none
        ([1.0, 0.9375, 0.875, 0.8125, 0.75, 0.6875], 3, 0.1),  # small gains that add up to one that counts
        ([3.0, 3.5], 1, 0.0),
        ([2.0], 4, 0.5),
    )


# --- 2 · the loop that keeps the wrong weights ------------------------------------------------------


def name_fault(values: list[float], patience: int, stopped: int, kept: int) -> str:
    def ends(fault: str) -> tuple[int, int]:
        best, best_epoch, waited, last = math.inf, 0, 0, math.inf
        for epoch, value in enumerate(values):
            better = value < (last if fault == "compares with the last" else best)
            waited = waited + 1 if not better else waited if fault == "never resets" else 0
            best, best_epoch = (value, epoch) if better else (best, best_epoch)
            last = value
            if waited == patience:
                break
        return epoch, epoch if fault == "keeps a reference" else best_epoch

    faults = ("none", "never resets", "compares with the last", "keeps a reference")
    return next(fault for fault in faults if ends(fault) == (stopped, kept))


def _stop_alone(values: list[float], patience: int, stopped: int, kept: int) -> str:
    """Looks at where it stopped, not at what it kept."""
    found = name_fault(values, patience, stopped, kept)
    return "none" if found == "keeps a reference" else found


def _kept_alone(values: list[float], patience: int, stopped: int, kept: int) -> str:
    """Takes any kept epoch other than the lowest for a reference."""
    found = name_fault(values, patience, stopped, kept)
    lowest = min(range(stopped + 1), key=values.__getitem__)
    return found if kept == lowest else "keeps a reference"


def _early_is_reset(values: list[float], patience: int, stopped: int, kept: int) -> str:
    """Whatever stops with a lower value still to come never resets."""
    found = name_fault(values, patience, stopped, kept)
    return "never resets" if min(values) < min(values[: stopped + 1]) else found


def _never_last(values: list[float], patience: int, stopped: int, kept: int) -> str:
    found = name_fault(values, patience, stopped, kept)
    return "none" if found == "compares with the last" else found


def _last_by_stop(values: list[float], patience: int, stopped: int, kept: int) -> str:
    """A kept epoch that is not the lowest one is all that it looks for."""
    found = name_fault(values, patience, stopped, kept)
    lowest = min(range(stopped + 1), key=values.__getitem__)
    return "compares with the last" if kept != lowest else found


def _logs() -> Inputs:
    wave = [1.0, 0.8, 0.9, 0.6, 0.7, 0.5, 0.55, 0.52, 0.58, 0.4]
    slope = [0.9, 0.7, 0.6, 0.65, 0.64, 0.66, 0.63, 0.62]
    negative = [-0.25, -0.5, -0.375, -0.625, -0.5, -0.4375, -0.5625, -0.25]
    return (
        (wave, 3, 8, 5),  # none
        (wave, 2, 7, 5),  # none, and a lower value would have come
        (wave, 3, 6, 5),  # never resets
        (wave, 2, 4, 3),  # never resets
        (wave, 3, 8, 8),  # a reference
        (wave, 2, 9, 9),  # compares with the last: it never waits twice in a row
        (slope, 2, 4, 2),  # none
        (slope, 4, 6, 2),  # none
        (slope, 2, 7, 7),  # compares with the last
        (slope, 2, 4, 4),  # a reference, where the value is above the lowest
        (negative, 2, 5, 3),  # none
        (negative, 2, 4, 3),  # never resets
        (negative, 2, 5, 5),  # a reference
        ([0.5, 0.25, 0.375, 0.3125, 0.4375, 0.375], 4, 5, 1),  # none: four in a row
        ([0.5, 0.25, 0.375, 0.3125, 0.4375, 0.375], 3, 4, 1),  # none
        ([0.5, 0.25, 0.375, 0.3125, 0.4375, 0.375], 3, 5, 5),  # compares with the last
        ([1.0, 1.0, 1.0], 2, 2, 0),  # none: an equal value is no better
    )


# --- 3 · a memory for this run ----------------------------------------------------------------------


def longest_memory(updates: int, share: float) -> float:
    beta: float = share ** (1 / updates)
    return beta


def _one_over(updates: int, share: float) -> float:
    return 1 - 1 / updates


def _one_update_less(updates: int, share: float) -> float:
    beta: float = share ** (1 / (updates - 1)) if updates > 1 else share
    return beta


def _one_update_more(updates: int, share: float) -> float:
    beta: float = share ** (1 / (updates + 1))
    return beta


def _complement(updates: int, share: float) -> float:
    beta: float = (1 - share) ** (1 / updates)
    return beta


def _one_minus_beta(updates: int, share: float) -> float:
    return 1 - longest_memory(updates, share)


def _first_order(updates: int, share: float) -> float:
    return 1 + math.log(share) / updates


def _as_steps(updates: int, share: float) -> float:
    return 1 / (1 - longest_memory(updates, share))


# --- 4 · a fair gain --------------------------------------------------------------------------------


def fair_gain(rates: list[float], plain: list[float], remedy: list[float]) -> float | None:
    order = sorted(range(len(rates)), key=lambda k: rates[k])
    tops = []
    for scores in (plain, remedy):
        best = max(order, key=lambda k: scores[k])
        if best in (order[0], order[-1]):
            return None
        tops.append(scores[best])
    return tops[1] - tops[0]


def _same_rate(rates: list[float], plain: list[float], remedy: list[float]) -> float | None:
    """The largest gain at one and the same rate."""
    if fair_gain(rates, plain, remedy) is None:
        return None
    return max(b - a for a, b in zip(plain, remedy, strict=True))


def _at_remedys_rate(rates: list[float], plain: list[float], remedy: list[float]) -> float | None:
    if fair_gain(rates, plain, remedy) is None:
        return None
    best = max(range(len(rates)), key=lambda k: remedy[k])
    return remedy[best] - plain[best]


def _at_plains_rate(rates: list[float], plain: list[float], remedy: list[float]) -> float | None:
    if fair_gain(rates, plain, remedy) is None:
        return None
    best = max(range(len(rates)), key=lambda k: plain[k])
    return remedy[best] - plain[best]


def _edges_allowed(rates: list[float], plain: list[float], remedy: list[float]) -> float | None:
    return max(remedy) - max(plain)


def _plain_alone_inside(rates: list[float], plain: list[float], remedy: list[float]) -> float | None:
    order = sorted(range(len(rates)), key=lambda k: rates[k])
    best = max(order, key=lambda k: plain[k])
    return None if best in (order[0], order[-1]) else max(remedy) - max(plain)


def _list_ends(rates: list[float], plain: list[float], remedy: list[float]) -> float | None:
    """Takes the ends of the list for the ends of the range."""
    for scores in (plain, remedy):
        if max(range(len(rates)), key=lambda k: scores[k]) in (0, len(rates) - 1):
            return None
    return max(remedy) - max(plain)


def _means(rates: list[float], plain: list[float], remedy: list[float]) -> float | None:
    if fair_gain(rates, plain, remedy) is None:
        return None
    return sum(remedy) / len(remedy) - sum(plain) / len(plain)


def _sweeps() -> Inputs:
    lrs = [0.001, 0.003, 0.01, 0.03, 0.1]
    return (
        (lrs, [0.84, 0.91, 0.92, 0.86, 0.79], [0.82, 0.90, 0.921, 0.925, 0.88]),
        (lrs, [0.80, 0.86, 0.90, 0.93, 0.91], [0.79, 0.85, 0.90, 0.92, 0.90]),  # it costs
        (
            lrs[::-1],
            [0.79, 0.86, 0.92, 0.91, 0.84],
            [0.92, 0.91, 0.90, 0.88, 0.85],
        ),  # the remedy's best: an edge
        (lrs, [0.93, 0.91, 0.90, 0.80, 0.70], [0.84, 0.91, 0.94, 0.90, 0.80]),  # plain's best: the lowest
        (lrs, [0.80, 0.84, 0.88, 0.90, 0.91], [0.84, 0.91, 0.93, 0.92, 0.90]),  # plain's best: the highest
        (
            lrs,
            [0.80, 0.90, 0.85, 0.80, 0.75],
            [0.92, 0.91, 0.90, 0.88, 0.85],
        ),  # the remedy's best: the lowest
        ([0.03, 0.001, 0.1, 0.01], [0.93, 0.80, 0.85, 0.90], [0.94, 0.82, 0.90, 0.91]),  # in no order
        ([0.01, 0.1, 0.001], [0.9, 0.8, 0.7], [0.875, 0.85, 0.75]),  # the best stands first and is inside
        ([0.003, 0.03, 0.01], [0.8, 0.85, 0.9], [0.86, 0.84, 0.9375]),  # and last
        ([0.1, 0.01, 1.0], [-0.5, -0.75, -0.625], [-0.375, -0.875, -0.5]),  # minus a loss
        ([0.01, 0.1], [0.8, 0.9], [0.9, 0.8]),
    )


# --- 5 · a greedy soup -------------------------------------------------------------------------------


def greedy_soup(weights: Tensor, score: Callable[[Tensor], float]) -> list[int]:
    order = sorted(range(len(weights)), key=lambda k: -score(weights[k]))
    kept = [order[0]]
    for k in order[1:]:
        if score(weights[[*kept, k]].mean(0)) >= score(weights[kept].mean(0)):
            kept.append(k)
    return kept


def _in_the_given_order(weights: Tensor, score: Callable[[Tensor], float]) -> list[int]:
    kept = [0]
    for k in range(1, len(weights)):
        if score(weights[[*kept, k]].mean(0)) >= score(weights[kept].mean(0)):
            kept.append(k)
    return kept


def _all(weights: Tensor, score: Callable[[Tensor], float]) -> list[int]:
    return sorted(range(len(weights)), key=lambda k: -score(weights[k]))


def _best_alone(weights: Tensor, score: Callable[[Tensor], float]) -> list[int]:
    return _all(weights, score)[:1]


def _against_the_best(weights: Tensor, score: Callable[[Tensor], float]) -> list[int]:
    order = _all(weights, score)
    kept = [order[0]]
    for k in order[1:]:
        if score(weights[[*kept, k]].mean(0)) >= score(weights[order[0]]):
            kept.append(k)
    return kept


def _stops_at_the_first(weights: Tensor, score: Callable[[Tensor], float]) -> list[int]:
    order = _all(weights, score)
    kept = [order[0]]
    for k in order[1:]:
        if score(weights[[*kept, k]].mean(0)) < score(weights[kept].mean(0)):
            break
        kept.append(k)
    return kept


def _worst_first(weights: Tensor, score: Callable[[Tensor], float]) -> list[int]:
    order = _all(weights, score)[::-1]
    kept = [order[0]]
    for k in order[1:]:
        if score(weights[[*kept, k]].mean(0)) >= score(weights[kept].mean(0)):
            kept.append(k)
    return kept


def _halved(weights: Tensor, score: Callable[[Tensor], float]) -> list[int]:
    """The newcomer gets half of the weight."""
    order = _all(weights, score)
    kept, soup = [order[0]], weights[order[0]]
    for k in order[1:]:
        mixed = (soup + weights[k]) / 2
        if score(mixed) >= score(soup):
            kept, soup = [*kept, k], mixed
    return kept


def _sorted(weights: Tensor, score: Callable[[Tensor], float]) -> list[int]:
    return sorted(greedy_soup(weights, score))


def near_one(w: Tensor) -> float:
    """A score that is highest where all weights are 1."""
    return -float(((w - 1) ** 2).sum())


def near_zero(w: Tensor) -> float:
    return -float(w.abs().max())


def _pots() -> Inputs:
    def rows(*numbers: float) -> Tensor:
        return torch.tensor([[number] for number in numbers], dtype=torch.float64)

    return (
        (rows(1.25, 0.5, 2.5, 0.875), near_one),
        (rows(3.0, -2.5, 0.5, 1.0, -0.75), near_zero),
        (1 + _randn(0, 6, 3), near_one),
        (_randn(1, 8, 2), near_zero),
        (1 + 0.5 * _randn(2, 7, 4), near_one),
        (_randn(3, 1, 5), near_one),
        (rows(2.0, 5.0, -3.0, 4.0, 0.0, -1.0), near_one),
        (torch.ones(3, 2, dtype=torch.float64) * torch.tensor([[0.5], [0.5], [2.0]]), near_one),  # equal nets
    )


# --- 6 · the best step to stop ---------------------------------------------------------------------


def best_stop(h: float, lr: float, signal: float, noise: float) -> float:
    share = signal / (signal + noise)
    return math.log(1 - share) / math.log(1 - 2 * lr * h)


def _through_ridge(h: float, lr: float, signal: float, noise: float) -> float:
    return signal / (2 * lr * h * noise)


def _no_half(h: float, lr: float, signal: float, noise: float) -> float:
    return math.log(noise / (signal + noise)) / math.log(1 - lr * h)


def _share_left(h: float, lr: float, signal: float, noise: float) -> float:
    return math.log(signal / (signal + noise)) / math.log(1 - 2 * lr * h)


def _amplitudes(h: float, lr: float, signal: float, noise: float) -> float:
    return math.log(noise**0.5 / (signal**0.5 + noise**0.5)) / math.log(1 - 2 * lr * h)


def _flow(h: float, lr: float, signal: float, noise: float) -> float:
    return math.log((signal + noise) / noise) / (2 * lr * h)


def _ratio_only(h: float, lr: float, signal: float, noise: float) -> float:
    return math.log(noise / signal) / math.log(1 - 2 * lr * h)


EXERCISES = (
    Exercise(
        "16.stop_at",
        title="When to stop",
        prompt="values are validation losses, one per epoch. An epoch improves if its value is below the best so far by "
        "more than min_delta; then it is the best. Return (stop, best), both counted from 0: the run stops after the "
        "first `patience` epochs in a row without improvement, else at its last epoch.",
        kind="core",
        minutes=8,
        inputs=_stop_inputs,
        solution=stop_at,
        wrong=(
            Wrong(
                _from_the_start,
                "Your count never starts anew, so it counts bad epochs since the start. Count from the last best.",
            ),
            Wrong(
                _wrong_way,
                "You take larger values for better ones, as one does for an accuracy. A loss should fall.",
            ),
            Wrong(
                _against_the_last,
                "You compare with the epoch before. A curve that goes up and down then improves for ever: compare with "
                "the best.",
            ),
            Wrong(
                _one_more,
                "You stop one epoch late: the run stops when the count reaches patience, not when it passes it.",
            ),
            Wrong(
                _ties_count,
                "A value that is lower by exactly min_delta counts as better in your code. It must be lower by more.",
            ),
            Wrong(
                _delta_added,
                "The sign of min_delta: a value a little worse than the best passes for an improvement. Subtract it.",
            ),
            Wrong(
                _no_delta,
                "You leave min_delta out: improvements too small to matter keep the run going.",
            ),
            Wrong(
                _creeping,
                "A gain too small to count lowers the value to beat in your code. It stays that of the best epoch.",
            ),
            Wrong(
                _best_of_all,
                "Your best epoch may come after the stop, or be too small a gain. It is the one that set the best.",
            ),
        ),
        hints=(
            "Three variables: the best value so far, its epoch, and how many epochs it has stood.",
            "An improvement sets all three (the count to 0); anything else adds 1 to the count.",
            "if value < best - min_delta: best, best_step, waited = value, step, 0; else waited += 1; then compare "
            "waited with patience.",
        ),
        stub='''def stop_at(values, patience, min_delta):
    """(stop, best): two ints from 0, for values, a list of floats; the last epoch if the run never stops."""
    ...
''',
        note="With a patience of 3 the last three epochs are always wasted. That is the price of being sure.",
    ),
    Exercise(
        "16.name_fault",
        title="This loop keeps the wrong weights: find why",
        prompt="A loop with early stopping (min_delta 0) went through the validation losses `values`, stopped after epoch "
        '`stopped`, and handed out the weights of epoch `kept`, both from 0. Name its fault: "none", "never resets" (the '
        'count is not put back to 0), "compares with the last" (each value with the one before, not with the best), or '
        '"keeps a reference" (the weights handed out are the last ones). Each log fits one of the four only.',
        kind="core",
        minutes=12,
        inputs=_logs,
        solution=name_fault,
        wrong=(
            Wrong(
                _stop_alone,
                "You look at where it stopped alone. A loop can stop in the right place and hand out other weights.",
            ),
            Wrong(
                _kept_alone,
                "Not every wrong epoch is a reference's: a loop that compares with the epoch before keeps another one, too.",
            ),
            Wrong(
                _early_is_reset,
                "A lower value that comes after the stop is no fault: no patience sees the future.",
            ),
            Wrong(
                _never_last,
                "Compared with the epoch before, each fall counts as an improvement and puts the count back.",
            ),
            Wrong(
                _last_by_stop,
                "The kept epoch is not the lowest, but the loop stopped where it should: only the weights are wrong.",
            ),
        ),
        hints=(
            "Play each of the four loops over the values, and see where it stops and what it keeps.",
            "A reference changes what is kept and not where it stops; it keeps the epoch of the stop.",
            "Write one loop with two switches: what a value is compared with, and whether the count goes back to 0.",
        ),
        stub='''def name_fault(values, patience, stopped, kept):
    """The fault as a string; values is a list of floats, stopped and kept are epochs from 0."""
    ...
''',
        note="None of the three raises an error, and each looks right on a loss that falls and then rises once.",
    ),
    Exercise(
        "16.longest_memory",
        title="Choose β for this run",
        prompt="An EMA of weights, average <- β·average + (1 − β)·p, starts at the initial weights and is updated `updates` "
        "times. Which is the largest β with which the initial weights have at most the share `share` of the average at the "
        "end? (1 > share > 0; updates >= 1.)",
        kind="core",
        minutes=6,
        inputs=((320, 0.01), (100, 0.1), (1, 0.25), (10, 0.5), (2000, 0.001)),
        solution=longest_memory,
        wrong=(
            Wrong(
                _one_over,
                "A memory as long as the run leaves more than a third of the weight on the start. Use `share`.",
            ),
            Wrong(
                _one_update_less,
                "The average starts at the initial weights, before the first update: each of the updates "
                "multiplies their share by β.",
            ),
            Wrong(_one_update_more, "There are `updates` factors β, not one more."),
            Wrong(_complement, "`share` is what the initial weights still have, not what the others have."),
            Wrong(_one_minus_beta, "This is 1 − β. PyTorch's decay is β itself."),
            Wrong(
                _first_order,
                "This is exact for many updates only. What is left of the start after n updates is a power.",
            ),
            Wrong(_as_steps, "This is the memory in steps, 1/(1 − β)."),
        ),
        hints=(
            "How much of the initial weights is left after one update, and after two?",
            "Each update multiplies their share by β.",
            "β to the power `updates` is `share`.",
        ),
        stub='''def longest_memory(updates, share):
    """The largest β, a float, that leaves the initial weights at most this share after so many updates."""
    ...
''',
        note="For 320 updates and a hundredth β is 0.986: the usual 0.999 would keep almost three quarters of the start.",
    ),
    Exercise(
        "16.fair_gain",
        title="What is this remedy worth?",
        prompt="A report lists learning rates, in any order and all different, and the accuracies of plain training and of "
        "training with a remedy at each of them. Return the accuracy with the remedy at its best rate minus that of plain "
        "training at its own best rate; or None where either best rate is the lowest or the highest of all that were tried. "
        "(Neither best is shared by two rates.)",
        kind="core",
        minutes=8,
        inputs=_sweeps,
        solution=fair_gain,
        wrong=(
            Wrong(
                _same_rate,
                "The largest gain at one rate is mostly found where plain training does badly. Give each its own best rate.",
            ),
            Wrong(
                _at_remedys_rate,
                "You compare at the remedy's best rate. Plain training may have a better one, often a lower one.",
            ),
            Wrong(
                _at_plains_rate,
                "You compare at the best rate of plain training. The remedy may need another one.",
            ),
            Wrong(
                _edges_allowed,
                "Where the best rate is the last that was tried, the next could be better still: None.",
            ),
            Wrong(_plain_alone_inside, "The remedy's best rate must lie between others, too."),
            Wrong(
                _list_ends,
                "The rates come in any order: the ends of the list are not the ends of the range.",
            ),
            Wrong(_means, "The mean over all rates depends on which ones were tried. Take the best of each."),
        ),
        hints=(
            "Two best rates, one for each list.",
            "Compare each of them with min(rates) and max(rates).",
            "a, b = the places of the two largest accuracies; None if rates[a] or rates[b] is at an end.",
        ),
        stub='''def fair_gain(rates, plain, remedy):
    """A float, or None; rates, plain and remedy are lists of equally many floats."""
    ...
''',
        note="Chosen and compared on the same seeds, both numbers are still a little too good: choose on others.",
    ),
    Exercise(
        "16.greedy_soup",
        title="A greedy soup",
        prompt="weights (K, d) holds the weights of K nets that were tuned from one start; score(w) is the validation score "
        "of weights w (d,), higher is better. Sort the nets by their score, best first (of equal ones the first). Begin with "
        "the best; take each next one if the score of the mean of all taken weights and its own is not below that of the "
        "mean of those taken so far. Return their numbers, from 0, as a list in the order taken.",
        kind="core",
        minutes=12,
        inputs=_pots,
        solution=greedy_soup,
        wrong=(
            Wrong(
                _in_the_given_order,
                "You take the nets as they come. Sort them first: the best one is always in the soup.",
            ),
            Wrong(
                _all,
                "You take all of them. One that lies far off spoils the mean; take it only if it does no harm.",
            ),
            Wrong(_best_alone, "You keep the best net alone. Try the mean with each of the others."),
            Wrong(_against_the_best, "Compare with the soup so far, not with the best single net."),
            Wrong(_stops_at_the_first, "You stop at the first net that does harm. A later one may help."),
            Wrong(_worst_first, "You begin with the worst: higher scores are better."),
            Wrong(
                _halved,
                "You give the newcomer half of all weight. In a plain mean each net counts the same.",
            ),
            Wrong(_sorted, "The right nets; the list should be in the order in which they were taken."),
        ),
        hints=(
            "sorted(range(len(weights)), key=...) sorts numbers of nets by a score; minus the score puts the best first.",
            "Keep a list of the nets taken; weights[kept].mean(0) is the soup.",
            "for k in order[1:]: take k if score(weights[kept + [k]].mean(0)) >= score(weights[kept].mean(0)).",
        ),
        stub='''def greedy_soup(weights, score):
    """A list of ints: the nets taken, in that order; weights is a tensor (K, d), score takes a tensor (d,)."""
    ...
''',
        note="Wortsman et al. (2022) call it so. Its score on the images that chose it is too good: report it on others.",
    ),
    Exercise(
        "16.best_stop",
        title="The best step to stop",
        prompt="One direction of curvature h, an eigenvalue of H = X'X/n: gradient descent from zero with rate lr on the mean "
        "squared error goes the share 1 − (1 − 2·lr·h)^t of the way to the least-squares estimate in t steps. That estimate is "
        "θ + e, with E[θ²] = signal and an independent error, E[e²] = noise. Which t, not rounded, makes the expected squared "
        "distance to θ smallest?",
        kind="extra",
        minutes=25,
        inputs=((1.0, 0.1, 4.0, 1.0), (0.2, 0.25, 1.0, 3.0), (2.0, 0.05, 0.5, 0.1)),
        solution=best_stop,
        wrong=(
            Wrong(
                _through_ridge,
                "This goes through ridge and λ = 1/(2·lr·t), which matches only while the share is small.",
            ),
            Wrong(
                _no_half, "The mean squared error has the gradient 2hθ: the factor per step is 1 − 2·lr·h."
            ),
            Wrong(
                _share_left,
                "You set the share still missing to signal/(signal + noise). That is the share to be reached.",
            ),
            Wrong(
                _amplitudes, "Errors add up as squares: use signal and noise as they are, not their roots."
            ),
            Wrong(
                _flow,
                "This is gradient flow, log(1 + signal/noise)/(2·lr·h). With steps of this size it is not exact.",
            ),
            Wrong(
                _ratio_only,
                "You set the share still missing to noise/signal. At equal signal and noise that would be no step at all.",
            ),
        ),
        hints=(
            "After t steps you have the share s of the estimate: s·(θ + e). Its error is (s − 1)θ + s·e.",
            "Expected square: (1 − s)²·signal + s²·noise. The best s is signal/(signal + noise).",
            "Solve 1 − (1 − 2·lr·h)^t = s for t.",
        ),
        stub='''def best_stop(h, lr, signal, noise):
    """The number of steps, as a float, with the smallest expected squared distance to θ."""
    ...
''',
        note="Every direction has its own best t. One stop for all of them is a compromise, and so is one λ for ridge.",
    ),
)

QUIZZES = (
    Quiz(
        "16.tuned_or_not",
        "A net trains on 500 digits for 20 epochs, a fifth of the labels wrong, at a learning rate 8 times too large. Keeping an "
        "EMA of the weights and its best step gains about 9 points. You now tune the learning rate first. What do the two add then?",
        (
            (
                "As much: they remove noise that a rate does not reach",
                "A lower rate leaves less of the batches' noise in the weights, and has less time for the wrong labels. "
                "It is after the same noise.",
                False,
            ),
            (
                "About a point, or nothing",
                "Most of the gain was the rate's. The two are an insurance against a rate that is too large.",
                True,
            ),
            (
                "They cost: an average lags behind",
                "It is late by about its memory, here 50 of 320 steps. At the tuned rate that did not cost anything we could see.",
                False,
            ),
        ),
    ),
    Quiz(
        "16.mean_of_nets",
        "Four nets, each trained on the same images and about equally good. You take the mean of their weights. How good is it?",
        (
            (
                "About as good as one of them, or better",
                "So it is if they began with the same weights. Otherwise unit 5 of one net does another job than unit 5 "
                "of the next.",
                False,
            ),
            (
                "That depends on whether they began with the same weights",
                "From one start the mean was as good as the mean of their predictions; from other starts far worse "
                "than a single net.",
                True,
            ),
            (
                "Far worse: a net is no linear function of its weights",
                "It is not, and yet a mean of weights can do well: where the nets lie close enough together.",
                False,
            ),
        ),
    ),
)
