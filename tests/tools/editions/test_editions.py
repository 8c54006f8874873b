"""Editions: minutes, answer key, hand-outs, decks, zips, and the tables of the instructor's guide."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import os
import re
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_utils.exercises.engine import catalogue
from course_utils.tools import cli, lessons
from course_utils.tools.editions import answers, build, deck, handouts, instructor, minutes, pdf, slides
from course_utils.tools.editions.plans import Plan, Session, read
from course_utils.tools.lesson import Lesson
from course_utils.tools.site import links
from tests import sample
from tests.mutants import mistakes
from tests.notebooks.rules import HEADINGS, NOTEBOOKS

MOMENTUM = Lesson(NOTEBOOKS / "05_momentum.ipynb")
GUIDE = NOTEBOOKS.parent / "docs" / "instructor.md"
PLANS = read(GUIDE.with_name("workshop_plans.toml"))


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    """A stored lesson with prose, a formula, a table and code under "From scratch"."""
    book = sample.stored(HEADINGS)
    prose = "## From scratch\n\n[First](#claim-01-two) sentence.\n\n### Below\n\n"
    prose += "$$a = 1\n\n+ b$$\n\n| a | b |\n|---|---|"
    book.cells = [one for one in book.cells if not one.source.startswith("## From scratch")]
    at = next(k for k, one in enumerate(book.cells) if one.source.startswith("## Agreement"))
    code = 'def f(x):\n    return x\n\n\nclaim("01.two", "Two.", 2.0, about=2, tol=0)\ncheck("01.x", f)'
    said = sample.claims(sample.claim("01.two", "Two.", 2.0))
    more = sample.claims(sample.claim("01.three", "Three."), topic="more of it")
    book.cells[at:at] = [
        new_markdown_cell(prose, id="scratch"),
        new_code_cell(code, id="code", outputs=[said, more]),
    ]
    path = tmp_path / "notebooks" / "01_sample.ipynb"
    path.parent.mkdir()
    nbformat.write(book, path)
    return Lesson(path)


def kinds(book: Any) -> list[tuple[str, str]]:
    return [(one.metadata.slideshow.slide_type, one.source) for one in book.cells]


def shown(book: Any) -> str:
    return "\n".join(source for kind, source in kinds(book) if kind != "notes")


# --- minutes ---------------------------------------------------------------------------------------


def check_minutes(module: Any) -> None:
    """A section's words, exercises and seconds, for lesson 05 with three claims timed."""
    first = {"05.equals-torch": {"seconds": 2.0}, "05.nesterov": {"seconds": 5.5}}
    later = {"05.gd-power": {"seconds": 9.0}}
    found = {one.name: one for one in module.sections(MOMENTUM, first | later)}
    assert list(found) == ["Opening", *(heading for heading in HEADINGS if heading in found)]
    assert len(found) > 10
    assert found["Agreement"].compute == 5.5
    assert found["Experiment"].compute == 3.5
    assert found["From scratch"].compute is None
    asked = catalogue.load("05").EXERCISES
    assert found["Exercises"].core == sum(one.minutes for one in asked if one.kind == "core") > 0
    assert found["Exercises"].extra == sum(one.minutes for one in asked if one.kind == "extra") > 0
    assert found["The idea"].core == found["The idea"].extra == 0
    whole = module.total(list(found.values()))
    assert whole.compute == 9.0
    assert whole.reading == pytest.approx(sum(one.reading for one in found.values()))
    assert found["What goes wrong"].reading == found["What goes wrong"].prose + found["What goes wrong"].code
    assert found["The mathematics"].prose > 1.5  # three formulas
    assert found["From scratch"].prose < 0.6
    assert found["What goes wrong"].code == 4 / 20
    assert found["Agreement"].code == 18 / 20  # lines that are not empty
    assert found["Exercises"].code == 0  # an exercise's cell counts with the exercise
    assert found["Experiment"].figures == 0.5 * 4
    assert whole.reading == pytest.approx(whole.prose + whole.code + whole.figures)
    assert whole.whole == pytest.approx(whole.reading + whole.core + 9 / 60)


def test_minutes_of_a_lesson() -> None:
    check_minutes(minutes)


