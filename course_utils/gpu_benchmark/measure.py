"""Training in each precision, measured: time of a step, memory, skipped steps, final loss over seeds.

Weights, their gradients and the optimizer's state are float32 throughout; what changes is what autocast
computes in. The seeds of all precisions see the same initial weights and the same batches.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from course_utils._checks import require
from course_utils.diagnostics.step_memory import HeldBytes
from course_utils.gpu_benchmark.tasks import Task, tasks
from course_utils.gpu_benchmark.timing import float32_products, free, step_seconds
from course_utils.mixed_precision import GradScaler

Row = dict[str, Any]
SCALING: dict[str, Any] = {
    "init_scale": 2.0**16,
    "growth_interval": 50,
}  # short, so that growth and overflow are seen


@dataclass(frozen=True)
class Precision:
    """What the matrix products of a run are computed in, whose scaler it uses, what it computes twice."""

    dtype: torch.dtype | None = None  # of autocast; None is float32
    tf32: bool = False  # whether float32 products may be rounded to tf32
    scaler: Callable[..., Any] | None = None
    checkpoints: bool = False  # whether the backward pass computes the task's parts once more


PRECISIONS: dict[str, Precision] = {
    "fp32": Precision(),
    "tf32": Precision(tf32=True),
    "fp16": Precision(torch.float16, scaler=GradScaler),
    "fp16 torch": Precision(torch.float16, scaler=torch.amp.GradScaler),
    "bf16": Precision(torch.bfloat16),
    "bf16 checkpoints": Precision(torch.bfloat16, checkpoints=True),
}


class Trainer:
    """One net in one precision: `step(x, y)` trains it, `loss(x, y)` measures it in strict float32."""

    def __init__(self, task: Task, precision: Precision, seed: int, device: torch.device) -> None:
        with _seeded(seed, device):
            self.model = task.make().to(device)
        if precision.checkpoints:
            for part in self.model.modules():
                if isinstance(part, task.parts):
                    part.forward = partial(checkpoint, part.forward, use_reentrant=False)
        self.precision, self.device = precision, device
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=task.lr)
        enabled = precision.scaler is not None
        make = precision.scaler or GradScaler
        self.scaler = make(device.type, enabled=enabled, **SCALING)

    def step(self, x: Tensor, y: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self.finish(self.forward(x, y))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The first half of a step: the loss, which holds what the second half needs."""
        dtype = self.precision.dtype
        with torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not None):
            return F.cross_entropy(self.model(x), y)

    def finish(self, loss: Tensor) -> None:
        """The second half: gradients, and the optimizer's step unless they overflow."""
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()

    @torch.no_grad()
    def loss(self, x: Tensor, y: Tensor) -> float:
        self.model.eval()
        with float32_products(tf32=False):
            value = F.cross_entropy(self.model(x), y).item()
        self.model.train()
        return value


def measure(
    size: str = "standard",
    *,
    steps: int = 300,
    timed: int = 30,
    warm_up: int = 15,
    seeds: Sequence[int] = range(5),
    device: str | torch.device = "cuda",
    nets: Sequence[str] = ("convnet", "transformer"),
    say: Callable[[str], None] = lambda line: None,
) -> list[Row]:
    """One row per net and precision: what `benchmarks/mixed_precision.py` records.

    Args:
        size: "tiny", "small" or "standard", as in `precision_tasks.SIZES`.
        steps: training steps of each seed, >= 1.
        timed, warm_up: steps timed one by one, and steps before them, >= 1.
        seeds: one training run each.
        device: tf32 and peak memory exist on CUDA only: elsewhere that row is left out, and memory is None.
        say: gets a line per row as it is measured.
    Returns: rows with net, precision, step_ms (median), peak_mib, kept_mib (by the forward pass, for the
        backward pass), skipped_share, final_losses, parameters.
    """
    require(min(steps, timed, warm_up, len(seeds)) >= 1, "steps, timed, warm_up and seeds >= 1", steps=steps)
    device = torch.device(device)
    rows = []
    for task in tasks(size):
        if task.name not in nets:
            continue
        for name, precision in PRECISIONS.items():
            if precision.tf32 and device.type != "cuda":
                continue
            here = torch.cuda.device(device) if device.type == "cuda" else nullcontext()
            free(device)
            with here, float32_products(tf32=precision.tf32):
                row = _row(task, name, precision, steps, timed, warm_up, seeds, device)
            rows.append(row)
            memory = "" if row["peak_mib"] is None else f"{row['peak_mib']:8.0f} MiB"
            mean = statistics.fmean(row["final_losses"])
            kept = f"{row['kept_mib']:8.1f} MiB kept"
            say(f"{task.name:12} {name:16} {row['step_ms']:8.2f} ms{memory}{kept}   loss {mean:.4f}")
    return rows


def _row(
    task: Task,
    name: str,
    precision: Precision,
    steps: int,
    timed: int,
    warm_up: int,
    seeds: Sequence[int],
    device: torch.device,
) -> Row:
    step_ms, peak, kept, count = _timed(task, precision, timed, warm_up, device)
    losses, skipped = zip(*(_train(task, precision, seed, steps, device) for seed in seeds), strict=True)
    return {
        "net": task.name,
        "precision": name,
        "step_ms": step_ms,
        "peak_mib": peak,
        "kept_mib": kept,
        "skipped_share": sum(skipped) / (steps * len(seeds)),
        "final_losses": list(losses),
        "parameters": count,
    }


def _timed(
    task: Task, precision: Precision, timed: int, warm_up: int, device: torch.device
) -> tuple[float, float | None, float, int]:
    """Median milliseconds of a step, peak MiB of one, MiB kept by its forward pass, the net's parameters."""
    trainer = Trainer(task, precision, 0, device)
    x, y = task.batch(torch.Generator(device).manual_seed(0))
    for _ in range(warm_up):
        trainer.step(x, y)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)  # pragma: no cover  (a GPU's)
    seconds = step_seconds(lambda: trainer.step(x, y), timed, device)
    peak = torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None
    with HeldBytes() as held:
        loss = trainer.forward(x, y)
        kept = held.now / 2**20
    del loss
    return 1000 * statistics.median(seconds), peak, kept, sum(p.numel() for p in trainer.model.parameters())


def _train(
    task: Task, precision: Precision, seed: int, steps: int, device: torch.device
) -> tuple[float, int]:
    """The loss on fresh batches after training, and how many steps were skipped."""
    trainer = Trainer(task, precision, seed, device)
    generator = torch.Generator(device).manual_seed(1000 + seed)
    skipped = 0
    for _ in range(steps):
        before = trainer.scaler.get_scale()
        trainer.step(*task.batch(generator))
        skipped += trainer.scaler.get_scale() < before
    held = [trainer.loss(*task.batch(generator)) for _ in range(4)]
    return statistics.fmean(held), skipped


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
