"""Exercises of lesson 13: what does dropout average?"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Report = dict[str, Any]
Verdict = tuple[float, float, bool]


def _randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _rand(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- 1 · the layer ---------------------------------------------------------------------------------


def dropout_forward(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    if not training:
        return x
    return x * (u >= p) / (1 - p)


def _no_scale(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    return x * (u >= p) if training else x


def _scale_twice(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    return x * (u >= p) / (1 - p) if training else x * (1 - p)


def _original(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    return x * (u >= p) if training else x * (1 - p)


def _active_in_eval(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    return x * (u >= p) / (1 - p)


def _swapped(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    return x * (u < p) / p if training else x


def _swapped_mask(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    return x * (u < p) / (1 - p) if training else x


def _shared_mask(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    return x * (u[:1] >= p) / (1 - p) if training else x


def _share_kept(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    keep = (u >= p).to(x.dtype)
    return x * keep / keep.mean() if training else x


def _divided_by_p(x: Tensor, u: Tensor, p: float, training: bool) -> Tensor:
    return x * (u >= p) / p if training else x


def _layer_inputs() -> Inputs:
    cases: list[tuple[Any, ...]] = [
        (_randn(k, 6, 5), _rand(k + 50, 6, 5), p, mode)
        for k, (p, mode) in enumerate(((0.5, True), (0.2, True), (0.2, False), (0.7, True)))
    ]
    # a draw of exactly p is kept
    edge = torch.tensor([[0.25, 0.0, 0.5], [0.75, 0.25, 0.999]], dtype=torch.float64)
    cases += [(_randn(7, 2, 3), edge, 0.25, True), (_randn(8, 2, 3, 4), _rand(58, 2, 3, 4), 0.4, True)]
    cases += [(_randn(9, 3, 2), _rand(59, 3, 2) * 0.2 + 0.8, 0.1, True)]  # nothing is dropped
    return tuple(cases)


# --- 2 · name the fault ----------------------------------------------------------------------------


def name_fault(x: Tensor, outputs: Tensor, idle: Tensor, p: float) -> str:
    kept = outputs != 0
    factor = (outputs / x)[kept].mean().item()
    if (idle == 0).any():
        return "active in eval"
    if not torch.allclose(idle, x):
        return "scaled twice"
    if (kept == kept[:, :1]).all():
        return "shared mask"
    names = {1 / (1 - p): "none", 1.0: "no factor", 1 / p: "keeps p"}
    return names[min(names, key=lambda right: abs(right - factor))]


def _by_share(x: Tensor, outputs: Tensor, idle: Tensor, p: float) -> str:
    """Looks at how many are kept, not at the factor."""
    found = name_fault(x, outputs, idle, p)
    return "none" if found == "no factor" else found


def _training_alone(x: Tensor, outputs: Tensor, idle: Tensor, p: float) -> str:
    return name_fault(x, outputs, x, p)


def _twice_is_active(x: Tensor, outputs: Tensor, idle: Tensor, p: float) -> str:
    found = name_fault(x, outputs, idle, p)
    return "active in eval" if found == "scaled twice" else found


def _zeros_in_eval_alone(x: Tensor, outputs: Tensor, idle: Tensor, p: float) -> str:
    """In eval it looks for zeros, and not at the size."""
    return name_fault(x, outputs, x * (idle != 0), p)


def _twice_is_no_factor(x: Tensor, outputs: Tensor, idle: Tensor, p: float) -> str:
    found = name_fault(x, outputs, idle, p)
    return "no factor" if found == "scaled twice" else found


def _first_pass_shared(x: Tensor, outputs: Tensor, idle: Tensor, p: float) -> str:
    """Compares passes where rows should be compared."""
    kept = outputs != 0
    found = name_fault(x, outputs, idle, p)
    if found == "shared mask" and not bool((kept == kept[:1]).all()):
        return "none"
    return found


def _mean_decides(x: Tensor, outputs: Tensor, idle: Tensor, p: float) -> str:
    """The mean over passes is x: so nothing is wrong."""
    found = name_fault(x, outputs, idle, p)
    return "none" if found in ("keeps p", "shared mask") else found


def _no_factor_below_half(x: Tensor, outputs: Tensor, idle: Tensor, p: float) -> str:
    found = name_fault(x, outputs, idle, p)
    return "no factor" if found == "keeps p" and p > 0.5 else found


def _broken_layers() -> Inputs:
    def layer(
        fault: str, seed: int, shape: tuple[int, int], p: float, passes: int, size: float = 1.0
    ) -> tuple[Any, ...]:
        x = size * _randn(seed, *shape)
        u = _rand(seed + 500, passes, *shape)
        if fault == "shared mask":
            u = u[:, :1].expand(passes, *shape)
        keep = u < p if fault == "keeps p" else u >= p
        scale = {"no factor": 1.0, "keeps p": 1 / p}.get(fault, 1 / (1 - p))
        idle = {"scaled twice": (1 - p) * x, "active in eval": x * keep[0] / (1 - p)}.get(fault, x)
        return x, x * keep * scale, idle.clone(), p

    return (
        layer("none", 1, (6, 5), 0.2, 40),
        layer("no factor", 2, (6, 5), 0.2, 40),
        layer("scaled twice", 3, (6, 5), 0.3, 40),
        layer("active in eval", 4, (6, 5), 0.4, 40),
        layer("shared mask", 5, (6, 5), 0.3, 40),
        layer("keeps p", 6, (6, 5), 0.2, 40),
        layer("keeps p", 7, (4, 8), 0.8, 20),
        layer("none", 8, (4, 8), 0.8, 20),
        layer("no factor", 9, (4, 8), 0.9, 30),
        layer("shared mask", 10, (8, 3), 0.7, 20),
        layer("active in eval", 11, (7, 9), 0.8, 20),
        layer("scaled twice", 12, (5, 4), 0.05, 40),
        layer("none", 13, (10, 10), 0.6, 1),  # one pass
        layer("shared mask", 14, (10, 10), 0.6, 1),
        layer("no factor", 15, (6, 5), 0.3, 40, 2.0),  # far from size 1
        layer("keeps p", 16, (6, 5), 0.3, 40, 0.2),
        layer("none", 17, (6, 2), 0.05, 40),  # the rows of a single pass may agree by chance
    )


# --- 3 · one pass or many --------------------------------------------------------------------------


def averaging_pays(one: Tensor, crowd: Tensor, y: Tensor) -> tuple[float, float, bool]:
    confidence, answer = one.softmax(-1).max(-1)
    over = (confidence.mean() - (answer == y).double().mean()).item()
    averaged = crowd.softmax(-1).mean(0).amax(-1)
    soft = (confidence.mean() - averaged.mean()).item()
    return over, soft, abs(over - soft) < abs(over)


def _paid(over: float, soft: float) -> Verdict:
    return over, soft, abs(over - soft) < abs(over)


def _mean_logits(one: Tensor, crowd: Tensor, y: Tensor) -> Verdict:
    over, _, _ = averaging_pays(one, crowd, y)
    averaged = crowd.mean(0).softmax(-1).amax(-1)
    return _paid(over, (one.softmax(-1).amax(-1).mean() - averaged.mean()).item())


def _members(one: Tensor, crowd: Tensor, y: Tensor) -> Verdict:
    """The mean confidence of the thinned nets, not the confidence of their mean."""
    over, _, _ = averaging_pays(one, crowd, y)
    return _paid(over, (one.softmax(-1).amax(-1).mean() - crowd.softmax(-1).amax(-1).mean()).item())


def _any_overconfidence(one: Tensor, crowd: Tensor, y: Tensor) -> Verdict:
    over, soft, _ = averaging_pays(one, crowd, y)
    return over, soft, over > 0


def _whole_softening(one: Tensor, crowd: Tensor, y: Tensor) -> Verdict:
    over, soft, _ = averaging_pays(one, crowd, y)
    return over, soft, over > soft


def _half_only(one: Tensor, crowd: Tensor, y: Tensor) -> Verdict:
    over, soft, _ = averaging_pays(one, crowd, y)
    return over, soft, over > soft / 2


def _signs_turned(one: Tensor, crowd: Tensor, y: Tensor) -> Verdict:
    over, soft, pays = averaging_pays(one, crowd, y)
    return -over, soft, pays


def _softening_turned(one: Tensor, crowd: Tensor, y: Tensor) -> Verdict:
    over, soft, _ = averaging_pays(one, crowd, y)
    return over, -soft, abs(over + soft) < abs(over)


def _of_true_class(one: Tensor, crowd: Tensor, y: Tensor) -> Verdict:
    """The probability of the true class for the confidence."""
    picked = one.softmax(-1).gather(-1, y[:, None])[:, 0].mean()
    averaged = crowd.softmax(-1).mean(0).gather(-1, y[:, None])[:, 0].mean()
    right = (one.argmax(-1) == y).double().mean()
    return _paid((picked - right).item(), (picked - averaged).item())


def _validation_sets() -> Inputs:
    def images(seed: int, *, n: int, classes: int, masks: int, size: float, noise: float, hits: float) -> Any:
        one = size * _randn(seed, n, classes)
        crowd = one + noise * _randn(seed + 1, masks, n, classes)
        other = torch.randint(classes, (n,), generator=torch.Generator().manual_seed(seed + 2))
        y = torch.where(_rand(seed + 3, n) < hits, one.argmax(-1), other)
        return one, crowd, y

    surer = images(960, n=30, classes=3, masks=4, size=0.5, noise=0.0, hits=1.0)
    return (
        images(900, n=40, classes=5, masks=8, size=3.0, noise=2.0, hits=0.2),  # too sure by far: pays
        images(910, n=40, classes=5, masks=8, size=2.0, noise=3.0, hits=0.35),  # too sure by less than half
        images(920, n=50, classes=4, masks=6, size=1.0, noise=1.5, hits=1.0),  # not sure enough
        images(930, n=60, classes=3, masks=5, size=3.0, noise=2.5, hits=0.75),
        (surer[0], 4 * surer[1], surer[2]),  # the average is surer, and that helps
        images(970, n=1, classes=2, masks=1, size=1.0, noise=1.0, hits=0.0),
        images(980, n=40, classes=5, masks=8, size=3.0, noise=2.0, hits=0.45),  # between half and whole
        images(990, n=20, classes=3, masks=1, size=2.0, noise=0.0, hits=0.5),  # nothing is softened
    )


# --- 4 · reports -----------------------------------------------------------------------------------


def explained_by_dropout(reports: list[dict]) -> list[str]:  # type: ignore[type-arg]
    return [
        report["name"]
        for report in reports
        if report["p"] > 0 and report["train_eval"] <= report["validation"] < report["printed"]
    ]


def _any_gap(reports: list[Report]) -> list[str]:
    return [r["name"] for r in reports if r["p"] > 0 and r["printed"] > r["validation"]]


def _without_p(reports: list[Report]) -> list[str]:
    return [r["name"] for r in reports if r["train_eval"] <= r["validation"] < r["printed"]]


def _mode_gap(reports: list[Report]) -> list[str]:
    return [r["name"] for r in reports if r["p"] > 0 and r["printed"] > r["train_eval"]]


def _low_in_eval(reports: list[Report]) -> list[str]:
    return [r["name"] for r in reports if r["p"] > 0 and r["train_eval"] <= r["validation"]]


def _strictly_below(reports: list[Report]) -> list[str]:
    return [r["name"] for r in reports if r["p"] > 0 and r["train_eval"] < r["validation"] < r["printed"]]


def _touching(reports: list[Report]) -> list[str]:
    return [r["name"] for r in reports if r["p"] > 0 and r["train_eval"] <= r["validation"] <= r["printed"]]


def _numbers(reports: list[Report]) -> list[int]:
    return [k for k, r in enumerate(reports) if r["name"] in explained_by_dropout(reports)]


def _reports() -> Inputs:
    def report(name: str, p: float, printed: float, train_eval: float, validation: float) -> Report:
        return {
            "name": name, "p": p, "printed": printed, "train_eval": train_eval, "validation": validation,
        }  # fmt: skip

    usual = report("usual", 0.2, 0.08, 0.04, 0.15)
    masks = report("masks", 0.8, 0.74, 0.15, 0.25)
    labels = report("wrong labels", 0.5, 0.96, 0.78, 0.48)
    return (
        ([usual, masks, labels],),
        ([report("no dropout", 0.0, 0.70, 0.40, 0.48), masks, report("a tie", 0.1, 0.3, 0.2, 0.2)],),
        ([report("equal", 0.5, 0.3, 0.1, 0.3), report("tiny", 0.01, 0.31, 0.3, 0.305)],),
        ([report("no dropout", 0.0, 0.66, 0.66, 0.48), labels, usual],),
        ([masks],),
        ([],),
    )


# --- 5 · towards research: columns of any size -----------------------------------------------------


def dropout_least_squares(x: Tensor, y: Tensor, p: float) -> Tensor:
    gram = x.T @ x
    noise = p / (1 - p) * torch.diag(gram.diagonal())
    weights: Tensor = torch.linalg.solve(gram + noise, x.T @ y)
    return weights


def _solve(a: Tensor, b: Tensor) -> Tensor:
    solved: Tensor = torch.linalg.solve(a, b)
    return solved


def _plain_ridge(x: Tensor, y: Tensor, p: float) -> Tensor:
    eye = torch.eye(x.shape[1], dtype=x.dtype)
    return _solve(x.T @ x + p / (1 - p) * eye, x.T @ y)


def _scaled_ridge(x: Tensor, y: Tensor, p: float) -> Tensor:
    eye = torch.eye(x.shape[1], dtype=x.dtype)
    return _solve(x.T @ x + len(x) * p / (1 - p) * eye, x.T @ y)


def _ordinary(x: Tensor, y: Tensor, p: float) -> Tensor:
    return _solve(x.T @ x, x.T @ y)


def _ridge_p(x: Tensor, y: Tensor, p: float) -> Tensor:
    gram = x.T @ x
    return _solve(gram + p * torch.diag(gram.diagonal()), x.T @ y)


def _ridge_original(x: Tensor, y: Tensor, p: float) -> Tensor:
    return dropout_least_squares(x, y, p) / (1 - p)


def _diagonal_only(x: Tensor, y: Tensor, p: float) -> Tensor:
    gram = x.T @ x
    return (1 - p) * (x.T @ y) / gram.diagonal()


def _whole_gram(x: Tensor, y: Tensor, p: float) -> Tensor:
    return (1 - p) * _solve(x.T @ x, x.T @ y)


def _regression_inputs() -> Inputs:
    scale = torch.tensor([1.0, 3.0, 0.5, 2.0], dtype=torch.float64)
    mix = torch.eye(4, dtype=torch.float64) + 0.5
    cases = [
        (_randn(k + 80, 12, 4) @ mix * scale, _randn(k + 90, 12), p) for k, p in enumerate((0.5, 0.2, 0.8))
    ]
    # one column, with a mean far from zero
    return (*cases, (_randn(85, 9, 1) + 5.0, _randn(95, 9) - 2.0, 0.3))


EXERCISES = (
    Exercise(
        "13.dropout_forward",
        title="The layer",
        prompt="Return inverted dropout of x, for p in [0, 1): in training keep an entry where u >= p and scale what is "
        "kept; in eval change nothing. Leave x as it is.",
        kind="core",
        minutes=6,
        inputs=_layer_inputs,
        solution=dropout_forward,
        wrong=(
            Wrong(
                _no_scale,
                "Nothing makes up for what is dropped: in training the mean is (1 - p) times x, in eval it is x.",
            ),
            Wrong(
                _scale_twice,
                "You scale in training and again in eval. One of the two is enough, and inverted dropout does it "
                "in training.",
            ),
            Wrong(
                _original,
                "This is the original convention, which scales in eval. Inverted dropout scales in training and "
                "leaves eval alone.",
            ),
            Wrong(_active_in_eval, "Your layer still drops in eval: look at what `training` says first."),
            Wrong(
                _swapped, "p and 1 - p are swapped: p is the probability of being dropped, not of being kept."
            ),
            Wrong(_swapped_mask, "Your mask keeps what should go: an entry is kept where u >= p."),
            Wrong(
                _shared_mask,
                "One mask, the first row's, serves the whole batch. Every example needs draws of its own.",
            ),
            Wrong(
                _share_kept,
                "You divide by the share that happened to be kept. The scale is 1 - p, a constant: otherwise the "
                "examples of a batch are tied together.",
            ),
            Wrong(_divided_by_p, "You divide by p. What is kept on average is the share 1 - p."),
        ),
        hints=(
            "Two cases: `if not training` comes first.",
            "A comparison gives the mask; what survives must make up, on average, for what does not.",
            "return x * (u >= p) / (1 - p)",
        ),
        stub='''def dropout_forward(x, u, p, training):
    """Inverted dropout of x; u holds uniform draws of x's shape, an entry is kept where u >= p."""
    ...
