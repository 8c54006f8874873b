"""claim(): a sentence, a measured value, its bounds.

A sentence of a lesson that states a number, an order or an equality is followed by a call that measures
it. The call prints one line that reads the same on every machine and keeps the exact value in a record.

    claim("05.same-steps", "Two conventions take the same steps.", distance, at_most=1e-12)
    holds  05.same-steps  Two conventions take the same steps.  (measured <= 1e-12)
"""

from __future__ import annotations

import json
import math
import os
import platform
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from course_utils import profiles
from course_utils._checks import require
from course_utils._files import write_whole
from course_utils.intervals import Interval


class ClaimError(AssertionError):
    """A sentence of a lesson is not true of what the lesson just measured."""


_records: dict[str, tuple[profiles.Run, dict[str, dict[str, Any]]]] = {}  # lesson -> its run, its claims


def claim(
    id: str,
    sentence: str,
    measured: float | Interval | torch.Tensor,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    about: float | None = None,
    tol: float | None = None,
    within: float | None = None,
    reference: str | None = None,
    seeds: int | None = None,
) -> None:
    """State a sentence, measure it, and stop the lesson where it does not hold.

    An `Interval` is judged as a whole: its low end for `at_least`, its high end for `at_most`, both ends
    for `about` ± `tol` and for `within`. It makes the claim statistical, and so does `seeds=`: at the
    `smoke` profile a statistical claim is recorded and not judged.

    Args:
        id: "NN.slug", the lesson's number and a name, permanent and unique over the course.
        sentence: what is claimed, one sentence.
        measured: a number (True counts as 1), or the interval of a mean over seeds. NaN never holds.
        at_least, at_most: bounds on the measured value; either or both.
        about, tol: the measured value lies in about ± tol.
        within: an equivalence: the measured value lies in [-within, +within].
        reference: where the stated value comes from, as "Polyak (1964)".
        seeds: how many seeds stand behind a measured number that is not an `Interval`.
    Raises:
        ClaimError: where it does not hold; under a runner (`COURSE_COLLECT_CLAIMS=1`) the claim is only
            recorded, and the runner fails the lesson at its end.
        ValueError: for an id of the wrong form, one used twice under a runner, or missing bounds.
    """
    require(
        re.fullmatch(r"\d\d\.[a-z0-9]+(-[a-z0-9]+)*", id) is not None,
        'an id like "05.same-steps" (two digits, a point, lower-case words joined by hyphens)',
        id=id,
    )
    bounds = _bounds(at_least=at_least, at_most=at_most, about=about, tol=tol, within=within)
    low, high, count, value = _ends(measured)
    run, claims = _record_of(id)
    statistical = count is not None or seeds is not None
    said = "not judged" if statistical and run.profile == "smoke" else _judge(low, high, bounds)
    claims[id] = {
        "id": id,
        "sentence": sentence,
        "kind": "statistical" if statistical else "exact",
        "measured": value,
        "bounds": bounds,
        "verdict": said,
        "seeds": count if count is not None else seeds,
        "reference": reference,
        "seconds": round(time.time() - run.started, 3),
        "used": _used(low, high, bounds),
    }
    _write(id[:2], run, claims)
    line = f"{said}  {id}  {sentence}  ({describe(bounds)})"
    if said == "fails" and os.environ.get("COURSE_COLLECT_CLAIMS", "") in ("", "0"):
        raise ClaimError(f"{line}\nmeasured {measured}")
    print(line if profiles.headless() else f"{line}  measured {_short(measured)}")


def largest(*values: Any) -> float:
    """The largest of numbers, tensors and iterables of them; NaN where any of them is NaN.

    Python's `max` drops a NaN that does not come first, so that a broken rule could pass for an exact one.
    No bound of a claim admits a NaN.
    """
    found = list(_numbers(values))
    require(bool(found), "at least one value", values=0)
    return math.nan if any(map(math.isnan, found)) else max(found)


def smallest(*values: Any) -> float:
    """The smallest of numbers, tensors and iterables of them; NaN where any is NaN (see `largest`)."""
    return -largest(*(-number for number in _numbers(values)))


def verdict(
    measured: float | Interval | torch.Tensor,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    about: float | None = None,
    tol: float | None = None,
    within: float | None = None,
) -> str:
    """What a claim with these bounds would say, "holds" or "fails"; nothing is recorded or raised.

    Args: as for `claim`.
    Raises: ValueError for missing bounds.
    """
    bounds = _bounds(at_least=at_least, at_most=at_most, about=about, tol=tol, within=within)
    low, high, _, _ = _ends(measured)
    return _judge(low, high, bounds)


def record_folder() -> Path:
    """Where records go: `$COURSE_RECORD_DIR`, else `build/` of the project, never beside the lessons."""
    if chosen := os.environ.get("COURSE_RECORD_DIR"):
        return Path(chosen)
    project = Path(__file__).resolve().parents[1]
    return (project if (project / "pyproject.toml").exists() else Path.cwd()) / "build"


