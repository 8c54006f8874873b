"""State that is loaded, copied, saved or switched on: whole and of this optimizer, or refused in words."""

from __future__ import annotations

import copy
import io
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode

from course_utils import optimizers
from course_utils.optimizers import SAM, SGD, Adam, AdamW, FlatParameters, Lion, Optimizer, RMSprop
from course_utils.optimizers.base import Group, State

Make = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
OURS: dict[str, Make] = {
    "SGD": lambda p: SGD(p, 0.1, 0.9),
    "Adagrad": lambda p: optimizers.Adagrad(p),
    "RMSprop": lambda p: RMSprop(p, momentum=0.9, centered=True),
    "Adadelta": lambda p: optimizers.Adadelta(p),
    "Adam": lambda p: Adam(p, amsgrad=True),
    "AdamW": lambda p: AdamW(p, amsgrad=True),
    "Lion": lambda p: Lion(p),
    "Muon": lambda p: optimizers.Muon(p),
    "ScheduleFreeSGD": lambda p: optimizers.ScheduleFreeSGD(p),
    "ScheduleFreeAdamW": lambda p: optimizers.ScheduleFreeAdamW(p),
    "Shampoo": lambda p: optimizers.Shampoo(p, momentum=0.9),
    "SOAP": lambda p: optimizers.SOAP(p),
    "SAM of SGD": lambda p: SAM(p, SGD, lr=0.1),
    "SAM of Adam": lambda p: SAM(p, Adam),
    "SAM of AdamW": lambda p: SAM(p, AdamW),
}
TORCHS: dict[str, Make] = {
    f"torch's {name}": getattr(torch.optim, name)
    for name in ("SGD", "Adagrad", "RMSprop", "Adadelta", "Adam", "AdamW", "Muon")
    + ("Adamax", "NAdam", "RAdam", "ASGD", "Rprop", "Adafactor")
}


class RatePerRow(Optimizer):
    """Plain SGD whose rates are an attribute of its own."""

    def __init__(self, params: list[nn.Parameter], rates: Tensor) -> None:
        self.rates = rates
        super().__init__(params, {"lr": 1.0})

    def check(self, group: Group) -> None:
        pass

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        p.sub_(self.rates[:, None] * g, alpha=group["lr"])


def one(make: Make, steps: int = 1) -> tuple[torch.optim.Optimizer, nn.Parameter]:
    """An optimizer over a matrix of 2 x 3, after a number of steps."""
    p = nn.Parameter(torch.arange(6.0).view(2, 3))
    optimizer = make([p])
    for _ in range(steps):
        step(optimizer, p)
    return optimizer, p


def step(optimizer: torch.optim.Optimizer, p: nn.Parameter) -> None:
    def closure() -> float:
        p.grad = 0.5 * p.detach() + 1
        return 0.0

    closure()
    optimizer.step(closure if isinstance(optimizer, SAM) else None)


def everything(optimizer: torch.optim.Optimizer) -> str:
    return repr(optimizer.state_dict())


def same(source: str, target: str) -> bool:
    return source.removeprefix("torch's ") == target


@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.parametrize("target", OURS)
def test_the_state_of_another_optimizer_is_refused_before_anything_changes(target: str, steps: int) -> None:
    for source, make in (OURS | TORCHS).items():
        saved = one(make, steps)[0].state_dict()
        optimizer, p = one(OURS[target], 2)
        if same(source, target):
            optimizer.load_state_dict(saved)
            step(optimizer, p)
            continue
        before = everything(optimizer)
        with pytest.raises(ValueError, match=r"state_dict, got|decoupled_weight_decay") as refused:
            optimizer.load_state_dict(saved)
        assert "load it into" in str(refused.value), f"{source} into {target}"
        assert everything(optimizer) == before


