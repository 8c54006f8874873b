"""Exercises of lesson 11: when does regularisation help at all?"""

from __future__ import annotations

import math
from typing import Any

import torch

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Report = dict[str, Any]


def _randn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- 1 · K folds -----------------------------------------------------------------------------------


def kfold_error(x: torch.Tensor, y: torch.Tensor, k: int, l2: float) -> float:
    part, total = torch.arange(len(x)) % k, 0.0
    for i in range(k):
        held = part == i
        seen, labels = x[~held], y[~held]
        gram = seen.T @ seen + len(seen) * l2 * torch.eye(x.shape[1], dtype=x.dtype)
        p = torch.linalg.solve(gram, seen.T @ labels)
        total += float((y[held] - x[held] @ p).square().sum())
    return total / len(x)


def _ridge(x: torch.Tensor, y: torch.Tensor, weight: float) -> torch.Tensor:
    solved: torch.Tensor = torch.linalg.solve(
        x.T @ x + weight * torch.eye(x.shape[1], dtype=x.dtype), x.T @ y
    )
    return solved


def _fold_errors(
    x: torch.Tensor, y: torch.Tensor, k: int, l2: float, mistake: str = ""
) -> list[torch.Tensor]:
    """The squared errors of each part, with one mistake or none."""
    part = torch.arange(len(x)) * k // len(x) if mistake == "blocks" else torch.arange(len(x)) % k
    found = []
    for i in range(k):
        held = part == i
        seen = torch.ones_like(held) if mistake == "all" else held if mistake == "turned" else ~held
        judged = ~held if mistake == "turned" else held
        weight = {"sum": l2, "whole": len(x) * l2}.get(mistake, int(seen.sum()) * l2)
        found.append((y[judged] - x[judged] @ _ridge(x[seen], y[seen], weight)).square())
    return found


def _of_all(errors: list[torch.Tensor]) -> float:
    return float(torch.cat(errors).mean())


def _fitted_on_everything(x: torch.Tensor, y: torch.Tensor, k: int, l2: float) -> float:
    return _of_all(_fold_errors(x, y, k, l2, "all"))


def _blocks(x: torch.Tensor, y: torch.Tensor, k: int, l2: float) -> float:
    return _of_all(_fold_errors(x, y, k, l2, "blocks"))


def _turned(x: torch.Tensor, y: torch.Tensor, k: int, l2: float) -> float:
    return _of_all(_fold_errors(x, y, k, l2, "turned"))


def _against_the_sum(x: torch.Tensor, y: torch.Tensor, k: int, l2: float) -> float:
    return _of_all(_fold_errors(x, y, k, l2, "sum"))


def _whole_n(x: torch.Tensor, y: torch.Tensor, k: int, l2: float) -> float:
    return _of_all(_fold_errors(x, y, k, l2, "whole"))


def _mean_of_means(x: torch.Tensor, y: torch.Tensor, k: int, l2: float) -> float:
    return float(torch.stack([errors.mean() for errors in _fold_errors(x, y, k, l2)]).mean())


def _one_part(x: torch.Tensor, y: torch.Tensor, k: int, l2: float) -> float:
    return float(_fold_errors(x, y, k, l2)[0].mean())


def _not_divided(x: torch.Tensor, y: torch.Tensor, k: int, l2: float) -> float:
    return len(x) * kfold_error(x, y, k, l2)


def _fold_inputs() -> Inputs:
    sizes = ((12, 3, 3, 0.1), (11, 2, 4, 0.5), (7, 4, 7, 0.02), (9, 6, 2, 1.0), (10, 2, 5, 0.0))
    return tuple(
        (_randn(k, n, d), _randn(k + 20, n) * (k + 1), parts, l2) for k, (n, d, parts, l2) in enumerate(sizes)
    )


# --- 2 · choose the penalty ------------------------------------------------------------------------


