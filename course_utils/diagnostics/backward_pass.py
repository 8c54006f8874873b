"""The gradients on the way of one backward pass."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from course_utils._checks import require


def gradients_by_place(
    net: nn.Sequential, x: Tensor, y: Tensor, *, loss: Callable[[Tensor, Tensor], Tensor]
) -> dict[str, Tensor]:
    """The gradient of the loss at the outputs, at what the last layer is given, and at all parameters.

    Args:
        net: two layers or more; the last one's input is called "hidden".
    Shape: "outputs" as the net's, "hidden" as the last layer's input, "weights" flat, in order.
    Raises: ValueError for a net of one layer.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> found = gradients_by_place(net, torch.ones(4, 2), torch.ones(4, 1), loss=nn.functional.mse_loss)
        >>> {place: tuple(g.shape) for place, g in found.items()}
        {'outputs': (4, 1), 'hidden': (4, 3), 'weights': (13,)}
    """
    require(len(net) >= 2, "a net of two layers or more", layers=len(net))
    hidden = net[:-1](x)
    outputs = net[-1](hidden)
    g = torch.autograd.grad(loss(outputs, y), [outputs, hidden, *net.parameters()])
    return {"outputs": g[0], "hidden": g[1], "weights": torch.cat([one.flatten() for one in g[2:]])}
