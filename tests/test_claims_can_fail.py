"""Planted mistakes reach the claims that can fail, and those alone; nothing of them is left behind."""

from __future__ import annotations

import ast
import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook

from course_utils.intervals import Interval
from tests.nightly import claims_can_fail, planted
from tests.nightly.claims_can_fail import Lesson, Outcome, near, page, slices, statements, unargued

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="copies of the process are forks")

START = """
import torch
from course_utils import profiles
from course_utils.claims import claim, largest
from course_utils.intervals import paired_interval
run = profiles.start(PROFILE, 0, "cpu")
generator = torch.Generator().manual_seed(0)
made = []
"""
MEASURE = """
def descend(x, rate):
    return x - rate * x

x = torch.randn(40, generator=generator, dtype=torch.float64)
ours, theirs = descend(x, 0.5), x / 2
worst = largest((ours - theirs).abs())
fast, slow = x.abs(), x.abs() + 0.2
gain = paired_interval(slow, fast)
"""
CLAIMS = """
made.append(len(made))
claim("98.equal", "Ours is theirs.", worst, at_most=1e-12)
claim("98.gain", "It gains 0.2.", gain, at_least=0.1)
claim("98.wide", "It is small.", x.mean(), at_most=1e9)
claim("98.finite", "All are numbers.", x.isfinite().all(), about=1, tol=0)
claim("98.constant", "Three is three.", 3.0, about=3, tol=0)
claim("98.false", "It loses.", gain, at_most=0)
"""
FOLDED = """
with also_checked("rates"):
    claim("98.folded", "Its length is known.", x.norm() / theirs.norm(), about=2, tol=1e-9)
"""


def notebook(*cells: str) -> Any:
    parameters = new_code_cell('PROFILE = "smoke"', metadata={"tags": ["parameters"]})
    return new_notebook(cells=[parameters, *(new_code_cell(cell.strip()) for cell in cells)])


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    found = Lesson(notebook(START, MEASURE, CLAIMS, FOLDED))
    found.run()
    return found


def test_claims_that_measure_notice_a_mistake(lesson: Lesson) -> None:
    for id in ("98.equal", "98.gain", "98.folded"):
        assert lesson.outcomes[id].holds
        assert len(lesson.outcomes[id].red) == claims_can_fail.ENOUGH, lesson.outcomes[id]
    assert "noise: theirs" in " ".join(lesson.outcomes["98.equal"].red + lesson.outcomes["98.folded"].red)


def test_claims_that_cannot_fail_notice_none(lesson: Lesson) -> None:
    assert lesson.outcomes["98.wide"].tried >= 3
    assert lesson.outcomes["98.wide"].red == []
    assert lesson.outcomes["98.finite"].tried >= 3
    assert lesson.outcomes["98.finite"].red == []


def test_a_number_that_comes_from_nowhere_is_doubted_itself(lesson: Lesson) -> None:
    assert lesson.outcomes["98.constant"].red[0] == "noise: what is measured"


def test_a_claim_that_does_not_hold_is_said_to(lesson: Lesson) -> None:
    assert not lesson.outcomes["98.false"].holds
    assert "does not hold" in page({"98_made_up": list(lesson.outcomes.values())})


