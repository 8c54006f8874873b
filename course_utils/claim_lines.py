"""How a claim is written: what was measured first, rounded, and what was asked last, small.

    ✓ Four draws have a quarter of the variance: 0.249 [0.246, 0.252], 24 seeds (asked ≤ 0.27)  05.quarter

Rounding keeps what machines share: two digits of an interval's half width, three digits of an exact value,
whole numbers whole, the order of magnitude of a rounding error. A claim here is its record, a dictionary as
`claims.claim` writes it. The output of a cell carries its claims as metadata, too: `stored` reads them.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from course_utils import markup
from course_utils.claim_records import SCALED, describe, with_unit

Claim = Mapping[str, Any]
SIGNS = {"holds": "✓", "fails": "✗", "not judged": "·"}
_KEPT = ("id", "sentence", "kind", "bounds", "verdict", "seeds", "reference", "unit", "shown", "visible")
_ROUNDING, _SMALLEST = 1e-9, -15  # largest rounding error; the power of ten below which none is told apart


@dataclass(frozen=True)
class Block:
    """Claims that are shown together: in the open, or folded into one line under a topic."""

    claims: Sequence[Claim]
    topic: str | None = None

    @property
    def folded(self) -> bool:
        return self.topic is not None

    @property
    def open(self) -> list[Claim]:
        """The claims that are read without opening anything; of folded ones those that fail."""
        return [claim for claim in self.claims if not self.folded or claim["verdict"] == "fails"]

    @property
    def verdict(self) -> str:
        """The worst of its verdicts."""
        verdicts = {str(claim["verdict"]) for claim in self.claims}
        return next(verdict for verdict in ("fails", "not judged", "holds") if verdict in verdicts)

    @property
    def summary(self) -> str:
        """A fold in one line: "7 further statements hold: the rates of lesson 05"."""
        count = len(self.claims)
        tallies = {name: [one["verdict"] for one in self.claims].count(name) for name in SIGNS}
        words = [f"{tally} {_verb(name, tally)}" for name, tally in tallies.items() if tally]
        tail = ", ".join(["", *words]) if len(words) > 1 else f" {_verb(self.verdict, count)}"
        about = f": {self.topic}" if self.topic else ""
        return f"{count} further statement{'' if count == 1 else 's'}{tail}{about}"


def rounded(
    measured: Any,
    bounds: Mapping[str, float],
    *,
    unit: str = "",
    digits: int | None = None,
    agrees: Callable[[float, float], bool] = lambda low, high: True,
) -> tuple[str, Any]:
    """What was measured as it is shown, and the rounded value in the form of a record.

    Args:
        measured: as a record holds it: a number, True or False, the name of what is not finite, or an
            interval with `mean`, `low`, `high`.
        bounds: of the claim; where they are tiny, a tiny value is a rounding error.
        unit: follows the number; a share is written in "%" or "points".
        digits: significant digits; None chooses them.
        agrees: whether a rounded low and high end would get the verdict that the measured ones got. Digits
            are added until they do, up to the six to which bounds are written.
    """
    if isinstance(measured, bool):
        return ("yes" if measured else "no"), measured
    ends = (
        [measured[name] for name in ("mean", "low", "high")] if isinstance(measured, Mapping) else [measured]
    )
    if not all(math.isfinite(float(end)) for end in ends):
        return _joined([str(end) for end in ends], unit), measured
    scale = SCALED.get(unit, 1.0)
    if len(ends) == 1:
        power = _rounding_error(float(ends[0]), bounds)
        if power is not None and digits is None and agrees(*[math.copysign(10.0**power, ends[0])] * 2):
            return f"to within 1e{power}", 10.0**power
    values = [scale * float(end) for end in ends]
    places = _places(values, digits)
    for more in range(4):
        rounded = [round(value, places + more) + 0.0 for value in values]
        if agrees(min(rounded) / scale, max(rounded) / scale):
            break
    if len(values) == 1 and digits is None and _whole(values[0]):
        places, more, rounded = 0, 0, [round(values[0]) + 0.0]
    shown = _joined([_text(value, rounded, places + more) for value in rounded], unit)
    numbers = [value / scale for value in rounded]
    if len(numbers) == 1:
        return shown, numbers[0]
    return shown, {**measured, **dict(zip(("mean", "low", "high"), numbers, strict=True))}


def line(claim: Claim) -> str:
    """A claim in one line of text."""
    reference = f" · {claim['reference']}" if claim["reference"] else ""
    asked = f"{'not judged; ' if claim['verdict'] == 'not judged' else ''}asked {asked_for(claim)}"
    return (
        f"{SIGNS[claim['verdict']]} {bare(claim['sentence'])}: {claim['shown']}{_seeds(claim)} ({asked})"
        f"  {claim['id']}{reference}"
    )


def text(block: Block) -> str:
    """The lines of a block: one for each claim, or one for a fold and one for each claim in it that fails."""
    lines = [line(claim) for claim in block.open]
    if block.folded:
        lines.insert(0, f"{SIGNS[block.verdict]} {block.summary}")
    return "\n".join(lines)


def page(blocks: Sequence[Block], *, link: Callable[[str], str] = lambda id: f"#{anchor(id)}") -> str:
    """Blocks as HTML: a row for each claim; a fold opens on its rows.

    Args:
        link: the address to which a claim's id leads; by default its own row.
    """
    parts = []
    for block in blocks:
        if block.folded:
            summary = f"{_mark(block.verdict)} {markup.marked(block.summary)}"
            hidden = [claim for claim in block.claims if claim["verdict"] != "fails"]
            parts.append(markup.details(summary, _table(hidden, link)) if hidden else f"<p>{summary}</p>")
        if block.open:
            parts.append(_table(block.open, link))
    return '<div class="course-claims">\n' + "\n".join(parts) + "\n</div>"


def about(blocks: Sequence[Block]) -> dict[str, Any]:
    """Metadata of the output that shows blocks: their claims, with values as rounded as they are shown."""
    return {
        "claims": [
            {
                "topic": block.topic,
                "claims": [
                    {name: claim[name] for name in _KEPT} | {"measured": claim["rounded"]}
                    for claim in block.claims
                ],
            }
            for block in blocks
        ]
    }


def stored(output: Any) -> list[Block]:
    """The blocks of claims that an output of a stored notebook shows, in order; none in any other output."""
    blocks = output.get("metadata", {}).get("claims", [])
    return [Block(tuple(block["claims"]), block["topic"]) for block in blocks]


def asked_for(claim: Claim) -> str:
    """What a claim asked: "≤ 0.1"; "yes" or "no" where the measurement is."""
    bounds = claim["bounds"]
    if isinstance(claim["measured"], bool):
        return "yes" if bounds.get("about", bounds.get("at_least", 0.0)) > 0 else "no"
    return describe(bounds, claim.get("unit", ""))


def bare(sentence: str) -> str:
    """A claim's sentence without the sign at its end, for a number to follow."""
    return sentence.rstrip(" .,;:")


