"""Mistakes planted in a measurement: noise in place of it, arms swapped, the effect removed."""

from __future__ import annotations

import ast
import copy
import dataclasses
import math
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from course_utils.intervals import Interval

PLANTED = "__planted__"
COMPARED = {"paired_interval", "distances", "equal", "allclose"}  # functions of two arms


def noisy(value: Any) -> list[tuple[str, Any]]:
    """(what was done, value): noise of the same shape and scale in place of a value, and other mistakes.

    Numbers, arrays, intervals, nets, and lists, tuples, dictionaries and records of them; of anything else
    there is none.
    """
    found = [(way, new) for way in WAYS if (new := instead(way, value)) is not None]
    if isinstance(value, dict) and len(value) > 1:
        found.append(("swapped", dict(zip(value, [*value.values()][::-1], strict=True))))
    if isinstance(value, (list, tuple)) and len(value) > 1 and type(value) in (list, tuple):
        found.append(("swapped", value[::-1]))
    return found


def instead(way: str, value: Any) -> Any:
    """What stands in place of a value under one of `WAYS`; None where that changes nothing in it."""
    with torch.no_grad():
        return _changed(value, WAYS[way], np.random.default_rng(0))


def size(value: Any) -> int:
    """How many numbers a value holds: one of a number or an interval, none of a function."""
    if isinstance(value, Interval):
        return 1
    if isinstance(value, torch.Tensor):
        return value.numel()
    if isinstance(value, (np.ndarray, np.generic, bool, int, float)):
        return int(np.size(value))
    if isinstance(value, dict):
        return sum(map(size, value.values()))
    if isinstance(value, (list, tuple)):
        return sum(map(size, value))
    if isinstance(value, torch.nn.Module):
        return sum(map(size, value.parameters()))
    return sum(map(size, _parts(value).values()))


def _changed(value: Any, change: Any, rng: np.random.Generator) -> Any:
    """The value with `change` in each of its arrays and numbers; None where it has none."""
    if isinstance(value, Interval):
        return change(value, rng)
    if isinstance(value, torch.nn.Module):
        if any(parameter.is_meta for parameter in value.parameters()):
            return None
        net = copy.deepcopy(value)
        for parameter in net.parameters():
            new = change(parameter.detach().numpy(), rng)
            parameter.data = parameter if new is None else torch.from_numpy(np.ascontiguousarray(new))
        return net
    if isinstance(value, torch.Tensor):
        if value.is_meta or value.is_sparse or value.dtype in (torch.bfloat16, torch.float16):
            return None
        new = change(value.detach().cpu().numpy(), rng)
        return None if new is None else torch.from_numpy(np.array(new)).to(value.dtype)
    if isinstance(value, (np.ndarray, np.generic, bool, int, float)):
        new = change(np.asarray(value), rng)
        return None if new is None else new if isinstance(value, np.ndarray) else new.item()
    if isinstance(value, dict):
        return _rebuilt(
            value, list(value.values()), lambda new: dict(zip(value, new, strict=True)), change, rng
        )
    if isinstance(value, tuple):
        make = (lambda new: type(value)(*new)) if hasattr(value, "_fields") else tuple
        return _rebuilt(value, list(value), make, change, rng)
    if isinstance(value, list):
        return _rebuilt(value, value, list, change, rng)
    if parts := _parts(value):

        def fill(new: list[Any]) -> Any:
            other = copy.copy(value)
            for name, part in zip(parts, new, strict=True):
                object.__setattr__(other, name, part)
            return other

        return _rebuilt(value, list(parts.values()), fill, change, rng)
    return None


def _parts(value: Any) -> dict[str, Any]:
    """Attribute -> value, of a record of the course's own or of the lesson's; of anything else none."""
    own = type(value).__module__.partition(".")[0] in ("course_utils", "__main__")
    record = dataclasses.is_dataclass(value) and not isinstance(value, type)
    open_still = hasattr(value, "__enter__")  # processes, files: what is measured is in what they return
    if not (own or record) or open_still or isinstance(value, torch.optim.Optimizer):
        return {}
    return dict(getattr(value, "__dict__", {}))


def _rebuilt(value: Any, parts: list[Any], make: Any, change: Any, rng: np.random.Generator) -> Any:
    new = [_changed(part, change, rng) for part in parts]
    if all(part is None for part in new):
        return None
    return make([old if part is None else part for old, part in zip(parts, new, strict=True)])


