"""Exercises of lesson 07: what do Adam's two averages do?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Triple = tuple[Tensor, Tensor, Tensor]
Four = tuple[Tensor, Tensor, Tensor, Tensor]

# --- 1 · the first step ----------------------------------------------------------------------------


def first_step(g: float, lr: float, eps: float) -> float:
    return lr * g / (abs(g) + eps)


def _sign(g: float, lr: float, eps: float) -> float:
    return math.copysign(lr, g)


def _plain(g: float, lr: float, eps: float) -> float:
    return lr * g


def _never_negative(g: float, lr: float, eps: float) -> float:
    return lr * abs(g) / (abs(g) + eps)


def _eps_inside(g: float, lr: float, eps: float) -> float:
    return lr * g / math.sqrt(g * g + eps)


def _first_uncorrected(g: float, lr: float, eps: float) -> float:
    return lr * 0.1 * g / (math.sqrt(0.001 * g * g) + eps)


def _no_absolute(g: float, lr: float, eps: float) -> float:
    return lr * g / (g + eps)


# --- 2 · one step ----------------------------------------------------------------------------------


def adam_step(
    p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return p - lr * m_hat / (v_hat.sqrt() + eps), m, v


def _no_correction(
    p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    return p - lr * m / (v.sqrt() + eps), m, v


def _only_m(
    p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    return p - lr * m / (1 - beta1**t) / (v.sqrt() + eps), m, v


def _only_v(
    p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    return p - lr * m / ((v / (1 - beta2**t)).sqrt() + eps), m, v


def _t_from_zero(
    p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    return adam_step(p, m, v, g, t - 1, lr, beta1, beta2, eps)


def _inside_root(
    p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    return p - lr * m / (1 - beta1**t) / (v / (1 - beta2**t) + eps).sqrt(), m, v


def _no_root(
    p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    return p - lr * m / (1 - beta1**t) / (v / (1 - beta2**t) + eps), m, v


def _hats_kept(
    p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    m, v = m / (1 - beta1**t), v / (1 - beta2**t)
    return p - lr * m / (v.sqrt() + eps), m, v


def _betas_swapped(
    p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    return adam_step(p, m, v, g, t, lr, beta2, beta1, eps)


def _states() -> Inputs:
    generator = torch.Generator().manual_seed(7)

    def draw() -> Tensor:
        return torch.randn(3, generator=generator, dtype=torch.float64)

    zero = torch.zeros(3, dtype=torch.float64)
    return (
        (draw(), zero, zero, draw(), 1, 0.1, 0.9, 0.999, 1e-3),
        (draw(), draw(), draw() ** 2, draw(), 3, 0.1, 0.9, 0.999, 1e-3),
        (draw(), draw(), draw() ** 2, draw(), 20, 0.01, 0.5, 0.9, 1e-2),
    )


# --- 3 · without correction ------------------------------------------------------------------------


def uncorrected_factor(t: int, beta1: float, beta2: float) -> float:
    return (1 - beta1**t) / math.sqrt(1 - beta2**t)


def _upside_down(t: int, beta1: float, beta2: float) -> float:
    return math.sqrt(1 - beta2**t) / (1 - beta1**t)


def _root_forgotten(t: int, beta1: float, beta2: float) -> float:
    return (1 - beta1**t) / (1 - beta2**t)


def _of_m_only(t: int, beta1: float, beta2: float) -> float:
    return 1 - beta1**t


def _of_v_only(t: int, beta1: float, beta2: float) -> float:
    return 1 / math.sqrt(1 - beta2**t)


def _of_step_one(t: int, beta1: float, beta2: float) -> float:
    return (1 - beta1) / math.sqrt(1 - beta2)


def _powers_one_late(t: int, beta1: float, beta2: float) -> float:
    return (1 - beta1 ** (t + 1)) / math.sqrt(1 - beta2 ** (t + 1))


# --- 4 · AMSGrad -----------------------------------------------------------------------------------


def amsgrad_step(
    p: Tensor, m: Tensor, v: Tensor, v_max: Tensor, g: Tensor, t: int, lr: float, beta1: float, beta2: float
) -> Four:
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    v_max = torch.maximum(v_max, v)
    m_hat, v_hat = m / (1 - beta1**t), v_max / (1 - beta2**t)
    return p - lr * m_hat / v_hat.sqrt(), m, v, v_max


def _plain_adam(
    p: Tensor, m: Tensor, v: Tensor, v_max: Tensor, g: Tensor, t: int, lr: float, beta1: float, beta2: float
) -> Four:
    p, m, v = adam_step(p, m, v, g, t, lr, beta1, beta2, 0.0)
    return p, m, v, torch.maximum(v_max, v)


def _fed_back(
    p: Tensor, m: Tensor, v: Tensor, v_max: Tensor, g: Tensor, t: int, lr: float, beta1: float, beta2: float
) -> Four:
    p, m, _, v_max = amsgrad_step(p, m, v, v_max, g, t, lr, beta1, beta2)
    return p, m, v_max, v_max


def _max_of_hats(
    p: Tensor, m: Tensor, v: Tensor, v_max: Tensor, g: Tensor, t: int, lr: float, beta1: float, beta2: float
) -> Four:
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    v_max = torch.maximum(v_max, v / (1 - beta2**t))
    return p - lr * m / (1 - beta1**t) / v_max.sqrt(), m, v, v_max


def _max_uncorrected(
    p: Tensor, m: Tensor, v: Tensor, v_max: Tensor, g: Tensor, t: int, lr: float, beta1: float, beta2: float
) -> Four:
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    v_max = torch.maximum(v_max, v)
    return p - lr * m / v_max.sqrt(), m, v, v_max


def _max_of_all(
    p: Tensor, m: Tensor, v: Tensor, v_max: Tensor, g: Tensor, t: int, lr: float, beta1: float, beta2: float
) -> Four:
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    v_max = torch.maximum(v_max, v).max().expand_as(v).clone()
    return p - lr * m / (1 - beta1**t) / (v_max / (1 - beta2**t)).sqrt(), m, v, v_max


def _smallest(
    p: Tensor, m: Tensor, v: Tensor, v_max: Tensor, g: Tensor, t: int, lr: float, beta1: float, beta2: float
) -> Four:
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    v_max = torch.minimum(v_max, v)
    return p - lr * m / (1 - beta1**t) / (v_max / (1 - beta2**t)).sqrt(), m, v, v_max


def _largest_states() -> Inputs:
    generator = torch.Generator().manual_seed(77)

    def draw() -> Tensor:
        return torch.randn(4, generator=generator, dtype=torch.float64)

    return tuple(
        (draw(), draw(), draw() ** 2 + 0.1, draw() ** 2 + 0.1, draw(), t, 0.1, beta1, beta2)
        for t, beta1, beta2 in ((2, 0.9, 0.99), (5, 0.0, 0.5), (50, 0.9, 0.999))
    )


# --- 5 · the longest step --------------------------------------------------------------------------


def longest_adam_step(lr: float, beta1: float, beta2: float) -> float:
    return lr * (1 - beta1) / math.sqrt((1 - beta2) * (1 - beta1**2 / beta2))


def _rate(lr: float, beta1: float, beta2: float) -> float:
    return lr


def _lone_gradient(lr: float, beta1: float, beta2: float) -> float:
    return lr * (1 - beta1) / math.sqrt(1 - beta2)


def _of_rmsprop(lr: float, beta1: float, beta2: float) -> float:
    return lr / math.sqrt(1 - beta2)


def _square_missing(lr: float, beta1: float, beta2: float) -> float:
    return lr * (1 - beta1) / math.sqrt((1 - beta2) * (1 - beta1 / beta2))


def _beta2_missing(lr: float, beta1: float, beta2: float) -> float:
    return lr * (1 - beta1) / math.sqrt((1 - beta2) * (1 - beta1**2))


def _bound_squared(lr: float, beta1: float, beta2: float) -> float:
    return lr * (1 - beta1) ** 2 / ((1 - beta2) * (1 - beta1**2 / beta2))


# --- 6 · towards research: the drift ---------------------------------------------------------------


def round_drift(C: float, beta2: float) -> float:
    v = (1 - beta2) * (C**2 + beta2 + beta2**2) / (1 - beta2**3)  # just after the gradient C
    drift = 0.0
    for g in (C, -1.0, -1.0):
        drift += g / math.sqrt(v)
        v = beta2 * v + (1 - beta2)  # the next gradient is -1; after the round v is not used
    return drift


def _v_at_its_mean(C: float, beta2: float) -> float:
    return (C - 2) / math.sqrt((C**2 + 2) / 3)


def _old_v(C: float, beta2: float) -> float:
    v = (1 - beta2) * (C**2 + beta2 + beta2**2) / (1 - beta2**3)
    v1 = beta2 * v + (1 - beta2)
    v2 = beta2 * v1 + (1 - beta2)
    return C / math.sqrt(v2) - 1 / math.sqrt(v) - 1 / math.sqrt(v1)


def _first_round(C: float, beta2: float) -> float:
    v, drift = 0.0, 0.0
    for g in (C, -1.0, -1.0):
        v = beta2 * v + (1 - beta2) * g**2
        drift += g / math.sqrt(v)
    return drift


def _drift_without_root(C: float, beta2: float) -> float:
    v = (1 - beta2) * (C**2 + beta2 + beta2**2) / (1 - beta2**3)
    drift = 0.0
    for g in (C, -1.0, -1.0):
        drift += g / v
        v = beta2 * v + (1 - beta2)
    return drift


def _of_sign(C: float, beta2: float) -> float:
    return -1.0


EXERCISES = (
    Exercise(
        "07.first_step",
        title="The first step",
        prompt="Return the amount that Adam's first step subtracts from p, given the first gradient g.",
        kind="core",
        minutes=4,
        inputs=((2.0, 0.1, 1e-3), (-0.5, 0.01, 0.1), (1e-3, 0.1, 1e-3), (-1e-6, 1.0, 1e-4)),
        solution=first_step,
        wrong=(
            Wrong(
                _sign,
                "This holds only while |g| is much larger than eps: at |g| = eps the step is half as long.",
            ),
            Wrong(_plain, "This is gradient descent. At step 1, v_hat is g squared: what is its root?"),
            Wrong(_never_negative, "The sign is lost: m_hat is g, not |g|."),
            Wrong(_eps_inside, "eps is inside the root here. Adam adds it to the root of v_hat."),
            Wrong(
                _first_uncorrected,
                "This is Adam without bias correction at the default betas: about three times too long.",
            ),
            Wrong(
                _no_absolute,
                "The root of g squared is |g|, not g: your step has the wrong sign for negative g.",
            ),
        ),
        hints=(
            "At step 1, m = (1 - beta1) g and v = (1 - beta2) g². Divide each by its correction.",
            "m_hat = g and v_hat = g². The root of v_hat is |g|.",
            "lr * g / (abs(g) + eps)",
        ),
        stub='''def first_step(g, lr, eps):
    """What Adam subtracts from p at step 1, for a first gradient g (a float)."""
    ...
''',
        note="Neither beta is in it: with both corrections the first step does not depend on the memories.",
    ),
    Exercise(
        "07.adam_step",
        title="One step of Adam",
        prompt="Return the new point and both averages after step t (t is 1 at the first step).",
        kind="core",
        minutes=8,
        inputs=_states,
        solution=adam_step,
        wrong=(
            Wrong(
                _no_correction,
                "No bias correction: at step 1 with the default betas this moves 3.2 times too far.",
            ),
            Wrong(
                _only_m,
                "Only m is corrected: v is too small at first, and at step 1 you move 32 times too far.",
            ),
            Wrong(_only_v, "Only v is corrected: at step 1 your m is a tenth of the gradient."),
            Wrong(
                _t_from_zero,
                "Your correction is one step behind: with t = 0 it divides by zero, and the point is not a number.",
            ),
            Wrong(_inside_root, "eps is inside the root. It is added to the root, in units of the gradient."),
            Wrong(
                _no_root,
                "You divide by v_hat and not by its root: the smaller the gradient, the longer the step.",
            ),
            Wrong(
                _hats_kept,
                "The corrected averages are kept as the state, so that they are corrected again at the next step.",
            ),
            Wrong(_betas_swapped, "beta1 and beta2 are swapped: beta1 belongs to m, beta2 to v."),
        ),
        hints=(
            "Four lines: m, v, the two corrected values, the step. Return m and v uncorrected.",
            "m_hat = m / (1 - beta1**t) and v_hat = v / (1 - beta2**t) are used once and not kept.",
            "return p - lr * m_hat / (v_hat.sqrt() + eps), m, v",
        ),
        stub='''def adam_step(p, m, v, g, t, lr, beta1, beta2, eps):
    """The new (p, m, v) after step t of torch.optim.Adam; m is its exp_avg, v its exp_avg_sq."""
    ...
''',
        note="`torch.optim.Adam(params, lr, betas=(beta1, beta2), eps=eps)` does this.",
    ),
    Exercise(
        "07.uncorrected_factor",
        title="Without correction",
        prompt="Someone leaves out both corrections. Return how many times as long as Adam's their step t is (eps = 0).",
        kind="core",
        minutes=6,
        inputs=((1, 0.9, 0.999), (12, 0.9, 0.999), (3, 0.5, 0.9), (2000, 0.9, 0.999)),
        solution=uncorrected_factor,
        wrong=(
            Wrong(_upside_down, "Upside down: m_hat is m divided by its factor, so m is m_hat times it."),
            Wrong(_root_forgotten, "v stands under a root, so its factor does too."),
            Wrong(_of_m_only, "This is m's part. Being too small, v makes the step longer."),
            Wrong(_of_v_only, "This is v's part. Being too small, m makes the step shorter."),
            Wrong(_of_step_one, "This is the factor at step 1. Later both averages have filled up."),
            Wrong(_powers_one_late, "One step late: after t gradients the weights add up to 1 - beta**t."),
        ),
        hints=(
            "Write m as m_hat times something, and v as v_hat times something.",
            "m = (1 - beta1**t) m_hat and v = (1 - beta2**t) v_hat: put them into m / sqrt(v).",
            "(1 - beta1**t) / math.sqrt(1 - beta2**t)",
        ),
        stub='''def uncorrected_factor(t, beta1, beta2):
    """The length of step t without corrections over its length with both, as a float."""
    ...
''',
        note="It does not depend on the gradients. A warmup of some thousand steps would hide it (lesson 10).",
    ),
    Exercise(
        "07.amsgrad_step",
        title="One step of AMSGrad",
        prompt="Return the new point, m, v and the largest v so far, as PyTorch does it: the maximum is over the "
        "uncorrected v, and the maximum is then corrected (eps = 0).",
        kind="core",
        minutes=8,
        inputs=_largest_states,
        solution=amsgrad_step,
        wrong=(
            Wrong(_plain_adam, "v_max is kept but not used: this is Adam's step."),
            Wrong(
                _fed_back, "The maximum is fed back into v. v goes on as in Adam; only the step uses v_max."
            ),
            Wrong(
                _max_of_hats,
                "You take the maximum of corrected values. Another reading, but not PyTorch's: it keeps the "
                "largest v as it is, and corrects that.",
            ),
            Wrong(_max_uncorrected, "The step is not corrected. (The paper has no correction; PyTorch has.)"),
            Wrong(
                _max_of_all,
                "This is one maximum over all coordinates. Each coordinate has its own, over time.",
            ),
            Wrong(_smallest, "The smallest v gives the longest steps: take the maximum."),
        ),
        hints=(
            "Begin as in adam_step. One line more: v_max.",
            "torch.maximum compares entry by entry. v itself is not changed by it.",
            "v_max = torch.maximum(v_max, v); divide by (v_max / (1 - beta2**t)).sqrt()",
        ),
        stub='''def amsgrad_step(p, m, v, v_max, g, t, lr, beta1, beta2):
    """The new (p, m, v, v_max) after step t of torch.optim.Adam(..., amsgrad=True), with eps = 0."""
    ...
''',
        note="Reddi, Kale & Kumar (2018). With v_max the rate lr / sqrt(v_max) never rises again.",
    ),
    Exercise(
        "07.longest_adam_step",
        title="The longest step",
        prompt="Return the longest step that Adam can take in one coordinate, over all streams of gradients of any "
        "length (eps = 0, beta1**2 < beta2).",
        kind="core",
        minutes=10,
        inputs=((1.0, 0.9, 0.999), (0.1, 0.5, 0.9), (0.01, 0.0, 0.99), (1.0, 0.8, 0.95)),
        solution=longest_adam_step,
        wrong=(
            Wrong(
                _rate, "This is the step under steady gradients. Gradients that change can make a longer one."
            ),
            Wrong(
                _lone_gradient,
                "This is the step of one gradient after many zeros. Gradients that grow from step to step "
                "go further: m collects several of them before v has noticed.",
            ),
            Wrong(
                _of_rmsprop,
                "This is RMSprop's longest step. In Adam one gradient enters m with weight 1 - beta1.",
            ),
            Wrong(_square_missing, "The weights of m are squared in the inequality: beta1² / beta2."),
            Wrong(_beta2_missing, "Divide beta1² by beta2: the weights of v are split between both factors."),
            Wrong(_bound_squared, "This is the square of the bound."),
        ),
        hints=(
            "Write m as a sum of (a_k / sqrt(b_k)) times (sqrt(b_k) g_k), with the weights b_k of v.",
            "Cauchy and Schwarz: m² is at most the sum of a_k² / b_k, times v. Here a_k = (1 - beta1) beta1^k.",
            "The sum is (1 - beta1)² / (1 - beta2) times 1 / (1 - beta1² / beta2). Take the root.",
        ),
        stub='''def longest_adam_step(lr, beta1, beta2):
    """The largest |step| that Adam can take in a coordinate, as a float."""
    ...
''',
        note="At the default betas 7.27 lr. Where beta1² >= beta2 there is no bound at all.",
    ),
    Exercise(
        "07.round_drift",
        title="The drift of a round",
        prompt="The gradients are C, -1, -1, C, -1, -1, ... without end, beta1 = 0, eps = 0, v as it is once it repeats. "
        "Return the sum of g / sqrt(v) over one round.",
        kind="extra",
        minutes=25,
        inputs=((3.0, 0.1), (2.5, 0.5), (10.0, 1 / 101), (4.0, 0.99)),
        solution=round_drift,
        wrong=(
            Wrong(
                _v_at_its_mean,
                "You hold v at its mean. That is right for a long memory; a short one gives each gradient its own v.",
            ),
            Wrong(_old_v, "Each gradient is divided by the v before it. Adam updates v first."),
            Wrong(_first_round, "This is the first round, from v = 0 and without correction. Let v repeat."),
            Wrong(_drift_without_root, "The root of v is missing."),
            Wrong(
                _of_sign, "This is the limit of no memory, beta2 = 0, where every step is a sign: 1 - 1 - 1."
            ),
        ),
        hints=(
            "Call v0, v1, v2 the values after C, after the first -1 and after the second. Write the three updates.",
            "v0 = beta2 v2 + (1 - beta2) C², and so on: put them into each other and solve for v0.",
            "v0 = (1 - beta2) (C² + beta2 + beta2²) / (1 - beta2³); then v1 and v2 by the update.",
        ),
        stub='''def round_drift(C, beta2):
    """g / sqrt(v) summed over the round C, -1, -1, once v repeats, as a float."""
    ...
''',
        note="The gradients sum to C - 2 > 0 for C > 2. Where the drift is negative, Adam climbs.",
    ),
)

QUIZZES = (
    Quiz(
        "07.no_correction",
        "m and v start at zero, so both are too small at first. Leave out both bias corrections, at the default betas "
        "0.9 and 0.999. The first step is then",
        (
            (
                "ten times too short",
                "That is m alone: m is a tenth of the gradient. But v is too small as well, and it stands below the line.",
                False,
            ),
            (
                "as long as before: the two errors cancel",
                "They would if sqrt(1 - β₂) were equal to 1 - β₁. It is a third of it.",
                False,
            ),
            (
                "about three times too long",
                "(1 - β₁) / sqrt(1 - β₂) = 0.1 / 0.0316 = 3.16. And it gets worse before it gets better.",
                True,
            ),
            (
                "a thousand times too long",
                "v is a thousand times too small, but the step divides by its root, and m is ten times too small.",
                False,
            ),
        ),
    ),
    Quiz(
        "07.longest",
        "η is 0.001 and the betas are the defaults. How far can one coordinate move in one step, at most?",
        (
            (
                "0.001: that is what normalising is for",
                "This is the step under steady gradients, and a bound only where β₁ and β₂ are equal.",
                False,
            ),
            (
                "0.0032",
                "This is the step of one gradient after a long time without any. Most texts stop here. Several gradients "
                "that grow go further.",
                False,
            ),
            (
                "0.0073",
                "Gradients that grow by 11% per step reach it: m forgets faster than v, so it sees the growth first.",
                True,
            ),
            (
                "There is no bound",
                "There is one as long as β₁² is less than β₂, and at the defaults it is.",
                False,
            ),
        ),
    ),
)
