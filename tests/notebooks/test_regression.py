"""Every lesson executed again gives the outputs that are stored in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.notebooks.regression import regression
from tests.notebooks.rules import NOTEBOOKS, Lesson


@pytest.mark.slow
def test_stored_outputs_are_what_the_lessons_give(tmp_path: Path) -> None:
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    cells = sum(len(Lesson.load(path).code) for path in paths)
    assert cells, "no lesson to compare"
    done = regression(NOTEBOOKS, tmp_path)
    print(done.stdout[-20_000:], done.stderr[-5_000:])
    assert done.returncode == 0, done.stdout[-20_000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed.group(1)) == cells, "nbval did not compare every cell"
