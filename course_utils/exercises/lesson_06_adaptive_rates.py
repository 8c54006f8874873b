"""Exercises of lesson 06: why a step size per coordinate?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Pair = tuple[Tensor, Tensor]
Triple = tuple[Tensor, Tensor, Tensor]


def _draws(count: int, seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(3, generator=generator, dtype=torch.float64) for _ in range(count)]


# --- 1 · one step of AdaGrad -----------------------------------------------------------------------


def adagrad_step(p: Tensor, s: Tensor, g: Tensor, lr: float, eps: float) -> Pair:
    s = s + g**2
    return p - lr * g / (s.sqrt() + eps), s


def _ada_eps_inside(p: Tensor, s: Tensor, g: Tensor, lr: float, eps: float) -> Pair:
    s = s + g**2
    return p - lr * g / (s + eps).sqrt(), s


def _ada_old_sum(p: Tensor, s: Tensor, g: Tensor, lr: float, eps: float) -> Pair:
    return p - lr * g / (s.sqrt() + eps), s + g**2


def _ada_no_root(p: Tensor, s: Tensor, g: Tensor, lr: float, eps: float) -> Pair:
    s = s + g**2
    return p - lr * g / (s + eps), s


def _ada_shared(p: Tensor, s: Tensor, g: Tensor, lr: float, eps: float) -> Pair:
    s = s + (g**2).sum()
    return p - lr * g / (s.sqrt() + eps), s


def _ada_shared_mean(p: Tensor, s: Tensor, g: Tensor, lr: float, eps: float) -> Pair:
    s = s + (g**2).mean()
    return p - lr * g / (s.sqrt() + eps), s


def _ada_no_memory(p: Tensor, s: Tensor, g: Tensor, lr: float, eps: float) -> Pair:
    s = g**2
    return p - lr * g / (s.sqrt() + eps), s


def _ada_sum_of_sizes(p: Tensor, s: Tensor, g: Tensor, lr: float, eps: float) -> Pair:
    s = s + g.abs()
    return p - lr * g / (s + eps), s


def _adagrad_inputs() -> Inputs:
    p, s, g = _draws(3, 6)
    return (
        (p, s**2, g, 0.1, 1e-10),
        (p, torch.zeros_like(p), g, 0.5, 1e-3),
        (p, s**2, 1e-3 * g, 0.01, 1e-2),
    )


# --- 2 · one step of RMSprop -----------------------------------------------------------------------


def rmsprop_step(p: Tensor, v: Tensor, g: Tensor, lr: float, alpha: float, eps: float) -> Pair:
    v = alpha * v + (1 - alpha) * g**2
    return p - lr * g / (v.sqrt() + eps), v


def _rms_eps_inside(p: Tensor, v: Tensor, g: Tensor, lr: float, alpha: float, eps: float) -> Pair:
    v = alpha * v + (1 - alpha) * g**2
    return p - lr * g / (v + eps).sqrt(), v


def _rms_swapped(p: Tensor, v: Tensor, g: Tensor, lr: float, alpha: float, eps: float) -> Pair:
    v = (1 - alpha) * v + alpha * g**2
    return p - lr * g / (v.sqrt() + eps), v


def _rms_square_of_mean(p: Tensor, v: Tensor, g: Tensor, lr: float, alpha: float, eps: float) -> Pair:
    v = (alpha * v + (1 - alpha) * g) ** 2
    return p - lr * g / (v.sqrt() + eps), v


def _rms_whole_square(p: Tensor, v: Tensor, g: Tensor, lr: float, alpha: float, eps: float) -> Pair:
    v = alpha * v + g**2
    return p - lr * g / (v.sqrt() + eps), v


def _rms_shared(p: Tensor, v: Tensor, g: Tensor, lr: float, alpha: float, eps: float) -> Pair:
    v = alpha * v + (1 - alpha) * (g**2).mean()
    return p - lr * g / (v.sqrt() + eps), v


def _rms_no_root(p: Tensor, v: Tensor, g: Tensor, lr: float, alpha: float, eps: float) -> Pair:
    v = alpha * v + (1 - alpha) * g**2
    return p - lr * g / (v + eps), v


def _rms_old_average(p: Tensor, v: Tensor, g: Tensor, lr: float, alpha: float, eps: float) -> Pair:
    return p - lr * g / (v.sqrt() + eps), alpha * v + (1 - alpha) * g**2


def _rms_numerator_averaged(p: Tensor, v: Tensor, g: Tensor, lr: float, alpha: float, eps: float) -> Pair:
    v = alpha * v + (1 - alpha) * g**2
    return p - lr * (1 - alpha) * g / (v.sqrt() + eps), v


def _rmsprop_inputs() -> Inputs:
    p, v, g = _draws(3, 7)
    return ((p, v**2, g, 0.01, 0.99, 1e-8), (p, v**2, 0.1 * g, 0.1, 0.9, 1e-2), (p, v**2, g, 0.02, 0.6, 0.1))


# --- 3 · the rate of a rare feature ----------------------------------------------------------------


def rare_rate(lr: float, r: float, size: float, t: int) -> float:
    return lr / (size * math.sqrt(r * t))


# --- 4 · the longest step --------------------------------------------------------------------------


def longest_step(lr: float, alpha: float) -> float:
    return lr / math.sqrt(1 - alpha)


# --- 5 · Adadelta ----------------------------------------------------------------------------------


def adadelta_step(p: Tensor, v: Tensor, u: Tensor, g: Tensor, rho: float, eps: float) -> Triple:
    v = rho * v + (1 - rho) * g**2
    d = g * (u + eps).sqrt() / (v + eps).sqrt()
    return p - d, v, rho * u + (1 - rho) * d**2


def _delta_eps_outside(p: Tensor, v: Tensor, u: Tensor, g: Tensor, rho: float, eps: float) -> Triple:
    v = rho * v + (1 - rho) * g**2
    d = g * (u.sqrt() + eps) / (v.sqrt() + eps)
    return p - d, v, rho * u + (1 - rho) * d**2


def _delta_upside_down(p: Tensor, v: Tensor, u: Tensor, g: Tensor, rho: float, eps: float) -> Triple:
    v = rho * v + (1 - rho) * g**2
    d = g * (v + eps).sqrt() / (u + eps).sqrt()
    return p - d, v, rho * u + (1 - rho) * d**2


def _delta_gradients_twice(p: Tensor, v: Tensor, u: Tensor, g: Tensor, rho: float, eps: float) -> Triple:
    v = rho * v + (1 - rho) * g**2
    d = g * (u + eps).sqrt() / (v + eps).sqrt()
    return p - d, v, rho * u + (1 - rho) * g**2


def _delta_no_u(p: Tensor, v: Tensor, u: Tensor, g: Tensor, rho: float, eps: float) -> Triple:
    v = rho * v + (1 - rho) * g**2
    d = g / (v + eps).sqrt()
    return p - d, v, rho * u + (1 - rho) * d**2


def _delta_steps_summed(p: Tensor, v: Tensor, u: Tensor, g: Tensor, rho: float, eps: float) -> Triple:
    v = rho * v + (1 - rho) * g**2
    d = g * (u + eps).sqrt() / (v + eps).sqrt()
    return p - d, v, rho * u + d**2


def _delta_u_first(p: Tensor, v: Tensor, u: Tensor, g: Tensor, rho: float, eps: float) -> Triple:
    v = rho * v + (1 - rho) * g**2
    d = g * (u + eps).sqrt() / (v + eps).sqrt()
    u = rho * u + (1 - rho) * d**2
    return p - g * (u + eps).sqrt() / (v + eps).sqrt(), v, u


def _delta_old_v(p: Tensor, v: Tensor, u: Tensor, g: Tensor, rho: float, eps: float) -> Triple:
    d = g * (u + eps).sqrt() / (v + eps).sqrt()
    return p - d, rho * v + (1 - rho) * g**2, rho * u + (1 - rho) * d**2


def _adadelta_inputs() -> Inputs:
    p, v, u, g = _draws(4, 8)
    zero = torch.zeros_like(p)
    return (
        (p, v**2, u**2, g, 0.9, 1e-6),
        (p, zero, zero, g, 0.9, 1e-4),
        (p, v**2, 1e-3 * u**2, g, 0.95, 1e-2),
    )


# --- 6 · towards research: the whole matrix --------------------------------------------------------


def full_adagrad_step(p: Tensor, G: Tensor, g: Tensor, lr: float, eps: float) -> Pair:
    G = G + torch.outer(g, g)
    values, vectors = torch.linalg.eigh(G)  # G = vectors diag(values) vectors^T
    scale = values.clamp(min=0).sqrt() + eps
    return p - lr * vectors @ ((vectors.T @ g) / scale), G


def _full_diagonal(p: Tensor, G: Tensor, g: Tensor, lr: float, eps: float) -> Pair:
    G = G + torch.outer(g, g)
    return p - lr * g / (G.diagonal().sqrt() + eps), G


def _full_no_root(p: Tensor, G: Tensor, g: Tensor, lr: float, eps: float) -> Pair:
    G = G + torch.outer(g, g)
    return p - lr * torch.linalg.solve(G + eps * torch.eye(len(g), dtype=g.dtype), g), G


def _full_entrywise_root(p: Tensor, G: Tensor, g: Tensor, lr: float, eps: float) -> Pair:
    G = G + torch.outer(g, g)
    root = G.abs().sqrt() + eps * torch.eye(len(g), dtype=g.dtype)
    return p - lr * torch.linalg.solve(root, g), G


def _full_multiplied(p: Tensor, G: Tensor, g: Tensor, lr: float, eps: float) -> Pair:
    G = G + torch.outer(g, g)
    values, vectors = torch.linalg.eigh(G)
    return p - lr * vectors @ ((vectors.T @ g) * (values.clamp(min=0).sqrt() + eps)), G


def _full_eps_inside(p: Tensor, G: Tensor, g: Tensor, lr: float, eps: float) -> Pair:
    G = G + torch.outer(g, g)
    values, vectors = torch.linalg.eigh(G)
    return p - lr * vectors @ ((vectors.T @ g) / (values.clamp(min=0) + eps).sqrt()), G


def _full_not_turned_back(p: Tensor, G: Tensor, g: Tensor, lr: float, eps: float) -> Pair:
    G = G + torch.outer(g, g)
    values, vectors = torch.linalg.eigh(G)
    return p - lr * (vectors.T @ g) / (values.clamp(min=0).sqrt() + eps), G


def _full_norm(p: Tensor, G: Tensor, g: Tensor, lr: float, eps: float) -> Pair:
    G = G + torch.dot(g, g)
    return p - lr * g / (G.diagonal().sqrt() + eps), G


def _full_inputs() -> Inputs:
    p, a, b, c, g = _draws(5, 9)
    past = torch.outer(a, a) + torch.outer(b, b) + torch.outer(c, c)
    return ((p, past, g, 0.1, 1e-2), (p, 0 * past, g, 0.5, 0.1), (p, 10 * past, 0.3 * g, 1.0, 1e-3))


EXERCISES = (
    Exercise(
        "06.adagrad_step",
        title="One step of AdaGrad",
        prompt="Return the new point and the new sum of squared gradients after one step.",
        kind="core",
        minutes=5,
        inputs=_adagrad_inputs,
        solution=adagrad_step,
        wrong=(
            Wrong(_ada_eps_inside, "ε is inside the root here: it is added to √s, in units of the gradient."),
            Wrong(
                _ada_old_sum,
                "You divide by the sum before this gradient. At the first step that is zero, and the step is "
                "lr * g / eps: update s first.",
            ),
            Wrong(
                _ada_no_root, "The root is missing: a step then goes like 1/g, longest where g is smallest."
            ),
            Wrong(
                _ada_shared,
                "`sum()` makes one number of all coordinates, so that all share one rate. Keep one sum for each.",
            ),
            Wrong(
                _ada_shared_mean,
                "`mean()` makes one number of all coordinates, so that all share one rate. Keep one sum for each.",
            ),
            Wrong(
                _ada_no_memory,
                "Nothing is remembered: s is this gradient's square alone, and the step is lr times its sign.",
            ),
            Wrong(
                _ada_sum_of_sizes,
                "You add up sizes, |g|. AdaGrad adds up squares and takes the root at the end.",
            ),
        ),
        hints=(
            "Two lines: first the sum, then the point.",
            "The new sum is the old one plus the square of the gradient, entry by entry.",
            "s = s + g**2; return p - lr * g / (s.sqrt() + eps), s",
        ),
        stub='''def adagrad_step(p, s, g, lr, eps):
    """The new (p, s) after one step: s is the sum of squared gradients so far."""
    ...
''',
        note="The first step has the length lr in every coordinate, whatever the gradient.",
    ),
    Exercise(
        "06.rmsprop_step",
        title="One step of RMSprop",
        prompt="Return the new point and the new average of squared gradients, as torch.optim.RMSprop does.",
        kind="core",
        minutes=5,
        inputs=_rmsprop_inputs,
        solution=rmsprop_step,
        wrong=(
            Wrong(
                _rms_eps_inside,
                "ε is inside the root here, as TensorFlow has it. PyTorch adds it to √v; the two part where gradients "
                "are small.",
            ),
            Wrong(
                _rms_swapped,
                "α and 1 − α are swapped: α belongs to the old average. Like this it forgets after one step, and the "
                "step is nearly lr times the sign of g.",
            ),
            Wrong(
                _rms_square_of_mean,
                "You square the mean instead of averaging the squares: gradients of changing sign cancel, and the "
                "step explodes.",
            ),
            Wrong(
                _rms_whole_square,
                "The new square has lost its factor 1 − α: v becomes 1/(1 − α) times too large, steps too short.",
            ),
            Wrong(
                _rms_shared, "`mean()` makes one number of all coordinates. v has one entry per coordinate."
            ),
            Wrong(_rms_no_root, "The root is missing: v has the units of g², and the step needs those of g."),
            Wrong(_rms_old_average, "You divide by the average before this gradient. Update v first."),
            Wrong(
                _rms_numerator_averaged,
                "The factor 1 − α belongs to the square in v. The gradient in the step is taken whole.",
            ),
        ),
        hints=(
            "As in AdaGrad, with an average in the place of the sum.",
            "The old average keeps the share alpha, the new square gets 1 - alpha.",
            "v = alpha * v + (1 - alpha) * g**2; return p - lr * g / (v.sqrt() + eps), v",
        ),
        stub='''def rmsprop_step(p, v, g, lr, alpha, eps):
    """The new (p, v) after one step of torch.optim.RMSprop: v is its square_avg."""
    ...
''',
        note="With v corrected for its start and the gradient averaged as well, this is Adam (lesson 07).",
    ),
    Exercise(
        "06.rare_rate",
        title="The rate of a rare feature",
        prompt="A feature is on in a share r of the steps, with a gradient of the given size when on and 0 when off. Return "
        "AdaGrad's effective rate lr / sqrt(s) after t steps, with s at its mean and eps = 0.",
        kind="core",
        minutes=6,
        inputs=((0.1, 0.01, 2.0, 1000), (0.5, 1.0, 0.3, 50), (0.01, 0.25, 5.0, 4)),
        solution=rare_rate,
        wrong=(
            Wrong(
                lambda lr, r, size, t: lr / (size * math.sqrt(t)),
                "This is the rate of a feature that is always on. While a rare one is off its sum does not grow.",
            ),
            Wrong(
                lambda lr, r, size, t: lr / (r * size * math.sqrt(t)),
                "You divide by r, but r is under the root with t: the sum holds r t squares.",
            ),
            Wrong(
                lambda lr, r, size, t: lr / (size * r * t),
                "The root is missing: this falls as 1/t. AdaGrad's rate falls as 1/√t.",
            ),
            Wrong(
                lambda lr, r, size, t: lr / (size**2 * r * t),
                "This is lr / s. The rate is lr divided by the root of s.",
            ),
            Wrong(
                lambda lr, r, size, t: lr / math.sqrt(r * t),
                "The size of the gradient is in the sum as well: each square is size².",
            ),
            Wrong(
                lambda lr, r, size, t: lr * math.sqrt(r) / (size * math.sqrt(t)),
                "Upside down: a rare feature has a smaller sum and so a larger rate.",
            ),
        ),
        hints=(
            "How many of the t steps add to the sum, and how much does each add?",
            "r t steps add size² each. The rate is lr over the root of that.",
            "lr / (size * sqrt(r * t)).",
        ),
        stub='''def rare_rate(lr, r, size, t):
    """AdaGrad's effective rate after t steps, ε = 0, with s at its mean."""
    ...
