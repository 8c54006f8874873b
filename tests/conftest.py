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
    """Each test begins in a standard run, whatever was started before: a smoke run draws less."""
    monkeypatch.setattr(profiles, "_current", profiles.Run("standard", 0, "cpu"))
