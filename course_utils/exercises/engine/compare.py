"""Whether two results are the same, and if not, in words that a learner can use."""

from __future__ import annotations

import cmath
import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from course_utils._checks import is_module, is_tensor, loaded_torch

if TYPE_CHECKING:
    from torch import Tensor

_SHOWN = 8  # elements: a longer tensor is named by its shape
_PLAIN = (bool, int, float, complex, str)
_WIDTH = {
    "b": 0,
    "u": 1,
    "i": 1,
    "f": 2,
    "c": 3,
}  # NumPy's kinds of numbers: a later one holds an earlier one
_ITERATED = ("generator", "range", "map", "zip", "filter", "set", "frozenset", "dict_keys", "dict_values")


@dataclass(frozen=True)
class Opaque:
    """Stands in a snapshot for an object without a value to compare: its type is all that is asked."""

    type: str
    called: bool = False  # whether it is a function


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
    """The first difference of two snapshots, looking into tuples, lists and dicts; None where there is none.

    A Python int passes for a float, a 0-d tensor or array for the number in it, NaN equals NaN. A list, a
    tuple, an array or a tensor of the same items passes for another of them; tensors and arrays must agree
    in dtype and shape.
    """
    at = f"in {where}: " if where else ""
    got = _in_form_of(expected, got)
    if not _same_kind(expected, got):
        return Difference("form", _kind(expected), _kind(got), at, _type_note(expected, got))
    if is_tensor(expected) or isinstance(expected, np.ndarray):
        return _array_difference(expected, got, rtol, atol, at)
    if isinstance(expected, list | tuple):
        if len(expected) != len(got):
            return Difference("form", f"{len(expected)} items", str(len(got)), at)
        pairs = [(f"{where}[{i}]", e, g) for i, (e, g) in enumerate(zip(expected, got, strict=True))]
    elif isinstance(expected, dict):
        if expected.keys() != got.keys():
            return Difference("form", f"the keys {sorted(map(repr, expected))}".replace('"', ""), where=at)
        pairs = [(f"{where}[{key!r}]", value, got[key]) for key, value in expected.items()]
    elif not isinstance(expected, _PLAIN) or _same_plain(expected, got, rtol, atol):
        return None
    else:
        return Difference("value", *_two(expected, got), at, _number_note(expected, got))
    found = (difference(e, g, rtol=rtol, atol=atol, where=place) for place, e, g in pairs)
    first = next((one for one in found if one is not None), None)
    if first is None or not isinstance(expected, tuple) or len(expected) > 4:
        return first
    orders = (zip(expected, order, strict=True) for order in itertools.permutations(got))
    if any(all(not difference(e, g, rtol=rtol, atol=atol) for e, g in order) for order in orders):
        return replace(first, note=": the right results, in another order")
    return first


def close(expected: complex, got: complex, rtol: float, atol: float) -> bool:
    """|got - expected| <= atol + rtol * |expected|; NaN equals NaN, an infinity only itself."""
    if expected == got or (cmath.isnan(expected) and cmath.isnan(got)):
        return True
    return cmath.isfinite(expected) and abs(got - expected) <= atol + rtol * abs(expected)


def _in_form_of(expected: Any, got: Any) -> Any:
    """`got` in the container that is expected, where it holds the same items in another; else as it is."""
    array = is_tensor(got) or isinstance(got, np.ndarray)
    if isinstance(expected, int | float | complex):
        return got.item() if array and got.ndim == 0 else got
    if isinstance(expected, list | tuple) and (isinstance(got, list | tuple) or (array and got.ndim > 0)):
        return type(expected)(got.tolist() if array else got)
    if is_tensor(expected) and isinstance(got, np.ndarray):
        return loaded_torch().from_numpy(got)
    if isinstance(expected, np.ndarray) and is_tensor(got):
        return got.numpy()
    if (is_tensor(expected) or isinstance(expected, np.ndarray)) and isinstance(got, list | tuple):
        return _stacked(expected, got)
    return got


