"""Exercises of lesson 13: what does dropout average?

The draws come in as an argument, `u`, uniform in [0, 1): an entry is kept where u >= p.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong


def _randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _rand(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- 1 · the layer ---------------------------------------------------------------------------------


def dropout_forward(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    if not training:
        return x
    return x * (u >= p) / (1 - p)


def _no_scale(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    return x * (u >= p) if training else x


def _scale_twice(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    return x * (u >= p) / (1 - p) if training else x * (1 - p)


def _original(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    return x * (u >= p) if training else x * (1 - p)


def _active_in_eval(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    return x * (u >= p) / (1 - p)


def _swapped(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    return x * (u < p) / p if training else x


def _swapped_mask(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    return x * (u < p) / (1 - p) if training else x


def _shared_mask(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    return x * (u[:1] >= p) / (1 - p) if training else x


def _share_kept(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    keep = (u >= p).to(x.dtype)
    return x * keep / keep.mean() if training else x


def _layer_inputs() -> Inputs:
    cases = ((0.5, True), (0.2, True), (0.2, False), (0.7, True))
    return tuple((_randn(k, 6, 5), _rand(k + 50, 6, 5), p, mode) for k, (p, mode) in enumerate(cases))


# --- 2 · the backward pass -------------------------------------------------------------------------


def dropout_backward(g: Tensor, u: Tensor, p: float) -> Tensor:
    return g * (u >= p) / (1 - p)


def _unmasked(g: Tensor, u: Tensor, p: float) -> Tensor:
    return g


def _backward_no_scale(g: Tensor, u: Tensor, p: float) -> Tensor:
    return g * (u >= p)


def _backward_scale_only(g: Tensor, u: Tensor, p: float) -> Tensor:
    return g / (1 - p)


def _backward_complement(g: Tensor, u: Tensor, p: float) -> Tensor:
    return g * (u < p) / (1 - p)


def _backward_undoes(g: Tensor, u: Tensor, p: float) -> Tensor:
    return g * (u >= p) * (1 - p)


def _backward_inputs() -> Inputs:
    return tuple((_randn(k + 10, 4, 5), _rand(k + 60, 4, 5), p) for k, p in enumerate((0.5, 0.1, 0.8)))


# --- 3 · the variance of a unit --------------------------------------------------------------------


def unit_variance(w: Tensor, x: Tensor, p: float) -> float:
    return (p / (1 - p) * (w**2 * x**2).sum()).item()


def _variance_no_scale(w: Tensor, x: Tensor, p: float) -> float:
    return (p * (1 - p) * (w**2 * x**2).sum()).item()


def _variance_of_sum(w: Tensor, x: Tensor, p: float) -> float:
    return (p / (1 - p) * (w * x).sum() ** 2).item()


def _weight_once(w: Tensor, x: Tensor, p: float) -> float:
    return (p / (1 - p) * (w * x**2).sum()).item()


def _variance_swapped(w: Tensor, x: Tensor, p: float) -> float:
    return ((1 - p) / p * (w**2 * x**2).sum()).item()


def _deviation(w: Tensor, x: Tensor, p: float) -> float:
    return (p / (1 - p) * (w**2 * x**2).sum()).sqrt().item()


def _second_moment(w: Tensor, x: Tensor, p: float) -> float:
    return (1 / (1 - p) * (w**2 * x**2).sum()).item()


def _variance_inputs() -> Inputs:
    return tuple((_randn(k + 20, 6), _randn(k + 30, 6), p) for k, p in enumerate((0.5, 0.2, 0.9)))


# --- 4 · a net trained the original way ------------------------------------------------------------


def rescale_layer(weight: Tensor, bias: Tensor, p: float) -> tuple[Tensor, Tensor]:
    return (1 - p) * weight, bias


def _unchanged(weight: Tensor, bias: Tensor, p: float) -> tuple[Tensor, Tensor]:
    return weight.clone(), bias.clone()


def _bias_too(weight: Tensor, bias: Tensor, p: float) -> tuple[Tensor, Tensor]:
    return (1 - p) * weight, (1 - p) * bias


def _enlarged(weight: Tensor, bias: Tensor, p: float) -> tuple[Tensor, Tensor]:
    return weight / (1 - p), bias


def _times_p(weight: Tensor, bias: Tensor, p: float) -> tuple[Tensor, Tensor]:
    return p * weight, bias


def _times_root(weight: Tensor, bias: Tensor, p: float) -> tuple[Tensor, Tensor]:
    return (1 - p) ** 0.5 * weight, bias


def _rescale_inputs() -> Inputs:
    return tuple((_randn(k + 40, 3, 4), _randn(k + 45, 3), p) for k, p in enumerate((0.2, 0.8, 0.6)))


# --- 5 · Monte-Carlo dropout -----------------------------------------------------------------------


def monte_carlo(logits: Tensor) -> Tensor:
    return logits.softmax(-1).mean(0)


def _mean_logits(logits: Tensor) -> Tensor:
    return logits.mean(0).softmax(-1)


def _over_examples(logits: Tensor) -> Tensor:
    return logits.softmax(-1).mean(1)


def _softmax_over_masks(logits: Tensor) -> Tensor:
    return logits.softmax(0).mean(0)


def _votes(logits: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits.dtype).mean(0)


def _one_mask(logits: Tensor) -> Tensor:
    return logits[0].softmax(-1)


def _mean_of_logs(logits: Tensor) -> Tensor:
    return logits.log_softmax(-1).mean(0).exp()


def _logit_inputs() -> Inputs:
    return tuple((3 * _randn(k + 70, *shape),) for k, shape in enumerate(((5, 4, 3), (8, 5, 4), (2, 2, 2))))


# --- 6 · dropout is a ridge ------------------------------------------------------------------------


def _solve(a: Tensor, b: Tensor) -> Tensor:
    solved: Tensor = torch.linalg.solve(a, b)
    return solved


def dropout_least_squares(x: Tensor, y: Tensor, p: float) -> Tensor:
    gram = x.T @ x
    return _solve(gram + p / (1 - p) * torch.diag(gram.diagonal()), x.T @ y)


def _plain_ridge(x: Tensor, y: Tensor, p: float) -> Tensor:
    eye = torch.eye(x.shape[1], dtype=x.dtype)
    return _solve(x.T @ x + p / (1 - p) * eye, x.T @ y)


def _ordinary(x: Tensor, y: Tensor, p: float) -> Tensor:
    return _solve(x.T @ x, x.T @ y)


def _ridge_p(x: Tensor, y: Tensor, p: float) -> Tensor:
    gram = x.T @ x
    return _solve(gram + p * torch.diag(gram.diagonal()), x.T @ y)


def _ridge_original(x: Tensor, y: Tensor, p: float) -> Tensor:
    return dropout_least_squares(x, y, p) / (1 - p)


def _diagonal_only(x: Tensor, y: Tensor, p: float) -> Tensor:
    gram = x.T @ x
    return (1 - p) * (x.T @ y) / gram.diagonal()


def _whole_gram(x: Tensor, y: Tensor, p: float) -> Tensor:
    return (1 - p) * _solve(x.T @ x, x.T @ y)


def _regression_inputs() -> Inputs:
    scale = torch.tensor([1.0, 3.0, 0.5, 2.0], dtype=torch.float64)
    mix = torch.eye(4, dtype=torch.float64) + 0.5
    return tuple(
        (_randn(k + 80, 12, 4) @ mix * scale, _randn(k + 90, 12), p) for k, p in enumerate((0.5, 0.2, 0.8))
    )


EXERCISES = (
    Exercise(
        "13.dropout_forward",
        title="The layer",
        prompt="Return inverted dropout of x: in training keep an entry where u >= p and scale what is kept; "
        "in eval change nothing.",
        kind="core",
        minutes=6,
        inputs=_layer_inputs,
        solution=dropout_forward,
        wrong=(
            Wrong(
                _no_scale,
                "Nothing makes up for what is dropped: in training the mean is (1 - p) times x, in eval it is x.",
            ),
            Wrong(
                _scale_twice,
                "You scale in training and again in eval. One of the two is enough, and inverted dropout does it "
                "in training.",
            ),
            Wrong(
                _original,
                "This is the original convention, which scales in eval. Inverted dropout scales in training and "
                "leaves eval alone.",
            ),
            Wrong(_active_in_eval, "Your layer still drops in eval: look at what `training` says first."),
            Wrong(
                _swapped, "p and 1 - p are swapped: p is the probability of being dropped, not of being kept."
            ),
            Wrong(_swapped_mask, "Your mask keeps what should go: an entry is kept where u >= p."),
            Wrong(
                _shared_mask,
                "One mask, the first row's, serves the whole batch. Every example needs draws of its own.",
            ),
            Wrong(
                _share_kept,
                "You divide by the share that happened to be kept. The scale is 1 - p, a constant: otherwise the "
                "examples of a batch are tied together.",
            ),
        ),
        hints=(
            "Two cases: `if not training` comes first.",
            "A comparison gives the mask; what survives must make up, on average, for what does not.",
            "return x * (u >= p) / (1 - p)",
        ),
        stub='''def dropout_forward(x, u, p, training):
    """Inverted dropout of x; u holds uniform draws of x's shape, an entry is kept where u >= p."""
    ...
