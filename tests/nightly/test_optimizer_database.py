"""All of torch's database of optimizers: settings, errors, schedulers, sparse gradients. `make databases`.

Writes docs/torch_optimizer_database.md, which says how many runs are as torch's and what differs by design.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from course_utils._files import write_whole
from tests.optimizers import database

PAGE = Path(__file__).parents[2] / "docs" / "torch_optimizer_database.md"
Run = tuple[dict[str, database.Count], list[str], set[str]]


@pytest.fixture(scope="module")
def runs() -> dict[torch.dtype, Run]:
    return {dtype: database.run(dtype) for dtype in database.DTYPES}


@pytest.mark.parametrize("dtype", database.DTYPES)
def test_every_run_is_torch_s_to_the_bit_or_a_stated_departure(
    runs: dict[torch.dtype, Run], dtype: torch.dtype
) -> None:
    assert not runs[dtype][1]


def test_every_stated_departure_is_met(runs: dict[torch.dtype, Run]) -> None:
    met = set().union(*(run[2] for run in runs.values()))
    assert met == {why for *_, why in database.STATED}


def test_no_optimizer_of_torch_is_passed_over(runs: dict[torch.dtype, Run]) -> None:
    names = {database.type_name(info) for info in database.optim_db}
    assert names == database.NOT_OURS | runs[torch.float64][0].keys()


def test_the_page_of_counts(runs: dict[torch.dtype, Run]) -> None:
    write_whole(PAGE, page([run[0] for run in runs.values()]))


def page(counts: list[dict[str, database.Count]]) -> str:
    """docs/torch_optimizer_database.md: what came of the runs of each optimizer, over all dtypes."""
    rows: dict[str, database.Count] = {}
    for of_dtype in counts:
        for name, count in of_dtype.items():
            rows[name] = rows.get(name, database.Count()) + count
    total = sum(rows.values(), database.Count())
    lines = [
        "# PyTorch's own test inputs for optimizers",
        "",
        "PyTorch keeps settings for every optimizer, to test itself, with those that must be refused and",
        "schedulers to combine. Our optimizers make the same steps from them beside PyTorch's: twelve, on",
        "tensors of several shapes and orders in memory, with missing gradients, in float64, float32,",
        "bfloat16 and float16. Parameters and state must be equal to the last bit after each step.",
        "`make databases` runs all and makes this table; `make test` runs every third. For losses and layers",
        "there is [another](torch_databases.md).",
        "",
        "| Optimizer | Runs | Equal to the bit | Refused alike | Sparse, within 1e-12 | By design not |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_row(name, count) for name, count in sorted(rows.items())]
    lines += [_row("**all**", total), "", "What differs, by design:", ""]
    lines += [f"- {why}" for why in dict.fromkeys(why for *_, why in database.STATED)]
    lines += ["", f"PyTorch's others have no equivalent here: {', '.join(sorted(database.NOT_OURS))}."]
    return "\n".join(lines) + "\n"


def _row(name: str, count: database.Count) -> str:
    cells = (
        count.same + count.refused + count.sparse + count.stated,
        count.same,
        count.refused,
        count.sparse,
        count.stated,
    )
    return f"| {name} | {' | '.join(str(cell or '') for cell in cells)} |"