def _stacked(expected: Any, got: list[Any] | tuple[Any, ...]) -> Any:
    """Numbers, however nested, as a tensor or array of the expected dtype; anything else as it is."""
    try:
        array = np.array(got)
    except (ValueError, TypeError, RuntimeError):  # rows of different lengths
        return got
    dtype = str(expected.dtype).removeprefix("torch.").replace("bfloat16", "float32")
    wanted, kind = np.dtype(dtype).kind, array.dtype.kind
    if kind not in _WIDTH or _WIDTH[kind] > _WIDTH[wanted] or (kind == "b") != (wanted == "b"):
        return got
    if is_tensor(expected):
        return loaded_torch().as_tensor(array, dtype=expected.dtype)
    return array.astype(expected.dtype)


def _same_plain(expected: Any, got: Any, rtol: float, atol: float) -> bool:
    numbers = isinstance(expected, float | complex)
    return close(expected, got, rtol, atol) if numbers else bool(expected == got)


def snapshot(value: Any, *, grads: bool = False) -> Any:
    """A value as it is now, in plain types that later calls cannot change.

    NumPy's numbers become Python's, a module its state_dict; what has no value to compare becomes `Opaque`.

    Args:
        grads: also take the `.grad` of leaves.
    """
    if is_tensor(value):
        copy = value.detach().cpu().clone()
        copy = copy if copy.layout is loaded_torch().strided else copy.to_dense()
        return {"value": copy, "grad": snapshot(value.grad)} if grads and value.is_leaf else copy
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return value.copy()
    if is_module(value):
        return {name: snapshot(p, grads=grads) for name, p in value.state_dict(keep_vars=True).items()}
    if isinstance(value, list | tuple):
        items = [snapshot(v, grads=grads) for v in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {key: snapshot(v, grads=grads) for key, v in value.items()}
    if value is None or value is ... or isinstance(value, (*_PLAIN, Opaque)):
        return value
    return Opaque(type(value).__name__, callable(value) and not isinstance(value, type))


def text(value: Any, digits: int = 6) -> str:
    """A value in a few words: no addresses, `digits` significant digits, long tensors by their shape."""
    if is_tensor(value) or isinstance(value, np.ndarray):
        dtype = str(value.dtype).removeprefix("torch.")
        if _size(value) > _SHOWN:
            return f"{_kind(value)} of shape {tuple(value.shape)}, {dtype}"
        usual = str(loaded_torch().get_default_dtype())[6:] if is_tensor(value) else "float64"
        plain = (usual, "int64", "bool")
        values = value.detach() if is_tensor(value) else value
        name, home = ("torch.tensor", "torch") if is_tensor(value) else ("np.array", "np")
        return f"{name}({text(values.tolist(), digits)}{'' if dtype in plain else f', dtype={home}.{dtype}'})"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        short = f"{value:.{digits}g}"
        return short if any(mark in short for mark in ".en") else f"{short}.0"
    if isinstance(value, complex):
        return f"{value:.{digits}g}"
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


def _array_difference(expected: Any, got: Any, rtol: float, atol: float, at: str) -> Difference | None:
    if expected.shape != got.shape:
        return Difference("form", f"shape {tuple(expected.shape)}", str(tuple(got.shape)), at)
    if expected.dtype != got.dtype:
        return Difference("form", f"dtype {expected.dtype}", str(got.dtype), at)
    same = (
        _close_tensors(expected, got, rtol, atol)
        if is_tensor(expected)
        else _close_arrays(expected, got, rtol, atol)
    )
    if bool(same.all()):
        return None
    if _size(expected) <= _SHOWN:
        return Difference("value", *_two(expected, got), at, _nan_words(expected, got))
    first = tuple(np.argwhere(~np.asarray(same))[0].tolist())
    count = f"; {int((~same).sum())} of {_size(same)} elements differ"
    elements = _two(expected[first].item(), got[first].item())
    return Difference("value", *elements, f"{at}at {list(first)} ", count + _nan_words(expected, got))


def _close_tensors(expected: Tensor, got: Tensor, rtol: float, atol: float) -> Any:
    if not (expected.is_floating_point() or expected.is_complex()):
        return got == expected
    wide = "cdouble" if expected.is_complex() else "double"
    one, other = (getattr(tensor, wide)() for tensor in (got, expected))
    return one.isclose(other, rtol=rtol, atol=atol, equal_nan=True)


def _close_arrays(expected: Any, got: Any, rtol: float, atol: float) -> Any:
    if expected.dtype.kind in "fc":
        return np.isclose(got, expected, rtol=rtol, atol=atol, equal_nan=True)
    return got == expected


def _size(value: Any) -> int:
    return int(value.numel() if is_tensor(value) else value.size)


def _two(expected: Any, got: Any) -> tuple[str, str]:
    """Both values, with as many digits as it takes to see that they differ."""
    pairs = [(text(expected, digits), text(got, digits)) for digits in (6, 10, 17)]
    return next((pair for pair in pairs if pair[0] != pair[1]), pairs[-1])


def _nan_words(expected: Any, got: Any) -> str:
    def has_nan(value: Any) -> bool:
        if is_tensor(value):
            return bool(value.isnan().any())
        if isinstance(value, np.ndarray):
            return bool(np.isnan(value).any())
        return isinstance(value, float | complex) and cmath.isnan(value)

    return " (NaN: look for 0/0, inf - inf, or the log or root of a negative number)" * (
        has_nan(got) and not has_nan(expected)
    )


def _number_note(expected: Any, got: Any) -> str:
    """What usually causes two numbers to differ so: NaN, or the seven digits of float32."""
    near = isinstance(got, float) and isinstance(expected, float)
    near = near and 0 < abs(got - expected) < 1e-3 * abs(expected)
    if near and got == float(np.float32(got)) and got != round(got, 5):
        return " (a float32 on the way? It holds seven digits: compute in float64)"
    return _nan_words(expected, got)


def _same_kind(expected: Any, got: Any) -> bool:
    if is_tensor(expected):
        return is_tensor(got)
    if isinstance(expected, bool) or isinstance(got, bool):
        return isinstance(expected, bool) and isinstance(got, bool)
    if isinstance(expected, complex):
        return isinstance(got, complex | float | int)
    if isinstance(expected, float):
        return isinstance(got, float | int)
    for kind in (int, str, tuple, list, dict, np.ndarray):
        if isinstance(expected, kind):
            return isinstance(got, kind)
    return expected == got if isinstance(expected, Opaque) else type(expected) is type(got)


def _type_note(expected: Any, got: Any) -> str:
    if got is None:
        return ": is a `return` missing?"
    if is_tensor(got) and got.numel() == 1 and isinstance(expected, int | float):
        return ": .item() takes the number out of a tensor"
    if is_tensor(expected) and isinstance(got, int | float):
        return ": was .item() or float() one call too many?"
    if isinstance(expected, int) and isinstance(got, float):
        return ": int(...) makes a whole number of it"
    if isinstance(got, Opaque) and got.type == "coroutine":
        return ": write the function without `async`"
    if isinstance(got, Opaque) and got.type in _ITERATED and isinstance(expected, list | tuple):
        return f": {type(expected).__name__}(...) makes one of it"
    if isinstance(got, Opaque) and got.called and not (isinstance(expected, Opaque) and expected.called):
        return ": is it a function that was not called?"
    return ""


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    name = value.type if isinstance(value, Opaque) else type(value).__name__
    special = {
        "ellipsis": "`...`",
        "Tensor": "a tensor",
        "ndarray": "a numpy array",
        "str": "a string",
        "Parameter": "a tensor",
    }
    return special.get(name) or f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
