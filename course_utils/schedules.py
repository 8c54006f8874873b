"""Learning-rate schedules: pure functions from the step t = 0, 1, 2, ... to a multiplier of the base rate.

    optimizer = SGD(model.parameters(), lr=0.1)                      # 0.1 is the peak
    rate = linear_warmup(10, cosine_decay(90))                       # plot it, test it: rate(10) == 1.0
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)   # scheduler.step() after optimizer.step()

The value 1.0 is the peak rate, the one given to the optimizer; `floor` is a multiplier in [0, 1]. No schedule
keeps a state, so resuming at step t needs t alone; copied or pickled, with a scheduler or a net that holds
it, it gives the same rates. A step that is negative or not an integer is a ValueError.

A schedule for each parameter group: `LambdaLR(optimizer, [rate, other])`, and `set_lr` takes the same list.
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

from course_utils._checks import is_whole, require

if TYPE_CHECKING:
    from torch.optim import Optimizer

Schedule = Callable[[int], float]


def constant(value: float = 1.0) -> Schedule:
    """The same multiplier at every step.

    Raises: ValueError unless 0 <= value <= 1.
    """
    require(0 <= value <= 1, "0 <= value <= 1", value=value)
    return _schedule(_constant, value=value)


def _constant(t: int, value: float) -> float:
    return value


def step_decay(step_size: int, gamma: float = 0.1) -> Schedule:
    """Multiplied by `gamma` every `step_size` steps: gamma ** (t // step_size).

    Raises: ValueError unless step_size >= 1 and 0 < gamma <= 1.
    Agrees with: `StepLR`.
    """
    _need_count(step_size=step_size)
    _need_gamma(gamma)
    return _schedule(_steps, step_size=step_size, gamma=gamma)


def _steps(t: int, step_size: int, gamma: float) -> float:
    return gamma ** (t // step_size)


def multistep_decay(milestones: Sequence[int], gamma: float = 0.1) -> Schedule:
    """Multiplied by `gamma` on reaching each milestone: gamma ** (number of milestones <= t).

    Raises: ValueError unless the milestones are increasing integers >= 1 and 0 < gamma <= 1.
    Agrees with: `MultiStepLR`.
    """
    steps = list(milestones)
    for milestone in steps:
        _need_count(milestone=milestone)
    steps = [int(milestone) for milestone in steps]
    require(all(a < b for a, b in pairwise(steps)), "increasing milestones", milestones=steps)
    _need_gamma(gamma)
    return _schedule(_milestones, steps=steps, gamma=gamma)


def _milestones(t: int, steps: list[int], gamma: float) -> float:
    return gamma ** bisect_right(steps, t)


def exponential_decay(gamma: float) -> Schedule:
    """Multiplied by `gamma` at every step: gamma ** t.

    Raises: ValueError unless 0 < gamma <= 1.
    Agrees with: `ExponentialLR`.
    """
    _need_gamma(gamma)
    return _schedule(_exponential, gamma=gamma)


def _exponential(t: int, gamma: float) -> float:
    return gamma**t


def polynomial_decay(total: int, *, power: float = 1.0) -> Schedule:
    """(1 - t / total) ** power, from 1 at step 0 to 0 at step `total`, 0 after.

    Raises: ValueError unless total >= 1 and power > 0.
    Agrees with: `PolynomialLR`.
    """
    _need_count(total=total)
    require(0 < power < math.inf, "power > 0", power=power)
    return _schedule(_polynomial, total=total, power=power)


def _polynomial(t: int, total: int, power: float) -> float:
    return float((1 - min(t, total) / total) ** power)


def inverse_sqrt_decay(warmup: int = 1) -> Schedule:
    """Up in a line for `warmup` steps, then down as 1 / sqrt(step).

        min(s / warmup, sqrt(warmup / s))    s = t + 1

    The peak, 1, is at t = warmup - 1. `warmup=1` is the decay alone; the warm-up is included, so leave out
    `linear_warmup`.

    Raises: ValueError unless warmup >= 1.
    Source: Vaswani et al. (2017), equation 3, divided by its peak.
    """
    _need_count(warmup=warmup)
    return _schedule(_inverse_sqrt, warmup=warmup)


def _inverse_sqrt(t: int, warmup: int) -> float:
    return min((t + 1) / warmup, math.sqrt(warmup / (t + 1)))


def cosine_decay(total: int, *, floor: float = 0.0) -> Schedule:
    """Half a cosine from 1 at step 0 to `floor` at step `total`, constant after (torch rises again).

        floor + (1 - floor) * (1 + cos(pi * t / total)) / 2

    Raises: ValueError unless total >= 1 and 0 <= floor <= 1.
    Source: Loshchilov & Hutter (2017), equation 5. Agrees with: `CosineAnnealingLR`, up to `total`.
    """
    _need_count(total=total)
    _need_floor(floor)
    return _schedule(_cosine, total=total, floor=floor)


def _cosine(t: int, total: int, floor: float) -> float:
    return _between(floor, _half_cosine(min(t, total) / total))


def cosine_restarts(period: int, *, mult: int = 1, floor: float = 0.0) -> Schedule:
    """`cosine_decay` begun again from 1 after `period` steps, each period `mult` times as long as the last.

    The floor itself is never reached: the step that would reach it is the first of the next period.

    Raises: ValueError unless period >= 1, mult >= 1 and 0 <= floor <= 1.
    Source: Loshchilov & Hutter (2017), equation 5. Agrees with: `CosineAnnealingWarmRestarts`.
    """
    _need_count(period=period, mult=mult)
    _need_floor(floor)
    return _schedule(_restarts, period=period, mult=mult, floor=floor)


def _restarts(t: int, period: int, mult: int, floor: float) -> float:
    length = period
    if mult == 1:
        t %= period  # what the loop would do, without going round for each period
    while t >= length:
        t -= length
        length *= mult
    return _between(floor, _half_cosine(t / length))


def triangular(
    step_size: int,
    *,
    floor: float = 0.0,
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
    gamma: float = 1.0,
    step_size_down: int | None = None,
) -> Schedule:
    """Up in a line from `floor` to 1 in `step_size` steps, down again in as many, for ever.

        triangular    every peak is 1
        triangular2   the height above the floor is halved from cycle to cycle
        exp_range     the height above the floor is multiplied by gamma ** t

    With floor = 0 the first step has a rate of zero. torch takes the lower end and the peak, and its rate is
    this times `lr` with `CyclicLR(optimizer, base_lr=floor * lr, max_lr=lr, step_size_up=step_size)`.

    Args:
        step_size: steps from the floor to the peak, >= 1.
        floor: multiplier in [0, 1].
        mode: what happens to the height, as above.
        gamma: in (0, 1]; used by "exp_range" alone.
        step_size_down: steps from the peak to the floor, >= 1; None means `step_size`.
    Raises: ValueError if an argument is out of range.
    Source: Smith (2017). Agrees with: `CyclicLR` in all three modes.
    """
    up, down = step_size, step_size if step_size_down is None else step_size_down
    _need_count(step_size=up, step_size_down=down)
    _need_floor(floor)
    _need_gamma(gamma)
    modes = ("triangular", "triangular2", "exp_range")
    require(mode in modes, f"mode to be one of {', '.join(modes)}", mode=mode)
    return _schedule(_triangles, up=up, down=down, floor=floor, mode=mode, gamma=gamma)


def _triangles(t: int, up: int, down: int, floor: float, mode: str, gamma: float) -> float:
    cycle, phase = divmod(t, up + down)
    height = phase / up if phase <= up else (up + down - phase) / down
    if mode == "triangular2":
        height *= 0.5**cycle
    elif mode == "exp_range":
        height *= gamma**t
    return _between(floor, height)


def abs_sine(step_size: int, *, floor: float = 0.0) -> Schedule:
    """Arches between `floor` and 1: floor + (1 - floor) * |sin(pi * t / (2 * step_size))|.

    `step_size` steps from the floor to the peak and as many back, like `triangular`, but slow at the peak and
    sharp at the floor. torch has no such schedule.

    Raises: ValueError unless step_size >= 1 and 0 <= floor <= 1.
    """
    _need_count(step_size=step_size)
    _need_floor(floor)
    return _schedule(_arches, period=2 * step_size, floor=floor)


def _arches(t: int, period: int, floor: float) -> float:
    return _between(floor, math.sin(math.pi * (t % period) / period))


def one_cycle(
    total: int,
    *,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    anneal_strategy: Literal["cos", "linear"] = "cos",
) -> Schedule:
    """One rise and one long fall: 1 / div_factor -> 1 -> 1 / (div_factor * final_div_factor), constant after.

    The peak is at t = pct_start * total - 1, between two steps unless that is whole; the fall ends at the
    last step, t = total - 1. torch takes the peak as `max_lr`, and its rate is this times `lr` with
    `OneCycleLR(optimizer, max_lr=lr, total_steps=total)`. Only the rate is scheduled, not the momentum, and
    torch's `three_phase` is not here.

    Args:
        total: number of steps of the run.
        pct_start: share of the run spent rising, in (0, 1), more than one step.
        div_factor: peak over start, >= 1.
        final_div_factor: start over end, >= 1.
        anneal_strategy: half cosines ("cos") or straight lines ("linear").
    Raises: ValueError if an argument is out of range.
    Source: Smith & Topin (2019). Agrees with: `OneCycleLR`.
    """
    _need_count(total=total)
    require(0 < pct_start < 1, "0 < pct_start < 1", pct_start=pct_start)
    require(pct_start * total > 1, "pct_start * total > 1", pct_start=pct_start, total=total)
    require(1 <= div_factor < math.inf, "div_factor >= 1", div_factor=div_factor)
    require(1 <= final_div_factor < math.inf, "final_div_factor >= 1", final_div_factor=final_div_factor)
    require(
        anneal_strategy in ("cos", "linear"),
        'anneal_strategy "cos" or "linear"',
        anneal_strategy=anneal_strategy,
    )
    shape = _half_cosine if anneal_strategy == "cos" else _line
    start = 1 / div_factor
    peak, last = pct_start * total - 1, total - 1
    end = start / final_div_factor
    return _schedule(_cycle, start=start, peak=peak, end=end, last=last, shape=shape)


def _cycle(
    t: int, start: float, peak: float, end: float, last: int, shape: Callable[[float], float]
) -> float:
    if t <= peak:
        return _between(start, 1 - shape(t / peak))
    return _between(end, shape((min(t, last) - peak) / (last - peak)))


def linear_warmup(steps: int, then: Schedule) -> Schedule:
    """(t + 1) / steps for t < steps, then `then(t - steps)`: no step is wasted at a rate of zero.

    Step `steps - 1` is the first at 1. For no jump, `then` should start at 1.

    Args:
        steps: length of the warm-up, >= 0; 0 gives `then`.
        then: any schedule; it sees its own step 0 at step `steps`.
    Raises: ValueError if `steps` is out of range or `then` is not a schedule.
    Source: Goyal et al. (2017), section 2.2. Agrees with: `SequentialLR` of
        `LinearLR(start_factor=1 / steps, total_iters=steps - 1)` and the scheduler that equals `then`.
    """
    _need_count(least=0, steps=steps)
    cure = "call the factory: cosine_decay(90), not cosine_decay"
    require(callable(then) and isinstance(then(0), (int, float)), "then: step -> float", then=then, cure=cure)
    return _schedule(_warmup, steps=steps, then=then)


def _warmup(t: int, steps: int, then: Schedule) -> float:
    return (t + 1) / steps if t < steps else then(t - steps)


def warmup_stable_decay(
    total: int,
    *,
    warmup: int,
    decay: int,
    floor: float = 0.0,
    shape: Literal["linear", "cosine", "sqrt"] = "linear",
) -> Schedule:
    """Warm up for `warmup` steps, stay at 1, fall to `floor` over the last `decay` steps, constant after.

        (t + 1) / warmup                                  t < warmup
        1                                                 t <= total - decay
        floor + (1 - floor) * fall                        u = (t - (total - decay)) / decay in [0, 1]

        fall: 1 - u ("linear"), (1 + cos(pi * u)) / 2 ("cosine"), 1 - sqrt(u) ("sqrt")

    Runs of any `total` share their steps up to the first decay, so one long stable run can be branched: save
    it, and let each branch decay from where it left.

    Args:
        total: step at which the floor is reached.
        warmup: >= 0, < total.
        decay: >= 1, at most total - warmup.
        floor: multiplier in [0, 1].
        shape: how it falls.
    Raises: ValueError if an argument is out of range.
    Source: Hu et al. (2024), section 4; "sqrt" from Hägele et al. (2024).
        Agrees with: `SequentialLR` of `LinearLR`, `ConstantLR`, and `LinearLR` or `CosineAnnealingLR`.
    """
    _need_count(total=total)
    _need_count(least=0, warmup=warmup)
    _need_count(decay=decay)
    require(0 <= warmup < total, "0 <= warmup < total", warmup=warmup, total=total)
    require(warmup + decay <= total, "warmup + decay <= total", warmup=warmup, decay=decay, total=total)
    _need_floor(floor)
    falls: dict[str, Callable[[float], float]] = {"linear": _line, "cosine": _half_cosine, "sqrt": _root}
    require(shape in falls, f"shape to be one of {', '.join(falls)}", shape=shape)
    begin = total - decay - warmup
    return linear_warmup(warmup, _schedule(_stable, begin=begin, decay=decay, floor=floor, fall=falls[shape]))


def _stable(t: int, begin: int, decay: int, floor: float, fall: Callable[[float], float]) -> float:
    return _between(floor, fall(min(max(t - begin, 0), decay) / decay))


def set_lr(optimizer: Optimizer, schedule: Schedule | Sequence[Schedule], step: int) -> None:
    """Give every group the rate `initial_lr * schedule(step)`; the first call notes `initial_lr`.

    A rate that someone else has set since the last call is the new `initial_lr`, so that a second run does
    not go by the base rate of the first.

    Args:
        schedule: one for all groups, or a list or tuple with one for each.
        step: of the optimizer, from 0.
    Raises: ValueError if there are not as many schedules as groups.
    """
    groups = optimizer.param_groups
    schedules = [*schedule] if isinstance(schedule, Sequence) else [schedule] * len(groups)
    counts = {"schedules": len(schedules), "groups": len(groups)}
    cure = "pass one for all groups, or one for each"
    require(len(schedules) == len(groups), "as many schedules as groups", cure=cure, **counts)
    for group, one in zip(groups, schedules, strict=True):
        if group["lr"] != group.get("scheduled_lr", group["lr"]):
            group["initial_lr"] = group["lr"]
        group["lr"] = group["scheduled_lr"] = group.setdefault("initial_lr", group["lr"]) * one(step)


def _between(floor: float, height: float) -> float:
    """`floor` at height 0, 1 at height 1."""
    return floor + (1 - floor) * height


def _half_cosine(u: float) -> float:
    """From 1 at u = 0 to 0 at u = 1, flat at both ends."""
    return (1 + math.cos(math.pi * u)) / 2


def _line(u: float) -> float:
    return 1 - u


def _root(u: float) -> float:
    return 1 - math.sqrt(u)


def _schedule(rate: Callable[..., float], **settings: Any) -> Schedule:
    """The schedule t -> rate(t, **settings), made of named functions, so that it pickles.

    Numbers of NumPy become Python's, as the rates end up in the state of an optimizer.
    """
    for name, value in settings.items():
        if isinstance(value, Real):
            settings[name] = int(value) if isinstance(value, Integral) else float(value)
    return partial(_at, rate, settings)


def _at(rate: Callable[..., float], settings: dict[str, Any], step: int) -> float:
    """The rate at a step, which may be of any integer type (numpy's too) from 0."""
    try:
        t = operator.index(step)
    except TypeError:
        t = -1
    require(t >= 0, "an integer step >= 0", step=step)
    return rate(t, **settings)


def _need_count(least: int = 1, **counts: int) -> None:
    for name, value in counts.items():
        got: dict[str, Any] = {name: value}
        require(is_whole(value) and value >= least, f"an integer {name} >= {least}", **got)


def _need_gamma(gamma: float) -> None:
    require(
        0 < gamma <= 1, "0 < gamma <= 1", gamma=gamma, cure="1.0 is the peak, so a rate can only fall from it"
    )


def _need_floor(floor: float) -> None:
    require(0 <= floor <= 1, "0 <= floor <= 1", floor=floor, cure="floor is a multiplier of the base rate")
