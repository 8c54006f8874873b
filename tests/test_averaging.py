"""Averages: sums written out, pandas, torch's averaged models bit for bit, and mutants to catch."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from course_utils import averaging
from course_utils.averaging import (
    ExponentialMovingAverage,
    StochasticWeightAverage,
    ewma,
    update_batch_norm,
)
from course_utils.diagnostics.step_cost import step_cost
from course_utils.layers import normalization
from tests.mutants import mistakes

BETAS = [0.0, 0.1, 0.5, 0.9, 0.99, 0.9999]


def series(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64).to(dtype)


def weighted_sum(x: Tensor, beta: float, *, corrected: bool, first: bool) -> Tensor:
    """m_t as an explicit sum over the values so far, with the weights written out."""
    rows = []
    for t in range(1, len(x) + 1):
        weights = [(1 - beta) * beta ** (t - s) for s in range(1, t + 1)]
        if first:
            weights[0] = beta ** (t - 1)
        total = sum(weights) if corrected else 1.0
        rows.append(sum((w / total * v for w, v in zip(weights, x, strict=False)), torch.zeros_like(x[0])))
    return torch.stack(rows)


def check_ewma(module: ModuleType) -> None:
    for beta in BETAS:
        for x in (series(1), series(2), series(37), series(33, 2, 3)):
            for correct in (True, False):
                for start in ("zero", "first"):
                    m = module.ewma(x, beta, bias_correction=correct, start=start)
                    want = weighted_sum(x, beta, corrected=correct, first=start == "first")
                    torch.testing.assert_close(m, want, rtol=1e-12, atol=1e-14)


def check_recursion(module: ModuleType) -> None:
    """The recursion that the optimizers run, step by step; the series is long enough to need many passes."""
    x, beta = series(1000, 2), 0.99
    m, uncorrected = torch.zeros(2, dtype=torch.float64), module.ewma(x, beta, bias_correction=False)
    corrected = module.ewma(x, beta)
    for t in range(1, 1001):
        m = beta * m + (1 - beta) * x[t - 1]
        torch.testing.assert_close(uncorrected[t - 1], m, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(corrected[t - 1], m / (1 - beta**t), rtol=1e-12, atol=1e-14)


def test_ewma_is_the_weighted_sum() -> None:
    check_ewma(averaging)


def test_ewma_is_the_recursion() -> None:
    check_recursion(averaging)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize(("start", "adjust"), [("zero", True), ("first", False)])
def test_ewma_agrees_with_pandas(beta: float, start: Any, adjust: bool) -> None:
    x = series(3000)
    want = pd.Series(x.numpy()).ewm(alpha=1 - beta, adjust=adjust).mean().to_numpy().copy()
    # atol: pandas adds one value at a time, so its own rounding grows with the memory
    torch.testing.assert_close(ewma(x, beta, start=start), torch.from_numpy(want), rtol=1e-12, atol=1e-12)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=70),
    st.floats(0, 0.999),
    st.sampled_from(["zero", "first"]),
)
def test_ewma_of_any_series(values: list[float], beta: float, start: Any) -> None:
    m = ewma(values, beta, start=start)
    assert m.dtype == torch.float64
    assert m[0].item() == pytest.approx(values[0], rel=1e-12)
    slack = 1e-9 * max(1.0, *map(abs, values))
    assert m.min() >= min(values) - slack  # an average lies among the values
    assert m.max() <= max(values) + slack
    shifted = ewma([2 * v + 3 for v in values], beta, start=start)  # and is linear in them
    torch.testing.assert_close(shifted, 2 * m + 3, rtol=1e-9, atol=slack)


def test_correction_changes_nothing_from_the_first_value() -> None:
    x = series(50)
    on, off = (ewma(x, 0.9, start="first", bias_correction=b) for b in (True, False))
    assert torch.equal(on, off)


def test_ewma_of_a_constant_is_unbiased_only_with_correction() -> None:
    x = torch.full((200,), 5.0, dtype=torch.float64)
    torch.testing.assert_close(ewma(x, 0.98), x, rtol=1e-13, atol=0)
    t = torch.arange(1, 201, dtype=torch.float64)
    torch.testing.assert_close(ewma(x, 0.98, bias_correction=False), x * (1 - 0.98**t), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("dtype", "rtol"), [(torch.float32, 1e-5), (torch.float16, 1e-3), (torch.bfloat16, 8e-3)]
)
def test_ewma_keeps_the_dtype_and_its_precision(dtype: torch.dtype, rtol: float) -> None:
    x = (series(3000, dtype=dtype) ** 2) + 1
    m = ewma(x, 0.9999)
    assert m.dtype == dtype
    torch.testing.assert_close(m.double(), ewma(x.double(), 0.9999), rtol=rtol, atol=0)


def test_ewma_has_gradients() -> None:
    x = series(9).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: ewma(v, 0.8), x)
    assert torch.autograd.gradcheck(lambda v: ewma(v, 0.8, start="first"), x)


def test_ewma_leaves_its_input_and_takes_an_empty_series() -> None:
    x = series(20)
    before = x.clone()
    ewma(x, 0.9)
    assert torch.equal(x, before)
    assert ewma(torch.zeros(0), 0.9).shape == (0,)
    assert ewma(torch.zeros(0, 3), 0.9, start="first").shape == (0, 3)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_spoils_every_later_average(bad: float) -> None:
    x = series(100)
    x[40] = bad
    finite = ewma(x, 0.5).isfinite()
    assert finite[:40].all()
    assert not finite[40:].any()


def test_ewma_takes_no_operation_for_each_value() -> None:
    x = series(100_000)
    assert step_cost(lambda: ewma(x, 0.99)).operations < 100  # it doubles what it has


BAD_EWMA = [
    (lambda: ewma(series(3), 1.0), "need 0 <= beta < 1, got beta=1.0"),
    (lambda: ewma(series(3), -0.1), "need 0 <= beta < 1, got beta=-0.1"),
    (lambda: ewma(series(3), float("nan")), "need 0 <= beta < 1, got beta=nan"),
    (lambda: ewma(series(3), 0.9, start="mean"), 'need start="zero" or "first", got start=\'mean\''),
    (lambda: ewma(torch.tensor(1.0), 0.9), r"need values of shape \(T, ...\), got shape=\(\)"),
    (lambda: ewma(torch.arange(3), 0.9), r"floating type, got dtype=torch.int64; call values.float\(\)"),
]


@pytest.mark.parametrize(("call", "message"), BAD_EWMA)
def test_ewma_errors(call: Callable[[], Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def network(dtype: torch.dtype = torch.float64, norm: Any = nn.BatchNorm1d) -> nn.Sequential:
    """Two linear layers around a batch norm (one momentum not the default), and a tied weight."""
    torch.manual_seed(3)
    first, last = nn.Linear(4, 4), nn.Linear(4, 4)
    last.weight = first.weight
    return nn.Sequential(first, norm(4, momentum=0.3), nn.Tanh(), last).to(dtype)


def train_step(model: nn.Module, seed: int) -> None:
    """One step of gradient descent on random data; batch norm's statistics move with it."""
    x = series(16, 4, seed=seed).to(next(model.parameters()).dtype)
    model.zero_grad()
    model(x).square().mean().backward()
    with torch.no_grad():
        for p in model.parameters():
            assert p.grad is not None
            p.sub_(0.5 * p.grad)


