"""SAM for many nets at once: each seed climbs along its own gradient, by its own norm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils.data import Stacked
from course_utils.seeds.stacked import Loss, StackedNets, keeps_seeds_apart, norm_per_seed, over, per_seed


class SAMPerSeed(torch.optim.Optimizer):
    """SAM on stacked parameters (S, ...), one climb for each of S nets; for `train_seeds`.

        e[s] = rho * g[s] / norm(g[s]),  g the gradient at p, its norm over all parameters of seed s
            then the base optimizer steps from p with the gradient at p + e

    With dropout the two gradients have masks of their own, and batch norm sees both passes, as in `fit`.

    Args:
        base_optimizer: class of the optimizer that takes the step; one that keeps seeds apart.
        rho: radius of the climb, >= 0, or one for each seed, (S,); with 0 only the base optimizer is left,
            at twice its cost.
        base: keyword arguments of `base_optimizer`, such as lr. Groups and state are shared with it.
    Raises: ValueError for rho out of range, or a base optimizer that mixes seeds.
    Source: Foret et al. (2021), Algorithm 1. Agrees with: `SAM`, seed by seed.
    """

    per_seed = True

    def __init__(
        self,
        params: list[Tensor],
        base_optimizer: type[torch.optim.Optimizer],
        *,
        rho: float | Tensor = 0.05,
        **base: Any,
    ) -> None:
        require(bool((torch.as_tensor(rho) >= 0).all()), "rho >= 0", rho=rho)
        super().__init__(params, {})
        self.rho, self.base_optimizer = rho, base_optimizer(self.param_groups, **base)
        name = base_optimizer.__name__
        require(keeps_seeds_apart(self.base_optimizer), "a base optimizer that keeps seeds apart", base=name)
        self.param_groups, self.state = self.base_optimizer.param_groups, self.base_optimizer.state

    @torch.no_grad()
    def step(self, closure: Callable[[], float]) -> float:  # type: ignore[override]
        """Climb, take the gradient there, step from where the weights were; the loss of the first call."""
        with torch.enable_grad():
            loss = closure()
        params = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        before = [p.clone() for p in params]
        # a zero gradient climbs nowhere
        norm = norm_per_seed([p.grad for p in params]).clamp(min=1e-12)
        for p in params:
            p.add_(p.grad * over(self.rho / norm, p))
        with torch.enable_grad():
            closure()
        for p, weights in zip(params, before, strict=True):
            p.copy_(weights)
        self.base_optimizer.step()
        return loss


def loss_of_each(nets: StackedNets, examples: Stacked, loss: Loss) -> Tensor:
    """The loss of each net over its own examples, (S,), with its graph: for `curvature.sharpness`."""
    return per_seed(loss, nets.forward(examples.x, training=False), examples.y)
