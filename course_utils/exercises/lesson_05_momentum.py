"""Exercises of lesson 05: why does momentum need only the square root of the steps?

Momentum is in PyTorch's convention throughout: v <- beta v + g, p <- p - lr v.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Pair = tuple[Tensor, Tensor]

# --- 1 · one step ----------------------------------------------------------------------------------


def momentum_step(p: Tensor, v: Tensor, g: Tensor, lr: float, beta: float) -> Pair:
    v = beta * v + g
    return p - lr * v, v


def _ascent(p: Tensor, v: Tensor, g: Tensor, lr: float, beta: float) -> Pair:
    v = beta * v + g
    return p + lr * v, v


def _velocity_minus_gradient(p: Tensor, v: Tensor, g: Tensor, lr: float, beta: float) -> Pair:
    v = beta * v - g
    return p - lr * v, v


def _averaged(p: Tensor, v: Tensor, g: Tensor, lr: float, beta: float) -> Pair:
    v = beta * v + (1 - beta) * g
    return p - lr * v, v


def _reset(p: Tensor, v: Tensor, g: Tensor, lr: float, beta: float) -> Pair:
    return p - lr * g, g


def _old_velocity(p: Tensor, v: Tensor, g: Tensor, lr: float, beta: float) -> Pair:
    return p - lr * v, beta * v + g


def _rate_twice(p: Tensor, v: Tensor, g: Tensor, lr: float, beta: float) -> Pair:
    v = beta * v + lr * g
    return p - lr * v, v


def _classic(p: Tensor, v: Tensor, g: Tensor, lr: float, beta: float) -> Pair:
    v = beta * v - lr * g
    return p + v, v


def _states() -> Inputs:
    generator = torch.Generator().manual_seed(5)

    def draw() -> Tensor:
        return torch.randn(3, generator=generator, dtype=torch.float64)

    return tuple((draw(), draw(), draw(), lr, beta) for lr, beta in ((0.1, 0.9), (0.5, 0.5), (0.02, 0.99)))


# --- 2 · another convention ------------------------------------------------------------------------


def averaged_rate(lr: float, beta: float) -> float:
    return lr / (1 - beta)


# --- 3 · Nesterov ----------------------------------------------------------------------------------


def nesterov_step(p: Tensor, v: Tensor, g: Tensor, lr: float, beta: float) -> Pair:
    v = beta * v + g
    return p - lr * (g + beta * v), v


def _averaged_ahead(p: Tensor, v: Tensor, g: Tensor, lr: float, beta: float) -> Pair:
    v = beta * v + (1 - beta) * g
    return p - lr * (g + beta * v), v


def _ahead_undamped(p: Tensor, v: Tensor, g: Tensor, lr: float, beta: float) -> Pair:
    v = beta * v + g
    return p - lr * (g + v), v


def _direction_kept(p: Tensor, v: Tensor, g: Tensor, lr: float, beta: float) -> Pair:
    d = g + beta * (beta * v + g)
    return p - lr * d, d


# --- 4 · the best choice on a quadratic ------------------------------------------------------------


def best_momentum(mu: float, L: float) -> tuple[float, float]:
    a, b = math.sqrt(L), math.sqrt(mu)
    return (2 / (a + b)) ** 2, ((a - b) / (a + b)) ** 2


def _best_plain(mu: float, L: float) -> tuple[float, float]:
    return 2 / (L + mu), 0.0


def _root_not_squared(mu: float, L: float) -> tuple[float, float]:
    a, b = math.sqrt(L), math.sqrt(mu)
    return (2 / (a + b)) ** 2, (a - b) / (a + b)


def _no_roots(mu: float, L: float) -> tuple[float, float]:
    return (2 / (L + mu)) ** 2, ((L - mu) / (L + mu)) ** 2


def _rate_not_squared(mu: float, L: float) -> tuple[float, float]:
    a, b = math.sqrt(L), math.sqrt(mu)
    return 2 / (a + b), ((a - b) / (a + b)) ** 2


def _plain_rate(mu: float, L: float) -> tuple[float, float]:
    a, b = math.sqrt(L), math.sqrt(mu)
    return 2 / (L + mu), ((a - b) / (a + b)) ** 2


# --- 5 · swing or creep ----------------------------------------------------------------------------


def contraction(lr: float, beta: float, curvature: float) -> float:
    b = 1 + beta - lr * curvature
    if b * b < 4 * beta:
        return math.sqrt(beta)
    return (abs(b) + math.sqrt(b * b - 4 * beta)) / 2


def _always_swings(lr: float, beta: float, curvature: float) -> float:
    return math.sqrt(beta)


def _without_momentum(lr: float, beta: float, curvature: float) -> float:
    return abs(1 - lr * curvature)


def _sign_of_b_kept(lr: float, beta: float, curvature: float) -> float:
    b = 1 + beta - lr * curvature
    if b * b < 4 * beta:
        return math.sqrt(beta)
    return abs(b + math.sqrt(b * b - 4 * beta)) / 2


def _smaller_root(lr: float, beta: float, curvature: float) -> float:
    b = 1 + beta - lr * curvature
    if b * b < 4 * beta:
        return math.sqrt(beta)
    return (abs(b) - math.sqrt(b * b - 4 * beta)) / 2


def _beta_not_its_root(lr: float, beta: float, curvature: float) -> float:
    b = 1 + beta - lr * curvature
    if b * b < 4 * beta:
        return beta
    return (abs(b) + math.sqrt(b * b - 4 * beta)) / 2


def _real_part(lr: float, beta: float, curvature: float) -> float:
    b = 1 + beta - lr * curvature
    return (abs(b) + math.sqrt(max(b * b - 4 * beta, 0.0))) / 2


# --- 6 · towards research: noise -------------------------------------------------------------------


def noise_ratio(lr: float, beta: float, curvature: float) -> float:
    def variance(beta: float) -> float:
        return (1 + beta) / ((1 - beta) * (2 * (1 + beta) - lr * curvature))

    return variance(beta) / variance(0.0)


def _limit(lr: float, beta: float, curvature: float) -> float:
    return 1 / (1 - beta)


def _square_of_limit(lr: float, beta: float, curvature: float) -> float:
    return 1 / (1 - beta) ** 2


def _as_if_independent(lr: float, beta: float, curvature: float) -> float:
    return 1 / (1 - beta**2)


def _longer_step_only(lr: float, beta: float, curvature: float) -> float:
    """Plain SGD with the step size lr / (1 - beta)."""
    return (2 - lr * curvature) / ((1 - beta) * (2 - lr * curvature / (1 - beta)))


def _upside_down(lr: float, beta: float, curvature: float) -> float:
    return 1 / noise_ratio(lr, beta, curvature)


EXERCISES = (
    Exercise(
        "05.momentum_step",
        title="One step of momentum",
        prompt="Return the new point and the new velocity of one step in PyTorch's convention.",
        kind="core",
        minutes=5,
        inputs=_states,
        solution=momentum_step,
        wrong=(
            Wrong(_ascent, "You climb: the step is against the velocity, p - lr * v."),
            Wrong(
                _velocity_minus_gradient,
                "The gradient enters the velocity with a minus here, and the step has a minus too: you climb.",
            ),
            Wrong(
                _averaged,
                "This is the averaged convention: with (1 - beta) on the gradient, steady steps are only "
                "lr long, not lr / (1 - beta).",
            ),
            Wrong(
                _reset,
                "The velocity starts from zero at every step, so nothing is remembered: this is gradient "
                "descent.",
            ),
            Wrong(
                _old_velocity, "You step with the old velocity. Update v first, then move p with the new one."
            ),
            Wrong(_rate_twice, "The rate is applied twice, once in the velocity and once in the step."),
            Wrong(
                _classic,
                "This is the classic convention, with the rate inside the velocity. The point is the same "
                "while lr is constant, but the velocity is not PyTorch's.",
            ),
        ),
        hints=(
            "Two lines: first the velocity, then the point.",
            "The new velocity is beta times the old one plus the gradient, whole.",
            "v = beta * v + g; return p - lr * v, v",
        ),
        stub='''def momentum_step(p, v, g, lr, beta):
    """The new (p, v) after one step: v is PyTorch's momentum buffer, g the gradient at p."""
    ...
