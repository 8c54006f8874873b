"""Exercises of lesson 20: what does descent do to the curvature?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Function = Callable[[Tensor], Tensor]
Runs = list[dict[str, Any]]


def _draw(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- 1 · the Hessian times a vector ----------------------------------------------------------------


def hessian_vector(f: Function, p: Tensor, q: Tensor) -> Tensor:
    at = p.detach().requires_grad_()
    (g,) = torch.autograd.grad(f(at), at, create_graph=True)
    (hq,) = torch.autograd.grad(g @ q, at)
    return hq


def _gradient(f: Function, p: Tensor) -> Tensor:
    at = p.detach().requires_grad_()
    (g,) = torch.autograd.grad(f(at), at)
    return g


def _detached(f: Function, p: Tensor, q: Tensor) -> Tensor:
    return torch.zeros_like(p)


def _entrywise(f: Function, p: Tensor, q: Tensor) -> Tensor:
    return _gradient(f, p) * q


def _diagonal_only(f: Function, p: Tensor, q: Tensor) -> Tensor:
    return torch.stack([hessian_vector(f, p, e)[i] for i, e in enumerate(torch.eye(len(p)).to(p))]) * q


def _rows_summed(f: Function, p: Tensor, q: Tensor) -> Tensor:
    return hessian_vector(f, p, torch.ones_like(q)) * q


def _of_unit_length(f: Function, p: Tensor, q: Tensor) -> Tensor:
    return hessian_vector(f, p, q / q.norm())


def _whole_step(f: Function, p: Tensor, q: Tensor) -> Tensor:
    return _gradient(f, p + q) - _gradient(f, p)


def _at_q(f: Function, p: Tensor, q: Tensor) -> Tensor:
    return _gradient(f, q)


def _rosenbrock(p: Tensor) -> Tensor:
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


def _bumpy(p: Tensor) -> Tensor:
    return (p**3).sum() + (p[:-1] * p[1:] ** 2).sum() + torch.sin(p).prod()


def _two_layers(p: Tensor) -> Tensor:
    return (p[: len(p) // 2] @ p[len(p) // 2 :] - 1) ** 2 / 2


def _one(p: Tensor) -> Tensor:
    return torch.cos(3 * p[0])


def _products() -> Inputs:
    return (
        (_rosenbrock, torch.tensor([-1.2, 1.0], dtype=torch.float64), _draw(2, seed=1)),
        (_bumpy, _draw(4, seed=2), _draw(4, seed=3)),
        (_bumpy, _draw(3, seed=4).requires_grad_(), 10 * _draw(3, seed=5)),
        (_two_layers, _draw(6, seed=6), torch.tensor([0, 0, 1, 0, 0, 0], dtype=torch.float64)),
        (_two_layers, _draw(2, seed=7), -_draw(2, seed=8)),
        (_one, torch.tensor([0.4], dtype=torch.float64), torch.tensor([-2.0], dtype=torch.float64)),
        (_bumpy, _draw(3, seed=9), torch.zeros(3, dtype=torch.float64)),
    )


# --- 2 · name the fault ----------------------------------------------------------------------------


def name_fault(estimates: list[float], curvatures: list[float], q: list[float]) -> str:
    def gap(kind: str) -> float:
        now, total = list(q), 0.0
        for seen in estimates:
            length = math.hypot(*now)
            if kind != "not scaled":
                now = [x / length for x in now]
            hq = [c * x for c, x in zip(curvatures, now, strict=True)]
            rayleigh = sum(a * b for a, b in zip(now, hq, strict=True))
            total += abs({"size": math.hypot(*hq), "half": rayleigh / 2}.get(kind, rayleigh) - seen)
            now = now if kind == "stuck" else hq
        return total

    kind = min(["none", "size", "half", "not scaled", "stuck"], key=gap)
    return "finds the most negative" if kind == "none" and -min(curvatures) > max(curvatures) else kind


def _never_the_negative(estimates: list[float], curvatures: list[float], q: list[float]) -> str:
    found = name_fault(estimates, curvatures, q)
    return "none" if found == "finds the most negative" else found


def _always_the_negative(estimates: list[float], curvatures: list[float], q: list[float]) -> str:
    return (
        "finds the most negative"
        if -min(curvatures) > max(curvatures)
        else name_fault(estimates, curvatures, q)
    )


def _any_negative(estimates: list[float], curvatures: list[float], q: list[float]) -> str:
    found = name_fault(estimates, curvatures, q)
    return "finds the most negative" if found == "none" and min(curvatures) < 0 else found


def _negative_last(estimates: list[float], curvatures: list[float], q: list[float]) -> str:
    found = name_fault(estimates, curvatures, q)
    plain = "none" if found == "finds the most negative" else found
    return "finds the most negative" if plain == "none" and estimates[-1] < 0 else plain


def _first_alone(estimates: list[float], curvatures: list[float], q: list[float]) -> str:
    return name_fault(estimates[:1], curvatures, q)


def _last_alone(estimates: list[float], curvatures: list[float], q: list[float]) -> str:
    """Compares the last estimate with the largest curvature, and knows nothing of the way there."""
    close = abs(estimates[-1] / max(curvatures) - 1) < 0.05
    return "none" if close else name_fault(estimates, curvatures, q)


def _far_off_is_half(estimates: list[float], curvatures: list[float], q: list[float]) -> str:
    found = name_fault(estimates, curvatures, q)
    return "half" if found == "none" and estimates[-1] < 0.7 * max(curvatures) else found


def _traces() -> Inputs:
    def trace(kind: str, curvatures: list[float], q: list[float], products: int) -> tuple[object, ...]:
        h, now, found = (
            torch.tensor(curvatures, dtype=torch.float64),
            torch.tensor(q, dtype=torch.float64),
            [],
        )
        for _ in range(products):
            if kind != "not scaled":
                now = now / now.norm()
            hq = h * now
            value = float(now @ hq)
            found.append({"size": float(hq.norm()), "half": value / 2}.get(kind, value))
            now = now if kind == "stuck" else hq
        return found, curvatures, q

    return (
        trace("none", [3.0, 1.0, 0.5], [1.0, 1.0, 1.0], 5),
        trace("none", [2.0, 1.9, -1.0], [0.1, 2.0, 1.0], 4),  # not there yet
        trace("none", [0.2, 4.0, -1.0], [20.0, 0.1, 3.0], 3),  # still far off
        trace("none", [1.0, -2.0], [1.0, 1.0], 6),  # the most negative
        trace("none", [5.0, -6.0, 1.0], [3.0, 0.01, 2.0], 4),  # it will be, and is positive so far
        trace("none", [5.0, -4.0, 1.0], [0.01, 3.0, 1.0], 3),  # negative so far
        trace("size", [3.0, 1.0], [1.0, -2.0], 4),
        trace("size", [1.0, -2.0], [1.0, 1.0], 5),
        trace("size", [2.0, -1.0, 0.3], [-1.0, 1.0, 4.0], 4),
        trace("half", [6.0, 1.0, 0.1], [1.0, 1.0, 1.0], 5),
        trace("half", [-3.0, 1.0], [1.0, 2.0], 4),
        trace("not scaled", [1.5, 0.5], [1.0, 2.0], 4),
        trace("not scaled", [0.5, 0.4], [0.3, 0.2], 3),  # shrinks
        trace("not scaled", [-2.0, 1.0], [1.0, 1.0], 3),
        trace("stuck", [4.0, 1.0], [1.0, 2.0], 4),
        trace("stuck", [1.0, -3.0], [2.0, 1.0], 3),
    )


# --- 3 · choose the rate ---------------------------------------------------------------------------


def highest_rate(steps: list[int], sharp: list[float], beta: float, warmup: int) -> float:
    bounds = []
    for t, lam in zip(steps, sharp, strict=True):
        share = min(1.0, (t + 1) / warmup) if warmup else 1.0
        if lam > 0:
            bounds.append((2 + 2 * beta) / (lam * share))
    return min(bounds, default=math.inf)


def _bounds(
    steps: list[int], sharp: list[float], beta: float, warmup: int, *, limit: Callable[[float], float] | None = None,
    share: Callable[[int], float] | None = None, keep: Callable[[float], bool] = lambda lam: lam > 0,
) -> list[float]:  # fmt: skip
    """The bound of each measured step, with one thing otherwise."""
    top = (2 + 2 * beta) if limit is None else limit(beta)

    def climbs(t: int) -> float:
        return min(1.0, (t + 1) / warmup) if warmup else 1.0

    shares = [(climbs if share is None else share)(t) for t in steps]
    return [top / (lam * s) for lam, s in zip(sharp, shares, strict=True) if keep(lam) and s > 0]


def _start_alone(steps: list[int], sharp: list[float], beta: float, warmup: int) -> float:
    return highest_rate(steps[:1], sharp[:1], beta, warmup)


def _end_alone(steps: list[int], sharp: list[float], beta: float, warmup: int) -> float:
    return highest_rate(steps[-1:], sharp[-1:], beta, warmup)


def _no_warmup(steps: list[int], sharp: list[float], beta: float, warmup: int) -> float:
    return highest_rate(steps, sharp, beta, 0)


def _sharpest_alone(steps: list[int], sharp: list[float], beta: float, warmup: int) -> float:
    if not steps:
        return math.inf
    k = max(range(len(sharp)), key=lambda i: sharp[i])
    return highest_rate(steps[k : k + 1], sharp[k : k + 1], beta, warmup)


def _without_momentum(steps: list[int], sharp: list[float], beta: float, warmup: int) -> float:
    return min(_bounds(steps, sharp, beta, warmup, limit=lambda beta: 2.0), default=math.inf)


def _by_effective_step(steps: list[int], sharp: list[float], beta: float, warmup: int) -> float:
    return min(_bounds(steps, sharp, beta, warmup, limit=lambda beta: 2 * (1 - beta)), default=math.inf)


def _begins_at_zero(steps: list[int], sharp: list[float], beta: float, warmup: int) -> float:
    share = (lambda t: min(1.0, t / warmup)) if warmup else (lambda t: 1.0)
    return min(_bounds(steps, sharp, beta, warmup, share=share), default=math.inf)


def _divided_by_zero(steps: list[int], sharp: list[float], beta: float, warmup: int) -> float:
    shares = [min(1.0, t / warmup) if warmup else 1.0 for t in steps]
    bounds = [(2 + 2 * beta) / (lam * s) for lam, s in zip(sharp, shares, strict=True) if lam > 0]
    return min(bounds, default=math.inf)


def _climbs_on(steps: list[int], sharp: list[float], beta: float, warmup: int) -> float:
    share = (lambda t: (t + 1) / warmup) if warmup else (lambda t: 1.0)
    return min(_bounds(steps, sharp, beta, warmup, share=share), default=math.inf)


def _by_size(steps: list[int], sharp: list[float], beta: float, warmup: int) -> float:
    return min(map(abs, _bounds(steps, sharp, beta, warmup, keep=lambda lam: lam != 0)), default=math.inf)


def _highest_of_all(steps: list[int], sharp: list[float], beta: float, warmup: int) -> float:
    return max(_bounds(steps, sharp, beta, warmup), default=math.inf)


def _trials() -> Inputs:
    return (
        ([0, 10, 20, 40], [2.0, 3.0, 4.5, 4.0], 0.0, 0),
        ([0, 10, 20, 40], [20.0, 8.0, 3.0, 2.0], 0.9, 25),  # the warm-up saves the start
        ([0, 5, 10, 50, 100], [50.0, 30.0, 4.0, 4.5, 4.4], 0.5, 20),  # the second measurement decides
        ([0, 1, 2, 3], [1.0, 0.5, 6.0, 2.0], 0.0, 4),
        ([0, 100], [0.4, 0.1], 0.9, 0),
        ([0, 10, 20], [-0.5, 0.3, 1.2], 0.7, 15),
        ([0, 10, 20], [2.0, -9.0, 1.0], 0.3, 0),  # the largest in size is negative
        ([0, 10], [0.0, -1.0], 0.9, 5),  # nothing limits it
        ([], [], 0.5, 10),
        ([7], [3.0], 0.95, 10),
        ([0, 10, 50, 200], [1.0, 1.0, 1.5, 1.4], 0.0, 10),  # long after the climb
    )


# --- 4 · which report may be believed? -------------------------------------------------------------


def holds_the_edge(runs: Runs) -> bool:
    def over_limit(run: dict[str, Any], values: list[float]) -> float:
        return float(run["lr"] * sum(values) / len(values) / (2 + 2 * run["beta"]))

    near = all(0.9 <= over_limit(run, run["sharp"][-3:]) <= 1.1 for run in runs)
    limits = [(2 + 2 * run["beta"]) / run["lr"] for run in runs]
    moved = any(not 0.8 <= over_limit(run, run["sharp"][:1]) <= 1.2 for run in runs)
    return bool(near and max(limits) >= 1.5 * min(limits) and moved)


def _judged(
    runs: Runs, *, last: int = 3, near: bool = True, two: bool = True, moved: bool = True, each: bool = False,
    beta: bool = True, quantor: Callable[[list[bool]], bool] = all, below: bool = False, by_rate: bool = False,
) -> bool:  # fmt: skip
    """`holds_the_edge` with one thing otherwise."""

    def limit(run: dict[str, Any]) -> float:
        return float((2 + 2 * run["beta"] if beta else 2) / run["lr"])

    ends = [sum(run["sharp"][-last:]) / len(run["sharp"][-last:]) / limit(run) for run in runs]
    starts = [run["sharp"][0] / limit(run) for run in runs]
    fine = [(end <= 1.1 if below else 0.9 <= end <= 1.1) for end in ends]
    limits = [run["lr"] if by_rate else limit(run) for run in runs]
    away = [not 0.8 <= start <= 1.2 for start in starts]
    ok = quantor(fine) if near else True
    ok = ok and (max(limits) >= 1.5 * min(limits) if two else True)
    return bool(ok and ((all(away) if each else any(away)) if moved else True))


def _one_rate_is_enough(runs: Runs) -> bool:
    return _judged(runs, two=False)


def _start_unasked(runs: Runs) -> bool:
    return _judged(runs, moved=False)


def _without_beta(runs: Runs) -> bool:
    return _judged(runs, beta=False)


def _last_value(runs: Runs) -> bool:
    return _judged(runs, last=1)


def _some_run(runs: Runs) -> bool:
    return _judged(runs, quantor=any)


def _mean_of_the_runs(runs: Runs) -> bool:
    over = [run["lr"] * sum(run["sharp"][-3:]) / 3 / (2 + 2 * run["beta"]) for run in runs]
    return 0.9 <= sum(over) / len(over) <= 1.1 and _judged(runs, near=False)


def _stable_is_enough(runs: Runs) -> bool:
    return _judged(runs, below=True)


def _rates_not_limits(runs: Runs) -> bool:
    return _judged(runs, by_rate=True)


def _each_must_move(runs: Runs) -> bool:
    return _judged(runs, each=True)


def _reports() -> Inputs:
    def run(lr: float, beta: float, *sharp: float) -> dict[str, Any]:
        return {"lr": lr, "beta": beta, "sharp": list(sharp)}

    return (
        (
            [run(0.5, 0.0, 2.0, 3.5, 4.0, 4.1, 3.9), run(1.0, 0.0, 2.1, 1.9, 2.0, 2.0, 2.0)],
        ),  # one begins at it
        ([run(0.5, 0.0, 1.0, 3.5, 4.0, 4.1, 3.9)],),  # one rate
        ([run(0.5, 0.0, 1.0, 3.9, 4.0, 4.1), run(0.55, 0.0, 1.0, 3.5, 3.6, 3.7)],),  # as good as one
        ([run(0.5, 0.0, 4.1, 4.0, 4.0, 4.0), run(1.0, 0.0, 2.0, 2.0, 2.0, 2.0)],),  # nothing moved
        ([run(0.5, 0.5, 2.0, 5.0, 6.2, 6.1, 5.9), run(1.0, 0.9, 9.0, 3.7, 3.9, 3.8)],),
        ([run(0.5, 0.5, 2.0, 3.0, 4.0, 4.0, 4.0), run(1.0, 0.9, 9.0, 2.1, 2.0, 1.9)],),  # 2/η, not its own
        ([run(0.2, 0.0, 2.0, 8.0, 10.2, 9.9), run(0.4, 0.0, 2.0, 3.0, 3.1, 3.2)],),  # the second is far below
        ([run(0.1, 0.0, 1.0, 2.0, 2.1, 2.2), run(0.3, 0.0, 1.0, 2.0, 2.1, 2.2)],),  # stable, no more
        ([run(1.0, 0.0, 1.0, 1.0, 1.2, 1.9), run(2.0, 0.0, 3.0, 0.9, 1.0, 1.1)],),  # only the last is there
        (
            [run(1.0, 0.0, 1.0, 2.0, 2.4, 1.6), run(2.0, 0.0, 3.0, 1.2, 0.9, 0.9)],
        ),  # the last is off, the mean not
        ([run(1.0, 0.0, 1.0, 2.4, 2.4, 2.4), run(2.0, 0.0, 3.0, 0.8, 0.8, 0.8)],),  # one above, one below
        # of the last three the mean is in, of the last two not
        ([run(1.0, 0.0, 1.0, 1.6, 2.3, 2.3), run(2.0, 0.0, 3.0, 1.0, 1.0, 1.0)],),
        ([run(1.0, 0.0, 1.0, 0.5, 0.5, 1.8, 2.0, 2.3), run(2.0, 0.0, 3.0, 1.0, 1.0, 1.0)],),  # the mean is in
        # the first alone is away
        ([run(1.0, 0.0, 1.2, 2.6, 2.0, 2.0, 2.0), run(2.0, 0.0, 1.0, 1.0, 1.0, 1.0)],),
        # 1.5 times as large
        ([run(1.0, 0.5, 1.0, 3.0, 3.0, 3.0), run(1.0, 0.0, 4.0, 2.0, 2.0, 2.0)],),
        ([run(1.0, 0.0, 1.0, 2.0, 2.0, 2.0), run(1.0, 0.9, 1.0, 3.8, 3.8, 3.8)],),  # one rate, two limits
        ([run(1.0, 0.0, 1.0, 2.0, 2.0, 2.0), run(1.9, 0.9, 1.0, 2.0, 2.0, 2.0)],),  # two rates, one limit
        ([run(0.8, 0.0, 9.0, 4.0, 3.0, 3.1), run(1.6, 0.0, 9.0, 2.0, 1.6, 1.7)],),  # above, and not down yet
        (
            [
                run(0.4, 0.0, 8.0, 5.3, 5.4, 5.2),
                run(0.8, 0.0, 2.4, 2.4, 2.5, 2.6),
                run(1.6, 0.9, 3.0, 2.3, 2.4, 2.3),
            ],
        ),
    )


# --- 5 · where short steps end ---------------------------------------------------------------------


def flow_sharpness(a: float, b: float, y: float) -> float:
    return math.hypot(a * a - b * b, 2 * y)


def _at_the_start(a: float, b: float, y: float) -> float:
    return a * a + b * b


def _balanced(a: float, b: float, y: float) -> float:
    return 2 * abs(y)


def _difference_alone(a: float, b: float, y: float) -> float:
    return abs(a * a - b * b)


def _added(a: float, b: float, y: float) -> float:
    return abs(a * a - b * b) + 2 * abs(y)


def _one_y(a: float, b: float, y: float) -> float:
    return math.hypot(a * a - b * b, y)


def _nearest_minimum(a: float, b: float, y: float) -> float:
    """The minimum on the ray from 0 through the start, or a² + b² itself where the ray meets none."""
    return (a * a + b * b) * abs(y / (a * b)) if a * b else a * a + b * b


def _one_weight_moves(a: float, b: float, y: float) -> float:
    return a * a + (y / a) ** 2 if a else math.inf


def _trace_with_loss(a: float, b: float, y: float) -> float:
    """The largest eigenvalue of the Hessian at the start."""
    return (a * a + b * b) / 2 + math.hypot((a * a - b * b) / 2, 2 * a * b - y)


EXERCISES = (
    Exercise(
        "20.hessian_vector",
        title="The Hessian times a vector",
        prompt="Return H q, where H is the Hessian of f at p. f maps a vector to a 0-d tensor; p and q are float64 vectors of "
        "one length, and p may or may not require a gradient. Change no number in them.",
        kind="core",
        minutes=8,
        inputs=_products,
        solution=hessian_vector,
        wrong=(
            Wrong(
                _detached,
                "These are zeros: the gradient was cut off from p before it was differentiated again.",
            ),
            Wrong(_entrywise, "This is the gradient times q, entry by entry. No second derivative is in it."),
            Wrong(
                _diagonal_only, "Only the diagonal of H is in this. The mixed second derivatives are missing."
            ),
            Wrong(
                _rows_summed,
                "This is the row sums of H, times q. Multiply by q before you differentiate, not after.",
            ),
            Wrong(_of_unit_length, "q was scaled to length 1. H q grows with q."),
            Wrong(
                _whole_step,
                "This is the gradient at p + q less that at p. It is H q on a quadratic only, where H is the same everywhere.",
            ),
            Wrong(_at_q, "This is the gradient at q. That is H q only on a quadratic with its minimum at 0."),
        ),
        hints=(
            "One gradient, then the gradient of a number made from it. Work on a copy: p.detach().requires_grad_().",
            "(g,) = torch.autograd.grad(f(at), at, create_graph=True) keeps the graph of the gradient.",
            "(hq,) = torch.autograd.grad(g @ q, at)",
        ),
        stub='''def hessian_vector(f, p, q):
    """H q as a tensor like p; H: the Hessian of f at p. f: vector -> 0-d tensor; p, q: vectors (float64)."""
    ...
''',
        note="It costs about two gradients, whatever the length of p. `torch.func.jvp` of `torch.func.grad` does the same.",
    ),
    Exercise(
        "20.name_fault",
        title="This sharpness is broken: find why",
        prompt="A power iteration ran on a diagonal Hessian from q and noted an estimate at each product. Make those of each fault, "
        'and return the nearest (smallest sum of |differences|): "none", "size" (|Hq| is noted), "half", "not scaled" (q keeps its '
        'length), "stuck" (it goes on with q, not Hq). Where it is "none", but the eigenvalue that is largest in size is '
        'negative: "finds the most negative".',
        kind="core",
        minutes=10,
        inputs=_traces,
        solution=name_fault,
        wrong=(
            Wrong(
                _never_the_negative,
                "A right power iteration passes here that goes to a negative eigenvalue: the wrong one.",
            ),
            Wrong(
                _always_the_negative,
                "The curvatures alone decide here. The code may be broken as well: look at the estimates first.",
            ),
            Wrong(_any_negative, "A negative curvature alone does no harm. It must be the largest in size."),
            Wrong(
                _negative_last,
                "The sign of the last estimate decides here. It may not have come to its end yet.",
            ),
            Wrong(_first_alone, "You look at the first estimate only. There some faults look alike."),
            Wrong(
                _last_alone,
                "An end near the largest curvature passes as right. Some faults come out near it, too.",
            ),
            Wrong(
                _far_off_is_half,
                "Estimates that are far too low are put down to a factor of two. They may just be early.",
            ),
        ),
        hints=(
            "Write the loop once with the fault as an argument: scale q (or not), hq = c * q, note, go on with hq (or q).",
            "The distance of two lists is the sum of |a - b|; take the fault with the smallest.",
            'If it is "none": return "finds the most negative" if -min(curvatures) > max(curvatures) else "none".',
        ),
        stub='''def name_fault(estimates, curvatures, q):
    """The fault, as a string; estimates, curvatures (the diagonal of H) and q: lists of floats."""
    ...
''',
        note="A check on a matrix that you can write down finds in a second what a net would hide for a week.",
    ),
    Exercise(
        "20.highest_rate",
        title="Choose the rate",
        prompt="In a trial run the sharpness was sharp[k] before step steps[k]. The real run has momentum beta and a warm-up: its rate "
        "at step t is η min(1, (t + 1) / warmup), or η where warmup is 0. Return the highest η for which the rate is at most "
        "(2 + 2 beta) / λ at each measured step; where λ <= 0 any rate will do. math.inf if nothing limits it.",
        kind="core",
        minutes=10,
        inputs=_trials,
        solution=highest_rate,
        wrong=(
            Wrong(_start_alone, "Only the start counts here. The sharpness may rise later."),
            Wrong(_end_alone, "Only the end counts here. The start may be sharper."),
            Wrong(_no_warmup, "The warm-up is left out: at its first steps the rate is far below η."),
            Wrong(
                _sharpest_alone,
                "Only the sharpest moment counts here. In a warm-up a later one may limit η more.",
            ),
            Wrong(_without_momentum, "2/λ is the limit of gradient descent. Momentum has another."),
            Wrong(
                _by_effective_step,
                "Momentum makes steps longer, but its limit is not lower by 1 - beta. It is higher than 2/λ.",
            ),
            Wrong(_begins_at_zero, "This warm-up begins at 0. At step t it stands at (t + 1) / warmup."),
            Wrong(
                _divided_by_zero,
                "This warm-up begins at 0, and you divide by it at step 0. At step t it stands at (t + 1) / warmup.",
            ),
            Wrong(_climbs_on, "After the warm-up the rate stays at η. Here it climbs on."),
            Wrong(_by_size, "A negative curvature is taken by its size. Any rate is stable there."),
            Wrong(_highest_of_all, "This is the rate that one of the moments allows. All must."),
        ),
        hints=(
            "Each measured step with λ > 0 gives one bound on η. The answer is the smallest.",
            "At step t the rate is η s with s = min(1, (t + 1) / warmup), so η s <= (2 + 2 beta) / λ.",
            "min(bounds, default=math.inf), with bounds (2 + 2 * beta) / (lam * s).",
        ),
        stub='''def highest_rate(steps, sharp, beta, warmup):
    """The highest safe peak rate, a float; steps: rising ints, sharp: floats, as many; warmup: an int >= 0."""
    ...
''',
        note="It is a guess for the real run: at another rate the sharpness takes another way. Leave room, and watch it.",
    ),
    Exercise(
        "20.holds_the_edge",
        title="Which report may be believed?",
        prompt="A report says: the rate held the sharpness at its edge. The limit of a run is (2 + 2 beta) / lr. Believe it if (a) in each "
        "run the mean of the last three sharpnesses over the limit is in [0.9, 1.1]; (b) the largest limit of the runs is at least 1.5 "
        "times the smallest; (c) in some run the first sharpness over the limit is outside of [0.8, 1.2]. Return True or False.",
        kind="core",
        minutes=10,
        inputs=_reports,
        solution=holds_the_edge,
        wrong=(
            Wrong(
                _one_rate_is_enough,
                "Runs with one limit pass here. One number may be near another by chance.",
            ),
            Wrong(_start_unasked, "Runs pass here that began at their limits. Nothing was moved there."),
            Wrong(_without_beta, "Each run is compared with 2/η. With momentum the limit is another."),
            Wrong(
                _last_value,
                "The last value decides here. At the edge it swings: take the mean of the last three.",
            ),
            Wrong(_some_run, "One run at its limit is enough here. All must be."),
            Wrong(
                _mean_of_the_runs,
                "The mean over the runs decides here. One above and one below make it right.",
            ),
            Wrong(
                _stable_is_enough,
                "Runs far below their limits pass here. They are stable, and not at the edge.",
            ),
            Wrong(
                _rates_not_limits,
                "You compare the rates. With momentum two rates may have one limit, and one rate two.",
            ),
            Wrong(_each_must_move, "Each run must begin away from its limit here. One is enough."),
        ),
        hints=(
            "For each run compute limit = (2 + 2 * beta) / lr; then three questions, joined by and.",
            "The mean of the last three is sum(sharp[-3:]) / 3.",
            "all(...) for (a), max(limits) >= 1.5 * min(limits) for (b), any(...) for (c).",
        ),
        stub='''def holds_the_edge(runs):
    """True or False; a run is a dict with lr, beta (floats) and sharp (a list of three floats or more)."""
    ...
''',
        note="A number that follows the rate from one place to another is held by it. One that is near it once may be there by chance.",
    ),
    Exercise(
        "20.flow_sharpness",
        title="Where short steps end",
        prompt="Give the net of two weights the target y: its loss is (ab - y)²/2, its minima are where ab = y, and the sharpness "
        "there is a² + b². Return the sharpness of the minimum to which very short steps lead from (a, b), to 0.5 %. "
        "(No start is on the ridge: a = -b for y > 0, a = b for y < 0.)",
        kind="extra",
        minutes=20,
        inputs=(
            (0.1, 0.05, 1.0),
            (2.0, 0.3, 1.0),
            (-1.5, 0.4, 0.5),
            (0.3, -2.5, -2.0),
            (1.2, 0.7, 0.0),
            (3.0, 2.0, 1.5),
            (0.0, 1.3, 0.8),
            (0.4, 0.4, 3.0),
        ),
        solution=flow_sharpness,
        rtol=5e-3,
        atol=1e-4,
        wrong=(
            Wrong(_at_the_start, "This is a² + b² at the start. On the way to ab = y it changes."),
            Wrong(
                _balanced,
                "This is the flattest minimum, where |a| = |b|. A start that is not balanced does not get there.",
            ),
            Wrong(_difference_alone, "This has no y in it. It is right for y = 0 alone."),
            Wrong(_added, "Nearly: the right two parts, but they are not simply added."),
            Wrong(_one_y, "Nearly: a² + b² is found from a² - b² and 2ab, not ab."),
            Wrong(
                _nearest_minimum,
                "The path is not the straight line from 0 through the start. Both weights move, by different amounts.",
            ),
            Wrong(
                _one_weight_moves,
                "Only b moves here. Each of the two gradients has the other weight as a factor.",
            ),
            Wrong(
                _trace_with_loss, "This is the sharpness at the start. Asked for is that where the steps end."
            ),
        ),
        hints=(
            "Simulate first: follow the steps with a small rate until ab = y, and print a² + b². Then look for what does not change.",
            "For very short steps a² - b² stays: its change is 2a·(-e b) - 2b·(-e a) = 0, with e = ab - y.",
            "(a² + b²)² = (a² - b²)² + (2ab)², and at the end ab = y.",
        ),
        stub='''def flow_sharpness(a, b, y):
    """a² + b² where very short steps on (ab - y)²/2 end, starting from (a, b); a float, right to 0.5 %."""
    ...
''',
        note="From a small start the sharpness rises to about 2|y|: two layers and a target are enough for progressive sharpening.",
    ),
)

QUIZZES = (
    Quiz(
        "20.rate_raised",
        "A small net learns 50 digits by full-batch descent at η = 0.8. Its sharpness λ, the largest curvature, has come to 2.5, which is 2/η. Now you raise η to 1.6, so "
        "that λ is twice as large as 2/η. What happens?",
        (
            (
                "The run diverges: λ is above 2/η",
                "So it would on a quadratic, whose curvature stays. The net's can give way.",
                False,
            ),
            (
                "The loss jumps for a while, λ falls to about 1.25, and training goes on",
                "The swings grow, push the net to a flatter place, and end there. λ follows the rate.",
                True,
            ),
            (
                "λ stays at 2.5: it belongs to the place, not to the rate",
                "It belongs to the place, and the place changes. A net cannot rest where λ is above 2/η.",
                False,
            ),
        ),
    ),
    Quiz(
        "20.momentum_edge",
        "With momentum β = 0.9 a steady gradient moves the net ten times as far as without. Up to which λ is momentum stable, for one and the same η?",
        (
            (
                "Up to 0.2/η: its steps are ten times as long",
                "They are where the gradient is steady. Across a sharp valley it turns at each step, and momentum mostly cancels.",
                False,
            ),
            (
                "Up to 2/η, as without: momentum does not change the curvature",
                "It does not change the curvature, but it changes the steps.",
                False,
            ),
            (
                "Up to 3.8/η: it bears nearly twice as much",
                "(2 + 2β)/η. Across the valley the velocity still points the other way when the next gradient comes.",
                True,
            ),
        ),
    ),
)
