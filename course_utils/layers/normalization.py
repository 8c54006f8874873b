"""Normalisation layers: subtract a mean, divide by a spread, give both back as learnt parameters.

They differ in which numbers share a mean and a spread. In a batch of shape (N, C, H, W):

    BatchNorm2d   one channel of the whole batch      N * H * W numbers; remembers them for eval
    LayerNorm     the last dimensions of one sample   e.g. C of (N, T, C)
    GroupNorm     some channels of one sample         C / groups * H * W numbers
    RMSNorm       as LayerNorm, without the mean

Statistics are computed in float32 at least and in two passes (the mean, then the mean square of what
is left): the one-pass form E[x**2] - E[x]**2 loses its digits where the mean is large. They are sums divided
by n, not means, because autograd then divides C numbers on the way back instead of the whole batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias, overload

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from course_utils._checks import is_whole, require
from course_utils._torch.tensors import autocast_is_on, check_float, widen
from course_utils._torch.tracing import one_module

Device: TypeAlias = torch.device | str | None
Dtype: TypeAlias = torch.dtype | None


# What the layers share


def check_input(x: Tensor) -> None:
    check_float("x", x, cure="convert it with x.float()")


def result_dtype(x: Tensor) -> torch.dtype:
    """torch's rule for layer and group norm: x's dtype, but float32 under a GPU's autocast."""
    on_gpu = x.device.type != "cpu" and autocast_is_on(x)
    return torch.promote_types(x.dtype, torch.float32) if on_gpu else x.dtype


