"""Several runs that part from one: the same weights up to some step, then batches of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from course_utils._checks import require
from course_utils.data import Splits, Stacked
from course_utils.seeds.stacked import StackedNets
from course_utils.seeds.train import SeedRuns, train_seeds
from course_utils.training import accuracy


def train_branches(
    make_model: Callable[[], nn.Module],
    train: Stacked,
    *,
    seeds: Sequence[int],
    count: int,
    shared: int | None,
    steps: int,
    **options: Any,
) -> SeedRuns:
    """Train `count` nets a seed that are one net for the first `shared` steps.

        runs = train_branches(make_model, split.train, seeds=seeds, count=4, shared=0, steps=300,
                              optimizer=lambda p: SGD(p, lr=0.01), loss=F.cross_entropy)

    The branches of a seed see its examples, each in an order of its own. After the shared steps the
    optimizer begins anew, without velocity.

    Args:
        train: examples of their own for every seed.
        count: branches a seed, >= 1.
        shared: steps in common, >= 0 and < steps; at 0 they share the initial weights. None: nothing.
        steps: of each branch, the shared ones among them.
        options: `optimizer`, `loss` and what else `train_seeds` takes, no functions of the step among them.
    Returns: the runs, `count` of the first seed, then those of the next.
    Raises: ValueError for numbers out of range.
    """
    require(count >= 1, "count >= 1", count=count)
    require(shared is None or 0 <= shared < steps, "0 <= shared < steps, or None", shared=shared, steps=steps)
    orders = [1_000_000 + seed * count + k for seed in seeds for k in range(count)]
    every = Stacked(*(part.repeat_interleave(count, 0) for part in train))
    if shared is None:
        return train_seeds(make_model, every, seeds=orders, steps=steps, **options)
    starts = []
    trunk = train_seeds(make_model, train, seeds=seeds, steps=shared, **options) if shared else None
    for index, seed in enumerate(seeds):
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(seed)
            starts.append(make_model())
        if trunk is not None:
            starts[-1].load_state_dict(trunk.state_dict(index))
    begun = iter([net for net in starts for _ in range(count)])
    return train_seeds(lambda: next(begun), every, seeds=orders, steps=steps - shared, **options)


def mean_weights(runs: SeedRuns, count: int) -> StackedNets:
    """The nets whose weights are the means of `count` runs in a row: a net for each seed of `train_branches`.

    Raises: ValueError unless `count` divides the number of runs.
    """
    return _mean(runs, count, [p.detach() for _, p in runs.nets.named_parameters()])


def matched_weights(runs: SeedRuns, count: int) -> StackedNets:
    """As `mean_weights`, after the hidden units of each net were renumbered to fit those of the first.

        order of the units = the one with the largest <w, w_first>, w their weights in and out and their bias

    A net computes the same function in any order. For nets with one hidden layer and biases.

    Raises: ValueError for other nets, and as `mean_weights`.
    Source: Ainsworth, Hayase, Srinivasa (2023), Git Re-Basin: weight matching, here one assignment problem.
    """
    parameters = [p.detach().clone() for _, p in runs.nets.named_parameters()]
    require(len(parameters) == 4, "one hidden layer with biases", parameters=len(parameters))
    into, bias, out, _ = parameters
    units = torch.cat([into, bias[..., None], out.mT], -1)
    for run in range(len(units)):
        fit = units[run - run % count] @ units[run].mT
        order = torch.from_numpy(linear_sum_assignment(fit.cpu().numpy(), maximize=True)[1]).to(into.device)
        into[run], bias[run], out[run] = into[run, order], bias[run, order], out[run][:, order]
    return _mean(runs, count, parameters)


def _mean(runs: SeedRuns, count: int, parameters: list[Tensor]) -> StackedNets:
    require(len(runs.seeds) % count == 0, "count runs for each seed", count=count, runs=len(runs.seeds))
    nets: StackedNets = runs.nets.holding([p.unflatten(0, (-1, count)).mean(1) for p in parameters])
    return nets


def soups(
    make_model: Callable[[], nn.Module], splits: Splits, *, count: int, **options: Any
) -> dict[str, Tensor]:
    """Validation accuracies (S,) of `count` branches a seed: of one net, and of three kinds of mean.

        one net            the mean over the branches of their accuracies
        mean predictions   of the mean of their probabilities: `count` passes
        mean weights       of the net whose weights are the mean of theirs: one pass
        units matched      the same, after `matched_weights` has renumbered their units

    Args: make_model: builds a net with one hidden layer and biases. options: as for `train_branches`.
    """
    runs = train_branches(make_model, splits.train, count=count, **options)
    x, y = splits.validation
    with torch.no_grad():
        each = runs.nets.forward(x.repeat_interleave(count, 0), training=False).unflatten(0, (-1, count))
        mean = mean_weights(runs, count).forward(x, training=False)
        matched = matched_weights(runs, count).forward(x, training=False)
    return {
        "one net": (each.argmax(-1) == y[:, None]).double().mean((1, 2)),
        "mean predictions": accuracy(each.softmax(-1).mean(1), y).double(),
        "mean weights": accuracy(mean, y).double(),
        "units matched": accuracy(matched, y).double(),
    }
