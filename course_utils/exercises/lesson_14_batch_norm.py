"""Exercises of lesson 14: what does a batch norm do, forward and backward?"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Run = dict[str, Any]


def _randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _rand(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- 1 · group norm --------------------------------------------------------------------------------


def group_norm(x: Tensor, groups: int, eps: float) -> Tensor:
    grouped = x.reshape(len(x), groups, -1)
    c = grouped - grouped.mean(-1, keepdim=True)
    return (c / ((c**2).mean(-1, keepdim=True) + eps) ** 0.5).reshape(x.shape)


def _normed_over(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    c = x - x.mean(dims, keepdim=True)
    return c / ((c**2).mean(dims, keepdim=True) + eps) ** 0.5


def _batch_axis(x: Tensor, groups: int, eps: float) -> Tensor:
    return _normed_over(x.reshape(len(x), groups, -1), (0, 2), eps).reshape(x.shape)


def _per_position(x: Tensor, groups: int, eps: float) -> Tensor:
    return _normed_over(x.reshape(len(x), groups, -1, *x.shape[2:]), (2,), eps).reshape(x.shape)


def _per_channel(x: Tensor, groups: int, eps: float) -> Tensor:
    return _normed_over(x, (2, 3), eps)


def _all_channels(x: Tensor, groups: int, eps: float) -> Tensor:
    return _normed_over(x, (1, 2, 3), eps)


def _interleaved(x: Tensor, groups: int, eps: float) -> Tensor:
    return _normed_over(x.reshape(len(x), -1, groups, *x.shape[2:]), (1, 3, 4), eps).reshape(x.shape)


def _group_size(x: Tensor, groups: int, eps: float) -> Tensor:
    return group_norm(x, x.shape[1] // groups, eps)


def _group_over(x: Tensor, groups: int, divisor: Any) -> Tensor:
    grouped = x.reshape(len(x), groups, -1)
    normed: Tensor = (grouped - grouped.mean(-1, keepdim=True)) / divisor(grouped)
    return normed.reshape(x.shape)


def _group_unbiased(x: Tensor, groups: int, eps: float) -> Tensor:
    return _group_over(x, groups, lambda z: (z.var(-1, keepdim=True) + eps) ** 0.5)


def _group_no_root(x: Tensor, groups: int, eps: float) -> Tensor:
    return _group_over(x, groups, lambda z: z.var(-1, correction=0, keepdim=True) + eps)


def _group_eps_outside(x: Tensor, groups: int, eps: float) -> Tensor:
    return _group_over(x, groups, lambda z: z.std(-1, correction=0, keepdim=True) + eps)


def _group_inputs() -> Inputs:
    cases = (
        ((3, 6, 2, 2), 2, 1e-5, 1.0), ((3, 6, 2, 2), 3, 0.1, 1.0), ((2, 4, 3, 1), 1, 1e-3, 0.05),
        ((1, 8, 2, 3), 4, 1e-5, 20.0), ((2, 3, 2, 2), 3, 0.5, 1.0), ((4, 4, 1, 1), 2, 0.01, 3.0),
    )  # fmt: skip
    made = []
    for k, (shape, groups, eps, size) in enumerate(cases):
        channels = torch.arange(shape[1], dtype=torch.float64)[:, None, None]
        made.append((size * ((1 + channels / 3) * _randn(k + 80, *shape) + channels - 1), groups, eps))
    return tuple(made)


# --- 2 · the backward pass -------------------------------------------------------------------------


def batch_norm_backward(g: torch.Tensor, x: torch.Tensor, eps: float) -> torch.Tensor:
    dims = [0, *range(2, x.ndim)]  # all but the channels
    c = x - x.mean(dims, keepdim=True)
    r = 1 / ((c**2).mean(dims, keepdim=True) + eps) ** 0.5
    x_hat = c * r
    return r * (g - g.mean(dims, keepdim=True) - x_hat * (g * x_hat).mean(dims, keepdim=True))


def _channels(x: Tensor) -> list[int]:
    return [0, *range(2, x.ndim)]


def _parts(x: Tensor, eps: float, dims: list[int]) -> tuple[Tensor, Tensor]:
    c = x - x.mean(dims, keepdim=True)
    r = 1 / ((c**2).mean(dims, keepdim=True) + eps) ** 0.5
    return c * r, r


def _mean(t: Tensor, dims: list[int]) -> Tensor:
    return t.mean(dims, keepdim=True)


def _over_batch(g: Tensor, x: Tensor, eps: float) -> Tensor:
    """Each position has statistics of its own."""
    x_hat, r = _parts(x, eps, [0])
    return r * (g - _mean(g, [0]) - x_hat * _mean(g * x_hat, [0]))


def _detached(g: Tensor, x: Tensor, eps: float) -> Tensor:
    return g * _parts(x, eps, _channels(x))[1]


def _mean_only(g: Tensor, x: Tensor, eps: float) -> Tensor:
    dims = _channels(x)
    return _parts(x, eps, dims)[1] * (g - _mean(g, dims))


def _variance_only(g: Tensor, x: Tensor, eps: float) -> Tensor:
    dims = _channels(x)
    x_hat, r = _parts(x, eps, dims)
    return r * (g - x_hat * _mean(g * x_hat, dims))


def _sums(g: Tensor, x: Tensor, eps: float) -> Tensor:
    dims = _channels(x)
    x_hat, r = _parts(x, eps, dims)
    return r * (g - g.sum(dims, keepdim=True) - x_hat * (g * x_hat).sum(dims, keepdim=True))


def _over_examples(g: Tensor, x: Tensor, eps: float) -> Tensor:
    """Sums over examples and positions, divided by the number of examples."""
    dims = _channels(x)
    x_hat, r = _parts(x, eps, dims)
    sums = g.sum(dims, keepdim=True), (g * x_hat).sum(dims, keepdim=True)
    return r * (g - sums[0] / len(x) - x_hat * sums[1] / len(x))


def _no_r(g: Tensor, x: Tensor, eps: float) -> Tensor:
    dims = _channels(x)
    x_hat, _ = _parts(x, eps, dims)
    return g - _mean(g, dims) - x_hat * _mean(g * x_hat, dims)


def _uncentred_projection(g: Tensor, x: Tensor, eps: float) -> Tensor:
    dims = _channels(x)
    x_hat, r = _parts(x, eps, dims)
    return r * (g - _mean(g, dims) - x * _mean(g * x_hat, dims))


def _wrong_sign(g: Tensor, x: Tensor, eps: float) -> Tensor:
    dims = _channels(x)
    x_hat, r = _parts(x, eps, dims)
    return r * (g - _mean(g, dims) + x_hat * _mean(g * x_hat, dims))


def _unbiased_r(g: Tensor, x: Tensor, eps: float) -> Tensor:
    dims = _channels(x)
    r = 1 / (x.var(dims, keepdim=True) + eps) ** 0.5
    x_hat = (x - _mean(x, dims)) * r
    return r * (g - _mean(g, dims) - x_hat * _mean(g * x_hat, dims))


def _backward_inputs() -> Inputs:
    shapes = ((4, 3), (8, 3), (3, 5), (3, 2, 4, 5), (2, 4, 3, 3), (5, 1, 2, 2), (6, 2, 1, 1))
    sizes = (2.0, 0.1, 30.0, 1.0, 0.3, 2.0, 1.0)
    return tuple(
        (_randn(k + 60, *shape) + 0.5, size * (1 + _randn(k + 70, *shape)), eps)
        for k, (shape, size, eps) in enumerate(
            zip(shapes, sizes, (1e-5, 0.1, 0.001, 1e-3, 0.01, 0.5, 0.2), strict=True)
        )
    )


# --- 3 · name the fault ----------------------------------------------------------------------------


def name_fault(
    x: torch.Tensor,
    y: torch.Tensor,
    z: torch.Tensor,
    mean0: torch.Tensor,
    var0: torch.Tensor,
    mean1: torch.Tensor,
    var1: torch.Tensor,
) -> str:
    def normed(mean: torch.Tensor, var: torch.Tensor) -> torch.Tensor:
        return (x - mean) / (var + 1e-5) ** 0.5

    mean, biased, unbiased = x.mean(0), x.var(0, correction=0), x.var(0)
    rows = x.mean(1, keepdim=True), x.var(1, correction=0, keepdim=True)
    if torch.allclose(y, normed(mean, unbiased)):
        return "batch over n - 1"
    if torch.allclose(y, normed(*rows)):
        return "over units"
    if torch.allclose(mean1, 0.1 * mean0 + 0.9 * mean):
        return "momentum reversed"
    if torch.allclose(var1, 0.9 * var0 + 0.1 * biased):
        return "buffer over n"
    return "none" if torch.allclose(z, normed(mean1, var1)) else "eval uses the batch"


Trace = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def _renamed(**names: str) -> Any:
    def answer(
        x: Tensor, y: Tensor, z: Tensor, mean0: Tensor, var0: Tensor, mean1: Tensor, var1: Tensor
    ) -> str:
        found = name_fault(x, y, z, mean0, var0, mean1, var1)
        return names.get(found.replace(" ", "_").replace("_-_", "_"), found)

    return answer


_training_alone = _renamed(eval_uses_the_batch="none")
_divisors_swapped = _renamed(batch_over_n_1="buffer over n", buffer_over_n="batch over n - 1")
_buffers_unread = _renamed(buffer_over_n="none", momentum_reversed="none")
_eval_is_stale = _renamed(momentum_reversed="eval uses the batch")
_rows_unread = _renamed(over_units="none")
_small_batches_unread = _renamed(batch_over_n_1="none")


def _traces() -> Inputs:
    def layer(fault: str, seed: int, n: int, units: int, size: float = 1.0, shift: float = 1.0) -> Trace:
        x = size * (shift + _randn(seed, n, units))
        mean0, var0 = shift * size * _randn(seed + 1, units), size**2 * (0.5 + _rand(seed + 2, units))
        mean, biased, unbiased = x.mean(0), x.var(0, correction=0), x.var(0)
        share = 0.9 if fault == "momentum reversed" else 0.1
        kept = biased if fault == "buffer over n" else unbiased
        mean1, var1 = (1 - share) * mean0 + share * mean, (1 - share) * var0 + share * kept
        used = mean, unbiased if fault == "batch over n - 1" else biased
        if fault == "over units":
            used = x.mean(1, keepdim=True), x.var(1, correction=0, keepdim=True)
        y = (x - used[0]) / (used[1] + 1e-5) ** 0.5
        told = used if fault == "eval uses the batch" else (mean1, var1)
        return x, y, (x - told[0]) / (told[1] + 1e-5) ** 0.5, mean0, var0, mean1, var1

    return (
        layer("none", 200, 8, 3),
        layer("batch over n - 1", 210, 8, 3),
        layer("buffer over n", 220, 8, 3),
        layer("momentum reversed", 230, 8, 3),
        layer("eval uses the batch", 240, 8, 3),
        layer("over units", 250, 8, 3),
        layer("over units", 260, 4, 4, 0.2),  # rows and columns of one number
        layer("buffer over n", 270, 2, 5, 3.0),
        layer("batch over n - 1", 280, 16, 1, 0.5, -2.0),
        layer("momentum reversed", 290, 3, 2, 10.0, 0.0),
        layer("eval uses the batch", 300, 32, 4, 1.0, -1.0),
        layer("none", 310, 2, 2, 5.0),
        layer("none", 320, 24, 6, 0.1),
        layer("buffer over n", 330, 24, 3, 4.0, -3.0),
    )


# --- 4 · which runs make the same step -------------------------------------------------------------


def same_step(runs: list[dict]) -> list[str]:  # type: ignore[type-arg]
    def same(run: dict) -> bool:  # type: ignore[type-arg]
        if run["frozen"] or run["norm"] not in ("batch", "sync"):
            return True
        shared = run["workers"] == 1 or run["norm"] == "sync"
        return bool(run["parts"] == 1 and shared)

    return [run["name"] for run in runs if same(run)]


def _kept(rule: Any) -> Any:
    def answer(runs: list[Run]) -> list[str]:
        return [run["name"] for run in runs if rule(run)]

    return answer


def _blind(run: Run) -> bool:
    return run["frozen"] or run["norm"] not in ("batch", "sync")


_sync_cures_all = _kept(
    lambda run: _blind(run) or run["norm"] == "sync" or run["workers"] * run["parts"] == 1
)
_workers_unread = _kept(lambda run: _blind(run) or run["parts"] == 1)
_parts_unread = _kept(lambda run: _blind(run) or run["workers"] == 1 or run["norm"] == "sync")
_sync_unread = _kept(lambda run: _blind(run) or run["workers"] * run["parts"] == 1)
_frozen_unread = _kept(
    lambda run: _blind({**run, "frozen": False}) or bool(same_step([{**run, "frozen": False}]))
)
_group_sees_batch = _kept(
    lambda run: bool(same_step([{**run, "norm": "batch" if run["norm"] == "group" else run["norm"]}]))
)
_one_part_only = _kept(lambda run: run["workers"] * run["parts"] == 1)
_everything = _kept(lambda run: True)


def _runs() -> Inputs:
    def run(norm: str, workers: int, parts: int, *, frozen: bool = False) -> Run:
        name = f"{norm} {workers}x{parts}" + (" frozen" if frozen else "")
        return {"name": name, "norm": norm, "workers": workers, "parts": parts, "frozen": frozen}

    return (
        ([run("batch", 1, 1), run("batch", 1, 8), run("batch", 8, 1), run("batch", 2, 2)],),
        ([run("sync", 1, 1), run("sync", 8, 1), run("sync", 1, 4), run("sync", 4, 2)],),
        ([run("layer", 4, 2), run("group", 1, 16), run("rms", 8, 1), run("none", 2, 2), run("batch", 2, 1)],),
        ([run("batch", 4, 4, frozen=True), run("sync", 1, 2, frozen=True), run("batch", 1, 2)],),
        ([run("group", 2, 1), run("group", 1, 2), run("batch", 2, 1, frozen=True)],),
        ([run("batch", 64, 1)],),
        ([],),
    )


# --- 5 · fold it away ------------------------------------------------------------------------------


def fold(
    w: Tensor, b: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    scale = weight / (var + eps) ** 0.5
    return scale[:, None] * w, scale * (b - mean) + bias


def _fold_old_bias(
    w: Tensor, b: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    scale = weight / (var + eps) ** 0.5
    return scale[:, None] * w, bias - scale * mean


def _fold_no_mean(
    w: Tensor, b: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    scale = weight / (var + eps) ** 0.5
    return scale[:, None] * w, scale * b + bias


def _fold_columns(
    w: Tensor, b: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    scale = weight / (var + eps) ** 0.5
    return w * scale, scale * (b - mean) + bias


def _fold_unscaled_bias(
    w: Tensor, b: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    scale = weight / (var + eps) ** 0.5
    return scale[:, None] * w, b - mean + bias


def _fold_no_eps(
    w: Tensor, b: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    return fold(w, b, mean, var, weight, bias, 0.0)


def _fold_no_gain(
    w: Tensor, b: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    return fold(w, b, mean, var, torch.ones_like(weight), bias, eps)


def _fold_no_root(
    w: Tensor, b: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    return fold(w, b, mean, (var + eps) ** 2, weight, bias, 0.0)


def _fold_eps_outside(
    w: Tensor, b: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    return fold(w, b, mean, (var**0.5 + eps) ** 2, weight, bias, 0.0)


def _fold_inputs() -> Inputs:
    return tuple(
        (_randn(k, units, inputs), _randn(k + 1, units), _randn(k + 2, units), 0.1 + _rand(k + 3, units),
         _randn(k + 4, units), _randn(k + 5, units), eps)
        for k, units, inputs, eps in ((100, 3, 3, 1e-3), (110, 3, 3, 0.1), (120, 4, 4, 1e-5), (130, 1, 1, 0.5))
    )  # fmt: skip


# --- 6 · weight decay as a rate --------------------------------------------------------------------


def effective_rate(lr: float, decay: float, g: float) -> float:
    squared = lr * g / math.sqrt(lr * decay * (2 - lr * decay))  # |w|² at rest
    return lr / squared


def _small_steps(lr: float, decay: float, g: float) -> float:
    return math.sqrt(2 * lr * decay) / g


def _no_root(lr: float, decay: float, g: float) -> float:
    return lr * decay * (2 - lr * decay) / g


def _length(lr: float, decay: float, g: float) -> float:
    return lr / math.sqrt(lr / effective_rate(lr, decay, g))


def _no_lr(lr: float, decay: float, g: float) -> float:
    return math.sqrt(decay * (2 - decay)) / g


def _constant_gradient(lr: float, decay: float, g: float) -> float:
    return decay * (2 - lr * decay) / g**2


def _first_order(lr: float, decay: float, g: float) -> float:
    return math.sqrt(lr * decay) / g


def _given_rate(lr: float, decay: float, g: float) -> float:
    return lr


EXERCISES = (
    Exercise(
        "14.group_norm",
        title="Which numbers share a mean",
        prompt="Return the group norm of x (N, C, H, W), without weight and bias: neighbouring channels of one example "
        "form `groups` groups of equal size, and the variance is over n.",
        kind="core",
        minutes=8,
        inputs=_group_inputs,
        solution=group_norm,
        wrong=(
            Wrong(
                _batch_axis,
                "Your statistics also run over the batch. Group norm knows only one example at a time.",
            ),
            Wrong(
                _per_position,
                "Each position has statistics of its own. They belong to the group: H and W as well.",
            ),
            Wrong(_per_channel, "Each channel is a group of its own: that is instance norm."),
            Wrong(_all_channels, "All channels are one group: `groups` has no effect."),
            Wrong(
                _interleaved, "Your groups take every k-th channel. A group is made of neighbouring channels."
            ),
            Wrong(
                _group_size,
                "You read `groups` as the number of channels in a group. It is the number of groups.",
            ),
            Wrong(_group_unbiased, "Your variance is over n - 1."),
            Wrong(_group_no_root, "You divide by the variance: take its root first."),
            Wrong(_group_eps_outside, "You add eps to the root. It belongs under it, to the variance."),
        ),
        hints=(
            "Reshape so that each group becomes one row of numbers.",
            "x.reshape(N, groups, -1) puts neighbouring channels, with all their positions, into one row.",
            "Normalise over the last dimension, then reshape back to x.shape.",
        ),
        stub='''def group_norm(x, groups, eps):
    """x (N, C, H, W), normalised over each group of C / groups neighbouring channels of each example."""
    ...
''',
        note="One group is layer norm over (C, H, W), C groups are instance norm.",
    ),
    Exercise(
        "14.batch_norm_backward",
        title="The backward pass",
        prompt="y is x (n, C) or (N, C, H, W), each channel normalised in training mode, without weight and bias. g is the "
        "gradient with respect to y. Return the gradient with respect to x, without autograd.",
        kind="core",
        minutes=12,
        inputs=_backward_inputs,
        solution=batch_norm_backward,
        wrong=(
            Wrong(
                _detached,
                "You treat mean and variance as constants. They depend on x, and two terms are missing.",
            ),
            Wrong(_mean_only, "The term through the mean is there; the one through the variance is missing."),
            Wrong(
                _variance_only,
                "The term through the variance is there; the one through the mean is missing.",
            ),
            Wrong(
                _sums,
                "You subtract sums. Each of the n entries has 1/n of the mean and of the variance: means.",
            ),
            Wrong(
                _over_batch,
                "On images each position has statistics of its own. A channel has one mean and one variance: over "
                "positions, too.",
            ),
            Wrong(
                _over_examples,
                "You divide by the number of examples. A channel of images has N * H * W numbers.",
            ),
            Wrong(
                _unbiased_r,
                "Your r has the variance over n - 1. The batch is normalised with the variance over n.",
            ),
            Wrong(_no_r, "The outer factor 1 / sqrt(var + eps) is missing."),
            Wrong(
                _uncentred_projection,
                "In the last term stands x itself. It is the normalised x: centred and divided.",
            ),
            Wrong(
                _wrong_sign,
                "The sign of the last term: a larger variance makes the outputs smaller, so it is subtracted.",
            ),
        ),
        hints=(
            "Three ways lead from x_i to the outputs: directly, through the mean, through the variance.",
            "What remains is g without its mean and without its part along x_hat, times r = 1 / sqrt(var + eps).",
            "r * (g - mean(g) - x_hat * mean(g * x_hat)), each mean over everything but dimension 1, with keepdim",
        ),
        stub='''def batch_norm_backward(g, x, eps):
    """dL/dx from g = dL/dy, y = (x - mean) / sqrt(var + eps); all (n, C) or all (N, C, H, W)."""
    ...
''',
        note="`course_utils.layers.BatchNormByHand` is this, with weight and bias.",
    ),
    Exercise(
        "14.name_fault",
        title="This layer is broken: find why",
        prompt="A batch norm without weight and bias (eps 1e-5, momentum 0.1) gave y for the training batch x, moved its "
        "statistics from mean0, var0 to mean1, var1, and then gave z for x in eval. Name its fault, at most one.",
        kind="core",
        minutes=12,
        inputs=_traces,
        solution=name_fault,
        wrong=(
            Wrong(
                _training_alone,
                "A layer whose eval pass is that of training came out as whole: compare z with mean1 and var1.",
            ),
            Wrong(
                _divisors_swapped,
                "The two divisors came out exchanged: y tells what the batch was divided by, var1 what the average got.",
            ),
            Wrong(
                _buffers_unread,
                "Layers whose running statistics are wrong came out as whole: compute mean1 and var1 yourself.",
            ),
            Wrong(
                _eval_is_stale,
                "A reversed momentum came out as a fault of eval. z fits mean1 and var1; do these fit mean0 and var0?",
            ),
            Wrong(_rows_unread, "A layer that normalises rows came out as whole: look at y."),
            Wrong(
                _small_batches_unread,
                "A batch divided by n - 1 came out as whole: y is too small by sqrt((n - 1) / n).",
            ),
        ),
        hints=(
            "Compute what each quantity should be, and compare one after the other: y, mean1, var1, z.",
            "y differs: which divisor, or which axis? mean1 differs: which share? var1 alone differs: which divisor?",
            "torch.allclose(y, (x - x.mean(0)) / (x.var(0) + 1e-5) ** 0.5) means 'batch over n - 1', and so on.",
        ),
        stub='''def name_fault(x, y, z, mean0, var0, mean1, var1):
    """The fault as a string; x, y, z (n, C), the statistics before and after (C,)."""
    ...
''',
        note="A batch, a buffer, and two divisors: comparing with a reference finds in a second what reading does not.",
    ),
    Exercise(
        "14.same_step",
        title="Which runs make the same step?",
        prompt="A run has a name, a norm (none, batch, sync, layer, group, rms), workers, parts that each worker runs one "
        "after the other and accumulates, and frozen (all norms in eval). Return the names of the runs whose step is that "
        "of one worker and one part on all examples.",
        kind="core",
        minutes=8,
        inputs=_runs,
        solution=same_step,
        wrong=(
            Wrong(
                _sync_cures_all,
                "You let `sync` pass with several parts. It shares statistics between workers, not between passes.",
            ),
            Wrong(_workers_unread, "Batch norm on several workers passed: each sees its own examples only."),
            Wrong(_parts_unread, "Accumulated parts passed: each part is normalised by itself."),
            Wrong(
                _sync_unread, "You refuse `sync` on several workers. They share their sums: it is one batch."
            ),
            Wrong(
                _frozen_unread,
                "Frozen norms were refused. In eval no example sees another, whatever the parts.",
            ),
            Wrong(
                _group_sees_batch, "Group norm was refused. Its groups are of channels, within one example."
            ),
            Wrong(
                _one_part_only,
                "Only undivided runs passed. Norms that look at one example at a time do not mind the parts.",
            ),
            Wrong(
                _everything, "All passed. A batch norm in training normalises with what it sees in one pass."
            ),
        ),
        hints=(
            "Which norms let one example change the output of another? Only these can tell how a batch is divided.",
            "For those ask: does the norm see all examples in one pass? Between workers and between parts are two questions.",
            "frozen, or neither batch nor sync, or: parts == 1 and (workers == 1 or sync).",
        ),
        stub='''def same_step(runs):
    """A list of names; a run is a dict with name, norm, workers, parts, frozen."""
    ...
''',
        note="The gradients of parts add up to that of the whole only if no example looks at another.",
    ),
    Exercise(
        "14.fold",
        title="Fold it away",
        prompt="In eval a batch norm is a fixed linear map. Merge it into the linear layer before it: return (weight, "
        "bias) of one layer that does the work of both.",
        kind="core",
        minutes=8,
        inputs=_fold_inputs,
        solution=fold,
        wrong=(
            Wrong(_fold_old_bias, "The linear layer's own bias b is gone; in eval it shifts the output."),
            Wrong(_fold_no_mean, "The running mean is not subtracted."),
            Wrong(
                _fold_columns,
                "You scale the columns of w. A row of w belongs to a unit, and the units are scaled.",
            ),
            Wrong(
                _fold_unscaled_bias,
                "b - mean goes through the division and the gain as well: scale it.",
            ),
            Wrong(_fold_no_eps, "eps is missing under the root: with it the layer was trained."),
            Wrong(_fold_no_gain, "The batch norm's own weight is left out."),
            Wrong(_fold_no_root, "You divide by the variance: take its root first."),
            Wrong(_fold_eps_outside, "You add eps to the root. It belongs under it, to the variance."),
        ),
        hints=(
            "Write out weight * (w x + b - mean) / sqrt(var + eps) + bias and collect what multiplies x.",
            "scale = weight / sqrt(var + eps), one number per unit, that is per row of w.",
            "scale[:, None] * w, scale * (b - mean) + bias",
        ),
        stub='''def fold(w, b, mean, var, weight, bias, eps):
    """(w, b) of the layer that equals x -> batch norm in eval of (w @ x + b)."""
    ...
''',
        note="`torch.nn.utils.fusion.fuse_linear_bn_eval` does this: in eval batch norm costs nothing.",
    ),
    Exercise(
        "14.effective_rate",
        title="Weight decay as a learning rate",
        prompt="The weights before a batch norm follow w ← w - lr (G + decay w), where G is at right angles to w and "
        "has the length g / |w|. At rest |w| no longer changes. Return the effective rate lr / |w|² there, exactly, as a "
        "float; lr * decay is below 2.",
        kind="extra",
        minutes=20,
        inputs=((0.1, 0.01, 1.0), (1.0, 0.5, 2.0), (0.5, 1.0, 0.3), (10.0, 0.15, 5.0), (0.01, 0.02, 40.0)),
        solution=effective_rate,
        wrong=(
            Wrong(
                _small_steps,
                "This is the limit for small lr * decay. Here the square (1 - lr * decay)² is to be kept.",
            ),
            Wrong(_no_root, "The balance is one for |w| to the *fourth* power: a root is missing."),
            Wrong(_length, "You divided by |w|. The turn of one step is lr * g / |w|²."),
            Wrong(_no_lr, "In this rule the decay of a step is lr * decay, not decay."),
            Wrong(_constant_gradient, "The gradient gets smaller as w gets longer: its length is g / |w|."),
            Wrong(
                _first_order,
                "A factor 2 is missing: |w|² shrinks by (1 - lr * decay)², about 1 - 2 lr * decay.",
            ),
            Wrong(_given_rate, "This is the rate that you set. The question is what it amounts to at rest."),
        ),
        hints=(
            "Pythagoras: |w'|² = (1 - lr decay)² |w|² + lr² |G|².",
            "Set |w'| = |w| and |G| = g / |w|, and solve for |w|⁴.",
            "lr / |w|² = sqrt(lr decay (2 - lr decay)) / g",
        ),
        stub='''def effective_rate(lr, decay, g):
    """lr / |w|² at the length |w| that SGD with weight decay no longer changes, as a float."""
    ...
''',
        note="It depends on lr * decay and on g: before a batch norm, weight decay penalises nothing and sets the rate.",
    ),
)

QUIZZES = (
    Quiz(
        "14.ten_times",
        "All weights of a layer that a batch norm follows are multiplied by ten. What happens to the output of the net, "
        "and to the gradient with respect to these weights?",
        (
            (
                "The output grows, and so does the gradient",
                "So it would without the batch norm. It divides by the spread, which has grown as well.",
                False,
            ),
            (
                "Neither changes",
                "The output does not. But the weights are longer, so the same change of output takes a larger change "
                "of weights.",
                False,
            ),
            (
                "The output stays, the gradient is a tenth",
                "The loss depends on the direction of the weights alone; far from the origin a step of the same length "
                "turns them less.",
                True,
            ),
        ),
    ),
    Quiz(
        "14.two_rates",
        "A net with batch norms trains when γ and β of its last norm are stepped at 16 and all else at 0.1. It also trains "
        "when its last layer is stepped at 16 and all else at 0.1. Now both are stepped at 16. Does it train?",
        (
            (
                "Yes: neither rate is more than its part can bear",
                "It would if each had a limit of its own. But they multiply in the output, and so do their rates.",
                False,
            ),
            (
                "No: it guesses",
                "Each makes the other's gradient larger. What counts is the product of the two rates, and that has grown.",
                True,
            ),
            (
                "It trains, but slowly",
                "That is the fate of weights before a norm. These two have no norm behind them to forgive their length.",
                False,
            ),
        ),
    ),
    Quiz(
        "14.accumulated",
        "A batch of 32 does not fit into memory. You run 16 parts of 2 examples, add up the gradients, and make one step. "
        "The net has batch norms. Is that the step of the batch of 32?",
        (
            (
                "Yes: a gradient is a sum over examples",
                "It is, if no example looks at another. A batch norm makes them look.",
                False,
            ),
            (
                "Nearly: the difference is too small to see",
                "You will see it: with two examples to a norm little of them is left.",
                False,
            ),
            (
                "No, and the net ends clearly worse",
                "Each part is normalised by its own two examples, and of these only the order is left.",
                True,
            ),
        ),
    ),
)
