"""Exercises of lesson 03: what is in the noise?"""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

# --- 1 · the batches of several epochs ---------------------------------------------------------------


def epoch_batches(n: int, batch_size: int, epochs: int, generator: torch.Generator) -> list[Tensor]:
    batches = []
    for _ in range(epochs):
        order = torch.randperm(n, generator=generator)
        batches += [order[i : i + batch_size] for i in range(0, n, batch_size)]
    return batches


def _short_batch_lost(n: int, batch_size: int, epochs: int, generator: torch.Generator) -> list[Tensor]:
    batches = []
    for _ in range(epochs):
        order = torch.randperm(n, generator=generator)
        batches += [order[i : i + batch_size] for i in range(0, n - batch_size + 1, batch_size)]
    return batches


def _last_batch_lost(n: int, batch_size: int, epochs: int, generator: torch.Generator) -> list[Tensor]:
    batches = []
    for _ in range(epochs):
        order = torch.randperm(n, generator=generator)
        batches += [order[i : i + batch_size] for i in range(0, n - batch_size, batch_size)]
    return batches


def _one_shuffle(n: int, batch_size: int, epochs: int, generator: torch.Generator) -> list[Tensor]:
    order = torch.randperm(n, generator=generator)
    return [order[i : i + batch_size] for _ in range(epochs) for i in range(0, n, batch_size)]


def _no_shuffle(n: int, batch_size: int, epochs: int, generator: torch.Generator) -> list[Tensor]:
    order = torch.arange(n)
    return [order[i : i + batch_size] for _ in range(epochs) for i in range(0, n, batch_size)]


def _with_replacement(n: int, batch_size: int, epochs: int, generator: torch.Generator) -> list[Tensor]:
    starts = [i for _ in range(epochs) for i in range(0, n, batch_size)]
    return [torch.randint(n, (min(batch_size, n - i),), generator=generator) for i in starts]


def _shuffle_for_each_batch(n: int, batch_size: int, epochs: int, generator: torch.Generator) -> list[Tensor]:
    batches = []
    for _ in range(epochs):
        for i in range(0, n, batch_size):
            batches.append(torch.randperm(n, generator=generator)[i : i + batch_size])
    return batches


def _filled_up(n: int, batch_size: int, epochs: int, generator: torch.Generator) -> list[Tensor]:
    batches = []
    for _ in range(epochs):
        order = torch.randperm(n, generator=generator)
        order = torch.cat([order, order[: -n % batch_size]])
        batches += list(order.split(batch_size))
    return batches


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _epochs() -> Inputs:
    return ((10, 4, 2, _seeded(0)), (6, 3, 2, _seeded(1)), (5, 1, 1, _seeded(2)), (7, 5, 3, _seeded(3)))


# --- 2 · the gradient of one batch -------------------------------------------------------------------


def batch_gradient(x: Tensor, y: Tensor, p: Tensor, index: Tensor) -> Tensor:
    error = x[index] @ p - y[index]
    return x[index].T @ error / len(index)


def _summed(x: Tensor, y: Tensor, p: Tensor, index: Tensor) -> Tensor:
    return x[index].T @ (x[index] @ p - y[index])


def _over_all(x: Tensor, y: Tensor, p: Tensor, index: Tensor) -> Tensor:
    return x[index].T @ (x[index] @ p - y[index]) / len(x)


def _full(x: Tensor, y: Tensor, p: Tensor, index: Tensor) -> Tensor:
    return x.T @ (x @ p - y) / len(x)


def _ascent(x: Tensor, y: Tensor, p: Tensor, index: Tensor) -> Tensor:
    return x[index].T @ (y[index] - x[index] @ p) / len(index)


def _doubled(x: Tensor, y: Tensor, p: Tensor, index: Tensor) -> Tensor:
    return 2 * x[index].T @ (x[index] @ p - y[index]) / len(index)


def _over_columns(x: Tensor, y: Tensor, p: Tensor, index: Tensor) -> Tensor:
    return x[index].T @ (x[index] @ p - y[index]) / x[index].numel()


def _patients() -> Inputs:
    generator = _seeded(4)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    indices = (torch.tensor([0, 3, 4]), torch.tensor([5]), torch.tensor([1, 2, 6, 7]))
    return tuple((draw(8, 3), draw(8), draw(3), index) for index in indices)


