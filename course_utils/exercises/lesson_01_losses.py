"""Exercises of lesson 01: what does each loss assume, and what does it do with an outlier?"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong


def _draws(*shape: int, seed: int, scale: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, generator=generator, dtype=torch.float64)


# --- 1 · smooth L1 ---------------------------------------------------------------------------------


def smooth_l1(d: Tensor, beta: float) -> Tensor:
    a = d.abs()
    return torch.where(a < beta, a**2 / (2 * beta), a - beta / 2)


def _no_half_beta(d: Tensor, beta: float) -> Tensor:
    a = d.abs()
    return torch.where(a < beta, a**2 / (2 * beta), a)


def _huber(d: Tensor, beta: float) -> Tensor:
    return beta * smooth_l1(d, beta)


def _square_not_halved(d: Tensor, beta: float) -> Tensor:
    a = d.abs()
    return torch.where(a < beta, a**2 / beta, a - beta / 2)


def _signed_test(d: Tensor, beta: float) -> Tensor:
    return torch.where(d < beta, d**2 / (2 * beta), d.abs() - beta / 2)


def _beta_forgotten(d: Tensor, beta: float) -> Tensor:
    return smooth_l1(d, 1.0)


def _pieces_swapped(d: Tensor, beta: float) -> Tensor:
    a = d.abs()
    return torch.where(a < beta, a - beta / 2, a**2 / (2 * beta))


# --- 2 · log-softmax -------------------------------------------------------------------------------


def log_softmax(z: Tensor) -> Tensor:
    z = z - z.amax(1, keepdim=True)
    return z - z.exp().sum(1, keepdim=True).log()


def _unshifted(z: Tensor) -> Tensor:
    return z - z.exp().sum(1, keepdim=True).log()


def _log_of_softmax(z: Tensor) -> Tensor:
    e = (z - z.amax(1, keepdim=True)).exp()
    return (e / e.sum(1, keepdim=True)).log()


def _over_the_batch(z: Tensor) -> Tensor:
    return torch.log_softmax(z, 0)


def _one_maximum_for_all(z: Tensor) -> Tensor:
    z = z - z.max()
    return z - z.exp().sum(1, keepdim=True).log()


def _no_log(z: Tensor) -> Tensor:
    return torch.softmax(z, 1)


def _shift_not_kept(z: Tensor) -> Tensor:
    return z - (z - z.amax(1, keepdim=True)).exp().sum(1, keepdim=True).log()


def _logit_rows() -> Inputs:
    far = torch.tensor([[0.0, 800.0], [-900.0, -901.0], [2.0, 1.0]], dtype=torch.float64)
    return ((_draws(2, 3, seed=1),), (far,), (_draws(3, 4, seed=2, scale=5),))


# --- 3 · cross-entropy -----------------------------------------------------------------------------


def cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    return -torch.log_softmax(z, 1)[torch.arange(len(y)), y].mean()


def _of_probabilities(z: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(torch.softmax(z, 1), y)


def _over_classes_too(z: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(z, y) / z.shape[1]


def _wrong_axis(z: Tensor, y: Tensor) -> Tensor:
    return -torch.log_softmax(z, 0)[torch.arange(len(y)), y].mean()


def _summed(z: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(z, y) * len(y)


def _sign_lost(z: Tensor, y: Tensor) -> Tensor:
    return -cross_entropy(z, y)


def _of_its_own_choice(z: Tensor, y: Tensor) -> Tensor:
    return -torch.log_softmax(z, 1).amax(1).mean()


def _minus_probability(z: Tensor, y: Tensor) -> Tensor:
    return -torch.softmax(z, 1)[torch.arange(len(y)), y].mean()


def _labelled_rows() -> Inputs:
    return (
        (_draws(4, 3, seed=3, scale=2), torch.tensor([0, 2, 1, 1])),
        (_draws(3, 5, seed=4, scale=2), torch.tensor([4, 0, 2])),
    )


# --- 4 · its gradient ------------------------------------------------------------------------------


def cross_entropy_gradient(z: Tensor, y: Tensor) -> Tensor:
    target = F.one_hot(y, z.shape[1]).to(z.dtype)
    return (torch.softmax(z, 1) - target) / len(y)


def _of_the_sum(z: Tensor, y: Tensor) -> Tensor:
    return cross_entropy_gradient(z, y) * len(y)


def _turned_round(z: Tensor, y: Tensor) -> Tensor:
    return -cross_entropy_gradient(z, y)


def _no_target(z: Tensor, y: Tensor) -> Tensor:
    return torch.softmax(z, 1) / len(y)


def _only_the_right_class(z: Tensor, y: Tensor) -> Tensor:
    return cross_entropy_gradient(z, y) * F.one_hot(y, z.shape[1])


def _sigmoid_factor(z: Tensor, y: Tensor) -> Tensor:
    p = torch.softmax(z, 1)
    return cross_entropy_gradient(z, y) * p * (1 - p)


def _divided_by_all(z: Tensor, y: Tensor) -> Tensor:
    return cross_entropy_gradient(z, y) / z.shape[1]


# --- 5 · label smoothing ---------------------------------------------------------------------------


def smooth_targets(y: Tensor, classes: int, eps: float) -> Tensor:
    return (1 - eps) * F.one_hot(y, classes).double() + eps / classes


def _spread_over_the_others(y: Tensor, classes: int, eps: float) -> Tensor:
    hot = F.one_hot(y, classes).double()
    return (1 - eps) * hot + eps / (classes - 1) * (1 - hot)


def _more_than_one(y: Tensor, classes: int, eps: float) -> Tensor:
    return F.one_hot(y, classes).double() + eps / classes


def _less_than_one(y: Tensor, classes: int, eps: float) -> Tensor:
    hot = F.one_hot(y, classes).double()
    return (1 - eps) * hot + eps / classes * (1 - hot)


def _not_divided(y: Tensor, classes: int, eps: float) -> Tensor:
    return (1 - eps) * F.one_hot(y, classes).double() + eps


def _swapped(y: Tensor, classes: int, eps: float) -> Tensor:
    return eps * F.one_hot(y, classes).double() + (1 - eps) / classes


# --- 6 · towards research: the best constant -------------------------------------------------------


def huber_constant(y: Tensor, delta: float) -> float:
    low, high = y.min(), y.max()
    for _ in range(80):
        c = (low + high) / 2
        if (c - y).clamp(-delta, delta).sum() > 0:
            high = c
        else:
            low = c
    return float((low + high) / 2)


def _mean(y: Tensor, delta: float) -> float:
    return float(y.mean())


def _median(y: Tensor, delta: float) -> float:
    return float(y.median())


def _halfway(y: Tensor, delta: float) -> float:
    return float(y.mean() + y.median()) / 2


def _outliers_dropped(y: Tensor, delta: float) -> float:
    return float(y[(y - y.median()).abs() < delta].mean())


def _clipped_once(y: Tensor, delta: float) -> float:
    return float(y.clamp(y.median() - delta, y.median() + delta).mean())


def _one_round(y: Tensor, delta: float) -> float:
    w = delta / (y - y.mean()).abs().clamp(min=delta)
    return float((w * y).sum() / w.sum())


def _samples() -> Inputs:
    return (
        (torch.tensor([0.0, 0.0, 2.0, 2.0, 6.0], dtype=torch.float64), 1.0),
        (_draws(9, seed=6).exp(), 0.5),
        (_draws(7, seed=7, scale=2), 1.5),
    )


EXERCISES = (
    Exercise(
        "01.smooth_l1",
        title="Smooth L1",
        prompt="Return the smooth L1 loss of each error: d²/(2 beta) where |d| < beta, and beyond it a straight "
        "line of slope 1 that begins where the square ends.",
        kind="core",
        minutes=5,
        inputs=(
            (torch.tensor([-3.0, -0.5, 0.0, 0.2, 2.5], dtype=torch.float64), 1.0),
            (torch.tensor([-3.0, -0.5, 0.0, 0.2, 2.5], dtype=torch.float64), 2.0),
            (torch.tensor([-1.0, 0.1, 0.3], dtype=torch.float64), 0.2),
        ),
        solution=smooth_l1,
        wrong=(
            Wrong(
                _no_half_beta,
                "The -beta/2 is missing: the loss jumps by beta/2 at |d| = beta. The gradient does not notice, a "
                "reported loss does.",
            ),
            Wrong(
                _huber,
                "This is Huber's loss, beta times as large: its slope beyond beta is beta. Smooth L1 has slope 1.",
            ),
            Wrong(
                _square_not_halved,
                "The square is not halved: at |d| = beta your pieces are beta and beta/2, and do not meet.",
            ),
            Wrong(
                _signed_test,
                "You compare d with beta, not |d|: every large negative error is still squared.",
            ),
            Wrong(_beta_forgotten, "beta has no effect: you have the loss for beta = 1."),
            Wrong(
                _pieces_swapped,
                "The pieces are swapped: small errors get the line, large ones the square.",
            ),
        ),
        hints=(
            "torch.where(condition, inside, outside) chooses between two tensors entry by entry.",
            "What must be taken off |d| so that both pieces give the same at |d| = beta?",
            "a = d.abs(); return torch.where(a < beta, a**2 / (2 * beta), a - beta / 2)",
        ),
        stub='''def smooth_l1(d, beta):
    """The smooth L1 loss of each error in d, a tensor of d's shape."""
    ...
