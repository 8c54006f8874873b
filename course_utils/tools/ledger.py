"""The claims of a run beside those of an earlier one; and the ledger that ships with the course."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils import recorded
from course_utils._checks import require
from course_utils.claim_lines import stored
from course_utils.claim_records import describe, read
from course_utils.tools import lessons

ORDER = {"fails": 0, "holds": 1, "not judged": 1}
Claims = Mapping[str, Mapping[str, Any]]  # by id
REPEATED = ("lesson", "versions")  # of a claim: the ledger says both once


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


def compare(now: Claims, before: Claims | None = None) -> list[Entry]:
    """The claims of two runs, by id: what fails first, then by the share of the tolerance used.

    Claims that only the earlier run has come last; without `before`, nothing is new.
    """
    earlier = now if before is None else before
    entries = [Entry(claim, earlier.get(id)) for id, claim in now.items()]
    entries.sort(key=lambda entry: (ORDER[(entry.claim or {})["verdict"]], -(entry.used or 0.0), entry.id))
    return entries + [Entry(None, claim) for id, claim in sorted(earlier.items()) if id not in now]


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


def stale(claims: Claims, notebooks: Iterable[Path]) -> list[str]:
    """The lessons whose notebook, as it was executed last, shows another number than these claims do."""
    found = []
    for path in notebooks:
        outputs = [output for cell in lessons.read(path).cells for output in cell.get("outputs", [])]
        shown = [claim for output in outputs for block in stored(output) for claim in block.claims]
        if any(claim["id"] in claims and claims[claim["id"]]["shown"] != claim["shown"] for claim in shown):
            found.append(path.stem[:2])
    return found


def record(records: str | Path, folder: Path) -> Path:
    """Keep all claims of a run as the ledger that ships with the course; returns its file.

    Args:
        records: the folder of a run of all lessons at `standard`.
        folder: where recorded results are kept; the newest ledger of it is the one that is read.
    Raises: ValueError where a record cannot be read, is of another profile, or a claim does not hold.
    """
    broken: list[str] = []
    claims = list(read(records, left_out=broken.append))
    require(not broken, "records that can be read", broken=broken, cure="run these lessons again")
    require(bool(claims), "claims in the folder", cure="run the lessons first", folder=str(records))
    others = sorted({claim["id"][:2] for claim in claims if claim.get("profile") != "standard"})
    require(not others, "a run at standard", lessons_of_another_profile=others)
    failed = [claim["id"] for claim in claims if claim["verdict"] != "holds"]
    require(not failed, "claims that hold", failed=failed)
    kept = sorted({claim["id"][:2] for claim in claims})
    rows = [{name: value for name, value in claim.items() if name not in REPEATED} for claim in claims]
    settings = {"profiles": ["standard"], "lessons": kept}
    return recorded.save("claims", rows, settings=settings, folder=folder)
