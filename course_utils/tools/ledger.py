"""The claims of a run beside those of an earlier one, the claims nearest to their bounds first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils._checks import require
from course_utils.claim_records import describe

ORDER = {"fails": 0, "holds": 1, "not judged": 1}


@dataclass(frozen=True)
class Entry:
    """One claim now and before. `used` is the share of its tolerance that was taken; 1 is the edge."""

    claim: Mapping[str, Any] | None
    before: Mapping[str, Any] | None

    @property
    def id(self) -> str:
        return str((self.claim or self.before or {})["id"])

    @property
    def used(self) -> float | None:
        return None if self.claim is None else self.claim.get("used")

    @property
    def news(self) -> str:
        """What is new since the earlier record: a claim, its bounds, its verdict, its place in them."""
        if self.claim is None:
            return "gone"
        if self.before is None:
            return "new"
        if self.claim["verdict"] != self.before["verdict"]:
            return f"{self.before['verdict']} before"
        if self.claim["bounds"] != self.before["bounds"]:
            return f"bounds were {describe(self.before['bounds'])}"
        used, earlier = self.used, self.before.get("used")
        if used is None or earlier is None or abs(used - earlier) < 0.005:
            return ""
        return f"{earlier:.0%} before"


def read(folder: str | Path) -> dict[str, Mapping[str, Any]]:
    """Every claim of the records `claims-NN.json` in a folder, by id; empty where there are none."""
    found: dict[str, Mapping[str, Any]] = {}
    for path in sorted(Path(folder).glob("claims-[0-9][0-9].json")):
        for claim in json.loads(path.read_text(encoding="utf-8"))["claims"]:
            found[claim["id"]] = claim
    return found


def compare(now: str | Path, before: str | Path | None = None) -> list[Entry]:
    """The claims of two folders of records: what fails first, then by the share of the tolerance used.

    Claims that only the earlier record has come last; without `before`, nothing is new.
    """
    claims = read(now)
    earlier = claims if before is None else read(before)
    entries = [Entry(claim, earlier.get(id)) for id, claim in claims.items()]
    entries.sort(key=lambda entry: (ORDER[(entry.claim or {})["verdict"]], -(entry.used or 0.0), entry.id))
    return entries + [Entry(None, claim) for id, claim in sorted(earlier.items()) if id not in claims]


def markdown(entries: list[Entry], *, most: int = 40) -> str:
    """A table of the first `most` claims, of everything that is new, and how many were left out."""
    require(most >= 1, "most >= 1", most=most)
    shown = [entry for place, entry in enumerate(entries) if place < most or entry.news]
    lines = ["| Claim | Verdict | Tolerance used | Since the earlier record |", "|---|---|---|---|"]
    for entry in shown:
        verdict = "" if entry.claim is None else entry.claim["verdict"]
        used = "" if entry.used is None else f"{entry.used:.0%}"
        lines.append(f"| `{entry.id}` | {verdict} | {used} | {entry.news} |")
    return "\n".join([*lines, "", f"{len(entries) - len(shown)} more claims, unchanged.", ""])
