"""The progress bar of a run, shown in a terminal or a notebook, hidden under a runner."""

from __future__ import annotations

import sys

from tqdm.auto import tqdm

from course_utils import profiles
from course_utils.markup import in_notebook


def epochs_left(done: int, epochs: int, progress: bool) -> tqdm[int]:
    """The numbers of the epochs still to train, `done` to `epochs - 1`, as a progress bar.

    Args:
        progress: whether the bar is wanted; without a terminal or a notebook it is hidden all the same.
    """
    hidden = not (progress and _is_watched())
    return tqdm(range(done, epochs), desc="fit", initial=done, total=epochs, disable=hidden, leave=False)


def show_losses(bar: tqdm[int], row: dict[str, float]) -> None:
    """Write the losses of the last epoch beside the bar."""
    bar.set_postfix({name: f"{value:.3g}" for name, value in row.items() if name.endswith("loss")})


def _is_watched() -> bool:
    """Whether there is a terminal or a notebook, and no runner (`COURSE_HEADLESS=1`)."""
    return not profiles.headless() and (sys.stderr.isatty() or in_notebook())
