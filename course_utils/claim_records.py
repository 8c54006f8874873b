"""What claims leave behind: where their records are, what one says, and all claims of a folder.

A lesson that runs writes `claims-NN.json`: its profile, seed, device and versions, and each of its claims
with what was measured. This is the one place that reads such a file; it imports no torch, so that tools that
only read stay quick.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any

SCALED = {"%": 100.0, "points": 100.0}  # units in which a share is written
VERDICTS = ("holds", "fails", "not judged")

Claim = dict[str, Any]
Kinds = Mapping[str, tuple[type, ...]]  # name -> what its value may be
_NUMBER: tuple[type, ...] = (int, float)
_RECORD: Kinds = {
    "claims": (list,), "lesson": (str,), "profile": (str,), "seed": (int,), "device": (str,),
    "versions": (dict,), "sizes": (dict,),
}  # fmt: skip
_CLAIM: Kinds = {
    "id": (str,), "sentence": (str,), "measured": (*_NUMBER, str, dict), "bounds": (dict,),
    "verdict": (str,), "kind": (str,), "seeds": (int, NoneType), "reference": (str, NoneType),
    "seconds": (*_NUMBER, NoneType), "used": (*_NUMBER, NoneType), "unit": (str,), "shown": (str,),
    "visible": (bool,),
}  # fmt: skip
_NEEDED = ("id", "sentence", "measured", "bounds", "verdict")
_INTERVAL: Kinds = {
    "level": _NUMBER, "n": (int,), **dict.fromkeys(("mean", "low", "high"), (*_NUMBER, str)),
}  # fmt: skip
_BOUNDS: Kinds = dict.fromkeys(("at_least", "at_most", "about", "tol", "within"), _NUMBER)
_SIZE: Kinds = dict.fromkeys(("smoke", "standard", "full"), (int,))
_ABOUT = ("lesson", "profile", "seed", "device", "versions")  # of a record, repeated with each claim
# What records of earlier editions lack.
_LATER = {
    "kind": "", "seeds": None, "reference": None, "seconds": None, "used": None, "unit": "", "shown": "",
    "visible": True,
}  # fmt: skip


def record_folder() -> Path:
    """Where records go: `$COURSE_RECORD_DIR`, else `build/` of the project, never beside the lessons."""
    if chosen := os.environ.get("COURSE_RECORD_DIR"):
        return Path(chosen)
    project = Path(__file__).resolve().parents[1]
    return (project if (project / "pyproject.toml").exists() else Path.cwd()) / "build"


def record_name(lesson: str) -> str:
    """The file of a lesson's record: "05" and "05_momentum" -> "claims-05.json"."""
    return f"claims-{lesson[:2]}.json"


def read(folder: str | Path, *, left_out: Callable[[str], None] | None = None) -> Iterator[Claim]:
    """Every claim of the records `claims-NN.json` in a folder, in order of lessons.

    A record that cannot be read is named, and the claims of the others are yielded.

    Args:
        left_out: called with a line for each record that cannot be read; by default the line is a warning.
    Yields: a claim as it was written, with its record's `lesson`, `profile`, `seed`, `device`, `versions`.
    """
    for path in sorted(Path(folder).glob("claims-[0-9][0-9].json")):
        try:
            record = parse(path.read_bytes())
        except (OSError, ValueError) as problem:
            line = f"{path.name} is left out: {problem}"
            if left_out is None:
                warnings.warn(line, stacklevel=2)
            else:
                left_out(line)
            continue
        about = {name: record[name] for name in _ABOUT if name in record}
        yield from (claim | about for claim in record["claims"])


def parse(content: bytes) -> dict[str, Any]:
    """One record from the bytes of its file.

    Raises: ValueError where it is no record, in words: which claim lacks what, or has what of another kind.
    """
    try:
        record = json.loads(content.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested without an end") from None
    _check(record, _RECORD, needed=("claims",), of="the record")
    for name, size in record.get("sizes", {}).items():
        _check(size, _SIZE, needed=_SIZE, of=f"size {name}")
    claims = [_parsed(claim, place) for place, claim in enumerate(record["claims"], 1)]
    return {**record, "claims": claims}


def by_id(claims: Iterable[Mapping[str, Any]]) -> dict[str, Claim]:
    """Claims by their ids; of two with one id the later."""
    return {claim["id"]: {**_LATER, **claim} for claim in claims}


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


def _parsed(claim: Any, place: int) -> Claim:
    named = isinstance(claim, dict) and isinstance(claim.get("id"), str)
    name = f"claim {claim['id']}" if named else f"claim number {place}"
    _check(claim, _CLAIM, needed=_NEEDED, of=name)
    if claim["verdict"] not in VERDICTS:
        raise ValueError(f"the verdict of {name} is {claim['verdict']!r}")
    if isinstance(claim["measured"], dict):
        _check(claim["measured"], _INTERVAL, needed=_INTERVAL, of=f"what {name} measured")
        for end in ("mean", "low", "high"):
            float(claim["measured"][end])  # what is not finite is written by its name: "nan"
    _check(claim["bounds"], _BOUNDS, needed=(), of=f"the bounds of {name}")
    if ("about" in claim["bounds"]) != ("tol" in claim["bounds"]):
        raise ValueError(f"the bounds of {name} have one of about and tol without the other")
    return {**_LATER, **claim}


def _check(found: Any, kinds: Kinds, *, needed: Iterable[str], of: str) -> None:
    """Refuse what is no table, lacks a name, or has a value of another kind."""
    if not isinstance(found, dict):
        raise ValueError(f"{of} is a {type(found).__name__}, not a table of names")
    if missing := [name for name in needed if name not in found]:
        raise ValueError(f"{of} lacks {', '.join(missing)}")
    for name, value in found.items():
        if name in kinds and not isinstance(value, kinds[name]):
            raise ValueError(f"{name} of {of} is a {type(value).__name__}")
