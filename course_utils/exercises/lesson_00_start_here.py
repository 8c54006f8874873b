"""Exercises of lesson 00: how do we know that a sentence about training is true?

In all of them `a` and `b` hold one score per seed of two methods, on the same seeds in the same order, and a
higher score is better.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

# --- 1 · the flow ----------------------------------------------------------------------------------


def paired_difference(a: Tensor, b: Tensor) -> Tensor:
    return a - b


def _reversed_difference(a: Tensor, b: Tensor) -> Tensor:
    return b - a


def _absolute_difference(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).abs()


def _mean_difference(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).mean()


def _scores() -> Inputs:
    """Scores whose seeds matter more than their method, as real ones do."""
    generator = torch.Generator().manual_seed(0)
    inputs = []
    for n, gain in ((5, 0.02), (8, 0.0), (12, -0.01)):
        seed_effect = 0.9 + 0.05 * torch.randn(n, generator=generator, dtype=torch.float64)
        a = seed_effect + gain + 0.01 * torch.randn(n, generator=generator, dtype=torch.float64)
        b = seed_effect + 0.01 * torch.randn(n, generator=generator, dtype=torch.float64)
        inputs.append((a, b))
    return tuple(inputs)


# --- 2 · how sure ----------------------------------------------------------------------------------


def paired_standard_error(a: Tensor, b: Tensor) -> float:
    d = a - b
    return (d.std(correction=1) / math.sqrt(len(d))).item()


def _divisor_n(a: Tensor, b: Tensor) -> float:
    return ((a - b).std(correction=0) / math.sqrt(len(a))).item()


def _spread_of_one(a: Tensor, b: Tensor) -> float:
    return (a - b).std().item()


def _root_forgotten(a: Tensor, b: Tensor) -> float:
    return ((a - b).std() / len(a)).item()


def _unpaired(a: Tensor, b: Tensor) -> float:
    return ((a.var() + b.var()) / len(a)).sqrt().item()


def _one_less_twice(a: Tensor, b: Tensor) -> float:
    return ((a - b).std() / math.sqrt(len(a) - 1)).item()


def _variance_for_deviation(a: Tensor, b: Tensor) -> float:
    return ((a - b).var() / len(a)).item()


def _difference_of_spreads(a: Tensor, b: Tensor) -> float:
    return ((a.std() - b.std()).abs() / math.sqrt(len(a))).item()


# --- 3 · how many seeds ----------------------------------------------------------------------------


def seeds_needed(d: float, s: float, z: float) -> int:
    return max(1, math.ceil((z * s / d) ** 2))


def _no_seed(d: float, s: float, z: float) -> int:
    return math.ceil((z * s / d) ** 2)


def _one_more(d: float, s: float, z: float) -> int:
    return math.floor((z * s / d) ** 2) + 1


def _rounded(d: float, s: float, z: float) -> int:
    return round((z * s / d) ** 2)


def _rounded_down(d: float, s: float, z: float) -> int:
    return math.floor((z * s / d) ** 2)


def _square_forgotten(d: float, s: float, z: float) -> int:
    return math.ceil(z * s / abs(d))


def _two_groups(d: float, s: float, z: float) -> int:
    return math.ceil(2 * (z * s / d) ** 2)


def _variance_as_spread(d: float, s: float, z: float) -> int:
    return math.ceil((z * s**2 / d) ** 2)


def _multiple_forgotten(d: float, s: float, z: float) -> int:
    return math.ceil((s / d) ** 2)


# --- 4 · the false claim ---------------------------------------------------------------------------


def false_claim(claims: list[tuple[Tensor, Tensor]], t: float) -> int:
    def lower_end(a: Tensor, b: Tensor) -> float:
        d = a - b
        return (d.mean() - t * d.std(correction=1) / math.sqrt(len(d))).item()

    (unsupported,) = [i for i, (a, b) in enumerate(claims) if lower_end(a, b) <= 0]
    return unsupported


def _smallest_mean(claims: list[tuple[Tensor, Tensor]], t: float) -> int:
    return int(torch.stack([(a - b).mean() for a, b in claims]).argmin())


def _first_seed(claims: list[tuple[Tensor, Tensor]], t: float) -> int:
    return int(torch.stack([a[0] - b[0] for a, b in claims]).argmin())


def _widest_spread(claims: list[tuple[Tensor, Tensor]], t: float) -> int:
    return int(torch.stack([(a - b).std() for a, b in claims]).argmax())


def _unpaired_intervals(claims: list[tuple[Tensor, Tensor]], t: float) -> int:
    ratios = [(a - b).mean() / ((a.var() + b.var()) / len(a)).sqrt() for a, b in claims]
    return int(torch.stack(ratios).argmin())


def _most_losses(claims: list[tuple[Tensor, Tensor]], t: float) -> int:
    return int(torch.stack([(a < b).double().mean() for a, b in claims]).argmax())


def _strongest_claim(claims: list[tuple[Tensor, Tensor]], t: float) -> int:
    ratios = [(a - b).mean() / ((a - b).std() / math.sqrt(len(a))) for a, b in claims]
    return int(torch.stack(ratios).argmax())


def _factor_of_its_own(claims: list[tuple[Tensor, Tensor]], t: float) -> int:
    return _first_at_or_below_zero(claims, 2.58)


def _factor_left_out(claims: list[tuple[Tensor, Tensor]], t: float) -> int:
    return _first_at_or_below_zero(claims, 1.0)


def _first_at_or_below_zero(claims: list[tuple[Tensor, Tensor]], t: float) -> int:
    """The first claim whose lower end is at or below zero, or 0."""
    lower = [(a - b).mean() - t * (a - b).std() / math.sqrt(len(a)) for a, b in claims]
    return next((i for i, end in enumerate(lower) if end <= 0), 0)


def _zero_is_above(claims: list[tuple[Tensor, Tensor]], t: float) -> int | None:
    lower = [(a - b).mean() - t * (a - b).std() / math.sqrt(len(a)) for a, b in claims]
    return next((i for i, end in enumerate(lower) if end < 0), None)


def _without_sign(claims: list[tuple[Tensor, Tensor]], t: float) -> int | None:
    lower = [(a - b).mean().abs() - t * (a - b).std() / math.sqrt(len(a)) for a, b in claims]
    return next((i for i, end in enumerate(lower) if end <= 0), None)


def _claims() -> Inputs:
    """Per input three claims "a beats b", each by (mean, spread) of the difference, spread of the seeds, n.

    Differences are given their exact mean and standard deviation, so that the answer is not left to chance.
    """
    generator = torch.Generator().manual_seed(1)

    def claim(mean: float, spread: float, seeds: float, n: int, first: float) -> tuple[Tensor, Tensor]:
        noise = torch.randn(n, generator=generator, dtype=torch.float64)
        noise = noise.sort(descending=first > 0).values  # the first seed flatters, or misleads
        d = mean + spread * (noise - noise.mean()) / noise.std()
        b = 0.9 + seeds * torch.randn(n, generator=generator, dtype=torch.float64)
        return b + d, b

    small_but_sure = claim(0.004, 0.004, 0.02, 16, -1)
    large_but_unsure = claim(0.020, 0.040, 0.02, 16, +1)
    large_and_sure = claim(0.030, 0.010, 0.02, 16, -1)
    many_seeds = claim(0.012, 0.020, 0.01, 64, -1)
    wide_seeds = claim(0.010, 0.010, 0.20, 16, -1)
    few_seeds = claim(0.004, 0.008, 0.01, 12, +1)
    wide_difference = claim(0.015, 0.060, 0.01, 256, -1)
    eight_seeds = claim(0.003, 0.004, 0.01, 8, +1)
    hidden = claim(0.010, 0.008, 0.30, 12, +1)
    turned_round = claim(-0.020, 0.004, 0.02, 16, +1)
    base = torch.tensor([0.5, 0.25], dtype=torch.float64)
    just_reached = (
        base + torch.tensor([0.0, 2.0], dtype=torch.float64),
        base,
    )  # lower end exactly 0 at t = 1
    six_seeds = claim(0.012, 0.009, 0.02, 6, -1)  # 3.3 standard errors: too few at t = 4.03
    six_sure = claim(0.012, 0.005, 0.02, 6, -1)  # 5.9 standard errors
    twice = claim(0.010, 0.020, 0.02, 16, -1)  # 2 standard errors: enough at t = 1.75
    once = claim(0.006, 0.016, 0.02, 16, -1)  # 1.5
    clear = (base + torch.tensor([0.5, 0.75], dtype=torch.float64), base)
    return (
        ([small_but_sure, large_but_unsure, large_and_sure], 2.95),
        ([many_seeds, wide_seeds, few_seeds], 3.11),
        ([eight_seeds, wide_difference, hidden], 3.50),
        ([large_and_sure, small_but_sure, turned_round], 2.95),
        ([clear, just_reached, large_and_sure], 1.0),
        ([six_sure, large_and_sure, six_seeds], 4.03),
        ([twice, once, large_and_sure], 1.75),
    )


# --- 5 · repair: results in files -------------------------------------------------------------------

Rows = list[tuple[int, float]]


def mean_difference(a: Rows, b: Rows) -> float:
    first, second = dict(a), dict(b)
    both = first.keys() & second.keys()
    return sum(first[seed] - second[seed] for seed in both) / len(both)


def _row_by_row(a: Rows, b: Rows) -> float:
    pairs = list(zip(a, b, strict=False))
    return sum(x - y for (_, x), (_, y) in pairs) / len(pairs)


def _sorted_row_by_row(a: Rows, b: Rows) -> float:
    return _row_by_row(sorted(a), sorted(b))


def _means_of_all(a: Rows, b: Rows) -> float:
    return sum(x for _, x in a) / len(a) - sum(y for _, y in b) / len(b)


def _missing_is_zero(a: Rows, b: Rows) -> float:
    first, second = dict(a), dict(b)
    every = first.keys() | second.keys()
    return sum(first.get(seed, 0.0) - second.get(seed, 0.0) for seed in every) / len(every)


def _divided_by_all(a: Rows, b: Rows) -> float:
    first, second = dict(a), dict(b)
    return sum(first[seed] - second[seed] for seed in first.keys() & second.keys()) / len(a)


def _sum_of_differences(a: Rows, b: Rows) -> float:
    first, second = dict(a), dict(b)
    return sum(first[seed] - second[seed] for seed in first.keys() & second.keys())


def _turned_round(a: Rows, b: Rows) -> float:
    return -mean_difference(a, b)


def _files() -> Inputs:
    """Rows in the order in which runs ended, some runs missing from one file or the other."""
    generator = torch.Generator().manual_seed(3)
    inputs: list[tuple[Rows, Rows]] = []
    for seeds, without_a, without_b in (
        (6, (), ()),
        (8, (2,), (5, 6)),
        (5, (0, 4), ()),
        (7, (), (0, 3)),
        (3, (0,), (2,)),
    ):
        effect = 0.9 + 0.2 * torch.randn(seeds, generator=generator, dtype=torch.float64)
        gains = 0.05 * torch.randn(2, seeds, generator=generator, dtype=torch.float64)
        files: list[Rows] = []
        for gain, missing in zip(gains, (without_a, without_b), strict=True):
            order = torch.randperm(seeds, generator=generator).tolist()
            files.append([(100 + k, float(effect[k] + gain[k])) for k in order if k not in missing])
        inputs.append((files[0], files[1]))
    return tuple(inputs)


# --- 6 · towards research: looking too often -------------------------------------------------------


def peeking_error(d: Tensor, z: float, first: int) -> float:
    stopped = torch.zeros(len(d), dtype=torch.bool)
    for n in range(first, d.shape[1] + 1):
        seen = d[:, :n]
        error = seen.std(dim=1, correction=1) / math.sqrt(n)
        stopped |= seen.mean(dim=1).abs() > z * error
    return stopped.double().mean().item()


def _ratios(d: Tensor, first: int) -> Tensor:
    """Mean over standard error at each look, shape (looks, experiments)."""
    looks = range(first, d.shape[1] + 1)
    return torch.stack([d[:, :n].mean(1) / (d[:, :n].std(1) / math.sqrt(n)) for n in looks])


def _one_look(d: Tensor, z: float, first: int) -> float:
    return (_ratios(d, first)[-1].abs() > z).double().mean().item()


def _share_of_looks(d: Tensor, z: float, first: int) -> float:
    return (_ratios(d, first).abs() > z).double().mean().item()


def _one_side(d: Tensor, z: float, first: int) -> float:
    return (_ratios(d, first) > z).any(0).double().mean().item()


def _every_look(d: Tensor, z: float, first: int) -> float:
    return (_ratios(d, first).abs() > z).all(0).double().mean().item()


def _late_start(d: Tensor, z: float, first: int) -> float:
    return (_ratios(d, first + 1).abs() > z).any(0).double().mean().item()


def _last_look_missed(d: Tensor, z: float, first: int) -> float:
    return (_ratios(d, first)[:-1].abs() > z).any(0).double().mean().item()


def _spread_of_all(d: Tensor, z: float, first: int) -> float:
    looks = range(first, d.shape[1] + 1)
    alarms = [d[:, :n].mean(1).abs() > z * d.std(1) / math.sqrt(n) for n in looks]
    return torch.stack(alarms).any(0).double().mean().item()


def _from_two_on(d: Tensor, z: float, first: int) -> float:
    return (_ratios(d, 2).abs() > z).any(0).double().mean().item()


def _null_experiments() -> Inputs:
    generator = torch.Generator().manual_seed(2)
    sizes = ((400, 20, 1.96, 5), (200, 40, 2.58, 3), (300, 6, 1.96, 5))
    drawn = tuple(
        (torch.randn(rows, seeds, generator=generator, dtype=torch.float64), z, first)
        for rows, seeds, z, first in sizes
    )
    # in the first two rows |mean| is exactly one standard error after two seeds: not more, so no alarm
    equal = torch.tensor([[2.0, 0.0, -2.0], [0.0, 4.0, -4.0], [1.0, 2.0, 1.5]], dtype=torch.float64)
    return (*drawn, (equal, 1.0, 2))


EXERCISES = (
    Exercise(
        "00.paired_difference",
        title="The difference, seed by seed",
        prompt="Return the scores of a minus the scores of b, one number per seed: positive where a is "
        "better.",
        kind="core",
        minutes=2,
        inputs=_scores,
        solution=paired_difference,
        wrong=(
            Wrong(_reversed_difference, "The sign is turned: yours is positive where b is better."),
            Wrong(_absolute_difference, "The sign is lost: without it nobody can tell which method won."),
            Wrong(_mean_difference, "This is one number, the mean. One difference per seed is asked for."),
        ),
        hints=(
            "Tensors of one shape are subtracted element by element.",
            "One line: return the first argument minus the second.",
        ),
        stub='''def paired_difference(a, b):
    """The scores of a minus the scores of b, one number per seed."""
    ...
''',
        note="What both methods share on a seed, an easy split or a lucky start, has gone from the "
        "difference.",
        fewest_wrong=3,
    ),
    Exercise(
        "00.paired_standard_error",
        title="The standard error of a paired mean",
        prompt="Return the standard error of the mean paired difference: std(a - b, divisor n - 1) / "
        "sqrt(n).",
        kind="core",
        minutes=6,
        inputs=_scores,
        solution=paired_standard_error,
        wrong=(
            Wrong(
                _divisor_n,
                "The standard deviation has the divisor n. The mean was estimated from the same numbers, "
                "which "
                "costs one: divide by n - 1.",
            ),
            Wrong(
                _spread_of_one,
                "This is how far one seed's difference lies from the mean; the mean of n seeds is surer "
                "than one.",
            ),
            Wrong(
                _root_forgotten,
                "Divided by n. It is the variance of a mean that falls as 1/n; its root falls slower.",
            ),
            Wrong(
                _unpaired,
                "This is the unpaired standard error: it adds the spread of a and of b, and so counts "
                "what the seeds "
                "do to both. Take the differences first.",
            ),
            Wrong(
                _one_less_twice,
                "The 1 is taken off twice: `std` divides by n - 1 already, and the root below it is of n.",
            ),
            Wrong(
                _variance_for_deviation,
                "This is the variance of the mean: its square root is still to be taken.",
            ),
            Wrong(
                _difference_of_spreads,
                "This subtracts two spreads. What counts is the spread of the differences.",
            ),
        ),
        hints=(
            "Reduce the problem to one sample first: what is the one number per seed that you care about?",
            "For a sample d the standard error of its mean is std(d) / sqrt(n), with the divisor n - 1 "
            "in std.",
            "d = a - b, then d.std() (whose divisor is n - 1) over math.sqrt(len(d)), and .item() for a "
            "float.",
        ),
        stub='''def paired_standard_error(a, b):
    """The standard error of the mean of a - b, as a float."""
    ...
''',
        note="Student (1908). Where a and b rise and fall together, this is far smaller than the "
        "unpaired one.",
    ),
    Exercise(
        "00.seeds_needed",
        title="How many seeds",
        prompt="Return the smallest n >= 1 for which a mean difference d is at least z standard errors from zero, when "
        "the differences have standard deviation s. d is not 0; s and z are not negative.",
        kind="core",
        minutes=8,
        inputs=(
            (0.5, 1.0, 6.0),  # exact in binary, as the next two: 144, 16 and 1 seeds
            (-0.25, 0.5, 2.0),
            (2.0, 0.5, 4.0),
            (0.5, 0.0, 3.0),
            (30.0, 40.0, 2.5),
            (-0.01, 0.0305, 3.0),
            (0.02, 0.1, 2.575),
            (0.3, 0.4, 1.96),
            (0.1, 0.25, 1.8),
        ),
        solution=seeds_needed,
        wrong=(
            Wrong(
                _rounded,
                "Rounded to the nearest: where that rounds down, the last seed is missing and |d| < z s "
                "/ sqrt(n).",
            ),
            Wrong(_rounded_down, "Rounded down: one seed too few, unless the number is whole."),
            Wrong(
                _square_forgotten,
                "The square is missing. The standard error falls with the root of n, so half of it costs "
                "four times "
                "the seeds.",
            ),
            Wrong(
                _two_groups,
                "Twice too many: the factor 2 belongs to two independent groups. s is the spread of the "
                "differences.",
            ),
            Wrong(
                _no_seed, "Without spread this says that no seed is needed. One is, to see the difference."
            ),
            Wrong(
                _one_more,
                "One seed too many where (z s / d)² is whole: |d| may equal z s / sqrt(n).",
            ),
            Wrong(_variance_as_spread, "s is squared once too often: s is a standard deviation already."),
            Wrong(
                _multiple_forgotten,
                "This takes d one standard error from zero; z standard errors are asked for.",
            ),
        ),
        hints=(
            "Write down what is asked as an inequality: |d| >= z * (standard error with n seeds).",
            "With s / sqrt(n) for the standard error, solve for n. A part of a seed does not exist: "
            "which way to round?",
            "n >= (z * s / d)**2, and math.ceil gives the smallest whole n.",
        ),
        stub='''def seeds_needed(d, s, z):
    """The smallest n >= 1 with |d| >= z * s / sqrt(n), as an int; d, s, z are floats."""
    ...
''',
        note="From |d| >= z s / sqrt(n). Half the difference takes four times the seeds. It takes s as "
        "known; with "
        "an s from a few trial seeds, add some.",
    ),
    Exercise(
        "00.false_claim",
        title="Find the false claim among three",
        prompt='Three reports each say "a beats b". Return the index of the one whose paired interval, '
        "mean(a - b) ± t * standard error, does not lie above zero: its lower end is zero or less.",
        kind="core",
        minutes=12,
        inputs=_claims,
        solution=false_claim,
        wrong=(
            Wrong(
                _smallest_mean,
                "You chose the smallest mean difference. A small difference can be sure, and a large one "
                "luck: "
                "hold each against its own standard error.",
            ),
            Wrong(
                _first_seed,
                "You looked at the first seed only, and one seed ranks two methods wrongly very often.",
            ),
            Wrong(
                _widest_spread,
                "You chose the widest spread. Many seeds make a wide spread harmless: it is spread / "
                "sqrt(n) that counts.",
            ),
            Wrong(
                _unpaired_intervals,
                "These are unpaired standard errors: the spread that the seeds share hides differences "
                "that are sure.",
            ),
            Wrong(
                _most_losses,
                "You counted the seeds that a loses. By how much counts too, and so does the number of "
                "seeds.",
            ),
            Wrong(
                _factor_of_its_own,
                "You took 2.58 for t. It is given, and depends on the number of seeds and on the level.",
            ),
            Wrong(
                _factor_left_out,
                "The factor t is missing: one standard error below the mean is not the interval's end.",
            ),
            Wrong(
                _zero_is_above,
                "A lower end of exactly zero counts as well: the interval does not lie above zero then.",
            ),
            Wrong(
                _without_sign,
                'The sign of the mean is lost: where b is clearly better, "a beats b" is false, too.',
            ),
            Wrong(
                _strongest_claim, "This is the claim that holds most clearly: the comparison is turned round."
            ),
        ),
        hints=(
            "Each claim is judged by its own lower end: mean minus t standard errors.",
            "Use paired_standard_error on each claim; the false claim's lower end is at or below zero.",
            "Loop over enumerate(claims) and return i where (a - b).mean() <= t * "
            "paired_standard_error(a, b).",
        ),
        stub='''def false_claim(claims, t):
    """The index (an int) of the claim (a, b), tensors, whose interval mean(a - b) ± t * SE does not lie above 0."""
    ...
''',
        note="Neither the size of a mean nor its spread nor the count of wins decides: their ratio with "
        "sqrt(n) does.",
    ),
    Exercise(
        "00.mean_difference",
        title="Repair the comparison",
        prompt="Two methods wrote their results as lists of (seed, score) rows, in the order in which their runs ended; "
        "runs that crashed are missing. Return the mean of a's score minus b's over the seeds that both lists have. "
        "No seed stands twice in a list, and at least one stands in both.",
        kind="core",
        minutes=8,
        inputs=_files,
        solution=mean_difference,
        wrong=(
            Wrong(
                _row_by_row,
                "Rows are paired by their place in the lists, and there they are of different seeds: match them by seed.",
            ),
            Wrong(
                _sorted_row_by_row,
                "Sorting pairs the same seeds only as long as no run is missing; after the first gap all rows are shifted.",
            ),
            Wrong(
                _means_of_all,
                "These are the means over all runs. A hard seed that only one list has then counts for one method alone.",
            ),
            Wrong(_missing_is_zero, "A run that is missing counts here as a score of 0. Leave its seed out."),
            Wrong(
                _divided_by_all,
                "Divided by the length of a's list; the sum has one term for each seed in both.",
            ),
            Wrong(_sum_of_differences, "This is the sum of the differences; their mean is asked for."),
            Wrong(_turned_round, "The sign is turned: a minus b is asked for."),
        ),
        hints=(
            "Which row of b belongs to the first row of a? Not the first one.",
            "dict(a) gives a score for each seed. Which seeds are keys of both dicts?",
            "both = dict(a).keys() & dict(b).keys(); average dict(a)[seed] - dict(b)[seed] over them.",
        ),
        stub='''def mean_difference(a, b):
    """The mean of a - b over the seeds in both, as a float; a and b: lists of (seed, score), an int and a float."""
    ...
''',
        note="Which seeds are missing may be no accident: a method that crashes where it is bad looks better than it is. "
        "Report how many crashed.",
    ),
    Exercise(
        "00.peeking_error",
        title="Looking after every seed",
        prompt="Row i of d holds the differences of an experiment in which nothing is there. Someone "
        "looks after "
        "`first` seeds and after every later one, and stops as soon as |mean| > z standard errors. "
        "Return the share "
        "of experiments in which a difference is announced.",
        kind="extra",
        minutes=20,
        inputs=_null_experiments,
        solution=peeking_error,
        wrong=(
            Wrong(
                _one_look,
                "This looks once, at the end, where the error is what z promises. The looks on the way "
                "add theirs.",
            ),
            Wrong(
                _share_of_looks,
                "This is the share of looks that alarm. An experiment is over, and wrong, at its first "
                "alarm.",
            ),
            Wrong(
                _one_side, "Only a lead of a counts here; a lead of b ends the experiment as well: |mean|."
            ),
            Wrong(_every_look, "This asks for an alarm at every look; one is enough to stop."),
            Wrong(_late_start, "The first look is missing: it comes after `first` seeds, not one later."),
            Wrong(
                _spread_of_all,
                "The spread is that of all columns: whoever looks after n seeds knows the first n alone.",
            ),
            Wrong(_from_two_on, "Looks before `first` count here. Nobody looks that early."),
            Wrong(_last_look_missed, "The last look is missing: range() stops before its end."),
        ),
        hints=(
            "Take one row: at which n would it stop? Then count the rows that stop anywhere.",
            "For each n from `first` to the number of columns, inclusive, compute |mean| / SE of the "
            "first n columns.",
            "Keep a boolean per row, `stopped |= ratio > z` at each n, and return its mean as a float.",
        ),
        stub='''def peeking_error(d, z, first):
    """The share (a float) of rows of d with |mean| > z * SE over their first n columns, for some n >= first."""
    ...
''',
        note="Armitage, McPherson and Rowe (1969). Measured at z = 1.96 over 20,000 such experiments: one look "
        "after 20 seeds errs in 6% of them, a look after each seed from the fifth on in 29%. Fix n first.",
    ),
)

QUIZZES = (
    Quiz(
        "00.one_seed",
        "Method A is better than B by 0.01 on average. From seed to seed, their difference has a "
        "standard deviation of "
        "0.02. You train each once, on the same seed. How often does the worse method win?",
        (
            (
                "Never, or nearly: A is better",
                "A is better on average. A single seed draws one difference from a spread twice as wide "
                "as the mean.",
                False,
            ),
            (
                "About one time in three",
                "Zero lies half a standard deviation below the mean, and of a normal distribution nearly one in "
                "three lies beyond that.",
                True,
            ),
            (
                "One time in two",
                "That would be a tie, with no difference at all. The mean of 0.01 does shift the odds, "
                "to 69 against 31.",
                False,
            ),
        ),
    ),
    Quiz(
        "00.why_paired",
        "A and B are trained on the same 10 seeds. Scores differ by 0.05 from seed to seed, but A - B by "
        "only 0.01. "
        "Which interval for the mean difference is narrower?",
        (
            (
                "The paired one",
                "It sees the 0.01 only. The unpaired one adds the 0.05 of A to the 0.05 of B.",
                True,
            ),
            (
                "The unpaired one: it has 20 numbers in place of 10",
                "More numbers, but each carries its seed's luck. The half-width is about six times as "
                "large here.",
                False,
            ),
            (
                "They are the same",
                "They would be about the same if the scores of A and B had nothing to do with each other.",
                False,
            ),
        ),
    ),
)