''',
        note="1/√r times that of a feature that is always on: half of SGD's handicap of r, on a logarithmic scale.",
    ),
    Exercise(
        "06.longest_step",
        title="The longest step",
        prompt="Return the largest |step| that RMSprop can take in a coordinate, over all sequences of gradients, with "
        "eps = 0 and v = 0 at the start.",
        kind="core",
        minutes=8,
        inputs=((0.01, 0.99), (0.001, 0.9), (0.1, 0.5), (1.0, 0.0)),
        solution=longest_step,
        wrong=(
            Wrong(
                lambda lr, alpha: lr,
                "That is the step under steady gradients. After a quiet time v is small, and one large gradient moves far.",
            ),
            Wrong(
                lambda lr, alpha: lr / (1 - alpha),
                "v holds at least (1 − α) g². You divided by that share, not by its root.",
            ),
            Wrong(
                lambda lr, alpha: lr / math.sqrt(1 - alpha**2),
                "The new gradient has the weight 1 − α in v, not 1 − α².",
            ),
            Wrong(
                lambda lr, alpha: lr * math.sqrt(1 - alpha),
                "Upside down: this is shorter than the step under steady gradients.",
            ),
            Wrong(
                lambda lr, alpha: math.inf,
                "It is bounded: the gradient of the step is in v itself, with a share of 1 − α.",
            ),
        ),
        hints=(
            "v = alpha * (something >= 0) + (1 - alpha) * g**2. How small can v be for a given g?",
            "At the smallest, the old v is zero: v = (1 - alpha) * g**2. Put it into lr * |g| / sqrt(v).",
            "lr / sqrt(1 - alpha).",
        ),
        stub='''def longest_step(lr, alpha):
    """The largest |step| that RMSprop can take in a coordinate."""
    ...
