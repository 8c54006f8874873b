"""Exercises of lesson 08: what does λ mean?

weight_decay is PyTorch's λ throughout; decoupled decay takes the share lr * weight_decay of p per step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong
from course_utils.regularizers import weight_names

Step = tuple[Tensor, Tensor, Tensor]
Weights = list[float]

# --- 1 · one step of AdamW -------------------------------------------------------------------------


def _moments(m: Tensor, v: Tensor, g: Tensor, t: int) -> Step:
    """The two averages with the new gradient, and Adam's direction."""
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    d = m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    return m, v, d


def adamw_step(p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, weight_decay: float) -> Step:
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    p = p - lr * weight_decay * p
    return p - lr * m_hat / (v_hat.sqrt() + 1e-8), m, v


def _without_rate(p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, weight_decay: float) -> Step:
    m, v, d = _moments(m, v, g, t)
    return (1 - weight_decay) * p - lr * d, m, v


def _penalty(p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, weight_decay: float) -> Step:
    m, v, d = _moments(m, v, g + weight_decay * p, t)
    return p - lr * d, m, v


def _after(p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, weight_decay: float) -> Step:
    m, v, d = _moments(m, v, g, t)
    return (1 - lr * weight_decay) * (p - lr * d), m, v


def _grows(p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, weight_decay: float) -> Step:
    m, v, d = _moments(m, v, g, t)
    return (1 + lr * weight_decay) * p - lr * d, m, v


def _no_decay(p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, weight_decay: float) -> Step:
    m, v, d = _moments(m, v, g, t)
    return p - lr * d, m, v


def _uncorrected(p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, weight_decay: float) -> Step:
    m, v, _ = _moments(m, v, g, t)
    return (1 - lr * weight_decay) * p - lr * m / (v.sqrt() + 1e-8), m, v


def _divided(p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, weight_decay: float) -> Step:
    m, v, d = _moments(m, v, g, t)
    size = (v / (1 - 0.999**t)).sqrt() + 1e-8
    return p - lr * (d + weight_decay * p / size), m, v


def _only_p(p: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, lr: float, weight_decay: float) -> Tensor:
    return adamw_step(p, m, v, g, t, lr, weight_decay)[0]


def _states() -> Inputs:
    generator = torch.Generator().manual_seed(8)

    def draw() -> Tensor:
        return torch.randn(3, generator=generator, dtype=torch.float64)

    settings = ((1, 0.1, 0.5), (2, 0.01, 0.1), (50, 0.2, 2.0), (3000, 0.05, 12.0))
    tiny = torch.tensor([1e-7, 0.0, -3e3], dtype=torch.float64)  # gradients near eps, zero, and large
    return (
        *(
            (draw(), 0.5 * (t > 1) * draw(), (t > 1) * draw() ** 2, draw(), t, lr, decay)
            for t, lr, decay in settings
        ),
        (draw(), torch.zeros_like(tiny), torch.zeros_like(tiny), tiny, 1, 0.1, 0.3),
        (draw()[:2].view(1, 2), draw()[:2].view(1, 2), draw()[:2].view(1, 2) ** 2, draw()[:2].view(1, 2), 7, 0.3, 0.0),
    )  # fmt: skip


# --- 2 · name the decay ----------------------------------------------------------------------------


def name_decay(weights: list[float], lr: float, decay: float) -> str:
    def path(kind: str) -> list[float]:
        p, m, v, found = weights[0], 0.0, 0.0, [weights[0]]
        for t in range(1, len(weights)):
            if kind == "decoupled":
                p = p - lr * decay * p
            if kind == "decoupled without lr":
                p = p - decay * p
            if kind == "L2 in momentum":
                m = 0.9 * m + decay * p
                p = p - lr * m
            if kind == "L2 in Adam":
                m, v = 0.9 * m + 0.1 * decay * p, 0.999 * v + 0.001 * (decay * p) ** 2
                p = p - lr * m / (1 - 0.9**t) / ((v / (1 - 0.999**t)) ** 0.5 + 1e-8)
            found.append(p)
        return found

    def gap(kind: str) -> float:
        return sum(abs(a - b) for a, b in zip(weights, path(kind), strict=True))

    return min(["none", "decoupled", "decoupled without lr", "L2 in momentum", "L2 in Adam"], key=gap)