def one_standard_error(l2s: list[float], errors: torch.Tensor) -> float:
    mean = errors.mean(0)
    best = int(mean.argmin())
    limit = mean[best] + errors[:, best].std() / len(errors) ** 0.5
    return max(l2 for l2, error in zip(l2s, mean, strict=True) if error <= limit)


def _within(l2s: list[float], mean: torch.Tensor, limit: Any) -> list[float]:
    return [l2 for l2, error in zip(l2s, mean.tolist(), strict=True) if error <= float(limit)]


def _the_best(l2s: list[float], errors: torch.Tensor) -> float:
    return l2s[int(errors.mean(0).argmin())]


def _no_root(l2s: list[float], errors: torch.Tensor) -> float:
    mean = errors.mean(0)
    best = int(mean.argmin())
    return max(_within(l2s, mean, mean[best] + errors[:, best].std()))


def _divided_by_k(l2s: list[float], errors: torch.Tensor) -> float:
    mean = errors.mean(0)
    best = int(mean.argmin())
    return max(_within(l2s, mean, mean[best] + errors[:, best].std(correction=0) / len(errors) ** 0.5))


def _the_smallest(l2s: list[float], errors: torch.Tensor) -> float:
    mean = errors.mean(0)
    best = int(mean.argmin())
    return min(_within(l2s, mean, mean[best] + errors[:, best].std() / len(errors) ** 0.5))


def _last_in_the_list(l2s: list[float], errors: torch.Tensor) -> float:
    mean = errors.mean(0)
    best = int(mean.argmin())
    return _within(l2s, mean, mean[best] + errors[:, best].std() / len(errors) ** 0.5)[-1]


def _own_error(l2s: list[float], errors: torch.Tensor) -> float:
    mean = errors.mean(0)
    own = errors.std(0) / len(errors) ** 0.5
    return max(l2 for l2, one, se in zip(l2s, mean, own, strict=True) if one - se <= mean.min())


def _parts_for_penalties(l2s: list[float], errors: torch.Tensor) -> float:
    mean = errors.mean(0)
    best = int(mean.argmin())
    return max(_within(l2s, mean, mean[best] + errors[:, best].std() / len(l2s) ** 0.5))


def _penalty_inputs() -> Inputs:
    level = torch.tensor([[0.5, 0.75, 0.5]], dtype=torch.float64).repeat(4, 1)  # the limit itself is met
    swing = torch.tensor([0.4, 0.6] * 6, dtype=torch.float64)  # of 12 parts: K / 2 is far from the root of K
    rows: list[tuple[Any, ...]] = [
        ([0.5], _randn(5, 3, 1)),
        ([0.02, 2.0], 0.3 + _randn(6, 2, 2).abs()),
        ([0.1, 0.3, 0.2], level),
        ([0.1, 0.4], torch.stack([swing, torch.full_like(swing, 0.5235)], 1)),
    ]
    for seed in range(16):
        parts, count = 3 + seed % 6, 5 + seed
        order = (
            torch.randperm(count, generator=torch.Generator().manual_seed(seed)) if seed % 2 else range(count)
        )
        l2s = [0.1 * int(place) for place in order]
        curve = torch.tensor([0.5 + 0.2 * (l2 - 0.3) ** 2 for l2 in l2s], dtype=torch.float64)
        rows.append((l2s, curve + 0.15 * _randn(40 + seed, parts, count)))
    return tuple(rows)


# --- 3 · which reports may be believed -------------------------------------------------------------


def untouched(reports: list[dict]) -> list[str]:  # type: ignore[type-arg]
    found = []
    for report in reports:
        person = report["person"]
        known = {person[image] for image in [*report["fitted_on"], *report["chosen_on"]]}
        tested = {person[image] for image in report["tested_on"]}
        if not known & tested and report["looks"] == 1:
            found.append(report["name"])
    return found


