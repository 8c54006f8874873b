"""Every loss against its reference: value and gradient in float64, at ordinary and at extreme inputs.

`CASES` holds the inputs and the references. `agree` compares one case; `MUTANTS` shows that it can fail.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import kornia.losses
import numpy as np
import pytest
import sklearn.metrics
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from course_utils import losses
from course_utils.losses import _inputs
from tests.mutants import mistakes

REDUCTIONS = ("mean", "sum", "none")
exact = functools.partial(assert_close, rtol=1e-12, atol=1e-12, equal_nan=True)


@dataclass(frozen=True)
class Case:
    """One call of a loss, and what should come out of it."""

    name: str
    label: str
    prediction: Tensor
    target: Tensor
    reference: Callable[..., Tensor]
    kwargs: dict[str, Any] = field(default_factory=dict)


def value_and_gradient(
    f: Callable[..., Tensor], prediction: Tensor, target: Tensor, **kwargs: Any
) -> tuple[Tensor, Tensor]:
    """f's value, and the gradient of its elements' sum with uneven weights."""
    x = prediction.clone().requires_grad_()
    value = f(x, target, **kwargs)
    uneven = torch.linspace(1.0, 2.0, value.numel(), dtype=value.dtype).reshape(value.shape)
    (gradient,) = torch.autograd.grad(value, x, uneven)
    return value.detach(), gradient


def agree(ours: Callable[..., Tensor], case: Case) -> None:
    """AssertionError unless `ours` has the reference's value and gradient for every reduction."""
    for reduction in REDUCTIONS:
        arguments = {**case.kwargs, "reduction": reduction}
        got = value_and_gradient(ours, case.prediction, case.target, **arguments)
        want = value_and_gradient(case.reference, case.prediction, case.target, **arguments)
        exact(got, want)  # a failure names the item: 0 is the value, 1 the gradient


# ---- cases -----------------------------------------------------------------------------------------------


