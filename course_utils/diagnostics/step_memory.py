"""What a training step holds in memory, counted tensor by tensor on any device."""

from __future__ import annotations

import weakref
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class HeldBytes(TorchDispatchMode):
    """Bytes of the tensors that operations inside the block have made and that are still alive.

        with HeldBytes() as held:
            loss = F.cross_entropy(net(x), y)
            saved = held.now                       what the forward pass keeps for the backward pass
            loss.backward()
        held.peak, held.history                    the most at any time; the count after each change

    A tensor counts from the operation that makes it until its memory is free again; views of one memory
    count once. What was there before the block does not count. Memory that an operation uses inside itself
    is not seen.

    Example:
        >>> with HeldBytes() as held:
        ...     x = torch.zeros(100)
        ...     y = 2 * x + 1
        >>> held.now, held.peak
        (800, 1200)
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as torch has it
        self.now = 0
        self.history: list[int] = []
        self._alive: dict[int, weakref.ref[Any]] = {}  # address -> its memory

    @property
    def peak(self) -> int:
        """The most bytes that were alive at one time."""
        return max(self.history, default=0)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        # an operation in place gives back what it was given, which may have been there before
        given = {_address(t) for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        for t in tree_leaves(made):
            if isinstance(t, Tensor) and _address(t) not in given:
                self._watch(t)
        return made

    def _watch(self, t: Tensor) -> None:
        storage, address = t.untyped_storage(), _address(t)
        size = storage.nbytes()
        if size == 0:
            return

        def freed(_: object) -> None:
            del self._alive[address]
            self._change(-size)

        self._alive[address] = weakref.ref(storage, freed)
        self._change(size)

    def _change(self, size: int) -> None:
        self.now += size
        self.history.append(self.now)


def _address(t: Tensor) -> int:
    return t.untyped_storage().data_ptr()
