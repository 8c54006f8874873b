"""Every optimizer against torch's or, where torch has none, the paper's lines; at every step, in float64."""

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from course_utils.optimizers import (
    SAM,
    SGD,
    SOAP,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    Lion,
    Muon,
    RMSprop,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
    Shampoo,
    newton_schulz,
)
from course_utils.optimizers.shampoo import inverse_root
from tests.optimizers import reference_optimizers as paper

Make = Callable[..., torch.optim.Optimizer]
STEPS = 25


SHAPES: tuple[tuple[int, ...], ...] = ((4, 3), (3, 5), (7,))


def parameters(
    dtype: torch.dtype = torch.float64, shapes: tuple[tuple[int, ...], ...] = SHAPES
) -> list[nn.Parameter]:
    """Two matrices and a vector; their gradients are near 1, near 1e-4 and near 1e-8, where epsilon shows."""
    generator = torch.Generator().manual_seed(1)
    return [nn.Parameter(torch.randn(s, generator=generator, dtype=torch.float64).to(dtype)) for s in shapes]


def gradients(params: list[nn.Parameter], step: int) -> None:
    """Set gradients that depend on the parameters, so that a wrong step is not forgiven by the next."""
    generator = torch.Generator().manual_seed(step)
    for p, scale in zip(params, (1.0, 1e-4, 1e-8), strict=False):
        noise = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p.dtype)
        p.grad = scale * (0.5 * p.detach() + noise)


def check_trajectory(ours: Make, reference: Make, kwargs: dict[str, Any], *, exact: bool = False) -> None:
    """The parity check: equal parameters after each of 25 steps, whose rate also changes half way."""
    # where one gradient is singular, a part of SOAP's first basis is any
    shapes = ((4, 4), (3, 3), (7,)) if reference is paper.SOAP else SHAPES
    a, b = parameters(shapes=shapes), parameters(shapes=shapes)
    if reference is torch.optim.Muon:
        a, b = a[:2], b[:2]
    optimizer, expected = ours(a, **kwargs), reference(b, **kwargs)
    for step in range(STEPS):
        if step == STEPS // 2:
            for group in (*optimizer.param_groups, *expected.param_groups):
                group["lr"] *= 0.5
        gradients(a, step)
        gradients(b, step)
        kept = [p.grad.clone() for p in a if p.grad is not None]
        optimizer.step()
        expected.step()
        for p, q, g in zip(a, b, kept, strict=True):
            assert p.grad is not None
            assert torch.equal(p.grad, g), "a step must not change the gradient"
            if exact:
                assert torch.equal(p, q), f"step {step}"
            else:
                torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)


TORCH = [
    pytest.param(SGD, torch.optim.SGD, {"lr": 0.1}, id="sgd"),
    pytest.param(SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}, id="sgd-momentum"),
    pytest.param(SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}, id="sgd-dampening"),
    pytest.param(SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}, id="sgd-nesterov"),
    pytest.param(SGD, torch.optim.SGD, {"lr": 0.1, "weight_decay": 0.2, "momentum": 0.5}, id="sgd-decay"),
    pytest.param(
        SGD, torch.optim.SGD, {"lr": 0.01, "maximize": True, "weight_decay": 0.2}, id="sgd-maximize"
    ),
    pytest.param(Adagrad, torch.optim.Adagrad, {"lr": 0.1}, id="adagrad"),
    pytest.param(Adagrad, torch.optim.Adagrad, {"lr": 0.1, "lr_decay": 0.1, "eps": 1e-3}, id="adagrad-decay"),
    pytest.param(
        Adagrad,
        torch.optim.Adagrad,
        {"initial_accumulator_value": 0.5, "weight_decay": 0.1},
        id="adagrad-start",
    ),
    pytest.param(RMSprop, torch.optim.RMSprop, {}, id="rmsprop"),
    pytest.param(
        RMSprop, torch.optim.RMSprop, {"alpha": 0.9, "eps": 1e-2, "weight_decay": 0.1}, id="rmsprop-eps"
    ),
    pytest.param(RMSprop, torch.optim.RMSprop, {"momentum": 0.9}, id="rmsprop-momentum"),
    pytest.param(RMSprop, torch.optim.RMSprop, {"centered": True, "alpha": 0.8}, id="rmsprop-centered"),
    pytest.param(RMSprop, torch.optim.RMSprop, {"maximize": True, "momentum": 0.5}, id="rmsprop-maximize"),
    pytest.param(Adadelta, torch.optim.Adadelta, {}, id="adadelta"),
    pytest.param(
        Adadelta, torch.optim.Adadelta, {"rho": 0.5, "eps": 1e-2, "weight_decay": 0.1}, id="adadelta-rho"
    ),
    pytest.param(Adam, torch.optim.Adam, {"lr": 0.1}, id="adam"),
    pytest.param(Adam, torch.optim.Adam, {"lr": 0.1, "eps": 1e-2}, id="adam-eps-outside-root"),
    pytest.param(
        Adam, torch.optim.Adam, {"lr": 0.1, "betas": (0.5, 0.7), "weight_decay": 0.1}, id="adam-decay"
    ),
    pytest.param(
        Adam, torch.optim.Adam, {"lr": 0.1, "amsgrad": True, "betas": (0.9, 0.5)}, id="adam-amsgrad"
    ),
    pytest.param(Adam, torch.optim.Adam, {"lr": 0.01, "maximize": True}, id="adam-maximize"),
    pytest.param(Adam, torch.optim.Adam, {"betas": (0.0, 0.0)}, id="adam-no-memory"),
    pytest.param(AdamW, torch.optim.AdamW, {"lr": 0.1}, id="adamw"),
    pytest.param(AdamW, torch.optim.AdamW, {"lr": 0.1, "weight_decay": 0.5, "eps": 1e-2}, id="adamw-decay"),
    pytest.param(AdamW, torch.optim.AdamW, {"amsgrad": True, "betas": (0.9, 0.5)}, id="adamw-amsgrad"),
]

