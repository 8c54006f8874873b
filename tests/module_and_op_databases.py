"""torch's own databases of test inputs, run on our losses and layers beside torch's.

`torch.testing._internal` holds sample inputs and error inputs of every function (`op_db`) and module
(`module_db`) of torch. `cases` makes calls of ours and of torch's from them, `difference` compares one, and
`STATED` lists what may differ, each with its reason, as the docstrings give it. Nothing else may.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.common_modules import module_db
from torch.utils._pytree import tree_map

from course_utils import layers, losses

DTYPES = (torch.float64, torch.float32, torch.bfloat16)
LOSSES = {  # function of torch.nn.functional: its class in torch.nn
    "mse_loss": "MSELoss",
    "l1_loss": "L1Loss",
    "smooth_l1_loss": "SmoothL1Loss",
    "huber_loss": "HuberLoss",
    "binary_cross_entropy": "BCELoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
    "nll_loss": "NLLLoss",
    "cross_entropy": "CrossEntropyLoss",
    "multi_margin_loss": "MultiMarginLoss",
    "softmax": "Softmax",
    "log_softmax": "LogSoftmax",
}
NORMS = ("BatchNorm1d", "BatchNorm2d", "LayerNorm", "GroupNorm", "RMSNorm")
NORM_ARGUMENTS = {  # function of torch.nn.functional: what follows the input
    "layer_norm": ("normalized_shape", "weight", "bias", "eps"),
    "rms_norm": ("normalized_shape", "weight", "eps"),
    "group_norm": ("num_groups", "weight", "bias", "eps"),
    "batch_norm": ("running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
}

# What is called, what ours answers, why: the differences that the docstrings state.
STATED = [
    ("multi_margin_loss", r"need score of shape .*, got score=\(\)", "one score has no classes"),
    ("multi_margin_loss", r"got prediction=\(5,\), target=\(1,\)", "the target of scores (C) is ()"),
    ("_norm", "need eps >= 0", "a norm with eps < 0: the root may be of a negative number"),
    ("op batch_norm", "need 0 <= momentum <= 1", "batch norm with a momentum outside [0, 1]"),
    ("op batch_norm", "need a whole number num_features > 0", "batch norm without channels"),
    ("batch_norm|BatchNorm", "need more than one value per channel", "batch norm in training, of no value"),
    ("BatchNorm.d error .*'eps': 0.0", "took it", "batch norm with eps = 0 is taken: torch refuses it"),
]  # fmt: skip


@dataclass
class Case:
    """One input of a database."""

    name: str
    ours: Callable[..., Any]
    theirs: Callable[..., Any] | None  # None where torch raises
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def cases(dtype: torch.dtype) -> Iterator[Case]:
    """All inputs of both databases of which we have the function or the layer."""
    torch.manual_seed(0)
    yield from _of_functions(dtype)
    yield from _of_modules(dtype)


def _of_functions(dtype: torch.dtype) -> Iterator[Case]:
    for op in op_db:
        name = op.name.removeprefix("nn.functional.")
        if name in LOSSES:
            ours, theirs = getattr(losses, name), op.op
        elif name in NORM_ARGUMENTS:
            ours, theirs = _norm_function(name), op.op
        elif name == "dropout":
            ours, theirs = _dropout, _scaled_by_our_mask
        else:
            continue
        label = f"op {name} {op.variant_test_name}".strip()
        for s in op.sample_inputs("cpu", dtype, requires_grad=True):
            yield Case(label, ours, theirs, (s.input, *s.args), s.kwargs)
        if op.error_inputs_func is not None and dtype == torch.float32:
            for s in (error.sample_input for error in op.error_inputs("cpu")):
                yield Case(f"{label} error", ours, None, (s.input, *s.args), s.kwargs)


def _of_modules(dtype: torch.dtype) -> Iterator[Case]:
    functions = {module: function for function, module in LOSSES.items()}
    for info in module_db:
        name = info.module_cls.__name__
        if name not in functions and name not in NORMS:
            continue
        make = _loss_class(functions[name]) if name in functions else _layer_class(name)
        given = (info, "cpu", dtype, True)  # with gradients
        for training in (True, False) if name in NORMS else (True,):
            for x in info.module_inputs_func(*given, training):
                ours, theirs = make(x.constructor_input, training)
                forward = x.forward_input
                yield Case(f"module {name} {x.desc}", ours, theirs, forward.args, forward.kwargs)
        if info.module_error_inputs_func is not None and dtype == torch.float32:
            for error in info.module_error_inputs_func(*given, True):
                built, forward = (
                    error.module_error_input.constructor_input,
                    error.module_error_input.forward_input,
                )
                label = f"module {name} error {built.args} {built.kwargs}"
                args = () if forward is None else forward.args
                yield Case(label, lambda *x, make=make, built=built: make(built, True)[0](*x), None, args, {})


# ---- ours in the form of a database's entry --------------------------------------------------------------


def _dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    torch.manual_seed(0)
    return layers.Dropout(p).train(training)(x)


def _scaled_by_our_mask(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    kept = (_dropout(torch.ones_like(x), p, training) != 0).to(x.dtype)
    return x * kept / (1 - p if training and p < 1 else 1)


def _norm_function(name: str) -> Callable[..., Tensor]:
    """The layer, as a function of its weights and statistics."""

    def run(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        given = dict(zip(NORM_ARGUMENTS[name], args, strict=False)) | kwargs
        tensors = {key: given.pop(key, None) for key in ("weight", "bias", "running_mean", "running_var")}
        training, channels = given.pop("training", False), x.shape[1 if x.ndim > 1 else 0]
        layer: Any
        if name == "batch_norm":
            layer = (layers.BatchNorm2d if x.ndim == 4 else layers.BatchNorm1d)(channels, **given)
        elif name == "group_norm":
            layer = layers.GroupNorm(given.pop("num_groups"), channels, **given)
        else:
            layer = (layers.LayerNorm if name == "layer_norm" else layers.RMSNorm)(**given)
        for key, value in tensors.items():
            if hasattr(layer, key):
                delattr(layer, key)
                setattr(layer, key, value)
        return layer.train(training)(x)

    return run


def _loss_class(function: str) -> Callable[[Any, bool], tuple[Any, Any]]:
    """The settings of a class of losses are the options of our function."""

    def make(built: Any, training: bool) -> tuple[Any, Any]:
        theirs, ours = getattr(nn, LOSSES[function]), getattr(losses, function)
        settings = inspect.signature(theirs).bind(*built.args, **built.kwargs).arguments

        def class_of_torch(x: Tensor, *target: Tensor) -> Tensor:
            y: Tensor = theirs(**settings).to(x.dtype)(x, *target)
            return y

        return (lambda *x: ours(*x, **settings)), class_of_torch

    return make


def _layer_class(name: str) -> Callable[[Any, bool], tuple[Any, Any]]:
    """A layer with random weights and statistics, the same on both sides; it returns its buffers, too."""

    def make(built: Any, training: bool) -> tuple[Any, Any]:
        theirs = getattr(nn, name)(*built.args, **built.kwargs)
        ours = getattr(layers, name)(*built.args, **built.kwargs)
        for value in theirs.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.randint(64, 128, value.shape) / 64)  # sixteen bits hold it
        ours.load_state_dict(theirs.state_dict())

        def call(layer: nn.Module, x: Tensor) -> Any:
            fresh = copy.deepcopy(layer).to(x.dtype).train(training)
            return (fresh(x), *fresh.buffers())

        return (lambda x: call(ours, x)), (lambda x: call(theirs, x))

    return make


# ---- one case --------------------------------------------------------------------------------------------

Outcome = tuple[list[Tensor], list[Tensor]]  # a value and its gradients; buffers


def difference(case: Case, dtype: torch.dtype, *, derivatives: bool) -> str:
    """How ours differs from torch's; "" where it does not."""
    if case.theirs is None:
        try:
            case.ours(*case.args, **case.kwargs)
        except (ValueError, TypeError, RuntimeError):
            return ""
        return "took it"
    try:
        expected = outcome(case, case.theirs, dtype)
    except NotImplementedError:  # torch has no kernel for this dtype
        expected = None
    try:
        got = outcome(case, case.ours, dtype)
        if expected is not None:
            agree(got, expected, outcome(case, case.theirs, torch.float64), dtype)
        if dtype == torch.bfloat16 and "dropout" not in case.name:  # whose draws depend on the precision
            rounded_once(got, outcome(case, case.ours, torch.float64))
        if derivatives and dtype == torch.float64:
            check_derivatives(case)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def outcome(
    case: Case, function: Callable[..., Any], dtype: torch.dtype
) -> tuple[list[Tensor], list[Tensor]]:
    """What `function` returns and its gradients, with uneven weights; and the buffers that it changed."""
    (args, kwargs), needed = _fresh(case, dtype)
    result = function(*args, **kwargs)
    y, *buffers = result if isinstance(result, tuple) else (result,)
    uneven = torch.linspace(1, 2, y.numel()).bfloat16().reshape(y.shape).to(y.dtype)
    found = torch.autograd.grad(y, needed, uneven, allow_unused=True) if y.requires_grad else ()
    return [y.detach(), *(g for g in found if g is not None)], buffers


