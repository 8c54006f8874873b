"""Training runs of a small transformer: `python benchmarks/language_model.py [--record]`.

Lesson 23 shows them as recorded. All train `course_utils.models.Transformer` (2 blocks, d = 32, 2 heads, 32
places, 16 sequences a step) on Python's language reference, on the next character or the next word, with a
warm-up over a tenth of the steps, a linear decay to zero, and the gradient's norm cut at 1, unless a part
says otherwise:

    rates     each method at rates a factor of two apart, until the best one is inside: one seed, judged by
              the training loss of the last tenth
    race      each at its best rate, on other seeds; two more methods are Adam with one v for each tensor, and
              with one v for all of them
    beta      momentum, Adam and its two controls with beta (beta1) 0.8, not 0.9, at their best rates then
    long      momentum and Adam for four times as many steps, at their best rates then: how much of the lead
              is left, bits per character, and samples of what Adam's net writes
    spike     at a quarter of the steps one loss is 1,000 times too large; not cut, unless it says so
    spared    the same spike kept out of m, or taken out of both averages after 40 steps
    words     momentum and Adam, for the next of 1,024 words
              (long words: the same for four times as many steps, at their best rates then)
    early     Adam with so few steps that its mean loss is about momentum's: is momentum late with what is
              rare, or is it only less far? (early long: beside momentum's long runs)
    warmup    warm-up and cutting on and off, at the best rate and at four times that; momentum at half its
              rate, too, without the cut

Each finished run is a line of `--store`: stop it when you like and start it again, it goes on where it was.
In all it takes some seventeen minutes of one quiet core.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import data, models, recorded
from course_utils.optimizers import SGD, Adam, AdamW, Muon, Optimizer
from course_utils.optimizers.base import Group, State
from course_utils.regularizers import clip_grad_norm_

ONE_V, ONE_IN_ALL = "Adam, one v a tensor", "Adam, one v in all"
PLACES, SEQUENCES, WORDS = 32, 16, 1024
STEPS = {"race": 400, "words": 200, "long": 1600, "spike": 200, "warmup": 150, "long words": 800}
SEEDS = {"race": 5, "long": 5, "words": 3, "spike": 8, "warmup": 3, "long words": 6}
# the middle of each grid
RATES = {"momentum": 0.5, "Adam": 0.02, "AdamW": 0.02, "Muon": 0.04, ONE_V: 0.02, ONE_IN_ALL: 0.02}
EARLY = {"characters": 260, "words": 160, "long": 1200}
LONG_RATES = {"momentum": 1.0, "Adam": 0.02}
TUNING_SEED = 1000
DECAY = 0.1  # of AdamW
BETA1 = 0.8  # of the part beta
SPIKE = 1000.0
LATER = 40  # steps after which a spike is taken out of both averages
BANDS = {"characters": (0, 8, 24, 48, 94), "words": (0, 16, 64, 256, 1024)}  # ranks by frequency
CURVE = 20  # steps that one number of a curve is the mean of
START = "The "


class OneV(Adam):
    """Adam whose v is one number for each tensor, the mean of g**2 over it: its steps are those of momentum
    on gradients that have one unit a tensor. With `share_v` before each step, it is one number for all."""

    shared: Tensor | None = None

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        (beta1, beta2), t = group["betas"], state["step"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m.lerp_(g, 1 - beta1)
        v.lerp_(g.square().mean() if self.shared is None else self.shared, 1 - beta2)
        denom = v.sqrt().div_((1 - beta2**t) ** 0.5).add_(group["eps"])
        p.addcdiv_(m, denom, value=-group["lr"] / (1 - beta1**t))


def share_v(rule: Any, *_: Any) -> None:
    """Before a step of `OneV`: the mean of g**2 over all tensors is what its v averages."""
    grads = [p.grad.flatten() for group in rule.param_groups for p in group["params"]]
    rule.shared = torch.cat(grads).square().mean()


def forget(rule: Optimizer, grads: list[Tensor], steps: int, *, v_too: bool) -> None:
    """Take gradients of `steps` steps ago out of Adam's m, and out of its v."""
    group = rule.param_groups[0]
    (beta1, beta2), params = group["betas"], group["params"]
    for p, g in zip(params, grads, strict=True):
        state = rule.state[p]
        state["exp_avg"].sub_(g, alpha=(1 - beta1) * beta1**steps)
        if v_too:
            state["exp_avg_sq"].sub_(g.square(), alpha=(1 - beta2) * beta2**steps).clamp_(min=0)


