"""Exercises of lesson 07: what do Adam's two averages do?"""

from __future__ import annotations

import math
from typing import Any

import torch

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Triple = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
Report = dict[str, Any]

# --- 1 · one step ----------------------------------------------------------------------------------


def adam_step(
    p: torch.Tensor,
    m: torch.Tensor,
    v: torch.Tensor,
    g: torch.Tensor,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return p - lr * m_hat / (v_hat.sqrt() + eps), m, v


def _stepped(
    name: str,
    p: torch.Tensor,
    m: torch.Tensor,
    v: torch.Tensor,
    g: torch.Tensor,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
) -> Triple:
    """One step with the mistake `name`."""
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    moved = {
        "no correction": m / (v.sqrt() + eps),
        "only m": m_hat / (v.sqrt() + eps),
        "only v": m / (v_hat.sqrt() + eps),
        "eps inside": m_hat / (v_hat + eps).sqrt(),
        "no root": m_hat / (v_hat + eps),
        "eps before the correction": m_hat / ((v.sqrt() + eps) / (1 - beta2**t) ** 0.5),
        "uphill": -m_hat / (v_hat.sqrt() + eps),
        "hats kept": m_hat / (v_hat.sqrt() + eps),
    }[name]
    return (p - lr * moved, m_hat, v_hat) if name == "hats kept" else (p - lr * moved, m, v)


def _no_correction(*given: Any) -> Triple:
    return _stepped("no correction", *given)


def _only_m(*given: Any) -> Triple:
    return _stepped("only m", *given)


def _only_v(*given: Any) -> Triple:
    return _stepped("only v", *given)


def _eps_inside(*given: Any) -> Triple:
    return _stepped("eps inside", *given)


def _no_root(*given: Any) -> Triple:
    return _stepped("no root", *given)


def _eps_before_correction(*given: Any) -> Triple:
    return _stepped("eps before the correction", *given)


def _uphill(*given: Any) -> Triple:
    return _stepped("uphill", *given)


def _hats_kept(*given: Any) -> Triple:
    return _stepped("hats kept", *given)


def _t_from_zero(p: Any, m: Any, v: Any, g: Any, t: int, *numbers: Any) -> Triple:
    return adam_step(p, m, v, g, t - 1, *numbers)


def _betas_swapped(
    p: Any, m: Any, v: Any, g: Any, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    return adam_step(p, m, v, g, t, lr, beta2, beta1, eps)


def _states() -> Inputs:
    generator = torch.Generator().manual_seed(7)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    def zeros() -> torch.Tensor:
        return torch.zeros(3, dtype=torch.float64)

    tiny = torch.tensor([1e-4, -1e-5, 0.0, 2e3], dtype=torch.float64)
    return (
        (draw(3), zeros(), zeros(), draw(3), 1, 0.1, 0.9, 0.999, 1e-3),
        (draw(2, 2), draw(2, 2), draw(2, 2) ** 2, draw(2, 2), 3, 0.02, 0.8, 0.99, 1e-2),
        (draw(4), 1e-4 * draw(4), 1e-8 * draw(4) ** 2, tiny, 20, 0.5, 0.5, 0.9, 1e-3),
        (draw(2), draw(2), draw(2) ** 2, draw(2), 1000, 0.001, 0.9, 0.999, 1e-8),
    )


# --- 2 · name the fault ----------------------------------------------------------------------------


def name_fault(steps: list[float], g: float, beta1: float, beta2: float) -> str:
    times = range(1, len(steps) + 1)
    expected = {
        "none": [1.0 for t in times],
        "no correction": [(1 - beta1**t) / (1 - beta2**t) ** 0.5 for t in times],
        "only m corrected": [1 / (1 - beta2**t) ** 0.5 for t in times],
        "only v corrected": [1 - beta1**t for t in times],
        "no root": [1 / abs(g) for t in times],
    }

    def gap(fault: str) -> float:
        total: float = sum(abs(a - b) for a, b in zip(steps, expected[fault], strict=True))
        return total

    return min(expected, key=gap)


def _by_first_step(steps: list[float], g: float, beta1: float, beta2: float) -> str:
    return name_fault([round(steps[0], 6)], g, beta1, beta2)  # rounded, so that equal steps are equal


def _by_last_step(steps: list[float], g: float, beta1: float, beta2: float) -> str:
    t = len(steps)
    expected = {
        "none": 1.0,
        "no correction": (1 - beta1**t) / (1 - beta2**t) ** 0.5,
        "only m corrected": 1 / (1 - beta2**t) ** 0.5,
        "only v corrected": 1 - beta1**t,
        "no root": 1 / abs(g),
    }
    return min(expected, key=lambda fault: abs(round(steps[-1], 6) - expected[fault]))


def _m_and_v_swapped(steps: list[float], g: float, beta1: float, beta2: float) -> str:
    found = name_fault(steps, g, beta1, beta2)
    other = {"only m corrected": "only v corrected", "only v corrected": "only m corrected"}
    return other.get(found, found)


def _long_is_uncorrected(steps: list[float], g: float, beta1: float, beta2: float) -> str:
    if max(steps) > 1.001:
        return "no correction"
    return "only v corrected" if min(steps) < 0.999 else "none"


def _default_betas(steps: list[float], g: float, beta1: float, beta2: float) -> str:
    return name_fault(steps, g, 0.9, 0.999)


def _sign_of_g(steps: list[float], g: float, beta1: float, beta2: float) -> str:
    found = name_fault(steps, g, beta1, beta2)
    return "none" if found == "no root" and g < 0 else found


def _traces() -> Inputs:
    def trace(fault: str, count: int, g: float, beta1: float, beta2: float) -> tuple[Any, ...]:
        m = v = 0.0
        steps = []
        for t in range(1, count + 1):
            m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
            top = m if fault in ("no correction", "only v corrected") else m / (1 - beta1**t)
            below = v if fault in ("no correction", "only m corrected") else v / (1 - beta2**t)
            steps.append(abs(top) / (below if fault == "no root" else below**0.5))
        return steps, g, beta1, beta2

    return (
        trace("none", 5, 3.0, 0.9, 0.999),
        trace("no correction", 6, 3.0, 0.9, 0.999),
        trace("no correction", 4, -2.0, 0.9, 0.99),  # the first step is 1
        trace("only m corrected", 5, 0.5, 0.9, 0.99),
        trace("only v corrected", 6, -7.0, 0.5, 0.95),
        trace("no root", 4, 0.1, 0.9, 0.99),  # the first step is that of "only m corrected"
        trace("no root", 5, -4.0, 0.8, 0.999),
        trace("only m corrected", 4, 0.1, 0.9, 0.99),
        trace("only v corrected", 3, 10.0, 0.9, 0.999),  # the first step is that of "no root"
        trace("no root", 3, 10.0, 0.9, 0.999),
        trace("none", 4, 0.01, 0.5, 0.9),
        trace("no correction", 5, 5.0, 0.99, 0.9),  # too short, not too long
        trace("no root", 3, 8 / 7, 0.5, 0.9),  # the last step is that of "only v corrected"
        trace("none", 3, 3.0, 0.05, 0.9),  # a short memory of m: these three traces are near two others
        trace("no correction", 3, 3.0, 0.05, 0.9),
        trace("only m corrected", 3, -3.0, 0.05, 0.9),
    )


# --- 3 · the rate for a limit ----------------------------------------------------------------------


def largest_rate(limit: float, steps: int, beta1: float, beta2: float) -> float:
    def weights(q: float) -> float:  # 1 + q + ... + q**(steps - 1)
        return sum(q**k for k in range(steps))

    longest: float = (weights(beta1**2 / beta2) * weights(beta2)) ** 0.5 / weights(beta1)
    return limit / longest


def _the_limit(limit: float, steps: int, beta1: float, beta2: float) -> float:
    return limit


def _for_ever(limit: float, steps: int, beta1: float, beta2: float) -> float:
    if beta1**2 >= beta2:
        return 0.0
    return limit * math.sqrt((1 - beta2) * (1 - beta1**2 / beta2)) / (1 - beta1)


def _lone_gradient(limit: float, steps: int, beta1: float, beta2: float) -> float:
    return limit * math.sqrt(1 - beta2) / (1 - beta1)


def _two_cases(limit: float, steps: int, beta1: float, beta2: float) -> float:
    """The bound of Kingma & Ba."""
    return min(limit, _lone_gradient(limit, steps, beta1, beta2))


def _for_ever_at_any_beta(limit: float, steps: int, beta1: float, beta2: float) -> float:
    return limit * math.sqrt((1 - beta2) * (1 - beta1**2 / beta2)) / (1 - beta1)


def _multiplied(limit: float, steps: int, beta1: float, beta2: float) -> float:
    return limit * limit / largest_rate(limit, steps, beta1, beta2)


def _root_forgotten(limit: float, steps: int, beta1: float, beta2: float) -> float:
    return limit / (limit / largest_rate(limit, steps, beta1, beta2)) ** 2


def _without_dividing(limit: float, steps: int, beta1: float, beta2: float) -> float:
    def weights(q: float) -> float:
        return sum(q**k for k in range(steps))

    return limit / (math.sqrt(weights(beta1**2) * weights(beta2)) / weights(beta1))


def _one_weight_more(limit: float, steps: int, beta1: float, beta2: float) -> float:
    return largest_rate(limit, steps + 1, beta1, beta2)


# --- 4 · reports -----------------------------------------------------------------------------------


def believable(reports: list[dict]) -> list[str]:  # type: ignore[type-arg]
    def inside(losses: list[float]) -> bool:
        kept = [k for k in range(len(losses)) if losses[k] == losses[k]]  # NaN is not equal to itself
        best = min(kept, key=lambda k: losses[k])
        return 0 < best < len(losses) - 1

    return [
        report["name"]
        for report in reports
        if inside(report["losses_a"])
        and inside(report["losses_b"])
        and not set(report["tuned_on"]) & set(report["compared_on"])
        and report["interval"][0] > 0
    ]


def _best(losses: list[float]) -> int:
    kept = [k for k, loss in enumerate(losses) if loss == loss]
    return min(kept, key=lambda k: losses[k])


def _judged(
    reports: list[Report], *, a: bool, b: bool, seeds: bool, interval: str, edges: str = "both"
) -> list[str]:
    """The names that pass when only some of the rules, or of the edges, are asked."""
    found = []
    for report in reports:
        low, high = report["interval"]
        passes = {
            "low": low > 0, "high": high > 0, "mean": low + high > 0, "below": high < 0, "touch": low >= 0,
        }  # fmt: skip
        good = passes[interval]
        for asked, losses in ((a, report["losses_a"]), (b, report["losses_b"])):
            best, last = _best(losses), len(losses) - 1
            left, right = edges == "right" or best > 0, edges == "left" or best < last
            good &= not asked or (left and right)
        good &= not seeds or not set(report["tuned_on"]) & set(report["compared_on"])
        found += [report["name"]] if good else []
    return found


def _edges_passed(reports: list[Report]) -> list[str]:
    return _judged(reports, a=False, b=False, seeds=True, interval="low")


def _left_edge_only(reports: list[Report]) -> list[str]:
    return _judged(reports, a=True, b=True, seeds=True, interval="low", edges="left")


def _right_edge_only(reports: list[Report]) -> list[str]:
    return _judged(reports, a=True, b=True, seeds=True, interval="low", edges="right")


def _high_decides(reports: list[Report]) -> list[str]:
    return _judged(reports, a=True, b=True, seeds=True, interval="high")


def _only_a_bracketed(reports: list[Report]) -> list[str]:
    return _judged(reports, a=True, b=False, seeds=True, interval="low")


def _seeds_passed(reports: list[Report]) -> list[str]:
    return _judged(reports, a=True, b=True, seeds=False, interval="low")


def _mean_decides(reports: list[Report]) -> list[str]:
    return _judged(reports, a=True, b=True, seeds=True, interval="mean")


def _wrong_sign(reports: list[Report]) -> list[str]:
    return _judged(reports, a=True, b=True, seeds=True, interval="below")


def _touching_zero(reports: list[Report]) -> list[str]:
    return _judged(reports, a=True, b=True, seeds=True, interval="touch")


def _nan_is_smallest(reports: list[Report]) -> list[str]:
    """Python's min keeps a NaN that comes first."""
    passing = []
    for name in believable(reports):
        report = next(one for one in reports if one["name"] == name)
        starts = [losses[0] for losses in (report["losses_a"], report["losses_b"])]
        passing += [name] if all(loss == loss for loss in starts) else []
    return passing


def _reports() -> Inputs:
    nan = float("nan")

    def report(
        name: str, a: list[float], b: list[float], *, tuned: Any, seen: Any, low: float, high: float
    ) -> Report:
        return {
            "name": name, "losses_a": a, "losses_b": b, "tuned_on": tuned, "compared_on": seen,
            "interval": (low, high),
        }  # fmt: skip

    valley, falling, rising = [0.9, 0.4, 0.3, 0.5], [0.9, 0.6, 0.5, 0.4], [0.2, 0.3, 0.5, 0.8]
    far, near = [100, 101, 102], [0, 1, 2, 3]
    good = report("good", valley, [0.8, 0.5, 0.6], tuned=far, seen=near, low=0.02, high=0.09)
    return (
        (
            [
                good,
                report("b falls", valley, falling, tuned=far, seen=near, low=0.1, high=0.3),
                report("a rises", rising, valley, tuned=far, seen=near, low=0.1, high=0.2),
                report("a falls", falling, valley, tuned=far, seen=near, low=0.1, high=0.2),
                report("b rises", valley, rising, tuned=far, seen=near, low=0.1, high=0.2),
                report("late", [0.7, 0.6, 0.2, 0.9], valley, tuned=far, seen=near, low=0.001, high=0.002),
            ],
        ),
        (
            [
                report("same seeds", valley, valley, tuned=near, seen=near, low=0.1, high=0.2),
                report("one seed", valley, valley, tuned=[7, 8, 9], seen=[9, 10, 11], low=0.1, high=0.2),
                report("apart", valley, valley, tuned=[7, 8], seen=[9, 10, 11], low=0.1, high=0.2),
                report("in turn", valley, valley, tuned=[1, 3], seen=[2, 4], low=0.1, high=0.2),
            ],
        ),
        (
            [
                report("holds zero", valley, valley, tuned=far, seen=near, low=-0.01, high=0.2),
                report("hardly", valley, valley, tuned=far, seen=near, low=-0.2, high=0.01),
                report("touches zero", valley, valley, tuned=far, seen=near, low=0.0, high=0.2),
                report("other way", valley, valley, tuned=far, seen=near, low=-0.2, high=-0.1),
                good,
            ],
        ),
        (
            [
                report("ends in nan", [0.5, 0.3, nan], [0.9, 0.4, 0.6, nan], tuned=far, seen=near, low=0.1, high=0.2),
                report("nan at the edge", [0.9, 0.5, 0.4, nan], [nan, 0.3, 0.5], tuned=far, seen=near, low=0.1, high=0.2),
                report("nan first in a", [nan, 0.4, 0.3, 0.5], valley, tuned=far, seen=near, low=0.1, high=0.2),
                report("best before nan", [0.3, 0.5, nan], valley, tuned=far, seen=near, low=0.1, high=0.2),
            ],
        ),
        ([report("alone", falling, rising, tuned=near, seen=near, low=-1.0, high=1.0)],),
    )  # fmt: skip


# --- 5 · towards research: one v for a row ---------------------------------------------------------


def steps_with_row_v(pairs: torch.Tensor, lr: float) -> int:
    share = pairs.sum(1, keepdim=True)
    next_word = pairs / share
    w, m, v = torch.zeros_like(pairs), torch.zeros_like(pairs), torch.zeros_like(share)
    first, t = None, 0
    while True:
        log_p = w.log_softmax(1)
        loss = (pairs * (next_word.log() - log_p)).sum()
        first = loss if first is None else first
        if loss <= first / 1000:
            return t
        t += 1
        g = share * log_p.exp() - pairs
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * (g**2).mean(1, keepdim=True)
        w = w - lr * m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)


def _counted(
    pairs: torch.Tensor, lr: float, *, dim: Any, target: float = 1e-3, corrected: bool = True
) -> int:
    """Steps with the mean of g² taken over `dim` (None: Adam's own v)."""
    share = pairs.sum(1, keepdim=True)
    w, m, v = torch.zeros_like(pairs), torch.zeros_like(pairs), torch.zeros_like(pairs)
    first = None
    for t in range(1, 4000):
        log_p = w.log_softmax(1)
        loss = float((pairs * ((pairs / share).log() - log_p)).sum())
        first = loss if first is None else first
        if loss <= target * first:
            return t - 1
        g = share * log_p.exp() - pairs
        size = g**2 if dim is None else (g**2).mean(dim, keepdim=True)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * size
        both = (1 - 0.9**t, 1 - 0.999**t) if corrected else (1.0, 1.0)
        w = w - lr * m / both[0] / ((v / both[1]).sqrt() + 1e-8)
    return 4000


def _full_v(pairs: torch.Tensor, lr: float) -> int:
    return _counted(pairs, lr, dim=None)


def _v_per_column(pairs: torch.Tensor, lr: float) -> int:
    return _counted(pairs, lr, dim=0)


def _one_v_for_all(pairs: torch.Tensor, lr: float) -> int:
    return _counted(pairs, lr, dim=(0, 1))


def _to_a_hundredth(pairs: torch.Tensor, lr: float) -> int:
    return _counted(pairs, lr, dim=1, target=1e-2)


def _uncorrected(pairs: torch.Tensor, lr: float) -> int:
    return _counted(pairs, lr, dim=1, corrected=False)


def _one_late(pairs: torch.Tensor, lr: float) -> int:
    return steps_with_row_v(pairs, lr) + 1


def _tables() -> Inputs:
    generator = torch.Generator().manual_seed(71)

    def table(V: int, before: float, after: float) -> torch.Tensor:
        rank = torch.arange(1, V + 1, dtype=torch.float64)
        shares = rank**-before / (rank**-before).sum()
        taste = torch.randn(V, V, generator=generator, dtype=torch.float64)
        return shares[:, None] * (taste - after * rank.log()).softmax(1)

    return (
        (table(24, 1.0, 1.0), 0.4),
        (table(40, 1.5, 0.5), 0.2),
        (table(16, 0.5, 1.5), 0.8),
        (table(64, 1.0, 1.0), 0.3),
    )


EXERCISES = (
    Exercise(
        "07.adam_step",
        title="One step of Adam",
        prompt="Return the new point and both averages, as a tuple, after step t (t is 1 at the first step). p, m, v "
        "and g are tensors of one shape; leave them as they are.",
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
            Wrong(_eps_inside, "eps is inside the root. It is added to the root, in units of the gradient."),
            Wrong(
                _no_root,
                "You divide by v_hat and not by its root: the smaller the gradient, the longer the step.",
            ),
            Wrong(
                _eps_before_correction,
                "eps is added to the root of v, before the correction. It is added to the root of v_hat.",
            ),
            Wrong(_uphill, "The step goes up the gradient."),
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
        "07.name_fault",
        title="This run is broken: find why",
        prompt="Given the lengths of the first steps under a steady gradient g (lr = 1, eps = 0), return the fault: "
        '"none", "no correction", "only m corrected", "only v corrected" or "no root". Floats are not exact: '
        "return the fault whose steps are nearest.",
        kind="core",
        minutes=10,
        inputs=_traces,
        solution=name_fault,
        wrong=(
            Wrong(
                _by_first_step,
                "These are the names that the first step alone suggests. Two faults can share it: with "
                "(1 - beta1)² = 1 - beta2 an uncorrected run even begins with a step of 1.",
            ),
            Wrong(
                _by_last_step,
                "These are the names that the last step alone suggests. Compare whole traces.",
            ),
            Wrong(
                _m_and_v_swapped,
                "m and v are swapped: m too small makes steps short, v too small makes them long.",
            ),
            Wrong(
                _long_is_uncorrected,
                "Too long need not mean uncorrected, and too short need not mean m. Compute what each fault "
                "would give at each t.",
            ),
            Wrong(
                _default_betas, "The traces come with betas of their own; these names go with 0.9 and 0.999."
            ),
            Wrong(
                _sign_of_g, "Lengths have no sign: without the root they are 1 / |g|, also for a negative g."
            ),
        ),
        hints=(
            "Under a steady gradient m = (1 - beta1**t) g and v = (1 - beta2**t) g². Work out m / sqrt(v).",
            "No fault: 1. No correction: (1 - beta1**t) / sqrt(1 - beta2**t). Without the root the unit of g is left.",
            "Compute the trace of each fault, and return the name of the one nearest to `steps`.",
        ),
        stub='''def name_fault(steps, g, beta1, beta2):
    """The fault as a string; steps: lengths of steps 1, 2, ... (floats) under the gradient g (a float)."""
    ...
''',
        note="A steady gradient is the cheapest test bench for an optimizer: every step of Adam is lr.",
    ),
    Exercise(
        "07.largest_rate",
        title="Choose the rate",
        prompt="Return the largest lr at which no coordinate moves by more than `limit` in any of the first `steps` "
        "steps, whatever the gradients (eps = 0, 0 <= beta1 < 1, 0 < beta2 < 1).",
        kind="core",
        minutes=10,
        inputs=(
            (0.01, 1000, 0.9, 0.999),
            (0.5, 1, 0.9, 0.99),
            (0.1, 20, 0.5, 0.9),
            (1.0, 30, 0.9, 0.8),
            (0.002, 50, 0.0, 0.95),
            (0.3, 8, 0.95, 0.95),
            (0.2, 12, 0.5, 0.25),  # beta1² = beta2
        ),
        solution=largest_rate,
        wrong=(
            Wrong(
                _the_limit, "This is safe under steady gradients only. Gradients that grow make longer steps."
            ),
            Wrong(
                _for_ever,
                "This is safe for ever, and more careful than it need be: the bound of the first steps is lower. "
                "(Where beta1² >= beta2 it would forbid every rate.)",
            ),
            Wrong(
                _lone_gradient, "This is for one gradient after a long silence. Growing gradients go further."
            ),
            Wrong(
                _two_cases,
                "This is the bound of Kingma & Ba, in two cases. Growing gradients make steps longer than it says.",
            ),
            Wrong(
                _for_ever_at_any_beta,
                "This is the bound for all times, and there is one only where beta1² < beta2: elsewhere its root fails. "
                "Asked for is that of the first steps.",
            ),
            Wrong(_multiplied, "Upside down: a longest step above lr asks for a rate below the limit."),
            Wrong(_root_forgotten, "The root of the bound is missing."),
            Wrong(_without_dividing, "In the bound beta1² is divided by beta2."),
            Wrong(
                _one_weight_more,
                "One step too many: after t steps the sums have t terms, from q^0 to q^(t-1).",
            ),
        ),
        hints=(
            "The longest step of step t, in units of lr, is in the folded derivation. It grows with t.",
            "sqrt(S(beta1²/beta2) S(beta2)) / S(beta1) with S(q) = 1 + q + ... + q^(t-1), at t = steps.",
            "return limit / longest",
        ),
        stub='''def largest_rate(limit, steps, beta1, beta2):
    """The largest safe lr, as a float; limit: a float > 0, steps: an int >= 1."""
    ...
''',
        note="With beta1² > beta2 there is no bound for all times, but one for any number of steps.",
    ),
    Exercise(
        "07.believable",
        title="Which reports may be believed?",
        prompt="Return the names of the reports whose best rates are inside their grids (for A and for B), whose tuning "
        "and comparing share no seed, and whose interval of B - A lies above zero. NaN is a run that diverged.",
        kind="core",
        minutes=7,
        inputs=_reports,
        solution=believable,
        wrong=(
            Wrong(_edges_passed, "Rates at the edge of a grid pass here: nobody knows what lies beyond."),
            Wrong(_left_edge_only, "A best rate at the right end of its grid passes here."),
            Wrong(_right_edge_only, "A best rate at the left end of its grid passes here."),
            Wrong(
                _only_a_bracketed,
                "Only A's grid is looked at. It is B, the loser, whose rate is easily too poor.",
            ),
            Wrong(
                _seeds_passed,
                "Seeds that both tuned and compared pass here. One shared seed is one too many.",
            ),
            Wrong(
                _mean_decides,
                "The mean decides here. An interval that holds zero says that it may be nothing.",
            ),
            Wrong(_high_decides, "The upper end decides here. The whole interval must lie above zero."),
            Wrong(_wrong_sign, "The sign is turned: the difference is B - A, and a lower loss is better."),
            Wrong(
                _touching_zero,
                "An interval that begins at zero passes here. It lies above zero where low > 0.",
            ),
            Wrong(
                _nan_is_smallest,
                "A NaN at the start of a grid is taken for its smallest loss: min() keeps a NaN that comes first.",
            ),
        ),
        hints=(
            "Write the three questions as three conditions on one report; a list comprehension does the rest.",
            "The best rate is the index of the lowest loss that is not NaN; x != x only for a NaN.",
            "0 < best < len(losses) - 1, for A and for B; set(tuned_on) & set(compared_on); interval[0] > 0.",
        ),
        stub='''def believable(reports):
    """A list of names; a report is a dict with name, losses_a, losses_b, tuned_on, compared_on, interval."""
    ...
''',
        note="Two lists of losses, two of seeds, one interval: ask for them before you change your optimizer.",
    ),
    Exercise(
        "07.steps_with_row_v",
        title="Half the memory?",
        prompt="Adam with one v for each row of the table (the mean of g² over the row), default betas and eps, zero "
        "logits at first. Return the number of steps after which the loss above its lowest is at most a thousandth of its first "
        "value.",
        kind="extra",
        minutes=20,
        inputs=_tables,
        solution=steps_with_row_v,
        wrong=(
            Wrong(_full_v, "This is Adam with all its v: one number for each logit, not for each row."),
            Wrong(_v_per_column, "This is one v for each column. A row is a word before."),
            Wrong(_one_v_for_all, "This is one v for the whole table: the rare words are late again."),
            Wrong(_to_a_hundredth, "This is a hundredth of the first loss."),
            Wrong(_uncorrected, "This is without bias correction."),
            Wrong(
                _one_late,
                "One too many: the loss is measured before a step, so the first loss belongs to 0 steps.",
            ),
        ),
        hints=(
            "Copy the loop of `train` for one rate. v has the shape (V, 1), and broadcasting does the rest.",
            "v = 0.999 * v + 0.001 * (g**2).mean(1, keepdim=True); m stays as it is.",
            "Measure the loss above its lowest before each step; return t as soon as it is at most first / 1000.",
        ),
        stub='''def steps_with_row_v(pairs, lr):
    """The number of steps, as an int; pairs: shares (V, V), float64, all above zero."""
    ...
''',
        note="To a thousandth about as many as with all of v; for far lower losses Adam's own v is ahead. Methods that "
        "keep one number for a block of weights build on this.",
    ),
)

QUIZZES = (
    Quiz(
        "07.rare_words",
        "A table predicts the next word from the word before. Words are as unequal as in a real text, every step sees "
        "all data, and momentum runs at its best rate. Which rows of the table are furthest above their lowest possible "
        "loss after 100 steps?",
        (
            (
                "all about the same: full batches have no noise",
                "There is no noise, but the rows have gradients of very different size.",
                False,
            ),
            (
                "those of common words: they make up most of the loss",
                "At first they do. But their gradients are the largest, and the rate is made for them.",
                False,
            ),
            (
                "those of rare words: their gradients are small, and one rate serves all",
                "Each row's gradient carries the share of its word as a factor. The lesson measures what that costs.",
                True,
            ),
            (
                "those whose next word is hardest to guess",
                "Their lowest possible loss is higher, but it is reached as fast as any.",
                False,
            ),
        ),
    ),
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
                "(1 - β₁) / sqrt(1 - β₂) = √10 = 3.16. And it gets worse before it gets better.",
                True,
            ),
            (
                "a thousand times too long",
                "v is a thousand times too small, but the step divides by its root, and m is ten times too small.",
                False,
            ),
        ),
    ),
)
