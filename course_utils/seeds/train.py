"""Train many seeds at once: one model, S copies of its parameters, one run.

An elementwise optimizer on parameters stacked as (S, ...) is exactly S optimizers, because no entry of a
step depends on another. So the S runs differ only in what is drawn (split, initial weights, order of the
batches, dropout masks), and one set of tensor operations carries them all. That pays for small dense nets,
where the time goes to launching operations; a convolution of S models costs S times one, so for
convolutional nets use `each_seed`, which runs them side by side in processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils._checks import require
from course_utils.augmentation import CutMix, Mixup, mix_within_seeds
from course_utils.data import Stacked
from course_utils.intervals import paired_interval
from course_utils.seeds.stacked import Loss, Named, StackedNets, clip_per_seed, per_seed, stack
from course_utils.training.batches import minibatches
from course_utils.training.stepping import TrainingDiverged, set_lr, show_weights

__all__ = ["SeedRuns", "Stacked", "each_seed", "paired_interval", "train_seeds"]

T = TypeVar("T")

# torch's optimizers whose step mixes the entries of a parameter; ours say so themselves.
_MIXES_ENTRIES = (torch.optim.Adafactor, torch.optim.LBFGS, torch.optim.Muon)


@dataclass
class SeedRuns:
    """What S runs did: `steps` (K,) at which they were measured, and one row per seed of each measurement."""

    seeds: tuple[int, ...]
    steps: list[int]
    train_loss: Tensor  # (S, K): mean over the batches since the last measurement
    validation_loss: Tensor  # (S, K)
    validation_metric: Tensor  # (S, K); NaN without a metric
    stopped_at: (
        Tensor  # (S,): the step whose weights are kept under `patience` (0: no finite loss), else the last
    )
    nets: StackedNets = field(repr=False)

    def predict(self, x: Tensor | Stacked) -> Tensor:
        """Outputs of all S models in eval mode, (S, N, ...), for shared inputs (N, ...) or stacked ones."""
        with torch.no_grad():
            shared = x.x if isinstance(x, Stacked) else x.expand(len(self.seeds), *x.shape)
            return self.nets.forward(shared, training=False)

    def state_dict(self, index: int) -> dict[str, Tensor]:
        """The weights and buffers of the model of `seeds[index]`, ready for `load_state_dict`."""
        return {name: tensor[index].detach().clone() for name, tensor in self.nets.tensors().items()}


def train_seeds(
    make_model: Callable[[], nn.Module],
    train: Stacked | tuple[Tensor, Tensor],
    validation: Stacked | tuple[Tensor, Tensor] | None = None,
    *,
    optimizer: Callable[[list[Tensor]], Optimizer],
    loss: Loss,
    steps: int,
    seeds: Sequence[int],
    batch_size: int | None = 32,
    metric: Callable[[Tensor, Tensor], Tensor] | None = None,
    schedule: Callable[[int], float] | None = None,
    penalty: Callable[[Named], Tensor] | None = None,
    augment: Callable[[Tensor], Tensor] | Mixup | CutMix | None = None,
    clip_norm: float | None = None,
    measure_every: int | None = None,
    patience: int | None = None,
    diverged: str = "keep",
) -> SeedRuns:
    """Train one model per seed, all in one vectorised run.

    Seed s draws its initial weights from `torch.manual_seed(s)` and the order of its batches from a
    generator seeded with s, as one run of `fit` does that is given the same, and follows it to rounding
    error. (Dropout masks are drawn per seed too, but for all seeds together, so they are not those of `fit`.)

    Args:
        make_model: builds the model; called once per seed.
        train, validation: (x, y) that all seeds share, or `Stacked` with examples of their own.
        optimizer: stacked parameters -> an elementwise optimizer, as `lambda p: SGD(p, lr=0.1)`.
        loss: (prediction, target) -> mean loss of a batch.
        steps: optimizer steps, >= 1. An epoch that ends in between is followed by the next.
        seeds: one whole number per run.
        batch_size: examples per step and seed; None for full batches.
        metric: reduces the last dimension of target, as `training.accuracy` does; measured on `validation`.
        schedule: step -> multiplier of the base rate.
        penalty: (name, stacked parameter) pairs -> a sum over entries, added to the loss of each seed.
        augment: x -> x with its own draw per example; sees the seeds' batches as one of S * b. Or `Mixup` or
            `CutMix`, which then mix within each seed.
        clip_norm: largest gradient norm of each seed, > 0.
        measure_every: steps between measurements (default: only after the last step).
        patience: keep, for each seed, the weights of its lowest validation loss, and stop it once that many
            measurements in a row are no lower. Rows go on until every seed has stopped.
        diverged: what a loss that is NaN or infinite does: "keep" goes on (the other seeds are unharmed),
            "raise" stops with `TrainingDiverged`.
    Raises: ValueError for arguments that do not fit together; TrainingDiverged.
    """
    seeds = tuple(seeds)
    require(len(seeds) > 0 and steps >= 1, "a seed and steps >= 1", seeds=len(seeds), steps=steps)
    require(measure_every is None or measure_every >= 1, "measure_every >= 1", measure_every=measure_every)
    require(clip_norm is None or clip_norm > 0, "clip_norm > 0", clip_norm=clip_norm)
    require(patience is None or validation is not None, "validation for patience", patience=patience)
    require(diverged in ("keep", "raise"), 'diverged="keep" or "raise"', diverged=diverged)
    x, y = _checked(train, len(seeds))
    nets = stack([_seeded(make_model, seed, x.device) for seed in seeds])
    parameters = [p for _, p in nets.named_parameters()]
    step_rule = optimizer(parameters)
    elementwise = getattr(step_rule, "elementwise", not isinstance(step_rule, _MIXES_ENTRIES))
    cure = "train seed by seed with each_seed"
    require(elementwise, "an elementwise optimizer", optimizer=type(step_rule).__name__, cure=cure)
    measure_every = steps if measure_every is None else measure_every
    keeper = _Keeper(nets, patience, len(seeds))
    rows = _Rows()
    with _draws_of(seeds[0], x.device):  # masks and augmentations of all seeds together
        for step, (bx, by) in zip(range(steps), _batches(x, y, train, batch_size, seeds), strict=False):
            if augment is not None:
                bx, by = _augmented(augment, bx, by)
            for p in parameters:
                p.grad = None
            values = per_seed(loss, nets.forward(bx, training=True), by)
            terms = [values] if penalty is None else [values, penalty(nets.named_parameters())]
            torch.autograd.backward(terms, [torch.ones_like(term) for term in terms])  # of their sum
            if clip_norm is not None:
                clip_per_seed(parameters, clip_norm)
            if schedule is not None:
                set_lr(step_rule, schedule, step)
            step_rule.step()
            rows.seen(values.detach())
            if (step + 1) % measure_every == 0 or step + 1 == steps:
                show_weights(step_rule, "eval")
                rows.measure(step + 1, *_measure(nets, validation, loss, metric, len(seeds)))
                if diverged == "raise" and not bool(torch.isfinite(rows.last).all()):
                    raise TrainingDiverged(f"a seed's loss is not finite at step {step + 1}; lower the rate")
                if keeper.stop(step + 1, rows.validation[-1]) or step + 1 == steps:
                    break
                show_weights(step_rule, "train")
    keeper.restore()
    stopped_at = keeper.best_step if patience is not None else torch.full((len(seeds),), rows.steps[-1])
    return SeedRuns(seeds, rows.steps, *rows.tensors(), stopped_at, nets)


def each_seed(run: Callable[[int], T], seeds: Sequence[int], *, workers: int = 1) -> list[T]:
    """`run(seed)` for each seed, in `workers` processes of one thread each; for nets that do not stack.

    Returns: the results in the order of `seeds`.
    """
    from joblib import Parallel, delayed  # only this function needs it

    require(workers >= 1, "workers >= 1", workers=workers)
    if workers == 1:
        return [run(seed) for seed in seeds]
    return list(Parallel(n_jobs=workers)(delayed(_one_thread)(run, seed) for seed in seeds))


def _one_thread(run: Callable[[int], T], seed: int) -> T:
    torch.set_num_threads(1)
    return run(seed)


@contextmanager
def _draws_of(seed: int, device: torch.device) -> Iterator[None]:
    """torch's global draws begin at `seed`; afterwards they go on where they were."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        if device.type == "cpu":  # torch.manual_seed goes through every kind of GPU: 0.3 ms
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)  # pragma: no cover  (a GPU's)
        yield