@functools.cache
def tokens(kind: str) -> tuple[Tensor, Tensor, int]:
    """Training and held-out numbers, and how many there are to choose from."""
    text = data.language_reference()
    if kind == "characters":
        return text.encode(text.train), text.encode(text.held_out), len(text.symbols)
    found = data.words(text, WORDS)
    return found.train, found.held_out, WORDS


def optimizers(
    net: nn.Module, method: str, lr: float, beta2: float, decay: float, rest: float, beta1: float = 0.9
) -> list[Optimizer]:
    """The rule of a method; Muon moves the matrices within blocks, and Adam, at the rate `rest`, all else."""
    params = list(net.parameters())
    if method == "momentum":
        return [SGD(params, lr=lr, momentum=beta1)]
    if method in (ONE_V, ONE_IN_ALL):
        rule = OneV(params, lr=lr, betas=(beta1, beta2))
        if method == ONE_IN_ALL:
            rule.register_step_pre_hook(share_v)
        return [rule]
    if method == "Muon":
        inner = [p for name, p in net.named_parameters() if name.startswith("blocks") and p.ndim == 2]
        others = [p for p in params if all(p is not q for q in inner)]
        return [
            Muon(inner, lr=lr, weight_decay=0.0),
            AdamW(others, lr=rest, betas=(0.9, beta2), weight_decay=0.0),
        ]
    return [AdamW(params, lr=lr, betas=(beta1, beta2), weight_decay=decay)]


def share_of_rate(step: int, steps: int, warmup: int) -> float:
    """Up to 1 over `warmup` steps, and down towards 0 at the end of all."""
    return min(1.0, (step + 1) / max(1, warmup)) * (1 - step / steps)


