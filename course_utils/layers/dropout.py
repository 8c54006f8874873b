"""Dropout: noise that multiplies, so that no unit can rely on one other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils._checks import require
from course_utils._generators import of_this_process
from course_utils._tensors import check_float
from course_utils._tracing import one_module


class Dropout(nn.Dropout):
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
        inplace: write y over x.
        generator: where the draws come from, on x's device; None is torch's global generator. Activation
            checkpointing puts back the global one alone before it repeats a forward pass; a layer with its
            own would draw another mask there, and refuses.
    Shape: any floating x; y has its shape and dtype.
    Raises: ValueError if p is outside [0, 1], if x holds whole numbers, and with a generator where a backward
        pass repeats the forward pass.
    Source: Srivastava et al. (2014), section 10, for the scaling in training.
    Agrees with: `torch.nn.Dropout`, given the mask (bit for bit in float32 and float64; in sixteen bits this
        one rounds once); the masks themselves differ.
    """

    def __init__(
        self, p: float = 0.5, inplace: bool = False, *, generator: torch.Generator | None = None
    ) -> None:
        require(0 <= p <= 1, "0 <= p <= 1", p=p)
        super().__init__(p, inplace)
        self.generator = generator

    @one_module
    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return input
        check_float("x", input, cure="convert it with x.float()")
        dtype = torch.promote_types(input.dtype, torch.float32)
        if self.generator is None:
            draw = torch.rand_like(input, dtype=dtype)
        else:  # a call of its own, because vmap runs it model by model
            require(
                torch._C._current_graph_task_id() == -1,
                "torch's global generator where a backward pass repeats the forward pass",
                cure="leave generator out: activation checkpointing puts back the global one alone",
            )
            draw = torch.rand_like(input, dtype=dtype, generator=of_this_process(self.generator))
        keep = draw.sub_(self.p).ceil_().to(input.dtype)  # 1 where the draw is above p, else 0
        scale = 1 / (1 - self.p) if self.p < 1 else 0.0
        return (input.mul_(keep) if self.inplace else input * keep).mul_(scale)
