"""What check, hint, solution, quiz and progress show in a notebook, and that it says what their text says."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from course_utils import markup
from course_utils.exercises.engine import cards, catalogue, judge, quizzes, verdict
from course_utils.exercises.engine.ask import verdict_on
from course_utils.exercises.engine.cards import Row, Standing
from course_utils.exercises.engine.judge import judge_function, judge_value
from course_utils.exercises.engine.verdict import Verdict
from course_utils.tools.running import kernel
from tests import lesson_98_made_up as made_up
from tests.exercises.test_engine import MEAN, SAYS, cell
from tests.mutants import mistakes

MEANS, STEP, SCALE, *_, ANSWER = made_up.EXERCISES


@pytest.fixture(autouse=True)
def made_up_lesson(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "PACKAGES", [*catalogue.PACKAGES, "tests"])


class Page(HTMLParser):
    """Text of a page, its tags, which must be balanced, and its tables as rows of cells."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(source)
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


def squeezed(text: str) -> str:
    return re.sub(r"[\s`*]+|[:.]", "", text)


@pytest.mark.parametrize(("id", "body", "lines"), SAYS)
def test_the_card_of_check_says_what_its_text_says(id: str, body: str, lines: list[str]) -> None:
    exercise = next(one for one in made_up.EXERCISES if one.id == id)
    answer = cell(f"def answer(x):\n    {body}\n")
    found = verdict_on(exercise, answer)
    assert list(found.lines) == lines
    page = Page(cards.verdict(id, found, ["(a note)"]))
    for line in lines[found.in_table :]:
        for part in line.removeprefix("This was on ").split(". "):  # the input stands in the table
            assert squeezed(part) in squeezed(page.text), part
    for line in lines[: found.in_table]:
        for part in re.split(r" on |, got |expected |[:;] ", line):
            assert squeezed(part) in squeezed(page.text), part
    assert id in page.text
    assert "(a note)" in page.text


def check_facts(module: Any) -> None:
    def facts(body: str, exercise: Any = MEANS, arguments: str = "x") -> tuple[tuple[str, str], ...]:
        answer = cell(f"def answer({arguments}):\n    {body}\n")
        return module.judge_function(exercise, answer, code=answer.__code__).facts

    said = ("Input", MEAN), ("Expected", "torch.tensor(3.0, dtype=torch.float64)")
    assert facts("return x.mean()") == ()
    assert facts("return ...") == ()
    assert facts("return 0 * x[0]") == (*said, ("Got", "torch.tensor(0.0, dtype=torch.float64)"))
    assert facts("return x.sum()") == (*said, ("Got", "torch.tensor(9.0, dtype=torch.float64)")), (
        "a known mistake, too"
    )
    assert facts("return undefined") == (*said, ("Got", "NameError"))
    assert facts("return x[0] if len(x) == 1 else x.mean() + 1")[0] == ("Input", MEAN)
    assert facts("return x.mean() + (len(x) == 1)") == (
        ("Input", "mean(x=torch.tensor([4.0], dtype=torch.float64))"),
        ("Expected", "torch.tensor(4.0, dtype=torch.float64)"),
        ("Got", "torch.tensor(5.0, dtype=torch.float64)"),
    )
    assert facts("x.mean()") == (
        ("Input", MEAN), ("Expected", "a tensor"), ("Got", "None: is a `return` missing?"),
    )  # fmt: skip
    assert facts("g.zero_(); p -= lr * 2", STEP, "p, g, lr") == (
        ("Input", "step_(p=torch.tensor([1.0]), g=torch.tensor([2.0]), lr=0.5)"),
        ("Where", "argument `g` afterwards, in ['value']"),
        ("Expected", "torch.tensor([2.0])"),
        ("Got", "torch.tensor([0.0])"),
    )
    assert facts("y = x.mean(); x += 1; return y")[1][1].startswith("argument `x` afterwards")


