"""Mixed precision: formats against torch.finfo, rounding against casts, decisions against torch's scaler."""

from __future__ import annotations

import copy
import inspect
import io
import math
import pickle
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from course_utils.mixed_precision import GradScaler, autocast_policy, float_format, round_to
from tests.mutants import mistakes

# no shrinking: the mutation table would spend its time on it, and the scripts are short
SETTINGS = settings(max_examples=40, deadline=None, derandomize=True, phases=(Phase.generate,))
FORMATS, SCALER = "course_utils.mixed_precision.formats", "course_utils.mixed_precision.grad_scaler"
DTYPES = [torch.float16, torch.bfloat16, torch.float8_e5m2, torch.float8_e4m3fn]
ALL = [torch.float32, "tf32", *DTYPES]
named = {"ids": lambda d: str(d).removeprefix("torch.")}

# Formats


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, *DTYPES], **named)
def test_format_agrees_with_finfo(dtype: torch.dtype) -> None:
    ours, info = float_format(dtype), torch.finfo(dtype)
    assert (ours.name, ours.bits) == (str(dtype)[6:], info.bits)
    assert (ours.max, ours.eps, ours.smallest_normal) == (info.max, info.eps, info.smallest_normal)
    assert 1 + ours.exponent + ours.mantissa == ours.bits
    assert ours.max == (2 - (1 if ours.has_inf else 2) * ours.eps) * 2.0**ours.max_exponent


@pytest.mark.parametrize("dtype", DTYPES, **named)
def test_smallest_subnormal_is_the_first_bit_pattern(dtype: torch.dtype) -> None:
    integer = torch.int16 if dtype.itemsize == 2 else torch.int8
    assert torch.tensor([1], dtype=integer).view(dtype).item() == float_format(dtype).smallest_subnormal


def test_tf32_is_float32_with_a_shorter_mantissa() -> None:
    ours, wide = float_format("tf32"), float_format(torch.float32)
    assert (ours.bits, ours.exponent, ours.mantissa) == (19, 8, 10)
    assert (ours.smallest_normal, ours.smallest_subnormal) == (wide.smallest_normal, 2.0**-136)
    assert (ours.eps, ours.max) == (2.0**-10, (2 - 2.0**-10) * 2.0**127)


# Rounding


def grid(dtype: torch.dtype | str) -> Tensor:
    """float32 values of both signs around every kind of place in the format.

    Numbers of the format in every binade, subnormals included, the ties between neighbours, the float32
    values next to both, overflow and its tie, zeros, infinities, NaN; and random bit patterns.
    """
    fmt = float_format(dtype)
    steps = 2.0 ** torch.arange(
        fmt.min_exponent - fmt.mantissa - 2, fmt.max_exponent + 2, dtype=torch.float64
    )
    k = torch.arange(0, 2 ** min(fmt.mantissa + 2, 8), dtype=torch.float64)
    points = torch.cat(
        [
            (
                steps[:, None] * (1 + k / 2 ** (fmt.mantissa + 1))
            ).flatten(),  # numbers and ties near powers of two
            (steps[:, None] * (2 - k / 2 ** (fmt.mantissa + 1))).flatten(),
            fmt.smallest_subnormal * torch.arange(0, 64, dtype=torch.float64) / 4,
            torch.tensor([fmt.max, fmt.max * (1 + fmt.eps / 8), math.inf, math.nan], dtype=torch.float64),
            (1 + torch.tensor([0.25, 0.5, 0.75, 1.0, 2.0], dtype=torch.float64) * fmt.eps / 2) * fmt.max,
        ]
    ).float()
    around = torch.cat(
        [points, *(torch.nextafter(points, torch.tensor(end)) for end in (math.inf, -math.inf))]
    )
    bits = torch.randint(-(2**31), 2**31, (20_000,), generator=torch.Generator().manual_seed(0))
    return torch.cat([around, -around, bits.to(torch.int32).view(torch.float32)])