def centre(x: Tensor, dims: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """x without its mean over `dims`, that mean, and the variance around it (divided by n, not n - 1)."""
    n = math.prod([x.shape[d] for d in dims])
    mean = x.sum(dims, keepdim=True) / n
    centred = x + (-mean)  # on the way back, x - mean would copy the whole gradient to change its sign
    return centred, mean, (centred * centred).sum(dims, keepdim=True) / n


def one_over_std(var: Tensor, eps: float) -> Tensor:
    return (var + eps).rsqrt()


def rescale(centred: Tensor, r: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """weight * centred * r + bias; a weight or bias of None is left out."""
    y = centred * (r if weight is None else r * weight)
    return y if bias is None else y.add_(bias)  # y is ours: no second copy


# Batch norm: a channel of the whole batch


def batch_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """y, mean, var: the batch normalised by its own statistics, and these."""
    centred, mean, var = centre(x, all_but_channels(x))
    r = one_over_std(var, eps)
    return rescale(centred, r, per_channel(weight, x), per_channel(bias, x)), mean, var


def all_but_channels(x: Tensor) -> list[int]:
    return [0, *range(2, x.ndim)]


@overload
def per_channel(values: Tensor, x: Tensor) -> Tensor: ...
@overload
def per_channel(values: None, x: Tensor) -> None: ...
def per_channel(values: Tensor | None, x: Tensor) -> Tensor | None:
    """C numbers, viewed so that they broadcast with x of shape (N, C, *)."""
    return values if values is None or x.ndim == 2 else values.view(-1, *[1] * (x.ndim - 2))


class BatchNormByHand(torch.autograd.Function):
    """`batch_norm` with its backward written out. With c = x - mean, r = 1 / sqrt(var + eps) and g = dL/dy:

        dL/dbias   = sum g
        dL/dweight = sum g * c * r
        dL/dx      = weight * r * (g - sum g / n - c * r**2 * (sum g * c) / n)

    The last two terms are the gradient through the mean and the variance; with the statistics under no_grad
    they are lost. Only the first derivative is written: a second one, or a transform of `torch.func`, raises
    torch's error. `batch_norm` itself has both.

    Source: Ioffe & Szegedy (2015), section 3, simplified.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        c, mean, var = centre(x, all_but_channels(x))
        r = one_over_std(var, eps)
        ctx.save_for_backward(c, r, weight)
        ctx.has_bias = bias is not None
        ctx.mark_non_differentiable(mean, var)
        return rescale(c, r, per_channel(weight, x), per_channel(bias, x)), mean, var

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        c, r, weight = ctx.saved_tensors
        dims, n = all_but_channels(c), c.numel() // c.shape[1]
        g_x = g * c  # its memory is used again: to ask for more costs as much as to fill it
        sum_g, sum_gc = g.sum(dims, keepdim=True), g_x.sum(dims, keepdim=True)
        scale = r if weight is None else r * per_channel(weight, c)
        torch.mul(c, sum_gc * r * r / -n, out=g_x)
        g_x.add_(g).sub_(sum_g / n).mul_(scale)
        g_weight = None if weight is None else (sum_gc * r).flatten()
        return g_x, g_weight, sum_g.flatten() if ctx.has_bias else None, None


class _BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over every dimension but the second.

        y = weight * (x - mean) / sqrt(var + eps) + bias          mean, var of the batch; var divided by n
        running_mean <- (1 - momentum) * running_mean + momentum * mean
        running_var  <- (1 - momentum) * running_var  + momentum * var * n / (n - 1)
        y = the same with running_mean and running_var            eval

    Args:
        num_features: C, the number of channels, > 0.
        eps: >= 0, added to the variance, inside the root.
        momentum: share of the new batch in the running statistics, in [0, 1]; None averages all batches.
        affine, bias: whether weight (and bias) exist.
        track_running_stats: without, eval uses the batch's statistics too.
        by_hand: backward by `BatchNormByHand` instead of autograd: the same gradients in less time, but no
            second derivatives and no `torch.func`. Lesson 14 derives it.
    Raises: ValueError for a wrong shape, and for one value (or none) per channel to take statistics of.
    Source: Ioffe & Szegedy (2015), Algorithms 1 and 2.
    Agrees with: `torch.nn.BatchNorm1d`, `torch.nn.BatchNorm2d`, whose subclasses these are; but an empty
        batch is an error, and an input of another precision than the parameters is none, nor is eps = 0. In
        a forward pass that activation checkpointing repeats, a batch may count once where torch's counts it
        twice.

    Under `torch.func` the buffers change in place, as torch's do: make them an argument of the transformed
    function (stacked for `vmap`) and pass them to `functional_call`; they then hold the new values. Buffers
    that a function captures, or that the models of a `vmap` share, raise torch's error. Unlike torch's,
    momentum=None works in `vmap`.
    """

    shapes: ClassVar[dict[int, str]]  # by the number of dimensions

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Device = None,
        dtype: Dtype = None,
        *,
        bias: bool = True,
        by_hand: bool = False,
    ) -> None:
        require(
            is_whole(num_features) and num_features > 0,
            "a whole number num_features > 0",
            num_features=num_features,
        )
        require(eps >= 0, "eps >= 0", eps=eps)
        require(momentum is None or 0 <= momentum <= 1, "0 <= momentum <= 1 or None", momentum=momentum)
        super().__init__(
            int(num_features), eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )
        self.by_hand = by_hand
        self._dimensions = list(self.shapes)
        self._rule = f"shape {' or '.join(self.shapes.values())} with C = {num_features}"

    @one_module
    def forward(self, input: Tensor) -> Tensor:
        check_input(input)
        x, shape = widen(input), tuple(input.shape)
        require(x.ndim in self._dimensions and shape[1] == self.num_features, self._rule, shape=shape)
        if not self.training and self.running_mean is not None and self.running_var is not None:
            centred = x - per_channel(self.running_mean, x)
            r = one_over_std(per_channel(widen(self.running_var), x), self.eps)
            y = rescale(centred, r, per_channel(self.weight, x), per_channel(self.bias, x))
            return y.to(input.dtype)
        n = x.numel() // self.num_features
        require(
            n > 1,
            "more than one value per channel to normalise a batch",
            cure="use a larger batch, drop_last=True in the loader, or model.eval()",
            shape=shape,
        )
        normalise = BatchNormByHand.apply if self.by_hand else batch_norm
        y, mean, var = normalise(x, self.weight, self.bias, self.eps)
        if self.training and self.track_running_stats:
            track(self, mean, var, n)
        return y.to(input.dtype)

    def extra_repr(self) -> str:
        text: str = super().extra_repr()  # type: ignore[no-untyped-call]
        return text + (", by_hand=True" if self.by_hand else "")


@torch.no_grad()
def track(layer: _BatchNorm, mean: Tensor, var: Tensor, n: int) -> None:
    """Move the running statistics of `layer`, if it has any, towards those of n values a channel."""
    if layer.running_mean is None or layer.running_var is None or layer.num_batches_tracked is None:
        return
    layer.num_batches_tracked.add_(1)
    part = 1 / layer.num_batches_tracked.to(mean.dtype) if layer.momentum is None else layer.momentum
    for running, batch in ((layer.running_mean, mean), (layer.running_var, var * (n / (n - 1)))):
        running.mul_(1 - part).add_(part * batch.flatten())


class BatchNorm1d(_BatchNorm, nn.BatchNorm1d):
    __doc__ = f"""{_BatchNorm.__doc__}
    Shape: (N, C) or (N, C, L).
    """
    shapes: ClassVar[dict[int, str]] = {2: "(N, C)", 3: "(N, C, L)"}


class BatchNorm2d(_BatchNorm, nn.BatchNorm2d):
    __doc__ = f"""{_BatchNorm.__doc__}
    Shape: (N, C, H, W).
    """
    shapes: ClassVar[dict[int, str]] = {4: "(N, C, H, W)"}


# Layer, group and RMS norm: one sample at a time, the same in training and eval


class LayerNorm(nn.LayerNorm):
    """Each sample normalised over its last dimensions.

        y = weight * (x - mean) / sqrt(var + eps) + bias      var divided by n

    Args:
        normalized_shape: the last dimensions of x: 64 or (16, 64).
        eps: >= 0, inside the root.
        elementwise_affine, bias: whether weight (and bias) exist, of shape `normalized_shape`.
    Shape: (*, *normalized_shape).
    Raises: ValueError where x does not end in `normalized_shape`.
    Source: Ba, Kiros & Hinton (2016), section 3.
    Agrees with: `torch.nn.LayerNorm`, whose subclass it is. Where the squares overflow (float32 beyond 1e19)
        the output is NaN, which tells; torch's is NaN or 0.
    """

    normalized_shape: tuple[int, ...]

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Device = None,
        dtype: Dtype = None,
    ) -> None:
        require(eps >= 0, "eps >= 0", eps=eps)
        super().__init__(_sizes(normalized_shape), eps, elementwise_affine, bias, device, dtype)

    @one_module
    def forward(self, input: Tensor) -> Tensor:
        dims = _last_dims(input, self.normalized_shape)
        centred, _, var = centre(widen(input), dims)
        r = one_over_std(var, self.eps) + 0 * var  # NaN, not 0, where the squares overflowed
        return rescale(centred, r, self.weight, self.bias).to(result_dtype(input))


