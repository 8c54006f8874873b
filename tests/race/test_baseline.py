"""The recorded baseline: its grid is bracketed, its rates are the best ones, and it can be measured anew."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch.nn.functional as F

from course_utils.optimizers import SGD
from course_utils.race import Recipe, baseline, measure
from course_utils.race.recipe import Settings
from course_utils.race.techniques import TASKS
from course_utils.seeds import SAMPerSeed

SEEDS = [3, 4]


@pytest.mark.parametrize(("label_noise", "epochs"), baseline.WORLDS)
def test_recorded_rates_are_the_best_of_a_bracketed_grid(label_noise: float, epochs: int) -> None:
    found = baseline.tuned(label_noise, epochs)
    right, loss = found.accuracy, found.loss
    assert found.lrs == list(baseline.LRS)
    assert found.seeds == len(baseline.SEEDS)
    assert right[found.lrs.index(found.lr)] == max(right) > max(right[0], right[-1])
    assert loss[found.lrs.index(found.loss_lr)] == min(loss) < min(loss[0], loss[-1])


def test_it_scores_as_the_race_does() -> None:
    lrs = (0.0005, 0.1, 30.0)  # the last diverges
    found = baseline.measure(0.2, 1, SEEDS, lrs)
    task = replace(TASKS["noisy digits"], epochs=1)
    losses = replace(task, metric=None)
    recipe = Recipe("m", {}, lambda s, steps: {"optimizer": partial(SGD, lr=s["lr"], momentum=0.9)})
    for i, lr in enumerate(lrs):
        scores = measure(task, recipe, {"lr": lr}, SEEDS, "validation")
        assert found.accuracy[i] == pytest.approx(float(scores.mean()), abs=1e-9)
        assert found.accuracy_error[i] == pytest.approx(float(scores.std()) / 2**0.5, abs=1e-9)
        low = measure(losses, recipe, {"lr": lr}, SEEDS, "validation")
        assert found.loss[i] == pytest.approx(-float(low.mean()), rel=1e-5, nan_ok=True)


def test_recorded_rate_and_radius_of_sam_are_inside_their_grids() -> None:
    found = baseline.tuned_sam()
    best = max(found, key=lambda one: max(one.accuracy))
    assert tuple(one.rho for one in found) == baseline.RADII
    assert {(one.seeds, tuple(one.lrs)) for one in found} == {(len(baseline.SEEDS), baseline.SAM_LRS)}
    assert 0 < found.index(best) < len(found) - 1
    assert best.accuracy[best.lrs.index(best.lr)] == max(best.accuracy)
    assert max(best.accuracy) > max(best.accuracy[0], best.accuracy[-1])


def test_sam_is_scored_as_the_race_scores_it() -> None:
    # the best radius has to stand between two others
    lrs, radii = (0.0005, 0.1, 30.0), (5.0, 0.1, 40.0)
    task = replace(TASKS["noisy digits"], epochs=1)
    for one in baseline.measure_sam(SEEDS, lrs, radii, epochs=1):

        def options(s: Settings, steps: int, rho: float = one.rho) -> dict[str, Any]:
            return {"optimizer": lambda p: SAMPerSeed(p, SGD, rho=rho, lr=s["lr"], momentum=0.9)}

        for lr, right in zip(lrs, one.accuracy, strict=True):
            scores = measure(task, Recipe("s", {}, options), {"lr": lr}, SEEDS, "validation")
            assert right == pytest.approx(float(scores.mean()), abs=1e-9)


def test_a_radius_at_the_end_of_its_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="inside the grid"):
        baseline.measure_sam(SEEDS, (0.0005, 0.1, 30.0), (0.1, 40.0), epochs=1)


def test_a_grid_that_ends_at_its_best_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="a best rate inside the grid"):
        baseline.measure(0.2, 1, SEEDS, (0.001, 0.002, 0.02))


def test_a_world_that_was_not_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="epochs"):
        baseline.tuned(0.3, 20)


def test_its_seeds_are_no_lessons() -> None:
    assert min(baseline.SEEDS) >= 10_000 * 90
    assert F.cross_entropy is TASKS["noisy digits"].loss