MUON = [
    pytest.param({}, id="muon"),
    pytest.param({"lr": 0.02, "weight_decay": 0.0, "momentum": 0.8, "nesterov": False}, id="muon-plain"),
    pytest.param({"lr": 0.02, "adjust_lr_fn": "match_rms_adamw"}, id="muon-match-rms"),
    pytest.param({"lr": 0.02, "adjust_lr_fn": "original", "ns_steps": 3}, id="muon-original"),
    pytest.param({"lr": 0.02, "ns_coefficients": (2.0, -1.5, 0.5), "eps": 1.0}, id="muon-coefficients"),
]

PAPERS = [
    pytest.param(Lion, paper.Lion, {"lr": 0.01}, id="lion"),
    pytest.param(Lion, paper.Lion, {"lr": 0.01, "betas": (0.5, 0.8), "weight_decay": 0.3}, id="lion-decay"),
    pytest.param(ScheduleFreeSGD, paper.ScheduleFreeSGD, {"lr": 0.3}, id="sf-sgd"),
    pytest.param(
        ScheduleFreeSGD,
        paper.ScheduleFreeSGD,
        {"lr": 0.3, "momentum": 0.6, "weight_decay": 0.2, "warmup_steps": 7},
        id="sf-sgd-warmup",
    ),
    pytest.param(ScheduleFreeSGD, paper.ScheduleFreeSGD, {"lr": 0.3, "momentum": 0.0}, id="sf-sgd-averaging"),
    pytest.param(ScheduleFreeAdamW, paper.ScheduleFreeAdamW, {"lr": 0.01}, id="sf-adamw"),
    pytest.param(
        ScheduleFreeAdamW,
        paper.ScheduleFreeAdamW,
        {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-2, "weight_decay": 0.2, "warmup_steps": 7},
        id="sf-adamw-warmup",
    ),
    pytest.param(Shampoo, paper.Shampoo, {}, id="shampoo"),
    pytest.param(
        Shampoo,
        paper.Shampoo,
        {"lr": 0.3, "momentum": 0.8, "weight_decay": 0.2, "eps": 1e-2, "update_freq": 4},
        id="shampoo-all",
    ),
    pytest.param(SOAP, paper.SOAP, {}, id="soap"),
    pytest.param(
        SOAP,
        paper.SOAP,
        {
            "lr": 0.02,
            "betas": (0.8, 0.9),
            "eps": 1e-2,
            "weight_decay": 0.3,
            "precondition_frequency": 3,
            "max_precond_dim": 3,
        },
        id="soap-all",
    ),
    pytest.param(SOAP, paper.SOAP, {"precondition_frequency": 1, "betas": (0.9, 0.7)}, id="soap-each-step"),
]

# Untyped: each has arguments of its own.
EVERY: list[Any] = [
    SGD,
    Adagrad,
    RMSprop,
    Adadelta,
    Adam,
    AdamW,
    Lion,
    Muon,
    ScheduleFreeSGD,
    ScheduleFreeAdamW,
    Shampoo,
    SOAP,
]
RICH: dict[type, dict[str, Any]] = {  # the configuration that keeps the most state
    SGD: {"lr": 0.1, "momentum": 0.9},
    RMSprop: {"momentum": 0.9, "centered": True},
    Adam: {"amsgrad": True},
    AdamW: {"amsgrad": True},
    Shampoo: {"momentum": 0.9},
    SOAP: {"precondition_1d": True},
}


def fitting(cls: object, params: list[nn.Parameter]) -> list[nn.Parameter]:
    return [p for p in params if p.ndim == 2] if cls is Muon else params


@pytest.mark.parametrize(("ours", "reference", "kwargs"), TORCH)
def test_every_step_matches_torch_bit_for_bit(ours: Make, reference: Make, kwargs: dict[str, Any]) -> None:
    check_trajectory(ours, reference, kwargs, exact=True)


@pytest.mark.parametrize(("ours", "reference", "kwargs"), PAPERS)
def test_every_step_matches_the_paper(ours: Make, reference: Make, kwargs: dict[str, Any]) -> None:
    check_trajectory(ours, reference, kwargs)


@pytest.mark.parametrize("kwargs", MUON)
def test_muon_matches_torch_bit_for_bit(kwargs: dict[str, Any]) -> None:
    check_trajectory(Muon, torch.optim.Muon, kwargs, exact=True)


unit = st.floats(0.0, 0.99)
size = st.floats(1e-4, 1.0)
strength = st.one_of(st.just(0.0), st.floats(1e-3, 1.0))
flag = st.booleans()
VALID = st.one_of(
    st.tuples(
        st.just((SGD, torch.optim.SGD)),
        st.fixed_dictionaries(
            {"lr": size, "momentum": unit, "dampening": unit, "weight_decay": strength, "maximize": flag}
        ),
    ),
    st.tuples(
        st.just((Adagrad, torch.optim.Adagrad)),
        st.fixed_dictionaries({"lr": size, "lr_decay": strength, "weight_decay": strength, "eps": size}),
    ),
    st.tuples(
        st.just((RMSprop, torch.optim.RMSprop)),
        st.fixed_dictionaries(
            {
                "lr": size,
                "alpha": unit,
                "eps": size,
                "weight_decay": strength,
                "momentum": unit,
                "maximize": flag,
            }
        ),
    ),
    st.tuples(
        st.just((Adadelta, torch.optim.Adadelta)),
        st.fixed_dictionaries({"lr": size, "rho": unit, "eps": size, "weight_decay": strength}),
    ),
    st.tuples(
        st.sampled_from([(Adam, torch.optim.Adam), (AdamW, torch.optim.AdamW)]),
        st.fixed_dictionaries(
            {
                "lr": size,
                "betas": st.tuples(unit, unit),
                "eps": size,
                "weight_decay": strength,
                "amsgrad": flag,
            }
        ),
    ),
    st.tuples(
        st.just((Lion, paper.Lion)),
        st.fixed_dictionaries({"lr": size, "betas": st.tuples(unit, unit), "weight_decay": strength}),
    ),
    st.tuples(
        st.just((ScheduleFreeSGD, paper.ScheduleFreeSGD)),
        st.fixed_dictionaries(
            {"lr": size, "momentum": unit, "weight_decay": strength, "warmup_steps": st.integers(0, 9)}
        ),
    ),
    st.tuples(
        st.just((ScheduleFreeAdamW, paper.ScheduleFreeAdamW)),
        st.fixed_dictionaries(
            {"lr": size, "betas": st.tuples(unit, unit), "eps": size, "weight_decay": strength}
        ),
    ),
    st.tuples(
        st.just((Shampoo, paper.Shampoo)),
        st.fixed_dictionaries(
            {
                "lr": size,
                "momentum": unit,
                "weight_decay": strength,
                "eps": size,
                "update_freq": st.integers(1, 6),
            }
        ),
    ),
    st.tuples(
        st.just((SOAP, paper.SOAP)),
        st.fixed_dictionaries(
            {
                "lr": size,
                "betas": st.tuples(unit, unit),
                "eps": size,
                "weight_decay": strength,
                "precondition_frequency": st.integers(1, 6),
                "max_precond_dim": st.integers(0, 5),
            }
        ),
    ),
)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(VALID)
def test_any_valid_configuration_matches(case: tuple[tuple[Make, Make], dict[str, Any]]) -> None:
    (ours, reference), kwargs = case
    if kwargs.get("momentum", 0) and ours is SGD and kwargs["dampening"] == 0:
        kwargs = {**kwargs, "nesterov": True}
    check_trajectory(ours, reference, kwargs, exact=ours.__name__ in dir(torch.optim))


