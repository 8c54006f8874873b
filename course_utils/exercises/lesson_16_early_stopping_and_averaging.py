"""Exercises of lesson 16: when to stop, and which weights to keep?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Stop = tuple[int, int]


def _randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- 1 · when to stop ------------------------------------------------------------------------------


def stop_at(values: list[float], patience: int, min_delta: float) -> Stop:
    best, best_step, waited = math.inf, 0, 0
    for step, value in enumerate(values):
        if value < best - min_delta:
            best, best_step, waited = value, step, 0
        else:
            waited += 1
        if waited == patience:
            return step, best_step
    return len(values) - 1, best_step


def _from_the_start(values: list[float], patience: int, min_delta: float) -> Stop:
    best, best_step, waited = math.inf, 0, 0
    for step, value in enumerate(values):
        if value < best - min_delta:
            best, best_step = value, step
        else:
            waited += 1
        if waited == patience:
            return step, best_step
    return len(values) - 1, best_step


def _wrong_way(values: list[float], patience: int, min_delta: float) -> Stop:
    stop, best = stop_at([-value for value in values], patience, min_delta)
    return stop, best


def _against_the_last(values: list[float], patience: int, min_delta: float) -> Stop:
    last, best_step, waited = math.inf, 0, 0
    for step, value in enumerate(values):
        if value < last - min_delta:
            best_step, waited = step, 0
        else:
            waited += 1
        last = value
        if waited == patience:
            return step, best_step
    return len(values) - 1, best_step


def _one_more(values: list[float], patience: int, min_delta: float) -> Stop:
    return stop_at(values, patience + 1, min_delta)


def _ties_count(values: list[float], patience: int, min_delta: float) -> Stop:
    best, best_step, waited = math.inf, 0, 0
    for step, value in enumerate(values):
        if value <= best - min_delta:
            best, best_step, waited = value, step, 0
        else:
            waited += 1
        if waited == patience:
            return step, best_step
    return len(values) - 1, best_step


def _delta_added(values: list[float], patience: int, min_delta: float) -> Stop:
    best, best_step, waited = math.inf, 0, 0
    for step, value in enumerate(values):
        if value < best + min_delta:
            best, best_step, waited = value, step, 0
        else:
            waited += 1
        if waited == patience:
            return step, best_step
    return len(values) - 1, best_step


def _no_delta(values: list[float], patience: int, min_delta: float) -> Stop:
    return stop_at(values, patience, 0.0)


def _best_of_all(values: list[float], patience: int, min_delta: float) -> Stop:
    stop, _ = stop_at(values, patience, min_delta)
    return stop, values.index(min(values))


def _stop_inputs() -> Inputs:
    return (
        ([1.0, 0.8, 0.9, 0.7, 0.75, 0.72, 0.71, 0.3], 3, 0.0),
        ([1.0, 0.9, 0.95, 0.8, 0.85, 0.82, 0.6, 0.65, 0.7, 0.75], 3, 0.0),
        ([1.0, 0.5, 0.48, 0.46, 0.44, 0.2, 0.1], 3, 0.1),
        ([1.0, 0.75, 0.75, 0.75, 0.75, 0.5], 2, 0.0),
        ([1.0, 1.05, 0.9, 0.97, 0.95, 0.93, 0.91, 0.89], 3, 0.125),
        ([0.9, 0.8, 0.7, 0.6], 2, 0.0),
    )


# --- 2 · what to keep ------------------------------------------------------------------------------


def keep_best(p: Tensor, updates: Sequence[Tensor], values: Sequence[float]) -> Tensor:
    best, kept = math.inf, p.clone()
    for update, value in zip(updates, values, strict=True):
        p -= update
        if value < best:
            best, kept = value, p.clone()
    return kept


def _a_reference(p: Tensor, updates: Sequence[Tensor], values: Sequence[float]) -> Tensor:
    best, kept = math.inf, p
    for update, value in zip(updates, values, strict=True):
        p -= update
        if value < best:
            best, kept = value, p
    return kept


def _before_the_step(p: Tensor, updates: Sequence[Tensor], values: Sequence[float]) -> Tensor:
    best, kept = math.inf, p.clone()
    for update, value in zip(updates, values, strict=True):
        if value < best:
            best, kept = value, p.clone()
        p -= update
    return kept


def _best_never_set(p: Tensor, updates: Sequence[Tensor], values: Sequence[float]) -> Tensor:
    first, kept = values[0], p.clone()
    for update, value in zip(updates, values, strict=True):
        p -= update
        if value <= first:
            kept = p.clone()
    return kept


def _largest(p: Tensor, updates: Sequence[Tensor], values: Sequence[float]) -> Tensor:
    best, kept = -math.inf, p.clone()
    for update, value in zip(updates, values, strict=True):
        p -= update
        if value > best:
            best, kept = value, p.clone()
    return kept


def _last_drop(p: Tensor, updates: Sequence[Tensor], values: Sequence[float]) -> Tensor:
    before, kept = math.inf, p.clone()
    for update, value in zip(updates, values, strict=True):
        p -= update
        if value < before:
            kept = p.clone()
        before = value
    return kept


def _stops_there(p: Tensor, updates: Sequence[Tensor], values: Sequence[float]) -> Tensor:
    best, kept = math.inf, p.clone()
    for update, value in zip(updates, values, strict=True):
        p -= update
        if value >= best:
            break
        best, kept = value, p.clone()
    return kept


def _keep_inputs() -> Inputs:
    curves = ([0.9, 0.5, 0.6, 0.4, 0.7, 0.65], [0.3, 0.6, 0.5, 0.8], [1.0, 0.9, 0.2, 0.95, 0.85])
    return tuple(
        (_randn(k, 3), [_randn(10 * k + j, 3) for j in range(len(curve))], curve)
        for k, curve in enumerate(curves)
    )


# --- 3 · the strength of a stop --------------------------------------------------------------------


def matching_l2(lr: float, steps: int) -> float:
    return 1 / (2 * lr * steps)


def _half_forgotten(lr: float, steps: int) -> float:
    return 1 / (lr * steps)


def _upside_down(lr: float, steps: int) -> float:
    return 2 * lr * steps


def _steps_only(lr: float, steps: int) -> float:
    return 1 / (2 * steps)


def _rate_over_steps(lr: float, steps: int) -> float:
    return lr / (2 * steps)


def _whole_power(lr: float, steps: int) -> float:
    return (1 - 2 * lr) ** steps


# --- 4 · a running mean ----------------------------------------------------------------------------


def weight_average(weights: Tensor, start: int, every: int) -> Tensor:
    average, n = torch.zeros_like(weights[0]), 0
    for step, p in enumerate(weights, start=1):
        if step >= start and (step - start) % every == 0:
            average = average + (p - average) / (n + 1)
            n += 1
    return average


def _over_n(weights: Tensor, start: int, every: int) -> Tensor:
    average, n = torch.zeros_like(weights[0]), 0
    for step, p in enumerate(weights, start=1):
        if step >= start and (step - start) % every == 0:
            average = average + (p - average) / max(n, 1)
            n += 1
    return average


def _halves(weights: Tensor, start: int, every: int) -> Tensor:
    taken = weights[start - 1 :: every]
    average = taken[0]
    for p in taken[1:]:
        average = (average + p) / 2
    return average


def _all_of_them(weights: Tensor, start: int, every: int) -> Tensor:
    return weights.mean(0)


def _from_step_zero(weights: Tensor, start: int, every: int) -> Tensor:
    return weights[start::every].mean(0)


def _multiples(weights: Tensor, start: int, every: int) -> Tensor:
    taken = [p for step, p in enumerate(weights, start=1) if step >= start and step % every == 0]
    return torch.stack(taken).mean(0)


def _every_step(weights: Tensor, start: int, every: int) -> Tensor:
    return weights[start - 1 :].mean(0)


def _last_one(weights: Tensor, start: int, every: int) -> Tensor:
    return weights[start - 1 :: every][-1].clone()


def _average_inputs() -> Inputs:
    return tuple((_randn(k + 20, 12, 3), start, every) for k, (start, every) in enumerate(((3, 2), (4, 3))))


# --- 5 · batch norm for averaged weights -----------------------------------------------------------

Moments = tuple[Tensor, Tensor]


def new_statistics(batches: list[Tensor]) -> Moments:
    means = torch.stack([batch.mean(0) for batch in batches])
    variances = torch.stack([batch.var(0) for batch in batches])
    return means.mean(0), variances.mean(0)


def _biased(batches: list[Tensor]) -> Moments:
    variances = torch.stack([batch.var(0, correction=0) for batch in batches])
    return new_statistics(batches)[0], variances.mean(0)


def _pooled(batches: list[Tensor]) -> Moments:
    everything = torch.cat(batches)
    return everything.mean(0), everything.var(0)


def _deviations(batches: list[Tensor]) -> Moments:
    mean, _ = new_statistics(batches)
    return mean, torch.stack([batch.std(0) for batch in batches]).mean(0)


def _moving(batches: list[Tensor]) -> Moments:
    mean, variance = torch.zeros_like(batches[0][0]), torch.ones_like(batches[0][0])
    for batch in batches:
        mean, variance = 0.9 * mean + 0.1 * batch.mean(0), 0.9 * variance + 0.1 * batch.var(0)
    return mean, variance


def _last_batch(batches: list[Tensor]) -> Moments:
    return batches[-1].mean(0), batches[-1].var(0)


def _of_means(batches: list[Tensor]) -> Moments:
    means = torch.stack([batch.mean(0) for batch in batches])
    return means.mean(0), means.var(0)


def _batch_inputs() -> Inputs:
    sizes = ((4, 4, 4), (5, 5, 2))
    return tuple(
        ([2 * _randn(30 + 5 * k + j, n, 3) + j for j, n in enumerate(of)],) for k, of in enumerate(sizes)
    )


# --- 6 · the best step to stop ---------------------------------------------------------------------


def best_stop(h: float, lr: float, signal: float, noise: float) -> float:
    share = signal / (signal + noise)
    return math.log(1 - share) / math.log(1 - 2 * lr * h)


def _through_ridge(h: float, lr: float, signal: float, noise: float) -> float:
    return signal / (2 * lr * h * noise)


def _no_half(h: float, lr: float, signal: float, noise: float) -> float:
    return math.log(noise / (signal + noise)) / math.log(1 - lr * h)


def _share_left(h: float, lr: float, signal: float, noise: float) -> float:
    return math.log(signal / (signal + noise)) / math.log(1 - 2 * lr * h)


def _amplitudes(h: float, lr: float, signal: float, noise: float) -> float:
    return math.log(noise**0.5 / (signal**0.5 + noise**0.5)) / math.log(1 - 2 * lr * h)


def _flow(h: float, lr: float, signal: float, noise: float) -> float:
    return math.log((signal + noise) / noise) / (2 * lr * h)


def _ratio_only(h: float, lr: float, signal: float, noise: float) -> float:
    return math.log(noise / signal) / math.log(1 - 2 * lr * h)


EXERCISES = (
    Exercise(
        "16.stop_at",
        title="When to stop",
        prompt="Given validation losses, one per epoch, return (the epoch at which the run stops, the best epoch), both "
        "counted from 0. Stop after `patience` epochs in a row that are not more than min_delta below the best.",
        kind="core",
        minutes=8,
        inputs=_stop_inputs,
        solution=stop_at,
        wrong=(
            Wrong(
                _from_the_start,
                "Your count never starts anew, so it counts bad epochs since the start. Count from the last best.",
            ),
            Wrong(
                _wrong_way,
                "You take larger values for better ones, as one does for an accuracy. A loss should fall: mode `min`.",
            ),
            Wrong(
                _against_the_last,
                "You compare with the epoch before. A curve that goes up and down then improves for ever: compare with "
                "the best.",
            ),
            Wrong(
                _one_more,
                "You stop one epoch late: the run stops when the count reaches patience, not when it passes it.",
            ),
            Wrong(
                _ties_count,
                "An equal value counts as better in your code, so a flat curve never stops. It must be smaller.",
            ),
            Wrong(
                _delta_added,
                "The sign of min_delta: a value a little worse than the best passes for an improvement. Subtract it.",
            ),
            Wrong(
                _no_delta,
                "You leave min_delta out: improvements too small to matter keep the run going.",
            ),
            Wrong(
                _best_of_all,
                "Your best epoch may come after the stop, or be too small a gain. It is the one that set the best.",
            ),
        ),
        hints=(
            "Three variables: the best value so far, its epoch, and how many epochs it has stood.",
            "An improvement sets all three (the count to 0); anything else adds 1 to the count.",
            "if value < best - min_delta: best, best_step, waited = value, step, 0; else waited += 1; then compare "
            "waited with patience.",
        ),
        stub='''def stop_at(values, patience, min_delta):
    """(epoch of the stop, best epoch), from 0; the last epoch if the run never stops."""
    ...
''',
        note="With a patience of 3 the last three epochs are always wasted. That is the price of being sure.",
    ),
    Exercise(
        "16.keep_best",
        title="What to keep",
        prompt="Train in place: for each update, `p -= update`, after which the validation loss is the value of the same "
        "place in `values`. Go through all updates and return the weights that had the lowest value.",
        kind="core",
        minutes=6,
        inputs=_keep_inputs,
        solution=keep_best,
        mutates=True,
        wrong=(
            Wrong(
                _a_reference,
                "You kept a reference, not a copy: the next in-place step changes it, and you return the last weights.",
            ),
            Wrong(
                _before_the_step,
                "You keep the weights of one step earlier: the value belongs to the weights after the step.",
            ),
            Wrong(
                _best_never_set,
                "Your best value is never replaced: you keep the last weights that beat the first.",
            ),
            Wrong(_largest, "You keep the weights with the largest loss."),
            Wrong(
                _last_drop,
                "You compare with the step before, not with the best: this is the last step at which the loss fell.",
            ),
            Wrong(
                _stops_there,
                "You stop at the first step that is no better. Go through all of them: the best may come later.",
            ),
        ),
        hints=(
            "Step first, then look at the value.",
            "What is the difference between `kept = p` and a tensor of its own, once p changes in place?",
            "p -= update; if value < best: best, kept = value, p.clone()",
        ),
        stub='''def keep_best(p, updates, values):
    """The weights with the lowest value; p itself ends at the last weights."""
    ...
''',
        note="`model.state_dict()` hands out references too. `copy.deepcopy(model.state_dict())` does not.",
    ),
    Exercise(
        "16.matching_l2",
        title="The strength of a stop",
        prompt="Gradient descent from zero on a mean squared error takes `steps` steps of size `lr`. Along directions of "
        "small curvature h, which λ₂ Σ θ² shrinks the solution as much? (To first order in h.)",
        kind="core",
        minutes=6,
        inputs=((0.1, 50), (0.5, 20), (0.01, 400)),
        solution=matching_l2,
        wrong=(
            Wrong(
                _half_forgotten,
                "This holds for half the mean squared error. The gradient of the mean square has a factor 2.",
            ),
            Wrong(_upside_down, "Upside down: more steps shrink less, so they mean a weaker penalty."),
            Wrong(_steps_only, "What counts is how far the steps reach: the number of steps times the rate."),
            Wrong(_rate_over_steps, "Longer steps get farther, so a larger rate is a weaker penalty too."),
            Wrong(
                _whole_power,
                "This is the share still missing along a direction of curvature 1, not the strength of a penalty.",
            ),
        ),
        hints=(
            "Stopped: a share 1 − (1 − 2·lr·h)^steps of the way. Ridge: h/(h + λ).",
            "For small h the first is about 2·lr·steps·h and the second about h/λ.",
            "Set 2·lr·steps = 1/λ.",
        ),
        stub='''def matching_l2(lr, steps):
    """The λ₂ whose ridge solution shrinks flat directions as `steps` steps from zero do."""
    ...
''',
        note="Only the product lr · steps counts, as long as the rate is stable.",
    ),
    Exercise(
        "16.weight_average",
        title="The running mean of SWA",
        prompt="weights (T, d) holds the weights after steps 1 to T. Return their plain mean over the steps start, "
        "start + every, start + 2·every, ... (as if you saw them one at a time).",
        kind="core",
        minutes=7,
        inputs=_average_inputs,
        solution=weight_average,
        wrong=(
            Wrong(
                _over_n,
                "With n averaged so far the next is number n + 1: divide by that. Dividing by n overshoots.",
            ),
            Wrong(
                _halves,
                "Averaging with the newest each time gives it half of all weight. That is an EMA with decay ½.",
            ),
            Wrong(_all_of_them, "You average from the first step on, and every step."),
            Wrong(
                _from_step_zero,
                "Off by one: the weights after step 1 are weights[0], and start counts steps.",
            ),
            Wrong(_multiples, "You take multiples of `every`. Count from start: start, start + every, ..."),
            Wrong(_every_step, "You take every step from start on, not every `every`-th."),
            Wrong(_last_one, "This is the last weights taken, not a mean."),
        ),
        hints=(
            "Which steps count? step >= start and (step - start) % every == 0.",
            "A mean of n values becomes one of n + 1 by a share of 1/(n + 1) of the way to the new value.",
            "average += (p - average) / (n + 1); n += 1. Or a slice: weights[start - 1 :: every].",
        ),
        stub='''def weight_average(weights, start, every):
    """The mean (d,) of the weights after steps start, start + every, ..."""
    ...
''',
        note="One copy of the weights and one count are enough, however many are averaged.",
    ),
    Exercise(
        "16.new_statistics",
        title="Batch norm for averaged weights",
        prompt="batches holds what arrives at a batch-norm layer, one tensor (n, C) per batch, computed with the averaged "
        "weights. Return (running_mean, running_var), as PyTorch's update_bn leaves them: plain means over batches, with "
        "the unbiased variance.",
        kind="core",
        minutes=7,
        inputs=_batch_inputs,
        solution=new_statistics,
        wrong=(
            Wrong(
                _biased,
                "The buffer holds the unbiased variance (n − 1). The biased one only normalises the batch (lesson 14).",
            ),
            Wrong(
                _pooled,
                "You pool all rows. The running variance is the mean of the batches' variances; differences between "
                "their means do not enter.",
            ),
            Wrong(_deviations, "These are standard deviations; the buffer is called running_var."),
            Wrong(
                _moving,
                "This is training's moving average, with momentum 0.1, still full of its start at 0 and 1. update_bn "
                "sets momentum to None: a plain mean.",
            ),
            Wrong(_last_batch, "Only the last batch is left in your statistics."),
            Wrong(
                _of_means,
                "This is how much the batches' means differ. Wanted is the variance inside them.",
            ),
        ),
        hints=(
            "Per batch two tensors of shape (C,). Then a mean over batches, each batch counting the same.",
            "`batch.var(0)` is the unbiased variance.",
            "Stack the batches' means and variances, and take .mean(0) of both.",
        ),
        stub='''def new_statistics(batches):
    """(running_mean, running_var), each (C,), for the batches (n, C) seen in one pass."""
    ...
''',
        note="A short last batch counts like a full one here, as in PyTorch. Drop it, or shuffle.",
    ),
    Exercise(
        "16.best_stop",
        title="The best step to stop",
        prompt="One direction of curvature h. The least-squares estimate is θ + e, with E[θ²] = signal and an independent "
        "error, E[e²] = noise. Gradient descent from zero with rate lr on the mean squared error is stopped after t steps. "
        "Which t (not rounded) makes the expected squared error against θ smallest?",
        kind="extra",
        minutes=25,
        inputs=((1.0, 0.1, 4.0, 1.0), (0.2, 0.25, 1.0, 3.0), (2.0, 0.05, 0.5, 0.1)),
        solution=best_stop,
        wrong=(
            Wrong(
                _through_ridge,
                "This goes through ridge and λ = 1/(2·lr·t), which matches only while the share is small.",
            ),
            Wrong(
                _no_half, "The mean squared error has the gradient 2hθ: the factor per step is 1 − 2·lr·h."
            ),
            Wrong(
                _share_left,
                "You set the share still missing to signal/(signal + noise). That is the share to be reached.",
            ),
            Wrong(
                _amplitudes, "Errors add up as squares: use signal and noise as they are, not their roots."
            ),
            Wrong(
                _flow,
                "This is gradient flow, log(1 + signal/noise)/(2·lr·h). With steps of this size it is not exact.",
            ),
            Wrong(
                _ratio_only,
                "You set the share still missing to noise/signal. At equal signal and noise that would be no step at all.",
            ),
        ),
        hints=(
            "After t steps you have the share s of the estimate: s·(θ + e). Its error is (s − 1)θ + s·e.",
            "Expected square: (1 − s)²·signal + s²·noise. The best s is signal/(signal + noise).",
            "Solve 1 − (1 − 2·lr·h)^t = s for t.",
        ),
        stub='''def best_stop(h, lr, signal, noise):
    """The number of steps, as a float, with the smallest expected squared error."""
    ...
''',
        note="Every direction has its own best t. One stop for all of them is a compromise, and so is one λ for ridge.",
    ),
)

QUIZZES = (
    Quiz(
        "16.clean_or_noisy",
        "A small net trains on 500 digits, far past the point where it fits them all. You put back the weights of the best "
        "validation step. When does that gain more than one point of accuracy?",
        (
            (
                "With clean labels and with wrong ones: a net that is trained too long always overfits",
                "Its training loss goes to zero in both cases. With clean labels accuracy stays where it was.",
                False,
            ),
            (
                "With 20% of the training labels wrong",
                "The net learns what the right labels say first, and the wrong ones by heart afterwards.",
                True,
            ),
            (
                "In neither case: the last weights are the most trained ones",
                "With wrong labels the last part of the training is spent on learning mistakes.",
                False,
            ),
        ),
    ),
    Quiz(
        "16.average_and_decay",
        "You already lower the learning rate to zero along half a cosine. What does an EMA of the weights add?",
        (
            (
                "About as much as at a constant rate: the two do different things",
                "Both remove the same noise, so the second finds little left to remove.",
                False,
            ),
            (
                "Next to nothing",
                "At the end the weights hardly move, and an average of equal weights is the weights.",
                True,
            ),
            (
                "It does harm: the average lags behind",
                "It would, were the weights still moving. At the end of a cosine they are not.",
                False,
            ),
        ),
    ),
)