def _path(name: str, start: float, count: int, lr: float, decay: float) -> Weights:
    """A weight after 0, 1, ..., count steps without gradients."""
    p, m, v, found = start, 0.0, 0.0, [start]
    for t in range(1, count + 1):
        g = decay * p
        if name == "decoupled":
            p -= lr * g
        elif name == "decoupled without lr":
            p -= g
        elif name == "L2 in momentum":
            m = 0.9 * m + g
            p -= lr * m
        elif name == "L2 in Adam":
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            p -= lr * m / (1 - 0.9**t) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)
        found.append(p)
    return found


KINDS = ("none", "decoupled", "decoupled without lr", "L2 in momentum", "L2 in Adam")


def _nearest(distance: Callable[[Weights, Weights], float], weights: Weights, lr: float, decay: float) -> str:
    return min(
        KINDS, key=lambda name: distance(weights, _path(name, weights[0], len(weights) - 1, lr, decay))
    )


def _by_first_step(weights: Weights, lr: float, decay: float) -> str:
    return _nearest(lambda a, b: round(abs(a[1] - b[1]), 6), weights, lr, decay)  # ties go to the first


def _by_last_weight(weights: Weights, lr: float, decay: float) -> str:
    return _nearest(lambda a, b: round(abs(a[-1] - b[-1]), 6), weights, lr, decay)


def _falls_by_lr(weights: Weights, lr: float, decay: float) -> str:
    """Adam if each step is about lr, whatever else could make it so."""
    steps = [a - b for a, b in pairwise(weights)]
    return "L2 in Adam" if all(abs(s - lr) < 0.05 * lr for s in steps) else _without_adam(weights, lr, decay)


def _without_adam(weights: Weights, lr: float, decay: float) -> str:
    kinds = [name for name in KINDS if name != "L2 in Adam"]
    paths = {name: _path(name, weights[0], len(weights) - 1, lr, decay) for name in kinds}
    return min(paths, key=lambda name: sum(abs(a - b) for a, b in zip(weights, paths[name], strict=True)))


def _without_eps(weights: Weights, lr: float, decay: float) -> str:
    """Adam's first step as lr, however small decay is beside its eps."""
    found = name_decay(weights, lr, decay)
    return "none" if found == "L2 in Adam" and abs(decay * weights[0]) < 1e-8 else found


def _ten_times(weights: Weights, lr: float, decay: float) -> str:
    """The long-run factor of momentum, taken from the first step on."""
    paths = {name: _path(name, weights[0], len(weights) - 1, lr, decay) for name in KINDS}
    paths["L2 in momentum"] = _path("decoupled", weights[0], len(weights) - 1, lr, 10 * decay)
    return min(paths, key=lambda name: sum(abs(a - b) for a, b in zip(weights, paths[name], strict=True)))


def _rate_forgotten(weights: Weights, lr: float, decay: float) -> str:
    found = name_decay(weights, lr, decay)
    swap = {"decoupled": "decoupled without lr", "decoupled without lr": "decoupled"}
    return swap.get(found, found)


def _momentum_is_decoupled(weights: Weights, lr: float, decay: float) -> str:
    found = name_decay(weights, lr, decay)
    return "decoupled" if found == "L2 in momentum" else found