''',
        note="`torch.nn.functional.smooth_l1_loss` is this; `huber_loss(delta=beta)` is beta times it.",
    ),
    Exercise(
        "01.log_softmax",
        title="A log-softmax that survives",
        prompt="Return the logarithm of the softmax of each row. Logits of 800 and -900 must give finite numbers.",
        kind="core",
        minutes=6,
        inputs=_logit_rows,
        solution=log_softmax,
        wrong=(
            Wrong(
                _unshifted,
                "exp(800) is infinite in float64, and exp(-900) is zero: take the row's maximum off first.",
            ),
            Wrong(
                _log_of_softmax,
                "The softmax of a logit far below the others is 0 in floating point, and its log -inf. Take the log "
                "on paper: log(a / b) = log a - log b, and log(exp(z)) is z.",
            ),
            Wrong(
                _over_the_batch, "The sum runs down the batch, not along the classes: dim=1 is the classes'."
            ),
            Wrong(
                _one_maximum_for_all,
                "One maximum is taken off all rows. A row far below it still becomes exp(-1000) = 0: each row needs "
                "its own.",
            ),
            Wrong(_no_log, "This is the softmax; its logarithm is asked for."),
            Wrong(
                _shift_not_kept,
                "The maximum comes off inside the exponential only. It must come off the z in front as well.",
            ),
        ),
        hints=(
            "Adding a constant to a row changes nothing. Which constant makes every exp at most 1?",
            "First z = z - z.amax(1, keepdim=True). Then do not take the log of a quotient: z itself is half of it.",
            "z - z.exp().sum(1, keepdim=True).log(), after the shift.",
        ),
        stub='''def log_softmax(z):
    """The log-softmax of each row of z, shape (N, C)."""
    ...
