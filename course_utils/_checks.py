"""Bad input gets one kind of error: the rule, the value, the cure."""

from __future__ import annotations

from numbers import Integral


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
