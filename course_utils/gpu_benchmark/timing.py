"""How long a step takes on a device, and what float32 means there."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch


def step_seconds(step: Callable[[], None], count: int, device: torch.device) -> list[float]:
    """Seconds of each of `count` steps; on CUDA by events, with one wait at the end."""
    if device.type != "cuda":
        marks = [time.perf_counter()]
        for _ in range(count):
            step()
            marks.append(time.perf_counter())
        return [after - before for before, after in pairwise(marks)]
    events = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
    events[0].record()
    for event in events[1:]:
        step()
        event.record()
    torch.cuda.synchronize(device)
    return [before.elapsed_time(after) / 1000 for before, after in pairwise(events)]


@contextmanager
def float32_products(*, tf32: bool) -> Iterator[None]:
    """Whether float32 products and convolutions may be rounded to tf32 on CUDA; as before afterwards."""
    switches: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)  # type: ignore[attr-defined]
    before = [switch.fp32_precision for switch in switches]
    try:
        for switch in switches:
            switch.fp32_precision = "tf32" if tf32 else "ieee"
        yield
    finally:
        for switch, old in zip(switches, before, strict=True):
            switch.fp32_precision = old


def free(device: torch.device) -> None:
    """Give a GPU's memory back that nothing refers to, so that a peak is of what runs now."""
    if device.type == "cuda":  # pragma: no cover  (a GPU's)
        gc.collect()
        torch.cuda.empty_cache()
