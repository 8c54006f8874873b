"""What is folded under an exercise: hints one by one, the solution, the known wrong answers."""

from __future__ import annotations

import html

from course_utils.exercises.engine.model import Exercise
from course_utils.markup import details, marked
from course_utils.tools.lesson_exercises import source_of
from course_utils.tools.page_markup import highlighted


def fold(exercise: Exercise) -> str:
    """The folds of one exercise as HTML: nothing of the answer shows before it is opened."""
    parts = [
        details(f"Hint {count} of {len(exercise.hints)}", f"<p>{marked(hint)}</p>")
        for count, hint in enumerate(exercise.hints, 1)
    ]
    note = f"<p>{marked(exercise.note)}</p>" if exercise.note else ""
    parts.append(details("Solution", highlighted(source_of(exercise.solution)) + note))
    parts.append(details(f"{len(exercise.wrong)} wrong answers that people give", wrong_answers(exercise)))
    label = html.escape(f"Help with {exercise.title}", quote=True)
    head = f'<div class="course-folds" role="group" aria-label="{label}" data-exercise="{exercise.id}">'
    return "\n".join([head, *parts, "</div>"])


def wrong_answers(exercise: Exercise) -> str:
    """Each known wrong answer: the diagnosis, then the code that earns it."""
    items = []
    for wrong in exercise.wrong:
        text = source_of(wrong.answer)
        items.append(f"<li>{marked(wrong.diagnosis)}{highlighted(text) if text else ''}</li>")
    return f"<ul>{''.join(items)}</ul>"
