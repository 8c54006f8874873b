"""Which parts of a model are in training mode, and when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


def frozen_parts(model: nn.Module) -> list[nn.Module]:
    """The modules that stay in eval mode while the model trains, each with all that it holds.

    In a model that is in training mode: those that somebody has put in eval mode, as batch norm whose
    statistics are to stay. In a model that is in eval mode as a whole, as `fit` leaves it, this cannot be
    seen: there, those in which no parameter is trained (`requires_grad_(False)`).
    """
    if model.training:
        return [module for module in model.modules() if not module.training]
    frozen: dict[nn.Module, None] = {}
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            frozen |= dict.fromkeys(module.modules())
    return list(frozen)


def set_training(model: nn.Module, frozen: list[nn.Module]) -> None:
    """`model.train()`, but for the frozen parts."""
    model.train()
    for module in frozen:
        module.training = False


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in eval mode; afterwards every module is in the mode it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
