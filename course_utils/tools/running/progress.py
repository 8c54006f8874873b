"""How far a run is: a bar with the lesson's name and the time left, or a line for each finished lesson."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from types import TracebackType

from tqdm import tqdm

from course_utils.tools.running.results import Result


class Progress:
    """Follows the lessons of one run.

    Args:
        expected: seconds that each lesson took last time, None where that is not known.
        workers: how many run at the same time.
        bar: whether to draw a bar; None draws one where stderr is a terminal.
    """

    def __init__(
        self, expected: Mapping[str, float | None], *, workers: int, bar: bool | None = None
    ) -> None:
        self.waiting = dict(expected)
        self.running: dict[str, float] = {}
        self.workers = workers
        self.expected = expected
        self.done = 0
        drawn = sys.stderr.isatty() if bar is None else bar
        layout = "{n_fmt}/{total_fmt} |{bar:20}| {elapsed}{postfix} {desc}"
        self.bar = tqdm(total=len(expected), bar_format=layout, disable=not drawn, dynamic_ncols=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()

    def unchanged(self, lessons: Iterable[str]) -> None:
        if names := " ".join(sorted(lesson[:2] for lesson in lessons)):
            tqdm.write(f"unchanged since they passed: {names} (--all runs them, too)", file=sys.stdout)

    def started(self, lesson: str) -> None:
        self.waiting.pop(lesson, None)
        self.running[lesson] = time.monotonic()

    def finished(self, result: Result) -> None:
        self.running.pop(result.lesson, None)
        self.done += 1
        counts = ", ".join(f"{count} {verdict}" for verdict, count in result.claims.items()) or "none"
        line = f"[{self.done:>2}/{len(self.expected)}] {result.state}  {result.lesson:<32}"
        tqdm.write(f"{line} {result.seconds:6.1f} s  claims: {counts}", file=sys.stdout)
        sys.stdout.flush()
        self.bar.update()

    def tick(self) -> None:
        """Draw again; called a few times a second."""
        self.bar.set_description_str(" ".join(sorted(self.running)), refresh=False)
        left = self.seconds_left()
        self.bar.set_postfix_str("" if left is None else f"about {_clock(left)} left", refresh=True)

    def seconds_left(self) -> float | None:
        """What is left, from what each lesson took last time; None while nothing is known.

        A lesson never run before counts as the mean of the known ones.
        """
        known = [seconds for seconds in self.expected.values() if seconds is not None]
        if not known:
            return None
        usual = sum(known) / len(known)
        now = time.monotonic()
        running = [
            max(0.0, (self.expected[lesson] or usual) - (now - begun))
            for lesson, begun in self.running.items()
        ]
        waiting = sum(seconds or usual for seconds in self.waiting.values())
        return max([(waiting + sum(running)) / self.workers, *running])


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