class GroupNorm(nn.GroupNorm):
    """Each sample normalised over groups of neighbouring channels and all positions.

        y = weight * (x - mean) / sqrt(var + eps) + bias      mean, var of a group; weight, bias of a channel

    One group is layer norm over channels and positions, one channel a group is instance norm.

    Args:
        num_groups: > 0, a divisor of num_channels.
        num_channels: C.
        eps: >= 0, inside the root.
        affine, bias: whether weight (and bias) exist, one number per channel.
    Shape: (N, C, *).
    Raises: ValueError for a wrong shape, or groups of a single value, whose output would be constant.
    Source: Wu & He (2018), section 3.
    Agrees with: `torch.nn.GroupNorm`, whose subclass it is, and which refuses groups of one value only if N
        is 1. Where the squares overflow (float32 beyond 1e19) the output is NaN; torch's is NaN or 0.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Device = None,
        dtype: Dtype = None,
        *,
        bias: bool = True,
    ) -> None:
        require(
            is_whole(num_groups)
            and is_whole(num_channels)
            and num_groups > 0
            and num_channels >= 0
            and num_channels % num_groups == 0,
            "a whole number num_groups > 0 that divides num_channels",
            num_groups=num_groups,
            num_channels=num_channels,
        )
        require(eps >= 0, "eps >= 0", eps=eps)
        super().__init__(int(num_groups), int(num_channels), eps, affine, device, dtype, bias=bias)

    @one_module
    def forward(self, input: Tensor) -> Tensor:
        check_input(input)
        shape = tuple(input.shape)
        require(
            input.ndim >= 2 and shape[1] == self.num_channels, f"{self.num_channels} channels", shape=shape
        )
        each = self.num_channels // self.num_groups
        grouped = widen(input).reshape(shape[0], self.num_groups, each, *shape[2:])
        require(
            math.prod(grouped.shape[2:]) != 1,
            "more than one value per group",
            cure="use fewer groups",
            shape=shape,
            num_groups=self.num_groups,
        )
        centred, _, var = centre(grouped, list(range(2, grouped.ndim)))
        r = one_over_std(var, self.eps) + 0 * var  # NaN, not 0, where the squares overflowed
        view = [self.num_groups, each] + [1] * (input.ndim - 2)
        weight, bias = (None if v is None else v.view(view) for v in (self.weight, self.bias))
        return rescale(centred, r, weight, bias).flatten(1, 2).to(result_dtype(input))


class RMSNorm(nn.RMSNorm):
    """Each sample divided by the root of its mean square; no mean is subtracted, there is no bias.

        y = weight * x / sqrt(mean(x**2) + eps)

    Args:
        normalized_shape: the last dimensions of x: 64 or (16, 64).
        eps: >= 0, inside the root; None is the spacing of numbers at 1 in the precision of the computation:
            2**-23 for float32 and the sixteen-bit formats, 2**-52 for float64.
        elementwise_affine: whether weight exists, of shape `normalized_shape`.
    Shape: (*, *normalized_shape).
    Raises: ValueError where x does not end in `normalized_shape`, and for complex numbers.
    Source: Zhang & Sennrich (2019). Agrees with: `torch.nn.RMSNorm`, whose subclass it is.
    """

    normalized_shape: tuple[int, ...]

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Device = None,
        dtype: Dtype = None,
    ) -> None:
        require(eps is None or eps >= 0, "eps >= 0 or None", eps=eps)
        super().__init__(_sizes(normalized_shape), eps, elementwise_affine, device, dtype)

    @one_module
    def forward(self, x: Tensor) -> Tensor:
        dims = _last_dims(x, self.normalized_shape)
        wide = widen(x)
        eps = torch.finfo(wide.dtype).eps if self.eps is None else self.eps
        mean_square = (wide * wide).sum(dims, keepdim=True) / math.prod(self.normalized_shape)
        return rescale(wide, one_over_std(mean_square, eps), self.weight, None).to(result_dtype(x))


def _sizes(normalized_shape: int | Sequence[int]) -> list[int]:
    sizes = list(normalized_shape) if isinstance(normalized_shape, Sequence) else [normalized_shape]
    require(
        len(sizes) > 0 and all(is_whole(size) and size >= 0 for size in sizes),
        "whole sizes >= 0",
        normalized_shape=normalized_shape,
    )
    return [int(size) for size in sizes]


def _last_dims(x: Tensor, shape: tuple[int, ...]) -> list[int]:
    check_input(x)
    require(tuple(x.shape[-len(shape) :]) == shape, f"x to end in {shape}", shape=tuple(x.shape))
    return list(range(-len(shape), 0))