def _fresh(case: Case, dtype: torch.dtype) -> tuple[Any, list[Tensor]]:
    """Copies of the arguments, and which of them need a gradient."""
    needed: list[Tensor] = []

    def copied(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        new = value.detach().clone()
        new = new.to(dtype).requires_grad_(value.requires_grad) if new.is_floating_point() else new
        needed.extend([new] if new.requires_grad else [])
        return new

    return tree_map(copied, (case.args, case.kwargs)), needed


def agree(got: Outcome, expected: Outcome, wide: Outcome, dtype: torch.dtype) -> None:
    """Equal up to rounding, or nearer than torch's to what torch has in float64."""
    rtol = {torch.float64: 1e-9, torch.float32: 1e-5, torch.bfloat16: 0.03}[dtype]
    for ours, theirs, exact in zip(chain(*got), chain(*expected), chain(*wide), strict=True):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), (ours, theirs)
        error, torchs = ((t.double() - exact).abs().nan_to_num() for t in (ours, theirs))
        if not (error <= torchs).all():
            assert_close(ours, theirs, rtol=rtol, atol=rtol, equal_nan=True)
        assert torch.equal(ours.isnan(), theirs.isnan()), (ours, theirs)


def rounded_once(got: Outcome, wide: Outcome) -> None:
    """In sixteen bits ours is the exact result, rounded once."""
    half = 0.51 * torch.finfo(torch.bfloat16).eps
    for ours, exact in zip(got[0], wide[0], strict=True):
        assert_close(ours.double(), exact.double(), rtol=half, atol=1e-5, equal_nan=True)