def test_a_wrong_answer_has_its_input_and_both_results_in_a_table() -> None:
    check_facts(judge)
    answer = cell("def answer(x):\n    return 0 * x[0]\n")
    found = judge_function(MEANS, answer)
    assert Page(cards.verdict("98.mean", found)).rows == [
        ["Input", MEAN],
        ["Expected", "torch.tensor(3.0, dtype=torch.float64)"],
        ["Got", "torch.tensor(0.0, dtype=torch.float64)"],
    ]


def check_facts_of(changed: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "verdict", changed)
        check_facts(judge)


test_a_mistake_in_the_table_is_noticed = mistakes(
    verdict.__name__,
    [
        ('facts.append(("Expected", mismatch.expected))', 'facts.append(("Expected", mismatch.got))'),
        ('("Got", got.error.short)', '("Got", "")'),
        ("call, expected[first], got[first], ", "call, expected[0], got[0], "),
        ("call = call_text(exercise, first, parameters)", "call = call_text(exercise, 0, parameters)"),
    ],
    check=check_facts_of,
)  # fmt: skip


def test_a_value_that_was_expected_is_never_shown() -> None:
    for value in (41, 13.0, "forty", True, None):
        found = judge_value(ANSWER, value)
        page = Page(cards.verdict("98.answer", found))
        assert "42" not in page.text
        assert page.rows == [["Got", dict(found.facts)["Got"]]]


@pytest.mark.parametrize(
    ("verdict", "word", "tone"),
    [
        (Verdict("correct", ("correct.", "Sum over n.")), "✓ correct", "good"),
        (Verdict("wrong", ("wrong: This is the sum.",)), "✗ wrong", "bad"),
        (Verdict("raised", ("raised NameError in line 2.",)), "✗ raised", "bad"),
        (Verdict("raised", ("stopped: it did not finish.",)), "✗ stopped", "bad"),
        (Verdict("not attempted", ("not attempted yet.",)), "○ not attempted yet", "plain"),
        (Verdict("not attempted", ("not attempted yet: the stub's `...`.",)), "○ not attempted yet", "plain"),
        (Verdict("failed", ("could not be tried: no process.",)), "! could not be tried", "open"),
    ],
)
def test_a_verdict_has_a_sign_a_word_and_a_colour(verdict: Verdict, word: str, tone: str) -> None:
    source = cards.verdict("98.mean", verdict)
    assert Page(source).text.strip().startswith(word)
    assert f"4px solid {markup.TONES[tone]}" in source


def luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("ground", ["#ffffff", "#111111", "#14181c", "#1e1e1e"])
@pytest.mark.parametrize("tone", markup.TONES)
def test_edges_and_signs_stand_out_in_light_and_dark(tone: str, ground: str) -> None:
    low, high = sorted((luminance(markup.TONES[tone]), luminance(ground)))
    assert (high + 0.05) / (low + 0.05) >= 3


def test_a_hint_is_a_card() -> None:
    text = Page(cards.hint("98.mean", 2, 3, "divide by `len(x)`", ["more"])).text
    assert "Hint 2 of 3" in text
    assert "divide by len(x)" in text
    assert "98.mean · more" in text


def test_a_solution_is_code_to_copy() -> None:
    source = 'def f(a, b):\n    return a < b & 1  # "quoted"\n'
    page = cards.solution("98.mean", source, "Sum over `n`.")
    assert html.unescape(re.search("<pre[^>]*><code>(.*)</code></pre>", page, re.DOTALL)[1]) == source
    assert "<em>" not in cards.solution("98.mean", "a * b * c", "")
    assert "Sum over n." in Page(page).text


def standing(number: str, *states: str) -> Standing:
    rows = [
        Row(exercise, state, ("2 attempts",))
        for exercise, state in zip(made_up.EXERCISES, states, strict=False)
    ]
    return Standing(number, "made up", tuple(rows))