''',
        note="`torch.optim.SGD(params, lr, momentum=beta)` does this; its velocity is called `momentum_buffer`.",
    ),
    Exercise(
        "05.averaged_rate",
        title="The same steps in another convention",
        prompt="Someone trains with PyTorch's momentum at lr and beta. Return the step size that makes the "
        "averaged convention, v <- beta v + (1 - beta) g, take the same steps.",
        kind="core",
        minutes=5,
        inputs=((0.1, 0.9), (0.01, 0.99), (0.3, 0.5), (0.2, 0.0)),
        solution=averaged_rate,
        wrong=(
            Wrong(
                lambda lr, beta: lr, "Unchanged: the averaged velocity is smaller, so its steps would be too."
            ),
            Wrong(
                lambda lr, beta: lr * (1 - beta),
                "The wrong way round: this shrinks a step that is too short already.",
            ),
            Wrong(lambda lr, beta: lr / beta, "The velocity is smaller by the factor 1 - beta, not beta."),
            Wrong(
                lambda lr, beta: lr * beta,
                "The velocity is smaller by the factor 1 - beta, and a step is enlarged.",
            ),
            Wrong(
                lambda lr, beta: lr * (1 + beta),
                "This is the first two terms of lr / (1 - beta) = lr (1 + beta + beta² + ...).",
            ),
        ),
        hints=(
            "Run both with a constant gradient of 1: where does each velocity settle?",
            "PyTorch's velocity settles at 1 / (1 - beta), the averaged one at 1. Compare lr * v.",
            "lr / (1 - beta).",
        ),
        stub='''def averaged_rate(lr, beta):
    """The averaged convention's step size for the steps of PyTorch's lr and beta."""
    ...
