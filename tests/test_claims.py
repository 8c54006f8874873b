"""claim(): what holds, what fails, what is judged, and what is kept of it."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from course_utils import claim_records, claims, profiles
from course_utils.claim_lines import stored
from course_utils.claims import ClaimError, also_checked, claim, largest, smallest
from course_utils.intervals import Interval
from course_utils.tools.running import kernel
from tests.mutants import mistakes

SENTENCE = "Both take the same steps."


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A reader runs the lesson: records in a folder of their own, no runner."""
    monkeypatch.setenv("COURSE_RECORD_DIR", str(tmp_path))
    for name in ("COURSE_HEADLESS", "COURSE_COLLECT_CLAIMS"):
        monkeypatch.delenv(name, raising=False)
    profiles.start("standard", 0)
    yield tmp_path
    profiles.start("standard", 0)


def interval(low: float, high: float, n: int = 12) -> Interval:
    return Interval((low + high) / 2, low, high, (high - low) / 6, n, 0.99)


def record(folder: Path, lesson: str = "05") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"claims-{lesson}.json").read_text(encoding="utf-8"))
    return found


def verdict_of(module: Any, measured: Any, **bounds: Any) -> str:
    """What the record says, whether or not the claim raised."""
    with contextlib.suppress(module.ClaimError):
        module.claim("05.case", SENTENCE, measured, **bounds)
    path = Path(os.environ["COURSE_RECORD_DIR"]) / "claims-05.json"
    return str(json.loads(path.read_text(encoding="utf-8"))["claims"][-1]["verdict"])


CASES: list[tuple[Any, dict[str, float], bool]] = [
    (1.0, {"at_least": 1.0}, True),
    (0.999, {"at_least": 1.0}, False),
    (1.0, {"at_most": 1.0}, True),
    (1.001, {"at_most": 1.0}, False),
    (0.5, {"at_least": 0.0, "at_most": 1.0}, True),
    (-0.1, {"at_least": 0.0, "at_most": 1.0}, False),
    (1.1, {"at_least": 0.0, "at_most": 1.0}, False),
    (2.25, {"about": 2.0, "tol": 0.25}, True),
    (2.26, {"about": 2.0, "tol": 0.25}, False),
    (1.74, {"about": 2.0, "tol": 0.25}, False),
    (3.0, {"about": 3.0, "tol": 0.0}, True),
    (-0.5, {"within": 0.5}, True),
    (-0.51, {"within": 0.5}, False),
    (0.51, {"within": 0.5}, False),
    (True, {"about": 1, "tol": 0}, True),
    (False, {"about": 1, "tol": 0}, False),
    (torch.tensor(0.25), {"at_most": 0.25}, True),
    (math.inf, {"at_least": 0.0}, True),
    (math.inf, {"at_most": 9.0}, False),
    (interval(0.1, 0.5), {"at_least": 0.1}, True),
    (interval(0.0, 0.5), {"at_least": 0.1}, False),
    (interval(0.1, 0.5), {"at_most": 0.5}, True),
    (interval(0.1, 0.6), {"at_most": 0.5}, False),
    (interval(1.8, 2.2), {"about": 2.0, "tol": 0.25}, True),
    (interval(1.8, 2.3), {"about": 2.0, "tol": 0.25}, False),
    (interval(1.7, 2.2), {"about": 2.0, "tol": 0.25}, False),
    (interval(-0.1, 0.1), {"within": 0.125}, True),
    (interval(-0.2, 0.1), {"within": 0.125}, False),
    (interval(-0.1, 0.2), {"within": 0.125}, False),
]


def check_verdicts(module: Any) -> None:
    for measured, bounds, holds in CASES:
        assert verdict_of(module, measured, **bounds) == ("holds" if holds else "fails"), (measured, bounds)


def check_nan(module: Any) -> None:
    for bounds in ({"at_least": 0.0}, {"at_most": 0.0}, {"about": 0.0, "tol": 9.0}, {"within": 9.0}):
        for measured in (math.nan, torch.tensor(math.nan), interval(math.nan, math.nan)):
            assert verdict_of(module, measured, **bounds) == "fails"


def test_every_kind_of_bound() -> None:
    check_verdicts(claims)


