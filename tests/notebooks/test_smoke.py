"""Every lesson runs at the smoke profile, smaller than at standard, within its 8 seconds."""

from __future__ import annotations

import pytest

from course_utils.tools.running import fingerprints, records
from course_utils.tools.running.records import Folders
from course_utils.tools.running.run import run
from tests.notebooks.rules import NOTEBOOKS

BUILD = NOTEBOOKS.parent / "build"
SMOKE_LIMIT = 8  # seconds of a lesson's own, from the guide
START_UP = 12  # seconds allowed for a kernel and its imports on a machine that does other things, too


@pytest.mark.slow
def test_every_lesson_runs_at_smoke() -> None:
    changed = not fingerprints.everything()  # what passed and has not changed since is not run again
    results = run(NOTEBOOKS, BUILD, parameters={"PROFILE": "smoke"}, workers=2, bar=False, changed=changed)
    assert {result.lesson for result in results} == {path.stem for path in NOTEBOOKS.glob("*.ipynb")}
    assert {result.lesson: result.error for result in results if result.state != "passed"} == {}
    for result in results:
        record = records.claims(Folders(BUILD, "smoke").records, result.lesson)
        assert record is not None, result.lesson
        assert record["profile"] == "smoke", result.lesson
        assert any(size["smoke"] < size["standard"] for size in record["sizes"].values()), result.lesson
        assert result.seconds < SMOKE_LIMIT + START_UP, result.lesson
