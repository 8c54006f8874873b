"""The site's generators: what is read from lessons, and the pages made from it."""

from __future__ import annotations

import ast
import base64
import html.parser
import io
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from docutils.core import publish_doctree
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from course_utils import markup, recorded
from course_utils.exercises.engine import catalogue
from course_utils.tools import lessons
from course_utils.tools.lesson import Claim, Lesson
from course_utils.tools.lesson_exercises import asked_in, exercises_by_id, source_of
from course_utils.tools.site import api, build, claims_page, folds, lesson_map, lesson_page, links, pages
from tests import sample
from tests.mutants import mistakes

PROJECT = Path(__file__).resolve().parents[3]
ALT = "A line that falls from one to nearly zero within ten steps."
SENTENCE = "It *falls* <fast>, as `lr` says."
SAID = sample.claims(sample.claim("42.falls", SENTENCE, bounds={"at_least": 0.9, "at_most": 1.1}))
FOLDED = sample.claims(sample.claim("42.more", "More.", visible=False), topic="all the rest")
ABOUT = (
    "# 42 · Falling\n\n**Why does it fall?**\n\nAbout 50 minutes. "
    "Before this one: 00 (claims), 05 (step 2/λ; memory). You need 10 fingers."
)


def image(kind: str = "PNG", frames: int = 1) -> bytes:
    buffer = io.BytesIO()
    pictures = [Image.new("RGB", (8, 4), (30 * k, 0, 90)) for k in range(frames)]
    pictures[0].save(
        buffer, kind, **({"save_all": True, "append_images": pictures[1:]} if frames > 1 else {})
    )
    return buffer.getvalue()


def figure_output() -> Any:
    data = {"image/png": base64.b64encode(image()).decode(), "text/plain": f"Figure: {ALT}"}
    return new_output("display_data", data, metadata={"image/png": {"alt": ALT}})


def film_output() -> Any:
    source = base64.b64encode(image("GIF", 3)).decode()
    return new_output(
        "display_data", {"text/html": f'<img src="data:image/gif;base64,{source}" alt="{ALT} &amp; up" s="">'}
    )


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    cells = [
        new_markdown_cell(ABOUT, id="title"),
        new_code_cell(
            "from course_utils import plotting, profiles\nfrom course_utils.optimizers import SGD",
            id="imports",
        ),
        new_markdown_cell("## The idea\n\nA picture.", id="idea"),
        new_code_cell("plotting.explore(\n    figures.falls, f)", id="draw", outputs=[figure_output()]),
        new_code_cell("film()", id="film", outputs=[film_output()]),
        new_code_cell(
            "x", id="measure", outputs=[new_output("stream", text="before\n", name="stdout"), SAID, FOLDED]
        ),
        new_markdown_cell(
            "## What goes wrong\n\n**The lost minus.** It climbs [by 1](#claim-42-falls).\n\nMore about it.",
            id="wrong",
        ),
        new_code_cell("climb()", id="climb"),
        new_markdown_cell("**The last word.** No cell follows.", id="last"),
        new_markdown_cell("## Exercises", id="exercises"),
        new_code_cell('f = ...\ncheck("05.momentum_step", f)', id="ask"),
        new_markdown_cell(
            "## Further reading\n\n- Someone (1999), *Title*: why.\n\nNext: [43](43_rising.ipynb), to rise.",
            id="reading",
        ),
    ]
    path = tmp_path / "42_falling.ipynb"
    path.write_text(json.dumps(new_notebook(cells=cells)), encoding="utf-8")
    return Lesson(path)


# ---- what is read


def test_the_title_cell_is_read(lesson: Lesson) -> None:
    assert (lesson.title, lesson.question, lesson.minutes) == ("Falling", "Why does it fall?", 50)
    assert lesson.needs == ["00", "05"]  # neither the 2 of the reason nor the ten fingers
    assert lesson.modules == ["optimizers", "plotting", "profiles"]


def test_what_helps_is_no_need(tmp_path: Path) -> None:
    path = tmp_path / "09_x.ipynb"
    text = "# 09 · X\n\nBefore this one: 00 (claims and intervals); 03 helps (noise)."
    path.write_text(json.dumps(new_notebook(cells=[new_markdown_cell(text, id="t")])), encoding="utf-8")
    assert Lesson(path).needs == ["00"]