''',
        note="After the shift one term of the sum is exp(0) = 1, so the log is of a number between 1 and C.",
    ),
    Exercise(
        "01.cross_entropy",
        title="Cross-entropy from logits",
        prompt="Return the mean cross-entropy of the logits z, shape (N, C), with the class indices y, shape (N,). "
        "torch.log_softmax may be used.",
        kind="core",
        minutes=6,
        inputs=_labelled_rows,
        solution=cross_entropy,
        wrong=(
            Wrong(
                _of_probabilities,
                "Softmax acts twice here: on the logits, and inside log_softmax on the probabilities. The loss can "
                "then no longer come near zero.",
            ),
            Wrong(
                _over_classes_too,
                "You divide by N * C. The sum over classes has one term, the right class's: divide by N.",
            ),
            Wrong(
                _wrong_axis, "The softmax is over the batch (dim=0): each column sums to one, not each row."
            ),
            Wrong(_summed, "This is the sum over the batch. The mean does not depend on the batch's size."),
            Wrong(_sign_lost, "The sign is missing: a log-probability is negative, its loss positive."),
            Wrong(
                _of_its_own_choice,
                "You take the largest probability of each row, not the right class's: the labels have no effect.",
            ),
            Wrong(
                _minus_probability, "The log is missing: this is minus the probability of the right class."
            ),
        ),
        hints=(
            "The loss of one row is minus the log-probability of its right class.",
            "log_p[torch.arange(N), y] picks one entry of each row.",
            "-torch.log_softmax(z, 1)[torch.arange(len(y)), y].mean()",
        ),
        stub='''def cross_entropy(z, y):
    """The mean cross-entropy of logits z (N, C) with class indices y (N,), a scalar tensor."""
    ...
