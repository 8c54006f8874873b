"""Real processes: they compute together, say what went wrong, and none is left behind."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch
import torch.distributed as dist

from course_utils.distributed import WorkerError, Workers

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def all_gone(pids: list[int], seconds: float = 20) -> bool:
    """Whether they go within a while: a process takes a moment to end."""
    until = time.monotonic() + seconds
    while not all(map(gone, pids)):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(2) as made:
        yield made


def test_each_runs_the_function_with_its_own_rank(workers: Workers) -> None:
    offset = 10

    def ranks(add: int) -> tuple[int, int, int]:
        total = torch.tensor(float(dist.get_rank() + add))
        dist.all_reduce(total)
        return dist.get_rank(), dist.get_world_size(), int(total) + offset

    assert workers.run(ranks, 1) == [(0, 2, 13), (1, 2, 13)]
    assert workers.run(ranks, 2) == [(0, 2, 15), (1, 2, 15)]


def test_processes_stay_from_one_function_to_the_next(workers: Workers) -> None:
    first = workers.run(os.getpid)
    assert first == workers.run(os.getpid) == workers.pids
    assert len({*first, os.getpid()}) == 3


def test_arguments_and_results_are_copies(workers: Workers) -> None:
    given = torch.zeros(3)

    def change(x: torch.Tensor) -> torch.Tensor:
        return x.add_(1)

    first, second = workers.run(change, given)
    assert given.tolist() == [0, 0, 0]
    assert first.tolist() == second.tolist() == [1, 1, 1]


def test_each_computes_on_one_thread(workers: Workers) -> None:
    assert workers.run(torch.get_num_threads) == [1, 1]


def test_what_one_raises_is_told_while_the_other_waits(workers: Workers) -> None:
    def fails() -> None:
        if dist.get_rank() == 1:
            raise ValueError("a shard is missing")
        dist.barrier()

    workers.run(os.getpid)
    pids = workers.pids
    with pytest.raises(WorkerError, match="worker 1 raised ValueError: a shard is missing") as caught:
        workers.run(fails)
    assert caught.value.died == ()
    assert 1 in caught.value.raised
    assert all_gone(pids)
    assert workers.pids == []
    assert workers.run(dist.get_rank) == [0, 1]  # new ones


def test_one_that_dies_is_named(workers: Workers) -> None:
    def dies() -> None:
        if dist.get_rank() == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        dist.barrier()

    workers.run(os.getpid)
    pids = workers.pids
    with pytest.raises(WorkerError, match="worker 0 has died") as caught:
        workers.run(dies)
    assert caught.value.died == (0,)
    assert all_gone(pids)


def test_one_that_died_between_two_functions_is_noticed(workers: Workers) -> None:
    workers.run(os.getpid)
    os.kill(workers.pids[1], signal.SIGKILL)
    assert all_gone(workers.pids[1:])
    with pytest.raises(WorkerError):
        workers.run(dist.get_rank)
    assert workers.run(dist.get_rank) == [0, 1]


def test_an_exit_in_a_function_is_told(workers: Workers) -> None:
    with pytest.raises(WorkerError, match="raised SystemExit"):
        workers.run(sys.exit)


def test_what_takes_too_long_is_ended() -> None:
    workers = Workers(1, seconds=30)
    workers.run(os.getpid)
    pids = workers.pids
    workers.seconds = 0.5
    with pytest.raises(WorkerError, match=r"worker 0 took longer than 0\.5 s"):
        workers.run(time.sleep, 3600)
    assert all_gone(pids)


# The interrupt may come while psutil opens a file, which nobody closes then.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_an_interrupt_ends_them() -> None:
    workers = Workers(1)
    workers.run(os.getpid)
    pids = workers.pids
    timer = threading.Timer(1.0, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        workers.run(time.sleep, 3600)
    timer.join()
    assert all_gone(pids)


def test_the_end_of_a_block_of_the_object_and_a_second_end_leave_none() -> None:
    with Workers(1) as workers:
        workers.run(os.getpid)
        pids = workers.pids
    assert all_gone(pids)
    workers.end()
    other = Workers(1)
    pids = other.pids
    del other
    assert all_gone(pids)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_starts_its_own_and_leaves_the_others_alone() -> None:
    workers = Workers(1)
    pids = workers.run(os.getpid)
    fork = os.fork()
    if fork == 0:
        status = 1
        with contextlib.suppress(BaseException):
            own = workers.run(os.getpid)
            workers.end()
            status = 0 if own != pids and all_gone(own) and not any(map(gone, pids)) else 2
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1]) == 0
    assert workers.run(os.getpid) == pids
    workers.end()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_that_forgets_them_takes_nothing_away() -> None:
    """They meet in a folder, which goes when nobody holds it: in the process that made it."""
    workers = Workers(2)
    fork = os.fork()
    if fork == 0:
        del workers
        gc.collect()
        os._exit(0)
    os.waitpid(fork, 0)
    assert len(workers.run(os.getpid)) == 2
    workers.end()


PARENT = """
import sys, time
from course_utils.distributed import Workers
workers = Workers(2)
workers.run(int)
print(*workers.pids, flush=True)
{}
"""
ENDS = {
    "killed while they wait": ("time.sleep(3600)", signal.SIGKILL),
    "killed while they work": ("workers.run(time.sleep, 3600)", signal.SIGKILL),
    "terminated while they work": ("workers.run(time.sleep, 3600)", signal.SIGTERM),
    "at its own end": ("", None),
    "by an error": ("raise SystemExit(1)", None),
}


@pytest.mark.parametrize(("last", "number"), ENDS.values(), ids=ENDS)
def test_none_outlives_the_process_that_asked(last: str, number: signal.Signals | None) -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PARENT.format(last)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        if number is not None:
            assert not any(map(gone, pids))
            time.sleep(0.3)
            parent.send_signal(number)
    assert all_gone(pids)


BAD = {
    "none": ({"count": 0}, "workers >= 1, got count=0"),
    "half": ({"count": 1.5}, "a whole number of workers"),
    "no time": ({"seconds": 0}, "seconds > 0, got seconds=0"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Workers(**arguments)
