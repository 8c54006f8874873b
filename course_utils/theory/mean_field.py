"""What a very wide layer does to the mean square of its sums, and of the gradients at them.

    q[0] = gain**2,    q[l + 1] = gain**2 E phi(z)**2,     z normal with variance q[l]
    c[-1] = 1,         c[l] = gain**2 E phi'(z)**2 c[l + 1]

for weights of standard deviation gain / sqrt(fan_in), layers of one width, and inputs of mean square 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_utils._checks import require

_NODE, _WEIGHT = (torch.from_numpy(part) for part in np.polynomial.hermite_e.hermegauss(100))


class Signal(NamedTuple):
    """Mean squares by layer, (L,) each: of the sums, and of the gradients at them over those of the last."""

    forward: Tensor
    back: Tensor


def signal(activation: Callable[[Tensor], Tensor], gain: float, layers: int) -> Signal:
    """The mean squares that one activation and one gain lead to, in the limit of very many units.

    The means over z are sums over a hundred nodes (Gauss and Hermite): exact for polynomials, for ReLU by
    symmetry, and to far more digits than any net shows for tanh.

    Args:
        activation: entry by entry, differentiable, as `torch.tanh`.
        gain: > 0, times 1 / sqrt(fan_in) the weights' standard deviation.
        layers: >= 1.
    Raises: ValueError if a number is out of range.
    Source: Poole et al. (2016) forward, Schoenholz et al. (2017) back; here without biases.

    >>> signal(torch.relu, 2**0.5, 3).forward
    tensor([2., 2., 2.], dtype=torch.float64)
    """
    require(gain > 0 and layers >= 1, "gain > 0 and layers >= 1", gain=gain, layers=layers)
    forward, factors = [torch.tensor(gain**2, dtype=torch.float64)], []
    for _ in range(layers):
        z = (forward[-1].sqrt() * _NODE).requires_grad_()
        out = activation(z)
        (slope,) = torch.autograd.grad(out.sum(), z)
        forward.append(gain**2 * _mean(out.detach() ** 2))
        factors.append(gain**2 * _mean(slope**2))
    back = torch.stack([*factors[:-1], torch.ones((), dtype=torch.float64)])
    return Signal(torch.stack(forward[:-1]), back.flip(0).cumprod(0).flip(0))


def _mean(values: Tensor) -> Tensor:
    return (_WEIGHT * values).sum() / _WEIGHT.sum()
