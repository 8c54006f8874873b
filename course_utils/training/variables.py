"""What objects hold, by name: the variables of functions and objects, found by looking through them."""

from __future__ import annotations

import dis
import functools
import inspect
import random
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

# Longer lists and dicts are data, not settings: they are not looked through.
LONGEST = 1000
# What shows, logs, runs or names things holds much and draws nothing.
_OPAQUE = {
    "IPython",
    "_io",
    "asyncio",
    "concurrent",
    "ipywidgets",
    "logging",
    "matplotlib",
    "multiprocessing",
}
_OPAQUE |= {"pandas", "pathlib", "subprocess", "threading", "tqdm"}
# Functions of these draw from the global generators alone.
_LIBRARIES = {"numpy", "torch"} | set(sys.stdlib_module_names)
# Parameters keep their state themselves; buffers and parts are looked through under their own names.
_OF_MODULES = {"training", "_parameters", "_buffers", "_modules"}
_OF_OPTIMIZERS = {"state", "param_groups"}
_WITHOUT_PARTS = (Tensor, np.ndarray, random.Random, type, types.ModuleType)
_LOOKS_UP = ("LOAD_GLOBAL", "STORE_GLOBAL", "LOAD_NAME")


@dataclass(frozen=True)
class Variable:
    """A place that holds a value: its name, as `augment.flip.generator`, and how to put another value there.

    `put` is None where the value can only be changed itself: in a tuple, or where an object is what it is.
    """

    name: str
    value: Any
    put: Callable[[Any], None] | None = None


def variables(things: dict[str, object], known: Iterable[object] = ()) -> Iterator[Variable]:
    """Every variable that can be reached from `things`, each object once, in a fixed order.

    Looked through: short lists, tuples and dicts; attributes of objects; what a function closes over, has as
    default or names among its module's variables, other functions included; `functools.partial`; methods.
    Passed over: `known` objects, classes, modules, functions of torch, NumPy and the standard library.
    """
    # The objects are held, not only their ids: the id of an object that is gone may come again.
    seen: dict[int, object] = {id(thing): thing for thing in known}
    waiting = [Variable(name, thing) for name, thing in reversed(things.items())]
    while waiting:
        current = waiting.pop()
        if not is_plain(current.value):
            if id(current.value) in seen:
                continue
            seen[id(current.value)] = current.value
        yield current
        waiting += reversed(list(_parts(current)))


def is_plain(value: object) -> bool:
    """A number, a text, None: what has no parts and cannot be changed itself."""
    return value is None or isinstance(value, (bool, int, float, str, np.number, np.bool_))


def is_plain_list(value: object) -> bool:
    return isinstance(value, list) and all(map(is_plain, value))


def _parts(whole: Variable) -> Iterator[Variable]:
    name, value = whole.name, whole.value
    if is_plain(value) or is_plain_list(value) or isinstance(value, _WITHOUT_PARTS):
        return
    if isinstance(value, (list, dict)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in list(items) if len(value) <= LONGEST else []:
            yield Variable(f"{name}[{key!r}]", part, functools.partial(value.__setitem__, key))
    elif isinstance(value, tuple):
        for k, part in enumerate(value[: LONGEST + 1]):
            yield Variable(f"{name}[{k}]", part)
    elif isinstance(value, functools.partial):
        for attribute in ("func", "args", "keywords"):
            yield Variable(f"{name}.{attribute}", getattr(value, attribute))
    elif inspect.ismethod(value):
        yield Variable(f"{name}.__self__", value.__self__)
        yield Variable(f"{name}.__func__", value.__func__)
    elif inspect.isfunction(value):
        yield from _of_function(name, value)
    elif _root(type(value)) not in _OPAQUE and not type(value).__module__.startswith("torch._"):
        yield from _of_object(name, value)


def _of_function(name: str, function: types.FunctionType) -> Iterator[Variable]:
    if _root(function) in _LIBRARIES:
        return
    for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            content = cell.cell_contents
        except ValueError:
            # Empty: a name that is given its value later.
            continue
        yield Variable(f"{name}.{variable}", content, functools.partial(setattr, cell, "cell_contents"))
    for variable in _names_in(function.__code__):
        if variable in function.__globals__:
            put = functools.partial(function.__globals__.__setitem__, variable)
            yield Variable(f"{name}.{variable}", function.__globals__[variable], put)
    yield Variable(f"{name}.__defaults__", function.__defaults__)
    yield Variable(f"{name}.__kwdefaults__", function.__kwdefaults__)
    for attribute, content in vars(function).items():
        yield Variable(f"{name}.{attribute}", content, functools.partial(setattr, function, attribute))


@functools.lru_cache(maxsize=1024)
def _names_in(code: types.CodeType) -> tuple[str, ...]:
    """The global names that a function, and the functions inside it, look up or set."""
    names = dict.fromkeys(str(one.argval) for one in dis.get_instructions(code) if one.opname in _LOOKS_UP)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= dict.fromkeys(_names_in(constant))
    return tuple(names)


def _of_object(name: str, value: object) -> Iterator[Variable]:
    passed_over = _OF_MODULES if isinstance(value, nn.Module) else ()
    passed_over = _OF_OPTIMIZERS if isinstance(value, Optimizer) else passed_over
    held = getattr(value, "__dict__", {})
    attributes = {key: part for key, part in held.items() if key not in passed_over}
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for slot in [slots] if isinstance(slots, str) else slots:
            if slot not in ("__dict__", "__weakref__") and hasattr(value, slot):
                attributes[slot] = getattr(value, slot)
    if isinstance(value, nn.Module):
        attributes |= value._modules | value._buffers
    for attribute, content in attributes.items():
        put = functools.partial(object.__setattr__, value, attribute)
        if isinstance(value, nn.Module) and attribute in value._buffers:
            put = functools.partial(value._buffers.__setitem__, attribute)
        yield Variable(f"{name}.{attribute}", content, put)


def _root(thing: Any) -> str:
    return str(getattr(thing, "__module__", None) or "").partition(".")[0]
