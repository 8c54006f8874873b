"""A lesson as the site shows it: the stored notebook, with its outputs turned into HTML that carries links.

The copy differs from the notebook in this: links to claims and to the lessons to know first, a line under
the title (the file to download, the claims), figures as files with their alt text, each claim's id as a link
to the ledger, folds under the exercises, the code of claims and figures folded, subheadings where a paragraph
opens with a question or an exercise, and figures with sliders that move where a script for them exists.
"""

from __future__ import annotations

import copy
import html
import io
import re
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import nbformat

from course_utils import claim_lines
from course_utils._files import write_whole
from course_utils.tools import lessons
from course_utils.tools.lesson import Lesson, attachments, picture, with_attachments
from course_utils.tools.lesson_exercises import asked_in, exercises_by_id
from course_utils.tools.page_markup import raw
from course_utils.tools.site import explored, folds, links, narrow

FIGURES = "_static/figures"
NOTEBOOKS = "_static/notebooks"
LIVE = "_static/live"  # a script for each figure that moves, docs/_static/live.js says how
DRAWN = "_static/explored"  # a folder for each figure whose states have been drawn, see explored.py
STANDS = "In the notebook this figure has sliders; here it stands at their first values."
STANDS_STILL = "With scripts this figure moves with its sliders; here it stands at their first values."
PHONE = "(max-width: 40rem)"  # as docs/_static/course.css has it
# **Is it noise?** and **2 · Repair it** (5 minutes).
_OPENING = re.compile(r"\*\*([^*]+\?|\d · [^*]+)\*\* (?=\S)")
_MINUTES = re.compile(r"^\(([a-z, ]*\d+ minutes)\)\. ")
_EXPLORED = re.compile(r"explore\(\s*figures\.(\w+)")


def page(
    lesson: Lesson, names: Mapping[str, str], live: Collection[str] = (), drawn: Collection[str] = ()
) -> Any:
    """The notebook that Sphinx renders.

    Args:
        lesson: the stored lesson.
        names: number -> name of every lesson there is, for the links.
        live: names of the scripts for figures that move, as of `live_name`.
        drawn: the figures whose states have been drawn, as of `explored.key`.
    """
    notebook = copy.deepcopy(lesson.notebook)
    exercises = exercises_by_id(lesson.number)
    moves = moving(lesson, live, drawn)
    cells = []
    level = 1
    for place, cell in enumerate(notebook.cells):
        cell.metadata["course_cell"] = cell.id  # Sphinx turns it into an anchor, see build.anchors
        if cell.cell_type == "code":
            _fold_code(cell)
            name = moves.get(cell.id, "")
            cell.outputs = [_shown(lesson, cell, k, output, name) for k, output in enumerate(cell.outputs)]
        else:
            text = with_attachments(cell, partial(_address, lesson, cell))
            text, level = subheadings(text, level)
            cell.source = links.on_the_page(text)
            cell.pop("attachments", None)
        cells.append(cell)
        if place == 0:
            cell.source = linked(cell.source, names)
            cells.append(_raw("about", about(lesson)))
        for id in asked_in(cell.source) if cell.cell_type == "code" else []:
            if id in exercises:
                cells.append(_raw(f"help-{len(cells)}", folds.fold(exercises[id])))
    # course.progress.js fills it
    cells.append(_raw("progress", '<div class="course-progress" hidden></div>'))
    if moves:
        cells.append(_raw("live-scripts", scripts(moves.values(), drawn, "..")))
    notebook.cells = cells
    return notebook


def folded(source: str) -> str:
    """What the fold is called in which a cell's code stands, "" where it stands open.

    Claims and figures speak for themselves; what a lesson builds, trains and asks for is read.
    """
    if re.search(r"\b(?:check|quiz)\(", source):
        return ""
    if re.search(r"\b(?:claim|also_checked)\(", source):
        return "Code that checks this"
    if re.search(r"\bplotting\.\w+\(", source):
        return "Code of this figure"
    if all(re.match(r"(?:from|import) |\s|\)|$", line) for line in source.split("\n")):
        return "Imports"
    return ""


def subheadings(text: str, level: int) -> tuple[str, int]:
    """A cell's text in which paragraphs that open with a question, or an exercise, have a heading for it.

    An exercise's minutes stand below its heading.

    Args:
        level: of the heading that the cell stands under, 2 for `##`.
    Returns: the text, and the level after it.
    """
    lines: list[str] = []
    fenced = False
    for line in text.split("\n"):
        fenced ^= line.startswith("```")
        if not fenced and (heading := re.match(r"(#+) ", line)):
            level = len(heading[1])
        opened = None if fenced or (lines and lines[-1].strip()) else _OPENING.match(line)
        if opened and level >= 2:
            rest = _MINUTES.sub(
                lambda found: f"*{found[1][0].upper()}{found[1][1:]}.* ", line[opened.end() :], count=1
            )
            lines += [f"{'#' * min(level + 1, 4)} {opened[1]}", "", rest]
        else:
            lines.append(line)
    return "\n".join(lines), level


