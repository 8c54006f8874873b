"""How long a slider of a lesson takes to its next picture: `python benchmarks/sliders.py [02 05]`.

What is timed is the processor time of one state, from the sliders' values to the bytes that the page is
given: the lesson's drawing and `plotting`'s rendering, on one thread, the median over states. Half of the
states are a drag, neighbours on one slider; the others are drawn at random, as if by another slider.

Sliders that need what their lesson measured run that lesson up to them, at `smoke`.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import functools
import io
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from course_utils import plotting, profiles
from course_utils._sliders import Canvas
from course_utils.tools import lessons

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
LIMIT = 100.0  # milliseconds of one processor
# lesson/cell -> why its states may take longer; a state that was seen is kept, and costs nothing again
NAMED: dict[str, str] = {
    "06/explore": "takes up to 600 steps of two methods down a valley for each state",
    "07/try-map": "trains Adam and AMSGrad for each state",
    "08/try-plane": "trains two methods for 600 steps, 64 chains of each where there is noise",
}


class Explored(Exception):
    """Ends a lesson at its sliders."""


def arguments(
    name: str, cell_id: str
) -> tuple[Callable[..., Any], Mapping[str, Sequence[float]], Mapping[str, float]]:
    """(draw, sliders, start) of a cell with sliders, after as much of its lesson as it needs."""
    path = next(NOTEBOOKS.glob(f"{name}*.ipynb"))
    cells = [cell for cell in lessons.read(path).cells if cell.cell_type == "code"]
    place = next(k for k, cell in enumerate(cells) if cell.id == cell_id)
    given: list[Any] = []

    def explored(draw: Any, sliders: Any, *, start: Any, alt: str) -> None:
        given[:] = draw, sliders, start
        raise Explored

    imports = [cells[k] for k in range(place) if _only_imports(cells[k].source)]
    before, plotting.explore = plotting.explore, explored
    shown = io.StringIO()  # by the lesson on its way
    try:
        for chosen in (imports, cells[:place]):
            names: dict[str, Any] = {}
            try:
                for cell in [*chosen, cells[place]]:
                    with contextlib.redirect_stdout(shown):
                        exec(cell.source.replace('PROFILE = "standard"', 'PROFILE = "smoke"'), names)
            except NameError:
                continue
            except Explored:
                return given[0], given[1], given[2]
    finally:
        plotting.explore = before
        profiles.start()
    raise ValueError(f"{name}/{cell_id} does not come to its sliders")


def _only_imports(source: str) -> bool:
    return all(isinstance(one, (ast.Import, ast.ImportFrom)) for one in ast.parse(source).body)


def sliders_of_lessons(chosen: Sequence[str]) -> list[tuple[str, str]]:
    """(lesson, cell id) of every cell with sliders."""
    return [
        (path.stem[:2], cell.id)
        for path in lessons.find(NOTEBOOKS, list(chosen))
        for cell in lessons.read(path).cells
        if cell.cell_type == "code" and "plotting.explore(" in cell.source
    ]


def states(
    sliders: Mapping[str, Sequence[float]], start: Mapping[str, float], count: int
) -> list[dict[str, float]]:
    """A drag over the slider with most values, then states drawn at random, none twice."""
    longest = max(sliders, key=lambda name: len(sliders[name]))
    drag = [{**start, longest: value} for value in sliders[longest]][: count // 2]
    draws = random.Random(0)
    jumps = [{name: draws.choice(list(values)) for name, values in sliders.items()} for _ in range(count)]
    return [state for k, state in enumerate([*drag, *jumps]) if state not in [*drag, *jumps][:k]][:count]


def timed(
    draw: Callable[..., Any], state: dict[str, float], taken: list[float], clock: Callable[[], float]
) -> Any:
    """What `draw` makes of a state; its milliseconds go to `taken`."""
    began = clock()
    figure = draw(**state)
    taken.append(1e3 * (clock() - began))
    return figure


def measured(
    name: str, cell_id: str, count: int, clock: Callable[[], float] = time.process_time
) -> dict[str, Any]:
    """Median and largest milliseconds of a state, those of the drawing alone, and texts that clash."""
    draw, sliders, start = arguments(name, cell_id)
    canvas = Canvas(plotting._STYLE)
    canvas.png(lambda: draw(**start))
    drawing: list[float] = []
    whole, clashes = [], set[str]()
    for state in states(sliders, start, count):
        began = clock()
        _, figure = canvas.png(functools.partial(timed, draw, state, drawing, clock))
        whole.append(1e3 * (clock() - began))
        arranged = draw(**state)
        plotting.png(arranged)
        clashes |= set(plotting.clashes(figure)) - set(plotting.clashes(arranged))
    return {
        "state": statistics.median(whole),
        "largest": max(whole),
        "drawing": statistics.median(drawing),
        "clashes": sorted(clashes),
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lessons", nargs="*", metavar="LESSON")
    parser.add_argument("--states", type=int, default=12)
    chosen = parser.parse_args(argv)
    torch.set_num_threads(1)
    os.environ.update(COURSE_HEADLESS="1", COURSE_COLLECT_CLAIMS="1")
    slow = 0
    print(f"{'':<20}{'state':>8}{'largest':>9}{'drawing':>9}   ms of one processor")
    for name, cell_id in sliders_of_lessons(chosen.lessons):
        row, key = measured(name, cell_id, chosen.states), f"{name}/{cell_id}"
        over = row["state"] > LIMIT
        slow += over and key not in NAMED
        remark = f"  {NAMED.get(key, 'over the limit')}" if over else ""
        print(f"{key:<20}{row['state']:8.0f}{row['largest']:9.0f}{row['drawing']:9.0f}{remark}", flush=True)
        for clash in row["clashes"]:
            print(f"{'':<20}arranged once: {clash}")
    print(f"{slow} over {LIMIT:.0f} ms that are not named here")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
