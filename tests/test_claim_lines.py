"""How a claim is written: rounding, the line, the row, what regression masks, what an output gives back."""

from __future__ import annotations

import html
import math
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from course_utils import claim_lines
from course_utils.claim_lines import Block, line, page, rounded, stored, text
from tests.mutants import mistakes
from tests.notebooks.regression import HERE
from tests.sample import claim, claims


def interval(mean: float, low: float, high: float) -> dict[str, float]:
    return {"mean": mean, "low": low, "high": high, "n": 24, "level": 0.99}


SMALL = {"at_most": 1e-12}
ORDINARY = {"at_most": 1e9}

# measured, bounds -> what is shown
SHOWN: list[tuple[Any, dict[str, float], str]] = [
    (interval(0.02535, 0.024996, 0.02571), ORDINARY, "0.02535 [0.02500, 0.02571]"),  # by the half width
    (interval(0.5, 0.44, 0.56), ORDINARY, "0.500 [0.440, 0.560]"),
    (interval(9.889, 9.768, 10.0101), ORDINARY, "9.89 [9.77, 10.01]"),
    (interval(-0.0009, -0.0049, 0.00298), ORDINARY, "−0.0009 [−0.0049, 0.0030]"),
    (interval(-0.0012, -0.0188, 0.0164), ORDINARY, "−0.001 [−0.019, 0.016]"),
    (interval(15328.2, 15041.7, 15614.7), ORDINARY, "15,330 [15,040, 15,610]"),
    (interval(1.4e-9, 1.2e-9, 1.6e-9), ORDINARY, "1.40e-9 [1.20e-9, 1.60e-9]"),
    (interval(2.0, 2.0, 2.0), ORDINARY, "2.00 [2.00, 2.00]"),
    (0.30891, ORDINARY, "0.309"),  # 3 digits of an exact value
    (1.996642, ORDINARY, "2.00"),
    (0.95, ORDINARY, "0.950"),
    (450.6387, ORDINARY, "451"),
    (4095.15, ORDINARY, "4,100"),
    (-16.7461, ORDINARY, "−16.7"),
    (7.0568e-5, ORDINARY, "7.06e-5"),
    (5.592264185926531e46, {"at_least": 1e6}, "5.59e46"),
    (106.0, ORDINARY, "106"),  # whole numbers whole
    (2048.0, ORDINARY, "2,048"),
    (1169514.0, ORDINARY, "1,169,514"),
    (-3.0, ORDINARY, "−3"),
    (0.9999999999999998, ORDINARY, "1"),
    (3e-17, ORDINARY, "0"),
    (0.0, {"at_most": 0.0}, "0"),
    (0.0, SMALL, "to within 1e-15"),  # rounding errors by their order of magnitude
    (3.1e-16, SMALL, "to within 1e-15"),
    (-2.2e-16, SMALL, "to within 1e-15"),
    (4.4e-15, SMALL, "to within 1e-14"),
    (6.9e-11, {"within": 1e-9}, "to within 1e-10"),
    (5.29e-8, {"at_least": 1e-8}, "5.29e-8"),
    (True, {"about": 1.0, "tol": 0.0}, "yes"),
    (False, {"about": 1.0, "tol": 0.0}, "no"),
    ("nan", ORDINARY, "nan"),
    (interval(math.inf, 0.0, math.inf), ORDINARY, "inf [0.0, inf]"),
]  # fmt: skip


def check_rounding(module: Any) -> None:
    for measured, bounds, shown in SHOWN:
        assert module.rounded(measured, bounds)[0] == shown, measured


def test_what_was_measured_is_rounded_to_what_machines_share() -> None:
    check_rounding(claim_lines)


def check_rounding_and_zero(module: Any) -> None:
    check_rounding(module)
    assert module.rounded(interval(-0.00001, -0.3, 0.3), ORDINARY)[0] == "0.00 [−0.30, 0.30]"


def test_no_zero_has_a_sign() -> None:
    check_rounding_and_zero(claim_lines)


test_mistakes_in_rounding_are_caught = mistakes(
    "course_utils.claim_lines",
    [
        pytest.param("return 1 - _magnitude(half)", "return 2 - _magnitude(half)", id="a digit too many"),
        pytest.param("(values[2] - values[1]) / 2", "(values[2] - values[1])", id="by the whole width"),
        pytest.param("if len(values) == 1 and digits is None and _whole", "if False and _whole", id="whole"),
        pytest.param(
            "_ROUNDING, _SMALLEST = 1e-9, -15", "_ROUNDING, _SMALLEST = 0, -15", id="every digit of an error"
        ),
        pytest.param("round(value, places + more) + 0.0", "round(value, places + more)", id="minus zero"),
    ],
    check=check_rounding_and_zero,
)


