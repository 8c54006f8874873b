"""The flat buffer changes only the speed: the same steps, bit for bit, through all of a training loop."""

import copy
import pickle
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from course_utils.optimizers import (
    SAM,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    FlatParameters,
    Lion,
    Muon,
    RMSprop,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
)

Make = Callable[[Any], torch.optim.Optimizer]
ELEMENTWISE: list[Any] = [
    pytest.param(lambda p: SGD(p, 0.1, momentum=0.9, weight_decay=0.1), id="sgd"),
    pytest.param(lambda p: Adagrad(p, 0.1), id="adagrad"),
    pytest.param(lambda p: RMSprop(p, momentum=0.5, centered=True), id="rmsprop"),
    pytest.param(lambda p: Adadelta(p), id="adadelta"),
    pytest.param(lambda p: Adam(p, 0.05, amsgrad=True), id="adam"),
    pytest.param(lambda p: AdamW(p, 0.05), id="adamw"),
    pytest.param(lambda p: Lion(p, 0.01), id="lion"),
    pytest.param(lambda p: ScheduleFreeSGD(p, 0.1), id="schedule-free-sgd"),
    pytest.param(lambda p: ScheduleFreeAdamW(p, 0.01, weight_decay=0.1), id="schedule-free-adamw"),
    pytest.param(lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), id="torch-sgd"),
    pytest.param(lambda p: torch.optim.Adam(p, 0.05), id="torch-adam"),
    pytest.param(lambda p: torch.optim.AdamW(p, 0.05, foreach=True), id="torch-adamw-foreach"),
]


def model(dtype: torch.dtype = torch.float64) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(7, 13), nn.Tanh(), nn.LayerNorm(13), nn.Linear(13, 3)).to(dtype)


def backward(net: nn.Module, step: int, scale: float = 1.0) -> Tensor:
    first = next(net.parameters())
    x = torch.randn(5, 7, generator=torch.Generator().manual_seed(step), dtype=torch.float64).to(first)
    loss = scale * net(x).square().mean()
    loss.backward()
    return loss.detach()


def equal(a: Iterable[Tensor], b: Iterable[Tensor]) -> bool:
    return all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("block", [None, 50])
@pytest.mark.parametrize("make", ELEMENTWISE)
def test_the_trajectory_is_the_per_tensor_one_bit_for_bit(
    make: Make, block: int | None, dtype: torch.dtype
) -> None:
    a, b = model(dtype), model(dtype)
    plain, flat = make(a.parameters()), make(FlatParameters(b, block=block).parameters())
    for step in range(12):
        for net, optimizer in ((a, plain), (b, flat)):
            if step % 4 == 0:
                net.zero_grad()
            elif step % 4 == 1:
                optimizer.zero_grad()
            elif step % 4 == 2:
                net.zero_grad(set_to_none=False)
            else:
                optimizer.zero_grad(set_to_none=False)
            backward(net, step)
            if step % 3 == 0:
                backward(net, step + 100)  # accumulated
            optimizer.step()
        assert all(bool(p.isfinite().all()) for p in a.parameters())
        assert equal(a.parameters(), b.parameters()), f"step {step}"


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.integers(0, 5), max_size=3), min_size=1, max_size=8), st.integers(1, 70))
def test_any_shapes_and_any_block(shapes: list[list[int]], block: int) -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = [[3], *shapes]  # empty tensors alone would leave nothing to step
    a = [nn.Parameter(torch.randn(s, generator=generator)) for s in shapes]
    b = [nn.Parameter(p.detach().clone()) for p in a]
    flat = FlatParameters(b, block=block)
    assert equal(a, b)
    blocks = flat.parameters()
    assert all(0 < p.numel() <= block for p in blocks)
    plain, optimizer = Adam(a, 0.1), Adam(blocks, 0.1)
    for _ in range(3):
        for p, q in zip(a, b, strict=True):
            p.grad = torch.randn(p.shape, generator=generator)
            q.grad = p.grad.clone()
        plain.step()
        optimizer.step()
        assert equal(a, b)


