"""How a lesson reads: the form that the guide asks. Each rule returns what it finds against it."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from course_utils import recorded
from course_utils.claim_lines import stored
from course_utils.exercises.engine.model import Exercise, Quiz
from course_utils.tools.cells import python
from course_utils.tools.editions import deck, minutes
from course_utils.tools.lesson import Lesson
from course_utils.tools.lesson_exercises import asked_in, exercises_by_id, module_of
from tests.notebooks import prose_numbers
from tests.notebooks.prose_numbers import CLAIM_LINK, LINK, Measured
from tests.notebooks.rules import _calls, _claimed, _section

OBJECTIVES = 3
VISIBLE = 12  # claims
LINES = 300  # of code, in all
LONGEST_CELL = 15  # lines
MEDIAN_CELL = 6  # lines
EXPERIMENTS = (2, 4)
EXERCISES = (4, 6)
LONG_BUGS = 3
SENTENCES = 5
SLIDES = 25


def measured(lesson: Lesson) -> dict[str, Measured]:
    """Claim id -> what it measured: as the stored output has it, rounded; else as the newest record does."""
    made = {id for cell in lesson.code for id in _claimed(cell.source)}
    found = {id: value for id, value in _recorded().items() if id in made}
    for output in lesson.outputs:
        for block in stored(output):
            found |= {claim["id"]: _measured(claim) for claim in block.claims}
    return found


@cache
def _recorded() -> dict[str, Measured]:
    record = recorded.newest("claims")
    return {row["id"]: _measured(row) for row in record.rows} if record else {}


def _measured(claim: Mapping[str, Any]) -> Measured:
    """The values of a claim as `claims.claim` records it: a number, a name of none, or an interval."""
    value = claim["measured"]
    values = [value[end] for end in ("mean", "low", "high")] if isinstance(value, Mapping) else [value]
    return Measured(tuple(float(one) for one in values), claim["seeds"])


def objectives(lesson: Lesson) -> list[str]:
    """The title's cell: a question in bold, three objectives, and what is needed before."""
    text = lesson.prose[0] if lesson.prose else ""
    count = len(re.findall(r"^- ", text, re.MULTILINE))
    found = [] if re.search(r"^\*\*.+\?\*\*\s*$", text, re.MULTILINE) else ["no question in bold"]
    return found + ([] if count == OBJECTIVES else [f"{count} objectives, not {OBJECTIVES}"])


def honest_minutes(lesson: Lesson) -> list[str]:
    """The title says what the lesson takes, and that is one sitting."""
    return minutes.wrong(lesson)


def numbers_in_prose(lesson: Lesson) -> list[str]:
    """Each number of the title's cell and of "What we saw" is in a link to its claim, or set by the code."""
    values, known = measured(lesson), _settings(lesson)
    opening = re.sub(r"^About .*|Before this one: .*", "", lesson.prose[0], flags=re.MULTILINE)
    opening = re.sub(r"^# \d\d · ", "", opening)
    texts = [opening, *sentences(_section(lesson, "What we saw"))]
    return [wrong for text in texts for wrong in prose_numbers.untied(text, values, known)]


def numbers_in_claims(lesson: Lesson) -> list[str]:
    """Each number of a claim's sentence is what this claim measured, or set by the code."""
    values, known = measured(lesson), _settings(lesson)
    found = []
    for cell in lesson.code:
        for call in _calls(ast.parse(python(cell.source)), {"claim"}):
            id, sentence = (getattr(argument, "value", None) for argument in call.args[:2])
            if id in values and isinstance(sentence, str):
                wrong = prose_numbers.unmeasured(sentence, {id: values[id]}, known)
                found += [
                    f"{id}, which measured {prose_numbers.describe(values[id])}: {one}" for one in wrong
                ]
    return found


def numbers_in_figures(lesson: Lesson) -> list[str]:
    """Each number of an alt text and of a figure's title was measured by some claim, or set by the code."""
    values, known = measured(lesson), _settings(lesson)
    found = []
    for output in lesson.outputs:
        for kind, text in _texts_of_figures(output):
            found += [f"{kind}: {wrong}" for wrong in prose_numbers.unmeasured(text, values, known)]
    return found


def numbers_in_quizzes(lesson: Lesson) -> list[str]:
    """Each number behind a right choice was measured, or set by the code or by the question."""
    values = measured(lesson)
    found = []
    for quiz in _quizzes(lesson):
        asked = " ".join([quiz.question, *(text for text, _, _ in quiz.choices)])
        known = _settings(lesson) | {number.value for number in prose_numbers.numbers(asked)}
        for _, note, right in quiz.choices:
            wrong = prose_numbers.unmeasured(note, values, known) if right else []
            found += [f"{quiz.id}: {one}" for one in wrong]
    return found


