"""What is written of a graded class: points, files for an LMS, a page for each student, the class's page."""

from __future__ import annotations

import csv
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

from course_utils.exercises.engine.catalogue import find_exercise
from course_utils.tools import lessons
from course_utils.tools.grading import exports, outputs, pages, scores
from course_utils.tools.grading.grade import Grades
from course_utils.tools.grading.rows import Row
from tests.mutants import mistakes

A, B, C = "00.paired_difference", "00.seeds_needed", "05.momentum_step"
ADA, BOB = "lovelaceada_12345", "Bob Builder_67"
ON_F = ("wrong on f(x=1):", "  3 is not 4"), (("Input", "f(x=1)"),)
ROWS = [
    Row(ADA, A, "correct", "", "a/00.ipynb", ("correct.",)),
    Row(ADA, B, "wrong", "Rounded down.", "a/00.ipynb", *ON_F),
    Row(ADA, C, "correct", "Is it your own?", "a/05.ipynb", ("correct.",)),
    Row(BOB, A, "raised", "raised NameError", "b.ipynb", ("raised NameError: x", 'failing("x") returns')),
    Row(BOB, B, "wrong", "Rounded down.", "b.ipynb", *ON_F),
    Row("<b>eve</b>", "", "unreadable", "torn <script>", "e;=1.ipynb"),
]  # fmt: skip
WEIGHTS = {B: 3.0, A: 0.5}


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines()))


# --- points ------------------------------------------------------------------------------------------


def check_points(module: ModuleType) -> None:
    found = module.score(ROWS, WEIGHTS)
    assert [(one.name, one.total(), one.total("00")) for one in found.students] == [
        ("<b>eve</b>", 0, 0), (BOB, 0, 0), (ADA, 1.5, 0.5),
    ]  # fmt: skip
    assert (found.most(), found.most("00"), found.most("05")) == (4.5, 3.5, 1.0)
    assert cells(module.table(found)) == [
        ["student", A, B, C, "points", "of", "note"],
        ["<b>eve</b>", "", "", "", "0", "4.5", "e;'=1.ipynb: unreadable"],
        [BOB, "0", "0", "", "0", "4.5", ""],
        [ADA, "0.5", "0", "1", "1.5", "4.5", ""],
    ]
    assert [module.number(n) for n in (1, 0.5, 2 / 3, 1234567.0)] == ["1", "0.5", "0.67", "1234567"]


def test_points() -> None:
    check_points(scores)


def check_weights(module: ModuleType, folder: Path) -> None:
    path = folder / "w.csv"
    path.write_text(f"exercise,points\n{A},2\n\n{B},0\n")
    assert module.read_weights(path) == {A: 2.0, B: 0.0}
    for bad in (f"{A},nan\n", f"{A},x\n", f"{A},-1\n", f"{A},inf\n", f"{A}\n"):
        path.write_text(bad)
        with pytest.raises(lessons.LessonError, match=r"need points >= 0 in line 1 of w.csv"):
            module.read_weights(path)
    path.write_text("00.paired_differenc,1\n")
    with pytest.raises(lessons.LessonError, match=r"line 1 of w.csv: there is no exercise.*near ones"):
        module.read_weights(path)


def test_weights(tmp_path: Path) -> None:
    check_weights(scores, tmp_path)


test_a_mistake_about_points_is_noticed = mistakes(
    scores.__name__,
    [
        ('counted[id] if row.state == "correct"', '1.0 if row.state == "correct"', check_points),
        ('if row.state == "correct" else 0.0', "if row.state else 0.0", check_points),
        ("if id.startswith(lesson))\n\n\n@dataclass", ")\n\n\n@dataclass", check_points),
        ('if id in one.points else ""', 'if id in one.points else "0"', check_points),
    ],
)


test_a_mistake_about_weights_is_noticed = mistakes(
    scores.__name__,
    [("if not 0 <= points < math.inf", "if points < 0"), ("except catalogue.Unknown", "except OSError")],
    check=check_weights,
    fixtures=["tmp_path"],
    also=(LookupError,),
)


# --- files for an LMS --------------------------------------------------------------------------------

CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Essay (77),Optimisers (78),Final Score
    Points Possible,,,,,10,9,(read only)
