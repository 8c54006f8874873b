"""What a step of an optimizer asks of the machine: how many operations, and how many bytes they touch.

Time depends on the machine, these counts do not. A step over many short tensors is slow because each
operation has a price of its own; one over long tensors because each byte has to come from memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from course_utils.optimizers import Adam, FlatParameters

_ONLY_WRITE = {"copy_", "zero_", "fill_"}  # what they change they do not read


@dataclass(frozen=True)
class StepCost:
    """`operations` that reach torch's kernels, and the `bytes` that they read and write in all."""

    operations: int
    bytes: int


def step_cost(step: Callable[[], object]) -> StepCost:
    """Count the operations of one call, and the bytes that they touch.

    An operation counts once, whether its operand is one tensor or a list of them (torch's `_foreach_` and
    `_fused_` families). Its bytes are those of the tensors it reads, plus those it writes; what stays in a
    cache between two operations counts as often as it is touched. Views move nothing and do not count, and
    neither does what a kernel does inside.

    Args:
        step: such as `optimizer.step`. It is called once: take one step before, which makes the state.
    """
    counter = _Counter()
    with counter:
        step()
    return StepCost(counter.operations, counter.bytes)


def adam_ways(make: Callable[[], nn.Module]) -> dict[str, StepCost]:
    """What one step of Adam costs in four ways: one tensor after another, in lists, fused, in one buffer.

    Args:
        make: a module, the same each time; its gradients are set to one.
    """
    ways: dict[str, Callable[[nn.Module], Any]] = {
        "plain": lambda module: Adam(module.parameters()),
        "foreach": lambda module: torch.optim.Adam(module.parameters(), foreach=True),
        "fused": lambda module: torch.optim.Adam(module.parameters(), fused=True),
        "flat": lambda module: Adam(FlatParameters(module).parameters()),
    }
    counts = {}
    for way, optimizer_of in ways.items():
        module = make()
        for p in module.parameters():
            p.grad = torch.ones_like(p)
        optimizer = optimizer_of(module)
        optimizer.step()  # makes the state
        counts[way] = step_cost(optimizer.step)
    return counts


class _Counter(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations = self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        schema = func._schema
        library, _, name = schema.name.rpartition("::")
        if func.is_view or library != "aten":  # a profiler's marks are operations too, of another library
            return result
        self.operations += 1
        given = dict(zip((a.name for a in schema.arguments), args, strict=False)) | kwargs
        for argument in schema.arguments:
            written = argument.alias_info is not None and argument.alias_info.is_write
            if name.startswith("_fused_") and argument.name == "grads" and given.get("grad_scale") is None:
                written = False  # it may write gradients, and does so to unscale them
            read = not (written and name in _ONLY_WRITE)
            self.bytes += (read + written) * _bytes(given.get(argument.name))
        results = [result] if len(schema.returns) == 1 else result
        for returned, value in zip(schema.returns, results or (), strict=True):
            if returned.alias_info is None:  # else it is an argument, counted above
                self.bytes += _bytes(value)
        return result


def _bytes(value: object) -> int:
    return sum(t.numel() * t.element_size() for t in _each(value) if isinstance(t, Tensor))


def _each(value: object) -> list[Any] | tuple[Any, ...]:
    return value if isinstance(value, list | tuple) else [value]


def least_bytes(entries: int, tensors: int, *, dtype: torch.dtype = torch.float32) -> int:
    """What a step cannot do without: each of so many tensors of a parameter's size read or written once.

    Args:
        entries: number of parameters. tensors: SGD 3 (read p and g, write p), with momentum 5, Adam 7.
    """
    return entries * tensors * dtype.itemsize