''',
        note="It is also the length of the first step: RMSprop begins as far from its η as it ever gets.",
    ),
    Exercise(
        "06.adadelta_step",
        title="One step of Adadelta",
        prompt="Return the new point and the new averages, v of squared gradients and u of squared steps.",
        kind="core",
        minutes=10,
        inputs=_adadelta_inputs,
        solution=adadelta_step,
        wrong=(
            Wrong(_delta_eps_outside, "In Adadelta ε is inside both roots, unlike in AdaGrad and RMSprop."),
            Wrong(_delta_upside_down, "The fraction is upside down: the size of the steps is on top."),
            Wrong(
                _delta_gradients_twice,
                "u is the average of squared *steps*. You average squared gradients twice.",
            ),
            Wrong(
                _delta_no_u,
                "This is RMSprop with a rate of 1: the root of u + ε, which takes the part of the rate, is missing.",
            ),
            Wrong(_delta_steps_summed, "The new square in u has lost its factor 1 − ρ."),
            Wrong(
                _delta_u_first,
                "You update u before the step. The step uses the u of the steps before it: its own is not known yet.",
            ),
            Wrong(_delta_old_v, "You divide by the v before this gradient. Update v first; only u waits."),
        ),
        hints=(
            "Three lines, in this order: v, then the step d, then u.",
            "d = g * sqrt(u + eps) / sqrt(v + eps), with the new v and the old u.",
            "u = rho * u + (1 - rho) * d**2 comes last; return p - d, v, u",
        ),
        stub='''def adadelta_step(p, v, u, g, rho, eps):
    """The new (p, v, u) after one step of torch.optim.Adadelta with lr=1."""
    ...
