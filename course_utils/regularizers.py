"""What keeps weights and gradients small: penalties, the proximal step, clipping, max-norm, decay groups.

Every function takes its parameters in one of four forms: a module; one tensor; an iterable of tensors;
(name, tensor) pairs, such as `model.named_parameters()`, or a mapping of names to tensors. Two filters choose
among them: `where(name) -> bool` for a module or pairs, and `weights_only=True` for a module: no biases, no
normalisation parameters. A tensor that occurs twice counts once. A choice that leaves none is an error.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from course_utils._checks import require
from course_utils._torch.tensors import widen

Params: TypeAlias = (
    nn.Module | Tensor | Mapping[str, Tensor] | Iterable[Tensor] | Iterable[tuple[str, Tensor]]
)
Where: TypeAlias = Callable[[str], bool]

# Batch and instance norm are _NormBase. Those of others are known by the names of their classes.
NORMALISATIONS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
NORM = re.compile(r"Norm\d*d?$")


# Penalties: terms to add to a loss


def l1_penalty(params: Params, *, where: Where | None = None, weights_only: bool = False) -> Tensor:
    """The sum of absolute values, to be multiplied by its strength and added to the loss.

        penalty = sum |p|,  gradient sign(p), and 0 at p = 0

    Gradient steps on it bring weights near zero, never onto it: `proximal_l1_` does that.

    Args:
        params, where, weights_only: see the head of this module.
    Shape: a scalar that carries gradients, in float32 at least: float16 ends at 65,504.
    Raises: ValueError if nothing is chosen, or a filter needs names that are not there.
    Source: Tibshirani (1996).
    """
    return sum_of([absolute_sum(p) for p in choose(params, where, weights_only)])


def l2_penalty(params: Params, *, where: Where | None = None, weights_only: bool = False) -> Tensor:
    """The sum of squares, without 1/2: a strength of lam pulls like torch's `weight_decay=2 * lam` in SGD.

        penalty = sum p**2,  gradient 2 p

    Args, Shape, Raises: as `l1_penalty`.
    Source: Hoerl & Kennard (1970).
    """
    return sum_of([square_sum(p) for p in choose(params, where, weights_only)])


def elastic_net_penalty(
    params: Params, l1: float, l2: float, *, where: Where | None = None, weights_only: bool = False
) -> Tensor:
    """Both penalties at once.

        penalty = l1 * sum |p| + l2 * sum p**2

    Beside a mean squared error, scikit-learn's `ElasticNet(alpha, l1_ratio)`, which halves the error and the
    squares, has l1 = 2 * alpha * l1_ratio and l2 = alpha * (1 - l1_ratio).

    Args:
        l1, l2: strengths, >= 0.
    Other Args, Shape, Raises: as `l1_penalty`.
    Source: Zou & Hastie (2005).
    """
    require(l1 >= 0 and l2 >= 0, "l1 >= 0 and l2 >= 0", l1=l1, l2=l2)
    return sum_of([l1 * absolute_sum(p) + l2 * square_sum(p) for p in choose(params, where, weights_only)])


# The proximal step: exact zeros


def soft_threshold(x: Tensor, threshold: float | Tensor) -> Tensor:
    """Move every number `threshold` towards zero; what would cross it becomes exactly zero.

        soft(x) = sign(x) * max(|x| - threshold, 0)
                = the z that minimises (z - x)**2 / 2 + threshold * |z|

    The gradient is 1 outside and 0 inside, the threshold itself included. A NaN stays one; a zero has the
    sign of its x.

    Args:
        x: any floating tensor.
        threshold: >= 0 and finite; a tensor of thresholds must broadcast with x.
    Raises: ValueError if a threshold is negative, infinite or NaN; where there are no numbers to look at, as
        under `torch.compile` or on the device "meta", a tensor of thresholds is not looked at.
    Source: Donoho & Johnstone (1994). Agrees with: `torch.nn.functional.softshrink`.
    """
    require(_is_threshold(threshold), "threshold >= 0 and finite", threshold=threshold)
    dtype = x.dtype
    if isinstance(threshold, Tensor) and threshold.ndim > 0:
        dtype = torch.promote_types(dtype, threshold.dtype)
    wide = torch.promote_types(dtype, torch.float32)  # in sixteen bits the threshold itself would be rounded
    x, threshold = x.to(wide), torch.as_tensor(threshold, dtype=wide)
    outside = torch.where(x > 0, x - threshold, x + threshold)
    return torch.where(x.abs() <= threshold, 0 * x, outside).to(dtype)


def _is_threshold(threshold: float | Tensor) -> bool:
    if not isinstance(threshold, Tensor):
        return 0 <= threshold < math.inf
    if threshold.is_meta or torch.compiler.is_compiling():
        return True
    try:
        return bool(((threshold >= 0) & (threshold < math.inf)).all())
    except RuntimeError:  # what vmap, fake tensors and tracers raise when they are asked for a number
        return True


@torch.no_grad()
def proximal_l1_(
    params: Params, threshold: float, *, where: Where | None = None, weights_only: bool = False
) -> None:
    """The second half of a proximal gradient (ISTA) step: `soft_threshold` on the parameters, in place.

        p <- p - lr * g                              the optimizer's step, on the loss without the penalty
        p <- soft(p, threshold),  threshold = lr * l1

    Args:
        threshold: >= 0; the rate times the strength, not the strength alone.
    Other Args, Raises: as `l1_penalty`; `soft_threshold`.
    Source: Daubechies, Defrise & De Mol (2004); Beck & Teboulle (2009), section 1.
    """
    for p in choose(params, where, weights_only):
        p.copy_(soft_threshold(p, threshold))


# Bounds: on gradients, on the weights of a unit


@torch.no_grad()
def clip_grad_norm_(
    parameters: Params,
    max_norm: float,
    norm_type: float | str = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Shrink all gradients by one factor, so that their joint norm is at most `max_norm`; return the old one.

        norm  = (sum over every gradient entry |g|**norm_type)**(1 / norm_type)
        g    <- g * min(1, max_norm / (norm + 1e-6))

    Args:
        parameters: as `l1_penalty`, without filters; those without a gradient are passed over.
        max_norm: >= 0.
        norm_type: order of the norm; `inf` or "inf" for the largest entry.
        error_if_nonfinite: raise RuntimeError where the norm is inf or nan. Without it an infinite norm turns
            gradients into 0 and nan, as in torch.
        foreach: torch's choice between two implementations; here there is one, which None and False mean.
    Raises: ValueError if max_norm is negative (torch would reverse the gradients), foreach is True, or a
        gradient is sparse.
    Source: Pascanu, Mikolov & Bengio (2013), Algorithm 1. Agrees with: `torch.nn.utils.clip_grad_norm_`.
    """
    require(max_norm >= 0, "max_norm >= 0", max_norm=max_norm)
    _one_implementation(foreach)
    order = float(norm_type)
    grads = _gradients(parameters)
    if not grads:
        return torch.tensor(0.0)
    norms = [torch.linalg.vector_norm(g, order).to(grads[0].device) for g in grads]
    norm: Tensor = torch.linalg.vector_norm(torch.stack(norms), order)
    if error_if_nonfinite and not norm.isfinite():
        raise RuntimeError(
            f"need a finite norm of the gradients, got {norm.item()}; find the inf or nan, or lower the rate"
        )
    factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    for g in grads:
        g.mul_(factor.to(g.device))
    return norm


