"""Batches: from tensors, data sets and loaders; of what they may be; with labels or without."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from course_utils import data
from course_utils.augmentation import Compose, Mixup, RandomHorizontalFlip
from course_utils.training.batches import batches_of, check_examples, checked, minibatches, on_pairs
from tests.mutants import mistakes
from tests.training.runs import examples, images, same

X, Y = examples(10)


class Rows:
    """A data set by its methods alone, of NumPy's numbers, as many are."""

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, i: int) -> tuple[np.ndarray, int]:
        return X[i].numpy(), int(Y[i])


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        yield from zip(X, Y, strict=True)


def check_a_data_set_is_its_examples(batches_of: Callable[..., Iterator[Any]]) -> None:
    """The same batches as a pair of tensors, shuffled and in order, epoch for epoch."""
    for made in (TensorDataset(X, Y), Subset(TensorDataset(X, Y), range(10)), Rows()):
        ours, theirs = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
        for _ in range(2):
            expected = list(batches_of((X, Y), 4, theirs))
            assert [len(y) for _, y in expected] == [4, 4, 2]
            assert same(list(batches_of(made, 4, ours)), expected)
        in_order = list(batches_of(made, np.int64(4), None))
        assert same(in_order, list(zip(X.split(4), Y.split(4), strict=True)))


def test_a_data_set_is_its_examples() -> None:
    check_a_data_set_is_its_examples(batches_of)


MUTANTS = {
    "an-example-a-batch": (
        "if not (is_pair(examples) or is_dataset(examples)):",
        "if not is_pair(examples):",
    ),
    "not-collated": ("default_collate([examples[i] for i in index.tolist()])", "examples[index]"),
    "the-last-left-out": ("n = len(tensors_in(examples[0])[0])", "n = 9"),
}
test_mistakes_are_caught = mistakes(
    "course_utils.training.batches", MUTANTS, check=check_a_data_set_is_its_examples, of="batches_of",
    also=(ValueError, KeyError, TypeError),
)  # fmt: skip


def test_several_inputs_of_all_examples_may_come_as_one() -> None:
    z = torch.arange(10)
    draw = torch.Generator().manual_seed(0)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    for (x, named), y in batches_of(((X, {"z": z}), Y), 4, draw):
        assert same([x, named, y], [X[order[:4]], {"z": z[order[:4]]}, Y[order[:4]]])
        order = order[4:]
    assert len(order) == 0
    with pytest.raises(
        ValueError, match=re.escape("as many inputs as targets in train, got x=[10, 9], y=10")
    ):
        check_examples("train", ((X, z[:9]), Y))


def test_minibatches_take_whole_numbers_and_generators() -> None:
    one = torch.Generator().manual_seed(1)
    assert [len(index) for index in minibatches(np.int64(5), np.int32(2), one)] == [2, 2, 1]
    for wrong in ((0, 2, one), (5, 0, one), (5.0, 2, one), (5, True, one), (5, 2), (5, 2, 1)):
        with pytest.raises(
            ValueError, match=r"need (whole numbers n >= 1 and batch_size >= 1|a generator), got"
        ):
            next(minibatches(*wrong))


FROM_WHAT = [
    (
        (X.numpy(), Y.numpy()),
        "need tensors in train, got train='ndarray, ndarray'; make tensors of them, as torch",
    ),
    ([X, Y.numpy()], "need tensors in train, got train='Tensor, ndarray'"),
    ((X.numpy()[:2], Y.numpy()[:2]), "need tensors in train"),
    (X, "need inputs and targets in train, got train='Tensor'; pass a pair of tensors (x, y), a Dataset"),
    (X.numpy(), "need inputs and targets in train, got train='ndarray'"),
    ({"x": X, "y": Y}, "need inputs and targets in train, got train='dict'"),
    ("digits", "need inputs and targets in train, got train='str'"),
    (7, "need inputs and targets in train, got train='int'"),
    (Stream(), "need batches from train, got train='Stream'; wrap it in DataLoader"),
    (TensorDataset(X[:0], Y[:0]), "need an example in train, got train='TensorDataset'"),
    ((X, Y[:3]), "need as many inputs as targets in train, got x=10, y=3"),
    ((X, torch.tensor(1)), "need as many inputs as targets in train, got x=10, y=0"),
    (
        data.digits(),
        "need one part of a split as train, got train='Dataset'; pass its train, validation or test",
    ),
    (data.digits().split(0), "need one part of a split as train, got train='Split'"),
    (
        data.digits().splits([0, 1]).train,
        "need the examples of one seed as train, got train='Stacked'; pass (train.x",
    ),
]