''',
        note="d has the units of p, as the paper wanted; the size of the first step comes from ε.",
    ),
    Exercise(
        "06.full_adagrad_step",
        title="AdaGrad that sees directions",
        prompt="G <- G + g gᵀ, p <- p - lr (G^(1/2) + eps I)⁻¹ g, with the matrix root of G. Return the new (p, G).",
        kind="extra",
        minutes=25,
        inputs=_full_inputs,
        solution=full_adagrad_step,
        wrong=(
            Wrong(
                _full_diagonal,
                "This uses the diagonal of G alone, which is AdaGrad as before: turn the valley and see.",
            ),
            Wrong(_full_no_root, "The root is missing: you solve with G itself."),
            Wrong(
                _full_entrywise_root,
                "`sqrt` on a matrix takes the root of each entry. The matrix root R has R @ R = G: use the eigenvalues.",
            ),
            Wrong(_full_multiplied, "You multiply by the root; the step divides by it."),
            Wrong(_full_eps_inside, "ε is added to the root's eigenvalues, outside the root."),
            Wrong(
                _full_not_turned_back,
                "You step in the coordinates of the eigenvectors. Turn the result back with `vectors @`.",
            ),
            Wrong(
                _full_norm, "`dot` gives one number, the squared length of g. The outer product is a matrix."
            ),
        ),
        hints=(
            "torch.outer(g, g) is g gᵀ. torch.linalg.eigh(G) gives eigenvalues and, as columns, eigenvectors.",
            "In the eigenbasis the root is entrywise: divide vectors.T @ g by sqrt(values) + eps, then turn back.",
            "p - lr * vectors @ ((vectors.T @ g) / (values.clamp(min=0).sqrt() + eps))",
        ),
        stub='''def full_adagrad_step(p, G, g, lr, eps):
    """The new (p, G): p and g are vectors (d,), G is (d, d), the sum of outer products."""
    ...
