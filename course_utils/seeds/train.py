"""Train many seeds at once: one model, S copies of its parameters, one run.

An elementwise optimizer on parameters stacked as (S, ...) is exactly S optimizers, because no entry of a
step depends on another. So the S runs differ only in what is drawn (split, initial weights, order of the
batches, dropout masks), and one set of tensor operations carries them all. That pays for small dense nets,
where the time goes to launching operations; a convolution of S models costs S times one.

    runs = train_seeds(make_model, train, validation, optimizer=lambda p: SGD(p, lr=0.1),
                       loss=F.cross_entropy, steps=300, seeds=range(24), metric=accuracy)
    runs.validation_metric[:, -1]       # (24,)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils._checks import is_whole, require
from course_utils.augmentation import CutMix, Mixup, mix_within_seeds
from course_utils.data import Stacked
from course_utils.seeds.averages import Average, Snapshots
from course_utils.seeds.measurements import BestWeights, Examples, Metric, Rows, checked
from course_utils.seeds.stacked import (
    Loss,
    Named,
    StackedNets,
    clip_per_seed,
    keeps_seeds_apart,
    mean_per_seed,
    stack,
)
from course_utils.training.arguments import check_functions
from course_utils.training.batches import minibatches, takes_labels
from course_utils.training.evaluation import check_function
from course_utils.training.stepping import TrainingDiverged, set_lr, show_weights

__all__ = ["SeedRuns", "train_seeds"]

Augment = Callable[[Tensor], Tensor] | Mixup | CutMix


@dataclass
class SeedRuns:
    """What S runs did: `steps` (K,) at which they were measured, and one row per seed of each measurement."""

    seeds: tuple[int, ...]
    steps: list[int]
    # (S, K): mean over the batches since the last measurement
    train_loss: Tensor
    # (S, K)
    validation_loss: Tensor
    # (S, K); NaN without a metric
    validation_metric: Tensor
    # (S,): the step whose weights are kept under `patience` (0: no finite loss), else the last
    stopped_at: Tensor
    nets: StackedNets = field(repr=False)
    # what `averages` has asked for
    snapshots: Snapshots | None = field(default=None, repr=False)

    def predict(self, x: Tensor | Stacked) -> Tensor:
        """Outputs of all S models in eval mode, (S, N, ...), for shared inputs (N, ...) or stacked ones."""
        return self._outputs(self.nets, x)

    def predict_kept(self, name: str, x: Tensor | Stacked) -> Tensor:
        """Outputs with the weights of each snapshot, (K, S, N, ...): of an average, or of those "live".

        Buffers are those of the end of the run.
        Raises: ValueError where there are none of this name.
        """
        kept = {} if self.snapshots is None else self.snapshots.weights
        cure = "name it in averages= of train_seeds"
        require(name in kept, f"a name among {sorted(kept)}", cure=cure, name=name)
        return torch.stack([self._outputs(self.nets.holding(weights), x) for weights in kept[name]])

    def state_dict(self, index: int) -> dict[str, Tensor]:
        """The weights and buffers of the model of `seeds[index]`, ready for `load_state_dict`."""
        tensors = self.nets.tensors()
        return {name: tensors[kept][index].detach().clone() for name, kept in self.nets.names.items()}

    @torch.no_grad()
    def _outputs(self, nets: StackedNets, x: Tensor | Stacked) -> Tensor:
        stacked = x.x if isinstance(x, Stacked) else x.expand(len(self.seeds), *x.shape)
        return nets.forward(stacked, training=False)


def train_seeds(
    make_model: Callable[[], nn.Module],
    train: Examples,
    validation: Examples | None = None,
    *,
    optimizer: Callable[[list[Tensor]], Optimizer],
    loss: Loss,
    steps: int,
    seeds: Sequence[int],
    batch_size: int | None = 32,
    metric: Metric | None = None,
    schedule: Callable[[int], float] | None = None,
    penalty: Callable[[Named], Tensor] | None = None,
    augment: Augment | None = None,
    clip_norm: float | None = None,
    averages: Mapping[str, Average] | None = None,
    measure_every: int | None = None,
    patience: int | None = None,
    diverged: str = "keep",
) -> SeedRuns:
    """Train one model per seed, all in one vectorised run.

    Seed s draws its initial weights from `torch.manual_seed(s)` and the order of its batches from a
    generator seeded with s, as one run of `fit` does that is given the same, and follows it to rounding
    error. (Dropout masks are drawn per seed too, but for all seeds together, so they are not those of `fit`.)

    Args:
        make_model: builds the model; called once per seed. All seeds run in one `torch.func.vmap`, so that a
            model with a branch on values, an LSTM, a GRU, or a lazy layer is refused.
        train, validation: (x, y) that all seeds share, or `Stacked` with examples of their own.
        optimizer: stacked parameters -> an elementwise optimizer, as `lambda p: SGD(p, lr=0.1)`, or one that
            is written for stacks: `SAMPerSeed`, `MuonPerSeed`. It is stepped with a closure, as in `fit`.
        loss: (prediction, target) -> mean loss of a batch.
        steps: optimizer steps, >= 1. An epoch that ends in between is followed by the next.
        seeds: one whole number per run.
        batch_size: examples per step and seed; None for full batches, whose order is left as it is.
        metric: reduces the last dimension of target, as `training.accuracy` does; measured on `validation`.
        schedule: step -> multiplier of the base learning rate.
        penalty: (name, stacked parameter) pairs -> a sum over entries, added to the loss of each seed.
        augment: x -> x with its own draw per example; sees the seeds' batches as one of S * b. Or `Mixup` or
            `CutMix`, which then mix within each seed.
        clip_norm: largest gradient norm of each seed, > 0.
        averages: name -> `Average`, beside the run. Then `snapshots` of the result has a copy of the weights,
            live and averaged, for each measurement.
        measure_every: steps between measurements (default: only after the last step).
        patience: keep, for each seed, the weights of its lowest validation loss, and stop it once that many
            measurements in a row are no lower. Rows go on until every seed has stopped.
        diverged: what a loss that is NaN or infinite does: "keep" goes on (the other seeds are unharmed),
            "raise" stops with `TrainingDiverged`.
    Raises: ValueError for arguments that do not fit together, and for a model or a loss that `fit` trains and
        that cannot be stacked; TrainingDiverged.
    """
    _check(
        seeds=seeds, steps=steps, measure_every=measure_every, clip_norm=clip_norm, patience=patience,
        validation=validation, diverged=diverged, loss=loss, metric=metric, penalty=penalty, augment=augment,
        schedule=schedule,
    )  # fmt: skip
    seeds = tuple(int(seed) for seed in seeds)
    x, y = checked(train, len(seeds))
    nets = stack([_seeded(make_model, seed, x.device) for seed in seeds])
    parameters = [p for _, p in nets.named_parameters()]
    rule = optimizer(parameters)
    cure = "take SAMPerSeed or MuonPerSeed of course_utils.seeds, or train seed by seed with fit"
    require(keeps_seeds_apart(rule), "an elementwise optimizer", optimizer=type(rule).__name__, cure=cure)
    objective = _Objective(nets, loss, penalty, clip_norm)
    rows = Rows(validation, loss, metric, len(seeds))
    best = None if patience is None else BestWeights(nets, patience, len(seeds))
    snapshots = None if averages is None else Snapshots(parameters, averages)
    # masks and augmentations of all seeds together
    with _draws_of(seeds[0], x.device):
        for step, batch in enumerate(islice(_batches(x, y, train, batch_size, seeds), steps), 1):
            objective.batch = batch if augment is None else _augmented(augment, *batch)
            if schedule is not None:
                set_lr(rule, schedule, step - 1)
            rule.step(objective)
            rows.seen(objective.taken_first())
            if snapshots is not None:
                snapshots.follow(step)
            if step < steps and step % (measure_every or steps) > 0:
                continue
            show_weights(rule, "eval")
            rows.measure(step, nets)
            if snapshots is not None:
                snapshots.keep(step)
            if diverged == "raise" and not bool(torch.isfinite(rows.train[-1]).all()):
                raise TrainingDiverged(f"a seed's loss is not finite at step {step}; lower the learning rate")
            if best is not None and best.stop(rows.validation[-1]):
                break
            if step < steps:
                show_weights(rule, "train")
    stopped_at = torch.full((len(seeds),), rows.steps[-1]) if best is None else best.restore(rows.steps)
    return SeedRuns(seeds, rows.steps, *rows.tensors(), stopped_at, nets, snapshots)


def _check(**given: Any) -> None:
    """Raise ValueError unless the arguments of `train_seeds`, by name, fit together."""
    seeds, steps, augment = list(given["seeds"]), given["steps"], given["augment"]
    measure_every, clip_norm, patience = given["measure_every"], given["clip_norm"], given["patience"]
    require(all(map(is_whole, seeds)), "whole numbers as seeds", seeds=seeds)
    require(len(seeds) > 0 and steps >= 1, "a seed and steps >= 1", seeds=len(seeds), steps=steps)
    require(measure_every is None or measure_every >= 1, "measure_every >= 1", measure_every=measure_every)
    require(clip_norm is None or clip_norm > 0, "clip_norm > 0", clip_norm=clip_norm)
    validated = patience is None or given["validation"] is not None
    require(validated, "validation for patience", patience=patience)
    known = given["diverged"] in ("keep", "raise")
    require(known, 'diverged="keep" or "raise"', diverged=given["diverged"])
    check_functions(given)
    cure = "pass a function of the step, as those of course_utils.schedules"
    check_function("schedule", given["schedule"], cure=cure)
    mixes = augment is None or isinstance(augment, (Mixup, CutMix)) or not takes_labels(augment)
    cure = "take Mixup or CutMix alone, or train seed by seed with fit"
    require(mixes, "an augmentation of inputs alone", cure=cure, augment=type(augment).__name__)


@dataclass
class _Objective:
    """What an optimizer's step calls, once or more: the loss of each seed on `batch`, and its gradient."""

    nets: StackedNets
    loss: Loss
    penalty: Callable[[Named], Tensor] | None
    clip_norm: float | None
    batch: tuple[Tensor, Tensor] = field(init=False)
    losses: list[Tensor] = field(default_factory=list)

    def __call__(self) -> Any:
        x, y = self.batch
        named = self.nets.named_parameters()
        for _, p in named:
            p.grad = None
        values = self.nets.losses(self.loss, x, y)
        # the gradient of the sum over seeds of the mean loss
        terms, weights = [values], [torch.full_like(values, len(values) / values.numel())]
        if self.penalty is not None:
            terms.append(self.penalty(named))
            weights.append(torch.ones_like(terms[1]))
        torch.autograd.backward(terms, weights)
        if self.clip_norm is not None:
            clip_per_seed([p for _, p in named], self.clip_norm)
        self.losses.append(mean_per_seed(values.detach()))
        return self.losses[-1]

    def taken_first(self) -> Tensor:
        """The losses (S,) where the weights were: of several, as with SAM, the first."""
        first, self.losses = self.losses[0], []
        return first


