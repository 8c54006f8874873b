"""Every state of the sliders that no script on the site computes, drawn once: `make explored`.

    build/explored/13_few-masks/0.webp, 1.webp, ...   the states, the last slider running fastest
    build/explored/13_few-masks/states.js             sliders, sizes and alt texts, for docs/_static/live.js
    build/explored/13_few-masks/fingerprint           of all that decides them; written last

A second call draws nothing where the fingerprint is the old one. `make site` shows what it finds there.
"""

from __future__ import annotations

import ast
import contextlib
import io
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils._files import write_whole
from course_utils._sliders import Canvas, described
from course_utils.tools import lessons
from course_utils.tools.running.fingerprints import fingerprint

if TYPE_CHECKING:
    from PIL.Image import Image

FOLDER = "explored"  # below build/
SCRIPT = "states.js"
MARK = "fingerprint"


class _Reached(Exception):
    """Ends a lesson at its sliders."""


@dataclass(frozen=True)
class Explored:
    """What a cell of a lesson hands to `plotting.explore`."""

    draw: Callable[..., Any]
    sliders: Mapping[str, Sequence[float]]
    start: Mapping[str, float]
    alt: str

    def states(self) -> Iterator[dict[str, float]]:
        """Every state, the last slider running fastest."""
        for values in itertools.product(*self.sliders.values()):
            yield dict(zip(self.sliders, values, strict=True))


def cells_with_sliders(path: Path) -> list[str]:
    """The ids of the cells of a lesson that call `plotting.explore`."""
    cells = lessons.read(path).cells
    return [cell.id for cell in cells if cell.cell_type == "code" and "plotting.explore(" in cell.source]


def explored(path: Path, cell_id: str, profile: str = "standard") -> Explored:
    """What this cell hands to `plotting.explore`, after as much of its lesson as it needs: imports, or all.

    Raises: ValueError where the lesson does not come to it.
    """
    from course_utils import plotting, profiles

    cells = [cell for cell in lessons.read(path).cells if cell.cell_type == "code"]
    place = next(k for k, cell in enumerate(cells) if cell.id == cell_id)
    given: list[Explored] = []
    here = False

    def instead(draw: Any, sliders: Any, *, start: Any, alt: str) -> None:
        if not here:  # sliders of another cell, on the way
            return
        draw(**start)  # a function of the lesson may want what the lesson measured: NameError, too
        given.append(Explored(draw, sliders, start, alt))
        raise _Reached

    imports = [cell for cell in cells[:place] if _only_imports(cell.source)]
    before, plotting.explore = plotting.explore, instead
    try:
        for chosen in (imports, cells[:place]):
            names: dict[str, Any] = {}
            try:
                for cell in [*chosen, cells[place]]:
                    here = cell is cells[place]
                    with contextlib.redirect_stdout(io.StringIO()):
                        exec(cell.source.replace('PROFILE = "standard"', f'PROFILE = "{profile}"'), names)
            except NameError:
                continue
            except _Reached:
                return given[0]
    finally:
        plotting.explore = before
        profiles.start()
    raise ValueError(f"{path.stem}, cell {cell_id}, does not come to its sliders")


def _only_imports(source: str) -> bool:
    return all(isinstance(one, (ast.Import, ast.ImportFrom)) for one in ast.parse(source).body)


def key(path: Path, cell_id: str) -> str:
    """What the folder of a cell's states is called."""
    return f"{path.stem[:2]}_{cell_id}"


def standing(path: Path, cell_id: str, build: Path) -> Path | None:
    """The folder of a cell's states where they are those of the lesson and the package as they stand."""
    folder = build / FOLDER / key(path, cell_id)
    mark = folder / MARK
    return folder if mark.exists() and mark.read_text() == fingerprint(path, {}) else None


def all_standing(path: Path, build: Path) -> list[Path]:
    """These folders, of all cells of a lesson."""
    return list(filter(None, (standing(path, id, build) for id in cells_with_sliders(path))))


def _small(picture: Image) -> bytes:
    """A picture as WebP: in 64 colours, each pixel kept; or as a photograph where that is smaller."""
    written = []
    plain = picture.convert("RGB")
    for ready, options in ((plain.quantize(64).convert("RGB"), {"lossless": True}), (plain, {"quality": 80})):
        buffer = io.BytesIO()
        ready.save(buffer, "WEBP", method=4, **options)
        written.append(buffer.getvalue())
    return min(written, key=len)


@contextlib.contextmanager
def environment(**values: str) -> Iterator[None]:
    """These variables of the environment, and afterwards what was there."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def render(path: Path, cell_id: str, build: Path) -> int:
    """Draw all states of a cell; 0 where they stand already, else how many were drawn."""
    from PIL.Image import open as opened

    from course_utils import plotting

    if standing(path, cell_id, build):
        return 0
    # a lesson runs on its own: no bars, and a claim that fails does not end it
    with environment(COURSE_HEADLESS="1", COURSE_COLLECT_CLAIMS="1"):
        found = explored(path, cell_id)
    canvas = Canvas(plotting._STYLE)
    folder = build / FOLDER / key(path, cell_id)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    alts, size = [], (0, 0)
    for k, state in enumerate(found.states()):
        webp, figure = canvas.webp(partial(found.draw, **state))
        picture = opened(io.BytesIO(webp))
        size = picture.size
        write_whole(folder / f"{k}.webp", _small(picture))
        alts.append(described(state, found.start, found.alt, plotting.titles(figure)))
    sliders = {
        name: {"name": name.replace("_", " "), "values": list(values), "start": found.start[name]}
        for name, values in found.sliders.items()
    }
    module = {"sliders": sliders, "pictures": {"size": size, "alts": alts}}
    call = f"live.add({json.dumps(folder.name)}, live.pictured({json.dumps(module, ensure_ascii=False)}));\n"
    write_whole(folder / SCRIPT, f'"use strict";\n\n{call}')
    write_whole(folder / MARK, fingerprint(path, {}))
    return len(alts)
