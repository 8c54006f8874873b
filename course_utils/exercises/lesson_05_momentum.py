"""Exercises of lesson 05: why does momentum need only the square root of the steps?

Where no convention is named, momentum is PyTorch's: v <- beta v + g, p <- p - lr v.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Pair = tuple[Tensor, Tensor]

# --- 1 · one step ----------------------------------------------------------------------------------


def momentum_step(
    p: torch.Tensor, v: torch.Tensor, g: torch.Tensor, lr: float, beta: float
) -> tuple[torch.Tensor, torch.Tensor]:
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

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return (
        (draw(3), draw(3), draw(3), 0.1, 0.9),
        (draw(2, 2), 10 * draw(2, 2), draw(2, 2), 0.5, 0.5),
        (draw(4), torch.zeros(4, dtype=torch.float64), 100 * draw(4), 0.02, 0.99),
        (draw(1), draw(1), torch.zeros(1, dtype=torch.float64), 2.0, 0.75),
    )


# --- 2 · a recipe in another convention ------------------------------------------------------------


def translate_rate(lr: float, beta: float, source: str, target: str, new_beta: float) -> float:
    effective = lr if source == "averaged" else lr / (1 - beta)
    return effective if target == "averaged" else effective * (1 - new_beta)


def _rate_unchanged(lr: float, beta: float, source: str, target: str, new_beta: float) -> float:
    return lr


def _conventions_ignored(lr: float, beta: float, source: str, target: str, new_beta: float) -> float:
    return lr / (1 - beta) * (1 - new_beta)


def _old_beta_kept(lr: float, beta: float, source: str, target: str, new_beta: float) -> float:
    return translate_rate(lr, beta, source, target, beta)


def _upside_down(lr: float, beta: float, source: str, target: str, new_beta: float) -> float:
    effective = lr if source == "averaged" else lr * (1 - beta)
    return effective if target == "averaged" else effective / (1 - new_beta)


def _classic_as_averaged(lr: float, beta: float, source: str, target: str, new_beta: float) -> float:
    names = {"classic": "averaged", "pytorch": "pytorch", "averaged": "averaged"}
    return translate_rate(lr, beta, names[source], names[target], new_beta)


def _effective_step_itself(lr: float, beta: float, source: str, target: str, new_beta: float) -> float:
    return translate_rate(lr, beta, source, "averaged", new_beta)


def _same_name_same_rate(lr: float, beta: float, source: str, target: str, new_beta: float) -> float:
    return lr if source == target else translate_rate(lr, beta, source, target, new_beta)


def _source_as_pytorch(lr: float, beta: float, source: str, target: str, new_beta: float) -> float:
    return translate_rate(lr, beta, "pytorch", target, new_beta)


# --- 3 · which rule made this trace ----------------------------------------------------------------


def name_fault(points: list[float], g: float, lrs: list[float], beta: float) -> str:
    def run(fault: str) -> list[float]:
        p, v, path = points[0], 0.0, [points[0]]
        for lr in lrs:
            if fault == "classic velocity":
                v = beta * v - lr * g
                p = p + v
            elif fault == "old velocity":
                p, v = p - lr * v, beta * v + g
            else:
                v = {"velocity reset": g, "averaged": beta * v + (1 - beta) * g}.get(fault, beta * v + g)
                p = p - lr * v
            path.append(p)
        return path

    faults = ("none", "classic velocity", "averaged", "velocity reset", "old velocity")

    def gap(fault: str) -> float:
        return math.fsum(abs(a - b) for a, b in zip(points, run(fault), strict=True))

    return min(faults, key=gap)


def _by_first_steps(points: list[float], g: float, lrs: list[float], beta: float) -> str:
    kept = 1 + next((k for k, lr in enumerate(lrs) if lr != lrs[0]), len(lrs))  # before the rate changes
    return name_fault(points[:kept], g, lrs[: kept - 1], beta)


def _by_last_step(points: list[float], g: float, lrs: list[float], beta: float) -> str:
    move = (points[-2] - points[-1]) / (lrs[-1] * g)  # velocity over gradient
    if move < 1 - 1e-9:
        return "averaged"
    return "velocity reset" if move < 1 + 1e-9 else "none" if move < 1 / (1 - beta) else "classic velocity"


def _first_rate_only(points: list[float], g: float, lrs: list[float], beta: float) -> str:
    return name_fault(points, g, [lrs[0]] * len(lrs), beta)


def _two_mixed_up(points: list[float], g: float, lrs: list[float], beta: float) -> str:
    found = name_fault(points, g, lrs, beta)
    other = {"averaged": "velocity reset", "velocity reset": "averaged"}
    return other.get(found, found)


def _sign_lost(points: list[float], g: float, lrs: list[float], beta: float) -> str:
    return name_fault(points, abs(g), lrs, beta)


def _start_lost(points: list[float], g: float, lrs: list[float], beta: float) -> str:
    return name_fault([0.0, *points[1:]], g, lrs, beta)


def _run(fault: str, start: float, g: float, lrs: list[float], beta: float) -> list[float]:
    p, v, path = start, 0.0, [start]
    for lr in lrs:
        if fault == "classic velocity":
            v = beta * v - lr * g
            p += v
        elif fault == "old velocity":
            p -= lr * v
            v = beta * v + g
        else:
            v = 0.0 if fault == "velocity reset" else beta * v
            v += (1 - beta) * g if fault == "averaged" else g
            p -= lr * v
        path.append(p)
    return path


def _by_last_point(points: list[float], g: float, lrs: list[float], beta: float) -> str:
    faults = ("none", "classic velocity", "averaged", "velocity reset", "old velocity")
    return min(faults, key=lambda fault: abs(_run(fault, points[0], g, lrs, beta)[-1] - points[-1]))


def _traces() -> Inputs:
    def trace(fault: str, start: float, g: float, lrs: list[float], beta: float) -> tuple[object, ...]:
        return _run(fault, start, g, lrs, beta), g, lrs, beta

    down, up = [0.1] * 4 + [0.01] * 3, [0.01, 0.02, 0.04, 0.08]
    return (
        trace("none", 3.0, 2.0, down, 0.9),
        trace("classic velocity", 3.0, 2.0, down, 0.9),
        trace("averaged", -1.0, 2.0, down, 0.9),
        trace("velocity reset", 40.0, -5.0, up, 0.9),
        trace("old velocity", 0.5, 1.0, down, 0.8),
        trace("classic velocity", -20.0, -3.0, up, 0.5),
        trace("none", 0.0, -0.1, up, 0.5),
        trace("averaged", 7.0, -0.01, up, 0.5),
        trace("old velocity", 30.0, -2.0, [0.3, 0.3, 0.1], 0.5),
        trace("velocity reset", -2.0, 4.0, [0.3, 0.3, 0.1], 0.5),
        trace("none", 5.0, 1.0, [1.0, 0.001], 0.99),
        trace("classic velocity", 5.0, 1.0, [1.0, 0.001], 0.99),
        # rates that read the same backwards: with and without the fault the run ends at the same point
        trace("none", 1.0, 2.0, [0.5, 0.25, 0.5], 0.5),
        trace("classic velocity", 1.0, 2.0, [0.5, 0.25, 0.5], 0.5),
    )


# --- 4 · the velocity after a change ---------------------------------------------------------------


def carry_over(
    v: torch.Tensor, convention: str, lr: float, beta: float, new_lr: float, new_beta: float
) -> torch.Tensor:
    if convention == "classic":
        return v * new_lr / lr
    if convention == "averaged":
        return v * (1 - new_beta) / (1 - beta)
    return v.clone()


def _as_it_is(v: Tensor, convention: str, lr: float, beta: float, new_lr: float, new_beta: float) -> Tensor:
    return v.clone()


def _from_zero(v: Tensor, convention: str, lr: float, beta: float, new_lr: float, new_beta: float) -> Tensor:
    return torch.zeros_like(v)


def _carried_backwards(
    v: Tensor, convention: str, lr: float, beta: float, new_lr: float, new_beta: float
) -> Tensor:
    return carry_over(v, convention, new_lr, new_beta, lr, beta)


def _rates_inverted(
    v: Tensor, convention: str, lr: float, beta: float, new_lr: float, new_beta: float
) -> Tensor:
    return carry_over(v, convention, new_lr, beta, lr, new_beta)


def _names_swapped(
    v: Tensor, convention: str, lr: float, beta: float, new_lr: float, new_beta: float
) -> Tensor:
    other = {"classic": "averaged", "averaged": "classic"}
    return carry_over(v, other.get(convention, convention), lr, beta, new_lr, new_beta)


def _every_form_by_rate(
    v: Tensor, convention: str, lr: float, beta: float, new_lr: float, new_beta: float
) -> Tensor:
    return v * new_lr / lr


def _pytorch_too(
    v: Tensor, convention: str, lr: float, beta: float, new_lr: float, new_beta: float
) -> Tensor:
    return carry_over(v, convention.replace("pytorch", "classic"), lr, beta, new_lr, new_beta)


def _betas_divided(
    v: Tensor, convention: str, lr: float, beta: float, new_lr: float, new_beta: float
) -> Tensor:
    if convention == "averaged":
        return v * new_beta / beta
    return carry_over(v, convention, lr, beta, new_lr, new_beta)


def _classic_by_beta_too(
    v: Tensor, convention: str, lr: float, beta: float, new_lr: float, new_beta: float
) -> Tensor:
    found = carry_over(v, convention, lr, beta, new_lr, new_beta)
    return found * (1 - new_beta) / (1 - beta) if convention == "classic" else found


def _averaged_by_rate_too(
    v: Tensor, convention: str, lr: float, beta: float, new_lr: float, new_beta: float
) -> Tensor:
    found = carry_over(v, convention, lr, beta, new_lr, new_beta)
    return found * new_lr / lr if convention == "averaged" else found


def _changes() -> Inputs:
    generator = torch.Generator().manual_seed(55)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return (
        (draw(3), "classic", 0.1, 0.9, 0.01, 0.9),
        (draw(3), "pytorch", 0.1, 0.9, 0.01, 0.9),
        (draw(3), "averaged", 1.0, 0.9, 0.1, 0.9),
        (draw(2, 2), "classic", 0.1, 0.9, 0.1, 0.5),
        (draw(2, 2), "averaged", 0.3, 0.9, 0.3, 0.5),
        (100 * draw(4), "averaged", 0.2, 0.5, 0.8, 0.99),
        (draw(1), "classic", 0.02, 0.75, 0.3, 0.95),
        (draw(2), "pytorch", 0.5, 0.75, 1.5, 0.25),
    )


# --- 5 · creep, swing or flip ----------------------------------------------------------------------


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


def _largest_real_part(lr: float, beta: float, curvature: float) -> float:
    b = 1 + beta - lr * curvature
    return (b + math.sqrt(max(b * b - 4 * beta, 0.0))) / 2


def _product_of_roots(lr: float, beta: float, curvature: float) -> float:
    return beta


def _not_halved(lr: float, beta: float, curvature: float) -> float:
    b = 1 + beta - lr * curvature
    found = contraction(lr, beta, curvature)
    return found if b * b < 4 * beta else 2 * found


def _doubled(lr: float, beta: float, curvature: float) -> float:
    return 2 * contraction(lr, beta, curvature)


# --- 6 · towards research: without memory ------------------------------------------------------------


def without_memory(mu: float, L: float, steps: int) -> float:
    if mu == L:
        return 0.0
    return 1 / math.cosh(steps * math.acosh((L + mu) / (L - mu)))


def _best_rate_each_time(mu: float, L: float, steps: int) -> float:
    return ((L - mu) / (L + mu)) ** steps


def _as_momentum(mu: float, L: float, steps: int) -> float:
    a, b = math.sqrt(L), math.sqrt(mu)
    return ((a - b) / (a + b)) ** steps


def _one_step_less(mu: float, L: float, steps: int) -> float:
    return without_memory(mu, L, steps - 1) if steps > 1 else 1.0


def _per_step(mu: float, L: float, steps: int) -> float:
    factor: float = without_memory(mu, L, steps) ** (1 / steps)
    return factor


def _in_the_limit(mu: float, L: float, steps: int) -> float:
    return 2 * _as_momentum(mu, L, steps)


def _evenly_spread(mu: float, L: float, steps: int) -> float:
    """The worst factor of rates 1 / c with c spread evenly from mu to L, on a grid."""
    nodes = torch.linspace(mu, L, steps + 2, dtype=torch.float64)[1:-1]
    return _worst(nodes, mu, L)


def _spread_in_logarithm(mu: float, L: float, steps: int) -> float:
    share = torch.linspace(0, 1, steps + 2, dtype=torch.float64)[1:-1]
    return _worst(mu * (L / mu) ** share, mu, L)


def _worst(nodes: Tensor, mu: float, L: float) -> float:
    grid = torch.linspace(mu, L, 5001, dtype=torch.float64)
    return float((1 - grid[:, None] / nodes).prod(1).abs().max())


EXERCISES = (
    Exercise(
        "05.momentum_step",
        title="One step of momentum",
        prompt="Return the new point and the new velocity, as a tuple, of one step in PyTorch's convention. p, v and g are "
        "tensors of one shape; leave them as they are.",
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
        "05.translate_rate",
        title="Choose the rate of a recipe",
        prompt="A recipe gives lr and beta in the convention `source`; you will train in the convention `target`, with "
        'new_beta. Both are "classic", "pytorch" or "averaged". Return the lr, a float, under which a steady gradient '
        "makes steps of the same length in the end.",
        kind="core",
        minutes=8,
        inputs=(
            (0.1, 0.9, "pytorch", "averaged", 0.9),
            (8.0, 0.9, "averaged", "pytorch", 0.9),
            (0.05, 0.9, "classic", "pytorch", 0.99),
            (0.2, 0.0, "pytorch", "classic", 0.75),
            (0.3, 0.5, "averaged", "averaged", 0.95),
            (0.01, 0.99, "classic", "averaged", 0.8),
            (2.0, 0.95, "averaged", "classic", 0.5),
            (1.0, 0.9, "pytorch", "pytorch", 0.0),
        ),
        solution=translate_rate,
        wrong=(
            Wrong(_rate_unchanged, "The lr comes out unchanged, whatever the convention and the beta."),
            Wrong(
                _conventions_ignored,
                "The averaged convention gets the same factors as the other two here. Under a steady gradient of 1 its "
                "velocity settles at 1.",
            ),
            Wrong(_old_beta_kept, "This lr goes with the old beta; you will train with new_beta."),
            Wrong(
                _upside_down,
                "The factors are upside down: where the velocity adds gradients up, a step is longer than lr.",
            ),
            Wrong(
                _classic_as_averaged,
                "The classic convention is treated as averaged here. It adds lr * g up whole, like PyTorch's.",
            ),
            Wrong(
                _effective_step_itself,
                "This is the length of the steps themselves. The target's velocity lengthens lr once more, unless it "
                "averages.",
            ),
            Wrong(_same_name_same_rate, "Within one convention lr stays as it is here, though beta changes."),
            Wrong(_source_as_pytorch, "The source is read as PyTorch's, whatever it is called."),
        ),
        hints=(
            "Feed a steady gradient of 1: where does each velocity settle, and how long is a step then?",
            "In the classic and in PyTorch's convention a step becomes lr / (1 - beta) long, in the averaged one lr.",
            "Length of the recipe's steps first; then times 1 - new_beta, unless the target is averaged.",
        ),
        stub='''def translate_rate(lr, beta, source, target, new_beta):
    """The target's lr, a float; source and target: "classic", "pytorch" or "averaged"."""
    ...
