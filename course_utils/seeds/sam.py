"""SAM for many nets at once. Its climb mixes all parameters of a net, so `train_seeds` cannot take it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils._checks import require
from course_utils.data import Stacked
from course_utils.seeds.stacked import Loss, StackedNets, per_seed, stack
from course_utils.seeds.train import _batches, _seeded


def train_sam_seeds(
    make_model: Callable[[], nn.Module],
    train: Stacked,
    *,
    rho: float,
    optimizer: Callable[[list[Tensor]], Optimizer],
    loss: Loss,
    steps: int,
    seeds: Sequence[int],
    batch_size: int | None = 32,
) -> StackedNets:
    """Train one model per seed with SAM, all in one vectorised run; the nets after the last step.

        e = rho * g / norm(g),  g the gradient at p
        then the optimizer steps from p with the gradient at p + e

    with the norm over all parameters of one seed's net. Weights and batches are those of `train_seeds`, so
    that rho = 0 is a run of `train_seeds`, and costs half: then no second gradient is taken.

    Args:
        rho: radius of the climb, >= 0.
        others: as `train_seeds`. No dropout: the two gradients of a step would have masks of their own.
    Raises: ValueError unless rho >= 0 and steps >= 1.
    Source: Foret et al. (2021), Algorithm 1. Agrees with: `SAM`, seed by seed.
    """
    require(rho >= 0 and steps >= 1, "rho >= 0 and steps >= 1", rho=rho, steps=steps)
    seeds = tuple(seeds)
    nets = stack([_seeded(make_model, seed, train.x.device) for seed in seeds])
    params = [p for _, p in nets.named_parameters()]
    rule = optimizer(params)
    batches = _batches(train.x, train.y, train, batch_size, seeds)
    for _, (x, y) in zip(range(steps), batches, strict=False):
        grads = _gradients(nets, params, loss, x, y)
        if rho > 0:
            norm = torch.stack([g.flatten(1).norm(dim=1) for g in grads]).norm(dim=0).clamp(min=1e-12)  # (S,)
            before = [p.detach().clone() for p in params]
            with torch.no_grad():
                for p, g in zip(params, grads, strict=True):
                    p.add_(g * (rho / norm).view(-1, *[1] * (g.ndim - 1)))
            grads = _gradients(nets, params, loss, x, y)
            with torch.no_grad():
                for p, old in zip(params, before, strict=True):
                    p.copy_(old)
        for p, g in zip(params, grads, strict=True):
            p.grad = g
        rule.step()
    return nets


def _gradients(nets: StackedNets, params: list[Tensor], loss: Loss, x: Tensor, y: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(per_seed(loss, nets.forward(x, training=True), y).sum(), params))


def loss_of_each(nets: StackedNets, examples: Stacked, loss: Loss) -> Tensor:
    """The loss of each net over its own examples, (S,), with its graph: for `curvature.sharpness`."""
    return per_seed(loss, nets.forward(examples.x, training=False), examples.y)
