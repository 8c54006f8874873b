"""Exercises of lesson 01: what does each loss assume, and what does it do with an outlier?"""

from __future__ import annotations

import math

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


# --- 2 · the gradient of smoothed cross-entropy -----------------------------------------------------


def smoothed_gradient(z: Tensor, y: Tensor, eps: float) -> Tensor:
    classes = z.shape[1]
    target = (1 - eps) * F.one_hot(y, classes).to(z.dtype) + eps / classes
    return (torch.softmax(z, 1) - target) / len(y)


def _of_the_sum(z: Tensor, y: Tensor, eps: float) -> Tensor:
    return smoothed_gradient(z, y, eps) * len(y)


def _turned_round(z: Tensor, y: Tensor, eps: float) -> Tensor:
    return -smoothed_gradient(z, y, eps)


def _not_smoothed(z: Tensor, y: Tensor, eps: float) -> Tensor:
    return smoothed_gradient(z, y, 0.0)


def _over_the_others(z: Tensor, y: Tensor, eps: float) -> Tensor:
    classes = z.shape[1]
    hot = F.one_hot(y, classes).to(z.dtype)
    target = (1 - eps) * hot + eps / (classes - 1) * (1 - hot)
    return (torch.softmax(z, 1) - target) / len(y)


def _only_the_right_class(z: Tensor, y: Tensor, eps: float) -> Tensor:
    return smoothed_gradient(z, y, eps) * F.one_hot(y, z.shape[1])


def _divided_by_all(z: Tensor, y: Tensor, eps: float) -> Tensor:
    return smoothed_gradient(z, y, eps) / z.shape[1]


def _rows_of_more_than_one(z: Tensor, y: Tensor, eps: float) -> Tensor:
    target = F.one_hot(y, z.shape[1]).to(z.dtype) + eps / z.shape[1]
    return (torch.softmax(z, 1) - target) / len(y)


def _labelled_rows() -> Inputs:
    return (
        (_draws(4, 3, seed=3, scale=2), torch.tensor([0, 2, 1, 1]), 0.1),
        (_draws(3, 5, seed=4, scale=2), torch.tensor([4, 0, 2]), 0.3),
        (torch.tensor([[900.0, -300.0]], dtype=torch.float64), torch.tensor([1]), 0.25),
        (_draws(2, 3, seed=8).float(), torch.tensor([2, 2]), 0.0),
        (_draws(2, 4, seed=9), torch.tensor([3, 0]), 1.0),
    )


# --- 3 · which loss --------------------------------------------------------------------------------


def name_loss(d: Tensor, pull: Tensor) -> str:
    if torch.allclose(pull, d):
        return "mse"
    if torch.allclose(pull, d.sign()):
        return "l1"
    largest = float(pull.abs().max())
    return "huber" if torch.allclose(pull, d.clamp(-largest, largest)) else "cauchy"


def _flat_end_is_l1(d: Tensor, pull: Tensor) -> str:
    return "l1" if torch.isclose(pull[-1], pull[-2]) else name_loss(d, pull)


def _linear_start_is_mse(d: Tensor, pull: Tensor) -> str:
    small = d.abs().argmin()
    return "mse" if torch.isclose(pull[small], d[small]) else name_loss(d, pull)


def _never_cauchy(d: Tensor, pull: Tensor) -> str:
    name = name_loss(d, pull)
    return "huber" if name == "cauchy" else name


def _largest_at_an_end_is_huber(d: Tensor, pull: Tensor) -> str:
    name, size = name_loss(d, pull), pull.abs()
    return "huber" if name == "cauchy" and bool(size.max() == size[[0, -1]].max()) else name


def _unit_pull_is_huber(d: Tensor, pull: Tensor) -> str:
    return "huber" if pull.abs().max() == 1 else name_loss(d, pull)


def _equal_pulls_are_huber(d: Tensor, pull: Tensor) -> str:
    name = name_loss(d, pull)
    different = len({round(size, 9) for size in pull.abs().tolist()})
    return "huber" if name == "cauchy" and different < len(d) else name


