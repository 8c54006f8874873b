"""The figures of the edge of stability: sharpness along training."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from course_utils import plotting

RATE_COLOURS = (plotting.SKY, plotting.BLUE, plotting.PURPLE)  # three step sizes, short to long


def edge(
    steps: ArrayLike,
    mse: ArrayLike,
    rates: tuple[float, ...],
    entropy_steps: ArrayLike,
    entropy: ArrayLike,
    entropy_rate: float,
) -> Figure:
    """Sharpness of nets along gradient descent, with the limit 2/η of each step size.

    Args: mse: (R, S, K), squared error, one block per rate. entropy: (S, J), cross-entropy, one rate.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.6, 3.8))
    x = np.asarray(steps, float)
    for values, lr, color in zip(np.asarray(mse, float), rates, RATE_COLOURS, strict=True):
        plotting.band(left, x, values, label=f"η = {lr:g}", color=color)
        plotting.theory(left, x, np.full(len(x), 2 / lr), label="_edge")
    left.set_ylim(0, 2.4 / min(rates))
    plotting.finish(
        left, title="Squared error: to 2/η, at these rates", x="step", y="sharpness (dashed: 2/η)"
    )
    t = np.asarray(entropy_steps, float) + 1  # a logarithmic axis has no 0
    plotting.log_ticks(right, "x")
    plotting.band(right, t, entropy, label="_entropy", color=plotting.ORANGE)
    plotting.theory(right, t, np.full(len(t), 2 / entropy_rate), label="_edge")
    right.text(t[-1], 2.06 / entropy_rate, f"2/η, η = {entropy_rate:g}", ha="right", va="bottom")
    right.set_ylim(0)
    plotting.finish(
        right, title="Cross-entropy passes it and leaves", x="step + 1", y="sharpness", names=False
    )
    return figure