def same_bits(ours: Tensor, theirs: Tensor) -> None:
    """Equal as bit patterns, signs of zeros included; any NaN equals any other."""
    assert ours.dtype == theirs.dtype == torch.float32
    assert torch.equal(ours.isnan(), theirs.isnan())
    kept = ~ours.isnan()
    assert torch.equal(ours[kept].view(torch.int32), theirs[kept].view(torch.int32))


def tf32_by_bits(x: Tensor) -> Tensor:
    """Round the last 13 bits away, half to even, in integers; a carry runs into the exponent."""
    bits = x.view(torch.int32).long() & 0xFFFFFFFF
    rounded = (bits + 0xFFF + ((bits >> 13) & 1)) & 0xFFFFE000
    signed = torch.where(rounded >= 2**31, rounded - 2**32, rounded).to(torch.int32).view(torch.float32)
    return torch.where(x.isfinite(), signed, x)


def check_rounding(m: Any) -> None:
    for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2):
        x = grid(dtype)
        same_bits(m.round_to(x, dtype), x.to(dtype).float())
    x = grid("tf32")
    same_bits(m.round_to(x, "tf32"), tf32_by_bits(x))
    x = grid(torch.float8_e4m3fn)
    cast = x.to(torch.float8_e4m3fn).float()
    torch_saturates = not bool(
        torch.tensor(1e9).to(torch.float8_e4m3fn).float().isnan()
    )  # 2.13 does, 2.9 did not
    same_bits(m.round_to(x, torch.float8_e4m3fn, saturate=torch_saturates), cast)


def test_rounding_agrees_with_casts_over_a_grid() -> None:
    check_rounding(import_module(FORMATS))


@pytest.mark.parametrize("dtype", ALL, **named)
def test_grid_is_not_vacuous(dtype: Any) -> None:
    x, fmt = grid(dtype), float_format(dtype)
    subnormal = (x.abs() > 0) & (x.abs() < fmt.smallest_normal)
    assert int(subnormal.sum()) > 100
    assert int((x.abs() > fmt.max).sum()) > 2
    if dtype == torch.float32:
        return  # nothing to round, so no ties
    spacing = torch.frexp(x.double()).exponent - 1
    scaled = x.double() / 2.0 ** (spacing.clamp(min=fmt.min_exponent).double() - fmt.mantissa)
    assert int((scaled.abs() % 1 == 0.5).sum()) > 100


@SETTINGS
@given(st.floats(width=32), st.sampled_from(ALL))
def test_rounding_is_nearest_idempotent_and_odd(value: float, dtype: Any) -> None:
    x = torch.tensor([value])
    y = round_to(x, dtype)
    same_bits(round_to(y, dtype), y)
    same_bits(round_to(-x, dtype), -y)
    fmt = float_format(dtype)
    if abs(value) <= fmt.max:
        spacing = 2.0 ** (max(math.frexp(value)[1] - 1, fmt.min_exponent) - fmt.mantissa)
        assert abs(y.double().item() - value) <= spacing / 2


def test_overflow_rules() -> None:
    x = torch.tensor([449.0, 464.0, 465.0, 1e9, -1e9, math.inf, -math.inf])
    assert round_to(x, torch.float8_e4m3fn).tolist() == [448, 448, 448, 448, -448, 448, -448]
    not_saturated = round_to(x, torch.float8_e4m3fn, saturate=False)
    assert not_saturated[:2].tolist() == [448, 448]  # 464 is the tie, and 448 is even
    assert not_saturated[2:].isnan().all()
    assert round_to(x[3:], torch.float8_e5m2).tolist() == [math.inf, -math.inf] * 2
    assert round_to(x[3:], torch.float8_e5m2, saturate=True).tolist() == [57344, -57344] * 2
    assert round_to(torch.tensor([math.nan]), torch.float8_e4m3fn, saturate=True).isnan().all()