def numbers(seed: int, *shape: int, scale: float = 1.0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


def classes(seed: int, count: int, *shape: int) -> Tensor:
    return torch.randint(count, shape, generator=torch.Generator().manual_seed(seed))


def tensor(*values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


WEIGHT = tensor(0.5, 2.0, 1.25)


def regression_cases() -> list[Case]:
    # errors of 0, of exactly beta or delta (0.5, 1, 2), and of 1000 and more
    x = torch.cat([numbers(0, 16, scale=2.0), tensor(0.0, 0.5, -1.0, 2.0, 1000.0, -1e6)]).reshape(2, 11)
    y = torch.cat([numbers(1, 16), torch.zeros(6, dtype=torch.float64)]).reshape(2, 11)
    rows: list[tuple[str, dict[str, Any]]] = [("mse_loss", {}), ("l1_loss", {})]
    rows += [("smooth_l1_loss", {"beta": beta}) for beta in (0.0, 0.5, 1.0, 2.0)]
    rows += [("huber_loss", {"delta": delta}) for delta in (0.5, 1.0, 2.0)]
    cases = [Case(name, str(kwargs), x, y, getattr(F, name), kwargs) for name, kwargs in rows]
    return cases + [Case("mse_loss", "scalar", x[0, 0], y[0, 0], F.mse_loss)]


def binary_cases() -> list[Case]:
    p = tensor(0.0, 0.0, 1.0, 1.0, 1e-14, 1 - 1e-14, 1e-50, 1e-4, 0.3, 0.5, 0.999, 0.7)
    hard = tensor(0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0)
    soft = tensor(0.2, 0.9, 0.3, 0.5, 0.1, 0.5, 0.4, 0.6, 0.3, 0.5, 0.01, 0.7)
    x = torch.cat([numbers(2, 8, scale=3.0), tensor(0.0, 1000.0, -1000.0, 40.0)]).reshape(4, 3)
    cases = []
    for label, y in (("hard", hard), ("soft", soft), ("flipped", 1 - hard)):
        cases.append(Case("binary_cross_entropy", label, p, y, F.binary_cross_entropy))
        for name, pos_weight in (("none", None), ("scalar", tensor(3.0)[0]), ("columns", WEIGHT)):
            kwargs = {} if pos_weight is None else {"pos_weight": pos_weight}
            loss = F.binary_cross_entropy_with_logits
            name = f"{label}-pos_weight-{name}"
            cases.append(Case(loss.__name__, name, x, y.reshape(4, 3), loss, kwargs))
    return cases


def class_cases() -> list[Case]:
    cases = []
    for shape in ((3,), (7, 3), (4, 3, 5), (2, 3, 2, 3)):
        dim = 0 if len(shape) == 1 else 1
        y = classes(3, 3, *shape[:dim], *shape[dim + 1 :])
        some = y.clone()
        some.view(-1)[: y.numel() // 2] = -100
        all_ignored = torch.full_like(y, -100)
        for scale in (1.0, 1000.0):
            x = numbers(4, *shape, scale=scale)
            q = numbers(5, *shape).softmax(dim)
            onehot = F.one_hot(y, 3).movedim(-1, dim).double()
            for weight in (None, WEIGHT):
                for smoothing in (0.0, 0.2, 1.0):
                    kwargs = {"weight": weight, "label_smoothing": smoothing}
                    setting = f"{shape}-x{scale:g}-{'plain' if weight is None else 'weighted'}"
                    targets = {
                        "index": y,
                        "ignore": some,
                        "all-ignored": all_ignored,
                        "prob": q,
                        "onehot": onehot,
                    }
                    for label, target in targets.items():
                        name = f"{setting}-smoothing{smoothing}-{label}"
                        cases.append(Case("cross_entropy", name, x, target, F.cross_entropy, kwargs))
                name, kwargs = f"{setting}-ignore-a-class", {"weight": weight, "ignore_index": 1}
                log_p = x.log_softmax(dim)
                cases.append(Case("cross_entropy", name, x, y, F.cross_entropy, kwargs))
                cases.append(Case("nll_loss", name, log_p, y, F.nll_loss, kwargs))
                for label, target in (("index", y), ("ignore", some), ("all-ignored", all_ignored)):
                    name, kwargs = f"{setting}-{label}", {"weight": weight}
                    cases.append(Case("nll_loss", name, log_p, target, F.nll_loss, kwargs))
                    kwargs = {"gamma": 0.0, "weight": weight}
                    reference = without(F.cross_entropy, "gamma")
                    cases.append(Case("focal_loss", f"{name}-gamma0", x, target, reference, kwargs))
                    if len(shape) > 1:
                        for gamma in (0.5, 1.0, 2.0, 3.5):
                            kwargs = {"gamma": gamma, "weight": weight}
                            name = f"{setting}-{label}-gamma{gamma}"
                            cases.append(Case("focal_loss", name, x, target, kornia_focal, kwargs))
    return cases


def without(f: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    """f, called without the argument `name`."""
    return lambda *args, **kwargs: f(*args, **{k: v for k, v in kwargs.items() if k != name})


def kornia_focal(x: Tensor, y: Tensor, *, gamma: float, weight: Tensor | None, reduction: str) -> Tensor:
    """kornia's focal loss, summed over classes; its mean weighted like that of cross-entropy."""
    loss = kornia.losses.focal_loss(x, y, alpha=None, gamma=gamma, weight=weight, reduction="none").sum(1)
    valid = y != -100
    counts = valid.double() if weight is None else weight[y.clamp(min=0)] * valid
    return {"none": loss, "sum": loss.sum(), "mean": loss.sum() / counts.sum()}[reduction]


def margin_cases() -> list[Case]:
    sign = 2.0 * classes(6, 2, 12).double() - 1
    s = torch.cat([numbers(7, 10, scale=2.0), tensor(1000.0, -1000.0)])
    cases = [Case("hinge_loss", "binary", s, sign, ranking), Case("hinge_loss", "flipped", s, -sign, ranking)]
    cases.append(Case("hinge_loss", "matrix", s.reshape(3, 4), sign.reshape(3, 4), ranking))
    corner = tensor([2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 1.0, 1.0])  # leads of exactly the margin
    sets = {"batch": (numbers(8, 6, 3), classes(9, 3, 6)), "corner": (corner, torch.tensor([0, 1, 2]))}
    sets["extreme"] = (numbers(8, 6, 3, scale=1000.0), classes(9, 3, 6))
    sets["single"] = (numbers(8, 3), classes(9, 3))
    for label, (x, y) in sets.items():
        for p in (1, 2):
            for margin in (0.3, 1.0):
                for weight in (None, WEIGHT):
                    kwargs = {"p": p, "margin": margin, "weight": weight}
                    name = f"{label}-p{p}-margin{margin}-{'plain' if weight is None else 'weighted'}"
                    cases.append(Case("multi_margin_loss", name, x, y, F.multi_margin_loss, kwargs))
    return cases


def ranking(s: Tensor, y: Tensor, *, reduction: str) -> Tensor:
    return F.margin_ranking_loss(s, torch.zeros_like(s), y, margin=1.0, reduction=reduction)


CASES = regression_cases() + binary_cases() + class_cases() + margin_cases()
ELEMENTWISE = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "hinge_loss")
BINARY = ("binary_cross_entropy", "binary_cross_entropy_with_logits")
CLASSES = ("nll_loss", "cross_entropy", "focal_loss", "multi_margin_loss")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.label}")
def test_value_and_gradient_equal_the_reference(case: Case) -> None:
    agree(getattr(losses, case.name), case)


def test_every_loss_has_cases() -> None:
    assert {case.name for case in CASES} == set(losses.__all__) - {"softmax", "log_softmax"}


# ---- softmax ---------------------------------------------------------------------------------------------


def softmax_agrees(ours: Callable[..., Tensor], reference: Callable[..., Tensor]) -> None:
    rows = numbers(10, 3, 4, 5)
    far_apart = tensor(
        [0.0, 1.0, 2.0], [1000.0, 1001.0, 999.0], [-1000.0, -1001.0, -1002.0], [1000.0, -1000.0, 0.0]
    )
    masked = tensor([0.0, -math.inf, 2.0])
    for x in (rows, far_apart, masked, tensor(1e308, 1e308)):
        for dim in range(-x.ndim, x.ndim):
            for got, want in zip(
                value_and_gradient(lambda x, d: ours(x, d), x, dim),
                value_and_gradient(lambda x, d: reference(x, d), x, dim),
                strict=True,
            ):
                exact(got, want)


def test_softmax_equals_torch() -> None:
    softmax_agrees(losses.softmax, torch.softmax)


def test_log_softmax_equals_torch() -> None:
    softmax_agrees(losses.log_softmax, torch.log_softmax)


def test_log_softmax_twice_is_once() -> None:
    once = losses.log_softmax(numbers(11, 20, 7, scale=100.0))
    exact(losses.log_softmax(once), once)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=8), st.floats(-1e3, 1e3))
