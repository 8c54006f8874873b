"""The progress bar of a run, shown only where a person looks on."""

from __future__ import annotations

import sys

from tqdm.auto import tqdm

from course_utils import profiles
from course_utils.markup import in_notebook


def epochs_left(done: int, epochs: int, progress: bool) -> tqdm[int]:
    """The epochs from `done` on, as 0-based numbers, with a bar if it is wanted and somebody looks on."""
    hidden = not (progress and _looked_at())
    return tqdm(range(done, epochs), desc="fit", initial=done, total=epochs, disable=hidden, leave=False)


def _looked_at() -> bool:
    """A terminal or a notebook, and no runner (`COURSE_HEADLESS=1`)."""
    return not profiles.headless() and (sys.stderr.isatty() or in_notebook())
