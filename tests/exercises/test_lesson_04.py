"""What the exercises of lesson 04 ask for, against pandas and against the average itself."""

from __future__ import annotations

import math

import pandas as pd
import pytest
import torch

from course_utils.averaging import ewma
from course_utils.exercises import lesson_04_exponential_averages as lesson
from course_utils.exercises.engine.outcomes import build_inputs

BY_ID = {exercise.id: exercise for exercise in lesson.EXERCISES}


def test_gaps_are_those_of_pandas() -> None:
    for values, beta in build_inputs(BY_ID["04.average_with_gaps"]):
        want = pd.Series(values, dtype=float).ewm(alpha=1 - beta).mean().tolist()
        assert lesson.average_with_gaps(values, beta) == pytest.approx(want, rel=1e-12, nan_ok=True)


def test_each_trace_is_named_after_the_fault_that_made_it() -> None:
    inputs = build_inputs(BY_ID["04.name_fault"])
    found = [lesson.name_fault(*arguments) for arguments in inputs]
    assert found[:6] == ["none", "swapped", "first value", "state corrected", "uncorrected", "t too large"]
    assert found[6:10] == ["first value", "state corrected", "swapped", "none"]
    assert found[10:14] == ["uncorrected", "none", "t too large", "swapped"]
    assert found[14:] == ["uncorrected", "t too large", "state corrected", "first value"]


def test_the_chosen_beta_is_the_smallest_that_is_calm_enough() -> None:
    for share, late in build_inputs(BY_ID["04.choose_beta"]):
        grid = torch.linspace(0, 0.9999, 200_000, dtype=torch.float64)
        calm = grid[((1 - grid) / (1 + grid)).sqrt() <= share]
        smallest = calm[0].item()
        beta = lesson.choose_beta(share, late)
        if beta is None:
            assert smallest / (1 - smallest) > late
        else:
            assert beta == pytest.approx(smallest, abs=1e-5)
            ramp = torch.arange(20_000, dtype=torch.float64)
            assert (ramp - ewma(ramp, beta))[-1] <= late + 1e-6


def test_a_continued_average_is_the_one_that_never_stopped() -> None:
    values = torch.randn(30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    whole = ewma(values, 0.9)
    for t in (1, 7, 29):
        got = lesson.continued(values[t:].tolist(), 0.9, whole[t - 1].item(), t)
        assert got == pytest.approx(whole[t:].tolist(), rel=1e-12)


def test_no_boundary_of_choose_beta_hangs_on_rounding() -> None:
    for share, late in build_inputs(BY_ID["04.choose_beta"]):
        if share < 1:
            lag = (1 - share**2) / (2 * share**2)
            assert not math.isclose(lag, late, rel_tol=1e-3)
