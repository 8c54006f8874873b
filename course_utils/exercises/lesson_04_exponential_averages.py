"""Exercises of lesson 04: how long is the memory of an average?

The average is m <- beta m + (1 - beta) x from m_0 = 0 throughout; its reading is m_t / (1 - beta**t).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

# --- 1 · the average, corrected --------------------------------------------------------------------


def corrected_average(values: Tensor, beta: float) -> Tensor:
    m, readings = torch.zeros_like(values[0]), []
    for t, x in enumerate(values, start=1):
        m = beta * m + (1 - beta) * x
        readings.append(m / (1 - beta**t))
    return torch.stack(readings)


def _readings(values: Tensor, beta: float, *, power: int | None) -> Tensor:
    """Divided by 1 - beta**(t + power), or by nothing."""
    m, readings = torch.zeros_like(values[0]), []
    for t, x in enumerate(values, start=1):
        m = beta * m + (1 - beta) * x
        readings.append(m if power is None else m / (1 - beta ** (t + power)))
    return torch.stack(readings)


def _uncorrected(values: Tensor, beta: float) -> Tensor:
    return _readings(values, beta, power=None)


def _counted_from_zero(values: Tensor, beta: float) -> Tensor:
    return _readings(values, beta, power=-1)


def _counted_from_two(values: Tensor, beta: float) -> Tensor:
    return _readings(values, beta, power=1)


def _state_corrected(values: Tensor, beta: float) -> Tensor:
    m, readings = torch.zeros_like(values[0]), []
    for t, x in enumerate(values, start=1):
        m = (beta * m + (1 - beta) * x) / (1 - beta**t)
        readings.append(m)
    return torch.stack(readings)


def _swapped(values: Tensor, beta: float) -> Tensor:
    return corrected_average(values, 1 - beta)


def _swapped_in_the_rule(values: Tensor, beta: float) -> Tensor:
    m, readings = torch.zeros_like(values[0]), []
    for t, x in enumerate(values, start=1):
        m = (1 - beta) * m + beta * x
        readings.append(m / (1 - beta**t))
    return torch.stack(readings)


def _from_the_first_value(values: Tensor, beta: float) -> Tensor:
    m, readings = values[0], []
    for x in values:
        m = beta * m + (1 - beta) * x
        readings.append(m)
    return torch.stack(readings)


def _from_the_first_value_corrected(values: Tensor, beta: float) -> Tensor:
    m, readings = values[0], []
    for t, x in enumerate(values, start=1):
        m = beta * m + (1 - beta) * x
        readings.append(m / (1 - beta**t))
    return torch.stack(readings)


def _share_forgotten(values: Tensor, beta: float) -> Tensor:
    m, readings = torch.zeros_like(values[0]), []
    for t, x in enumerate(values, start=1):
        m = beta * m + x
        readings.append(m / (1 - beta**t))
    return torch.stack(readings)


def _one_power(values: Tensor, beta: float) -> Tensor:
    m, readings = torch.zeros_like(values[0]), []
    for x in values:
        m = beta * m + (1 - beta) * x
        readings.append(m / (1 - beta))
    return torch.stack(readings)


def _series() -> Inputs:
    generator = torch.Generator().manual_seed(4)
    return tuple(
        (15 + 3 * torch.randn(n, generator=generator, dtype=torch.float64), beta)
        for n, beta in ((6, 0.9), (4, 0.6), (30, 0.98))
    )


# --- 2 · half-life ---------------------------------------------------------------------------------


def half_life(beta: float) -> float:
    return math.log(0.5) / math.log(beta)


# --- 3 · a window in place of beta -----------------------------------------------------------------


def beta_for_window(n: int) -> float:
    return (n - 1) / (n + 1)


# --- 4 · how long until it is forgotten ------------------------------------------------------------


def steps_to_forget(beta: float, share: float) -> int:
    return math.ceil(math.log(1 - share) / math.log(beta))


# --- 5 · noise from the first step on --------------------------------------------------------------


def reading_variance(beta: float, t: int) -> float:
    return (1 - beta) * (1 + beta**t) / ((1 + beta) * (1 - beta**t))


def _of_the_state(beta: float, t: int) -> float:
    return (1 - beta) * (1 - beta ** (2 * t)) / (1 + beta)


def _from_first(beta: float, t: int) -> float:
    kept: float = beta ** (2 * (t - 1))
    return kept + (1 - beta) / (1 + beta) * (1 - kept)


def _corrected_once(beta: float, t: int) -> float:
    return _of_the_state(beta, t) / (1 - beta**t)


def _weights_not_squared(beta: float, t: int) -> float:
    """The factor (1 - beta) in front taken once, not squared."""
    return (1 - beta ** (2 * t)) / ((1 + beta) * (1 - beta**t) ** 2)


# --- 6 · towards research: noise that remembers ----------------------------------------------------


def correlated_variance(beta: float, phi: float) -> float:
    with_newest = (1 - beta) / (1 - beta * phi)  # Cov(m_t, x_t) at rest
    return ((1 - beta) ** 2 + 2 * beta * (1 - beta) * phi * with_newest) / (1 - beta**2)


def _cross_term_once(beta: float, phi: float) -> float:
    with_newest = (1 - beta) / (1 - beta * phi)
    return ((1 - beta) ** 2 + beta * (1 - beta) * phi * with_newest) / (1 - beta**2)


def _only_newest_pair(beta: float, phi: float) -> float:
    """As if m_{t-1} and x_t had the covariance phi * (1 - beta): older values are left out."""
    return ((1 - beta) ** 2 + 2 * beta * (1 - beta) * phi * (1 - beta)) / (1 - beta**2)


def _newest_with_itself(beta: float, phi: float) -> float:
    """Takes Cov(m_t, x_t) where Cov(m_{t-1}, x_t) belongs: a factor phi is missing."""
    with_newest = (1 - beta) / (1 - beta * phi)
    return ((1 - beta) ** 2 + 2 * beta * (1 - beta) * with_newest) / (1 - beta**2)


EXERCISES = (
    Exercise(
        "04.corrected_average",
        title="The average, corrected",
        prompt="Start at zero; return the corrected reading m_t / (1 - beta**t) after each value.",
        kind="core",
        minutes=6,
        inputs=_series,
        solution=corrected_average,
        wrong=(
            Wrong(
                _uncorrected,
                "This is the state, uncorrected: on day 1 it reads (1 - beta) times the first value, because it "
                "starts from zero.",
            ),
            Wrong(
                _counted_from_zero,
                "Your t is one too small: the first reading divides by 1 - beta**0 = 0. Count from 1.",
            ),
            Wrong(
                _counted_from_two,
                "Your t is one too large: after the first value the weights add up to 1 - beta, so that is the "
                "divisor on day 1.",
            ),
            Wrong(
                _state_corrected,
                "You correct the stored state, so the next step corrects it again. Keep m as it is, and divide "
                "only what you give out.",
            ),
            Wrong(
                _swapped,
                "beta and 1 - beta are swapped: beta is the share of the old average that is kept.",
            ),
            Wrong(
                _swapped_in_the_rule,
                "beta and 1 - beta are swapped in the rule, but not in the correction: the old average is "
                "multiplied by beta.",
            ),
            Wrong(
                _from_the_first_value,
                "This starts at the first value instead of at zero. It has no bias, but the first value's noise "
                "stays in it for a whole memory.",
            ),
            Wrong(
                _from_the_first_value_corrected,
                "Two cures at once: you start at the first value, where the weights add up to 1 already, and then "
                "correct for a start at zero.",
            ),
            Wrong(
                _share_forgotten,
                "The new value enters whole. This is PyTorch's momentum, a sum, and 1 / (1 - beta) times too large.",
            ),
            Wrong(
                _one_power,
                "You divide by 1 - beta at every step: right on day 1 only. The weights add up to 1 - beta**t.",
            ),
        ),
        hints=(
            "Two things change from step to step: the state m and the power of beta. Which of them do you give out?",
            "The state follows the rule alone. The reading is the state over 1 - beta**t, with t = 1 for the first value.",
            "for t, x in enumerate(values, start=1): m = beta * m + (1 - beta) * x, then append m / (1 - beta**t).",
        ),
        stub='''def corrected_average(values, beta):
    """The corrected exponential average after each of the values (T,), as a tensor (T,)."""
    ...
''',
        note="Adam does this twice, with the gradient and with its square (lesson 07).",
    ),
    Exercise(
        "04.half_life",
        title="Half-life",
        prompt="Return the number of steps, not rounded, after which a value has lost half of its weight.",
        kind="core",
        minutes=4,
        inputs=((0.5,), (0.9,), (0.98,), (0.999,)),
        solution=half_life,
        wrong=(
            Wrong(
                lambda beta: 1 / (1 - beta),
                "This is the time constant 1 / (1 - beta), after which about 37% is left, not half.",
            ),
            Wrong(
                lambda beta: math.log(2) / (1 - beta),
                "This approximation, 0.69 / (1 - beta), comes close for beta near 1. The exact one has a logarithm "
                "of beta.",
            ),
            Wrong(
                lambda beta: math.log(beta) / math.log(0.5),
                "Upside down: this is the number of halvings in one step.",
            ),
            Wrong(
                lambda beta: math.log(0.5) / math.log(1 - beta),
                "beta and 1 - beta are swapped: a weight is multiplied by beta at every step.",
            ),
            Wrong(
                lambda beta: beta / (1 - beta),
                "This is the mean age of the weight. The old tail pulls it above the half-life.",
            ),
            Wrong(
                lambda beta: math.log(0.5) / (2 * math.log(beta)),
                "After so many steps the weight's *square* has halved.",
            ),
        ),
        hints=(
            "After n steps a weight is beta**n times what it was.",
            "Set beta**n = 1/2 and take logarithms on both sides.",
            "n = math.log(0.5) / math.log(beta).",
        ),
        stub='''def half_life(beta):
    """The number of steps in which a weight falls to half, as a float."""
    ...
''',
        note="It is also the number of steps that hold half of the weight, because the kernel's tail is the kernel, "
        "scaled.",
    ),
    Exercise(
        "04.beta_for_window",
        title="A window in place of β",
        prompt="Return the beta whose average is as late and as noisy as the plain mean of the last n values.",
        kind="core",
        minutes=6,
        inputs=((1,), (3,), (10,), (19,), (99,)),
        solution=beta_for_window,
        wrong=(
            Wrong(
                lambda n: 1 - 1 / n,
                "This sets the time constant 1 / (1 - beta) to n. The average is then about twice as late as the "
                "plain mean.",
            ),
            Wrong(
                lambda n: 0.5 ** (1 / n),
                "This sets the half-life to n. Its tail makes the average later still than a time constant of n.",
            ),
            Wrong(
                lambda n: 2 / (n + 1),
                "This is alpha = 1 - beta, what pandas derives from span=n. The question is for beta.",
            ),
            Wrong(
                lambda n: n / (n + 1),
                "This sets the mean age to n. The plain mean of n values has the mean age (n - 1) / 2: the newest "
                "value has age 0.",
            ),
            Wrong(
                lambda n: n / (n + 2),
                "Your plain mean has the mean age n / 2: the ages go from 0 to n - 1, not from 1 to n.",
            ),
            Wrong(
                lambda n: math.sqrt((n - 1) / (n + 1)),
                "This is the root: the sum of the squared weights has beta**2 in it, but its ratio is "
                "(1 - beta) / (1 + beta), without a square.",
            ),
        ),
        hints=(
            "Write down the mean age of both: of the kernel, and of n values with equal weights.",
            "beta / (1 - beta) = (n - 1) / 2. Or by the noise: (1 - beta) / (1 + beta) = 1 / n.",
            "Solve for beta: (n - 1) / (n + 1).",
        ),
        stub='''def beta_for_window(n):
    """The beta whose average has the lag and the noise of a plain mean of n values."""
    ...
''',
        note="Lag and noise give the same beta: that is not so for most other kernels.",
    ),
    Exercise(
        "04.steps_to_forget",
        title="How long until it is forgotten",
        prompt="Return the smallest whole n for which at least the given share of a value's weight has gone after n "
        "steps, 1 - beta**n >= share.",
        kind="core",
        minutes=8,
        inputs=((0.999, 0.99), (0.9, 0.5), (0.98, 0.9), (0.5, 0.75), (0.95, 0.3), (0.99, 0.632)),
        solution=steps_to_forget,
        wrong=(
            Wrong(
                lambda beta, share: math.floor(math.log(1 - share) / math.log(beta)),
                "Rounded down: one step too few, unless the number is whole.",
            ),
            Wrong(
                lambda beta, share: math.floor(math.log(1 - share) / math.log(beta)) + 1,
                "Rounded down and one added: one step too many where the number is whole already.",
            ),
            Wrong(
                lambda beta, share: round(math.log(1 - share) / math.log(beta)),
                "Rounded to the nearest: where that is down, not enough is gone yet.",
            ),
            Wrong(
                lambda beta, share: math.ceil(math.log(share) / math.log(beta)),
                "After your n the share is what is *left*. beta**n is left, 1 - beta**n has gone.",
            ),
            Wrong(
                lambda beta, share: math.ceil(1 / (1 - beta)),
                "This is the time constant: about 63% has gone then, whatever was asked.",
            ),
            Wrong(
                lambda beta, share: math.ceil(share / (1 - beta)),
                "This takes the first step's loss for every step. A fading weight loses less and less.",
            ),
            Wrong(
                lambda beta, share: math.ceil(-math.log(1 - share) / (1 - beta)),
                "You replaced -ln(beta) by 1 - beta. It is a little larger than that, and for a long wait it shows.",
            ),
        ),
        hints=(
            "What is left after n steps? Write the condition with it.",
            "beta**n <= 1 - share. Take logarithms, and mind that the logarithm of beta is negative.",
            "math.ceil(math.log(1 - share) / math.log(beta)).",
        ),
        stub='''def steps_to_forget(beta, share):
    """The smallest n with 1 - beta**n >= share, as an int."""
    ...
''',
        note="With beta = 0.999, 99% takes more than 4,600 steps: one bad gradient shrinks Adam's steps for that long.",
    ),
    Exercise(
        "04.reading_variance",
        title="Noise from the first step on",
        prompt="The values are independent with variance 1. Return the variance of the corrected reading at step t.",
        kind="core",
        minutes=10,
        inputs=((0.9, 1), (0.9, 5), (0.98, 20), (0.5, 3), (0.98, 400), (0.0, 2)),
        solution=reading_variance,
        wrong=(
            Wrong(
                lambda beta, t: (1 - beta) / (1 + beta),
                "This is the limit for large t. On day 1 the reading is the first value, with variance 1.",
            ),
            Wrong(
                _of_the_state,
                "This is the variance of m, before the correction. Dividing a number by c divides its variance by c².",
            ),
            Wrong(
                _corrected_once,
                "The correction enters the variance squared: divide by (1 - beta**t)**2.",
            ),
            Wrong(
                lambda beta, t: 1 / t,
                "This is the plain mean's. The average comes close while t is small against its memory, then it "
                "forgets.",
            ),
            Wrong(
                _from_first,
                "This is the start at the first value, whose noise stays. Here the start is zero, corrected.",
            ),
            Wrong(
                lambda beta, t: math.sqrt(reading_variance(beta, t)),
                "This is the standard deviation: its square is asked for.",
            ),
            Wrong(
                _weights_not_squared,
                "Each weight is (1 - beta) beta**k over 1 - beta**t, and all of it is squared: so is the (1 - beta).",
            ),
        ),
        hints=(
            "The variance of a weighted sum of independent values is the sum of the squared weights.",
            "Squared weights of m: (1 - beta)² times 1 + beta² + beta⁴ + ..., t terms. Then divide by the square of "
            "the correction.",
            "(1 - beta)² (1 - beta**(2t)) / (1 - beta²) / (1 - beta**t)²; shorten it if you like.",
        ),
        stub='''def reading_variance(beta, t):
    """The variance of the corrected average of t independent values of variance 1, as a float."""
    ...
''',
        note="Shortened: (1 - beta)(1 + beta**t) / ((1 + beta)(1 - beta**t)).",
    ),
    Exercise(
        "04.correlated_variance",
        title="Noise that remembers",
        prompt="The values have variance 1 and covariance phi**k when k steps apart. Return the variance of the "
        "average once t is large.",
        kind="extra",
        minutes=25,
        inputs=((0.9, 0.8), (0.98, 0.5), (0.5, -0.6), (0.7, 0.0), (0.0, 0.9)),
        solution=correlated_variance,
        wrong=(
            Wrong(
                lambda beta, phi: (1 - beta) / (1 + beta),
                "This is for independent values, phi = 0. Positive correlation leaves more, negative less.",
            ),
            Wrong(
                lambda beta, phi: (1 - beta) * (1 + phi) / ((1 + beta) * (1 - phi)),
                "This is the limit of a memory much longer than the noise's, by the rule of the effective sample "
                "size. At beta = 0 it is not even 1.",
            ),
            Wrong(
                _cross_term_once,
                "The cross term is there once, and counts twice: Var(a + b) = Var a + Var b + 2 Cov(a, b).",
            ),
            Wrong(
                _only_newest_pair,
                "You let only the newest two values be correlated. The covariance of m with the newest value sums "
                "over all ages: (1 - beta) / (1 - beta phi).",
            ),
            Wrong(
                _newest_with_itself,
                "The cross term is of m_{t-1} with x_t, one step apart: the covariance of m with the newest value "
                "times phi.",
            ),
        ),
        hints=(
            "Take variances on both sides of the rule, with V = Var m_t = Var m_{t-1}. Which covariance do you need?",
            "D = Cov(m_t, x_t) obeys D = beta phi D + (1 - beta), because x_t passes on a share phi of itself.",
            "V = beta² V + (1 - beta)² + 2 beta (1 - beta) phi D, with D = (1 - beta) / (1 - beta phi).",
        ),
        stub='''def correlated_variance(beta, phi):
    """The variance at rest of the average of a series with covariance phi**k, as a float."""
    ...
''',
        note="Solved: (1 - beta)(1 + beta phi) / ((1 + beta)(1 - beta phi)). Gradients along a slow path are correlated, "
        "too.",
    ),
)

QUIZZES = (
    Quiz(
        "04.older_than_memory",
        "An average with β = 0.98 is said to remember 1/(1 − β) = 50 values. How much of its weight lies on values older "
        "than that?",
        (
            (
                "None: after 50 steps a value drops out",
                "That is a window. Here nothing is ever dropped: each step multiplies every weight by 0.98.",
                False,
            ),
            (
                "About 2%, one part in 50",
                "The newest value alone weighs 2%. All older ones together are a long tail.",
                False,
            ),
            (
                "More than a third",
                "0.98 to the power 50 is 0.364: the tail is still there. A memory of 1/(1 − β) holds 64% here.",
                True,
            ),
            ("Exactly half", "Half of the weight is older than the half-life, 34 steps here.", False),
        ),
    ),
    Quiz(
        "04.which_start",
        "With β = 0.98, one average starts at zero and corrects its readings, another starts at the first value. The level "
        "does not change. On day 50, which of them is nearer to it?",
        (
            (
                "Neither: both are unbiased, and 50 days are enough to forget the start",
                "Unbiased, yes. But 50 steps leave the first value 37% of the weight, and its noise with it.",
                False,
            ),
            (
                "The one that starts at the first value: it begins at a real reading, not at a made-up zero",
                "The made-up zero is divided out again, exactly. The real reading is noisy, and has a large weight.",
                False,
            ),
            (
                "The corrected one, by far",
                "It weighs all 50 values nearly alike. The other gives one of them more than a third of the weight.",
                True,
            ),
        ),
    ),
)
