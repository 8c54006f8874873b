"""Learner hand-outs: the lessons with outputs cleared, ready to be worked through."""

from __future__ import annotations

import copy
from typing import Any

from course_utils.tools.lesson import Lesson

README = """Hand-outs of the course: the lessons, with outputs cleared.

They need the course's package, course_utils. In a copy of the course's repository:

    make doctor
    .venv/bin/python -m jupyterlab <this folder>

`make lab` does the same with copies in workspace/, and keeps what you changed when the course is updated.
"""


def cleared(lesson: Lesson) -> Any:
    """A copy of the stored notebook without outputs and execution counts; the stored one is not touched."""
    notebook = copy.deepcopy(lesson.notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook
