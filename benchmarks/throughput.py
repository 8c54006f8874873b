"""How long a training step takes against its batch: `python benchmarks/throughput.py [--record]`.

A step is all of it: zero the gradients, forward, loss, backward, and torch's SGD. All batch sizes of a net
are timed in turn, round after round in one process, so that a busy machine slows all of them alike; what is
kept is the median. On a GPU each step is waited for.

With `--record` the result, with the machine, the date and the versions, is the record that lesson 03 shows.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from course_utils import recorded
from course_utils.models import he_net

# layers of each net; the first is that of lesson 03
NETS: dict[str, tuple[int, ...]] = {"small net": (64, 32, 10), "wide net": (64, 1024, 1024, 10)}
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


def step(widths: Sequence[int], batch_size: int, device: str) -> Callable[[], None]:
    """One training step on random images, to be called again and again."""
    model = he_net(*widths).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    x = torch.randn(batch_size, widths[0], device=device)
    y = torch.randint(widths[-1], (batch_size,), device=device)

    def once() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize()

    return once


def medians(steps: Sequence[Callable[[], None]], rounds: int, clock: Callable[[], float]) -> list[float]:
    """The median of what each step takes by the clock, taken in turn, after three rounds to warm up."""
    taken: list[list[float]] = [[] for _ in steps]
    for turn in range(rounds + 3):
        for once, seconds in zip(steps, taken, strict=True):
            start = clock()
            once()
            elapsed = clock() - start
            if turn >= 3:
                seconds.append(elapsed)
    return [statistics.median(seconds) for seconds in taken]


def main(argv: Sequence[str] | None = None, clock: Callable[[], float] = time.perf_counter) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--record", action="store_true", help="keep it as the record that lesson 03 shows")
    parser.add_argument("--folder", type=Path, default=recorded.FOLDER, help="where --record keeps it")
    chosen = parser.parse_args(argv)
    torch.set_num_threads(chosen.threads)
    rows: list[dict[str, Any]] = []
    for name, widths in NETS.items():
        found = medians([step(widths, b, chosen.device) for b in BATCHES], chosen.rounds, clock)
        rows += [
            {"net": name, "widths": list(widths), "batch": b, "median_s": seconds}
            for b, seconds in zip(BATCHES, found, strict=True)
        ]
        print(f"{name}: " + "  ".join(f"{b}: {1e6 * s:,.0f} µs" for b, s in zip(BATCHES, found, strict=True)))
    if chosen.record:
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        settings = {"rounds": chosen.rounds, "device": chosen.device, "load": load}
        path = recorded.save(
            "throughput", rows, settings=settings, device=chosen.device, folder=chosen.folder
        )
        print(f"recorded as {path.name}; lesson 03 shows it when it is run again")


if __name__ == "__main__":
    main()
