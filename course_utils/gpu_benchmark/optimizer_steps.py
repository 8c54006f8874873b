"""How fast the optimizers step, beside torch's, and beside moving the bytes that a step cannot do without.

    default   torch's own choice
    foreach   torch's, one call for a list of tensors
    fused     torch's, all of the step in one call
    plain     the readable `update`, tensor by tensor
    flat      the same over FlatParameters
    compiled  torch.compile of the same `update`, over one tensor or, where there are many, over flat
    moving    copying as many bytes as the least step reads and writes: the memory's limit

Ways of stepping are timed in turn, round after round in one process, so that a busy machine slows all of them
alike; where the memory does not hold all of them at once, one after the other (`alone`).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from course_utils import optimizers
from course_utils.gpu_benchmark.timing import free

Shapes = Sequence[tuple[int, ...]]
Step = Callable[[], object]
Row = dict[str, Any]

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 1e-4, "momentum": 0.9},
    "Adagrad": {"lr": 1e-4},
    "RMSprop": {"lr": 1e-4},
    "Adam": {"lr": 1e-4},
    "AdamW": {"lr": 1e-4},
}
# Tensors of p's size that one step must at least read and write (p, g and the running means).
TENSORS_MOVED = {"SGD": 5, "Adagrad": 5, "RMSprop": 5, "Adam": 7, "AdamW": 7}
WARM_UP = 3  # rounds: state, pages, compilation


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


# size -> name -> (shapes, rounds); of a thousand million numbers one way of stepping takes 16 GB and more
WORKLOADS: dict[str, dict[str, tuple[Shapes, int]]] = {
    "tiny": {"62 small tensors": (resnet18(1, 4), 2), "one tensor of a thousand": ([(1000,)], 2)},
    "small": {
        "62 small tensors": (resnet18(4, 10), 50),
        "one tensor of ten million": ([(10_000_000,)], 10),
    },
    "standard": {
        "62 small tensors": (resnet18(4, 10), 250),
        "one tensor of ten million": ([(10_000_000,)], 50),
        "one tensor of a thousand million": ([(1_000_000_000,)], 10),
    },
}


def parameters(shapes: Shapes, device: str) -> list[nn.Parameter]:
    generator = torch.Generator(device).manual_seed(0)
    params = [nn.Parameter(0.1 * torch.randn(s, generator=generator, device=device)) for s in shapes]
    for p in params:
        p.grad = torch.randn(p.shape, generator=generator, device=device)
    return params


def contenders(name: str, shapes: Shapes, device: str) -> dict[str, Callable[[], Step]]:
    """What makes one way of stepping each, on parameters of its own."""
    kwargs, theirs, ours = OPTIMIZERS[name], getattr(torch.optim, name), getattr(optimizers, name)
    made: dict[str, Callable[[], Any]] = {
        "default": lambda: theirs(parameters(shapes, device), **kwargs).step,
        "foreach": lambda: theirs(parameters(shapes, device), foreach=True, **kwargs).step,
        "plain": lambda: ours(parameters(shapes, device), **kwargs).step,
        "flat": lambda: (
            ours(optimizers.FlatParameters(parameters(shapes, device)).parameters(), **kwargs).step
        ),
    }
    if name != "RMSprop":  # which torch has no fused version of
        made["fused"] = lambda: theirs(parameters(shapes, device), fused=True, **kwargs).step
    return made


def moving(name: str, shapes: Shapes, device: str) -> Step:
    """Copy half of the bytes: as much is then read, and as much written, as by the least possible step."""
    entries = sum(torch.Size(s).numel() for s in shapes) * TENSORS_MOVED[name] // 2
    source, target = torch.ones(entries, device=device), torch.zeros(entries, device=device)
    return lambda: target.copy_(source)


def compiled(name: str, shapes: Shapes, device: str) -> Step:
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
    return optimizer.step  # type: ignore[no-any-return]


def tried(name: str, shapes: Shapes, device: str) -> Step | None:
    """`compiled`, after its first step; None where the compiler refuses, which it then says.

    The compilers of some systems and devices do; the rest is worth having.
    """
    try:
        step = compiled(name, shapes, device)
        step()
    except Exception as problem:
        print(f"  {name}: compiled skipped, {type(problem).__name__}: {str(problem).splitlines()[:1]}")
        return None
    return step


def medians(steps: Mapping[str, Step], rounds: int, device: str) -> dict[str, float]:
    """Median seconds of each, taken in turn."""
    timed = on_gpu if torch.device(device).type == "cuda" else on_cpu
    seconds: dict[str, list[float]] = {key: [] for key in steps}
    for turn in range(rounds + WARM_UP):
        for key, step in steps.items():
            taken = timed(step)
            if turn >= WARM_UP:
                seconds[key].append(taken)
    return {key: statistics.median(values) for key, values in seconds.items()}


def alone(makers: Mapping[str, Callable[[], Step]], rounds: int, device: str) -> dict[str, float]:
    """Median seconds of each, made, timed and given up before the next one is made."""
    found: dict[str, float] = {}
    for key, make in makers.items():
        found |= medians({key: make()}, rounds, device)
        free(torch.device(device))
    return found


def on_cpu(step: Step) -> float:
    """Seconds by the clock."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def on_gpu(step: Step) -> float:  # pragma: no cover  (a GPU's)
    """Seconds between two events of the device; waiting for a launch counts, as it does in training."""
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    before.record()
    step()
    after.record()
    torch.cuda.synchronize()
    return float(before.elapsed_time(after)) / 1e3


def measure(
    size: str = "standard",
    *,
    device: str = "cuda",
    names: Sequence[str] = ("SGD", "AdamW"),
    compile: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> list[Row]:
    """One row per workload and optimizer: median seconds of each way, and their ratio to moving the bytes.

    Args:
        size: of `WORKLOADS`. compile: whether to time torch.compile, too; where it refuses it is left out.
        say: gets a line per row as it is measured.
    Returns: rows with workload, entries, tensors, optimizer, median_s and over_moving (way -> a number).
    """
    rows = []
    for workload, (shapes, rounds) in WORKLOADS[size].items():
        for name in names:
            made = dict(contenders(name, shapes, device))
            made["moving"] = lambda name=name, shapes=shapes: moving(name, shapes, device)  # type: ignore[misc]
            found = alone(made, rounds, device)
            if compile and (step := tried(name, shapes, device)):
                found |= medians({"compiled": step}, rounds, device)
            over = {way: seconds / found["moving"] for way, seconds in found.items() if way != "moving"}
            row = {"workload": workload, "tensors": len(shapes), "optimizer": name}
            row["entries"] = sum(torch.Size(s).numel() for s in shapes)
            rows.append(row | {"median_s": found, "over_moving": over})
            ways = "  ".join(f"{way} {ratio:.2f}" for way, ratio in over.items())
            say(f"{workload:33} {name:6} moving {1e3 * found['moving']:9.3f} ms, times it: {ways}")
            step = None
            free(torch.device(device))
    return rows
