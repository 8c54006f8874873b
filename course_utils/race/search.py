"""A pool of learning rates, trained once, to look at every search that could be made of it.

pool = lr_pool(task, lrs, seeds, kind=partial(SGD, momentum=0.9), measure_every=10)
tried = torch.randperm(len(lrs))[:8]                             # a search of 8 trials ...
best = tried[pool.validation[:6, tried, -1].mean(0).argmax()]    # ... chooses by six seeds
pool.test[6:, best]                                              # ... and reports on the others
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

from course_utils.optimizers.base import Optimizer
from course_utils.race.recipe import Task
from course_utils.seeds.rates import sweep_lrs
from course_utils.training import accuracy


class Pool(NamedTuple):
    """What each of R learning rates did with each of S seeds.

    Attributes:
        steps: the K step counts at which validation was measured; the last is the end.
        validation: (S, R, K), accuracy on each seed's own validation examples, float64.
        right: (S, R, N), whether each test example was answered rightly at the end, as 0.0 and 1.0, float64;
            the N test examples are the same for all.
    """

    steps: list[int]
    validation: Tensor
    right: Tensor

    @property
    def test(self) -> Tensor:
        """(S, R), accuracy on the test examples."""
        return self.right.mean(-1)


def lr_pool(
    task: Task,
    lrs: Sequence[float] | Tensor,
    seeds: Sequence[int],
    *,
    kind: Callable[..., Optimizer] | None = None,
    measure_every: int | None = None,
) -> Pool:
    """`task`, a classification, with each learning rate and each seed, all in one vectorised run.

    Args:
        lrs: (R,), >= 0, constant over the run; at each a seed has the same split, weights and batches.
        kind: an optimizer as `lr_per_run` takes it; None is plain SGD.
        measure_every: steps between two measurements; None measures at the end alone.
    """
    splits = task.data().splits(seeds, **task.split)
    sweep = sweep_lrs(
        task.make_model,
        splits.train,
        splits.validation,
        lrs=lrs,
        seeds=seeds,
        kind=kind,
        steps=task.steps,
        batch_size=task.batch_size,
        loss=task.loss,
        metric=accuracy,
        measure_every=task.steps if measure_every is None else measure_every,
    )
    # (S, R, N)
    answers = sweep.predict(splits.test).argmax(-1)
    right = (answers == splits.test.y[:, None]).double()
    return Pool(sweep.steps, sweep.validation_metric.double(), right)