AVERAGES = [
    pytest.param(
        lambda m, net: m.ExponentialMovingAverage(net, 0.9),
        lambda net: AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9)),
        id="ema",
    ),
    pytest.param(
        lambda m, net: m.ExponentialMovingAverage(net, 0.25),  # lerp has another formula from weight 1/2 up
        lambda net: AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.25)),
        id="ema-short",
    ),
    pytest.param(
        lambda m, net: m.ExponentialMovingAverage(net),
        lambda net: AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn()),
        id="ema-default",
    ),
    pytest.param(lambda m, net: m.StochasticWeightAverage(net), AveragedModel, id="swa"),
]


def check_average(module: ModuleType, make: Any, reference: Any, dtype: torch.dtype = torch.float64) -> None:
    """Every tensor of the state equals torch's, bit for bit, after every one of twelve updates."""
    model = network(dtype)
    ours, theirs = make(module, model), reference(model)
    for step in range(12):
        train_step(model, step)
        ours.update(model)
        theirs.update_parameters(model)
        state, want = ours.state_dict(), theirs.state_dict()
        assert list(state) == list(want)
        for name in want:
            assert torch.equal(state[name], want[name]), f"{name} at update {step + 1}"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("make", "reference"), AVERAGES)
def test_every_update_matches_torch(make: Any, reference: Any, dtype: torch.dtype) -> None:
    check_average(averaging, make, reference, dtype)


