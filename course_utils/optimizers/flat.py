"""All parameters in one buffer: an elementwise optimizer steps a few long tensors, not many short ones."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter, is_
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from course_utils._checks import is_whole, require

# Entries of a block on the CPU: its temporaries stay in the cache, and malloc reuses their pages.
BLOCK = 2**18
# Bytes: every parameter starts as well aligned as an allocation of its own would.
ALIGN = 64
_GRADIENT = attrgetter("grad")


class Block(nn.Parameter):
    """A stretch of the buffer, as the optimizer sees it. Its gradient is the module's, gathered when read."""

    is_flat = True
    _pieces: list[_Piece]
    _params: list[Tensor]  # of the pieces
    _views: list[Tensor]  # their gradients
    _gradient: Tensor

    @property
    def grad(self) -> Tensor:
        for piece in self._pieces[:1]:  # `.to(...)` moves them all; clearing gradients looks at each
            piece.check()
        if not all(map(is_, map(_GRADIENT, self._params), self._views)):  # in C: it runs at every step
            for piece in self._pieces:
                piece.put_in_place()
        return self._gradient

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is None:  # zero_grad(set_to_none=True)
            for piece in self._pieces:
                piece.check()
                piece.p.grad = piece.gradient
            self._gradient.zero_()
        else:
            self._gradient.copy_(value)

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise TypeError(
            "need the parameters of a module to copy; copy a flat optimizer's state_dict() instead"
        )

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "need the parameters of a module to save; save a flat optimizer's state_dict() instead"
        )


class _Piece:
    """One parameter of the module: where its values and its gradient lie in the buffers."""

    def __init__(self, p: Tensor, values: Tensor, gradient: Tensor, owner: dict[str, Any], name: str) -> None:
        values.copy_(p)
        gradient.zero_() if p.grad is None else gradient.copy_(_dense(p.grad))
        p.data, p.grad = values, gradient
        self.p, self.gradient, self.owner, self.name = p, gradient, owner, name
        self.address = p.data_ptr()

    def check(self) -> None:
        if self.p.data_ptr() != self.address or self.owner.get(self.name) is not self.p:
            raise RuntimeError(
                f"need the parameters where FlatParameters put them, got another tensor for {self.name!r}; "
                "make FlatParameters and the optimizer after .to(...) or load_state_dict(..., assign=True)"
            )

    @torch.no_grad()
    def put_in_place(self) -> None:
        """Bring a gradient that backward has made anew, after `module.zero_grad()`, into the buffer."""
        self.check()
        if self.p.grad is None:
            self.gradient.zero_()
        else:
            self.gradient.copy_(_dense(self.p.grad))
        self.p.grad = self.gradient


def _part(whole: Tensor, start: int, shape: torch.Size) -> Tensor:
    """A tensor in the memory of `whole`, but with a storage of its own: saving it saves no more than that."""
    stop = start + shape.numel()
    try:
        storage = whole.untyped_storage()[start * whole.itemsize : stop * whole.itemsize]
    except NotImplementedError:  # there is no memory, as on the device meta
        return whole[start:stop].view(shape)
    part: Tensor = torch.empty(0, device=whole.device, dtype=whole.dtype).set_(storage)
    return part.view(shape)


def _dense(g: Tensor) -> Tensor:
    return g if g.layout == torch.strided else g.to_dense()


