"""Of the theme's icons, 1.5 MB of script, those that the pages show."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from course_utils._files import write_whole

SCRIPT = "_static/scripts/fontawesome.js"
_USED = re.compile(r"\bfa-([a-z0-9-]+)")
# "angle-left":[256,512,[8249],"f104","M9.4 233.4c..."],
_ICON = re.compile(
    r"""(?P<quote>"?)(?P<name>[a-z0-9-]+)(?P=quote):\[\d+,\d+,\[[^\]]*\],"[0-9a-f]+",(?:"[^"]*"|\[[^\]]*\])\],?"""
)


def used(texts: list[str]) -> set[str]:
    """Names of icons in pages and scripts: "bars" for `fa-bars`."""
    return {name for text in texts for name in _USED.findall(text)}


def subset(script: str, names: set[str]) -> str:
    """Font Awesome's script with these icons alone."""
    return _ICON.sub(lambda one: one[0] if one["name"] in names else "", script)


def reduce(app: Any, exception: Exception | None) -> None:
    """Leave out the icons that no page of the site shows. For Sphinx's event `build-finished`."""
    site = Path(app.outdir)
    script = site / SCRIPT
    if exception is None and script.exists():
        pages = [*site.rglob("*.html"), *(path for path in script.parent.glob("*.js") if path != script)]
        names = used([path.read_text(encoding="utf-8") for path in pages])
        write_whole(script, subset(script.read_text(encoding="utf-8"), names))
