"""Many trials, each of them once: one after the other, over processes, or over a Dask cluster.

    results = run(work, {"a": 1, "b": 2}, store="race.sqlite", workers=2)

Every result is written to the store the moment it is there. Kill the run when you like: the next one with
the same store does what is missing and nothing else. The store is one table in an SQLite file, so that a
trial is in it whole or not at all, and any tool can read it.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import torch

from course_utils._checks import require

T = TypeVar("T")

_ONE_AT_A_TIME = threading.Lock()  # trials draw from torch's global generator, which a process has once


def run(
    work: Callable[[T], Any],
    todo: Mapping[str, T],
    *,
    store: str | Path | None = None,
    workers: int = 1,
    cluster: Any = None,
    progress: bool = False,
) -> dict[str, Any]:
    """`work(item)` for each item whose key the store does not know yet; all results, in the order of `todo`.

    Args:
        work: item -> what JSON can hold. Goes to other processes with its item, by cloudpickle.
        todo: key -> item. The key says all that the result depends on: it is what a later run goes by.
        store: an SQLite file, created where it is not there; None keeps nothing.
        workers: processes of one thread each, by joblib; 1 stays in this process.
        cluster: instead of `workers`, a Dask client, cluster or scheduler's address, "tcp://host:8786", whose
            workers can import this package. A trial whose worker dies is done by another; one whose result is
            here already is not done again.
        progress: a bar.
    Raises: ValueError for arguments out of range; what `work` raises, with the results so far in the store.
    """
    require(workers >= 1, "workers >= 1", workers=workers)
    require(cluster is None or workers == 1, "workers or a cluster, not both", workers=workers)
    done = {} if store is None else read(store)
    missing = {key: item for key, item in todo.items() if key not in done}
    results: Iterable[tuple[str, Any]]
    if cluster is not None:
        results = _over_dask(work, missing, cluster)
    elif workers > 1:
        results = _over_processes(work, missing, workers)
    else:
        results = ((key, work(item)) for key, item in missing.items())
    for key, result in _with_bar(results, len(missing), progress):
        if store is not None:
            write(store, key, result)
        done[key] = result
    return {key: done[key] for key in todo}


def read(store: str | Path) -> dict[str, Any]:
    """What the store holds: key -> result."""
    with closing(_open(store)) as base:
        return {key: json.loads(text) for key, text in base.execute("SELECT key, result FROM trials")}


def write(store: str | Path, key: str, result: Any) -> None:
    """Keep one result, on the disk when this returns. A key that is there already keeps what it has."""
    with closing(_open(store)) as base, base:
        base.execute("INSERT OR IGNORE INTO trials (key, result) VALUES (?, ?)", (key, json.dumps(result)))


def _open(store: str | Path) -> sqlite3.Connection:
    Path(store).parent.mkdir(parents=True, exist_ok=True)
    base = sqlite3.connect(store, timeout=60)  # seconds to wait for another run that is writing
    base.execute(
        "CREATE TABLE IF NOT EXISTS trials (key TEXT PRIMARY KEY, result TEXT NOT NULL,"
        " finished TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)"
    )
    return base


def _alone(work: Callable[[T], Any], key: str, item: T) -> tuple[str, Any]:
    """One trial in a worker: one thread of torch, and no second trial beside it in the same process."""
    with _ONE_AT_A_TIME:
        torch.set_num_threads(1)
        return key, work(item)


def _over_processes(
    work: Callable[[T], Any], items: Mapping[str, T], workers: int
) -> Iterable[tuple[str, Any]]:
    from joblib import Parallel, delayed  # only here

    jobs = (delayed(_alone)(work, key, item) for key, item in items.items())
    parallel = Parallel(n_jobs=workers, return_as="generator_unordered", pre_dispatch="all", batch_size=1)
    results: Iterable[tuple[str, Any]] = parallel(jobs)
    return results


def _over_dask(work: Callable[[T], Any], items: Mapping[str, T], cluster: Any) -> Iterator[tuple[str, Any]]:
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise ImportError('a cluster needs Dask: pip install "course-utils[full]"') from error
    make: Any = Client  # Dask has no types
    in_turn: Any = as_completed
    client: Any = cluster if isinstance(cluster, Client) else make(cluster)
    waiting = {client.submit(_alone, work, key, item, pure=False) for key, item in items.items()}
    try:
        # The cluster does again what somebody still holds when its worker dies: nothing is held that is here.
        for future, results in in_turn(waiting, with_results=True):
            waiting.discard(future)
            future.release()
            yield results
    finally:
        client.cancel(list(waiting))
        if client is not cluster:
            client.close()


def _with_bar(results: Iterable[T], total: int, progress: bool) -> Iterable[T]:
    if not progress:
        return results
    from tqdm.auto import tqdm

    bar: Iterable[T] = tqdm(results, total=total, unit="trial")
    return bar