def test_rmsprop_where_the_variance_cancels() -> None:
    """v - u**2 loses its digits where gradients hardly change: only torch's order of operations agrees."""
    a, b = (
        [nn.Parameter(torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)) for _ in range(3)]
        for _ in range(2)
    )
    kwargs = {"alpha": 0.595, "momentum": 0.528, "centered": True, "eps": 1.3e-6}
    ours, theirs = (
        cls([{"params": p[:2]}, {"params": p[2:], "lr": 0.3}], **kwargs)
        for cls, p in ((RMSprop, a), (torch.optim.RMSprop, b))
    )
    for step in range(200):
        for index, (p, q) in enumerate(zip(a, b, strict=True)):
            g = torch.tensor([0.1, 0.7, 1 / 3], dtype=torch.float64) * (1 + 1e-6 * math.sin(step))
            p.grad, q.grad = (None, None) if (step + index) % 7 == 3 else (g, g.clone())
        ours.step()
        theirs.step()
        assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True)), f"step {step}"
    assert bool(a[0].isfinite().all())


@pytest.mark.parametrize("cls", EVERY)
def test_groups_have_their_own_hyperparameters(cls: Any) -> None:
    kwargs = RICH.get(cls, {})
    together, slow, fast = (fitting(cls, parameters()) for _ in range(3))
    lr = 0.02
    groups = [{"params": together[:1], "lr": lr}, {"params": together[1:]}]
    optimizers = [cls(groups, **kwargs), cls(slow[:1], **{**kwargs, "lr": lr}), cls(fast[1:], **kwargs)]
    for step in range(5):
        for params in (together, slow, fast):
            gradients(params, step)
        for optimizer in optimizers:
            optimizer.step()
    for p, q in zip(together, slow[:1] + fast[1:], strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize("cls", EVERY)
def test_a_missing_gradient_leaves_parameter_and_state_alone(cls: Any) -> None:
    a, b = fitting(cls, parameters()), fitting(cls, parameters())
    optimizer, without = cls(a, **RICH.get(cls, {})), cls(b[1:], **RICH.get(cls, {}))
    before = a[0].detach().clone()
    for step in range(5):
        gradients(a, step)
        gradients(b, step)
        a[0].grad = None
        optimizer.step()
        without.step()
    assert torch.equal(a[0], before)
    assert a[0] not in optimizer.state
    assert all(torch.equal(p, q) for p, q in zip(a[1:], b[1:], strict=True))


def test_time_is_counted_per_parameter_as_in_torch() -> None:
    a, b = parameters(), parameters()
    optimizer, expected = Adam(a, lr=0.1), torch.optim.Adam(b, lr=0.1)
    for step in range(6):
        gradients(a, step)
        gradients(b, step)
        if step < 4:
            a[0].grad = b[0].grad = None
        optimizer.step()
        expected.step()
    assert optimizer.state[a[0]]["step"] == 2
    torch.testing.assert_close(a[0], b[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cls", EVERY)
def test_saved_loaded_and_resumed_bit_for_bit(cls: Any) -> None:
    a = fitting(cls, parameters())
    optimizer = cls(a, **RICH.get(cls, {}))
    for step in range(3):
        gradients(a, step)
        optimizer.step()
    saved = pickle.dumps(([p.detach().clone() for p in a], optimizer.state_dict()))
    values, state = pickle.loads(saved)
    b = [nn.Parameter(v) for v in values]
    resumed = cls(b, lr=0.777)
    resumed.load_state_dict(state)
    for step in range(3, 8):
        for params in (a, b):
            gradients(params, step)
        optimizer.step()
        resumed.step()
        assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


@pytest.mark.parametrize("cls", EVERY)
def test_a_deep_copy_goes_its_own_way(cls: Any) -> None:
    a = fitting(cls, parameters())
    optimizer = cls(a)
    gradients(a, 0)
    optimizer.step()
    twin = copy.deepcopy(optimizer)
    b = [p for group in twin.param_groups for p in group["params"]]
    for params in (a, b):
        gradients(params, 1)
    optimizer.step()
    assert not torch.equal(a[0], b[0])
    twin.step()
    assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


@pytest.mark.parametrize("cls", [SGD, Adagrad, RMSprop, Adadelta, Adam, AdamW, Muon])
def test_state_dicts_are_exchanged_with_torch(cls: Any) -> None:
    theirs = getattr(torch.optim, cls.__name__)
    a, b = fitting(cls, parameters()), fitting(cls, parameters())
    kwargs = RICH.get(cls, {})
    ours, expected = cls(a, **kwargs), theirs(b, **kwargs)
    for direction in range(3):
        for step in range(4):
            gradients(a, step)
            gradients(b, step)
            ours.step()
            expected.step()
            for p, q in zip(a, b, strict=True):
                torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)
        if direction == 0:  # each goes on from the other's state
            to_ours, to_theirs = copy.deepcopy(expected.state_dict()), copy.deepcopy(ours.state_dict())
            ours, expected = cls(a, lr=0.5), theirs(b, lr=0.5)
            ours.load_state_dict(to_ours)
            expected.load_state_dict(to_theirs)


def test_a_state_dict_of_another_optimizer_is_refused_before_anything_changes() -> None:
    a = parameters()
    optimizer = Adam(a, lr=0.1)
    with pytest.raises(
        ValueError, match=r"need Adam's state_dict, got missing=\['amsgrad', 'betas', 'eps'\], foreign="
    ):
        optimizer.load_state_dict(SGD(parameters(), lr=0.5).state_dict())
    with pytest.raises(ValueError, match="load it into AdamW"):
        optimizer.load_state_dict(torch.optim.AdamW(parameters()).state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.1


SCHEDULERS: list[Callable[[torch.optim.Optimizer], Any]] = [
    lambda o: torch.optim.lr_scheduler.StepLR(o, 3, 0.5),
    lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=30),  # changes momentum too
    lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda step: 0.0 if step == 0 else 1.0),
]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("cls", [SGD, RMSprop, Adam, AdamW])
def test_a_scheduler_of_torch_changes_the_rate(cls: Any, scheduler: Callable[..., Any]) -> None:
    a, b = parameters(), parameters()
    kwargs = RICH.get(cls, {})
    ours, expected = cls(a, **kwargs), getattr(torch.optim, cls.__name__)(b, **kwargs)
    schedules = [scheduler(ours), scheduler(expected)]
    for step in range(10):
        gradients(a, step)
        gradients(b, step)
        ours.step()
        expected.step()
        for schedule in schedules:
            schedule.step()
        for p, q in zip(a, b, strict=True):
            torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cls", EVERY)
def test_a_closure_is_called_once_with_gradients_on_and_its_loss_returned(cls: Any) -> None:
    a, b = fitting(cls, parameters()), fitting(cls, parameters())
    one, two = cls(a), cls(b)
    calls = []

    def closure() -> float:
        calls.append(torch.is_grad_enabled())
        one.zero_grad()
        loss = sum(p.square().sum() for p in a)
        assert isinstance(loss, Tensor)
        loss.backward()
        return loss.item()

    value = one.step(closure)
    assert calls == [True]
    torch.stack([p.square().sum() for p in b]).sum().backward()
    assert value == pytest.approx(sum(p.square().sum().item() for p in b), rel=1e-12)
    assert two.step() is None
    assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


@pytest.mark.parametrize("cls", EVERY)
def test_grad_scaler_of_torch_drives_it_and_skips_overflow(cls: Any) -> None:
    a, b = (fitting(cls, parameters(torch.float32)) for _ in range(2))
    scaled, plain = cls(a), cls(b)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)  # a power of two scales without rounding
    for step in range(6):
        overflow = step == 2
        for params, optimizer in ((a, scaled), (b, plain)):
            optimizer.zero_grad()
            loss = torch.stack([(p * p).sum() for p in params]).sum()
            if params is a:
                scaler.scale(loss).backward()
                if overflow:
                    assert a[0].grad is not None
                    a[0].grad[0, 0] = math.inf
                scaler.step(optimizer)
                scaler.update()
            else:
                loss.backward()
                if not overflow:
                    optimizer.step()
        assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True)), f"step {step}"
    assert scaler.get_scale() == 2.0**9


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("cls", EVERY)
def test_lower_precision_stays_in_its_type_and_near_float64(cls: Any, dtype: torch.dtype) -> None:
    a, b = fitting(cls, parameters(dtype)), fitting(cls, parameters())
    kwargs = {"eps": 1e-3} if "eps" in cls(b).defaults and cls is not Muon else {}  # 1e-8 is 0 in float16
    low, exact = cls(a, **kwargs), cls(b, **kwargs)
    start = [p.detach().clone() for p in b]
    for step in range(3):
        gradients(b, step)
        for p, q in zip(a, b, strict=True):
            assert q.grad is not None
            p.grad = q.grad.to(dtype)
        low.step()
        exact.step()
    resolution = torch.finfo(dtype).eps
    for p, q, s in zip(a, b, start, strict=True):
        assert p.dtype == dtype
        assert bool(p.isfinite().all())
        moved = (q - s).abs().max()
        assert (p.double() - q).abs().max() <= 0.05 * moved + 8 * resolution * s.abs().max()
    for state in low.state.values():
        assert all(v.dtype == dtype for v in state.values() if isinstance(v, Tensor))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("cls", EVERY)