''',
        note="`torch.nn.Dropout(p)` does this. With the scale in training, a net is saved and used without p.",
    ),
    Exercise(
        "13.dropout_backward",
        title="The backward pass",
        prompt="g is the gradient of the loss with respect to the layer's output, in training. Return the gradient "
        "with respect to its input.",
        kind="core",
        minutes=5,
        inputs=_backward_inputs,
        solution=dropout_backward,
        wrong=(
            Wrong(
                _unmasked,
                "You pass g through as if nothing had been dropped: a dropped entry has no influence.",
            ),
            Wrong(
                _backward_no_scale, "The forward pass multiplied by 1 / (1 - p): so does the backward pass."
            ),
            Wrong(
                _backward_scale_only,
                "Entries that were dropped still receive a gradient: the mask is missing.",
            ),
            Wrong(
                _backward_complement, "The gradient goes to the entries that were dropped, not to those kept."
            ),
            Wrong(
                _backward_undoes,
                "The backward pass does not undo the forward pass, it multiplies by the same factor.",
            ),
        ),
        hints=(
            "For each entry the layer is y = c * x with a number c that the draw has fixed.",
            "dL/dx = c * dL/dy, with the same c as in the forward pass.",
            "return g * (u >= p) / (1 - p)",
        ),
        stub='''def dropout_backward(g, u, p):
    """The gradient with respect to the input, from g with respect to the output and the same draws u."""
    ...