def _traces() -> Inputs:
    def trace(name: str, start: float, count: int, lr: float, decay: float) -> tuple[Any, ...]:
        return _path(name, start, count, lr, decay), lr, decay

    def rounded(name: str, start: float, count: int, lr: float, decay: float) -> tuple[Any, ...]:
        return [round(p, 4) for p in _path(name, start, count, lr, decay)], lr, decay

    # Adam at the decay with which AdamW would be at the same weight after three steps.
    low, high = 0.1, 3.0
    for _ in range(80):
        middle = (low + high) / 2
        gap = _path("L2 in Adam", 1.0, 3, 0.1, middle)[-1] - _path("decoupled", 1.0, 3, 0.1, middle)[-1]
        low, high = (low, middle) if gap > 0 else (middle, high)
    return (
        trace("decoupled", 1.0, 6, 0.1, 0.5),
        trace("decoupled without lr", 1.0, 4, 0.1, 0.5),
        trace("L2 in momentum", 1.0, 5, 0.1, 0.5),
        trace("L2 in Adam", 1.0, 8, 0.01, 0.1),
        trace("none", -0.3, 4, 0.1, 0.2),
        trace("L2 in Adam", -2.0, 6, 0.05, 3.0),
        trace("decoupled", -0.7, 9, 0.02, 0.1),
        trace("L2 in momentum", -3.0, 3, 0.02, 0.4),
        trace("L2 in Adam", 1.0, 3, 0.1, low),
        trace("L2 in Adam", 0.1, 8, 0.05, 1.0),  # it runs past zero
        trace("decoupled without lr", 2.0, 5, 0.003, 0.02),
        trace("L2 in momentum", 0.5, 30, 0.5, 1.0),  # it swings
        trace("decoupled", 1.0, 2, 0.1, 1.0),  # the first step is that of Adam
        trace("none", 4.0, 3, 0.5, 0.01),
        trace("decoupled without lr", -1.0, 6, 2.0, 0.3),
        trace("L2 in Adam", 4.0, 5, 0.1, 0.025),  # each step is lr, and the first that of "without lr"
        trace("decoupled without lr", 10.0, 3, 0.1, 0.01),  # each step is near lr
        trace("L2 in Adam", 1.0, 4, 0.1, 5e-9),  # eps is larger than the gradient
        rounded("decoupled", 0.9173, 6, 0.1, 0.3),
        rounded("L2 in momentum", -1.3172, 5, 0.1, 0.2),
        rounded("decoupled", 1.0, 12, 0.01, 0.004),  # the first steps round to none
    )


# --- 3 · choose the decay of a run -----------------------------------------------------------------


def decay_for_run(rates: list[float], keep: float) -> float:
    low, high = 0.0, 1 / max(rates)
    for _ in range(200):
        decay = (low + high) / 2
        left = 1.0
        for lr in rates:
            left *= 1 - lr * decay
        low, high = (decay, high) if left > keep else (low, decay)
    return (low + high) / 2


def _by_sum(rates: Weights, keep: float) -> float:
    return -math.log(keep) / sum(rates)


def _linear(rates: Weights, keep: float) -> float:
    return (1 - keep) / sum(rates)


def _mean_rate(rates: Weights, keep: float) -> float:
    share: float = 1 - keep ** (1 / len(rates))
    return share / (sum(rates) / len(rates))


def _peak_rate(rates: Weights, keep: float) -> float:
    share: float = 1 - keep ** (1 / len(rates))
    return share / max(rates)


def _first_rate(rates: Weights, keep: float) -> float:
    share: float = 1 - keep ** (1 / len(rates))
    return share / (rates[0] or max(rates))


def _no_rate(rates: Weights, keep: float) -> float:
    share: float = 1 - keep ** (1 / len(rates))
    return share


def _taken(rates: Weights, keep: float) -> float:
    return decay_for_run(rates, 1 - keep)


def _runs() -> Inputs:
    cosine = [0.1 * (1 + math.cos(math.pi * t / 20)) for t in range(20)]
    return (
        ([0.1] * 5, 0.5),
        ([0.4], 0.3),
        (cosine, 0.05),
        ([0.0, 0.02, 0.04, 0.06, 0.03, 0.0], 0.9),
        ([1e-3] * 200, 0.2),
        ([3.0, 1.0], 0.01),
        ([0.5, 0.1, 0.7, 0.2], 0.6),
        ([0.01, 0.3], 0.999),
    )


# --- 4 · three codes, one decay --------------------------------------------------------------------


def torch_decay(convention: str, value: float, lr: float) -> float:
    if convention == "paper":
        return value / lr
    return 2 * value if convention == "sum of squares" else value


def _unchanged(convention: str, value: float, lr: float) -> float:
    return value


def _paper_only(convention: str, value: float, lr: float) -> float:
    return value / lr if convention == "paper" else value


def _paper_times(convention: str, value: float, lr: float) -> float:
    return value * lr if convention == "paper" else torch_decay(convention, value, lr)