def test_on_a_gpu_the_steps_are_the_cpu_s(cls: Any) -> None:
    b = fitting(cls, parameters())
    a = [nn.Parameter(p.detach().cuda()) for p in b]
    one, two = cls(a), cls(b)
    for step in range(5):
        gradients(b, step)
        for p, q in zip(a, b, strict=True):
            assert q.grad is not None
            p.grad = q.grad.cuda()
        one.step()
        two.step()
    tolerance = 0.05 if cls is Muon else 1e-10  # Muon's products are bfloat16
    for p, q in zip(a, b, strict=True):
        torch.testing.assert_close(p.cpu(), q, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("cls", [c for c in EVERY if c.elementwise])
def test_stacked_parameters_are_one_optimizer_each(cls: Any) -> None:
    one, two = parameters(), [nn.Parameter(2 * p.detach()) for p in parameters()]
    both = [nn.Parameter(torch.stack([p.detach(), q.detach()])) for p, q in zip(one, two, strict=True)]
    optimizers = [cls(one), cls(two), cls(both)]
    for step in range(5):
        gradients(one, step)
        gradients(two, step + 100)
        for p, q, r in zip(one, two, both, strict=True):
            assert p.grad is not None
            assert q.grad is not None
            r.grad = torch.stack([p.grad, q.grad])
        for optimizer in optimizers:
            optimizer.step()
        for p, q, r in zip(one, two, both, strict=True):
            torch.testing.assert_close(r.detach(), torch.stack([p, q]).detach(), rtol=1e-14, atol=0)


# ------------------------------------------------------------------------------------------------ bad input

NAN = float("nan")
BAD = [
    pytest.param(SGD, {"lr": -0.1}, r"need lr >= 0 and finite, got lr=-0.1", id="negative-rate"),
    pytest.param(SGD, {"lr": NAN}, r"need lr >= 0 and finite, got lr=nan", id="nan-rate"),
    pytest.param(SGD, {"lr": math.inf}, r"need lr >= 0", id="infinite-rate"),
    pytest.param(SGD, {"lr": torch.tensor(0.1)}, r"plain numbers.*write float\(lr\)", id="tensor-rate"),
    pytest.param(SGD, {"momentum": -0.1}, r"need momentum >= 0", id="momentum"),
    pytest.param(SGD, {"momentum": 0.9, "dampening": 1.1}, r"need 0 <= dampening <= 1", id="dampening"),
    pytest.param(
        SGD, {"nesterov": True}, r"need momentum > 0 and dampening = 0 with nesterov", id="nesterov"
    ),
    pytest.param(SGD, {"weight_decay": -1}, r"need weight_decay >= 0", id="decay"),
    pytest.param(Adagrad, {"lr_decay": -1}, r"need lr_decay >= 0", id="lr-decay"),
    pytest.param(
        Adagrad, {"initial_accumulator_value": -1}, r"need initial_accumulator_value >= 0", id="start"
    ),
    pytest.param(RMSprop, {"alpha": 1.0}, r"need 0 <= alpha < 1, got alpha=1.0", id="alpha"),
    pytest.param(RMSprop, {"momentum": NAN}, r"need momentum >= 0", id="rmsprop-momentum"),
    pytest.param(Adadelta, {"rho": -0.1}, r"need 0 <= rho < 1", id="rho"),
    pytest.param(Adam, {"betas": (0.9, 1.0)}, r"need 0 <= betas < 1, got betas=\(0.9, 1.0\)", id="betas"),
    pytest.param(Adam, {"betas": (torch.tensor(0.9), 0.9)}, r"plain numbers", id="tensor-betas"),
    pytest.param(
        Adam, {"betas": [0.9, -0.1]}, r"need 0 <= betas < 1, got betas=\[0.9, -0.1\]", id="list-betas"
    ),
    pytest.param(Adam, {"eps": -1e-8}, r"need eps >= 0", id="eps"),
    pytest.param(AdamW, {"weight_decay": -0.1}, r"need weight_decay >= 0", id="adamw-decay"),
    pytest.param(Lion, {"betas": (-0.1, 0.9)}, r"need 0 <= betas < 1", id="lion-betas"),
    pytest.param(Muon, {"momentum": 1.0}, r"need 0 <= momentum < 1", id="muon-momentum"),
    pytest.param(Muon, {"ns_steps": 100}, r"need a whole number 0 <= ns_steps < 100", id="muon-steps"),
    pytest.param(Muon, {"adjust_lr_fn": "best"}, r"need adjust_lr_fn in .*'original'", id="muon-adjust"),
    pytest.param(ScheduleFreeSGD, {"momentum": 1.1}, r"need 0 <= momentum <= 1", id="sf-momentum"),
    pytest.param(ScheduleFreeAdamW, {"warmup_steps": -1}, r"need warmup_steps >= 0", id="sf-warmup"),
    pytest.param(Shampoo, {"eps": 0.0}, r"need eps > 0, got eps=0.0; a root of a singular", id="shampoo-eps"),
    pytest.param(Shampoo, {"lr": -1.0}, r"need lr >= 0", id="shampoo-rate"),
    pytest.param(Shampoo, {"momentum": 1.0}, r"need 0 <= momentum < 1", id="shampoo-momentum"),
    pytest.param(
        Shampoo, {"update_freq": 0}, r"need a whole number update_freq >= 1, got", id="shampoo-freq"
    ),
    pytest.param(Shampoo, {"weight_decay": NAN}, r"need weight_decay >= 0", id="shampoo-decay"),
    pytest.param(SOAP, {"betas": (0.9, 1.0)}, r"need 0 <= betas < 1", id="soap-betas"),
    pytest.param(
        SOAP,
        {"precondition_frequency": 2.5},
        r"need a whole number precondition_frequency >= 1",
        id="soap-freq",
    ),
    pytest.param(SOAP, {"max_precond_dim": -1}, r"need max_precond_dim >= 0", id="soap-widest"),
    pytest.param(SOAP, {"eps": -1e-8}, r"need eps >= 0", id="soap-eps"),
]


@pytest.mark.parametrize(("cls", "kwargs", "message"), BAD)
def test_bad_hyperparameters_are_refused_at_once_and_in_later_groups(
    cls: Any, kwargs: dict[str, Any], message: str
) -> None:
    params = fitting(cls, parameters())
    with pytest.raises(ValueError, match=message):
        cls(params, **kwargs)
    optimizer = cls(params[:1])
    with pytest.raises(ValueError, match=message):
        optimizer.add_param_group({"params": params[1:], **kwargs})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("cls", EVERY)
def test_parameters_that_cannot_be_stepped_are_refused(cls: Any) -> None:
    with pytest.raises(ValueError, match=r"need real floating-point parameters, got dtype=torch\.complex64"):
        cls([torch.zeros(2, 2, dtype=torch.complex64, requires_grad=True)])
    with pytest.raises(ValueError, match="empty parameter list"):
        cls([])


def test_muon_refuses_what_is_no_matrix() -> None:
    message = r"need matrices, got shape=\(7,\); give other parameters to AdamW"
    with pytest.raises(ValueError, match=message):
        Muon(parameters())


@pytest.mark.parametrize("shape", [(6, 3, 2), (4, 3, 3, 5), (9, 1, 2, 2), (2, 3, 2, 2, 2)])
@pytest.mark.parametrize("kwargs", [{}, {"adjust_lr_fn": "match_rms_adamw"}, {"nesterov": False}])
def test_muon_steps_filters_as_the_matrix_out_by_all_the_rest(
    shape: tuple[int, ...], kwargs: dict[str, Any]
) -> None:
    """As users of torch's Muon flatten them by hand; also where memory is in channels-last order."""
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(shape, generator=generator)
    flat = nn.Parameter(start.flatten(1).clone())
    orders = [torch.contiguous_format] + ([torch.channels_last] if len(shape) == 4 else [])
    filters = [nn.Parameter(start.clone(memory_format=order)) for order in orders]
    theirs = torch.optim.Muon([flat], lr=0.1, **kwargs)
    ours = Muon(filters, lr=0.1, **kwargs)
    for _ in range(4):
        g = torch.randn(shape, generator=generator)
        flat.grad = g.flatten(1).clone()
        for p in filters:
            p.grad = g.clone()
        theirs.step()
        ours.step()
        for p in filters:
            torch.testing.assert_close(p.detach().flatten(1), flat.detach(), rtol=0, atol=0)


# --------------------------------------------------------------------------------------------- Shampoo, SOAP


def wide_parameters() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(3)
    shapes = [(2, 3, 4), (2, 1, 3, 2), (5,), ()]
    return [nn.Parameter(torch.randn(s, generator=generator, dtype=torch.float64)) for s in shapes]


def test_shampoo_of_more_dimensions_is_the_papers_second_algorithm() -> None:
    a, b = wide_parameters()[:3], wide_parameters()[:3]
    ours, expected = Shampoo(a, eps=1e-2), paper.Shampoo(b, eps=1e-2)
    for step in range(10):
        gradients(a, step)
        gradients(b, step)
        ours.step()
        expected.step()
        for p, q in zip(a, b, strict=True):
            torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)


