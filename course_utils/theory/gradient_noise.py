"""What theory says of minibatch gradients: their variance, the noise at rest, the batch size that matters.

A loss that is a mean over N examples has one gradient per example, g_i. The full gradient g is their mean,
and a minibatch's gradient the mean of b of them:

    sigma² = (1/N) sum |g_i - g|²,      E|g_batch - g|² = sigma² / b * (N - b) / (N - 1)
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from course_utils._checks import require


def per_example_gradients(
    model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor
) -> Tensor:
    """The gradient of each example's loss, parameters laid end to end in the order of `parameters()`.

    Args:
        model: whose outputs for an example do not depend on the other examples of its batch (no batch norm).
        loss: (prediction, target) -> mean over a batch; it sees batches of one.
        x, y: (N, ...) and (N, ...).
    Returns: (N, P). Its mean over rows is the gradient of the mean loss.
    Raises: ValueError where the numbers of inputs and targets differ.
    """
    require(len(x) == len(y), "as many inputs as targets", x=len(x), y=len(y))
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    buffers = dict(model.named_buffers())

    def one(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return loss(functional_call(model, (parameters, buffers), (x[None],)), y[None])

    gradients = vmap(grad(one), in_dims=(None, 0, 0), randomness="different")(parameters, x, y)
    return torch.cat([gradients[name].flatten(1) for name in parameters], 1)


def batch_variance(sigma2: Tensor | float, n: int, batch_size: Tensor | int) -> Tensor:
    """E|g_batch - g|² of a batch drawn without replacement: sigma² / b * (N - b) / (N - 1).

    Args:
        sigma2: mean of |g_i - g|², with N as the divisor. n: examples, >= 2. batch_size: 1 to n.
    Raises: ValueError if a number is out of range.
    Source: the variance of a mean sampled from a finite population.
    """
    b = torch.as_tensor(batch_size, dtype=torch.float64)
    require(
        n >= 2 and bool(((b >= 1) & (b <= n)).all()),
        "n >= 2 and 1 <= batch_size <= n",
        n=n,
        batch_size=batch_size,
    )
    return sigma2 / b * (n - b) / (n - 1)


def noise_scale(gradients: Tensor) -> Tensor:
    """sigma² / |g|²: at a batch of this size the noise in a gradient is as large as the gradient.

    Args: gradients: (..., N, P), one row per example.
    Returns: (...).
    Source: McCandlish, Kaplan, Amodei et al. (2018), eq. 2.9, the simple noise scale.
    """
    g = gradients.mean(-2, keepdim=True)
    return (gradients - g).square().sum(-1).mean(-1) / g.squeeze(-2).square().sum(-1)


def shuffled_noise_level(lr: float, curvature: float, noise: float, steps: int) -> Tensor:
    """Variance of p at rest through an epoch of reshuffled batches, where noise does not depend on p.

        p <- r p - lr xi_k,    r = 1 - lr λ,    xi_1 + ... + xi_m = 0 over the m steps of an epoch

    The noises of one epoch have the correlation -1 / (m - 1), those of different epochs none.

    Args:
        lr, curvature: step size and λ, 0 < lr λ < 2. noise: variance of one batch's gradient. steps: m >= 2.
    Returns: (m + 1,), the variance at the start of an epoch and after each of its steps; both ends are equal.
    Raises: ValueError if a number is out of range.
    Source: the fixed point of the epoch's covariance. That reshuffling wins beyond this case: Mishchenko,
        Khaled & Richtarik (2020). Drawn with replacement it is `quadratics.noise_level`.
    """
    require(0 < lr * curvature < 2, "0 < lr * curvature < 2", lr=lr, curvature=curvature)
    require(steps >= 2, "steps >= 2", steps=steps)
    r = 1 - lr * curvature
    k = torch.arange(steps + 1, dtype=torch.float64)
    powers = torch.cat([torch.zeros(1, dtype=torch.float64), r ** k[:-1]])
    squares, sums = powers.square().cumsum(0), powers.cumsum(0)  # of the first k powers of r
    added = lr**2 * noise * (squares - (sums.square() - squares) / (steps - 1))
    at_end = added[-1] / (1 - r ** (2 * steps))
    return r ** (2 * k) * at_end + added
