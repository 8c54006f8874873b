"""The best of many noisy scores, against draws and against choices made by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from course_utils.theory import selection
from tests.mutants import mistakes

NAME = "course_utils.theory.selection"


def check_maximum(module: Any) -> None:
    """Known means, and the mean of draws."""
    assert module.expected_maximum(1) == pytest.approx(0, abs=1e-9)
    assert module.expected_maximum(2) == pytest.approx(torch.pi**-0.5, rel=1e-5)
    assert module.expected_maximum(3) == pytest.approx(1.5 * torch.pi**-0.5, rel=1e-5)
    draws = torch.randn(20000, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert module.expected_maximum(64) == pytest.approx(float(draws.amax(1).mean()), abs=0.015)


def check_overstatement(module: Any) -> None:
    """Nets whose worth and whose luck are drawn: the winner's score less its worth."""
    generator = torch.Generator().manual_seed(1)
    worth, luck = torch.randn(2, 40000, 16, generator=generator, dtype=torch.float64)
    for merit, noise in ((0.0, 0.5), (1.0, 0.5), (2.0, 3.0)):
        scores = merit * worth + noise * luck
        best = scores.argmax(1, keepdim=True)
        found = (noise * luck).gather(1, best).mean()
        expected = module.overstatement(16, luck=noise**2, merit=merit**2)
        assert float(expected) == pytest.approx(float(found), rel=0.03)


def check_winners(module: Any) -> None:
    """Choices made with loops are the same choices."""
    right = (torch.rand(3, 5, 60, generator=torch.Generator().manual_seed(2)) < 0.7).double()
    found = module.winners(right, [1, 3, 5], images=10, choosing=40)
    assert found.overstated.shape == found.merit.shape == (3, 3)
    for seed in range(3):
        for column, count in enumerate((1, 3, 5)):
            over, merit = [], []
            for first in range(0, 40, 10):
                scores = right[seed, :, first : first + 10].mean(1)
                best = int(scores[:count].argmax())
                others = right[seed, :, 40:].mean(1)
                merit.append(float(others[best] - others.mean()))
                over.append(float(scores[best] - scores.mean()) - merit[-1])
            assert float(found.overstated[seed, column]) == pytest.approx(sum(over) / 4)
            assert float(found.merit[seed, column]) == pytest.approx(sum(merit) / 4)


def check_winners_theory(module: Any) -> None:
    """Nets of known worth, images equally hard: the formula is near (shares of 100 are not quite normal)."""
    generator = torch.Generator().manual_seed(3)
    worth = 0.7 + 0.03 * torch.randn(200, 32, 1, generator=generator)
    right = (torch.rand(200, 32, 2000, generator=generator) < worth).double()
    found = module.winners(right, [1, 8, 32], images=100, choosing=400)
    assert found.overstated.mean(0).tolist() == pytest.approx(found.theory.tolist(), abs=0.006)


@pytest.mark.parametrize("check", [check_maximum, check_overstatement, check_winners, check_winners_theory])
def test_selection(check: Any) -> None:
    check(selection)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: selection.expected_maximum(0), "need a whole number count >= 1, got count=0"),
        (lambda: selection.overstatement(2, luck=0.0, merit=1.0), "luck > 0"),
        (lambda: selection.overstatement(2, luck=1.0, merit=-1.0), "merit=-1.0"),
        (lambda: selection.winners(torch.ones(2, 3, 10), [1], images=3, choosing=8), "a multiple of images"),
        (lambda: selection.winners(torch.ones(2, 3, 10), [1], images=5, choosing=10), "sets of images"),
        (lambda: selection.winners(torch.ones(2, 3, 10), [4], images=2, choosing=8), "counts of nets"),
    ],
)
def test_what_does_not_fit_is_named(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


MUTANTS = {
    "one-tail-only": (" - torch.special.ndtr(-z) ** count", "", check_maximum),
    "smallest-of-two": ("ndtr(z) ** count -", "ndtr(z) -", check_maximum),
    "all-of-the-lead": ("* luck / (merit + luck).sqrt()", "* (merit + luck).sqrt()", check_overstatement),
    "no-merit": ("luck / (merit + luck).sqrt()", "luck.sqrt()", check_overstatement),
    "judged-by-the-choice": ("judged = right[:, :, choosing:]", "judged = right[:, :, :9]", check_winners),
    "worst-net": (":k].argmax(1)", ":k].argmin(1)", check_winners),
    "luck-of-one-image": ("seen.var(1).mean() / images", "seen.var(1).mean()", check_winners_theory),
    "spread-is-merit": ("merit=(spread - luck).clamp(min=0)", "merit=spread", check_winners_theory),
}  # fmt: skip


test_mistakes_are_caught = mistakes(NAME, MUTANTS)
