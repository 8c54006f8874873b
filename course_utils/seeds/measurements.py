"""What is measured of a run over many seeds as it goes, and which weights of each seed were its best."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils._checks import is_tensor, require
from course_utils.data import Stacked
from course_utils.early_stopping import Patience
from course_utils.seeds.stacked import Loss, StackedNets, over, per_seed

Examples = Stacked | tuple[Tensor, Tensor]
Metric = Callable[[Tensor, Tensor], Tensor]


def checked(examples: Examples, count: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets, if they are fit to train or to measure `count` seeds."""
    pair = isinstance(examples, (tuple, list)) and len(examples) == 2 and all(map(is_tensor, examples))
    cure = "torch.as_tensor makes one of an array; data sets and loaders are for fit"
    kind = type(examples).__name__
    stacked = isinstance(examples, Stacked)
    require(stacked or pair, "two tensors (x, y), or Stacked", cure=cure, examples=kind)
    x, y = examples
    if isinstance(examples, Stacked):
        require(len(x) == len(y) == count, "one set of examples per seed", x=len(x), y=len(y), seeds=count)
        require(x.shape[1] == y.shape[1], "as many inputs as targets", x=x.shape[1], y=y.shape[1])
    else:
        require(len(x) == len(y), "as many inputs as targets", x=len(x), y=len(y))
    # with some ignored, a mean is one over fewer than all examples
    ignored = 0 if y.is_floating_point() else int((y == -100).sum())
    require(ignored == 0, "a target for every example", ignored=ignored, cure="leave out those marked -100")
    return x, y


class Rows:
    """Measurements as they come, one (S,) tensor each."""

    def __init__(self, examples: Examples | None, loss: Loss, metric: Metric | None, count: int) -> None:
        self.examples, self.loss, self.score = examples, loss, metric
        self.nothing = torch.full((count,), torch.nan)
        self.steps: list[int] = []
        self.train: list[Tensor] = []
        self.validation: list[Tensor] = []
        self.metric: list[Tensor] = []
        self.waiting: list[Tensor] = []

    def seen(self, losses: Tensor) -> None:
        self.waiting.append(losses)

    @torch.no_grad()
    def measure(self, step: int, nets: StackedNets) -> None:
        self.steps.append(step)
        self.train.append(torch.stack(self.waiting).mean(0).cpu())
        self.waiting.clear()
        loss = metric = self.nothing
        if self.examples is not None:
            count = len(self.nothing)
            x, y = checked(self.examples, count)
            if not isinstance(self.examples, Stacked):
                x, y = x.expand(count, *x.shape), y.expand(count, *y.shape)
            prediction = nets.forward(x, training=False)
            loss = per_seed(self.loss, prediction, y).cpu()
            metric = self.score(prediction, y).cpu() if self.score else self.nothing
            # a metric may have several numbers for each seed, but not one for each example
            per_example = metric.ndim > 1 and metric.shape[1] == y.shape[1]
            each = metric.shape[:1] == self.nothing.shape and not per_example
            cure = "reduce the last dimension of target, as training.accuracy does"
            require(each, "one number of a metric for each seed", cure=cure, shape=tuple(metric.shape))
        self.validation.append(loss)
        self.metric.append(metric)

    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        return torch.stack(self.train, 1), torch.stack(self.validation, 1), torch.stack(self.metric, 1)


class BestWeights:
    """Early stopping, seed by seed: the best weights of each, until all have stopped."""

    def __init__(self, nets: StackedNets, patience: int, count: int) -> None:
        self.nets = nets
        self.rules = [Patience(patience) for _ in range(count)]
        self.kept: dict[str, Tensor] = {}

    def stop(self, losses: Tensor) -> bool:
        """Take the newest validation losses (S,); True means that every seed has stopped."""
        better = torch.tensor([rule.count(v) for rule, v in zip(self.rules, losses.tolist(), strict=True)])
        for name, tensor in self.nets.tensors().items():
            live = tensor.detach()
            self.kept[name] = torch.where(over(better.to(live.device), live), live, self.kept.get(name, live))
        return all(rule.stopped for rule in self.rules)

    @torch.no_grad()
    def restore(self, steps: list[int]) -> Tensor:
        """Put the best weights back; the step (S,) of each, 0 for a seed without a finite loss."""
        for name, tensor in self.nets.tensors().items():
            tensor.copy_(self.kept[name])
        best = [rule.best_step for rule in self.rules]
        return torch.tensor([0 if measured is None else steps[measured] for measured in best])
