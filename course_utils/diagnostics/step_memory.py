"""What a training step keeps in memory, counted tensor by tensor on any device."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from course_utils._checks import require


def step_bytes(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    loss: Callable[[Tensor, Tensor], Tensor],
    dtype: torch.dtype | None = None,
    moments: int = 2,
) -> dict[str, int]:
    """Bytes that are held at the end of a forward pass, by what they are for.

        weights      the parameters, as they are stored
        gradients    as many again
        optimizer    `moments` running means of the parameters' size: 2 for Adam, 1 for momentum
        saved        what the forward pass keeps for the backward pass: activations, and under autocast the
                     copies of the weights in sixteen bits; neither the parameters themselves nor x and y

    A buffer that several operations keep counts once.

    Args:
        model: on the device of x; it is run once, forward.
        dtype: what autocast computes in; None is float32 without autocast.
        moments: >= 0.
    Raises: ValueError for moments < 0.
    """
    require(moments >= 0, "moments >= 0", moments=moments)
    known = {_address(t) for t in (x, y, *model.parameters(), *model.buffers())}
    saved: dict[int, Tensor] = {}  # the tensors are kept, so that no address is used again

    def pack(t: Tensor) -> Tensor:
        if _address(t) not in known:
            saved[_address(t)] = t
        return t

    keeping = torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t)
    with keeping, torch.autocast(x.device.type, dtype=dtype, enabled=dtype is not None):
        loss(model(x), y)
    weights = sum(p.nbytes for p in model.parameters())
    trained = sum(p.nbytes for p in model.parameters() if p.requires_grad)
    return {
        "weights": weights,
        "gradients": trained,
        "optimizer": moments * trained,
        "saved": sum(t.untyped_storage().nbytes() for t in saved.values()),
    }


def _address(t: Tensor) -> int:
    return t.untyped_storage().data_ptr()
