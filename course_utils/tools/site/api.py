"""Pages of the API reference, and docstrings as reStructuredText.

The package's docstrings are plain text: a claim, formulas as indented lines, sections `Args:`, `Raises:`,
`Source:`. Read as reStructuredText they would break at the first `g**2`, so they are translated: indented
lines become literal blocks, sections become fields, and everything else is escaped.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from course_utils.tools.lesson import Lesson

PACKAGE = Path(__file__).resolve().parents[2]
SECTIONS = ("Args", "Shape", "Raises", "Returns", "Yields", "Source", "Agrees with", "Attributes", "Example")
LEFT_OUT = {"tools", "figures"}  # for maintainers; for one lesson each
_SECTION = re.compile(rf"^({'|'.join(SECTIONS)}):(?: +(.*))?$")
_ITEM = re.compile(r"^([A-Za-z_*][\w*]*(?:, [A-Za-z_*][\w*]*)*): (.*)$")


def modules(package: Path = PACKAGE) -> list[str]:
    """The public modules in the order of the package's own map, then those it does not name."""
    names = {
        path.stem if path.suffix else path.name
        for path in package.iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists()) and not path.name.startswith("_")
    } - LEFT_OUT
    order = re.findall(
        r"[a-z_]+", ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8"))) or ""
    )
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))


def first_line(module: str, package: Path = PACKAGE) -> str:
    """What a module says of itself in its first line."""
    path = package / f"{module}.py"
    path = path if path.exists() else package / module / "__init__.py"
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n")[0]


def directives(module: str) -> list[str]:
    """Autodoc's directives for a module: what its `__all__` names, in its text's order, else everything.

    What `__all__` takes from another public module is left to that module's page.
    """
    full = f"course_utils.{module}"
    loaded = importlib.import_module(full)
    named = getattr(loaded, "__all__", None)
    if named is None:
        inside = _public_modules(loaded)
        one = [f".. automodule:: {full}", *([] if inside else ["   :members:"])]
        return one + [line for name in inside for line in ("", f".. automodule:: {name}", "   :members:")]
    words = re.findall(r"\w+", loaded.__doc__ or "")
    own = [name for name in named if not _at_home_elsewhere(getattr(loaded, name), full)]
    own.sort(key=lambda name: (words.index(name) if name in words else len(words), named.index(name)))
    lines = [f".. automodule:: {full}", ""]
    for name in own:
        kind = _kind(getattr(loaded, name))
        lines += [f".. auto{kind}:: {full}.{name}", *(["   :members:"] if kind == "class" else []), ""]
    return lines


def _public_modules(package: ModuleType) -> list[str]:
    """The modules of a package that is a map only, in its text's order; none of a module."""
    inside = [one.name for one in pkgutil.iter_modules(getattr(package, "__path__", []))]
    words = re.findall(r"\w+", package.__doc__ or "")
    inside.sort(key=lambda name: words.index(name) if name in words else len(words))
    return [f"{package.__name__}.{name}" for name in inside if not name.startswith("_")]


def pages(lessons: Sequence[Lesson]) -> dict[str, str]:
    """File name -> MyST markdown: an index and a page for each module."""
    names = modules()
    rows = [
        f"| [`{name}`]({name}.md) | {escaped_table(first_line(name))} | {_lessons(name, lessons)} |"
        for name in names
    ]
    tree = "\n".join(names)
    texts = {
        "index.md": "# API reference\n\nThe companion package `course_utils`, from its docstrings, in "
        "teaching order. Names, arguments and defaults are PyTorch's wherever PyTorch has the thing.\n\n"
        + "\n".join(["| module | what it holds | lessons |", "|---|---|---|", *rows])
        + f"\n\n```{{toctree}}\n:hidden:\n\n{tree}\n```\n"
    }
    for name in names:
        used = _lessons(name, lessons)
        texts[f"{name}.md"] = (
            f"# {name}\n\n"
            + (f"Used in lessons {used}.\n\n" if used != "–" else "")
            + "\n".join(["```{eval-rst}", *directives(name), "```", ""])
        )
    return texts


def as_rst(lines: Sequence[str]) -> list[str]:
    """A docstring of the package as reStructuredText."""
    rst: list[str] = []
    for kind, text in _blocks(textwrap.dedent("\n".join(lines)).split("\n")):
        rst += _translated(kind, text) + [""]
    return rst


def escaped(text: str) -> str:
    """Plain text with `code` between backticks, as reStructuredText."""
    parts = re.split(r"(``[^`]+``|`[^`]+`)", text)
    return "".join(
        f"``{part.strip('`')}``{_glue(parts, k)}" if k % 2 else re.sub(r"([\\*|_`<>])", r"\\\1", part)
        for k, part in enumerate(parts)
    )


def escaped_table(text: str) -> str:
    """Plain text for a cell of a markdown table."""
    return re.sub(r"([|*_<])", r"\\\1", text)


def _glue(parts: Sequence[str], k: int) -> str:
    """Inline code must be followed by a space or a stop: an escaped space where it is not."""
    after = parts[k + 1][:1] if k + 1 < len(parts) else ""
    return "\\ " if after.isalnum() or after == "(" else ""


def _blocks(lines: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Paragraphs, indented lines and sections, in order: (kind, lines)."""
    blocks: list[tuple[str, list[str]]] = []
    for line in lines:
        section = _SECTION.match(line)
        kind = blocks[-1][0] if blocks else ""
        if section:
            blocks.append((section[1], [section[2] or ""]))
        elif line.startswith("    ") and kind:
            if kind == "text":
                blocks.append(("literal", [line]))
            else:
                blocks[-1][1].append(line)
        elif not line.strip():
            if blocks and kind in ("literal", *SECTIONS):
                blocks[-1][1].append("")
            elif blocks:
                blocks.append(("text", []))
        elif kind == "text":
            blocks[-1][1].append(line)
        else:
            blocks.append(("text", [line]))
    return [(kind, text) for kind, text in blocks if any(line.strip() for line in text)]


def _translated(kind: str, lines: list[str]) -> list[str]:
    if kind == "text":
        return [escaped(line) for line in lines]
    if kind == "literal":
        return ["::", "", *lines]
    first, rest = lines[0], textwrap.dedent("\n".join(lines[1:])).strip("\n").split("\n")
    items = _items([first, *rest] if first else rest)
    if all(name for name, _ in items):
        return [f":{kind}:", *[f"    * **{escaped(name)}**: {escaped(text)}" for name, text in items]]
    text = " ".join(f"{name}: {text}" if name else text for name, text in items)
    return [f":{kind}: {escaped(text)}"]


def _items(lines: Sequence[str]) -> list[tuple[str, str]]:
    """(name, text) of the lines `name: text`; what is indented below belongs to the one above."""
    items: list[tuple[str, str]] = []
    for line in lines:
        match = _ITEM.match(line)
        if match:
            items.append((match[1], match[2]))
        elif line.strip() and items:
            items[-1] = (items[-1][0], f"{items[-1][1]} {line.strip()}")
        elif line.strip():
            items.append(("", line.strip()))
    return items


def _kind(value: Any) -> str:
    return "class" if inspect.isclass(value) else "function" if callable(value) else "data"


def _at_home_elsewhere(value: Any, module: str) -> bool:
    home = str(getattr(value, "__module__", module))
    public = not any(part.startswith("_") for part in home.split("."))
    return public and not f"{home}.".startswith(f"{module}.")


def _lessons(module: str, lessons: Sequence[Lesson]) -> str:
    used = [f"[{one.number}](../lessons/{one.path.name})" for one in lessons if module in one.modules]
    return ", ".join(used) or "–"
