"""Our layers beside torch.nn's, forward and backward: ratios of medians, measured in turns in one run.

    python benchmarks/layers.py [--out build/bench_layers.json] [--rounds 60] [--threads 1]

Exits with 1 where a ratio is over its limit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor, nn

from course_utils import layers, recorded
from course_utils._files import write_whole

IMAGES, ROWS = (128, 64, 16, 16), (128, 512)
# name, shape, ours, torch's, highest ratio that is accepted (None: reported only)
CASES: list[tuple[str, tuple[int, ...], Callable[[], nn.Module], Callable[[], nn.Module], float | None]] = [
    ("Dropout", IMAGES, lambda: layers.Dropout(0.5), lambda: nn.Dropout(0.5), 0.5),
    ("Dropout", ROWS, lambda: layers.Dropout(0.5), lambda: nn.Dropout(0.5), 0.5),
    ("BatchNorm2d", IMAGES, lambda: layers.BatchNorm2d(64), lambda: nn.BatchNorm2d(64), 2.8),
    ("BatchNorm1d", ROWS, lambda: layers.BatchNorm1d(512), lambda: nn.BatchNorm1d(512), 3.2),
    (
        "BatchNorm2d by_hand",
        IMAGES,
        lambda: layers.BatchNorm2d(64, by_hand=True),
        lambda: nn.BatchNorm2d(64),
        1.6,
    ),
    (
        "BatchNorm1d by_hand",
        ROWS,
        lambda: layers.BatchNorm1d(512, by_hand=True),
        lambda: nn.BatchNorm1d(512),
        2.3,
    ),
    ("GroupNorm(8)", IMAGES, lambda: layers.GroupNorm(8, 64), lambda: nn.GroupNorm(8, 64), None),
    ("LayerNorm", ROWS, lambda: layers.LayerNorm(512), lambda: nn.LayerNorm(512), None),
    ("RMSNorm", ROWS, lambda: layers.RMSNorm(512), lambda: nn.RMSNorm(512), None),
]


def seconds(layer: nn.Module, x: Tensor, g: Tensor, calls: int) -> float:
    """Seconds for one forward and backward, the mean of `calls` of them."""
    start = time.perf_counter()
    for _ in range(calls):
        x.grad = None
        layer.zero_grad()
        layer(x).backward(g)
    return (time.perf_counter() - start) / calls


def compare(
    ours: nn.Module, reference: nn.Module, shape: tuple[int, ...], rounds: int
) -> tuple[float, float]:
    """Median seconds of ours and of the reference, measured in turns, the first of a turn changing."""
    x, g = torch.randn(shape, requires_grad=True), torch.randn(shape)
    calls = 1 if x.numel() > 10**6 else 10
    pair: list[tuple[nn.Module, list[float]]] = [(ours, []), (reference, [])]
    for turn in range(rounds + 3):
        for layer, times in pair if turn % 2 else reversed(pair):
            spent = seconds(layer, x, g, calls)
            if turn >= 3:  # the first turns warm up
                times.append(spent)
    return statistics.median(pair[0][1]), statistics.median(pair[1][1])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", default="build/bench_layers.json")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    rows: list[dict[str, Any]] = []
    print(f"{'layer':<22}{'shape':<20}{'ours ms':>9}{'torch ms':>10}{'ratio':>7}{'limit':>7}")
    for name, shape, ours, reference, limit in CASES:
        mine, theirs = compare(ours(), reference(), shape, args.rounds)
        ratio = mine / theirs
        rows.append(
            {
                "layer": name,
                "shape": shape,
                "ours_ms": mine * 1e3,
                "torch_ms": theirs * 1e3,
                "ratio": ratio,
                "limit": limit,
            }
        )
        verdict = "" if limit is None else f"{limit:>7.1f}{'' if ratio <= limit else '  over'}"
        print(f"{name:<22}{shape!s:<20}{mine * 1e3:>9.3f}{theirs * 1e3:>10.3f}{ratio:>7.2f}{verdict}")
    machine = recorded.machine() | {"date": datetime.now(UTC).date().isoformat()}
    write_whole(
        args.out, json.dumps({"machine": machine, "rounds": args.rounds, "rows": rows}, indent=1) + "\n"
    )
    return int(any(row["limit"] is not None and row["ratio"] > row["limit"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