test_a_mistake_in_the_minutes_is_noticed = mistakes(
    minutes.__name__,
    [
        ("max(ends) - before if ends", "max(ends) if ends"),
        ('one.kind == "core"', "True"),
        ('for cell in cells if cell.cell_type == "markdown"', "for cell in cells"),
        ("before = max([before, *ends])", "before = 0.0"),
        ("if not asked_in(cell.source))", ")"),
        ("if line.strip()", ""),
        ("(self.compute or 0.0) / 60", "(self.compute or 0.0)"),
    ],
    check=check_minutes,
)


def test_words_are_counted_without_code(lesson: Lesson) -> None:
    found = {one.name: one for one in minutes.sections(lesson, {})}
    assert found["The idea"].prose * minutes.WORDS_A_MINUTE == 3  # "The idea", "Words."
    assert minutes.cells(found["The idea"])[:3] == ("The idea", "under 1 min", "–")
    assert minutes.cells(minutes.Section("x", 2.4, 3, 1, 5, 0, 0.2))[1:] == (
        "2 min", "3 min", "1 min", "5 min", "–", "under 1 s",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words", "formulas"),
    [
        ("Two words, don't count 1.5 twice", 6, 0),
        ("Let $a + b = c$ be.", 3, 0),
        ("Then\n\n$$\\frac{a}{b} = 1$$\n\nand $$x$$ is.", 3, 2),
        ("It is [ten times](#claim-05-gd-power) [here](05_momentum.ipynb).", 5, 0),
    ],
)
def test_words_and_formulas_of_a_text(text: str, words: int, formulas: int) -> None:
    assert (minutes._words(text), minutes._formulas(text)) == (words, formulas)


def test_a_title_says_honest_minutes(lesson: Lesson, monkeypatch: pytest.MonkeyPatch) -> None:
    takes = minutes.Section("All", 20, 10, 5, 30, 25, 120)
    monkeypatch.setattr(minutes, "of_lesson", lambda lesson: takes)
    assert minutes.wrong(lesson) == ["the title says no minutes: it takes 67"]
    with pytest.raises(ValueError, match=r'need "About \.\.\. minutes" in the first cell of 01_sample'):
        minutes.quote(lesson.path)
    for said, expected in [(61, ["the title says 61 minutes: it takes 67"]), (62, []), (72, [])]:
        book = lesson.notebook
        book.cells[0].source = f"# A question?\n\nAbout {said} minutes. Then 9 minutes."
        nbformat.write(book, lesson.path)
        assert minutes.wrong(Lesson(lesson.path)) == expected
    assert minutes.quote(lesson.path) == 65
    assert "About 65 minutes. Then 9 minutes." in Lesson(lesson.path).notebook.cells[0].source
    takes = minutes.Section("All", 40, 10, 11, 30)
    assert "91 minutes, more than 90" in minutes.wrong(Lesson(lesson.path))


def test_the_minutes_of_all_lessons_are_one_table() -> None:
    done = CliRunner().invoke(cli.commands, ["minutes", "05"])
    head, row = done.output.splitlines()
    assert head.split() == [
        "lesson",
        "prose",
        "code",
        "figures",
        "core",
        "extra",
        "run",
        "in",
        "all",
        "title",
    ]
    assert row.split()[0] == "05"
    assert int(row.split()[-1]) == MOMENTUM.minutes
    assert CliRunner().invoke(cli.commands, ["minutes", "77"]).exit_code == 1


def test_writing_the_minutes_changes_nothing_else(tmp_path: Path) -> None:
    path = Path(shutil.copy(MOMENTUM.path, tmp_path))
    done = CliRunner().invoke(cli.commands, ["minutes", "05", "--write", "--notebooks", str(tmp_path)])
    assert done.exit_code == 0, done.output
    before, after = (one.read_text(encoding="utf-8").splitlines() for one in (MOMENTUM.path, path))
    assert sum(one != other for one, other in zip(before, after, strict=True)) <= 1
    assert minutes.wrong(Lesson(path)) == []


# --- answer key ------------------------------------------------------------------------------------


