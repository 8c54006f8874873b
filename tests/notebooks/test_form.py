"""The lessons keep the form; and every rule of it can be broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from course_utils.exercises.engine import catalogue
from course_utils.exercises.engine.model import Quiz
from tests import lesson_98_made_up, sample
from tests.notebooks import form, prose_numbers, rules
from tests.notebooks.prose_numbers import Measured, agrees, numbers, settings

LESSONS = sorted(rules.NOTEBOOKS.glob("*.ipynb"))
Rule = Callable[[rules.Lesson], list[str]]
Change = Callable[[rules.Lesson], Any]


@pytest.mark.parametrize("rule", form.RULES, ids=lambda rule: rule.__name__)
def test_lessons_keep_rule(rule: Rule) -> None:
    found = {path.stem: rule(rules.Lesson(path)) for path in LESSONS}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.fixture
def lesson(monkeypatch: pytest.MonkeyPatch) -> rules.Lesson:
    """A made-up lesson, with the exercises of lesson_98_made_up.py."""
    monkeypatch.setattr(catalogue, "PACKAGES", [*catalogue.PACKAGES, "tests"])
    return rules.Lesson(Path("98_made_up.ipynb"), sample.in_form())


@pytest.mark.parametrize("rule", [*rules.RULES, *form.RULES], ids=lambda rule: rule.__name__)
def test_sample_keeps_rule(rule: Rule, lesson: rules.Lesson) -> None:
    assert rule(lesson) == []


def _edit(id: str, old: str, new: str) -> Change:
    """Change a text of the lesson that occurs once in one cell."""

    def change(lesson: rules.Lesson) -> None:
        [cell] = [cell for cell in lesson.notebook.cells if cell.id == id]
        assert cell.source.count(old) == 1, old
        cell.source = cell.source.replace(old, new)

    return change


def _about_figure(**about: Any) -> Change:
    def change(lesson: rules.Lesson) -> None:
        [output] = next(cell for cell in lesson.code if cell.id == "figure").outputs
        output.metadata["image/png"].update(about)

    return change


def _code(count: int, source: str = "x = 1") -> Change:
    return lambda lesson: lesson.notebook.cells.extend(new_code_cell(source) for _ in range(count))


def _quiz(question: str, note: str) -> Change:
    quiz = Quiz("98.which", question, (("yes", note, True), ("no", "Not 12 times.", False)))
    return lambda lesson: pytest.MonkeyPatch().setattr(lesson_98_made_up, "QUIZZES", (quiz,))


def _film(lesson: rules.Lesson) -> None:
    page = '<img src="data:image/gif;base64,AAAA" alt="It ends 17 times lower than it began.">'
    titles: dict[str, Any] = {"text/html": {"titles": []}}
    lesson.code[-1].outputs.append(new_output("display_data", data={"text/html": page}, metadata=titles))


def _mark(id: str, *texts: str) -> Change:
    def change(lesson: rules.Lesson) -> None:
        next(cell for cell in lesson.notebook.cells if cell.id == id).metadata["slides"] = list(texts)

    return change


def _untitled(lesson: rules.Lesson) -> None:
    [output] = next(cell for cell in lesson.code if cell.id == "figure").outputs
    del output.metadata["image/png"]["titles"]


FURTHER = [f'claim("98.more-{k}", "More.", 1, about=1, tol=0)' for k in range(10)]
ANOTHER = "Words.\n\n### C\n\n### D\n\n### E\n\n"
BUGS = "Words.\n\n**B.** B.\n\n**C.** C.\n\n**D.** D.\n"

# rule -> the change that breaks it, by what it is
BROKEN: dict[Rule, dict[str, Change]] = {
    form.objectives: {
        "two objectives": _edit("title", "- read;\n", ""),
        "no question": _edit("title", "**How much faster?**", "It is fast."),
    },
    form.honest_minutes: {
        "few minutes": _edit("title", "About 10 minutes", "About 4 minutes"),
        "no minutes": _edit("title", "About 10 minutes. ", ""),
        "two sittings": _edit("idea", "Words.", "Words. " * 180 * 90),
    },
    form.numbers_in_prose: {
        "a wrong share": _edit("saw", "a quarter of", "a fifth of"),
        "a wrong mean": _edit("saw", "23 points", "24 points"),
        "a wrong end": _edit("saw", "[15, 32]", "[16, 32]"),
        "a wrong count of seeds": _edit("saw", "64 seeds", "65 seeds"),
        "more digits than measured": _edit("saw", "[0.25]", "[0.254]"),
        "a rate that is not in the code": _edit("saw", "at 0.1", "at 0.2"),
        "a bound far off": _edit("saw", "less than 5", "less than 50"),
        "a bound on the wrong side": _edit("saw", "less than 5", "more than 5"),
        "a result without a link": _edit("saw", "of them", "of them, twice as good"),
        "a claim's bound as its result": _edit("saw", "of them", "of them, 0.3 ahead"),
        "the title's number": _edit("title", "[four times]", "[five times]"),
        "a claim that there is not": _edit("saw", "[0.25](#claim-98-faster)", "[0.25](#claim-98-slower)"),
    },
    form.numbers_in_claims: {
        "a wrong sentence": _edit("gain", "by 23 points", "by 2 points"),
        "the bound as the finding": _edit("faster", "It needs a quarter", "It needs 0.31"),
    },
    form.numbers_in_figures: {
        "a wrong title": _about_figure(titles=["It falls by 24 points"]),
        "a wrong alt text": _about_figure(alt="The blue line falls to 0.26 within 300 steps."),
        "a wrong alt text of a film": _film,
    },
    form.numbers_in_quizzes: {"a wrong note": _quiz("Is it faster?", "Yes, 12 times.")},
    form.figures_say_their_titles: {"no titles": _untitled},
    form.links_lead_to_claims: {
        "no such claim": _edit("idea", "Words.", "See [this](#claim-98-slower)."),
        "a folded claim": _edit("idea", "Words.", "[This](#claim-98-folded)."),
        "an odd link": _edit("idea", "Words.", "[This](#claim-98)."),
        "a sentence without": _edit("saw", "[not alone](#claim-98-gain)", "not alone"),
    },
    form.few_claims: {
        "thirteen claims": lambda lesson: lesson.notebook.cells.extend(map(new_code_cell, FURTHER)),
    },
    form.short_code: {
        "a long cell": _code(1, "x = 1\n" * 16),
        "cells of seven lines": _code(20, "x = 1\n" * 7),
        "much code": _code(300),
    },
    form.experiments: {
        "one experiment": _edit("experiment-2", "### At another", "At another"),
        "five experiments": _edit("idea", "## The idea", f"## Experiment\n\n{ANOTHER}## The idea"),
    },
    form.limits_are_measured: {
        "no claim": _edit("limit", 'claim("98.limit"', 'print("98.limit"'),
        "a folded one": _edit("limit", "claim(", 'with also_checked("x"):\n    claim('),
    },
    form.few_long_bugs: {
        "four at length": _edit("wrong", "Words.\n", BUGS),
        "two tables": _edit("wrong", "| a |", "|\n\n| x |\n|---|\n| a |"),
    },
    form.some_exercises: {
        "one not asked": _edit("exercise-mean", 'check("98.mean", mean)', ""),
        "seven": _code(1, 'check("98.mean", mean)'),
    },
    form.five_sentences: {
        "six": _edit("saw", "It is [not", "Never. It is [not"),
        "four": _edit("saw", ", over 300 of them.\n- It", ", over 300 of them, and it"),
    },
    form.says_what_comes_next: {
        "no link": _edit("reading", "[99](99_the_next.ipynb)", "99"),
        "a line after it": lambda lesson: lesson.notebook.cells.append(new_markdown_cell("That was it.")),
    },
    form.few_slides: {
        "a mark too many": _mark("figure", "It falls", "It falls."),
        "a label as title": _mark("figure", "The figure."),
        "a title that breaks off": _mark("figure", "What one sees here:"),
        "a section as title": _mark("figure", "What goes wrong."),
        "one title twice": _mark("figure", "How much faster?"),
        "three sentences": _mark("figure", "It falls fast. This is one. This is two. This is three."),
        "a sentence that breaks off": _mark("figure", "It falls fast. It falls by:"),
        "26 slides": _edit("idea", "Words.", "".join(f"![Figure number {k}](x.png)\n\n" for k in range(25))),
    },
    form.numbers_in_marks: {"a wrong number": _mark("figure", "It falls by 24 points here.")},
}
CASES = [
    pytest.param(rule, change, id=f"{rule.__name__}: {what}")
    for rule, ways in BROKEN.items()
    for what, change in ways.items()
]


@pytest.mark.parametrize(("rule", "change"), CASES)
def test_rule_can_be_broken(rule: Rule, change: Change, lesson: rules.Lesson, monkeypatch: Any) -> None:
    monkeypatch.setattr(lesson_98_made_up, "QUIZZES", lesson_98_made_up.QUIZZES)  # put back afterwards
    change(lesson)
    assert rule(lesson)


def test_every_rule_is_shown_to_be_breakable() -> None:
    assert list(BROKEN) == form.RULES


def test_a_lesson_says_where_it_stops(lesson: rules.Lesson) -> None:
    cells = lesson.notebook.cells
    cells[:] = [cell for cell in cells if cell.id != "stops"]
    assert rules.headings(lesson)


def test_a_question_may_hold_the_numbers_of_its_note(lesson: rules.Lesson, monkeypatch: Any) -> None:
    monkeypatch.setattr(lesson_98_made_up, "QUIZZES", ())
    _quiz("Is it 4 times or 12 times as fast?", "At 12 it would have stopped; 4 times, over 300 steps.")(
        lesson
    )
    assert form.numbers_in_quizzes(lesson) == []


def test_a_claim_is_read_with_its_interval_and_seeds(lesson: rules.Lesson) -> None:
    assert form.measured(lesson) == {
        "98.faster": Measured((0.25,)),
        "98.gain": Measured((0.23, 0.15, 0.32), 64),
        "98.folded": Measured((7.0,)),
        "98.limit": Measured((1.0,)),
    }
    assert form.visible(lesson) == ["98.faster", "98.gain", "98.limit"]


# ---- numbers


READ: dict[str, list[tuple[float, str]]] = {
    "0.025 [0.024, 0.026], 24 seeds": [(0.025, "plain"), (0.024, "plain"), (0.026, "plain"), (24, "seeds")],
    "a loss of −0.5, of 1,797 images": [(0.5, "plain"), (1797, "plain")],
    "3e-4, 10⁻⁸ and 2.5·10⁻⁴": [(3e-4, "plain"), (1e-8, "plain"), (2.5e-4, "plain")],
    "23 points, a 4-point gap, 50%, nine per cent": [(n, "percent") for n in (23, 4, 50, 9)],
    "ten times, twice, tenfold, 40-fold, 40×": [(n, "times") for n in (10, 2, 10, 40, 40)],
    "two orders of magnitude": [(2, "orders")],
    "a fortieth, two thirds, 1/40, half": [(n, "share") for n in (1 / 40, 2 / 3, 1 / 40, 0.5)],
    "the third step, its fifth layer": [],
    "CIFAR-10 in float16, 16-bit, L2, x₂, the 20th of $10 + 3$ and `f(7)`": [],
    "lessons 12 and 13, exercise 4, 07, (06, 11), [18](18_beyond.ipynb)": [],
    "Adam (2015), (Kingma & Ba, 2015), Lessard et al. 2016, on 2026-11-21": [],
    "300 points in a cloud": [(300, "plain")],
    "β = 0.05 from 64 → 32": [(0.05, "plain"), (64, "plain"), (32, "plain")],
}


@pytest.mark.parametrize(("text", "expected"), READ.items(), ids=[text[:25] for text in READ])
def test_numbers_are_read(text: str, expected: list[tuple[float, str]]) -> None:
    found = numbers(text)
    assert [number.value for number in found] == pytest.approx([value for value, _ in expected])
    assert [number.kind for number in found] == [kind for _, kind in expected]


# a number of a text -> measured values that it agrees with, and such that it does not
AGREE: dict[str, tuple[list[float], list[float]]] = {
    "0.025": ([0.0254, 0.0246, -0.025], [0.0256, 0.0244]),
    "0.03": ([0.0254], [0.0246]),
    "40 steps": ([39.6], [39.4]),
    "1,797": ([1797], [1798]),
    "2.5·10⁻⁴": ([2.54e-4], [2.6e-4]),
    "23 points": ([0.2349, 22.6], [0.2351, 0.22]),
    "23%": ([23.2, 0.232], [2.3]),
    "23": ([23.2], [0.23]),
    "a fortieth": ([0.0252, 39.8], [0.0256, 41]),
    "a tenth": ([0.104], [0.106]),
    "two thirds": ([0.66], [0.6]),
    "half": ([0.51], [0.54]),
    "40 times": ([0.0252, 39.8], [0.026]),
    "twice": ([2.4], [2.6]),
    "two orders of magnitude": ([130, 0.004], [400, 1]),
    "−0.5": ([-0.52], [0.52]),
    "less than 0.5": ([0.4], [0.2, 0.6]),
    "more than 300": ([310], [700, 290]),
    "at most 1e-12": ([3e-16, 0], [3e-11]),
    "within 10⁻¹²": ([0], [1e-10]),
}


@pytest.mark.parametrize("text", AGREE)
def test_a_number_agrees_to_the_digits_shown(text: str) -> None:
    [number] = numbers(text)
    for values, expected in zip(AGREE[text], (True, False), strict=True):
        for value in values:
            assert agrees(number, Measured((value,))) is expected, value


def test_bounds_of_claims_are_no_settings() -> None:
    code = (
        'rate, far = 0.05, 10**-3\nclaim("05.x", "X.", y, about=0.7, tol=0.3)\n%matplotlib inline\ng = 2 / 3'
    )
    assert settings([code]) == {0, 1, 2, 0.05, 1e-3, 2 / 3, 10, 3}


def test_what_stands_outside_a_link_is_a_setting() -> None:
    known = {0.05, 10.0}
    for text in ("a rate of 0.05", "5% of them", "99% intervals", "10 steps", "half"):
        assert prose_numbers.unmeasured(text, {}, known) == []
    for text in ("0.06", "10 times", "a tenth", "10 points", "5 steps", "4%"):
        assert prose_numbers.unmeasured(text, {}, known), text


def test_sentences_are_counted_in_lists_and_in_prose() -> None:
    text = "- One, e.g. [a. B](#claim-98-x).\n- Two: is it? Three.\n\nFour et al. say\nso. Five!"
    assert len(form.sentences(text)) == 5
    assert form.sentences(text)[0].endswith("[a. B](#claim-98-x).")


def test_the_record_fills_in_what_the_output_does_not_say(lesson: rules.Lesson, monkeypatch: Any) -> None:
    monkeypatch.setattr(form, "_recorded", lambda: {"98.folded": Measured((7.5,)), "97.x": Measured((1,))})
    cell = next(cell for cell in lesson.code if cell.id == "also")
    cell.outputs = [new_output("stream", name="stdout", text="An older form.\n")]
    found = form.measured(lesson)
    assert found["98.folded"] == Measured((7.5,))
    assert set(found) == {"98.faster", "98.gain", "98.folded", "98.limit"}


def test_the_stub_of_the_cell_is_the_stub_of_the_exercise(lesson: rules.Lesson) -> None:
    assert rules.stubs(lesson) == []
    _edit("exercise-pair", "...", "pass")(lesson)
    assert rules.stubs(lesson) == ["another stub of 98.pair than its exercise has"]
    nbformat.validate(lesson.notebook)