def _paper_kept(convention: str, value: float, lr: float) -> float:
    return value if convention == "paper" else torch_decay(convention, value, lr)


def _halved(convention: str, value: float, lr: float) -> float:
    return value / 2 if convention == "sum of squares" else torch_decay(convention, value, lr)


def _penalty_by_rate(convention: str, value: float, lr: float) -> float:
    return torch_decay(convention, value, lr) / (1 if convention == "paper" else lr)


def _both_doubled(convention: str, value: float, lr: float) -> float:
    return value / lr if convention == "paper" else 2 * value


# --- 5 · who decays --------------------------------------------------------------------------------


def decayed_names(model: nn.Module) -> list[str]:
    names = []
    for path, module in model.named_modules():
        norm = isinstance(module, (nn.LayerNorm, nn.BatchNorm1d))
        for name, _ in module.named_parameters(recurse=False):
            if not norm and "bias" not in name.split("_"):
                names.append(f"{path}.{name}" if path else name)
    return names


def _all_names(model: nn.Module) -> list[str]:
    return [name for name, _ in model.named_parameters()]


def _no_bias(model: nn.Module) -> list[str]:
    return [name for name in _all_names(model) if "bias" not in name.rpartition(".")[2].split("_")]


def _matrices(model: nn.Module) -> list[str]:
    return [name for name, p in model.named_parameters() if p.ndim >= 2]


def _linear_only(model: nn.Module) -> list[str]:
    linear = [path for path, module in model.named_modules() if isinstance(module, nn.Linear)]
    return [f"{path}.weight" if path else "weight" for path in linear]


def _spared(model: nn.Module) -> list[str]:
    decayed = set(weight_names(model))
    return [name for name in _all_names(model) if name not in decayed]


def _name_says_norm(model: nn.Module) -> list[str]:
    return [name for name in _no_bias(model) if "norm" not in name]


def _ends_in_bias(model: nn.Module) -> list[str]:
    kept = set(decayed_names(model))
    recurrent = {name for name in _all_names(model) if ".bias_" in name or name.startswith("bias_")}
    return [name for name in _all_names(model) if name in kept | recurrent]


def _bias_in_path(model: nn.Module) -> list[str]:
    return [name for name in decayed_names(model) if "bias" not in name]


def _only_plain_bias(model: nn.Module) -> list[str]:
    spared = {name for name in _all_names(model) if name.rpartition(".")[2] == "bias"}
    norms = {
        f"{path}.{name}"
        for path, module in model.named_modules()
        if isinstance(module, (nn.LayerNorm, nn.BatchNorm1d))
        for name, _ in module.named_parameters(recurse=False)
    }
    return [name for name in _all_names(model) if name not in spared | norms]


class EmbeddingAndNorms(nn.Module):
    """A norm without the word in its name, one with a grid of gains, and an embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 4)
        self.norm = nn.LayerNorm(4)
        self.inner = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2, bias=False))
        self.grid = nn.LayerNorm((3, 4))


class Attention(nn.Module):
    """PyTorch's attention: in_proj_bias, and a gain of one number that is no bias."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.MultiheadAttention(4, 2)
        self.scale = nn.Parameter(torch.ones(1))