def test_claims_are_read_with_their_cells(lesson: Lesson) -> None:
    assert lesson.claims == [
        Claim("42.falls", SENTENCE, "0.9 to 1.1", "holds", "measure"),
        Claim("42.more", "More.", "exactly 1", "holds", "measure", visible=False),
    ]


def test_pictures_are_read_with_their_alt_texts(lesson: Lesson) -> None:
    still, film = lesson.pictures
    assert (still.name, still.alt, still.section, still.moves) == ("draw-0.png", ALT, "The idea", False)
    assert (film.name, film.alt, film.moves) == ("film-0.gif", f"{ALT} & up", True)
    moving: Any = Image.open(io.BytesIO(film.content))
    assert moving.n_frames == 3


@pytest.mark.parametrize("path", lessons.find(PROJECT / "notebooks"), ids=lambda path: path.stem)
def test_every_claim_of_the_course_is_read(path: Path) -> None:
    read = Lesson(path)
    code = "\n".join(cell.source for cell in read.notebook.cells if cell.cell_type == "code")
    asked = len(re.findall(r"^\s*claim\(", code, re.MULTILINE))
    assert len(read.claims) >= asked
    assert asked or not any(cell.get("outputs") for cell in read.notebook.cells)  # one that is being written
    assert read.question.endswith("?")
    assert read.section("Further reading")
    assert all(len(picture.alt) >= 40 for picture in read.pictures)


# ---- a lesson's page


def shown(page: Any, id: str) -> list[Any]:
    return next(cell for cell in page.cells if cell.id == id).outputs


def test_figures_become_files_with_alt_text(lesson: Lesson) -> None:
    page = lesson_page.page(lesson, {})
    (output,) = shown(page, "draw")
    text = output.data["text/html"]
    assert f'alt="{ALT}"' in text
    assert 'width="8" height="4"' in text
    assert "sliders" in text  # what explore() shows without a kernel
    src = text.split('src="../')[1].split('"')[0]
    assert src.endswith(".webp")
    stored, drawn = Image.open(io.BytesIO(lesson_page.files(lesson)[src])), Image.open(io.BytesIO(image()))
    assert stored.convert("RGB").tobytes() == drawn.convert("RGB").tobytes()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ('x = 1\nclaim("05.a", "A.", x)', "Code that checks this"),
        ('with also_checked("more"):\n    pass', "Code that checks this"),
        ("plotting.show(figures.f(), alt=figures.F)", "Code of this figure"),
        ("import math\nfrom course_utils import (\n    plotting,\n)\n", "Imports"),
        ("def descend(p):\n    return p", ""),
        ("import math\nx = math.pi", ""),
        ('def f(p):\n    ...\n\n\ncheck("05.f", f)', ""),
        ("run = profiles.start(PROFILE, SEED, DEVICE)", ""),
    ],
)
def test_code_of_claims_and_figures_is_folded(source: str, name: str) -> None:
    assert lesson_page.folded(source) == name


def test_questions_and_exercises_become_headings() -> None:
    text = (
        "## Exercises\n\nRead.\n\n**1 · Choose `lr`** (5 minutes). Why **not?** now\n\n**A name.** It climbs."
    )
    changed, level = lesson_page.subheadings(text, 1)
    assert "\n\n### 1 · Choose `lr`\n\n*5 minutes.* Why **not?** now\n\n**A name.** It climbs." in changed
    assert level == 2
    asked = "**Is it noise?** No.\nA line.\n**Not?** here"
    assert lesson_page.subheadings(asked, 3) == ("#### Is it noise?\n\nNo.\nA line.\n**Not?** here", 3)
    assert lesson_page.subheadings(asked, 1)[0] == asked  # under the title there are no parts
    fenced = "```\n\n**Is it?** code\n```"
    assert lesson_page.subheadings(fenced, 2)[0] == fenced


def test_a_fold_has_its_name_and_a_quiz_no_code(lesson: Lesson) -> None:
    lesson.notebook.cells.append(new_code_cell('quiz("42.first")', id="quiz"))
    page = {cell.id: cell.metadata for cell in lesson_page.page(lesson, {}).cells}
    assert page["draw"]["tags"] == ["hide-input"]
    assert page["draw"]["mystnb"]["code_prompt_show"] == "Code of this figure"
    assert page["quiz"]["tags"] == ["remove-input"]
    assert page["climb"]["tags"] == page["ask"]["tags"] == []


