"""What looks at the whole batch: cases in which the mean of the workers' gradients is not one batch's.

Each case is a batch of 32 examples, of which worker 0 has the first 16, worker 1 the others. It is shared as
it comes, and once more in a way that is meant to cure it, and held against the same batch in one process.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils._checks import require
from course_utils.distributed.workers import Workers

CASES = ("plain net", "batch norm", "dropout", "ignored targets", "short batch", "clipping")
TWICE = "dropout, alone"  # one process, and the same process with other masks
CURABLE = tuple(case for case in CASES if case != "dropout")
CUT, COUNTED, LONGEST = 16, 20, 0.5  # worker 0's examples; targets that count; length at which is clipped
IGNORED = -100  # as `F.cross_entropy` leaves out

Norm = Callable[[bool], nn.Module]  # whether it takes its mean and variance over all workers
Share = Callable[[nn.Module, Tensor, Tensor, bool, float], Tensor]


def batch(case: str, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The case's batch from 32 examples: only 20 of them, or only 20 targets that count, or all."""
    if case == "short batch":
        return x[:COUNTED], y[:COUNTED]
    late = torch.arange(len(y)) >= COUNTED
    return x, y.masked_fill(late, IGNORED) if case == "ignored targets" else y


def gradient(net: nn.Module, loss: Tensor) -> Tensor:
    """All gradients of the loss, end to end."""
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(net.parameters()))])


def clipped(g: Tensor, longest: float | Tensor) -> Tensor:
    """g, shortened to the length `longest` where it is longer."""
    shorter: Tensor = g * (longest / g.norm()).clamp(max=1)
    return shorter


def gaps(
    workers: Workers, share: Share, norm: Norm, x: Tensor, y: Tensor
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """|shared - one batch's| / |one batch's| of the gradient, as it comes and cured; case -> (seeds,).

    What comes has one case more, `TWICE`: dropout in one process against the same with other masks.

    Args:
        workers: two.
        share: called in each worker with a net, the worker's x and y, whether to cure, and the length at
            which to clip (infinite where the case is another): the shared gradient, end to end.
        norm: for batch norm on the hidden layer.
        x, y: (seeds, 32, 64) and (seeds, 32), float64 and labels of ten classes.
    Raises: ValueError for another number of workers.
    """
    require(workers.count == 2, "two workers", count=workers.count)
    found: tuple[dict[str, Tensor], dict[str, Tensor]] = ({}, {})
    for case in CASES:
        whole = _each(_one, case, norm, x, y)
        for cured in (False, True)[: 1 + (case in CURABLE)]:
            shared = workers.run(_each, _in_worker, case, norm, x, y, share, cured)[0]
            found[cured][case] = _distance(shared, whole)
        if case == "dropout":
            found[False][TWICE] = _distance(_each(_one, case, norm, x, y, 500), whole)
    return found


def _distance(one: Tensor, other: Tensor) -> Tensor:
    distance: Tensor = (one - other).norm(dim=1) / other.norm(dim=1)
    return distance


def _each(of: Callable[..., Tensor], case: str, norm: Norm, x: Tensor, y: Tensor, *more: object) -> Tensor:
    pairs = [batch(case, *pair) for pair in zip(x, y, strict=True)]
    return torch.stack([of(seed, case, norm, *pair, *more) for seed, pair in enumerate(pairs)])


def _net(seed: int, case: str, norm: nn.Module) -> nn.Module:
    torch.manual_seed(seed)
    middle = {"batch norm": norm, "dropout": nn.Dropout(0.5)}.get(case, nn.Identity())
    return nn.Sequential(nn.Linear(64, 32), middle, nn.ReLU(), nn.Linear(32, 10)).double()


def _one(seed: int, case: str, norm: Norm, x: Tensor, y: Tensor, masks: int = 0) -> Tensor:
    net = _net(seed, case, norm(False))
    torch.manual_seed(masks + seed)
    g = gradient(net, F.cross_entropy(net(x), y))
    return clipped(g, LONGEST) if case == "clipping" else g


def _in_worker(seed: int, case: str, norm: Norm, x: Tensor, y: Tensor, share: Share, cured: bool) -> Tensor:
    part = (slice(CUT), slice(CUT, None))[dist.get_rank()]
    net = _net(seed, case, norm(cured))
    torch.manual_seed(1000 + 2 * seed + dist.get_rank())  # masks of its own
    return share(net, x[part], y[part], cured, LONGEST if case == "clipping" else torch.inf)
