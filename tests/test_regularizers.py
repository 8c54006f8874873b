"""Regularizers beside torch's functions, their properties, and the mistakes that the checks must see."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode

from course_utils import layers, regularizers
from tests.mutants import mistakes

quick = settings(max_examples=40, deadline=None, derandomize=True)
seeds = st.integers(0, 999)


def tensors(seed: int, *shapes: tuple[int, ...]) -> list[Tensor]:
    torch.manual_seed(seed)
    made = [torch.randn(shape, dtype=torch.float64) for shape in shapes or ((3, 2), (4,), ())]
    made[0].flatten()[0] = 0.0  # where |p| has a corner
    return [p.requires_grad_() for p in made]


def model() -> nn.Module:
    """Every kind of parameter: weights, biases, embedding, normalisation (torch's, ours), attention, GRU."""
    torch.manual_seed(0)
    return nn.ModuleDict(
        {
            "embedding": nn.Embedding(5, 4),
            "linear": nn.Linear(4, 4),
            "conv": nn.Conv2d(2, 3, 3),
            "theirs": nn.ModuleList(
                [nn.BatchNorm1d(4), nn.InstanceNorm1d(4, affine=True), nn.LayerNorm(4), nn.GroupNorm(2, 4)]
            ),
            "theirs_rms": nn.RMSNorm(4),
            "ours": nn.ModuleList([layers.BatchNorm1d(4), layers.BatchNorm2d(4), layers.LayerNorm(4)]),
            "ours_too": nn.ModuleList([layers.GroupNorm(2, 4), layers.RMSNorm(4)]),
            "attention": nn.MultiheadAttention(4, 2, add_bias_kv=True),
            "gru": nn.GRU(4, 4),
        }
    )


WEIGHTS = [
    "embedding.weight",
    "linear.weight",
    "conv.weight",
    "attention.in_proj_weight",
    "attention.out_proj.weight",
    "gru.weight_ih_l0",
    "gru.weight_hh_l0",
]


# Penalties


def check_penalties(ns: Any) -> None:
    """Values by a plain loop, gradients by their formulas, sign(0) = 0 included."""
    for seed in range(3):
        numbers = [v for p in tensors(seed) for v in p.flatten().tolist()]
        for penalty, value, slope in (
            (ns.l1_penalty, math.fsum(abs(v) for v in numbers), torch.sign),
            (ns.l2_penalty, math.fsum(v * v for v in numbers), lambda p: 2 * p),
            (
                lambda ps: ns.elastic_net_penalty(ps, 0.3, 0.2),
                math.fsum(0.3 * abs(v) + 0.2 * v * v for v in numbers),
                lambda p: 0.3 * p.sign() + 0.4 * p,
            ),
        ):
            params = tensors(seed)
            result = penalty(params)
            assert result.shape == ()
            assert abs(result.item() - value) <= 1e-13 * abs(value), "value"
            for p, g in zip(params, torch.autograd.grad(result, params), strict=True):
                assert torch.equal(g, slope(p.detach())), "gradient"


def test_penalties() -> None:
    check_penalties(regularizers)


def test_l2_penalty_pulls_as_torch_weight_decay_of_twice_the_strength() -> None:
    ours = nn.Parameter(torch.randn(5).double())
    theirs = nn.Parameter(ours.detach().clone())
    a = torch.optim.SGD([ours], lr=0.1)
    b = torch.optim.SGD([theirs], lr=0.1, weight_decay=0.6)
    for _ in range(5):
        a.zero_grad(), b.zero_grad()
        (ours.sin().sum() + 0.3 * regularizers.l2_penalty(ours)).backward()
        theirs.sin().sum().backward()
        a.step(), b.step()
        torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=0)


