"""A language model of characters, trained by each optimizer at its own rates: loss, bits a character, time.

The text is what Python carries as its own reference, unless another is given: `Corpus` is all that the model
has to know of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils._checks import require
from course_utils.data import language_reference
from course_utils.models import Transformer
from course_utils.optimizers import SGD, Adam, AdamW, Muon

Row = dict[str, Any]
WARM_UP, CLIP = 0.1, 1.0  # share of the steps in which the rate rises; longest gradient


@dataclass(frozen=True)
class Corpus:
    """A text as whole numbers below `symbols`: train (n,) and held_out (m,), int64."""

    train: Tensor
    held_out: Tensor
    symbols: int


@dataclass(frozen=True)
class Size:
    """The net, a batch, how long it is trained, and how many rates are tried around each optimizer's own."""

    d: int
    blocks: int
    length: int
    batch: int
    steps: int
    rates: int = 1


SIZES = {
    "tiny": Size(d=16, blocks=1, length=16, batch=4, steps=6),
    "small": Size(d=128, blocks=2, length=128, batch=64, steps=300, rates=3),
    "standard": Size(d=384, blocks=6, length=256, batch=64, steps=600, rates=3),
}
# name -> the middle one of its rates, a factor of 3 apart
RATES = {"momentum": 0.1, "Adam": 1e-3, "AdamW": 1e-3, "Muon": 0.02}


def reference() -> Corpus:
    """Python's own language reference, as lesson 23 has it; the last tenth is held out."""
    text = language_reference()
    codes = text.encode(text.train + text.held_out)
    cut = 9 * len(codes) // 10
    return Corpus(codes[:cut], codes[cut:], len(text.symbols))


def optimizer(name: str, net: nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    """The optimizers that step together: Muon leaves what is no matrix, and the two ends, to AdamW."""
    every = list(net.parameters())
    if name == "momentum":
        return [SGD(every, lr=lr, momentum=0.9)]
    if name == "Adam":
        return [Adam(every, lr=lr, betas=(0.9, 0.95))]
    if name == "AdamW":
        return [AdamW(every, lr=lr, betas=(0.9, 0.95), weight_decay=0.1)]
    require(name == "Muon", f"an optimizer among {', '.join(RATES)}", name=name)
    inner = [p for key, p in net.named_parameters() if p.ndim == 2 and key.startswith("blocks")]
    taken = {id(p) for p in inner}
    rest = [p for p in every if id(p) not in taken]
    return [Muon(inner, lr=lr, weight_decay=0.1), AdamW(rest, lr=1e-3, betas=(0.9, 0.95))]


def rate(step: int, steps: int) -> float:
    """The share of the full rate at a step: up a line, down half a cosine to a tenth."""
    rise = max(1, round(WARM_UP * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def batch(codes: Tensor, count: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pieces (count, length) of a text, and the character after each place, (count, length)."""
    starts = torch.randint(len(codes) - length, (count, 1), generator=generator)
    places = starts + torch.arange(length + 1)
    pieces = codes[places.to(codes.device)]
    return pieces[:, :-1], pieces[:, 1:]


@torch.no_grad()
def bits(net: nn.Module, codes: Tensor, length: int, *, most: int = 64) -> float:
    """Bits a character of held-out text, over at most so many pieces, each read from its beginning."""
    pieces = codes[: len(codes) // (length + 1) * (length + 1)].view(-1, length + 1)[:most]
    logits = net(pieces[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), pieces[:, 1:].flatten()).item() / math.log(2)


def train(name: str, lr: float, corpus: Corpus, size: Size, *, seed: int = 0, device: str = "cpu") -> Row:
    """One run: held-out bits at ten places of it, the mean training loss at its end, its seconds.

    Products are computed in bfloat16 on CUDA, by autocast, and in float32 elsewhere.
    """
    torch.manual_seed(seed)
    net = Transformer(
        corpus.symbols, size.length, d=size.d, heads=max(1, size.d // 64), blocks=size.blocks
    ).to(device)
    parts = optimizer(name, net, lr)
    full = [[group["lr"] for group in part.param_groups] for part in parts]
    cuda = torch.device(device).type == "cuda"
    text, held = corpus.train.to(device), corpus.held_out.to(device)
    generator = torch.Generator().manual_seed(seed)
    curve, losses, start = [], [], time.perf_counter()
    for step in range(size.steps):
        share = rate(step, size.steps)
        for part, rates in zip(parts, full, strict=True):
            for group, top in zip(part.param_groups, rates, strict=True):
                group["lr"] = share * top
        x, y = batch(text, size.batch, size.length, generator)
        net.zero_grad(set_to_none=True)
        with torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=cuda):
            loss = F.cross_entropy(net(x).flatten(0, 1), y.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        for part in parts:
            part.step()
        losses.append(loss.detach())
        if (step + 1) % max(1, size.steps // 10) == 0:
            curve.append([step + 1, round(bits(net, held, size.length), 4)])
    tail = torch.stack(losses[-max(1, size.steps // 10) :]).mean().item()
    return {
        "optimizer": name,
        "lr": lr,
        "held_out_bits": curve,
        "training_bits": tail / math.log(2),
        "seconds": time.perf_counter() - start,
        "parameters": sum(p.numel() for p in net.parameters()),
    }


def measure(
    size: str = "standard",
    *,
    device: str = "cuda",
    corpus: Corpus | None = None,
    names: Sequence[str] = tuple(RATES),
    say: Callable[[str], None] = lambda line: None,
) -> list[Row]:
    """One row per optimizer and rate, as `train` gives it. A run that diverges keeps its NaN as None.

    Args:
        size: of `SIZES`. corpus: `reference()` where none is given. say: gets a line per run.
    """
    require(size in SIZES, f"a size among {', '.join(SIZES)}", size=size)
    corpus, chosen = corpus or reference(), SIZES[size]
    rows = []
    for name in names:
        for k in range(chosen.rates):
            lr = RATES[name] * 3.0 ** (k - chosen.rates // 2)
            row = train(name, lr, corpus, chosen, device=device)
            last = row["held_out_bits"][-1][1]
            say(f"{name:9} rate {lr:8.2g}   {last:.3f} bits a character   {row['seconds']:6.1f} s")
            row["held_out_bits"] = [[at, v if math.isfinite(v) else None] for at, v in row["held_out_bits"]]
            if not math.isfinite(row["training_bits"]):
                row["training_bits"] = None
            rows.append(row)
    return rows
