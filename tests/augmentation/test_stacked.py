"""Mixup and CutMix over many seeds: equal to one seed's, and never across seeds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.augmentation import CutMix, Mixup, stacked
from course_utils.data import Stacked
from course_utils.optimizers import SGD
from course_utils.seeds import train_seeds
from tests.mutants import mistakes

MIXES = [Mixup(1.0, 4), CutMix(1.0, 4)]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(seeds: int, size: int) -> tuple[Tensor, Tensor]:
    x = torch.rand(seeds, size, 1, 5, 6, generator=seeded(0), dtype=torch.float64)
    return x, torch.randint(4, (seeds, size), generator=seeded(1))


def check_one_seed(module: Any) -> None:
    """With one seed it is the transform itself, draw for draw."""
    x, y = batch(1, 16)
    for mix in MIXES:
        mixed, rows = module.mix_within_seeds(mix, x, y, generator=seeded(2))
        expected_x, expected_rows = mix(x[0], y[0], generator=seeded(2))
        assert torch.equal(mixed[0], expected_x)
        assert torch.equal(rows[0], expected_rows)


def check_own_seed(module: Any) -> None:
    """Images and labels that name their seed stay as they are, whatever they are mixed with."""
    y = torch.arange(4)[:, None].expand(4, 10)
    x = y[..., None, None, None].expand(4, 10, 1, 5, 6).double()
    for mix in MIXES:
        mixed, rows = module.mix_within_seeds(mix, x, y, generator=seeded(3))
        assert mixed.shape == x.shape
        assert torch.allclose(mixed, x, rtol=1e-12)
        assert torch.allclose(rows, F.one_hot(y, 4).float(), atol=1e-6)


def check_each_once(module: Any) -> None:
    """In every seed each example is partner of exactly one: with lam = 0 the images are permuted."""
    x, y = batch(3, 12)
    mix = Mixup(1.0, 4)
    mix.draw = lambda images, generator: (  # type: ignore[method-assign,misc,assignment]
        torch.randperm(len(images), generator=generator),
        torch.zeros(len(images), dtype=torch.float64),
    )
    mixed, rows = module.mix_within_seeds(mix, x, y, generator=seeded(4))
    for s in range(3):
        order = (mixed[s].flatten(1)[:, None] == x[s].flatten(1)).all(-1).nonzero()[:, 1]
        assert sorted(order.tolist()) == list(range(12))
        assert order.tolist() != list(range(12))
        assert torch.equal(rows[s].argmax(1), y[s][order])


def check_any_shape(module: Any) -> None:
    """Mixup of vectors and of curves is that of the same numbers as images."""
    x, y = batch(3, 8)
    for shape in ((30,), (5, 6)):
        mixed, rows = module.mix_within_seeds(MIXES[0], x.reshape(3, 8, *shape), y, generator=seeded(5))
        expected, expected_rows = module.mix_within_seeds(MIXES[0], x, y, generator=seeded(5))
        assert torch.equal(mixed.reshape(x.shape), expected)
        assert torch.equal(rows, expected_rows)


CHECKS = [check_one_seed, check_own_seed, check_each_once, check_any_shape]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_stacked(check: Any) -> None:
    check(stacked)


test_mistakes_are_caught = mistakes(
    "course_utils.augmentation.stacked",
    [
        (check_one_seed, ".argsort(1).argsort(1)", ".argsort(1)"),
        (check_own_seed, "(order + first)", "order"),
        (check_own_seed, "(order + first).flatten()", "partner"),
        (check_each_once, "order = partner.view(x.shape[:2]).argsort(1).argsort(1)",
         "order = partner.view(x.shape[:2]) % x.shape[1]"),
    ],
)  # fmt: skip


def train(augment: Any) -> Tensor:
    x, y = batch(2, 40)
    runs = train_seeds(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(30, 4)),
        Stacked(x.float(), y),
        (x[0].float(), y[0]),
        optimizer=lambda p: SGD(p, lr=0.1),
        loss=F.cross_entropy,
        steps=10,
        seeds=[0, 1],
        batch_size=8,
        augment=augment,
    )
    return runs.predict(Stacked(x.float(), y))


def test_train_seeds_mixes() -> None:
    """alpha = 0 is no mixing; alpha = 1 is, and is repeated by the same seeds."""
    plain = train(None)
    assert torch.allclose(train(Mixup(0.0, 4)), plain, atol=1e-6)
    assert torch.allclose(train(CutMix(0.0, 4)), plain, atol=1e-6)
    mixed = train(Mixup(1.0, 4))
    assert not torch.allclose(mixed, plain, atol=1e-3)
    assert torch.equal(train(Mixup(1.0, 4)), mixed)


def test_cutmix_needs_images() -> None:
    x, y = batch(2, 4)
    with pytest.raises(ValueError, match=r"images of shape \(N, C, H, W\), got shape=\(8, 30\)"):
        stacked.mix_within_seeds(MIXES[1], x.flatten(2), y)


def test_indices_need_num_classes() -> None:
    x, y = batch(2, 4)
    with pytest.raises(ValueError, match="num_classes"):
        stacked.mix_within_seeds(Mixup(1.0), x, y)
