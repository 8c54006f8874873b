"""The whole of a hostile class, an hour of it on two processors: `make faults`."""

from __future__ import annotations

from pathlib import Path

from tests.tools.grading.test_hostile import check_class, needs_a_way


@needs_a_way
def test_a_hostile_class(tmp_path: Path) -> None:
    check_class(tmp_path)
