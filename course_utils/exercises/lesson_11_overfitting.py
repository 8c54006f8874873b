"""Exercises of lesson 11: when does regularisation help at all?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong


def _randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _rand(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- 1 · scaling -----------------------------------------------------------------------------------

Parts = tuple[Tensor, Tensor]


def scale_parts(train: Tensor, validation: Tensor) -> Parts:
    mean, std = train.mean(0), train.std(0, correction=0)
    return (train - mean) / std, (validation - mean) / std


def _fitted_on_all(train: Tensor, validation: Tensor) -> Parts:
    both = torch.cat([train, validation])
    mean, std = both.mean(0), both.std(0, correction=0)
    return (train - mean) / std, (validation - mean) / std


def _each_by_itself(train: Tensor, validation: Tensor) -> Parts:
    return scale_parts(train, train)[0], scale_parts(validation, validation)[0]


def _training_only(train: Tensor, validation: Tensor) -> Parts:
    return scale_parts(train, validation)[0], validation.clone()


def _fitted_on_validation(train: Tensor, validation: Tensor) -> Parts:
    scaled_validation, scaled_train = scale_parts(validation, train)
    return scaled_train, scaled_validation


def _unbiased(train: Tensor, validation: Tensor) -> Parts:
    mean, std = train.mean(0), train.std(0)
    return (train - mean) / std, (validation - mean) / std


def _one_for_all_columns(train: Tensor, validation: Tensor) -> Parts:
    mean, std = train.mean(), train.std(correction=0)
    return (train - mean) / std, (validation - mean) / std


def _by_variance(train: Tensor, validation: Tensor) -> Parts:
    mean, variance = train.mean(0), train.var(0, correction=0)
    return (train - mean) / variance, (validation - mean) / variance


def _row_by_row(train: Tensor, validation: Tensor) -> Parts:
    return scale_parts(train.T, train.T)[0].T, scale_parts(validation.T, validation.T)[0].T


def _scaling_inputs() -> Inputs:
    scale = torch.tensor([1.0, 5.0, 0.2], dtype=torch.float64)
    return tuple(
        (_randn(k, n, 3) * scale + 2, _randn(k + 9, m, 3) * scale + 3) for k, n, m in ((0, 8, 4), (1, 5, 6))
    )


# --- 2 · choose and report -------------------------------------------------------------------------


def reported(validation: Tensor, test: Tensor) -> float:
    return test[validation.argmax()].item()


def _best_on_test(validation: Tensor, test: Tensor) -> float:
    return test.max().item()


def _validation_score(validation: Tensor, test: Tensor) -> float:
    return validation.max().item()


def _chosen_on_test(validation: Tensor, test: Tensor) -> float:
    return validation[test.argmax()].item()


def _worst(validation: Tensor, test: Tensor) -> float:
    return test[validation.argmin()].item()


def _average_net(validation: Tensor, test: Tensor) -> float:
    return test.mean().item()


def _both_sets(validation: Tensor, test: Tensor) -> float:
    return ((validation + test) / 2).max().item()


def _report_inputs() -> Inputs:
    return tuple(
        (0.7 + 0.2 * _rand(k, n), 0.7 + 0.2 * _rand(k + 20, n)) for k, n in ((0, 5), (1, 8), (2, 20))
    )


# --- 3 · wrong labels in the validation set --------------------------------------------------------


def clean_accuracy(measured: float, share: float, classes: int) -> float:
    lucky = share / (classes - 1)
    return (measured - lucky) / (1 - share - lucky)


def _as_measured(measured: float, share: float, classes: int) -> float:
    return measured


def _no_lucky_hits(measured: float, share: float, classes: int) -> float:
    return measured / (1 - share)


def _add_share(measured: float, share: float, classes: int) -> float:
    return measured + share


def _any_class(measured: float, share: float, classes: int) -> float:
    return (measured - share / classes) / (1 - share)


def _forward(measured: float, share: float, classes: int) -> float:
    return measured * (1 - share) + (1 - measured) * share / (classes - 1)


def _all_mistakes_lucky(measured: float, share: float, classes: int) -> float:
    return (measured - share) / (1 - 2 * share)


_ACCURACIES: Inputs = ((0.76, 0.2, 10), (0.7, 0.1, 3), (0.5, 0.4, 5))


# --- 4 · effective weights -------------------------------------------------------------------------


def effective_weights(x: Tensor, l2: float) -> float:
    squares: Tensor = torch.linalg.svdvals(x) ** 2
    return (squares / (squares + len(x) * l2)).sum().item()


def _count_columns(x: Tensor, l2: float) -> float:
    return float(x.shape[1])


def _sum_not_mean(x: Tensor, l2: float) -> float:
    squares: Tensor = torch.linalg.svdvals(x) ** 2
    return (squares / (squares + l2)).sum().item()


def _without_square(x: Tensor, l2: float) -> float:
    s: Tensor = torch.linalg.svdvals(x)
    return (s / (s + len(x) * l2)).sum().item()


def _squared_norm(x: Tensor, l2: float) -> float:
    squares: Tensor = torch.linalg.svdvals(x) ** 2
    return (squares / (squares + len(x) * l2)).square().sum().item()


def _with_half(x: Tensor, l2: float) -> float:
    squares: Tensor = torch.linalg.svdvals(x) ** 2
    return (squares / (squares + len(x) * l2 / 2)).sum().item()


def _left_over(x: Tensor, l2: float) -> float:
    return len(x) - effective_weights(x, l2)


def _orthonormal(x: Tensor, l2: float) -> float:
    return x.shape[1] / (1 + l2)


def _weights_inputs() -> Inputs:
    scale = torch.tensor([3.0, 1.0, 0.3, 0.1], dtype=torch.float64)
    return tuple(
        (_randn(k + 30, n, 4) * scale, l2) for k, (n, l2) in enumerate(((9, 0.1), (20, 0.01), (7, 2.0)))
    )


# --- 5 · the shortest fit --------------------------------------------------------------------------


def shortest_fit(x: Tensor, y: Tensor) -> Tensor:
    solved: Tensor = x.T @ torch.linalg.solve(x @ x.T, y)
    return solved


def _first_columns(x: Tensor, y: Tensor) -> Tensor:
    p, n = x.new_zeros(x.shape[1]), len(x)
    p[:n] = torch.linalg.solve(x[:, :n], y)
    return p


def _ridge_instead(x: Tensor, y: Tensor) -> Tensor:
    d = x.shape[1]
    solved: Tensor = torch.linalg.solve(x.T @ x + 1e-2 * torch.eye(d, dtype=x.dtype), x.T @ y)
    return solved


def _correlations(x: Tensor, y: Tensor) -> Tensor:
    return x.T @ y / len(x)


def _orthogonal_rows(x: Tensor, y: Tensor) -> Tensor:
    return x.T @ (y / x.square().sum(1))


def _fit_plus_null(x: Tensor, y: Tensor) -> Tensor:
    start = x.new_ones(x.shape[1])
    return start + shortest_fit(x, y - x @ start)


def _divided_twice(x: Tensor, y: Tensor) -> Tensor:
    gram = x @ x.T
    solved: Tensor = x.T @ torch.linalg.solve(gram, torch.linalg.solve(gram, y))
    return solved


def _fit_inputs() -> Inputs:
    return tuple(
        (_randn(k + 40, n, d), _randn(k + 50, n)) for k, (n, d) in enumerate(((3, 6), (4, 20), (1, 3)))
    )


# --- 6 · the risk around the peak ------------------------------------------------------------------


def peak_risk(n: int, p: int, squares: Tensor, noise: float) -> float:
    inside, outside = squares[:p].sum().item(), squares[p:].sum().item() + noise
    if p <= n - 2:
        return outside * (1 + p / (n - p - 1))
    if p >= n + 2:
        return inside * (1 - n / p) + outside * (1 + n / (p - n - 1))
    return math.inf


def _left_out_forgotten(n: int, p: int, squares: Tensor, noise: float) -> float:
    return peak_risk(n, p, squares[:p], noise)


def _excess_only(n: int, p: int, squares: Tensor, noise: float) -> float:
    return peak_risk(n, p, squares, noise) - noise


def _no_minus_one(n: int, p: int, squares: Tensor, noise: float) -> float:
    inside, outside = squares[:p].sum().item(), squares[p:].sum().item() + noise
    if abs(n - p) <= 1:
        return math.inf
    return outside * (1 + p / (n - p)) if p < n else inside * (1 - n / p) + outside * (1 + n / (p - n))


def _no_bias_beyond(n: int, p: int, squares: Tensor, noise: float) -> float:
    outside = squares[p:].sum().item() + noise
    return outside * (1 + n / (p - n - 1)) if p >= n + 2 else peak_risk(n, p, squares, noise)


def _p_for_n(n: int, p: int, squares: Tensor, noise: float) -> float:
    inside, outside = squares[:p].sum().item(), squares[p:].sum().item() + noise
    return (
        inside * (1 - n / p) + outside * (1 + p / (p - n - 1))
        if p >= n + 2
        else peak_risk(n, p, squares, noise)
    )


def _never_down(n: int, p: int, squares: Tensor, noise: float) -> float:
    return peak_risk(n, p, squares, noise) if p <= n - 2 else math.inf


def _same_inputs(n: int, p: int, squares: Tensor, noise: float) -> float:
    outside = squares[p:].sum().item() + noise
    return outside * (1 + p / n) if p <= n - 2 else peak_risk(n, p, squares, noise)


def _risk_inputs() -> Inputs:
    squares = _rand(60, 40)
    return ((20, 5, squares, 0.5), (20, 18, squares, 0.5), (20, 20, squares, 0.5), (20, 22, squares, 1.0), (20, 35, squares, 0.1))  # fmt: skip


EXERCISES = (
    Exercise(
        "11.scale_parts",
        title="Scaling",
        prompt="Standardise both parts column by column, as they should be: statistics from the training part alone, the "
        "standard deviation with divisor n.",
        kind="core",
        minutes=5,
        inputs=_scaling_inputs,
        solution=scale_parts,
        wrong=(
            Wrong(
                _fitted_on_all,
                "Your mean and deviation have seen the validation part. Whatever is fitted is fitted on the training part.",
            ),
            Wrong(
                _each_by_itself,
                "Each part is scaled by itself, so the same raw input gets two values. The net learns on one scale and is "
                "judged on another.",
            ),
            Wrong(_training_only, "The validation part is still in raw units: it needs the same map."),
            Wrong(
                _fitted_on_validation,
                "The statistics come from the validation part, the one that must not be looked at.",
            ),
            Wrong(
                _unbiased,
                "This divides by n - 1. The exercise, like `data.split`, divides by n: correction=0.",
            ),
            Wrong(
                _one_for_all_columns,
                "One mean and one deviation serve all columns. Column by column is asked for: over dimension 0.",
            ),
            Wrong(_by_variance, "You divide by the variance. The root is missing."),
            Wrong(
                _row_by_row,
                "These are the statistics of rows, that is of single examples. Columns are asked for.",
            ),
        ),
        hints=(
            "Two numbers for each column. Who may be asked for them?",
            "train.mean(0) and train.std(0, correction=0), used for both parts.",
            "mean, std = train.mean(0), train.std(0, correction=0); return (train - mean) / std, (validation - mean) / std",
        ),
        stub='''def scale_parts(train, validation):
    """(train, validation), both standardised as they should be; inputs (n, d) and (m, d)."""
    ...
''',
        note="The scaled validation part does not have mean 0 and deviation 1. It should not.",
    ),
    Exercise(
        "11.reported",
        title="Choose and report",
        prompt="validation and test hold the accuracies of K nets. Choose the net to deliver, and return the number to report.",
        kind="core",
        minutes=5,
        inputs=_report_inputs,
        solution=reported,
        wrong=(
            Wrong(
                _best_on_test,
                "You chose by the test set. Its best score is as flattering as any best score: now nothing is left to judge by.",
            ),
            Wrong(
                _validation_score,
                "The right net, and the score that won it the choice. That score is partly luck: report another set's.",
            ),
            Wrong(_chosen_on_test, "The roles are exchanged: validation chooses, test reports."),
            Wrong(_worst, "This is the net that did worst on validation: argmax, not argmin."),
            Wrong(_average_net, "The mean of all nets is not the score of the one that you deliver."),
            Wrong(
                _both_sets,
                "You chose by both sets together, so the test set took part in the choice.",
            ),
        ),
        hints=(
            "Two steps: which net, and which number.",
            "The index comes from validation, the number from test.",
            "return test[validation.argmax()].item()",
        ),
        stub='''def reported(validation, test):
    """The accuracy to report, as a float; validation and test are tensors (K,)."""
    ...
''',
        note="The test score of the chosen net is fair because the test set had no part in the choice. Once.",
    ),
    Exercise(
        "11.clean_accuracy",
        title="What a score on wrong labels says",
        prompt="A share of the labels was moved to one of the other classes, each equally likely. The score on these labels is "
        "`measured`. Return the accuracy on right labels.",
        kind="core",
        minutes=6,
        inputs=_ACCURACIES,
        solution=clean_accuracy,
        wrong=(
            Wrong(_as_measured, "Wrong labels lower the score of a good net: it must be corrected upwards."),
            Wrong(
                _no_lucky_hits,
                "A wrong answer can meet a moved label by chance. The term (1 - a) q / (C - 1) is missing.",
            ),
            Wrong(_add_share, "Only right answers are lost to moved labels, not a share q of all answers."),
            Wrong(
                _any_class,
                "This is for labels drawn anew from all C classes. Here a moved label is never the right one.",
            ),
            Wrong(_forward, "This is the formula itself. Solve it for a."),
            Wrong(
                _all_mistakes_lucky,
                "This is right for two classes. With more, a wrong answer meets a moved label only one time in C - 1.",
            ),
        ),
        hints=(
            "measured = a (1 - q) + (1 - a) q / (C - 1) is linear in a.",
            "Collect a: measured - q / (C - 1) = a (1 - q - q / (C - 1)).",
            "lucky = share / (classes - 1); return (measured - lucky) / (1 - share - lucky)",
        ),
        stub='''def clean_accuracy(measured, share, classes):
    """The accuracy on right labels, from that measured on labels of which `share` were moved."""
    ...
''',
        note="The noise of the estimate is divided by the same number, so wrong labels cost validation examples too.",
    ),
    Exercise(
        "11.effective_weights",
        title="Effective weights",
        prompt="Ridge minimises mean (y - x p)² + l2 * sum p². Its fitted values are H y. Return tr H as a float.",
        kind="core",
        minutes=8,
        inputs=_weights_inputs,
        solution=effective_weights,
        wrong=(
            Wrong(
                _count_columns,
                "This counts the weights. The penalty holds some of them back, so fewer count.",
            ),
            Wrong(
                _sum_not_mean,
                "The penalty is added to the *mean* squared error. Against the sum it weighs n times as much.",
            ),
            Wrong(_without_square, "The eigenvalues of x^T x are the squares of the singular values."),
            Wrong(
                _squared_norm, "This is the sum of squared entries, tr H^T H. The trace of H is asked for."
            ),
            Wrong(
                _with_half,
                "A half belongs to another convention: here neither the loss nor the penalty has one.",
            ),
            Wrong(_left_over, "This is n - tr H, what is left for the noise."),
            Wrong(
                _orthonormal,
                "This holds for orthonormal inputs. In general each direction has its own factor.",
            ),
        ),
        hints=(
            "Setting the gradient to zero gives (x^T x + n l2 I) p = x^T y.",
            "In the singular directions of x, H multiplies by s² / (s² + n l2).",
            "s2 = torch.linalg.svdvals(x) ** 2; return (s2 / (s2 + len(x) * l2)).sum().item()",
        ),
        stub='''def effective_weights(x, l2):
    """tr H of ridge on inputs x (n, d), as a float."""
    ...
''',
        note="From d at l2 = 0 down to 0: a penalty sets capacity in fractions of a weight.",
    ),
    Exercise(
        "11.shortest_fit",
        title="The shortest of all fits",
        prompt="x has more columns than independent rows. Return the p of least norm with x @ p = y.",
        kind="core",
        minutes=8,
        inputs=_fit_inputs,
        solution=shortest_fit,
        wrong=(
            Wrong(
                _first_columns,
                "It fits, using only the first n columns. Spread over all of them the weights are shorter.",
            ),
            Wrong(
                _ridge_instead,
                "A ridge with a small penalty comes near, and does not fit the labels exactly.",
            ),
            Wrong(_correlations, "x^T y is a step in the right direction from zero. It does not fit yet."),
            Wrong(
                _orthogonal_rows,
                "Row by row this would fit if the rows were orthogonal. They are not: x x^T must be inverted.",
            ),
            Wrong(
                _fit_plus_null,
                "It fits, and it is where gradient descent from a start of ones ends. The start left a part that x does not see.",
            ),
            Wrong(_divided_twice, "x x^T is inverted once too often."),
        ),
        hints=(
            "The shortest fit is a combination of rows: p = x^T c.",
            "x p = y then says x x^T c = y, an n × n system.",
            "return x.T @ torch.linalg.solve(x @ x.T, y)",
        ),
        stub='''def shortest_fit(x, y):
    """The shortest p with x @ p = y, for x (n, d) with n < d and y (n,)."""
    ...
''',
        note="Whatever p fits, its part outside the span of the rows changes no prediction on them and adds length.",
    ),
    Exercise(
        "11.peak_risk",
        title="The peak under a magnifying glass",
        prompt="Inputs are independent standard normal numbers, the true weights have the squares `squares`, the noise has the "
        "variance `noise`. Least squares (the shortest where p > n) uses the first p inputs. Return its mean squared error on a "
        "new example, infinity where there is no mean.",
        kind="extra",
        minutes=20,
        inputs=_risk_inputs,
        solution=peak_risk,
        wrong=(
            Wrong(
                _left_out_forgotten,
                "The inputs that are left out still move the target. To the fit that is noise: add their squares to it.",
            ),
            Wrong(_excess_only, "The new example has noise too: its variance belongs to the error."),
            Wrong(
                _no_minus_one,
                "The mean of the inverse of x^T x is I / (n - p - 1) for normal inputs, not I / (n - p).",
            ),
            Wrong(
                _no_bias_beyond,
                "Beyond n only a share n / p of the true weights is seen: the rest of them is lost, s (1 - n / p).",
            ),
            Wrong(_p_for_n, "Beyond n the noise enters through n directions, not p: n / (p - n - 1)."),
            Wrong(
                _never_down,
                "Beyond n you return infinity. The shortest solution has a finite error from n + 2 on.",
            ),
            Wrong(
                _same_inputs,
                "1 + p / n is the error on fresh labels at the *same* inputs. The example is new.",
            ),
        ),
        hints=(
            "Split the squares at p: what is used, and what acts as noise.",
            "Below n - 1: r (1 + p / (n - p - 1)). Beyond n + 1: s (1 - n / p) + r (1 + n / (p - n - 1)).",
            "r = squares[p:].sum() + noise, s = squares[:p].sum(), and math.inf for n - 1 <= p <= n + 1.",
        ),
        stub='''def peak_risk(n, p, squares, noise):
    """Risk with n examples and the first p inputs; squares (D,) are the squared true weights, noise is σ²."""
    ...
''',
        note="At p = n ± 1 the mean is infinite although every single fit is finite: rare data sets are terrible.",
    ),
)

QUIZZES = (
    Quiz(
        "11.all_right",
        "A net has ten times as many weights as there are training images, and fits all of them, 100%. Validation accuracy is "
        "96%. All labels are right. Does dropout help?",
        (
            (
                "Yes: 100% against 96% is overfitting",
                "There is a gap, but closing it from above does not help. What matters is whether fitting the training set did "
                "any harm.",
                False,
            ),
            (
                "Hardly: there is no noise to keep out",
                "Less than a point either way, below. With wrong labels among the same images it is another story.",
                True,
            ),
            (
                "No, it does harm: it takes capacity away",
                "It takes some away, and enough is left at one half. The difference is too small to see.",
                False,
            ),
        ),
    ),
    Quiz(
        "11.beyond_the_peak",
        "Least squares on n examples with random features. With n features the training error reaches zero. You take ten times "
        "as many, without any penalty. The error on new examples",
        (
            (
                "rises further: more weights, more overfitting",
                "So it goes up to n features. Beyond there are many solutions, and the fit is the shortest of them.",
                False,
            ),
            (
                "stays: more than fitting everything is not possible",
                "On the training set nothing changes. Between the examples everything does.",
                False,
            ),
            (
                "falls",
                "The peak is at n. Among more and more solutions, the shortest gets shorter.",
                True,
            ),
        ),
    ),
    Quiz(
        "11.best_of_sixty_four",
        "You train 64 nets, choose the one with the best accuracy on 100 validation images, and report that accuracy. All 64 are "
        "equally good in truth. What are you reporting?",
        (
            (
                "The truth, on average: a validation score is unbiased",
                "For a net that was fixed beforehand. The largest of 64 fair estimates is not a fair estimate.",
                False,
            ),
            (
                "Too much, by luck alone",
                "The largest of 64 noisy numbers is about 2.4 standard deviations above their mean.",
                True,
            ),
            (
                "Too little: 100 images are few",
                "Few images mean a noisy score, not a low one. And a choice among noisy scores picks the high ones.",
                False,
            ),
        ),
    ),
)