def check_ema_is_ewma(module: ModuleType) -> None:
    """The average of a weight is `ewma` of its history from the first value."""
    model = nn.Linear(3, 2).double()
    average, history = module.ExponentialMovingAverage(model, 0.8), []
    for step in range(20):
        with torch.no_grad():
            model.weight.copy_(series(2, 3, seed=step))
        history.append(model.weight.detach().clone())
        average.update(model)
        m = ewma(torch.stack(history), 0.8, start="first")[-1]
        torch.testing.assert_close(average.module.weight.detach(), m, rtol=1e-12, atol=1e-14)


def check_swa_is_the_mean(module: ModuleType) -> None:
    model = nn.Linear(3, 2).double()
    average, history = module.StochasticWeightAverage(model), []
    for step in range(20):
        with torch.no_grad():
            model.weight.copy_(series(2, 3, seed=step))
        history.append(model.weight.detach().clone())
        average.update(model)
        mean = torch.stack(history).mean(0)
        torch.testing.assert_close(average.module.weight.detach(), mean, rtol=1e-12, atol=1e-14)


def test_ema_is_ewma_from_the_first_value() -> None:
    check_ema_is_ewma(averaging)


def test_swa_is_the_mean() -> None:
    check_swa_is_the_mean(averaging)


@pytest.mark.parametrize("make", [ExponentialMovingAverage, StochasticWeightAverage])
def test_the_average_and_the_model_share_nothing(make: Any) -> None:
    model = network()
    average = make(model)
    average.update(model)
    kept = copy.deepcopy(average.state_dict())
    train_step(model, 0)
    assert all(torch.equal(kept[name], value) for name, value in average.state_dict().items())
    live = copy.deepcopy(model.state_dict())
    average.update(model)
    assert all(torch.equal(live[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("make", [ExponentialMovingAverage, StochasticWeightAverage])
def test_forward_is_the_modules(make: Any) -> None:
    model = network()
    average = make(model)
    train_step(model, 0)
    average.update(model)
    x = series(5, 4)
    assert torch.equal(average.eval()(x), model.eval()(x))  # the first update copies
    assert average.module.training is False


@pytest.mark.parametrize(
    ("make", "reference"),
    [
        (
            lambda net: ExponentialMovingAverage(net, 0.9),
            lambda net: AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9)),
        ),
        (StochasticWeightAverage, AveragedModel),
    ],
    ids=["ema", "swa"],
)
def test_a_state_saved_and_loaded_goes_on_bit_for_bit(make: Any, reference: Any) -> None:
    """Into a new average of ours, and into torch's."""
    model = network()
    average = make(model)
    for step in range(3):
        train_step(model, step)
        average.update(model)
    saved = copy.deepcopy(average.state_dict())
    resumed, theirs = make(network()), reference(network())
    resumed.load_state_dict(saved)
    theirs.load_state_dict(saved)
    for step in range(3, 6):
        train_step(model, step)
        average.update(model)
        resumed.update(model)
        theirs.update_parameters(model)
        for name, value in average.state_dict().items():
            assert torch.equal(value, resumed.state_dict()[name])
            assert torch.equal(value, theirs.state_dict()[name])


def test_a_half_precision_model_has_a_full_precision_average() -> None:
    """Departure from torch, which refuses: `average.float()` before training on bfloat16 weights."""
    model = nn.Linear(2, 2).bfloat16()
    average = ExponentialMovingAverage(model, 0.999).float()
    average.update(model)
    with torch.no_grad():
        model.weight.add_(1.0)
    start = average.module.weight.detach().clone()
    average.update(model)
    moved = average.module.weight.detach() - start
    gap = model.weight.detach().float() - start
    torch.testing.assert_close(moved, 0.001 * gap, rtol=1e-3, atol=0)  # a bfloat16 average would not move


@pytest.mark.parametrize("make", [ExponentialMovingAverage, StochasticWeightAverage])
def test_an_average_goes_by_torch_s_names_and_through_copies_and_files(make: Any) -> None:
    model = network()
    one, other = make(model), make(model)
    for step in range(3):
        train_step(model, step)
        one.update_parameters(model)
        other.update(model)
    for copied in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        copied.update_parameters(network())
        assert int(copied.n_averaged) == 4
    assert int(one.n_averaged) == 3
    assert all(torch.equal(other.state_dict()[name], value) for name, value in one.state_dict().items())
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    make(network()).load_state_dict(torch.load(file, weights_only=True))


def test_whole_number_and_complex_parameters_are_averaged_as_in_torch() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.whole = nn.Parameter(torch.arange(4) * 10, requires_grad=False)
            self.complex = nn.Parameter(torch.full((2,), 1 + 2j))

    model = Odd()
    ours = ExponentialMovingAverage(model, 0.75)
    theirs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.75))
    for _ in range(4):
        ours.update(model)
        theirs.update_parameters(model)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(p, q)
        with torch.no_grad():
            model.whole.add_(3)
            model.complex.mul_(1j)