''',
        note="Only the steps under a steady gradient are the same: another beta remembers longer or shorter.",
    ),
    Exercise(
        "05.name_fault",
        title="This run is broken: find why",
        prompt="One coordinate was to run PyTorch's momentum from v = 0 under a steady gradient g, and lr changed on the "
        'way. From its points return "none", "classic velocity" (v <- beta v - lr g, p <- p + v), "averaged" '
        '((1 - beta) on the gradient), "velocity reset" (v starts from zero at each step) or "old velocity" (the step '
        "is made before v is updated): the one whose points are nearest.",
        kind="core",
        minutes=10,
        inputs=_traces,
        solution=name_fault,
        wrong=(
            Wrong(
                _by_first_steps,
                "These names go with the steps before lr changed. The classic velocity shows only afterwards.",
            ),
            Wrong(_by_last_step, "These names go with the last step alone. Compare whole traces."),
            Wrong(_by_last_point, "These names go with the last point alone. Compare whole traces."),
            Wrong(_first_rate_only, "These names take the first lr for all steps. Step k has lrs[k]."),
            Wrong(
                _two_mixed_up,
                "Averaged and reset are mixed up: an average begins with a short step, a reset makes steps of lr * g.",
            ),
            Wrong(_sign_lost, "The sign of g is lost: under a negative gradient the points rise."),
            Wrong(_start_lost, "These traces begin at 0. The run began at points[0]."),
        ),
        hints=(
            "Write a function that makes the points for one of the five names, and compare its sum of |differences|.",
            "Step with lrs[0], lrs[1], ...: there is one point more than there are rates.",
            "min(names, key=gap), where gap(name) sums |a - b| over points and the points that `name` makes.",
        ),
        stub='''def name_fault(points, g, lrs, beta):
    """The fault, a string; points: len(lrs) + 1 floats, g: a float, lrs: the lr of each step."""
    ...