def figures_say_their_titles(lesson: Lesson) -> list[str]:
    """Each picture is stored with its titles, which `numbers_in_figures` reads."""
    return [
        "a picture without its titles: execute the lesson again"
        for output in lesson.outputs
        for kind in _picture_kinds(output)
        if "titles" not in output.metadata.get(kind, {})
    ]


def links_lead_to_claims(lesson: Lesson) -> list[str]:
    """Each link to a claim leads to one that the lesson makes and shows; each sentence at the end has one."""
    shown = set(visible(lesson))
    found = []
    for text in lesson.prose:
        for link in LINK.finditer(text):
            if link[2].startswith("#claim-"):
                target = CLAIM_LINK.fullmatch(link[2])
                id = f"{target[1]}.{target[2]}" if target else link[2]
                found += [] if id in shown else [f"{link[0]}: no visible claim {id}"]
    return found + [
        f"no link to a claim: {sentence[:60]!r}"
        for sentence in sentences(_section(lesson, "What we saw"))
        if "](#claim-" not in sentence
    ]


def few_claims(lesson: Lesson) -> list[str]:
    """At most twelve claims are visible; what else is worth guarding is folded with `also_checked`."""
    count = len(visible(lesson))
    return [f"{count} visible claims, more than {VISIBLE}"] if count > VISIBLE else []


def short_code(lesson: Lesson) -> list[str]:
    """Code is short: in all, in each cell, and in the median cell."""
    lines = [len(cell.source.splitlines()) for cell in lesson.code]
    found = [f"{sum(lines)} lines of code, more than {LINES}"] if sum(lines) > LINES else []
    if (median := statistics.median(lines)) > MEDIAN_CELL:
        found.append(f"the median cell has {median:g} lines, more than {MEDIAN_CELL}")
    return found + [
        f"cell [{cell.execution_count}] has {count} lines, more than {LONGEST_CELL}"
        for cell, count in zip(lesson.code, lines, strict=True)
        if count > LONGEST_CELL
    ]


def experiments(lesson: Lesson) -> list[str]:
    """Two to four experiments, each under a heading of its own."""
    low, high = EXPERIMENTS
    count = len(re.findall(r"^### ", _section(lesson, "Experiment"), re.MULTILINE))
    return [] if low <= count <= high else [f"{count} experiments, not {low} to {high}"]


def limits_are_measured(lesson: Lesson) -> list[str]:
    """ "Where it stops" makes a claim that is read: the setting at which the headline is no longer true."""
    cells = lesson.sections.get("Where it stops", [])
    made = [id for cell in cells if cell.cell_type == "code" for id in _claimed(cell.source)]
    return [] if set(made) & set(visible(lesson)) else ["no visible claim under Where it stops"]


def few_long_bugs(lesson: Lesson) -> list[str]:
    """At most three mistakes at length, each opening with its name in bold; the rest is one table."""
    text = _section(lesson, "What goes wrong")
    count = len(re.findall(r"(?:\A|\n[ \t]*\n)\s*\*\*[^*]+\*\*", text))
    tables = len(re.findall(r"^\|[-| :]+\|\s*$", text, re.MULTILINE))
    found = [f"{count} mistakes at length, more than {LONG_BUGS}"] if count > LONG_BUGS else []
    return found + ([f"{tables} tables of mistakes, more than one"] if tables > 1 else [])


def some_exercises(lesson: Lesson) -> list[str]:
    """Four to six exercises, each asked once under "Exercises"."""
    low, high = EXERCISES
    asked = [id for cell in lesson.code for id in asked_in(cell.source)]
    found = [] if low <= len(asked) <= high else [f"{len(asked)} exercises, not {low} to {high}"]
    there = set(_exercises(lesson))
    return found + [f"exercise {id} is not asked" for id in sorted(there - set(asked))]


def five_sentences(lesson: Lesson) -> list[str]:
    """ "What we saw" is five sentences."""
    count = len(sentences(_section(lesson, "What we saw")))
    return [] if count == SENTENCES else [f"{count} sentences under What we saw, not {SENTENCES}"]