def test_a_figure_moves_where_a_script_for_it_exists(lesson: Lesson) -> None:
    still, moving = (lesson_page.page(lesson, {}, live) for live in ({"42_rises"}, {"42_falls", "42_rises"}))
    plain, wrapped = (shown(page, "draw")[0].data["text/html"] for page in (still, moving))
    assert lesson_page.STANDS in plain
    assert "data-live" not in plain
    assert wrapped.startswith('<div class="course-live" data-live="42_falls"><figure')
    assert f'alt="{ALT}"' in wrapped  # the fallback
    assert lesson_page.STANDS not in wrapped
    assert still.cells[-1].id != "live-scripts"
    scripts = re.findall(r'<script defer src="([^"]+)"></script>', moving.cells[-1].source)
    assert scripts == ["../_static/live.js", "../_static/live/42_falls.js"]


def test_a_film_has_a_button_and_a_still(lesson: Lesson) -> None:
    text = shown(lesson_page.page(lesson, {}), "film")[0].data["text/html"]
    assert "prefers-reduced-motion" in text
    assert "<button" in text
    still = text.split('data-still="../')[1].split('"')[0]
    last = Image.open(io.BytesIO(lesson_page.files(lesson)[still])).convert("RGB")
    assert last.getpixel((0, 0)) == (60, 0, 90)


def test_claims_lead_to_the_ledger_and_folds_stay_folded(lesson: Lesson) -> None:
    before, claimed, folded = shown(lesson_page.page(lesson, {}), "measure")
    assert before.text == "before\n"
    text = claimed.data["text/html"]
    assert 'id="claim-42-falls"' in text
    assert 'href="../claims.html#claim-42-falls"' in text
    assert "<em>falls</em> &lt;fast&gt;, as <code>lr</code>" in text
    details = Details()
    details.feed(folded.data["text/html"])
    assert "More" not in details.outside
    assert 'href="../claims.html#claim-42-more"' in folded.data["text/html"]


def test_the_lessons_to_know_first_are_links() -> None:
    linked = lesson_page.linked(ABOUT, {"05": "05_momentum"})
    assert "Before this one: 00 (claims), [05](05_momentum.ipynb) (step" in linked
    assert linked.startswith("# 42 · Falling")


def test_links_to_claims_work_wherever_the_text_is_shown(lesson: Lesson) -> None:
    page = lesson_page.page(lesson, {})
    wrong = next(cell.source for cell in page.cells if cell.id == "wrong")
    assert 'It climbs <a href="#claim-42-falls">by 1</a>.' in wrong
    assert 'climbs <a href="lessons/42_falling.html#claim-42-falls">by 1</a>.' in pages.mistakes([lesson])
    assert "[43](43_rising.ipynb)" in next(cell.source for cell in page.cells if cell.id == "reading")
    assert "Next" not in pages.reading_list([lesson])  # what comes next is nothing to read
    text = "ahead by [23 points [15, 32]](#claim-42-falls), see [43](43_rising.ipynb) and [that](a.md)"
    assert links.taken_out(text) == "ahead by 23 points [15, 32], see 43 and [that](a.md)"
    assert "[43](lessons/43_rising.ipynb)" in links.from_another_page(text, "42_falling")


def test_a_lesson_to_know_first_that_is_linked_stays_so() -> None:
    text = "Before this one: [05](05_momentum.ipynb), 04."
    assert lesson_page.linked(text, {"05": "05_momentum", "04": "04_x"}) == (
        "Before this one: [05](05_momentum.ipynb), [04](04_x.ipynb)."
    )


def test_the_notebook_itself_is_offered(lesson: Lesson) -> None:
    files = lesson_page.files(lesson)
    name = next(name for name in files if name.endswith(".ipynb"))
    assert files[name] == lesson.path.read_bytes()
    assert name in lesson_page.about(lesson)


