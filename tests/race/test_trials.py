"""Trials: each done once, kept at once, found again after a kill; over processes and a real Dask cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from course_utils.race import trials
from tests.mutants import mistakes


def noted(folder: Path, number: int) -> int:
    """The square, and a line for every time that somebody asked."""
    with open(folder / "asked", "a", encoding="utf-8") as file:
        file.write(f"{number}\n")
    return number**2


def asked(folder: Path) -> list[int]:
    path = folder / "asked"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


TODO = {f"trial {k}": k for k in range(6)}
SQUARES = {f"trial {k}": k**2 for k in range(6)}


def check_each_once(module: Any, folder: Path) -> None:
    """A run that breaks off in the middle, and a second one: every trial is done once, none is lost."""

    def breaks(number: int) -> int:
        if number == 3 and not (folder / "broke").exists():
            (folder / "broke").touch()
            raise RuntimeError("broken off")
        return noted(folder, number)

    store = folder / "store.sqlite"
    with pytest.raises(RuntimeError, match="broken off"):
        module.run(breaks, TODO, store=store)
    assert sorted(trials.read(store)) == [f"trial {k}" for k in range(3)]
    assert module.run(breaks, TODO, store=store) == SQUARES
    assert asked(folder) == list(range(6))
    assert module.run(breaks, TODO, store=store) == SQUARES
    assert asked(folder) == list(range(6))


def test_a_run_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    check_each_once(trials, tmp_path)


def test_results_come_in_the_order_of_the_question(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    backwards = dict(reversed(TODO.items()))
    trials.run(partial(noted, tmp_path), {"trial 4": 4}, store=store)
    assert list(trials.run(partial(noted, tmp_path), backwards, store=store)) == list(backwards)


def test_without_a_store_nothing_is_kept(tmp_path: Path) -> None:
    for _ in range(2):
        assert trials.run(partial(noted, tmp_path), TODO) == SQUARES
    assert asked(tmp_path) == [*range(6), *range(6)]
    assert [path.name for path in tmp_path.iterdir()] == ["asked"]


def test_a_key_keeps_its_first_result(tmp_path: Path) -> None:
    store = tmp_path / "deep" / "store.sqlite"
    trials.write(store, "a", {"x": [1.5, None]})
    trials.write(store, "a", 2)
    assert trials.read(store) == {"a": {"x": [1.5, None]}}


def test_two_runs_may_write_at_once(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"

    def many(start: int) -> None:
        for k in range(start, start + 25):
            trials.write(store, str(k), k)

    threads = [threading.Thread(target=many, args=(100 * i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(trials.read(store)) == 75


def test_processes_do_the_same(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    trials.run(partial(noted, tmp_path), {"trial 1": 1}, store=store)
    assert trials.run(partial(noted, tmp_path), TODO, store=store, workers=2) == SQUARES
    assert sorted(asked(tmp_path)) == list(range(6))
    assert trials.read(store) == SQUARES


def test_a_trial_that_fails_in_a_process_says_so(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        trials.run(lambda k: 1 / k, {"zero": 0, "one": 1}, workers=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"workers": 0}, "workers >= 1"), ({"workers": 2, "cluster": "tcp://nowhere"}, "not both")],
)
def test_arguments_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trials.run(abs, {"a": 1}, **options)


KILLED = """
    import sys, time
    from functools import partial
    from pathlib import Path
    from course_utils.race import trials
    from tests.race.test_trials import TODO, noted

    def slowly(folder, number):
        time.sleep(0.2)
        return noted(folder, number)

    folder = Path(sys.argv[1])
    trials.run(partial(slowly, folder), TODO, store=folder / "store.sqlite")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_a_killed_run_loses_nothing_that_was_finished(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)]
    victim = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    begun = time.time()
    while (not store.exists() or len(trials.read(store)) < 2) and time.time() - begun < 60:
        time.sleep(0.02)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    before = trials.read(store)
    assert 2 <= len(before) < 6
    assert before == {key: SQUARES[key] for key in before}
    done = asked(tmp_path)
    assert trials.run(partial(noted, tmp_path), TODO, store=store) == SQUARES
    again = asked(tmp_path)[len(done) :]
    assert sorted(again) == [k for key, k in TODO.items() if key not in before]