''',
        note="Changing the rate is a test as well: it tells two forms apart that agree while it is constant.",
    ),
    Exercise(
        "05.carry_over",
        title="Repair the change",
        prompt='Between two steps lr and beta change. Return the velocity that a run in `convention` ("classic", '
        '"pytorch" or "averaged") must go on with to take the steps that PyTorch\'s momentum takes after the same '
        "change. v is a tensor; leave it as it is. (The averaged lr is PyTorch's over 1 - beta, before and after.)",
        kind="core",
        minutes=8,
        inputs=_changes,
        solution=carry_over,
        wrong=(
            Wrong(_as_it_is, "The velocity goes on as it is. Only PyTorch's may."),
            Wrong(_from_zero, "The velocity starts anew: what it had gathered is lost."),
            Wrong(_carried_backwards, "Upside down: old and new have changed places."),
            Wrong(
                _rates_inverted,
                "The ratio of the rates is upside down in the classic velocity. Under a lower rate it must become shorter.",
            ),
            Wrong(
                _names_swapped,
                "Classic and averaged are swapped: lr is inside the classic velocity, 1 - beta inside the averaged one.",
            ),
            Wrong(_every_form_by_rate, "Every velocity is scaled by lr here. Only the classic one holds it."),
            Wrong(_pytorch_too, "PyTorch's velocity is scaled, too. It is a sum of plain gradients."),
            Wrong(
                _betas_divided,
                "The averaged velocity is scaled by beta. Its gradients carry the factor 1 - beta.",
            ),
            Wrong(
                _classic_by_beta_too,
                "The classic velocity is scaled by 1 - beta as well. There is no such factor in it.",
            ),
            Wrong(
                _averaged_by_rate_too,
                "The averaged velocity is scaled by lr as well. It holds plain gradients, times 1 - beta.",
            ),
        ),
        hints=(
            "What is each velocity, in terms of PyTorch's sum of gradients u?",
            "Classic: v = -lr * u. Averaged: v = (1 - beta) * u. PyTorch: v = u. u stays; the factor changes.",
            "v * new_lr / lr, v * (1 - new_beta) / (1 - beta), or a copy of v.",
        ),
        stub='''def carry_over(v, convention, lr, beta, new_lr, new_beta):
    """The velocity to go on with, a tensor of v's shape; convention: a string."""
    ...
