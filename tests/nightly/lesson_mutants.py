"""Plausible mistakes in the package, and whether the lessons notice: `make mutants`.

Each row of MUTANTS is one changed text in one module. A copy of the package with that mistake runs the named
lesson at `smoke`; it is caught if a claim of the lesson (an agreement is a claim) turns false, or the lesson
breaks off. The table of who caught what is written to docs/mutants.md.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

from course_utils import claim_records
from course_utils._files import write_whole

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "mutants.md"


@dataclass(frozen=True)
class Mutant:
    """One mistake: `old`, which occurs once in `module`, becomes `new`; `lesson` is expected to notice."""

    mistake: str
    lesson: str
    module: str
    old: str
    new: str

    def source(self) -> str:
        text = (PROJECT / "course_utils" / self.module).read_text(encoding="utf-8")
        found = text.count(self.old)
        if found != 1 or self.old == self.new:
            raise ValueError(
                f"need a change of a text that occurs once in {self.module}, found {found}: {self}"
            )
        return text.replace(self.old, self.new)


MUTANTS = (
    Mutant("squared error halved", "01", "losses/regression.py", "loss = d * d ", "loss = d * d / 2 "),
    Mutant("Huber loss without delta's offset", "01", "losses/regression.py", "loss = m * (d - m / 2)", "loss = m * d"),
    Mutant("log-softmax without the logarithm's sum over classes", "01", "losses/classification.py", "shifted.exp().sum(dim, keepdim=True).log()", "shifted.exp().mean(dim, keepdim=True).log()"),
    Mutant("gradient step uphill", "02", "optimizers/sgd.py", "p.add_(g, alpha=-lr)", "p.add_(g, alpha=lr)"),
    Mutant("best rate of gradient descent 1 / (L + mu)", "02", "theory/quadratics.py", "return 2 / (L + mu), (L - mu) / (L + mu)", "return 1 / (L + mu), (L - mu) / (L + mu)"),
    Mutant("batches drawn with replacement's variance", "03", "theory/gradient_noise.py", "return sigma2 / b * (n - b) / (n - 1)", "return sigma2 / b"),
    Mutant("average: bias correction one step late", "04", "averaging.py", "t = torch.arange(1, len(m) + 1", "t = torch.arange(2, len(m) + 2"),
    Mutant("average: (1 - beta) missing", "04", "averaging.py", "m = (1 - beta) * x.to(dtype)", "m = x.to(dtype)"),
    Mutant("momentum with the sign of the velocity wrong", "05", "optimizers/sgd.py", "m.mul_(momentum).add_(g,", "m.mul_(-momentum).add_(g,"),
    Mutant("Nesterov without its look ahead", "05", "optimizers/sgd.py", 'g = g.add(m, alpha=momentum) if group["nesterov"] else m', "g = m"),
    Mutant("AdaGrad's eps inside the root", "06", "optimizers/adagrad.py", 's.sqrt().add_(group["eps"])', 's.add(group["eps"]).sqrt_()'),
    Mutant("RMSprop's alpha and 1 - alpha swapped", "06", "optimizers/rmsprop.py", "v.mul_(alpha).addcmul_(g, g, value=1 - alpha)", "v.mul_(1 - alpha).addcmul_(g, g, value=alpha)"),
    Mutant("Adadelta's two averages in the wrong order", "06", "optimizers/adadelta.py", "s.add(eps).sqrt_().div_(v.add(eps).sqrt_())", "v.add(eps).sqrt_().div_(s.add(eps).sqrt_())"),
    Mutant("Adam without bias correction of m", "07", "optimizers/adam.py", "value=-lr / (1 - beta1**t)", "value=-lr"),
    Mutant("Adam's second beta used for m", "07", "optimizers/adam.py", "m.lerp_(g, 1 - beta1)", "m.lerp_(g, 1 - beta2)"),
    Mutant("Adam's eps before the correction", "07", "optimizers/adam.py", "v.sqrt().div_((1 - beta2**t) ** 0.5).add_(eps)", "v.sqrt().add_(eps).div_((1 - beta2**t) ** 0.5)"),
    Mutant("AdamW's decay in the gradient", "08", "optimizers/adamw.py", 'p.mul_(1 - lr * group["weight_decay"])', 'g = g.add(p, alpha=group["weight_decay"])'),
    Mutant("AdamW's decay without the rate", "08", "optimizers/adamw.py", 'p.mul_(1 - lr * group["weight_decay"])', 'p.mul_(1 - group["weight_decay"])'),
    Mutant("step decay one step early", "09", "schedules.py", "return gamma ** (t // step_size)", "return gamma ** ((t + 1) // step_size)"),
    Mutant("cosine over a whole period", "09", "schedules.py", "(1 + math.cos(math.pi * u)) / 2", "(1 + math.cos(2 * math.pi * u)) / 2"),
    Mutant("warm-up that begins at zero", "10", "schedules.py", "(t + 1) / steps if t < steps else then(t - steps)", "t / steps if t < steps else then(t - steps)"),
    Mutant("periods that do not grow", "10", "schedules.py", "length *= mult", "length *= 1"),
    Mutant("soft threshold without the sign", "12", "regularizers.py", "torch.where(x > 0, x - threshold, x + threshold)", "x - threshold"),
    Mutant("dropout without 1 / (1 - p)", "13", "layers/dropout.py", "scale = 1 / (1 - self.p) if self.p < 1 else 0.0", "scale = 1.0"),
    Mutant("dropout active in eval", "13", "layers/dropout.py", "if not self.training or self.p == 0:", "if self.p == 0:"),
    Mutant("biased variance in batch norm's buffer", "14", "layers/normalization.py", "var * (n / (n - 1))", "var"),
    Mutant("batch norm's momentum reversed", "14", "layers/normalization.py", "running.mul_(1 - part).add_(part * batch.flatten())", "running.mul_(part).add_((1 - part) * batch.flatten())"),
    Mutant("batch norm's backward without the variance's term", "14", "layers/normalization.py", "torch.mul(c, sum_gc * r * r / -n, out=g_x)", "torch.mul(c, sum_gc * 0, out=g_x)"),
    Mutant("rotation the other way round", "15", "augmentation/geometry.py", "cos, sin = angle.cos(), angle.sin()", "cos, sin = angle.cos(), -angle.sin()"),
    Mutant("rotation about a corner's pixel", "15", "augmentation/geometry.py", "- (width - 1) / 2  # (W)", "- (width - 3) / 2  # (W)"),
    Mutant("mixup with the partner's share swapped", "15", "augmentation/mixing.py", "weight * own + (1 - weight) * own[partner]", "(1 - weight) * own + weight * own[partner]"),
    Mutant("moving average of weights reversed", "16", "averaging.py", "average.lerp_(p, 1 - self.decay)", "average.lerp_(p, self.decay)"),
    Mutant("weight average that forgets its count", "16", "averaging.py", "average.add_((p - average) / (n + 1))", "average.add_((p - average) / 2)"),
    Mutant("patience counted from the start", "16", "early_stopping.py", "self.best_value, self.best_step, self.since_best = value, self.step, 0", "self.best_value, self.best_step = value, self.step"),
    Mutant("best weights kept as references", "16", "early_stopping.py", "self._best_model = copy.deepcopy(model.state_dict())", "self._best_model = model.state_dict()"),
    Mutant("loss scaler that grows a step late", "17", "mixed_precision/grad_scaler.py", "if self._good_steps == self._growth_interval:", "if self._good_steps == self._growth_interval + 1:"),
    Mutant("loss scaler that steps on inf", "17", "mixed_precision/grad_scaler.py", "None if overflow else optimizer.step(*args, **kwargs)", "optimizer.step(*args, **kwargs)"),
    Mutant("rounding without a floor for subnormals", "17", "mixed_precision/formats.py", "exponent.clamp(min=fmt.min_exponent) - fmt.mantissa", "exponent - fmt.mantissa"),
    Mutant("Muon without Nesterov's look ahead", "18", "optimizers/muon.py", 'd = g.lerp(m, momentum) if group["nesterov"] else m', "d = m"),
    Mutant("SAM that climbs by the gradient, not by its direction", "18", "optimizers/sam.py", "(rho / norm)", "(rho * norm)"),
    Mutant("Schedule-Free with equal weights", "18", "optimizers/schedule_free.py", 'state["x"].lerp_(z, lr_t**2 / state["weight_sum"])', 'state["x"].lerp_(z, 0.5)'),
    Mutant("sharpness: the smallest eigenvalue", "20", "diagnostics/curvature.py", "[:, -1], torch.nan)", "[:, 0], torch.nan)"),
    Mutant("Shampoo with -1/2 on both sides", "21", "optimizers/shampoo.py", "2 * g.ndim, floor", "g.ndim, floor"),
    Mutant("SOAP that measures sizes in the old coordinates", "21", "optimizers/soap.py", "addcmul_(h, h", "addcmul_(g, g"),
    Mutant("He's weights with the fans exchanged", "22", "initialization/initializers.py", 'fans(tensor)[mode == "fan_out"]', 'fans(tensor)[mode == "fan_in"]'),
    Mutant("muP without Adam's rate divided", "22", "initialization/mup.py", '== "sgd" else 1 / m_in', '== "sgd" else 1.0'),
    Mutant("muP with the last weights as usual", "22", "initialization/mup.py", "std = math.sqrt(min(1.0, m_out / m_in))", "std = 1.0"),
    Mutant("attention without the root of d", "23", "layers/attention.py", "q @ k.mT / q.shape[-1] ** 0.5", "q @ k.mT"),
    Mutant("ring: kept where it is added", "24", "distributed/ring.py", "(rank - step - 1) % size, True", "(rank - step - 1) % size, False"),
    Mutant("shares: state shared out a stage late", "24", "theory/many_devices.py", "stage > k else", "stage > k + 1 else"),
    Mutant("local steps: averaged a step late", "24", "distributed/local_steps.py", "enumerate(drawn, 1)", "enumerate(drawn)"),
)  # fmt: skip


def caught_by(mutant: Mutant) -> list[str]:
    """The claims of the lesson that the mistake turns false, or how the lesson broke off; empty if none."""
    [lesson] = (PROJECT / "notebooks").glob(f"{mutant.lesson}_*.ipynb")
    with tempfile.TemporaryDirectory(prefix="mutant-") as scratch:
        package = Path(scratch) / "course_utils"
        shutil.copytree(PROJECT / "course_utils", package, ignore=shutil.ignore_patterns("__pycache__"))
        (package / mutant.module).write_text(mutant.source(), encoding="utf-8")
        line = [sys.executable, "-m", "course_utils", "run", mutant.lesson, "--profile", "smoke"]
        line += ["--notebooks", str(lesson.parent), "--build", scratch, "--workers", "1", "--no-pages"]
        subprocess.run(
            line, cwd=scratch, env={**os.environ, "PYTHONPATH": scratch}, capture_output=True, timeout=600
        )
        records = Path(scratch) / "records" / "smoke"
        made = list(claim_records.read(records))
        result = json.loads((records / f"run-{lesson.stem}.json").read_text(encoding="utf-8"))
    false = [claim["id"] for claim in made if claim["verdict"] == "fails"]
    broke = "" if "raised" not in result["error"] else result["error"].splitlines()[0]
    return false or ([broke] if broke else [])


def page(found: Iterable[tuple[Mutant, list[str]]]) -> str:
    """docs/mutants.md: every mistake, and the claims that turned red."""
    lines = [
        "# Mistakes, and the claims that notice",
        "",
        "Each row is one mistake made in a copy of the package. The named lesson then ran at `smoke`, and these",
        "of its claims turned false. `make mutants` makes this table again; the unit tests have their own,",
        "longer tables of mistakes.",
        "",
        "| Mistake | Module | Lesson | Claims that turned false |",
        "|---|---|---|---|",
    ]
    for mutant, claims in found:
        shown = ", ".join(f"`{claim}`" for claim in claims[:3]) or "**none**"
        more = f" and {len(claims) - 3} more" if len(claims) > 3 else ""
        lines.append(f"| {mutant.mistake} | `{mutant.module}` | {mutant.lesson} | {shown}{more} |")
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--workers", default=2, show_default=True, help="Lessons at a time.")
@click.option("--only", default="", help="Mistakes whose words contain this.")
def main(workers: int, only: str) -> None:
    """Run every mutant, write docs/mutants.md, and fail where a mistake went unnoticed."""
    chosen = [mutant for mutant in MUTANTS if only in mutant.mistake]
    found = []
    with ThreadPoolExecutor(workers) as pool:
        for mutant, claims in zip(chosen, pool.map(caught_by, chosen), strict=True):
            click.echo(f"{mutant.lesson}  {mutant.mistake}: {', '.join(claims) or 'NOT CAUGHT'}")
            found.append((mutant, claims))
    if not only:
        write_whole(PAGE, page(found))
    raise SystemExit(any(not claims for _, claims in found))


if __name__ == "__main__":
    main()
