"""Claims that can fail: a mistake planted in what a claim measures must turn it red. `make can-fail`.

A lesson is executed statement by statement. At each that gives a claim something to measure, copies of the
process (forks) go on with a planted mistake: what the statement measured replaced by noise of the same shape
and scale, shuffled or negated (a number doubled or halved, too), the arms of a comparison swapped or one of
them noise, the effect removed. A copy executes only what lies between there and the claims, prints and
records nothing, and says which claims hold. Every claim is judged, the statistical ones too.

Mistakes are planted close to the claim: in the arrays and numbers that it reads, and in the arrays that those
are made of. Not in functions, data and settings further off: under a mistake there nearly everything turns
red. The table of mistakes tried and noticed is build/claims_can_fail.md.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import nbformat

from course_utils._files import write_whole
from course_utils.tools import cells
from tests.nightly import planted
from tests.notebooks import rules

PROJECT = Path(__file__).parents[2]
BUILD = PROJECT / "build"
PAGE = BUILD / "claims_can_fail.md"
DEEP = 1  # arrays between the one that a mistake is planted in and the claim
BUDGET = 3.0  # seconds of the processor, of the lesson's own that a copy may repeat
PATIENCE = 60  # seconds of the processor after which a copy is given up: other work must not end it
ENOUGH = 3  # mistakes noticed by a claim, after which it needs no more
BOUNDS = ("at_least", "at_most", "about", "tol", "within")
SHOWN = {"check", "hint", "solution", "quiz", "progress", "display", "print"}  # calls that measure nothing
DRAWN = {"show", "animate", "explore"}  # of plotting

# Visible claims that no mistake here can turn red, and why they may stay: id -> reason.
ARGUED: dict[str, str] = {
    "01.losses-agree": "three functions at the same inputs: a mistake in these reaches all three alike; "
    "`make mutants` changes the package's, and it turns red",
    "01.repaired": "says that nothing is left, to 0.035, and noise of the size of what is left is as small; "
    "without T the same measure lies outside: `01.too-sure`",
    "05.best-validation": "says that two losses are level, to 0.04, and noise of their gap's size is, too; "
    "at another step they are 0.1 or more apart: `05.best-costs`",
}


@dataclass
class Statement:
    """One statement of a lesson: the ids of its claims, and the names that it reads, writes, sets anew."""

    node: ast.stmt
    claims: list[str]
    visible: bool
    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    sets: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        names = _Names()
        names.visit(self.node)
        self.reads, self.writes = names.reads, names.writes
        plain = isinstance(
            self.node, (ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom, ast.FunctionDef)
        )
        self.sets = names.stores if plain else set()

    @property
    def measures(self) -> bool:
        """Whether a mistake may be planted in it: not in definitions, imports, assignments of constants."""
        if isinstance(self.node, (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)):
            return False
        value = getattr(self.node, "value", self.node)
        return any(isinstance(one, (ast.Name, ast.Call)) for one in ast.walk(value))


class _Names(ast.NodeVisitor):
    """The names that a statement reads, stores, and changes in place (`x[0] = 1`, `x.append(1)`)."""

    def __init__(self) -> None:
        self.reads: set[str] = set()
        self.stores: set[str] = set()
        self.changes: set[str] = set()

    @property
    def writes(self) -> set[str]:
        return self.stores | self.changes

    def visit_Name(self, node: ast.Name) -> None:
        (self.reads if isinstance(node.ctx, ast.Load) else self.stores).add(node.id)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.generic_visit(node)
        if name := _root(node.target):
            self.reads.add(name)
            self.changes.add(name)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self._part(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._part(node)

    def _part(self, node: ast.Subscript | ast.Attribute) -> None:
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load) and (name := _root(node)):
            self.changes.add(name)

    def visit_Expr(self, node: ast.Expr) -> None:
        self.generic_visit(node)
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and (name := _root(call.func)):
            self.changes.add(name)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.stores |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}

    visit_ImportFrom = visit_Import

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.ClassDef) -> None:
        inner = _Names()
        for part in ast.iter_child_nodes(node):
            inner.visit(part)
        self.reads |= inner.reads
        self.stores.add(node.name)

    visit_ClassDef = visit_FunctionDef

    def _own_names(self, node: Any) -> None:
        inner = _Names()
        inner.generic_visit(node)
        self.reads |= inner.reads - inner.stores
        self.changes |= inner.changes

    visit_Lambda = visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _own_names


def _root(node: ast.AST) -> str | None:
    while isinstance(node, (ast.Subscript, ast.Attribute, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def statements(notebook: nbformat.NotebookNode) -> list[Statement]:
    """The statements of a lesson that compute, in order; those of a fold stand for themselves."""
    found: list[Statement] = []

    def add(body: list[ast.stmt], visible: bool) -> None:
        for node in body:
            if isinstance(node, ast.With) and "also_checked" in ast.unparse(node.items[0]):
                add(node.body, False)
            elif not _only_shows(node) and "get_ipython()" not in ast.unparse(node):
                found.append(Statement(node, rules._claimed(ast.unparse(node)), visible))

    for cell in notebook.cells:
        if cell.cell_type == "code":
            add(cells.tree(cell.source).body, True)
    return found


def _of_two(node: ast.stmt) -> bool:
    """Whether a statement names a short function of two things, `gap = lambda a, b: ...`."""
    value = node.value if isinstance(node, ast.Assign) else None
    return isinstance(value, ast.Lambda) and len(value.args.args) == 2


def _only_shows(node: ast.stmt) -> bool:
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call):
        return False
    return getattr(call.func, "id", "") in SHOWN or getattr(call.func, "attr", "") in DRAWN


def slices(lesson: list[Statement]) -> dict[str, list[int]]:
    """Claim id -> the statements that it rests on, itself the last."""
    found = {}
    for place, statement in enumerate(lesson):
        for id in statement.claims:
            needed, on = set(statement.reads), [place]
            for at in range(place - 1, -1, -1):
                if lesson[at].writes & needed:
                    on.append(at)
                    needed = (needed - lesson[at].sets) | lesson[at].reads
            found[id] = on[::-1]
    return found


def near(lesson: list[Statement], id: str, on: list[int], arrays: list[set[str]]) -> dict[int, set[str]]:
    """The statements that a claim rests on and that are close enough for a mistake, with the names they give.

    Args:
        on: the statements that the claim rests on, as `slices` gives them.
        arrays: for each statement the names that it gives an array, or something made of arrays.
    """
    deep = dict.fromkeys(lesson[on[-1]].reads, 0)
    found: dict[int, set[str]] = {on[-1]: set()}
    for at in reversed(on[:-1]):
        one = lesson[at]
        names = {name for name in one.writes & deep.keys() if deep[name] <= DEEP}
        if not names:
            continue
        least = min(deep[name] + (name in arrays[at]) for name in names)
        for name in one.sets:
            deep.pop(name, None)
        if one.measures:
            found[at] = names
            for name in one.reads:
                deep[name] = min(deep.get(name, least), least)
    return found


@dataclass
class Outcome:
    """What became of one claim: mistakes tried, those that it noticed, and whether it holds without any."""

    id: str
    visible: bool
    holds: bool = False
    tried: int = 0
    red: list[str] = field(default_factory=list)


class Lesson:
    """A lesson that is executed with copies of itself going astray.

    Args:
        notebook: with its parameters as they should be.
        say: is told each mistake that is noticed.
    """

    def __init__(self, notebook: nbformat.NotebookNode) -> None:
        self.statements = statements(notebook)
        self.rests = slices(self.statements)
        self.outcomes = {id: Outcome(id, one.visible) for one in self.statements for id in one.claims}
        self.names: dict[str, Any] = {"__name__": "__main__", planted.PLANTED: planted.instead}
        self.arms = {name for one in self.statements if _of_two(one.node) for name in one.sets}
        self.judged: dict[str, str] = {}
        self.seconds: list[float] = []
        self.near: dict[str, dict[int, set[str]]] = {}

    def run(self) -> list[Outcome]:
        """Execute it twice: in a copy, to see what takes long and what is an array, and with the mistakes."""
        with self._listening():
            seen = _in_a_copy(self._looked_at, patience=3600)
            if seen is None:
                raise RuntimeError("the lesson does not run")
            self.seconds, arrays = seen[0], [set(names) for names in seen[1]]
            self.near = {id: near(self.statements, id, on, arrays) for id, on in self.rests.items()}
            for at, statement in enumerate(self.statements):
                if self._wanting(at):
                    for what, node in planted.rewritten(statement.node, self.arms):
                        self._try(at, f"{what}: {ast.unparse(statement.node)}", node=node)
                self._execute(statement.node)
                for id in statement.claims:
                    self.outcomes[id].holds = self.judged.get(id) == "holds"
                for name in sorted(statement.writes if self._wanting(at) else ()):
                    for what, value in planted.noisy(self.names.get(name)):
                        self._try(at, f"{what}: {name}", name=name, value=value)
                if any(not self.outcomes[id].tried for id in statement.claims):
                    for what, node in planted.remeasured(statement.node):
                        self._try(at, what, node=node)
        return list(self.outcomes.values())

    def _looked_at(self) -> tuple[list[float], list[list[str]]]:
        """For each statement its seconds, and the names that it gives more than a number."""
        seconds, arrays = [], []
        for statement in self.statements:
            begun = time.process_time()
            self._execute(statement.node)
            seconds.append(time.process_time() - begun)
            arrays.append([name for name in statement.writes if planted.size(self.names.get(name)) > 1])
        return seconds, arrays

    def _try(
        self, at: int, what: str, *, node: ast.stmt | None = None, name: str = "", value: Any = None
    ) -> None:
        """Go on with one mistake in a copy: with another statement, or with another value after this one."""
        later = [id for id in self._wanting(at) if node is not None or name in self.near[id][at]]
        if not later:
            return
        todo = sorted({k for id in later for k in self.rests[id] if k > at})

        def work() -> dict[str, str]:
            self.judged.clear()
            if node is not None:
                self._execute(node)
            else:
                self.names[name] = value
            for k in todo:
                with contextlib.suppress(Exception):  # a claim that is not reached is not judged
                    self._execute(self.statements[k].node)
            return dict(self.judged)

        said = _in_a_copy(work) or {}
        for id in later:
            outcome = self.outcomes[id]
            outcome.tried += 1
            if said.get(id) == "fails":
                outcome.red.append(what)

    def _wanting(self, at: int) -> list[str]:
        """The claims that a mistake in this statement may reach, and that have not noticed enough of them."""
        return [
            id
            for id, places in self.near.items()
            if at in places
            and len(self.outcomes[id].red) < ENOUGH
            and sum(self.seconds[k] for k in self.rests[id] if k > at) <= BUDGET
        ]

    def _execute(self, node: ast.stmt) -> None:
        exec(compile(ast.Module([node], []), "<lesson>", "exec"), self.names)

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        """Put a judge in the place of `claim`: it judges everything, prints, records and raises nothing."""
        from course_utils import claims

        def claim(id: str, sentence: str, measured: Any, **given: Any) -> None:
            bounds = {name: value for name, value in given.items() if name in BOUNDS}
            self.judged[id] = claims.verdict(measured, **bounds)

        real, claims.claim = claims.claim, claim
        try:
            yield
        finally:
            claims.claim = real


def _in_a_copy(work: Any, *, patience: int = PATIENCE) -> Any:
    """What a function returns, by way of JSON, in a silent fork of this process; None where it ends badly."""
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.setitimer(signal.ITIMER_PROF, patience)
            os.close(here)
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            with os.fdopen(there, "w") as pipe:
                pipe.write(json.dumps(work()))
        finally:
            os._exit(0)
    os.close(there)
    with os.fdopen(here) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else None


def with_profile(notebook: nbformat.NotebookNode, profile: str) -> nbformat.NotebookNode:
    """The lesson with this profile in its parameters."""
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = re.sub(r"^PROFILE = .*$", f'PROFILE = "{profile}"', cell.source, flags=re.MULTILINE)
    return notebook


def page(found: dict[str, list[Outcome]]) -> str:
    """Every claim: how many mistakes were tried, and which it noticed. Those that noticed none come first."""
    lines = ["# Claims that can fail", ""]
    for lesson, outcomes in found.items():
        never = [one for one in outcomes if not one.red]
        lines += [
            f"## {lesson}: {len(outcomes) - len(never)} of {len(outcomes)} claims noticed a mistake",
            "",
        ]
        lines += ["| claim | | mistakes tried | noticed |", "|---|---|---|---|"]
        for one in sorted(outcomes, key=lambda one: bool(one.red)):
            notes = "; ".join(_cell(what) for what in one.red) or ARGUED.get(one.id, "**none**")
            state = "visible" if one.visible else "folded"
            state += "" if one.holds else ", does not hold"
            lines.append(f"| `{one.id}` | {state} | {one.tried} | {notes} |")
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return "`" + " ".join(text.split())[:80].replace("|", "\\|").replace("`", "'") + "`"


def unargued(found: dict[str, list[Outcome]]) -> list[str]:
    """Visible claims that noticed nothing, and reasons not needed."""
    seen = {one.id: one for outcomes in found.values() for one in outcomes}
    silent = [id for id in seen if seen[id].visible and not seen[id].red]
    return [f"{id} noticed no mistake" for id in silent if id not in ARGUED] + [
        f"{id} is argued for and needs it not" for id in ARGUED if id in seen and id not in silent
    ]


def _one(path: Path, profile: str, out: Path) -> None:
    import torch

    torch.set_num_threads(1)
    os.environ |= {"COURSE_HEADLESS": "1", "COURSE_COLLECT_CLAIMS": "1", "COURSE_RECORD_DIR": str(out.parent)}
    notebook = with_profile(nbformat.read(path, as_version=4), profile)
    outcomes = Lesson(notebook).run()
    write_whole(out, json.dumps([vars(one) for one in outcomes], indent=1, ensure_ascii=False))


@click.command()
@click.argument("only", nargs=-1, metavar="[LESSON]...")
@click.option("--profile", default="standard", show_default=True)
@click.option("--workers", default=2, show_default=True, help="Lessons at a time.")
@click.option("--one", type=click.Path(path_type=Path), hidden=True)
def main(only: tuple[str, ...], profile: str, workers: int, one: Path | None) -> None:
    """Plant mistakes in lessons, write build/claims_can_fail.md, fail where a visible claim notices none."""
    from course_utils.tools import lessons

    paths = lessons.find(rules.NOTEBOOKS, only)
    if one:
        _one(paths[0], profile, one)
        return

    def work(path: Path) -> list[Outcome]:
        out = BUILD / "can_fail" / f"{path.stem}.json"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.unlink(missing_ok=True)
        line = [sys.executable, "-m", __spec__.name, path.stem, "--profile", profile, "--one", str(out)]
        done = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True)
        if not out.exists():
            raise click.ClickException(f"{path.stem}: {done.stderr[-3000:]}")
        found = [Outcome(**kept) for kept in json.loads(out.read_text(encoding="utf-8"))]
        click.echo(
            f"{path.stem}: {sum(bool(one.red) for one in found)} of {len(found)} claims noticed a mistake"
        )
        return found

    with ThreadPoolExecutor(workers) as pool:
        found = dict(zip([path.stem for path in paths], pool.map(work, paths), strict=True))
    write_whole(PAGE, page(found))
    wrong = unargued(found)
    click.echo("\n".join([*wrong, str(PAGE)]))
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
