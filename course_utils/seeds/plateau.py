"""ReduceLROnPlateau for many runs at once: each run has a loss, a rate and a patience of its own."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils._checks import require


class PlateauPerRun:
    """Multiplies a run's rate by `factor` when more than `patience` losses in a row were no better.

        better: loss < best * (1 - threshold)
        bad losses in a row > patience: lr <- factor * lr, and counting starts again; best is kept

    Args:
        lr: rates of the runs, of any shape, > 0. `lr` of the object is what they are now.
        patience: a whole number >= 0, or a tensor of them that broadcasts with `lr`.
        factor: in (0, 1), or a tensor of such numbers that broadcasts with `lr`.
        threshold: share by which a loss must be lower to be better, in [0, 1).
    Raises: ValueError if an argument is out of range.
    Agrees with: `torch.optim.lr_scheduler.ReduceLROnPlateau` with eps = 0, run by run, for losses above 0.
    """

    def __init__(
        self,
        lr: Tensor,
        patience: Tensor | int = 10,
        *,
        factor: Tensor | float = 0.1,
        threshold: float = 1e-4,
    ) -> None:
        require(bool((lr > 0).all()), "lr > 0", lowest=float(lr.min()))
        require(bool((torch.as_tensor(patience) >= 0).all()), "patience >= 0", patience=patience)
        falls = torch.as_tensor(factor)
        require(bool(((falls > 0) & (falls < 1)).all()), "0 < factor < 1", factor=factor)
        require(0 <= threshold < 1, "0 <= threshold < 1", threshold=threshold)
        self.lr, self.patience, self.factor, self.threshold = lr.clone(), patience, factor, threshold
        self._best, self._bad = torch.full_like(lr, torch.inf), torch.zeros_like(lr)

    def step(self, loss: Tensor, looks: Tensor | None = None) -> None:
        """Look at the losses of the runs, of the shape of `lr`. A NaN is never better.

        Args: looks: true where a run looks, of a shape that broadcasts with `lr`; by default all do.
        """
        looks = torch.ones_like(loss, dtype=torch.bool) if looks is None else looks
        better = looks & (loss < self._best * (1 - self.threshold))
        self._best = torch.where(better, loss, self._best)
        self._bad = torch.where(better, 0.0, self._bad + looks)
        late = self._bad > self.patience
        self.lr = torch.where(late, self.lr * self.factor, self.lr)
        self._bad = torch.where(late, 0.0, self._bad)