class Recurrent(nn.Module):
    """bias_ih_l0 and bias_hh_l0, and weights whose names only contain the letters."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(3, 2)
        self.debias = nn.Linear(2, 2)
        self.unbiased = nn.Parameter(torch.ones(2, 2))


def _models() -> Inputs:
    return (
        (nn.Linear(3, 2),),
        (nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)),),
        (EmbeddingAndNorms(),),
        (Attention(),),
        (Recurrent(),),
        (nn.LayerNorm(3),),
    )


# --- 6 · towards research: the decay of another batch ------------------------------------------------


def decay_for_batch(target: float, noise: float, weight_decay: float, factor: float) -> float:
    def pull(p: float, noise: float) -> float:  # what AdamW's mean step takes towards the target
        size: float = ((target - p) ** 2 + noise**2) ** 0.5
        return (target - p) / size

    low, high = 0.0, target
    for _ in range(200):
        p = (low + high) / 2
        further = abs(pull(p, noise)) > abs(weight_decay * p)
        low, high = (p, high) if further else (low, p)
    return pull(p, noise / float(factor**0.5)) / p


def _same_decay(target: float, noise: float, weight_decay: float, factor: float) -> float:
    return weight_decay


def _by_root(target: float, noise: float, weight_decay: float, factor: float) -> float:
    return weight_decay * math.sqrt(factor)


def _by_factor(target: float, noise: float, weight_decay: float, factor: float) -> float:
    return weight_decay * factor


def _by_inverse_root(target: float, noise: float, weight_decay: float, factor: float) -> float:
    return weight_decay / math.sqrt(factor)


def _noise_by_factor(target: float, noise: float, weight_decay: float, factor: float) -> float:
    return decay_for_batch(target, noise, weight_decay, factor**2)


def _more_noise(target: float, noise: float, weight_decay: float, factor: float) -> float:
    return decay_for_batch(target, noise, weight_decay, 1 / factor)


def _strong_noise_rest(target: float, noise: float, weight_decay: float, factor: float) -> float:
    p = target / (1 + weight_decay * noise)
    return (target - p) / math.hypot(target - p, noise / math.sqrt(factor)) / p


EXERCISES = (
    Exercise(
        "08.adamw_step",
        title="One step of AdamW",
        prompt="Return the new p, m and v of step t, as torch.optim.AdamW takes it with betas 0.9 and 0.999 and "
        "eps 1e-8.",
        kind="core",
        minutes=6,
        inputs=_states,
        solution=adamw_step,
        wrong=(
            Wrong(
                _without_rate,
                "The decay is not multiplied by lr: each step takes the share weight_decay of every weight, whatever "
                "the rate is.",
            ),
            Wrong(
                _penalty,
                "The decay passes through m and v and is divided by the gradients' size: this is Adam with L2.",
            ),
            Wrong(
                _after,
                "You decay after the step, so the new step shrinks too. PyTorch shrinks p first; the two differ by "
                "lr² * weight_decay times the direction.",
            ),
            Wrong(_grows, "The sign of the decay is wrong: your weights grow by a constant share per step."),
            Wrong(_no_decay, "This is Adam without any decay: weight_decay takes no part in it."),
            Wrong(
                _uncorrected,
                "The averages are not corrected for their start at zero: look at the first steps, where t is small.",
            ),
            Wrong(
                _divided,
                "The decay stays out of m and v, and yet you divide it by the root of v_hat. Only the direction is "
                "divided.",
            ),
            Wrong(_only_p, "This is the new p alone. Return all three, as a tuple: p, m, v."),
        ),
        hints=(
            "Adam's step, and one line more. Which quantity does that line change?",
            "p shrinks by the share lr * weight_decay before the step; m, v and g never see it.",
            "p = p - lr * weight_decay * p, then p - lr * m_hat / (v_hat.sqrt() + 1e-8).",
        ),
        stub='''def adamw_step(p, m, v, g, t, lr, weight_decay):
    """The new (p, m, v) after step t = 1, 2, ... of torch.optim.AdamW."""
    ...
''',
        note="The gradient g was computed before p shrank, and is used as it is.",
    ),
    Exercise(
        "08.name_decay",
        title="Which decay does this code have?",
        prompt="The loss has no gradient. weights are a weight's values after 0, 1, 2, ... steps of somebody's code, run "
        'with lr and decay. Return what its decay is: "none", "decoupled" (AdamW), "decoupled without lr", "L2 in '
        'momentum" (PyTorch\'s SGD, momentum 0.9) or "L2 in Adam" (PyTorch\'s Adam, its other defaults). The weights '
        "may be rounded to four digits: return the one whose weights are nearest, by the sum of absolute differences.",
        kind="core",
        minutes=12,
        inputs=_traces,
        solution=name_decay,
        wrong=(
            Wrong(
                _by_first_step,
                "These are the names that the first step alone suggests. Momentum's first step is that of decoupled "
                "decay: look at the second, too.",
            ),
            Wrong(
                _by_last_weight,
                "These are the names that the last weight alone suggests. Two paths can meet there: compare all of them.",
            ),
            Wrong(
                _falls_by_lr,
                "These names come out when Adam is known by steps of lr towards smaller numbers. A negative weight "
                "rises, one near zero runs past it, and other decays may take lr by chance.",
            ),
            Wrong(
                _without_adam,
                'No path is called "L2 in Adam" here. Its first step is lr long, whatever decay is.',
            ),
            Wrong(
                _ten_times,
                "These names come out when momentum decays ten times as fast from the first step on. It begins as "
                "slowly as decoupled decay.",
            ),
            Wrong(
                _rate_forgotten,
                'The two decoupled ones are swapped: "decoupled" takes lr * decay of a weight.',
            ),
            Wrong(
                _momentum_is_decoupled,
                "Momentum's paths are called decoupled here. They share the first step only.",
            ),
            Wrong(
                _without_eps,
                "Adam's eps of 1e-8 is missing: it shortens the steps where decay * p is as small.",
            ),
        ),
        hints=(
            "Without a gradient of the loss, g is 0 in decoupled decay and decay * p under L2.",
            "Write five small loops from weights[0], one for each kind, and compare each path with weights.",
            "min(paths, key=lambda name: sum(abs(a - b) for a, b in zip(weights, paths[name])))",
        ),
        stub='''def name_decay(weights, lr, decay):
    """The kind of decay, a string; weights: a list of floats, after 0, 1, ... steps without gradient."""
    ...
''',
        note="Ten steps with zero gradients tell you what the weight_decay of any optimizer means.",
    ),
    Exercise(
        "08.decay_for_run",
        title="Choose the decay of a run",
        prompt="AdamW runs with the learning rates `rates`, one a step. Return the weight_decay > 0, to six digits, that "
        "leaves the share `keep` (0 < keep < 1) of a weight without gradients, with each lr * weight_decay below 1.",
        kind="core",
        minutes=10,
        inputs=_runs,
        solution=decay_for_run,
        wrong=(
            Wrong(
                _by_sum,
                "This is -ln(keep) over the sum of the rates: right in the limit of small lr * weight_decay only. Use it "
                "as a first guess.",
            ),
            Wrong(
                _linear,
                "This takes the same amount of the first weight at each step. Each step takes a share of what is left.",
            ),
            Wrong(
                _mean_rate,
                "This is for a run at the mean rate. The product of 1 - lr * weight_decay is not that of the mean.",
            ),
            Wrong(_peak_rate, "This is for a run that stays at its highest rate. Lower rates decay less."),
            Wrong(_first_rate, "This is for a run that stays at its first rate."),
            Wrong(_no_rate, "The rates are missing: this is the share that a step takes, lr * weight_decay."),
            Wrong(_taken, "With this decay the share `keep` is what a weight loses, not what is left."),
        ),
        hints=(
            "After the run the product of all 1 - lr * weight_decay is left. It falls as weight_decay rises.",
            "At weight_decay = 0 all is left, at 1 / max(rates) nothing.",
            "Halve the interval between these two a hundred times, keeping the half that holds `keep`.",
        ),
        stub='''def decay_for_run(rates, keep):
    """AdamW's weight_decay, a float; rates: a list of floats >= 0, not all 0, one a step."""
    ...