class Text(html.parser.HTMLParser):
    """The words of a page, and whatever it would fetch."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words = ""
        self.fetched: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        # a link to read on is followed by a reader only
        if tag != "a":
            self.fetched += [value or "" for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "link", "img", "br", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.fetched += [value or "" for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def squeezed(text: str) -> str:
    return re.sub(r"[\s`*]+", "", text)


@pytest.mark.parametrize("number", sorted(catalogue.lessons()))
def test_the_key_holds_every_solution_and_every_diagnosis(number: str) -> None:
    (path,) = lessons.find(NOTEBOOKS, [number])
    page = Text(answers.page(Lesson(path), {}))
    assert page.open == []
    assert page.fetched == []
    words = squeezed(page.words)
    for one in catalogue.load(number).EXERCISES:
        assert (
            squeezed(one.solution.__code__.co_name if callable(one.solution) else repr(one.solution)) in words
        )
        for text in [one.prompt, *one.hints, *(wrong.diagnosis for wrong in one.wrong)]:
            assert squeezed(text) in words, text
    for quiz in catalogue.load(number).QUIZZES:
        assert squeezed(quiz.question) in words


def test_a_lesson_without_exercises_has_a_key(tmp_path: Path) -> None:
    page = answers.page(Lesson(sample.lesson(tmp_path / "98_other.ipynb")), {})
    assert "Minutes" in page
    assert "Solution" not in page


# --- hand-outs -------------------------------------------------------------------------------------


def test_a_handout_is_the_lesson_without_outputs() -> None:
    before = hashlib.sha256(MOMENTUM.path.read_bytes()).hexdigest()
    book = handouts.cleared(MOMENTUM)
    nbformat.validate(book)
    code = [one for one in book.cells if one.cell_type == "code"]
    assert len(code) > 20
    assert all(one.outputs == [] and one.execution_count is None for one in code)
    assert [one.source for one in book.cells] == [one.source for one in MOMENTUM.notebook.cells]
    assert any(one.get("outputs") for one in MOMENTUM.notebook.cells)  # the stored one keeps its own
    assert hashlib.sha256(MOMENTUM.path.read_bytes()).hexdigest() == before


# --- slides ----------------------------------------------------------------------------------------


def found_in(*cells: Any) -> list[deck.Slide]:
    """The slides of a lesson of these cells, without the one of its title."""
    first = new_markdown_cell("# 42 · A lesson\n\n**What is it?**")
    return deck.slides(Lesson(Path("42_x.ipynb"), new_notebook(cells=[first, *cells])))[1:]


def figure(*titles: str, size: tuple[int, int] = (900, 400), **metadata: Any) -> Any:
    """A cell of code that shows a picture whose panels have these titles."""
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", *size)
    data = {"image/png": base64.b64encode(head).decode()}
    about = {"image/png": {"alt": "A line.", "titles": list(titles)}}
    output = new_output("display_data", data=data, metadata=about)
    return new_code_cell("draw()", outputs=[output], metadata=metadata)


def claims(*sentences: str) -> Any:
    said = [sample.claims(sample.claim("42.x", sentence, 2.0)) for sentence in sentences]
    return new_code_cell("claim()", outputs=said)


def prose(text: str, **metadata: Any) -> Any:
    return new_markdown_cell(text, metadata=metadata)


def test_a_slide_has_the_figures_finding_as_title_and_two_claims_below() -> None:
    [slide] = found_in(
        prose("## Experiment\n\n### How far?\n\nSome words."),
        figure("It goes very far"),
        claims("It is this far.", "It moved by", "It is late."),
    )
    assert (slide.kind, slide.title) == ("figure", "It goes very far")
    assert slide.where == "Experiment · How far?"
    assert slide.reading == ["It is this far: **2**", "It moved by **2**"]
    assert slide.show.startswith('<img src="data:image/png')
    assert slide.notes == ["Some words."]


@pytest.mark.parametrize(
    ("titles", "expected"),
    [
        (("One side falls", "The other side rises"), "One side falls; The other side rises"),
        (("left", "right"), "How far does it go?"),
        (("The first panel", "the second one", "the third one"), "How far does it go?"),
    ],
)
def test_panels_without_a_finding_get_the_question_that_they_answer(
    titles: tuple[str, ...], expected: str
) -> None:
    [slide] = found_in(prose("## Experiment\n\n### How far does it go?"), figure(*titles))
    assert slide.title == expected


def test_no_two_slides_have_one_title() -> None:
    here = prose("## Experiment\n\n### How far does it go?"), *[figure("left", "right") for _ in range(4)]
    titles = [slide.title for slide in found_in(*here)]
    assert titles == [
        "How far does it go?", "How far does it go as a figure", "How far does it go as a second figure",
        "How far does it go as a third figure",
    ]  # fmt: skip


def test_where_no_claim_reads_a_figure_the_prose_does() -> None:
    before, after = prose("## The idea\n\nBefore it stands this sentence."), "What comes after it reads it."
    [slide] = found_in(before, figure("It goes far"), prose(f"{after} (An aside of some words.)"))
    assert slide.reading == [after]
    [slide] = found_in(before, figure("It goes far"), prose("**A new matter.** It has its own sentence."))
    assert slide.reading == ["Before it stands this sentence."]


def test_nothing_that_is_read_breaks_off() -> None:
    text = [
        "One leads up to:",
        "and this goes on in the middle.",
        "Does it go on?",
        "Too short.",
        "It grows, and",
    ]
    assert deck.readable(text) == []
    good = ["This one is good.", "θ is a parameter, too.", "This would be a third."]
    assert deck.readable([*text, *good]) == good[:2]
    assert deck.readable(["Does it go on?", "A little, with a low rate.", good[0]]) == good[:1]
    assert deck.readable(["Word " * 60 + "ends.", good[0]]) == good[:1]


FORMULA = """## The mathematics

