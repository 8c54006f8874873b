"""Exercises of lesson 19: which method wins a fair race?

Scores are accuracies: higher is better.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

# --- 1 · a draw ------------------------------------------------------------------------------------


def log_uniform(low: float, high: float, u: float) -> float:
    return float(low * (high / low) ** u)


def _plain_uniform(low: float, high: float, u: float) -> float:
    return low + (high - low) * u


def _low_forgotten(low: float, high: float, u: float) -> float:
    return float((high / low) ** u)


def _from_the_top(low: float, high: float, u: float) -> float:
    return float(high * (low / high) ** u)


def _difference_for_ratio(low: float, high: float, u: float) -> float:
    return float(low * (high - low) ** u)


def _ends_as_exponents(low: float, high: float, u: float) -> float:
    return float(10.0 ** (low + (high - low) * u))


# --- 2 · the choice --------------------------------------------------------------------------------


def choose_trial(scores: Tensor) -> int:
    means = scores.mean(1)
    return int(torch.where(means.isnan(), -torch.inf, means).argmax())


def _nan_wins(scores: Tensor) -> int:
    return int(scores.mean(1).argmax())


def _broken_seeds_left_out(scores: Tensor) -> int:
    return int(scores.nanmean(1).argmax())


def _luckiest_seed(scores: Tensor) -> int:
    return int(scores.nan_to_num(-torch.inf).amax(1).argmax())


def _worst_trial(scores: Tensor) -> int:
    means = scores.mean(1)
    return int(torch.where(means.isnan(), torch.inf, means).argmin())


def _best_worst_case(scores: Tensor) -> int:
    return int(scores.nan_to_num(-torch.inf).amin(1).argmax())


def _validation() -> Inputs:
    nan = math.nan
    tables = (
        [[0.90, 0.91, 0.92], [0.99, 0.80, 0.88], [0.93, 0.90, 0.94], [0.10, 0.12, 0.11]],
        [[0.85, 0.86, 0.87], [nan, 0.97, 0.98], [0.84, 0.90, 0.83], [0.88, 0.80, 0.81]],
        [[0.70, 0.70, 0.70], [0.66, 0.80, 0.78], [0.60, 0.85, 0.76], [nan, 0.10, 0.12]],
    )
    return tuple((torch.tensor(table, dtype=torch.float64),) for table in tables)


# --- 3 · how many trials ---------------------------------------------------------------------------


def trials_needed(share: float, confidence: float) -> int:
    k = 1
    while 1 - (1 - share) ** k < confidence:
        k += 1
    return k


def _in_proportion(share: float, confidence: float) -> int:
    return math.ceil(confidence / share)


def _one_expected(share: float, confidence: float) -> int:
    return math.ceil(1 / share)


def _rounded_down(share: float, confidence: float) -> int:
    return math.floor(math.log(1 - confidence) / math.log(1 - share))


def _wrong_side(share: float, confidence: float) -> int:
    return math.ceil(math.log(confidence) / math.log(1 - share))


def _all_good(share: float, confidence: float) -> int:
    return math.ceil(math.log(1 - confidence) / math.log(share))


# --- 4 · the level of each comparison --------------------------------------------------------------


def level_of_each(level: float, methods: int) -> float:
    pairs = methods * (methods - 1) // 2
    return 1 - (1 - level) / pairs


def _same_level(level: float, methods: int) -> float:
    return level


def _per_method(level: float, methods: int) -> float:
    return 1 - (1 - level) / methods


def _with_the_first(level: float, methods: int) -> float:
    return 1 - (1 - level) / (methods - 1)


def _level_divided(level: float, methods: int) -> float:
    return level / (methods * (methods - 1) // 2)


def _each_pair_twice(level: float, methods: int) -> float:
    return 1 - (1 - level) / (methods * (methods - 1))


def _independent(level: float, methods: int) -> float:
    return float(level ** (1 / (methods * (methods - 1) // 2)))


# --- 5 · what k trials are worth -------------------------------------------------------------------


def expected_best_of_draws(scores: Tensor, k: int) -> float:
    n = len(scores)
    share = torch.arange(n + 1, dtype=torch.float64) / n  # of draws at or below each sorted score
    return float((scores.sort().values * (share[1:] ** k - share[:-1] ** k)).sum())


def _best_of_all(scores: Tensor, k: int) -> float:
    return float(scores.max())


def _mean_of_all(scores: Tensor, k: int) -> float:
    return float(scores.mean())


def _first_k(scores: Tensor, k: int) -> float:
    return float(scores[:k].max())


def _expected_worst(scores: Tensor, k: int) -> float:
    return -expected_best_of_draws(-scores, k)


def _without_replacement(scores: Tensor, k: int) -> float:
    n = len(scores)
    weights = torch.tensor([math.comb(i, k - 1) / math.comb(n, k) for i in range(n)], dtype=torch.float64)
    return float((scores.sort().values * weights).sum())


def _unsorted(scores: Tensor, k: int) -> float:
    n = len(scores)
    share = torch.arange(n + 1, dtype=torch.float64) / n
    return float((scores * (share[1:] ** k - share[:-1] ** k)).sum())


def _pool() -> Inputs:
    generator = torch.Generator().manual_seed(19)
    return tuple(
        (torch.rand(n, generator=generator, dtype=torch.float64), k) for n, k in ((8, 3), (5, 2), (12, 6))
    )


# --- 6 · who is tied with the winner ---------------------------------------------------------------


def tied_with_winner(scores: Tensor, t: float) -> list[int]:
    best = int(scores.mean(1).argmax())
    gap = scores[best] - scores  # (methods, seeds)
    low = gap.mean(1) - t * gap.std(1, correction=1) / math.sqrt(scores.shape[1])
    return [i for i in range(len(scores)) if i == best or float(low[i]) <= 0]


def _overlapping(scores: Tensor, t: float) -> list[int]:
    mean, half = scores.mean(1), t * scores.std(1, correction=1) / math.sqrt(scores.shape[1])
    best = int(mean.argmax())
    return [i for i in range(len(scores)) if float(mean[i] + half[i]) >= float(mean[best] - half[best])]


def _unpaired(scores: Tensor, t: float) -> list[int]:
    mean, var = scores.mean(1), scores.var(1, correction=1) / scores.shape[1]
    best = int(mean.argmax())
    low = mean[best] - mean - t * (var[best] + var).sqrt()
    return [i for i in range(len(scores)) if i == best or float(low[i]) <= 0]


def _winner_alone(scores: Tensor, t: float) -> list[int]:
    return [int(scores.mean(1).argmax())]


def _spread_for_error(scores: Tensor, t: float) -> list[int]:
    best = int(scores.mean(1).argmax())
    gap = scores[best] - scores
    low = gap.mean(1) - t * gap.std(1, correction=1)
    return [i for i in range(len(scores)) if i == best or float(low[i]) <= 0]


def _against_the_first(scores: Tensor, t: float) -> list[int]:
    gap = scores[0] - scores
    low = gap.mean(1) - t * gap.std(1, correction=1) / math.sqrt(scores.shape[1])
    return [i for i in range(len(scores)) if i == 0 or float(low[i]) <= 0]


def _losers(scores: Tensor, t: float) -> list[int]:
    tied = tied_with_winner(scores, t)
    return [i for i in range(len(scores)) if i not in tied]


def _boards() -> Inputs:
    """Scores whose seeds matter more than their method; one rival near, one clearly behind."""
    generator = torch.Generator().manual_seed(7)
    boards = []
    for gains in ((0.0, 0.030, 0.029, 0.012), (0.06, 0.0, 0.059, 0.0), (0.0, 0.001, 0.0005, -0.02, 0.0)):
        shared = 0.85 + 0.03 * torch.randn(1, 16, generator=generator, dtype=torch.float64)
        own = 0.004 * torch.randn(len(gains), 16, generator=generator, dtype=torch.float64)
        boards.append((shared + own + torch.tensor(gains, dtype=torch.float64)[:, None], 3.5))
    # three methods, four seeds: one near the edge of its interval, from either side, one the winner's double
    best = torch.tensor([0.9, 0.7, 0.8, 0.6], dtype=torch.float64)
    few = torch.stack([best, best - torch.tensor([0.01, 0.02, 0.03, 0.02], dtype=torch.float64), best])
    boards += [(few, 5.2), (few, 4.5)]
    return tuple(boards)


EXERCISES = (
    Exercise(
        "19.log_uniform",
        title="A draw that treats every factor alike",
        prompt="u is uniform in [0, 1). Return a learning rate between low and high such that from 0.001 to 0.01 is "
        "as likely as from 0.01 to 0.1.",
        kind="core",
        minutes=4,
        inputs=((1e-4, 1e-1, 0.25), (1e-3, 1.0, 0.0), (0.5, 8.0, 0.5), (2.0, 3.0, 0.9)),
        solution=log_uniform,
        wrong=(
            Wrong(
                _plain_uniform,
                "This is uniform in the rate itself: nine draws in ten fall into the highest power of ten.",
            ),
            Wrong(
                _low_forgotten,
                "The draw begins at 1 and not at low: the factor is right, its start is missing.",
            ),
            Wrong(
                _from_the_top,
                "This runs from high to low. It has the right distribution, but u = 0 should give low.",
            ),
            Wrong(
                _difference_for_ratio,
                "The power is of high minus low. In the logarithm the way from low to high is their ratio.",
            ),
            Wrong(
                _ends_as_exponents,
                "low and high are used as exponents of ten. They are the rates; take their logarithms first.",
            ),
        ),
        hints=(
            "Uniform in the logarithm: log(rate) goes from log(low) to log(high) as u goes from 0 to 1.",
            "log(low) + u * (log(high) - log(low)), then exp.",
            "low * (high / low) ** u",
        ),
        stub='''def log_uniform(low, high, u):
    """The rate at the share u of the way from low to high, in the logarithm."""
    ...
''',
        note="`scipy.stats.loguniform` and Optuna's `suggest_float(..., log=True)` draw so.",
    ),
    Exercise(
        "19.choose_trial",
        title="Choose a trial",
        prompt="scores[i, s] is the validation accuracy of trial i with seed s. Return the index of the trial with the "
        "best mean; a trial that broke down (NaN) with any seed is not chosen.",
        kind="core",
        minutes=6,
        inputs=_validation,
        solution=choose_trial,
        wrong=(
            Wrong(
                _nan_wins,
                "A trial that broke down was chosen: argmax takes NaN for the largest number there is.",
            ),
            Wrong(
                _broken_seeds_left_out,
                "You left the broken seeds out of the mean, and so chose a setting that sometimes breaks down.",
            ),
            Wrong(
                _luckiest_seed,
                "This is the trial with the best single seed. One lucky seed says little: take the mean.",
            ),
            Wrong(_worst_trial, "This is the lowest mean. These are accuracies, not losses."),
            Wrong(
                _best_worst_case,
                "This is the trial whose worst seed is best. It is a choice one can defend, but not the mean.",
            ),
        ),
        hints=(
            "Mean over seeds first, that is over the second dimension. What does argmax do with NaN?",
            "Replace a mean that is NaN by minus infinity before you look for the largest.",
            "means = scores.mean(1); torch.where(means.isnan(), -torch.inf, means).argmax(), as an int.",
        ),
        stub='''def choose_trial(scores):
    """The index, an int, of the row with the largest mean; rows with NaN do not count."""
    ...
''',
        note="The mean of a row with one NaN is NaN, so whoever breaks down once is out.",
    ),
    Exercise(
        "19.trials_needed",
        title="How many random trials",
        prompt="A share of the search space is good enough. Return the smallest number of independent random trials "
        "of which at least one is good enough with the given probability.",
        kind="core",
        minutes=8,
        inputs=((0.05, 0.95), (0.1, 0.9), (0.5, 0.7), (0.01, 0.5), (0.2, 0.99), (0.5, 0.75), (0.75, 0.5)),
        solution=trials_needed,
        wrong=(
            Wrong(
                _in_proportion,
                "Chances do not add up: two trials with 5% each give 9.75%, not 10%, and twenty do not give 100%.",
            ),
            Wrong(
                _one_expected,
                "After this many trials one success is expected on average; a good third of searches still has none.",
            ),
            Wrong(_rounded_down, "One trial short: round up, or the probability is just missed."),
            Wrong(
                _wrong_side,
                "You solved (1 - share)^k = confidence: so many trials until *all* may fail with that probability.",
            ),
            Wrong(
                _all_good,
                "share^k is the probability that all k trials are good. All must not be *bad*: (1 - share)^k.",
            ),
        ),
        hints=(
            "What is the probability that all k trials are bad?",
            "At least one is good with probability 1 - (1 - share)^k. Find the first k that reaches the confidence.",
            "The ceiling of log(1 - confidence) / log(1 - share); or count k up in a loop.",
        ),
        stub='''def trials_needed(share, confidence):
    """The smallest k, an int, with P(at least one of k trials is good) >= confidence."""
    ...
''',
        note="Sixty trials find one of the best 5% with probability 95%, in a space of any dimension (Bergstra & Bengio, 2012).",
    ),
    Exercise(
        "19.level_of_each",
        title="The level of each comparison",
        prompt="On a leaderboard of several methods any two may be compared. Return the level that each paired "
        "interval must have so that all of them hold together with the given level (Bonferroni).",
        kind="core",
        minutes=6,
        inputs=((0.99, 5), (0.95, 3), (0.9, 28), (0.99, 10)),
        solution=level_of_each,
        wrong=(
            Wrong(
                _same_level,
                "At this level each interval errs once in so many, and there are many: together they err far more often.",
            ),
            Wrong(_per_method, "You divided by the number of methods. Count the pairs that may be compared."),
            Wrong(
                _with_the_first,
                "These are the comparisons with one method that was named beforehand. The winner was not.",
            ),
            Wrong(_level_divided, "You divided the level. What is shared out is the risk, 1 - level."),
            Wrong(_each_pair_twice, "Each pair is counted twice: a against b is b against a."),
            Wrong(
                _independent,
                "This is Šidák's level, exact for independent comparisons. Bonferroni's holds for any, and is simpler.",
            ),
        ),
        hints=(
            "How many pairs do n methods make?",
            "The risk of all together is at most the sum of the risks: share out 1 - level among the pairs.",
            "1 - (1 - level) / (methods * (methods - 1) / 2)",
        ),
        stub='''def level_of_each(level, methods):
    """The level of each of the paired intervals, so that all hold together at `level`."""
    ...
''',
        note="With the baseline named beforehand only methods - 1 comparisons count, and the intervals are narrower.",
    ),
    Exercise(
        "19.expected_best",
        title="What k trials are worth",
        prompt="scores holds n trials. Return the expected best of k draws from them *with* replacement: sort, and "
        "weight the i-th smallest with (i/n)^k - ((i-1)/n)^k.",
        kind="core",
        minutes=10,
        inputs=_pool,
        solution=expected_best_of_draws,
        wrong=(
            Wrong(_best_of_all, "This is the best of all n trials, which k of them find only sometimes."),
            Wrong(
                _mean_of_all, "This is the expectation of one trial. The best of several is better than that."
            ),
            Wrong(
                _first_k, "This is the best of the first k, one draw of k. The expectation is over all draws."
            ),
            Wrong(_expected_worst, "This is the expected worst: sorted the wrong way round."),
            Wrong(
                _without_replacement,
                "This is the formula for draws without replacement, the lesson's. Here a trial may be drawn twice.",
            ),
            Wrong(
                _unsorted, "The weights belong to the sorted scores: the largest weight goes to the largest."
            ),
        ),
        hints=(
            "The best of k draws is at most the i-th smallest score with probability (i/n)^k: all k must be.",
            "The probability that it *is* the i-th smallest is the difference of two neighbours of these.",
            "v = scores.sort().values; c = torch.arange(n + 1) / n in float64; (v * (c[1:]**k - c[:-1]**k)).sum()",
        ),
        stub='''def expected_best_of_draws(scores, k):
    """The expected largest of k draws from `scores`, with replacement, as a float."""
    ...
''',
        note="Dodge et al. (2019) ask for this curve in every paper: it shows what the budget did.",
    ),
    Exercise(
        "19.tied_with_winner",
        title="Who is tied with the winner",
        prompt="scores[i, s] is the test score of method i with seed s. Return the sorted indices of the winner (by "
        "mean) and of all methods whose paired interval, mean gap ± t · standard error, reaches zero.",
        kind="extra",
        minutes=20,
        inputs=_boards,
        solution=tied_with_winner,
        wrong=(
            Wrong(
                _overlapping,
                "You asked whether the methods' own intervals overlap. They hold what the seeds do to both; pair them.",
            ),
            Wrong(
                _unpaired,
                "This is the unpaired standard error: it counts the luck of the split twice, where pairing removes it.",
            ),
            Wrong(_winner_alone, "Only the winner: somebody always is. Who can be told from it?"),
            Wrong(
                _spread_for_error,
                "This is the spread of single gaps. The mean of n of them has an error smaller by the root of n.",
            ),
            Wrong(_against_the_first, "You compared with the first method of the list, not with the winner."),
            Wrong(_losers, "These are the methods that are *not* tied with the winner."),
        ),
        hints=(
            "Find the winner by mean, then look at its gaps to each method, seed by seed.",
            "gap = scores[best] - scores has one row per method: mean and standard error along the seeds.",
            "Keep i where gap.mean(1) - t * gap.std(1) / sqrt(seeds) <= 0, and the winner itself.",
        ),
        stub='''def tied_with_winner(scores, t):
    """Sorted list of the indices that cannot be told from the method with the best mean."""
    ...
''',
        note="For t, take the quantile of the level that you found in exercise 4.",
    ),
)

QUIZZES = (
    Quiz(
        "19.one_winner",
        "The course's techniques race, with equal budgets, on noisy digits and on MNIST-1D. What will the two "
        "leaderboards look like?",
        (
            (
                "Much alike: a good technique is good everywhere",
                "It is what most tables of results suggest. Wait for the row of random shifts.",
                False,
            ),
            (
                "Different winners, and what wins on one may come last on the other",
                "A technique is an assumption about the data. Shifts assume that a moved example keeps its class and is "
                "as likely; that is so on one of the two.",
                True,
            ),
            (
                "The newest optimizers lead both",
                "They were made for large models and long runs. These are small ones, and the rate of each is tuned.",
                False,
            ),
        ),
    ),
    Quiz(
        "19.twins",
        "The same method is entered twice, under two names. Each twin draws its own random settings, is tuned, and then "
        "runs with 48 fresh seeds. Can the paired 99% interval of their difference exclude zero?",
        (
            (
                "In one race of a hundred, by definition",
                "That would be so if the twins ran with the same setting. They run with the two that their searches "
                "happened to find.",
                False,
            ),
            (
                "Yes, and often: the interval knows the luck of the seeds, not that of the search",
                "The two chosen settings differ, and their difference is real. What is not real is that it belongs to "
                "the method.",
                True,
            ),
            (
                "Never: they are one method",
                "They are one method with two learning rates.",
                False,
            ),
        ),
    ),
)
