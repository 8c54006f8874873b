"""Exercises of lesson 08: what does λ mean?

weight_decay is PyTorch's λ throughout; decoupled decay takes the share lr * weight_decay of p per step.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong
from course_utils.regularizers import weight_names

Step = tuple[Tensor, Tensor, Tensor]

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


def _states() -> Inputs:
    generator = torch.Generator().manual_seed(8)

    def draw() -> Tensor:
        return torch.randn(3, generator=generator, dtype=torch.float64)

    settings = ((1, 0.1, 0.5), (2, 0.01, 0.1), (50, 0.2, 2.0))
    return tuple(
        (draw(), 0.5 * (t > 1) * draw(), (t > 1) * draw() ** 2, draw(), t, lr, decay)
        for t, lr, decay in settings
    )


# --- 2 · half-life ---------------------------------------------------------------------------------


def half_life(lr: float, weight_decay: float) -> float:
    return math.log(0.5) / math.log(1 - lr * weight_decay)


# --- 3 · three codes, one decay --------------------------------------------------------------------


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


# --- 4 · who decays --------------------------------------------------------------------------------


def decayed_names(model: nn.Module) -> list[str]:
    norms = (nn.LayerNorm, nn.BatchNorm1d)
    names = []
    for path, module in model.named_modules():
        for name, _ in module.named_parameters(recurse=False):
            if name != "bias" and not isinstance(module, norms):
                names.append(f"{path}.{name}" if path else name)
    return names


def _all_names(model: nn.Module) -> list[str]:
    return [name for name, _ in model.named_parameters()]


def _no_bias(model: nn.Module) -> list[str]:
    return [name for name in _all_names(model) if not name.endswith("bias")]


def _matrices(model: nn.Module) -> list[str]:
    return [name for name, p in model.named_parameters() if p.ndim >= 2]


def _linear_only(model: nn.Module) -> list[str]:
    linear = [path for path, module in model.named_modules() if isinstance(module, nn.Linear)]
    return [f"{path}.weight" for path in linear]


def _spared(model: nn.Module) -> list[str]:
    decayed = set(weight_names(model))
    return [name for name in _all_names(model) if name not in decayed]


def _name_says_norm(model: nn.Module) -> list[str]:
    return [name for name in _no_bias(model) if "norm" not in name]


class _Block(nn.Module):
    """A net whose parameters try every rule of thumb: a norm without the word, and one with a grid of gains."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 4)
        self.norm = nn.LayerNorm(4)
        self.inner = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2, bias=False))
        self.grid = nn.LayerNorm((3, 4))


def _models() -> Inputs:
    return (
        (nn.Linear(3, 2),),
        (nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)),),
        (_Block(),),
    )


# --- 5 · the decay under Adam ----------------------------------------------------------------------


def effective_decay(p: float, noise: float, lr: float, weight_decay: float) -> float:
    size = math.sqrt(noise**2 + (weight_decay * p) ** 2)
    return lr * weight_decay / size


def _like_adamw(p: float, noise: float, lr: float, weight_decay: float) -> float:
    return lr * weight_decay


def _noise_only(p: float, noise: float, lr: float, weight_decay: float) -> float:
    return lr * weight_decay / noise


def _without_root(p: float, noise: float, lr: float, weight_decay: float) -> float:
    return lr * weight_decay / (noise**2 + (weight_decay * p) ** 2)


def _sizes_added(p: float, noise: float, lr: float, weight_decay: float) -> float:
    return lr * weight_decay / (noise + weight_decay * abs(p))


def _not_a_share(p: float, noise: float, lr: float, weight_decay: float) -> float:
    return p * effective_decay(p, noise, lr, weight_decay)


def _as_sgd_scaled(p: float, noise: float, lr: float, weight_decay: float) -> float:
    return lr * weight_decay * noise


# --- 6 · towards research: where AdamW comes to rest -----------------------------------------------


def resting_point(target: float, noise: float, weight_decay: float) -> float:
    low, high = 0.0, target
    for _ in range(100):
        p = (low + high) / 2
        pull = (target - p) / math.hypot(target - p, noise)
        low, high = (p, high) if pull > weight_decay * p else (low, p)
    return (low + high) / 2


