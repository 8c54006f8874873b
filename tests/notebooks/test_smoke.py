"""Every lesson runs at the smoke profile, and is smaller there than at standard."""

from __future__ import annotations

import pytest

from course_utils.tools.running import fingerprints
from course_utils.tools.running.run import run
from tests.notebooks.rules import NOTEBOOKS

BUILD = NOTEBOOKS.parent / "build"


@pytest.mark.slow
def test_every_lesson_runs_at_smoke() -> None:
    changed = not fingerprints.everything()  # what passed and has not changed since is not run again
    results = run(NOTEBOOKS, BUILD, parameters={"PROFILE": "smoke"}, workers=2, bar=False, changed=changed)
    assert {result.lesson for result in results} == {path.stem for path in NOTEBOOKS.glob("*.ipynb")}
    assert {result.lesson: result.error for result in results if result.state != "passed"} == {}
    assert all(sum(result.claims.values()) for result in results)
