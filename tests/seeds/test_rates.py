"""Many learning rates in one run are the runs that each would have been alone."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import data, schedules
from course_utils.averaging import ExponentialMovingAverage
from course_utils.data import Split
from course_utils.optimizers import SGD, Adam
from course_utils.seeds import rates, train_seeds
from course_utils.seeds.averages import Average
from course_utils.training import accuracy, minibatches, set_lr
from tests.mutants import mistakes

LRS, SEEDS, STEPS, EVERY = (0.05, 0.4, 1.0), (3, 4), 12, 5
SPLIT: dict[str, Any] = {"train": 64, "validation": 50, "dtype": torch.float64}
SCHEDULE = schedules.linear_warmup(5, schedules.cosine_decay(7))
RUN: dict[str, Any] = {"loss": F.cross_entropy, "metric": accuracy, "steps": STEPS, "batch_size": 16,
                       "schedule": SCHEDULE, "measure_every": EVERY}  # fmt: skip


def make() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 10)).double()


def alone(seed: int, lrs: dict[str, float], split: Split) -> tuple[nn.Module, Tensor, Tensor]:
    """One seed trained by hand, each parameter at its own learning rate; losses and accuracies (K,)."""
    torch.manual_seed(seed)
    net, generator = make(), torch.Generator().manual_seed(seed)
    optimizer = SGD([{"params": [p], "lr": lrs[name]} for name, p in net.named_parameters()], lr=0.0)
    done, measured = 0, []
    while done < STEPS:
        for rows in minibatches(64, 16, generator):
            set_lr(optimizer, SCHEDULE, done)
            optimizer.zero_grad()
            F.cross_entropy(net(split.train.x[rows]), split.train.y[rows]).backward()
            optimizer.step()
            done += 1
            if done % EVERY == 0 or done == STEPS:
                with torch.no_grad():
                    logits = net(split.validation.x)
                loss = F.cross_entropy(logits, split.validation.y)
                measured.append(torch.stack([loss, accuracy(logits, split.validation.y).double()]))
            if done == STEPS:
                break
    losses, accuracies = torch.stack(measured, 1)
    return net, losses, accuracies


def check_sweep(
    module: Any,
    only: tuple[str, ...] | None = ("0.weight",),
    beside: dict[str, tuple[float, ...]] | None = None,
) -> None:
    train, validation, test = data.digits().splits(SEEDS, **SPLIT)
    sweep = module.sweep_lrs(
        make, train, validation, lrs=LRS, seeds=SEEDS, only=only, beside=beside, rest_lr=0.03, **RUN
    )
    assert sweep.steps == [5, 10, 12]
    assert sweep.train_loss.shape == sweep.validation_loss.shape == sweep.validation_metric.shape == (2, 3, 3)
    names = [name for name, _ in make().named_parameters()]
    outputs, parameters = sweep.predict(test), sweep.parameters()
    for i, seed in enumerate(SEEDS):
        split = data.digits().split(seed, **SPLIT)
        for j, lr in enumerate(LRS):
            own = {name: lr if only is None or name in only else 0.03 for name in names}
            own |= {name: values[j] for name, values in (beside or {}).items()}
            net, losses, accuracies = alone(seed, own, split)
            assert torch.allclose(sweep.validation_loss[i, j], losses, rtol=1e-10, atol=0), (seed, lr)
            assert torch.allclose(sweep.validation_metric[i, j].double(), accuracies, rtol=0, atol=1e-7)
            assert (sweep.last_loss[i, j], sweep.last_metric[i, j]) == (
                sweep.validation_loss[i, j, -1], sweep.validation_metric[i, j, -1],
            )  # fmt: skip
            assert torch.allclose(outputs[i, j], net(split.test.x), rtol=1e-9, atol=1e-11)
            for name, p in net.named_parameters():
                assert torch.allclose(parameters[name][i, j], p, rtol=1e-9, atol=1e-12), name


def check_kept(module: Any) -> None:
    """Each seed's copies at each rate say of its own examples what a run at this rate alone says."""
    options = {**RUN, "averages": {"ema": Average(partial(ExponentialMovingAverage, decay=0.5))}}
    train, validation, _ = data.digits().splits(SEEDS, **SPLIT)
    sweep = module.sweep_lrs(make, train, validation, lrs=LRS, seeds=SEEDS, **options)
    for j, lr in enumerate(LRS):
        alone = train_seeds(make, train, validation, seeds=SEEDS, optimizer=partial(SGD, lr=lr), **options)
        for name in ("live", "ema"):
            right, losses = sweep.kept(name, validation)
            assert right.shape == losses.shape == (2, 3, 3, 50)
            outputs = alone.predict_kept(name, validation)  # (K, S, N, C)
            for i, k in itertools.product(range(2), range(3)):
                expected = F.cross_entropy(outputs[k, i], validation.y[i], reduction="none")
                assert torch.allclose(losses[i, j, k], expected, rtol=1e-8, atol=1e-10)
                assert torch.equal(right[i, j, k] == 1, outputs[k, i].argmax(-1) == validation.y[i])