def place(part: Tensor, whole: Tensor) -> int:
    """Bytes from the beginning of `whole`, in whose memory `part` lies."""
    start = part.data_ptr() - whole.data_ptr()
    assert 0 <= start <= whole.nbytes - part.nbytes
    return start


def test_parameters_and_gradients_lie_in_one_aligned_buffer() -> None:
    net = model()
    (whole,) = FlatParameters(net).parameters()
    backward(net, 0)
    gradient = whole.grad
    for p in net.parameters():
        assert p.grad is not None
        assert place(p, whole) == place(p.grad, gradient)
        assert p.data_ptr() % 64 == 0
    assert gradient.norm() == pytest.approx(
        float(torch.nn.utils.get_total_norm([p.grad for p in net.parameters() if p.grad is not None]))
    )


def test_gradients_that_were_there_before_are_kept() -> None:
    a, b = model(), model()
    for net in (a, b):
        backward(net, 0)
    flat = SGD(FlatParameters(b).parameters(), 0.1)
    plain = SGD(a.parameters(), 0.1)
    plain.step()
    flat.step()
    assert equal(a.parameters(), b.parameters())


def test_clearing_through_the_optimizer_clears_the_module() -> None:
    for block in (None, 50):
        net = model()
        optimizer = Adam(FlatParameters(net, block=block).parameters())
        net.zero_grad()  # the gradients are then new tensors outside the buffer
        backward(net, 0)
        optimizer.zero_grad()
        assert all(p.grad is not None and not p.grad.any() for p in net.parameters())
        backward(net, 1)
        alone = model()
        backward(alone, 1)
        optimizer.param_groups[0]["params"][0].grad  # noqa: B018  reading gathers
        assert equal([p.grad for p in net.parameters()], [p.grad for p in alone.parameters()])  # type: ignore[misc]


def test_a_gradient_given_to_the_buffer_is_the_modules_and_one_taken_away_is_zero_there() -> None:
    net = model()
    [block] = FlatParameters(net).parameters()
    given = torch.arange(1.0, block.numel() + 1, dtype=torch.float64)
    block.grad = given
    for p in net.parameters():
        assert p.grad is not None
        start = place(p, block) // p.element_size()
        assert torch.equal(p.grad.flatten(), given[start : start + p.numel()])
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    block.grad  # noqa: B018  reading gathers
    assert all(p.grad is not None and not p.grad.any() for p in net.parameters())


def test_clipping_through_either_side_and_grad_scaler() -> None:
    a, b, c = model(), model(), model()
    flat_b, flat_c = FlatParameters(b).parameters(), FlatParameters(c).parameters()
    plain, by_module, by_buffer = (SGD(p, 0.1, momentum=0.9) for p in (a.parameters(), flat_b, flat_c))
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    for step in range(5):
        a.zero_grad()
        b.zero_grad()
        by_buffer.zero_grad()
        for net in (a, b):
            backward(net, step)
        backward(c, step, scale=float(scaler.scale(torch.ones(()))))
        nn.utils.clip_grad_norm_(a.parameters(), 0.5)
        nn.utils.clip_grad_norm_(b.parameters(), 0.5)
        scaler.unscale_(by_buffer)
        nn.utils.clip_grad_norm_(flat_c, 0.5)
        plain.step()
        by_module.step()
        scaler.step(by_buffer)
        scaler.update()
        assert equal(a.parameters(), b.parameters())
        for p, q in zip(a.parameters(), c.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)  # the norm is summed in another order