def _seeded(make_model: Callable[[], nn.Module], seed: int, device: torch.device) -> nn.Module:
    with _draws_of(seed, device):
        return make_model()


def _checked(examples: Stacked | tuple[Tensor, Tensor], count: int) -> tuple[Tensor, Tensor]:
    x, y = examples
    if isinstance(examples, Stacked):
        require(len(x) == len(y) == count, "one set of examples per seed", x=len(x), y=len(y), seeds=count)
        require(x.shape[1] == y.shape[1], "as many inputs as targets", x=x.shape[1], y=y.shape[1])
    else:
        require(len(x) == len(y), "as many inputs as targets", x=len(x), y=len(y))
    ignored = 0 if y.is_floating_point() else int((y == -100).sum())  # a mean over fewer than all examples
    require(ignored == 0, "a target for every example", ignored=ignored, cure="leave out those marked -100")
    return x, y


def _batches(
    x: Tensor, y: Tensor, train: object, batch_size: int | None, seeds: tuple[int, ...]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Minibatches (S, b, ...) without end, each seed's in an order of its own, drawn anew in every epoch."""
    n, first = len(x), torch.zeros(1, 1, dtype=torch.int64)
    if isinstance(train, Stacked):  # row i of seed s is row s * n + i of all
        n, x, y = x.shape[1], x.flatten(0, 1), y.flatten(0, 1)
        first = torch.arange(len(seeds))[:, None] * n
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    while True:
        for order in minibatches(n, n if batch_size is None else batch_size, *generators):
            index = (order.view(len(seeds), -1) + first).to(x.device)  # (S, b)
            row = index.flatten()
            yield (
                x.index_select(0, row).view(*index.shape, *x.shape[1:]),
                y.index_select(0, row).view(*index.shape, *y.shape[1:]),
            )


def _augmented(
    augment: Callable[[Tensor], Tensor] | Mixup | CutMix, x: Tensor, y: Tensor
) -> tuple[Tensor, Tensor]:
    if isinstance(augment, (Mixup, CutMix)):
        return mix_within_seeds(augment, x, y)
    return augment(x.flatten(0, 1)).unflatten(0, x.shape[:2]), y


@torch.no_grad()
def _measure(
    nets: StackedNets,
    validation: Stacked | tuple[Tensor, Tensor] | None,
    loss: Loss,
    metric: Callable[[Tensor, Tensor], Tensor] | None,
    count: int,
) -> tuple[Tensor, Tensor]:
    nothing = torch.full((count,), torch.nan)
    if validation is None:
        return nothing, nothing
    x, y = _checked(validation, count)
    if not isinstance(validation, Stacked):
        x, y = x.expand(count, *x.shape), y.expand(count, *y.shape)
    prediction = nets.forward(x, training=False)
    measured = metric(prediction, y) if metric else nothing
    return per_seed(loss, prediction, y).cpu(), measured.cpu()


class _Rows:
    """Measurements as they come, one (S,) tensor each."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.train: list[Tensor] = []
        self.validation: list[Tensor] = []
        self.metric: list[Tensor] = []
        self.waiting: list[Tensor] = []

    def seen(self, values: Tensor) -> None:
        self.waiting.append(values)

    def measure(self, step: int, validation: Tensor, metric: Tensor) -> None:
        self.last = torch.stack(self.waiting).mean(0).cpu()
        self.steps.append(step)
        self.train.append(self.last)
        self.validation.append(validation)
        self.metric.append(metric)
        self.waiting.clear()

    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        return torch.stack(self.train, 1), torch.stack(self.validation, 1), torch.stack(self.metric, 1)


class _Keeper:
    """Early stopping, seed by seed: the best weights of each, and which have stopped."""

    def __init__(self, nets: StackedNets, patience: int | None, count: int) -> None:
        require(patience is None or patience >= 1, "patience >= 1", patience=patience)
        self.nets, self.patience = nets, patience
        self.best = torch.full((count,), torch.inf)
        self.best_step = torch.zeros(count, dtype=torch.int64)
        self.waited = torch.zeros(count, dtype=torch.int64)
        self.kept: dict[str, Tensor] = {}

    def stop(self, step: int, value: Tensor) -> bool:
        if self.patience is None:
            return False
        running = self.waited < self.patience
        better = running & (value < self.best)  # NaN is never better
        self.best = torch.where(better, value.to(self.best.dtype), self.best)
        self.best_step[better] = step
        self.waited = torch.where(better, 0, self.waited + running.long())
        for name, tensor in self.nets.tensors().items():
            chosen = better.to(tensor.device).view(-1, *[1] * (tensor.ndim - 1))
            self.kept[name] = torch.where(chosen, tensor.detach(), self.kept.get(name, tensor.detach()))
        return bool((self.waited >= self.patience).all())

    def restore(self) -> None:
        with torch.no_grad():
            for name, tensor in self.nets.tensors().items() if self.kept else ():
                tensor.copy_(self.kept[name])