def test_float64_is_rounded_once() -> None:
    """Just above a float16 tie by less than float32 sees: one rounding goes up, two would go to even."""
    x = torch.tensor([1 + 2.0**-11 + 2.0**-40], dtype=torch.float64)
    assert round_to(x, torch.float16).item() == 1 + 2.0**-10
    assert x.float().half().item() == 1.0
    assert round_to(x, torch.float64).item() == x.item()


def test_rounding_keeps_type_shape_and_input() -> None:
    x = torch.rand(2, 3, requires_grad=True)
    y = round_to(x, "tf32")
    assert (y.dtype, y.shape, y.requires_grad) == (torch.float32, x.shape, False)
    half = torch.tensor([1.0, 2.5], dtype=torch.float16)
    assert round_to(half, torch.float8_e5m2).dtype == torch.float32
    assert round_to(torch.zeros(0), torch.float16).shape == (0,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: float_format(torch.int8),
            r'need one of float64, .*, got dtype=torch.int8; give a torch dtype, or "tf32"',
        ),
        (lambda: float_format("fp16"), "got dtype='fp16'"),
        (
            lambda: round_to(torch.arange(3), torch.float16),
            r"need x of a floating-point dtype, got dtype=torch.int64; .*x.float\(\)",
        ),
    ],
)
def test_bad_formats(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# Loss scaling: the same script for torch's scaler and ours, everything visible compared after every line

OPERATIONS = ["scale", "backward", "overflow", "nan", "unscale", "clip", "step", "update", "resume"]
SCRIPTS = st.lists(st.sampled_from(OPERATIONS), max_size=20)
ITERATIONS = st.lists(st.sampled_from(["good", "overflow", "nan", "clipped"]), max_size=12)
LINES = {
    "good": ["scale", "backward", "step", "update"],
    "overflow": ["scale", "overflow", "step", "update"],
    "nan": ["scale", "nan", "unscale", "step", "update"],
    "clipped": ["scale", "backward", "unscale", "clip", "step", "update"],
}


class Side:
    """One scaler with a model and optimizer of its own, driven by the words of a script."""

    def __init__(self, make: Callable[..., Any], device: str, optimizer: Any = None, **kwargs: Any) -> None:
        self.make = lambda: make(device, **kwargs)
        self.scaler = self.make()
        torch.manual_seed(0)
        self.model = nn.Linear(3, 1).to(device)
        self.optimizer = (optimizer or (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)))(
            self.model.parameters()
        )
        self.loss: Tensor | None = None
        self.x = torch.tensor([[0.5, -1.0, 2.0]], device=device)

    def run(self, word: str) -> Any:
        if word == "scale":
            self.optimizer.zero_grad()
            self.loss = self.scaler.scale(self.model(self.x).square().mean())
            return float(self.loss.detach())
        if word in ("backward", "overflow", "nan"):
            if self.loss is None:
                return None
            self.loss.backward()
            self.loss = None
            if word != "backward":
                self.model.weight.grad[0, 1] = math.inf if word == "overflow" else math.nan
        elif word == "unscale":
            self.scaler.unscale_(self.optimizer)
        elif word == "clip":
            return float(nn.utils.clip_grad_norm_(self.model.parameters(), 0.1))
        elif word == "step":
            return self.scaler.step(self.optimizer)
        elif word == "update":
            self.scaler.update()
            self.loss = None  # torch writes the scale in place, so backward must come before update
        elif word == "resume":
            state = self.scaler.state_dict()
            self.scaler = self.make()
            self.scaler.load_state_dict(state)
        return None

    def visible(self) -> list[Any]:
        tensors = list(self.model.parameters()) + [p.grad for p in self.model.parameters()]
        return [self.scaler.state_dict(), self.scaler.get_scale()] + [
            None if t is None else t.detach().cpu().view(torch.int32).tolist() for t in tensors
        ]


