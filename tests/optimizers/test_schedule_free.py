"""Weights that others put into a model under Schedule-Free: training goes on from them, or is refused."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from torch import nn

from course_utils.averaging import ExponentialMovingAverage
from course_utils.early_stopping import EarlyStopping
from course_utils.optimizers import SAM, FlatParameters, ScheduleFreeAdamW, ScheduleFreeSGD
from course_utils.regularizers import max_norm_

BOTH: list[Any] = [ScheduleFreeSGD, ScheduleFreeAdamW]


def trained(cls: Any, steps: int = 5) -> tuple[nn.Linear, Any]:
    torch.manual_seed(0)
    net = nn.Linear(3, 2, dtype=torch.float64)
    optimizer = cls(net.parameters(), 0.1)
    train(net, optimizer, steps)
    return net, optimizer


def train(net: nn.Module, optimizer: Any, steps: int, first: int = 0) -> None:
    for step in range(first, first + steps):
        optimizer.zero_grad()
        x = torch.randn(4, 3, generator=torch.Generator().manual_seed(step), dtype=torch.float64)
        net(x).square().mean().backward()
        optimizer.step()


def values(net: nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in net.parameters()]


def equal(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


def restored(net: nn.Module) -> None:
    net.load_state_dict({name: 0.5 * value + 7 for name, value in net.state_dict().items()})


def filled(net: nn.Module) -> None:
    with torch.no_grad():
        for p in net.parameters():
            p.fill_(7.0)


def averaged(net: nn.Module) -> None:
    average = ExponentialMovingAverage(net)
    average.update(nn.Linear(3, 2, dtype=torch.float64))
    with torch.no_grad():
        for p, q in zip(net.parameters(), average.module.parameters(), strict=True):
            p.copy_(q)


@pytest.mark.parametrize("put_in", [restored, filled, averaged])
@pytest.mark.parametrize("cls", BOTH)
def test_training_goes_on_from_weights_put_in_after_eval(cls: Any, put_in: Any) -> None:
    """As a new optimizer would from there, but for v and t: gradient, iterate and average begin at them."""
    net, optimizer = trained(cls)
    optimizer.eval()
    put_in(net)
    new = values(net)
    optimizer.train()
    assert equal(values(net), new)
    optimizer.eval()
    assert equal(values(net), new)
    optimizer.train()

    other = copy.deepcopy(net)
    fresh = cls(other.parameters(), 0.1)
    for q in other.parameters():
        q.grad = torch.zeros_like(q)
    fresh.step()  # makes its state; a gradient of zero moves nothing, but counts in the average
    before, was = trained(cls)
    for p, q in zip(before.parameters(), other.parameters(), strict=True):
        kept = was.state[p].keys() & {"exp_avg_sq", "step"}  # v and t as they were after five steps
        fresh.state[q] |= {"weight_sum": 0.0} | {name: was.state[p][name] for name in kept}
    for one, its in ((net, optimizer), (other, fresh)):
        train(one, its, 3, first=5)
    assert equal(values(net), values(other))


@pytest.mark.parametrize("cls", BOTH)
def test_weights_that_were_left_alone_go_on_bit_for_bit(cls: Any) -> None:
    """Written to with what was there (as a checkpoint of the same moment is), or only looked at."""
    (net, optimizer), (other, plain) = trained(cls), trained(cls)
    for step, change in enumerate(
        (lambda: None, lambda: net.load_state_dict(copy.deepcopy(net.state_dict())))
    ):
        change()
        train(net, optimizer, 1, first=5 + 2 * step)
        change()
        optimizer.eval()
        change()
        optimizer.train()
        change()
        train(net, optimizer, 1, first=6 + 2 * step)
    train(other, plain, 4, first=5)
    assert equal(values(net), values(other))


@pytest.mark.parametrize("cls", BOTH)
def test_a_step_from_weights_put_in_during_training_is_refused_and_eval_begins_again_there(cls: Any) -> None:
    for change in (restored, filled, lambda net: max_norm_(net.weight, 0.01)):
        net, optimizer = trained(cls)
        change(net)
        new = values(net)
        with pytest.raises(ValueError, match=r"need the weights that ScheduleFree.* left in the model, got "):
            train(net, optimizer, 1)
        assert equal(values(net), new)
        optimizer.eval()
        assert torch.equal(net.weight, new[0])  # the bias, where it was left alone, shows its average
        optimizer.train()
        assert torch.equal(net.weight, new[0])
        train(net, optimizer, 1)
        optimizer.eval()
        assert not torch.equal(net.weight, new[0])


@pytest.mark.parametrize("cls", BOTH)
def test_a_checkpoint_or_a_copy_may_go_into_a_model_in_any_order(cls: Any) -> None:
    for mode in ("train", "eval"):
        net, optimizer = trained(cls)
        getattr(optimizer, mode)()
        file = io.BytesIO()
        torch.save((net.state_dict(), optimizer.state_dict()), file)
        for order in ("model first", "optimizer first"):
            file.seek(0)
            saved = torch.load(file, weights_only=True)
            resumed, again = trained(cls, 2)  # another state, another version of the weights
            if order == "optimizer first":
                again.load_state_dict(saved[1])
            resumed.load_state_dict(saved[0])
            again.load_state_dict(saved[1])
            reference, original = copy.deepcopy((net, optimizer))
            for one in (original, again):
                one.train()
            train(reference, original, 3)
            train(resumed, again, 3)
            assert equal(values(reference), values(resumed))


@pytest.mark.parametrize("cls", BOTH)
def test_early_stopping_s_best_weights_stay(cls: Any) -> None:
    net, optimizer = trained(cls)
    stopper = EarlyStopping(patience=2)
    for epoch, loss in enumerate([1.0, 2.0, 3.0]):
        optimizer.train()
        train(net, optimizer, 2, first=10 * epoch)
        optimizer.eval()
        if epoch == 0:
            best = values(net)
        stopper.update(loss, net)
    assert stopper.stopped
    optimizer.train()
    optimizer.eval()
    assert equal(values(net), best)


def test_with_a_flat_buffer_and_under_sam() -> None:
    net, _ = trained(ScheduleFreeSGD, 0)
    optimizer = ScheduleFreeSGD(FlatParameters(net).parameters(), 0.1)
    train(net, optimizer, 3)
    optimizer.eval()
    filled(net)
    optimizer.train()
    assert all(bool((p == 7).all()) for p in net.parameters())
    net, _ = trained(ScheduleFreeSGD, 0)
    sam = SAM(net.parameters(), ScheduleFreeSGD, lr=0.1)
    for step in range(3):  # climbs and goes back: written to, but with what was there
        train_sam(net, sam, step)
    sam.eval()
    filled(net)
    sam.train()
    assert all(bool((p == 7).all()) for p in net.parameters())
    train_sam(net, sam, 3)


def train_sam(net: nn.Module, sam: SAM, step: int) -> None:
    def closure() -> float:
        sam.zero_grad()
        loss = net(torch.full((2, 3), step + 1.0, dtype=torch.float64)).square().mean()
        loss.backward()
        return float(loss.detach())

    sam.step(closure)


def test_eager_and_compiled_steps_may_alternate() -> None:
    torch._dynamo.reset()
    net, optimizer = trained(ScheduleFreeAdamW, 2)
    compiled = torch.compile(lambda: optimizer.step(), backend="eager")
    for step in range(4):
        optimizer.zero_grad()
        net(torch.ones(2, 3, dtype=torch.float64)).square().mean().backward()
        compiled() if step % 2 else optimizer.step()
        weight_sums = [state["weight_sum"] for state in optimizer.state.values()]
        optimizer.eval()
        optimizer.train()
        assert weight_sums == [state["weight_sum"] for state in optimizer.state.values()]
