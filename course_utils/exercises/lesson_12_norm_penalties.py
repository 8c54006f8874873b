"""Exercises of lesson 12: why does L1 give zeros?

Losses are means of squared residuals, without 1/2; penalties are l1 * sum |p| and l2 * sum p**2, without 1/2.
"""

from __future__ import annotations

from typing import Any

import torch

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong


def _draw(*shape: int, seed: int = 12) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _soft(x: torch.Tensor, t: float) -> torch.Tensor:
    return x.sign() * (x.abs() - t).clamp(min=0)


# --- 1 · the elastic net's step --------------------------------------------------------------------


def elastic_step(p: torch.Tensor, g: torch.Tensor, lr: float, l1: float, l2: float) -> torch.Tensor:
    q = p - lr * g
    q = q.sign() * (q.abs() - lr * l1).clamp(min=0)
    return q / (1 + 2 * lr * l2)


def _two_missing(p: torch.Tensor, g: torch.Tensor, lr: float, l1: float, l2: float) -> torch.Tensor:
    return _soft(p - lr * g, lr * l1) / (1 + lr * l2)


def _linearised(p: torch.Tensor, g: torch.Tensor, lr: float, l1: float, l2: float) -> torch.Tensor:
    return _soft(p - lr * g, lr * l1) * (1 - 2 * lr * l2)


def _shrunk_first(p: torch.Tensor, g: torch.Tensor, lr: float, l1: float, l2: float) -> torch.Tensor:
    return _soft((p - lr * g) / (1 + 2 * lr * l2), lr * l1)


def _no_rate_in_l2(p: torch.Tensor, g: torch.Tensor, lr: float, l1: float, l2: float) -> torch.Tensor:
    return _soft(p - lr * g, lr * l1) / (1 + 2 * l2)


def _no_rate_in_l1(p: torch.Tensor, g: torch.Tensor, lr: float, l1: float, l2: float) -> torch.Tensor:
    return _soft(p - lr * g, l1) / (1 + 2 * lr * l2)


def _in_the_gradient(p: torch.Tensor, g: torch.Tensor, lr: float, l1: float, l2: float) -> torch.Tensor:
    return _soft(p - lr * (g + 2 * l2 * p), lr * l1)


def _without_l2(p: torch.Tensor, g: torch.Tensor, lr: float, l1: float, l2: float) -> torch.Tensor:
    return _soft(p - lr * g, lr * l1)


def _sign_lost(p: torch.Tensor, g: torch.Tensor, lr: float, l1: float, l2: float) -> torch.Tensor:
    return elastic_step(p, g, lr, l1, l2).abs()


def _sign_before(p: torch.Tensor, g: torch.Tensor, lr: float, l1: float, l2: float) -> torch.Tensor:
    return p.sign() * elastic_step(p, g, lr, l1, l2).abs()


def _one_sided(p: torch.Tensor, g: torch.Tensor, lr: float, l1: float, l2: float) -> torch.Tensor:
    return (p - lr * g - lr * l1).clamp(min=0) / (1 + 2 * lr * l2)


def _net_steps() -> Inputs:
    p, g = _draw(2, 8, seed=7)
    small = 1e-3 * _draw(2, 3, seed=8)
    edge = torch.tensor([0.5, -0.5, 0.0, 0.25], dtype=torch.float64)  # on the threshold, and zero
    return (
        (p, g, 0.1, 2.0, 1.0),
        # steps that cross zero and end beyond the threshold
        (0.1 * p, 10 * g, 0.5, 0.5, 0.5),
        (p, g, 0.5, 0.5, 3.0),
        (p, g, 0.02, 10.0, 0.3),
        (p, g, 0.2, 1.0, 0.0),
        (p, g, 0.2, 0.0, 1.0),
        (edge, 0 * edge, 0.25, 2.0, 2.0),
        (100 * p.view(2, 4), g.view(2, 4), 2.0, 3.0, 0.01),
        (small[0], small[1], 1e-3, 0.5, 40.0),
    )


# --- 2 · is it the minimum? ------------------------------------------------------------------------


def violation(p: torch.Tensor, g: torch.Tensor, l1: float) -> float:
    moved = (g + l1 * p.sign()).abs()
    resting = (g.abs() - l1).clamp(min=0)
    return torch.where(p == 0, resting, moved).max().item()