def pasted(name: str, **attached: Any) -> Lesson:
    """A lesson with a picture in its second cell, which `attached` holds."""
    cell = new_markdown_cell(f"![a dot](attachment:{name})", id="prose")
    if attached:
        cell.attachments = attached["attached"]
    return Lesson(Path("42_x.ipynb"), new_notebook(cells=[new_markdown_cell("# 42"), cell]))


@pytest.mark.parametrize("name", ["dot.png", "my%20dot.png"])
def test_a_pasted_picture_is_a_file_of_the_page(name: str, tmp_path: Path) -> None:
    stored = {name.replace("%20", " "): {"image/png": base64.b64encode(image()).decode()}}
    read = pasted(name, attached=stored)
    read.path = tmp_path / "42_x.ipynb"
    lessons.write(read.path, read.notebook)
    path = "_static/figures/42_x/prose-pasted-0.png"
    cell = next(cell for cell in lesson_page.page(read, {}).cells if "a dot" in cell.source)
    assert cell.source == f"![a dot](../{path})"
    assert "attachments" not in cell
    assert lesson_page.files(read)[path] == image()
    assert read.notebook.cells[1].attachments == stored


def test_a_pasted_picture_that_is_not_there_is_named() -> None:
    with pytest.raises(lessons.LessonError, match=r"attachment:dot\.png of cell prose is not there; paste"):
        lesson_page.page(pasted("dot.png"), {})


def test_the_stored_lesson_is_left_alone(lesson: Lesson) -> None:
    before = json.dumps(lesson.notebook)
    lesson_page.page(lesson, {})
    assert json.dumps(lesson.notebook) == before


# ---- folds


def test_an_exercise_of_the_lesson_gets_its_folds() -> None:
    read = Lesson(PROJECT / "notebooks" / "05_momentum.ipynb")
    page = lesson_page.page(read, {})
    asked = [id for cell in page.cells if cell.cell_type == "code" for id in asked_in(cell.source)]
    folded = [cell for cell in page.cells if 'class="course-folds"' in cell.source]
    assert len(folded) == len(asked) == len(catalogue.load("05").EXERCISES)
    named = [re.search(r'data-exercise="([^"]+)"', cell.source) for cell in folded]
    assert [found and found[1] for found in named] == asked
    assert any('class="course-progress"' in cell.source for cell in page.cells)