''',
        note="`F.cross_entropy(z, y)` is `F.nll_loss(F.log_softmax(z, 1), y)`: it wants logits.",
    ),
    Exercise(
        "01.cross_entropy_gradient",
        title="Softmax minus target",
        prompt="Return the gradient of the mean cross-entropy with respect to the logits, without autograd.",
        kind="core",
        minutes=8,
        inputs=_labelled_rows,
        solution=cross_entropy_gradient,
        wrong=(
            Wrong(_of_the_sum, "The 1/N of the mean is missing: this is the gradient of the sum."),
            Wrong(
                _turned_round, "The sign is turned round: a step along minus this would unlearn the labels."
            ),
            Wrong(_no_target, "The target is not taken off: the right class is pushed down like the others."),
            Wrong(
                _only_the_right_class,
                "Only the right class has a gradient here. The others stand in the softmax's denominator and must "
                "come down: each row of the gradient sums to zero.",
            ),
            Wrong(
                _sigmoid_factor,
                "There is no factor p(1 - p): in cross-entropy it cancels against the 1/p of the log. With it you "
                "have the gradient that vanishes.",
            ),
            Wrong(_divided_by_all, "You divide by N * C. The mean runs over the N rows."),
        ),
        hints=(
            "For one row the loss is -z_y + log sum_j exp(z_j). What is the derivative of the second part?",
            "It is the softmax. The first part gives -1 at the right class. And there is a mean over rows.",
            "(torch.softmax(z, 1) - one_hot) / len(y), with one_hot in z's dtype.",
        ),
        stub='''def cross_entropy_gradient(z, y):
    """d mean cross-entropy / d z, shape (N, C)."""
    ...
''',
        note="Each row sums to zero, because adding a constant to a row's logits changes nothing.",
    ),
    Exercise(
        "01.smooth_targets",
        title="Smoothed labels",
        prompt="Return the targets of label smoothing as PyTorch defines it: a share eps of each target is spread "
        "evenly over all classes. float64, one row per label.",
        kind="core",
        minutes=6,
        inputs=(
            (torch.tensor([0, 2, 1]), 3, 0.1),
            (torch.tensor([3, 3]), 5, 0.3),
            (torch.tensor([1]), 2, 0.0),
        ),
        solution=smooth_targets,
        wrong=(
            Wrong(
                _spread_over_the_others,
                "You spread eps over the C - 1 other classes. PyTorch, as the paper, spreads it over all C, the right "
                "one included.",
            ),
            Wrong(
                _more_than_one, "Your rows sum to 1 + eps: the right class must give up what the others get."
            ),
            Wrong(
                _less_than_one,
                "Your rows sum to less than one: the right class gets its even share eps / C as well.",
            ),
            Wrong(_not_divided, "Every class gets the whole of eps: divide it by the number of classes."),
            Wrong(_swapped, "eps and 1 - eps are swapped: with eps = 0 the targets should be one-hot."),
        ),
        hints=(
            "A mixture: (1 - eps) times one distribution plus eps times another. Which two?",
            "The one-hot target, and the even distribution 1 / C.",
            "(1 - eps) * F.one_hot(y, classes).double() + eps / classes",
        ),
        stub='''def smooth_targets(y, classes, eps):
    """Targets (N, classes) in float64 for the class indices y (N,)."""
    ...