def test_softmax_is_a_distribution_that_a_shift_leaves_alone(values: list[float], shift: float) -> None:
    p = losses.softmax(tensor(*values))
    assert (p > 0).all()
    exact(p.sum(), tensor(1.0)[0])
    assert_close(losses.softmax(tensor(*values) + shift), p, rtol=1e-11, atol=0)  # x + shift rounds


# ---- other references and properties ---------------------------------------------------------------------


def test_hinge_equals_scikit_learn() -> None:
    s, y = numbers(12, 50, scale=2.0), 2.0 * classes(13, 2, 50).double() - 1
    assert losses.hinge_loss(s, y).item() == pytest.approx(
        sklearn.metrics.hinge_loss(y.numpy(), s.numpy()), rel=1e-14
    )
    # a second sample, certainly right and so at no loss, leaves half of the first one's as the mean
    each = [
        sklearn.metrics.hinge_loss([a, -a], [b, 1e9 * -a]) * 2
        for a, b in zip(y.tolist(), s.tolist(), strict=True)
    ]
    np.testing.assert_allclose(
        losses.hinge_loss(s, y, reduction="none").numpy(), each, rtol=1e-13, atol=1e-13
    )


def test_hinge_has_no_slope_at_its_corner() -> None:
    y = tensor(1.0, -1.0)
    exact(value_and_gradient(losses.hinge_loss, y.clone(), y)[1], torch.zeros(2, dtype=torch.float64))


