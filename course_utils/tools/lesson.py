"""What a stored lesson says of itself: question, needs, sections, claims, figures."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from course_utils.claim_lines import asked_for, stored
from course_utils.tools import lessons
from course_utils.tools.cells import imported

# A picture that was pasted into a cell, as markdown or as HTML names it.
_ATTACHED = re.compile(r"""(?P<before>\]\(\s*<?|src=["'])attachment:(?P<name>[^)"'>\s]+)""")
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


class Lesson:
    """A lesson `NN_topic.ipynb` and what can be read from it, at each time as it is then.

    Args:
        path: its file, read when something is first asked for.
        notebook: its content, where that is at hand.
    """

    def __init__(self, path: Path, notebook: Any = None) -> None:
        self.path, self._notebook = path, notebook

    def __repr__(self) -> str:
        return f"Lesson({self.name})"

    @property
    def notebook(self) -> Any:
        """The notebook itself, of nbformat."""
        if self._notebook is None:
            self._notebook = lessons.read(self.path)
        return self._notebook

    @cached_property
    def size(self) -> int:
        """Bytes of its file; 0 where there is none."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def code(self) -> list[Any]:
        """Its cells of code."""
        return [cell for cell in self.notebook.cells if cell.cell_type == "code"]

    @property
    def prose(self) -> list[str]:
        """The texts of its markdown cells."""
        return [cell.source for cell in self.notebook.cells if cell.cell_type == "markdown"]

    @property
    def outputs(self) -> list[Any]:
        """The outputs of all cells, in order."""
        return [output for cell in self.code for output in cell.outputs]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def number(self) -> str:
        return self.name[:2]

    @property
    def title(self) -> str:
        """Without its number: "Start here"."""
        return re.sub(r"^\d\d\s*·\s*", "", lessons.title(self.notebook)) or self.name[3:].replace("_", " ")

    @property
    def _first(self) -> str:
        return next(iter(self.prose), "")

    @property
    def question(self) -> str:
        """The bold line under the title."""
        match = re.search(r"^\*\*(.+?)\*\*\s*$", self._first, re.MULTILINE)
        return match[1] if match else ""

    @property
    def minutes(self) -> int | None:
        match = re.search(r"\b(\d+) minutes", self._first)
        return int(match[1]) if match else None

    @property
    def needs(self) -> list[str]:
        """Numbers of the lessons named in the sentence "Before this one: ...", without those that "help"."""
        plain = re.sub(r"\([^()]*\)", "", self._first)
        match = re.search(r"Before this one: (.*?)(?:\.(?: |$)|;|$)", plain, re.MULTILINE)
        return re.findall(r"\b\d\d\b", match[1]) if match else []

    @property
    def sections(self) -> dict[str, list[Any]]:
        """Level-2 heading -> its cells. A cell that opens with a heading belongs to it."""
        sections: dict[str, list[Any]] = {}
        heading = ""
        for cell in self.notebook.cells:
            if cell.cell_type == "markdown" and (opens := re.match(r"\s*## +(.+?)\s*$", cell.source, re.M)):
                heading = opens[1]
            sections.setdefault(heading, []).append(cell)
        return sections

    def section(self, heading: str) -> str:
        """The markdown of a section, without the heading itself."""
        texts = [cell.source for cell in self.sections.get(heading, []) if cell.cell_type == "markdown"]
        return re.sub(r"^\s*## .*$", "", "\n\n".join(texts), count=1, flags=re.MULTILINE).strip()

    @property
    def claims(self) -> list[Claim]:
        return [
            Claim(one["id"], one["sentence"], asked_for(one), one["verdict"], cell.id, one["visible"])
            for cell in self.notebook.cells
            for output in cell.get("outputs", [])
            for block in stored(output)
            for one in block.claims
        ]

    @property
    def pictures(self) -> list[Picture]:
        pictures = []
        for heading, cells in self.sections.items():
            for cell in cells:
                for position, output in enumerate(cell.get("outputs", [])):
                    if read := picture(output):
                        kind, content, alt = read
                        name = f"{cell.id}-{position}.{kind}"
                        pictures.append(Picture(self.name, cell.id, name, content, alt, heading))
        return pictures

    @property
    def modules(self) -> list[str]:
        """The modules of the package that its cells import: `claims`, `plotting`."""
        names = {name for cell in self.code for name in imported(cell.source)}
        return sorted({name.split(".")[1] for name in names if name.startswith("course_utils.")})


def attachments(cell: Any) -> dict[str, tuple[str, bytes]]:
    """Name -> (png, jpeg, gif or svg, bytes) of the pictures pasted into a cell, in the order of its text.

    Raises: LessonError for a picture that the text names and the cell does not hold.
    """
    held = cell.get("attachments", {})
    found: dict[str, tuple[str, bytes]] = {}
    for match in _ATTACHED.finditer(cell.source if cell.cell_type == "markdown" else ""):
        stored = held.get(unquote(match["name"]), held.get(match["name"], {}))
        image = next((kind for kind in stored if kind.startswith("image/")), None)
        if image is None:
            cure = "paste the picture into the cell again"
            raise lessons.LessonError(f"attachment:{match['name']} of cell {cell.id} is not there; {cure}")
        kind = image.removeprefix("image/").partition("+")[0]
        data = "".join(stored[image])
        content = data.encode() if kind == "svg" and data.lstrip().startswith("<") else base64.b64decode(data)
        found[match["name"]] = kind, content
    return found


def with_attachments(cell: Any, address: Callable[[int, str, bytes], str]) -> str:
    """The text of a markdown cell in which each pasted picture has the `address(position, kind, bytes)`."""
    addresses = {
        name: address(position, kind, content)
        for position, (name, (kind, content)) in enumerate(attachments(cell).items())
    }
    source: str = cell.source
    return _ATTACHED.sub(lambda one: one["before"] + addresses[one["name"]], source) if addresses else source


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
