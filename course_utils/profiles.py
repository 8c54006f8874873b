"""How large a lesson runs: `smoke` to see that it works, `standard` to read it, `full` to be sure.

A lesson has one cell with three parameters and one that starts the run and declares its sizes:

    PROFILE, SEED, DEVICE = "standard", 0, "cpu"

    run = profiles.start(PROFILE, SEED, DEVICE)
    size = run.sizes(seeds=(8, 64, 256), steps=(50, 400, 2000))
    size.seeds          # 64
"""

from __future__ import annotations

import importlib.util
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from course_utils import markup
from course_utils._checks import require

PROFILES = ("smoke", "standard", "full")


@dataclass(frozen=True)
class Run:
    """One execution of a lesson: its profile, seed and device, and the sizes that it declared."""

    profile: str
    seed: int
    device: str
    started: float = field(default_factory=time.time)
    declared: dict[str, dict[str, int]] = field(default_factory=dict)

    def sizes(self, **table: tuple[int, int, int]) -> SimpleNamespace:
        """Declare what grows with the profile, and get this profile's values.

        Args:
            table: name=(smoke, standard, full), positive whole numbers that never fall.
        Returns: a namespace with one number for each name.
        Raises: ValueError where a smaller profile is not smaller.
        """
        chosen = {}
        for name, values in table.items():
            require(
                len(values) == 3 and 0 < values[0] <= values[1] <= values[2],
                f"0 < smoke <= standard <= full for {name}",
                sizes=values,
            )
            require(
                all(isinstance(value, int) for value in values),
                f"whole numbers for {name}",
                sizes=values,
            )
            self.declared[name] = dict(zip(PROFILES, values, strict=True))
            chosen[name] = self.declared[name][self.profile]
        return SimpleNamespace(**chosen)

    def seeds(self, count: int) -> range:
        """`count` seeds that no other value of `SEED` shares (as long as count <= 10,000)."""
        require(0 < count <= 10_000, "0 < count <= 10000", count=count)
        return range(10_000 * self.seed, 10_000 * self.seed + count)


_current = Run("standard", 0, "cpu")
_OWN_HEAD = "This is the course's own copy of the lesson, not yours."
_OWN = (
    "What you save here stands in the way of the next update. `make lab` (without make: "
    "`python -m course_utils lab`) opens a copy of your own in `workspace/` and takes along what you have "
    "already written here."
)


def start(profile: str = "standard", seed: int = 0, device: str = "cpu") -> Run:
    """Begin a lesson: check its three parameters and seed torch's global generator, where there is torch.

    Args:
        profile: "smoke", "standard" or "full".
        seed: a whole number >= 0; every claim must hold whatever it is.
        device: "cpu", "cuda", "cuda:1", "mps": one that this machine has.
    Raises: ValueError for a profile, seed or device that does not exist.
    """
    require(
        profile in PROFILES,
        f"PROFILE to be one of {', '.join(PROFILES)}",
        PROFILE=profile,
        cure="see the README",
    )
    require(
        isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0,
        "SEED to be a whole number >= 0",
        SEED=seed,
    )
    require(_has(device), "a DEVICE that this machine has", DEVICE=device, cure='use DEVICE="cpu"')
    global _current
    _current = Run(profile, seed, device)
    if markup.in_notebook() and not headless() and _is_the_courses_own(Path.cwd()):
        markup.show(
            markup.card("open", "!", _OWN_HEAD, markup.paragraph(markup.marked(_OWN))), f"{_OWN_HEAD}\n{_OWN}"
        )
    if importlib.util.find_spec("torch"):
        import torch  # here, so that whoever does not begin a lesson does not wait for it

        torch.manual_seed(seed)
    return _current


def current() -> Run:
    """The run that `start` began last; before any, a standard one with seed 0 on the CPU."""
    return _current


def headless() -> bool:
    """Whether a runner, not a reader, executes the lesson (`COURSE_HEADLESS=1`)."""
    return os.environ.get("COURSE_HEADLESS", "") not in ("", "0")


def _is_the_courses_own(folder: Path) -> bool:
    """Whether this is `notebooks/` of a checkout, which `git pull` writes to."""
    above = folder.parent
    return folder.name == "notebooks" and (above / "course_utils").is_dir() and (above / ".git").exists()


def _has(device: str) -> bool:
    if device == "cpu":
        return True
    try:
        import torch

        torch.empty(1, device=device)
    except (ImportError, RuntimeError, AssertionError, TypeError):
        return False
    return True
