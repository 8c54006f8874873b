"""Exercises of lesson 24: what is the same when a step is shared?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Vectors = list[list[float]]


# --- 1 · share this gradient -----------------------------------------------------------------------


def shared_gradient(grads: list[Tensor], counts: list[int], longest: float) -> Tensor:
    total = sum(counts)
    g = torch.zeros_like(grads[0])
    for grad, count in zip(grads, counts, strict=True):
        if count > 0:
            g = g + grad * count / total
    return g * (longest / g.norm()) if g.norm() > longest else g


def _whole(grads: list[Tensor], counts: list[int], weights: list[float]) -> Tensor:
    g = torch.zeros_like(grads[0])
    for grad, count, weight in zip(grads, counts, weights, strict=True):
        g = g + grad * weight if count else g
    return g


def _clip(g: Tensor, longest: float) -> Tensor:
    return g * (longest / g.norm()) if g.norm() > longest else g


def _summed(grads: list[Tensor], counts: list[int], longest: float) -> Tensor:
    return _clip(_whole(grads, counts, [1.0] * len(grads)), longest)


def _by_workers(grads: list[Tensor], counts: list[int], longest: float) -> Tensor:
    return _clip(_whole(grads, counts, [1 / len(grads)] * len(grads)), longest)


def _by_workers_with_targets(grads: list[Tensor], counts: list[int], longest: float) -> Tensor:
    some = max(1, sum(count > 0 for count in counts))
    return _clip(_whole(grads, counts, [1 / some] * len(grads)), longest)


def _times_counts(grads: list[Tensor], counts: list[int], longest: float) -> Tensor:
    return _clip(_whole(grads, counts, [float(count) for count in counts]), longest)


def _clipped_first(grads: list[Tensor], counts: list[int], longest: float) -> Tensor:
    total = max(1, sum(counts))
    return _whole([_clip(g, longest) for g in grads], counts, [count / total for count in counts])


def _unclipped(grads: list[Tensor], counts: list[int], longest: float) -> Tensor:
    return shared_gradient(grads, counts, math.inf)


def _always_scaled(grads: list[Tensor], counts: list[int], longest: float) -> Tensor:
    g = shared_gradient(grads, counts, math.inf)
    return g * (longest / g.norm()) if g.norm() > 0 else g


def _entries_clipped(grads: list[Tensor], counts: list[int], longest: float) -> Tensor:
    return shared_gradient(grads, counts, math.inf).clamp(-longest, longest)


def _nan_too(grads: list[Tensor], counts: list[int], longest: float) -> Tensor:
    total = max(1, sum(counts))
    g = sum(
        (grad * count / total for grad, count in zip(grads, counts, strict=True)), torch.zeros_like(grads[0])
    )
    return _clip(g, longest)


def _gradients() -> Inputs:
    def made(*rows: list[float]) -> list[Tensor]:
        return [torch.tensor(row, dtype=torch.float64) for row in rows]

    nan = math.nan
    return (
        (made([1.0, -2.0], [3.0, 0.5]), [4, 4], 100.0),
        (made([1.0, -2.0], [3.0, 0.5]), [15, 3], 100.0),
        (made([1.0, -2.0, 0.0], [3.0, 0.5, 1.0], [-8.0, 6.0, 2.0]), [5, 2, 3], 0.7),
        (made([4.0, 0.0], [0.0, 0.1]), [1, 9], 0.3),
        (made([-9.0, 4.0], [5.0, 2.0], [0.2, 0.1]), [7, 1, 12], 2.0),
        (made([2.0, 2.0], [nan, nan], [1.0, -3.0]), [6, 0, 2], 10.0),
        (made([nan], [nan]), [0, 0], 1.0),
        (made([3.0, 4.0]), [8], 1.0),
        (made([0.3, 0.4]), [8], 2.0),
        (made([0.0, 0.0], [0.0, 0.0]), [3, 5], 1.0),
    )


# --- 2 · name the fault ----------------------------------------------------------------------------


def name_fault(grads: Vectors, counts: list[int], moves: Vectors, lr: float) -> str:
    n, total = len(grads), sum(counts)
    if n > 1 and all(g == grads[0] for g in grads):
        return "same data"

    def mean(weights: list[float]) -> list[float]:
        return [
            sum(w * x for w, x in zip(weights, column, strict=True)) for column in zip(*grads, strict=True)
        ]

    right = mean([count / total for count in counts])
    shared = {"none": right, "mean of means": mean([1 / n] * n), "sum of means": mean([1.0] * n)}
    expected = {name: [g] * n for name, g in shared.items()}
    expected["not shared"] = grads
    expected["worker 0 alone"] = [grads[0]] * n

    def gap(name: str) -> float:
        pairs = [pair for e, m in zip(expected[name], moves, strict=True) for pair in zip(e, m, strict=True)]
        return sum(abs(-lr * g - move) for g, move in pairs)

    return min(expected, key=lambda name: round(gap(name), 9))


def _same_data_unseen(grads: Vectors, counts: list[int], moves: Vectors, lr: float) -> str:
    found = name_fault([*grads, [0.0] * len(grads[0])], [*counts, 0], [*moves, moves[0]], lr)
    return "none" if found == "same data" or all(g == grads[0] for g in grads) else found


def _two_alike_are_enough(grads: Vectors, counts: list[int], moves: Vectors, lr: float) -> str:
    alike = any(grads[i] == grads[j] for i in range(len(grads)) for j in range(i))
    return "same data" if alike else name_fault(grads, counts, moves, lr)


def _one_is_alike(grads: Vectors, counts: list[int], moves: Vectors, lr: float) -> str:
    return "same data" if len(grads) == 1 else name_fault(grads, counts, moves, lr)


def _worker_0_decides(grads: Vectors, counts: list[int], moves: Vectors, lr: float) -> str:
    return name_fault(grads, counts, [moves[0]] * len(moves), lr)


def _without_rate(grads: Vectors, counts: list[int], moves: Vectors, lr: float) -> str:
    return name_fault(grads, counts, moves, 1.0)


def _uphill(grads: Vectors, counts: list[int], moves: Vectors, lr: float) -> str:
    return name_fault(grads, counts, moves, -lr)


def _equal_moves_are_right(grads: Vectors, counts: list[int], moves: Vectors, lr: float) -> str:
    found = name_fault(grads, counts, moves, lr)
    return "none" if found in ("mean of means", "worker 0 alone") else found


def _means_are_right(grads: Vectors, counts: list[int], moves: Vectors, lr: float) -> str:
    """Takes the mean of means for right, and a right run for broken where counts differ."""
    found = name_fault(grads, counts, moves, lr)
    uneven = len(set(counts)) > 1
    return {"mean of means": "none", "none": "mean of means" if uneven else "none"}.get(found, found)


def _by_squares(grads: Vectors, counts: list[int], moves: Vectors, lr: float) -> str:
    n, total = len(grads), sum(counts)
    if n > 1 and all(g == grads[0] for g in grads):
        return "same data"
    g, moved = (torch.tensor(rows, dtype=torch.float64) for rows in (grads, moves))
    right = (g * torch.tensor(counts)[:, None]).sum(0) / total
    expected = {"none": right, "mean of means": g.mean(0), "sum of means": g.sum(0)}
    expected |= {"not shared": g, "worker 0 alone": g[0]}
    return min(expected, key=lambda name: round(float((lr * expected[name] + moved).square().sum()), 9))


def _runs() -> Inputs:
    def run(kind: str, grads: Vectors, counts: list[int], lr: float) -> tuple[object, ...]:
        n, total = len(grads), sum(counts)
        weights = {
            "none": [c / total for c in counts],
            "mean of means": [1 / n] * n,
            "sum of means": [1.0] * n,
        }
        weights["worker 0 alone"] = [1.0] + [0.0] * (n - 1)
        if kind == "not shared":
            steps = grads
        else:
            g = [
                sum(w * x for w, x in zip(weights[kind], column, strict=True))
                for column in zip(*grads, strict=True)
            ]
            steps = [g] * n
        return grads, counts, [[-lr * x for x in step] for step in steps], lr

    three = [[1.0, -2.0], [0.5, 4.0], [-3.0, 1.5]]
    moves: Vectors = [[0.04, -0.4], [0.04, 0.0], [0.04, 0.0]]  # none, but for one entry
    return (
        run("none", [[1.0, -2.0], [0.5, 4.0]], [8, 8], 0.1),
        run("none", three, [8, 2, 5], 0.3),
        run("mean of means", three, [8, 2, 5], 0.3),
        run("mean of means", [[1.0], [4.0]], [3, 1], 2.0),
        run("sum of means", three, [4, 4, 4], 0.05),
        run("sum of means", [[2.0, 0.1], [1.0, 0.3]], [9, 1], 0.5),
        run("not shared", three, [4, 4, 4], 0.2),
        run("not shared", [[1.0, 1.0], [-1.0, 2.0]], [5, 3], 1.0),
        run("worker 0 alone", three, [4, 7, 4], 0.2),
        run("worker 0 alone", [[1.0, 1.0], [-1.0, 2.0]], [6, 6], 0.7),
        run("none", [[1.0, -2.0], [1.0, -2.0]], [8, 8], 0.1),  # the same data
        run("sum of means", [[0.5], [0.5], [0.5]], [8, 8, 8], 0.4),  # the same data, and summed
        run("none", [[1.0, 2.0], [1.0, 2.0], [3.0, -1.0]], [8, 8, 8], 0.1),  # two of three alike
        run("none", [[1.0, -2.0]], [8], 0.1),  # one worker
        (three, [8, 2, 5], moves, 0.1),
        run(
            "mean of means",
            [[3.0, -1.0, 2.0], [-2.5, 0.0, 1.0], [0.5, 0.5, 0.5], [1.0, 2.0, -4.0]],
            [1, 9, 4, 2],
            0.01,
        ),
    )


# --- 3 · choose the stage --------------------------------------------------------------------------


def lowest_stage(parameters: float, devices: int, memory: float, activations: float) -> int | None:
    for stage in range(4):
        state = 12 / devices if stage >= 1 else 12
        gradient = 2 / devices if stage >= 2 else 2
        weight = 2 / devices if stage >= 3 else 2
        if parameters * (weight + gradient + state) + activations <= memory:
            return stage
    return None


def _stage_of(
    parameters: float, devices: int, memory: float, activations: float, *, parts: tuple[float, float, float] = (12, 2, 2),
    order: tuple[int, int, int] = (1, 2, 3), last: int | None = None,
) -> int | None:  # fmt: skip
    for stage in range(4):
        held = sum(
            part / (devices if stage >= first else 1) for part, first in zip(parts, order, strict=True)
        )
        if parameters * held + activations <= memory:
            return stage
    return last


def _in_float32(parameters: float, devices: int, memory: float, activations: float) -> int | None:
    return _stage_of(parameters, devices, memory, activations, parts=(8, 4, 4))


def _without_activations(parameters: float, devices: int, memory: float, activations: float) -> int | None:
    return _stage_of(parameters, devices, memory, 0.0)


def _activations_shared(parameters: float, devices: int, memory: float, activations: float) -> int | None:
    return _stage_of(parameters, devices, memory, activations / devices)


def _all_at_once(parameters: float, devices: int, memory: float, activations: float) -> int | None:
    return _stage_of(parameters, devices, memory, activations, order=(1, 1, 1))


def _gradients_first(parameters: float, devices: int, memory: float, activations: float) -> int | None:
    return _stage_of(parameters, devices, memory, activations, order=(2, 1, 3))


def _three_anyway(parameters: float, devices: int, memory: float, activations: float) -> int | None:
    return _stage_of(parameters, devices, memory, activations, last=3)


def _all_memory(parameters: float, devices: int, memory: float, activations: float) -> int | None:
    return _stage_of(parameters, devices, memory * devices, activations)


def _less_than_memory(parameters: float, devices: int, memory: float, activations: float) -> int | None:
    return _stage_of(parameters, devices, math.nextafter(memory, 0), activations)


def _highest_stage(parameters: float, devices: int, memory: float, activations: float) -> int | None:
    found = lowest_stage(parameters, devices, memory, activations)
    return None if found is None else 3


def _machines() -> Inputs:
    return (
        (1e9, 1, 17e9, 0.5e9),
        (1e9, 1, 17e9, 2e9),  # one device: no stage helps
        (7e9, 8, 80e9, 10e9),
        (7e9, 8, 140e9, 20e9),
        (7e9, 64, 40e9, 12e9),
        (7e9, 4, 30e9, 2e9),
        (7e9, 8, 30e9, 2e9),
        (70e9, 512, 80e9, 30e9),
        (70e9, 8, 80e9, 10e9),
        (70e9, 16, 80e9, 9e9),
        (2.0, 2, 32.0, 0.0),  # fits exactly
        (2.0, 2, 20.0, 0.0),
        (2.0, 2, 18.0, 0.0),
        (2.0, 2, 16.0, 0.0),
        (2.0, 2, 15.9, 0.0),
        (3e9, 16, 30e9, 28e9),
    )


# --- 4 · move this job -----------------------------------------------------------------------------


def move_job(batch: int, lr: float, devices: int, most: int) -> tuple[int, int, float]:
    each = batch // devices
    parts = -(-each // most)
    micro = each // parts
    return micro, parts, lr * devices * micro * parts / batch


def _rate_kept(batch: int, lr: float, devices: int, most: int) -> tuple[int, int, float]:
    micro, parts, _ = move_job(batch, lr, devices, most)
    return micro, parts, lr


def _rate_times_devices(batch: int, lr: float, devices: int, most: int) -> tuple[int, int, float]:
    micro, parts, _ = move_job(batch, lr, devices, most)
    return micro, parts, lr * devices


def _parts_forgotten(batch: int, lr: float, devices: int, most: int) -> tuple[int, int, float]:
    micro, parts, _ = move_job(batch, lr, devices, most)
    return micro, parts, lr * devices * micro / batch


def _rate_by_root(batch: int, lr: float, devices: int, most: int) -> tuple[int, int, float]:
    micro, parts, _ = move_job(batch, lr, devices, most)
    return micro, parts, lr * math.sqrt(devices * micro * parts / batch)


def _as_many_as_fit(batch: int, lr: float, devices: int, most: int) -> tuple[int, int, float]:
    each = batch // devices
    micro = min(each, most)
    parts = each // micro
    return micro, parts, lr * devices * micro * parts / batch


def _one_part_more(batch: int, lr: float, devices: int, most: int) -> tuple[int, int, float]:
    each = batch // devices
    parts = each // most + 1
    micro = max(1, each // parts)
    return micro, parts, lr * devices * micro * parts / batch


def _no_parts(batch: int, lr: float, devices: int, most: int) -> tuple[int, int, float]:
    micro = min(most, batch // devices)
    return micro, 1, lr * devices * micro / batch


def _rounded_up(batch: int, lr: float, devices: int, most: int) -> tuple[int, int, float]:
    each = -(-batch // devices)
    parts = -(-each // most)
    micro = -(-each // parts)
    return micro, parts, lr * devices * micro * parts / batch


def _jobs() -> Inputs:
    return (
        (256, 0.1, 8, 32),
        (256, 0.1, 4, 32),
        (256, 0.1, 2, 32),
        (256, 0.2, 3, 32),  # 85 each: three parts of 28
        (100, 0.5, 8, 64),  # 12 each, 96 in all
        (1000, 0.3, 7, 50),
        (64, 0.05, 64, 8),
        (65, 0.05, 64, 8),
        (512, 1.0, 1, 100),
        (30, 0.4, 4, 2),
        (30, 0.4, 4, 1),
        (48, 0.4, 4, 12),
    )


# --- 5 · how often to save -------------------------------------------------------------------------


def checkpoint_every(cost: float, life: float, workers: int) -> float:
    return math.sqrt(2 * cost * life / workers)


def _whole_interval_lost(cost: float, life: float, workers: int) -> float:
    return math.sqrt(cost * life / workers)


def _one_worker(cost: float, life: float, workers: int) -> float:
    return math.sqrt(2 * cost * life)


def _all_must_die(cost: float, life: float, workers: int) -> float:
    return math.sqrt(2 * cost * life * workers)


def _at_each_death(cost: float, life: float, workers: int) -> float:
    return life / workers


def _as_often_as_possible(cost: float, life: float, workers: int) -> float:
    return cost


def _half_way(cost: float, life: float, workers: int) -> float:
    return life / workers / 2


def _each_saves(cost: float, life: float, workers: int) -> float:
    return math.sqrt(2 * cost * life) / workers


EXERCISES = (
    Exercise(
        "24.shared_gradient",
        title="Share this gradient",
        prompt="grads[k] is the gradient of worker k's mean loss over its counts[k] targets (tensors of one shape). Return the "
        "gradient of the mean loss over all targets of all workers, scaled down to the length `longest` if it is longer. A worker "
        "without targets has NaN in its gradient and adds nothing; where nobody has any, return zeros.",
        kind="core",
        minutes=8,
        inputs=_gradients,
        solution=shared_gradient,
        rtol=1e-5,  # clip_grad_norm_ adds 1e-6 to the length
        wrong=(
            Wrong(_summed, "These are the workers' means, added up. More workers make longer steps here."),
            Wrong(
                _by_workers,
                "You divide by the number of workers. A target counts for more where there are few.",
            ),
            Wrong(
                _by_workers_with_targets,
                "Each worker with targets counts the same here, however many it has.",
            ),
            Wrong(
                _times_counts,
                "Each mean is times its count, as it should be. The division by all targets is missing.",
            ),
            Wrong(
                _clipped_first,
                "Each worker's gradient is shortened by itself. Then the sum has another direction, and another length.",
            ),
            Wrong(_unclipped, "The gradient is right, and not shortened where it is longer than `longest`."),
            Wrong(
                _always_scaled, "Every gradient gets the length `longest` here. A shorter one should stay."
            ),
            Wrong(_entries_clipped, "Each entry is cut off by itself. Scale the whole vector."),
            Wrong(_nan_too, "0 times NaN is NaN. Leave out a worker that has no targets."),
        ),
        hints=(
            "The weight of worker k is counts[k] / sum(counts).",
            "Start from zeros and add grad * count / total for the workers with count > 0.",
            "At the end: g * (longest / g.norm()) if g.norm() > longest, else g.",
        ),
        stub='''def shared_gradient(grads, counts, longest):
    """The shared gradient, a tensor; grads: a tensor for each worker, counts: ints, longest: a float."""
    ...
''',
        note="Counting, dividing, clipping: each needs a number that only all workers together know.",
    ),
    Exercise(
        "24.name_fault",
        title="This run is broken: find why",
        prompt="After one step of SGD worker k has moved by moves[k]; its own mean gradient was grads[k], over counts[k] targets. If "
        'there are two workers or more and all gradients are equal: "same data". Else make the moves of each case, and return the '
        'nearest (smallest sum of |differences|, rounded to 9 decimals; of equals the first): "none" (all moved by -lr times the '
        'gradient of the mean over all targets), "mean of means", "sum of means", "not shared" (each by its own), '
        '"worker 0 alone" (all by worker 0\'s).',
        kind="core",
        minutes=10,
        inputs=_runs,
        solution=name_fault,
        wrong=(
            Wrong(
                _same_data_unseen,
                "Where all gradients are equal all cases look right. That is what is wrong there.",
            ),
            Wrong(_two_alike_are_enough, "Two equal gradients are enough here. All must be."),
            Wrong(_one_is_alike, "A single worker always agrees with itself."),
            Wrong(
                _worker_0_decides, "You look at worker 0's move alone. The others may have moved otherwise."
            ),
            Wrong(
                _without_rate, "The moves are not divided by the rate, or the gradients not multiplied by it."
            ),
            Wrong(_uphill, "A step goes against the gradient: -lr times it."),
            Wrong(
                _equal_moves_are_right, "That all moved alike is not enough. They may all have moved wrongly."
            ),
            Wrong(
                _means_are_right,
                "The plain mean of the workers' gradients passes as right. Their counts differ.",
            ),
            Wrong(_by_squares, "These are sums of squares, which one odd entry decides. Take |differences|."),
        ),
        hints=(
            "For each case write the list of gradients that the workers stepped with, one for each worker.",
            "The gap of a case is the sum over workers and entries of |-lr * g - move|.",
            "min(cases, key=lambda name: round(gap(name), 9)) takes the first of equals, if the cases are in the order of the prompt.",
        ),
        stub='''def name_fault(grads, counts, moves, lr):
    """The fault, as a string; grads, moves: a list of floats for each worker; counts: ints >= 1; lr: a float."""
    ...
''',
        note="One step on a net of a few weights, written out by hand, tells these faults apart. A loss curve does not.",
    ),
    Exercise(
        "24.lowest_stage",
        title="Choose the stage for this machine",
        prompt="In mixed precision each parameter takes 2 bytes for the weight, 2 for the gradient, and 12 for master weight, m and v. "
        "Stage 1 shares out the 12, stage 2 the gradient as well, stage 3 the weight as well. Each device also needs `activations` bytes. "
        "Return the lowest stage (0 to 3) at which a device needs at most `memory` bytes, or None.",
        kind="core",
        minutes=7,
        inputs=_machines(),
        solution=lowest_stage,
        wrong=(
            Wrong(
                _in_float32,
                "These are the bytes of float32: 4, 4 and 8. In mixed precision they are 2, 2 and 12.",
            ),
            Wrong(_without_activations, "The activations are left out. They come on top."),
            Wrong(
                _activations_shared, "The activations are divided by the devices. Each device has its own."
            ),
            Wrong(_all_at_once, "Stage 1 shares out everything here. It shares out the 12 bytes alone."),
            Wrong(
                _gradients_first,
                "The gradient is shared out before the 12 bytes. The 12 come first: they are the most.",
            ),
            Wrong(_three_anyway, "Where not even stage 3 fits, the answer is None."),
            Wrong(_all_memory, "`memory` is that of one device."),
            Wrong(_less_than_memory, "What takes exactly `memory` bytes fits, too: at most, not less than."),
            Wrong(_highest_stage, "Stage 3 saves most, and sends most. Asked for is the lowest that fits."),
        ),
        hints=(
            "A loop over the stages 0 to 3; return the first that fits.",
            "At stage s the 12 are divided by devices if s >= 1, the gradient's 2 if s >= 2, the weight's 2 if s >= 3.",
            "parameters * (weight + gradient + state) + activations <= memory",
        ),
        stub='''def lowest_stage(parameters, devices, memory, activations):
    """The stage (an int), or None; parameters, memory and activations (bytes): floats; devices: an int >= 1."""
    ...
''',
        note="Stages 1 and 2 can do with the bytes that plain data parallel training sends. Stage 3 sends half as much again.",
    ),
    Exercise(
        "24.move_job",
        title="Move this job to other devices",
        prompt="A job with SGD ran at `lr` on batches of `batch` examples. Now there are `devices` devices, and each can take at most "
        "`most` examples at once. In each step every device gets batch // devices examples, cuts them into `parts` equal parts of `micro`, "
        "and leaves out what remains. Take as few parts as can hold all of them at `most` each, and then the largest micro. Return "
        "(micro, parts, lr), with the new lr in proportion to the examples of a whole step.",
        kind="core",
        minutes=8,
        inputs=_jobs(),
        solution=move_job,
        wrong=(
            Wrong(_rate_kept, "The rate is kept. Where the batch has become smaller, so has the rate to."),
            Wrong(
                _rate_times_devices,
                "The rate is multiplied by the devices. What counts is the batch: has it grown?",
            ),
            Wrong(_parts_forgotten, "The rate follows one part of each device. A step has all parts."),
            Wrong(_rate_by_root, "This is the square root's rule. Asked for is the proportion."),
            Wrong(
                _as_many_as_fit,
                "Each part is as large as fits, and what is left over is dropped. Cut evenly.",
            ),
            Wrong(_one_part_more, "Where it fits exactly, this takes one part too many."),
            Wrong(_no_parts, "One part for each device: the batch shrinks. Accumulate."),
            Wrong(_rounded_up, "The batch has grown here. It may not: round down."),
        ),
        hints=(
            "each = batch // devices examples for a device.",
            "As few parts as hold them: each / most, rounded up, which is -(-each // most). Then micro = each // parts.",
            "The step has devices * micro * parts examples; lr times that over batch.",
        ),
        stub='''def move_job(batch, lr, devices, most):
    """(micro, parts, lr): int, int, float; batch >= devices, devices, most: ints >= 1; lr: a float."""
    ...
''',
        note="With the same batch and rate the job makes the same steps, on one device or on a thousand.",
    ),
    Exercise(
        "24.checkpoint_every",
        title="How often to save",
        prompt="A checkpoint stops all workers for `cost` seconds. Each worker dies once in `life` seconds on average, at any moment alike. "
        "One death stops all; they go back to the last checkpoint, and a new worker is there at once. Return the seconds of work "
        "between two checkpoints that lose the smallest share of time, to 2 %. (cost is far below life / workers.) Write down what is "
        "lost: around its minimum it is too flat for a simulation to find it.",
        kind="extra",
        minutes=15,
        inputs=(
            (1.0, 1e6, 1),
            (1.0, 1e6, 16),
            (10.0, 1e8, 100),
            (30.0, 3e9, 1000),
            (0.5, 2e7, 7),
            (60.0, 1e9, 64),
        ),
        solution=checkpoint_every,
        rtol=2e-2,
        wrong=(
            Wrong(
                _whole_interval_lost, "Nearly: a death loses *half* an interval on average, not a whole one."
            ),
            Wrong(
                _one_worker, "So it would be with one worker. With n of them somebody dies n times as often."
            ),
            Wrong(_all_must_die, "More workers die more often. Here more workers save more seldom."),
            Wrong(
                _at_each_death,
                "This is the mean time between two deaths. Half of it would be lost each time.",
            ),
            Wrong(_as_often_as_possible, "Half of the time is spent on saving here."),
            Wrong(_half_way, "Saving half-way between two deaths does not ask what a checkpoint costs."),
            Wrong(
                _each_saves,
                "The root of n belongs here, not n: twice the deaths do not ask for twice the checkpoints.",
            ),
        ),
        hints=(
            "With τ seconds between two checkpoints: which share of the time goes to saving? And how many seconds are lost by a death?",
            "The share is cost / τ for saving, and half of τ for each death, of which there are workers / life in a second.",
            "cost / τ + τ workers / (2 life) is least where both terms are equal.",
        ),
        stub='''def checkpoint_every(cost, life, workers):
    """Seconds between two checkpoints, a float right to 2 %; cost, life: seconds (floats); workers: an int."""
    ...
''',
        note="Young (1974). The best interval falls as one over the root of the number of workers.",
    ),
)

QUIZZES = (
    Quiz(
        "24.ring_bytes",
        "Workers add up a gradient of 100 megabytes round a ring: each sends to its right neighbour only, and in the end each has the "
        "sum. How much does each of eight workers send, and how much each of 800?",
        (
            (
                "700 megabytes, and 79,900: each must get its gradient to all the others",
                "So it would be if each gradient went round by itself. But sums go round: what arrives is added, and one number goes on.",
                False,
            ),
            (
                "175 megabytes, and nearly 200: less than twice the gradient, however many take part",
                "Each chunk goes once round to be added up and once round to be handed out. Only the number of rounds grows.",
                True,
            ),
            (
                "100 megabytes, and 100: its own gradient, once",
                "Then somebody must have sent the sums. In a ring that is everybody.",
                False,
            ),
        ),
    ),
    Quiz(
        "24.which_nets",
        "Two workers take half of a batch each and average their gradients. Which of these gets the gradient of the whole batch?",
        (
            (
                "a net with layer normalisation",
                "It normalises each example by itself. So no example sees another, and the mean of two means is the mean.",
                True,
            ),
            (
                "a net with batch normalisation",
                "Each worker takes mean and variance of its own half. Those of the whole batch are others.",
                False,
            ),
            (
                "a language model whose batch has texts of different lengths, padded",
                "The padding has no targets. Where one worker has fewer targets, its mean counts too much.",
                False,
            ),
        ),
    ),
    Quiz(
        "24.what_is_slow",
        "Adam on 62 small tensors, 8,432 parameters in all, is laid out anew as one tensor. The arithmetic is "
        "the same. What happens to the time of a step?",
        (
            (
                "Nothing: as many multiplications as before",
                "The multiplications were never the problem. Hundreds of calls of operations were, and most of them are gone.",
                False,
            ),
            (
                "It falls by a large factor",
                "A few calls instead of hundreds. With small tensors the price of a call is nearly all there is.",
                True,
            ),
            (
                "It falls a little: the memory is read in one go",
                "That is what counts for large tensors. These fit into the cache either way.",
                False,
            ),
        ),
    ),
)