''',
        note="While lr * weight_decay is small it is -ln(keep) / sum(rates): only the sum of the rates counts.",
    ),
    Exercise(
        "08.torch_decay",
        title="Three codes, one decay",
        prompt='Return the weight_decay that makes PyTorch take the same steps. convention is "paper" (AdamW with '
        'p <- p - value * p, without the rate), "sum of squares" (SGD, loss + value * sum of p²) or "half the sum" '
        "(SGD, loss + value / 2 * sum of p²).",
        kind="core",
        minutes=6,
        inputs=(
            ("paper", 1e-4, 1e-2),
            ("sum of squares", 5e-4, 0.1),
            ("half the sum", 1e-3, 0.2),
            ("paper", 0.05, 0.5),
            ("sum of squares", 0.3, 2.0),
            ("half the sum", 5.0, 0.01),
        ),
        solution=torch_decay,
        wrong=(
            Wrong(_unchanged, "Unchanged: that is right for one of the three conventions only."),
            Wrong(_paper_only, "The paper's value is right. The derivative of value * p² has a 2."),
            Wrong(
                _paper_times,
                "The wrong way round: PyTorch multiplies by lr once more, so you divide to undo it.",
            ),
            Wrong(
                _paper_kept,
                "The penalties are right. PyTorch multiplies the decay by lr, the paper does not.",
            ),
            Wrong(_halved, "The derivative of value * p² is 2 * value * p: twice, not half."),
            Wrong(
                _penalty_by_rate,
                "A penalty is part of the gradient, which SGD multiplies by lr, as PyTorch does with weight_decay: the "
                "rate cancels.",
            ),
            Wrong(_both_doubled, "Half the sum of squares has the derivative value * p, without a 2."),
        ),
        hints=(
            "Write the step that each code takes for a weight without other gradients.",
            "PyTorch takes lr * weight_decay * p. Which multiple of p does each of the three take?",
            "value / lr for the paper, 2 * value and value for the two penalties.",
        ),
        stub='''def torch_decay(convention, value, lr):
    """PyTorch's weight_decay for the same steps: "paper", "sum of squares" or "half the sum"."""
    ...