''',
        note="`F.cross_entropy(z, y, label_smoothing=eps)` is cross-entropy with these targets.",
    ),
    Exercise(
        "01.huber_constant",
        title="The best constant under Huber's loss",
        prompt="Return the constant c that minimises the sum of Huber losses of c - y, as a float, to nine digits. "
        "There is no formula; the derivative is a sum of clipped errors and rises with c.",
        kind="extra",
        minutes=20,
        inputs=_samples,
        solution=huber_constant,
        wrong=(
            Wrong(
                _mean,
                "This is the mean: the best constant under MSE, or under Huber with a very large delta.",
            ),
            Wrong(
                _median,
                "This is the median: the best constant under L1, or under Huber with a very small delta.",
            ),
            Wrong(
                _halfway,
                "Half-way between mean and median is a guess. The minimiser depends on delta, and can lie outside "
                "the two.",
            ),
            Wrong(
                _outliers_dropped,
                "You leave the outliers out. Huber's loss keeps them: each pulls with delta.",
            ),
            Wrong(
                _clipped_once,
                "You clip the errors from the median and average. That is one step towards the answer: the errors "
                "must be clipped around c itself, and c moves.",
            ),
            Wrong(
                _one_round,
                "One round of reweighted least squares from the mean. The weights depend on c: repeat until it stays.",
            ),
        ),
        hints=(
            "At the minimum sum(clip(c - y, -delta, delta)) = 0. Below it the sum is negative, above it positive.",
            "The zero lies between min(y) and max(y). Halve the interval, and keep the half that holds it.",
            "80 halvings: c = (low + high) / 2; if (c - y).clamp(-delta, delta).sum() > 0: high = c, else low = c.",
        ),
        stub='''def huber_constant(y, delta):
    """The c that minimises the sum of huber(c - y, delta) over the sample y (n,), as a float."""
    ...
''',
        note="On the first sample mean and median are both 2, and the best constant is 1.5.",
    ),
)

QUIZZES = (
    Quiz(
        "01.ten_times_further",
        "One patient of a hundred is typed in wrongly, 10 standard deviations too high, and a line is fitted. Then the "
        "same patient is typed 100 too high. How much further does the typing error move each line?",
        (
            (
                "Ten times further, whatever the loss",
                "So it is for MSE, whose line is linear in the targets. The pull of L1 and Huber does not know how far "
                "away a point is.",
                False,
            ),
            (
                "MSE ten times further, L1 and Huber less than ten times but some",
                "Less is right, but it is none at all: beyond delta the pull stays as it is, to the last digit.",
                False,
            ),
            (
                "MSE ten times further, L1 and Huber not at all",
                "A point beyond delta pulls with a fixed force. Moving it further changes no equation.",
                True,
            ),
        ),
    ),
    Quiz(
        "01.log_softmax_twice",
        "A net ends in log_softmax and is trained with F.cross_entropy, which applies log_softmax itself. What happens?",
        (
            (
                "The gradients are wrong, and it learns badly",
                "That is what happens with softmax followed by cross-entropy. Here the exponentials already sum to one, "
                "so the second log_softmax subtracts log 1.",
                False,
            ),
            (
                "Nothing: loss and gradients are the same",
                "Applied twice, log_softmax is what it is applied once. It costs a little time.",
                True,
            ),
            (
                "The loss is the same but the gradients are smaller",
                "Two functions that agree everywhere have the same gradients.",
                False,
            ),
        ),
    ),
)