# --- 3 · the loss of an epoch ------------------------------------------------------------------------


def epoch_loss(means: list[float], sizes: list[int]) -> float:
    return sum(mean * size for mean, size in zip(means, sizes, strict=True)) / sum(sizes)


def _mean_of_means(means: list[float], sizes: list[int]) -> float:
    return sum(means) / len(means)


def _last_left_out(means: list[float], sizes: list[int]) -> float:
    return epoch_loss(means[:-1], sizes[:-1])


def _as_if_all_full(means: list[float], sizes: list[int]) -> float:
    return sum(mean * size for mean, size in zip(means, sizes, strict=True)) / (len(sizes) * max(sizes))


def _sums_over_batches(means: list[float], sizes: list[int]) -> float:
    return sum(mean * size for mean, size in zip(means, sizes, strict=True)) / len(sizes)


def _means_over_examples(means: list[float], sizes: list[int]) -> float:
    return sum(means) / sum(sizes)


# --- 4 · the variance of a batch's gradient -----------------------------------------------------------


def batch_variance(grads: Tensor, batch_size: int) -> Tensor:
    n = len(grads)
    sigma2 = (grads - grads.mean(0)).square().sum(1).mean()
    return sigma2 / batch_size * (n - batch_size) / (n - 1)


def _independent(grads: Tensor, batch_size: int) -> Tensor:
    return (grads - grads.mean(0)).square().sum(1).mean() / batch_size


def _corrected_twice(grads: Tensor, batch_size: int) -> Tensor:
    n = len(grads)
    return grads.var(0).sum() / batch_size * (n - batch_size) / (n - 1)


def _correction_over_n(grads: Tensor, batch_size: int) -> Tensor:
    n = len(grads)
    return (grads - grads.mean(0)).square().sum(1).mean() / batch_size * (n - batch_size) / n


def _per_coordinate(grads: Tensor, batch_size: int) -> Tensor:
    n = len(grads)
    return (grads - grads.mean(0)).square().mean() / batch_size * (n - batch_size) / (n - 1)


def _not_centred(grads: Tensor, batch_size: int) -> Tensor:
    n = len(grads)
    return grads.square().sum(1).mean() / batch_size * (n - batch_size) / (n - 1)


def _deviation(grads: Tensor, batch_size: int) -> Tensor:
    return batch_variance(grads, batch_size).sqrt()


def _gradients() -> Inputs:
    generator = _seeded(6)
    sizes = ((6, 3, 2), (10, 2, 5), (8, 4, 8), (5, 1, 1))
    return tuple((1 + torch.randn(n, d, generator=generator, dtype=torch.float64), b) for n, d, b in sizes)


# --- 5 · the floor of the loss -----------------------------------------------------------------------


def loss_floor(lr: float, curvature: float, sigma2: float, batch_size: int) -> float:
    return lr * sigma2 / (2 * batch_size * (2 - lr * curvature))


def _variance_of_p(lr: float, curvature: float, sigma2: float, batch_size: int) -> float:
    return lr * sigma2 / (batch_size * curvature * (2 - lr * curvature))


def _small_steps(lr: float, curvature: float, sigma2: float, batch_size: int) -> float:
    return lr * sigma2 / (4 * batch_size)


def _half_missing(lr: float, curvature: float, sigma2: float, batch_size: int) -> float:
    return lr * sigma2 / (batch_size * (2 - lr * curvature))


def _batch_squared(lr: float, curvature: float, sigma2: float, batch_size: int) -> float:
    return lr * sigma2 / (2 * batch_size**2 * (2 - lr * curvature))


def _batch_forgotten(lr: float, curvature: float, sigma2: float, batch_size: int) -> float:
    return lr * sigma2 / (2 * (2 - lr * curvature))


def _never_pulled_back(lr: float, curvature: float, sigma2: float, batch_size: int) -> float:
    return curvature * lr**2 * sigma2 / (2 * batch_size)


# --- 6 · towards research: the noise scale without single gradients ----------------------------------


def noise_scale(small: float, b_small: int, big: float, b_big: int) -> float:
    sigma2 = (small - big) / (1 / b_small - 1 / b_big)
    square = (b_big * big - b_small * small) / (b_big - b_small)
    return sigma2 / square


def _big_is_exact(small: float, b_small: int, big: float, b_big: int) -> float:
    return (small - big) / (1 / b_small - 1 / b_big) / big


