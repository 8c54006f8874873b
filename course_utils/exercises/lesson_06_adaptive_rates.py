"""Exercises of lesson 06: why a step size per coordinate?"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Pair = tuple[Tensor, Tensor]


def _draws(count: int, seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(3, generator=generator, dtype=torch.float64) for _ in range(count)]


# --- 1 · one step of RMSprop -----------------------------------------------------------------------


def rmsprop_step(
    p: torch.Tensor, v: torch.Tensor, g: torch.Tensor, lr: float, alpha: float, eps: float
) -> tuple[torch.Tensor, torch.Tensor]:
    v = alpha * v + (1 - alpha) * g**2
    return p - lr * g / (v.sqrt() + eps), v


def _rms_eps_inside(p: Tensor, v: Tensor, g: Tensor, lr: float, alpha: float, eps: float) -> Pair:
    v = alpha * v + (1 - alpha) * g**2
    return p - lr * g / (v + eps).sqrt(), v


def _rms_swapped(p: Tensor, v: Tensor, g: Tensor, lr: float, alpha: float, eps: float) -> Pair:
    v = (1 - alpha) * v + alpha * g**2
    return p - lr * g / (v.sqrt() + eps), v


def _rms_square_of_mean(p: Tensor, v: Tensor, g: Tensor, lr: float, alpha: float, eps: float) -> Pair:
    v = (alpha * v + (1 - alpha) * g) ** 2
    return p - lr * g / (v.sqrt() + eps), v


def _rms_whole_square(p: Tensor, v: Tensor, g: Tensor, lr: float, alpha: float, eps: float) -> Pair:
    v = alpha * v + g**2
    return p - lr * g / (v.sqrt() + eps), v


def _rms_shared(p: Tensor, v: Tensor, g: Tensor, lr: float, alpha: float, eps: float) -> Pair:
    v = alpha * v + (1 - alpha) * (g**2).mean()
    return p - lr * g / (v.sqrt() + eps), v


def _rms_no_root(p: Tensor, v: Tensor, g: Tensor, lr: float, alpha: float, eps: float) -> Pair:
    v = alpha * v + (1 - alpha) * g**2
    return p - lr * g / (v + eps), v


def _rms_old_average(p: Tensor, v: Tensor, g: Tensor, lr: float, alpha: float, eps: float) -> Pair:
    return p - lr * g / (v.sqrt() + eps), alpha * v + (1 - alpha) * g**2


def _rms_numerator_averaged(p: Tensor, v: Tensor, g: Tensor, lr: float, alpha: float, eps: float) -> Pair:
    v = alpha * v + (1 - alpha) * g**2
    return p - lr * (1 - alpha) * g / (v.sqrt() + eps), v


def _rmsprop_inputs() -> Inputs:
    p, v, g = _draws(3, 7)
    zeros = torch.zeros(2, 2, dtype=torch.float64)
    square = torch.tensor([[3.0, -2e-3], [40.0, -0.5]], dtype=torch.float64)
    tiny = torch.tensor([1e-7, -1e-9, 0.0, 5.0], dtype=torch.float64)
    return (
        (p, v**2, g, 0.01, 0.99, 1e-8),
        (p, v**2, 0.1 * g, 0.1, 0.9, 1e-2),
        (p, v**2, g, 0.02, 0.6, 0.1),
        # the first step
        (square + 1, zeros, square, 0.05, 0.99, 1e-8),
        (torch.ones_like(tiny), tiny**2, tiny, 0.5, 0.5, 1e-8),
        (p[:1], v[:1] ** 2, -g[:1], 1.0, 0.0, 1e-3),
    )


# --- 2 · the longest step --------------------------------------------------------------------------


def longest_step(lr: float, alpha: float) -> float:
    return float(lr / (1 - alpha) ** 0.5)


# --- 3 · a broken run ------------------------------------------------------------------------------

Two = tuple[float, float]


def broken_run(gradients: list[tuple[float, float]], moves: list[tuple[float, float]], alpha: float) -> str:
    def replay(fault: str) -> float:
        v, total = [0.0, 0.0], 0.0
        for g, move in zip(gradients, moves, strict=True):
            for i in range(2):
                square = (g[0] ** 2 + g[1] ** 2) / 2 if fault == "one v for all" else g[i] ** 2
                if fault == "alpha swapped":
                    v[i] = (1 - alpha) * v[i] + alpha * square
                elif fault == "factor lost":
                    v[i] = alpha * v[i] + square
                else:
                    v[i] = alpha * v[i] + (1 - alpha) * square
                total += abs(g[i] / (v[i] if fault == "no root" else v[i] ** 0.5) - move[i])
        return total

    return min(["none", "one v for all", "no root", "alpha swapped", "factor lost"], key=replay)


def _judged_by(
    gradients: list[Two], moves: list[Two], alpha: float, *, steps: slice, coordinate: int | None = None
) -> str:
    """The fault as it looks in some of the steps, or in one of the coordinates."""
    faults = ["none", "one v for all", "no root", "alpha swapped", "factor lost"]

    def gap(fault: str) -> float:
        expected = _moved(gradients, alpha, fault)
        pairs = list(zip(expected, moves, strict=True))[steps]
        picked = (0, 1) if coordinate is None else (coordinate,)
        # rounded, so that equal moves are equal
        return round(sum(abs(a[i] - b[i]) for a, b in pairs for i in picked), 6)

    return min(faults, key=gap)


def _first_step_only(gradients: list[Two], moves: list[Two], alpha: float) -> str:
    return _judged_by(gradients, moves, alpha, steps=slice(1))


def _last_step_only(gradients: list[Two], moves: list[Two], alpha: float) -> str:
    return _judged_by(gradients, moves, alpha, steps=slice(-1, None))


def _first_coordinate_only(gradients: list[Two], moves: list[Two], alpha: float) -> str:
    return _judged_by(gradients, moves, alpha, steps=slice(None), coordinate=0)


def _default_alpha(gradients: list[Two], moves: list[Two], alpha: float) -> str:
    return broken_run(gradients, moves, 0.99)


def _signs_dropped(gradients: list[Two], moves: list[Two], alpha: float) -> str:
    return broken_run([(abs(a), abs(b)) for a, b in gradients], moves, alpha)


def _swap_unseen(gradients: list[Two], moves: list[Two], alpha: float) -> str:
    found = broken_run(gradients, moves, alpha)
    return "none" if found == "alpha swapped" else found


def _shared_unseen(gradients: list[Two], moves: list[Two], alpha: float) -> str:
    found = broken_run(gradients, moves, alpha)
    return "none" if found == "one v for all" else found


def _moved(gradients: list[Two], alpha: float, fault: str) -> list[Two]:
    """What a run with this fault takes off its two weights, step by step, with lr = 1 and eps = 0."""
    v, moves = torch.zeros(2, dtype=torch.float64), []
    for pair in gradients:
        g = torch.tensor(pair, dtype=torch.float64)
        square = (g**2).mean() if fault == "one v for all" else g**2
        keep, new = {"alpha swapped": (1 - alpha, alpha), "factor lost": (alpha, 1.0)}.get(
            fault, (alpha, 1 - alpha)
        )
        v = keep * v + new * square
        a, b = (g / (v if fault == "no root" else v.sqrt())).tolist()
        moves.append((a, b))
    return moves


def _broken_runs() -> Inputs:
    def run(fault: str, alpha: float, *gradients: Two) -> tuple[list[Two], list[Two], float]:
        return list(gradients), _moved(list(gradients), alpha, fault), alpha

    mixed: tuple[Two, ...] = ((1.0, -2.0), (3.0, 0.5), (-1.0, 4.0), (2.0, -1.0))
    small: tuple[Two, ...] = ((-0.01, 0.3), (0.02, -0.1), (0.05, 0.2))
    # a coordinate that is always at the root mean square of both: one v for all does not show in it
    alike: tuple[Two, ...] = ((1.0, 1.0), (-2.0, 2.0), (0.5, -0.5), (3.0, 1.0))
    return (
        run("none", 0.9, *mixed),
        run("one v for all", 0.9, *mixed),
        run("no root", 0.9, *mixed),
        run("alpha swapped", 0.9, *mixed),
        run("factor lost", 0.9, *mixed),
        run("none", 0.99, *small),
        run("alpha swapped", 0.99, *small),
        run("no root", 0.5, (-4.0, 2.0), (1.0, 1.0), (0.3, -7.0)),
        run("one v for all", 0.6, *alike),
        run("factor lost", 0.6, (-1.0, -1.0), (-1.0, -1.0)),
        # the moves of the two weights cancel: gaps that are added up with their signs see nothing
        run("factor lost", 0.9, (1.0, -1.0), (2.0, -2.0)),
        run("alpha swapped", 0.2, *small),
        # nearly alike: alpha and 1 - alpha are near each other
        run("none", 0.45, *mixed),
        run("alpha swapped", 0.45, *mixed),
        run("alpha swapped", 0.55, *small),
        run("factor lost", 0.05, *mixed),
        # v is 1 at the last step, so that its root is, too
        run("no root", 0.9, (3.0, -3.0), (1.9**0.5, 1.9**0.5)),
        # v of the first weight is always 1
        run("no root", 0.75, (2.0, 0.5), (1.0, 3.0), (-1.0, -4.0)),
        # and here that of the second
        run("no root", 0.75, (0.5, 2.0), (3.0, 1.0), (-4.0, -1.0)),
        run("one v for all", 0.95, (2.0, 2.0), (-5.0, 5.0), (1.0, -30.0)),
    )


# --- 4 · judge the race ----------------------------------------------------------------------------

Row = tuple[float, float, float]


def winner(results: dict[str, list[tuple[float, float, float]]]) -> str:
    best = {}
    for name, rows in results.items():
        # only a NaN is not equal to itself
        losses = [loss if loss == loss else float("inf") for _, loss, _ in rows]
        k = losses.index(min(losses))
        if k in (0, len(rows) - 1):
            return "undecided"
        best[name] = losses[k]
    return min(best, key=lambda name: best[name])


def _winner(
    results: dict[str, list[Row]],
    *,
    column: int = 1,
    left: bool = True,
    right: bool = True,
    nan: float = math.inf,
) -> str:
    """The winner by another column, with an edge that is not looked at, or with NaN as a number."""
    best = {}
    for name, rows in results.items():
        values = [nan if math.isnan(row[column]) else row[column] for row in rows]
        k = values.index(min(values))
        if (left and k == 0) or (right and k == len(rows) - 1):
            return "undecided"
        best[name] = values[k]
    return min(best, key=lambda name: best[name])


def _by_rare(results: dict[str, list[Row]]) -> str:
    return _winner(results, column=2)


def _no_edges(results: dict[str, list[Row]]) -> str:
    return _winner(results, left=False, right=False)


def _left_passed(results: dict[str, list[Row]]) -> str:
    return _winner(results, left=False)


def _right_passed(results: dict[str, list[Row]]) -> str:
    return _winner(results, right=False)


def _nan_is_best(results: dict[str, list[Row]]) -> str:
    return _winner(results, nan=-math.inf)


def _nan_stays_first(results: dict[str, list[Row]]) -> str:
    return _winner(results, nan=math.nan)  # nothing is less than a NaN: min keeps one that comes first


def _last_method_lost(results: dict[str, list[Row]]) -> str:
    return _winner(dict([*results.items()][:-1] or results))


def _nan_dropped(results: dict[str, list[Row]]) -> str:
    kept = {name: [row for row in rows if not math.isnan(row[1])] for name, rows in results.items()}
    return _winner(kept)


def _winner_only(results: dict[str, list[Row]]) -> str:
    name = _no_edges(results)
    return _winner({name: results[name]})


def _largest_loss(results: dict[str, list[Row]]) -> str:
    if winner(results) == "undecided":
        return "undecided"
    return max(results, key=lambda name: min(row[1] for row in results[name] if not math.isnan(row[1])))


def _by_mean(results: dict[str, list[Row]]) -> str:
    if winner(results) == "undecided":
        return "undecided"

    def mean(name: str) -> float:
        losses = [row[1] for row in results[name] if math.isfinite(row[1])]
        return sum(losses) / len(losses)

    return min(results, key=mean)


def _races() -> Inputs:
    nan, inf = math.nan, math.inf

    def rows(losses: list[float], rare: list[float], first: float = 0.1) -> list[Row]:
        return [(first * 2**k, loss, error) for k, (loss, error) in enumerate(zip(losses, rare, strict=True))]

    sgd = rows([0.09, 0.04, 0.023, 0.03], [0.8, 0.6, 0.4, 0.2])
    ada = rows([0.02, 0.007, 0.012, 0.03], [0.4, 0.13, 0.1, 0.2], 0.05)
    shared = rows([0.5, 0.018, 0.03], [0.5, 0.2, 0.05])
    rare_loss = rows([0.05, 0.03, 0.04], [0.5, 0.02, 0.3])
    edge_left, edge_right = rows([0.001, 0.02, 0.03], [0.3, 0.2, 0.4]), rows([0.3, 0.2, 0.1], [0.3, 0.2, 0.3])
    return (
        ({"SGD": sgd, "AdaGrad": ada},),
        ({"AdaGrad": ada, "one sum": shared, "SGD": sgd},),
        # the lowest rare error is not that of the lowest loss
        ({"a": rare_loss, "b": rows([0.06, 0.02, 0.05], [0.4, 0.3, 0.5])},),
        ({"a": edge_left, "b": ada},),
        ({"a": edge_right, "b": ada},),
        ({"a": ada, "b": rows([0.9, 0.5, 0.0005], [0.4, 0.3, 0.35])},),
        # a loser at the edge of its grid is not tuned either
        ({"a": ada, "b": rows([0.05, 0.5, 0.9], [0.4, 0.3, 0.5])},),
        ({"a": rows([0.9, 0.5, 0.7, nan], [0.4, 0.3, 0.5, nan]), "b": rows([nan, 0.6, 0.4, 0.8], [nan, 0.2, 0.1, 0.3])},),
        ({"a": rows([0.9, 0.5, nan], [0.4, 0.3, nan]), "b": rows([0.8, 0.7, inf], [0.4, 0.2, inf])},),
        ({"a": rows([0.9, nan, 0.2, 0.3], [0.4, nan, 0.2, 0.3]), "b": rows([0.26, 0.25, 0.27], [0.4, 0.3, 0.5])},),
        ({"alone": rows([3.0, 2.0, 5.0], [9.0, 7.0, 8.0])},),
        ({"wide": rows([90.0, 0.1, 80.0], [0.9, 0.1, 0.8]), "flat": rows([0.3, 0.2, 0.35], [0.5, 0.4, 0.6])},),
    )  # fmt: skip


# --- 5 · towards research: the whole matrix --------------------------------------------------------


def full_adagrad_steps(H: torch.Tensor, start: torch.Tensor, lr: float) -> int:
    G, p, steps = torch.zeros_like(H), start.clone(), 0
    first = p @ H @ p
    while p @ H @ p > 1e-6 * first:
        g = H @ p
        G = G + torch.outer(g, g)
        # G = vectors diag(values) vectors^T
        values, vectors = torch.linalg.eigh(G)
        scale = values.clamp(min=0).sqrt() + 1e-8
        p = p - lr * vectors @ ((vectors.T @ g) / scale)
        steps += 1
    return steps


def _full_steps(H: Tensor, start: Tensor, lr: float, move: Any, share: float = 1e-6) -> int:
    """The steps down with another move, (G, g) -> direction; at most 3,000."""
    G, p, steps = torch.zeros_like(H), start.clone(), 0
    first = p @ H @ p
    while p @ H @ p > share * first and steps < 3000:
        g = H @ p
        G = G + torch.outer(g, g)
        p = p - lr * move(G, g)
        steps += 1
    return steps


def _through_root(G: Tensor, g: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(G)
    moved: Tensor = vectors @ ((vectors.T @ g) / (values.clamp(min=0).sqrt() + 1e-8))
    return moved


def _full_diagonal(H: Tensor, start: Tensor, lr: float) -> int:
    return _full_steps(H, start, lr, lambda G, g: g / (G.diagonal().sqrt() + 1e-8))


def _full_entrywise(H: Tensor, start: Tensor, lr: float) -> int:
    eye = 1e-8 * torch.eye(len(start), dtype=H.dtype)
    return _full_steps(H, start, lr, lambda G, g: torch.linalg.solve(G.sqrt() + eye, g))


def _full_norm(H: Tensor, start: Tensor, lr: float) -> int:
    return _full_steps(H, start, lr, lambda G, g: g / (G.trace().sqrt() + 1e-8))


def _full_no_root(H: Tensor, start: Tensor, lr: float) -> int:
    def move(G: Tensor, g: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(G)
        moved: Tensor = vectors @ ((vectors.T @ g) / (values.clamp(min=0) + 1e-8))
        return moved

    return _full_steps(H, start, lr, move)


def _full_no_memory(H: Tensor, start: Tensor, lr: float) -> int:
    return _full_steps(H, start, lr, lambda G, g: _through_root(torch.outer(g, g), g))


def _full_one_late(H: Tensor, start: Tensor, lr: float) -> int:
    return full_adagrad_steps(H, start, lr) + 1


def _full_thousandth(H: Tensor, start: Tensor, lr: float) -> int:
    return _full_steps(H, start, lr, _through_root, 1e-3)


def _full_distance(H: Tensor, start: Tensor, lr: float) -> int:
    return _full_steps(H, start, lr, _through_root, 1e-12)


def _full_valleys() -> Inputs:
    def valley(degrees: float, kappa: float, lr: float) -> tuple[Tensor, Tensor, float]:
        a = math.radians(degrees)
        turn = torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]], dtype=torch.float64)
        spread = torch.tensor([1 / kappa, 1.0], dtype=torch.float64).diag()
        return turn @ spread @ turn.T, turn @ torch.tensor([-3.5, 0.5], dtype=torch.float64), lr

    generator = torch.Generator().manual_seed(4)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))[0]
    three = turn @ torch.tensor([0.05, 0.3, 1.0], dtype=torch.float64).diag() @ turn.T
    start = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    return (
        valley(0, 100, 1.0),
        valley(45, 100, 1.0),
        valley(10, 100, 4.0),
        valley(-30, 10, 1.0),
        valley(45, 10, 2.0),
        (three, start, 1.0),
        (three, start, 2.0),
        # gradients of the size of eps
        (1e-7 * three, start, 1.0),
        (1e-8 * three, start, 4.0),
    )


EXERCISES = (
    Exercise(
        "06.rmsprop_step",
        title="One step of RMSprop",
        prompt="Return the new point and the new average of squared gradients, as a tuple, as torch.optim.RMSprop does. p, v "
        "and g are tensors of one shape; leave them as they are.",
        kind="core",
        minutes=5,
        inputs=_rmsprop_inputs,
        solution=rmsprop_step,
        wrong=(
            Wrong(
                _rms_eps_inside,
                "ε is inside the root here, as TensorFlow has it. PyTorch adds it to √v; the two part where gradients "
                "are small.",
            ),
            Wrong(
                _rms_swapped,
                "α and 1 − α are swapped: α belongs to the old average. Like this it forgets after one step, and the "
                "step is nearly lr times the sign of g.",
            ),
            Wrong(
                _rms_square_of_mean,
                "You square the mean instead of averaging the squares: gradients of changing sign cancel, and the "
                "step explodes.",
            ),
            Wrong(
                _rms_whole_square,
                "The new square has lost its factor 1 − α: v becomes 1/(1 − α) times too large, steps too short.",
            ),
            Wrong(
                _rms_shared, "`mean()` makes one number of all coordinates. v has one entry per coordinate."
            ),
            Wrong(_rms_no_root, "The root is missing: v has the units of g², and the step needs those of g."),
            Wrong(_rms_old_average, "You divide by the average before this gradient. Update v first."),
            Wrong(
                _rms_numerator_averaged,
                "The factor 1 − α belongs to the square in v. The gradient in the step is taken whole.",
            ),
        ),
        hints=(
            "As in AdaGrad, with an average in the place of the sum.",
            "The old average keeps the share alpha, the new square gets 1 - alpha.",
            "v = alpha * v + (1 - alpha) * g**2; return p - lr * g / (v.sqrt() + eps), v",
        ),
        stub='''def rmsprop_step(p, v, g, lr, alpha, eps):
    """The new (p, v) after one step of torch.optim.RMSprop: v is its square_avg."""
    ...
''',
        note="With v corrected for its start and the gradient averaged as well, this is Adam (lesson 07).",
    ),
    Exercise(
        "06.longest_step",
        title="The longest step",
        prompt="Return the largest |step| that RMSprop can take in a coordinate, as a float, over all sequences of gradients, "
        "with eps = 0 and v = 0 at the start.",
        kind="core",
        minutes=8,
        inputs=((0.01, 0.99), (0.001, 0.9), (0.1, 0.5), (1.0, 0.0), (30.0, 0.9999)),
        solution=longest_step,
        wrong=(
            Wrong(
                lambda lr, alpha: lr,
                "That is the step under steady gradients. After a quiet time v is small, and one large gradient moves far.",
            ),
            Wrong(
                lambda lr, alpha: lr / (1 - alpha),
                "v holds at least (1 − α) g². You divided by that share, not by its root.",
            ),
            Wrong(
                lambda lr, alpha: lr / math.sqrt(1 - alpha**2),
                "The new gradient has the weight 1 − α in v, not 1 − α².",
            ),
            Wrong(
                lambda lr, alpha: lr * math.sqrt(1 - alpha),
                "Upside down: this is shorter than the step under steady gradients.",
            ),
            Wrong(
                lambda lr, alpha: math.inf,
                "It is bounded: the gradient of the step is in v itself, with a share of 1 − α.",
            ),
        ),
        hints=(
            "v = alpha * (something >= 0) + (1 - alpha) * g**2. How small can v be for a given g?",
            "At the smallest, the old v is zero: v = (1 - alpha) * g**2. Put it into lr * |g| / sqrt(v).",
            "lr / sqrt(1 - alpha).",
        ),
        stub='''def longest_step(lr, alpha):
    """The largest |step| that RMSprop can take in a coordinate, as a float; alpha: in [0, 1)."""
    ...
''',
        note="It is also the length of the first step: RMSprop begins as far from its η as it ever gets.",
    ),
    Exercise(
        "06.broken_run",
        title="This run is broken: find why",
        prompt="Somebody's RMSprop with two weights, lr = 1, eps = 0 and v = 0 at the start wrote down its gradients and what "
        "it took off the weights. Return the fault whose moves are nearest: 'none', 'one v for all', 'no root', 'alpha "
        "swapped' or 'factor lost'. alpha lies between 0 and 1, and no gradient is zero.",
        kind="core",
        minutes=12,
        inputs=_broken_runs,
        solution=broken_run,
        wrong=(
            Wrong(
                _first_step_only,
                "The first step decides here. At the first step several faults move alike: use all steps.",
            ),
            Wrong(
                _last_step_only,
                "The last step decides here. In one step two faults can move nearly alike: use all steps.",
            ),
            Wrong(
                _first_coordinate_only,
                "Only the first weight is looked at. A fault may show in the second one alone.",
            ),
            Wrong(_default_alpha, "The results are those of alpha = 0.99. Use the alpha that is given."),
            Wrong(
                _signs_dropped,
                "The signs of the gradients are lost. A move has the sign of its gradient in each of these faults.",
            ),
            Wrong(_swap_unseen, "A run with alpha and 1 - alpha swapped passes as sound here."),
            Wrong(_shared_unseen, "A run with one v for both weights passes as sound here."),
        ),
        hints=(
            "Replay the run five times, once with each fault, and compare with what it moved.",
            "One loop over the steps. Only the line for v and the divisor differ from fault to fault.",
            "Add up abs(g / divisor - move) over steps and weights, and take the fault with the smallest sum.",
        ),
        stub='''def broken_run(gradients, moves, alpha):
    """The fault as a string; gradients, moves: lists of pairs of floats, one pair a step; alpha: a float."""
    ...
''',
        note="At the first step 'factor lost' gives the sign of g, and so does AdaGrad: one step is no test.",
    ),
    Exercise(
        "06.winner",
        title="Judge the race",
        prompt="results: method -> list of rows (rate, loss, rare error), rates rising, NaN for a run that diverged. Return "
        "the name of the method with the lowest loss at its own best rate, or 'undecided' where the best rate of any method "
        "is the first or last of its grid.",
        kind="core",
        minutes=9,
        inputs=_races,
        solution=winner,
        wrong=(
            Wrong(
                _by_rare,
                "The rare error decides here. Each rate trades it against the common features: judge by the loss.",
            ),
            Wrong(
                _no_edges,
                "Best rates at the edge of a grid pass here. Nobody knows what lies beyond: 'undecided'.",
            ),
            Wrong(_left_passed, "A best rate at the left end of its grid passes here."),
            Wrong(_right_passed, "A best rate at the right end of its grid passes here."),
            Wrong(_nan_is_best, "A NaN is taken for the lowest loss. It is a run that diverged."),
            Wrong(
                _nan_stays_first,
                "A NaN in the first row stays the lowest here: x < nan is False for every x. It is a run that diverged.",
            ),
            Wrong(
                _nan_dropped,
                "Runs that diverged are dropped before the ends of the grid are looked at. They were tried: the grid ends "
                "where the rates do.",
            ),
            Wrong(
                _winner_only,
                "Only the winner's grid is looked at. It is the loser whose rate is easily too poor.",
            ),
            Wrong(_last_method_lost, "The last method is left out. Look at all of them."),
            Wrong(_largest_loss, "The method of the highest loss is returned here; lower is better."),
            Wrong(
                _by_mean,
                "The mean over the rates decides here. It depends on which rates somebody tried: take each best.",
            ),
        ),
        hints=(
            "For each method: the index of its lowest loss that is not NaN. loss != loss only for a NaN.",
            "If that index is 0 or the last one, for any method, return 'undecided'.",
            "Keep each method's lowest loss in a dict; min(best, key=best.get) is the answer.",
        ),
        stub='''def winner(results):
    """The name of the winner, or "undecided"; results: a dict, name -> list of (rate, loss, rare error)."""
    ...
''',
        note="And then run it on other seeds: the lowest of many losses was lucky, too.",
    ),
    Exercise(
        "06.full_adagrad_steps",
        title="AdaGrad that sees directions",
        prompt="G <- G + g gᵀ, p <- p - lr (G^(1/2) + eps I)⁻¹ g, with the matrix root of G, G = 0 at first and eps = 1e-8. "
        "From start, how many steps until pᵀHp is at most a millionth of its first value? The gradient is g = Hp.",
        kind="extra",
        minutes=25,
        inputs=_full_valleys,
        solution=full_adagrad_steps,
        wrong=(
            Wrong(_full_diagonal, "These are the steps with the diagonal of G alone: AdaGrad as before."),
            Wrong(
                _full_entrywise,
                "These are the steps with the root of each entry. The matrix root R is the one with R @ R = G.",
            ),
            Wrong(_full_norm, "These are the steps with one number, the length of all gradients, for all."),
            Wrong(_full_no_root, "These are the steps with G itself: the matrix root is missing."),
            Wrong(_full_no_memory, "These are the steps with the latest gradient only: G is a sum."),
            Wrong(_full_one_late, "One too many: the start, before any step, is 0 steps."),
            Wrong(_full_thousandth, "These are the steps to a thousandth of the first value."),
            Wrong(_full_distance, "These are the steps to a millionth of the first *distance*, roughly."),
        ),
        hints=(
            "torch.outer(g, g) is g gᵀ. torch.linalg.eigh(G) gives eigenvalues and, as columns, eigenvectors.",
            "In the eigenbasis the root is entrywise: divide vectors.T @ g by sqrt(values) + eps, then turn back. "
            "Rounding can make an eigenvalue slightly negative: clamp(min=0).",
            "p = p - lr * vectors @ ((vectors.T @ g) / (values.clamp(min=0).sqrt() + 1e-8)), while "
            "p @ H @ p > 1e-6 * first.",
        ),
        stub='''def full_adagrad_steps(H, start, lr):
    """The number of steps, as an int; H: (d, d), symmetric, positive; start: (d,), both float64."""
    ...
''',
        note="Turn the valley: the number stays. A d × d matrix is too large for a net; Shampoo keeps a small one per "
        "dimension of each weight (lesson 21).",
    ),
)

QUIZZES = (
    Quiz(
        "06.rare_feature",
        "A feature is on in one example of a hundred, another one in every example. Both have gradients of the same size "
        "when they are on, and each step sees one example. What does AdaGrad make of their rates?",
        (
            (
                "The same rate for both: their gradients have the same size",
                "While the rare one is off, its gradient is zero and nothing is added to its sum.",
                False,
            ),
            (
                "The rare one has 10 times the rate",
                "Its sum of squares is far smaller, and the rate divides by the root of the sum: √100 = 10.",
                True,
            ),
            (
                "The rare one has 100 times the rate, so that both learn equally fast",
                "The sum of squares is a hundredth. But the rate divides by its root.",
                False,
            ),
        ),
    ),
    Quiz(
        "06.turned_ten",
        "The walls of a valley are 100 times as steep as its floor. Along the axes AdaGrad, at its best rate, needs a few "
        "hundredths of gradient descent's steps. Now the valley is turned, by 10 degrees only. AdaGrad, tuned again, needs",
        (
            (
                "a few hundredths of them still: 10 degrees are nearly along the axes",
                "A wall that is 100 times as steep is felt in both coordinates after a few degrees.",
                False,
            ),
            (
                "between a fifth and a half of them",
                "The lesson measures it from many starts, and for other angles and valleys.",
                True,
            ),
            (
                "as many as gradient descent",
                "It comes to that, but at a larger angle.",
                False,
            ),
        ),
    ),
)
