"""Operations and bytes of a step, against what can be counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from course_utils import optimizers
from course_utils.diagnostics import step_cost
from tests.mutants import mistakes

N = 10
X, Y, Z = (torch.rand(N) + 1 for _ in range(3))
BOOL = torch.ones(N, dtype=torch.bool)

CASES: list[Any] = [
    pytest.param(lambda: X.add_(Y), 1, 3 * 4, id="reads two, writes one"),
    pytest.param(lambda: X.mul_(2.0), 1, 2 * 4, id="in place"),
    pytest.param(lambda: X + Y, 1, 3 * 4, id="a new tensor is written"),
    pytest.param(lambda: X.addcdiv_(Y, Z, value=0.1), 1, 4 * 4, id="addcdiv"),
    pytest.param(lambda: X.copy_(Y), 1, 2 * 4, id="a copy does not read its target"),
    pytest.param(lambda: X.zero_(), 1, 4, id="zero reads nothing"),
    pytest.param(lambda: X.view(2, 5).T, 0, 0, id="views are free"),
    pytest.param(lambda: (X * 2).sqrt(), 2, 4 * 4, id="two operations"),
    pytest.param(lambda: torch._foreach_add_([X, Y], [Y, Z]), 1, 6 * 4, id="a list is one operation"),
    pytest.param(lambda: torch._foreach_add([X, Y], [Y, Z]), 1, 6 * 4, id="a list that is new"),
    pytest.param(lambda: BOOL.logical_not(), 1, 2, id="one byte each"),
    pytest.param(lambda: torch.add(X, other=Y), 1, 3 * 4, id="named arguments"),
    pytest.param(lambda: None, 0, 0, id="nothing"),
]  # fmt: skip


def check_case(module: Any, step: Callable[[], object], operations: int, per_entry: int) -> None:
    found = module.step_cost(step)
    assert (found.operations, found.bytes) == (operations, per_entry * N)


@pytest.mark.parametrize(("step", "operations", "per_entry"), CASES)
def test_counts_by_hand(step: Callable[[], object], operations: int, per_entry: int) -> None:
    check_case(step_cost, step, operations, per_entry)


def made(make: Callable[[list[Tensor]], torch.optim.Optimizer]) -> torch.optim.Optimizer:
    params = [torch.ones(4, 3, requires_grad=True), torch.ones(7, requires_grad=True)]
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer = make(params)
    optimizer.step()
    return optimizer


def check_fused(module: Any) -> None:
    """Adam reads p, g, m, v and writes p, m, v: seven tensors, and a step counter for each parameter."""
    adam = made(lambda p: torch.optim.Adam(p, fused=True))
    found = module.step_cost(adam.step)
    counters = 2 * (2 * 4) + 2 * 4  # raised by one, then read
    assert found.bytes == 7 * 19 * 4 + counters
    sgd = made(lambda p: torch.optim.SGD(p, momentum=0.9, fused=True))
    assert module.step_cost(sgd.step).bytes == module.least_bytes(19, 5) == 5 * 19 * 4


def test_a_fused_step_is_the_least_there_is() -> None:
    check_fused(step_cost)


def test_a_step_of_ours_costs_as_much_for_each_tensor() -> None:
    adam = made(lambda p: optimizers.Adam(p))
    found = step_cost.step_cost(adam.step)
    assert found.operations == 7 * 2
    assert found.bytes == 19 * 19 * 4
    flat = made(lambda p: optimizers.Adam(optimizers.FlatParameters(p).parameters()))
    assert step_cost.step_cost(flat.step).operations == 7


def check_ways(module: Any) -> None:
    """Each way as a step made by hand costs."""
    found = module.adam_ways(lambda: nn.Linear(3, 4))
    plain = made(lambda p: optimizers.Adam(p))
    assert list(found) == ["plain", "foreach", "fused", "flat"]
    assert found["plain"].operations == module.step_cost(plain.step).operations == 14
    assert found["flat"].operations == 7
    assert found["fused"].operations < found["foreach"].operations <= found["plain"].operations + 5
    assert found["fused"].bytes < 1.3 * module.least_bytes(16, 7)
    assert found["plain"].bytes == 19 * 16 * 4


def test_adam_in_four_ways() -> None:
    check_ways(step_cost)


def test_the_step_is_taken_once() -> None:
    x = torch.zeros(3)
    step_cost.step_cost(lambda: x.add_(1))
    assert x.tolist() == [1.0] * 3


def case(step: Callable[[], object], operations: int, per_entry: int) -> Callable[[Any], None]:
    return lambda module: check_case(module, step, operations, per_entry)


MUTANTS: dict[str, tuple[str, str, Callable[[Any], None]]] = {
    "writes-not-counted": ("(read + written)", "read", case(lambda: X.add_(Y), 1, 12)),
    "views-counted": ("func.is_view or", "", case(lambda: X.view(2, 5), 0, 0)),
    "a-copy-reads-its-target": ("name in _ONLY_WRITE", "False", case(lambda: X.copy_(Y), 1, 8)),
    "results-not-counted": ("if returned.alias_info is None:", "if False:", case(lambda: X + Y, 1, 12)),
    "fused-writes-gradients": ('name.startswith("_fused_") and', "False and", check_fused),
    "the-first-step-counted": ("optimizer.step()  # makes the state", "pass", check_ways),
    "no-gradients": ("p.grad = torch.ones_like(p)", "pass", check_ways),
    "entries-not-bytes": ("* t.element_size()", "", case(lambda: X.add_(Y), 1, 12)),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.diagnostics.step_cost", MUTANTS)
