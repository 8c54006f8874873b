"""The course's techniques as recipes, and the tasks they are raced on.

    race(TASKS["noisy digits"], recipes(TASKS["noisy digits"]))

Optimizers are raced as they are. Every other technique is added to one baseline, SGD with momentum 0.9 at a
constant learning rate, so that its distance from the baseline is what it adds. The learning rate is tuned
for each anew, over three powers of ten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import data, optimizers, regularizers, schedules
from course_utils.augmentation import CutMix, Mixup
from course_utils.averaging import ExponentialMovingAverage, StochasticWeightAverage
from course_utils.data import downloads
from course_utils.layers import BatchNorm1d, LayerNorm
from course_utils.models import net
from course_utils.optimizers import SGD, Adam
from course_utils.race.optimizers import Together, hidden_and_rest
from course_utils.race.recipe import Choice, LogUniform, Range, Recipe, Settings, Task, Uniform
from course_utils.seeds import MuonPerSeed, SAMPerSeed
from course_utils.seeds.averages import Average

BASELINE = "momentum"
TWINS = ("momentum again", "momentum, third time", "momentum, fourth time")  # the same in all but its draws


def _task(name: str, load: Callable[[], data.Dataset], inputs: int, epochs: int, **sizes: Any) -> Task:
    return Task(name, load, partial(net, inputs), epochs=epochs, flat=False, **sizes)


def _digits() -> data.Dataset:
    """With two pixels of background around, to leave room for shifts."""
    return data.digits().padded(12, 12)


TASKS = {
    "noisy digits": _task("noisy digits", _digits, 144, 20, train=500, validation=300, label_noise=0.2),
    "mnist1d": _task("mnist1d", data.mnist1d, 40, 20, train=1000, validation=500),
    "fashion_mnist": _task("fashion_mnist", downloads.fashion_mnist, 784, 4, train=5000, validation=1000),
    "cifar10": _task("cifar10", downloads.cifar10, 3072, 4, train=5000, validation=1000),
}


def rolled(x: Tensor, pixels: int) -> Tensor:
    """Each example moved by up to `pixels` both ways along its last axes, round the edge, one draw for each.

    Shape: curves (N, L) or images (N, C, H, W).
    """
    for dim in range(1 if x.ndim == 2 else 2, x.ndim):
        steps = torch.randint(-pixels, pixels + 1, (len(x),), device=x.device)
        places = (torch.arange(x.shape[dim], device=x.device) - steps[:, None]) % x.shape[dim]  # (N, L)
        shape = [len(x)] + [1] * (x.ndim - 1)
        shape[dim] = x.shape[dim]
        x = x.gather(dim, places.view(shape).expand_as(x))
    return x


def _momentum(p: Any, s: Settings) -> SGD:
    return SGD(p, lr=s["lr"], momentum=0.9)


def _smoothed(share: float) -> partial[Tensor]:
    return partial(F.cross_entropy, label_smoothing=share)


def _warm_then_cosine(warmup: int, total: int) -> schedules.Schedule:
    return schedules.linear_warmup(warmup, schedules.cosine_decay(total - warmup))


def _is_weight(name: str) -> bool:
    return name.endswith("weight")


LR = LogUniform(3e-4, 0.3)


def added(name: str, options: Callable[[Settings, int], dict[str, Any]], **space: Range) -> Recipe:
    """A technique on top of the baseline: its own settings beside the learning rate."""

    def with_momentum(s: Settings, steps: int) -> dict[str, Any]:
        return {"optimizer": lambda p: _momentum(p, s), **options(s, steps)}

    return Recipe(name, {"lr": LR, **space}, with_momentum, family="technique")


def rule(name: str, make: Callable[[Any, Settings], Any], low: float, **space: Range) -> Recipe:
    """An optimizer as it is: (parameters, settings) -> optimizer, its lr from `low` to 1000 times that."""

    def options(s: Settings, steps: int) -> dict[str, Any]:
        return {"optimizer": lambda p: make(p, s)}

    return Recipe(name, {"lr": LogUniform(low, 1000 * low), **space}, options, family="optimizer")


def _muon(params: list[Tensor], s: Settings) -> Together:
    """Muon for the hidden matrix, Adam for biases and the last layer, at one learning rate."""
    matrices, rest = hidden_and_rest(params)
    muon = MuonPerSeed(matrices, lr=s["lr"], weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    return Together(muon, Adam(rest, lr=s["lr"]))


def optimizer_recipes() -> list[Recipe]:
    """The course's optimizers. SAM takes two gradients a step, so it has half the steps of the others."""
    sam = rule(
        "SAM",
        lambda p, s: SAMPerSeed(p, SGD, rho=s["rho"], lr=s["lr"], momentum=0.9),
        3e-4,
        rho=LogUniform(0.02, 2.0),
    )
    return [
        rule("SGD", lambda p, s: SGD(p, lr=s["lr"]), 3e-3),
        rule(BASELINE, _momentum, 3e-4),
        *(rule(twin, _momentum, 3e-4) for twin in TWINS),
        rule("Nesterov", lambda p, s: SGD(p, lr=s["lr"], momentum=0.9, nesterov=True), 3e-4),
        rule("Adagrad", lambda p, s: optimizers.Adagrad(p, lr=s["lr"]), 3e-4),
        rule("RMSprop", lambda p, s: optimizers.RMSprop(p, lr=s["lr"]), 3e-5),
        rule("Adadelta", lambda p, s: optimizers.Adadelta(p, lr=s["lr"]), 1e-2),
        rule("Adam", lambda p, s: Adam(p, lr=s["lr"]), 1e-4),
        rule(
            "AdamW",
            lambda p, s: optimizers.AdamW(p, lr=s["lr"], weight_decay=s["decay"]),
            1e-4,
            decay=LogUniform(1e-2, 10.0),
        ),
        rule("Lion", lambda p, s: optimizers.Lion(p, lr=s["lr"]), 1e-5),
        rule("Muon", _muon, 1e-4),
        rule("Schedule-Free SGD", lambda p, s: optimizers.ScheduleFreeSGD(p, lr=s["lr"]), 1e-2),
        rule("Schedule-Free AdamW", lambda p, s: optimizers.ScheduleFreeAdamW(p, lr=s["lr"]), 1e-4),
        replace(sam, options=lambda s, steps: {**sam.options(s, steps), "steps": steps // 2}),
        replace(sam, name="SAM, twice the gradients"),
    ]


def technique_recipes(build: Callable[..., nn.Module]) -> list[Recipe]:
    """Everything else, each on top of momentum; `build` takes `dropout` and `norm` as `net` does."""
    l1, l2 = regularizers.l1_penalty, regularizers.l2_penalty
    cosine = schedules.cosine_decay
    return [
        added("+ cosine", lambda s, n: {"schedule": cosine(n)}),
        added(
            "+ warm-up, cosine",
            lambda s, n: {"schedule": _warm_then_cosine(round(s["share"] * n), n)},
            share=Uniform(0.02, 0.3),
        ),
        added("+ clipping", lambda s, n: {"clip_norm": s["norm"]}, norm=LogUniform(0.1, 10.0)),
        added(
            "+ L2",
            lambda s, n: {"penalty": lambda named: s["l2"] * l2(named, where=_is_weight)},
            l2=LogUniform(1e-4, 1e-1),
        ),
        added(
            "+ L1",
            lambda s, n: {"penalty": lambda named: s["l1"] * l1(named, where=_is_weight)},
            l1=LogUniform(1e-5, 1e-2),
        ),
        added(
            "+ dropout",
            lambda s, n: {"make_model": partial(build, dropout=s["p"])},
            p=Uniform(0.1, 0.8),
        ),
        added("+ batch norm", lambda s, n: {"make_model": partial(build, norm=BatchNorm1d)}),
        added("+ layer norm", lambda s, n: {"make_model": partial(build, norm=LayerNorm)}),
        added("+ label smoothing", lambda s, n: {"loss": _smoothed(s["share"])}, share=Uniform(0.05, 0.7)),
        added(
            "+ shifts", lambda s, n: {"augment": partial(rolled, pixels=s["pixels"])}, pixels=Choice((1, 2))
        ),
        added(
            "+ mixup",
            lambda s, n: {"augment": Mixup(s["alpha"], num_classes=10)},
            alpha=LogUniform(0.05, 5.0),
        ),
        added(
            "+ early stopping",
            lambda s, n: {"patience": s["patience"], "measure_every": max(1, n // 40)},
            patience=Choice((2, 4, 8)),
        ),
        added(
            "+ EMA",
            lambda s, n: {"averages": {"ema": Average(partial(ExponentialMovingAverage, decay=s["decay"]))}},
            decay=Choice((0.9, 0.97, 0.99, 0.997)),
        ),
        added(
            "+ SWA",
            lambda s, n: {
                "averages": {"swa": Average(StochasticWeightAverage, start=round(s["from"] * n) + 1)}
            },
            **{"from": Uniform(0.1, 0.9)},
        ),
        added(
            "+ cosine, dropout, smoothing",
            lambda s, n: {
                "make_model": partial(build, dropout=s["p"]),
                "loss": _smoothed(s["share"]),
                "schedule": cosine(n),
            },
            p=Uniform(0.1, 0.8),
            share=Uniform(0.05, 0.7),
        ),
    ]


def recipes(task: Task) -> list[Recipe]:
    """All of them, for one of `TASKS`; CutMix, whose box has two sides, where there are images."""
    cutmix = added(
        "+ CutMix", lambda s, n: {"augment": CutMix(s["alpha"], num_classes=10)}, alpha=LogUniform(0.05, 5.0)
    )
    images = [] if task.name == "mnist1d" else [cutmix]
    return [*optimizer_recipes(), *technique_recipes(task.make_model), *images]
