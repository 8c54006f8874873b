"""Exercises of lesson 18: what came after Adam, and which part of a step does each idea change?"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Pair = tuple[Tensor, Tensor]
Triple = tuple[Tensor, Tensor, Tensor]
Grad = Callable[[Tensor], Tensor]
Grads = Callable[[list[Tensor]], list[Tensor]]


def _draws(seed: int, *shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


# --- 1 · Lion --------------------------------------------------------------------------------------


def lion_step(p: Tensor, m: Tensor, g: Tensor, lr: float, beta1: float, beta2: float, decay: float) -> Pair:
    c = beta1 * m + (1 - beta1) * g
    p = p - lr * (c.sign() + decay * p)
    m = beta2 * m + (1 - beta2) * g
    return p, m


def _no_sign(p: Tensor, m: Tensor, g: Tensor, lr: float, beta1: float, beta2: float, decay: float) -> Pair:
    c = beta1 * m + (1 - beta1) * g
    return p - lr * (c + decay * p), beta2 * m + (1 - beta2) * g


def _keeps_direction(
    p: Tensor, m: Tensor, g: Tensor, lr: float, beta1: float, beta2: float, decay: float
) -> Pair:
    c = beta1 * m + (1 - beta1) * g
    return p - lr * (c.sign() + decay * p), c


def _steps_with_kept(
    p: Tensor, m: Tensor, g: Tensor, lr: float, beta1: float, beta2: float, decay: float
) -> Pair:
    m = beta2 * m + (1 - beta2) * g
    return p - lr * (m.sign() + decay * p), m


def _betas_swapped(
    p: Tensor, m: Tensor, g: Tensor, lr: float, beta1: float, beta2: float, decay: float
) -> Pair:
    return lion_step(p, m, g, lr, beta2, beta1, decay)


def _decay_without_rate(
    p: Tensor, m: Tensor, g: Tensor, lr: float, beta1: float, beta2: float, decay: float
) -> Pair:
    c = beta1 * m + (1 - beta1) * g
    return p - lr * c.sign() - decay * p, beta2 * m + (1 - beta2) * g


def _decay_in_gradient(
    p: Tensor, m: Tensor, g: Tensor, lr: float, beta1: float, beta2: float, decay: float
) -> Pair:
    return lion_step(p, m, g + decay * p, lr, beta1, beta2, 0.0)


def _lion_states() -> Inputs:
    cases = ((0.1, 0.9, 0.99, 0.0), (0.01, 0.5, 0.9, 0.3), (0.02, 0.95, 0.98, 2.0))
    return tuple((*_draws(k, (12,), (12,), (12,)), *numbers) for k, numbers in enumerate(cases))


# --- 2 · clipping ----------------------------------------------------------------------------------


def clip_all(grads: list[Tensor], largest: float) -> list[Tensor]:
    norm = torch.stack([g.norm() for g in grads]).norm()
    factor = min(1.0, largest / float(norm))
    return [g * factor for g in grads]


def _each_alone(grads: list[Tensor], largest: float) -> list[Tensor]:
    return [g * min(1.0, largest / float(g.norm())) for g in grads]


def _always_scaled(grads: list[Tensor], largest: float) -> list[Tensor]:
    norm = torch.stack([g.norm() for g in grads]).norm()
    return [g * (largest / float(norm)) for g in grads]


def _entries(grads: list[Tensor], largest: float) -> list[Tensor]:
    return [g.clamp(-largest, largest) for g in grads]


def _norms_added(grads: list[Tensor], largest: float) -> list[Tensor]:
    norm = sum(float(g.norm()) for g in grads)
    return [g * min(1.0, largest / norm) for g in grads]


def _not_rooted(grads: list[Tensor], largest: float) -> list[Tensor]:
    square = sum(float(g.square().sum()) for g in grads)
    return [g * min(1.0, largest / square) for g in grads]


def _gradient_lists() -> Inputs:
    long, short = _draws(1, (3, 4), (4,)), [0.1 * g for g in _draws(2, (2, 2), (5,))]
    return ((long, 1.0), (short, 1.0), ([3 * g for g in long], 0.25))


# --- 3 · Newton and Schulz -------------------------------------------------------------------------


def equalise(g: Tensor, steps: int, a: float, b: float, c: float) -> Tensor:
    x: Tensor = g / g.norm()
    for _ in range(steps):
        A = x @ x.T
        x = a * x + (b * A + c * A @ A) @ x
    return x


def _no_norm(g: Tensor, steps: int, a: float, b: float, c: float) -> Tensor:
    x = g
    for _ in range(steps):
        A = x @ x.T
        x = a * x + (b * A + c * A @ A) @ x
    return x


def _squared_entries(g: Tensor, steps: int, a: float, b: float, c: float) -> Tensor:
    x: Tensor = g / g.norm()
    for _ in range(steps):
        A = x @ x.T
        x = a * x + (b * A + c * A * A) @ x
    return x


def _powers_of_entries(g: Tensor, steps: int, a: float, b: float, c: float) -> Tensor:
    x: Tensor = g / g.norm()
    for _ in range(steps):
        x = a * x + b * x**3 + c * x**5
    return x


def _stale_gram(g: Tensor, steps: int, a: float, b: float, c: float) -> Tensor:
    x: Tensor = g / g.norm()
    A = x @ x.T
    for _ in range(steps):
        x = a * x + (b * A + c * A @ A) @ x
    return x


def _b_and_c_swapped(g: Tensor, steps: int, a: float, b: float, c: float) -> Tensor:
    return equalise(g, steps, a, c, b)


def _norm_each_step(g: Tensor, steps: int, a: float, b: float, c: float) -> Tensor:
    x = g
    for _ in range(steps):
        x = x / x.norm()
        A = x @ x.T
        x = a * x + (b * A + c * A @ A) @ x
    return x


def _matrices() -> Inputs:
    wide, tall = _draws(3, (3, 5), (4, 2))
    return (
        (wide, 1, 3.4445, -4.7750, 2.0315),
        (0.3 * wide, 3, 3.4445, -4.7750, 2.0315),
        (tall, 2, 1.5, -0.5, 0.0),
        (2 * tall, 2, 1.875, -1.25, 0.375),
    )


# --- 4 · SAM ---------------------------------------------------------------------------------------


def sam_grads(grads: Grads, params: list[Tensor], rho: float) -> list[Tensor]:
    gs = grads(params)
    norm = torch.stack([g.norm() for g in gs]).norm()
    return grads([p + rho * g / norm for p, g in zip(params, gs, strict=True)])


def _goes_down(grads: Grads, params: list[Tensor], rho: float) -> list[Tensor]:
    return sam_grads(grads, params, -rho)


def _own_norms(grads: Grads, params: list[Tensor], rho: float) -> list[Tensor]:
    return grads([p + rho * g / g.norm() for p, g in zip(params, grads(params), strict=True)])


def _not_scaled(grads: Grads, params: list[Tensor], rho: float) -> list[Tensor]:
    return grads([p + rho * g for p, g in zip(params, grads(params), strict=True)])


def _both_gradients(grads: Grads, params: list[Tensor], rho: float) -> list[Tensor]:
    return [g + h for g, h in zip(grads(params), sam_grads(grads, params, rho), strict=True)]


def _square_norm(grads: Grads, params: list[Tensor], rho: float) -> list[Tensor]:
    gs = grads(params)
    norm = torch.stack([g.norm() for g in gs]).norm()
    return grads([p + rho * g / norm**2 for p, g in zip(params, gs, strict=True)])


def _first_gradient(grads: Grads, params: list[Tensor], rho: float) -> list[Tensor]:
    return grads(params)


def _valley(params: list[Tensor]) -> list[Tensor]:
    """Gradients of a function that mixes its two parameters and is no quadratic."""
    p, q = params
    return [p**3 + q.sum(), 4 * q + p.sum()]


def _sam_inputs() -> Inputs:
    return tuple((_valley, _draws(k, (3,), (2, 2)), rho) for k, rho in enumerate((0.05, 0.5, 2.0)))


# --- 5 · Schedule-Free -----------------------------------------------------------------------------


def free_step(z: Tensor, x: Tensor, t: int, grad: Grad, lr: float, beta: float) -> Triple:
    y = (1 - beta) * z + beta * x
    z = z - lr * grad(y)
    x = x + (z - x) / t
    return z, x, (1 - beta) * z + beta * x


def _gradient_at_z(z: Tensor, x: Tensor, t: int, grad: Grad, lr: float, beta: float) -> Triple:
    z = z - lr * grad(z)
    x = x + (z - x) / t
    return z, x, (1 - beta) * z + beta * x


def _moves_y(z: Tensor, x: Tensor, t: int, grad: Grad, lr: float, beta: float) -> Triple:
    y = (1 - beta) * z + beta * x
    z = y - lr * grad(y)
    x = x + (z - x) / t
    return z, x, (1 - beta) * z + beta * x


def _beta_swapped(z: Tensor, x: Tensor, t: int, grad: Grad, lr: float, beta: float) -> Triple:
    return free_step(z, x, t, grad, lr, 1 - beta)


def _old_z_averaged(z: Tensor, x: Tensor, t: int, grad: Grad, lr: float, beta: float) -> Triple:
    y = (1 - beta) * z + beta * x
    x = x + (z - x) / t
    z = z - lr * grad(y)
    return z, x, (1 - beta) * z + beta * x


def _late_average(z: Tensor, x: Tensor, t: int, grad: Grad, lr: float, beta: float) -> Triple:
    y = (1 - beta) * z + beta * x
    z = z - lr * grad(y)
    x = x + (z - x) / (t + 1)
    return z, x, (1 - beta) * z + beta * x


def _running_average(z: Tensor, x: Tensor, t: int, grad: Grad, lr: float, beta: float) -> Triple:
    y = (1 - beta) * z + beta * x
    z = z - lr * grad(y)
    x = beta * x + (1 - beta) * z
    return z, x, (1 - beta) * z + beta * x


def _old_y(z: Tensor, x: Tensor, t: int, grad: Grad, lr: float, beta: float) -> Triple:
    y = (1 - beta) * z + beta * x
    z = z - lr * grad(y)
    return z, x + (z - x) / t, y


def _slope(p: Tensor) -> Tensor:
    return 2 * p + p**3


def _free_inputs() -> Inputs:
    cases = ((1, 0.1, 0.9), (2, 0.5, 0.8), (7, 0.02, 0.95))
    return tuple((*_draws(k, (4,), (4,)), t, _slope, lr, beta) for k, (t, lr, beta) in enumerate(cases))


# --- 6 · towards research: Muon's price ------------------------------------------------------------


def extra_work(m: int, n: int, B: int, steps: int) -> float:
    k, l = min(m, n), max(m, n)
    iteration = 2 * k * k * l + 2 * k**3 + 2 * k * k * l
    return steps * iteration / (6 * B * m * n)


def _longer_side(m: int, n: int, B: int, steps: int) -> float:
    k, l = max(m, n), min(m, n)
    return steps * (4 * k * k * l + 2 * k**3) / (6 * B * m * n)


def _rows_always(m: int, n: int, B: int, steps: int) -> float:
    return steps * (4 * m * m * n + 2 * m**3) / (6 * B * m * n)


def _per_example(m: int, n: int, B: int, steps: int) -> float:
    return extra_work(m, n, 1, steps)


def _one_step(m: int, n: int, B: int, steps: int) -> float:
    return extra_work(m, n, B, 1)


def _forward_only(m: int, n: int, B: int, steps: int) -> float:
    return 3 * extra_work(m, n, B, steps)


def _one_product(m: int, n: int, B: int, steps: int) -> float:
    k, l = min(m, n), max(m, n)
    return steps * (2 * k * k * l + 2 * k**3) / (6 * B * m * n)


def _upside_down(m: int, n: int, B: int, steps: int) -> float:
    return 1 / extra_work(m, n, B, steps)


EXERCISES = (
    Exercise(
        "18.lion_step",
        title="One step of Lion",
        prompt="Return the new parameters and the new average after one step of Lion with decoupled weight decay.",
        kind="core",
        minutes=5,
        inputs=_lion_states,
        solution=lion_step,
        wrong=(
            Wrong(
                _no_sign, "The sign is missing: this is momentum, whose step depends on the gradient's size."
            ),
            Wrong(
                _keeps_direction,
                "You keep c as the new average. c is used once; what is kept is mixed anew, with beta2.",
            ),
            Wrong(
                _steps_with_kept,
                "You take the sign of the average that is kept. The step uses c, which leans on the newest gradient by "
                "beta1.",
            ),
            Wrong(
                _betas_swapped,
                "The two betas are swapped: beta1 makes the direction, beta2 the longer memory that is kept.",
            ),
            Wrong(
                _decay_without_rate,
                "The decay is not multiplied by the rate: p shrinks by lr * decay, as in AdamW.",
            ),
            Wrong(
                _decay_in_gradient,
                "The decay went into the gradient, where the sign swallows its size. It is decoupled: it acts on p.",
            ),
        ),
        hints=(
            "Three lines: the direction c, the step with its sign, the average that is kept.",
            "c mixes m and g with beta1; the new m mixes the old m and g with beta2.",
            "p = p - lr * (c.sign() + decay * p), with c = beta1 * m + (1 - beta1) * g.",
        ),
        stub='''def lion_step(p, m, g, lr, beta1, beta2, decay):
    """The new (p, m) after one step of Lion; decay is the strength of the decoupled weight decay."""
    ...
''',
        note="One buffer where Adam has two: Lion's state is half as large.",
    ),
    Exercise(
        "18.clip_all",
        title="Clip a list of gradients",
        prompt="Scale the gradients so that their joint norm is at most `largest`; leave them alone where it is "
        "already.",
        kind="core",
        minutes=6,
        inputs=_gradient_lists,
        solution=clip_all,
        wrong=(
            Wrong(
                _each_alone,
                "Each gradient is cut by a factor of its own, so the direction of the whole changes.",
            ),
            Wrong(
                _always_scaled,
                "You scale always: short gradients are made longer. The factor must not be above one.",
            ),
            Wrong(
                _entries,
                "This cuts each entry. The direction changes, and the norm may still be above the cap.",
            ),
            Wrong(
                _norms_added,
                "You added the norms. The joint norm is the root of the sum of their squares, and is smaller.",
            ),
            Wrong(_not_rooted, "The root is missing: you divided by the square of the norm."),
        ),
        hints=(
            "One factor for all of them. What is the norm of all entries of all gradients together?",
            "The joint norm is the norm of the list of norms.",
            "factor = min(1, largest / norm), and each gradient is multiplied by it.",
        ),
        stub='''def clip_all(grads, largest):
    """The list of gradients, cut to a joint 2-norm of at most `largest`; new tensors."""
    ...
''',
        note="`torch.nn.utils.clip_grad_norm_` does this in place, adds 1e-6 to the norm, and returns the norm before.",
    ),
    Exercise(
        "18.equalise",
        title="Equal singular values",
        prompt="The iteration inside Muon, in the dtype of the matrix: divide by the norm, then `steps` times the "
        "quintic with coefficients a, b, c.",
        kind="core",
        minutes=8,
        inputs=_matrices,
        solution=equalise,
        wrong=(
            Wrong(
                _no_norm,
                "The matrix is not divided by its norm first: singular values above the band are thrown far out.",
            ),
            Wrong(
                _squared_entries,
                "A * A squares the entries. The matrix product A @ A is what squares its eigenvalues.",
            ),
            Wrong(
                _powers_of_entries,
                "You took powers of the entries. The polynomial must act on singular values, which takes matrix products.",
            ),
            Wrong(
                _stale_gram,
                "A is that of the start in every step. It has to be taken anew, from the x that is there.",
            ),
            Wrong(_b_and_c_swapped, "b and c are swapped: b goes with x xᵀ, c with its square."),
            Wrong(
                _norm_each_step,
                "You divide by the norm in every step, which undoes the lift. Once, before the first, is enough.",
            ),
        ),
        hints=(
            "Before the loop, one division. In the loop, two lines: A = x @ x.T, and the new x.",
            "The square of x xᵀ is A @ A, and both act on x from the left.",
            "x = a * x + (b * A + c * A @ A) @ x",
        ),
        stub='''def equalise(g, steps, a, b, c):
    """The matrix after `steps` of x <- a x + b (x xᵀ) x + c (x xᵀ)² x, started at g over its norm."""
    ...
''',
        note="For a tall matrix transpose first: the products are then taken on the shorter side, with the same result.",
    ),
    Exercise(
        "18.sam_grads",
        title="SAM's gradient",
        prompt="grads(params) returns the list of gradients at a list of parameters. Return the gradients that SAM steps "
        "with; the climb has length rho over all parameters together.",
        kind="core",
        minutes=7,
        inputs=_sam_inputs,
        solution=sam_grads,
        wrong=(
            Wrong(
                _goes_down, "You went downhill. SAM looks at the gradient uphill, where the loss is worse."
            ),
            Wrong(
                _own_norms,
                "Each parameter climbs by rho on its own. The norm is that of all gradients together, so that the whole "
                "climb is rho long.",
            ),
            Wrong(
                _not_scaled,
                "The gradient is not divided by its norm: the climb has length rho * norm, not rho.",
            ),
            Wrong(
                _both_gradients,
                "You return the sum of both gradients, as happens when they are not cleared between the two passes.",
            ),
            Wrong(_square_norm, "Divided by the square of the norm: the climb is rho / norm long."),
            Wrong(_first_gradient, "This is the gradient where you stand: no climb, so plain SGD."),
        ),
        hints=(
            "Call `grads` twice: once at params, once a little uphill.",
            "The climb of each parameter is rho * g / norm, with one norm for all.",
            "norm = torch.stack([g.norm() for g in gs]).norm(); then grads([p + rho * g / norm ...]).",
        ),
        stub='''def sam_grads(grads, params, rho):
    """The list of gradients at params + e, with e of joint norm rho along the gradient."""
    ...
''',
        note="The step itself starts from params, not from params + e: the climb is for looking only.",
    ),
    Exercise(
        "18.free_step",
        title="One step of Schedule-Free",
        prompt="grad gives the gradient at a point, t counts from 1. Return the new z, the new x, and the new y, where "
        "the next gradient will be taken.",
        kind="core",
        minutes=8,
        inputs=_free_inputs,
        solution=free_step,
        wrong=(
            Wrong(_gradient_at_z, "The gradient is taken at z: this is plain averaging. It belongs at y."),
            Wrong(
                _moves_y, "The step starts from y. It starts from z; y only says where the gradient is taken."
            ),
            Wrong(_beta_swapped, "beta and 1 - beta are swapped: y leans towards x, by beta."),
            Wrong(_old_z_averaged, "You averaged the old z in. x is the mean of the z's after their steps."),
            Wrong(_late_average, "The weight is 1 / t with t counted from 1: after the first step x is z."),
            Wrong(
                _running_average,
                "You took an exponential average with beta. x is the plain mean of all z; beta belongs to y.",
            ),
            Wrong(_old_y, "The y you return is the old one. Where will the next gradient be taken?"),
        ),
        hints=(
            "Four lines: y, z, x, and y again from the new z and x.",
            "The step is z - lr * grad(y), and x moves towards the new z by 1 / t of the way.",
            "y = (1 - beta) * z + beta * x; z = z - lr * grad(y); x = x + (z - x) / t",
        ),
        stub='''def free_step(z, x, t, grad, lr, beta):
    """(z, x, y) after step t of Schedule-Free SGD."""
    ...
''',
        note="Warmup changes the weights: x is then a mean with weights lr_t², so that early z's count less.",
    ),
    Exercise(
        "18.extra_work",
        title="What is Muon's extra work worth?",
        prompt="Return the operations of Newton-Schulz (per step, with the smaller side k and the larger l: 2k²l, 2k³ and "
        "2k²l) over the 6·B·m·n of the layer's forward and backward pass.",
        kind="extra",
        minutes=25,
        inputs=((32, 64, 32, 5), (1024, 256, 4096, 5), (768, 768, 500_000, 5), (10, 300, 7, 3)),
        solution=extra_work,
        wrong=(
            Wrong(
                _longer_side,
                "The products are on the longer side here. x xᵀ of the transposed matrix is smaller and does the same.",
            ),
            Wrong(
                _rows_always,
                "k is taken to be the rows. Where there are more rows than columns, the matrix is transposed.",
            ),
            Wrong(
                _per_example, "B is missing: the step is taken once per batch, the passes cost once per row."
            ),
            Wrong(_one_step, "One step of the iteration only: multiply by `steps`."),
            Wrong(_forward_only, "The layer costs 2·B·m·n forward and 4·B·m·n backward, 6 in all."),
            Wrong(_one_product, "One of the two products with x is missing: x xᵀ, and (...) x."),
            Wrong(_upside_down, "Upside down: the iteration's work over the layer's."),
        ),
        hints=(
            "k = min(m, n), l = max(m, n). Add the three products of one step.",
            "One step: 4 k² l + 2 k³. The layer: 6 B m n = 6 B k l.",
            "steps * (4 * k * k * l + 2 * k**3) / (6 * B * m * n)",
        ),
        stub='''def extra_work(m, n, B, steps):
    """Operations of Newton-Schulz over those of the layer's forward and backward pass."""
    ...