def _noise(value: Any, rng: np.random.Generator) -> Any:
    """Independent of what was measured, as large as it."""
    if isinstance(value, Interval):
        half = max((value.high - value.low) / 2, abs(value.mean))
        return dataclasses.replace(value, mean=0.0, low=-half, high=half)
    if value.dtype == bool:
        return rng.random(value.shape) < 0.5 if value.ndim else ~value
    if value.dtype.kind in "iu":
        low, high = (int(value.min()), int(value.max())) if value.size else (0, 0)
        if value.ndim == 0:
            low, high = 0, 2 * abs(high) + 1
        return rng.integers(low, high, value.shape, endpoint=True).astype(value.dtype)
    if value.dtype.kind != "f":
        return None
    finite = value[np.isfinite(value)]
    scale = math.sqrt(float((finite.astype(float) ** 2).mean())) if finite.size else 1.0
    return np.asarray(scale * rng.standard_normal(value.shape)).astype(value.dtype)


def _shuffled(value: Any, rng: np.random.Generator) -> Any:
    """The same numbers, each in another's place."""
    if isinstance(value, Interval) or value.size < 2:
        return None
    return rng.permutation(value.ravel()).reshape(value.shape)


def _scaled(value: Any, factor: float) -> Any:
    """A number that is off by a factor; of an array none."""
    if isinstance(value, Interval):
        ends = {name: factor * getattr(value, name) for name in ("mean", "low", "high")}
        return dataclasses.replace(value, **ends)
    return factor * value if value.size == 1 and value.dtype.kind == "f" else None


def _negated(value: Any, rng: np.random.Generator) -> Any:
    """The opposite effect."""
    if isinstance(value, Interval):
        return dataclasses.replace(value, mean=-value.mean, low=-value.high, high=-value.low)
    return -value if value is not None and value.dtype.kind in "if" else None


WAYS: dict[str, Callable[[Any, np.random.Generator], Any]] = {
    "noise": _noise,
    "noise of the other sign": lambda value, rng: _negated(_noise(value, rng), rng),
    "shuffled": _shuffled,
    "negated": _negated,
    "doubled": lambda value, rng: _scaled(value, 2),
    "halved": lambda value, rng: _scaled(value, 0.5),
}


def rewritten(statement: ast.stmt, arms: Container[str] = ()) -> Iterator[tuple[str, ast.stmt]]:
    """(what was done, statement) for each comparison in it: arms swapped, made equal, one made noise.

    In a `claim` only what is measured is changed, never its bounds. The statement may call `PLANTED`, which
    is to be `instead`.

    Args:
        arms: names of functions of two arms, besides those of `COMPARED`.
    """
    for place, one in enumerate(_measuring(statement)):
        for what, pair in _instead_of(*_arms(one, arms)):
            new = copy.deepcopy(statement)
            node: Any = _measuring(new)[place]
            left, right = (copy.deepcopy(arm) for arm in pair)
            if isinstance(node, ast.Call):
                node.args[:2] = [left, right]
            else:
                node.left, node.right = left, right
            yield what, ast.fix_missing_locations(new)


def _instead_of(*pair: ast.expr) -> Iterator[tuple[str, tuple[ast.expr, ast.expr]]]:
    """(what is done, two arms) for two arms; an arm without a name in it is a constant, and stays."""
    if not pair:
        return
    left, right = pair
    found = [any(isinstance(node, ast.Name) for node in ast.walk(arm)) for arm in pair]
    if all(found):
        yield "arms swapped", (right, left)
        yield "effect removed", (left, left)
    if found[1]:
        yield "noise in an arm", (left, _planted("noise", right))
    elif found[0]:
        yield "noise in an arm", (_planted("noise", left), right)


def _arms(node: Any, arms: Container[str]) -> Sequence[ast.expr]:
    """The two things that a node sets against each other in a difference, a quotient or a comparison."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Sub, ast.Div)):
        return node.left, node.right
    if isinstance(node, ast.Call) and len(node.args) >= 2:
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        return node.args[:2] if name in COMPARED or name in arms else ()
    return ()


def remeasured(statement: ast.stmt) -> Iterator[tuple[str, ast.stmt]]:
    """(what was done, statement) for each way in which the number that a claim is given may be another."""
    for way in WAYS:
        new: Any = copy.deepcopy(statement)
        arguments = new.value.args
        if len(arguments) > 2:
            arguments[2] = _planted(way, arguments[2])
            yield f"{way}: what is measured", ast.fix_missing_locations(new)


def _planted(way: str, node: Any) -> ast.expr:
    return ast.Call(ast.Name(PLANTED, ast.Load()), [ast.Constant(way), node], [])


def _measuring(statement: ast.stmt) -> list[ast.AST]:
    """The parts of a statement that measure: of a claim its third argument."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "claim":
        measured = [*call.args[2:3], *(one.value for one in call.keywords if one.arg == "measured")]
        return [node for one in measured for node in ast.walk(one)]
    return list(ast.walk(statement))
