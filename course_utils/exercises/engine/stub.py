"""What is found by looking at an answer's code, never by running it: is it the stub, whose work is it?"""

from __future__ import annotations

import contextlib
import dis
import inspect
from collections.abc import Iterator
from types import CodeType, ModuleType
from typing import Any

from course_utils.exercises.engine.model import Exercise

_SILENT = {"RESUME", "NOP", "CACHE", "COPY_FREE_VARS", "MAKE_CELL"}


def not_attempted(exercise: Exercise, answer: Any) -> bool:
    """True for `...`, for a function that only holds `...`, `pass` or `return ...`, and for the stub."""
    if answer is ...:
        return True
    code = code_of(answer)
    if code is None:
        return False
    stub = compile(exercise.stub, "<stub>", "exec")
    return _empty(code) or any(_same(code, inner) for inner in _inner(stub))


def code_of(answer: Any) -> CodeType | None:
    """The code object of a function, bound method, partial or callable object; None where there is none.

    Of a decorated function (`functools.cache`, `functools.wraps`) it is that of the function inside.
    """
    answer = _unwrapped(answer)
    for one in (answer, getattr(answer, "func", None), getattr(type(answer), "__call__", None)):  # noqa: B004
        code = getattr(one, "__code__", None)
        if isinstance(code, CodeType):
            return code
    return None


def _unwrapped(answer: Any) -> Any:
    with contextlib.suppress(ValueError):  # a circle of wrappers
        return inspect.unwrap(answer)
    return answer


def parameters_of(answer: Any) -> tuple[str, ...] | None:
    """The names of a function's arguments in their order, where all can be given by name; else None."""
    try:
        parameters = inspect.signature(answer).parameters.values()
    except (TypeError, ValueError):
        return None
    named = all(one.kind is one.POSITIONAL_OR_KEYWORD for one in parameters)
    return tuple(one.name for one in parameters) if named else None


def borrows(answer: Any) -> bool:
    """Whether an answer takes something out of the course's exercises, itself or by its own helpers.

    Its own are those of its module: what a library does is not looked at.
    """
    own = getattr(answer, "__module__", None)
    todo, seen = [answer], set()
    while todo:
        one = todo.pop()
        if _of_exercises(one):
            return True
        code = code_of(one)
        if code is None or id(code) in seen or getattr(one, "__module__", None) != own:
            continue
        seen.add(id(code))
        inner = [code, *_inner(code)]
        words = [name for c in inner for name in (*c.co_names, *filter(_is_text, c.co_consts))]
        if any(_EXERCISES in word for word in words):
            return True
        around = getattr(_unwrapped(one), "__globals__", {})
        todo += [around[name] for c in inner for name in c.co_names if name in around]
    return False


_EXERCISES = "course_utils.exercises"


def _is_text(constant: Any) -> bool:
    return isinstance(constant, str)


def _of_exercises(value: Any) -> bool:
    name = getattr(value, "__name__" if isinstance(value, ModuleType) else "__module__", None)
    return isinstance(name, str) and name.startswith(f"{_EXERCISES}.lesson_")


def _empty(code: CodeType) -> bool:
    steps = [(step.opname, step.argval) for step in dis.get_instructions(code) if step.opname not in _SILENT]
    match steps:
        case [("LOAD_CONST", value), ("RETURN_VALUE", _)] | [("RETURN_CONST", value)]:
            return value is None or value is ...
        case [("LOAD_GLOBAL", "NotImplementedError"), *_, ("RAISE_VARARGS", _)]:
            return True
    return False


def _same(one: Any, other: Any) -> bool:
    """The same code, wherever it stands and whatever its docstring and annotations."""
    if not isinstance(one, CodeType) or not isinstance(other, CodeType):
        return type(one) is type(other) and bool(one == other)
    if (one.co_name, one.co_code, one.co_names, one.co_varnames) != (
        other.co_name,
        other.co_code,
        other.co_names,
        other.co_varnames,
    ):
        return False
    mine, theirs = (_without_docstring(code.co_consts) for code in (one, other))
    return len(mine) == len(theirs) and all(_same(a, b) for a, b in zip(mine, theirs, strict=True))


def _without_docstring(constants: tuple[Any, ...]) -> tuple[Any, ...]:
    return constants[1:] if constants and isinstance(constants[0], str | None) else constants


def _inner(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _inner(constant)
