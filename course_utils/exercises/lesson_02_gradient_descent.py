"""Exercises of lesson 02: how big a step?"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Function = Callable[[Tensor], Tensor]
Losses = list[list[float]]


def _draw(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- 1 · one step with autograd --------------------------------------------------------------------


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


# --- 2 · name the fault ----------------------------------------------------------------------------


def name_fault(path: list[float], c: float, lr: float) -> str:
    def gap(kind: str) -> float:
        p, piled, total = path[0], 0.0, 0.0
        for seen in path[1:]:
            piled += c * p
            step = {"none": c * p, "uphill": -c * p, "piles up": piled, "half": c * p / 2}[kind]
            p = p - lr * step
            total += abs(p - seen)
        return total

    kind = min(["none", "uphill", "piles up", "half"], key=gap)
    return "rate too high" if kind == "none" and lr * c > 2 else kind


def _by_the_first_step(path: list[float], c: float, lr: float) -> str:
    return name_fault(path[:2], c, lr)


def _growing_is_uphill(path: list[float], c: float, lr: float) -> str:
    found = name_fault(path, c, lr)
    return "uphill" if abs(path[-1]) > abs(path[0]) else found


def _growing_is_the_rate(path: list[float], c: float, lr: float) -> str:
    found = name_fault(path, c, lr)
    return "rate too high" if abs(path[-1]) > abs(path[0]) else found


def _swinging_is_the_rate(path: list[float], c: float, lr: float) -> str:
    found = name_fault(path, c, lr)
    return "rate too high" if found == "none" and lr * c > 1 else found


def _never_the_rate(path: list[float], c: float, lr: float) -> str:
    found = name_fault(path, c, lr)
    return "none" if found == "rate too high" else found


def _rate_alone(path: list[float], c: float, lr: float) -> str:
    return "rate too high" if lr * c > 2 else name_fault(path, c, lr)


def _returning_is_none(path: list[float], c: float, lr: float) -> str:
    found = name_fault(path, c, lr)
    return "none" if abs(path[-1]) < abs(path[0]) else found


def _paths() -> Inputs:
    def path(kind: str, p: float, c: float, lr: float, steps: int) -> tuple[object, ...]:
        found, piled = [p], 0.0
        for _ in range(steps):
            piled += c * p
            p -= lr * {"none": c * p, "uphill": -c * p, "piles up": piled, "half": c * p / 2}[kind]
            found.append(p)
        return found, c, lr

    return (
        path("none", 2.0, 3.0, 0.1, 5),
        path("none", -1.0, 0.5, 3.0, 6),  # swings, and comes in
        path("none", 0.01, 10.0, 0.25, 6),  # too long
        path("none", -3.0, 2.0, 1.02, 3),
        path("uphill", 1.0, 2.0, 0.05, 4),
        path("uphill", -20.0, 1.0, 2.5, 3),
        path("piles up", 5.0, 1.0, 0.3, 6),
        path("piles up", -0.5, 4.0, 0.02, 3),  # not far yet
        path("piles up", 1.0, 1.0, 5.0, 4),  # runs away
        path("half", 3.0, 2.0, 0.2, 5),
        path("half", -2.0, 1.0, 3.0, 4),  # comes in where the right gradient would run away
        path("half", 1.0, 1.0, 4.5, 3),
    )


# --- 3 · choose the rate ---------------------------------------------------------------------------


def choose_rate(rates: list[float], losses: Losses, guess: float) -> float | None:
    def worst(row: list[float]) -> float:
        return max(math.inf if math.isnan(loss) else loss for loss in row)

    best = min(range(len(rates)), key=lambda k: worst(losses[k]))
    for k in range(best, len(rates)):
        if not worst(losses[k]) < guess / 2:
            return rates[k] / 3 if k > best else None
    return None


def _worst(row: list[float]) -> float:
    return max(math.inf if math.isnan(loss) else loss for loss in row)


def _best_of(losses: Losses) -> int:
    return min(range(len(losses)), key=lambda k: _worst(losses[k]))


def _the_best(rates: list[float], losses: Losses, guess: float) -> float | None:
    return None if choose_rate(rates, losses, guess) is None else rates[_best_of(losses)]


def _slow_is_failed(rates: list[float], losses: Losses, guess: float) -> float | None:
    bad = [k for k, row in enumerate(losses) if not _worst(row) < guess / 2]
    return rates[bad[0]] / 3 if bad else None


def _only_nan_fails(rates: list[float], losses: Losses, guess: float) -> float | None:
    best = _best_of(losses)
    bad = [k for k in range(best, len(rates)) if not _worst(losses[k]) < math.inf]
    return rates[bad[0]] / 3 if bad and bad[0] > best else None


def _infinity_passes(rates: list[float], losses: Losses, guess: float) -> float | None:
    best = _best_of(losses)
    bad = [k for k in range(best, len(rates)) if any(map(math.isnan, losses[k]))]
    return rates[bad[0]] / 3 if bad and bad[0] > best else None


def _mean_run(rates: list[float], losses: Losses, guess: float) -> float | None:
    best = _best_of(losses)
    bad = [k for k in range(best, len(rates)) if not sum(losses[k]) / len(losses[k]) < guess / 2]
    return rates[bad[0]] / 3 if bad and bad[0] > best else None


def _best_by_the_mean(rates: list[float], losses: Losses, guess: float) -> float | None:
    means = [sum(row) / len(row) for row in losses]
    best = min(range(len(rates)), key=lambda k: math.inf if math.isnan(means[k]) else means[k])
    bad = [k for k in range(best, len(rates)) if not _worst(losses[k]) < guess / 2]
    return rates[bad[0]] / 3 if bad and bad[0] > best else None


def _all_must_fail(rates: list[float], losses: Losses, guess: float) -> float | None:
    best = _best_of(losses)
    bad = [k for k in range(best, len(rates)) if all(not loss < guess / 2 for loss in losses[k])]
    return rates[bad[0]] / 3 if bad and bad[0] > best else None


def _last_that_worked(rates: list[float], losses: Losses, guess: float) -> float | None:
    found = choose_rate(rates, losses, guess)
    if found is None:
        return None
    return max(rate for rate in rates if rate < 2.999 * found) / 3


def _failing_best(rates: list[float], losses: Losses, guess: float) -> float | None:
    bad = [k for k in range(_best_of(losses) + 1, len(rates)) if not _worst(losses[k]) < guess / 2]
    return rates[bad[0]] / 3 if bad else None


def _nan_passes(rates: list[float], losses: Losses, guess: float) -> float | None:
    best = _best_of(losses)
    bad = [k for k in range(best, len(rates)) if any(loss >= guess / 2 for loss in losses[k])]
    return rates[bad[0]] / 3 if bad and bad[0] > best else None


def _bound_passes(rates: list[float], losses: Losses, guess: float) -> float | None:
    return choose_rate(rates, losses, math.nextafter(guess, math.inf))


def _widen_forgotten(rates: list[float], losses: Losses, guess: float) -> float | None:
    found = choose_rate(rates, losses, guess)
    return rates[-1] / 3 if found is None else found


def _whole_guess(rates: list[float], losses: Losses, guess: float) -> float | None:
    return choose_rate(rates, losses, 2 * guess)


def _without_the_third(rates: list[float], losses: Losses, guess: float) -> float | None:
    found = choose_rate(rates, losses, guess)
    return None if found is None else 3 * found


def _sweeps() -> Inputs:
    nan, inf = math.nan, math.inf
    return (
        (  # slow runs on the left lie above half a guess, too
            [0.01, 0.03, 0.1, 0.3, 1.0, 3.0],
            [[2.1, 2.0], [1.3, 1.2], [0.6, 0.5], [0.2, 0.3], [0.1, 1.9], [2.3, 2.3]],
            2.3,
        ),
        ([0.1, 0.2, 0.4, 0.8], [[0.5, 0.6, 0.7], [0.4, 0.3, 0.2], [0.3, nan, 0.2], [nan, nan, nan]], 2.3),
        ([0.5, 1.0, 2.0, 4.0, 8.0], [[0.9, 0.8], [0.5, 0.6], [0.7, 1.0], [1.4, 1.3], [inf, 5.0]], 2.3),
        ([0.1, 0.2, 0.4], [[0.9, 0.8], [0.5, 0.6], [0.2, 0.1]], 2.3),  # no cliff yet
        ([0.1, 0.2], [[nan, 2.2], [2.3, 2.3]], 2.3),  # all fail
        ([0.02, 0.04, 0.08, 0.16, 0.32], [[0.2], [0.1], [0.36], [0.3], [0.5]], 0.7),
        ([1.0, 3.0, 9.0, 27.0], [[0.1, 0.2, 0.3], [0.1, 0.1, 0.1], [0.1, 0.2, 1.5], [4.0, 0.3, nan]], 2.0),
        # by the mean the third is best
        ([1.0, 2.0, 3.0, 4.0], [[0.5, 0.5], [0.8, 1.2], [0.0, 0.9], [2.0, 2.0]], 2.0),
        ([0.3, 1.0, 3.0], [[0.01, 0.02], [0.3, 0.4], [0.9, 0.3]], 0.69),  # the best is the first
        ([0.1, 0.3, 1.0], [[1.6, 1.5], [1.3, 1.2], [2.3, 2.4]], 2.3),  # the best fails, as does the next
        ([1.0, 2.0, 4.0, 8.0], [[0.5, 0.4], [0.2, 0.3], [0.1, 1.0], [0.9, 1.5]], 2.0),  # one at the bound
    )


# --- 4 · check a gradient --------------------------------------------------------------------------


def check_gradient(f: Function, g: Tensor, p: Tensor, h: float) -> list[str]:
    found = []
    for i in range(len(p)):
        shift = torch.zeros_like(p)
        shift[i] = h
        right, left = (f(p + shift) - f(p)) / h, (f(p) - f(p - shift)) / h
        central = (right + left) / 2
        if abs(right - left) > 0.1:
            found.append("kink")
        elif abs(central - g[i]) <= 1e-5 * max(1.0, float(abs(central))):
            found.append("right")
        else:
            found.append("wrong")
    return found


def _checked(
    f: Function, g: Tensor, p: Tensor, h: float, *, kinks: bool = True, side: str = "both",
    relative: bool = True, floor: float = 1.0, steep: bool = False, at: Callable[[Tensor, int], Tensor] | None = None,
) -> list[str]:  # fmt: skip
    """The check with one thing left out; `at` makes the shift of a coordinate."""
    found = []
    for i in range(len(p)):
        shift = h * torch.eye(len(p), dtype=p.dtype)[i] if at is None else at(p, i)
        right, left = (f(p + shift) - f(p)) / h, (f(p) - f(p - shift)) / h
        slope = {"both": (right + left) / 2, "right": right, "double": right + left}[side]
        size = max(floor, float(abs(slope))) if relative else 1.0
        bend = 0.1 * max(1.0, float(abs(slope))) if steep else 0.1
        if kinks and abs(right - left) > bend:
            found.append("kink")
        else:
            found.append("right" if abs(slope - g[i]) <= 1e-5 * size else "wrong")
    return found


def _no_kinks(f: Function, g: Tensor, p: Tensor, h: float) -> list[str]:
    return _checked(f, g, p, h, kinks=False)


def _one_sided(f: Function, g: Tensor, p: Tensor, h: float) -> list[str]:
    return _checked(f, g, p, h, side="right")


def _twice(f: Function, g: Tensor, p: Tensor, h: float) -> list[str]:
    return _checked(f, g, p, h, side="double")


def _absolute(f: Function, g: Tensor, p: Tensor, h: float) -> list[str]:
    return _checked(f, g, p, h, relative=False)


def _only_relative(f: Function, g: Tensor, p: Tensor, h: float) -> list[str]:
    return _checked(f, g, p, h, floor=0.0)


def _kinks_by_size(f: Function, g: Tensor, p: Tensor, h: float) -> list[str]:
    return _checked(f, g, p, h, steep=True)


def _all_at_once(f: Function, g: Tensor, p: Tensor, h: float) -> list[str]:
    return _checked(f, g, p, h, at=lambda p, i: torch.full_like(p, h))


def _sign_passes(f: Function, g: Tensor, p: Tensor, h: float) -> list[str]:
    forward, turned = check_gradient(f, g, p, h), check_gradient(f, -g, p, h)
    return ["right" if "right" in pair else pair[0] for pair in zip(forward, turned, strict=True)]


def _whole_gradient(f: Function, g: Tensor, p: Tensor, h: float) -> list[str]:
    found = check_gradient(f, g, p, h)
    return ["wrong"] * len(p) if "wrong" in found else found


def _rosenbrock(p: Tensor) -> Tensor:
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


def _bumpy(p: Tensor) -> Tensor:
    return (p**3).sum() + (p[:-1] * p[1:] ** 2).sum() + torch.sin(p).prod()


def _steep(p: Tensor) -> Tensor:
    return 1e4 * torch.sin(p).sum()


def _rectified(p: Tensor) -> Tensor:
    return (p.clamp(min=0) * torch.arange(1, len(p) + 1)).sum() + (p**2).sum()


def _leaning(p: Tensor) -> Tensor:
    return 1000 * p.sum() + p.clamp(min=0).sum() + (p**2).sum()


def _square(p: Tensor) -> Tensor:
    return (p**2).sum()


def _hat(p: Tensor) -> Tensor:
    """A kink that bends down, one of 0.15, and two slopes without."""
    return -p[0].abs() + 0.075 * p[1].abs() - 5 * p[2] + p[3] / 2


def _gradients() -> Inputs:
    def exact(f: Function, p: Tensor) -> Tensor:
        gradient: Tensor = torch.func.grad(f)(p)
        return gradient

    def vector(*entries: float) -> Tensor:
        return torch.tensor(entries, dtype=torch.float64)

    at, four, three, bent = (
        vector(-1.2, 1.0),
        _draw(4, seed=42),
        vector(0.4, -1.0, 2.0),
        vector(0.0, -0.5, 0.8, 0.0),
    )
    return (
        (_rosenbrock, vector(-107.8, -88.0), at, 1e-6),  # 200 written for 400
        (_rosenbrock, exact(_rosenbrock, at), at, 1e-6),
        (_bumpy, exact(_bumpy, four) * vector(1, -1, 1, 2), four, 1e-5),
        (_bumpy, exact(_bumpy, four) + vector(0, 1e-3, 0, 0), four, 1e-5),
        (_steep, exact(_steep, three) + vector(0.01, 0.0, 100.0), three, 1e-6),
        (_rectified, vector(0.5, -1.0, 4.6, 0.0), bent, 1e-5),
        (_rectified, vector(0.5, 0.0, 4.6, 2.0), bent, 1e-5),  # 0.5: between the two slopes
        (_leaning, vector(1000.5, 1002.0, 1000.5), vector(0.0, 0.5, 0.0), 1e-5),  # a kink in a steep slope
        (_square, vector(5e-6, 0.002, 2.0), vector(0.0, 0.001, 1.0), 1e-5),  # off by less than 10⁻⁵
        (_hat, vector(0.0, 0.0, -5.00003, 0.500015), vector(0.0, 0.0, 1.0, 1.0), 1e-5),
    )


# --- 5 · towards research: two rates in turn -------------------------------------------------------


def two_rates(mu: float, L: float) -> tuple[float, float]:
    middle, half = (L + mu) / 2, (L - mu) / 2
    reach = half * math.cos(math.pi / 4)  # the roots of Chebyshev's polynomial of degree two
    return 1 / (middle + reach), 1 / (middle - reach)


def _the_best_twice(mu: float, L: float) -> tuple[float, float]:
    return 2 / (L + mu), 2 / (L + mu)


def _the_two_ends(mu: float, L: float) -> tuple[float, float]:
    return 1 / L, 1 / mu


def _long_first(mu: float, L: float) -> tuple[float, float]:
    return two_rates(mu, L)[::-1]


def _halfway(mu: float, L: float) -> tuple[float, float]:
    middle, half = (L + mu) / 2, (L - mu) / 2
    return 1 / (middle + half / 2), 1 / (middle - half / 2)


def _quarters_in_the_logarithm(mu: float, L: float) -> tuple[float, float]:
    return 1 / (L**0.75 * mu**0.25), 1 / (L**0.25 * mu**0.75)


def _safe_and_safest(mu: float, L: float) -> tuple[float, float]:
    return 1 / L, 2 / L


EXERCISES = (
    Exercise(
        "02.train_step",
        title="One step with autograd",
        prompt="Change w in place by one step on the mean of (x @ w - y)², leave that loss's gradient in w.grad, and "
        "return the loss before the step as a float. w.grad may hold something old, or be None.",
        kind="core",
        minutes=8,
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
        "02.name_fault",
        title="This run is broken: find why",
        prompt='Gradient descent on c θ²/2 went along `path`. Return the fault whose path is nearest: "none", "uphill", '
        '"piles up" (the gradients of all steps so far are added up), "half" (the gradient lacks a factor of 2) or, where '
        'the code is right and lr > 2 / c, "rate too high".',
        kind="core",
        minutes=10,
        inputs=_paths,
        solution=name_fault,
        wrong=(
            Wrong(
                _by_the_first_step,
                "You look at the first step only. There the gradients have had nothing to pile up on.",
            ),
            Wrong(
                _growing_is_uphill,
                "Each path that grows is called uphill. Other faults make it grow, too: compare the steps themselves.",
            ),
            Wrong(
                _growing_is_the_rate,
                "Each path that grows is put down to the rate. Other faults make it grow, too.",
            ),
            Wrong(
                _swinging_is_the_rate,
                "A path that swings from side to side and comes in is called broken. Between 1/c and 2/c that is as it should be.",
            ),
            Wrong(_never_the_rate, "A rate above 2 / c passes here as no fault."),
            Wrong(
                _rate_alone,
                "The rate alone decides here. Above 2 / c the code may be broken as well: look at the path first.",
            ),
            Wrong(
                _returning_is_none,
                "Each path that comes nearer passes here. Broken descent may come nearer, too.",
            ),
        ),
        hints=(
            "Make the path of each fault yourself, from path[0], with this c and lr; then compare.",
            "The distance of two paths is the sum of |a - b| over their points; take the fault with the smallest.",
            'If the nearest is the right code: return "rate too high" if lr * c > 2 else "none".',
        ),
        stub='''def name_fault(path, c, lr):
    """The fault, as a string; path: the points θ (floats) from the start on, three steps or more."""
    ...
''',
        note="A curve that falls proves little. A few steps on a problem that you can compute by hand prove much.",
    ),
    Exercise(
        "02.choose_rate",
        title="Choose the rate",
        prompt="losses[k] are the final losses of several nets at rates[k]. A run fails unless its loss is below guess / 2. "
        "The best rate is that whose worst loss is lowest. Return a third of the lowest rate above it at which any run failed; "
        "None where there is none, or where a run fails at the best rate.",
        kind="core",
        minutes=10,
        inputs=_sweeps,
        solution=choose_rate,
        wrong=(
            Wrong(
                _the_best,
                "This is the best rate of the sweep. Asked for is a third of the lowest above it that failed.",
            ),
            Wrong(
                _slow_is_failed,
                "The slow runs at low rates are taken for failed ones. Look only above the best rate.",
            ),
            Wrong(
                _only_nan_fails,
                "Only NaN and infinity count as failed here. A run that stays at a guess has failed, too.",
            ),
            Wrong(
                _infinity_passes,
                "Only NaN counts as failed here. A run whose loss is a number has failed, too, unless it is below guess / 2.",
            ),
            Wrong(_mean_run, "The mean over the runs decides here. One run that fails is enough."),
            Wrong(
                _best_by_the_mean,
                "The rates are ranked by something else than the worst loss of each, as the mean or the median.",
            ),
            Wrong(_failing_best, "Where a run fails at the best rate as well, return None: no rate is safe."),
            Wrong(
                _nan_passes,
                "A NaN passes here: nan >= x is False. Ask whether the loss is not below the bound.",
            ),
            Wrong(_bound_passes, "A loss of exactly guess / 2 is not below it: that run has failed."),
            Wrong(_all_must_fail, "All runs must fail here. One is enough."),
            Wrong(_last_that_worked, "This is a third of the highest rate that worked, not of the next."),
            Wrong(
                _widen_forgotten,
                "Where no rate fails above the best one, nothing is known of the cliff: return None.",
            ),
            Wrong(_whole_guess, "Failed is what is not below half of guess, not guess itself."),
            Wrong(_without_the_third, "This is the lowest rate that failed; asked for is a third of it."),
        ),
        hints=(
            "First the worst loss for each rate. NaN compares with nothing: turn it into infinity.",
            "Find the index of the best rate; then go upwards from the next and stop at the first that fails.",
            "return rates[k] / 3 for the first k > best with worst[k] >= guess / 2, else None.",
        ),
        stub='''def choose_rate(rates, losses, guess):
    """A float or None; rates: rising floats, losses: a list of floats for each rate, NaN if it blew up."""
    ...
''',
        note="It needs a sweep that goes far enough up to fail. Without a failure you do not know how near it is.",
    ),
    Exercise(
        "02.check_gradient",
        title="Which entries are wrong?",
        prompt="g was written by hand as the gradient of f at p. For each coordinate take the two one-sided differences of "
        'step h. Say "kink" where they differ by more than 0.1; else "right" where their mean m has |m - g_i| <= '
        '1e-5 * max(1, |m|), and "wrong" otherwise.',
        kind="core",
        minutes=12,
        inputs=_gradients,
        solution=check_gradient,
        wrong=(
            Wrong(
                _no_kinks,
                "Kinks are not told apart. Where the two sides differ there is no one slope to be right about.",
            ),
            Wrong(
                _one_sided,
                "g is compared with a one-sided difference, whose error is of the size of h. Take the mean of both sides.",
            ),
            Wrong(_twice, "The two sides are added; their mean is half of that."),
            Wrong(
                _absolute,
                "The error is not divided by the size of the slope. A steep function has a large one.",
            ),
            Wrong(
                _only_relative,
                "The error allowed is 1e-5 times the slope, even where the slope is below one: max(1, |m|) is left out.",
            ),
            Wrong(
                _kinks_by_size,
                "The two sides may differ by more on a steep slope here. Asked for is 0.1 everywhere.",
            ),
            Wrong(_all_at_once, "All coordinates move at once. Shift one at a time."),
            Wrong(_sign_passes, "An entry with the wrong sign passes as right."),
            Wrong(_whole_gradient, "One wrong entry condemns all. Say it for each coordinate."),
        ),
        hints=(
            "For coordinate i you need f at p, at p + h e_i and at p - h e_i. Shift a copy, never p itself.",
            "right = (f(p + shift) - f(p)) / h, left = (f(p) - f(p - shift)) / h, m = (right + left) / 2.",
            "Ask for the kink first; then abs(m - g[i]) <= 1e-5 * max(1, abs(m)).",
        ),
        stub='''def check_gradient(f, g, p, h):
    """A list of "right", "wrong", "kink"; f: vector -> 0-d tensor; g, p: vectors (float64); h: a float."""
    ...
''',
        note="`torch.autograd.gradcheck` does this for a backward that you wrote yourself, without the kinks.",
    ),
    Exercise(
        "02.two_rates",
        title="Two rates in turn",
        prompt="Curvatures lie anywhere between mu and L, 0 < mu < L. Two rates are used in turn: (1 - a λ)(1 - b λ) is the "
        "factor of a pair of steps. Return (a, b), a < b, for which the largest size of it over all λ in [mu, L] is smallest.",
        kind="extra",
        minutes=20,
        inputs=((1.0, 10.0), (0.5, 4.0), (1e-3, 1.0), (2.0, 3.0), (20.0, 7000.0)),
        solution=two_rates,
        wrong=(
            Wrong(_the_best_twice, "This is the best single rate, twice. Two different rates do better."),
            Wrong(
                _the_two_ends,
                "This makes both ends exactly zero, and the middle large. Look at the factor between them.",
            ),
            Wrong(_long_first, "Right, in the other order: a < b."),
            Wrong(
                _halfway,
                "The two curvatures that are hit exactly are evenly spread. Try them a little further apart.",
            ),
            Wrong(
                _quarters_in_the_logarithm,
                "The curvatures that are hit exactly are evenly spread in the logarithm; the factor has no logarithm in it.",
            ),
            Wrong(_safe_and_safest, "These use L alone. mu counts as well."),
        ),
        hints=(
            "Draw (1 - a λ)(1 - b λ) over λ: a parabola with zeros at 1/a and 1/b. Where is it largest in size?",
            "At the best pair it is as large at mu and at L as it is deep in the middle.",
            "1/a and 1/b are (L + mu)/2 + r and (L + mu)/2 - r, where r is (L - mu)/2 over the root of 2.",
        ),
        stub='''def two_rates(mu, L):
    """The pair (a, b) of floats, a < b."""
    ...
''',
        note="If κ is large, b is far above 2/L: a step that alone would diverge. Together the two are faster than any one rate.",
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
                "It diverges, unless the start has no part at all along the steepest direction",
                "That part grows by the same factor at each step. Nothing stops it on a quadratic.",
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
        "02.failing_net",
        "A small ReLU net learns ten digits by full-batch descent on cross-entropy. You raise the rate until every seed fails. What does the "
        "loss of the failing nets do?",
        (
            (
                "It grows without end, to infinity or NaN",
                "So it does on a quadratic. Watch what the net of this lesson does a little beyond the cliff.",
                False,
            ),
            (
                "It falls as before, and swings a little",
                "Swinging comes in before the cliff. At the cliff nothing is learned any more.",
                False,
            ),
            (
                "It stands still at the loss of a guess",
                "Nearly all hidden units give zero for every digit, and get no gradient any more. No NaN is raised, and no alarm.",
                True,
            ),
        ),
    ),
    Quiz(
        "02.closer_to_the_ridge",
        "Near a saddle a point starts 10⁻⁴ off the ridge and takes about 100 steps to leave. How many from 10⁻⁸?",
        (
            (
                "About 200",
                "The distance grows by the same factor each step. So steps count as a logarithm, and that is twice as large.",
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
)