def test_errors_of_one_order_read_alike_on_every_machine() -> None:
    assert len({rounded(error, SMALL)[0] for error in (0.0, 1e-19, 2.2e-16, -4.4e-16, 9.9e-16)}) == 1


@pytest.mark.parametrize(
    ("unit", "measured", "shown"),
    [
        ("points", interval(0.0574, 0.0473, 0.0675), "5.7 points [4.7, 6.8]"),
        ("points", 0.01, "1 point"),
        ("%", 0.31, "31%"),
        ("%", interval(0.722, 0.7, 0.744), "72.2% [70.0, 74.4]"),
        ("steps", 38.0, "38 steps"),
        ("steps", 1.0, "1 step"),
        ("×", 6.5685, "6.57×"),
    ],
)
def test_units_follow_the_number(unit: str, measured: Any, shown: str) -> None:
    assert rounded(measured, ORDINARY, unit=unit)[0] == shown


def test_rounding_never_contradicts_the_verdict() -> None:
    at_most = 0.2098

    def holds(low: float, high: float) -> bool:
        return high <= at_most

    assert (
        rounded(0.2096, {"at_most": at_most}, agrees=holds)[0] == "0.2096"
    )  # 0.210 would look like a failure
    assert rounded(0.2099, {"at_most": at_most}, agrees=lambda a, b: not holds(a, b))[0] == "0.210"
    assert rounded(0.20981, {"at_most": at_most}, agrees=lambda a, b: not holds(a, b))[0] == "0.210"


def test_a_tight_tolerance_does_not_print_every_digit() -> None:
    def holds(low: float, high: float) -> bool:
        return abs(low - 10**0.5) <= 1e-9

    assert rounded(10**0.5, {"about": 10**0.5, "tol": 1e-9}, agrees=holds)[0] == "3.16228"


def test_what_a_program_reads_is_what_a_reader_sees() -> None:
    assert rounded(interval(0.0574, 0.0473, 0.0675), ORDINARY, unit="points")[1]["mean"] == 0.057
    assert rounded(0.30891, ORDINARY)[1] == 0.309
    assert rounded(4.4e-15, SMALL)[1] == 1e-14
    assert rounded(True, ORDINARY)[1] is True


MEAN = claim(
    "05.same-steps", "Momentum needs a *fortieth* of the `steps`.", interval(0.0254, 0.025, 0.0257),
    bounds={"at_most": 0.1}, seeds=24, kind="statistical", reference="Polyak (1964)",
)  # fmt: skip
FAILS = claim("05.wrong", "One is <two>,", 2.0, verdict="fails")
OPEN = claim(
    "05.open", "Nobody judged: it is small.", 1.5, bounds={"at_most": 1.0}, seeds=1, verdict="not judged"
)


def test_the_line() -> None:
    assert line(MEAN) == (
        "✓ Momentum needs a *fortieth* of the `steps`: 0.02540 [0.02500, 0.02570], 24 seeds (asked ≤ 0.1)"
        "  05.same-steps · Polyak (1964)"
    )
    assert line(FAILS) == "✗ One is <two>: 2 (asked exactly 1)  05.wrong"
    assert line(OPEN) == "· Nobody judged: it is small: 1.50, 1 seed (not judged; asked ≤ 1)  05.open"


