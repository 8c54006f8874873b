"""What a stored lesson says of itself: question, needs, sections, claims, figures."""

from __future__ import annotations

import ast
import base64
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from course_utils.claim_lines import asked_for, stored
from course_utils.tools import lessons

_GIF = re.compile(r'<img src="data:image/gif;base64,(?P<data>[^"]+)" alt="(?P<alt>[^"]*)"')


@dataclass(frozen=True)
class Claim:
    """A claim as the lesson's stored output states it, and the cell that makes it."""

    id: str
    sentence: str
    bounds: str
    verdict: str
    cell: str
    visible: bool = True


@dataclass(frozen=True)
class Picture:
    """A figure or a film of a stored lesson."""

    lesson: str
    cell: str
    name: str  # of its file
    content: bytes
    alt: str
    section: str

    @property
    def moves(self) -> bool:
        return self.name.endswith(".gif")


@dataclass(frozen=True)
class Lesson:
    """A lesson `NN_topic.ipynb` and what can be read from it."""

    path: Path

    @cached_property
    def notebook(self) -> Any:
        return lessons.read(self.path)

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def number(self) -> str:
        return self.name[:2]

    @property
    def title(self) -> str:
        """Without its number: "Momentum"."""
        return re.sub(r"^\d\d\s*·\s*", "", lessons.title(self.notebook)) or self.name[3:].replace("_", " ")

    @property
    def _first(self) -> str:
        return next((cell.source for cell in self.notebook.cells if cell.cell_type == "markdown"), "")

    @property
    def question(self) -> str:
        """The bold line under the title."""
        found = re.search(r"^\*\*(.+?)\*\*\s*$", self._first, re.MULTILINE)
        return found[1] if found else ""

    @property
    def minutes(self) -> int | None:
        found = re.search(r"\b(\d+) minutes", self._first)
        return int(found[1]) if found else None

    @property
    def needs(self) -> list[str]:
        """Numbers of the lessons named in the sentence "Before this one: ...", without those that "help"."""
        plain = re.sub(r"\([^()]*\)", "", self._first)
        found = re.search(r"Before this one: (.*?)(?:\.(?: |$)|;|$)", plain, re.MULTILINE)
        return re.findall(r"\b\d\d\b", found[1]) if found else []

    @cached_property
    def sections(self) -> dict[str, list[Any]]:
        """Level-2 heading -> its cells. A cell that opens with a heading belongs to it."""
        found: dict[str, list[Any]] = {}
        heading = ""
        for cell in self.notebook.cells:
            if cell.cell_type == "markdown" and (opens := re.match(r"\s*## +(.+?)\s*$", cell.source, re.M)):
                heading = opens[1]
            found.setdefault(heading, []).append(cell)
        return found

    def prose(self, heading: str) -> str:
        """The markdown of a section, without the heading itself."""
        texts = [cell.source for cell in self.sections.get(heading, []) if cell.cell_type == "markdown"]
        return re.sub(r"^\s*## .*$", "", "\n\n".join(texts), count=1, flags=re.MULTILINE).strip()

    @cached_property
    def claims(self) -> list[Claim]:
        return [
            Claim(one["id"], one["sentence"], asked_for(one), one["verdict"], cell.id, one["visible"])
            for cell in self.notebook.cells
            for output in cell.get("outputs", [])
            for block in stored(output)
            for one in block.claims
        ]

    @cached_property
    def pictures(self) -> list[Picture]:
        found = []
        for heading, cells in self.sections.items():
            for cell in cells:
                for position, output in enumerate(cell.get("outputs", [])):
                    if read := picture(output):
                        kind, content, alt = read
                        name = f"{cell.id}-{position}.{kind}"
                        found.append(Picture(self.name, cell.id, name, content, alt, heading))
        return found

    @property
    def modules(self) -> list[str]:
        """The modules of the package that its cells import: `optimizers`, `quadratics`."""
        found: set[str] = set()
        for cell in self.notebook.cells:
            if cell.cell_type == "code":
                found |= _imported(cell.source)
        return sorted(found)


def picture(output: Any) -> tuple[str, bytes, str] | None:
    """(png or gif, bytes, alt text) of an output that is a figure or a film, else None."""
    data = output.get("data", {})
    if "image/png" in data:
        alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
        return "png", base64.b64decode(data["image/png"]), alt
    if match := _GIF.match(data.get("text/html", "")):
        import html

        return "gif", base64.b64decode(match["data"]), html.unescape(match["alt"])
    return None


def _imported(source: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(re.sub(r"^\s*[%!].*$", "", source, flags=re.MULTILINE))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_utils"):
            parts = (node.module or "").split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return found
