"""A question whose choices open on a note: HTML without scripts, and the same in plain text."""

from __future__ import annotations

from course_utils.exercises.engine.model import Quiz
from course_utils.markup import card, marked, paragraph

_LETTERS = "abcdefghij"


def as_html(quiz: Quiz) -> str:
    """`<details>` elements of one name, of which a browser opens one at a time; no colours of its own."""
    parts = [f"<p><strong>Predict first.</strong> {marked(quiz.question)}</p>"]
    for text, note, right in quiz.choices:
        parts.append(
            f'<details name="quiz-{quiz.id}"><summary>{marked(text)}</summary>'
            f"<p><strong>{_word(right)}</strong> {marked(note)}</p></details>"
        )
    return '<div class="course-quiz">\n' + "\n".join(parts) + "\n</div>"


def as_text(quiz: Quiz) -> str:
    """The question and its lettered choices, without the notes."""
    lines = [f"Predict first. {quiz.question}"]
    lines += [f"  {letter}) {text}" for letter, (text, _, _) in zip(_LETTERS, quiz.choices, strict=False)]
    return "\n".join([*lines, f'quiz("{quiz.id}", "a") says what is behind choice a.'])


def note(quiz: Quiz, letter: str) -> str:
    """What is behind one lettered choice."""
    letters = _LETTERS[: len(quiz.choices)]
    if len(letter) != 1 or letter not in letters:
        return f"the choices are {', '.join(letters)}"
    text, words, right = quiz.choices[letters.index(letter)]
    return f"{letter}) {text}\n{_word(right)} {words}"


def note_as_html(quiz: Quiz, letter: str) -> str:
    """The same as a card."""
    letters = _LETTERS[: len(quiz.choices)]
    if len(letter) != 1 or letter not in letters:
        return card("open", "?", note(quiz, letter))
    text, words, right = quiz.choices[letters.index(letter)]
    tone, mark = ("good", "✓") if right else ("bad", "✗")
    return card(tone, mark, _word(right), paragraph(f"{letter}) {marked(text)}"), paragraph(marked(words)))


def _word(right: bool) -> str:
    return "Right." if right else "Wrong."
