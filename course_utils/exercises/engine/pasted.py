"""A solution's source as it can be pasted into a notebook: with what it uses, without annotations."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Any


def pasted(function: Callable[..., Any], there: Mapping[str, Any]) -> str:
    """The function's source, after the imports, constants and helpers of its module that it uses.

    Args:
        there: what the notebook has already.
    """
    imports: dict[str, None] = {}
    parts: dict[str, None] = {}
    _collect(function, there, imports, parts)
    return "\n\n\n".join(["\n".join(imports), *parts] if imports else parts)


def _collect(
    function: Any, there: Mapping[str, Any], imports: dict[str, None], parts: dict[str, None]
) -> None:
    source = _unannotated(textwrap.dedent(inspect.getsource(function)).rstrip())
    around = function.__globals__
    used = [node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)]
    for name in dict.fromkeys(used):
        value = around.get(name, there)
        if value is there or value is function or there.get(name) is value:
            continue
        if isinstance(value, ModuleType):
            known_as = "" if value.__name__ == name else f" as {name}"
            imports[f"import {value.__name__}{known_as}"] = None
        elif isinstance(value, FunctionType) and value.__module__ == function.__module__:
            _collect(value, there, imports, parts)
        elif callable(value):
            known_as = "" if value.__name__ == name else f" as {name}"
            home = getattr(value, "__module__", None) or _imported_from(function, name)
            imports[f"from {home} import {value.__name__}{known_as}"] = None
        else:
            parts[f"{name} = {value!r}"] = None
    parts[source] = None


def _imported_from(function: Any, name: str) -> str:
    """Where the function's module imports a name from: NumPy's and SciPy's functions do not say it."""
    source = inspect.getsource(inspect.getmodule(function))  # type: ignore[arg-type]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and name in [one.asname or one.name for one in node.names]:
            return str(node.module)
    raise LookupError(f"no import of {name} in the solution's module")


def _unannotated(source: str) -> str:
    """A function's source without the annotations of its signatures: a notebook may lack their names."""
    lines = source.encode().splitlines(keepends=True)  # offsets of `ast` count bytes
    text = b"".join(lines)

    def at(line: int, offset: int) -> int:
        return sum(map(len, lines[: line - 1])) + offset

    cuts = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.arg) and node.annotation is not None:
            end = at(node.annotation.end_lineno or 0, node.annotation.end_col_offset or 0)
            cuts.append((at(node.lineno, node.col_offset) + len(node.arg.encode()), end))
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            first = at(node.returns.lineno, node.returns.col_offset)
            end = at(node.returns.end_lineno or 0, node.returns.end_col_offset or 0)
            cuts.append((len(text[: text.rindex(b"->", 0, first)].rstrip()), end))
    for first, end in sorted(cuts, reverse=True):
        text = text[:first] + text[end:]
    return text.decode()
