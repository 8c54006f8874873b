"""A generator that a module holds, in the workers of a `DataLoader`."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch.utils.data import get_worker_info

_begun: WeakKeyDictionary[torch.Generator, int] = WeakKeyDictionary()  # in a worker: the seed it began with


def of_this_process(generator: torch.Generator | None) -> torch.Generator | None:
    """`generator`, seeded anew at its first draw in a worker of a `DataLoader`.

    Every worker of every epoch starts from one and the same copy of it, and would draw the same numbers.
    torch seeds its global generator in each worker, from a draw of the epoch and the worker's number; the new
    seed mixes that one with the generator's own. So workers, epochs and generators differ, and
    `torch.manual_seed` (or the loader's generator) gives them all again.
    """
    worker = None if generator is None else get_worker_info()
    if generator is not None and worker is not None and _begun.get(generator) != worker.seed:
        (seed,) = np.random.SeedSequence([generator.initial_seed(), worker.seed]).generate_state(1, np.uint64)
        generator.manual_seed(int(seed))
        _begun[generator] = worker.seed
    return generator
