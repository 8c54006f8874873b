"""All of torch's test inputs for functions and modules, on ours and on torch's: `make databases`.

Writes docs/torch_databases.md, which says how many are as torch's and what differs by design.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from course_utils._files import write_whole
from tests import module_and_op_databases as databases

PAGE = Path(__file__).parents[2] / "docs" / "torch_databases.md"
Run = tuple[dict[str, databases.Count], list[str], set[str]]


@pytest.fixture(scope="module")
def runs() -> dict[torch.dtype, Run]:
    return {dtype: databases.run(dtype, derivatives=True) for dtype in databases.DTYPES}


@pytest.mark.parametrize("dtype", databases.DTYPES)
def test_every_input_is_as_torchs_or_a_stated_departure(
    runs: dict[torch.dtype, Run], dtype: torch.dtype
) -> None:
    assert not runs[dtype][1]


def test_every_stated_departure_is_met(runs: dict[torch.dtype, Run]) -> None:
    met = set().union(*(run[2] for run in runs.values()))
    assert met == {why for *_, why in databases.STATED}


def test_the_page_of_counts(runs: dict[torch.dtype, Run]) -> None:
    write_whole(PAGE, page({dtype: run[0] for dtype, run in runs.items()}))


def page(counts: dict[torch.dtype, dict[str, databases.Count]]) -> str:
    """docs/torch_databases.md: inputs of each entry, as torch's and departing, over all dtypes."""
    rows: dict[str, databases.Count] = {}
    for of_dtype in counts.values():
        for entry, count in of_dtype.items():
            row = rows.setdefault(entry, databases.Count())
            row.same += count.same
            row.stated += count.stated
    total = databases.Count(sum(r.same for r in rows.values()), sum(r.stated for r in rows.values()))
    lines = [
        "# PyTorch's own test inputs",
        "",
        "PyTorch keeps inputs for every function and every module, to test itself: samples and errors. Our",
        "losses and layers run on all of them beside PyTorch's, in float64, float32 and bfloat16. Values and",
        "gradients must agree; in float64 first, forward and second derivatives are compared with",
        "differences, too. `make databases` runs all and makes this table; `make test` runs every fifth.",
        "",
        "| Entry | As PyTorch's | By design not |",
        "|---|---|---|",
    ]
    lines += [f"| {entry} | {row.same} | {row.stated or ''} |" for entry, row in sorted(rows.items())]
    lines += [f"| **all** | **{total.same}** | **{total.stated}** |", "", "What differs, by design:", ""]
    lines += [f"- {why}" for why in dict.fromkeys(why for *_, why in databases.STATED)]
    return "\n".join(lines) + "\n"