@pytest.mark.parametrize("name", OURS)
def test_a_state_that_is_not_whole_is_refused_before_anything_changes(name: str) -> None:
    optimizer, _ = one(OURS[name], 2)
    saved = copy.deepcopy(optimizer.state_dict())
    state = saved["state"][0]
    needless = {"step"} if name in ("SGD", "Lion", "Muon") or name.startswith("SAM") else set()
    before = everything(optimizer)
    for key in state.keys() - needless if not name.startswith("SAM") else ():
        less = copy.deepcopy(saved)
        del less["state"][0][key]
        with pytest.raises(ValueError, match=rf"state_dict, got missing=\['{key}'\]"):
            optimizer.load_state_dict(less)
    for key, value in state.items() if not name.startswith("SAM") else ():
        if isinstance(value, Tensor):
            for wrong in (value.T[1:], value[:1], value[0, 0]):  # two of them would broadcast
                other = copy.deepcopy(saved)
                other["state"][0][key] = wrong
                own = "the parameter's " if value.shape == (2, 3) else ""
                shape = re.escape(str(tuple(value.shape)))
                with pytest.raises(ValueError, match=rf"need {key} of {own}shape {shape}, got"):
                    optimizer.load_state_dict(other)
    for key in optimizer.defaults.keys() - {
        *("maximize", "adaptive", "decoupled_weight_decay", "differentiable"),
    }:
        less = copy.deepcopy(saved)
        del less["param_groups"][0][key]
        with pytest.raises(ValueError, match=rf"state_dict, got missing=\['{key}'\]"):
            optimizer.load_state_dict(less)
    assert everything(optimizer) == before


def test_a_count_of_steps_that_is_none_is_refused() -> None:
    optimizer, _ = one(OURS["Adam"], 2)
    for wrong in (None, "3", torch.ones(2)):
        saved = copy.deepcopy(optimizer.state_dict())
        saved["state"][0]["step"] = wrong
        with pytest.raises(ValueError, match=r"got missing=\['step'\]"):
            optimizer.load_state_dict(saved)


def test_hyperparameters_out_of_range_are_refused_when_loaded_and_a_rate_in_a_tensor_is_read() -> None:
    optimizer, _ = one(OURS["Adam"])
    saved = copy.deepcopy(optimizer.state_dict())
    saved["param_groups"][0]["lr"] = torch.tensor(0.25)  # as torch saves it, with capturable=True
    optimizer.load_state_dict(saved)
    assert type(optimizer.param_groups[0]["lr"]) is float
    assert optimizer.param_groups[0]["lr"] == 0.25
    for name, wrong in {"lr": -1.0, "betas": 0.9, "amsgrad": "False"}.items():
        bad = copy.deepcopy(saved)
        bad["param_groups"][0][name] = wrong
        with pytest.raises(ValueError, match=name):
            optimizer.load_state_dict(bad)


def test_a_checkpoint_of_an_older_torch_loads() -> None:
    for name in ("SGD", "Adagrad", "RMSprop", "Adadelta", "Adam", "AdamW"):
        p = [nn.Parameter(torch.ones(2))]
        theirs = getattr(torch.optim, name)(p, lr=0.25)
        p[0].grad = torch.ones(2)
        theirs.step()
        saved = theirs.state_dict()
        for key in ("maximize", "foreach", "fused", "capturable", "differentiable", "decoupled_weight_decay"):
            saved["param_groups"][0].pop(key, None)
        ours = getattr(optimizers, name)(p, maximize=True)
        ours.load_state_dict(saved)
        assert ours.param_groups[0]["lr"] == 0.25
        assert ours.param_groups[0]["maximize"] is False  # as torch reads it
        ours.step()


def test_a_fused_checkpoint_of_torch_loads_and_goes_back() -> None:
    p = [nn.Parameter(torch.ones(2))]
    theirs = torch.optim.Adam(p, lr=0.25, fused=True)
    p[0].grad = torch.ones(2)
    theirs.step()
    ours = Adam(p)
    ours.load_state_dict(theirs.state_dict())
    assert ours.state[p[0]]["step"] == 1
    theirs.load_state_dict(ours.state_dict())
    theirs.step()


# ------------------------------------------------------------------------- options switched on after a step

SWITCHED: list[tuple[type[Optimizer], dict[str, Any], dict[str, Any]]] = [
    (SGD, {"lr": 0.1}, {"momentum": 0.9}),
    (SGD, {"lr": 0.1}, {"momentum": 0.9, "nesterov": True}),
    (RMSprop, {"lr": 0.1}, {"momentum": 0.9}),
    (RMSprop, {"lr": 0.1}, {"centered": True}),
    (RMSprop, {"lr": 0.1, "centered": True}, {"momentum": 0.9, "centered": True}),
    (Adam, {"lr": 0.1}, {"amsgrad": True}),
    (AdamW, {"lr": 0.1}, {"amsgrad": True}),
]