def check_script(ours: Callable[..., Any], words: list[str], device: str = "cpu", **kwargs: Any) -> Side:
    sides = [Side(ours, device, **kwargs), Side(torch.amp.GradScaler, device, **kwargs)]
    for word in words:
        results: list[Any] = []
        for side in sides:
            try:
                results.append(repr(side.run(word)))
            except (RuntimeError, AssertionError):
                results.append("error")
        assert results[0] == results[1], (word, results)
        assert sides[0].visible() == sides[1].visible(), word
    return sides[0]


def check_decisions(m: Any) -> None:
    @SETTINGS
    @given(ITERATIONS, st.sampled_from([2.0, 1.7, 3.0]), st.sampled_from([0.5, 0.3]), st.integers(1, 4))
    def iterations(words: list[str], growth: float, backoff: float, interval: int) -> None:
        script = [line for word in words for line in LINES[word]]
        settings_ = {"growth_factor": growth, "backoff_factor": backoff, "growth_interval": interval}
        check_script(m.GradScaler, script, init_scale=1024.0, **settings_)

    iterations()


def check_any_order(m: Any) -> None:
    @settings(SETTINGS, max_examples=80)
    @given(SCRIPTS)
    def scripts(words: list[str]) -> None:
        check_script(m.GradScaler, ["scale", *words], init_scale=1024.0, growth_interval=2)

    scripts()
    check_script(m.GradScaler, [*LINES["good"], "resume", *LINES["good"]] * 2, growth_interval=2)
    for words in (["step"], ["update"], ["unscale"], ["scale", "update"], ["scale", "step"]):
        check_script(m.GradScaler, words)
    for words in (
        ["unscale", "unscale"],
        ["step", "step"],
        ["step", "unscale"],
        ["unscale", "step", "update"],
    ):
        check_script(m.GradScaler, ["scale", "backward", *words, *LINES["good"]])


def check_growth_stops_at_infinity(m: Any) -> None:
    for make in (m.GradScaler, torch.amp.GradScaler):
        weight = nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([weight], lr=1.0)
        scaler = make("cpu", init_scale=2.0**125, growth_interval=1)
        scales = []
        for _ in range(4):
            scaler.scale((weight * 2.0**-100).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
            scales.append(scaler.get_scale())
            optimizer.zero_grad()
        assert scales == [2.0**126, 2.0**127, 2.0**127, 2.0**127]


def check_floor(m: Any) -> None:
    """Backing off into float32's subnormals and to zero, where 1/scale is inf."""
    check_script(
        m.GradScaler, LINES["overflow"] * 5 + LINES["good"] * 2, init_scale=1.0, backoff_factor=2.0**-40
    )


def check_clipping(m: Any) -> None:
    """The gradient that clipping sees is the true one, whatever the scale."""
    side = Side(m.GradScaler, "cpu", init_scale=2.0**10)
    for word in LINES["clipped"][:3]:
        side.run(word)
    plain = Side(torch.amp.GradScaler, "cpu", enabled=False)
    plain.run("scale"), plain.run("backward")
    for a, b in zip(side.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)


CHECKS = [check_decisions, check_any_order, check_growth_stops_at_infinity, check_floor, check_clipping]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__[6:])
def test_decides_as_torch_does(check: Callable[[Any], None]) -> None:
    check(import_module(SCALER))


