"""First weights: Xavier's and He's, normal and uniform, written in place.

All are of mean 0. What differs is the variance, and which of a layer's two sizes it is divided by:

    Xavier    gain**2 * 2 / (fan_in + fan_out)
    He        gain**2 / fan_in, or / fan_out with mode="fan_out"

A uniform draw from (-a, a) has variance a**2 / 3, so its bound is sqrt(3) times the standard deviation.
With the same generator the numbers are those of `torch.nn.init`, bit for bit.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from course_utils._checks import require

_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def fans(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out): how many numbers a unit of this layer reads, and how many units read its input.

        fan_in = shape[1] * field,  fan_out = shape[0] * field,  field: the entries of a convolution's kernel

    Shape: (out, in, ...), as `nn.Linear` and `nn.Conv2d` keep their weights.
    Raises: ValueError for fewer than two dimensions, or an empty tensor.
    Agrees with: `torch.nn.init._calculate_fan_in_and_fan_out`.
    """
    cure = "a bias has no fans: set it to zero"
    require(tensor.ndim >= 2, "a tensor of two dimensions or more", cure=cure, shape=tuple(tensor.shape))
    require(tensor.numel() > 0, "a tensor with entries", shape=tuple(tensor.shape))
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor on the standard deviation that makes up for what an activation takes away.

        linear, sigmoid 1,  tanh 5/3,  relu sqrt(2),  leaky_relu sqrt(2 / (1 + slope**2)),  selu 3/4

    Those of ReLU and leaky ReLU keep the mean square from layer to layer at any size. tanh's 5/3 and selu's
    3/4 are customary values and keep it only about.

    Args:
        nonlinearity: one of these names.
        param: slope of leaky_relu, 0.01 if left out. The others ignore it.
    Raises: ValueError for another name.
    Source: He et al. (2015), section 2.2, for the two with a root.
    Agrees with: `torch.nn.init.calculate_gain`.

    >>> round(calculate_gain("relu"), 4)
    1.4142
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2 / (1 + slope**2))
    names = ", ".join([*_GAINS, "leaky_relu"])
    require(nonlinearity in _GAINS, f"one of {names}", nonlinearity=nonlinearity)
    return _GAINS[nonlinearity]


def xavier_normal_(tensor: Tensor, gain: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Normal weights whose variance is a compromise between the way forward and the way back.

        W ~ N(0, std**2),  std = gain * sqrt(2 / (fan_in + fan_out))

    Args:
        tensor: (out, in, ...), filled in place and returned.
        gain: >= 0, of the activation.
        generator: what draws; torch's own if left out.
    Raises: ValueError as `fans`, and for a negative gain.
    Source: Glorot & Bengio (2010), equation 12.
    Agrees with: `torch.nn.init.xavier_normal_`.
    """
    return _normal(tensor, _xavier(tensor, gain), generator)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """The same variance as `xavier_normal_`, drawn uniformly.

        W ~ U(-a, a),  a = gain * sqrt(6 / (fan_in + fan_out))

    Args, Raises: as `xavier_normal_`.
    Source: Glorot & Bengio (2010), equation 16.
    Agrees with: `torch.nn.init.xavier_uniform_`.
    """
    return _uniform(tensor, _xavier(tensor, gain), generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Normal weights that keep the mean square through ReLU, on the way forward or on the way back.

        W ~ N(0, std**2),  std = gain / sqrt(fan)

    Args:
        tensor: (out, in, ...), filled in place and returned.
        a: slope of leaky_relu below zero. At 0 it is ReLU.
        mode: "fan_in" keeps the activations, "fan_out" the gradients.
        nonlinearity: a name that `calculate_gain` knows.
        generator: what draws; torch's own if left out.
    Raises: ValueError as `fans` and `calculate_gain`, and for another mode.
    Source: He, Zhang, Ren & Sun (2015), equations 10 and 14.
    Agrees with: `torch.nn.init.kaiming_normal_`.
    """
    return _normal(tensor, _kaiming(tensor, a, mode, nonlinearity), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    generator: Generator | None = None,
) -> Tensor:
    """The same variance as `kaiming_normal_`, drawn uniformly.

        W ~ U(-b, b),  b = gain * sqrt(3 / fan)

    `nn.Linear` calls it with a = sqrt(5): its weights have a variance of 1 / (3 fan_in), a sixth of He's.

    Args, Raises: as `kaiming_normal_`.
    Agrees with: `torch.nn.init.kaiming_uniform_`.
    """
    return _uniform(tensor, _kaiming(tensor, a, mode, nonlinearity), generator)


def _xavier(tensor: Tensor, gain: float) -> float:
    require(gain >= 0, "gain >= 0", gain=gain)
    return gain * math.sqrt(2 / sum(fans(tensor)))


def _kaiming(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    require(mode in ("fan_in", "fan_out"), 'mode "fan_in" or "fan_out"', mode=mode)
    fan = fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _normal(tensor: Tensor, std: float, generator: Generator | None) -> Tensor:
    with torch.no_grad():
        return tensor.normal_(0, std, generator=generator)


def _uniform(tensor: Tensor, std: float, generator: Generator | None) -> Tensor:
    bound = math.sqrt(3) * std
    with torch.no_grad():
        return tensor.uniform_(-bound, bound, generator=generator)