@torch.no_grad()
def held_out_losses(net: nn.Module, numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Nats for each held-out token that has half a sequence or more before it, and these tokens."""
    half = PLACES // 2
    starts = torch.arange(0, len(numbers) - PLACES, half)
    windows = numbers[starts[:, None] + torch.arange(PLACES + 1)]
    logits, targets = net(windows[:, :-1])[:, half:], windows[:, half + 1 :]
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none"), targets.flatten()


@torch.no_grad()
def sample(net: nn.Module, start: str, count: int, seed: int = 0) -> str:
    """Characters drawn one by one from what the net expects."""
    text, draw = data.language_reference(), torch.Generator().manual_seed(seed)
    seen = text.encode(start)
    for _ in range(count):
        share = net(seen[-PLACES:])[-1].softmax(-1)
        seen = torch.cat([seen, share.multinomial(1, generator=draw)])
    return text.decode(seen)


def train(
    *, kind: str, method: str, lr: float, steps: int, seed: int, warmup: int | None = None,
    clip: float | None = 1.0, beta2: float = 0.999, decay: float = 0.0, rest: float = 0.0,
    spike: bool = False, samples: bool = False, beta1: float = 0.9, spared: str = "",
) -> dict[str, Any]:  # fmt: skip
    """One run; what came out, in numbers that JSON has.

    A spike with spared="m" is kept out of m (its own step is left out); with "later" it is taken out of both
    averages after `LATER` steps.
    """
    numbers, held_out, count = tokens(kind)
    began = time.process_time()
    torch.manual_seed(seed)
    net = models.Transformer(count, PLACES, d=32, heads=2, blocks=2)
    rules = optimizers(net, method, lr, beta2, decay, rest, beta1)
    peaks = [rule.param_groups[0]["lr"] for rule in rules]
    draw = torch.Generator().manual_seed(seed)
    before = sample(net, START, 200) if samples else ""
    losses, norms, spiked = [], [], list[Tensor]()
    wait = LATER if spared == "later" else 0
    for step in range(steps):
        for rule, peak in zip(rules, peaks, strict=True):
            warm = steps // 10 if warmup is None else warmup
            rule.param_groups[0]["lr"] = peak * share_of_rate(step, steps, warm)
        starts = torch.randint(len(numbers) - PLACES, (SEQUENCES, 1), generator=draw)
        batch = numbers[starts + torch.arange(PLACES + 1)]
        net.zero_grad()
        loss = F.cross_entropy(net(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        (SPIKE * loss if spike and step == steps // 4 else loss).backward()
        norms.append(float(clip_grad_norm_(net, torch.inf if clip is None else clip)))
        losses.append(loss.item())
        if spared and step == steps // 4:
            spiked = [p.grad.clone() for p in net.parameters() if p.grad is not None]
            if spared == "m":
                rules[0].param_groups[0]["lr"] = 0.0
        for rule in rules:
            rule.step()
        if spared and step == steps // 4 + wait:
            forget(rules[0], spiked, wait, v_too=spared == "later")
    nats, targets = held_out_losses(net, held_out)
    order = torch.bincount(numbers, minlength=count).argsort(descending=True)
    rank = order.argsort()[targets]
    edges = BANDS[kind]
    bands = [float(nats[(rank >= low) & (rank < high)].mean()) for low, high in itertools.pairwise(edges)]
    cut = 0.0 if clip is None else sum(norm > clip for norm in norms) / steps
    late = sum(losses[-max(1, steps // 10) :]) / max(1, steps // 10)
    found = {
        "held_out": nats.mean().item(),
        "late": late,
        "bands": bands,
        "curve": [sum(losses[k : k + CURVE]) / CURVE for k in range(0, steps, CURVE)],
        "cut": cut,
        "norms": torch.tensor(norms).quantile(torch.tensor([0.5, 0.99, 1.0])).tolist(),
        "weight_norm": float(torch.stack([p.detach().square().sum() for p in net.parameters()]).sum() ** 0.5),
        "seconds": round(time.process_time() - began, 2),
    }
    found = {name: finite(value) for name, value in found.items()}
    return found | ({"before": before, "after": sample(net, START, 400)} if samples else {})


def finite(value: Any) -> Any:
    """None for NaN and infinity, which JSON has not, also within lists."""
    if isinstance(value, list):
        return [finite(one) for one in value]
    return value if not isinstance(value, float) or math.isfinite(value) else None


class Store:
    """Finished runs, a line of JSON each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.rows: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def run(self, part: str, **given: Any) -> dict[str, Any]:
        """The row of this run: made now, or before."""
        asked = {"part": part, **given}
        for row in self.rows:
            if all(row.get(name) == value for name, value in asked.items()):
                return row
        row = asked | train(**given)
        self.rows.append(row)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        print(f"{len(self.rows):4}  {row['seconds']:5.1f} s  {row['held_out']}  {asked}", flush=True)
        return row


def best_rate(store: Store, part: str, start: float, **given: Any) -> float:
    """The rate with the lowest training loss in the last tenth, among rates a factor of two apart, inside."""
    losses: dict[float, float] = {}

    def tried(rates: Iterable[float]) -> None:
        for lr in rates:
            late = store.run(part, lr=lr, seed=TUNING_SEED, **given)["late"]
            losses[lr] = math.inf if late is None else late

    tried([start / 2, start, start * 2])
    while (best := min(losses, key=losses.__getitem__)) in (min(losses), max(losses)):
        tried([best / 2 if best == min(losses) else best * 2])
    return best


def parts(store: Store) -> None:
    """All runs, the most needed first."""
    steps, best, decay, more = STEPS["race"], dict[str, float](), {"AdamW": DECAY}, dict[str, Any]()
    for method, start in RATES.items():
        more[method] = {
            "decay": decay.get(method, 0.0),
            "rest": best.get("Adam", 0.0) if method == "Muon" else 0.0,
        }
        best[method] = best_rate(
            store, "rates", start, kind="characters", method=method, steps=steps, **more[method]
        )
    for seed in range(SEEDS["race"]):
        for method, lr in best.items():
            store.run("race", kind="characters", method=method, lr=lr, steps=steps, seed=seed, **more[method])
    for method in ("momentum", "Adam", ONE_IN_ALL, ONE_V):
        given = {"kind": "characters", "method": method, "steps": steps, "beta1": BETA1}
        lr = best_rate(store, "beta rates", best[method], **given)
        for seed in range(SEEDS["race"]):
            store.run("beta", lr=lr, seed=seed, **given)
    for method, start in LONG_RATES.items():
        given = {"kind": "characters", "method": method, "steps": STEPS["long"]}
        lr = best_rate(store, "long rates", start, **given)
        for seed in range(SEEDS["long"]):
            store.run("long", lr=lr, seed=seed, samples=method == "Adam" and seed == 0, **given)
            if method == "Adam":
                store.run("early long", lr=lr, seed=seed, **(given | {"steps": EARLY["long"]}))
    given = {"kind": "characters", "method": "Adam", "lr": best["Adam"], "steps": STEPS["spike"]}
    for seed in range(SEEDS["spike"]):
        for (beta2, clip), spike in itertools.product(
            ((0.95, None), (0.999, None), (0.999, 1.0)), (False, True)
        ):
            store.run("spike", seed=seed, beta2=beta2, clip=clip, spike=spike, **given)
        for beta2, spared in itertools.product((0.95, 0.999), ("m", "later")):
            store.run("spared", seed=seed, beta2=beta2, clip=None, spike=True, spared=spared, **given)
    warmups = (0, STEPS["warmup"] // 10)
    ways = [*itertools.product(("momentum", "Adam"), (1, 4), warmups, (None, 1.0))]
    ways += itertools.product(("momentum",), (0.5,), warmups, (None,))
    for seed, (method, factor, warmup, clip) in itertools.product(range(SEEDS["warmup"]), ways):
        given = {"kind": "characters", "method": method, "lr": factor * best[method]}
        store.run("warmup", steps=STEPS["warmup"], seed=seed, warmup=warmup, clip=clip, **given)
    lrs = {
        m: best_rate(store, "word rates", best[m], kind="words", method=m, steps=STEPS["words"])
        for m in ("momentum", "Adam")
    }
    for seed in range(SEEDS["words"]):
        for method, lr in lrs.items():
            store.run("words", kind="words", method=method, lr=lr, steps=STEPS["words"], seed=seed)
    for method, start in lrs.items():
        given = {"kind": "words", "method": method, "steps": STEPS["long words"]}
        lr = best_rate(store, "long word rates", start, **given)
        for seed in range(SEEDS["long words"]):
            store.run("long words", lr=lr, seed=seed, **given)
    for kind, lr, part in (("characters", best["Adam"], "race"), ("words", lrs["Adam"], "words")):
        for seed in range(SEEDS[part]):
            store.run("early", kind=kind, method="Adam", lr=lr, steps=EARLY[kind], seed=seed)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", type=Path, default=Path("build/language_model.jsonl"))
    parser.add_argument("--record", action="store_true", help="keep it as the record that lesson 23 shows")
    parser.add_argument("--folder", type=Path, default=recorded.FOLDER, help="where --record keeps it")
    chosen = parser.parse_args(argv)
    torch.set_num_threads(1)
    store = Store(chosen.store)
    parts(store)
    seconds = sum(row["seconds"] for row in store.rows)
    print(f"{len(store.rows)} runs, {seconds:.0f} s of processor")
    if chosen.record:
        settings = {
            "places": PLACES,
            "sequences": SEQUENCES,
            "steps": STEPS,
            "seeds": SEEDS,
            "bands": BANDS,
            "decay": DECAY,
            "beta1": BETA1,
            "later": LATER,
            "spike": SPIKE,
            "tuning_seed": TUNING_SEED,
            "curve": CURVE,
        }
        path = recorded.save("language_model", store.rows, settings=settings, folder=chosen.folder)
        print(f"recorded as {path.name}; lesson 23 shows it when it is run again")


if __name__ == "__main__":
    main()