''',
        note="Every term of the averaged velocity is (1 - beta) times PyTorch's, from the first step on.",
    ),
    Exercise(
        "05.nesterov_step",
        title="One step of Nesterov's momentum",
        prompt="Return the new point and velocity of one Nesterov step in PyTorch's form: the direction is the "
        "gradient plus beta times the *new* velocity.",
        kind="core",
        minutes=6,
        inputs=_states,
        solution=nesterov_step,
        wrong=(
            Wrong(
                momentum_step,
                "This is heavy-ball momentum: it does not look ahead. (Looking ahead with the old velocity, "
                "g + beta * v before the update, comes to the same.)",
            ),
            Wrong(
                _averaged_ahead,
                "The velocity has a factor (1 - beta) on the gradient; PyTorch's takes the gradient whole.",
            ),
            Wrong(
                _ahead_undamped, "The new velocity must shrink by beta before it is added to the gradient."
            ),
            Wrong(
                _direction_kept,
                "You keep the direction as the velocity. The buffer keeps beta * v + g; the direction is used once.",
            ),
            Wrong(_reset, "This is gradient descent: the velocity takes no part in the step."),
        ),
        hints=(
            "Start as in momentum_step, and change only what p moves along.",
            "d = g + beta * v with the v that this step has just made.",
            "v = beta * v + g; return p - lr * (g + beta * v), v",
        ),
        stub='''def nesterov_step(p, v, g, lr, beta):
    """The new (p, v) after one step of torch.optim.SGD(..., nesterov=True)."""
    ...
''',
        note="With one more momentum step added to p in advance, the gradient at the point ahead is simply g.",
    ),
    Exercise(
        "05.best_momentum",
        title="The best η and β for a quadratic",
        prompt="Curvatures lie between mu and L. Return the step size and the momentum that make the slowest "
        "direction as fast as it can be.",
        kind="core",
        minutes=8,
        inputs=((1.0, 100.0), (0.5, 8.0), (1.0, 1.0), (1e-3, 1.0)),
        solution=best_momentum,
        wrong=(
            Wrong(_best_plain, "This is gradient descent's best step, without momentum."),
            Wrong(
                _root_not_squared,
                "Your momentum is the factor per step. That factor is the root of beta: square it.",
            ),
            Wrong(
                _no_roots,
                "The roots of L and mu are missing; they are where the square root of κ comes from.",
            ),
            Wrong(_rate_not_squared, "The step size has a square: 2 / (sqrt(L) + sqrt(mu)), squared."),
            Wrong(
                _plain_rate,
                "The momentum is right, but with gradient descent's step size: momentum allows almost twice it.",
            ),
        ),
        hints=(
            "At the best choice both ends of the spectrum have a double root, and it is sqrt(beta).",
            "A double root means 1 + beta - lr * λ = ± 2 sqrt(beta): plus at mu, minus at L. Two equations.",
            "lr * mu = (1 - sqrt(beta))² and lr * L = (1 + sqrt(beta))²: take roots, then solve.",
        ),
        stub='''def best_momentum(mu, L):
    """(lr, beta) for a quadratic with curvatures from mu to L."""
    ...
