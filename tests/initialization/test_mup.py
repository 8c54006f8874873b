"""μP: table 3's factors; its steps are those of table 8, written out here, at every step in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import optimizers
from course_utils.initialization import mup
from tests.mutants import mistakes

BASE = 4


def make(width: int, *, bias: bool = True) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(6, width, bias=bias), nn.Tanh(), nn.Linear(width, width, bias=bias), nn.Tanh(),
        nn.Linear(width, 3, bias=bias),
    ).double()  # fmt: skip


# Table 3, m = 4: name -> (first weights, SGD, Adam)
TABLE = {
    "0.weight": (1, 4, 1), "0.bias": (1, 4, 1), "2.weight": (1, 1, 1 / 4), "2.bias": (1, 4, 1),
    "4.weight": (1 / 2, 1 / 4, 1 / 4), "4.bias": (1, 1, 1),
}  # fmt: skip


def check_table(module: Any) -> None:
    for column, optimizer in ((1, "sgd"), (2, "adam")):
        found = module.mup_scales(make(4 * BASE), make(BASE), optimizer=optimizer)
        assert {name: tuple(one) for name, one in found.items()} == {
            name: (row[0], row[column]) for name, row in TABLE.items()
        }
        narrower = module.mup_scales(make(BASE // 2), make(BASE), optimizer=optimizer)
        assert narrower["4.weight"].std == 1  # the last layer's factor is for wider nets
        same = module.mup_scales(make(BASE), make(BASE), optimizer=optimizer)
        assert set(same.values()) == {module.Scales(1.0, 1.0)}


# Table 8, m = 4: name -> (SGD, Adam); the last layer's output is multiplied by 1 / m.
TABLE_8 = {
    "0.weight": (4, 1), "0.bias": (4, 1), "2.weight": (1, 1 / 4), "2.bias": (4, 1),
    "4.weight": (4, 1), "4.bias": (1, 1),
}  # fmt: skip


def check_steps(module: Any) -> None:
    """Outputs at each step are those of table 8, with SGD, with momentum, and with Adam at eps = 0."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20, 6, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 3, (20,), generator=generator)
    kinds: list[tuple[str, Any, dict[str, Any]]] = [
        ("sgd", optimizers.SGD, {}), ("sgd", optimizers.SGD, {"momentum": 0.9}),
        ("adam", optimizers.Adam, {"eps": 0.0}), ("adam", torch.optim.Adam, {"eps": 0.0}),
    ]  # fmt: skip
    for name, kind, options in kinds:
        model, m = make(4 * BASE), 4
        scales = module.mup_scales(model, make(BASE), optimizer=name)
        module.scale_init_(model, scales)
        ours = kind(module.lr_groups(model, scales, 0.1), **options)
        # table 8: the last weights of the standard form, at the base's size, which is sqrt(m) times larger
        w = {key: p.detach().clone().requires_grad_() for key, p in make(4 * BASE).named_parameters()}
        with torch.no_grad():
            w["4.weight"] *= m**0.5
        groups = [{"params": [p], "lr": 0.1 * TABLE_8[key][name == "adam"]} for key, p in w.items()]
        theirs = kind(groups, **options)

        def table_8(x: Tensor, w: dict[str, Tensor] = w, m: int = m) -> Tensor:
            h = torch.tanh(F.linear(x, w["0.weight"], w["0.bias"]))
            h = torch.tanh(F.linear(h, w["2.weight"], w["2.bias"]))
            return h @ w["4.weight"].T / m + w["4.bias"]

        for _ in range(12):
            out = [model(x), table_8(x)]
            torch.testing.assert_close(out[0], out[1], rtol=1e-9, atol=1e-11)
            for one, optimizer in zip(out, (ours, theirs), strict=True):
                optimizer.zero_grad()
                F.cross_entropy(one, y).backward()
                optimizer.step()


def check_widths(module: Any) -> None:
    """Outputs have moved as far at widths forty times apart; in the standard form not."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20, 6, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 3, (20,), generator=generator)

    def moved(width: int, optimizer: str, standard: bool) -> float:
        model = make(width)
        scales = module.mup_scales(model, make(64), optimizer=optimizer)
        if standard:
            scales = dict.fromkeys(scales, module.Scales(1.0, 1.0))
        module.scale_init_(model, scales)
        kind: Any = {"sgd": optimizers.SGD, "adam": optimizers.Adam}[optimizer]
        rule = kind(module.lr_groups(model, scales, {"sgd": 0.02, "adam": 0.0005}[optimizer]))
        first = model(x).detach()
        for _ in range(3):
            rule.zero_grad()
            F.cross_entropy(model(x), y).backward()
            rule.step()
        return float((model(x).detach() - first).pow(2).mean().sqrt())

    for optimizer in ("sgd", "adam"):
        ratio = moved(2560, optimizer, False) / moved(64, optimizer, False)
        assert 0.5 < ratio < 2, (optimizer, ratio)
        assert moved(2560, optimizer, True) / moved(64, optimizer, True) > 4, optimizer


CHECKS = [check_table, check_steps, check_widths]


@pytest.mark.parametrize("check", CHECKS)
def test_mup(check: Any) -> None:
    check(mup)


def test_convolutions_and_norms() -> None:
    def conv(width: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.Conv2d(width, width, 3))

    found = mup.mup_scales(conv(32), conv(8), optimizer="adam")
    assert found["0.weight"] == (1, 1)
    assert found["1.weight"] == found["1.bias"] == (1, 1)
    assert found["2.weight"] == (1, 1 / 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mup.mup_scales(make(8), make(4), optimizer="adagrad"), "got optimizer='adagrad'"),
        (lambda: mup.mup_scales(make(8), make(4, bias=False), optimizer="sgd"), "the parameters of the base"),
        (lambda: mup.mup_scales(nn.Embedding(5, 8), nn.Embedding(5, 4), optimizer="sgd"), "no embedding"),
        (
            lambda: mup.mup_scales(nn.Conv2d(3, 8, 5), nn.Conv2d(3, 8, 3), optimizer="sgd"),
            "only widths may differ",
        ),
        (lambda: mup.lr_groups(make(4), {}, -1.0), "need lr >= 0, got lr=-1.0"),
    ],
)
def test_bad_input(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


MUTANTS = {
    "last-weights-not-scaled": ("math.sqrt(min(1.0, m_out / m_in))", "1.0", check_steps),
    "variance-for-deviation": ("math.sqrt(min(1.0, m_out / m_in))", "min(1.0, m_out / m_in)", check_table),
    "first-weights-scaled": ("math.sqrt(min(1.0, m_out / m_in))", "math.sqrt(m_out / m_in)", check_table),
    "adam-not-divided": ('== "sgd" else 1 / m_in', '== "sgd" else 1.0', check_widths),
    "adam-as-sgd": ('== "sgd" else 1 / m_in', '== "sgd" else m_out / m_in', check_steps),
    "sgd-upside-down": ("m_out / m_in if optimizer", "m_in / m_out if optimizer", check_steps),
    "fans-exchanged": ("m_out = shape[0] / base[0]", "m_out = shape[-1] / base[-1]", check_table),
    "factor-not-used": ("lr * scales[name].lr", "lr", check_steps),
    "rate-scales-weights": ("p.mul_(scales[name].std)", "p.mul_(scales[name].lr)", check_steps),
}

test_mistakes_are_caught = mistakes("course_utils.initialization.mup", MUTANTS)
