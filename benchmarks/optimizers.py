"""How fast the optimizers step, beside torch's: `python benchmarks/optimizers.py [--device cuda --compile]`.

Every way of stepping is timed in turn, round after round in one process, so that a busy machine slows all of
them alike; a table shows ratios of medians. Each ratio has a target, and the table says which are missed.

    plain     the readable `update`, tensor by tensor        target: 1.1 of torch's default
    flat      the same over FlatParameters                   on small tensors: .25 of default, .5 of fused
    blocks    flat on ten million, 2**18 entries a block     target: 2 times moving the bytes
    compiled  torch.compile of the same `update`             target: 1.2 of fused

The result is written, with the machine, the date and the versions, to `--out`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import torch._inductor.config
from torch import nn

from course_utils import optimizers
from course_utils._files import write_whole

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 1e-4, "momentum": 0.9},
    "Adagrad": {"lr": 1e-4},
    "RMSprop": {"lr": 1e-4},
    "Adam": {"lr": 1e-4},
    "AdamW": {"lr": 1e-4},
}
# Tensors of p's size that one step must at least read and write (p, g and the running means).
TENSORS_MOVED = {"SGD": 5, "Adagrad": 5, "RMSprop": 5, "Adam": 7, "AdamW": 7}


def resnet18(width: int, classes: int) -> list[tuple[int, ...]]:
    """The shapes of a ResNet-18's 62 parameters; 64 is its usual width."""
    shapes: list[tuple[int, ...]] = [(width, 3, 7, 7), (width,), (width,)]
    inputs = width
    for stage in range(4):
        outputs = width * 2**stage
        for unit in range(2):
            shapes += [(outputs, inputs, 3, 3), (outputs,), (outputs,)]
            shapes += [(outputs, outputs, 3, 3), (outputs,), (outputs,)]
            if unit == 0 and stage > 0:
                shapes += [(outputs, inputs, 1, 1), (outputs,), (outputs,)]
            inputs = outputs
    return [*shapes, (classes, inputs), (classes,)]


WORKLOADS: dict[str, list[tuple[int, ...]]] = {
    "62 small tensors": resnet18(4, 10),
    "one tensor of ten million": [(10_000_000,)],
    "a ResNet-18": resnet18(64, 1000),
}


def parameters(shapes: list[tuple[int, ...]], device: str) -> list[nn.Parameter]:
    generator = torch.Generator(device).manual_seed(0)
    params = [nn.Parameter(0.1 * torch.randn(s, generator=generator, device=device)) for s in shapes]
    for p in params:
        p.grad = torch.randn(p.shape, generator=generator, device=device)
    return params


def contenders(name: str, shapes: list[tuple[int, ...]], device: str) -> dict[str, Callable[[], object]]:
    """One way of stepping each, on parameters of its own."""
    kwargs, theirs, ours = OPTIMIZERS[name], getattr(torch.optim, name), getattr(optimizers, name)
    steps: dict[str, Any] = {
        "default": theirs(parameters(shapes, device), **kwargs).step,
        "plain": ours(parameters(shapes, device), **kwargs).step,
        "flat": ours(optimizers.FlatParameters(parameters(shapes, device)).parameters(), **kwargs).step,
    }
    if name != "RMSprop":  # which torch has no fused version of
        steps["fused"] = theirs(parameters(shapes, device), fused=True, **kwargs).step
    return steps


def moving(name: str, shapes: list[tuple[int, ...]], device: str) -> Callable[[], object]:
    """Copy half of the bytes: as much is then read, and as much written, as by the least possible step."""
    entries = sum(torch.Size(s).numel() for s in shapes) * TENSORS_MOVED[name] // 2
    source, target = torch.ones(entries, device=device), torch.zeros(entries, device=device)
    return lambda: target.copy_(source)


