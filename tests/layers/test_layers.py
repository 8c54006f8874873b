"""Layers: torch's outputs, gradients and buffers in float64, at small and large means, and the rest."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from course_utils import layers
from course_utils.layers import dropout, normalization
from tests.mutants import mistakes, mutant

pytestmark = pytest.mark.filterwarnings("error:There is a performance drop")  # vmap in a loop

BATCH_NORMS = [
    pytest.param("BatchNorm1d", {"num_features": 5}, (7, 5), id="bn1d-2d"),
    pytest.param("BatchNorm1d", {"num_features": 5}, (4, 5, 3), id="bn1d-3d"),
    pytest.param("BatchNorm1d", {"num_features": 5}, (1, 5, 3), id="bn1d-one-sample"),
    pytest.param("BatchNorm2d", {"num_features": 5}, (4, 5, 3, 2), id="bn2d"),
    pytest.param("BatchNorm2d", {"num_features": 5, "momentum": None}, (4, 5, 3, 2), id="bn2d-momentum-none"),
    pytest.param("BatchNorm1d", {"num_features": 5, "momentum": 0.7}, (2, 5), id="bn1d-momentum-0.7-batch-2"),
    pytest.param("BatchNorm2d", {"num_features": 5, "affine": False}, (4, 5, 3, 2), id="bn2d-no-affine"),
    pytest.param("BatchNorm2d", {"num_features": 5, "bias": False}, (4, 5, 3, 2), id="bn2d-no-bias"),
    pytest.param(
        "BatchNorm1d", {"num_features": 5, "track_running_stats": False}, (7, 5), id="bn1d-no-track"
    ),
    pytest.param("BatchNorm1d", {"num_features": 5, "eps": 0.5}, (7, 5), id="bn1d-eps"),
]
SAMPLE_NORMS = [
    pytest.param("LayerNorm", {"normalized_shape": 6}, (4, 6), id="ln"),
    pytest.param("LayerNorm", {"normalized_shape": (3, 2), "eps": 0.5}, (4, 5, 3, 2), id="ln-two-dims-eps"),
    pytest.param("LayerNorm", {"normalized_shape": [6], "bias": False}, (4, 6), id="ln-no-bias"),
    pytest.param(
        "LayerNorm", {"normalized_shape": 6, "elementwise_affine": False}, (4, 6), id="ln-no-affine"
    ),
    pytest.param("GroupNorm", {"num_groups": 2, "num_channels": 6}, (4, 6), id="gn-2d"),
    pytest.param("GroupNorm", {"num_groups": 3, "num_channels": 6, "eps": 0.5}, (4, 6, 3, 2), id="gn-4d-eps"),
    pytest.param("GroupNorm", {"num_groups": 6, "num_channels": 6}, (4, 6, 5), id="gn-instance"),
    pytest.param(
        "GroupNorm", {"num_groups": 1, "num_channels": 6, "affine": False}, (4, 6, 5), id="gn-no-affine"
    ),
    pytest.param("GroupNorm", {"num_groups": 2, "num_channels": 6, "bias": False}, (4, 6), id="gn-no-bias"),
    pytest.param("RMSNorm", {"normalized_shape": 6}, (4, 6), id="rms"),
    pytest.param("RMSNorm", {"normalized_shape": (3, 2), "eps": 0.5}, (4, 5, 3, 2), id="rms-two-dims-eps"),
    pytest.param("RMSNorm", {"normalized_shape": 6, "elementwise_affine": False}, (4, 6), id="rms-no-affine"),
]
NORMS = BATCH_NORMS + SAMPLE_NORMS


def pair(ns: Any, name: str, kwargs: dict[str, Any], **ours: Any) -> tuple[nn.Module, nn.Module]:
    """Our layer and torch's with the same random weights, given to ours through torch's state_dict."""
    reference = getattr(nn, name)(**kwargs).double()
    with torch.no_grad():
        for p in reference.parameters():
            p.copy_(torch.randn_like(p))
    layer = getattr(ns, name)(**kwargs, **ours).double()
    assert list(layer.state_dict()) == list(reference.state_dict()), "names, step 0"
    layer.load_state_dict(reference.state_dict())
    return layer, reference


def same(ours: Tensor, reference: Tensor, tol: float, what: str) -> None:
    scale = max(1.0, reference.abs().max().item()) if reference.numel() else 1.0
    assert (ours.dtype, ours.shape) == (reference.dtype, reference.shape), what
    difference = (ours - reference).abs().max().item() if ours.numel() else 0.0
    assert difference <= tol * scale, f"{what}: {difference:.2e}"  # also false for nan


def check_norm(
    ns: Any,
    name: str,
    kwargs: dict[str, Any],
    shape: tuple[int, ...],
    mean: float = 0.0,
    tol: float = 1e-12,
    **ours: Any,
) -> None:
    """Four training steps, then eval: outputs, gradients of input and weights, and buffers at every step."""
    torch.manual_seed(0)
    layer, reference = pair(ns, name, kwargs, **ours)
    for step in range(6):
        layer.train(step < 4), reference.train(step < 4)
        x = mean + torch.randn(shape, dtype=torch.float64) * (1 + step)
        g = torch.randn(shape, dtype=torch.float64)
        inputs = [x.clone().requires_grad_() for _ in range(2)]
        outputs = [m(i) for m, i in zip((layer, reference), inputs, strict=True)]
        for m, y in zip((layer, reference), outputs, strict=True):
            m.zero_grad()
            y.backward(g)
        same(outputs[0].detach(), outputs[1].detach(), tol, f"output, step {step}")
        same(inputs[0].grad, inputs[1].grad, tol, f"gradient of x, step {step}")
        for (n, p), q in zip(layer.named_parameters(), reference.parameters(), strict=True):
            same(p.grad, q.grad, tol, f"gradient of {n}, step {step}")
        for (n, b), c in zip(layer.named_buffers(), reference.buffers(), strict=True):
            same(b, c, 1e-13, f"buffer {n}, step {step}")


@pytest.mark.parametrize(("name", "kwargs", "shape"), NORMS)
@pytest.mark.parametrize(("mean", "tol"), [(0.0, 1e-12), (1e3, 1e-11), (1e6, 1e-8)])
def test_norm_matches_torch(name: Any, kwargs: Any, shape: Any, mean: Any, tol: Any) -> None:
    check_norm(layers, name, kwargs, shape, mean, tol)


@pytest.mark.parametrize(("name", "kwargs", "shape"), BATCH_NORMS)
@pytest.mark.parametrize(("mean", "tol"), [(0.0, 1e-12), (1e3, 1e-11), (1e6, 1e-8)])
def test_backward_by_hand_matches_torch(name: Any, kwargs: Any, shape: Any, mean: Any, tol: Any) -> None:
    check_norm(layers, name, kwargs, shape, mean, tol, by_hand=True)


@pytest.mark.parametrize(("name", "kwargs", "shape"), NORMS)
def test_gradcheck(name: Any, kwargs: Any, shape: Any) -> None:
    torch.manual_seed(0)
    layer: Any = pair(layers, name, kwargs)[0]
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    if "track_running_stats" not in kwargs and name.startswith("Batch"):
        layer.momentum = 0.0  # gradcheck calls forward many times
    assert torch.autograd.gradcheck(layer, (x,))
    if len(shape) == 2 and shape[0] > 2:
        assert torch.autograd.gradgradcheck(layer, (x,))


@pytest.mark.parametrize("affine", [True, False])
def test_gradcheck_by_hand(affine: Any) -> None:
    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    w, b = (torch.randn(2, dtype=torch.float64, requires_grad=True) if affine else None for _ in range(2))
    assert torch.autograd.gradcheck(lambda *a: normalization.BatchNormByHand.apply(*a, 1e-5)[0], (x, w, b))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_by_hand_is_the_same_layer_in_every_precision(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    plain, by_hand = layers.BatchNorm2d(3), layers.BatchNorm2d(3, by_hand=True)
    x = (3 + torch.randn(4, 3, 5, 5)).to(dtype)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    a, b = plain(inputs[0]), by_hand(inputs[1])
    assert torch.equal(a, b)
    assert torch.equal(plain.running_var, by_hand.running_var)
    g = torch.randn_like(a)
    a.backward(g), b.backward(g)
    assert inputs[1].grad.dtype == dtype
    eps = 4 * torch.finfo(dtype).eps
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad, rtol=eps, atol=eps)


def test_by_hand_refuses_a_second_derivative_and_torch_func() -> None:
    layer = layers.BatchNorm1d(2, by_hand=True).double()
    x = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(layer(x).pow(3).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError):
        torch.autograd.grad(first.sum(), x)
    with pytest.raises(RuntimeError, match="setup_context"):
        grad(lambda z: normalization.BatchNormByHand.apply(z, None, None, 1e-5)[0].sum())(x.detach())


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 4),
    st.lists(st.integers(1, 3), max_size=3),
    st.integers(0, 999),
)
def test_group_norm_any_shape(samples: Any, groups: Any, each: Any, spatial: Any, seed: int) -> None:
    shape = (samples, groups * each, *spatial)
    torch.manual_seed(seed)
    x = torch.randn(shape, dtype=torch.float64)
    if each * torch.Size(spatial).numel() == 1:
        with pytest.raises(ValueError, match="more than one value per group"):
            layers.GroupNorm(groups, groups * each)(x)
        return
    layer, reference = pair(layers, "GroupNorm", {"num_groups": groups, "num_channels": groups * each})
    torch.testing.assert_close(layer(x), reference(x), rtol=1e-11, atol=1e-11)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.floats(0.01, 100), st.floats(-1e3, 1e3), st.integers(0, 999), st.booleans())
def test_batch_norm_undoes_scale_and_shift(scale: Any, shift: Any, seed: int, by_hand: Any) -> None:
    torch.manual_seed(seed)
    x = torch.randn(8, 3, 2, 2, dtype=torch.float64)
    layer = layers.BatchNorm2d(3, eps=0.0, by_hand=by_hand).double()
    y = layer(x)
    torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(3, dtype=y.dtype), rtol=0, atol=1e-12)
    torch.testing.assert_close(
        y.var((0, 2, 3), correction=0), torch.ones(3, dtype=y.dtype), rtol=1e-12, atol=0
    )
    torch.testing.assert_close(layer(scale * x + shift), y, rtol=0, atol=1e-8)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("half_parameters", [False, True])
@pytest.mark.parametrize(("name", "kwargs", "shape"), NORMS)
@pytest.mark.filterwarnings("ignore:Mismatch dtype")
def test_half_precision_as_torch(
    name: Any, kwargs: Any, shape: Any, half_parameters: Any, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    layer, reference = (m.to(dtype if half_parameters else torch.float32) for m in pair(layers, name, kwargs))
    x = (3 + torch.randn(shape)).to(dtype)
    for training in (True, False):
        layer.train(training), reference.train(training)
        wide = copy.deepcopy(layer).double()
        ours, theirs = layer(x), reference(x)
        assert ours.dtype == theirs.dtype == dtype
        step = torch.finfo(dtype).eps
        torch.testing.assert_close(ours, theirs, rtol=2 * step, atol=4 * step)
        if name != "RMSNorm":  # its default eps depends on the precision
            torch.testing.assert_close(ours.double(), wide(x.double()), rtol=0.51 * step, atol=1e-5)
        for b, c in zip(layer.buffers(), reference.buffers(), strict=True):
            assert b.dtype == c.dtype
            torch.testing.assert_close(b, c, rtol=2 * step if half_parameters else 1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "kwargs", "shape"), NORMS)
@pytest.mark.filterwarnings("ignore:Mismatch dtype")
def test_autocast_as_torch(name: Any, kwargs: Any, shape: Any) -> None:
    torch.manual_seed(0)
    layer, reference = (m.float() for m in pair(layers, name, kwargs))
    for x in (torch.randn(shape), torch.randn(shape).bfloat16()):
        inputs = [x.clone().requires_grad_() for _ in range(2)]
        with torch.autocast("cpu", torch.bfloat16):
            ours, theirs = layer(inputs[0]), reference(inputs[1])
        assert ours.dtype == theirs.dtype == x.dtype
        tol = 1e-5 if x.dtype == torch.float32 else 2 * torch.finfo(x.dtype).eps
        torch.testing.assert_close(ours, theirs, rtol=tol, atol=tol)
        for y in (ours, theirs):
            y.backward(torch.ones_like(y))
        assert inputs[0].grad.dtype == inputs[1].grad.dtype == x.dtype


@pytest.mark.parametrize(("name", "kwargs", "shape"), NORMS)
def test_state_dict_both_ways(name: Any, kwargs: Any, shape: Any) -> None:
    torch.manual_seed(0)
    layer, reference = pair(layers, name, kwargs)
    x = torch.randn(shape, dtype=torch.float64)
    layer(x)
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    state = torch.load(buffer, weights_only=True)
    reference.load_state_dict(state)
    fresh = getattr(layers, name)(**kwargs).double()
    fresh.load_state_dict(reference.state_dict())
    for key, value in layer.state_dict().items():
        assert torch.equal(reference.state_dict()[key], value)
        assert torch.equal(fresh.state_dict()[key], value)
    assert torch.equal(fresh.eval()(x), layer.eval()(x))
    torch.testing.assert_close(reference.eval()(x), layer(x), rtol=1e-11, atol=1e-12)


REPRS = [
    (layers.Dropout(0.2), "Dropout(p=0.2, inplace=False)"),
    (
        layers.BatchNorm1d(3, momentum=None),
        "BatchNorm1d(3, eps=1e-05, momentum=None, affine=True, bias=True, track_running_stats=True)",
    ),
    (
        layers.BatchNorm2d(3, affine=False, by_hand=True),
        "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=True, "
        "by_hand=True)",
    ),
    (layers.LayerNorm((2, 3)), "LayerNorm((2, 3), eps=1e-05, elementwise_affine=True, bias=True)"),
    (layers.GroupNorm(2, 4), "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)"),
    (layers.RMSNorm(3), "RMSNorm((3,), eps=None, elementwise_affine=True)"),
]


@pytest.mark.parametrize(("layer", "text"), REPRS)
def test_repr(layer: Any, text: Any) -> None:
    assert repr(layer) == text


def test_constructors_take_torch_arguments_in_torch_order() -> None:
    assert layers.BatchNorm2d(4, 0.1, 0.2, False, False, "cpu", torch.float64).momentum == 0.2
    assert layers.LayerNorm(4, 0.1, True, False, "cpu", torch.float64).weight.dtype == torch.float64
    assert layers.GroupNorm(2, 4, 0.1, True, "cpu", torch.float64).weight.dtype == torch.float64
    assert layers.RMSNorm(4, 0.1, True, "cpu", torch.float64).weight.dtype == torch.float64


def test_reset_brings_back_the_start() -> None:
    layer = layers.BatchNorm1d(3)
    start = copy.deepcopy(layer.state_dict())
    layer(torch.randn(4, 3))
    nn.init.normal_(layer.weight)
    layer.reset_parameters()
    assert all(torch.equal(layer.state_dict()[key], value) for key, value in start.items())


BAD = [
    (lambda: layers.Dropout(1.5), "need 0 <= p <= 1, got p=1.5"),
    (lambda: layers.Dropout(float("nan")), "need 0 <= p <= 1"),
    (lambda: layers.Dropout()(torch.ones(3, dtype=torch.long)), "need x of a floating-point dtype.*x.float"),
    (lambda: layers.BatchNorm1d(0), "need a whole number num_features > 0"),
    (lambda: layers.BatchNorm1d(3, eps=-1.0), "need eps >= 0"),
    (lambda: layers.BatchNorm1d(3, momentum=1.1), "need 0 <= momentum <= 1 or None"),
    (lambda: layers.BatchNorm1d(3)(torch.ones(3)), r"need shape \(N, C\) or \(N, C, L\) with C = 3"),
    (lambda: layers.BatchNorm1d(3)(torch.ones(2, 4)), r"with C = 3, got shape=\(2, 4\)"),
    (lambda: layers.BatchNorm2d(3)(torch.ones(2, 3)), r"need shape \(N, C, H, W\) with C = 3"),
    (lambda: layers.BatchNorm1d(3)(torch.ones(2, 3, dtype=torch.long)), "need x of a floating-point dtype"),
    (
        lambda: layers.BatchNorm1d(3)(torch.ones(1, 3)),
        r"need more than one value per channel.*\(1, 3\).*drop_last",
    ),
    (lambda: layers.BatchNorm2d(3)(torch.ones(1, 3, 1, 1)), "model.eval"),
    (
        lambda: layers.BatchNorm1d(3, track_running_stats=False).eval()(torch.ones(1, 3)),
        "more than one value",
    ),
    (lambda: layers.LayerNorm(3)(torch.ones(2, 4)), r"need x to end in \(3,\), got shape=\(2, 4\)"),
    (lambda: layers.LayerNorm((2, 3))(torch.ones(3)), "need x to end in"),
    (lambda: layers.LayerNorm(()), "need whole sizes >= 0"),
    (lambda: layers.RMSNorm(3, eps=-1.0), "need eps >= 0 or None"),
    (
        lambda: layers.GroupNorm(3, 4),
        "need a whole number num_groups > 0 that divides num_channels, got num_groups=3, num_channels=4",
    ),
    (lambda: layers.GroupNorm(2, 4)(torch.ones(2, 6)), "need 4 channels"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input(call: Callable[[], object], message: Any) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_batch_of_one_is_fine_in_eval_and_leaves_no_trace_in_training() -> None:
    layer = layers.BatchNorm1d(3)
    with pytest.raises(ValueError, match="more than one value"):
        layer(torch.ones(1, 3))
    assert layer.num_batches_tracked == 0
    assert layer.eval()(torch.ones(1, 3)).shape == (1, 3)


def test_statistics_asked_for_after_the_layer_was_made_without_are_not_kept_as_in_torch() -> None:
    x = torch.randn(6, 3, dtype=torch.float64)
    made = [ns.BatchNorm1d(3, track_running_stats=False).double() for ns in (layers, nn)]
    for layer in made:
        layer.track_running_stats = True
    torch.testing.assert_close(made[0](x), made[1](x), rtol=1e-12, atol=1e-12)
    assert made[0].running_mean is made[1].running_mean is None


# torch.func


def stacked(momentum: float | None) -> tuple[list[nn.Sequential], Any, Any, Callable[..., Tensor], Tensor]:
    torch.manual_seed(0)
    models = [
        nn.Sequential(nn.Linear(3, 4), layers.BatchNorm1d(4, momentum=momentum), nn.Linear(4, 1)).double()
        for _ in range(3)
    ]
    parameters, buffers = stack_module_state(models)
    skeleton = copy.deepcopy(models[0]).to("meta")

    def loss(p: Any, b: Any, x: Tensor) -> Tensor:
        return functional_call(skeleton, (p, b), (x,)).square().mean()

    return models, parameters, buffers, loss, torch.randn(8, 3, dtype=torch.float64)


@pytest.mark.parametrize("momentum", [0.1, None])
def test_batch_norm_of_many_models_at_once_equals_one_by_one(momentum: Any) -> None:
    models, parameters, buffers, loss, x = stacked(momentum)
    for _ in range(3):
        grads = vmap(grad(loss), (0, 0, None))(parameters, buffers, x)
        for i, model in enumerate(models):
            model.zero_grad()
            model(x).square().mean().backward()
            for name, p in model.named_parameters():
                same(grads[name][i].detach(), p.grad, 1e-12, name)
            for name, b in model.named_buffers():  # the stacked buffers changed in place
                same(buffers[name][i], b, 1e-12, name)
    assert buffers["1.num_batches_tracked"].tolist() == [3, 3, 3]


def test_functional_call_updates_the_buffers_it_was_given_not_the_module() -> None:
    layer = layers.BatchNorm1d(3)
    buffers = {name: b.clone() for name, b in layer.named_buffers()}
    functional_call(layer, (dict(layer.named_parameters()), buffers), (torch.randn(4, 3),))
    assert buffers["num_batches_tracked"] == 1
    assert layer.num_batches_tracked == 0
    assert not torch.equal(buffers["running_mean"], layer.running_mean)


def test_shared_or_captured_buffers_are_an_error_as_in_torch() -> None:
    _, parameters, buffers, loss, x = stacked(0.1)
    one = {name: b[0].clone() for name, b in buffers.items()}
    with pytest.raises(RuntimeError, match="broadcast shape"):
        vmap(loss, (0, None, None))(parameters, one, x)
    first = {name: p[0].detach() for name, p in parameters.items()}
    with pytest.raises(RuntimeError, match="mutate a captured Tensor"):
        grad(lambda p: loss(p, one, x))(first)


def test_sample_norms_under_vmap_and_grad() -> None:
    for layer in (layers.LayerNorm(4), layers.GroupNorm(2, 4), layers.RMSNorm(4)):
        layer.double()
        x = torch.randn(3, 5, 4, dtype=torch.float64)
        weights = torch.randn(3, 4, dtype=torch.float64)

        def loss(w: Any, z: Any, layer: Any = layer) -> Any:
            return functional_call(layer, {"weight": w}, (z,)).pow(3).sum()

        got = vmap(grad(loss))(weights, x)
        want = torch.stack([grad(loss)(w, z) for w, z in zip(weights, x, strict=True)])
        torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


# Dropout


def check_dropout_given_the_mask(ns: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's own dropout draws a mask; ours, made to draw the same, gives the same bits both ways."""
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        for p in (0.1, 0.5, 0.9):
            torch.manual_seed(0)
            x = torch.randn(50, 20).to(dtype)
            inputs = [x.clone().requires_grad_() for _ in range(2)]
            theirs = nn.Dropout(p)(inputs[1])
            kept = (theirs != 0).to(torch.promote_types(dtype, torch.float32))
            with monkeypatch.context() as patch:
                patch.setattr(torch, "rand_like", lambda *a, kept=kept, **k: kept * 0.9999999)
                ours = ns.Dropout(p)(inputs[0])
            eps = torch.finfo(dtype).eps
            if dtype == torch.bfloat16:  # torch rounds twice on a CPU, ours once
                assert torch.equal(ours.double(), (x.double() * kept / (1 - p)).to(dtype).double())
            torch.testing.assert_close(ours, theirs, rtol=eps if dtype == torch.bfloat16 else 0, atol=0)
            g = torch.randn_like(x)
            ours.backward(g), theirs.backward(g)
            torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=eps, atol=1e-30)


