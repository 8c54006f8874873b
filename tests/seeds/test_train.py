"""Many seeds at once are the same runs as one at a time, to rounding error in float64."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from course_utils import layers, losses, optimizers
from course_utils.augmentation import Mixup, RandomChoice
from course_utils.data import Stacked
from course_utils.seeds import SAMPerSeed, SeedRuns, stacked, train_seeds
from course_utils.seeds import train as seeds
from course_utils.training import TrainingDiverged, accuracy, fit
from tests.mutants import mistakes, mutant

SEEDS = (3, 1, 4)
N, EPOCHS, BATCH = 22, 3, 8  # batches of 8, 8 and 6
STEPS = 9
CLOSE: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-13}


def examples(n: int = N, *, seed: int = 0, shape: tuple[int, ...] = (5,)) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, *shape, generator=g, dtype=torch.float64), torch.randint(0, 3, (n,), generator=g)


def stacked_examples(n: int = N) -> Stacked:
    drawn = [examples(n, seed=10 + s) for s in SEEDS]
    return Stacked(torch.stack([x for x, _ in drawn]), torch.stack([y for _, y in drawn]))


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)).double()


def deep() -> nn.Module:
    act = nn.Tanh()  # one activation used twice
    return nn.Sequential(nn.Linear(5, 6), act, nn.Linear(6, 4, bias=False), act, nn.Linear(4, 3)).double()


def nested() -> nn.Module:
    return nn.Sequential(nn.Sequential(nn.Linear(5, 7), nn.ReLU()), nn.Linear(7, 3)).double()


def normalised(layer: Callable[[int], nn.Module]) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(nn.Linear(5, 6), layer(6), nn.ReLU(), nn.Linear(6, 3)).double()


class Conv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3).double()
        self.out = nn.Linear(8, 3).double()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.out(self.conv(x).relu().flatten(1))
        return result


def sgd(p: Any) -> torch.optim.Optimizer:
    return optimizers.SGD(p, 0.1, momentum=0.9)


class Silent(optimizers.SGD):
    """An optimizer that takes a closure and keeps what it returned to itself, as lesson 12 writes one."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        super().step(closure)


def sam(p: Any) -> torch.optim.Optimizer:
    return SAMPerSeed(p, optimizers.SGD, rho=0.3, lr=0.1, momentum=0.9)


SAM_ALONE: dict[str, Any] = {
    "optimizer": sam,
    "alone": lambda p: optimizers.SAM(p, optimizers.SGD, rho=0.3, lr=0.1, momentum=0.9),
}


def weight_norm(parameters: Any) -> Tensor:
    named = parameters.named_parameters() if isinstance(parameters, nn.Module) else parameters
    return 0.05 * torch.stack([(p**2).sum() for name, p in named if name.endswith("weight")]).sum()


def separate(
    make_model: Callable[[], nn.Module], train: Any, seed: int, index: int, *, optimizer: Any, **kwargs: Any
) -> tuple[nn.Module, float]:
    """One run of `fit`; the last epoch's training loss."""
    torch.manual_seed(seed)
    model = make_model()
    pair = (train.x[index], train.y[index]) if isinstance(train, Stacked) else train
    history = fit(
        model,
        pair,
        optimizer=optimizer(model.parameters()),
        epochs=EPOCHS,
        batch_size=BATCH,
        generator=torch.Generator().manual_seed(seed),
        progress=False,
        **kwargs,
    )
    return model, history.rows[-1]["train_loss"]


def check_equal(
    train_seeds: Callable[..., SeedRuns],
    make_model: Callable[[], nn.Module] = mlp,
    train: Any = None,
    *,
    optimizer: Any = sgd,
    alone: Any = None,
    kind: type | None = None,
    **kwargs: Any,
) -> None:
    """`train_seeds` ends at the weights of separate runs of `fit`, and moved there from the start.

    Args: alone: the optimizer of a separate run, where it has another name.
    """
    train = examples() if train is None else train
    alone = optimizer if alone is None else alone
    kwargs = {"loss": F.cross_entropy, **kwargs}
    runs = train_seeds(
        make_model, train, optimizer=optimizer, steps=STEPS, seeds=SEEDS, batch_size=BATCH, **kwargs
    )
    assert kind is None or type(runs.nets) is kind
    for index, seed in enumerate(SEEDS):
        model, _ = separate(make_model, train, seed, index, optimizer=alone, **kwargs)
        torch.manual_seed(seed)
        start = dict(make_model().named_parameters())
        found = runs.state_dict(index)
        assert found.keys() == model.state_dict().keys()
        for name, expected in model.state_dict().items():
            torch.testing.assert_close(found[name], expected, **CLOSE)
            moves = name in start and expected.ndim > 1  # a bias before batch norm does not
            assert not moves or not torch.equal(start[name], expected)


