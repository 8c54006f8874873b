"""Exercises of lesson 12: why does L1 give zeros?

Losses are means of squared residuals, without 1/2; penalties are l1 * sum |p| and l2 * sum p**2, without 1/2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong


def _draw(*shape: int, seed: int = 12) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- 1 · the soft threshold ------------------------------------------------------------------------


def soft(x: Tensor, t: float) -> Tensor:
    return x.sign() * (x.abs() - t).clamp(min=0)


def _hard(x: Tensor, t: float) -> Tensor:
    return torch.where(x.abs() > t, x, torch.zeros_like(x))


def _one_sided(x: Tensor, t: float) -> Tensor:
    return (x - t).clamp(min=0)


def _no_sign(x: Tensor, t: float) -> Tensor:
    return (x.abs() - t).clamp(min=0)


def _overshoots(x: Tensor, t: float) -> Tensor:
    return x - t * x.sign()


def _clipped(x: Tensor, t: float) -> Tensor:
    return x.clamp(-t, t)


def _ridge_shrinks(x: Tensor, t: float) -> Tensor:
    return x / (1 + 2 * t)


def _numbers() -> Inputs:
    x = torch.tensor([-2.0, -0.3, 0.0, 0.1, 0.5, 3.0], dtype=torch.float64)
    return ((x, 0.5), (x, 1.5), (x, 0.0))


# --- 2 · one proximal step -------------------------------------------------------------------------


def ista_step(p: Tensor, g: Tensor, lr: float, l1: float) -> Tensor:
    q = p - lr * g
    return q.sign() * (q.abs() - lr * l1).clamp(min=0)


def _without_rate(p: Tensor, g: Tensor, lr: float, l1: float) -> Tensor:
    return soft(p - lr * g, l1)


def _subgradient(p: Tensor, g: Tensor, lr: float, l1: float) -> Tensor:
    return p - lr * (g + l1 * p.sign())


def _threshold_first(p: Tensor, g: Tensor, lr: float, l1: float) -> Tensor:
    return soft(p, lr * l1) - lr * g


def _twice(p: Tensor, g: Tensor, lr: float, l1: float) -> Tensor:
    return soft(p - lr * (g + l1 * p.sign()), lr * l1)


def _gradient_only(p: Tensor, g: Tensor, lr: float, l1: float) -> Tensor:
    return p - lr * g


def _hard_step(p: Tensor, g: Tensor, lr: float, l1: float) -> Tensor:
    return _hard(p - lr * g, lr * l1)


def _steps() -> Inputs:
    p, g = _draw(2, 8)
    p[:2] = 0
    return ((p, g, 0.1, 2.0), (p, g, 0.5, 1.0), (p, g, 0.01, 5.0))


# --- 3 · conventions -------------------------------------------------------------------------------


def sklearn_alphas(l1: float, l2: float, n: int) -> tuple[float, float]:
    return l1 / 2, n * l2


# --- 4 · the bias ----------------------------------------------------------------------------------


def ridge_with_bias(x: Tensor, y: Tensor, l2: float) -> tuple[Tensor, Tensor]:
    x_mean, y_mean = x.mean(0), y.mean()
    x, y = x - x_mean, y - y_mean
    n, d = x.shape
    w = torch.linalg.solve(x.T @ x / n + l2 * torch.eye(d, dtype=x.dtype), x.T @ y / n)
    return w, y_mean - x_mean @ w


def _bias_penalised(x: Tensor, y: Tensor, l2: float) -> tuple[Tensor, Tensor]:
    n, d = x.shape
    x = torch.cat([x, torch.ones(n, 1, dtype=x.dtype)], 1)
    w = torch.linalg.solve(x.T @ x / n + l2 * torch.eye(d + 1, dtype=x.dtype), x.T @ y / n)
    return w[:-1], w[-1]


def _without_n(x: Tensor, y: Tensor, l2: float) -> tuple[Tensor, Tensor]:
    return ridge_with_bias(x, y, l2 / len(x))


def _halved(x: Tensor, y: Tensor, l2: float) -> tuple[Tensor, Tensor]:
    return ridge_with_bias(x, y, l2 / 2)


def _doubled(x: Tensor, y: Tensor, l2: float) -> tuple[Tensor, Tensor]:
    return ridge_with_bias(x, y, 2 * l2)


def _mean_as_bias(x: Tensor, y: Tensor, l2: float) -> tuple[Tensor, Tensor]:
    return ridge_with_bias(x, y, l2)[0], y.mean()


def _not_penalised(x: Tensor, y: Tensor, l2: float) -> tuple[Tensor, Tensor]:
    return ridge_with_bias(x, y, 0.0)


def _tables() -> Inputs:
    tables = []
    for seed, l2 in ((1, 0.1), (2, 2.0), (3, 0.5)):
        x = _draw(12, 3, seed=seed) + 1.0
        y = x @ torch.tensor([1.0, -2.0, 0.5], dtype=x.dtype) + 5 + _draw(12, seed=seed + 10)
        tables.append((x, y, l2))
    return tuple(tables)


# --- 5 · is it the minimum? ------------------------------------------------------------------------


def violation(p: Tensor, g: Tensor, l1: float) -> float:
    moved = (g + l1 * p.sign()).abs()
    resting = (g.abs() - l1).clamp(min=0)
    return torch.where(p == 0, resting, moved).max().item()


def _sign_at_zero(p: Tensor, g: Tensor, l1: float) -> float:
    return (g + l1 * p.sign()).abs().max().item()


def _gradient_alone(p: Tensor, g: Tensor, l1: float) -> float:
    return g.abs().max().item()


def _slack_everywhere(p: Tensor, g: Tensor, l1: float) -> float:
    return (g.abs() - l1).clamp(min=0).max().item()


def _zeros_ignored(p: Tensor, g: Tensor, l1: float) -> float:
    return torch.where(p == 0, torch.zeros_like(g), (g + l1 * p.sign()).abs()).max().item()


def _minus_sign(p: Tensor, g: Tensor, l1: float) -> float:
    resting = (g.abs() - l1).clamp(min=0)
    return torch.where(p == 0, resting, (g - l1 * p.sign()).abs()).max().item()


def _points() -> Inputs:
    p = torch.tensor([1.0, -2.0, 0.0, 0.0], dtype=torch.float64)
    gradients = ([-1.0, 1.0, 0.3, -0.9], [-1.0, 1.0, 0.3, -1.5], [-0.8, 1.0, 0.9, 0.0], [-1.0, 1.3, 0.1, 1.1])
    return tuple((p, torch.tensor(g, dtype=torch.float64), 1.0) for g in gradients)


# --- 6 · towards research: the elastic net's step --------------------------------------------------


def elastic_step(p: Tensor, g: Tensor, lr: float, l1: float, l2: float) -> Tensor:
    q = p - lr * g
    q = q.sign() * (q.abs() - lr * l1).clamp(min=0)
    return q / (1 + 2 * lr * l2)


def _two_missing(p: Tensor, g: Tensor, lr: float, l1: float, l2: float) -> Tensor:
    return soft(p - lr * g, lr * l1) / (1 + lr * l2)


def _linearised(p: Tensor, g: Tensor, lr: float, l1: float, l2: float) -> Tensor:
    return soft(p - lr * g, lr * l1) * (1 - 2 * lr * l2)


def _shrunk_first(p: Tensor, g: Tensor, lr: float, l1: float, l2: float) -> Tensor:
    return soft((p - lr * g) / (1 + 2 * lr * l2), lr * l1)


def _no_rate_in_l2(p: Tensor, g: Tensor, lr: float, l1: float, l2: float) -> Tensor:
    return soft(p - lr * g, lr * l1) / (1 + 2 * l2)


def _in_the_gradient(p: Tensor, g: Tensor, lr: float, l1: float, l2: float) -> Tensor:
    return soft(p - lr * (g + 2 * l2 * p), lr * l1)


def _net_steps() -> Inputs:
    p, g = _draw(2, 8, seed=7)
    return ((p, g, 0.1, 2.0, 1.0), (p, g, 0.5, 0.5, 3.0), (p, g, 0.02, 10.0, 0.3))


EXERCISES = (
    Exercise(
        "12.soft_threshold",
        title="The soft threshold",
        prompt="Return, for each entry of x, the z that minimises (z - x)**2 / 2 + t * |z|.",
        kind="core",
        minutes=5,
        inputs=_numbers,
        solution=soft,
        wrong=(
            Wrong(_hard, "This is hard thresholding: what survives should move towards zero by t as well."),
            Wrong(_one_sided, "Negative entries are all lost: the threshold works on the size, both ways."),
            Wrong(
                _no_sign, "The sizes are right, but negative entries come back positive: the sign is gone."
            ),
            Wrong(
                _overshoots,
                "Entries smaller than t cross zero and come out with the other sign; stop them there.",
            ),
            Wrong(
                _clipped,
                "This keeps the small entries and cuts the large ones: it is clipping, the other way round.",
            ),
            Wrong(
                _ridge_shrinks, "This is the minimum with t * z**2: it shrinks every entry and zeroes none."
            ),
        ),
        hints=(
            "Solve it for x > t, for x < -t, and say what is left between.",
            "The size becomes |x| - t where that is positive, and zero elsewhere. The sign stays.",
            "x.sign() * (x.abs() - t).clamp(min=0)",
        ),
        stub='''def soft(x, t):
    """x with every entry moved by t towards zero, and stopped there."""
    ...
''',
        note="`torch.nn.functional.softshrink(x, t)` does this.",
    ),
    Exercise(
        "12.ista_step",
        title="One proximal step",
        prompt="Return the point after one proximal gradient step on loss + l1 * sum |p|; g is the loss's gradient at p.",
        kind="core",
        minutes=6,
        inputs=_steps,
        solution=ista_step,
        wrong=(
            Wrong(
                _without_rate, "The threshold is l1 without the rate: your penalty is 1 / lr times as strong."
            ),
            Wrong(
                _subgradient, "This is the subgradient step: it passes zero, and almost never lands on it."
            ),
            Wrong(
                _threshold_first,
                "You threshold first and step afterwards, so the step moves the zeros away again.",
            ),
            Wrong(
                _twice, "The penalty is in twice: once as a sign in the gradient and once as the threshold."
            ),
            Wrong(_gradient_only, "The gradient step is right; the second half, the threshold, is missing."),
            Wrong(_hard_step, "Weights above the threshold must shrink by it too; yours are kept whole."),
        ),
        hints=(
            "Two halves: a gradient step on the loss alone, then exercise 1.",
            "The threshold is how far the penalty pulls in one step: its slope times the rate.",
            "soft(p - lr * g, lr * l1)",
        ),
        stub='''def ista_step(p, g, lr, l1):
    """The next point: a gradient step on the loss, then a threshold."""
    ...
''',
        note="In the package: `optimizer.step()` on the loss alone, then `proximal_l1_(model, lr * l1)`.",
    ),
    Exercise(
        "12.sklearn_alphas",
        title="The same penalty in another library",
        prompt="You minimise a mean of n squared residuals plus a penalty. Return scikit-learn's alpha for `Lasso`, where "
        "your penalty is l1 * sum |p|, and its alpha for `Ridge`, where it is l2 * sum p**2.",
        kind="core",
        minutes=6,
        inputs=((0.2, 0.1, 100), (1.0, 0.5, 7), (0.03, 2.0, 353)),
        solution=sklearn_alphas,
        wrong=(
            Wrong(
                lambda l1, l2, n: (l1, n * l2),
                "Lasso's loss is sum / (2n): half of yours, so its penalty is half too.",
            ),
            Wrong(
                lambda l1, l2, n: (l1 / 2, l2), "Ridge's loss is the sum over examples, n times your mean."
            ),
            Wrong(
                lambda l1, l2, n: (l1, l2),
                "Neither alpha is yours: look up each loss in the table, and rescale.",
            ),
            Wrong(
                lambda l1, l2, n: (n * l1, n * l2), "Lasso's loss does not sum over examples as Ridge's does."
            ),
            Wrong(
                lambda l1, l2, n: (l1 / 2, n * l2 / 2),
                "Ridge has no 1/2 on either side, so none is to be made up for.",
            ),
            Wrong(
                lambda l1, l2, n: (2 * l1, n * l2),
                "The wrong way round: a loss of half the size needs a smaller penalty.",
            ),
        ),
        hints=(
            "Multiply your whole objective by one number until its loss is the library's. What is the penalty now?",
            "Lasso: multiply by 1/2. Ridge: multiply by n.",
            "(l1 / 2, n * l2)",
        ),
        stub='''def sklearn_alphas(l1, l2, n):
    """(alpha of Lasso, alpha of Ridge) for penalties beside a mean squared error."""
    ...
''',
        note="The minimum stays where it is when the whole objective is multiplied by a positive number.",
    ),
    Exercise(
        "12.ridge_with_bias",
        title="Ridge that spares the bias",
        prompt="Return the weights and the bias that minimise the mean squared error plus l2 * sum w**2, the bias free.",
        kind="core",
        minutes=10,
        inputs=_tables,
        solution=ridge_with_bias,
        wrong=(
            Wrong(
                _bias_penalised,
                "The column of ones is penalised too, so all predictions are pulled towards zero.",
            ),
            Wrong(_without_n, "The loss is a mean: divide x^T x and x^T y by n, or multiply l2 by n."),
            Wrong(
                _halved, "Your l2 counts half: the factor 2 of both gradients cancels, so there is no 1/2."
            ),
            Wrong(_doubled, "Your l2 counts twice: the factor 2 of both gradients cancels."),
            Wrong(
                _mean_as_bias,
                "The mean of y is the bias only where the columns of x have mean zero; here they do not.",
            ),
            Wrong(_not_penalised, "This is plain least squares: l2 takes no part."),
        ),
        hints=(
            "Set the derivative with respect to the bias to zero: what does the bias have to be, given the weights?",
            "Centre x and y; then the bias drops out, and the closed form of the lesson gives the weights.",
            "w = solve(x^T x / n + l2 I, x^T y / n) on centred data; bias = y_mean - x_mean @ w.",
        ),
        stub='''def ridge_with_bias(x, y, l2):
    """(weights (d,), bias ()) for inputs x (n, d) and targets y (n,)."""
    ...
''',
        note="scikit-learn's `Ridge` spares the bias in the same way: it centres first.",
    ),
    Exercise(
        "12.violation",
        title="Is it the minimum?",
        prompt="g is the loss's gradient at p. Return how far p is from the lasso's condition: 0 where it holds, else the "
        "largest amount by which one weight breaks it.",
        kind="core",
        minutes=10,
        inputs=_points,
        solution=violation,
        wrong=(
            Wrong(
                _sign_at_zero,
                "At zero you take sign(0) = 0, so only g = 0 would pass. There any |g| up to l1 is allowed.",
            ),
            Wrong(
                _gradient_alone,
                "At the lasso's minimum the loss's gradient is not zero: the penalty holds against it.",
            ),
            Wrong(
                _slack_everywhere,
                "For a weight that is not zero, |g| below l1 is a violation too: g must be -l1 * sign(p).",
            ),
            Wrong(_zeros_ignored, "A zero weight breaks the condition as well, where |g| is larger than l1."),
            Wrong(_minus_sign, "Where p is not zero both slopes add up to zero: g plus l1 * sign(p)."),
        ),
        hints=(
            "Two cases: p_j = 0 and p_j ≠ 0. What does the penalty's slope do in each?",
            "p_j ≠ 0: |g_j + l1 sign(p_j)|. p_j = 0: by how much |g_j| exceeds l1.",
            "torch.where(p == 0, (g.abs() - l1).clamp(min=0), (g + l1 * p.sign()).abs()).max().item()",
        ),
        stub='''def violation(p, g, l1):
    """The largest violation of the lasso's condition, a float >= 0."""
    ...
