"""A sample of torch's database of optimizers; the nightly run takes all of it."""

from __future__ import annotations

import pytest
import torch

from course_utils import optimizers
from tests.mutants import mutant
from tests.optimizers import database


@pytest.mark.parametrize("dtype", database.DTYPES)
def test_every_third_run_is_torch_s_to_the_bit_or_a_stated_departure(dtype: torch.dtype) -> None:
    counts, unstated, _ = database.run(dtype, every=3)
    assert not unstated
    assert set(counts) == {"SGD", "Adagrad", "RMSprop", "Adadelta", "Adam", "AdamW", "Muon"}
    assert sum(count.same for count in counts.values()) > 12


MISTAKES = {
    "another rounding": (
        *("RMSprop", "rmsprop", '["grad_avg"].lerp_(g, 1 - alpha)'),
        '["grad_avg"].mul_(alpha).add_(g, alpha=1 - alpha)',
    ),
    "eps inside the root": (
        *("Adam", "adam", "v.sqrt().div_((1 - beta2**t) ** 0.5).add_(eps)"),
        "(v / (1 - beta2**t) + eps).sqrt_()",
    ),
    "its own sign": ("SGD", "sgd", "p.add_(g, alpha=-lr)", "p.add_(g, alpha=lr)"),
    "a negative decay of the rate is taken": (
        "Adagrad",
        "adagrad",
        '"lr", "lr_decay", "weight_decay"',
        '"lr", "weight_decay"',
    ),
}


@pytest.mark.parametrize(("name", "module", "text", "mistake"), MISTAKES.values(), ids=MISTAKES)
def test_a_difference_is_noticed(
    name: str, module: str, text: str, mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = getattr(mutant(f"course_utils.optimizers.{module}", text, mistake), name)
    monkeypatch.setattr(optimizers, name, wrong)
    _, unstated, _ = database.run(torch.float64)
    assert {line.split()[0] for line in unstated} == {name}


def test_a_departure_that_is_not_in_the_table_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "STATED", database.STATED[1:])
    _, unstated, _ = database.run(torch.float32)
    assert any("need foreach=None or False" in line for line in unstated)
