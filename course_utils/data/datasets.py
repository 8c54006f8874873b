"""Small real data that ship with the course, synthetic sets, and the splits that a fair comparison needs.

    digits().split(seed, train=500, label_noise=0.2)    one split
    digits().splits(seeds, train=500, label_noise=0.2)  one per seed, stacked for `train_seeds`

The test set of a data set never changes and no split touches it. Train and validation are drawn anew with
each seed, the inputs are standardised with the statistics of the training part alone, and noisy labels go
to the training part alone.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_utils._checks import is_whole, require

_FOLDER = Path(__file__).parent / "files"
_TEST_SEED = 20_240_101  # draws the test sets, once and for all


class Examples(NamedTuple):
    """Inputs x (N, ...) and targets y (N,)."""

    x: Tensor
    y: Tensor


class Stacked(NamedTuple):
    """Examples of their own for every seed: x (S, N, ...) and y (S, N)."""

    x: Tensor
    y: Tensor


class Split(NamedTuple):
    """One seed's training, validation and test examples, all scaled by the training part's statistics."""

    train: Examples
    validation: Examples
    test: Examples


class Splits(NamedTuple):
    """The same for many seeds at once, ready for `train_seeds`."""

    train: Stacked
    validation: Stacked
    test: Stacked


@dataclass(frozen=True)
class Dataset:
    """A data set, its test part set aside.

    Args:
        name: what it is called.
        x, y: everything but the test part, in raw units: x float64 (N, ...), or uint8 for large sets of
            images; y int64 classes, or float64.
        test_x, test_y: the test part, the same for everybody.
        classes: number of classes, or 0 for a regression.
        features: names of the columns of x, where it has columns.
        per_feature: whether to standardise column by column (tables) or not (curves and images: all entries
            alike, in colour each channel alike).
    """

    name: str
    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor
    classes: int
    features: tuple[str, ...] = ()
    per_feature: bool = True

    def split(
        self,
        seed: int,
        *,
        train: int | None = None,
        validation: int | None = None,
        label_noise: float = 0.0,
        flat: bool = True,
        dtype: torch.dtype = torch.float32,
    ) -> Split:
        """Draw train and validation with `seed`.

        Args:
            train, validation: how many examples (default: a fifth of the pool validates, the rest trains).
            label_noise: share of training labels moved to another class, in [0, 1].
            flat: whether images become vectors, (N, C * H * W), or keep channels, (N, C, H, W).
            dtype: of x, and of y in a regression (whose targets are standardised too).
        Raises: ValueError where the pool is too small, a count is no whole number, or labels cannot be noisy.
        """
        pool = len(self.x)
        validation = pool // 5 if validation is None else validation
        require(is_whole(validation), "a whole number of validation examples", validation=validation)
        train = pool - validation if train is None else train
        cure = f"to train on a share, give round(share * {pool})"
        require(is_whole(train), "a whole number of training examples", cure=cure, train=train)
        require(
            train >= 2 and validation >= 1 and train + validation <= pool,
            f"train >= 2, validation >= 1 and no more than {pool} in all",
            train=train,
            validation=validation,
        )
        require(is_whole(seed), "a whole number as seed", seed=seed)
        require(dtype.is_floating_point, "a floating-point dtype, as the inputs are scaled", dtype=dtype)
        generator = torch.Generator().manual_seed(int(seed))
        order = torch.randperm(pool, generator=generator)
        chosen, held = order[:train], order[train : train + validation]
        x, y = _floating(self.x[chosen]), self.y[chosen]
        if label_noise != 0:
            require(self.classes > 0, "classes for noisy labels", data=self.name)
            y = noisy_labels(y, label_noise, classes=self.classes, generator=generator)
        parts = [(x, y), (_floating(self.x[held]), self.y[held]), (_floating(self.test_x), self.test_y)]
        channels = 1 if x.ndim == 4 else None  # of colour images, (N, C, H, W)
        over = (0,) if self.per_feature else tuple(d for d in range(x.ndim) if d != channels)
        parts = [(_standardise(part_x, x, over), part_y) for part_x, part_y in parts]
        if self.classes == 0:
            parts = [(part_x, _standardise(part_y, y, (0,)).to(dtype)) for part_x, part_y in parts]
        if flat:
            parts = [(part_x.flatten(1), part_y) for part_x, part_y in parts]
        elif x.ndim == 3:
            parts = [(part_x[:, None], part_y) for part_x, part_y in parts]
        return Split(*(Examples(p.to(dtype), t) for p, t in parts))

    def splits(self, seeds: Sequence[int], **options: object) -> Splits:
        """One `split` per seed, stacked; `options` as in `split`."""
        several = hasattr(seeds, "__len__") and len(seeds) >= 1
        require(
            several, "a seed or more, in a list or a range", cure="take split for a single one", seeds=seeds
        )
        drawn = [self.split(seed, **options) for seed in seeds]  # type: ignore[arg-type]  # named there
        return Splits(
            *(
                Stacked(*(torch.stack(part) for part in zip(*of, strict=True)))
                for of in zip(*drawn, strict=True)
            )
        )

    def padded(self, height: int, width: int) -> Dataset:
        """Images in the middle of larger ones with zeros around, to leave room for shifts.

        Raises: ValueError where the data are no images, or larger than this.
        """
        require(self.x.ndim >= 3, "images", data=self.name)
        top, left = height - self.x.shape[-2], width - self.x.shape[-1]
        require(top >= 0 and left >= 0, "a larger size", height=height, width=width)
        border = (left // 2, left - left // 2, top // 2, top - top // 2)
        pad = torch.nn.functional.pad
        return replace(self, x=pad(self.x, border), test_x=pad(self.test_x, border))

    def with_products(self, degree: int) -> Dataset:
        """The columns of a table, standardised over the pool, and all products of two to `degree` of them.

        A column may be in a product several times. d columns give C(d + degree, degree) - 1; the first d are
        the table's own.

        Raises: ValueError where the data are no table, or the degree is below 1.
        """
        require(self.x.ndim == 2, "a table", data=self.name)
        require(is_whole(degree) and degree >= 1, "degree >= 1", degree=degree)
        x, test_x = (_standardise(_floating(part), _floating(self.x), (0,)) for part in (self.x, self.test_x))
        chosen = [
            list(columns)
            for size in range(1, degree + 1)
            for columns in combinations_with_replacement(range(x.shape[1]), size)
        ]
        x, test_x = (torch.stack([part[:, of].prod(1) for of in chosen], 1) for part in (x, test_x))
        features = tuple("·".join(self.features[j] for j in of) for of in chosen) if self.features else ()
        return replace(self, x=x, test_x=test_x, features=features)


def noisy_labels(y: Tensor, share: float, *, classes: int, generator: torch.Generator) -> Tensor:
    """A copy of y in which round(share * N) labels, drawn without replacement, are another class each.

    Args:
        y: whole numbers of classes (N,), 0 .. classes - 1.
        share: in [0, 1].
        classes: how many there are, >= 2; every other class is equally likely.
    Raises: ValueError if a number is out of range, or y are no such labels.
    """
    fitting = not isinstance(share, bool) and 0 <= share <= 1 and is_whole(classes) and classes >= 2
    require(fitting, "0 <= share <= 1 and classes >= 2", share=share, classes=classes)
    labels = y.ndim == 1 and not y.is_floating_point() and bool(((y >= 0) & (y < classes)).all())
    cure = "leave out targets that mark no class, as -100 does"
    require(labels, f"labels (N,) from 0 to {classes - 1}", cure=cure, shape=tuple(y.shape), dtype=y.dtype)
    moved = torch.randperm(len(y), generator=generator)[: round(share * len(y))]
    noisy = y.clone()
    noisy[moved] = (y[moved] + torch.randint(1, classes, (len(moved),), generator=generator)) % classes
    return noisy


@functools.cache
def digits() -> Dataset:
    """1,797 handwritten digits of 13 people, 8×8 pixels from 0 to 16; 360 of them are the test set.

    Source: Alpaydin & Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, CC BY 4.0; the part that scikit-learn ships as `load_digits`, which is the repository's test
    part (the other 30 of its 43 people wrote the training part).
    """
    x, y, _ = _stored("digits")
    return _set_aside("digits", x, y.long(), test=360, classes=10, per_feature=False)


@functools.cache
def diabetes() -> Dataset:
    """442 patients, ten measurements in raw units, the disease's progress in a year; 88 are the test set.

    Source: Efron, Hastie, Johnstone & Tibshirani (2004), Least Angle Regression; the set that scikit-learn
    ships as `load_diabetes(scaled=False)`.
    """
    x, y, names = _stored("diabetes")
    return _set_aside("diabetes", x, y, test=88, classes=0, features=names)


@functools.cache
def breast_cancer() -> Dataset:
    """569 tumours, thirty measurements of cell nuclei; 0 is malignant, 1 is benign; 114 are the test set.

    Source: Wolberg, Mangasarian, Street & Street (1993), Breast Cancer Wisconsin (Diagnostic), UCI Machine
    Learning Repository, CC BY 4.0; the set that scikit-learn ships as `load_breast_cancer`.
    """
    x, y, names = _stored("breast_cancer")
    return _set_aside("breast_cancer", x, y.long(), test=114, classes=2, features=names)


@functools.cache
def mnist1d() -> Dataset:
    """5,000 digits as curves of 40 points, shifted, sheared and noisy; 1,000 are the test set.

    Generated by the authors' package, not downloaded; test set as there. Easy to run, hard enough that a
    convolution beats a dense net.
    Source: Greydanus & Kobak (2024), Scaling Down Deep Learning with MNIST-1D.
    """
    from mnist1d.data import get_dataset_args, make_dataset

    # make_dataset seeds Python's and NumPy's global generators: put them back
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        made = make_dataset(get_dataset_args())
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
    tensors = [torch.from_numpy(np.asarray(made[k])) for k in ("x", "y", "x_test", "y_test")]
    x, y, test_x, test_y = tensors
    return Dataset(
        "mnist1d", x.double(), y.long(), test_x.double(), test_y.long(), classes=10, per_feature=False
    )


def sample_images(*, size: tuple[int, int] = (214, 320), dtype: torch.dtype = torch.float32) -> Tensor:
    """Two colour photographs, a Chinese palace and a flower, as (2, 3, H, W) in [0, 1].

    Args:
        size: (H, W); the originals are (427, 640).
    Source: scikit-learn's `load_sample_images` (photographs by danielbuechele and vultilion, CC BY 2.0).
    """
    from sklearn.datasets import load_sample_images  # slow to import, and one lesson needs it

    photographs = torch.stack([torch.from_numpy(image.copy()) for image in load_sample_images().images])
    images = photographs.permute(0, 3, 1, 2).to(dtype) / 255
    if size == tuple(images.shape[-2:]):
        return images
    return torch.nn.functional.interpolate(images, size, mode="bilinear", antialias=True).clamp(0, 1)


def daily_temperature(days: int, *, generator: torch.Generator, noise: float = 3.0) -> tuple[Tensor, Tensor]:
    """Daily mean temperatures in °C of a made-up city: the yearly wave, and the wave with weather on it.

        truth(d) = 10 - 9 cos(2π (d - 20) / 365.25),    seen(d) = truth(d) + noise * N(0, 1)

    Returns: (truth, seen), float64, (days,) each.
    """
    whole = is_whole(days) and days >= 1
    require(whole and noise >= 0, "a whole number days >= 1 and noise >= 0", days=days, noise=noise)
    day = torch.arange(days, dtype=torch.float64)
    truth = 10 - 9 * torch.cos(2 * torch.pi * (day - 20) / 365.25)
    return truth, truth + noise * torch.randn(days, generator=generator, dtype=torch.float64)


def rare_features(
    n: int, rates: Tensor, weights: Tensor, *, generator: torch.Generator, noise: float = 0.5
) -> Examples:
    """Examples whose features are on (1) or off (0), some of them rarely, as words are in a text.

        x_j ~ Bernoulli(rates_j),    y = sum_j weights_j x_j + noise * N(0, 1)

    Args:
        n: examples, for each row of `weights`.
        rates: (F,), how often each feature is on, in [0, 1].
        weights: (F,), or (S, F) for S sets at once; its dtype is that of the result.
        noise: standard deviation of y's noise, >= 0.
    Returns: x (n, F) and y (n,), or (S, n, F) and (S, n).
    Raises: ValueError where a size, rate or noise is out of range.
    """
    inside = bool(((rates >= 0) & (rates <= 1)).all()) and rates.shape == weights.shape[-1:]
    require(inside, "0 <= rates <= 1, one per weight", rates=tuple(rates.shape), weights=tuple(weights.shape))
    whole = is_whole(n) and n >= 1
    require(whole and noise >= 0, "a whole number n >= 1 and noise >= 0", n=n, noise=noise)
    leading = weights.shape[:-1]
    x = (torch.rand(*leading, n, len(rates), generator=generator) < rates).to(weights.dtype)
    clean = (x @ weights[..., None])[..., 0]
    return Examples(x, clean + noise * torch.randn(clean.shape, generator=generator, dtype=weights.dtype))


def markov_chains(
    seeds: Sequence[int], *, train: int, validation: int, symbols: int = 10, length: int = 8
) -> tuple[Stacked, Stacked]:
    """Sequences in which the next symbol depends on the last one, by a random table of each seed's own.

        table = softmax(1.5 * N(0, 1)) over each row,    x_0 uniform,    x_(t + 1) ~ table[x_t]

    Args:
        seeds: one table each.
        train, validation: sequences, >= 1. The validation sequences do not depend on `train`, and of two
            training sets the smaller one is the beginning of the larger one.
        symbols: >= 2.
        length: of an input, >= 1.
    Returns: both parts; x (S, n, length), and y of the same shape: at each place the symbol that comes next.
    Raises: ValueError where a size is out of range.
    """
    fits = all(map(is_whole, (train, validation, symbols, length)))
    require(
        fits and min(train, validation, length, symbols - 1) >= 1,
        "whole numbers >= 1, symbols >= 2",
        train=train,
        validation=validation,
        symbols=symbols,
        length=length,
    )
    chains = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        shares = (1.5 * torch.randn(symbols, symbols, generator=generator)).softmax(1).cumsum(1)
        draws = torch.rand(validation + train, length + 1, generator=generator)
        places = [(draws[:, 0] * symbols).long()]
        for t in range(1, length + 1):
            # the symbol at which the shares so far pass the draw
            passed = shares[places[-1]] < draws[:, t, None]
            places.append(passed.sum(1).clamp(max=symbols - 1))
        chains.append(torch.stack(places, 1))
    whole = torch.stack(chains)
    parts = [Stacked(part[..., :-1], part[..., 1:]) for part in whole.split([validation, train], 1)]
    return parts[1], parts[0]


def _stored(name: str) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    with np.load(_FOLDER / f"{name}.npz") as file:
        names = tuple(str(n) for n in file["names"]) if "names" in file else ()
        return torch.from_numpy(file["x"]).double(), torch.from_numpy(file["y"]).double(), names


def _set_aside(
    name: str,
    x: Tensor,
    y: Tensor,
    *,
    test: int,
    classes: int,
    features: tuple[str, ...] = (),
    per_feature: bool = True,
) -> Dataset:
    """Keep `test` examples apart; the draw depends on nothing that a lesson chooses."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(_TEST_SEED))
    held, pool = order[:test], order[test:]
    return Dataset(name, x[pool], y[pool], x[held], y[held], classes, features, per_feature)


def _floating(x: Tensor) -> Tensor:
    return x if x.is_floating_point() else x.float()


def _standardise(x: Tensor, training: Tensor, over: tuple[int, ...]) -> Tensor:
    """(x - mean) / std with the training part's statistics; a column constant there is only centred."""
    mean, std = training.mean(over, keepdim=True), training.std(over, correction=0, keepdim=True)
    constant = std <= 16 * torch.finfo(x.dtype).eps * mean.abs()  # what rounding makes of no spread
    return (x - mean).div_(torch.where(constant, torch.ones_like(std), std))
