"""The report of a run: one page that stands alone, failures first, every claim with what was measured."""

from __future__ import annotations

import os
import platform
import time
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jinja2

from course_utils._files import write_whole
from course_utils.claim_lines import asked_for
from course_utils.tools import ledger
from course_utils.tools.running import records
from course_utils.tools.running.records import Folders, Result


def report(build: str | Path, *, profile: str = "standard", pages: bool = True) -> Path:
    """Write `build/report/index.html` from the records of the last run at `profile`, and return its path.

    Args:
        build: the folder that `run` wrote to.
        profile: which records to read.
        pages: also write each executed lesson as a page, `build/report/<profile>/NN_topic.html`.
    Raises: FileNotFoundError where that profile has not been run.
    """
    folders = Folders(Path(build).resolve(), profile)
    names = sorted(path.stem.removeprefix("run-") for path in folders.records.glob("run-*.json"))
    results = [result for name in names if (result := records.earlier(folders.records, name))]
    if not results:
        raise FileNotFoundError(
            f"no record of a run at {profile}; first: python -m course_utils run --profile {profile}"
        )
    target = folders.build / "report" / "index.html"
    shown = [_lesson(result, folders, target.parent, pages=pages) for result in results]
    failures = [lesson for lesson in shown if lesson["state"] == "failed"]
    claimed = [record for name in names if (record := records.claims(folders.records, name))]
    counts = Counter({"holds": 0, "fails": 0, "not judged": 0})
    for result in results:
        counts.update(result.claims)
    page = _template().render(
        headline=_headline(len(shown), len(failures), counts),
        profile=profile,
        date=time.strftime("%d %B %Y, %H:%M"),
        devices=", ".join(sorted({record["device"] for record in claimed})) or "no device recorded",
        versions=_versions(claimed),
        lessons=shown,
        failures=failures,
        counts=counts,
        nearest=_nearest(folders.records),
    )
    write_whole(target, page)
    return target


def _nearest(folder: Path, most: int = 20) -> list[dict[str, Any]]:
    """The claims that have used most of their tolerance, and every one with news since the run before."""
    before = folder / "before"
    entries = ledger.compare(folder, before if before.is_dir() else None)
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


def _lesson(result: Result, folders: Folders, beside: Path, *, pages: bool) -> dict[str, Any]:
    copy = folders.executed / f"{result.lesson}.ipynb"
    record = records.claims(folders.records, result.lesson)
    rows = [_row(claim) for claim in record["claims"]] if record else []
    rows.sort(key=lambda row: row["verdict"] != "fails")
    page = (
        _page(copy, beside / folders.profile / f"{result.lesson}.html") if pages and copy.exists() else None
    )
    return {
        "lesson": result.lesson,
        "title": result.title,
        "state": result.state,
        "seconds": result.seconds,
        "error": result.error,
        "claims": result.claims,
        "rows": rows,
        "device": record["device"] if record else "",
        "notebook": _link(copy, beside) if copy.exists() else None,
        "page": _link(page, beside) if page else None,
    }


def _link(path: Path, beside: Path) -> str:
    return Path(os.path.relpath(path, beside)).as_posix()


def _page(executed: Path, target: Path) -> Path:
    """The executed lesson as HTML, written again only where the lesson is newer."""
    if not target.exists() or target.stat().st_mtime < executed.stat().st_mtime:
        from nbconvert import HTMLExporter  # takes a second to import

        text, _ = HTMLExporter(require_js_url="", jquery_url="").from_filename(str(executed))  # type: ignore[no-untyped-call]
        write_whole(target, text)
    return target


def _row(claim: Mapping[str, Any]) -> dict[str, Any]:
    used = claim.get("used")
    return {
        **claim,
        "measured": measured(claim["measured"]),
        "bounds": asked_for(claim),
        "used": None if used is None else f"{used:.1%}" if used >= 1e-3 else "under 0.1%",
    }


def measured(value: Any) -> str:
    """A recorded value as a reader writes it: "0.965", or "0.048, 99% interval 0.045 to 0.051, n = 64"."""
    if isinstance(value, Mapping):
        ends = f"{value['low']:.4g} to {value['high']:.4g}"
        return f"{value['mean']:.4g}, {value['level']:.0%} interval {ends}, n = {value['n']}"
    return f"{value:.6g}" if isinstance(value, (int, float)) else str(value)


def _versions(claimed: list[dict[str, Any]]) -> str:
    if claimed:
        found = dict(claimed[0]["versions"])
    else:
        found = {"python": platform.python_version()}
        for name in ("torch", "numpy"):
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                found[name] = "not installed"
    return ", ".join(f"{name} {number}" for name, number in found.items())