def _difference_only(small: float, b_small: int, big: float, b_big: int) -> float:
    return b_small * (small - big) / big


def _upside_down(small: float, b_small: int, big: float, b_big: int) -> float:
    return 1 / noise_scale(small, b_small, big, b_big)


def _ratio(small: float, b_small: int, big: float, b_big: int) -> float:
    return small / big


def _square_weights(small: float, b_small: int, big: float, b_big: int) -> float:
    square = (b_big * big + b_small * small) / (b_big + b_small)
    return (small - big) / (1 / b_small - 1 / b_big) / square


def _of_roots(small: float, b_small: int, big: float, b_big: int) -> float:
    return noise_scale(small**0.5, b_small, big**0.5, b_big)


EXERCISES = (
    Exercise(
        "03.epoch_batches",
        title="The batches of several epochs",
        prompt="Return the index tensors of all batches of all epochs, in order. Every epoch draws its own order with "
        "torch.randperm(n, generator=generator) and cuts it; its last batch may be short.",
        kind="core",
        minutes=7,
        inputs=_epochs,
        solution=epoch_batches,
        wrong=(
            Wrong(
                _short_batch_lost,
                "Where n is no multiple of the batch size, the examples of the last, short batch are never seen. "
                "Slicing past the end is harmless: let the range run to n.",
            ),
            Wrong(
                _last_batch_lost,
                "The last batch of each epoch is missing, even a full one: the range ends a batch early.",
            ),
            Wrong(
                _one_shuffle,
                "Every epoch reuses the first shuffle, so the same examples always meet, in the same order. Draw the "
                "order inside the loop over epochs.",
            ),
            Wrong(_no_shuffle, "The order of the data set, epoch after epoch: nothing is shuffled."),
            Wrong(
                _with_replacement,
                "This draws with replacement: in an epoch some examples come twice and about a third not at all.",
            ),
            Wrong(
                _shuffle_for_each_batch,
                "A new shuffle for each batch is no epoch: an example may come in two batches and another in none.",
            ),
            Wrong(
                _filled_up,
                "The short batch is filled up from the start of the order, so a few examples are seen twice.",
            ),
        ),
        hints=(
            "Two loops: over epochs, and over the start of each batch.",
            "order[i : i + batch_size] for i in range(0, n, batch_size); the last slice is short by itself.",
            "In each epoch: order = torch.randperm(n, generator=generator), then batches += [order[i : i + batch_size] "
            "for i in range(0, n, batch_size)].",
        ),
        stub='''def epoch_batches(n, batch_size, epochs, generator):
    """A list of int64 index tensors: the batches of all epochs, one after the other."""
    ...
''',
        note="This is what DataLoader(shuffle=True) does; with drop_last=True the short batch is left out on purpose.",
    ),
    Exercise(
        "03.batch_gradient",
        title="The gradient of one batch",
        prompt="Return the gradient at p of the batch's mean loss, where an example's loss is half the squared error "
        "of x p against y. index holds the rows of the batch.",
        kind="core",
        minutes=5,
        inputs=_patients,
        solution=batch_gradient,
        wrong=(
            Wrong(
                _summed,
                "A sum over the batch, not its mean: with a batch twice as large your step would be twice as long.",
            ),
            Wrong(
                _over_all,
                "Divided by all N examples instead of the b of this batch: the estimate is too small by b/N.",
            ),
            Wrong(
                _full, "This is the full gradient: take the rows of index first, or a batch saves nothing."
            ),
            Wrong(_ascent, "The sign is turned: the error is the prediction minus the target."),
            Wrong(_doubled, "Twice the gradient: the loss is *half* the squared error."),
            Wrong(
                _over_columns,
                "The mean runs over examples and columns; the loss is a mean over examples only.",
            ),
        ),
        hints=(
            "Take the rows of the batch: x[index], y[index]. Everything else happens on them.",
            "One example's gradient is (x_i p - y_i) x_i. Average these over the batch.",
            "x[index].T @ (x[index] @ p - y[index]) / len(index).",
        ),
        stub='''def batch_gradient(x, y, p, index):
    """Gradient (d,) of the batch's mean of (x_i @ p - y_i)**2 / 2; x is (N, d), y (N,), p (d,)."""
    ...
''',
        note="As a mean it estimates the full gradient at every batch size, so that one step size fits them all.",
    ),
    Exercise(
        "03.epoch_loss",
        title="The loss of an epoch",
        prompt="A loop has kept the mean loss and the size of each batch. Return the mean loss over all examples.",
        kind="core",
        minutes=4,
        inputs=(
            ([1.0, 2.0, 3.0], [32, 32, 1]),
            ([0.5, 0.25], [10, 5]),
            ([2.0, 4.0, 1.5], [8, 8, 8]),
            ([0.9, 0.1, 0.4, 7.0], [100, 100, 100, 3]),
        ),
        solution=epoch_loss,
        wrong=(
            Wrong(
                _mean_of_means,
                "The mean of the means: the short last batch counts as much as a full one. Weight each by its size.",
            ),
            Wrong(_last_left_out, "The last batch is left out, and its examples with it."),
            Wrong(
                _as_if_all_full,
                "The sum is right, but it is divided as if every batch were full: divide by the number of examples.",
            ),
            Wrong(_sums_over_batches, "The sum over examples must be divided by examples, not by batches."),
            Wrong(
                _means_over_examples,
                "You add means and divide by examples: turn each mean into a sum first, times its size.",
            ),
        ),
        hints=(
            "What would you get from all single losses? Their sum over their number.",
            "A batch's sum is its mean times its size.",
            "sum(mean * size for each batch) / sum(sizes).",
        ),
        stub='''def epoch_loss(means, sizes):
    """The mean over all examples, as a float, from each batch's mean and number of examples."""
    ...
''',
        note="`fit` and `evaluate` of the package weight this way; torch's losses average over one batch only.",
    ),
    Exercise(
        "03.batch_variance",
        title="The variance of a batch's gradient",
        prompt="Row i of grads is the gradient of example i. Return the mean squared distance of a batch's gradient from "
        "the full one, where the batch is drawn without replacement.",
        kind="core",
        minutes=10,
        inputs=_gradients,
        solution=batch_variance,
        wrong=(
            Wrong(
                _independent,
                "σ²/b holds for draws with replacement. Without it a batch of all N has no variance: look at b = N.",
            ),
            Wrong(
                _corrected_twice,
                "Your σ² has the divisor N − 1 already (torch.var does that), and (N − b)/(N − 1) expects N: the "
                "correction enters twice.",
            ),
            Wrong(
                _correction_over_n,
                "The factor is (N − b)/(N − 1), so that a batch of one has the whole variance σ².",
            ),
            Wrong(
                _per_coordinate,
                "You average over coordinates; the squared distance is their sum.",
            ),
            Wrong(
                _not_centred,
                "The rows are not centred: the noise is what is left of g_i after the mean gradient is taken away.",
            ),
            Wrong(_deviation, "This is the standard deviation, the root of what is asked."),
        ),
        hints=(
            "First σ²: the mean over rows of the squared length of (row − mean row).",
            "Then divide by b, and correct for a finite population: 1 at b = 1, 0 at b = N.",
            "sigma2 / b * (n - b) / (n - 1), with sigma2 = (grads - grads.mean(0)).square().sum(1).mean().",
        ),
        stub='''def batch_variance(grads, batch_size):
    """E|g_batch - g|² as a 0-d tensor; grads is (N, P), one row per example."""
    ...
''',
        note="Without the last factor it is the textbook's σ²/b, which is close as long as b is a small part of N.",
    ),
    Exercise(
        "03.loss_floor",
        title="The floor of the loss",
        prompt="SGD with constant lr on f(p) = ½ λ p², where one example's gradient has the variance sigma2 and the batches "
        "are independent. Return the mean loss at rest.",
        kind="core",
        minutes=10,
        inputs=((0.1, 1.0, 1.0, 1), (0.5, 2.0, 3.0, 8), (1.5, 0.7, 0.2, 32), (0.01, 50.0, 4.0, 2)),
        solution=loss_floor,
        wrong=(
            Wrong(
                _variance_of_p,
                "This is the variance of p. The loss is ½ λ times it.",
            ),
            Wrong(
                _small_steps,
                "This is the limit of small steps, linear in lr. At lr λ = 1 the floor is already twice as high.",
            ),
            Wrong(_half_missing, "Twice too much: f has a ½."),
            Wrong(_batch_squared, "The variance of a mean of b falls as 1/b; you have divided by b twice."),
            Wrong(
                _batch_forgotten, "This is the floor for single examples: the batch's mean has sigma2 / b."
            ),
            Wrong(
                _never_pulled_back,
                "This is the loss that one step's noise adds. At rest the noise of all earlier steps is there too, each "
                "shrunk by (1 − lr λ) per step since.",
            ),
        ),
        hints=(
            "p ← (1 − lr λ) p − lr ξ with Var ξ = sigma2 / b. Take variances of both sides.",
            "At rest V = (1 − lr λ)² V + lr² sigma2 / b. Solve for V.",
            "V = lr sigma2 / (b λ (2 − lr λ)), and the loss is ½ λ V.",
        ),
        stub='''def loss_floor(lr, curvature, sigma2, batch_size):
    """The mean of ½ λ p² at rest, as a float."""
    ...
''',
        note="For small lr it is lr sigma2 / 4b: halving lr and doubling b do the same to the floor.",
    ),
    Exercise(
        "03.noise_scale",
        title="The noise scale without single gradients",
        prompt="Single gradients are costly to get, but the squared norm of a batch's gradient is there at every step. "
        "Its mean is |g|² + σ²/b (batches drawn with replacement). From its means `small` at b_small and `big` at b_big, "
        "return σ² / |g|².",
        kind="extra",
        minutes=20,
        inputs=((3.0, 1, 1.5, 4), (0.8, 32, 0.5, 512), (10.0, 8, 4.0, 64), (1.2, 2, 1.0, 3)),
        solution=noise_scale,
        wrong=(
            Wrong(
                _big_is_exact,
                "You take the big batch's norm for |g|². It still holds σ² / b_big of noise, so your scale is too small.",
            ),
            Wrong(
                _difference_only,
                "This takes the big batch for the full gradient, in σ² as in |g|². Solve both equations instead.",
            ),
            Wrong(_upside_down, "Upside down: noise over signal is asked."),
            Wrong(_ratio, "The ratio of the norms mixes signal and noise in both: separate them first."),
            Wrong(
                _square_weights,
                "|g|² is not an average of the two norms; both are too large. Eliminate σ²: the weights are b_big and "
                "−b_small.",
            ),
            Wrong(_of_roots, "You took roots: noise and signal add in the *squared* norms."),
        ),
        hints=(
            "Two equations, small = G + S / b_small and big = G + S / b_big, and two unknowns.",
            "Subtract them for S. Multiply each by its b and subtract for G.",
            "S = (small - big) / (1 / b_small - 1 / b_big); G = (b_big * big - b_small * small) / (b_big - b_small).",
        ),
        stub='''def noise_scale(small, b_small, big, b_big):
    """σ² / |g|², as a float, from mean squared norms of batch gradients at two batch sizes."""
    ...
''',
        note="In data-parallel training both norms are free: each worker's gradient, and the average of all. Average S "
        "and G over steps before you divide (McCandlish et al., 2018, appendix A).",
    ),
)

