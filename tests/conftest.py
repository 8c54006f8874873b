"""One thread: the tests measure arithmetic, not the machine. And Ctrl-C, which some of them send, arrives."""

import signal

import pytest
import torch

from course_utils import profiles

torch.set_num_threads(1)
# A shell that starts a job in the background lets it ignore SIGINT, and so would every process started here.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _run_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever run a test starts, the next test finds the one that was there: a smoke run draws less."""
    monkeypatch.setattr(profiles, "_current", profiles._current)
