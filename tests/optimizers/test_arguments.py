"""Names, positions, kinds of numbers and switches: as torch takes them, or refused in words."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import optimizers
from course_utils.optimizers import (
    SAM,
    SGD,
    SOAP,
    Adagrad,
    Adam,
    AdamW,
    Lion,
    Muon,
    Optimizer,
    RMSprop,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
    Shampoo,
)

SHARED = ["SGD", "Adagrad", "RMSprop", "Adadelta", "Adam", "AdamW", "Muon"]


def params() -> list[nn.Parameter]:
    return [nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(3, 2))]


@pytest.mark.parametrize("name", SHARED)
def test_the_signature_is_torch_s(name: str) -> None:
    """Names, order, defaults, and which go by name alone: what torch takes means the same here."""
    ours, theirs = (inspect.signature(getattr(m, name)).parameters for m in (optimizers, torch.optim))
    by_place = [[p.name for p in s.values() if p.kind is not p.KEYWORD_ONLY] for s in (ours, theirs)]
    assert by_place[0] == by_place[1]
    assert set(ours) == set(theirs)
    for argument in ours:
        assert ours[argument].kind == theirs[argument].kind
        assert ours[argument].default == theirs[argument].default


def test_the_order_of_those_that_torch_lacks_is_their_authors() -> None:
    assert Lion(params(), 0.1, (0.5, 0.6), 0.7).defaults["weight_decay"] == 0.7
    assert ScheduleFreeSGD(params(), 0.1, 0.5, 0.2, 3).defaults["warmup_steps"] == 3
    assert ScheduleFreeAdamW(params(), 0.1, (0.5, 0.6), 1e-3, 0.2, 3).defaults["warmup_steps"] == 3
    assert Shampoo(params(), 0.1, 0.5, 0.2, 1e-3, 4).defaults["update_freq"] == 4
    assert SOAP(params(), 0.1, (0.5, 0.6)).defaults["betas"] == (0.5, 0.6)
    sam = SAM(params(), SGD, 0.3, True, lr=0.1, momentum=0.9)
    assert [sam.defaults[name] for name in ("rho", "adaptive", "momentum")] == [0.3, True, 0.9]
    for p in params():
        p.grad = torch.ones_like(p)
    sam.first_step(True)
    sam.second_step(True)


IMPLEMENTATIONS = ["foreach", "fused", "capturable", "differentiable"]


@pytest.mark.parametrize("name", SHARED)
def test_other_implementations_are_taken_switched_off_and_refused_in_words(name: str) -> None:
    cls: Any = getattr(optimizers, name)
    own = inspect.signature(cls).parameters
    for switch in IMPLEMENTATIONS:
        message = rf"need {switch}=None or False, got {switch}=True; .*FlatParameters makes it fast"
        if switch in own:
            cls(params(), **{switch: False})
            with pytest.raises(ValueError, match=message):
                cls(params(), **{switch: True})
        cls([{"params": params(), switch: False}])
        with pytest.raises(ValueError, match=message):
            cls([{"params": params(), switch: True}])
        optimizer = cls(params()[:1])
        with pytest.raises(ValueError, match=message):
            optimizer.add_param_group({"params": params()[1:], switch: True})
        assert len(optimizer.param_groups) == 1
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        cls(params(), colour=1)


def test_a_subclass_passes_the_switches_on_and_an_unknown_one_is_a_type_error() -> None:
    class Plain(Optimizer):
        def __init__(self, p: list[nn.Parameter], **switches: bool | None) -> None:
            super().__init__(p, {"lr": 0.1}, **switches)

        def check(self, group: dict[str, Any]) -> None:
            pass

    Plain(params(), foreach=None, fused=False)
    with pytest.raises(ValueError, match="need fused=None or False"):
        Plain(params(), fused=True)
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        Plain(params(), colour=True)


WRONG: list[tuple[type[Optimizer], dict[str, Any], str]] = [
    (SGD, {"lr": "0.1"}, r"need plain numbers as hyperparameters, got lr='0\.1'; write float\(lr\)"),
    (SGD, {"lr": None}, r"need plain numbers"),
    (SGD, {"lr": np.array(0.1)}, r"need plain numbers"),
    (SGD, {"lr": torch.tensor(0.1)}, r"need plain numbers.*write float\(lr\)"),
    (SGD, {"lr": 1j}, r"need plain numbers"),
    (SGD, {"momentum": 0.9, "nesterov": "False"}, r"need nesterov True or False, got nesterov='False'"),
    (SGD, {"maximize": "no"}, r"need maximize True or False"),
    (SGD, {"maximize": torch.tensor(True)}, r"need maximize True or False"),
    (SGD, {"dampening": "0"}, r"need plain numbers.*dampening"),
    (Adagrad, {"initial_accumulator_value": torch.zeros(2)}, r"need plain numbers"),
    (RMSprop, {"centered": 0.5}, r"need centered True or False, got centered=0\.5"),
    (RMSprop, {"alpha": "0.9"}, r"need plain numbers"),
    (Adam, {"betas": 0.9}, r"need 2 plain numbers as betas, got betas=0\.9"),
    (Adam, {"betas": (0.9, 0.99, 0.999)}, r"need 2 plain numbers as betas"),
    (Adam, {"betas": (0.9, "0.99")}, r"need plain numbers as hyperparameters, got betas='0\.99'"),
    (Adam, {"betas": np.array([0.9, 0.99])}, r"need 2 plain numbers as betas"),
    (Adam, {"betas": (torch.tensor(0.9), torch.tensor(0.99))}, r"need plain numbers"),
    (Adam, {"amsgrad": None}, r"need amsgrad True or False"),
    (Adam, {"decoupled_weight_decay": True}, r"need decoupled_weight_decay=False, .*that is AdamW: use it"),
    (Lion, {"betas": (0.9,)}, r"need 2 plain numbers as betas"),
    (Muon, {"ns_steps": 2.5}, r"need a whole number 0 <= ns_steps < 100, got ns_steps=2\.5"),
    (Muon, {"ns_steps": True}, r"need a whole number"),
    (Muon, {"ns_coefficients": (1.0, 2.0)}, r"need 3 plain numbers as ns_coefficients"),
    (ScheduleFreeSGD, {"momentum": "0.9"}, r"need plain numbers"),
    (ScheduleFreeAdamW, {"warmup_steps": None}, r"need plain numbers"),
    (Shampoo, {"update_freq": "2"}, r"need plain numbers"),
    (Shampoo, {"eps": torch.tensor(1e-4)}, r"need plain numbers"),
    (SOAP, {"betas": (0.9,)}, r"need 2 plain numbers as betas"),
    (SOAP, {"precondition_frequency": True}, r"need a whole number precondition_frequency >= 1"),
    (SOAP, {"precondition_1d": "no"}, r"need precondition_1d True or False"),
]


@pytest.mark.parametrize(("cls", "kwargs", "message"), WRONG)
def test_what_is_no_number_or_no_switch_is_refused(
    cls: Callable[..., Optimizer], kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        cls(params(), **kwargs)
    with pytest.raises(ValueError, match=message):
        cls([{"params": params(), **kwargs}])


def test_numbers_of_numpy_lists_and_whole_numbers_are_taken() -> None:
    adam = Adam(params(), np.float64(0.1), [np.float32(0.5), 0], np.float16(0), np.int64(1), np.bool_(True))
    group = adam.param_groups[0]
    assert [group[name] for name in ("lr", "betas", "eps", "weight_decay", "amsgrad")] == [
        *(0.1, [0.5, 0], 0.0, 1, True),
    ]
    kinds = [type(group[name]) for name in ("lr", "eps", "weight_decay", "amsgrad")]
    assert kinds == [float, float, int, bool]
    assert type(group["betas"][0]) is float
    assert SGD(params(), 1, 0, maximize=1).param_groups[0]["maximize"] is True
    assert type(Muon(params(), ns_steps=np.int32(4)).param_groups[0]["ns_steps"]) is int
    for p in group["params"]:
        p.grad = torch.ones_like(p)
    adam.step()
    assert bool(group["params"][0].isfinite().all())


def test_a_complex_parameter_is_refused_with_a_way_out() -> None:
    with pytest.raises(ValueError, match=r"need real floating-point.*shape \(\.\.\., 2\).*view_as_complex"):
        AdamW([torch.zeros(2, dtype=torch.complex64, requires_grad=True)])
    p = nn.Parameter(torch.ones(3, 2))  # the way out
    torch.view_as_complex(p).abs().sum().backward()
    AdamW([p]).step()
    with pytest.raises(
        ValueError, match=r"need real floating-point parameters, got dtype=torch\.int64; cast"
    ):
        SGD([torch.zeros(2, dtype=torch.long)])


# ----------------------------------------------------------------------------------------- sparse gradients

SPARSE: list[tuple[type[Optimizer], dict[str, Any]]] = [
    (SGD, {"lr": 0.5}),
    (SGD, {"lr": 0.5, "maximize": True}),
    (SGD, {"lr": 0.5, "momentum": 0.9}),
    (SGD, {"lr": 0.5, "momentum": 0.9, "dampening": 0.5}),
    (SGD, {"lr": 0.5, "momentum": 0.9, "nesterov": True}),
    (Adagrad, {"lr": 0.5}),
    (Adagrad, {"lr": 0.5, "lr_decay": 0.1, "initial_accumulator_value": 0.2, "eps": 1e-3}),
    (Adagrad, {"lr": 0.5, "maximize": True}),
]


@pytest.mark.parametrize(("cls", "kwargs"), SPARSE)
def test_steps_with_sparse_gradients_are_torch_s(cls: type[Optimizer], kwargs: dict[str, Any]) -> None:
    ours, theirs = (nn.Embedding(5, 3, sparse=True, dtype=torch.float64) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    a, b = cls(ours.parameters(), **kwargs), getattr(torch.optim, cls.__name__)(theirs.parameters(), **kwargs)
    for rows in ([1, 1, 3], [0], [1, 4, 4, 4], [3]):
        for net, optimizer in ((ours, a), (theirs, b)):
            optimizer.zero_grad()
            (net(torch.tensor(rows)) ** 2).sum().backward()
            optimizer.step()
        torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-12, atol=1e-12)
    a.load_state_dict(copy.deepcopy(b.state_dict()))  # with torch's momentum buffer, which is sparse
    for net, optimizer in ((ours, a), (theirs, b)):
        net(torch.tensor([2])).sum().backward()
        optimizer.step()
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-12, atol=1e-12)


def test_sparse_gradients_are_refused_where_zeros_move_something() -> None:
    for cls in (
        RMSprop,
        optimizers.Adadelta,
        Adam,
        AdamW,
        Lion,
        Muon,
        ScheduleFreeSGD,
        ScheduleFreeAdamW,
        Shampoo,
        SOAP,
    ):
        p = nn.Parameter(torch.ones(2, 2))
        p.grad = torch.eye(2).to_sparse()
        message = r"need dense gradients, got layout=torch\.sparse_coo; use sparse=False"
        with pytest.raises(ValueError, match=message):
            cls([p]).step()
        with pytest.raises(ValueError, match=message):
            SAM([p], cls).first_step()
        assert torch.equal(p.detach(), torch.ones(2, 2))
    for decayed in (SGD, Adagrad):  # torch refuses it for Adagrad, and has no kernel for SGD
        with pytest.raises(
            ValueError, match=r"need weight_decay=0 with sparse gradients, got weight_decay=0\.1"
        ):
            decayed([p], weight_decay=0.1).step()