''',
        note="Goyal et al. (2017) call the first of these momentum correction.",
    ),
    Exercise(
        "05.contraction",
        title="Creep, swing or flip",
        prompt="Return the factor, a float, by which the error along a direction of the given curvature shrinks (or, above "
        "one, grows) per step in the long run: the larger of |z| for the two roots, real or complex, of "
        "z² - (1 + beta - lr * curvature) z + beta. lr > 0, 0 <= beta < 1, curvature > 0.",
        kind="core",
        minutes=8,
        inputs=(
            (0.05, 0.9, 1.0),
            (0.1, 0.5, 0.1),
            (0.1, 0.3, 25.0),
            (1.0, 0.0, 0.5),
            (0.02, 0.8, 1.0),
            (0.25, 0.25, 1.0),  # a double root
            (3.0, 0.25, 0.75),  # and the other one
            (0.5, 0.9, 10.0),
            (1.5, 0.0, 1.0),
            (1.0, 0.8, 0.9),
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
                "For long steps b is negative, and p flips. The larger root, in size, is then the other one.",
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
            Wrong(
                _largest_real_part,
                "This is the larger of the real parts. Asked for is the size: a root may be negative or complex.",
            ),
            Wrong(
                _product_of_roots,
                "This is the product of the two roots, which is always beta. The larger of them is asked.",
            ),
            Wrong(
                _not_halved,
                "Where the roots are real this is twice the larger one: a quadratic's roots have a ½.",
            ),
            Wrong(_doubled, "Everywhere twice too much: a quadratic's roots have a ½."),
        ),
        hints=(
            "Solve the quadratic with b = 1 + beta - lr * curvature. For which b is the root of b² - 4 beta imaginary?",
            "Two complex roots are conjugate: their product, beta, is the square of the size of each.",
            "If b*b < 4*beta: sqrt(beta). Otherwise (|b| + sqrt(b*b - 4*beta)) / 2.",
        ),
        stub='''def contraction(lr, beta, curvature):
    """The factor per step of the error along one eigen-direction, as a float."""
    ...