''',
        note="It is the stopping test to use with a proximal method: the size of g alone never goes to zero.",
    ),
    Exercise(
        "12.elastic_step",
        title="The elastic net's proximal step",
        prompt="Return the point after a gradient step on the loss and the exact proximal step of both penalties: the z that "
        "minimises (z - q)**2 / (2 * lr) + l1 * |z| + l2 * z**2, entry by entry, with q = p - lr * g.",
        kind="extra",
        minutes=15,
        inputs=_net_steps,
        solution=elastic_step,
        wrong=(
            Wrong(_two_missing, "The slope of l2 * z**2 is 2 * l2 * z: the 2 is missing."),
            Wrong(
                _linearised,
                "This is the first order of 1 / (1 + 2 lr l2); for a strong l2 it turns the sign.",
            ),
            Wrong(
                _shrunk_first,
                "Thresholding comes first: after shrinking, the threshold would have to shrink as well.",
            ),
            Wrong(_no_rate_in_l2, "The rate is missing in the shrinking: a smaller step must shrink less."),
            Wrong(
                _in_the_gradient,
                "The L2 part is in the gradient here. That is a method too, but not the one asked for.",
            ),
        ),
        hints=(
            "For z > 0 the objective is smooth: set its derivative to zero.",
            "(z - q) / lr + l1 + 2 * l2 * z = 0 for z > 0. Solve for z.",
            "soft(p - lr * g, lr * l1) / (1 + 2 * lr * l2)",
        ),
        stub='''def elastic_step(p, g, lr, l1, l2):
    """The next point under loss + l1 * sum |p| + l2 * sum p**2."""
    ...