def test_shampoo_of_a_vector_is_adagrad_with_its_full_matrix_and_of_a_number_is_adagrad() -> None:
    vector, number = wide_parameters()[2:]
    start, expected = vector.detach().clone(), vector.detach().clone()
    twin = nn.Parameter(number.detach().clone())
    ours = Shampoo([vector, number], 0.2, eps=1e-8)
    theirs = torch.optim.Adagrad([twin], 0.2, initial_accumulator_value=1e-8, eps=0.0)
    total = 1e-8 * torch.eye(5, dtype=torch.float64)
    for step in range(8):
        gradients([vector, number], step)
        assert vector.grad is not None
        assert number.grad is not None
        twin.grad = number.grad.clone()
        total = total + torch.outer(vector.grad, vector.grad)
        expected = expected - 0.2 * paper.power(total, -0.5) @ vector.grad
        ours.step()
        theirs.step()
    torch.testing.assert_close(vector.detach(), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(number, twin, rtol=1e-12, atol=1e-12)
    assert not torch.equal(vector.detach(), start)


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)])
def test_shampoo_of_one_gradient_is_the_orthogonal_step(shape: tuple[int, int]) -> None:
    g = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    u, s, vt = torch.linalg.svd(g, full_matrices=False)
    p = nn.Parameter(torch.zeros_like(g))
    # of a singular gradient only the directions that it has, and rounding / sqrt(eps) in the others
    for rank, tolerance in ((min(shape), 1e-11), (2, 1e-8)):
        p.grad = u[:, :rank] @ torch.diag(s[:rank]) @ vt[:rank]
        with torch.no_grad():
            p.zero_()
        Shampoo([p], 1.0, eps=1e-14).step()
        torch.testing.assert_close(-p.detach(), u[:, :rank] @ vt[:rank], rtol=0, atol=tolerance)


