"""The race over all techniques of the course: `python benchmarks/race.py --profile full --record`.

Every recipe of `course_utils.race.techniques` on noisy digits and on MNIST-1D, by the protocol of
`course_utils.race`: equal budgets, random search, validation to choose, test once. Each finished trial is
kept in `--store`: kill the race when you like and start it again, it goes on where it was. `--record` puts
the result, with machine, date and versions, among the course's recorded results, which lesson 19 shows.

    --workers 4                          four processes on this machine
    --cluster tcp://scheduler:8786       a Dask cluster, whose workers can import course_utils
    --tasks fashion_mnist cifar10        larger data sets, downloaded at first use

At `full`, the two tasks take about ten minutes of one core.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from course_utils import recorded
from course_utils.race import race
from course_utils.race.techniques import TASKS, recipes

SIZES: dict[str, dict[str, int]] = {
    "smoke": {"trials": 2, "tuning": 2, "finals": 4},
    "standard": {"trials": 8, "tuning": 4, "finals": 24},
    "full": {"trials": 20, "tuning": 6, "finals": 60},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--profile", choices=SIZES, default="standard")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=["noisy digits", "mnist1d"])
    parser.add_argument("--only", nargs="+", metavar="RECIPE", help="these recipes alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--cluster", help="address of a Dask scheduler, instead of --workers")
    parser.add_argument("--store", type=Path, default=Path("build/race.sqlite"))
    parser.add_argument("--record", action="store_true", help="keep the result in the package")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sizes, rows, begun = SIZES[options.profile], list[dict[str, Any]](), time.time()
    for name in options.tasks:
        entered = [r for r in recipes(TASKS[name]) if not options.only or r.name in options.only]
        result = race(
            TASKS[name],
            entered,
            **sizes,
            seed=options.seed,
            store=options.store,
            workers=options.workers,
            cluster=options.cluster,
            progress=True,
        )
        board = result.leaderboard()
        print(f"\n{name}: {result.protocol}")
        print(
            board[["recipe", "score", "behind", "behind_low", "behind_high", "tied", "settings"]].to_string()
        )
        rows += result.rows()
    processor = sum(row["seconds"] for row in rows)
    print(f"{len(rows)} entries, {time.time() - begun:.0f} s, {processor:.0f} s of processor in all")
    if options.record:
        settings = {"profile": options.profile, "seed": options.seed, "tasks": options.tasks, **sizes}
        print(f"written to {recorded.save('race', rows, settings=settings).name}")


if __name__ == "__main__":
    main()