def _sign_at_zero(p: torch.Tensor, g: torch.Tensor, l1: float) -> float:
    return (g + l1 * p.sign()).abs().max().item()


def _gradient_alone(p: torch.Tensor, g: torch.Tensor, l1: float) -> float:
    return g.abs().max().item()


def _slack_everywhere(p: torch.Tensor, g: torch.Tensor, l1: float) -> float:
    return (g.abs() - l1).clamp(min=0).max().item()


def _zeros_ignored(p: torch.Tensor, g: torch.Tensor, l1: float) -> float:
    return torch.where(p == 0, torch.zeros_like(g), (g + l1 * p.sign()).abs()).max().item()


def _zeros_cut_out(p: torch.Tensor, g: torch.Tensor, l1: float) -> float:
    return (g + l1 * p.sign()).abs()[p != 0].max().item()


def _minus_sign(p: torch.Tensor, g: torch.Tensor, l1: float) -> float:
    resting = (g.abs() - l1).clamp(min=0)
    return torch.where(p == 0, resting, (g - l1 * p.sign()).abs()).max().item()


def _below_zero(p: torch.Tensor, g: torch.Tensor, l1: float) -> float:
    return torch.where(p == 0, g.abs() - l1, (g + l1 * p.sign()).abs()).max().item()


def _added_up(p: torch.Tensor, g: torch.Tensor, l1: float) -> float:
    resting = (g.abs() - l1).clamp(min=0)
    return torch.where(p == 0, resting, (g + l1 * p.sign()).abs()).sum().item()


def _points() -> Inputs:
    def case(p: list[float], g: list[float], l1: float) -> tuple[Any, ...]:
        return torch.tensor(p, dtype=torch.float64), torch.tensor(g, dtype=torch.float64), l1

    return (
        case([1.0, -2.0, 0.0, 0.0], [-1.0, 1.0, 0.3, -0.9], 1.0),
        case([1.0, -2.0, 0.0, 0.0], [-1.0, 1.0, 0.3, -1.5], 1.0),
        case([1.0, -2.0, 0.0, 0.0], [-0.75, 1.0, 0.9, 0.0], 1.0),
        case([1.0, -2.0, 0.0, 0.0], [-1.0, 1.25, 0.1, 1.125], 1.0),
        case([0.0, 0.0], [0.2, -0.1], 0.5),  # all zero, and the loss pulls with less
        case([0.0, 0.0], [0.5, -0.5], 0.5),
        case([0.0, 0.0, 0.0], [-30.0, 8.0, 20.0], 5.0),
        case([1e-9, -1e-9], [-2.0, -2.0], 2.0),  # small is not zero
        case([3.0], [-0.01], 0.0),
        case([-4.0, 0.5, 0.0], [0.002, 0.001, 0.004], 0.003),
    )


# --- 3 · name the fault ----------------------------------------------------------------------------


def name_fault(points: list[float], grads: list[float], lr: float, l1: float) -> str:
    def soft(a: float, s: float) -> float:
        return a - s if a > s else a + s if a < -s else 0.0

    def following(fault: str, p: float, g: float) -> float:
        q, t = p - lr * g, lr * l1
        sign = (p > 0) - (p < 0)
        return {
            "none": soft(q, t),
            "no rate": soft(q, l1),
            "hard": q if abs(q) > t else 0.0,
            "threshold first": soft(p, t) - lr * g,
            "subgradient": q - t * sign,
        }[fault]

    def gap(fault: str) -> float:
        steps = zip(points, points[1:], grads, strict=False)
        return sum(abs(after - following(fault, before, g)) for before, after, g in steps)

    return min(("none", "no rate", "hard", "threshold first", "subgradient"), key=gap)


def _by(points: list[float], grads: list[float], lr: float, l1: float, steps: slice) -> str:
    """The fault that a few of the steps suggest."""
    k = range(len(grads))[steps]
    return name_fault(points[k[0] : k[-1] + 2], grads[k[0] : k[-1] + 1], lr, l1)


def _by_first_step(points: list[float], grads: list[float], lr: float, l1: float) -> str:
    return _by(points, grads, lr, l1, slice(0, 1))


def _by_last_step(points: list[float], grads: list[float], lr: float, l1: float) -> str:
    return _by(points, grads, lr, l1, slice(-1, None))


