"""Weights kept beside a run of many seeds are those of separate runs and separate averages."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.averaging import ExponentialMovingAverage, StochasticWeightAverage
from course_utils.data import Stacked
from course_utils.early_stopping import EarlyStopping
from course_utils.optimizers import SGD
from course_utils.seeds import SeedRuns, averages, train_seeds
from course_utils.training import minibatches
from tests.mutants import mutant

SEEDS, STEPS, EVERY = (3, 4, 5), 12, 4
EMA = partial(ExponentialMovingAverage, decay=0.7)


def make() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def examples(n: int, seed: int) -> Stacked:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(len(SEEDS), n, 4, generator=generator, dtype=torch.float64)
    return Stacked(x, torch.randint(3, (len(SEEDS), n), generator=generator))


def watched(module: Any) -> tuple[Any, SeedRuns, Stacked]:
    averages = {
        "ema": module.Average(EMA),
        "swa": module.Average(StochasticWeightAverage, start=6, every=3),  # steps 6, 9, 12
    }
    train = examples(20, 0)
    watch = module.WeightWatch(lambda p: SGD(p, lr=0.3), every=EVERY, averages=averages)
    runs = train_seeds(
        make, train, optimizer=watch, loss=F.cross_entropy, steps=STEPS, seeds=SEEDS, batch_size=8
    )
    return watch, runs, train


def one_run(seed: int, x: Tensor, y: Tensor) -> dict[str, list[nn.Module]]:
    """The same for one seed, step by step, with the package's averages of one model."""
    torch.manual_seed(seed)
    model = make()
    ema, swa = EMA(model), StochasticWeightAverage(model)
    generator, optimizer = torch.Generator().manual_seed(seed), torch.optim.SGD(model.parameters(), lr=0.3)
    kept: dict[str, list[nn.Module]] = {"live": [], "ema": [], "swa": []}
    step = 0
    while step < STEPS:
        for index in minibatches(len(x), 8, generator):
            optimizer.zero_grad()
            F.cross_entropy(model(x[index]), y[index]).backward()
            optimizer.step()
            step += 1
            ema.update(model)
            if step in (6, 9, 12):
                swa.update(model)
            if step % EVERY == 0:
                kept["live"].append(copy.deepcopy(model))
                kept["ema"].append(copy.deepcopy(ema.module))
                if step >= 6:
                    kept["swa"].append(copy.deepcopy(swa.module))
            if step == STEPS:
                break
    return kept


def check_equals_separate_runs(module: Any) -> None:
    watch, runs, train = watched(module)
    assert watch.steps == {"live": [4, 8, 12], "ema": [4, 8, 12], "swa": [8, 12]}
    test = examples(7, 1)
    got = {name: watch.predict(runs, name, test) for name in watch.steps}
    for k, seed in enumerate(SEEDS):
        for name, models in one_run(seed, train.x[k], train.y[k]).items():
            expected = torch.stack([model(test.x[k]) for model in models])
            assert torch.allclose(got[name][:, k], expected, rtol=1e-12, atol=1e-12), name


def test_every_kept_weight_is_that_of_a_separate_run() -> None:
    check_equals_separate_runs(averages)


def test_predicting_leaves_the_run_as_it_was() -> None:
    watch, runs, _ = watched(averages)
    test = examples(7, 1)
    before = runs.predict(test)
    watch.predict(runs, "ema", test)
    assert torch.equal(runs.predict(test), before)
    assert torch.equal(watch.predict(runs, "live", test)[-1], before)


def test_a_second_run_starts_anew() -> None:
    watch, runs, train = watched(averages)
    first = watch.predict(runs, "ema", train)
    again = train_seeds(
        make, train, optimizer=watch, loss=F.cross_entropy, steps=STEPS, seeds=SEEDS, batch_size=8
    )
    assert watch.steps["live"] == [4, 8, 12]
    assert torch.equal(watch.predict(again, "ema", train), first)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "need every >= 1, got every=0"),
        ({"every": 1, "averages": {"live": averages.Average(EMA)}}, "other than"),
        ({"every": 1, "averages": {"a": averages.Average(EMA, start=0)}}, "start >= 1"),
        ({"every": 1, "averages": {"a": averages.Average(EMA, every=0)}}, "every >= 1 for a"),
    ],
)
def test_bad_numbers(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        averages.WeightWatch(lambda p: SGD(p, lr=0.1), **options)


def test_per_example() -> None:
    generator = torch.Generator().manual_seed(2)
    outputs = torch.randn(4, 3, 6, 5, generator=generator, dtype=torch.float64)
    y = torch.randint(5, (3, 6), generator=generator)
    right, losses = averages.per_example(outputs, y)
    assert right.shape == losses.shape == (3, 4, 6)
    for s in range(3):
        for k in range(4):
            assert torch.equal(right[s, k] == 1, outputs[k, s].argmax(-1) == y[s])
            expected = F.cross_entropy(outputs[k, s], y[s], reduction="none")
            assert torch.allclose(losses[s, k], expected, rtol=1e-12, atol=1e-12)


def check_patient_stop(module: Any) -> None:
    """As `EarlyStopping` run by run, on values with ties."""
    values = torch.randint(0, 12, (60, 15), generator=torch.Generator().manual_seed(3)).double()
    stopped_early = 0
    for patience in (1, 2, 3, 6):
        stop, best = module.patient_stop(values, patience)
        for s, row in enumerate(values.tolist()):
            stopper = EarlyStopping(patience, restore_best=False)
            end = next((k for k, value in enumerate(row) if stopper.update(value, nn.Linear(1, 1))), 14)
            assert (int(stop[s]), int(best[s])) == (end, stopper.best_step)
            stopped_early += end < 14
    assert stopped_early > 100


def test_patient_stop() -> None:
    check_patient_stop(averages)
    with pytest.raises(ValueError, match="patience >= 1"):
        averages.patient_stop(torch.zeros(2, 3), 0)


PARITY = check_equals_separate_runs
MUTANTS = {
    "no-copy": ("p.detach().clone() for p in weights", "p.detach() for p in weights", PARITY),
    "start-off-by-one": ("step >= self.start and", "step > self.start and", PARITY),
    "every-from-zero": ("(step - self.start) % self.every", "step % (self.every + 1)", PARITY),
    "averages-first": ("done += 1", "done += 2", PARITY),
    "ties-count": ("values[:, 1:] < lowest", "values[:, 1:] <= lowest", check_patient_stop),
    "one-late": ("position - best >= patience", "position - best > patience", check_patient_stop),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "check"), MUTANTS.values(), ids=MUTANTS)
def test_mistakes_are_caught(old: str, new: str, check: Any) -> None:
    changed = mutant("course_utils.seeds.averages", old, new)
    with pytest.raises(AssertionError):
        check(changed)