def _penalty_rest(target: float, noise: float, weight_decay: float) -> float:
    return target / (1 + weight_decay)


def _strong_noise(target: float, noise: float, weight_decay: float) -> float:
    return target / (1 + weight_decay * noise)


def _box_only(target: float, noise: float, weight_decay: float) -> float:
    return min(target, 1 / weight_decay)


def _minimum(target: float, noise: float, weight_decay: float) -> float:
    return target


def _sum_of_sizes(target: float, noise: float, weight_decay: float) -> float:
    low, high = 0.0, target
    for _ in range(100):
        p = (low + high) / 2
        pull = (target - p) / (target - p + noise)
        low, high = (p, high) if pull > weight_decay * p else (low, p)
    return (low + high) / 2


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
                "You added the decay to the gradient, so it passes through m and v and is divided by the gradients' "
                "size. This is Adam with a penalty.",
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
        "08.half_life",
        title="The half-life of a weight",
        prompt="Return the number of steps, as a float, after which decoupled decay alone leaves half of a weight.",
        kind="core",
        minutes=5,
        inputs=((0.01, 1.0), (0.1, 5.0), (1e-3, 0.1), (0.5, 1.5)),
        solution=half_life,
        wrong=(
            Wrong(
                lambda lr, weight_decay: (
                    math.log(0.5) / math.log(1 - weight_decay) if weight_decay < 1 else math.inf
                ),
                "The rate is missing: each step takes the share lr * weight_decay, not weight_decay.",
            ),
            Wrong(
                lambda lr, weight_decay: 1 / (lr * weight_decay),
                "This is the time constant, after which 1/e is left in the limit of small steps. The half-life is shorter.",
            ),
            Wrong(
                lambda lr, weight_decay: math.log(2) / (lr * weight_decay),
                "This is the limit of small lr * weight_decay. At larger ones log(1 - x) is not -x.",
            ),
            Wrong(
                lambda lr, weight_decay: 0.5 / (lr * weight_decay),
                "You subtract the same amount at each step. Decay takes a share of what is left.",
            ),
            Wrong(
                lambda lr, weight_decay: math.log(1 - lr * weight_decay) / math.log(0.5),
                "Upside down: this is the number of half-lives in one step.",
            ),
            Wrong(
                lambda lr, weight_decay: math.log(0.5) / math.log(1 - lr),
                "weight_decay is missing: each step takes the share lr * weight_decay.",
            ),
        ),
        hints=(
            "After n steps (1 - lr * weight_decay)**n is left.",
            "Set it to one half and take logarithms of both sides.",
            "math.log(0.5) / math.log(1 - lr * weight_decay)",
        ),
        stub='''def half_life(lr, weight_decay):
    """Steps, as a float, until half of a weight is left without gradients."""
    ...
''',
        note="Under a schedule read lr as the mean rate: only lr times the steps matters, while the product is small.",
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
        prompt="Return the names, in the order of named_parameters(), of all parameters but biases and the gains of "
        "nn.LayerNorm and nn.BatchNorm1d.",
        kind="core",
        minutes=10,
        inputs=_models,
        solution=decayed_names,
        wrong=(
            Wrong(_all_names, "All parameters decay here, biases and gains of normalisation layers too."),
            Wrong(
                _no_bias,
                'The gain of a normalisation layer is called "weight": the name of the parameter does not tell.',
            ),
            Wrong(
                _matrices,
                "Counting dimensions goes far, and misses a LayerNorm over several dimensions: its gain is a matrix.",
            ),
            Wrong(_linear_only, "Linear layers are not all: the embedding has weights that decay, too."),
            Wrong(_spared, "This is the other group: what should not decay."),
            Wrong(
                _name_says_norm,
                "You look for the word norm, and layers in a Sequential have numbers for names: look at the type.",
            ),
        ),
        hints=(
            "Names alone do not tell. Which object knows that it is a normalisation layer?",
            "Go through model.named_modules(), and each module's named_parameters(recurse=False).",
            'Leave out name == "bias" and isinstance(module, (nn.LayerNorm, nn.BatchNorm1d)); join path and name by a dot.',
        ),
        stub='''def decayed_names(model):
    """Names of the parameters that should decay, a list."""
    ...
''',
        note="`course_utils.regularizers.decay_groups(model, weight_decay)` makes the two groups for an optimizer.",
    ),
    Exercise(
        "08.effective_decay",
        title="What Adam makes of a penalty",
        prompt="The loss's gradient is noise of mean 0 and standard deviation noise. Return the share of p that Adam "
        "with the penalty weight_decay / 2 * p² takes per step (small lr, long memory in v, eps = 0).",
        kind="core",
        minutes=10,
        inputs=((1.0, 1.0, 0.01, 0.5), (2.0, 0.1, 1e-3, 0.1), (-0.5, 3.0, 0.1, 1.0), (1.0, 0.01, 0.02, 2.0)),
        solution=effective_decay,
        wrong=(
            Wrong(_like_adamw, "This is AdamW's decay. Under Adam the penalty is divided by the root of v."),
            Wrong(
                _noise_only,
                "The penalty's own gradient is in v as well. Where the noise is small it is most of it.",
            ),
            Wrong(_without_root, "You divide by v. The step divides by the root of v."),
            Wrong(
                _sizes_added,
                "Independent parts add up in squares: v is noise² + (weight_decay * p)², then the root.",
            ),
            Wrong(_not_a_share, "This is the amount that p loses. The share is the amount divided by p."),
            Wrong(
                _as_sgd_scaled,
                "Multiplied where it is divided: the louder the gradients, the less Adam decays.",
            ),
        ),
        hints=(
            "The gradient that Adam sees is noise + weight_decay * p. What do m and v tend to?",
            "m tends to weight_decay * p, v to noise² + (weight_decay * p)².",
            "lr * weight_decay / sqrt(noise² + (weight_decay * p)²)",
        ),
        stub='''def effective_decay(p, noise, lr, weight_decay):
    """Share of p that the penalty takes per step, a float."""
    ...
''',
        note="Without noise it is lr / |p|: a step of length lr, whatever weight_decay is.",
    ),
    Exercise(
        "08.resting_point",
        title="Where AdamW comes to rest",
        prompt="The loss is (p - target)² / 2 with target > 0, its gradient seen through noise of standard deviation "
        "noise. Return the p >= 0 at which AdamW's mean step is zero (small lr, long memory in v, eps = 0), to 1e-6.",
        kind="extra",
        minutes=25,
        inputs=((1.0, 1.0, 0.5), (3.0, 0.1, 0.5), (0.5, 4.0, 0.2), (2.0, 0.5, 1.0), (1.0, 0.3, 0.1)),
        solution=resting_point,
        rtol=2e-6,
        wrong=(
            Wrong(
                _penalty_rest,
                "This is where a penalty comes to rest, under any optimizer. AdamW's pull is divided by the root of v.",
            ),
            Wrong(
                _strong_noise,
                "This is the limit of strong noise, where the root of v is the noise alone. v holds the squared "
                "gradient too.",
            ),
            Wrong(
                _box_only,
                "This is the limit without noise: the box |p| <= 1 / weight_decay. With noise the pull is weaker than 1.",
            ),
            Wrong(_minimum, "This is the minimum of the loss: there the pull is zero, and the decay is not."),
            Wrong(
                _sum_of_sizes,
                "The sizes add up in squares: the root of v is the root of g² + noise², not |g| + noise.",
            ),
        ),
        hints=(
            "Write the mean of m and of v at rest, for a p that hardly moves; then the mean step.",
            "(target - p) / sqrt((target - p)² + noise²) = weight_decay * p. The left side falls with p, the right rises.",
            "Halve the interval from 0 to target a hundred times, keeping the half with the change of sign.",
        ),
        stub='''def resting_point(target, noise, weight_decay):
    """The weight at which AdamW's mean step is zero, a float."""
    ...
''',
        note="Strong noise makes it a penalty of strength weight_decay * noise; none makes it a box of half width "
        "1 / weight_decay.",
    ),
)

QUIZZES = (
    Quiz(
        "08.loud_or_quiet",
        "Adam with a penalty, λ/2 · Σθ² added to the loss. One weight has gradients of size 10, another of size 0.1, "
        "both with mean zero. Which of the two loses more of its value to the penalty?",
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
)
