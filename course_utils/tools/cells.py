"""What the code of a cell says: as plain Python, what it imports, which exercises it checks."""

from __future__ import annotations

import ast
import re
import textwrap

# Cell magics whose body is Python, run in the notebook's own names.
_OF_PYTHON = {"time", "timeit", "capture", "prun"}
_CHECK = re.compile(r"""^check\(\s*["'](\d\d\.\w+)["']\s*,\s*([\w.]+)\s*,?\s*\)""", re.MULTILINE)


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
        inside: the package that the source is in, `course_utils.losses`, which `from .` starts from.
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

    Of a cell that is broken, those are found that stand in a line of their own and name the answer.
    """
    try:
        statements = tree(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [(id, name) for id, name in _CHECK.findall(source)]
    found = []
    for statement in statements:
        match statement:
            case ast.Expr(ast.Call(ast.Name("check"), arguments, keywords)):
                named = {keyword.arg: keyword.value for keyword in keywords}
                values = [*arguments, *(named[name] for name in ("id", "answer") if name in named)]
                match values:
                    case [ast.Constant(str(id)), answer]:
                        found.append((id, ast.unparse(answer)))
    return found


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True