MUTANTS = {
    "half-up": (FORMATS, "torch.round(wide / q)", "torch.floor(wide / q + 0.5)", check_rounding),
    "truncation": (FORMATS, "torch.round(wide / q)", "torch.trunc(wide / q)", check_rounding),
    "no-subnormals": (FORMATS, "exponent.clamp(min=fmt.min_exponent)", "exponent", check_rounding),
    "frexp-convention": (FORMATS, ".exponent - 1  #", ".exponent  #", check_rounding),
    "overflow-before-rounding": (FORMATS, "(y.abs() > fmt.max)", "(wide.abs() > fmt.max)", check_rounding),
    "sign-of-inf": (FORMATS, "torch.copysign(torch.full_like(y, largest), wide)", "largest", check_rounding),
    "steps-on-inf": (
        SCALER,
        "result: float | None = None if overflow else",
        "result: float | None =",
        check_decisions,
    ),
    "count-not-reset-on-overflow": (
        SCALER,
        "* self._backoff_factor)\n            self._good_steps = 0",
        "* self._backoff_factor)",
        check_decisions,
    ),
    "count-not-reset-on-growth": (
        SCALER,
        "else self._scale\n                self._good_steps = 0",
        "else self._scale",
        check_decisions,
    ),
    "nan-unnoticed": (
        SCALER,
        "values.isfinite().all()",
        "values.isinf().any().logical_not()",
        check_decisions,
    ),
    "1": (
        SCALER,
        "self._good_steps == self._growth_interval",
        "self._good_steps > self._growth_interval",
        check_decisions,
    ),
    "scale-in-float64": (SCALER, "torch.tensor(value, dtype=torch.float32).item()", "value", check_decisions),
    "unscales-twice": (SCALER, 'if seen.stage != "ready":', 'if seen.stage == "stepped":', check_any_order),
    "steps-twice": (SCALER, 'if seen.stage == "stepped":', "if False:", check_any_order),
    "unscales-again-in-step": (SCALER, 'if seen.stage == "ready":', "if True:", check_any_order),
    "count-lost-on-resume": (SCALER, 'state["_growth_tracker"]', "0", check_any_order),
    "inf-scale": (
        SCALER,
        "grown if math.isfinite(grown) else self._scale",
        "grown",
        check_growth_stops_at_infinity,
    ),
    "clips-scaled-gradients": (SCALER, "values.mul_(inverse)", "values.mul_(1.0)", check_clipping),
}


test_mistakes_are_caught = mistakes("", MUTANTS)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.Adam(p, lr=0.1),
        lambda p: torch.optim.Adam(
            p, lr=0.1, fused=True
        ),  # torch's scaler hands the scale to a fused optimizer
        lambda p: torch.optim.SGD(p, lr=0.1, foreach=True),
    ],
    ids=["adam", "adam-fused", "sgd-foreach"],
)
def test_other_optimizers(make: Any) -> None:
    script = LINES["good"] + LINES["overflow"] + LINES["good"] * 2
    sides = [Side(scaler, "cpu", make, init_scale=64.0) for scaler in (GradScaler, torch.amp.GradScaler)]
    for word in script:
        for side in sides:
            side.run(word)
    for a, b in zip(sides[0].model.parameters(), sides[1].model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert sides[0].scaler.state_dict() == sides[1].scaler.state_dict()


def test_two_optimizers_share_one_scale() -> None:
    def final(make: Any) -> tuple[float, list[float]]:
        a, b = (nn.Parameter(torch.ones(2)) for _ in range(2))
        first, second = torch.optim.SGD([a], lr=1.0), torch.optim.SGD([b], lr=1.0)
        scaler = make("cpu", init_scale=8.0)
        losses = scaler.scale([a.sum(), (b.sum(),)])
        (losses[0] + losses[1][0]).backward()
        b.grad[0] = math.inf
        scaler.step(first), scaler.step(second), scaler.update()
        return scaler.get_scale(), [*a.tolist(), *b.tolist()]

    assert final(GradScaler) == final(torch.amp.GradScaler) == (4.0, [0.0, 0.0, 1.0, 1.0])


def test_sparse_gradients() -> None:
    def final(make: Any) -> Tensor:
        torch.manual_seed(0)
        table = nn.Embedding(5, 2, sparse=True)
        optimizer, scaler = torch.optim.SGD(table.parameters(), lr=1.0), make("cpu", init_scale=8.0)
        scaler.scale(table(torch.tensor([1, 3, 1])).sum()).backward()
        scaler.step(optimizer)
        return table.weight.detach()

    assert torch.equal(final(GradScaler), final(torch.amp.GradScaler))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": math.nan}, "need a state of finite numbers, its scale >= 0, got scale=nan"),
        ({"scale": -1.0}, "its scale >= 0, got scale=-1.0"),
        ({"_growth_tracker": None}, "need a state of finite numbers"),
        ({"scale": "big"}, "need a state of finite numbers"),
    ],
)
def test_a_damaged_state_is_refused_and_nothing_taken(change: dict[str, Any], message: str) -> None:
    scaler = GradScaler("cpu")
    before = scaler.state_dict()
    with pytest.raises(ValueError, match=message):
        scaler.load_state_dict(before | change)
    with pytest.raises(
        ValueError, match=r"need a state of a GradScaler, got missing=.*load what its state_dict"
    ):
        scaler.load_state_dict(torch.optim.SGD([torch.zeros(2)], lr=0.1).state_dict())
    assert scaler.state_dict() == before