"Lovelace, Ada",12345,u1,ada@x.org,S1,8,,70
"Builder, Bob",999,u2,bob@x.org,S1,-,,60
"Student, Test",3,,t,S1,,,
"""
MOODLE = """Identifier,Full name,Email address,Status,Grade,Maximum grade,Last modified (grade)
Participant 12345,Ada L,ada@x.org,Submitted,,"9,00",-
Participant 67,Bob Builder,bob@x.org,Submitted,3,"9,00",-
"""


def check_canvas(module: ModuleType, folder: Path) -> None:
    roster = folder / "gradebook.csv"
    roster.write_text("\ufeff" + CANVAS, encoding="utf-8")
    result = scores.score([row for row in ROWS if row.exercise], WEIGHTS)
    made = module.filled(result, roster, "Optimisers")
    assert made.name == "canvas.csv"
    expected = cells(CANVAS)
    expected[2][6], expected[3][6] = "3", "0"  # 1.5 of 4.5, scaled to 9
    assert cells(made.text) == expected
    assert made.lines == ()
    added = cells(module.filled(result, roster).text)
    assert [row[-1] for row in added] == ["00_start_here 05_momentum", "4.5", "1.5", "0", ""]
    assert [row[:-1] for row in added] == cells(CANVAS)


def check_matching(module: ModuleType, folder: Path) -> None:
    """Who is whose row: ids, logins, addresses, names in either order; two rows are nobody's."""
    roster = folder / "gradebook.csv"
    known = [
        "lovelaceada_1",
        "u1",
        "ada@x.org",
        "ada",
        "Lovelace, Ada",
        "Ada Lovelace",
        "group 1/Ada Lovelace",
        "x_12345",
    ]
    unknown = ["lovelace", "12345", "x_9", "Robert"]
    for who in (*known, *unknown):
        roster.write_text(CANVAS)
        made = module.filled(scores.score([Row(who, A, "correct", "", "f")]), roster, "Essay")
        assert (cells(made.text)[2][5] == "10") == (who in known), who
        assert (made.lines == ()) == (who in known), who
    twin = CANVAS + '"Lovelace, Ada",12346,u3,ada2@x.org,S2,,,\n'
    roster.write_text(twin)
    made = module.filled(scores.score([Row("Ada Lovelace", A, "correct", "", "f")]), roster, "Essay")
    assert made.lines == ("gradebook.csv: 2 rows of Ada Lovelace, 1 points not entered",)
    made = module.filled(scores.score([Row("lovelaceada_12346", A, "correct", "", "f")]), roster, "Essay")
    assert (cells(made.text)[-1][5], made.lines) == ("10", ())


def check_moodle(module: ModuleType, folder: Path) -> None:
    roster = folder / "Grades.csv"
    roster.write_text(MOODLE)
    made = module.filled(scores.score(ROWS, WEIGHTS), roster)
    expected = cells(MOODLE)
    expected[1][4], expected[2][4] = "3", "0"
    assert (made.name, cells(made.text)) == ("moodle.csv", expected)
    assert made.lines == ("Grades.csv: no row of <b>eve</b>, 0 points not entered",)
    roster.write_text("Name,Grade\na,1\n")
    with pytest.raises(
        lessons.LessonError, match=r"need a roster with Student and ID .* got 'Name,Grade' in Grades"
    ):
        module.filled(scores.score(ROWS), roster)


def check_nbgrader(module: ModuleType, folder: Path) -> None:
    head, *rows = cells(module.nbgrader(scores.score(ROWS, WEIGHTS)).text)
    assert ",".join(head) == (
        "assignment,duedate,timestamp,student_id,last_name,first_name,email,raw_score,late_submission_penalty,"
        "score,max_score"
    )
    told = [(row[0], row[3], *row[7:]) for row in rows]
    assert ("00_start_here", ADA, "0.5", "0", "0.5", "3.5") in told
    assert ("05_momentum", ADA, "1", "0", "1", "1") in told
    assert len(told) == 6


CHECKS = [check_canvas, check_matching, check_moodle, check_nbgrader]


