"""Exercises of lesson 15: which changes leave the label alone?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Report = dict[str, Any]


def _rand(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _whole(seed: int, low: int, high: int, *shape: int) -> Tensor:
    """Whole numbers from low to high, both included."""
    return torch.randint(low, high + 1, shape, generator=torch.Generator().manual_seed(seed))


# --- 1 · the labels of CutMix ----------------------------------------------------------------------


def cutmix_labels(y: Tensor, partner: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    top, bottom = boxes[:, 0].clamp(0, height), boxes[:, 2].clamp(0, height)
    left, right = boxes[:, 1].clamp(0, width), boxes[:, 3].clamp(0, width)
    given = ((bottom - top) * (right - left) / (height * width)).double()[:, None]
    return (1 - given) * y + given * y[partner]


def _cutmix_inputs() -> Inputs:
    y, partner = torch.eye(3, dtype=torch.float64), torch.tensor([1, 2, 0])
    inside = torch.tensor([[1, 2, 4, 8], [0, 0, 6, 3], [2, 2, 2, 5]])
    outside = torch.tensor([[-2, -2, 3, 4], [4, 5, 9, 12], [0, 1, 6, 8]])
    beyond = torch.tensor([[-3, 2, -1, 5], [0, -4, 6, -2], [7, 2, 9, 5]])
    return (y, partner, inside, 6, 8), (y, partner, outside, 6, 8), (y, partner, beyond, 6, 8)


def _share(boxes: Tensor, height: int, width: int) -> Tensor:
    inside = torch.stack([boxes[:, k].clamp(0, (height, width)[k % 2]) for k in range(4)], dim=1)
    sides = inside[:, 2:] - inside[:, :2]
    return (sides.prod(1) / (height * width)).double()[:, None]


def _not_mixed(y: Tensor, partner: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    return y


def _not_clipped(y: Tensor, partner: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    given = ((boxes[:, 2:] - boxes[:, :2]).prod(1) / (height * width)).double()[:, None]
    return (1 - given) * y + given * y[partner]


def _shares_swapped(y: Tensor, partner: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    given = _share(boxes, height, width)
    return given * y + (1 - given) * y[partner]


def _side_not_area(y: Tensor, partner: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    given = _share(boxes, height, width).sqrt()
    return (1 - given) * y + given * y[partner]


def _one_share(y: Tensor, partner: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    given = _share(boxes, height, width).mean()
    return (1 - given) * y + given * y[partner]


def _larger_wins(y: Tensor, partner: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    return torch.where(_share(boxes, height, width) > 0.5, y[partner], y)


# --- 2 · name the fault ----------------------------------------------------------------------------


def name_fault(x: Tensor, outputs: Tensor, idle: Tensor, fill: float, most: int) -> str:
    if not torch.equal(idle, x):
        return "active in eval"
    height, width = x.shape[1:]
    steps = range(-most, most + 1)
    alike, wraps, filled = True, False, True
    for batch in outputs:
        moves = set()
        for image, out in zip(x, batch, strict=True):
            for d, r in [(d, r) for d in steps for r in steps]:
                visible = torch.zeros(height, width, dtype=torch.bool)
                visible[max(0, d) : height + d, max(0, r) : width + r] = True
                rolled = torch.roll(image, (d, r), (0, 1))
                if torch.equal(out[visible], rolled[visible]):
                    moves.add((d, r))
                    came = out[~visible]
                    wraps = wraps or (len(came) > 0 and torch.equal(came, rolled[~visible]))
                    filled = filled and bool((came == fill).all())
        alike = alike and len(moves) == 1
    if wraps:
        return "wraps"
    if not filled:
        return "wrong fill"
    return "one draw" if alike else "none"


def _fill_before_wrap(x: Tensor, outputs: Tensor, idle: Tensor, fill: float, most: int) -> str:
    found = name_fault(x, outputs, idle, fill, most)
    return "wrong fill" if found == "wraps" else found


def _fill_is_wrap(x: Tensor, outputs: Tensor, idle: Tensor, fill: float, most: int) -> str:
    found = name_fault(x, outputs, idle, fill, most)
    return "wraps" if found == "wrong fill" else found


def _any_fill(x: Tensor, outputs: Tensor, idle: Tensor, fill: float, most: int) -> str:
    found = name_fault(x, outputs, idle, fill, most)
    return "none" if found == "wrong fill" else found


def _training_alone(x: Tensor, outputs: Tensor, idle: Tensor, fill: float, most: int) -> str:
    return name_fault(x, outputs, x, fill, most)


def _one_batch_decides(x: Tensor, outputs: Tensor, idle: Tensor, fill: float, most: int) -> str:
    """One draw for each batch is taken for one draw for all."""
    found = name_fault(x, outputs, idle, fill, most)
    changes = any(not torch.equal(batch, outputs[0]) for batch in outputs)
    return "none" if found == "one draw" and changes else found


def _first_batch(x: Tensor, outputs: Tensor, idle: Tensor, fill: float, most: int) -> str:
    return name_fault(x, outputs[:1], idle, fill, most)


def _first_two(x: Tensor, outputs: Tensor, idle: Tensor, fill: float, most: int) -> str:
    return name_fault(x[:2], outputs[:, :2], idle[:2], fill, most)


def _any_zero(x: Tensor, outputs: Tensor, idle: Tensor, fill: float, most: int) -> str:
    """What comes in is compared with 0."""
    found = name_fault(x, outputs, idle, fill, most)
    return found if found in ("active in eval", "wraps", "one draw") or fill == 0 else "wrong fill"


def _moves_alone(x: Tensor, outputs: Tensor, idle: Tensor, fill: float, most: int) -> str:
    found = name_fault(x, outputs, idle, fill, most)
    return "none" if found in ("wraps", "wrong fill") else found


def _broken_shifts() -> Inputs:
    def transform(
        fault: str, seed: int, shape: tuple[int, int, int], fill: float, most: int, times: int, rest: str = ""
    ) -> Any:
        x = _rand(seed, *shape) + 1.0
        painted = fill + 0.5 if fault == "wrong fill" else fill
        outputs = []
        for k in range(times + 1):
            down, right = _whole(seed + 10 * k + 1, -most, most, 2, shape[0])
            if k == 0:  # the first batch shows the largest moves
                down[0], right[0], down[-1], right[-1] = most, -most, -most, most
            if k == times - 1 and rest == "alike":
                down[:], right[:] = 1, -1
            if k == times - 1 and rest == "one stays":
                down[-1], right[-1] = 0, 0
            if k == 0 and rest in ("first alike", "first stays"):
                down[:], right[:] = (1, -1) if rest == "first alike" else (0, 0)
            if rest == "two alike":
                down[1], right[1] = down[0].item(), right[0].item()
            if rest == "two stay":
                down[:2], right[:2] = 0, 0
            if fault == "one draw":
                down[:], right[:] = down[0].item(), right[0].item()
            batch = torch.full_like(x, painted)
            for n, (d, r) in enumerate(zip(down.tolist(), right.tolist(), strict=True)):
                if fault == "wraps":
                    batch[n] = torch.roll(x[n], (d, r), (0, 1))
                else:
                    kept = x[n, max(0, -d) : shape[1] - max(0, d), max(0, -r) : shape[2] - max(0, r)]
                    batch[n, max(0, d) : shape[1] + min(0, d), max(0, r) : shape[2] + min(0, r)] = kept
            outputs.append(batch)
        idle = outputs.pop(0) if fault == "active in eval" else x.clone()
        return (
            x,
            torch.stack(outputs[-times:] if fault == "active in eval" else outputs[:times]),
            idle,
            fill,
            most,
        )

    return (
        transform("none", 100, (5, 6, 7), 0.0, 1, 4),
        transform("one draw", 200, (5, 6, 7), 0.0, 1, 4),
        transform("wraps", 300, (4, 7, 6), 0.0, 2, 3),
        transform("wrong fill", 400, (4, 7, 6), 0.0, 1, 3),
        transform("active in eval", 500, (5, 6, 7), 0.0, 1, 4),
        transform("none", 600, (6, 8, 5), -0.6, 2, 3),
        transform("wrong fill", 700, (6, 8, 5), -0.5, 2, 3),  # paints 0
        transform("one draw", 800, (3, 8, 8), -0.6, 2, 1),  # one batch
        transform("wraps", 900, (4, 5, 9), -0.6, 1, 4),
        transform("active in eval", 1000, (4, 9, 5), 0.25, 2, 3),
        transform("none", 1100, (3, 6, 6), 0.0, 1, 2, "alike"),  # by chance, in the last batch
        transform("wraps", 1200, (3, 6, 7), 0.0, 1, 2, "one stays"),
        transform("wrong fill", 1300, (3, 7, 6), 0.0, 1, 2, "one stays"),
        transform("one draw", 1400, (3, 3, 4), 0.0, 2, 2),  # one row may be all that stays in view
        transform("none", 1500, (3, 6, 6), 0.0, 1, 3, "first alike"),
        transform("wraps", 1600, (3, 6, 7), 0.0, 2, 3, "first stays"),
        transform("wrong fill", 1700, (3, 7, 6), 0.0, 2, 3, "first stays"),
        transform("none", 1800, (4, 6, 6), 0.0, 1, 2, "two alike"),
        transform("wraps", 1900, (4, 7, 6), 0.0, 2, 2, "two stay"),
        transform("wrong fill", 2000, (4, 6, 7), 0.0, 2, 2, "two stay"),
    )


# --- 3 · how strong --------------------------------------------------------------------------------


def choose_strength(strengths: Tensor, scores: Tensor) -> float:
    best = int(scores.mean(0).argmax())
    behind = scores[:, [best]] - scores  # (S, A)
    error = behind.std(0) / len(scores) ** 0.5
    as_good = behind.mean(0) <= error
    return float(strengths[int(as_good.nonzero()[0])])


def _highest(strengths: Tensor, scores: Tensor) -> float:
    return float(strengths[int(scores.mean(0).argmax())])


def _unpaired(strengths: Tensor, scores: Tensor) -> float:
    best = int(scores.mean(0).argmax())
    error = scores[:, best].std() / len(scores) ** 0.5
    as_good = scores.mean(0)[best] - scores.mean(0) <= error
    return float(strengths[int(as_good.nonzero()[0])])


def _as_good(
    strengths: Tensor,
    scores: Tensor,
    error: Callable[[Tensor], Tensor],
    *,
    best: int | None = None,
    place: int = 0,
) -> float:
    """As the solution, with another error of the differences (S, A), another best, or the last in place of the first."""
    best = int(scores.mean(0).argmax()) if best is None else best
    behind = scores[:, [best]] - scores
    return float(strengths[int((behind.mean(0) <= error(behind)).nonzero()[place])])


def _error(behind: Tensor) -> Tensor:
    error: Tensor = behind.std(0) / len(behind) ** 0.5
    return error


def _deviation(strengths: Tensor, scores: Tensor) -> float:
    return _as_good(strengths, scores, lambda behind: behind.std(0))


def _luckiest(strengths: Tensor, scores: Tensor) -> float:
    return float(strengths[int(scores.amax(0).argmax())])


def _strongest(strengths: Tensor, scores: Tensor) -> float:
    return _as_good(strengths, scores, _error, place=-1)


def _first_gap(strengths: Tensor, scores: Tensor) -> float:
    """Walks down from the best, and stops at the first that is not as good."""
    chosen = best = int(scores.mean(0).argmax())
    while chosen > 0:
        behind = scores[:, best] - scores[:, chosen - 1]
        if behind.mean() > behind.std() / len(scores) ** 0.5:
            break
        chosen -= 1
    return float(strengths[chosen])


def _divided_by_all(strengths: Tensor, scores: Tensor) -> float:
    """The deviation with S in place of S - 1."""
    return _as_good(strengths, scores, lambda behind: behind.std(0, correction=0) / len(behind) ** 0.5)


def _root_of_one_less(strengths: Tensor, scores: Tensor) -> float:
    """The deviation over the root of S - 1."""
    return _as_good(strengths, scores, lambda behind: behind.std(0) / max(len(behind) - 1, 1) ** 0.5)


def _by_median(strengths: Tensor, scores: Tensor) -> float:
    return _as_good(strengths, scores, _error, best=int(scores.median(0).values.argmax()))


def _its_index(strengths: Tensor, scores: Tensor) -> int:
    return strengths.tolist().index(choose_strength(strengths, scores))


def _strength_inputs() -> Inputs:
    def sweep(
        seed: int, means: list[float], noise: float, shared: float, seeds: int
    ) -> tuple[Tensor, Tensor]:
        strengths = torch.arange(len(means), dtype=torch.float64) * 7.5 + (seed % 3)
        common = shared * (_rand(seed, seeds, 1) - 0.5)
        return strengths, torch.tensor(means) + common + noise * (_rand(seed + 1, seeds, len(means)) - 0.5)

    tied = torch.tensor([[0.5, 0.75, 0.75], [0.5, 0.75, 0.75]], dtype=torch.float64)

    def sixteen(mean: float) -> tuple[Tensor, Tensor]:
        """Differences of a deviation of about 1, in hundredths: the error of their mean is about a quarter."""
        behind = mean + torch.tensor([1.0, -1.0] * 8, dtype=torch.float64)
        return torch.tensor([1.5, 6.0], dtype=torch.float64), torch.stack(
            [0.8 - behind / 100, 0.0 * behind + 0.8], 1
        )

    # differences of 0 and 2 hundredths: their error is 1 with S - 1, and 0.7 with S
    two = torch.tensor([[0.80, 0.82], [0.82, 0.82]], dtype=torch.float64)
    two[:, 0] += 0.002
    # the mean lies between the error and the deviation over the root of S - 1
    apart = two - torch.tensor([0.004, 0.0], dtype=torch.float64)
    # two seeds far ahead, three a little behind: the means and the medians disagree
    few = torch.tensor([[0.5, 0.9]] * 2 + [[0.5, 0.49]] * 3, dtype=torch.float64)
    gap = torch.tensor([[0.79, 0.60, 0.80], [0.81, 0.62, 0.80], [0.795, 0.61, 0.80]], dtype=torch.float64)
    lucky = torch.tensor([[0.5, 0.95, 0.8], *[[0.5, 0.4, 0.8]] * 3], dtype=torch.float64)
    return (
        sweep(20, [0.80, 0.85, 0.88, 0.86], 0.01, 0.0, 6),
        sweep(30, [0.80, 0.879, 0.88, 0.86], 0.02, 0.0, 4),  # the second is as good
        sweep(40, [0.80, 0.868, 0.88, 0.86], 0.01, 0.3, 8),  # seeds differ more than strengths
        sweep(50, [0.878, 0.84, 0.88, 0.879], 0.03, 0.1, 5),
        sweep(60, [0.88, 0.87, 0.85], 0.005, 0.1, 3),
        sweep(70, [0.70, 0.78, 0.80, 0.805, 0.79], 0.06, 0.2, 12),
        sweep(80, [0.70, 0.795, 0.80], 0.03, 0.0, 20),
        (torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64), tied),
        (torch.tensor([-1.0, 0.5, 4.0], dtype=torch.float64), lucky),
        sixteen(0.2),
        sixteen(0.03),
        sixteen(2.0),
        (torch.tensor([0.5, 2.5], dtype=torch.float64), two),
        (torch.tensor([0.5, 2.5], dtype=torch.float64), apart),
        (torch.tensor([0.5, 2.5], dtype=torch.float64), few),
        (torch.tensor([1.5, 2.0, 4.0], dtype=torch.float64), gap),
        (torch.tensor([2.0], dtype=torch.float64), tied[:, :1]),
    )


# --- 4 · reports -----------------------------------------------------------------------------------


def judge_reports(reports: list[dict]) -> dict[str, str]:  # type: ignore[type-arg]
    words = {}
    for report in reports:
        ends = (min(report["rates"]), max(report["rates"]))
        if report["validation_changed"] or report["best_with"] in ends or report["best_without"] in ends:
            words[report["name"]] = "no"
        elif report["low"] > 0:
            words[report["name"]] = "gain"
        elif report["high"] < 0:
            words[report["name"]] = "loss"
        else:
            words[report["name"]] = "open"
    return words


def _with_alone(reports: list[Report]) -> dict[str, str]:
    """Looks at the best rate of the net with the change only."""
    return judge_reports([r | {"best_without": sorted(r["rates"])[len(r["rates"]) // 2]} for r in reports])


def _without_alone(reports: list[Report]) -> dict[str, str]:
    return judge_reports([r | {"best_with": sorted(r["rates"])[len(r["rates"]) // 2]} for r in reports])


def _rates_ignored(reports: list[Report]) -> dict[str, str]:
    return judge_reports([r | {"rates": [0.0, 1e9]} for r in reports])


def _validation_ignored(reports: list[Report]) -> dict[str, str]:
    return judge_reports([r | {"validation_changed": False} for r in reports])


def _in_order(reports: list[Report]) -> dict[str, str]:
    """Takes the rates to be sorted."""
    words: dict[str, str] = {}
    for r in reports:
        ends = (r["rates"][0], r["rates"][-1])
        refused = r["validation_changed"] or r["best_with"] in ends or r["best_without"] in ends
        words |= judge_reports([r | {"rates": [0.0, 1e9], "validation_changed": refused}])
    return words


def _by_the_middle(reports: list[Report]) -> dict[str, str]:
    def middle(r: Report) -> float:
        return float(r["low"] + r["high"]) / 2

    return judge_reports([r | {"low": middle(r), "high": middle(r)} for r in reports])


def _losses_open(reports: list[Report]) -> dict[str, str]:
    return {name: "open" if word == "loss" else word for name, word in judge_reports(reports).items()}


def _reports() -> Inputs:
    def report(name: str, low: float, high: float, **more: Any) -> Report:
        usual = {"rates": [0.03, 0.003, 0.01, 0.1], "best_with": 0.03, "best_without": 0.01}
        return {"name": name, "low": low, "high": high, "validation_changed": False} | usual | more

    return (
        ([report("shifts", 0.14, 0.21), report("flips", -0.06, -0.01), report("mixup", -0.011, 0.003)],),
        ([report("smallest", 0.02, 0.05, best_without=0.003), report("largest", 0.02, 0.05, best_with=0.1)],),
        ([report("changed", 0.02, 0.05, validation_changed=True), report("unsorted", -0.003, 0.02)],),
        ([report("plain at the edge", -0.05, -0.02, best_without=0.1)],),
        ([report("with at the edge", -0.05, -0.02, best_with=0.003), report("crop", 0.001, 0.002)],),
        ([report("jitter", -0.004, -0.001, rates=[0.3, 0.01, 0.03, 0.1], best_with=0.1, best_without=0.03)],),
        ([report("first in the list", 0.01, 0.02, rates=[0.01, 1.0, 0.001, 0.1, 0.0001], best_with=0.1)],),
        ([report("touches", 0.0, 0.02), report("touches below", -0.02, 0.0)],),
        ([],),
    )


# --- 5 · towards research: how much is pasted ------------------------------------------------------


def pasted_share(lam: float) -> float:
    side = (1 - lam) ** 0.5
    return float((side * (1 - side / 4)) ** 2)


def _not_cut(lam: float) -> float:
    return 1 - lam


def _one_axis(lam: float) -> float:
    side = (1 - lam) ** 0.5
    return float(side * (1 - side / 4))


def _cut_once(lam: float) -> float:
    side = (1 - lam) ** 0.5
    return float((side * (1 - side / 8)) ** 2)


def _area_for_side(lam: float) -> float:
    side = 1 - lam
    return (side * (1 - side / 4)) ** 2


def _one_axis_cut(lam: float) -> float:
    side = (1 - lam) ** 0.5
    return float(side**2 * (1 - side / 4))


def _own_share(lam: float) -> float:
    return 1 - pasted_share(lam)


EXERCISES = (
    Exercise(
        "15.cutmix_labels",
        title="The labels of CutMix",
        prompt="Each image got its partner's pixels inside a box (top, left, bottom, right; ends excluded), which may "
        "reach outside the image. Return the mixed label rows, and leave y as it is.",
        kind="core",
        minutes=8,
        inputs=_cutmix_inputs,
        solution=cutmix_labels,
        wrong=(
            Wrong(
                _not_mixed,
                "The images are mixed and the labels are not: the pasted part is called by the wrong name.",
            ),
            Wrong(
                _not_clipped,
                "You count the part of the box that lies outside the image. Nothing was pasted there.",
            ),
            Wrong(_shares_swapped, "The shares are swapped: the area of the box belongs to the partner."),
            Wrong(_side_not_area, "This is the side of the box. Labels follow the area."),
            Wrong(_one_share, "All rows are mixed by the batch's mean share. Each image has its own box."),
            Wrong(
                _larger_wins,
                "You name the image after its larger part. The label keeps both shares.",
            ),
        ),
        hints=(
            "Clip the box to the image first.",
            "The share of the partner is the clipped area over height * width, one number per image.",
            "given = (bottom - top) * (right - left) / (height * width) after clamp; "
            "(1 - given) * y + given * y[partner]",
        ),
        stub='''def cutmix_labels(y, partner, boxes, height, width):
    """Label rows (N, K) for y (N, K), partner (N,) and boxes (N, 4) of whole numbers."""
    ...
''',
        note="With λ as drawn, half of the label is the partner's on average; its pixels are only about a third.",
    ),
    Exercise(
        "15.name_fault",
        title="This transform is broken: find why",
        prompt="A random shift was fed the images x (N, H, W) K times in training, giving outputs (K, N, H, W), and once "
        "in eval, giving idle (N, H, W). Each image should move by its own whole numbers of pixels, at most `most` each "
        'way, and what comes in should be `fill`. Name its one fault or "none": "one draw" (all images of a batch move '
        'alike), "wraps" (what leaves on one side comes back on the other), "wrong fill", "active in eval". No pixel of '
        "x is equal to fill and all pixels of x differ.",
        kind="core",
        minutes=12,
        inputs=_broken_shifts,
        solution=name_fault,
        wrong=(
            Wrong(
                _fill_before_wrap,
                "What comes in is not `fill`, true; but it is what left on the other side.",
            ),
            Wrong(
                _fill_is_wrap,
                "What comes in is not `fill`, true; but it need not be what left on the other side.",
            ),
            Wrong(_any_fill, "You know what wraps, but any other value passes for `fill`."),
            Wrong(_training_alone, "You never look at what came out in eval."),
            Wrong(
                _one_batch_decides,
                "The moves change from batch to batch, and are still the same for all images of one batch.",
            ),
            Wrong(_first_batch, "You look at the first batch alone. The others may show more."),
            Wrong(_first_two, "You look at the first two images alone. The others may show more."),
            Wrong(_any_zero, "You compare what comes in with 0, not with `fill`."),
            Wrong(_moves_alone, "You look at the moves alone, and not at what comes in at the edges."),
        ),
        hints=(
            "In eval nothing may change: torch.equal(idle, x). Then find the move (d, r) of each image of each output: "
            "try all of them, and compare the part that stays visible.",
            "With the move known, look at the part that came in: is it what torch.roll would bring, is it `fill`?",
            "Eval first, then `wraps`, then `wrong fill`; at last, are the moves of a batch all the same, in every batch?",
        ),
        stub='''def name_fault(x, outputs, idle, fill, most):
    """The fault as a string; x (N, H, W), outputs (K, N, H, W) in training, idle (N, H, W) in eval."""
    ...
''',
        note="Two cheap tests find most faults of a transform: eval returns its input, and two images move differently.",
    ),
    Exercise(
        "15.choose_strength",
        title="How strong?",
        prompt="scores (S, A) are accuracies of S seeds at A rising strengths. Take the strength with the highest mean, "
        "the weakest if means tie. A weaker one is as good if the mean over seeds of (best minus weaker) is at most one "
        "standard error of these S differences: their deviation (with S - 1) over the root of S. Return the weakest "
        "strength that is as good as the best.",
        kind="core",
        minutes=8,
        inputs=_strength_inputs,
        solution=choose_strength,
        wrong=(
            Wrong(_highest, "This is the strength with the highest mean. Is a weaker one as good?"),
            Wrong(
                _unpaired,
                "You compare with the spread of the best strength's scores. Seeds are shared: take the error of the "
                "differences.",
            ),
            Wrong(_deviation, "This is the deviation of the differences, not the error of their mean."),
            Wrong(_luckiest, "You look at the best seed of each strength, not at means."),
            Wrong(_strongest, "Of those that are as good you return the strongest."),
            Wrong(
                _first_gap, "You stop at the first weaker strength that is not as good. One below it may be."
            ),
            Wrong(
                _divided_by_all, "The deviation divides by S - 1: `std` of NumPy divides by S unless told."
            ),
            Wrong(_root_of_one_less, "S - 1 belongs in the deviation; its error divides by the root of S."),
            Wrong(_by_median, "You take the highest median. The rule takes the highest mean."),
            Wrong(_its_index, "You return the place of the strength, not the strength."),
        ),
        hints=(
            "best = scores.mean(0).argmax(); the differences are scores[:, [best]] - scores, one row for each seed.",
            "Their means are compared with their deviation over the root of S; the best itself passes with 0 <= 0.",
            "as_good = behind.mean(0) <= behind.std(0) / S ** 0.5, and then the first that is.",
        ),
        stub='''def choose_strength(strengths, scores):
    """The weakest strength, a float, as good as the best; strengths (A,), scores (S, A), tensors."""
    ...
''',
        note="A weaker change costs less time. Differences of the same seed are steadier than the seeds themselves.",
    ),
    Exercise(
        "15.judge_reports",
        title="Which of these reports may be believed?",
        prompt='Return a dict from names to words: "no" where validation_changed is true or where best_with or '
        'best_without is the smallest or the largest of rates (in any order); else "gain" if low > 0, "loss" if '
        'high < 0, and "open" if neither.',
        kind="core",
        minutes=8,
        inputs=_reports,
        solution=judge_reports,
        wrong=(
            Wrong(_with_alone, "The net without the change has a best rate, too: is it inside?"),
            Wrong(_without_alone, "The net with the change has a best rate, too: is it inside?"),
            Wrong(_rates_ignored, "You believe reports whose best rate is the smallest or largest tried."),
            Wrong(_validation_ignored, "You believe a report whose validation images were changed."),
            Wrong(_in_order, "Rates come in any order: the first and last are not the smallest and largest."),
            Wrong(_by_the_middle, "You look at the middle of the interval. Does the interval exclude zero?"),
            Wrong(_losses_open, "An interval below zero is a loss, and no open question."),
        ),
        hints=(
            "Two reasons for no first; the interval decides the rest.",
            "The smallest and largest rate are min and max of the list.",
            "if changed or a best rate in (min, max): no; elif low > 0: gain; elif high < 0: loss; else open.",
        ),
        stub='''def judge_reports(reports):
    """A dict from names to "no", "gain", "loss" or "open"; a report is a dict."""
    ...
''',
        note="A best rate at the edge of its grid is not known to be the best: beyond the edge may be a better one.",
    ),
    Exercise(
        "15.pasted_share",
        title="How much does CutMix paste?",
        prompt="CutMix's box has sides H sqrt(1 - lam) and W sqrt(1 - lam), its centre is uniform over the image, and "
        "what reaches outside is cut off. Return the mean share of the image that is pasted, a float, for lam in [0, 1].",
        kind="extra",
        minutes=20,
        inputs=((0.0,), (0.3,), (0.5,), (0.84,), (0.99,), (1.0,)),
        solution=pasted_share,
        wrong=(
            Wrong(_not_cut, "This is the area of the whole box. A part of it often lies outside."),
            Wrong(_one_axis, "This is the share of one side. Height and width are both cut."),
            Wrong(
                _cut_once, "You cut off at one end of the axis. The box can reach beyond either of the two."
            ),
            Wrong(_area_for_side, "1 - lam is the area of the box; its side is the root of that."),
            Wrong(_one_axis_cut, "You cut along one axis only. The other one is cut as well."),
            Wrong(_own_share, "This is what is left of the own image."),
        ),
        hints=(
            "Height and width are independent: do one axis, with a box of length s = sqrt(1 - lam) on an image of length "
            "1, and square.",
            "At one end the box sticks out by s/2 - c, if its centre c is nearer than s/2: the mean over c is s²/8. There "
            "are two ends.",
            "The mean visible length is s - s²/4.",
        ),
        stub='''def pasted_share(lam):
    """The mean pasted share of the image, a float, for lam in [0, 1]."""
    ...
''',
        note="Over a uniform lam the mean is 1/2 - 1/5 + 1/48 = 0.32: the partner gives a third of the pixels, not half.",
    ),
)

QUIZZES = (
    Quiz(
        "15.more_images",
        "Digits, all centred. A small dense net learns 100 of them for 300 steps. Now each image is moved by up to one "
        "pixel, at random, whenever it is used. The validation images stay as they are. What happens to the accuracy "
        "after as many steps?",
        (
            (
                "It rises: 100 images have become 900",
                "They have, but of a harder task, digits that move, and validation digits do not.",
                False,
            ),
            (
                "It falls",
                "The label is left alone, and the images change in a way that never happens here. It is a harder "
                "task, and takes the net longer to learn.",
                True,
            ),
            (
                "Nothing that could be measured",
                "For a dense net a digit that has moved by a pixel is another image.",
                False,
            ),
        ),
    ),
    Quiz(
        "15.nine_views",
        "A net was trained on centred digits, without augmentation. To predict, you average its probabilities over nine "
        "views of each image, moved by -1, 0 or 1 pixels. How accurate is that, against one pass over the image itself?",
        (
            (
                "Never worse: an average has less noise",
                "Its loss is never above the mean loss of its members. But the members are bad: eight of the nine "
                "views are images that this net reads badly.",
                False,
            ),
            (
                "Worse",
                "The net has not learned the change, so its answers to the other views are bad, and they have eight "
                "votes of nine.",
                True,
            ),
            (
                "The same: shifts leave the label alone",
                "They leave the true label alone. That does not say that the net does.",
                False,
            ),
        ),
    ),
    Quiz(
        "15.wrong_labels",
        "Of 500 training digits a fifth have a wrong label. A dense net learns them for 320 steps, with mixup and "
        "without. Once both train at a large rate, at which the net without mixup fits the wrong labels; once each "
        "trains at the rate that is best for it. What does mixup gain in accuracy?",
        (
            (
                "Several points both times: wrong labels are what it is for",
                "At the large rate it does. But a smaller rate keeps the net from fitting wrong labels, too.",
                False,
            ),
            (
                "Several points at the large rate, about nothing at the best rates",
                "What it seems to gain is what a smaller rate gains as well. Tune both before you compare.",
                True,
            ),
            (
                "About nothing both times",
                "At the large rate the net without mixup fits many of the wrong labels, and mixup hinders that.",
                False,
            ),
        ),
    ),
)
