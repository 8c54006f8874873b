"""Every solution with one small change in it, to ask whether `check` would take the change for right.

    for change, function in changes(exercise.solution): ...

A change is an operator, a comparison, a constant, a condition, a term or a call that is left out, a statement
that is left out. `survivors` gives those that do on every input what the solution does: either the inputs
lack a case, or the change makes no difference at all, and the table `equivalent_changes.toml` says why.
"""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import math
import random
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from course_utils._checks import is_tensor
from course_utils.exercises.engine.model import Exercise
from course_utils.exercises.engine.outcomes import build_inputs, outcomes, same

SECONDS = 2  # a change may make a loop endless
Change = tuple[str, Callable[..., Any]]
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Div, ast.Mod: ast.FloorDiv, ast.MatMult: ast.Mult,
}  # fmt: skip
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_NAMES = {
    "min": "max", "max": "min", "any": "all", "all": "any", "argmin": "argmax", "argmax": "argmin",
    "sum": "mean", "mean": "sum", "floor": "ceil", "ceil": "floor", "zeros": "ones", "ones": "zeros",
    "sin": "cos", "cos": "sin", "zeros_like": "ones_like", "amin": "amax", "amax": "amin",
    "cumsum": "cumprod",
}  # fmt: skip
_FORMS = ("item", "tolist", "double")  # left out, the same numbers come out in another form, which passes


def changes(function: Callable[..., Any]) -> Iterator[Change]:
    """(what was changed, the function with this change), one for each place and change."""
    source = textwrap.dedent(inspect.getsource(function))
    tree = ast.parse(source)
    whole = ast.unparse(tree)
    places = [node for node in ast.walk(tree) if hasattr(node, "lineno")]
    for index, place in enumerate(places):
        for number in range(len(list(_variants(place)))):
            changed = copy.deepcopy(tree)
            node = [one for one in ast.walk(changed) if hasattr(one, "lineno")][index]
            if not _put(changed, node, number):
                continue
            text = ast.unparse(ast.fix_missing_locations(changed))
            if text == whole or "strict=False" in text:
                continue
            made = _compiled(text, function)
            if made is not None:
                yield _difference(whole, text), made


def survivors(exercise: Exercise, *, every: int = 1, first: int = 0) -> Iterator[str]:
    """The changes that `check` would take for right; one in `every`, from number `first` on."""
    expected = outcomes(exercise, exercise.solution)
    for number, (words, function) in enumerate(changes(exercise.solution)):
        if number % every != first % every:
            continue
        got = _in_time(functools.partial(outcomes, exercise, function))
        if got is not None and same(exercise, expected, got):
            yield words


def misdiagnosed(exercise: Exercise) -> Iterator[str]:
    """The changes that get the diagnosis of a known mistake and do something else than it nearby.

    Nearby are the exercise's inputs with every floating-point number moved by up to a fifth, where the
    solution still gives numbers.
    """
    expected = outcomes(exercise, exercise.solution)
    known = [(wrong, outcomes(exercise, wrong.answer)) for wrong in exercise.wrong]
    moved = replace(exercise, inputs=functools.partial(_moved, exercise))
    if not all(_is_number(one.value) and one.error is None for one in outcomes(moved, exercise.solution)):
        return
    elsewhere = {id(wrong): outcomes(moved, wrong.answer) for wrong, _ in known}
    for words, function in changes(exercise.solution):
        got = _in_time(functools.partial(outcomes, exercise, function))
        if got is None or same(exercise, expected, got):
            continue
        wrong = next((wrong for wrong, its in known if same(exercise, its, got)), None)
        if wrong is not None:
            there = _in_time(functools.partial(outcomes, moved, function))
            if there is not None and not same(moved, elsewhere[id(wrong)], there):
                yield f"{words}   gets: {wrong.diagnosis}"