def _pulls() -> Inputs:
    wide = torch.tensor([-40.0, -9.0, -1.5, -0.3, 0.2, 0.75, 3.0, 50.0], dtype=torch.float64)
    near = torch.tensor([-8.0, -0.01, 0.02, 0.5, 6.0], dtype=torch.float64)
    uneven = torch.tensor([-0.5, 0.25, 1.0, 2.0, 4.0, 90.0], dtype=torch.float64)
    # a Cauchy pull may be largest at an end: nothing in between lies near c
    sparse = torch.tensor([-8.0, -0.01, 0.02, 0.03, 6.0], dtype=torch.float64)
    # Cauchy pulls at d and -d, and at d and c²/d, are of one size
    mirrored = torch.tensor([-4.0, -1.0, -0.25, 0.25, 1.0, 4.0], dtype=torch.float64)
    # and near zero they are 2d/c², which is d itself where c² = 2
    close = torch.tensor([-1.5, -0.2, -0.001, 0.001, 0.3], dtype=torch.float64)

    def cauchy(d: Tensor, c: float) -> Tensor:
        return 2 * d / (c**2 + d**2)

    return (
        (wide, wide.clone()),
        (near, near.clone()),
        (wide, wide.sign()),
        (uneven, uneven.sign()),
        (wide, wide.clamp(-1, 1)),
        (near, near.clamp(-0.25, 0.25)),
        (uneven, uneven.clamp(-3, 3)),
        (-uneven.flip(0), (-uneven.flip(0)).clamp(-3, 3)),
        (wide, cauchy(wide, 1.0)),
        (near, cauchy(near, 0.5)),
        (uneven, cauchy(uneven, 3.0)),
        (-uneven.flip(0), cauchy(-uneven.flip(0), 3.0)),
        (sparse, cauchy(sparse, 0.5)),
        (sparse, sparse.clamp(-0.5, 0.5)),
        (mirrored, cauchy(mirrored, 1.0)),
        (close, cauchy(close, math.sqrt(2))),
    )


# --- 4 · repair ------------------------------------------------------------------------------------


def safe_mse(prediction: Tensor, target: Tensor) -> Tensor:
    return ((prediction.reshape(-1) - target.reshape(-1)) ** 2).mean()


def _broadcast(prediction: Tensor, target: Tensor) -> Tensor:
    return ((prediction - target) ** 2).mean()


def _equal_shapes_only(prediction: Tensor, target: Tensor) -> Tensor:
    if prediction.shape != target.shape:
        raise ValueError("equal shapes")
    return safe_mse(prediction, target)


def _summed(prediction: Tensor, target: Tensor) -> Tensor:
    return safe_mse(prediction, target) * len(target)


def _rooted(prediction: Tensor, target: Tensor) -> Tensor:
    return safe_mse(prediction, target).sqrt()


def _against_the_mean(prediction: Tensor, target: Tensor) -> Tensor:
    return ((prediction.reshape(-1) - target.mean()) ** 2).mean()


def _predictions_and_targets() -> Inputs:
    column, row = _draws(4, 1, seed=10), _draws(4, seed=11)
    return (
        (column, row),
        (row, column),
        (row, row.flip(0)),
        (column, column.flip(0)),
        (_draws(1, 1, seed=12), _draws(1, seed=13)),
        (100 * _draws(7, 1, seed=14), _draws(7, seed=15).float()),
    )


# --- 5 · the temperature ---------------------------------------------------------------------------


def temperature(z: Tensor, y: Tensor) -> float:
    right = z.gather(1, y[:, None])[:, 0]
    # of 1/T: the slope of the mean loss rises with it
    low, high = 1 / 20, 1 / 0.05
    for _ in range(60):
        middle = math.sqrt(low * high)
        p = torch.softmax(middle * z, 1)
        slope = ((p * z).sum(1) - right).mean()
        low, high = (middle, high) if slope < 0 else (low, middle)
    return 1 / middle


def _inverse(z: Tensor, y: Tensor) -> float:
    return 1 / temperature(z, y)


def _of_the_answers(z: Tensor, y: Tensor) -> float:
    return temperature(z, z.argmax(1))


def _matches_confidence(z: Tensor, y: Tensor) -> float:
    accuracy = (z.argmax(1) == y).double().mean()
    low, high = 0.05, 20.0
    for _ in range(60):
        middle = math.sqrt(low * high)
        sure = torch.softmax(z / middle, 1).amax(1).mean()
        low, high = (middle, high) if sure > accuracy else (low, middle)
    return middle


