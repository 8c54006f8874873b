"""What an answer finds around it, and whether it has replaced some of it for all that come after."""

from __future__ import annotations

import builtins
import math
import random
import sys
from collections.abc import Iterator
from typing import Any

_WATCHED = (
    "numpy", "operator", "statistics", "torch", "torch.autograd", "torch.linalg", "torch.nn",
    "torch.nn.functional", "torch.optim",
)  # fmt: skip


class Surroundings:
    """The functions and classes of builtins, math, random, NumPy, torch and the course, as they are now."""

    def __init__(self) -> None:
        self._before = _functions()

    def replaced(self) -> list[str]:
        """The names, as "torch.sqrt", that are something else by now, or gone."""
        now = _functions()
        return [name for name, value in self._before.items() if now.get(name) is not value]


def _holders() -> Iterator[tuple[str, Any]]:
    yield from (("builtins", builtins), ("math", math), ("random", random))
    for name, module in sorted(sys.modules.items()):
        if name in _WATCHED or name.partition(".")[0] == "course_utils":
            yield name, module
    if torch := sys.modules.get("torch"):
        yield "torch.Tensor", torch.Tensor


def _functions() -> dict[str, Any]:
    return {
        f"{place}.{name}": value
        for place, holder in _holders()
        for name, value in list(vars(holder).items())
        if callable(value)
    }
