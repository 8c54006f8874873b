"""Exercises of lesson 17: what breaks in sixteen bits?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

# --- 1 · one step ----------------------------------------------------------------------------------


def mixed_step(p: Tensor, x: Tensor, y: float, scale: float, lr: float, max_norm: float) -> Tensor:
    p = p.clone().requires_grad_()
    loss = 0.5 * ((x.half() * p.half()).float().sum() - y) ** 2
    g = torch.autograd.grad(scale * loss, p)[0] / scale
    p = p.detach()
    if not g.isfinite().all():
        return p
    g = g * min(1.0, max_norm / float(g.norm()))
    return p - lr * g


def _gradient(p: Tensor, x: Tensor, y: float, scale: float) -> Tensor:
    """The gradient of the scaled loss, not yet unscaled."""
    p = p.clone().requires_grad_()
    loss = 0.5 * ((x.half() * p.half()).float().sum() - y) ** 2
    return torch.autograd.grad(scale * loss, p)[0]


def _stepped(p: Tensor, g: Tensor, lr: float, max_norm: float) -> Tensor:
    if not g.isfinite().all():
        return p.clone()
    return p - lr * g * min(1.0, max_norm / float(g.norm()))


def _clips_first(p: Tensor, x: Tensor, y: float, scale: float, lr: float, max_norm: float) -> Tensor:
    g = _gradient(p, x, y, scale)
    if not g.isfinite().all():
        return p.clone()
    return p - lr * (g * min(1.0, max_norm / float(g.norm()))) / scale


def _steps_on_inf(p: Tensor, x: Tensor, y: float, scale: float, lr: float, max_norm: float) -> Tensor:
    g = _gradient(p, x, y, scale) / scale
    return p - lr * g * min(1.0, max_norm / float(g.norm()))


def _looks_for_inf(p: Tensor, x: Tensor, y: float, scale: float, lr: float, max_norm: float) -> Tensor:
    g = _gradient(p, x, y, scale) / scale
    return p.clone() if g.isinf().any() else p - lr * g * min(1.0, max_norm / float(g.norm()))


def _zeroes_inf(p: Tensor, x: Tensor, y: float, scale: float, lr: float, max_norm: float) -> Tensor:
    g = (_gradient(p, x, y, scale) / scale).nan_to_num(0.0, 0.0, 0.0)
    return _stepped(p, g, lr, max_norm)


def _scales_late(p: Tensor, x: Tensor, y: float, scale: float, lr: float, max_norm: float) -> Tensor:
    return _stepped(p, scale * _gradient(p, x, y, 1.0) / scale, lr, max_norm)


def _never_unscales(p: Tensor, x: Tensor, y: float, scale: float, lr: float, max_norm: float) -> Tensor:
    return _stepped(p, _gradient(p, x, y, scale), lr, max_norm)


def _half_weights(p: Tensor, x: Tensor, y: float, scale: float, lr: float, max_norm: float) -> Tensor:
    return mixed_step(p, x, y, scale, lr, max_norm).half().float()


def _no_clip(p: Tensor, x: Tensor, y: float, scale: float, lr: float, max_norm: float) -> Tensor:
    return _stepped(p, _gradient(p, x, y, scale) / scale, lr, math.inf)


def _clips_by_value(p: Tensor, x: Tensor, y: float, scale: float, lr: float, max_norm: float) -> Tensor:
    g = (_gradient(p, x, y, scale) / scale).clamp(-max_norm, max_norm)
    return _stepped(p, g, lr, math.inf) if _gradient(p, x, y, scale).isfinite().all() else p.clone()


def _examples() -> Inputs:
    p, x = torch.tensor([0.51, -0.33, 0.27]), torch.tensor([0.7, 2.1, -1.3])
    small = torch.tensor([1e-4, 2e-4, -3e-4])
    return (
        (p, x, 1.0, 1024.0, 0.1, 100.0),
        (p, x, 1.0, 1024.0, 0.1, 0.5),  # clipped
        (2e-3 * p, small, 1e-4, 65536.0, 1e4, 1.0),  # too small for float16 without the scale
        (p, torch.tensor([1e-3, 2.1, -1.3]), 1.0, 16384.0, 0.1, 100.0),  # two of three overflow
        (p[:2], x[:2], -3.0, 1.0, 0.5, 2.0),  # no scale, another sign, another size
        (p[:1], torch.tensor([3000.0]), 0.0, 64.0, 0.1, 1.0),  # all of it overflows
        (p[:2], torch.zeros(2), 2.0, 65536.0, 0.1, 1.0),  # an infinity times inputs of zero: NaN, and no inf
    )


# --- 2 · name the fault ----------------------------------------------------------------------------


def name_fault(length: float, norm: float, scale: float, max_norm: float, lr: float) -> str:
    expected = {
        "none": lr * min(norm, max_norm),
        "not clipped": lr * norm,
        "clipped first": lr * min(norm * scale, max_norm) / scale,
        "neither": lr * norm * scale,
        "unscaled twice": lr * min(norm / scale, max_norm),
    }
    return min(expected, key=lambda fault: abs(math.log(length / expected[fault])))


def _by_difference(length: float, norm: float, scale: float, max_norm: float, lr: float) -> str:
    expected = _lengths(norm, scale, max_norm, lr)
    return min(expected, key=lambda fault: abs(length - expected[fault]))


def _by_relative_error(length: float, norm: float, scale: float, max_norm: float, lr: float) -> str:
    expected = _lengths(norm, scale, max_norm, lr)
    return min(expected, key=lambda fault: abs(length / expected[fault] - 1))


def _lengths(norm: float, scale: float, max_norm: float, lr: float) -> dict[str, float]:
    return {
        "none": lr * min(norm, max_norm),
        "not clipped": lr * norm,
        "clipped first": lr * min(norm * scale, max_norm) / scale,
        "neither": lr * norm * scale,
        "unscaled twice": lr * min(norm / scale, max_norm),
    }


def _nearest(length: float, expected: dict[str, float]) -> str:
    return min(expected, key=lambda fault: abs(math.log(length / expected[fault])))


def _always_cut(length: float, norm: float, scale: float, max_norm: float, lr: float) -> str:
    expected = _lengths(norm, scale, max_norm, lr)
    return _nearest(length, expected | {"none": lr * max_norm, "clipped first": lr * max_norm / scale})


def _rate_forgotten(length: float, norm: float, scale: float, max_norm: float, lr: float) -> str:
    return name_fault(length, norm, scale, max_norm, 1.0)


def _short_is_late(length: float, norm: float, scale: float, max_norm: float, lr: float) -> str:
    right = lr * min(norm, max_norm)
    if length < 0.99 * right:
        return "clipped first"
    return "not clipped" if length > 1.01 * right else "none"


def _twice_unclipped(length: float, norm: float, scale: float, max_norm: float, lr: float) -> str:
    expected = _lengths(norm, scale, max_norm, lr)
    return _nearest(length, expected | {"unscaled twice": lr * min(norm, max_norm) / scale})


def _logs() -> Inputs:
    def log(
        fault: str, norm: float, scale: float, max_norm: float, lr: float, off: float = 1.0
    ) -> tuple[float, ...]:
        return _lengths(norm, scale, max_norm, lr)[fault] * off, norm, scale, max_norm, lr

    return (
        log("none", 8.0, 1024.0, 1.0, 0.1),
        log("not clipped", 8.0, 1024.0, 1.0, 0.1),
        log("clipped first", 8.0, 1024.0, 1.0, 0.1),
        log("neither", 8.0, 1024.0, 1.0, 0.1),
        log("unscaled twice", 8.0, 1024.0, 1.0, 0.1),
        log("clipped first", 0.3, 65536.0, 2.0, 0.02, 1.01),  # too short for its clip, and cut all the same
        log("unscaled twice", 0.3, 65536.0, 2.0, 0.02, 0.99),
        log("neither", 0.3, 16.0, 2.0, 3.0),
        log("none", 3.0, 1024.0, 0.05, 0.1, 1.001),
        log("neither", 8.0, 0.25, 1.0, 0.1),  # a scale that has fallen below one
        log("clipped first", 8.0, 0.25, 1.0, 0.1),
        log("not clipped", 2.0, 8.0, 1.5, 0.3, 1.02),
        log("unscaled twice", 6.0, 8.0, 4.0, 0.3),
        log("neither", 3.0, 4.0, 2.5, 0.001),
        log("clipped first", 4.0, 1.5, 2.0, 0.1, 1.2),  # a log is rough, and the nearest counts
        log("neither", 1.0, 1.15, 1.1, 0.5, 0.9757),
        log("not clipped", 6.0, 0.8, 4.0, 0.2, 1.133),
        log("unscaled twice", 1.0, 0.9, 1.3, 0.4, 1.17),
        log("not clipped", 8.0, 16.0, 1.0, 0.1, 0.4),  # by the difference "none" is nearer
        log("none", 3.6, 1024.0, 1.0, 0.1, 1.8),  # half of 3.6: by the relative error "not clipped" is nearer
        log("not clipped", 3.6, 1024.0, 1.0, 0.1, 1 / 1.8),  # and the other way round
    )


# --- 3 · how small may the rate become -------------------------------------------------------------


def smallest_rate(
    w: Tensor, g: Tensor, rates: list[float], dtype: torch.dtype, allowed: float
) -> float | None:
    moving = g != 0
    for rate in sorted(rates):
        stored = (w.float() - rate * g).to(dtype)
        if (stored == w)[moving].double().mean() <= allowed:
            return rate
    return None


def _zeros_counted(
    w: Tensor, g: Tensor, rates: list[float], dtype: torch.dtype, allowed: float
) -> float | None:
    fits = [r for r in rates if ((w.float() - r * g).to(dtype) == w).double().mean() <= allowed]
    return min(fits) if fits else None


def _share_kept(w: Tensor, g: Tensor, rates: list[float], dtype: torch.dtype, allowed: float) -> float | None:
    moving = g != 0
    fits = [r for r in rates if ((w.float() - r * g).to(dtype) != w)[moving].double().mean() <= allowed]
    return min(fits) if fits else None


def _first_that_fits(
    w: Tensor, g: Tensor, rates: list[float], dtype: torch.dtype, allowed: float
) -> float | None:
    moving = g != 0
    for rate in rates:
        if ((w.float() - rate * g).to(dtype) == w)[moving].double().mean() <= allowed:
            return rate
    return None


def _largest_rate(
    w: Tensor, g: Tensor, rates: list[float], dtype: torch.dtype, allowed: float
) -> float | None:
    moving = g != 0
    fits = [r for r in rates if ((w.float() - r * g).to(dtype) == w)[moving].double().mean() <= allowed]
    return max(fits) if fits else None


def _added(w: Tensor, g: Tensor, rates: list[float], dtype: torch.dtype, allowed: float) -> float | None:
    return smallest_rate(w, -g, rates, dtype, allowed)


def _always_bfloat16(
    w: Tensor, g: Tensor, rates: list[float], dtype: torch.dtype, allowed: float
) -> float | None:
    return smallest_rate(w.bfloat16(), g, rates, torch.bfloat16, allowed)


def _update_cast(
    w: Tensor, g: Tensor, rates: list[float], dtype: torch.dtype, allowed: float
) -> float | None:
    moving = g != 0
    fits = [r for r in rates if ((r * g).to(dtype) == 0)[moving].double().mean() <= allowed]
    return min(fits) if fits else None


def _rounded_twice(
    w: Tensor, g: Tensor, rates: list[float], dtype: torch.dtype, allowed: float
) -> float | None:
    moving = g != 0
    fits = [r for r in rates if ((w - (r * g).to(dtype)) == w)[moving].double().mean() <= allowed]
    return min(fits) if fits else None


def _nearly_equal(
    w: Tensor, g: Tensor, rates: list[float], dtype: torch.dtype, allowed: float
) -> float | None:
    moving = g != 0
    fits = [
        r for r in rates if torch.isclose((w.float() - r * g).to(dtype), w)[moving].double().mean() <= allowed
    ]
    return min(fits) if fits else None


def _fewer_than(w: Tensor, g: Tensor, rates: list[float], dtype: torch.dtype, allowed: float) -> float | None:
    moving = g != 0
    fits = [r for r in rates if ((w.float() - r * g).to(dtype) == w)[moving].double().mean() < allowed]
    return min(fits) if fits else None


def _stored() -> Inputs:
    generator = torch.Generator().manual_seed(3)
    w, g = 0.1 * torch.randn(200, generator=generator), torch.randn(200, generator=generator)
    g[::3] = 0.0
    rates = [0.3, 0.001, 0.1, 0.003, 0.03, 0.01, 0.0001]
    powers = torch.tensor([1.0, -1.0, 1.0, -1.0])  # at a power of two the spacing below is half of that above
    down = torch.tensor([1.0, -1.0, 1.0, 0.0])
    edge = [2.0**-10, 2.0**-8, 1.5 * 2.0**-9, 2.0**-7]
    return (
        (w.bfloat16(), g, rates, torch.bfloat16, 0.25),
        (w.half(), g, rates, torch.float16, 0.25),
        (w.half(), g, rates, torch.float16, 0.05),
        (w.bfloat16(), g, rates[:2], torch.bfloat16, 0.001),
        (w.bfloat16(), 1e-6 * g, rates, torch.bfloat16, 0.5),  # none will do
        (powers.bfloat16(), down, edge, torch.bfloat16, 0.0),
        (powers.bfloat16(), -down, edge, torch.bfloat16, 0.0),
        (
            torch.tensor([1.0, 64.0]).bfloat16(),
            torch.tensor([1.0, 1.0]),
            [0.02, 0.01, 1.0],
            torch.bfloat16,
            0.5,
        ),
        # just above half a spacing: the update rounded first lies on it, and the tie goes back to 1
        (
            torch.ones(2).bfloat16(),
            torch.tensor([-1.0, -1.0]) * (1 + 2.0**-10),
            [2.0**-7, 2.0**-8],
            torch.bfloat16,
            0.0,
        ),
        # where nothing is stored yet even a tiny update is kept
        (torch.zeros(3).bfloat16(), torch.tensor([1e-6, 1.0, 0.0]), [1e-1, 1e-3], torch.bfloat16, 0.0),
        (torch.zeros(3).half(), torch.tensor([1e-4, 1.0, 0.0]), [1e-4, 1e-2, 1e-1], torch.float16, 0.0),
    )


# --- 4 · where do the checkpoints go ---------------------------------------------------------------


def best_segment(layers: int, border: int, inside: int) -> int:
    def peak(k: int) -> int:
        return math.ceil(layers / k) * border + k * inside

    return min(range(1, layers + 1), key=peak)


def _root(layers: int, border: int, inside: int) -> int:
    return max(1, round(math.sqrt(layers)))


def _real_root(layers: int, border: int, inside: int) -> int:
    return min(layers, max(1, round(math.sqrt(layers * border / inside))))


def _upside_down(layers: int, border: int, inside: int) -> int:
    return best_segment(layers, inside, border)


def _floor(layers: int, border: int, inside: int) -> int:
    return min(range(1, layers + 1), key=lambda k: layers // k * border + k * inside)


def _parts_of_segments(layers: int, border: int, inside: int) -> int:
    return min(range(1, layers + 1), key=lambda k: layers / k * border + k * inside)


def _divisors_only(layers: int, border: int, inside: int) -> int:
    divisors = [k for k in range(1, layers + 1) if layers % k == 0]
    return min(divisors, key=lambda k: layers // k * border + k * inside)


def _last_of_ties(layers: int, border: int, inside: int) -> int:
    peaks = {k: math.ceil(layers / k) * border + k * inside for k in range(1, layers + 1)}
    return max(k for k, peak in peaks.items() if peak == min(peaks.values()))


def _never_whole(layers: int, border: int, inside: int) -> int:
    ks = range(1, max(layers, 2))
    return min(ks, key=lambda k: math.ceil(layers / k) * border + k * inside)


# --- 5 · towards research: what is owed ------------------------------------------------------------


def with_compensation(w: Tensor, updates: Tensor) -> Tensor:
    owed = torch.zeros_like(w)
    for u in updates:
        y = u + owed
        moved = w + y
        owed = y - (moved - w)
        w = moved
    return w


def _uncompensated(w: Tensor, updates: Tensor) -> Tensor:
    for u in updates:
        w = w + u
    return w


def _in_float32(w: Tensor, updates: Tensor) -> Tensor:
    total = w.float()
    for u in updates:
        total = total + u.float()
    return total.bfloat16()


def _owed_kept(w: Tensor, updates: Tensor) -> Tensor:
    owed = torch.zeros_like(w)
    for u in updates:
        y = u + owed
        moved = w + y
        owed = owed + (y - (moved - w))
        w = moved
    return w


def _wrong_sign(w: Tensor, updates: Tensor) -> Tensor:
    owed = torch.zeros_like(w)
    for u in updates:
        y = u + owed
        moved = w + y
        owed = (moved - w) - y
        w = moved
    return w


def _of_the_update(w: Tensor, updates: Tensor) -> Tensor:
    owed = torch.zeros_like(w)
    for u in updates:
        moved = w + (u + owed)
        owed = u - (moved - w)
        w = moved
    return w


def _many_updates() -> Inputs:
    generator = torch.Generator().manual_seed(5)
    w = torch.randn(6, generator=generator)
    small = 0.003 * torch.randn(300, 6, generator=generator) - 0.002
    mixed = torch.randn(40, 6, generator=generator) * 2.0 ** torch.randint(
        -12, 2, (40, 6), generator=generator
    )
    return (
        (w.bfloat16(), small.bfloat16()),
        (torch.ones(1).bfloat16(), torch.full((500, 1), 1e-3).bfloat16()),
        (w.bfloat16(), mixed.bfloat16()),
        (-w[:2].bfloat16(), small[:0, :2].bfloat16()),  # no update at all
        (torch.zeros(3).bfloat16(), small[:50, :3].bfloat16()),
    )


EXERCISES = (
    Exercise(
        "17.mixed_step",
        title="One step of mixed precision",
        prompt="The model is (x.half() * p.half()).float().sum(), the loss half the squared error. Scale the loss, run "
        "the backward pass, unscale, clip the norm at max_norm, make one step of gradient descent. Where a gradient is "
        "not finite return the weights as they were. p and x are float32; leave them as they are.",
        kind="core",
        minutes=12,
        inputs=_examples,
        rtol=1e-5,
        atol=1e-9,
        solution=mixed_step,
        wrong=(
            Wrong(
                _clips_first,
                "You clip before you unscale. The clip sees gradients that are `scale` times too large, and what is left "
                "after unscaling is that much too small.",
            ),
            Wrong(_steps_on_inf, "You step on an overflow: the weights are NaN now, and stay so."),
            Wrong(
                _looks_for_inf,
                "You look for inf only. Infinity times an input of zero is NaN: ask isfinite().",
            ),
            Wrong(
                _zeroes_inf,
                "You replaced infinities by zero and stepped. That is a step in a wrong direction: skip it whole.",
            ),
            Wrong(
                _scales_late,
                "You scale the gradient after the backward pass. What float16 rounded to zero on the way stays zero: "
                "scale the loss.",
            ),
            Wrong(_never_unscales, "The step is `scale` times too long: divide the gradient by the scale."),
            Wrong(
                _half_weights,
                "Your weights come back rounded to float16. Keep p in float32 and round only the copy in the product.",
            ),
            Wrong(_no_clip, "Where the gradient's norm is above max_norm it is not clipped."),
            Wrong(_clips_by_value, "max_norm bounds the norm of the whole gradient, not each entry."),
        ),
        hints=(
            "The order is: scale the loss, backward, unscale in float32, look for inf, clip, step.",
            "p = p.clone().requires_grad_(); g = torch.autograd.grad(scale * loss, p)[0] / scale (or backward and p.grad).",
            "Return p.detach() unless g.isfinite().all(); then g *= min(1, max_norm / g.norm()); p.detach() - lr * g.",
        ),
        stub='''def mixed_step(p, x, y, scale, lr, max_norm):
    """The float32 weights (n,) after one step on the example (x, y)."""
    ...
''',
        note="scale(loss).backward(), unscale_(optimizer), clip_grad_norm_, step(optimizer), update(): the same five in torch.",
    ),
    Exercise(
        "17.name_fault",
        title="This run is broken: find why",
        prompt="From the true norm of a gradient before clipping, the loss scale, max_norm and lr name the fault of a step "
        "of this length: none, not clipped (but unscaled), clipped first (before unscaling), neither (clipped nor "
        "unscaled), unscaled twice (and then clipped). The nearest length by ratio counts: twice as long and half as long are equally far.",
        kind="core",
        minutes=10,
        inputs=_logs,
        solution=name_fault,
        wrong=(
            Wrong(
                _by_difference,
                "You compare by the difference, not by the ratio.",
            ),
            Wrong(
                _by_relative_error,
                "You compare length / expected with 1. Half as long is as far as twice as long: compare logarithms.",
            ),
            Wrong(_always_cut, "A norm below max_norm is not clipped: min(norm, max_norm)."),
            Wrong(_rate_forgotten, "A step is lr times the gradient: lr is missing."),
            Wrong(
                _short_is_late,
                "Not every short step was clipped first, and not every long one only not clipped.",
            ),
            Wrong(_twice_unclipped, "Unscaled twice, the norm is norm / scale before it meets the clip."),
        ),
        hints=(
            "Write the length of the step under each fault. In which order do scale and clip act on the norm?",
            "Clipped first: the clip sees norm * scale, and what it leaves is divided by scale.",
            "Nearest by ratio: the smallest abs(log(length / expected)).",
        ),
        stub='''def name_fault(length, norm, scale, max_norm, lr):
    """The fault as a string; all arguments are floats above zero."""
    ...
''',
        note="One line in a log, the length of a step, tells these faults apart. Losses do not.",
    ),
    Exercise(
        "17.smallest_rate",
        title="How small may the rate become?",
        prompt="Weights w are stored in dtype, and gradient descent subtracts rate * g (computed in float32, then "
        "rounded). Return the smallest rate of rates at which at most the share `allowed` of the updates leaves its "
        "weight as it was, or None. Entries with g == 0 have no update.",
        kind="core",
        minutes=10,
        inputs=_stored,
        solution=smallest_rate,
        wrong=(
            Wrong(
                _zeros_counted,
                "Where the gradient is zero there is no update that could be lost: leave these out.",
            ),
            Wrong(_share_kept, "You count the updates that are kept."),
            Wrong(
                _first_that_fits,
                "The rates come in any order: this is the first that fits, not the smallest.",
            ),
            Wrong(_largest_rate, "This is the largest rate that fits."),
            Wrong(
                _added,
                "The update is subtracted. Just below a power of two the spacing is half of that above.",
            ),
            Wrong(_always_bfloat16, "You round to bfloat16 whatever dtype says."),
            Wrong(
                _update_cast,
                "You ask whether the update itself becomes zero. It is lost beside a weight long before.",
            ),
            Wrong(
                _rounded_twice,
                "You round the update before you subtract it. Subtract in float32, then round once.",
            ),
            Wrong(_nearly_equal, "The same is asked, not nearly the same: ==, not isclose."),
            Wrong(_fewer_than, "At most `allowed` may be lost: exactly so many are still allowed."),
        ),
        hints=(
            "For one rate: store w - rate * g, and look which entries have not changed.",
            "(w.float() - rate * g).to(dtype) == w, only where g != 0; then the mean.",
            "Go through sorted(rates) and return the first whose share is at most allowed; None after the loop.",
        ),
        stub='''def smallest_rate(w, g, rates, dtype, allowed):
    """A float of rates, or None; w: a tensor (n,) of dtype, g: float32 (n,), not all zero; rates in any order."""
    ...
''',
        note="Ask it before the rate decays: a schedule that ends at a hundredth of the rate has to pass it, too.",
    ),
    Exercise(
        "17.best_segment",
        title="Where do the checkpoints go?",
        prompt="Return the number k of layers in a segment, 1 to layers, with the lowest peak: `border` bytes for each "
        "segment (the last may be shorter) plus `inside` bytes for each layer of a longest one; of several the smallest.",
        kind="core",
        minutes=10,
        inputs=(
            (36, 1, 1),
            (36, 1, 20),
            (24, 100, 1),
            (24, 1, 100),
            (1, 5, 7),
            (7, 3, 2),
            (50, 3, 2),
            (13, 10, 3),
            (100, 9, 4),
            (97, 1000, 30),
            (2, 1, 1),
            (5, 7, 1),
            (12, 4, 3),
            (3, 9, 1),
            (21, 1, 10),
        ),
        solution=best_segment,
        wrong=(
            Wrong(_root, "The root of the number of layers is right where border and inside are the same."),
            Wrong(_parts_of_segments, "There are no parts of a segment: round layers / k up."),
            Wrong(
                _real_root,
                "This is the best real number, rounded. Segments come in whole numbers: try each k.",
            ),
            Wrong(_upside_down, "You have border and inside the wrong way round."),
            Wrong(
                _floor,
                "Where k divides the number of layers there are layers / k segments, else one more: round up.",
            ),
            Wrong(
                _divisors_only,
                "The last segment may be shorter, so that k need not divide the number of layers.",
            ),
            Wrong(_last_of_ties, "Of several with the same peak the smallest k is asked."),
            Wrong(_never_whole, "One segment for the whole net is allowed, and sometimes best."),
        ),
        hints=(
            "There are only `layers` candidates: compute the peak of each.",
            "ceil(layers / k) segments, each with its border, and k layers inside.",
            "min(range(1, layers + 1), key=...) returns the first of equal ones.",
        ),
        stub='''def best_segment(layers, border, inside):
    """k as an int; layers: an int >= 1; border, inside: bytes, ints >= 1."""
    ...
''',
        note="Near sqrt(layers * border / inside). A transformer's layer holds many times its border: short segments.",
    ),
    Exercise(
        "17.with_compensation",
        title="Without float32 and without chance",
        prompt="Return the bfloat16 weights after all updates, with one more bfloat16 number c for each, zero at first, "
        "all in bfloat16: y = u + c; t = w + y; c = y - (t - w); w = t. Leave w as it is.",
        kind="extra",
        minutes=20,
        inputs=_many_updates,
        solution=with_compensation,
        wrong=(
            Wrong(_uncompensated, "c takes no part: small updates are lost."),
            Wrong(_in_float32, "This adds up in float32. Everything is to stay in bfloat16."),
            Wrong(
                _owed_kept,
                "c is what is owed after this step, not a sum over steps: y holds the old c already.",
            ),
            Wrong(_wrong_sign, "The sign of c is turned: what was lost is y less what arrived."),
            Wrong(_of_the_update, "What is owed is y less what arrived, not u: the old debt is part of y."),
        ),
        hints=(
            "t - w is what arrived. What is still owed is y less that.",
            "Loop over the rows of updates, and make new tensors: w += y would change the argument.",
            "owed = torch.zeros_like(w), then the four lines of the prompt in a loop.",
        ),
        stub='''def with_compensation(w, updates):
    """The bfloat16 weights (n,) after all updates (T, n), which are bfloat16 as well; leave w as it is."""
    ...
''',
        note="Kahan's sum. It follows float32 as long as no update is lost beside c itself.",
    ),
)

QUIZZES = (
    Quiz(
        "17.weights_in_bf16",
        "A small net trains in float32 with gradient descent. You store its weights in bfloat16 (sixteen bits, with "
        "the range of float32 and only 8 binary digits), with everything else unchanged, and lower the learning rate from 0.064 to 0.001. To make up for it you take 64 times as many "
        "steps. What happens?",
        (
            (
                "It trains as before, only slower",
                "So it does in float32. Here an update of 1/512 of its weight or less changes nothing, "
                "and many are that small now.",
                False,
            ),
            (
                "It learns much less",
                "An update below half a spacing of its weight is rounded away, each time: smaller steps do not "
                "add up to a larger one.",
                True,
            ),
            (
                "It becomes NaN",
                "bfloat16 has the range of float32: nothing overflows that did not before. What is missing is digits.",
                False,
            ),
        ),
    ),
    Quiz(
        "17.who_needs_scaling",
        "To scale a loss is to multiply it by a large number before the backward pass, and to divide the gradients "
        "by that number afterwards. Float16 has 11 binary digits, and 2⁻²⁴ is its smallest number; bfloat16 has 8 "
        "digits and the range of float32. Which of them can need a scaled loss?",
        (
            (
                "bfloat16, because it has the fewest digits",
                "Scaling moves the exponent and adds no digit. bfloat16 has eight bits of exponent, as float32 has.",
                False,
            ),
            (
                "float16, because its smallest number is 2⁻²⁴",
                "Gradients below half of that become zero. Scaling lifts them over it before the backward pass.",
                True,
            ),
            (
                "Both: sixteen bits are sixteen bits",
                "They are shared out differently, and what scaling cures is a lack of range, not of digits.",
                False,
            ),
        ),
    ),
)
