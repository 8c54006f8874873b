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


def power(matrix: Tensor, exponent: float) -> Tensor:
    """A real power of a symmetric positive matrix, through its singular values."""
    u, s, vt = torch.linalg.svd(matrix)
    return u @ torch.diag(s**exponent) @ vt


class Shampoo(Plain):
    """Gupta, Koren & Singer (2018), Algorithm 2, for k dimensions; k = 2 is Algorithm 1.

    Momentum and the L2 penalty as torch's SGD has them; the roots taken anew at every `update_freq`-th step.
    """

    def __init__(
        self,
        params: list[nn.Parameter],
        lr: float = 0.1,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        eps: float = 1e-4,
        update_freq: int = 1,
    ) -> None:
        defaults = {
            "lr": lr, "momentum": momentum, "weight_decay": weight_decay, "eps": eps,
            "update_freq": update_freq,
        }  # fmt: skip
        super().__init__(params, defaults)

    def lines(self, theta: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
        g = g + group["weight_decay"] * theta
        k, letters = g.ndim, "abcdef"[: g.ndim]
        if state["t"] == 1:
            state["H"] = [group["eps"] * torch.eye(n, dtype=g.dtype) for n in g.shape]
        state["H"] = [
            H + torch.einsum(f"{letters},{letters.replace(i, 'z')}->{i}z", g, g)
            for H, i in zip(state["H"], letters, strict=True)
        ]
        if state["t"] % group["update_freq"] == 1 % group["update_freq"]:
            state["roots"] = [power(H, -1 / (2 * k)) for H in state["H"]]
        for root, i in zip(state["roots"], letters, strict=True):
            g = torch.einsum(f"z{i},{letters}->{letters.replace(i, 'z')}", root, g)
        state["m"] = group["momentum"] * state.get("m", torch.zeros_like(g)) + g
        return theta - group["lr"] * state["m"]


class SOAP(Plain):
    """Vyas et al. (2024), Algorithm 3 for a matrix, and AdamW for the rest.

    With what the algorithm leaves to the code: the first gradient makes L, R and their eigenvectors, the
    largest first, and moves nothing; bias is corrected from the second gradient on; eps as Adam's, decay as
    AdamW's.
    """

    def __init__(
        self,
        params: list[nn.Parameter],
        lr: float = 3e-3,
        betas: Any = (0.95, 0.95),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        precondition_frequency: int = 10,
        max_precond_dim: int = 10000,
    ) -> None:
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "f": precondition_frequency,
            "most": max_precond_dim,
        }  # fmt: skip
        super().__init__(params, defaults)

    def lines(self, theta: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
        (beta_1, beta_2), zero = group["betas"], torch.zeros_like(g)
        sides = [n <= group["most"] for n in g.shape] if g.ndim == 2 else [False, False]
        matrix = any(sides)
        t = state["t"] - 1 if matrix else state["t"]
        if g.ndim == 1:
            g = g[:, None]
        if t == 0:
            state["L"], state["R"] = (1 - beta_2) * g @ g.T, (1 - beta_2) * g.T @ g
            # singular vectors: of a symmetric matrix its eigenvectors, the largest first
            bases = [torch.linalg.svd(state[name])[0] for name in "LR"]
            state["Q"] = [
                Q if side else torch.eye(len(Q), dtype=g.dtype) for Q, side in zip(bases, sides, strict=True)
            ]
            return theta
        Q_L, Q_R = state["Q"] if matrix else [torch.eye(n, dtype=g.dtype) for n in g.shape]
        g_turned = Q_L.T @ g @ Q_R
        state["M"] = beta_1 * state.get("M", zero.view_as(g)) + (1 - beta_1) * g
        m_turned = Q_L.T @ state["M"] @ Q_R
        state["V"] = beta_2 * state.get("V", zero.view_as(g)) + (1 - beta_2) * g_turned * g_turned
        v_hat = state["V"] / (1 - beta_2**t)
        n_turned = m_turned / (1 - beta_1**t) / (torch.sqrt(v_hat) + group["eps"])
        step = Q_L @ n_turned @ Q_R.T
        if matrix:
            state["L"] = beta_2 * state["L"] + (1 - beta_2) * g @ g.T
            state["R"] = beta_2 * state["R"] + (1 - beta_2) * g.T @ g
            if t % group["f"] == 0:
                made = [torch.linalg.qr(state[name] @ Q)[0] for name, Q in zip("LR", state["Q"], strict=True)]
                state["Q"] = [
                    new if side else old for new, old, side in zip(made, state["Q"], sides, strict=True)
                ]
        return theta * (1 - group["lr"] * group["weight_decay"]) - group["lr"] * step.view_as(theta)