''',
        note="`torch.nn.Dropout(p)` does this. With the scale in training, a net is saved and used without p.",
    ),
    Exercise(
        "13.name_fault",
        title="This layer is broken: find why",
        prompt="A dropout layer was fed x (N, D), which has no zeros, K times in training, giving outputs (K, N, D), and "
        'once in eval, giving idle (N, D). Name its one fault or "none": "no factor", "scaled twice" (1 / (1 - p) in '
        'training and 1 - p in eval), "active in eval", "shared mask" (one for all N rows, drawn anew each time), '
        '"keeps p" (kept with probability p and divided by p). p is not 0.5.',
        kind="core",
        minutes=10,
        inputs=_broken_layers,
        solution=name_fault,
        wrong=(
            Wrong(
                _by_share,
                "You do not look at the size of what is kept: without the factor it is x itself.",
            ),
            Wrong(_training_alone, "You look at training alone. What comes out in eval must be x."),
            Wrong(
                _twice_is_active,
                "Eval does not return x, but it drops nothing either: every entry is there, only smaller.",
            ),
            Wrong(
                _zeros_in_eval_alone,
                "In eval you look for zeros alone. A layer that drops nothing there may still not return x.",
            ),
            Wrong(
                _twice_is_no_factor,
                "Eval is too small, but the factor is there in training. Without a factor eval would be x.",
            ),
            Wrong(
                _first_pass_shared,
                "You compare passes. A shared mask is one for all rows of a pass; the next pass has another.",
            ),
            Wrong(
                _mean_decides,
                "The mean over passes is right with a shared mask, and with p and 1 - p swapped. Look at single "
                "entries as well.",
            ),
            Wrong(
                _no_factor_below_half,
                "A factor near 1 need not be 1: compare it with 1, with 1 / p and with 1 / (1 - p).",
            ),
        ),
        hints=(
            "First look at eval: are there zeros, is it x, or is it x times something?",
            "Then at training: which entries are zero, row against row; and what is outputs / x where it is not zero?",
            "That ratio is 1 / (1 - p) if all is well, 1 without the factor, 1 / p with p and 1 - p swapped.",
        ),
        stub='''def name_fault(x, outputs, idle, p):
    """The fault as a string; x (N, D), outputs (K, N, D) in training, idle (N, D) in eval."""
    ...
