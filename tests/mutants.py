"""Our own code with one plausible mistake in it, to show that the tests would catch it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType


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