@torch.no_grad()
def clip_grad_value_(parameters: Params, clip_value: float, foreach: bool | None = None) -> None:
    """Clamp every entry of every gradient to [-clip_value, clip_value]; this changes the direction.

    Args:
        parameters, foreach: as `clip_grad_norm_`.
        clip_value: >= 0.
    Raises: ValueError if clip_value is negative, foreach is True, or a gradient is sparse.
    Agrees with: `torch.nn.utils.clip_grad_value_`.
    """
    require(clip_value >= 0, "clip_value >= 0", clip_value=clip_value)
    _one_implementation(foreach)
    for g in _gradients(parameters):
        g.clamp_(-clip_value, clip_value)


def _gradients(parameters: Params) -> list[Tensor]:
    grads = [p.grad for p in choose(parameters) if p.grad is not None]
    for g in grads:
        if g.layout != torch.strided:
            require(False, "dense gradients", cure="use sparse=False in the layer", layout=g.layout)
    return grads


def _one_implementation(foreach: bool | None) -> None:
    require(not foreach, "foreach=None or False", cure="leave it out", foreach=foreach)


@torch.no_grad()
def max_norm_(
    params: Params, max_norm: float, dim: int = 0, *, where: Where | None = None, weights_only: bool = False
) -> None:
    """Bring the incoming weights of each unit back into a ball; call it after each optimizer step.

        row <- row * max_norm / (|row| + 1e-7)   where |row| > max_norm, row = one slice of p along `dim`

    Args:
        max_norm: >= 0, the radius.
        dim: the dimension that counts the units: 0 in `nn.Linear` and `nn.Conv2d`, 1 in `nn.ConvTranspose2d`.
    Other Args: as `l1_penalty`; a bias has no rows, so for a whole module pass `weights_only=True`.
    Raises: ValueError for a tensor of fewer than two dimensions.
    Source: Srebro & Shraibman (2005); Srivastava et al. (2014), section 5.1.
    Agrees with: `torch.renorm(p, 2, dim, max_norm)`.
    """
    require(max_norm >= 0, "max_norm >= 0", max_norm=max_norm)
    for p in choose(params, where, weights_only):
        require(
            p.ndim >= 2,
            "at least 2 dimensions",
            cure="pass weights_only=True or where=",
            shape=tuple(p.shape),
        )
        require(-p.ndim <= dim < p.ndim, f"{-p.ndim} <= dim < {p.ndim}", dim=dim)
        others = [d for d in range(p.ndim) if d != dim % p.ndim]
        norm = torch.linalg.vector_norm(p, dim=others, keepdim=True)
        p.mul_(torch.where(norm > max_norm, max_norm / (norm + 1e-7), 1.0))