''',
        note="At most steps · k / B. With k = 768 and five steps that is a hundred times the layer's own work at B = 32, and less than a hundredth at half a million tokens.",
    ),
)

QUIZZES = (
    Quiz(
        "18.flatter_is_better",
        "SAM ends where the loss is flatter than where SGD ends. On digits with correct labels, what does that do to the "
        "validation accuracy of a small net?",
        (
            (
                "It rises by several points: flat minima generalise",
                "That is how SAM was introduced, and on large image sets it holds. Here SGD's net is right on nearly all "
                "images already, and flatness has little left to improve.",
                False,
            ),
            (
                "Less than two points either way",
                "The net is much flatter and no better. With wrong labels among the training images it is another "
                "matter, as you will see.",
                True,
            ),
            (
                "It falls: each step follows the gradient of another point",
                "The other point is near, and on average the two gradients agree. The cost is time, not accuracy.",
                False,
            ),
        ),
    ),
    Quiz(
        "18.what_is_slow",
        "Adam on 62 small tensors, 8,432 parameters in all, is laid out anew as one tensor. The arithmetic is "
        "the same. What happens to the time of a step?",
        (
            (
                "Nothing: as many multiplications as before",
                "The multiplications were never the problem. Some 500 calls of operations were, and most of them are gone.",
                False,
            ),
            (
                "It falls by a large factor",
                "Seven calls instead of 434. With small tensors the price of a call is nearly all there is.",
                True,
            ),
            (
                "It falls a little: the memory is read in one go",
                "That is what counts for large tensors. These fit into the cache either way.",
                False,
            ),
        ),
    ),
)
