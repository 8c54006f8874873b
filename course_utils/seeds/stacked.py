"""S models as one: stacked parameters, the forward pass, the loss and the clipping of each seed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from course_utils import losses
from course_utils._checks import require
from course_utils.layers.dropout import Dropout
from course_utils.training.modes import frozen_parts, set_training

Loss = Callable[..., Tensor]  # (prediction, target) -> mean
Named = list[tuple[str, Tensor]]

_CURE = "train seed by seed with fit"
# torch's optimizers whose step mixes the entries of a parameter; ours say so themselves.
_MIXES_ENTRIES = (torch.optim.Adafactor, torch.optim.LBFGS, torch.optim.Muon)


class StackedNets:
    """S models as one: parameters and buffers stacked, the forward pass mapped over seeds by `torch.func`."""

    def __init__(self, models: list[nn.Module]) -> None:
        _check_alike(models)
        parameters, buffers = stack_module_state(models)
        self.parameters = {
            name: p.detach().clone().requires_grad_(p.requires_grad) for name, p in parameters.items()
        }
        self.buffers = {name: b.detach().clone() for name, b in buffers.items()}
        self.base = _without_numbers(models[0])
        kept = {id(tensor): name for name, tensor in _named_tensors(models[0])}
        # name in state_dict() -> name among the stacked tensors: another one for the second place of a tensor
        self.names = {
            name: kept[id(tensor)]
            for name, tensor in models[0].state_dict(keep_vars=True).items()
            if id(tensor) in kept
        }
        self.frozen = frozen_parts(self.base)
        set_training(self.base, self.frozen)

    def named_parameters(self) -> Named:
        return list(self.parameters.items())

    def tensors(self) -> dict[str, Tensor]:
        return {**self.parameters, **self.buffers}

    def holding(self, weights: list[Tensor]) -> StackedNets:
        """The same nets with other weights, one stacked tensor (S, ...) per parameter."""
        nets = copy.copy(self)
        nets.parameters = dict(zip(self.parameters, weights, strict=True))
        return nets

    def set_mode(self, training: bool) -> None:
        if self.base.training == training:
            return
        if training:
            set_training(self.base, self.frozen)
        else:
            self.base.eval()

    def forward(self, x: Tensor, *, training: bool) -> Tensor:
        """Outputs (S, b, ...) for inputs (S, b, ...)."""
        self.set_mode(training)

        def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
            output: Tensor = functional_call(self.base, (parameters, buffers), (x,))
            return output

        def first_alone() -> Tensor:
            weights = {name: p[0] for name, p in self.parameters.items()}
            return one(weights, {name: b[0].clone() for name, b in self.buffers.items()}, x[0])

        forward = vmap(one, randomness="different")
        what = f"a model that torch.func.vmap can run, got {type(self.base).__name__}"
        return _mapped(lambda: forward(self.parameters, self.buffers, x), first_alone, what)

    def losses(self, loss: Loss, x: Tensor, y: Tensor) -> Tensor:
        """The losses (S, ...) of a batch in train mode, whose mean is each seed's."""
        return losses_per_seed(loss, self.forward(x, training=True), y)


class StackedDenseNets(StackedNets):
    """The same for a plain stack of linear layers, activations and dropout, by batched matrix products.

    Activations are kept as (S, features, b), so that a layer is W @ x: with the few outputs of a last layer
    the products are several times faster than x @ W.mT, and every gradient comes out laid out as its weight.
    """

    def __init__(self, models: list[nn.Module]) -> None:
        super().__init__(models)
        # Not named_children(), which leaves the second use of an activation out.
        self.layers = [(name, layer) for name, layer in self.base._modules.items() if layer is not None]

    def forward(self, x: Tensor, *, training: bool) -> Tensor:
        return self._columns(x, training).mT if self._takes(x) else super().forward(x, training=training)

    def losses(self, loss: Loss, x: Tensor, y: Tensor) -> Tensor:
        if self._takes(x) and y.ndim == 2 and _plain(loss) in _CROSS_ENTROPIES:
            return loss(self._columns(x, True), y, reduction="none")
        return super().losses(loss, x, y)

    def _takes(self, x: Tensor) -> bool:
        """Not linear layers over further dimensions."""
        return x.ndim == 3 or type(self.layers[0][1]) is nn.Flatten

    def _columns(self, x: Tensor, training: bool) -> Tensor:
        """Outputs (S, outputs, b)."""
        self.set_mode(training)
        x = x.flatten(2).mT  # (S, features, b)
        for name, layer in self.layers:
            if isinstance(layer, nn.Linear):
                weight, bias = self.parameters[f"{name}.weight"], self.parameters.get(f"{name}.bias")
                x = weight @ x if bias is None else torch.baddbmm(bias.unsqueeze(2), weight, x)
            elif not isinstance(layer, nn.Flatten):
                x = layer(x)
        return x


_ENTRYWISE = (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.LeakyReLU, nn.ELU, nn.Softplus, nn.Identity)
_DENSE = (nn.Linear, nn.Flatten, nn.Dropout, Dropout, *_ENTRYWISE)


def stack(models: list[nn.Module]) -> StackedNets:
    """The models as one: by batched matrix products where they are plain stacks of layers, else by a vmap."""
    first = models[0]
    layers = list(first) if type(first) is nn.Sequential else []
    dense = bool(layers) and all(type(layer) in _DENSE for layer in layers)
    flat = all((c.start_dim, c.end_dim) == (1, -1) for c in layers if isinstance(c, nn.Flatten))
    shared = sum(len(list(layer.parameters())) for layer in layers) > len(list(first.parameters()))
    return (StackedDenseNets if dense and flat and not shared else StackedNets)(models)


