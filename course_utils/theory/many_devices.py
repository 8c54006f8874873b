"""What a shared step costs, by arithmetic: bytes held, bytes sent, seconds."""

from __future__ import annotations

from course_utils._checks import is_whole, require

STAGES = (0, 1, 2, 3)


def ring_share(workers: int) -> float:
    """2 (n - 1) / n: what each of n workers sends in an all-reduce round a ring, in units of the buffer.

    Args:
        workers: n, >= 1.
    Source: Patarasuk & Yuan (2009).
    """
    _count(workers)
    return 2 * (workers - 1) / workers


def bytes_per_parameter(
    workers: int, stage: int, *, weight: float = 4, gradient: float = 4, state: float = 8
) -> float:
    """What each of n workers holds between two steps, for each parameter of the net.

        stage 0    weight + gradient + state              data parallel
        stage 1    weight + gradient + state / n          the optimizer's state in shares
        stage 2    weight + (gradient + state) / n        the gradient, too
        stage 3    (weight + gradient + state) / n        the weights, too

    Args:
        workers: n, >= 1.
        stage: 0 to 3.
        weight, gradient, state: bytes of each, >= 0. Defaults: Adam in float32. In mixed precision 2, 2, 12.
    Raises: ValueError if a number is out of range.
    Source: Rajbhandari, Rasley, Ruwase & He (2020), section 5.
    """
    _count(workers)
    require(stage in STAGES, "a stage of 0, 1, 2 or 3", stage=stage)
    least = min(weight, gradient, state)
    require(least >= 0, "bytes >= 0", weight=weight, gradient=gradient, state=state)
    parts = (state, gradient, weight)
    return sum(part / (workers if stage > k else 1) for k, part in enumerate(parts))


def bytes_sent(workers: int, stage: int, *, weight: float = 4, gradient: float = 4) -> float:
    """What each of n workers sends in a step, for each parameter.

    Stages 0 to 2 add up the gradient and bring something back to all, the gradient or the new weights; stage
    3 fetches the weights twice, before the forward and before the backward pass, and adds up the gradient.

    Args, Raises: as for `bytes_per_parameter`.
    Source: Rajbhandari, Rasley, Ruwase & He (2020), section 7.
    """
    _count(workers)
    require(stage in STAGES, "a stage of 0, 1, 2 or 3", stage=stage)
    require(min(weight, gradient) >= 0, "bytes >= 0", weight=weight, gradient=gradient)
    back = {0: gradient, 1: weight, 2: weight, 3: 2 * weight}[stage]
    return (workers - 1) / workers * (gradient + back)


def step_seconds(compute: float, send: float, *, layers: int = 1, overlap: bool = True) -> float:
    """Seconds of a step whose gradients are sent while the backward pass still computes others.

    Each of the layers, all alike, takes a third of its time forwards and two thirds backwards. Its gradient
    can go as soon as it is there and those before it have gone; the step is over when the last has arrived.

        b = 2 compute / (3 layers),    s = send / layers
        overlapped    compute / 3 + b + (layers - 1) max(b, s) + s
        else          compute + send

    Args:
        compute, send: seconds of each alone, >= 0.
        layers: >= 1.
    Raises: ValueError if a number is out of range.
    """
    require(compute >= 0 and send >= 0, "seconds >= 0", compute=compute, send=send)
    require(is_whole(layers) and layers >= 1, "a whole number of layers >= 1", layers=layers)
    if not overlap:
        return compute + send
    b, s = 2 * compute / (3 * layers), send / layers
    return compute / 3 + b + (layers - 1) * max(b, s) + s


def _count(workers: int) -> None:
    require(is_whole(workers) and workers >= 1, "a whole number of workers >= 1", workers=workers)