def test_the_average_names_its_decay() -> None:
    assert "decay=0.75" in repr(ExponentialMovingAverage(nn.Linear(1, 1), decay=0.75))


def test_average_errors() -> None:
    with pytest.raises(
        ValueError, match=r"need 0 <= decay < 1, got decay=1\.0; at 1 the average would never"
    ):
        ExponentialMovingAverage(network(), 1.0)
    with pytest.raises(
        ValueError, match=r"need a model with the parameters .* model=.Linear for an average of S"
    ):
        ExponentialMovingAverage(network()).update(nn.Linear(4, 4))


class Block(nn.Module):
    """Two batch norms with different momenta, and an instance norm, which is not to be reset."""

    def __init__(self, norm: Any, **kwargs: Any) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.a = nn.Linear(4, 6)
        self.norm = norm(6, **kwargs)
        self.b = nn.Linear(6, 5)
        self.other = norm(5, momentum=None)
        self.instance = nn.InstanceNorm1d(5, track_running_stats=True)

    def forward(self, x: Tensor) -> Tensor:
        h = self.other(self.b(self.norm(self.a(x)).relu()))
        return self.instance(h[:, :, None].expand(-1, -1, 3))[..., 0]


NORMS = [pytest.param(nn.BatchNorm1d, id="torch"), pytest.param(normalization.BatchNorm1d, id="course")]


def check_update(module: ModuleType, norm: Any, pack: Callable[[Tensor], Any]) -> None:
    """Batch-norm statistics equal those that torch's update gives torch's layers, batches of unequal size."""
    ours, theirs = Block(norm, momentum=0.2).double(), Block(nn.BatchNorm1d, momentum=0.2).double()
    theirs.load_state_dict(ours.state_dict())
    batches = [series(n, 4, seed=n) * n for n in (8, 32, 5)]
    for model in (ours, theirs):
        model(batches[1])  # statistics to be forgotten, save those of the instance norm
    module.update_batch_norm(ours, [pack(x) for x in batches])
    update_bn(batches, theirs)
    want = theirs.state_dict()
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(value, want[name], rtol=1e-12, atol=1e-14, msg=name)
    assert ours.norm.momentum == 0.2
    assert ours.other.momentum is None


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(
    "pack", [lambda x: x, lambda x: (x, None), lambda x: [x, None]], ids=["tensor", "tuple", "list"]
)
def test_update_batch_norm_matches_torch(norm: Any, pack: Callable[[Tensor], Any]) -> None:
    check_update(averaging, norm, pack)


@pytest.mark.parametrize("norm", NORMS)
def test_update_batch_norm_of_an_average(norm: Any) -> None:
    """The use it is for: the averaged weights get statistics that are theirs, not the live model's."""
    model = network(norm=norm)
    average = StochasticWeightAverage(model)
    for step in range(5):
        train_step(model, step)
        average.update(model)
    stale = average.module[1].running_mean.clone()
    x = series(64, 4)
    update_batch_norm(average, [x], device="cpu")
    h = average.module[0](x)
    torch.testing.assert_close(average.module[1].running_mean, h.mean(0).detach(), rtol=1e-12, atol=1e-14)
    assert not torch.allclose(average.module[1].running_mean, stale, rtol=1e-3)


@pytest.mark.parametrize("norm", NORMS)
def test_update_batch_norm_puts_modes_and_momenta_back(norm: Any) -> None:
    model = Block(norm, momentum=0.2)
    model.train()
    model.other.eval()  # torch's own would put this back to train
    before = [module.training for module in model.modules()]
    update_batch_norm(model, [torch.randn(8, 4)])
    assert [module.training for module in model.modules()] == before

    def broken() -> Iterator[Tensor]:
        yield torch.randn(8, 4)
        raise RuntimeError("disk")

    statistics = copy.deepcopy([model.norm.state_dict(), model.other.state_dict()])
    with pytest.raises(RuntimeError, match="disk"):
        update_batch_norm(model, broken())
    assert [module.training for module in model.modules()] == before
    assert model.norm.momentum == 0.2
    for was, norm_now in zip(statistics, (model.norm, model.other), strict=True):
        assert all(torch.equal(was[name], value) for name, value in norm_now.state_dict().items())


