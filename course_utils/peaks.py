"""Where does training end for each peak rate? Many rates and seeds in one run, and nets to try them on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from course_utils._checks import require
from course_utils._stacked import Loss
from course_utils.data import Stacked
from course_utils.seeds import train_seeds
from course_utils.sweeps import RatePerRun


def he_net(*widths: int, gain: float = 1.0) -> nn.Sequential:
    """A dense ReLU net with normal weights of He's size times `gain`, and zero biases.

        W ~ gain * sqrt(2 / fan_in) * N(0, 1)

    Args:
        widths: of the input, the hidden layers and the output, two or more.
        gain: > 0. At 1 the activations keep their size from layer to layer; above, they grow.
    Raises: ValueError for fewer than two widths, or a gain that is not positive.
    Source: He, Zhang, Ren & Sun (2015), equation 10.
    """
    require(len(widths) >= 2, "two widths or more", widths=widths)
    require(gain > 0, "gain > 0", gain=gain)
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        with torch.no_grad():
            linear.weight.mul_(gain)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


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
