"""The lessons as they are stored keep every rule; and every rule can be broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_output

from tests.notebooks import rules
from tests.sample import claim, claims, stored

LESSONS = sorted(rules.NOTEBOOKS.glob("*.ipynb"))


def test_there_are_lessons() -> None:
    assert LESSONS, f"no lesson in {rules.NOTEBOOKS}"
    assert len({path.name[:2] for path in LESSONS}) == len(LESSONS), "two lessons with one number"


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_keeps_rule(path: Path, rule: Callable[[rules.Lesson], list[str]]) -> None:
    assert rule(rules.Lesson(path)) == []


@pytest.fixture
def sample() -> rules.Lesson:
    """The least that keeps these rules (test_form.py has a lesson that keeps the form as well)."""
    return rules.Lesson(Path("01_sample.ipynb"), stored(rules.HEADINGS))


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_sample_keeps_rule(rule: Callable[[rules.Lesson], list[str]], sample: rules.Lesson) -> None:
    assert rule(sample) == []


def _strip(lesson: rules.Lesson) -> None:
    for cell in lesson.code:
        cell.outputs, cell.execution_count = [], None


def _claim_fails(lesson: rules.Lesson) -> None:
    lesson.code[-1].outputs = [claims(claim("01.one", "One is one.", 2.0, verdict="fails"))]


def _short_alt(lesson: rules.Lesson) -> None:
    lesson.outputs[0].metadata = nbformat.from_dict({"image/png": {"alt": "A figure."}})


def _clash(position: int, kind: str) -> Callable[[rules.Lesson], None]:
    def change(lesson: rules.Lesson) -> None:
        about = {
            kind: {"alt": "A figure whose alt text is long enough to say it.", "clashes": ["a lies on b"]}
        }
        lesson.outputs[position].metadata = nbformat.from_dict(about)

    return change


def _html_alt(lesson: rules.Lesson) -> None:
    lesson.outputs[1].data["text/html"] = '<img src="data:image/gif;base64,AAAA">'


def _swap(lesson: rules.Lesson) -> None:
    cells = lesson.notebook.cells
    cells[-1], cells[-2] = cells[-2], cells[-1]


def _second_parameters(lesson: rules.Lesson) -> None:
    lesson.code[1].metadata = nbformat.from_dict({"tags": ["parameters"]})


def _path(lesson: rules.Lesson) -> None:
    lesson.outputs[-1].data["text/plain"] += "/home/someone/course/05.ipynb\n"


def _set(position: int, name: str, value: object) -> Callable[[rules.Lesson], None]:
    return lambda lesson: lesson.code[position].__setitem__(name, value)


def _add(output: nbformat.NotebookNode) -> Callable[[rules.Lesson], None]:
    return lambda lesson: lesson.code[-1].outputs.append(output)


def _twice(lesson: rules.Lesson) -> None:
    lesson.code[-2].source = lesson.code[-1].source


def _drop(heading: str) -> Callable[[rules.Lesson], None]:
    def change(lesson: rules.Lesson) -> None:
        lesson.notebook.cells = [cell for cell in lesson.notebook.cells if f"## {heading}" not in cell.source]

    return change


def _another_stub(lesson: rules.Lesson) -> None:
    lesson.path = Path("05_momentum.ipynb")
    source = "def contraction(lr, beta, curvature):\n    ...\n\n\ncheck('05.contraction', contraction)"
    lesson.code[-1].source = source


def _name_a_paper(lesson: rules.Lesson) -> None:
    title = "Goldberg (1991), *What every computer scientist should know about floating-point arithmetic*"
    text = f"- Someone (1999), [*A*](b); {title}.\n- None (2001), *A title that nobody knows*."
    lesson.notebook.cells.append(new_markdown_cell(f"## Further reading\n\n{text}"))


ERROR = new_output("error", ename="ValueError", evalue="no", traceback=[])
WIDGET = new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {"model_id": "1"}})
PLAIN = new_output("execute_result", data={"text/plain": "<object at 0x7f0012345678>"})

BROKEN = [
    pytest.param(rules.executed, _set(2, "execution_count", 7), id="executed out of order"),
    pytest.param(rules.executed, _strip, id="never executed"),
    pytest.param(rules.has_outputs, _strip, id="stripped of outputs"),
    pytest.param(rules.has_outputs, _set(3, "outputs", []), id="a claim without its line"),
    pytest.param(rules.has_outputs, _claim_fails, id="a claim that fails"),
    pytest.param(rules.no_errors, _add(ERROR), id="an error"),
    pytest.param(rules.no_errors, _add(new_output("stream", name="stderr", text="warning")), id="stderr"),
    pytest.param(rules.parameters, _second_parameters, id="two parameters cells"),
    pytest.param(rules.parameters, _set(0, "metadata", nbformat.from_dict({})), id="no parameters cell"),
    pytest.param(
        rules.parameters,
        _set(0, "source", 'PROFILE = "smoke"\nSEED = 0\nDEVICE = "cpu"'),
        id="another default",
    ),
    pytest.param(rules.headings, _swap, id="headings swapped"),
    pytest.param(rules.headings, _drop("Agreement"), id="a heading missing"),
    pytest.param(
        rules.headings,
        lambda lesson: lesson.notebook.cells.append(new_markdown_cell("# Two")),
        id="two titles",
    ),
    pytest.param(rules.alt_text, _short_alt, id="short alt text"),
    pytest.param(rules.alt_text, _html_alt, id="img without alt"),
    pytest.param(rules.texts_apart, _clash(0, "image/png"), id="texts of a figure that overlap"),
    pytest.param(rules.texts_apart, _clash(1, "text/html"), id="texts of a film that overlap"),
    pytest.param(rules.stable_ids, lambda lesson: lesson.code[0].update(id="cell-0"), id="an id twice"),
    pytest.param(rules.stable_ids, lambda lesson: lesson.code[0].update(id="Cell_0"), id="an odd id"),
    pytest.param(rules.no_machine, _path, id="a machine path"),
    pytest.param(rules.no_machine, _add(PLAIN), id="an address in memory"),
    pytest.param(
        rules.no_machine,
        lambda lesson: lesson.notebook.metadata.update(papermill={}),
        id="papermill's traces",
    ),
    pytest.param(rules.no_widgets, _add(WIDGET), id="a widget"),
    pytest.param(
        rules.no_exemptions, _set(1, "source", "# NBVAL_IGNORE_OUTPUT\nshow(figure)"), id="an exemption"
    ),
    pytest.param(rules.small, lambda lesson: setattr(lesson, "size", 1_000_000), id="a large file"),
    pytest.param(rules.claims_once, _set(3, "source", "pass"), id="no claim"),
    pytest.param(rules.claims_once, _twice, id="a claim twice"),
    pytest.param(
        rules.claims_once,
        _set(3, "source", 'claim(f"01.{x}", "One.", 1, about=1, tol=0)'),
        id="an id not written out",
    ),
    pytest.param(
        rules.claims_once,
        lambda lesson: setattr(lesson, "path", Path("02_other.ipynb")),
        id="another lesson's number",
    ),
    pytest.param(rules.stubs, _another_stub, id="a stub without its docstring"),
    pytest.param(
        rules.stubs, _set(1, "source", 'check("01.none", none)'), id="an exercise that there is not"
    ),
    pytest.param(
        rules.keeps_nan, _set(1, "source", "worst = max(worst, (a - b).abs().max())"), id="a NaN dropped"
    ),
    pytest.param(
        rules.keeps_nan,
        _set(3, "source", 'claim("01.one", "One.", min(rates))'),
        id="a NaN dropped in a claim",
    ),
    pytest.param(rules.papers_are_linked, _name_a_paper, id="a paper without a link"),
]


@pytest.mark.parametrize(("rule", "change"), BROKEN)
def test_rule_can_be_broken(
    rule: Callable[[rules.Lesson], list[str]], change: Callable[[rules.Lesson], None], sample: rules.Lesson
) -> None:
    change(sample)
    assert rule(sample)


def test_every_rule_is_shown_to_be_breakable() -> None:
    assert {case.values[0] for case in BROKEN} == set(rules.RULES)


def test_the_first_lesson_may_leave_out_what_the_table_says() -> None:
    out = rules.MAY_LEAVE_OUT["00_start_here"]
    short = [heading for heading in rules.HEADINGS if heading not in out]
    assert rules.headings(rules.Lesson(Path("00_start_here.ipynb"), stored(short, "00"))) == []
    assert rules.headings(rules.Lesson(Path("21_another.ipynb"), stored(short, "21"))) != []