def test_state_loads_either_way() -> None:
    ours, theirs = GradScaler("cpu", init_scale=3.0, growth_interval=7), torch.amp.GradScaler("cpu")
    theirs.load_state_dict(ours.state_dict())
    assert theirs.state_dict() == ours.state_dict()
    back = GradScaler("cpu")
    back.load_state_dict(theirs.state_dict())
    assert back.state_dict() == ours.state_dict()
    for again in (copy.deepcopy(back), pickle.loads(pickle.dumps(back))):
        assert again.state_dict() == ours.state_dict()


def test_new_scale_and_setters() -> None:
    for scaler in (GradScaler("cpu", init_scale=4.0), torch.amp.GradScaler("cpu", init_scale=4.0)):
        scaler.scale(torch.ones(()))
        scaler.update(2.0)
        assert scaler.get_scale() == 2.0
        scaler.update(torch.tensor(16.0))
        assert scaler.get_scale() == 16.0
        scaler.set_growth_factor(3.0), scaler.set_backoff_factor(0.25), scaler.set_growth_interval(5)
        assert (scaler.get_growth_factor(), scaler.get_backoff_factor(), scaler.get_growth_interval()) == (
            3.0,
            0.25,
            5,
        )


def test_disabled_is_transparent() -> None:
    scaler, weight = GradScaler("cpu", enabled=False), nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    loss = weight.sum()
    assert scaler.scale(loss) is loss
    loss.backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert (weight.item(), scaler.get_scale(), scaler.state_dict(), scaler.is_enabled()) == (
        0.0,
        1.0,
        {},
        False,
    )
    scaler.load_state_dict({"scale": 8.0})  # as in torch, nothing is taken
    assert scaler.state_dict() == {}
    with pytest.raises(RuntimeError, match="saved by a disabled scaler"):
        GradScaler("cpu").load_state_dict({})