''',
        note="None of these faults raises an error, and a net with most of them still trains.",
    ),
    Exercise(
        "13.averaging_pays",
        title="One pass or many?",
        prompt="one (N, C) holds the logits of one pass, crowd (K, N, C) those of K masks, y (N,) the classes. Return "
        "(o, s, pays): o is the mean confidence of one pass minus its accuracy, s the mean confidence of one pass minus "
        "that of the arithmetic mean of the K nets' probabilities, and pays is |o - s| < |o|.",
        kind="core",
        minutes=12,
        inputs=_validation_sets,
        solution=averaging_pays,
        wrong=(
            Wrong(
                _mean_logits,
                "You average the logits. That is the geometric mean, the one that one pass stands for. Softmax first, "
                "then the mean over masks.",
            ),
            Wrong(
                _members,
                "This is the mean confidence of the single nets. Average their probabilities first, then take the "
                "largest.",
            ),
            Wrong(
                _any_overconfidence, "Overconfidence alone does not decide: averaging may take away too much."
            ),
            Wrong(
                _whole_softening,
                "o > s asks that averaging leaves some overconfidence. It may overshoot a little and still end nearer to "
                "zero.",
            ),
            Wrong(_half_only, "o > s / 2 is right where s is positive. Averaging can make a net surer, too."),
            Wrong(_signs_turned, "o is confidence minus accuracy: above zero for a net that is too sure."),
            Wrong(_softening_turned, "s is what averaging takes away: one pass minus the average."),
            Wrong(
                _of_true_class,
                "Confidence is the largest probability, whichever class has it, not that of the true class.",
            ),
        ),
        hints=(
            "Confidence: softmax over the last axis, then the largest. Accuracy: how often its class is y.",
            "For the average: softmax of each of the K, mean over the first axis, then the largest of each image.",
            "o - s is the overconfidence of the average, if both answer equally well. Compare the sizes.",
        ),
        stub='''def averaging_pays(one, crowd, y):
    """(o, s, pays): two floats and a bool; logits one (N, C) and crowd (K, N, C), classes y (N,)."""
    ...
