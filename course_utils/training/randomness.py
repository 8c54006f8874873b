"""Every source of randomness that a run draws from, to be put back where it was."""

from __future__ import annotations

import functools
import inspect
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler

from course_utils._checks import require


class Randomness:
    """The global generators of torch, NumPy and Python, and the `torch.Generator`s that `things` hold.

    Args:
        things: generators, or what may hold some: modules, loaders, functions (see `generators_in`).
    """

    def __init__(self, *things: object) -> None:
        self.generators = list(dict.fromkeys(generators_in(things)))

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers and tensors, which `torch.load(..., weights_only=True)` accepts."""
        numpy: Any = np.random.get_state(legacy=False)  # noqa: NPY002 - the user's code may draw from it
        numpy["state"]["key"] = numpy["state"]["key"].tolist()
        return {
            "generators": [generator.get_state() for generator in self.generators],
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "numpy": numpy,
            "python": random.getstate(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        got, expected = len(self.generators), len(state["generators"])
        require(got == expected, f"the {expected} generators of the run that is resumed", generators=got)
        for generator, position in zip(self.generators, state["generators"], strict=True):
            generator.set_state(position)
        torch.set_rng_state(state["torch"])
        if torch.cuda.is_available() and state["cuda"]:
            torch.cuda.set_rng_state_all(state["cuda"])  # pragma: no cover  (a GPU's)
        numpy = state["numpy"]
        numpy["state"]["key"] = np.array(numpy["state"]["key"], dtype=np.uint32)
        np.random.set_state(numpy)  # noqa: NPY002
        random.setstate(state["python"])


def generators_in(thing: object) -> Iterator[torch.Generator]:
    """The generators that `thing` is or holds, in a fixed order, some perhaps twice.

    Looked through: short lists, tuples, dicts; attributes of modules, loaders, samplers and data sets; what a
    function closes over, names (other functions apart) or has as default; `functools.partial`; bound methods.
    """
    seen: dict[int, object] = {}  # holds what it has seen: the id of an object that is gone may come again
    waiting: list[Any] = [thing]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen[id(current)] = current
        if isinstance(current, torch.Generator):
            yield current
        elif isinstance(current, (list, tuple)):
            if len(current) <= 1000:  # not the examples of a data set
                waiting += current
        elif isinstance(current, dict):
            waiting += current.values()
        elif isinstance(current, functools.partial):
            waiting += [current.func, current.args, current.keywords]
        elif inspect.ismethod(current):
            waiting += [current.__self__, current.__func__]
        elif inspect.isfunction(current):
            variables = inspect.getclosurevars(current)
            waiting += [variables.nonlocals, current.__defaults__, current.__kwdefaults__]
            waiting += [value for value in variables.globals.values() if not inspect.isfunction(value)]
        elif isinstance(current, (nn.Module, DataLoader, Sampler, Dataset)):
            waiting.append(vars(current))
