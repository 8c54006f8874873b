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
from course_utils.optimizers import SGD
from course_utils.seeds import SeedRuns, averages, train_seeds
from course_utils.seeds import train as seeds
from course_utils.training import minibatches
from tests.mutants import mistakes

SEEDS, STEPS, EVERY = (3, 4, 5), 12, 4
EMA = partial(ExponentialMovingAverage, decay=0.7)


def make() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def examples(n: int, seed: int) -> Stacked:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(len(SEEDS), n, 4, generator=generator, dtype=torch.float64)
    return Stacked(x, torch.randint(3, (len(SEEDS), n), generator=generator))


def averaged(module: Any) -> tuple[SeedRuns, Stacked]:
    averages = {
        "ema": module.Average(EMA),
        "swa": module.Average(StochasticWeightAverage, start=6, every=3),  # steps 6, 9, 12
    }
    train = examples(20, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seeds, "Snapshots", module.Snapshots)
        runs = train_seeds(
            make, train, optimizer=lambda p: SGD(p, lr=0.3), loss=F.cross_entropy, steps=STEPS, seeds=SEEDS,
            batch_size=8, averages=averages, measure_every=EVERY,
        )  # fmt: skip
    return runs, train


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
    runs, train = averaged(module)
    assert runs.snapshots is not None
    assert runs.snapshots.steps == {"live": [4, 8, 12], "ema": [4, 8, 12], "swa": [8, 12]}
    test = examples(7, 1)
    got = {name: runs.predict_kept(name, test) for name in runs.snapshots.steps}
    for k, seed in enumerate(SEEDS):
        for name, models in one_run(seed, train.x[k], train.y[k]).items():
            expected = torch.stack([model(test.x[k]) for model in models])
            assert torch.allclose(got[name][:, k], expected, rtol=1e-12, atol=1e-12), name


def test_every_kept_weight_is_that_of_a_separate_run() -> None:
    check_equals_separate_runs(averages)


def test_predicting_leaves_the_run_as_it_was() -> None:
    runs, _ = averaged(averages)
    test = examples(7, 1)
    before = runs.predict(test)
    runs.predict_kept("ema", test)
    assert torch.equal(runs.predict(test), before)
    assert torch.equal(runs.predict_kept("live", test)[-1], before)
    with pytest.raises(ValueError, match=r"a name among \['ema', 'live', 'swa'\], got name='EMA'"):
        runs.predict_kept("EMA", test)


def test_without_averages_nothing_is_kept() -> None:
    kwargs: Any = {"optimizer": lambda p: SGD(p, lr=0.3), "loss": F.cross_entropy, "steps": 2, "seeds": SEEDS}
    plain = train_seeds(make, examples(20, 0), **kwargs)
    assert plain.snapshots is None
    with pytest.raises(ValueError, match=r"a name among \[\]"):
        plain.predict_kept("live", examples(7, 1))
    live = train_seeds(make, examples(20, 0), averages={}, **kwargs).snapshots
    assert live is not None
    assert live.steps == {"live": [2]}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: averages.Snapshots([], {"live": averages.Average(EMA)}), "other than"),
        (lambda: averages.Average(EMA, start=0), "need start >= 1, got start=0"),
        (lambda: averages.Average(EMA, every=0), "need every >= 1, got every=0"),
    ],
)
def test_bad_numbers(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


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


MUTANTS = {
    "no-copy": ("p.detach().clone() for p", "p.detach() for p"),
    "start-off-by-one": ("step >= self.start and", "step > self.start and"),
    "every-from-zero": ("(step - self.start) % self.every", "step % (self.every + 1)"),
    "takes-every-step": ("if average.takes(step):", "if step >= average.start:"),
    "keeps-before-the-start": ("if step >= average.start:", "if True:"),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.seeds.averages", MUTANTS, check=check_equals_separate_runs)
