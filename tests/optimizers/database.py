"""torch's own database of optimizers, run on ours beside torch's.

`torch.testing._internal.common_optimizers.optim_db` holds, for every optimizer of torch, settings to try,
settings that must be refused, schedulers to combine it with, and which implementations, gradients and dtypes
it takes. `cases` makes runs of ours and of torch's from them, `difference` compares one, bit for bit at every
step, and `STATED` lists what may differ, each with its reason, as the docstrings give it. Nothing else may.
Of torch's other optimizers (`NOT_OURS`) there is no equivalent here.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest import TestCase, mock

import torch
from torch import Tensor, nn

from course_utils import optimizers

try:
    import expecttest  # noqa: F401
except ModuleNotFoundError:  # torch's modules of tests import it; nothing that is used here needs it
    sys.modules["expecttest"] = SimpleNamespace(TestCase=TestCase)  # type: ignore[assignment]

# Importing torch's modules of tests would freeze switches that other tests of this process set.
with mock.patch.object(torch.backends, "disable_global_flags"):
    from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
STEPS = 12
NOT_OURS = {"ASGD", "Adafactor", "Adamax", "LBFGS", "NAdam", "RAdam", "Rprop", "SparseAdam"}

# What is run, what ours answers, why: the differences that the docstrings state.
STATED = [
    (
        "",
        "need (foreach|fused|capturable|differentiable)=None or False",
        "one implementation, written to be read; FlatParameters is the fast path",
    ),
    ("", "need plain numbers as hyperparameters", "hyperparameters are plain numbers, not tensors"),
    ("complex", "need real floating-point parameters", "parameters are real"),
    ("Muon error only support 2D", "took it", "Muon steps filters of convolutions as matrices"),
]


@dataclass
class Case:
    """One entry of the database: what both optimizers are given."""

    name: str
    info: Any
    dtype: torch.dtype
    kwargs: dict[str, Any] = field(default_factory=dict)
    error: Any = None
    schedulers: list[Any] = field(default_factory=list)
    sparse: bool = False
    complex: bool = False


def type_name(info: Any) -> str:
    """Of the optimizer; torch calls its class an instance."""
    return str(info.optim_cls.__name__)


def cases(dtype: torch.dtype) -> Iterator[Case]:
    """All runs for one dtype; errors, gradients of other kinds and schedulers in float64 only."""
    for info in optim_db:
        name = type_name(info)
        if name in NOT_OURS:
            continue
        settings: dict[str, dict[str, Any]] = {"default": {}}
        for device in ("cpu", "cuda"):  # the settings for a GPU: what they ask for is refused everywhere
            for given in info.optim_inputs_func(device, dtype):
                settings[f"{given.desc} {given.kwargs}"] = given.kwargs
        for what, kwargs in settings.items():
            yield Case(f"{name} {what}", info, dtype, kwargs)
        for switch in info.supported_impls:
            yield Case(f"{name} {switch}", info, dtype, {switch: True})
        if dtype != torch.float64:
            continue
        for error in info.optim_error_inputs_func("cpu", dtype):
            given = error.optimizer_error_input
            yield Case(f"{name} error {given.desc}", info, dtype, given.kwargs, error)
        for number, schedulers in enumerate(info.scheduler_inputs):
            yield Case(f"{name} schedulers {number}", info, dtype, {}, schedulers=schedulers)
        if info.supports_sparse:
            kwargs, schedulers = info.metadata_for_sparse
            yield Case(f"{name} sparse", info, dtype, kwargs, schedulers=schedulers, sparse=True)
        if info.supports_complex:
            yield Case(f"{name} complex", info, dtype, complex=True)


def parameters(case: Case) -> list[nn.Parameter]:
    """Matrices for Muon; elsewhere also a vector, a number, an empty one, and other orders in memory."""
    generator = torch.Generator().manual_seed(1)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(case.dtype)

    if case.complex:
        return [nn.Parameter(torch.complex(random(2, 3), random(2, 3)))]
    made = [random(4, 3), random(5, 7).t(), random(3, 33)]
    if case.info.optim_cls is not torch.optim.Muon and not case.sparse:
        images = random(2, 3, 4, 5).to(memory_format=torch.channels_last)
        made += [random(7), random(), images, random(0), random(37)]
    return [nn.Parameter(x) for x in made]


def gradients(case: Case, params: list[nn.Parameter], step: int) -> None:
    """Sizes from 1 to 1e-6, some missing, some in another order of memory than p, one row repeated."""
    generator = torch.Generator().manual_seed(step)
    for index, p in enumerate(params):
        g = torch.randn(p.shape, generator=generator, dtype=torch.float64) * 100.0 ** -(index % 4)
        g = g.to(p.dtype)
        if case.sparse:
            g[(step + index) % len(g)] = 0
            g = g.to_sparse(1)
        elif index % 3 == 1:
            g = g.contiguous()
        elif index % 3 == 2 and g.ndim:
            g = g[:1].expand_as(g)
        p.grad = None if (index + step) % 5 == 4 else g


def difference(case: Case) -> str:
    """How ours differs from torch's; "" where it does not."""
    ours = getattr(optimizers, case.info.optim_cls.__name__)
    if case.error is not None:
        return _error(case, ours)
    a, b = parameters(case), parameters(case)
    try:
        one = ours(a, **case.kwargs)
    except ValueError as problem:
        return f"ValueError: {problem}"
    other = case.info.optim_cls(b, **case.kwargs)
    schedules = [[make(optimizer) for make in case.schedulers] for optimizer in (one, other)]
    for step in range(STEPS):
        for params, optimizer, its in ((a, one, schedules[0]), (b, other, schedules[1])):
            gradients(case, params, step)
            optimizer.step()
            for schedule in its:
                plateau = isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau)
                schedule.step(1.0) if plateau else schedule.step()
        if one.param_groups[0]["lr"] != other.param_groups[0]["lr"]:
            return f"another rate after step {step}"
        for index, (p, q) in enumerate(zip(a, b, strict=True)):
            if not _same(p, q, case):
                return f"parameter {index} after step {step}"
            begun = other.state[q] if p in one.state else {}  # torch's Adagrad begins before any gradient
            for key, value in begun.items():
                if not _same(torch.as_tensor(one.state[p][key]), torch.as_tensor(value), case):
                    return f"{key} of parameter {index} after step {step}"
    return ""