OPTIMIZERS: dict[str, Any] = {
    "sgd": sgd,
    "sgd-nesterov-decay": lambda p: optimizers.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda p: optimizers.Adam(p, 0.02),
    "lion": lambda p: optimizers.Lion(p, 0.01),
    "schedule-free": lambda p: optimizers.ScheduleFreeSGD(p, 0.3),
    "torch-sgd": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
    "torch-adam": lambda p: torch.optim.Adam(p, 0.02),
    "torch-sgd-fused": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, fused=True),
    "torch-adam-fused": lambda p: torch.optim.Adam(p, 0.02, fused=True),
    "torch-rmsprop": lambda p: torch.optim.RMSprop(p, 0.01),
    "without-a-result": lambda p: Silent(p, 0.1),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_every_seed_is_a_run_of_its_own(optimizer: Any) -> None:
    check_equal(train_seeds, optimizer=optimizer, kind=stacked.StackedDenseNets)


MODELS: dict[str, Any] = {
    "two-hidden-layers": (deep, stacked.StackedDenseNets),
    "nested": (nested, stacked.StackedNets),
    "batch-norm-torch": (normalised(nn.BatchNorm1d), stacked.StackedNets),
    "batch-norm": (normalised(layers.BatchNorm1d), stacked.StackedNets),
    "layer-norm": (normalised(layers.LayerNorm), stacked.StackedNets),
}


@pytest.mark.parametrize(("make_model", "kind"), MODELS.values(), ids=MODELS)
def test_every_model(make_model: Any, kind: type) -> None:
    check_equal(train_seeds, make_model, kind=kind)