def _one(z: Tensor, y: Tensor) -> float:
    return 1.0


def _coarse_grid(z: Tensor, y: Tensor) -> float:
    grid = torch.arange(1, 41) / 2
    return float(grid[torch.stack([F.cross_entropy(z / t, y) for t in grid]).argmin()])


def _held_out() -> Inputs:
    inputs = []
    for rows, classes, scale, seed in (
        (200, 3, 1.0, 21),
        (120, 5, 6.0, 22),
        (150, 2, 0.2, 23),
        (80, 10, 2.0, 24),
        (100, 4, 15.0, 25),
        (300, 3, 0.07, 26),
    ):
        generator = torch.Generator().manual_seed(seed)
        z = 2 * torch.randn(rows, classes, generator=generator, dtype=torch.float64)
        y = torch.softmax(z, 1).multinomial(1, generator=generator)[:, 0]
        inputs.append((scale * z, y))
    return tuple(inputs)


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
        (torch.tensor([-3.0], dtype=torch.float64), 2.0),
        # odd: between two middle values a small delta leaves the minimum flat
        (-_draws(41, seed=25, scale=50).abs(), 0.1),
        (_draws(6, seed=26), 100.0),
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
            (torch.tensor([[-1e6, 0.5], [-0.5, 2e-9]], dtype=torch.float64), 0.5),
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
    """The smooth L1 loss of each error in d, a tensor of d's shape; beta is a float > 0."""
    ...
''',
        note="`torch.nn.functional.smooth_l1_loss` is this; `huber_loss(delta=beta)` is beta times it.",
    ),
    Exercise(
        "01.smoothed_gradient",
        title="The gradient of smoothed cross-entropy",
        prompt="Return the gradient, with respect to the logits z (N, C), of the mean cross-entropy with targets smoothed "
        "as PyTorch does it: (1 - eps) times the right class plus eps / C for each of the C classes. Without autograd, in "
        "z's dtype. y are class indices (N,), eps is in [0, 1]; a logit may be as large as 1,000.",
        kind="core",
        minutes=8,
        inputs=_labelled_rows,
        rtol=1e-5,
        atol=1e-7,
        solution=smoothed_gradient,
        wrong=(
            Wrong(_of_the_sum, "The 1/N of the mean is missing: this is the gradient of the sum."),
            Wrong(
                _turned_round, "The sign is turned round: a step along minus this would unlearn the labels."
            ),
            Wrong(_not_smoothed, "eps has no effect: this is the gradient with the plain targets."),
            Wrong(
                _over_the_others,
                "You spread eps over the C - 1 other classes. PyTorch spreads it over all C, the right one included.",
            ),
            Wrong(
                _only_the_right_class,
                "Only the right class has a gradient here. The others stand in the softmax's denominator, and each row "
                "sums to zero.",
            ),
            Wrong(_divided_by_all, "You divide by N * C. The mean runs over the N rows."),
            Wrong(
                _rows_of_more_than_one,
                "Your targets sum to 1 + eps: the right class must give up what is spread.",
            ),
        ),
        hints=(
            "For any target q that sums to one the gradient of a row is softmax minus q.",
            "q is a mixture: (1 - eps) times the one-hot target and eps times the even distribution.",
            "(torch.softmax(z, 1) - q) / len(y), with q = (1 - eps) * one_hot + eps / C in z's dtype.",
        ),
        stub='''def smoothed_gradient(z, y, eps):
    """d loss / d z, shape (N, C) and dtype of the logits z; y: class indices (N,); eps: a float in [0, 1]."""
    ...
