"""Early stopping: stop when the validation value has not improved for a while, and keep the best weights.

Patience        the rule: which value is the best, and when to stop
EarlyStopping   the rule for a model in training, with its best weights in memory or in a file
patient_stop    the rule on curves that were recorded to their end
"""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Callable
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from course_utils._checks import is_whole, require
from course_utils._files import write_whole


class Patience:
    """Which value of a series is the best so far, and when to stop waiting for a better one.

        improved     value < best - min_delta  (mode "min")   value > best + min_delta  (mode "max")
        improved:    best <- value, since_best <- 0
        otherwise:   since_best <- since_best + 1; stop when since_best = patience

    The count starts again at every improvement. NaN never improves. Once stopped, nothing changes any more.

        rule = Patience(2)
        [rule.count(value) for value in (3.0, 1.0, 2.0, 1.0)]   # [True, True, False, False]
        rule.stopped, rule.best_step                            # True, 1

    Args:
        patience: values without improvement that stop the run, >= 1.
        min_delta: >= 0, in the units of the value; an improvement must be larger than this.
        mode: "min" for a loss, "max" for an accuracy.

    Attributes:
        best_value: best value so far (inf or -inf before the first).
        best_step: the value's number, counted from 0; None before the first.
        step: values seen.
        since_best: values since the best one.
        stopped: whether the run has been told to stop.
    Raises: ValueError for settings out of range.
    """

    def __init__(self, patience: int = 10, min_delta: float = 0.0, *, mode: str = "min") -> None:
        require(is_whole(patience) and patience >= 1, "a whole number patience >= 1", patience=patience)
        require(0 <= min_delta < math.inf, "min_delta >= 0 and finite", min_delta=min_delta)
        require(mode in ("min", "max"), 'mode "min" or "max"', mode=mode)
        self.patience, self.min_delta, self.mode = int(patience), float(min_delta), mode
        self.reset()

    def reset(self) -> None:
        """Forget everything seen."""
        self.best_value = math.inf if self.mode == "min" else -math.inf
        self.best_step: int | None = None
        self.step = 0
        self.since_best = 0
        self.stopped = False

    def improved(self, value: float) -> bool:
        if self.mode == "min":
            return value < self.best_value - self.min_delta
        return value > self.best_value + self.min_delta

    def count(self, value: float) -> bool:
        """Take the newest value; True means that it is the best so far."""
        if self.stopped:
            return False
        improved = self.improved(value)
        self._note(value, better=improved)
        self.stopped = self._is_exhausted()
        return improved

    def _note(self, value: float, *, better: bool, counts: bool = True) -> None:
        if better:
            self.best_value, self.best_step, self.since_best = value, self.step, 0
        elif counts:
            self.since_best += 1
        self.step += 1

    def _is_exhausted(self) -> bool:
        return self.since_best >= self.patience


