"""Classifiers on random features: a hidden layer that is drawn and never trained, and ridge on top of it."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils._torch.tensors import check_float


def random_feature_answers(
    x: Tensor,
    y: Tensor,
    new: Tensor,
    *,
    nets: int,
    features: int,
    l2: float,
    generator: torch.Generator,
) -> Tensor:
    """The classes that `nets` classifiers, alike but for their random features, give to new inputs.

        h = relu(x W),  W ~ N(0, 1 / d)        P = argmin ||h P - onehot(y)||**2 + l2 * ||P||**2

    Args:
        x: inputs (S, n, d), floating point. y: classes (S, n), whole numbers from 0. new: inputs (S, m, d).
        nets, features: >= 1.
        l2: > 0, beside the *sum* of squares.
        generator: draws W, one for each seed and net.
    Returns: classes (S, nets, m).
    Raises: ValueError if a number is out of range or shapes do not fit.
    """
    check_float("x", x, cure="x.float() makes one of a tensor of whole numbers")
    fits = x.ndim == new.ndim == 3 and x.shape[::2] == new.shape[::2] and y.shape == x.shape[:2]
    wanted = "x (S, n, d), y (S, n), new (S, m, d)"
    require(fits, wanted, x=tuple(x.shape), y=tuple(y.shape), new=tuple(new.shape))
    require(nets >= 1 and features >= 1 and l2 > 0, "nets, features >= 1 and l2 > 0", nets=nets, l2=l2)
    targets = torch.nn.functional.one_hot(y).to(x)
    found = []
    # seed by seed: the hidden layers of all at once are large
    for one, answers, other in zip(x, targets, new, strict=True):
        layer = (
            torch.randn(nets, x.shape[2], features, generator=generator, dtype=x.dtype) / x.shape[2] ** 0.5
        )
        seen, hidden = torch.relu(one @ layer), torch.relu(other @ layer)
        gram = seen.mT @ seen + l2 * torch.eye(features, dtype=x.dtype)
        found.append((hidden @ torch.linalg.solve(gram, seen.mT @ answers)).argmax(-1))
    return torch.stack(found)