def test_inverse_root_is_torch_s_inverse_and_refuses_what_has_none() -> None:
    x = torch.randn(3, 5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    matrix = x @ x.mT + 0.1 * torch.eye(5, dtype=torch.float64)
    for root in (1, 2, 4, 6):
        powers = torch.linalg.matrix_power(inverse_root(matrix, root), root)
        torch.testing.assert_close(powers, torch.linalg.inv(matrix), rtol=1e-10, atol=1e-10)
    singular = torch.diag(torch.tensor([4.0, 0.0]))
    assert bool(inverse_root(singular, 2).isinf().any() | inverse_root(singular, 2).isnan().any())
    torch.testing.assert_close(inverse_root(singular, 2, floor=0.25), torch.diag(torch.tensor([0.5, 2.0])))
    assert inverse_root(matrix.bfloat16(), 4).dtype == torch.bfloat16
    with pytest.raises(ValueError, match=r"need square matrices, got shape=\(2, 3\)"):
        inverse_root(torch.zeros(2, 3), 2)
    for wrong in (0, 2.5, True):
        with pytest.raises(ValueError, match="need a whole number root >= 1"):
            inverse_root(torch.eye(2), wrong)


def test_soap_of_what_is_not_turned_is_adamw() -> None:
    a, b = parameters() + wide_parameters(), parameters() + wide_parameters()
    ours = SOAP(a, 0.01, (0.9, 0.99), max_precond_dim=0)
    theirs = torch.optim.AdamW(b, 0.01, (0.9, 0.99))
    for step in range(8):
        gradients(a, step)
        gradients(b, step)
        ours.step()
        theirs.step()
    for p, q in zip(a[:3], b[:3], strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)


def test_soap_does_not_move_a_matrix_at_first_and_turns_with_the_problem() -> None:
    """The steps on a turned matrix problem are the turned steps, once the turn is in the first basis."""
    generator = torch.Generator().manual_seed(0)
    start, target, left, right = (
        torch.randn(4, 4, generator=generator, dtype=torch.float64) for _ in range(4)
    )
    turn_left, turn_right = (torch.linalg.qr(x)[0] for x in (left, right))
    plain = nn.Parameter(start.clone())
    turned = nn.Parameter(turn_left @ start @ turn_right)
    back = [lambda x: x, lambda x: turn_left.T @ x @ turn_right.T]
    one, two = (SOAP([p], 0.05, eps=0.01, weight_decay=0.0) for p in (plain, turned))
    for step in range(30):
        for p, optimizer, way in ((plain, one, back[0]), (turned, two, back[1])):
            optimizer.zero_grad()
            ((way(p) - target) ** 4).sum().backward()
            optimizer.step()
        if step == 0:
            assert torch.equal(plain.detach(), start)
    assert not torch.allclose(plain.detach(), start, atol=0.1)
    torch.testing.assert_close(back[1](turned.detach()), plain.detach(), rtol=1e-9, atol=1e-9)


# ----------------------------------------------------------------------------------- Muon, SAM, schedule-free


def test_muon_leaves_its_momentum_alone_where_torch_divides_it() -> None:
    p = nn.Parameter(torch.ones(3, 3, dtype=torch.bfloat16))
    p.grad = torch.full_like(p, 4.0)
    optimizer = Muon([p], nesterov=False, momentum=0.5)
    optimizer.step()
    assert torch.equal(optimizer.state[p]["momentum_buffer"], torch.full_like(p, 2.0))


def test_newton_schulz_keeps_singular_vectors_and_lifts_singular_values() -> None:
    generator = torch.Generator().manual_seed(0)
    for shape in ((8, 32), (32, 8)):
        g = torch.randn(shape, generator=generator)
        u, _, vt = torch.linalg.svd(g, full_matrices=False)
        core = u.T @ newton_schulz(g).float() @ vt.T
        assert (core - core.diag().diag()).abs().max() < 0.06
        assert float(core.diag().min()) > 0.6
        assert float(core.diag().max()) < 1.3
    assert newton_schulz(torch.zeros(3, 2)).abs().max() == 0
    with pytest.raises(ValueError, match=r"need a matrix, got shape=\(2, 3, 4\); flatten filters with"):
        newton_schulz(torch.zeros(2, 3, 4))


def check_sam(make: Callable[..., Any]) -> None:
    """SAM by `step(closure)` and by its two steps, both against the papers' lines on a curved function."""
    for kwargs in ({}, {"adaptive": True}, {"maximize": True}, {"maximize": True, "adaptive": True}):
        check_sam_with(make, **kwargs)


def check_sam_with(make: Callable[..., Any], *, adaptive: bool = False, maximize: bool = False) -> None:
    sign = -1.0 if maximize else 1.0

    def loss(params: list[nn.Parameter]) -> Tensor:
        return torch.stack([p.pow(4).sum() / (i + 1) + p.sin().sum() for i, p in enumerate(params)]).sum()

    def groups(params: list[nn.Parameter]) -> list[dict[str, Any]]:
        return [{"params": params[:1], "rho": 0.2, "lr": 0.02}, {"params": params[1:]}]

    a, b, c = parameters(), parameters(), parameters()
    kwargs = {"rho": 0.1, "lr": 0.01, "momentum": 0.9}
    if adaptive or maximize:  # a SAM of before has neither
        kwargs |= {"adaptive": adaptive, "maximize": maximize}
    one, two = (make(groups(params), SGD, **kwargs) for params in (a, b))
    velocity = [torch.zeros_like(p) for p in c]

    def closure() -> float:
        one.zero_grad()
        value = sign * loss(a)
        value.backward()
        return value.item()

    for _ in range(10):
        before = sign * loss(a).item()
        assert one.step(closure) == before

        (sign * loss(b)).backward()
        two.first_step(zero_grad=True)
        (sign * loss(b)).backward()
        two.second_step(zero_grad=True)

        # the loss, whatever its sign, is descended: climbing minus the loss is the same
        units = [p.detach().abs() if adaptive else torch.ones_like(p) for p in c]
        g = torch.autograd.grad(loss(c), c)
        norm = math.sqrt(sum((t * x).square().sum().item() for t, x in zip(units, g, strict=True)))
        rhos = (0.2, 0.1, 0.1)
        climbed = zip(c, units, g, rhos, strict=True)
        uphill = [nn.Parameter(p + r / norm * t**2 * x) for p, t, x, r in climbed]
        g = torch.autograd.grad(loss(uphill), uphill)
        for p, v, x, lr in zip(c, velocity, g, (0.02, 0.01, 0.01), strict=True):
            v.copy_(0.9 * v + x)
            p.data = p.data - lr * v
        for p, q, r in zip(a, b, c, strict=True):
            torch.testing.assert_close(p, r, rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(q, r, rtol=1e-12, atol=1e-12)


def test_adaptive_sam_climbs_as_far_whatever_the_scale_of_the_weights() -> None:
    """w1 -> 3 w1, w2 -> w2 / 3 is the same function: ASAM's climb raises its loss alike, SAM's does not."""
    risen = {}
    for adaptive in (False, True):
        for scale in (1.0, 3.0):
            params = [nn.Parameter(torch.tensor([2.0 * scale])), nn.Parameter(torch.tensor([0.5 / scale]))]
            sam = SAM(params, SGD, 0.1, adaptive, lr=0.1)
            before = (params[0] * params[1] - 3).square().sum()
            before.backward()
            sam.first_step()
            risen[adaptive, scale] = ((params[0] * params[1] - 3).square().sum() - before).item()
    assert risen[True, 1.0] == pytest.approx(risen[True, 3.0], rel=1e-5)
    assert risen[False, 1.0] != pytest.approx(risen[False, 3.0], rel=0.1)


def test_sam_by_hand_counts_as_a_step_for_a_scheduler(recwarn: pytest.WarningsRecorder) -> None:
    p = nn.Parameter(torch.ones(2))
    sam = SAM([p], SGD, lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(sam, 1)
    for _ in range(2):
        p.grad = torch.ones(2)
        sam.first_step()
        sam.second_step()
        scheduler.step()
    assert [str(w.message) for w in recwarn] == []


def test_sam_around_schedule_free_switches_its_weights() -> None:
    p = nn.Parameter(torch.ones(2))
    sam = SAM([p], ScheduleFreeSGD, lr=0.1)
    for _ in range(3):
        p.grad = torch.ones(2)
        sam.first_step()
        sam.second_step()
    y = p.detach().clone()
    sam.eval()
    assert torch.equal(p, sam.state[p]["x"])
    assert not torch.equal(p, y)
    sam.train()
    assert torch.equal(p, y)
    SAM([p], SGD, lr=0.1).eval()  # of one set of weights: nothing to do


def test_sam_takes_the_paper_s_two_steps() -> None:
    check_sam(SAM)


@pytest.mark.parametrize("base", [Adam, torch.optim.Adam])
def test_sam_with_rho_zero_is_its_base_and_resumes(base: type[torch.optim.Optimizer]) -> None:
    a, b = parameters(), parameters()
    sam, plain = SAM(a, base, rho=0.0, lr=0.1), base(b, lr=0.1)  # type: ignore[call-arg]
    scheduler = torch.optim.lr_scheduler.StepLR(sam, 2, 0.5)
    expected = torch.optim.lr_scheduler.StepLR(plain, 2, 0.5)

    def closure() -> float:
        sam.zero_grad()
        loss = torch.stack([p.square().sum() for p in a]).sum()
        loss.backward()
        return loss.item()

    for step in range(6):
        if step == 3:  # through a checkpoint, and through a deep copy
            saved = copy.deepcopy(sam.state_dict())
            sam = SAM(a, base, rho=0.3, lr=0.9)
            sam.load_state_dict(saved)
            scheduler.optimizer = sam
        plain.zero_grad()
        torch.stack([p.square().sum() for p in b]).sum().backward()
        sam.step(closure)
        plain.step()
        scheduler.step()
        expected.step()
        assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))
    twin = copy.deepcopy(sam)
    assert twin.base_optimizer.param_groups is twin.param_groups
    assert twin.base_optimizer.state is twin.state
    assert len(twin.state) == 3


def test_sam_says_what_it_needs() -> None:
    a = parameters()
    with pytest.raises(ValueError, match="need rho >= 0"):
        SAM(a, SGD, rho=-0.1, lr=0.1)
    with pytest.raises(ValueError, match="need lr >= 0"):
        SAM(a, SGD, rho=0.1, lr=-0.1)
    sam = SAM(a[:1], SGD, lr=0.1)
    with pytest.raises(ValueError, match="need lr >= 0"):
        sam.add_param_group({"params": a[1:], "lr": -1.0})
    sam.add_param_group({"params": a[1:], "rho": 0.5})
    assert sam.base_optimizer.param_groups[1]["lr"] == 0.1
    with pytest.raises(RuntimeError, match=r"need step\(closure\)"):
        sam.step()
    with pytest.raises(RuntimeError, match="need first_step before second_step"):
        sam.second_step()
    sam.first_step()
    with pytest.raises(RuntimeError, match="first_step twice"):
        sam.first_step()
    with pytest.raises(ValueError, match=r"SAM's state_dict, got missing=\['rho'\]"):
        SAM(a, SGD, lr=0.1).load_state_dict(SGD(parameters(), lr=0.1).state_dict())
    with pytest.raises(ValueError, match=r"need a class as base_optimizer.*SAM\(params, SGD, lr=0\.1\)"):
        SAM(a, SGD(a, 0.1))
    for base in (torch.optim.LBFGS, lambda p: SAM(p, SGD, lr=0.1)):
        with pytest.raises(ValueError, match="need a base optimizer that steps without a closure"):
            SAM(a, base)


def test_sam_restores_the_parameters_where_nothing_points_up_or_the_closure_fails() -> None:
    a = parameters()
    before = [p.detach().clone() for p in a]
    sam = SAM(a, SGD, lr=0.1)
    for p in a[1:]:
        p.grad = torch.zeros_like(p)  # norm 0; a[0] has no gradient
    sam.first_step()
    assert all(torch.equal(p, q) for p, q in zip(a, before, strict=True))
    sam.second_step()
    calls = []

    def closure() -> float:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        gradients(a, 0)
        return 0.0

    with pytest.raises(KeyboardInterrupt):
        sam.step(closure)
    assert all(torch.equal(p, q) for p, q in zip(a, before, strict=True))
    sam.first_step()  # and it can go on


@pytest.mark.parametrize("cls", [ScheduleFreeSGD, ScheduleFreeAdamW])
def test_eval_shows_the_average_and_train_returns_bit_for_bit(cls: type[ScheduleFreeSGD]) -> None:
    a, b = parameters(), parameters()
    optimizer, undisturbed = cls(a, 0.1, warmup_steps=3), cls(b, 0.1, warmup_steps=3)
    reference = getattr(paper, cls.__name__)(parameters(), 0.1, warmup_steps=3)
    c = reference.param_groups[0]["params"]
    optimizer.eval()  # before any step the three points are one
    optimizer.train()
    for step in range(6):
        for params in (a, b, c):
            gradients(params, step)
        for each in (optimizer, undisturbed, reference):
            each.step()
        optimizer.eval()
        optimizer.eval()
        for p, r in zip(a, c, strict=True):
            torch.testing.assert_close(p.detach(), reference.state[r]["x"], rtol=1e-12, atol=1e-12)
        if step:
            assert not torch.equal(a[0], b[0])
        if step == 3:  # a checkpoint taken while evaluating
            a = [nn.Parameter(p.detach().clone()) for p in a]
            saved = copy.deepcopy(optimizer.state_dict())
            optimizer = cls(a)
            optimizer.load_state_dict(saved)
        gradients(a, step)
        with pytest.raises(ValueError, match=r"need training mode to step.*call optimizer.train\(\)"):
            optimizer.step()
        optimizer.train()
        assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


def test_schedule_free_survives_a_rate_that_starts_at_zero() -> None:
    a = parameters()
    optimizer = ScheduleFreeSGD(a, 0.0)
    gradients(a, 0)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.1
    gradients(a, 1)
    optimizer.step()
    assert all(bool(p.isfinite().all()) for p in a)
    assert not torch.equal(a[0], parameters()[0])


def test_the_help_names_everything_it_should() -> None:
    for cls in (*EVERY, SAM):
        text = cls.__doc__ or ""
        assert "Args:" in text
        assert "Source:" in text
        for name in cls([nn.Parameter(torch.ones(2, 2))]).defaults if cls is not SAM else ("rho",):
            if name not in ("train_mode", "decoupled_weight_decay"):
                assert name in text, f"{cls.__name__}: {name}"
