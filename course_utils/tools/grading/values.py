"""What a student's process says, as plain JSON: nothing in it can run where it is read, unlike a pickle.

What is sent are snapshots (`compare.snapshot`), and what comes back equals what was sent.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

from course_utils._checks import is_tensor, loaded_torch, require
from course_utils.exercises.engine.compare import Opaque
from course_utils.exercises.engine.outcomes import Outcome, Raised


def encode(value: Any) -> Any:
    """A snapshot as JSON: tensors, arrays, numbers, strings, None and tuples, lists, dicts of these."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return {"int": str(int(value))}
    if isinstance(value, float):
        return {"float": float(value).hex()}
    if isinstance(value, complex):
        return {"complex": [value.real.hex(), value.imag.hex()]}
    if value is ...:
        return {"stub": True}
    if is_tensor(value) and str(value.dtype) in _dtypes():
        flat = value.detach().cpu().contiguous().reshape(-1)
        data = flat.view(loaded_torch().uint8).numpy().tobytes() if flat.numel() else b""
        return {"tensor": str(value.dtype), "shape": list(value.shape), "data": _text(data)}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return {"array": value.dtype.str, "shape": list(value.shape), "data": _text(value.tobytes())}
    if isinstance(value, list | tuple):
        return {"list" if isinstance(value, list) else "tuple": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in value.items()]}
    if isinstance(value, Opaque):
        return {"object": value.type, "called": value.called}
    return {"object": type(value).__name__, "called": False}


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
            case {"complex": [real, imaginary]}:
                return complex(float.fromhex(real), float.fromhex(imaginary))
            case {"stub": True}:
                return ...
            case {"tensor": dtype, "shape": shape, "data": text}:
                return _tensor(dtype, shape, base64.b64decode(text, validate=True))
            case {"array": str(dtype), "shape": shape, "data": text}:
                return _array(dtype, shape, base64.b64decode(text, validate=True))
            case {"list": items}:
                return [decode(item) for item in items]
            case {"tuple": items}:
                return tuple(decode(item) for item in items)
            case {"dict": pairs}:
                return {decode(key): decode(item) for key, item in pairs}
            case {"object": str(name), "called": bool(called)}:
                return Opaque(name, called)
    except (TypeError, KeyError, OverflowError, RuntimeError, RecursionError) as problem:
        raise ValueError(f"not a value: {problem}") from None
    raise ValueError("not a value")


def encode_outcome(one: Outcome) -> dict[str, Any]:
    """A call's result, arguments afterwards, and the name of what it raised with the lines about it."""
    error = None if one.error is None else [one.error.name, list(one.error.lines)]
    return {"value": encode(one.value), "arguments": encode(one.arguments), "error": error}


def decode_outcome(found: Any) -> Outcome:
    """What `encode_outcome` made. Raises: ValueError where it did not make it."""
    try:
        value, arguments = decode(found["value"]), decode(found["arguments"])
        match found["error"]:
            case None:
                return Outcome(value, arguments)
            case [str(name), [*lines]]:
                return Outcome(value, arguments, Raised(name, tuple(map(str, lines))))
    except (TypeError, KeyError) as problem:
        raise ValueError(f"not an outcome: {problem}") from None
    raise ValueError(f"not an outcome: error is {found['error']!r}")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _dtypes() -> dict[str, Any]:
    """Name -> dtype of a tensor that can be sent."""
    torch = loaded_torch()
    if torch is None:
        return {}
    kinds = (
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128,
        torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
    )  # fmt: skip
    return {str(kind): kind for kind in kinds}


def _tensor(dtype: str, shape: list[int], data: bytes) -> Any:
    kind, torch = _dtypes()[dtype], loaded_torch()
    _check_size(shape, kind.itemsize, data)
    if not data:
        return torch.empty(shape, dtype=kind)
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).view(kind).reshape(shape)


def _array(dtype: str, shape: list[int], data: bytes) -> Any:
    kind = np.dtype(dtype)
    require(kind.kind in "biufc", "numbers", dtype=dtype)
    _check_size(shape, kind.itemsize, data)
    return np.frombuffer(bytearray(data), dtype=kind).reshape(shape)


def _check_size(shape: list[int], itemsize: int, data: bytes) -> None:
    require(all(type(n) is int and n >= 0 for n in shape), "sizes that are whole numbers", shape=shape)
    require(math.prod(shape) * itemsize == len(data), "as many bytes as the shape has", shape=shape)