''',
        note="A d × d matrix is too large for a net; Shampoo keeps a small one per dimension of each weight (lesson 18).",
    ),
)

QUIZZES = (
    Quiz(
        "06.rare_feature",
        "A feature is on in one example of a hundred, another in every one. Plain SGD trains both weights at one step size. "
        "How fast does the rare one learn, and what does AdaGrad make of it?",
        (
            (
                "100 times slower; AdaGrad makes them equal",
                "SGD's handicap is right. AdaGrad divides by the root of the sum of squares, so it makes up the root of it.",
                False,
            ),
            (
                "100 times slower; AdaGrad gives it 10 times the rate",
                "It gets a gradient in one step of a hundred. Its sum of squares is a hundredth, the root of that a tenth.",
                True,
            ),
            (
                "Equally fast: when it is on, its gradient is as large",
                "Each of its steps is as long, but it takes one where the other takes a hundred.",
                False,
            ),
        ),
    ),
    Quiz(
        "06.turned_valley",
        "Along the axes, AdaGrad runs down a valley with walls 100 times as steep as its floor. The same valley is turned by "
        "45°. What now?",
        (
            (
                "The same: the valley has the same shape",
                "Gradient descent does not care how the axes lie. A rate per coordinate depends on what the coordinates are.",
                False,
            ),
            (
                "A little slower",
                "At 45° both coordinates see walls and floor in equal parts. Nothing is left that two rates could tell apart.",
                False,
            ),
            (
                "It is no better than gradient descent",
                "Both coordinates have gradients of the same size, so both get the same rate.",
                True,
            ),
        ),
    ),
)