def test_nothing_of_the_copies_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COURSE_RECORD_DIR", str(tmp_path))
    loud = "print(torch.__version__)\nmade.append(float(x.sum()))"
    found = Lesson(notebook(START, MEASURE, loud, CLAIMS))
    found.run()
    assert len(found.names["made"]) == 2  # each statement once, however many copies there were
    expected = torch.randn(40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(found.names["x"], expected)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_folded_claims_are_statements_of_their_own_and_shows_are_left_out() -> None:
    show = "plotting.show(figure, alt='')\ncheck('98.x', f)\n%matplotlib inline\nx = 1"
    found = statements(notebook(show, CLAIMS, FOLDED))
    assert [ast.unparse(one.node) for one in found[:2]] == ["PROFILE = 'smoke'", "x = 1"]
    assert {id: one.visible for one in found for id in one.claims} == {
        "98.equal": True, "98.gain": True, "98.wide": True, "98.finite": True, "98.constant": True,
        "98.false": True, "98.folded": False,
    }  # fmt: skip


NAMES: dict[str, tuple[set[str], set[str], set[str]]] = {  # reads, writes, sets
    "a, b = f(c)": ({"f", "c"}, {"a", "b"}, {"a", "b"}),
    "a[0] = b": ({"a", "b"}, {"a"}, set()),
    "a.x += b": ({"a", "b"}, {"a"}, set()),
    "a += b": ({"a", "b"}, {"a"}, set()),
    "a.append(b)": ({"a", "b"}, {"a"}, set()),
    "import torch.nn as nn, os.path": (set(), {"nn", "os"}, {"nn", "os"}),
    "a = [x + c for x in b]": ({"b", "c"}, {"a"}, {"a"}),
    "a = lambda x: x + b": ({"b", "x"}, {"a"}, {"a"}),
    "def f(x, n=m):\n    y = x\n    return y + k": ({"m", "x", "y", "k"}, {"f"}, {"f"}),
    "for i in a:\n    b.append(i)\n    c = i": ({"a", "b", "i"}, {"b", "c", "i"}, set()),
}


@pytest.mark.parametrize("source", NAMES)
def test_names_of_a_statement(source: str) -> None:
    [node] = ast.parse(source).body
    found = claims_can_fail.Statement(node, [], True)
    assert (found.reads, found.writes, found.sets) == NAMES[source]


def test_a_claim_rests_on_what_it_was_made_of_and_not_on_what_has_the_same_name() -> None:
    source = "a = f(0)\nb = g(a)\na = f(1)\nc = f(2)\nb.sort()\nclaim('98.x', 'X.', b, at_most=1)\na = 0"
    found = statements(notebook(source))
    assert slices(found) == {"98.x": [1, 2, 5, 6]}  # the parameters come first


def test_mistakes_are_planted_near_the_claim() -> None:
    source = (
        "far = f()\nnear = g(far)\nworst = near.max()\nrate = 2\nclaim('98.x', 'X.', worst + rate, at_most=1)"
    )
    found = statements(notebook(source))
    on = slices(found)["98.x"]
    arrays: list[set[str]] = [set(), {"far"}, {"near"}, set(), set(), set()]
    assert near(found, "98.x", on, arrays) == {5: set(), 3: {"worst"}, 2: {"near"}, 1: {"far"}}
    further = statements(notebook("more = e()\nfar = f(more)\n" + source.partition("\n")[2]))
    arrays.insert(1, {"more"})
    assert min(near(further, "98.x", slices(further)["98.x"], arrays)) == 2  # `more` is too far off


@dataclasses.dataclass(frozen=True)
class Runs:
    loss: torch.Tensor
    name: str = "sgd"


class Nets:
    """Something of the course's own that is no dataclass."""

    __module__ = "course_utils.made_up"

    def __init__(self) -> None:
        self.weights = torch.ones(2)


class Opened(Nets):
    """What holds processes, as `Workers` does: a changed copy would speak to those of the first."""

    def __enter__(self) -> None: ...


@dataclasses.dataclass
class Trained:
    steps: list[int]
    losses: torch.Tensor
    nets: Nets


def test_noise_has_the_shape_and_the_scale_of_what_it_stands_for() -> None:
    generator = torch.Generator().manual_seed(0)
    value = 5 + torch.randn(50, 40, generator=generator)
    ways = dict(planted.noisy(value))
    assert list(ways) == ["noise", "noise of the other sign", "shuffled", "negated"]
    assert torch.equal(ways["noise of the other sign"], -ways["noise"])
    assert all(new.shape == value.shape and new.dtype == value.dtype for new in ways.values())
    assert float(ways["noise"].pow(2).mean().sqrt()) == pytest.approx(
        float(value.pow(2).mean().sqrt()), rel=0.05
    )
    assert abs(float(ways["noise"].mean())) < 0.5
    assert torch.equal(ways["shuffled"].flatten().sort().values, value.flatten().sort().values)
    assert not torch.equal(ways["shuffled"], value)


def test_noise_reaches_into_what_holds_arrays() -> None:
    runs = {"sgd": Runs(torch.ones(4)), "adam": Runs(torch.zeros(4))}
    ways = dict(planted.noisy(runs))
    assert set(ways) == {"noise", "noise of the other sign", "shuffled", "negated", "swapped"}
    assert ways["negated"]["sgd"].loss.tolist() == [-1] * 4
    assert ways["negated"]["sgd"].name == "sgd"
    assert ways["swapped"]["adam"] is runs["sgd"]
    assert torch.equal(runs["sgd"].loss, torch.ones(4))
    nets = Trained([1], torch.ones(4), Nets())
    assert dict(planted.noisy(nets))["negated"].nets.weights.tolist() == [-1, -1]
    assert planted.size(nets) == 1 + 4 + 2
    assert dict(planted.noisy(Opened())) == {}
    pair = dict(planted.noisy((np.arange(3.0), 2)))
    assert pair["negated"][1] == -2
    assert pair["swapped"][0] == 2
    net = torch.nn.Linear(2, 1)
    changed = dict(planted.noisy(net))["noise"]
    assert not torch.equal(changed.weight, net.weight)
    assert changed.weight.requires_grad


def test_noise_in_an_interval_removes_its_effect() -> None:
    interval = Interval(0.5, 0.4, 0.6, 0.03, 24, 0.99)
    ways = dict(planted.noisy(interval))
    assert (ways["noise"].low, ways["noise"].high) == (-0.5, 0.5)
    assert (ways["negated"].low, ways["negated"].high) == (-0.6, -0.4)
    assert (ways["doubled"].mean, ways["halved"].high) == (1.0, 0.3)
    assert dict(planted.noisy(3.0))["doubled"] == 6.0


META = torch.nn.Linear(2, 1, device="meta")


@pytest.mark.parametrize("value", [None, "adam", print, torch.Generator(), [], {}, META])
def test_what_is_no_measurement_has_no_noise(value: Any) -> None:
    assert planted.noisy(value) == []


REWRITTEN = {
    "gain = paired_interval(a, b[0])": [
        "gain = paired_interval(b[0], a)",
        "gain = paired_interval(a, a)",
        "gain = paired_interval(a, __planted__('noise', b[0]))",
    ],
    "claim('x', 'X.', a - b, at_least=c - d)": [
        "claim('x', 'X.', b - a, at_least=c - d)",
        "claim('x', 'X.', a - a, at_least=c - d)",
        "claim('x', 'X.', a - __planted__('noise', b), at_least=c - d)",
    ],
    "r = (a + 1) / b": ["r = b / (a + 1)", "r = (a + 1) / (a + 1)", "r = (a + 1) / __planted__('noise', b)"],
    "worst = largest(gap(f(x), x) for x in y)": [
        "worst = largest((gap(x, f(x)) for x in y))",
        "worst = largest((gap(f(x), f(x)) for x in y))",
        "worst = largest((gap(f(x), __planted__('noise', x)) for x in y))",
    ],
    "worst = abs(x - 1)": ["worst = abs(__planted__('noise', x) - 1)"],
    "x = f(a, b) * 2 - 1 / 2": ["x = __planted__('noise', f(a, b) * 2) - 1 / 2"],
    "x = f(a, b)": [],
}


@pytest.mark.parametrize("source", REWRITTEN)
def test_arms_are_swapped_made_equal_or_one_made_noise(source: str) -> None:
    [node] = ast.parse(source).body
    assert [ast.unparse(new) for _, new in planted.rewritten(node, {"gap"})] == REWRITTEN[source]
    assert ast.unparse(node) == ast.unparse(ast.parse(source))


def test_a_short_function_of_two_has_arms() -> None:
    lesson = Lesson(notebook("gap = lambda a, b: (a - b).abs().max()\nf = lambda a: a\ng = abs"))
    assert lesson.arms == {"gap"}


def test_a_visible_claim_that_notices_nothing_needs_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        "98_x": [
            Outcome("98.silent", True),
            Outcome("98.folded", False),
            Outcome("98.red", True, red=["noise"]),
        ],
    }
    assert unargued(found) == ["98.silent noticed no mistake"]
    monkeypatch.setattr(claims_can_fail, "ARGUED", {"98.silent": "It counts images.", "98.red": "No need."})
    assert unargued(found) == ["98.red is argued for and needs it not"]
    assert "| `98.silent` | visible, does not hold | 0 | It counts images. |" in page(found)
    assert "## 98_x: 1 of 3 claims noticed a mistake" in page(found)


def test_the_profile_is_put_into_the_parameters() -> None:
    book = claims_can_fail.with_profile(notebook("x = 1"), "full")
    assert book.cells[0].source == 'PROFILE = "full"'
