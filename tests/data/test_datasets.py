"""Data: the shipped files, the splits that a fair comparison needs, the generated sets."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import datasets
from torch import Tensor

import course_utils.data.datasets
from course_utils.data import Dataset
from course_utils.data import datasets as data
from tests.mutants import mistakes

SETTINGS = settings(max_examples=30, deadline=None, derandomize=True)
SHIPPED = {
    "digits": lambda: datasets.load_digits(),
    "diabetes": lambda: datasets.load_diabetes(scaled=False),
    "breast_cancer": lambda: datasets.load_breast_cancer(),
}
EVERY = [data.digits, data.diabetes, data.breast_cancer, data.mnist1d]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_files_equal_scikit_learns(name: str) -> None:
    theirs = SHIPPED[name]()
    x, y, names = data._stored(name)
    shape = theirs.images.shape if name == "digits" else theirs.data.shape
    assert np.array_equal(x.numpy(), theirs.data.reshape(shape))
    assert np.array_equal(y.numpy(), theirs.target)
    if name != "digits":
        assert names == tuple(theirs.feature_names)


@pytest.mark.parametrize("name", SHIPPED)
def test_pool_and_test_set_are_all_rows_once_in_a_fixed_order(name: str) -> None:
    made: Dataset = getattr(data, name)()
    x, y, _ = data._stored(name)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(data._TEST_SEED))
    assert torch.equal(torch.cat([made.test_x, made.x]), x[order])
    assert torch.equal(torch.cat([made.test_y, made.y]).double(), y[order])
    assert len(made.test_x) == {"digits": 360, "diabetes": 88, "breast_cancer": 114}[name]
    held = y[order][: len(made.test_x)]
    assert held.unique().numel() >= min(made.classes, 10)
    assert made.features == (() if name == "digits" else tuple(SHIPPED[name]().feature_names))


def numbered(n: int = 40, test: int = 10, *, classes: int = 4, shape: tuple[int, ...] = (3,)) -> Dataset:
    """Examples whose first entry is their number, so that one can see who went where."""
    draw = torch.Generator().manual_seed(5)
    x = torch.randn(n + test, *shape, generator=draw, dtype=torch.float64)
    x.view(n + test, -1)[:, 0] = torch.arange(n + test)
    y = torch.randint(classes, (n + test,), generator=draw)
    return Dataset("numbered", x[:n], y[:n], x[n:], y[n:], classes=classes)


def numbers(part: Tensor, like: Tensor) -> list[int]:
    """The numbers of the examples in a standardised part, whose first column is (number - mean) / std."""
    column = like.flatten(1)[:, 0]
    return [int(k) for k in (part.flatten(1)[:, 0] * column.std(correction=0) + column.mean()).round()]


def check_parts(cls: type[Dataset]) -> None:
    """No example in two parts, everyone with their own label, the test set the same for every seed."""
    base = numbered()
    made = cls(**vars(base))
    for seed in range(5):
        split = made.split(seed, train=25, validation=10, dtype=torch.float64)
        drawn = torch.randperm(40, generator=torch.Generator().manual_seed(seed))[:25]
        trained = numbers(split.train.x, base.x[drawn])
        validated = numbers(split.validation.x, base.x[drawn])
        tested = numbers(split.test.x, base.x[drawn])
        assert len(set(trained)) == 25
        assert len(set(validated)) == 10
        assert not set(trained) & set(validated)
        assert set(trained) | set(validated) <= set(range(40)), "a test example was drawn"
        assert tested == list(range(40, 50))
        assert split.train.y.tolist() == base.y[trained].tolist()
        assert split.validation.y.tolist() == base.y[validated].tolist()
        assert torch.equal(split.test.y, base.test_y)


def check_training_statistics(cls: type[Dataset]) -> None:
    """(x - mean) / std with the training part's numbers, in every part, bit for bit."""
    base = numbered()
    split = cls(**vars(base)).split(3, train=25, validation=10, dtype=torch.float64)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(3))
    train = base.x[order[:25]]
    mean, std = train.mean(0), train.std(0, correction=0)
    assert torch.equal(split.train.x, (train - mean) / std)
    assert torch.equal(split.validation.x, (base.x[order[25:35]] - mean) / std)
    assert torch.equal(split.test.x, (base.test_x - mean) / std)


