"""Where batches come from: a pair of tensors, a data set, or a loader; and what a batch may be."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten
from torch.utils.data import Dataset, IterableDataset, default_collate

from course_utils._checks import is_whole, require
from course_utils.data import Dataset as CourseData
from course_utils.data import Split, Stacked

Examples = tuple[Tensor, Tensor]
# Inputs and targets, each a tensor, or a tuple, list or dict of tensors.
Batch = tuple[Any, Any]

AS_TENSORS = "make tensors of them, as torch.as_tensor(x, dtype=torch.float32) and torch.as_tensor(y) do"


def minibatches(n: int, batch_size: int, *generators: torch.Generator) -> Iterator[Tensor]:
    """One epoch of indices: every example once, in an order drawn anew; the last batch may be short.

    Args:
        n: number of examples, >= 1.
        batch_size: examples in a batch, >= 1.
        generators: one, or one per seed; each draws its own order.
    Yields: int64 indices, (b,) for one generator and (S, b) for S of them.
    Raises: ValueError for numbers out of range, or without a generator.
    """
    whole = is_whole(n) and n >= 1 and is_whole(batch_size) and batch_size >= 1
    require(whole, "whole numbers n >= 1 and batch_size >= 1", n=n, batch_size=batch_size)
    cure = "torch.Generator().manual_seed(seed)"
    given = len(generators) > 0 and all(isinstance(one, torch.Generator) for one in generators)
    require(given, "a generator", cure=cure, generators=generators)
    orders = [torch.randperm(int(n), generator=one, device=one.device) for one in generators]
    order = orders[0] if len(orders) == 1 else torch.stack(orders)
    for start in range(0, int(n), int(batch_size)):
        yield order[..., start : start + int(batch_size)]


def is_pair(examples: object) -> bool:
    """Whether these are all inputs and all targets, rather than something to take batches from.

    One of the two is a tensor, which no batch is; the other may be a tuple, list or dict of tensors.
    """
    return (
        isinstance(examples, (tuple, list))
        and len(examples) == 2
        and any(isinstance(part, Tensor) for part in examples)
        and all(tensors_in(part) for part in examples)
    )


def is_dataset(examples: object) -> bool:
    """Whether single examples are to be had by their number, as from a map-style `Dataset` of torch."""
    if isinstance(examples, Dataset):
        return not isinstance(examples, IterableDataset)
    by_number = hasattr(examples, "__getitem__") and hasattr(examples, "__len__")
    return by_number and not hasattr(examples, "__iter__")


def check_examples(name: str, examples: Any) -> None:
    """Raise unless batches can be taken from `examples`, which the caller knows as `name`."""
    kind = {name: type(examples).__name__}
    cure = f"pass its train, validation or test part as {name}; a data set has them after split(seed)"
    require(
        not isinstance(examples, (CourseData, Split)), f"one part of a split as {name}", cure=cure, **kind
    )
    cure = f"pass ({name}.x[k], {name}.y[k]) of one seed, or train all seeds with train_seeds"
    require(not isinstance(examples, Stacked), f"the examples of one seed as {name}", cure=cure, **kind)
    cure = (
        "wrap it in DataLoader(data, batch_size=...), or with batch_size=None where it yields whole batches"
    )
    require(not isinstance(examples, IterableDataset), f"batches from {name}", cure=cure, **kind)
    if is_pair(examples):
        x, y = ([len(t) if t.ndim else 0 for t in tensors_in(part)] for part in examples)
        same = len({*x, *y}) == 1 and x[0] >= 1
        require(same, f"as many inputs as targets in {name}", x=_one_or_all(x), y=_one_or_all(y))
    elif is_dataset(examples):
        require(len(examples) >= 1, f"an example in {name}", **kind)
    elif isinstance(examples, (tuple, list)):
        kinds = ", ".join(type(part).__name__ for part in examples[:3])
        require(not any(map(_is_array, examples)), f"tensors in {name}", cure=AS_TENSORS, **{name: kinds})
    plain = isinstance(examples, (Tensor, str, bytes, dict)) or _is_array(examples)
    usable = not plain and (hasattr(examples, "__iter__") or is_dataset(examples))
    cure = "pass a pair of tensors (x, y), a Dataset, a DataLoader, or a list of batches (x, y)"
    require(usable, f"inputs and targets in {name}", cure=cure, **kind)


def batches_of(
    examples: Any, batch_size: int, generator: torch.Generator | None, name: str = "examples"
) -> Iterator[Batch]:
    """Batches of a loader, or of a pair of tensors or a data set: shuffled by `generator`, else in order.

    A data set gives the same batches as a pair of tensors that holds its examples.
    """
    if not (is_pair(examples) or is_dataset(examples)):
        for batch in examples:
            yield checked(batch, name)
        return
    n = len(tensors_in(examples[0])[0]) if is_pair(examples) else len(examples)
    shuffled = minibatches(n, batch_size, generator) if generator is not None else None
    for index in torch.arange(n).split(int(batch_size)) if shuffled is None else shuffled:
        if is_dataset(examples):
            yield checked(default_collate([examples[i] for i in index.tolist()]), name)
        else:
            # In order, a run of neighbours is a view: nothing is copied.
            rows = slice(int(index[0]), int(index[-1]) + 1) if shuffled is None else index
            x, y = (on_tensors(partial(_rows, rows), part) for part in examples)
            yield x, y


def _rows(rows: Tensor | slice, t: Tensor) -> Tensor:
    return t[rows] if isinstance(rows, slice) else t[rows.to(t.device)]


def _one_or_all(counts: list[int]) -> int | list[int]:
    return counts[0] if len(set(counts)) == 1 else counts


def checked(batch: Any, name: str) -> Batch:
    """The batch as (inputs, targets); a ValueError that says what it is instead."""
    got = type(batch).__name__
    if isinstance(batch, (tuple, list)):
        got = f"{got} of {len(batch)}"
    elif isinstance(batch, dict):
        got = f"{got} with {', '.join(map(repr, batch))}"
    cure = "put several inputs into one tuple, ((x, mask), y), in a collate_fn or a generator over the loader"
    pair = isinstance(batch, (tuple, list)) and len(batch) == 2
    require(pair, f"batches (inputs, targets) from {name}", cure=cure, batch=got)
    for part, what in zip(batch, ("inputs", "targets"), strict=True):
        tensors = tensors_in(part)
        usable = bool(tensors) and not any(_is_array(leaf) for leaf in tree_leaves(part))
        require(usable, f"tensors as {what} from {name}", cure=AS_TENSORS, **{what: type(part).__name__})
        cure = "take batches of the single examples with DataLoader(examples, batch_size=...)"
        require(tensors[0].ndim > 0, f"batches of {what} from {name}", cure=cure, **{what: "one number"})
    return batch[0], batch[1]


def _is_array(thing: object) -> bool:
    """An array of NumPy or of another library, a frame or a column of pandas."""
    return hasattr(thing, "__array__") and not isinstance(thing, Tensor)


def in_groups(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """Lists of `size` batches, in order; the last list may be short."""
    group: list[Batch] = []
    for batch in batches:
        group.append(batch)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def on_pairs(augment: Callable[..., Any] | None) -> Callable[[Any, Any], Batch]:
    """`augment` as a function (x, y) -> (x, y), whether or not it looks at y."""
    if augment is None:
        return lambda x, y: (x, y)
    return augment if takes_labels(augment) else lambda x, y: (augment(x), y)


def takes_labels(augment: Callable[..., Any]) -> bool:
    """Whether an augmentation looks at y.

    It does if it, or a module in it, says `takes_labels`, or if it has two arguments without a default.
    """
    modules: list[Any] = list(augment.modules()) if isinstance(augment, nn.Module) else [augment]
    labels = any(getattr(module, "takes_labels", False) for module in modules)
    return labels or _needed_arguments(modules[0]) == 2


def _needed_arguments(function: Any) -> int:
    try:
        signature = inspect.signature(function.forward if isinstance(function, nn.Module) else function)
    except ValueError:  # written in C, without a signature
        return 1
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in positional and p.default is p.empty for p in signature.parameters.values())


# Inputs, targets and predictions: a tensor, or a tuple, list or dict of tensors.


def tensors_in(tree: Any) -> list[Tensor]:
    """The tensors of a tree, in order."""
    if isinstance(tree, Tensor):
        return [tree]
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def on_tensors(change: Callable[[Tensor], Tensor], tree: Any) -> Any:
    """The tree with each of its tensors changed."""
    if isinstance(tree, Tensor):
        return change(tree)
    return tree_map(lambda leaf: change(leaf) if isinstance(leaf, Tensor) else leaf, tree)


def form(tree: Any) -> object:
    """Equal for trees that can be joined: of one structure, with examples of one shape.

    A tree with a number or another object in it, or with a tensor without rows, cannot be joined to any.
    """
    if isinstance(tree, Tensor) and tree.ndim > 0:
        return tree.shape[1:]
    leaves, structure = tree_flatten(tree)
    rows = all(leaf is None or (isinstance(leaf, Tensor) and leaf.ndim > 0) for leaf in leaves)
    return (structure, [None if leaf is None else leaf.shape[1:] for leaf in leaves]) if rows else object()


def joined(trees: list[Any]) -> Any:
    """Trees of one `form` as one: each tensor joined along its first dimension."""
    if len(trees) == 1:
        return trees[0]
    if isinstance(trees[0], Tensor):
        return torch.cat(trees)
    leaves = [tree_leaves(tree) for tree in trees]
    spec = tree_flatten(trees[0])[1]
    together = [None if same[0] is None else torch.cat(same) for same in zip(*leaves, strict=True)]
    return tree_unflatten(together, spec)
