"""The README's badges: small pictures of facts that are counted and drawn here, and kept in step by a test.

    python -m course_utils.tools.badges

draws them again in docs/_static/badges/ and words them again in README.md.
"""

from __future__ import annotations

import html
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from course_utils._files import write_whole
from course_utils.tools import lessons
from course_utils.tools.lesson import Lesson

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = Path("docs/_static/badges")  # of the project
HEIGHT, PAD, SIZE = 20, 8, 11  # pixels
SLATE, BLUE = "#3b4249", "#005a8f"  # behind the name and the value; white on either has a contrast above 7
NARROW, WIDE = frozenset("fijlrt.,:;|! "), frozenset("mwMWOQGCDHNU+")


@dataclass(frozen=True)
class Badge:
    """A name and a value, side by side."""

    file: str
    name: str
    value: str

    @property
    def alt(self) -> str:
        return f"{self.name}: {self.value}"


def badges(project: Path = PROJECT) -> list[Badge]:
    """What the README says of the course in `project`, counted from its files."""
    told = [Lesson(path) for path in lessons.find(project / "notebooks")]
    about = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = (project / "requirements.lock").read_text(encoding="utf-8")
    pinned = re.search(r"^torch==(\S+)", lock, re.MULTILINE)
    oldest = about["requires-python"].removeprefix(">=")
    return [
        Badge("lessons.svg", "lessons", str(len(told))),
        Badge("claims.svg", "checked claims", str(sum(len(lesson.claims) for lesson in told))),
        Badge("python.svg", "python", f"{oldest} or later"),
        Badge("torch.svg", "tested with torch", pinned[1] if pinned else "any"),
        Badge("licence.svg", "licence", f"{about['license']}, words CC BY 4.0"),
    ]


def draw(badge: Badge) -> str:
    """The badge as SVG: no script, no font of its own, no address; a screen reader says `badge.alt`."""
    left, right = (2 * PAD + _width(text) for text in (badge.name, badge.value))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{HEIGHT}" role="img" '
        f'aria-label="{html.escape(badge.alt)}">',
        f"<title>{html.escape(badge.alt)}</title>",
        f'<clipPath id="c"><rect width="{left + right}" height="{HEIGHT}" rx="4"/></clipPath>',
        '<g clip-path="url(#c)">',
        f'<rect width="{left}" height="{HEIGHT}" fill="{SLATE}"/>',
        f'<rect x="{left}" width="{right}" height="{HEIGHT}" fill="{BLUE}"/>',
        "</g>",
        f'<g fill="#fff" font-family="Verdana, DejaVu Sans, sans-serif" font-size="{SIZE}">',
        _text(badge.name, PAD),
        _text(badge.value, left + PAD),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _text(text: str, x: int) -> str:
    return f'<text x="{x}" y="14" textLength="{_width(text)}">{html.escape(text)}</text>'


def _width(text: str) -> int:
    """About what Verdana takes; `textLength` makes any other font take the same."""
    return round(sum(4.2 if sign in NARROW else 9.0 if sign in WIDE else 6.9 for sign in text))


def main(project: Path = PROJECT) -> None:
    """Draw all of them again, and say in the README's alternative texts what they show."""
    readme = project / "README.md"
    text = readme.read_text(encoding="utf-8")
    for badge in badges(project):
        write_whole(project / FOLDER / badge.file, draw(badge))
        shown = f"({FOLDER.as_posix()}/{badge.file})"
        text = re.sub(rf"!\[[^\]]*\]{re.escape(shown)}", f"![{badge.alt}]{shown}", text)
        print(f"{FOLDER / badge.file}: {badge.alt}")
    write_whole(readme, text)


if __name__ == "__main__":
    main()
