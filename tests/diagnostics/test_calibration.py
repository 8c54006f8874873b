"""Calibration: bins, errors and their signs, against a plain loop."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.diagnostics import calibration
from course_utils.diagnostics.calibration import expected_calibration_error, overconfidence, reliability
from tests.mutants import mistakes


def sample(seed: int, *leading: int, n: int = 60, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(*leading, n, classes, generator=generator, dtype=torch.float64)
    return logits.softmax(-1), torch.randint(classes, (*leading, n), generator=generator)


def check_against_a_loop(module: Any, seed: int = 0, bins: int = 10) -> None:
    q, y = sample(seed)
    rows: list[list[tuple[float, float]]] = [[] for _ in range(bins)]
    for one, target in zip(q.tolist(), y.tolist(), strict=True):
        confidence = max(one)
        [k] = [k for k in range(bins) if k / bins < confidence <= (k + 1) / bins]
        rows[k].append((confidence, float(one.index(confidence) == target)))
    found = module.reliability(q, y, bins=bins)
    ece = 0.0
    for k, row in enumerate(rows):
        assert found.count[k] == len(row)
        if not row:
            assert math.isnan(found.confidence[k])
            assert math.isnan(found.accuracy[k])
            continue
        confidence, right = (sum(column) / len(row) for column in zip(*row, strict=True))
        assert float(found.confidence[k]) == pytest.approx(confidence, abs=1e-12)
        assert float(found.accuracy[k]) == pytest.approx(right, abs=1e-12)
        ece += len(row) / len(y) * abs(right - confidence)
    assert float(module.expected_calibration_error(q, y, bins=bins)) == pytest.approx(ece, abs=1e-12)
    mean = sum(max(one) for one in q.tolist()) / len(y)
    right = float((q.argmax(-1) == y).double().mean())
    assert float(module.overconfidence(q, y)) == pytest.approx(mean - right, abs=1e-12)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), bins=st.integers(1, 20))
def test_against_a_loop(seed: int, bins: int) -> None:
    check_against_a_loop(calibration, seed, bins)


def test_leading_dimensions_are_kept() -> None:
    q, y = sample(1, 3, 2)
    assert reliability(q, y, bins=7).count.shape == (3, 2, 7)
    for measure in (expected_calibration_error, overconfidence):
        whole = measure(q, y)
        assert whole.shape == (3, 2)
        assert whole[2, 1] == measure(q[2, 1], y[2, 1])


def test_with_one_bin_the_error_is_the_size_of_the_overconfidence() -> None:
    q, y = sample(2)
    one = float(expected_calibration_error(q, y, bins=1))
    assert one == pytest.approx(abs(float(overconfidence(q, y))), abs=1e-12)


def test_signs_and_edges() -> None:
    sure = torch.tensor([[1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    y = torch.tensor([0, 1])
    assert reliability(sure, y).count.tolist() == [0.0] * 9 + [2.0]  # a confidence of 1 has a bin
    assert float(overconfidence(sure, y)) == 0.5
    assert float(overconfidence(torch.full((2, 2), 0.5), torch.tensor([0, 0]))) == -0.5
    assert overconfidence(sure.to(torch.bfloat16), y).dtype == torch.float32


@pytest.mark.parametrize(
    ("shape", "bins", "words"), [((5, 3), 10, "targets"), ((4, 3), 0, "bins >= 1")], ids=["shapes", "bins"]
)
def test_bad_input(shape: tuple[int, ...], bins: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        reliability(torch.full(shape, 1 / 3), torch.zeros(4, dtype=torch.int64), bins=bins)


def check_temperature(module: Any) -> None:
    """A temperature is a divisor of logits; the best one undoes a factor on them."""
    generator = torch.Generator().manual_seed(3)
    logits = 2 * torch.randn(2, 4000, 5, generator=generator, dtype=torch.float64)
    y = logits.softmax(-1).flatten(0, 1).multinomial(1, generator=generator).view(2, 4000)
    for t in (0.5, 2.0):
        torch.testing.assert_close(module.with_temperature(logits.softmax(-1), t), (logits / t).softmax(-1))
    wrong = torch.tensor([[[3.0]], [[0.4]]], dtype=torch.float64)  # too sure, not sure enough
    sure = (logits * wrong).softmax(-1)
    best = module.best_temperature(sure, y)
    assert best.tolist() == pytest.approx([3.0, 0.4], rel=0.12)  # the grid's step is 6%
    losses = module.negative_log_likelihood(sure, y)
    assert losses.shape == (2,)
    for k in range(2):
        want = torch.nn.functional.cross_entropy(logits[k] * wrong[k], y[k])
        assert float(losses[k]) == pytest.approx(float(want), rel=1e-9)
    cooled = module.with_temperature(sure, best)
    assert (module.negative_log_likelihood(cooled, y) < losses).all()


def test_temperature() -> None:
    check_temperature(calibration)


def test_a_probability_of_zero_has_a_finite_loss() -> None:
    q = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    assert float(calibration.negative_log_likelihood(q, torch.tensor([0]))) == pytest.approx(
        30 * math.log(10)
    )


def test_a_temperature_of_zero() -> None:
    with pytest.raises(ValueError, match="need temperature > 0"):
        calibration.with_temperature(torch.full((2, 2), 0.5), 0.0)


MUTANTS = {
    "bins-closed-below": (".ceil().long() - 1)", ".floor().long() - 1)"),
    "unweighted": ("(bin_means.count * gap).sum(-1) / target.shape[-1]", "gap.mean(-1)"),
    "sign": ("confidence.mean(-1) - right.mean(-1)", "right.mean(-1) - confidence.mean(-1)"),
    "signed-gap": (
        "(bin_means.accuracy - bin_means.confidence).abs()",
        "(bin_means.accuracy - bin_means.confidence)",
    ),
}
TEMPERATURE_MUTANTS = {
    "multiplied": ("/ t[..., None, None])", "* t[..., None, None])"),
    "highest-loss": ("torch.stack(losses).argmin(0)", "torch.stack(losses).argmax(0)"),
    "sign-of-the-log": ("return -widen(probabilities)", "return widen(probabilities)"),
}


test_mistakes_are_caught = mistakes(
    "course_utils.diagnostics.calibration", MUTANTS, check=check_against_a_loop
)
test_mistakes_of_temperature_are_caught = mistakes(
    "course_utils.diagnostics.calibration", TEMPERATURE_MUTANTS, check=check_temperature
)


MEASURES = [
    reliability, expected_calibration_error, overconfidence, calibration.negative_log_likelihood,
]  # fmt: skip


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probabilities": torch.tensor([[2.0, -1.0], [0.5, 0.1]])}, "these look like logits"),
        ({"probabilities": torch.tensor([[0.9, 0.9], [0.5, 0.5]])}, "sum of probabilities <= 1"),
        ({"probabilities": torch.tensor([[1, 0], [0, 1]])}, "of a floating-point dtype"),
        ({"target": torch.tensor([0, -100])}, "0 <= target <= 1.*leave out the examples without a class"),
        ({"target": torch.tensor([0, 2])}, "0 <= target <= 1"),
        ({"target": torch.tensor([0.0, 1.0])}, "need whole numbers as targets, got dtype=torch.float32"),
        ({"target": [0, 1]}, "target as a tensor"),
    ],
)
def test_what_would_give_a_wrong_number_is_refused(
    measure: Any, change: dict[str, Any], message: str
) -> None:
    given = {"probabilities": torch.full((2, 2), 0.5), "target": torch.tensor([0, 1])} | change
    with pytest.raises(ValueError, match=message):
        measure(**given)


def test_sixteen_bits_are_counted_in_float32() -> None:
    """bfloat16 has no 257: counts would be rounded."""
    q = torch.tensor([[0.75, 0.25]]).expand(1001, 2)
    y = torch.zeros(1001, dtype=torch.int64)
    assert reliability(q.bfloat16(), y).count.sum() == 1001
    assert float(expected_calibration_error(q.bfloat16(), y)) == 0.25