@pytest.mark.parametrize("fused", [False, True])
def test_a_convolutional_net(fused: bool) -> None:
    def rule(p: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD(p, 0.1, momentum=0.9, fused=fused)

    check_equal(train_seeds, Conv, examples(shape=(1, 4, 4)), optimizer=rule, kind=stacked.StackedNets)


class Tied(nn.Module):
    """Two layers with one weight, and a third with its transpose."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.out = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 3)
        self.b.weight = self.a.weight
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.out(self.b(self.a(x).relu()) @ self.a.weight)
        return result


def test_tied_weights_train_as_in_fit() -> None:
    runs = train_seeds(
        Tied, examples(), optimizer=sgd, loss=F.cross_entropy, steps=STEPS, seeds=SEEDS, batch_size=BATCH
    )
    for index, seed in enumerate(SEEDS):
        model, _ = separate(Tied, examples(), seed, index, optimizer=sgd, loss=F.cross_entropy)
        trained = Tied()
        trained.load_state_dict(runs.state_dict(index))
        for p, expected in zip(trained.parameters(), model.parameters(), strict=True):
            torch.testing.assert_close(p, expected, **CLOSE)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.out = nn.LSTM(5, 4, batch_first=True).double(), nn.Linear(4, 3).double()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.out(self.cell(x[:, None])[0][:, 0])
        return result


class Branching(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(x)
        return y * 2 if y.mean() > 0 else y


def branching_loss(prediction: Tensor, target: Tensor) -> Tensor:
    loss = F.cross_entropy(prediction, target)
    return loss if loss > 0 else -loss


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"make_model": Recurrent},
            "need a model that .* can run, got Recurrent; train seed by seed with fit: ",
        ),
        ({"make_model": lambda: Branching(*mlp())}, "got Branching; train seed by seed with fit: "),
        (
            {"make_model": lambda: nn.LazyLinear(3)},
            r"need parameters that have a shape.*got without=\['weight', ",
        ),
        ({"make_model": lambda: mlp() if torch.rand(()) > 0.5 else deep()}, "the same model from each call"),
        ({"loss": branching_loss}, "need a loss that .* can run, got branching_loss; train seed by seed"),
        ({"seeds": (0.5, 1)}, "need whole numbers as seeds, got seeds="),
    ],
)
def test_what_does_not_stack_is_refused_in_words(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"make_model": mlp, "loss": F.cross_entropy, "seeds": (0, 1, 2, 3)}
    make_model, loss, seeds = (given | change).values()
    with pytest.raises(ValueError, match=message):
        train_seeds(make_model, examples(), optimizer=sgd, loss=loss, steps=2, seeds=seeds)


def test_a_fault_of_the_model_itself_keeps_its_words() -> None:
    with pytest.raises(RuntimeError, match="Expected size for first two dimensions"):
        train_seeds(nested, examples(shape=(4,)), optimizer=sgd, loss=F.cross_entropy, steps=2, seeds=SEEDS)


def test_seeds_may_be_numpys() -> None:
    found = train_seeds(mlp, examples(), optimizer=sgd, loss=F.cross_entropy, steps=2, seeds=np.arange(2))
    assert found.seeds == (0, 1)
    assert all(type(seed) is int for seed in found.seeds)


def test_images_are_flattened() -> None:
    def model() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 6), nn.GELU(), nn.Linear(6, 3)).double()

    check_equal(train_seeds, model, examples(shape=(4, 4)), kind=stacked.StackedDenseNets)


def test_linear_layers_over_a_further_dimension() -> None:
    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Flatten(), nn.Linear(18, 3)).double()

    check_equal(train_seeds, model, examples(shape=(3, 5)))


def test_a_layer_used_twice_is_one_layer() -> None:
    def model() -> nn.Module:
        shared = nn.Linear(5, 5)
        return nn.Sequential(shared, nn.Tanh(), shared, nn.Linear(5, 3)).double()

    runs = train_seeds(model, examples(), optimizer=sgd, loss=F.cross_entropy, steps=STEPS, seeds=SEEDS,
                       batch_size=BATCH)  # fmt: skip
    alone, _ = separate(model, examples(), SEEDS[1], 1, optimizer=sgd, loss=F.cross_entropy)
    x = examples(6, seed=5)[0]
    torch.testing.assert_close(runs.predict(x)[1], alone(x).detach(), **CLOSE)


def test_frozen_parameters_stay() -> None:
    def model() -> nn.Module:
        net = mlp()
        next(net.parameters()).requires_grad_(False)
        return net

    runs = train_seeds(model, examples(), optimizer=sgd, loss=F.cross_entropy, steps=STEPS, seeds=SEEDS)
    torch.manual_seed(SEEDS[2])
    start = model().state_dict()
    assert torch.equal(runs.state_dict(2)["0.weight"], start["0.weight"])
    assert not torch.equal(runs.state_dict(2)["2.weight"], start["2.weight"])


OPTIONS: dict[str, dict[str, Any]] = {
    "schedule": {"schedule": lambda step: 1 / (1 + step)},
    "clipping": {"clip_norm": 0.2},
    "penalty": {"penalty": weight_norm},
    "augment": {"augment": lambda x: -2 * x},
    "all": {"schedule": lambda step: 0.9**step, "clip_norm": 0.3, "penalty": weight_norm},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("rule", [{}, SAM_ALONE], ids=["sgd", "sam"])
@pytest.mark.parametrize("make_model", [mlp, nested])
def test_every_option(options: dict[str, Any], make_model: Any, rule: dict[str, Any]) -> None:
    check_equal(train_seeds, make_model, **rule, **options)


def test_sam_sees_batch_norm_twice_as_in_fit() -> None:
    check_equal(train_seeds, normalised(nn.BatchNorm1d), **SAM_ALONE)


def check_mixup(train_seeds: Callable[..., SeedRuns], **options: Any) -> None:
    """One seed with SAM, clipping and mixup: `fit`, where the draws of mixup are the same."""

    def mixup() -> Mixup:
        return Mixup(1.0, num_classes=3, generator=torch.Generator().manual_seed(5))

    kwargs: dict[str, Any] = {"loss": F.cross_entropy, "clip_norm": 0.3, "schedule": lambda step: 0.9**step}
    runs = train_seeds(mlp, examples(), optimizer=sam, steps=STEPS, seeds=SEEDS[:1], batch_size=BATCH,
                       augment=mixup(), **kwargs)  # fmt: skip
    model, _ = separate(mlp, examples(), SEEDS[0], 0, optimizer=SAM_ALONE["alone"], augment=mixup(), **kwargs)
    for name, expected in model.state_dict().items():
        torch.testing.assert_close(runs.state_dict(0)[name], expected, rtol=1e-9, atol=1e-10)


def test_sam_clipping_and_mixup_stack() -> None:
    check_mixup(train_seeds)


def test_the_training_loss_is_the_one_where_the_weights_were() -> None:
    """Of the two that SAM asks for; the second is higher, and no measurement of the run."""
    kwargs: dict[str, Any] = {"loss": F.cross_entropy, "steps": 1, "seeds": SEEDS, "batch_size": None}
    climbed = train_seeds(mlp, examples(), optimizer=sam, **kwargs)
    plain = train_seeds(mlp, examples(), optimizer=sgd, **kwargs)
    assert torch.equal(climbed.train_loss, plain.train_loss)


@pytest.mark.parametrize("make_model", [mlp, nested])
def test_examples_of_their_own_for_every_seed(make_model: Any) -> None:
    check_equal(train_seeds, make_model, stacked_examples())


def soft(x: Tensor) -> Tensor:
    return torch.softmax(x[..., :3], -1)


def mean_of_twice(prediction: Tensor, target: Tensor) -> Tensor:
    return 2 * F.cross_entropy(prediction, target)


LOSSES: dict[str, tuple[Any, Any]] = {
    "cross-entropy": (F.cross_entropy, None),
    "ours": (losses.cross_entropy, None),
    "smoothed": (partial(F.cross_entropy, label_smoothing=0.2), None),
    "smoothed-ours": (partial(losses.cross_entropy, label_smoothing=0.2), None),
    "module": (nn.CrossEntropyLoss(), None),
    "weighted": (
        partial(F.cross_entropy, weight=torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)),
        None,
    ),
    "own-function": (mean_of_twice, None),
    "probabilities": (F.cross_entropy, soft),
    "probabilities-ours": (losses.cross_entropy, soft),
    "mse": (F.mse_loss, soft),
    "mse-ours": (losses.mse_loss, soft),
    "binary": (losses.binary_cross_entropy_with_logits, soft),
    "huber": (losses.huber_loss, soft),
}


@pytest.mark.parametrize(("loss", "target"), LOSSES.values(), ids=LOSSES)
def test_every_loss(loss: Any, target: Any) -> None:
    x, _ = examples()
    train = stacked_examples() if target is None else (x, target(x))
    check_equal(train_seeds, train=train, loss=loss)


def test_batch_and_class_counts_that_agree_are_not_mixed_up() -> None:
    x, y = examples(12)

    def model() -> nn.Module:
        return nn.Linear(5, 3).double()

    kwargs: dict[str, Any] = {"optimizer": sgd, "loss": F.cross_entropy, "steps": 12, "seeds": SEEDS}
    runs = train_seeds(model, (x, y), batch_size=3, **kwargs)  # 3 seeds, 3 examples, 3 classes
    alone = train_seeds(model, (x, y), batch_size=3, **kwargs | {"seeds": SEEDS[1:2]})
    torch.testing.assert_close(runs.state_dict(1), alone.state_dict(0), **CLOSE)


def test_a_regression_with_one_output() -> None:
    x, _ = examples()

    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1), nn.Flatten(0)).double()

    check_equal(train_seeds, model, (x, x.sum(1)), loss=F.mse_loss)

    def column() -> nn.Module:
        return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1)).double()

    check_equal(train_seeds, column, (x, x.sum(1, keepdim=True)), loss=losses.mse_loss)


def check_full_batches(train_seeds: Callable[..., SeedRuns], train: Any) -> None:
    """Every step sees all examples of its seed, and the loss measured there is the one before it."""
    runs = train_seeds(
        mlp, train, optimizer=sgd, loss=F.cross_entropy, steps=4, seeds=SEEDS, batch_size=None,
        measure_every=1,
    )  # fmt: skip
    assert runs.steps == [1, 2, 3, 4]
    for index, seed in enumerate(SEEDS):
        torch.manual_seed(seed)
        model = mlp()
        x, y = (part[index] for part in train) if isinstance(train, Stacked) else train
        optimizer = sgd(model.parameters())
        for step in range(4):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            torch.testing.assert_close(runs.train_loss[index, step], loss.detach(), **CLOSE)
            loss.backward()
            optimizer.step()


@pytest.mark.parametrize("train", [examples(), stacked_examples()], ids=["shared", "stacked"])
def test_full_batches_and_the_measured_training_loss(train: Any) -> None:
    check_full_batches(train_seeds, train)


def test_an_augmentation_in_place_leaves_the_examples_alone() -> None:
    train = stacked_examples()
    before = train.x.clone()
    options: dict[str, Any] = {"optimizer": sgd, "loss": F.cross_entropy, "steps": 2, "seeds": SEEDS}
    train_seeds(mlp, train, batch_size=None, augment=lambda x: x.add_(1), **options)
    assert torch.equal(train.x, before)


def test_measurements_are_those_of_the_final_models() -> None:
    train, validation = stacked_examples(), stacked_examples(9)
    runs = train_seeds(
        normalised(nn.BatchNorm1d), train, validation, optimizer=sgd, loss=F.cross_entropy, steps=STEPS,
        seeds=SEEDS, batch_size=BATCH, metric=accuracy, measure_every=4,
    )  # fmt: skip
    assert runs.steps == [4, 8, 9]
    assert runs.train_loss.shape == runs.validation_loss.shape == runs.validation_metric.shape == (3, 3)
    prediction = runs.predict(validation)
    shared = runs.predict(validation.x[0])
    for index in range(len(SEEDS)):
        model = normalised(nn.BatchNorm1d)()
        model.load_state_dict(runs.state_dict(index))
        model.eval()
        with torch.no_grad():
            alone = model(validation.x[index])
            torch.testing.assert_close(prediction[index], alone, **CLOSE)
            torch.testing.assert_close(shared[index], model(validation.x[0]), **CLOSE)
        loss = F.cross_entropy(alone, validation.y[index])
        torch.testing.assert_close(runs.validation_loss[index, -1], loss, **CLOSE)
        assert runs.validation_metric[index, -1] == accuracy(alone, validation.y[index])
    assert runs.stopped_at.tolist() == [9, 9, 9]
    means = runs.state_dict(0)["1.running_mean"], runs.state_dict(1)["1.running_mean"]
    assert not torch.allclose(*means)


def test_a_layer_left_in_eval_mode_trains_as_in_fit() -> None:
    def model() -> nn.Module:
        net = normalised(nn.BatchNorm1d)()
        next(m for m in net.modules() if isinstance(m, nn.BatchNorm1d)).eval()
        return net

    check_equal(train_seeds, model)


def test_the_matrix_path_is_the_vmap_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> SeedRuns:
        return train_seeds(
            mlp, stacked_examples(), examples(6, seed=8), optimizer=sgd, loss=F.cross_entropy, steps=STEPS,
            seeds=SEEDS, batch_size=BATCH, penalty=weight_norm, clip_norm=0.5, measure_every=3,
        )  # fmt: skip

    dense = run()
    monkeypatch.setattr(seeds, "stack", stacked.StackedNets)
    mapped = run()
    assert type(dense.nets) is not type(mapped.nets)
    torch.testing.assert_close(dense.validation_loss, mapped.validation_loss, **CLOSE)
    for name, tensor in dense.nets.tensors().items():
        torch.testing.assert_close(tensor, mapped.nets.tensors()[name], **CLOSE)


@pytest.mark.parametrize("make_model", [mlp, deep, Conv, normalised(nn.BatchNorm1d)])
def test_gradients_are_laid_out_as_their_parameters(make_model: Any) -> None:
    """torch's fused optimizers take wrong steps where they are not."""
    x, y = examples(shape=(1, 4, 4) if make_model is Conv else (5,))
    runs = train_seeds(make_model, (x, y), optimizer=sgd, loss=F.cross_entropy, steps=1, seeds=SEEDS)
    for _, p in runs.nets.named_parameters():
        assert p.is_contiguous()
        assert p.grad is not None
        assert p.grad.is_contiguous()


def dropped(layer: Callable[[float], nn.Module], *, mapped: bool) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        first = nn.Linear(5, 200)
        nn.init.zeros_(first.weight)
        nn.init.ones_(first.bias)  # so that what comes out is the mask
        return nn.Sequential(nn.Sequential(first) if mapped else first, layer(0.5))

    return make


@pytest.mark.parametrize("layer", [nn.Dropout, layers.Dropout])
@pytest.mark.parametrize("mapped", [False, True])
def test_dropout_masks_differ_between_seeds_and_come_again(layer: Any, mapped: bool) -> None:
    seen: list[Tensor] = []

    def loss(prediction: Tensor, target: Tensor) -> Tensor:
        seen.append(prediction.detach())
        return prediction.sum() * 0

    def run() -> Tensor:
        seen.clear()
        masks: list[Tensor] = []
        forward = stacked.StackedDenseNets.forward if not mapped else stacked.StackedNets.forward
        nets = []

        def keep(self: Any, x: Tensor, *, training: bool) -> Tensor:
            nets.append(self)
            masks.append(forward(self, x, training=training).detach())
            return forward(self, x, training=training)

        kind = stacked.StackedDenseNets if not mapped else stacked.StackedNets
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kind, "forward", keep)
            train_seeds(
                dropped(layer, mapped=mapped), (torch.randn(22, 5), torch.zeros(22)),
                optimizer=lambda p: optimizers.SGD(p, 0.0), loss=loss, steps=2, seeds=SEEDS, batch_size=4,
            )  # fmt: skip
        assert type(nets[0]) is kind
        return torch.stack(masks)  # (steps, S, b, 200)

    first, again = run(), run()
    assert torch.equal(first, again)
    assert set(first.unique().tolist()) == {0.0, 2.0}
    assert 0.4 < (first == 0).double().mean() < 0.6
    rows = (first == 0).flatten(0, 2)  # every step, seed and example has a mask of its own
    assert len(rows.unique(dim=0)) == len(rows)


