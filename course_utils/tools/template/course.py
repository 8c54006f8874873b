"""A new course: all that runs and checks this one, and one lesson, in a folder of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from course_utils._files import write_whole
from course_utils.tools.lessons import LessonError
from course_utils.tools.running import fingerprints

HERE = Path(__file__).parent
FIRST = "00_start_here"

# What is copied as it is. Of the package: these and whatever they import.
MODULES = (
    "__main__.py", "claims.py", "profiles.py", "plotting.py", "intervals.py", "py.typed",
    "recorded/__init__.py", "recorded/record.py",
    "figures/__init__.py", "exercises/__init__.py", "exercises/engine/*", "tools/**/*",
)  # fmt: skip
FILES = (
    "LICENSE", "LICENSE-text", "CONTRIBUTING.md", "Makefile", "pyproject.toml", "requirements.lock",
    "requirements-learner.lock", "requirements-cuda.lock",
    "environment.yml", "CITATION.cff", "MANIFEST.in", ".gitignore", ".gitattributes", ".editorconfig",
    ".pre-commit-config.yaml", ".ci/*", ".github/**/*",
    "notebooks/ruff.toml", "docs/claim_failed.md", "docs/conf.py", "docs/_templates/*",
    "docs/_static/course.*",
    "docs/_static/live.js", "docs/_static/live.css", "docs/_static/favicon.svg", "docs/_static/vendor/**/*",
    "tests/__init__.py", "tests/conftest.py", "tests/mutants.py", "tests/sample.py",
    "tests/lesson_98_made_up.py", "tests/notebooks/*", "tests/nightly/__init__.py",
    "tests/nightly/lesson_mutants.py", "tests/nightly/claims_can_fail.py", "tests/nightly/planted.py",
    "tests/nightly/test_faults.py", "tests/exercises/one_change.py",
)  # fmt: skip
TESTS = (
    "test_claims", "test_claims_can_fail", "test_claim_lines", "test_claim_records",
    "test_environment", "test_files", "test_intervals", "test_offline", "test_plotting", "test_sliders",
    "test_profiles", "test_workflows", "exercises/__init__", "exercises/test_[!l]*",
    "exercises/test_lessons", "figures/__init__", "recorded/__init__",
    "recorded/test_record", "tools/__init__", "tools/test_cells",
    "tools/test_start", "tools/test_doctor", "tools/test_lab", "tools/test_ledger",
    "tools/test_in_place", "tools/running/__init__", "tools/running/test_fingerprints",
    "tools/running/test_run", "tools/template/__init__", "tools/template/test_lesson",
)  # fmt: skip
TEXTS = {
    "README.md": "course_readme.txt",
    "CHANGELOG.md": "course_changes.txt",
    "docs/index.md": "course_index.txt",
    "docs/upkeep.md": "course_upkeep.txt",
    "docs/papers.toml": "course_papers.txt",
    "tests/exercises/equivalent_changes.toml": "course_changes_argued.txt",
    "course_utils/__init__.py": "course_init.txt",
}

TITLE = "A course of checked notebooks"
MUTANT = """MUTANTS = (
    Mutant("a sum in place of the mean", "00", "figures/start_here.py", ".mean(1)", ".sum(1)"),
)"""
# What speaks of this course alone: (file, pattern, what stands there instead). A course made in this way has
# no more of it, and can be made from as well.
CHANGES = (
    ("Makefile", r"^NIGHTS :=.*$", "NIGHTS := test full mutants can-fail answers faults"),
    ("Makefile", r"^(nightly:.*?##) .*$", r"\1 test, then full, mutants, can-fail, answers and faults"),
    ("Makefile", r"^coverage:(?s:.*?)\n\n", ""),
    ("Makefile", r"^template:(?s:.*?)\n\n", ""),
    ("Makefile", r"^test-web:(?s:.*?)\n\n", ""),
    ("Makefile", r"^newcomer:(?s:.*?)\n\n", ""),
    ("Makefile", r"^frameworks:(?s:.*?)\n\n", ""),
    ("Makefile", r"^clients:(?s:.*?)\n\n", ""),
    ("Makefile", r"^databases:(?s:.*?)\n\n", ""),
    ("Makefile", r"^(FRAMEWORKS|OTHERS|CLIENTS) .*\n", ""),
    (".github/workflows/ci.yml", r"^  web:\n(?:(?: {4}.*)?(?:\n|\Z))*", ""),
    (".github/workflows/nightly.yml", r"^# Every night:.*$", "# Every night: what `make nightly` lists."),
    (".github/workflows/nightly.yml", r"^ +build/(?:coverage/|newcomer\.json)\n", ""),
    ("tests/nightly/lesson_mutants.py", r"^MUTANTS = \((?s:.*?)^\)", MUTANT),
    ("docs/conf.py", r'^(project|html_title) = ".*"$', rf'\1 = "{TITLE}"'),
    ("docs/claim_failed.md", r" If a lesson is slow, see the \[FAQ\]\(faq\.md\)\.", ""),
    ("pyproject.toml", r"^\[tool\.importlinter\](?s:.*?)(?=^\[tool\.pytest)", ""),
    ("Makefile", r"^\t.*lint-imports.*\n", ""),
    (".github/workflows/ci.yml", r" && lint-imports --no-logo --no-cache", ""),
    ("pyproject.toml", r'^description = ".*"$', f'description = "{TITLE} and its companion package."'),
    ("pyproject.toml", r"^keywords = \[.*\]$", 'keywords = ["course", "jupyter"]'),
    ("pyproject.toml", r"^(files = .*), \"benchmarks\"\]$", r"\1]"),
    ("pyproject.toml", r"^    # of this course's subject:\n(?:    .*\n)*", ""),
    ("pyproject.toml", r"^# Of this course's subject:\n(?:.+\n)*\n", ""),
    ("CITATION.cff", r'^title: ".*"$', f'title: "{TITLE}"'),
    ("CITATION.cff", r"^version: .*$", "version: 0.1.0"),
    ("CITATION.cff", r"^abstract:(?s:.*?)^(?=authors)", ""),
    ("CITATION.cff", r"^keywords:(?s:.*)\Z", "keywords:\n  - course\n  - jupyter\n"),
)  # fmt: skip


def new_course(folder: Path, project: Path) -> None:
    """Make a course with one lesson in `folder`, made as `new-lesson` makes one.

    It is put together beside the folder and moved there when it is whole.

    Args:
        folder: does not exist, or is empty.
        project: the course to take the machinery from, with its tests.
    Raises: LessonError for a folder that is not empty, a project without what is copied, or a lesson that
        does not run here.
    """
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LessonError(f"need a folder that is empty or not there yet, got {folder}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        draft = Path(scratch) / folder.name
        for path in sorted(_machinery(project)):
            target = draft / path.relative_to(project)
            write_whole(target, path.read_bytes())
            shutil.copymode(path, target)
        _say_what_it_is(draft, project)
        _first_lesson(draft)
        if folder.exists():
            folder.rmdir()
        os.replace(draft, folder)


def _machinery(project: Path) -> set[Path]:
    """The files to copy. A module comes with everything of the package that it imports."""
    package = project / "course_utils"
    files = {path for pattern in MODULES for path in _files(package, pattern)}
    files |= fingerprints.reached((path for path in files if path.suffix == ".py"), package)
    patterns = (*FILES, *(f"tests/{name}.py" for name in TESTS))
    return files | {path for pattern in patterns for path in _files(project, pattern)}


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    """The files of a pattern, at least one."""
    files = [path for path in folder.glob(pattern) if path.is_file() and "__pycache__" not in path.parts]
    if not files:
        raise LessonError(
            f"need {pattern} in {folder}: a new course is made from a whole one, its tests included"
        )
    yield from files


def _say_what_it_is(draft: Path, project: Path) -> None:
    """Put in place what is a course's own: README, index, titles, the tables that name its lessons."""
    lock = (project / "requirements.lock").read_text(encoding="utf-8")
    [torch] = re.findall(r"^torch==(\S+)", lock, re.MULTILINE)
    for name, source in TEXTS.items():
        write_whole(draft / name, (HERE / source).read_text(encoding="utf-8").replace("@torch@", torch))
    for name, pattern, new in CHANGES:
        text = (draft / name).read_text(encoding="utf-8")
        write_whole(draft / name, re.sub(pattern, new, text, flags=re.MULTILINE))


def _first_lesson(draft: Path) -> None:
    """Lesson 00, made by the new course itself."""
    line = [sys.executable, "-m", "course_utils", "new-lesson", FIRST]
    environment = {**os.environ, "PYTHONPATH": str(draft), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(line, cwd=draft, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise LessonError(done.stderr.strip() or done.stdout.strip())