''',
        note="Polyak (1964). No choice of lr and beta does better on all quadratics with these curvatures.",
    ),
    Exercise(
        "05.contraction",
        title="Swing or creep",
        prompt="Return the factor by which the error along a direction of the given curvature shrinks per step, in "
        "the long run: the larger |root| of z² - (1 + beta - lr λ) z + beta.",
        kind="core",
        minutes=10,
        inputs=(
            (0.05, 0.9, 1.0),
            (0.1, 0.5, 0.1),
            (0.1, 0.3, 25.0),
            (1.0, 0.0, 0.5),
            (0.02, 0.8, 1.0),
        ),
        solution=contraction,
        wrong=(
            Wrong(
                _always_swings, "sqrt(beta) holds only where the roots are complex, that is where p swings."
            ),
            Wrong(
                _without_momentum, "This is gradient descent's factor: momentum's roots depend on beta too."
            ),
            Wrong(
                _sign_of_b_kept,
                "Where the step is long, b is negative and its root is the other one: take |b| before adding.",
            ),
            Wrong(_smaller_root, "This is the smaller root: in the long run the larger one is what remains."),
            Wrong(
                _beta_not_its_root,
                "Complex roots have product beta and equal size, so each has size sqrt(beta), not beta.",
            ),
            Wrong(
                _real_part,
                "Where the roots are complex you took their real part. What shrinks is their size.",
            ),
        ),
        hints=(
            "Solve the quadratic with b = 1 + beta - lr * curvature. When is the root of b² - 4 beta imaginary?",
            "Two complex roots are conjugate: their product, beta, is the square of the size of each.",
            "If b*b < 4*beta: sqrt(beta). Otherwise (|b| + sqrt(b*b - 4*beta)) / 2.",
        ),
        stub='''def contraction(lr, beta, curvature):
    """The factor per step of the error along one eigen-direction, as a float."""
    ...
''',
        note="While p swings the factor does not depend on the step size: a small η costs nothing there.",
    ),
    Exercise(
        "05.noise_ratio",
        title="What momentum does to noise",
        prompt="Each gradient carries independent noise. Return the variance of p at rest with momentum, divided by "
        "that of plain SGD with the same lr. (At rest, the covariances of p_t and p_{t-1} no longer change.)",
        kind="extra",
        minutes=25,
        inputs=((0.1, 0.9, 1.0), (0.5, 0.5, 2.0), (0.01, 0.99, 1.0), (1.5, 0.3, 1.0)),
        solution=noise_ratio,
        wrong=(
            Wrong(
                _limit,
                "This is the limit of small lr * curvature. At larger ones part of the noise is averaged away: "
                "your number is too large.",
            ),
            Wrong(
                _square_of_limit,
                "Steps are 1 / (1 - beta) times as long, but successive velocities share their noise only in part: "
                "the variance does not grow with the square.",
            ),
            Wrong(
                _as_if_independent,
                "This is the variance of the velocity. Successive velocities are correlated, and p adds them up.",
            ),
            Wrong(
                _longer_step_only,
                "This is plain SGD with the step size lr / (1 - beta), which comes close for small steps only.",
            ),
            Wrong(_upside_down, "Upside down: momentum at equal lr is noisier, so the ratio is above one."),
        ),
        hints=(
            "Write p_{t+1} = (1 + beta - lr λ) p_t - beta p_{t-1} - lr * noise, and take variances of both sides.",
            "Call V the variance and C the covariance of neighbours. Multiply by p_t and average for a second equation: "
            "C (1 + beta) = (1 + beta - lr λ) V.",
            "V = lr σ² (1 + beta) / (λ (1 - beta) (2 (1 + beta) - lr λ)); divide by its value at beta = 0.",
        ),
        stub='''def noise_ratio(lr, beta, curvature):
    """Variance at rest with momentum over variance at rest of plain SGD, same lr."""
    ...
''',
        note="It tends to 1 / (1 - beta) for small lr * curvature, which is what a longer step would do as well.",
    ),
)

QUIZZES = (
    Quiz(
        "05.hundred_times",
        "A quadratic becomes 100 times worse conditioned. Gradient descent, at its best step size, now needs 100 times "
        "the steps. And momentum, at its best?",
        (
            (
                "The same number: the velocity carries it through",
                "The velocity must still build up along the valley without overshooting across it, and that takes "
                "longer the narrower the valley is.",
                False,
            ),
            (
                "About 10 times",
                "The factor per step goes from (κ - 1) / (κ + 1) to (√κ - 1) / (√κ + 1): steps grow with √κ.",
                True,
            ),
            (
                "About 100 times, but from a smaller start",
                "That is what a constant speed-up would give. Momentum changes the exponent, not the constant.",
                False,
            ),
        ),
    ),
    Quiz(
        "05.which_changes",
        "Halfway through a run you halve η (nothing else). Which form of momentum takes other steps than PyTorch's?",
        (
            (
                "The classic one, v ← βv − ηg",
                "Its velocity holds old gradients at the old rate. PyTorch's holds plain gradients, and the whole of it "
                "is multiplied by the new rate at once.",
                True,
            ),
            (
                "The averaged one, v ← βv + (1 − β)g",
                "Its velocity is PyTorch's times 1 − β at every step, whatever the rate does. It is a change of β that "
                "sets it apart.",
                False,
            ),
            ("None: they are three ways to write one thing", "Only while η and β stay as they are.", False),
        ),
    ),
)
