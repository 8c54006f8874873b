"""The language model of the GPU's benchmark: its text, batches, rates, optimizers, and that it learns."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch

from course_utils.gpu_benchmark import language_model
from course_utils.gpu_benchmark.language_model import (
    RATES,
    SIZES,
    Corpus,
    Size,
    batch,
    measure,
    optimizer,
    rate,
    reference,
    train,
)
from course_utils.models import Transformer
from tests.mutants import mistakes

TINY = Size(d=16, blocks=1, length=8, batch=8, steps=60)


def counting(symbols: int = 8, count: int = 900) -> Corpus:
    """A text in which each character is known from the one before."""
    codes = torch.arange(count) % symbols
    return Corpus(codes[:800], codes[800:], symbols)


def test_the_text_is_python_s_reference_and_its_end_is_held_out() -> None:
    text = reference()
    whole = torch.cat([text.train, text.held_out])
    assert len(whole) > 300_000
    assert len(text.held_out) == pytest.approx(len(whole) / 10, rel=0.01)
    assert set(whole.unique().tolist()) == set(range(text.symbols))
    assert 80 < text.symbols <= 128


def check_next(m: Any) -> None:
    codes = torch.arange(50)
    x, y = m.batch(codes, 30, 4, torch.Generator().manual_seed(0))
    assert x.shape == y.shape == (30, 4)
    assert torch.equal(y, x + 1)
    assert len(x[:, 0].unique()) > 10
    assert y.max() <= 49


def check_rates(m: Any) -> None:
    shares = [m.rate(step, 100) for step in range(100)]
    assert shares[:10] == pytest.approx([k / 10 for k in range(1, 11)])
    assert shares[10] == 1
    assert all(a > b for a, b in pairwise(shares[10:]))
    assert shares[-1] == pytest.approx(0.1, abs=0.001)
    assert m.rate(0, 1) == 1


def check_bits(m: Any) -> None:
    """A net that knows nothing needs log2 of the alphabet; one that knows the next character, none."""
    codes = torch.arange(64) % 8
    assert m.bits(lambda x: torch.zeros(*x.shape, 8), codes, 4) == pytest.approx(3)

    def knows(x: torch.Tensor) -> torch.Tensor:
        return 100.0 * torch.nn.functional.one_hot((x + 1) % 8, 8)

    assert m.bits(knows, codes, 4) == pytest.approx(0, abs=1e-6)


CHECKS = [check_next, check_rates, check_bits]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__[6:])
def test_parts(check: Any) -> None:
    check(language_model)


test_mistakes_are_caught = mistakes(
    "course_utils.gpu_benchmark.language_model",
    [
        (check_next, "pieces[:, 1:]\n\n\n@torch", "pieces[:, :-1]\n\n\n@torch"),
        (check_next, "torch.randint(len(codes) - length,", "torch.randint(1,"),
        (check_rates, "return (step + 1) / rise", "return step / rise"),
        (check_rates, "0.45 * (1 + math.cos", "0.9 * (1 + math.cos"),
        (check_bits, ".item() / math.log(2)", ".item()"),
    ],
)


def test_every_parameter_has_one_optimizer_and_muon_takes_the_matrices_within() -> None:
    for name in RATES:
        net = Transformer(8, 8, d=16, heads=1, blocks=2)
        parts = optimizer(name, net, 0.01)
        held = [p for part in parts for group in part.param_groups for p in group["params"]]
        assert sorted(map(id, held)) == sorted(map(id, net.parameters()))
        if name == "Muon":
            own = {id(p) for p in parts[0].param_groups[0]["params"]}
            names = [key for key, p in net.named_parameters() if id(p) in own]
            assert len(names) == 2 * 4
            assert all(key.startswith("blocks") and key.endswith("weight") for key in names)
    with pytest.raises(ValueError, match="an optimizer among momentum, Adam, AdamW, Muon"):
        optimizer("Lion", net, 0.01)


@pytest.mark.parametrize("name", RATES)
def test_each_optimizer_learns_a_text_that_can_be_known(name: str) -> None:
    row = train(name, 3 * RATES[name], counting(), TINY)
    first, last = row["held_out_bits"][0][1], row["held_out_bits"][-1][1]
    assert [at for at, _ in row["held_out_bits"]] == list(range(6, 61, 6))
    assert last < 0.8 * first
    assert row["training_bits"] < 3
    assert train(name, 3 * RATES[name], counting(), TINY)["held_out_bits"] == row["held_out_bits"]


def test_rows_hold_three_rates_each_and_no_number_that_json_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "tiny", Size(d=16, blocks=1, length=8, batch=2, steps=2, rates=3))
    said: list[str] = []
    rows = measure("tiny", device="cpu", corpus=counting(), names=["Adam"], say=said.append)
    assert [row["lr"] for row in rows] == pytest.approx([1e-3 / 3, 1e-3, 3e-3])
    assert len(said) == 3
    broken = {"held_out_bits": [[1, math.nan]], "training_bits": math.inf, "seconds": 1.0}
    monkeypatch.setattr(language_model, "train", lambda *_, **__: dict(broken))
    [*_, row] = measure("tiny", device="cpu", corpus=counting(), names=["Adam"])
    assert (row["held_out_bits"], row["training_bits"]) == ([[1, None]], None)
    with pytest.raises(ValueError, match="a size among tiny, small, standard"):
        measure("huge", corpus=counting())


def test_a_batch_never_reads_past_the_end() -> None:
    x, y = batch(torch.arange(6), 100, 5, torch.Generator().manual_seed(1))
    assert set(x[:, 0].tolist()) == {0}
    assert y.max() == 5
    assert rate(0, 3) == 1