def compiled(name: str, shapes: list[tuple[int, ...]], device: str) -> Callable[[], object]:
    """The same `update`, compiled; t is a tensor in it, so that beta**t is taken once a step.

    As an int, t becomes a symbol, and the compiler takes the power anew for every 16 entries, at five times
    the cost.
    """
    torch.compiler.reset()
    torch._dynamo.config.capture_scalar_outputs = True  # a tensor may become a number
    torch._inductor.config.realize_opcount_threshold = 3  # and is computed before the loop, not in it
    optimizer = getattr(optimizers, name)(parameters(shapes, device), **OPTIMIZERS[name])
    optimizer.step()
    for state in optimizer.state.values():
        state["step"] = torch.tensor(float(state["step"]), dtype=torch.float64)
    optimizer.update = torch.compile(optimizer.update)
    return optimizer.step  # type: ignore[no-any-return]


def medians(steps: dict[str, Callable[[], object]], rounds: int, device: str) -> dict[str, float]:
    """Median seconds of each, taken in turn."""
    wait = torch.cuda.synchronize if device.startswith("cuda") else (lambda: None)
    seconds: dict[str, list[float]] = {key: [] for key in steps}
    for turn in range(rounds + 3):  # three to warm up: state, pages, compilation
        for key, step in steps.items():
            wait()
            start = time.perf_counter()
            step()
            wait()
            if turn >= 3:
                seconds[key].append(time.perf_counter() - start)
    return {key: statistics.median(values) for key, values in seconds.items()}


def ratios(workload: str, median: dict[str, float]) -> dict[str, tuple[float, float | None]]:
    """Each ratio with its target, or None where the issue sets none."""
    small, large = workload == "62 small tensors", workload == "one tensor of ten million"
    wanted = {
        ("plain", "default"): 1.1,
        ("flat", "default"): 0.25 if small else None,
        ("flat", "fused"): 0.5 if small else None,
        ("flat", "moving"): 2.0 if large else None,
        ("compiled", "fused"): 1.2,
        ("compiled", "default"): None,
    }
    return {
        f"{a} / {b}": (median[a] / median[b], target)
        for (a, b), target in wanted.items()
        if a in median and b in median
    }


def machine(device: str) -> dict[str, Any]:
    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else "cpu",
        "cpu": model,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": platform.system(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--rounds", type=int, default=25, help="rounds on large tensors; small ones get ten times"
    )
    parser.add_argument("--compile", action="store_true", help="time torch.compile too (on ten million)")
    parser.add_argument("--out", type=Path, default=Path("build/benchmark_optimizers.json"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.compile and options.device == "cpu" and not any(map(shutil.which, ("g++", "clang++", "c++"))):
        print("compiled: skipped, torch.compile needs a C++ compiler and found none")
        options.compile = False

    about = machine(options.device)
    print("  ".join(f"{key}={value}" for key, value in about.items()))
    rows = []
    for workload, shapes in WORKLOADS.items():
        rounds = options.rounds * (10 if workload == "62 small tensors" else 1)
        print(f"\n{workload} ({sum(torch.Size(s).numel() for s in shapes):,} entries, {rounds} rounds)")
        for name in OPTIMIZERS:
            steps = contenders(name, shapes, options.device)
            if workload == "one tensor of ten million":
                steps["moving"] = moving(name, shapes, options.device)
                if options.compile:
                    steps["compiled"] = compiled(name, shapes, options.device)
            median = medians(steps, rounds, options.device)
            measured = ratios(workload, median)
            rows.append({"workload": workload, "optimizer": name, "median_s": median, "ratios": measured})
            cells = (
                f"{key} {value:.2f}" + ("" if target is None or value <= target else f" (missed: {target})")
                for key, (value, target) in measured.items()
            )
            print(f"  {name:8} default {1e3 * median['default']:7.2f} ms   " + "   ".join(cells), flush=True)
    write_whole(options.out, json.dumps({"machine": about, "rows": rows}, indent=2) + "\n")
    print(f"\nwritten to {options.out}")


if __name__ == "__main__":
    main()
