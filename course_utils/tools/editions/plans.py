"""Workshop plans, as docs/workshop_plans.toml states them: what is done when, in one day or several."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils._checks import Kinds, require, require_table

_PLAN: Kinds = {"title": (str,), "about": (str,), "start": (str,), "days": (list,)}
_SESSION: Kinds = {"minutes": (int,), "what": (str,), "exercises": (list,), "cut": (str,)}


@dataclass(frozen=True)
class Session:
    """One row: minutes, what is done, the exercises done in it, and what goes first when time runs short."""

    minutes: int
    what: str
    exercises: tuple[str, ...] = ()
    cut: str = ""


@dataclass(frozen=True)
class Plan:
    """A workshop of one or more days; each day begins at `start`, in minutes after midnight."""

    title: str
    about: str
    days: tuple[tuple[Session, ...], ...]
    start: int = 9 * 60


def read(path: Path) -> tuple[Plan, ...]:
    """The plans of a file, none where there is no such file.

    Raises: ValueError for a file that is no TOML, or a plan or session that lacks something, has something
        unknown or of another kind, in words that name it.
    """
    if not path.exists():
        return ()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ValueError(f"{path.name} cannot be read: {problem}") from None
    require_table(content, {"plan": (list,)}, needed=("plan",), of=path.name, closed=True)
    return tuple(_plan(plan, place, path.name) for place, plan in enumerate(content["plan"], 1))


def _plan(plan: Any, place: int, file: str) -> Plan:
    of = f"plan {place} of {file}"
    require_table(plan, _PLAN, needed=("title", "about", "days"), of=of, closed=True)
    clock = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", plan.get("start", "09:00"))
    if clock is None:
        raise ValueError(f'need a start like "09:00" in {of}, got {plan["start"]!r}')
    days = []
    for number, day in enumerate(plan["days"], 1):
        require(isinstance(day, list) and bool(day), f"sessions on day {number} in {of}")
        days.append(tuple(_session(one, k, f"day {number} of {of}") for k, one in enumerate(day, 1)))
    require(bool(days), f"a day or more in {of}")
    return Plan(plan["title"], plan["about"], tuple(days), 60 * int(clock[1]) + int(clock[2]))


def _session(session: Any, place: int, of: str) -> Session:
    of = f"session {place} of {of}"
    require_table(session, _SESSION, needed=("minutes", "what"), of=of, closed=True)
    require(session["minutes"] > 0, f"minutes > 0 in {of}", minutes=session["minutes"])
    exercises = session.get("exercises", [])
    require(all(isinstance(id, str) for id in exercises), f"exercises that are ids in {of}", got=exercises)
    return Session(session["minutes"], session["what"], tuple(exercises), session.get("cut", ""))
