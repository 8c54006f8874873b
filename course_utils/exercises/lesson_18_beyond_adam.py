"""Exercises of lesson 18: what came after Adam, and which part of a step does each idea change?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Pair = tuple[torch.Tensor, torch.Tensor]
Report = dict[str, Any]


def _draws(seed: int, *shapes: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


# --- 1 · Muon's step -------------------------------------------------------------------------------


def muon_step(
    p: torch.Tensor,
    m: torch.Tensor,
    g: torch.Tensor,
    lr: float,
    beta: float,
    decay: float,
    orth: Callable[[torch.Tensor], torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    m = beta * m + (1 - beta) * g
    d = beta * m + (1 - beta) * g
    scale = 0.2 * max(p.shape) ** 0.5
    return (1 - lr * decay) * p - lr * scale * orth(d), m


def _muon(fault: str, p: Any, m: Any, g: Any, lr: float, beta: float, decay: float, orth: Any) -> Pair:
    """One step with the mistake `fault`."""
    new = beta * m + (1 - beta) * g
    d = {"no nesterov": new, "old m": beta * m + (1 - beta) * g}.get(fault, beta * new + (1 - beta) * g)
    rows, columns = p.shape
    side = {"rows": rows, "smaller": min(rows, columns)}.get(fault, max(rows, columns))
    scale = {"no scale": 1.0, "no root": 0.2 * side}.get(fault, 0.2 * side**0.5)
    shrink = {"decay without lr": 1 - decay, "decay lost": 1.0}.get(fault, 1 - lr * decay)
    step = beta * new + (1 - beta) * orth(g) if fault == "measured first" else orth(d)
    return shrink * p - lr * scale * step, d if fault == "keeps d" else new


def _no_nesterov(*given: Any) -> Pair:
    return _muon("no nesterov", *given)


def _rows(*given: Any) -> Pair:
    return _muon("rows", *given)


def _smaller(*given: Any) -> Pair:
    return _muon("smaller", *given)


def _no_scale(*given: Any) -> Pair:
    return _muon("no scale", *given)


def _decay_without_lr(*given: Any) -> Pair:
    return _muon("decay without lr", *given)


def _decay_lost(*given: Any) -> Pair:
    return _muon("decay lost", *given)


def _keeps_d(*given: Any) -> Pair:
    return _muon("keeps d", *given)


def _not_orthogonal(p: Any, m: Any, g: Any, lr: float, beta: float, decay: float, orth: Any) -> Pair:
    return muon_step(p, m, g, lr, beta, decay, lambda d: d)


def _polar(d: torch.Tensor) -> torch.Tensor:
    """U Vh of d: the matrix that `orth` stands for."""
    u, _, vh = torch.linalg.svd(d, full_matrices=False)
    product: torch.Tensor = u @ vh
    return product


def _muon_states() -> Inputs:
    shapes = ((2, 5), (4, 3), (3, 3), (1, 4))
    numbers = ((0.1, 0.9, 0.0), (0.02, 0.5, 2.0), (1.0, 0.95, 0.1), (0.3, 0.0, 0.5))
    return tuple(
        (*_draws(k, shape, shape, shape), *number, _polar)
        for k, (shape, number) in enumerate(zip(shapes, numbers, strict=True))
    )


# --- 2 · SAM ---------------------------------------------------------------------------------------


def sam_grads(
    grads: Callable[[list[torch.Tensor]], list[torch.Tensor]], params: list[torch.Tensor], rho: float
) -> list[torch.Tensor]:
    gs = grads(params)
    norm = sum(float((g**2).sum()) for g in gs) ** 0.5
    if norm == 0:
        return gs
    return grads([p + rho * g / norm for p, g in zip(params, gs, strict=True)])


def _goes_down(grads: Any, params: Any, rho: float) -> list[torch.Tensor]:
    return sam_grads(grads, params, -rho)


def _own_norms(grads: Any, params: Any, rho: float) -> list[torch.Tensor]:
    return list(
        grads(
            [p + rho * g / max(float(g.norm()), 1e-300) for p, g in zip(params, grads(params), strict=True)]
        )
    )


def _not_scaled(grads: Any, params: Any, rho: float) -> list[torch.Tensor]:
    return list(grads([p + rho * g for p, g in zip(params, grads(params), strict=True)]))


def _both_gradients(grads: Any, params: Any, rho: float) -> list[torch.Tensor]:
    return [g + h for g, h in zip(grads(params), sam_grads(grads, params, rho), strict=True)]


def _first_gradient(grads: Any, params: Any, rho: float) -> list[torch.Tensor]:
    return list(grads(params))


def _divides_by_zero(grads: Any, params: Any, rho: float) -> list[torch.Tensor]:
    gs = grads(params)
    norm = torch.stack([g.norm() for g in gs]).norm()
    return list(grads([p + rho * g / norm for p, g in zip(params, gs, strict=True)]))


def _valley(params: list[torch.Tensor]) -> list[torch.Tensor]:
    """Gradients of a function that mixes its two parameters and is no quadratic."""
    p, q = params
    return [p**3 + q.sum(), 4 * q + p.sum()]


def _sam_inputs() -> Inputs:
    still = [torch.zeros(3, dtype=torch.float64), torch.zeros(2, 2, dtype=torch.float64)]
    drawn = tuple((_valley, _draws(k, (3,), (2, 2)), rho) for k, rho in enumerate((0.05, 0.5, 2.0)))
    return (*drawn, (_valley, still, 0.3))


# --- 3 · whose steps are these? --------------------------------------------------------------------


def whose_steps(gradients: list[torch.Tensor], steps: list[torch.Tensor]) -> str:
    def gap(rule: Callable[[torch.Tensor], torch.Tensor]) -> float:
        wanted = torch.stack([-rule(g) for g in gradients])
        found = torch.stack(list(steps))
        lr = float((wanted * found).sum() / (wanted**2).sum())  # the rate that fits best
        return float((found - lr * wanted).norm())

    def spectral(g: torch.Tensor) -> torch.Tensor:
        u, _, vh = torch.linalg.svd(g, full_matrices=False)
        product: torch.Tensor = u @ vh
        return product

    rules: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "plain": lambda g: g,
        "round": lambda g: g / g.norm(),
        "square": torch.sign,
        "spectral": spectral,
    }
    return min(rules, key=lambda name: gap(rules[name]))


def _never_plain(gradients: Any, steps: Any) -> str:
    found = whose_steps(gradients, steps)
    return "round" if found == "plain" else found


def _never_round(gradients: Any, steps: Any) -> str:
    found = whose_steps(gradients, steps)
    return "plain" if found == "round" else found


def _rulers_swapped(gradients: Any, steps: Any) -> str:
    found = whose_steps(gradients, steps)
    return {"square": "spectral", "spectral": "square"}.get(found, found)


def _equal_lengths(gradients: Any, steps: Any) -> str:
    lengths = [float(step.norm()) for step in steps]
    return "plain" if max(lengths) > 1.001 * min(lengths) else whose_steps(gradients, steps)


def _traces() -> Inputs:
    def trace(rule: str, lr: float, seed: int, shape: tuple[int, int]) -> tuple[Any, ...]:
        gs = [scale * g for scale, g in zip((1.0, 0.1, 20.0), _draws(seed, shape, shape, shape), strict=True)]
        if seed == 5:
            gs[1][0, 0] = 0.0  # a sign of zero: the steps differ in length
        moved = {
            "plain": [-lr * g for g in gs],
            "round": [-lr * g / g.norm() for g in gs],
            "square": [-lr * g.sign() for g in gs],
            "spectral": [-lr * _polar(g) for g in gs],
        }
        return gs, moved[rule]

    return (
        trace("plain", 0.1, 1, (3, 4)),
        trace("round", 2.0, 2, (2, 3)),
        trace("square", 0.01, 5, (3, 2)),
        trace("spectral", 0.3, 4, (3, 5)),
        trace("round", 0.001, 6, (4, 4)),
        trace("spectral", 5.0, 7, (4, 2)),
    )


# --- 4 · which parameters are Muon's? --------------------------------------------------------------


def for_muon(parameters: list[tuple[str, str, tuple[int, ...]]]) -> list[str]:
    matrices = [name for name, kind, shape in parameters if kind in ("linear", "conv") and len(shape) >= 2]
    last = [name for name, kind, shape in parameters if kind == "linear" and len(shape) >= 2][-1:]
    return [name for name in matrices if name not in last]


def _with_last(parameters: Any) -> list[str]:
    return [name for name, kind, shape in parameters if kind in ("linear", "conv") and len(shape) >= 2]


def _with_embeddings(parameters: Any) -> list[str]:
    kept = for_muon(parameters)
    return [name for name, kind, shape in parameters if name in kept or kind == "embedding"]


def _only_matrices(parameters: Any) -> list[str]:
    kept = for_muon(parameters)
    return [name for name, kind, shape in parameters if name in kept and len(shape) == 2]


def _with_biases(parameters: Any) -> list[str]:
    last = [name for name, kind, shape in parameters if kind == "linear" and len(shape) >= 2][-1:]
    return [name for name, kind, _ in parameters if kind in ("linear", "conv") and name not in last]


def _drops_last_entry(parameters: Any) -> list[str]:
    return _with_last(parameters)[:-1]


def _nets() -> Inputs:
    language = [
        ("words", "embedding", (1000, 64)),
        ("mix.weight", "linear", (64, 64)),
        ("mix.bias", "linear", (64,)),
        ("norm.weight", "norm", (64,)),
        ("head.weight", "linear", (1000, 64)),
    ]
    images = [
        ("filters", "conv", (16, 3, 3, 3)),
        ("filters.bias", "conv", (16,)),
        ("dense", "linear", (32, 256)),
        ("out", "linear", (10, 32)),
        ("out.bias", "linear", (10,)),
    ]
    one = [("only", "linear", (3, 5)), ("only.bias", "linear", (3,))]
    head_first = [("out", "linear", (8, 8)), ("score", "linear", (2, 8)), ("smooth", "conv", (4, 4, 3))]
    # a norm over two dimensions has a weight of two
    head_first.insert(1, ("scale", "norm", (8, 8)))
    return (language,), (images,), (one,), ([],), (head_first,)


# --- 5 · which comparisons may be believed? --------------------------------------------------------


def fair(reports: list[dict[str, Any]]) -> list[str]:
    def inside(losses: list[float]) -> bool:
        known = [math.inf if math.isnan(loss) else loss for loss in losses]
        best = known.index(min(known))
        return 0 < best < len(known) - 1

    found = []
    for report in reports:
        a, b = report["a"], report["b"]
        equal = a["steps"] * a["gradients_a_step"] == b["steps"] * b["gradients_a_step"]
        if equal and inside(a["losses"]) and inside(b["losses"]):
            found.append(report["name"])
    return found


def _equal_steps(reports: list[Report]) -> list[str]:
    same = [r | {side: r[side] | {"gradients_a_step": 1} for side in ("a", "b")} for r in reports]
    return fair(same)


def _cost_alone(reports: list[Report]) -> list[str]:
    middle = {"losses": [2.0, 1.0, 2.0]}
    return fair([r | {side: r[side] | middle for side in ("a", "b")} for r in reports])


def _grids_alone(reports: list[Report]) -> list[str]:
    cost = {"steps": 1, "gradients_a_step": 1}
    return fair([r | {side: r[side] | cost for side in ("a", "b")} for r in reports])


def _only_a(reports: list[Report]) -> list[str]:
    return fair([r | {"b": r["b"] | {"losses": [2.0, 1.0, 2.0]}} for r in reports])


def _only_b(reports: list[Report]) -> list[str]:
    return fair([r | {"a": r["a"] | {"losses": [2.0, 1.0, 2.0]}} for r in reports])


def _left_edge(reports: list[Report]) -> list[str]:
    return fair(
        [r | {side: r[side] | {"losses": [*r[side]["losses"], 1e9]} for side in ("a", "b")} for r in reports]
    )


def _reports() -> Inputs:
    def side(steps: int, gradients: int, *losses: float) -> dict[str, Any]:
        return {"steps": steps, "gradients_a_step": gradients, "losses": list(losses)}

    good = (0.9, 0.4, 0.5)
    nan = math.nan
    first = [
        {"name": "equal", "a": side(300, 2, *good), "b": side(600, 1, 0.8, 0.5, 0.6, nan)},
        {"name": "equal steps", "a": side(300, 2, *good), "b": side(300, 1, *good)},
        {"name": "right edge", "a": side(100, 1, *good), "b": side(100, 1, 0.9, 0.5, 0.3)},
        {"name": "left edge", "a": side(100, 1, 0.2, 0.4, 0.9), "b": side(100, 1, *good)},
    ]
    second = [
        {"name": "nan first", "a": side(50, 1, nan, 0.3, 0.4), "b": side(25, 2, *good)},
        {"name": "a right", "a": side(50, 1, 0.9, 0.4, 0.2), "b": side(50, 1, *good)},
        {"name": "b left", "a": side(50, 1, *good), "b": side(50, 1, 0.1, 0.4, nan)},
        {"name": "one rate", "a": side(10, 3, *good), "b": side(30, 1, 0.3)},
        {"name": "far", "a": side(10, 3, *good), "b": side(31, 1, *good)},
    ]
    return (first,), (second,), ([],)


# --- 6 · research: how many iterations? ------------------------------------------------------------


def steps_needed(values: list[float], low: float, a: float, b: float, c: float) -> int:
    norm = sum(s * s for s in values) ** 0.5
    now = [s / norm for s in values]
    for step in range(101):
        if min(now) >= low:
            return step
        now = [a * s + b * s**3 + c * s**5 for s in now]
    return -1


def _not_normed(values: Any, low: float, a: float, b: float, c: float) -> int:
    now = list(values)
    for step in range(101):
        if min(now) >= low:
            return step
        now = [a * s + b * s**3 + c * s**5 for s in now]
    return -1


def _smallest_alone(values: Any, low: float, a: float, b: float, c: float) -> int:
    s = min(values) / sum(s * s for s in values) ** 0.5
    for step in range(101):
        if s >= low:
            return step
        s = a * s + b * s**3 + c * s**5
    return -1


def _by_largest(values: Any, low: float, a: float, b: float, c: float) -> int:
    top = max(values)
    now = [s / top for s in values]
    for step in range(101):
        if min(now) >= low:
            return step
        now = [a * s + b * s**3 + c * s**5 for s in now]
    return -1


def _one_late(values: Any, low: float, a: float, b: float, c: float) -> int:
    found = steps_needed(values, low, a, b, c)
    return found if found < 0 else found + 1


def _no_fifth(values: Any, low: float, a: float, b: float, c: float) -> int:
    return steps_needed(values, low, a, b, 0.0) if c == 0 else steps_needed(values, low, 1.5, -0.5, 0.0)


def _steps_inputs() -> Inputs:
    quintic, cubic = (3.4445, -4.7750, 2.0315), (1.5, -0.5, 0.0)
    return (
        ([3.0, 1.0, 0.2], 0.68, *quintic),
        ([3.0, 1.0, 0.2], 0.68, *cubic),
        ([20.0, 0.5, 0.03], 0.68, *quintic),
        ([1.0, 0.0], 0.5, *quintic),  # never
        ([2.0], 0.9, *cubic),  # none needed
        ([1.0, 0.35, 0.34], 0.7, *quintic),
        ([1.0, 0.025, 0.05], 0.75, *quintic),  # the smallest is there before another is
        ([5.0, 5.0, 4.0], 0.55, *cubic),
        ([3.0, 4.0], 0.6, *cubic),  # just there
        ([1.0, 2.6e-18], 0.68, *cubic),  # 100, the last number that is looked at
        ([1.0, 1.8e-18], 0.68, *cubic),  # 101, one too many
    )


EXERCISES = (
    Exercise(
        "18.muon_step",
        title="Muon's whole step",
        prompt="Return the new weights and the new average, as a tuple. You have seen it above; write it without looking: average, lean on the newest gradient once more (Nesterov), `orth`, the scale 0.2·√(longer side), decay decoupled and times `lr`. Leave the arguments as they are.",
        kind="core",
        minutes=8,
        inputs=_muon_states,
        solution=muon_step,
        wrong=(
            Wrong(
                _no_nesterov,
                "Nesterov's mix is missing: the new average was made orthogonal, not its mix with g.",
            ),
            Wrong(_rows, "The scale uses the number of rows. It is the longer of the two sides."),
            Wrong(_smaller, "The scale uses the shorter side. It is the longer one."),
            Wrong(_no_scale, "The scale is missing: 0.2 times the root of the longer side."),
            Wrong(_decay_without_lr, "The decay is not multiplied by the rate: p shrinks by lr * decay."),
            Wrong(_decay_lost, "The decay is missing: p is multiplied by 1 - lr * decay."),
            Wrong(
                _keeps_d, "You return Nesterov's mix as the new average. It is used once; what is kept is m."
            ),
            Wrong(_not_orthogonal, "`orth` was not applied: this is momentum with a scale."),
        ),
        hints=(
            "Three lines: the new m; the mix d of the new m and g; the step.",
            "d = beta * m + (1 - beta) * g, with the m that is new already.",
            "p = (1 - lr * decay) * p - lr * 0.2 * max(p.shape) ** 0.5 * orth(d)",
        ),
        stub='''def muon_step(p, m, g, lr, beta, decay, orth):
    """The new (p, m); p, m, g are matrices of one shape, orth(d) makes all singular values of d one."""
    ...
''',
        note="One number kept per weight, where Adam keeps two.",
    ),
    Exercise(
        "18.sam_grads",
        title="SAM's gradient",
        prompt="`grads(params)` returns the list of gradients at a list of parameters. Return the list of gradients that SAM steps with: those at params + e, where e points along the gradient and has length `rho` over all parameters together. Where every gradient is zero, e is zero. Leave `params` as they are.",
        kind="core",
        minutes=7,
        inputs=_sam_inputs,
        solution=sam_grads,
        wrong=(
            Wrong(_goes_down, "You went downhill. SAM looks at the gradient uphill."),
            Wrong(
                _own_norms,
                "Each parameter climbs by rho on its own. One norm, of all gradients together, makes the climb rho long.",
            ),
            Wrong(
                _not_scaled,
                "The gradient is not divided by its norm: the climb has length rho * norm, not rho.",
            ),
            Wrong(
                _both_gradients,
                "You return the sum of both gradients, as when they are not cleared between the passes.",
            ),
            Wrong(_first_gradient, "This is the gradient where you stand: no climb."),
            Wrong(
                _divides_by_zero, "Where all gradients are zero you divide by zero. There the climb is zero."
            ),
        ),
        hints=(
            "Call `grads` twice: once at params, once a little uphill.",
            "The climb of each parameter is rho * g / norm, with one norm for all.",
            "norm = sum(float((g**2).sum()) for g in gs) ** 0.5; if it is 0, return gs.",
        ),
        stub='''def sam_grads(grads, params, rho):
    """The list of gradients at params + e, with e of joint norm rho along the gradient."""
    ...
''',
        note="The step itself starts from params: the climb is for looking only.",
    ),
    Exercise(
        "18.whose_steps",
        title="Whose steps are these?",
        prompt='Somebody logged, for three steps without averages, the gradient and the step (matrices of one shape), but not the rule nor its rate, which was constant. Name the rule: `"plain"` (−ηg), `"round"` (−ηg/‖g‖), `"square"` (−η sign g) or `"spectral"` (−ηUVᵀ). Floats are not exact: name the rule that is nearest.',
        kind="core",
        minutes=12,
        inputs=_traces,
        solution=whose_steps,
        wrong=(
            Wrong(
                _never_plain, "You say round where the step's length follows the gradient's: that is plain."
            ),
            Wrong(_never_round, "You say plain where all steps have one length: that is round."),
            Wrong(
                _rulers_swapped,
                "Square and spectral are swapped: the square ruler makes entries equal, the spectral one singular values.",
            ),
            Wrong(
                _equal_lengths, "Steps of different lengths need not be plain: a sign of zero moves nothing."
            ),
        ),
        hints=(
            "For each rule compute the steps at rate 1. Some rate must turn them into those in the log, the same one for all.",
            "The rate that fits best is (a·b)/(a·a), with a the rule's steps at rate 1 and b those in the log.",
            "Return the rule with the smallest distance that is left.",
        ),
        stub='''def whose_steps(gradients, steps):
    """The rule, "plain", "round", "square" or "spectral"; both: lists of matrices of one shape."""
    ...
''',
    ),
    Exercise(
        "18.for_muon",
        title="Which parameters are Muon's?",
        prompt='A net\'s parameters are listed in the order in which data pass them, each as (name, kind, shape) with kind "embedding", "linear", "conv" or "norm"; a bias has the kind of its layer. Return the list of names, in order, that go to Muon: weights of linear layers and convolutions with two dimensions or more, but not the weight of the last linear layer.',
        kind="core",
        minutes=7,
        inputs=_nets,
        solution=for_muon,
        wrong=(
            Wrong(_with_last, "The last linear layer is among them. It goes to Adam."),
            Wrong(
                _with_embeddings,
                "Embeddings are among them: a table, of which a batch sees few rows. They go to Adam.",
            ),
            Wrong(_only_matrices, "Filters of convolutions are missing. Seen as matrices they are Muon's."),
            Wrong(_with_biases, "Biases are among them. They are no matrices."),
            Wrong(
                _drops_last_entry,
                "You left out the last weight of all. What is to be left out is the last *linear* one.",
            ),
        ),
        hints=(
            "First all weights of kind linear or conv with len(shape) >= 2.",
            "Then find the last one of kind linear and take it out.",
            "last = [n for n, kind, shape in parameters if kind == 'linear' and len(shape) >= 2][-1:]",
        ),
        stub='''def for_muon(parameters):
    """The names for Muon, a list of strings; parameters: a list of (name, kind, shape)."""
    ...
''',
    ),
    Exercise(
        "18.fair",
        title="Which comparisons are fair?",
        prompt="Each report compares a method `a` with a method `b`. Each of the two has its number of `steps`, its `gradients_a_step`, and its `losses` at rates in rising order; a NaN is a run that diverged. Call a report fair if both had the same number of gradients in all and the best rate of each is inside its grid, not at an edge. Return the names of the fair ones, as a list, in the order given.",
        kind="core",
        minutes=8,
        inputs=_reports,
        solution=fair,
        wrong=(
            Wrong(_equal_steps, "You compare steps. What costs is gradients: steps times gradients a step."),
            Wrong(
                _cost_alone,
                "You look at the cost alone. A best rate at the edge of its grid may not be the best.",
            ),
            Wrong(
                _grids_alone, "You look at the grids alone. A method with more gradients has an advantage."
            ),
            Wrong(_only_a, "You look at a's grid only. The rival has to be tuned as well."),
            Wrong(_only_b, "You look at b's grid only."),
            Wrong(_left_edge, "A best rate at the right edge is let through: a larger one might be better."),
        ),
        hints=(
            "Two conditions, the second for both methods.",
            "A NaN is never the best: take it as infinite. Python's min of a list that starts with NaN is NaN.",
            "best = known.index(min(known)); inside if 0 < best < len(known) - 1.",
        ),
        stub='''def fair(reports):
    """A list of names; a report is {"name": ..., "a": {...}, "b": {...}} as described."""
    ...
''',
    ),
    Exercise(
        "18.steps_needed",
        title="How many iterations does it take?",
        prompt="Given the singular values of a matrix (positive or zero, not all zero), divide them by the root of the sum of their squares; then each iteration sends s to a·s + b·s³ + c·s⁵. Return the smallest number of iterations, 0 to 100, after which all of them are at least `low`; −1 if there is none. Then use it, with `low` = 0.68: how many does the average D of step 60 need in each net (`before['the average D']`), and would you trust five?",
        kind="extra",
        minutes=15,
        inputs=_steps_inputs,
        solution=steps_needed,
        wrong=(
            Wrong(_not_normed, "You did not divide by the root of the sum of squares first."),
            Wrong(
                _smallest_alone,
                "You follow the smallest only. The map is not rising everywhere: another may fall below it.",
            ),
            Wrong(
                _by_largest,
                "You divided by the largest value. Muon divides by the root of the sum of squares.",
            ),
            Wrong(_one_late, "One too many: where nothing needs to be done, the answer is 0."),
            Wrong(_no_fifth, "That is the cubic (1.5, −0.5, 0). Use the coefficients that are given."),
        ),
        hints=(
            "A loop: look first, then iterate.",
            "now = [s / norm for s in values]; if min(now) >= low: return the count.",
            "now = [a * s + b * s**3 + c * s**5 for s in now]; after 100 iterations without success, -1.",
        ),
        stub='''def steps_needed(values, low, a, b, c):
    """The number of iterations, an int; values: a list of floats, the singular values."""
    ...
''',
    ),
)

QUIZZES = (
    Quiz(
        "18.good_rates",
        "A small net, 100 steps. Call a rate good while the loss at the end is within 0.1 of the method's best. Whose good rates span more, Adam's or Muon's?",
        (
            (
                "Adam's",
                "Towards small rates Muon falls off sooner. Much of that is because it averages before it measures.",
                True,
            ),
            (
                "about the same",
                "The two valleys have different widths, as the second experiment shows.",
                False,
            ),
            (
                "Muon's: its steps have one size, whatever the gradient",
                "So have Adam's, nearly. Muon's good rates span less.",
                False,
            ),
        ),
    ),
    Quiz(
        "18.sam_tuned",
        "On digits with a fifth of the labels wrong, SAM at the rate 0.05 is far ahead of momentum at the rate 0.05, at equal gradients. Then each gets its own best rate. What is left of the lead?",
        (
            ("nearly all: SAM finds flatter minima", "It does. But what hurt momentum was its rate.", False),
            ("little: a point or so", "Most of the lead was momentum's rate being too large.", True),
            (
                "nothing: momentum is far ahead",
                "With its own best rate and radius SAM is at least as good here.",
                False,
            ),
        ),
    ),
)
