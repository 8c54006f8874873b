"""claim(): a sentence, a measured value, its bounds.

A sentence of a lesson that states a number, an order or an equality is followed by a call that measures
it. The call shows one line, led by what was measured, and keeps the exact value in a record.

    claim("05.quarter", "Four draws have a quarter of the variance.", share, at_most=0.27)
    ✓ Four draws have a quarter of the variance: 0.249 [0.246, 0.252], 24 seeds (asked ≤ 0.27)  05.quarter

In a notebook the claims that a cell makes in a row are one table. What is worth guarding and not worth a
reader's time is folded into one line:

    with also_checked("the rates of this lesson"):
        claim(...)
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import platform
import re
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import claim_lines, markup, profiles
from course_utils._checks import is_tensor, loaded_torch, require
from course_utils._files import write_whole
from course_utils.claim_lines import Block
from course_utils.claim_records import record_folder
from course_utils.intervals import Interval

if TYPE_CHECKING:
    import torch


class ClaimError(AssertionError):
    """A sentence of a lesson is not true of what the lesson just measured."""


_records: dict[str, tuple[profiles.Run, dict[str, dict[str, Any]]]] = {}  # lesson -> its run, its claims
_folded: list[dict[str, Any]] | None = None  # claims of the also_checked() that is open
_told: profiles.Run | None = None  # the run whose reader was told that a failing claim may be play
_waiting: list[Block] = []  # claims of the running cell that are not shown yet


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
    unit: str = "",
    digits: int | None = None,
) -> None:
    """State a sentence, measure it, and say where it does not hold.

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
        unit: follows the number where it is shown: "steps", "×". With "%" or "points" a share is shown a
            hundred times as large; `measured` and bounds stay shares.
        digits: how many significant digits are shown; by default as many as machines share.
    Raises:
        ClaimError: where it does not hold, outside of a notebook. In one the lesson goes on, and who plays
            with a value is told that this is play. Under a runner (`COURSE_COLLECT_CLAIMS=1`) the claim is
            only recorded, and the runner fails the lesson at its end.
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
    truth = _judge(low, high, bounds)
    shown, rounded = claim_lines.rounded(
        value, bounds, unit=unit, digits=digits, agrees=lambda low, high: _judge(low, high, bounds) == truth
    )
    claims[id] = {
        "id": id,
        "sentence": sentence,
        "kind": "statistical" if statistical else "exact",
        "measured": value,
        "bounds": bounds,
        "verdict": "not judged" if statistical and run.profile == "smoke" else truth,
        "seeds": count if count is not None else seeds,
        "reference": reference,
        "seconds": round(time.time() - run.started, 3),
        "used": _used(low, high, bounds),
        "unit": unit,
        "shown": shown,
        "visible": _folded is None,
    }
    _write(id[:2], run, claims)
    made = claims[id] | {"rounded": rounded}
    if _folded is not None:
        _folded.append(made)
    fails, collected = claims[id]["verdict"] == "fails", os.environ.get("COURSE_COLLECT_CLAIMS", "")
    if fails and collected in ("", "0") and not _read_in_a_notebook():
        raise ClaimError(
            f"{claim_lines.line(made)}\nmeasured {measured}\n"
            "If you changed nothing that it depends on, docs/claim_failed.md says where to look."
        )
    if _folded is None:
        _show(Block((made,)))
        if fails:
            _say_that_it_may_be_play(id)


@contextlib.contextmanager
def also_checked(topic: str = "") -> Iterator[None]:
    """Fold the claims made within into one line: "7 further statements hold: the rates of lesson 05".

    They are judged and recorded like any other claim, and raise where any other would. The line opens on
    them in a notebook; what fails is shown in full.

    Args:
        topic: what they are about, a few words after a colon.
    Raises: ValueError within another `also_checked`, and where no claim is made.
    """
    global _folded
    require(_folded is None, "no also_checked within another", topic=topic)
    made: list[dict[str, Any]] = []
    _folded = made
    try:
        yield
    finally:
        _folded = None
        if made:
            _show(Block(tuple(made), topic))
            for one in (one for one in made if one["verdict"] == "fails"):
                _say_that_it_may_be_play(one["id"])
    require(bool(made), "a claim within also_checked", topic=topic)


