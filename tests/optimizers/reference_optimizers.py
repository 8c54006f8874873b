"""The algorithms that torch does not have, as their papers print them, with nothing done in place.

Written independently of the package, slow and plain, to compare with.
"""

from typing import Any

import torch
from torch import Tensor, nn


class Plain(torch.optim.Optimizer):
    """Calls `lines(theta, g, state, group)`, which returns the new theta."""

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for theta in group["params"]:
                state = self.state[theta]
                state["t"] = state.get("t", 0) + 1
                theta.copy_(self.lines(theta.clone(), theta.grad.clone(), state, group))

    def lines(self, theta: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
        raise NotImplementedError


class Lion(Plain):
    """Chen et al. (2023), Algorithm 2."""

    def __init__(
        self,
        params: list[nn.Parameter],
        lr: float = 1e-4,
        betas: Any = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    def lines(self, theta: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
        beta_1, beta_2 = group["betas"]
        m = state.get("m", torch.zeros_like(theta))
        c = beta_1 * m + (1 - beta_1) * g
        state["m"] = beta_2 * m + (1 - beta_2) * g
        return theta - group["lr"] * (torch.sign(c) + group["weight_decay"] * theta)


class ScheduleFreeSGD(Plain):
    """Defazio et al. (2024), equations 3 to 5, weights gamma_t**2; y is formed afresh from x and z."""

    def __init__(
        self,
        params: list[nn.Parameter],
        lr: float = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        warmup_steps: int = 0,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "warmup_steps": warmup_steps,
        }
        super().__init__(params, defaults)

    def lines(self, y: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
        beta, t = group["momentum"], state["t"]
        x, z = state.get("x", y), state.get("z", y)
        gamma = group["lr"] * (min(1, t / group["warmup_steps"]) if group["warmup_steps"] else 1)
        z = z - gamma * (g + group["weight_decay"] * y)
        state.setdefault("gammas", []).append(gamma)
        c = gamma**2 / sum(past**2 for past in state["gammas"])
        x = (1 - c) * x + c * z
        state["x"], state["z"] = x, z
        return (1 - beta) * z + beta * x


class ScheduleFreeAdamW(Plain):
    """Defazio et al. (2024), Algorithm 1."""

    def __init__(
        self,
        params: list[nn.Parameter],
        lr: float = 2.5e-3,
        betas: Any = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        warmup_steps: int = 0,
    ) -> None:
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "warmup_steps": warmup_steps
        }  # fmt: skip
        super().__init__(params, defaults)

    def lines(self, y: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
        (beta_1, beta_2), t = group["betas"], state["t"]
        x, z, v = state.get("x", y), state.get("z", y), state.get("v", torch.zeros_like(y))
        v = beta_2 * v + (1 - beta_2) * g * g
        warmth = min(1, t / group["warmup_steps"]) if group["warmup_steps"] else 1
        gamma = group["lr"] * (1 - beta_2**t) ** 0.5 * warmth
        z = z - gamma * g / (torch.sqrt(v) + group["eps"]) - gamma * group["weight_decay"] * y
        state.setdefault("gammas", []).append(gamma)
        c = gamma**2 / sum(past**2 for past in state["gammas"])
        x = (1 - c) * x + c * z
        state["x"], state["z"], state["v"] = x, z, v
        return (1 - beta_1) * z + beta_1 * x
