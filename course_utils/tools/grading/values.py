"""What a student's process says, as plain JSON: nothing in it can run where it is read, unlike a pickle.

Both sides of a comparison take this way, so that what has no value to compare (a function, a generator)
is its type's name on both.
"""

from __future__ import annotations

import base64
import builtins
import math
from typing import Any

import torch

from course_utils._checks import require
from course_utils.exercises.engine.outcomes import Outcome

_DTYPES = {
    str(dtype): dtype
    for dtype in (
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128,
        torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
    )
}  # fmt: skip


def encode(value: Any) -> Any:
    """A snapshot of tensors, numbers, strings, None and tuples, lists, dicts of these, as JSON."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return {"int": str(value)}
    if isinstance(value, float):
        return {"float": value.hex()}
    if value is ...:
        return {"stub": True}
    if isinstance(value, torch.Tensor) and str(value.dtype) in _DTYPES:
        flat = value.detach().cpu().contiguous().reshape(-1)
        data = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
        text = base64.b64encode(data).decode()
        return {"tensor": str(value.dtype), "shape": list(value.shape), "data": text}
    if isinstance(value, list | tuple):
        return {"list" if isinstance(value, list) else "tuple": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in value.items()]}
    return {"object": type(value).__name__}


def decode(found: Any) -> Any:
    """What `encode` made. Raises: ValueError where it did not make it."""
    if found is None or isinstance(found, bool | str):
        return found
    try:
        match found:
            case {"int": text}:
                return int(text)
            case {"float": text}:
                return float.fromhex(text)
            case {"stub": True}:
                return ...
            case {"tensor": dtype, "shape": shape, "data": text}:
                return _tensor(dtype, shape, base64.b64decode(text, validate=True))
            case {"list": items}:
                return [decode(item) for item in items]
            case {"tuple": items}:
                return tuple(decode(item) for item in items)
            case {"dict": pairs}:
                return {decode(key): decode(item) for key, item in pairs}
            case {"object": str(name)}:
                return f"<{name}>\0"  # no text of a student's: a string that is sent holds what it holds
    except (TypeError, KeyError, OverflowError, RuntimeError, RecursionError) as problem:
        raise ValueError(f"not a value: {problem}") from None
    raise ValueError("not a value")


def encode_outcome(one: Outcome) -> dict[str, Any]:
    """A call's result, arguments afterwards, and the name of what it raised."""
    error = None if one.error is None else [type(one.error).__name__, str(one.error)[:300]]
    return {"value": encode(one.value), "arguments": encode(one.arguments), "error": error}


def decode_outcome(found: Any) -> Outcome:
    """What `encode_outcome` made; an exception that Python does not have is an Exception."""
    try:
        value, arguments, error = decode(found["value"]), decode(found["arguments"]), found["error"]
        return Outcome(value, arguments, None if error is None else _error(*map(str, error)))
    except (TypeError, KeyError) as problem:
        raise ValueError(f"not an outcome: {problem}") from None


def _tensor(dtype: str, shape: list[int], data: bytes) -> torch.Tensor:
    kind = _DTYPES[dtype]
    require(all(type(n) is int and n >= 0 for n in shape), "sizes that are whole numbers", shape=shape)
    require(math.prod(shape) * kind.itemsize == len(data), "as many bytes as the shape has", shape=shape)
    if not data:
        return torch.empty(shape, dtype=kind)
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).view(kind).reshape(shape)


def _error(name: str, message: str) -> BaseException:
    kind = getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)) or issubclass(
        kind, BaseExceptionGroup
    ):
        kind = Exception
    try:
        return kind(message)
    except TypeError:  # UnicodeDecodeError wants more
        return Exception(message)
