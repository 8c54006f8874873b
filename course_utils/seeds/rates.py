"""Learning-rate sweeps: many learning rates and many seeds in one vectorised run.

sweep = sweep_lrs(make_model, train, validation, lrs=(0.1, 0.3, 1.0), seeds=range(24),
                  loss=F.cross_entropy, steps=300, metric=accuracy, measure_every=10)
sweep.last_loss                       # (24, 3), where each run ended
sweep.steps_to_loss(0.2)              # how long each took
sweep.largest_lr(at_least=0.7)        # how large the learning rate of each seed may be
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from course_utils._checks import require
from course_utils.data import Stacked
from course_utils.optimizers.base import Group, Optimizer, State, at_least_zero
from course_utils.seeds.averages import per_example
from course_utils.seeds.stacked import over
from course_utils.seeds.train import SeedRuns, train_seeds


class LRPerRun(Optimizer):
    """Plain SGD on stacked parameters (S, ...), with a learning rate of its own for each of the S runs.

        p[s] <- p[s] - lr * lrs[s] * g[s]      lr: 1, and what a schedule makes of it
        p    <- p    - lr * g                  in a group with "lrs": None

    Args: lrs: (S,), >= 0; of the groups that bring none of their own.
    Raises: ValueError if a learning rate is negative.
    """

    def __init__(self, params: Any, lrs: Tensor) -> None:
        super().__init__(params, {"lr": 1.0, "lrs": lrs})

    def check(self, group: Group) -> None:
        at_least_zero(group, "lr")
        lowest = 0.0 if group["lrs"] is None else float(group["lrs"].min())
        require(lowest >= 0, "lrs >= 0", lowest=lowest)

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        lrs = group["lrs"]
        p.sub_(g if lrs is None else over(lrs.to(p), p) * g, alpha=group["lr"])


def lr_per_run(kind: Callable[..., Optimizer], lrs: Tensor) -> Callable[[list[Tensor]], Optimizer]:
    """Stacked parameters (S, ...) -> an optimizer like `kind`, with a learning rate of its own for each run.

        p[s] <- p[s] + lrs[s] * (step of `kind` at lr = 1)

    Args:
        kind: an elementwise optimizer of this package whose steps are proportional to its `lr`, as
            `Adam` or `partial(SGD, momentum=0.9)`.
        lrs: (S,), >= 0.
    Raises: ValueError if a learning rate is negative.
    """
    require(bool((lrs >= 0).all()), "lrs >= 0", lowest=float(lrs.min()))

    def make(params: list[Tensor]) -> Optimizer:
        optimizer = kind(params, lr=1.0)
        plain = optimizer.update

        def update(p: Tensor, g: Tensor, state: State, group: Group) -> None:
            before = p.clone()
            plain(p, g, state, group)
            p.sub_(before).mul_(over(lrs.to(p), p)).add_(before)

        optimizer.update = update  # type: ignore[method-assign]  # of this optimizer alone
        return optimizer

    return make


@dataclass(frozen=True)
class LRSweep:
    """What S seeds did at each of R learning rates, measured at `steps` (K,).

    Attributes:
        lrs: (R,), float64.
        train_loss, validation_loss, validation_metric: (S, R, K), as those of `train_seeds`.
        runs: the R * S runs, learning rate by learning rate.
    """

    lrs: Tensor
    steps: list[int]
    train_loss: Tensor
    validation_loss: Tensor
    validation_metric: Tensor
    runs: SeedRuns = field(repr=False)

    @property
    def last_loss(self) -> Tensor:
        """Validation loss (S, R) after the last step; a run that diverged may end in NaN."""
        return self.validation_loss[..., -1]

    @property
    def last_metric(self) -> Tensor:
        """Validation metric (S, R) after the last step."""
        return self.validation_metric[..., -1]

    def steps_to_loss(self, target: float) -> Tensor:
        """Steps (S, R), float64, to a validation loss of at most `target`, as they were measured.

        A run that has not arrived counts with all its steps.
        """
        arrived = self.validation_loss <= target  # NaN is not
        steps = torch.tensor(self.steps, dtype=torch.float64)
        return torch.where(arrived.any(-1), steps[arrived.long().argmax(-1)], steps[-1])

    def largest_lr(self, *, at_least: float) -> Tensor:
        """The largest learning rate (S,) with a last metric of `at_least`; 0 where there is none."""
        reached = self.last_metric >= at_least  # NaN does not
        return (self.lrs * reached).amax(1)

    def predict(self, x: Stacked) -> Tensor:
        """Outputs (S, R, N, ...) for each seed's own inputs."""
        return self._by_seed(self.runs.predict(for_each(len(self.lrs), x)))

    def kept(self, name: str, examples: Stacked) -> tuple[Tensor, Tensor]:
        """Which examples are right (1.0 or 0.0) and their cross-entropies, with the weights of each snapshot.

        Args: name: of an average, or "live". examples: with classes, of their own for every seed.
        Returns: (S, R, K, N) each.
        Raises: ValueError where there are no snapshots of this name.
        """
        every = for_each(len(self.lrs), examples)
        right, losses = per_example(self.runs.predict_kept(name, every), every.y)
        return self._by_seed(right), self._by_seed(losses)

    def parameters(self) -> dict[str, Tensor]:
        """name -> the parameters after the last step, (S, R, ...)."""
        return {name: self._by_seed(p.detach()) for name, p in self.runs.nets.named_parameters()}

    def _by_seed(self, values: Tensor) -> Tensor:
        return by_seed(values, len(self.lrs))


