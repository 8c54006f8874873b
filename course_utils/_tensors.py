"""What losses, layers and transforms ask of a tensor before they compute with it."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils._checks import require


def check_tensor(name: str, x: object) -> None:
    """Raise unless `x` is a tensor."""
    require(isinstance(x, Tensor), f"{name} as a tensor", cure="torch.as_tensor(...) makes one", type=type(x))


def check_float(name: str, x: object, *, cure: str) -> None:
    """Raise unless `x` is a floating-point tensor."""
    check_tensor(name, x)
    assert isinstance(x, Tensor)
    require(x.is_floating_point(), f"{name} of a floating-point dtype", cure=cure, dtype=x.dtype)


def check_range(name: str, x: Tensor, low: float, high: float, *, cure: str, slack: float = 0.0) -> None:
    """Raise unless all of `x` lies in [low, high], or outside by no more than `slack`.

    One pass over `x`; on a GPU the program waits for it. Where there are shapes but no numbers nothing is
    checked: under `torch.compile` and `torch.export`, in `make_fx` and while a CUDA graph is captured, for
    fake tensors, on the device "meta", and inside a `vmap` over `x`.
    """
    if x.numel() == 0 or x.is_meta or torch.compiler.is_compiling() or _is_captured(x):
        return
    try:
        smallest, largest = (end.item() for end in torch.aminmax(x.detach()))
        inside = bool(low - slack <= smallest and largest <= high + slack)
    except RuntimeError:  # what vmap, fake tensors and tracers raise when they are asked for a number
        return
    if smallest != smallest:  # NaN
        cure = "a NaN reached it: look for the step where it first appears"
    require(inside, f"{low:g} <= {name} <= {high:g}", cure=cure, smallest=smallest, largest=largest)


def _is_captured(x: Tensor) -> bool:
    return x.is_cuda and torch.cuda.is_current_stream_capturing()  # asking for a number ends the capture


def widen(x: Tensor) -> Tensor:
    """x in the precision that sums, logarithms and exponentials need: float32 for the sixteen-bit formats."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def autocast_is_on(x: Tensor) -> bool:
    """Whether autocast is on for the device of `x`; there are devices without, "meta" for one."""
    kind = x.device.type
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