@pytest.mark.parametrize("saved_between", [False, True])
@pytest.mark.parametrize(("cls", "kwargs", "option"), SWITCHED)
def test_an_option_switched_on_begins_there(
    cls: type[Optimizer], kwargs: dict[str, Any], option: dict[str, Any], saved_between: bool
) -> None:
    """Beside torch's optimizer, whose missing buffer is made by hand: zeros, and for SGD the gradient."""
    a, b = (nn.Parameter(torch.arange(4.0)) for _ in range(2))
    ours, theirs = cls([a], **kwargs), getattr(torch.optim, cls.__name__)([b], **kwargs)
    buffers = {"momentum": "momentum_buffer", "centered": "grad_avg", "amsgrad": "max_exp_avg_sq"}
    for t in range(6):
        if t == 2:
            ours.param_groups[0].update(option)
            theirs.param_groups[0].update(option)
            if cls is not SGD:
                for name in option.keys() & buffers.keys():
                    theirs.state[b].setdefault(buffers[name], torch.zeros_like(b))
            if saved_between:
                saved = pickle.loads(pickle.dumps(ours.state_dict()))
                ours = cls([a], **kwargs)
                ours.load_state_dict(saved)
        for p in (a, b):
            p.grad = torch.tensor([1.0, -2.0, 0.5, t])
        ours.step()
        theirs.step()
        assert torch.equal(a, b), f"step {t}"


# ------------------------------------------------------------------------------------- hooks, notes, copies


def test_a_hook_may_repair_or_replace_what_is_loaded() -> None:
    def note(state: Any, lr: float) -> None:
        state["loaded"] = lr

    for make in (OURS["Adam"], OURS["SAM of Adam"]):
        optimizer, _ = one(make)
        saved = optimizer.state_dict()
        saved["param_groups"][0].pop("lr")
        wrapped = {"optimizer": saved}
        optimizer.register_load_state_dict_pre_hook(lambda o, s: s["optimizer"])
        optimizer.register_load_state_dict_pre_hook(lambda o, s: s["param_groups"][0].update(lr=0.5))
        optimizer.register_load_state_dict_post_hook(lambda o: note(o.state, o.param_groups[0]["lr"]))
        optimizer.load_state_dict(wrapped)
        state: Any = optimizer.state
        assert state["loaded"] == 0.5
        if isinstance(optimizer, SAM):
            assert optimizer.base_optimizer.param_groups is optimizer.param_groups
            assert optimizer.base_optimizer.state is optimizer.state


def test_hooks_of_a_step_are_called_once_and_may_change_its_arguments() -> None:
    for make in OURS.values():
        optimizer, p = one(make)
        optimizer.state["called"] = []
        optimizer.register_step_pre_hook(lambda o, args, kwargs: o.state["called"].append("before"))
        optimizer.register_step_post_hook(lambda o, args, kwargs: o.state["called"].append("after"))
        step(optimizer, p)
        assert optimizer.state["called"] == ["before", "after"]


def test_an_entry_of_the_state_that_is_no_parameter_s_is_kept() -> None:
    for make in OURS.values():
        optimizer, p = one(make)
        optimizer.state["note"] = 1
        saved = optimizer.state_dict()
        assert saved["state"]["note"] == 1
        optimizer.load_state_dict(saved)
        assert optimizer.state["note"] == 1
        assert copy.deepcopy(optimizer).state["note"] == 1
        assert pickle.loads(pickle.dumps(optimizer)).state["note"] == 1
        step(optimizer, p)


def test_a_group_may_carry_a_tensor_and_a_hyperparameter_of_others_as_a_note() -> None:
    p = nn.Parameter(torch.ones(2))
    optimizer = Lion([{"params": [p], "note": torch.ones(2), "eps": 1e-8}])
    p.grad = torch.ones(2)
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    assert optimizer.param_groups[0]["eps"] == 1e-8