class FlatParameters:
    """Lay parameters and their gradients out in one buffer each, and hand the buffer to an optimizer.

        flat = FlatParameters(model)
        optimizer = Adam(flat.parameters(), lr=1e-3)

    The model keeps its parameters, which become views of the buffer; nothing else in a training loop changes.
    An elementwise optimizer, ours or torch's, takes the same steps as without, but pays for one call instead
    of one per parameter. On the CPU the buffer is stepped in blocks, so that a large one is read once from
    memory and not once per operation.

    Args:
        module_or_params: a module, its parameters, or groups of them (dicts with "params"). A parameter used
            twice is laid out once; one with requires_grad=False is left alone.
        block: entries per block, > 0. Default: 2**18 on the CPU, the whole buffer elsewhere.

    There is one buffer per group, device and dtype. These work as before: `zero_grad()` and `load_state_dict`
    of module or optimizer, clipping, `GradScaler`, schedulers, gradient accumulation; copying and saving the
    module, or a part of it, which takes the part's bytes and not the buffer's.

    Departures:
        A parameter without a gradient counts as one whose gradient is zero: it is not skipped, so momentum
        still moves it and weight decay shrinks it; a sparse gradient is made dense. After `zero_grad()` of
        the optimizer, gradients are zero, not None. The optimizer's state_dict has one entry per block, and
        loads only into the same layout.
        Neither the blocks nor an optimizer over them can be copied or pickled: they belong to this module.

    Raises: ValueError if there is nothing to lay out, or a parameter is in two groups; RuntimeError at the
        next step if the module was moved or cast since (`.to(...)`), or at the next `zero_grad()` if a part
        of it was: do that first.
        Optimizers that mix the entries of a parameter (Muon, SAM) refuse a flat one.
    """

    def __init__(
        self,
        module_or_params: nn.Module | Iterable[Tensor] | Iterable[dict[str, Any]],
        *,
        block: int | None = None,
    ) -> None:
        whole = block is None or (is_whole(block) and block >= 1)
        require(whole, "a whole number block >= 1", block=block)
        self._owners: dict[Tensor, tuple[dict[str, Any], str]] = {}
        if isinstance(module_or_params, nn.Module):
            for module in module_or_params.modules():
                for name, p in module._parameters.items():
                    if p is not None:
                        self._owners.setdefault(p, (module._parameters, name))
            module_or_params = module_or_params.parameters()
        listed: list[Any] = list(module_or_params)
        self._grouped = bool(listed) and isinstance(listed[0], dict)
        self._groups: list[dict[str, Any]] = []
        seen: set[Tensor] = set()
        for group in listed if self._grouped else [{"params": listed}]:
            params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
            tensors = all(isinstance(p, Tensor) for p in params)
            require(tensors, "tensors", cure="pass parameters(), not named_parameters()")
            unique = [p for p in dict.fromkeys(params) if p.requires_grad]
            require(seen.isdisjoint(unique), "each parameter in one group", cure="remove it from the others")
            seen.update(unique)
            self._groups.append({**group, "params": self._lay_out(unique, block)})
        require(bool(seen), "at least one parameter with requires_grad=True")

    def parameters(self) -> list[Any]:
        """What to give to the optimizer: the blocks, or, if groups were given, groups of blocks."""
        return list(self._groups) if self._grouped else list(self._groups[0]["params"])

    @torch.no_grad()
    def _lay_out(self, params: list[Tensor], block: int | None) -> list[Block]:
        alike: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
        for p in params:
            require(p.is_leaf, "leaf tensors", cure="pass the parameters themselves")
            require(p.is_floating_point(), "real floating-point parameters", dtype=p.dtype)
            alike.setdefault((p.device, p.dtype), []).append(p)
        blocks = []
        for (device, dtype), members in alike.items():
            unit = ALIGN // dtype.itemsize
            starts = [0]
            for p in members:
                starts.append(starts[-1] + -(-p.numel() // unit) * unit)  # rounded up to a whole unit
            values, gradients = (torch.zeros(starts[-1], device=device, dtype=dtype) for _ in range(2))
            spans = []
            for p, start in zip(members, starts, strict=False):
                stop = start + p.numel()
                owner, name = self._owners.get(p, ({"p": p}, "p"))
                place, gradient = (_part(whole, start, p.shape) for whole in (values, gradients))
                spans.append((start, stop, _Piece(p, place, gradient, owner, name)))
            length = block or (BLOCK if device.type == "cpu" else max(1, starts[-1]))
            for lo in range(0, starts[-1], length):
                hi = lo + length
                part = Block(values[lo:hi])
                part._gradient = gradients[lo:hi]
                part._pieces = [piece for start, stop, piece in spans if start < hi and lo < stop]
                part._params = [piece.p for piece in part._pieces]
                part._views = [piece.gradient for piece in part._pieces]
                blocks.append(part)
        return blocks