# Who is regularised


def weight_names(model: nn.Module) -> list[str]:
    """The names in `model.named_parameters()` of what is neither a bias nor part of a normalisation layer.

    A bias is a parameter with `bias` as a word of its name (`bias`, `bias_hh_l0`, `in_proj_bias`), under a
    parametrization too. Normalisation layers are torch's, this course's, and those of others whose class is
    named so: `LlamaRMSNorm`, `LayerNorm2d`. Embeddings count as weights.
    """
    norms = {
        f"{path}.{name}" if path else name
        for path, module in model.named_modules()
        if isinstance(module, NORMALISATIONS) or NORM.search(type(module).__name__)
        for name, _ in module.named_parameters(recurse=False)
    }
    names = [name for name, _ in model.named_parameters()]
    return [name for name in names if name not in norms and not _is_bias(name)]


def _is_bias(name: str) -> bool:
    """By the last part of its name, or by what is parametrized: `0.parametrizations.bias.original`."""
    before, parametrized, after = name.partition("parametrizations.")
    leaf = after.partition(".")[0] if parametrized else before.rpartition(".")[2]
    return "bias" in leaf.split("_")


def decay_groups(
    model: nn.Module, weight_decay: float, *, where: Where | None = None
) -> list[dict[str, Any]]:
    """Two parameter groups for an optimizer: weights with decay; biases and normalisation layers without.

        optimizer = AdamW(decay_groups(model, 0.01), lr=1e-3)

    Every trainable parameter is in exactly one group, a tied one too. Frozen ones
    (`requires_grad=False`) are left out, with a warning that names them. A group may be empty; its
    `param_names` say what is in it.

    Args:
        weight_decay: >= 0, for the first group.
        where: names that may decay, beside `weight_names`: `lambda name: "embedding" not in name`.
    Raises: ValueError if the decay is negative or the model has nothing to train.
    """
    require(weight_decay >= 0, "weight_decay >= 0", weight_decay=weight_decay)
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    require(bool(trainable), "a parameter to train", cure="set requires_grad=True on some", trainable=0)
    frozen = [name for name, _ in model.named_parameters() if name not in trainable]
    if frozen:
        warnings.warn(f"frozen parameters are in no group: {', '.join(frozen)}", stacklevel=2)
    decayed = [name for name in weight_names(model) if name in trainable and (where is None or where(name))]
    spared = [name for name in trainable if name not in set(decayed)]
    return [
        {"params": [trainable[name] for name in names], "param_names": names, "weight_decay": decay}
        for names, decay in ((decayed, weight_decay), (spared, 0.0))
    ]


def choose(params: Params, where: Where | None = None, weights_only: bool = False) -> list[Tensor]:
    """The tensors that `params` and the filters of this module mean, each once, in order."""
    if isinstance(params, nn.Module):
        chosen = set(weight_names(params)) if weights_only else None
        pairs = [(name, p) for name, p in params.named_parameters() if chosen is None or name in chosen]
    else:
        require(
            not weights_only,
            "a module for weights_only=True",
            cure="names do not show normalisation layers; pass where=set(weight_names(model)).__contains__",
            params=type(params).__name__,
        )
        items: Iterable[Any] = [params] if isinstance(params, Tensor) else params
        items = params.items() if isinstance(params, Mapping) else items
        pairs = [item if isinstance(item, tuple) else (None, item) for item in items]
    if where is not None:
        require(
            all(name is not None for name, _ in pairs),
            "names for where=",
            cure="pass a module or (name, tensor) pairs",
        )
        pairs = [(name, p) for name, p in pairs if where(name)]
    require(
        bool(pairs),
        "at least one parameter",
        cure="an iterator can be read once, a filter may match nothing",
        chosen=0,
    )
    return list(dict.fromkeys(p for _, p in pairs))


def absolute_sum(p: Tensor) -> Tensor:
    return p.abs().sum(dtype=torch.promote_types(p.dtype, torch.float32))


def square_sum(p: Tensor) -> Tensor:
    return widen(p).square().sum()


def sum_of(terms: list[Tensor]) -> Tensor:
    """The scalars added up, in their own dtype and on their own device."""
    return torch.stack(terms).sum()