class EarlyStopping(Patience):
    """Stop after `patience` updates in a row without an improvement on the best value.

    The rule is that of `Patience`; at each improvement a copy of the weights is kept. NaN counts as worse,
    with a warning. Once stopped, `update` keeps returning True and changes nothing. Two more reasons to stop:
    a `target` that the value has reached, and a `time_limit`.

        stopper = EarlyStopping(patience=5, path="best.pt")
        for epoch in range(100):
            ...
            if stopper.update(validation_loss, model):
                break

    Args:
        patience, min_delta, mode: as for `Patience`, whose attributes it has; it counts updates.
        restore_best: keep the best weights in memory and load them into the model on stopping. A loop that
            runs to its end without stopping calls `restore(model)` itself.
        path: file for the best state. It is written whole at each improvement: a crash at any
            moment leaves the previous file or the new one. It holds `state_dict()` with the weights, so that
            `model.load_state_dict(torch.load(path)["best_model"])` gives the best model and
            `stopper.load_state_dict(torch.load(path))` goes on counting from there.
        start_from: the first updates, >= 0, whose values are passed over: they neither count nor can be the
            best, as where a loss is small before anything is learned. The time limit holds for them, too.
        target: stop as soon as the value is this or better; None for none. That value counts as the best.
        time_limit: seconds, > 0, after which the next update stops; None for none. Counted from here (or from
            `reset`), so make the stopper right before the run; a resumed run goes on counting.
        clock: what gives the time, in seconds.

    Attributes: those of `Patience`, and
        stopped_by: why, "patience", "target" or "time limit"; None before.
        elapsed: seconds counted towards the limit; 0.0 without one.

    Raises: ValueError for settings out of range, a value that is not one number, or a state that is another's
        or not whole; RuntimeError from `restore` when there are no weights to restore.
    Source: Prechelt (1998), Early stopping - but when?, with the patience rule of common libraries.
    """

    def __init__(
        self,
        patience: int = 10,
        min_delta: float = 0.0,
        *,
        mode: str = "min",
        restore_best: bool = True,
        path: str | Path | None = None,
        start_from: int = 0,
        target: float | None = None,
        time_limit: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        whole = is_whole(start_from) and start_from >= 0
        require(whole, "a whole number start_from >= 0", start_from=start_from)
        require(target is None or math.isfinite(target), "a finite target, or None", target=target)
        some = time_limit is None or 0 < time_limit < math.inf
        require(some, "time_limit > 0 and finite, or None", time_limit=time_limit)
        self.start_from, self.target, self.time_limit = int(start_from), target, time_limit
        self.clock = clock
        super().__init__(patience, min_delta, mode=mode)
        self.restore_best = restore_best
        self.path = None if path is None else Path(path)

    def reset(self) -> None:
        """Forget everything seen; the file at `path` stays."""
        super().reset()
        self.stopped_by: str | None = None
        self.elapsed = 0.0
        self._seen = self._now()
        self._best_model: dict[str, Any] | None = None

    def reached(self, value: float) -> bool:
        """Whether `value` is the target or better."""
        if self.target is None:
            return False
        return value <= self.target if self.mode == "min" else value >= self.target

    def update(self, value: float | Tensor, model: nn.Module) -> bool:
        """Take the newest validation value; True means stop now (and the best weights are back, if asked)."""
        if self.stopped:
            return True
        value = _number(value)
        if math.isnan(value):
            warnings.warn(
                f"validation value is NaN at update {self.step}: counted as worse than the best so far",
                RuntimeWarning,
                stacklevel=2,
            )
        looked_at, reached = self.step >= self.start_from, self.reached(value)
        better = looked_at and (self.improved(value) or reached)
        self._note(value, better=better, counts=looked_at)
        self._count_time()
        if self.time_limit is not None and self.elapsed >= self.time_limit:
            self.stopped_by = "time limit"
        elif looked_at and reached:
            self.stopped_by = "target"
        elif self._is_exhausted():
            self.stopped_by = "patience"
        self.stopped = self.stopped_by is not None
        if better:
            self._keep(model)
        if self.stopped and self.restore_best and self.best_step is not None:
            self.restore(model)
        return self.stopped

    def restore(self, model: nn.Module) -> None:
        """Load the best weights and buffers into `model`, from memory or else from `path`."""
        best = self._best_model
        if best is None and self.path is not None and self.best_step is not None:
            best = torch.load(self.path, map_location="cpu", weights_only=True)["best_model"]
        if best is None:
            raise RuntimeError(
                f"need best weights to restore, got none after {self.step} updates; "
                "update with a finite value first, and set restore_best=True or a path"
            )
        model.load_state_dict(best)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on; settings come from the constructor."""
        self._count_time()
        return {
            "mode": self.mode,
            "best_value": self.best_value,
            "best_step": self.best_step,
            "step": self.step,
            "since_best": self.since_best,
            "stopped": self.stopped,
            "stopped_by": self.stopped_by,
            "elapsed": self.elapsed,
            "best_model": self._best_model,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` (or the file at `path`) was written."""
        needed = {"best_value", "best_step", "step", "since_best", "stopped", "best_model"}
        missing = sorted(needed - state.keys())
        require(
            not missing, "a state of EarlyStopping", cure="load what its state_dict() gave", missing=missing
        )
        mode = state.get("mode", self.mode)  # in states of before it was not named
        require(mode == self.mode, f'a state of mode "{self.mode}"', cure=f'pass mode="{mode}"', mode=mode)
        weights = state["best_model"] is not None or state["best_step"] is None or self.path is not None
        cure = "pass restore_best=False, or the path of its file"
        require(weights or not self.restore_best, "a state with the best weights", cure=cure, best_model=None)
        self.best_value = state["best_value"]
        self.best_step = state["best_step"]
        self.step = state["step"]
        self.since_best = state["since_best"]
        self.stopped = state["stopped"]
        self.stopped_by = state.get("stopped_by")
        self.elapsed, self._seen = state.get("elapsed", 0.0), self._now()
        self._best_model = copy.deepcopy(state["best_model"]) if self.restore_best else None

    def __getstate__(self) -> dict[str, Any]:
        self._count_time()
        return {name: value for name, value in vars(self).items() if name != "_seen"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._seen = self._now()  # the clock of another process may start elsewhere

    def _now(self) -> float:
        return 0.0 if self.time_limit is None else self.clock()

    def _count_time(self) -> None:
        now = self._now()
        self.elapsed, self._seen = self.elapsed + now - self._seen, now

    def __repr__(self) -> str:
        return (
            f"EarlyStopping(patience={self.patience}, min_delta={self.min_delta}, mode={self.mode!r}, "
            f"restore_best={self.restore_best}, path={None if self.path is None else str(self.path)!r}"
            + "".join(f", {name}={value!r}" for name, value in self._more().items())
            + ")"
        )

    def _more(self) -> dict[str, Any]:
        """The settings that are not always there."""
        more = {"start_from": self.start_from or None, "target": self.target, "time_limit": self.time_limit}
        return {name: value for name, value in more.items() if value is not None}

    def _keep(self, model: nn.Module) -> None:
        # a copy: state_dict() refers to the live weights, which the next step changes in place
        if self.restore_best:
            self._best_model = copy.deepcopy(model.state_dict())
        if self.path is not None:
            state = {**self.state_dict(), "best_model": model.state_dict()}
            write_whole(self.path, lambda file: torch.save(state, file))


def _number(value: Any) -> float:
    count = value.numel() if isinstance(value, Tensor) else getattr(value, "size", 1)  # size: NumPy's
    one = isinstance(value, Tensor | Real) or hasattr(value, "item")
    got = {"shape": tuple(value.shape)} if hasattr(value, "shape") else {"value": value}
    require(one and count == 1, "one number", cure="reduce the validation losses to their mean", **got)
    return float(value.item() if hasattr(value, "item") else value)


def patient_stop(values: Tensor, patience: int) -> tuple[Tensor, Tensor]:
    """Where early stopping would have ended each of S recorded runs, and what it would have kept.

    Args:
        values: validation losses (S, K); a run that never stops ends at its last.
        patience: measurements in a row without a new lowest value that stop a run, >= 1.
    Returns: the measurements of the stop and of the best before it, (S,) each, counted from 0.
    """
    require(values.ndim == 2, "values (S, K)", shape=tuple(values.shape))
    stops, best = [], []
    for row in values.tolist():
        rule = Patience(patience)
        for value in row:
            rule.count(value)
        stops.append(rule.step - 1)
        best.append(rule.best_step or 0)
    return torch.tensor(stops, dtype=torch.int64), torch.tensor(best, dtype=torch.int64)