''',
        note="That is why the mask must be kept until the backward pass, or drawn again from the same seed.",
    ),
    Exercise(
        "13.unit_variance",
        title="The variance of a unit behind dropout",
        prompt="A unit sums w_j y_j, where y is x after inverted dropout with probability p. Return the variance of "
        "that sum over the masks.",
        kind="core",
        minutes=6,
        inputs=_variance_inputs,
        solution=unit_variance,
        wrong=(
            Wrong(
                _variance_no_scale,
                "This is the variance without the scale 1 / (1 - p), which enters squared.",
            ),
            Wrong(
                _variance_of_sum,
                "The square of the sum is what one mask bit shared by all inputs would give. Independent bits: add "
                "the squares.",
            ),
            Wrong(_weight_once, "A factor w comes out of a variance squared."),
            Wrong(_variance_swapped, "p and 1 - p are swapped: rare dropping must mean little variance."),
            Wrong(_deviation, "This is the standard deviation; the variance is asked for."),
            Wrong(_second_moment, "This is the sum of the second moments. Subtract the squared means."),
        ),
        hints=(
            "Independent terms: the variance of the sum is the sum of the variances.",
            "keep / (1 - p) has the mean 1 and the second moment 1 / (1 - p), so the variance p / (1 - p).",
            "p / (1 - p) times the sum of w² x², as .item().",
        ),
        stub='''def unit_variance(w, x, p):
    """Var(sum_j w_j y_j) over masks, y = inverted dropout of x, as a float."""
    ...
''',
        note="At p = 0.5 the factor is 1: the noise of each term is as large as the term itself.",
    ),
    Exercise(
        "13.rescale_layer",
        title="A net trained the original way",
        prompt="A net was trained with the original dropout (no scale in training) on the inputs of this layer. "
        "Return the weight and bias with which the layer runs in eval, without dropout.",
        kind="core",
        minutes=5,
        inputs=_rescale_inputs,
        solution=rescale_layer,
        wrong=(
            Wrong(
                _unchanged,
                "In training only a share 1 - p of the inputs arrived. With all of them there, the sums are too large.",
            ),
            Wrong(_bias_too, "The bias was never dropped, so it was learnt at its full size: leave it."),
            Wrong(_enlarged, "The wrong way round: more inputs arrive in eval, so the weights must shrink."),
            Wrong(_times_p, "p is the share that was dropped; the share that arrived is 1 - p."),
            Wrong(
                _times_root,
                "The root would keep the size of the noise. What must be kept is the mean: no root.",
            ),
        ),
        hints=(
            "Compute the mean over masks of weight @ (x * keep) + bias.",
            "The mean of keep is 1 - p, and it multiplies only what x goes through.",
            "return (1 - p) * weight, bias",
        ),
        stub='''def rescale_layer(weight, bias, p):
    """(weight, bias) for eval, of a layer whose inputs were dropped, unscaled, in training."""
    ...
