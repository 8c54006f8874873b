"""Dynamic loss scaling: small gradients lifted over float16's smallest numbers, and put back."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from course_utils._checks import is_whole, require


@dataclass
class _Seen:
    """What happened to one optimizer since the last update()."""

    stage: str = "ready"  # then "unscaled", then "stepped"
    overflows: list[Tensor] = field(default_factory=list)  # one flag per device


class GradScaler:
    """Scale the loss, unscale the gradients, skip the step on overflow, adapt the scale.

        scale(loss)   loss * S                   so that gradients g come out as S * g
        unscale_      g <- (S g) / S             and note whether any was inf or NaN
        step          optimizer.step(), unless there was an overflow
        update        S <- S * backoff_factor                    after an overflow; the count starts again
                      S <- S * growth_factor                     after growth_interval good steps in a row

        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)                          only needed to clip,
        clip_grad_norm_(model.parameters(), 1.0)            which must see the true gradients
        scaler.step(optimizer)
        scaler.update()

    Growth that would reach inf is not made. float16 cannot hold gradients below 6e-8, while bfloat16 has
    float32's range: only float16 needs this class. Weights and their gradients stay in float32.

    Args:
        device: "cuda" or "cpu". "cuda" without a GPU switches scaling off, with a warning. The state is
            Python numbers, so tensors of any device work with either.
        init_scale: > 0, first scale.
        growth_factor: > 1.
        backoff_factor: in (0, 1).
        growth_interval: >= 1, good steps before growth.
        enabled: False makes `step` the optimizer's own and the rest do nothing.
    Raises: ValueError for settings out of range and for float16 gradients; RuntimeError for calls out of
        order and for a copy or pickle between `unscale_` and `update` (torch: AssertionError, for some), and
        for a closure.
    Source: Micikevicius et al. (2018), Mixed precision training, section 3.2.
    Agrees with: `torch.amp.GradScaler`: same scales, counts, skips and parameters, and `state_dict`s that
        load either way. `update(new_scale)` takes numbers and one-element tensors alike. A closure by
        position is refused, too, where torch passes it on: the step would take the gradients that it
        computes, which are not unscaled. What torch keeps under private names is not here.
    """

    def __init__(
        self,
        device: str | torch.device = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        require(0 < init_scale < math.inf, "init_scale > 0 and finite", init_scale=init_scale)
        require(1 < growth_factor < math.inf, "growth_factor > 1 and finite", growth_factor=growth_factor)
        require(0 < backoff_factor < 1, "0 < backoff_factor < 1", backoff_factor=backoff_factor)
        require(
            is_whole(growth_interval) and growth_interval >= 1,
            "a whole number growth_interval >= 1",
            growth_interval=growth_interval,
        )
        if enabled and torch.device(device).type == "cuda" and not torch.cuda.is_available():
            warnings.warn("GradScaler('cuda') without a GPU: scaling is off", UserWarning, stacklevel=2)
            enabled = False
        self._enabled = enabled
        self._scale = _float32(init_scale)
        self._growth_factor = float(growth_factor)  # plain numbers, for a file that weights_only reads
        self._backoff_factor = float(backoff_factor)
        self._growth_interval = int(growth_interval)
        self._good_steps = 0
        self._scaled_once = False
        self._seen: dict[torch.optim.Optimizer, _Seen] = {}

    def scale(self, outputs: Any) -> Any:
        """The loss times the scale; lists, tuples and iterables of losses keep their form.

        The scale takes part as a float32 tensor of no dimensions: a scalar loss in sixteen bits becomes
        float32, in which 65536 times it does not overflow; other tensors keep their dtype.
        """
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            self._scaled_once = True
            return outputs * torch.full((), self._scale, dtype=torch.float32, device=outputs.device)
        if not isinstance(outputs, Iterable):
            raise ValueError(f"need a tensor or an iterable of tensors to scale, got {outputs!r}")
        scaled = map(self.scale, outputs)
        return type(outputs)(scaled) if isinstance(outputs, (list, tuple)) else scaled

    @torch.no_grad()
    def unscale_(self, optimizer: torch.optim.Optimizer) -> None:
        """Divide the gradients by the scale, once per step; the place to clip is after this."""
        if not self._enabled:
            return
        seen = self._state_of(optimizer, "unscale_()")
        if seen.stage != "ready":
            done = "unscale_()" if seen.stage == "unscaled" else "step()"
            raise RuntimeError(
                f"need unscale_() at most once and before step(), got {done} done already since the last "
                "update(); call update() at the end of each iteration"
            )
        inverse = torch.tensor(self._scale, dtype=torch.float64).reciprocal().float().item()
        gradients = [
            p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None
        ]
        if any(g.dtype == torch.float16 for g in gradients):
            raise ValueError(
                "need float32 (or bfloat16) gradients, got float16; keep the weights in float32 and let "
                "autocast run the forward pass in float16"
            )
        flags: dict[torch.device, list[Tensor]] = {}
        for g in gradients:
            values = g._values() if g.is_sparse else g
            flags.setdefault(values.device, []).append(values.isfinite().all().logical_not())
            values.mul_(inverse)
        seen.overflows = [torch.stack(some).any() for some in flags.values()]
        seen.stage = "unscaled"

    def step(self, optimizer: torch.optim.Optimizer, *args: Any, **kwargs: Any) -> float | None:
        """`optimizer.step()` on unscaled gradients, or nothing (and None) where one was inf or NaN."""
        if not self._enabled:
            plain: float | None = optimizer.step(*args, **kwargs)
            return plain
        if "closure" in kwargs or any(callable(argument) for argument in args):
            raise RuntimeError("need step() without a closure, which would compute unscaled gradients anew")
        seen = self._state_of(optimizer, "step()")
        if seen.stage == "stepped":
            raise RuntimeError("need one step() per update(), got a second; call update() after step()")
        if seen.stage == "ready":
            self.unscale_(optimizer)
        if not seen.overflows:
            raise RuntimeError("need gradients to step, got none; call scaler.scale(loss).backward() first")
        overflow = any(bool(flag) for flag in seen.overflows)  # the one wait for the device
        result: float | None = None if overflow else optimizer.step(*args, **kwargs)
        seen.stage = "stepped"
        return result

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Adapt the scale to what the optimizers met since the last update, or set it to `new_scale`."""
        if not self._enabled:
            return
        self._check_scaled("update()")
        if new_scale is not None:
            self._scale = _float32(float(new_scale))
            self._seen.clear()
            return
        flags = [flag for seen in self._seen.values() for flag in seen.overflows]
        if not flags:
            raise RuntimeError("need unscale_() or step() before update(), got neither since the last one")
        if any(bool(flag) for flag in flags):
            self._scale = _float32(self._scale * self._backoff_factor)
            self._good_steps = 0
        else:
            self._good_steps += 1
            if self._good_steps == self._growth_interval:
                grown = _float32(self._scale * self._growth_factor)
                self._scale = grown if math.isfinite(grown) else self._scale
                self._good_steps = 0
        self._seen.clear()

    def get_scale(self) -> float:
        return self._scale if self._enabled else 1.0

    def is_enabled(self) -> bool:
        return self._enabled

    def get_growth_factor(self) -> float:
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        self._growth_interval = new_interval

    def state_dict(self) -> dict[str, Any]:
        """Scale, settings and count, under torch's names; empty when disabled. Take it after update()."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._good_steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if not self._enabled:
            return
        if not state:
            raise RuntimeError(
                "need a state with a scale, got an empty one; it was saved by a disabled scaler"
            )
        needed = self.state_dict().keys()
        missing = sorted(needed - state.keys())
        require(
            not missing, "a state of a GradScaler", cure="load what its state_dict() gave", missing=missing
        )
        numbers = all(isinstance(state[name], Real) and math.isfinite(state[name]) for name in needed)
        fits = numbers and state["scale"] >= 0
        require(fits, "a state of finite numbers, its scale >= 0", **{name: state[name] for name in needed})
        self._scale = _float32(state["scale"])
        self._growth_factor = state["growth_factor"]
        self._backoff_factor = state["backoff_factor"]
        self._growth_interval = state["growth_interval"]
        self._good_steps = state["_growth_tracker"]

    def __getstate__(self) -> dict[str, Any]:
        if self._seen:
            raise RuntimeError(
                "need update() before a scaler is copied or pickled, got one in the middle of a step; copy "
                "it between iterations"
            )
        return vars(self)

    def _state_of(self, optimizer: torch.optim.Optimizer, call: str) -> _Seen:
        self._check_scaled(call)
        return self._seen.setdefault(optimizer, _Seen())

    def _check_scaled(self, call: str) -> None:
        if not self._scaled_once:
            raise RuntimeError(
                f"need scale(loss) before {call}, got none; backward must start from the scaled loss"
            )


def _float32(value: float) -> float:
    """torch keeps the scale in float32; a factor that is no power of two rounds there."""
    return torch.tensor(value, dtype=torch.float32).item()