def says_what_comes_next(lesson: Lesson) -> list[str]:
    """The last line links what comes next."""
    last = lesson.notebook.cells[-1]
    line = last.source.strip().splitlines()[-1:] if last.cell_type == "markdown" else []
    there = any(re.search(r"\]\((?:\d\d_\w+\.ipynb|\.\./[\w./#-]+)\)", text) for text in line)
    return [] if there else [f"the last line links no lesson: {''.join(line)[:60]!r}"]


def few_slides(lesson: Lesson) -> list[str]:
    """At most 25 slides. Each says a sentence of its own as its title, shows one thing, reads it in two."""
    slides = deck.slides(lesson)
    found = deck.misfits(lesson)
    found += [f"{len(slides)} slides, more than {SLIDES}"] if len(slides) > SLIDES else []
    for slide in slides[1:]:
        where = f"slide of cell {slide.cell}, {slide.title!r}"
        if not deck.is_title(slide.title) or slide.title in lesson.sections:
            found.append(f"{where}: no title")
        if sum(other.title == slide.title for other in slides) > 1:
            found.append(f"{where}: another slide has this title")
        shown = re.findall(r"<(img|pre|table|ol|details|div>\$\$)", slide.show)
        if len(set(shown)) > 1 or (len(shown) > 1 and shown[0] != "details"):
            found.append(f"{where}: shows {shown}")
        if len(slide.reading) > deck.READ:
            found.append(f"{where}: {len(slide.reading)} sentences")
        found += [f"{where}: breaks off: {text!r}" for text in slide.reading if text.endswith((":", ","))]
    return found


def numbers_in_marks(lesson: Lesson) -> list[str]:
    """Each number of a slide's mark was measured by some claim, or set by the code."""
    values, known = measured(lesson), _settings(lesson)
    marks = [mark for cell in lesson.notebook.cells for mark in cell.metadata.get("slides", [])]
    return [f"{mark!r}: {wrong}" for mark in marks for wrong in prose_numbers.unmeasured(mark, values, known)]


RULES: list[Callable[[Lesson], list[str]]] = [
    objectives, honest_minutes, numbers_in_prose, numbers_in_claims, numbers_in_figures, numbers_in_quizzes,
    figures_say_their_titles, links_lead_to_claims, few_claims, short_code, experiments, limits_are_measured,
    few_long_bugs, some_exercises, five_sentences, says_what_comes_next, few_slides, numbers_in_marks,
]  # fmt: skip


def visible(lesson: Lesson) -> list[str]:
    """Ids of the claims that stand in the open: not in a `with also_checked(...)`."""
    found = []
    for cell in lesson.code:
        tree = ast.parse(python(cell.source))
        folded = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.With)
            and any(_calls(item.context_expr, {"also_checked"}) for item in node.items)
            for inner in ast.walk(node)
        }
        for call in _calls(tree, {"claim"}):
            if id(call) not in folded:
                found += _claimed(ast.unparse(call))
    return found


def sentences(text: str) -> list[str]:
    """The sentences of a text of markdown, list items among them, links whole."""
    links: list[str] = []

    def away(link: re.Match[str]) -> str:
        links.append(link[0])
        return f"\0{len(links) - 1}\0"

    bare = LINK.sub(away, re.sub(r"^\s*(?:[-*]|\d+\.) +", "\n\n", text, flags=re.MULTILINE))
    found = [part for block in re.split(r"\n\s*\n", bare) for part in deck.ENDS.split(block.strip()) if part]
    return [re.sub(r"\0(\d+)\0", lambda mark: links[int(mark[1])], part) for part in found]


def _settings(lesson: Lesson) -> set[float]:
    return prose_numbers.settings([cell.source for cell in lesson.code])


def _exercises(lesson: Lesson) -> dict[str, Exercise]:
    return exercises_by_id(lesson.name[:2])


def _quizzes(lesson: Lesson) -> list[Quiz]:
    return list(getattr(module_of(lesson.name[:2]), "QUIZZES", ()))


def _picture_kinds(output: Any) -> list[str]:
    data = output.get("data", {})
    film = "text/html" in data and "<img" in data["text/html"]
    return [kind for kind in data if kind.startswith("image/") or (kind == "text/html" and film)]


def _texts_of_figures(output: Any) -> list[tuple[str, str]]:
    """What a picture says in words: ("alt text", ...), ("title", ...), ..."""
    found = []
    for kind in _picture_kinds(output):
        about = output.metadata.get(kind, {})
        alts = [about["alt"]] if "alt" in about else []
        if kind == "text/html":
            alts += re.findall(r'<img [^>]*alt="([^"]*)"', output.data[kind])
        found += [("alt text", alt) for alt in alts] + [("title", title) for title in about.get("titles", [])]
    return found