class Details(html.parser.HTMLParser):
    """Text outside of every <details>, and how deep they are nested at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.depth, self.outside = 0, ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.depth += tag == "details"
        assert tag != "details" or "open" not in dict(attributes)

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "details"

    def handle_data(self, data: str) -> None:
        self.outside += data if self.depth == 0 else ""


@pytest.mark.parametrize("number", list(catalogue.lessons()))
def test_no_answer_shows_before_it_is_opened(number: str) -> None:
    exercises = catalogue.load(number).EXERCISES
    assert exercises
    for exercise in exercises:
        text = folds.fold(exercise)
        details = Details()
        details.feed(text)
        assert details.depth == 0
        assert details.outside.strip() == ""
        assert text.count("<summary>") == len(exercise.hints) + 2
        assert text.count("<li>") >= len(exercise.wrong)
        assert "``````" not in text  # it would end the raw block of the page


def test_source_of_answers() -> None:
    exercise = exercises_by_id("05")["05.momentum_step"]
    assert source_of(exercise.solution).startswith("def momentum_step(")
    assert source_of(lambda x: x) == ""  # its line holds more than the lambda
    assert source_of(0.5) == "0.5"


# ---- ledger


def record(**changed: Any) -> dict[str, Any]:
    row = {
        "id": "42.falls",
        "sentence": SENTENCE,
        "measured": {"mean": 1.0, "low": 0.95, "high": 1.05, "n": 12, "level": 0.99},
        "bounds": {"at_least": 0.9, "at_most": 1.1},
        "seeds": 12,
        "reference": "Someone (1999)",
        "verdict": "holds",
    }
    return row | changed


def test_ledger_shows_value_bounds_seeds_and_link(lesson: Lesson) -> None:
    page = claims_page.page([lesson], claims_page.Measured({"42.falls": record()}, "a machine"))
    assert "1 <small>[0.95, 1.05]</small>" in page
    assert ">0.9 to 1.1</td>" in page
    assert ">12</td>" in page
    assert "Someone (1999)" in page
    assert 'href="lessons/42_falling.html#claim-42-falls"' in page
    assert "1 value at the standard profile: a machine." in page
    assert page.count("not yet recorded") == 1  # the folded one


def check_stale(module: Any, lesson: Lesson) -> None:
    for changed in ({"sentence": "It rises."}, {"bounds": {"at_most": 1.2}}, {"id": "42.other"}):
        row = record(**changed)
        page = module.page([lesson], module.Measured({row["id"]: row}, "a machine"))
        assert "not yet recorded" in page, changed
        assert "[0.95, 1.05]" not in page, changed


def test_a_value_of_another_sentence_or_bound_is_not_shown(lesson: Lesson) -> None:
    check_stale(claims_page, lesson)


test_stale_values_would_be_noticed = mistakes(
    "course_utils.tools.site.claims_page",
    [
        pytest.param('record.get("sentence") != claim.sentence', "False", id="sentence not compared"),
        pytest.param("asked_for(record) == claim.bounds", "True", id="bounds not compared"),
    ],
    check=check_stale,
    fixtures=["lesson"],
)


def test_the_last_run_wins_over_the_shipped_record(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    recorded.save("claims", [record(), record(id="42.old")], settings={}, folder=kept)
    folder = tmp_path / "records" / "standard"
    folder.mkdir(parents=True)
    run = {"profile": "standard", "versions": {"torch": "9.9"}, "claims": [record(measured=1.01)]}
    (folder / "claims-42.json").write_text(json.dumps(run))
    (folder / "claims-43.json").write_text('{"cut off')
    with pytest.warns(UserWarning, match=r"^claims-43\.json is left out"):
        found = claims_page.measured_values(tmp_path, kept)
    assert found.claims["42.falls"]["measured"] == 1.01
    assert found.claims["42.old"]["measured"]["mean"] == 1.0
    assert "torch 9.9" in found.provenance


def test_without_records_the_ledger_says_so(lesson: Lesson, tmp_path: Path) -> None:
    page = claims_page.page([lesson], claims_page.measured_values(tmp_path, tmp_path))
    assert "not yet recorded" in page
    assert "No measured values" in page


@pytest.mark.parametrize(
    ("value", "text"), [(-0.01236, "−0.01236"), (True, "1"), ("nan", "nan"), (3e-18, "3e−18"), (0, "0")]
)
def test_numbers_are_written_for_readers(value: Any, text: str) -> None:
    assert claims_page.number(value) == text


# ---- map


def test_an_arrow_that_others_imply_is_left_out() -> None:
    wanted = {"00": [], "01": ["00"], "02": ["00", "01"], "05": ["02", "04"], "07": ["02", "05"]}
    assert lesson_map.reduced(wanted) == {"00": [], "01": ["00"], "02": ["01"], "05": ["02"], "07": ["05"]}
    assert lesson_map.levels(wanted) == {"00": 0, "01": 1, "02": 2, "05": 3, "07": 4}


def test_the_map_has_a_linked_box_for_each_lesson() -> None:
    read = [Lesson(path) for path in lessons.find(PROJECT / "notebooks")]
    drawing = lesson_map.drawing(read)
    for lesson in read:
        assert f'href="lessons/{lesson.name}.html"' in drawing
        assert f"| [{lesson.number} · " in lesson_map.page(read)
    arrows = sum(
        len(wanted) for wanted in lesson_map.reduced({one.number: one.needs for one in read}).values()
    )
    assert drawing.count("marker-end") == arrows > 0


def test_the_parts_of_the_course_are_the_bold_rows_of_the_readme(lesson: Lesson) -> None:
    table = "| | Lesson | Question |\n|---|---|---|\n| 00 | [Start](x) | Why? |\n"
    table += (
        "| | **First steps** | |\n| 01 | One | ? |\n| 05 | Five | ? |\n| | **The rest** | |\n| 42 | F | ? |\n"
    )
    parts = lessons.parts(table)
    assert parts == {"00": "", "01": "First steps", "05": "First steps", "42": "The rest"}
    assert lessons.parts("# A course\n\nWithout a table.\n") == {}
    assert "Colours are the parts of the course: first steps, the rest." in lesson_map.page([lesson], parts)
    assert 'class="part-2"' in lesson_map.drawing([lesson], parts)
    assert "Colours" not in lesson_map.page([lesson])
    assert 'class=""' in lesson_map.drawing([lesson])
    other = Lesson(Path("07_other.ipynb"), lesson.notebook)
    heads = re.findall("^## .*", pages.lessons_page([other, lesson], parts), re.MULTILINE)
    assert heads == ["## The rest", "## More"], "a lesson that the table lacks is not lost"
    assert "## " not in pages.lessons_page([lesson]), "one group needs no name"


def test_every_lesson_has_its_part_and_every_part_its_colour() -> None:
    parts = lessons.parts((PROJECT / "README.md").read_text(encoding="utf-8"))
    assert set(parts) == {path.name[:2] for path in lessons.find(PROJECT / "notebooks")}
    names = list(dict.fromkeys(parts.values()))
    assert all(names)
    style = (PROJECT / "docs" / "_static" / "course.css").read_text(encoding="utf-8")
    assert all(f".course-map .part-{k} rect" in style for k in range(1, len(names) + 1))


def check_no_arrow_meets_a_box(module: Any) -> None:
    read = {one.number: one.needs for one in map(Lesson, lessons.find(PROJECT / "notebooks"))}
    level = module.levels(read)
    middle, ways = module.layout(read)
    rows: dict[int, list[float]] = {}
    for number, x in middle.items():
        rows.setdefault(level[number], []).append(x)
    passing = 0
    for need, number, lanes in ways:
        assert len(lanes) == level[number] - level[need] - 1
        for y, lane in enumerate(lanes, level[need] + 1):
            assert all(abs(lane - box) > module._WIDTH / 2 for box in rows[y]), (need, number)
            passing += 1
    assert passing > 3
    for row in rows.values():
        assert all(b - a > module._WIDTH for a, b in pairwise(sorted(row)))


def test_no_arrow_of_the_map_meets_a_box() -> None:
    check_no_arrow_meets_a_box(lesson_map)


test_arrows_through_boxes_would_be_noticed = mistakes(
    "course_utils.tools.site.lesson_map",
    [("left += width + _GAP", "left += 20")],
    check=check_no_arrow_meets_a_box,
)


# ---- collected


def test_collected_pages(lesson: Lesson) -> None:
    assert "[42 · Falling](lessons/42_falling.ipynb) | Why does it fall? |" in pages.lessons_page([lesson])
    assert "Someone (1999)" in pages.reading_list([lesson])
    assert 'href="lessons/42_falling.html#cell-draw"' in pages.gallery([lesson])
    assert pages.bugs(lesson) == [
        ("**The lost minus.** It climbs [by 1](#claim-42-falls).", "cell-climb"),
        ("**The last word.** No cell follows.", "what-goes-wrong"),
    ]


def test_mistakes_name_every_wrong_answer() -> None:
    read = Lesson(PROJECT / "notebooks" / "05_momentum.ipynb")
    page = pages.mistakes([read])
    for exercise in catalogue.load("05").EXERCISES:
        for wrong in exercise.wrong:
            assert markup.marked(wrong.diagnosis) in page


# ---- reference

DOCSTRING = """Momentum: a |velocity|_ that **remembers** `g`s.

    v <- beta * v + g          `not code`
      indented more