@pytest.mark.parametrize(("given", "message"), FROM_WHAT, ids=range(len(FROM_WHAT)))
def test_what_holds_no_batches_is_refused_by_its_name(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        check_examples("train", given)


def test_what_holds_batches_is_taken() -> None:
    every = [
        (X, Y),
        [X, Y],
        TensorDataset(X, Y),
        Rows(),
        DataLoader(Stream(), 3),
        data.digits().split(0).train,
    ]
    every += [[(X, Y)], ((X, Y), (X, Y)), (batch for batch in [(X, Y)])]
    for given in every:
        check_examples("train", given)
        x, y = next(iter(batches_of(given, 4, None)))
        assert isinstance(x, Tensor)
        assert len(x) == len(y)


BATCHES = [
    (
        {"x": X, "y": Y},
        "need batches (inputs, targets) from train, got batch=\"dict with 'x', 'y'\"; put several",
    ),
    (
        (X, torch.ones(10), Y),
        "need batches (inputs, targets) from train, got batch='tuple of 3'; put several inputs",
    ),
    ((X,), "got batch='tuple of 1'"),
    (X, "got batch='Tensor'"),
    ((X.numpy(), Y.numpy()), "need tensors as inputs from train, got inputs='ndarray'; make tensors"),
    ((X, [1, 2]), "need tensors as targets from train, got targets='list'"),
    (((X, Y.numpy()), Y), "need tensors as inputs from train, got inputs='tuple'"),
    ((X[0], 1), "need tensors as targets from train, got targets='int'"),
    (
        (X[0], Y[0]),
        "need batches of targets from train, got targets='one number'; take batches of the single",
    ),
]


@pytest.mark.parametrize(("batch", "message"), BATCHES, ids=range(len(BATCHES)))
def test_what_is_no_batch_is_named(batch: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        checked(batch, "train")
    with pytest.raises(ValueError, match="from train, got"):
        list(batches_of([batch], 4, None, "train"))


class Plain(Dataset[Any]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, i: int) -> Any:
        return {"x": X[i], "y": Y[i]}


def test_a_data_set_of_something_else_is_named_too() -> None:
    with pytest.raises(
        ValueError, match=re.escape("(inputs, targets) from train, got batch=\"dict with 'x', 'y'\"")
    ):
        list(batches_of(Plain(), 4, None, "train"))


TAKES = [
    (lambda x: x + 1, False),
    (lambda x, y: (x, y), True),
    (lambda x, strength=2: x, False),
    (RandomHorizontalFlip(), False),
    (Mixup(1.0, 2), True),
    (Compose([RandomHorizontalFlip(), Mixup(1.0, 2)]), True),
    (Compose([RandomHorizontalFlip()]), False),
    (functools.partial(torch.mul, torch.tensor(2.0)), False),
    (torch.neg, False),
    (nn.Identity(), False),
]


@pytest.mark.parametrize(("augment", "labels"), TAKES, ids=range(len(TAKES)))
def test_augmentations_of_inputs_and_of_pairs_are_told_apart(augment: Any, labels: bool) -> None:
    x, y = images(6)
    new_x, new_y = on_pairs(augment)(x, y)
    assert new_x.shape == x.shape
    assert (on_pairs(augment) is augment) == labels
    assert labels or new_y is y