def _moved(exercise: Exercise) -> Any:
    generator = random.Random(0)

    def move(value: Any) -> Any:
        if isinstance(value, float):
            return value * (1 + 0.2 * generator.uniform(-1, 1))
        if is_tensor(value) and value.is_floating_point() and value.is_leaf and not value.requires_grad:
            factors = [1 + 0.2 * generator.uniform(-1, 1) for _ in range(value.numel())]
            return value * value.new_tensor(factors).reshape(value.shape)
        if type(value) in (list, tuple):
            return type(value)(map(move, value))
        return {key: move(one) for key, one in value.items()} if type(value) is dict else value

    return tuple(tuple(map(move, arguments)) for arguments in build_inputs(exercise))


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if is_tensor(value):
        return bool(value.isfinite().all()) if value.is_floating_point() else True
    if isinstance(value, list | tuple):
        return all(map(_is_number, value))
    return not isinstance(value, dict) or all(map(_is_number, value.values()))


class _TooLong(BaseException):
    pass


def _in_time(work: Callable[[], Any]) -> Any:
    """What `work` gives, None where it takes longer than SECONDS (where the system can say so)."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        return work()

    def stop(*_: Any) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    # again and again: an outcome takes the first for an error of the answer's own
    signal.setitimer(signal.ITIMER_REAL, SECONDS, 0.5)
    try:
        result = work()
    except _TooLong:
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return result


def _variants(node: ast.AST) -> Iterator[ast.AST | None]:
    """What a node may be replaced by; None leaves a statement out."""
    match node:
        case ast.BinOp(left, op, right):
            if type(op) in _ARITHMETIC:
                yield ast.BinOp(left, _ARITHMETIC[type(op)](), right)
            if isinstance(op, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.Pow):
                yield left
            if isinstance(op, ast.Add | ast.Mult):
                yield right
        case ast.Compare(left, [op], right):
            yield ast.Compare(left, [_COMPARISONS[type(op)]()], right)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
            yield from values
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield operand
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value)):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Constant(float(value)):
            yield ast.Constant(2 * value or 1.0)
        case ast.IfExp(_, body, orelse):
            yield body
            yield orelse
        case ast.If(_, body, orelse):
            yield ast.If(ast.Constant(True), body, orelse)
            yield ast.If(ast.Constant(False), body, orelse)
        case ast.Call(ast.Attribute(value, name, context), arguments, keywords):
            if name in _NAMES:
                yield ast.Call(ast.Attribute(value, _NAMES[name], context), arguments, keywords)
            if len(arguments) == 1 and not keywords and isinstance(value, ast.Name):  # math.sqrt(x)
                yield arguments[0]
            elif not arguments and name not in _FORMS:  # x.abs()
                yield value
        case ast.Call(ast.Name(name, context), arguments, keywords):
            if name in _NAMES:
                yield ast.Call(ast.Name(_NAMES[name], context), arguments, keywords)
            if name in ("min", "max", "abs", "round", "sorted", "reversed"):
                yield from arguments
        case ast.AugAssign(target, op, value):
            if type(op) in _ARITHMETIC:
                yield ast.AugAssign(target, _ARITHMETIC[type(op)](), value)
            yield None
        case ast.Expr(ast.Call()):
            yield None


def _put(tree: ast.AST, node: ast.AST, number: int) -> bool:
    """Replace `node` in the tree by its variant of this number; False where it has no place to go."""
    variant = list(_variants(node))[number]
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is node:
                setattr(parent, name, variant)
                return variant is not None
            if isinstance(value, list) and any(one is node for one in value):
                at = next(i for i, one in enumerate(value) if one is node)
                value[at : at + 1] = [ast.Pass() if variant is None else variant]
                return True
    return False


def _compiled(text: str, function: Callable[..., Any]) -> Callable[..., Any] | None:
    names = dict(vars(sys.modules[function.__module__]))
    try:
        exec(compile(text, "<one change>", "exec"), names)
    except SyntaxError:
        return None
    return names[function.__name__]


def _difference(before: str, after: str) -> str:
    """The line that changed: "x + 1 -> x - 1"."""
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    old, new = next((a.strip(), b.strip()) for a, b in pairs if a != b)
    return f"{old} -> {new}"
