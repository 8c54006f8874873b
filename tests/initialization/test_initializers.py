"""Xavier's and He's weights are torch's to the bit, and have the variance that they are named for."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from course_utils import initialization
from course_utils.initialization import initializers
from tests.mutants import mistakes

SHAPES = [(30, 50), (50, 30), (7, 7), (1, 9), (8, 3, 5, 5), (4, 6, 3)]
KAIMING = [
    {},
    {"mode": "fan_out"},
    {"nonlinearity": "relu"},
    {"nonlinearity": "tanh"},
    {"nonlinearity": "linear", "mode": "fan_out"},
    {"a": math.sqrt(5)},
    {"a": 0.3, "mode": "fan_out"},
]
CASES = [
    *[(f"xavier_{kind}_", {"gain": gain}) for kind in ("normal", "uniform") for gain in (1.0, 0.5, 5 / 3)],
    *[(f"kaiming_{kind}_", options) for kind in ("normal", "uniform") for options in KAIMING],
]


def check_torch(module: Any) -> None:
    """The same numbers as torch's from the same generator, in float32 and float64."""
    for shape in SHAPES:
        for dtype in (torch.float32, torch.float64):
            for name, options in CASES:
                ours, theirs = torch.empty(shape, dtype=dtype), torch.empty(shape, dtype=dtype)
                result = getattr(module, name)(ours, **options, generator=torch.Generator().manual_seed(3))
                getattr(nn.init, name)(theirs, **options, generator=torch.Generator().manual_seed(3))
                assert result is ours
                torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)


def check_gains(module: Any) -> None:
    for name in ("linear", "sigmoid", "tanh", "relu", "selu", "leaky_relu"):
        for param in (None, 0.0, 0.2, 2):
            assert module.calculate_gain(name, param) == pytest.approx(nn.init.calculate_gain(name, param))


def check_variance(module: Any) -> None:
    """He's weights keep the mean square of a wide ReLU layer; with the fans exchanged they would not."""
    generator = torch.Generator().manual_seed(0)
    w = module.kaiming_normal_(torch.empty(4000, 500), generator=generator)
    x = torch.randn(200, 500, generator=generator).relu()
    ratio = float((x @ w.T).relu().pow(2).mean() / x.pow(2).mean())
    assert ratio == pytest.approx(1, rel=0.05)


def check_generator(module: Any) -> None:
    """Without a generator torch's own draws; no gradient is kept."""
    w = nn.Parameter(torch.empty(5, 4))
    for name in ("xavier_normal_", "xavier_uniform_", "kaiming_normal_", "kaiming_uniform_"):
        torch.manual_seed(5)
        first = getattr(module, name)(w).detach().clone()
        torch.manual_seed(5)
        assert torch.equal(first, getattr(nn.init, name)(torch.empty(5, 4)))
        assert w.grad_fn is None


@pytest.mark.parametrize("check", [check_torch, check_gains, check_variance, check_generator])
def test_initializers(check: Any) -> None:
    check(initializers)


def test_the_face_has_them() -> None:
    assert all(callable(getattr(initialization, name)) for name in initialization.__all__)


def test_linear_layers_have_a_sixth_of_hes_variance() -> None:
    torch.manual_seed(0)
    torchs = nn.Linear(300, 300).weight
    ours = initializers.kaiming_uniform_(torch.empty(300, 300), a=math.sqrt(5))
    assert float(torchs.detach().abs().max()) == pytest.approx(float(ours.abs().max()), rel=1e-3)
    hes = initializers.calculate_gain("relu") ** 2
    assert hes / initializers.calculate_gain("leaky_relu", math.sqrt(5)) ** 2 == pytest.approx(6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: initializers.fans(torch.empty(3)), "two dimensions or more"),
        (lambda: initializers.kaiming_normal_(torch.empty(3)), "a bias has no fans"),
        (lambda: initializers.xavier_uniform_(torch.empty(0, 3)), "a tensor with entries"),
        (lambda: initializers.xavier_normal_(torch.empty(2, 3), gain=-1), "need gain >= 0, got gain=-1"),
        (lambda: initializers.kaiming_normal_(torch.empty(2, 3), mode="fan_avg"), "got mode='fan_avg'"),
        (lambda: initializers.kaiming_normal_(torch.empty(2, 3), nonlinearity="gelu"), "need one of linear"),
        (lambda: initializers.calculate_gain("swish"), "got nonlinearity='swish'"),
    ],
)
def test_bad_input(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


MUTANTS = {
    "fans-exchanged": (
        "return tensor.shape[1] * field, tensor.shape[0] * field",
        "return tensor.shape[0] * field, tensor.shape[1] * field",
        check_torch,
    ),
    "kernel-left-out": ("math.prod(tensor.shape[2:])", "1", check_torch),
    "variance-for-deviation": ("calculate_gain(nonlinearity, a) / math.sqrt(fan)",
                               "calculate_gain(nonlinearity, a) ** 2 / fan", check_torch),
    "gain-missing": ("return calculate_gain(nonlinearity, a) / math", "return 1 / math", check_variance),
    "slope-ignored": ("return math.sqrt(2 / (1 + slope**2))", "return math.sqrt(2)", check_gains),
    "slope-zero-by-default": ("0.01 if param is None", "0.0 if param is None", check_gains),
    "tanh-of-one": ('"tanh": 5 / 3', '"tanh": 1.0', check_gains),
    "mode-ignored": ('fans(tensor)[mode == "fan_out"]', "fans(tensor)[0]", check_torch),
    "one-fan-for-both": ("math.sqrt(2 / sum(fans(tensor)))", "math.sqrt(1 / fans(tensor)[0])", check_torch),
    "deviation-as-bound": ("math.sqrt(3) * std", "std", check_torch),
    "another-generator": ("normal_(0, std, generator=generator)", "normal_(0, std)", check_torch),
    "not-centred": ("uniform_(-bound, bound,", "uniform_(0, bound,", check_torch),
}  # fmt: skip

test_mistakes_are_caught = mistakes("course_utils.initialization.initializers", MUTANTS)