@pytest.mark.parametrize("check", CHECKS)
def test_files_for_an_lms(check, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    check(exports, tmp_path)


test_a_mistake_about_an_lms_is_noticed = mistakes(
    exports.__name__,
    [
        ("one.total() * _scale(of, scores.most())", "one.total()", check_canvas),
        ("r\"\\s*\\(\\d+\\)$\"", 'r"$"', check_canvas),
        ("if column == len(head):", "if column == 8 == (column := 7):", check_canvas),
        ("fitting = exact or fitting", "", check_matching),
        ("if len(fitting) != 1:", "if not fitting:", check_matching),
        ('maximum.replace(",", ".")) / most', "maximum) / most", check_moodle),
        ('yield from (_plain(one) for one in (name, f"{first} {last}") if one.strip())', "yield _plain(name)",
         check_matching),
        ('"score": number(one.total(lesson))', '"score": number(one.total())', check_nbgrader),
        ('number(scores.most(lesson))', "number(scores.most())", check_nbgrader),
    ],
    fixtures=["tmp_path"],
)  # fmt: skip


# --- pages -------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """The tags of a page, and whether they are balanced."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check_feedback(module: ModuleType) -> None:
    result = scores.score(ROWS, WEIGHTS)
    eve, bob, ada = result.students
    page = module.feedback(ada, result)
    tags = Tags(page).seen
    assert not tags & {"script", "link", "img", "iframe", "b"}
    for text in (ADA, "0.5 of 3.5 points", "1 of 1 points", "✗ wrong", "✓ correct", "3 is not 4", "f(x=1)",
                 "a/05.ipynb", "prefers-color-scheme: dark", find_exercise(B).prompt[:20]):  # fmt: skip
        assert text in page, text
    assert "A solution" not in page
    with_solutions = module.feedback(ada, result, solutions=True)
    assert "return a - b" in with_solutions
    assert "failing(" not in module.feedback(bob, result)
    page = module.feedback(eve, result)
    assert not Tags(page).seen & {"script", "b"}
    assert "torn &lt;script&gt;" in page
    names = ["ada", "Ada", "äda", "../ada", "a" * 300, "", "con", "a/b", "a b", "名前", "a?b*", "\\udce9"]
    files = [module.file_name(name) for name in names]
    assert len({name.lower() for name in files}) == len(names)
    assert all(name.isascii() and len(name) < 90 and set(name) <= set("-." + LETTERS) for name in files), (
        files
    )


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def check_overview(module: ModuleType) -> None:
    page = module.overview(scores.score(ROWS, WEIGHTS), ["left out, a link: <x>"])
    assert not Tags(page).seen & {"script", "b"}
    flat = " ".join(page.split())
    assert "Is it your own?" not in flat
    for text in (
        "1 of 2 correct", "0 of 2 correct", '<td class="number">2</td><td>Rounded down.</td>', "50% correct",
        "left out, a link: &lt;x&gt;", "torn &lt;script&gt;", "the median is 0 of 4.5 points",
    ):  # fmt: skip
        assert text in flat, text
    many = [Row(str(i), A, "wrong", f"mistake {i}", "f") for i in range(8)]
    flat = " ".join(module.overview(scores.score(many), []).split())
    assert '<td class="number">3</td><td class="soft">other mistakes</td>' in flat


def test_a_page_for_each_student() -> None:
    check_feedback(pages)


def test_the_page_of_the_class() -> None:
    check_overview(pages)


test_a_mistake_about_pages_is_noticed = mistakes(
    pages.__name__,
    [
        ("autoescape=True", "autoescape=False", check_feedback),
        ("[:60]", "", check_feedback),
        ("hashlib.sha256(student.encode())", "hashlib.sha256(words.encode())", check_feedback),
        ('("failing(", "hint(")', '("hint(",)', check_feedback),
        ("if solutions:", "if not solutions:", check_feedback),
        (
            'if row.state in ("wrong", "raised"))\n        exercises',
            "if row.state)\n        exercises",
            check_overview,
        ),
        ("sum(mistakes.values()) - sum", "0 * sum", check_overview),
    ],
)


def test_everything_is_written(tmp_path: Path) -> None:
    roster = tmp_path / "roster.csv"
    roster.write_text(MOODLE)
    grades, out = Grades(ROWS, ["left out: x"]), tmp_path / "out"
    lines = list(outputs.write(grades, out, weights=WEIGHTS, roster=roster))
    there = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert there == ["feedback", "moodle.csv", "nbgrader.csv", "overview.html", "students.csv"]
    index = cells((tmp_path / "out/feedback/index.csv").read_text())
    assert [who for who, _ in index] == ["student", "<b>eve</b>", BOB, ADA]
    texts = {who: (out / "feedback" / page).read_text() for who, page in index[1:]}
    assert "torn" in texts["<b>eve</b>"]
    assert all(who in texts[who] for who in (ADA, BOB))
    assert any("no row of <b>eve</b>" in line for line in lines)
