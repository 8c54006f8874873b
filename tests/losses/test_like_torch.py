"""What losses are held to beside their values: names and positions, precision, extremes, torch's tools."""

from __future__ import annotations

import inspect
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing import assert_close

from course_utils import losses
from course_utils.mixed_precision import GradScaler

NAMES = [name for name in losses.__all__ if name not in ("softmax", "log_softmax")]
OF_TORCH = [name for name in NAMES if hasattr(F, name)]
SIXTEEN = (torch.float16, torch.bfloat16)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def inputs(name: str, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """A prediction and a target that the loss takes."""
    x, other = numbers(8, 5).to(dtype), numbers(8, 5, seed=1)
    if name == "binary_cross_entropy":
        return x.sigmoid(), other.sigmoid().to(dtype)
    if name == "hinge_loss":
        return x, other.sign().to(dtype)
    if name in ("nll_loss", "cross_entropy", "focal_loss", "multi_margin_loss"):
        y = other.argmax(1)
        return (x.log_softmax(1) if name == "nll_loss" else x), y
    return x, other.sigmoid().to(dtype)


def value_and_gradient(loss: Callable[..., Tensor], x: Tensor, *args: Any, **kwargs: Any) -> list[Tensor]:
    x = x.clone().requires_grad_()
    value = loss(x, *args, **kwargs)
    return [value.detach(), *torch.autograd.grad(value.sum(), x)]


# ---- names and positions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_TORCH)
def test_names_and_positions_are_torchs(name: str) -> None:
    """All of torch's arguments but the deprecated ones, and by position up to the first of those."""
    ours, theirs = (list(inspect.signature(getattr(m, name)).parameters.values()) for m in (losses, F))
    retired = ("size_average", "reduce")
    assert {p.name for p in ours} == {p.name for p in theirs} - set(retired)
    positional = [p.name for p in ours if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    before = [p.name for p in theirs]
    first = min(before.index(r) if r in before else len(before) for r in retired)
    assert positional == before[:first]
    assert {p.name: p.default for p in ours} == {p.name: p.default for p in theirs if p.name not in retired}


@pytest.mark.parametrize("name", OF_TORCH)
def test_calls_by_name_and_by_position(name: str) -> None:
    x, y = inputs(name)
    ours, theirs = getattr(losses, name), getattr(F, name)
    assert_close(ours(input=x, target=y), theirs(input=x, target=y))
    if name in ("nll_loss", "cross_entropy"):
        weight = torch.rand(5)
        assert_close(ours(x, y, weight), theirs(x, y, weight))
    if name.startswith("binary"):
        weight = torch.rand(5)
        assert_close(ours(x, y, weight), theirs(x, y, weight))
    if name == "multi_margin_loss":
        assert_close(ours(x, y, 2, 0.5, torch.ones(5)), theirs(x, y, 2, 0.5, torch.ones(5)))
    if name == "huber_loss":
        assert_close(ours(x, y, "sum", 0.5), theirs(x, y, "sum", 0.5))


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_weights_of_numbers(name: str, reduction: str) -> None:
    (x, y), weight = inputs(name), torch.rand(8, 5)
    for got, want in zip(
        *(
            value_and_gradient(getattr(m, name), x, y, weight=weight, reduction=reduction)
            for m in (losses, F)
        ),
        strict=True,
    ):
        assert_close(got, want)
    with pytest.raises(ValueError, match="a weight in the shape of the prediction, got weight=\\(5,\\)"):
        getattr(losses, name)(x, y, weight=weight[0])


@pytest.mark.parametrize("name", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
@pytest.mark.parametrize("shape", [(8, 5), (5,), (8, 1), ()])
def test_weights_that_broadcast(name: str, shape: tuple[int, ...]) -> None:
    (x, y), weight = inputs(name), torch.rand(shape)
    for reduction in ("mean", "sum", "none"):
        ours, theirs = (
            value_and_gradient(getattr(m, name), x, y, weight=weight, reduction=reduction)
            for m in (losses, F)
        )
        assert_close(ours, theirs)
    with pytest.raises(ValueError, match="weight that broadcasts"):
        getattr(losses, name)(x, y, torch.rand(8, 4))


def test_softmax_takes_a_dtype() -> None:
    for name in ("softmax", "log_softmax"):
        ours, theirs = getattr(losses, name), getattr(torch, name)
        for x in (numbers(3, 4), numbers(3, 4).half(), torch.arange(12).reshape(3, 4)):
            assert_close(ours(x, 1, torch.float64), theirs(x, 1, torch.float64))
        assert ours(torch.empty(3, 0), 1).shape == theirs(torch.empty(3, 0), 1).shape
        with pytest.raises(ValueError, match="need logits as a tensor"):
            ours([1.0, 2.0])
        for dims in (None, (0, 1), 1.0):  # a sum over all dimensions would be 1, too
            with pytest.raises(ValueError, match="need one dimension dim"):
                ours(numbers(3, 4), dims)


# ---- precision -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", SIXTEEN)
def test_sixteen_bits_round_once(name: str, dtype: torch.dtype) -> None:
    """Value and gradient are the exact ones of the rounded input, rounded: 1e-12 does not vanish."""
    x, y = inputs(name, dtype)
    wide = y if y.dtype == torch.int64 else y.double()
    for reduction in ("mean", "sum", "none"):
        got = value_and_gradient(getattr(losses, name), x, y, reduction=reduction)
        want = value_and_gradient(getattr(losses, name), x.double(), wide, reduction=reduction)
        for a, b in zip(got, want, strict=True):
            assert a.dtype == dtype
            assert_close(a.double(), b, rtol=0.51 * torch.finfo(dtype).eps, atol=1e-7)


@pytest.mark.parametrize("dtype", SIXTEEN)
def test_binary_cross_entropy_at_its_ends_in_sixteen_bits(dtype: torch.dtype) -> None:
    p, y = torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=dtype), torch.tensor([0.0, 1.0, 0.0, 1.0], dtype=dtype)
    ours, theirs = (value_and_gradient(m.binary_cross_entropy, p, y) for m in (losses, F))
    assert_close(ours[0], theirs[0])
    assert_close(ours[1][1:3], theirs[1][1:3])  # the others are NaN in torch's float16
    assert ours[1][0] == ours[1][3] == 0  # right and certain: not 0 / 0


@pytest.mark.parametrize("name", OF_TORCH)
@pytest.mark.parametrize("dtype", SIXTEEN)
@pytest.mark.parametrize("kinds", ["same", "prediction wide", "float64"])
def test_autocast_computes_in_float32_as_torchs(name: str, dtype: torch.dtype, kinds: str) -> None:
    x, y = inputs(name, torch.float64 if kinds == "float64" else dtype)
    x = x.float() if kinds == "prediction wide" else x
    y = y.double() if kinds == "float64" and y.is_floating_point() else y
    with torch.autocast("cpu", dtype):
        ours, theirs = (value_and_gradient(getattr(m, name), x, y) for m in (losses, F))
    assert [t.dtype for t in ours] == [t.dtype for t in theirs]
    assert_close(ours, theirs, rtol=0.02, atol=0.02)  # torch's log_softmax stays in sixteen bits
    exact = getattr(losses, name)(x.double(), y.double() if y.is_floating_point() else y)
    assert_close(ours[0].double(), exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_autocast_of_a_cpu_leaves_softmax_in_its_dtype(name: str) -> None:
    x = numbers(3, 4).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        assert getattr(losses, name)(x).dtype == getattr(torch, name)(x, -1).dtype == torch.bfloat16


def test_autocast_of_a_gpu_refuses_probabilities_and_widens_softmax(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's lists for CUDA, on the device "meta", which stands in for one."""
    for module in ("_inputs", "binary", "classification"):
        monkeypatch.setattr(f"course_utils.losses.{module}.autocast_is_on", lambda x: True)
    x = torch.empty(2, 3, device="meta", dtype=torch.float16)
    assert losses.softmax(x).dtype == losses.log_softmax(x).dtype == torch.float32
    assert losses.binary_cross_entropy_with_logits(x, x).dtype == torch.float32
    with pytest.raises(ValueError, match="leave the sigmoid out and use binary_cross_entropy_with"):
        losses.binary_cross_entropy(x, x)


def test_the_loss_inside_autocast_does_not_hold_the_scale_down() -> None:
    """In float16 a loss times 65536 would be inf, and every third step lost."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    x, y = torch.randn(64, 8), torch.randint(4, (64,))
    optimizer, scaler = torch.optim.SGD(net.parameters(), lr=0.1), GradScaler("cpu", growth_interval=3)
    for _ in range(12):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16):
            loss = losses.cross_entropy(net(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    assert scaler.get_scale() == 2.0**20


@pytest.mark.parametrize("name", OF_TORCH)
def test_mixed_dtypes_give_the_wider(name: str) -> None:
    x, y = inputs(name)
    if y.is_floating_point():
        assert getattr(losses, name)(x.half(), y.double()).dtype == torch.float64
        assert getattr(losses, name)(x.double(), y.half()).dtype == torch.float64
    elif name != "multi_margin_loss":
        assert getattr(losses, name)(x.half(), y, torch.rand(5).double()).dtype == torch.float16


# ---- extremes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["huber_loss", "smooth_l1_loss"])
@pytest.mark.parametrize("size", [0.1, 0.5, 1.0, 3.0, 1e-30, 1e30, math.inf])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_errors_of_any_size_have_torchs_gradient(name: str, size: float, dtype: torch.dtype) -> None:
    """A `where` would take the gradient of the branch that was not chosen, too: 0 * inf = NaN."""
    x = torch.tensor([0, 0.1, -0.5, 1, -3, 2e4, -4e4, 3e38, math.inf, -math.inf], dtype=dtype)
    zero, setting = torch.zeros_like(x), {"delta" if name == "huber_loss" else "beta": size}
    if size == math.inf:
        x, zero = x[:7], zero[:7]  # inf - inf
    ours, theirs = (
        value_and_gradient(getattr(m, name), x, zero, reduction="none", **setting) for m in (losses, F)
    )
    assert not ours[1].isnan().any()
    if dtype == torch.float16 and size > 65504:  # where torch's value is NaN from 20000 on
        x, ours, theirs = x[:5], [t[:5] for t in ours], [t[:5] for t in theirs]
    assert_close(ours, theirs)


def test_squared_error_of_more_than_half_the_largest_number_has_a_finite_gradient() -> None:
    x = torch.tensor([3e38, 1.0])
    _, ours = value_and_gradient(losses.mse_loss, x, torch.zeros(2))
    assert_close(ours, value_and_gradient(F.mse_loss, x, torch.zeros(2))[1])
    assert ours.isfinite().all()


def test_a_target_of_weight_zero_alone_is_nan_as_in_torch() -> None:
    x, y, weight = numbers(1, 3), torch.tensor([2]), torch.tensor([1.0, 1.0, 0.0])
    for smoothing in (0.0, 0.3):
        ours = losses.cross_entropy(x, y, weight, label_smoothing=smoothing)
        assert ours.isnan()
        assert F.cross_entropy(x, y, weight, label_smoothing=smoothing).isnan()


def test_an_infinite_logit_on_the_wrong_side_costs_inf() -> None:
    x, y = torch.tensor([-math.inf]), torch.ones(1)
    assert losses.binary_cross_entropy_with_logits(x, y) == math.inf
    assert F.binary_cross_entropy_with_logits(x, y).isnan()  # the departure that the docstring states


# ---- tools -----------------------------------------------------------------------------------------------


class Net(nn.Module):
    def __init__(self, loss: Callable[..., Tensor]) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.loss(x, y)


every_loss = pytest.mark.parametrize("name", NAMES)
SOME = ["huber_loss", "binary_cross_entropy", "cross_entropy", "multi_margin_loss"]  # one of each module
some_losses = pytest.mark.parametrize("name", SOME)


@some_losses
def test_one_graph_by_compile_with_gradients_and_other_sizes(name: str) -> None:
    loss, (x, y) = getattr(losses, name), inputs(name)
    torch._dynamo.reset()
    whole = torch.compile(loss, backend="eager", fullgraph=True)
    assert_close(value_and_gradient(whole, x, y), value_and_gradient(loss, x, y))
    torch._dynamo.reset()
    any_size = torch.compile(loss, backend="eager", fullgraph=True, dynamic=True)
    for n in (8, 5, 3):
        assert_close(any_size(x[:n], y[:n]), loss(x[:n], y[:n]))


@some_losses
def test_compiled_inside_autocast(name: str) -> None:
    loss, (x, y) = getattr(losses, name), inputs(name, torch.bfloat16)

    def step(x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            value: Tensor = loss(x, y)
        return value

    torch._dynamo.reset()
    assert_close(torch.compile(step, backend="eager", fullgraph=True)(x, y), step(x, y))


@some_losses
@pytest.mark.parametrize("strict", [True, False])
def test_export(name: str, strict: bool) -> None:
    loss, (x, y) = getattr(losses, name), inputs(name)
    program = torch.export.export(Net(loss), (x, y), strict=strict)
    assert_close(program.module()(x, y), loss(x, y))


@every_loss
@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_make_fx(name: str, mode: str) -> None:
    loss, (x, y) = getattr(losses, name), inputs(name)
    assert_close(make_fx(lambda x, y: loss(x, y), tracing_mode=mode)(x, y)(x, y), loss(x, y))


@every_loss
def test_fx_records_one_node(name: str) -> None:
    loss, (x, y) = getattr(losses, name), inputs(name)
    traced = torch.fx.symbolic_trace(Net(loss))
    assert [node.target for node in traced.graph.nodes if node.op == "call_function"] == [loss]
    assert_close(traced(x, y), loss(x, y))


@every_loss
def test_shapes_without_numbers(name: str) -> None:
    loss, (x, y) = getattr(losses, name), inputs(name)
    assert loss(x.to("meta"), y.to("meta")).shape == ()
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        assert loss(mode.from_tensor(x), mode.from_tensor(y)).shape == ()


@every_loss
def test_pickle_gives_the_loss_itself(name: str) -> None:
    loss = getattr(losses, name)
    assert pickle.loads(pickle.dumps(loss)) is loss
