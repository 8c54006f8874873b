"""A question whose choices open on a note: HTML without scripts, and the same in plain text."""

from __future__ import annotations

from course_utils.exercises.engine.model import Quiz
from course_utils.markup import card, marked, paragraph

_LETTERS = "abcdefghij"


def letters(quiz: Quiz) -> str:
    """The letters of the choices, in their order."""
    return _LETTERS[: len(quiz.choices)]


def as_html(quiz: Quiz, kept: str = "") -> str:
    """`<details>` elements of one name, of which a browser opens one at a time; no colours of its own.

    The choice of letter `kept` is open.
    """
    parts = [f"<p><strong>Predict first.</strong> {marked(quiz.question)}</p>"]
    for letter, (text, note, right) in zip(_LETTERS, quiz.choices, strict=False):
        parts.append(
            f'<details name="quiz-{quiz.id}"{" open" * (letter == kept)}><summary>{marked(text)}</summary>'
            f"<p><strong>{_word(right)}</strong> {marked(note)}</p></details>"
        )
    return '<div class="course-quiz">\n' + "\n".join(parts) + "\n</div>"


def as_text(quiz: Quiz, kept: str = "") -> str:
    """The question and its lettered choices, without the notes; then the choice that was made, if any."""
    lines = [f"Predict first. {quiz.question}"]
    lines += [f"  {letter}) {text}" for letter, (text, _, _) in zip(_LETTERS, quiz.choices, strict=False)]
    last = f"You chose {kept}." if kept else f'quiz("{quiz.id}", "a") says what is behind choice a.'
    return "\n".join([*lines, last])


def note(quiz: Quiz, letter: str) -> str:
    """What is behind one lettered choice."""
    known = letters(quiz)
    if len(letter) != 1 or letter not in known:
        return f"the choices are {', '.join(known)}"
    text, words, right = quiz.choices[known.index(letter)]
    return f"{letter}) {text}\n{_word(right)} {words}"


def note_as_html(quiz: Quiz, letter: str) -> str:
    """The same as a card."""
    known = letters(quiz)
    if len(letter) != 1 or letter not in known:
        return card("open", "?", note(quiz, letter))
    text, words, right = quiz.choices[known.index(letter)]
    tone, mark = ("good", "✓") if right else ("bad", "✗")
    return card(tone, mark, _word(right), paragraph(f"{letter}) {marked(text)}"), paragraph(marked(words)))


def _word(right: bool) -> str:
    return "Right." if right else "Wrong."
