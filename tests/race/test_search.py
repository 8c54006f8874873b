"""The pool of a search: each learning rate trained as the race would train it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from course_utils import data
from course_utils.optimizers import SGD
from course_utils.race import Recipe, Task, measure, search
from tests.mutants import mistakes

TASK = Task("d", data.digits, lambda: nn.Linear(64, 10), train=64, validation=40, epochs=2, label_noise=0.1)
LRS = torch.tensor([0.01, 0.3, 0.1])
MOMENTUM = partial(SGD, momentum=0.9)


def check_pool(module: Any) -> None:
    pool = module.lr_pool(TASK, LRS, [5, 7], kind=MOMENTUM)
    assert pool.validation.shape == (2, 3, 1)
    for i, lr in enumerate(LRS.tolist()):
        recipe = Recipe("sgd", {}, lambda s, n: {"optimizer": lambda p: MOMENTUM(p, lr=s["lr"])})
        for part, found in (("validation", pool.validation[..., -1]), ("test", pool.test)):
            alone = measure(TASK, recipe, {"lr": lr}, [5, 7], part)
            assert found[:, i].tolist() == pytest.approx(alone.tolist(), abs=1e-7)


def check_plain(module: Any) -> None:
    plain = module.lr_pool(TASK, LRS[1:], [5])
    same = module.lr_pool(TASK, LRS[1:], [5], kind=SGD)
    other = module.lr_pool(TASK, LRS[1:], [5], kind=MOMENTUM)
    assert torch.equal(plain.right, same.right)
    assert not torch.equal(plain.right, other.right)


def check_prefix(module: Any) -> None:
    """At a constant rate what is measured on the way is where a shorter run would have ended."""
    pool = module.lr_pool(TASK, LRS, [5, 7], measure_every=1)
    assert pool.steps == [1, 2, 3, 4]
    short = module.lr_pool(Task(**{**vars(TASK), "epochs": 1}), LRS, [5, 7])
    assert short.steps == [2]
    assert pool.validation[..., 1].tolist() == short.validation[..., 0].tolist()


def test_the_pool_is_the_races_training_with_each_learning_rate() -> None:
    check_pool(search)


def test_without_a_kind_it_is_plain_sgd() -> None:
    check_plain(search)


def test_what_is_measured_on_the_way_is_a_shorter_run() -> None:
    check_prefix(search)


MUTANTS = {
    "one learning rate for all": ("lrs=lrs,", "lrs=[lrs[0]] * len(lrs),", check_pool),
    "validation for test": ("sweep.predict(splits.test)", "sweep.predict(splits.validation)", check_pool),
    "the lowest output answers": (".argmax(-1)", ".argmin(-1)", check_pool),
    "always plain": ("kind=kind", "kind=None", check_plain),
    "measured at the end alone": (
        "task.steps if measure_every is None else measure_every", "task.steps", check_prefix,
    ),
}  # fmt: skip


# validation has fewer examples than test has: the comparison does not even fit
test_mistakes_are_caught = mistakes("course_utils.race.search", MUTANTS, also=(RuntimeError,))