QUIZZES = (
    Quiz(
        "03.batch_of_400",
        "A step on 400 examples costs as much as 100 steps on 4. How much smaller is the error of its gradient (its "
        "typical distance from the full gradient, N being much larger than 400)?",
        (
            (
                "100 times",
                "That is the variance. A distance is its root.",
                False,
            ),
            (
                "10 times",
                "The variance falls as 1/b, the distance as its root. A hundred times the work buys a tenth of the error.",
                True,
            ),
            (
                "It depends on the number of parameters",
                "More parameters mean more noise in all, but at both batch sizes alike: the ratio stays.",
                False,
            ),
        ),
    ),
    Quiz(
        "03.shuffled_or_drawn",
        "Near the minimum, with a small constant step size. A draws every batch afresh from all examples; B shuffles once "
        "per epoch and cuts, so that each example comes once. Which is closer to the minimum at the ends of epochs?",
        (
            (
                "Neither: both gradients are unbiased, with nearly the same variance",
                "Single gradients are alike. But B's gradients of one epoch know of each other: what one has overshot, the "
                "others make good.",
                False,
            ),
            ("A, because its gradients are independent", "Independent errors add up; B's cancel.", False),
            (
                "B, because over an epoch its errors sum to zero",
                "The N single errors sum to zero by definition of the mean, and B meets each of them exactly once.",
                True,
            ),
        ),
    ),
)
