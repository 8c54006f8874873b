"""SAM: descend by the gradient found a little uphill, towards minima that are flat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils.optimizers._loading import check_loaded
from course_utils.optimizers.base import Group, Optimizer, Params, at_least_zero, flag


class SAM(Optimizer):
    """SAM: climb by `rho`, take the gradient up there, and step with it from where you were.

        first_step:   e = rho * g / norm(g);  p <- p + e       norm over all parameters of all groups together
        (compute the gradient again, at p + e)
        second_step:  p <- p - e;  then the base optimizer steps with the new gradient

    With `adaptive` (ASAM) a weight is moved in proportion to its size: e = rho * p**2 * g / norm(|p| * g), so
    that a net whose layers are rescaled without changing its function climbs as far as before.

    Use either `step(closure)`, which calls the closure twice, or the two steps by hand:

        loss(model(x), y).backward()
        optimizer.first_step(zero_grad=True)
        loss(model(x), y).backward()
        optimizer.second_step(zero_grad=True)

    Every step costs two gradients. Batch-norm layers see both passes.

    Args:
        base_optimizer: class of the optimizer that takes the step, ours or torch's.
        rho: radius of the climb, >= 0, in units of p; with 0 only the base optimizer is left. Adaptive, it
            has no unit, and its authors' values are ten times as large.
        adaptive: measure the radius in units of each weight.
        base: keyword arguments of `base_optimizer`, such as lr. Groups, rates and state are shared with it.
    Shape: parameters of any shape. Their entries mix in the norm, so they cannot be stacked or flat.
    Raises: ValueError if a hyperparameter is out of range or the base optimizer needs a closure (LBFGS);
        RuntimeError if `step` gets no closure, or if the two steps come in the wrong order.
    Source: Foret et al. (2021), Algorithm 1, with p = 2; adaptive: Kwon et al. (2021), Algorithm 1, with
        p = 2 and eta = 0. torch has no SAM; the tests hold it to these lines.
    Departures: p is restored from a copy, since p + e - e rounds. `torch.amp.GradScaler` takes no closure and
        cannot drive it.
    """

    elementwise = False
    counts = False

    def __init__(
        self,
        params: Params,
        base_optimizer: type[torch.optim.Optimizer],
        rho: float = 0.05,
        adaptive: bool = False,
        **base: Any,
    ) -> None:
        cure = "pass the class, and its arguments by name: SAM(params, SGD, lr=0.1)"
        made = isinstance(base_optimizer, torch.optim.Optimizer)
        require(not made, "a class as base_optimizer", cure=cure, base_optimizer="an optimizer")
        super().__init__(params, {"rho": rho, "adaptive": adaptive})
        self.base_optimizer = base_optimizer(self.param_groups, **base)
        needs_closure = isinstance(self.base_optimizer, torch.optim.LBFGS | SAM)
        name = type(self.base_optimizer).__name__
        require(not needs_closure, "a base optimizer that steps without a closure", base_optimizer=name)
        self.defaults = {**self.base_optimizer.defaults, "rho": rho, "adaptive": adaptive}
        self._share()
        self._before: dict[Tensor, Tensor] | None = None  # p as it was, between first_step and second_step

    def check(self, group: Group) -> None:
        at_least_zero(group, "rho")
        flag(group, "adaptive")
        if isinstance(base := getattr(self, "base_optimizer", None), Optimizer):  # a group added later
            base.check(group)

    def check_parameter(self, p: Tensor) -> None:
        super().check_parameter(p)
        if isinstance(base := getattr(self, "base_optimizer", None), Optimizer):
            base.check_parameter(p)

    @torch.no_grad()
    def first_step(self, zero_grad: bool = False) -> None:
        """Climb to p + e, where the loss (with `maximize` the gain) is worse. Without a gradient p stays."""
        if self._before is not None:
            raise RuntimeError("need second_step after first_step, got first_step twice")
        climb = []
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    g = p.grad if p.grad.layout == torch.strided else self.dense(p.grad, group)
                    climb.append((p, in_units(p, g, group), group))
        self._before = {p: p.clone() for p, _, _ in climb}
        if climb:
            device = climb[0][0].device
            norms = [torch.linalg.vector_norm(g, dtype=_at_least_float32(g)).to(device) for _, g, _ in climb]
            # a zero gradient climbs nowhere
            norm = torch.linalg.vector_norm(torch.stack(norms)).clamp(min=1e-12)
            for p, g, group in climb:
                rho = -group["rho"] if group.get("maximize") else group["rho"]
                p.add_(in_units(p, g, group) * (rho / norm).to(p.device))
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def second_step(self, zero_grad: bool = False) -> None:
        """Go back to p and let the base optimizer step with the gradient of p + e."""
        if self._before is None:
            raise RuntimeError("need first_step before second_step, got second_step alone")
        self._go_back()
        self.base_optimizer.step()
        self._opt_called = True  # what torch's schedulers look for: a step was taken
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

    def train(self) -> None:
        """Show the weights that are trained, where the base optimizer keeps two sets (Schedule-Free)."""
        getattr(self.base_optimizer, "train", _nothing)()

    def eval(self) -> None:
        """Show the averaged weights, where the base optimizer keeps two sets (Schedule-Free)."""
        getattr(self.base_optimizer, "eval", _nothing)()

    def _begin_optional(self) -> None:
        if isinstance(self.base_optimizer, Optimizer):
            self.base_optimizer._begin_optional()

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_before": self._before}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "defaults" in state:  # a copy, or out of a file
            torch.optim.Optimizer.__setstate__(self, state)
        else:  # loaded: the state is the base optimizer's
            check_loaded(self, state["param_groups"], state["state"])
            self.base_optimizer.__setstate__(state)
            self._share()


def in_units(p: Tensor, g: Tensor, group: Group) -> Tensor:
    """`g`, or |p| * g where the radius is measured in units of each weight."""
    return p.abs() * g if group["adaptive"] else g


def _nothing() -> None:
    pass


def _at_least_float32(g: Tensor) -> torch.dtype:
    return torch.promote_types(g.dtype, torch.float32)
