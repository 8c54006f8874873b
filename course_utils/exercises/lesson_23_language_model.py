"""Exercises of lesson 23: why does everybody train transformers with Adam?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong


def _draw(*shape: int, seed: int, size: float = 1.0) -> Tensor:
    return size * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- 1 · attention that looks back -----------------------------------------------------------------


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    scores = q @ k.mT / q.shape[-1] ** 0.5
    later = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).triu(1)
    weights: Tensor = scores.masked_fill(later, -torch.inf).softmax(-1)
    return weights @ v


def _variant(
    q: Tensor, k: Tensor, v: Tensor, *, scale: float | None = None, shift: int = 1, axis: int = -1,
    fill: float = -torch.inf, after: bool = False,
) -> Tensor:  # fmt: skip
    """`attention` with one thing otherwise; a row without anything to read is zeros."""
    scores = q @ k.mT / (q.shape[-1] ** 0.5 if scale is None else scale)
    later = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).triu(shift)
    if after:
        return scores.softmax(axis).masked_fill(later, 0.0) @ v
    return scores.masked_fill(later, fill).softmax(axis).nan_to_num() @ v


def _one_ahead(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _variant(q, k, v, shift=2)


def _not_itself(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _variant(q, k, v, shift=0)


def _sees_all(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _variant(q, k, v, shift=q.shape[-2])


def _not_scaled(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _variant(q, k, v, scale=1.0)


def _scaled_by_d(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _variant(q, k, v, scale=float(q.shape[-1]))


def _over_the_readers(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _variant(q, k, v, axis=-2)


def _masked_by_zero(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _variant(q, k, v, fill=0.0)


def _masked_after(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _variant(q, k, v, after=True)


def _keys_ask(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _variant(k, q, v)


def _heads() -> Inputs:
    def one(*shape: int, values: int, seed: int, size: float = 1.0) -> tuple[Tensor, ...]:
        q, k = (_draw(*shape, seed=seed + i, size=size) for i in (0, 1))
        return q, k, _draw(*shape[:-1], values, seed=seed + 2)

    return (
        one(3, 2, values=2, seed=1),
        one(5, 4, values=1, seed=4),
        one(4, 9, values=3, seed=7, size=3.0),
        one(2, 1, values=2, seed=10),
        one(1, 3, values=3, seed=13),
        one(2, 4, 3, values=2, seed=16),
        one(2, 3, 4, 2, values=2, seed=19),
        one(4, 2, values=2, seed=22, size=40.0),
    )


# --- 2 · what is wrong with this run? --------------------------------------------------------------


def name_fault(losses: list[float], symbols: int, places: int, lowest: float) -> str:
    kinds = {
        "none": math.log(symbols),
        "in bits": math.log2(symbols),
        "summed": places * math.log(symbols),
    }
    kind = min(kinds, key=lambda name: abs(math.log(losses[0] / kinds[name])))
    if kind != "none":
        return kind
    if losses[-1] < lowest:
        return "sees the answer"
    return "does not learn" if losses[-1] > 0.95 * losses[0] else "none"


def _last_first(losses: list[float], symbols: int, places: int, lowest: float) -> str:
    """Looks at the end before the units are known."""
    if losses[-1] < lowest:
        return "sees the answer"
    if losses[-1] > 0.95 * losses[0]:
        return "does not learn"
    return name_fault(losses, symbols, places, lowest)


def _units_alone(losses: list[float], symbols: int, places: int, lowest: float) -> str:
    found = name_fault(losses, symbols, places, lowest)
    return found if found in ("in bits", "summed") else "none"


def _never_bits(losses: list[float], symbols: int, places: int, lowest: float) -> str:
    found = name_fault(losses, symbols, places, lowest)
    return (
        name_fault([math.log(symbols), *losses[1:]], symbols, places, lowest) if found == "in bits" else found
    )


def _nearest_by_difference(losses: list[float], symbols: int, places: int, lowest: float) -> str:
    kinds = {
        "none": math.log(symbols),
        "in bits": math.log2(symbols),
        "summed": places * math.log(symbols),
    }
    kind = min(kinds, key=lambda name: abs(losses[0] - kinds[name]))
    return kind if kind != "none" else name_fault([kinds["none"], *losses[1:]], symbols, places, lowest)


def _lowest_of_all(losses: list[float], symbols: int, places: int, lowest: float) -> str:
    return name_fault([losses[0], min(losses)], symbols, places, lowest)


def _any_fall_is_learning(losses: list[float], symbols: int, places: int, lowest: float) -> str:
    found = name_fault(losses, symbols, places, lowest)
    return "none" if found == "does not learn" and losses[-1] < losses[0] else found


def _traces() -> Inputs:
    return (
        ([4.6, 3.1, 2.4, 1.9], 94, 32, 1.1),
        ([6.65, 4.4, 3.2, 2.7], 94, 32, 1.1),  # in bits
        ([147.0, 99.0, 75.0, 60.0], 94, 32, 1.1),  # summed
        ([4.7, 2.0, 0.4, 0.02], 94, 32, 1.1),  # sees the answer
        ([4.5, 4.52, 4.49, 4.48], 94, 32, 1.1),
        ([4.55, 4.5, 4.45, 4.3], 94, 32, 1.1),  # hardly
        ([5.3, 3.0, 2.5, 2.2], 94, 32, 1.1),  # nats, begun a little high
        ([6.0, 4.0, 3.0, 2.5], 94, 32, 1.1),  # nearer to bits
        ([6.5, 2.0, 0.3, 0.03], 94, 32, 1.1),  # in bits, and sees the answer: the units come first
        ([6.6, 6.6, 6.5, 6.55], 94, 32, 1.1),  # in bits, and does not learn
        ([9.1, 6.0, 5.0, 4.5], 1024, 8, 2.0),
        ([1.39, 1.2, 0.9, 0.8], 2, 2, 0.3),  # two symbols, summed over two places
        ([0.69, 0.68, 0.69, 0.6], 2, 16, 0.3),
        ([1.0, 0.9, 0.7, 0.5], 2, 16, 0.3),  # in bits
        ([4.6, 1.0, 0.9, 2.0], 94, 32, 1.1),  # below the lowest on the way alone
        ([4.6, 1.0, 2.1, 2.0], 94, 32, 1.1),
        ([4.5, 4.6, 4.7, 4.8], 94, 32, 1.1),  # rises
        ([60.0, 50.0, 40.0, 20.0], 94, 32, 1.1),  # by the ratio it is summed
        ([20.0, 15.0, 10.0, 8.0], 94, 8, 1.1),  # by the difference another one
        ([14.0, 9.0, 7.0, 6.0], 94, 32, 1.1),  # far above, and nearer to bits than to a sum
        ([0.66, 0.65, 0.64, 0.64], 2, 16, 0.65),  # both faults of the end: below the lowest comes first
        ([5.3, 5.3, 5.1, 4.9], 94, 32, 1.1),  # above 0.95 ln(symbols), not of the first
        ([4.5, 4.9, 4.7, 4.4], 94, 32, 1.1),  # far below the highest, not below the first
        ([4.6, 3.0, 2.0, 1.1], 94, 32, 1.1),  # at the lowest, not below
        ([4.0, 3.9, 3.85, 3.8], 55, 32, 1.1),  # at 0.95 of the first, not above
    )


# --- 3 · bits per character ------------------------------------------------------------------------


def bits_per_character(tokens: list[str], nats: list[float]) -> float:
    return sum(nats) / math.log(2) / sum(len(token) for token in tokens)


def _still_nats(tokens: list[str], nats: list[float]) -> float:
    return sum(nats) / sum(len(token) for token in tokens)


def _per_token(tokens: list[str], nats: list[float]) -> float:
    return sum(nats) / math.log(2) / len(tokens)


def _wrong_way(tokens: list[str], nats: list[float]) -> float:
    return sum(nats) * math.log(2) / sum(len(token) for token in tokens)


def _mean_of_ratios(tokens: list[str], nats: list[float]) -> float:
    return sum(x / len(token) for x, token in zip(nats, tokens, strict=True)) / len(tokens) / math.log(2)


def _without_blanks(tokens: list[str], nats: list[float]) -> float:
    return sum(nats) / math.log(2) / max(1, sum(len(token.strip()) for token in tokens))


def _per_kind(tokens: list[str], nats: list[float]) -> float:
    return sum(nats) / math.log(2) / sum(len(token) for token in set(tokens))


def _texts() -> Inputs:
    return (
        (["T", "h", "e", " "], [3.0, 1.0, 0.5, 0.25]),
        ([" the", " statement", "."], [2.5, 6.0, 1.0]),
        ([" a", " a", "\n"], [1.5, 1.5, 4.0]),
        (["yield"], [7.0]),
        (["x", " =", " 1", "\n", "x", " =", " 2"], [3.0, 0.2, 2.0, 0.1, 0.4, 0.1, 2.5]),
        ([" is", " not"], [0.0, 0.0]),
        ([" café", "…"], [4.0, 3.0]),  # five and one: characters, not bytes
    )


# --- 4 · repair the clipping -----------------------------------------------------------------------


def clip(grads: list[Tensor], max_norm: float) -> list[Tensor]:
    norm = sum(float((g**2).sum()) for g in grads) ** 0.5
    factor = min(1.0, max_norm / norm) if norm > 0 else 1.0
    return [factor * g for g in grads]


def _each_for_itself(grads: list[Tensor], max_norm: float) -> list[Tensor]:
    return [clip([g], max_norm)[0] for g in grads]


def _each_entry(grads: list[Tensor], max_norm: float) -> list[Tensor]:
    return [g.clamp(-max_norm, max_norm) for g in grads]


def _always_scaled(grads: list[Tensor], max_norm: float) -> list[Tensor]:
    norm = sum(float((g**2).sum()) for g in grads) ** 0.5
    return [g * (max_norm / norm if norm > 0 else 1.0) for g in grads]


def _sum_of_norms(grads: list[Tensor], max_norm: float) -> list[Tensor]:
    norm = sum(float(g.norm()) for g in grads)
    return [g * (min(1.0, max_norm / norm) if norm > 0 else 1.0) for g in grads]


def _largest_norm(grads: list[Tensor], max_norm: float) -> list[Tensor]:
    norm = max(float(g.norm()) for g in grads)
    return [g * (min(1.0, max_norm / norm) if norm > 0 else 1.0) for g in grads]


def _no_root(grads: list[Tensor], max_norm: float) -> list[Tensor]:
    norm = sum(float((g**2).sum()) for g in grads)
    return [g * (min(1.0, max_norm / norm) if norm > 0 else 1.0) for g in grads]


def _root_mean(grads: list[Tensor], max_norm: float) -> list[Tensor]:
    norm = float(torch.cat([g.flatten() for g in grads]).square().mean()) ** 0.5
    return [g * (min(1.0, max_norm / norm) if norm > 0 else 1.0) for g in grads]


def _dropped(grads: list[Tensor], max_norm: float) -> list[Tensor]:
    norm = sum(float((g**2).sum()) for g in grads) ** 0.5
    return [0 * g if norm > max_norm else g for g in grads]


def _gradients() -> Inputs:
    return (
        ([_draw(3, 2, seed=1), _draw(4, seed=2)], 1.0),
        ([0.1 * _draw(3, 2, seed=3), 0.01 * _draw(2, seed=4)], 1.0),  # short enough
        ([0.6 * _draw(1, seed=5).sign(), 0.9 * _draw(1, seed=6).sign()], 1.0),  # each is short, both are not
        ([100 * _draw(2, 2, 2, seed=7), 0.001 * _draw(3, seed=8)], 0.5),
        ([torch.zeros(2, dtype=torch.float64), _draw(2, 3, seed=9)], 2.0),
        ([torch.zeros(3, dtype=torch.float64)], 1.0),
        ([_draw(5, seed=10)], 0.25),
        ([0.2 * _draw(5, seed=11).sign(), 0.3 * _draw(4, seed=12).sign()], 0.25),  # below 1, and too long
    )


# --- 5 · how long is Adam slow? --------------------------------------------------------------------


def steps_below_half(beta2: float, size: float) -> int:
    m = v = 1.0
    count = 0
    for k in range(100_000):
        g = size if k == 0 else 1.0
        m = 0.9 * m + 0.1 * g
        v = beta2 * v + (1 - beta2) * g**2
        count += m / v**0.5 < 0.5
    return count


def _counted(beta2: float, size: float, *, share: float = 0.5, beta1: float = 0.9, m_too: bool = True,
             power: float = 2, until: bool = False) -> int:  # fmt: skip
    m = v = 1.0
    count = first = 0
    for k in range(100_000):
        g = size if k == 0 else 1.0
        m = beta1 * m + (1 - beta1) * g if m_too else 1.0
        v = beta2 * v + (1 - beta2) * g**power
        below = m / v**0.5 < share
        count += below
        first = k + 1 if below else first
    return first if until else count


def _m_forgotten(beta2: float, size: float) -> int:
    return _counted(beta2, size, m_too=False)


def _no_root_of_v(beta2: float, size: float) -> int:
    return _counted(beta2, size, share=0.25, m_too=False)


def _not_squared(beta2: float, size: float) -> int:
    return _counted(beta2, size, power=1)


def _from_the_spike(beta2: float, size: float) -> int:
    return _counted(beta2, size, until=True)


def _one_memory(beta2: float, size: float) -> int:
    return round(1 / (1 - beta2)) if steps_below_half(beta2, size) else 0


def _without_momentum(beta2: float, size: float) -> int:
    return _counted(beta2, size, beta1=0.0)


EXERCISES = (
    Exercise(
        "23.attention",
        title="Attention that looks back",
        prompt="Return what each place reads: the mean of the values v up to its own place, weighted by the softmax of q·k / √d "
        "over these places. q, k are float64 tensors (..., T, d), v is (..., T, n); leave them as they are.",
        kind="core",
        minutes=8,
        inputs=_heads,
        solution=attention,
        wrong=(
            Wrong(
                _one_ahead, "Each place reads the next one, too. That is the answer that it is to predict."
            ),
            Wrong(_not_itself, "No place reads itself here, and the first has nothing to read at all."),
            Wrong(_sees_all, "Every place reads all places, the later ones, too. The mask is missing."),
            Wrong(_not_scaled, "The scores are not divided by √d. For large d the softmax has one winner."),
            Wrong(_scaled_by_d, "The scores are divided by d here, not by its root."),
            Wrong(
                _over_the_readers,
                "The softmax runs over the places that read. What *one* place reads must sum to 1.",
            ),
            Wrong(_masked_by_zero, "A score of 0 is not small: exp(0) is 1. Later places are still read."),
            Wrong(
                _masked_after,
                "The weights were masked after the softmax. What is left of them no longer sums to 1.",
            ),
            Wrong(
                _keys_ask,
                "Keys ask here and queries answer. Row i of the scores belongs to the query of place i.",
            ),
        ),
        hints=(
            "scores = q @ k.mT / q.shape[-1] ** 0.5 has one row for each place that reads.",
            "torch.ones(T, T, dtype=torch.bool).triu(1) is True where the read place is later than the reading one.",
            "return scores.masked_fill(later, -torch.inf).softmax(-1) @ v",
        ),
        stub='''def attention(q, k, v):
    """What each place reads, (..., T, n); q, k: (..., T, d), v: (..., T, n), float64."""
    ...
''',
        note="`F.scaled_dot_product_attention(q, k, v, is_causal=True)` is the same in one call that needs less memory.",
    ),
    Exercise(
        "23.name_fault",
        title="This run is broken: find why",
        prompt="From the losses of a run (step 0, ..., the end) name its fault. First the units: an untrained net says ln(symbols) nats; "
        'if losses[0] is nearer, by the ratio, to the logarithm to the base 2, return "in bits"; if to places · ln(symbols), "summed". '
        'Else, if the last loss is below `lowest`: "sees the answer"; if not, and it is above 0.95 of the first: "does not learn"; else "none".',
        kind="core",
        minutes=8,
        inputs=_traces,
        solution=name_fault,
        wrong=(
            Wrong(_last_first, "The end is judged before the units are known. Look at the first loss first."),
            Wrong(_units_alone, "Only the units are looked at here. The end has something to say, too."),
            Wrong(_never_bits, "A first loss of log2(symbols) passes as nats here."),
            Wrong(
                _nearest_by_difference,
                "The nearest is found by the difference here. By the ratio it is sometimes another.",
            ),
            Wrong(_lowest_of_all, "The lowest loss on the way decides here. It is the last that should."),
            Wrong(_any_fall_is_learning, "Any fall passes for learning here. It must be more than 5 %."),
        ),
        hints=(
            "The three first losses to expect are math.log(symbols), math.log2(symbols), places * math.log(symbols).",
            "By the ratio: take the smallest abs(math.log(losses[0] / expected)).",
            "Only if the units are nats, look at losses[-1].",
        ),
        stub='''def name_fault(losses, symbols, places, lowest):
    """The fault, as a string; losses: floats > 0, symbols, places: ints >= 2, lowest: a float, in nats."""
    ...
''',
        note="The first loss is the cheapest test there is: if it is not ln(symbols), stop the run and look.",
    ),
    Exercise(
        "23.bits_per_character",
        title="Whose loss is lower?",
        prompt="One model predicts characters, another words; their losses per token cannot be compared. Return the bits per character: tokens "
        "are strings, nats[i] is the loss of tokens[i]. Every character of a token counts, blanks and line ends, too.",
        kind="core",
        minutes=6,
        inputs=_texts,
        solution=bits_per_character,
        wrong=(
            Wrong(_still_nats, "These are nats. A bit is ln 2 nats."),
            Wrong(_per_token, "These are bits per token. A long word may cost more than a letter."),
            Wrong(_wrong_way, "ln 2 is on the wrong side: there are more bits than nats."),
            Wrong(
                _mean_of_ratios,
                "Each token's own bits per character are averaged here, so that short tokens count too much.",
            ),
            Wrong(_without_blanks, "Blanks are left out of the count. The model had to predict them, too."),
            Wrong(_per_kind, "Each kind of token is counted once. Count it as often as it occurs."),
        ),
        hints=(
            "All the nats of the text, as bits, over all its characters.",
            "nats / math.log(2) are bits.",
            "return sum(nats) / math.log(2) / sum(len(token) for token in tokens)",
        ),
        stub='''def bits_per_character(tokens, nats):
    """Bits per character, a float; tokens: strings that are not empty, nats: floats >= 0, as many."""
    ...
''',
        note="This is the size, in bits per character, to which an arithmetic coder could pack the text with this model.",
    ),
    Exercise(
        "23.clip",
        title="Repair the clipping",
        prompt="`[g * min(1, max_norm / g.norm()) for g in grads]` was to cut the gradient to the norm max_norm. Each tensor is cut "
        "for itself, though, so the direction changes, and all together may be too long. Return the gradients as a list, cut by one "
        "factor for all, and only if their joint norm is above max_norm. Leave `grads` as they are; all may be zero.",
        kind="core",
        minutes=7,
        inputs=_gradients,
        # PyTorch's own rule divides by the norm plus 1e-6.
        rtol=1e-5,
        solution=clip,
        wrong=(
            Wrong(_each_for_itself, "Each tensor is still cut for itself. One factor must serve all."),
            Wrong(_each_entry, "Each entry is clamped here. That changes the direction even more."),
            Wrong(_always_scaled, "Short gradients are made longer here. They should stay as they are."),
            Wrong(
                _sum_of_norms, "The norms are added. The joint norm is the root of the sum of their squares."
            ),
            Wrong(_largest_norm, "The longest tensor alone decides. The joint norm is longer."),
            Wrong(_no_root, "The root is missing: this is the squared norm."),
            Wrong(_root_mean, "This is the root of the mean square. The norm takes the sum."),
            Wrong(_dropped, "A long gradient is thrown away. It should be made shorter."),
        ),
        hints=(
            "The joint norm is the norm of all entries together, as if the tensors were one vector.",
            "norm = sum(float((g**2).sum()) for g in grads) ** 0.5",
            "factor = min(1, max_norm / norm), or 1 where norm is 0; return [factor * g for g in grads].",
        ),
        stub='''def clip(grads, max_norm):
    """The cut gradients, a list of tensors; grads: a list of float64 tensors, max_norm: a float > 0."""
    ...
''',
        note="`torch.nn.utils.clip_grad_norm_` does this in place, and returns the norm: log it, and you know how often it fires.",
    ),
    Exercise(
        "23.steps_below_half",
        title="How long is Adam slow?",
        prompt="Adam (β₁ = 0.9, ε = 0, both averages full) has seen the gradient 1 for ever. One gradient is `size`, then they are 1 "
        "again. How many steps, that of the spike among them, are shorter than η/2?",
        kind="extra",
        minutes=15,
        inputs=(
            (0.999, 1000.0),
            (0.999, 100.0),
            (0.999, 30.0),
            (0.99, 1000.0),
            (0.95, 1000.0),
            (0.95, 20.0),
            (0.9, 10_000.0),
            (0.98, 50.0),
            (0.999, 3.0),
            (0.5, 10.0),
        ),
        solution=steps_below_half,
        wrong=(
            Wrong(
                _m_forgotten, "m is left out: for some steps it still holds the spike, and they are longer."
            ),
            Wrong(_no_root_of_v, "v is used without its root."),
            Wrong(_not_squared, "v averages squares: the spike enters as size²."),
            Wrong(
                _from_the_spike,
                "You count from the spike on. The first steps after it are long, for m holds it, too.",
            ),
            Wrong(
                _one_memory,
                "1/(1 - β₂) steps are its memory. How long v stays too large depends on the spike.",
            ),
            Wrong(
                _without_momentum,
                "m follows the newest gradient alone here. With β₁ = 0.9 it forgets slowly.",
            ),
        ),
        hints=(
            "Simulate it: m = v = 1 before; a step has the length m / √v, in η.",
            "m ← 0.9 m + 0.1 g, v ← β₂ v + (1 - β₂) g², with g = size once and 1 after.",
            "Count the steps with m / v**0.5 < 0.5, over some 100,000 steps.",
        ),
        stub='''def steps_below_half(beta2, size):
    """The number of steps shorter than half of η, an int; beta2 in [0.5, 0.999], size: a float >= 1."""
    ...
''',
        note="About ln((1 - β₂) size² / 3) / (1 - β₂) for a large spike: the memory, times a logarithm.",
    ),
)

QUIZZES = (
    Quiz(
        "23.rare_rows",
        "A table predicts the next word from the word before, as in lesson 07, now on a real text. Its commonest word is a hundred times as frequent "
        "as its 127th. Every step sees the whole text. Adam runs at a good rate. How many times as many steps as the commonest word's row does the rarest one's need?",
        (
            (
                "A hundred: as many as it is rarer",
                "So it is with gradient descent: the share is a factor of the row's gradient.",
                False,
            ),
            (
                "The square root of that",
                "The root is in v, and v is divided by, so that nothing is left of the share.",
                False,
            ),
            (
                "Once: about as many",
                "The share is a factor of g and of √v, and cancels.",
                True,
            ),
        ),
    ),
    Quiz(
        "23.spike",
        "By mistake one loss in a long run is 1,000 times too large, and so is its gradient. Adam has β₁ = 0.9, β₂ = 0.999, and nothing is clipped. "
        "What happens to the steps?",
        (
            (
                "One step is 1,000 times too long, and the run is lost",
                "So it would be with gradient descent. Adam divides by √v, which holds the spike, too.",
                False,
            ),
            (
                "Some steps are a few times too long, then thousands are far too short",
                "v has a long memory, and m a short one.",
                True,
            ),
            (
                "Nothing: Adam does not see the size of gradients",
                "It does not see a factor of *all* gradients. This one is larger than its neighbours.",
                False,
            ),
        ),
    ),
)