def _fold_code(cell: Any) -> None:
    """Tell MyST-NB what to do with the code of a cell: a fold with its name, nothing at all for a quiz."""
    tags = cell.metadata.setdefault("tags", [])
    if name := folded(cell.source):
        tags.append("hide-input")
        cell.metadata["mystnb"] = {"code_prompt_show": name, "code_prompt_hide": name}
    elif re.fullmatch(r"quiz\([^()]*\)", cell.source.strip()):
        tags.append("remove-input")


def live_name(lesson: Lesson, cell: Any) -> str:
    """What the script is called of the figure that a cell explores, "05_rate_map"; "" where there is none."""
    found = _EXPLORED.search(cell.source)
    return f"{lesson.number}_{found[1]}" if found else ""


def computed(docs: Path) -> set[str]:
    """The names of the scripts that there are."""
    return {path.stem for path in (docs / LIVE).glob("*.js")}


def moving(lesson: Lesson, live: Collection[str], drawn: Collection[str]) -> dict[str, str]:
    """The id of each cell whose figure moves -> the name of its script, as `page` takes them."""
    found = {}
    for cell in lesson.notebook.cells:
        name, pictured = live_name(lesson, cell), explored.key(lesson.path, cell.id)
        if name in live or pictured in drawn:
            found[cell.id] = name if name in live else pictured
    return found


def scripts(names: Iterable[str], drawn: Collection[str], root: str) -> str:
    """The script of all figures that move, then one for each of these. `root`: where _static is."""
    sources = [f"{root}/_static/live.js"]
    sources += [
        f"{root}/{DRAWN}/{name}/{explored.SCRIPT}" if name in drawn else f"{root}/{LIVE}/{name}.js"
        for name in names
    ]
    return "\n".join(f'<script defer src="{source}"></script>' for source in sources)


def about(lesson: Lesson) -> str:
    """The line under the title: the notebook itself, and its claims."""
    parts = [f'<a href="../{NOTEBOOKS}/{lesson.path.name}" download>Download the notebook</a>']
    if lesson.claims:
        count = len(lesson.claims)
        parts.append(f'<a href="../claims.html#lesson-{lesson.number}">{count} claims in the ledger</a>')
    return f'<p class="course-about">{" · ".join(parts)}</p>'


def linked(text: str, names: Mapping[str, str]) -> str:
    """The title's cell with the lessons of "Before this one: 02 (...), 04." as links."""

    def numbers(found: re.Match[str]) -> str:
        return re.sub(
            r"(?<!\[)\b\d\d\b",
            lambda one: f"[{one[0]}]({names[one[0]]}.ipynb)" if one[0] in names else one[0],
            found[0],
        )

    return re.sub(r"Before this one: .*", numbers, text)


def files(lesson: Lesson) -> dict[str, bytes]:
    """Path below the site's source -> content: figures, the last frame of each film, pictures pasted into
    cells, the notebook itself."""
    contents = {f"{NOTEBOOKS}/{lesson.path.name}": lesson.path.read_bytes()}
    for cell in lesson.notebook.cells:
        for k, (kind, content) in enumerate(attachments(cell).values()):
            contents[_attached(lesson, cell, k, kind)] = content
    for shown in lesson.pictures:
        contents[f"{FIGURES}/{lesson.name}/{file_of(shown.name)}"] = as_file(shown.name, shown.content)
        if panels := stacked(shown.content):
            contents[f"{FIGURES}/{lesson.name}/{stacked_of(shown.name)}"] = panels
        if shown.moves:
            contents[f"{FIGURES}/{lesson.name}/{still_of(shown.name)}"] = last_frame(shown.content)
    return contents


def file_of(name: str) -> str:
    """The name of a picture's file on the site: figures are WebP there, films stay what they are."""
    return name.removesuffix(".png") + ".webp" if name.endswith(".png") else name


def as_file(name: str, content: bytes) -> bytes:
    """The content of that file, the same to the last pixel: a sixth smaller than the PNG."""
    from PIL import Image

    if not name.endswith(".png"):
        return content
    image = Image.open(io.BytesIO(content))
    opaque = image.mode != "RGBA" and "transparency" not in image.info
    return _webp(image.convert("RGB" if opaque else "RGBA"))