@pytest.mark.parametrize("alpha", [0.25, 0.8])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_focal_weights_are_kornias_alpha(alpha: float, reduction: str) -> None:
    x, y = numbers(14, 5, 3, 4), classes(15, 3, 5, 4)
    weight = tensor(1 - alpha, alpha, alpha)
    theirs = kornia.losses.focal_loss(x, y, alpha=alpha, gamma=2.0, reduction=reduction)
    if reduction == "mean":  # kornia's mean is over N * C * d1 numbers, ours is divided by the weights
        exact(losses.focal_loss(x, y, weight=weight) * weight[y].sum() / x.numel(), theirs)
        unweighted = kornia.losses.focal_loss(x, y, alpha=None, gamma=2.0, reduction="mean")
        exact(losses.focal_loss(x, y), unweighted * 3)
    else:
        ours = losses.focal_loss(x, y, weight=weight, reduction=reduction)
        exact(ours, theirs.sum(1) if reduction == "none" else theirs)


def test_cross_entropy_gradient_is_softmax_minus_target() -> None:
    x, q = numbers(16, 6, 4), numbers(17, 6, 4).softmax(1)
    _, gradient = value_and_gradient(losses.cross_entropy, x, q, reduction="sum")
    exact(gradient, x.softmax(1) - q)


def test_gradients_reach_soft_targets() -> None:
    x, q, p = numbers(18, 6, 4), numbers(19, 6, 4).softmax(1), numbers(20, 6, 4).sigmoid()
    for name, prediction in (
        ("cross_entropy", x),
        ("binary_cross_entropy_with_logits", x),
        ("binary_cross_entropy", p),
    ):
        ours, theirs = getattr(losses, name), getattr(F, name)
        got, want = (value_and_gradient(lambda t, x, f=f: f(x, t), q, prediction) for f in (ours, theirs))
        exact(got, want)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.data())
def test_cross_entropy_equals_torch_anywhere(data: st.DataObject) -> None:
    seed, n, c = data.draw(st.integers(0, 10**6)), data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))
    extra = data.draw(st.lists(st.integers(1, 3), max_size=2))
    x = numbers(seed, n, c, *extra, scale=data.draw(st.sampled_from([0.0, 1e-6, 1.0, 30.0, 1e3])))
    y = classes(seed, c, n, *extra)
    kwargs = {
        "weight": data.draw(st.sampled_from([None, numbers(seed, c).abs()])),
        "label_smoothing": data.draw(st.floats(0, 1)),
    }
    if data.draw(st.booleans()):
        agree(
            losses.cross_entropy,
            Case("cross_entropy", "", x, numbers(seed, *x.shape).softmax(1), F.cross_entropy, kwargs),
        )
    else:
        kwargs["ignore_index"] = data.draw(st.integers(-1, c - 1))
        agree(losses.cross_entropy, Case("cross_entropy", "", x, y, F.cross_entropy, kwargs))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=1, max_size=8),
    st.floats(1e-3, 1e3),
)
def test_huber_is_delta_times_smooth_l1_and_below_both_its_parents(pairs: list[Any], delta: float) -> None:
    x, y = tensor(*pairs).unbind(1)
    huber = losses.huber_loss(x, y, delta=delta, reduction="none")
    assert_close(
        huber, delta * losses.smooth_l1_loss(x, y, beta=delta, reduction="none"), rtol=1e-12, atol=1e-300
    )
    slack = 1 + 1e-12
    assert (huber <= slack * losses.mse_loss(x, y, reduction="none") / 2 + 1e-300).all()
    assert (huber <= slack * delta * losses.l1_loss(x, y, reduction="none")).all()


# ---- autograd and torch.func -----------------------------------------------------------------------------


def smooth_inputs(name: str) -> tuple[Tensor, Tensor]:
    """A prediction and target at which the loss is smooth, three copies (seeds) stacked."""
    x = numbers(21, 3, 4, 5)
    if name == "hinge_loss":
        return x, x.detach().neg().sign()
    if name in BINARY:
        return x.sigmoid(), numbers(22, 3, 4, 5).sigmoid()
    if name in CLASSES:
        return x.log_softmax(-1) if name == "nll_loss" else x, classes(22, 5, 3, 4)
    return x, numbers(22, 3, 4, 5)


