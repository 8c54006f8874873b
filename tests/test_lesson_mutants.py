"""The table of lesson mutants stays fit to run, and docs/mutants.md is its result."""

from __future__ import annotations

import re

import pytest

from tests.nightly.lesson_mutants import MUTANTS, PAGE, PROJECT, Mutant, caught_by, page


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.mistake)
def test_each_mistake_can_be_made_and_its_lesson_stands_on_the_module(mutant: Mutant) -> None:
    assert mutant.source() != (PROJECT / "course_utils" / mutant.module).read_text(encoding="utf-8")
    compile(mutant.source(), mutant.module, "exec")


def test_the_page_shows_every_mistake_and_none_unnoticed() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| `(.+?)` \| (\d\d) \| (.+) \|$", text, re.MULTILINE)
    assert [(m.mistake, m.module, m.lesson) for m in MUTANTS] == [tuple(row[:3]) for row in rows]
    assert [row for row in rows if "**none**" in row[3]] == []


def test_the_page_names_claims_that_the_lessons_have() -> None:
    """What a lesson no longer claims notices nothing: then `make mutants` makes the page again."""
    lessons = {path.name[:2]: path.read_text(encoding="utf-8") for path in PROJECT.glob("notebooks/*.ipynb")}
    named = re.findall(r"`(\d\d)(\.[\w-]+)`", PAGE.read_text(encoding="utf-8"))
    assert [number + name for number, name in named if f'"{number}{name}\\"' not in lessons[number]] == []


@pytest.mark.slow
def test_a_mistake_turns_a_claim_red() -> None:
    [adam] = [mutant for mutant in MUTANTS if mutant.mistake == "Adam without bias correction of m"]
    claims = caught_by(adam)
    assert any(claim.startswith("07.") for claim in claims), claims
    assert "`07." in page([(adam, claims)])


@pytest.mark.slow
def test_a_change_that_is_no_mistake_turns_none_red() -> None:
    same = Mutant("none", "07", "optimizers/adam.py", "m.lerp_(g, 1 - beta1)", "m.lerp_(1.0 * g, 1 - beta1)")
    assert caught_by(same) == []
