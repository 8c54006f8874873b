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
record that lesson 18 shows.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

from course_utils import optimizers, recorded
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
        "foreach": theirs(parameters(shapes, device), foreach=True, **kwargs).step,
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
    import torch._inductor.config  # slow to import, and only this needs it

    torch.compiler.reset()
    torch._dynamo.config.capture_scalar_outputs = True  # a tensor may become a number
    torch._inductor.config.realize_opcount_threshold = 3  # and is computed before the loop, not in it
    params: list[Any] = list(parameters(shapes, device))
    if len(params) > 1:  # one shape, so one compilation
        params = optimizers.FlatParameters(params).parameters()
    optimizer = getattr(optimizers, name)(params, **OPTIMIZERS[name])
    optimizer.step()
    for state in optimizer.state.values():
        state["step"] = torch.tensor(float(state["step"]), dtype=torch.float64)
    optimizer.update = torch.compile(optimizer.update)
    return optimizer.step


def medians(steps: dict[str, Callable[[], object]], rounds: int, device: str) -> dict[str, float]:
    """Median seconds of each, taken in turn."""
    timed = on_gpu if torch.device(device).type == "cuda" else on_cpu
    seconds: dict[str, list[float]] = {key: [] for key in steps}
    for turn in range(rounds + 3):  # three to warm up: state, pages, compilation
        for key, step in steps.items():
            taken = timed(step)
            if turn >= 3:
                seconds[key].append(taken)
    return {key: statistics.median(values) for key, values in seconds.items()}


def on_cpu(step: Callable[[], object]) -> float:
    """Seconds by the clock."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def on_gpu(step: Callable[[], object]) -> float:
    """Seconds between two events of the device; waiting for a launch counts, as it does in training."""
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    before.record()
    step()
    after.record()
    torch.cuda.synchronize()
    return float(before.elapsed_time(after)) / 1e3


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
    steps = contenders(name, shapes, device)
    if workload == "one tensor of ten million":
        steps["moving"] = moving(name, shapes, device)
    if compile:
        step = compiled(name, shapes, device)
        try:
            step()
        except (
            Exception
        ) as problem:  # the compilers of some systems and devices refuse; the rest is worth having
            print(f"  {name}: compiled skipped, {type(problem).__name__}: {str(problem).splitlines()[:1]}")
        else:
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
        "--record", action="store_true", help="keep the result as the one that lesson 18 shows"
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
        print(f"recorded as {path.name}; lesson 18 shows it when it is run again")


if __name__ == "__main__":
    main()