def check_derivatives(case: Case) -> None:
    """First, forward and second derivatives against differences."""
    (args, kwargs), needed = _fresh(case, torch.float64)
    places = {id(leaf): i for i, leaf in enumerate(needed)}
    # a difference must not leave [0, 1], where targets and probabilities lie
    shares = [leaf.min() >= 0 and leaf.max() <= 1 for leaf in needed if leaf.numel()]

    def function(*leaves: Tensor) -> Tensor:
        def put(value: Any) -> Any:
            if id(value) in places:
                return leaves[places[id(value)]]
            return value.clone() if isinstance(value, Tensor) else value

        a, k = tree_map(put, (args, kwargs))
        result = case.ours(*a, **k)
        y: Tensor = result[0] if isinstance(result, tuple) else result
        return y

    if all(leaf.numel() for leaf in needed) and needed and function(*needed).requires_grad:
        inside = [
            leaf.detach().clamp(0.01, 0.99).requires_grad_() if share else leaf
            for leaf, share in zip(needed, shares, strict=True)
        ]
        gradcheck(function, inside, check_forward_ad=True, fast_mode=True)
        gradgradcheck(function, inside, fast_mode=True)


# ---- all of them -----------------------------------------------------------------------------------------


@dataclass
class Count:
    """What came of the inputs of one entry."""

    same: int = 0
    stated: int = 0


def run(
    dtype: torch.dtype, *, derivatives: bool, every: int = 1
) -> tuple[dict[str, Count], list[str], set[str]]:
    """Counts by entry; what differs and is not stated; the stated reasons that were met.

    Args:
        derivatives: whether to compare derivatives with differences, too.
        every: take each n-th input only.
    """
    counts: dict[str, Count] = {}
    unstated: list[str] = []
    met: set[str] = set()
    for number, case in enumerate(cases(dtype)):
        if number % every:
            continue
        count = counts.setdefault(" ".join(case.name.split()[:2]), Count())
        found = difference(case, dtype, derivatives=derivatives)
        reasons = [why for who, what, why in STATED if re.search(who, case.name) and re.search(what, found)]
        if not found:
            count.same += 1
        elif reasons:
            count.stated += 1
            met.update(reasons)
        else:
            unstated.append(f"{case.name}, input {number}: {found}")
    return counts, unstated, met