def test_update_batch_norm_refuses_a_dataset_and_torch_s_order() -> None:
    model = network()
    examples = TensorDataset(torch.randn(4, 4, dtype=torch.float64))
    with pytest.raises(
        ValueError, match=r"need batches, got batches='TensorDataset'; put a DataLoader around"
    ):
        update_batch_norm(model, examples)
    loader = DataLoader(examples, batch_size=2)
    with pytest.raises(ValueError, match=r"got model='DataLoader'; pass the model first: update_batch_norm"):
        update_batch_norm(loader, model)
    update_batch_norm(model, loader)

    class Stream(IterableDataset[Tensor]):
        def __iter__(self) -> Iterator[Tensor]:
            yield from torch.randn(3, 5, 4, dtype=torch.float64)

    update_batch_norm(model, Stream())  # which may well give batches
    assert int(model[1].num_batches_tracked) == 3


@pytest.mark.parametrize("norm", NORMS)
def test_update_batch_norm_without_batches_keeps_the_statistics(norm: Any) -> None:
    model = Block(norm)
    model(torch.randn(8, 4))
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match="need at least one batch, got batches=0; pass a list or loader"):
        update_batch_norm(model, iter(()))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_update_batch_norm_reads_nothing_without_batch_norm() -> None:
    batches = iter([torch.randn(2, 4)])
    model = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.BatchNorm1d(3, track_running_stats=False))
    update_batch_norm(model, batches)
    assert len(list(batches)) == 1


def ema(module: ModuleType) -> None:
    check_average(module, *AVERAGES[0].values)


def swa(module: ModuleType) -> None:
    check_average(module, *AVERAGES[-1].values)


def bn(module: ModuleType) -> None:
    check_update(module, nn.BatchNorm1d, lambda x: x)


# The text replaced occurs once in the module; the check named must notice.
MUTANTS = [
    pytest.param("1 - beta**t).to(m)", "1 - beta ** (t - 1)).to(m)", check_ewma, id="correction-t-minus-1"),
    pytest.param("m = (1 - beta) * x.to", "m = beta * x.to", check_ewma, id="beta-swapped"),
    pytest.param("beta**window * m", "(1 - beta) ** window * m", check_ewma, id="memory-swapped"),
    pytest.param("beta**window * m", "beta * m", check_recursion, id="window-not-discounted"),
    pytest.param("torch.cat([x[:1].to(dtype), m[1:]])", "m", check_ewma, id="first-value-not-whole"),
    pytest.param('and start == "zero":', "and True:", check_ewma, id="first-value-corrected"),
    pytest.param(
        "if bias_correction and", "if not bias_correction and", check_ewma, id="correction-inverted"
    ),
    pytest.param("average.lerp_(p, 1 - self.decay)", "average.lerp_(p, self.decay)", ema, id="decay-swapped"),
    pytest.param("self.module = deepcopy(model)", "self.module = model", ema, id="average-by-reference"),
    pytest.param("if n == 0:", "if False:", ema, id="first-update-blends"),
    pytest.param("buffer.copy_(live)", "buffer.copy_(buffer)", ema, id="buffers-left-behind"),
    pytest.param("self.n_averaged += 1", "self.n_averaged += 0", swa, id="never-counted"),
    pytest.param(
        "average.add_((p - average) / (n + 1))", "average.add_((p - average) / n)", swa, id="mean-over-n"
    ),
    pytest.param(
        "average.add_((p - average) / (n + 1))", "average.add_((p - average) / 2)", swa, id="mean-forgets"
    ),
    pytest.param("norm.reset_running_stats()", "pass", bn, id="old-statistics-kept"),
    pytest.param("tracked and not instance_norm", "tracked", bn, id="instance-norm-too"),
    pytest.param("norm.momentum = None", "pass", bn, id="statistics-decay"),
    pytest.param("model.train()\n", "model.eval()\n", bn, id="statistics-in-eval"),
    pytest.param("norm.momentum = momentum", "pass", bn, id="momentum-lost"),
]


test_mutant_is_caught = mistakes("course_utils.averaging", MUTANTS)