def after(*words: str, **kwargs: Any) -> Side:
    side = Side(GradScaler, "cpu", **kwargs)
    for word in words:
        side.run(word)
    return side


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: after("step"), r"need scale\(loss\) before step\(\), got none; backward must start from"),
        (
            lambda: after("scale", "step"),
            r"need gradients to step, got none; call scaler.scale\(loss\).backward",
        ),
        (lambda: after("scale", "update"), r"need unscale_\(\) or step\(\) before update\(\)"),
        (
            lambda: after("scale", "backward", "unscale", "unscale"),
            r"unscale_\(\) done already since the last update",
        ),
        (
            lambda: after("scale", "backward", "step", "unscale"),
            r"step\(\) done already since the last update\(\)",
        ),
        (
            lambda: after("scale", "backward", "step", "step"),
            r"need one step\(\) per update\(\), got a second",
        ),
    ],
)
def test_calls_out_of_order(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        call()


def test_closures_and_float16_weights_are_refused() -> None:
    side = after("scale", "backward")
    for call in (
        lambda: side.scaler.step(side.optimizer, closure=abs),
        lambda: side.scaler.step(side.optimizer, abs),
    ):
        with pytest.raises(RuntimeError, match=r"need step\(\) without a closure"):
            call()
    weight = nn.Parameter(torch.ones(1, dtype=torch.float16))
    side.scaler.scale(weight.sum()).backward()
    with pytest.raises(ValueError, match=r"got float16; keep the weights in float32"):
        side.scaler.step(torch.optim.SGD([weight], lr=1.0))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"init_scale": 0.0}, "need init_scale > 0 and finite, got init_scale=0.0"),
        ({"growth_factor": 1.0}, "need growth_factor > 1 and finite, got growth_factor=1.0"),
        ({"backoff_factor": 1.0}, "need 0 < backoff_factor < 1, got backoff_factor=1.0"),
        ({"growth_interval": 0}, "need a whole number growth_interval >= 1, got growth_interval=0"),
    ],
)
def test_bad_settings(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GradScaler("cpu", **kwargs)


def test_nothing_to_scale() -> None:
    with pytest.raises(ValueError, match="need a tensor or an iterable of tensors to scale, got 3"):
        GradScaler("cpu").scale(3)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_cuda_without_a_gpu_switches_off() -> None:
    with pytest.warns(UserWarning, match="without a GPU: scaling is off"):
        assert not GradScaler("cuda").is_enabled()
    with pytest.raises(
        ValueError, match="need a GPU for device cuda, got device='cuda:1'; use device=\"cpu\""
    ):
        autocast_policy("cuda:1")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_decides_as_torch_does_on_a_gpu() -> None:
    script = (LINES["good"] * 3 + LINES["overflow"] + LINES["clipped"] + LINES["nan"]) * 2
    check_script(GradScaler, script, device="cuda", init_scale=1024.0, growth_interval=2)
    for dtype in (torch.float16, torch.bfloat16):
        x = grid(dtype).cuda()
        same_bits(round_to(x, dtype).cpu(), x.to(dtype).float().cpu())


# Policy


@pytest.mark.parametrize(
    ("capability", "hip", "dtype", "scaler"),
    [
        ((9, 0), None, torch.bfloat16, False),
        ((8, 0), None, torch.bfloat16, False),
        ((7, 5), None, torch.float16, True),
        ((6, 1), None, None, False),
        ((9, 0), "6.0", torch.bfloat16, False),
    ],
)
def test_cuda_policy(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], hip: str | None, dtype: Any, scaler: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.version, "hip", hip)
    chosen = autocast_policy("cuda")
    assert (chosen.device_type, chosen.dtype, chosen.needs_scaler) == ("cuda", dtype, scaler)
    assert hip is not None or "{}.{}".format(*capability) in chosen.reason


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"bf16": True}, torch.bfloat16),
        ({"avx2": True}, None),
        ({}, None),
    ],
)
def test_cpu_policy(monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], dtype: Any) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    chosen = autocast_policy(torch.device("cpu"))
    assert (chosen.dtype, chosen.needs_scaler) == (dtype, False)
    with chosen.context():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (dtype or torch.float32)


def test_other_devices_stay_in_float32() -> None:
    chosen = autocast_policy("meta")
    assert (chosen.device_type, chosen.dtype, chosen.needs_scaler) == ("meta", None, False)
    assert "meta" in chosen.reason


# As torch's, beside the decisions