@cache  # a lesson's page, its files and the gallery ask for it
def stacked(content: bytes) -> bytes:
    """The figure for a phone, its panels one below the other; empty where it has one, or is a film."""
    from PIL import Image

    image = Image.open(io.BytesIO(content))
    panels = narrow.stacked(image) if image.format == "PNG" else None
    return _webp(panels) if panels else b""


def stacked_of(name: str) -> str:
    """The name of that figure's file."""
    return Path(file_of(name)).with_suffix("").as_posix() + "-panels.webp"


def _webp(image: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", lossless=True, method=4)
    return buffer.getvalue()


def _attached(lesson: Lesson, cell: Any, position: int, kind: str) -> str:
    """Where a picture lies that was pasted into a cell."""
    return f"{FIGURES}/{lesson.name}/{cell.id}-pasted-{position}.{kind}"


def _address(lesson: Lesson, cell: Any, position: int, kind: str, _: bytes) -> str:
    return f"../{_attached(lesson, cell, position, kind)}"


def figure(src: str, alt: str, content: bytes, *, caption: str = "", lazy: bool = True) -> str:
    """A picture as HTML, of known size so that nothing jumps; a film has a button and rests where asked to.

    Args:
        src: its address from the page. A film's last frame is expected beside it.
        content: its bytes, for width and height.
        caption: HTML under it.
    """
    from PIL import Image

    width, height = Image.open(io.BytesIO(content)).size
    loading = ' loading="lazy"' if lazy else ""
    image = f'<img src="{src}" alt="{html.escape(alt)}" width="{width}" height="{height}"{loading}>'
    if panels := stacked(content):
        width, height = Image.open(io.BytesIO(panels)).size
        size = f'width="{width}" height="{height}"'
        image = f'<picture><source media="{PHONE}" srcset="{stacked_of(src)}" {size}>{image}</picture>'
    if src.endswith(".gif"):
        still = still_of(src)
        image = (
            f'<picture><source media="(prefers-reduced-motion: reduce)" srcset="{still}">{image}</picture>'
            f'<button type="button" class="course-film" data-film="{src}" data-still="{still}">Pause</button>'
        )
    caption = f"<figcaption>{caption}</figcaption>" if caption else ""
    kind = "course-figure course-panels" if panels else "course-figure"
    return f'<figure class="{kind}">{image}{caption}</figure>'


def still_of(film: str) -> str:
    """The name of a film's last frame."""
    return film.removesuffix(".gif") + "-last.png"


def last_frame(film: bytes) -> bytes:
    """The last frame of a GIF, as a PNG."""
    from PIL import Image

    image = Image.open(io.BytesIO(film))
    image.seek(getattr(image, "n_frames", 1) - 1)
    buffer = io.BytesIO()
    image.convert("RGB").quantize(64).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _shown(lesson: Lesson, cell: Any, position: int, output: Any, live: str = "") -> Any:
    """An output as the site shows it; of a figure that moves the still is the fallback, also on paper."""
    if read := picture(output):
        kind, content, alt = read
        slid = STANDS_STILL if live else STANDS
        src = f"../{FIGURES}/{lesson.name}/{file_of(f'{cell.id}-{position}.{kind}')}"
        shown = figure(src, alt, content, caption=slid if "explore(" in cell.source else "")
        return _html(f'<div class="course-live" data-live="{live}">{shown}</div>' if live else shown)
    if blocks := claim_lines.stored(output):
        return _html(claim_lines.page(blocks, link=lambda id: f"../claims.html#{claim_lines.anchor(id)}"))
    return output


def _html(text: str) -> Any:
    data = {"text/html": text}
    return nbformat.from_dict({"output_type": "display_data", "data": data, "metadata": {}})  # type: ignore[no-untyped-call]


def _raw(id: str, text: str) -> Any:
    return nbformat.from_dict({"cell_type": "markdown", "id": id, "metadata": {}, "source": raw(text)})  # type: ignore[no-untyped-call]


def write(
    lesson: Lesson,
    names: Mapping[str, str],
    folder: Path,
    live: Collection[str] = (),
    drawn: Sequence[Path] = (),
) -> None:
    """The page and its files, below the site's source folder; `drawn`: the folders of its figures' states."""
    keys = [states.name for states in drawn]
    lessons.write(folder / "lessons" / lesson.path.name, page(lesson, names, live, keys))
    put_states(drawn, folder)
    for name, content in files(lesson).items():
        write_whole(folder / name, content)


def put_states(drawn: Iterable[Path], folder: Path) -> None:
    """Copy figures' states to where `scripts` looks for them."""
    for states in drawn:
        shutil.copytree(states, folder / DRAWN / states.name, ignore=shutil.ignore_patterns(explored.MARK))
