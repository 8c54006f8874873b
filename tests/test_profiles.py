"""How large a lesson runs, and with which seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from course_utils import profiles
from tests.mutants import mistakes


@pytest.fixture(autouse=True)
def _back_to_standard() -> Iterator[None]:
    yield
    profiles.start()


@pytest.mark.parametrize(("profile", "steps"), [("smoke", 5), ("standard", 50), ("full", 500)])
def test_sizes_of_each_profile(profile: str, steps: int) -> None:
    run = profiles.start(profile)
    size = run.sizes(steps=(5, 50, 500), width=(8, 8, 8))
    assert (size.steps, size.width) == (steps, 8)
    assert run.declared["steps"] == {"smoke": 5, "standard": 50, "full": 500}
    run.sizes(seeds=(1, 2, 3))
    assert list(run.declared) == ["steps", "width", "seeds"]


@pytest.mark.parametrize("own", ["notebooks", "workspace"])
def test_a_reader_of_the_courses_own_copy_is_led_to_a_copy(
    own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In notebooks/ of a checkout, in a notebook, where a reader runs it: there and nowhere else."""
    shown: list[str] = []
    monkeypatch.setattr("course_utils.markup.in_notebook", lambda: True)
    monkeypatch.setattr("course_utils.markup.show", lambda page, text: shown.append(text))
    monkeypatch.delenv("COURSE_HEADLESS", raising=False)
    for folder in (".git", "course_utils", own):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / own)
    profiles.start()
    assert ["make lab" in text for text in shown] == ([True] if own == "notebooks" else [])
    shown.clear()
    monkeypatch.setenv("COURSE_HEADLESS", "1")
    profiles.start()
    monkeypatch.delenv("COURSE_HEADLESS")
    (tmp_path / ".git").rmdir()
    profiles.start()
    assert shown == [], "neither a runner's nor in a folder that no update writes to"


def test_the_current_run_is_the_last_one_started() -> None:
    first = profiles.start("smoke", 3)
    assert profiles.current() is first
    second = profiles.start("full", 4, "cpu")
    assert profiles.current() is second
    assert (second.profile, second.seed, second.device) == ("full", 4, "cpu")
    assert second.declared == {}
    assert first.declared is not second.declared


def test_start_seeds_torch() -> None:
    profiles.start("standard", 11)
    drawn = torch.rand(4)
    torch.manual_seed(11)
    assert torch.equal(torch.rand(4), drawn)


def check_seeds(module: Any) -> None:
    """Runs with different SEED share no seed, whatever their sizes."""
    taken: set[int] = set()
    for seed in range(6):
        for seeds in (module.Run("standard", seed, "cpu").seeds(10_000),):
            assert len(seeds) == 10_000
            assert taken.isdisjoint(seeds)
            taken.update(seeds)
    assert list(module.Run("smoke", 2, "cpu").seeds(3)) == [20_000, 20_001, 20_002]


def test_seeds_of_different_runs_are_disjoint() -> None:
    check_seeds(profiles)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: profiles.start("fast"),
            "need PROFILE to be one of smoke, standard, full, got PROFILE='fast'",
        ),
        (lambda: profiles.start("standard", -1), "need SEED to be a whole number >= 0, got SEED=-1"),
        (lambda: profiles.start("standard", 1.0), "SEED=1.0"),
        (lambda: profiles.start("standard", True), "SEED=True"),
        (lambda: profiles.start("standard", 0, "abacus"), "DEVICE='abacus'; use DEVICE=\"cpu\""),
        (lambda: profiles.start("standard", 0, "cuda:99"), "need a DEVICE that this machine has"),
        (lambda: profiles.start().sizes(n=(3, 2, 4)), "need 0 < smoke <= standard <= full for n"),
        (lambda: profiles.start().sizes(n=(0, 2, 4)), r"for n, got sizes=\(0, 2, 4\)"),
        (lambda: profiles.start().sizes(n=(1, 4, 3)), "smoke <= standard <= full"),
        (lambda: profiles.start().sizes(n=(1, 2)), "smoke <= standard <= full"),
        (lambda: profiles.start().sizes(n=(0.5, 1, 2)), "whole numbers"),
        (lambda: profiles.start().seeds(10_001), "need 0 < count <= 10000, got count=10001"),
        (lambda: profiles.start().seeds(0), "need 0 < count"),
    ],
)
def test_bad_input(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_refused_start_leaves_the_run_as_it_was() -> None:
    run = profiles.start("smoke", 5)
    with pytest.raises(ValueError, match="PROFILE"):
        profiles.start("fast")
    assert profiles.current() is run


@pytest.mark.parametrize(("value", "expected"), [(None, False), ("", False), ("0", False), ("1", True)])
def test_headless(value: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_HEADLESS", raising=False)
    if value is not None:
        monkeypatch.setenv("COURSE_HEADLESS", value)
    assert profiles.headless() is expected


SEEDS = "range(10_000 * self.seed, 10_000 * self.seed + count)"
test_seeds_that_overlap_are_caught = mistakes(
    "course_utils.profiles",
    [(SEEDS, "range(self.seed, self.seed + count)"), (SEEDS, "range(count)")],
    check=check_seeds,
)
