"""The ledger: failures first, then the claims nearest to their bounds, and what is new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_utils import claim_records, recorded
from course_utils.tools import ledger
from course_utils.tools.cli import commands


def claim(id: str, used: float | None, verdict: str = "holds", **bounds: float) -> dict[str, Any]:
    return {
        "id": id, "sentence": f"Of {id}.", "verdict": verdict, "used": used, "measured": 1.0,
        "bounds": bounds or {"at_most": 1.0}, "seeds": None, "reference": None, "kind": "exact",
    }  # fmt: skip


def write(folder: Path, *claims: dict[str, Any], profile: str = "standard") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for lesson in {one["id"][:2] for one in claims}:
        own = [one for one in claims if one["id"][:2] == lesson]
        record = {
            "lesson": lesson, "profile": profile, "seed": 0, "device": "cpu", "versions": {}, "claims": own,
        }  # fmt: skip
        (folder / f"claims-{lesson}.json").write_text(json.dumps(record))
    return folder


def of(folder: Path) -> ledger.Claims:
    return claim_records.by_id(claim_records.read(folder))


def test_failures_first_then_by_the_tolerance_used(tmp_path: Path) -> None:
    records = write(
        tmp_path, claim("01.a", 0.1), claim("01.b", None), claim("02.c", 0.9), claim("02.d", 1.4, "fails")
    )
    entries = ledger.compare(of(records))
    assert [entry.id for entry in entries] == ["02.d", "02.c", "01.a", "01.b"]
    assert {entry.news for entry in entries} == {""}


def test_news(tmp_path: Path) -> None:
    now = write(
        tmp_path / "now", claim("01.same", 0.5), claim("01.near", 0.8), claim("01.new", 0.1),
        claim("01.bounds", 0.2, at_most=2.0), claim("01.red", 1.2, "fails"),
    )  # fmt: skip
    before = write(
        tmp_path / "before", claim("01.same", 0.501), claim("01.near", 0.3), claim("01.bounds", 0.2),
        claim("01.red", 0.9), claim("01.gone", 0.1),
    )  # fmt: skip
    entries = ledger.compare(of(now), of(before))
    assert {entry.id: entry.news for entry in entries} == {
        "01.same": "",
        "01.near": "30% before",
        "01.new": "new",
        "01.bounds": "bounds were ≤ 1",
        "01.red": "holds before",
        "01.gone": "gone",
    }
    assert entries[-1].id == "01.gone"


def test_the_table_keeps_what_is_new_and_counts_the_rest(tmp_path: Path) -> None:
    claims = [claim(f"01.c{i:02d}", 1 - i / 100) for i in range(50)]
    before = write(tmp_path / "before", *claims[:-1])
    table = ledger.markdown(ledger.compare(of(write(tmp_path / "now", *claims)), of(before)), most=5)
    assert "| `01.c00` | holds | 100% |  |" in table
    assert "| `01.c49` | holds | 51% | new |" in table
    assert "`01.c05`" not in table
    assert "44 more claims" in table


def test_the_command(tmp_path: Path) -> None:
    records = write(tmp_path / "now", claim("01.a", 0.1))
    line = ["ledger", str(records), "--against", str(tmp_path / "absent"), "--out", str(tmp_path / "l.md")]
    done = CliRunner().invoke(commands, line)
    assert done.exit_code == 0
    assert "`01.a`" in (tmp_path / "l.md").read_text()
    empty = CliRunner().invoke(commands, ["ledger", str(tmp_path)])
    assert empty.exit_code == 1
    assert "no claims-NN.json" in empty.output


def test_a_broken_record_is_named_and_the_others_are_shown(tmp_path: Path) -> None:
    records = write(tmp_path, claim("01.a", 0.1))
    (records / "claims-02.json").write_text('{"cut off')
    done = CliRunner().invoke(commands, ["ledger", str(records)])
    assert done.exit_code == 0
    assert "`01.a`" in done.stdout
    assert done.stderr.startswith("claims-02.json is left out: ")


def test_the_claims_of_a_run_become_the_ledger_of_the_course(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "FOLDER", tmp_path / "kept")
    records = write(tmp_path / "run", claim("01.a", 0.1), claim("02.b", 0.2))
    done = CliRunner().invoke(commands, ["ledger", str(records), "--record"])
    assert done.exit_code == 0, done.output
    kept = recorded.newest("claims", tmp_path / "kept")
    assert kept is not None
    assert Path(done.stdout.strip()).parent == tmp_path / "kept"
    assert kept.settings == {"profiles": ["standard"], "lessons": ["01", "02"]}
    assert [row["id"] for row in kept.rows] == ["01.a", "02.b"]
    assert "versions" not in kept.rows[0], "the record says them once"
    assert claim_records.by_id(kept.rows)["01.a"]["used"] == 0.1


def test_notebooks_that_show_other_numbers_are_named(tmp_path: Path) -> None:
    for number, shown in (("01", "0.79"), ("02", "0.8"), ("03", "1")):
        block = {"topic": "", "claims": [{"id": f"{number}.a", "shown": shown}]}
        output = new_output("display_data", metadata={"claims": [block]})
        book = new_notebook(cells=[new_markdown_cell("# A"), new_code_cell("claim()", outputs=[output])])
        nbformat.write(book, tmp_path / f"{number}_a.ipynb")
    now = {"01.a": {"shown": "0.78"}, "02.a": {"shown": "0.8"}}  # 03 was not run
    assert ledger.stale(now, sorted(tmp_path.glob("*.ipynb"))) == ["01"]


@pytest.mark.parametrize(
    ("claims", "profile", "broken", "message"),
    [
        ([], "standard", False, "run the lessons first"),
        ([("01.a", "fails")], "standard", False, "claims that hold.*01.a"),
        ([("01.a", "not judged")], "standard", False, "claims that hold.*01.a"),
        ([("01.a", "holds")], "smoke", False, "a run at standard.*01"),
        ([("01.a", "holds")], "standard", True, r"records that can be read.*claims-02\.json"),
    ],
)
def test_a_ledger_that_would_say_less_than_it_seems_is_not_recorded(
    tmp_path: Path, claims: list[tuple[str, str]], profile: str, broken: bool, message: str
) -> None:
    records = write(tmp_path / "run", *[claim(id, 0.1, verdict) for id, verdict in claims], profile=profile)
    if broken:
        (records / "claims-02.json").write_text("[]")
    with pytest.raises(ValueError, match=message):
        ledger.record(records, tmp_path / "kept")
    done = CliRunner().invoke(commands, ["ledger", str(records), "--record"])
    assert done.exit_code == 1
    assert "nothing was recorded" in done.output
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("most", [0, -1])
def test_at_least_one_row(most: int) -> None:
    with pytest.raises(ValueError, match="most >= 1"):
        ledger.markdown([], most=most)
