"""What the code of a cell says: as plain Python, what it imports, which exercises it checks."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Iterator

# Cell magics whose body is Python, run in the notebook's own names.
_OF_PYTHON = {"time", "timeit", "capture", "prun"}
_CHECK = re.compile(
    r"""^(?:\w+ *= *|print\()?(?:\w+\.)?check\(\s*["'](\d\d\.\w+)["']\s*,\s*(?:answer\s*=\s*)?"""
    r"""([\w.]+)\s*,?\s*\)""",
    re.MULTILINE,
)
_RENAMED = re.compile(r"\bcheck +as +(\w+)|\b(\w+) *= *(?:\w+\.)*check\b(?! *\()")
_MAY_NOT_RUN = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.If, ast.For, ast.AsyncFor, ast.While,
    ast.Match, ast.IfExp, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.ExceptHandler,
)  # fmt: skip


def python(source: str) -> str:
    """A cell as Python, line by line: IPython's magics, shell commands and questions are calls.

    Of a cell magic that runs Python (`%%time`) the body is taken, of any other (`%%bash`) nothing. A broken
    cell comes back as it is.
    """
    if magic := re.match(r"\s*%%(\w+).*\n?", source):
        body = source[magic.end() :]
        return python(body) if magic[1] in _OF_PYTHON else ""
    if _parses(source):
        return source
    from IPython.core.inputtransformer2 import TransformerManager  # takes a moment, and is rarely needed

    try:
        changed: str = TransformerManager().transform_cell(textwrap.dedent(source))
    except SyntaxError:
        return source
    return changed if _parses(changed) else source


def tree(source: str) -> ast.Module:
    """A cell's syntax tree. Raises: SyntaxError for a cell that is broken."""
    return ast.parse(python(source))


def imported(source: str, *, inside: str = "") -> set[str]:
    """The full names that a source imports, in functions, too: `from a import b` names `a` and `a.b`.

    Args:
        inside: the package that the source is in, `course_utils.figures`, which `from .` starts from.
    """
    try:
        nodes = list(ast.walk(tree(source)))
    except SyntaxError:
        return set()
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            start = inside.split(".")[: 1 - node.level or None] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


def checked(source: str) -> list[tuple[str, str]]:
    """(exercise id, expression of the answer) of the calls of check() in a cell, in their order.

    Those are found that run whenever the cell does: `r = check(...)`, `print(check(...))`,
    `exercises.check(...)`,
    in `with` and `try`, too; not in `if`, a loop or a function. Of a cell that is broken, those are found
    that stand in a line of their own and name the answer.
    """
    try:
        statements = tree(source).body
        calls = [call for statement in statements for call in _calls(statement)]
        return [(id, ast.unparse(answer)) for call in calls for id, answer in _asked(call)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [(id, name) for id, name in _CHECK.findall(source)]


def names_of_check(sources: Iterable[str]) -> re.Pattern[str]:
    """A pattern of the names that check has in these cells: its own, and those that the code gives it."""
    names = {
        "check",
        *(name for source in sources for pair in _RENAMED.findall(source) for name in pair if name),
    }
    return re.compile(rf"\b(?:{'|'.join(sorted(names))})\b")


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    """The calls that run whenever a statement does, the inner ones of a call after it."""
    if isinstance(node, _MAY_NOT_RUN):
        return
    if isinstance(node, ast.Call):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _calls(child)


def _asked(call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """The exercise's id and the answer, where a call is one of check."""
    match call.func:
        case ast.Name("check") | ast.Attribute(ast.Name(), "check"):
            named = {keyword.arg: keyword.value for keyword in call.keywords}
            match [*call.args, *(named[name] for name in ("id", "answer") if name in named)]:
                case [ast.Constant(str(id)), answer]:
                    yield id, answer


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True