def _zero_is_right(points: list[float], grads: list[float], lr: float, l1: float) -> str:
    return "none" if 0.0 in points[1:] else "subgradient"


def _own_path(points: list[float], grads: list[float], lr: float, l1: float) -> str:
    """Each fault followed along its own path, from the first point."""
    names = ("none", "no rate", "hard", "threshold first", "subgradient")

    def gap(fault: str) -> float:
        p, total = points[0], 0.0
        for g, after in zip(grads, points[1:], strict=True):
            p = _following(fault, p, g, lr, l1)
            total += abs(after - p)
        return total

    return min(names, key=gap)


def _following(fault: str, p: float, g: float, lr: float, l1: float) -> float:
    def soft(a: float, s: float) -> float:
        return a - s if a > s else a + s if a < -s else 0.0

    q, t = p - lr * g, lr * l1
    return {
        "none": soft(q, t), "no rate": soft(q, l1), "hard": q if abs(q) > t else 0.0,
        "threshold first": soft(p, t) - lr * g, "subgradient": q - t * ((p > 0) - (p < 0)),
    }[fault]  # fmt: skip


def _signed_gaps(points: list[float], grads: list[float], lr: float, l1: float) -> str:
    names = ("none", "no rate", "hard", "threshold first", "subgradient")

    def gap(fault: str) -> float:
        steps = zip(points, points[1:], grads, strict=False)
        return abs(sum(after - _following(fault, before, g, lr, l1) for before, after, g in steps))

    return min(names, key=gap)


def _only_above(points: list[float], grads: list[float], lr: float, l1: float) -> str:
    """A threshold that does not know negative numbers."""
    found = name_fault([max(p, 0.0) for p in points], grads, lr, l1)
    return found if any(p > 0 for p in points) else "none"


def _traces() -> Inputs:
    def trace(
        fault: str, a: float, p: float, lr: float, l1: float, count: int, *, jolts: float = 0.0
    ) -> tuple[Any, ...]:
        """The loss is (p - a)**2, shaken a little, as by a batch; every third point may be pushed off."""
        points, grads = [p], []
        for t in range(count):
            grads.append(2 * (p - a) + 0.1 * (-1) ** t)
            p = _following(fault, p, grads[-1], lr, l1) + (jolts if t % 3 == 2 else 0.0)
            points.append(round(p, 10))
        return points, grads, lr, l1

    return (
        trace("none", 0.3, 2.0, 0.2, 1.0, 8),
        trace("none", -3.0, 1.0, 0.1, 2.0, 6),
        trace("no rate", 2.0, 3.0, 0.1, 0.5, 6),
        trace("no rate", -2.0, -3.0, 0.1, 0.5, 6),
        trace("hard", 0.9, -1.0, 0.3, 1.5, 8),
        trace("hard", 2.0, 4.0, 0.1, 2.0, 5),
        trace("threshold first", 0.3, 1.0, 0.2, 1.5, 9),
        trace("threshold first", -0.3, 0.2, 0.1, 1.0, 7),
        trace("subgradient", 0.2, 1.0, 0.2, 1.0, 8),
        trace("subgradient", -0.1, -0.4, 0.25, 2.0, 9),
        trace("subgradient", 0.0, 2.0, 0.1, 0.4, 14),  # at first it steps as the proximal run would
        trace("subgradient", 0.0, 2.0, 0.1, 0.4, 12),  # the last step alone tells it from "threshold first"
        trace("none", 0.0, 2.0, 0.1, 0.4, 30),
        trace("none", 40.0, -90.0, 0.05, 300.0, 8),
        trace("no rate", 0.002, 0.01, 0.3, 0.001, 5),
        trace("hard", -1.0, -0.5, 0.25, 1.0, 4),
        trace("threshold first", 1.0, 0.0, 0.5, 3.0, 3),
        trace("subgradient", 1.0, 0.0, 0.5, 3.0, 3),
        # pushed off: who follows each fault along its own path loses the run
        trace("none", 0.3, 2.0, 0.2, 1.0, 9, jolts=-1.0),
        trace("subgradient", 0.2, 1.0, 0.2, 1.0, 9, jolts=-0.5),
        trace("hard", 2.0, 4.0, 0.1, 2.0, 9, jolts=-0.5),
    )


# --- 4 · choose the strength -----------------------------------------------------------------------


