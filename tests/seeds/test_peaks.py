"""One run over many peaks is many runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import data, schedules
from course_utils.optimizers import SGD
from course_utils.seeds import peaks, train_seeds
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


def test_one_run_is_many() -> None:
    check_ends(peaks)


MUTANTS: dict[str, tuple[str, str, Any]] = {
    "peaks-and-seeds-swapped": (".repeat(len(seeds))", ".repeat_interleave(len(seeds))", check_ends),
    "no-schedule": ("schedule=schedule,", "schedule=None,", check_ends),
    "first-measure": ("runs.validation_loss[:, -1]", "runs.train_loss[:, -1]", check_ends),
}


@pytest.mark.parametrize(("old", "new", "check"), MUTANTS.values(), ids=MUTANTS)
def test_mistakes_are_caught(old: str, new: str, check: Any) -> None:
    with pytest.raises(AssertionError):
        check(mutant("course_utils.seeds.peaks", old, new))
