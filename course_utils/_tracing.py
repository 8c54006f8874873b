"""What tools that record a network see of our losses and layers: one node, as of torch's own.

`torch.fx` runs a forward pass on proxies, which have no shape to check and no numbers to compute with. It
stops at the modules of torch.nn and at the functions of torch; ours it would enter. TorchScript, which torch
has retired, reads the source, and knows too little of Python for ours: a layer it calls instead, and cannot
save; a loss it refuses.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch.fx
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def one_node(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, of which `torch.fx` records the call."""

    @functools.wraps(function)
    def traced(*args: P.args, **kwargs: P.kwargs) -> Any:  # R, or a proxy of it
        for value in (*args, *kwargs.values()):
            if isinstance(value, torch.fx.Proxy):
                return value.tracer.create_proxy("call_function", traced, args, dict(kwargs))
        return function(*args, **kwargs)

    return traced


def one_module(forward: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """The `forward` of a layer: `torch.fx` records a call of the layer, which train() and eval() change."""

    @functools.wraps(forward)
    def traced(*args: P.args, **kwargs: P.kwargs) -> Any:  # Tensor, or a proxy of one
        values: list[Any] = [*args, *kwargs.values()]
        layer, x = values
        if isinstance(x, torch.fx.Proxy):
            tracer: Any = x.tracer
            return tracer.create_proxy("call_module", tracer.path_of_module(layer), (x,), {})
        return forward(*args, **kwargs)

    called: Any = torch.jit.ignore(traced)
    called.__signature__ = inspect.signature(forward, eval_str=True)  # it wants types, not their names
    return called  # type: ignore[no-any-return]