@pytest.mark.parametrize("name", ELEMENTWISE + BINARY + CLASSES)
def test_first_and_second_derivatives(name: str) -> None:
    x, y = (t[0] for t in smooth_inputs(name))
    f = functools.partial(getattr(losses, name), target=y, reduction="none")
    x = x.clone().requires_grad_()
    assert torch.autograd.gradcheck(f, (x,), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(f, (x,))


@pytest.mark.parametrize("name", ELEMENTWISE + BINARY + CLASSES)
def test_vmap_over_seeds_equals_a_loop(name: str) -> None:
    loss = getattr(losses, name)
    x, y = smooth_inputs(name)
    exact(torch.vmap(loss)(x, y), torch.stack([loss(a, b) for a, b in zip(x, y, strict=True)]))
    gradients = torch.vmap(torch.func.grad(loss))(x, y)
    exact(gradients, torch.stack([value_and_gradient(loss, a, b)[1] for a, b in zip(x, y, strict=True)]))
    exact(torch.vmap(loss, in_dims=(0, None))(x, y[0]), torch.stack([loss(a, y[0]) for a in x]))


def test_vmap_over_seeds_with_weights_smoothing_and_probabilities() -> None:
    x, y, q = numbers(23, 3, 4, 3), classes(24, 3, 3, 4), numbers(25, 3, 4, 3).softmax(-1)
    y[0, :2] = -100
    for kwargs in ({"weight": WEIGHT}, {"label_smoothing": 0.1}, {"weight": WEIGHT, "label_smoothing": 0.1}):
        loss = functools.partial(losses.cross_entropy, **kwargs)
        for target in (y, q):
            looped = [F.cross_entropy(a, b, **kwargs) for a, b in zip(x, target, strict=True)]
            exact(torch.vmap(loss)(x, target), torch.stack(looped))


def test_inside_vmap_shapes_and_dtypes_are_checked_and_values_are_not() -> None:
    x = numbers(26, 3, 4, 5)
    with pytest.raises(ValueError, match=r"int64"):
        torch.vmap(losses.cross_entropy)(x, torch.zeros(3, 4, dtype=torch.int32))
    with pytest.raises(ValueError, match=r"one shape"):
        torch.vmap(losses.mse_loss)(x, x[..., :1])
    outside = torch.full((3, 4, 5), 2.0, dtype=torch.float64)
    exact(
        torch.vmap(losses.binary_cross_entropy_with_logits)(x, outside),
        torch.stack([F.binary_cross_entropy_with_logits(a, b) for a, b in zip(x, outside, strict=True)]),
    )
    with pytest.raises(ValueError, match="target <= 1"):  # not mapped over, so it can be read
        torch.vmap(losses.binary_cross_entropy_with_logits, in_dims=(0, None))(x, outside[0])


def test_losses_can_be_compiled() -> None:
    x, y, p = numbers(30, 4, 3), classes(31, 3, 4), numbers(32, 4, 3).sigmoid()
    for name, prediction, target in (
        ("cross_entropy", x, y),
        ("binary_cross_entropy_with_logits", x, p),
        ("binary_cross_entropy", p, p.round()),
    ):
        loss = getattr(losses, name)
        compiled = torch.compile(loss, fullgraph=True, backend="eager")
        exact(value_and_gradient(compiled, prediction, target), value_and_gradient(loss, prediction, target))


def test_forward_derivative_of_binary_cross_entropy_is_finite_at_the_ends() -> None:
    p, y = tensor(0.0, 0.0, 1.0, 1.0), tensor(0.0, 1.0, 0.0, 1.0)
    slopes = torch.func.jvp(
        lambda p: losses.binary_cross_entropy(p, y, reduction="none"), (p,), (torch.ones_like(p),)
    )[1]
    exact(slopes, tensor(0.0, -1e12, 1e12, 0.0), rtol=1e-8)  # the limit is 1e-12 in float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_low_precision_is_kept_and_close(dtype: torch.dtype) -> None:
    tolerance = {torch.float32: 1e-5, torch.bfloat16: 3e-2}[dtype]
    for name in ELEMENTWISE + BINARY + CLASSES:
        x, y = smooth_inputs(name)
        x, y = x[0], y[0]
        want = getattr(losses, name)(x, y)
        got = getattr(losses, name)(x.to(dtype), y if y.dtype == torch.int64 else y.to(dtype))
        assert got.dtype == dtype
        assert_close(got.double(), want, rtol=tolerance, atol=tolerance)


# ---- bad input -------------------------------------------------------------------------------------------

X, Y = numbers(27, 4, 3), classes(28, 3, 4)
HALF = torch.full((4, 3), 0.5, dtype=torch.float64)
MSE, BCE, BCEL, CE = "mse_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy"
BAD_INPUTS = [
    (MSE, (X[:, :1], X[:, 0]), {}, "need prediction and target of one shape, got prediction=(4, 1),"),
    ("l1_loss", (X, Y), {}, "got dtype=torch.int64; convert it with target.to(prediction.dtype)"),
    (MSE, (Y, Y), {}, "need prediction of a floating-point dtype"),
    (MSE, ([1.0], [2.0]), {}, "need prediction as a tensor, got type=<class 'list'>; torch.as_tensor"),
    (MSE, (X, X), {"reduction": "avg"}, 'need reduction "mean", "sum" or "none", got reduction=\'avg\''),
    (CE, (X, Y), {"reduction": None}, 'need reduction "mean", "sum" or "none", got reduction=None'),
    ("smooth_l1_loss", (X, X), {"beta": -1.0}, "need beta >= 0, got beta=-1.0"),
    ("huber_loss", (X, X), {"delta": 0.0}, "need delta > 0, got delta=0.0"),
    (BCE, (X * 9, HALF), {}, "these look like logits; use binary_cross_entropy_with_logits"),
    (BCE, (HALF * math.nan, HALF), {}, "a NaN reached it"),
    (BCE, (HALF, HALF * -2), {}, "got smallest=-1.0, largest=-1.0; labels of -1 and +1 become"),
    (BCEL, (X, HALF * 3), {}, "need 0 <= target <= 1, got smallest=1.5"),
    (BCEL, (X, HALF), {"pos_weight": torch.ones(4)}, "got pos_weight=(4,), prediction=(4, 3)"),
    (BCEL, (X, HALF), {"pos_weight": torch.ones(2, 4, 3)}, "need pos_weight that broadcasts to the shape"),
    (CE, (X, Y.int()), {}, "need class indices of dtype torch.int64, got dtype=torch.int32; target.long()"),
    (CE, (X, Y.double()), {}, "if these are class indices, they must be int64: target.long()"),
    (CE, (X, Y[:, None]), {}, "squeeze away a last dimension of 1"),
    (CE, (X, F.one_hot(Y, 3)), {}, "turn one-hot rows into indices with argmax(dim=1)"),
    (CE, (X, Y + 1), {}, "got smallest=1, largest=3; labels that count from 1 become"),
    (CE, (X, Y - 1), {}, "need 0 <= class index <= 2, got smallest=-1"),
    (CE, (X, X), {}, "these look like logits; use softmax(target, dim=1)"),
    (CE, (X, HALF), {"ignore_index": 1}, "need class indices as targets to ignore one of them"),
    (CE, (X, Y), {"label_smoothing": 1.5}, "need 0 <= label_smoothing <= 1, got label_smoothing=1.5"),
    (CE, (X, Y), {"weight": torch.ones(4)}, "need one weight for each class, got weight=(4,), classes=3"),
    (CE, (X, HALF), {"weight": torch.ones(1)}, "need one weight for each class"),
    (CE, (X, Y), {"weight": torch.ones(3).long()}, "need weight of a floating-point dtype"),
    (CE, (X.long(), Y), {}, "need logits of a floating-point dtype"),
    (CE, (X, [0, 1, 2, 0]), {}, "need target as a tensor"),
    (CE, (X[:, :0], Y), {}, "with at least one class, got shape=(4, 0)"),
    (CE, (X[0, 0], Y[0]), {}, "with at least one class, got shape=()"),
    ("nll_loss", (X, Y[:2]), {}, "got prediction=(4, 3), target=(2,)"),
    ("nll_loss", (X, Y + 1), {}, "need 0 <= class index <= 2"),
    ("focal_loss", (X, Y), {"gamma": -1.0}, "need gamma >= 0, got gamma=-1.0"),
    ("focal_loss", (X, HALF), {}, "need class indices of dtype torch.int64"),
    ("hinge_loss", (X[:, 0], Y.clamp(max=1).double()), {}, "labels of 0 and 1 become 2 * target - 1"),
    ("multi_margin_loss", (X, Y), {"p": 3}, "need p = 1 or p = 2, got p=3"),
    ("multi_margin_loss", (X[None], Y[None]), {}, "need score of shape (C) or (N, C), got score=(1, 4, 3)"),
    ("multi_margin_loss", (X, Y + 1), {}, "need 0 <= class index <= 2"),
    ("multi_margin_loss", (X, Y), {"weight": torch.ones(2)}, "need one weight for each class"),
    ("softmax", (Y,), {}, "need logits of a floating-point dtype"),
    ("log_softmax", (Y,), {}, "need logits of a floating-point dtype"),
]  # fmt: skip


def test_an_empty_batch_is_as_in_torch() -> None:
    empty = numbers(1, 0)
    assert losses.binary_cross_entropy(empty, empty, reduction="sum") == 0


def test_targets_may_exceed_one_by_a_rounding_error() -> None:
    x = numbers(33, 4, 3)
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        mixed = torch.eye(4, 3, dtype=dtype) * (1 + torch.finfo(dtype).eps)
        assert mixed.max() > 1
        for name in (BCEL, CE):
            assert_close(
                getattr(losses, name)(x, mixed), getattr(F, name)(x, mixed.double()), rtol=1e-6, atol=0
            )
        with pytest.raises(ValueError, match="target <= 1"):
            losses.cross_entropy(x, mixed * 1.1)


@pytest.mark.parametrize(("name", "args", "kwargs", "message"), BAD_INPUTS)
def test_bad_input_is_told_the_rule_and_the_cure(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(losses, name)(*args, **kwargs)


# ---- mistakes --------------------------------------------------------------------------------------------


def all_cases_agree(ours: Callable[..., Tensor], name: str) -> None:
    if name == "reduce":
        x = numbers(29, 4, 3)
        exact(ours(x, "mean", x), F.l1_loss(x, x * 0 - 100) - 100)
        exact(ours(x, "sum", x), x.sum())
        exact(ours(x, "none", x), x)
        exact(ours(x, "mean", x, weight=x**2), x.sum() / (x**2).sum())
        exact(ours(x, "none", x.bfloat16(), x.float()), x.float())
    elif name in ("softmax", "log_softmax"):
        softmax_agrees(ours, getattr(torch, name))
    else:
        for case in CASES:
            if case.name == name:
                agree(ours, case)


NLL, FOCAL, MARGIN = "nll_loss", "focal_loss", "multi_margin_loss"
MAX_SHIFT = "shifted = x - _largest(x, dim)"
SMOOTHED = "q = (1 - label_smoothing) * widen(target) + label_smoothing / classes"
MUTANTS = [
    # module, what we wrote, the mistake, the loss in which it shows
    ("_inputs", "loss.mean() if", "loss.mean(0) if", "reduce"),
    ("_inputs", 'elif reduction == "sum"', "else", "reduce"),
    ("_inputs", "loss.sum() / weight.sum()", "loss.mean()", "reduce"),
    ("_inputs", "[x.dtype for x in inputs]", "[inputs[0].dtype]", "reduce"),
    ("regression", "loss = d * d ", "loss = d * d / 2 ", MSE),
    ("regression", "loss = d.abs()", "loss = d", "l1_loss"),
    ("regression", "reduce(m / beta * (d - m / 2)", "reduce(m / beta * d", "smooth_l1_loss"),
    ("regression", "reduce(m / beta * (d", "reduce(m * (d", "smooth_l1_loss"),
    ("regression", "loss = m * (d - m / 2)", "loss = m * d", "huber_loss"),
    ("regression", "loss = m * (d - m / 2)", "loss = m * (d - m / 3)", "huber_loss"),
    ("regression", "d.clamp(max=delta)", "d.clamp(max=1)", "huber_loss"),
    ("binary", "p.log().clamp(min=-100)", "(p + 1e-8).log()", BCE),
    ("binary", "(p * (1 - p)).clamp(min=LEAST_VARIANCE)", "(p * (1 - p))", BCE),
    ("binary", "(p - y) / (p * (1 - p)).clamp(min=LEAST_VARIANCE)", "(p - y)", BCE),
    ("binary", "rule.apply(", "rule.forward(", BCE),  # 0 * inf
    ("binary", "(1 - y) * torch", "(1 - positives) * torch", BCEL),
    ("binary", "torch.logaddexp(zero, x)", "x.exp().log1p()", BCEL),  # overflows
    ("binary", "torch.logaddexp(zero, x)", "x.relu() + x.abs().neg().exp().log1p()", BCEL),
    ("classification", "e = (x - _largest(x, dim))", "e = x", "softmax"),
    ("classification", "e / e.sum(dim, keepdim=True)", "e / e.sum(0, keepdim=True)", "softmax"),
    ("classification", MAX_SHIFT, "shifted = x", "log_softmax"),
    ("classification", MAX_SHIFT, "shifted = x", CE),
    ("classification", MAX_SHIFT, "shifted = x - x.max()", "log_softmax"),
    ("classification", "return (shifted - shifted.exp().sum(dim, keepdim=True).log())",
     "return softmax(x, dim).log()", "log_softmax"),
    ("classification", "log_p = log_softmax(widen(input), dim)", "log_p = log_softmax(widen(input))", CE),
    ("classification", "log_p = log_softmax(widen(input), dim)", "log_p = log_softmax(softmax(input))", CE),
    ("classification", "reduce(counts * nll, reduction, log_p, weight=counts)",
     "reduce(counts * nll, reduction, log_p)", CE),
    ("classification", "reduce(counts * nll, reduction, input, weight=counts)",
     "reduce(counts * nll, reduction, input, weight=counts != 0)", NLL),
    ("classification", "(~ignored).to(nll.dtype)", "torch.ones_like(nll)", NLL),
    ("classification", "w[index].masked_fill(ignored, 0)", "w[index]", NLL),
    ("classification", "ignore_index, 0) / classes", "ignore_index, 0) / (classes - 1)", CE),
    ("classification", "(1 - label_smoothing) * loss +", "loss +", CE),
    ("classification", "if label_smoothing > 0:", "if False:", CE),
    ("classification", "_sum_over_classes(log_p, weight, dim)", "_sum_over_classes(log_p, None, dim)", CE),
    ("classification", ".masked_fill(target == ignore_index, 0)", "", CE),
    ("classification", SMOOTHED, "q = target", CE),
    ("classification", "_sum_over_classes(q * log_p, weight", "_sum_over_classes(q * log_p, None", CE),
    ("classification", "doubt = -torch.expm1(-nll)", "doubt = torch.exp(-nll)", FOCAL),
    ("classification", "doubt = doubt.clamp(", "doubt.clamp(", FOCAL),  # 0 * inf
    ("classification", "doubt**gamma", "doubt.detach() ** gamma", FOCAL),
    ("margins", "(1 - widen(target) * widen(input))", "(-widen(target) * widen(input))", "hinge_loss"),
    ("margins", ".relu(), reduction,", ".relu() ** 2, reduction,", "hinge_loss"),
    ("margins", " / s.shape[-1]", " / (s.shape[-1] - 1)", MARGIN),
    ("margins", ".scatter(-1, index, 0)", "", MARGIN),
    ("margins", ".relu() ** p", ".relu()", MARGIN),
    ("margins", "(margin - lead)", "(1 - lead)", MARGIN),
    ("margins", "(margin - lead).relu()", "(margin - lead).clamp(min=0)", MARGIN),  # slope at the corner
    ("margins", "w[target] * loss", "w[target] * loss / w[target].mean()", MARGIN),
]  # fmt: skip


def test_reduce() -> None:
    all_cases_agree(_inputs.reduce, "reduce")


def cases_of(name: str) -> Callable[[Any], None]:
    return lambda changed: all_cases_agree(getattr(changed, name), name)


test_a_mistake_is_caught = mistakes(
    "course_utils.losses",
    [(module, ours, mistake, cases_of(name)) for module, ours, mistake, name in MUTANTS],
    match=r"not (close|equal)|differ|do not match",
)
