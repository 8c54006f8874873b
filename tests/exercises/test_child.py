"""Child processes: events in order, a time that a busy machine does not shorten, an end for all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest

from course_utils.exercises.engine import child as module
from course_utils.exercises.engine.child import MARK, Child, OwnTime, end_family
from tests.mutants import mistakes

ROOT = Path(__file__).parents[2]
FOREVER = "import time; time.sleep(3600)"


def python(code: str, **how: Any) -> Child:
    return Child([sys.executable, "-c", code], env=os.environ | how.pop("env", {}), **how)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


# --- events ----------------------------------------------------------------------------------------


LINES = [
    '{"event": "one", "index": 1}', "no event", "[1]", "3", '{"event": 4}', '{"x": 1}', "[" * 5000,
    '{"event": "two"}',
]  # fmt: skip


def test_events_come_in_order_and_then_none_for_ever() -> None:
    child = python(f"print(*{LINES!r}, '{{\"event\": \"half a li', sep='\\n', end='')")
    found = [child.next(until=60) for _ in range(4)]
    assert found == [{"event": "one", "index": 1}, {"event": "two"}, None, None]
    child.end()


def test_what_is_sent_arrives_and_the_end_of_it_too() -> None:
    child = python('import sys, json; print(json.dumps({"event": sys.stdin.read()}))')
    child.send(b"a")
    child.send(b"b", last=True)
    assert child.next(until=60) == {"event": "ab"}
    child.end()


def test_what_a_child_prints_and_reads_does_not_disturb_its_line() -> None:
    code = (
        "import os, subprocess, sys\n"
        "from course_utils.exercises.engine.child import Line\n"
        "line = Line()\n"
        'print(\'{"event": "printed"}\', flush=True)\n'
        'os.write(1, b\'{"event": "written"}\\n\')\n'
        "os.write(2, b'noise')\n"
        "subprocess.run([sys.executable, '-c', 'print(1)'])\n"
        "line.tell('said', read=sys.stdin.read(), asked=line.requests.read().decode())\n"
    )
    child = python(code, env={"PYTHONPATH": str(ROOT)})
    child.send(b"request", last=True)
    assert child.next(until=60) == {"event": "said", "read": "", "asked": "request"}
    assert child.next(until=60) is None
    child.end()


def test_a_child_that_says_too_much_is_not_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SAID", 1000)
    child = python('while True: print(\'{"event": "x"}\')')
    count = 0
    while child.next(until=60):
        count += 1
    assert 10 < count < 1000
    child.end()


def test_past_its_time_and_whatever_a_look_finds() -> None:
    child = python(FOREVER)
    with pytest.raises(TimeoutError):
        child.next(until=0.2)

    def look() -> None:
        raise MemoryError("too much")

    with pytest.raises(MemoryError, match="too much"):
        child.next(until=60, look=look)
    child.end()


def test_a_child_that_never_stops_speaking_has_no_more_time_than_a_silent_one() -> None:
    child = python('while True: print(\'{"event": "x"}\', flush=True)')
    events = iter(lambda: child.next(until=0.5), None)
    with pytest.raises(TimeoutError):
        list(events)
    child.end()


# --- time ------------------------------------------------------------------------------------------


def check_own_time(child: ModuleType) -> None:
    time = child.OwnTime(psutil.Process())
    time.add(2.0, 0.0, waits=True)
    assert time.seconds == 2.0, "who sleeps uses its time up"
    time.add(2.0, 1.9, waits=False)
    assert time.seconds == 3.9, "who computes, too"
    time.add(100.0, 0.5, waits=False)
    assert time.seconds == 4.4, "who gets no processor does not"
    time.add(1.0, 8.0, waits=False)
    assert time.seconds == 5.4, "several at once count as one"
    time.add(1.0, -3.0, waits=False)
    assert time.seconds == 5.4, "a process that has gone takes nothing back"


def test_own_time() -> None:
    check_own_time(module)


test_a_mistake_about_time_is_noticed = mistakes(
    module.__name__,
    [
        ("elapsed if waits else min(max(computed, 0.0), elapsed)", "elapsed"),
        ("elapsed if waits else min(max(computed, 0.0), elapsed)", "min(max(computed, 0.0), elapsed)"),
        ("min(max(computed, 0.0), elapsed)", "min(computed, elapsed)"),
        ("min(max(computed, 0.0), elapsed)", "max(computed, 0.0)"),
    ],
    check=check_own_time,
)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all time counts")
def test_a_stopped_process_waits_and_a_computing_one_does_not() -> None:
    """What the system says of real processes, asked until it says it: nothing here depends on speed."""
    for code, waits in [(FOREVER, True), ("while True: pass", False)]:
        child = python(code)
        process = psutil.Process(child.process.pid)
        while module._state(process)[1] != waits:
            pass
        while not waits and module._state(process)[0] < 0.2:
            pass
        child.end()


# --- the end ---------------------------------------------------------------------------------------

LEAVES = f"""
import json, os, subprocess, sys
start = lambda **how: subprocess.Popen([sys.executable, "-c", {FOREVER!r}], **how).pid
pids = [start(), start(start_new_session=True)]
if os.fork() == 0:
    print(json.dumps({{"event": "left", "pids": [*pids, start(start_new_session=True)]}}), flush=True)
    os._exit(0)
os.wait()
{FOREVER}
"""


@pytest.mark.skipif(os.name != "posix", reason="fork")
def test_a_child_ends_with_all_it_has_started() -> None:
    """Descendants, one in a session of its own, and one whose parent has gone, which only its mark tells."""
    child = python(LEAVES, env={MARK: f"test-{os.getpid()}"}, apart=True)
    event = child.next(until=60)
    assert event is not None
    child.end()
    assert all(gone(pid) for pid in event["pids"])
    assert not child.alive
    child.end()  # harmless


def test_a_family_that_has_ended_is_no_error() -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    handle = psutil.Process(done.pid)
    done.wait()
    end_family(handle)


def test_a_process_that_has_the_number_of_one_that_has_gone_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = subprocess.Popen([sys.executable, "-c", FOREVER])
    handle = psutil.Process(other.pid)
    monkeypatch.setattr(handle, "_ident", (other.pid, 1.0))  # as if it were from a process that began in 1970
    end_family(handle)
    assert other.poll() is None
    other.kill()
    other.wait()


def test_events_are_lines_of_json() -> None:
    code = "from course_utils.exercises.engine.child import Line; Line().tell('x', a=[1, None], b='é')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True
    )
    assert json.loads(done.stdout) == {"event": "x", "a": [1, None], "b": "é"}
    assert OwnTime(psutil.Process()).read() >= 0
