"""Numbers that a text shows, and whether they are what a lesson measured or what it set.

A number in a sentence is tied to a claim by a link whose text holds it:

    Momentum needs [a fortieth of the steps](#claim-05-momentum-steps).
    It is ahead by [23 points [15, 32]](#claim-07-digits), so the rate of 0.1 was not the reason.

Read are digits ("0.025", "1,797", "3e-4", "10⁻⁸"), shares ("a fortieth", "two thirds", "half") and, before
"times", "points", "per cent" and "orders of magnitude", words ("ten times", "twice", "tenfold").
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from course_utils.tools import cells

LINK = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]*)\)")
CLAIM_LINK = re.compile(r"#claim-(\d\d)-([a-z0-9]+(?:-[a-z0-9]+)*)")
LEVEL = 0.99  # of the course's intervals: "99%" is nobody's result
SLACK = 1.000001  # of half a digit: 0.125 is shown as 0.13 and as 0.12
ROUNDING = 1e-6  # below this a bound may lie far above what it bounds

WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
    "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "a hundred": 100, "a thousand": 1000,
    "a million": 10**6,
}  # fmt: skip
PARTS = {
    "half": 2, "halves": 2, "third": 3, "quarter": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "fifteenth": 15, "twentieth": 20,
    "thirtieth": 30, "fortieth": 40, "fiftieth": 50, "sixtieth": 60, "hundredth": 100, "thousandth": 1000,
    "millionth": 10**6,
}  # fmt: skip
_WORD = "|".join(sorted(WORDS, key=len, reverse=True))
_PART = "|".join(sorted(PARTS, key=len, reverse=True))
_UP = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")

_UNIT = (
    r"(?P<times>(?: |-)(?:times|fold)\b| ?×(?! ?\d))"
    r"|(?P<percent> ?%|(?: percentage| per cent)?(?: |-)points?\b| per ?cent\b)"
    r"|(?P<orders> orders? of magnitude\b)"
    r"|(?P<seeds> (?:seeds|runs|repeats|repetitions|draws)\b)"
)
_DIGITS = re.compile(
    r"(?P<sign>(?:^|(?<=[\s(\[≈=]))[−-])?(?<![\w.⁻])(?<![A-Za-z]-)(?:"
    r"(?P<mantissa>\d+(?:\.\d+)?) ?[·×] ?10(?P<up>⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
    r"|10(?P<bare>⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
    r"|(?P<e>\d+(?:\.\d+)?)e(?P<exp>[-+−]?\d+)"
    r"|(?P<thousands>\d{1,3}(?:,\d{3})+(?!\d))"
    r"|1/(?P<over>\d+)"
    rf"|(?P<plain>\d+(?:\.\d+)?))(?!\w|\.\d)(?:{_UNIT})?"
)
_WORDS = re.compile(
    rf"\b(?P<count>{_WORD})(?:{_UNIT})|\b(?P<fold>{_WORD})fold\b"
    rf"|\b(?P<twice>twice|doubled?|doubles)\b|\b(?P<thrice>thrice|triples?|tripled)\b"
    rf"|(?:\b(?P<some>an?|\d+|{_WORD})(?: |-))?\b(?P<part>{_PART})s?\b",
    re.IGNORECASE,
)  # fmt: skip
_BOUND = re.compile(
    r"(?P<below>(?:at most|below|under|(?:less|fewer|lower) than|no more than|within|up to|[≤<])\s*)$"
    r"|(?P<above>(?:at least|above|over|more than|no less than|exceeds|[≥>])\s*)$"
)


@dataclass(frozen=True)
class Number:
    """A number as a text shows it.

    Args:
        text: as it stands there.
        value: a share as a decimal, a percentage as it is shown.
        half: half of the last digit shown.
        kind: "plain", "times", "percent", "orders", "seeds" or "share".
        bound: -1 where it is said to lie below the measured value ("more than 3"), 1 above, 0 neither.
        signed: whether a minus stands before it.
    """

    text: str
    value: float
    half: float
    kind: str = "plain"
    bound: int = 0
    signed: bool = False


@dataclass(frozen=True)
class Measured:
    """What a claim measured: a value, or the mean of an interval and its ends; and over how many seeds."""

    values: tuple[float, ...]
    seeds: int | None = None


def numbers(text: str) -> list[Number]:
    """The numbers of a text, in order. Left out is what only looks like one: see `without_names`."""
    text = re.sub(r"\s+", " ", without_names(text))
    found: dict[int, Number] = {}
    for pattern, read in ((_WORDS, _from_words), (_DIGITS, _from_digits)):
        for match in pattern.finditer(text):
            number = read(match)
            if number is None or any(match.start() <= at < match.end() for at in found):
                continue
            said = _BOUND.search(text[max(0, match.start() - 20) : match.start()].lower())
            bound = 0 if not said else 1 if said["below"] else -1
            signed = bool(match.groupdict().get("sign"))
            found[match.start()] = Number(match[0].strip(), *number, bound, signed)
    return [found[at] for at in sorted(found)]


def without_names(text: str) -> str:
    """A text without formulas, code, HTML, addresses, numbers of lessons and exercises, years, formats."""
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$|`[^`]*`|<[^<>]+>", " ", text, flags=re.DOTALL)
    text = LINK.sub(lambda link: " " if link[2].endswith(".ipynb") else link[1], text)
    text = re.sub(r"\b([Ll]essons?|[Ee]xercises?) \d+(?:(?:, | and | to |–)\d+)*", r"\1", text)
    text = re.sub(
        r"\((?:0\d|\d\d)(?:, (?:0\d|\d\d))*\)", lambda m: " " if re.search(r"\b0", m[0]) else m[0], text
    )
    text = re.sub(r"(?<![\d.,])\b0\d\b(?!\.\d)", " ", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\d\b|\b\d+(?:st|nd|rd|th)\b|\b(?:8|16|32|64)[- ]bits?\b", " ", text)
    return re.sub(r"\((?:[^()\d]*, )?(?:19|20)\d\d[a-z]?\)|(?<=al\. )(?:19|20)\d\d\b", " ", text)


def _from_digits(match: re.Match[str]) -> tuple[float, float, str]:
    """Value, half of the last digit and kind of a match of `_DIGITS`."""
    kind = _kind(match) or "plain"
    if match["over"]:
        return _share(1, int(match["over"]))
    if match["bare"]:
        power = 10.0 ** int(match["bare"].translate(_UP))
        return power, power / 2, kind
    if shown := match["mantissa"] or match["e"]:
        power = 10.0 ** int((match["up"] or match["exp"]).translate(_UP).replace("−", "-"))
        value, half = _shown(shown)
        return value * power, half * power, kind
    value, half = _shown(match["plain"] or match["thousands"].replace(",", ""))
    dots = value > 100 and "point" in match[0]  # "300 points in a cloud"
    return value, half, "plain" if dots else kind


def _from_words(match: re.Match[str]) -> tuple[float, float, str] | None:
    """The same of a match of `_WORDS`; None for "the third step", which is no share."""
    if match["count"] and (kind := _kind(match)):
        return WORDS[match["count"].lower()], 0.5, kind
    if match["fold"]:
        return WORDS[match["fold"].lower()], 0.5, "times"
    if match["twice"] or match["thrice"]:
        return (2 if match["twice"] else 3), 0.5, "times"
    some, part = (match["some"] or "").lower(), match["part"].lower()
    if part in ("half", "halves"):
        return _share(1, 2)
    count = int(some) if some.isdigit() else 1 if some in ("a", "an") else WORDS.get(some, 0)
    return _share(count, PARTS[part]) if count else None


def _kind(match: re.Match[str]) -> str | None:
    return next((name for name in ("times", "percent", "orders", "seeds") if match[name]), None)


def _share(count: int, parts: int) -> tuple[float, float, str]:
    """A share is shown to one part in the `parts` that it names, and to one in twenty at least."""
    value = count / parts
    return value, value * min(0.5 / parts, 0.05), "share"


def _shown(digits: str) -> tuple[float, float]:
    return float(digits), 0.5 * 10.0 ** -len(digits.partition(".")[2])


def agrees(number: Number, measured: Measured, *, percent: bool = False) -> bool:
    """Whether a number is what a claim measured, to the digits shown.

    It may be the mean or an end of the interval; of a percentage a hundredth; of "40 times" or "a fortieth"
    the inverse as well; of "two orders of magnitude" the power of ten. Where it is said to bound the value
    ("less than a tenth") it bounds it closely: by a factor of two at most, beyond rounding errors.

    Args:
        percent: whether the text speaks of per cent, as in "23 points [15, 32]".
    """
    if number.kind == "seeds":
        return measured.seeds == number.value or _any(number, measured.values)
    values = [value for value in measured.values if math.isfinite(value)]
    if number.kind == "orders":
        return any(v and abs(abs(math.log10(abs(v))) - number.value) <= 0.5 for v in values)
    if number.kind in ("times", "share"):
        values += [1 / value for value in values if value]
    if percent or number.kind == "percent":
        values += [100 * value for value in values]
    return _any(number, values)


def _any(number: Number, values: Iterable[float]) -> bool:
    sign = -1 if number.signed else 1
    for value in values:
        at = value if number.signed else abs(value)
        if abs(at - sign * number.value) <= SLACK * number.half:
            return True
        near = (
            number.value < ROUNDING
            if at == 0
            else at / 2 <= number.value <= 2 * at or number.value < ROUNDING
        )
        if number.bound * (number.value - at) > 0 and near:
            return True
    return False


def settings(sources: Sequence[str]) -> set[float]:
    """The numbers that code sets: its literals, `10**-3` and `2 / 3` worked out, but none of a claim's.

    What a claim is given are bounds: a result that repeats its bound has not been read from anything.
    """
    found: set[float] = {0, 1, 2}
    for source in sources:
        tree = cells.tree(source)
        nodes = [tree]
        while nodes:
            node = nodes.pop()
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "claim":
                continue
            if (value := _constant(node)) is not None:
                found.add(abs(value))
            nodes += ast.iter_child_nodes(node)
    return found


def _constant(node: ast.AST) -> float | None:
    """The value of an expression of numbers alone."""
    plain = (ast.Constant, ast.UnaryOp, ast.BinOp, ast.operator, ast.unaryop)
    if not isinstance(node, (ast.Constant, ast.UnaryOp, ast.BinOp)):
        return None
    if not all(isinstance(inner, plain) for inner in ast.walk(node)):
        return None
    try:
        value = eval(compile(ast.Expression(node), "<constant>", "eval"), {"__builtins__": {}})
    except (ArithmeticError, TypeError, ValueError):
        return None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and abs(value) < 1e300 else None


def is_setting(number: Number, known: set[float]) -> bool:
    """Whether a number that stands outside links is one that the lesson's code sets.

    "Ten times", "a fortieth" and "9 points" are results wherever they stand, also where a 10 is in the code.
    """
    if number.kind in ("times", "orders") or (number.kind == "share" and number.value != 0.5):
        return False
    if number.kind == "percent":
        return "point" not in number.text and any(
            math.isclose(number.value, 100 * value) for value in (*known, LEVEL)
        )
    return number.kind == "share" or any(math.isclose(number.value, value, rel_tol=1e-9) for value in known)


def untied(text: str, measured: dict[str, Measured], known: set[float]) -> list[str]:
    """What is wrong with the numbers of a text of markdown: links and what stands outside them."""
    found = []
    rest = text
    for link in LINK.finditer(text):
        if not (target := CLAIM_LINK.fullmatch(link[2])):
            continue
        id = f"{target[1]}.{target[2]}"
        rest = rest.replace(link[0], " ")
        if id not in measured:
            found.append(f"{link[0]}: no claim {id} with a value")
            continue
        shown = numbers(link[1])
        percent = any(number.kind == "percent" for number in shown)
        found += [
            f"{number.text!r} is not what {id} measured: {describe(measured[id])}"
            for number in shown
            if not agrees(number, measured[id], percent=percent) and not _level(number)
        ]
    return found + [
        f"{number.text!r} is neither tied to a claim nor set by the code: {text.strip()[:60]!r}"
        for number in numbers(rest)
        if not is_setting(number, known)
    ]


def unmeasured(text: str, measured: dict[str, Measured], known: set[float]) -> list[str]:
    """The numbers of a text without links (a title, an alt text) that no claim measured and no code set."""
    shown = numbers(text)
    percent = any(number.kind == "percent" for number in shown)
    return [
        f"{number.text!r} is neither measured nor set: {text.strip()[:60]!r}"
        for number in shown
        if not is_setting(number, known)
        and not any(agrees(number, one, percent=percent) for one in measured.values())
    ]


def describe(measured: Measured) -> str:
    """The values of a claim for a message: "0.025, 0.024, 0.026; 24 seeds"."""
    seeds = f"; {measured.seeds} seeds" if measured.seeds else ""
    return ", ".join(f"{value:.6g}" for value in measured.values) + seeds


def _level(number: Number) -> bool:
    return number.kind == "percent" and math.isclose(number.value, 100 * LEVEL)
