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
# Code of these draws from what it is given and from the global generators alone.
_LIBRARIES = {"course_utils", "numpy", "torch"} | set(sys.stdlib_module_names)
# Parameters keep their state themselves; buffers and parts are looked through under their own names.
_OF_MODULES = {"training", "_parameters", "_buffers", "_modules"}
_OF_OPTIMIZERS = {"state", "param_groups"}
_WITHOUT_PARTS = (Tensor, np.ndarray, random.Random, types.ModuleType)
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

    Looked through: short lists, tuples and dicts; attributes of objects; what a function closes over or has
    as default; `functools.partial`; bound methods. Of the user's own code also what functions name among the
    variables of their module, other functions included, and the methods and variables of classes.
    Passed over: `known` objects, modules, what shows or runs things.
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
    elif isinstance(value, type):
        yield from _of_class(name, value)
    elif isinstance(value, nn.Module) or not _is_opaque(value):
        yield from _of_object(name, value)


def _of_function(name: str, function: types.FunctionType) -> Iterator[Variable]:
    for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            content = cell.cell_contents
        except ValueError:
            # Empty: a name that is given its value later.
            continue
        yield Variable(f"{name}.{variable}", content, functools.partial(setattr, cell, "cell_contents"))
    for variable in _names_in(function.__code__) if _is_own(function.__module__) else ():
        if variable in function.__globals__:
            put = functools.partial(function.__globals__.__setitem__, variable)
            yield Variable(f"{name}.{variable}", function.__globals__[variable], put)
    yield Variable(f"{name}.__defaults__", function.__defaults__)
    yield Variable(f"{name}.__kwdefaults__", function.__kwdefaults__)
    for attribute, content in vars(function).items():
        yield Variable(f"{name}.{attribute}", content, functools.partial(setattr, function, attribute))


def _of_class(name: str, cls: type) -> Iterator[Variable]:
    if not _is_own(cls.__module__):
        return
    for attribute, content in list(vars(cls).items()):
        if isinstance(content, (staticmethod, classmethod)):
            content = content.__func__
        if isinstance(content, property):
            content = (content.fget, content.fset)
        # What Python itself notes of a class: __module__, __doc__, __dict__, ...
        if inspect.isfunction(content) or not (
            attribute.startswith("__") or inspect.isdatadescriptor(content)
        ):
            yield Variable(f"{name}.{attribute}", content, functools.partial(setattr, cls, attribute))
    for base in cls.__bases__:
        yield Variable(f"{name}.{base.__name__}", base)


def _is_opaque(value: object) -> bool:
    return type(value).__module__.startswith(("torch._", *_OPAQUE))


@functools.cache
def _is_own(module: str | None) -> bool:
    """Whether a module is the user's: a notebook's, a script's, none of an installed package."""
    if str(module).partition(".")[0] in _LIBRARIES:
        return False
    file = str(getattr(sys.modules.get(str(module)), "__file__", None))
    return "site-packages" not in file and "dist-packages" not in file


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
    # What torch.compile makes is opaque, but for the module in it.
    held = {} if _is_opaque(value) else getattr(value, "__dict__", {})
    attributes = {key: part for key, part in held.items() if key not in passed_over}
    yield Variable(f"{name}.{type(value).__name__}", type(value))
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
