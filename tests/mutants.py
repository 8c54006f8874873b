"""Our own code with one plausible mistake in it, to show that the tests would catch it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def mutant(module: str, old: str, new: str) -> ModuleType:
    """The module `module` with the text `old`, which must occur exactly once, replaced by `new`.

    The real module stays as it is: the changed source runs in a module object of its own.
    """
    real = importlib.import_module(module)
    assert real.__file__ is not None
    source = Path(real.__file__).read_text(encoding="utf-8")
    found = source.count(old)
    if found != 1 or old == new:  # no AssertionError: a test must not take it for a mistake that was caught
        raise ValueError(
            f"need a change of a text that occurs once in {module}, found it {found} times: {old!r}"
        )
    changed = ModuleType(f"{module}__mutant")
    changed.__package__ = real.__package__
    changed.__file__ = real.__file__
    sys.modules[changed.__name__] = changed  # dataclasses look their module up
    try:
        exec(compile(source.replace(old, new), f"{real.__file__} (mutant)", "exec"), changed.__dict__)
    finally:
        del sys.modules[changed.__name__]
    return changed


def mistakes(
    module: str,
    table: Mapping[str, tuple[Any, ...]] | Sequence[Any],
    *,
    check: Callable[..., None] | None = None,
    of: str = "",
) -> Callable[..., None]:
    """A test: each mistake, planted in `module`, makes its check raise an AssertionError.

        test_mistakes_are_caught = mistakes("course_utils.losses.margins", MUTANTS)

    Args:
        table: id -> (old text, new text, check), or (old, new) where one check is for all; or a list of such,
            `pytest.param` with an id. The check may come first. It is called with the changed module.
        check: for all mistakes.
        of: a name in the changed module that the check is called with, instead of the module.
    """
    listed = [(getattr(row, "id", None), row) for row in table]
    every = [check] if check else []
    rows = [
        pytest.param(*_ordered([*getattr(row, "values", row), *every]), id=id)
        for id, row in (table.items() if isinstance(table, Mapping) else listed)
    ]

    @pytest.mark.parametrize(("old", "new", "notices"), rows)
    def test(old: str, new: str, notices: Callable[..., None]) -> None:
        changed = mutant(module, old, new)
        with pytest.raises(AssertionError):
            notices(getattr(changed, of) if of else changed)

    return test


def _ordered(row: Sequence[Any]) -> list[Any]:
    """The two texts first, then the check."""
    return sorted(row, key=lambda value: not isinstance(value, str))
