"""What sixteen bits bring: step time, peak memory, skipped steps and final loss in each precision.

    python -m benchmarks.mixed_precision                          on a GPU: records it for lesson 17
    python -m benchmarks.mixed_precision --device cpu --size tiny to see that it works

A convolutional net and a transformer are trained on tasks that make their own data, in

    fp32         strict: no product is rounded to tf32
    tf32         float32 products rounded to tf32 (GPUs only)
    fp16         autocast with our GradScaler
    fp16 torch   autocast with torch's
    bf16         autocast, no scaler

Steps are timed on one batch after a warm-up, by device events, and the median is kept. The final loss is
the mean over fresh batches, computed in strict fp32, for each seed. One JSON is written with device, driver,
versions and date: on a GPU to the folder that lesson 17 reads, else to `build/`. Needs torch, numpy and this
repository, run from its root; no Jupyter, no network.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from course_utils import recorded
from course_utils.gpu_benchmark import measure
from course_utils.gpu_benchmark.tasks import SIZES

NETS = ("convnet", "transformer")


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--size", choices=sorted(SIZES), help="default: standard on a GPU, tiny elsewhere")
    parser.add_argument("--nets", nargs="+", choices=NETS, default=NETS)
    parser.add_argument("--steps", type=int, default=300, help="training steps of each seed")
    parser.add_argument("--timed", type=int, default=30, help="steps that are timed, one by one")
    parser.add_argument("--warm-up", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=6, help="how many; two or more for an interval")
    parser.add_argument("--out", type=Path, help="folder of the record")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> Path:
    options = arguments(words)
    gpu = torch.device(options.device).type == "cuda"
    size = options.size or ("standard" if gpu else "tiny")
    whole = size == "standard" and set(options.nets) == set(NETS)
    out = options.out or (recorded.FOLDER if gpu and whole else Path("build"))
    about = recorded.machine(options.device)
    print("  ".join(f"{key}={value}" for key, value in about.items()), flush=True)
    rows = measure.measure(
        size,
        steps=options.steps,
        timed=options.timed,
        warm_up=options.warm_up,
        seeds=range(options.seeds),
        device=options.device,
        nets=options.nets,
        say=lambda line: print(line, flush=True),
    )
    settings = {
        "size": size,
        "sizes": dict(zip(NETS, map(list, SIZES[size]), strict=True)),
        "steps": options.steps,
        "timed": options.timed,
        "warm_up": options.warm_up,
        "seeds": options.seeds,
        "scaling": measure.SCALING,
        "optimizer": "Adam",
    }
    out.mkdir(parents=True, exist_ok=True)
    path = recorded.save("mixed_precision", rows, settings=settings, device=options.device, folder=out)
    print(f"written to {path}")
    return path


if __name__ == "__main__":
    main()
