"""What sixteen bits bring on a GPU: the newest record, what it says, and a short measurement where one is.

The record is written by `benchmarks/mixed_precision.py`. Nothing is claimed of a machine that nobody
measured: without a record the lesson says that there is none.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from course_utils import recorded
from course_utils._checks import require
from course_utils.claims import claim
from course_utils.intervals import paired_interval
from course_utils.recorded import Record

KIND = "mixed_precision"
NOT_YET = "GPU: not yet recorded. `python -m benchmarks.mixed_precision` on a machine with a GPU records one."


def newest(folder: Path = recorded.FOLDER) -> Record | None:
    """The newest record of a GPU; None where there is none."""
    record = recorded.newest(KIND, folder)
    return record if record is not None and "gpu" in record.machine else None


def live(device: str) -> Record | None:
    """A short measurement, now and here, where `device` is a GPU; None elsewhere. About half a minute."""
    if not device.startswith("cuda"):
        return None
    from course_utils.gpu_benchmark import measure

    settings: dict[str, Any] = {"size": "small", "steps": 60, "seeds": 2}
    rows = measure.measure("small", steps=60, seeds=range(2), device=device)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Record(KIND, rows, recorded.machine(device), now, settings)


def row(record: Record, net: str, precision: str) -> dict[str, Any]:
    """The one row of a net in a precision.

    Raises: ValueError where the record has none.
    """
    rows = [r for r in record.rows if (r["net"], r["precision"]) == (net, precision)]
    require(len(rows) == 1, "one row for the net and precision", net=net, precision=precision, rows=len(rows))
    return rows[0]


def ratios(record: Record, net: str, precision: str) -> dict[str, float]:
    """Step time and peak memory of a precision, as shares of strict float32's."""
    one, base = row(record, net, precision), row(record, net, "fp32")
    return {name: one[name] / base[name] for name in ("step_ms", "peak_mib")}


def say(record: Record | None) -> None:
    """Whose numbers these are, and the claims that they carry; one sentence where nothing is recorded."""
    if record is None:
        print(NOT_YET)
        return
    print(f"GPU: {record.provenance}, driver {record.machine['driver']}")
    for net in ("convnet", "transformer"):
        bf16 = ratios(record, net, "bf16")
        losses = {name: row(record, net, name)["final_losses"] for name in ("fp32", "fp16", "bf16")}
        ours, theirs = row(record, net, "fp16"), row(record, net, "fp16 torch")
        claim(
            f"17.gpu-{net}-time", "A step in bf16 takes less time than in fp32.", bf16["step_ms"], at_most=0.9
        )
        claim(f"17.gpu-{net}-memory", "It needs less memory at its peak.", bf16["peak_mib"], at_most=0.95)
        for name in ("bf16", "fp16"):
            gap = paired_interval(losses[name], losses["fp32"])
            claim(f"17.gpu-{net}-{name}-loss", f"{name} ends at the loss of fp32.", gap, within=0.1)
        skips = abs(ours["skipped_share"] - theirs["skipped_share"])
        claim(
            f"17.gpu-{net}-scaler",
            "Our scaler skips as large a share of steps as torch's.",
            skips,
            at_most=0.01,
        )