def check_label_noise(cls: type[Dataset]) -> None:
    """Exactly the stated share of training labels is another class; validation and test are untouched."""
    base = numbered()
    made = cls(**vars(base))
    for share, moved in ((0.0, 0), (0.2, 5), (0.5, 12), (1.0, 25)):  # 12.5 rounds to 12, half to even
        for seed in range(4):
            clean = made.split(seed, train=25, validation=10)
            noisy = made.split(seed, train=25, validation=10, label_noise=share)
            assert torch.equal(clean.train.x, noisy.train.x)
            assert int((clean.train.y != noisy.train.y).sum()) == moved
            assert set(noisy.train.y.tolist()) <= set(range(4))
            assert torch.equal(clean.validation.y, noisy.validation.y)
            assert torch.equal(clean.test.y, noisy.test.y)


def check_regression_targets(cls: type[Dataset]) -> None:
    base = numbered()
    made = cls(**{**vars(base), "y": base.x[:, 1] * 7 + 100, "test_y": base.test_x[:, 1], "classes": 0})
    split = made.split(1, train=25, validation=10, dtype=torch.float64)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    train = made.y[order[:25]]
    mean, std = train.mean(), train.std(correction=0)
    assert torch.equal(split.train.y, (train - mean) / std)
    assert torch.equal(split.validation.y, (made.y[order[25:35]] - mean) / std)
    assert torch.equal(split.test.y, (made.test_y - mean) / std)


CHECKS = [check_parts, check_training_statistics, check_label_noise, check_regression_targets]


@pytest.mark.parametrize("check", CHECKS)
def test_splits(check: Callable[[Any], None]) -> None:
    check(Dataset)


MUTANTS = [
    pytest.param("_standardise(part_x, x, over), part_y)",
                 "_standardise(part_x, _floating(self.x), over), part_y)", check_training_statistics,
                 id="statistics-of-all-data"),
    pytest.param("_standardise(part_x, x, over), part_y)", "_standardise(part_x, part_x, over), part_y)",
                 check_training_statistics, id="each-part-by-its-own-statistics"),
    pytest.param("training.std(over, correction=0,", "training.std(over, correction=1,",
                 check_training_statistics, id="unbiased-std"),
    pytest.param("self.y[held]), (_floating(self.test_x)",
                 "noisy_labels(self.y[held], label_noise, classes=self.classes, generator=generator)),"
                 " (_floating(self.test_x)", check_label_noise, id="noise-on-validation"),
    pytest.param("torch.randint(1, classes,", "torch.randint(0, classes,", check_label_noise,
                 id="noise-that-keeps-labels"),
    pytest.param("torch.randperm(len(y), generator=generator)[: round(share * len(y))]",
                 "(torch.rand(len(y), generator=generator) < share).nonzero()[:, 0]", check_label_noise,
                 id="noise-only-on-average"),
    pytest.param("order[train : train + validation]", "order[train - 1 : train + validation - 1]",
                 check_parts, id="validation-overlaps-training"),
    pytest.param("self.y[held]", "self.y[:validation]", check_parts, id="labels-of-others"),
    pytest.param("_standardise(part_y, y, (0,))", "_standardise(part_y, part_y, (0,))",
                 check_regression_targets, id="targets-by-their-own-statistics"),
]  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.data.datasets", MUTANTS, of="Dataset")


@pytest.mark.parametrize("make", EVERY, ids=lambda make: make.__name__)
def test_the_test_set_is_the_same_whatever_the_seed_up_to_its_scale(make: Callable[[], Dataset]) -> None:
    made = make()
    one, two = (made.split(seed, dtype=torch.float64).test for seed in (0, 1))
    if made.classes:
        assert torch.equal(one.y, made.test_y)
        assert torch.equal(two.y, made.test_y)
    # standardised twice they are the same again: both are one affine map of the same rows
    assert torch.allclose(standard(one.x), standard(two.x), rtol=0, atol=1e-9)
    pool = {row.numpy().tobytes() for row in made.x}
    repeated = sum(row.numpy().tobytes() in pool for row in made.test_x)
    assert repeated == 0


def standard(x: Tensor) -> Tensor:
    std = x.std(0, correction=0)
    return (x - x.mean(0)) / torch.where(std > 1e-9, std, torch.ones_like(std))