def check_patience(train_seeds: Callable[..., SeedRuns]) -> None:
    train, validation = stacked_examples(), stacked_examples(8)
    patience, steps = 2, 30
    kwargs: dict[str, Any] = {
        "optimizer": lambda p: optimizers.SGD(p, 0.9, momentum=0.5), "loss": F.cross_entropy,
        "seeds": SEEDS, "batch_size": BATCH,
    }  # fmt: skip
    make_model = normalised(nn.BatchNorm1d)
    runs = train_seeds(
        make_model, train, validation, steps=steps, measure_every=1, patience=patience, **kwargs
    )
    free = train_seeds(make_model, train, validation, steps=steps, measure_every=1, **kwargs)
    stops = []
    for index, curve in enumerate(free.validation_loss):
        best, since = 0, 0
        for step, value in enumerate(curve):
            best, since = (step, 0) if step == 0 or value < curve[best] else (best, since + 1)
            if since == patience:
                break
        stops.append(step + 1)
        assert runs.stopped_at[index] == best + 1
        alone = train_seeds(make_model, train, steps=best + 1, **kwargs).state_dict(index)
        torch.testing.assert_close(runs.state_dict(index), alone, **CLOSE)
    assert len(set(runs.stopped_at.tolist())) > 1
    assert runs.steps[-1] == max(stops) < steps  # and the run ends with its last seed


