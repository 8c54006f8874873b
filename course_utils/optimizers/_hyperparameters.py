"""What a hyperparameter may be: a plain number, a tuple of them, or a switch, within its range."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from numbers import Integral, Real
from typing import Any

from torch import Tensor

from course_utils._checks import require

# torch's switches between implementations of one step
IMPLEMENTATIONS = ("foreach", "fused", "capturable", "differentiable")


def number(group: dict[str, Any], *names: str) -> None:
    """Bring each named hyperparameter into Python's kind of number; ValueError where it is none."""
    for name in names:
        group[name] = _plain(name, group[name])


def numbers(group: dict[str, Any], name: str, count: int) -> None:
    """The same for a tuple or list of `count` numbers."""
    value = group[name]
    rule = f"{count} plain numbers as {name}"
    require(isinstance(value, tuple | list) and len(value) == count, rule, **{name: value})
    group[name] = type(value)([_plain(name, each) for each in value])


def flag(group: dict[str, Any], *names: str) -> None:
    """Raise ValueError unless each named option is True or False; "False" is a string, and true."""
    for name in names:
        value = group[name]
        scalar = not isinstance(value, Tensor | str) and getattr(value, "ndim", 0) == 0
        require(scalar and value in (False, True), f"{name} True or False", **{name: value})
        group[name] = bool(value)


def at_least_zero(group: dict[str, Any], *names: str) -> None:
    """Raise ValueError unless each named hyperparameter is finite and >= 0."""
    number(group, *names)
    for name in names:
        require(0 <= group[name] < inf, f"{name} >= 0 and finite", **{name: group[name]})


def from_zero_to_one(group: dict[str, Any], *names: str) -> None:
    """Raise ValueError unless each named hyperparameter is in [0, 1)."""
    number(group, *names)
    for name in names:
        require(0 <= group[name] < 1, f"0 <= {name} < 1", **{name: group[name]})


def pair_from_zero_to_one(group: dict[str, Any], name: str) -> None:
    """Raise ValueError unless the named hyperparameter is two numbers in [0, 1)."""
    numbers(group, name, 2)
    require(all(0 <= each < 1 for each in group[name]), f"0 <= {name} < 1", **{name: group[name]})


def only_off(implementations: Mapping[str, Any]) -> None:
    unknown = sorted(implementations.keys() - set(IMPLEMENTATIONS))
    if unknown:
        raise TypeError(f"got an unexpected keyword argument {unknown[0]!r}")
    for name, value in implementations.items():
        cure = f"leave {name} out: there is one implementation, and FlatParameters makes it fast"
        require(value is None or value is False, f"{name}=None or False", cure=cure, **{name: value})


def _plain(name: str, value: Any) -> int | float:
    cure = f"write float({name})"  # NumPy's scalars are Real, its arrays and torch's tensors are not
    require(isinstance(value, Real), "plain numbers as hyperparameters", cure=cure, **{name: value})
    return as_python(value)


def as_python(value: Any) -> int | float:
    """A number of any kind as Python's int or float; True and False stay what they are."""
    if isinstance(value, bool):
        return value
    return int(value) if isinstance(value, Integral) else float(value)