def test_progress_is_a_bar_for_each_lesson_that_opens_on_its_exercises() -> None:
    page = Page(
        cards.progress([standing("97", "solved", "tried"), standing("98", "tried")], "Next: one.", ["(note)"])
    )
    assert [value for name, value in page.attributes if name in ("value", "max")] == ["1", "2", "0", "1"]
    assert page.tags.count("details") == page.tags.count("table") == 2
    assert "1 of 2 97 made up 1 of 2 solved, about 4 minutes left" in page.text
    assert page.rows == [
        ["✓ solved, 2 attempts", "Mean 98.mean", "core, 3 min"],
        ["… tried, 2 attempts", "Step 98.step_in_place", "extra, 4 min"],
        ["… tried, 2 attempts", "Mean 98.mean", "core, 3 min"],
    ]
    assert page.text.strip().endswith("Next: one.\n(note)")
    alone = Page(cards.progress([standing("98", "not attempted")], ""))
    assert "details" not in alone.tags
    assert alone.rows == [["○ not attempted, 2 attempts", "Mean 98.mean", "core, 3 min"]]


def test_the_note_of_a_quiz_is_a_card() -> None:
    (quiz,) = made_up.QUIZZES
    right, wrong = (quizzes.note_as_html(quiz, letter) for letter in "ab")
    assert Page(right).text.split() == ["✓", "Right.", "a)", "yes", "As", "everybody", "<knows>."]
    assert markup.TONES["good"] in right
    assert Page(wrong).text.strip().startswith("✗ Wrong.")
    assert "the choices are a, b" in Page(quizzes.note_as_html(quiz, "<z>")).text


def test_what_a_learner_wrote_is_escaped() -> None:
    attack = "<script>alert(1)</script>"
    shown = [
        cards.verdict(
            "98.mean", Verdict("wrong", (f"wrong: {attack}", attack), (("Got", attack),)), [attack]
        ),
        cards.hint("98.mean", 1, 1, attack, [attack]),
        cards.solution("98.mean", attack, attack),
        cards.progress([Standing("98", attack, ())], attack, [attack]),
    ]
    for page in shown:
        assert "script" not in Page(page).tags
        assert attack in Page(page).text


# ---- in a kernel

CELLS = [
    "from course_utils.exercises import check, hint, progress, quiz, solution\n"
    "from course_utils.exercises.engine import catalogue\n"
    "catalogue.PACKAGES = [*catalogue.PACKAGES, 'tests']",
    "check('98.mean', ...)",
    "def mean(x):\n    return 0 * x[0]\ncheck('98.mean', mean)",
    "def mean(x):\n    return x.mean()\ncheck('98.mean', mean)",
    "hint('98.mean')",
    "solution('98.mean')",
    "quiz('98.which')",
    "quiz('98.which', 'b')",
    "progress('98')",
    'progress("all")',
]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    scratch = tmp_path_factory.mktemp("kernel")
    book = new_notebook(cells=[new_code_cell(source) for source in CELLS])
    root = str(Path(__file__).parents[1])
    settings = kernel.environment(scratch, scratch) | {"COURSE_HEADLESS": "", "PYTHONPATH": root}
    with kernel.variables(settings | {"COURSE_PROGRESS_DIR": str(scratch / "progress")}):
        NotebookClient(book, kernel_name="python3", timeout=120).execute()
    return book


def test_each_call_gives_one_output_with_html_and_its_text(executed: Any) -> None:
    texts = []
    for one in executed.cells[1:]:
        (output,) = one.outputs
        assert set(output.data) == {"text/html", "text/plain"}, one.source
        page = Page(output.data["text/html"])
        assert not {"script", "style", "link", "iframe", "img"} & set(page.tags)
        assert not [name for name, _ in page.attributes if name.startswith("on")]
        texts.append(output.data["text/plain"])
    untouched, wrong, right, hint, solution, quiz, note, lesson, all_of_them = texts
    assert untouched == "98.mean: not attempted yet."
    assert wrong.startswith(
        f"98.mean: wrong on {MEAN}:\n  expected torch.tensor(3.0, dtype=torch.float64), got"
    )
    assert right == "98.mean: correct.\nSum over n."
    assert hint == "Hint 1 of 3: the first hint"
    assert solution.startswith("def mean(x):\n")
    assert quiz.startswith("Predict first.")
    assert note == "b) no\nWrong. That is the other way round."
    assert lesson.startswith("98 made up: ■□□□□□ 1 of 6 solved")
    assert all_of_them.startswith("00 start here: □")
