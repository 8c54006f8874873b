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


# The second: an error that a check expects did not come.
CAUGHT = (AssertionError, pytest.fail.Exception)


def mistakes(
    module: str,
    table: Mapping[str, Sequence[Any]] | Sequence[Any],
    *,
    check: Callable[..., object] | None = None,
    of: str = "",
    fixtures: Sequence[str] = (),
    also: tuple[type[Exception], ...] = (),
    match: str | None = None,
) -> Callable[..., None]:
    """A test: each mistake, planted in `module`, makes its check fail.

        test_mistakes_are_caught = mistakes("course_utils.losses.margins", MUTANTS)

    Args:
        module: the module to change. Where a row names a module of its own, what that name begins with.
        table: id -> (old text, new text, check), or (old, new) where one check is for all, or (module, old,
            new, check); or a list of such rows, `pytest.param` with an id. The check may come first. It is
            called with the changed module.
        check: for all mistakes.
        of: a name in the changed module that the check is called with, instead of the module.
        fixtures: names of those that the check is called with, after the module.
        also: errors beside a failed assertion that notice a mistake.
        match: what the error must say.
    """
    listed = [(getattr(row, "id", None), getattr(row, "values", row)) for row in table]
    rows = table.items() if isinstance(table, Mapping) else listed

    @pytest.mark.parametrize("row", [pytest.param(row, id=id) for id, row in rows])
    def test(row: Sequence[Any], request: pytest.FixtureRequest) -> None:
        *names, old, new = (part for part in row if isinstance(part, str))
        [notices] = [check] if check else [part for part in row if callable(part)]
        changed = mutant(".".join(filter(None, [module, *names])), old, new)
        given = [request.getfixturevalue(name) for name in fixtures]
        with pytest.raises((*CAUGHT, *also), match=match):
            notices(getattr(changed, of) if of else changed, *given)

    return test
