"""Attention that looks back only: each place reads a weighted mean of the places up to its own."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils._checks import require


def causal_weights(q: Tensor, k: Tensor) -> Tensor:
    """How much each place reads of each other: a softmax over the places up to its own.

        weights = softmax(q @ k.T / sqrt(d)),    0 where the read place is later than the reading one

    Args:
        q: queries, one for each place that reads. k: keys, one for each place that is read.
    Shape: q and k (..., T, d), floating; the result (..., T, T). Its rows sum to 1.
    Raises: ValueError where the shapes differ in T or d, or are none.
    Source: Vaswani et al. (2017), equation 1, with the mask of their section 3.2.3.
    Agrees with: `torch.nn.functional.scaled_dot_product_attention(q, k, eye, is_causal=True)`.
    """
    fits = q.ndim >= 2 and k.ndim >= 2 and q.shape[-2:] == k.shape[-2:] and min(q.shape[-2:]) >= 1
    cure = "one query and one key for each place, of one length"
    require(fits, "q and k (..., T, d)", cure=cure, q=tuple(q.shape), k=tuple(k.shape))
    places = torch.arange(q.shape[-2], device=q.device)
    scores = q @ k.mT / q.shape[-1] ** 0.5
    weights: Tensor = scores.masked_fill(places > places[:, None], -torch.inf).softmax(-1)
    return weights


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The mean of the values up to each place, with `causal_weights`.

        y = causal_weights(q, k) @ v

    Args:
        q, k: as of `causal_weights`. v: values, one for each place that is read.
    Shape: q and k (..., T, d), v (..., T, n); the result (..., T, n).
    Raises: ValueError where v has not as many places, and as `causal_weights`.
    Source: Vaswani et al. (2017), equation 1.
    Agrees with: `torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)`.

    >>> x = torch.tensor([[1.0], [3.0]])
    >>> causal_attention(0 * x, x, x)
    tensor([[1.],
            [2.]])
    """
    weights = causal_weights(q, k)
    fits = v.ndim >= 2 and v.shape[-2] == k.shape[-2]
    require(fits, "a value for each key", k=tuple(k.shape), v=tuple(v.shape))
    return weights @ v