def _read_in_a_notebook() -> bool:
    """Whether a reader runs the cells, not a runner, a script or a test."""
    return markup.in_notebook() and not profiles.headless()


def _say_that_it_may_be_play(id: str) -> None:
    """Once in a run: a sentence that fails after a change is what the change was made to see."""
    global _told
    run = profiles.current()
    if _told is run or not _read_in_a_notebook():
        return
    _told = run
    head = "Did you change something above? Then this is play, not an error."
    body = (
        "The sentence is about the lesson's own values. With yours it does not hold, and that is worth "
        "knowing. Go on: every cell below still runs."
    )
    cure = (
        "If you changed nothing: restart the kernel and run all cells. If it fails again, "
        f"docs/claim_failed.md says where to look, and `make lab FRESH={id[:2]}` puts a fresh copy of the "
        "lesson beside yours."
    )
    page = markup.card(
        "open", "?", head, markup.paragraph(markup.marked(body)), markup.paragraph(markup.marked(cure))
    )
    markup.show(page, "\n".join([head, body, cure]))


def largest(*values: Any) -> float:
    """The largest of numbers, tensors and iterables of them; NaN where any of them is NaN.

    Python's `max` drops a NaN that does not come first, so that a broken rule could pass for an exact one.
    No bound of a claim admits a NaN.
    """
    numbers = list(_numbers(values))
    require(bool(numbers), "at least one value", values=0)
    return math.nan if any(map(math.isnan, numbers)) else max(numbers)


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
    plain = measured.detach() if is_tensor(measured) else measured
    number = float(plain)
    dtype = str(getattr(plain, "dtype", "")).removeprefix("torch.")
    logical = isinstance(plain, bool) or dtype == "bool"
    return number, number, None, bool(plain) if logical else _json(number)


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
        "versions": _versions(),
        "sizes": run.declared,
        "claims": list(claims.values()),
    }
    write_whole(
        record_folder() / f"claims-{lesson}.json", json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    )


def _versions() -> dict[str, str]:
    torch = loaded_torch()
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    return versions | ({"torch": str(torch.__version__)} if torch else {})


class _Waiting:
    """Stands in for sys.stdout while claims wait; whoever uses it next has them shown first.

    A print, a figure (IPython flushes stdout before it sends one), a result, a traceback and the end of a
    cell all do. So claims stand in order among them, in one table where nothing comes between.
    """

    stream: Any = None  # the sys.stdout that it stands for

    def __getattr__(self, name: str) -> Any:
        if sys.stdout is self:
            sys.stdout = self.stream
        _flush()
        return getattr(self.stream, name)


_stand_in = _Waiting()  # one for ever: print() keeps no reference to the sys.stdout that it writes to


def _show(block: Block) -> None:
    """In a notebook with what follows it in the cell, in a terminal or a redirected stdout at once."""
    if not markup.in_notebook() or isinstance(sys.stdout, io.StringIO):
        print(claim_lines.text(block))
        return
    _waiting.append(block)
    if sys.stdout is not _stand_in:
        _stand_in.stream, sys.stdout = sys.stdout, _stand_in


def _flush() -> None:
    """Show what waits: neighbours in the open as one table, each fold for itself, all as one output."""
    blocks: list[Block] = []
    for block in _waiting:
        if blocks and not (block.folded or blocks[-1].folded):
            blocks[-1] = Block((*blocks[-1].claims, *block.claims))
        else:
            blocks.append(block)
    _waiting.clear()
    if blocks:
        text = "\n".join(map(claim_lines.text, blocks))
        markup.show(claim_lines.page(blocks), text, about=claim_lines.about(blocks))


def _numbers(values: Any) -> Iterator[float]:
    if is_tensor(values):
        yield from (float(value) for value in values.detach().flatten())
    elif isinstance(values, Iterable):
        for value in values:
            yield from _numbers(value)
    else:
        yield float(values)
