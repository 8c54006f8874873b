"""How much faster ten seeds train in one vectorised run than one after another: `python benchmarks/seeds.py`.

The loop over seeds is what one writes without it: a DataLoader, a model and torch's SGD for each. The two are
timed in turn, round after round in one process, building the models included, so that a busy machine slows
both alike; a table shows the median over rounds of their ratio, for MLPs on the digits. Both have one thread.

Targets, for our SGD at batches of 32: 10 times at width 32 and 6 times at width 128. The result is written,
with the machine, the date and the versions, to `--out`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils import optimizers, recorded
from course_utils._files import write_whole
from course_utils.data import digits
from course_utils.seeds import train_seeds

TARGETS = {(32, 32): 10.0, (128, 32): 6.0}  # (width, batch) -> least ratio
RULES = {
    "torch.optim.SGD": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "course_utils SGD": lambda p: optimizers.SGD(p, lr=0.05, momentum=0.9),
}


def mlp(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))


def one_by_one(x: Tensor, y: Tensor, width: int, batch: int, steps: int, seeds: range) -> None:
    """Every seed on its own, as a script does it."""
    for seed in seeds:
        torch.manual_seed(seed)
        model = mlp(width)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        loader = DataLoader(TensorDataset(x, y), batch_size=batch, shuffle=True)
        done = 0
        while done < steps:
            for bx, by in loader:
                optimizer.zero_grad()
                F.cross_entropy(model(bx), by).backward()
                optimizer.step()
                done += 1
                if done == steps:
                    break


def at_once(x: Tensor, y: Tensor, width: int, batch: int, steps: int, seeds: range, rule: str) -> None:
    train_seeds(
        lambda: mlp(width),
        (x, y),
        optimizer=RULES[rule],
        loss=F.cross_entropy,
        steps=steps,
        seeds=seeds,
        batch_size=batch,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=200, help="optimizer steps of each seed")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--out", type=Path, default=Path("build/benchmark_seeds.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)

    about: dict[str, Any] = recorded.machine() | {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }
    print("  ".join(f"{key}={value}" for key, value in about.items()))
    data, seeds = digits(), range(options.seeds)
    x, y = data.x.flatten(1).float() / 16, data.y  # (N, 64), (N,)
    rows = []
    for width in (32, 128):
        for batch in (16, 32, 64):
            sizes = (x, y, width, batch, options.steps, seeds)
            seconds: dict[str, list[float]] = {"loop": [], **{rule: [] for rule in RULES}}
            for turn in range(options.rounds + 1):  # the first one warms up
                for name, taken in seconds.items():
                    start = time.perf_counter()
                    one_by_one(*sizes) if name == "loop" else at_once(*sizes, rule=name)
                    if turn:
                        taken.append(time.perf_counter() - start)
            median = {name: statistics.median(taken) for name, taken in seconds.items()}
            ratio = {
                rule: statistics.median(a / b for a, b in zip(seconds["loop"], seconds[rule], strict=True))
                for rule in RULES
            }
            target = TARGETS.get((width, batch))
            row = {"width": width, "batch": batch, "median_s": median, "ratio": ratio, "target": target}
            rows.append(row)
            cells = "   ".join(f"{rule} {value:5.1f}" for rule, value in ratio.items())
            missed = target is not None and ratio["course_utils SGD"] < target
            verdict = "" if target is None else f"   target {target:g}{', missed' if missed else ''}"
            print(f"64-{width}-10, batch {batch}: times as fast with {cells}{verdict}", flush=True)
    found = {"machine": about, "seeds": options.seeds, "steps": options.steps, "rows": rows}
    write_whole(options.out, json.dumps(found, indent=2) + "\n")
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
