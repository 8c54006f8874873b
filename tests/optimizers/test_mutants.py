"""Plausible mistakes, each made in our own code, and each caught by the parity check."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from course_utils import optimizers
from tests.mutants import mistakes
from tests.optimizers import reference_optimizers as paper
from tests.optimizers.test_optimizers import check_sam, check_trajectory

MOMENTUM = {"lr": 0.1, "momentum": 0.9}
NESTEROV = {"lr": 0.1, "momentum": 0.9, "nesterov": True}
DAMPED = {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}
DECAY = {"lr": 0.1, "weight_decay": 0.2}
AMSGRAD = {"lr": 0.1, "amsgrad": True, "betas": (0.9, 0.5)}
WARM = {"lr": 0.3, "warmup_steps": 7}

# mistake: class, configuration in which it shows, text, text with the mistake
MISTAKES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "sgd-uphill": ("SGD", MOMENTUM, "p.add_(g, alpha=-lr)", "p.add_(g, alpha=lr)"),
    "sgd-velocity-sign": ("SGD", MOMENTUM, "m.mul_(momentum).add_(", "m.mul_(-momentum).add_("),
    "sgd-momentum-as-mean": ("SGD", MOMENTUM, 'alpha=1 - group["dampening"]', "alpha=1 - momentum"),
    "sgd-dampening-on-the-first-buffer": ("SGD", DAMPED, "= g.clone()", '= g * (1 - group["dampening"])'),
    "sgd-nesterov-without-momentum-factor": ("SGD", NESTEROV, "g.add(m, alpha=momentum) if", "g.add(m) if"),
    "sgd-nesterov-at-the-old-point": (
        "SGD",
        NESTEROV,
        'm.mul_(momentum).add_(g, alpha=1 - group["dampening"])',
        "look = g.add(m, alpha=momentum); m.mul_(momentum).add_(g); g = look.sub(m, alpha=momentum)",
    ),
    "sgd-decay-sign": ("SGD", DECAY, "g = g.add(p, alpha", "g = g.sub(p, alpha"),
    "sgd-decay-changes-the-gradient": ("SGD", DECAY, "g = g.add(p, alpha", "g = g.add_(p, alpha"),
    "adagrad-no-epsilon": ("Adagrad", {}, 's.sqrt().add_(group["eps"])', "s.sqrt()"),
    "adagrad-eps-inside": (
        "Adagrad",
        {"eps": 0.01},
        's.sqrt().add_(group["eps"])',
        's.add(group["eps"]).sqrt_()',
    ),
    "adagrad-decay-off-by-one": ("Adagrad", {"lr_decay": 0.1}, "1 + (t - 1) * group", "1 + t * group"),
    "adagrad-forgets": ("Adagrad", {}, "s.addcmul_(g, g)", "s.mul_(0.9).addcmul_(g, g)"),
    "rmsprop-no-root": ("RMSprop", {}, "v.sqrt().add_", "v.clone().add_"),
    "rmsprop-eps-inside": ("RMSprop", {}, 'v.sqrt().add_(group["eps"])', 'v.add(group["eps"]).sqrt_()'),
    "rmsprop-no-one-minus-alpha": ("RMSprop", {}, "addcmul_(g, g, value=1 - alpha)", "addcmul_(g, g)"),
    "rmsprop-centres-its-own-mean": (
        "RMSprop",
        {"centered": True},
        "v = v.addcmul(u, u",
        "v = v.addcmul_(u, u",
    ),
    "rmsprop-adds-the-mean": ("RMSprop", {"centered": True}, "v.addcmul(u, u, value=-1)", "v.addcmul(u, u)"),
    "rmsprop-scales-the-sum": (
        "RMSprop",
        {"momentum": 0.9},
        ".addcdiv_(g, denom)\n",
        ".add_(g).div_(denom)\n",
    ),
    "adadelta-no-step-size": ("Adadelta", {}, "s.add(eps).sqrt_()", "v.add(eps).sqrt_()"),
    "adadelta-swapped": (
        "Adadelta",
        {},
        "s.add(eps).sqrt_().div_(v.add(eps)",
        "v.add(eps).sqrt_().div_(s.add(eps)",
    ),
    "adadelta-sums-gradients-twice": ("Adadelta", {}, "addcmul_(d, d, value", "addcmul_(g, g, value"),
    "adadelta-eps-outside": ("Adadelta", {}, "s.add(eps).sqrt_()", "s.sqrt().add_(eps)"),
    "adam-eps-inside-root": (
        "Adam",
        {"lr": 0.1},
        "v.sqrt().div_((1 - beta2**t) ** 0.5).add_(eps)",
        "(v / (1 - beta2**t) + eps).sqrt_()",
    ),
    "adam-v-not-corrected": ("Adam", {"lr": 0.1}, ".div_((1 - beta2**t) ** 0.5)", ""),
    "adam-m-not-corrected": ("Adam", {"lr": 0.1}, "value=-lr / (1 - beta1**t)", "value=-lr"),
    "adam-correction-without-root": ("Adam", {"lr": 0.1}, "(1 - beta2**t) ** 0.5", "(1 - beta2**t)"),
    "adam-t-minus-one": (
        "Adam",
        {"lr": 0.1},
        't, m, v = state["step"]',
        't, m, v = max(1, state["step"] - 1)',
    ),
    "adam-no-one-minus-beta1": ("Adam", {"lr": 0.1}, "m.lerp_(g, 1 - beta1)", "m.mul_(beta1).add_(g)"),
    "adam-no-square": (
        "Adam",
        {"lr": 0.1},
        "v.mul_(beta2).addcmul_(g, g, value=1 - beta2)",
        "v.mul_(beta2).add_(g, alpha=1 - beta2).abs_()",
    ),
    "adam-betas-swapped": ("Adam", {"lr": 0.1}, "(beta1, beta2) =", "(beta2, beta1) ="),
    "adam-no-root": ("Adam", {"lr": 0.1}, "v.sqrt().div_", "v.clone().div_"),
    "adam-root-kept-in-the-state": ("Adam", {"lr": 0.1}, "v.sqrt().div_", "v.sqrt_().div_"),
    "adam-decay-as-in-adamw": (
        "Adam",
        DECAY,
        'g = g.add(p, alpha=group["weight_decay"])',
        'p.mul_(1 - lr * group["weight_decay"])',
    ),
    "adam-amsgrad-max-of-m": (
        "Adam",
        AMSGRAD,
        'torch.maximum(state["max_exp_avg_sq"], v)',
        'torch.maximum(state["max_exp_avg_sq"], m)',
    ),
    "adam-amsgrad-unused": (
        "Adam",
        AMSGRAD,
        'v = state["max_exp_avg_sq"].copy_',
        'state["max_exp_avg_sq"].copy_',
    ),
    "adam-amsgrad-feeds-back": (
        "Adam",
        AMSGRAD,
        'v = state["max_exp_avg_sq"].copy_(torch.maximum(state["max_exp_avg_sq"], v))',
        'v = v.copy_(torch.maximum(state["max_exp_avg_sq"], v)); state["max_exp_avg_sq"].copy_(v)',
    ),
    "adamw-decay-in-the-gradient": (
        "AdamW",
        DECAY,
        'p.mul_(1 - lr * group["weight_decay"])',
        'g = g.add(p, alpha=group["weight_decay"])',
    ),
    "adamw-decay-not-times-lr": ("AdamW", DECAY, "p.mul_(1 - lr * group", "p.mul_(1 - group"),
    "adamw-decay-after-the-step": (  # p * k - k * step is (p - step) * k
        "AdamW",
        DECAY,
        "value=-lr / (1 - beta1**t)",
        'value=-lr * (1 - lr * group["weight_decay"]) / (1 - beta1**t)',
    ),
    "lion-betas-swapped": ("Lion", {"lr": 0.01}, "lr, (beta1, beta2), m", "lr, (beta2, beta1), m"),
    "lion-one-mean-for-both": ("Lion", {"lr": 0.01}, "c = m.mul(beta1)", "c = m.mul_(beta1)"),
    "lion-soft-sign": ("Lion", {"lr": 0.01}, "c.sign_()", "c.tanh_()"),
    "lion-decay": ("Lion", {"lr": 0.01, "weight_decay": 0.3}, "p.mul_(1 - lr * group", "p.mul_(1 - group"),
    "muon-nesterov-swapped": ("Muon", {"nesterov": True}, "g.lerp(m, momentum)", "m.lerp(g, momentum)"),
    "muon-shape-transposed": (
        "Muon",
        {},
        "scale = max(1, rows / max(1, columns))",
        "scale = max(1, columns / rows)",
    ),
    "muon-iterates-in-the-wrong-type": ("Muon", {}, "x = g.bfloat16()", "x = g"),
    "muon-decay-scaled": ("Muon", {}, "p.mul_(1 - lr * group", "p.mul_(1 - lr * scale * group"),
    "shampoo-half-on-each-side": ("Shampoo", {}, "2 * g.ndim, floor", "g.ndim, floor"),
    "shampoo-inverse": ("Shampoo", {}, "inverse_root(a, 2 * g.ndim,", "inverse_root(a, 1,"),
    "shampoo-forgets": ("Shampoo", {}, "a.addmm_(rows, rows.mT)", "a.addmm_(rows, rows.mT, beta=0.9)"),
    "shampoo-eps-after-the-root": (
        "Shampoo",
        {"eps": 1e-2},
        'group["eps"] * eye, eye',
        "torch.zeros_like(eye) + 1e-12 * eye, eye",
    ),
    "shampoo-mean": ("Shampoo", {}, "a.addmm_(rows, rows.mT)", "a.lerp_(rows @ rows.mT, 0.1)"),
    "shampoo-renews-late": (
        "Shampoo",
        {"update_freq": 3},
        '(state["step"] - 1) % group',
        'state["step"] % group',
    ),
    "shampoo-one-side": ("Shampoo", {}, "d = times(root, d, i)", "d = times(root, d, i) if i == 0 else d"),
    "shampoo-preconditions-in-place": ("Shampoo", {}, "rows = unfolded(g, i)", "rows = unfolded(d, i)"),
    "shampoo-momentum-of-gradients": (
        "Shampoo",
        {"momentum": 0.9},
        "mul_(momentum).add_(d)",
        "mul_(momentum).add_(g.reshape(p.shape))",
    ),
    "shampoo-decay-decoupled": ("Shampoo", DECAY, "g = g.add(p, alpha=group", "p.sub_(p, alpha=lr * group"),
    "soap-size-in-old-coordinates": ("SOAP", {}, "addcmul_(h, h", "addcmul_(g, g"),
    "soap-not-turned-back": ("SOAP", {}, 'd = times(state[f"Q_{i}"], d, i)', "d = d"),
    "soap-turned-the-wrong-way": (
        "SOAP",
        {},
        'h = times(state[f"Q_{i}"].mT, h, i)',
        'h = times(state[f"Q_{i}"], h, i)',
    ),
    "soap-momentum-stays-turned": ("SOAP", {}, "m.lerp_(g, 1 - beta1)", "m.lerp_(h, 1 - beta1)"),
    "soap-moves-at-first": ("SOAP", {}, "            t -= 1\n", "            pass\n"),
    "soap-smallest-first": ("SOAP", {}, "[1].flip(1)", "[1]"),
    "soap-turns-late": (
        "SOAP",
        {"precondition_frequency": 2},
        'elif t % group["precondition_frequency"] == 0',
        'elif t % group["precondition_frequency"] == 1',
    ),
    "soap-never-turns-again": ("SOAP", {}, "q.copy_(torch.linalg.qr(wide(a) @ wide(q))[0])", "pass"),
    "soap-sums": ("SOAP", {}, "a.lerp_(rows @ rows.mT, 1 - beta2)", "a.add_(rows @ rows.mT)"),
    "soap-not-corrected": ("SOAP", {}, "alpha=-lr / (1 - beta1**t)", "alpha=-lr"),
    "soap-decay-not-times-lr": ("SOAP", {}, "p.mul_(1 - lr * group", "p.mul_(1 - group"),
    "schedule-free-steps-from-y": (
        "ScheduleFreeSGD",
        {"lr": 0.3},
        "z.add_(g, alpha=-lr_t)",
        "z.copy_(p).add_(g, alpha=-lr_t)",
    ),
    "schedule-free-weight-not-squared": ("ScheduleFreeSGD", WARM, "lr_t**2 / state", "lr_t / state"),
    "schedule-free-warmup-off-by-one": ("ScheduleFreeSGD", WARM, "t / max(1,", "(t - 1) / max(1,"),
    "schedule-free-x-and-z-swapped": (
        "ScheduleFreeSGD",
        {"lr": 0.3},
        'y_from(p, state, group["momentum"])',
        'y_from(p, state, 1 - group["momentum"])',
    ),
    "schedule-free-adamw-not-corrected": (
        "ScheduleFreeAdamW",
        {"lr": 0.01},
        "warm(t, group) * (1 - beta2**t) ** 0.5",
        "warm(t, group)",
    ),
    "schedule-free-adamw-decays-z": (
        "ScheduleFreeAdamW",
        {"lr": 0.01, "weight_decay": 0.2},
        "z.add_(p, alpha",
        "z.add_(z, alpha",
    ),
}

SAM_MISTAKES: dict[str, tuple[str, str]] = {
    "sam-downhill": ("p.add_(in_units(p, g, group) *", "p.sub_(in_units(p, g, group) *"),
    "sam-not-normalised": ("(rho / norm)", "(rho * torch.ones_like(norm))"),
    "sam-adaptive-once": ("p.add_(in_units(p, g, group) *", "p.add_(g *"),
    "sam-adaptive-not-in-the-norm": ("for _, g, _ in climb]", "for g in [p.grad for p, _, _ in climb]]"),
    "sam-climbs-towards-the-gain": (
        '-group["rho"] if group.get("maximize")',
        'group["rho"] if group.get("maximize")',
    ),
    "sam-stays-uphill": ("            p.copy_(before)\n", "            pass\n"),
    "sam-sum-of-norms": ("torch.linalg.vector_norm(torch.stack(norms))", "torch.stack(norms).sum()"),
    "sam-steps-from-uphill": ("        self._go_back()\n        self.base", "        self.base"),
}


def reference(name: str) -> Any:
    return getattr(torch.optim, name, None) or getattr(paper, name)


def parity(name: str, kwargs: dict[str, Any]) -> Callable[[Any], None]:
    def check(module: Any) -> None:
        check_trajectory(getattr(module, name), reference(name), kwargs, exact=name == "Muon")

    return check


@pytest.mark.parametrize(("name", "kwargs"), [row[:2] for row in MISTAKES.values()], ids=MISTAKES)
def test_the_parity_check_passes_without_the_mistake(name: str, kwargs: dict[str, Any]) -> None:
    parity(name, kwargs)(optimizers)


test_the_parity_check_catches = mistakes(
    "",
    {
        id: (getattr(optimizers, name).__module__, text, mistake, parity(name, kwargs))
        for id, (name, kwargs, text, mistake) in MISTAKES.items()
    },
)
test_the_check_of_sam_catches = mistakes(
    "course_utils.optimizers.sam", SAM_MISTAKES, check=check_sam, of="SAM"
)