def test_the_weights_kept_are_those_of_each_seeds_lowest_validation_loss() -> None:
    check_patience(train_seeds)


def test_a_seed_without_a_finite_loss_has_no_best_step() -> None:
    train, validation = stacked_examples(), stacked_examples(8)
    validation.x[1] = torch.nan
    runs = train_seeds(
        mlp, train, validation, optimizer=sgd, loss=F.cross_entropy, steps=STEPS, seeds=SEEDS,
        batch_size=BATCH, measure_every=2, patience=100,
    )  # fmt: skip
    assert runs.stopped_at[1] == 0
    assert (runs.stopped_at[[0, 2]] > 0).all()
    assert runs.state_dict(1)["0.weight"].isfinite().all()


def test_a_seed_that_diverges_harms_no_other() -> None:
    train = stacked_examples()
    broken = Stacked(train.x.clone(), train.y)
    broken.x[1, 5] = torch.inf
    kwargs: dict[str, Any] = {
        "optimizer": sgd, "loss": F.cross_entropy, "steps": STEPS, "seeds": SEEDS, "batch_size": BATCH,
        "clip_norm": 1.0, "measure_every": 1,
    }  # fmt: skip
    for make_model in (mlp, nested):
        fine, harmed = train_seeds(make_model, train, **kwargs), train_seeds(make_model, broken, **kwargs)
        assert not harmed.train_loss[1].isfinite().all()
        for index in (0, 2):
            torch.testing.assert_close(harmed.state_dict(index), fine.state_dict(index), rtol=0, atol=0)
    with pytest.raises(TrainingDiverged, match="not finite at step"):
        train_seeds(mlp, broken, diverged="raise", **kwargs)