def anchor(id: str) -> str:
    """The anchor of a claim, in a lesson, on its page and in the ledger alike."""
    return f"claim-{id.replace('.', '-')}"


def _table(claims: Sequence[Claim], link: Callable[[str], str]) -> str:
    return markup.table([_row(claim, link) for claim in claims], label="Claims")


def _row(claim: Claim, link: Callable[[str], str]) -> str:
    verdict = claim["verdict"]
    mark = _mark(verdict) if verdict == "holds" else f"{SIGNS[verdict]} {verdict}"
    value, space, ends = html.escape(claim["shown"]).partition(" [")
    measured = f'<span class="course-measured"><strong>{value}</strong>{space}{ends}</span>'
    more = [f'<a href="{html.escape(link(claim["id"]))}">{html.escape(claim["id"])}</a>']
    if isinstance(claim["measured"], Mapping):
        more.insert(0, f"{100 * claim['measured']['level']:.4g}% interval")
    if claim["reference"]:
        more.append(html.escape(claim["reference"]))
    asked = markup.details(f"asked {html.escape(asked_for(claim))}", " · ".join(more), style=markup.QUIET)
    cells = [mark, markup.marked(bare(claim["sentence"])), measured + _seeds(claim), asked]
    return markup.row(cells, head=1, id=anchor(claim["id"]))


def _mark(verdict: str) -> str:
    return markup.sign(SIGNS[verdict], verdict)


def _verb(verdict: str, count: int) -> str:
    return verdict if count == 1 or verdict == "not judged" else verdict.removesuffix("s")


def _seeds(claim: Claim) -> str:
    count = claim["seeds"]
    return "" if count is None else f", {count:,} seed{'' if count == 1 else 's'}"


def _rounding_error(value: float, bounds: Mapping[str, float]) -> int | None:
    """The power of ten of a rounding error, None of a value that is none."""
    largest = max(map(abs, bounds.values()))
    if not (0 < largest <= 1e-6 and abs(value) <= _ROUNDING):
        return None
    return _SMALLEST if value == 0 else max(_SMALLEST, math.ceil(math.log10(abs(value))))


def _places(values: Sequence[float], digits: int | None) -> int:
    """How many decimals are shown: negative for tens and hundreds."""
    if len(values) > 1 and digits is None and (half := (values[2] - values[1]) / 2) > 0:
        return 1 - _magnitude(half)
    return (digits or 3) - 1 - _magnitude(values[0])


def _magnitude(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 0


def _whole(value: float) -> bool:
    return abs(value - round(value)) <= 1e-12 * max(1.0, abs(value)) and abs(value) < 1e15


def _text(value: float, among: Sequence[float], places: int) -> str:
    """A rounded number, written like the others of its interval."""
    largest = max(map(abs, among))
    if value == 0 and places > 6:
        return "0"
    if 1e-4 <= largest < 1e6 or largest == 0 or (_whole(value) and places <= 0 and largest < 1e9):
        return f"{value:,.{max(0, places)}f}".replace("-", "−")
    mantissa, _, exponent = f"{value:.{max(0, places + _magnitude(value))}e}".partition("e")
    return f"{mantissa}e{int(exponent)}".replace("-", "−", 1 if value < 0 else 0)


def _joined(texts: Sequence[str], unit: str) -> str:
    first = with_unit(texts[0], unit)
    return first if len(texts) == 1 else f"{first} [{', '.join(texts[1:])}]"