# Losses whose mean over a batch is the plain mean of `reduction="none"`, which takes all seeds at once.
_ENTRYWISE_LOSSES = (
    F.mse_loss,
    F.l1_loss,
    F.binary_cross_entropy_with_logits,
    losses.mse_loss,
    losses.l1_loss,
    losses.binary_cross_entropy_with_logits,
)
_CROSS_ENTROPIES = (F.cross_entropy, losses.cross_entropy)


def per_seed(loss: Loss, prediction: Tensor, target: Tensor) -> Tensor:
    """Mean loss of each seed, (S,), from predictions and targets of shape (S, b, ...)."""
    return mean_per_seed(losses_per_seed(loss, prediction, target))


def mean_per_seed(values: Tensor) -> Tensor:
    """(S, ...) -> (S,)."""
    return values if values.ndim == 1 else values.flatten(1).mean(1)


def losses_per_seed(loss: Loss, prediction: Tensor, target: Tensor) -> Tensor:
    """The losses (S, ...) whose mean is each seed's: (S,) where `loss` has taken it already."""
    rule = _plain(loss)
    if rule in _ENTRYWISE_LOSSES and target.shape == prediction.shape:
        return loss(prediction, target, reduction="none")
    if rule in _CROSS_ENTROPIES and prediction.ndim == 3:  # (S, C, b): S examples with b positions each
        moved = target.mT if target.is_floating_point() else target
        return loss(prediction.mT, moved, reduction="none")
    values = _mapped(
        lambda: vmap(loss, randomness="different")(prediction, target),
        lambda: loss(prediction[0], target[0]),
        f"a loss that torch.func.vmap can run, got {getattr(loss, '__name__', type(loss).__name__)}",
    )
    cure = 'take the mean over the examples, as reduction="mean" does'
    require(values.ndim == 1, "one number of a loss for each seed", cure=cure, shape=tuple(values.shape))
    return values


def _plain(loss: Loss) -> Any:
    """A loss without its label smoothing, which leaves a mean over the batch what it is."""
    if isinstance(loss, partial) and not loss.args and loss.keywords.keys() <= {"label_smoothing"}:
        return loss.func
    return loss


def _mapped(mapped: Callable[[], Tensor], alone: Callable[[], Tensor], what: str) -> Tensor:
    """All seeds in one call. Raises: ValueError where one seed alone works and all of them at once do not."""
    try:
        return mapped()
    except Exception as problem:
        try:
            with torch.random.fork_rng(), torch.no_grad():
                alone()
        except Exception:
            raise problem from None
        raise ValueError(f"need {what}; {_CURE}: {str(problem).splitlines()[0]}") from problem


def _named_tensors(model: nn.Module) -> Named:
    """Parameters and buffers, each once."""
    return [*model.named_parameters(), *model.named_buffers()]


def _check_alike(models: list[nn.Module]) -> None:
    """Refuse models that cannot be stacked, in words."""
    first, *others = models
    lazy = [name for name, tensor in _named_tensors(first) if nn.parameter.is_lazy(tensor)]
    cure = f"name the sizes, run a batch through the model in make_model, or {_CURE}"
    require(not lazy, "parameters that have a shape, where models are stacked", cure=cure, without=lazy)
    shapes = [{name: t.shape for name, t in model.state_dict().items()} for model in models]
    for model, shape in zip(others, shapes[1:], strict=True):
        alike = type(model) is type(first) and shape == shapes[0]
        require(alike, "the same model from each call of make_model", cure=_CURE)


def _without_numbers(model: nn.Module) -> nn.Module:
    """A copy on the device meta, in which what was one tensor in two places is one still."""
    twin = copy.deepcopy(model).to("meta")
    for kind in ("_parameters", "_buffers"):
        first: dict[int, Tensor] = {}
        for module, copied in zip(model.modules(), twin.modules(), strict=True):
            held = getattr(copied, kind)
            for name, tensor in getattr(module, kind).items():
                if tensor is not None:
                    held[name] = first.setdefault(id(tensor), held[name])
    return twin


def keeps_seeds_apart(optimizer: object) -> bool:
    """Whether stacked parameters may be given to it: no entry of its step depends on another seed's.

    An elementwise optimizer keeps every two entries apart. One that is written for stacks says `per_seed`.
    """
    elementwise = getattr(optimizer, "elementwise", not isinstance(optimizer, _MIXES_ENTRIES))
    return bool(getattr(optimizer, "per_seed", elementwise))


def over(values: Tensor, p: Tensor) -> Tensor:
    """One value a seed, (S,), in the shape in which it multiplies p (S, ...)."""
    return values.view(-1, *[1] * (p.ndim - 1))


def norm_per_seed(tensors: list[Tensor]) -> Tensor:
    """The norm, (S,), of all entries that each seed has in these tensors (S, ...)."""
    each = torch.stack([torch.linalg.vector_norm(t.flatten(1), dim=1) for t in tensors])
    norm: Tensor = torch.linalg.vector_norm(each, dim=0)
    return norm


def clip_per_seed(parameters: list[Tensor], largest: float) -> None:
    """Scale each seed's gradient to a norm of at most `largest` (torch's rule, with its 1e-6)."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    scale = (largest / (norm_per_seed(gradients) + 1e-6)).clamp(max=1.0)
    for g in gradients:
        g.mul_(over(scale, g))