def test_groups_keep_their_hyperparameters() -> None:
    def groups(net: nn.Sequential) -> list[dict[str, Any]]:
        decayed = [p for p in net.parameters() if p.ndim > 1]
        rest = [p for p in net.parameters() if p.ndim == 1]
        return [{"params": decayed, "weight_decay": 0.5}, {"params": rest, "weight_decay": 0.0, "lr": 0.2}]

    a, b = model(), model()
    plain = AdamW(groups(a), 0.05)
    flat = AdamW(FlatParameters(groups(b)).parameters(), 0.05)
    assert [len(group["params"]) for group in flat.param_groups] == [1, 1]
    scheduler = [torch.optim.lr_scheduler.StepLR(o, 2, 0.5) for o in (plain, flat)]
    for step in range(6):
        for net, optimizer, schedule in zip((a, b), (plain, flat), scheduler, strict=True):
            optimizer.zero_grad()
            backward(net, step)
            optimizer.step()
            schedule.step()
        assert equal(a.parameters(), b.parameters())


def test_dtypes_get_a_buffer_each() -> None:
    params = [
        nn.Parameter(torch.ones(3)),
        nn.Parameter(torch.ones(4, dtype=torch.float64)),
        nn.Parameter(torch.ones(5)),
    ]
    blocks = FlatParameters(params).parameters()
    assert [p.dtype for p in blocks] == [torch.float32, torch.float64]


