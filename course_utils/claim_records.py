"""What claims leave behind: where their records are, what one says, and all claims of a folder.

A lesson that runs writes `claims-NN.json`: its profile, seed, device and versions, and each of its claims
with what was measured. This module imports no torch: tools that only read stay quick.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SCALED = {"%": 100.0, "points": 100.0}  # units in which a share is written
_ABOUT = ("lesson", "profile", "seed", "device", "versions")  # of a record, repeated with each claim
_NEEDED = ("id", "sentence", "measured", "bounds", "verdict")
_LATER = {"unit": "", "shown": "", "visible": True}  # what records of earlier editions lack


def record_folder() -> Path:
    """Where records go: `$COURSE_RECORD_DIR`, else `build/` of the project, never beside the lessons."""
    if chosen := os.environ.get("COURSE_RECORD_DIR"):
        return Path(chosen)
    project = Path(__file__).resolve().parents[1]
    return (project if (project / "pyproject.toml").exists() else Path.cwd()) / "build"


def read(folder: str | Path) -> Iterator[dict[str, Any]]:
    """Every claim of the records `claims-NN.json` in a folder, in order of lessons.

    A record that cannot be read is named in a warning, and the claims of the others are yielded.

    Yields: a claim as it was written, with its record's `lesson`, `profile`, `seed`, `device`, `versions`.
    """
    for path in sorted(Path(folder).glob("claims-[0-9][0-9].json")):
        try:
            found = list(_claims(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError) as problem:
            warnings.warn(f"{path.name} is left out: {problem}", stacklevel=2)
            continue
        yield from found


def describe(bounds: Mapping[str, float], unit: str = "") -> str:
    """A claim's bounds as a reader writes them: "0.9 to 1.1", "≤ 2", "31% ± 1", "within ±0.02"."""
    scale = SCALED.get(unit, 1.0)
    at = {name: plain(scale * value, 3 if name == "tol" else 6) for name, value in bounds.items()}
    parts = []
    if "at_least" in at and "at_most" in at:
        parts.append(f"{at['at_least']} to {with_unit(at['at_most'], unit)}")
    elif "at_least" in at:
        parts.append(f"≥ {with_unit(at['at_least'], unit)}")
    elif "at_most" in at:
        parts.append(f"≤ {with_unit(at['at_most'], unit)}")
    if "about" in at:
        centre = with_unit(at["about"], unit)
        parts.append(f"{centre} ± {at['tol']}" if bounds["tol"] > 0 else f"exactly {centre}")
    if "within" in at:
        parts.append(f"within ±{with_unit(at['within'], unit)}")
    return ", ".join(parts)


def plain(number: float, digits: int = 6) -> str:
    """A number to so many significant digits: "0.693147", "−0.02", "1e-12", "1.5e7"."""
    text = f"{number:.{digits}g}"
    mantissa, e, exponent = text.partition("e")
    return mantissa.replace("-", "−") + (f"e{int(exponent)}" if e else "")


def with_unit(number: str, unit: str) -> str:
    """A written number and its unit: "31%", "6.6×", "23 points", "1 point"."""
    if not unit:
        return number
    if not unit[0].isalpha():
        return number + unit
    return f"{number} {unit.removesuffix('s') if number == '1' else unit}"


def _claims(record: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(record, dict) or not isinstance(record.get("claims"), list):
        raise ValueError("it holds no list of claims")
    about = {name: record[name] for name in _ABOUT if name in record}
    for claim in record["claims"]:
        if not isinstance(claim, dict) or any(name not in claim for name in _NEEDED):
            raise ValueError(f"a claim of it lacks one of {', '.join(_NEEDED)}")
        yield _LATER | claim | about
