"""Bad input gets one kind of error: the rule, the value, the cure. What is a tensor is told without torch."""

from __future__ import annotations

import sys
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from torch import Tensor, nn


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