''',
        note="The package's `l2_penalty` is the sum of squares, without a half.",
    ),
    Exercise(
        "08.decayed_names",
        title="Who should decay",
        prompt="Return the names, in the order of named_parameters(), of all parameters but (a) biases, whose own name "
        "has the word bias between underscores (bias, in_proj_bias, bias_ih_l0; not unbiased), and (b) those of "
        "nn.LayerNorm and nn.BatchNorm1d.",
        kind="core",
        minutes=12,
        inputs=_models,
        solution=decayed_names,
        wrong=(
            Wrong(_all_names, "All parameters decay here, biases and gains of normalisation layers too."),
            Wrong(
                _no_bias,
                'The gains of normalisation layers decay here. A gain is called "weight": its name does not tell.',
            ),
            Wrong(
                _matrices,
                "These are the parameters of two dimensions or more. The gain of a LayerNorm over several dimensions is "
                "among them, and a weight of one dimension is not.",
            ),
            Wrong(
                _linear_only,
                "These are the weights of linear layers alone. Others decay, too: an embedding's.",
            ),
            Wrong(_spared, "This is the other group: what should not decay."),
            Wrong(
                _name_says_norm,
                "Layers with the word norm in their names are left out, and a norm in a Sequential, whose name is a "
                "number, decays: look at the type.",
            ),
            Wrong(
                _ends_in_bias,
                "bias_ih_l0 and bias_hh_l0 decay here: the word bias may stand at the start of a name, too.",
            ),
            Wrong(
                _bias_in_path,
                "A weight is left out here because letters of its name, or of its layer's, spell bias: debias.weight, "
                "unbiased.",
            ),
            Wrong(
                _only_plain_bias,
                "Parameters whose name is bias and nothing more are left out; in_proj_bias and bias_ih_l0 decay.",
            ),
        ),
        hints=(
            "Names alone do not tell. Which object knows that it is a normalisation layer?",
            "Go through model.named_modules(), and each module's named_parameters(recurse=False).",
            'Leave out "bias" in name.split("_") and isinstance(module, (nn.LayerNorm, nn.BatchNorm1d)); join path and '
            "name by a dot, where there is a path.",
        ),
        stub='''def decayed_names(model):
    """Names of the parameters that should decay, a list of strings; model: an nn.Module."""
    ...