def _believed(
    reports: list[Report],
    *,
    known: tuple[str, ...] = ("fitted_on", "chosen_on"),
    by: str = "person",
    looks: bool = True,
) -> list[str]:
    found = []
    for report in reports:
        name = report["person"] if by == "person" else {image: image for image in report["person"]}
        seen = {name[image] for part in known for image in report[part]}
        clean = not any(name[image] in seen for image in report["tested_on"])
        if clean and (not looks or report["looks"] == 1):
            found.append(report["name"])
    return found


def _images_only(reports: list[Report]) -> list[str]:
    return _believed(reports, by="image")


def _choice_forgotten(reports: list[Report]) -> list[str]:
    return _believed(reports, known=("fitted_on",))


def _fit_forgotten(reports: list[Report]) -> list[str]:
    return _believed(reports, known=("chosen_on",))


def _looks_forgotten(reports: list[Report]) -> list[str]:
    return _believed(reports, looks=False)


def _only_some_known(reports: list[Report]) -> list[str]:
    """Refused only where every tested person is known."""
    found = []
    for report in reports:
        person = report["person"]
        known = {person[image] for image in [*report["fitted_on"], *report["chosen_on"]]}
        if report["looks"] == 1 and not {person[image] for image in report["tested_on"]} <= known:
            found.append(report["name"])
    return found


def _not_believed(reports: list[Report]) -> list[str]:
    kept = untouched(reports)
    return [report["name"] for report in reports if report["name"] not in kept]


