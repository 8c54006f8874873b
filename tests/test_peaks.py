"""One run over many peaks is many runs, and He's net has He's weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import data, peaks, schedules
from course_utils.optimizers import SGD
from course_utils.seeds import train_seeds
from course_utils.training import accuracy
from tests.mutants import mutant

PEAKS, SEEDS, STEPS = (0.05, 0.4), range(3), 12


def make() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))


def check_ends(module: Any) -> None:
    """Each column is what `train_seeds` gives with that peak alone."""
    train, validation, _ = data.digits().splits(SEEDS, train=70, validation=40, dtype=torch.float64)
    schedule = schedules.linear_warmup(5, schedules.cosine_decay(7))
    common: Any = {"loss": F.cross_entropy, "metric": accuracy, "steps": STEPS, "seeds": SEEDS}
    net = lambda: make().double()  # noqa: E731
    loss, metric = module.end_by_peak(net, train, validation, peaks=PEAKS, schedule=schedule, **common)
    assert loss.shape == metric.shape == (3, 2)
    for k, peak in enumerate(PEAKS):
        runs = train_seeds(
            net, train, validation, optimizer=lambda p, lr=peak: SGD(p, lr=lr), schedule=schedule, **common
        )  # fmt: skip
        alike = torch.allclose(loss[:, k], runs.validation_loss[:, -1].to(loss), rtol=1e-12, atol=0)
        assert alike, "another loss than one peak alone"
        assert torch.equal(metric[:, k], runs.validation_metric[:, -1])


def check_weights(module: Any) -> None:
    torch.manual_seed(0)
    net = module.he_net(400, 300, 200, gain=1.5)
    assert [type(layer).__name__ for layer in net] == ["Linear", "ReLU", "Linear"]
    for linear, fan_in in ((net[0], 400), (net[2], 300)):
        expected = 1.5 * (2 / fan_in) ** 0.5  # the spread of 60,000 draws is known to 0.3%
        assert float(linear.weight.detach().std()) == pytest.approx(expected, rel=0.015)
        assert float(linear.bias.detach().abs().max()) == 0


def test_one_run_is_many() -> None:
    check_ends(peaks)


def test_weights_are_hes() -> None:
    check_weights(peaks)


@pytest.mark.parametrize("bad", [{"gain": 0.0}, {"gain": -1.0}])
def test_bad_gain(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="need gain > 0"):
        peaks.he_net(3, 2, **bad)


def test_one_width_is_no_net() -> None:
    with pytest.raises(ValueError, match="two widths"):
        peaks.he_net(3)


MUTANTS: dict[str, tuple[str, str, Any]] = {
    "peaks-and-seeds-swapped": (".repeat(len(seeds))", ".repeat_interleave(len(seeds))", check_ends),
    "no-schedule": ("schedule=schedule,", "schedule=None,", check_ends),
    "first-measure": ("runs.validation_loss[:, -1]", "runs.train_loss[:, -1]", check_ends),
    "gain-forgotten": ("linear.weight.mul_(gain)", "linear.weight.mul_(1.0)", check_weights),
    "biases-kept": ("        nn.init.zeros_(linear.bias)\n", "", check_weights),
}


@pytest.mark.parametrize(("old", "new", "check"), MUTANTS.values(), ids=MUTANTS)
def test_mistakes_are_caught(old: str, new: str, check: Any) -> None:
    with pytest.raises(AssertionError):
        check(mutant("course_utils.peaks", old, new))