@contextmanager
def _draws_of(seed: int, device: torch.device) -> Iterator[None]:
    """torch's global draws begin at `seed`; afterwards they go on where they were."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        if device.type == "cpu":
            # torch.manual_seed goes through every kind of GPU: 0.3 ms
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)  # pragma: no cover  (a GPU's)
        yield


def _seeded(make_model: Callable[[], nn.Module], seed: int, device: torch.device) -> nn.Module:
    with _draws_of(seed, device):
        return make_model()


def _batches(
    x: Tensor, y: Tensor, train: object, batch_size: int | None, seeds: tuple[int, ...]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Minibatches (S, b, ...) without end, each seed's in an order of its own, drawn anew in every epoch."""
    if batch_size is None:
        if not isinstance(train, Stacked):
            x, y = x.expand(len(seeds), *x.shape), y.expand(len(seeds), *y.shape)
        while True:
            yield x, y
    n, first = len(x), None
    if isinstance(train, Stacked):
        # row i of seed s is row s * n + i of all
        n, x, y = x.shape[1], x.flatten(0, 1), y.flatten(0, 1)
        first = torch.arange(len(seeds))[:, None] * n
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    rows_of_x, rows_of_y = (len(seeds), -1, *x.shape[1:]), (len(seeds), -1, *y.shape[1:])
    while True:
        for order in minibatches(n, batch_size, *generators):
            index = order if first is None else order.view(first.shape[0], -1) + first
            row = index.flatten().to(x.device)  # (S * b,)
            yield x.index_select(0, row).view(rows_of_x), y.index_select(0, row).view(rows_of_y)


def _augmented(augment: Augment, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    if isinstance(augment, (Mixup, CutMix)):
        return mix_within_seeds(augment, x, y)
    # a copy: full batches are the examples themselves, and an augmentation may work in place
    return augment(x.flatten(0, 1).clone()).unflatten(0, x.shape[:2]), y
