"""The table of effects: every row names a claim that a lesson makes, and reads it from records."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from course_utils import claim_records, recorded
from course_utils.recorded import effects
from course_utils.recorded.effects import EFFECTS, NOT_RECORDED
from tests import sample

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


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.claim)
def test_every_row_names_a_claim_of_a_committed_lesson(effect: effects.Effect) -> None:
    lessons = list(NOTEBOOKS.glob(f"{effect.claim[:2]}_*.ipynb"))
    if not lessons:
        pytest.skip(f"lesson {effect.claim[:2]} is not there yet")
    source = lessons[0].read_text(encoding="utf-8")
    assert re.search(rf'claim\(\s*(\\n"?,?\s*"?\s*)?\\"{re.escape(effect.claim)}\\"', source)


def test_rows_are_complete() -> None:
    assert len({(e.technique, e.claim) for e in EFFECTS}) == len(EFFECTS) >= 25
    for effect in EFFECTS:
        assert effect.unit in effects.UNITS
        assert effect.sign in (1, -1)
        assert all((effect.technique, effect.against, effect.where, effect.when, effect.when_not))


def test_an_interval_is_read_in_its_unit_and_with_its_sign(tmp_path: Path) -> None:
    claims = [
        ("13.gain-tuned-noisy", interval(0.0312, 0.02, 0.04), "holds"),
        ("05.best-validation", interval(0.001, -0.002, 0.004), "holds"),
        ("07.digits-tuned", interval(-0.01, -0.02, 0.005), "holds"),
    ]
    table = effects.table(record(tmp_path, *claims))
    assert len(table) == len(EFFECTS)
    by_claim = dict(zip((e.claim for e in EFFECTS), table.to_dict("records"), strict=True))
    assert by_claim["13.gain-tuned-noisy"]["effect"] == "+3.1 points [+2.0, +4.0]"
    assert by_claim["05.best-validation"]["effect"] == "-0.001 loss [-0.004, +0.002]"
    assert by_claim["07.digits-tuned"]["effect"] == "+0.010 loss [-0.005, +0.020]"
    row = by_claim["07.digits-tuned"]
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((0.01, -0.005, 0.02))
    rest = [row for claim, row in by_claim.items() if claim not in {c[0] for c in claims}]
    assert {row["effect"] for row in rest} == {NOT_RECORDED}
    assert all(row["mean"] != row["mean"] for row in rest)  # NaN


def test_a_claim_without_an_interval_is_not_recorded(tmp_path: Path) -> None:
    table = effects.table(record(tmp_path, ("13.gain-tuned-noisy", 0.03, "holds")))
    assert set(table["effect"]) == {NOT_RECORDED}


def test_the_ledger_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledgers, records = tmp_path / "ledgers", tmp_path / "records"
    records.mkdir()
    record(records, ("13.gain-tuned-noisy", interval(0.03, 0.02, 0.04), "holds"), ("00.x", 1.0, "holds"))
    recorded.save("claims", list(claim_records.read(records)), settings={}, folder=ledgers)
    found = recorded.newest("claims", ledgers)
    monkeypatch.setattr(effects, "newest", lambda kind: found)
    assert effects.table().equals(effects.table(records))
    monkeypatch.setattr(effects, "newest", lambda kind: None)
    assert set(effects.table()["effect"]) == {NOT_RECORDED}


def test_a_folder_without_claims_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run the lessons first"):
        effects.table(tmp_path)


def test_a_broken_record_costs_its_own_rows_alone(tmp_path: Path) -> None:
    record(tmp_path, ("13.gain-tuned-noisy", interval(0.03, 0.02, 0.04), "holds"))
    (tmp_path / "claims-05.json").write_text('{"cut off')
    with pytest.warns(UserWarning, match=r"claims-05\.json is left out"):
        table = effects.table(tmp_path)
    assert "+3.0 points [+2.0, +4.0]" in set(table["effect"])