def test_kept() -> None:
    check_kept(rates)


ONLY = [pytest.param(None, id="all"), pytest.param(("0.weight",), id="one"), pytest.param((), id="none")]


@pytest.mark.parametrize("only", ONLY)
def test_every_learning_rate_is_the_run_it_would_be_alone(only: tuple[str, ...] | None) -> None:
    check_sweep(rates, only)


def check_beside(module: Any) -> None:
    """Other rates beside those swept: of a parameter that is not swept, and of one that would be."""
    check_sweep(module, ("0.weight",), {"2.weight": (0.7, 0.0, 0.2)})
    check_sweep(module, None, {"2.weight": (0.7, 0.0, 0.2), "0.bias": (0.1, 0.2, 0.3)})


def test_rates_beside_those_swept() -> None:
    check_beside(rates)


def check_kind(module: Any) -> None:
    """With another optimizer, too, each learning rate is the run that `train_seeds` makes of it."""
    train, validation, _ = data.digits().splits(SEEDS, **SPLIT)
    for kind in (Adam, partial(SGD, momentum=0.9, weight_decay=0.1)):
        sweep = module.sweep_lrs(make, train, validation, lrs=LRS, seeds=SEEDS, kind=kind, **RUN)
        for j, lr in enumerate(LRS):
            optimizer = partial(kind, lr=lr)
            want = train_seeds(make, train, validation, optimizer=optimizer, seeds=SEEDS, **RUN)
            torch.testing.assert_close(
                sweep.validation_loss[:, j], want.validation_loss, rtol=1e-8, atol=1e-10
            )


def test_another_optimizer_has_its_own_learning_rate_for_each_run() -> None:
    check_kind(rates)


def test_a_learning_rate_that_diverges_harms_no_other() -> None:
    train, validation, _ = data.digits().splits(SEEDS, **SPLIT)
    without = rates.sweep_lrs(make, train, validation, lrs=(0.4,), seeds=SEEDS, **RUN)
    beside = rates.sweep_lrs(make, train, validation, lrs=(0.4, 1e200), seeds=SEEDS, **RUN)
    assert torch.equal(without.last_loss[:, 0], beside.last_loss[:, 0])
    assert (beside.last_metric[:, 1] < 0.5).all()


def test_the_callers_draws_are_untouched() -> None:
    train = data.digits().splits(SEEDS, **SPLIT).train
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    rates.sweep_lrs(make, train, lrs=LRS, seeds=SEEDS, **RUN)
    assert torch.equal(torch.rand(3), expected)


def test_what_does_not_fit_is_refused() -> None:
    train = data.digits().splits(SEEDS, **SPLIT).train
    with pytest.raises(ValueError, match=r"0\.weight.*only=\['7\.weight'\]"):
        rates.sweep_lrs(make, train, lrs=(0.1,), seeds=SEEDS, only=("7.weight",), **RUN)
    with pytest.raises(ValueError, match="lrs >= 0"):
        rates.sweep_lrs(make, train, lrs=(0.1, -0.1), seeds=SEEDS, **RUN)
    with pytest.raises(ValueError, match="lrs >= 0"):
        rates.sweep_lrs(make, train, lrs=(0.1, -0.1), seeds=SEEDS, kind=Adam, **RUN)
    with pytest.raises(ValueError, match="only or kind"):
        rates.sweep_lrs(make, train, lrs=(0.1,), seeds=SEEDS, only=("0.weight",), kind=Adam, **RUN)
    for beside, match in (
        ({"7.weight": (0.1,)}, r"names among 0\.weight"),
        ({"0.weight": (0.1, 0.2)}, "a learning rate beside each"),
        ({"0.weight": (-0.1,)}, "lrs >= 0"),
    ):
        with pytest.raises(ValueError, match=match):
            rates.sweep_lrs(make, train, lrs=(0.1,), seeds=SEEDS, beside=beside, **RUN)
    with pytest.raises(ValueError, match="only or kind"):
        rates.sweep_lrs(make, train, lrs=(0.1,), seeds=SEEDS, beside={"0.weight": (0.1,)}, kind=Adam, **RUN)