class Tied(nn.Module):
    """The same matrix is used twice; a second one is frozen and a third is never used."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
        self.two.weight = self.one.weight
        self.frozen = nn.Linear(4, 4, bias=False).requires_grad_(False)
        self.unused = nn.Linear(4, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.two(self.frozen(self.one(x).tanh()))
        return out


def test_tied_frozen_and_unused_parameters() -> None:
    a, b = Tied(), Tied()
    frozen, unused = b.frozen.weight.detach().clone(), b.unused.weight.detach().clone()
    frozen_at = b.frozen.weight.data_ptr()
    plain = SGD(a.parameters(), 0.1, momentum=0.9)
    flat = SGD(FlatParameters(b).parameters(), 0.1, momentum=0.9)
    for _ in range(5):
        for net, optimizer in ((a, plain), (b, flat)):
            optimizer.zero_grad()
            net(torch.eye(4)).square().sum().backward()
            optimizer.step()
    assert equal(a.parameters(), b.parameters())
    assert b.two.weight is b.one.weight
    assert b.frozen.weight.data_ptr() == frozen_at
    assert torch.equal(b.frozen.weight, frozen)
    assert torch.equal(b.unused.weight, unused)  # no decay: a gradient of zero moves nothing
    decayed = SGD(FlatParameters(b).parameters(), 0.1, weight_decay=0.5)
    decayed.step()
    torch.testing.assert_close(b.unused.weight.detach(), 0.95 * unused)  # as stated: decayed, not skipped


def test_state_dicts_of_module_and_optimizer_load_in_place() -> None:
    a = model()
    one = Adam(FlatParameters(a, block=50).parameters(), 0.05)
    for step in range(3):
        one.zero_grad()
        backward(a, step)
        one.step()
    saved = pickle.loads(pickle.dumps((a.state_dict(), one.state_dict())))
    b = model()
    two = Adam(FlatParameters(b, block=50).parameters(), 0.9)
    b.load_state_dict(saved[0])
    two.load_state_dict(saved[1])
    plain = model()
    plain.load_state_dict(b.state_dict())
    assert equal(plain.parameters(), a.parameters())
    for step in range(3, 7):
        for net, optimizer in ((a, one), (b, two)):
            net.zero_grad()
            backward(net, step)
            optimizer.step()
        assert equal(a.parameters(), b.parameters())


def test_the_model_can_be_copied_and_pickled() -> None:
    net = model()
    optimizer = Adam(FlatParameters(net).parameters(), 0.1)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        before = [p.detach().clone() for p in twin.parameters()]
        backward(net, 0)
        optimizer.step()
        assert equal(twin.parameters(), before)
        assert not equal(net.parameters(), before)


def test_a_flat_optimizer_says_that_it_cannot_be_copied() -> None:
    optimizer = Adam(FlatParameters(model()).parameters(), 0.1)
    with pytest.raises(TypeError, match=r"copy a flat optimizer's state_dict\(\) instead"):
        copy.deepcopy(optimizer)
    with pytest.raises(TypeError, match=r"save a flat optimizer's state_dict\(\) instead"):
        pickle.dumps(optimizer)


def cast(net: nn.Module) -> None:
    net.to(torch.float32)


def assign(net: nn.Module) -> None:
    net.load_state_dict({k: v.clone() for k, v in net.state_dict().items()}, assign=True)


def flatten_again(net: nn.Module) -> None:
    FlatParameters(net)


@pytest.mark.parametrize("change", [cast, assign, flatten_again])
def test_a_module_that_left_the_buffer_is_noticed(change: Callable[[nn.Module], None]) -> None:
    net = model()
    optimizer = SGD(FlatParameters(net).parameters(), 0.1)
    backward(net, 0)
    optimizer.step()
    net.zero_grad()
    change(net)
    with pytest.raises(RuntimeError, match="make FlatParameters and the optimizer after"):
        optimizer.zero_grad()
    backward(net, 0)
    with pytest.raises(RuntimeError, match="make FlatParameters and the optimizer after"):
        optimizer.step()


def test_a_cast_before_or_to_the_same_type_works() -> None:
    net = model().to(torch.bfloat16)
    optimizer = Adam(FlatParameters(net).parameters(), 0.1)
    net.to(torch.bfloat16)
    before = [p.detach().clone() for p in net.parameters()]
    backward(net, 0)
    optimizer.step()
    assert all(p.dtype == torch.bfloat16 for p in net.parameters())
    assert not equal(before, net.parameters())


def test_the_average_of_schedule_free_reaches_the_module() -> None:
    net = model()
    optimizer = ScheduleFreeSGD(FlatParameters(net).parameters(), 0.1)
    for step in range(3):
        optimizer.zero_grad()
        backward(net, step)
        optimizer.step()
    at_y = [p.detach().clone() for p in net.parameters()]
    optimizer.eval()
    assert not equal(at_y, net.parameters())
    optimizer.train()
    assert equal(at_y, net.parameters())


def test_what_is_refused() -> None:
    matrix = nn.Linear(3, 3, bias=False)
    blocks = FlatParameters(matrix).parameters()
    with pytest.raises(ValueError, match=r"as Muon mixes the entries of one.*params='a flat buffer'"):
        Muon(blocks)
    with pytest.raises(ValueError, match=r"as SAM mixes.*pass model\.parameters\(\)"):
        SAM(blocks, SGD, lr=0.1)
    p = nn.Parameter(torch.ones(3))
    with pytest.raises(ValueError, match="need tensors; pass parameters"):
        FlatParameters(matrix.named_parameters())
    with pytest.raises(ValueError, match="need each parameter in one group"):
        FlatParameters([{"params": [p]}, {"params": [p]}])
    with pytest.raises(ValueError, match="need at least one parameter with requires_grad=True"):
        FlatParameters([torch.ones(3)])
    with pytest.raises(ValueError, match="need at least one parameter"):
        FlatParameters(nn.ReLU())
    with pytest.raises(ValueError, match="need a whole number block >= 1, got block=0"):
        FlatParameters([p], block=0)
    with pytest.raises(ValueError, match="need leaf tensors"):
        FlatParameters([p * 2])
    with pytest.raises(ValueError, match="need real floating-point parameters"):
        FlatParameters([torch.zeros(2, dtype=torch.complex64, requires_grad=True)])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_there_is_one_block_and_the_same_trajectory() -> None:
    a, b = model().cuda(), model().cuda()
    flat = FlatParameters(b).parameters()
    assert len(flat) == 1
    plain, optimizer = AdamW(a.parameters(), 0.1), AdamW(flat, 0.1)
    for step in range(5):
        for net, each in ((a, plain), (b, optimizer)):
            net.zero_grad()
            backward(net, step)
            each.step()
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-10, atol=1e-10)