''',
        note="Each row sums to zero, because adding a constant to a row's logits changes nothing.",
    ),
    Exercise(
        "01.name_loss",
        title="Which loss is it?",
        prompt='From the pulls at some errors d name the loss: "mse" (d²/2), "l1", "huber" (any delta > 0) or "cauchy" '
        "(log(1 + (d/c)²), any c > 0). d is in rising order, some of it nearer to zero than delta or c and some beyond.",
        kind="core",
        minutes=8,
        inputs=_pulls,
        solution=name_loss,
        wrong=(
            Wrong(
                _flat_end_is_l1,
                "Two equal pulls at the end are named l1 here. Huber's are equal there, too; look near zero as well.",
            ),
            Wrong(
                _linear_start_is_mse,
                "A pull that equals the error near zero is named mse here. Huber's does, too; look far out as well.",
            ),
            Wrong(_never_cauchy, "No answer is cauchy: which loss pulls *less* far out than nearer?"),
            Wrong(
                _unit_pull_is_huber,
                "A largest pull of 1 is named huber here. l1 pulls with 1 everywhere, and a Cauchy loss can.",
            ),
            Wrong(
                _largest_at_an_end_is_huber,
                "A pull that is largest at an end is named huber here. A Cauchy pull can be, too; Huber's pull is d "
                "clipped, so compare all of it with that.",
            ),
            Wrong(
                _equal_pulls_are_huber,
                "Two pulls of one size are named huber here. A Cauchy loss pulls alike at d and -d, too.",
            ),
        ),
        hints=(
            "Draw the four pulls: a line through zero, a step, a clipped line, a curve that comes back.",
            "mse: pull equals d everywhere. l1: all pulls are of one size. That leaves two.",
            "Huber's pull is d clipped to its own largest value, d.clamp(-m, m) with m = pull.abs().max(); Cauchy's is not.",
        ),
        stub='''def name_loss(d, pull):
    """The name, a string; d and pull: float64 tensors (n,), n >= 5, of both signs."""
    ...
''',
        note="The pull is the influence function of robust statistics, up to a factor: it says all that training sees.",
    ),
    Exercise(
        "01.safe_mse",
        title="Repair the loss",
        prompt="Return the mean squared error of N predictions and N targets, each of shape (N, 1) or (N,), every "
        "prediction with its own target.",
        kind="core",
        minutes=6,
        inputs=_predictions_and_targets,
        solution=safe_mse,
        wrong=(
            Wrong(
                _broadcast, "(N, 1) against (N,) broadcasts to (N, N): every prediction meets every target."
            ),
            Wrong(_equal_shapes_only, "(N, 1) against (N,) is to be repaired, not refused."),
            Wrong(_summed, "This is the sum over the examples; their mean is asked for."),
            Wrong(_rooted, "This is the root of the mean squared error."),
            Wrong(_against_the_mean, "Every prediction is compared with the mean of the targets here."),
        ),
        hints=(
            "What is the shape of prediction - target where one is (3, 1) and the other (3,)?",
            "Give both one shape first. reshape(-1) makes a list of numbers of any of the two.",
            "((prediction.reshape(-1) - target.reshape(-1)) ** 2).mean()",
        ),
        stub='''def safe_mse(prediction, target):
    """The mean squared error of N predictions and N targets, a 0-d tensor; each is (N, 1) or (N,)."""
    ...
''',
        note="`course_utils.losses` raises for any two shapes that differ: nothing broadcasts.",
    ),
    Exercise(
        "01.temperature",
        title="Choose the temperature",
        prompt="Return the T > 0 that makes the mean cross-entropy of the logits z / T least, as a float to four digits. "
        "It lies between 0.05 and 20.",
        kind="core",
        minutes=10,
        inputs=_held_out,
        rtol=1e-3,
        atol=0.0,
        solution=temperature,
        wrong=(
            Wrong(_inverse, "This is 1/T: the logits are divided by T."),
            Wrong(
                _of_the_answers,
                "You fit the net's own answers, not the labels: then the sharper the better, and T runs to its end.",
            ),
            Wrong(
                _matches_confidence,
                "You make mean confidence and accuracy equal. That is near, but the least cross-entropy is asked for.",
            ),
            Wrong(_one, "T = 1 leaves the logits as they are."),
            Wrong(_coarse_grid, "The grid is too coarse: four digits are asked for."),
        ),
        hints=(
            "With b = 1/T the mean loss is convex in b, so a halved interval finds where its slope is zero.",
            "Its slope in b is the mean over rows of sum_k p_k z_k - z_y, with p = softmax(b z).",
            "Start with b from 1/20 to 20; if the slope at the middle is negative, b is too small. Return 1 / b.",
        ),
        stub='''def temperature(z, y):
    """T as a float, to four digits; z: logits (N, C), float64; y: class indices (N,)."""
    ...
''',
        note="Guo, Pleiss, Sun and Weinberger (2017). No answer changes, only how sure it is.",
        seconds=20.0,
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
    """The c that minimises the sum of huber(c - y, delta) over the sample y (n,), as a float to nine digits."""
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