def check_elastic_net_convention(ns: Any) -> None:
    """At scikit-learn's ElasticNet solution no coordinate of MSE + penalty can be improved."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    torch.manual_seed(0)
    x = torch.randn(60, 4, dtype=torch.float64)
    y = x @ torch.tensor([2.0, -1.0, 0.5, 0.0], dtype=torch.float64) + 0.1 * torch.randn(60).double()
    alpha, ratio = 0.1, 0.4
    fit = linear_model.ElasticNet(
        alpha=alpha, l1_ratio=ratio, fit_intercept=False, tol=1e-14, max_iter=100_000
    )
    w = torch.tensor(fit.fit(x.numpy(), y.numpy()).coef_, requires_grad=True)
    loss = (x @ w - y).square().mean() + ns.elastic_net_penalty(w, 2 * alpha * ratio, alpha * (1 - ratio))
    (g,) = torch.autograd.grad(loss, w)
    assert w.count_nonzero() >= 3
    assert g[w != 0].abs().max() < 1e-10


def test_elastic_net_convention() -> None:
    check_elastic_net_convention(regularizers)


# What parameters may be


def test_four_forms_give_the_same() -> None:
    net = nn.Linear(3, 2)
    want = sum(p.abs().sum() for p in net.parameters())
    for form in (
        net,
        net.parameters(),
        list(net.parameters()),
        net.named_parameters(),
        dict(net.named_parameters()),
    ):
        torch.testing.assert_close(regularizers.l1_penalty(form), want)
    assert torch.equal(regularizers.l1_penalty(net.weight), net.weight.abs().sum())


def test_a_parameter_given_twice_counts_once() -> None:
    w = nn.Parameter(torch.ones(3))
    assert regularizers.l1_penalty([w, w]) == 3
    regularizers.proximal_l1_([w, w], 0.25)
    assert w.tolist() == [0.75] * 3


def check_weight_names(ns: Any) -> None:
    assert ns.weight_names(model()) == WEIGHTS
    assert ns.weight_names(nn.LayerNorm(3)) == []
    assert ns.weight_names(nn.Linear(3, 2)) == ["weight"]


def test_weight_names() -> None:
    check_weight_names(regularizers)


def test_filters() -> None:
    net = model()
    parameters = dict(net.named_parameters())
    want = sum(parameters[name].square().sum() for name in WEIGHTS)
    torch.testing.assert_close(regularizers.l2_penalty(net, weights_only=True), want)
    names = set(regularizers.weight_names(net))
    torch.testing.assert_close(regularizers.l2_penalty(parameters, where=names.__contains__), want)
    only = regularizers.l2_penalty(net, where=lambda name: name.startswith("linear"), weights_only=True)
    torch.testing.assert_close(only, parameters["linear.weight"].square().sum())


def test_penalty_under_torch_func() -> None:
    stacked = {"a": torch.randn(3, 2, 2), "b": torch.randn(3, 4)}
    got = torch.func.vmap(torch.func.grad(lambda p: regularizers.l2_penalty(p, where=lambda n: n == "a")))(
        stacked
    )
    torch.testing.assert_close(got["a"], 2 * stacked["a"])
    assert got["b"].count_nonzero() == 0


# The proximal step


def check_soft_threshold(ns: Any) -> None:
    torch.manual_seed(0)
    x = torch.cat([torch.randn(100, dtype=torch.float64), torch.tensor([0.0, 0.5, -0.5, 1e300]).double()])
    for threshold in (0.0, 0.5, 3.0):
        assert torch.equal(ns.soft_threshold(x, threshold), nn.functional.softshrink(x, threshold))
    x = torch.tensor([0.5, -0.5, 0.3, -0.3, 1.0, -2.0, 0.0, -0.0, math.nan, math.inf, -math.inf])
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        for threshold in (0.5, 0.3, 0.0):
            a, b = (x.to(dtype, copy=True).requires_grad_() for _ in range(2))
            ours, theirs = ns.soft_threshold(a, threshold), nn.functional.softshrink(b, threshold)
            for z in (ours, theirs):
                z.sum().backward()
            torch.testing.assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)
            assert torch.equal(ours[:-3].signbit(), x[:-3].signbit())  # torch's keeps it only off its vectors
            if threshold != 0.3:  # which torch rounds to sixteen bits on the way back only
                assert torch.equal(a.grad, b.grad), "gradient"
    x = torch.cat([torch.randn(100, dtype=torch.float64), torch.tensor([0.0, 0.5, -0.5, 1e300]).double()])
    each = torch.rand(104, dtype=torch.float64)
    want = torch.stack([nn.functional.softshrink(v, t.item()) for v, t in zip(x, each, strict=True)])
    assert torch.equal(ns.soft_threshold(x, each), want)


def test_soft_threshold() -> None:
    check_soft_threshold(regularizers)


def test_soft_threshold_of_a_tensor_of_thresholds_without_numbers() -> None:
    x = torch.tensor([3.0, -3.0, 0.5])
    each = torch.func.vmap(regularizers.soft_threshold)(x, torch.tensor([1.0, 2.0, 1.0]))
    assert each.tolist() == [2.0, -1.0, 0.0]
    meta = torch.empty(3, device="meta")
    assert regularizers.soft_threshold(meta, meta).shape == (3,)
    with FakeTensorMode():
        assert regularizers.soft_threshold(torch.empty(3), torch.empty(3)).shape == (3,)
    compiled = torch.compile(regularizers.soft_threshold, backend="eager", fullgraph=True)
    assert compiled(x, torch.ones(3)).tolist() == [2.0, -2.0, 0.0]


@quick
@given(st.floats(-10, 10), st.floats(0, 5), st.floats(-10, 10))
def test_soft_threshold_minimises_its_objective(x: Any, threshold: Any, other: Any) -> None:
    z = regularizers.soft_threshold(torch.tensor(x, dtype=torch.float64), threshold).item()

    def objective(v: float) -> float:
        return (v - x) ** 2 / 2 + threshold * abs(v)

    assert objective(z) <= objective(other) + 1e-12


def check_proximal(ns: Any) -> None:
    for p in (tensors(1), tensors(2)):
        want = [nn.functional.softshrink(q.detach(), 0.3) for q in p]
        assert ns.proximal_l1_(p, 0.3) is None
        for q, w in zip(p, want, strict=True):
            assert torch.equal(q.detach(), w)
            assert q.requires_grad
    assert (p[0] == 0).any()


def test_proximal() -> None:
    check_proximal(regularizers)


def test_proximal_step_zeroes_what_the_subgradient_does_not() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(40, 6).double(), torch.randn(40).double()
    ends = {}
    for proximal in (True, False):
        w = nn.Parameter(torch.zeros(6).double() + 0.1)
        optimizer = torch.optim.SGD([w], lr=0.05)
        for _ in range(300):
            optimizer.zero_grad()
            loss = (x @ w - y).square().mean()
            (loss if proximal else loss + 0.5 * regularizers.l1_penalty(w)).backward()
            optimizer.step()
            if proximal:
                regularizers.proximal_l1_(w, 0.05 * 0.5)
        ends[proximal] = (w == 0).sum().item()
    assert ends[True] >= 3
    assert ends[False] == 0


# Clipping


def with_gradients(seed: int, scale: float, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    params = [p.detach().to(dtype).requires_grad_() for p in tensors(seed, (3, 2), (4,), (), (2, 2, 2))]
    for p in params[:-1]:  # the last has none
        p.grad = scale * torch.randn_like(p)
    return params


def check_clip_norm(ns: Any) -> None:
    for norm_type in (2.0, 1.0, 3.0, math.inf, "inf", 0.5):
        for scale in (1e-3, 1.0, 100.0):
            for max_norm in (0.0, 0.5, 1e9):
                ours = with_gradients(1, scale)
                theirs = [p.detach().clone().requires_grad_() for p in ours]
                for p, q in zip(ours, theirs, strict=True):
                    q.grad = None if p.grad is None else p.grad.clone()
                got = ns.clip_grad_norm_(ours, max_norm, norm_type)
                want = nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
                torch.testing.assert_close(got, want, rtol=1e-14, atol=0)
                for p, q in zip(ours, theirs, strict=True):
                    if p.grad is None or q.grad is None:
                        assert p.grad is None
                        assert q.grad is None
                    else:
                        torch.testing.assert_close(p.grad, q.grad, rtol=1e-14, atol=0)


def test_clip_norm() -> None:
    check_clip_norm(regularizers)


def test_clip_norm_with_nonfinite_gradients_as_torch() -> None:
    for bad in (math.inf, math.nan):
        ours, theirs = (with_gradients(1, 1.0) for _ in range(2))
        for params in (ours, theirs):
            params[0].grad[0, 0] = bad
        with pytest.raises(RuntimeError, match="need a finite norm of the gradients"):
            regularizers.clip_grad_norm_(ours, 1.0, error_if_nonfinite=True)
        for p, q in zip(ours[1:-1], theirs[1:-1], strict=True):
            assert torch.equal(p.grad, q.grad)  # the error came before any change
            q.grad.copy_(p.grad)
        for params, clip in ((ours, regularizers.clip_grad_norm_), (theirs, nn.utils.clip_grad_norm_)):
            clip(params, 1.0)
        for p, q in zip(ours[:-1], theirs[:-1], strict=True):
            torch.testing.assert_close(p.grad, q.grad, rtol=0, atol=0, equal_nan=True)


def test_clipping_is_called_as_torch_s() -> None:
    for name in ("clip_grad_norm_", "clip_grad_value_"):
        ours, theirs = (inspect.signature(getattr(m, name)).parameters for m in (regularizers, nn.utils))
        assert list(ours) == list(theirs)
        assert [p.default for p in ours.values()] == [p.default for p in theirs.values()]
        assert {p.kind for p in ours.values()} == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    p = torch.ones(2, requires_grad=True)
    p.grad = torch.tensor([3.0, 4.0])
    assert regularizers.clip_grad_norm_(parameters=[p], max_norm=np.float32(2.5), foreach=False) == 5
    regularizers.clip_grad_value_(parameters=p, clip_value=np.int64(1))
    assert p.grad.tolist() == [1.0, 1.0]
    net = nn.Embedding(3, 2, sparse=True)
    net(torch.tensor([1])).sum().backward()
    for clip in (regularizers.clip_grad_norm_, regularizers.clip_grad_value_):
        with pytest.raises(
            ValueError, match=r"need dense gradients, got layout=torch\.sparse_coo; use sparse"
        ):
            clip(net, 1.0)


def test_clip_without_gradients() -> None:
    assert regularizers.clip_grad_norm_(nn.Linear(2, 2), 1.0) == 0
    regularizers.clip_grad_value_(nn.Linear(2, 2), 1.0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_clip_in_other_precisions(dtype: torch.dtype) -> None:
    ours, theirs = (with_gradients(3, 4.0, dtype) for _ in range(2))
    for p, q in zip(ours[:-1], theirs[:-1], strict=True):
        q.grad = p.grad.clone()
    got, want = regularizers.clip_grad_norm_(ours, 1.0), nn.utils.clip_grad_norm_(theirs, 1.0)
    assert got.dtype == want.dtype
    torch.testing.assert_close(got, want)
    for p, q in zip(ours[:-1], theirs[:-1], strict=True):
        torch.testing.assert_close(p.grad, q.grad)


@quick
@given(seeds, st.floats(0.01, 10), st.floats(0.01, 100))
def test_clip_norm_never_exceeds_and_keeps_the_direction(seed: int, max_norm: Any, scale: Any) -> None:
    params = with_gradients(seed, scale)[:-1]
    before = torch.cat([p.grad.flatten() for p in params])
    returned = regularizers.clip_grad_norm_(params, max_norm)
    after = torch.cat([p.grad.flatten() for p in params])
    torch.testing.assert_close(returned, before.norm(), rtol=1e-13, atol=0)
    assert after.norm() <= max_norm * (1 + 1e-12)
    torch.testing.assert_close(after / after.norm(), before / before.norm(), rtol=1e-10, atol=1e-12)
    if returned + 1e-6 < max_norm:
        assert torch.equal(after, before)


def check_clip_value(ns: Any) -> None:
    ours, theirs = (with_gradients(1, 5.0) for _ in range(2))
    for p, q in zip(ours[:-1], theirs[:-1], strict=True):
        q.grad = p.grad.clone()
    ns.clip_grad_value_(ours, 0.7)
    nn.utils.clip_grad_value_(theirs, 0.7)
    for p, q in zip(ours[:-1], theirs[:-1], strict=True):
        assert torch.equal(p.grad, q.grad)


def test_clip_value() -> None:
    check_clip_value(regularizers)


# Max-norm


def check_max_norm(ns: Any) -> None:
    for shape in ((5, 3), (4, 3, 2, 2)):
        for dim in (0, 1, -1):
            for radius in (0.0, 0.5, 1.5, 100.0):
                p = tensors(4, shape)[0]
                want = torch.renorm(p.detach(), 2, dim, radius)
                ns.max_norm_(p, radius, dim)
                torch.testing.assert_close(p.detach(), want, rtol=1e-14, atol=0)


def test_max_norm() -> None:
    check_max_norm(regularizers)


def test_max_norm_of_a_module() -> None:
    net = nn.Sequential(nn.Linear(4, 3), layers.BatchNorm1d(3))
    nn.init.constant_(net[0].weight, 5.0)
    bias = net[0].bias.detach().clone()
    regularizers.max_norm_(net, 1.0, weights_only=True)
    torch.testing.assert_close(net[0].weight.norm(dim=1), torch.ones(3))
    assert torch.equal(net[0].bias, bias)
    assert net[1].weight.tolist() == [1.0] * 3


# Decay groups


def check_decay_groups(ns: Any) -> None:
    net = model()
    net["head"] = nn.Linear(4, 5, bias=False)
    net["head"].weight = net["embedding"].weight  # tied
    net["conv"].weight.requires_grad_(False)
    with pytest.warns(UserWarning, match=r"frozen parameters are in no group: conv\.weight$"):
        decayed, spared = ns.decay_groups(net, 0.1)
    assert decayed["param_names"] == [name for name in WEIGHTS if name != "conv.weight"], "decayed"
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    given = [id(p) for group in (decayed, spared) for p in group["params"]]
    assert len(given) == len(set(given)), "twice"
    everyone = dict(net.named_parameters())
    for group in (decayed, spared):
        assert all(everyone[n] is p for n, p in zip(group["param_names"], group["params"], strict=True))
    assert set(given) == {id(p) for p in net.parameters() if p.requires_grad}, "missing"


def test_decay_groups() -> None:
    check_decay_groups(regularizers)


def test_decay_groups_of_a_plain_model_are_silent_and_train() -> None:
    net = nn.Sequential(nn.Linear(3, 4), layers.BatchNorm1d(4), nn.Linear(4, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        groups = regularizers.decay_groups(net, 0.5)
    optimizer = torch.optim.AdamW(groups, lr=0.1)
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    optimizer.step()
    for name, p in net.named_parameters():
        kept = 0.95 if name in ("0.weight", "2.weight") else 1.0
        torch.testing.assert_close(p.detach(), kept * before[name])
    optimizer.load_state_dict(optimizer.state_dict())


def check_others(ns: Any) -> None:
    class LlamaRMSNorm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))

    class FrozenBatchNorm2d(LlamaRMSNorm):
        pass

    class PreNorm(nn.Module):  # a norm before a layer, which is a weight
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.layer = LlamaRMSNorm(), nn.Linear(3, 3)

    class NormalLinear(nn.Linear):
        pass

    net = nn.ModuleList([FrozenBatchNorm2d(), PreNorm(), NormalLinear(3, 3), nn.SyncBatchNorm(3)])
    nn.utils.parametrizations.weight_norm(net[2])
    nn.utils.parametrize.register_parametrization(net[1].layer, "bias", nn.Identity())
    assert ns.weight_names(net) == [
        *("1.layer.weight", "2.parametrizations.weight.original0", "2.parametrizations.weight.original1"),
    ]


def test_normalisation_layers_of_others_are_spared_and_parametrized_biases_are_biases() -> None:
    check_others(regularizers)


def test_decay_groups_take_a_filter_and_may_be_empty() -> None:
    net = model()
    decayed, _ = regularizers.decay_groups(net, 0.1, where=lambda name: "embedding" not in name)
    assert decayed["param_names"] == WEIGHTS[1:]
    decayed, spared = regularizers.decay_groups(nn.LayerNorm(3), 0.1)
    assert decayed["params"] == []
    assert spared["param_names"] == ["weight", "bias"]
    torch.optim.SGD([decayed, spared], lr=0.1).step()


BAD = [
    (lambda: regularizers.l1_penalty([]), "need at least one parameter.*read once"),
    (
        lambda: regularizers.l2_penalty(nn.Linear(2, 2), where=lambda name: False),
        "need at least one parameter",
    ),
    (lambda: regularizers.l1_penalty([torch.ones(2)], where=lambda name: True), "need names for where="),
    (
        lambda: regularizers.l1_penalty(nn.Linear(2, 2).named_parameters(), weights_only=True),
        "need a module for weights_only=True.*weight_names",
    ),
    (
        lambda: regularizers.elastic_net_penalty(torch.ones(2), -1.0, 0.0),
        "need l1 >= 0 and l2 >= 0, got l1=-1.0",
    ),
    (
        lambda: regularizers.soft_threshold(torch.ones(2), -0.1),
        r"need threshold >= 0 and finite, got threshold=-0\.1",
    ),
    (lambda: regularizers.soft_threshold(torch.ones(2), torch.tensor([0.1, -0.1])), "need threshold >= 0"),
    (lambda: regularizers.soft_threshold(torch.ones(2), math.inf), "need threshold >= 0 and finite"),
    (lambda: regularizers.soft_threshold(torch.ones(2), torch.tensor([math.nan])), "need threshold >= 0"),
    (
        lambda: regularizers.clip_grad_norm_(torch.ones(2), 1.0, foreach=True),
        "need foreach=None or False, got foreach=True; leave it out",
    ),
    (lambda: regularizers.clip_grad_value_(torch.ones(2), 1.0, True), "need foreach=None or False"),
    (lambda: regularizers.proximal_l1_(torch.ones(2), math.nan), "need threshold >= 0"),
    (lambda: regularizers.clip_grad_norm_(nn.Linear(2, 2), -1.0), "need max_norm >= 0, got max_norm=-1.0"),
    (lambda: regularizers.clip_grad_value_(nn.Linear(2, 2), -1.0), "need clip_value >= 0"),
    (lambda: regularizers.max_norm_(torch.ones(2, 2), -1.0), "need max_norm >= 0"),
    (
        lambda: regularizers.max_norm_(nn.Linear(2, 2), 1.0),
        r"at least 2 dimensions.*shape=\(2,\).*weights_only",
    ),
    (lambda: regularizers.max_norm_(torch.ones(2, 2), 1.0, dim=2), "need -2 <= dim < 2, got dim=2"),
    (lambda: regularizers.decay_groups(nn.Linear(2, 2), -0.1), "need weight_decay >= 0"),
    (lambda: regularizers.decay_groups(nn.ReLU(), 0.1), "need a parameter to train"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input(call: Callable[[], object], message: Any) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# Mutations

MUTANTS = [
    pytest.param(
        "sum_of([square_sum(p) for p",
        "sum_of([square_sum(p) / 2 for p",
        check_penalties,
        id="half in the penalty",
    ),
    pytest.param(
        "return p.abs().sum(",
        "return torch.where(p > 0, p, -p).sum(",
        check_penalties,
        id="sign at zero",
    ),
    pytest.param("return p.abs().sum(", "return p.abs().mean(", check_penalties, id="mean for sum"),
    pytest.param("[square_sum(p) for p", "[p.norm() for p", check_penalties, id="norm for its square"),
    pytest.param(
        "l1 * absolute_sum(p) + l2 * s", "l2 * absolute_sum(p) + l1 * s", check_penalties, id="l1, l2 swapped"
    ),
    pytest.param(
        "l2 * square_sum(p) for",
        "l2 / 2 * square_sum(p) for",
        check_elastic_net_convention,
        id="half of l2",
    ),
    pytest.param("x.abs() <= threshold, 0 * x,", "x > 9e9, 0 * x,", check_soft_threshold, id="no zeros"),
    pytest.param("x.abs() <= threshold,", "x.abs() < threshold,", check_soft_threshold, id="slope at it"),
    pytest.param("0 * x, outside", "torch.zeros_like(x), outside", check_soft_threshold, id="zeros' sign"),
    pytest.param(
        "x > 0, x - threshold, x + th", "x > 0, x - threshold, x - th", check_soft_threshold, id="no sign"
    ),
    pytest.param("0 * x, outside)", "0 * x, x)", check_soft_threshold, id="hard threshold"),
    pytest.param(
        "soft_threshold(p, threshold)", "soft_threshold(p, threshold / 2)", check_proximal, id="prox halved"
    ),
    pytest.param(".clamp(max=1.0)", "", check_clip_norm, id="divided by the norm without the limit"),
    pytest.param(
        "factor = (max_norm / (norm + 1e-6))",
        "factor = (max_norm / norm)",
        check_clip_norm,
        id="clip without its 1e-6",
    ),
    pytest.param("vector_norm(g, order)", "vector_norm(g)", check_clip_norm, id="norm type ignored inside"),
    pytest.param(
        "torch.stack(norms), order)", "torch.stack(norms), 1)", check_clip_norm, id="norms added up"
    ),
    pytest.param(
        "clamp_(-clip_value, clip_value)", "clamp_(max=clip_value)", check_clip_value, id="one-sided"
    ),
    pytest.param("if d != dim % p.ndim", "if d == dim % p.ndim", check_max_norm, id="the other dimension"),
    pytest.param(
        "torch.where(norm > max_norm, max_norm / (norm + 1e-7), 1.0)",
        "max_norm / (norm + 1e-7)",
        check_max_norm,
        id="rows made longer too",
    ),
    pytest.param(" and not _is_bias(name)", "", check_weight_names, id="decay on biases"),
    pytest.param(
        '"bias" in leaf.split("_")', 'leaf == "bias"', check_weight_names, id="biases by one name only"
    ),
    pytest.param("name not in norms and", "", check_weight_names, id="decay on normalisation"),
    pytest.param('"Norm\\d*d?$"', '"Norm$"', check_others, id="a BatchNorm2d forgotten"),
    pytest.param("or NORM.search(type(module).__name__)", "", check_others, id="norms of torch only"),
    pytest.param(
        "if parametrized else before.rpartition",
        "if False else name.rpartition",
        check_others,
        id="parametrized",
    ),
    pytest.param(
        "for name, p in model.named_parameters() if p.requires_grad}",
        "for name, p in model.named_parameters(remove_duplicate=False) if p.requires_grad}",
        check_decay_groups,
        id="tied twice",
    ),
    pytest.param(
        "spared = [name for name in trainable if name not in set(decayed)]",
        "spared = list(trainable)",
        check_decay_groups,
        id="in both groups",
    ),
]


test_mistakes_are_caught = mistakes("course_utils.regularizers", MUTANTS)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_penalties_of_sixteen_bits_are_added_up_in_float32(dtype: torch.dtype) -> None:
    """300 x 300 weights of 2: sums of 180,000 and 360,000, where float16 ends at 65,504."""
    p = torch.full((300, 300), 2.0, dtype=dtype, requires_grad=True)
    found = [
        regularizers.l1_penalty(p),
        regularizers.l2_penalty(p),
        regularizers.elastic_net_penalty(p, 1, 1),
    ]
    assert [one.item() for one in found] == [180_000, 360_000, 540_000]
    assert {one.dtype for one in found} == {torch.float32}
    (gradient,) = torch.autograd.grad(1e-3 * found[1], p)
    assert torch.equal(gradient, torch.full_like(p, 4e-3))
