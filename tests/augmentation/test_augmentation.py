"""Augmentation: equal to kornia for fixed parameters, one draw per sample, labels that follow the images."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import kornia
import kornia.augmentation as K
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

import course_utils.augmentation as A
from tests.mutants import mistakes

SETTINGS = settings(max_examples=30, deadline=None, derandomize=True)
GEOMETRY, COLOR, ERASING, MIXING, BASE = (
    f"course_utils.augmentation.{name}" for name in ("geometry", "color", "erasing", "mixing", "_transform")
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    if dtype == torch.uint8:
        return torch.randint(0, 256, shape, generator=seeded(seed), dtype=dtype)
    return torch.rand(*shape, generator=seeded(seed), dtype=torch.float64).to(dtype)


def exactly(actual: Tensor, expected: Tensor, atol: float = 1e-12) -> None:
    torch.testing.assert_close(actual, expected, rtol=0.0, atol=atol)


# Parity with kornia, or with the definition, for fixed parameters; `m` is the module with the functions.

ANGLES = torch.tensor([0.0, 15.0, -33.3, 90.0, 171.0, -270.0], dtype=torch.float64)


def check_rotate(m: Any) -> None:
    for shape in [(6, 3, 9, 14), (6, 1, 13, 6), (6, 2, 8, 8), (6, 1, 1, 5)]:
        x = images(*shape)
        exactly(
            m.rotate(x, ANGLES), kornia.geometry.transform.rotate(x, ANGLES, align_corners=min(shape[2:]) > 1)
        )
    square = images(2, 3, 8, 8)
    exactly(m.rotate(square, 90.0), torch.rot90(square, 1, (2, 3)))


def check_rotate_fill(m: Any) -> None:
    flat = torch.full((1, 1, 9, 14), 0.3, dtype=torch.float64)
    exactly(m.rotate(flat, 40.0, fill=0.3), flat)
    white = torch.full((1, 1, 9, 14), 200, dtype=torch.uint8)
    assert torch.equal(m.rotate(white, 40.0, fill=200), white)


def check_hflip(m: Any) -> None:
    x, flip = images(4, 3, 5, 7), torch.tensor([True, False, True, False])
    expected = torch.stack(
        [kornia.geometry.transform.hflip(a) if f else a for a, f in zip(x, flip, strict=True)]
    )
    assert torch.equal(m.hflip(x, flip), expected)


def check_shift(m: Any) -> None:
    x = images(5, 3, 6, 9)
    down, right = torch.tensor([0, 1, -2, 5, 60]), torch.tensor([3, 0, -8, 1, -60])
    steps = torch.stack([right, down], dim=1).double()
    exactly(m.shift(x, down, right), kornia.geometry.transform.translate(x, steps))
    assert m.shift(x, down, right, fill=0.25)[4].unique().tolist() == [0.25]


def check_crop(m: Any) -> None:
    x = images(3, 2, 8, 11)
    top, left = torch.tensor([0, 2, 4]), torch.tensor([0, 6, 3])
    expected = [a[:, t : t + 4, w : w + 5] for a, t, w in zip(x, top, left, strict=True)]
    assert torch.equal(m.crop(x, top, left, (4, 5)), torch.stack(expected))


def check_crop_places(m: Any) -> None:
    """Every place of the window comes up, equally often."""
    position = torch.arange(12.0).reshape(1, 1, 3, 4).expand(6000, 1, 3, 4)
    corners = m.RandomCrop((2, 2), generator=seeded())(position)[:, 0, 0, 0]
    counts = corners.long().bincount(minlength=12)
    assert (counts > 0).nonzero()[:, 0].tolist() == [0, 1, 2, 4, 5, 6]
    assert float((counts[counts > 0] - 1000).abs().max()) < 5 * math.sqrt(1000)


FACTORS = torch.tensor([0.0, 0.4, 1.0, 1.7, 3.0], dtype=torch.float64)


def check_brightness(m: Any) -> None:
    for channels in (1, 3):
        x = images(5, channels, 6, 7)
        exactly(m.adjust_brightness(x, FACTORS), kornia.enhance.adjust_brightness_accumulative(x, FACTORS))


def check_contrast(m: Any) -> None:
    for channels in (1, 3):
        x = images(5, channels, 6, 7)
        exactly(
            m.adjust_contrast(x, FACTORS), kornia.enhance.adjust_contrast_with_mean_subtraction(x, FACTORS)
        )


def check_saturation(m: Any) -> None:
    x = images(5, 3, 6, 7)
    exactly(
        m.adjust_saturation(x, FACTORS), kornia.enhance.adjust_saturation_with_gray_subtraction(x, FACTORS)
    )


def awkward_colors() -> Tensor:
    """Black, white, grays, primaries and every tie of two channels, beside random ones."""
    levels = torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64)
    grid = torch.cartesian_prod(levels, levels, levels).T.reshape(1, 3, 3, 9)
    return torch.cat([grid, images(1, 3, 3, 9)])


def check_hue(m: Any) -> None:
    for turns in (-0.5, -0.2, 0.0, 1e-3, 1 / 3, 0.5):
        x = awkward_colors()
        radians = torch.full((2,), 2 * math.pi * turns, dtype=torch.float64)
        hsv = kornia.color.rgb_to_hsv(x, eps=0.0)  # kornia's default eps of 1e-8 changes the saturation
        exactly(m.adjust_hue(x, turns), kornia.color.hsv_to_rgb(kornia.enhance.adjust_hue_raw(hsv, radians)))
        exactly(m.adjust_hue(x, turns), kornia.enhance.adjust_hue(x, radians), atol=1.1e-8)


def check_jitter_range(m: Any) -> None:
    x = images(64, 3, 4, 4, dtype=torch.float32)
    for i in range(4):
        strength = [0.0] * 4
        strength[i] = 0.5 if i == 3 else 2.0
        y = m.ColorJitter(*strength, generator=seeded(i))(x)
        assert float(y.min()) >= 0
        assert float(y.max()) <= 1
        assert not torch.equal(x, y)


def check_erase(m: Any) -> None:
    x = images(3, 2, 6, 8)
    boxes = torch.tensor([[0, 0, 2, 3], [3, 4, 6, 8], [2, 2, 2, 5]])
    value = torch.tensor([0.1, 0.9], dtype=torch.float64)
    expected = x.clone()
    for i, (top, left, bottom, right) in enumerate(boxes.tolist()):
        expected[i, :, top:bottom, left:right] = value[:, None, None]
    assert torch.equal(m.erase(x, boxes, value.reshape(1, 2, 1, 1)), expected)


PROBABILITIES = torch.tensor([[1.0, 0, 0], [0.2, 0.5, 0.3], [0, 0, 1]], dtype=torch.float64)
PARTNER = torch.tensor([2, 0, 1])


def check_mixup(m: Any) -> None:
    x, lam = images(3, 2, 4, 5), torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)
    new_x, new_y = m.mixup(x, PROBABILITIES, PARTNER, lam)
    for i, (j, w) in enumerate(zip(PARTNER.tolist(), lam.tolist(), strict=True)):
        exactly(new_x[i], w * x[i] + (1 - w) * x[j])
        exactly(new_y[i], w * PROBABILITIES[i] + (1 - w) * PROBABILITIES[j])


def check_cutmix(m: Any) -> None:
    """Image i holds the number i, so that counting pixels gives the share of each label."""
    x = torch.arange(3.0, dtype=torch.float64).reshape(3, 1, 1, 1).expand(3, 2, 6, 8)
    boxes = torch.tensor([[1, 2, 4, 7], [-3, -2, 2, 3], [4, 5, 4, 9]])  # inside, clipped, empty
    new_x, new_y = m.cutmix(x, PROBABILITIES, PARTNER, boxes)
    assert (new_x[1] == 0).sum().item() == 2 * 6
    for i in range(3):
        own = (new_x[i] == i).double().mean()
        exactly(new_y[i], own * PROBABILITIES[i] + (1 - own) * PROBABILITIES[PARTNER[i]])


def check_cutmix_box(m: Any) -> None:
    """With lam = 3/4 the box has half of each side, wherever it is not clipped."""
    cut = m.CutMix(generator=seeded())
    cut.partners_and_lam = lambda x, _: (
        torch.arange(len(x)),
        torch.full((len(x),), 0.75, dtype=torch.float64),
    )
    _, boxes = cut.draw(torch.zeros(4000, 1, 8, 12))
    heights, widths = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert heights.bincount().nonzero()[:, 0].tolist() == [2, 3, 4]
    assert widths.bincount().nonzero()[:, 0].tolist() == [3, 4, 5, 6]
    assert (boxes[:, 0].min(), boxes[:, 2].max(), boxes[:, 3].max()) == (0, 8, 12)


def check_levels(m: Any) -> None:
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(m.from_working(m.to_working(every), torch.uint8), every)
    assert m.from_working(torch.tensor([0.9999, 1.2, -0.1]), torch.uint8).tolist() == [255, 255, 0]


def check_one_draw_per_sample(m: Any) -> None:
    draws = m.Random(seeded()).uniform(torch.zeros(50, 1, 2, 2), 2, generator=None)
    assert draws.unique().numel() == 100


def check_lam(m: Any) -> None:
    for alpha in (0.2, 1.0, 4.0):
        _, lam = m.Mixup(alpha, 2, generator=seeded()).draw(torch.zeros(4000, 1, 1, 1))
        assert stats.kstest(lam.numpy(), stats.beta(alpha, alpha).cdf).pvalue > 1e-3


PARITY = [
    (GEOMETRY, [check_rotate, check_rotate_fill, check_hflip, check_shift, check_crop, check_crop_places]),
    (COLOR, [check_brightness, check_contrast, check_saturation, check_hue, check_jitter_range]),
    (ERASING, [check_erase]),
    (MIXING, [check_mixup, check_cutmix, check_cutmix_box, check_lam]),
    (BASE, [check_levels, check_one_draw_per_sample]),
]


@pytest.mark.parametrize(
    ("module", "check"), [pytest.param(m, c, id=c.__name__[6:]) for m, checks in PARITY for c in checks]
)
def test_by_fixed_parameters(module: str, check: Callable[[Any], None]) -> None:
    check(import_module(module))


CENTRED = "torch.arange(width, dtype=source.dtype, device=x.device) - (width - 1) / 2"
MUTANTS = {
    "corner": (GEOMETRY, CENTRED, "torch.arange(width, dtype=source.dtype, device=x.device)", check_rotate),
    "shear": (GEOMETRY, "cos * px - 2 / width", "cos * px + 2 / width", check_rotate),
    "wrong-sense": (GEOMETRY, "(math.pi / 180)", "(-math.pi / 180)", check_rotate),
    "not-rigid": (GEOMETRY, "2 / width * sin * py", "2 / height * sin * py", check_rotate),
    "corners": (GEOMETRY, '"zeros", align_corners=False', '"zeros", align_corners=True', check_rotate),
    "fill-lost": (GEOMETRY, "turned + outside if filled else turned", "turned", check_rotate_fill),
    "upside-down": (GEOMETRY, "x.flip(-1)", "x.flip(-2)", check_hflip),
    "shift-reversed": (GEOMETRY, "device=x.device) - down ", "device=x.device) + down ", check_shift),
    "one-offset": (GEOMETRY, "columns = left + ", "columns = top + ", check_crop),
    "last-place-never": (GEOMETRY, "spare[0] + 1", "spare[0]", check_crop_places),
    "no-clamp": (
        COLOR,
        "(x * per_sample(factor, x)).clamp_(0, 1)",
        "x * per_sample(factor, x)",
        check_brightness,
    ),
    "range": (
        COLOR,
        "(x * per_sample(factor, x)).clamp_(0, 1)",
        "x * per_sample(factor, x)",
        check_jitter_range,
    ),
    "contrast-about-half": (COLOR, "(1 - weight) * mean", "(1 - weight) * 0.5", check_contrast),
    "luma": (COLOR, "alpha=0.587", "alpha=0.586", check_saturation),
    "turns": (COLOR, "6 * per_sample(turns, x)", "per_sample(turns, x)", check_hue),
    "hue-of-blue": (COLOR, "divisor, alpha=4", "divisor, alpha=5", check_hue),
    "box-too-high": (ERASING, "row < bottom", "row <= bottom", check_erase),
    "labels-not-mixed": (MIXING, "x.dtype), mix_labels(y, partner, lam)", "x.dtype), y", check_mixup),
    "y": (
        MIXING,
        "inside, x[partner], x), mix_labels(y, partner, lam)",
        "inside, x[partner], x), y",
        check_cutmix,
    ),
    "lam-of-the-unclipped-box": (
        MIXING,
        "inside.to(y.dtype).mean(dim=(1, 2, 3))",
        "(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / (x.shape[2] * x.shape[3])",
        check_cutmix,
    ),
    "area-for-side": (MIXING, "(1 - lam).sqrt()", "(1 - lam)", check_cutmix_box),
    "wrong-beta": (MIXING, "self.alpha + 1, dtype", "self.alpha, dtype", check_lam),
    "truncated": (BASE, "(y * 255).round_()", "(y * 255)", check_levels),
    "one-draw-per-batch": (
        BASE,
        "torch.rand(len(x), *shape, generator=source, device=device)",
        "torch.rand(1, *shape, generator=source, device=device).expand(len(x), *shape)",
        check_one_draw_per_sample,
    ),
}


test_mistakes_are_caught = mistakes("", MUTANTS)


# The modules draw, then do exactly what the functions do.

IMAGE_MODULES: list[Callable[..., A.Transform]] = [
    lambda **k: A.RandomHorizontalFlip(0.5, **k),
    lambda **k: A.RandomRotation(40, **k),
    lambda **k: A.RandomShift(3, **k),
    lambda **k: A.RandomCrop((7, 8), padding=2, **k),
    lambda **k: A.ColorJitter(0.4, 0.4, 0.4, 0.2, **k),
    lambda **k: A.RandomErasing(0.9, **k),
    lambda **k: A.RandomErasing(0.9, value="random", **k),
]
NAMES = ["flip", "rotation", "shift", "crop", "jitter", "erasing", "erasing-noise"]
DTYPES = [torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64]
every_module = pytest.mark.parametrize("make", IMAGE_MODULES, ids=NAMES)


def test_pipeline_equals_kornia_given_the_same_draws() -> None:
    x = images(8, 3, 10, 13)
    flip, rotation, jitter = A.RandomHorizontalFlip(), A.RandomRotation(30), A.ColorJitter(0.4, 0.4, 0.4, 0.1)
    (flips,), (angles,) = flip.draw(x, generator=seeded(1)), rotation.draw(x, generator=seeded(2))
    factors = jitter.draw(x, generator=seeded(3))
    keys = ["brightness_factor", "contrast_factor", "saturation_factor", "hue_factor"]
    every = torch.ones(8, dtype=torch.bool)
    theirs = K.RandomHorizontalFlip(p=0.5)(
        x, params={"batch_prob": flips, "forward_input_shape": torch.tensor(x.shape)}
    )
    theirs = K.RandomRotation(30.0, p=1.0)(
        theirs,
        params={
            "degrees": angles.double(),
            "batch_prob": every,
            "forward_input_shape": torch.tensor(x.shape),
        },
    )
    params = {key: value.double() for key, value in zip(keys, factors, strict=True)}
    order = {"order": torch.arange(4), "batch_prob": every, "forward_input_shape": torch.tensor(x.shape)}
    theirs = K.ColorJitter(0.4, 0.4, 0.4, 0.1, order=(0, 1, 2, 3))(theirs, params={**params, **order})
    ours = jitter.transform(rotation.transform(flip.transform(x, flips), angles), *factors)
    exactly(ours, theirs, atol=2e-8)  # kornia's eps in the saturation


def test_erasing_equals_kornia_given_the_same_boxes() -> None:
    x = images(4, 3, 12, 16)
    boxes, value = A.RandomErasing(1.0, value=0.5).draw(x, generator=seeded(2))
    top, left, bottom, right = boxes.unbind(1)
    params = {
        "xs": left,
        "ys": top,
        "widths": right - left,
        "heights": bottom - top,
        "values": torch.full((4,), 0.5),
    }
    shape = {"batch_prob": torch.ones(4), "forward_input_shape": torch.tensor(x.shape)}
    theirs = K.RandomErasing(p=1.0, value=0.5)(x, params={**params, **shape})
    assert int(((bottom - top) * (right - left)).min()) > 0
    assert torch.equal(A.erase(x, boxes, value), theirs)


@every_module
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: str(d)[6:])
@pytest.mark.parametrize("channels", [1, 3])
def test_types_shapes_and_reproducibility(make: Any, dtype: torch.dtype, channels: int) -> None:
    x = images(16, channels, 9, 12, dtype=dtype)
    before, state = x.clone(), torch.get_rng_state()
    y = make(generator=seeded(1))(x)
    assert torch.equal(x, before)  # never written to
    assert torch.equal(torch.get_rng_state(), state)  # the global generator is left alone
    assert y.dtype == dtype
    assert y.shape[:2] == x.shape[:2]
    assert torch.isfinite(y.float()).all()
    assert torch.equal(y, make(generator=seeded(1))(x))
    assert torch.equal(y, make(generator=seeded(9))(x, generator=seeded(1)))  # the call comes first
    assert not torch.equal(y, make(generator=seeded(2))(x))


@every_module
def test_each_sample_has_its_own_draw(make: Any) -> None:
    same = images(1, 3, 9, 12).expand(40, 3, 9, 12)
    distinct = make(generator=seeded())(same).flatten(1).unique(dim=0)
    assert len(distinct) >= (2 if make is IMAGE_MODULES[0] else 15)


@pytest.mark.parametrize("make", [m for m, n in zip(IMAGE_MODULES, NAMES, strict=True) if "erasing" not in n])
def test_uint8_follows_its_rule(make: Any) -> None:
    levels = images(16, 3, 9, 12, dtype=torch.uint8)
    plain = make(generator=seeded())(levels.float() / 255)
    assert torch.equal(make(generator=seeded())(levels), (plain * 255).round().to(torch.uint8))


@every_module
def test_off_in_eval_mode_and_for_empty_batches(make: Any) -> None:
    x = images(4, 3, 9, 12)
    assert torch.equal(make().eval()(x), x)
    assert make()(x[:0]).shape == (0, *make()(x).shape[1:])


ZERO = [
    A.RandomHorizontalFlip(0.0),
    A.RandomRotation(0),
    A.RandomShift(0),
    A.RandomCrop((9, 12)),
    A.ColorJitter(),
    A.RandomErasing(0.0),
    A.Compose([]),
]


@pytest.mark.parametrize("transform", ZERO, ids=repr)
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: str(d)[6:])
def test_identity_at_zero_strength(transform: Any, dtype: torch.dtype) -> None:
    x = images(16, 3, 9, 12, dtype=dtype)
    assert torch.equal(transform(x), x)


@pytest.mark.parametrize("mix", [A.Mixup(0.0, num_classes=3), A.CutMix(0.0, num_classes=3)], ids=repr)
def test_mixing_at_zero_strength(mix: Any) -> None:
    x, y = images(6, 3, 4, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    new_x, new_y = mix(x, y)
    assert torch.equal(new_x, x)
    assert torch.equal(new_y, F.one_hot(y, 3).float())


def test_flip_probability() -> None:
    x = torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2).expand(10_000, 1, 1, 2)
    flipped = A.RandomHorizontalFlip(0.3, generator=seeded())(x)[:, 0, 0, 0].mean()
    assert abs(float(flipped) - 0.3) < 5 * math.sqrt(0.3 * 0.7 / 10_000)


@pytest.mark.parametrize(
    ("transform", "column", "low", "high"),
    [
        (A.RandomRotation(30), 0, -30.0, 30.0),
        (A.RandomRotation((10, 50)), 0, 10.0, 50.0),
        (A.ColorJitter(brightness=0.4), 0, 0.6, 1.4),
        (A.ColorJitter(contrast=2.0), 1, 0.0, 3.0),
        (A.ColorJitter(saturation=(0.5, 0.7)), 2, 0.5, 0.7),
        (A.ColorJitter(hue=0.1), 3, -0.1, 0.1),
    ],
    ids=repr,
)
def test_draws_are_uniform_over_the_stated_range(
    transform: Any, column: int, low: float, high: float
) -> None:
    drawn = transform.draw(torch.zeros(4000, 3, 1, 1), generator=seeded())[column]
    assert stats.kstest(drawn.numpy(), stats.uniform(low, high - low).cdf).pvalue > 1e-3


def test_shifts_reach_both_ends_equally_often() -> None:
    down, right = A.RandomShift(2).draw(torch.zeros(10_000, 1, 5, 5), generator=seeded())
    for steps in (down, right):
        assert float(((steps + 2).bincount(minlength=5) - 2000).abs().max()) < 5 * math.sqrt(2000)


def test_erasing_probability_and_boxes_that_cannot_fit() -> None:
    x = torch.zeros(4000, 1, 16, 16)
    boxes, _ = A.RandomErasing(0.5, (0.25, 0.25), ratio=(2.25, 2.25)).draw(x, generator=seeded())
    sizes = (boxes[:, 2:] - boxes[:, :2]).unique(dim=0)
    assert sizes.tolist() == [[0, 0], [12, 5]]  # sqrt(64 * 2.25) and sqrt(64 / 2.25) = 5.33
    erased = (boxes[:, 2] > boxes[:, 0]).float().mean()
    assert abs(float(erased) - 0.5) < 5 * 0.5 / math.sqrt(4000)
    too_high, _ = A.RandomErasing(1.0, (0.25, 0.25), ratio=(4.0, 4.0)).draw(x)  # 16 rows of 16
    assert torch.equal(too_high[:, :2], too_high[:, 2:])


def test_erased_boxes_fit() -> None:
    boxes, _ = A.RandomErasing(1.0, (0.25, 0.25), ratio=(1.0, 1.0)).draw(
        torch.zeros(4000, 1, 8, 10), generator=seeded()
    )
    top, left, bottom, right = boxes.unbind(1)
    assert ((bottom - top).unique().tolist(), (right - left).unique().tolist()) == (
        [4],
        [4],
    )  # sqrt(20) = 4.47
    assert (top.unique().tolist(), left.unique().tolist()) == ([*range(5)], [*range(7)])


@SETTINGS
@given(
    st.sampled_from([A.Mixup, A.CutMix]),
    st.integers(1, 9),
    st.integers(1, 7),
    st.integers(1, 7),
    st.sampled_from([0.01, 0.2, 1.0, 10.0]),
    st.sampled_from(DTYPES),
    st.integers(0, 100),
)
def test_mixed_labels_follow_the_images(
    mix: Any, n: int, h: int, w: int, alpha: float, dtype: torch.dtype, seed: int
) -> None:
    y = torch.randint(0, 3, (n,), generator=seeded(seed))
    x = images(n, 2, h, w, dtype=dtype, seed=seed)
    new_x, new_y = mix(alpha, num_classes=3, generator=seeded(seed))(x, y)
    assert (new_x.shape, new_x.dtype, new_y.shape) == (x.shape, dtype, (n, 3))
    assert float(new_y.min()) >= 0
    torch.testing.assert_close(new_y.sum(dim=1), torch.ones(n), rtol=0, atol=1e-6)
    rows = F.one_hot(y, 3).double()  # class indices and one-hot rows are the same thing
    again_x, again_y = mix(alpha, generator=seeded(seed))(x, rows)
    assert torch.equal(again_x, new_x)
    torch.testing.assert_close(again_y.float(), new_y, rtol=0, atol=1e-6)


@pytest.mark.parametrize("mix", [A.Mixup(1.0, 5), A.CutMix(1.0, 5)], ids=repr)
def test_lam_differs_between_samples_and_pairs_form_a_permutation(mix: Any) -> None:
    x, y = images(64, 1, 16, 16), torch.arange(64) % 5
    parameters = mix.draw(x, generator=seeded())
    assert parameters[0].sort().values.tolist() == [*range(64)]
    assert len(parameters[1].unique(dim=0)) > 50
    _, rows = mix(x, y, generator=seeded())
    assert len(rows.amax(dim=1).unique()) > 20


def test_the_loss_of_mixed_labels_is_the_mix_of_losses() -> None:
    x, y = images(8, 1, 4, 4), torch.arange(8) % 3
    mixup = A.Mixup(1.0, 3)
    partner, lam = mixup.draw(x, generator=seeded())
    _, rows = mixup.transform(x, A.to_probabilities(y, 3).double(), partner, lam)
    logits = torch.randn(8, 3, dtype=torch.float64, generator=seeded(5))
    own, other = (F.cross_entropy(logits, target, reduction="none") for target in (y, y[partner]))
    exactly(F.cross_entropy(logits, rows, reduction="none"), lam * own + (1 - lam) * other)


def test_lam_at_very_small_alpha() -> None:
    _, lam = A.Mixup(1e-4, 2, generator=seeded()).draw(torch.zeros(1000, 1, 1, 1))
    assert float(((lam < 1e-6) | (lam > 1 - 1e-6)).double().mean()) > 0.99  # nearly always pure, never 0/0
    assert abs(float(lam.mean()) - 0.5) < 5 * 0.5 / math.sqrt(1000)


def test_mixing_is_off_in_eval_mode() -> None:
    x, y = images(6, 1, 4, 4), torch.arange(6)
    new_x, rows = A.Mixup(1.0, 6).eval()(x, y)
    assert torch.equal(new_x, x)
    assert torch.equal(rows, torch.eye(6))


def test_compose_takes_images_or_images_and_labels() -> None:
    x, y = images(6, 3, 8, 8), torch.arange(6) % 2
    steps = [A.RandomHorizontalFlip(), torch.nn.Identity(), A.RandomRotation(10)]
    one = A.Compose(steps)(x, generator=seeded())
    g = seeded()
    assert torch.equal(one, steps[2](steps[0](x, generator=g), generator=g))
    both = A.Compose([A.Compose(steps), A.Mixup(0.5, 2)])
    new_x, rows = both(x, y, generator=seeded())
    assert (new_x.shape, rows.shape) == (x.shape, (6, 2))
    kept_x, kept_y = A.Compose(steps)(x, y, generator=seeded())
    assert torch.equal(kept_x, one)
    assert kept_y is y
    assert torch.equal(both.eval()(x, y)[0], x)


REPRS = [make() for make in IMAGE_MODULES] + [A.Mixup(0.2, 10), A.CutMix()]


@pytest.mark.parametrize("transform", REPRS, ids=lambda t: type(t).__name__)
def test_repr_rebuilds_the_transform(transform: Any) -> None:
    assert repr(eval(repr(transform), vars(A))) == repr(transform)


def test_repr_shows_parameters() -> None:
    assert repr(A.RandomRotation(15)) == "RandomRotation(degrees=(-15.0, 15.0), fill=0.0)"
    assert "ColorJitter(brightness=(0.8, 1.2)" in repr(A.Compose([A.ColorJitter(0.2)]))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: A.rotate(x, 20.0, fill=0.2),
        lambda x: A.hflip(x, torch.tensor([True])),
        lambda x: A.shift(x, torch.tensor([1]), torch.tensor([-1])),
        lambda x: A.adjust_brightness(x, 1.2),
        lambda x: A.adjust_contrast(x, 0.6),
        lambda x: A.adjust_saturation(x, 0.6),
        lambda x: A.adjust_hue(x, 0.1),
    ],
)
def test_gradients(function: Any) -> None:
    x = (0.2 + 0.5 * images(1, 3, 3, 4)).requires_grad_()
    assert torch.autograd.gradcheck(function, (x,))


def test_gray_pixels_have_a_finite_gradient() -> None:
    x = torch.full((1, 3, 2, 2), 0.5, requires_grad=True)
    A.adjust_hue(x, 0.3).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_jitter_passes_gradients_to_the_images(channels: int) -> None:
    x = images(4, channels, 5, 5).requires_grad_()
    for strength in ((0.2, 0.2, 0.2, 0.1), (0.0, 0.0, 0.0, 0.1)):
        (grad,) = torch.autograd.grad(A.ColorJitter(*strength, generator=seeded())(x).sum(), x)
        assert float(grad.abs().max()) > 0


def test_jitter_clamps_what_rounding_left_outside() -> None:
    x = torch.tensor([-0.004, 0.5, 1.004]).reshape(1, 1, 1, 3)
    assert A.ColorJitter()(x).flatten().tolist() == [0.0, 0.5, 1.0]


X = images(2, 3, 8, 8)
BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: A.RandomHorizontalFlip(1.5), "need 0 <= p <= 1, got p=1.5"),
    (lambda: A.RandomRotation(-5), r"need degrees >= 0, got degrees=-5; or give a pair"),
    (
        lambda: A.RandomRotation((20, 10)),
        r"need -360 <= low <= high <= 360 and finite for degrees, got degrees=\(20, 10\)",
    ),
    (lambda: A.RandomRotation((1, 2, 3)), "need one number or a pair for degrees"),
    (lambda: A.RandomRotation(math.nan), "got degrees=nan"),
    (lambda: A.RandomShift(1.5), "need a whole number pixels >= 0, got pixels=1.5"),
    (lambda: A.RandomShift(8)(X), "need pixels < height and width, got pixels=8"),
    (lambda: A.RandomCrop(0), "need whole numbers size >= 1, got size=0"),
    (
        lambda: A.RandomCrop(9)(X),
        r"need size <= image \+ 2 \* padding, got size=\(9, 9\).*take a smaller size",
    ),
    (lambda: A.ColorJitter(hue=0.6), "for hue, got hue=0.6"),
    (lambda: A.ColorJitter(brightness=(-1, 1)), "need 0 <= low <= high"),
    (lambda: A.ColorJitter(contrast=math.inf), "and finite for contrast, got contrast=inf"),
    (
        lambda: A.ColorJitter(0.1)(X - 0.5),
        r"need 0 <= a pixel <= 1, got smallest=-0\.\d+.*; change colors first",
    ),
    (lambda: A.ColorJitter(0.1)(X[:, :2]), r"need 1 \(gray\) or 3 \(RGB\) channels"),
    (lambda: A.RandomErasing(scale=(0.5, 0.2)), "for scale"),
    (lambda: A.RandomErasing(ratio=(0.0, 1.0)), "for ratio"),
    (lambda: A.RandomErasing(value="noise"), 'need numbers or "random"'),
    (lambda: A.RandomErasing(value=(1.0, 2.0))(X), "need one number, or one per channel"),
    (
        lambda: A.RandomRotation(5)(X[0]),
        r"need images of shape \(N, C, H, W\), got shape=\(3, 8, 8\); one image",
    ),
    (lambda: A.RandomRotation(5)(X.long()), "need floating or uint8 images, got dtype=torch.int64"),
    (lambda: A.rotate(X, torch.zeros(3)), r"need one number, or one per sample, got shape=\(3,\)"),
    (lambda: A.Mixup(-1.0), "need alpha >= 0 and finite, got alpha=-1.0"),
    (lambda: A.Mixup(1.0)(X, torch.tensor([0, 1])), "need num_classes for class indices"),
    (lambda: A.Mixup(1.0, 2)(torch.ones(3), torch.tensor([0, 1, 1])), r"need examples of shape \(N, ...\)"),
    (
        lambda: A.CutMix(1.0, 2)(torch.ones(3, 4), torch.tensor([0, 1, 1])),
        r"need images of shape \(N, C, H, W",
    ),
    (
        lambda: A.Mixup(1.0, 2)(X, torch.tensor([0, 2])),
        "need 0 <= y <= 1, got smallest=0, largest=2; num_classes=2",
    ),
    (lambda: A.Mixup(1.0, 2)(X, torch.tensor([0])), "need as many labels as images, got images=2, labels=1"),
    (
        lambda: A.Mixup(1.0)(X, torch.ones(2, 2)),
        "need 1 <= sum of a row of y <= 1, got smallest=2.0.*multi_label=True",
    ),
    (lambda: A.CutMix(1.0, 3)(X, torch.full((2, 2), 0.5)), "need num_classes columns"),
    (lambda: A.Compose([A.Mixup(1.0, 2)])(X), r"need labels for Mixup, got y=None; call compose\(x, y\)"),
    (lambda: A.Compose([abs]), "need modules.*wrap a function in an nn.Module"),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_agrees_with_torchvision_where_it_is_installed() -> None:
    try:
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms import functional as TF
    except Exception as error:  # a build for another torch raises RuntimeError on import
        pytest.skip(f"torchvision does not import: {error}")
    x = images(4, 3, 10, 13, dtype=torch.float32)
    exactly(A.rotate(x, 25.0), TF.rotate(x, 25.0, interpolation=InterpolationMode.BILINEAR), atol=1e-4)
    exactly(A.adjust_brightness(x, 1.3), TF.adjust_brightness(x, 1.3), atol=1e-6)
    exactly(A.adjust_hue(x, 0.2), TF.adjust_hue(x, 0.2), atol=1e-5)
    for factor in (0.5, 1.5):  # torchvision's red weighs 0.2989
        exactly(A.adjust_saturation(x, factor), TF.adjust_saturation(x, factor), atol=1e-4)
        for i in range(4):
            exactly(A.adjust_contrast(x[i : i + 1], factor)[0], TF.adjust_contrast(x[i], factor), atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@every_module
def test_a_cpu_generator_gives_the_same_on_a_gpu(make: Any) -> None:
    x = images(16, 3, 9, 12, dtype=torch.float32)
    on_gpu = make(generator=seeded())(x.cuda())
    assert on_gpu.is_cuda
    exactly(on_gpu.cpu(), make(generator=seeded())(x), atol=1e-4)