def check_dropout_distribution(ns: Any) -> None:
    """Each number is kept with probability 1 - p, alone: frequency, mean, variance, pairs, at five sigma."""
    for dtype in (torch.float32, torch.bfloat16):
        for p in (0.001, 0.3, 0.9):
            torch.manual_seed(0)
            n = 200_000
            kept = (ns.Dropout(p)(torch.ones(n // 100, 100, dtype=dtype)) != 0).double()
            error = 5 * (p * (1 - p) / n) ** 0.5
            assert abs(kept.mean() - (1 - p)) < error
            for shift in ((1, 0), (0, 1)):  # neighbours in the batch, and in a sample
                both = (kept * kept.roll(shift, (0, 1))).mean()
                assert abs(both - (1 - p) ** 2) < 4 * error
    torch.manual_seed(0)
    y = ns.Dropout(0.3)(torch.full((200_000,), 2.0, dtype=torch.float64))
    assert abs(y.mean() - 2) < 5 * (0.3 / 0.7 * 4 / 200_000) ** 0.5
    assert abs(y.var() - 0.3 / 0.7 * 4) < 0.03


def check_dropout_off(ns: Any) -> None:
    x = torch.randn(10)
    assert ns.Dropout(0.5).eval()(x) is x
    assert ns.Dropout(0.0)(x) is x
    assert ns.Dropout(1.0)(x).tolist() == [0.0] * 10


def test_dropout_given_the_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    check_dropout_given_the_mask(layers, monkeypatch)


def test_dropout_distribution() -> None:
    check_dropout_distribution(layers)


def test_dropout_off() -> None:
    check_dropout_off(layers)


def test_dropout_generator_reproduces_and_leaves_the_global_one_alone() -> None:
    layer, x = layers.Dropout(0.5, generator=torch.Generator().manual_seed(7)), torch.ones(100)
    before = torch.get_rng_state()
    first, second = layer(x), layer(x)
    assert torch.equal(torch.get_rng_state(), before)
    again = layers.Dropout(0.5, generator=torch.Generator().manual_seed(7))
    assert torch.equal(first, again(x))
    assert torch.equal(second, copy.deepcopy(again)(x))
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    one = layers.Dropout(0.5)(x)
    torch.manual_seed(3)
    assert torch.equal(one, layers.Dropout(0.5)(x))


def test_dropout_gradcheck() -> None:
    x = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)

    def f(z: Tensor) -> Tensor:
        return layers.Dropout(0.4, generator=torch.Generator().manual_seed(1))(z)

    assert torch.autograd.gradcheck(f, (x,))
    assert f(x).count_nonzero() < 20


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_dropout_keeps_dtype_under_autocast_too(dtype: torch.dtype) -> None:
    x = torch.ones(8, dtype=dtype)
    assert layers.Dropout(0.5)(x).dtype == dtype
    with torch.autocast("cpu", torch.bfloat16):
        assert layers.Dropout(0.5)(x).dtype == nn.Dropout(0.5)(x).dtype == dtype


def test_dropout_many_models_at_once() -> None:
    model = nn.Sequential(nn.Linear(3, 50, bias=False), layers.Dropout(0.5))
    x = torch.ones(6, 3)
    weights = {"0.weight": torch.ones(4, 50, 3)}

    def kept(p: dict[str, Tensor]) -> Tensor:
        return functional_call(model, p, (x,)) != 0

    masks = vmap(kept, randomness="different")(weights)
    assert len({tuple(m.flatten().tolist()) for m in masks}) == 4
    assert abs(masks.double().mean() - 0.5) < 5 * (0.25 / masks.numel()) ** 0.5
    shared = vmap(kept, randomness="same")(weights)
    assert all(torch.equal(m, shared[0]) for m in shared)
    unbatched = vmap(lambda w: layers.Dropout(0.5)(x) * w, randomness="different")(torch.ones(4))
    assert not torch.equal(unbatched[0], unbatched[1])
    grads = vmap(grad(lambda p: functional_call(model, p, (x,)).sum()), randomness="different")(weights)
    assert not torch.equal(grads["0.weight"][0], grads["0.weight"][1])


# Mutations: each is a mistake that people make; the checks above must see it

BN = ("BatchNorm1d", {"num_features": 5}, (4, 5, 3))
FREE = ("BatchNorm1d", {"num_features": 5, "track_running_stats": False}, (4, 5, 3))
LN = ("LayerNorm", {"normalized_shape": 6}, (4, 6))
GN = ("GroupNorm", {"num_groups": 3, "num_channels": 6}, (4, 6, 3))


def norm(*case: Any) -> Callable[[Any], None]:
    return lambda ns: check_norm(ns, *case)


MUTANTS = [
    pytest.param(
        "centred, mean, var = centre(x, all_but_channels(x))\n    r =",
        "centred, mean, var = (t.detach() for t in centre(x, all_but_channels(x)))\n"
        "    centred = x - mean\n    r =",
        norm(*BN),
        id="statistics under no_grad",
    ),
    pytest.param(
        "(centred * centred).sum(dims, keepdim=True) / n",
        "(centred * centred).sum(dims, keepdim=True) / (n - 1)",
        norm(*BN),
        id="unbiased variance in the batch",
    ),
    pytest.param("var * (n / (n - 1))", "var", norm(*BN), id="biased variance in the buffer"),
    pytest.param(
        "return (var + eps).rsqrt()", "return 1 / (var.sqrt() + eps)", norm(*BN), id="eps outside the root"
    ),
    pytest.param(
        "return (var + eps).rsqrt()", "return 1 / (var + eps)", norm(*BN), id="variance instead of spread"
    ),
    pytest.param(
        "is None else layer.momentum\n",
        "is None else 1 - layer.momentum\n",
        norm(*BN),
        id="momentum reversed",
    ),
    pytest.param(
        "        self.by_hand = by_hand\n",
        "        self.by_hand = by_hand\n        delattr(self, 'num_batches_tracked')\n"
        "        self.num_batches_tracked = torch.tensor(0)\n",
        norm(*BN),
        id="buffer as a plain tensor",
    ),
    pytest.param("layer.num_batches_tracked.add_(1)", "pass", norm(*BN), id="batches not counted"),
    pytest.param(
        "part = 1 / layer.num_batches_tracked.to(mean.dtype)",
        "part = 1 / (layer.num_batches_tracked.to(mean.dtype) + 1)",
        norm("BatchNorm1d", {"num_features": 5, "momentum": None}, (4, 5, 3)),
        id="cumulative average off by one",
    ),
    pytest.param(
        "if not self.training and self.running_mean",
        "if self.running_mean",
        norm(*BN),
        id="running statistics in training",
    ),
    pytest.param("return [0, *range(2, x.ndim)]", "return [0]", norm(*FREE), id="statistics per position"),
    pytest.param(
        "return [0, *range(2, x.ndim)]",
        "return list(range(2, x.ndim))",
        norm(*FREE),
        id="statistics per sample",
    ),
    pytest.param("y.add_(bias)", "y", norm(*BN), id="bias forgotten"),
    pytest.param(
        "dims = _last_dims(input, self.normalized_shape)\n        centred",
        "dims = [0]\n        centred",
        norm(*LN),
        id="layer norm over the batch",
    ),
    pytest.param(
        "centre(grouped, list(range(2, grouped.ndim)))",
        "centre(grouped, [2])",
        norm(*GN),
        id="group norm per position",
    ),
    pytest.param(
        "mean_square = (wide * wide).sum",
        "mean_square = (wide - wide.mean(dims, keepdim=True)).square().sum",
        norm("RMSNorm", {"normalized_shape": 6}, (4, 6)),
        id="rms norm of centred input",
    ),
    pytest.param(
        "eps = torch.finfo(wide.dtype).eps if",
        "eps = 1e-5 if",
        norm("RMSNorm", {"normalized_shape": 6}, (4, 6)),
        id="rms eps",
    ),
]
BY_HAND_MUTANTS = [
    pytest.param(".sub_(sum_g / n)", "", id="gradient through the mean missing"),
    pytest.param("sum_gc * r * r / -n,", "sum_gc * 0,", id="gradient through the variance missing"),
    pytest.param("sum_gc * r * r / -n,", "sum_gc * r / -n,", id="one r missing"),
    pytest.param("(sum_gc * r).flatten()", "sum_gc.flatten()", id="gradient of weight not normalised"),
]


test_mistakes_are_caught = mistakes("course_utils.layers.normalization", MUTANTS, match=r"step \d")
test_mistakes_by_hand_are_caught = mistakes(
    "course_utils.layers.normalization",
    BY_HAND_MUTANTS,
    check=lambda ns: check_norm(ns, *BN, by_hand=True),
    match=r"gradient of \w+, step 0",
)


def test_one_pass_variance_is_caught_at_a_large_mean() -> None:
    ns = mutant(
        "course_utils.layers.normalization",
        "(centred * centred).sum(dims, keepdim=True) / n",
        "(x * x).sum(dims, keepdim=True) / n - mean * mean",
    )
    check_norm(ns, *BN)
    with pytest.raises(AssertionError, match="step"):
        check_norm(ns, *BN, 1e6, 1e-8)


def test_detached_statistics_give_a_wrong_gradient_not_a_wrong_output() -> None:
    old, new = MUTANTS[0].values[:2]
    ns: ModuleType = mutant("course_utils.layers.normalization", old, new)
    with pytest.raises(AssertionError, match="gradient of x, step 0"):
        check_norm(ns, *BN)


def check_mask(ns: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        check_dropout_given_the_mask(ns, patch)


DROPOUT_MUTANTS = [
    pytest.param("scale = 1 / (1 - self.p)", "scale = 1.0", check_mask, id="no scaling"),
    pytest.param("scale = 1 / (1 - self.p)", "scale = 1 / self.p", check_mask, id="scaled by 1 / p"),
    pytest.param(
        "draw.sub_(self.p).ceil_()", "draw.le_(self.p)", check_dropout_distribution, id="p and 1 - p swapped"
    ),
    pytest.param(
        "torch.rand_like(input, dtype=dtype)",
        "torch.rand_like(input[:1], dtype=dtype)",
        check_dropout_distribution,
        id="mask shared over the batch",
    ),
    pytest.param(
        "dtype = torch.promote_types(input.dtype, torch.float32)",
        "dtype = input.dtype",
        check_dropout_distribution,
        id="drawn in sixteen bits",
    ),
    pytest.param(
        "if not self.training or self.p == 0", "if self.p == 0", check_dropout_off, id="active in eval"
    ),
    pytest.param(
        "            return input\n",
        "            return input * (1 - self.p)\n",
        check_dropout_off,
        id="scaled in eval too",
    ),
]


test_mistakes_of_dropout_are_caught = mistakes("course_utils.layers.dropout", DROPOUT_MUTANTS)


def test_dropout_is_the_one_whose_mistakes_are_caught() -> None:
    assert dropout.Dropout is layers.Dropout
