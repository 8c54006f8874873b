"""Exercises of lesson 17: what breaks in sixteen bits?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

# --- 1 · spacing -----------------------------------------------------------------------------------


def spacing(x: float, mantissa: int) -> float:
    return 2.0 ** (math.floor(math.log2(abs(x))) - mantissa)


def _epsilon(x: float, mantissa: int) -> float:
    return 2.0**-mantissa


def _proportional(x: float, mantissa: int) -> float:
    return abs(x) * 2.0**-mantissa


def _frexp(x: float, mantissa: int) -> float:
    return 2.0 ** (math.frexp(x)[1] - mantissa)


def _rounded_exponent(x: float, mantissa: int) -> float:
    return 2.0 ** (round(math.log2(abs(x))) - mantissa)


def _truncated_exponent(x: float, mantissa: int) -> float:
    return 2.0 ** (int(math.log2(abs(x))) - mantissa)


def _error_bound(x: float, mantissa: int) -> float:
    return spacing(x, mantissa) / 2


# --- 2 · what vanishes -----------------------------------------------------------------------------


def vanishing_share(g: Tensor, scale: float) -> float:
    g = g[g != 0]
    return ((g * scale).half() == 0).double().mean().item()


def _zeros_counted(g: Tensor, scale: float) -> float:
    return ((g * scale).half() == 0).double().mean().item()


def _of_all_entries(g: Tensor, scale: float) -> float:
    return (((g * scale).half() == 0) & (g != 0)).double().mean().item()


def _unscaled(g: Tensor, scale: float) -> float:
    return vanishing_share(g, 1.0)


def _divided(g: Tensor, scale: float) -> float:
    return vanishing_share(g, 1 / scale)


def _below_normal(g: Tensor, scale: float) -> float:
    return ((g[g != 0] * scale).abs() < 2.0**-14).double().mean().item()


def _below_smallest(g: Tensor, scale: float) -> float:
    return ((g[g != 0] * scale).abs() < 2.0**-24).double().mean().item()


def _no_absolute_value(g: Tensor, scale: float) -> float:
    return (g[g != 0] * scale <= 2.0**-25).double().mean().item()


def _gradients() -> Inputs:
    generator = torch.Generator().manual_seed(17)
    g = torch.randn(400, generator=generator) * 2.0 ** (-22 + 4 * torch.randn(400, generator=generator))
    g[::7] = 0.0
    return ((g, 1.0), (g, 64.0), (2.0**-6 * g, 2.0**10))


# --- 3 · the scale after a step --------------------------------------------------------------------

Scale = tuple[float, int]


def next_scale(
    scale: float, good: int, overflow: bool, growth: float, backoff: float, interval: int
) -> Scale:
    if overflow:
        return scale * backoff, 0
    if good + 1 == interval:
        return scale * growth, 0
    return scale, good + 1


def _count_kept_on_overflow(
    scale: float, good: int, overflow: bool, growth: float, backoff: float, interval: int
) -> Scale:
    if overflow:
        return scale * backoff, good
    return next_scale(scale, good, overflow, growth, backoff, interval)


def _count_kept_on_growth(
    scale: float, good: int, overflow: bool, growth: float, backoff: float, interval: int
) -> Scale:
    if not overflow and good + 1 == interval:
        return scale * growth, good + 1
    return next_scale(scale, good, overflow, growth, backoff, interval)


def _one_step_late(
    scale: float, good: int, overflow: bool, growth: float, backoff: float, interval: int
) -> Scale:
    if overflow:
        return scale * backoff, 0
    return (scale * growth, 0) if good == interval else (scale, good + 1)


def _grows_each_step(
    scale: float, good: int, overflow: bool, growth: float, backoff: float, interval: int
) -> Scale:
    return (scale * backoff, 0) if overflow else (scale * growth, good + 1)


def _wrong_way(
    scale: float, good: int, overflow: bool, growth: float, backoff: float, interval: int
) -> Scale:
    return next_scale(scale, good, overflow, backoff, growth, interval)


# --- 4 · one step ----------------------------------------------------------------------------------


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
    )


# --- 5 · memory ------------------------------------------------------------------------------------


def training_bytes(parameters: int, activations: int, scheme: str) -> int:
    if scheme == "fp32":
        return (4 + 4 + 8) * parameters + 4 * activations
    if scheme == "mixed":
        return (4 + 4 + 8 + 2) * parameters + 2 * activations
    return (2 + 2 + 4) * parameters + 2 * activations


def _half_of_everything(parameters: int, activations: int, scheme: str) -> int:
    return training_bytes(parameters, activations, "fp32") // (1 if scheme == "fp32" else 2)


def _without_copies(parameters: int, activations: int, scheme: str) -> int:
    return training_bytes(parameters, activations, scheme) - (2 * parameters if scheme == "mixed" else 0)


def _half_gradients(parameters: int, activations: int, scheme: str) -> int:
    return training_bytes(parameters, activations, scheme) - (4 * parameters if scheme == "mixed" else 0)


def _one_average(parameters: int, activations: int, scheme: str) -> int:
    return training_bytes(parameters, activations, scheme) - (2 if scheme == "pure" else 4) * parameters


def _float32_activations(parameters: int, activations: int, scheme: str) -> int:
    return training_bytes(parameters, activations, scheme) + (2 * activations if scheme == "mixed" else 0)


def _wide_averages(parameters: int, activations: int, scheme: str) -> int:
    return training_bytes(parameters, activations, scheme) + (4 * parameters if scheme == "pure" else 0)


def _in_numbers(parameters: int, activations: int, scheme: str) -> int:
    return 4 * parameters + activations


# --- 6 · towards research: random rounding ---------------------------------------------------------


def random_round(x: Tensor, u: Tensor, mantissa: int) -> Tensor:
    q = 2.0 ** (x.abs().log2().floor() - mantissa)
    low = (x / q).floor()
    return (low + (u < x / q - low)) * q


def _nearest(x: Tensor, u: Tensor, mantissa: int) -> Tensor:
    q = 2.0 ** (x.abs().log2().floor() - mantissa)
    return (x / q).round() * q


def _upside_down(x: Tensor, u: Tensor, mantissa: int) -> Tensor:
    q = 2.0 ** (x.abs().log2().floor() - mantissa)
    low = (x / q).floor()
    return (low + (u > x / q - low)) * q


def _noise_then_nearest(x: Tensor, u: Tensor, mantissa: int) -> Tensor:
    q = 2.0 ** (x.abs().log2().floor() - mantissa)
    return (x / q + u).round() * q


def _towards_zero(x: Tensor, u: Tensor, mantissa: int) -> Tensor:
    q = 2.0 ** (x.abs().log2().floor() - mantissa)
    low = (x / q).trunc()
    return (low + (u < x / q - low)) * q


def _one_spacing(x: Tensor, u: Tensor, mantissa: int) -> Tensor:
    q = 2.0**-mantissa
    low = (x / q).floor()
    return (low + (u < x / q - low)) * q


def _fair_coin(x: Tensor, u: Tensor, mantissa: int) -> Tensor:
    q = 2.0 ** (x.abs().log2().floor() - mantissa)
    return ((x / q).floor() + (u < 0.5)) * q


def _draws() -> Inputs:
    generator = torch.Generator().manual_seed(6)
    x = torch.randn(40, generator=generator, dtype=torch.float64) * 10
    u = torch.rand(40, generator=generator, dtype=torch.float64)
    return ((x, u, 3), (0.01 * x, u.flip(0), 7))


EXERCISES = (
    Exercise(
        "17.spacing",
        title="The distance to the next number",
        prompt="Return the distance between neighbouring numbers at x, in a format with `mantissa` stored bits. "
        "x is a normal number of either sign.",
        kind="core",
        minutes=4,
        inputs=((1.0, 10), (3.0, 10), (0.3, 7), (-100.0, 7), (65504.0, 10), (0.0625, 3), (1.5, 3)),
        solution=spacing,
        wrong=(
            Wrong(_epsilon, "This is ε, the spacing just above 1. It doubles with every power of two."),
            Wrong(
                _proportional,
                "The spacing does not grow with x itself but in jumps: it is the same from 2ᵉ up to 2ᵉ⁺¹.",
            ),
            Wrong(
                _frexp,
                "Twice too wide: frexp counts its exponent so that the mantissa lies in [½, 1). Subtract one.",
            ),
            Wrong(_rounded_exponent, "You rounded the exponent: 3 lies between 2¹ and 2², so its e is 1."),
            Wrong(
                _truncated_exponent,
                "int() cuts towards zero, and the exponents of numbers below 1 are negative: use floor.",
            ),
            Wrong(_error_bound, "This is half the spacing, the largest rounding error."),
        ),
        hints=(
            "Between which two powers of two does |x| lie? The lower one decides.",
            "e = floor(log2(|x|)), and 2**mantissa marks lie between 2**e and 2**(e + 1).",
            "2.0 ** (math.floor(math.log2(abs(x))) - mantissa)",
        ),
        stub='''def spacing(x, mantissa):
    """The distance between neighbouring numbers of the format at x, as a float."""
    ...
''',
        note="An update below half of this does nothing to x: that is all there is to stagnation.",
    ),
    Exercise(
        "17.vanishing_share",
        title="What vanishes",
        prompt="Of the entries of g that are not zero, which share becomes zero in float16 after the loss was scaled "
        "by `scale`?",
        kind="core",
        minutes=6,
        inputs=_gradients,
        solution=vanishing_share,
        wrong=(
            Wrong(_zeros_counted, "You count entries that were zero before. Float16 took nothing from them."),
            Wrong(_of_all_entries, "The share is of the entries that are not zero: divide by their number."),
            Wrong(
                _unscaled,
                "The scale takes no part in your answer. It must come before the cast: what is zero stays zero.",
            ),
            Wrong(_divided, "The loss was multiplied by the scale, and the gradients with it."),
            Wrong(
                _below_normal,
                "Below 2⁻¹⁴ a number is subnormal: it has fewer digits, but it is not zero yet.",
            ),
            Wrong(
                _below_smallest,
                "Numbers between 2⁻²⁵ and 2⁻²⁴ are rounded up to 2⁻²⁴: they survive.",
            ),
            Wrong(_no_absolute_value, "Every negative gradient is below 2⁻²⁵. Compare its size."),
        ),
        hints=(
            "Let float16 decide: cast with .half() and look which entries are zero.",
            "Leave out the zeros first: g[g != 0]. Then scale, cast, compare with zero, take the mean.",
            "((g[g != 0] * scale).half() == 0).double().mean().item()",
        ),
        stub='''def vanishing_share(g, scale):
    """The share, a float, of the nonzero entries of g that are zero in float16 once scaled."""
    ...
''',
    ),
    Exercise(
        "17.next_scale",
        title="The scale after a step",
        prompt="`good` steps in a row have been good. Return the new (scale, good) after one more step, which "
        "overflowed or not. The scale grows by `growth` after `interval` good steps in a row.",
        kind="core",
        minutes=6,
        inputs=(
            (1024.0, 3, False, 2.0, 0.5, 4),
            (1024.0, 3, True, 2.0, 0.5, 4),
            (1024.0, 1, False, 2.0, 0.5, 4),
            (64.0, 0, True, 3.0, 0.25, 2),
            (64.0, 1, False, 3.0, 0.25, 2),
        ),
        solution=next_scale,
        wrong=(
            Wrong(
                _count_kept_on_overflow,
                "The good steps must be in a row: an overflow starts the count again.",
            ),
            Wrong(
                _count_kept_on_growth,
                "After growth the count starts again. As it is, the scale grows once and then never more.",
            ),
            Wrong(_one_step_late, "One step late: this step is good, so it counts before you compare."),
            Wrong(
                _grows_each_step,
                "The scale grows after `interval` good steps, not after each: every second step would overflow.",
            ),
            Wrong(
                _wrong_way, "Growth and backoff are the wrong way round: an overflow must lower the scale."
            ),
        ),
        hints=(
            "Three cases: overflow; a good step that completes the interval; any other good step.",
            "In two of the three the count becomes 0.",
            "overflow: (scale * backoff, 0). good + 1 == interval: (scale * growth, 0). Else (scale, good + 1).",
        ),
        stub='''def next_scale(scale, good, overflow, growth, backoff, interval):
    """(scale, good) after one more step, which overflowed or not."""
    ...
''',
        note="torch's defaults are 2, ½ and 2,000: one skipped step in 2,000 is the price of staying near the ceiling.",
    ),
    Exercise(
        "17.mixed_step",
        title="One step of mixed precision",
        prompt="The model is (x.half() * p.half()).float().sum(), the loss half the squared error. Scale the loss, run "
        "the backward pass, unscale, clip the norm at max_norm, step by SGD. On overflow return p unchanged.",
        kind="core",
        minutes=15,
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
    """The float32 weights after one step on the example (x, y)."""
    ...
''',
        note="scale(loss).backward(), unscale_(optimizer), clip_grad_norm_, step(optimizer), update(): the same five in torch.",
    ),
    Exercise(
        "17.training_bytes",
        title="The memory of a step",
        prompt='Return the bytes of weights, gradients, Adam\'s two averages and saved activations, in the scheme "fp32", '
        '"mixed" (autocast, whose sixteen-bit copies of all weights are saved too) or "pure" (all in sixteen bits).',
        kind="core",
        minutes=10,
        inputs=tuple((p, a, s) for s in ("fp32", "mixed", "pure") for p, a in ((1000, 50), (10, 7000))),
        solution=training_bytes,
        wrong=(
            Wrong(
                _half_of_everything,
                "Mixed precision does not halve everything: weights, gradients and averages stay in float32. You "
                "describe the pure scheme.",
            ),
            Wrong(
                _without_copies,
                "Under autocast the sixteen-bit copies of the weights are saved for the backward pass, 2 bytes each.",
            ),
            Wrong(
                _half_gradients,
                "Autocast leaves the gradients of float32 weights in float32: 4 bytes each, next to the copies' 2.",
            ),
            Wrong(
                _one_average, "Something of the weights' size is missing. Adam keeps two averages, m and v."
            ),
            Wrong(_float32_activations, "Under autocast the activations are saved in sixteen bits."),
            Wrong(_wide_averages, "In the pure scheme Adam's averages have sixteen bits as well."),
            Wrong(_in_numbers, "You counted numbers. How many bytes has each?"),
        ),
        hints=(
            "Count the tensors of the weights' size first: the weights, the gradients, m, v, and in one scheme the copies.",
            "fp32: 4 · 4 bytes a parameter and 4 an activation. mixed: what changes, and what is added?",
            "16 P + 4 A;  16 P + 2 P + 2 A;  8 P + 2 A.",
        ),
        stub='''def training_bytes(parameters, activations, scheme):
    """Bytes held at the end of the forward pass, as an int; scheme is "fp32", "mixed" or "pure"."""
    ...
''',
        note="With few activations per parameter mixed precision needs more memory than float32.",
    ),
    Exercise(
        "17.random_round",
        title="Random rounding",
        prompt="Round x (float64) to numbers with `mantissa` stored bits, up where u is below the chance of going up and "
        "down elsewhere, so that the mean over uniform u in [0, 1) is x itself.",
        kind="extra",
        minutes=20,
        inputs=_draws,
        solution=random_round,
        wrong=(
            Wrong(_nearest, "This is rounding to the nearest: u takes no part in it."),
            Wrong(
                _upside_down,
                "Upside down: where x is close to the upper neighbour the chance of going up must be large.",
            ),
            Wrong(
                _noise_then_nearest,
                "Noise from [0, 1) and then the nearest: on average half a spacing too high. Use floor after the noise.",
            ),
            Wrong(
                _towards_zero,
                "trunc goes up for negative x, where the lower neighbour is the one farther from zero: use floor.",
            ),
            Wrong(
                _one_spacing, "The spacing is not ε everywhere: it is 2**(e - mantissa), with e that of x."
            ),
            Wrong(
                _fair_coin,
                "A fair coin moves x to the middle between its neighbours, on average. The chance depends on x.",
            ),
        ),
        hints=(
            "Measure x in spacings: x / q. The part after the point is the chance of going up.",
            "low = floor(x / q); the chance is x / q - low, also for negative x.",
            "q = 2.0 ** (x.abs().log2().floor() - mantissa); return (low + (u < x / q - low)) * q",
        ),
        stub='''def random_round(x, u, mantissa):
    """x (float64, normal numbers of either sign) on the grid; u has the shape of x."""
    ...
''',
        note="Equal to floor(x / q + u) * q up to the order of comparisons, which is what the lesson does with bits.",
    ),
)

QUIZZES = (
    Quiz(
        "17.weights_in_bf16",
        "A net trains in float32. You store its weights in bfloat16, with everything else unchanged, and lower the "
        "learning rate from 0.1 to 0.001. What happens?",
        (
            (
                "It trains as before, only slower",
                "So it does in float32. Here an update of 1/512 of its weight or less changes nothing, "
                "and most are smaller now.",
                False,
            ),
            (
                "It all but stops learning",
                "The updates are below half a spacing of their weights and are rounded away, all of them, every time. "
                "Smaller steps do not add up to a larger one.",
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
        "Which of these needs a scaled loss?",
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
