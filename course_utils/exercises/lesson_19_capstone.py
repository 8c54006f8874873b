"""Exercises of lesson 19: which method wins a fair race?

Scores are accuracies: higher is better.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from scipy.special import stdtrit
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Report = dict[str, Any]

# --- 1 · the choice --------------------------------------------------------------------------------


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
    tables = [
        [[0.90, 0.91, 0.92], [0.99, 0.80, 0.88], [0.93, 0.90, 0.94], [0.10, 0.12, 0.11]],
        [[0.85, 0.86, 0.87], [nan, 0.97, 0.98], [0.84, 0.90, 0.83], [0.88, 0.80, 0.81]],
        [[0.70, 0.70, 0.70], [0.66, 0.80, 0.78], [0.60, 0.85, 0.76], [nan, 0.10, 0.12]],
        [[nan, nan], [0.2, 0.3]],
        [[0.4]],
        [[nan, 0.9], [0.0, 0.0]],
        [[0.0, 0.0, 0.0], [nan, 0.9, 0.9]],
        [[0.5, 0.7], [0.9, nan], [0.61, 0.6], [nan, nan], [0.3, 0.95]],
    ]
    drawn = 0.7 + 0.1 * torch.randn(24, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    drawn[::5, 2] = nan
    return (*((torch.tensor(table, dtype=torch.float64),) for table in tables), (drawn,))


# --- 2 · what is wrong with a race -----------------------------------------------------------------


def faults(report: dict) -> list[str]:  # type: ignore[type-arg]
    entries = report["entries"]
    edges = [min(e["best"] / e["low"], e["high"] / e["best"]) for e in entries]
    found = {
        "trials": len({e["trials"] for e in entries}) > 1,
        "gradients": len({e["gradients"] for e in entries}) > 1,
        "edge": min(edges) <= 1.5,
        "seeds": bool(set(report["tuned_on"]) & set(report["reported_on"])),
        "test": report["chosen_by"] == "test",
    }
    return [name for name, wrong in found.items() if wrong]


def _without(report: Report, name: str) -> list[str]:
    return [one for one in faults(report) if one != name]


def _first_alone(report: Report) -> list[str]:
    return faults(report)[:1]


def _outside(report: Report) -> list[str]:
    """Asks whether a best rate is at the very end."""
    ends = any(e["best"] in (e["low"], e["high"]) for e in report["entries"])
    return [one for one in faults(report) if one != "edge" or ends]


def _linear_edge(report: Report) -> list[str]:
    """Measures the way to an end as a share of the range, as if rates were drawn evenly."""
    near = any(
        min(e["best"] - e["low"], e["high"] - e["best"]) <= 0.05 * (e["high"] - e["low"])
        for e in report["entries"]
    )
    names = [*faults(report), *(["edge"] if near else [])]
    kept = set(names) if near else set(names) - {"edge"}
    return [name for name in ("trials", "gradients", "edge", "seeds", "test") if name in kept]


def _upper_edge(report: Report) -> list[str]:
    near = any(e["high"] / e["best"] <= 1.5 for e in report["entries"])
    return [one for one in faults(report) if one != "edge" or near]


def _lower_edge(report: Report) -> list[str]:
    near = any(e["best"] / e["low"] <= 1.5 for e in report["entries"])
    return [one for one in faults(report) if one != "edge" or near]


def _equal_seeds(report: Report) -> list[str]:
    same = set(report["tuned_on"]) == set(report["reported_on"])
    return [one for one in faults(report) if one != "seeds" or same]


def _no_trials(report: Report) -> list[str]:
    return _without(report, "trials")


def _no_gradients(report: Report) -> list[str]:
    return _without(report, "gradients")


def _no_test(report: Report) -> list[str]:
    return _without(report, "test")


def _reports() -> Inputs:
    def entry(trials: int, gradients: int, low: float, high: float, best: float) -> Report:
        return {"trials": trials, "gradients": gradients, "low": low, "high": high, "best": best}

    def report(
        *entries: Report, tune: Any = range(6), last: Any = range(50, 60), by: str = "validation"
    ) -> Any:
        return ({"entries": list(entries), "tuned_on": set(tune), "reported_on": set(last), "chosen_by": by},)

    fair = entry(8, 320, 3e-4, 0.3, 0.006)
    return (
        report(fair, entry(8, 320, 1e-4, 0.1, 0.001)),
        report(fair, entry(8, 640, 3e-4, 0.3, 0.01)),
        report(fair, entry(8, 320, 1e-4, 0.1, 0.01), entry(1, 320, 1e-4, 0.1, 0.01)),
        report(fair, entry(8, 320, 1e-4, 0.1, 0.08)),  # within a factor of 1.25 of the upper end
        report(fair, entry(8, 320, 1e-3, 1.0, 0.0012)),  # of the lower end
        report(fair, entry(8, 320, 1e-3, 1.0, 0.0016)),  # a factor of 1.6: near in steps, not in factors
        report(fair, entry(8, 320, 0.25, 8.0, 0.375)),  # 1.5 itself
        report(fair, entry(8, 320, 1e-4, 0.1, 0.1)),
        report(fair, fair, tune=range(6), last=range(5, 30)),
        report(fair, fair, tune=range(6), last=range(6)),
        report(fair, fair, by="test"),
        report(
            entry(20, 320, 3e-4, 0.3, 0.29),
            entry(1, 640, 1e-3, 1.0, 0.05),
            tune=[1, 7],
            last=[7, 9],
            by="test",
        ),
        report(fair),
        report(entry(4, 100, 0.01, 1.0, 0.62), entry(4, 200, 0.01, 1.0, 0.1), tune=[3], last=[30]),
        report(entry(4, 100, 0.01, 1.0, 0.7), entry(4, 100, 0.01, 1.0, 0.1), by="test"),
    )


# --- 3 · what can be afforded ----------------------------------------------------------------------


def affordable(runs: float, steps: int, first: int) -> int:
    def price(n: int) -> int:
        step, taken = first, n * first
        while step < steps:
            n = max(1, n // 2)
            taken, step = taken + n * step, 2 * step
        return taken

    n = 1
    while price(2 * n) <= runs * steps:
        n *= 2
    return n


def _afford(price: Any, runs: float, steps: int) -> int:
    n = 1
    while price(2 * n) <= runs * steps:
        n *= 2
    return n


def _whole_runs(runs: float, steps: int, first: int) -> int:
    """As if every rate ran to the end."""
    return _afford(lambda n: n * steps, runs, steps)


def _first_rung(runs: float, steps: int, first: int) -> int:
    """Pays for the first rung alone."""
    return _afford(lambda n: n * first, runs, steps)


def _anew(runs: float, steps: int, first: int) -> int:
    """Begins every rung from step 0."""

    def price(n: int) -> int:
        step, taken = first, n * first
        while n > 1 and step < steps:
            n //= 2
            step = steps if n == 1 else 2 * step
            taken += n * step
        return taken if n > 1 or step == steps else taken + steps

    return _afford(price, runs, steps)


def _last_stops(runs: float, steps: int, first: int) -> int:
    """Does not run the last one to the end."""

    def price(n: int) -> int:
        step, taken = first, n * first
        while n > 1 and step < steps:
            n //= 2
            taken, step = taken + n * step, 2 * step
        return taken

    return _afford(price, runs, steps)


def _beyond_the_end(runs: float, steps: int, first: int) -> int:
    """Goes on doubling after the end is reached, until one is left."""

    def price(n: int) -> int:
        step, taken = first, n * first
        while n > 1:
            n //= 2
            until = max(steps, 2 * step) if n == 1 else 2 * step
            taken, step = taken + n * (until - step), until
        return taken + max(0, steps - step)

    return _afford(price, runs, steps)


def _one_too_many(runs: float, steps: int, first: int) -> int:
    return 2 * affordable(runs, steps, first)


def _budgets() -> Inputs:
    return (
        (2.5, 160, 20),
        (5, 160, 20),
        (4.9, 160, 20),
        (10, 160, 20),
        (1, 160, 20),
        (2.4, 160, 20),
        (7, 320, 10),
        (20, 320, 10),
        (3, 64, 32),
        (8, 64, 64),
        (1.5, 64, 32),
        (40, 1024, 1),
        (6.25, 160, 10),
        (0.5, 160, 20),
    )


# --- 4 · who is tied with the winner ---------------------------------------------------------------


def tied_with_winner(scores: Tensor, level: float) -> list[int]:
    methods, seeds = scores.shape
    alpha = (1 - level) / (methods * (methods - 1) / 2)
    t = float(stdtrit(seeds - 1, 1 - alpha / 2))
    best = int(scores.mean(1).argmax())
    gap = scores[best] - scores  # (methods, seeds)
    low = gap.mean(1) - t * gap.std(1, correction=1) / seeds**0.5
    return [i for i in range(methods) if i == best or float(low[i]) <= 0]


def _tied(scores: Tensor, t: float, *, by: str = "paired") -> list[int]:
    seeds = scores.shape[1]
    mean, var = scores.mean(1), scores.var(1, correction=1) / seeds
    best = int(mean.argmax())
    gap = scores[best] - scores
    half = {
        "paired": t * gap.std(1, correction=1) / math.sqrt(seeds),
        "unpaired": t * (var[best] + var).sqrt(),
        "overlap": t * (var[best].sqrt() + var.sqrt()),
        "spread": t * gap.std(1, correction=1),
        "divisor": t * gap.std(1, correction=0) / math.sqrt(seeds),
    }[by]
    low = gap.mean(1) - half
    return [i for i in range(len(scores)) if i == best or float(low[i]) <= 0]


def _t(scores: Tensor, level: float, comparisons: float) -> float:
    return float(stdtrit(scores.shape[1] - 1, 1 - (1 - level) / comparisons / 2))


def _pairs(scores: Tensor) -> float:
    return len(scores) * (len(scores) - 1) / 2


def _each_alone(scores: Tensor, level: float) -> list[int]:
    return _tied(scores, _t(scores, level, 1))


def _with_the_first(scores: Tensor, level: float) -> list[int]:
    return _tied(scores, _t(scores, level, len(scores) - 1))


def _one_sided(scores: Tensor, level: float) -> list[int]:
    return _tied(scores, float(stdtrit(scores.shape[1] - 1, 1 - (1 - level) / _pairs(scores))))


def _unpaired(scores: Tensor, level: float) -> list[int]:
    return _tied(scores, _t(scores, level, _pairs(scores)), by="unpaired")


def _overlapping(scores: Tensor, level: float) -> list[int]:
    return _tied(scores, _t(scores, level, _pairs(scores)), by="overlap")


def _spread_for_error(scores: Tensor, level: float) -> list[int]:
    return _tied(scores, _t(scores, level, _pairs(scores)), by="spread")


def _divisor(scores: Tensor, level: float) -> list[int]:
    return _tied(scores, _t(scores, level, _pairs(scores)), by="divisor")


def _winner_alone(scores: Tensor, level: float) -> list[int]:
    return [int(scores.mean(1).argmax())]


def _losers(scores: Tensor, level: float) -> list[int]:
    tied = tied_with_winner(scores, level)
    return [i for i in range(len(scores)) if i not in tied]


def _boards() -> Inputs:
    """Scores whose seeds matter more than their method: gaps of many sizes, around where they are told apart."""
    generator = torch.Generator().manual_seed(7)
    boards: list[tuple[Any, ...]] = []
    for methods, seeds, level in (
        (4, 16, 0.99), (12, 24, 0.99), (30, 10, 0.95), (2, 5, 0.9), (60, 6, 0.9), (60, 8, 0.95), (80, 40, 0.999), (3, 2, 0.9),
    ):  # fmt: skip
        shared = 0.85 + 0.03 * torch.randn(1, seeds, generator=generator, dtype=torch.float64)
        own = 0.004 * torch.randn(methods, seeds, generator=generator, dtype=torch.float64)
        gains = 0.06 * torch.rand(methods, 1, generator=generator, dtype=torch.float64)
        boards.append((shared + own + gains, level))
    best = torch.tensor([0.9, 0.7, 0.8, 0.6], dtype=torch.float64)
    few = torch.stack(
        [best - 0.02, best, best - torch.tensor([0.01, 0.02, 0.03, 0.02], dtype=torch.float64), best]
    )
    return (*boards, (few, 0.9), (few, 0.99))


# --- 5 · towards research: counted twice -----------------------------------------------------------


def variance_of_mean(d: Tensor) -> float:
    seeds, images = d.shape
    rows, columns = d.mean(1), d.mean(0)
    left = d - rows[:, None] - columns + d.mean()  # of both: neither of the seed nor of the image alone
    c = (left**2).sum() / ((seeds - 1) * (images - 1))
    return float(rows.var() / seeds + columns.var() / images - c / (seeds * images))


def _both_counted(d: Tensor) -> float:
    return float(d.mean(1).var() / d.shape[0] + d.mean(0).var() / d.shape[1])


def _seeds_alone(d: Tensor) -> float:
    return float(d.mean(1).var() / d.shape[0])


def _images_alone(d: Tensor) -> float:
    return float(d.mean(0).var() / d.shape[1])


def _all_independent(d: Tensor) -> float:
    return float(d.var() / d.numel())


def _interaction(d: Tensor) -> float:
    seeds, images = d.shape
    left = d - d.mean(1)[:, None] - d.mean(0) + d.mean()
    return float((left**2).sum() / ((seeds - 1) * (images - 1)) / d.numel())


def _plain_mean_square(d: Tensor) -> float:
    left = d - d.mean(1)[:, None] - d.mean(0) + d.mean()
    return _both_counted(d) - float((left**2).mean() / d.numel())


def _total_for_interaction(d: Tensor) -> float:
    return _both_counted(d) - float(d.var() / d.numel())


def _twice_taken(d: Tensor) -> float:
    return _both_counted(d) - 2 * _interaction(d)


def _clamped(d: Tensor) -> float:
    return max(0.0, variance_of_mean(d))


def _tables() -> Inputs:
    generator = torch.Generator().manual_seed(19)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    def table(seeds: int, images: int, a: float, b: float, c: float) -> tuple[Tensor]:
        return (0.3 + a * draw(seeds, 1) + b * draw(1, images) + c * draw(seeds, images),)

    below = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)  # the estimate is negative
    return (
        table(6, 40, 1.0, 1.0, 1.0), table(24, 10, 0.2, 1.0, 2.0), table(3, 3, 2.0, 0.1, 1.0), table(2, 9, 0.0, 0.0, 5.0),
        (below,), table(5, 2, 0.01, 0.02, 0.01),
        (torch.randint(-1, 2, (12, 30), generator=generator).double(),),
    )  # fmt: skip


EXERCISES = (
    Exercise(
        "19.choose_trial",
        title="Choose a trial",
        prompt="scores[i, s] is the validation accuracy of trial i with seed s. Return the index of the trial with the "
        "best mean; a trial that broke down (NaN) with any seed is not chosen. At least one did not.",
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
        "19.faults",
        title="What is wrong with this race?",
        prompt="A report is a dict with entries, tuned_on and reported_on (sets of seeds) and chosen_by "
        '("validation" or "test"). Each entry is a dict with trials, gradients (of one training), low and high (the '
        "range of its rate) and best (the rate chosen). Return a list of what is wrong, in this order and without "
        'the rest: "trials" (not all entries have as many), "gradients" (likewise), "edge" (some best rate lies '
        "within a factor of 1.5 of an end of its range, the factor itself included), "
        '"seeds" (a seed both tunes and reports), "test" (chosen by it).',
        kind="core",
        minutes=12,
        inputs=_reports,
        solution=faults,
        wrong=(
            Wrong(_first_alone, "Only the first fault of a report is named. A report may have several."),
            Wrong(
                _outside,
                "You took a rate for at the edge only where it *is* the end. Close to it, the best may lie beyond as well.",
            ),
            Wrong(
                _linear_edge,
                "The way to the end was measured as a share of the range. Rates are compared by their factor.",
            ),
            Wrong(_upper_edge, "A best rate near the lower end of its range goes unnoticed."),
            Wrong(_lower_edge, "A best rate near the upper end of its range goes unnoticed."),
            Wrong(
                _equal_seeds, "The seeds need not be all the same: one that both tunes and reports is enough."
            ),
            Wrong(_no_trials, "Entries with other numbers of trials go unnoticed."),
            Wrong(_no_gradients, "Entries that took other numbers of gradients go unnoticed."),
            Wrong(_no_test, "A race that chose by the test set goes unnoticed."),
        ),
        hints=(
            "One line for each fault, in the order of the prompt. A set has one member where all are equal.",
            "How near is an end: min(best / low, high / best), for each entry, against 1.5.",
            'Seeds: set(report["tuned_on"]) & set(report["reported_on"]) is not empty.',
        ),
        stub='''def faults(report):
    """A list of strings out of "trials", "gradients", "edge", "seeds", "test"; empty for a fair race."""
    ...
''',
        note="Most reports say too little to answer all five. Ask for what is missing.",
    ),
    Exercise(
        "19.affordable",
        title="How many rates can you afford?",
        prompt="You can pay for `runs` whole runs of `steps` steps. Successive halving begins with n rates, a power of "
        "two, for `first` steps each; steps is first times a power of two. At each halving the better half goes on to "
        "twice the steps; when one rate is left it runs to the end, and when the end is reached nothing more is paid. "
        "Return the largest n that you can afford; at least 1.",
        kind="core",
        minutes=10,
        inputs=_budgets,
        solution=affordable,
        wrong=(
            Wrong(_whole_runs, "Every rate was charged a whole run. Most of them stop early."),
            Wrong(_first_rung, "Only the first rung is paid. Those that go on cost more."),
            Wrong(_anew, "Rates that go on were charged from step 0 again. They go on from where they are."),
            Wrong(_last_stops, "The one that is left has to run to the end, and that costs, too."),
            Wrong(_beyond_the_end, "Runs were doubled beyond their end. There nothing more is paid."),
            Wrong(_one_too_many, "This n costs more than there is; it is the first that does."),
        ),
        hints=(
            "Write the price of n first: n * first, then half of them for the steps up to twice as many, and so on.",
            "Going on from step to 2 * step costs (rates left) * step; the last one costs steps - step.",
            "Then double n while the price of 2 * n is at most runs * steps.",
        ),
        stub='''def affordable(runs, steps, first):
    """The largest power of two n, an int, whose halving takes at most runs * steps steps."""
    ...
''',
        note="While rates are halved, each rung after the first costs half as much as the first: n * first / 2.",
    ),
    Exercise(
        "19.tied_at_level",
        title="Who is tied with the winner",
        prompt="scores[i, s] is the test accuracy of method i with seed s; at least two methods. The winner has the best "
        "mean. Return the sorted list of its index and of all whose paired interval, mean gap ± t · standard error "
        "(divisor S - 1), reaches zero, where t has the level that lets all pairs hold together at `level` (Bonferroni).",
        kind="core",
        minutes=20,
        inputs=_boards,
        solution=tied_with_winner,
        wrong=(
            Wrong(
                _each_alone, "Each interval has the whole level. The winner was found by looking: share it."
            ),
            Wrong(
                _with_the_first,
                "The level is shared among the comparisons with one method. The winner was not named beforehand: all pairs.",
            ),
            Wrong(_one_sided, "An interval has two ends: each errs with half of alpha."),
            Wrong(
                _unpaired,
                "This is the unpaired standard error: it counts the luck of the split twice, where pairing removes it.",
            ),
            Wrong(
                _overlapping,
                "You asked whether the methods' own intervals overlap. They hold what the seeds do to both; pair them.",
            ),
            Wrong(
                _spread_for_error,
                "This is the spread of single gaps. The mean of n of them has an error smaller by the root of n.",
            ),
            Wrong(_divisor, "The squares were divided by S. The prompt asks for S - 1."),
            Wrong(_winner_alone, "Only the winner: somebody always is. Who can be told from it?"),
            Wrong(_losers, "These are the methods that are *not* tied with the winner."),
        ),
        hints=(
            "Find the winner by mean, then look at its gaps to each method, seed by seed.",
            "alpha = (1 - level) / (methods * (methods - 1) / 2); t = stdtrit(seeds - 1, 1 - alpha / 2).",
            "Keep i where gap.mean(1) - t * gap.std(1) / sqrt(seeds) <= 0, and the winner itself.",
        ),
        stub='''def tied_with_winner(scores, level):
    """Sorted list of the indices that cannot be told from the method with the best mean."""
    ...
''',
        note="`Result.leaderboard` does this, with the error of the test images as well.",
    ),
    Exercise(
        "19.variance_of_mean",
        title="Counted twice",
        prompt="d[s, i] is what A has ahead of B with seed s on image i: a constant, plus something of the seed (variance "
        "a), of the image (b) and of both (c), all independent. The lesson's se² expects a/S + b/N + 2c/(SN), where the "
        "variance of the mean is a/S + b/N + c/(SN). Return an estimate of the latter that is right on average; S and "
        "N are at least 2. It may come out negative; leave it so.",
        kind="extra",
        minutes=25,
        inputs=_tables,
        solution=variance_of_mean,
        wrong=(
            Wrong(_both_counted, "This is the lesson's se², which has the part of both twice."),
            Wrong(_seeds_alone, "This holds for other seeds on the same images."),
            Wrong(_images_alone, "This holds for other images with the same seeds."),
            Wrong(
                _all_independent,
                "This takes all S · N entries for independent. Those of one seed share it, those of one image, too.",
            ),
            Wrong(_interaction, "This is c/(SN), what is to be taken away. From what?"),
            Wrong(
                _plain_mean_square,
                "c was estimated with divisor S · N. Taking means out of rows and columns leaves (S - 1)(N - 1).",
            ),
            Wrong(
                _total_for_interaction,
                "The variance of all entries was taken for c. It holds a and b as well: take rows and columns out first.",
            ),
            Wrong(
                _twice_taken, "c/(SN) was taken away twice. It is in the sum twice and belongs there once."
            ),
            Wrong(_clamped, "Cut off at zero the estimate is too large on average."),
        ),
        hints=(
            "The lesson's se² is right but for one c/(SN). So estimate c.",
            "What is left of d without the means of rows and columns: d - rows - columns + mean.",
            "c: the sum of its squares over (S - 1)(N - 1).",
        ),
        stub='''def variance_of_mean(d):
    """An unbiased estimate, a float, of the variance of d.mean(), for d (S, N) with other seeds and images."""
    ...
''',
        note="The simple sum errs on the safe side: its intervals are too wide, and some methods that differ stay tied.",
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
                "One of them, Muon, comes second on the digits. It is level on MNIST-1D, and Lion is level or behind.",
                False,
            ),
        ),
    ),
    Quiz(
        "19.twins",
        "The same method is entered twice, under two names. Each twin draws its own random settings, is tuned, and then "
        "runs with 24 fresh seeds. Can the paired 99% interval of their difference exclude zero?",
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
    Quiz(
        "19.early_rate",
        "To save steps you train many learning rates for a sixteenth of the run, on images of which a fifth have wrong "
        "labels, and go on with the better half only. Is the best rate of the whole run among those that are kept?",
        (
            (
                "Surely: what is bad early is bad late",
                "True of the hopeless ones. But an early ranking is one of speed.",
                False,
            ),
            (
                "Not surely: early on larger rates are ahead",
                "A large rate learns fast, and then it fits the wrong labels. The best rate of the whole run is small "
                "and slow.",
                True,
            ),
            (
                "No: early on smaller rates are ahead",
                "They are more careful, and slow. After few steps they have hardly begun.",
                False,
            ),
        ),
    ),
)