Take a number c of steps.

**Why it holds for all.** Then

$$a = 1

+ b$$

$$c < d$$

The second line is a bound, as one sees.

<details><summary>Derivation</summary>

It is short.

$$e$$

</details>"""


def test_a_formula_is_whole_and_its_derivation_stays_folded() -> None:
    [slide] = found_in(prose(FORMULA))
    assert (slide.kind, slide.title) == ("formula", "Why it holds for all")
    assert slide.show == "<div>$$a = 1 + b$$ $$c &lt; d$$</div>"
    assert slide.reading == ["The second line is a bound, as one sees."]
    assert "$$e$$" in "".join(slide.notes)


def test_what_a_lesson_folds_stays_folded() -> None:
    folded = sample.claims(sample.claim("42.x", "It is folded here."), topic="more of it")
    [slide] = found_in(
        prose("## Experiment"), figure("It goes very far"), new_code_cell("", outputs=[folded])
    )
    assert slide.reading == []


def test_a_quiz_asks_in_its_title_and_opens_on_a_click() -> None:
    page = '<div class="course-quiz">\n<p><strong>Predict first.</strong> Take &lt; 2. {}</p>\n'
    page += "<details></details></div>"
    cells = [prose("## Predict first")]
    for asked in ("What happens?", "The first step is", "How " + "very " * 30 + "far?"):
        output = new_output("display_data", data={"text/html": page.format(asked)})
        cells.append(new_code_cell("quiz()", outputs=[output]))
    slides = found_in(*cells)
    assert [one.title for one in slides] == ["What happens?", "The first step is …?", "What do you expect?"]
    assert all("<details></details>" in one.show and "&lt; 2." in one.show for one in slides)
    assert "What happens" not in slides[0].show
    assert "very very" in slides[2].show


def test_code_is_a_slide_once_and_without_the_calls_that_speak(lesson: Lesson) -> None:
    [slide] = [one for one in deck.slides(lesson) if one.kind == "code"]
    words = html.unescape(re.sub("<[^>]+>", "", slide.show))
    assert words == "def f(x):\n    return x"


def test_a_table_of_mistakes_the_exercises_and_the_question_are_slides() -> None:
    slides = found_in(
        prose("## What goes wrong\n\n| a | b |\n|---|---|\n| 1 | &#124; |\n| 3 | 4 |"),
        prose(
            "## Exercises\n\n**1 · A mean** (8 minutes). Do it.\n\n**2 · A *sum*** (extra, 3 minutes). It."
        ),
        prose("## What we saw\n\n- It is so.\n- And so."),
    )
    assert [one.kind for one in slides] == ["table", "exercises", "question"]
    assert slides[0].title == "Two mistakes, how they show, and their cures"
    assert slides[0].show.count("<td>") == 4
    assert "<li><strong>A mean</strong> (8 minutes)</li>" in slides[1].show
    assert slides[2].title == "What is it?"
    assert slides[2].notes == ["- It is so.\n- And so."]


def test_a_mark_sets_title_and_reading_leaves_out_or_adds() -> None:
    here = prose("## Experiment\n\nThese words read the figure.")
    marked = "It goes further than before. One reads this. And that."
    [slide] = found_in(here, figure("It goes very far", slides=[marked]))
    assert slide.title == "It goes further than before"
    assert slide.reading == ["One reads this.", "And that."]
    [slide] = found_in(here, figure("It goes very far", slides=["It goes further."]))
    assert slide.reading == ["These words read the figure."]
    for left_out in ([], [""]):
        assert found_in(here, figure("It goes very far", slides=left_out)) == []
    table = "| a |\n|---|\n| 1 |"
    added = prose(f"$$a$$\n\nWords of the cell.\n\n{table}", slides=["", "This table is shown."])
    assert [one.title for one in found_in(here, added)] == ["This table is shown"]
    code = new_code_cell("def f():\n    pass", metadata={"slides": ["It is the whole method."]})
    assert [one.kind for one in found_in(here, code)] == ["code"]


def test_a_mark_for_nothing_is_noticed() -> None:
    cells = [prose("## Experiment"), figure(slides=["A", "B"])]
    lesson = Lesson(Path("42_x.ipynb"), new_notebook(cells=cells))
    assert deck.misfits(lesson) == [f"cell {cells[1].id} has 2 marks, and shows 1 things"]


@pytest.mark.parametrize(("size", "tall"), [((900, 400), False), ((600, 500), True)])
def test_what_reads_a_tall_figure_stands_beside_it(size: tuple[int, int], tall: bool) -> None:
    [slide] = found_in(prose("## The idea"), figure("It goes far", size=size))
    assert ('class="tall"' in slide.show) is tall


def test_a_figure_with_sliders_moves_where_a_script_for_it_exists() -> None:
    """In the deck, with the still as its fallback; the page fetches the scripts of these figures alone."""
    page, book = slides.page(MOMENTUM, slides.exporter())
    [moving] = [cell.source for cell in book.cells if "course-live" in cell.source]
    assert 'data-live="05_rate_map_and_path"' in moving
    assert moving.count("<img") == 1
    assert re.findall(r'src="(\./_static/[^"]+)"', page) == [
        "./_static/live.js", "./_static/live/05_rate_map_and_path.js",
    ]  # fmt: skip
    tall = found_in(prose("## The idea"), figure("It goes far", size=(600, 500)))
    assert "course-live" not in tall[0].show
    states = [Path("13_try-crowd")]
    page, _ = slides.page(Lesson(NOTEBOOKS / "13_dropout.ipynb"), slides.exporter(), states)
    assert './_static/explored/13_try-crowd/states.js"' in page
    page, _ = slides.page(Lesson(NOTEBOOKS / "13_dropout.ipynb"), slides.exporter())
    assert "data-live" not in page
    assert "live.js" not in page


def test_every_slide_is_one_block_of_html_and_its_notes(lesson: Lesson) -> None:
    found = kinds(deck.notebook(lesson))
    assert {kind for kind, _ in found} == {"slide", "notes"}
    assert all("\n" not in source for kind, source in found if kind == "slide")
    assert found[0][1].startswith('<div class="course-slide title"><h1>01 · A question?</h1>')


def test_every_figure_of_a_lesson_is_on_a_slide() -> None:
    text = shown(deck.notebook(MOMENTUM))
    assert text.count("<img") == len(MOMENTUM.pictures) > 3
    assert all(f'alt="{html.escape(one.alt)}"' in text for one in MOMENTUM.pictures)
    assert "plotting.show" not in text


def test_nothing_of_a_lessons_prose_is_lost() -> None:
    spoken = squeezed("".join(source for kind, source in kinds(deck.notebook(MOMENTUM)) if kind == "notes"))
    for heading in HEADINGS:
        for paragraph in deck.blocks(MOMENTUM.section(heading)):
            if not paragraph.startswith("#"):
                assert squeezed(links.taken_out(paragraph)) in spoken, paragraph


@pytest.mark.parametrize("marks", ["a title", [1], {"title": "x"}])
def test_marks_that_are_no_texts_are_refused(marks: Any, tmp_path: Path) -> None:
    book = new_notebook(cells=[prose("# 42"), prose("## The idea", slides=marks)])
    nbformat.write(book, tmp_path / "42_x.ipynb")
    with pytest.raises(lessons.LessonError, match="a list of texts as slides in cell 2"):
        lessons.read(tmp_path / "42_x.ipynb")


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("a = 1\ncheck('05.x', a)", "a = 1"),
        ("claim(\n    'x',\n    1,\n)\n\n\n\nb = 2  # fmt: skip", "b = 2"),
        ("%timeit f()\ncheck('05.x', f)", "%timeit f()"),
        ("%%time\ncheck('05.x', f)", "%%time\ncheck('05.x', f)"),
        ("checked = check_all(1)", "checked = check_all(1)"),
    ],
)
def test_code_without_the_calls_that_speak(source: str, code: str) -> None:
    assert deck.shown_code(source) == code


def test_the_page_fetches_nothing_but_its_own_files(tmp_path: Path) -> None:
    page, book = slides.page(MOMENTUM, slides.exporter())
    slides.put_files(tmp_path)
    found = [one for one in Text(page).fetched if not one.startswith(("data:", "#"))]
    assert {"reveal/reveal.js", "reveal/notes.js", "mathjax/tex-svg.js", "slides.css"} <= set(found)
    assert all((tmp_path / one).is_file() for one in found), found
    css = [*tmp_path.rglob("*.css")]
    assert len(css) == 4
    assert not any(re.search(r"@import|url\((?!['\"]?data:)", one.read_text("utf-8")) for one in css)
    assert page.count('<div class="course-slide') == len(deck.slides(MOMENTUM)) > 10
    assert page.count("<aside") > 5
    formulas = [one.show for one in deck.slides(MOMENTUM) if one.kind == "formula"]
    assert formulas
    assert all(one in page for one in formulas)  # as they are written, for MathJax
    nbformat.validate(book)


def test_what_is_vendored_has_its_licence() -> None:
    for folder in (slides.HERE / "vendor" / "reveal", slides.MATHJAX):
        assert "unchanged" in (folder / "README.md").read_text(encoding="utf-8")
        assert len((folder / "LICENSE").read_text(encoding="utf-8")) > 1000


# --- all of it -------------------------------------------------------------------------------------


def test_every_edition_has_a_folder_and_a_zip(tmp_path: Path, lesson: Lesson) -> None:
    shutil.copy(MOMENTUM.path, lesson.path.parent)
    arguments = ["editions", "--notebooks", str(lesson.path.parent), "--build", str(tmp_path)]
    done = CliRunner().invoke(cli.commands, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    zips = [Path(line) for line in done.output.split()]
    assert [one.name for one in zips] == [f"course-{name}.zip" for name in build.NAMES]
    first = [one.read_bytes() for one in zips]
    for one, name in zip(zips, build.NAMES, strict=True):
        with zipfile.ZipFile(one) as archive:
            inside = {entry.split("/", 1)[1] for entry in archive.namelist()}
        folder = tmp_path / "editions" / name
        assert inside == {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        ending = "ipynb" if name == "handouts" else "html"
        assert {f"01_sample.{ending}", f"05_momentum.{ending}"} <= inside
    CliRunner().invoke(cli.commands, arguments, catch_exceptions=False)
    assert [one.read_bytes() for one in zips] == first  # the same lessons, the same bytes


def test_computing_comes_from_the_records_of_a_run(tmp_path: Path) -> None:
    records = tmp_path / "records" / "standard"
    records.mkdir(parents=True)
    claim = sample.claim("05.equals-torch", "S.", seconds=77.0)
    record = {"profile": "standard", "versions": {"torch": "2"}, "claims": [claim]}
    (records / "claims-05.json").write_text(json.dumps(record), encoding="utf-8")
    build.make(NOTEBOOKS, tmp_path, only=["05"])
    assert ">77 s<" in (tmp_path / "editions" / "answers" / "05_momentum.html").read_text(encoding="utf-8")


def test_no_such_lesson_is_said(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.commands, ["editions", "--build", str(tmp_path), "77"])
    assert done.exit_code == 1
    assert "no lesson '77'" in done.output


def test_without_a_browser_a_pdf_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    done = CliRunner().invoke(cli.commands, ["editions", "--pdf", "--build", str(tmp_path), "05"])
    assert done.exit_code == 1
    assert "need Chromium to print PDFs" in done.output
    assert not (tmp_path / "editions").exists()


@pytest.mark.skipif(os.name != "posix", reason="the made-up browser is a shell script")
def test_answers_and_handouts_are_printed_beside_their_pages(
    tmp_path: Path, lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = tmp_path / "bin" / "chromium"
    browser.parent.mkdir()
    browser.write_text(
        "#!/bin/sh\n"
        "for word; do\n"
        '  case "$word" in --print-to-pdf=*) out="${word#*=}";; file://*) page="${word#file://}";; esac\n'
        "done\n"
        '{ echo %PDF; cat "$page"; } > "$out"\n',
        encoding="utf-8",
    )
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", f"{browser.parent}{os.pathsep}{os.environ['PATH']}")
    build.make(lesson.path.parent, tmp_path, printed=True)
    editions = tmp_path / "editions"
    found = {str(path.relative_to(editions)) for path in editions.rglob("*.pdf")}
    assert found == {"answers/01_sample.pdf", "handouts/01_sample.pdf"}
    printed = (editions / "answers" / "01_sample.pdf").read_text(encoding="utf-8")
    assert printed == "%PDF\n" + (editions / "answers" / "01_sample.html").read_text(encoding="utf-8")
    assert "First</a> sentence." in (editions / "handouts" / "01_sample.pdf").read_text(encoding="utf-8")


def test_a_browser_that_hangs_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page.html").write_text("<p>x</p>", encoding="utf-8")

    def hang(*args: Any, timeout: float, **kwargs: Any) -> None:
        raise subprocess.TimeoutExpired("chromium", timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(pdf.PdfError, match=rf"page\.html was not printed within {pdf.LIMIT} s"):
        pdf.write("chromium", tmp_path / "page.html", tmp_path / "page.pdf")


def test_the_page_that_is_printed_has_the_lessons_figures_and_mathjax() -> None:
    with pdf.lesson_page(MOMENTUM.path) as page:
        text = page.read_text(encoding="utf-8")
        assert (page.parent / "mathjax" / "tex-svg.js").is_file()
    assert text.count("data:image/") == len(MOMENTUM.pictures)
    assert all(one.alt in html.unescape(text) for one in MOMENTUM.pictures)
    assert 'src="mathjax/tex-svg.js"' in text
    assert "¶" not in text
    assert not page.exists()


@pytest.mark.parametrize("levels", [0, 1])
def test_widgets_that_colab_saved_do_not_stop_the_page(levels: int, tmp_path: Path) -> None:
    """With the level "state" left out, as Colab does, or with what is no state at all."""
    model = {
        "model_module": "@jupyter-widgets/controls", "model_name": "IntSliderModel",
        "model_module_version": "1.5.0", "state": {"value": 3},
    }  # fmt: skip
    view = {"model_id": "abc", "version_major": 2, "version_minor": 0}
    data = {"text/plain": "IntSlider(value=3)", "application/vnd.jupyter.widget-view+json": view}
    book = sample.stored(HEADINGS)
    book.cells[-1:] = [new_code_cell("1", outputs=[new_output("display_data", data=data)])]
    book.metadata.widgets = (
        {"application/vnd.jupyter.widget-state+json": {"abc": model}} if levels else {"a": 1}
    )
    path = tmp_path / "01_test.ipynb"
    nbformat.write(book, path)
    with pdf.lesson_page(path) as page:
        text = page.read_text(encoding="utf-8")
    assert ("IntSliderModel" in text) == bool(levels)


def test_a_pasted_picture_is_on_its_slide() -> None:
    cells = [
        new_markdown_cell("# 42"),
        new_markdown_cell("## Shapes\n\nOne.\n\n![a dot](attachment:dot.png)"),
    ]
    cells[1].attachments = {"dot.png": {"image/png": "iVBORw0KGgo="}}
    book = deck.notebook(Lesson(Path("42_x.ipynb"), new_notebook(cells=cells)))
    assert '<img src="data:image/png;base64,iVBORw0KGgo=" alt="a dot">' in shown(book)


def test_a_lesson_of_a_title_alone_has_a_deck(tmp_path: Path) -> None:
    book = deck.notebook(Lesson(sample.lesson(tmp_path / "98_other.ipynb")))
    title = (
        '<div class="course-slide title"><h1>98 · The title of 98_other</h1><div class="body"></div></div>'
    )
    assert [source for _, source in kinds(book)] == [title]


def test_a_browser_that_prints_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>x</p>", encoding="utf-8")
    with pytest.raises(pdf.PdfError, match=r"page\.html was not printed"):
        pdf.write("true", tmp_path / "page.html", tmp_path / "page.pdf")


# --- the instructor's guide ------------------------------------------------------------------------


def test_the_guide_is_what_the_exercises_say() -> None:
    found = [Lesson(path) for path in lessons.find(NOTEBOOKS)]
    text = GUIDE.read_text(encoding="utf-8")
    cure = "the guide is not up to date: python -m course_utils editions --guide"
    assert instructor.updated(text, instructor.tables(found, PLANS)) == text, cure
    for name in ("plans", "lessons", "sections", "misconceptions"):
        assert f"<!-- made: {name}" in text


def test_only_what_stands_between_the_marks_is_made_anew() -> None:
    text = "a\n<!-- made: one (from x) -->\nold\n<!-- end -->\nb\n<!-- made: two -->\n<!-- end -->\n"
    made = instructor.updated(text, {"one": "1", "two": "2"})
    assert made == (
        "a\n<!-- made: one (from x) -->\n\n1\n\n<!-- end -->\nb\n<!-- made: two -->\n\n2\n\n<!-- end -->\n"
    )
    assert instructor.updated(made, {"one": "1", "two": "2"}) == made
    with pytest.raises(KeyError):
        instructor.updated(text, {"one": "1"})


GOOD = """[[plan]]
title = "An hour"
about = "For whom."
start = "14:30"
days = [
  [{ minutes = 60, what = "All", exercises = ["05.x"], cut = "half" }], [{ minutes = 5, what = "More" }]]
