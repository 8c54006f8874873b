"""Every lesson executed again gives the outputs that are stored in it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from course_utils._files import write_whole
from course_utils.tools.running import fingerprints
from tests.notebooks.regression import regression
from tests.notebooks.rules import NOTEBOOKS, Lesson

KEPT = NOTEBOOKS.parent / "build" / "records" / "regression"  # what passed, and the claims it recorded


def print_of(path: Path) -> str:
    """The lesson's fingerprint, its stored outputs included: they are what is compared."""
    return fingerprints.fingerprint(path, {"stored": hashlib.sha256(path.read_bytes()).hexdigest()})


@pytest.mark.slow
def test_stored_outputs_are_what_the_lessons_give(tmp_path: Path) -> None:
    prints = {path.stem: print_of(path) for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    assert prints, "no lesson to compare"
    ledger = KEPT / "passed.json"
    passed = {} if fingerprints.everything() or not ledger.exists() else json.loads(ledger.read_text())
    left = [NOTEBOOKS / f"{name}.ipynb" for name in prints if passed.get(name) != prints[name]]
    if not left:
        return
    cells = sum(len(Lesson(path).code) for path in left)
    done = regression(NOTEBOOKS, tmp_path, only=left)
    print(done.stdout[-20_000:], done.stderr[-5_000:])
    assert done.returncode == 0, done.stdout[-20_000:]
    counted = re.search(r"(\d+) passed", done.stdout)
    assert counted is not None
    assert int(counted.group(1)) == cells, "nbval did not compare every cell"
    for record in (tmp_path / "records").glob("claims-*.json"):
        KEPT.mkdir(parents=True, exist_ok=True)
        shutil.copy(record, KEPT)
    write_whole(ledger, json.dumps(prints, indent=1))
