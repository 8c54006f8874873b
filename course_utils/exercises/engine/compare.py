"""Whether two results are the same, and if not, in words that a learner can use."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

_SHOWN = 8  # elements: a longer tensor is named by its shape


@dataclass(frozen=True)
class Difference:
    """How a result departs from the expected one; `form` is type, shape or dtype, `value` the numbers."""

    kind: Literal["form", "value"]
    expected: str
    got: str = ""  # "" where the expected says it all
    where: str = ""  # in the result: "in [1]['mean']: "
    note: str = ""  # what usually causes it

    @property
    def words(self) -> str:
        return f"{self.where}expected {self.expected}{', got ' * bool(self.got)}{self.got}{self.note}"


def difference(expected: Any, got: Any, *, rtol: float, atol: float, where: str = "") -> Difference | None:
    """The first difference, looking into tuples, lists and dicts; None where there is none.

    A Python int passes for a float, NaN equals NaN, and tensors must agree in dtype and shape.
    """
    at = f"in {where}: " if where else ""
    if not _same_kind(expected, got):
        return Difference("form", _kind(expected), _kind(got), at, _type_note(expected, got))
    if isinstance(expected, Tensor):
        return _tensor_difference(expected.detach(), got.detach().cpu(), rtol, atol, at)
    if isinstance(expected, list | tuple):
        if len(expected) != len(got):
            return Difference("form", f"{len(expected)} items", str(len(got)), at)
        pairs = [(f"{where}[{i}]", e, g) for i, (e, g) in enumerate(zip(expected, got, strict=True))]
    elif isinstance(expected, dict):
        if expected.keys() != got.keys():
            return Difference("form", f"the keys {sorted(map(repr, expected))}".replace('"', ""), where=at)
        pairs = [(f"{where}[{key!r}]", value, got[key]) for key, value in expected.items()]
    elif not isinstance(expected, bool | int | float | str):
        return None  # an object without a value to compare: the same type is all that is asked
    elif close(expected, float(got), rtol, atol) if isinstance(expected, float) else expected == got:
        return None
    else:
        return Difference("value", *_two(expected, got), at, _nan_words(expected, got))
    found = (difference(e, g, rtol=rtol, atol=atol, where=place) for place, e, g in pairs)
    return next((one for one in found if one is not None), None)


def close(expected: float, got: float, rtol: float, atol: float) -> bool:
    """|got - expected| <= atol + rtol * |expected|; NaN equals NaN, an infinity only itself."""
    if expected == got or (math.isnan(expected) and math.isnan(got)):
        return True
    return math.isfinite(expected) and abs(got - expected) <= atol + rtol * abs(expected)


def snapshot(value: Any, *, grads: bool = False) -> Any:
    """A copy that later calls cannot change, of what has a value to compare; other objects as they are."""
    if isinstance(value, Tensor):
        copy = value.detach().clone()
        return {"value": copy, "grad": snapshot(value.grad)} if grads and value.is_leaf else copy
    if isinstance(value, nn.Module):
        return {name: snapshot(p, grads=grads) for name, p in value.state_dict(keep_vars=True).items()}
    if isinstance(value, list | tuple):
        items = [snapshot(v, grads=grads) for v in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {key: snapshot(v, grads=grads) for key, v in value.items()}
    return value


def text(value: Any, digits: int = 6) -> str:
    """A value in a few words: no addresses, `digits` significant digits, long tensors by their shape."""
    if isinstance(value, Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        if value.numel() > _SHOWN:
            return f"a tensor of shape {tuple(value.shape)}, {dtype}"
        suffix = "" if dtype in ("float32", "int64", "bool") else f", {dtype}"
        return f"tensor({text(value.detach().tolist(), digits)}{suffix})"
    if isinstance(value, float):
        short = f"{value:.{digits}g}"
        return short if any(mark in short for mark in ".en") else f"{short}.0"
    if isinstance(value, list | tuple):
        inside = ", ".join(text(v, digits) for v in value[:_SHOWN]) + (", ..." if len(value) > _SHOWN else "")
        one = "," if isinstance(value, tuple) and len(value) == 1 else ""
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{one})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {text(v, digits)}" for k, v in list(value.items())[:_SHOWN]) + "}"
    if value is None or isinstance(value, bool | int):
        return repr(value)
    if isinstance(value, str):
        return repr(value if len(value) <= 80 else value[:77] + "...")
    return getattr(value, "__name__", None) or _kind(value)


def _tensor_difference(expected: Tensor, got: Tensor, rtol: float, atol: float, at: str) -> Difference | None:
    if expected.shape != got.shape:
        return Difference("form", f"shape {tuple(expected.shape)}", str(tuple(got.shape)), at)
    if expected.dtype != got.dtype:
        return Difference("form", f"dtype {expected.dtype}", str(got.dtype), at)
    if expected.is_floating_point():
        same = torch.isclose(got.double(), expected.double(), rtol=rtol, atol=atol, equal_nan=True)
    else:
        same = got == expected
    if bool(same.all()):
        return None
    if expected.numel() <= _SHOWN:
        return Difference("value", *_two(expected, got), at, _nan_words(expected, got))
    first = tuple((~same).nonzero()[0].tolist())
    count = f"; {int((~same).sum())} of {same.numel()} elements differ"
    elements = _two(expected[first].item(), got[first].item())
    return Difference("value", *elements, f"{at}at {list(first)} ", count + _nan_words(expected, got))


def _two(expected: Any, got: Any) -> tuple[str, str]:
    """Both values, with as many digits as it takes to see that they differ."""
    pairs = [(text(expected, digits), text(got, digits)) for digits in (6, 10, 17)]
    return next((pair for pair in pairs if pair[0] != pair[1]), pairs[-1])


def _nan_words(expected: Any, got: Any) -> str:
    def has_nan(value: Any) -> bool:
        if isinstance(value, Tensor):
            return value.is_floating_point() and bool(value.isnan().any())
        return isinstance(value, float) and math.isnan(value)

    return " (NaN: look for 0/0, inf - inf, or the log or root of a negative number)" * (
        has_nan(got) and not has_nan(expected)
    )


def _same_kind(expected: Any, got: Any) -> bool:
    if isinstance(expected, float):
        return isinstance(got, float | int) and not isinstance(got, bool)
    for kind in (Tensor, bool, int, str, tuple, list, dict):
        if isinstance(expected, kind):
            return isinstance(got, kind) and isinstance(expected, bool) == isinstance(got, bool)
    return type(expected) is type(got)


def _type_note(expected: Any, got: Any) -> str:
    if got is None:
        return ": is a `return` missing?"
    if isinstance(got, Tensor) and got.numel() == 1 and isinstance(expected, int | float):
        return ": .item() takes the number out of a tensor"
    if isinstance(expected, Tensor) and isinstance(got, int | float):
        return ": was .item() or float() one call too many?"
    if callable(got) and not callable(expected):
        return ": is it a function that was not called?"
    return ""


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    name = type(value).__name__
    special = {
        "ellipsis": "`...`",
        "Tensor": "a tensor",
        "ndarray": "a numpy array",
        "str": "a string",
        "Parameter": "a tensor",
    }
    return special.get(name) or f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