@pytest.mark.parametrize("make", [data.digits, data.diabetes])
def test_stacked_splits_are_the_splits(make: Callable[[], Dataset]) -> None:
    options: dict[str, Any] = {"train": 100, "validation": 50}
    if make is data.digits:
        options |= {"label_noise": 0.3, "flat": False}
    stacked = make().splits([3, 1, 4], **options)
    for index, seed in enumerate([3, 1, 4]):
        split = make().split(seed, **options)
        for several, one in zip(stacked, split, strict=True):
            assert torch.equal(several.x[index], one.x)
            assert torch.equal(several.y[index], one.y)


def test_default_sizes_and_types() -> None:
    split = data.digits().split(0)
    assert [tuple(part.x.shape) for part in split] == [(1150, 64), (287, 64), (360, 64)]
    assert {part.x.dtype for part in split} == {torch.float32}
    assert {part.y.dtype for part in split} == {torch.int64}
    assert data.digits().split(0, flat=False).train.x.shape == (1150, 1, 8, 8)
    regression = data.diabetes().split(0, dtype=torch.float64)
    assert {part.y.dtype for part in regression} == {torch.float64}


def test_images_are_scaled_alike_and_colour_channel_by_channel() -> None:
    split = data.digits().split(0, dtype=torch.float64)
    assert abs(float(split.train.x.mean())) < 1e-12
    assert abs(float(split.train.x.std(correction=0)) - 1) < 1e-12
    assert float(split.train.x.mean(0).abs().max()) > 0.1, "pixels keep their differences"
    base = numbered(shape=(3, 4, 5))
    colour = Dataset("c", base.x, base.y, base.test_x, base.test_y, classes=4, per_feature=False)
    x = colour.split(0, flat=False, dtype=torch.float64).train.x
    assert x.shape == (32, 3, 4, 5)
    assert float(x.mean((0, 2, 3)).abs().max()) < 1e-12
    assert float((x.std((0, 2, 3), correction=0) - 1).abs().max()) < 1e-12


def test_a_constant_column_is_centred_and_not_blown_up() -> None:
    base = numbered()
    x, test_x = base.x.clone(), base.test_x.clone()
    x[:, 1], test_x[:, 1] = 0.1, 0.3  # 0.1 is no binary number: its mean is off by a bit, its std not 0
    split = Dataset("c", x, base.y, test_x, base.test_y, classes=4).split(0, train=25, dtype=torch.float64)
    assert float(split.train.x[:, 1].abs().max()) < 1e-15
    assert torch.allclose(split.test.x[:, 1], torch.tensor(0.2, dtype=torch.float64), rtol=0, atol=1e-15)


def test_padding_puts_images_in_the_middle() -> None:
    padded = data.digits().padded(12, 11)
    assert padded.x.shape == (1437, 12, 11)
    assert torch.equal(padded.x[:, 2:10, 1:9], data.digits().x)
    assert padded.x.sum() == data.digits().x.sum()
    assert torch.equal(padded.test_x[:, 2:10, 1:9], data.digits().test_x)


@SETTINGS
@given(st.integers(0, 60), st.floats(0, 1), st.integers(2, 6), st.integers(0, 10))
def test_noisy_labels_move_exactly_the_share_to_other_classes(
    n: int, share: float, classes: int, seed: int
) -> None:
    y = torch.arange(n) % classes
    noisy = data.noisy_labels(y, share, classes=classes, generator=torch.Generator().manual_seed(seed))
    assert int((noisy != y).sum()) == round(share * n)
    assert y.equal(torch.arange(n) % classes), "the labels given are left alone"
    if n:
        assert 0 <= int(noisy.min()) <= int(noisy.max()) < classes


def test_noisy_labels_go_to_every_other_class_alike() -> None:
    y = torch.zeros(30_000, dtype=torch.int64)
    noisy = data.noisy_labels(y, 1.0, classes=4, generator=torch.Generator().manual_seed(0))
    counts = torch.bincount(noisy, minlength=4)
    assert counts[0] == 0
    assert float((counts[1:] - 10_000).abs().max()) < 5 * (30_000 * 2 / 9) ** 0.5  # five standard errors


