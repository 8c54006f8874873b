"""The report of a run: one page that stands alone, failures first, every claim with what was measured."""

from __future__ import annotations

import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jinja2

from course_utils import claim_records
from course_utils._files import write_whole
from course_utils.claim_lines import asked_for
from course_utils.tools import ledger
from course_utils.tools.running.results import Folders, Result, last_result

LeftOut = Callable[[str], None]  # is given a line for each thing that cannot be shown


def report(build: str | Path, *, profile: str = "standard", pages: bool = True) -> Path:
    """Write `build/report/index.html` from the records of the last run at `profile`, and return its path.

    A record that cannot be read is named on the page, which shows the others.

    Args:
        build: the folder that `run` wrote to.
        profile: which records to read.
        pages: also write each executed lesson as a page, `build/report/<profile>/NN_topic.html`.
    Raises: FileNotFoundError where that profile has not been run.
    """
    folders = Folders(Path(build).resolve(), profile)
    left_out: list[str] = []
    results = _results(folders.records, left_out.append)
    if not results:
        raise FileNotFoundError(
            f"no record of a run at {profile}; first: python -m course_utils run --profile {profile}"
        )
    target = folders.build / "report" / "index.html"
    claims = list(claim_records.read(folders.records, left_out=left_out.append))
    before = folders.records / "before"
    earlier = list(claim_records.read(before, left_out=lambda line: left_out.append(f"before/{line}")))
    lessons = []
    for result in results:
        own = [claim for claim in claims if claim["id"][:2] == result.lesson[:2]]
        page = _page(result, folders, target.parent, left_out.append) if pages else None
        lessons.append(_lesson(result, own, folders, target.parent, page))
    failures = [lesson for lesson in lessons if lesson["state"] == "failed"]
    counts = Counter({"holds": 0, "fails": 0, "not judged": 0})
    for result in results:
        counts.update(result.claims)
    nearest = ledger.compare(
        claim_records.by_id(claims), claim_records.by_id(earlier) if before.is_dir() else None
    )
    text = _template().render(
        headline=_headline(len(lessons), len(failures), counts),
        profile=profile,
        date=time.strftime("%d %B %Y, %H:%M"),
        devices=", ".join(sorted({claim.get("device", "") for claim in claims} - {""}))
        or "no device recorded",
        versions=_versions(claims),
        left_out=left_out,
        lessons=lessons,
        failures=failures,
        counts=counts,
        nearest=_nearest(nearest),
    )
    write_whole(target, text)
    return target


def _results(records: Path, left_out: LeftOut) -> list[Result]:
    results = []
    for path in sorted(records.glob("run-*.json")):
        if result := last_result(records, path.stem.removeprefix("run-")):
            results.append(result)
        else:
            left_out(f"{path.name} is left out: it is no result of a lesson")
    return results


def _nearest(entries: Sequence[ledger.Entry], most: int = 20) -> list[dict[str, Any]]:
    """The claims that have used most of their tolerance, and every one with news since the run before."""
    return [
        {
            "id": entry.id,
            "sentence": (entry.claim or entry.before or {})["sentence"],
            "verdict": entry.claim["verdict"] if entry.claim else "gone",
            "used": "" if entry.used is None else f"{entry.used:.0%}",
            "news": entry.news,
        }
        for place, entry in enumerate(entries)
        if place < most or entry.news
    ]


def _headline(lessons: int, failed: int, counts: Mapping[str, int]) -> str:
    if failed:
        return f"{failed} of {lessons} lessons failed"
    if counts["not judged"]:
        return f"Every lesson ran; {counts['not judged']} claims were measured and not judged"
    return "Every lesson ran and every claim holds"


def _template() -> jinja2.Template:
    folder = Path(__file__).parent
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string((folder / "report.html").read_text(encoding="utf-8"))


def _lesson(
    result: Result, claims: Sequence[Mapping[str, Any]], folders: Folders, beside: Path, page: Path | None
) -> dict[str, Any]:
    copy = folders.executed / f"{result.lesson}.ipynb"
    rows = [_row(claim) for claim in claims]
    rows.sort(key=lambda row: row["verdict"] != "fails")
    return {
        "lesson": result.lesson,
        "title": result.title,
        "state": result.state,
        "seconds": result.seconds,
        "error": result.error,
        "claims": result.claims,
        "rows": rows,
        "notebook": _link(copy, beside) if copy.exists() else None,
        "page": _link(page, beside) if page else None,
    }


def _link(path: Path, beside: Path) -> str:
    return Path(os.path.relpath(path, beside)).as_posix()


def _page(result: Result, folders: Folders, beside: Path, left_out: LeftOut) -> Path | None:
    """The executed lesson as HTML, written again only where the lesson is newer; None where there is none."""
    executed = folders.executed / f"{result.lesson}.ipynb"
    target = beside / folders.profile / f"{result.lesson}.html"
    if not executed.exists():
        return None
    if not target.exists() or target.stat().st_mtime < executed.stat().st_mtime:
        from nbconvert import HTMLExporter  # takes a second to import

        try:
            text, _ = HTMLExporter(require_js_url="", jquery_url="").from_filename(str(executed))  # type: ignore[no-untyped-call]
        except Exception as problem:  # whatever nbformat, nbconvert and jinja raise at a damaged notebook
            left_out(f"the page of {result.lesson} is left out: {type(problem).__name__}: {problem}")
            return None
        write_whole(target, text)
    return target


def _row(claim: Mapping[str, Any]) -> dict[str, Any]:
    used = claim["used"]
    return {
        **claim,
        "measured": measured(claim["measured"]),
        "bounds": asked_for(claim),
        "used": None if used is None else f"{used:.1%}" if used >= 1e-3 else "under 0.1%",
        "device": claim.get("device", ""),
        "after": "" if claim["seconds"] is None else f"{claim['seconds']:.1f} s",
    }


def measured(value: Any) -> str:
    """A recorded value as a reader writes it: "0.965", or "0.048, 99% interval 0.045 to 0.051, n = 64"."""
    if isinstance(value, Mapping):
        mean, low, high = (float(value[name]) for name in ("mean", "low", "high"))  # "nan" is a text
        return f"{mean:.4g}, {value['level']:.0%} interval {low:.4g} to {high:.4g}, n = {value['n']}"
    return f"{value:.6g}" if isinstance(value, (int, float)) else str(value)


def _versions(claims: Sequence[Mapping[str, Any]]) -> str:
    """The versions that the claims were measured with, or of what is installed here."""
    versions = dict(claims[0].get("versions", {})) if claims else {}
    if not versions:
        versions["python"] = platform.python_version()
        for name in ("torch", "numpy"):
            try:
                versions[name] = version(name)
            except PackageNotFoundError:
                versions[name] = "not installed"
    return ", ".join(f"{name} {number}" for name, number in versions.items())