def test_constructor_is_torchs() -> None:
    ours, theirs = (
        [(p.name, p.default, p.kind) for p in inspect.signature(scaler).parameters.values()]
        for scaler in (GradScaler, torch.amp.GradScaler)
    )
    assert ours == theirs
    assert GradScaler("cpu", 4.0, 3.0, 0.25, 7, False).state_dict() == {}
    assert GradScaler("cpu", 4.0, 3.0, 0.25, 7).state_dict()["growth_interval"] == 7


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(), (1,), (3,)])
def test_a_scaled_loss_has_torchs_dtype(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    loss = torch.full(shape, 2.0, dtype=dtype)
    ours, theirs = (scaler("cpu").scale(loss) for scaler in (GradScaler, torch.amp.GradScaler))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    if shape == ():
        assert ours.item() == 131072.0  # in float16 it would be inf


def test_copies_in_the_middle_of_a_step_are_refused() -> None:
    side = after("scale", "backward", "unscale")
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(RuntimeError, match=r"need update\(\) before a scaler is copied or pickled"):
            copied(side.scaler)
    side.run("step"), side.run("update")
    assert copy.deepcopy(side.scaler).state_dict() == side.scaler.state_dict()
    assert pickle.loads(pickle.dumps(side.scaler)).state_dict() == side.scaler.state_dict()


def test_settings_of_numpy_are_kept_as_plain_numbers() -> None:
    scaler = GradScaler("cpu", np.float64(8.0), np.float32(4.0), np.float64(0.5), np.int64(3))
    file = io.BytesIO()
    torch.save(scaler.state_dict(), file)
    file.seek(0)
    assert torch.load(file, weights_only=True)["growth_interval"] == 3
    for wrong in (2.5, True):
        with pytest.raises(ValueError, match="need a whole number growth_interval"):
            GradScaler("cpu", growth_interval=wrong)


@pytest.mark.parametrize("x", [np.ones(3), [1.0], torch.ones(3, dtype=torch.long)])
def test_what_cannot_be_rounded(x: Any) -> None:
    with pytest.raises(ValueError, match="need x"):
        round_to(x, torch.float16)


# What is lost, and what a scaler does


def check_shares_lost(m: Any) -> None:
    g = torch.tensor([0.0, 0.0, 1.0, -1e-8, 1e-6, 2.0**-25, 2.0**-24, -3.0, 2.0**-14])
    assert m.shares_lost(g, torch.float16) == (2 / 7, 2 / 7, 0.0)
    assert m.shares_lost(g, torch.float16, scale=2.0**16) == (0.0, 0.0, 2 / 7)
    assert m.shares_lost(-g, torch.bfloat16) == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="an entry that is not zero, got entries=0"):
        m.shares_lost(torch.zeros(3), torch.float16)


def check_scale_trace(m: Any) -> None:
    """The scale before each step; 65,504 over the largest gradient, NaN where the step was skipped."""
    torch.manual_seed(0)
    net = nn.Linear(3, 2)
    before = net.weight.detach().clone()
    batches = [(torch.ones(4, 3), torch.tensor([0, 1, 0, 0]))] * 4
    scaler = GradScaler("cpu", init_scale=2.0**18, growth_interval=2)
    scales, ceilings = m.scale_trace(net, torch.optim.SGD(net.parameters(), lr=0.1), scaler, batches)
    skipped = [math.isnan(ceiling) for ceiling in ceilings]
    assert scales[0] == 2.0**18
    for k in range(3):
        if skipped[k]:
            assert scales[k + 1] == scales[k] / 2
    assert any(skipped)
    assert not all(skipped)
    assert not torch.equal(before, net.weight)
    worst = max(p.grad.abs().max().item() for p in net.parameters() if p.grad is not None)
    if not skipped[-1]:
        assert ceilings[-1] == pytest.approx(65_504 / worst)


def test_shares_lost() -> None:
    check_shares_lost(import_module(FORMATS))


def test_scale_trace() -> None:
    check_scale_trace(import_module(TRACE))


TRACE = "course_utils.mixed_precision.scale_trace"
test_lost_mistakes_are_caught = mistakes(
    "",
    [
        (check_shares_lost, FORMATS, "x = x[x != 0]", "x = x"),
        (check_shares_lost, FORMATS, "round_to(scale * x.double(), dtype)", "round_to(x.double(), dtype)"),
        (check_shares_lost, FORMATS, "(y != 0) & (y.abs() <", "(y.abs() <"),
        (check_shares_lost, FORMATS, "(y.abs() < float_format", "(y.abs() <= float_format"),
        (check_scale_trace, TRACE, "math.nan)", "0.0)"),
        (check_scale_trace, TRACE, "scaler.update()", "scaler.update(2.0**18)"),
    ],
)