def test_a_seed_does_not_depend_on_its_company() -> None:
    kwargs: dict[str, Any] = {"optimizer": sgd, "loss": F.cross_entropy, "steps": STEPS, "batch_size": BATCH}
    together = train_seeds(mlp, examples(), seeds=SEEDS, **kwargs)
    for index, seed in enumerate(SEEDS):
        alone = train_seeds(mlp, examples(), seeds=[seed], **kwargs)
        torch.testing.assert_close(together.state_dict(index), alone.state_dict(0), **CLOSE)


def test_the_callers_draws_are_untouched() -> None:
    make_model = dropped(nn.Dropout, mapped=True)
    train = (torch.randn(22, 5), torch.zeros(22, dtype=torch.int64))
    torch.manual_seed(77)
    expected = torch.rand(3)
    for outside in (0, 1, 2):
        torch.manual_seed(77)
        train_seeds(make_model, train, optimizer=sgd, loss=F.cross_entropy, steps=2, seeds=[outside, 5])
        assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda p: optimizers.Muon([q for q in p if q.ndim == 2], 0.1),
        lambda p: optimizers.SAM(p, optimizers.SGD, lr=0.1),
        lambda p: torch.optim.Muon([q for q in p if q.ndim == 2]),
        lambda p: torch.optim.Adafactor(p),
        lambda p: torch.optim.LBFGS(p),
    ],
)
def test_optimizers_that_mix_entries_are_refused(optimizer: Any) -> None:
    with pytest.raises(ValueError, match=r"need an elementwise optimizer.*SAMPerSeed"):
        train_seeds(mlp, examples(), optimizer=optimizer, loss=F.cross_entropy, steps=1, seeds=SEEDS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": []}, "need a seed and steps >= 1, got seeds=0, steps=2"),
        ({"steps": 0}, "steps >= 1"),
        ({"clip_norm": 0.0}, "need clip_norm > 0, got clip_norm=0.0"),
        ({"measure_every": 0}, "need measure_every >= 1, got measure_every=0"),
        ({"batch_size": 0}, "batch_size >= 1"),
        ({"patience": 2}, "need validation for patience"),
        ({"patience": 0, "validation": examples()}, "need a whole number patience >= 1, got patience=0"),
        ({"diverged": "stop"}, 'diverged="keep" or "raise"'),
        ({"train": (torch.zeros(4, 5), torch.zeros(3))}, "as many inputs as targets, got x=4, y=3"),
        ({"train": Stacked(torch.zeros(2, 4, 5), torch.zeros(2, 4))}, "one set of examples per seed"),
        ({"train": Stacked(torch.zeros(3, 4, 5), torch.zeros(3, 5))}, "as many inputs as targets"),
        ({"train": (torch.zeros(4, 5), torch.full((4,), -100))}, "a target for every example"),
        (
            {"train": TensorDataset(*examples())},
            "need two tensors .*examples='TensorDataset'; torch.as_tensor",
        ),
        ({"train": tuple(t.numpy() for t in examples())}, r"need two tensors \(x, y\), or Stacked, got"),
        ({"validation": [examples()] * 2}, "need two tensors"),
        ({"loss": nn.CrossEntropyLoss}, r"need loss made from its class.*write loss=CrossEntropyLoss\("),
        (
            {"loss": lambda p, y: F.cross_entropy(p, y, reduction="none")},
            "one number of a loss for each seed",
        ),
        ({"metric": nn.Identity}, "need metric made from its class"),
        (
            {"metric": lambda p, y: p.argmax(-1) == y, "validation": examples()},
            "one number of a metric for each seed",
        ),
        (
            {"schedule": torch.optim.lr_scheduler.StepLR(sgd([torch.zeros(2)]), 1)},
            "need a function as schedule, .*; pass a function of the step",
        ),
        (
            {"augment": RandomChoice([Mixup(0.2, 3), Mixup(1.0, 3)])},
            "need an augmentation of inputs alone, got augment='RandomChoice'; take Mixup or CutMix alone",
        ),
    ],
)
def test_bad_arguments(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {
        "train": examples(), "optimizer": sgd, "loss": F.cross_entropy, "steps": 2, "seeds": SEEDS,
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        train_seeds(mlp, **given | change)


# What `train` takes from the modules beside it.
TAKEN = {
    "stacked": ("stack", "mean_per_seed", "clip_per_seed"),
    "measurements": ("Rows", "BestWeights"),
}


def in_package(check: Callable[[Any], None]) -> Callable[[Any], None]:
    """The check of the `train_seeds` that takes what it uses from the changed module."""

    def run(changed: Any) -> None:
        module = changed.__name__.rpartition(".")[2].removesuffix("__mutant")
        with pytest.MonkeyPatch.context() as patch:
            for name in TAKEN.get(module, ()):
                patch.setattr(seeds, name, getattr(changed, name))
            check(changed.train_seeds if module == "train" else train_seeds)

    return run


# mistake -> module, text, text with the mistake, and the arguments of the check that notices
MUTANTS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "one-order-for-all": (
        "train", "torch.Generator().manual_seed(seed) for seed in seeds",
        "torch.Generator().manual_seed(seeds[0]) for seed in seeds", {},
    ),
    "same-weights-for-all": (
        "train", "_seeded(make_model, seed, x.device)", "_seeded(make_model, seeds[0], x.device)", {},
    ),
    "examples-of-the-first-seed": (
        "train", "first = torch.arange(len(seeds))[:, None] * n",
        "first = 0 * torch.arange(len(seeds))[:, None]", {"train": stacked_examples()},
    ),
    "gradients-pile-up": ("train", "p.grad = None", "pass", {}),
    "schedule-one-late": (
        "train", "set_lr(rule, schedule, step - 1)", "set_lr(rule, schedule, step)",
        OPTIONS["schedule"],
    ),
    "evaluated-at-the-wrong-point": (
        "train", 'show_weights(rule, "eval")', "pass", {"optimizer": OPTIMIZERS["schedule-free"]},
    ),
    "clips-all-seeds-together": (
        "stacked", "vector_norm(t.flatten(1), dim=1) for t", "vector_norm(t).expand(len(t)) for t",
        OPTIONS["clipping"],
    ),
    "clips-without-the-small-number": (
        "stacked", "(gradients) + 1e-6)", "(gradients) + 0.0)", OPTIONS["clipping"],
    ),
    "clips-each-tensor": (
        "stacked", "g.mul_(over(scale, g))",
        "g.mul_(over((largest / norm_per_seed([g])).clamp(max=1), g))",
        OPTIONS["clipping"],
    ),
    "mean-over-seeds-too": ("train", "len(values) / values.numel()", "1 / values.numel()", {}),
    "whole-batches-for-parts": ("train", "if batch_size is None:", "if batch_size is not None:", {}),
    "weighted-mean-taken-for-a-plain-one": (
        "stacked", '<= {"label_smoothing"}', '<= {"label_smoothing", "weight"}',
        {"loss": LOSSES["weighted"][0]},
    ),
    "clips-the-first-gradient-alone": (
        "train", "if self.clip_norm is not None:", "if self.clip_norm is not None and not self.losses:",
        OPTIONS["clipping"] | SAM_ALONE,
    ),
    "penalty-on-the-first-gradient-alone": (
        "train", "if self.penalty is not None:", "if self.penalty is not None and not self.losses:",
        OPTIONS["penalty"] | SAM_ALONE,
    ),
    "activation-used-once": (
        "stacked", "self.base._modules.items()", "self.base.named_children()", {"make_model": deep},
    ),
}  # fmt: skip


@pytest.mark.parametrize("arguments", [row[3] for row in MUTANTS.values()], ids=MUTANTS)
def test_the_checks_pass_without_a_mistake(arguments: dict[str, Any]) -> None:
    check_equal(train_seeds, **arguments)


test_mistakes_are_caught = mistakes(
    "course_utils.seeds",
    {
        mistake: (module, old, new, in_package(partial(check_equal, **arguments)))
        for mistake, (module, old, new, arguments) in MUTANTS.items()
    },
)


test_mistakes_with_full_batches_are_caught = mistakes(
    "course_utils.seeds.stacked",
    {"sum-for-a-mean": ("values.flatten(1).mean(1)", "values.flatten(1).sum(1)")},
    check=in_package(partial(check_full_batches, train=examples())),
)


PATIENCE_MUTANTS = {
    "keeps-the-last": ("over(better.to(live.device), live)", "over(better.to(live.device) | True, live)"),
    "stops-with-the-first": ("all(rule.stopped", "any(rule.stopped"),
    "leaves-the-last-weights": ("tensor.copy_(self.kept[name])", "pass"),
    "counts-measurements": ("else steps[measured]", "else measured"),
}


test_mistakes_of_patience_are_caught = mistakes(
    "course_utils.seeds.measurements", PATIENCE_MUTANTS, check=in_package(check_patience)
)


def test_a_change_of_no_meaning_is_no_mistake() -> None:
    unchanged = mutant("course_utils.seeds.stacked", "of each seed, (S,)", "of each seed (S,)")
    in_package(check_equal)(unchanged)
