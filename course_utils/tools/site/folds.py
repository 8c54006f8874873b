"""What is folded under an exercise: hints one by one, the solution, the known wrong answers."""

from __future__ import annotations

import html
import inspect
import re
import textwrap
from collections.abc import Iterable
from types import FunctionType, ModuleType
from typing import Any

from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

from course_utils.exercises.engine import catalogue
from course_utils.exercises.engine.model import Exercise
from course_utils.markup import details, marked


def module_of(lesson: str) -> ModuleType | None:
    """The module of exercises of the lesson with these two digits, None where it has none."""
    return catalogue.load(lesson) if lesson in catalogue.lessons() else None


def asked_in(source: str) -> list[str]:
    """Ids of the exercises that a cell checks."""
    return re.findall(r"""^check\(\s*["'](\d\d\.\w+)["']""", source, re.MULTILINE)


def fold(exercise: Exercise) -> str:
    """The folds of one exercise as HTML: nothing of the answer shows before it is opened."""
    parts = [
        details(f"Hint {count} of {len(exercise.hints)}", f"<p>{marked(hint)}</p>")
        for count, hint in enumerate(exercise.hints, 1)
    ]
    note = f"<p>{marked(exercise.note)}</p>" if exercise.note else ""
    parts.append(details("Solution", code(source_of(exercise.solution)) + note))
    parts.append(details(f"{len(exercise.wrong)} wrong answers that people give", wrong_answers(exercise)))
    label = html.escape(f"Help with {exercise.title}", quote=True)
    return f'<div class="course-folds" role="group" aria-label="{label}">\n' + "\n".join(parts) + "\n</div>"


def wrong_answers(exercise: Exercise) -> str:
    """Each known wrong answer: the diagnosis, then the code that earns it."""
    items = []
    for wrong in exercise.wrong:
        text = source_of(wrong.answer)
        items.append(f"<li>{marked(wrong.diagnosis)}{code(text) if text else ''}</li>")
    return f"<ul>{''.join(items)}</ul>"


def source_of(answer: Any) -> str:
    """The text of an answer: a function's source, a value as Python writes it, nothing for a lambda."""
    if not callable(answer):
        return repr(answer)
    if not isinstance(answer, FunctionType) or answer.__name__ == "<lambda>":
        return ""
    return textwrap.dedent(inspect.getsource(answer)).rstrip()


def code(text: str) -> str:
    """Python as HTML in the classes that the theme colours, in light and in dark."""
    body = highlight(text, PythonLexer(), HtmlFormatter(nowrap=True)).rstrip("\n")
    return (
        '<div class="highlight-python notranslate"><div class="highlight">'
        f'<pre tabindex="0">{body}\n</pre></div></div>'
    )


def exercises_by_id(lesson: str) -> dict[str, Exercise]:
    """Id -> exercise, of the lesson with these two digits."""
    found: Iterable[Exercise] = getattr(module_of(lesson), "EXERCISES", ())
    return {exercise.id: exercise for exercise in found}
