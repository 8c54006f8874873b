"""Training in few bits, emulated in float32: any rounding on the way forward, any on the way back."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils._checks import require

Rounding = Callable[[Tensor], Tensor]


def exact(t: Tensor) -> Tensor:
    """No rounding."""
    return t


@dataclass(frozen=True)
class Arithmetic:
    """How the linear layers of a net round, how its weights are stored, what the loss is multiplied by.

    Args:
        forward: what inputs, weights, biases and outputs of each layer go through.
        backward: what the gradients of all these go through.
        store: what the weights go through after each step of the optimizer.
        factor: a factor that belongs to the loss: weights see the gradient of factor * loss.
        scale: one that does not: the gradient of scale * factor * loss is divided by it, in float32.
    """

    forward: Rounding = exact
    backward: Rounding = exact
    store: Rounding = exact
    factor: float = 1.0
    scale: float = 1.0


def rounded_outputs(net: nn.Sequential, x: Tensor, arithmetic: Arithmetic) -> Tensor:
    """The outputs of a net of linear layers and ReLUs, computed as autocast computes them.

        y = r(r(x) r(W)^T + r(b))      r rounds a value on the way forward and its gradient on the way back

    Products are added up in float32.

    Shape: x (N, inputs) -> (N, outputs).
    Raises: ValueError for a net that holds something else.
    Agrees with: `torch.autocast`, to the order in which products are added up.

    Example:
        >>> half = lambda t: t.half().float()
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> rounded_outputs(net, torch.ones(4, 2), Arithmetic(half, half)).shape
        torch.Size([4, 1])
    """
    layers = [(p[0][None], p[1][None, None]) for p in _linear(net)]
    return _outputs(layers, x[None], [arithmetic])[0]


def train_rounded(
    make_model: Callable[[], nn.Sequential],
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    settings: Mapping[Hashable, Arithmetic],
    *,
    steps: int,
    seeds: Sequence[int],
    optimizer: Callable[[list[Tensor]], Optimizer],
    batch_size: int = 32,
) -> dict[Hashable, Tensor]:
    """Final validation loss (S,) of each setting: classifiers trained side by side.

    A seed draws the same weights and the same batches in every setting. What a setting does not round is
    float32: the optimizer's state and the losses are.

    Args:
        make_model: builds linear layers with ReLUs between them.
        train, validation: x (S, N, inputs) and y (S, N), examples of each seed.
        settings: name -> its arithmetic; the validation loss is without factor and scale.
        steps: >= 1.
    Raises: ValueError for another net, no settings, or steps < 1.
    """
    require(steps >= 1 and len(settings) >= 1, "steps >= 1 and a setting", steps=steps)
    how, copies, (x, y) = list(settings.values()), len(settings), train
    layers = _stacked(make_model, seeds, copies)
    parameters = [p for layer in layers for p in layer]
    rule = optimizer(parameters)
    factor, scale = (
        torch.tensor([getattr(one, name) for one in how]).repeat_interleave(len(seeds))[:, None, None]
        for name in ("factor", "scale")
    )
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    shape, rows = (steps, batch_size), torch.arange(len(seeds))[:, None]
    order = torch.stack([torch.randint(x.shape[1], shape, generator=g) for g in generators], 1)
    for picks in order:
        losses = _losses(layers, x[rows, picks], y[rows, picks], how)
        rule.zero_grad()
        (losses * (factor * scale).flatten()).sum().backward()
        for p in parameters:
            assert p.grad is not None
            p.grad /= scale
        rule.step()
        with torch.no_grad():
            for p in parameters:
                for one, part in zip(how, p.chunk(copies), strict=True):
                    if one.store is not exact:
                        part.copy_(one.store(part))
    with torch.no_grad():
        ends = _losses(layers, *validation, how).double().view(copies, len(seeds))
    return dict(zip(settings, ends, strict=True))


def _losses(layers: Sequence[Sequence[Tensor]], x: Tensor, y: Tensor, how: Sequence[Arithmetic]) -> Tensor:
    """Cross-entropy (rows,), rows being seeds within settings."""
    logits = _outputs(layers, x.repeat(len(how), 1, 1), how)
    each = F.cross_entropy(logits.flatten(0, 1), y.repeat(len(how), 1).flatten(), reduction="none")
    return each.view(len(logits), -1).mean(1)


def _outputs(layers: Sequence[Sequence[Tensor]], x: Tensor, how: Sequence[Arithmetic]) -> Tensor:
    """Weights (rows, out, in), biases (rows, 1, out), x (rows, N, in) -> (rows, N, out)."""

    def r(t: Tensor) -> Tensor:
        if all(one.forward is one.backward is exact for one in how):
            return t
        rounded = [
            _Rounded.apply(part, one.forward, one.backward)  # type: ignore[no-untyped-call]
            for part, one in zip(t.chunk(len(how)), how, strict=True)
        ]
        return torch.cat(rounded)

    for k, (weight, bias) in enumerate(layers):
        x = r(torch.baddbmm(r(bias), r(x if k == 0 else x.relu()), r(weight).mT))
    return x


def _linear(net: nn.Sequential) -> list[tuple[Tensor, Tensor]]:
    kinds = [type(part) for part in net]
    wanted = [nn.Linear if k % 2 == 0 else nn.ReLU for k in range(len(kinds))]
    cure = "build nn.Sequential(nn.Linear(...), nn.ReLU(), nn.Linear(...))"
    require(kinds == wanted, "linear layers with a ReLU between each two", cure=cure, net=kinds)
    return [(part.weight, part.bias) for part in net if isinstance(part, nn.Linear)]


def _stacked(
    make_model: Callable[[], nn.Sequential], seeds: Sequence[int], copies: int
) -> list[tuple[Tensor, Tensor]]:
    """Weights (copies * S, out, in) and biases (copies * S, 1, out) of each layer, as leaves."""
    nets = []
    with torch.random.fork_rng([]):
        for seed in seeds:
            torch.manual_seed(seed)
            nets.append(_linear(make_model()))
    layers = []
    for of_layer in zip(*nets, strict=True):
        weights, biases = (torch.stack([p.detach() for p in part]) for part in zip(*of_layer, strict=True))
        layers.append(
            (
                weights.repeat(copies, 1, 1).requires_grad_(),
                biases[:, None].repeat(copies, 1, 1).requires_grad_(),
            )
        )
    return layers


class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, t: Tensor, forward: Rounding, backward: Rounding) -> Tensor:
        ctx.backward_rounding = backward
        return forward(t)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        return ctx.backward_rounding(g), None, None