def smallest_l1(x: torch.Tensor, y: torch.Tensor, k: int) -> float:
    pull = (2 * x.T @ y / len(x)).abs().sort(descending=True).values
    return pull[k].item() if k < len(pull) else 0.0


def _kth_itself(x: torch.Tensor, y: torch.Tensor, k: int) -> float:
    pull = (2 * x.T @ y / len(x)).abs().sort(descending=True).values
    return pull[k - 1].item() if k > 0 else pull[0].item()


def _all_stay_forgotten(x: torch.Tensor, y: torch.Tensor, k: int) -> float:
    return (2 * x.T @ y / len(x)).abs().sort(descending=True).values[k].item()


def _last_goes(x: torch.Tensor, y: torch.Tensor, k: int) -> float:
    return smallest_l1(x, y, min(k, x.shape[1] - 1))


def _half(x: torch.Tensor, y: torch.Tensor, k: int) -> float:
    return smallest_l1(x, y, k) / 2


def _not_a_mean(x: torch.Tensor, y: torch.Tensor, k: int) -> float:
    return smallest_l1(x, y, k) * len(x)


def _signed_pull(x: torch.Tensor, y: torch.Tensor, k: int) -> float:
    pull = (2 * x.T @ y / len(x)).sort(descending=True).values
    return max(pull[k].item(), 0.0) if k < len(pull) else 0.0


def _smallest_first(x: torch.Tensor, y: torch.Tensor, k: int) -> float:
    pull = (2 * x.T @ y / len(x)).abs().sort().values
    return pull[k].item() if k < len(pull) else 0.0


def _largest_l1(x: torch.Tensor, y: torch.Tensor, k: int) -> float:
    return smallest_l1(x, y, 0)


def _different_ones(x: torch.Tensor, y: torch.Tensor, k: int) -> float:
    pull = sorted({round(v, 9) for v in (2 * x.T @ y / len(x)).abs().tolist()}, reverse=True)
    return pull[k] if k < len(pull) else 0.0


def _orthonormal() -> Inputs:
    def table(n: int, weights: list[float], seed: int, noise: float = 0.0) -> tuple[Any, ...]:
        q = torch.linalg.qr(_draw(n, len(weights), seed=seed)).Q * n**0.5
        y = q @ torch.tensor(weights, dtype=torch.float64)
        return q, y + noise * _draw(n, seed=seed + 1)

    first = table(12, [2.0, -0.5, 1.0, -3.0], 1)
    noisy = table(40, [0.3, -0.2, 0.0, 4.0, -1.0, 0.5], 3, noise=1.0)
    # signs as columns: here ties are exact
    signs = torch.tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=torch.float64)
    tied = (signs, signs @ torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64))
    small = table(7, [-1e-3, 2e-3, -5e-4], 5)
    return (
        *((*first, k) for k in range(5)),
        *((*noisy, k) for k in (0, 2, 3, 5, 6)),
        *((*tied, k) for k in range(4)),
        *((*small, k) for k in (0, 1, 2)),
    )


# --- 5 · towards research: two weights for one -----------------------------------------------------


def factored(x: torch.Tensor, y: torch.Tensor, l2: float) -> torch.Tensor:
    n = len(x)
    lr = 1 / (2 * torch.linalg.eigvalsh(x.T @ x / n)[-1])
    theta = x.new_zeros(x.shape[1])
    # For a given product u**2 + v**2 is least at |u| = |v|, where it is 2 * |u * v|: this is the lasso.
    for _ in range(1000):
        a = theta - lr * 2 * x.T @ (x @ theta - y) / n
        theta = a.sign() * (a.abs() - lr * 2 * l2).clamp(min=0)
    return theta


def _lasso(x: torch.Tensor, y: torch.Tensor, l1: float) -> torch.Tensor:
    return factored(x, y, l1 / 2)


def _one_l2(x: torch.Tensor, y: torch.Tensor, l2: float) -> torch.Tensor:
    return _lasso(x, y, l2)


def _squared_l2(x: torch.Tensor, y: torch.Tensor, l2: float) -> torch.Tensor:
    return _lasso(x, y, 4 * l2)


def _ridge_on_product(x: torch.Tensor, y: torch.Tensor, l2: float) -> torch.Tensor:
    n, d = x.shape
    theta: torch.Tensor = torch.linalg.solve(x.T @ x / n + l2 * torch.eye(d, dtype=x.dtype), x.T @ y / n)
    return theta