def drawn(number: int) -> list[float]:
    """What depends on the process's one generator, as training does."""
    torch.manual_seed(number)
    values = []
    for _ in range(20):
        values.append(float(torch.rand(())))
        time.sleep(0.001)
    return values


def thread_count(number: int) -> int:
    return torch.get_num_threads()


def dies_once(folder: Path, number: int) -> int:
    """Kills its worker the first time that 2 is asked for."""
    flag = folder / "died"
    if number == 2 and not flag.exists():
        flag.touch()
        os._exit(1)
    return noted(folder, number)


def dies_after_three(folder: Path, number: int) -> int:
    """Kills its worker once, as soon as three results are in the store, in place of a trial."""
    if len(trials.read(folder / "store.sqlite")) >= 3 and not (folder / "died").exists():
        (folder / "died").touch()
        # the cluster hears that these three are not needed any more
        time.sleep(0.5)
        os._exit(1)
    time.sleep(0.1)
    return noted(folder, number)


def counts_with_a_dying_worker(folder: Path) -> dict[int, int]:
    """How often each of twelve trials was done by a cluster of one worker, which dies in between."""
    distributed = pytest.importorskip("distributed")
    folder.mkdir()
    todo = {f"trial {k}": k for k in range(12)}
    options: dict[str, Any] = {"dashboard_address": None, "silence_logs": 50}
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, **options) as cluster:
        store = folder / "store.sqlite"
        found = trials.run(partial(dies_after_three, folder), todo, store=store, cluster=cluster)
    assert found == {key: k**2 for key, k in todo.items()}
    assert (folder / "died").exists()
    return Counter(asked(folder))


@pytest.mark.slow
def test_what_is_in_the_store_is_not_done_again_when_its_worker_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    assert set(counts_with_a_dying_worker(tmp_path / "right").values()) == {1}
    monkeypatch.setattr(distributed.Future, "release", lambda future: None)
    assert set(counts_with_a_dying_worker(tmp_path / "held").values()) == {1, 2}


@pytest.mark.slow
def test_a_dask_cluster_does_the_same_and_survives_a_worker(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    expected = {key: drawn(k) for key, k in TODO.items()}
    options: dict[str, Any] = {"dashboard_address": ":0", "silence_logs": 50}
    with distributed.LocalCluster(n_workers=1, threads_per_worker=2, **options) as cluster:
        store = tmp_path / "store.sqlite"
        address = cluster.scheduler_address
        assert trials.run(drawn, TODO, cluster=address) == expected  # two threads, one generator
        trials.run(partial(noted, tmp_path), {"trial 1": 1}, store=store)
        found = trials.run(partial(dies_once, tmp_path), TODO, store=store, cluster=cluster)
        assert found == SQUARES
        assert (tmp_path / "died").exists()
        assert trials.read(store) == SQUARES
        assert asked(tmp_path).count(1) == 1
        with distributed.Client(cluster) as client:
            assert set(trials.run(thread_count, TODO, cluster=client).values()) == {1}
            assert client.status == "running"  # a client of the caller stays open


MUTANTS = {
    "nothing is kept": ("            write(store, key, result)\n", "            pass\n"),
    "nothing is found again": ("if key not in done}", "}"),
    "only what is new comes back": ("done[key] for key in todo}", "done[key] for key in missing}"),
}  # fmt: skip


test_mistakes_are_caught = mistakes(
    "course_utils.race.trials", MUTANTS, check=check_each_once, fixtures=["tmp_path"]
)


def test_a_bar_counts_the_trials(capsys: pytest.CaptureFixture[str]) -> None:
    assert trials.run(lambda k: k**2, {"a": 1, "b": 2}, progress=True) == {"a": 1, "b": 4}
    assert "2/2" in capsys.readouterr().err


def test_a_cluster_without_dask_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"course-utils\[full\]"):
        trials.run(abs, {"a": 1}, cluster="tcp://nowhere:1")
