"""The records of claims: where they are, all claims of a folder, bounds in words."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from course_utils import claim_records
from tests.sample import claim


def write(folder: Path, lesson: str, *claims: dict[str, Any], **about: Any) -> None:
    record = {
        "lesson": lesson, "profile": "standard", "seed": 0, "device": "cpu", "versions": {"torch": "2"},
        "sizes": {}, "claims": list(claims),
    }  # fmt: skip
    (folder / f"claims-{lesson}.json").write_text(json.dumps(record | about), encoding="utf-8")


def test_all_claims_of_a_folder_are_read_with_their_run(tmp_path: Path) -> None:
    write(tmp_path, "02", claim("02.b", "Two."), profile="full", seed=3)
    write(tmp_path, "01", claim("01.a", "One."), claim("01.c", "Folded.", visible=False))
    (tmp_path / "claims-new.json").write_text("no record")
    (tmp_path / "run-01_x.json").write_text("{}")
    found = list(claim_records.read(tmp_path))
    assert [(one["id"], one["lesson"], one["profile"], one["seed"], one["visible"]) for one in found] == [
        ("01.a", "01", "standard", 0, True),
        ("01.c", "01", "standard", 0, False),
        ("02.b", "02", "full", 3, True),
    ]  # fmt: skip
    assert found[0]["versions"] == {"torch": "2"}
    assert list(claim_records.read(tmp_path / "none")) == []


def test_a_record_of_an_earlier_edition_is_read(tmp_path: Path) -> None:
    old = {k: v for k, v in claim("01.a", "One.").items() if k not in ("unit", "shown", "visible", "rounded")}
    write(tmp_path, "01", old)
    (found,) = claim_records.read(tmp_path)
    assert (found["unit"], found["shown"], found["visible"]) == ("", "", True)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ('{"cut off', "Unterminated"),
        ("[]", "the record is a list"),
        ('{"lesson": "02"}', "the record lacks claims"),
        ('{"claims": {}}', "claims of the record is a dict"),
        ('{"claims": [{"id": "02.x"}]}', r"claim 02\.x lacks sentence, measured, bounds, verdict"),
        ('{"claims": ["02.x"]}', "claim number 1 is a str"),
        ('{"claims": [], "sizes": {"n": {"smoke": 1}}}', "size n lacks standard, full"),
        ("[" * 100_000, "nested without an end"),
        ("\udce9", "can't decode"),
    ],
)
def test_a_broken_record_is_named_and_the_others_are_read(tmp_path: Path, broken: str, why: str) -> None:
    write(tmp_path, "01", claim("01.a", "One."))
    (tmp_path / "claims-02.json").write_bytes(broken.encode("utf-8", "surrogateescape"))
    write(tmp_path, "03", claim("03.c", "Three."))
    with pytest.warns(UserWarning, match=rf"^claims-02\.json is left out: .*{why}"):
        found = [one["id"] for one in claim_records.read(tmp_path)]
    assert found == ["01.a", "03.c"]


def test_a_broken_record_goes_to_whoever_asks(tmp_path: Path) -> None:
    (tmp_path / "claims-02.json").write_text("[]")
    lines: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(claim_records.read(tmp_path, left_out=lines.append)) == []
    assert lines == ["claims-02.json is left out: the record is a list, not a table of names"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"verdict": "perhaps"}, "the verdict of claim 02.x is 'perhaps'"),
        ({"bounds": []}, "bounds of claim 02.x is a list"),
        ({"bounds": {"about": 1.0}}, "one of about and tol without the other"),
        ({"bounds": {"at_most": "1"}}, "at_most of the bounds of claim 02.x is a str"),
        ({"measured": None}, "measured of claim 02.x is a NoneType"),
        ({"measured": {"mean": 1.0}}, "what claim 02.x measured lacks level, n, low, high"),
        (
            {"measured": {"mean": "one", "low": 0.0, "high": 2.0, "level": 0.99, "n": 4}},
            "could not convert string to float",
        ),
        ({"used": "half"}, "used of claim 02.x is a str"),
        ({"seeds": 1.5}, "seeds of claim 02.x is a float"),
    ],
)
def test_what_is_wrong_with_a_claim_is_said(changed: dict[str, Any], why: str) -> None:
    record = {"claims": [claim("02.x", "S.") | changed]}
    with pytest.raises(ValueError, match=why):
        claim_records.parse(json.dumps(record).encode())


def test_what_is_not_finite_is_sound() -> None:
    wild = {"mean": "nan", "low": "-inf", "high": "inf", "level": 0.99, "n": 4}
    record = {"claims": [claim("02.x", "S.", wild), claim("02.y", "S.", "nan"), claim("02.z", "S.", True)]}
    assert [one["measured"] for one in claim_records.parse(json.dumps(record).encode())["claims"]] == [
        wild, "nan", True,
    ]  # fmt: skip


def test_sound_records_warn_of_nothing(tmp_path: Path) -> None:
    write(tmp_path, "01", claim("01.a", "One."))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(claim_records.read(tmp_path))) == 1


@pytest.mark.parametrize(
    ("bounds", "unit", "words"),
    [
        ({"at_least": 2.0}, "", "≥ 2"),
        ({"at_most": 1e-12}, "", "≤ 1e-12"),
        ({"at_least": 0.9, "at_most": 1.1}, "", "0.9 to 1.1"),
        ({"about": 2.5, "tol": 0.01}, "", "2.5 ± 0.01"),
        ({"about": 9.880000000000003, "tol": 0.5}, "", "9.88 ± 0.5"),
        ({"about": 106.0, "tol": 0.0}, "", "exactly 106"),
        ({"within": 0.02}, "", "within ±0.02"),
        ({"at_least": -0.693147180559945}, "", "≥ −0.693147"),
        ({"at_least": 1.0, "within": 3.0}, "", "≥ 1, within ±3"),
        ({"at_least": 0.03}, "points", "≥ 3 points"),
        ({"at_least": 0.01}, "points", "≥ 1 point"),
        ({"about": 0.31, "tol": 0.01}, "%", "31% ± 1"),
        ({"at_least": 0.1, "at_most": 0.2}, "%", "10 to 20%"),
        ({"at_most": 1e6}, "steps", "≤ 1e6 steps"),
    ],
)
def test_bounds_in_words(bounds: dict[str, float], unit: str, words: str) -> None:
    assert claim_records.describe(bounds, unit) == words


@pytest.mark.parametrize("module", ["claim_records", "claim_lines", "markup"])
def test_tools_that_read_pay_for_no_torch(module: str) -> None:
    code = f"import sys, course_utils.{module}; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