def _no_penalty(x: torch.Tensor, y: torch.Tensor, l2: float) -> torch.Tensor:
    theta: torch.Tensor = torch.linalg.lstsq(x, y[:, None]).solution[:, 0]
    return theta


def _from_zero(x: torch.Tensor, y: torch.Tensor, l2: float) -> torch.Tensor:
    return x.new_zeros(x.shape[1])


def _half_loss(x: torch.Tensor, y: torch.Tensor, l2: float) -> torch.Tensor:
    return _lasso(x, y, 8 * l2)


def _same_start(x: torch.Tensor, y: torch.Tensor, l2: float) -> torch.Tensor:
    """Gradient descent from u = v = 1: both stay equal, and the product cannot be negative."""
    lr = 1 / (2 * torch.linalg.eigvalsh(x.T @ x / len(x))[-1])
    theta = x.new_zeros(x.shape[1])
    for _ in range(1000):
        theta = (theta - lr * (2 * x.T @ (x @ theta - y) / len(x) + 2 * l2)).clamp(min=0)
    return theta


def _regressions() -> Inputs:
    tables = []
    for seed, n, weights, l2 in (
        (21, 30, [2.0, -1.0, 0.0, 0.0, 0.3], 0.2),
        (22, 50, [-0.5, 0.0, 1.5, 0.0], 0.1),
        (23, 20, [3.0, 0.0, 0.0, -2.0, 0.0, 1.0], 0.5),
    ):
        x = _draw(n, len(weights), seed=seed)
        x[:, 1] += 0.5 * x[:, 0]
        y = x @ torch.tensor(weights, dtype=torch.float64) + 0.3 * _draw(n, seed=seed + 100)
        tables.append((x, y, l2))
    return tuple(tables)


