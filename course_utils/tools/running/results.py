"""What a run writes and others read: where it is, what became of a lesson, what its claims say."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from course_utils._files import write_whole
from course_utils.claim_records import record_name


@dataclass(frozen=True)
class Folders:
    """Where a run of one profile puts what it makes."""

    build: Path
    profile: str

    @property
    def executed(self) -> Path:
        return self.build / "executed" / self.profile

    @property
    def records(self) -> Path:
        return self.build / "records" / self.profile


@dataclass(frozen=True)
class Job:
    """One lesson to run. Limits are in seconds."""

    path: Path
    folders: Folders
    parameters: Mapping[str, Any]
    start_limit: float
    cell_limit: float
    lesson_limit: float
    fingerprint: str = ""  # of fingerprints.py


@dataclass
class Result:
    """What became of a lesson; kept as `run-<lesson>.json` beside its claims."""

    lesson: str
    title: str = ""
    profile: str = "standard"
    state: str = "passed"  # or "failed"
    seconds: float = 0.0
    finished: str = ""  # date and time
    error: str = ""
    claims: dict[str, int] = field(default_factory=dict)  # verdict -> how many
    fingerprint: str = ""  # of what it came from

    def save(self, folder: Path) -> None:
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        write_whole(folder / f"run-{self.lesson}.json", text + "\n")


Event = tuple[str, str, Result | None]  # what happened, to which lesson, what it gave


@dataclass
class Outcome:
    """What an execution gave, wherever it took place: nothing of it is in the folders of a run yet."""

    result: Result
    executed: str | None = None  # the executed notebook, None where not even its kernel started
    record: bytes | None = None  # its claims-NN.json, None where it wrote none


def keep(outcome: Outcome, job: Job) -> Result:
    """Put an executed copy, its claims and its result in place, each whole; return the result.

    Of two runs that end the same lesson, one puts all three in place before the other begins.
    """
    own = job.folders.records / record_name(job.path.name)
    own.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(own.parent / ".lock"):
        if outcome.executed is not None:
            write_whole(job.folders.executed / job.path.name, outcome.executed)
        if outcome.record is not None:
            if own.exists():  # the report compares with the run before
                write_whole(own.parent / "before" / own.name, own.read_bytes())
            write_whole(own, outcome.record)
        else:
            own.unlink(missing_ok=True)  # an earlier run's claims are not this one's
        outcome.result.save(own.parent)
    return outcome.result


def failed(job: Job, message: str) -> Result:
    """The result of a lesson that could not give one; an earlier run's claims are not this one's."""
    result = Result(job.path.stem, profile=job.folders.profile, state="failed", error=message)
    with contextlib.suppress(OSError):
        result.save(job.folders.records)
        (job.folders.records / record_name(job.path.name)).unlink(missing_ok=True)
    return result


def last_result(folder: Path, lesson: str) -> Result | None:
    """What became of a lesson in the last run that recorded it, None where that cannot be read."""
    try:
        result = Result(**json.loads((folder / f"run-{lesson}.json").read_text(encoding="utf-8")))
        result.seconds = float(result.seconds)
        result.claims = {str(verdict): int(count) for verdict, count in result.claims.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    texts = (result.title, result.profile, result.error, result.fingerprint)
    sound = result.lesson == lesson and result.state in ("passed", "failed")
    return result if sound and all(isinstance(text, str) for text in texts) else None


def complaints(record: Mapping[str, Any] | None, profile: str, *, finished: bool = True) -> list[str]:
    """What a lesson's record says against it: false claims, the wrong profile, a smoke run no smaller.

    Args:
        record: the content of its claims-NN.json, or None where it wrote none.
        profile: the profile that was asked for.
        finished: whether all of its cells ran; a lesson that broke off may lack claims and sizes.
    """
    found = [
        f"false claim {claim['id']}: {claim['sentence']}"
        f" (measured {claim['measured']}, bounds {claim['bounds']})"
        for claim in (record["claims"] if record else [])
        if claim["verdict"] == "fails"
    ]
    if record and record.get("profile") != profile:
        found.append(
            f"ran at PROFILE={record.get('profile')!r}, not {profile!r}: pass PROFILE to profiles.start"
        )
    if profile == "smoke" and finished:
        sizes = record.get("sizes", {}) if record else {}
        larger = [name for name, size in sizes.items() if size["smoke"] > size["standard"]]
        if larger:
            found.append(f"larger at smoke than at standard: {', '.join(larger)}")
        elif not any(size["smoke"] < size["standard"] for size in sizes.values()):
            found.append("nothing is smaller at smoke: declare sizes with run.sizes(...) and record a claim")
    return found
