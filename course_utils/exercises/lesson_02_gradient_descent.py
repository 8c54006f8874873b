"""Exercises of lesson 02: how big a step?"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Function = Callable[[Tensor], Tensor]


def _draw(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- 1 · one step for a line -----------------------------------------------------------------------


def line_step(slope: float, intercept: float, x: Tensor, y: Tensor, lr: float) -> tuple[float, float]:
    error = slope * x + intercept - y
    d_slope = (2 * error * x).mean().item()
    d_intercept = (2 * error).mean().item()
    return slope - lr * d_slope, intercept - lr * d_intercept


def _line_up(slope: float, intercept: float, x: Tensor, y: Tensor, lr: float) -> tuple[float, float]:
    return line_step(slope, intercept, x, y, -lr)


def _line_reused(slope: float, intercept: float, x: Tensor, y: Tensor, lr: float) -> tuple[float, float]:
    slope = slope - lr * (2 * (slope * x + intercept - y) * x).mean().item()
    intercept = intercept - lr * (2 * (slope * x + intercept - y)).mean().item()
    return slope, intercept


def _line_without_two(slope: float, intercept: float, x: Tensor, y: Tensor, lr: float) -> tuple[float, float]:
    return line_step(slope, intercept, x, y, lr / 2)


def _line_summed(slope: float, intercept: float, x: Tensor, y: Tensor, lr: float) -> tuple[float, float]:
    return line_step(slope, intercept, x, y, lr * len(x))


def _line_without_x(slope: float, intercept: float, x: Tensor, y: Tensor, lr: float) -> tuple[float, float]:
    step = lr * (2 * (slope * x + intercept - y)).mean().item()
    return slope - step, intercept - step


def _line_same_gradient(
    slope: float, intercept: float, x: Tensor, y: Tensor, lr: float
) -> tuple[float, float]:
    step = lr * (2 * (slope * x + intercept - y) * x).mean().item()
    return slope - step, intercept - step


def _lines() -> Inputs:
    def case(seed: int, slope: float, intercept: float, lr: float) -> tuple[object, ...]:
        x = 1 + _draw(6, seed=seed)
        return slope, intercept, x, 2 * x - 1 + 0.1 * _draw(6, seed=seed + 1), lr

    return case(21, 0.0, 0.0, 0.1), case(23, 1.5, 0.5, 0.02), case(25, -3.0, 2.0, 0.3)


# --- 2 · one step with autograd --------------------------------------------------------------------


def train_step(w: Tensor, x: Tensor, y: Tensor, lr: float) -> float:
    w.grad = None
    loss = ((x @ w - y) ** 2).mean()
    loss.backward()
    assert w.grad is not None
    with torch.no_grad():
        w -= lr * w.grad
    return loss.item()


def _piled_up(w: Tensor, x: Tensor, y: Tensor, lr: float) -> float:
    loss = ((x @ w - y) ** 2).mean()
    loss.backward()
    assert w.grad is not None
    with torch.no_grad():
        w -= lr * w.grad
    return loss.item()


def _train_up(w: Tensor, x: Tensor, y: Tensor, lr: float) -> float:
    return train_step(w, x, y, -lr)


def _rebound(w: Tensor, x: Tensor, y: Tensor, lr: float) -> float:
    w.grad = None
    loss = ((x @ w - y) ** 2).mean()
    loss.backward()
    assert w.grad is not None
    w = w - lr * w.grad
    return loss.item()


def _zeroed_too_late(w: Tensor, x: Tensor, y: Tensor, lr: float) -> float:
    loss = ((x @ w - y) ** 2).mean()
    loss.backward()
    w.grad = torch.zeros_like(w)
    with torch.no_grad():
        w -= lr * w.grad
    return loss.item()


def _train_summed(w: Tensor, x: Tensor, y: Tensor, lr: float) -> float:
    w.grad = None
    loss = ((x @ w - y) ** 2).sum()
    loss.backward()
    assert w.grad is not None
    with torch.no_grad():
        w -= lr * w.grad
    return loss.item()


def _loss_after(w: Tensor, x: Tensor, y: Tensor, lr: float) -> float:
    train_step(w, x, y, lr)
    return ((x @ w - y) ** 2).mean().item()


def _weights() -> Inputs:
    def case(seed: int, old: float | None, lr: float) -> tuple[object, ...]:
        w = _draw(3, seed=seed).requires_grad_()
        w.grad = None if old is None else torch.full((3,), old, dtype=torch.float64)
        return w, _draw(5, 3, seed=seed + 1), _draw(5, seed=seed + 2), lr

    return case(31, None, 0.1), case(34, 1.0, 0.1), case(37, -2.0, 0.02)


# --- 3 · the best step -----------------------------------------------------------------------------


def best_step(mu: float, L: float) -> tuple[float, float]:
    return 2 / (L + mu), (L - mu) / (L + mu)


def _one_over_L(mu: float, L: float) -> tuple[float, float]:
    return 1 / L, 1 - mu / L


def _threshold(mu: float, L: float) -> tuple[float, float]:
    return 2 / L, (L - mu) / (L + mu)


def _without_the_two(mu: float, L: float) -> tuple[float, float]:
    return 1 / (L + mu), L / (L + mu)


def _factor_of_the_loss(mu: float, L: float) -> tuple[float, float]:
    return 2 / (L + mu), ((L - mu) / (L + mu)) ** 2


def _flat_end(mu: float, L: float) -> tuple[float, float]:
    return 1 / mu, abs(1 - L / mu)


def _momentums_factor(mu: float, L: float) -> tuple[float, float]:
    a, b = math.sqrt(L), math.sqrt(mu)
    return 2 / (L + mu), (a - b) / (a + b)


# --- 4 · a numerical gradient ----------------------------------------------------------------------


def numerical_gradient(f: Function, p: Tensor, h: float) -> Tensor:
    g = torch.empty_like(p)
    for i in range(len(p)):
        shift = torch.zeros_like(p)
        shift[i] = h
        g[i] = (f(p + shift) - f(p - shift)) / (2 * h)
    return g


def _one_sided(f: Function, p: Tensor, h: float) -> Tensor:
    rows = torch.eye(len(p), dtype=p.dtype) * h
    return torch.stack([(f(p + row) - f(p)) / h for row in rows])


def _divided_by_h(f: Function, p: Tensor, h: float) -> Tensor:
    return 2 * numerical_gradient(f, p, h)


def _all_at_once(f: Function, p: Tensor, h: float) -> Tensor:
    return ((f(p + h) - f(p - h)) / (2 * h)).expand_as(p).clone()


def _never_put_back(f: Function, p: Tensor, h: float) -> Tensor:
    q, g = p.clone(), torch.empty_like(p)
    for i in range(len(p)):
        q[i] += h
        ahead = f(q)
        q[i] -= 2 * h
        g[i] = (ahead - f(q)) / (2 * h)
    return g


def _backwards(f: Function, p: Tensor, h: float) -> Tensor:
    return -numerical_gradient(f, p, h)


def _bumpy(p: Tensor) -> Tensor:
    return (p**3).sum() + (p[:-1] * p[1:] ** 2).sum() + torch.sin(p).prod()


def _functions() -> Inputs:
    return (
        (_bumpy, _draw(3, seed=41), 0.1),
        (_bumpy, _draw(4, seed=42), 0.3),
        (torch.linalg.norm, _draw(2, seed=43), 0.05),
    )


# --- 5 · off the ridge -----------------------------------------------------------------------------


def escape_steps(eps: float, c: float, lr: float, goal: float) -> int:
    steps = 0
    while eps < goal:
        eps *= 1 + lr * c
        steps += 1
    return steps


def _too_few(eps: float, c: float, lr: float, goal: float) -> int:
    return max(escape_steps(eps, c, lr, goal) - 1, 0)


def _continuous(eps: float, c: float, lr: float, goal: float) -> int:
    return max(math.ceil(math.log(goal / eps) / (lr * c)), 0)


def _curvature_forgotten(eps: float, c: float, lr: float, goal: float) -> int:
    return escape_steps(eps, 1.0, lr, goal)


def _goal_forgotten(eps: float, c: float, lr: float, goal: float) -> int:
    return escape_steps(eps, c, lr, 1.0)


def _linear(eps: float, c: float, lr: float, goal: float) -> int:
    return max(math.ceil((goal - eps) / (lr * c * eps)), 0)


def _squared(eps: float, c: float, lr: float, goal: float) -> int:
    return escape_steps(eps, c, (1 + lr * c) ** 2 / c - 1 / c, goal)


# --- 6 · towards research: sharpness from gradients alone ------------------------------------------


def largest_curvature(grad: Function, p: Tensor, v: Tensor, steps: int, h: float = 1e-4) -> float:
    found = 0.0
    for _ in range(steps):
        v = v / v.norm()
        av = (grad(p + h * v) - grad(p - h * v)) / (2 * h)
        found, v = float(v @ av), av
    return found


def _size_only(grad: Function, p: Tensor, v: Tensor, steps: int, h: float = 1e-4) -> float:
    for _ in range(steps):
        v = v / v.norm()
        v = (grad(p + h * v) - grad(p - h * v)) / (2 * h)
    return float(v.norm())


def _not_normalised(grad: Function, p: Tensor, v: Tensor, steps: int, h: float = 1e-4) -> float:
    found = 0.0
    for _ in range(steps):
        av = (grad(p + h * v) - grad(p - h * v)) / (2 * h)
        found, v = float(v @ av), av
    return found


def _one_product(grad: Function, p: Tensor, v: Tensor, steps: int, h: float = 1e-4) -> float:
    return largest_curvature(grad, p, v, 1, h)


def _doubled(grad: Function, p: Tensor, v: Tensor, steps: int, h: float = 1e-4) -> float:
    return 2 * largest_curvature(grad, p, v, steps, h)


def _along_the_gradient(grad: Function, p: Tensor, v: Tensor, steps: int, h: float = 1e-4) -> float:
    """Starts from the gradient at p instead of v."""
    return largest_curvature(grad, p, grad(p), steps, h)


def _gradient_of_v(grad: Function, p: Tensor, v: Tensor, steps: int, h: float = 1e-4) -> float:
    """The gradient at the point v, as if the function were a quadratic around 0."""
    found = 0.0
    for _ in range(steps):
        v = v / v.norm()
        av = grad(v)
        found, v = float(v @ av), av
    return found


def _valley(p: Tensor) -> Tensor:
    """Gradient of Σ p⁴/4 + ½ pᵀBp with B symmetric."""
    n = len(p)
    B = torch.arange(n * n, dtype=p.dtype).view(n, n) / n
    return p**3 + (B + B.T) @ p / 2


def _hill(p: Tensor) -> Tensor:
    """A gradient whose largest curvature, in size, is negative."""
    return torch.linspace(-4, 2, len(p), dtype=p.dtype) * p + 0.1 * torch.cos(p)


def _surfaces() -> Inputs:
    return (
        (_valley, _draw(3, seed=61), _draw(3, seed=62), 5),
        (_hill, _draw(4, seed=63), _draw(4, seed=64), 6),
        (_valley, _draw(2, seed=65), _draw(2, seed=66), 2),
    )


EXERCISES = (
    Exercise(
        "02.line_step",
        title="One step for a line",
        prompt="Return slope and intercept after one step of gradient descent on the mean of "
        "(slope * x + intercept - y)², as floats.",
        kind="core",
        minutes=6,
        inputs=_lines,
        solution=line_step,
        wrong=(
            Wrong(_line_up, "You climb: a step goes against the gradient, with a minus."),
            Wrong(
                _line_reused,
                "The intercept's gradient was computed with the new slope. Both gradients belong to the old point: "
                "compute both, then move both.",
            ),
            Wrong(
                _line_without_two, "The derivative of a square has a factor of 2, and it is missing in both."
            ),
            Wrong(
                _line_summed,
                "This is the gradient of the sum of the squared errors. The loss is their mean.",
            ),
            Wrong(
                _line_without_x,
                "The slope's derivative lacks a factor: how fast does slope * x change with slope?",
            ),
            Wrong(
                _line_same_gradient,
                "The intercept moves with the slope's gradient. Its own has no factor x.",
            ),
        ),
        hints=(
            "Write error = slope * x + intercept - y, then differentiate the mean of error² by each parameter.",
            "The derivatives are the means of 2 * error * x and of 2 * error.",
            "return slope - lr * (2 * error * x).mean().item(), intercept - lr * (2 * error).mean().item()",
        ),
        stub='''def line_step(slope, intercept, x, y, lr):
    """The new (slope, intercept) after one step on the mean of (slope * x + intercept - y)²."""
    ...
''',
        note="Both gradients are taken at the same point; that is what makes it gradient descent.",
    ),
    Exercise(
        "02.train_step",
        title="One step with autograd",
        prompt="Change w in place by one step on the mean of (x @ w - y)², leave that loss's gradient in w.grad, and "
        "return the loss before the step as a float. w.grad may hold something old.",
        kind="core",
        minutes=6,
        inputs=_weights,
        solution=train_step,
        mutates=True,
        wrong=(
            Wrong(
                _piled_up,
                "backward() adds to .grad, and what it held was not cleared: you step along the sum of an old gradient "
                "and the new one.",
            ),
            Wrong(_train_up, "You climb: the step has the wrong sign."),
            Wrong(
                _rebound,
                "You made a new tensor and called it w. The caller's w never moved: change it in place, under "
                "torch.no_grad().",
            ),
            Wrong(
                _zeroed_too_late,
                "The gradient is cleared between backward() and the step, so the step is zero. Clear it before backward().",
            ),
            Wrong(_train_summed, "This is the loss summed over the examples; asked for is the mean."),
            Wrong(
                _loss_after,
                "You return the loss after the step. It was computed before, to get the gradient.",
            ),
        ),
        hints=(
            "Four things in order: clear w.grad, compute the loss, backward(), the step.",
            "w.grad = None clears it. The step belongs under torch.no_grad() and changes w in place.",
            "with torch.no_grad(): w -= lr * w.grad",
        ),
        stub='''def train_step(w, x, y, lr):
    """One step in place on the mean of (x @ w - y)²; returns the loss before the step, a float."""
    ...
''',
        note="`optimizer.zero_grad()`, `loss.backward()` and `optimizer.step()` are these lines.",
    ),
    Exercise(
        "02.best_step",
        title="The best step",
        prompt="Curvatures lie between mu and L. Return the step size that makes the slowest direction as fast as it "
        "can be, and the factor per step that this gives.",
        kind="core",
        minutes=6,
        inputs=((1.0, 10.0), (0.5, 4.0), (3.0, 3.0), (1e-3, 1.0)),
        solution=best_step,
        wrong=(
            Wrong(
                _one_over_L,
                "This is the safe step 1/L. The steep end then lands at once, and the flat end could go almost twice as fast.",
            ),
            Wrong(
                _threshold,
                "2/L is the threshold: there the steepest direction swings for ever and does not shrink.",
            ),
            Wrong(
                _without_the_two,
                "Half of the best step: at the best one the steep end overshoots, 1 - lr * L < 0.",
            ),
            Wrong(
                _factor_of_the_loss,
                "The step is right. The factor is that of the loss, a square; asked for is that of the distance.",
            ),
            Wrong(
                _flat_end,
                "This is best for the flattest direction alone; the steepest one diverges with it.",
            ),
            Wrong(
                _momentums_factor,
                "The step is right. The roots belong to momentum (lesson 05); without it the factor has κ itself.",
            ),
        ),
        hints=(
            "The pace is the larger of |1 - lr * mu| and |1 - lr * L|. Draw both against lr.",
            "At the best lr the two are equal, and the second has changed its sign: 1 - lr * mu = lr * L - 1.",
            "lr = 2 / (L + mu); put it into 1 - lr * mu.",
        ),
        stub='''def best_step(mu, L):
    """(lr, factor) of gradient descent at its best on curvatures from mu to L."""
    ...
''',
        note="With κ = L / mu the factor is (κ - 1) / (κ + 1): about 1 - 2/κ, so steps grow with κ.",
    ),
    Exercise(
        "02.numerical_gradient",
        title="A numerical gradient",
        prompt="Return the gradient of f at the vector p by central differences, one coordinate at a time.",
        kind="core",
        minutes=10,
        inputs=_functions,
        solution=numerical_gradient,
        wrong=(
            Wrong(
                _one_sided,
                "This is the one-sided difference, whose error falls with h only. Step to both sides.",
            ),
            Wrong(_divided_by_h, "Twice too large: the two points are 2h apart, not h."),
            Wrong(
                _all_at_once,
                "All coordinates moved at once: that is the derivative along (1, ..., 1), the sum of the partial ones.",
            ),
            Wrong(
                _never_put_back,
                "Each coordinate stays displaced while the next is tried. Put it back, or shift a copy.",
            ),
            Wrong(_backwards, "The sign is reversed: f ahead minus f behind."),
        ),
        hints=(
            "For coordinate i, f is asked at two points that differ from p in entry i only.",
            "shift = torch.zeros_like(p); shift[i] = h. Never change p itself.",
            "g[i] = (f(p + shift) - f(p - shift)) / (2 * h)",
        ),
        stub='''def numerical_gradient(f, p, h):
    """The gradient of f at p (a vector) by central differences with step h, a tensor like p."""
    ...
''',
        note="It costs two losses per coordinate, which is why nets are trained with backpropagation instead.",
    ),
    Exercise(
        "02.escape_steps",
        title="Off the ridge",
        prompt="A point is eps from the ridge of a saddle; across it the curvature is -c. Return the number of steps of "
        "gradient descent until it is goal or more away.",
        kind="core",
        minutes=10,
        inputs=(
            (1e-6, 1.0, 0.1, 1.0),
            (1e-3, 4.0, 0.1, 2.0),
            (1e-8, 0.5, 0.5, 10.0),
            (2.0, 1.0, 0.1, 1.0),
        ),
        solution=escape_steps,
        wrong=(
            Wrong(_too_few, "One too few: after that many steps the goal is not reached yet. Round up."),
            Wrong(
                _continuous,
                "log(1 + lr c) was replaced by lr c, which holds for short steps only: your number is too small.",
            ),
            Wrong(_curvature_forgotten, "The curvature is missing: the factor per step is 1 + lr * c."),
            Wrong(_goal_forgotten, "You stop at a distance of 1, whatever the goal is."),
            Wrong(
                _linear,
                "You let every step be as long as the first. The gradient grows with the distance, and so do the steps.",
            ),
            Wrong(_squared, "This factor, (1 + lr c)², is that of the squared distance. Use the distance."),
        ),
        hints=(
            "Across the ridge f is -c y² / 2. What is its gradient, and what does a step do to y?",
            "Each step multiplies the distance by 1 + lr * c. Count until it reaches the goal.",
            "A loop, or the ceiling of log(goal / eps) / log(1 + lr * c), and 0 if eps >= goal.",
        ),
        stub='''def escape_steps(eps, c, lr, goal):
    """The number of steps, an int, until the distance eps has grown to goal or more."""
    ...
''',
        note="A thousand times closer to the ridge costs the same number of further steps each time.",
    ),
    Exercise(
        "02.largest_curvature",
        title="Sharpness from gradients alone",
        prompt="A v is about (grad(p + h v) - grad(p - h v)) / (2 h), A the Hessian at p. Run `steps` power iterations "
        "from v, each with v scaled to length 1, and return the last vᵀAv as a float.",
        kind="extra",
        minutes=20,
        inputs=_surfaces,
        rtol=1e-5,
        atol=1e-7,
        solution=largest_curvature,
        wrong=(
            Wrong(
                _size_only,
                "You return the length of Av. That is the size of the curvature, never negative, and less exact than vᵀAv.",
            ),
            Wrong(
                _not_normalised,
                "v is never scaled to length 1, so vᵀAv holds the growth of v as well as the curvature.",
            ),
            Wrong(_one_product, "One product only: v has not turned towards the steepest direction yet."),
            Wrong(_doubled, "Twice too large: the two gradients are 2h apart."),
            Wrong(
                _along_the_gradient,
                "You start from the gradient and not from v. It leads to the same place in the end, but not by the same way.",
            ),
            Wrong(
                _gradient_of_v,
                "grad(v) is A v only for a quadratic with its minimum at 0. The curvature at p needs gradients near p.",
            ),
        ),
        hints=(
            "Each round: scale v, compute Av from two gradients, note vᵀAv, go on with Av.",
            "The value to return belongs to the scaled v that Av was computed from.",
            "v = v / v.norm(); av = (grad(p + h * v) - grad(p - h * v)) / (2 * h); found = (v @ av).item(); v = av",
        ),
        stub='''def largest_curvature(grad, p, v, steps, h=1e-4):
    """vᵀAv in the last of `steps` power iterations, as a float; A is the Hessian at p, grad its gradient."""
    ...
''',
        note="It finds the eigenvalue of largest size. At the edge of stability that one is positive, and near 2/lr.",
    ),
)

QUIZZES = (
    Quiz(
        "02.one_percent_past",
        "On a quadratic gradient descent converges for η < 2/L. You take η one percent larger than 2/L, and start very "
        "close to the minimum. What happens?",
        (
            (
                "It stays close: one percent is a small error, and so is the start",
                "The steepest direction is multiplied by -1.02 per step. However small it was, after enough steps it is large.",
                False,
            ),
            (
                "It diverges, from any start but exactly zero in the steepest direction",
                "1.02 per step is a factor of 7 after 100 steps and 400 million after 1,000. Nothing stops it on a quadratic.",
                True,
            ),
            (
                "It depends on the other directions: if they shrink fast enough it converges",
                "Directions do not help each other. Each goes its own way, and one that grows is enough.",
                False,
            ),
        ),
    ),
    Quiz(
        "02.closer_to_the_ridge",
        "Near a saddle a point starts 10⁻⁴ off the ridge and takes about 100 steps to leave. How many from 10⁻⁸?",
        (
            (
                "About 200",
                "The distance grows by the same factor each step: to grow by 10⁸ takes twice the steps of 10⁴.",
                True,
            ),
            (
                "About a million: 10,000 times as many",
                "That would hold if it moved by the same length each step. It moves by a share of its distance.",
                False,
            ),
            (
                "It never leaves: so close to the ridge the gradient is practically zero",
                "Practically zero is not zero. Any distance grows by the same factor per step.",
                False,
            ),
        ),
    ),
    Quiz(
        "02.sharpness_while_training",
        "A net is trained with full batches, squared error and a fixed η. At the start its sharpness is well below 2/η. "
        "What does the sharpness do?",
        (
            (
                "It stays below 2/η and settles wherever the minimum is",
                "If minima had the sharpness they have, η would not enter. Watch the three dashed lines.",
                False,
            ),
            (
                "It rises past 2/η, and training diverges",
                "On a quadratic it would. Here the swings that begin past 2/η carry the weights to where it is flatter.",
                False,
            ),
            (
                "It rises to about 2/η and hovers there",
                "Training sharpens the net until the step size stops it.",
                True,
            ),
        ),
    ),
)
