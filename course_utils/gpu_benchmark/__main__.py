"""Everything that the course wants to know of a GPU, in one go: `python -m course_utils.gpu_benchmark`.

    --tiny                 all of it in seconds, on the processor: to see that it works before a GPU is lent
    --only PART ...        precisions, steps, language: some of it
    --minutes 10           begin no further part after so many

Three parts, the most wanted first, each recorded as soon as it is measured:

    precisions   training a convolutional net and a transformer in fp32, tf32, fp16, bf16, with checkpoints;
                 then the claims of lesson 17, which are judged and reported
    steps        the optimizers' step beside moving its bytes: small tensors, ten million, a thousand million
    language     a language model with momentum, Adam, AdamW and Muon, three rates each

On a GPU at the size "standard" records go to the folder that the lessons read, else to `build/gpu`. Needs
torch, numpy and this package; no Jupyter, no matplotlib, no SciPy, no network. Ends with 1
where a part broke.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from course_utils import profiles, recorded
from course_utils.gpu_benchmark import language_model, measure, optimizer_steps, tasks
from course_utils.recorded import Record

Say = Callable[[str], None]
PRECISIONS: dict[str, dict[str, Any]] = {
    "tiny": {"steps": 4, "timed": 2, "warm_up": 1, "seeds": range(2)},
    "small": {"steps": 60, "timed": 10, "warm_up": 5, "seeds": range(2)},
    "standard": {"steps": 300, "timed": 30, "warm_up": 15, "seeds": range(6)},
}


def precisions(size: str, device: str, say: Say) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    how = PRECISIONS[size]
    rows = measure.measure(size, device=device, say=say, **how)
    settings = how | {"seeds": len(how["seeds"]), "sizes": list(map(list, tasks.SIZES[size]))}
    return rows, settings | {"scaling": measure.SCALING, "optimizer": "Adam"}


def steps(size: str, device: str, say: Say) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    # compiling takes a minute and a compiler on a processor: benchmarks/optimizers.py does it there
    compile = torch.device(device).type == "cuda"
    rows = optimizer_steps.measure(size, device=device, compile=compile, say=say)
    return rows, {"rounds": {name: rounds for name, (_, rounds) in optimizer_steps.WORKLOADS[size].items()}}


def language(size: str, device: str, say: Say) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    rows = language_model.measure(size, device=device, say=say)
    return rows, vars(language_model.SIZES[size]) | {"seed": 0, "clip": language_model.CLIP}


# part -> (kind of its record, what measures it)
PARTS: dict[str, tuple[str, Callable[..., tuple[list[dict[str, Any]], dict[str, Any]]]]] = {
    "precisions": ("mixed_precision", precisions),
    "steps": ("gpu_optimizer_steps", steps),
    "language": ("gpu_language_model", language),
}


def judged(found: Record, say: Say) -> None:
    """The claims of lesson 17 on a record, each reported; the first that fails ends them."""
    try:
        from course_utils.claims import ClaimError
        from course_utils.gpu_benchmark import record
    except ModuleNotFoundError as problem:  # their intervals are SciPy's, which such a machine may lack
        say(f"lesson 17's claims are not judged here: {problem}")
        return
    profiles.start("standard", 0, "cpu")
    with _records_elsewhere():
        try:
            record.say(found)
        except ClaimError as problem:
            say(f"a claim does not hold here:\n{problem}")


@contextlib.contextmanager
def _records_elsewhere() -> Iterator[None]:
    """What is claimed here is no lesson's run, whose records are kept."""
    before = os.environ.get("COURSE_RECORD_DIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COURSE_RECORD_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["COURSE_RECORD_DIR"]
            if before is not None:
                os.environ["COURSE_RECORD_DIR"] = before


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.gpu_benchmark", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--tiny", action="store_true", help="all of it in seconds, on the processor")
    parser.add_argument("--device", help="cuda, cuda:1, cpu; default: cuda where there is one")
    parser.add_argument("--size", choices=sorted(PRECISIONS), help="default: standard on a GPU, else tiny")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--minutes", type=float, default=10.0, help="begin no further part after so many")
    parser.add_argument("--out", type=Path, help="folder of the records")
    chosen = parser.parse_args(words)
    if chosen.device is None:
        chosen.device = "cuda" if torch.cuda.is_available() and not chosen.tiny else "cpu"
    gpu = torch.device(chosen.device).type == "cuda"
    chosen.size = "tiny" if chosen.tiny else chosen.size or ("standard" if gpu else "tiny")
    if chosen.out is None:
        chosen.out = recorded.FOLDER if gpu and chosen.size == "standard" else Path("build/gpu")
    return chosen


def main(words: Sequence[str] | None = None) -> int:
    """Measure and record each part; 1 where one of them broke, with what it said."""
    chosen = arguments(words)
    begun, broken = time.monotonic(), []

    def say(line: str) -> None:
        print(line, flush=True)

    say("  ".join(f"{key}={value}" for key, value in recorded.machine(chosen.device).items()))
    chosen.out.mkdir(parents=True, exist_ok=True)
    for part in chosen.only:
        spent = time.monotonic() - begun
        if spent > 60 * chosen.minutes:
            say(f"{part}: left out, {spent / 60:.1f} minutes are gone")
            continue
        kind, measured = PARTS[part]
        say(f"\n{part}, size {chosen.size}, after {spent:.0f} s")
        try:
            rows, settings = measured(chosen.size, chosen.device, say)
        except Exception:  # an out-of-memory, a compiler: the other parts are worth having
            traceback.print_exc()
            broken.append(part)
            continue
        settings |= {"size": chosen.size, "device": chosen.device}
        path = recorded.save(kind, rows, settings=settings, device=chosen.device, folder=chosen.out)
        say(f"recorded in {path}")
        if part == "precisions" and (found := recorded.newest(kind, chosen.out)) is not None:
            if "gpu" in found.machine:
                judged(found, say)
            else:
                say("a processor's: lesson 17's claims on a GPU are not judged")
    say(f"\nall in {time.monotonic() - begun:.0f} s" + (f"; broke: {', '.join(broken)}" if broken else ""))
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
