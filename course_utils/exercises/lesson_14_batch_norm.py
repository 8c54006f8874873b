"""Exercises of lesson 14: what does a batch norm do, forward and backward?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong


def _randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _rand(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- 1 · the forward pass --------------------------------------------------------------------------


def batch_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    c = x - x.mean(0)
    var = (c**2).mean(0)
    return weight * c / (var + eps) ** 0.5 + bias


def _unbiased(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    return weight * (x - x.mean(0)) / (x.var(0) + eps) ** 0.5 + bias


def _eps_outside(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    return weight * (x - x.mean(0)) / (x.std(0, correction=0) + eps) + bias


def _over_features(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    c = x - x.mean(1, keepdim=True)
    return weight * c / ((c**2).mean(1, keepdim=True) + eps) ** 0.5 + bias


def _one_scale(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    c = x - x.mean()
    return weight * c / ((c**2).mean() + eps) ** 0.5 + bias


def _by_variance(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    return weight * (x - x.mean(0)) / (x.var(0, correction=0) + eps) + bias


def _not_centred(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    return weight * x / (x.var(0, correction=0) + eps) ** 0.5 + bias


def _bias_first(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    return weight * ((x - x.mean(0)) / (x.var(0, correction=0) + eps) ** 0.5 + bias)


def _forward_inputs() -> Inputs:
    return tuple(
        (1 + scale * _randn(k, n, 3), _randn(k + 10, 3), _randn(k + 20, 3), eps)
        for k, (n, scale, eps) in enumerate(((8, 2.0, 1e-5), (4, 0.5, 0.1), (16, 3.0, 0.5)))
    )


# --- 2 · running statistics ------------------------------------------------------------------------


def track(running_mean: Tensor, running_var: Tensor, x: Tensor, momentum: float) -> tuple[Tensor, Tensor]:
    mean = (1 - momentum) * running_mean + momentum * x.mean(0)
    var = (1 - momentum) * running_var + momentum * x.var(0, correction=1)
    return mean, var


def _biased_buffer(
    running_mean: Tensor, running_var: Tensor, x: Tensor, momentum: float
) -> tuple[Tensor, Tensor]:
    mean = (1 - momentum) * running_mean + momentum * x.mean(0)
    return mean, (1 - momentum) * running_var + momentum * x.var(0, correction=0)


def _reversed(running_mean: Tensor, running_var: Tensor, x: Tensor, momentum: float) -> tuple[Tensor, Tensor]:
    return track(running_mean, running_var, x, 1 - momentum)


def _tracks_std(
    running_mean: Tensor, running_var: Tensor, x: Tensor, momentum: float
) -> tuple[Tensor, Tensor]:
    mean = (1 - momentum) * running_mean + momentum * x.mean(0)
    return mean, ((1 - momentum) * running_var**0.5 + momentum * x.std(0)) ** 2


def _replaced(running_mean: Tensor, running_var: Tensor, x: Tensor, momentum: float) -> tuple[Tensor, Tensor]:
    return x.mean(0), x.var(0)


def _added(running_mean: Tensor, running_var: Tensor, x: Tensor, momentum: float) -> tuple[Tensor, Tensor]:
    return running_mean + momentum * x.mean(0), running_var + momentum * x.var(0)


def _around_running(
    running_mean: Tensor, running_var: Tensor, x: Tensor, momentum: float
) -> tuple[Tensor, Tensor]:
    mean, _ = track(running_mean, running_var, x, momentum)
    spread = ((x - running_mean) ** 2).sum(0) / (len(x) - 1)
    return mean, (1 - momentum) * running_var + momentum * spread


def _track_inputs() -> Inputs:
    return tuple(
        (_randn(k + 30, 3), 0.5 + _rand(k + 40, 3), 1 + _randn(k + 50, n, 3), momentum)
        for k, (n, momentum) in enumerate(((4, 0.1), (2, 0.3), (16, 0.01)))
    )


# --- 3 · the backward pass -------------------------------------------------------------------------


def batch_norm_backward(g: Tensor, x: Tensor, eps: float) -> Tensor:
    c = x - x.mean(0)
    r = 1 / ((c**2).mean(0) + eps) ** 0.5
    x_hat = c * r
    return r * (g - g.mean(0) - x_hat * (g * x_hat).mean(0))


def _parts(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    c = x - x.mean(0)
    r = 1 / ((c**2).mean(0) + eps) ** 0.5
    return c * r, r


def _detached(g: Tensor, x: Tensor, eps: float) -> Tensor:
    return g * _parts(x, eps)[1]


def _mean_only(g: Tensor, x: Tensor, eps: float) -> Tensor:
    return _parts(x, eps)[1] * (g - g.mean(0))


def _variance_only(g: Tensor, x: Tensor, eps: float) -> Tensor:
    x_hat, r = _parts(x, eps)
    return r * (g - x_hat * (g * x_hat).mean(0))


def _sums(g: Tensor, x: Tensor, eps: float) -> Tensor:
    x_hat, r = _parts(x, eps)
    return r * (g - g.sum(0) - x_hat * (g * x_hat).sum(0))


def _no_r(g: Tensor, x: Tensor, eps: float) -> Tensor:
    x_hat, _ = _parts(x, eps)
    return g - g.mean(0) - x_hat * (g * x_hat).mean(0)


def _uncentred_projection(g: Tensor, x: Tensor, eps: float) -> Tensor:
    x_hat, r = _parts(x, eps)
    return r * (g - g.mean(0) - x * (g * x_hat).mean(0))


def _wrong_sign(g: Tensor, x: Tensor, eps: float) -> Tensor:
    x_hat, r = _parts(x, eps)
    return r * (g - g.mean(0) + x_hat * (g * x_hat).mean(0))


def _backward_inputs() -> Inputs:
    return tuple(
        (_randn(k + 60, n, 3) + 0.5, 1 + 2 * _randn(k + 70, n, 3), eps)
        for k, (n, eps) in enumerate(((4, 1e-5), (8, 0.1), (3, 0.0)))
    )


# --- 4 · group norm --------------------------------------------------------------------------------


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


def _group_inputs() -> Inputs:
    channels = torch.arange(6, dtype=torch.float64)[:, None, None]
    return tuple(
        ((1 + channels / 3) * _randn(k + 80, 3, 6, 2, 2) + channels, groups, eps)
        for k, (groups, eps) in enumerate(((2, 1e-5), (3, 0.1)))
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


def _fold_inputs() -> Inputs:
    return tuple(
        (_randn(k, 3, 3), _randn(k + 1, 3), _randn(k + 2, 3), 0.1 + _rand(k + 3, 3), _randn(k + 4, 3),
         _randn(k + 5, 3), eps)
        for k, eps in ((100, 1e-3), (110, 0.1))
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
        "14.batch_norm",
        title="The forward pass",
        prompt="Return the batch norm, in training mode, of a batch x of shape (n, units).",
        kind="core",
        minutes=6,
        inputs=_forward_inputs,
        solution=batch_norm,
        wrong=(
            Wrong(
                _unbiased,
                "You divide the variance by n - 1. The batch is normalised with n; only the running variance uses "
                "n - 1. Tensor.var has n - 1 as its default.",
            ),
            Wrong(
                _eps_outside, "eps is outside the root. It belongs to the variance: one over sqrt(var + eps)."
            ),
            Wrong(
                _over_features,
                "Your statistics run over the units of one example: that is layer norm. Batch norm takes one unit "
                "over the batch.",
            ),
            Wrong(
                _one_scale, "One mean and one variance serve all units. Each unit (column) has its own two."
            ),
            Wrong(_by_variance, "You divide by the variance. The standard deviation is its root."),
            Wrong(_not_centred, "The mean is not subtracted."),
            Wrong(
                _bias_first,
                "The bias is multiplied by the weight: it comes last, after the multiplication.",
            ),
        ),
        hints=(
            "Four steps: mean, centred values, variance, and the affine part.",
            "The mean over dimension 0, and the mean of the squares of what is left.",
            "c = x - x.mean(0); weight * c / ((c**2).mean(0) + eps) ** 0.5 + bias",
        ),
        stub='''def batch_norm(x, weight, bias, eps):
    """weight * (x - mean) / sqrt(var + eps) + bias, for x (n, units), in training mode."""
    ...
''',
        note="This is `torch.nn.functional.batch_norm(x, None, None, weight, bias, training=True, eps=eps)`.",
    ),
    Exercise(
        "14.track",
        title="Running statistics",
        prompt="Return the new running mean and running variance after one training batch x, as PyTorch keeps them.",
        kind="core",
        minutes=6,
        inputs=_track_inputs,
        solution=track,
        wrong=(
            Wrong(
                _biased_buffer,
                "You store the variance divided by n. The buffer is to estimate the variance of the data: n - 1.",
            ),
            Wrong(
                _reversed,
                "momentum is reversed. In PyTorch it is the share of the *new* batch: 0.1 keeps nine tenths.",
            ),
            Wrong(_tracks_std, "You average standard deviations. The buffer averages variances."),
            Wrong(_replaced, "The last batch replaces everything before it: where is the average?"),
            Wrong(_added, "You add without letting go: the old value must be multiplied by 1 - momentum."),
            Wrong(
                _around_running,
                "Your spread is taken around the running mean. A batch's variance is around its own mean.",
            ),
        ),
        hints=(
            "An exponential average, as in lesson 04, of two things.",
            "new = (1 - momentum) * old + momentum * batch. Which n does the variance divide by here?",
            "(1 - momentum) * running_var + momentum * x.var(0), and the same with the means.",
        ),
        stub='''def track(running_mean, running_var, x, momentum):
    """(running_mean, running_var) after the training batch x (n, units)."""
    ...
''',
        note="Biased in the batch, unbiased in the buffer: the one function that a beginner's rewrite gets half right.",
    ),
    Exercise(
        "14.batch_norm_backward",
        title="The backward pass",
        prompt="y is x normalised over the batch, without weight and bias. g is the gradient with respect to y. Return "
        "the gradient with respect to x.",
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
            "r * (g - g.mean(0) - x_hat * (g * x_hat).mean(0))",
        ),
        stub='''def batch_norm_backward(g, x, eps):
    """dL/dx from g = dL/dy, where y = (x - mean) / sqrt(var + eps) over the batch; all (n, units)."""
    ...
''',
        note="`course_utils.layers.BatchNormByHand` is this, with weight and bias.",
    ),
    Exercise(
        "14.group_norm",
        title="Which numbers share a mean",
        prompt="Return the group norm of x (N, C, H, W), without weight and bias: neighbouring channels of one example "
        "form `groups` groups of equal size.",
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
        "14.fold",
        title="Fold it away",
        prompt="In eval a batch norm is a fixed linear map. Merge it into the linear layer before it: return the weight "
        "and bias of one layer that does the work of both.",
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
        "has the length g / |w|. At rest |w| no longer changes. Return the effective rate lr / |w|² there.",
        kind="extra",
        minutes=20,
        inputs=((0.1, 0.01, 1.0), (1.0, 0.5, 2.0), (0.5, 1.0, 0.3)),
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
        note="It depends on lr * decay alone: before a batch norm, weight decay penalises nothing and sets the rate.",
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
                "So it would without the batch norm. It divides by the spread, which is ten times as large as well.",
                False,
            ),
            (
                "Neither changes",
                "The output does not. But the weights are ten times as long, so the same change of output takes ten "
                "times the change of weights.",
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
        "14.huge_rate",
        "In a net with two batch norms, the weights before them are trained with η = 256, all other parameters with 0.1. "
        "The same net without batch norms does not survive η = 16 on its hidden weights. What is the accuracy on the digits "
        "after 100 steps?",
        (
            (
                "About 10%, a guess",
                "Batch norm would then only move the edge. It does more: on these weights there is no edge.",
                False,
            ),
            (
                "About 50%: it is hurt, and survives",
                "The first step is enormous, but what counts is the direction of the weights, and that turns by a right "
                "angle at most.",
                False,
            ),
            (
                "Above 90%",
                "The first step makes the weights so long that all later ones are small turns.",
                True,
            ),
        ),
    ),
)
