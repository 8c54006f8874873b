"""S models as one: stacked parameters, the forward pass, the loss and the clipping of each seed."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from course_utils import losses
from course_utils.layers.dropout import Dropout

Loss = Callable[[Tensor, Tensor], Tensor]
Named = list[tuple[str, Tensor]]


class StackedNets:
    """S models as one: parameters and buffers stacked, the forward pass mapped over seeds by `torch.func`."""

    def __init__(self, models: list[nn.Module]) -> None:
        parameters, buffers = stack_module_state(models)
        self.parameters = {name: p.detach().clone().requires_grad_() for name, p in parameters.items()}
        self.buffers = {name: b.detach().clone() for name, b in buffers.items()}
        self.base = copy.deepcopy(models[0]).to("meta")

    def named_parameters(self) -> Named:
        return list(self.parameters.items())

    def tensors(self) -> dict[str, Tensor]:
        return {**self.parameters, **self.buffers}

    def state(self) -> dict[str, Tensor]:
        return self.tensors()

    def forward(self, x: Tensor, *, training: bool) -> Tensor:
        self.base.train(training)

        def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
            output: Tensor = functional_call(self.base, (parameters, buffers), (x,))
            return output

        return vmap(one, randomness="different")(self.parameters, self.buffers, x)


class StackedDenseNets(StackedNets):
    """The same for a plain stack of linear layers, activations and dropout, by batched matrix products.

    Weights are kept as (S, in, out), so that every gradient comes out contiguous, laid out as its weight.
    """

    def __init__(self, models: list[nn.Module]) -> None:
        super().__init__(models)
        for name in [name for name in self.parameters if name.endswith("weight")]:
            self.parameters[name] = self.parameters[name].detach().mT.contiguous().requires_grad_()

    def state(self) -> dict[str, Tensor]:
        return {
            name: p.detach().mT if name.endswith("weight") else p.detach()
            for name, p in self.tensors().items()
        }

    def forward(self, x: Tensor, *, training: bool) -> Tensor:
        self.base.train(training)
        for name, layer in self.base.named_children():
            if isinstance(layer, nn.Linear):
                weight, bias = self.parameters[f"{name}.weight"], self.parameters.get(f"{name}.bias")
                x = x @ weight if bias is None else torch.baddbmm(bias[:, None], x, weight)
            elif isinstance(layer, nn.Flatten):
                x = x.flatten(2)
            else:
                x = layer(x)
        return x


_ENTRYWISE = (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.LeakyReLU, nn.ELU, nn.Softplus, nn.Identity)
_DENSE = (nn.Linear, nn.Flatten, nn.Dropout, Dropout, *_ENTRYWISE)


def stack(models: list[nn.Module]) -> StackedNets:
    first = models[0]
    children = list(first.children()) if type(first) is nn.Sequential else []
    names = [name for name, _ in first.named_parameters()]
    dense = bool(children) and all(type(child) in _DENSE for child in children)
    trained = all(p.requires_grad for p in first.parameters())
    if dense and trained and len(names) == sum(len(list(child.parameters())) for child in children):
        return StackedDenseNets(models)
    return StackedNets(models)


# Losses whose mean over a batch is the plain mean of `reduction="none"`, with classes in dimension 1: seeds
# pass as the batch and examples as a further dimension, several times faster than a vmap over seeds.
_PLAIN_MEAN = (
    F.cross_entropy,
    F.mse_loss,
    F.l1_loss,
    F.binary_cross_entropy_with_logits,
    losses.cross_entropy,
    losses.mse_loss,
    losses.l1_loss,
    losses.binary_cross_entropy_with_logits,
)


def per_seed(loss: Loss, prediction: Tensor, target: Tensor) -> Tensor:
    """Mean loss of each seed, (S,), from predictions and targets of shape (S, b, ...)."""
    if loss in _PLAIN_MEAN and prediction.ndim == 3:
        moved = target.mT if target.shape == prediction.shape else target
        return loss(prediction.mT, moved, reduction="none").flatten(1).mean(1)
    return vmap(loss)(prediction, target)


def clip_per_seed(parameters: list[Tensor], largest: float) -> None:
    """Scale each seed's gradient to a norm of at most `largest` (torch's rule, with its 1e-6)."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norms = torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)  # (S,)
    scale = (largest / (norms + 1e-6)).clamp(max=1.0)
    for g in gradients:
        g.mul_(scale.view(-1, *[1] * (g.ndim - 1)))
