"""What a loss scaler does over a run in float16."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils.mixed_precision.grad_scaler import GradScaler


def scale_trace(
    net: nn.Module, optimizer: Optimizer, scaler: GradScaler, batches: Iterable[tuple[Tensor, Tensor]]
) -> tuple[list[float], list[float]]:
    """Train a classifier under float16 autocast: the scale of each step, and the largest that it could bear.

    The second list has 65,504 over the largest gradient of a weight, NaN where this is not finite: there the
    step was skipped.

    Args:
        batches: (x, y) of each step, on the device of the net.

    Example:
        >>> net = nn.Linear(3, 2)
        >>> scaler = GradScaler("cpu", init_scale=2.0**30)
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> scale_trace(net, optimizer, scaler, [(torch.ones(1, 3), torch.tensor([0]))])
        ([1073741824.0], [nan])
    """
    scales, ceilings = [], []
    for x, y in batches:
        with torch.autocast(x.device.type, dtype=torch.float16):
            loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scales.append(scaler.get_scale())
        scaler.step(optimizer)
        scaler.update()
        # torch's maximum keeps a NaN
        each = [p.grad.abs().max() for p in net.parameters() if p.grad is not None]
        steepest = float(torch.stack(each).max())
        finite = math.isfinite(steepest) and steepest > 0
        ceilings.append(torch.finfo(torch.float16).max / steepest if finite else math.nan)
    return scales, ceilings