def test_mnist1d_is_the_packages_and_leaves_global_generators_alone() -> None:
    from mnist1d.data import get_dataset_args, make_dataset

    theirs = make_dataset(get_dataset_args())
    random.seed(1)
    np.random.seed(2)  # noqa: NPY002
    torch.manual_seed(3)
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    data.mnist1d.cache_clear()
    ours = data.mnist1d()
    after = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    assert np.array_equal(ours.x.numpy(), theirs["x"])
    assert np.array_equal(ours.test_x.numpy(), theirs["x_test"])
    assert np.array_equal(ours.y.numpy(), theirs["y"])
    assert np.array_equal(ours.test_y.numpy(), theirs["y_test"])
    assert ours.x.shape == (4000, 40)
    assert before[0] == after[0]
    assert before[1][0] == after[1][0]
    assert np.array_equal(before[1][1], after[1][1])
    assert before[1][2:] == after[1][2:]
    assert torch.equal(before[2], after[2])


def test_splitting_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    data.digits().split(1, label_noise=0.1)
    assert torch.equal(before, torch.get_rng_state())


def test_sample_images() -> None:
    whole = data.sample_images(size=(427, 640), dtype=torch.float64)
    theirs = np.stack(datasets.load_sample_images().images).transpose(0, 3, 1, 2) / 255
    assert np.array_equal(whole.numpy(), theirs)
    small = data.sample_images()
    assert (small.shape, small.dtype) == ((2, 3, 214, 320), torch.float32)
    assert float(small.min()) >= 0
    assert float(small.max()) <= 1


def test_daily_temperature_is_a_wave_with_weather() -> None:
    truth, seen = data.daily_temperature(1461, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(truth[20], torch.tensor(1.0, dtype=torch.float64), atol=1e-12)  # the coldest day
    assert abs(float(truth.mean()) - 10) < 1e-2
    assert abs(float((seen - truth).std()) - 3) < 0.3
    calm = data.daily_temperature(9, generator=torch.Generator(), noise=0.0)
    assert torch.equal(*calm)


def noisy(y: list[Any]) -> Tensor:
    return data.noisy_labels(torch.tensor(y), 0.5, classes=3, generator=torch.Generator().manual_seed(0))


def check_chains(module: Any) -> None:
    """Symbols follow each other with shares that depend on the last symbol alone; parts are apart."""
    train, new = module.markov_chains([3, 4], train=6000, validation=5000, symbols=4, length=6)
    assert train.x.shape == train.y.shape == (2, 6000, 6)
    assert new.x.shape == (2, 5000, 6)
    assert torch.equal(train.x[..., 1:], train.y[..., :-1])
    assert train.x.unique().tolist() == [0, 1, 2, 3]
    tables = []
    for seed in range(2):
        generator = torch.Generator().manual_seed(3 + seed)
        table = (1.5 * torch.randn(4, 4, generator=generator)).softmax(1)
        for part in (train, new):
            pairs = F.one_hot(4 * part.x[seed].flatten() + part.y[seed].flatten(), 16).sum(0).view(4, 4)
            assert (pairs / pairs.sum(1, keepdim=True) - table).abs().max() < 0.03
            # whatever came before the last symbol
            odd = part.x[seed, :, -2] % 2 == 1
            last, after = part.x[seed, odd, -1], part.y[seed, odd, -1]
            pairs = F.one_hot(4 * last + after, 16).sum(0).view(4, 4)
            assert (pairs / pairs.sum(1, keepdim=True) - table).abs().max() < 0.1
        tables.append(table)
    assert not torch.equal(*tables)
    assert not torch.equal(train.x[0, :100], new.x[0, :100])
    few, same = module.markov_chains([3, 4], train=10, validation=5000, symbols=4, length=6)
    assert torch.equal(few.x, train.x[:, :10])
    assert torch.equal(same.y, new.y)


def test_markov_chains() -> None:
    check_chains(data)


CHAIN_MUTANTS = {
    "one-table-for-all": ("manual_seed(seed)\n        shares", "manual_seed(3)\n        shares"),
    "first-symbol-decides": ("shares[places[-1]]", "shares[places[0]]"),
    "parts-exchanged": ("return parts[1], parts[0]", "return parts[0], parts[1]"),
    "targets-are-inputs": ("part[..., 1:]) for part", "part[..., :-1]) for part"),
}
test_mistakes_of_chains_are_caught = mistakes("course_utils.data.datasets", CHAIN_MUTANTS, check=check_chains)


def test_whole_numbers_of_numpy_are_numbers() -> None:
    ours = numbered().splits(range(2), train=25, validation=10, label_noise=0.2)
    theirs = numbered().splits(
        np.arange(2), train=np.int64(25), validation=np.int32(10), label_noise=np.float32(0.2)
    )
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one.x, other.x)
        assert torch.equal(one.y, other.y)