''',
        note="`course_utils.regularizers.decay_groups(model, weight_decay)` makes the two groups for an optimizer. "
        "Whether an embedding should decay is open: some large models leave it out.",
    ),
    Exercise(
        "08.decay_for_batch",
        title="Another batch, the same place of rest",
        prompt="The loss is (p - target)² / 2, its gradient seen through noise of standard deviation `noise`, and AdamW "
        "rests where its mean step is zero (small lr, long memory in v, eps = 0). Now the batch becomes `factor` times as "
        "large, so that the noise has 1 / factor of its variance. Return the weight_decay that leaves the place of rest "
        "where it was, to six digits.",
        kind="extra",
        minutes=25,
        inputs=(
            (1.0, 1.0, 0.5, 4.0),
            (-3.0, 0.4, 0.5, 9.0),
            (0.5, 4.0, 0.2, 0.25),
            (2.0, 0.5, 1.0, 100.0),
            (-1.0, 0.3, 0.1, 2.0),
            (20.0, 10.0, 3.0, 0.5),
            (1.0, 2.0, 0.5, 1.0),
        ),
        solution=decay_for_batch,
        rtol=2e-6,
        wrong=(
            Wrong(
                _same_decay,
                "This is the old decay. With less noise AdamW's pull to the target is stronger, and it rests elsewhere.",
            ),
            Wrong(
                _by_root,
                "This keeps weight_decay * noise. That is the limit of strong noise: the root of v holds the gradient "
                "itself as well.",
            ),
            Wrong(_by_factor, "This is `factor` times the old decay, and too much even where noise rules."),
            Wrong(
                _by_inverse_root,
                "This goes the wrong way: with less noise the pull is stronger, so decay may be, too.",
            ),
            Wrong(
                _noise_by_factor,
                "Here the noise's deviation is divided by `factor`. It is the variance that is: the deviation falls by "
                "the root.",
            ),
            Wrong(_more_noise, "Here the larger batch has the larger noise."),
            Wrong(
                _strong_noise_rest,
                "The old place of rest is taken as target / (1 + weight_decay * noise), which is the limit of strong noise.",
            ),
        ),
        hints=(
            "First find the old place of rest p: there (target - p) / sqrt((target - p)² + noise²) = weight_decay * p.",
            "The left side falls from 0 to the target and the right one rises: halve the interval a hundred times.",
            "At this p the same equation, with noise / sqrt(factor), says what the new weight_decay is.",
        ),
        stub='''def decay_for_batch(target, noise, weight_decay, factor):
    """The new weight_decay, a float; target: a float, not 0; noise, weight_decay, factor: floats > 0."""
    ...
''',
        note="Under strong noise it grows like the root of the batch; without noise the box is what it was.",
    ),
)

QUIZZES = (
    Quiz(
        "08.loud_or_quiet",
        "Adam with L2: λ/2 · Σθ² is added to the loss. One weight has gradients of size 10, another of size 0.1, "
        "both with mean zero. Which of the two loses more of its value to L2?",
        (
            (
                "Both lose the same share",
                "So it would be under SGD. Adam divides the whole gradient by its running size, and the penalty is part "
                "of the gradient.",
                False,
            ),
            (
                "The one with the large gradients",
                "Its steps are no longer than those of the other: Adam sees to that. And the penalty's part of them is "
                "smaller.",
                False,
            ),
            (
                "The one with the small gradients",
                "The penalty adds λθ to the gradient, and Adam divides by the gradient's size. The smaller the size, the "
                "more of λθ is left.",
                True,
            ),
        ),
    ),
    Quiz(
        "08.half_the_rate",
        "You train with PyTorch's AdamW at η = 10⁻³ and λ = 0.1. Now you halve η and keep λ. How long is the half-life "
        "of a weight without gradients, in steps?",
        (
            (
                "The same: the decay is decoupled",
                "It is decoupled from the gradient. PyTorch multiplies it by η all the same. In the paper's formula it "
                "would be the same.",
                False,
            ),
            (
                "Twice as long",
                "Each step takes the share ηλ, which is half of what it was.",
                True,
            ),
            (
                "Half as long",
                "A smaller η makes every share smaller, so the weight lasts longer.",
                False,
            ),
        ),
    ),
    Quiz(
        "08.larger_rate",
        "You have tuned λ of AdamW (PyTorch's) at a small η, for a net without normalisation layers and a run that is long "
        "enough to overfit. Now you train at a far larger η, as many steps. Which number do you keep?",
        (
            (
                "λ: where the weights come to rest does not depend on η",
                "So it was on the lesson's net, for both kinds of decay. The lesson also shows a net where it is not so.",
                True,
            ),
            (
                "ηλ: it is the share that each step takes",
                "It is, and the steps of the gradient grow with η just as much: the balance of the two stays where it was.",
                False,
            ),
            (
                "neither: λ has to rise with η",
                "A larger η moves the weights further in each step, and decays them more in each step as well.",
                False,
            ),
        ),
    ),
)