class Page(HTMLParser):
    """Text of a page, what of it stands outside of details, its tags and attributes."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text, self.outside, self.depth = "", "", 0
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.depth += tag == "details"

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "details"

    def handle_data(self, data: str) -> None:
        self.text += data
        self.outside += data if self.depth == 0 else ""


def test_the_row_says_what_the_line_says() -> None:
    found = Page(page([Block((MEAN, FAILS, OPEN))]))
    for part in (
        "a fortieth of the steps",
        "0.02540",
        "[0.02500, 0.02570]",
        "24 seeds",
        "✗ fails",
        "· not judged",
    ):
        assert part in found.outside, part
    for part in ("asked ≤ 0.1", "99% interval", "Polyak (1964)", "05.same-steps"):
        assert part in found.text, part
    assert ("id", "claim-05-same-steps") in found.attributes
    assert ("href", "#claim-05-same-steps") in found.attributes
    assert ("aria-label", "holds") in found.attributes
    assert "One is <two>" in found.text


def test_a_level_shared_by_many_is_not_rounded_to_certainty() -> None:
    """One of 32 intervals that hold together at 99% is one at 99.97%, and none is at 100%."""
    shared = {**MEAN, "measured": interval(0.0254, 0.025, 0.0257) | {"level": 1 - 0.01 / 32}}
    assert "99.97% interval" in Page(page([Block((shared,))])).text


def test_the_page_has_no_script_and_no_colour_of_its_own() -> None:
    source = page([Block((MEAN, FAILS)), Block((OPEN,), "more")])
    found = Page(source)
    assert set(found.tags) <= {
        "div", "table", "tbody", "tr", "td", "th", "span", "strong", "em", "code", "a", "p",
        "details", "summary",
    }  # fmt: skip
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    styles = ";".join(value for name, value in found.attributes if name == "style")
    assert not re.search(r"(^|;)(color|background-color)|#|rgb|url", styles)
    assert found.depth == 0


def test_a_fold_is_one_line_and_what_fails_stands_outside() -> None:
    block = Block((MEAN, FAILS, OPEN), "all the rest")
    assert text(block).splitlines() == [
        "✗ 3 further statements, 1 holds, 1 fails, 1 not judged: all the rest", line(FAILS),
    ]  # fmt: skip
    found = Page(page([block]))
    assert "One is <two>" in found.outside
    assert "Momentum" in found.text
    assert "Momentum" not in found.outside
    assert Block((MEAN,), "").summary == "1 further statement holds"
    assert Block((OPEN, OPEN), "").summary == "2 further statements not judged"
    alone = Page(page([Block((FAILS,), "x")]))
    assert "1 further statement fails: x" in alone.outside


def test_a_stored_output_gives_its_claims_back() -> None:
    (block,) = stored(claims(MEAN, OPEN, topic="more"))
    assert block.topic == "more"
    assert block.claims[0]["measured"] == interval(0.0254, 0.025, 0.0257)
    assert [line(one) for one in block.claims] == [line(MEAN), line(OPEN)]
    assert page([block]) == page([Block((MEAN, OPEN), "more")])
    assert stored({"output_type": "stream", "text": line(MEAN)}) == []


# ---- what regression masks


def masked(source: str) -> str:
    """A text as nbval compares it."""
    config = (HERE / "sanitize.cfg").read_text(encoding="ascii")
    for pattern, replacement in re.findall("^regex: (.*)$\n^replace: (.*)$", config, re.MULTILINE):
        source = re.sub(pattern, replacement, source)
    return source


OTHER = claim(**{**MEAN, "measured": interval(0.0261, 0.0249, 0.0273)})


@pytest.mark.parametrize("form", [text, lambda block: page([block])], ids=["text", "html"])
@pytest.mark.parametrize("topic", [None, "more"])
def test_regression_masks_what_was_measured_and_nothing_else(form: Any, topic: str | None) -> None:
    def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
        blocks = Block((FAILS, one), topic), Block((FAILS, other), topic)
        return masked(form(blocks[0])) == masked(form(blocks[1]))

    assert same(MEAN, OTHER)
    assert same(claim("05.x", "It is so.", True), claim("05.x", "It is so.", False))
    assert same(OPEN, claim(**{**OPEN, "measured": 7.25}))
    if topic is None:
        for changed in (
            {"bounds": {"at_most": 0.2}}, {"sentence": "Another."}, {"seeds": 25}, {"id": "05.other"},
            {"verdict": "fails"}, {"verdict": "not judged"}, {"reference": None},
            {"unit": "steps", "bounds": {"at_most": 9.0}},
        ):  # fmt: skip
            assert not same(MEAN, claim(**{**OTHER, **changed})), changed
    else:
        assert not same(MEAN, claim(**{**OTHER, "verdict": "fails"}))


def test_what_is_no_claim_is_compared_whole() -> None:
    for source in ("loss: 0.25 (asked nobody)", "· a list: 3 items", "accuracy 0.91"):
        assert masked(source) == source


def test_html_is_escaped() -> None:
    attack = claim('05.a"><script>', "<script>alert(1)</script>", 1.0, reference="<i>")
    source = page([Block((attack,), "<img src=x>")])
    assert "script" not in Page(source).tags
    assert "img" not in Page(source).tags
    assert html.escape("<i>") in source