def test_nan_never_holds() -> None:
    check_nan(claims)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_an_interval_holds_where_both_its_ends_do(a: float, b: float, tol: float) -> None:
    low, high = sorted((a, b))
    for bounds in ({"at_least": 3.0}, {"at_most": 3.0}, {"about": 3.0, "tol": tol}, {"within": tol}):
        ends = [claims.verdict(end, **bounds) == "holds" for end in (low, high)]
        assert (claims.verdict(interval(low, high), **bounds) == "holds") == all(ends)


def test_where_it_fails_a_reader_sees_why(folder: Path) -> None:
    line = r"✗ Both take the same steps: 0\.750 \(asked ≤ 0\.5\)  05\.case\nmeasured 0\.75\n"
    with pytest.raises(ClaimError, match=f"^{line}.*docs/claim_failed.md"):
        claim("05.case", SENTENCE, 0.75, at_most=0.5)
    assert record(folder)["claims"][0]["verdict"] == "fails"  # and it is recorded all the same


def test_a_runner_collects_failures(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COURSE_COLLECT_CLAIMS", "1")
    claim("05.false", SENTENCE, 0.75, at_most=0.5)
    claim("05.true", SENTENCE, 0.25, at_most=0.5)
    assert [c["verdict"] for c in record(folder)["claims"]] == ["fails", "holds"]
    assert capsys.readouterr().out.startswith(f"✗ {SENTENCE[:-1]}: 0.750 (asked ≤ 0.5)  05.false\n✓ ")
    monkeypatch.setenv("COURSE_COLLECT_CLAIMS", "0")
    with pytest.raises(ClaimError):
        claim("05.false-again", SENTENCE, 0.75, at_most=0.5)


def check_smoke(module: Any) -> None:
    profiles.start("smoke")
    assert verdict_of(module, interval(0.0, 9.0), at_most=1.0) == "not judged"
    assert verdict_of(module, 9.0, at_most=1.0, seeds=3) == "not judged"
    assert verdict_of(module, 9.0, at_most=1.0) == "fails"
    for profile in ("standard", "full"):
        profiles.start(profile)
        assert verdict_of(module, interval(0.0, 9.0), at_most=1.0) == "fails"
        assert verdict_of(module, 9.0, at_most=1.0, seeds=3) == "fails"


def test_smoke_judges_exact_claims_only() -> None:
    check_smoke(claims)


def test_smoke_does_not_raise_for_a_sample(capsys: pytest.CaptureFixture[str]) -> None:
    profiles.start("smoke")
    claim("05.sample", SENTENCE, interval(0.0, 9.0), at_most=1.0)
    said = f"· {SENTENCE[:-1]}: 4.5 [0.0, 9.0], 12 seeds (not judged; asked ≤ 1)  05.sample\n"
    assert capsys.readouterr().out == said
    with pytest.raises(ClaimError):
        claim("05.exact", SENTENCE, 9.0, at_most=1.0)


def test_a_unit_and_digits_are_for_the_reader_only(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim("05.gain", "It gains 5.7 points.", interval(0.0473, 0.0675), at_least=0.03, unit="points")
    claim("05.share", "Two thirds of them.", 2 / 3, about=0.7, tol=0.1, unit="%", digits=2)
    assert capsys.readouterr().out.splitlines() == [
        "✓ It gains 5.7 points: 5.7 points [4.7, 6.8], 12 seeds (asked ≥ 3 points)  05.gain",
        "✓ Two thirds of them: 67% (asked 70% ± 10)  05.share",
    ]
    assert [c["bounds"] for c in record(folder)["claims"]] == [{"at_least": 0.03}, {"about": 0.7, "tol": 0.1}]
    assert record(folder)["claims"][1]["measured"] == 2 / 3


def test_a_truth_value_reads_yes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for value in (True, np.True_, torch.tensor(True)):
        claim("05.same", SENTENCE, value, about=1, tol=0)
        assert record(folder)["claims"][-1]["measured"] is True
    assert set(capsys.readouterr().out.splitlines()) == {f"✓ {SENTENCE[:-1]}: yes (asked yes)  05.same"}


# ---- folded


def check_folded(module: Any, folder: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        with module.also_checked("the rates of lesson 05"):
            for k in range(7):
                module.claim(f"05.rate-{k}", SENTENCE, k / 7, at_most=1.0)
        module.claim("05.open", SENTENCE, 0.0, at_most=1.0)
    said, after = out.getvalue().splitlines()
    assert said == "✓ 7 further statements hold: the rates of lesson 05"
    assert after.endswith("05.open")
    assert [c["visible"] for c in record(folder)["claims"]] == [False] * 7 + [True]
    assert [c["verdict"] for c in record(folder)["claims"]] == ["holds"] * 8


def test_folded_claims_are_one_line_and_recorded_each(folder: Path) -> None:
    check_folded(claims, folder)


def check_folded_failure(module: Any, folder: Path) -> None:
    out = io.StringIO()
    failing = pytest.raises(module.ClaimError, match=r"^✗ Both take the same steps: 2 .*05\.wrong")
    with failing, contextlib.redirect_stdout(out), module.also_checked("the rates"):
        module.claim("05.right", SENTENCE, 0.5, at_most=1.0)
        module.claim("05.wrong", SENTENCE, 2.0, at_most=1.0)
        module.claim("05.never", SENTENCE, 0.5, at_most=1.0)
    assert out.getvalue().splitlines() == [
        "✗ 2 further statements, 1 holds, 1 fails: the rates",
        f"✗ {SENTENCE[:-1]}: 2 (asked ≤ 1)  05.wrong",
    ]
    assert [c["id"] for c in record(folder)["claims"]] == ["05.right", "05.wrong"]
    module.claim("05.after", SENTENCE, 0.5, at_most=1.0)
    assert record(folder)["claims"][-1]["visible"]  # the fold is over


def test_a_folded_claim_that_fails_is_raised_and_shown(folder: Path) -> None:
    check_folded_failure(claims, folder)


def test_a_runner_collects_folded_failures(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COURSE_COLLECT_CLAIMS", "1")
    with also_checked():
        claim("05.wrong", SENTENCE, 2.0, at_most=1.0)
        claim("05.right", SENTENCE, 0.5, at_most=1.0)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "✗ 2 further statements, 1 holds, 1 fails"
    assert [line.split()[-1] for line in said[1:]] == ["05.wrong"]
    assert [c["verdict"] for c in record(folder)["claims"]] == ["fails", "holds"]


def test_a_fold_is_neither_empty_nor_within_another() -> None:
    with pytest.raises(ValueError, match="need a claim within also_checked"), also_checked("nothing"):
        pass
    nested = pytest.raises(ValueError, match="need no also_checked within another")
    with nested, also_checked("one"), also_checked("two"):
        pass
    with pytest.raises(ZeroDivisionError), also_checked("an error of the lesson's own"):
        raise ZeroDivisionError
    with also_checked("the next"):  # none of them left a fold open
        claim("05.one", SENTENCE, 0.5, at_most=1.0)


# ---- in a notebook


CELLS = [
    "from course_utils import plotting, profiles\n"
    "from course_utils.claims import also_checked, claim\n"
    "run = profiles.start('standard')",
    "claim('05.a', 'One.', 1.0, at_most=2)\nclaim('05.b', 'Two.', 2.0, at_most=2)",
    "print('first')\n"
    "claim('05.c', 'Three.', 1.0, at_most=2)\n"
    "figure, axes = plotting.subplots()\n"
    "plotting.show(figure, alt='An empty pair of axes, which is all that this test needs.')\n"
    "claim('05.d', 'Four.', 1.0, at_most=2)\n"
    "print('last')\n"
    "claim('05.e', 'Five.', 1.0, at_most=2)\n"
    "'result'",
    "claim('05.f', 'Six.', 1.0, at_most=2)\n"
    "with also_checked('some'):\n"
    "    claim('05.g', 'Seven.', 1.0, at_most=2)\n"
    "    claim('05.h', 'Eight.', 1.0, at_most=2)\n"
    "claim('05.i', 'Nine.', 1.0, at_most=2)",
    "import contextlib, io\n"
    "with contextlib.redirect_stdout(io.StringIO()) as out:\n"
    "    claim('05.j', 'Ten.', 1.0, at_most=2)\n"
    "print(len(out.getvalue().splitlines()))",
    "claim('05.k', 'Eleven.', 1.0, at_most=2)\nclaim('05.l', 'Twelve.', 3.0, at_most=2)\nprint('goes on')",
    "with also_checked('some'):\n"
    "    claim('05.m', 'Thirteen.', 3.0, at_most=2)\n"
    "    claim('05.n', 'Fourteen.', 1.0, at_most=2)\n"
    "print('and on')",
    "run = profiles.start('standard')\n"
    "with also_checked('some'):\n"
    "    claim('05.m', 'Thirteen.', 3.0, at_most=2)\n"
    "    claim('05.n', 'Fourteen.', 1.0, at_most=2)",
]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The cells above in a kernel, a reader's: a claim that fails stops nothing."""
    scratch = tmp_path_factory.mktemp("kernel")
    book = new_notebook(cells=[new_code_cell(source) for source in CELLS])
    settings = kernel.environment(scratch, scratch) | {"COURSE_COLLECT_CLAIMS": "", "COURSE_HEADLESS": ""}
    with kernel.variables(settings):
        NotebookClient(book, kernel_name="python3", timeout=120, allow_errors=True).execute()
    return book


def outputs(cell: Any) -> list[str]:
    """What each output of a cell is, in order: ids of claims, kind or text of the others."""
    found = []
    for output in cell.outputs:
        ids = [one["id"] for block in stored(output) for one in block.claims]
        data = output.get("data", {})
        found.append(
            " ".join(ids) or output.get("text", "").strip() or data.get("text/plain") or output.output_type
        )
    return found


def test_claims_of_a_cell_are_one_output(executed: Any) -> None:
    (output,) = executed.cells[1].outputs
    assert set(output.data) == {"text/plain", "text/html"}
    assert output.data["text/plain"].splitlines() == [
        "✓ One: 1 (asked ≤ 2)  05.a",
        "✓ Two: 2 (asked ≤ 2)  05.b",
    ]
    assert output.data["text/html"].count("<table") == 1
    assert output.data["text/html"].count("<tr ") == 2


def test_claims_stand_in_order_with_prints_figures_and_results(executed: Any) -> None:
    first, three, figure, four, last, five, result = outputs(executed.cells[2])
    assert (first, three, four, last, five, result) == ("first", "05.c", "05.d", "last", "05.e", "'result'")
    assert figure.startswith("Figure: An empty pair")


def test_a_fold_stands_among_the_claims_of_its_cell(executed: Any) -> None:
    (output,) = executed.cells[3].outputs
    lines = output.data["text/plain"].splitlines()
    assert lines[1] == "✓ 2 further statements hold: some"
    assert [line.split()[-1] for line in (lines[0], lines[2])] == ["05.f", "05.i"]
    assert [block.topic for block in stored(output)] == [None, "some", None]
    assert re.search(
        r"05\.f.*<details><summary>.*2 further.*05\.g.*05\.h.*</details>.*05\.i",
        output.data["text/html"],
        re.S,
    )


def test_a_redirected_stdout_gets_the_text(executed: Any) -> None:
    assert outputs(executed.cells[4]) == ["1"]


def test_a_reader_whose_claim_fails_is_told_of_play_and_goes_on(executed: Any) -> None:
    """Once in a run; the sentence itself is shown as one that does not hold each time."""
    claims, told, printed = executed.cells[5].outputs
    assert claims.data["text/plain"].splitlines() == [
        "✓ Eleven: 1 (asked ≤ 2)  05.k",
        "✗ Twelve: 3 (asked ≤ 2)  05.l",
    ]
    head, body, cure = told.data["text/plain"].splitlines()
    assert head == "Did you change something above? Then this is play, not an error."
    assert "every cell below still runs" in body
    assert "docs/claim_failed.md" in cure
    assert "`make lab FRESH=05`" in cure
    assert printed.text.strip() == "goes on"
    folded, printed = outputs(executed.cells[6])
    assert (folded, printed) == ("05.m 05.n", "and on")
    again = executed.cells[7].outputs
    assert "✗ Thirteen: 3 (asked ≤ 2)  05.m" in again[0].data["text/plain"]
    assert again[1].data["text/plain"].startswith("Did you change something above?"), "a new run"
    assert not [output for cell in executed.cells for output in cell.outputs if output.output_type == "error"]


def test_a_runner_is_not_told_of_play(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody plays in a run of the whole course: there the claim is collected, or it raises."""
    monkeypatch.setattr("course_utils.markup.in_notebook", lambda: True)
    monkeypatch.setattr("course_utils.markup.show", lambda *_, **__: pytest.fail("it was told"))
    monkeypatch.setenv("COURSE_HEADLESS", "1")
    with pytest.raises(ClaimError):
        claim("05.case", SENTENCE, 0.75, at_most=0.5)


def test_the_record(folder: Path) -> None:
    run = profiles.start("full", 7)
    run.sizes(steps=(5, 50, 500))
    claim("05.mean", SENTENCE, interval(0.1, 0.3), at_least=0.0, at_most=0.5, reference="Polyak (1964)")
    claim("05.exact", SENTENCE, 1 / 3, about=1 / 3, tol=1e-12, seeds=4)
    found = record(folder)
    assert list(found) == ["lesson", "profile", "seed", "device", "versions", "sizes", "claims"]
    assert (found["lesson"], found["profile"], found["seed"], found["device"]) == ("05", "full", 7, "cpu")
    assert found["versions"]["torch"] == torch.__version__
    assert found["sizes"] == {"steps": {"smoke": 5, "standard": 50, "full": 500}}
    mean, exact = found["claims"]
    assert list(mean) == [
        "id", "sentence", "kind", "measured", "bounds", "verdict", "seeds", "reference", "seconds", "used",
        "unit", "shown", "visible",
    ]  # fmt: skip
    assert (mean["unit"], mean["shown"], mean["visible"]) == ("", "0.20 [0.10, 0.30]", True)
    assert mean["measured"] == {"mean": 0.2, "low": 0.1, "high": 0.3, "n": 12, "level": 0.99}
    assert (mean["kind"], mean["seeds"], mean["reference"]) == ("statistical", 12, "Polyak (1964)")
    assert (exact["measured"], exact["kind"], exact["seeds"]) == (1 / 3, "statistical", 4)
    assert exact["bounds"] == {"about": 1 / 3, "tol": 1e-12}
    assert 0 <= mean["seconds"] <= exact["seconds"] < 60


def test_the_record_is_json_whatever_was_measured(folder: Path) -> None:
    for measured in (math.nan, math.inf, interval(math.nan, math.inf)):
        with pytest.raises(ClaimError):
            claim("05.odd", SENTENCE, measured, at_most=0.0)
        text = (folder / "claims-05.json").read_text(encoding="utf-8")

        def refuse(name: str) -> None:
            raise AssertionError(f"{name} is not JSON")

        json.loads(text, parse_constant=refuse)


def test_a_crash_leaves_the_old_record(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim("05.one", SENTENCE, 0.0, at_most=1.0)
    before = (folder / "claims-05.json").read_bytes()

    def crash(*_: object) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", crash)
        with pytest.raises(OSError, match="the disk is gone"):
            claim("05.two", SENTENCE, 0.0, at_most=1.0)
    assert [path.name for path in folder.iterdir()] == ["claims-05.json"]
    assert (folder / "claims-05.json").read_bytes() == before


def test_an_id_is_used_once_under_a_runner(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim("05.one", SENTENCE, 0.5, at_most=1.0)
    claim("05.one", SENTENCE, 0.25, at_most=1.0)  # a reader runs a cell again
    assert [c["measured"] for c in record(folder)["claims"]] == [0.25]
    monkeypatch.setenv("COURSE_HEADLESS", "1")
    with pytest.raises(ValueError, match=r"id to be used once in a lesson, got id='05\.one'"):
        claim("05.one", SENTENCE, 0.5, at_most=1.0)


def test_a_lesson_that_starts_again_starts_its_record_again(folder: Path) -> None:
    claim("05.one", SENTENCE, 0.5, at_most=1.0)
    claim("06.one", SENTENCE, 0.5, at_most=1.0)
    profiles.start("standard", 1)
    claim("05.two", SENTENCE, 0.5, at_most=1.0)
    assert [c["id"] for c in record(folder)["claims"]] == ["05.two"]
    assert [c["id"] for c in record(folder, "06")["claims"]] == ["06.one"]


@pytest.mark.parametrize(
    "id", ["5.one", "05.One", "05.", "05.a--b", "05.a_b", "05.a-", "05", "05.a b", "05.a\n"]
)
def test_ids_of_the_wrong_form(id: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=r'need an id like "05\.same-steps"'):
        claim(id, SENTENCE, 0.0, at_most=1.0)
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({}, "need a bound: at_least, at_most, about with tol, or within"),
        ({"about": 1.0}, "need about and tol together"),
        ({"tol": 1.0}, "need about and tol together"),
        ({"at_most": math.nan}, "need finite bounds"),
        ({"at_least": -math.inf}, "need finite bounds"),
        ({"about": 1.0, "tol": -1.0}, "need tol >= 0"),
        ({"within": -1.0}, "within >= 0"),
    ],
)
def test_bounds_that_say_nothing(bounds: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        claim("05.one", SENTENCE, 0.0, **bounds)


@pytest.mark.parametrize(
    ("measured", "bounds", "used"),
    [
        (0.5, {"at_most": 2.0}, 0.25),
        (4.0, {"at_least": 1.0}, 0.25),
        (0.75, {"at_least": 0.0, "at_most": 1.0}, 0.5),
        (2.1, {"about": 2.0, "tol": 0.4}, 0.25),
        (interval(-0.1, 0.3), {"within": 0.4}, 0.75),
        (interval(0.2, 0.6), {"at_least": 0.0}, 0.5),  # half width 0.2, 0.4 from the edge
        (interval(-0.6, -0.2), {"at_most": 0.0}, 0.5),
        (3.0, {"about": 3.0, "tol": 0.0}, None),
    ],
)
def test_the_share_of_a_tolerance_that_is_used(
    measured: Any, bounds: dict[str, float], used: float | None, folder: Path
) -> None:
    claim("05.one", SENTENCE, measured, **bounds)
    assert record(folder)["claims"][0]["used"] == (None if used is None else pytest.approx(used, abs=2e-6))


def test_where_records_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert claim_records.record_folder() == tmp_path
    monkeypatch.delenv("COURSE_RECORD_DIR")
    assert claim_records.record_folder() == Path(claims.__file__).resolve().parents[1] / "build"


MUTANTS = {
    "interval-by-its-high-end": ("return low >= bound", "return high >= bound", check_verdicts),
    "interval-by-its-low-end": ("return high <= bound", "return low <= bound", check_verdicts),
    "strictly-less": ("        return high <= bound", "        return high < bound", check_verdicts),
    "one-sided-tolerance": ("low >= centre - width and", "True and", check_verdicts),
    "nan-holds": ("        return low >= bound", "        return not low < bound", check_nan),
    "smoke-judges-nothing": ("if statistical and run.profile", "if run.profile", check_smoke),
    "never-judges-a-sample": ('statistical and run.profile == "smoke"', "statistical", check_smoke),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.claims", MUTANTS)


FOLD_MUTANTS = {
    "folded-and-open": (
        "    if _folded is None:\n        _show(", "    if True:\n        _show(", check_folded,
    ),
    "never-recorded-as-folded": ('"visible": _folded is None', '"visible": True', check_folded),
    "raises-nothing-within": (
        'if fails and collected in', 'if fails and _folded is None and collected in',
        check_folded_failure,
    ),
    "silent-where-it-fails": (
        "    finally:\n        _folded = None\n        if made:",
        "    finally:\n        _folded = None\n        if made and sys.exc_info()[0] is None:",
        check_folded_failure,
    ),
    "left-open": ("    finally:\n        _folded = None\n", "    finally:\n", check_folded_failure),
}  # fmt: skip


test_mistakes_in_folding_are_caught = mistakes(
    "course_utils.claims", FOLD_MUTANTS, fixtures=["folder"], also=(ValueError,)
)


# ---- largest and smallest: a NaN is never lost


def test_largest_takes_numbers_tensors_and_iterables_of_them() -> None:
    assert largest(1, torch.tensor([3.0, 2.0])) == 3.0
    assert largest(x / 2 for x in range(4)) == 1.5
    assert smallest([1.0, torch.tensor(-2.0)], 0) == -2.0
    assert isinstance(largest(torch.tensor(1.0)), float)
    with pytest.raises(ValueError, match="at least one value"):
        largest([])


@pytest.mark.parametrize("place", range(3))
def test_a_nan_is_not_dropped_and_no_claim_takes_it(place: int) -> None:
    values = [0.0, 1.0, 2.0]
    values[place] = math.nan
    assert math.isnan(largest(*map(torch.tensor, values)))
    assert math.isnan(smallest(values))
    with pytest.raises(ClaimError):
        claim("98.nan", "A NaN is small.", largest(values), at_most=1e9)