def test_copies_keep_what_a_subclass_added_and_leave_a_scheduler_s_wrapper_behind() -> None:
    p = nn.Parameter(torch.ones(2, 3))
    rates = RatePerRow([p], torch.tensor([0.5, 1.0]))
    scheduler = torch.optim.lr_scheduler.StepLR(rates, 1, 0.5)
    p.grad = torch.ones(2, 3)
    rates.step()
    scheduler.step()
    for twin in (copy.deepcopy(rates), pickle.loads(pickle.dumps(rates))):
        q = twin.param_groups[0]["params"][0]
        assert torch.equal(twin.rates, rates.rates)
        q.grad = torch.ones(2, 3)
        twin.step()
        assert torch.equal(q.detach(), torch.tensor([[0.25] * 3, [-0.5] * 3]))
    assert rates.state[p]["step"] == 1


@pytest.mark.parametrize("name", OURS)
def test_numbers_of_numpy_are_saved_as_python_s_so_that_a_file_may_be_read_safely(name: str) -> None:
    optimizer, p = one(OURS[name])
    optimizer.param_groups[0]["lr"] = np.float64(0.01)  # as a schedule of NumPy's numbers would leave it
    q = nn.Parameter(torch.ones(2, 3))
    optimizer.add_param_group({"params": [q], "lr": np.float32(0.5)})
    assert type(optimizer.param_groups[1]["lr"]) is float
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    assert saved["param_groups"][0]["lr"] == 0.01
    optimizer.load_state_dict(saved)
    step(optimizer, p)


# -------------------------------------------------------------------------- without numbers, and in one graph


@pytest.mark.parametrize("name", OURS)
def test_steps_without_numbers(name: str) -> None:
    p = nn.Parameter(torch.empty(2, 3, device="meta"))
    optimizer = OURS[name]([p])
    step(optimizer, p)
    for switch in ("eval", "train"):
        getattr(optimizer, switch, lambda: None)()
    step(optimizer, p)
    assert all(v.is_meta for v in optimizer.state[p].values() if isinstance(v, Tensor))
    with FakeTensorMode():
        one(OURS[name], 2)


def test_a_flat_buffer_without_numbers() -> None:
    net = nn.Linear(3, 2, device="meta")
    optimizer = Adam(FlatParameters(net).parameters())
    for _ in range(2):
        net(torch.empty(4, 3, device="meta")).sum().backward()
        optimizer.step()
    assert net.weight.is_meta


@pytest.mark.parametrize("name", [name for name in OURS if not name.startswith("SAM")])
def test_a_compiled_step_is_one_graph_and_the_same_step(name: str) -> None:
    torch._dynamo.reset()
    graphs = []

    def count(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    (plain, p), (optimizer, q) = one(OURS[name], 0), one(OURS[name], 0)
    compiled = torch.compile(lambda: optimizer.step(), backend=count, fullgraph=True)
    for t in range(6):
        p.grad, q.grad = (torch.cos(torch.arange(6.0) + t).view(2, 3) for _ in range(2))
        plain.step()
        compiled()
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)
    assert len(graphs) <= 4  # the first step makes the state; t is a constant once, then a number


# ------------------------------------------------------------------------------------------- flat parameters


def test_a_part_of_a_flat_model_is_saved_without_the_buffer() -> None:
    net = nn.Sequential(nn.Linear(8, 8), nn.Linear(300, 300)).to(torch.bfloat16)
    FlatParameters(net)
    for tensors in (net[0].state_dict(), list(net[0].parameters()), [p.grad for p in net[0].parameters()]):
        file = io.BytesIO()
        torch.save(tensors, file)
        assert file.tell() < 10_000
    places = [t.untyped_storage().data_ptr() for t in net.state_dict().values()]
    assert len(set(places)) == len(places)  # safetensors refuses tensors that share a storage


def test_a_sparse_gradient_reaches_the_buffer() -> None:
    steps = []
    for sparse in (False, True):
        torch.manual_seed(0)
        net = nn.Embedding(5, 3, sparse=sparse)
        optimizer = SGD(FlatParameters(net).parameters(), 0.1, 0.9)
        for _ in range(3):
            net.zero_grad()
            net(torch.tensor([1, 1, 3])).sum().backward()
            optimizer.step()
        steps.append(net.weight.detach().clone())
    assert torch.equal(*steps)