''',
        note="While p swings the factor does not depend on the step size: within that range a smaller η costs nothing.",
    ),
    Exercise(
        "05.without_memory",
        title="Without memory?",
        prompt="Gradient descent without velocity, but with a step size of its own for each of `steps` steps, all chosen "
        "in advance. A curvature c in [mu, L] leaves the factor (1 - lr_1 c)(1 - lr_2 c)... of the error. Return, as a "
        "float, the smallest value that the largest |factor| over all c in [mu, L] can have.",
        kind="extra",
        minutes=25,
        inputs=(
            (1.0, 100.0, 1),
            (1.0, 100.0, 10),
            (1.0, 100.0, 40),
            (1.0, 9.0, 3),
            (0.5, 0.5, 4),
            (2.0, 3.0, 2),
            (0.01, 1.0, 25),
        ),
        solution=without_memory,
        wrong=(
            Wrong(_best_rate_each_time, "This is the best constant step size. Different ones do better."),
            Wrong(
                _as_momentum,
                "This is the root of momentum's best beta to the power of steps: near, not the same.",
            ),
            Wrong(_one_step_less, "This is for one step less."),
            Wrong(_per_step, "This is the factor of one step on average. Asked is that of all steps."),
            Wrong(_in_the_limit, "This is what the answer tends to for many steps. For few it is too large."),
            Wrong(
                _evenly_spread, "This is for step sizes 1 / c with the c spread evenly. They can lie better."
            ),
            Wrong(
                _spread_in_logarithm,
                "This is for step sizes 1 / c with the c spread evenly in the logarithm. They can lie better.",
            ),
        ),
        hints=(
            "The factor is a polynomial in c of degree `steps` that is 1 at c = 0. It should stay small on [mu, L].",
            "Of all polynomials of one degree, Chebyshev's stay smallest on an interval for their size outside of it.",
            "1 / T((L + mu) / (L - mu)), and T(x) = cosh(steps * acosh(x)) for x >= 1. For mu = L it is 0.",
        ),
        stub='''def without_memory(mu, L, steps):
    """The smallest worst factor, a float; 0 < mu <= L, steps: an int >= 1."""
    ...
''',
        rtol=1e-4,
        note="About twice the root of beta to the power of steps: a square root of κ without memory. But the step sizes "
        "need μ, L and the number of steps in advance, and some of them are far beyond 2 / L.",
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
                "The velocity must still build up along the valley without overshooting it, and that takes longer the "
                "flatter its floor is.",
                False,
            ),
            (
                "About 10 times",
                "The factor per step goes from (κ - 1) / (κ + 1) to (√κ - 1) / (√κ + 1): for large κ the steps grow with √κ, "
                "and a little faster.",
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