def sweep_of(module: Any, losses: list[Any], accuracies: list[Any], lrs: tuple[float, ...]) -> Any:
    measured = [torch.tensor(rows, dtype=torch.float64) for rows in (losses, losses, accuracies)]
    return module.LRSweep(torch.tensor(lrs, dtype=torch.float64), [5, 10, 12], *measured, None)


def check_readers(module: Any) -> None:
    nan = float("nan")
    losses = [
        [[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [nan, nan, nan]],
        [[3.0, 1.0, 2.0], [9.0, 9.0, 8.0], [2.0, 1.5, 1.0]],
    ]
    accuracies = [[[0.0, 0.0, a] for a in row] for row in ((0.9, 0.5, 0.8), (0.2, nan, 0.1))]
    sweep = sweep_of(module, losses, accuracies, (0.5, 1.0, 2.0))
    assert sweep.steps_to_loss(1.5).tolist() == [[12, 5, 12], [10, 12, 10]]
    assert sweep.steps_to_loss(1.5).dtype == torch.float64
    assert sweep.largest_lr(at_least=0.7).tolist() == [2.0, 0.0]
    assert sweep.largest_lr(at_least=0.85).tolist() == [0.5, 0.0]


def test_what_is_read_off_a_sweep() -> None:
    check_readers(rates)


def check_failing(module: Any) -> None:
    """Failures are looked for above the best rate only, and one run is enough."""
    lrs, nan = [0.1, 0.3, 1.0, 3.0], torch.nan
    slow = torch.tensor([[2.0, 0.5, 0.1, 2.3], [1.5, 0.6, 0.4, 0.2]])
    assert module.best_and_failing(lrs, slow, below=1.0) == (1.0, 3.0)
    blown = torch.tensor([[0.9, 0.2, 0.3, nan], [0.9, 0.4, nan, 0.1]])
    assert module.best_and_failing(lrs, blown, below=1.0) == (0.3, 1.0)
    assert module.best_and_failing(lrs, blown[:, :2].repeat(1, 2), below=1.0)[1] == torch.inf
    assert module.best_and_failing(lrs, torch.full((2, 4), nan), below=1.0) == (0.1, 0.1)
    assert module.best_and_failing(lrs, slow.clamp(min=0.35), below=0.4)[1] == 1.0  # 0.4 is not below 0.4


def test_the_best_rate_and_the_lowest_that_failed() -> None:
    check_failing(rates)
    with pytest.raises(ValueError, match="a column of losses for each rising rate"):
        rates.best_and_failing([0.3, 0.1], torch.zeros(2, 2), below=1.0)
    with pytest.raises(ValueError, match="a column of losses for each rising rate"):
        rates.best_and_failing([0.1, 0.3], torch.zeros(2, 3), below=1.0)


MUTANTS = {
    "slow-is-failed": ("lrs[best:][~(worst[best:] < below)]", "lrs[~(worst < below)]", check_failing),
    "all-must-fail": ("nan_to_num(torch.inf).amax(0)", "nan_to_num(torch.inf).amin(0)", check_failing),
    "nan-passes": ("losses.nan_to_num(torch.inf)", "losses.nan_to_num(0.0)", check_failing),
    "touching-passes": ("~(worst[best:] < below)", "worst[best:] > below", check_failing),
    "rates-beside-the-wrong-seeds": (
        "lrs.repeat_interleave(len(seeds))", "lrs.repeat(len(seeds))", check_sweep,
    ),
    "other-rates-beside-the-wrong-seeds": (
        "v.repeat_interleave(len(seeds))", "v.repeat(len(seeds))", check_beside,
    ),
    "seeds-beside-the-wrong-rates": ("_ in lrs for seed in seeds", "seed in seeds for _ in lrs", check_sweep),
    "sweeps-the-rest": ('"lrs": None, "lr": rest_lr', '"lrs": each', check_sweep),
    "the-rest-at-one": (', "lr": rest_lr', "", check_sweep),
    "rates-and-seeds-swapped": ("view(count, -1,", "view(-1, count,", check_sweep),
    "first-that-is-not": ("arrived.long().argmax(-1)", "arrived.long().argmin(-1)", check_readers),
    "not-arrived-is-first": ("arrived.any(-1), ", "arrived.any(-1) | True, ", check_readers),
    "steps-of-one": (".mul_(over(lrs.to(p), p))", ".mul_(1.0)", check_kind),
    "the-smallest": ("reached).amax(1)", "reached).amin(1)", check_readers),
    "the-first-metric": ("self.validation_metric[..., -1]", "self.validation_metric[..., 0]", check_readers),
    "always-the-live": ("predict_kept(name, every)", 'predict_kept("live", every)', check_kept),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.seeds.rates", MUTANTS)
