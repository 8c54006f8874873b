"""Where does training end for each peak rate? Many rates and seeds in one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from course_utils.data import Stacked
from course_utils.seeds.rates import RatePerRun
from course_utils.seeds.stacked import Loss
from course_utils.seeds.train import train_seeds


def end_by_peak(
    make_model: Callable[[], nn.Module],
    train: Stacked,
    validation: Stacked,
    *,
    loss: Loss,
    metric: Callable[[Tensor, Tensor], Tensor],
    peaks: Sequence[float],
    seeds: Sequence[int],
    steps: int,
    schedule: Callable[[int], float],
    batch_size: int = 32,
) -> tuple[Tensor, Tensor]:
    """Validation loss and metric after `steps` steps of plain SGD, for each peak rate and each seed.

    The rate at step t is peak * schedule(t). A seed has the same split, weights and batches at every peak.

    Args:
        train, validation: examples of their own for every seed.
        peaks: R rates, >= 0.
    Returns: (S, R) each; a run that diverged may end in NaN.
    """
    count = len(peaks)
    each = torch.as_tensor(peaks, dtype=torch.float64).repeat(len(seeds))
    repeated = [Stacked(*(part.repeat_interleave(count, 0) for part in of)) for of in (train, validation)]
    runs = train_seeds(
        make_model,
        *repeated,
        optimizer=lambda params: RatePerRun(params, each),
        loss=loss,
        metric=metric,
        steps=steps,
        seeds=[seed for seed in seeds for _ in peaks],
        batch_size=batch_size,
        schedule=schedule,
    )
    shape = (len(seeds), count)
    return runs.validation_loss[:, -1].view(shape), runs.validation_metric[:, -1].view(shape)