''',
        note="The loss need not turn at the same place: in the lesson it did so near half of s or below.",
    ),
    Exercise(
        "13.explained_by_dropout",
        title="Which gaps does dropout explain?",
        prompt="Return the names, in the order given, of the reports in which there is dropout (p > 0), the printed "
        "training loss is above the validation loss, and the training images' loss in eval mode (train_eval) is not.",
        kind="core",
        minutes=6,
        inputs=_reports,
        solution=explained_by_dropout,
        wrong=(
            Wrong(
                _any_gap,
                "Some of these gaps are there in eval mode as well, without any mask: dropout does not explain them.",
            ),
            Wrong(_without_p, "At p = 0 there are no masks. Something else lifts the printed loss."),
            Wrong(
                _mode_gap,
                "You compare the two losses of the training images. The question is about the validation loss.",
            ),
            Wrong(
                _low_in_eval,
                "Where the printed loss is below the validation loss there is no gap to explain.",
            ),
            Wrong(
                _strictly_below,
                "A training loss in eval mode that equals the validation loss is not above it.",
            ),
            Wrong(_touching, "A printed loss that equals the validation loss is not above it."),
            Wrong(_numbers, "These are places in the list; the names are asked for."),
        ),
        hints=(
            "Three conditions for each report; all of them must hold.",
            "printed > validation, train_eval <= validation, p > 0.",
            'A list comprehension: [r["name"] for r in reports if ...].',
        ),
        stub='''def explained_by_dropout(reports):
    """A list of names; a report is a dict with name, p, printed, train_eval, validation."""
    ...