Some text_ with *stars and `p**2`.

Args:
    lr: step size, >= 0. With `eps`
        outside *the root.
    betas, eps: two more.
Shape: (N, *) and (N,).
Raises: ValueError if lr < 0.
Source: Someone (1999),
    Algorithm 1.
Agrees with: `torch.optim.SGD`.
"""


def check_docstring(module: Any) -> None:
    problems = io.StringIO()
    text = "\n".join(module.as_rst(DOCSTRING.splitlines()))
    tree = publish_doctree(text, settings_overrides={"warning_stream": problems})
    assert problems.getvalue() == ""
    plain = tree.astext()
    for said in (
        "|velocity|_ that **remembers** gs.",
        "v <- beta * v + g          `not code`\n  indented more",
    ):
        assert said in plain
    for said in (
        "Some text_ with *stars and p**2.",
        "With eps outside *the root.",
        "Someone (1999), Algorithm 1.",
    ):
        assert said in plain
    assert "Args" in plain
    assert "betas, eps" in plain


def test_docstrings_become_restructured_text_and_lose_nothing() -> None:
    check_docstring(api)


test_a_broken_translation_would_be_noticed = mistakes(
    "course_utils.tools.site.api",
    [
        pytest.param(r'r"([\\*|_`<>])"', r'r"([\\|_`<>])"', id="stars not escaped"),
        pytest.param('return ["::", "", *lines]', "return lines", id="formulas not literal"),
        pytest.param('return "\\\\ " if', 'return "" if', id="code glued to a word"),
    ],
    check=check_docstring,
)


def test_every_docstring_of_the_package_translates() -> None:
    count = 0
    for path in sorted((PROJECT / "course_utils").rglob("*.py")):
        if path.relative_to(PROJECT).parts[1] in ("tools", "exercises"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (
                text := ast.get_docstring(node)
            ):
                problems = io.StringIO()
                rst = "\n".join(api.as_rst(text.splitlines()))
                publish_doctree(rst, settings_overrides={"warning_stream": problems})
                assert problems.getvalue() == "", f"{path.name}: {rst}"
                count += 1
    assert count > 200


def test_reference_has_a_page_for_each_public_module() -> None:
    names = api.modules()
    assert names.index("losses") < names.index("optimizers") < names.index("schedules")  # teaching order
    assert "tools" not in names
    assert not any(name.startswith("_") for name in names)
    assert set(names) >= {"claims", "layers", "mixed_precision", "exercises"}


def test_what_a_package_names_is_documented_in_its_order() -> None:
    lines = api.directives("optimizers")
    classes = [line.rpartition(".")[2] for line in lines if line.startswith(".. autoclass")]
    assert classes[:2] == ["SGD", "Adagrad"]
    assert "Muon" in classes
    assert ".. autofunction:: course_utils.seeds.train_seeds" in api.directives("seeds")
    assert not any(
        "paired_interval" in line for line in api.directives("seeds")
    )  # it is at home in intervals


# ---- the source folder


def test_the_source_folder_is_whole_and_new(lesson: Lesson, tmp_path: Path) -> None:
    docs, target = tmp_path / "docs", tmp_path / "source"
    docs.mkdir()
    (docs / "conf.py").write_text("")
    (docs / "instructor.md").write_text("# By hand")
    (docs / "index.md").write_text("# Home\n\n```{toctree}\ninstructor\n```\n")
    (docs / "unnamed.md").write_text("# Unnamed")
    target.mkdir()
    (target / "left_over.md").write_text("old")
    build.assemble(target, docs=docs, notebooks=lesson.path.parent, build=tmp_path)
    there = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert there >= {"claims.md", "map.md", "api/index.md", "lessons/42_falling.ipynb", "contributing.md"}
    assert "_static/figures/42_falling/draw-0.webp" in there
    assert not there & {"left_over.md", "conf.py"}
    assert (target / "instructor.md").read_text() == "# By hand"  # over the generated one
    assert (target / "index.md").read_text().endswith("\nunnamed\n```\n")


def test_cells_keep_their_ids_and_a_warning_is_an_error(lesson: Lesson, tmp_path: Path) -> None:
    docs, source, output = tmp_path / "docs", tmp_path / "source", tmp_path / "out" / "site"
    docs.mkdir()
    (docs / "conf.py").write_text(
        "from course_utils.tools.site import build\n"
        "extensions = ['myst_nb']\n"
        "nb_execution_mode = 'off'\n"
        "def setup(app): app.connect('doctree-read', build.anchors)\n"
    )
    source.mkdir()
    lesson_page.write(lesson, {lesson.number: lesson.name}, source)
    (source / "index.md").write_text(f"# Home\n\n```{{toctree}}\nlessons/{lesson.name}\n```\n")
    output.mkdir(parents=True)
    (output / "left_over.html").write_text("old")
    assert build.render(source, output, docs=docs, strict=False) == 0
    assert not (output / "left_over.html").exists()
    page = (output / "lessons" / f"{lesson.name}.html").read_text(encoding="utf-8")
    assert 'id="cell-draw"' in page
    (source / "index.md").write_text("# Home\n\n[nowhere](not_there.md)\n")
    assert build.render(source, output, docs=docs, strict=False) == 0
    assert build.render(source, output, docs=docs, strict=True) != 0
