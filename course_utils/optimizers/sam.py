"""SAM: descend by the gradient found a little uphill, towards minima that are flat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils.optimizers.base import Group, Optimizer, Params, at_least_zero


class SAM(Optimizer):
    """SAM: climb by `rho`, take the gradient up there, and step with it from where you were.

        first_step:   e = rho * g / norm(g);  p <- p + e       norm over all parameters of all groups together
        (compute the gradient again, at p + e)
        second_step:  p <- p - e;  then the base optimizer steps with the new gradient

    Use either `step(closure)`, which calls the closure twice, or the two steps by hand:

        loss(model(x), y).backward()
        optimizer.first_step(zero_grad=True)
        loss(model(x), y).backward()
        optimizer.second_step(zero_grad=True)

    Every step costs two gradients. Batch-norm layers see both passes.

    Args:
        base_optimizer: class of the optimizer that takes the step, ours or torch's.
        rho: radius of the climb, >= 0, in units of p; with 0 only the base optimizer is left.
        base: keyword arguments of `base_optimizer`, such as lr. Groups, rates and state are shared with it.
    Shape: parameters of any shape. Their entries mix in the norm, so they cannot be stacked or flat.
    Raises: ValueError if a hyperparameter is out of range; RuntimeError if `step` gets no closure, or if the
        two steps come in the wrong order.
    Source: Foret et al. (2021), Algorithm 1, with p = 2. torch has no SAM; the tests hold it to these lines.
    Departures: p is restored from a copy, since p + e - e rounds. `torch.amp.GradScaler` takes no closure and
        cannot drive it.
    """

    elementwise = False

    def __init__(
        self, params: Params, base_optimizer: type[torch.optim.Optimizer], *, rho: float = 0.05, **base: Any
    ) -> None:
        super().__init__(params, {"rho": rho})
        self.base_optimizer = base_optimizer(self.param_groups, **base)
        self.defaults = {**self.base_optimizer.defaults, "rho": rho}
        self._share()
        self._before: dict[Tensor, Tensor] | None = None  # p as it was, between first_step and second_step

    def check(self, group: Group) -> None:
        at_least_zero(group, "rho")
        if isinstance(base := getattr(self, "base_optimizer", None), Optimizer):  # a group added later
            base.check(group)

    def check_parameter(self, p: Tensor) -> None:
        super().check_parameter(p)
        if isinstance(base := getattr(self, "base_optimizer", None), Optimizer):
            base.check_parameter(p)

    @torch.no_grad()
    def first_step(self, *, zero_grad: bool = False) -> None:
        """Climb to p + e. Parameters without a gradient stay."""
        if self._before is not None:
            raise RuntimeError("need second_step after first_step, got first_step twice")
        climb = [
            (p, p.grad, group) for group in self.param_groups for p in group["params"] if p.grad is not None
        ]
        self._before = {p: p.clone() for p, _, _ in climb}
        if climb:
            device = climb[0][0].device
            norms = [torch.linalg.vector_norm(g, dtype=_at_least_float32(g)).to(device) for _, g, _ in climb]
            norm = torch.linalg.vector_norm(torch.stack(norms)).clamp(
                min=1e-12
            )  # a zero gradient climbs nowhere
            for p, g, group in climb:
                p.add_(g * (group["rho"] / norm).to(p.device))
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def second_step(self, *, zero_grad: bool = False) -> None:
        """Go back to p and let the base optimizer step with the gradient of p + e."""
        if self._before is None:
            raise RuntimeError("need first_step before second_step, got second_step alone")
        self._go_back()
        self.base_optimizer.step()
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float:  # type: ignore[override]
        """Both steps. `closure` clears the gradients, computes the loss, calls backward and returns the loss.

        Returns: the loss at p, that of the first call.
        """
        if closure is None:
            raise RuntimeError("need step(closure), got step(); or call first_step and second_step")
        with torch.enable_grad():
            loss = closure()
        self.first_step(zero_grad=True)
        try:
            with torch.enable_grad():
                closure()
        except BaseException:
            self._go_back()
            raise
        self.second_step()
        return loss

    def _go_back(self) -> None:
        for p, before in (self._before or {}).items():
            p.copy_(before)
        self._before = None

    def _share(self) -> None:
        self.param_groups, self.state = self.base_optimizer.param_groups, self.base_optimizer.state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.base_optimizer.load_state_dict(state_dict)
        self._share()

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"base_optimizer": self.base_optimizer, "_before": self._before}

    def __setstate__(self, state: dict[str, Any]) -> None:
        torch.optim.Optimizer.__setstate__(
            self, state
        )  # the state is the base optimizer's: leave it as it is


def _at_least_float32(g: Tensor) -> torch.dtype:
    return torch.promote_types(g.dtype, torch.float32)
