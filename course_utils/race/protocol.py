"""A fair race: equal budgets, random search, validation to choose, test once, intervals over seeds.

    for each recipe
        draw `trials` settings at random; train each with the tuning seeds
        choose the setting with the best mean score on validation examples
        train it anew with the final seeds, which no choice has seen; score it on the test examples
    rank by the mean test score; compare every two seed by seed

    result = race(task, recipes, trials=16)
    result.leaderboard()

The seeds are shared: seed s gives every recipe the same split and the same noisy labels, so differences are
paired. The test examples are used once per recipe, after everything has been chosen.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from course_utils._checks import require
from course_utils.intervals import Interval, crossed_interval, paired_interval
from course_utils.race import trials as runner
from course_utils.race.recipe import Recipe, Settings, Task, score

__all__ = ["Entry", "Result", "expected_best", "race", "result_of"]

FINALS_FROM = 5_000  # a value of `seed` has 10,000 seeds: the first half tunes, the second reports


@dataclass(frozen=True)
class Entry:
    """How one recipe did.

    Args:
        trials: (settings, mean validation score) in the order of the draws.
        settings, tuned: the chosen trial, and its score.
        scores: (S,), the test score of each final seed.
        seconds: processor time of it all.
        examples: (N,), the score of each test example, the mean over seeds; empty where the metric is no
            mean over examples.
    """

    recipe: str
    trials: list[tuple[Settings, float]]
    settings: Settings
    tuned: float
    scores: list[float]
    seconds: float
    examples: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """What a race found on one task: an `Entry` per recipe, in the order in which they were entered."""

    task: str
    entries: tuple[Entry, ...]
    protocol: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, recipe: str) -> Entry:
        names = [entry.recipe for entry in self.entries]
        require(recipe in names, f"a recipe among {', '.join(names)}", recipe=recipe)
        return self.entries[names.index(recipe)]

    def gap(self, a: str, b: str, *, level: float = 0.99) -> Interval:
        """How far recipe `a` is ahead of `b`, with the error over seeds and that over test examples.

        The seeds share the test examples: with others the distance would have been another. Where the
        examples are not known, the error over seeds alone.
        """
        one, other = self[a], self[b]
        if not (one.examples and other.examples):
            return paired_interval(one.scores, other.scores, level)
        over_seeds, over_examples = (
            np.subtract(x, y) for x, y in ((one.scores, other.scores), (one.examples, other.examples))
        )
        return crossed_interval(over_seeds, over_examples, level=level)

    def against(self, baseline: str, *, level: float = 0.99) -> dict[str, Interval]:
        """How far every other recipe is ahead of `baseline` (`gap`), all intervals together at `level`.

        Each has the level 1 - (1 - level) / (number of the others), Bonferroni's: the baseline was named
        beforehand, so only the comparisons with it count.
        """
        others = [entry.recipe for entry in self.entries if entry.recipe != baseline]
        each = 1 - (1 - level) / max(1, len(others))
        return {name: self.gap(name, baseline, level=each) for name in others}

    def leaderboard(self, *, level: float = 0.99) -> pd.DataFrame:
        """Recipes by mean test score, each with its paired distance to the winner (`gap`).

        The intervals of `behind` hold together for every two recipes that were raced, each at the level
        1 - (1 - level) / pairs (Bonferroni), because the winner was picked by looking. `tied` says that
        such an interval reaches zero.
        """
        order = sorted(self.entries, key=lambda entry: -float(np.mean(entry.scores)))
        pairs = max(1, len(order) * (len(order) - 1) // 2)
        rows = []
        for place, entry in enumerate(order, 1):
            gap = self.gap(order[0].recipe, entry.recipe, level=1 - (1 - level) / pairs)
            rows.append(
                {
                    "place": place,
                    "recipe": entry.recipe,
                    "score": float(np.mean(entry.scores)),
                    "behind": gap.mean,
                    "behind_low": gap.low,
                    "behind_high": gap.high,
                    "tied": gap.low <= 0,
                    "tuned": entry.tuned,
                    "settings": written(entry.settings),
                    "seconds": entry.seconds,
                }
            )
        return pd.DataFrame(rows).set_index("place")

    def rows(self) -> list[dict[str, Any]]:
        """The entries as plain dictionaries, for `recorded.save`; `result_of` reads them."""
        return [
            {
                "task": self.task,
                "recipe": entry.recipe,
                "settings": entry.settings,
                "tuned": entry.tuned,
                "trials": [[settings, score] for settings, score in entry.trials],
                "scores": entry.scores,
                "seconds": round(entry.seconds, 2),
                "examples": [round(each, 3) for each in entry.examples],
            }
            for entry in self.entries
        ]


def result_of(rows: Sequence[dict[str, Any]], task: str) -> Result:
    """The result of one task from recorded rows.

    Raises: ValueError where the rows hold no such task.
    """
    names = [name for name in Entry.__dataclass_fields__ if name != "trials"]
    chosen = [row for row in rows if row["task"] == task]
    known = ", ".join(sorted({row["task"] for row in rows}))
    require(len(chosen) > 0, f"a task among {known}", task=task)
    entries = [
        Entry(
            trials=[(settings, tuned) for settings, tuned in row["trials"]],
            **{name: row[name] for name in names if name in row},
        )
        for row in chosen
    ]
    return Result(task, tuple(entries))


def race(
    task: Task,
    recipes: Sequence[Recipe],
    *,
    trials: int = 16,
    tuning: int = 8,
    finals: int = 64,
    seed: int = 0,
    store: str | Path | None = None,
    workers: int = 1,
    cluster: Any = None,
    progress: bool = False,
) -> Result:
    """Run the protocol at the head of this module.

    Args:
        trials: settings that each recipe may try, the same number for all, >= 1.
        tuning, finals: seeds of each trial, 1 to 5,000, and of each chosen setting, 2 to 5,000.
        seed: draws the settings and names the seeds; two races with different ones share nothing.
        store, workers, cluster, progress: as for `trials.run`. A race that is run again with its store goes
            on where it was. It is known there by task, recipe, settings and seeds, not by its functions.
    Raises: ValueError for numbers out of range or two recipes of one name.
    """
    names = [recipe.name for recipe in recipes]
    require(len(names) >= 1 and len(set(names)) == len(names), "recipes of different names", names=names)
    require(trials >= 1, "trials >= 1", trials=trials)
    require(1 <= tuning <= FINALS_FROM, f"1 <= tuning <= {FINALS_FROM}", tuning=tuning)
    require(2 <= finals <= FINALS_FROM, f"2 <= finals <= {FINALS_FROM}", finals=finals)
    first = 10_000 * seed
    tune, final = range(first, first + tuning), range(first + FINALS_FROM, first + FINALS_FROM + finals)
    where: dict[str, Any] = {"store": store, "workers": workers, "cluster": cluster, "progress": progress}

    plan = [
        _Plan(task, recipe, k, recipe.settings(k, seed), tune) for recipe in recipes for k in range(trials)
    ]
    scored = list(runner.run(_score, {trial.key: trial for trial in plan}, **where).values())
    best = []
    for start in range(0, len(plan), trials):
        choice = choose([mean_score(result["scores"]) for result in scored[start : start + trials]])
        best.append(plan[start + choice])

    last_plan = [_Plan(task, trial.recipe, trial.number, trial.settings, final, "test") for trial in best]
    last = list(runner.run(_score, {trial.key: trial for trial in last_plan}, **where).values())

    entries = []
    for i, trial in enumerate(best):
        own = slice(i * trials, (i + 1) * trials)
        scores = [mean_score(result["scores"]) for result in scored[own]]
        tried = list(zip([each.settings for each in plan[own]], scores, strict=True))
        seconds = sum(result["seconds"] for result in [*scored[own], last[i]])
        tuned = scores[trial.number]
        found = last[i]["scores"], seconds, last[i].get("examples", [])
        entries.append(Entry(trial.recipe.name, tried, trial.settings, tuned, *found))
    protocol = {"trials": trials, "tuning": tuning, "finals": finals, "seed": seed, "steps": task.steps}
    return Result(task.name, tuple(entries), {**task.split, **protocol})


def choose(scores: Sequence[float]) -> int:
    """The position of the largest score, the first of equals; NaN counts as the lowest."""
    return max(range(len(scores)), key=lambda k: -math.inf if math.isnan(scores[k]) else scores[k])


def mean_score(scores: Sequence[float | None]) -> float:
    """The mean over seeds; NaN where a seed has none."""
    return float(np.mean([math.nan if score is None else score for score in scores]))


def written(settings: Settings) -> str:
    """Settings as a table shows them: "lr 0.0213, decay 0.15"."""
    parts = [
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in settings.items()
    ]
    return ", ".join(parts)


@dataclass(frozen=True)
class _Plan:
    """One training with all its seeds, and the key that the store knows it by."""

    task: Task
    recipe: Recipe
    number: int
    settings: Settings
    seeds: range
    part: str = "validation"

    @property
    def key(self) -> str:
        task = {"name": self.task.name, **self.task.split}
        task |= {"epochs": self.task.epochs, "batch_size": self.task.batch_size}
        seeds = [self.seeds.start, self.seeds.stop]
        own = {"recipe": self.recipe.name, "trial": self.number, "settings": self.settings}
        return json.dumps({"task": task, **own, "seeds": seeds, "part": self.part}, sort_keys=True)


def _score(plan: _Plan) -> dict[str, Any]:
    """What the store keeps of a trial: a score per seed (None where it is not finite), and what it took."""
    begun = time.process_time()
    scores, examples = score(plan.task, plan.recipe, plan.settings, plan.seeds, plan.part)
    finite = {"examples": examples.tolist()} if bool(examples.isfinite().all()) else {}
    return {
        "scores": [value if math.isfinite(value) else None for value in scores.tolist()],
        "seconds": time.process_time() - begun,
        **finite,
    }


def expected_best(scores: Sequence[float], k: int) -> float:
    """The best score that k of these n trials would have found, on average over which k.

        sum over i of v_i * C(i - 1, k - 1) / C(n, k),      v_1 <= ... <= v_n

    v_i is the best of k just where the other k - 1 come from the i - 1 below it.

    Args: k: 1 to n.
    Raises: ValueError if k is out of range.
    Source: Dodge et al. (2019), with draws without replacement.
    """
    n = len(scores)
    require(1 <= k <= n, f"1 <= k <= {n}", k=k)
    ways = [math.comb(i, k - 1) for i in range(n)]
    return sum(v * way for v, way in zip(sorted(scores), ways, strict=True)) / math.comb(n, k)
