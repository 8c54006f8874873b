"""Transforms: arguments that do not suit are refused, kinds of images agree, workers and torch's tools."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.testing import assert_close
from torch.utils.data import DataLoader, Dataset

import course_utils.augmentation as A
from course_utils import losses


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


X = torch.rand(4, 3, 6, 7, generator=seeded())
LEVELS = (X * 255).to(torch.uint8)
Y = torch.arange(4) % 3
ROWS = F.one_hot(Y, 3).float()
PARTNER = torch.tensor([1, 0, 3, 2])
BOXES = torch.tensor([[0, 0, 2, 2]] * 4)
ONE, NONE = torch.ones(4, dtype=torch.long), torch.zeros(4, dtype=torch.long)

# ---- colors of every kind of image -----------------------------------------------------------------------

COLORS = [A.adjust_brightness, A.adjust_contrast, A.adjust_saturation, A.adjust_hue]


@pytest.mark.parametrize("adjust", COLORS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("amount", [0.0, 0.1, 1.0, 1.7])
def test_colors_of_uint8_are_those_of_shares(adjust: Callable[..., Tensor], amount: float) -> None:
    levels = adjust(LEVELS, amount)
    assert levels.dtype == torch.uint8
    assert torch.equal(levels, (adjust(LEVELS.float() / 255, amount) * 255).round().to(torch.uint8))
    if amount == 1.0:
        assert torch.equal(levels, LEVELS)
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        shares = X.to(dtype)
        assert_close(adjust(shares, amount).float(), adjust(shares.float(), amount), rtol=1e-2, atol=4e-3)
        assert adjust(shares, amount).dtype == dtype


NOT_COLORS = [
    (X * 255, "need 0 <= a pixel <= 1, got .* levels 0 ... 255 are uint8"),
    (X - 0.5, "need 0 <= a pixel <= 1, got .*; change colors first, standardise afterwards"),
    (X.log(), "change colors first"),
    (X[0], r"need images of shape \(N, C, H, W\), got shape=\(3, 6, 7\); one image: x.unsqueeze\(0\)"),
    (X[:, :2], r"need 1 \(gray\) or 3 \(RGB\) channels"),
    (LEVELS.long(), "need floating or uint8 images"),
    (X.numpy(), "need images as a tensor, got type=<class 'numpy.ndarray'>"),
]


@pytest.mark.parametrize("adjust", COLORS, ids=lambda f: f.__name__)
@pytest.mark.parametrize(("x", "message"), NOT_COLORS)
def test_what_colors_are_not_of(adjust: Callable[..., Tensor], x: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        adjust(x, 1.0)


@pytest.mark.parametrize("adjust", COLORS[:3], ids=lambda f: f.__name__)
def test_factors_are_not_negative(adjust: Callable[..., Tensor]) -> None:
    for factor in (-0.5, math.nan, torch.tensor([1.0, 1.0, -1.0, 1.0])):
        with pytest.raises(ValueError, match=r"need 0 <= factor <= inf"):
            adjust(X, factor)


# ---- what to fill with -----------------------------------------------------------------------------------

FILLED: dict[str, Callable[[Tensor, Any], Tensor]] = {
    "shift": lambda x, fill: A.shift(x, ONE, NONE, fill=fill),
    "rotate": lambda x, fill: A.rotate(x, 45.0, fill=fill),
    "erase": lambda x, fill: A.erase(x, BOXES, fill),
    "RandomShift": lambda x, fill: A.RandomShift(3, fill=fill, generator=seeded())(x),
    "RandomRotation": lambda x, fill: A.RandomRotation(40, fill=fill, generator=seeded())(x),
    "RandomCrop": lambda x, fill: A.RandomCrop((6, 7), padding=3, fill=fill, generator=seeded())(x),
    "RandomErasing": lambda x, fill: A.RandomErasing(1.0, value=fill, generator=seeded())(x),
}


@pytest.mark.parametrize("name", FILLED)
@pytest.mark.parametrize(
    ("x", "fill", "message"),
    [
        (LEVELS, -1, "need 0 <= fill of uint8 images <= 255, got smallest=-1"),
        (LEVELS, 300, "need 0 <= fill of uint8 images <= 255"),
        (LEVELS, 0.5, "need whole numbers to fill uint8 images, got fill=0.5; white is 255"),
        (LEVELS, math.nan, "NaN"),
        (X, math.inf, "fill of torch.float32 images"),
        (X.half(), 1e6, "fill of torch.float16 images"),
        (X, (1.0, 0.0), "need one number, or one per channel, got fill=.*channels=3"),
        (X, "mean", "need numbers|need numbers or"),
        (X, None, "need numbers, got fill=None"),
    ],
)
def test_a_fill_that_the_image_cannot_hold(name: str, x: Tensor, fill: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FILLED[name](x, fill)


@pytest.mark.parametrize("name", FILLED)
@pytest.mark.parametrize("x", [X, LEVELS], ids=["floating", "uint8"])
def test_a_fill_for_each_channel_is_that_of_each_channel_alone(name: str, x: Tensor) -> None:
    fill = (255, 0, 51) if x.dtype == torch.uint8 else (1.0, 0.0, 0.25)
    together = FILLED[name](x, fill)
    for c, one in enumerate(fill):
        assert torch.equal(together[:, c : c + 1], FILLED[name](x, one)[:, c : c + 1])
    assert torch.equal(together, FILLED[name](x, torch.tensor(fill)))


# ---- other arguments -------------------------------------------------------------------------------------

BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: A.hflip(X, torch.tensor([1, 0, 1, 0])), "need one boolean per sample"),
    (lambda: A.hflip(X, torch.ones(3, dtype=torch.bool)), "need one boolean per sample.*samples=4"),
    (lambda: A.hflip(X[0], torch.ones(3, dtype=torch.bool)), "one image: x.unsqueeze"),
    (lambda: A.shift(X, torch.ones(4), NONE), "need whole numbers down.*; round them"),
    (lambda: A.shift(X, torch.ones(3, dtype=torch.long), NONE), "need one number, or one per sample"),
    (lambda: A.crop(X, 0, 0.5, (2, 2)), "need whole numbers left"),
    (lambda: A.crop(X[0], 0, 0, (2, 2)), "one image"),
    (lambda: A.rotate(X[0], 10.0), "one image"),
    (lambda: A.rotate(X.numpy(), 10.0), "need images as a tensor"),
    (lambda: A.erase(X, BOXES.float() / 7), "need boxes of whole numbers.*in pixels"),
    (lambda: A.erase(X, BOXES[:2]), "need boxes of whole numbers"),
    (lambda: A.RandomShift(True), "need a whole number pixels"),
    (lambda: A.RandomCrop(2.5), "need whole numbers size"),
    (lambda: A.RandomCrop((3.7, 4)), "need whole numbers size"),
    (lambda: A.RandomCrop((3, 4, 5)), "need whole numbers size"),
    (lambda: A.RandomCrop(3, 1.5), "need a whole number padding"),
    (lambda: A.mixup(X, F.one_hot(Y, 3), PARTNER, 0.3), r"need floating rows y \(N, K\).*y.float\(\)"),
    (lambda: A.mixup(X, Y, PARTNER, 0.3), "to_probabilities"),
    (lambda: A.mixup(X, Y.float(), PARTNER, 0.3), "need floating rows y"),
    (lambda: A.cutmix(X, F.one_hot(Y, 3), PARTNER, BOXES), "need floating rows y"),
    (lambda: A.mixup(X, ROWS[:2], PARTNER, 0.3), "need as many rows of y as images"),
    (lambda: A.mixup(X, ROWS, PARTNER[:2], 0.3), "need as many rows of partner"),
    (lambda: A.mixup(X, ROWS, PARTNER.bool(), 0.3), "need int64 indices partner"),
    (lambda: A.mixup(X, ROWS, PARTNER, 1.3), "need 0 <= lam <= 1"),
    (lambda: A.mixup(X[0, 0, 0], ROWS, PARTNER, 0.3), r"need examples of shape \(N, ...\)"),
    (lambda: A.mixup(X, ROWS.numpy(), PARTNER, 0.3), "need y as a tensor"),
    (lambda: A.cutmix(X, ROWS, PARTNER, BOXES.float()), "need boxes of whole numbers"),
    (lambda: A.Mixup(1.0, 3)(X, Y.numpy()), "need y as a tensor"),
    (lambda: A.Mixup(1.0, 3)(X, F.one_hot(Y, 3)), r"class indices \(N,\) or floating rows.*y.float\(\)"),
    (lambda: A.Mixup(1.0)(X, torch.tensor([[2.0, -1.0]] * 4)), "need 0 <= y <= 1.*look like logits"),
    (lambda: A.Mixup(1.0)(X, torch.ones(4, 3)), "sum of a row of y.*give multi_label=True"),
    (lambda: A.Mixup(1.0, 2.5), "need a whole number num_classes"),
    (lambda: A.Mixup(1.0, True), "need a whole number num_classes"),
    (lambda: A.Mixup(1.0, p=1.5), "need 0 <= p <= 1"),
    (lambda: A.Mixup(1.0, multi_label=True)(X, Y), r"need floating rows \(N, K\) for several labels"),
    (lambda: A.RandomChoice([]), "need one transform or more"),
    (lambda: A.RandomChoice([A.Mixup(1.0), A.RandomRotation(5)]), "of which all take labels or none"),
    (lambda: A.RandomChoice([A.Mixup(1.0)], p=(1, 2)), "need one p >= 0 for each transform"),
    (lambda: A.RandomChoice([A.Mixup(1.0)], p=(0,)), "not all 0"),
    (lambda: A.RandomChoice([A.RandomCrop(2), A.RandomCrop(3)])(X), "need results of one shape"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_arguments(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_whole_numbers_of_numpy_and_plain_ones() -> None:
    two = np.int64(2)
    assert A.RandomCrop(two, padding=np.int64(1))(X).shape == (4, 3, 2, 2)
    assert A.RandomCrop((two, 3))(X).shape == (4, 3, 2, 3)
    assert A.RandomShift(two)(X).shape == X.shape
    assert A.Mixup(1.0, np.int64(3))(X, Y)[1].shape == (4, 3)
    assert A.RandomRotation(np.float32(10.0)).degrees == (-10.0, 10.0)
    assert torch.equal(A.shift(X, 1, 0), A.shift(X, ONE, NONE))
    assert torch.equal(A.crop(X, 1, 2, (2, 3)), X[:, :, 1:3, 2:5])


# ---- mixing with a probability, either at random, several labels ------------------------------------------


@pytest.mark.parametrize("mix", [A.Mixup, A.CutMix])
def test_samples_are_mixed_with_the_probability_asked_for(mix: Any) -> None:
    x = torch.arange(2000.0).reshape(-1, 1, 1, 1).expand(-1, 1, 4, 4) / 2000
    y = torch.arange(2000) % 2
    for p in (0.0, 0.3, 1.0):
        new_x, rows = mix(1.0, 2, p=p, generator=seeded())(x, y)
        changed = (new_x != x).flatten(1).any(1)
        assert torch.equal(rows[~changed], F.one_hot(y, 2).float()[~changed])
        share = 1.0 if mix is A.Mixup else 15 / 16  # boxes of no pixel, where lam > 15 / 16
        assert abs(float(changed.float().mean()) - p * share) < 5 * math.sqrt(0.25 / 2000)
    same = [mix(1.0, 2, generator=seeded())(x, y)[0], mix(1.0, 2, p=1.0, generator=seeded())(x, y)[0]]
    assert torch.equal(*same)


@pytest.mark.parametrize("mix", [A.Mixup, A.CutMix])
def test_several_labels_are_mixed_as_the_images_are(mix: Any) -> None:
    x = torch.arange(6.0).reshape(-1, 1, 1, 1).expand(6, 1, 8, 8) / 6
    y = torch.tensor([[0, 1, 1], [0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0.5, 0.5, 1]])
    transform = mix(1.0, multi_label=True, generator=seeded(1))
    new_x, rows = transform(x, y)
    partner, *_ = mix(1.0, multi_label=True).draw(x, generator=seeded(1))
    for i, j in enumerate(partner.tolist()):
        if i != j:
            own = (new_x[i].mean() - x[j].mean()) / (x[i].mean() - x[j].mean())
            assert_close(rows[i], own * y[i] + (1 - own) * y[j], rtol=0, atol=1e-5)
    loss = losses.binary_cross_entropy_with_logits(torch.zeros(6, 3), rows)
    assert_close(loss, torch.tensor(math.log(2.0)))
    assert torch.equal(transform.eval()(x, y)[1], y)


def test_either_of_two_at_random() -> None:
    x = torch.arange(3000.0).reshape(-1, 1, 1, 1).expand(-1, 1, 4, 4) / 3000
    y = torch.arange(3000) % 2
    mixup, cutmix = A.Mixup(1.0, 2), A.CutMix(1.0, 2)
    either = A.RandomChoice([mixup, cutmix], p=(1, 3), generator=seeded(5))
    g = seeded(5)
    first, second = mixup(x, y, generator=g), cutmix(x, y, generator=g)
    new_x, rows = either(x, y, generator=seeded(5))
    of_first = (new_x == first[0]).flatten(1).all(1)
    assert abs(float(of_first.float().mean()) - 0.25) < 0.05
    for i in (0, 1):
        got = (new_x, rows)[i]
        assert torch.equal(got[of_first], first[i][of_first])
        assert torch.equal(got[~of_first], second[i][~of_first])
    assert torch.equal(either.eval()(x, y)[1], F.one_hot(y, 2).float())
    assert A.RandomChoice([mixup], p=[2.0])(x, y)[0].shape == x.shape


def test_either_of_two_transforms_of_images_and_inside_compose() -> None:
    flips = A.RandomChoice([A.RandomHorizontalFlip(1.0), A.RandomHorizontalFlip(0.0)], generator=seeded())
    x = X.repeat(100, 1, 1, 1)
    changed = (flips(x) != x).flatten(1).any(1)
    assert abs(float(changed.float().mean()) - 0.5) < 0.125
    y = Y.repeat(100)
    new_x, kept = flips(x, y)
    assert torch.equal(kept, y)
    mix = A.RandomChoice([A.Mixup(1.0, 3), A.CutMix(1.0, 3)])
    new_x, rows = A.Compose([flips, mix])(x, y, generator=seeded(1))
    assert (new_x.shape, rows.shape) == (x.shape, (400, 3))
    assert torch.equal(new_x, A.Compose([flips, mix])(x, y, generator=seeded(1))[0])
    assert repr(mix).startswith("RandomChoice(\n  p=[0.5, 0.5]")


# ---- workers and tools -----------------------------------------------------------------------------------

TRANSFORMS: dict[str, Callable[..., Any]] = {
    "flip": lambda **k: A.RandomHorizontalFlip(0.5, **k),
    "rotation": lambda **k: A.RandomRotation(40, fill=(1.0, 0.0, 0.0), **k),
    "shift": lambda **k: A.RandomShift(3, **k),
    "crop": lambda **k: A.RandomCrop((4, 5), padding=2, **k),
    "jitter": lambda **k: A.ColorJitter(0.4, 0.4, 0.4, 0.2, **k),
    "erasing": lambda **k: A.RandomErasing(0.9, value="random", **k),
    "mixup": lambda **k: A.Mixup(1.0, 3, p=0.9, **k),
    "cutmix": lambda **k: A.CutMix(1.0, 3, **k),
    "either": lambda **k: A.RandomChoice([A.Mixup(1.0, 3, **k), A.CutMix(1.0, 3, **k)], **k),
}
every_transform = pytest.mark.parametrize("name", TRANSFORMS)


def arguments(name: str, x: Tensor = X, y: Tensor = Y) -> tuple[Tensor, ...]:
    return (x, y) if name in ("mixup", "cutmix", "either") else (x,)


class Images(Dataset[Tensor]):
    def __init__(self, transform: Any, name: str) -> None:
        self.transform, self.name = transform, name

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Tensor:
        images = torch.rand(16, 3, 6, 7, generator=seeded())
        y = torch.arange(16) % 3
        out = self.transform(*arguments(self.name, images, y))
        return out[0] if isinstance(out, tuple) else out


@every_transform
def test_a_generator_of_its_own_draws_anew_in_each_worker_and_epoch(name: str) -> None:
    def epochs() -> list[Tensor]:
        torch.manual_seed(0)
        transform = TRANSFORMS[name](generator=seeded(3))
        loader = DataLoader(Images(transform, name), batch_size=None, num_workers=2)
        return [batch for _ in range(2) for batch in loader]

    drawn = epochs()
    assert len({batch.numpy().tobytes() for batch in drawn}) == 16
    assert all(torch.equal(a, b) for a, b in zip(drawn, epochs(), strict=True))


@every_transform
def test_one_graph_meta_fake_and_copies(name: str) -> None:
    make, args = TRANSFORMS[name], arguments(name)
    torch._dynamo.reset()
    expected = make()(*args)
    shapes = [t.shape for t in (expected if isinstance(expected, tuple) else (expected,))]

    def shapes_of(out: Any) -> list[torch.Size]:
        return [t.shape for t in (out if isinstance(out, tuple) else (out,))]

    assert shapes_of(torch.compile(make(), backend="eager", fullgraph=True)(*args)) == shapes
    assert shapes_of(make()(*(a.to("meta") for a in args))) == shapes
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert shapes_of(make()(*(torch.empty_like(a) for a in args))) == shapes
    transform = make(generator=seeded(2))
    twins = [copy.deepcopy(transform), pickle.loads(pickle.dumps(transform))]
    first = transform(*args)
    for twin in twins:
        again = twin(*args)
        assert torch.equal(*(out[0] if isinstance(out, tuple) else out for out in (first, again)))
