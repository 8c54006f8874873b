"""Flip + rotation + jitter with hue, ours beside kornia's: images per second on 256 x 3 x 32 x 32.

python benchmarks/augmentation.py [--threads 1] [--rounds 60] [--out build/]

Both sides draw once per sample. The runs alternate and each round gives one ratio of times, so that a
busy machine slows both: the table shows the median ratio over the rounds and its middle half.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import kornia.augmentation as K
import torch
from torch import Tensor, nn

from course_utils import recorded
from course_utils._files import write_whole
from course_utils.augmentation import ColorJitter, Compose, RandomHorizontalFlip, RandomRotation

SHAPE = (256, 3, 32, 32)
JITTER = (0.2, 0.2, 0.2, 0.1)

Work = Callable[[Tensor], Tensor]


def rows() -> list[tuple[str, Work, Work]]:
    ours: list[nn.Module] = [RandomHorizontalFlip(0.5), RandomRotation(15.0), ColorJitter(*JITTER)]
    theirs: list[Any] = [
        K.RandomHorizontalFlip(p=0.5),
        K.RandomRotation(15.0, p=1.0),
        K.ColorJitter(*JITTER, p=1.0),
    ]
    names = ["flip", "rotation", "jitter with hue"]
    single = [(name, a, b) for name, a, b in zip(names, ours, theirs, strict=True)]
    fixed = K.ColorJitter(*JITTER, p=1.0, order=(0, 1, 2, 3))
    return [
        ("all three", Compose(ours), K.AugmentationSequential(*theirs)),
        ("all three, kornia in nn.Sequential", Compose(ours), nn.Sequential(*theirs)),
        ("all three, kornia's jitter in our fixed order", Compose(ours), nn.Sequential(*theirs[:2], fixed)),
        *single,
    ]


def seconds(work: Work, x: Tensor) -> float:
    start = time.perf_counter()
    work(x)
    return time.perf_counter() - start


def compare(ours: Work, theirs: Work, x: Tensor, rounds: int) -> dict[str, float]:
    for _ in range(3):
        seconds(ours, x), seconds(theirs, x)
    times = [(seconds(ours, x), seconds(theirs, x)) for _ in range(rounds)]
    quarter, ratio, three_quarters = statistics.quantiles([b / a for a, b in times], n=4)
    return {
        "ours_images_per_s": len(x) / statistics.median(a for a, _ in times),
        "kornia_images_per_s": len(x) / statistics.median(b for _, b in times),
        "ratio": ratio,
        "ratio_quarter": quarter,
        "ratio_three_quarters": three_quarters,
    }


def machine() -> dict[str, str]:
    return recorded.machine() | {
        "date": date.today().isoformat(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "kornia": version("kornia"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("build"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    x = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0))
    results = {}
    print(f"{'':<46}{'ours':>10}{'kornia':>10}  ratio (middle half)")
    for name, ours, theirs in rows():
        row = results[name] = compare(ours, theirs, x, arguments.rounds)
        print(
            f"{name:<46}{row['ours_images_per_s']:>10,.0f}{row['kornia_images_per_s']:>10,.0f}"
            f"  {row['ratio']:.2f} ({row['ratio_quarter']:.2f} to {row['ratio_three_quarters']:.2f})"
        )
    record = {"shape": SHAPE, "unit": "images per second", "machine": machine(), "rows": results}
    write_whole(arguments.out / "augmentation.json", json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
