"""How long a slider of a lesson takes to its next picture: `python benchmarks/sliders.py [02 05]`.

What is timed is the processor time of one state, from the sliders' values to the bytes that the page is
given: the lesson's drawing and `plotting`'s rendering, on one thread, the median over states. Half of the
states are a drag, neighbours on one slider; the others are drawn at random, as if by another slider.

Sliders that need what their lesson measured run that lesson up to them, at `smoke`.
"""

from __future__ import annotations

import argparse
import functools
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from course_utils import plotting
from course_utils._sliders import Canvas
from course_utils.tools import lessons
from course_utils.tools.site.explored import cells_with_sliders, explored

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
LIMIT = 100.0  # milliseconds of one processor
# lesson/cell -> why its states may take longer; a state that was seen is kept, and costs nothing again
NAMED: dict[str, str] = {
    "07/try-map": "trains Adam and AMSGrad for each state",
    "08/try-plane": "trains two methods for 600 steps, 64 chains of each where there is noise",
}


def with_sliders(chosen: Sequence[str]) -> list[tuple[Path, str]]:
    """(lesson, cell id) of every cell with sliders."""
    return [(path, id) for path in lessons.find(NOTEBOOKS, list(chosen)) for id in cells_with_sliders(path)]


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
    path: Path, cell_id: str, count: int, clock: Callable[[], float] = time.process_time
) -> dict[str, Any]:
    """Median and largest milliseconds of a state, those of the drawing alone, and texts that clash."""
    found = explored(path, cell_id, "smoke")
    draw, sliders, start = found.draw, found.sliders, found.start
    canvas = Canvas(plotting._STYLE)
    canvas.webp(lambda: draw(**start))
    drawing: list[float] = []
    whole, clashes = [], set[str]()
    chosen = states(sliders, start, count)
    for state in chosen:  # one after the other, as in a drag
        began = clock()
        canvas.webp(functools.partial(timed, draw, state, drawing, clock))
        whole.append(1e3 * (clock() - began))
    for state in chosen:
        _, figure = canvas.webp(functools.partial(draw, **state))
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
    for path, cell_id in with_sliders(chosen.lessons):
        row, key = measured(path, cell_id, chosen.states), f"{path.stem[:2]}/{cell_id}"
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
