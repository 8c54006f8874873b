"""The checks on lessons can fail: each kind of damage is noticed by the command that should notice it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course_utils.tools import lessons, normalize
from tests.notebooks import rules
from tests.notebooks.regression import regression
from tests.sample import lesson

START = """
from course_utils import profiles
from course_utils.claims import claim
run = profiles.start(PROFILE, SEED, DEVICE)
size = run.sizes(seeds=(8, 64, 256))
"""
PICTURE = """
from IPython.display import HTML, display
import os
display(HTML(f'<img alt="noise" src="data:image/gif;base64,{os.urandom(6).hex()}">'))
"""
MEASURED = 'One is one.\\", 1.0'  # as it stands in the file


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two small lessons, true and executed in place as `make notebooks` does."""
    folder = tmp_path_factory.mktemp("notebooks")
    statement = 'claim("01.one", "One is one.", 1.0, about=1, tol=0)'
    lesson(folder / "01_true.ipynb", START, statement, PICTURE, "size.seeds")
    lesson(folder / "02_counts.ipynb", "count = 1", *["count += 1; count"] * 6)
    assert normalize.regenerate(folder) == {}
    return folder


def damaged(notebooks: Path, tmp_path: Path, changes: dict[str, str]) -> Path:
    """A folder with the first lesson alone, texts of its file replaced."""
    text = (notebooks / "01_true.ipynb").read_text(encoding="utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (folder / "01_true.ipynb").write_text(text, encoding="utf-8")
    return folder


def command(notebooks: Path, build: Path) -> subprocess.CompletedProcess[str]:
    """What `make course` runs after the doctor."""
    line = [sys.executable, "-m", "course_utils", "run", "--notebooks", str(notebooks), "--build", str(build)]
    return subprocess.run([*line, "--no-pages"], capture_output=True, text=True, timeout=120)


def test_regression_passes_true_lessons_each_whole_on_one_worker(notebooks: Path, tmp_path: Path) -> None:
    done = regression(notebooks, tmp_path)
    assert done.returncode == 0, done.stdout
    assert "13 passed" in done.stdout
    assert (tmp_path / "records" / "claims-01.json").exists()


def test_corrupted_outputs_fail_regression(notebooks: Path, tmp_path: Path) -> None:
    changes = {'"64"': '"63"', "(asked exactly 1)": "(asked exactly 2)"}
    done = regression(damaged(notebooks, tmp_path, changes), tmp_path / "scratch", workers=1)
    assert done.returncode == 1, done.stdout
    assert "Cell outputs differ" in done.stdout
    assert "2 failed, 3 passed" in done.stdout


def test_claim_that_became_false_fails_regression(notebooks: Path, tmp_path: Path) -> None:
    folder = damaged(notebooks, tmp_path, {MEASURED: MEASURED.replace("1.0", "1.5")})
    done = regression(folder, tmp_path / "scratch", workers=1)
    assert done.returncode == 1, done.stdout
    assert "✗ fails" in done.stdout
    assert "1 failed, 4 passed" in done.stdout


def test_stripped_lesson_fails_structure(notebooks: Path) -> None:
    loaded = rules.Lesson(notebooks / "01_true.ipynb")
    assert rules.executed(loaded) == rules.has_outputs(loaded) == rules.stable_ids(loaded) == []
    for cell in loaded.code:
        cell.outputs, cell.execution_count = [], None
    assert rules.executed(loaded)
    assert "no outputs are stored" in rules.has_outputs(loaded)


def test_false_claim_fails_the_course(notebooks: Path, tmp_path: Path) -> None:
    folder = damaged(
        notebooks, tmp_path, {MEASURED: MEASURED.replace("is one", "is <two>").replace("1.0", "2.0")}
    )
    done = command(folder, tmp_path / "build")
    assert done.returncode == 1, done.stderr
    assert "false claim 01.one: One is <two>." in done.stdout
    page = (tmp_path / "build" / "report" / "index.html").read_text(encoding="utf-8")
    assert "1 of 1 lessons failed" in page
    assert "One is &lt;two&gt;." in page
    assert 'class="mark fails"' in page
    last = nbformat.read(tmp_path / "build" / "executed" / "standard" / "01_true.ipynb", 4).cells[-1]
    assert last.outputs[0].data["text/plain"] == "64", "a false claim does not stop its lesson"


def test_true_lesson_passes_the_course(notebooks: Path, tmp_path: Path) -> None:
    done = command(damaged(notebooks, tmp_path, {}), tmp_path / "build")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 lessons passed at standard" in done.stdout
    page = (tmp_path / "build" / "report" / "index.html").read_text(encoding="utf-8")
    assert "Every lesson ran and every claim holds" in page
    assert 'class="mark fails"' not in page


def test_lesson_on_stderr_is_not_committed(tmp_path: Path) -> None:
    path = lesson(tmp_path / "01_loud.ipynb", "import sys; print('careful', file=sys.stderr)")
    before = path.read_bytes()
    left = normalize.regenerate(tmp_path)
    assert "stderr: careful" in left["01_loud"]
    assert path.read_bytes() == before


def test_lesson_without_parameters_is_not_run(tmp_path: Path) -> None:
    lesson(tmp_path / "01_bare.ipynb", "1", parameters=None)
    with pytest.raises(lessons.LessonError, match="exactly one cell tagged `parameters`, found 0"):
        normalize.regenerate(tmp_path)