''',
        note="What is left: wrong labels in the training part, an easier validation set, a loss averaged over an epoch.",
    ),
    Exercise(
        "13.dropout_least_squares",
        title="Dropout in a linear regression",
        prompt="Return the weights, a tensor (d,), that minimise the *expected* squared error of a linear regression "
        "without bias, with inverted dropout of probability p on its inputs. The columns of x are not standardised.",
        kind="extra",
        minutes=20,
        inputs=_regression_inputs,
        solution=dropout_least_squares,
        wrong=(
            Wrong(
                _plain_ridge,
                "The noise of a column is as large as the column: the penalty on w_j is not λ, it grows with sum_i x_ij².",
            ),
            Wrong(
                _scaled_ridge,
                "This is right for columns whose mean square is 1. Here each column has a size of its own.",
            ),
            Wrong(
                _ordinary,
                "This is least squares without dropout. Its expected error under dropout is larger.",
            ),
            Wrong(_ridge_p, "The variance of keep / (1 - p) is p / (1 - p), not p."),
            Wrong(
                _ridge_original,
                "These are the weights of the original convention, without the scale: 1 / (1 - p) times too large.",
            ),
            Wrong(
                _diagonal_only,
                "You dropped the correlations between columns: the mean term keeps all of x'x.",
            ),
            Wrong(
                _whole_gram,
                "You add all of x'x. Masks of two columns are independent, so noise adds to the diagonal alone.",
            ),
        ),
        hints=(
            "Expected square = square of the mean + variance; the variance of a prediction is Var[z] of the lesson.",
            "Sum it over examples: p / (1 - p) * sum_j w_j² * sum_i x_ij². Set the gradient in w to zero.",
            "Solve (x'x + p / (1 - p) * diag(x'x)) w = x'y.",
        ),
        stub='''def dropout_least_squares(x, y, p):
    """argmin over w of E sum_i (y_i - w · dropout(x_i))², a tensor (d,), for x (n, d) and y (n,)."""
    ...
