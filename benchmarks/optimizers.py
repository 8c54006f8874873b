"""How fast the optimizers step, beside torch's: `python benchmarks/optimizers.py [--device cuda] [--record]`.

Every way of stepping is timed in turn, round after round in one process, so that a busy machine slows all of
them alike; a table shows ratios of medians. On the CPU the time is the clock's; on a GPU it is the time
between two events of the device, before and after the step. Each ratio has a target on the CPU, and the
table says which are missed.

    default   torch's own choice
    foreach   torch's, one call for a list of tensors
    fused     torch's, all of the step in one call
    plain     the readable `update`, tensor by tensor        target: 1.1 of default
    flat      the same over FlatParameters                   on small tensors: .25 of default, .5 of fused
    blocks    flat on ten million, 2**18 entries a block     target: 2 times moving the bytes
    compiled  torch.compile of the same `update`, over one   target on ten million: 1.2 of fused
              tensor or, where there are many, over flat
    moving    copying as many bytes as the least step reads and writes (on ten million): the memory's limit

The result is written, with the machine, the date and the versions, to `--out`; with `--record` also as the
record that lesson 24 shows.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from course_utils import recorded
from course_utils._files import write_whole
from course_utils.gpu_benchmark.optimizer_steps import (
    OPTIMIZERS,
    contenders,
    medians,
    moving,
    resnet18,
    tried,
)

WORKLOADS: dict[str, list[tuple[int, ...]]] = {
    "62 small tensors": resnet18(4, 10),
    "one tensor of ten million": [(10_000_000,)],
    "a ResNet-18": resnet18(64, 1000),
}


def ratios(
    workload: str, median: dict[str, float], device: str = "cpu"
) -> dict[str, tuple[float, float | None]]:
    """Each ratio with its target, or None where none is set: there are none for a GPU."""
    cpu = torch.device(device).type == "cpu"
    small, large = workload == "62 small tensors", workload == "one tensor of ten million"
    wanted = {
        ("plain", "default"): 1.1,
        ("flat", "default"): 0.25 if small else None,
        ("flat", "fused"): 0.5 if small else None,
        ("flat", "moving"): 2.0 if large else None,
        ("compiled", "fused"): 1.2 if large else None,
        ("compiled", "default"): None,
        ("foreach", "default"): None,
    }
    return {
        f"{a} / {b}": (median[a] / median[b], target if cpu else None)
        for (a, b), target in wanted.items()
        if a in median and b in median
    }


def ways(name: str, workload: str, device: str, compile: bool) -> dict[str, Callable[[], object]]:
    """All that is timed for one optimizer on one workload."""
    shapes = WORKLOADS[workload]
    steps = {way: make() for way, make in contenders(name, shapes, device).items()}
    if workload == "one tensor of ten million":
        steps["moving"] = moving(name, shapes, device)
    if compile and (step := tried(name, shapes, device)):
        steps["compiled"] = step
    return steps


def can_compile(device: str) -> bool:
    return torch.device(device).type != "cpu" or any(map(shutil.which, ("g++", "clang++", "c++")))


def options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--rounds", type=int, default=25, help="rounds on large tensors; small ones get ten times"
    )
    parser.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        help="time torch.compile too (default: on a GPU only)",
    )
    parser.add_argument("--out", type=Path, default=Path("build/benchmark_optimizers.json"))
    parser.add_argument(
        "--record", action="store_true", help="keep the result as the one that lesson 24 shows"
    )
    parser.add_argument("--folder", type=Path, default=recorded.FOLDER, help="where --record keeps it")
    found = parser.parse_args(argv)
    if found.compile is None:
        found.compile = torch.device(found.device).type == "cuda"
    if found.compile and not can_compile(found.device):
        print("compiled: skipped, torch.compile needs a C++ compiler and found none")
        found.compile = False
    return found


def main(argv: Sequence[str] | None = None) -> None:
    chosen = options(argv)
    torch.set_num_threads(chosen.threads)
    if (index := torch.device(chosen.device).index) is not None and chosen.device.startswith("cuda"):
        torch.cuda.set_device(index)  # whose events time the steps
    about: dict[str, Any] = recorded.machine(chosen.device) | {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }
    print("  ".join(f"{key}={value}" for key, value in about.items()))
    rows = []
    for workload, shapes in WORKLOADS.items():
        entries = sum(torch.Size(s).numel() for s in shapes)
        rounds = chosen.rounds * (10 if workload == "62 small tensors" else 1)
        print(f"\n{workload} ({entries:,} entries, {rounds} rounds)")
        for name in OPTIMIZERS:
            median = medians(ways(name, workload, chosen.device, chosen.compile), rounds, chosen.device)
            measured = ratios(workload, median, chosen.device)
            row = {"workload": workload, "entries": entries, "tensors": len(shapes), "optimizer": name}
            rows.append(row | {"median_s": median, "ratios": measured})
            cells = (
                f"{key} {value:.2f}" + ("" if target is None or value <= target else f" (missed: {target})")
                for key, (value, target) in measured.items()
            )
            print(f"  {name:8} default {1e3 * median['default']:7.2f} ms   " + "   ".join(cells), flush=True)
    write_whole(chosen.out, json.dumps({"machine": about, "rows": rows}, indent=2) + "\n")
    print(f"\nwritten to {chosen.out}")
    if chosen.record:
        settings = {"rounds": chosen.rounds, "device": chosen.device, "load": about["load"]}
        path = recorded.save(
            "optimizers", rows, settings=settings, device=chosen.device, folder=chosen.folder
        )
        print(f"recorded as {path.name}; lesson 24 shows it when it is run again")


if __name__ == "__main__":
    main()
