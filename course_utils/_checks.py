"""Bad input gets one kind of error: the rule, the value, the cure. What is a tensor is told without torch."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from torch import Tensor, nn

Kinds = Mapping[str, tuple[type, ...]]  # name -> what its value may be


def require(holds: bool, rule: str, *, cure: str = "", **got: object) -> None:
    """Raise ``ValueError("need <rule>, got <name>=<value>, ...; <cure>")`` unless `holds`.

    Args:
        holds: whether the input obeys the rule.
        rule: the rule as a reader would write it, `0 <= warmup < total`.
        cure: what to do about it, one clause; left out where the rule says it all.
        got: the values that broke the rule, by name.
    """
    if not holds:
        values = ", ".join(f"{name}={value!r}" for name, value in got.items())
        message = f"need {rule}, got {values}" if values else f"need {rule}"
        raise ValueError(f"{message}; {cure}" if cure else message)


def require_table(
    table: object, kinds: Kinds, *, needed: Iterable[str], of: str, closed: bool = False
) -> None:
    """Refuse what was read from a file and is no table, lacks a name, or has a value of another kind.

    Args:
        kinds: name -> the types that its value may have.
        of: what it is, for the message.
        closed: whether a name that is not in `kinds` is refused, too.
    Raises: ValueError, in words.
    """
    if not isinstance(table, dict):
        raise ValueError(f"{of} is a {type(table).__name__}, not a table of names")
    if missing := [name for name in needed if name not in table]:
        raise ValueError(f"{of} lacks {', '.join(missing)}")
    if unknown := [str(name) for name in table if closed and name not in kinds]:
        raise ValueError(f"{of} has {', '.join(unknown)}; there are {', '.join(kinds)}")
    for name, value in table.items():
        if name in kinds and not isinstance(value, kinds[name]):
            raise ValueError(f"{name} of {of} is a {type(value).__name__}")


def is_whole(value: object) -> bool:
    """Whether `value` is a whole number, Python's or NumPy's; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def loaded_torch() -> Any:
    """torch, or None where nothing has imported it: whoever holds a tensor has.

    Code that also serves courses without torch looks it up here and does not import it.
    """
    return sys.modules.get("torch")


def is_tensor(value: object) -> TypeGuard[Tensor]:
    """Whether a value is a tensor of torch."""
    torch = loaded_torch()
    return torch is not None and isinstance(value, torch.Tensor)


def is_module(value: object) -> TypeGuard[nn.Module]:
    """Whether a value is a module of torch.nn."""
    torch = loaded_torch()
    return torch is not None and isinstance(value, torch.nn.Module)