EXERCISES = (
    Exercise(
        "12.elastic_step",
        title="The elastic net's step",
        prompt="Return the point after a gradient step on the loss and the exact proximal step of both penalties: the z that "
        "minimises (z - q)**2 / (2 * lr) + l1 * |z| + l2 * z**2, entry by entry, with q = p - lr * g. p and g are tensors of "
        "one shape; leave them as they are.",
        kind="core",
        minutes=10,
        inputs=_net_steps,
        solution=elastic_step,
        wrong=(
            Wrong(_two_missing, "The slope of l2 * z**2 is 2 * l2 * z: the 2 is missing."),
            Wrong(
                _linearised,
                "This multiplies by 1 - 2 lr l2, the first order of 1 / (1 + 2 lr l2); for a strong l2 it turns the sign.",
            ),
            Wrong(
                _shrunk_first,
                "This divides first and thresholds then: after dividing, the threshold would have to shrink as well.",
            ),
            Wrong(_no_rate_in_l2, "The rate is missing in the division: a smaller step must shrink less."),
            Wrong(
                _no_rate_in_l1,
                "The threshold is l1 without the rate: your penalty is 1 / lr times as strong.",
            ),
            Wrong(
                _in_the_gradient,
                "The L2 part is in the gradient here. That is a method too, but not the one asked for.",
            ),
            Wrong(_without_l2, "This is the lasso's step: l2 takes no part."),
            Wrong(
                _sign_lost, "The sizes are right, but negative entries come back positive: the sign is gone."
            ),
            Wrong(_sign_before, "Where the step crosses zero the sign is that of q, not that of p."),
            Wrong(
                _one_sided,
                "Negative entries all come out as zero: the threshold works on the size, both ways.",
            ),
        ),
        hints=(
            "For z > 0 the objective is smooth: set its derivative to zero.",
            "(z - q) / lr + l1 + 2 * l2 * z = 0 for z > 0. Solve for z, and ask when it is positive.",
            "The soft threshold of q by lr * l1, divided by 1 + 2 * lr * l2.",
        ),
        stub='''def elastic_step(p, g, lr, l1, l2):
    """The next point, a tensor, under loss + l1 * sum |p| + l2 * sum p**2."""
    ...
''',
        note="With l2 = 0 this is ISTA: `optimizer.step()` on the loss, then `proximal_l1_(model, lr * l1)`.",
    ),
    Exercise(
        "12.violation",
        title="Is it the minimum?",
        prompt="g is the loss's gradient at p. Return how far p is from the lasso's condition: 0 where it holds, else the "
        "largest amount by which one weight breaks it, a float.",
        kind="core",
        minutes=8,
        inputs=_points,
        solution=violation,
        wrong=(
            Wrong(
                _sign_at_zero,
                "At zero you take sign(0) = 0, so only g = 0 would pass. There any |g| up to l1 is allowed.",
            ),
            Wrong(
                _gradient_alone,
                "This is max |g|. At the lasso's minimum the loss's gradient is not zero: the penalty holds against it.",
            ),
            Wrong(
                _slack_everywhere,
                "For a weight that is not zero, |g| below l1 is a violation too: g must be -l1 * sign(p).",
            ),
            Wrong(_zeros_ignored, "A zero weight breaks the condition as well, where |g| is larger than l1."),
            Wrong(
                _zeros_cut_out,
                "Zero weights are cut out, and where all are zero no largest is left. They can break the condition, too.",
            ),
            Wrong(_minus_sign, "Where p is not zero both slopes add up to zero: g plus l1 * sign(p)."),
            Wrong(
                _below_zero,
                "Where all is well you return less than 0: |g| below l1 at a zero weight breaks nothing.",
            ),
            Wrong(_added_up, "You add the violations up. The largest one is asked for."),
        ),
        hints=(
            "Two cases: p_j = 0 and p_j ≠ 0. Which |g_j| are allowed in each?",
            "p_j = 0: by how much |g_j| exceeds l1, and 0 if it does not.",
            "torch.where(p == 0, (g.abs() - l1).clamp(min=0), (g + l1 * p.sign()).abs()).max().item()",
        ),
        stub='''def violation(p, g, l1):
    """The largest violation of the lasso's condition, a float >= 0; p, g: tensors (d,), l1: a float >= 0."""
    ...
''',
        note="It is the stopping test to use with a proximal method: the size of g alone never goes to zero.",
    ),
    Exercise(
        "12.name_fault",
        title="This run is broken: find why",
        prompt="One weight was to take proximal steps. Given the points it went through and the gradient of the loss at each, "
        'return the fault (a point here and there may have been pushed off by something else): "none", "no rate" (the threshold is l1), "hard" (what is larger than lr * l1 is kept whole, the '
        'rest is zero), "threshold first" (threshold, then the gradient step) or "subgradient". Return the fault whose next '
        "points, each worked out from the point before in the run, are nearest by the sum of the distances.",
        kind="core",
        minutes=12,
        inputs=_traces,
        solution=name_fault,
        wrong=(
            Wrong(
                _by_first_step,
                "These are the names that the first step alone suggests. Far from zero several faults step alike.",
            ),
            Wrong(
                _by_last_step,
                "These are the names that the last step alone suggests. A weight at zero moves alike under several.",
            ),
            Wrong(
                _zero_is_right,
                "You call a run sound once it has been at zero, and a subgradient run else. Faulty runs reach zero, too, "
                "and where the minimum is not zero a sound one need not.",
            ),
            Wrong(
                _signed_gaps,
                "These are the names that differences with their signs suggest: they cancel. Add up their sizes.",
            ),
            Wrong(
                _own_path,
                "These are the names that come out where each fault runs along its own path from the first point. Start "
                "each step from the point that the run was at.",
            ),
            Wrong(
                _only_above,
                "Points below zero seem to count as zero in yours. A threshold works on the size.",
            ),
        ),
        hints=(
            "Write one function that gives the next point from p, g and the name of a fault.",
            "Start each step from the point that the run was at, not from where the fault would have led.",
            "For each name: the sum of abs(points[t + 1] - following(name, points[t], grads[t])); return the name of the "
            "smallest.",
        ),
        stub='''def name_fault(points, grads, lr, l1):
    """The fault, a string; points: T + 1 floats, grads: T floats, lr and l1: floats > 0."""
    ...
''',
        note='A sound run is the fault "none": test it like the others, so that it has to win.',
    ),
    Exercise(
        "12.smallest_l1",
        title="Choose the strength",
        prompt="The columns of x are orthonormal: x.T @ x = n * I. Return the smallest l1 >= 0 at which the lasso (mean of "
        "squared residuals plus l1 * sum |p|) has at most k weights that are not zero, as a float; k from 0 to d.",
        kind="core",
        minutes=10,
        inputs=_orthonormal,
        solution=smallest_l1,
        wrong=(
            Wrong(
                _kth_itself,
                "At this strength fewer weights are left than k allows: you take one pull too early.",
            ),
            Wrong(
                _all_stay_forgotten,
                "With k = d all weights may stay, and there is no pull at index d. How small may l1 be then?",
            ),
            Wrong(
                _last_goes,
                "Your answer to k = d is that to k = d - 1: the weakest weight goes, though all d may stay.",
            ),
            Wrong(
                _half, "The slope of a square has a factor 2: half of the strength that is needed came out."
            ),
            Wrong(_not_a_mean, "The loss is a mean over n examples: your strength is n times too large."),
            Wrong(_signed_pull, "Columns that pull downwards count as well: sort by size, without the sign."),
            Wrong(
                _smallest_first, "You sort the pulls from below, but weights with the weakest pull go first."
            ),
            Wrong(_largest_l1, "At this strength all weights are zero, whatever k is."),
            Wrong(
                _different_ones,
                "You count equal pulls once. They belong to several weights, which go together.",
            ),
        ),
        hints=(
            "With orthonormal columns g_j = 2 p_j - 2 x_j^T y / n: no weight knows of the others.",
            "Weight j is zero if and only if |2 x_j^T y / n| <= l1.",
            "Sort these sizes from the largest down. The one at index k must be zero; for k = d none must.",
        ),
        stub='''def smallest_l1(x, y, k):
    """The smallest l1, a float; x: (n, d) with x.T @ x = n I and y: (n,), float64 tensors, k: an int."""
    ...
''',
        note="Columns that are not orthonormal help each other: then one fits the whole path and counts.",
    ),
    Exercise(
        "12.factored",
        title="Two weights for one",
        prompt="theta = u * v, entry by entry. Return theta at the lowest minimum of mean (x theta - y)**2 + l2 * (sum u**2 + "
        "sum v**2), a tensor (d,), to within 0.001 in each entry.",
        kind="extra",
        minutes=25,
        inputs=_regressions,
        solution=factored,
        rtol=0.0,
        atol=1e-3,
        wrong=(
            Wrong(_one_l2, "This is what half of the penalty gives: u and v cost l2 each."),
            Wrong(
                _squared_l2,
                "This is what twice the penalty gives. What do u**2 + v**2 cost at least for a product?",
            ),
            Wrong(
                _half_loss,
                "This is what a loss of a quarter of the size gives: the loss is the mean of squares.",
            ),
            Wrong(
                _same_start,
                "No entry is negative. If u and v start equal they stay so, and u * v cannot be below zero.",
            ),
            Wrong(_ridge_on_product, "This is ridge on theta. But u**2 + v**2 is not theta**2."),
            Wrong(_no_penalty, "This is least squares: the penalty takes no part."),
            Wrong(
                _from_zero,
                "All entries are zero. At u = v = 0 the gradient is zero, whatever the data say: start elsewhere.",
            ),
        ),
        hints=(
            "Gradient descent on u and v works, from a start that is not zero. But first: fix a product t = u * v. How small "
            "can u**2 + v**2 be?",
            "(|u| - |v|)**2 >= 0. So u**2 + v**2 >= 2 |t|, and it is reached at |u| = |v|.",
            "This is the lasso with l1 = 2 * l2: take proximal steps on theta.",
        ),
        stub='''def factored(x, y, l2):
    """theta = u * v, a tensor (d,); x: (n, d) and y: (n,), float64 tensors, l2: a float > 0."""
    ...
''',
        note="So weight decay on a product is L1 on what it multiplies out to, and a smooth objective can have its minimum at exact zeros.",
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
        "12.one_ridge_weight",
        "Least squares on ten columns gives one of them a small positive weight. You add l2 * sum p**2 and raise l2 from "
        "zero. What can happen to this weight?",
        (
            (
                "It shrinks towards zero without getting there",
                "That is what happens to a single weight, and to all weights where the columns are not correlated. Here it "
                "need not.",
                False,
            ),
            (
                "It may grow, or change its sign",
                "A weight is a sum of parts that shrink at different paces. Where they nearly cancelled, it grows; on the "
                "diabetes data one becomes 2.4 times as large, with the other sign.",
                True,
            ),
            (
                "It is zero from some l2 on",
                "It may pass through zero, but it does not stay: only a kink can hold it there.",
                False,
            ),
        ),
    ),
)