''',
        note="Srivastava et al. (2014) describe both forms. Today's libraries all scale in training.",
    ),
    Exercise(
        "13.monte_carlo",
        title="The average of the crowd",
        prompt="logits (K, N, C) holds the outputs of K masks for N examples. Return the Monte-Carlo probabilities "
        "(N, C): the arithmetic mean of the K nets' probabilities.",
        kind="core",
        minutes=5,
        inputs=_logit_inputs,
        solution=monte_carlo,
        wrong=(
            Wrong(
                _mean_logits,
                "You average the logits. That is the geometric mean of the probabilities, the one that the eval pass "
                "stands for.",
            ),
            Wrong(_over_examples, "You average over examples (axis 1). The masks are axis 0."),
            Wrong(
                _softmax_over_masks,
                "Your softmax runs over masks: each class must compete with the other classes.",
            ),
            Wrong(_votes, "You count votes. A net that is unsure then counts as much as one that is sure."),
            Wrong(_one_mask, "This is one thinned net out of K."),
            Wrong(
                _mean_of_logs,
                "The exponential of the mean log-probability is a geometric mean, and it does not even add up to 1.",
            ),
        ),
        hints=(
            "Each net gives probabilities of its own; what is the order of the two operations?",
            "First softmax over the last axis, then the mean over the first.",
            "return logits.softmax(-1).mean(0)",
        ),
        stub='''def monte_carlo(logits):
    """Mean probabilities (N, C) of K thinned nets, from their logits (K, N, C)."""
    ...
''',
        note="Gal & Ghahramani (2016) read this mean as an approximate Bayesian prediction.",
    ),
    Exercise(
        "13.dropout_least_squares",
        title="Dropout in a linear regression",
        prompt="Return the weights that minimise the *expected* squared error of a linear regression without bias, with "
        "inverted dropout of probability p on its inputs. The columns of x are not standardised.",
        kind="extra",
        minutes=20,
        inputs=_regression_inputs,
        solution=dropout_least_squares,
        wrong=(
            Wrong(
                _plain_ridge,
                "The noise of a column is as large as the column: the penalty on w_j is not λ, it grows with sum_i x_ij².",
            ),
            Wrong(
                _ordinary,
                "This is least squares without dropout. Its expected error under dropout is larger.",
            ),
            Wrong(_ridge_p, "The variance of keep / (1 - p) is p / (1 - p), not p."),
            Wrong(
                _ridge_original,
                "These are the weights of the original convention, without the scale: 1 / (1 - p) times too large.",
            ),
            Wrong(
                _diagonal_only,
                "You dropped the correlations between columns: the mean term keeps all of x'x.",
            ),
            Wrong(
                _whole_gram,
                "You add all of x'x. Masks of two columns are independent, so noise adds to the diagonal alone.",
            ),
        ),
        hints=(
            "Expected square = square of the mean + variance. The variance of a prediction is exercise 3.",
            "Sum it over examples: p / (1 - p) * sum_j w_j² * sum_i x_ij². Set the gradient in w to zero.",
            "Solve (x'x + p / (1 - p) * diag(x'x)) w = x'y.",
        ),
        stub='''def dropout_least_squares(x, y, p):
    """argmin over w of E sum_i (y_i - w · dropout(x_i))², for x (n, d) and y (n,)."""
    ...
''',
        note="On standardised columns this is ridge with λ = p / (1 - p); the penalty follows the data's scale.",
    ),
)

QUIZZES = (
    Quiz(
        "13.eval_pass",
        "A net has dropout before its last layer, on 64 units, so there are 2⁶⁴ thinned nets. After training, one pass "
        "with all units stands for them. Which average of their predicted probabilities is it?",
        (
            (
                "The arithmetic mean",
                "It would be if probabilities were linear in the units. The softmax is not: averaging before it and "
                "after it differ.",
                False,
            ),
            (
                "The geometric mean, made to add up to 1 again, and exactly so",
                "The logits are linear in the mask, so the eval pass has the mean logits; and a mean of logits is a "
                "geometric mean of probabilities.",
                True,
            ),
            (
                "No average of them: it is one more net, only similar",
                "So it is in general. With one layer of dropout just before the last layer there is an identity.",
                False,
            ),
        ),
    ),
    Quiz(
        "13.better_calibrated",
        "Instead of the eval pass you average the probabilities of 64 masks (Monte-Carlo dropout). Does that lower the "
        "validation loss?",
        (
            (
                "Always: an average of models is better than one model",
                "The average beats the thinned nets' mean loss, always. The eval pass is not one of the thinned nets.",
                False,
            ),
            (
                "Where the eval pass is overconfident",
                "The average is softer. That repairs overconfidence, and adds to underconfidence.",
                True,
            ),
            (
                "Never by a measurable amount: both stand for the same crowd",
                "They are two different means of it, and in both of the cases below the difference is plain to see.",
                False,
            ),
        ),
    ),
)
