"""Causal attention is torch's, in float64, forward and back; each slip is noticed."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.layers import attention
from tests.mutants import mistakes

SHAPES = [(1, 1, 1), (4, 1, 1), (5, 3, 2), (2, 7, 8), (2, 3, 6, 4)]  # (..., T, d)


def drawn(shape: tuple[int, ...], values: int) -> list[Tensor]:
    draw = torch.Generator().manual_seed(sum(shape))
    shapes = [shape, shape, (*shape[:-1], values)]
    return [torch.randn(s, generator=draw, dtype=torch.float64).requires_grad_() for s in shapes]


def check_like_torch(module: Any) -> None:
    for shape in SHAPES:
        q, k, v = drawn(shape, 5)
        outs = [
            module.causal_attention(q, k, v),
            F.scaled_dot_product_attention(q, k, v, is_causal=True),
        ]
        torch.testing.assert_close(*outs, rtol=1e-12, atol=1e-14)
        grads = [torch.autograd.grad((out**3).sum(), (q, k, v)) for out in outs]
        for ours, theirs in zip(*grads, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def check_weights(module: Any) -> None:
    q, k, _ = drawn((2, 7, 8), 1)
    weights = module.causal_weights(q, k)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 7, dtype=torch.float64))
    assert torch.equal(weights, weights.tril())
    assert bool((weights.diagonal(dim1=-2, dim2=-1) > 0).all())  # each reads itself
    eye = torch.eye(7, dtype=torch.float64).expand(2, 7, 7)
    torch.testing.assert_close(weights, F.scaled_dot_product_attention(q, k, eye, is_causal=True))


def test_attention_is_torchs() -> None:
    check_like_torch(attention)
    check_weights(attention)


def test_huge_scores_stay_finite() -> None:
    q = torch.full((3, 2), 1e150, dtype=torch.float64)
    assert attention.causal_attention(q, q, q).isfinite().all()


def test_the_gradient_is_the_difference_quotient() -> None:
    assert torch.autograd.gradcheck(attention.causal_attention, tuple(drawn((2, 4, 3), 2)))


BAD = [
    (((3,), (3,), (3,)), "need q and k (..., T, d), got q=(3,), k=(3,)"),
    (((4, 3), (5, 3), (5, 3)), "got q=(4, 3), k=(5, 3); one query and one key for each place"),
    (((4, 3), (4, 2), (4, 3)), "got q=(4, 3), k=(4, 2)"),
    (((0, 3), (0, 3), (0, 3)), "got q=(0, 3), k=(0, 3)"),
    (((4, 3), (4, 3), (5, 3)), "need a value for each key, got k=(4, 3), v=(5, 3)"),
    (((4, 3), (4, 3), (4,)), "need a value for each key, got k=(4, 3), v=(4,)"),
]


@pytest.mark.parametrize(("shapes", "message"), BAD, ids=range(len(BAD)))
def test_bad_shapes(shapes: tuple[tuple[int, ...], ...], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        attention.causal_attention(*map(torch.zeros, shapes))


MUTANTS = {
    "sees-itself-not": ("places > places[:, None]", "places >= places[:, None]", check_like_torch),
    "sees-one-ahead": ("places > places[:, None]", "places > places[:, None] + 1", check_like_torch),
    "sees-ahead-only": ("places > places[:, None]", "places < places[:, None]", check_like_torch),
    "sees-all": ("places > places[:, None]", "places < 0", check_like_torch),
    "not-scaled": ("q @ k.mT / q.shape[-1] ** 0.5", "q @ k.mT", check_like_torch),
    "scaled-by-d": ("q.shape[-1] ** 0.5", "q.shape[-1]", check_like_torch),
    "scaled-by-length": ("q.shape[-1] ** 0.5", "q.shape[-2] ** 0.5", check_like_torch),
    "over-the-readers": (".softmax(-1)", ".softmax(-2).nan_to_num()", check_like_torch),
    "masked-by-zero": ("-torch.inf).softmax(-1)", "0.0).softmax(-1)", check_like_torch),
    "masked-after": (
        "scores.masked_fill(places > places[:, None], -torch.inf).softmax(-1)",
        "scores.softmax(-1).masked_fill(places > places[:, None], 0.0)",
        check_weights,
    ),
    "keys-ask": ("q @ k.mT", "k @ q.mT", check_like_torch),
}

test_mistakes_are_caught = mistakes("course_utils.layers.attention", MUTANTS, also=(RuntimeError,))
