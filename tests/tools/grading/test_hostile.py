"""A class of which most mean harm: every notebook spoils its own rows and nothing else."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from course_utils.tools.grading import grade, isolation, kept
from course_utils.tools.grading.process import Limits
from course_utils.tools.grading.rows import Row
from tests.tools.grading import hostile

LIMITS = Limits(notebook=40, cell=6, memory=1_000_000_000)
needs_a_way = pytest.mark.skipif(
    isolation.way() is None, reason="neither bwrap nor unshare shuts a process off here"
)
# One of each kind, and those that the review found; the whole class is tried by night.
SAMPLE = ["right 1", "wrong 1", "all at once", "a flood", "its own check", "torn deep json", "a;=1+1"]


def faults(kinds: Mapping[str, str], rows: list[Row]) -> list[str]:
    """What is not as it has to be."""
    found = []
    for who, kind in kinds.items():
        own = {row.exercise: row for row in rows if row.student == who}
        states = {id: own[id].state if id in own else "none" for id in hostile.RIGHT}
        first, rest = states[hostile.DIFFERENCE], [states[hostile.ERROR], states[hostile.SEEDS]]
        fine = {
            "right": first == "correct" and rest == ["correct"] * 2,
            "harmless": first == "correct" and rest == ["correct"] * 2,
            "wrong": first == "wrong" and rest == ["correct"] * 2,
            "cheat": first in ("wrong", "raised", "not attempted") and rest != ["none"] * 2,
            "costly": "none" not in states.values(),
            "torn": [row.state for row in own.values()] == ["unreadable"],
        }[kind]
        if not fine:
            found.append(
                f"{who} ({kind}): {[(row.exercise, row.state, row.diagnosis) for row in own.values()]}"
            )
    return found


def check_class(tmp_path: Path, only: list[str] | None = None) -> None:
    folder, outside = tmp_path / "in", tmp_path / "outside"
    outside.mkdir()
    (outside / "canary").write_text("alive")
    kinds = hostile.hand_in(folder, outside, only)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    package = kept.digest()
    out = outside / "grades.csv"
    rows = grade.grade(folder, out, limits=LIMITS).rows
    assert faults(kinds, rows) == []
    assert kept.digest() == package
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert (outside / "canary").read_text() == "alive"
    assert not (outside / "written").exists()
    with out.open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(rows)
    assert not any("97531" in (one.info["cmdline"] or []) for one in psutil.process_iter(["cmdline"]))


@needs_a_way
@pytest.mark.slow
def test_a_sample_of_a_hostile_class(tmp_path: Path) -> None:
    check_class(tmp_path, SAMPLE)


def test_the_class_is_large() -> None:
    kinds = [kind for kind, _ in hostile.everybody(Path("/x"), Path("/y")).values()]
    assert len(kinds) >= 100
    assert {kind: kinds.count(kind) > 1 for kind in kinds} == dict.fromkeys(set(kinds), True)


def test_a_fault_would_be_noticed() -> None:
    """Rows as they may not be."""

    def rows(*states: str) -> list[Row]:
        return [Row("x", id, state, "", "f") for id, state in zip(hostile.RIGHT, states, strict=True)]

    right, wrong = rows("correct", "correct", "correct"), rows("wrong", "correct", "correct")
    kinds = ("right", "harmless", "wrong", "cheat", "costly")
    assert [kind for kind in kinds if faults({"x": kind}, right)] == ["wrong", "cheat"]
    assert [kind for kind in kinds if faults({"x": kind}, wrong)] == ["right", "harmless"]
    assert faults({"x": "costly"}, [])
    assert faults({"x": "torn"}, right)
