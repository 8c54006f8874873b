"""Digits on several workers: shapes, shards, and that a setting does what it says."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from course_utils import data
from course_utils.distributed import digits_shared
from tests.mutants import mistakes

SEEDS = [0, 1]


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def check_sorted(module: Any) -> None:
    """Without a rate nothing is learned; with sorted shards local steps end higher than with mixed ones."""
    start = module.loss_after(SEEDS, "mixed", [1, 8], [0.0, 0.0], generator=generator(), steps=8)
    assert start.shape == (2, 2)
    assert start.dtype == torch.float64
    assert torch.equal(start[:, 0], start[:, 1])
    assert 2.2 < float(start.mean()) < 2.6
    mixed, by_class = (
        module.loss_after(SEEDS, kind, [32], [0.2], generator=generator(), steps=64)
        for kind in ("mixed", "sorted")
    )
    assert float((by_class / mixed).min()) > 2


def check_workers(module: Any) -> None:
    """One worker of sorted digits sees the lowest labels alone."""
    one = module.loss_after([0], "sorted", [1], [0.2], generator=generator(), steps=64, workers=1)
    four = module.loss_after([0], "sorted", [1], [0.2], generator=generator(), steps=64)
    assert float(one) > 1.5 * float(four)


def check_alone(module: Any) -> None:
    """The rate is the best; more steps end lower, and from there all digits lower than a quarter of them."""

    def found(kind: str, steps: int) -> Any:
        given = {"rates": [0.001, 0.2], "generator": generator()}
        losses, rate = module.at_best_rate([2, 3], SEEDS, kind, steps, **given)
        assert losses.shape == (2,)
        assert rate == 0.2
        return losses

    whole, longer, quarter = found("whole", 128), found("whole", 400), found("mixed", 400)
    assert float((longer / whole).max()) < 0.6
    assert float((longer / quarter).max()) < 0.8


def check_steps(module: Any) -> None:
    """More workers need fewer steps; a rate of 0 never comes there; a loss that the start has takes none."""
    few, many = (module.steps_with(n, SEEDS, [0.2, 0.0], generator=generator(), target=1.0) for n in (1, 16))
    assert bool((many[:, 0] < few[:, 0]).all())
    assert bool(few[:, 1].isinf().all())
    assert module.steps_with(1, SEEDS, [0.2], generator=generator(), target=9.0).tolist() == [[0.0], [0.0]]


def check_best(module: Any) -> None:
    """The lowest in its worst seed: a setting that loses one run is not chosen."""
    values = torch.tensor([[0.3, 0.1, 0.25], [0.2, torch.nan, 0.28]])
    assert module.best(values) == 2
    assert module.best(torch.tensor([[0.3, 0.1], [0.2, 9.0]])) == 0


CHECKS = (check_sorted, check_workers, check_alone, check_steps, check_best)


@pytest.mark.parametrize("check", CHECKS)
def test_digits_shared(check: Any) -> None:
    check(digits_shared)


def test_each_seed_has_digits_enough() -> None:
    assert data.digits().splits([0], train=digits_shared.IMAGES, validation=1).train.y.shape == (1, 1024)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="got kind='unsorted'"):
        digits_shared.loss_after([0], "unsorted", [1], [0.1], generator=generator())
    with pytest.raises(ValueError, match="one to four workers, got workers=5"):
        digits_shared.loss_after([0], "mixed", [1], [0.1], generator=generator(), workers=5)


MUTANTS = {
    "sorted is mixed": ('if kind == "sorted" else mixed', 'if kind == "" else mixed', check_sorted),
    "all shards for one": ("[:, :workers]", "[:, :4]", check_workers),
    "a quarter for whole": (
        'if kind == "whole" else order.view',
        'if kind == "" else order.view',
        check_alone,
    ),
    "as many examples for all": ("BATCH * workers, generator", "BATCH, generator", check_steps),
    "the best seed decides": (".amax(0).argmin()", ".amin(0).argmin()", check_best),
    "a lost run is fine": ("nan_to_num(torch.inf)", "nan_to_num(0.0)", check_best),
}

test_mistakes_are_caught = mistakes("course_utils.distributed.digits_shared", MUTANTS)
