"""What a lesson's author writes: exercises, their known wrong answers, and quizzes.

A lesson's module `course_utils/exercises/lesson_NN_topic.py` defines

    EXERCISES: tuple[Exercise, ...]
    QUIZZES: tuple[Quiz, ...]

and the engine finds it by the two digits at the start of an id. Copy `lesson_00_start_here.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from course_utils._checks import require

Inputs = tuple[tuple[Any, ...], ...]
_ID = re.compile(r"\d\d\.[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Wrong:
    """A mistake that learners really make, as working code, and what to tell the one who makes it.

    Args:
        answer: a function with the solution's arguments (function exercises), or a value (value exercises).
            It is matched by what it does: an answer with the same results on every input gets `diagnosis`.
        diagnosis: one or two sentences: what happened and where to look, not the solution. "These are
            the sums so far; each is still to be divided by how many numbers it has."
    """

    answer: Any
    diagnosis: str


@dataclass(frozen=True)
class Exercise:
    """One exercise: what is asked, how an answer is tried, and how to help.

    A *function exercise* has a function as `solution`; the answer is called on each of `inputs` and must
    return what the solution returns: tensors (dtype and shape too), floats, ints, bools, strings, None, and
    tuples, lists and dicts of these. A Python int passes for a float, a 0-d tensor or array for the number
    in it, and a list, tuple, array or tensor of the same items for another of them. Before each call the
    random generators are seeded alike. A *value exercise* has anything else as `solution` and no `inputs`.

    Args:
        id: "NN.slug", permanent: the lesson's two digits, a dot, lower-case words joined by underscores.
        title: a few words, for the table of progress.
        prompt: what is asked, as a sentence or two (the notebook's cell says it at length).
        kind: "core" (everybody) or "extra".
        minutes: what it takes a learner, measured or guessed, > 0.
        solution: the reference answer; `solution(id)` prints its source, so write it to be read.
        wrong: the known wrong answers, at least `fewest_wrong`; every two of them, and each and the
            solution, must differ on some input (a test looks).
        hints: two or three, rising in help; the last one all but says it.
        stub: the text of the notebook's cell, one top-level name: a function whose body is a docstring and
            `...`, or `name = ...`. An answer that is still the stub is "not attempted yet".
        inputs: argument tuples `((a, b), (a, b))`, or a function without arguments that builds them (so that
            importing the module stays cheap; it is called anew for every answer). Empty for a value exercise.
            Inputs that need requires_grad, modules or generators are best built by a function.
        rtol, atol: floats and float tensors agree where |got - expected| <= atol + rtol * |expected|.
            The defaults suit float64 inputs; float32 ones need an rtol of about 1e-4.
        mutates: whether the answer should change its arguments. False: changing them is wrong. True: the
            arguments after the call (and their `.grad`) are compared with the solution's as well.
        note: a sentence or two shown with a right answer and with the solution: why it is so.
        seconds: how long an answer may take on one input.
        fewest_wrong: how many known wrong answers the tests ask for.
    Raises: ValueError if an id, kind, number or stub is out of form.
    """

    id: str
    _: KW_ONLY
    title: str
    prompt: str
    kind: Literal["core", "extra"]
    minutes: float
    solution: Any
    wrong: tuple[Wrong, ...]
    hints: tuple[str, ...]
    stub: str
    inputs: Inputs | Callable[[], Inputs] = ()
    rtol: float = 1e-6
    atol: float = 1e-9
    mutates: bool = False
    note: str = ""
    seconds: float = 10.0
    fewest_wrong: int = 4

    def __post_init__(self) -> None:
        require(_ID.fullmatch(self.id) is not None, "an id of the form NN.lower_case_words", id=self.id)
        require(self.kind in ("core", "extra"), 'kind "core" or "extra"', id=self.id, kind=self.kind)
        require(self.minutes > 0 and self.seconds > 0, "minutes > 0 and seconds > 0", id=self.id)
        require(self.rtol >= 0 and self.atol >= 0, "rtol >= 0 and atol >= 0", id=self.id)
        require(2 <= len(self.hints) <= 3, "two or three hints", id=self.id, hints=len(self.hints))
        require(
            callable(self.solution) == bool(self.inputs),
            "inputs for a function exercise, none for a value exercise",
            id=self.id,
        )
        compile(self.stub, f"<stub of {self.id}>", "exec")

    @property
    def asks_for_function(self) -> bool:
        """Whether the answer is a function (tried on `inputs`) rather than a value."""
        return callable(self.solution)


@dataclass(frozen=True)
class Quiz:
    """A question to answer before running anything; every choice opens on a note.

    Args:
        id: "NN.slug", as for exercises and in the same name space.
        question: plain text.
        choices: (text, note, right) each, two or more, at least one of them right. The note of a wrong choice
            says why it is tempting and where it fails; the page adds the word right or wrong itself.
    Raises: ValueError if the id is out of form or no choice is right.
    """

    id: str
    question: str
    choices: tuple[tuple[str, str, bool], ...]

    def __post_init__(self) -> None:
        require(_ID.fullmatch(self.id) is not None, "an id of the form NN.lower_case_words", id=self.id)
        require(len(self.choices) >= 2, "two choices or more", id=self.id, choices=len(self.choices))
        require(any(right for _, _, right in self.choices), "a choice that is right", id=self.id)
