"""The command line: `python -m course_utils run | report | doctor | lab | ...`, `course-utils` for short."""

from __future__ import annotations

import io
import sys
from pathlib import Path


def main() -> None:
    """Run one command. The doctor comes before everything that may not be installed."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every terminal has the lessons' letters
    if sys.argv[1:2] == ["doctor"]:
        from course_utils.tools import doctor

        sys.exit(doctor.main(sys.argv[2:]))
    try:
        from course_utils.tools.cli import commands
    except ImportError as problem:
        folder = Path(__file__).resolve().parents[1]
        cure = f"Ask the doctor, in {folder}: python -m course_utils doctor"
        sys.exit(f"The environment is not complete: {problem}\n{cure}")
    short = Path(sys.argv[0]).stem == "course-utils"
    commands(prog_name="course-utils" if short else "python -m course_utils")


if __name__ == "__main__":
    main()