''',
        note="Zou & Hastie (2005) call it the naive elastic net: the L1 zeros, shrunk once more by L2.",
    ),
)

QUIZZES = (
    Quiz(
        "12.add_to_loss",
        "You add l1 * sum |p| to the loss and train with gradient descent, as long as you like. How many weights are "
        "exactly zero at the end?",
        (
            (
                "Those that the lasso sets to zero",
                "They come near zero. But each step moves a weight by a finite amount, and it jumps over zero instead of "
                "landing on it.",
                False,
            ),
            (
                "As good as none",
                "The minimum has zeros, the method does not reach them. The proximal step does.",
                True,
            ),
            (
                "All that were ever smaller than l1",
                "A small weight may be wanted: what counts is the slope of the loss there, not the weight's size.",
                False,
            ),
        ),
    ),
    Quiz(
        "12.twins",
        "Two columns of x are copies of each other, and useful. Which weights does the lasso give them?",
        (
            (
                "The same to both",
                "That is ridge. For the lasso 1 + 0 costs as much as ½ + ½, so nothing asks for equal shares.",
                False,
            ),
            ("All to the first", "That is what coordinate descent does. It is one of many minima.", False),
            (
                "It depends on the algorithm",
                "All ways of sharing have the same loss and the same penalty. Where you end depends on how you get there.",
                True,
            ),
        ),
    ),
)
