"""What a reader of the site answers and does is remembered, and goes to a file that the lab reads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from course_utils.exercises.engine import progress_file
from tests.web.conftest import Open, audit

LESSON = "lessons/05_momentum.html"
QUIZ, EXERCISE = "05.hundred_times", "05.momentum_step"


def line(page: Any) -> str:
    return str(page.locator(".course-progress p").first.inner_text())


def choice(page: Any, k: int) -> Any:
    return page.locator(".course-quiz").first.locator("details").nth(k)


def answer(page: Any, k: int) -> None:
    choice(page, k).locator("summary").click()
    page.wait_for_function(
        "(k) => document.querySelector('.course-quiz').querySelectorAll('details')[k].open", arg=k
    )
    page.wait_for_selector(".course-chosen")


def solved(page: Any) -> Any:
    return page.locator(f"[data-exercise='{EXERCISE}'] input[type=checkbox]")


@pytest.fixture
def worked(opened: Open) -> Any:
    """A page on which a reader has answered wrong, read the right answer, opened two hints and solved one."""
    page = opened(LESSON)
    assert re.search(r"0 of \d questions answered \(0 right at once\), 0 of \d exercises solved", line(page))
    answer(page, 0)
    choice(page, 1).locator("summary").click()
    for name in ("Hint 1 of 3", "Hint 2 of 3"):
        page.locator(f"[data-exercise='{EXERCISE}'] summary", has_text=name).click()
    solved(page).check()
    page.wait_for_function(
        "() => document.querySelector('.course-progress p').textContent.includes('1 of 6 exercises')"
    )
    return page


def test_the_first_answer_counts_and_is_remembered(worked: Any) -> None:
    worked.reload()
    assert choice(worked, 0).get_attribute("open") is not None
    assert choice(worked, 0).locator(".course-chosen").inner_text() == "your answer"
    assert worked.locator(".course-quiz").first.locator(".course-chosen").count() == 1
    assert solved(worked).is_checked()
    assert "1 of 2 questions answered (0 right at once), 1 of 6 exercises solved" in line(worked)


def test_the_file_is_one_that_the_lab_reads(
    worked: Any, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with worked.expect_download() as waiting:
        worked.get_by_role("button", name="Save progress to a file").click()
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    monkeypatch.delenv("COURSE_HEADLESS", raising=False)
    monkeypatch.setenv("COURSE_PROGRESS_DIR", str(tmp_path))
    records, notes = progress_file.read()
    assert path.name == "progress.json"
    assert (records, notes) == ({QUIZ: {"choice": "a"}, EXERCISE: {"hints": 2, "done": True}}, [])

    other = opened(LESSON)  # another browser
    assert not solved(other).is_checked()
    other.locator(".course-progress input[type=file]").set_input_files(path)
    other.wait_for_function("() => document.querySelector('.course-progress').textContent.includes('Loaded')")
    assert solved(other).is_checked()
    assert "1 of 2 questions answered" in line(other)


def test_a_file_of_another_kind_changes_nothing(worked: Any, tmp_path: Path) -> None:
    for k, text in enumerate(
        ("not JSON", json.dumps({"version": 9, "exercises": {}}), json.dumps({"version": 1}))
    ):
        path = tmp_path / f"{k}.json"
        path.write_text(text, encoding="utf-8")
        worked.locator(".course-progress input[type=file]").set_input_files(path)
        worked.wait_for_function(
            "() => document.querySelector('.course-progress').textContent.includes('no progress')"
        )
    assert "1 of 2 questions answered" in line(worked)


def test_what_the_lab_solved_counts(opened: Open, tmp_path: Path) -> None:
    page = opened(LESSON)
    path = tmp_path / "progress.json"
    solved_there = {EXERCISE: {"state": "correct", "attempts": 2, "source": "def f(): ..."}}
    path.write_text(json.dumps({"version": 1, "exercises": solved_there}), encoding="utf-8")
    page.locator(".course-progress input[type=file]").set_input_files(path)
    page.wait_for_function(
        "() => document.querySelector('.course-progress p').textContent.includes('1 of 6 exercises')"
    )
    assert solved(page).is_checked()


def test_the_list_of_lessons_says_what_was_done(worked: Any, address: str) -> None:
    worked.goto(address + "lessons.html")
    row = worked.locator("tr", has=worked.locator("a[href='lessons/05_momentum.html']"))
    assert row.locator(".course-chosen").inner_text() == "1 solved, 1 answered"
    assert worked.locator(".bd-article .course-chosen").count() == 1


def test_it_is_accessible(worked: Any, axe: str) -> None:
    assert audit(worked, axe, ".course-progress") == []
    assert audit(worked, axe, ".course-quiz") == []
    assert audit(worked, axe, f"[data-exercise='{EXERCISE}']") == []