"""


def test_a_plan_is_read(tmp_path: Path) -> None:
    (tmp_path / "plans.toml").write_text(GOOD)
    days = (Session(60, "All", ("05.x",), "half"),), (Session(5, "More"),)
    assert read(tmp_path / "plans.toml") == (Plan("An hour", "For whom.", days, 14 * 60 + 30),)
    assert read(tmp_path / "none.toml") == ()
    assert [plan.title for plan in PLANS] == ["Half a day", "One day", "Two days", "A third day"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[plan]]", "[[plan", "plans.toml cannot be read: "),
        ("[[plan]]", "[[plans]]", "plans.toml lacks plan"),
        ('title = "An hour"', "", "plan 1 of plans.toml lacks title"),
        ('title = "An hour"', "title = 1", "title of plan 1 of plans.toml is a int"),
        ("about", "aside", "plan 1 of plans.toml lacks about"),
        (
            'start = "14:30"',
            'start = "14:30"\nend = 1',
            "plan 1 of plans.toml has end; there are title, about",
        ),
        ("14:30", "half past two", "a start like \"09:00\" in plan 1 of plans.toml, got 'half past two'"),
        ("14:30", "24:30", "a start like"),
        (', [{ minutes = 5, what = "More" }]]', ", []]", "sessions on day 2 in plan 1"),
        ("minutes = 5", "minutes = 0", "minutes > 0 in session 1 of day 2 of plan 1 of plans.toml"),
        ("minutes = 5", 'minutes = "5"', "minutes of session 1 of day 2 of plan 1 of plans.toml is a str"),
        ("minutes = 5, ", "", "session 1 of day 2 of plan 1 of plans.toml lacks minutes"),
        ('["05.x"]', "[5]", "exercises that are ids in session 1 of day 1"),
        ("cut", "cuts", "session 1 of day 1 of plan 1 of plans.toml has cuts"),
    ],
)
def test_a_plan_out_of_form_is_refused_in_words(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert GOOD.count(old) == 1
    (tmp_path / "plans.toml").write_text(GOOD.replace(old, new))
    with pytest.raises(ValueError, match=re.escape(message)):
        read(tmp_path / "plans.toml")


@pytest.mark.parametrize("plan", PLANS, ids=lambda one: one.title)
def test_a_plan_leaves_time_for_what_it_names(plan: Any) -> None:
    known = {lesson.number: lesson for lesson in map(Lesson, lessons.find(NOTEBOOKS))}
    for day in plan.days:
        since = 0
        for session in day:
            number = session.what[:2]
            since = 0 if session.what in ("Break", "Lunch") else since + session.minutes
            assert since <= 150, f"{session.what}: {since} minutes without a break"
            if session.exercises:
                needed = instructor.taught(known[number]) + instructor.exercise_minutes(session) + 10
                assert session.minutes >= needed, f"{session.what}: {needed:.0f} minutes"
                assert all(catalogue.find_exercise(id).kind == "core" for id in session.exercises)
                assert all(id[:2] in session.what for id in session.exercises)
    assert {"Half a day": 240, "One day": 480, "Two days": 960, "A third day": 480}[plan.title] >= sum(
        session.minutes for day in plan.days for session in day
    )