def describe(bounds: dict[str, float]) -> str:
    """A claim's bounds as a reader writes them: "0.9 <= measured <= 1.1"."""
    parts = []
    if "at_least" in bounds and "at_most" in bounds:
        parts.append(f"{bounds['at_least']:.6g} <= measured <= {bounds['at_most']:.6g}")
    elif "at_least" in bounds:
        parts.append(f"measured >= {bounds['at_least']:.6g}")
    elif "at_most" in bounds:
        parts.append(f"measured <= {bounds['at_most']:.6g}")
    if "about" in bounds:
        parts.append(f"measured = {bounds['about']:.6g} ± {bounds['tol']:.3g}")
    if "within" in bounds:
        parts.append(f"measured within ±{bounds['within']:.6g}")
    return ", ".join(parts)


def _bounds(**given: float | None) -> dict[str, float]:
    bounds = {name: float(value) for name, value in given.items() if value is not None}
    require(bool(bounds), "a bound: at_least, at_most, about with tol, or within")
    require(("about" in bounds) == ("tol" in bounds), "about and tol together", bounds=bounds)
    require(all(math.isfinite(value) for value in bounds.values()), "finite bounds", bounds=bounds)
    require(
        bounds.get("tol", 0) >= 0 and bounds.get("within", 0) >= 0, "tol >= 0 and within >= 0", bounds=bounds
    )
    return bounds


def _ends(measured: float | Interval | torch.Tensor) -> tuple[float, float, int | None, Any]:
    """Low end, high end, number of seeds, and what goes to the record."""
    if isinstance(measured, Interval):
        value = {name: _json(getattr(measured, name)) for name in ("mean", "low", "high", "n", "level")}
        return measured.low, measured.high, measured.n, value
    number = float(measured.detach() if isinstance(measured, torch.Tensor) else measured)
    return number, number, None, _json(number)


def _json(number: float) -> float | str:
    """JSON has no NaN and no infinity."""
    return number if math.isfinite(number) else str(number)


def _judge(low: float, high: float, bounds: dict[str, float]) -> str:
    return "holds" if all(_inside(low, high, name, bounds) for name in bounds if name != "tol") else "fails"


def _inside(low: float, high: float, name: str, bounds: dict[str, float]) -> bool:
    """Whether one bound holds; written so that NaN never does."""
    bound = bounds[name]
    if name == "at_least":
        return low >= bound
    if name == "at_most":
        return high <= bound
    centre, width = (bound, bounds["tol"]) if name == "about" else (0.0, bound)
    return low >= centre - width and high <= centre + width


def _used(low: float, high: float, bounds: dict[str, float]) -> float | None:
    """The largest share of a tolerance that the measurement used up: 1 is the edge, None is no tolerance."""
    shares = []
    if "at_least" in bounds and "at_most" in bounds and bounds["at_most"] > bounds["at_least"]:
        centre = (bounds["at_least"] + bounds["at_most"]) / 2
        shares.append(max(centre - low, high - centre) / (bounds["at_most"] - centre))
    elif bounds.get("at_most", 0) > 0 and high >= 0:
        shares.append(high / bounds["at_most"])
    elif bounds.get("at_least", 0) > 0 and low > 0:
        shares.append(bounds["at_least"] / low)
    elif low != high and "at_least" in bounds:  # an interval beside zero: its half width over its distance
        shares.append((high - low) / 2 / max((low + high) / 2 - bounds["at_least"], 1e-300))
    elif low != high and "at_most" in bounds:
        shares.append((high - low) / 2 / max(bounds["at_most"] - (low + high) / 2, 1e-300))
    if bounds.get("tol", 0) > 0:
        shares.append(max(abs(low - bounds["about"]), abs(high - bounds["about"])) / bounds["tol"])
    if bounds.get("within", 0) > 0:
        shares.append(max(abs(low), abs(high)) / bounds["within"])
    largest = max(shares, default=math.nan)
    return round(largest, 6) if math.isfinite(largest) else None


def _record_of(id: str) -> tuple[profiles.Run, dict[str, dict[str, Any]]]:
    run = profiles.current()
    known = _records.get(id[:2])
    if known is None or known[0] is not run:  # a lesson that starts again starts its record again
        known = _records[id[:2]] = (run, {})
    require(id not in known[1] or not profiles.headless(), "a claim's id to be used once in a lesson", id=id)
    return known


def _write(lesson: str, run: profiles.Run, claims: dict[str, dict[str, Any]]) -> None:
    record = {
        "lesson": lesson,
        "profile": run.profile,
        "seed": run.seed,
        "device": run.device,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "sizes": run.declared,
        "claims": list(claims.values()),
    }
    write_whole(
        record_folder() / f"claims-{lesson}.json", json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    )


def _numbers(values: Any) -> Iterator[float]:
    if isinstance(values, torch.Tensor):
        yield from (float(value) for value in values.detach().flatten())
    elif isinstance(values, Iterable):
        for value in values:
            yield from _numbers(value)
    else:
        yield float(values)


def _short(measured: float | Interval | torch.Tensor) -> str:
    return str(measured) if isinstance(measured, Interval) else f"{float(measured):.4g}"
