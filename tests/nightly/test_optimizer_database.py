"""All of torch's database of optimizers: settings, errors, schedulers, sparse gradients."""

from __future__ import annotations

import pytest
import torch

from tests.optimizers import database

Run = tuple[dict[str, database.Count], list[str], set[str]]


@pytest.fixture(scope="module")
def runs() -> dict[torch.dtype, Run]:
    return {dtype: database.run(dtype) for dtype in database.DTYPES}


@pytest.mark.parametrize("dtype", database.DTYPES)
def test_every_run_is_torch_s_to_the_bit_or_a_stated_departure(
    runs: dict[torch.dtype, Run], dtype: torch.dtype
) -> None:
    counts, unstated, _ = runs[dtype]
    assert not unstated
    for name, count in counts.items():
        print(f"{name:9} {dtype}: {count.same} as torch's, {count.stated} by design not")


def test_every_stated_departure_is_met(runs: dict[torch.dtype, Run]) -> None:
    met = set().union(*(run[2] for run in runs.values()))
    assert met == {why for *_, why in database.STATED}


def test_no_optimizer_of_torch_is_passed_over(runs: dict[torch.dtype, Run]) -> None:
    names = {database.type_name(info) for info in database.optim_db}
    assert names == database.NOT_OURS | runs[torch.float64][0].keys()
