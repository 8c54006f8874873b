"""The tables of effects: their rows are read from the recorded race, and from claims that lessons make."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course_utils import claim_records, recorded
from course_utils.race import Entry, Result, effects, result_of, techniques
from course_utils.race.effects import CLAIMED, NOT_RECORDED, RACED, TWINS_ROW
from course_utils.race.techniques import BASELINE, TWINS
from tests import sample
from tests.mutants import mistakes

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def record(folder: Path, *claims: tuple[str, Any, str]) -> Path:
    """Records of claims (id, measured, verdict), as lessons write them."""
    lessons = sorted({id[:2] for id, _, _ in claims})
    for lesson in lessons:
        mine = [sample.claim(i, "S.", m, verdict=v) for i, m, v in claims if i[:2] == lesson]
        content = {"lesson": lesson, "profile": "standard", "seed": 0, "device": "cpu", "claims": mine}
        (folder / f"claims-{lesson}.json").write_text(json.dumps(content))
    return folder


def interval(mean: float, low: float, high: float) -> dict[str, float]:
    return {"mean": mean, "low": low, "high": high, "n": 32, "level": 0.99}


@pytest.fixture(autouse=True)
def no_race(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is recorded unless a test says so."""
    monkeypatch.setattr(effects, "newest", lambda kind: None)


def recorded_race(*tasks: str) -> recorded.Record:
    """A race of the baseline, its twins and two techniques, whose distances are known."""
    luck = np.random.default_rng(0).normal(0, 0.01, 8)
    means = {BASELINE: 0.8, TWINS[0]: 0.81, TWINS[1]: 0.798, TWINS[2]: 0.8, "+ cosine": 0.83, "Lion": 0.75}
    rows = []
    for task in tasks:
        for k, (name, mean) in enumerate(means.items()):
            scores = (mean + luck - luck.mean() + 0.01 * (np.arange(8) - 3.5) * (k % 2)).tolist()
            entry = Entry(name, [({"lr": 0.1}, 0.5)], {"lr": 0.1}, 0.5, scores, 1.0, [mean - 0.1, mean + 0.1])
            rows += Result(task, (entry,)).rows()
    return recorded.Record("race", rows, {"processor": "p", "numpy": "2"}, "2026-01-01", {})


@pytest.mark.parametrize("row", CLAIMED, ids=lambda row: row.claim)
def test_every_claimed_row_names_a_claim_of_a_committed_lesson(row: effects.Claimed) -> None:
    [lesson] = NOTEBOOKS.glob(f"{row.claim[:2]}_*.ipynb")
    source = lesson.read_text(encoding="utf-8")
    assert re.search(rf'claim\(\s*(\\n"?,?\s*"?\s*)?\\"{re.escape(row.claim)}\\"', source)


def test_the_table_has_all_that_the_race_enters() -> None:
    entered = {recipe.name for task in techniques.TASKS.values() for recipe in techniques.recipes(task)}
    assert {row.recipe for row in RACED} == entered - {BASELINE, *TWINS}
    assert len({row.technique for row in RACED}) == len(RACED)


def test_rows_are_complete() -> None:
    for raced in RACED:
        assert all((raced.technique, raced.recipe, raced.lesson, raced.when, raced.when_not))
    for row in CLAIMED:
        assert row.unit in effects.UNITS
        assert row.sign in (1, -1)
        assert all((row.technique, row.against, row.where, row.when, row.when_not))


def check_raced(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module, "newest", lambda kind: recorded_race("noisy digits") if kind == "race" else None
    )
    table = module.in_the_race()
    assert list(table.index) == [TWINS_ROW, *(row.technique for row in RACED)]
    digits, curves = "noisy digits, points", "MNIST-1D, points"
    assert list(table.columns) == [digits, curves, "when", "when not", "lesson"]
    assert plain(table[digits][TWINS_ROW]) == "-0.2 to +1.0"
    board = result_of(recorded_race("noisy digits").rows, "noisy digits")
    gap = board.gap("Lion", BASELINE, level=1 - 0.01 / 5)
    assert plain(table[digits]["Lion"]) == f"-5.0 [{100 * gap.low:+.1f}, {100 * gap.high:+.1f}]"
    assert plain(table[digits]["cosine decay"]).startswith("+3.0 [")
    assert table[digits]["Muon"] == module.NOT_RACED
    assert set(table[curves]) == {NOT_RECORDED}


def plain(cell: str) -> str:
    """As a keyboard writes it."""
    return cell.replace("\N{MINUS SIGN}", "-").replace("\N{NO-BREAK SPACE}", " ")


def test_raced_rows_are_the_races_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    check_raced(effects, monkeypatch)


def in_lessons(folder: Path | None = None) -> dict[str, str]:
    """claim -> what the table says of it."""
    found = effects.in_lessons(folder)
    assert list(found["where"]) == [row.where for row in CLAIMED]
    return {row.claim: plain(cell) for row, cell in zip(CLAIMED, found["effect"], strict=True)}


def test_an_interval_is_read_in_its_unit_and_with_its_sign(tmp_path: Path) -> None:
    claims = [
        ("11.more-noisy", interval(0.0312, 0.02, 0.04), "holds"),
        ("05.best-validation", interval(-0.01, -0.02, 0.005), "holds"),
    ]
    found = in_lessons(record(tmp_path, *claims))
    assert found["11.more-noisy"] == "+3.1 [+2.0, +4.0] points"
    assert found["05.best-validation"] == "+0.010 [-0.005, +0.020] loss"
    assert {text for claim, text in found.items() if claim not in dict.fromkeys(c[0] for c in claims)} == {
        NOT_RECORDED
    }


def test_a_claim_without_an_interval_is_not_recorded(tmp_path: Path) -> None:
    found = in_lessons(record(tmp_path, ("11.more-noisy", 0.03, "holds")))
    assert set(found.values()) == {NOT_RECORDED}


def test_the_ledger_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledgers, records = tmp_path / "ledgers", tmp_path / "records"
    records.mkdir()
    record(records, ("11.more-noisy", interval(0.03, 0.02, 0.04), "holds"), ("00.x", 1.0, "holds"))
    recorded.save("claims", list(claim_records.read(records)), settings={}, folder=ledgers)
    found = recorded.newest("claims", ledgers)
    here = effects.in_lessons(records)
    monkeypatch.setattr(effects, "newest", lambda kind: found if kind == "claims" else None)
    assert effects.in_lessons().equals(here)
    monkeypatch.setattr(effects, "newest", lambda kind: None)
    assert set(in_lessons().values()) == {NOT_RECORDED}


def test_a_folder_without_claims_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run the lessons first"):
        effects.in_lessons(tmp_path)


def test_a_broken_record_costs_its_own_rows_alone(tmp_path: Path) -> None:
    record(tmp_path, ("11.more-noisy", interval(0.03, 0.02, 0.04), "holds"))
    (tmp_path / "claims-05.json").write_text('{"cut off')
    with pytest.warns(UserWarning, match=r"claims-05\.json is left out"):
        assert in_lessons(tmp_path)["11.more-noisy"] == "+3.0 [+2.0, +4.0] points"


MUTANTS = {
    "the level of one": ("board.against(BASELINE)", "board.against(BASELINE, level=0.5)", check_raced),
    "twins forgotten": ("for twin in twins)", "for twin in twins[:1])", check_raced),
    "shares for points": ("100 * gap.mean", "gap.mean", check_raced),
}
test_mistakes_are_caught = mistakes("course_utils.race.effects", MUTANTS, fixtures=["monkeypatch"])
