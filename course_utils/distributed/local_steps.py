"""Workers that step alone for a while and then take the mean of their weights, many settings side by side.

    each worker    w <- w - lr * gradient of its own batch          at every step
    all of them    w <- mean of w over the workers                  after every k-th

All workers, seeds and settings are dimensions of one tensor, in one process: (seeds, settings, workers, ...).
With k = 1 it is data parallel training; between real processes it is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from course_utils._checks import is_whole, require

Weights = list[Tensor]


def first_weights(seeds: int, widths: Sequence[int], generator: torch.Generator) -> Weights:
    """Weights and biases of a ReLU net as `nn.Linear` draws weights, biases 0; each (seeds, 1, 1, in, out).

    Args:
        seeds: how many nets. widths: of the input, the hidden layers and the output.
    """
    w: Weights = []
    for fan_in, fan_out in pairwise(widths):
        u = 2 * torch.rand(seeds, 1, 1, fan_in, fan_out, generator=generator) - 1
        w += [u / fan_in**0.5, torch.zeros(seeds, 1, 1, 1, fan_out)]
    return w


def weights_of(net: nn.Module) -> Weights:
    """Copies of the weights and biases of linear layers in turn, as `first_weights` has them, of one seed."""
    with torch.no_grad():
        return [(p.mT if p.dim() == 2 else p[None])[None, None, None].clone() for p in net.parameters()]


def losses(w: Weights, x: Tensor, y: Tensor) -> Tensor:
    """Mean cross-entropy over the last dimension of y.

    Args:
        w: weights and biases in turn. x: (..., examples, in). y: (..., examples), whole numbers.
    """
    h = x
    for k in range(0, len(w), 2):
        h = (h if k == 0 else h.relu()) @ w[k] + w[k + 1]
    picked = h.gather(-1, y.expand(h.shape[:-1])[..., None])[..., 0]
    return (h.logsumexp(-1) - picked).mean(-1)


def draw(shards: Tensor, steps: int, batch: int, generator: torch.Generator) -> Tensor:
    """Each worker's batches, from its own shard, with replacement: (steps, seeds, workers, batch).

    Args:
        shards: (seeds, workers, examples of each), as indices.
    """
    seeds, workers, size = shards.shape
    places = torch.randint(size, (steps, seeds, workers, batch), generator=generator)
    return shards.expand(steps, -1, -1, -1).gather(-1, places)


def train_local(
    w: Weights, x: Tensor, y: Tensor, drawn: Tensor, *, every: Sequence[int], rates: Sequence[float]
) -> Weights:
    """SGD from `w` with a mean over the workers after every k-th step, and once more at the end.

    Args:
        w: first weights, (seeds, 1, 1, ...).
        x, y: (seeds, examples, in) and (seeds, examples).
        drawn: (steps, seeds, workers, batch), which examples each worker sees at each step.
        every: k of each setting, >= 1. rates: the learning rate of each, as many.
    Returns: the means at the end, (seeds, settings, 1, ...).
    Raises: ValueError for a k that is no whole number >= 1, or another number of rates.
    Source: McMahan, Moore, Ramage, Hampson & Agüera y Arcas (2017), with plain means; Stich (2019).
    """
    require(all(is_whole(k) and k >= 1 for k in every), "whole numbers >= 1", every=list(every))
    require(len(every) == len(rates), "a rate for each setting", every=len(every), rates=len(rates))
    w = [p.expand(-1, len(rates), drawn.shape[2], -1, -1).clone().requires_grad_() for p in w]
    lr = torch.tensor(rates, dtype=x.dtype)[:, None, None, None]
    period = torch.tensor(every)[:, None, None, None]
    seed = torch.arange(len(x))[:, None, None]
    for t, index in enumerate(drawn, 1):
        loss = losses(w, x[seed, index][:, None], y[seed, index][:, None]).sum()
        gradients = torch.autograd.grad(loss, w)
        with torch.no_grad():
            for p, g in zip(w, gradients, strict=True):
                p.sub_(lr * g)
                if p.shape[2] > 1 and any(t % k == 0 for k in every):
                    p.copy_(torch.where(t % period == 0, p.mean(2, keepdim=True), p))
    return [p.detach().mean(2, keepdim=True) for p in w]


def steps_to(
    target: float,
    w: Weights,
    x: Tensor,
    y: Tensor,
    drawn: Tensor,
    *,
    rates: Sequence[float],
    look: int = 2,
    warm_up: Sequence[int] = (1,),
) -> Tensor:
    """The first step before which the loss on all examples is below `target`, infinite where none is seen.

    The batches end the run, or twice the steps after which every seed has a setting that is there: the others
    are not the best.

    Args:
        w, x, y, drawn, rates: as for `train_local`, with a mean after each step.
        look: every how many steps the loss is measured, >= 1.
        warm_up: of each setting, or one for all, >= 1: the rate at step t = 1, 2, ... is min(1, t / warm_up)
            of the given one.
    Returns: (seeds, settings).
    """
    whole = all(is_whole(k) and k >= 1 for k in warm_up)
    require(whole, "whole numbers warm_up >= 1", warm_up=list(warm_up))
    require(is_whole(look) and look >= 1, "a whole number look >= 1", look=look)
    w = [p.expand(-1, len(rates), 1, -1, -1).clone().requires_grad_() for p in w]
    lr, rising = (torch.tensor(v, dtype=x.dtype)[:, None, None, None] for v in (rates, warm_up))
    seed = torch.arange(len(x))[:, None]
    found = torch.full((len(x), len(rates)), torch.inf, dtype=torch.float64)
    for t, index in enumerate(drawn.flatten(2)):  # all workers' examples: one batch
        if t % look == 0:
            with torch.no_grad():
                now = losses(w, x[:, None, None], y[:, None, None])[..., 0]
            found = torch.where(found.isinf() & (now < target), float(t), found)
            if bool(found.isfinite().all()):
                break
            if bool(found.isfinite().any(1).all()) and t >= 2 * float(found.amin(1).max()):
                break  # a rate that needs twice as long is not the best
        loss = losses(w, x[seed, index][:, None, None], y[seed, index][:, None, None]).sum()
        gradients = torch.autograd.grad(loss, w)
        with torch.no_grad():
            for p, g in zip(w, gradients, strict=True):
                p.sub_(((t + 1) / rising).clamp(max=1) * lr * g)
    return found