BAD = [
    (
        lambda: numbered().split(0, train=35, validation=6),
        "no more than 40 in all, got train=35, validation=6",
    ),
    (lambda: numbered().split(0, train=1), "need train >= 2"),
    (lambda: numbered().split(0, validation=0), "validation >= 1"),
    (lambda: numbered().split(0, label_noise=1.5), "0 <= share <= 1 and classes >= 2, got share=1.5"),
    (lambda: numbered().split(0, label_noise=-0.1), "got share=-0.1"),
    (lambda: numbered().split(0, label_noise=float("nan")), "got share=nan"),
    (lambda: data.diabetes().split(0, label_noise=0.1), "need classes for noisy labels, got data='diabetes'"),
    (lambda: data.diabetes().padded(20, 20), "need images, got data='diabetes'"),
    (lambda: data.digits().padded(7, 20), "need a larger size, got height=7, width=20"),
    (lambda: data.markov_chains([0], train=0, validation=1), "need whole numbers >= 1, symbols >= 2"),
    (
        lambda: data.markov_chains([0], train=1, validation=1, symbols=1),
        "need whole numbers >= 1, symbols >= 2, got train=1, validation=1, symbols=1",
    ),
    (lambda: data.daily_temperature(0, generator=torch.Generator()), "need a whole number days >= 1"),
    (lambda: data.daily_temperature(2.5, generator=torch.Generator()), "need a whole number days >= 1"),
    (
        lambda: numbered().split(0, train=0.8),
        "need a whole number of training examples, got train=0.8; to train",
    ),
    (lambda: numbered().split(0, train=30.0), "need a whole number of training examples, got train=30.0"),
    (lambda: numbered().split(0, validation=0.2), "need a whole number of validation examples"),
    (lambda: numbered().split(0, label_noise=True), "got share=True"),
    (lambda: numbered().split(0.5), "need a whole number as seed, got seed=0.5"),
    (lambda: numbered().split(True), "need a whole number as seed, got seed=True"),
    (lambda: numbered().split(0, dtype=torch.int64), "need a floating-point dtype, as the inputs are scaled"),
    (lambda: numbered().splits([]), "need a seed or more, in a list or a range, got seeds=[]"),
    (lambda: numbered().splits(3), "need a seed or more, in a list or a range, got seeds=3; take split"),
    (lambda: noisy([0, 1, -100]), "need labels (N,) from 0 to 2, got shape=(3,)"),
    (lambda: noisy([0, 1, 3]), "need labels (N,) from 0 to 2"),
    (lambda: noisy([[0], [1]]), "need labels (N,) from 0 to 2, got shape=(2, 1)"),
    (lambda: noisy([0.0, 1.0]), "got shape=(2,), dtype=torch.float32"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=range(len(BAD)))
def test_bad_input_says_what_is_needed(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_the_readme_of_the_data_names_every_file() -> None:
    folder = course_utils.data.datasets._FOLDER
    text = (folder / "README.md").read_text(encoding="utf-8")
    files = sorted(path.name for path in folder.glob("*.npz"))
    assert files
    assert all(f"`{name}`" in text for name in files)


def test_products_are_those_of_scikit_learn() -> None:
    from sklearn.preprocessing import PolynomialFeatures

    plain, made = data.diabetes(), data.diabetes().with_products(3)
    x = (plain.x - plain.x.mean(0)) / plain.x.std(0, correction=0)
    wanted = torch.from_numpy(PolynomialFeatures(3, include_bias=False).fit_transform(x.numpy()))
    assert made.x.shape == (354, 285)
    torch.testing.assert_close(made.x, wanted)
    assert made.test_x.shape == (88, 285)
    assert made.features[:3] == ("age", "sex", "bmi")
    column = made.features.index("bmi·s5")
    torch.testing.assert_close(made.x[:, column], x[:, 2] * x[:, 8])
    with pytest.raises(ValueError, match="need a table"):
        data.digits().with_products(2)
    with pytest.raises(ValueError, match="need degree >= 1"):
        plain.with_products(0)
