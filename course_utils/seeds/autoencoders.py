"""Autoencoders for many seeds and rates in one run, stepped by a rule that is written as a function."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from course_utils._checks import require
from course_utils.trajectories import Rule

WIDTHS = (64, 32, 8, 32, 64)
CLIP = 1e3  # a run that is lost must not stop the others


def shapes(widths: Sequence[int] = WIDTHS) -> list[tuple[int, int]]:
    """(rows, columns) of each layer's matrix, whose last row is the bias."""
    return [(n + 1, m) for n, m in itertools.pairwise(widths)]


def reconstruct(weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """What the nets make of x (runs, n, inputs): tanh between the layers, nothing after the last."""
    for w in weights[:-1]:
        x = torch.tanh(torch.baddbmm(w[:, -1:], x, w[:, :-1]))
    return torch.baddbmm(weights[-1][:, -1:], x, weights[-1][:, :-1])


def train_autoencoders(
    rule: Rule,
    rates: Sequence[float],
    images: Tensor,
    *,
    seeds: Sequence[int],
    steps: int,
    batch_size: int,
    widths: Sequence[int] = WIDTHS,
) -> Tensor:
    """The final training losses of autoencoders, one for each rate and seed, all in one run.

        w <- w - rate * (1 + cos(pi * (t - 1) / steps)) / 2 * rule(g, state, t)        t = 1, ..., steps

    Each layer is one matrix (inputs + 1, outputs), the bias in its last row: a rule sees matrices alone.
    A seed has the same first weights, drawn with variance 1 / inputs, and the same batches at each rate.

    Args:
        rule: as for `trajectories.follow`, with g (runs, rows, columns); it must not mix the runs. Each layer
            has a `state` of its own.
        rates: (R,). images: (S, n, widths[0]), examples of their own for each seed.
        seeds: (S,), of which the first makes the draws.
        batch_size: examples a step, drawn anew at each, 1 <= batch_size <= n.
    Returns: (R, S), mean squared errors over all images; 9 where a run is lost.
    Raises: ValueError where images and seeds do not fit, or steps or batch_size are out of range.
    """
    fits = images.ndim == 3 and len(images) == len(seeds) and images.shape[2] == widths[0]
    require(fits, f"images of {len(seeds)} seeds, {widths[0]} wide", shape=tuple(images.shape))
    require(steps >= 1, "steps >= 1", steps=steps)
    n = images.shape[1]
    require(1 <= batch_size <= n, f"1 <= batch_size <= {n}", batch_size=batch_size)
    draw = torch.Generator().manual_seed(seeds[0])
    weights = []
    for rows, columns in shapes(widths):
        w = torch.randn(len(seeds), rows, columns, generator=draw) / (rows - 1) ** 0.5
        w[:, -1] = 0
        weights.append(w.to(images).repeat(len(rates), 1, 1))
    lr = torch.tensor(rates).to(images).repeat_interleave(len(seeds))[:, None, None]
    states: list[dict[str, Any]] = [{} for _ in weights]
    for t in range(1, steps + 1):
        rows_seen = torch.rand(len(seeds), n, generator=draw).argsort(1)[:, :batch_size]
        seen = images[torch.arange(len(seeds))[:, None], rows_seen].repeat(len(rates), 1, 1)
        weights = [w.detach().requires_grad_() for w in weights]
        # the sum over runs of each one's mean
        loss = mse_loss(reconstruct(weights, seen), seen, reduction="sum") / seen[0].numel()
        gradients = torch.autograd.grad(loss, weights)
        now = lr * (1 + math.cos(math.pi * (t - 1) / steps)) / 2
        with torch.no_grad():
            steps_of = (
                rule(g.nan_to_num().clamp(-CLIP, CLIP), state, t)
                for g, state in zip(gradients, states, strict=True)
            )
            weights = [
                torch.addcmul(w, now, step, value=-1) for w, step in zip(weights, steps_of, strict=True)
            ]
    x = images.repeat(len(rates), 1, 1)
    with torch.no_grad():
        losses: Tensor = ((reconstruct(weights, x) - x) ** 2).mean((1, 2)).view(len(rates), -1)
    return losses.nan_to_num(9.0).clamp(max=9.0)