def sweep_lrs(
    make_model: Callable[[], nn.Module],
    train: Stacked,
    validation: Stacked | None = None,
    *,
    lrs: Sequence[float] | Tensor,
    seeds: Sequence[int],
    only: Sequence[str] | None = None,
    beside: Mapping[str, Sequence[float] | Tensor] | None = None,
    rest_lr: float = 0.1,
    kind: Callable[..., Optimizer] | None = None,
    per_run: Callable[[Tensor], Callable[[list[Tensor]], Any]] | None = None,
    **options: Any,
) -> LRSweep:
    """Train at each of R learning rates, for each of S seeds, all in one run: with plain SGD, or as asked.

    At each learning rate a seed has the same split, initial weights and batches. A run that diverges goes on.

    Args:
        train, validation: examples of their own for every seed.
        lrs: (R,), >= 0; under a schedule, what it multiplies.
        only: names of the parameters that get them; all by default.
        beside: name of a parameter -> learning rates (R,) of its own: run r has lrs[r] and, there, the r-th
            of these.
        rest_lr: learning rate of the parameters that are in neither.
        kind: another optimizer, as `lr_per_run` takes it; not together with `only` or `beside`.
        per_run: any other: (R * S,) rates -> what `train_seeds` takes as `optimizer`; alone.
        options: `loss`, `steps` and what else `train_seeds` takes.
    Raises: ValueError where `only` or `beside` names no parameter of the model or comes with `kind`, and
        where `beside` has not R learning rates; and as `train_seeds`.
    """
    own = {name: torch.as_tensor(values, dtype=torch.float64) for name, values in (beside or {}).items()}
    require(kind is None or (only is None and not own), "only or kind, not both", only=only, beside=list(own))
    alone = per_run is None or (kind is None and only is None and not own)
    require(alone, "per_run without only, beside and kind", only=only, beside=list(own), kind=kind)
    lrs = torch.as_tensor(lrs, dtype=torch.float64)
    # the model is built for its names alone
    with torch.random.fork_rng([]):
        names = [name for name, _ in make_model().named_parameters()]
    chosen = set(names if only is None else only) - set(own)
    unknown = sorted((chosen | set(own)) - set(names))
    require(not unknown, f"names among {', '.join(names)}", only=unknown)
    for name, values in own.items():
        require(
            values.shape == lrs.shape, "a learning rate beside each", name=name, shape=tuple(values.shape)
        )
    each = lrs.repeat_interleave(len(seeds))

    def optimizer(params: list[Tensor]) -> LRPerRun:
        of_name = dict(zip(names, params, strict=True))
        swept = [p for name, p in of_name.items() if name in chosen]
        rest = [p for name, p in of_name.items() if name not in chosen and name not in own]
        groups = [{"params": [of_name[k]], "lrs": v.repeat_interleave(len(seeds))} for k, v in own.items()]
        groups += [{"params": swept, "lrs": each}] if swept else []
        groups += [{"params": rest, "lrs": None, "lr": rest_lr}] if rest else []
        return LRPerRun(groups, each)

    made: Callable[[list[Tensor]], Any] = optimizer if kind is None else lr_per_run(kind, each)
    if per_run is not None:
        made = per_run(each)
    runs = train_seeds(
        make_model,
        for_each(len(lrs), train),
        None if validation is None else for_each(len(lrs), validation),
        optimizer=made,
        seeds=[seed for _ in lrs for seed in seeds],
        **options,
    )
    return LRSweep(
        lrs,
        runs.steps,
        by_seed(runs.train_loss, len(lrs)),
        by_seed(runs.validation_loss, len(lrs)),
        by_seed(runs.validation_metric, len(lrs)),
        runs,
    )


def best_and_failing(lrs: Sequence[float] | Tensor, losses: Tensor, *, below: float) -> tuple[float, float]:
    """The rate whose worst run is best, and the lowest rate above it at which a run failed.

        best = argmin_r max_s losses[s, r],    a run fails unless its loss < `below`

    Runs at low rates that have not come far are no failures: only rates above the best are looked at. Where
    the best fails as well, it is itself the second.

    Args:
        lrs: (R,), rising. losses: (S, R); NaN is a run that failed.
        below: the loss that a run must go below, as half the loss of a guess.
    Returns: the two rates; the second is infinite where no run fails.
    Raises: ValueError unless there is a loss for each rate, and rates rise.
    """
    lrs = torch.as_tensor(lrs, dtype=torch.float64)
    rising = lrs.ndim == 1 and bool((lrs.diff() > 0).all())
    require(
        rising and losses.shape[1:] == lrs.shape, "a column of losses for each rising rate", lrs=lrs.tolist()
    )
    worst = losses.nan_to_num(torch.inf).amax(0)
    best = int(worst.argmin())
    failing = lrs[best:][~(worst[best:] < below)]
    return float(lrs[best]), float(failing[0]) if len(failing) else math.inf


def for_each(count: int, examples: Stacked) -> Stacked:
    """The examples of all seeds, `count` times: run i * S + s is that of learning rate i and seed s."""
    return Stacked(*(part.repeat(count, *[1] * (part.ndim - 1)) for part in examples))


def by_seed(values: Tensor, count: int) -> Tensor:
    """(R * S, ...) as (S, R, ...)."""
    return values.view(count, -1, *values.shape[1:]).transpose(0, 1).contiguous()
