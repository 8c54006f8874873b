"""The search's own script in a JavaScript engine, without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import quickjs

from course_utils.tools.site import search

STATIC = Path(__file__).resolve().parents[3] / "docs" / "_static"


def engine() -> Any:
    """A context that knows MiniSearch, this course's words, and `courseSearch`."""
    context = quickjs.Context()
    context.eval(search.script([], STATIC.parent / "words.toml"))
    for name in ("vendor/minisearch/minisearch.js", "course.search.js"):
        context.eval((STATIC / name).read_text(encoding="utf-8"))
    return context