''',
        note="A column in other units gets a penalty in other units: dropout does not see the unit, and ridge does.",
    ),
)

QUIZZES = (
    Quiz(
        "13.eval_pass",
        "A net has dropout before its last layer, on 64 units, so there are 2⁶⁴ thinned nets. After training, one pass "
        "with all units stands for them. Which average of their predicted probabilities is it?",
        (
            (
                "The arithmetic mean",
                "It would be if probabilities were linear in the units. The softmax is not: averaging before it and "
                "after it differ.",
                False,
            ),
            (
                "The geometric mean, made to add up to 1 again, and exactly so",
                "The logits are linear in the mask, so the eval pass has the mean logits; and a mean of logits is a "
                "geometric mean of probabilities.",
                True,
            ),
            (
                "No average of them: it is one more net, only similar",
                "So it is in general. With one layer of dropout just before the last layer there is an identity.",
                False,
            ),
        ),
    ),
    Quiz(
        "13.printed_loss",
        "A net trains with p = 0.8 on clean labels. At the end the training loss that is printed is higher than the "
        "validation loss. You now measure the same training images in eval mode. Their loss is",
        (
            (
                "above the validation loss as well: the net underfits",
                "It would be if the net were the reason. But the printed loss is that of thinned nets.",
                False,
            ),
            (
                "below the validation loss, as usual",
                "The masks lifted the printed loss. In one and the same mode new images cost more than those learnt.",
                True,
            ),
            (
                "the same as the printed loss: they are the same images",
                "The same images, and not the same net: what is printed was measured with masks.",
                False,
            ),
        ),
    ),
    Quiz(
        "13.averaging_helps",
        "Instead of one pass you average the probabilities of many masks (Monte-Carlo dropout). Does that lower the "
        "validation loss?",
        (
            (
                "Always: an average of models is better than one model",
                "The average beats the thinned nets' mean loss, always. One pass is not one of the thinned nets.",
                False,
            ),
            (
                "Where one pass is overconfident",
                "The right direction, but averaging can take away more than there is too much, and then it hurts.",
                False,
            ),
            (
                "Where one pass is overconfident by enough: by a good part of what averaging takes away",
                "Averaging softens. It helps where the net ends nearer to calibrated than it began; you will see it "
                "turn near half of what is taken, or below.",
                True,
            ),
            (
                "Never by a measurable amount: both stand for the same crowd",
                "They are two different means of it, and you will see differences in both directions.",
                False,
            ),
        ),
    ),
)
