"""What layers are held to beside their values: classes, constructors, checkpoints, tools, extremes."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.optim.swa_utils import update_bn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, Dataset

from course_utils import layers
from course_utils._torch.generators import of_this_process

NAMES = ["Dropout", "BatchNorm1d", "BatchNorm2d", "LayerNorm", "GroupNorm", "RMSNorm"]
ROWS, IMAGES = torch.randn(8, 6, generator=torch.Generator().manual_seed(0)), (4, 6, 5, 5)
MADE: dict[str, tuple[Callable[[Any], nn.Module], tuple[int, ...]]] = {  # from a namespace: ours or torch's
    "BatchNorm1d": (lambda m: m.BatchNorm1d(6), (8, 6)),
    "BatchNorm2d": (lambda m: m.BatchNorm2d(6), IMAGES),
    "momentum=None": (lambda m: m.BatchNorm2d(6, momentum=None), IMAGES),
    "no statistics": (lambda m: m.BatchNorm2d(6, track_running_stats=False), IMAGES),
    "by hand": (lambda m: m.BatchNorm2d(6, **({"by_hand": True} if m is layers else {})), IMAGES),
    "LayerNorm": (lambda m: m.LayerNorm(6), (8, 6)),
    "GroupNorm": (lambda m: m.GroupNorm(3, 6), IMAGES),
    "RMSNorm": (lambda m: m.RMSNorm(6), (8, 6)),
    "Dropout": (lambda m: m.Dropout(0.5), (8, 6)),
    "in place": (lambda m: m.Dropout(0.5, True), (8, 6)),
}
NORMS = [name for name in MADE if name not in ("Dropout", "in place")]
every_layer = pytest.mark.parametrize("name", list(MADE))
every_norm = pytest.mark.parametrize("name", NORMS)


def numbers(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# ---- classes and constructors ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_constructors_and_forward_are_torchs(name: str) -> None:
    ours, theirs = getattr(layers, name), getattr(nn, name)
    assert issubclass(ours, theirs)
    for method in ("__init__", "forward"):
        got, want = (
            [(p.name, p.default, p.kind) for p in inspect.signature(getattr(c, method)).parameters.values()]
            for c in (ours, theirs)
        )
        assert [row for row in got if row[0] not in ("by_hand", "generator")] == want


@every_layer
def test_repr_is_torchs(name: str) -> None:
    ours, theirs = (repr(MADE[name][0](m)) for m in (layers, nn))
    assert ours.replace(", by_hand=True", "") == theirs


@every_layer
def test_the_input_by_name(name: str) -> None:
    make, shape = MADE[name]
    x = numbers(shape)
    assert make(layers)(**{"x" if name == "RMSNorm" else "input": x}).shape == shape


def test_tools_that_look_for_a_class_find_ours() -> None:
    x = torch.arange(24.0).view(4, 6)
    net = nn.Sequential(layers.BatchNorm1d(6))
    update_bn([x], net)
    assert net[0].running_mean.tolist() == x.mean(0).tolist()
    synced = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(layers.BatchNorm2d(6)))
    assert type(synced[0]) is nn.SyncBatchNorm
    assert isinstance(layers.BatchNorm2d(6), nn.modules.batchnorm._BatchNorm)


def test_whole_numbers_of_numpy_and_sizes_of_zero() -> None:
    three = np.int64(3)
    assert layers.LayerNorm(three)(torch.ones(2, 3)).shape == (2, 3)
    assert layers.RMSNorm((three, 2))(torch.ones(3, 2)).shape == (3, 2)
    assert layers.GroupNorm(three, np.int64(6))(torch.ones(2, 6)).shape == (2, 6)
    assert layers.BatchNorm1d(three)(torch.ones(2, 3)).shape == (2, 3)
    assert layers.LayerNorm(0)(torch.ones(2, 0)).shape == nn.LayerNorm(0)(torch.ones(2, 0)).shape
    assert layers.RMSNorm((0,))(torch.ones(2, 0)).shape == nn.RMSNorm((0,))(torch.ones(2, 0)).shape
    assert layers.GroupNorm(3, 0)(torch.ones(2, 0)).shape == nn.GroupNorm(3, 0)(torch.ones(2, 0)).shape
    for empty in ((4, 6, 0), (0, 6, 3)):
        assert layers.GroupNorm(3, 6)(torch.ones(empty)).shape == empty
    for wrong in (True, 2.0, (2, True), -1):
        with pytest.raises(ValueError, match="need whole sizes >= 0"):
            layers.LayerNorm(wrong)
        with pytest.raises(ValueError, match="need a whole number num_groups > 0"):
            layers.GroupNorm(wrong, 4)
        with pytest.raises(ValueError, match="need a whole number num_features > 0"):
            layers.BatchNorm1d(wrong)


# ---- checkpoints and hidden state ------------------------------------------------------------------------


@every_norm
def test_state_dict_has_torchs_version(name: str) -> None:
    ours, theirs = (cast(Any, MADE[name][0](m).state_dict()) for m in (layers, nn))
    assert list(ours) == list(theirs)
    assert ours._metadata == theirs._metadata


def test_a_checkpoint_from_before_batches_were_counted() -> None:
    old: Any = nn.BatchNorm1d(3).state_dict()
    del old["num_batches_tracked"], old._metadata[""]["version"]
    for module in (layers, nn):
        assert module.BatchNorm1d(3).load_state_dict(old)
    del old["running_mean"]
    with pytest.raises(RuntimeError, match="running_mean"):
        layers.BatchNorm1d(3).load_state_dict(old)


def test_a_frozen_layer_stays_as_it_is_in_a_net_that_trains() -> None:
    net = nn.Sequential(nn.Linear(6, 6), layers.BatchNorm1d(6))
    net.train()[1].eval()
    before = copy.deepcopy(net[1].state_dict())
    net(ROWS).sum().backward()
    assert all(torch.equal(value, before[key]) for key, value in net[1].state_dict().items())
    assert net[0].weight.grad is not None


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_statistics_switched_on_or_off_later_are_as_in_torch(made: bool, training: bool) -> None:
    pair = [m.BatchNorm1d(6, track_running_stats=made).train(training) for m in (layers, nn)]
    for layer in pair:
        layer.track_running_stats = not made
    ours, theirs = (layer(ROWS) for layer in pair)
    torch.testing.assert_close(ours, theirs)
    for b, c in zip(pair[0].buffers(), pair[1].buffers(), strict=True):
        torch.testing.assert_close(b, c)


@every_layer
def test_copies_pickles_and_files(name: str) -> None:
    make, shape = MADE[name]
    layer = make(layers)
    layer(numbers(shape))
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(twin) == repr(layer)
        assert twin.eval()(numbers(shape)).equal(copy.deepcopy(layer).eval()(numbers(shape)))
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    make(nn).load_state_dict(state), make(layers).load_state_dict(state)


# ---- tools -----------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # the tracer looks
@every_layer
def test_one_graph_by_compile(name: str) -> None:
    make, shape = MADE[name]
    torch._dynamo.reset()
    plain = make(layers)
    layer = copy.deepcopy(plain)
    whole: Any = torch.compile(layer, backend="eager", fullgraph=True)
    x, z = numbers(shape).requires_grad_(), numbers(shape).requires_grad_()
    torch.manual_seed(0)
    y = whole(x * 1)
    torch.manual_seed(0)
    torch.testing.assert_close(y, plain(z * 1))
    y.sum().backward()
    for b, c in zip(layer.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(b, c)
    whole.eval(), plain.eval()
    torch.testing.assert_close(whole(x * 1), plain(x * 1))


@every_norm
def test_one_graph_for_any_size(name: str) -> None:
    make, shape = MADE[name]
    torch._dynamo.reset()
    layer, x = make(layers), numbers(shape)
    whole: Any = torch.compile(layer, backend="eager", fullgraph=True, dynamic=True)
    for n in (4, 3, 2):
        torch.testing.assert_close(whole(x[:n]), layer(x[:n]))


@every_layer
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_export(name: str, strict: bool, training: bool) -> None:
    make, shape = MADE[name]
    layer, x = make(layers).train(training), numbers(shape)
    program = torch.export.export(copy.deepcopy(layer), (x,), strict=strict)
    if "rop" not in name and name != "in place":
        torch.testing.assert_close(program.module()(x), layer(x))


@every_layer
def test_fx_records_a_call_of_the_layer(name: str) -> None:
    """Which train() and eval() go on to change; a graph of the forward pass would keep the mode it saw."""
    make, shape = MADE[name]
    net = nn.Sequential(nn.Identity(), make(layers))
    traced, x = torch.fx.symbolic_trace(net), numbers(shape)
    assert [node.target for node in traced.graph.nodes if node.op == "call_module"] == ["0", "1"]
    traced.train()
    before = copy.deepcopy(traced.state_dict())
    traced(x.clone())
    assert ("running_mean" in str(list(before))) == any(
        not torch.equal(v, before[k]) for k, v in traced.state_dict().items()
    )
    torch.testing.assert_close(traced.eval()(x), net.eval()(x))


@every_layer
@pytest.mark.filterwarnings("ignore:.torch.jit.(script|save). is deprecated")
@pytest.mark.parametrize("inside", [True, False])
def test_torchscript_calls_the_layer(name: str, inside: bool) -> None:
    make, shape = MADE[name]
    layer = nn.Sequential(make(layers)) if inside else make(layers)
    scripted = torch.jit.script(copy.deepcopy(layer))
    torch.manual_seed(0)
    y = scripted(numbers(shape))
    torch.manual_seed(0)
    torch.testing.assert_close(y, layer(numbers(shape)))
    if inside:
        with pytest.raises(RuntimeError, match="Could not export Python function"):
            torch.jit.save(scripted, io.BytesIO())


@every_norm
def test_make_fx(name: str) -> None:
    make, shape = MADE[name]
    layer, x = make(layers).eval(), numbers(shape)
    torch.testing.assert_close(make_fx(lambda x: layer(x))(x)(x), layer(x))


@every_layer
@pytest.mark.parametrize("training", [True, False])
def test_shapes_without_numbers(name: str, training: bool) -> None:
    make, shape = MADE[name]
    assert make(layers).to("meta").train(training)(torch.empty(shape, device="meta")).shape == shape
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert make(layers).train(training)(torch.empty(shape)).shape == shape


def test_sample_norms_under_a_gpus_autocast_give_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("course_utils.layers.normalization.autocast_is_on", lambda x: True)
    for layer in (layers.LayerNorm(6), layers.GroupNorm(3, 6), layers.RMSNorm(6)):
        x = torch.empty(8, 6, dtype=torch.float16, device="meta")
        assert layer.to("meta")(x).dtype == torch.float32
        assert copy.deepcopy(layer).to_empty(device="cpu")(torch.ones(8, 6).half()).dtype == torch.float16


# ---- randomness ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_repeated_forward_pass_has_the_same_mask_or_is_refused(reentrant: bool) -> None:
    def run(layer: nn.Module) -> tuple[Tensor, Tensor]:
        x = torch.ones(1000, requires_grad=True)
        y = checkpoint(lambda z: layer(z) ** 2, x, use_reentrant=reentrant)
        y.sum().backward()
        assert x.grad is not None
        return x.grad, 2 * y.detach()  # y = (2 m x)**2 at x = 1, so dy / dx = 2 y

    gradient, expected = run(layers.Dropout(0.5))
    assert torch.equal(gradient, expected)
    with pytest.raises(ValueError, match="leave generator out: activation checkpointing puts back"):
        run(layers.Dropout(0.5, generator=torch.Generator().manual_seed(0)))
    off = layers.Dropout(0.5, generator=torch.Generator()).eval()
    assert run(off)[0].tolist() == [2.0] * 1000


def test_dropout_in_place() -> None:
    x = torch.ones(100)
    torch.manual_seed(0)
    y = layers.Dropout(0.5, inplace=True)(x)
    assert y is x
    torch.manual_seed(0)
    assert torch.equal(y, layers.Dropout(0.5)(torch.ones(100)))
    w = torch.ones(100, requires_grad=True)
    torch.manual_seed(0)
    layers.Dropout(0.5, inplace=True)(w * 1).sum().backward()
    assert torch.equal(w.grad, y)


class Draws(Dataset[float]):
    """Numbers drawn in the workers, by two generators of the data set's own."""

    def __init__(self) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in (0, 1)]

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> float:
        if index >= 8:
            raise IndexError
        return torch.rand((), generator=of_this_process(self.generators[index // 2 % 2])).item()

    def __iter__(self) -> Iterator[float]:
        return (self[i] for i in range(len(self)))


def test_workers_of_a_loader_draw_each_their_own() -> None:
    def epochs(seed: int) -> list[list[float]]:
        torch.manual_seed(seed)
        loader = DataLoader(Draws(), batch_size=None, num_workers=2, multiprocessing_context="fork")
        return [[float(value) for value in loader] for _ in range(2)]

    first, second = epochs(0)
    assert len({*first, *second}) == 16
    assert epochs(0) == [first, second]
    assert epochs(1) != [first, second]


def test_in_one_process_a_generator_is_left_alone() -> None:
    g = torch.Generator().manual_seed(3)
    state = g.get_state()
    assert of_this_process(g) is g
    assert torch.equal(g.get_state(), state)
    assert of_this_process(None) is None


# ---- extremes --------------------------------------------------------------------------------------------


def test_squares_that_overflow_tell_in_layer_and_group_norm() -> None:
    for n in (4, 32, 512):
        x = numbers((8, n)) * 1e25
        for layer in (layers.LayerNorm(n), layers.GroupNorm(2, n)):
            assert layer(x).isnan().all()
        for ours, theirs in ((layers.RMSNorm(n), nn.RMSNorm(n)), (layers.BatchNorm1d(n), nn.BatchNorm1d(n))):
            assert torch.equal(ours(x), theirs(x))


@every_norm
def test_constant_rows_have_a_finite_gradient_as_in_torch(name: str) -> None:
    make, shape = MADE[name]
    gradients = []
    for module in (layers, nn):
        for value in (0.0, 3.0):
            x = torch.full(shape, value, dtype=torch.float64, requires_grad=True)
            make(module).double()(x).pow(3).sum().backward()
            gradients.append(x.grad)
    assert all(g is not None and g.isfinite().all() for g in gradients)
    torch.testing.assert_close(gradients[:2], gradients[2:], rtol=1e-6, atol=1e-6)


def test_a_worker_seeds_a_generator_once(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = SimpleNamespace(seed=1)
    monkeypatch.setattr("course_utils._torch.generators.get_worker_info", lambda: worker)
    a, b = (torch.Generator().manual_seed(seed) for seed in (0, 1))
    first = [torch.rand((), generator=of_this_process(g)).item() for g in (a, a, b, b)]
    assert len(set(first)) == 4
    again = torch.Generator().manual_seed(0)
    assert [torch.rand((), generator=of_this_process(again)).item() for _ in range(2)] == first[:2]
    worker.seed = 2  # the next epoch's worker
    assert torch.rand((), generator=of_this_process(a)).item() not in first
