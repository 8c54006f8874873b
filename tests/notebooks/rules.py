"""What must hold of every lesson as it is stored. Each rule returns what it finds against it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

from course_utils.claim_lines import line, stored
from course_utils.tools.cells import python
from course_utils.tools.lesson import Lesson
from course_utils.tools.lesson_exercises import asked_in, exercises_by_id
from course_utils.tools.site.text_links import papers

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
PAPERS = NOTEBOOKS.parent / "docs" / "papers.toml"

HEADINGS = [
    "Predict first", "The idea", "The mathematics", "From scratch", "Agreement", "Experiment", "Try it",
    "Where it stops", "What goes wrong", "Exercises", "What we saw", "In practice", "Further reading",
]  # fmt: skip
MAY_LEAVE_OUT = {
    "00_start_here": {
        "The mathematics",
        "From scratch",
        "Agreement",
        "Try it",
        "What goes wrong",
        "In practice",
    },
}
PARAMETERS = {"PROFILE": "standard", "SEED": 0, "DEVICE": "cpu"}
LARGEST = 1_000_000  # bytes
SHORTEST_ALT = 40  # characters
HERE = {re.escape(f"{folder}/") for folder in (Path.home(), NOTEBOOKS.parents[1])} - {"/"}
PLACES = ["/home/", "/Users/", "/tmp/", "/var/folders/", "/private/", "site-packages", r"[A-Z]:\\"]
MACHINE = re.compile("|".join([*PLACES, *HERE]))


def executed(lesson: Lesson) -> list[str]:
    """Every code cell was executed, in order, once: counts 1..N."""
    counts = [cell.execution_count for cell in lesson.code]
    return [] if counts == list(range(1, len(counts) + 1)) else [f"execution counts {counts}"]


def has_outputs(lesson: Lesson) -> list[str]:
    """Outputs are stored: without them regression compares nothing. A cell that claims shows its verdict."""
    found = [] if lesson.outputs else ["no outputs are stored"]
    for cell in lesson.code:
        shown = [one for output in cell.outputs for block in stored(output) for one in block.claims]
        ids = {one["id"] for one in shown}
        found += [f"no line for claim {id}" for id in _claimed(cell.source) if id not in ids]
        found += [
            f"stored with a claim that fails: {line(one)}" for one in shown if one["verdict"] == "fails"
        ]
    return found


def no_errors(lesson: Lesson) -> list[str]:
    """Nothing raised, nothing on stderr."""
    found = []
    for output in lesson.outputs:
        if output.output_type == "error":
            found.append(f"stored error {output.ename}: {output.evalue}")
        elif output.get("name") == "stderr":
            found.append(f"stored stderr: {output.text[:100]}")
    return found


def parameters(lesson: Lesson) -> list[str]:
    """One cell tagged `parameters`, with exactly the course's three."""
    cells = [cell for cell in lesson.code if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        return [f"{len(cells)} cells tagged parameters"]
    found = {}
    for statement in ast.parse(cells[0].source).body:
        if not isinstance(statement, ast.Assign):
            return [f"more than assignments in the parameters cell: {ast.unparse(statement)}"]
        found[ast.unparse(statement.targets[0])] = ast.literal_eval(statement.value)
    return [] if found == PARAMETERS else [f"parameters {found}, not {PARAMETERS}"]


def headings(lesson: Lesson) -> list[str]:
    """One title; the guide's level-2 headings, each once, in the guide's order."""
    text = "\n".join(re.sub(r"```.*?```", "", source, flags=re.DOTALL) for source in lesson.prose)
    titles = re.findall(r"^# +\S.*$", text, re.MULTILINE)
    there = [heading for heading in re.findall(r"^## +(.+?)\s*$", text, re.MULTILINE) if heading in HEADINGS]
    optional = MAY_LEAVE_OUT.get(lesson.name, set())
    wanted = [heading for heading in HEADINGS if heading in there or heading not in optional]
    found = [] if len(titles) == 1 else [f"{len(titles)} titles"]
    return found if there == wanted else [*found, f"headings {there}, not {wanted}"]


def alt_text(lesson: Lesson) -> list[str]:
    """Every picture says what it shows."""
    found = []
    for output in lesson.outputs:
        data = output.get("data", {})
        for kind in data:
            alt = output.metadata.get(kind, {}).get("alt", "")
            if kind.startswith("image/") and len(alt) < SHORTEST_ALT:
                found.append(f"{kind} with alt text of {len(alt)} characters: {alt!r}")
        found += _images_without_alt(data.get("text/html", ""))
    for source in lesson.prose:
        found += [f"picture without alt text: {image}" for image in re.findall(r"!\[\s*\]\([^)]*\)", source)]
        found += _images_without_alt(source)
    return found


def texts_apart(lesson: Lesson) -> list[str]:
    """No text of a picture lies on another or leaves the canvas. `plotting.show` looks, and stores it."""
    abouts = [about for output in lesson.outputs for about in output.get("metadata", {}).values()]
    return [clash for about in abouts if isinstance(about, dict) for clash in about.get("clashes", [])]


def stable_ids(lesson: Lesson) -> list[str]:
    """Format 4.5, every cell with an id of its own."""
    book = lesson.notebook
    ids = [cell.get("id", "") for cell in book.cells]
    found = [] if (book.nbformat, book.nbformat_minor) == (4, 5) else ["not in format 4.5"]
    found += [f"id {id!r}" for id in ids if not re.fullmatch(r"[a-z0-9-]+", id)]
    return found + [
        f"id {id!r} is there {ids.count(id)} times" for id in sorted(set(ids)) if ids.count(id) > 1
    ]


def no_machine(lesson: Lesson) -> list[str]:
    """No path of somebody's machine, no trace of when and how it ran, no address in memory."""
    found = [
        f"notebook metadata {key}"
        for key in lesson.notebook.metadata
        if key not in ("kernelspec", "language_info")
    ]
    name = lesson.notebook.metadata.get("kernelspec", {}).get("name")
    found += [] if name == "python3" else [f"kernel {name!r}"]
    for cell in lesson.notebook.cells:
        found += [f"cell metadata {key}" for key in cell.metadata if key in ("execution", "papermill")]
    for text in _texts(lesson):
        found += [
            f"machine path: {text[max(0, m.start() - 20) : m.end() + 40]!r}" for m in MACHINE.finditer(text)
        ]
    for output in lesson.outputs:
        shown = output.get("text", "") + output.get("data", {}).get("text/plain", "")
        found += [f"address in memory: {address}" for address in re.findall(r"\bat 0x[0-9a-f]{6,}", shown)]
    return found


def no_widgets(lesson: Lesson) -> list[str]:
    """Widgets show their static fallback: a stored widget is an empty line where no kernel runs."""
    kinds = {kind for output in lesson.outputs for kind in output.get("data", {})}
    return [f"stored {kind}" for kind in sorted(kinds) if "widget" in kind or "javascript" in kind]


def no_exemptions(lesson: Lesson) -> list[str]:
    """No cell is exempt from regression."""
    tags = {tag for cell in lesson.code for tag in cell.metadata.get("tags", [])}
    found = [
        f"tag {tag}" for tag in sorted(tags) if tag.startswith("nbval") or tag in ("raises-exception", "skip")
    ]
    marks = [mark for cell in lesson.code for mark in re.findall(r"#\s*(NBVAL_\w+|PYTEST_\w+)", cell.source)]
    return found + [f"comment {mark}" for mark in marks]


def small(lesson: Lesson) -> list[str]:
    """The file is under 1 MB."""
    return [f"{lesson.size} bytes"] if lesson.size >= LARGEST else []


def claims_once(lesson: Lesson) -> list[str]:
    """The lesson claims something; each claim once, with the lesson's number."""
    made = [id for cell in lesson.code for id in _claimed(cell.source)]
    found = [] if made else ["no claim"]
    found += [f"claim {id!r} is made twice" for id in sorted(set(made)) if made.count(id) > 1]
    return found + [
        f"claim {id!r} is not of lesson {lesson.name[:2]}" for id in made if id[:2] != lesson.name[:2]
    ]


def stubs(lesson: Lesson) -> list[str]:
    """An exercise's cell begins with the stub that the checker compares an answer with."""
    exercises = exercises_by_id(lesson.name[:2])
    return [
        f"another stub of {id} than its exercise has"
        for cell in lesson.code
        for id in asked_in(cell.source)
        if id not in exercises or not cell.source.startswith(exercises[id].stub.rstrip())
    ]


def keeps_nan(lesson: Lesson) -> list[str]:
    """What was measured goes through `largest` or `smallest`: Python's `max` and `min` can drop a NaN."""
    trees = [ast.parse(python(cell.source)) for cell in lesson.code]
    claimed = {
        id(inner)
        for tree in trees
        for call in _calls(tree, {"claim"})
        for argument in [*call.args, *(keyword.value for keyword in call.keywords)]
        for inner in ast.walk(argument)
    }
    return [
        f"{ast.unparse(call)}: use largest or smallest of course_utils.claims"
        for tree in trees
        for call in _calls(tree, {"max", "min"})
        if id(call) in claimed or _measures(call)
    ]


def papers_are_linked(lesson: Lesson) -> list[str]:
    """Each title of "Further reading" is a link, or docs/papers.toml says where it is found, if anywhere."""
    titles, _ = papers(PAPERS)
    named = re.findall(r"\(\d{4}\w?\), \*([^*]+)\*", lesson.section("Further reading"))
    return [f"no link: {title}" for title in named if title.replace("’", "'").casefold() not in titles]


RULES: list[Callable[[Lesson], list[str]]] = [
    executed, has_outputs, no_errors, parameters, headings, alt_text, texts_apart, stable_ids, no_machine,
    no_widgets, no_exemptions, small, claims_once, stubs, keeps_nan,
    papers_are_linked,
]  # fmt: skip


def _claimed(source: str) -> list[str]:
    """Ids of the calls of claim() in a cell; "?" for one that is not written out."""
    found = []
    for node in _calls(ast.parse(python(source)), {"claim"}):
        first = node.args[0] if node.args else next((k.value for k in node.keywords if k.arg == "id"), None)
        found.append(str(first.value) if isinstance(first, ast.Constant) else "?")
    return found


def _calls(tree: ast.AST, names: set[str]) -> list[ast.Call]:
    """Calls of functions of these names; of `a.claim` too, but `x.max()` is no call of max."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        node
        for node in found
        if (isinstance(node.func, ast.Name) and node.func.id in names)
        or (isinstance(node.func, ast.Attribute) and node.func.attr in names - {"max", "min"})
    ]


def _measures(call: ast.Call) -> bool:
    """Whether a call of max or min is given distances or statistics, and not counts or dictionary keys."""
    inside = [node for argument in call.args for node in ast.walk(argument)]
    names = {node.id for node in inside if isinstance(node, ast.Name)}
    names |= {node.attr for node in inside if isinstance(node, ast.Attribute)}
    by_key = any(keyword.arg == "key" for keyword in call.keywords)
    return not by_key and bool(names & {"abs", "distances", "norm", "amax", "max", "mean", "std", "var"})


def _section(lesson: Lesson, heading: str) -> str:
    """The prose under a level-2 heading, up to the next one."""
    parts = re.split(r"^## +(.+?)\s*$", "\n\n".join(lesson.prose), flags=re.MULTILINE)
    return "\n".join(body for name, body in zip(parts[1::2], parts[2::2], strict=True) if name == heading)


def _texts(lesson: Lesson) -> Iterator[str]:
    for cell in lesson.notebook.cells:
        yield cell.source
    for output in lesson.outputs:
        yield output.get("text", "")
        for kind, content in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield re.sub(r"base64,[A-Za-z0-9+/=]+", "", content)


def _images_without_alt(html: str) -> list[str]:
    class Images(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.bare = 0

        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            self.bare += tag == "img" and not (dict(attributes).get("alt") or "").strip()

    images = Images()
    images.feed(html)
    return ["<img> without alt"] * images.bare