def _reports() -> Inputs:
    person = {image: "abcdefgh"[image // 3] for image in range(24)}  # three images each

    def report(name: str, fitted: Any, chosen: Any, tested: Any, looks: int = 1) -> Report:
        parts = {"fitted_on": list(fitted), "chosen_on": list(chosen), "tested_on": list(tested)}
        return {"name": name, **parts, "person": person, "looks": looks}

    return (
        (
            [
                report("apart", range(12), range(12, 18), range(18, 24)),
                report("same person", range(13), range(15, 18), [13, 14, 20]),
                report("chosen there", range(6), range(9, 14), range(14, 24)),
                report("looked twice", range(12), range(12, 18), range(18, 24), looks=2),
                report("no choice", range(12), [], range(12, 24)),
            ],
        ),
        (
            [
                report("same image", [0, 1, 2, 7], [12, 13], [7, 20]),
                report("fitted friend", [1, 4], [9], [2, 21]),
                report("all known", [0, 3], [6], [1, 4, 8]),
                report("chosen by test", [0, 1], [18, 19, 20], [18, 19, 20]),
                report("never looked", [0, 1], [9], [18, 19], looks=0),
                report("last", [23], [5], [6, 12, 17]),
            ],
        ),
        (
            [
                report("chosen by the fitted", [0, 3, 6], [1, 4, 7], [9, 12]),  # no harm to the test
                report("second tested image", [0, 1], [12], [20, 13]),
            ],
        ),
        ([report("alone", [0], [1], [2])],),
        (
            [
                report("one", [0], [3], [6]),
                report("two", [3], [0], [9], looks=5),
                report("each", [1], [], [5]),
            ],
        ),
        ([],),
    )


# --- 4 · repair ------------------------------------------------------------------------------------


def held_out_accuracy(x: torch.Tensor, y: torch.Tensor, n: int, k: int) -> float:
    x = (x - x[:n].mean(0)) / x[:n].std(0, correction=0)
    best = (x[:n] * y[:n, None]).mean(0).abs().topk(k).indices
    w = (x[:n, best] * y[:n, None]).mean(0)
    return float((x[n:, best] @ w * y[n:] > 0).double().mean())


def _repaired(
    x: torch.Tensor, y: torch.Tensor, n: int, k: int, *, scale: Any, choose: Any, weigh: Any, judge: Any
) -> float:
    """The same with the rows that each step is fitted on."""
    x = (x - x[scale].mean(0)) / x[scale].std(0, correction=0)
    best = (x[choose] * y[choose, None]).mean(0).abs().topk(k).indices
    w = (x[weigh][:, best] * y[weigh, None]).mean(0)
    return float((x[judge][:, best] @ w * y[judge] > 0).double().mean())


def _as_given(x: torch.Tensor, y: torch.Tensor, n: int, k: int) -> float:
    every, seen = slice(None), slice(n)
    return _repaired(x, y, n, k, scale=every, choose=every, weigh=seen, judge=slice(n, None))


def _scale_leaks(x: torch.Tensor, y: torch.Tensor, n: int, k: int) -> float:
    return _repaired(x, y, n, k, scale=slice(None), choose=slice(n), weigh=slice(n), judge=slice(n, None))


def _choice_leaks(x: torch.Tensor, y: torch.Tensor, n: int, k: int) -> float:
    return _repaired(x, y, n, k, scale=slice(n), choose=slice(None), weigh=slice(n), judge=slice(n, None))


def _weights_leak(x: torch.Tensor, y: torch.Tensor, n: int, k: int) -> float:
    return _repaired(x, y, n, k, scale=slice(n), choose=slice(n), weigh=slice(None), judge=slice(n, None))


def _judged_on_training(x: torch.Tensor, y: torch.Tensor, n: int, k: int) -> float:
    return _repaired(x, y, n, k, scale=slice(n), choose=slice(n), weigh=slice(n), judge=slice(n))


def _each_by_itself(x: torch.Tensor, y: torch.Tensor, n: int, k: int) -> float:
    parts = [(part - part.mean(0)) / part.std(0, correction=0) for part in (x[:n], x[n:])]
    best = (parts[0] * y[:n, None]).mean(0).abs().topk(k).indices
    w = (parts[0][:, best] * y[:n, None]).mean(0)
    return float((parts[1][:, best] @ w * y[n:] > 0).double().mean())


def _not_absolute(x: torch.Tensor, y: torch.Tensor, n: int, k: int) -> float:
    x = (x - x[:n].mean(0)) / x[:n].std(0, correction=0)
    best = (x[:n] * y[:n, None]).mean(0).topk(k).indices
    w = (x[:n, best] * y[:n, None]).mean(0)
    return float((x[n:, best] @ w * y[n:] > 0).double().mean())


def _repair_inputs() -> Inputs:
    found = []
    for seed, (rows, columns, n, k) in enumerate(
        ((30, 40, 18, 4), (24, 60, 16, 6), (50, 10, 20, 3), (40, 80, 30, 1), (60, 20, 25, 20))
    ):
        y = torch.where(_randn(90 + seed, rows) > 0, 1.0, -1.0).double()
        scale = torch.linspace(0.2, 5, columns, dtype=torch.float64)
        x = _randn(70 + seed, rows, columns) + 0.3 * y[:, None] * (torch.arange(columns) % 5 == 0)
        x[n:] += 0.6  # the held-out rows lie elsewhere
        found.append((x * scale + 1, y, n, k))
    # a row at the training mean: its score is 0, and no answer
    x = torch.tensor(
        [[0.0, 1.0], [2.0, 3.0], [0.0, 3.0], [2.0, 1.0], [1.0, 2.0], [2.0, 0.0]], dtype=torch.float64
    )
    y = torch.tensor([-1.0, 1.0, -1.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    return (*found, (x, y, 4, 1))


# --- 5 · wrong labels in the validation set --------------------------------------------------------


def clean_accuracy(measured: float, share: float, classes: int) -> float:
    lucky = share / (classes - 1)
    return (measured - lucky) / (1 - share - lucky)


def _as_measured(measured: float, share: float, classes: int) -> float:
    return measured


def _no_lucky_hits(measured: float, share: float, classes: int) -> float:
    return measured / (1 - share)


def _add_share(measured: float, share: float, classes: int) -> float:
    return measured + share


def _any_class(measured: float, share: float, classes: int) -> float:
    return (measured - share / classes) / (1 - share)


def _forward(measured: float, share: float, classes: int) -> float:
    return measured * (1 - share) + (1 - measured) * share / (classes - 1)


def _all_mistakes_lucky(measured: float, share: float, classes: int) -> float:
    return (measured - share) / (1 - 2 * share)


_ACCURACIES: Inputs = (
    (0.76, 0.2, 10), (0.7, 0.1, 3), (0.5, 0.4, 5), (0.9, 0.0, 4), (0.62, 0.3, 2), (0.08, 0.05, 100), (0.1, 0.95, 10),
)  # fmt: skip


# --- 6 · more examples -----------------------------------------------------------------------------


def examples_to_improve(n: int, p: int, inside: float, outside: float) -> int:
    def error(count: int) -> float:
        if p <= count - 2:
            return outside * (1 + p / (count - p - 1))
        if p >= count + 2:
            return inside * (1 - count / p) + outside * (1 + count / (p - count - 1))
        return float("inf")

    more = n + 1
    while not error(more) < error(n):
        more += 1
    return more


def _error(count: int, p: int, inside: float, outside: float) -> float:
    if p <= count - 2:
        return outside * (1 + p / (count - p - 1))
    if p >= count + 2:
        return inside * (1 - count / p) + outside * (1 + count / (p - count - 1))
    return math.inf


def _one_more(n: int, p: int, inside: float, outside: float) -> int:
    return n + 1


def _how_many_more(n: int, p: int, inside: float, outside: float) -> int:
    return examples_to_improve(n, p, inside, outside) - n


def _only_past_the_peak(n: int, p: int, inside: float, outside: float) -> int:
    more = max(n + 1, p + 2)
    while _error(more, p, inside, outside) >= _error(n, p, inside, outside):
        more += 1
    return more


def _just_past_the_peak(n: int, p: int, inside: float, outside: float) -> int:
    improves = _error(n + 1, p, inside, outside) < _error(n, p, inside, outside)
    return n + 1 if improves else max(n + 1, p + 2)


def _signal_forgotten(n: int, p: int, inside: float, outside: float) -> int:
    return examples_to_improve(n, p, 0.0, outside)


def _where_it_is_least(n: int, p: int, inside: float, outside: float) -> int:
    improves = examples_to_improve(n, p, inside, outside)
    while improves < p and _error(improves + 1, p, inside, outside) < _error(improves, p, inside, outside):
        improves += 1
    return improves


_EXAMPLES: Inputs = (
    (10, 40, 1.0, 0.25),  # the error still falls
    (30, 40, 1.0, 0.25),  # it rises: only beyond the peak is it lower
    (36, 40, 1.0, 0.5), (20, 40, 0.1, 1.0), (39, 40, 1.0, 0.25), (40, 40, 2.0, 0.1), (41, 40, 1.0, 1.0),
    (42, 40, 1.0, 0.25), (100, 40, 1.0, 0.25), (1, 200, 1.0, 0.01), (150, 200, 5.0, 0.01), (5, 60, 0.02, 3.0),
    (3, 12, 4.0, 1.0), (38, 40, 1.0, 0.25), (37, 40, 1.0, 0.25),
)  # fmt: skip


EXERCISES = (
    Exercise(
        "11.kfold_error",
        title="K folds",
        prompt="Row i belongs to part i % k. Predict each part by ridge fitted to the rows of all other parts: minimise "
        "mean (y - x p)² + l2 * sum p², without a constant. Return the mean squared error over all n rows, as a float.",
        kind="core",
        minutes=9,
        inputs=_fold_inputs,
        solution=kfold_error,
        wrong=(
            Wrong(
                _fitted_on_everything,
                "This is the training error: each part was in the fit that predicts it.",
            ),
            Wrong(_blocks, "The parts are blocks of neighbouring rows here. Row i belongs to part i % k."),
            Wrong(_turned, "This fits on one part and judges on the others: the other way round."),
            Wrong(
                _against_the_sum,
                "The penalty stands beside a *mean*: in x^T x + c I the c is l2 times the number of rows fitted.",
            ),
            Wrong(
                _whole_n,
                "A fit sees only the rows of the other parts: its mean is over these, not over all n.",
            ),
            Wrong(
                _mean_of_means,
                "This is the mean of the parts' means. Where n is no multiple of k, that is not the mean over all rows.",
            ),
            Wrong(_one_part, "This is the error of one part, a single split. Go through all k."),
            Wrong(_not_divided, "This is the sum over all rows. Divide by n."),
        ),
        hints=(
            "torch.arange(n) % k says to which part each row belongs; part == i is a mask for one part.",
            "Ridge solves (x^T x + m l2 I) p = x^T y with the m rows that it is fitted to.",
            "Add up (y[held] - x[held] @ p).square().sum() over the parts and divide by len(x) at the end.",
        ),
        stub='''def kfold_error(x, y, k, l2):
    """The K-fold error as a float; x (n, d) and y (n,) are float64, 2 <= k <= n."""
    ...
''',
        note="With k = n, each row is judged by a fit to all others: leave-one-out.",
    ),
    Exercise(
        "11.one_standard_error",
        title="Choose the penalty",
        prompt="errors[i, j] is the error of part i at the strength l2s[j]. The best strength has the least mean error over the "
        "parts; the standard error of its mean is the standard deviation of its K errors (divisor K - 1) over the root of K. "
        "Return the largest strength whose mean error is at most the best one's mean plus that standard error.",
        kind="core",
        minutes=7,
        inputs=_penalty_inputs,
        solution=one_standard_error,
        wrong=(
            Wrong(
                _the_best,
                "This is the best strength. A larger one may be as good, for all that K parts can tell.",
            ),
            Wrong(
                _no_root, "You add the standard deviation. That of a *mean* of K is smaller by the root of K."
            ),
            Wrong(_divided_by_k, "The deviation has the divisor K here. Asked is K - 1."),
            Wrong(_the_smallest, "This is the smallest strength within the limit: asked is the largest."),
            Wrong(
                _last_in_the_list,
                "This is the last one in the list that is within the limit. The strengths need not be sorted.",
            ),
            Wrong(
                _own_error,
                "Each strength is given its own standard error. The limit is one: that of the best.",
            ),
            Wrong(
                _parts_for_penalties,
                "You divide by the root of the number of strengths. K is the number of parts.",
            ),
        ),
        hints=(
            "Means over the parts are errors.mean(0); K is len(errors).",
            "limit = mean[best] + errors[:, best].std() / len(errors) ** 0.5",
            "return max(l2 for l2, error in zip(l2s, errors.mean(0)) if error <= limit)",
        ),
        stub='''def one_standard_error(l2s, errors):
    """The strength as a float; l2s: a list of L floats in any order, errors: a tensor (K, L), float64, K >= 2."""
    ...
''',
        note="A rule of thumb of Breiman and co-authors (1984): among what cannot be told apart, take the simplest.",
    ),
    Exercise(
        "11.untouched",
        title="Which reports may be believed?",
        prompt="A report's fitted_on, chosen_on and tested_on are lists of images, and person[image] is who wrote it. Believe "
        "its test score if no person of a tested image has an image in fitted_on or chosen_on, and the test set was looked at "
        "exactly once (looks == 1). Return the names of those that you believe, as a list, in the order given.",
        kind="core",
        minutes=7,
        inputs=_reports,
        solution=untouched,
        wrong=(
            Wrong(
                _images_only,
                "You compare images. Two images of one person are near copies: compare the persons.",
            ),
            Wrong(
                _choice_forgotten,
                "A report passes whose tested persons took part in the choice. What chose cannot judge.",
            ),
            Wrong(_fit_forgotten, "A report passes whose tested persons are among those of the fit."),
            Wrong(_looks_forgotten, "A report passes whose test set was looked at twice, or never."),
            Wrong(
                _only_some_known,
                "A report passes where only some of the tested persons are known: one is too many.",
            ),
            Wrong(_not_believed, "These are the reports that may not be believed."),
        ),
        hints=(
            "From images to persons first: {person[image] for image in ...} is a set.",
            "Two sets share nothing if not (a & b).",
            "known = {person[i] for i in fitted_on + chosen_on}; tested likewise; not known & tested and looks == 1.",
        ),
        stub='''def untouched(reports):
    """A list of names; a report is a dict with name, fitted_on, chosen_on, tested_on, person, looks."""
    ...
''',
        note="A random split of images puts most persons on both sides. Split the persons.",
    ),
    Exercise(
        "11.held_out_accuracy",
        title="Repair this code",
        prompt="Rows 0 to n - 1 train, the others validate. The code above standardises and chooses columns on all rows. Repair "
        "it: whatever is fitted is fitted on the training rows. Change nothing else, and return the accuracy as a float.",
        kind="core",
        minutes=7,
        inputs=_repair_inputs,
        solution=held_out_accuracy,
        wrong=(
            Wrong(_as_given, "This gives what the broken code gives."),
            Wrong(
                _scale_leaks,
                "The columns are chosen as they should be; mean and deviation still see all rows.",
            ),
            Wrong(
                _choice_leaks, "The scaling is as it should be; the choice of columns still sees all labels."
            ),
            Wrong(_weights_leak, "The weights w are fitted on all rows now. They were right before."),
            Wrong(_judged_on_training, "This is the accuracy on the training rows."),
            Wrong(
                _each_by_itself,
                "Each part is standardised by itself. The validation rows need the training rows' mean and deviation.",
            ),
            Wrong(
                _not_absolute,
                "Columns that fall where y rises predict as well: the choice is by the absolute value.",
            ),
        ),
        hints=(
            "Two lines compute something from all rows. Which?",
            "x[:n].mean(0), x[:n].std(0, correction=0), and the choice from x[:n] and y[:n].",
            "best = (x[:n] * y[:n, None]).mean(0).abs().topk(k).indices, after scaling by the first n rows.",
        ),
        stub='''def held_out_accuracy(x, y, n, k):
    """The accuracy as a float; x (rows, columns) and y (rows,) of -1 and 1, float64; k columns are chosen."""
    ...
''',
        note="The same repair for anything that is fitted: vocabularies, imputation, outlier limits.",
    ),
    Exercise(
        "11.clean_accuracy",
        title="What a score on wrong labels says",
        prompt="A share of the labels, drawn at random, was moved to one of the other classes, each equally likely. The score on "
        "these labels is `measured`. Return the accuracy on right labels as a float.",
        kind="core",
        minutes=6,
        inputs=_ACCURACIES,
        solution=clean_accuracy,
        wrong=(
            Wrong(_as_measured, "Wrong labels lower the score of a good net: it must be corrected upwards."),
            Wrong(
                _no_lucky_hits,
                "A wrong answer can meet a moved label by chance. The term (1 - a) q / (C - 1) is missing.",
            ),
            Wrong(_add_share, "Only right answers are lost to moved labels, not a share q of all answers."),
            Wrong(
                _any_class,
                "This is for labels drawn anew from all C classes. Here a moved label is never the right one.",
            ),
            Wrong(_forward, "This is the formula itself. Solve it for a."),
            Wrong(
                _all_mistakes_lucky,
                "This is right for two classes. With more, a wrong answer meets a moved label only one time in C - 1.",
            ),
        ),
        hints=(
            "measured = a (1 - q) + (1 - a) q / (C - 1) is linear in a.",
            "Collect a: measured - q / (C - 1) = a (1 - q - q / (C - 1)).",
            "lucky = share / (classes - 1); return (measured - lucky) / (1 - share - lucky)",
        ),
        stub='''def clean_accuracy(measured, share, classes):
    """The accuracy on right labels, from that measured on labels of which `share` were moved."""
    ...
''',
        note="The noise of the estimate is divided by the same number, so wrong labels cost validation examples too.",
    ),
    Exercise(
        "11.examples_to_improve",
        title="Can more examples harm?",
        prompt="Least squares (the shortest fit where there are fewer examples than inputs) with p normal inputs; inside is the "
        "sum s of the squared true weights, outside the noise variance r. You have n examples. Return the smallest number of "
        "examples above n for which the mean error on a new example is lower than with n.",
        kind="extra",
        minutes=15,
        inputs=_EXAMPLES,
        solution=examples_to_improve,
        wrong=(
            Wrong(
                _one_more, "One more example does not always help: near n = p each makes the error larger."
            ),
            Wrong(_how_many_more, "This is how many to add. Asked is how many there are then."),
            Wrong(_only_past_the_peak, "With few examples the error may fall at once: look below p as well."),
            Wrong(
                _just_past_the_peak,
                "Just beyond the peak the error is finite and still high. Go on until it is lower than now.",
            ),
            Wrong(_signal_forgotten, "With fewer examples than inputs, s (1 - n / p) belongs to the error."),
            Wrong(
                _where_it_is_least,
                "This is where the error is least before it rises. Asked is the first lower one.",
            ),
        ),
        hints=(
            "Write the formula of the lesson as a function of the number of examples, p fixed.",
            "Between p - 1 and p + 1 it is infinite. Then count upwards from n + 1.",
            "more = n + 1; while not error(more) < error(n): more += 1",
        ),
        stub='''def examples_to_improve(n, p, inside, outside):
    """The number of examples, as an int; n and p are ints >= 1, inside and outside floats > 0."""
    ...
''',
        note="Double descent in the number of examples: without a penalty, more data can make a fit worse.",
    ),
)

QUIZZES = (
    Quiz(
        "11.all_right",
        "A net fits all its 576 training images. Validation accuracy is 96%. All labels are right. You switch on weight decay, "
        "at its best strength. What does it change on validation images?",
        (
            (
                "Accuracy rises by points: 100% against 96% is overfitting",
                "There is a gap. But closing it from above does not help: what matters is whether fitting the training set "
                "did any harm.",
                False,
            ),
            (
                "Accuracy hardly, but cross-entropy falls",
                "The answers stay, the confidence does not. With wrong labels among the same images it is another story.",
                True,
            ),
            (
                "Neither: there is no noise to keep out",
                "So it is for accuracy. But the net is surer than it should be, and cross-entropy punishes that.",
                False,
            ),
        ),
    ),
    Quiz(
        "11.beyond_the_peak",
        "Least squares on n examples with random features. With n features the training error reaches zero. You take several "
        "times as many, without any penalty. The error on new examples",
        (
            (
                "rises further: more weights, more overfitting",
                "So it does shortly before n features. Beyond there are many solutions, and the fit is the shortest of them.",
                False,
            ),
            (
                "stays: more than fitting everything is not possible",
                "On the training set nothing changes. Between the examples everything does.",
                False,
            ),
            (
                "falls",
                "The peak is at n. Among more and more solutions, the shortest gets shorter.",
                True,
            ),
        ),
    ),
    Quiz(
        "11.best_of_sixty_four",
        "You train 64 nets, choose the one with the best accuracy on 100 validation images, and report that accuracy. All 64 are "
        "equally good in truth. What are you reporting?",
        (
            (
                "The truth, on average: a validation score is unbiased",
                "For a net that was fixed beforehand. The largest of 64 fair estimates is not a fair estimate.",
                False,
            ),
            (
                "Too much, by luck alone",
                "The largest of 64 noisy numbers lies well above their mean, and here nothing but noise tells them apart.",
                True,
            ),
            (
                "Too little: 100 images are few",
                "Few images mean a noisy score, not a low one. And a choice among noisy scores picks the high ones.",
                False,
            ),
        ),
    ),
)
