"""The race: equal budgets, choice on validation, test once, and what its parts compute."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils import data
from course_utils.averaging import ExponentialMovingAverage
from course_utils.intervals import crossed_interval, paired_interval
from course_utils.optimizers import SGD, Adam, Muon
from course_utils.race import Choice, LogUniform, Recipe, Task, Uniform, techniques, trials
from course_utils.race import optimizers as race_optimizers
from course_utils.race import protocol as race
from course_utils.race import recipe as race_recipe
from course_utils.race.recipe import measure
from course_utils.regularizers import l2_penalty
from course_utils.seeds import MuonPerSeed
from course_utils.seeds.averages import Average
from tests.mutants import mistakes

TASK = Task(
    "small digits", data.digits, lambda: nn.Sequential(nn.Linear(64, 10)), train=64, validation=50, epochs=2
)
RATE = LogUniform(1e-3, 1e-1)


def sgd(name: str = "sgd", **space: Any) -> Recipe:
    return Recipe(name, {"lr": RATE, **space}, lambda s, steps: {"optimizer": lambda p: SGD(p, lr=s["lr"])})


# --- ranges and draws


@given(u=st.floats(0, 1, exclude_max=True), low=st.floats(1e-6, 1e3), factor=st.floats(1, 1e6))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_a_log_uniform_draw_is_at_the_share_u_of_the_factors(u: float, low: float, factor: float) -> None:
    value = LogUniform(low, low * factor).draw(u)
    assert math.log(value / low) == pytest.approx(u * math.log(factor), rel=1e-9, abs=1e-9)


@given(u=st.floats(0, 1, exclude_max=True))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_uniform_and_choice(u: float) -> None:
    assert Uniform(2.0, 6.0).draw(u) == pytest.approx(2 + 4 * u)
    assert Choice(("a", "b", "c")).draw(u) == "abc"[math.floor(3 * u)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LogUniform(0.0, 1.0), "0 < low <= high"),
        (lambda: LogUniform(2.0, 1.0), "0 < low <= high"),
        (lambda: Uniform(2.0, 1.0), "low <= high"),
        (lambda: Choice(()), "a value to choose"),
        (lambda: dataclasses.replace(TASK, epochs=0), "epochs >= 1"),
        (lambda: measure(TASK, sgd(), {"lr": 0.1}, range(2), "train"), "validation"),
        (lambda: measure(TASK, Recipe("none", {}, lambda s, n: {}), {}, range(2), "test"), "an optimizer"),
        (lambda: race.race(TASK, [sgd(), sgd()]), "different names"),
        (lambda: race.race(TASK, []), "different names"),
        (lambda: race.race(TASK, [sgd()], trials=0), "trials >= 1"),
        (lambda: race.race(TASK, [sgd()], tuning=0), "tuning"),
        (lambda: race.race(TASK, [sgd()], finals=1), "finals"),
        (lambda: race.race(TASK, [sgd()], finals=5001), "finals"),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_draws_depend_on_name_number_and_seed_alone() -> None:
    assert sgd().settings(0) == {"lr": pytest.approx(0.001708259968913893, rel=1e-12)}  # on every machine
    assert sgd(more=Uniform(0, 1)).settings(3)["lr"] == sgd().settings(3)["lr"]
    values = {sgd(name).settings(k, seed)["lr"] for name in ("a", "b") for k in range(5) for seed in range(3)}
    assert len(values) == 30
    many = np.array([math.log10(sgd().settings(k)["lr"]) for k in range(2000)])
    assert many.min() > -3
    assert many.max() < -1
    assert abs(many.mean() + 2) < 4 * (2 / 12**0.5) / 2000**0.5


# --- training


def test_steps_are_whole_epochs() -> None:
    assert TASK.steps == 4
    assert dataclasses.replace(TASK, train=65).steps == 6


def check_scores(module: Any, part: str = "test", metric: Any = TASK.metric, ema: bool = False) -> None:
    """One recipe, trained and scored with torch alone."""
    task = dataclasses.replace(TASK, metric=metric, label_noise=0.2)
    average = {"averages": {"ema": Average(partial(ExponentialMovingAverage, decay=0.8))}} if ema else {}
    options = {"penalty": lambda named: 1e-2 * l2_penalty(named), **average}
    changed = dataclasses.replace(sgd(), options=lambda s, n: {**sgd().options(s, n), **options})
    scores = module.measure(task, changed, {"lr": 0.1}, range(3, 6), part)
    assert scores.shape == (3,)
    for score, seed in zip(scores.tolist(), range(3, 6), strict=True):
        split = TASK.data().split(seed, train=64, validation=50, label_noise=0.2)
        torch.manual_seed(seed)
        net = TASK.make_model()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        follower = ExponentialMovingAverage(net, decay=0.8)
        generator = torch.Generator().manual_seed(seed)
        for _ in range(2):
            for rows in torch.randperm(64, generator=generator).split(32):
                optimizer.zero_grad()
                penalty = 1e-2 * l2_penalty(net)
                (F.cross_entropy(net(split.train.x[rows]), split.train.y[rows]) + penalty).backward()
                optimizer.step()
                follower.update(net)
        x, y = getattr(split, part)
        outputs = (follower if ema else net)(x)
        expected = -F.cross_entropy(outputs, y) if metric is None else (outputs.argmax(1) == y).float().mean()
        assert score == pytest.approx(expected.item(), rel=1e-5)


def check_averaged_scores(module: Any) -> None:
    check_scores(module, ema=True)


@pytest.mark.parametrize("ema", [False, True])
@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize("metric", [None, TASK.metric], ids=["loss", "accuracy"])
def test_scores_are_those_of_plain_torch(part: str, metric: Any, ema: bool) -> None:
    check_scores(race_recipe, part, metric, ema)


def test_training_that_breaks_down_still_has_a_score() -> None:
    scores = measure(TASK, sgd(), {"lr": 3e38}, range(2), "test")
    assert bool(((scores >= 0) & (scores < 0.5)).all())


def check_together(module: Any) -> None:
    p, q = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    both = module.Together(SGD([p], lr=0.5), Adam([q], lr=0.1))
    assert [group["lr"] for group in both.param_groups] == [0.5, 0.1]
    calls = []

    def closure() -> float:
        calls.append((p.tolist(), q.tolist()))
        p.grad = q.grad = torch.ones(2)
        return 3.0

    assert both.step(closure) == 3.0
    assert calls == [([1.0, 1.0], [1.0, 1.0])]  # one gradient for both, before either has moved
    assert torch.equal(p, torch.full((2,), 0.5))
    assert q.detach().tolist() == pytest.approx([0.9, 0.9])


def test_together_steps_each_over_its_own() -> None:
    check_together(race_optimizers)
    matrix = nn.Parameter(torch.ones(2, 3, 4))
    together = race_optimizers.Together
    assert together(MuonPerSeed([matrix]), SGD([nn.Parameter(torch.ones(2))], lr=0.1)).per_seed
    with pytest.raises(ValueError, match="keep seeds apart, got optimizer='Muon'"):
        together(Muon([nn.Parameter(torch.ones(3, 4))]))


# --- the protocol


@contextmanager
def pretended(module: Any, scores: dict[str, float], calls: list[Any]) -> Iterator[None]:
    """A race in which nothing is trained: a recipe's score is its rate's distance from the best one."""

    def score(task: Task, recipe: Recipe, settings: Any, seeds: Any, part: str) -> Any:
        calls.append((recipe.name, settings["lr"], tuple(seeds), part))
        noise = torch.tensor([0.01 * math.sin(17.0 * s) for s in seeds], dtype=torch.float64)
        return scores[recipe.name] - abs(math.log10(settings["lr"]) + 2) + noise, torch.empty(0)

    real, module.score = module.score, score
    try:
        yield
    finally:
        module.score = real


def check_protocol(module: Any) -> None:
    calls: list[Any] = []
    recipes = [sgd("a"), sgd("b")]
    with pretended(module, {"a": 1.0, "b": 3.0}, calls):
        result = module.race(TASK, recipes, trials=5, tuning=3, finals=4, seed=2)
    tuning = [call for call in calls if call[3] == "validation"]
    final = [call for call in calls if call[3] == "test"]
    assert calls == tuning + final  # nothing is tested before everything is chosen
    assert [call[0] for call in tuning] == ["a"] * 5 + ["b"] * 5
    assert [call[0] for call in final] == ["a", "b"]
    assert {call[2] for call in tuning} == {(20_000, 20_001, 20_002)}
    assert {call[2] for call in final} == {(25_000, 25_001, 25_002, 25_003)}
    for recipe, entry, last in zip(recipes, result.entries, final, strict=True):
        drawn = [recipe.settings(k, 2) for k in range(5)]
        assert [settings for settings, _ in entry.trials] == drawn
        best = min(drawn, key=lambda s: abs(math.log10(s["lr"]) + 2))
        assert entry.settings == best
        assert last[1] == best["lr"]
        assert entry.tuned == max(score for _, score in entry.trials)
    board = result.leaderboard()
    assert list(board["recipe"]) == ["b", "a"]
    assert list(board.index) == [1, 2]


def check_leaderboard(module: Any) -> None:
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 0.1, 20)
    scores = {
        "a": 0.5 + luck,
        "b": 0.52 + luck + rng.normal(0, 0.01, 20),
        "c": 0.519 + luck + rng.normal(0, 0.01, 20),
    }
    entries = tuple(module.Entry(n, [], {}, 0.0, s.tolist(), 1.0) for n, s in scores.items())
    board = module.Result("t", entries).leaderboard().set_index("recipe")
    first, second = sorted(["b", "c"], key=lambda n: -scores[n].mean())
    assert list(board.index) == [first, second, "a"]
    for name in scores:
        gap = paired_interval(scores[first], scores[name], level=1 - 0.01 / 3)
        row = board.loc[name]
        assert row["score"] == scores[name].mean()
        assert (row["behind"], row["behind_low"], row["behind_high"]) == (gap.mean, gap.low, gap.high)
    assert list(board["tied"]) == [True, True, False]


def check_examples(module: Any) -> None:
    """Where the test examples are known, a distance has their error, too."""
    rng = np.random.default_rng(0)
    tables = {name: rng.random((6, 9)) for name in "ab"}  # six seeds, nine examples
    margins = {name: (table.mean(1).tolist(), table.mean(0).tolist()) for name, table in tables.items()}
    entries = [module.Entry(name, [], {}, 0.0, s, 1.0, examples=e) for name, (s, e) in margins.items()]
    result = module.Result("t", tuple(entries))
    gaps = tables["a"] - tables["b"]
    expected = crossed_interval(gaps.mean(1), gaps.mean(0), level=0.95)
    for a, b, sign in (("a", "b", 1), ("b", "a", -1)):
        found = result.gap(a, b, level=0.95)
        assert found.mean == pytest.approx(sign * expected.mean, rel=1e-9)
        assert found.se == pytest.approx(expected.se, rel=1e-9)
    unknown = dataclasses.replace(entries[1], examples=[])
    alone = module.Result("t", (entries[0], unknown)).gap("a", "b", level=0.95)
    assert alone == paired_interval(entries[0].scores, unknown.scores, 0.95)


def test_distances_have_the_error_of_the_examples() -> None:
    check_examples(race)


def test_the_score_of_each_example_is_the_mean_over_seeds() -> None:
    for metric in (TASK.metric, None):
        task = dataclasses.replace(TASK, metric=metric)
        scores, examples = race_recipe.score(task, sgd(), {"lr": 0.1}, range(3), "test")
        assert examples.shape == (360,)
        assert float(examples.mean()) == pytest.approx(float(scores.mean()), rel=1e-5)
        assert (examples * 3).round().unique().tolist() == [0, 1, 2, 3] or metric is None
        assert race_recipe.score(task, sgd(), {"lr": 0.1}, range(3), "validation")[1].numel() == 0
    other = dataclasses.replace(TASK, metric=lambda prediction, target: prediction.amax((1, 2)))
    assert race_recipe.score(other, sgd(), {"lr": 0.1}, range(3), "test")[1].numel() == 0


def test_the_protocol() -> None:
    check_protocol(race)


def check_against(module: Any) -> None:
    rng = np.random.default_rng(1)
    names = ["base", "b", "c", "d"]
    entries = tuple(module.Entry(n, [({}, 0.5)], {}, 0.5, rng.normal(0, 1, 9).tolist(), 1.0) for n in names)
    found = module.Result("t", entries).against("base", level=0.9)
    assert list(found) == names[1:]
    for entry in entries[1:]:
        gap = paired_interval(entry.scores, entries[0].scores, level=1 - 0.1 / 3)
        assert found[entry.recipe] == gap


def test_distances_from_a_baseline_hold_together() -> None:
    check_against(race)


def test_the_leaderboard() -> None:
    check_leaderboard(race)


def test_the_choice_is_the_first_best_number() -> None:
    assert race.choose([0.2, math.nan, 0.5, 0.5, 0.1]) == 2
    assert race.choose([math.nan, math.nan]) == 0
    assert race.choose([-math.inf, math.nan, -3.0]) == 2
    assert math.isnan(race.mean_score([0.5, None]))
    assert race.mean_score([0.5, 1.0]) == 0.75


def test_a_race_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    store, calls = tmp_path / "race.sqlite", list[Any]()
    sizes: dict[str, Any] = {"trials": 4, "tuning": 2, "finals": 3, "store": store}
    with pretended(race, {"a": 1.0, "b": 2.0}, calls):
        whole = race.race(TASK, [sgd("a"), sgd("b")], trials=4, tuning=2, finals=3)
        calls.clear()
        race.race(TASK, [sgd("a")], **sizes)
        assert len(calls) == 5
        resumed = race.race(TASK, [sgd("a"), sgd("b")], **sizes)
        assert len(calls) == 10  # b's four trials and one final
        again = race.race(TASK, [sgd("a"), sgd("b")], **sizes)
        assert len(calls) == 10
        race.race(dataclasses.replace(TASK, epochs=3), [sgd("a")], **sizes)
        assert len(calls) == 15  # another task is another race
    for one, other in zip(whole.entries, resumed.entries, strict=True):
        assert dataclasses.replace(one, seconds=0.0) == dataclasses.replace(other, seconds=0.0)
    assert again == resumed
    assert len(trials.read(store)) == 15


@pytest.mark.slow
def test_processes_run_the_same_race() -> None:
    recipes = [sgd("a"), sgd("b", p=Uniform(0, 1))]
    sizes: dict[str, Any] = {"trials": 2, "tuning": 2, "finals": 3}
    alone, spread = race.race(TASK, recipes, **sizes), race.race(TASK, recipes, **sizes, workers=2)
    for one, other in zip(alone.entries, spread.entries, strict=True):
        assert dataclasses.replace(one, seconds=0.0) == dataclasses.replace(other, seconds=0.0)


@pytest.mark.slow
def test_a_dask_cluster_runs_the_same_race() -> None:
    distributed = pytest.importorskip("distributed")
    sizes: dict[str, Any] = {"trials": 2, "tuning": 2, "finals": 3}
    alone = race.race(TASK, [sgd("a")], **sizes)
    options: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options, silence_logs=50) as cluster:
        spread = race.race(TASK, [sgd("a")], **sizes, cluster=cluster.scheduler_address)
    one, other = (dataclasses.replace(result.entries[0], seconds=0.0) for result in (alone, spread))
    assert one == other


def test_rows_bring_the_result_back() -> None:
    result = race.race(TASK, [sgd("a"), sgd("b")], trials=2, tuning=1, finals=2)
    back = race.result_of(result.rows(), TASK.name)
    assert back.leaderboard().drop(columns="seconds").equals(result.leaderboard().drop(columns="seconds"))
    assert back["b"].trials == result["b"].trials
    with pytest.raises(ValueError, match="a task among small digits"):
        race.result_of(result.rows(), "large digits")
    with pytest.raises(ValueError, match="a recipe among a, b"):
        result["c"]


MUTANTS = {
    "chooses the worst": ("protocol", "return max(range", "return min(range", check_protocol),
    "chooses on the test set": ("protocol", 'part: str = "validation"', 'part: str = "test"', check_protocol),
    "reports with the tuning seeds": (
        "protocol", "range(first + FINALS_FROM, first + FINALS_FROM + finals)",
        "range(first, first + finals)", check_protocol,
    ),
    "one draw for all seeds": ("protocol", "recipe.settings(k, seed)", "recipe.settings(k)", check_protocol),
    "ranks from the worst": ("protocol", "-float(np.mean(", "float(np.mean(", check_leaderboard),
    "level of one comparison": (
        "protocol", "level=1 - (1 - level) / pairs", "level=level", check_leaderboard,
    ),
    "compares with the first entered": (
        "protocol", "self.gap(order[0].recipe,", "self.gap(self.entries[0].recipe,", check_leaderboard,
    ),
    "the baseline among the others": ("protocol", "max(1, len(others))", "len(self.entries)", check_against),
    "the baseline ahead": ("protocol", "self.gap(name, baseline,", "self.gap(baseline, name,", check_against),
    "other-way-round": (
        "protocol", "np.subtract(x, y)", "np.subtract(y, x)", check_examples,
    ),
    "forgets-the-examples": (
        "protocol", "if not (one.examples and other.examples)", "if True", check_examples,
    ),
    "scores-the-live-weights": ("recipe", " if averages else", " if False else", check_averaged_scores),
    "scores-training-examples": ("recipe", "getattr(splits, part)", "splits.train", check_scores),
    "a-gradient-for-each": ("optimizers", "each.step()", "each.step(closure)", check_together),
    "steps-one": ("optimizers", "in self.optimizers:", "in self.optimizers[:1]:", check_together),
}  # fmt: skip
test_mistakes_are_caught = mistakes("course_utils.race", MUTANTS)


# --- the course's recipes


def test_every_technique_trains() -> None:
    task = dataclasses.replace(techniques.TASKS["noisy digits"], train=32, validation=40, epochs=2)
    recipes = techniques.recipes(task)
    names = [recipe.name for recipe in recipes]
    assert len(set(names)) == len(names) >= 25
    assert techniques.BASELINE in names
    for recipe in recipes:
        scores = measure(task, recipe, recipe.settings(0), range(2), "validation")
        assert bool(((scores >= 0) & (scores <= 1)).all()), recipe.name


def test_every_technique_changes_the_training() -> None:
    """At the baseline's rate no recipe but the baseline's twin gives the baseline's scores."""
    sizes: dict[str, Any] = {"train": 32, "validation": 100, "epochs": 60, "metric": None}
    task = dataclasses.replace(techniques.TASKS["noisy digits"], **sizes)
    recipes = {recipe.name: recipe for recipe in techniques.recipes(task)}
    base = measure(task, recipes[techniques.BASELINE], {"lr": 0.02}, range(2), "validation")
    same = []
    for name, recipe in recipes.items():
        chosen = recipe.settings(1) | {"lr": 0.02, "patience": 1, "norm": 0.1}
        if torch.allclose(measure(task, recipe, chosen, range(2), "validation"), base, rtol=1e-6):
            same.append(name)
    assert same == [techniques.BASELINE, *techniques.TWINS]


def test_no_recipe_has_more_gradients_but_the_one_that_says_so() -> None:
    task = techniques.TASKS["noisy digits"]
    steps = {
        recipe.name: recipe.options(recipe.settings(0), 320).get("steps", 320)
        for recipe in techniques.recipes(task)
    }
    assert steps.pop("SAM") == 160
    assert set(steps.values()) == {320}
    curves = [recipe.name for recipe in techniques.recipes(techniques.TASKS["mnist1d"])]
    assert {*steps, "SAM"} - set(curves) == {"+ CutMix"}


def test_rolled_moves_round_the_edge() -> None:
    torch.manual_seed(0)
    curves, images = (
        torch.arange(6.0).repeat(400, 1),
        torch.arange(20.0).view(1, 1, 4, 5).repeat(400, 1, 1, 1),
    )
    seen = {tuple(row) for row in techniques.rolled(curves, 1).tolist()}
    assert seen == {tuple(torch.arange(6.0).roll(k).tolist()) for k in (-1, 0, 1)}
    pictures = {tuple(row) for row in techniques.rolled(images, 1).flatten(1).tolist()}
    shifts = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    assert pictures == {tuple(images[0, 0].roll(s, (0, 1)).flatten().tolist()) for s in shifts}
