"""The progress bar: shown where somebody looks, hidden under a runner."""

from __future__ import annotations

import io
import sys

import pytest

from course_utils import losses
from course_utils.optimizers import SGD
from course_utils.training import fit, progress_bar
from tests.training.runs import examples, net


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("progress", "terminal", "headless", "shown"), [
    (True, True, False, True), (True, False, False, False), (True, True, True, False),
    (False, True, False, False),
])  # fmt: skip
def test_the_bar_is_off_without_a_terminal_and_under_a_runner(
    progress: bool, terminal: bool, headless: bool, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COURSE_HEADLESS", "1" if headless else "")
    model = net()
    fit(model, examples(), optimizer=SGD(model.parameters(), lr=0.1), loss=losses.cross_entropy, epochs=2,
        progress=progress)  # fmt: skip
    assert ("fit" in stream.getvalue()) == shown


def test_the_bar_is_on_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_HEADLESS", raising=False)
    kernel = type("Shell", (), {"kernel": object()})()
    monkeypatch.setitem(sys.modules, "IPython", type("IPython", (), {"get_ipython": lambda: kernel}))
    assert progress_bar._is_watched()
    monkeypatch.setitem(sys.modules, "IPython", type("IPython", (), {"get_ipython": lambda: None}))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not progress_bar._is_watched()
