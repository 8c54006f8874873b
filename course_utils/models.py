"""The nets that experiments train: small ones, built by one call, so that seeds can be stacked.

he_net    dense, ReLU, He's initial weights
net       one hidden layer, with dropout and normalisation where they are asked for
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

from course_utils._checks import require
from course_utils.layers import Dropout

HIDDEN = 64


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


def net(
    inputs: int,
    *,
    hidden: int = HIDDEN,
    classes: int = 10,
    dropout: float = 0.0,
    norm: Callable[[int], nn.Module] | None = None,
) -> nn.Sequential:
    """inputs -> hidden -> classes with ReLU; dropout and normalisation on the hidden layer."""
    between = [] if norm is None else [norm(hidden)]
    after = [] if dropout == 0 else [Dropout(dropout)]
    return nn.Sequential(
        nn.Flatten(), nn.Linear(inputs, hidden), *between, nn.ReLU(), *after, nn.Linear(hidden, classes)
    )