def _same(ours: Tensor, theirs: Tensor, case: Case) -> bool:
    theirs = theirs.to_dense() if theirs.layout != torch.strided else theirs
    if case.sparse:  # torch squares the entries that are there, one by one
        return torch.allclose(ours, theirs.to(ours.dtype), rtol=1e-12, atol=1e-12)
    return torch.equal(ours.nan_to_num(7e4), theirs.to(ours.dtype).nan_to_num(7e4))


def _error(case: Case, ours: Any) -> str:
    """Ours must refuse what torch refuses, when torch does, with the same type; or warn where it warns."""
    given, kind = case.error.optimizer_error_input, case.error.error_type
    params = parameters(case) if given.params is None else given.params
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            optimizer = ours(params, **given.kwargs)
            if case.error.error_on == OptimizerErrorEnum.STEP_ERROR:
                optimizer.step()
    except Exception as problem:
        if type(problem) is kind:
            return ""
        return f"{type(problem).__name__}, not {kind.__name__}: {problem}"
    return "took it"


@dataclass
class Count:
    """What came of the runs of one optimizer; `same` are those equal at every step."""

    same: int = 0
    refused: int = 0  # as torch refuses them, in the same moment, or with its warning
    sparse: int = 0  # equal to 1e-12: torch squares the entries that are there, one by one
    stated: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def run(dtype: torch.dtype, *, every: int = 1) -> tuple[dict[str, Count], list[str], set[str]]:
    """Counts by optimizer; what differs and is not stated; the stated reasons that were met.

    Args:
        every: take each n-th run only.
    """
    counts: dict[str, Count] = {}
    unstated: list[str] = []
    met: set[str] = set()
    for number, case in enumerate(cases(dtype)):
        if number % every:
            continue
        count = counts.setdefault(case.name.split()[0], Count())
        found = difference(case)
        reasons = [why for who, what, why in STATED if re.search(who, case.name) and re.search(what, found)]
        if not found:
            count.refused += case.error is not None
            count.sparse += case.sparse
            count.same += case.error is None and not case.sparse
        elif reasons:
            count.stated += 1
            met.update(reasons)
        else:
            unstated.append(f"{case.name} in {dtype}: {found}")
    return counts, unstated, met
